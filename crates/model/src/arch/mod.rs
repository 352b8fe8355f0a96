//! Architectures, one file each; [`Architecture`] is the list of them as a card names them.

pub mod autoencoder;
pub mod densenet;
pub mod detect;
pub mod fcn;
pub mod gan;
pub mod inception;
pub mod layers;
pub mod meshnet;
pub mod monai;
pub mod net;
pub mod params;
pub mod residual;
pub mod resnet;
pub mod resnet_ae;
pub mod unet;
pub mod unet_plane;
pub mod vgg;

use crate::language::TextNet;
use crate::run::RunCx;
use crate::{Error, Result};
use candle_core::Tensor;
use detect::{darknet, fast, faster, rcnn, ssd, ssd_light, yolox};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use net::{Detections, Net, Output, Pass};
pub use params::{BatchStatistics, Params, Shapes};
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
    /// [`fcn`].
    FcnResnet(fcn::FcnConfig),
    /// The layout of the published brain-MRI U-Net, [`unet_plane`].
    UnetPlane(unet_plane::PlaneUNetConfig),
    /// [`autoencoder`].
    Autoencoder(autoencoder::AutoencoderConfig),
    /// [`residual`].
    ResidualCnn(residual::ResidualConfig),
    /// [`meshnet`].
    Meshnet(meshnet::MeshNetConfig),
    /// MONAI's UNet, [`monai`].
    MonaiUnet(monai::UNetConfig),
    /// MONAI's SegResNet, [`monai`].
    Segresnet(monai::SegResNetConfig),
    /// [`faster`].
    FasterRcnn(faster::FasterConfig),
    /// [`faster`].
    MaskRcnn(faster::FasterConfig),
    /// [`fast`].
    FastRcnn(fast::FastConfig),
    /// Trained from boxes that the reader draws, [`rcnn`].
    Rcnn(rcnn::RcnnConfig),
    /// SSD300 on VGG-16, [`ssd`].
    Ssd300(ssd::SsdConfig),
    /// [`ssd_light`].
    SsdLight(ssd_light::LightSsdConfig),
    /// YOLOv3 and others of a `.cfg`, [`darknet`].
    Darknet(darknet::DarknetConfig),
    /// [`yolox`].
    Yolox(yolox::YoloxConfig),
    /// TorchXRayVision's, [`resnet_ae`].
    ResnetAutoencoder(resnet_ae::ResNetAeConfig),
    /// [`gan`].
    DcganGenerator(gan::DcganConfig),
    /// [`gan`].
    DcganDiscriminator(gan::DcganConfig),
    /// [`gan`].
    SrganGenerator(gan::SrganConfig),
    /// [`gan`].
    SrganDiscriminator(gan::SrganConfig),
    /// MONAI's Generator, [`monai`].
    MonaiGenerator(monai::GeneratorConfig),
    /// A language model, [`crate::language`].
    Text(TextNet),
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
    /// Words, or numbers about words.
    Text,
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
    /// A text.
    Text,
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
            Self::FcnResnet(_) => "fcn-resnet",
            Self::UnetPlane(_) => "unet-plane",
            Self::Autoencoder(_) => "autoencoder",
            Self::ResidualCnn(_) => "residual-cnn",
            Self::Meshnet(_) => "meshnet",
            Self::MonaiUnet(_) => "monai-unet",
            Self::Segresnet(_) => "segresnet",
            Self::FasterRcnn(_) => "faster-rcnn",
            Self::MaskRcnn(_) => "mask-rcnn",
            Self::FastRcnn(_) => "fast-rcnn",
            Self::Rcnn(_) => "rcnn",
            Self::Ssd300(_) => "ssd300",
            Self::SsdLight(_) => "ssd-light",
            Self::Darknet(_) => "darknet",
            Self::Yolox(_) => "yolox",
            Self::ResnetAutoencoder(_) => "resnet-autoencoder",
            Self::DcganGenerator(_) => "dcgan-generator",
            Self::DcganDiscriminator(_) => "dcgan-discriminator",
            Self::SrganGenerator(_) => "srgan-generator",
            Self::SrganDiscriminator(_) => "srgan-discriminator",
            Self::MonaiGenerator(_) => "monai-generator",
            Self::Text(c) => c.name(),
        }
    }

    /// What goes in.
    pub fn takes(&self) -> Takes {
        let nd = |dims: usize, n: usize| if dims == 3 { Takes::Volume(n) } else { Takes::Plane(n) };
        match self {
            Self::Unet2d(c) => Takes::Plane(c.inputs),
            Self::Resnet(c) => Takes::Plane(c.inputs),
            Self::Vgg(c) => Takes::Plane(c.inputs),
            Self::Densenet(c) => Takes::Plane(c.inputs),
            Self::Googlenet(c) | Self::InceptionV3(c) => Takes::Plane(c.inputs),
            Self::FcnResnet(c) => Takes::Plane(c.inputs),
            Self::UnetPlane(c) => Takes::Plane(c.inputs),
            Self::Autoencoder(c) => Takes::Plane(c.inputs),
            Self::ResidualCnn(c) => Takes::Plane(c.inputs),
            Self::Meshnet(_) => Takes::Volume(1),
            Self::MonaiUnet(c) => nd(c.dims, c.inputs),
            Self::Segresnet(c) => nd(c.dims, c.inputs),
            Self::FasterRcnn(c) | Self::MaskRcnn(c) => Takes::Plane(c.inputs),
            Self::FastRcnn(c) => Takes::Plane(c.inputs),
            Self::Rcnn(c) => Takes::Plane(c.backbone.inputs()),
            Self::Ssd300(c) => Takes::Plane(c.inputs),
            Self::SsdLight(c) => Takes::Plane(c.inputs),
            Self::Darknet(c) => Takes::Plane(c.inputs()),
            Self::Yolox(c) => Takes::Plane(c.inputs),
            Self::ResnetAutoencoder(c) => Takes::Plane(c.inputs),
            Self::DcganGenerator(c) => Takes::Latent(c.latent),
            Self::DcganDiscriminator(c) => Takes::Plane(c.channels),
            Self::SrganGenerator(c) | Self::SrganDiscriminator(c) => Takes::Plane(c.channels),
            Self::MonaiGenerator(c) => Takes::Latent(c.latent),
            Self::Text(_) => Takes::Text,
        }
    }

    /// What comes out.
    pub fn answers(&self) -> Answer {
        match self {
            Self::Resnet(_) | Self::Vgg(_) | Self::Densenet(_) | Self::Googlenet(_) | Self::InceptionV3(_) => {
                Answer::Classes
            }
            Self::DcganDiscriminator(_) | Self::SrganDiscriminator(_) => Answer::Classes,
            Self::Unet2d(_) | Self::FcnResnet(_) | Self::UnetPlane(_) => Answer::Masks,
            Self::Meshnet(_) | Self::MonaiUnet(_) | Self::Segresnet(_) => Answer::Masks,
            Self::Autoencoder(c) => match c.gives {
                autoencoder::Gives::Masks => Answer::Masks,
                autoencoder::Gives::Image => Answer::Image,
            },
            Self::ResidualCnn(_) => Answer::Image,
            Self::FasterRcnn(_) | Self::MaskRcnn(_) | Self::Ssd300(_) | Self::SsdLight(_) => Answer::Boxes,
            Self::FastRcnn(_) | Self::Rcnn(_) | Self::Darknet(_) | Self::Yolox(_) => Answer::Boxes,
            Self::ResnetAutoencoder(_) | Self::DcganGenerator(_) => Answer::Image,
            Self::SrganGenerator(_) | Self::MonaiGenerator(_) => Answer::Image,
            Self::Text(_) => Answer::Text,
        }
    }

    /// Number of input channels.
    pub fn inputs(&self) -> usize {
        match self.takes() {
            Takes::Plane(n) | Takes::Volume(n) | Takes::Latent(n) => n,
            Takes::Text => 0,
        }
    }

    /// Number of labels; 0 where an image or text comes out.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Unet2d(c) => c.outputs,
            Self::Resnet(c) => c.outputs,
            Self::Vgg(c) => c.outputs,
            Self::Densenet(c) => c.outputs,
            Self::Googlenet(c) | Self::InceptionV3(c) => c.outputs,
            Self::FcnResnet(c) => c.outputs,
            Self::UnetPlane(c) => c.outputs,
            Self::Autoencoder(c) => match c.gives {
                autoencoder::Gives::Masks => c.outputs,
                autoencoder::Gives::Image => 0,
            },
            Self::Meshnet(c) => c.outputs,
            Self::MonaiUnet(c) => c.outputs,
            Self::Segresnet(c) => c.outputs,
            Self::FasterRcnn(c) | Self::MaskRcnn(c) => c.outputs,
            Self::FastRcnn(c) => c.outputs,
            Self::Rcnn(c) => c.outputs,
            Self::Ssd300(c) => c.outputs,
            Self::SsdLight(c) => c.outputs,
            Self::Darknet(c) => c.outputs,
            Self::Yolox(c) => c.outputs,
            Self::ResidualCnn(_) => 0,
            Self::DcganDiscriminator(_) | Self::SrganDiscriminator(_) => 1,
            Self::ResnetAutoencoder(_) | Self::DcganGenerator(_) => 0,
            Self::SrganGenerator(_) | Self::MonaiGenerator(_) | Self::Text(_) => 0,
        }
    }

    /// Whether the numbers make a network that takes an input of `rows` x `columns`; the reason where not.
    pub(crate) fn check(&self, rows: usize, columns: usize) -> Result<(), String> {
        match self {
            Self::Unet2d(c) => c.check(rows, columns),
            Self::Resnet(c) => c.check(),
            Self::Vgg(c) => c.check(),
            Self::Densenet(c) => c.check(),
            Self::Googlenet(c) | Self::InceptionV3(c) => c.check(),
            Self::FcnResnet(c) => c.check(),
            Self::UnetPlane(c) => c.check(rows, columns),
            Self::Autoencoder(c) => c.check(rows, columns),
            Self::ResidualCnn(c) => c.check(),
            Self::Meshnet(c) => c.check(),
            Self::MonaiUnet(c) => c.check(),
            Self::Segresnet(c) => c.check(),
            Self::FasterRcnn(c) | Self::MaskRcnn(c) => c.check(),
            Self::FastRcnn(c) => c.check(),
            Self::Rcnn(c) => c.check(),
            Self::Ssd300(c) => c.check(),
            Self::SsdLight(c) => c.check(),
            Self::Darknet(c) => c.check(),
            Self::Yolox(c) => c.check(),
            Self::ResnetAutoencoder(c) => c.check(),
            Self::DcganGenerator(c) | Self::DcganDiscriminator(c) => c.check(),
            Self::SrganGenerator(c) | Self::SrganDiscriminator(c) => c.check(),
            Self::MonaiGenerator(c) => c.check(),
            Self::Text(c) => c.check(),
        }
    }

    /// Name and shape of each tensor, in the order of the layers. The numbers were checked.
    pub fn shapes(&self) -> Shapes {
        if let Self::Unet2d(config) = self {
            return config.shapes();
        }
        if let Self::Text(net) = self {
            return net.shapes();
        }
        Params::list(|p| self.net(p)).unwrap_or_default()
    }

    /// Channels of the map behind a layer of a classifier, by the layer's name; none where it has no such layer.
    pub(crate) fn tap_channels(&self, tap: &str) -> Option<usize> {
        let numbered = |prefix: &str| tap.strip_prefix(prefix)?.parse::<usize>().ok()?.checked_sub(1);
        let of_head = |name: &str| {
            let shapes = self.shapes();
            shapes.iter().find(|(n, _)| n == name).and_then(|(_, shape)| shape.get(1).copied())
        };
        match self {
            Self::Resnet(c) if tap == "features" => c.layer_channels(3),
            Self::Resnet(c) => c.layer_channels(numbered("layer")?),
            Self::Vgg(c) if tap == "features" => c.stages.last()?.last().copied(),
            Self::Vgg(c) => c.stages.get(numbered("stage")?)?.last().copied(),
            Self::Densenet(_) if tap == "features" => of_head("classifier.weight"),
            Self::Googlenet(_) | Self::InceptionV3(_) if tap == "features" => of_head("fc.weight"),
            _ => None,
        }
    }

    pub(crate) fn net(&self, p: &Params<'_>) -> Result<Box<dyn Net>> {
        Ok(match self {
            Self::Unet2d(_) => return Err(Error::Tensor(candle_core::Error::Msg("built from tensors".into()))),
            Self::Resnet(c) => Box::new(resnet::ResNet::new(p, c)?),
            Self::Vgg(c) => Box::new(vgg::Vgg::new(p, c)?),
            Self::Densenet(c) => Box::new(densenet::DenseNet::new(p, c)?),
            Self::Googlenet(c) => Box::new(inception::Inception::googlenet(p, c)?),
            Self::InceptionV3(c) => Box::new(inception::Inception::v3(p, c)?),
            Self::FcnResnet(c) => Box::new(fcn::Fcn::new(p, c)?),
            Self::UnetPlane(c) => Box::new(unet_plane::PlaneUNet::new(p, c)?),
            Self::Autoencoder(c) => Box::new(autoencoder::Autoencoder::new(p, c)?),
            Self::ResidualCnn(c) => Box::new(residual::Residual::new(p, c)?),
            Self::Meshnet(c) => Box::new(meshnet::MeshNet::new(p, c)?),
            Self::MonaiUnet(c) => Box::new(monai::UNet::new(p, c)?),
            Self::Segresnet(c) => Box::new(monai::SegResNet::new(p, c)?),
            Self::FasterRcnn(c) => Box::new(faster::Faster::new(p, c, false)?),
            Self::MaskRcnn(c) => Box::new(faster::Faster::new(p, c, true)?),
            Self::FastRcnn(c) => Box::new(fast::Fast::new(p, c)?),
            Self::Rcnn(c) => Box::new(rcnn::Rcnn::new(p, c)?),
            Self::Ssd300(c) => Box::new(ssd::Ssd::new(p, c)?),
            Self::SsdLight(c) => Box::new(ssd_light::LightSsd::new(p, c)?),
            Self::Darknet(c) => Box::new(darknet::Darknet::new(p, c)?),
            Self::Yolox(c) => Box::new(yolox::Yolox::new(p, c)?),
            Self::ResnetAutoencoder(c) => Box::new(resnet_ae::ResNetAe::new(p, c)?),
            Self::DcganGenerator(c) => Box::new(gan::DcganGenerator::new(p, c)?),
            Self::DcganDiscriminator(c) => Box::new(gan::DcganDiscriminator::new(p, c)?),
            Self::SrganGenerator(c) => Box::new(gan::SrganGenerator::new(p, c)?),
            Self::SrganDiscriminator(c) => Box::new(gan::SrganDiscriminator::new(p, c)?),
            Self::MonaiGenerator(c) => Box::new(monai::Generator::new(p, c)?),
            Self::Text(c) => {
                return Err(Error::Text {
                    reason: format!("a model of the kind '{}' reads text, not images", c.name()),
                });
            }
        })
    }

    /// What a bias of this name starts from in a training.
    pub(crate) fn initial_bias(&self, name: &str) -> f32 {
        match self {
            // One cell in a hundred holds something (Lin et al. 2017): without it the empty cells drown the others.
            Self::Yolox(_) if name.contains("cls_preds") || name.contains("obj_preds") => -4.595,
            _ => 0.0,
        }
    }

    /// Sets what a file's names decide and the card left open.
    pub(crate) fn adapt(&mut self, names: &[&str]) {
        match self {
            Self::FasterRcnn(c) | Self::MaskRcnn(c) => c.adapt(names),
            Self::Text(c) => c.adapt(names),
            _ => {}
        }
    }

    /// The network's name of a tensor that older or other implementations name otherwise.
    pub(crate) fn rename(&self, name: &str) -> String {
        match self {
            Self::Densenet(_) => densenet::rename(name),
            Self::Vgg(_) => vgg::rename(name),
            Self::FasterRcnn(_) | Self::MaskRcnn(_) => faster::rename(name),
            Self::Meshnet(_) => meshnet::rename(name),
            Self::Text(c) => c.rename(name),
            // MONAI keeps torchvision's network as `features`.
            Self::InceptionV3(_) => name.strip_prefix("features.").unwrap_or(name).to_owned(),
            _ => name.to_owned(),
        }
    }

    /// Whether a tensor of the published files has no part in inference.
    pub(crate) fn ignores(&self, name: &str) -> bool {
        match self {
            Self::Googlenet(_) => name.starts_with("aux1.") || name.starts_with("aux2."),
            Self::InceptionV3(_) => name.starts_with("AuxLogits."),
            Self::FcnResnet(c) => !c.aux && name.starts_with("aux_classifier."),
            // TorchXRayVision keeps its operating points among the weights; a card holds them as thresholds.
            Self::Densenet(_) | Self::Resnet(_) => name == "op_threshs",
            Self::Text(c) => c.ignores(name),
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

    /// Makes the network from tensors under training; `statistics` gets what its batch norms saw.
    pub(crate) fn build_for_training(&self, tensors: &Tensors, statistics: &BatchStatistics) -> Result<Network> {
        Ok(match self {
            Self::Unet2d(config) => Network::Unet2d(UNet::new(config, tensors)?),
            _ => Network::Other(self.net(&Params::training(tensors, statistics))?),
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

    /// The classes' numbers from the activation `features`.
    pub(crate) fn head(&self, features: &Tensor) -> Option<Result<Tensor>> {
        match self {
            Self::Unet2d(_) => None,
            Self::Other(net) => net.head(features),
        }
    }

    /// The number of the largest label in each voxel, where the network can tell it in little memory.
    pub(crate) fn labels(&self, x: &Tensor, pass: &mut Pass<'_>) -> Option<Result<Vec<u16>>> {
        match self {
            Self::Unet2d(_) => None,
            Self::Other(net) => net.labels(x, pass),
        }
    }

    /// A detector on given regions; none where it takes none.
    pub(crate) fn run_on(&self, x: &Tensor, regions: &[[f32; 4]], pass: &mut Pass<'_>) -> Option<Result<Output>> {
        match self {
            Self::Unet2d(_) => None,
            Self::Other(net) => net.forward_on(x, regions, pass),
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
