//! Pools, resizing, activations, softmax, linear layers, RoIAlign.

use super::custom::{apply1, apply2, apply3, grad_like};
use super::shape::{Image, on_cpu, tensor, with};
use crate::conv::Extra;
use crate::elementwise::{self, Map};
use crate::gemm::Act;
use crate::linear::Linear;
use crate::pooling::{self, Pool, PoolKind};
use crate::roi::RoiAlign;
use crate::upsample::{self, Resize};
use candle_core::{Device, Result, Tensor, bail};

/// A pool over rows and columns, or depth, rows and columns.
///
/// # Shapes
/// - `x`: `[batch, channels, (depth,) rows, columns]`; output the same with the pool's dimensions
pub fn pool(x: &Tensor, pool: Pool, kind: PoolKind) -> Result<Tensor> {
    on_cpu(x, |x| {
        apply1(
            "lightbox-pool",
            x,
            move |(x, s)| {
                let image = Image::of(s)?;
                let (y, out) = pooling::forward(&pool, kind, x, image.planes(), image.dims)?;
                Ok((y, image.with(image.channels, out)))
            },
            move |x, _, g| {
                let image = Image::of(x.shape())?;
                let back = |x: &[f32], g: &[f32]| pooling::backward(&pool, kind, x, g, image.planes(), image.dims);
                grad_like(with(x, |xs| with(g, |g| back(xs, g)))?, x)
            },
        )
    })
}

/// Resizes to `to` (depth, rows, columns; depth 1 for a plane image).
pub fn resize(x: &Tensor, to: [usize; 3], how: Resize) -> Result<Tensor> {
    on_cpu(x, |x| {
        apply1(
            "lightbox-resize",
            x,
            move |(x, s)| {
                let image = Image::of(s)?;
                let y = upsample::forward(how, x, image.planes(), image.dims, to)?;
                Ok((y, image.with(image.channels, to)))
            },
            move |x, _, g| {
                let image = Image::of(x.shape())?;
                grad_like(with(g, |g| upsample::backward(how, g, image.planes(), image.dims, to))?, x)
            },
        )
    })
}

/// An activation of every number.
pub fn map(x: &Tensor, map: Map) -> Result<Tensor> {
    on_cpu(x, |x| {
        apply1(
            "lightbox-map",
            x,
            move |(x, s)| Ok((elementwise::map(map, x)?, s.clone())),
            move |x, y, g| {
                let back = |x: &[f32], y: &[f32], g: &[f32]| elementwise::map_backward(map, x, y, g);
                grad_like(with(x, |xs| with(y, |y| with(g, |g| back(xs, y, g))))?, x)
            },
        )
    })
}

/// `act(a + b)` for two tensors of one shape.
pub fn add(a: &Tensor, b: &Tensor, act: Act) -> Result<Tensor> {
    if a.shape() != b.shape() {
        bail!("add: {:?} and {:?} differ", a.shape(), b.shape());
    }
    let b = b.to_device(&Device::Cpu)?;
    on_cpu(a, |a| {
        apply2(
            "lightbox-add",
            [a, &b],
            move |(a, s), (b, _)| Ok((elementwise::add(act, a, b)?, s.clone())),
            move |[a, _], y, g| {
                let g = if act == Act::None {
                    g.clone()
                } else {
                    let v = with(y, |y| with(g, |g| elementwise::map_backward(Map::Act(act), y, y, g)))?;
                    tensor(v, a.shape())?
                };
                Ok([Some(g.clone()), Some(g)])
            },
        )
    })
}

/// Softmax along a dimension.
pub fn softmax(x: &Tensor, dim: usize) -> Result<Tensor> {
    let d = x.dims();
    if dim >= d.len() {
        bail!("softmax: {d:?} has no dimension {dim}");
    }
    let shape = (d[..dim].iter().product(), d[dim], d[dim + 1..].iter().product());
    on_cpu(x, |x| {
        apply1(
            "lightbox-softmax",
            x,
            move |(x, s)| Ok((elementwise::softmax(x, shape)?, s.clone())),
            move |x, y, g| grad_like(with(y, |y| with(g, |g| elementwise::softmax_backward(y, g, shape)))?, x),
        )
    })
}

