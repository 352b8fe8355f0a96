//! The same nets on candle's own operations.

use crate::elementwise::Map;
use crate::gemm::Act;
use crate::graph::{BatchNorm, Flow};
use crate::ops::{ConvLayer, ConvTransposedLayer, LinearLayer, Pool, PoolKind, Resize};
use candle_core::{D, Result, Tensor, bail};

/// candle, layer by layer; in training batch norms use the batch's statistics.
pub(super) struct Own {
    pub(super) train: bool,
}

fn act(y: Tensor, act: Act) -> Result<Tensor> {
    match act {
        Act::None => Ok(y),
        Act::Relu => y.relu(),
        _ => bail!("the benchmark's nets have no other activation"),
    }
}

fn biased(y: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(b) => y.broadcast_add(&b.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

impl Flow for Own {
    type T = Tensor;

    fn conv(&mut self, l: &ConvLayer, x: &Tensor) -> Result<Tensor> {
        if x.rank() != 4 {
            bail!("candle has no convolution over three axes");
        }
        let s = l.spec;
        let y = x.conv2d(&l.weight, s.padding[1], s.stride[1], s.dilation[1], s.groups)?;
        act(biased(y, l.bias.as_ref())?, l.act)
    }
    fn conv_transposed(&mut self, l: &ConvTransposedLayer, x: &Tensor) -> Result<Tensor> {
        let s = l.spec;
        let y = x.conv_transpose2d(&l.weight, s.padding[1], 0, s.stride[1], s.dilation[1])?;
        act(biased(y, l.bias.as_ref())?, l.act)
    }
    fn batch_norm(&mut self, l: &BatchNorm, x: &Tensor) -> Result<Tensor> {
        let wide = |t: &Tensor| t.reshape((1, (), 1, 1));
        let (mean, var) = if self.train {
            let mean = x.mean_keepdim((0, 2, 3))?;
            let var = x.broadcast_sub(&mean)?.sqr()?.mean_keepdim((0, 2, 3))?;
            (mean, var)
        } else {
            (wide(&l.mean)?, wide(&l.variance)?)
        };
        let y = x.broadcast_sub(&mean)?.broadcast_div(&(var + l.eps)?.sqrt()?)?;
        y.broadcast_mul(&wide(&l.weight)?)?.broadcast_add(&wide(&l.bias)?)
    }
    fn map(&mut self, map: Map, x: &Tensor) -> Result<Tensor> {
        match map {
            Map::Act(a) => act(x.clone(), a),
            _ => bail!("the benchmark's nets have no other activation"),
        }
    }
    fn add(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a + b
    }
    fn cat(&mut self, parts: &[Tensor]) -> Result<Tensor> {
        Tensor::cat(parts, 1)
    }
    fn pool(&mut self, pool: Pool, kind: PoolKind, x: &Tensor) -> Result<Tensor> {
        match (pool, kind) {
            (Pool::Adaptive([1, 1, 1]), PoolKind::Average) => x.mean_keepdim(D::Minus1)?.mean_keepdim(D::Minus2),
            (Pool::Windows { kernel: [1, k, _], stride: [_, s, _], padding: [_, p, _], .. }, PoolKind::Max) => {
                // After a ReLU a border of zeros never wins against what a border of -inf would.
                let x = if p > 0 { x.pad_with_zeros(2, p, p)?.pad_with_zeros(3, p, p)? } else { x.clone() };
                x.max_pool2d_with_stride(k, s)
            }
            _ => bail!("candle has no such pool"),
        }
    }
    fn upsample(&mut self, factor: usize, how: Resize, x: &Tensor) -> Result<Tensor> {
        let (_, _, h, w) = x.dims4()?;
        match how {
            Resize::Nearest => x.upsample_nearest2d(h * factor, w * factor),
            Resize::Linear { .. } => bail!("the benchmark's nets upsample to the nearest"),
        }
    }
    fn linear(&mut self, l: &LinearLayer, x: &Tensor) -> Result<Tensor> {
        x.flatten_from(1)?.matmul(&l.weight.t()?)?.broadcast_add(&l.bias)
    }
}
