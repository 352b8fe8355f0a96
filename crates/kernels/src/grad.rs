//! Gradients of convolutions.

use crate::conv::{Conv, ConvTransposed, Extra};
use crate::gemm::{self, Store};
use crate::implicit::{Dims, Input};
use crate::isa;
use crate::pool::{Output, Ptr, par_for, round_up, threads};
use crate::spec::ConvSpec;
use candle_core::{Result, bail};

/// Gradient of a convolution's input, `[batch, c_in, dims]`, from that of its output `grad` and its weights
/// (`[c_out, c_in / groups, kernel]`).
pub(crate) fn conv_input(
    spec: &ConvSpec,
    kernel: Dims,
    (c_in, c_out): (usize, usize),
    weight: &[f32],
    grad: Input,
    dims: Dims,
) -> Result<Vec<f32>> {
    let g = spec.groups;
    let reach: Dims = std::array::from_fn(|a| (kernel[a] - 1) * spec.dilation[a]);
    if spec.stride == [1; 3] && g == 1 && (0..3).all(|a| reach[a] >= spec.padding[a]) {
        // A convolution of the gradient with the flipped, transposed kernel, which may run as Winograd.
        let back = ConvSpec { padding: std::array::from_fn(|a| reach[a] - spec.padding[a]), ..*spec };
        let conv = Conv::new(back, kernel, c_out, c_in, weight.len())?.once();
        if conv.is_winograd(grad.batch, grad.dims)? {
            let flipped = |i: usize, o: usize| std::array::from_fn(|t| weight[(o * c_in + i) * 9 + 8 - t]);
            return conv.winograd_with(flipped, grad);
        }
    }
    // The adjoint of a convolution is the transposed one, with the same weights in the same order.
    ConvTransposed::new(ConvSpec { out_padding: [0; 3], ..*spec }, kernel, c_out, c_in, weight)?.forward_to(
        grad,
        dims,
        Extra::default(),
    )
}

/// Pixels of a sum that stay in the cache.
const CHUNK: usize = 512;

