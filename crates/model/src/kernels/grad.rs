//! Gradients of conv2d.

use super::conv2d::{Conv2dParams, PackedConv2d};
use super::gemm::{Isa, MR, NR, isa};
use super::threads::{Ptr, par_for, round_up, uninit};
use rayon::prelude::*;

/// w[co][ci][y][x] -> [ci][co][k-1-y][k-1-x].
pub(crate) fn flip_transpose(w: &[f32], p: &Conv2dParams) -> Vec<f32> {
    let kk = p.k_h * p.k_w;
    let mut t = uninit(w.len());
    for co in 0..p.c_out {
        for ci in 0..p.c_in {
            let src = &w[(co * p.c_in + ci) * kk..][..kk];
            let dst = &mut t[(ci * p.c_out + co) * kk..][..kk];
            dst.iter_mut().zip(src.iter().rev()).for_each(|(d, s)| *d = *s);
        }
    }
    t
}

/// Gradient of the input for any stride: columns = W' * gy (a 1x1 convolution), then col2im.
/// Materialises the columns of one image; only strided layers come here.
pub(crate) fn input_col2im(p: &Conv2dParams, w: &[f32], gy: &[f32], b: usize, h: usize, wd: usize) -> Vec<f32> {
    let (oh, ow) = p.out(h, wd);
    let (k, pix, kk) = (p.k(), oh * ow, p.k_h * p.k_w);
    let mut wt = uninit(w.len());
    for co in 0..p.c_out {
        for i in 0..k {
            wt[i * p.c_out + co] = w[co * k + i];
        }
    }
    let one = Conv2dParams { c_in: p.c_out, c_out: k, k_h: 1, k_w: 1, stride: 1, padding: 0, dilation: 1 };
    let gemm = PackedConv2d::new(one, &wt, None);
    let mut gx = vec![0f32; b * p.c_in * h * wd];
    for bi in 0..b {
        let cols = gemm.forward(&gy[bi * p.c_out * pix..][..p.c_out * pix], 1, oh, ow, false);
        let dst = Ptr(gx.as_mut_ptr());
        par_for(p.c_in, |c| {
            // SAFETY: one plane per task.
            let plane = unsafe { std::slice::from_raw_parts_mut(dst.at((bi * p.c_in + c) * h * wd), h * wd) };
            for t in 0..kk {
                let (ky, kx) = (t / p.k_w, t % p.k_w);
                let col = &cols[(c * kk + t) * pix..][..pix];
                for oy in 0..oh {
                    let iy = (oy * p.stride + ky * p.dilation) as isize - p.padding as isize;
                    if iy < 0 || iy >= h as isize {
                        continue;
                    }
                    let row = &mut plane[iy as usize * wd..][..wd];
                    for ox in 0..ow {
                        let ix = (ox * p.stride + kx * p.dilation) as isize - p.padding as isize;
                        if ix >= 0 && ix < wd as isize {
                            row[ix as usize] += col[oy * ow + ox];
                        }
                    }
                }
            }
        });
    }
    gx
}

/// Gradient of the weights: dW'[k][co] = sum over pixels of x(k, pixel) * gy(pixel, co).
///
/// The GEMM contracts over pixels. gy is transposed once to [pixel][co]; the im2col side needs no
/// packing at all, because its rows are runs of the zero-padded image and are only broadcast one
/// float at a time: eight row pointers replace the packed A panel.
pub(crate) fn weight(p: &Conv2dParams, x: &[f32], gy: &[f32], b: usize, h: usize, w: usize) -> Vec<f32> {
    let (oh, ow) = p.out(h, w);
    let (k, pix, kk) = (p.k(), oh * ow, p.k_h * p.k_w);
    let (ph, pw) = (h + 2 * p.padding, w + 2 * p.padding);
    // Padded image; the odd plane size keeps channels from landing in the same cache sets.
    let plane = ph * pw + 16;
    let mut xp = vec![0f32; b * p.c_in * plane];
    let dst = Ptr(xp.as_mut_ptr());
    par_for(b * p.c_in, |i| {
        for y in 0..h {
            // SAFETY: one plane per task.
            unsafe {
                let d = dst.at(i * plane + (y + p.padding) * pw + p.padding);
                std::ptr::copy_nonoverlapping(x.as_ptr().add((i * h + y) * w), d, w);
            }
        }
    });
    // gy transposed, channels padded to whole vectors.
    let ldc = round_up(p.c_out, 16);
    let mut gt = uninit(b * pix * ldc);
    let dst = Ptr(gt.as_mut_ptr());
    const PX: usize = 64;
    let chunks = pix.div_ceil(PX);
    par_for(b * chunks, |i| {
        let (bi, p0) = (i / chunks, (i % chunks) * PX);
        let n = PX.min(pix - p0);
        // SAFETY: one pixel range per task.
        let d = unsafe { std::slice::from_raw_parts_mut(dst.at((bi * pix + p0) * ldc), n * ldc) };
        for c in 0..ldc {
            if c < p.c_out {
                let s = &gy[(bi * p.c_out + c) * pix + p0..][..n];
                (0..n).for_each(|q| d[q * ldc + c] = s[q]);
            } else {
                (0..n).for_each(|q| d[q * ldc + c] = 0.0);
            }
        }
    });
    // Row pointers of the im2col matrix, relative to an image.
    let off: Vec<usize> = (0..round_up(k, MR))
        .map(|i| {
            let i = i.min(k - 1);
            let (c, ky, kx) = (i / kk, (i / p.k_w) % p.k_h, i % p.k_w);
            c * plane + ky * p.dilation * pw + kx * p.dilation
        })
        .collect();
    let mut dwt = vec![0f32; off.len() * ldc];
    let dst = Ptr(dwt.as_mut_ptr());
    let panels = off.len() / MR;
    // Rows of pixels per pass, so that the gy part (rows * ow * 48 floats) stays in L2.
    let rows = (2048 / ow).clamp(1, oh);
    let group = panels.div_ceil(8 * super::threads::threads()).max(1);
    par_for(panels.div_ceil(group), |g| {
        for bi in 0..b {
            for y0 in (0..oh).step_by(rows) {
                for j in (0..ldc).step_by(NR) {
                    for pan in g * group..((g + 1) * group).min(panels) {
                        // SAFETY: each offset lies in the padded image.
                        let a = std::array::from_fn::<_, MR, _>(|r| unsafe {
                            xp.as_ptr().add(bi * p.c_in * plane + off[pan * MR + r])
                        });
                        let n = NR.min(ldc - j) / 16;
                        // SAFETY: panels are disjoint rows of dwt; offsets stay in the padded image.
                        unsafe {
                            let gt = gt.as_ptr().add(bi * pix * ldc + j);
                            let out = dst.at(pan * MR * ldc + j);
                            let y = (y0, (y0 + rows).min(oh));
                            let geo = Geometry { y, ow, pw, stride: p.stride, ldc };
                            match (isa() == Isa::Avx512, n) {
                                #[cfg(target_arch = "x86_64")]
                                (true, 1) => micro_x86::<1>(&a, gt, out, geo),
                                #[cfg(target_arch = "x86_64")]
                                (true, 2) => micro_x86::<2>(&a, gt, out, geo),
                                #[cfg(target_arch = "x86_64")]
                                (true, _) => micro_x86::<3>(&a, gt, out, geo),
                                _ => micro_portable(&a, gt, out, geo, n * 16),
                            }
                        }
                    }
                }
            }
        }
    });
    let mut dw = uninit(p.c_out * k);
    for i in 0..k {
        for co in 0..p.c_out {
            dw[co * k + i] = dwt[i * ldc + co];
        }
    }
    dw
}

