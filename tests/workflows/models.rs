//! Models of every kind on an image: probabilities, boxes, masks, restored images; what does not fit is refused before it
//! runs; what came can be decided on and taken away.

use std::path::Path;
use std::sync::Arc;

use lightbox_core::Mask;
use lightbox_model::{Card, Store};
use lightbox_session::boxes::MarkState;
use lightbox_session::event::EventKind;
use lightbox_session::models::Fit;
use lightbox_session::results::{ClassScore, FoundBox, InferResult, Restored};
use lightbox_session::workspace::{Layer, LayerShow, Layout};
use lightbox_session::{Command, JobEvent, JobId, JobInfo, JobKind, StackId};
use lightbox_tests::Desk;
use safetensors::tensor::{Dtype, TensorView, serialize};

fn desk(dir: &Path) -> (Desk, StackId) {
    let mut desk = Desk::new(dir);
    desk.send(Command::OpenDemo);
    desk.send(Command::Activate(0));
    let stack = desk.show("DX");
    (desk, stack)
}

/// A result as it comes from a running job.
fn arrives(desk: &mut Desk, stack: StackId, fill: impl FnOnce(&mut InferResult)) {
    let geometry = desk.session.library.stack(stack).expect("open").geometry().clone();
    let mut result = InferResult::blank(stack, "made-up", "ab12", geometry);
    fill(&mut result);
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
    desk.jobs.settle(&mut desk.session);
}

fn found(rect_px: [f32; 4], score: f32) -> FoundBox {
    FoundBox { rect_px, score, label: "Opacity".into() }
}

/// A model with random weights among those that a user added.
pub(crate) fn added(dir: &Path, card: &str) -> String {
    let card: Card = toml::from_str(card).unwrap_or_else(|e| panic!("{e}: {card}"));
    let id = card.id.clone();
    let mut seed = 7u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1u32 << 24) as f32
    };
    let shapes: Vec<(String, Vec<usize>)> = card.architecture.shapes().into_iter().collect();
    let values = |name: &str, shape: &[usize], next: &mut dyn FnMut() -> f32| -> Vec<u8> {
        let fan: usize = shape.iter().skip(1).product::<usize>().max(1);
        let n: usize = shape.iter().product();
        let one =
            |u: f32| if name.ends_with("running_var") { 0.5 + u } else { (u * 2.0 - 1.0) * (3.0 / fan as f32).sqrt() };
        (0..n).flat_map(|_| one(next()).to_le_bytes()).collect()
    };
    let bytes: Vec<Vec<u8>> = shapes.iter().map(|(name, shape)| values(name, shape, &mut next)).collect();
    let views = shapes
        .iter()
        .zip(&bytes)
        .map(|((name, shape), b)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), b).unwrap()));
    let file = dir.join(format!("{id}.safetensors"));
    std::fs::write(&file, serialize(views, None).unwrap()).unwrap();
    let mut store = Store::discover(&[], Some(&dir.join("models")));
    store.add(&[file], card).unwrap_or_else(|e| panic!("{id}: {e}"));
    id
}

const HEAD: &str = "licence = 'CC0-1.0'\nname = 'Random'\n";

