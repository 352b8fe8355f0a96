//! Norms as candle ops.

use super::custom::{apply3, grad_like};
use super::shape::{Image, on_cpu, with};
use crate::norm::{self, Norm};
use candle_core::{Device, Result, Tensor, bail};

/// Batch norm (training mode), group or instance norm, with gradients for input, weight and bias.
///
/// # Shapes
/// - `x`: `[batch, channels, (depth,) rows, columns]`, `weight` and `bias`: `[channels]`
pub fn norm(x: &Tensor, weight: &Tensor, bias: &Tensor, kind: Norm, eps: f64) -> Result<Tensor> {
    let channels = Image::of(x.shape())?.channels;
    if weight.dims() != [channels] || bias.dims() != [channels] {
        bail!("norm: input {:?}, weight {:?}, bias {:?} do not fit", x.shape(), weight.shape(), bias.shape());
    }
    let (w, b) = (weight.to_device(&Device::Cpu)?, bias.to_device(&Device::Cpu)?);
    on_cpu(x, |x| {
        apply3(
            "lightbox-norm",
            [x, &w, &b],
            move |(x, s), (w, _), (b, _)| {
                let i = Image::of(s)?;
                Ok((norm::forward(kind, x, (i.batch, i.channels, i.pixels()), w, b, eps)?, s.clone()))
            },
            move |[x, w, b], _, g| {
                let i = Image::of(x.shape())?;
                let shape = (i.batch, i.channels, i.pixels());
                let (gx, gw, gb) = with(x, |x| with(w, |w| with(g, |g| norm::backward(kind, x, shape, w, g, eps))))?;
                Ok([grad_like(gx, x)?, grad_like(gw, w)?, grad_like(gb, b)?])
            },
        )
    })
}

/// Mean and variance of every channel over the batch, for the running averages of a batch norm.
pub fn batch_statistics(x: &Tensor) -> Result<(Vec<f32>, Vec<f32>)> {
    let i = Image::of(x.shape())?;
    with(&x.to_device(&Device::Cpu)?, |x| norm::channel_statistics(x, i.batch, i.channels, i.pixels()))
}

/// Layer norm over the last dimension, with gradients for input, weight and bias.
///
/// # Shapes
/// - `x`: `[..., features]`, `weight` and `bias`: `[features]`
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let n = x.dims().last().copied().unwrap_or(0);
    if n == 0 || weight.dims() != [n] || bias.dims() != [n] {
        bail!("layer norm: input {:?}, weight {:?}, bias {:?} do not fit", x.shape(), weight.shape(), bias.shape());
    }
    let (w, b) = (weight.to_device(&Device::Cpu)?, bias.to_device(&Device::Cpu)?);
    on_cpu(x, |x| {
        apply3(
            "lightbox-layer-norm",
            [x, &w, &b],
            move |(x, s), (w, _), (b, _)| Ok((norm::layer_forward(x, w, b, eps)?, s.clone())),
            move |[x, w, b], _, g| {
                let (gx, gw, gb) = with(x, |x| with(w, |w| with(g, |g| norm::layer_backward(x, w, g, eps))))?;
                Ok([grad_like(gx, x)?, grad_like(gw, w)?, grad_like(gb, b)?])
            },
        )
    })
}
