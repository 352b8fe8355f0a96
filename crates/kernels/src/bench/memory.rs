//! Peak memory and processor time, as Linux counts them.

use candle_core::Result;

/// Runs `f` and says how many MiB the process held at most meanwhile, beyond what it held before; none elsewhere.
pub(super) fn peak<R>(f: impl FnOnce() -> Result<R>) -> Result<(R, Option<f64>)> {
    // An allocator that keeps freed pages gives them back after a while, at its next call.
    std::thread::sleep(std::time::Duration::from_millis(300));
    drop(std::hint::black_box(vec![1u8; 1 << 20]));
    // Resets the high-water mark; without it the mark would be that of an earlier case.
    let reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = field("VmRSS:");
    let r = f()?;
    let peak = field("VmHWM:").zip(before).map(|(a, b)| (a - b).max(0.0));
    Ok((r, peak.filter(|_| reset)))
}

/// A line of `/proc/self/status`, in MiB.
fn field(name: &str) -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// Processor time of all threads, ms; not a number elsewhere.
pub(super) fn processor_ms() -> f64 {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return f64::NAN };
    // The first number of a thread's schedstat: nanoseconds that it ran.
    let ns = |text: String| text.split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
    threads.flatten().filter_map(|t| std::fs::read_to_string(t.path().join("schedstat")).ok().and_then(ns)).sum::<f64>()
        * 1e-6
}
