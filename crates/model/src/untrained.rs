//! Networks with weights that nobody trained: for measurements of time, and as plain filters.

use crate::arch::{Architecture, Tensors};
use crate::{Card, Model, Result};
use candle_core::{Device, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Weights drawn uniformly with He's variance, norms that change nothing.
pub(crate) fn tensors(architecture: &Architecture, seed: u64) -> Result<Tensors> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut all = Tensors::new();
    for (name, shape) in architecture.shapes() {
        let n: usize = shape.iter().product();
        let fan: usize = shape[1..].iter().product::<usize>().max(1);
        let bound = (6.0 / fan as f32).sqrt();
        let values: Vec<f32> = match name.rsplit('.').next() {
            _ if shape.len() > 1 => (0..n).map(|_| (random.random::<f32>() * 2.0 - 1.0) * bound).collect(),
            Some("weight" | "running_var" | "scales" | "rolling_variance" | "scale_weight") => vec![1.0; n],
            _ => vec![0.0; n],
        };
        all.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    Ok(all)
}

impl Model {
    /// A card's network with random weights: as fast as the trained one, and of no other use.
    ///
    /// # Errors
    /// As [`Model::load_from`].
    pub fn untrained(card: Card, seed: u64) -> Result<Self> {
        card.check()?;
        let tensors = tensors(&card.architecture, seed)?;
        Self::from_tensors(card, tensors)
    }
}
