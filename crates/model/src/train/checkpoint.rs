//! Checkpoints: weights, moments, running mean and loss curve in one safetensors file, replaced as a whole.

use super::adversary::Opponent;
use super::curve::Curve;
use super::optimiser::{Optimiser, Weight};
use super::recipe::Recipe;
use crate::arch::{Shapes, Tensors};
use crate::files::{sha256_hex, write_atomic};
use crate::{Error, Result, weights};
use candle_core::Device;
use safetensors::SafeTensors;
use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

/// Name of the checkpoint inside the folder of a training.
pub(crate) const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// What identifies a training: its recipe without the free text of the card.
fn fingerprint(recipe: &Recipe) -> Result<String> {
    let mut bare = recipe.clone();
    (bare.name, bare.summary, bare.licence, bare.limits, bare.purpose, bare.goals) = Default::default();
    bare.fits = Default::default();
    let text = toml::to_string(&bare).map_err(|e| Error::Recipe { reason: e.to_string() })?;
    Ok(sha256_hex(text.as_bytes()))
}

/// How far a training is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Updates so far.
    pub(crate) steps: usize,
    pub(crate) curve: Curve,
    pub(crate) best: Best,
    /// Time spent, over all parts of a resumed training.
    pub(crate) seconds: f64,
}

/// The best weights so far, where the best are kept.
#[derive(Debug, Default)]
pub(crate) struct Best {
    pub(crate) score: f64,
    /// Validations since.
    pub(crate) stale: usize,
    /// Empty before the first validation, and where the last weights are kept.
    pub(crate) tensors: Tensors,
}

/// Writes the state of a training.
pub(crate) fn save(
    dir: &Path,
    recipe: &Recipe,
    optimiser: &Optimiser,
    opponent: Option<&Opponent>,
    progress: &Progress,
) -> Result<()> {
    let Progress { steps, curve, best, seconds } = progress;
    let mut more = vec![("best", best.tensors.clone())];
    if let Some(opponent) = opponent {
        let prefixes = ["opponent_weight", "opponent_first", "opponent_second", "opponent_mean"];
        more.extend(prefixes.into_iter().zip(parts(&opponent.optimiser)?));
        more.push(("direction", opponent.directions()?));
    }
    let fields = [("seconds", seconds.to_string()), ("best", format!("{:?} {}", best.score, best.stale))];
    write(dir, &fingerprint(recipe)?, *steps, curve, optimiser, more, fields)
}

/// The state of the last checkpoint: optimiser, what is learnt against where there is such, finished updates and curve.
pub(crate) fn load(dir: &Path, recipe: &Recipe, device: &Device) -> Result<(Optimiser, Option<Opponent>, Progress)> {
    let stored = Stored::read(dir, &recipe.id, &fingerprint(recipe)?, device)?;
    let (score, stale) = pair(stored.field("best")?).ok_or_else(|| unreadable("best result"))?;
    let seconds = stored.field("seconds")?.parse().map_err(|_| unreadable("time"))?;
    let optimiser = stored.optimiser(&recipe.id, &recipe.architecture.shapes(), device)?;
    let opponent = match Opponent::architecture(recipe) {
        None => None,
        Some(architecture) => {
            let now = stored.group("opponent_weight");
            weights::check(&recipe.id, &now, &architecture.shapes())?;
            let parts = ["opponent_first", "opponent_second", "opponent_mean"].map(|g| stored.group(g));
            let optimiser = Optimiser::from_parts(now, parts, device)?;
            let directions = stored.group("direction").into_iter();
            let directions = directions.map(|(n, t)| Ok((n, t.to_vec1()?))).collect::<Result<_>>()?;
            Some(Opponent::from_parts(recipe, architecture, optimiser, directions)?)
        }
    };
    let best = Best { score, stale, tensors: stored.group("best") };
    Ok((optimiser, opponent, Progress { steps: stored.steps, curve: stored.curve, best, seconds }))
}

/// Weights, moments and running mean of an optimiser.
fn parts(optimiser: &Optimiser) -> Result<[Tensors; 4]> {
    let of = |f: fn(&Weight) -> &Vec<f32>| optimiser.part(f);
    Ok([optimiser.tensors(), of(|w| &w.first)?, of(|w| &w.second)?, of(|w| &w.mean)?])
}

