//! What a person drew is lost by no save, no close, no result and no second kill.

use std::fs;
use std::path::{Path, PathBuf};

use lightbox_core::Mask;
use lightbox_session::annotation::AnnotationKind;
use lightbox_session::event::{EventKind, InferResult};
use lightbox_session::{Command, JobEvent, JobId, JobInfo, JobKind, StackId};
use lightbox_tests::Desk;

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

fn measure(desk: &mut Desk) {
    let points = vec![desk.at(0.0, 0.0), desk.at(30.0, 40.0)];
    desk.send(Command::AddAnnotation { slot: None, kind: AnnotationKind::Length, points });
}

/// The journals that lie in the folder.
fn journals(dir: &Path) -> Vec<PathBuf> {
    let Ok(list) = fs::read_dir(dir.join("journal")) else { return Vec::new() };
    list.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect()
}

/// A result that comes as from a running job.
fn arrives(desk: &mut Desk, stack: StackId, frame: usize, names: &[&str]) {
    let geometry = desk.session.library.stack(stack).expect("open").geometry().clone();
    let mut mask = Mask::new(geometry.dims());
    (10..20).for_each(|x| mask.set([x, 12, frame], true));
    let result = InferResult {
        frame,
        masks: names.iter().map(|n| ((*n).to_owned(), mask.clone())).collect(),
        ..InferResult::blank(stack, "made-up", "", geometry)
    };
    let job = JobId(1 << 40);
    desk.session.jobs.push(JobInfo {
        id: job,
        kind: JobKind::Infer { model: "made-up".into(), stack },
        title: String::new(),
        fraction: None,
        detail: String::new(),
        cancelling: false,
    });
    for kind in [EventKind::Inferred(Box::new(result)), EventKind::Done] {
        for effect in desk.session.on_event(JobEvent { job, kind }) {
            desk.jobs.run(effect);
        }
    }
}

#[test]
fn saved_masks_do_not_count_a_measurement_as_saved() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, id) = demo(dir.path(), "CT");
    measure(&mut desk);
    dab(&mut desk, 20.0, 30.0);
    desk.send(Command::SaveSeg(dir.path().join("a.dcm").into()));
    assert!(desk.session.document(id).expect("drawn").saved.is_some(), "{:?}", desk.messages());
    assert!(desk.session.has_unsaved_work(), "the length is in no file");
    desk.send(Command::Quit);
    drop(desk);
    let mut next = Desk::new(dir.path());
    assert_eq!(next.session.recovery.as_ref().expect("the length is offered").gestures, 1);
    next.send(Command::Restore);
    let ct = next.stack("CT").id;
    assert_eq!(next.session.document(ct).expect("restored").annotations.len(), 1);
    // Once it is deleted, nothing is left to lose.
    let annotation = next.session.document(ct).expect("restored").annotations[0].id;
    next.send(Command::DeleteAnnotation { stack: ct, id: annotation });
    assert!(!next.session.has_unsaved_work());
    next.send(Command::Quit);
    drop(next);
    assert_eq!(journals(dir.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_study_that_is_opened_again_has_its_work() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, first) = demo(dir.path(), "CT");
    dab(&mut desk, 20.0, 30.0);
    measure(&mut desk);
    let before = desk.session.document(first).expect("drawn").clone();
    let uid = desk.stack("CT").study_uid.clone();
    desk.send(Command::CloseStudy(uid.clone()));
    assert!(desk.session.document(first).is_none());
    assert!(desk.session.has_unsaved_work());
    desk.send(Command::OpenDemo);
    desk.send(Command::Activate(0));
    let again = desk.show("CT");
    assert_ne!(first, again, "a number never comes back");
    let document = desk.session.document(again).expect("its work is there").clone();
    assert_eq!(document.segments, before.segments);
    assert_eq!(document.annotations.len(), 1);
    assert_eq!(document.annotations[0].points, before.annotations[0].points);
    // New work comes beside it, here and in the journal.
    desk.send(Command::AddSegment { name: Some("Second".into()) });
    dab(&mut desk, 80.0, 90.0);
    let now = desk.session.document(again).expect("drawn").segments.clone();
    assert_eq!(now.len(), 2);
    desk.send(Command::CloseStudy(uid));
    desk.send(Command::Quit);
    drop(desk);
    let mut next = Desk::new(dir.path());
    next.send(Command::Restore);
    let ct = next.stack("CT").id;
    let restored = next.session.document(ct).expect("restored");
    let both =
        |all: &[lightbox_core::Segment]| all.iter().map(|s| (s.name.clone(), s.mask.clone())).collect::<Vec<_>>();
    assert_eq!(both(&restored.segments), both(&now));
}

