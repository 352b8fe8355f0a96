//! What a radiologist's trial of the window found.

use std::path::Path;

use lightbox_session::annotation::AnnotationKind;
use lightbox_session::workspace::Overwrite;
use lightbox_session::{Command, StackId};
use lightbox_tests::{Desk, demo_folder};

fn demo(dir: &Path, modality: &str) -> (Desk, StackId) {
    let mut desk = Desk::new(dir);
    desk.send(Command::OpenDemo);
    desk.send(Command::Activate(0));
    let id = desk.show(modality);
    (desk, id)
}

fn dab(desk: &mut Desk, x: f64, y: f64) {
    let at = desk.at(x, y);
    desk.send(Command::StrokeBegin { slot: None, at, erase: false });
    desk.send(Command::StrokeEnd);
}

/// The journal as if another process, now gone, had written it.
fn orphan(dir: &Path) {
    let own = std::fs::read_dir(dir.join("journal")).unwrap().next().expect("a journal").unwrap().path();
    std::fs::rename(&own, dir.join("journal/work-1-4294967.jsonl")).unwrap();
}

fn counts(desk: &Desk, id: StackId) -> Vec<usize> {
    desk.session.document(id).unwrap().segments.iter().map(|s| s.mask.count()).collect()
}

#[test]
fn masks_that_nobody_accepted_come_back_from_their_file_as_proposals() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, id) = demo(dir.path(), "DX");
    let right = desk.session.document(id).unwrap().segments[0].id;
    desk.send(Command::AcceptSegment(right));
    desk.send(Command::SaveSeg(dir.path().join("seg.dcm").into()));
    assert_eq!(desk.messages(), Vec::<String>::new());

    let other = tempfile::tempdir().unwrap();
    let mut later = Desk::new(other.path());
    later.send(Command::Open(vec![demo_folder()]));
    let id = later.show("DX");
    later.send(Command::LoadSeg(dir.path().join("seg.dcm")));
    let document = later.session.document(id).unwrap();
    let waiting: Vec<&str> = document.waiting().map(|s| s.name.as_str()).collect();
    assert_eq!((document.segments.len(), waiting), (2, vec!["Left lung"]));
}

#[test]
fn a_segmentation_among_the_files_of_a_study_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, _) = demo(dir.path(), "DX");
    let study = dir.path().join("study");
    std::fs::create_dir(&study).unwrap();
    let xray = match &desk.stack("DX").info.frames[0].source {
        lightbox_session::Source::File(path) => path.to_path_buf(),
        zip => panic!("{zip}"),
    };
    std::fs::copy(xray, study.join("image.dcm")).unwrap();
    desk.send(Command::SaveSeg(study.join("masks.dcm").into()));

    let other = tempfile::tempdir().unwrap();
    let mut later = Desk::new(other.path());
    later.send(Command::Open(vec![study.clone()]));
    let masks = &later.session.library.studies[0].masks;
    assert_eq!(
        masks.iter().map(|(_, s)| s.to_string()).collect::<Vec<_>>(),
        [study.join("masks.dcm").display().to_string()]
    );
    let id = later.show("DX");
    later.send(Command::LoadSeg(study.join("masks.dcm")));
    assert_eq!(later.session.document(id).unwrap().segments.len(), 2);
}

#[test]
fn a_stroke_takes_what_it_paints_from_segments_that_are_not_locked() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, id) = demo(dir.path(), "CT");
    for name in ["A", "B", "C"] {
        desk.send(Command::AddSegment { name: Some(name.into()) });
        desk.send(Command::SetOverwrite(Overwrite::Nothing));
        dab(&mut desk, 60.0, 60.0);
    }
    let [a, b, c] = counts(&desk, id)[..] else { panic!() };
    assert!(a > 0 && a == b && b == c, "overlapping as was asked for");
    let first = desk.session.document(id).unwrap().segments[0].id;
    desk.send(Command::SetSegmentLocked(first, true));
    desk.send(Command::SetOverwrite(Overwrite::Unlocked));
    dab(&mut desk, 60.0, 60.0);
    assert_eq!(counts(&desk, id), [a, 0, c], "a locked segment keeps its voxels");
    let title = desk.session.document(id).unwrap().history.done().next_back().unwrap().title.clone();
    assert_eq!(title, "Brush, C, over B");
    desk.send(Command::Undo);
    assert_eq!(counts(&desk, id), [a, b, c]);
    desk.send(Command::Redo);
    assert_eq!(counts(&desk, id), [a, 0, c]);
    // The journal has both segments as they are.
    drop(desk);
    orphan(dir.path());
    let mut next = Desk::new(dir.path());
    next.send(Command::Restore);
    let id = next.stack("CT").id;
    assert_eq!(counts(&next, id), [a, 0, c]);
}

