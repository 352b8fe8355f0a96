//! Convolutions over few pixels and many channels: the deep layers of classifiers, 7 x 7 images of 512 channels.
//!
//! There the pixels do not fill the columns of a register block, so the product is turned: output channels are the
//! columns, pixels the rows. The image is copied once with its border, then gathered into panels of pixels, as weights are
//! elsewhere; the weights lie in blocks of columns. A block of the result is turned back on its way out.

use crate::gemm::{self, Store};
use crate::implicit::{Dims, Input, Taps, Target};
use crate::isa::Isa;
use crate::pool::{Ptr, par_for, threads, with_scratch};
use candle_core::Result;

/// Most pixels of a batch together.
const PIXELS: usize = 128;
/// Most numbers of the gathered pixels.
const GATHERED: usize = 1 << 21;
/// Steps of the sum that are done for all pixels before the next: their weights and pixels stay in the cache.
const STEPS: usize = 1024;

/// Weights in blocks of columns: `[block][channel * taps + tap][width]`, zero beyond the last channel.
pub(crate) struct Small {
    isa: Isa,
    c_in: usize,
    c_out: usize,
    k: usize,
    width: usize,
    exact: bool,
    data: Vec<f32>,
}

/// Whether a layer has so few pixels and so many channels that pixels make better rows than columns.
pub(crate) fn suits(isa: Isa, batch: usize, c_in: usize, c_out: usize, taps: usize, out: Dims) -> bool {
    let pixels = out.iter().product::<usize>();
    let lanes = gemm::lanes(isa);
    let nr = gemm::block(isa).1;
    let all = batch.saturating_mul(pixels);
    // A row of pixels is gathered at once, so that it must not be a crumb.
    let rows = out[2].div_ceil(out[2].div_ceil(gemm::block(isa).0));
    // Columns that pixels would fill, and those that channels do.
    let waste = pixels.next_multiple_of(lanes) as f64 / pixels.max(1) as f64;
    let turned = c_out.next_multiple_of(lanes) as f64 / c_out.max(1) as f64;
    lanes > 4
        && rows >= 3
        && all <= PIXELS
        && !pixels.is_multiple_of(nr)
        && waste > 1.1 * turned
        && c_out >= 4 * lanes
        && c_in * taps >= 128
        && all * c_in * taps <= GATHERED
}

impl Small {
    /// Packs `at(output channel, channel * taps + tap)`.
    pub(crate) fn new(
        isa: Isa,
        c_in: usize,
        c_out: usize,
        taps: usize,
        exact: bool,
        at: impl Fn(usize, usize) -> f32 + Sync,
    ) -> Result<Self> {
        let (lanes, nr) = (gemm::lanes(isa), gemm::block(isa).1);
        let k = c_in * taps;
        // The width at which the slowest thread has the fewest columns.
        let share = |w: usize| c_out.div_ceil(w).div_ceil(threads()) * w;
        let width = (2..=nr / lanes).rev().map(|n| n * lanes).min_by_key(|w| share(*w)).unwrap_or(nr);
        let mut data = vec![0f32; c_out.div_ceil(width) * k * width];
        let to = Ptr(data.as_mut_ptr());
        par_for(c_out.div_ceil(width), |block| {
            // SAFETY: one block a task.
            let to = unsafe { to.slice(block * k * width, k * width) };
            for j in 0..width.min(c_out - block * width) {
                for (i, to) in to[j..].iter_mut().step_by(width).enumerate() {
                    *to = at(block * width + j, i);
                }
            }
        })?;
        Ok(Self { isa, c_in, c_out, k, width, exact, data })
    }

