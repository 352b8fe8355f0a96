//! Nearest, bilinear and trilinear upsampling (and downsampling) over up to three axes.

use crate::implicit::Dims;
use crate::pool::{fill_chunks, with_scratch};
use candle_core::{Result, bail};

/// How numbers between pixels are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// The pixel `floor(o * in / out)`.
    Nearest,
    /// Linear along every axis; with `align_corners` the centres of the outermost pixels coincide, else their borders.
    Linear {
        /// Which of the two.
        align_corners: bool,
    },
}

/// An output position between two input pixels.
#[derive(Clone, Copy)]
struct Between {
    lo: usize,
    hi: usize,
    /// Share of `hi`.
    t: f32,
}

fn axis(resize: Resize, from: usize, to: usize) -> Vec<Between> {
    (0..to)
        .map(|o| match resize {
            Resize::Nearest => {
                let lo = (o as u128 * from as u128 / to as u128) as usize;
                Between { lo, hi: lo, t: 0.0 }
            }
            Resize::Linear { align_corners } => {
                let at = if align_corners {
                    if to > 1 { o as f64 * (from - 1) as f64 / (to - 1) as f64 } else { 0.0 }
                } else {
                    ((o as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0)
                };
                let lo = (at as usize).min(from - 1);
                let hi = (lo + 1).min(from - 1);
                Between { lo, hi, t: if hi == lo { 0.0 } else { (at - lo as f64) as f32 } }
            }
        })
        .collect()
}

fn axes(resize: Resize, from: Dims, to: Dims) -> Result<[Vec<Between>; 3]> {
    if from.contains(&0) || to.contains(&0) {
        bail!("an image of {from:?} cannot be resized to {to:?}");
    }
    Ok(std::array::from_fn(|a| axis(resize, from[a], to[a])))
}

/// The up to four input rows of an output row, with their weights.
fn rows(z: Between, y: Between) -> impl Iterator<Item = (usize, usize, f32)> {
    let all = [
        (z.lo, y.lo, (1.0 - z.t) * (1.0 - y.t)),
        (z.lo, y.hi, (1.0 - z.t) * y.t),
        (z.hi, y.lo, z.t * (1.0 - y.t)),
        (z.hi, y.hi, z.t * y.t),
    ];
    // The first always counts; the others only with a weight, so that NaN does not spread where it has no share.
    all.into_iter().enumerate().filter(|(i, r)| *i == 0 || r.2 != 0.0).map(|(_, r)| r)
}

/// `[planes, from]` to `[planes, to]`.
pub(crate) fn forward(resize: Resize, x: &[f32], planes: usize, from: Dims, to: Dims) -> Result<Vec<f32>> {
    let [az, ay, ax] = axes(resize, from, to)?;
    let (n, m): (usize, usize) = (from.iter().product(), to.iter().product());
    assert_eq!(x.len(), planes * n, "input and its dimensions");
    fill_chunks(&[planes, to[0], to[1], to[2]], m, |i, out| {
        let x = &x[i * n..][..n];
        with_scratch(from[2], |line| {
            let mut at = 0;
            for z in &az {
                for y in &ay {
                    let out = &mut out[at..at + to[2]];
                    at += to[2];
                    for (j, (z, y, w)) in rows(*z, *y).enumerate() {
                        let src = &x[(z * from[1] + y) * from[2]..][..from[2]];
                        if j == 0 {
                            line.iter_mut().zip(src).for_each(|(l, s)| *l = w * s);
                        } else {
                            line.iter_mut().zip(src).for_each(|(l, s)| *l += w * s);
                        }
                    }
                    for (o, b) in out.iter_mut().zip(&ax) {
                        *o = if b.t == 0.0 { line[b.lo] } else { line[b.lo] + b.t * (line[b.hi] - line[b.lo]) };
                    }
                }
            }
        });
    })
}

/// Gradient of the input: every output's gradient goes back to the pixels that it came from.
pub(crate) fn backward(resize: Resize, grad: &[f32], planes: usize, from: Dims, to: Dims) -> Result<Vec<f32>> {
    let [az, ay, ax] = axes(resize, from, to)?;
    let (n, m): (usize, usize) = (from.iter().product(), to.iter().product());
    assert_eq!(grad.len(), planes * m, "gradient and its dimensions");
    fill_chunks(&[planes, from[0], from[1], from[2]], n, |i, gx| {
        with_scratch(from[2], |line| {
            let mut at = i * m;
            for z in &az {
                for y in &ay {
                    let g = &grad[at..at + to[2]];
                    at += to[2];
                    line.fill(0.0);
                    for (g, b) in g.iter().zip(&ax) {
                        line[b.lo] += (1.0 - b.t) * g;
                        line[b.hi] += b.t * g;
                    }
                    for (z, y, w) in rows(*z, *y) {
                        let dst = &mut gx[(z * from[1] + y) * from[2]..][..from[2]];
                        dst.iter_mut().zip(&*line).for_each(|(d, l)| *d += w * l);
                    }
                }
            }
        });
    })
}
