//! Layers in bytes, for inference: weights rounded once, inputs at every call. In f32 where the processor has no dot
//! product of bytes, or on another device.

use super::conv::{ConvLayer, with_some};
use super::layers::LinearLayer;
use super::shape::{Image, tensor, with};
use crate::conv::{ConvBytes, Extra};
use crate::elementwise;
use crate::implicit::Input;
use crate::int8;
use candle_core::{Result, Tensor, bail};

/// A convolution in bytes.
pub struct ConvBytesLayer {
    plain: ConvLayer,
    bytes: Option<ConvBytes>,
}

impl ConvBytesLayer {
    /// Rounds the weights of a layer.
    pub fn new(layer: &ConvLayer) -> Result<Self> {
        let plain = ConvLayer::new(layer.weight.detach(), layer.bias.clone(), layer.spec, layer.act);
        if !plain.weight.device().is_cpu() {
            return Ok(Self { plain, bytes: None });
        }
        let shape = Image::of(plain.weight.shape())?;
        let (c_out, c_in) = (shape.batch, shape.channels.saturating_mul(plain.spec.groups));
        let bytes = with(&plain.weight, |w| ConvBytes::new(plain.spec, shape.dims, c_in, c_out, w))?;
        Ok(Self { plain, bytes })
    }

    /// As [`conv`](super::conv), rounded.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Some(bytes) = self.bytes.as_ref().filter(|_| x.device().is_cpu()) else { return self.plain.forward(x) };
        let image = Image::of(x.shape())?;
        let (c_out, ci, _) = image.kernel(self.plain.weight.shape())?;
        let bias = self.plain.bias.as_ref();
        if ci != image.channels || bias.is_some_and(|b| b.dims() != [c_out]) {
            bail!("conv: input {:?} and weight {:?} do not fit together", x.shape(), self.plain.weight.shape());
        }
        let (y, dims) = with_some(bias, |bias| {
            with(x, |x| bytes.forward(image.input(x), Extra { bias, res: None, act: self.plain.act }))
        })?;
        tensor(y, image.with(c_out, dims))
    }
}

/// A linear layer in bytes.
pub struct LinearBytesLayer {
    plain: LinearLayer,
    bytes: Option<ConvBytes>,
}

impl LinearBytesLayer {
    /// Rounds the weights of a layer.
    pub fn new(layer: &LinearLayer) -> Result<Self> {
        let plain = LinearLayer::new(layer.weight.detach(), layer.bias.detach(), layer.act);
        let (n, k) = plain.weight.dims2()?;
        if !plain.weight.device().is_cpu() {
            return Ok(Self { plain, bytes: None });
        }
        // Rows of features are pixels of a 1 x 1 convolution.
        let spec = crate::ConvSpec::d2(1, 0);
        let bytes = with(&plain.weight, |w| ConvBytes::new(spec, [1; 3], k, n, w))?;
        Ok(Self { plain, bytes })
    }

    /// As [`linear`](super::linear), rounded.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Some(bytes) = self.bytes.as_ref().filter(|_| x.device().is_cpu()) else { return self.plain.forward(x) };
        let dims = x.dims();
        let (k, n) = (bytes.c_in, bytes.c_out);
        if dims.last() != Some(&k) || self.plain.bias.dims() != [n] {
            bail!("linear: input {dims:?} and weight {:?} do not fit together", self.plain.weight.shape());
        }
        let rows = dims[..dims.len() - 1].iter().product();
        let columns = with(x, |x| {
            let (lanes, q) = int8::pack_rows(x, rows, k)?;
            let input = Input { x: &lanes, batch: 1, dims: [1, 1, rows], quantised: Some(q) };
            bytes.forward_packed(input, Extra::default())
        })?;
        let bias = self.plain.bias.flatten_all()?.to_vec1::<f32>()?;
        let y = elementwise::turn(&columns, n, rows, &bias, self.plain.act)?;
        let mut shape = dims.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = n;
        }
        tensor(y, shape)
    }
}
