//! A model against ground truth, on persons that it never saw, beside the plain method of its card.

mod boxes;
mod classes;
mod gallery;
mod generated;
mod images;
mod masks;

use crate::card::{Card, InputSpec, Interval, Task};
use crate::data::case::{self, Case, Set};
use crate::data::{Item, Part};
use crate::image::{GreyImage, normalise, resize};
use crate::run::RunCx;
use crate::{Error, Model, Result};
use candle_core::{Device, Tensor};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use classes::{ClassRecord, confidence, positive};
pub(crate) use gallery::draw as draw_gallery;
pub(crate) use generated::{judge, small};
pub(crate) use images::{component_row, slab_planes, unit, worse};
pub(crate) use masks::{at_thresholds, click_of, logits_and_shares, volume};

/// Which cases to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cases {
    /// The persons that the card's split holds back.
    #[default]
    Test,
    /// Each case under the root, for sets that the model never saw.
    All,
}

/// Results, as the command line prints them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The model's id.
    pub model: String,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// The data root.
    pub data: String,
    /// How many cases.
    pub cases: usize,
    /// Figures with their bootstrap 95 % interval over persons.
    pub metrics: BTreeMap<String, Interval>,
    /// The same of the card's plain method.
    pub baseline: BTreeMap<String, Interval>,
}

/// Cases held in memory at once.
const CHUNK: usize = 64;
/// Restored images that are looked at, at most.
pub(crate) const MOST_RESTORED: usize = 80;
/// Draws of the bootstrap.
const DRAWS: usize = 1000;

/// Runs a model and its plain method over the data set that its card names.
///
/// Masks are compared at the image's own resolution, after all post-processing.
///
/// # Errors
/// [`Error::Data`] where the root holds no such set or no case, [`Error::Card`] where the card names none,
/// [`Error::Cancelled`].
pub fn evaluate(model: &Model, data_root: &Path, cases: Cases, cx: &RunCx<'_>) -> Result<Evaluation> {
    let card = model.card();
    let missing = |reason: &str| Error::Card { id: card.id.clone(), reason: reason.into() };
    let data = card.data.as_ref().ok_or_else(|| missing("it names no data set to evaluate on"))?;
    let set = case::open(&data.set, data_root)?;
    let chosen: Vec<usize> = held_back(set.as_ref(), card, cases);
    if chosen.is_empty() {
        let reason = "no person of it is held back by the card's split; use --cases all for a set that is new".into();
        return Err(Error::Data { set: data.set.clone(), reason });
    }
    let mut measured = measure(model, set.as_ref(), &chosen, How { plain: true, draws: DRAWS }, cx)?;
    add_outside(model, data_root, &mut measured, DRAWS, cx)?;
    Ok(Evaluation {
        model: card.id.clone(),
        sha256: card.sha256.clone(),
        data: data_root.display().to_string(),
        cases: measured.persons.len(),
        metrics: measured.metrics,
        baseline: measured.baseline,
    })
}

/// Measures on the card's outside set, if it names one; the figures come beside the others, as `outside_dice`.
pub(crate) fn add_outside(
    model: &Model,
    data_root: &Path,
    measured: &mut Measured,
    draws: usize,
    cx: &RunCx<'_>,
) -> Result<()> {
    let Some(name) = model.card().data.as_ref().and_then(|d| d.outside.as_deref()) else { return Ok(()) };
    let set = case::open(name, data_root)?;
    let all: Vec<usize> = (0..set.items().len()).collect();
    let found = measure(model, set.as_ref(), &all, How { plain: true, draws }, cx)?;
    let named = |metrics: BTreeMap<String, Interval>| metrics.into_iter().map(|(k, v)| (format!("outside_{k}"), v));
    measured.metrics.extend(named(found.metrics));
    measured.baseline.extend(named(found.baseline));
    Ok(())
}

/// The ten cases that a model answers worst, as a PNG: truth in green, answer in orange, the figure above.
///
/// # Errors
/// As [`evaluate`].
pub fn worst_cases(model: &Model, data_root: &Path, cases: Cases, cx: &RunCx<'_>) -> Result<Vec<u8>> {
    let card = model.card();
    let missing = || Error::Card { id: card.id.clone(), reason: "it names no data set to evaluate on".into() };
    let set = case::open(&card.data.as_ref().ok_or_else(missing)?.set, data_root)?;
    let chosen = held_back(set.as_ref(), card, cases);
    let measured = measure(model, set.as_ref(), &chosen, How { plain: false, draws: 0 }, cx)?;
    gallery::draw(model, set.as_ref(), &measured.by_case, cx)
}

