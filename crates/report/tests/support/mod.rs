//! The project's own reports, and the engine that puts one error into each copy of them.

pub(crate) mod mutate;
pub(crate) mod words;

use std::path::PathBuf;

use lightbox_report::FindingsFile;

/// A report with its findings file.
#[derive(Clone)]
pub(crate) struct Case {
    pub name: String,
    pub text: String,
    pub file: FindingsFile,
}

/// Where the test texts lie.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/report")
}

/// The clean reports of a set, by name.
pub(crate) fn cases(set: &str) -> Vec<Case> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder().join(set))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| Case {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            text: std::fs::read_to_string(&path).unwrap(),
            file: FindingsFile::from_json(&std::fs::read_to_string(path.with_extension("json")).unwrap()).unwrap(),
        })
        .collect()
}
