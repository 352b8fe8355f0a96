//! Operations on tensors, f32 on the CPU: the one place beneath which faster kernels can be put.
//!
//! A tensor that belongs to a graph (one under training, or one whose gradient is asked for) goes through the kernels'
//! ops, which have gradients; every other goes through the plain functions here, whose rounding parity was measured with.
//!
//! Convolutions run on `lightbox-kernels`. candle lacks pools with borders and ceil mode, norms per group or instance and
//! upsampling with aligned centres; they are written here plainly, one thread a plane.

use crate::Result;
use candle_core::{D, Device, Tensor};
use lightbox_kernels as kernels;
use lightbox_kernels::ops::{Map, PoolKind};
use rayon::prelude::*;

/// Leaves with one sentence.
macro_rules! fail {
    ($($text:tt)*) => { return Err(crate::Error::Tensor(candle_core::Error::Msg(format!($($text)*)))) };
}

/// What follows a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Act {
    /// Nothing.
    None,
    /// max(0, x).
    Relu,
    /// x where positive, else x times the slope.
    Leaky(f32),
    /// x * sigmoid(x).
    Silu,
    /// x where positive, else exp(x) - 1.
    Elu,
    /// x * Phi(x) with the error function.
    Gelu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
}

impl Act {
    /// Applies it.
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        if x.track_op() {
            let map = match self {
                Self::None => return Ok(x.clone()),
                Self::Relu => Map::Act(kernels::Act::Relu),
                Self::Leaky(slope) => Map::Act(kernels::Act::Leaky(slope)),
                Self::Silu => Map::Silu,
                Self::Gelu => Map::Gelu,
                Self::Sigmoid => Map::Sigmoid,
                Self::Tanh => Map::Tanh,
                Self::Elu => return Ok(x.elu(1.0)?),
            };
            return Ok(kernels::ops::map(x, map)?);
        }
        Ok(match self {
            Self::None => x.clone(),
            Self::Relu => x.relu()?,
            Self::Leaky(slope) => each(x, move |v| if v > 0.0 { v } else { v * slope })?,
            Self::Silu => each(x, |v| v / (1.0 + (-v).exp()))?,
            Self::Elu => each(x, |v| if v > 0.0 { v } else { v.exp_m1() })?,
            Self::Gelu => x.gelu_erf()?,
            Self::Sigmoid => each(x, |v| 1.0 / (1.0 + (-v).exp()))?,
            Self::Tanh => x.tanh()?,
        })
    }
}

/// Numbers of a convolution, `[rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Step.
    pub stride: [usize; 2],
    /// Zero border.
    pub padding: [usize; 2],
    /// Distance of the taps.
    pub dilation: usize,
    /// Channels are convolved in this many separate groups.
    pub groups: usize,
}

impl Geometry {
    /// Stride and padding alike on both axes.
    #[must_use]
    pub fn new(stride: usize, padding: usize) -> Self {
        Self { stride: [stride; 2], padding: [padding; 2], dilation: 1, groups: 1 }
    }

    /// The border that keeps the size of a kernel at stride 1.
    #[must_use]
    pub fn same(kernel: usize, stride: usize) -> Self {
        Self::new(stride, kernel / 2)
    }

    /// With a distance of the taps.
    #[must_use]
    pub fn dilated(self, dilation: usize) -> Self {
        Self { dilation, ..self }
    }

    /// In groups.
    #[must_use]
    pub fn grouped(self, groups: usize) -> Self {
        Self { groups, ..self }
    }
}

fn values(x: &Tensor) -> Result<Vec<f32>> {
    Ok(x.flatten_all()?.to_vec1()?)
}

fn each(x: &Tensor, f: impl Fn(f32) -> f32 + Sync + Send) -> Result<Tensor> {
    let mut data = values(x)?;
    data.par_chunks_mut(1 << 14).for_each(|part| part.iter_mut().for_each(|v| *v = f(*v)));
    Ok(Tensor::from_vec(data, x.dims(), &Device::Cpu)?)
}

