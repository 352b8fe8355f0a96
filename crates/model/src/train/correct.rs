//! Learning from corrections: masks that a reader approved change a copy of a model, which is offered beside the old one
//! with both figures. Nothing is replaced.
//!
//! Persons are parted three ways: most are learnt from, some of those say when the copy is best (where there are enough),
//! and every fourth is only measured on.

use super::augment::{Window, vary};
use super::loss;
use super::optimiser::Optimiser;
use super::recipe::{Augment, Loss, Method, Training};
use crate::arch::{BatchStatistics, Tensors};
use crate::card::{Interval, WEIGHTS_FILE};
use crate::data::Part;
use crate::data::case::{self, Case, Pixels, Truth};
use crate::image::GreyImage;
use crate::run::RunCx;
use crate::{Card, Error, Model, Result, metrics, store, weights};
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// An image with the mask that a reader approved.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// Who is on it, so that nobody is both learnt from and measured on.
    pub person: String,
    /// The image.
    pub image: GreyImage,
    /// `[rows * columns]`, all that belongs to the model's first label.
    pub mask: Vec<bool>,
}

/// A changed copy of a model with the figures of both.
#[derive(Debug, Clone)]
pub struct Offer {
    card: Card,
    tensors: Tensors,
    /// Masks learnt from.
    pub learnt_from: usize,
    /// Updates after which the copy was best on the persons that choose it, or all that were made.
    pub updates: usize,
    /// Dice on the corrections that were held back.
    pub held_back: Compared,
    /// Dice on the model's own cases, where some were given.
    pub own: Option<Compared>,
    /// Whether it is better on the corrections and not worse by more than 0.02 on its own cases.
    pub passes: bool,
}

/// A figure of the old and of the new model on the same cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Compared {
    /// Cases.
    pub cases: usize,
    /// Persons on them.
    pub persons: usize,
    /// The model as it was.
    pub before: Interval,
    /// The changed copy.
    pub after: Interval,
}

/// A point of the curve while a copy learns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Learnt {
    /// Updates so far.
    pub step: usize,
    /// Loss of the last one; `None` before the first.
    pub loss: Option<f64>,
    /// Mean Dice on the persons that choose the best state, where they were asked now.
    pub validation: Option<f64>,
}

/// Who looks on while a copy learns.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Says true as soon as no more should be learnt: the best state so far is measured and offered.
    pub enough: &'a (dyn Fn() -> bool + Sync),
    /// Told each point of the curve.
    pub learnt: &'a (dyn Fn(Learnt) + Sync),
}

impl Watch<'static> {
    /// Nobody.
    pub fn nobody() -> Self {
        Self { enough: &|| false, learnt: &|_| {} }
    }
}

/// Persons that corrections must be of, so that some can be learnt from and others measured on.
pub const LEAST_PERSONS: usize = 4;

/// How much worse it may be on its own cases.
const TOLERANCE: f64 = 0.02;
/// Every so many-th person is held back; of those learnt from every so many-th chooses the best state.
const HELD_BACK: usize = LEAST_PERSONS;
const BATCH: usize = 4;
/// How often the persons that choose are asked in a run, and how many of their images are looked at.
const ASKED: usize = 8;
const MOST_ASKED: usize = 12;

/// Whether a model with this card gives masks of single grey images, each label for itself.
#[must_use]
pub fn is_plain(card: &Card) -> bool {
    crate::segment::is_plain(card)
}

/// Whether a model can learn from corrections: one mask on single images.
#[must_use]
pub fn can_learn(card: &Card) -> bool {
    is_plain(card) && card.labels.len() == 1
}

/// Cases of a model's own kind that it was neither trained nor tested on (one a person, those that chose its checkpoint), at
/// most `most`: half of them keep a copy from forgetting, half tell whether it did.
///
/// # Errors
/// [`Error::Data`] where the data of the card are not at this root.
pub fn own_cases(card: &Card, root: &Path, most: usize) -> Result<Vec<Correction>> {
    let Some(data) = &card.data else { return Ok(Vec::new()) };
    let set = case::open(&data.set, root)?;
    let mut seen = BTreeSet::new();
    let good = |i: &usize| {
        let item = &set.items()[*i];
        data.split.part(&item.person) == Part::Validation && item.score.is_none_or(|s| s >= data.minimum_pair_score)
    };
    let all: Vec<usize> =
        (0..set.items().len()).filter(good).filter(|i| seen.insert(&set.items()[*i].person)).collect();
    let step = all.len().div_ceil(most.max(1)).max(1);
    let which: Vec<usize> = all.into_iter().step_by(step).collect();
    let one = |case: Case| Correction { person: case.person.clone(), image: case.image(), mask: case.mask(1) };
    Ok(set.load(&which)?.into_iter().map(one).collect())
}

