//! AVX2 and AVX-512.
// SAFETY (all blocks of this file): the functions run inside `by_isa!` functions that have the features; pointers are
// the caller's promise; masked loads and stores touch the lanes of their mask only.
#![allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, above")]

use super::Simd;
use std::arch::x86_64::*;

/// AVX2 with FMA: 8 lanes, 16 registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Lanes below `n` all ones.
#[inline(always)]
unsafe fn mask8(n: usize) -> __m256i {
    static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - n.min(8)).cast()) }
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    // 12 accumulators, 2 loaded, 1 broadcast.
    const MR: usize = 6;
    const NV: usize = 2;
    const FMA: bool = true;
    type V = __m256;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> Self::V {
        unsafe { _mm256_maskload_ps(p, mask8(n)) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, v: Self::V, n: usize) {
        unsafe { _mm256_maskstore_ps(p, mask8(n), v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn shift(a: Self::V, next: f32) -> Self::V {
        unsafe {
            let turned = _mm256_permutevar8x32_ps(a, _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0));
            _mm256_blend_ps::<0x80>(turned, _mm256_set1_ps(next))
        }
    }
    #[inline(always)]
    unsafe fn deinterleave4(v: [Self::V; 4]) -> [Self::V; 4] {
        unsafe {
            // Halves of 128 bits are groups of four: bring 0|4, 1|5, 2|6, 3|7 together, then transpose 4 x 4 in halves.
            let p0 = _mm256_permute2f128_ps::<0x20>(v[0], v[2]);
            let p1 = _mm256_permute2f128_ps::<0x31>(v[0], v[2]);
            let p2 = _mm256_permute2f128_ps::<0x20>(v[1], v[3]);
            let p3 = _mm256_permute2f128_ps::<0x31>(v[1], v[3]);
            transpose4(p0, p1, p2, p3)
        }
    }
    #[inline(always)]
    unsafe fn interleave4(v: [Self::V; 4]) -> [Self::V; 4] {
        unsafe {
            let [p0, p1, p2, p3] = transpose4(v[0], v[1], v[2], v[3]);
            [
                _mm256_permute2f128_ps::<0x20>(p0, p1),
                _mm256_permute2f128_ps::<0x20>(p2, p3),
                _mm256_permute2f128_ps::<0x31>(p0, p1),
                _mm256_permute2f128_ps::<0x31>(p2, p3),
            ]
        }
    }
}

/// Transposes the 4 x 4 numbers in each half.
#[inline(always)]
unsafe fn transpose4(a: __m256, b: __m256, c: __m256, d: __m256) -> [__m256; 4] {
    unsafe {
        let (t0, t1) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (t2, t3) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        [
            _mm256_shuffle_ps::<0x44>(t0, t2),
            _mm256_shuffle_ps::<0xee>(t0, t2),
            _mm256_shuffle_ps::<0x44>(t1, t3),
            _mm256_shuffle_ps::<0xee>(t1, t3),
        ]
    }
}

/// AVX-512: 16 lanes, 32 registers, masks.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

#[inline(always)]
fn mask16(n: usize) -> __mmask16 {
    ((1u32 << n.min(16)) - 1) as __mmask16
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    // 24 accumulators, 3 loaded; broadcasts are operands of the multiplication. Zen 4 retires one 512-bit FMA a cycle
    // with a latency of 4, so 24 chains are plenty, and the load ports idle half of the time.
    const MR: usize = 8;
    const NV: usize = 3;
    const FMA: bool = true;
    type V = __m512;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> Self::V {
        unsafe { _mm512_maskz_loadu_ps(mask16(n), p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, v: Self::V, n: usize) {
        unsafe { _mm512_mask_storeu_ps(p, mask16(n), v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn shift(a: Self::V, next: f32) -> Self::V {
        unsafe {
            let (a, next) = (_mm512_castps_si512(a), _mm512_set1_epi32(next.to_bits() as i32));
            _mm512_castsi512_ps(_mm512_alignr_epi32::<1>(next, a))
        }
    }
    #[inline(always)]
    unsafe fn deinterleave4(v: [Self::V; 4]) -> [Self::V; 4] {
        unsafe {
            let (e0, o0) = deinterleave2(v[0], v[1]);
            let (e1, o1) = deinterleave2(v[2], v[3]);
            let (d0, d2) = deinterleave2(e0, e1);
            let (d1, d3) = deinterleave2(o0, o1);
            [d0, d1, d2, d3]
        }
    }
    #[inline(always)]
    unsafe fn interleave4(v: [Self::V; 4]) -> [Self::V; 4] {
        unsafe {
            let (e0, e1) = interleave2(v[0], v[2]);
            let (o0, o1) = interleave2(v[1], v[3]);
            let (z0, z1) = interleave2(e0, o0);
            let (z2, z3) = interleave2(e1, o1);
            [z0, z1, z2, z3]
        }
    }
}

#[inline(always)]
unsafe fn deinterleave2(a: __m512, b: __m512) -> (__m512, __m512) {
    unsafe {
        let ev = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        let od = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        (_mm512_permutex2var_ps(a, ev, b), _mm512_permutex2var_ps(a, od, b))
    }
}

#[inline(always)]
unsafe fn interleave2(a: __m512, b: __m512) -> (__m512, __m512) {
    unsafe {
        let lo = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        let hi = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        (_mm512_permutex2var_ps(a, lo, b), _mm512_permutex2var_ps(a, hi, b))
    }
}
