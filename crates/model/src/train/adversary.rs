//! A generator against a discriminator: hinge loss (Lim and Ye 2017) with spectral norms (Miyato et al. 2018).
//!
//! No gradient penalty: candle's gradients have no graph of their own, so a gradient's length cannot be made small.

use super::optimiser::Optimiser;
use super::recipe::{Adversary, Recipe, Training};
use super::{Job, initial_weights};
use crate::arch::gan::DcganConfig;
use crate::arch::{Architecture, BatchStatistics, Takes, Tensors};
use crate::generate::noise;
use crate::{Error, Result, RunCx};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

/// A discriminator under training.
pub(crate) struct Opponent {
    architecture: Architecture,
    pub(crate) optimiser: Optimiser,
    training: Training,
    /// Of each matrix the direction, `[out]`, in which it stretches most, found a little better in each update.
    directions: BTreeMap<String, Vec<f32>>,
}

/// Rounds of the search for a matrix's largest singular value before the first update.
const FIRST_ROUNDS: usize = 20;

impl Opponent {
    /// The network that the recipe's generator learns against; none where it learns against nothing.
    pub(crate) fn architecture(recipe: &Recipe) -> Option<Architecture> {
        match (&recipe.adversary, &recipe.architecture) {
            (Some(a), Architecture::DcganGenerator(c)) => {
                Some(Architecture::DcganDiscriminator(DcganConfig { features: a.features, norm: false, ..c.clone() }))
            }
            _ => None,
        }
    }

    /// A fresh one.
    pub(crate) fn start(recipe: &Recipe, device: &Device) -> Result<Option<Self>> {
        let Some(architecture) = Self::architecture(recipe) else { return Ok(None) };
        let start = initial_weights(&architecture, recipe.training.seed.rotate_left(17), device)?;
        let optimiser = Optimiser::new(&start, device)?;
        let mut directions = BTreeMap::new();
        for (name, tensor) in start.iter().filter(|(_, t)| t.rank() > 1) {
            let (values, rows) = (tensor.flatten_all()?.to_vec1()?, tensor.dim(0)?);
            let mut direction = vec![1.0 / (rows as f32).sqrt(); rows];
            for _ in 0..FIRST_ROUNDS {
                stretch(&values, &mut direction);
            }
            directions.insert(name.clone(), direction);
        }
        Self::from_parts(recipe, architecture, optimiser, directions).map(Some)
    }

    /// From a checkpoint.
    pub(crate) fn from_parts(
        recipe: &Recipe,
        architecture: Architecture,
        mut optimiser: Optimiser,
        directions: BTreeMap<String, Vec<f32>>,
    ) -> Result<Self> {
        let mut training = recipe.training.clone();
        if let Some(Adversary { learning_rate, beta_1, .. }) = recipe.adversary {
            training.learning_rate = learning_rate;
            optimiser.beta_1 = beta_1;
        }
        training.average_decay = 0.0;
        for (name, weight) in optimiser.weights.iter().filter(|(_, w)| w.var.rank() > 1) {
            if directions.get(name).map(Vec::len) != weight.var.dims().first().copied() {
                return Err(Error::Checkpoint { reason: format!("it lacks the direction of '{name}'") });
            }
        }
        Ok(Self { architecture, optimiser, training, directions })
    }

    /// The directions as tensors, for a checkpoint.
    pub(crate) fn directions(&self) -> Result<Tensors> {
        let tensor = |d: &Vec<f32>| Tensor::from_slice(d, d.len(), &Device::Cpu);
        self.directions.iter().map(|(n, d)| Ok((n.clone(), tensor(d)?))).collect()
    }

    /// The weights, each matrix divided by its largest singular value, with a graph to what is trained.
    fn bounded(&mut self) -> Result<Tensors> {
        let mut all = self.optimiser.tensors();
        for (name, weight) in &mut all {
            let Some(direction) = self.directions.get_mut(name) else { continue };
            let (rows, dims) = (direction.len(), weight.dims().to_vec());
            let flat = weight.reshape((rows, weight.elem_count() / rows.max(1)))?;
            let across = stretch(&flat.flatten_all()?.to_vec1()?, direction);
            let (u, v) = (Tensor::from_slice(direction, (rows, 1), weight.device())?, across.len());
            let v = Tensor::from_vec(across, (1, v), weight.device())?;
            let sigma = (&flat * u.matmul(&v)?)?.sum_all()?;
            *weight = flat.broadcast_div(&sigma)?.reshape(dims)?;
        }
        Ok(all)
    }
}