    /// # Safety
    /// As for [`implicit::run`](crate::implicit::run); the layer has no groups, and `out_step` is one.
    pub(crate) unsafe fn run(&self, taps: &Taps, x: Input, to: Target) -> Result<()> {
        let out = to.dims;
        let pixels: usize = out.iter().product();
        let n_in: usize = x.dims.iter().product();
        assert_eq!(x.x.len(), x.batch * self.c_in * n_in, "input and its dimensions");
        if x.batch == 0 || pixels == 0 {
            return Ok(());
        }
        // The part of the image with its border that the windows touch.
        let low: [isize; 3] = std::array::from_fn(|a| taps.disp.iter().map(|d| d[a]).min().unwrap_or(0));
        let rel: Vec<Dims> = taps.disp.iter().map(|d| std::array::from_fn(|a| d[a].abs_diff(low[a]))).collect();
        let padded: Dims =
            std::array::from_fn(|a| (out[a] - 1) * taps.stride[a] + rel.iter().map(|r| r[a]).max().unwrap_or(0) + 1);
        let index = |p: Dims| (p[0] * padded[1] + p[1]) * padded[2] + p[2];
        let channel: usize = padded.iter().product();
        let shifts: Vec<usize> = rel.iter().map(|r| index(*r)).collect();
        // Rows of pixels, cut into panels.
        let mr = gemm::block(self.isa).0;
        let parts = gemm::panels(out[2], mr);
        let lines = x.batch * out[0] * out[1];
        let panels = lines * parts.len();
        let most = parts.iter().map(|p| p.1).max().unwrap_or(1);
        let off: Vec<u32> = (0..STEPS.min(self.k)).map(|i| (i * self.width) as u32).collect();
        let blocks = self.c_out.div_ceil(self.width);
        let chunks = (2 * threads()).min(self.c_in);
        // Eight numbers behind, because runs are copied by eight.
        let (image, gathered) = (x.batch * self.c_in * channel + 8, panels * most * self.k + 8);
        with_scratch(image + gathered, |s| {
            let (copy, rows) = s.split_at_mut(image);
            copy[image - 8..].fill(0.0);
            let (copy, rows) = (Ptr(copy.as_mut_ptr()), Ptr(rows.as_mut_ptr()));
            par_for(chunks, |t| {
                for c in t * self.c_in / chunks..(t + 1) * self.c_in / chunks {
                    for b in 0..x.batch {
                        let plane = b * self.c_in + c;
                        // SAFETY: one plane a task at a time.
                        let dst = unsafe { copy.slice(plane * channel, channel) };
                        border_copy(&x.x[plane * n_in..][..n_in], x.dims, low, padded, dst);
                    }
                }
            })?;
            // Panels as [line][part][step][row].
            par_for(lines * chunks, |task| {
                let (line, t) = (task / chunks, task % chunks);
                let (b, z, y) = (line / (out[0] * out[1]), line / out[1] % out[0], line % out[1]);
                let (c0, c1) = (t * self.c_in / chunks, (t + 1) * self.c_in / chunks);
                for &(x0, n) in &parts {
                    let first = index([z * taps.stride[0], y * taps.stride[1], x0 * taps.stride[2]]);
                    let mut at = (line * out[2] + x0) * self.k + c0 * shifts.len() * n;
                    let last = (line * out[2] + x0) * self.k + c1 * shifts.len() * n;
                    for c in c0..c1 {
                        let from = (b * self.c_in + c) * channel + first;
                        for shift in &shifts {
                            // SAFETY: runs stay in the copy, which has eight numbers behind; a run of eight that would
                            // reach into what another task writes is cut.
                            unsafe {
                                let src = copy.at(from + shift).cast_const();
                                if taps.stride[2] == 1 && at + 8 <= last {
                                    rows.at(at).cast::<[f32; 8]>().write(src.cast::<[f32; 8]>().read());
                                } else {
                                    for r in 0..n {
                                        *rows.at(at + r) = *src.add(r * taps.stride[2]);
                                    }
                                }
                            }
                            at += n;
                        }
                    }
                }
            })?;
            par_for(blocks, |block| {
                let cols = self.width.min(self.c_out - block * self.width);
                with_scratch(lines * out[2] * self.width, |tile| {
                    for k0 in (0..self.k).step_by(STEPS) {
                        let steps = STEPS.min(self.k - k0);
                        let b = self.data[(block * self.k + k0) * self.width..].as_ptr();
                        for line in 0..lines {
                            for &(x0, n) in &parts {
                                let first = line * out[2] + x0;
                                // SAFETY: the panel has `steps` steps of n rows from k0 on; the block as many of `width`
                                // columns; the tile a row for every pixel. All were written above.
                                unsafe {
                                    let a = rows.at(first * self.k + k0 * n).cast_const();
                                    let c = tile.as_mut_ptr().add(first * self.width);
                                    let mut store = Store { exact: self.exact, ..Store::plain(c, self.width) };
                                    if k0 > 0 {
                                        store.res = c;
                                    }
                                    gemm::panel(self.isa, n, a, b, &off[..steps], self.width, store);
                                }
                            }
                        }
                    }
                    for j in 0..cols {
                        let c = block * self.width + j;
                        let bias = to.bias.map_or(0.0, |v| v[c]);
                        for b in 0..x.batch {
                            let at = (b * to.image_stride + c) * pixels;
                            for p in 0..pixels {
                                let res = to.res.map_or(0.0, |r| r[at + p]);
                                let v = tile[(b * pixels + p) * self.width + j] + bias + res;
                                // SAFETY: the caller's promise; one channel a task.
                                unsafe { *to.out.at(at + p) = to.act.apply(v) };
                            }
                        }
                    }
                });
            })
        })
    }
}

/// Copies a plane into one that begins at `low` and has other dimensions, with zeros where it has no numbers.
fn border_copy(src: &[f32], dims: Dims, low: [isize; 3], padded: Dims, dst: &mut [f32]) {
    dst.fill(0.0);
    let inside = |a: usize, i: usize| usize::try_from(low[a] + i as isize).ok().filter(|i| *i < dims[a]);
    let first = low[2].min(0).unsigned_abs().min(padded[2]);
    let from = low[2].max(0) as usize;
    let n = dims[2].saturating_sub(from).min(padded[2] - first);
    for z in 0..padded[0] {
        for y in 0..padded[1] {
            if let (Some(iz), Some(iy)) = (inside(0, z), inside(1, y)) {
                dst[(z * padded[1] + y) * padded[2] + first..][..n]
                    .copy_from_slice(&src[(iz * dims[1] + iy) * dims[2] + from..][..n]);
            }
        }
    }
}
