//! What fuzzing found, and inputs that reach far into the decoders: each ends in pixels or one sentence, in time.

use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn what_was_found_once_stays_harmless() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzzed");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for path in files {
        let bytes = std::fs::read(&path).expect("readable");
        let begin = Instant::now();
        let _ = crate::outcome::of(&bytes);
        // Slow machines and builds without optimisation take their time; a hang takes longer.
        assert!(begin.elapsed() < Duration::from_secs(60), "{} hangs", path.display());
    }
}
