//! Whether a model fits into the memory that is free, asked before it is read.

use crate::{Error, Result};

/// Left for the rest of the program and the system.
const RESERVE_BYTES: u64 = 256 << 20;

/// Bytes that a program may still take; `None` where the system does not tell.
#[must_use]
pub fn free_bytes() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let available = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        Some(number(line.split_whitespace().nth(1)?)? << 10)
    });
    // A container may have less than the machine.
    let limit = read("/sys/fs/cgroup/memory.max").and_then(|text| number(&text));
    let used = read("/sys/fs/cgroup/memory.current").and_then(|text| number(&text));
    let contained = limit.zip(used).map(|(limit, used)| limit.saturating_sub(used));
    match (available, contained) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// [`Error::Memory`] where so many bytes are not free.
///
/// # Errors
/// [`Error::Memory`].
pub fn check(needed_bytes: u64) -> Result<()> {
    against(needed_bytes, free_bytes())
}

/// As [`check`] against a known amount.
///
/// # Errors
/// [`Error::Memory`].
pub fn against(needed_bytes: u64, free_bytes: Option<u64>) -> Result<()> {
    match free_bytes {
        Some(free) if needed_bytes.saturating_add(RESERVE_BYTES) > free => {
            Err(Error::Memory { needed_mb: needed_bytes.div_ceil(1 << 20), free_mb: free >> 20 })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_large_is_a_sentence_with_both_sizes() {
        let error = against(8 << 30, Some(2 << 30)).unwrap_err().to_string();
        assert_eq!(
            error,
            "the model needs 8192 MB of memory, 2048 MB are free; close other programs or take a smaller one"
        );
        assert!(against(u64::MAX, Some(1 << 40)).is_err());
        assert!(against(1 << 20, Some(2 << 30)).is_ok());
        assert!(against(8 << 30, None).is_ok());
    }
}
