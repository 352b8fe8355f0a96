//! What an answer rests on and how far it moves: maps as layers of their own, ranges on the bars; nothing of them is a mask,
//! a measurement or a finding.

use std::path::Path;

use lightbox_session::heat::{ExplainBy, MOST_OPACITY, VARIATION_COUNT};
use lightbox_session::{Command, Effect, JobKind, Jobs, StackId};
use lightbox_tests::Desk;

const CLASSES: &str = "cxr-pneumonia-resnet";

fn desk(dir: &Path) -> (Desk, StackId) {
    let mut desk = Desk::new(dir);
    desk.send(Command::OpenDemo);
    desk.send(Command::Activate(0));
    let stack = desk.show("DX");
    (desk, stack)
}

fn explain(model: &str, by: ExplainBy, class: Option<usize>) -> Command {
    Command::Explain { slot: None, model: model.into(), by, class }
}

#[test]
fn a_heat_map_is_one_click_away_and_names_its_class_and_method() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    let before = desk.session.document(stack).map(|d| d.revision);
    // The model has not run yet: its answer comes first.
    desk.send(explain(CLASSES, ExplainBy::GradCam, None));
    let result = desk.session.results.iter().find(|r| r.model == CLASSES).expect("it answered").clone();
    let classes = result.classes_on(0).expect("probabilities");
    let most = classes.iter().max_by(|a, b| a.probability.total_cmp(&b.probability)).unwrap();
    let heat = desk.session.heat_on(stack, 0).expect("a map").clone();
    assert_eq!((heat.by, &heat.label, heat.result), (ExplainBy::GradCam, &most.label, result.id));
    let [columns, rows, _] = desk.session.library.stack(stack).unwrap().geometry().dims();
    assert_eq!((heat.columns, heat.rows, heat.values.len()), (columns, rows, columns * rows));
    assert!(heat.values.iter().all(|v| (0.0..=1.0).contains(v)) && heat.top > 0.9, "top {}", heat.top);
    assert_eq!(heat.opacity, MOST_OPACITY);
    // It is no mask and no measurement.
    assert_eq!(desk.session.document(stack).map(|d| d.revision), before);

    // Another class: that map is drawn, the first one waits.
    desk.send(explain(CLASSES, ExplainBy::Occlusion, Some(0)));
    let second = desk.session.heat_on(stack, 0).expect("a map");
    assert_eq!((second.by, second.label.as_str()), (ExplainBy::Occlusion, classes[0].label.as_str()));
    assert!(second.values.iter().any(|v| v.abs() > 0.0) && second.values.iter().all(|v| v.abs() <= 1.0));
    let (second, first) = (second.id, heat.id);
    assert_eq!(desk.session.heats.iter().filter(|h| h.visible).count(), 1);
    desk.send(Command::ShowHeat(first, true));
    assert_eq!(desk.session.heat_on(stack, 0).map(|h| h.id), Some(first));
    desk.send(Command::SetHeatOpacity(first, 7.0));
    assert_eq!(desk.session.heat_on(stack, 0).map(|h| h.opacity), Some(MOST_OPACITY));
    desk.send(Command::SetHeatOpacity(first, 0.2));
    // The same again takes the place of the old one and keeps its opacity.
    desk.send(explain(CLASSES, ExplainBy::GradCam, None));
    assert_eq!((desk.session.heats.len(), desk.session.heat_on(stack, 0).unwrap().opacity), (2, 0.2));
    desk.send(Command::RemoveHeat(second));
    assert_eq!(desk.session.heats.len(), 1);
    // With the result its maps go.
    desk.send(Command::RemoveResult(result.id));
    assert!(desk.session.heats.is_empty());
}

#[test]
fn shares_of_a_class_say_how_far_they_miss_their_sum() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    desk.send(explain(CLASSES, ExplainBy::IntegratedGradients, None));
    let heat = desk.session.heat_on(stack, 0).expect("a map");
    assert!(heat.completeness_residual.expect("told") < 0.2, "{:?}", heat.completeness_residual);
    assert!(heat.values.iter().any(|v| *v < 0.0), "shares have a sign");
}

