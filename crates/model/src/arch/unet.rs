//! A small plane U-Net (Ronneberger, Fischer, Brox 2015), down by strided convolutions, up by transposed ones.
//!
//! | tensors | shape | where |
//! |---|---|---|
//! | `down.L.0` | `[channels[L], channels[L-1] or inputs, 3, 3]`, stride 2 below level 0 | first of a level |
//! | `down.L.1` | `[channels[L], channels[L], 3, 3]` | second of a level |
//! | `up.L` | `[4 channels[L], channels[L+1], 1, 1]` | from level L+1 to L |
//! | `merge.L.0` | `[channels[L], 2 channels[L], 3, 3]` | on skip and up together |
//! | `merge.L.1` | `[channels[L], channels[L], 3, 3]`, where `merge_convs` is 2 | |
//! | `head` | `[outputs, channels[0], 1, 1]` | logits |
//!
//! Each has a `.weight` and a `.bias`. There are no norms: He's initialisation, a warm-up and clipped gradients
//! train it as well, and a norm costs more passes over memory than its convolution.

use super::Tensors;
use super::layers::{Conv, Up};
use crate::Result;
use crate::run::RunCx;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The free numbers of a U-Net.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UNetConfig {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Channels per level, from the finest; each further level halves rows and columns.
    pub channels: Vec<usize>,
    /// 3 x 3 convolutions after each merge, 1 or 2.
    pub merge_convs: usize,
}

impl UNetConfig {
    /// Whether the numbers make a network for an input of `rows` x `columns`; the reason where not.
    pub(crate) fn check(&self, rows: usize, columns: usize) -> Result<(), String> {
        let levels = self.channels.len();
        if !(2..=8).contains(&levels) {
            return Err(format!("a U-Net has 2 to 8 levels, not {levels}"));
        }
        if self.inputs == 0 || self.outputs == 0 || self.channels.contains(&0) {
            return Err("a U-Net has no level without channels".into());
        }
        if self.channels.iter().chain([&self.inputs, &self.outputs]).any(|c| *c > 4096) {
            return Err("a U-Net has at most 4096 channels a level".into());
        }
        if !(1..=2).contains(&self.merge_convs) {
            return Err("merge_convs is 1 or 2".into());
        }
        let step = 1 << (levels - 1);
        if !rows.is_multiple_of(step) || !columns.is_multiple_of(step) {
            return Err(format!("{columns} x {rows} pixels cannot be halved {} times", levels - 1));
        }
        Ok(())
    }

    /// Name and shape of each tensor, in the order of the layers.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        let mut conv = |name: String, out: usize, input: usize, k: usize| {
            all.push((format!("{name}.weight"), vec![out, input, k, k]));
            all.push((format!("{name}.bias"), vec![out]));
        };
        let c = &self.channels;
        for level in 0..c.len() {
            conv(format!("down.{level}.0"), c[level], if level == 0 { self.inputs } else { c[level - 1] }, 3);
            conv(format!("down.{level}.1"), c[level], c[level], 3);
        }
        for level in (0..c.len().saturating_sub(1)).rev() {
            conv(format!("up.{level}"), 4 * c[level], c[level + 1], 1);
            conv(format!("merge.{level}.0"), c[level], 2 * c[level], 3);
            if self.merge_convs == 2 {
                conv(format!("merge.{level}.1"), c[level], c[level], 3);
            }
        }
        conv("head".into(), self.outputs, c.first().copied().unwrap_or(0), 1);
        all
    }
}

/// The network.
#[derive(Debug, Clone)]
pub struct UNet {
    down: Vec<[Conv; 2]>,
    /// From the deepest level up.
    up: Vec<(Up, Vec<Conv>)>,
    head: Conv,
}