/// Runs `f(plane, input plane, output plane)` over the last two axes.
fn planes(x: &Tensor, rows: usize, columns: usize, f: impl Fn(usize, &[f32], &mut [f32]) + Sync) -> Result<Tensor> {
    let (h, w) = (x.dim(D::Minus2)?, x.dim(D::Minus1)?);
    let data = values(x)?;
    let mut shape = x.dims().to_vec();
    let n = shape.len();
    shape[n - 2] = rows;
    shape[n - 1] = columns;
    let mut out = vec![0f32; data.len() / (h * w).max(1) * rows * columns];
    if rows * columns > 0 && h * w > 0 {
        out.par_chunks_mut(rows * columns).enumerate().for_each(|(i, o)| f(i, &data[i * h * w..][..h * w], o));
    }
    Ok(Tensor::from_vec(out, shape, &Device::Cpu)?)
}

/// Convolution with bias.
///
/// # Shapes
/// - `x`: `[batch, in, rows, columns]`
/// - `weight`: `[out, in / groups, kernel rows, kernel columns]`
/// - `bias`: `[out]`
/// - result: `[batch, out, rows out, columns out]`
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, g: Geometry, relu: bool) -> Result<Tensor> {
    check_conv(x, weight, g)?;
    let act = if relu { kernels::Act::Relu } else { kernels::Act::None };
    // A training is not held to the numbers of another implementation.
    let spec = kernels::ConvSpec { exact: !(x.track_op() || weight.track_op()), ..spec(g) };
    Ok(kernels::ops::conv(&x.contiguous()?, &weight.contiguous()?, bias, spec, act)?)
}

/// Refuses what a convolution cannot take, in the reader's words.
pub(crate) fn check_conv(x: &Tensor, weight: &Tensor, g: Geometry) -> Result<()> {
    let (_, per_group, k_h, k_w) = weight.dims4()?;
    let (_, c_in, rows, columns) = x.dims4()?;
    if per_group * g.groups != c_in {
        fail!("a convolution of {} channels was given {c_in}", per_group * g.groups);
    }
    let reach = |k: usize| g.dilation * (k - 1) + 1;
    if rows + 2 * g.padding[0] < reach(k_h) || columns + 2 * g.padding[1] < reach(k_w) {
        fail!("an image of {columns} x {rows} pixels is too small for this network");
    }
    Ok(())
}

/// As the kernels take it.
pub(crate) fn spec(g: Geometry) -> kernels::ConvSpec {
    kernels::ConvSpec {
        stride: [1, g.stride[0], g.stride[1]],
        padding: [0, g.padding[0], g.padding[1]],
        dilation: [1, g.dilation, g.dilation],
        groups: g.groups,
        out_padding: [0; 3],
        // Deep published networks are held to the numbers of their own implementation.
        exact: true,
    }
}

/// Numbers of a transposed convolution, alike on all axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transposed {
    /// Step of the output.
    pub stride: usize,
    /// What is cut off at each border.
    pub padding: usize,
    /// What is added at the far border.
    pub output_padding: usize,
}

impl Transposed {
    fn apply(self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, spec: kernels::ConvSpec) -> Result<Tensor> {
        let o = self.output_padding;
        let out_padding = if x.rank() == 5 { [o; 3] } else { [0, o, o] };
        let spec = kernels::ConvSpec { out_padding, ..spec };
        Ok(kernels::ops::conv_transposed(&x.contiguous()?, &weight.contiguous()?, bias, spec, kernels::Act::None)?)
    }
}

/// Transposed convolution with bias, square kernels.
///
/// # Shapes
/// - `x`: `[batch, in, rows, columns]`
/// - `weight`: `[in, out, k, k]`
/// - result: `[batch, out, (rows - 1) stride - 2 padding + k + output_padding, ..]`
pub fn conv_transpose2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, t: Transposed) -> Result<Tensor> {
    t.apply(x, weight, bias, kernels::ConvSpec::d2(t.stride, t.padding))
}

