//! The journal on a disk that is full for a while.

use lightbox_core::{Mask, PlanePos};

use super::*;
use crate::command::Command;
use crate::journal::{find, read};
use crate::made_up;

fn places(dir: &std::path::Path) -> Places {
    Places {
        journal: dir.to_owned(),
        demo: dir.join("demo"),
        settings: dir.join("settings.json"),
        weights: Vec::new(),
        models: None,
        kept: dir.join("kept"),
    }
}

/// A session with a small volume on the screen.
fn desk(dir: &std::path::Path) -> (Session, Jobs) {
    let (mut s, mut jobs) = (Session::default(), Jobs::inline(places(dir)));
    let stack = s.library.add(made_up::study("1.2", made_up::stack(3, true)))[0];
    s.apply(Command::Show { slot: None, stack });
    s.jobs.clear();
    for effect in s.start() {
        jobs.run(effect);
    }
    jobs.settle(&mut s);
    (s, jobs)
}

fn dab(s: &mut Session, jobs: &mut Jobs, x: f64) {
    let view = s.workspace.active_view();
    let open = s.library.stack(view.stack.expect("shown")).expect("open");
    let at = open.plane_stack(view.plane).grid(view.index).to_patient(PlanePos::new(x, 16.0));
    jobs.apply(s, Command::StrokeBegin { slot: None, at, erase: false });
    jobs.apply(s, Command::StrokeEnd);
    jobs.settle(s);
}

fn drawn(s: &Session) -> Mask {
    s.active_document().expect("drawn").segments[0].mask.clone()
}

fn in_journal(jobs: &Jobs) -> Mask {
    let recovery = read(lock(&jobs.journal).path()).expect("read");
    recovery.stacks.values().next().expect("a stack").segments[0].0.mask.clone()
}

fn told(s: &Session) -> bool {
    s.problems.iter().any(|p| p.title == "The journal cannot be written.")
}

#[test]
fn after_a_full_disk_the_next_gesture_brings_all_work() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut s, mut jobs) = desk(dir.path());
    dab(&mut s, &mut jobs, 4.0);
    assert_eq!(in_journal(&jobs), drawn(&s));
    lock(&jobs.journal).room = Some(40);
    dab(&mut s, &mut jobs, 12.0);
    assert!(told(&s), "{:?}", s.problems);
    assert_ne!(in_journal(&jobs), drawn(&s));
    // Still full.
    dab(&mut s, &mut jobs, 14.0);
    assert!(told(&s));
    lock(&jobs.journal).room = None;
    dab(&mut s, &mut jobs, 20.0);
    assert_eq!(in_journal(&jobs), drawn(&s));
    assert!(!told(&s), "{:?}", s.problems);
    // And the next one is a line as ever.
    let length = std::fs::metadata(lock(&jobs.journal).path()).expect("there").len();
    dab(&mut s, &mut jobs, 28.0);
    assert_eq!(in_journal(&jobs), drawn(&s));
    assert!(std::fs::metadata(lock(&jobs.journal).path()).expect("there").len() > length);
}

#[test]
fn the_end_of_the_program_brings_what_is_missing() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut s, mut jobs) = desk(dir.path());
    lock(&jobs.journal).room = Some(0);
    dab(&mut s, &mut jobs, 4.0);
    lock(&jobs.journal).room = None;
    jobs.apply(&mut s, Command::Quit);
    assert_eq!(in_journal(&jobs), drawn(&s));
}

#[test]
fn an_old_journal_stays_until_its_work_is_in_the_new_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut s, mut jobs) = desk(dir.path());
    dab(&mut s, &mut jobs, 4.0);
    let mask = drawn(&s);
    let old = lock(&jobs.journal).path().to_owned();
    drop((s, jobs));
    let (mut s, mut jobs) = desk(dir.path());
    lock(&jobs.journal).room = Some(0);
    jobs.apply(&mut s, Command::Restore);
    jobs.settle(&mut s);
    assert_eq!(drawn(&s), mask);
    assert!(told(&s) && old.exists());
    drop((s, jobs));
    let (mut s, mut jobs) = desk(dir.path());
    jobs.apply(&mut s, Command::Restore);
    jobs.settle(&mut s);
    assert!(!old.exists());
    assert_eq!(in_journal(&jobs), mask);
    drop((s, jobs));
    assert!(find(dir.path(), &[]).is_some());
}
