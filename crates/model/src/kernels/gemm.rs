//! The GEMM micro-kernel: C[8 x 48] (+)= A[8 x k] * B[k x 48].
//!
//! * rows of C are output channels, columns are pixels, because in NCHW the pixels are contiguous;
//! * A (weights) is packed once as panels of MR rows, k-major: `a[k * MR + r]`;
//! * B has rows of `ldb` floats: a packed im2col panel, `ldb` = block width;
//! * 8 x 3 accumulators of 16 lanes use 24 of the 32 zmm registers; 3 hold B, and A comes in as
//!   embedded broadcasts. Per k: 24 FMA, 3 vector loads, 8 broadcasts, so the load ports idle half
//!   of the time. Zen 4 retires one 512-bit FMA a cycle, latency 4: 24 chains are plenty.
//! * the last columns use the same code with 2 or 1 vectors (`NV`) and a store mask.

/// Rows of a micro-tile.
pub(crate) const MR: usize = 8;
/// Columns of a full micro-tile.
pub(crate) const NR: usize = 48;

/// What to do with the accumulators.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue {
    /// Start from the C that is there already (second and later K blocks).
    pub(crate) accumulate: bool,
    /// One value per row, already offset to the first row of the tile; may be null.
    pub(crate) bias: *const f32,
    /// Whether max(0, .) is applied at the end.
    pub(crate) relu: bool,
}

/// An instruction set; later ones are better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Isa {
    /// Whatever the build targets.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512F.
    Avx512,
}

/// The best instruction set of this machine; `LIGHTBOX_ISA` (`avx512`, `avx2`, `portable`) lowers it.
pub(crate) fn isa() -> Isa {
    use std::sync::OnceLock;
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(|| {
        #[allow(unused_mut, reason = "other processors have one set only")]
        let mut best = Isa::Portable;
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                best = Isa::Avx2;
            }
            if std::is_x86_feature_detected!("avx512f") {
                best = Isa::Avx512;
            }
        }
        match std::env::var("LIGHTBOX_ISA").as_deref() {
            Ok("portable") => Isa::Portable,
            Ok("avx2") => best.min(Isa::Avx2),
            _ => best,
        }
    })
}

/// One row panel of A times `cols` columns of B.
///
/// # Safety
/// `isa` is one that this machine has. `a`: `k * MR` floats; `b`: `k` rows of `ldb`, readable up to `cols` rounded up to 16;
/// `c`: `rows` rows of `ldc`, writable up to `cols`; `bias`: `rows` floats.
pub(crate) unsafe fn panel(
    isa: Isa,
    a: *const f32,
    b: *const f32,
    ldb: usize,
    k: usize,
    c: *mut f32,
    ldc: usize,
    rows: usize,
    cols: usize,
    ep: Epilogue,
) {
    let mut j = 0;
    while j < cols {
        let n = (cols - j).min(NR);
        // SAFETY: the caller's promise, for the columns from j on.
        unsafe {
            let (b, c) = (b.add(j), c.add(j));
            #[cfg(target_arch = "x86_64")]
            if isa == Isa::Avx512 {
                match n.div_ceil(16) {
                    1 => x86::micro::<1>(a, b, ldb, k, c, ldc, rows, n, ep),
                    2 => x86::micro::<2>(a, b, ldb, k, c, ldc, rows, n, ep),
                    _ => x86::micro::<3>(a, b, ldb, k, c, ldc, rows, n, ep),
                }
                j += n;
                continue;
            }
            // The portable twin works on 16 columns at a time.
            let n16 = n.min(16);
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => x86::portable_avx2(a, b, ldb, k, c, ldc, rows, n16, ep),
                _ => portable::<false>(a, b, ldb, k, c, ldc, rows, n16, ep),
            }
            j += n16;
        }
    }
}