/// Boxes of any size as grids of one size. The boxes (`[n, 5]`: image, x0, y0, x1, y1) get no gradient.
pub fn roi_align(x: &Tensor, boxes: &Tensor, roi: RoiAlign) -> Result<Tensor> {
    let (n, _) = boxes.dims2()?;
    let boxes = boxes.to_device(&Device::Cpu)?.detach();
    on_cpu(x, |x| {
        apply2(
            "lightbox-roi-align",
            [x, &boxes],
            move |(x, s), (boxes, _)| {
                let (b, c, h, w) = s.dims4()?;
                Ok((roi.forward(x, [b, c, h, w], boxes)?, (n, c, roi.size[0], roi.size[1]).into()))
            },
            move |[x, boxes], _, g| {
                let (b, c, h, w) = x.dims4()?;
                let v = with(boxes, |boxes| with(g, |g| roi.backward(g, [b, c, h, w], boxes)))?;
                Ok([grad_like(v, x)?, None])
            },
        )
    })
}

/// Rows and features of `[..., features]`.
fn rows(dims: &[usize]) -> (usize, usize) {
    let k = dims.last().copied().unwrap_or(1);
    (dims[..dims.len().saturating_sub(1)].iter().product(), k)
}

fn check_linear(x: &[usize], w: &[usize], bias: usize) -> Result<()> {
    if w.len() != 2 || x.last() != w.last() || bias != w[0] {
        bail!("linear: input {x:?}, weight {w:?} and a bias of {bias} do not fit together");
    }
    Ok(())
}

/// `x W' + b`, then the activation, with gradients for all three.
///
/// # Shapes
/// - `x`: `[..., features_in]`, `weight`: `[features_out, features_in]`, `bias`: `[features_out]`
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, act: Act) -> Result<Tensor> {
    if !x.device().is_cpu() {
        let (m, k) = rows(x.dims());
        let y = x.reshape((m, k))?.matmul(&weight.t()?)?.broadcast_add(bias)?;
        let mut dims = x.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = weight.dim(0)?;
        }
        return map(&y.reshape(dims)?, Map::Act(act));
    }
    apply3(
        "lightbox-linear",
        [x, weight, bias],
        move |(x, xs), (w, ws), (b, bs)| {
            check_linear(xs.dims(), ws.dims(), bs.elem_count())?;
            let (m, k) = rows(xs.dims());
            let n = ws.dims()[0];
            let y = Linear::new(k, n, w).forward(x, m, Extra { bias: Some(b), act, res: None })?;
            let mut dims = xs.dims().to_vec();
            if let Some(last) = dims.last_mut() {
                *last = n;
            }
            Ok((y, dims.into()))
        },
        move |[x, w, b], y, g| {
            let (m, k) = rows(x.dims());
            let n = w.dim(0)?;
            let g = match act {
                Act::None => g.contiguous()?,
                _ => {
                    let v = with(y, |y| with(g, |g| elementwise::map_backward(Map::Act(act), y, y, g)))?;
                    tensor(v, y.shape())?
                }
            }
            .reshape((m, n))?;
            let gx = g.matmul(w)?.reshape(x.shape())?;
            let gw = g.t()?.matmul(&x.contiguous()?.reshape((m, k))?)?;
            let gb = g.sum(0)?.reshape(b.shape())?;
            Ok([Some(gx), Some(gw), Some(gb)])
        },
    )
}

/// A linear layer for inference, with weights packed once.
pub struct LinearLayer {
    packed: Linear,
    bias: Vec<f32>,
    act: Act,
}

impl LinearLayer {
    /// As for [`linear`].
    pub fn new(weight: &Tensor, bias: &Tensor, act: Act) -> Result<Self> {
        let (n, k) = weight.dims2()?;
        check_linear(&[k], weight.dims(), bias.elem_count())?;
        let cpu = |t: &Tensor| t.detach().to_device(&Device::Cpu);
        let packed = with(&cpu(weight)?, |w| Ok(Linear::new(k, n, w)))?;
        let bias = with(&cpu(bias)?, |b| Ok(b.to_vec()))?;
        Ok(Self { packed, bias, act })
    }

    /// As [`linear`], without a graph.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        on_cpu(x, |x| {
            let (m, k) = rows(x.dims());
            if k != self.packed.k {
                bail!("linear: input {:?} does not have {} features", x.shape(), self.packed.k);
            }
            let extra = Extra { bias: Some(&self.bias), act: self.act, res: None };
            let y = with(x, |x| self.packed.forward(x, m, extra))?;
            let mut dims = x.dims().to_vec();
            if let Some(last) = dims.last_mut() {
                *last = self.packed.n;
            }
            tensor(y, dims)
        })
    }
}
