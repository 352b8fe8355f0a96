//! Layers that the language models share, with gradients, on `lightbox-kernels` where they run on the CPU.

use crate::Result;
use crate::arch::Params;
use candle_core::{DType, Device, Tensor};
use lightbox_kernels::{Act, ops as kernels};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// `x W' + b`.
#[derive(Debug, Clone)]
pub(crate) struct Linear(kernels::LinearLayer);

impl Linear {
    /// Takes `weight` (`[outputs, inputs]`) and, where asked for, `bias` of `p`.
    pub(crate) fn new(p: &Params<'_>, inputs: usize, outputs: usize, bias: bool) -> Result<Self> {
        let weight = p.get("weight", &[outputs, inputs])?;
        let bias = if bias { p.get("bias", &[outputs])? } else { zeros(outputs)? };
        Ok(Self(kernels::LinearLayer::new(weight, bias, Act::None)))
    }

    /// The transposed layout of GPT-2's `Conv1D`: `weight` is `[inputs, outputs]`.
    pub(crate) fn conv1d(p: &Params<'_>, inputs: usize, outputs: usize) -> Result<Self> {
        let mut weight = p.get("weight", &[inputs, outputs])?;
        if !p.is_listing() {
            weight = weight.t()?.contiguous()?;
        }
        Ok(Self(kernels::LinearLayer::new(weight, p.get("bias", &[outputs])?, Act::None)))
    }

    /// A matrix of another layer (tied embeddings), without bias.
    pub(crate) fn of(weight: Tensor) -> Result<Self> {
        let outputs = weight.dim(0)?;
        Ok(Self(kernels::LinearLayer::new(weight, zeros(outputs)?, Act::None)))
    }

    /// From tensors.
    pub(crate) fn with(weight: Tensor, bias: Tensor) -> Self {
        Self(kernels::LinearLayer::new(weight, bias, Act::None))
    }

    /// `[..., inputs]` to `[..., outputs]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.0.forward(&x.contiguous()?)?)
    }
}

/// No memory, whatever the length: a broadcast of one number.
fn zeros(length: usize) -> Result<Tensor> {
    let zero = Tensor::zeros(1, DType::F32, &Device::Cpu)?;
    // A config may claim any length; only real networks get here with tensors behind them.
    if length > 1 << 20 { Ok(zero.broadcast_as(length)?) } else { Ok(zero.broadcast_as(length)?.contiguous()?) }
}

/// Layer norm over the last dimension.
#[derive(Debug, Clone)]
pub(crate) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Takes `weight` and `bias` of `p`.
    pub(crate) fn new(p: &Params<'_>, width: usize, eps: f64) -> Result<Self> {
        Ok(Self { weight: p.get("weight", &[width])?, bias: p.get("bias", &[width])?, eps })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(kernels::layer_norm(&x.contiguous()?, &self.weight, &self.bias, self.eps)?)
    }
}

/// Division by the root of the mean square (Zhang and Sennrich 2019), as in T5 and Llama.
#[derive(Debug, Clone)]
pub(crate) struct RmsNorm {
    weight: Tensor,
    eps: f64,
}

impl RmsNorm {
    /// Takes `weight` of `p`.
    pub(crate) fn new(p: &Params<'_>, width: usize, eps: f64) -> Result<Self> {
        Ok(Self::of(p.get("weight", &[width])?, eps))
    }

    pub(crate) fn of(weight: Tensor, eps: f64) -> Self {
        Self { weight, eps }
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mean = x.sqr()?.mean_keepdim(candle_core::D::Minus1)?;
        Ok(x.broadcast_div(&(mean + self.eps)?.sqrt()?)?.broadcast_mul(&self.weight)?)
    }
}

/// Rows of a table.
#[derive(Debug, Clone)]
pub(crate) struct Embedding {
    pub(crate) table: Tensor,
    width: usize,
}

impl Embedding {
    /// Takes `weight` (`[count, width]`) of `p`.
    pub(crate) fn new(p: &Params<'_>, count: usize, width: usize) -> Result<Self> {
        Ok(Self { table: p.get("weight", &[count, width])?, width })
    }

    /// `ids`: `[...]` of u32; result: `[..., width]`. A number beyond the table is an error, not a panic.
    pub(crate) fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let mut shape = ids.dims().to_vec();
        shape.push(self.width);
        Ok(self.table.index_select(&ids.flatten_all()?, 0)?.reshape(shape)?)
    }
}

