//! Plain methods that a sceptic would use, beside which every network here is measured.

use crate::arch::Tensors;
use crate::image::resize;
use crate::post;
use crate::{Error, Result};
use candle_core::{Device, Tensor};

/// Side of the images that features are taken from.
const SIDE: usize = 64;

/// 60 numbers of an image: percentiles, moments, means of a 6 x 6 grid, edges, and co-occurrence at two distances.
///
/// # Shapes
/// `values`: `[rows * columns]`, any range.
#[must_use]
pub fn features(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns.max(1);
    let mut v = resize(values, columns, rows, SIDE, SIDE);
    let mut sorted = v.clone();
    sorted.sort_by(f32::total_cmp);
    let at = |f: f32| sorted[((sorted.len() - 1) as f32 * f) as usize];
    let (low, high) = (at(0.005), at(0.995));
    let raw = [at(0.5) / 255.0, (high - low) / 255.0];
    let scale = 1.0 / (high - low).max(1e-6);
    v.iter_mut().for_each(|x| *x = ((*x - low) * scale).clamp(0.0, 1.0));
    let n = v.len() as f32;
    let mut out = raw.to_vec();
    out.extend([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95].map(|f| (at(f) - low) * scale));
    let mean = v.iter().sum::<f32>() / n;
    let deviation = (v.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n).sqrt().max(1e-6);
    let moment = |p: i32| v.iter().map(|x| ((x - mean) / deviation).powi(p)).sum::<f32>() / n;
    out.extend([mean, deviation, moment(3), moment(4)]);
    let cells = 6;
    for cy in 0..cells {
        for cx in 0..cells {
            let (y0, y1) = (cy * SIDE / cells, (cy + 1) * SIDE / cells);
            let (x0, x1) = (cx * SIDE / cells, (cx + 1) * SIDE / cells);
            let sum: f32 = (y0..y1).map(|y| v[y * SIDE + x0..y * SIDE + x1].iter().sum::<f32>()).sum();
            out.push(sum / ((y1 - y0) * (x1 - x0)) as f32);
        }
    }
    // Co-occurrence of 8 grey levels (Haralick 1973): contrast, homogeneity, energy, correlation.
    for step in [1, 4] {
        let mut table = [[0f32; 8]; 8];
        let level = |x: f32| ((x * 8.0) as usize).min(7);
        for y in 0..SIDE - step {
            for x in 0..SIDE - step {
                let here = level(v[y * SIDE + x]);
                for there in [v[y * SIDE + x + step], v[(y + step) * SIDE + x]] {
                    table[here][level(there)] += 1.0;
                }
            }
        }
        let total: f32 = table.iter().flatten().sum();
        let (mut contrast, mut same, mut energy) = (0.0, 0.0, 0.0);
        for (i, line) in table.iter().enumerate() {
            for (j, count) in line.iter().enumerate() {
                let (p, d) = (count / total, i as f32 - j as f32);
                contrast += p * d * d;
                same += p / (1.0 + d.abs());
                energy += p * p;
            }
        }
        out.extend([contrast, same, energy]);
    }
    let mut edges: Vec<f32> = Vec::with_capacity(v.len());
    for y in 1..SIDE - 1 {
        for x in 1..SIDE - 1 {
            let i = y * SIDE + x;
            edges.push(((v[i + 1] - v[i - 1]).powi(2) + (v[i + SIDE] - v[i - SIDE]).powi(2)).sqrt());
        }
    }
    edges.sort_by(f32::total_cmp);
    let edge = |f: f32| edges[((edges.len() - 1) as f32 * f) as usize];
    out.extend([edges.iter().sum::<f32>() / edges.len() as f32, edge(0.25), edge(0.5), edge(0.75), edge(0.95)]);
    out
}

/// Multinomial logistic regression with a small ridge.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    classes: usize,
    mean: Vec<f32>,
    deviation: Vec<f32>,
    /// `[classes * (features + 1)]`, the last of each row the bias.
    weights: Vec<f32>,
}

