//! RoIAlign: boxes of any size become grids of one size, each cell the mean of bilinear samples.

use crate::pool::fill_chunks;
use candle_core::{Result, bail};

/// How boxes are sampled, as in torchvision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoiAlign {
    /// Rows and columns of the grid.
    pub size: [usize; 2],
    /// Pixels of the input for one pixel of the boxes.
    pub scale: f32,
    /// Samples of a cell along an axis; 0 takes as many as the cell has pixels.
    pub samples: usize,
    /// Whether box edges lie between pixels (half a pixel is taken off).
    pub aligned: bool,
}

/// A box of samples no larger than this along an axis, whatever the file says.
const MOST: usize = 64;

/// One sample: four pixels and their shares.
type Sample = [(usize, f32); 4];

fn sample(y: f32, x: f32, h: usize, w: usize) -> Option<Sample> {
    if !(y >= -1.0 && y <= h as f32 && x >= -1.0 && x <= w as f32) {
        return None;
    }
    let side = |v: f32, n: usize| {
        let v = v.max(0.0);
        let lo = v as usize;
        if lo >= n - 1 { (n - 1, n - 1, 0.0) } else { (lo, lo + 1, v - lo as f32) }
    };
    let ((y0, y1, ty), (x0, x1, tx)) = (side(y, h), side(x, w));
    Some([
        (y0 * w + x0, (1.0 - ty) * (1.0 - tx)),
        (y0 * w + x1, (1.0 - ty) * tx),
        (y1 * w + x0, ty * (1.0 - tx)),
        (y1 * w + x1, ty * tx),
    ])
}

impl RoiAlign {
    /// Calls `f(cell, pixel, share)` for every sample of a box.
    fn each(&self, roi: &[f32], h: usize, w: usize, mut f: impl FnMut(usize, usize, f32)) {
        let shift = if self.aligned { 0.5 } else { 0.0 };
        let [x0, y0, x1, y1] = [1, 2, 3, 4].map(|i| roi[i] * self.scale - shift);
        let (mut rw, mut rh) = (x1 - x0, y1 - y0);
        if !self.aligned {
            (rw, rh) = (rw.max(1.0), rh.max(1.0));
        }
        let (bh, bw) = (rh / self.size[0] as f32, rw / self.size[1] as f32);
        let count = |b: f32| if self.samples > 0 { self.samples } else { b.ceil().clamp(0.0, MOST as f32) as usize };
        let (nh, nw) = (count(bh), count(bw));
        let share = 1.0 / (nh * nw).max(1) as f32;
        for py in 0..self.size[0] {
            for px in 0..self.size[1] {
                for iy in 0..nh {
                    let y = y0 + py as f32 * bh + (iy as f32 + 0.5) * bh / nh as f32;
                    for ix in 0..nw {
                        let x = x0 + px as f32 * bw + (ix as f32 + 0.5) * bw / nw as f32;
                        for (pixel, part) in sample(y, x, h, w).into_iter().flatten() {
                            f(py * self.size[1] + px, pixel, part * share);
                        }
                    }
                }
            }
        }
    }

    fn check(&self, rois: &[f32], [batch, _, h, w]: [usize; 4]) -> Result<()> {
        if !rois.len().is_multiple_of(5) || h == 0 || w == 0 || self.size.contains(&0) || self.samples > MOST {
            bail!("boxes of 5 numbers and an image with pixels are needed, not {} numbers and {h} x {w}", rois.len());
        }
        if rois.chunks_exact(5).any(|r| !(r[0] >= 0.0 && (r[0] as usize) < batch) || r.iter().any(|v| !v.is_finite())) {
            bail!("a box names an image beyond the {batch} of the batch, or is no number");
        }
        Ok(())
    }

    /// `x`: `[batch, channels, rows, columns]`, `rois`: `[n, 5]` (image, x0, y0, x1, y1) to `[n, channels, size]`.
    pub(crate) fn forward(&self, x: &[f32], shape: [usize; 4], rois: &[f32]) -> Result<Vec<f32>> {
        self.check(rois, shape)?;
        let [_, channels, h, w] = shape;
        let cells = self.size[0] * self.size[1];
        fill_chunks(&[rois.len() / 5, channels, cells], channels * cells, |n, out| {
            let roi = &rois[n * 5..][..5];
            let image = roi[0] as usize * channels * h * w;
            self.each(roi, h, w, |cell, pixel, share| {
                for c in 0..channels {
                    out[c * cells + cell] += share * x[image + c * h * w + pixel];
                }
            });
        })
    }

    /// Gradient of the image.
    pub(crate) fn backward(&self, grad: &[f32], shape: [usize; 4], rois: &[f32]) -> Result<Vec<f32>> {
        self.check(rois, shape)?;
        let [batch, channels, h, w] = shape;
        let cells = self.size[0] * self.size[1];
        fill_chunks(&[batch, channels, h, w], h * w, |plane, gx| {
            let (b, c) = (plane / channels, plane % channels);
            for (n, roi) in rois.chunks_exact(5).enumerate() {
                if roi[0] as usize == b {
                    let g = &grad[(n * channels + c) * cells..][..cells];
                    self.each(roi, h, w, |cell, pixel, share| gx[pixel] += share * g[cell]);
                }
            }
        })
    }
}