#[test]
fn added_models_of_every_task_run_on_the_image_and_on_the_series() {
    let dir = tempfile::tempdir().unwrap();
    let input = "[input]\nrows = 64\ncolumns = 64\nresize = 'squeeze'\n";
    let classes = added(
        dir.path(),
        &format!(
            "id = 'r-classes'\ntask = 'classification'\n{HEAD}labels = ['Normal', 'Bacterial', 'Viral']\n[post]\nactivation = \
             'softmax'\n[architecture]\nname = 'resnet'\ninputs = 3\noutputs = 3\nblocks = [1, 1, 1, 1]\nbottleneck = \
             false\nwidth = 4\n{input}"
        ),
    );
    let boxes = added(
        dir.path(),
        &format!(
            "id = 'r-boxes'\ntask = 'detection'\n{HEAD}labels = [{{name = 'background', threshold = 0.01}}, {{name = 'Opacity', \
             threshold = 0.01}}, {{name = 'Mass', threshold = 0.01}}]\n[architecture]\nname = 'ssd-light'\ninputs = 3\noutputs = \
             3\nwidth = 4\nscore = 0.2\niou = 0.3\n[input]\nrows = 320\ncolumns = 320\nresize = 'squeeze'\n"
        ),
    );
    let masks = added(
        dir.path(),
        &format!(
            "id = 'r-masks'\ntask = 'segmentation'\n{HEAD}labels = ['background', 'One', 'Two']\n[post]\nactivation = \
             'softmax'\n[architecture]\nname = 'monai-unet'\ndims = 2\ninputs = 1\noutputs = 3\nchannels = [4, 6, 8]\nstrides = [2, \
             2]\nres_units = 0\nnorm = 'batch'\n{input}"
        ),
    );
    let image = added(
        dir.path(),
        &format!(
            "id = 'r-image'\ntask = 'reconstruction'\n{HEAD}labels = []\n[post]\nactivation = 'none'\n[architecture]\nname \
             = 'autoencoder'\ninputs = 1\noutputs = 1\nchannels = [4, 6]\ngives = 'image'\n{input}"
        ),
    );
    let (mut desk, stack) = desk(dir.path());
    assert!(desk.session.models.iter().filter(|m| m.added).count() == 4, "{:?}", desk.session.models);
    for id in [&classes, &boxes, &masks, &image] {
        let model = desk.session.models.iter().find(|m| m.id == *id).expect("added");
        assert_eq!(model.problem, None);
        desk.send(Command::RunModel { slot: None, model: id.clone(), series: false });
    }
    let of = |desk: &Desk, id: &str, stack: StackId| {
        let found = desk.session.results.iter().rev().find(|r| r.model == id && r.stack == stack);
        found.unwrap_or_else(|| panic!("{id}: {:?}", desk.messages())).clone()
    };
    let result = of(&desk, &classes, stack);
    let sum: f32 = result.classes_on(0).expect("probabilities").iter().map(|c| c.probability).sum();
    assert!((sum - 1.0).abs() < 1e-4 && result.sha256.len() == 64 && result.seconds() > 0.0);
    let [columns, rows, _] = desk.session.library.stack(stack).unwrap().geometry().dims();
    for mark in &desk.session.document(stack).unwrap().boxes {
        assert!(mark.is_sound(columns, rows, 1) && mark.model == boxes);
    }
    assert!(!of(&desk, &boxes, stack).boxes.is_empty());
    assert!(!of(&desk, &masks, stack).masks.is_empty());
    let made = of(&desk, &image, stack);
    let made = made.image_on(0).expect("an image");
    assert_eq!((made.columns, made.rows, made.values.len()), (columns, rows, columns * rows));
    // On a series: each of its images.
    let mr = desk.show("MR");
    let frames = desk.session.library.stack(mr).unwrap().frames();
    desk.send(Command::RunModel { slot: None, model: classes.clone(), series: true });
    let all = of(&desk, &classes, mr);
    assert_eq!((all.frames, all.classes.len()), (frames, frames));
    assert!(all.covers(0) && all.covers(frames - 1));
}