/// Convolution in three dimensions, alike on all axes.
///
/// # Shapes
/// - `x`: `[batch, in, slices, rows, columns]`
/// - `weight`: `[out, in, k, k, k]`
/// - result: `[batch, out, slices out, rows out, columns out]`
pub fn conv3d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: usize, padding: usize) -> Result<Tensor> {
    let (_, c_in, slices, _, _) = x.dims5()?;
    let (_, per, k, _, _) = weight.dims5()?;
    if per != c_in {
        fail!("a convolution of {per} channels was given {c_in}");
    }
    if slices + 2 * padding < k {
        fail!("a volume of {slices} slices is too small for this network");
    }
    let spec = kernels::ConvSpec::d3(stride, padding);
    Ok(kernels::ops::conv(&x.contiguous()?, &weight.contiguous()?, bias, spec, kernels::Act::None)?)
}

/// Transposed convolution in three dimensions, alike on all axes.
///
/// # Shapes
/// - `x`: `[batch, in, slices, rows, columns]`
/// - `weight`: `[in, out, k, k, k]`
/// - result: `[batch, out, ..]`, sizes as in [`conv_transpose2d`]
pub fn conv_transpose3d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, t: Transposed) -> Result<Tensor> {
    t.apply(x, weight, bias, kernels::ConvSpec::d3(t.stride, t.padding))
}

/// Numbers of a pool, alike on both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Size of the window.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Border that belongs to no image.
    pub padding: usize,
    /// Whether a window that sticks out at the far border counts (PyTorch's `ceil_mode`).
    pub ceil: bool,
}

impl Pool {
    /// A pool without ceil mode.
    #[must_use]
    pub fn new(kernel: usize, stride: usize, padding: usize) -> Self {
        Self { kernel, stride, padding, ceil: false }
    }

    /// With ceil mode.
    #[must_use]
    pub fn ceil(self) -> Self {
        Self { ceil: true, ..self }
    }

    fn out(self, n: usize) -> usize {
        let room = (n + 2 * self.padding).saturating_sub(self.kernel);
        if !self.ceil {
            return room / self.stride + 1;
        }
        let out = room.div_ceil(self.stride) + 1;
        // The last window has to start inside the image or its near border.
        if (out - 1) * self.stride >= n + self.padding { out - 1 } else { out }
    }

    /// `[batch, channels, rows, columns]` to the largest value in each window.
    pub fn max(self, x: &Tensor) -> Result<Tensor> {
        if let Some(y) = self.fast(x, PoolKind::Max)? {
            return Ok(y);
        }
        if x.track_op() {
            return self.with_gradient(x, PoolKind::Max);
        }
        self.run(x, f32::NEG_INFINITY, f32::max, |sum, _, _| sum)
    }

    /// The mean over the window; zeros of the border count (PyTorch's default, `count_include_pad=True`).
    pub fn average(self, x: &Tensor) -> Result<Tensor> {
        if let Some(y) = self.fast(x, PoolKind::Average)? {
            return Ok(y);
        }
        self.run(x, 0.0, |a, b| a + b, |sum, _, all| sum / all as f32)
    }

    /// By the kernels, which know no ceil mode.
    fn fast(self, x: &Tensor, kind: PoolKind) -> Result<Option<Tensor>> {
        let (h, w) = (x.dim(D::Minus2)?, x.dim(D::Minus1)?);
        let fits = |n: usize| n + 2 * self.padding >= self.kernel;
        if self.ceil || x.rank() != 4 || 2 * self.padding > self.kernel || !fits(h) || !fits(w) {
            return Ok(None);
        }
        let pool = kernels::ops::Pool::d2(self.kernel, self.stride, self.padding);
        Ok(Some(kernels::ops::pool(&x.contiguous()?, pool, kind)?))
    }

    fn with_gradient(self, x: &Tensor, kind: PoolKind) -> Result<Tensor> {
        let mut x = x.clone();
        if self.ceil {
            // The border pixel repeated to fill the last window: no maximum changes, for it lies in that window itself.
            for axis in [2, 3] {
                let n = x.dim(axis)?;
                let reach = (self.out(n) - 1) * self.stride + self.kernel;
                x = x.pad_with_same(axis, 0, reach.saturating_sub(n + 2 * self.padding))?;
            }
        }
        Ok(kernels::ops::pool(&x, kernels::ops::Pool::d2(self.kernel, self.stride, self.padding), kind)?)
    }