impl UNet {
    /// Takes the tensors of [`UNetConfig::shapes`].
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] where one is absent.
    pub fn new(config: &UNetConfig, tensors: &Tensors) -> Result<Self> {
        let levels = config.channels.len();
        let down = (0..levels)
            .map(|level| {
                let stride = if level == 0 { 1 } else { 2 };
                let first = Conv::new(tensors, &format!("down.{level}.0"), stride, true)?;
                Ok([first, Conv::new(tensors, &format!("down.{level}.1"), 1, true)?])
            })
            .collect::<Result<_>>()?;
        let up = (0..levels - 1)
            .rev()
            .map(|level| {
                let merge = (0..config.merge_convs)
                    .map(|i| Conv::new(tensors, &format!("merge.{level}.{i}"), 1, true))
                    .collect::<Result<_>>()?;
                Ok((Up::new(tensors, &format!("up.{level}"), false)?, merge))
            })
            .collect::<Result<_>>()?;
        Ok(Self { down, up, head: Conv::new(tensors, "head", 1, false)? })
    }

    /// # Shapes
    /// - `x`: `[batch, inputs, rows, columns]`, rows and columns multiples of 2^(levels - 1)
    /// - result: logits, `[batch, outputs, rows, columns]`
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] between two layers, [`crate::Error::Tensor`] for a wrong shape.
    pub fn forward(&self, x: &Tensor, cx: &RunCx<'_>) -> Result<Tensor> {
        let mut skips = Vec::with_capacity(self.down.len());
        let mut x = x.clone();
        for level in &self.down {
            for conv in level {
                cx.check()?;
                x = conv.forward(&x)?;
            }
            skips.push(x.clone());
        }
        skips.pop();
        for (up, merge) in &self.up {
            cx.check()?;
            x = up.forward(&x)?;
            if let Some(skip) = skips.pop() {
                x = Tensor::cat(&[&skip, &x], 1)?;
            }
            for conv in merge {
                cx.check()?;
                x = conv.forward(&x)?;
            }
        }
        cx.check()?;
        self.head.forward(&x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use candle_core::{Device, Var};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn config() -> UNetConfig {
        UNetConfig { inputs: 2, outputs: 3, channels: vec![4, 6, 8], merge_convs: 2 }
    }

    fn vars(config: &UNetConfig) -> Vec<(String, Var)> {
        let random =
            |shape: Vec<usize>| Var::from_tensor(&Tensor::randn(0f32, 0.3, shape, &Device::Cpu).unwrap()).unwrap();
        config.shapes().into_iter().map(|(name, shape)| (name, random(shape))).collect()
    }

    fn tensors(vars: &[(String, Var)]) -> Tensors {
        vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect()
    }

    #[test]
    fn output_has_the_size_of_the_input() {
        let net = UNet::new(&config(), &tensors(&vars(&config()))).unwrap();
        let x = Tensor::randn(0f32, 1.0, (2, 2, 12, 20), &Device::Cpu).unwrap();
        assert_eq!(net.forward(&x, &RunCx::silent()).unwrap().dims(), [2, 3, 12, 20]);
        assert!(UNet::new(&config(), &Tensors::new()).is_err());
    }

    #[test]
    fn impossible_numbers_are_refused() {
        assert!(config().check(12, 20).is_ok());
        assert!(config().check(10, 20).is_err());
        assert!(UNetConfig { channels: vec![4], ..config() }.check(8, 8).is_err());
        assert!(UNetConfig { channels: vec![4, 0], ..config() }.check(8, 8).is_err());
        assert!(UNetConfig { merge_convs: 3, ..config() }.check(8, 8).is_err());
    }

    // The gradient along random directions against a central difference: one number that every layer enters.
    #[test]
    fn gradient_is_that_of_the_function() {
        let mut random = StdRng::seed_from_u64(11);
        let mut draw = |shape: &[usize], scale: f32| {
            let values =
                (0..shape.iter().product()).map(|_| scale * random.random_range(-1.0..1.0f32)).collect::<Vec<_>>();
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        let weights: Tensors = config().shapes().into_iter().map(|(name, shape)| (name, draw(&shape, 0.5))).collect();
        let vars: Vec<(String, Var)> = weights.iter().map(|(n, t)| (n.clone(), Var::from_tensor(t).unwrap())).collect();
        let (x, toward) = (draw(&[2, 2, 8, 8], 1.5), draw(&[2, 3, 8, 8], 1.0));
        let output = |tensors: &Tensors| {
            // tanh: a function that is not linear in the last layer.
            UNet::new(&config(), tensors).unwrap().forward(&x, &RunCx::silent()).unwrap().tanh().unwrap()
        };
        // Summed in f64, for the difference of two nearly equal sums is wanted.
        let loss = |tensors: &Tensors| -> f64 {
            let y = (output(tensors) * &toward).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            y.into_iter().map(f64::from).sum()
        };
        let grads = (output(&tensors(&vars)) * &toward).unwrap().sum_all().unwrap().backward().unwrap();
        // A ReLU that flips on the way disturbs a direction, so the best of several counts.
        let errors = (0..6).map(|_| {
            let mut slope = 0.0;
            let (mut up, mut down) = (Tensors::new(), Tensors::new());
            for (name, var) in &vars {
                let direction = draw(var.dims(), 1.0);
                let grad = grads.get(var.as_tensor()).unwrap();
                slope += f64::from((grad * &direction).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
                let step = (direction * 1e-4).unwrap();
                up.insert(name.clone(), (var.as_tensor() + &step).unwrap().detach());
                down.insert(name.clone(), (var.as_tensor() - &step).unwrap().detach());
            }
            let numeric = (loss(&up) - loss(&down)) / 2e-4;
            (slope - numeric).abs() / slope.abs().max(1.0)
        });
        let best = errors.fold(f64::INFINITY, f64::min);
        assert!(best < 0.01, "relative error {best}");
    }

    #[test]
    fn it_stops_between_layers() {
        let net = UNet::new(&config(), &tensors(&vars(&config()))).unwrap();
        let x = Tensor::zeros((1, 2, 8, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
        let asked = AtomicUsize::new(0);
        let cancelled = || asked.fetch_add(1, Ordering::Relaxed) == 3;
        let cx = RunCx { cancelled: &cancelled, progress: &|_, _| {} };
        assert!(matches!(net.forward(&x, &cx), Err(Error::Cancelled)));
        assert_eq!(asked.load(Ordering::Relaxed), 4);
    }
}
