//! Models written once: run layer by layer with gradients, or fused into a plan with its memory laid out beforehand.
//!
//! A model's `forward` takes a [`Flow`] and calls its layers. With [`Eager`] every call computes a tensor, on any device,
//! with a graph where something is trained. With [`Plan::new`] the same `forward` is recorded once; batch norms are folded
//! into the convolutions before them, activations and residual sums ride along, concatenations disappear because their
//! parts are written where they belong, and all results share one block of memory.

mod execute;
mod fuse;
mod memory;

use crate::elementwise::Map;
use crate::gemm::Act;
use crate::ops::{self, ConvLayer, ConvTransposedLayer, LinearLayer, Norm, Pool, PoolKind, Resize};
use candle_core::{Result, Tensor, Var, bail};

pub use execute::Plan;

/// What a model's layers are called on.
pub trait Flow {
    /// A value between layers.
    type T: Clone;
    /// A convolution.
    fn conv(&mut self, layer: &ConvLayer, x: &Self::T) -> Result<Self::T>;
    /// A transposed convolution.
    fn conv_transposed(&mut self, layer: &ConvTransposedLayer, x: &Self::T) -> Result<Self::T>;
    /// A batch norm.
    fn batch_norm(&mut self, layer: &BatchNorm, x: &Self::T) -> Result<Self::T>;
    /// An activation.
    fn map(&mut self, map: Map, x: &Self::T) -> Result<Self::T>;
    /// A sum of two values of one shape.
    fn add(&mut self, a: &Self::T, b: &Self::T) -> Result<Self::T>;
    /// Channels of several values one after the other.
    fn cat(&mut self, parts: &[Self::T]) -> Result<Self::T>;
    /// A pool.
    fn pool(&mut self, pool: Pool, kind: PoolKind, x: &Self::T) -> Result<Self::T>;
    /// Every spatial axis `factor` times as long.
    fn upsample(&mut self, factor: usize, how: Resize, x: &Self::T) -> Result<Self::T>;
    /// A linear layer over all numbers of an image.
    fn linear(&mut self, layer: &LinearLayer, x: &Self::T) -> Result<Self::T>;
    /// `max(0, x)`.
    fn relu(&mut self, x: &Self::T) -> Result<Self::T> {
        self.map(Map::Act(Act::Relu), x)
    }
}

/// A batch norm with its running averages.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// Scale of each channel.
    pub weight: Tensor,
    /// Shift of each channel.
    pub bias: Tensor,
    /// Running mean.
    pub mean: Var,
    /// Running variance.
    pub variance: Var,
    /// Added to the variance.
    pub eps: f64,
    /// Share of a new batch in the running averages.
    pub momentum: f64,
}

impl BatchNorm {
    /// Scale and shift with the running averages: `x * scale + shift`. Not rounded yet, since they may be folded.
    fn affine(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let get = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
        let (w, b) = (get(&self.weight)?, get(&self.bias)?);
        let (m, v) = (get(&self.mean)?, get(&self.variance)?);
        if [b.len(), m.len(), v.len()] != [w.len(); 3] {
            bail!("a batch norm of {} scales, {} shifts, {} means, {} variances", w.len(), b.len(), m.len(), v.len());
        }
        let scale: Vec<f64> =
            w.iter().zip(&v).map(|(w, v)| f64::from(*w) / (f64::from(*v) + self.eps).sqrt()).collect();
        let shift = scale.iter().zip(&m).zip(&b).map(|((s, m), b)| f64::from(*b) - s * f64::from(*m)).collect();
        Ok((scale, shift))
    }
}

/// Computes every layer at once.
#[derive(Clone, Copy, Debug)]
pub struct Eager {
    /// Whether batch norms use the batch's own statistics and take them into their running averages.
    pub train: bool,
}

impl Flow for Eager {
    type T = Tensor;

