//! A region of an image as a square of its own, as R-CNN's networks take it (Girshick et al. 2014, appendix A).

use super::boxes::Rect;

/// One axis of a crop: for each pixel of the result the samples of the source with their weights, and the weight of
/// what lies beyond the source.
struct Axis(Vec<(usize, Vec<f32>, f32)>);

impl Axis {
    /// `target` pixels over `from` to `from + length` of a source of `size` pixels; a triangle filter as wide as a
    /// step where it shrinks.
    fn new(from: f64, length: f64, target: usize, size: usize) -> Self {
        let step = length / target as f64;
        let support = step.max(1.0);
        let taps = (0..target).map(|i| {
            let centre = from + (i as f64 + 0.5) * step - 0.5;
            let weight = |at: i64| (1.0 - (at as f64 - centre).abs() / support).max(0.0);
            let range = (centre - support).ceil() as i64..=(centre + support).floor() as i64;
            let total: f64 = range.clone().map(weight).sum();
            let (low, high) = ((*range.start()).max(0), (*range.end()).min(size as i64 - 1));
            let inside: Vec<f32> = (low..=high).map(|at| (weight(at) / total) as f32).collect();
            let beyond = 1.0 - inside.iter().sum::<f32>();
            (low.clamp(0, size as i64) as usize, inside, beyond.max(0.0))
        });
        Self(taps.collect())
    }

    /// First source sample that any pixel needs, and the one behind the last.
    fn reach(&self) -> (usize, usize) {
        let used = || self.0.iter().filter(|(_, weights, _)| !weights.is_empty());
        let first = used().map(|(first, ..)| *first).min().unwrap_or(0);
        (first, used().map(|(first, weights, _)| first + weights.len()).max().unwrap_or(first))
    }
}

/// The region with `context` pixels of its surroundings at each edge, warped to `side` x `side`; `beyond` stands where
/// there is no image.
///
/// # Shapes
/// - `plane`: `[rows * columns]`
/// - result: `[side * side]`
#[must_use]
pub fn warp(
    plane: &[f32],
    [columns, rows]: [usize; 2],
    b: &Rect,
    side: usize,
    context: usize,
    beyond: f32,
) -> Vec<f32> {
    let grow = side as f64 / side.saturating_sub(2 * context).max(1) as f64;
    let span = |low: f32, high: f32| {
        let (low, high) = (f64::from(low), f64::from(high));
        let length = (high - low).max(1.0) * grow;
        ((low + high - length) / 2.0, length)
    };
    let ((x, w), (y, h)) = (span(b[0], b[2]), span(b[1], b[3]));
    let (across, down) = (Axis::new(x, w, side, columns), Axis::new(y, h, side, rows));
    let (top, bottom) = down.reach();
    let mut narrow = Vec::with_capacity((bottom - top) * side);
    for line in plane.chunks_exact(columns.max(1)).take(bottom).skip(top) {
        for (first, weights, outside) in &across.0 {
            let sum: f32 = line[*first..].iter().zip(weights).map(|(v, w)| v * w).sum();
            narrow.push(sum + outside * beyond);
        }
    }
    let mut out = Vec::with_capacity(side * side);
    for (first, weights, outside) in &down.0 {
        let at = out.len();
        out.resize(at + side, outside * beyond);
        for (k, w) in weights.iter().enumerate() {
            let line = &narrow[(first + k - top) * side..][..side];
            out[at..].iter_mut().zip(line).for_each(|(o, v)| *o += v * w);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Vec<f32> {
        (0..40 * 30).map(|i| (i % 40) as f32).collect()
    }

    #[test]
    fn a_ramp_stays_a_ramp_with_its_surroundings() {
        // 10 to 20 in 8 pixels with 4 around: 5 to 25 in 16, steps of 1.25.
        let out = warp(&ramp(), [40, 30], &[10.0, 10.0, 20.0, 20.0], 16, 4, 0.0);
        for (i, v) in out[..16].iter().enumerate() {
            let wanted = 5.0 + (i as f32 + 0.5) * 1.25 - 0.5;
            // A triangle between samples is not quite even.
            assert!((v - wanted).abs() < 0.05, "{i}: {v}");
        }
        // Enlarged: half steps.
        let out = warp(&ramp(), [40, 30], &[10.0, 10.0, 14.0, 14.0], 8, 0, 0.0);
        assert!((out[3] - (10.0 + 3.5 * 0.5 - 0.5)).abs() < 1e-5);
    }

    #[test]
    fn beyond_the_image_stands_what_is_given() {
        let flat = vec![2.0; 100];
        let out = warp(&flat, [10, 10], &[-10.0, -10.0, 10.0, 10.0], 20, 0, 7.0);
        assert!((out[0] - 7.0).abs() < 1e-5 && (out[19] - 7.0).abs() < 1e-5);
        assert!((out[399] - 2.0).abs() < 1e-5);
        // Wholly outside, and without area.
        let far = warp(&flat, [10, 10], &[50.0, 50.0, 60.0, 60.0], 16, 2, 7.0);
        assert!(far.iter().all(|v| (v - 7.0).abs() < 1e-4));
        assert_eq!(warp(&flat, [10, 10], &[3.0, 3.0, 3.0, 3.0], 16, 2, 7.0).len(), 256);
        assert!(warp(&flat, [10, 10], &[0.0, 0.0, 10.0, 10.0], 20, 0, 7.0).iter().all(|v| (v - 2.0).abs() < 3.0));
    }
}
