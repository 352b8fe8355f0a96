//! Four numbers in an array: the compiler makes them a vector of whatever the build targets.

use super::Simd;

/// Plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

type V = [f32; 4];

#[inline(always)]
fn each(a: V, b: V, f: impl Fn(f32, f32) -> f32) -> V {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl Simd for Portable {
    const LANES: usize = 4;
    // Sixteen 128-bit registers: 8 accumulators, 2 loaded, 1 broadcast.
    const MR: usize = 4;
    const NV: usize = 2;
    const FMA: bool = false;
    type V = V;

    #[inline(always)]
    unsafe fn splat(x: f32) -> V {
        [x; 4]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> V {
        // SAFETY: the caller's promise; the read may be unaligned.
        unsafe { p.cast::<V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> V {
        let mut v = [0.0; 4];
        for (i, x) in v.iter_mut().enumerate().take(n) {
            // SAFETY: i < n.
            *x = unsafe { *p.add(i) };
        }
        v
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: V) {
        // SAFETY: the caller's promise; the write may be unaligned.
        unsafe { p.cast::<V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, v: V, n: usize) {
        for (i, x) in v.iter().enumerate().take(n) {
            // SAFETY: i < n.
            unsafe { *p.add(i) = *x };
        }
    }
    #[inline(always)]
    unsafe fn add(a: V, b: V) -> V {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: V, b: V) -> V {
        each(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: V, b: V) -> V {
        each(a, b, |a, b| a * b)
    }
    // Two roundings: `mul_add` is a call into the C library where the build has no FMA.
    #[inline(always)]
    unsafe fn fma(a: V, b: V, c: V) -> V {
        each(each(a, b, |a, b| a * b), c, |p, c| p + c)
    }
    #[inline(always)]
    unsafe fn fnma(a: V, b: V, c: V) -> V {
        each(each(a, b, |a, b| a * b), c, |p, c| c - p)
    }
    #[inline(always)]
    unsafe fn max(a: V, b: V) -> V {
        each(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: V, b: V) -> V {
        each(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn shift(a: V, next: f32) -> V {
        [a[1], a[2], a[3], next]
    }
    #[inline(always)]
    unsafe fn deinterleave4(v: [V; 4]) -> [V; 4] {
        let mut o = [[0.0; 4]; 4];
        for l in 0..4 {
            for j in 0..4 {
                o[j][l] = v[l][j];
            }
        }
        o
    }
    #[inline(always)]
    unsafe fn interleave4(v: [V; 4]) -> [V; 4] {
        // SAFETY: a 4 x 4 transpose is its own inverse.
        unsafe { Self::deinterleave4(v) }
    }
}
