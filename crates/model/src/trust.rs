//! How far an answer can be trusted: temperature, test-time augmentation, and a score for images of another kind.

use crate::answer::class_probabilities;
use crate::arch::{Pass, Tensors};
use crate::card::Task;
use crate::image::{GreyImage, resize};
use crate::prepare::{Picture, prepare};
use crate::run::RunCx;
use crate::{Error, Model, Result};
use candle_core::{Device, Tensor};

/// The temperature that logits are divided by so that their softmax fits the truth best (Guo et al. 2017): the least mean
/// negative log-likelihood between 0.05 and 20, by golden-section search on its logarithm.
///
/// # Shapes
/// Pairs of `[classes]` and the number of the true class.
#[must_use]
pub fn temperature(said: &[(&[f32], usize)]) -> f64 {
    let loss = |log_t: f64| -> f64 {
        let t = log_t.exp();
        said.iter()
            .map(|(logits, truth)| {
                let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = logits.iter().map(|z| (f64::from(z - top) / t).exp()).sum();
                sum.ln() - f64::from(logits.get(*truth).copied().unwrap_or(top) - top) / t
            })
            .sum()
    };
    if said.is_empty() {
        return 1.0;
    }
    least(loss)
}

/// The same for single probabilities whose truth is a share: the least mean cross-entropy of `sigmoid(logit / T)`.
///
/// Pairs of logit and share (0 to 1).
#[must_use]
pub fn temperature_of_shares(said: &[(f32, f32)]) -> f64 {
    if said.is_empty() {
        return 1.0;
    }
    least(|log_t| {
        let t = log_t.exp();
        said.iter()
            .map(|(z, share)| {
                let z = f64::from(*z) / t;
                z.max(0.0) - z * f64::from(*share) + (-z.abs()).exp().ln_1p()
            })
            .sum()
    })
}

/// The temperature between 0.05 and 20 whose logarithm makes a loss least, by golden section.
fn least(loss: impl Fn(f64) -> f64) -> f64 {
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (0.05f64.ln(), 20f64.ln());
    for _ in 0..40 {
        let (c, d) = (b - golden * (b - a), a + golden * (b - a));
        if loss(c) < loss(d) { b = d } else { a = c }
    }
    ((a + b) / 2.0).exp()
}

/// What the features of the training images are like: a mean for each class and one deviation for all (Lee et al. 2018,
/// with a diagonal covariance).
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureGate {
    means: Vec<Vec<f32>>,
    deviation: Vec<f32>,
}

impl FeatureGate {
    /// From one row of features an image, with the number of its class (0 for all where there are none).
    #[must_use]
    pub fn fit(rows: &[(Vec<f32>, usize)]) -> Self {
        let k = rows.first().map_or(0, |r| r.0.len());
        let classes = rows.iter().map(|r| r.1 + 1).max().unwrap_or(0);
        let mut means = vec![vec![0f32; k]; classes];
        for (class, mean) in means.iter_mut().enumerate() {
            let own = || rows.iter().filter(|r| r.1 == class);
            let n = own().count().max(1) as f32;
            own().for_each(|r| mean.iter_mut().zip(&r.0).for_each(|(m, v)| *m += v / n));
        }
        let n = rows.len().max(1) as f32;
        let mut deviation = vec![0f32; k];
        for (row, class) in rows {
            let mean = &means[*class];
            deviation.iter_mut().zip(row).zip(mean).for_each(|((d, v), m)| *d += (v - m).powi(2) / n);
        }
        let largest = deviation.iter().copied().fold(0.0, f32::max).sqrt();
        // A feature that never moved says nothing about an image where it does: it is not let weigh everything.
        deviation.iter_mut().for_each(|d| *d = d.sqrt().max(0.05 * largest).max(1e-6));
        Self { means, deviation }
    }

