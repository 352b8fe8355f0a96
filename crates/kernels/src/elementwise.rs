//! Activations, number by number, and softmax: threaded passes, with exponentials that the compiler can vectorise.

use crate::gemm::Act;
use crate::isa::{self, by_isa};
use crate::pool::{Output, Ptr, par_for, threads};
use crate::simd::{Portable, Simd};
use candle_core::Result;

/// An activation of its own, where it cannot ride on the layer before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Map {
    /// One of those that layers take along.
    Act(Act),
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x * sigmoid(x)`.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// `x / 2 * (1 + erf(x / sqrt 2))`.
    Gelu,
}

/// `a * b + c`, rounded once where the set can.
#[inline(always)]
fn fma<S: Simd>(a: f32, b: f32, c: f32) -> f32 {
    // Without the instruction `mul_add` is a call into the C library.
    if S::FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Below this `exp` is zero, within 3e-38.
const EXP_LOW: f32 = -86.6;
/// Above this it is infinite.
const EXP_HIGH: f32 = 88.7;

/// `exp` to about 1e-7 relative, without branches: Cephes' polynomial on the rest of `x / ln 2`.
#[inline(always)]
pub(crate) fn exp<S: Simd>(x: f32) -> f32 {
    // NaN stays.
    let c = x.clamp(EXP_LOW, EXP_HIGH);
    // Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits.
    let magic = 12_582_912.0f32;
    let t = fma::<S>(c, std::f32::consts::LOG2_E, magic);
    let n = t - magic;
    let r = fma::<S>(n, 2.121_944_4e-4, fma::<S>(n, -0.693_359_4, c));
    let mut p = 1.987_569_1e-4f32;
    p = fma::<S>(p, r, 1.398_2e-3);
    p = fma::<S>(p, r, 8.333_452e-3);
    p = fma::<S>(p, r, 4.166_579_6e-2);
    p = fma::<S>(p, r, 1.666_666_5e-1);
    p = fma::<S>(p, r, 0.5);
    let p = fma::<S>(p * r, r, r + 1.0);
    // Half of the power, twice: 2^128 has no f32.
    let half = f32::from_bits(t.to_bits().wrapping_sub(magic.to_bits()).wrapping_add(126) << 23);
    let y = (p + p) * half;
    if x > EXP_HIGH {
        f32::INFINITY
    } else if x < EXP_LOW {
        0.0
    } else {
        y
    }
}

#[inline(always)]
fn sigmoid<S: Simd>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<S>(-x))
}

/// erf to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf<S: Simd>(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / fma::<S>(a, 0.327_591_1, 1.0);
    let mut p = fma::<S>(t, 1.061_405_4, -1.453_152);
    p = fma::<S>(p, t, 1.421_413_7);
    p = fma::<S>(p, t, -0.284_496_74);
    p = fma::<S>(p, t, 0.254_829_6);
    let y = 1.0 - p * t * exp::<S>(-a * a);
    if x < 0.0 { -y } else { y }
}

impl Map {
    /// The function.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(self, x: f32) -> f32 {
        match self {
            Self::Act(a) => a.apply(x),
            Self::Sigmoid => sigmoid::<S>(x),
            Self::Silu => x * sigmoid::<S>(x),
            Self::Tanh => {
                // Near zero the quotient would lose the small number.
                let e = exp::<S>(-2.0 * x.abs());
                let big = (1.0 - e) / (1.0 + e);
                let small = x.abs() * (1.0 - x * x / 3.0);
                let y = if x.abs() < 0.01 { small } else { big };
                if x < 0.0 { -y } else { y }
            }
            Self::Gelu => 0.5 * x * (1.0 + erf::<S>(x * std::f32::consts::FRAC_1_SQRT_2)),
        }
    }

    /// Its slope, at input `x` with value `y`.
    #[inline(always)]
    pub(crate) fn slope<S: Simd>(self, x: f32, y: f32) -> f32 {
        match self {
            Self::Act(a) => act_slope(a, y),
            Self::Sigmoid => y * (1.0 - y),
            Self::Silu => {
                let s = sigmoid::<S>(x);
                s + y * (1.0 - s)
            }
            Self::Tanh => 1.0 - y * y,
            Self::Gelu => {
                let cdf = 0.5 * (1.0 + erf::<S>(x * std::f32::consts::FRAC_1_SQRT_2));
                cdf + x * exp::<S>(-0.5 * x * x) * 0.398_942_3
            }
        }
    }
}

/// Slope of an activation that a layer took along, from its value alone. At 0 it is 0, as in PyTorch.
#[inline(always)]
pub(crate) fn act_slope(act: Act, y: f32) -> f32 {
    match act {
        Act::None => 1.0,
        Act::Relu => f32::from(u8::from(y > 0.0)),
        Act::Relu6 => f32::from(u8::from(y > 0.0 && y < 6.0)),
        Act::Leaky(slope) => {
            if y > 0.0 {
                1.0
            } else {
                slope
            }
        }
    }
}

/// Numbers of a task.
const CHUNK: usize = 1 << 15;

/// Numbers that are written in one go: what is set to zero first is still in the nearest cache then.
const PIECE: usize = 1 << 12;

by_isa! {
    /// `out = map(x)`.
    fn map_run(map: Map, x: &[f32], out: &mut [f32]) = crate::elementwise::map_generic
}
by_isa! {
    /// `out = grad * slope(x, y)`.
    fn slope_run(map: Map, x: &[f32], y: &[f32], grad: &[f32], out: &mut [f32]) = crate::elementwise::slope_generic
}
by_isa! {
    /// `out = a + b`, then the activation.
    fn add_run(act: Act, a: &[f32], b: &[f32], out: &mut [f32]) = crate::elementwise::add_generic
}
by_isa! {
    /// Softmax of a row.
    fn softmax_run(x: &[f32], out: &mut [f32]) = crate::elementwise::softmax_generic
}

#[inline(always)]
unsafe fn map_generic<S: Simd>(map: Map, x: &[f32], out: &mut [f32]) {
    // The choice outside of the loop, so that each loop is plain.
    macro_rules! each {
        ($($m:pat => $v:expr),*) => {
            match map { $($m => for (o, x) in out.iter_mut().zip(x) { *o = $v.apply::<S>(*x) }),* }
        };
    }
    each!(Map::Act(Act::None) => Map::Act(Act::None), Map::Act(Act::Relu) => Map::Act(Act::Relu),
        Map::Act(Act::Relu6) => Map::Act(Act::Relu6), Map::Act(Act::Leaky(s)) => Map::Act(Act::Leaky(s)),
        Map::Sigmoid => Map::Sigmoid, Map::Silu => Map::Silu, Map::Tanh => Map::Tanh, Map::Gelu => Map::Gelu);
}

#[inline(always)]
unsafe fn slope_generic<S: Simd>(map: Map, x: &[f32], y: &[f32], grad: &[f32], out: &mut [f32]) {
    for (((o, x), y), g) in out.iter_mut().zip(x).zip(y).zip(grad) {
        *o = g * map.slope::<S>(*x, *y);
    }
}

#[inline(always)]
unsafe fn add_generic<S: Simd>(act: Act, a: &[f32], b: &[f32], out: &mut [f32]) {
    for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
        *o = act.apply(a + b);
    }
}

/// Lanes of the loops below: two vectors of the widest set.
const WIDE: usize = 32;

#[inline(always)]
unsafe fn softmax_generic<S: Simd>(x: &[f32], out: &mut [f32]) {
    // A NaN is lost here and comes back below.
    let mut tops = [f32::NEG_INFINITY; WIDE];
    let (runs, rest) = x.as_chunks::<WIDE>();
    for run in runs {
        for l in 0..WIDE {
            tops[l] = if run[l] > tops[l] { run[l] } else { tops[l] };
        }
    }
    let mut top = f32::NEG_INFINITY;
    for v in tops.iter().chain(rest) {
        top = if *v > top { *v } else { top };
    }
    let mut total = 0f64;
    // Sums in f32 over short runs, f64 between them.
    for (out, x) in out.chunks_mut(4096).zip(x.chunks(4096)) {
        let mut sums = [0f32; WIDE];
        let (runs, rest) = x.as_chunks::<WIDE>();
        let (to, to_rest) = out.as_chunks_mut::<WIDE>();
        for (to, run) in to.iter_mut().zip(runs) {
            for l in 0..WIDE {
                to[l] = exp::<S>(run[l] - top);
                sums[l] += to[l];
            }
        }
        for (to, x) in to_rest.iter_mut().zip(rest) {
            *to = exp::<S>(*x - top);
            total += f64::from(*to);
        }
        for s in sums {
            total += f64::from(s);
        }
    }
    let inv = (1.0 / total) as f32;
    for o in out.iter_mut() {
        *o *= inv;
    }
}

/// A pass over `len` numbers in chunks; `f(range, out)` writes its part whole.
///
/// # Safety
/// `to` must be good for `len` numbers that nobody else uses meanwhile.
unsafe fn pass_into(len: usize, to: Ptr, f: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync) -> Result<()> {
    par_for(len.div_ceil(CHUNK), |i| {
        let end = ((i + 1) * CHUNK).min(len);
        for a in (i * CHUNK..end).step_by(PIECE) {
            let b = (a + PIECE).min(end);
            // SAFETY: one chunk a task; the bytes are set before a slice is made of them.
            let dst = unsafe {
                std::ptr::write_bytes(to.at(a), 0, b - a);
                to.slice(a, b - a)
            };
            f(a..b, dst);
        }
    })
}

fn pass(len: usize, f: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync) -> Result<Vec<f32>> {
    let mut out = Output::new(&[len])?;
    // SAFETY: the output has room, and all chunks are written.
    unsafe {
        pass_into(len, out.ptr(), f)?;
        Ok(out.finish())
    }
}

/// The function of every number.
pub(crate) fn map(map: Map, x: &[f32]) -> Result<Vec<f32>> {
    let mut out = Output::new(&[x.len()])?;
    // SAFETY: the output has room, and all of it is written.
    unsafe {
        map_into(map, x, out.ptr())?;
        Ok(out.finish())
    }
}

/// # Safety
/// `to` must be good for as many numbers, and nobody else may use them meanwhile.
pub(crate) unsafe fn map_into(map: Map, x: &[f32], to: Ptr) -> Result<()> {
    let isa = isa::current();
    // SAFETY: safe code compiled for the set; the caller's promise.
    unsafe { pass_into(x.len(), to, |r, out| map_run(isa, map, &x[r], out)) }
}

/// Gradient of the input of [`map`].
pub(crate) fn map_backward(map: Map, x: &[f32], y: &[f32], grad: &[f32]) -> Result<Vec<f32>> {
    assert!(x.len() == y.len() && y.len() == grad.len(), "input, output and gradient");
    let isa = isa::current();
    // SAFETY: safe code compiled for the set.
    pass(x.len(), |r, out| unsafe { slope_run(isa, map, &x[r.clone()], &y[r.clone()], &grad[r], out) })
}

/// `act(a + b)`.
pub(crate) fn add(act: Act, a: &[f32], b: &[f32]) -> Result<Vec<f32>> {
    let mut out = Output::new(&[a.len()])?;
    // SAFETY: the output has room, and all of it is written.
    unsafe {
        add_into(act, a, b, out.ptr())?;
        Ok(out.finish())
    }
}

/// # Safety
/// `to` must be good for as many numbers, and nobody else may use them meanwhile.
pub(crate) unsafe fn add_into(act: Act, a: &[f32], b: &[f32], to: Ptr) -> Result<()> {
    assert_eq!(a.len(), b.len(), "two inputs of one size");
    let isa = isa::current();
    // SAFETY: safe code compiled for the set; the caller's promise.
    unsafe { pass_into(a.len(), to, |r, out| add_run(isa, act, &a[r.clone()], &b[r], out)) }
}

/// Softmax of `[outer, n, inner]` along the middle.
pub(crate) fn softmax(x: &[f32], (outer, n, inner): (usize, usize, usize)) -> Result<Vec<f32>> {
    assert_eq!(x.len(), outer * n * inner, "input and its dimensions");
    let isa = isa::current();
    if inner == 1 {
        // Several short rows a task.
        let rows = (CHUNK / n.max(1)).clamp(1, outer.div_ceil(2 * threads()).max(1));
        return crate::pool::fill_chunks(&[outer, n], rows * n, |i, out| {
            let x = &x[i * rows * n..][..out.len()];
            for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
                // SAFETY: safe code compiled for the set.
                unsafe { softmax_run(isa, x, out) };
            }
        });
    }
    crate::pool::fill_chunks(&[outer, n, inner], n * inner, |i, out| {
        let x = &x[i * n * inner..][..n * inner];
        // Column by column of a few, so that strided numbers stay in the cache.
        for a in (0..inner).step_by(64) {
            let m = 64.min(inner - a);
            let mut top = [f32::NEG_INFINITY; 64];
            let mut total = [0f32; 64];
            for k in 0..n {
                for (t, x) in top[..m].iter_mut().zip(&x[k * inner + a..][..m]) {
                    *t = if *x > *t || x.is_nan() { *x } else { *t };
                }
            }
            for k in 0..n {
                let row = &mut out[k * inner + a..][..m];
                for j in 0..m {
                    row[j] = exp::<Portable>(x[k * inner + a + j] - top[j]);
                    total[j] += row[j];
                }
            }
            for k in 0..n {
                for (o, t) in out[k * inner + a..][..m].iter_mut().zip(&total) {
                    *o /= t;
                }
            }
        }
    })
}

/// Gradient of the input of [`softmax`] from its output.
pub(crate) fn softmax_backward(y: &[f32], grad: &[f32], (outer, n, inner): (usize, usize, usize)) -> Result<Vec<f32>> {
    assert!(y.len() == outer * n * inner && grad.len() == y.len(), "output, gradient and their dimensions");
    crate::pool::fill_chunks(&[outer, n, inner], n * inner, |i, out| {
        let (y, g) = (&y[i * n * inner..][..n * inner], &grad[i * n * inner..][..n * inner]);
        for j in 0..inner {
            let dot: f64 = (0..n).map(|k| f64::from(y[k * inner + j] * g[k * inner + j])).sum();
            for k in 0..n {
                out[k * inner + j] = y[k * inner + j] * (g[k * inner + j] - dot as f32);
            }
        }
    })
}

/// `[n, rows]` to `[rows, n]`, with a bias for each of the `n`, then the activation.
pub(crate) fn turn(x: &[f32], n: usize, rows: usize, bias: &[f32], act: Act) -> Result<Vec<f32>> {
    assert!(x.len() == n * rows && bias.len() == n, "numbers and their dimensions");
    crate::pool::fill_chunks(&[rows, n], n, |r, out| {
        for (j, o) in out.iter_mut().enumerate() {
            *o = act.apply(x[j * rows + r] + bias[j]);
        }
    })
}