#[test]
fn a_second_kill_before_the_first_gesture_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, _) = demo(dir.path(), "CT");
    dab(&mut desk, 20.0, 30.0);
    measure(&mut desk);
    let segments = desk.session.document(desk.stack("CT").id).expect("drawn").segments.clone();
    drop(desk);
    for start in ["second", "third", "fourth"] {
        let mut next = Desk::new(dir.path());
        assert_eq!(journals(dir.path()).len(), 1, "{start}");
        assert!(next.session.recovery.is_some(), "{start}");
        next.send(Command::Restore);
        let ct = next.session.library.stacks().find(|s| s.series.modality == "CT").map(|s| s.id);
        let document = next.session.document(ct.unwrap_or_else(|| panic!("{start}: the series is open again")));
        let document = document.expect("restored");
        assert_eq!(document.segments[0].mask, segments[0].mask, "{start}");
        assert_eq!((document.segments.len(), document.annotations.len()), (1, 1), "{start}");
    }
}

#[test]
fn masks_that_do_not_fit_outlive_the_next_scan() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, _) = demo(dir.path(), "CT");
    dab(&mut desk, 20.0, 30.0);
    desk.send(Command::AddSegment { name: Some("Other size".into()) });
    dab(&mut desk, 60.0, 30.0);
    drop(desk);
    // As if the second had been drawn on a series of 100 slices.
    let path = journals(dir.path()).remove(0);
    let text = fs::read_to_string(&path).unwrap();
    let changed: Vec<String> = text
        .lines()
        .map(|line| match line.contains("\"segment\":2") {
            true => line.replace("\"dims\":[256,256,120]", "\"dims\":[256,256,100]"),
            false => line.to_owned(),
        })
        .collect();
    assert_ne!(changed.join("\n"), text.trim_end());
    fs::write(&path, changed.join("\n") + "\n").unwrap();

    let mut next = Desk::new(dir.path());
    next.send(Command::Restore);
    assert!(next.messages().iter().any(|m| m.starts_with("Some restored masks do not fit.")), "{:?}", next.messages());
    // Another scan, which finds nothing new.
    next.send(Command::OpenDemo);
    let ct = next.stack("CT").id;
    let names = |desk: &Desk, id| -> Vec<String> {
        desk.session.document(id).map(|d| d.segments.iter().map(|s| s.name.clone()).collect()).unwrap_or_default()
    };
    assert_eq!(names(&next, ct), ["Segment 1"]);
    drop(next);
    // Both are still somewhere, and each only once.
    let mut left = Vec::new();
    for path in journals(dir.path()) {
        let recovery = lightbox_session::journal::read(&path).unwrap();
        left.extend(recovery.stacks.values().flat_map(|w| &w.segments).map(|(s, _)| s.name.clone()));
    }
    // The model has run on the X-ray of the same demo.
    left.retain(|name| !name.contains("lung"));
    left.sort();
    assert_eq!(left, ["Other size", "Segment 1"]);
}

#[test]
fn a_result_does_not_take_the_segment_that_is_being_brushed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, id) = demo(dir.path(), "CT");
    arrives(&mut desk, id, 60, &["Thing"]);
    let thing = desk.session.document(id).expect("there").segments[0].id;
    desk.send(Command::SelectSegment(thing));
    let (a, b) = (desk.at(40.0, 40.0), desk.at(80.0, 40.0));
    desk.send(Command::StrokeBegin { slot: None, at: a, erase: false });
    arrives(&mut desk, id, 60, &["Thing"]);
    desk.send(Command::StrokeTo { at: b });
    desk.send(Command::StrokeEnd);
    let document = desk.session.document(id).expect("there");
    let mine = document.segment(thing).expect("the segment under the brush stays");
    assert!(mine.edited);
    assert!(mine.mask.get([40, 40, 60]) && mine.mask.get([80, 40, 60]));
    assert_eq!(document.segments.len(), 2);
}

#[test]
fn a_result_on_one_frame_leaves_those_on_others() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, id) = demo(dir.path(), "CT");
    arrives(&mut desk, id, 3, &["Thing"]);
    arrives(&mut desk, id, 60, &["Thing"]);
    arrives(&mut desk, id, 60, &["Thing"]);
    let frames: Vec<Vec<usize>> =
        desk.session.document(id).expect("there").segments.iter().map(|s| s.mask.occupied().collect()).collect();
    assert_eq!(frames, [[3], [60]]);
}

#[test]
fn what_a_cancelled_model_found_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, _) = demo(dir.path(), "DX");
    let before = desk.session.documents.clone();
    // Inline, the job has ended before the wish to stop it; its event has not been taken yet.
    desk.jobs.apply(&mut desk.session, Command::RunModel { slot: None, model: "cxr-lungs".into(), series: false });
    desk.jobs.apply(&mut desk.session, Command::CancelLatest);
    let results = desk.session.results.len();
    desk.jobs.settle(&mut desk.session);
    assert_eq!(desk.session.results.len(), results);
    assert_eq!(desk.session.documents, before);
}

