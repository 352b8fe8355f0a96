//! Layers in bytes: weights rounded to i8 once (one scale an output channel), inputs to u8 at every call (one scale and
//! zero point a tensor), sums in i32, results in f32.
//!
//! Four channels share a 32-bit lane, which is what the processor's dot product of bytes (VNNI) takes at a time. So an
//! input is packed to `[channels / 4, pixels]` lanes and runs through the same windows and register blocks as f32. Where
//! the processor has no VNNI, layers stay in f32.

use crate::gemm::{self, Store};
use crate::pool::{Output, Ptr, par_for};
use candle_core::Result;

/// How the bytes of an input stand for its numbers: `x = (byte - zero) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quantised {
    pub(crate) scale: f32,
    pub(crate) zero: u8,
}

impl Quantised {
    /// Covers a range, zero included, so that a border is exact. Numbers that are not finite make a range of nothing.
    pub(crate) fn covering(low: f32, high: f32) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = (high - low) / 255.0;
        if !(scale > 0.0 && scale.is_finite()) {
            return Self { scale: 1.0, zero: 0 };
        }
        Self { scale, zero: (-low / scale).round().clamp(0.0, 255.0) as u8 }
    }

    fn byte(self, x: f32, inverse: f32) -> u8 {
        // The cast saturates, and makes 0 of NaN.
        (x * inverse + (f32::from(self.zero) + 0.5)) as u8
    }

    /// Four zeros.
    pub(crate) fn border(self) -> f32 {
        f32::from_bits(u32::from_ne_bytes([self.zero; 4]))
    }
}

/// Rounds rows of weights to i8; returns them with a scale for each row.
pub(crate) fn weights(rows: usize, k: usize, at: impl Fn(usize, usize) -> f32) -> (Vec<i8>, Vec<f32>) {
    let (mut bytes, mut scales) = (Vec::with_capacity(rows * k), Vec::with_capacity(rows));
    for r in 0..rows {
        let top = (0..k).map(|i| at(r, i).abs()).fold(0f32, f32::max);
        let scale = if top > 0.0 && top.is_finite() { top / 127.0 } else { 1.0 };
        bytes.extend((0..k).map(|i| (at(r, i) / scale).round() as i8));
        scales.push(scale);
    }
    (bytes, scales)
}

/// Least and largest number, from all threads.
fn range(x: &[f32]) -> Result<(f32, f32)> {
    const CHUNK: usize = 1 << 15;
    let n = x.len().div_ceil(CHUNK);
    let mut found = vec![(0f32, 0f32); n];
    let to = Ptr(found.as_mut_ptr());
    par_for(n, |i| {
        let (mut low, mut high) = ([0f32; 16], [0f32; 16]);
        for run in x[i * CHUNK..((i + 1) * CHUNK).min(x.len())].chunks(16) {
            for (l, v) in run.iter().enumerate() {
                low[l] = low[l].min(*v);
                high[l] = high[l].max(*v);
            }
        }
        let r = (low.into_iter().fold(0.0, f32::min), high.into_iter().fold(0.0, f32::max));
        // SAFETY: one element a task.
        unsafe { *to.at(i) = r };
    })?;
    Ok(found.into_iter().fold((0.0, 0.0), |a, b| (a.0.min(b.0), a.1.max(b.1))))
}

/// Packs `[batch, channels, pixels]` into lanes of four channels, `[batch, channels / 4, pixels]`.
pub(crate) fn pack_image(x: &[f32], batch: usize, channels: usize, pixels: usize) -> Result<(Vec<f32>, Quantised)> {
    let (low, high) = range(x)?;
    let q = Quantised::covering(low, high);
    let inverse = 1.0 / q.scale;
    let lanes = channels.div_ceil(4);
    let mut out = Output::new(&[batch, lanes, pixels])?;
    let to = out.ptr();
    par_for(batch * lanes, |task| {
        let (b, lane) = (task / lanes, task % lanes);
        let count = 4.min(channels - lane * 4);
        let row = |i: usize| {
            let c = lane * 4 + i.min(count - 1);
            &x[(b * channels + c) * pixels..][..pixels]
        };
        let rows = [row(0), row(1), row(2), row(3)];
        for p in 0..pixels {
            // Absent channels repeat the last one; their weights are zero.
            let bytes = [0, 1, 2, 3].map(|i| q.byte(rows[i][p], inverse));
            // SAFETY: one lane of channels a task.
            unsafe { *to.at(task * pixels + p) = f32::from_bits(u32::from_ne_bytes(bytes)) };
        }
    })?;
    // SAFETY: all lanes were written.
    Ok((unsafe { out.finish() }, q))
}

/// Packs `[rows, features]` into lanes of four features, `[features / 4, rows]`.
pub(crate) fn pack_rows(x: &[f32], rows: usize, features: usize) -> Result<(Vec<f32>, Quantised)> {
    assert_eq!(x.len(), rows * features, "numbers and their dimensions");
    let (low, high) = range(x)?;
    let q = Quantised::covering(low, high);
    let inverse = 1.0 / q.scale;
    let lanes = features.div_ceil(4);
    let out = crate::pool::fill_chunks(&[lanes, rows], rows, |lane, out| {
        for (r, o) in out.iter_mut().enumerate() {
            let four = &x[r * features + lane * 4..(r * features + lane * 4 + 4).min((r + 1) * features)];
            let mut bytes = [q.zero; 4];
            bytes.iter_mut().zip(four).for_each(|(b, v)| *b = q.byte(*v, inverse));
            *o = f32::from_bits(u32::from_ne_bytes(bytes));
        }
    })?;
    Ok((out, q))
}

