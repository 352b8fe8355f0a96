//! An allocator that keeps large blocks for a while.
//!
//! Every layer's result is a block of its own. The C library takes large ones from the system and gives them back when
//! they are freed, so each layer faults all its pages in again, at 2 to 5 GB/s: as long as a pool or an activation takes.
//! [`Keep`] passes small blocks on and keeps large ones that are freed while the kernels are at work, for the next layer
//! of that size. They go back to the system when the kernels have been idle for two seconds, or by [`release`].
//!
//! A binary chooses it: `#[global_allocator] static ALLOCATOR: Keep = Keep;`. Without it everything works, slower.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The allocator.
#[derive(Clone, Copy, Debug)]
pub struct Keep;

/// From this many bytes on a block may be kept: below, the C library keeps blocks itself.
const LARGE: usize = 1 << 17;
/// Most bytes that are kept.
const MOST: usize = 1 << 30;
/// How long the kernels may be idle before all goes back, ms.
const IDLE_MS: u64 = 2000;
/// Alignment of large blocks.
const ALIGN: usize = 16;
/// Sizes between a power of two and the next.
const STEPS: usize = 8;
/// Classes of sizes, up to 2^41 bytes.
const CLASSES: usize = 24 * STEPS;

/// The class of a large block and its size there: at most an eighth more than asked for. None for blocks that are not
/// kept.
fn class(layout: Layout) -> Option<(usize, Layout)> {
    let size = layout.size();
    if size < LARGE || layout.align() > ALIGN {
        return None;
    }
    let power = size.ilog2();
    let step = (1usize << power) / STEPS;
    let steps = size.div_ceil(step); // STEPS..=2 * STEPS
    let number = (power - LARGE.ilog2()) as usize * STEPS + steps - STEPS;
    let whole = steps.checked_mul(step)?;
    (number < CLASSES).then_some((number, Layout::from_size_align(whole, ALIGN).ok()?))
}

/// Lists of free blocks; each holds the address of the next in its first bytes.
struct Kept([*mut u8; CLASSES]);

// SAFETY: the blocks belong to nobody else.
unsafe impl Send for Kept {}

static KEPT: Mutex<Kept> = Mutex::new(Kept([ptr::null_mut(); CLASSES]));
/// Bytes in the lists.
static BYTES: AtomicUsize = AtomicUsize::new(0);
/// When the kernels last did something, ms since the start of the clock; 0: never.
static LAST: AtomicU64 = AtomicU64::new(0);
static TIDY: AtomicBool = AtomicBool::new(false);

fn now_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64 + 1
}

fn is_idle() -> bool {
    let last = LAST.load(Ordering::Relaxed);
    last == 0 || now_ms().saturating_sub(last) > IDLE_MS
}

/// Tells that the kernels are at work.
pub(crate) fn at_work() {
    LAST.store(now_ms(), Ordering::Relaxed);
    if BYTES.load(Ordering::Relaxed) > 0 && !TIDY.swap(true, Ordering::Relaxed) {
        // Gives all back when nothing was done for a while; then it ends.
        let tidy = std::thread::Builder::new().name("kernel memory".to_owned()).spawn(|| {
            while !is_idle() {
                std::thread::sleep(Duration::from_millis(500));
            }
            TIDY.store(false, Ordering::Relaxed);
            release();
        });
        if tidy.is_err() {
            TIDY.store(false, Ordering::Relaxed);
        }
    }
}

/// Gives all kept blocks back to the system.
pub fn release() {
    for number in 0..CLASSES {
        while let Some(block) = take(number) {
            let (power, steps) = (number / STEPS + LARGE.ilog2() as usize, number % STEPS + STEPS);
            let size = steps * ((1usize << power) / STEPS);
            BYTES.fetch_sub(size, Ordering::Relaxed);
            // SAFETY: a block of this class, allocated with this layout.
            unsafe { System.dealloc(block, Layout::from_size_align_unchecked(size, ALIGN)) };
        }
    }
}

/// Bytes that are kept now.
pub fn kept_bytes() -> usize {
    BYTES.load(Ordering::Relaxed)
}

fn take(number: usize) -> Option<*mut u8> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let first = kept.0[number];
    if first.is_null() {
        return None;
    }
    // SAFETY: a free block of at least LARGE bytes, aligned for an address, that `put` wrote one into.
    kept.0[number] = unsafe { first.cast::<*mut u8>().read() };
    Some(first)
}

/// # Safety
/// `block` is a block of this class that nobody uses any more.
unsafe fn put(number: usize, block: *mut u8) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller's promise.
    unsafe { block.cast::<*mut u8>().write(kept.0[number]) };
    kept.0[number] = block;
}

