//! Lengths, angles and ellipses, and the statistics under them.

use glam::DVec3;
use serde::{Deserialize, Serialize};

/// How the millimetres of an image are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Calibration {
    /// Calibrated in the patient: CT, MR, or a projection with a stated calibration.
    Patient,
    /// At the detector of a projection: larger than in the patient.
    Detector,
    /// Entered by the user.
    User,
    /// Not known: lengths are in pixels.
    #[default]
    None,
}

impl Calibration {
    /// What stands beside a number, e.g. `at the detector`; empty where nothing has to be said.
    #[must_use]
    pub fn note(self) -> &'static str {
        match self {
            Self::Patient => "",
            Self::Detector => "at the detector",
            Self::User => "by the user's calibration",
            Self::None => "not calibrated",
        }
    }

    /// The unit of lengths.
    #[must_use]
    pub fn unit(self) -> &'static str {
        if self == Self::None { "px" } else { "mm" }
    }
}

/// Angle in degrees at `vertex` between the arms to `a` and `b`; `None` where an arm has no length.
#[must_use]
pub fn angle_deg(a: DVec3, vertex: DVec3, b: DVec3) -> Option<f64> {
    let (u, v) = (a - vertex, b - vertex);
    // atan2 keeps its precision near 0° and 180°, where the cosine does not.
    (u.length() > 0.0 && v.length() > 0.0).then(|| u.cross(v).length().atan2(u.dot(v)).to_degrees())
}

/// Statistics of the values in a region.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegionStats {
    /// Pixels counted.
    pub pixels: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation of the pixels (division by n).
    pub sd: f64,
    /// Least.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// Statistics of some values; NaN is left out. `None` when nothing is left.
#[must_use]
pub fn stats(values: impl IntoIterator<Item = f32>) -> Option<RegionStats> {
    // Welford's update: exact enough for large offsets such as CT numbers.
    let (mut n, mut mean, mut m2) = (0usize, 0.0f64, 0.0f64);
    let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
    for v in values {
        let v = f64::from(v);
        if v.is_nan() {
            continue;
        }
        n += 1;
        let d = v - mean;
        mean += d / n as f64;
        m2 += d * (v - mean);
        min = min.min(v);
        max = max.max(v);
    }
    (n > 0).then(|| RegionStats { pixels: n, mean, sd: (m2 / n as f64).sqrt(), min, max })
}

/// The pixels (x, y) of a `width` × `height` plane whose centre lies in the ellipse that fills the box between two corners
/// (in pixels). Empty when the box has no extent.
#[must_use]
pub fn ellipse_pixels(corner: [f64; 2], opposite: [f64; 2], width: usize, height: usize) -> Vec<(usize, usize)> {
    let centre = [(corner[0] + opposite[0]) / 2.0, (corner[1] + opposite[1]) / 2.0];
    let half = [(corner[0] - opposite[0]).abs() / 2.0, (corner[1] - opposite[1]).abs() / 2.0];
    if !(half[0] > 0.0 && half[1] > 0.0 && half[0].is_finite() && half[1].is_finite()) {
        return Vec::new();
    }
    let range = |a: usize, n: usize| {
        let low = (centre[a] - half[a]).ceil().max(0.0) as usize;
        let high = (centre[a] + half[a]).floor().min(n as f64 - 1.0);
        if high < 0.0 { low..low } else { low..high as usize + 1 }
    };
    let mut out = Vec::new();
    for y in range(1, height) {
        for x in range(0, width) {
            let (dx, dy) = ((x as f64 - centre[0]) / half[0], (y as f64 - centre[1]) / half[1]);
            if dx * dx + dy * dy <= 1.0 {
                out.push((x, y));
            }
        }
    }
    out
}

/// Area of that ellipse, π a b, in the square of the unit of `pixel`: size of a pixel across and down.
#[must_use]
pub fn ellipse_area(corner: [f64; 2], opposite: [f64; 2], pixel: [f64; 2]) -> f64 {
    let a = (corner[0] - opposite[0]).abs() / 2.0 * pixel[0];
    let b = (corner[1] - opposite[1]).abs() / 2.0 * pixel[1];
    std::f64::consts::PI * a * b
}

/// Dice overlap of two masks given as `bool`s; 1 when both are empty. `None` when they differ in size.
#[must_use]
pub fn dice(a: &[bool], b: &[bool]) -> Option<f64> {
    if a.len() != b.len() {
        return None;
    }
    let both = a.iter().zip(b).filter(|(x, y)| **x && **y).count();
    let sum = a.iter().filter(|x| **x).count() + b.iter().filter(|x| **x).count();
    Some(if sum == 0 { 1.0 } else { 2.0 * both as f64 / sum as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles() {
        let a = angle_deg(DVec3::X, DVec3::ZERO, DVec3::Y).expect("arms");
        assert!((a - 90.0).abs() < 1e-12);
        let tiny = angle_deg(DVec3::X, DVec3::ZERO, DVec3::new(1.0, 1e-9, 0.0)).expect("arms");
        assert!((tiny.to_radians() - 1e-9).abs() < 1e-15);
        assert_eq!(angle_deg(DVec3::ZERO, DVec3::ZERO, DVec3::Y), None);
    }

    #[test]
    fn statistics_do_not_lose_precision_to_an_offset() {
        let s = stats([1e6, 1e6 + 1.0, 1e6 + 2.0, f32::NAN]).expect("values");
        assert_eq!((s.pixels, s.mean, s.min, s.max), (3, 1_000_001.0, 1e6, 1_000_002.0));
        assert!((s.sd - (2.0_f64 / 3.0).sqrt()).abs() < 1e-9);
        assert_eq!(stats([f32::NAN]), None);
    }

    #[test]
    fn ellipse_counts_centres_inside() {
        assert_eq!(ellipse_pixels([0.0, 0.0], [6.0, 6.0], 10, 10).len(), 29);
        assert_eq!(ellipse_pixels([6.0, 6.0], [0.0, 0.0], 10, 10).len(), 29);
        assert!(ellipse_pixels([-30.0, -30.0], [-20.0, -20.0], 10, 10).is_empty());
        assert!(ellipse_pixels([1.0, 1.0], [1.0, 5.0], 10, 10).is_empty());
        assert!((ellipse_area([0.0, 0.0], [4.0, 2.0], [0.5, 2.0]) - std::f64::consts::PI * 2.0).abs() < 1e-12);
    }

    #[test]
    fn dice_of_halves() {
        assert_eq!(dice(&[true, true, false, false], &[true, false, true, false]), Some(0.5));
        assert_eq!(dice(&[false], &[false]), Some(1.0));
        assert_eq!(dice(&[false], &[]), None);
    }
}
