//! What a card says beyond figures, under the headings of RSNA's ATLAS model card: purpose, calibration, operating
//! points, the gate for images of another kind, and what the training cost.

use crate::card::Interval;
use serde::{Deserialize, Serialize};

/// The headings. What was not measured is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Atlas {
    /// Whether the plain method is beaten, in one sentence, with both figures.
    pub verdict: String,
    /// What it is for, and what not.
    pub purpose: String,
    /// How far probabilities can be taken at their word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Thresholds with what they mean, measured on the held-back persons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operating_points: Vec<OperatingPoint>,
    /// The gate for images of another kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What the training cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<Cost>,
}

/// How far probabilities can be taken at their word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Logits are divided by it; chosen on the validation persons.
    pub temperature: f64,
    /// Expected calibration error with it, on the held-back persons.
    pub ece: Interval,
    /// Without it.
    pub ece_before: f64,
    /// By tenth of the confidence: mean confidence, share that was right, number of cases.
    pub reliability: Vec<[f64; 3]>,
}

/// A threshold and what it means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// What it is chosen for.
    pub name: String,
    /// Probability of anything but the first label from which a case counts as positive.
    pub threshold: f64,
    /// Share of the positive cases that it finds.
    pub sensitivity: Interval,
    /// Share of the negative cases that it leaves alone.
    pub specificity: Interval,
}

/// The gate for images of another kind than those trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// How the score is made: `feature-distance` (distance of the pooled features from the nearest class mean, diagonal
    /// covariance) or `reconstruction-error` (mean squared error of an autoencoder).
    pub measure: String,
    /// Scores above it are told to the reader.
    pub threshold: f64,
    /// Share of the held-back cases below it.
    pub accepted: f64,
}

/// What a training cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Wall time; other work may have shared the machine.
    pub minutes: f64,
    /// Cores and instruction set.
    pub machine: String,
    /// At 10 W a core, a guess for a server's share; 0 where not told.
    pub energy_wh: f64,
    /// Updates that were made.
    pub steps: usize,
}
