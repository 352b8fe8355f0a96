//! Training: a recipe and a data root in, a folder with weights, card, recipe and loss curve out.
//!
//! Same recipe, same data, same machine: the same weights. Order and variation of the images depend on the seed and
//! the number of the update only, so a resumed training goes on exactly where the killed one would have.

mod augment;
mod checkpoint;
pub(crate) mod curve;
mod loss;
pub(crate) mod optimiser;
pub mod recipe;

use crate::arch::{Architecture, Network, Tensors};
use crate::card::{BaselineMethod, CARD_FILE, Counts, WEIGHTS_FILE};
use crate::data::Part;
use crate::data::cxr::{self, LungCase, LungSet, Pair};
use crate::evaluate::{self, Evaluation};
use crate::files::write_atomic;
use crate::image::resize;
use crate::run::RunCx;
use crate::segment::MEAN_MASK;
use crate::{Card, Error, Model, Result, metrics, post, weights};
use candle_core::{Device, Tensor};
use curve::Curve;
use optimiser::Optimiser;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

pub use recipe::{Augment, Recipe, Training};

/// Name of the recipe inside the folder of a training.
pub const RECIPE_FILE: &str = "recipe.toml";

/// What a caller may choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrainOptions {
    /// Whether to go on from the last checkpoint in the folder.
    pub resume: bool,
    /// `cpu` (also where empty), `cuda` or `metal`.
    pub device: String,
}

/// What came out.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TrainReport {
    /// The folder with weights, card, recipe and curve.
    pub dir: PathBuf,
    /// SHA-256 of the weights.
    pub sha256: String,
    /// Updates in all.
    pub steps: usize,
    /// Dice on the validation persons at the chosen threshold.
    pub validation_dice: f64,
    /// Results on the held-back persons, as in the card.
    pub evaluation: Evaluation,
}

/// Updates between two rows of the curve.
const CURVE_EVERY: usize = 20;
/// Side of the stored mean mask.
const MEAN_MASK_SIDE: usize = 64;
/// More cases than this need more memory than a desktop should give (100 KB each).
const MOST_CASES: usize = 40_000;

/// Trains as the recipe says, with checkpoints, and writes weights, card, recipe and loss curve to `out_dir`.
///
/// # Errors
/// [`Error::Data`] for missing or wrong masks and parts with fewer than two persons, [`Error::LossNotFinite`],
/// [`Error::Checkpoint`], [`Error::DiskFull`], [`Error::Cancelled`] (the last checkpoint stays), and more.
pub fn train(
    recipe: &Recipe,
    data_root: &Path,
    out_dir: &Path,
    options: &TrainOptions,
    cx: &RunCx<'_>,
) -> Result<TrainReport> {
    let device = device(&options.device)?;
    std::fs::create_dir_all(out_dir).map_err(Error::write(out_dir))?;
    (cx.progress)(0.0, "Reading the data");
    let cases = Cases::load(recipe, data_root)?;
    cx.check()?;
    let recipe_text = toml::to_string_pretty(recipe).map_err(|e| Error::Recipe { reason: e.to_string() })?;
    let (optimiser, curve) = run(recipe, &cases, out_dir, options.resume, &device, cx)?;

    (cx.progress)(0.95, "Choosing thresholds");
    let mut tensors = on_cpu(&optimiser.mean)?;
    let mut card = recipe.card("");
    if let Some(data) = &mut card.data {
        data.counts = Some(cases.counts);
    }
    let network = card.architecture.build(&tensors)?;
    let validation_dice = choose_threshold(&mut card, &network, &cases.validation, cx)?;
    if recipe.baseline == BaselineMethod::MeanMask {
        tensors.insert(MEAN_MASK.into(), mean_mask(&cases.train)?);
    }
    card.sha256 = weights::write(&out_dir.join(WEIGHTS_FILE), &tensors)?;

    (cx.progress)(0.97, "Measuring on the held-back persons");
    let model = Model::from_tensors(card, tensors)?;
    let evaluation = evaluate::evaluate(&model, data_root, evaluate::Cases::Test, cx)?;
    let mut card = model.card().clone();
    card.metrics = evaluation.metrics.clone();
    if let Some(baseline) = &mut card.baseline {
        baseline.metrics = evaluation.baseline.clone();
    }
    write_atomic(&out_dir.join(RECIPE_FILE), recipe_text.as_bytes())?;
    write_atomic(&out_dir.join("curve.csv"), curve.to_csv().as_bytes())?;
    write_atomic(&out_dir.join("curve.png"), &curve.to_png()?)?;
    // The card last: a folder without one is no model.
    write_atomic(&out_dir.join(CARD_FILE), card.to_toml()?.as_bytes())?;
    (cx.progress)(1.0, "Done");
    Ok(TrainReport {
        dir: out_dir.to_owned(),
        sha256: card.sha256,
        steps: recipe.training.steps,
        validation_dice,
        evaluation,
    })
}

