//! Files that are broken, cut or meant to do harm: refused in one sentence, and nothing written outside the folder.

use std::ops::ControlFlow;

use lightbox_dicom::anonymize::{AnonymizeError, anonymize};

use crate::person::{file, slice};
use crate::writer::{DataSet, EXPLICIT, UNDEFINED, element, element_with_length, item, item_with_length};
use crate::{Run, settings};

/// The reason of the only file, which must not be copied.
fn refused(bytes: Vec<u8>) -> String {
    let run = Run::of(&[("a.dcm", bytes)], &settings(&[]));
    assert_eq!((run.done.report.copies, run.copies().len()), (0, 0));
    let all: Vec<_> = run.done.refused.iter().chain(&run.done.skipped).collect();
    assert_eq!(all.len(), 1);
    assert!(!all[0].reason.contains('\n') && all[0].path.ends_with("a.dcm"));
    all[0].reason.clone()
}

#[test]
fn files_that_end_too_early_or_too_late_are_refused() {
    let whole = file(&slice(1, 0.0).without(0xFFFC_FFFC), EXPLICIT);
    let start = whole.len() - slice(1, 0.0).without(0xFFFC_FFFC).bytes().len();
    for cut in (start + 1..whole.len()).step_by(37).chain([whole.len() - 1]) {
        // A cut between two elements cannot be seen; it leaves a whole, smaller file.
        let run = Run::of(&[("a.dcm", whole[..cut].to_vec())], &settings(&[]));
        assert_eq!(run.done.report.copies + run.done.refused.len(), 1, "cut at {cut}");
    }
    assert!(refused(whole[..whole.len() - 1].to_vec()).contains("cut off"));
    let mut longer = whole.clone();
    longer.extend(b"Quarkson wrote this behind the image");
    assert!(refused(longer).contains("what is in it"));
    let mut padded = whole;
    padded.extend([0; 30]);
    assert_eq!(Run::of(&[("a.dcm", padded)], &settings(&[])).done.report.copies, 1, "zeros are padding");
    assert_eq!(refused(b"Dear colleague, this is not an image.".repeat(9)), "it is not a DICOM file");
    assert_eq!(refused(Vec::new()), "it is not a DICOM file");
}

#[test]
fn lengths_that_lie_and_nesting_without_end_are_refused() {
    let set = |e: Vec<u8>| DataSet::new().text(0x0008_0016, "UI", "1.2.3").raw(0x0040_A730, e).file(EXPLICIT);
    refused(set(element_with_length(0x0040_A730, "SQ", &[], 4_000_000_000)));
    refused(set(element_with_length(0x0040_A730, "SQ", &item_with_length(b"", 4_000_000_000), 8)));
    refused(set(element_with_length(0x0040_A730, "SQ", &[], UNDEFINED)));
    refused(set(element_with_length(0x0040_A730, "SQ", b"not an item here", 16)));
    refused(set(element_with_length(0x0040_A730, "ZZ", b"no VR", 5)));
    let mut deep = Vec::new();
    for _ in 0..10_000 {
        deep = element(0x0040_A730, "SQ", &item(&deep));
        if deep.len() > 400_000 {
            break;
        }
    }
    assert!(refused(set(deep)).contains("deep"));
    let endless = [item_with_length(&[], UNDEFINED), element_with_length(0x0040_A730, "SQ", &[], UNDEFINED)].concat();
    let endless = endless.repeat(5000);
    assert!(refused(set(element_with_length(0x0040_A730, "SQ", &endless, UNDEFINED))).contains("deep"));
}

#[test]
fn documents_and_names_within_pixels_are_refused() {
    let pdf = DataSet::new()
        .text(0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.104.1")
        .raw(0x0042_0011, element(0x0042_0011, "OB", b"%PDF-1.4 about Quarkson "));
    assert!(refused(pdf.file(EXPLICIT)).contains("document"));
    let comment = crate::writer::encapsulated(&[], &[b"\xFF\xD8\xFF\xFE\x00\x10QZ-471100 \xFF\xD9"]);
    let set = slice(1, 0.0).without(0xFFFC_FFFC).raw(0x7FE0_0010, comment);
    assert!(refused(set.file("1.2.840.10008.1.2.4.50")).contains("pixel data"));
}

#[test]
fn nothing_is_overwritten_and_copies_are_not_read_again() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("a.dcm"), file(&slice(1, 0.0), EXPLICIT)).expect("written");
    let go = |out: &str| {
        anonymize(&[dir.path().into()], &dir.path().join(out), &settings(&[]), &mut |_| ControlFlow::Continue(()))
    };
    // The folder for the copies lies in the one that is read.
    assert_eq!(go("out").expect("a run").report.copies, 1);
    assert!(matches!(go("out"), Err(AnonymizeError::NotEmpty(_))));
    let done = go("second").expect("a run");
    assert_eq!(done.report.copies, 2, "the original and the first copy");
    let leftovers = crate::leave::copies_in(dir.path());
    assert!(leftovers.iter().all(|p| p.extension().is_some_and(|e| e == "dcm")), "{leftovers:?}");
}

#[test]
fn archives_and_directories_bring_their_files_and_a_run_can_end_early() {
    let dir = tempfile::tempdir().expect("a folder");
    let zip_path = dir.path().join("study.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&zip_path).expect("made"));
    let options = zip::write::SimpleFileOptions::default();
    for n in 0..40_i16 {
        zip.start_file(format!("../Quarkson/{n}.dcm"), options).expect("a member");
        std::io::Write::write_all(&mut zip, &file(&slice(n, f64::from(n)), EXPLICIT)).expect("written");
    }
    zip.finish().expect("written");
    let out = dir.path().join("out");
    let done = anonymize(std::slice::from_ref(&zip_path), &out, &settings(&[]), &mut |_| ControlFlow::Continue(()))
        .expect("a run");
    assert_eq!((done.report.copies, done.refused.len(), done.report.patients), (40, 0, 1));
    let copies = crate::leave::copies_in(&out);
    assert!(copies.iter().all(|p| p.starts_with(&out)) && copies.len() == 40);
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 2, "nothing beside the folder");
    let mut calls = 0;
    let ended = anonymize(&[zip_path], &dir.path().join("early"), &settings(&[]), &mut |p| {
        calls += 1;
        assert!(p.done <= p.found);
        ControlFlow::Break(())
    })
    .expect("a run");
    assert!(ended.cancelled && calls == 1 && ended.report.copies < 40);
}
