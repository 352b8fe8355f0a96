//! The matrix product under all convolutions: a register block of `rows x columns` accumulators.
//!
//! `C[r][j] = sum over i of A[i][r] * B[off[i] + j]`: rows of C are output channels, columns are pixels, because in NCHW
//! pixels are contiguous. A holds packed weights, `R` rows a panel, one step of the sum after the other. The rows of B
//! are runs of memory anywhere: `off` says where each begins. So the same product multiplies packed matrices, planes
//! of a Winograd transform, and windows into a padded image, without an im2col matrix.

use crate::isa::{Isa, by_isa};
use crate::simd::Simd;

/// What follows a layer at once, on the numbers in the registers.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Act {
    /// Nothing.
    #[default]
    None,
    /// `max(0, x)`.
    Relu,
    /// `min(max(0, x), 6)`.
    Relu6,
    /// `max(x, slope * x)` for a slope in 0..1.
    Leaky(f32),
}

impl Act {
    /// The function for one number.
    #[inline(always)]
    pub fn apply(self, x: f32) -> f32 {
        // Comparisons written so that NaN passes.
        let relu = |x: f32| if x < 0.0 { 0.0 } else { x };
        match self {
            Self::None => x,
            Self::Relu => relu(x),
            Self::Relu6 => {
                let x = relu(x);
                if x > 6.0 { 6.0 } else { x }
            }
            Self::Leaky(slope) => {
                if x < 0.0 {
                    slope * x
                } else {
                    x
                }
            }
        }
    }

    /// The function for a vector.
    ///
    /// # Safety
    /// The set's features must be there.
    #[inline(always)]
    pub(crate) unsafe fn vector<S: Simd>(self, x: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::None => x,
                Self::Relu => S::max(S::splat(0.0), x),
                Self::Relu6 => S::min(S::splat(6.0), S::max(S::splat(0.0), x)),
                Self::Leaky(slope) => S::max(S::mul(S::splat(slope), x), x),
            }
        }
    }
}

/// Where a product goes and what is added on the way.
#[derive(Clone, Copy)]
pub(crate) struct Store {
    /// First number of C.
    pub(crate) c: *mut f32,
    /// Distance of its rows.
    pub(crate) ldc: usize,
    /// One number a row, or null.
    pub(crate) bias: *const f32,
    /// Numbers to add, placed like C, or null.
    pub(crate) res: *const f32,
    /// The last step.
    pub(crate) act: Act,
    /// Whether long sums are to be as exact as can be.
    pub(crate) exact: bool,
}

impl Store {
    /// Plain numbers to `c`.
    pub(crate) fn plain(c: *mut f32, ldc: usize) -> Self {
        Self { c, ldc, bias: std::ptr::null(), res: std::ptr::null(), act: Act::None, exact: false }
    }
}

/// Rows and columns of the register block.
pub(crate) fn block(isa: Isa) -> (usize, usize) {
    fn of<S: Simd>() -> (usize, usize) {
        (S::MR, S::NV * S::LANES)
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => of::<crate::simd::Avx512>(),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => of::<crate::simd::Avx2>(),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => of::<crate::simd::Neon>(),
        _ => of::<crate::simd::Portable>(),
    }
}

/// Numbers in a vector.
pub(crate) fn lanes(isa: Isa) -> usize {
    match isa {
        Isa::Avx512 => 16,
        Isa::Avx2 => 8,
        Isa::Neon | Isa::Portable => 4,
    }
}

/// Cuts `rows` into panels of at most `most` rows, as even as can be: (first row, rows).
pub(crate) fn panels(rows: usize, most: usize) -> Vec<(usize, usize)> {
    let count = rows.div_ceil(most);
    (0..count).map(|i| (i * rows / count, (i + 1) * rows / count - i * rows / count)).collect()
}

/// Packs a matrix (`at(row, i)`, `rows x k`) panel by panel; panel `(first, _)` begins at `first * k`.
pub(crate) fn pack(panels: &[(usize, usize)], k: usize, at: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let mut out = Vec::with_capacity(panels.iter().map(|p| p.1).sum::<usize>() * k);
    for &(first, rows) in panels {
        for i in 0..k {
            out.extend((first..first + rows).map(|r| at(r, i)));
        }
    }
    out
}

by_isa! {
    /// Packs `rows` rows of `x`, all as long, into a panel: `to[i * rows + r] = x[r][i]`.
    fn interleave(x: &[f32], rows: usize, to: *mut f32) = crate::gemm::interleave_generic
}