fn device(name: &str) -> Result<Device> {
    let absent = || Error::Device { name: name.into() };
    match name {
        "" | "cpu" => Ok(Device::Cpu),
        "cuda" => Device::new_cuda(0).map_err(|_| absent()),
        "metal" => Device::new_metal(0).map_err(|_| absent()),
        _ => Err(absent()),
    }
}

/// Copies for validation, which runs where inference runs.
fn on_cpu(tensors: &Tensors) -> Result<Tensors> {
    tensors.iter().map(|(name, t)| Ok((name.clone(), t.to_device(&Device::Cpu)?))).collect()
}

/// The cases of a training in memory.
struct Cases {
    train: Vec<LungCase>,
    validation: Vec<LungCase>,
    counts: Counts,
}

impl Cases {
    fn load(recipe: &Recipe, root: &Path) -> Result<Self> {
        let spec = &recipe.data;
        let fail = |reason: String| Error::Data { set: spec.set.clone(), reason };
        if spec.set != cxr::SET {
            return Err(fail(format!("there is no reader of this name; there is '{}'", cxr::SET)));
        }
        let set = LungSet::open(root)?;
        let sure = |p: &&Pair| p.score.is_none_or(|s| s >= spec.minimum_pair_score);
        let part = |wanted: Part| -> Vec<&Pair> {
            set.pairs.iter().filter(|p| spec.split.part(&p.person) == wanted).collect()
        };
        let train: Vec<&Pair> = part(Part::Train).into_iter().filter(sure).collect();
        let validation: Vec<&Pair> = part(Part::Validation).into_iter().filter(sure).collect();
        let test = part(Part::Test);
        let persons = |pairs: &[&Pair]| cxr::persons(pairs.iter().map(|p| p.person.as_str()));
        let counts = Counts {
            train_cases: train.len(),
            train_persons: persons(&train),
            validation_cases: validation.len(),
            validation_persons: persons(&validation),
            test_cases: test.len(),
            test_persons: persons(&test),
        };
        for (what, count) in [
            ("training", counts.train_persons),
            ("validation", counts.validation_persons),
            ("test", counts.test_persons),
        ] {
            if count < 2 {
                return Err(fail(format!("the {what} part has {count} persons; at least 2 are needed")));
            }
        }
        if train.len() + validation.len() > MOST_CASES {
            return Err(fail(format!("{} cases are more than {MOST_CASES}", train.len() + validation.len())));
        }
        let train = set.load(&train)?;
        let drawn = train.iter().filter(|c| c.mask.contains(&true)).count();
        if drawn < 2 {
            return Err(fail(format!("only {drawn} of {} training masks hold anything", train.len())));
        }
        Ok(Self { train, validation: set.load(&validation)?, counts })
    }
}

