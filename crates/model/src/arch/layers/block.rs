//! Layers with their weights.

use super::ops::{self, Act, Geometry};
use crate::Result;
use crate::arch::params::{BatchStatistics, Params};
use candle_core::{Device, Tensor};
use lightbox_kernels as kernels;
use std::sync::{Arc, OnceLock};

/// Convolution, the batch norm behind it folded into its weights (under training it stays one), and what follows.
#[derive(Debug, Clone)]
pub struct ConvLayer {
    weight: Tensor,
    bias: Option<Tensor>,
    geometry: Geometry,
    norm: Option<BatchNorm>,
    act: Act,
    /// Made at the first use, which packs the weights; clones share it.
    layer: Arc<OnceLock<kernels::ops::ConvLayer>>,
}

impl ConvLayer {
    /// Takes `weight` (`[out, in / groups, k, k]`) and, where asked for, `bias` of `p`.
    pub fn new(
        p: &Params<'_>,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        geometry: Geometry,
        bias: bool,
    ) -> Result<Self> {
        Self::oblong(p, inputs, outputs, [kernel; 2], geometry, bias)
    }

    /// As [`Self::new`] with a kernel of other rows than columns.
    pub fn oblong(
        p: &Params<'_>,
        inputs: usize,
        outputs: usize,
        kernel: [usize; 2],
        geometry: Geometry,
        bias: bool,
    ) -> Result<Self> {
        let weight = p.get("weight", &[outputs, inputs / geometry.groups, kernel[0], kernel[1]])?;
        let bias = if bias { Some(p.get("bias", &[outputs])?) } else { None };
        Ok(Self::from_parts(weight, bias, geometry, Act::None))
    }

    /// Of tensors at hand.
    pub(crate) fn from_parts(weight: Tensor, bias: Option<Tensor>, geometry: Geometry, act: Act) -> Self {
        Self { weight, bias, geometry, norm: None, act, layer: Arc::default() }
    }

    /// Folds the batch norm `p` that follows.
    pub fn norm(self, p: &Params<'_>, eps: f64) -> Result<Self> {
        if p.statistics().is_some() {
            return Ok(Self { norm: Some(BatchNorm::new(p, self.weight.dim(0)?, eps)?), ..self });
        }
        let Some(factors) = Factors::of(p, self.weight.dim(0)?, eps)? else { return Ok(self) };
        let (weight, bias) = factors.fold(&self.weight, 0, self.bias.as_ref())?;
        Ok(Self::from_parts(weight, Some(bias), self.geometry, self.act))
    }

    /// With something behind it.
    #[must_use]
    pub fn act(self, act: Act) -> Self {
        Self { act, layer: Arc::default(), ..self }
    }

    /// Whether gradients are wanted, or weights change from step to step, so that none may be kept packed.
    fn is_trained(&self, x: &Tensor) -> bool {
        self.norm.is_some() || x.track_op() || self.weight.track_op()
    }

    fn layer(&self) -> &kernels::ops::ConvLayer {
        let act = match self.act {
            Act::Relu => kernels::Act::Relu,
            Act::Leaky(slope) => kernels::Act::Leaky(slope),
            _ => kernels::Act::None,
        };
        let make =
            || kernels::ops::ConvLayer::new(self.weight.clone(), self.bias.clone(), ops::spec(self.geometry), act);
        self.layer.get_or_init(make)
    }

    /// `[batch, in, rows, columns]` to `[batch, out, ..]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.is_trained(x) {
            let relu = self.act == Act::Relu;
            let y = ops::conv2d(x, &self.weight, self.bias.as_ref(), self.geometry, relu && self.norm.is_none())?;
            let y = match &self.norm {
                Some(norm) => norm.forward(&y, relu)?,
                None => y,
            };
            return if matches!(self.act, Act::Relu | Act::None) { Ok(y) } else { self.act.apply(&y) };
        }
        ops::check_conv(x, &self.weight, self.geometry)?;
        let y = self.layer().forward(&x.contiguous()?)?;
        if matches!(self.act, Act::Relu | Act::Leaky(_) | Act::None) { Ok(y) } else { self.act.apply(&y) }
    }

    /// As [`Self::forward`], with `skip` (as large as the output) added before the ReLU.
    pub(crate) fn forward_add(&self, x: &Tensor, skip: &Tensor) -> Result<Tensor> {
        if self.is_trained(x) {
            let before = Self { act: Act::None, ..self.clone() };
            return ops::add_relu(&before.forward(x)?, skip);
        }
        ops::check_conv(x, &self.weight, self.geometry)?;
        Ok(self.layer().forward_add(&x.contiguous()?, &skip.contiguous()?)?)
    }
}

/// A norm as scale and shift per channel, not yet rounded to f32.
pub(crate) struct Factors {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl Factors {
    /// Of `weight`, `bias`, `running_mean` and `running_var` of `p`; none while listing.
    pub(crate) fn of(p: &Params<'_>, channels: usize, eps: f64) -> Result<Option<Self>> {
        let all = ["weight", "bias", "running_mean", "running_var"].map(|name| p.get(name, &[channels]));
        let [weight, bias, mean, var] = all;
        let all = [weight?, bias?, mean?, var?];
        if p.is_listing() {
            return Ok(None);
        }
        let [weight, bias, mean, var] = all;
        Ok(Some(Self::new([&weight, &bias, &mean, &var], |v| (v + eps).sqrt())?))
    }