#[derive(Clone, Copy)]
struct Geometry {
    y: (usize, usize),
    ow: usize,
    pw: usize,
    stride: usize,
    ldc: usize,
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn micro_x86<const NV: usize>(a: &[*const f32; MR], gt: *const f32, out: *mut f32, g: Geometry) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's promise: rows and columns of `g` stay inside all three buffers.
    unsafe {
        let mut acc = [[_mm512_setzero_ps(); NV]; MR];
        for r in 0..MR {
            for v in 0..NV {
                acc[r][v] = _mm512_loadu_ps(out.add(r * g.ldc + v * 16));
            }
        }
        for y in g.y.0..g.y.1 {
            let mut b = gt.add(y * g.ow * g.ldc);
            let base = y * g.stride * g.pw;
            let mut i = 0;
            for _ in 0..g.ow {
                let mut bv = [_mm512_setzero_ps(); NV];
                for v in 0..NV {
                    bv[v] = _mm512_loadu_ps(b.add(v * 16));
                }
                for r in 0..MR {
                    let av = _mm512_set1_ps(*a[r].add(base + i));
                    for v in 0..NV {
                        acc[r][v] = _mm512_fmadd_ps(av, bv[v], acc[r][v]);
                    }
                }
                i += g.stride;
                b = b.add(g.ldc);
            }
        }
        for r in 0..MR {
            for v in 0..NV {
                _mm512_storeu_ps(out.add(r * g.ldc + v * 16), acc[r][v]);
            }
        }
    }
}

unsafe fn micro_portable(a: &[*const f32; MR], gt: *const f32, out: *mut f32, g: Geometry, n: usize) {
    for r in 0..MR {
        for j in (0..n).step_by(16) {
            let mut acc = [0f32; 16];
            // SAFETY: as for the AVX-512 twin.
            unsafe {
                for y in g.y.0..g.y.1 {
                    for x in 0..g.ow {
                        let av = *a[r].add(y * g.stride * g.pw + x * g.stride);
                        let bv = &*(gt.add((y * g.ow + x) * g.ldc + j) as *const [f32; 16]);
                        for l in 0..16 {
                            acc[l] += av * bv[l];
                        }
                    }
                }
                for l in 0..16 {
                    *out.add(r * g.ldc + j + l) += acc[l];
                }
            }
        }
    }
}

/// `grad_y` where `y > 0`, else 0.
pub(crate) fn relu(y: &[f32], grad_y: &[f32]) -> Vec<f32> {
    const CHUNK: usize = 1 << 16;
    let mut out = uninit(y.len());
    out.par_chunks_mut(CHUNK).zip(y.par_chunks(CHUNK)).zip(grad_y.par_chunks(CHUNK)).for_each(|((d, y), g)| {
        for ((d, y), g) in d.iter_mut().zip(y).zip(g) {
            *d = if *y > 0.0 { *g } else { 0.0 };
        }
    });
    out
}

/// Sum over images and pixels, per channel; `g`: images x channels x pixels.
pub(crate) fn channel_sums(g: &[f32], channels: usize, pixels: usize) -> Vec<f32> {
    (0..channels)
        .into_par_iter()
        .map(|channel| {
            let mut total = 0f64;
            for image in g.chunks_exact(channels * pixels) {
                for chunk in image[channel * pixels..][..pixels].chunks(4096) {
                    // 16 partial sums vectorise; f64 between chunks keeps the error flat.
                    let mut sums = [0f32; 16];
                    let mut groups = chunk.chunks_exact(16);
                    for group in &mut groups {
                        (0..16).for_each(|lane| sums[lane] += group[lane]);
                    }
                    total += sums.iter().chain(groups.remainder()).map(|v| f64::from(*v)).sum::<f64>();
                }
            }
            total as f32
        })
        .collect()
}
