//! Training: a recipe and a data root in, a folder with weights, card, recipe, loss curve and gallery out.
//!
//! Same recipe, same data, same machine: the same weights. Order and variation of the images depend on the seed and
//! the number of the update only, so a resumed training goes on exactly where the killed one would have.

mod adversary;
mod augment;
pub(crate) mod checkpoint;
pub mod correct;
pub(crate) mod curve;
pub mod detect;
mod finish;
pub mod kept;
mod loss;
pub(crate) mod optimiser;
mod plain;
pub mod recipe;
mod regions;
mod sample;

use crate::arch::{Architecture, BatchStatistics, Pass, Takes, Tensors};
use crate::card::{Counts, Task};
use crate::data::case::{self, Cache, Case, Set, Truth};
use crate::data::{Part, cxr};
use crate::evaluate::{Evaluation, How, MOST_RESTORED, looked_at, measure};
use crate::files::write_atomic;
use crate::generate::noise;
use crate::run::RunCx;
use crate::{Card, Error, Model, Result};
use adversary::Opponent;
use candle_core::{Device, Tensor};
use checkpoint::{Best, Progress};
use optimiser::Optimiser;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub use correct::{Correction, Offer, improve};
pub use recipe::{Adversary, Augment, Loss, Method, Recipe, RegionSpec, Training};

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
    /// The figure on the validation persons: Dice, mean of AUC and accuracy, AP or dB.
    pub validation: f64,
    /// Results on the held-back persons, as in the card.
    pub evaluation: Evaluation,
}

/// Updates between two rows of the curve.
const CURVE_EVERY: usize = 20;
/// At most so many validation cases are looked at during a training.
const MOST_VALIDATION: usize = 160;
/// Batches from which the statistics of norms are taken.
const STATISTICS_BATCHES: usize = 12;

/// Trains as the recipe says, with checkpoints, and writes weights, card, recipe and loss curve to `out_dir`.
///
/// Memory: images and truth up to the recipe's `memory_mib`, whatever the size of the set; one batch with its graph; four
/// copies of the weights.
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
    let set = case::open(&recipe.data.set, data_root)?;
    let cache = Cache::new(set.as_ref(), recipe.training.memory_mib << 20);
    let parts = Parts::of(recipe, set.as_ref())?;
    check_cases(recipe, &cache, &parts.train, cx)?;
    let recipe_text = toml::to_string_pretty(recipe).map_err(|e| Error::Recipe { reason: e.to_string() })?;
    if let Some(adversary) = &recipe.adversary {
        // Told before the first update, not after the last.
        crate::evaluate::judge(&adversary.judge)?;
    }
    if let Some(spec) = &recipe.regions {
        regions::backbone(recipe, spec)?;
    }
    let job = Job { recipe, card: recipe.card(&"0".repeat(64)), cache: &cache, parts: &parts, device };
    let (weights, progress) = match &recipe.regions {
        Some(_) if options.resume => {
            let reason = "an R-CNN is solved for at once; train without --resume".into();
            return Err(Error::Checkpoint { reason });
        }
        Some(spec) => job.solve(spec, cx)?,
        None => job.run(out_dir, options.resume, cx)?,
    };
    let report = finish::finish(&job, set.as_ref(), data_root, out_dir, weights, &progress, cx)?;
    write_atomic(&out_dir.join(RECIPE_FILE), recipe_text.as_bytes())?;
    (cx.progress)(1.0, "Done");
    Ok(report)
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
    tensors.iter().map(|(name, t)| Ok((name.clone(), t.to_device(&Device::Cpu)?.detach()))).collect()
}

/// Numbers of the cases of each part.
struct Parts {
    train: Vec<usize>,
    validation: Vec<usize>,
    test: Vec<usize>,
    counts: Counts,
}

