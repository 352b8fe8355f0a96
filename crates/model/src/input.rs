//! The way from an image to a network's input, as data in a card.

use crate::arch::Takes;
use serde::{Deserialize, Serialize};

/// The way from an image to the network's input: size, then intensity, then channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Rows of the network's input.
    pub rows: usize,
    /// Columns of the network's input.
    pub columns: usize,
    /// Slices of the network's input, for volumes.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub slices: usize,
    /// How an image of another size gets there.
    pub resize: Resize,
    /// Whether shrinking averages what falls together, as torchvision's `antialias=True` does.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub antialias: bool,
    /// Shorter side in pixels, for `shorter-side` (before the crop) and `detector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorter_px: Option<usize>,
    /// Longer side in pixels that `detector` does not exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longer_px: Option<usize>,
    /// What lies around a letterboxed image, in the intensity's own range.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pad: f32,
    /// Fraction of the pixels (0 to 1) below the value that becomes 0, for `standardise` and `percentile`.
    #[serde(default, skip_serializing_if = "is_zero_f64")]
    pub clip_low: f64,
    /// Fraction of the pixels (0 to 1) below the value that becomes 1.
    #[serde(default = "one_f64", skip_serializing_if = "is_one_f64")]
    pub clip_high: f64,
    /// How the image's values get to the network's range.
    #[serde(default, skip_serializing_if = "is_standardise")]
    pub intensity: Intensity,
    /// Subtracted from each channel after the intensity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mean: Vec<f32>,
    /// Each channel is divided by it then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub std: Vec<f32>,
    /// How the channels lie.
    #[serde(default, skip_serializing_if = "is_grey")]
    pub channels: Channels,
    /// mm that a volume is resampled to: between slices, rows, columns of the network's axes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing_mm: Option<[f64; 3]>,
    /// Where a volume's axes run to: of `L R P A I S` for index 0, 1 and 2 of the network's input (`LIA`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orientation: Option<String>,
    /// Part (0 to below 1) of a window that the next one covers again, where a volume is larger than the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_overlap: Option<f64>,
    /// Whether the reader clicks: the input is a window of rows x columns image pixels round the click, and a second
    /// channel tells where it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub click: bool,
}

fn one() -> usize {
    1
}
fn is_one(n: &usize) -> bool {
    *n == 1
}
fn yes() -> bool {
    true
}
fn is_yes(b: &bool) -> bool {
    *b
}
fn is_zero(v: &f32) -> bool {
    *v == 0.0
}
fn is_zero_f64(v: &f64) -> bool {
    *v == 0.0
}
fn one_f64() -> f64 {
    1.0
}
fn is_one_f64(v: &f64) -> bool {
    *v == 1.0
}
fn is_standardise(i: &Intensity) -> bool {
    *i == Intensity::Standardise
}
fn is_grey(c: &Channels) -> bool {
    *c == Channels::Rgb
}

impl InputSpec {
    /// That of a model that takes no image: no pixel, which no other model accepts.
    pub(crate) fn absent() -> Self {
        Self { rows: 0, columns: 0, ..Self::default() }
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.rows == 0 && self.columns == 0
    }
}

impl Default for InputSpec {
    fn default() -> Self {
        Self { clip_low: 0.005, clip_high: 0.995, ..Self::of(128, 128, Resize::Squeeze, Intensity::Standardise) }
    }
}

/// How an image of another size gets to the input grid. Values in between are linear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Resize {
    /// To rows x columns, the aspect ratio is not kept.
    Squeeze,
    /// The shorter side to `shorter_px`, then the middle rows x columns (torchvision's classifiers).
    ShorterSide,
    /// The middle square of the image, then to rows x columns (TorchXRayVision).
    CentreSquare,
    /// The aspect ratio is kept; `pad` around the image (Darknet).
    Letterbox,
    /// The same with the image in the upper left corner (YOLOX).
    LetterboxTopLeft,
    /// The shorter side to `shorter_px`, but the longer not above `longer_px` (torchvision's detectors).
    Detector,
    /// The image as it is.
    Keep,
}

/// How an image's values get to the network's range.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Intensity {
    /// Clipped at `clip_low` and `clip_high`, then (x - mean) / deviation of the image.
    #[default]
    Standardise,
    /// Clipped at the fractions `clip_low` and `clip_high` of the pixels, these to 0 and 1.
    Percentile,
    /// Modality values (HU after rescale) `low` and `high` to `to_low` and `to_high`.
    Range {
        /// Modality value that becomes `to_low`.
        low: f32,
        /// Modality value that becomes `to_high`.
        high: f32,
        /// Network value of `low`.
        to_low: f32,
        /// Network value of `high`.
        to_high: f32,
        /// Whether values beyond are clipped.
        #[serde(default = "yes")]
        clip: bool,
    },
    /// The whole range that the stored bits allow to `to_low` and `to_high` (TorchXRayVision: -1024 and 1024).
    StoredRange {
        /// Network value of the smallest stored one.
        to_low: f32,
        /// Network value of the largest stored one.
        to_high: f32,
    },
    /// What the file's own window shows from black to white to `to_low` and `to_high`.
    Window {
        /// Network value of black.
        to_low: f32,
        /// Network value of white.
        to_high: f32,
    },
    /// The image's own smallest and largest value to `to_low` and `to_high`.
    MinMax {
        /// Network value of the smallest.
        to_low: f32,
        /// Network value of the largest.
        to_high: f32,
    },
    /// (x - mean) / deviation of the values that are not 0 (MONAI's `NormalizeIntensity(nonzero=True)`).
    NonzeroStandardise,
}