impl Logistic {
    /// Fits by full gradient descent with momentum on standardised features, deterministic.
    ///
    /// # Panics
    /// Never; rows of other lengths than the first are cut or filled with 0.
    #[must_use]
    pub fn fit(rows: &[Vec<f32>], truth: &[usize], classes: usize) -> Self {
        let k = rows.first().map_or(0, Vec::len);
        let n = rows.len().max(1) as f32;
        let get = |row: &Vec<f32>, f: usize| row.get(f).copied().unwrap_or(0.0);
        let mean: Vec<f32> = (0..k).map(|f| rows.iter().map(|r| get(r, f)).sum::<f32>() / n).collect();
        let deviation: Vec<f32> = (0..k)
            .map(|f| (rows.iter().map(|r| (get(r, f) - mean[f]).powi(2)).sum::<f32>() / n).sqrt().max(1e-6))
            .collect();
        let mut new = Self { classes, mean, deviation, weights: vec![0.0; classes * (k + 1)] };
        let inputs: Vec<Vec<f32>> = rows.iter().map(|r| new.standard(r)).collect();
        let mut speed = vec![0f32; new.weights.len()];
        for _ in 0..600 {
            let mut gradient = vec![0f32; new.weights.len()];
            for (x, t) in inputs.iter().zip(truth) {
                for (c, p) in new.of_standard(x).into_iter().enumerate() {
                    let error = (p - f32::from(u8::from(c == *t))) / n;
                    let line = &mut gradient[c * (k + 1)..][..k + 1];
                    line.iter_mut().zip(x).for_each(|(g, x)| *g += error * x);
                    line[k] += error;
                }
            }
            for ((w, g), s) in new.weights.iter_mut().zip(&gradient).zip(&mut speed) {
                *s = 0.9 * *s - 0.3 * (g + 1e-4 * *w);
                *w += *s;
            }
        }
        new
    }

    fn standard(&self, row: &[f32]) -> Vec<f32> {
        row.iter().zip(&self.mean).zip(&self.deviation).map(|((v, m), d)| ((v - m) / d).clamp(-8.0, 8.0)).collect()
    }

    fn of_standard(&self, x: &[f32]) -> Vec<f32> {
        let k = self.mean.len();
        let logits: Vec<f32> = (0..self.classes)
            .map(|c| {
                let line = &self.weights[c * (k + 1)..][..k + 1];
                line[k] + line.iter().zip(x).map(|(w, x)| w * x).sum::<f32>()
            })
            .collect();
        crate::arch::detect::boxes::softmax(&logits)
    }

    /// A probability for each class.
    #[must_use]
    pub fn probabilities(&self, row: &[f32]) -> Vec<f32> {
        self.of_standard(&self.standard(row))
    }

    /// As tensors beside a network's weights.
    pub(crate) fn tensors(&self) -> Result<Tensors> {
        let (k, cpu) = (self.mean.len(), &Device::Cpu);
        Ok(Tensors::from([
            ("baseline.mean".into(), Tensor::from_slice(&self.mean, k, cpu)?),
            ("baseline.deviation".into(), Tensor::from_slice(&self.deviation, k, cpu)?),
            // One axis, so that it keeps its precision.
            ("baseline.weights".into(), Tensor::from_slice(&self.weights, self.weights.len(), cpu)?),
        ]))
    }

    pub(crate) fn of_tensors(id: &str, tensors: &Tensors) -> Result<Self> {
        let get = |name: &str| -> Result<Vec<f32>> {
            let absent =
                || Error::Card { id: id.into(), reason: format!("its weights lack '{name}' of its plain method") };
            Ok(tensors.get(name).ok_or_else(absent)?.flatten_all()?.to_vec1()?)
        };
        let (mean, deviation, weights) = (get("baseline.mean")?, get("baseline.deviation")?, get("baseline.weights")?);
        if mean.len() != deviation.len() || !weights.len().is_multiple_of(mean.len() + 1) {
            return Err(Error::Card {
                id: id.into(),
                reason: "the tensors of its plain method do not fit together".into(),
            });
        }
        Ok(Self { classes: weights.len() / (mean.len() + 1), mean, deviation, weights })
    }
}

