//! Learning from corrections: twenty corrected masks of a shifted look improve the lung model on twenty others of that look.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use lightbox_model::data::cxr::{LungSet, Pair};
use lightbox_model::data::{self, LungCase, Part};
use lightbox_model::metrics::dice;
use lightbox_model::train::{Correction, improve};
use lightbox_model::{Card, Error, GreyImage, Model, RunCx};
use std::path::PathBuf;

fn shipped() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights/cxr-lungs"))
}

/// The data root, or `None` with the reason printed.
fn root() -> Option<PathBuf> {
    let root = data::root(None);
    let root =
        if root.is_absolute() { root } else { PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(root) };
    if root.join("cxr").is_dir() {
        return Some(root);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs the data set at {}", root.display());
    // A skipped test has to say so.
    #[allow(clippy::print_stderr, reason = "a test's only voice")]
    {
        eprintln!("skipped: no chest X-rays at {}", root.display());
    }
    None
}

/// Contrast inverted and the lower fifth cut off: a look that the model never saw.
fn shifted(case: &LungCase) -> Correction {
    let rows = case.rows * 4 / 5;
    let n = rows * case.columns;
    let values = case.pixels[..n].iter().map(|v| 255.0 - f32::from(*v)).collect();
    let image = GreyImage { columns: case.columns, rows, values, spacing_mm: None };
    Correction { person: case.person.clone(), image, mask: case.mask[..n].to_vec() }
}

fn plain(case: &LungCase) -> Correction {
    Correction { person: case.person.clone(), image: case.image(), mask: case.mask.clone() }
}

fn mean_dice(model: &Model, cases: &[Correction]) -> f64 {
    let sum: f64 = cases
        .iter()
        .map(|c| {
            let found = model.segment(&c.image, &RunCx::silent()).unwrap();
            let union: Vec<bool> = (0..c.mask.len()).map(|i| found.masks.iter().any(|m| m.mask[i])).collect();
            dice(&union, &c.mask)
        })
        .sum();
    sum / cases.len() as f64
}

#[test]
fn twenty_corrections_of_a_shifted_look_help_on_twenty_others() {
    let Some(root) = root() else { return };
    let split = Card::read(&shipped()).unwrap().data.unwrap().split;
    let set = LungSet::open(&root).unwrap();
    let sure = |p: &&Pair| p.score.is_some_and(|s| s > 0.85);
    // One image a person, none of whom the model was trained on.
    let mut persons = std::collections::BTreeSet::new();
    let held: Vec<&Pair> = set
        .pairs
        .iter()
        .filter(sure)
        .filter(|p| split.part(&p.person) == Part::Test && persons.insert(p.person.clone()))
        .step_by(2)
        .take(56)
        .collect();
    let cases = set.load(&held).unwrap();
    assert_eq!(cases.len(), 56);
    let corrections: Vec<Correction> = cases[..20].iter().map(shifted).collect();
    let others: Vec<Correction> = cases[20..40].iter().map(shifted).collect();
    let own: Vec<Correction> = cases[40..].iter().map(plain).collect();
    let before = Model::load_from(Card::read(&shipped()).unwrap(), &shipped().join("model.safetensors")).unwrap();
    let offer = improve(&shipped(), &corrections, &own, 32, &RunCx::silent()).unwrap();
    let after = offer.model().unwrap();
    let (old, new) = (mean_dice(&before, &others), mean_dice(&after, &others));
    #[allow(clippy::print_stderr, reason = "the figures of the test")]
    {
        eprintln!("others of that look: {old:.3} to {new:.3}; held back: {:?}; own: {:?}", offer.held_back, offer.own);
    }
    assert!(new > old + 0.05, "Dice {old:.3} to {new:.3}");
    assert!(offer.held_back.after.value > offer.held_back.before.value);

    // Offered beside the old one: a new folder, and never over one that is there.
    let dir = tempfile::tempdir().unwrap();
    offer.save(dir.path(), "cxr-lungs-improved").unwrap();
    let saved = dir.path().join("cxr-lungs-improved");
    let again = Model::load_from(Card::read(&saved).unwrap(), &saved.join("model.safetensors")).unwrap();
    assert!((mean_dice(&again, &others) - new).abs() < 1e-6);
    assert!(matches!(offer.save(dir.path(), "cxr-lungs-improved"), Err(Error::AlreadyThere { .. })));
}

#[test]
fn corrections_that_cannot_teach_are_refused() {
    let image = |n: usize| GreyImage { columns: 8, rows: n, values: vec![1.0; 8 * n], spacing_mm: None };
    let one = |person: &str, n: usize| Correction { person: person.into(), image: image(8), mask: vec![true; n] };
    let refused = |all: &[Correction]| improve(&shipped(), all, &[], 1, &RunCx::silent()).unwrap_err().to_string();
    assert!(refused(&[one("a", 64), one("b", 64)]).contains("at least 4 persons"));
    assert!(refused(&[one("a", 64), one("b", 63)]).contains("63 pixels"));
    let mut nan = one("a", 64);
    nan.image.values[3] = f32::NAN;
    assert!(refused(&[nan]).contains("not finite"));
}
