//! Learning from corrections: masks that a reader approved change a copy of a model, which is offered beside the old one
//! with both figures. Nothing is replaced.

use super::augment::{Window, vary};
use super::loss;
use super::optimiser::Optimiser;
use super::recipe::{Augment, Loss, Method, Training};
use crate::arch::{BatchStatistics, Tensors};
use crate::card::{CARD_FILE, Interval, WEIGHTS_FILE};
use crate::data::case::{Case, Pixels, Truth};
use crate::files::write_atomic;
use crate::image::GreyImage;
use crate::run::RunCx;
use crate::{Card, Error, Model, Result, metrics, weights};
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;
use serde::Serialize;
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
#[derive(Debug)]
pub struct Offer {
    card: Card,
    tensors: Tensors,
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
    /// The model as it was.
    pub before: Interval,
    /// The changed copy.
    pub after: Interval,
}

/// How much worse it may be on its own cases.
const TOLERANCE: f64 = 0.02;
/// Every so many-th person is held back.
const HELD_BACK: usize = 4;
const BATCH: usize = 4;

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
    let card = Card::read(dir)?;
    let path = dir.join(WEIGHTS_FILE);
    let bytes = weights::read_checked(&card.id, &path, &card.sha256)?;
    let mut tensors = weights::parse(&card.id, &bytes, &path, &Device::Cpu)?;
    let before = Model::from_tensors(card.clone(), tensors.clone())?;
    if !before.segments_plainly() || card.labels.len() != 1 {
        let reason = format!("'{}' is no model of one mask on single images, which alone learns here", card.id);
        return Err(Error::Image { reason });
    }
    let corrections = cases(corrections)?;
    let own = cases(own)?;
    let (learn, held) = part(&corrections, HELD_BACK);
    if held.is_empty() || learn.is_empty() {
        let reason =
            format!("corrections of at least {HELD_BACK} persons are needed to learn from some and measure on others");
        return Err(Error::Data { set: "corrections".into(), reason });
    }
    let (rehearse, measure) = part(&own, 2);

    let extras: Tensors =
        tensors.iter().filter(|(n, _)| weights::is_extra(n)).map(|(n, t)| (n.clone(), t.clone())).collect();
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
    // The reader's images as they are, moved and shaded a little.
    let augment = Augment {
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
    for step in 0..steps {
        cx.check()?;
        let chosen: Vec<(&Case, u64)> = (0..BATCH)
            .map(|k| {
                let n = step * BATCH + k;
                // Every fourth image is one of its own.
                let from = if k == 0 && !rehearse.is_empty() { &rehearse } else { &learn };
                // A step that shares no factor with most lengths walks through all of them.
                (from[(n * 7 + n / from.len()) % from.len()], n as u64)
            })
            .collect();
        let samples: Vec<(Vec<f32>, Vec<f32>)> = chosen
            .par_iter()
            .map(|(case, seed)| {
                let Truth::Labels(marks) = &case.truth else { return (Vec::new(), Vec::new()) };
                let random = &mut StdRng::seed_from_u64(*seed);
                let (x, y, _) = vary(case, Some((marks, 1.0)), Window::whole(case), (&augment, &card.input), random);
                (x, y)
            })
            .collect();
        let shape = (BATCH, 1, card.input.rows, card.input.columns);
        let stack = |f: fn(&(Vec<f32>, Vec<f32>)) -> &Vec<f32>| {
            Tensor::from_vec(
                samples.iter().flat_map(|s| f(s).iter().copied()).collect::<Vec<f32>>(),
                shape,
                &Device::Cpu,
            )
        };
        let (x, target) = (stack(|s| &s.0)?, stack(|s| &s.1)?);
        let network = card.architecture.build_for_training(&optimiser.tensors(), &BatchStatistics::default())?;
        let loss = loss::loss(Loss::CrossEntropyAndDice, &network.forward(&x, cx)?, &target)?;
        if !loss.to_scalar::<f32>()?.is_finite() || !optimiser.update(&loss.backward()?, &training, step)?.is_finite() {
            return Err(Error::LossNotFinite { step });
        }
        (cx.progress)(0.8 * (step + 1) as f32 / steps as f32, &format!("Update {} of {steps}", step + 1));
    }
    // Statistics of norms stay the model's own: a few images are too few to take new ones from.
    let mut tensors = optimiser.mean_tensors()?;
    tensors.extend(extras);
    let after = Model::from_tensors(card.clone(), tensors.clone())?;
    let compared = |cases: &[&Case]| -> Result<Compared> {
        let figure = |model: &Model| -> Result<Interval> {
            let mut all: Vec<(&str, f64)> = Vec::with_capacity(cases.len());
            for case in cases {
                let mut union = vec![false; case.pixels.len()];
                for part in
                    model.segment(&case.image(), &RunCx { cancelled: cx.cancelled, progress: &|_, _| {} })?.masks
                {
                    union.iter_mut().zip(&part.mask).for_each(|(u, m)| *u |= m);
                }
                all.push((&case.person, metrics::dice(&union, &case.mask(1))));
            }
            Ok(metrics::mean_over_persons(&all))
        };
        Ok(Compared { cases: cases.len(), before: figure(&before)?, after: figure(&after)? })
    };
    (cx.progress)(0.85, "Measuring both");
    let held_back = compared(&held)?;
    let own = if measure.is_empty() { None } else { Some(compared(&measure)?) };
    let kept = own.is_none_or(|o| o.after.value >= o.before.value - TOLERANCE);
    let passes = held_back.after.value > held_back.before.value && kept;
    let mut card = card;
    card.metrics.clear();
    card.metrics.insert("dice".into(), held_back.after);
    if let Some(own) = &own {
        card.metrics.insert("dice_own".into(), own.after);
    }
    card.notes.insert(
        "corrections".into(),
        format!(
            "Changed from '{}' by {} corrected masks; measured on {} held-back ones.",
            card.id,
            learn.len(),
            held.len()
        ),
    );
    Ok(Offer { card, tensors, held_back, own, passes })
}

impl Offer {
    /// The changed copy, ready to run.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn model(&self) -> Result<Model> {
        Model::from_tensors(self.card.clone(), self.tensors.clone())
    }

    /// Writes the changed copy as a new model `id` into a folder of that name under `into`.
    ///
    /// # Errors
    /// [`Error::AlreadyThere`] where the folder exists: nothing is replaced; [`Error::Card`], [`Error::Write`],
    /// [`Error::DiskFull`].
    pub fn save(&self, into: &Path, id: &str) -> Result<()> {
        crate::card::check_id(id)?;
        let dir = into.join(id);
        if dir.exists() {
            return Err(Error::AlreadyThere { id: id.into() });
        }
        std::fs::create_dir_all(&dir).map_err(Error::write(&dir))?;
        let sha256 = weights::write(&dir.join(WEIGHTS_FILE), &self.tensors)?;
        let card = Card { id: id.into(), name: format!("{} (improved)", self.card.name), sha256, ..self.card.clone() };
        write_atomic(&dir.join(CARD_FILE), card.to_toml()?.as_bytes())
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
fn part(all: &[Case], nth: usize) -> (Vec<&Case>, Vec<&Case>) {
    let mut persons: Vec<&str> = all.iter().map(|c| c.person.as_str()).collect();
    persons.sort_unstable();
    persons.dedup();
    all.iter().partition(|c| persons.iter().position(|p| *p == c.person).is_some_and(|i| i % nth != nth - 1))
}