    fn run(
        self,
        x: &Tensor,
        start: f32,
        join: impl Fn(f32, f32) -> f32 + Sync,
        end: impl Fn(f32, usize, usize) -> f32 + Sync,
    ) -> Result<Tensor> {
        let (h, w) = (x.dim(D::Minus2)?, x.dim(D::Minus1)?);
        if !self.ceil && (h + 2 * self.padding < self.kernel || w + 2 * self.padding < self.kernel) {
            fail!("an image of {w} x {h} pixels is too small for this network");
        }
        let (rows, columns) = (self.out(h), self.out(w));
        let span = |o: usize, n: usize| {
            let from = o * self.stride;
            let to = (from + self.kernel).min(n + 2 * self.padding);
            let inside = from.saturating_sub(self.padding)..(to.saturating_sub(self.padding)).min(n);
            // PyTorch counts border inside padding, but not what ceil mode adds beyond it.
            let counted = to.min(n + 2 * self.padding) - from;
            (inside, counted)
        };
        planes(x, rows, columns, |_, plane, y| {
            for oy in 0..rows {
                let (ys, count_y) = span(oy, h);
                for ox in 0..columns {
                    let (xs, count_x) = span(ox, w);
                    let mut value = start;
                    let mut n = 0;
                    for iy in ys.clone() {
                        for v in &plane[iy * w..][xs.clone()] {
                            value = join(value, *v);
                            n += 1;
                        }
                    }
                    y[oy * columns + ox] = end(value, n, count_y * count_x);
                }
            }
        })
    }
}

/// `relu(a + b)` for two tensors of one shape.
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.track_op() || b.track_op() {
        return Ok(kernels::ops::add(a, b, kernels::Act::Relu)?);
    }
    Ok((a + b)?.relu()?)
}

/// The mean of each plane (and slice) of a map.
///
/// # Shapes
/// `[batch, channels, ..]` to `[batch, channels]`
pub fn global_average(x: &Tensor) -> Result<Tensor> {
    Ok(x.flatten_from(2)?.mean(2)?)
}

/// PyTorch's adaptive average pool to `rows` x `columns`.
pub fn adaptive_average(x: &Tensor, rows: usize, columns: usize) -> Result<Tensor> {
    if x.track_op() {
        return Ok(kernels::ops::pool(x, kernels::ops::Pool::Adaptive([1, rows, columns]), PoolKind::Average)?);
    }
    let (h, w) = (x.dim(D::Minus2)?, x.dim(D::Minus1)?);
    let span = |o: usize, n: usize, out: usize| (o * n / out)..((o + 1) * n).div_ceil(out);
    planes(x, rows, columns, |_, plane, y| {
        for oy in 0..rows {
            for ox in 0..columns {
                let (ys, xs) = (span(oy, h, rows), span(ox, w, columns));
                let n = ys.len() * xs.len();
                let sum: f32 = ys.map(|iy| plane[iy * w..][xs.clone()].iter().sum::<f32>()).sum();
                y[oy * columns + ox] = sum / n as f32;
            }
        }
    })
}

/// `x * scale + shift` per channel, then ReLU where asked for: a batch norm that cannot be folded.
///
/// # Shapes
/// - `x`: `[batch, channels, ..]`
/// - `scale`, `shift`: `[channels]`
pub fn affine(x: &Tensor, scale: &Tensor, shift: &Tensor, relu: bool) -> Result<Tensor> {
    if x.track_op() {
        let mut shape = vec![1; x.rank()];
        shape[1] = scale.elem_count();
        let y = x.broadcast_mul(&scale.reshape(shape.as_slice())?)?.broadcast_add(&shift.reshape(shape.as_slice())?)?;
        return if relu { Act::Relu.apply(&y) } else { Ok(y) };
    }
    let (scale, shift) = (values(scale)?, values(shift)?);
    let channels = x.dim(1)?;
    let size: usize = x.dims()[2..].iter().product();
    let mut data = values(x)?;
    let low = if relu { 0.0 } else { f32::NEG_INFINITY };
    data.par_chunks_mut(size.max(1)).enumerate().for_each(|(i, part)| {
        let (a, b) = (scale[i % channels], shift[i % channels]);
        part.iter_mut().for_each(|v| *v = (*v * a + b).max(low));
    });
    Ok(Tensor::from_vec(data, x.dims(), &Device::Cpu)?)
}