/// What follows a layer, by the name in a `config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    Relu,
    /// With the error function.
    Gelu,
    /// With the hyperbolic tangent (Hendrycks and Gimpel 2016), GPT-2's.
    GeluTanh,
    Silu,
    Tanh,
}

impl Activation {
    pub(crate) fn of(name: &str) -> Result<Self, String> {
        Ok(match name {
            "relu" => Self::Relu,
            "gelu" => Self::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Self::GeluTanh,
            "silu" | "swish" => Self::Silu,
            "tanh" => Self::Tanh,
            other => return Err(format!("the activation '{other}' is not known")),
        })
    }

    pub(crate) fn apply(self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Relu => x.relu()?,
            Self::Gelu => x.gelu_erf()?,
            Self::GeluTanh => x.gelu()?,
            Self::Silu => x.silu()?,
            Self::Tanh => x.tanh()?,
        })
    }
}

/// Numbers set to zero at random while training; reproducible, which candle's own on the CPU are not.
#[derive(Debug)]
pub(crate) struct Dropout {
    rate: f32,
    random: StdRng,
}

impl Dropout {
    pub(crate) fn new(rate: f64, seed: u64) -> Self {
        Self { rate: rate as f32, random: StdRng::seed_from_u64(seed) }
    }

    fn apply(&mut self, x: &Tensor) -> Result<Tensor> {
        if self.rate <= 0.0 {
            return Ok(x.clone());
        }
        let (rate, keep) = (self.rate, 1.0 / (1.0 - self.rate));
        let mask: Vec<f32> =
            (0..x.elem_count()).map(|_| if self.random.random::<f32>() < rate { 0.0 } else { keep }).collect();
        Ok((x * Tensor::from_vec(mask, x.shape(), x.device())?)?)
    }
}

/// Drops where training, else gives the input back.
pub(crate) fn drop(x: Tensor, dropout: &mut Option<&mut Dropout>) -> Result<Tensor> {
    match dropout {
        Some(dropout) => dropout.apply(&x),
        None => Ok(x),
    }
}

/// `[batch, length, heads * width]` to `[batch, heads, length, width]`.
pub(crate) fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, length, width) = x.dims3()?;
    Ok(x.reshape((batch, length, heads, width / heads))?.transpose(1, 2)?.contiguous()?)
}

/// The way back.
pub(crate) fn join_heads(x: &Tensor) -> Result<Tensor> {
    let (batch, heads, length, width) = x.dims4()?;
    Ok(x.transpose(1, 2)?.contiguous()?.reshape((batch, length, heads * width))?)
}

/// Attention: `softmax(scale q k' + mask) v`.
///
/// # Shapes
/// - `q`: `[batch, heads, rows, width]`, `k`, `v`: `[batch, heads, columns, width]`, contiguous
/// - `mask`: broadcast to `[batch, heads, rows, columns]`, 0 where a row may look, a large negative number where not
pub(crate) fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    mask: Option<&Tensor>,
    dropout: &mut Option<&mut Dropout>,
) -> Result<Tensor> {
    let mut scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? * scale)?;
    if let Some(mask) = mask {
        scores = scores.broadcast_add(mask)?;
    }
    let shares = drop(kernels::softmax(&scores.contiguous()?, 3)?, dropout)?;
    Ok(shares.matmul(v)?)
}

/// Below any score, and finite, so that a row without anything to look at gives no NaN.
pub(crate) const NEVER: f32 = -1e9;

/// Who may look at whom in a text of which `past` numbers were read before: `[rows, past + rows]`.
pub(crate) fn causal_mask(rows: usize, past: usize) -> Result<Option<Tensor>> {
    if rows == 1 {
        return Ok(None);
    }
    let columns = past + rows;
    let values: Vec<f32> =
        (0..rows).flat_map(|row| (0..columns).map(move |c| if c <= past + row { 0.0 } else { NEVER })).collect();
    Ok(Some(Tensor::from_vec(values, (rows, columns), &Device::Cpu)?))
}

/// Keys and values of one layer, `[batch, heads, length, width]`.
pub(crate) type KeysValues = Option<(Tensor, Tensor)>;

/// Puts new keys and values behind those of before.
pub(crate) fn remember(kept: &mut KeysValues, k: Tensor, v: Tensor) -> Result<(Tensor, Tensor)> {
    let (k, v) = match kept.take() {
        Some((old_k, old_v)) => (Tensor::cat(&[&old_k, &k], 2)?, Tensor::cat(&[&old_v, &v], 2)?),
        None => (k, v),
    };
    *kept = Some((k.clone(), v.clone()));
    Ok((k, v))
}