/// How channels lie. A grey image goes into each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Channels {
    /// Red, green, blue (or one grey).
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl InputSpec {
    /// A specification without clip, mean and deviation.
    #[must_use]
    pub fn of(rows: usize, columns: usize, resize: Resize, intensity: Intensity) -> Self {
        Self {
            rows,
            columns,
            slices: 1,
            resize,
            antialias: true,
            shorter_px: None,
            longer_px: None,
            pad: 0.0,
            clip_low: 0.0,
            clip_high: 1.0,
            intensity,
            mean: Vec::new(),
            std: Vec::new(),
            channels: Channels::Rgb,
            spacing_mm: None,
            orientation: None,
            window_overlap: None,
            click: false,
        }
    }

    /// Whether it says how an image becomes the input of a network that takes `takes`; the reason where not.
    pub(crate) fn check(&self, takes: Takes) -> Result<(), String> {
        let (Takes::Plane(channels) | Takes::Volume(channels)) = takes else {
            return Ok(());
        };
        if !(16..=4096).contains(&self.rows) || !(16..=4096).contains(&self.columns) {
            return Err(format!("input of {} x {} pixels is not between 16 and 4096", self.columns, self.rows));
        }
        if !(0.0 <= self.clip_low && self.clip_low < self.clip_high && self.clip_high <= 1.0) {
            return Err("clip_low and clip_high are not fractions in ascending order".into());
        }
        match takes {
            Takes::Volume(_) if !(16..=1024).contains(&self.slices) => {
                return Err(format!("{} slices of input are not between 16 and 1024", self.slices));
            }
            Takes::Plane(_) if self.slices != 1 => {
                return Err("slices are for networks that take volumes".into());
            }
            _ => {}
        }
        for (name, list) in [("mean", &self.mean), ("std", &self.std)] {
            if !list.is_empty() && list.len() != 1 && list.len() != channels {
                return Err(format!("{} values of {name} for {channels} channels", list.len()));
            }
            if list.iter().any(|v| !v.is_finite()) {
                return Err(format!("{name} holds no number"));
            }
        }
        if self.std.contains(&0.0) {
            return Err("std holds a 0".into());
        }
        let needs = |what: &str, value: Option<usize>| match value {
            Some(n) if (16..=8192).contains(&n) => Ok(()),
            Some(n) => Err(format!("{what} of {n} is not between 16 and 8192")),
            None => Err(format!("this resize needs {what}")),
        };
        match self.resize {
            Resize::ShorterSide => {
                needs("shorter_px", self.shorter_px)?;
                if self.shorter_px.is_some_and(|s| s < self.rows || s < self.columns) {
                    return Err("shorter_px is smaller than the crop of rows x columns".into());
                }
            }
            Resize::Detector => {
                needs("shorter_px", self.shorter_px)?;
                needs("longer_px", self.longer_px)?;
            }
            _ => {}
        }
        match self.intensity {
            Intensity::Range { low, high, to_low, to_high, .. }
                if !(low.is_finite()
                    && high.is_finite()
                    && low < high
                    && to_low.is_finite()
                    && to_high.is_finite()) =>
            {
                return Err("the intensity's low is not below its high".into());
            }
            Intensity::StoredRange { to_low, to_high }
            | Intensity::Window { to_low, to_high }
            | Intensity::MinMax { to_low, to_high }
                if !(to_low.is_finite() && to_high.is_finite()) =>
            {
                return Err("the intensity's range holds no number".into());
            }
            _ => {}
        }
        if let Some(spacing) = self.spacing_mm
            && !spacing.iter().all(|s| (0.05..=50.0).contains(s))
        {
            return Err("spacing_mm is not between 0.05 and 50".into());
        }
        if let Some(axes) = &self.orientation {
            let axis = |c: char| match c {
                'L' | 'R' => Some(0),
                'P' | 'A' => Some(1),
                'I' | 'S' => Some(2),
                _ => None,
            };
            let mut all: Vec<_> = axes.chars().map(axis).collect();
            all.sort_unstable();
            if all != [Some(0), Some(1), Some(2)] {
                return Err(format!("orientation '{axes}' does not name one of L or R, A or P, S or I each"));
            }
        }
        if self.window_overlap.is_some_and(|o| !(0.0..0.95).contains(&o)) {
            return Err("window_overlap is not between 0 and 0.95".into());
        }
        Ok(())
    }
}
