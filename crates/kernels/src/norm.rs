//! Batch, instance, group and layer norm: numbers of a unit are brought to mean 0 and variance 1, then scaled and shifted.

use crate::grad::sum;
use crate::isa::{self, by_isa};
use crate::pool::{Output, fill_chunks, par_for};
use crate::simd::Simd;
use candle_core::{Result, bail};

/// Over what the mean is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// A channel over the whole batch (training mode).
    Batch,
    /// So many groups of channels, each image by itself; as many as channels is instance norm.
    Group(usize),
}

/// The shape of the work: units of runs of `run` numbers that share one scale and shift.
#[derive(Clone, Copy)]
struct Units {
    batch: usize,
    channels: usize,
    run: usize,
    norm: Norm,
}

impl Units {
    fn new(norm: Norm, len: usize, batch: usize, channels: usize, run: usize) -> Result<Self> {
        assert_eq!(len, batch * channels * run, "input and its dimensions");
        if let Norm::Group(g) = norm
            && (g == 0 || !channels.is_multiple_of(g))
        {
            bail!("{channels} channels are not cut by {g} groups");
        }
        Ok(Self { batch, channels, run, norm })
    }

    fn count(&self) -> usize {
        match self.norm {
            Norm::Batch => self.channels,
            Norm::Group(g) => self.batch * g,
        }
    }

    /// Runs of a unit: their number in the input, and their channel.
    fn runs(self, unit: usize) -> impl Iterator<Item = (usize, usize)> {
        let (n, first, step) = match self.norm {
            Norm::Batch => (self.batch, unit, self.channels),
            Norm::Group(g) => (self.channels / g, unit * (self.channels / g), 1),
        };
        (0..n).map(move |i| first + i * step).map(move |r| (r, r % self.channels))
    }

    fn numbers(&self, unit: usize) -> f64 {
        (self.runs(unit).count() * self.run) as f64
    }
}

/// Mean and variance (of the numbers themselves, not estimated) of each unit.
fn statistics(u: Units, x: &[f32]) -> Result<Vec<(f64, f64)>> {
    let flat = fill_chunks_f64(u.count(), |unit| {
        let n = u.numbers(unit).max(1.0);
        let mean = u.runs(unit).map(|(r, _)| sum(&x[r * u.run..][..u.run])).sum::<f64>() / n;
        // The mean is taken off first: sums of squares of large numbers would lose the variance.
        let m = mean as f32;
        let squares: f64 = u.runs(unit).map(|(r, _)| squares(&x[r * u.run..][..u.run], m)).sum();
        let rest = mean - f64::from(m);
        (mean, (squares / n - rest * rest).max(0.0))
    })?;
    Ok(flat)
}

fn fill_chunks_f64(n: usize, f: impl Fn(usize) -> (f64, f64) + Sync) -> Result<Vec<(f64, f64)>> {
    let mut out = vec![(0.0, 0.0); n];
    let to = crate::pool::Ptr(out.as_mut_ptr());
    par_for(n, |i| {
        let v = f(i);
        // SAFETY: one element a task.
        unsafe { *to.at(i) = v };
    })?;
    Ok(out)
}

fn squares(x: &[f32], mean: f32) -> f64 {
    products(x, x, mean, mean)
}

/// Sum of `(a - p) * (b - q)`.
fn products(a: &[f32], b: &[f32], p: f32, q: f32) -> f64 {
    let mut total = 0f64;
    for (a, b) in a.chunks(4096).zip(b.chunks(4096)) {
        let mut s = [0f32; 16];
        let (mut aw, mut bw) = (a.chunks_exact(16), b.chunks_exact(16));
        for (a, b) in (&mut aw).zip(&mut bw) {
            for l in 0..16 {
                s[l] += (a[l] - p) * (b[l] - q);
            }
        }
        let rest: f64 = aw.remainder().iter().zip(bw.remainder()).map(|(a, b)| f64::from((a - p) * (b - q))).sum();
        total += s.iter().map(|v| f64::from(*v)).sum::<f64>() + rest;
    }
    total
}

/// Mean and variance of every channel over the batch: what a running average takes up.
pub(crate) fn channel_statistics(x: &[f32], batch: usize, channels: usize, run: usize) -> Result<(Vec<f32>, Vec<f32>)> {
    let s = statistics(Units::new(Norm::Batch, x.len(), batch, channels, run)?, x)?;
    Ok(s.iter().map(|(m, v)| (*m as f32, *v as f32)).unzip())
}

by_isa! {
    /// `out = x * scale + shift`.
    fn affine(x: &[f32], scale: f32, shift: f32, out: &mut [f32]) = crate::norm::affine_generic
}

#[inline(always)]
unsafe fn affine_generic<S: Simd>(x: &[f32], scale: f32, shift: f32, out: &mut [f32]) {
    for (o, x) in out.iter_mut().zip(x) {
        *o = x * scale + shift;
    }
}

/// `[batch, channels, run]`, normalised, then `* weight[channel] + bias[channel]`.
pub(crate) fn forward(
    norm: Norm,
    x: &[f32],
    (batch, channels, run): (usize, usize, usize),
    weight: &[f32],
    bias: &[f32],
    eps: f64,
) -> Result<Vec<f32>> {
    let u = Units::new(norm, x.len(), batch, channels, run)?;
    let stats = statistics(u, x)?;
    let isa = isa::current();
    let mut out = Output::new(&[batch, channels, run])?;
    let to = out.ptr();
    par_for(u.count(), |unit| {
        let (mean, var) = stats[unit];
        let inv = 1.0 / (var + eps).sqrt();
        for (r, c) in u.runs(unit) {
            let scale = f64::from(weight[c]) * inv;
            let shift = f64::from(bias[c]) - mean * scale;
            // SAFETY: runs belong to one unit; the bytes are set before a slice is made of them.
            unsafe {
                std::ptr::write_bytes(to.at(r * run), 0, run);
                affine(isa, &x[r * run..][..run], scale as f32, shift as f32, to.slice(r * run, run));
            }
        }
    })?;
    // SAFETY: all runs were written.
    Ok(unsafe { out.finish() })
}