/// Numbers of the cases to measure on.
fn held_back(set: &dyn Set, card: &Card, cases: Cases) -> Vec<usize> {
    let Some(data) = &card.data else { return Vec::new() };
    let all: Vec<usize> = (0..set.items().len())
        .filter(|i| cases == Cases::All || data.split.part(&set.items()[*i].person) == Part::Test)
        .collect();
    looked_at(set, card, &all, MOST_RESTORED)
}

/// Restored images are looked at one a person, spread over the persons, at most `most`: their figures hardly differ from
/// image to image, and the plain method takes its time. Of all other tasks every case counts.
pub(crate) fn looked_at(set: &dyn Set, card: &Card, which: &[usize], most: usize) -> Vec<usize> {
    let degraded = card.data.as_ref().and_then(|d| d.degrade).is_some_and(|d| d != crate::degrade::Degrade::None);
    if !degraded {
        return which.to_vec();
    }
    let mut seen = std::collections::BTreeSet::new();
    let one: Vec<usize> = which.iter().copied().filter(|i| seen.insert(set.items()[*i].person.as_str())).collect();
    // Blocks and few persons: all images of them.
    let from = if one.len() >= most / 2 { one } else { which.to_vec() };
    let step = from.len().div_ceil(most).max(1);
    from.into_iter().step_by(step).collect()
}

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// The plain method too.
    pub(crate) plain: bool,
    /// Draws of the bootstrap; 0 gives values without intervals.
    pub(crate) draws: usize,
}

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) metrics: BTreeMap<String, Interval>,
    pub(crate) baseline: BTreeMap<String, Interval>,
    /// The figure that checkpoints are chosen by, higher is better.
    pub(crate) score: f64,
    /// Who is on each case.
    pub(crate) persons: Vec<String>,
    /// Each case's number in the set and how well it was answered, higher is better.
    pub(crate) by_case: Vec<(usize, f64)>,
    /// Of a classifier: what it said of each case.
    pub(crate) classes: Vec<ClassRecord>,
    /// Of a mask with shares: mean probability and share by tenth.
    pub(crate) reliability: Vec<[f64; 3]>,
}

/// Measures a model on some cases of a set.
pub(crate) fn measure(model: &Model, set: &dyn Set, which: &[usize], how: How, cx: &RunCx<'_>) -> Result<Measured> {
    let card = model.card();
    if matches!(card.architecture.takes(), crate::arch::Takes::Latent(_)) {
        return generated::measure(model, set, which, how, cx);
    }
    match card.task {
        Task::Classification => classes::measure(model, set, which, how, cx),
        Task::Segmentation if matches!(card.architecture.takes(), crate::arch::Takes::Volume(_)) => {
            masks::volumes(model, set, which, how, cx)
        }
        Task::Segmentation if card.input.click => masks::clicks(model, set, which, how, cx),
        Task::Segmentation => masks::planes(model, set, which, how, cx),
        Task::Reconstruction => images::measure(model, set, which, how, cx),
        Task::Detection => boxes::measure(model, set, which, how, cx),
        Task::Language => Err(no_text(card)),
    }
}

/// A model of text has its own measure ([`crate::language`]).
fn no_text(card: &Card) -> Error {
    Error::Data { set: card.id.clone(), reason: "a model of text is not measured on images".into() }
}

/// Calls `see` with each case, a few in memory at a time.
fn each(
    set: &dyn Set,
    which: &[usize],
    cx: &RunCx<'_>,
    mut see: impl FnMut(usize, &Item, &Case) -> Result<()>,
) -> Result<()> {
    let mut done = 0;
    for chunk in which.chunks(CHUNK) {
        for (i, case) in chunk.iter().zip(set.load(chunk)?) {
            cx.check()?;
            see(*i, &set.items()[*i], &case)?;
            done += 1;
            (cx.progress)(done as f32 / which.len() as f32, &format!("Case {done} of {}", which.len()));
        }
    }
    Ok(())
}

/// The mean with its interval.
fn mean(persons: &[String], values: &[f64], draws: usize) -> Interval {
    let persons: Vec<&str> = persons.iter().map(String::as_str).collect();
    crate::metrics::bootstrap(&persons, draws, |drawn| {
        drawn.iter().map(|i| values[*i]).sum::<f64>() / drawn.len().max(1) as f64
    })
}

/// Image to network input, `[1, 1, rows, columns]`.
pub(crate) fn prepare(image: &GreyImage, spec: &InputSpec) -> Result<Tensor> {
    let mut values = resize(&image.values, image.columns, image.rows, spec.columns, spec.rows);
    normalise(&mut values, spec);
    Ok(Tensor::from_vec(values, (1, 1, spec.rows, spec.columns), &Device::Cpu)?)
}