#[test]
fn bars_and_outlines_say_how_far_they_move() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    desk.send(explain(CLASSES, ExplainBy::Variation, None));
    let result = desk.session.results.iter().find(|r| r.model == CLASSES).expect("it answered");
    for class in result.classes_on(0).unwrap() {
        let spread = result.spread_on(0, &class.label).expect("a range");
        assert!((0.0..=1.0).contains(&spread.mean) && (0.0..0.5).contains(&spread.deviation), "{spread:?}");
    }
    let sum: f32 = result.classes_on(0).unwrap().iter().map(|c| result.spread_on(0, &c.label).unwrap().mean).sum();
    assert!((sum - 1.0).abs() < 1e-3 && VARIATION_COUNT == 7, "means of one softmax: {sum}");
    assert!(desk.session.heats.is_empty(), "a range is no map");

    desk.send(explain("cxr-lungs", ExplainBy::Variation, None));
    let heat = desk.session.heat_on(stack, 0).expect("a map of a mask");
    assert_eq!(heat.label, "Lungs");
    // A standard deviation of something between 0 and 1.
    assert!(heat.values.iter().all(|v| (0.0..=0.5).contains(v)) && heat.top > 0.01, "top {}", heat.top);
    assert!(heat.area_deviation.expect("told") < 0.5);
    // It is unsure at the edge of the lungs, not in their middle: the middle of a mask holds less than its outline.
    let document = desk.session.document(stack).unwrap();
    let lung = document.segments.iter().find(|s| s.name == "Left lung").expect("found").mask.plane(0).unwrap();
    let (columns, all) = (heat.columns, heat.rows * heat.columns);
    let edge = |i: usize| {
        [i.wrapping_sub(1), i + 1, i.wrapping_sub(columns), i + columns].iter().any(|n| *n >= all || !lung.get(*n))
    };
    let mean = |which: &dyn Fn(usize) -> bool| {
        let some: Vec<f32> = lung.iter_set().filter(|i| which(*i)).map(|i| heat.values[i]).collect();
        some.iter().sum::<f32>() / some.len().max(1) as f32
    };
    let (at_edge, inside) = (mean(&edge), mean(&|i| !edge(i)));
    assert!(at_edge > 2.0 * inside, "edge {at_edge}, inside {inside}");
}

#[test]
fn what_has_no_answer_to_look_at_says_so_and_a_closed_study_takes_its_maps_along() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    desk.send(explain("cxr-lungs", ExplainBy::GradCam, None));
    assert!(desk.messages().iter().any(|m| m.contains("has no grad-cam to show")), "{:?}", desk.messages());
    desk.send(explain(CLASSES, ExplainBy::GradCam, Some(77)));
    assert!(desk.session.heats.is_empty());
    desk.send(explain(CLASSES, ExplainBy::GradCam, None));
    assert_eq!(desk.session.heats.len(), 1);
    let study = desk.session.library.study_of(stack).unwrap().uid.clone();
    desk.send(Command::CloseStudy(study));
    assert!(desk.session.heats.is_empty());
}

#[test]
fn a_cancelled_look_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    desk.send(Command::RunModel { slot: None, model: CLASSES.into(), series: false });
    let results = desk.session.results.len();
    // On threads of its own, as in the window; it is stopped before it can end.
    let journal = dir.path().join("other");
    let places = lightbox_session::Places { journal, models: None, ..lightbox_session::Places::default() };
    let mut jobs = Jobs::threads(places, || {}).unwrap();
    let effects = desk.session.apply(explain(CLASSES, ExplainBy::Occlusion, None));
    let job = effects.iter().find_map(|e| if let Effect::Start(id, _) = e { Some(*id) } else { None }).unwrap();
    assert!(desk.session.explain_job(stack, CLASSES).is_some());
    effects.into_iter().for_each(|e| jobs.run(e));
    // Escape stops it: it is the last that was started.
    for effect in desk.session.apply(Command::CancelLatest) {
        assert!(matches!(effect, Effect::Cancel(id) if id == job));
        jobs.run(effect);
    }
    jobs.settle(&mut desk.session);
    assert!(desk.session.heats.is_empty() && desk.session.results.len() == results);
    assert!(!desk.session.jobs.iter().any(|j| matches!(j.kind, JobKind::Explain { .. })));
}
