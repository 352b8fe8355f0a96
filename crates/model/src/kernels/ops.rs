//! The candle side of the kernels: one custom op, convolution + bias (+ ReLU), with its gradients.
//!
//! Bias and ReLU are fused because as separate candle nodes each costs a full pass forward and, with the
//! zero-fill and add of candle's gradient store, several backward.

use super::conv2d::{Conv2dParams, PackedConv2d};
use super::{grad, threads::uninit};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use std::borrow::Cow;

/// The f32 data behind (storage, layout) as a contiguous slice; copies only where the layout is strided.
fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<Cow<'a, [f32]>> {
    let CpuStorage::F32(data) = storage else { bail!("expected f32, got {:?}", storage.dtype()) };
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(Cow::Borrowed(&data[start..end])),
        None => {
            let mut out = CpuStorage::F32(uninit(layout.shape().elem_count()));
            storage.copy_strided_src(&mut out, 0, layout)?;
            match out {
                CpuStorage::F32(values) => Ok(Cow::Owned(values)),
                _ => bail!("expected f32"),
            }
        }
    }
}

/// Convolution + bias (+ ReLU): `(x, weight, bias) -> y`, with gradients for all three.
///
/// # Shapes
/// - `x`: `[batch, channels_in, rows, columns]`
/// - `weight`: `[channels_out, channels_in, kernel_rows, kernel_columns]`
/// - `bias`: `[channels_out]`
/// - output: `[batch, channels_out, rows_out, columns_out]`
#[derive(Clone, Copy)]
pub(crate) struct ConvOp {
    /// Step, both axes.
    pub(crate) stride: usize,
    /// Zero border, both axes.
    pub(crate) padding: usize,
    /// Whether max(0, .) is applied at the end.
    pub(crate) relu: bool,
    /// False when nothing below needs the gradient of `x` (the first layer): candle cannot tell the op.
    pub(crate) needs_grad_x: bool,
}

impl ConvOp {
    /// Applies the op on the CPU; the result carries the graph where an argument is a variable.
    pub(crate) fn forward(self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        x.apply_op3(weight, bias, self)
    }

    fn params(self, weight: &Shape) -> Result<Conv2dParams> {
        let (c_out, c_in, k_h, k_w) = weight.dims4()?;
        Ok(Conv2dParams { c_in, c_out, k_h, k_w, stride: self.stride, padding: self.padding, dilation: 1 })
    }
}

impl CustomOp3 for ConvOp {
    fn name(&self) -> &'static str {
        "lightbox-conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let p = self.params(weight_layout.shape())?;
        let (batch, c_in, rows, columns) = x_layout.shape().dims4()?;
        if c_in != p.c_in || bias_layout.shape().elem_count() != p.c_out {
            bail!(
                "conv2d: input {:?}, weight {:?}, bias {:?} do not fit together",
                x_layout.shape(),
                weight_layout.shape(),
                bias_layout.shape()
            );
        }
        if rows + 2 * p.padding < p.k_h || columns + 2 * p.padding < p.k_w {
            bail!("conv2d: the input {:?} is smaller than the kernel", x_layout.shape());
        }
        let (x, weight, bias) =
            (contiguous(x, x_layout)?, contiguous(weight, weight_layout)?, contiguous(bias, bias_layout)?);
        let out = PackedConv2d::new(p, &weight, Some(&bias)).forward(&x, batch, rows, columns, self.relu);
        let (rows_out, columns_out) = p.out(rows, columns);
        Ok((CpuStorage::F32(out), (batch, p.c_out, rows_out, columns_out).into()))
    }

    // The gradients are themselves ops, so that all access to raw data stays in `cpu_fwd`.
    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        y: &Tensor,
        grad_y: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad_z = if self.relu { &y.apply_op2_no_bwd(grad_y, &ReluGrad)? } else { grad_y };
        let grad_x = if self.needs_grad_x {
            let (_, _, rows, columns) = x.dims4()?;
            Some(grad_z.apply_op2_no_bwd(weight, &GradInput { op: *self, rows, columns })?)
        } else {
            None
        };
        let (_, _, k_h, k_w) = weight.dims4()?;
        let grad_weight = x.apply_op2_no_bwd(grad_z, &GradWeight { op: *self, k_h, k_w })?;
        let grad_bias = grad_z.apply_op1_no_bwd(&ChannelSum)?;
        Ok((grad_x, Some(grad_weight), Some(grad_bias)))
    }
}

/// `(y, grad_y) -> grad_y` where `y > 0`, else 0.
struct ReluGrad;

impl CustomOp2 for ReluGrad {
    fn name(&self) -> &'static str {
        "lightbox-relu-grad"
    }

    fn cpu_fwd(
        &self,
        y: &CpuStorage,
        y_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (y, grad) = (contiguous(y, y_layout)?, contiguous(grad, grad_layout)?);
        Ok((CpuStorage::F32(grad::relu(&y, &grad)), y_layout.shape().clone()))
    }
}

/// Sum over batch, rows and columns: the gradient of a bias.
struct ChannelSum;

