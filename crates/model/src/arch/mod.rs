//! Architectures, one file each; [`Architecture`] is the list of them as a card names them.

pub mod densenet;
pub mod inception;
pub mod layers;
pub mod net;
pub mod params;
pub mod resnet;
pub mod unet;
pub mod vgg;

use crate::run::RunCx;
use crate::{Error, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use net::{Detections, Net, Output, Pass};
pub use params::{Params, Shapes};
pub use unet::{UNet, UNetConfig};

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// A network's kind and its free numbers, as in a card or a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Architecture {
    /// A plane U-Net that is trained here, [`unet`].
    Unet2d(UNetConfig),
    /// [`resnet`].
    Resnet(resnet::ResNetConfig),
    /// [`vgg`].
    Vgg(vgg::VggConfig),
    /// [`densenet`].
    Densenet(densenet::DenseNetConfig),
    /// GoogLeNet, [`inception`].
    Googlenet(inception::InceptionConfig),
    /// Inception-v3, [`inception`].
    InceptionV3(inception::InceptionConfig),
}

/// What a network gives, so that a card of another task is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A number per class.
    Classes,
    /// A plane or volume per label.
    Masks,
    /// Boxes, with outlines or not.
    Boxes,
    /// An image.
    Image,
}

/// What a network takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// `[batch, channels, rows, columns]`.
    Plane(usize),
    /// `[batch, channels, slices, rows, columns]`.
    Volume(usize),
    /// `[batch, numbers]`: noise that an image is made from.
    Latent(usize),
}

impl Architecture {
    /// The name in cards.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unet2d(_) => "unet2d",
            Self::Resnet(_) => "resnet",
            Self::Vgg(_) => "vgg",
            Self::Densenet(_) => "densenet",
            Self::Googlenet(_) => "googlenet",
            Self::InceptionV3(_) => "inception-v3",
        }
    }

    /// What goes in.
    pub fn takes(&self) -> Takes {
        Takes::Plane(match self {
            Self::Unet2d(c) => c.inputs,
            Self::Resnet(c) => c.inputs,
            Self::Vgg(c) => c.inputs,
            Self::Densenet(c) => c.inputs,
            Self::Googlenet(c) | Self::InceptionV3(c) => c.inputs,
        })
    }

    /// What comes out.
    pub fn answers(&self) -> Answer {
        match self {
            Self::Unet2d(_) => Answer::Masks,
            Self::Resnet(_) | Self::Vgg(_) | Self::Densenet(_) | Self::Googlenet(_) | Self::InceptionV3(_) => {
                Answer::Classes
            }
        }
    }

    /// Number of input channels.
    pub fn inputs(&self) -> usize {
        let (Takes::Plane(n) | Takes::Volume(n) | Takes::Latent(n)) = self.takes();
        n
    }

    /// Number of labels.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Unet2d(c) => c.outputs,
            Self::Resnet(c) => c.outputs,
            Self::Vgg(c) => c.outputs,
            Self::Densenet(c) => c.outputs,
            Self::Googlenet(c) | Self::InceptionV3(c) => c.outputs,
        }
    }

    /// Sets what a file's names decide and the card left open.
    pub(crate) fn adapt(&mut self, _names: &[&str]) {}

    /// The network's name of a tensor that older or other implementations name otherwise.
    pub(crate) fn rename(&self, name: &str) -> String {
        match self {
            Self::Densenet(_) => densenet::rename(name),
            Self::Vgg(_) => vgg::rename(name),
            _ => name.to_owned(),
        }
    }

    /// Whether a tensor of the published files has no part in inference.
    pub(crate) fn ignores(&self, name: &str) -> bool {
        match self {
            Self::Googlenet(_) => name.starts_with("aux1.") || name.starts_with("aux2."),
            Self::InceptionV3(_) => name.starts_with("AuxLogits."),
            // TorchXRayVision keeps its operating points among the weights; a card holds them as thresholds.
            Self::Densenet(_) | Self::Resnet(_) => name == "op_threshs",
            _ => false,
        }
    }

    /// Whether a tensor of another shape holds the same numbers in the same order.
    pub(crate) fn same_shape(&self, name: &str, found: &[usize], needed: &[usize]) -> bool {
        // timm keeps VGG's first two matrices as convolutions.
        matches!(self, Self::Vgg(_))
            && name.starts_with("classifier.")
            && found.first() == needed.first()
            && found.iter().product::<usize>() == needed.iter().product::<usize>()
    }

    /// Number of trained numbers.
    pub fn parameters(&self) -> usize {
        self.shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Whether the numbers make a network that takes an input of `rows` x `columns`; the reason where not.
    pub(crate) fn check(&self, rows: usize, columns: usize) -> Result<(), String> {
        match self {
            Self::Unet2d(c) => c.check(rows, columns),
            Self::Resnet(c) => c.check(),
            Self::Vgg(c) => c.check(),
            Self::Densenet(c) => c.check(),
            Self::Googlenet(c) | Self::InceptionV3(c) => c.check(),
        }
    }

    /// Name and shape of each tensor, in the order of the layers. The numbers were checked.
    pub fn shapes(&self) -> Shapes {
        if let Self::Unet2d(config) = self {
            return config.shapes();
        }
        Params::list(|p| self.net(p)).unwrap_or_default()
    }

    fn net(&self, p: &Params<'_>) -> Result<Box<dyn Net>> {
        Ok(match self {
            Self::Unet2d(_) => return Err(Error::Tensor(candle_core::Error::Msg("built from tensors".into()))),
            Self::Resnet(c) => Box::new(resnet::ResNet::new(p, c)?),
            Self::Vgg(c) => Box::new(vgg::Vgg::new(p, c)?),
            Self::Densenet(c) => Box::new(densenet::DenseNet::new(p, c)?),
            Self::Googlenet(c) => Box::new(inception::Inception::googlenet(p, c)?),
            Self::InceptionV3(c) => Box::new(inception::Inception::v3(p, c)?),
        })
    }

    /// Makes the network from tensors whose names and shapes were checked.
    pub(crate) fn build(&self, tensors: &Tensors) -> Result<Network> {
        Ok(match self {
            Self::Unet2d(config) => Network::Unet2d(UNet::new(config, tensors)?),
            _ => Network::Other(self.net(&Params::of(tensors))?),
        })
    }
}

/// A network ready to run.
pub(crate) enum Network {
    /// Trained here, so not behind a pointer.
    Unet2d(UNet),
    Other(Box<dyn Net>),
}

impl Network {
    /// `x`: `[batch, inputs, rows, columns]`; result: logits `[batch, outputs, rows, columns]`.
    pub(crate) fn forward(&self, x: &Tensor, cx: &RunCx<'_>) -> Result<Tensor> {
        match self.run(x, &mut Pass::new(*cx))? {
            Output::Logits(t) | Output::Masks(t) | Output::Image(t) => Ok(t),
            Output::Boxes(_) => Err(Error::Image { reason: "the model finds boxes, not masks".into() }),
        }
    }

    /// Whatever the network gives.
    pub(crate) fn run(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        match self {
            Self::Unet2d(net) => Ok(Output::Masks(net.forward(x, pass.cx())?)),
            Self::Other(net) => net.forward(x, pass),
        }
    }
}
