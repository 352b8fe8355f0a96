//! A copy of a model learns from masks that the reader approved: what is kept for it tells nobody whose it is, the copy is
//! offered with both figures, kept beside the old one or given up; a run that is stopped leaves nothing.

use std::path::{Path, PathBuf};

use lightbox_session::improving::{LEAST_PERSONS, approved, keep_synthetic};
use lightbox_session::models::ModelInfo;
use lightbox_session::{Command, Effect, JobKind, Jobs, Places, StackId};
use lightbox_tests::{Desk, root};

use crate::models::added;

fn desk(dir: &Path) -> (Desk, StackId) {
    let mut desk = Desk::new(dir);
    desk.send(Command::OpenDemo);
    desk.send(Command::Activate(0));
    let stack = desk.show("DX");
    (desk, stack)
}

fn model(desk: &Desk, id: &str) -> ModelInfo {
    desk.session.models.iter().find(|m| m.id == id).unwrap_or_else(|| panic!("no {id}")).clone()
}

/// A tiny network of one mask with random weights, among the user's models.
fn tiny(dir: &Path) -> String {
    added(
        dir,
        "id = 'tiny-lungs'\ntask = 'segmentation'\nlicence = 'CC0-1.0'\nname = 'Tiny lungs'\nlabels = ['Lungs']\n[architecture]\nname \
         = 'unet2d'\ninputs = 1\noutputs = 1\nchannels = [8, 12]\nmerge_convs = 1\n[input]\nrows = 32\ncolumns = 32\nresize = \
         'squeeze'\n",
    )
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        for entry in std::fs::read_dir(&at).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

#[test]
fn an_approved_mask_is_kept_only_when_it_is_asked_for_and_tells_nobody_whose_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    let lungs = model(&desk, "cxr-lungs");
    let keep = Command::UseForImproving { slot: None, model: lungs.id.clone() };
    // Proposals are not approved.
    assert!(approved(desk.session.document(stack), &lungs, Some(0)).is_err());
    desk.send(keep.clone());
    assert!(desk.messages().iter().any(|m| m.contains("Accept, correct or reject")), "{:?}", desk.messages());
    for id in desk.session.document(stack).unwrap().segments.iter().map(|s| s.id).collect::<Vec<_>>() {
        desk.send(Command::AcceptSegment(id));
    }
    // Accepting alone keeps nothing.
    assert_eq!(
        (desk.session.improving.count("cxr-lungs").pairs, files(&dir.path().join("kept/improve"))),
        (0, Vec::new())
    );
    desk.send(keep.clone());
    let count = desk.session.improving.count("cxr-lungs");
    assert_eq!((count.pairs, count.persons), (1, 1), "{:?}", desk.messages());
    desk.send(keep);
    assert_eq!(desk.session.improving.count("cxr-lungs").pairs, 1, "the same image is one");
    let patient = desk.session.library.study_of(stack).unwrap().patient.clone();
    let uids = [
        desk.session.library.study_of(stack).unwrap().uid.clone(),
        desk.session.library.stack(stack).unwrap().series.uid.clone(),
        desk.session.library.stack(stack).unwrap().info.frames[0].sop_instance_uid.clone(),
    ];
    for file in files(&dir.path().join("kept/improve")) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        for word in [&patient.name, &patient.id].into_iter().chain(&uids) {
            assert!(!word.is_empty() && !text.contains(word.as_str()), "{}", file.display());
            assert!(!file.to_string_lossy().contains(word.as_str()));
        }
    }
    // One person is not enough; how many more is said.
    assert_eq!(desk.session.improving.persons_lacking("cxr-lungs"), LEAST_PERSONS - 1);
    desk.send(Command::Improve("cxr-lungs".into()));
    assert!(desk.messages().iter().any(|m| m.contains("Approved masks of 3 more persons are needed")));
    // It is still there at the next start, and deleted when that is asked for.
    drop(desk);
    let mut next = Desk::new(dir.path());
    assert_eq!(next.session.improving.count("cxr-lungs").pairs, 1);
    next.send(Command::ForgetCorrections("cxr-lungs".into()));
    assert_eq!(next.session.improving.count("cxr-lungs").pairs, 0);
    assert!(files(&dir.path().join("kept/improve")).iter().all(|f| f.ends_with("salt")));
}

