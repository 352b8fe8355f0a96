//! Checkpoints: weights, moments, running mean and loss curve in one safetensors file, replaced as a whole.

use super::curve::Curve;
use super::optimiser::Optimiser;
use super::recipe::Recipe;
use crate::arch::Tensors;
use crate::files::{sha256_hex, write_atomic};
use crate::{Error, Result, weights};
use candle_core::Device;
use safetensors::SafeTensors;
use std::collections::HashMap;
use std::path::Path;

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
pub(crate) fn save(dir: &Path, recipe: &Recipe, optimiser: &Optimiser, progress: &Progress) -> Result<()> {
    let Progress { steps, curve, best, seconds } = progress;
    let mut all = Tensors::new();
    let groups = [
        ("weight", optimiser.tensors()),
        ("first", optimiser.part(|w| &w.first)?),
        ("second", optimiser.part(|w| &w.second)?),
        ("mean", optimiser.part(|w| &w.mean)?),
        ("best", best.tensors.clone()),
    ];
    for (prefix, tensors) in groups {
        all.extend(tensors.into_iter().map(|(name, t)| (format!("{prefix}/{name}"), t)));
    }
    let fields = HashMap::from([
        ("steps".to_owned(), steps.to_string()),
        ("seconds".to_owned(), seconds.to_string()),
        ("best".to_owned(), format!("{:?} {}", best.score, best.stale)),
        ("recipe".to_owned(), fingerprint(recipe)?),
        ("curve".to_owned(), curve.to_csv()),
        // `{:?}` of an f64 reads back as the same number.
        ("open_losses".to_owned(), format!("{:?} {}", curve.open.0, curve.open.1)),
    ]);
    write_atomic(&dir.join(CHECKPOINT_FILE), &weights::to_bytes(&all, Some(fields))?)
}

/// The state of the last checkpoint: finished updates, optimiser, curve.
pub(crate) fn load(dir: &Path, recipe: &Recipe, device: &Device) -> Result<(Optimiser, Progress)> {
    let path = dir.join(CHECKPOINT_FILE);
    let fail = |reason: String| Error::Checkpoint { reason };
    if !path.is_file() {
        return Err(fail(format!("there is none in {}", dir.display())));
    }
    let bytes = std::fs::read(&path).map_err(Error::read(&path))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| fail(format!("it is damaged ({e})")))?;
    let fields = header.metadata().clone().unwrap_or_default();
    let field = |name: &str| fields.get(name).ok_or_else(|| fail(format!("it lacks the field '{name}'")));
    if *field("recipe")? != fingerprint(recipe)? {
        return Err(fail("it was made by another recipe; train without --resume or into another folder".into()));
    }
    let steps = field("steps")?.parse().map_err(|_| fail("its number of steps is not readable".into()))?;
    let unreadable = || fail("its curve is not readable".into());
    let mut curve = Curve::from_csv(field("curve")?).ok_or_else(unreadable)?;
    curve.open = field("open_losses")?
        .split_once(' ')
        .and_then(|(sum, count)| Some((sum.parse().ok()?, count.parse().ok()?)))
        .ok_or_else(unreadable)?;
    let seconds = field("seconds")?.parse().map_err(|_| fail("its time is not readable".into()))?;
    let (score, stale) = field("best")?
        .split_once(' ')
        .and_then(|(score, stale)| Some((score.parse().ok()?, stale.parse().ok()?)))
        .ok_or_else(unreadable)?;
    let all = weights::parse(&recipe.id, &bytes, &path, device)?;
    let group = |prefix: &str| -> Tensors {
        all.iter()
            .filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.strip_prefix('/')?.to_owned(), t.clone())))
            .collect()
    };
    let now = group("weight");
    weights::check(&recipe.id, &now, &recipe.architecture.shapes())?;
    let optimiser = Optimiser::from_parts(now, [group("first"), group("second"), group("mean")], device)?;
    Ok((optimiser, Progress { steps, curve, best: Best { score, stale, tensors: group("best") }, seconds }))
}