    /// Root mean square of the features' distances from the nearest mean, in deviations.
    #[must_use]
    pub fn distance(&self, row: &[f32]) -> f64 {
        let from = |mean: &Vec<f32>| {
            let each = row.iter().zip(mean).zip(&self.deviation).map(|((v, m), d)| f64::from((v - m) / d).powi(2));
            (each.sum::<f64>() / self.deviation.len().max(1) as f64).sqrt()
        };
        self.means.iter().map(from).fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn tensors(&self) -> Result<Tensors> {
        // One axis each, so that they keep their precision.
        let means: Vec<f32> = self.means.concat();
        Ok(Tensors::from([
            ("gate.mean".into(), Tensor::from_slice(&means, means.len(), &Device::Cpu)?),
            ("gate.deviation".into(), Tensor::from_slice(&self.deviation, self.deviation.len(), &Device::Cpu)?),
        ]))
    }

    fn of_tensors(tensors: &Tensors) -> Result<Option<Self>> {
        let (Some(means), Some(deviation)) = (tensors.get("gate.mean"), tensors.get("gate.deviation")) else {
            return Ok(None);
        };
        let deviation: Vec<f32> = deviation.flatten_all()?.to_vec1()?;
        let means: Vec<f32> = means.flatten_all()?.to_vec1()?;
        Ok(Some(Self { means: means.chunks_exact(deviation.len().max(1)).map(<[f32]>::to_vec).collect(), deviation }))
    }
}

/// A mean over variations and how far they spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Mean probability.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

/// How many variations of an image a spread is taken over.
pub const VARIATION_COUNT: usize = VARIATIONS.len();

/// Variations of an image that change no diagnosis: moved by 3 % of the side to each side, and two other grey curves.
const VARIATIONS: [([f64; 2], f32); 7] = [
    ([0.0, 0.0], 1.0),
    ([0.03, 0.0], 1.0),
    ([-0.03, 0.0], 1.0),
    ([0.0, 0.03], 1.0),
    ([0.0, -0.03], 1.0),
    ([0.0, 0.0], 0.85),
    ([0.0, 0.0], 1.18),
];

/// A plane moved by whole pixels, the border repeated, and with another grey curve between its smallest and largest value.
fn vary(plane: &[f32], columns: usize, [dx, dy]: [i64; 2], gamma: f32) -> Vec<f32> {
    let rows = plane.len() / columns.max(1);
    let (low, high) = plane.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let span = (high - low).max(1e-12);
    (0..plane.len())
        .map(|i| {
            let x = ((i % columns) as i64 - dx).clamp(0, columns as i64 - 1) as usize;
            let y = ((i / columns) as i64 - dy).clamp(0, rows as i64 - 1) as usize;
            let v = plane[y * columns + x];
            if gamma == 1.0 { v } else { low + span * ((v - low) / span).powf(gamma) }
        })
        .collect()
}

impl Model {
    /// The network's last features, averaged over the image; `None` where it offers none.
    ///
    /// # Errors
    /// [`Error::Image`] where the model does not take the image; [`Error::Cancelled`].
    pub fn pooled_features(&self, picture: &Picture, cx: &RunCx<'_>) -> Result<Option<Vec<f32>>> {
        let x = prepare(picture, self.card())?.x;
        let mut pass = Pass::keeping(*cx, &["features"]);
        self.network().run(&x, &mut pass)?;
        match pass.kept().get("features") {
            Some(t) => Ok(Some(t.get(0)?.flatten_from(1)?.mean(1)?.to_vec1()?)),
            None => Ok(None),
        }
    }

    /// How unlike the training images an image is, on the scale of the card's gate; `None` where the model has no gate.
    ///
    /// # Errors
    /// As [`Model::pooled_features`].
    pub fn ood_score(&self, picture: &Picture, cx: &RunCx<'_>) -> Result<Option<f64>> {
        if self.card().task == Task::Reconstruction {
            return self.reconstruction_error(picture, cx).map(Some);
        }
        let Some(gate) = FeatureGate::of_tensors(self.extras())? else { return Ok(None) };
        Ok(self.pooled_features(picture, cx)?.map(|row| gate.distance(&row)))
    }

    /// Probabilities of the classes over variations of the image.
    ///
    /// # Errors
    /// As [`Model::class_logits`].
    pub fn class_spread(&self, picture: &Picture, cx: &RunCx<'_>) -> Result<Vec<Spread>> {
        let mut all: Vec<Vec<f32>> = Vec::with_capacity(VARIATIONS.len());
        let told = cx;
        let cx = &RunCx { cancelled: told.cancelled, progress: &|_, _| {} };
        for (n, (shift, gamma)) in VARIATIONS.into_iter().enumerate() {
            cx.check()?;
            tell(told, n);
            let by = [(shift[0] * picture.columns as f64) as i64, (shift[1] * picture.rows as f64) as i64];
            let planes = picture.planes.iter().map(|p| vary(p, picture.columns, by, gamma)).collect();
            let varied = Picture { planes, ..picture.clone() };
            all.push(class_probabilities(self.card(), &self.class_logits(&varied, cx)?));
        }
        let labels = all.first().map_or(0, Vec::len);
        Ok((0..labels).map(|l| spread(all.iter().map(|p| f64::from(p[l])))).collect())
    }

