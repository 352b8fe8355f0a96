//! A grey image as a model sees it, and its way to the network's grid and back.

use crate::card::InputSpec;
use crate::{Error, Result};

/// A grey plane image, larger values brighter as displayed for MONOCHROME2.
#[derive(Debug, Clone, PartialEq)]
pub struct GreyImage {
    /// Width in pixels.
    pub columns: usize,
    /// Height in pixels.
    pub rows: usize,
    /// `[rows * columns]`, row-major, any range.
    pub values: Vec<f32>,
    /// mm, `[between rows, between columns]`, where known.
    pub spacing_mm: Option<[f64; 2]>,
}

impl GreyImage {
    /// Checks that the values fill the image and are finite.
    ///
    /// # Errors
    /// [`Error::Image`] otherwise.
    pub fn check(&self) -> Result<()> {
        let fail = |reason: String| Err(Error::Image { reason });
        if self.columns == 0 || self.rows == 0 {
            return fail(format!("it has {} x {} pixels", self.columns, self.rows));
        }
        if self.values.len() != self.columns * self.rows {
            return fail(format!("{} values for {} x {} pixels", self.values.len(), self.columns, self.rows));
        }
        if self.values.iter().any(|v| !v.is_finite()) {
            return fail("it holds values that are not finite".into());
        }
        Ok(())
    }
}

/// The values below which the fractions `low` and `high` (0 to 1) of the pixels lie.
///
/// Large images are sampled (one of every n pixels, at least 2^16 of them), which moves a percentile by less than noise.
pub(crate) fn percentiles(values: &[f32], low: f64, high: f64) -> (f32, f32) {
    let step = (values.len() >> 16).max(1);
    // Another of the n each time: every n-th itself can be one column of the image.
    let mut sample: Vec<f32> =
        values.chunks_exact(step).enumerate().map(|(i, part)| part[scattered(i) % step]).collect();
    if sample.is_empty() {
        return (0.0, 0.0);
    }
    let last = sample.len() - 1;
    let at = |fraction: f64| ((fraction * last as f64).round() as usize).min(last);
    let (_, low, _) = sample.select_nth_unstable_by(at(low), f32::total_cmp);
    let low = *low;
    let (_, high, _) = sample.select_nth_unstable_by(at(high), f32::total_cmp);
    (low, *high)
}

