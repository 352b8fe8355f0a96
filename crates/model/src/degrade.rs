//! Images made worse on purpose, so that the way back can be learnt and measured against the truth.

use crate::image::resize;
use crate::radon;
use rand::Rng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

/// How an image is made worse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Degrade {
    /// Nothing: the image is to come back as it is (an autoencoder of the normal).
    None,
    /// Halved with a triangle filter, normal noise added, doubled again by cubic interpolation.
    HalfAndNoise {
        /// Deviation of the noise; the image reaches from 0 to 1.
        noise: f32,
    },
    /// A CT slice seen with fewer photons: projected, Poisson noise in the photons, back-projected.
    LowDose {
        /// Photons a ray in air.
        photons: f32,
        /// Pixel size that the attenuation is reckoned with, mm.
        pixel_mm: f32,
        /// Directions over half a turn.
        angles: usize,
    },
    /// Noisy neighbour slices in, the middle one clean out.
    Slab {
        /// How many slices go in; odd.
        slices: usize,
        /// Deviation of the noise on each; the image reaches from 0 to 1.
        noise: f32,
    },
}

impl Degrade {
    pub(crate) fn check(&self) -> Result<(), String> {
        match *self {
            Self::None => Ok(()),
            Self::HalfAndNoise { noise } if (0.0..=1.0).contains(&noise) => Ok(()),
            Self::HalfAndNoise { .. } => Err("noise is between 0 and 1".into()),
            Self::LowDose { photons, pixel_mm, angles } => {
                if !(100.0..=1e8).contains(&photons) || !(0.1..=10.0).contains(&pixel_mm) {
                    return Err("photons are 100 to 1e8, pixel_mm 0.1 to 10".into());
                }
                if (16..=2048).contains(&angles) { Ok(()) } else { Err("angles are 16 to 2048".into()) }
            }
            Self::Slab { slices, noise } => {
                if !(0.0..=1.0).contains(&noise) {
                    return Err("noise is between 0 and 1".into());
                }
                if slices % 2 == 1 && (3..=15).contains(&slices) {
                    Ok(())
                } else {
                    Err("slices are 3, 5, … 15".into())
                }
            }
        }
    }

    /// The worse image on the same grid. For [`Degrade::LowDose`] values are HU, else 0 to 1; [`Degrade::Slab`] adds its
    /// noise only.
    ///
    /// # Shapes
    /// `[rows * columns]` both.
    #[must_use]
    pub fn apply(&self, clean: &[f32], columns: usize, random: &mut StdRng) -> Vec<f32> {
        let rows = clean.len() / columns.max(1);
        let noisy = |values: &mut [f32], deviation: f32, random: &mut StdRng| {
            values.iter_mut().for_each(|v| *v += deviation * normal(random));
        };
        match *self {
            Self::None => clean.to_vec(),
            Self::HalfAndNoise { noise } => {
                let (w, h) = ((columns / 2).max(1), (rows / 2).max(1));
                let mut small = resize(clean, columns, rows, w, h);
                noisy(&mut small, noise, random);
                bicubic(&small, w, h, columns, rows)
            }
            Self::LowDose { photons, pixel_mm, angles } => {
                radon::low_dose(clean, columns, pixel_mm, photons, angles, random)
            }
            Self::Slab { noise, .. } => {
                let mut out = clean.to_vec();
                noisy(&mut out, noise, random);
                out
            }
        }
    }
}

