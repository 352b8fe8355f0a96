//! Layers with their weights.

use super::ops::{self, Act, Geometry};
use crate::Result;
use crate::arch::params::{BatchStatistics, Params};
use candle_core::Tensor;
use lightbox_kernels::ops as kernels;

/// Convolution, the batch norm behind it folded into its weights (under training it stays one), and what follows.
#[derive(Debug, Clone)]
pub struct ConvLayer {
    weight: Tensor,
    bias: Option<Tensor>,
    geometry: Geometry,
    norm: Option<BatchNorm>,
    act: Act,
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
        Ok(Self { weight, bias, geometry, norm: None, act: Act::None })
    }

    /// Folds the batch norm `p` that follows.
    pub fn norm(mut self, p: &Params<'_>, eps: f64) -> Result<Self> {
        let norm = BatchNorm::new(p, self.weight.dim(0)?, eps)?;
        if norm.trained.is_some() {
            self.norm = Some(norm);
        } else if !p.is_listing() {
            self.weight = self.weight.broadcast_mul(&norm.scale.reshape(((), 1, 1, 1))?)?;
            self.bias = Some(match &self.bias {
                Some(bias) => ((bias * &norm.scale)? + &norm.shift)?,
                None => norm.shift,
            });
        }
        Ok(self)
    }

    /// With something behind it.
    #[must_use]
    pub fn act(self, act: Act) -> Self {
        Self { act, ..self }
    }

    /// `[batch, in, rows, columns]` to `[batch, out, ..]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let relu = self.act == Act::Relu;
        let y = ops::conv2d(x, &self.weight, self.bias.as_ref(), self.geometry, relu && self.norm.is_none())?;
        let y = match &self.norm {
            Some(norm) => norm.forward(&y, relu)?,
            None => y,
        };
        if matches!(self.act, Act::Relu | Act::None) { Ok(y) } else { self.act.apply(&y) }
    }
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
        let (weight, bias) = (p.get("weight", &[channels])?, p.get("bias", &[channels])?);
        let (mean, var) = (p.get("running_mean", &[channels])?, p.get("running_var", &[channels])?);
        if let Some((statistics, name)) = p.statistics() {
            return Ok(Self { scale: weight, shift: bias, trained: Some(TrainedNorm { name, eps, statistics }) });
        }
        if p.is_listing() {
            return Ok(Self { scale: weight, shift: bias, trained: None });
        }
        let to_f64 = |t: &Tensor| -> Result<Vec<f64>> { Ok(t.to_vec1::<f32>()?.into_iter().map(f64::from).collect()) };
        let (weight, bias, mean, var) = (to_f64(&weight)?, to_f64(&bias)?, to_f64(&mean)?, to_f64(&var)?);
        // Rounded once, at the end.
        let scale: Vec<f64> = weight.iter().zip(&var).map(|(w, v)| w / (v + eps).sqrt()).collect();
        let shift = (0..channels).map(|i| (bias[i] - mean[i] * scale[i]) as f32).collect::<Vec<_>>();
        let scale = scale.into_iter().map(|s| s as f32).collect::<Vec<_>>();
        let device = candle_core::Device::Cpu;
        Ok(Self { scale: Tensor::new(scale, &device)?, shift: Tensor::new(shift, &device)?, trained: None })
    }

    /// Over channels (axis 1), then ReLU where asked for.
    pub fn forward(&self, x: &Tensor, relu: bool) -> Result<Tensor> {
        if let Some(t) = &self.trained {
            t.statistics.keep(&t.name, kernels::batch_statistics(x)?);
            let y = kernels::norm(x, &self.scale, &self.shift, lightbox_kernels::ops::Norm::Batch, t.eps)?;
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
    pub fn norm(mut self, p: &Params<'_>, eps: f64) -> Result<Self> {
        let norm = BatchNorm::new(p, self.weight.dim(1)?, eps)?;
        if norm.trained.is_some() {
            self.norm = Some(norm);
        } else if !p.is_listing() {
            self.weight = self.weight.broadcast_mul(&norm.scale.reshape((1, (), 1, 1))?)?;
            self.bias = Some(match &self.bias {
                Some(bias) => ((bias * &norm.scale)? + &norm.shift)?,
                None => norm.shift,
            });
        }
        Ok(self)
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
