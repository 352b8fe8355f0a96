//! Max and average pools over up to three axes, with any window, stride and border, and adaptive ones.

use crate::implicit::Dims;
use crate::isa::{self, by_isa};
use crate::pool::{Output, par_for};
use crate::simd::Simd;
use candle_core::{Result, bail};

/// Windows of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Windows of a size, at a distance, over an input with a border that no window's value comes from.
    Windows {
        /// Depth, rows, columns of a window.
        kernel: Dims,
        /// Distance of windows.
        stride: Dims,
        /// Border, at most half of the window.
        padding: Dims,
        /// Whether an average divides by the whole window even where it hangs over the border.
        count_border: bool,
    },
    /// As many windows as are asked for, from `floor(i * in / out)` to `ceil((i + 1) * in / out)`.
    Adaptive(Dims),
}

impl Pool {
    /// Square windows over rows and columns.
    pub const fn d2(kernel: usize, stride: usize, padding: usize) -> Self {
        Self::Windows {
            kernel: [1, kernel, kernel],
            stride: [1, stride, stride],
            padding: [0, padding, padding],
            count_border: true,
        }
    }

    /// Cubic windows.
    pub const fn d3(kernel: usize, stride: usize, padding: usize) -> Self {
        Self::Windows { kernel: [kernel; 3], stride: [stride; 3], padding: [padding; 3], count_border: true }
    }

    /// Windows of each axis: first and one past the last input.
    fn windows(&self, dims: Dims) -> Result<[Vec<(usize, usize)>; 3]> {
        let mut all: [Vec<(usize, usize)>; 3] = Default::default();
        for a in 0..3 {
            all[a] = match self {
                Self::Adaptive(out) => {
                    if dims[a] == 0 || out[a] == 0 || out[a].checked_mul(dims[a] + 1).is_none() {
                        bail!("an adaptive pool of {dims:?} to {out:?} has empty windows");
                    }
                    (0..out[a]).map(|i| (i * dims[a] / out[a], ((i + 1) * dims[a]).div_ceil(out[a]))).collect()
                }
                Self::Windows { kernel, stride, padding, .. } => {
                    let (k, s, p) = (kernel[a], stride[a], padding[a]);
                    if k == 0 || s == 0 || p > k / 2 {
                        bail!("a pool of {kernel:?} with stride {stride:?} and padding {padding:?} is none");
                    }
                    let Some(free) = (dims[a] + 2 * p).checked_sub(k) else {
                        bail!("an input of {dims:?} with padding {padding:?} is smaller than the pool {kernel:?}");
                    };
                    let from = |i: usize| (i * s).saturating_sub(p);
                    (0..=free / s).map(|i| (from(i), (i * s + k - p).min(dims[a]))).collect()
                }
            };
        }
        Ok(all)
    }

    /// Dimensions of the output.
    pub fn out(&self, dims: Dims) -> Result<Dims> {
        let w = self.windows(dims)?;
        Ok([w[0].len(), w[1].len(), w[2].len()])
    }

    /// What a sum over a window is divided by.
    fn count(&self, w: [(usize, usize); 3]) -> f32 {
        match self {
            Self::Windows { kernel, count_border: true, .. } => kernel.iter().product::<usize>() as f32,
            _ => w.iter().map(|(a, b)| b - a).product::<usize>() as f32,
        }
    }
}

/// Which pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The largest number; NaN where there is one.
    Max,
    /// The mean.
    Average,
}

/// A plane and its windows.
pub(crate) struct Plane<'a> {
    pool: &'a Pool,
    dims: Dims,
    windows: &'a [Vec<(usize, usize)>; 3],
}

