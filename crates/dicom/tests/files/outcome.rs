//! What becomes of one file: a scan of it, its stored samples, its drawing and its header, none of which may panic.

use std::path::Path;

use lightbox_dicom::decode::at_stage;
use lightbox_dicom::{FrameSelection, Source, Stage, StoredPixels, StudyIndex, header, scan};

/// How a file ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Stored samples and all that was said about them.
    Opens(StoredPixels, Vec<String>),
    /// One sentence.
    Refused(String),
}

pub(crate) fn scanned(path: &Path) -> StudyIndex {
    scan(&[path.to_path_buf()], &mut |_| std::ops::ControlFlow::Continue(()))
}

/// Writes the bytes as a file and does everything with it that the viewer does.
pub(crate) fn of(bytes: &[u8]) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.dcm");
    std::fs::write(&path, bytes).expect("written");
    let index = scanned(&path);
    let source = Source::file(&path);
    let _ = header::to_text(&source);
    let _ = header::to_json(&source);
    let _ = at_stage(&source, FrameSelection::All, Stage::Display);
    let _ = at_stage(&source, FrameSelection::All, Stage::Modality);
    match at_stage(&source, FrameSelection::All, Stage::Stored) {
        Ok(pixels) => {
            let series = index.studies.iter().flat_map(|s| &s.series);
            let mut said: Vec<String> = series.flat_map(|s| &s.warnings).map(|w| w.text.clone()).collect();
            said.extend(pixels.notes.iter().cloned());
            Outcome::Opens(pixels, said)
        }
        Err(error) => Outcome::Refused(error.reason()),
    }
}

/// The file opens with nothing to say.
pub(crate) fn opens(name: &str, bytes: &[u8]) -> StoredPixels {
    match of(bytes) {
        Outcome::Opens(pixels, said) => {
            assert_eq!(said, Vec::<String>::new(), "{name}");
            pixels
        }
        Outcome::Refused(reason) => panic!("{name}: {reason}"),
    }
}

/// The file opens and something is said that holds `part`.
pub(crate) fn warns(name: &str, bytes: &[u8], part: &str) -> StoredPixels {
    match of(bytes) {
        Outcome::Opens(pixels, said) => {
            assert!(said.iter().any(|s| s.contains(part)), "{name}: {said:?} does not say “{part}”");
            pixels
        }
        Outcome::Refused(reason) => panic!("{name}: {reason}"),
    }
}

/// The file is refused in one sentence that holds `part`.
pub(crate) fn refused(name: &str, bytes: &[u8], part: &str) {
    match of(bytes) {
        Outcome::Opens(_, said) => panic!("{name} opens: {said:?}"),
        Outcome::Refused(reason) => {
            assert!(reason.contains(part), "{name}: {reason} does not say “{part}”");
            assert!(!reason.contains('\n') && reason.len() < 300, "{name}: not one sentence: {reason}");
        }
    }
}