impl CustomOp1 for ChannelSum {
    fn name(&self) -> &'static str {
        "lightbox-channel-sum"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, channels, rows, columns) = layout.shape().dims4()?;
        let sums = grad::channel_sums(&contiguous(x, layout)?, channels, rows * columns);
        Ok((CpuStorage::F32(sums), channels.into()))
    }
}

struct GradInput {
    op: ConvOp,
    rows: usize,
    columns: usize,
}

impl CustomOp2 for GradInput {
    fn name(&self) -> &'static str {
        "lightbox-conv2d-grad-input"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (grad, weight) = (contiguous(grad, grad_layout)?, contiguous(weight, weight_layout)?);
        let p = self.op.params(weight_layout.shape())?;
        let (batch, _, rows_out, columns_out) = grad_layout.shape().dims4()?;
        let out = if p.stride == 1 && p.k_h == p.k_w && p.k_h > p.padding {
            // A convolution of the gradient with the flipped, transposed filter.
            let q = Conv2dParams { c_in: p.c_out, c_out: p.c_in, padding: p.k_h - 1 - p.padding, ..p };
            let flipped = grad::flip_transpose(&weight, &p);
            PackedConv2d::new(q, &flipped, None).forward(&grad, batch, rows_out, columns_out, false)
        } else {
            grad::input_col2im(&p, &weight, &grad, batch, self.rows, self.columns)
        };
        Ok((CpuStorage::F32(out), (batch, p.c_in, self.rows, self.columns).into()))
    }
}

struct GradWeight {
    op: ConvOp,
    k_h: usize,
    k_w: usize,
}

impl CustomOp2 for GradWeight {
    fn name(&self) -> &'static str {
        "lightbox-conv2d-grad-weight"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, c_in, rows, columns) = x_layout.shape().dims4()?;
        let (_, c_out, _, _) = grad_layout.shape().dims4()?;
        let shape: Shape = (c_out, c_in, self.k_h, self.k_w).into();
        let p = self.op.params(&shape)?;
        let out = grad::weight(&p, &contiguous(x, x_layout)?, &contiguous(grad, grad_layout)?, batch, rows, columns);
        Ok((CpuStorage::F32(out), shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn random(shape: &[usize]) -> Tensor {
        Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap()
    }

    /// Largest difference relative to the largest value.
    fn difference(a: &Tensor, b: &Tensor) -> f32 {
        let largest = b.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
        let worst = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        worst.to_scalar::<f32>().unwrap() / largest.max(1e-6)
    }

    // candle's own conv2d and its gradients are right for square inputs, only slow.
    #[test]
    fn values_and_gradients_are_candles() {
        for (c_in, c_out, k, stride, size, batch, relu) in [
            (1, 5, 3, 1, 9, 2, true),
            (7, 12, 3, 2, 16, 2, true),
            (20, 9, 1, 1, 14, 1, false),
            (48, 33, 3, 1, 20, 2, true),
            (3, 8, 3, 2, 4, 3, false),
        ] {
            let x = Var::from_tensor(&random(&[batch, c_in, size, size])).unwrap();
            let w = Var::from_tensor(&random(&[c_out, c_in, k, k])).unwrap();
            let b = Var::from_tensor(&random(&[c_out])).unwrap();
            let op = ConvOp { stride, padding: k / 2, relu, needs_grad_x: true };
            let ours = op.forward(&x, &w, &b).unwrap();
            let theirs = x.conv2d(&w, k / 2, stride, 1, 1).unwrap();
            let theirs = theirs.broadcast_add(&b.reshape((1, c_out, 1, 1)).unwrap()).unwrap();
            let theirs = if relu { theirs.relu().unwrap() } else { theirs };
            let what = format!("{c_in}->{c_out} k{k} s{stride}");
            assert!(difference(&ours, &theirs) < 1e-5, "{what}");
            let toward = random(ours.dims());
            let ours = (ours * &toward).unwrap().sum_all().unwrap().backward().unwrap();
            let theirs = (theirs * &toward).unwrap().sum_all().unwrap().backward().unwrap();
            for (name, var) in [("x", &x), ("weight", &w), ("bias", &b)] {
                assert!(difference(ours.get(var).unwrap(), theirs.get(var).unwrap()) < 1e-4, "{what} {name}");
            }
        }
    }

    #[test]
    fn strided_tensors_and_wrong_shapes() {
        let op = ConvOp { stride: 1, padding: 1, relu: false, needs_grad_x: true };
        let x = random(&[2, 6, 8, 4]);
        let (w, b) = (random(&[3, 6, 3, 3]), random(&[3]));
        let turned = x.transpose(2, 3).unwrap();
        let copied = turned.contiguous().unwrap();
        let (a, c) = (op.forward(&turned, &w, &b).unwrap(), op.forward(&copied, &w, &b).unwrap());
        assert_eq!(difference(&a, &c), 0.0);
        assert!(op.forward(&random(&[1, 5, 8, 8]), &w, &b).is_err());
        assert!(op.forward(&x, &w, &random(&[4])).is_err());
    }
}