#[test]
fn names_colours_locks_and_acceptance_are_undone_and_redone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, id) = demo(dir.path(), "CT");
    desk.send(Command::AddSegment { name: Some("First".into()) });
    let segment = desk.session.document(id).expect("drawn").segments[0].clone();
    let colour = lightbox_core::Rgb([1, 2, 3]);
    desk.send(Command::RenameSegment(segment.id, "Nodule".into()));
    desk.send(Command::SetSegmentColour(segment.id, colour));
    desk.send(Command::SetSegmentLocked(segment.id, true));
    let after = desk.session.document(id).expect("drawn").segments.clone();
    for _ in 0..4 {
        desk.send(Command::Undo);
    }
    assert_eq!(desk.session.document(id).expect("drawn").segments, []);
    for _ in 0..4 {
        desk.send(Command::Redo);
    }
    assert_eq!(desk.session.document(id).expect("drawn").segments, after);
    desk.send(Command::Undo);
    desk.send(Command::Undo);
    let now = &desk.session.document(id).expect("drawn").segments[0];
    assert_eq!((now.name.as_str(), now.colour, now.locked), ("Nodule", segment.colour, false));
    // The same name again is no gesture.
    let gestures = desk.session.document(id).expect("drawn").history.done().count();
    desk.send(Command::RenameSegment(segment.id, "Nodule".into()));
    assert_eq!(desk.session.document(id).expect("drawn").history.done().count(), gestures);

    arrives(&mut desk, id, 60, &["Thing"]);
    let thing = desk.session.document(id).expect("there").segments[1].id;
    desk.send(Command::AcceptSegment(thing));
    assert!(!desk.session.document(id).expect("there").proposed.contains(&thing));
    desk.send(Command::Undo);
    assert!(desk.session.document(id).expect("there").proposed.contains(&thing));
    desk.send(Command::Redo);
    assert!(!desk.session.document(id).expect("there").proposed.contains(&thing));
}

#[test]
fn a_loaded_mask_lies_on_the_series_that_it_names_though_another_has_the_same_grid() {
    let dir = tempfile::tempdir().unwrap();
    let (desk, _) = demo(&dir.path().join("first"), "CT");
    // The CT a second time, as another series of the same study on the same grid.
    let (ct, twin) = (dir.path().join("ct"), dir.path().join("twin"));
    fs::create_dir_all(&ct).unwrap();
    fs::create_dir_all(&twin).unwrap();
    let open = desk.stack("CT");
    for (n, frame) in open.info.frames.iter().enumerate() {
        let bytes = fs::read(frame.source.to_string()).unwrap();
        fs::write(ct.join(format!("{n:04}.dcm")), &bytes).unwrap();
        let bytes = renamed(&bytes, &open.series.uid);
        fs::write(twin.join(format!("{n:04}.dcm")), renamed(&bytes, &frame.sop_instance_uid)).unwrap();
    }
    let series = open.series.uid.clone();
    for other in [false, true] {
        let mut desk = Desk::new(&dir.path().join(format!("desk {other}")));
        desk.send(Command::Open(vec![ct.clone(), twin.clone()]));
        let all: Vec<(StackId, bool)> = desk.session.library.stacks().map(|s| (s.id, s.series.uid != series)).collect();
        assert_eq!(all.len(), 2);
        let drawn_on = all.iter().find(|(_, twin)| *twin == other).expect("there").0;
        desk.send(Command::Show { slot: Some(0), stack: drawn_on });
        dab(&mut desk, 20.0, 30.0);
        let seg = dir.path().join(format!("{other}.dcm"));
        desk.send(Command::SaveSeg(seg.clone().into()));
        desk.send(Command::LoadSeg(seg));
        for (id, _) in &all {
            let segments = desk.session.document(*id).map_or(0, |d| d.segments.len());
            assert_eq!(segments, if *id == drawn_on { 2 } else { 0 }, "{:?}", desk.messages());
        }
        assert!(desk.messages().iter().any(|m| m.starts_with("1 segment loaded.")), "{:?}", desk.messages());
    }
}

/// The same bytes with the last digit of a UID changed, so that nothing moves.
pub(crate) fn renamed(bytes: &[u8], uid: &str) -> Vec<u8> {
    let (head, last) = uid.split_at(uid.len() - 1);
    let other = format!("{head}{}", (last.parse::<u8>().unwrap() + 1) % 10);
    let mut out = bytes.to_vec();
    let mut places = 0;
    for i in 0..bytes.len().saturating_sub(uid.len()) {
        if &bytes[i..i + uid.len()] == uid.as_bytes() {
            out[i..i + uid.len()].copy_from_slice(other.as_bytes());
            places += 1;
        }
    }
    assert!(places > 0);
    out
}