#[test]
fn boxes_are_proposals_that_a_reader_decides_on_and_a_kill_does_not_lose() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    // The third lies outside of the image and is left out.
    let boxes = vec![
        found([10.0, 20.0, 60.0, 90.0], 0.9),
        found([80.0, 20.0, 120.0, 70.0], 0.4),
        found([1e9, 0.0, 2e9, 5.0], 1.0),
    ];
    arrives(&mut desk, stack, |r| r.boxes = vec![(0, boxes.clone())]);
    let ids: Vec<u32> = desk.session.document(stack).unwrap().boxes.iter().map(|b| b.id).collect();
    assert_eq!(ids.len(), 2);
    desk.send(Command::DecideBox { stack, id: ids[0], state: MarkState::Accepted });
    desk.send(Command::DecideBox { stack, id: ids[1], state: MarkState::Rejected });
    desk.send(Command::Undo);
    let state = |desk: &Desk, n: usize| desk.session.document(stack).unwrap().boxes[n].state;
    assert_eq!((state(&desk, 0), state(&desk, 1)), (MarkState::Accepted, MarkState::Proposed));
    // Again on the same image: what was accepted stays, the rest makes room.
    arrives(&mut desk, stack, |r| r.boxes = vec![(0, boxes)]);
    let now = desk.session.document(stack).unwrap().boxes.clone();
    assert_eq!(now.iter().filter(|b| b.state == MarkState::Accepted).count(), 1);
    assert_eq!(now.len(), 3, "one accepted, two new: {now:?}");
    // They are findings of the report, and its sentence leads back.
    desk.send(Command::DraftReport);
    let said = desk
        .session
        .report()
        .document
        .sentences()
        .find(|x| x.text.to_lowercase().contains("opacity"))
        .expect("a proposal");
    assert!(!said.is_confirmed(), "an accepted box is no accepted sentence");
    let grounds = lightbox_session::ground::of_sentence(&desk.session, said.id);
    assert_eq!(grounds[0].stack, stack);
    drop(desk);
    let mut next = Desk::new(dir.path());
    next.send(Command::Restore);
    let stack = next.stack("DX").id;
    let back = &next.session.document(stack).expect("restored").boxes;
    assert!(back.iter().any(|b| b.state == MarkState::Accepted && b.rect_px == [10.0, 20.0, 60.0, 90.0]), "{back:?}");
}

#[test]
fn a_result_is_taken_away_with_what_came_of_it_but_not_with_what_was_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    let dims = desk.session.library.stack(stack).unwrap().geometry().dims();
    let before = desk.session.document(stack).unwrap().segments.len();
    let mut mask = Mask::new(dims);
    mask.set([5, 5, 0], true);
    arrives(&mut desk, stack, |r| {
        r.masks = vec![("Thing".into(), mask)];
        r.boxes = vec![(0, vec![found([10.0, 20.0, 60.0, 90.0], 0.9), found([80.0, 20.0, 120.0, 70.0], 0.4)])];
    });
    let id = desk.session.results.last().expect("kept").id;
    let first = desk.session.document(stack).unwrap().boxes[0].id;
    desk.send(Command::DecideBox { stack, id: first, state: MarkState::Accepted });
    desk.send(Command::RemoveResult(id));
    let document = desk.session.document(stack).unwrap();
    assert_eq!((document.segments.len(), document.boxes.len()), (before, 1));
    assert!(desk.session.results.iter().all(|r| r.id != id));
    desk.send(Command::Undo);
    let document = desk.session.document(stack).unwrap();
    assert_eq!((document.segments.len(), document.boxes.len()), (before + 1, 2));
}

#[test]
fn probabilities_above_their_threshold_are_proposed_to_the_report_and_normal_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    let score = |label: &str, probability: f32| ClassScore { label: label.into(), probability, threshold: 0.5 };
    arrives(&mut desk, stack, |r| {
        r.classes = vec![(0, vec![score("Pneumonia", 0.71), score("Normal", 0.9), score("Nodule", 0.1)])];
    });
    desk.send(Command::DraftReport);
    let said: Vec<&str> = desk.session.report().document.sentences().map(|x| x.text.as_str()).collect();
    assert!(said.iter().any(|x| x.to_lowercase().contains("pneumonia")), "{said:?}");
    assert!(!said.iter().any(|x| x.contains("ormal") || x.contains("odule")), "{said:?}");
    assert!(!desk.session.report().document.to_text().contains("neumonia"), "only a proposal");
}