    /// Of scale, shift, mean and variance, with the deviation that a variance stands for.
    pub(crate) fn new(parts: [&Tensor; 4], deviation: impl Fn(f64) -> f64) -> Result<Self> {
        let [weight, bias, mean, var] = parts.map(doubles);
        let (weight, bias, mean, var) = (weight?, bias?, mean?, var?);
        let scale: Vec<f64> = weight.iter().zip(var).map(|(w, v)| w / deviation(v)).collect();
        let shift = scale.iter().zip(bias).zip(mean).map(|((s, b), m)| b - m * s).collect();
        Ok(Self { scale, shift })
    }

    /// Weights and bias of the layer before with the norm in them, each rounded once. `axis` of `weight` are the
    /// norm's channels.
    pub(crate) fn fold(&self, weight: &Tensor, axis: usize, bias: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let inner: usize = weight.dims()[axis + 1..].iter().product::<usize>().max(1);
        let channels = self.scale.len().max(1);
        let values: Vec<f32> = weight.flatten_all()?.to_vec1()?;
        let scaled = values.iter().enumerate();
        let scaled = scaled.map(|(i, v)| (f64::from(*v) * self.scale[i / inner % channels]) as f32).collect();
        let old = match bias {
            Some(bias) => doubles(bias)?,
            None => vec![0.0; channels],
        };
        let new: Vec<f32> =
            old.iter().zip(&self.scale).zip(&self.shift).map(|((b, s), t)| (b * s + t) as f32).collect();
        Ok((Tensor::from_vec(scaled, weight.dims(), &Device::Cpu)?, Tensor::new(new, &Device::Cpu)?))
    }
}

fn doubles(t: &Tensor) -> Result<Vec<f64>> {
    Ok(t.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
}

/// A batch norm as scale and shift per channel; under training over the batch itself.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    pub(crate) scale: Tensor,
    pub(crate) shift: Tensor,
    trained: Option<TrainedNorm>,
}

/// What a batch norm needs under training beside its weight (`scale`) and bias (`shift`).
#[derive(Debug, Clone)]
struct TrainedNorm {
    name: String,
    eps: f64,
    statistics: BatchStatistics,
}

impl BatchNorm {
    /// Takes `weight`, `bias`, `running_mean` and `running_var` of `p`.
    pub fn new(p: &Params<'_>, channels: usize, eps: f64) -> Result<Self> {
        if let Some((statistics, name)) = p.statistics() {
            let (scale, shift) = (p.get("weight", &[channels])?, p.get("bias", &[channels])?);
            // Asked for, so that a training knows where they belong.
            p.get("running_mean", &[channels])?;
            p.get("running_var", &[channels])?;
            return Ok(Self { scale, shift, trained: Some(TrainedNorm { name, eps, statistics }) });
        }
        let Some(factors) = Factors::of(p, channels, eps)? else {
            let none = Tensor::zeros(channels, candle_core::DType::F32, &Device::Cpu)?;
            return Ok(Self { scale: none.clone(), shift: none, trained: None });
        };
        let rounded = |v: &[f64]| Tensor::new(v.iter().map(|v| *v as f32).collect::<Vec<_>>(), &Device::Cpu);
        Ok(Self { scale: rounded(&factors.scale)?, shift: rounded(&factors.shift)?, trained: None })
    }

    /// Over channels (axis 1), then ReLU where asked for.
    pub fn forward(&self, x: &Tensor, relu: bool) -> Result<Tensor> {
        if let Some(t) = &self.trained {
            t.statistics.keep(&t.name, kernels::ops::batch_statistics(x)?);
            let y = kernels::ops::norm(x, &self.scale, &self.shift, kernels::ops::Norm::Batch, t.eps)?;
            return if relu { Act::Relu.apply(&y) } else { Ok(y) };
        }
        ops::affine(x, &self.scale, &self.shift, relu)
    }
}

/// A matrix with bias.
#[derive(Debug, Clone)]
pub struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    /// Takes `weight` (`[out, in]`) and `bias` of `p`.
    pub fn new(p: &Params<'_>, inputs: usize, outputs: usize) -> Result<Self> {
        Ok(Self { weight: p.get("weight", &[outputs, inputs])?, bias: p.get("bias", &[outputs])? })
    }

    /// `[batch, in]` to `[batch, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::linear(x, &self.weight, Some(&self.bias))
    }
}

/// Transposed convolution.
#[derive(Debug, Clone)]
pub struct UpConv {
    weight: Tensor,
    bias: Option<Tensor>,
    how: ops::Transposed,
    norm: Option<BatchNorm>,
}

impl UpConv {
    /// Takes `weight` (`[in, out, k, k]`) and, where asked for, `bias` of `p`.
    pub fn new(
        p: &Params<'_>,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        how: ops::Transposed,
        bias: bool,
    ) -> Result<Self> {
        let weight = p.get("weight", &[inputs, outputs, kernel, kernel])?;
        let bias = if bias { Some(p.get("bias", &[outputs])?) } else { None };
        Ok(Self { weight, bias, how, norm: None })
    }

    /// Folds the batch norm `p` that follows.
    pub fn norm(self, p: &Params<'_>, eps: f64) -> Result<Self> {
        if p.statistics().is_some() {
            return Ok(Self { norm: Some(BatchNorm::new(p, self.weight.dim(1)?, eps)?), ..self });
        }
        let Some(factors) = Factors::of(p, self.weight.dim(1)?, eps)? else { return Ok(self) };
        let (weight, bias) = factors.fold(&self.weight, 1, self.bias.as_ref())?;
        Ok(Self { weight, bias: Some(bias), how: self.how, norm: None })
    }

    /// `[batch, in, rows, columns]` to `[batch, out, ..]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = ops::conv_transpose2d(x, &self.weight, self.bias.as_ref(), self.how)?;
        match &self.norm {
            Some(norm) => norm.forward(&y, false),
            None => Ok(y),
        }
    }
}
