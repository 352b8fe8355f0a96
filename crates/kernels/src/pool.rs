//! Threads, cancellation, and memory that the kernels write from several threads.
//!
//! The kernels run on rayon's current pool, the one that candle's own convolutions and products use too: one pool,
//! sized once by [`configure`]. Work is cut into tasks that depend on the shapes and the number of threads only, and
//! every task writes its own part, so results do not depend on who runs what.

use crate::isa;
use candle_core::{Result, bail};
use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

/// Sizes the pool: all processors but `reserve`, at least one. The first call of the process counts; says whether it
/// was this one.
pub fn configure(reserve: usize) -> bool {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = all.saturating_sub(reserve).max(1);
    rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("kernel {i}")).build_global().is_ok()
}

/// Threads of the pool.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

thread_local! {
    static CANCEL: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
    static SCRATCH: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` inside the pool, so that its layers need not wake the pool one by one. When `cancel` becomes true, the
/// layer that runs stops at its next tile, and it and all later ones return an error.
pub fn run<R: Send>(cancel: Option<&Arc<AtomicBool>>, f: impl FnOnce() -> R + Send) -> R {
    struct Restore(Option<Arc<AtomicBool>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CANCEL.set(self.0.take());
        }
    }
    let chosen = isa::current();
    let cancel = cancel.cloned();
    // A scope runs its body on a thread of the current pool.
    rayon::scope(move |_| {
        let _restore = Restore(CANCEL.replace(cancel));
        isa::with(chosen, f)
    })
}

/// A loop over tasks that threads of the pool help with.
struct Loop {
    tasks: usize,
    next: AtomicUsize,
    /// How many helpers are inside, and [`SHUT`] when the caller has left.
    door: AtomicUsize,
    /// The task. Only a helper that came in before the door was shut may call it.
    task: *const (dyn Fn(usize) + Sync),
    cancel: Option<Arc<AtomicBool>>,
    caller: Thread,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Turns of waiting before a caller sleeps: about 20 us.
const SPIN: u32 = 2000;

const SHUT: usize = 1 << (usize::BITS - 1);

// SAFETY: the task is `Sync`, and `Loop::help` says why it is alive where it is called.
unsafe impl Send for Loop {}
// SAFETY: as above.
unsafe impl Sync for Loop {}

impl Loop {
    fn stopped(&self) -> bool {
        self.cancel.as_ref().is_some_and(|c| c.load(Ordering::Relaxed))
    }

    /// # Safety
    /// The task must be alive.
    unsafe fn work(&self) {
        while !self.stopped() {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            if i >= self.tasks {
                break;
            }
            // SAFETY: the caller's promise.
            unsafe { (*self.task)(i) };
        }
    }

    /// What a thread of the pool does when it comes to it, which may be long after the loop has ended.
    fn help(&self) {
        if self.door.fetch_add(1, Ordering::Acquire) & SHUT == 0 {
            // SAFETY: the door was open, and the caller waits for those inside before it lets go of the task.
            if let Err(e) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| unsafe { self.work() })) {
                *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
            }
        }
        if self.door.fetch_sub(1, Ordering::Release) == SHUT + 1 {
            self.caller.unpark();
        }
    }
}

/// Shuts the door of a loop and waits for the helpers inside, also when a task panics.
struct Shut<'a>(&'a Loop);

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        self.0.door.fetch_or(SHUT, Ordering::AcqRel);
        let mut turns = 0u32;
        while self.0.door.load(Ordering::Acquire) != SHUT {
            // Each is at its last task: soon done, unless the processor was taken from it. Then it needs this one's.
            turns += 1;
            if turns < SPIN { std::hint::spin_loop() } else { std::thread::park() }
        }
    }
}

/// Runs `f(i)` for `i in 0..n`, a task at a time on each thread.
///
/// The caller works too, and waits for nobody who has not begun: a thread that wakes too late finds the door shut. So a
/// short loop costs no more than on one thread.
pub(crate) fn par_for(n: usize, f: impl Fn(usize) + Sync) -> Result<()> {
    let task: &(dyn Fn(usize) + Sync) = &f;
    // SAFETY: only the lifetime changes; `Shut` keeps every call inside of it.
    let task = unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(task) };
    let work = Loop {
        tasks: n,
        next: AtomicUsize::new(0),
        door: AtomicUsize::new(0),
        task,
        cancel: CANCEL.with_borrow(Clone::clone),
        caller: std::thread::current(),
        panic: Mutex::new(None),
    };
    let threads = threads().min(n);
    let stopped = if threads > 1 {
        let work = Arc::new(work);
        for _ in 1..threads {
            let work = work.clone();
            rayon::spawn(move || work.help());
        }
        {
            let _shut = Shut(&work);
            // SAFETY: the task is this function's argument.
            unsafe { work.work() };
        }
        if let Some(e) = work.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
            std::panic::resume_unwind(e);
        }
        work.stopped()
    } else {
        // SAFETY: as above.
        unsafe { work.work() };
        work.stopped()
    };
    if stopped {
        bail!("cancelled");
    }
    Ok(())
}

/// Lends at least `len` numbers, 64-byte aligned; what they hold is left over from others. Buffers go back to their
/// thread, so that a steady state neither allocates nor faults pages in.
///
/// In tests every loan is a buffer of its own, exactly as long, full of NaN: the sanitizer then sees what is touched beyond
/// it, and a result shows what was read before it was written.
pub(crate) fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    if cfg!(test) {
        return f(&mut vec![f32::NAN; len]);
    }
    let mut buf = SCRATCH.with_borrow_mut(|all| {
        // The smallest that is large enough, else a new one.
        let fit = all.iter().enumerate().filter(|(_, b)| b.len() >= len + 16).min_by_key(|(_, b)| b.len());
        match fit.map(|(i, _)| i) {
            Some(i) => all.swap_remove(i),
            None => all.pop().unwrap_or_default(),
        }
    });
    if buf.len() < len + 16 {
        buf = vec![0.0; len + 16];
    }
    let shift = buf.as_ptr().align_offset(64).min(16);
    let r = f(&mut buf[shift..shift + len]);
    SCRATCH.with_borrow_mut(|all| {
        all.push(buf);
        // Nested use needs two or three; more are left over from larger layers.
        if all.len() > 4 {
            all.remove(0);
        }
    });
    r
}

/// An address that may cross threads.
pub(crate) struct Ptr<T = f32>(pub(crate) *mut T);

impl<T> Clone for Ptr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Ptr<T> {}
// SAFETY: a plain address; whoever dereferences it says why no other thread touches that part.
unsafe impl<T> Send for Ptr<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Ptr<T> {}

impl<T> Ptr<T> {
    /// # Safety
    /// `i` must stay inside the allocation.
    #[inline(always)]
    pub(crate) unsafe fn at(self, i: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(i) }
    }

    /// # Safety
    /// The range must stay inside the allocation, hold values, and belong to the caller alone.
    #[inline(always)]
    pub(crate) unsafe fn slice<'a>(self, start: usize, len: usize) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}

/// Room for a result that is about to be written whole: not filled with zeros first, which would touch every fresh page
/// once more, on one thread.
pub(crate) struct Output {
    values: Vec<f32>,
    len: usize,
}

impl Output {
    /// Room for the product of `dims`; an error where that is more than there can be.
    pub(crate) fn new(dims: &[usize]) -> Result<Self> {
        let Some(len) = dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) else {
            bail!("a result of shape {dims:?} has more numbers than can be counted");
        };
        let mut values = Vec::new();
        if values.try_reserve_exact(len).is_err() {
            bail!("no memory for a result of shape {dims:?}");
        }
        if cfg!(test) {
            // What no kernel writes shows as NaN.
            values.resize(len, f32::NAN);
        }
        Ok(Self { values, len })
    }

    /// Where to write.
    pub(crate) fn ptr(&mut self) -> Ptr {
        Ptr(self.values.as_mut_ptr())
    }

    /// The result.
    ///
    /// # Safety
    /// All `len` numbers must have been written.
    pub(crate) unsafe fn finish(mut self) -> Vec<f32> {
        // SAFETY: the capacity was reserved, and the caller has written all of it.
        unsafe { self.values.set_len(self.len) };
        self.values
    }
}

/// Runs `f` on every part of a result of `dims`, cut into `chunk` numbers; each part is zero before.
pub(crate) fn fill_chunks(dims: &[usize], chunk: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Result<Vec<f32>> {
    let mut out = Output::new(dims)?;
    let (dst, len) = (out.ptr(), out.len);
    let chunk = chunk.max(1);
    par_for(len.div_ceil(chunk), |i| {
        let n = chunk.min(len - i * chunk);
        // SAFETY: every task owns its chunk; the bytes are set before the slice is made.
        let part = unsafe {
            std::ptr::write_bytes(dst.at(i * chunk), 0, n);
            dst.slice(i * chunk, n)
        };
        f(i, part);
    })?;
    // SAFETY: all chunks were written.
    Ok(unsafe { out.finish() })
}

/// The next multiple of `to`.
pub(crate) fn round_up(x: usize, to: usize) -> usize {
    x.div_ceil(to) * to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once() {
        let counts: Vec<AtomicUsize> = (0..1000).map(|_| AtomicUsize::new(0)).collect();
        par_for(counts.len(), |i| {
            counts[i].fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
        assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn a_panic_of_a_task_reaches_the_caller_and_leaves_the_pool_whole() {
        for bad in [0, 7, 99] {
            let caught = std::panic::catch_unwind(|| par_for(100, |i| assert!(i != bad, "task {i}")));
            assert!(caught.is_err());
        }
        let sum = AtomicUsize::new(0);
        // Loops within loops, from threads outside of the pool and inside.
        par_for(8, |i| {
            par_for(100, |j| {
                sum.fetch_add(i * 100 + j, Ordering::Relaxed);
            })
            .unwrap();
        })
        .unwrap();
        assert_eq!(sum.into_inner(), (0..800).sum::<usize>());
    }

    #[test]
    fn a_cancelled_run_stops_between_tasks_and_says_so() {
        let flag = Arc::new(AtomicBool::new(false));
        let done = AtomicUsize::new(0);
        let result = run(Some(&flag), || {
            par_for(100_000, |_| {
                done.fetch_add(1, Ordering::Relaxed);
                flag.store(true, Ordering::Relaxed);
            })
        });
        assert!(result.unwrap_err().to_string().contains("cancelled"));
        assert!(done.load(Ordering::Relaxed) <= threads());
        assert!(par_for(3, |_| ()).is_ok(), "the flag does not outlive its run");
    }

    #[test]
    fn a_result_too_large_to_count_is_refused() {
        assert!(Output::new(&[usize::MAX, 2]).is_err());
        assert!(Output::new(&[usize::MAX / 8, 1]).is_err());
    }
}
