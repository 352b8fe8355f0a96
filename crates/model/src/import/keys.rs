//! From the names of a file to those of a network.

use super::Found;
use crate::arch::{Architecture, Shapes};
use std::collections::{BTreeMap, HashMap};

/// What to read.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Index in the file, name and shape in the network.
    pub(crate) chosen: Vec<(usize, String, Vec<usize>)>,
    /// Tensors that only training needs.
    pub(crate) left_out: usize,
}

/// Where checkpoints keep the network, most telling first.
const NESTS: [&str; 12] = [
    "model_ema.",
    "state_dict.",
    "model_state_dict.",
    "model.",
    "network.",
    "net.",
    "ema.",
    "params.",
    "weights.",
    "generator.",
    "encoder.",
    "student.",
];

/// Prefixes that wrappers add.
const WRAPPERS: [&str; 8] =
    ["module.", "model.", "_orig_mod.", "net.", "network.", "backbone.", "densenet121.", "_model."];

/// What only training needs.
fn for_training(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
        || ["optimizer", "optimizer_states", "lr_schedulers", "loss", "callbacks", "criterion"]
            .iter()
            .any(|p| name.starts_with(&format!("{p}.")))
}

/// Finds the network's tensors among the file's.
///
/// # Errors
/// One sentence with the names that are missing, left over or of another shape.
pub(crate) fn plan(found: &[Found], needed: &Shapes, architecture: &Architecture) -> Result<Plan, String> {
    let wanted: HashMap<&str, &Vec<usize>> = needed.iter().map(|(n, s)| (n.as_str(), s)).collect();
    let best = variants(found)
        .into_iter()
        .map(|names| {
            let names: BTreeMap<String, usize> =
                names.into_iter().map(|(name, i)| (architecture.rename(&name), i)).collect();
            let hits = names.keys().filter(|n| wanted.contains_key(n.as_str())).count();
            (hits, names)
        })
        // Of equals the first, which has the fewest prefixes taken off.
        .fold(None::<(usize, BTreeMap<String, usize>)>, |best, new| match best {
            Some(best) if best.0 >= new.0 => Some(best),
            _ => Some(new),
        });
    let names = best.map(|(_, names)| names).unwrap_or_default();
    let mut chosen = Vec::with_capacity(needed.len());
    let (mut missing, mut shapes) = (Vec::new(), Vec::new());
    for (name, shape) in needed {
        match names.get(name) {
            None => missing.push(format!("'{name}' of shape {shape:?}")),
            Some(i) if found[*i].shape == *shape || architecture.same_shape(name, &found[*i].shape, shape) => {
                chosen.push((*i, name.clone(), shape.clone()));
            }
            Some(i) => {
                shapes.push(format!("'{name}' has shape {:?}, the architecture needs {shape:?}", found[*i].shape));
            }
        }
    }
    let mut left_out = found.len() - names.len().min(found.len());
    let mut extra = Vec::new();
    for name in names.keys().filter(|n| !wanted.contains_key(n.as_str())) {
        if for_training(name) || architecture.ignores(name) {
            left_out += 1;
        } else {
            extra.push(format!("'{name}'"));
        }
    }
    let mut faults = Vec::new();
    if !missing.is_empty() {
        faults.push(format!("the file lacks the {} {}", tensors(missing.len()), some(&missing)));
    }
    if !shapes.is_empty() {
        faults.push(format!("the tensor {}", some(&shapes)));
    }
    if !extra.is_empty() {
        let what = if extra.len() == 1 { "tensor" } else { "tensors" };
        faults.push(format!("the file holds the {what} {}, which the architecture does not know", some(&extra)));
    }
    if faults.is_empty() { Ok(Plan { chosen, left_out }) } else { Err(faults.join("; ")) }
}

fn tensors(n: usize) -> String {
    if n == 1 { "tensor".into() } else { format!("{n} tensors") }
}

fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

/// The names as they are, then out of each nest, then with wrappers' prefixes taken off.
fn variants(found: &[Found]) -> Vec<Vec<(String, usize)>> {
    let all: Vec<(String, usize)> = found.iter().enumerate().map(|(i, f)| (f.name.clone(), i)).collect();
    let mut variants = vec![all];
    for nest in NESTS {
        let inside: Vec<(String, usize)> = variants[0]
            .iter()
            .filter_map(|(name, i)| name.strip_prefix(nest).map(|rest| (rest.to_owned(), *i)))
            .collect();
        if !inside.is_empty() && inside.len() < variants[0].len() {
            variants.push(inside);
        }
    }
    let mut at = 0;
    // Twice at most: DataParallel around a Lightning module.
    let mut rounds = vec![0usize; variants.len()];
    while at < variants.len() {
        if rounds[at] < 3 {
            for prefix in WRAPPERS.iter().chain(&NESTS) {
                if variants[at].iter().all(|(name, _)| name.starts_with(prefix)) {
                    let inner = variants[at].iter().map(|(n, i)| (n[prefix.len()..].to_owned(), *i)).collect();
                    variants.push(inner);
                    rounds.push(rounds[at] + 1);
                    break;
                }
            }
        }
        at += 1;
    }
    variants
}