/// Group norm; as many groups as channels is an instance norm.
///
/// # Shapes
/// - `x`: `[batch, channels, ..]`
/// - `weight`, `bias`: `[channels]`, or none for a norm without parameters
pub fn group_norm(x: &Tensor, groups: usize, affine: Option<(&Tensor, &Tensor)>, eps: f64) -> Result<Tensor> {
    let channels = x.dim(1)?;
    if groups == 0 || !channels.is_multiple_of(groups) {
        fail!("{channels} channels do not part into {groups} groups");
    }
    if x.track_op() {
        let kind = kernels::ops::Norm::Group(groups);
        return Ok(match affine {
            Some((w, b)) => kernels::ops::norm(x, w, b, kind, eps)?,
            None => {
                let one = Tensor::ones(channels, candle_core::DType::F32, &Device::Cpu)?;
                kernels::ops::norm(x, &one, &one.zeros_like()?, kind, eps)?
            }
        });
    }
    let affine = match affine {
        Some((w, b)) => Some((values(w)?, values(b)?)),
        None => None,
    };
    let size: usize = x.dims()[2..].iter().product();
    let per = channels / groups;
    let mut data = values(x)?;
    data.par_chunks_mut((per * size).max(1)).enumerate().for_each(|(i, part)| {
        let n = part.len() as f64;
        let mean = part.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let variance = part.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (variance + eps).sqrt();
        for (c, plane) in part.chunks_mut(size.max(1)).enumerate() {
            let channel = (i % groups) * per + c;
            let (a, b) = affine.as_ref().map_or((1.0, 0.0), |(w, b)| (f64::from(w[channel]), f64::from(b[channel])));
            let (a, b) = (scale * a, b - mean * scale * a);
            plane.iter_mut().for_each(|v| *v = (f64::from(*v) * a + b) as f32);
        }
    });
    Ok(Tensor::from_vec(data, x.dims(), &Device::Cpu)?)
}

/// Leaky ReLU whose slope is a parameter: one for all channels or one each.
pub fn prelu(x: &Tensor, slope: &Tensor) -> Result<Tensor> {
    if x.track_op() || slope.track_op() {
        let mut shape = vec![1; x.rank()];
        shape[1] = slope.elem_count();
        let below = Act::Relu.apply(&x.neg()?)?;
        return Ok((Act::Relu.apply(x)? - below.broadcast_mul(&slope.reshape(shape.as_slice())?)?)?);
    }
    let slope = values(slope)?;
    let channels = x.dim(1)?;
    let size: usize = x.dims()[2..].iter().product();
    let mut data = values(x)?;
    data.par_chunks_mut(size.max(1)).enumerate().for_each(|(i, part)| {
        let a = slope[if slope.len() == 1 { 0 } else { i % channels }];
        part.iter_mut().for_each(|v| *v = if *v > 0.0 { *v } else { *v * a });
    });
    Ok(Tensor::from_vec(data, x.dims(), &Device::Cpu)?)
}

/// Nearest neighbour as PyTorch's `interpolate` to a size: the source of `i` is `floor(i * in / out)`.
pub fn upsample_nearest(x: &Tensor, rows: usize, columns: usize) -> Result<Tensor> {
    if x.track_op() {
        return Ok(kernels::ops::resize(x, [1, rows, columns], kernels::ops::Resize::Nearest)?);
    }
    let (h, w) = (x.dim(D::Minus2)?, x.dim(D::Minus1)?);
    planes(x, rows, columns, |_, plane, y| {
        for oy in 0..rows {
            let row = &plane[(oy * h / rows) * w..][..w];
            for ox in 0..columns {
                y[oy * columns + ox] = row[ox * w / columns];
            }
        }
    })
}