impl Parts {
    fn of(recipe: &Recipe, set: &dyn Set) -> Result<Self> {
        let spec = &recipe.data;
        let fail = |reason: String| Error::Data { set: spec.set.clone(), reason };
        let items = set.items();
        let of = |wanted: Part| -> Vec<usize> {
            (0..items.len()).filter(|i| spec.split.part(&items[*i].person) == wanted).collect()
        };
        let good = |i: &usize| {
            items[*i].score.is_none_or(|s| s >= spec.minimum_pair_score)
                && spec.only_class.is_none_or(|c| items[*i].class == Some(c))
        };
        // A case that may be of a person of another part is not trained on, and not chosen by where it may be tested.
        let apart = |i: &usize, allowed: &[Part]| {
            set.neighbours(*i).iter().all(|person| allowed.contains(&spec.split.part(person)))
        };
        let train: Vec<usize> = of(Part::Train).into_iter().filter(|i| good(i) && apart(i, &[Part::Train])).collect();
        let sure = |i: &usize| items[*i].score.is_none_or(|s| s >= spec.minimum_pair_score);
        let validation: Vec<usize> = of(Part::Validation)
            .into_iter()
            .filter(|i| sure(i) && apart(i, &[Part::Train, Part::Validation]))
            .collect();
        let test = of(Part::Test);
        let persons = |part: &[usize]| cxr::persons(part.iter().map(|i| items[*i].person.as_str()));
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
        let by_class = items.iter().any(|i| i.class.is_some());
        if recipe.task == Task::Classification || recipe.task == Task::Detection && by_class {
            for (class, name) in set.classes().iter().enumerate() {
                let cases = train.iter().filter(|i| items[**i].class == Some(class)).count();
                if cases < 2 {
                    let few = format!("the class '{name}' has {cases} cases in the training part");
                    return Err(fail(format!("{few}; at least 2 are needed")));
                }
            }
            let background = |l: &&crate::card::Label| crate::answer::is_background(&l.name);
            let empty = recipe.labels.iter().take(1).filter(background).count();
            if set.classes().len() + empty != recipe.labels.len() {
                let (k, n) = (set.classes().len(), recipe.labels.len() - empty);
                return Err(fail(format!("it has {k} classes, the recipe {n} labels")));
            }
        }
        Ok(Self { train, validation, test, counts })
    }

    /// Validation cases for a look during the training, spread over the part.
    fn few_validation(&self) -> Vec<usize> {
        let step = self.validation.len().div_ceil(MOST_VALIDATION).max(1);
        self.validation.iter().copied().step_by(step).collect()
    }
}

/// Reads every training case once, so that a bad one is told before the first update and not in the last epoch.
fn check_cases(recipe: &Recipe, cache: &Cache<'_>, train: &[usize], cx: &RunCx<'_>) -> Result<()> {
    let fail = |reason: String| Error::Data { set: recipe.data.set.clone(), reason };
    let needs_marks = matches!(recipe.task, Task::Segmentation | Task::Detection);
    let mut drawn = 0;
    for chunk in train.chunks(128) {
        cx.check()?;
        for case in cache.get(chunk)? {
            let holds = match &case.truth {
                Truth::Labels(v) | Truth::Share { marks: v, .. } => v.iter().any(|l| *l > 0),
                Truth::Boxes(boxes) => !boxes.is_empty(),
                _ => true,
            };
            drawn += usize::from(holds);
            // A restoration of the same images has no use for their labels.
            if needs_marks
                && let Truth::Labels(v) = &case.truth
                && let Some(label) = v.iter().find(|l| usize::from(**l) > recipe.labels.len().max(1))
            {
                return Err(fail(format!("a label has the number {label}, the recipe knows fewer: {}", case.name)));
            }
        }
    }
    if needs_marks && drawn < 2 {
        return Err(fail(format!("only {drawn} of {} training masks hold anything", train.len())));
    }
    Ok(())
}

/// A training with all that it needs.
struct Job<'a> {
    recipe: &'a Recipe,
    card: Card,
    cache: &'a Cache<'a>,
    parts: &'a Parts,
    device: Device,
}

/// Input `[batch, ...]`, target and, of a detector, what is in each image.
struct Batch {
    image: Tensor,
    target: Tensor,
    objects: Vec<detect::Target>,
}