by_isa! {
    /// One channel.
    fn plane(p: &Plane<'_>, kind: PoolKind, x: &[f32], row: &mut [f32], out: &mut [f32]) = crate::pooling::plane_generic
}

/// Rows of a window are combined first, in whole vectors, then its columns.
#[inline(always)]
unsafe fn plane_generic<S: Simd>(p: &Plane<'_>, kind: PoolKind, x: &[f32], row: &mut [f32], out: &mut [f32]) {
    let [_, h, w] = p.dims;
    let columns = &p.windows[2];
    let pairs = columns.iter().enumerate().all(|(i, c)| *c == (2 * i, 2 * i + 2));
    let mut at = 0;
    for &(z0, z1) in &p.windows[0] {
        for &(y0, y1) in &p.windows[1] {
            let out = &mut out[at..at + columns.len()];
            at += columns.len();
            let mut first = true;
            for z in z0..z1 {
                for y in y0..y1 {
                    let src = &x[(z * h + y) * w..][..w];
                    if first {
                        row.copy_from_slice(src);
                        first = false;
                    } else if kind == PoolKind::Max {
                        for (r, v) in row.iter_mut().zip(src) {
                            *r = larger(*r, *v);
                        }
                    } else {
                        for (r, v) in row.iter_mut().zip(src) {
                            *r += *v;
                        }
                    }
                }
            }
            if kind == PoolKind::Max && pairs {
                for (o, v) in out.iter_mut().zip(row.chunks_exact(2)) {
                    *o = larger(v[0], v[1]);
                }
                continue;
            }
            for (o, &(a, b)) in out.iter_mut().zip(columns) {
                let run = &row[a..b];
                *o = match kind {
                    PoolKind::Max => run.iter().copied().fold(f32::NEG_INFINITY, larger),
                    PoolKind::Average => run.iter().sum::<f32>() / p.pool.count([(z0, z1), (y0, y1), (a, b)]),
                };
            }
        }
    }
}

/// The larger of what was and what comes; a NaN stays.
#[inline(always)]
fn larger(was: f32, comes: f32) -> f32 {
    if comes > was || comes.is_nan() { comes } else { was }
}

/// `[planes, dims]` to `[planes, out]`.
pub(crate) fn forward(pool: &Pool, kind: PoolKind, x: &[f32], planes: usize, dims: Dims) -> Result<(Vec<f32>, Dims)> {
    let out = pool.out(dims)?;
    let mut y = Output::new(&[planes, out[0], out[1], out[2]])?;
    // SAFETY: the output has room for all planes, and all are written.
    unsafe {
        forward_into(pool, kind, x, planes, dims, |p| p, y.ptr())?;
        Ok((y.finish(), out))
    }
}

/// Plane `i` of the input becomes plane `place(i)` of what `to` points at.
///
/// # Safety
/// Those planes must be inside of what `to` points at, all different, and nobody else's.
pub(crate) unsafe fn forward_into(
    pool: &Pool,
    kind: PoolKind,
    x: &[f32],
    planes: usize,
    dims: Dims,
    place: impl Fn(usize) -> usize + Sync,
    to: crate::pool::Ptr,
) -> Result<()> {
    let windows = pool.windows(dims)?;
    let (n, m): (usize, usize) = (dims.iter().product(), windows.iter().map(Vec::len).product());
    assert_eq!(x.len(), planes * n, "input and its dimensions");
    if windows.iter().flatten().any(|(a, b)| a >= b) {
        bail!("a pool over {dims:?} has windows in the border only");
    }
    let isa = isa::current();
    let p = Plane { pool, dims, windows: &windows };
    par_for(planes, |i| {
        crate::pool::with_scratch(dims[2], |row| {
            // SAFETY: one plane a task, written whole; the bytes are set before a slice is made of them.
            unsafe {
                std::ptr::write_bytes(to.at(place(i) * m), 0, m);
                plane(isa, &p, kind, &x[i * n..][..n], row, to.slice(place(i) * m, m));
            }
        });
    })
}

/// Gradient of the input. The first of equal largest numbers gets a window's gradient, as in PyTorch.
pub(crate) fn backward(
    pool: &Pool,
    kind: PoolKind,
    x: &[f32],
    grad: &[f32],
    planes: usize,
    dims: Dims,
) -> Result<Vec<f32>> {
    let windows = pool.windows(dims)?;
    let (n, m): (usize, usize) = (dims.iter().product(), windows.iter().map(Vec::len).product());
    assert!(x.len() == planes * n && grad.len() == planes * m, "input, gradient and their dimensions");
    let [_, h, w] = dims;
    crate::pool::fill_chunks(&[planes, dims[0], dims[1], dims[2]], n, |i, gx| {
        let (x, mut at) = (&x[i * n..][..n], i * m);
        for &(z0, z1) in &windows[0] {
            for &(y0, y1) in &windows[1] {
                for &(x0, x1) in &windows[2] {
                    let g = grad[at];
                    at += 1;
                    match kind {
                        PoolKind::Average => {
                            let g = g / pool.count([(z0, z1), (y0, y1), (x0, x1)]);
                            for z in z0..z1 {
                                for y in y0..y1 {
                                    gx[(z * h + y) * w..][x0..x1].iter_mut().for_each(|v| *v += g);
                                }
                            }
                        }
                        PoolKind::Max => {
                            let mut best = (z0 * h + y0) * w + x0;
                            for z in z0..z1 {
                                for y in y0..y1 {
                                    for j in (z * h + y) * w + x0..(z * h + y) * w + x1 {
                                        if x[j] > x[best] || (x[j].is_nan() && !x[best].is_nan()) {
                                            best = j;
                                        }
                                    }
                                }
                            }
                            gx[best] += g;
                        }
                    }
                }
            }
        }
    })
}
