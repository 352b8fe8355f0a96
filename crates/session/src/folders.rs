//! Where Lightbox keeps what is not the user's: cache, journal, settings.

use std::path::PathBuf;

use etcetera::{BaseStrategy, choose_base_strategy};

/// The cache folder: `LIGHTBOX_CACHE`, else the user's cache folder, else a folder beside temporary files.
#[must_use]
pub fn cache() -> PathBuf {
    match std::env::var_os("LIGHTBOX_CACHE") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        // Without a home folder the current one has to do.
        _ => choose_base_strategy().map_or_else(|_| PathBuf::from("."), |b| b.cache_dir()).join("lightbox"),
    }
}

/// Journals of work in progress. Not in the cache that a cleaner may empty, unless `LIGHTBOX_CACHE` says so.
#[must_use]
pub fn journal() -> PathBuf {
    data().join("journal")
}

/// The built-in study.
#[must_use]
pub fn demo() -> PathBuf {
    cache().join("demo")
}

/// The settings file.
#[must_use]
pub fn settings() -> PathBuf {
    data().join("settings.json")
}

/// What is kept beside the settings: templates, rules, signed reports, the audit log.
#[must_use]
pub fn kept() -> PathBuf {
    data().join("kept")
}

fn data() -> PathBuf {
    match std::env::var_os("LIGHTBOX_CACHE") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => choose_base_strategy().map_or_else(|_| cache(), |b| b.data_dir().join("lightbox")),
    }
}

/// The user's home folder, if the system names one.
#[must_use]
pub fn home() -> Option<PathBuf> {
    choose_base_strategy().ok().map(|b| b.home_dir().to_owned())
}

/// Memory of this program, and of the machine, in bytes; 0 where the system does not tell.
#[must_use]
pub fn memory_bytes() -> [u64; 2] {
    // Both files are made by the kernel in memory; reading them touches no disk.
    let field = |text: &str, name: &str| -> u64 {
        let line = text.lines().find_map(|l| l.strip_prefix(name));
        line.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok()).map_or(0, |kb| kb * 1024)
    };
    let own = std::fs::read_to_string("/proc/self/status").map_or(0, |t| field(&t, "VmRSS:"));
    let all = std::fs::read_to_string("/proc/meminfo").map_or(0, |t| field(&t, "MemTotal:"));
    [own, all]
}

/// UTC as `2026-11-25T10:41:00Z`.
#[must_use]
pub fn utc_now() -> String {
    chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Wall clock as `HH:MM:SS`.
#[must_use]
pub fn clock_s() -> String {
    chrono::Local::now().format("%H:%M:%S").to_string()
}

/// Wall clock as `HH:MM`.
#[must_use]
pub fn clock() -> String {
    chrono::Local::now().format("%H:%M").to_string()
}