/// Writes what each training has, further groups of tensors, and further fields. `recipe` identifies the training.
pub(crate) fn write<const N: usize>(
    dir: &Path,
    recipe: &str,
    steps: usize,
    curve: &Curve,
    optimiser: &Optimiser,
    groups: Vec<(&str, Tensors)>,
    more: [(&str, String); N],
) -> Result<()> {
    let mut all = Tensors::new();
    let own = ["weight", "first", "second", "mean"].into_iter().zip(parts(optimiser)?);
    for (prefix, tensors) in own.chain(groups) {
        all.extend(tensors.into_iter().map(|(name, t)| (format!("{prefix}/{name}"), t)));
    }
    let fields = [
        ("steps", steps.to_string()),
        ("recipe", recipe.to_owned()),
        ("curve", curve.to_csv()),
        // `{:?}` of an f64 reads back as the same number.
        ("open_losses", format!("{:?} {}", curve.open.0, curve.open.1)),
    ];
    let fields: HashMap<String, String> = fields.into_iter().chain(more).map(|(k, v)| (k.to_owned(), v)).collect();
    write_atomic(&dir.join(CHECKPOINT_FILE), &weights::to_bytes(&all, Some(fields))?)
}

/// What stands in a checkpoint.
pub(crate) struct Stored {
    /// Updates so far.
    pub(crate) steps: usize,
    pub(crate) curve: Curve,
    fields: HashMap<String, String>,
    tensors: Tensors,
}

impl Stored {
    /// Reads the checkpoint of the training that `recipe` identifies.
    pub(crate) fn read(dir: &Path, id: &str, recipe: &str, device: &Device) -> Result<Self> {
        let path = dir.join(CHECKPOINT_FILE);
        let fail = |reason: String| Error::Checkpoint { reason };
        if !path.is_file() {
            return Err(fail(format!("there is none in {}", dir.display())));
        }
        let bytes = std::fs::read(&path).map_err(Error::read(&path))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| fail(format!("it is damaged ({e})")))?;
        let fields = header.metadata().clone().unwrap_or_default();
        let tensors = weights::parse(id, &bytes, &path, device)?;
        let mut stored = Self { steps: 0, curve: Curve::default(), fields, tensors };
        if stored.field("recipe")? != recipe {
            return Err(fail("it was made by another recipe; train without --resume or into another folder".into()));
        }
        stored.steps = stored.field("steps")?.parse().map_err(|_| unreadable("number of steps"))?;
        let curve = Curve::from_csv(stored.field("curve")?).zip(pair(stored.field("open_losses")?));
        let (curve, open) = curve.ok_or_else(|| unreadable("curve"))?;
        stored.curve = Curve { open, ..curve };
        Ok(stored)
    }

    /// A field of the file's head.
    pub(crate) fn field(&self, name: &str) -> Result<&str> {
        let lacks = || Error::Checkpoint { reason: format!("it lacks the field '{name}'") };
        self.fields.get(name).map(String::as_str).ok_or_else(lacks)
    }

    /// Tensors of a group, without its prefix.
    fn group(&self, prefix: &str) -> Tensors {
        let name = |name: &str| Some(name.strip_prefix(prefix)?.strip_prefix('/')?.to_owned());
        self.tensors.iter().filter_map(|(n, t)| Some((name(n)?, t.clone()))).collect()
    }

    /// Weights, moments and running mean, of these shapes.
    pub(crate) fn optimiser(&self, id: &str, shapes: &Shapes, device: &Device) -> Result<Optimiser> {
        let now = self.group("weight");
        weights::check(id, &now, shapes)?;
        Optimiser::from_parts(now, ["first", "second", "mean"].map(|g| self.group(g)), device)
    }
}

/// Two numbers beside each other.
fn pair<A: FromStr, B: FromStr>(text: &str) -> Option<(A, B)> {
    let (a, b) = text.split_once(' ')?;
    Some((a.parse().ok()?, b.parse().ok()?))
}

/// What cannot be read of a checkpoint.
pub(crate) fn unreadable(what: &str) -> Error {
    Error::Checkpoint { reason: format!("its {what} is not readable") }
}
