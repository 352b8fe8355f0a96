//! From values to the screen's grey (PS3.3 C.11.2.1).

use serde::{Deserialize, Serialize};

/// VOI LUT Function (0028,1056).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum VoiFunction {
    /// C.11.2.1.2.1, the default.
    #[default]
    Linear,
    /// C.11.2.1.3.2.
    LinearExact,
    /// C.11.2.1.3.1.
    Sigmoid,
}

/// Window centre, width and function.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Window Center (0028,1050), in the unit of the values.
    pub center: f64,
    /// Window Width (0028,1051); at least 1 for [`VoiFunction::Linear`], above 0 otherwise.
    pub width: f64,
    /// Form of the curve.
    #[serde(default)]
    pub function: VoiFunction,
}

impl Window {
    /// A window with the default function; the width is raised to 1.
    #[must_use]
    pub fn new(width: f64, center: f64) -> Self {
        Self { center, width: if width >= 1.0 { width } else { 1.0 }, function: VoiFunction::Linear }
    }

    /// A window that shows `low` to `high` fully, also for ranges below 1 (parametric maps), where LINEAR is not
    /// defined and LINEAR_EXACT is used.
    #[must_use]
    pub fn from_range(low: f64, high: f64) -> Self {
        let width = high - low;
        if width >= 2.0 {
            // LINEAR maps c - 0.5 - (w - 1) / 2 to black and c - 0.5 + (w - 1) / 2 to white.
            Self { center: (low + high) / 2.0 + 0.5, width: width + 1.0, function: VoiFunction::Linear }
        } else {
            Self { center: (low + high) / 2.0, width: width.max(1e-6), function: VoiFunction::LinearExact }
        }
    }

    /// Position of a value between black (0) and white (1).
    #[must_use]
    pub fn apply(&self, x: f64) -> f64 {
        let (c, w) = (self.center, self.width);
        match self.function {
            // C.11.2.1.2.1: width is at least 1; a width of 1 is a threshold at c - 0.5.
            VoiFunction::Linear => {
                let w = w.max(1.0);
                if x <= c - 0.5 - (w - 1.0) / 2.0 {
                    0.0
                } else if x > c - 0.5 + (w - 1.0) / 2.0 {
                    1.0
                } else {
                    (x - (c - 0.5)) / (w - 1.0) + 0.5
                }
            }
            // C.11.2.1.3.2
            VoiFunction::LinearExact => {
                let w = w.max(f64::MIN_POSITIVE);
                if x <= c - w / 2.0 {
                    0.0
                } else if x > c + w / 2.0 {
                    1.0
                } else {
                    (x - c) / w + 0.5
                }
            }
            // C.11.2.1.3.1
            VoiFunction::Sigmoid => 1.0 / (1.0 + (-4.0 * (x - c) / w.max(f64::MIN_POSITIVE)).exp()),
        }
    }

    /// The 8-bit grey of a value: the standard's formula with an output of 0 to 255, rounded to the nearest. NaN is black.
    #[must_use]
    pub fn grey(&self, x: f64) -> u8 {
        // `as` saturates, and turns NaN into 0.
        (self.apply(x) * 255.0 + 0.5) as u8
    }

    /// The window after a drag of `dx` × `dy` points: right widens, down raises the level (as Weasis and OHIF do), in
    /// steps that suit the width.
    #[must_use]
    pub fn dragged(&self, dx: f64, dy: f64) -> Self {
        let least = if self.function == VoiFunction::Linear { 1.0 } else { 1e-6 };
        let rate = (self.width / 256.0).max(least / 16.0);
        Self { center: self.center + dy * rate, width: (self.width + dx * rate).max(least), function: self.function }
    }
}

/// A named window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    /// Name as shown.
    pub name: &'static str,
    /// Width and centre in HU.
    pub window: Window,
}

const fn preset(name: &'static str, width: f64, center: f64) -> Preset {
    Preset { name, window: Window { center, width, function: VoiFunction::Linear } }
}

/// Presets for CT in the order of their keys 1 to 9; values as compared over five viewers in the viewers' reference.
pub const CT_PRESETS: [Preset; 9] = [
    preset("Lung", 1500.0, -600.0),
    preset("Soft tissue", 400.0, 40.0),
    preset("Mediastinum", 350.0, 50.0),
    preset("Bone", 2000.0, 400.0),
    preset("Brain", 80.0, 40.0),
    preset("Liver", 150.0, 90.0),
    preset("Angio", 600.0, 300.0),
    preset("Subdural", 215.0, 75.0),
    preset("Stroke", 40.0, 40.0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_follows_the_worked_example_of_the_standard() {
        // C.11.2.1.2.1: c = 2048, w = 4096 maps 0 to black and 4095 to white.
        let w = Window::new(4096.0, 2048.0);
        assert_eq!((w.grey(0.0), w.grey(4095.0)), (0, 255));
        assert!((w.apply(2047.5) - 0.5).abs() < 1e-12);
        // A width of 1 is a threshold: x <= c - 0.5 is black.
        let t = Window::new(1.0, 100.0);
        assert_eq!((t.grey(99.5), t.grey(99.51)), (0, 255));
    }

    #[test]
    fn exact_and_sigmoid() {
        let e = Window { center: 0.5, width: 1.0, function: VoiFunction::LinearExact };
        assert_eq!((e.grey(0.0), e.grey(0.5), e.grey(1.0)), (0, 128, 255));
        let s = Window { center: 10.0, width: 4.0, function: VoiFunction::Sigmoid };
        assert!((s.apply(10.0) - 0.5).abs() < 1e-12);
        assert!((s.apply(11.0) - 1.0 / (1.0 + (-1.0_f64).exp())).abs() < 1e-12);
        assert_eq!(s.grey(f64::NAN), 0);
    }

    #[test]
    fn a_range_is_shown_whole() {
        let w = Window::from_range(-1000.0, 1000.0);
        assert_eq!((w.grey(-1000.0), w.grey(1000.0)), (0, 255));
        assert!(w.grey(-990.0) > 0 && w.grey(990.0) < 255);
        let m = Window::from_range(0.1, 0.3);
        assert_eq!((m.grey(0.1), m.grey(0.3)), (0, 255));
    }

    #[test]
    fn a_drag_never_makes_an_empty_window() {
        assert!(Window::new(10.0, 0.0).dragged(-10_000.0, 0.0).width >= 1.0);
    }
}