/// Plain Rust, two passes of 4 x 16 accumulators, which the compiler vectorises for whatever it
/// targets; compiled a second time inside a `target_feature(avx2, fma)` function. `FMA` exists
/// because rustc never contracts `a * b + c` itself and `mul_add` is a library call without FMA.
#[inline(always)]
unsafe fn portable<const FMA: bool>(
    a: *const f32,
    b: *const f32,
    ldb: usize,
    k: usize,
    c: *mut f32,
    ldc: usize,
    rows: usize,
    cols: usize,
    ep: Epilogue,
) {
    const W: usize = 16;
    // SAFETY: the caller's promise; fixed-size array views let the compiler drop bounds checks.
    unsafe {
        for half in [0usize, 4] {
            let mut acc = [[0f32; W]; 4];
            for kk in 0..k {
                let bv = &*(b.add(kk * ldb) as *const [f32; W]);
                let av = &*(a.add(kk * MR + half) as *const [f32; 4]);
                for r in 0..4 {
                    for l in 0..W {
                        acc[r][l] = if FMA { av[r].mul_add(bv[l], acc[r][l]) } else { acc[r][l] + av[r] * bv[l] };
                    }
                }
            }
            for r in 0..4 {
                let row = half + r;
                if row >= rows {
                    return;
                }
                for l in 0..cols {
                    let p = c.add(row * ldc + l);
                    let mut x = acc[r][l];
                    if ep.accumulate {
                        x += *p;
                    }
                    if !ep.bias.is_null() {
                        x += *ep.bias.add(row);
                    }
                    *p = if ep.relu { x.max(0.0) } else { x };
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Epilogue, MR};
    use std::arch::x86_64::*;

    /// Mask for vector `v` of a tile that has `cols` valid columns.
    #[inline(always)]
    fn mask(cols: usize, v: usize) -> __mmask16 {
        let left = cols.saturating_sub(v * 16).min(16);
        ((1u32 << left) - 1) as __mmask16
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn portable_avx2(
        a: *const f32,
        b: *const f32,
        ldb: usize,
        k: usize,
        c: *mut f32,
        ldc: usize,
        rows: usize,
        cols: usize,
        ep: Epilogue,
    ) {
        // SAFETY: the caller's promise.
        unsafe { super::portable::<true>(a, b, ldb, k, c, ldc, rows, cols, ep) }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn micro<const NV: usize>(
        mut a: *const f32,
        mut b: *const f32,
        ldb: usize,
        k: usize,
        c: *mut f32,
        ldc: usize,
        rows: usize,
        cols: usize,
        ep: Epilogue,
    ) {
        // SAFETY: the caller's promise; masked loads and stores touch valid columns only.
        unsafe {
            let mut acc = [[_mm512_setzero_ps(); NV]; MR];
            for _ in 0..k {
                let mut bv = [_mm512_setzero_ps(); NV];
                for v in 0..NV {
                    bv[v] = _mm512_loadu_ps(b.add(v * 16));
                }
                for r in 0..MR {
                    let av = _mm512_set1_ps(*a.add(r));
                    for v in 0..NV {
                        acc[r][v] = _mm512_fmadd_ps(av, bv[v], acc[r][v]);
                    }
                }
                a = a.add(MR);
                b = b.add(ldb);
            }
            for r in 0..MR {
                if r >= rows {
                    break;
                }
                for v in 0..NV {
                    let m = mask(cols, v);
                    let at = r * ldc + v * 16;
                    let mut x = acc[r][v];
                    if ep.accumulate {
                        x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(m, c.add(at)));
                    }
                    if !ep.bias.is_null() {
                        x = _mm512_add_ps(x, _mm512_set1_ps(*ep.bias.add(r)));
                    }
                    if ep.relu {
                        x = _mm512_max_ps(x, _mm512_setzero_ps());
                    }
                    _mm512_mask_storeu_ps(c.add(at), m, x);
                }
            }
        }
    }
}

/// Packs a row-major `rows x k` matrix (row stride `lda`) into panels of MR rows, zero padded.
pub(crate) fn pack_a(src: &[f32], lda: usize, rows: usize, k: usize) -> Vec<f32> {
    let mut out = vec![0f32; rows.div_ceil(MR) * k * MR];
    for (p, panel) in out.chunks_exact_mut(k * MR).enumerate() {
        for r in 0..MR.min(rows - p * MR) {
            let row = &src[(p * MR + r) * lda..][..k];
            for (kk, &x) in row.iter().enumerate() {
                panel[kk * MR + r] = x;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_multiplies_alike() {
        let (k, cols, rows, ldb, ldc) = (37, 53, 5, 64, 60);
        let a: Vec<f32> = (0..k * MR).map(|i| ((i * 37) % 19) as f32 - 9.0).collect();
        let b: Vec<f32> = (0..k * ldb).map(|i| ((i * 53) % 23) as f32 - 11.0).collect();
        let bias = [1.0f32, -2.0, 3.0, -4.0, 5.0, 0.0, 0.0, 0.0];
        for set in [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|set| *set <= isa()) {
            for relu in [false, true] {
                let mut c = vec![7f32; rows * ldc];
                let ep = Epilogue { accumulate: true, bias: bias.as_ptr(), relu };
                // SAFETY: the buffers have the sizes that `panel` asks for.
                unsafe { panel(set, a.as_ptr(), b.as_ptr(), ldb, k, c.as_mut_ptr(), ldc, rows, cols, ep) };
                for r in 0..rows {
                    for j in 0..ldc {
                        // Small whole numbers: exact in f32 in any order.
                        let product: f32 = (0..k).map(|i| a[i * MR + r] * b[i * ldb + j]).sum();
                        let mut expected = if j < cols { product + 7.0 + bias[r] } else { 7.0 };
                        if relu && j < cols {
                            expected = expected.max(0.0);
                        }
                        assert_eq!(c[r * ldc + j], expected, "{set:?} row {r} column {j}");
                    }
                }
            }
        }
    }
}
