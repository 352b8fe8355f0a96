//! Classes of whole images.

use super::{How, Measured, each};
use crate::answer::picture_of;
use crate::card::{BaselineMethod, Interval};
use crate::data::case::{Set, Truth};
use crate::run::RunCx;
use crate::{Error, Model, Result, metrics, plain};
use std::collections::BTreeMap;

/// What was said of a case.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClassRecord {
    /// Before temperature and softmax.
    pub(crate) logits: Vec<f32>,
    /// With the card's temperature.
    pub(crate) probabilities: Vec<f32>,
    pub(crate) truth: usize,
}

/// Probability of anything but the first class.
pub(crate) fn positive(probabilities: &[f32]) -> f64 {
    1.0 - f64::from(probabilities.first().copied().unwrap_or(0.0))
}

fn best(p: &[f32]) -> usize {
    (0..p.len()).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap_or(0)
}

/// Accuracy, AUC of the first class against the rest, sensitivity and specificity, calibration.
fn figures(
    persons: &[String],
    said: &[(Vec<f32>, usize)],
    normal_from: f32,
    draws: usize,
) -> BTreeMap<String, Interval> {
    let persons: Vec<&str> = persons.iter().map(String::as_str).collect();
    let share = |drawn: &[usize], counts: &dyn Fn(usize) -> bool, right: &dyn Fn(usize) -> bool| {
        let chosen: Vec<usize> = drawn.iter().copied().filter(|i| counts(*i)).collect();
        chosen.iter().filter(|i| right(**i)).count() as f64 / chosen.len() as f64
    };
    let flagged = |i: usize| said[i].0.first().copied().unwrap_or(0.0) < normal_from;
    let interval = |f: &(dyn Fn(&[usize]) -> f64 + Sync)| metrics::bootstrap(&persons, draws, f);
    BTreeMap::from([
        ("accuracy".into(), interval(&|d| share(d, &|_| true, &|i| best(&said[i].0) == said[i].1))),
        (
            "auc".into(),
            interval(&|d| metrics::auc(&d.iter().map(|i| (positive(&said[*i].0), said[*i].1 > 0)).collect::<Vec<_>>())),
        ),
        ("sensitivity".into(), interval(&|d| share(d, &|i| said[i].1 > 0, &flagged))),
        ("specificity".into(), interval(&|d| share(d, &|i| said[i].1 == 0, &|i| !flagged(i)))),
        ("ece".into(), interval(&|d| metrics::ece(&metrics::reliability(d.iter().map(|i| confidence(&said[*i])))))),
    ])
}

/// The largest probability, and whether it was right.
pub(crate) fn confidence((p, truth): &(Vec<f32>, usize)) -> (f64, f64) {
    let top = best(p);
    (f64::from(p.get(top).copied().unwrap_or(0.0)), f64::from(u8::from(top == *truth)))
}

pub(super) fn measure(model: &Model, set: &dyn Set, which: &[usize], how: How, cx: &RunCx<'_>) -> Result<Measured> {
    let card = model.card();
    let logistic = match card.baseline.as_ref().map(|b| b.method) {
        Some(BaselineMethod::LogisticTexture) if how.plain => {
            Some(plain::Logistic::of_tensors(&card.id, model.extras())?)
        }
        _ => None,
    };
    let mut out = Measured::default();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    each(set, which, cx, |i, item, case| {
        let Truth::Class(truth) = case.truth else {
            return Err(Error::Data { set: set.name().into(), reason: format!("no class is told: {}", case.name) });
        };
        let logits = model.class_logits(&picture_of(case), cx)?;
        let probabilities = crate::answer::class_probabilities(card, &logits);
        out.persons.push(item.person.clone());
        out.by_case.push((i, f64::from(probabilities.get(truth).copied().unwrap_or(0.0))));
        ours.push((probabilities.clone(), truth));
        out.classes.push(ClassRecord { logits, probabilities, truth });
        if let Some(logistic) = &logistic {
            theirs.push((logistic.probabilities(&plain::features(&case.pixels.to_f32(), case.size[2])), truth));
        }
        Ok(())
    })?;
    let normal_from = card.labels.first().map_or(0.5, |l| l.threshold);
    out.metrics = figures(&out.persons, &ours, normal_from, how.draws);
    if !theirs.is_empty() {
        out.baseline = figures(&out.persons, &theirs, 0.5, how.draws);
    }
    // The three classes count too where the AUC has no room left.
    out.score = (out.metrics["auc"].value + out.metrics["accuracy"].value) / 2.0;
    Ok(out)
}
