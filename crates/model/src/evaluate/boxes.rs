//! Found boxes against true ones.

use super::masks::otsu_dark;
use super::{How, Measured, each, mean};
use crate::answer::{Found, is_background, picture_of};
use crate::card::{BaselineMethod, metric_name};
use crate::data::case::{Case, Set, Truth};
use crate::detection::blob::{self, Blobs};
use crate::detection::parts::{PART_OF_IMAGE, parts};
use crate::detection::{Labelled, Scored, measure as figures};
use crate::run::RunCx;
use crate::{Error, Model, Result, metrics};

/// Seed of the bootstrap.
const SEED: u64 = 20;
/// Outlines of boxes with a lower score do not count for the Dice of all outlines together.
const SURE: f32 = 0.5;

/// The true boxes, and all true outlines together where there are any.
fn truth(set: &dyn Set, case: &Case) -> Result<(Vec<Labelled>, Option<Vec<bool>>)> {
    let at = |rect, label| Labelled { rect, label, score: 1.0 };
    match &case.truth {
        Truth::Boxes(all) => Ok((all.iter().map(|(rect, label)| at(*rect, *label)).collect(), None)),
        Truth::Labels(_) => {
            let mask = case.mask(1);
            let boxes = parts(&mask, case.size[2], PART_OF_IMAGE).into_iter().map(|(rect, _)| at(rect, 0)).collect();
            Ok((boxes, Some(mask)))
        }
        _ => Err(Error::Data { set: set.name().into(), reason: format!("no boxes are told: {}", case.name) }),
    }
}

pub(super) fn measure(model: &Model, set: &dyn Set, which: &[usize], how: How, cx: &RunCx<'_>) -> Result<Measured> {
    let card = model.card();
    let method = card.baseline.as_ref().filter(|_| how.plain).map(|b| b.method);
    let blobs = match model.extras().get(blob::TENSOR) {
        Some(t) if method == Some(BaselineMethod::BrightestBlob) => Some(Blobs::from_tensor(t)?),
        _ => None,
    };
    let names: Vec<&String> = card.labels.iter().map(|l| &l.name).filter(|n| !is_background(n)).collect();
    let labels: Vec<(usize, String)> = names.iter().enumerate().map(|(i, n)| (i, (*n).clone())).collect();
    let mut out = Measured::default();
    let (mut ours, mut theirs): (Vec<Scored>, Vec<Scored>) = (Vec::new(), Vec::new());
    let (mut dice, mut plain_dice) = (Vec::new(), Vec::new());
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    each(set, which, cx, |i, _, case| {
        let (truth, mask) = truth(set, case)?;
        let Found::Boxes(all) = model.answer(&picture_of(case), &quiet)?.found else { return Ok(()) };
        let found: Vec<Labelled> = all
            .iter()
            .filter_map(|b| {
                let label = names.iter().position(|n| **n == b.label)?;
                Some(Labelled { rect: b.rect, label, score: b.score })
            })
            .collect();
        let scored = |found| Scored { person: set.unit(i), truth: truth.clone(), found };
        // How well the case was answered: the overlap of the best box, of a right name, with what it should cover.
        let overlap = |f: &Labelled| {
            let same = truth.iter().filter(|t| t.label == f.label);
            same.map(|t| crate::arch::detect::boxes::iou(&t.rect, &f.rect)).fold(0.0, f32::max)
        };
        let best = found.iter().max_by(|a, b| a.score.total_cmp(&b.score)).map_or(0.0, overlap);
        let [_, rows, columns] = case.size;
        let mut quality = f64::from(best);
        if let Some(mask) = &mask {
            let mut all_found = vec![false; rows * columns];
            for own in all.iter().filter(|b| b.score >= SURE).filter_map(|b| b.mask.as_ref()) {
                all_found.iter_mut().zip(own).for_each(|(a, m)| *a |= *m);
            }
            quality = metrics::dice(&all_found, mask);
            dice.push(quality);
        }
        out.persons.push(set.unit(i));
        out.by_case.push((i, quality));
        if let Some(blobs) = &blobs {
            theirs.push(scored(blobs.find(&case.pixels.to_f32(), columns, rows)));
        } else if method == Some(BaselineMethod::OtsuDark) {
            let dark = otsu_dark(case);
            let size = (rows * columns) as f32;
            let boxes = parts(&dark, columns, 0.0).into_iter().map(|(rect, own)| {
                let score = own.iter().filter(|m| **m).count() as f32 / size;
                Labelled { rect, label: 0, score }
            });
            theirs.push(scored(boxes.collect()));
            if let Some(mask) = &mask {
                plain_dice.push(metrics::dice(&dark, mask));
            }
        }
        ours.push(scored(found));
        Ok(())
    })?;
    out.metrics = figures(&ours, &labels, how.draws, SEED);
    out.baseline = figures(&theirs, &labels, how.draws, SEED);
    for (values, target) in [(&dice, &mut out.metrics), (&plain_dice, &mut out.baseline)] {
        if !values.is_empty() {
            let interval = mean(&out.persons, values, how.draws);
            target.insert("dice".into(), interval);
            if let Some(name) = names.first() {
                target.insert(metric_name("dice", name), interval);
            }
        }
    }
    out.score = out.metrics.get("ap50").map_or(0.0, |v| v.value);
    Ok(out)
}
