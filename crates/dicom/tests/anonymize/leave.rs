//! Leaves copies of real files for `tests/python/check_anonymized.py`, each file anonymised by itself so that it is known
//! which copy is whose: `LIGHTBOX_ANON_IN=FOLDER[:FOLDER…] LIGHTBOX_ANON_CASES=DIR cargo test --test anonymize leave`;
//! `LIGHTBOX_ANON_OPTIONS=OPTION[,OPTION…]` for options of the profile.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use lightbox_dicom::anonymize::{ProfileOption, Settings, anonymize};

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            files(&path, out);
        } else if !std::fs::read(&path).expect("a file").starts_with(b"PK\x03\x04") {
            out.push(path);
        }
    }
}

pub(crate) fn copies_in(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    files(folder, &mut out);
    out
}

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn leave_copies_for_other_readers() {
    let (Some(from), Some(to)) = (std::env::var_os("LIGHTBOX_ANON_IN"), std::env::var_os("LIGHTBOX_ANON_CASES")) else {
        eprintln!("skipped: LIGHTBOX_ANON_IN and LIGHTBOX_ANON_CASES are not set");
        return;
    };
    let to = PathBuf::from(to);
    let mut originals = Vec::new();
    std::env::split_paths(&from).for_each(|f| files(&f, &mut originals));
    let options = std::env::var("LIGHTBOX_ANON_OPTIONS").unwrap_or_default();
    let options: Vec<&str> = options.split(',').filter(|o| !o.is_empty()).collect();
    let settings = Settings {
        options: options.iter().map(|o| ProfileOption::by_name(o).expect("an option")).collect(),
        key: Some("the key of the test".into()),
        ..Settings::default()
    };
    let mut cases = Vec::new();
    for (n, original) in originals.iter().enumerate() {
        // A DICOMDIR would bring the files that it names, which are there by themselves.
        let out = to.join(format!("{n:05}"));
        let done = anonymize(std::slice::from_ref(original), &out, &settings, &mut |_| ControlFlow::Continue(()))
            .expect("a run");
        let mut copies = copies_in(&out);
        let reason = done.refused.first().or(done.skipped.first()).map(|s| s.reason.clone());
        if copies.len() > 1 || copies.is_empty() && reason.is_none() {
            copies.clear();
        }
        let reason = reason.unwrap_or_else(|| "a directory of other files".into());
        cases.push(
            serde_json::json!({"original": original, "copy": copies.first(), "reason": reason, "options": options}),
        );
    }
    std::fs::write(to.join("cases.json"), serde_json::to_string(&cases).expect("JSON")).expect("written");
}
