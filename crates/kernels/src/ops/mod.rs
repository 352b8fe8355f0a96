//! What models call: candle tensors in, candle tensors out, with gradients.
//!
//! On the CPU these run on the kernels; on other devices on candle's own operations where it has the same, else on the
//! CPU and back. `Tensor::backward` works through all of them; gradients carry no graph of their own (no second
//! derivatives).

mod bytes;
mod conv;
mod custom;
mod layers;
mod norm;
pub(crate) mod shape;

pub use crate::elementwise::Map;
pub use crate::norm::Norm;
pub use crate::pooling::{Pool, PoolKind};
pub use crate::roi::RoiAlign;
pub use crate::upsample::Resize;
pub use bytes::{ConvBytesLayer, LinearBytesLayer};
pub use conv::{ConvLayer, ConvTransposedLayer, conv, conv_transposed};
pub use layers::{LinearLayer, add, linear, map, pool, resize, roi_align, softmax};
pub use norm::{batch_statistics, layer_norm, norm};

#[cfg(test)]
mod tests;