/// Packs a panel.
///
/// # Safety
/// `to` must be good for as many numbers as `x` has, and nobody else may use them meanwhile.
#[inline(always)]
pub(crate) unsafe fn interleave_generic<S: Simd>(x: &[f32], rows: usize, to: *mut f32) {
    /// Rows in registers, so that what is written is in order.
    #[inline(always)]
    unsafe fn each<const R: usize>(x: &[f32], to: *mut f32) {
        let n = x.len() / R;
        for i in 0..n {
            for r in 0..R {
                // SAFETY: i < n and r < R.
                unsafe { *to.add(i * R + r) = *x.get_unchecked(r * n + i) };
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        match rows {
            1 => each::<1>(x, to),
            2 => each::<2>(x, to),
            3 => each::<3>(x, to),
            4 => each::<4>(x, to),
            5 => each::<5>(x, to),
            6 => each::<6>(x, to),
            7 => each::<7>(x, to),
            8 => each::<8>(x, to),
            _ => debug_assert!(false, "no panel of {rows} rows"),
        }
    }
}

by_isa! {
    /// One panel of A times `cols` columns of B; see [`panel_generic`].
    fn panel(rows: usize, a: *const f32, b: *const f32, off: &[u32], cols: usize, to: Store) = crate::gemm::panel_generic
}

/// One panel of A (`rows`, packed) times `cols` columns of B.
///
/// # Safety
/// `a`: `rows * off.len()` numbers. `b`: at each offset, readable up to `cols` rounded up to whole vectors. `to.c` and
/// `to.res`: `rows` rows of `ldc`, good up to `cols`; `to.bias`: `rows` numbers. `rows` is at most the set's `MR`.
#[inline(always)]
pub(crate) unsafe fn panel_generic<S: Simd>(
    rows: usize,
    a: *const f32,
    b: *const f32,
    off: &[u32],
    cols: usize,
    to: Store,
) {
    debug_assert!(rows >= 1 && rows <= S::MR);
    // Tiles of as many vectors as can be, as even as can be.
    let vectors = cols.div_ceil(S::LANES);
    let full = vectors.div_ceil(vectors.div_ceil(S::NV).max(1)) * S::LANES;
    let mut j = 0;
    while j < cols {
        let n = (cols - j).min(full);
        // SAFETY: the caller's promise for the columns from j on.
        unsafe {
            let mut to = to;
            to.c = to.c.add(j);
            if !to.res.is_null() {
                to.res = to.res.add(j);
            }
            tile::<S>(rows, n.div_ceil(S::LANES), a, b.add(j), off, n, to);
        }
        j += n;
    }
}

/// Picks the register block for a number of rows and vectors.
#[inline(always)]
unsafe fn tile<S: Simd>(
    rows: usize,
    vectors: usize,
    a: *const f32,
    b: *const f32,
    off: &[u32],
    cols: usize,
    to: Store,
) {
    macro_rules! pick {
        ($(($r:literal $n:literal))*) => {
            match (rows, vectors) {
                // The guards are constants: a set compiles only the blocks that fit it.
                $(($r, $n) if $r <= S::MR && $n <= S::NV => {
                    // SAFETY: the caller's promise.
                    unsafe { micro::<S, $r, $n>(a, b, off, cols, to) }
                })*
                _ => debug_assert!(false, "no register block of {rows} x {vectors}"),
            }
        };
    }
    pick!((1 1)(2 1)(3 1)(4 1)(5 1)(6 1)(7 1)(8 1)(1 2)(2 2)(3 2)(4 2)(5 2)(6 2)(7 2)(8 2)
          (1 3)(2 3)(3 3)(4 3)(5 3)(6 3)(7 3)(8 3));
}

/// Products that are summed up one after the other at most.
///
/// A sum of n numbers in parts of b has a rounding error of about `sqrt(b / 2 + n / 2 b)` units, one after the other of
/// `sqrt(n / 2)`: for the 4608 products of a 3 x 3 layer over 512 channels 9 units, not 48.
pub(crate) const PART: usize = 128;

/// The same for an exact product, whose parts are summed up with what was rounded off (Kahan), so that only the error of
/// a part is left: 3 units.
pub(crate) const EXACT_PART: usize = 16;

/// The register block.
#[inline(always)]
unsafe fn micro<S: Simd, const R: usize, const NV: usize>(
    mut a: *const f32,
    b: *const f32,
    off: &[u32],
    cols: usize,
    to: Store,
) {
    // Parts as even as can be.
    let most = if to.exact { EXACT_PART } else { PART };
    let part = off.len().div_ceil(off.len().div_ceil(most).max(1));
    let mut rest = off;
    // SAFETY: the caller's promise; the last vector is stored in part.
    unsafe {
        let mut sum = [[S::splat(0.0); NV]; R];
        // What was added too much.
        let mut over = sum;
        while rest.len() > part {
            let (now, later) = rest.split_at(part);
            let acc = products::<S, R, NV>(a, b, now);
            if to.exact {
                for r in 0..R {
                    for v in 0..NV {
                        let new = S::sub(acc[r][v], over[r][v]);
                        let next = S::add(sum[r][v], new);
                        over[r][v] = S::sub(S::sub(next, sum[r][v]), new);
                        sum[r][v] = next;
                    }
                }
            } else {
                for r in 0..R {
                    for v in 0..NV {
                        sum[r][v] = S::add(sum[r][v], acc[r][v]);
                    }
                }
            }
            a = a.add(part * R);
            rest = later;
        }
        let acc = products::<S, R, NV>(a, b, rest);
        for r in 0..R {
            for v in 0..NV {
                let at = r * to.ldc + v * S::LANES;
                let n = (cols - v * S::LANES).min(S::LANES);
                let mut x = acc[r][v];
                if off.len() > part {
                    x = S::add(sum[r][v], S::sub(x, over[r][v]));
                }
                if !to.bias.is_null() {
                    x = S::add(x, S::splat(*to.bias.add(r)));
                }
                if n == S::LANES {
                    if !to.res.is_null() {
                        x = S::add(x, S::load(to.res.add(at)));
                    }
                    S::store(to.c.add(at), to.act.vector::<S>(x));
                } else {
                    if !to.res.is_null() {
                        x = S::add(x, S::load_part(to.res.add(at), n));
                    }
                    S::store_part(to.c.add(at), to.act.vector::<S>(x), n);
                }
            }
        }
    }
}

/// One part of the sums. Nothing but the loop, so that the accumulators stay in registers.
#[inline(always)]
unsafe fn products<S: Simd, const R: usize, const NV: usize>(
    mut a: *const f32,
    b: *const f32,
    off: &[u32],
) -> [[S::V; NV]; R] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut acc = [[S::splat(0.0); NV]; R];
        for &o in off {
            let p = b.add(o as usize);
            let mut bv = [S::splat(0.0); NV];
            for v in 0..NV {
                bv[v] = S::load(p.add(v * S::LANES));
            }
            for r in 0..R {
                let av = S::splat(*a.add(r));
                for v in 0..NV {
                    acc[r][v] = S::fma(av, bv[v], acc[r][v]);
                }
            }
            a = a.add(R);
        }
        acc
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa;
    use rand::{Rng, SeedableRng};

    #[test]
    fn products_are_right_for_every_block_and_edge() {
        let mut rng = rand::rngs::SmallRng::seed_from_u64(1);
        for &isa in isa::available() {
            let (mr, nr) = block(isa);
            for rows in 1..=mr {
                for cols in 1..=nr + 3 {
                    let k = rng.random_range(1..9);
                    let a: Vec<f32> = (0..rows * k).map(|_| rng.random_range(-1.0..1.0)).collect();
                    let ld = round(cols, lanes(isa)) + 5;
                    let b: Vec<f32> = (0..k * ld + 64).map(|_| rng.random_range(-1.0..1.0)).collect();
                    let off: Vec<u32> = (0..k).map(|i| (i * ld) as u32).collect();
                    let bias: Vec<f32> = (0..rows).map(|_| rng.random_range(-1.0..1.0)).collect();
                    let res: Vec<f32> = (0..rows * cols).map(|_| rng.random_range(-1.0..1.0)).collect();
                    // One number more than is written, to see that nothing else is.
                    let mut c = vec![7.0f32; rows * cols + 1];
                    for act in [Act::None, Act::Relu, Act::Relu6, Act::Leaky(0.1)] {
                        let to = Store {
                            c: c.as_mut_ptr(),
                            ldc: cols,
                            bias: bias.as_ptr(),
                            res: res.as_ptr(),
                            act,
                            exact: false,
                        };
                        // SAFETY: all buffers are as large as asked for.
                        unsafe { panel(isa, rows, a.as_ptr(), b.as_ptr(), &off, cols, to) };
                        for r in 0..rows {
                            for j in 0..cols {
                                let sum: f64 =
                                    (0..k).map(|i| f64::from(a[i * rows + r]) * f64::from(b[i * ld + j])).sum();
                                let want = act.apply(sum as f32 + bias[r] + res[r * cols + j]);
                                let got = c[r * cols + j];
                                assert!((want - got).abs() < 1e-5, "{isa} {rows} x {cols}: {got}, not {want}");
                            }
                        }
                        assert_eq!(c[rows * cols], 7.0);
                    }
                }
            }
        }
    }

    fn round(x: usize, to: usize) -> usize {
        x.div_ceil(to) * to
    }

    #[test]
    fn nan_passes_through_activations() {
        for act in [Act::None, Act::Relu, Act::Relu6, Act::Leaky(0.1)] {
            assert!(act.apply(f32::NAN).is_nan());
            for &isa in isa::available() {
                let (a, b) = ([1.0f32], vec![f32::NAN; 64]);
                let mut c = [0f32; 20];
                let to = Store { act, ..Store::plain(c.as_mut_ptr(), 20) };
                // SAFETY: one row, one step, 20 columns.
                unsafe { panel(isa, 1, a.as_ptr(), b.as_ptr(), &[0], 20, to) };
                assert!(c.iter().all(|x| x.is_nan()), "{isa} {act:?}");
            }
        }
    }
}
