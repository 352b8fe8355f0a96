//! Bad input is normal input: one clear sentence, nothing lost.

use std::fs;
use std::path::Path;

use lightbox_session::{Command, LoadState};
use lightbox_tests::{Desk, root};

/// The files of the demo's CT, copied.
fn ct_copy(desk: &mut Desk, to: &Path) -> Vec<std::path::PathBuf> {
    desk.send(Command::OpenDemo);
    let frames = desk.stack("CT").info.frames.clone();
    fs::create_dir_all(to).unwrap();
    frames
        .iter()
        .enumerate()
        .map(|(n, f)| {
            let path = to.join(format!("{n:04}.dcm"));
            fs::copy(f.source.to_string(), &path).unwrap();
            path
        })
        .collect()
}

#[test]
fn what_is_no_image_is_said_in_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text.dcm");
    fs::write(&text, "this is a text").unwrap();
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for path in [text, empty, dir.path().join("nowhere")] {
        let mut desk = Desk::new(&dir.path().join("cache"));
        desk.send(Command::Open(vec![path.clone()]));
        let messages = desk.messages();
        assert_eq!(messages.len(), 1, "{}: {messages:?}", path.display());
        assert!(!messages[0].contains("Error") && !messages[0].contains('\n'), "{messages:?}");
        assert!(desk.session.library.studies.is_empty());
    }
}

#[test]
fn a_truncated_file_costs_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::new(&dir.path().join("cache"));
    let files = ct_copy(&mut desk, &dir.path().join("ct"));
    let bytes = fs::read(&files[3]).unwrap();
    fs::write(&files[3], &bytes[..bytes.len() / 2]).unwrap();
    fs::write(dir.path().join("ct/short.dcm"), &bytes[..200]).unwrap();
    let mut desk = Desk::new(&dir.path().join("cache"));
    desk.send(Command::Open(vec![dir.path().join("ct")]));
    let ct = desk.stack("CT");
    assert_eq!(ct.load, LoadState::Loaded);
    assert!((0..ct.frames()).filter(|i| ct.frame(*i).is_some()).count() >= ct.frames() - 1);
    assert!(!desk.messages().is_empty());
}

#[test]
fn a_missing_slice_is_named_and_the_rest_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::new(&dir.path().join("cache"));
    let files = ct_copy(&mut desk, &dir.path().join("ct"));
    fs::remove_file(&files[60]).unwrap();
    let mut desk = Desk::new(&dir.path().join("cache"));
    desk.send(Command::Open(vec![dir.path().join("ct")]));
    let ct = desk.stack("CT");
    assert_eq!(ct.frames(), files.len() - 1);
    let kinds: Vec<_> = ct.warnings().iter().map(|w| w.kind).collect();
    assert!(kinds.contains(&lightbox_session::WarningKind::SliceGap), "{kinds:?}");
}

#[test]
fn a_mask_for_another_series_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::new(&dir.path().join("cache"));
    desk.send(Command::OpenDemo);
    desk.send(Command::Activate(0));
    desk.show("CT");
    let at = desk.at(20.0, 30.0);
    desk.send(Command::StrokeBegin { slot: None, at, erase: false });
    desk.send(Command::StrokeEnd);
    let seg = dir.path().join("ct-seg.dcm");
    desk.send(Command::SaveSeg(seg.clone().into()));
    let mr = desk.stack("MR").info.frames[0].source.to_string();
    let folder = Path::new(&mr).parent().unwrap().to_owned();
    let mut other = Desk::new(&dir.path().join("cache2"));
    other.send(Command::Open(vec![folder]));
    other.send(Command::LoadSeg(seg));
    let messages = other.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].starts_with("The mask was not loaded."));
    assert!(other.session.documents.values().all(|d| d.segments.is_empty()));
    // A file that is no mask at all.
    other.send(Command::LoadSeg(mr.into()));
    assert_eq!(other.messages().len(), 2);
}

#[test]
fn weights_that_are_not_those_of_the_card_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let weights = dir.path().join("weights/cxr-lungs");
    fs::create_dir_all(&weights).unwrap();
    for file in ["card.toml", "model.safetensors"] {
        fs::copy(root().join("weights/cxr-lungs").join(file), weights.join(file)).unwrap();
    }
    let mut bytes = fs::read(weights.join("model.safetensors")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(weights.join("model.safetensors"), bytes).unwrap();
    let mut desk = Desk::new(&dir.path().join("cache"));
    desk.send(Command::OpenDemo);
    for model in &mut desk.session.models {
        model.dir.clone_from(&weights);
    }
    let before = desk.session.documents.clone();
    desk.send(Command::Activate(3));
    desk.show("DX");
    desk.send(Command::RunModel { slot: None, model: "cxr-lungs".into(), series: false });
    let messages = desk.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].starts_with("The model did not run."), "{messages:?}");
    assert_eq!(desk.session.documents, before);
}

#[test]
fn a_save_that_fails_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::new(&dir.path().join("cache"));
    desk.send(Command::OpenDemo);
    desk.send(Command::Activate(0));
    let id = desk.show("CT");
    let at = desk.at(20.0, 30.0);
    desk.send(Command::StrokeBegin { slot: None, at, erase: false });
    desk.send(Command::StrokeEnd);
    // A folder stands where a folder's name is a file's: the system refuses the write.
    let blocked = dir.path().join("file");
    fs::write(&blocked, "old").unwrap();
    desk.send(Command::SaveSeg(blocked.join("seg.dcm").into()));
    let messages = desk.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].starts_with("Not saved."));
    assert!(desk.session.document(id).expect("drawn").has_unsaved_work());
    assert_eq!(fs::read_to_string(&blocked).unwrap(), "old");
}
