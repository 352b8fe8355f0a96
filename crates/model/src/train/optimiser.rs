//! AdamW (Loshchilov and Hutter 2019) and SGD with clipped gradients and a running mean of the weights.
//!
//! candle's own AdamW hides its moments, without which a training cannot be resumed exactly. An update is one pass over
//! plain numbers: as tensor operations it took as long as a small network's convolutions.

use super::recipe::{Method, Training};
use crate::arch::Tensors;
use crate::{Error, Result};
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;
use std::collections::BTreeMap;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// A weight under training with all that the next update needs.
pub(crate) struct Weight {
    pub(crate) var: Var,
    /// Running means of gradient, squared gradient and the weight itself.
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    pub(crate) mean: Vec<f32>,
}

/// Weights under training, and the statistics of batch norms, which no gradient reaches.
pub(crate) struct Optimiser {
    pub(crate) weights: BTreeMap<String, Weight>,
    pub(crate) statistics: Tensors,
    /// Decay of the running mean of gradients; 0.9 but for networks that learn against each other.
    pub(crate) beta_1: f64,
    device: Device,
}

/// Whether a tensor is a batch norm's running mean or variance.
pub(crate) fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
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
    pub(crate) fn new(tensors: &Tensors, device: &Device) -> Result<Self> {
        let (mut weights, mut statistics) = (BTreeMap::new(), Tensors::new());
        for (name, tensor) in tensors {
            if is_statistic(name) {
                statistics.insert(name.clone(), tensor.clone());
                continue;
            }
            let n = tensor.elem_count();
            let mean = tensor.flatten_all()?.to_vec1()?;
            let var = Var::from_tensor(tensor)?;
            weights.insert(name.clone(), Weight { var, first: vec![0.0; n], second: vec![0.0; n], mean });
        }
        Ok(Self { weights, statistics, beta_1: BETA_1, device: device.clone() })
    }

    /// From the parts of a checkpoint.
    pub(crate) fn from_parts(now: Tensors, mut parts: [Tensors; 3], device: &Device) -> Result<Self> {
        let mut new = Self::new(&now, device)?;
        for (name, weight) in &mut new.weights {
            for (part, slot) in parts.iter_mut().zip([&mut weight.first, &mut weight.second, &mut weight.mean]) {
                let tensor = part.remove(name).filter(|t| t.elem_count() == slot.len());
                let tensor =
                    tensor.ok_or_else(|| Error::Checkpoint { reason: format!("it lacks a part of '{name}'") })?;
                *slot = tensor.flatten_all()?.to_vec1()?;
            }
        }
        Ok(new)
    }

    /// The weights as tensors that carry a graph, with the statistics.
    pub(crate) fn tensors(&self) -> Tensors {
        let mut all = self.statistics.clone();
        all.extend(self.weights.iter().map(|(name, w)| (name.clone(), w.var.as_tensor().clone())));
        all
    }

    /// The running mean of the weights, with the statistics.
    pub(crate) fn mean_tensors(&self) -> Result<Tensors> {
        let mut all = self.statistics.clone();
        for (name, w) in &self.weights {
            all.insert(name.clone(), Tensor::from_slice(&w.mean, w.var.shape(), &self.device)?);
        }
        Ok(all)
    }

    /// A group of numbers as tensors, for a checkpoint.
    pub(crate) fn part(&self, of: fn(&Weight) -> &Vec<f32>) -> Result<Tensors> {
        let tensor = |w: &Weight| Tensor::from_slice(of(w), w.var.shape(), &Device::Cpu);
        self.weights.iter().map(|(name, w)| Ok((name.clone(), tensor(w)?))).collect()
    }

    /// One update; returns the gradient's norm before clipping. Nothing is changed where that is not finite.
    pub(crate) fn update(&mut self, grads: &GradStore, training: &Training, step: usize) -> Result<f64> {
        let mut all: Vec<(&String, &mut Weight, Vec<f32>, Vec<f32>)> = Vec::with_capacity(self.weights.len());
        for (name, weight) in &mut self.weights {
            let Some(grad) = grads.get(weight.var.as_tensor()) else { continue };
            let grad = grad.flatten_all()?.to_vec1()?;
            let now = weight.var.as_tensor().flatten_all()?.to_vec1()?;
            all.push((name, weight, grad, now));
        }
        let square = |g: &Vec<f32>| g.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
        let norm = all.iter().map(|(_, _, g, _)| square(g)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        let shorten = (training.clip_norm / norm.max(1e-12)).min(1.0);
        let rate = learning_rate(training, step);
        let t = step as i32 + 1;
        let beta_1 = self.beta_1;
        let (bias_1, bias_2) = (1.0 - beta_1.powi(t), 1.0 - BETA_2.powi(t));
        // A young mean follows quickly, so that it does not remember the initialisation.
        let keep = training.average_decay.min((1.0 + step as f64) / (10.0 + step as f64));
        let keep = if training.average_decay == 0.0 { 0.0 } else { keep };
        all.par_iter_mut().for_each(|(name, weight, grad, now)| {
            // Norms and biases are one-dimensional; only matrices and kernels decay.
            let decays = name.ends_with("weight") && weight.var.rank() > 1;
            let decayed = if decays { 1.0 - rate * training.weight_decay } else { 1.0 };
            let Weight { first, second, mean, .. } = &mut **weight;
            for ((((w, g), m), v), a) in now.iter_mut().zip(grad.iter()).zip(first).zip(second).zip(mean) {
                let g = f64::from(*g) * shorten;
                let step = match training.optimiser {
                    Method::Adamw => {
                        *m = (beta_1 * f64::from(*m) + (1.0 - beta_1) * g) as f32;
                        *v = (BETA_2 * f64::from(*v) + (1.0 - BETA_2) * g * g) as f32;
                        f64::from(*m) / bias_1 / ((f64::from(*v) / bias_2).sqrt() + EPSILON)
                    }
                    Method::Sgd => {
                        *m = (beta_1 * f64::from(*m) + g) as f32;
                        f64::from(*m)
                    }
                };
                *w = (f64::from(*w) * decayed - rate * step) as f32;
                *a = (keep * f64::from(*a) + (1.0 - keep) * f64::from(*w)) as f32;
            }
        });
        for (_, weight, _, now) in all {
            weight.var.set(&Tensor::from_vec(now, weight.var.shape(), &self.device)?)?;
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
            loss: None,
            optimiser: Method::Adamw,
            patience: 0,
            half: false,
            memory_mib: 64,
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
        for (optimiser, rate) in [(Method::Adamw, 0.1), (Method::Sgd, 0.03)] {
            let t = Training { optimiser, learning_rate: rate, ..training(200) };
            let start = Tensors::from([("w.weight".to_owned(), Tensor::new(&[3f32, -2.0], &Device::Cpu).unwrap())]);
            let mut optimiser = Optimiser::new(&start, &Device::Cpu).unwrap();
            for step in 0..200 {
                let w = &optimiser.tensors()["w.weight"];
                let loss = (w - 1.0).unwrap().sqr().unwrap().sum_all().unwrap();
                optimiser.update(&loss.backward().unwrap(), &t, step).unwrap();
            }
            for values in [&optimiser.tensors()["w.weight"], &optimiser.mean_tensors().unwrap()["w.weight"]] {
                assert!(values.to_vec1::<f32>().unwrap().iter().all(|v| (v - 1.0).abs() < 0.02), "{values}");
            }
        }
    }
}