/// Changes a copy of a model by corrections and measures both; `own` are cases of the model's own kind, of which half are
/// shown to it again, so that it does not forget, and half are measured on.
///
/// `steps` updates of 4 images: about 0.2 s each for the lung model on two cores.
///
/// # Errors
/// [`Error::Data`] for fewer than 4 persons or a mask of another size; [`Error::Image`] for a model that is not one of
/// masks on single images; [`Error::LossNotFinite`], [`Error::Cancelled`].
pub fn improve(
    dir: &Path,
    corrections: &[Correction],
    own: &[Correction],
    steps: usize,
    cx: &RunCx<'_>,
) -> Result<Offer> {
    improve_watched(dir, corrections, own, steps, Watch::nobody(), cx)
}

/// The same while somebody looks on, who may end it early.
///
/// # Errors
/// As [`improve`].
pub fn improve_watched(
    dir: &Path,
    corrections: &[Correction],
    own: &[Correction],
    steps: usize,
    watch: Watch<'_>,
    cx: &RunCx<'_>,
) -> Result<Offer> {
    let card = Card::read(dir)?;
    if !can_learn(&card) {
        let reason = format!("'{}' is no model of one mask on single images, which alone learns here", card.id);
        return Err(Error::Image { reason });
    }
    let path = dir.join(WEIGHTS_FILE);
    let bytes = weights::read_checked(&card.id, &path, &card.sha256)?;
    let tensors = weights::parse(&card.id, &bytes, &path, &Device::Cpu)?;
    let before = Model::from_tensors(card.clone(), tensors.clone())?;
    let corrections = cases(corrections)?;
    let own = cases(own)?;
    let (learn, held) = part(&corrections.iter().collect::<Vec<_>>(), HELD_BACK);
    if held.is_empty() || learn.is_empty() {
        let reason = format!(
            "corrections of at least {LEAST_PERSONS} persons are needed to learn from some and measure on others"
        );
        return Err(Error::Data { set: "corrections".into(), reason });
    }
    // Where too few persons are left to learn from, none chooses: the last state counts.
    let (learn, choose) = if persons(&learn) >= HELD_BACK { part(&learn, HELD_BACK) } else { (learn, Vec::new()) };
    let (rehearse, measured) = part(&own.iter().collect::<Vec<_>>(), 2);
    let run = Run { card: &card, learn, choose, rehearse, steps, watch, cx };
    let (tensors, updates) = run.best(&before, tensors)?;

    let after = Model::from_tensors(card.clone(), tensors.clone())?;
    (cx.progress)(0.85, "Measuring both");
    let held_back = compared(&held, &before, &after, cx)?;
    let own = if measured.is_empty() { None } else { Some(compared(&measured, &before, &after, cx)?) };
    let kept = own.is_none_or(|o| o.after.value >= o.before.value - TOLERANCE);
    let passes = held_back.after.value > held_back.before.value && kept;
    let learnt_from = run.learn.len();
    let card = changed_card(card.clone(), learnt_from, persons(&run.learn), &held_back, own.as_ref());
    Ok(Offer { card, tensors, learnt_from, updates, held_back, own, passes })
}

/// One run of learning.
struct Run<'a> {
    card: &'a Card,
    learn: Vec<&'a Case>,
    choose: Vec<&'a Case>,
    rehearse: Vec<&'a Case>,
    steps: usize,
    watch: Watch<'a>,
    cx: &'a RunCx<'a>,
}

