//! Threads, uninitialised buffers, per-thread scratch.

use std::cell::RefCell;

/// A raw pointer that may cross threads. Every user writes disjoint parts through it.
#[derive(Clone, Copy)]
pub(crate) struct Ptr(pub(crate) *mut f32);
// SAFETY: a plain address; whoever dereferences it says why no other thread touches that part.
unsafe impl Send for Ptr {}
// SAFETY: as above.
unsafe impl Sync for Ptr {}
impl Ptr {
    /// # Safety
    /// `i` must stay inside the allocation.
    #[inline(always)]
    pub(crate) unsafe fn at(self, i: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(i) }
    }
}

/// A buffer that is about to be overwritten completely: skips the zero fill, which would touch
/// (and page-fault) every page once more than needed, on a single thread.
pub(crate) fn uninit(len: usize) -> Vec<f32> {
    let mut v = Vec::with_capacity(len);
    #[allow(clippy::uninit_vec, reason = "skipping the fill is the purpose")]
    // SAFETY: f32 has no invalid bit patterns and every kernel writes all of its output.
    unsafe {
        v.set_len(len);
    };
    v
}

/// Threads of the pool that the kernels run on.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// Runs `f(i)` for `i in 0..n` on the rayon pool that candle's convolutions and gemm use too.
/// Single items may be stolen (`with_max_len(1)`): they are large, so this balances two cores well.
pub(crate) fn par_for(n: usize, f: impl Fn(usize) + Sync + Send) {
    use rayon::prelude::*;
    if n <= 1 || threads() == 1 {
        (0..n).for_each(f);
    } else {
        (0..n).into_par_iter().with_max_len(1).for_each(f);
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Lends a scratch buffer of at least `len` floats (64-byte aligned start, contents undefined).
/// Buffers go back to a per-thread stack, so that steady state allocates (and page-faults) nothing.
pub(crate) fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buf = SCRATCH.with(|s| s.borrow_mut().pop()).unwrap_or_default();
    if buf.len() < len + 16 {
        buf = uninit(len + 16);
    }
    let shift = buf.as_ptr().align_offset(64).min(16);
    let r = f(&mut buf[shift..shift + len]);
    SCRATCH.with(|s| s.borrow_mut().push(buf));
    r
}

/// The next multiple of `to`.
pub(crate) fn round_up(x: usize, to: usize) -> usize {
    x.div_ceil(to) * to
}
