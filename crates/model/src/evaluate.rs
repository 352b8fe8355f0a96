//! A model against ground truth, on persons that it never saw, beside the plain method of its card.

use crate::card::{BaselineMethod, Card, InputSpec, Interval, metric_name};
use crate::data::Part;
use crate::data::cxr::{self, LungCase, LungSet, Pair};
use crate::image::{GreyImage, normalise, resize};
use crate::run::RunCx;
use crate::{Error, Model, Result, metrics, post};
use candle_core::{Device, Tensor};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

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

/// Cases held in memory at once (100 KB each).
const CHUNK: usize = 128;

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
    if data.set != cxr::SET {
        return Err(missing(&format!("it names the data set '{}', for which there is no reader", data.set)));
    }
    let set = LungSet::open(data_root)?;
    let chosen: Vec<&Pair> =
        set.pairs.iter().filter(|p| cases == Cases::All || data.split.part(&p.person) == Part::Test).collect();
    if chosen.is_empty() {
        let reason = "no person of it is held back by the card's split; use --cases all for a set that is new".into();
        return Err(Error::Data { set: data.set.clone(), reason });
    }
    let baseline = match card.baseline.as_ref().map(|b| b.method) {
        None => None,
        Some(BaselineMethod::Ngram | BaselineMethod::WordFrequency | BaselineMethod::Bm25) => {
            return Err(missing("its plain method is one for text, not for masks"));
        }
        Some(BaselineMethod::OtsuDark) => Some(Plain::OtsuDark),
        Some(BaselineMethod::MeanMask) => {
            let (rows, columns, mean) =
                model.mean_mask()?.ok_or_else(|| missing("its weights lack the mean mask of its plain method"))?;
            Some(Plain::MeanMask { rows, columns, mean })
        }
    };
    let mut ours: Vec<(&str, f64)> = Vec::with_capacity(chosen.len());
    let mut plain: Vec<(&str, f64)> = Vec::new();
    for chunk in chosen.chunks(CHUNK) {
        for (pair, case) in chunk.iter().zip(set.load(chunk)?) {
            cx.check()?;
            ours.push((&pair.person, metrics::dice(&mask(model, &case, cx)?, &case.mask)));
            if let Some(method) = &baseline {
                plain.push((&pair.person, metrics::dice(&method.mask(&case), &case.mask)));
            }
            (cx.progress)(ours.len() as f32 / chosen.len() as f32, &format!("Case {} of {}", ours.len(), chosen.len()));
        }
    }
    Ok(Evaluation {
        model: card.id.clone(),
        sha256: card.sha256.clone(),
        data: data_root.display().to_string(),
        cases: chosen.len(),
        metrics: figures(card, &ours),
        baseline: if plain.is_empty() { BTreeMap::new() } else { figures(card, &plain) },
    })
}

/// `dice` is the mean over structures; with one structure both names have one value.
fn figures(card: &Card, values: &[(&str, f64)]) -> BTreeMap<String, Interval> {
    let interval = metrics::mean_over_persons(values);
    let mut all = BTreeMap::from([("dice".to_owned(), interval)]);
    if let Some(label) = card.labels.first() {
        all.insert(metric_name("dice", &label.name), interval);
    }
    all
}

/// The model's mask with both sides together.
fn mask(model: &Model, case: &LungCase, cx: &RunCx<'_>) -> Result<Vec<bool>> {
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    let result = model.segment(&case.image(), &quiet)?;
    let mut union = vec![false; case.mask.len()];
    for part in &result.masks {
        union.iter_mut().zip(&part.mask).for_each(|(u, m)| *u |= m);
    }
    Ok(union)
}

/// Image to network input, `[1, 1, rows, columns]`.
pub(crate) fn prepare(image: &GreyImage, spec: &InputSpec) -> Result<Tensor> {
    let mut values = resize(&image.values, image.columns, image.rows, spec.columns, spec.rows);
    normalise(&mut values, spec);
    Ok(Tensor::from_vec(values, (1, 1, spec.rows, spec.columns), &Device::Cpu)?)
}

/// A plain method ready to run.
enum Plain {
    OtsuDark,
    MeanMask { rows: usize, columns: usize, mean: Vec<f32> },
}

impl Plain {
    fn mask(&self, case: &LungCase) -> Vec<bool> {
        match self {
            Self::OtsuDark => otsu_dark(case),
            Self::MeanMask { rows, columns, mean } => {
                resize(mean, *columns, *rows, case.columns, case.rows).iter().map(|p| *p >= 0.5).collect()
            }
        }
    }
}

/// Dark side of Otsu's threshold, parts that touch the border dropped, the two largest kept and filled.
fn otsu_dark(case: &LungCase) -> Vec<bool> {
    let (columns, rows) = (case.columns, case.rows);
    let threshold = otsu(&case.pixels);
    let mut mask: Vec<bool> = case.pixels.iter().map(|v| *v <= threshold).collect();
    let (part, areas) = post::components(&mask, columns);
    let mut touches = vec![false; areas.len() + 1];
    for (i, p) in part.iter().enumerate() {
        let (x, y) = (i % columns, i / columns);
        if x == 0 || y == 0 || x + 1 == columns || y + 1 == rows {
            touches[*p as usize] = true;
        }
    }
    mask.iter_mut().zip(&part).for_each(|(m, p)| *m = *m && !touches[*p as usize]);
    post::keep_largest(&mut mask, columns, 2, 1);
    post::fill_holes(&mut mask, columns);
    mask
}

/// Otsu's threshold (1979): the last dark value of the split with the largest variance between the classes.
fn otsu(pixels: &[u8]) -> u8 {
    let mut histogram = [0f64; 256];
    pixels.iter().for_each(|v| histogram[usize::from(*v)] += 1.0);
    let total: f64 = histogram.iter().sum();
    let all: f64 = histogram.iter().enumerate().map(|(v, n)| v as f64 * n).sum();
    let (mut below, mut sum_below) = (0.0, 0.0);
    let (mut best, mut best_variance) = (0, -1.0);
    for (value, count) in histogram.iter().enumerate() {
        below += count;
        sum_below += value as f64 * count;
        let above = total - below;
        if below > 0.0 && above > 0.0 {
            let variance = below * above * (sum_below / below - (all - sum_below) / above).powi(2);
            if variance > best_variance {
                (best, best_variance) = (value, variance);
            }
        }
    }
    best as u8
}