    fn conv(&mut self, layer: &ConvLayer, x: &Tensor) -> Result<Tensor> {
        layer.forward(x)
    }
    fn conv_transposed(&mut self, layer: &ConvTransposedLayer, x: &Tensor) -> Result<Tensor> {
        layer.forward(x)
    }
    fn batch_norm(&mut self, layer: &BatchNorm, x: &Tensor) -> Result<Tensor> {
        if self.train {
            let (mean, variance) = ops::batch_statistics(x)?;
            // The running variance is an estimate: n / (n - 1) of the batch's own.
            let n = (x.elem_count() / mean.len().max(1)) as f64;
            let keep = |var: &Var, new: Vec<f32>, factor: f64| {
                let new = (Tensor::from_vec(new, var.shape(), var.device())? * (layer.momentum * factor))?;
                var.set(&((var.as_tensor() * (1.0 - layer.momentum))? + new)?)
            };
            keep(&layer.mean, mean, 1.0)?;
            keep(&layer.variance, variance, if n > 1.0 { n / (n - 1.0) } else { 1.0 })?;
            return ops::norm(x, &layer.weight, &layer.bias, Norm::Batch, layer.eps);
        }
        let (scale, shift) = layer.affine()?;
        let mut dims = vec![1; x.rank()];
        dims[1] = scale.len();
        let like = |v: Vec<f64>| Tensor::from_vec(v, dims.clone(), x.device())?.to_dtype(x.dtype());
        x.broadcast_mul(&like(scale)?)?.broadcast_add(&like(shift)?)
    }
    fn map(&mut self, map: Map, x: &Tensor) -> Result<Tensor> {
        ops::map(x, map)
    }
    fn add(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        ops::add(a, b, Act::None)
    }
    fn cat(&mut self, parts: &[Tensor]) -> Result<Tensor> {
        Tensor::cat(parts, 1)
    }
    fn pool(&mut self, pool: Pool, kind: PoolKind, x: &Tensor) -> Result<Tensor> {
        ops::pool(x, pool, kind)
    }
    fn upsample(&mut self, factor: usize, how: Resize, x: &Tensor) -> Result<Tensor> {
        let mut to = [1; 3];
        let axes = x.rank().saturating_sub(2).min(3);
        for a in 0..axes {
            to[3 - axes + a] = x.dim(2 + a)?.saturating_mul(factor);
        }
        ops::resize(x, to, how)
    }
    fn linear(&mut self, layer: &LinearLayer, x: &Tensor) -> Result<Tensor> {
        layer.forward(&x.flatten_from(1)?)
    }
}

/// A recorded layer.
#[derive(Clone, Debug)]
enum Op {
    Input,
    Conv(ConvLayer),
    ConvTransposed(ConvTransposedLayer),
    /// `x * scale + shift`, channel by channel.
    Affine(Vec<f64>, Vec<f64>, Act),
    Map(Map),
    Add(Act),
    Cat,
    Pool(Pool, PoolKind),
    Upsample(usize, Resize),
    Linear(LinearLayer),
}

/// A layer and the numbers of those that it takes from. A convolution with two takes the second as residual.
#[derive(Clone, Debug)]
struct Node {
    op: Op,
    from: Vec<usize>,
}

/// Records a model.
#[derive(Debug, Default)]
pub struct Recorder {
    nodes: Vec<Node>,
}

impl Recorder {
    fn push(&mut self, op: Op, from: Vec<usize>) -> Result<usize> {
        self.nodes.push(Node { op, from });
        Ok(self.nodes.len() - 1)
    }
}

impl Flow for Recorder {
    type T = usize;

    fn conv(&mut self, layer: &ConvLayer, x: &usize) -> Result<usize> {
        self.push(Op::Conv(layer.clone()), vec![*x])
    }
    fn conv_transposed(&mut self, layer: &ConvTransposedLayer, x: &usize) -> Result<usize> {
        self.push(Op::ConvTransposed(layer.clone()), vec![*x])
    }
    fn batch_norm(&mut self, layer: &BatchNorm, x: &usize) -> Result<usize> {
        let (scale, shift) = layer.affine()?;
        self.push(Op::Affine(scale, shift, Act::None), vec![*x])
    }
    fn map(&mut self, map: Map, x: &usize) -> Result<usize> {
        self.push(Op::Map(map), vec![*x])
    }
    fn add(&mut self, a: &usize, b: &usize) -> Result<usize> {
        self.push(Op::Add(Act::None), vec![*a, *b])
    }
    fn cat(&mut self, parts: &[usize]) -> Result<usize> {
        self.push(Op::Cat, parts.to_vec())
    }
    fn pool(&mut self, pool: Pool, kind: PoolKind, x: &usize) -> Result<usize> {
        self.push(Op::Pool(pool, kind), vec![*x])
    }
    fn upsample(&mut self, factor: usize, how: Resize, x: &usize) -> Result<usize> {
        self.push(Op::Upsample(factor, how), vec![*x])
    }
    fn linear(&mut self, layer: &LinearLayer, x: &usize) -> Result<usize> {
        self.push(Op::Linear(layer.clone()), vec![*x])
    }
}

#[cfg(test)]
mod tests;