#[test]
fn a_mask_drawn_by_hand_counts_under_the_name_of_the_label() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    let lungs = model(&desk, "cxr-lungs");
    for id in desk.session.document(stack).unwrap().segments.iter().map(|s| s.id).collect::<Vec<_>>() {
        desk.send(Command::DeleteSegment(id));
    }
    assert!(approved(desk.session.document(stack), &lungs, Some(0)).is_err());
    desk.send(Command::AddSegment { name: Some("left lung".into()) });
    let at = desk.at(300.0, 300.0);
    desk.send(Command::StrokeBegin { slot: None, at, erase: false });
    assert!(approved(desk.session.document(stack), &lungs, Some(0)).is_err(), "a stroke is in the hand");
    desk.send(Command::StrokeEnd);
    assert_eq!(approved(desk.session.document(stack), &lungs, Some(0)).map(|s| s.len()), Ok(1));
    let segment = desk.session.document(stack).unwrap().segments[0].id;
    desk.send(Command::RenameSegment(segment, "Heart".into()));
    assert!(approved(desk.session.document(stack), &lungs, Some(0)).is_err());
}

#[test]
fn a_copy_that_learnt_is_offered_with_both_figures_and_kept_beside_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let id = tiny(dir.path());
    let (mut desk, stack) = desk(dir.path());
    let old = model(&desk, &id);
    let before = std::fs::read(old.dir.join("model.safetensors")).unwrap();
    keep_synthetic(&dir.path().join("kept"), &old, 12).unwrap();
    desk.send(Command::ListModels);
    let count = desk.session.improving.count(&id);
    assert_eq!((count.pairs, count.persons), (12, 12));
    desk.send(Command::Improve(id.clone()));
    let offer = desk.session.improving.offer.clone().unwrap_or_else(|| panic!("{:?}", desk.messages()));
    assert!(desk.session.improving.run.is_none());
    let held = offer.held_back();
    // Every fourth of the twelve is measured on; of the nine others two choose and seven are learnt from.
    assert_eq!((held.persons, offer.effort().0), (3, 7));
    assert!(held.after.value > held.before.value && offer.passes(), "{held:?}");
    assert!(held.before.low <= held.before.value && held.after.value <= held.after.high);
    assert!(
        offer.own().is_none() && offer.notes.iter().any(|n| n.contains("not on this machine")),
        "{:?}",
        offer.notes
    );
    let losses: Vec<f64> = offer.points.iter().filter_map(|p| p.loss).collect();
    assert!(losses.len() == 64 && losses[63] < losses[0], "{losses:?}");
    assert!(offer.points.iter().filter(|p| p.validation.is_some()).count() == 9, "before the first, then eight times");
    // Until it is kept there is nothing but the old model.
    let models = |dir: &Path| std::fs::read_dir(dir.join("models")).unwrap().count();
    assert_eq!(models(dir.path()), 1);
    desk.send(Command::KeepImproved);
    assert!(desk.session.improving.offer.is_none(), "{:?}", desk.messages());
    let new = model(&desk, "tiny-lungs-improved-1");
    assert!(new.added && new.problem.is_none() && new.card.name == "Tiny lungs (improved)");
    assert!(
        new.card.limits[0].starts_with("Changed from 'tiny-lungs' on this machine by 7 masks"),
        "{:?}",
        new.card.limits
    );
    assert_eq!(new.card.metrics["dice"].value, held.after.value);
    assert_eq!(std::fs::read(old.dir.join("model.safetensors")).unwrap(), before, "nothing is replaced");
    // It runs as any other.
    desk.send(Command::RunModel { slot: None, model: new.id.clone(), series: false });
    assert!(desk.session.results.iter().any(|r| r.model == new.id && r.stack == stack), "{:?}", desk.messages());
    // A second copy has a number of its own.
    desk.send(Command::Improve(id));
    desk.send(Command::KeepImproved);
    model(&desk, "tiny-lungs-improved-2");
}

