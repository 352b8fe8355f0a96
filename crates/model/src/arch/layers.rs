//! Layers that the architectures share: [`ops`] are the plain operations, [`block`] the layers with their weights.
//!
//! The ones of this file are trained here. They use only operations whose gradients are right in candle 0.11.1: its `max_pool2d` gradient is a quarter of the truth
//! and `upsample_nearest2d` overwrites what other consumers added, so networks here go down by strided
//! convolutions and up by transposed ones.

pub mod block;
pub mod ops;

use super::Tensors;
use crate::kernels::ConvOp;
use crate::{Error, Result};
use candle_core::Tensor;

/// The tensor `name`; callers have checked names and shapes, so a missing one is a fault of the architecture.
fn tensor(tensors: &Tensors, name: String) -> Result<Tensor> {
    tensors.get(&name).cloned().ok_or_else(|| Error::Tensor(candle_core::Error::CannotFindTensor { path: name }.bt()))
}

/// Convolution with bias and, where asked for, ReLU.
#[derive(Debug, Clone)]
pub struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
    relu: bool,
    first: bool,
}

impl Conv {
    /// Takes `NAME.weight` (`[out, in, k, k]`) and `NAME.bias` (`[out]`); padding k / 2.
    pub fn new(tensors: &Tensors, name: &str, stride: usize, relu: bool) -> Result<Self> {
        let weight = tensor(tensors, format!("{name}.weight"))?;
        let bias = tensor(tensors, format!("{name}.bias"))?;
        Ok(Self { weight, bias, stride, relu, first: false })
    }

    /// Says that nothing below needs a gradient, which saves computing it.
    #[must_use]
    pub fn first(mut self) -> Self {
        self.first = true;
        self
    }

    /// `[batch, in, rows, columns]` to `[batch, out, rows / stride, columns / stride]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let padding = self.weight.dim(2)? / 2;
        if x.device().is_cpu() {
            let op = ConvOp { stride: self.stride, padding, relu: self.relu, needs_grad_x: !self.first };
            return Ok(op.forward(x, &self.weight, &self.bias)?);
        }
        // No own kernels on other devices.
        let y = x.conv2d(&self.weight, padding, self.stride, 1, 1)?;
        let y = y.broadcast_add(&self.bias.reshape((1, (), 1, 1))?)?;
        Ok(if self.relu { y.relu()? } else { y })
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
