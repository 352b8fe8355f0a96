//! A kill loses at most the stroke in the hand.

use lightbox_session::Command;
use lightbox_session::annotation::AnnotationKind;
use lightbox_tests::Desk;

/// The journal of a process that is gone: as this one wrote it, under a number that no process has.
fn orphan(dir: &std::path::Path) {
    let own = std::fs::read_dir(dir.join("journal")).unwrap().next().expect("a journal").unwrap().path();
    std::fs::rename(&own, dir.join("journal/work-1-4294967.jsonl")).unwrap();
}

#[test]
fn work_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::new(dir.path());
    desk.send(Command::OpenDemo);
    desk.send(Command::Activate(0));
    let ct = desk.show("CT");
    desk.send(Command::AddSegment { name: Some("Nodule".into()) });
    for step in 0..4 {
        let at = desk.at(20.0 + 10.0 * f64::from(step), 30.0);
        desk.send(Command::StrokeBegin { slot: None, at, erase: false });
        desk.send(Command::StrokeEnd);
    }
    desk.send(Command::Undo);
    let points = vec![desk.at(0.0, 0.0), desk.at(30.0, 40.0)];
    desk.send(Command::AddAnnotation { slot: None, kind: AnnotationKind::Length, points });
    let segments = desk.session.document(ct).expect("drawn").segments.clone();
    let key = desk.stack("CT").key.clone();
    // The stroke in the hand is what a kill may take.
    let at = desk.at(90.0, 90.0);
    desk.send(Command::StrokeBegin { slot: None, at, erase: false });
    drop(desk);
    orphan(dir.path());

    let mut next = Desk::new(dir.path());
    let offer = next.session.recovery.clone().expect("work is offered");
    assert_eq!(offer.gestures, 5, "a segment, three strokes that stand, a length");
    next.send(Command::Restore);
    let open = next.session.library.by_key(&key).expect("open again").id;
    let document = next.session.document(open).expect("restored");
    assert_eq!(
        document.segments.iter().map(|s| (&s.name, &s.mask)).collect::<Vec<_>>(),
        segments.iter().map(|s| (&s.name, &s.mask)).collect::<Vec<_>>()
    );
    assert_eq!(document.annotations.len(), 1);
    // It is safe again: in the journal of the new session.
    drop(next);
    let after = Desk::new(dir.path());
    drop(after);
    orphan(dir.path());
    let third = Desk::new(dir.path());
    assert!(third.session.recovery.is_some());
}

#[test]
fn saved_work_and_refused_work_are_not_offered() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::new(dir.path());
    desk.send(Command::OpenDemo);
    desk.send(Command::Activate(0));
    desk.show("CT");
    let at = desk.at(20.0, 30.0);
    desk.send(Command::StrokeBegin { slot: None, at, erase: false });
    desk.send(Command::StrokeEnd);
    let copy = dir.path().join("copy.jsonl");
    let own = std::fs::read_dir(dir.path().join("journal")).unwrap().next().unwrap().unwrap().path();
    std::fs::copy(&own, &copy).unwrap();
    desk.send(Command::SaveSeg(dir.path().join("a.dcm").into()));
    drop(desk);
    orphan(dir.path());
    let mut next = Desk::new(dir.path());
    assert!(next.session.recovery.is_none());
    // The same work, unsaved, and refused by the reader.
    std::fs::copy(&copy, dir.path().join("journal/work-1-4294967.jsonl")).unwrap();
    next = Desk::new(dir.path());
    assert!(next.session.recovery.is_some());
    next.send(Command::DiscardRecovery);
    assert!(Desk::new(dir.path()).session.recovery.is_none());
}
