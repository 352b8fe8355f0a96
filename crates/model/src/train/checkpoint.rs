//! Checkpoints: weights, moments, running mean and loss curve in one safetensors file, replaced as a whole.

use super::curve::Curve;
use super::optimiser::Optimiser;
use super::recipe::Recipe;
use crate::arch::Tensors;
use crate::files::{sha256_hex, write_atomic};
use crate::{Error, Result, weights};
use candle_core::{Device, Var};
use safetensors::SafeTensors;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Name of the checkpoint inside the folder of a training.
pub(crate) const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// What identifies a training: its recipe without the free text of the card.
fn fingerprint(recipe: &Recipe) -> Result<String> {
    let mut bare = recipe.clone();
    (bare.name, bare.summary, bare.licence, bare.limits) = Default::default();
    bare.fits = Default::default();
    let text = toml::to_string(&bare).map_err(|e| Error::Recipe { reason: e.to_string() })?;
    Ok(sha256_hex(text.as_bytes()))
}

/// Writes the state after `steps` updates.
pub(crate) fn save(dir: &Path, recipe: &Recipe, steps: usize, optimiser: &Optimiser, curve: &Curve) -> Result<()> {
    let mut all = Tensors::new();
    let weights_now = optimiser.tensors();
    let groups = [
        ("weight", &weights_now),
        ("first", &optimiser.first),
        ("second", &optimiser.second),
        ("mean", &optimiser.mean),
    ];
    for (prefix, tensors) in groups {
        all.extend(tensors.iter().map(|(name, t)| (format!("{prefix}/{name}"), t.clone())));
    }
    let fields = HashMap::from([
        ("steps".to_owned(), steps.to_string()),
        ("recipe".to_owned(), fingerprint(recipe)?),
        ("curve".to_owned(), curve.to_csv()),
        // `{:?}` of an f64 reads back as the same number.
        ("open_losses".to_owned(), format!("{:?} {}", curve.open.0, curve.open.1)),
    ]);
    write_atomic(&dir.join(CHECKPOINT_FILE), &weights::to_bytes(&all, Some(fields))?)
}

/// The state of the last checkpoint: finished updates, optimiser, curve.
pub(crate) fn load(dir: &Path, recipe: &Recipe, device: &Device) -> Result<(usize, Optimiser, Curve)> {
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
    let all = weights::parse(&recipe.id, &bytes, &path, device)?;
    let group = |prefix: &str| -> Result<Tensors> {
        let tensors: Tensors = all
            .iter()
            .filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.strip_prefix('/')?.to_owned(), t.clone())))
            .collect();
        weights::check(&recipe.id, &tensors, &recipe.architecture.shapes())?;
        Ok(tensors)
    };
    let vars = group("weight")?
        .into_iter()
        .map(|(name, t)| Ok((name, Var::from_tensor(&t)?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let optimiser = Optimiser { vars, first: group("first")?, second: group("second")?, mean: group("mean")? };
    Ok((steps, optimiser, curve))
}