/// A standard normal number (Box and Muller 1958).
pub(crate) fn normal(random: &mut StdRng) -> f32 {
    let radius = (-2.0 * random.random_range(f32::MIN_POSITIVE..1.0f32).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}

/// Cubic interpolation (Keys 1981, a = -0.5), pixel centres at `(i + 0.5) * source / target - 0.5`, edges repeated.
///
/// # Shapes
/// - `values`: `[rows * columns]`
/// - result: `[rows_out * columns_out]`
#[must_use]
pub fn bicubic(values: &[f32], columns: usize, rows: usize, columns_out: usize, rows_out: usize) -> Vec<f32> {
    let weight = |d: f32| {
        let d = d.abs();
        if d <= 1.0 {
            (1.5 * d - 2.5) * d * d + 1.0
        } else if d < 2.0 {
            ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
        } else {
            0.0
        }
    };
    let taps = |source: usize, target: usize| -> Vec<([usize; 4], [f32; 4])> {
        (0..target)
            .map(|i| {
                let at = (i as f32 + 0.5) * source as f32 / target as f32 - 0.5;
                let first = at.floor() as i64 - 1;
                let place = |k: i64| (first + k).clamp(0, source as i64 - 1) as usize;
                let w = [0, 1, 2, 3].map(|k| weight(at - (first + k) as f32));
                ([0, 1, 2, 3].map(place), w)
            })
            .collect()
    };
    if values.is_empty() {
        return vec![0.0; columns_out * rows_out];
    }
    let across = taps(columns, columns_out);
    let mut narrow = vec![0f32; rows * columns_out];
    for (line, out) in values.chunks_exact(columns).zip(narrow.chunks_exact_mut(columns_out)) {
        for (o, (at, w)) in out.iter_mut().zip(&across) {
            *o = (0..4).map(|k| line[at[k]] * w[k]).sum();
        }
    }
    let mut out = vec![0f32; rows_out * columns_out];
    for (line, (at, w)) in out.chunks_exact_mut(columns_out).zip(taps(rows, rows_out)) {
        for k in 0..4 {
            for (o, v) in line.iter_mut().zip(&narrow[at[k] * columns_out..][..columns_out]) {
                *o += v * w[k];
            }
        }
    }
    out
}

/// Non-local means (Buades 2005): 5 x 5 patches, 11 x 11 search, `h` as a multiple of the noise's deviation.
///
/// # Shapes
/// `[rows * columns]` both.
#[must_use]
pub fn non_local_means(values: &[f32], columns: usize, deviation: f32) -> Vec<f32> {
    use rayon::prelude::*;
    let rows = values.len() / columns.max(1);
    let at = |y: i64, x: i64| {
        let (y, x) = (y.clamp(0, rows as i64 - 1) as usize, x.clamp(0, columns as i64 - 1) as usize);
        values[y * columns + x]
    };
    let h2 = (0.8 * deviation).powi(2).max(1e-12);
    let mut out = vec![0f32; values.len()];
    out.par_chunks_mut(columns.max(1)).enumerate().for_each(|(y, line)| {
        for (x, o) in line.iter_mut().enumerate() {
            let (y, x) = (y as i64, x as i64);
            let (mut sum, mut total) = (0.0, 0.0);
            for dy in -5..=5 {
                for dx in -5..=5 {
                    let mut distance = 0.0;
                    for py in -2..=2 {
                        for px in -2..=2 {
                            let d = at(y + py, x + px) - at(y + dy + py, x + dx + px);
                            distance += d * d;
                        }
                    }
                    // Twice the noise's variance is what two equal patches differ by.
                    let w = (-(distance / 25.0 - 2.0 * deviation * deviation).max(0.0) / h2).exp();
                    sum += w * at(y + dy, x + dx);
                    total += w;
                }
            }
            *o = sum / total;
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn cubic_keeps_constants_and_parabolas_inside() {
        assert!(bicubic(&[2.0; 35], 7, 5, 11, 9).iter().all(|v| (v - 2.0).abs() < 1e-5));
        let square: Vec<f32> = (0..16).map(|i| (i as f32).powi(2)).collect();
        let big = bicubic(&square, 16, 1, 32, 1);
        for i in 8..24 {
            let x = (i as f32 + 0.5) / 2.0 - 0.5;
            assert!((big[i] - x * x).abs() < 1e-2, "{i}: {} against {}", big[i], x * x);
        }
    }

    #[test]
    fn noise_has_its_deviation_and_means_take_it_away() {
        let clean = vec![0.5f32; 64 * 64];
        let noisy = Degrade::Slab { slices: 3, noise: 0.1 }.apply(&clean, 64, &mut StdRng::seed_from_u64(1));
        let spread = |v: &[f32]| (v.iter().map(|v| (v - 0.5).powi(2)).sum::<f32>() / v.len() as f32).sqrt();
        assert!((spread(&noisy) - 0.1).abs() < 0.01);
        assert!(spread(&non_local_means(&noisy, 64, 0.1)) < 0.04);
    }
}