// SAFETY: blocks come from the system's allocator, with the layout of their class where they have one, which depends on
// the layout alone, so that it is the same when they are freed; a block is in a list or in use, never both.
unsafe impl GlobalAlloc for Keep {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe {
            let Some((number, whole)) = class(layout) else { return System.alloc(layout) };
            match take(number) {
                Some(block) => {
                    BYTES.fetch_sub(whole.size(), Ordering::Relaxed);
                    block
                }
                None => System.alloc(whole),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise; a block of its class is at least as long.
        unsafe {
            let Some((number, whole)) = class(layout) else { return System.alloc_zeroed(layout) };
            match take(number) {
                Some(block) => {
                    BYTES.fetch_sub(whole.size(), Ordering::Relaxed);
                    ptr::write_bytes(block, 0, layout.size());
                    block
                }
                None => System.alloc_zeroed(whole),
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe {
            let Some((number, whole)) = class(layout) else { return System.dealloc(block, layout) };
            if is_idle() {
                return System.dealloc(block, whole);
            }
            if BYTES.fetch_add(whole.size(), Ordering::Relaxed) + whole.size() > MOST {
                BYTES.fetch_sub(whole.size(), Ordering::Relaxed);
                return System.dealloc(block, whole);
            }
            put(number, block);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise; `size`, rounded up to the alignment, is no larger than a layout may be.
        unsafe {
            let new = Layout::from_size_align_unchecked(size, layout.align());
            match (class(layout), class(new)) {
                (None, None) => System.realloc(block, layout, size),
                (Some((a, _)), Some((b, _))) if a == b => block,
                // The system may move pages instead of copying.
                (Some((_, whole)), Some((_, next))) => System.realloc(block, whole, next.size()),
                _ => {
                    let to = self.alloc(new);
                    if !to.is_null() {
                        ptr::copy_nonoverlapping(block, to, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    to
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_are_for_and_waste_an_eighth_at_most() {
        let mut last = 0;
        for power in 17..40u32 {
            for extra in [0usize, 1, 4095, 77_777, (1 << power) / 3, (1 << power) - 1] {
                let size = (1usize << power) + extra.min((1 << power) - 1);
                let layout = Layout::from_size_align(size, 4).unwrap();
                let (number, whole) = class(layout).unwrap();
                assert!(whole.size() >= size && whole.size() <= size + size / 8 + 1, "{size} in {}", whole.size());
                // What `release` makes of the number is the same size.
                let (p, steps) = (number / STEPS + 17, number % STEPS + STEPS);
                assert_eq!(whole.size(), steps * ((1usize << p) / STEPS), "{size}");
                // A whole block is its own class.
                assert_eq!(class(whole), Some((number, whole)));
                last = last.max(number);
            }
        }
        assert!(last < CLASSES);
        assert_eq!(class(Layout::from_size_align(LARGE - 1, 4).unwrap()), None);
        assert_eq!(class(Layout::from_size_align(1 << 20, 4096).unwrap()), None, "unusual alignments are passed on");
    }

    #[test]
    fn a_block_comes_back_while_the_kernels_work_and_holds_what_it_should() {
        // Sizes that no other test has.
        let (a, b) = (Layout::from_size_align(987_654, 4).unwrap(), Layout::from_size_align(987_000, 4).unwrap());
        at_work();
        // SAFETY: blocks are used within their layouts, and freed once with the layout that they have then.
        unsafe {
            let first = Keep.alloc(a);
            first.write_bytes(7, a.size());
            Keep.dealloc(first, a);
            assert!(kept_bytes() >= a.size());
            let zeros = Keep.alloc_zeroed(b);
            assert_eq!(zeros, first, "the same class");
            assert!(std::slice::from_raw_parts(zeros, b.size()).iter().all(|v| *v == 0));
            zeros.write_bytes(9, b.size());
            // Growing and shrinking across classes and out of them.
            let mut block = (zeros, b);
            for size in [988_000, 3_000_000, 140_000, 1000, 131_072, 200_000_000, 500_000] {
                let kept = block.1.size().min(size).min(1000);
                let to = Keep.realloc(block.0, block.1, size);
                assert!(std::slice::from_raw_parts(to, kept).iter().all(|v| *v == 9), "{size}");
                to.write_bytes(9, size);
                block = (to, Layout::from_size_align(size, 4).unwrap());
            }
            Keep.dealloc(block.0, block.1);
        }
        release();
    }
}