/// Principal components of images.
#[derive(Debug, Clone, PartialEq)]
pub struct Components {
    /// `[pixels]`.
    pub mean: Vec<f32>,
    /// `[components][pixels]`, orthonormal.
    pub axes: Vec<Vec<f32>>,
}

impl Components {
    /// The `count` directions of the largest variance, by subspace iteration (20 rounds).
    #[must_use]
    pub fn fit(rows: &[Vec<f32>], count: usize) -> Self {
        use rayon::prelude::*;
        let n = rows.len().max(1) as f32;
        let k = rows.first().map_or(0, Vec::len);
        let mut mean = vec![0f32; k];
        rows.iter().for_each(|r| mean.iter_mut().zip(r).for_each(|(m, v)| *m += v / n));
        let centred: Vec<Vec<f32>> = rows.iter().map(|r| r.iter().zip(&mean).map(|(v, m)| v - m).collect()).collect();
        // Start from the images themselves, every n-th.
        let mut axes: Vec<Vec<f32>> =
            (0..count.min(rows.len())).map(|i| centred[i * rows.len() / count.min(rows.len())].clone()).collect();
        for _ in 0..20 {
            orthonormal(&mut axes);
            axes = axes
                .par_iter()
                .map(|axis| {
                    let mut next = vec![0f32; k];
                    for row in &centred {
                        let along: f32 = row.iter().zip(axis).map(|(a, b)| a * b).sum();
                        next.iter_mut().zip(row).for_each(|(n, r)| *n += along * r);
                    }
                    next
                })
                .collect();
        }
        orthonormal(&mut axes);
        Self { mean, axes }
    }

    /// What of an image lies in the components.
    #[must_use]
    pub fn reconstruct(&self, row: &[f32]) -> Vec<f32> {
        let mut out = self.mean.clone();
        for axis in &self.axes {
            let along: f32 = row.iter().zip(&self.mean).zip(axis).map(|((v, m), a)| (v - m) * a).sum();
            out.iter_mut().zip(axis).for_each(|(o, a)| *o += along * a);
        }
        out
    }

    pub(crate) fn tensors(&self) -> Result<Tensors> {
        let k = self.mean.len();
        let flat: Vec<f32> = self.axes.concat();
        Ok(Tensors::from([
            ("baseline.mean".into(), Tensor::from_slice(&self.mean, k, &Device::Cpu)?),
            ("baseline.axes".into(), Tensor::from_slice(&flat, (self.axes.len(), k), &Device::Cpu)?),
        ]))
    }

    pub(crate) fn of_tensors(id: &str, tensors: &Tensors) -> Result<Self> {
        let absent =
            || Error::Card { id: id.into(), reason: "its weights lack the components of its plain method".into() };
        let mean = tensors.get("baseline.mean").ok_or_else(absent)?.flatten_all()?.to_vec1()?;
        let axes = tensors.get("baseline.axes").ok_or_else(absent)?.to_vec2()?;
        Ok(Self { mean, axes })
    }
}

/// Gram and Schmidt; directions without length are left out.
fn orthonormal(axes: &mut Vec<Vec<f32>>) {
    let mut done: Vec<Vec<f32>> = Vec::with_capacity(axes.len());
    for mut axis in axes.drain(..) {
        // Twice is enough in f32.
        for _ in 0..2 {
            for other in &done {
                let along: f32 = axis.iter().zip(other).map(|(a, b)| a * b).sum();
                axis.iter_mut().zip(other).for_each(|(a, o)| *a -= along * o);
            }
        }
        let length = axis.iter().map(|a| f64::from(*a).powi(2)).sum::<f64>().sqrt() as f32;
        if length > 1e-6 {
            axis.iter_mut().for_each(|a| *a /= length);
            done.push(axis);
        }
    }
    *axes = done;
}

