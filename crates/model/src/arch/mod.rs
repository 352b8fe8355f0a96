//! Architectures, one file each.

pub mod layers;
pub mod unet;

use crate::Result;
use crate::run::RunCx;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use unet::{UNet, UNetConfig};

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// A network's kind and its free numbers, as in a card or a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Architecture {
    /// A plane U-Net, [`unet`].
    Unet2d(UNetConfig),
}

impl Architecture {
    /// The name in cards.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unet2d(_) => "unet2d",
        }
    }

    /// Number of input channels.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Unet2d(config) => config.inputs,
        }
    }

    /// Number of output channels.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Unet2d(config) => config.outputs,
        }
    }

    /// Number of trained numbers.
    pub fn parameters(&self) -> usize {
        self.shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Whether the numbers make a network that takes an input of `rows` x `columns`; the reason where not.
    pub(crate) fn check(&self, rows: usize, columns: usize) -> Result<(), String> {
        match self {
            Self::Unet2d(config) => config.check(rows, columns),
        }
    }

    /// Name and shape of each tensor, in the order of the layers.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        match self {
            Self::Unet2d(config) => config.shapes(),
        }
    }

    /// Makes the network from tensors whose names and shapes were checked.
    pub(crate) fn build(&self, tensors: &Tensors) -> Result<Network> {
        Ok(match self {
            Self::Unet2d(config) => Network::Unet2d(UNet::new(config, tensors)?),
        })
    }
}

/// A network ready to run.
pub(crate) enum Network {
    Unet2d(UNet),
}

impl Network {
    /// `x`: `[batch, inputs, rows, columns]`; result: logits `[batch, outputs, rows, columns]`.
    pub(crate) fn forward(&self, x: &Tensor, cx: &RunCx<'_>) -> Result<Tensor> {
        match self {
            Self::Unet2d(net) => net.forward(x, cx),
        }
    }
}