/// A number without any pattern in `i` (Knuth's multiplicative hash).
fn scattered(i: usize) -> usize {
    ((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize
}

/// Image to network values: clip at the card's percentiles, scale to [0, 1], then (x - mean) / deviation of the
/// image itself, so that neither window nor exposure matters.
///
/// # Shapes
/// `values` any length; the result has the same.
pub(crate) fn normalise(values: &mut [f32], spec: &InputSpec) {
    let (low, high) = percentiles(values, spec.clip_low, spec.clip_high);
    let scale = if high > low { 1.0 / (high - low) } else { 0.0 };
    for v in values.iter_mut() {
        *v = ((*v - low) * scale).clamp(0.0, 1.0);
    }
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
    // A constant image stays zero; 1e-3 is far below any radiograph's deviation (about 0.2).
    let scale = 1.0 / variance.sqrt().max(1e-3);
    for v in values.iter_mut() {
        *v = ((f64::from(*v) - mean) * scale) as f32;
    }
}

/// One axis of a resize: for each output sample its first source sample and its weights.
///
/// Pixel centres at `(i + 0.5) * source / target - 0.5`; a triangle filter as wide as the step when it shrinks
/// (so no aliasing) and plain linear interpolation when it grows. Edges repeat the border pixel.
fn taps(source: usize, target: usize) -> Vec<(usize, Vec<f32>)> {
    let step = source as f64 / target as f64;
    let support = step.max(1.0);
    (0..target)
        .map(|i| {
            let centre = (i as f64 + 0.5) * step - 0.5;
            let first = (centre - support).ceil().max(0.0) as usize;
            let last = ((centre + support).floor().max(0.0) as usize).min(source - 1);
            let mut weights: Vec<f32> =
                (first..=last).map(|s| (1.0 - (s as f64 - centre).abs() / support).max(0.0) as f32).collect();
            let total: f32 = weights.iter().sum();
            if total > 0.0 {
                weights.iter_mut().for_each(|w| *w /= total);
                (first, weights)
            } else {
                ((centre.round().max(0.0) as usize).min(source - 1), vec![1.0])
            }
        })
        .collect()
}

/// Resizes with a triangle filter, columns first, then rows. The aspect ratio is not kept.
///
/// # Shapes
/// - `values`: `[rows * columns]`
/// - result: `[rows_out * columns_out]`
pub(crate) fn resize(values: &[f32], columns: usize, rows: usize, columns_out: usize, rows_out: usize) -> Vec<f32> {
    if (columns, rows) == (columns_out, rows_out) {
        return values.to_vec();
    }
    let across = taps(columns, columns_out);
    let mut narrow = vec![0f32; rows * columns_out];
    for (row, out) in values.chunks_exact(columns).zip(narrow.chunks_exact_mut(columns_out)) {
        for (o, (first, weights)) in out.iter_mut().zip(&across) {
            *o = row[*first..].iter().zip(weights).map(|(v, w)| v * w).sum();
        }
    }
    let mut out = vec![0f32; rows_out * columns_out];
    for (line, (first, weights)) in out.chunks_exact_mut(columns_out).zip(taps(rows, rows_out)) {
        for (k, w) in weights.iter().enumerate() {
            for (o, v) in line.iter_mut().zip(&narrow[(first + k) * columns_out..][..columns_out]) {
                *o += v * w;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resize_keeps_constants_and_ramps() {
        let flat = vec![3.0; 7 * 5];
        assert!(resize(&flat, 7, 5, 13, 2).iter().all(|v| (v - 3.0).abs() < 1e-5));
        // A ramp of columns keeps its slope inside (the edges repeat the border pixel).
        let ramp: Vec<f32> = (0..64).map(|i| (i % 16) as f32).collect();
        let big = resize(&ramp, 16, 4, 32, 4);
        for i in 2..30 {
            assert!((big[i] - ((i as f32 + 0.5) / 2.0 - 0.5)).abs() < 1e-5, "{i}: {}", big[i]);
        }
    }

    #[test]
    fn normalise_ignores_gain_offset_and_outliers() {
        let spec = InputSpec::default();
        let base: Vec<f32> = (0..10_000).map(|i| ((i * 7919) % 1000) as f32).collect();
        let mut a = base.clone();
        let mut b: Vec<f32> = base.iter().map(|v| v * 13.0 - 500.0).collect();
        b[5] = 1e9;
        normalise(&mut a, &spec);
        normalise(&mut b, &spec);
        let worst = a.iter().zip(&b).enumerate().filter(|(i, _)| *i != 5).map(|(_, (x, y))| (x - y).abs());
        assert!(worst.fold(0f32, f32::max) < 0.02);
        let mut constant = vec![4.0; 50];
        normalise(&mut constant, &spec);
        assert!(constant.iter().all(|v| *v == 0.0));
    }

    #[test]
    fn percentiles_of_a_large_image_are_not_those_of_one_column() {
        // 512 columns, of which the first is dark: every 4th, 8th, .. pixel of it alone would see nothing else.
        for n in [512 * 512, 256 * 256 * 64] {
            let values: Vec<f32> = (0..n).map(|i| if i % 256 == 0 { -1.0 } else { (i % 256) as f32 }).collect();
            let (low, high) = percentiles(&values, 0.05, 0.95);
            assert!((low - 12.8).abs() < 2.0 && (high - 243.0).abs() < 2.0, "{low} {high}");
        }
    }

    #[test]
    fn bad_images_are_refused() {
        let image = |columns, rows, values| GreyImage { columns, rows, values, spacing_mm: None };
        assert!(image(2, 2, vec![0.0; 3]).check().is_err());
        assert!(image(0, 2, vec![]).check().is_err());
        assert!(image(1, 1, vec![f32::NAN]).check().is_err());
        assert!(image(1, 1, vec![1.0]).check().is_ok());
    }
}
