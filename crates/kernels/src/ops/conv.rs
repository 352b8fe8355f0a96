//! Convolutions as candle ops, and layers that keep their packed weights.

use super::custom::{Arg, apply2, apply3, grad_like};
use super::shape::{Image, on_cpu, tensor, with};
use crate::conv::{Conv, ConvTransposed, Extra};
use crate::elementwise::{self, Map};
use crate::gemm::Act;
use crate::grad;
use crate::spec::ConvSpec;
use candle_core::{Device, Result, Shape, Tensor, bail};
use std::sync::{Arc, OnceLock};

fn forward(spec: ConvSpec, act: Act, (x, xs): Arg, (w, ws): Arg, bias: Option<&[f32]>) -> Result<(Vec<f32>, Shape)> {
    let image = Image::of(xs)?;
    let (c_out, ci, kernel) = image.kernel(ws)?;
    if ci.checked_mul(spec.groups) != Some(image.channels) || bias.is_some_and(|b| b.len() != c_out) {
        let bias = bias.map(<[f32]>::len);
        bail!("conv: input {xs:?}, weight {ws:?}, {} groups, bias {bias:?} do not fit together", spec.groups);
    }
    let conv = Conv::new(spec, kernel, image.channels, c_out, w.len())?.once();
    let (y, dims) = conv.forward(w, image.input(x), Extra { bias, act, res: None })?;
    Ok((y, image.with(c_out, dims)))
}

/// Gradient before the activation that the layer took along.
fn before_act(act: Act, y: &Tensor, g: &Tensor) -> Result<Tensor> {
    if act == Act::None {
        return Ok(g.clone());
    }
    let values = with(y, |y| with(g, |g| elementwise::map_backward(Map::Act(act), y, y, g)))?;
    tensor(values, y.shape())
}

/// Gradients of input and weight; none for what nothing below needs.
fn backward(spec: ConvSpec, x: &Tensor, w: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 2]> {
    let (image, out) = (Image::of(x.shape())?, Image::of(g.shape())?);
    let (c_out, _, kernel) = image.kernel(w.shape())?;
    let channels = (image.channels, c_out);
    with(g, |g| {
        let gx = if x.track_op() {
            let v = with(w, |w| grad::conv_input(&spec, kernel, channels, w, out.input(g), image.dims))?;
            grad_like(v, x)?
        } else {
            None
        };
        let gw = if w.track_op() {
            let v = with(x, |x| grad::conv_weight(&spec, kernel, channels, image.input(x), out.input(g)))?;
            grad_like(v, w)?
        } else {
            None
        };
        Ok([gx, gw])
    })
}

fn bias_grad(bias: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
    if !bias.track_op() {
        return Ok(None);
    }
    let image = Image::of(g.shape())?;
    let sums = with(g, |g| grad::channel_sums(g, image.batch, image.channels, image.pixels()))?;
    grad_like(sums, bias)
}

/// Convolution, bias and activation in one step, with gradients for input, weight and bias.
///
/// # Shapes
/// - `x`: `[batch, channels_in, (depth,) rows, columns]`
/// - `weight`: `[channels_out, channels_in / groups, (kernel_depth,) kernel_rows, kernel_columns]`
/// - `bias`: `[channels_out]`
/// - output: `[batch, channels_out, (depth_out,) rows_out, columns_out]`
pub fn conv(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, spec: ConvSpec, act: Act) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return elsewhere(x, weight, bias, spec, act);
    }
    match bias {
        Some(bias) => apply3(
            "lightbox-conv",
            [x, weight, bias],
            move |x, w, b| forward(spec, act, x, w, Some(b.0)),
            move |[x, w, b], y, g| {
                let g = before_act(act, y, g)?;
                let [gx, gw] = backward(spec, x, w, &g)?;
                Ok([gx, gw, bias_grad(b, &g)?])
            },
        ),
        None => apply2(
            "lightbox-conv",
            [x, weight],
            move |x, w| forward(spec, act, x, w, None),
            move |[x, w], y, g| backward(spec, x, w, &before_act(act, y, g)?),
        ),
    }
}

fn apply_act(y: Tensor, act: Act) -> Result<Tensor> {
    match act {
        Act::None => Ok(y),
        Act::Relu => y.relu(),
        Act::Relu6 => y.clamp(0f32, 6f32),
        Act::Leaky(slope) => y.relu()? - (y.neg()?.relu()? * f64::from(slope))?,
    }
}