impl Run<'_> {
    /// The best state of a copy, and after how many updates it was reached.
    fn best(&self, before: &Model, mut tensors: Tensors) -> Result<(Tensors, usize)> {
        let (cx, steps) = (self.cx, self.steps);
        // What is no weight of the network: the plain method's mask. What was told of the features no longer holds.
        let extras: Tensors = tensors
            .iter()
            .filter(|(n, _)| weights::is_extra(n) && !n.starts_with(weights::GATE_PREFIX))
            .map(|(n, t)| (n.clone(), t.clone()))
            .collect();
        tensors.retain(|name, _| !weights::is_extra(name));
        let training = Training {
            seed: 1,
            steps,
            batch: BATCH,
            learning_rate: 1e-3,
            warmup_steps: steps / 10,
            weight_decay: 0.0,
            clip_norm: 1.0,
            average_decay: 0.9,
            checkpoint_every: steps.max(1),
            validate_every: steps.max(1),
            loss: None,
            optimiser: Method::Adamw,
            patience: 0,
            half: false,
            memory_mib: 512,
        };
        let mut optimiser = Optimiser::new(&tensors, &Device::Cpu)?;
        let mut best: Option<(f64, Tensors, usize)> = None;
        let validation = self.asked(before)?;
        (self.watch.learnt)(Learnt { step: 0, loss: None, validation });
        let mut done = 0;
        for step in 0..steps {
            cx.check()?;
            if done > 0 && (self.watch.enough)() {
                break;
            }
            let loss = self.update(&mut optimiser, &training, step)?;
            done = step + 1;
            let due = done % steps.div_ceil(ASKED).max(1) == 0 || done == steps;
            let validation = if due && !self.choose.is_empty() {
                let mut now = optimiser.mean_tensors()?;
                now.extend(extras.clone());
                let score = self.asked(&Model::from_tensors(self.card.clone(), now.clone())?)?;
                if let Some(score) = score
                    && best.as_ref().is_none_or(|(s, ..)| score > *s)
                {
                    best = Some((score, now, done));
                }
                score
            } else {
                None
            };
            (self.watch.learnt)(Learnt { step: done, loss: Some(loss), validation });
            (cx.progress)(0.8 * done as f32 / steps as f32, &format!("Update {done} of {steps}"));
        }
        if let Some((_, tensors, step)) = best {
            return Ok((tensors, step));
        }
        // Statistics of norms stay the model's own: a few images are too few to take new ones from.
        let mut tensors = optimiser.mean_tensors()?;
        tensors.extend(extras);
        Ok((tensors, done))
    }

    /// One update; its loss.
    fn update(&self, optimiser: &mut Optimiser, training: &Training, step: usize) -> Result<f64> {
        let input = &self.card.input;
        let chosen: Vec<(&Case, u64)> = (0..BATCH)
            .map(|k| {
                let n = step * BATCH + k;
                // Every fourth image is one of its own.
                let from = if k == 0 && !self.rehearse.is_empty() { &self.rehearse } else { &self.learn };
                // A step that shares no factor with most lengths walks through all of them.
                (from[(n * 7 + n / from.len()) % from.len()], n as u64)
            })
            .collect();
        let samples: Vec<(Vec<f32>, Vec<f32>)> = chosen
            .par_iter()
            .map(|(case, seed)| {
                let Truth::Labels(marks) = &case.truth else { return (Vec::new(), Vec::new()) };
                let random = &mut StdRng::seed_from_u64(*seed);
                let (x, y, _) = vary(case, Some((marks, 1.0)), Window::whole(case), (&AUGMENT, input), random);
                (x, y)
            })
            .collect();
        let shape = (BATCH, 1, input.rows, input.columns);
        let stack = |f: fn(&(Vec<f32>, Vec<f32>)) -> &Vec<f32>| {
            let all = samples.iter().flat_map(|s| f(s).iter().copied()).collect::<Vec<f32>>();
            Tensor::from_vec(all, shape, &Device::Cpu)
        };
        let (x, target) = (stack(|s| &s.0)?, stack(|s| &s.1)?);
        let tensors = optimiser.tensors();
        let network = self.card.architecture.build_for_training(&tensors, &BatchStatistics::default())?;
        let quiet = RunCx { cancelled: self.cx.cancelled, progress: &|_, _| {} };
        let loss = loss::loss(Loss::CrossEntropyAndDice, &network.forward(&x, &quiet)?, &target)?;
        let value = loss.to_scalar::<f32>()?;
        if !value.is_finite() || !optimiser.update(&loss.backward()?, training, step)?.is_finite() {
            return Err(Error::LossNotFinite { step });
        }
        Ok(f64::from(value))
    }

    /// What the persons that choose say of a model; `None` where there are none.
    fn asked(&self, model: &Model) -> Result<Option<f64>> {
        if self.choose.is_empty() {
            return Ok(None);
        }
        let step = self.choose.len().div_ceil(MOST_ASKED);
        let all = self.choose.iter().step_by(step).map(|case| dice_of(model, case, self.cx));
        let all = all.collect::<Result<Vec<f64>>>()?;
        Ok(Some(all.iter().sum::<f64>() / all.len().max(1) as f64))
    }
}

/// The reader's images as they are, moved and shaded a little.
const AUGMENT: Augment = Augment {
    rotation_deg: 8.0,
    zoom_in: 1.15,
    zoom_out: 1.15,
    aspect: 1.1,
    shift: 0.05,
    border: 0.0,
    background: 0.0,
    curve: 0.3,
    shading: 0.2,
    blur: 0.2,
    noise: 0.3,
    marks: 0.0,
    flip: 0.5,
};

