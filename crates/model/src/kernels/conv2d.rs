//! General convolution: im2col packed straight into GEMM panels, one cache-sized tile at a time.
//! The im2col matrix never exists as a whole: a task owns NB output pixels, and for each block of
//! KC rows of the im2col matrix it packs KC x NB floats (L2-sized) and multiplies all output
//! channels with them before it goes on.

use super::gemm::{Epilogue, MR, isa, pack_a, panel};
use super::threads::{Ptr, par_for, round_up, threads, uninit, with_scratch};

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conv2dParams {
    /// Input channels.
    pub(crate) c_in: usize,
    /// Output channels.
    pub(crate) c_out: usize,
    /// Rows of the kernel.
    pub(crate) k_h: usize,
    /// Columns of the kernel.
    pub(crate) k_w: usize,
    /// Step, both axes.
    pub(crate) stride: usize,
    /// Zero border, both axes.
    pub(crate) padding: usize,
    /// Distance of the taps, both axes.
    pub(crate) dilation: usize,
}

impl Conv2dParams {
    /// Rows and columns of the output.
    pub(crate) fn out(&self, h: usize, w: usize) -> (usize, usize) {
        let o = |i: usize, k: usize| (i + 2 * self.padding - self.dilation * (k - 1) - 1) / self.stride + 1;
        (o(h, self.k_h), o(w, self.k_w))
    }
    /// Rows of the im2col matrix.
    pub(crate) fn k(&self) -> usize {
        self.c_in * self.k_h * self.k_w
    }
}

/// Weights in panel order. Pack once, use for every call.
pub(crate) struct PackedConv2d {
    p: Conv2dParams,
    panels: Vec<f32>,
    bias: Option<Vec<f32>>,
}

/// Pixels per task tile: KC * NB * 4 bytes should stay well inside L2 (1 MiB a core).
const NB: usize = 192;
/// Rows of the im2col matrix per pass; a panel of A (MR * KC * 4 = 12 KiB) stays in L1.
const KC: usize = 384;

impl PackedConv2d {
    /// `weight`: c_out x c_in x k_h x k_w, contiguous.
    pub(crate) fn new(p: Conv2dParams, weight: &[f32], bias: Option<&[f32]>) -> Self {
        Self { p, panels: pack_a(weight, p.k(), p.c_out, p.k()), bias: bias.map(<[f32]>::to_vec) }
    }

    /// `x`: b x c_in x h x w; result: b x c_out x out rows x out columns.
    pub(crate) fn forward(&self, x: &[f32], b: usize, h: usize, w: usize, relu: bool) -> Vec<f32> {
        let p = self.p;
        let (oh, ow) = p.out(h, w);
        let (pix, k) = (oh * ow, p.k());
        assert_eq!(x.len(), b * p.c_in * h * w);
        let mut out = uninit(b * p.c_out * pix);
        let dst = Ptr(out.as_mut_ptr());
        // Few pixels (deep layers): split the output channels too, so that both cores have work.
        let tiles = pix.div_ceil(NB);
        let nb = round_up(pix.div_ceil(tiles), 16); // even tiles: 196 pixels are 112 + 84
        let panels = p.c_out.div_ceil(MR);
        let splits = if b * tiles < 2 * threads() { (2 * threads()).min(panels) } else { 1 };
        let per_split = panels.div_ceil(splits);
        par_for(b * tiles * splits, |task| {
            let (bi, rest) = (task / (tiles * splits), task % (tiles * splits));
            let (tile, split) = (rest / splits, rest % splits);
            let (p0, p1) = (tile * nb, ((tile + 1) * nb).min(pix));
            let n = p1 - p0;
            let ld = round_up(n, 16);
            let img = &x[bi * p.c_in * h * w..][..p.c_in * h * w];
            with_scratch(KC * ld, |cols| {
                let mut k0 = 0;
                while k0 < k {
                    let kc = KC.min(k - k0);
                    pack_im2col(&p, img, h, w, ow, k0, kc, p0, n, ld, cols);
                    let last = k0 + kc == k;
                    for pan in split * per_split..((split + 1) * per_split).min(panels) {
                        let co = pan * MR;
                        let off = (bi * p.c_out + co) * pix + p0;
                        let ep = Epilogue {
                            accumulate: k0 > 0,
                            bias: match &self.bias {
                                Some(v) if last => v[co..].as_ptr(),
                                _ => std::ptr::null(),
                            },
                            relu: relu && last,
                        };
                        // SAFETY: tasks own disjoint (image, pixel range, channel range) parts.
                        unsafe {
                            panel(
                                isa(),
                                self.panels.as_ptr().add((pan * k + k0) * MR),
                                cols.as_ptr(),
                                ld,
                                kc,
                                dst.at(off),
                                pix,
                                MR.min(p.c_out - co),
                                n,
                                ep,
                            );
                        }
                    }
                    k0 += kc;
                }
            });
        });
        out
    }
}