/// The updates.
fn run(
    recipe: &Recipe,
    cases: &Cases,
    dir: &Path,
    resume: bool,
    device: &Device,
    cx: &RunCx<'_>,
) -> Result<(Optimiser, Curve)> {
    let t = &recipe.training;
    let (start, mut optimiser, mut curve) = if resume {
        checkpoint::load(dir, recipe, device)?
    } else {
        (0, Optimiser::new(&initial_weights(&recipe.architecture, t.seed, device)?)?, Curve::default())
    };
    let mut order = Order::new(cases.train.len(), t.seed);
    for step in start..t.steps {
        let chosen: Vec<(usize, u64)> = (0..t.batch).map(|i| order.at(step * t.batch + i)).collect();
        let loss = {
            let (image, target) = batch(recipe, &cases.train, &chosen, device)?;
            let network = recipe.architecture.build(&optimiser.tensors())?;
            let logits = network.forward(&image, cx)?;
            let loss = loss::cross_entropy_and_dice(&logits, &target)?;
            let value = f64::from(loss.to_scalar::<f32>()?);
            if !value.is_finite() {
                return Err(Error::LossNotFinite { step });
            }
            let grads = loss.backward()?;
            if !optimiser.update(&grads, t, step)?.is_finite() {
                return Err(Error::LossNotFinite { step });
            }
            value
        };
        curve.add(loss);
        let done = step + 1;
        let validate = done % t.validate_every == 0 || done == t.steps;
        if validate || done % CURVE_EVERY == 0 {
            let validation_dice = if validate {
                let network = recipe.architecture.build(&on_cpu(&optimiser.mean)?)?;
                Some(mean_dice(&recipe.card(""), &network, &cases.validation, cx)?)
            } else {
                None
            };
            curve.close(done, validation_dice);
        }
        if done % t.checkpoint_every == 0 || done == t.steps {
            checkpoint::save(dir, recipe, done, &optimiser, &curve)?;
            write_atomic(&dir.join("curve.csv"), curve.to_csv().as_bytes())?;
        }
        (cx.progress)(0.95 * done as f32 / t.steps as f32, &format!("Update {done} of {}, loss {loss:.4}", t.steps));
    }
    Ok((optimiser, curve))
}

/// He's initialisation (2015) for ReLU layers: deviation sqrt(2 / fan in); biases 0.
fn initial_weights(architecture: &Architecture, seed: u64, device: &Device) -> Result<Tensors> {
    let mut random = StdRng::seed_from_u64(seed);
    architecture
        .shapes()
        .into_iter()
        .map(|(name, shape)| {
            let n = shape.iter().product();
            let values: Vec<f32> = if shape.len() == 1 {
                vec![0.0; n]
            } else {
                let fan_in: usize = shape[1..].iter().product();
                let deviation = (2.0 / fan_in as f32).sqrt();
                (0..n).map(|_| deviation * augment::normal(&mut random)).collect()
            };
            Ok((name, Tensor::from_vec(values, shape, device)?))
        })
        .collect()
}

/// The order of the cases: each epoch a new permutation that depends on seed and epoch only.
struct Order {
    cases: usize,
    seed: u64,
    epoch: Option<usize>,
    permutation: Vec<usize>,
}

impl Order {
    fn new(cases: usize, seed: u64) -> Self {
        Self { cases, seed, epoch: None, permutation: (0..cases).collect() }
    }

    /// The case of the n-th use, and the seed of its variation.
    fn at(&mut self, n: usize) -> (usize, u64) {
        let epoch = n / self.cases;
        if self.epoch != Some(epoch) {
            self.permutation = (0..self.cases).collect();
            self.permutation.shuffle(&mut StdRng::seed_from_u64(self.seed ^ (epoch as u64) << 32));
            self.epoch = Some(epoch);
        }
        let variation = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ n as u64;
        (self.permutation[n % self.cases], variation)
    }
}

