//! Found boxes against true ones.

use super::{How, Measured, each};
use crate::answer::{Found, picture_of};
use crate::card::{BaselineMethod, Interval};
use crate::data::case::{Set, Truth};
use crate::metrics::{self, Scored};
use crate::run::RunCx;
use crate::{Error, Model, Result, plain};
use std::collections::BTreeMap;

/// Boxes of each case: found and true.
type Boxes = Vec<(Vec<Scored>, Vec<([f32; 4], usize)>)>;

/// AP over labels at an overlap, over the drawn cases.
fn average(cases: &Boxes, drawn: &[usize], labels: usize, overlap: f32) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for label in 0..labels {
        let (mut found, mut truth) = (Vec::new(), Vec::new());
        for (image, i) in drawn.iter().enumerate() {
            found.extend(cases[*i].0.iter().filter(|f| f.label == label).map(|f| Scored { image, ..f.clone() }));
            truth.extend(cases[*i].1.iter().filter(|t| t.1 == label).map(|t| (image, t.0)));
        }
        let ap = metrics::average_precision(&found.iter().collect::<Vec<_>>(), &truth, overlap);
        if ap.is_finite() {
            sum += ap;
            n += 1.0;
        }
    }
    sum / n
}

fn free_response(cases: &Boxes, drawn: &[usize]) -> f64 {
    let (mut found, mut truth) = (Vec::new(), Vec::new());
    for (image, i) in drawn.iter().enumerate() {
        found.extend(cases[*i].0.iter().map(|f| Scored { image, ..f.clone() }));
        truth.extend(cases[*i].1.iter().map(|t| (image, t.0)));
    }
    metrics::froc(&found.iter().collect::<Vec<_>>(), &truth, drawn.len())
}

fn figures(persons: &[String], cases: &Boxes, labels: usize, draws: usize) -> BTreeMap<String, Interval> {
    let persons: Vec<&str> = persons.iter().map(String::as_str).collect();
    // Ten overlaps times the labels make a draw dear.
    let few = draws.min(200);
    let all = |d: &[usize]| (0..10).map(|k| average(cases, d, labels, 0.5 + 0.05 * k as f32)).sum::<f64>() / 10.0;
    BTreeMap::from([
        ("ap50".into(), metrics::bootstrap(&persons, few, |d| average(cases, d, labels, 0.5))),
        ("ap".into(), metrics::bootstrap(&persons, few, all)),
        ("froc".into(), metrics::bootstrap(&persons, few, |d| free_response(cases, d))),
    ])
}

pub(super) fn measure(model: &Model, set: &dyn Set, which: &[usize], how: How, cx: &RunCx<'_>) -> Result<Measured> {
    let card = model.card();
    let blob = how.plain && card.baseline.as_ref().is_some_and(|b| b.method == BaselineMethod::BrightestBlob);
    let names: Vec<&String> =
        card.labels.iter().map(|l| &l.name).filter(|n| !crate::answer::is_background(n)).collect();
    let mut out = Measured::default();
    let (mut ours, mut theirs): (Boxes, Boxes) = (Vec::new(), Vec::new());
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    each(set, which, cx, |i, item, case| {
        let Truth::Boxes(truth) = &case.truth else {
            return Err(Error::Data { set: set.name().into(), reason: format!("no boxes are told: {}", case.name) });
        };
        let Found::Boxes(all) = model.answer(&picture_of(case), &quiet)?.found else { return Ok(()) };
        let found: Vec<Scored> = all
            .iter()
            .filter_map(|b| {
                let label = names.iter().position(|n| **n == b.label)?;
                Some(Scored { image: 0, rect: b.rect, score: f64::from(b.score), label })
            })
            .collect();
        let overlap = |f: &Scored| {
            truth
                .iter()
                .filter(|t| t.1 == f.label)
                .map(|t| crate::arch::detect::boxes::iou(&t.0, &f.rect))
                .fold(0.0, f32::max)
        };
        let best = found.iter().max_by(|a, b| a.score.total_cmp(&b.score)).map_or(0.0, overlap);
        out.persons.push(item.person.clone());
        out.by_case.push((i, f64::from(best)));
        ours.push((found, truth.clone()));
        if blob {
            // It knows no kinds, so the kind is given to it.
            let label = truth.first().map_or(0, |t| t.1);
            let found = plain::brightest_blob(&case.pixels.to_f32(), case.size[2]);
            let found = found.into_iter().map(|(rect, score)| Scored { image: 0, rect, score, label }).collect();
            theirs.push((found, truth.clone()));
        }
        Ok(())
    })?;
    if how.draws == 0 {
        let drawn: Vec<usize> = (0..ours.len()).collect();
        let value = average(&ours, &drawn, names.len(), 0.5);
        out.metrics.insert("ap50".into(), Interval { value, low: value, high: value });
    } else {
        out.metrics = figures(&out.persons, &ours, names.len(), how.draws);
    }
    if !theirs.is_empty() {
        out.baseline = figures(&out.persons, &theirs, names.len(), how.draws);
    }
    out.score = out.metrics["ap50"].value;
    Ok(out)
}