/// Rows `k0..k0+kc` of the im2col matrix for output pixels `p0..p0+n`, row stride `ld`.
fn pack_im2col(
    p: &Conv2dParams,
    img: &[f32],
    h: usize,
    w: usize,
    ow: usize,
    k0: usize,
    kc: usize,
    p0: usize,
    n: usize,
    ld: usize,
    out: &mut [f32],
) {
    let (s, d, pad) = (p.stride, p.dilation, p.padding as isize);
    for kk in 0..kc {
        let kidx = k0 + kk;
        let (c, ky, kx) = (kidx / (p.k_h * p.k_w), (kidx / p.k_w) % p.k_h, kidx % p.k_w);
        let row = &mut out[kk * ld..kk * ld + ld];
        let plane = &img[c * h * w..][..h * w];
        if p.k_h == 1 && p.k_w == 1 && s == 1 && pad == 0 {
            row[..n].copy_from_slice(&plane[p0..p0 + n]);
            row[n..].fill(0.0);
            continue;
        }
        let x_off = (kx * d) as isize - pad;
        // The valid ox satisfy 0 <= ox * s + x_off < w.
        let lo = if x_off >= 0 { 0 } else { ((-x_off) as usize).div_ceil(s) };
        let hi = if (w as isize) <= x_off { 0 } else { ((w as isize - x_off) as usize).div_ceil(s) };
        // Walk the pixel range one output row at a time.
        let (mut oy, mut ox, mut done) = (p0 / ow, p0 % ow, 0);
        while done < n {
            let len = (ow - ox).min(n - done);
            let seg = &mut row[done..done + len];
            let iy = (oy * s + ky * d) as isize - pad;
            let a = lo.clamp(ox, ox + len);
            let z = hi.clamp(a, ox + len);
            if iy < 0 || iy >= h as isize || a == z {
                seg.fill(0.0);
            } else {
                seg[..a - ox].fill(0.0);
                seg[z - ox..].fill(0.0);
                let start = iy as usize * w + a * s;
                let start = (start as isize + x_off) as usize;
                let dst = &mut seg[a - ox..z - ox];
                if s == 1 {
                    dst.copy_from_slice(&plane[start..start + (z - a)]);
                } else if s == 2 {
                    let src = &plane[start..start + 2 * (z - a) - 1];
                    strided2(src, dst);
                } else {
                    for (i, v) in dst.iter_mut().enumerate() {
                        *v = plane[start + i * s];
                    }
                }
            }
            done += len;
            ox = 0;
            oy += 1;
        }
        row[n..].fill(0.0);
    }
}

/// dst[i] = src[2 i]; `src.len() == 2 * dst.len() - 1`.
fn strided2(src: &[f32], dst: &mut [f32]) {
    for (d, pair) in dst.iter_mut().zip(src.chunks(2)) {
        *d = pair[0];
    }
}