/// Gradient of a convolution's weights, `[c_out, c_in / groups, kernel]`, from its input and the gradient of its output.
///
/// For each tap this is a product over pixels: output channels x pixels times pixels x input channels. The gradient is
/// packed like weights; the input is turned to channels last, with its zero border, so that the pixels of a tap are rows
/// at fixed offsets, whatever the stride.
pub(crate) fn conv_weight(
    spec: &ConvSpec,
    kernel: Dims,
    (c_in, c_out): (usize, usize),
    x: Input,
    grad: Input,
) -> Result<Vec<f32>> {
    let g = spec.groups;
    let (ci, co) = (c_in / g, c_out / g);
    let isa = isa::current();
    let out = grad.dims;
    let (pix, pixels): (usize, usize) = (out.iter().product(), x.dims.iter().product());
    assert_eq!(x.x.len(), x.batch * c_in * pixels, "input and its dimensions");
    assert_eq!(grad.x.len(), x.batch * c_out * pix, "gradient and its dimensions");
    let reach: Dims = std::array::from_fn(|a| (kernel[a] - 1) * spec.dilation[a]);
    // Only what the windows touch.
    let padded: Dims = std::array::from_fn(|a| out[a].saturating_sub(1) * spec.stride[a] + reach[a] + 1);
    let lanes = gemm::lanes(isa);
    let ld = round_up(ci, lanes);
    let image: usize = padded.iter().product::<usize>() * ld;
    if image >= u32::MAX as usize {
        bail!("the gradient of a convolution over {:?} points and {c_in} channels is too large", x.dims);
    }
    let taps: usize = kernel.iter().product();
    let mut dw = vec![0f32; c_out * ci * taps];
    if x.batch == 0 || pix == 0 || dw.is_empty() {
        return Ok(dw);
    }

    // Channels last, one row of columns a task.
    let mut last = Output::new(&[x.batch, g, image])?;
    let to = last.ptr();
    let rows = padded[0] * padded[1];
    par_for(x.batch * g * rows, |task| {
        let (outer, row) = (task / rows, task % rows);
        let (pz, py) = (row / padded[1], row % padded[1]);
        // SAFETY: one row of pixels a task, written whole.
        let dst = unsafe {
            let at = outer * image + row * padded[2] * ld;
            std::ptr::write_bytes(to.at(at), 0, padded[2] * ld);
            to.slice(at, padded[2] * ld)
        };
        let (z, y) = (pz.wrapping_sub(spec.padding[0]), py.wrapping_sub(spec.padding[1]));
        if z >= x.dims[0] || y >= x.dims[1] {
            return;
        }
        let lo = spec.padding[2].min(padded[2]);
        let n = x.dims[2].min(padded[2] - lo);
        // Tiles of 16 pixels keep the written lines in the cache.
        for p0 in (0..n).step_by(16) {
            for c in 0..ci {
                let src =
                    &x.x[((outer * ci + c) * x.dims[0] + z) * x.dims[1] * x.dims[2] + y * x.dims[2]..][..x.dims[2]];
                for p in p0..(p0 + 16).min(n) {
                    dst[(lo + p) * ld + c] = src[p];
                }
            }
        }
    })?;

    // The gradient in panels: [image][group][panel][pixel][row].
    let panels = gemm::panels(co, gemm::block(isa).0);
    let mut packed = Output::new(&[x.batch, c_out, pix])?;
    let to = packed.ptr();
    let all = &panels;
    par_for(x.batch * g * panels.len(), |task| {
        let (outer, (first, rows)) = (task / all.len(), all[task % all.len()]);
        let base = (outer * co + first) * pix;
        // SAFETY: one panel a task, written whole.
        unsafe { gemm::interleave(isa, &grad.x[base..][..rows * pix], rows, to.at(base)) };
    })?;

    let off: Vec<u32> = ConvSpec::taps(out)
        .map(|o| {
            (((o[0] * spec.stride[0] * padded[1] + o[1] * spec.stride[1]) * padded[2] + o[2] * spec.stride[2]) * ld)
                as u32
        })
        .collect();
    let shifts: Vec<usize> = ConvSpec::taps(kernel)
        .map(|t| {
            let d = spec.dilation;
            ((t[0] * d[0] * padded[1] + t[1] * d[1]) * padded[2] + t[2] * d[2]) * ld
        })
        .collect();
    // Sums as [group][tap][c_out][ld], one (panels, taps) part a task.
    let mut sums = vec![0f32; g * taps * co * ld];
    let dst = Ptr(sums.as_mut_ptr());
    let (last, packed) = (last.ptr(), packed.ptr());
    let parts = (2 * threads()).min(panels.len()).max(1);
    let tap_parts = (2 * threads()).div_ceil(parts * g).min(taps);
    par_for(g * parts * tap_parts, |task| {
        let (task, tp) = (task / tap_parts, task % tap_parts);
        let (group, part) = (task / parts, task % parts);
        let mine = &all[part * all.len() / parts..(part + 1) * all.len() / parts];
        for b in 0..x.batch {
            let outer = b * g + group;
            for p0 in (0..pix).step_by(CHUNK) {
                let off = &off[p0..(p0 + CHUNK).min(pix)];
                for t in tp * taps / tap_parts..(tp + 1) * taps / tap_parts {
                    for &(first, rows) in mine {
                        // SAFETY: tasks own disjoint (group, tap, panel) parts of the sums; offsets and shifts stay in
                        // the padded image, whose rows are whole vectors.
                        unsafe {
                            let c = dst.at(((group * taps + t) * co + first) * ld);
                            let a = packed.at((outer * co + first) * pix + p0 * rows);
                            let x = last.at(outer * image + shifts[t]);
                            let store = Store { res: c, ..Store::plain(c, ld) };
                            gemm::panel(isa, rows, a, x, off, ci, store);
                        }
                    }
                }
            }
        }
    })?;
    let to = Ptr(dw.as_mut_ptr());
    par_for(c_out, |channel| {
        let (group, o) = (channel / co, channel % co);
        // SAFETY: one output channel a task.
        let dw = unsafe { to.slice(channel * ci * taps, ci * taps) };
        for t in 0..taps {
            let src = &sums[((group * taps + t) * co + o) * ld..][..ci];
            for (i, v) in src.iter().enumerate() {
                dw[i * taps + t] = *v;
            }
        }
    })?;
    Ok(dw)
}

/// Sum over batch and pixels, a channel each: the gradient of a bias.
pub(crate) fn channel_sums(grad: &[f32], batch: usize, channels: usize, pixels: usize) -> Result<Vec<f32>> {
    crate::pool::fill_chunks(&[channels], 1, |c, out| {
        let mut total = 0f64;
        for b in 0..batch {
            total += sum(&grad[(b * channels + c) * pixels..][..pixels]);
        }
        out[0] = total as f32;
    })
}

/// A sum with 16 partial sums in f32 over short runs and f64 between them: vectors, and an error that stays flat.
pub(crate) fn sum(x: &[f32]) -> f64 {
    x.chunks(4096)
        .map(|chunk| {
            let mut s = [0f32; 16];
            let mut whole = chunk.chunks_exact(16);
            for v in &mut whole {
                for l in 0..16 {
                    s[l] += v[l];
                }
            }
            s.iter().chain(whole.remainder()).map(|v| f64::from(*v)).sum::<f64>()
        })
        .sum()
}