#[test]
fn a_copy_that_is_given_up_or_does_not_pass_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let id = tiny(dir.path());
    let (mut desk, _) = desk(dir.path());
    keep_synthetic(&dir.path().join("kept"), &model(&desk, &id), LEAST_PERSONS).unwrap();
    desk.send(Command::ListModels);
    let there = files(&dir.path().join("models"));
    desk.send(Command::Improve(id));
    let offer = desk.session.improving.offer.clone().expect("an offer");
    // Four persons: three to learn from, one to measure on, none that chooses.
    assert_eq!((offer.effort(), offer.held_back().persons), ((3, 64), 1));
    assert!(offer.points.iter().all(|p| p.validation.is_none()));
    desk.send(Command::DiscardImproved);
    desk.send(Command::KeepImproved);
    assert_eq!((files(&dir.path().join("models")), desk.session.improving.offer.is_some()), (there, false));
}

/// Jobs on threads, as in the window.
fn threads(dir: &Path) -> Jobs {
    let places = Places {
        journal: dir.join("journal"),
        demo: lightbox_tests::demo_folder(),
        settings: dir.join("settings.json"),
        weights: vec![root().join("weights")],
        models: Some(dir.join("models")),
        kept: dir.join("kept"),
    };
    Jobs::threads(places, || {}).unwrap()
}

#[test]
fn a_run_that_is_stopped_leaves_nothing_and_one_that_is_ended_offers_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let id = tiny(dir.path());
    let (mut desk, _) = desk(dir.path());
    keep_synthetic(&dir.path().join("kept"), &model(&desk, &id), 12).unwrap();
    desk.send(Command::ListModels);
    let there = files(dir.path());
    let mut jobs = threads(dir.path());
    // `until` says when it is stopped; commands that stop it follow.
    let begin = |desk: &mut Desk, jobs: &mut Jobs, command: &dyn Fn(&Desk) -> Command| {
        desk.session.apply(Command::Improve(id.clone())).into_iter().for_each(|e| jobs.run(e));
        let learnt = |desk: &Desk| desk.session.improving.run.as_ref().is_some_and(|r| r.points.len() > 3);
        while !learnt(desk) {
            for event in jobs.drain(16) {
                desk.session.on_event(event).into_iter().for_each(|e| jobs.run(e));
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let command = command(desk);
        desk.session.apply(command).into_iter().for_each(|e| jobs.run(e));
        jobs.settle(&mut desk.session);
    };
    // Escape is for what one waits for; this has a Stop of its own.
    begin(&mut desk, &mut jobs, &|desk| Command::CancelJob(desk.session.improving.run.as_ref().unwrap().job));
    let improving = &desk.session.improving;
    assert!(improving.run.is_none() && improving.offer.is_none());
    assert_eq!(files(dir.path()), there);
    begin(&mut desk, &mut jobs, &|_| Command::FinishImproving);
    let offer = desk.session.improving.offer.as_ref().expect("what it had");
    let updates = offer.points.iter().filter(|p| p.loss.is_some()).count();
    assert!((3..64).contains(&updates), "{updates} updates");
    assert_eq!(files(dir.path()), there, "an offer is in memory only");
    let started = desk.session.apply(Command::CancelLatest);
    assert!(!started.iter().any(|e| matches!(e, Effect::Cancel(_))));
    assert!(!desk.session.jobs.iter().any(|j| j.kind == JobKind::Improve));
}