/// One round of power iteration on `matrix` (`[direction.len(), columns]`): `direction` becomes the one in which it
/// stretches more, and what it comes from is given back (`[columns]`), both of length 1.
fn stretch(matrix: &[f32], direction: &mut [f32]) -> Vec<f32> {
    let columns = matrix.len() / direction.len().max(1);
    let unit = |v: &mut [f32]| {
        let length = v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt().max(1e-12);
        v.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    };
    let mut across = vec![0f32; columns];
    for (row, d) in matrix.chunks_exact(columns.max(1)).zip(direction.iter()) {
        across.iter_mut().zip(row).for_each(|(a, m)| *a += d * m);
    }
    unit(&mut across);
    for (row, d) in matrix.chunks_exact(columns.max(1)).zip(direction.iter_mut()) {
        *d = row.iter().zip(&across).map(|(m, a)| m * a).sum();
    }
    unit(direction);
    across
}

impl Job<'_> {
    /// One update of each network; the discriminator's hinge loss before it: 2 where it tells nothing, 0 where all.
    pub(super) fn contest(
        &self,
        generator: &mut Optimiser,
        opponent: &mut Opponent,
        chosen: &[(usize, u64)],
        step: usize,
        cx: &RunCx<'_>,
    ) -> Result<f64> {
        let training = &self.recipe.training;
        let real = self.batch(chosen)?.image;
        let Takes::Latent(latent) = self.recipe.architecture.takes() else {
            return Err(Error::Recipe { reason: "it is no generator".into() });
        };
        let z = noise(training.seed.rotate_left(32) ^ step as u64, chosen.len(), latent, &self.device)?;
        let statistics = BatchStatistics::default();
        let network = self.recipe.architecture.build_for_training(&generator.tensors(), &statistics)?;
        let made = network.forward(&z, cx)?;

        let weights = opponent.bounded()?;
        let judge = opponent.architecture.build_for_training(&weights, &statistics)?;
        let said = judge.forward(&Tensor::cat(&[&real, &made.detach()], 0)?, cx)?;
        let n = chosen.len();
        let (of_real, of_made) = (said.narrow(0, 0, n)?, said.narrow(0, n, n)?);
        let loss = ((1.0 - of_real)?.relu()?.mean_all()? + (of_made + 1.0)?.relu()?.mean_all()?)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        let not_finite = Error::LossNotFinite { step };
        if !value.is_finite() || !opponent.optimiser.update(&loss.backward()?, &opponent.training, step)?.is_finite() {
            return Err(not_finite);
        }
        // The discriminator as it is now, which learns nothing of this.
        let fixed: Tensors = opponent.bounded()?.into_iter().map(|(n, t)| (n, t.detach())).collect();
        let judge = opponent.architecture.build_for_training(&fixed, &statistics)?;
        let loss = judge.forward(&made, cx)?.mean_all()?.neg()?;
        if !loss.to_scalar::<f32>()?.is_finite() || !generator.update(&loss.backward()?, training, step)?.is_finite() {
            return Err(not_finite);
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_singular_value_is_found() {
        // Singular values 3 and 1, turned by a rotation on each side.
        let (s, c) = 0.6f32.sin_cos();
        let matrix = [3.0 * c * c + s * s, 2.0 * c * s, 2.0 * c * s, 3.0 * s * s + c * c];
        let mut direction = vec![0.2, 0.9];
        let mut across = Vec::new();
        for _ in 0..30 {
            across = stretch(&matrix, &mut direction);
        }
        let sigma: f32 = (0..2)
            .flat_map(|i| (0..2).map(move |j| (i, j)))
            .map(|(i, j)| direction[i] * matrix[2 * i + j] * across[j])
            .sum();
        assert!((sigma - 3.0).abs() < 1e-4, "{sigma}");
    }
}