/// Images `[batch, 1, rows, columns]` and targets of the same shape.
fn batch(recipe: &Recipe, cases: &[LungCase], chosen: &[(usize, u64)], device: &Device) -> Result<(Tensor, Tensor)> {
    let samples: Vec<augment::Sample> = chosen
        .par_iter()
        .map(|(i, seed)| augment::vary(&cases[*i], &recipe.augment, &recipe.input, &mut StdRng::seed_from_u64(*seed)))
        .collect();
    let shape = (chosen.len(), 1, recipe.input.rows, recipe.input.columns);
    let gather = |part: fn(&augment::Sample) -> &Vec<f32>| -> Result<Tensor> {
        let all: Vec<f32> = samples.iter().flat_map(|s| part(s).iter().copied()).collect();
        Ok(Tensor::from_vec(all, shape, device)?)
    };
    Ok((gather(|s| &s.image)?, gather(|s| &s.target)?))
}

/// Calls `see` with each case and its probability plane at the case's own resolution.
fn each_probability(
    card: &Card,
    network: &Network,
    cases: &[LungCase],
    cx: &RunCx<'_>,
    mut see: impl FnMut(&LungCase, &[f32]) -> Result<()>,
) -> Result<()> {
    let input = &card.input;
    for case in cases {
        cx.check()?;
        let x = evaluate::prepare(&case.image(), input)?;
        let logits: Vec<f32> = network.forward(&x, cx)?.flatten_all()?.to_vec1()?;
        let plane: Vec<f32> = logits.into_iter().map(crate::segment::sigmoid).collect();
        see(case, &resize(&plane, input.columns, input.rows, case.columns, case.rows))?;
    }
    Ok(())
}

/// Mean Dice over cases at the card's threshold.
fn mean_dice(card: &Card, network: &Network, cases: &[LungCase], cx: &RunCx<'_>) -> Result<f64> {
    let mut sum = 0.0;
    each_probability(card, network, cases, cx, |case, plane| {
        let mask = post::mask_from_probability(plane, case.columns, card.labels[0].threshold, &card.post, cx)?;
        sum += metrics::dice(&mask, &case.mask);
        Ok(())
    })?;
    Ok(sum / cases.len() as f64)
}

/// Sets the threshold that is best on the validation persons; returns their mean Dice with it.
fn choose_threshold(card: &mut Card, network: &Network, cases: &[LungCase], cx: &RunCx<'_>) -> Result<f64> {
    let candidates: Vec<f32> = (6..=14).map(|i| i as f32 * 0.05).collect();
    let mut sums = vec![0.0; candidates.len()];
    each_probability(card, network, cases, cx, |case, plane| {
        for (sum, threshold) in sums.iter_mut().zip(&candidates) {
            let mask = post::mask_from_probability(plane, case.columns, *threshold, &card.post, cx)?;
            *sum += metrics::dice(&mask, &case.mask);
        }
        Ok(())
    })?;
    let mut best = 0;
    for i in 1..sums.len() {
        if sums[i] > sums[best] {
            best = i;
        }
    }
    // Two decimals: 0.05 steps in f32 would print as 0.45000002.
    card.labels[0].threshold = ((candidates[best] * 100.0).round()) / 100.0;
    Ok(sums[best] / cases.len() as f64)
}

/// The mean of all masks, `[64, 64]`.
fn mean_mask(cases: &[LungCase]) -> Result<Tensor> {
    let side = MEAN_MASK_SIDE;
    let mut sum = vec![0f32; side * side];
    for case in cases {
        let mask: Vec<f32> = case.mask.iter().map(|m| f32::from(u8::from(*m))).collect();
        let small = resize(&mask, case.columns, case.rows, side, side);
        sum.iter_mut().zip(small).for_each(|(s, v)| *s += v / cases.len() as f32);
    }
    Ok(Tensor::from_vec(sum, (side, side), &Device::Cpu)?)
}