/// Gradients of input, weight and bias.
pub(crate) fn backward(
    norm: Norm,
    x: &[f32],
    (batch, channels, run): (usize, usize, usize),
    weight: &[f32],
    grad: &[f32],
    eps: f64,
) -> Result<(Vec<f32>, Vec<f32>, Vec<f32>)> {
    let u = Units::new(norm, x.len(), batch, channels, run)?;
    assert_eq!(x.len(), grad.len(), "input and gradient");
    let stats = statistics(u, x)?;
    // Per run: sum of the gradient, and of gradient * (x - mean).
    let mut unit_of = vec![0usize; batch * channels];
    for unit in 0..u.count() {
        for (r, _) in u.runs(unit) {
            unit_of[r] = unit;
        }
    }
    let sums = fill_chunks_f64(batch * channels, |r| {
        let (x, g) = (&x[r * run..][..run], &grad[r * run..][..run]);
        let mean = stats[unit_of[r]].0;
        let m = mean as f32;
        let s = sum(g);
        (s, products(g, x, 0.0, m) - s * (mean - f64::from(m)))
    })?;
    let (mut dw, mut db) = (vec![0f64; channels], vec![0f64; channels]);
    for (r, (s, p)) in sums.iter().enumerate() {
        let inv = 1.0 / (stats[unit_of[r]].1 + eps).sqrt();
        db[r % channels] += s;
        dw[r % channels] += p * inv;
    }
    let mut out = Output::new(&[batch, channels, run])?;
    let to = out.ptr();
    par_for(u.count(), |unit| {
        let (mean, var) = stats[unit];
        let inv = 1.0 / (var + eps).sqrt();
        let n = u.numbers(unit).max(1.0);
        let (mut a, mut b) = (0f64, 0f64);
        for (r, c) in u.runs(unit) {
            a += f64::from(weight[c]) * sums[r].0;
            b += f64::from(weight[c]) * sums[r].1;
        }
        // dx = inv * (w g - a / n - (x - mean) inv^2 b / n)
        let slope = -inv * inv * inv * b / n;
        let offset = -inv * a / n - mean * slope;
        for (r, c) in u.runs(unit) {
            let scale = (f64::from(weight[c]) * inv) as f32;
            let (slope, offset) = (slope as f32, offset as f32);
            // SAFETY: runs belong to one unit; the bytes are set before a slice is made of them.
            let dst = unsafe {
                std::ptr::write_bytes(to.at(r * run), 0, run);
                to.slice(r * run, run)
            };
            for ((d, x), g) in dst.iter_mut().zip(&x[r * run..][..run]).zip(&grad[r * run..][..run]) {
                *d = g * scale + (x * slope + offset);
            }
        }
    })?;
    let narrow = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect();
    // SAFETY: all runs were written.
    Ok((unsafe { out.finish() }, narrow(dw), narrow(db)))
}

/// Rows of `n` numbers, each normalised by itself, then scaled and shifted number by number.
pub(crate) fn layer_forward(x: &[f32], weight: &[f32], bias: &[f32], eps: f64) -> Result<Vec<f32>> {
    let n = weight.len();
    let rows = x.len() / n.max(1);
    assert!(bias.len() == n && rows * n == x.len(), "rows and their weights");
    fill_chunks(&[rows, n], n, |r, out| {
        let x = &x[r * n..][..n];
        let (mean, inv) = row_statistics(x, eps);
        for (((o, x), w), b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
            *o = (x - mean) * inv * w + b;
        }
    })
}

fn row_statistics(x: &[f32], eps: f64) -> (f32, f32) {
    let n = x.len().max(1) as f64;
    let mean = (sum(x) / n) as f32;
    let var = squares(x, mean) / n;
    (mean, (1.0 / (var + eps).sqrt()) as f32)
}

/// Gradients of input, weight and bias of a layer norm.
pub(crate) fn layer_backward(
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    eps: f64,
) -> Result<(Vec<f32>, Vec<f32>, Vec<f32>)> {
    let n = weight.len();
    let rows = x.len() / n.max(1);
    assert!(grad.len() == x.len() && rows * n == x.len(), "rows and their weights");
    let dx = fill_chunks(&[rows, n], n, |r, out| {
        let (x, g) = (&x[r * n..][..n], &grad[r * n..][..n]);
        let (mean, inv) = row_statistics(x, eps);
        let (mut a, mut b) = (0f64, 0f64);
        for ((x, g), w) in x.iter().zip(g).zip(weight) {
            a += f64::from(g * w);
            b += f64::from(g * w * (x - mean) * inv);
        }
        let (a, b) = ((a / n as f64) as f32, (b / n as f64) as f32);
        for (((o, x), g), w) in out.iter_mut().zip(x).zip(g).zip(weight) {
            *o = inv * (g * w - a - (x - mean) * inv * b);
        }
    })?;
    let (mut dw, mut db) = (vec![0f64; n], vec![0f64; n]);
    for (x, g) in x.chunks_exact(n.max(1)).zip(grad.chunks_exact(n.max(1))) {
        let (mean, inv) = row_statistics(x, eps);
        for i in 0..n {
            dw[i] += f64::from(g[i] * (x[i] - mean) * inv);
            db[i] += f64::from(g[i]);
        }
    }
    let narrow = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect();
    Ok((dx, narrow(dw), narrow(db)))
}