/// candle's own convolution where it has one (two axes, one number each), else the CPU's.
pub(crate) fn elsewhere(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, spec: ConvSpec, act: Act) -> Result<Tensor> {
    let even = |d: [usize; 3]| d[1] == d[2];
    let simple = x.rank() == 4 && even(spec.stride) && even(spec.padding) && even(spec.dilation);
    if !simple {
        let cpu = |t: &Tensor| t.to_device(&Device::Cpu);
        let (w, bias) = (cpu(w)?, bias.map(cpu).transpose()?);
        return on_cpu(x, |x| conv(x, &w, bias.as_ref(), spec, act));
    }
    let y = x.conv2d(w, spec.padding[1], spec.stride[1], spec.dilation[1], spec.groups)?;
    let y = match bias {
        Some(b) => y.broadcast_add(&b.reshape((1, (), 1, 1))?)?,
        None => y,
    };
    apply_act(y, act)
}

fn forward_transposed(
    spec: ConvSpec,
    act: Act,
    (x, xs): Arg,
    (w, ws): Arg,
    bias: Option<&[f32]>,
) -> Result<(Vec<f32>, Shape)> {
    let image = Image::of(xs)?;
    let (c_in, co, kernel) = image.kernel(ws)?;
    let c_out = co.saturating_mul(spec.groups);
    if c_in != image.channels || bias.is_some_and(|b| b.len() != c_out) {
        let bias = bias.map(<[f32]>::len);
        bail!("transposed conv: input {xs:?}, weight {ws:?}, {} groups, bias {bias:?} do not fit", spec.groups);
    }
    let conv = ConvTransposed::new(spec, kernel, c_in, c_out, w)?;
    let (y, dims) = conv.forward(image.input(x), Extra { bias, act, res: None })?;
    Ok((y, image.with(c_out, dims)))
}

fn backward_transposed(spec: ConvSpec, x: &Tensor, w: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 2]> {
    let (image, out) = (Image::of(x.shape())?, Image::of(g.shape())?);
    let (c_in, _, kernel) = image.kernel(w.shape())?;
    let c_out = out.channels;
    let plain = ConvSpec { out_padding: [0; 3], ..spec };
    with(g, |g| {
        // The adjoint of a transposed convolution is the plain one, with the same weights in the same order.
        let gx = if x.track_op() {
            let v = with(w, |w| {
                Conv::new(plain, kernel, c_out, c_in, w.len())?.once().forward(w, out.input(g), Extra::default())
            })?;
            grad_like(v.0, x)?
        } else {
            None
        };
        let gw = if w.track_op() {
            let v = with(x, |x| grad::conv_weight(&plain, kernel, (c_out, c_in), out.input(g), image.input(x)))?;
            grad_like(v, w)?
        } else {
            None
        };
        Ok([gx, gw])
    })
}

/// Transposed convolution, bias and activation in one step, with gradients for input, weight and bias.
///
/// # Shapes
/// - `x`: `[batch, channels_in, (depth,) rows, columns]`
/// - `weight`: `[channels_in, channels_out / groups, (kernel_depth,) kernel_rows, kernel_columns]`
/// - `bias`: `[channels_out]`
/// - output: `[batch, channels_out, ...]`, each axis `(n - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + out_padding`
pub fn conv_transposed(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, spec: ConvSpec, act: Act) -> Result<Tensor> {
    if !x.device().is_cpu() {
        let cpu = |t: &Tensor| t.to_device(&Device::Cpu);
        let (w, bias) = (cpu(weight)?, bias.map(cpu).transpose()?);
        return on_cpu(x, |x| conv_transposed(x, &w, bias.as_ref(), spec, act));
    }
    match bias {
        Some(bias) => apply3(
            "lightbox-conv-transposed",
            [x, weight, bias],
            move |x, w, b| forward_transposed(spec, act, x, w, Some(b.0)),
            move |[x, w, b], y, g| {
                let g = before_act(act, y, g)?;
                let [gx, gw] = backward_transposed(spec, x, w, &g)?;
                Ok([gx, gw, bias_grad(b, &g)?])
            },
        ),
        None => apply2(
            "lightbox-conv-transposed",
            [x, weight],
            move |x, w| forward_transposed(spec, act, x, w, None),
            move |[x, w], y, g| backward_transposed(spec, x, w, &before_act(act, y, g)?),
        ),
    }
}

/// A convolution with its weights.
///
/// Where something is trained (the input or the weights belong to a graph) it is [`conv`]. Else its weights are packed
/// once, at the first use. Clones share what is packed.
#[derive(Clone)]
pub struct ConvLayer {
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
    pub(crate) spec: ConvSpec,
    pub(crate) act: Act,
    packed: Arc<OnceLock<Conv>>,
}

