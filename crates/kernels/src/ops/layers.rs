//! Pools, resizing, activations, softmax, linear layers, RoIAlign.

use super::conv::trains;
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
use std::sync::{Arc, OnceLock};

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

/// A linear layer with its weights, packed once where nothing is trained.
#[derive(Clone)]
pub struct LinearLayer {
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
    pub(crate) act: Act,
    packed: Arc<OnceLock<Linear>>,
}

impl std::fmt::Debug for LinearLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinearLayer({:?}, {:?})", self.weight.shape(), self.act)
    }
}

impl LinearLayer {
    /// As for [`linear`].
    pub fn new(weight: Tensor, bias: Tensor, act: Act) -> Self {
        Self { weight, bias, act, packed: Arc::default() }
    }

    /// As [`linear`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if !x.device().is_cpu() || trains(&[Some(x), Some(&self.weight), Some(&self.bias)]) {
            return linear(x, &self.weight, &self.bias, self.act);
        }
        check_linear(x.dims(), self.weight.dims(), self.bias.elem_count())?;
        let ((m, k), n) = (rows(x.dims()), self.weight.dim(0)?);
        if self.packed.get().is_none() {
            let new = with(&self.weight, |w| Ok(Linear::new(k, n, w)))?;
            self.packed.get_or_init(|| new);
        }
        let Some(packed) = self.packed.get() else { bail!("a layer without weights") };
        let y =
            with(&self.bias, |b| with(x, |x| packed.forward(x, m, Extra { bias: Some(b), act: self.act, res: None })))?;
        let mut dims = x.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = n;
        }
        tensor(y, dims)
    }
}
