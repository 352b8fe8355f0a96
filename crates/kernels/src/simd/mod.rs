//! Vectors of f32, one type per instruction set, behind one trait: the algorithms are written once.
//!
//! All methods are `inline(always)`: they become single instructions inside the functions that
//! [`by_isa!`](crate::isa::by_isa) compiles with the set's features.

#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

/// A vector of [`LANES`](Simd::LANES) numbers and the size of the register block that suits the set.
///
/// # Safety
/// Every method may only run where the set's features are there, and pointers must be good for what is read or written.
#[allow(clippy::missing_safety_doc, reason = "stated once, above")]
pub(crate) trait Simd: Copy + 'static {
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows of the register block of the matrix product.
    const MR: usize;
    /// Vectors in a row of it: `MR * NV` accumulators, `NV` loaded and one broadcast must fit the registers.
    const NV: usize;
    /// Whether a number can be multiplied and added in one step.
    const FMA: bool;
    type V: Copy;

    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(p: *const f32) -> Self::V;
    /// The first `n <= LANES` numbers, zero beyond; reads nothing beyond.
    unsafe fn load_part(p: *const f32, n: usize) -> Self::V;
    unsafe fn store(p: *mut f32, v: Self::V);
    /// Writes the first `n <= LANES` numbers and nothing beyond.
    unsafe fn store_part(p: *mut f32, v: Self::V, n: usize);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a * b`.
    unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger; `b` where either is not a number, so that `max(0, x)` lets NaN through.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; `b` where either is not a number.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// Lanes from 1 on, then `next`.
    unsafe fn shift(a: Self::V, next: f32) -> Self::V;
    /// `out[j][l] = in[4 l + j]` over `4 * LANES` numbers.
    unsafe fn deinterleave4(v: [Self::V; 4]) -> [Self::V; 4];
    /// The inverse of [`deinterleave4`](Simd::deinterleave4).
    unsafe fn interleave4(v: [Self::V; 4]) -> [Self::V; 4];
}