impl Job<'_> {
    /// The updates; the weights to keep and how it went.
    fn run(&self, dir: &Path, resume: bool, cx: &RunCx<'_>) -> Result<(Tensors, Progress)> {
        let (recipe, t) = (self.recipe, &self.recipe.training);
        let (mut optimiser, mut opponent, mut progress) = if resume {
            checkpoint::load(dir, recipe, &self.device)?
        } else {
            let mut start = initial_weights(&recipe.architecture, t.seed, &self.device)?;
            if recipe.task == Task::Detection {
                detect::start(&recipe.architecture, &mut start)?;
            }
            (Optimiser::new(&start, &self.device)?, Opponent::start(recipe, &self.device)?, Progress::default())
        };
        if let Some(adversary) = &recipe.adversary {
            optimiser.beta_1 = adversary.beta_1;
        }
        let mut order = Order::new(self.parts.train.clone(), t.seed);
        let few = looked_at(self.cache.set(), &self.card, &self.parts.few_validation(), MOST_RESTORED / 4);
        let mut clock = Instant::now();
        let spent = |clock: &mut Instant| {
            let seconds = clock.elapsed().as_secs_f64();
            *clock = Instant::now();
            seconds
        };
        let ended = |p: &Progress| p.steps >= t.steps || (t.patience > 0 && p.best.stale >= t.patience);
        while !ended(&progress) {
            let step = progress.steps;
            let chosen: Vec<(usize, u64)> = (0..t.batch).map(|i| order.at(step * t.batch + i)).collect();
            let loss = match &mut opponent {
                Some(opponent) => self.contest(&mut optimiser, opponent, &chosen, step, cx)?,
                None => self.step(&mut optimiser, &chosen, step, cx)?,
            };
            progress.curve.add(loss);
            let done = step + 1;
            progress.steps = done;
            let validate = done % t.validate_every == 0 || done == t.steps;
            if validate || done % CURVE_EVERY == 0 {
                let validation = if validate {
                    let tensors = self.settled(&optimiser, cx)?;
                    let score = self.score(&tensors, &few, cx)?;
                    progress.best.seen(score, tensors, t.patience);
                    Some(score)
                } else {
                    None
                };
                progress.curve.close(done, validation);
            }
            if done % t.checkpoint_every == 0 || ended(&progress) {
                progress.seconds += spent(&mut clock);
                checkpoint::save(dir, recipe, &optimiser, opponent.as_ref(), &progress)?;
                write_atomic(&dir.join("curve.csv"), progress.curve.to_csv().as_bytes())?;
                write_atomic(&dir.join("curve.png"), &progress.curve.to_png()?)?;
            }
            let last = progress.curve.rows.iter().rev().find_map(|r| r.validation);
            let seen = last.map(|v| format!(", validation {v:.4}")).unwrap_or_default();
            let text = format!("Update {done} of {}, loss {loss:.4}{seen}", t.steps);
            (cx.progress)(0.95 * done as f32 / t.steps as f32, &text);
        }
        let weights = if t.patience > 0 && !progress.best.tensors.is_empty() {
            progress.best.tensors.clone()
        } else {
            self.settled(&optimiser, cx)?
        };
        Ok((weights, progress))
    }

    /// One update; the loss before it.
    fn step(&self, optimiser: &mut Optimiser, chosen: &[(usize, u64)], step: usize, cx: &RunCx<'_>) -> Result<f64> {
        let recipe = self.recipe;
        let batch = self.batch(chosen)?;
        let statistics = BatchStatistics::default();
        let loss = if recipe.task == Task::Detection {
            let detector = detect::Detector::new(&recipe.architecture, &optimiser.tensors(), &statistics)?;
            // Which empty places count is drawn anew in each update, alike in each run of a recipe.
            let mut random = StdRng::seed_from_u64(recipe.training.seed.rotate_left(32) ^ step as u64);
            detector.loss(&batch.image, &batch.objects, &recipe.detect, &mut random, &mut Pass::new(*cx))?
        } else {
            let network = recipe.architecture.build_for_training(&optimiser.tensors(), &statistics)?;
            loss::loss(recipe.loss(), &network.forward(&batch.image, cx)?, &batch.target)?
        };
        let value = f64::from(loss.to_scalar::<f32>()?);
        if !value.is_finite() {
            return Err(Error::LossNotFinite { step });
        }
        let grads = loss.backward()?;
        if !optimiser.update(&grads, &recipe.training, step)?.is_finite() {
            return Err(Error::LossNotFinite { step });
        }
        Ok(value)
    }

    /// The running mean of the weights, on the CPU, with the statistics that its batch norms see.
    fn settled(&self, optimiser: &Optimiser, cx: &RunCx<'_>) -> Result<Tensors> {
        let mut tensors = on_cpu(&optimiser.mean_tensors()?)?;
        if optimiser.statistics.is_empty() {
            return Ok(tensors);
        }
        let mut order = Order::new(self.parts.train.clone(), !self.recipe.training.seed);
        let mut sums: std::collections::BTreeMap<String, (Vec<f64>, Vec<f64>)> = Default::default();
        let size = self.recipe.training.batch.max(8);
        for b in 0..STATISTICS_BATCHES {
            cx.check()?;
            let chosen: Vec<(usize, u64)> = (0..size).map(|i| order.at(b * size + i)).collect();
            let statistics = BatchStatistics::default();
            let image = match self.recipe.architecture.takes() {
                Takes::Latent(n) => noise(!self.recipe.training.seed ^ b as u64, size, n, &Device::Cpu)?,
                _ => self.batch(&chosen)?.image.to_device(&Device::Cpu)?,
            };
            let mut pass = Pass::new(*cx);
            if self.recipe.task == Task::Detection {
                detect::Detector::new(&self.recipe.architecture, &tensors, &statistics)?.see(&image, &mut pass)?;
            } else {
                let network = self.recipe.architecture.build_for_training(&tensors, &statistics)?;
                network.run(&image, &mut pass)?;
            }
            for (name, (mean, variance)) in statistics.take() {
                let zero = || vec![0.0; mean.len()];
                let sum = sums.entry(name).or_insert_with(|| (zero(), zero()));
                sum.0.iter_mut().zip(&mean).for_each(|(s, m)| *s += f64::from(*m) / STATISTICS_BATCHES as f64);
                sum.1.iter_mut().zip(&variance).for_each(|(s, v)| *s += f64::from(*v) / STATISTICS_BATCHES as f64);
            }
        }
        for (name, (mean, variance)) in sums {
            for (what, values) in [("running_mean", mean), ("running_var", variance)] {
                let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
                let n = values.len();
                tensors.insert(format!("{name}.{what}"), Tensor::from_vec(values, n, &Device::Cpu)?);
            }
        }
        Ok(tensors)
    }

    /// What checkpoints are compared by.
    fn score(&self, tensors: &Tensors, which: &[usize], cx: &RunCx<'_>) -> Result<f64> {
        let model = Model::from_tensors(self.card.clone(), tensors.clone())?;
        let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
        let set = Kept(self.cache);
        Ok(measure(&model, &set, which, How { plain: false, draws: 0 }, &quiet)?.score)
    }

    /// Samples of the chosen cases, each with the seed of its variation.
    fn batch(&self, chosen: &[(usize, u64)]) -> Result<Batch> {
        let which: Vec<usize> = chosen.iter().map(|c| c.0).collect();
        let cases: Vec<Arc<Case>> = self.cache.get(&which)?;
        let samples = cases
            .par_iter()
            .zip(chosen)
            .map(|(case, (_, seed))| sample::make(self.recipe, &self.card, case, &mut StdRng::seed_from_u64(*seed)))
            .collect::<Result<Vec<_>>>()?;
        let (input, target) = sample::shapes(self.recipe, chosen.len());
        let gather = |part: fn(&sample::Sample) -> &Vec<f32>, shape: &[usize]| -> Result<Tensor> {
            let all: Vec<f32> = samples.iter().flat_map(|s| part(s).iter().copied()).collect();
            Ok(Tensor::from_vec(all, shape, &self.device)?)
        };
        Ok(Batch {
            image: gather(|s| &s.image, &input)?,
            target: gather(|s| &s.target, &target)?,
            objects: samples.into_iter().map(|s| s.objects).collect(),
        })
    }
}