#[test]
fn what_is_undone_and_redone_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, id) = demo(dir.path(), "CT");
    desk.send(Command::AddSegment { name: None });
    for x in [40.0, 60.0, 80.0] {
        dab(&mut desk, x, 60.0);
    }
    let unsaved = |desk: &Desk| desk.session.document(id).unwrap().unsaved();
    assert_eq!(unsaved(&desk), 4);
    desk.send(Command::Undo);
    desk.send(Command::Undo);
    assert_eq!(unsaved(&desk), 2);
    desk.send(Command::Redo);
    desk.send(Command::Redo);
    assert_eq!(unsaved(&desk), 4);
    desk.send(Command::SaveSeg(dir.path().join("seg.dcm").into()));
    assert_eq!(unsaved(&desk), 0);
    // What was saved and then taken back is a change until it is done again.
    desk.send(Command::Undo);
    assert_eq!(unsaved(&desk), 1);
    desk.send(Command::Redo);
    assert_eq!(unsaved(&desk), 0);
    desk.send(Command::Undo);
    dab(&mut desk, 90.0, 90.0);
    assert_eq!(unsaved(&desk), 2, "one is gone for good, one is new");
}

#[test]
fn restored_work_is_shown_where_it_is_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, _) = demo(dir.path(), "MR");
    desk.send(Command::ScrollTo { slot: None, index: 31 });
    desk.send(Command::AddSegment { name: None });
    dab(&mut desk, 60.0, 60.0);
    drop(desk);
    orphan(dir.path());
    let mut next = Desk::new(dir.path());
    let offer = next.session.recovery.as_ref().unwrap();
    assert_eq!(offer.about, ["MR head, MR, 2026-11-12"]);
    assert_eq!(offer.when.len(), "2026-11-25 10:31".len());
    next.send(Command::Restore);
    let mr = next.stack("MR").id;
    let view = next.session.workspace.active_view();
    assert_eq!((view.stack, view.index), (Some(mr), 31));
    assert_eq!(next.session.document(mr).unwrap().restored, 2);
}

#[test]
fn a_saved_report_says_whom_it_is_about_and_where_a_length_lies() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, _) = demo(dir.path(), "DX");
    let points = vec![desk.at(100.0, 100.0), desk.at(400.0, 100.0)];
    desk.send(Command::AddAnnotation { slot: None, kind: AnnotationKind::Length, points });
    desk.send(Command::DraftReport);
    let report = desk.session.report();
    let titles: Vec<&str> = report.document.sections.iter().map(|s| s.title.as_str()).collect();
    assert_eq!(titles, ["Technique", "Findings", "Impression"], "an empty section can be written into");
    let (unsaved, length) = (report.unsaved, report.document.sentences().find(|x| x.text.contains("length")).unwrap());
    assert!(length.text.ends_with(" mm at the detector, series 1, image 1."), "{}", length.text);
    let id = length.id;
    desk.send(Command::DraftReport);
    assert_eq!(desk.session.report().unsaved, unsaved, "a draft without news is no change");
    desk.send(Command::AcceptSentence(id));
    desk.send(Command::SaveReport(dir.path().join("report.txt").into()));
    let text = std::fs::read_to_string(dir.path().join("report.txt")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("Patient: PHANTOM, Thorax, ID PH-0001, female"), "{text}");
    assert!(lines[1].starts_with("Study: 2026-11-18 09:12, DX, X-ray chest, accession A"), "{text}");
    assert_eq!(lines.last(), Some(&"Not for diagnostic use. Unsigned draft."));
    assert!(text.contains("\nFINDINGS:\n"));
}
