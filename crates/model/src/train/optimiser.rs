//! AdamW (Loshchilov and Hutter 2019) with clipped gradients and a running mean of the weights.
//!
//! candle's own AdamW hides its moments, without which a training cannot be resumed exactly.

use super::recipe::Training;
use crate::Result;
use crate::arch::Tensors;
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Weights under training with all that the next update needs.
pub(crate) struct Optimiser {
    /// The weights by name.
    pub(crate) vars: BTreeMap<String, Var>,
    /// Running means of gradient, squared gradient and weights, by name.
    pub(crate) first: Tensors,
    pub(crate) second: Tensors,
    pub(crate) mean: Tensors,
}

/// Learning rate of an update: linear rise, then half a cosine down to 0.
pub(crate) fn learning_rate(training: &Training, step: usize) -> f64 {
    let warm = training.warmup_steps.min(training.steps);
    if step < warm {
        return training.learning_rate * (step + 1) as f64 / warm as f64;
    }
    let done = (step - warm) as f64 / (training.steps - warm).max(1) as f64;
    training.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
}

impl Optimiser {
    /// Starts from weights.
    pub(crate) fn new(weights: &Tensors) -> Result<Self> {
        let mut new =
            Self { vars: BTreeMap::new(), first: Tensors::new(), second: Tensors::new(), mean: Tensors::new() };
        for (name, tensor) in weights {
            new.vars.insert(name.clone(), Var::from_tensor(tensor)?);
            new.first.insert(name.clone(), tensor.zeros_like()?);
            new.second.insert(name.clone(), tensor.zeros_like()?);
            new.mean.insert(name.clone(), tensor.copy()?);
        }
        Ok(new)
    }

    /// The weights as tensors that carry a graph.
    pub(crate) fn tensors(&self) -> Tensors {
        self.vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect()
    }

    /// One update; returns the gradient's norm before clipping. Nothing is changed where that is not finite.
    pub(crate) fn update(&mut self, grads: &GradStore, training: &Training, step: usize) -> Result<f64> {
        let mut squares = 0.0;
        for var in self.vars.values() {
            if let Some(grad) = grads.get(var.as_tensor()) {
                squares += f64::from(grad.sqr()?.sum_all()?.to_scalar::<f32>()?);
            }
        }
        let norm = squares.sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        let shorten = (training.clip_norm / norm.max(1e-12)).min(1.0);
        let rate = learning_rate(training, step);
        let t = step as i32 + 1;
        let (bias_1, bias_2) = (1.0 - BETA_1.powi(t), 1.0 - BETA_2.powi(t));
        // A young mean follows quickly, so that it does not remember the initialisation.
        let decay = training.average_decay.min((1.0 + step as f64) / (10.0 + step as f64));
        let decay = if training.average_decay == 0.0 { 0.0 } else { decay };
        for (name, var) in &self.vars {
            let Some(grad) = grads.get(var.as_tensor()) else { continue };
            let grad = (grad * shorten)?;
            let mix = |old: Option<&Tensor>, new: &Tensor, keep: f64| -> Result<Tensor> {
                let fresh = (new * (1.0 - keep))?;
                Ok(match old {
                    Some(old) => ((old * keep)? + fresh)?,
                    None => fresh,
                })
            };
            let first = mix(self.first.get(name), &grad, BETA_1)?;
            let second = mix(self.second.get(name), &grad.sqr()?, BETA_2)?;
            let step_size = ((&first / bias_1)? / ((&second / bias_2)?.sqrt()? + EPSILON)?)?;
            let decayed = if name.ends_with(".weight") { 1.0 - rate * training.weight_decay } else { 1.0 };
            let next = ((var.as_tensor() * decayed)? - (step_size * rate)?)?;
            var.set(&next)?;
            let mean = mix(self.mean.get(name), &next, decay)?;
            self.first.insert(name.clone(), first.detach());
            self.second.insert(name.clone(), second.detach());
            self.mean.insert(name.clone(), mean.detach());
        }
        Ok(norm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn training(steps: usize) -> Training {
        Training {
            seed: 1,
            steps,
            batch: 1,
            learning_rate: 0.1,
            warmup_steps: 5,
            weight_decay: 0.0,
            clip_norm: 1.0,
            average_decay: 0.5,
            checkpoint_every: 1,
            validate_every: 1,
        }
    }

    #[test]
    fn rate_rises_and_falls() {
        let t = training(100);
        assert!((learning_rate(&t, 0) - 0.02).abs() < 1e-12);
        assert!((learning_rate(&t, 4) - 0.1).abs() < 1e-12);
        assert!(learning_rate(&t, 99) < 1e-3);
    }

    #[test]
    fn it_finds_the_minimum_of_a_parabola() {
        let t = training(200);
        let start = Tensors::from([("w.weight".to_owned(), Tensor::new(&[3f32, -2.0], &Device::Cpu).unwrap())]);
        let mut optimiser = Optimiser::new(&start).unwrap();
        for step in 0..200 {
            let w = &optimiser.tensors()["w.weight"];
            let loss = (w - 1.0).unwrap().sqr().unwrap().sum_all().unwrap();
            optimiser.update(&loss.backward().unwrap(), &t, step).unwrap();
        }
        for values in [&optimiser.tensors()["w.weight"], &optimiser.mean["w.weight"]] {
            assert!(values.to_vec1::<f32>().unwrap().iter().all(|v| (v - 1.0).abs() < 0.02), "{values}");
        }
    }
}