/// Dice of a model's mask, both sides together, on a case.
fn dice_of(model: &Model, case: &Case, cx: &RunCx<'_>) -> Result<f64> {
    cx.check()?;
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    let mut union = vec![false; case.pixels.len()];
    for part in model.segment(&case.image(), &quiet)?.masks {
        union.iter_mut().zip(&part.mask).for_each(|(u, m)| *u |= m);
    }
    Ok(metrics::dice(&union, &case.mask(1)))
}

/// Both models on the same cases.
fn compared(cases: &[&Case], before: &Model, after: &Model, cx: &RunCx<'_>) -> Result<Compared> {
    let figure = |model: &Model| -> Result<Interval> {
        let all = cases.iter().map(|case| Ok((case.person.as_str(), dice_of(model, case, cx)?)));
        Ok(metrics::mean_over_persons(&all.collect::<Result<Vec<_>>>()?))
    };
    Ok(Compared { cases: cases.len(), persons: persons(cases), before: figure(before)?, after: figure(after)? })
}

/// The card of a changed copy: what was measured of the old model says nothing of this one.
fn changed_card(mut card: Card, masks: usize, of: usize, held_back: &Compared, own: Option<&Compared>) -> Card {
    card.metrics.clear();
    card.metrics.insert("dice".into(), held_back.after);
    if let Some(own) = own {
        card.metrics.insert("dice_own".into(), own.after);
    }
    (card.baseline, card.atlas) = (None, None);
    let s = |n: usize, word: &str| if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") };
    let said = format!(
        "Changed from '{}' on this machine by {} that a reader approved, of {}; measured on {} of {} that were held back.",
        card.id,
        s(masks, "mask"),
        s(of, "person"),
        s(held_back.cases, "mask"),
        s(held_back.persons, "other person"),
    );
    card.notes.insert("corrections".into(), said.clone());
    if own.is_none() {
        card.limits.insert(0, "What it forgot of the images that it was first made for was not measured.".into());
    }
    card.limits.insert(0, said);
    card
}

impl Offer {
    /// The changed copy, ready to run.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn model(&self) -> Result<Model> {
        Model::from_tensors(self.card.clone(), self.tensors.clone())
    }

    /// The id of the model that was changed.
    #[must_use]
    pub fn changed_from(&self) -> &str {
        &self.card.id
    }

    /// Writes the changed copy as a new model `id` into a folder of that name under `into`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::AlreadyThere`] where the folder exists: nothing is replaced; [`Error::Card`], [`Error::Write`],
    /// [`Error::DiskFull`].
    pub fn save(&self, into: &Path, id: &str) -> Result<()> {
        crate::card::check_id(id)?;
        if into.join(id).exists() {
            return Err(Error::AlreadyThere { id: id.into() });
        }
        // Improved twice is still one addition to its name.
        let plain = self.card.name.trim_end_matches(" (improved)");
        let card = Card { id: id.into(), name: format!("{plain} (improved)"), ..self.card.clone() };
        store::write_model(into, card, &self.tensors).map(|_| ())
    }
}

/// Corrections as cases, checked.
fn cases(all: &[Correction]) -> Result<Vec<Case>> {
    all.iter()
        .enumerate()
        .map(|(n, c)| {
            c.image.check()?;
            if c.mask.len() != c.image.values.len() {
                let (found, wanted) = (c.mask.len(), c.image.values.len());
                let reason = format!("the mask of correction {} has {found} pixels, its image {wanted}", n + 1);
                return Err(Error::Data { set: "corrections".into(), reason });
            }
            // On the scale that the variation works on.
            let (low, high) = crate::image::percentiles(&c.image.values, 0.0, 1.0);
            let scale = 255.0 / (high - low).max(1e-6);
            Ok(Case {
                name: format!("correction {}", n + 1),
                person: c.person.clone(),
                size: [1, c.image.rows, c.image.columns],
                pixels: Pixels::F32(c.image.values.iter().map(|v| (v - low) * scale).collect()),
                truth: Truth::Labels(c.mask.iter().map(|m| u8::from(*m)).collect()),
                affine_lps: None,
            })
        })
        .collect()
}

/// Cases of most persons, and of every `nth` in the order of their names.
fn part<'a>(all: &[&'a Case], nth: usize) -> (Vec<&'a Case>, Vec<&'a Case>) {
    let persons: BTreeSet<&str> = all.iter().map(|c| c.person.as_str()).collect();
    all.iter().copied().partition(|c| persons.iter().position(|p| *p == c.person).is_some_and(|i| i % nth != nth - 1))
}

/// How many persons are on cases.
fn persons(all: &[&Case]) -> usize {
    all.iter().map(|c| c.person.as_str()).collect::<BTreeSet<_>>().len()
}
