//! The shipped lung model: on the phantom always, on held-back persons where the data are at hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use lightbox_core::phantom::chest_xray;
use lightbox_model::data::cxr::LungSet;
use lightbox_model::data::{self, Part};
use lightbox_model::metrics::dice;
use lightbox_model::{GreyImage, Model, RunCx, Store};
use std::path::PathBuf;

fn model() -> Model {
    let weights = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights"));
    let store = Store::discover(&[weights], None);
    Model::load(store.get("cxr-lungs").unwrap()).unwrap()
}

fn union(masks: &[Vec<bool>]) -> Vec<bool> {
    (0..masks[0].len()).map(|i| masks.iter().any(|m| m[i])).collect()
}

#[test]
fn it_outlines_each_lung_of_the_phantom() {
    let phantom = chest_xray().unwrap();
    let (columns, rows) = (phantom.frame.columns(), phantom.frame.rows());
    let values = phantom.frame.values();
    let image = GreyImage { columns, rows, values, spacing_mm: Some(phantom.pixel_spacing_mm) };
    let found = model().segment(&image, &RunCx::silent()).unwrap();
    let truth = [&phantom.right_lung, &phantom.left_lung]
        .map(|m| (0..columns * rows).map(|i| m.get([i % columns, i / columns, 0])).collect::<Vec<_>>());
    let ours: Vec<Vec<bool>> = found.masks.iter().map(|m| m.mask.clone()).collect();
    let both = dice(&union(&ours), &union(&truth));
    let [right, left] = [0, 1].map(|i| dice(&ours[i], &truth[i]));
    assert!(both > 0.93 && right > 0.9 && left > 0.9, "both {both:.3}, right {right:.3}, left {left:.3}");
}

#[test]
fn it_meets_its_card_on_held_back_persons() {
    let root = data::root(None);
    let root =
        if root.is_absolute() { root } else { PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(root) };
    if !root.join("cxr").is_dir() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs the data set at {}", root.display());
        // A skipped test has to say so.
        #[allow(clippy::print_stderr, reason = "a test's only voice")]
        {
            eprintln!("skipped: no chest X-rays at {}", root.display());
        }
        return;
    }
    let model = model();
    let split = &model.card().data.as_ref().unwrap().split;
    let set = LungSet::open(&root).unwrap();
    // Every tenth: enough to notice a broken step, quick enough for each run.
    let some: Vec<_> = set.pairs.iter().filter(|p| split.part(&p.person) == Part::Test).step_by(10).collect();
    assert!(some.len() > 30);
    let cases = set.load(&some).unwrap();
    let mean = cases
        .iter()
        .map(|case| {
            let found = model.segment(&case.image(), &RunCx::silent()).unwrap();
            let masks: Vec<Vec<bool>> = found.masks.into_iter().map(|m| m.mask).collect();
            dice(&union(&masks), &case.mask)
        })
        .sum::<f64>()
        / cases.len() as f64;
    assert!(mean > 0.94, "Dice {mean:.4}");
}
