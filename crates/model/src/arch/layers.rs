//! Layers that the architectures share: [`ops`] are the plain operations, [`block`] the layers with their weights; the ones
//! of this file are trained here.
//!
//! On the CPU they run on `lightbox-kernels`, whose gradients replace candle's (two of which are wrong in 0.11.1).

pub mod block;
pub mod ops;

use super::Tensors;
use crate::{Error, Result};
use candle_core::Tensor;
use lightbox_kernels::{Act, ConvSpec, ops as kernels};

/// The tensor `name`; callers have checked names and shapes, so a missing one is a fault of the architecture.
fn tensor(tensors: &Tensors, name: String) -> Result<Tensor> {
    tensors.get(&name).cloned().ok_or_else(|| Error::Tensor(candle_core::Error::CannotFindTensor { path: name }.bt()))
}

/// Convolution with bias and, where asked for, ReLU.
#[derive(Debug, Clone)]
pub struct Conv {
    layer: kernels::ConvLayer,
}

impl Conv {
    /// Takes `NAME.weight` (`[out, in, k, k]`) and `NAME.bias` (`[out]`); padding k / 2.
    pub fn new(tensors: &Tensors, name: &str, stride: usize, relu: bool) -> Result<Self> {
        let weight = tensor(tensors, format!("{name}.weight"))?;
        let bias = tensor(tensors, format!("{name}.bias"))?;
        let padding = weight.dim(2)? / 2;
        let act = if relu { Act::Relu } else { Act::None };
        Ok(Self { layer: kernels::ConvLayer::new(weight, Some(bias), ConvSpec::d2(stride, padding), act) })
    }

    /// `[batch, in, rows, columns]` to `[batch, out, rows / stride, columns / stride]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.layer.forward(x)?)
    }
}

/// Transposed convolution 2 x 2, stride 2: doubles rows and columns.
///
/// Without overlap it is a 1 x 1 convolution to 4 x out channels whose results are laid out in 2 x 2 blocks, which
/// has exact gradients through reshape and permute.
#[derive(Debug, Clone)]
pub struct Up {
    conv: Conv,
}

impl Up {
    /// Takes `NAME.weight` (`[out * 4, in, 1, 1]`, row `4 * channel + 2 * dy + dx`) and `NAME.bias` (`[out * 4]`).
    pub fn new(tensors: &Tensors, name: &str, relu: bool) -> Result<Self> {
        Ok(Self { conv: Conv::new(tensors, name, 1, relu)? })
    }

    /// `[batch, in, rows, columns]` to `[batch, out, 2 rows, 2 columns]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.conv.forward(x)?;
        let (batch, channels, rows, columns) = y.dims4()?;
        let out = channels / 4;
        Ok(y.reshape(&[batch, out, 2, 2, rows, columns][..])?.permute([0, 1, 4, 2, 5, 3])?.reshape((
            batch,
            out,
            2 * rows,
            2 * columns,
        ))?)
    }
}