/// Each axis of a linear interpolation: first sample, second sample, weight of the second.
fn linear_taps(source: usize, target: usize, align_corners: bool) -> Vec<(usize, usize, f32)> {
    (0..target)
        .map(|i| {
            let at = if align_corners {
                if target > 1 { i as f64 * (source - 1) as f64 / (target - 1) as f64 } else { 0.0 }
            } else {
                ((i as f64 + 0.5) * source as f64 / target as f64 - 0.5).max(0.0)
            };
            let low = (at.floor() as usize).min(source - 1);
            (low, (low + 1).min(source - 1), (at - low as f64) as f32)
        })
        .collect()
}

/// Bilinear interpolation as PyTorch's, without antialias.
pub fn upsample_bilinear(x: &Tensor, rows: usize, columns: usize, align_corners: bool) -> Result<Tensor> {
    let (h, w) = (x.dim(D::Minus2)?, x.dim(D::Minus1)?);
    if h == 0 || w == 0 {
        fail!("an empty image cannot be enlarged");
    }
    if x.track_op() {
        return Ok(kernels::ops::resize(x, [1, rows, columns], kernels::ops::Resize::Linear { align_corners })?);
    }
    let (down, across) = (linear_taps(h, rows, align_corners), linear_taps(w, columns, align_corners));
    planes(x, rows, columns, |_, plane, y| {
        for (oy, (y0, y1, fy)) in down.iter().enumerate() {
            let (top, bottom) = (&plane[y0 * w..][..w], &plane[y1 * w..][..w]);
            for (o, (x0, x1, fx)) in y[oy * columns..][..columns].iter_mut().zip(&across) {
                let a = top[*x0] * (1.0 - fx) + top[*x1] * fx;
                let b = bottom[*x0] * (1.0 - fx) + bottom[*x1] * fx;
                *o = a * (1.0 - fy) + b * fy;
            }
        }
    })
}

/// Trilinear interpolation as PyTorch's, corners not aligned.
///
/// # Shapes
/// `[batch, channels, slices, rows, columns]` to the given sizes
pub fn upsample_trilinear(x: &Tensor, slices: usize, rows: usize, columns: usize) -> Result<Tensor> {
    let plane = upsample_bilinear(x, rows, columns, false)?;
    // The slices last, as columns of one long plane.
    let (b, c, d, h, w) = plane.dims5()?;
    let turned = plane.reshape((b, c, d, h * w))?;
    let y = upsample_rows(&turned, slices)?;
    debug_assert_eq!(y.dims(), [b, c, slices, h * w]);
    Ok(y.reshape((b, c, slices, h, w))?)
}

fn upsample_rows(x: &Tensor, rows: usize) -> Result<Tensor> {
    let (h, w) = (x.dim(D::Minus2)?, x.dim(D::Minus1)?);
    let down = linear_taps(h, rows, false);
    planes(x, rows, w, |_, plane, y| {
        for (oy, (y0, y1, f)) in down.iter().enumerate() {
            for i in 0..w {
                y[oy * w + i] = plane[y0 * w + i] * (1.0 - f) + plane[y1 * w + i] * f;
            }
        }
    })
}

/// `[batch, in]` times `[out, in]` transposed, plus bias.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = x.matmul(&weight.t()?)?;
    Ok(match bias {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    })
}

/// Channels to pixels: `[batch, c * r * r, rows, columns]` to `[batch, c, r rows, r columns]` (PyTorch's
/// `PixelShuffle`).
pub fn pixel_shuffle(x: &Tensor, r: usize) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let c = c / (r * r);
    let y = x.reshape(&[b, c, r, r, h, w][..])?.permute([0, 1, 4, 2, 5, 3])?.contiguous()?;
    Ok(y.reshape((b, c, h * r, w * r))?)
}