    /// The deviation of the first label's probability over variations of the image, pixel by pixel, and of its area (as a
    /// share of the image).
    ///
    /// # Errors
    /// As [`Model::segment`].
    pub fn mask_spread(&self, image: &GreyImage, cx: &RunCx<'_>) -> Result<(Vec<f32>, Spread)> {
        if !self.segments_plainly() {
            let reason = format!("'{}' is no model of masks on single images", self.card().id);
            return Err(Error::Image { reason });
        }
        image.check()?;
        let (w, h) = (self.card().input.columns, self.card().input.rows);
        let count = VARIATIONS.len() as f32;
        let (mut sum, mut squares) = (vec![0f32; w * h], vec![0f32; w * h]);
        let mut areas = Vec::with_capacity(VARIATIONS.len());
        let small = resize(&image.values, image.columns, image.rows, w, h);
        let threshold = self.card().labels.first().map_or(0.5, |l| l.threshold);
        let told = cx;
        let cx = &RunCx { cancelled: told.cancelled, progress: &|_, _| {} };
        for (n, (shift, gamma)) in VARIATIONS.into_iter().enumerate() {
            cx.check()?;
            tell(told, n);
            let by = [(shift[0] * w as f64) as i64, (shift[1] * h as f64) as i64];
            let varied = GreyImage { columns: w, rows: h, values: vary(&small, w, by, gamma), spacing_mm: None };
            let x = crate::evaluate::prepare(&varied, &self.card().input)?;
            let plane = self.probabilities(&x, cx)?.into_iter().next().unwrap_or_default();
            // Back to where the image is.
            let plane = vary(&plane, w, [-by[0], -by[1]], 1.0);
            areas.push(plane.iter().filter(|p| **p >= threshold).count() as f64 / plane.len().max(1) as f64);
            for ((s, q), p) in sum.iter_mut().zip(&mut squares).zip(&plane) {
                *s += p / count;
                *q += p * p / count;
            }
        }
        let deviation: Vec<f32> = sum.iter().zip(&squares).map(|(m, q)| (q - m * m).max(0.0).sqrt()).collect();
        Ok((resize(&deviation, w, h, image.columns, image.rows), spread(areas.into_iter())))
    }
}

/// Says which variation is looked at.
fn tell(cx: &RunCx<'_>, n: usize) {
    let all = VARIATIONS.len();
    (cx.progress)(n as f32 / all as f32, &format!("Variation {} of {all}", n + 1));
}

fn spread(values: impl Iterator<Item = f64>) -> Spread {
    let all: Vec<f64> = values.collect();
    let n = all.len().max(1) as f64;
    let mean = all.iter().sum::<f64>() / n;
    Spread { mean, deviation: (all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ece, reliability};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    // Truth drawn from a softmax; the logits told are three times too large. Dividing by 3 makes them honest.
    #[test]
    fn temperature_finds_the_factor_and_lowers_the_error() {
        let mut random = StdRng::seed_from_u64(4);
        let said: Vec<(Vec<f32>, usize)> = (0..4000)
            .map(|_| {
                let honest: Vec<f32> = (0..3).map(|_| random.random_range(-2.0..2.0f32)).collect();
                let p = crate::arch::detect::boxes::softmax(&honest);
                let mut place = random.random::<f32>();
                let truth = p.iter().position(|p| {
                    place -= p;
                    place < 0.0
                });
                (honest.iter().map(|z| 3.0 * z).collect(), truth.unwrap_or(2))
            })
            .collect();
        let views: Vec<(&[f32], usize)> = said.iter().map(|(z, t)| (z.as_slice(), *t)).collect();
        let t = temperature(&views);
        assert!((t - 3.0).abs() < 0.25, "{t}");
        let error = |t: f64| {
            ece(&reliability(said.iter().map(|(z, truth)| {
                let p = crate::arch::detect::boxes::softmax(&z.iter().map(|z| z / t as f32).collect::<Vec<_>>());
                let best = (0..3).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap();
                (f64::from(p[best]), f64::from(u8::from(best == *truth)))
            })))
        };
        assert!(error(t) < 0.03 && error(1.0) > 0.1, "{} and {}", error(t), error(1.0));
    }

    #[test]
    fn shares_are_met_by_the_right_temperature() {
        let logits: Vec<f32> = (0..200).map(|i| i as f32 / 20.0 - 5.0).collect();
        let said: Vec<(f32, f32)> = logits.iter().map(|z| (2.5 * z, 1.0 / (1.0 + (-z).exp()))).collect();
        assert!((temperature_of_shares(&said) - 2.5).abs() < 0.01);
    }

    #[test]
    fn the_gate_tells_another_kind() {
        let row =
            |shift: f32, i: usize| -> Vec<f32> { (0..8).map(|k| ((i * 7 + k * 3) % 11) as f32 + shift).collect() };
        // Two classes, 60 apart.
        let rows: Vec<(Vec<f32>, usize)> = (0..50).map(|i| (row(60.0 * (i % 2) as f32, i), i % 2)).collect();
        let gate = FeatureGate::fit(&rows);
        assert!(gate.distance(&row(0.0, 99)) < 2.0 && gate.distance(&row(60.0, 99)) < 2.0);
        // Between them is none of them.
        assert!(gate.distance(&row(30.0, 99)) > 5.0);
        let back = FeatureGate::of_tensors(&gate.tensors().unwrap()).unwrap().unwrap();
        assert_eq!(back, gate);
    }
}