impl Best {
    /// Takes a validation's result; weights are kept only where the best are wanted.
    fn seen(&mut self, score: f64, tensors: Tensors, patience: usize) {
        if patience == 0 {
            return;
        }
        if self.tensors.is_empty() || score > self.score {
            *self = Self { score, stale: 0, tensors };
        } else {
            self.stale += 1;
        }
    }
}

/// A set behind its cache.
struct Kept<'a>(&'a Cache<'a>);

impl Set for Kept<'_> {
    fn name(&self) -> &'static str {
        self.0.set().name()
    }
    fn items(&self) -> &[crate::data::Item] {
        self.0.set().items()
    }
    fn load(&self, which: &[usize]) -> Result<Vec<Case>> {
        Ok(self.0.get(which)?.into_iter().map(|c| Case::clone(&c)).collect())
    }
    fn classes(&self) -> &'static [&'static str] {
        self.0.set().classes()
    }
    fn neighbours(&self, i: usize) -> Vec<String> {
        self.0.set().neighbours(i)
    }
    fn unit(&self, i: usize) -> String {
        self.0.set().unit(i)
    }
}

/// He's initialisation (2015) for ReLU layers: deviation sqrt(2 / fan in); biases 0, norms 1, slopes of PReLU 1/4.
fn initial_weights(architecture: &Architecture, seed: u64, device: &Device) -> Result<Tensors> {
    let mut random = StdRng::seed_from_u64(seed);
    architecture
        .shapes()
        .into_iter()
        .map(|(name, shape)| {
            let n = shape.iter().product();
            let values: Vec<f32> = if shape.len() == 1 {
                let start = if name.ends_with("adn.A.weight") {
                    0.25
                } else if name.ends_with(".weight") || name.ends_with(".running_var") {
                    1.0
                } else {
                    architecture.initial_bias(&name)
                };
                vec![start; n]
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
    cases: Vec<usize>,
    seed: u64,
    epoch: Option<usize>,
    permutation: Vec<usize>,
}

impl Order {
    fn new(cases: Vec<usize>, seed: u64) -> Self {
        Self { permutation: cases.clone(), cases, seed, epoch: None }
    }

    /// The case of the n-th use, and the seed of its variation.
    fn at(&mut self, n: usize) -> (usize, u64) {
        let epoch = n / self.cases.len();
        if self.epoch != Some(epoch) {
            self.permutation.clone_from(&self.cases);
            self.permutation.shuffle(&mut StdRng::seed_from_u64(self.seed ^ (epoch as u64) << 32));
            self.epoch = Some(epoch);
        }
        let variation = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ n as u64;
        (self.permutation[n % self.cases.len()], variation)
    }
}