/// Otsu's threshold (1979) of values in 256 steps: the split with the largest variance between the classes.
#[must_use]
pub fn otsu(values: &[f32]) -> f32 {
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    if high <= low {
        return low;
    }
    let step = (high - low) / 255.0;
    let mut histogram = [0f64; 256];
    values.iter().for_each(|v| histogram[(((v - low) / step) as usize).min(255)] += 1.0);
    let total: f64 = histogram.iter().sum();
    let all: f64 = histogram.iter().enumerate().map(|(v, n)| v as f64 * n).sum();
    let (mut below, mut sum_below, mut best, mut most) = (0.0, 0.0, 0, -1.0);
    for (value, count) in histogram.iter().enumerate() {
        below += count;
        sum_below += value as f64 * count;
        let above = total - below;
        if below > 0.0 && above > 0.0 {
            let variance = below * above * (sum_below / below - (all - sum_below) / above).powi(2);
            if variance > most {
                (best, most) = (value, variance);
            }
        }
    }
    low + best as f32 * step
}

/// The bright part (Otsu) that holds the click, holes filled; empty where the click is dark.
///
/// # Shapes
/// `values` and result: `[rows * columns]`
#[must_use]
pub fn otsu_click(values: &[f32], columns: usize, [x, y]: [usize; 2]) -> Vec<bool> {
    let threshold = otsu(values);
    let bright: Vec<bool> = values.iter().map(|v| *v > threshold).collect();
    let (part, _) = post::components(&bright, columns);
    let own = part.get(y * columns + x).copied().unwrap_or(0);
    let mut mask: Vec<bool> = part.iter().map(|p| own != 0 && *p == own).collect();
    post::fill_holes(&mut mask, columns);
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_separates_what_a_line_can() {
        let rows: Vec<Vec<f32>> = (0..60).map(|i| vec![i as f32, (i * 7 % 5) as f32]).collect();
        let truth: Vec<usize> = (0..60).map(|i| i / 20).collect();
        let fit = Logistic::fit(&rows, &truth, 3);
        let best = |r: &Vec<f32>| {
            let p = fit.probabilities(r);
            (0..3).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap()
        };
        let right = rows.iter().zip(&truth).filter(|(r, t)| best(r) == **t).count();
        assert!(right >= 55, "{right} of 60");
        let back = Logistic::of_tensors("x", &fit.tensors().unwrap()).unwrap();
        assert_eq!(back, fit);
    }

    #[test]
    fn components_give_back_what_they_span() {
        let row = |a: f32, b: f32| -> Vec<f32> {
            (0..20).map(|i| a * (i as f32).sin() + b * (i as f32 * 0.3).cos()).collect()
        };
        let rows: Vec<Vec<f32>> = (0..30).map(|i| row((i % 7) as f32, (i % 4) as f32)).collect();
        let fit = Components::fit(&rows, 2);
        let back = fit.reconstruct(&rows[5]);
        assert!(back.iter().zip(&rows[5]).all(|(a, b)| (a - b).abs() < 1e-3));
        let other: Vec<f32> = (0..20).map(|i| if i == 3 { 5.0 } else { 0.0 }).collect();
        assert!(fit.reconstruct(&other).iter().zip(&other).any(|(a, b)| (a - b).abs() > 1.0));
    }

    #[test]
    fn a_click_takes_its_part_only() {
        let mut image = vec![0.1f32; 20 * 20];
        for (x0, y0) in [(3, 3), (12, 12)] {
            for y in y0..y0 + 5 {
                for x in x0..x0 + 5 {
                    image[y * 20 + x] = 0.9;
                }
            }
        }
        image[5 * 20 + 5] = 0.1;
        let mask = otsu_click(&image, 20, [4, 4]);
        assert_eq!(mask.iter().filter(|m| **m).count(), 25);
        assert!(otsu_click(&image, 20, [0, 0]).iter().all(|m| !m));
    }
}