/// What turns sums of bytes into numbers: `(sum - shift[row]) * factor[row]`.
#[derive(Clone, Copy)]
pub(crate) struct Rescale {
    pub(crate) shift: *const i32,
    pub(crate) factor: *const f32,
}

/// One panel of weights (lanes of four, packed like f32) times `cols` columns of lanes.
///
/// # Safety
/// As for [`gemm::panel_generic`], and the processor has AVX-512 VNNI; `by` has a number for each row.
pub(crate) unsafe fn panel(
    rows: usize,
    a: *const f32,
    b: *const f32,
    off: &[u32],
    cols: usize,
    to: Store,
    by: Rescale,
) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise.
    unsafe {
        // As for numbers: tiles as even as can be.
        let vectors = cols.div_ceil(16);
        let full = vectors.div_ceil(vectors.div_ceil(gemm::block(crate::isa::Isa::Avx512).1 / 16).max(1)) * 16;
        let mut j = 0;
        while j < cols {
            let n = (cols - j).min(full);
            let mut to = to;
            to.c = to.c.add(j);
            if !to.res.is_null() {
                to.res = to.res.add(j);
            }
            x86::tile(rows, n.div_ceil(16), a, b.add(j), off, n, to, by);
            j += n;
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (rows, a, b, off, cols, to, by, gemm::block);
        unreachable!("layers in bytes are made where the processor has VNNI only");
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Rescale;
    use crate::gemm::Store;
    use crate::simd::{Avx512, Simd};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
    pub(super) unsafe fn tile(
        rows: usize,
        vectors: usize,
        a: *const f32,
        b: *const f32,
        off: &[u32],
        cols: usize,
        to: Store,
        by: Rescale,
    ) {
        macro_rules! pick {
            ($(($r:literal $n:literal))*) => {
                match (rows, vectors) {
                    // SAFETY: the caller's promise.
                    $(($r, $n) => unsafe { micro::<$r, $n>(a, b, off, cols, to, by) },)*
                    _ => debug_assert!(false, "no register block of {rows} x {vectors}"),
                }
            };
        }
        pick!((1 1)(2 1)(3 1)(4 1)(5 1)(6 1)(7 1)(8 1)(1 2)(2 2)(3 2)(4 2)(5 2)(6 2)(7 2)(8 2)
              (1 3)(2 3)(3 3)(4 3)(5 3)(6 3)(7 3)(8 3));
    }

    #[inline(always)]
    unsafe fn micro<const R: usize, const NV: usize>(
        a: *const f32,
        b: *const f32,
        off: &[u32],
        cols: usize,
        to: Store,
        by: Rescale,
    ) {
        // SAFETY: the caller's promise; the last vector is stored in part.
        unsafe {
            let mut a = a.cast::<i32>();
            let mut acc = [[_mm512_setzero_si512(); NV]; R];
            for &o in off {
                let p = b.add(o as usize);
                let mut bv = [_mm512_setzero_si512(); NV];
                for v in 0..NV {
                    bv[v] = _mm512_loadu_si512(p.add(v * 16).cast());
                }
                for r in 0..R {
                    let av = _mm512_set1_epi32(*a.add(r));
                    for v in 0..NV {
                        acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], bv[v], av);
                    }
                }
                a = a.add(R);
            }
            for r in 0..R {
                let (shift, factor) = (_mm512_set1_epi32(*by.shift.add(r)), _mm512_set1_ps(*by.factor.add(r)));
                for v in 0..NV {
                    let at = r * to.ldc + v * 16;
                    let n = (cols - v * 16).min(16);
                    let mut x = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(acc[r][v], shift)), factor);
                    if !to.bias.is_null() {
                        x = _mm512_add_ps(x, _mm512_set1_ps(*to.bias.add(r)));
                    }
                    if !to.res.is_null() {
                        x = _mm512_add_ps(x, Avx512::load_part(to.res.add(at), n));
                    }
                    Avx512::store_part(to.c.add(at), to.act.vector::<Avx512>(x), n);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_for_their_numbers_and_zero_is_exact() {
        for (low, high) in [(-1.0, 3.0), (0.0, 5.0), (-2.0, 0.0), (0.5, 1.0), (0.0, 0.0), (f32::NAN, f32::INFINITY)] {
            let q = Quantised::covering(low, high);
            let back = |x: f32| (f32::from(q.byte(x, 1.0 / q.scale)) - f32::from(q.zero)) * q.scale;
            assert_eq!(back(0.0), 0.0);
            if low.is_finite() {
                for x in [low.min(0.0), high, (low + high) / 2.0] {
                    assert!((back(x) - x).abs() <= q.scale * 0.51, "{x} of {low}..{high} becomes {}", back(x));
                }
            }
            assert_eq!(q.byte(f32::NAN, 1.0), 0);
        }
    }
}
