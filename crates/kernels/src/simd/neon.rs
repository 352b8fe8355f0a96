//! NEON. Not built on the developers' machines; the same tests run over it where it is.

use super::Simd;
use std::arch::aarch64::*;

/// 128-bit vectors of ARM.
#[derive(Clone, Copy)]
pub(crate) struct Neon;

// SAFETY (all blocks below): NEON is part of the target; pointers are the caller's promise.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, above")]
impl Simd for Neon {
    const LANES: usize = 4;
    // Thirty-two registers: 24 accumulators, 3 loaded, broadcasts.
    const MR: usize = 8;
    const NV: usize = 3;
    const FMA: bool = true;
    type V = float32x4_t;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { vld1q_f32(p) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> Self::V {
        let mut v = [0f32; 4];
        for (i, x) in v.iter_mut().enumerate().take(n) {
            *x = unsafe { *p.add(i) };
        }
        unsafe { vld1q_f32(v.as_ptr()) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe { vst1q_f32(p, v) }
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, v: Self::V, n: usize) {
        let mut a = [0f32; 4];
        unsafe { vst1q_f32(a.as_mut_ptr(), v) };
        for (i, x) in a.iter().enumerate().take(n) {
            unsafe { *p.add(i) = *x };
        }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { vfmsq_f32(c, a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        unsafe { vbslq_f32(vcltq_f32(a, b), a, b) }
    }
    #[inline(always)]
    unsafe fn shift(a: Self::V, next: f32) -> Self::V {
        unsafe { vextq_f32::<1>(a, vdupq_n_f32(next)) }
    }
    #[inline(always)]
    unsafe fn deinterleave4(v: [Self::V; 4]) -> [Self::V; 4] {
        let mut a = [[0f32; 4]; 4];
        for (row, v) in a.iter_mut().zip(v) {
            unsafe { vst1q_f32(row.as_mut_ptr(), v) };
        }
        let t = unsafe { vld4q_f32(a.as_ptr().cast()) };
        [t.0, t.1, t.2, t.3]
    }
    #[inline(always)]
    unsafe fn interleave4(v: [Self::V; 4]) -> [Self::V; 4] {
        unsafe { Self::deinterleave4(v) }
    }
}