/// Whether anything here wants a gradient.
pub(super) fn trains(all: &[Option<&Tensor>]) -> bool {
    all.iter().flatten().any(|t| t.track_op())
}

/// Lends the numbers of an optional tensor.
pub(super) fn with_some<R>(t: Option<&Tensor>, f: impl FnOnce(Option<&[f32]>) -> Result<R>) -> Result<R> {
    match t {
        Some(t) => with(t, |t| f(Some(t))),
        None => f(None),
    }
}

impl std::fmt::Debug for ConvLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConvLayer({:?}, {:?}, {:?})", self.weight.shape(), self.spec, self.act)
    }
}

impl ConvLayer {
    /// `weight` and `bias` as for [`conv`].
    pub fn new(weight: Tensor, bias: Option<Tensor>, spec: ConvSpec, act: Act) -> Self {
        Self { weight, bias, spec, act, packed: Arc::default() }
    }

    /// As [`conv`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, None)
    }

    /// As [`conv`], with `residual` (as large as the output) added before the activation.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(x, Some(residual))
    }

    fn run(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        let bias = self.bias.as_ref();
        if !x.device().is_cpu() || trains(&[Some(x), Some(&self.weight), bias, residual]) {
            return match residual {
                None => conv(x, &self.weight, bias, self.spec, self.act),
                Some(r) => super::add(&conv(x, &self.weight, bias, self.spec, Act::None)?, r, self.act),
            };
        }
        let image = Image::of(x.shape())?;
        let (c_out, ci, kernel) = image.kernel(self.weight.shape())?;
        if ci.checked_mul(self.spec.groups) != Some(image.channels) || bias.is_some_and(|b| b.dims() != [c_out]) {
            bail!("conv: input {:?} and weight {:?} do not fit together", x.shape(), self.weight.shape());
        }
        if self.packed.get().is_none() {
            let new = Conv::new(self.spec, kernel, image.channels, c_out, self.weight.elem_count())?;
            self.packed.get_or_init(|| new);
        }
        let Some(packed) = self.packed.get() else { bail!("a layer without weights") };
        let shape = image.with(c_out, self.spec.out(image.dims, kernel)?);
        if let Some(r) = residual
            && r.shape() != &shape
        {
            bail!("conv: the residual has shape {:?}, the output {shape:?}", r.shape());
        }
        let (y, _) = with_some(residual, |res| {
            with_some(bias, |bias| {
                let extra = Extra { bias, res, act: self.act };
                with(x, |x| with(&self.weight, |w| packed.forward(w, image.input(x), extra)))
            })
        })?;
        tensor(y, shape)
    }
}

/// A transposed convolution with its weights, as [`ConvLayer`].
#[derive(Clone)]
pub struct ConvTransposedLayer {
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
    pub(crate) spec: ConvSpec,
    pub(crate) act: Act,
    packed: Arc<OnceLock<ConvTransposed>>,
}

impl std::fmt::Debug for ConvTransposedLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConvTransposedLayer({:?}, {:?}, {:?})", self.weight.shape(), self.spec, self.act)
    }
}

impl ConvTransposedLayer {
    /// `weight` and `bias` as for [`conv_transposed`].
    pub fn new(weight: Tensor, bias: Option<Tensor>, spec: ConvSpec, act: Act) -> Self {
        Self { weight, bias, spec, act, packed: Arc::default() }
    }

    /// As [`conv_transposed`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let bias = self.bias.as_ref();
        if !x.device().is_cpu() || trains(&[Some(x), Some(&self.weight), bias]) {
            return conv_transposed(x, &self.weight, bias, self.spec, self.act);
        }
        let image = Image::of(x.shape())?;
        let (c_in, co, kernel) = image.kernel(self.weight.shape())?;
        let c_out = co.saturating_mul(self.spec.groups);
        if c_in != image.channels || bias.is_some_and(|b| b.dims() != [c_out]) {
            bail!("transposed conv: input {:?} and weight {:?} do not fit", x.shape(), self.weight.shape());
        }
        if self.packed.get().is_none() {
            let new = with(&self.weight, |w| ConvTransposed::new(self.spec, kernel, c_in, c_out, w))?;
            self.packed.get_or_init(|| new);
        }
        let Some(packed) = self.packed.get() else { bail!("a layer without weights") };
        let (y, dims) = with_some(bias, |bias| {
            with(x, |x| packed.forward(image.input(x), Extra { bias, act: self.act, res: None }))
        })?;
        tensor(y, image.with(c_out, dims))
    }
}