#[test]
fn a_restored_image_is_a_layer_of_its_own_pixels_and_compared_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, stack) = desk(dir.path());
    let [columns, rows, _] = desk.session.library.stack(stack).unwrap().geometry().dims();
    let n = columns * rows;
    let made = Restored {
        columns,
        rows,
        values: vec![100.0; n],
        residual: vec![1.0; n],
        residual_sd: 0.5,
        residual_mean: 1.0,
        network_px: [64, 64],
    };
    arrives(&mut desk, stack, |r| r.images = vec![(0, Arc::new(made))]);
    let result = desk.session.results.last().expect("kept").id;
    let layer = |desk: &Desk, slot: usize| desk.session.workspace.views[slot].layer.map(|l| l.show);
    assert_eq!(layer(&desk, desk.session.workspace.active), Some(LayerShow::Blend(1.0)), "it is seen at once");
    desk.send(Command::SetLayer { slot: None, layer: Some(Layer { result, show: LayerShow::Blend(f32::NAN) }) });
    assert_eq!(layer(&desk, desk.session.workspace.active), Some(LayerShow::Blend(1.0)));
    desk.send(Command::CompareResult(result));
    assert_eq!(desk.session.workspace.layout, Layout::OneByThree);
    assert_eq!(
        (layer(&desk, 0), layer(&desk, 1), layer(&desk, 2)),
        (None, Some(LayerShow::Blend(1.0)), Some(LayerShow::Residual))
    );
    assert!((0..3).all(|slot| desk.session.workspace.views[slot].stack == Some(stack)));
    // A layer does not go with another series into the viewport.
    let other = desk.stack("CT").id;
    desk.send(Command::Show { slot: Some(1), stack: other });
    assert_eq!(layer(&desk, 1), None);
    desk.send(Command::SetLayer { slot: Some(1), layer: Some(Layer { result, show: LayerShow::Residual }) });
    assert_eq!(layer(&desk, 1), None);
    desk.send(Command::RemoveResult(result));
    assert!((0..3).all(|slot| layer(&desk, slot).is_none()));
}

#[test]
fn a_model_that_does_not_fit_says_why_before_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desk, _) = desk(dir.path());
    let lungs = desk.session.models.iter().find(|m| m.id == "cxr-lungs").expect("shipped").clone();
    // One that reads volumes, one of two channels: by their cards alone.
    let with = |id: &str, card: &str| {
        let mut model = lungs.clone();
        model.card = toml::from_str(card).unwrap_or_else(|e| panic!("{id}: {e}"));
        model.id = id.to_owned();
        model
    };
    let plane = "[input]\nrows = 64\ncolumns = 64\nresize = 'squeeze'\n";
    let unet = |dims: usize, inputs: usize| {
        format!(
            "id = 'u'\ntask = 'segmentation'\n{HEAD}labels = ['background', 'One']\n[architecture]\nname = 'monai-unet'\ndims = \
             {dims}\ninputs = {inputs}\noutputs = 2\nchannels = [4, 6]\nstrides = [2]\nres_units = 0\nnorm = 'batch'\n{plane}"
        )
    };
    let fit = |desk: &Desk, card: &str, modality: &str| with("u", card).fit(desk.stack(modality), None);
    let refused = fit(&desk, &unet(3, 1).replace("columns = 64", "columns = 64\nslices = 16"), "DX");
    assert_eq!(refused, Fit::Unfit("needs a volume, this is a single image".into()));
    let refused = fit(&desk, &unet(2, 2), "DX");
    assert_eq!(refused, Fit::Unfit("needs 2 channels, this image has one".into()));
    assert_eq!(fit(&desk, &unet(2, 1), "DX"), Fit::Fits);
    let runs = desk.session.results.len();
    desk.show("MR");
    desk.send(Command::RunModel { slot: None, model: "cxr-lungs".into(), series: false });
    assert!(
        desk.messages().iter().any(|m| m.contains("does not run on this image. It needs an X-ray")),
        "{:?}",
        desk.messages()
    );
    // A plane across the images is no image.
    desk.show("CT");
    desk.send(Command::SetPlane { slot: None, plane: lightbox_core::Plane::Coronal });
    desk.send(Command::RunModel { slot: None, model: "cxr-lungs".into(), series: false });
    assert!(desk.messages().iter().any(|m| m.contains("does not run on this plane")), "{:?}", desk.messages());
    assert_eq!(desk.session.results.len(), runs);
}
