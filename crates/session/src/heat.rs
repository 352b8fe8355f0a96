//! What an answer of a model rests on, and how far it moves: maps over a frame, and ranges of probabilities.

use std::sync::Arc;

use lightbox_core::VolumeGeometry;
use lightbox_model::explain::Method;
pub use lightbox_model::trust::VARIATION_COUNT;
use serde::{Deserialize, Serialize};

use crate::ids::StackId;
use crate::results::ResultId;

/// A way to look at an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExplainBy {
    /// Gradients on the network's last map (Selvaraju et al. 2017).
    GradCam,
    /// Patches of the image covered one after the other (Zeiler and Fergus 2014).
    Occlusion,
    /// Gradients along the way from a grey image (Sundararajan et al. 2017).
    IntegratedGradients,
    /// The image moved a little and with other grey curves: how far the answer moves.
    Variation,
}

impl ExplainBy {
    /// All, the quickest first.
    pub const ALL: [Self; 4] = [Self::GradCam, Self::Occlusion, Self::IntegratedGradients, Self::Variation];

    /// As people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.method() {
            Some(method) => method.name(),
            None => "Uncertainty",
        }
    }

    /// What a number of its map says.
    #[must_use]
    pub fn scale(self) -> &'static str {
        match self {
            Self::GradCam => "relative, 1 is the strongest place",
            Self::Occlusion => "fall of the probability when covered",
            Self::IntegratedGradients => "share of the class's number",
            Self::Variation => "SD of the probability",
        }
    }

    pub(crate) fn method(self) -> Option<Method> {
        match self {
            Self::GradCam => Some(Method::GradCam),
            Self::Occlusion => Some(Method::Occlusion),
            Self::IntegratedGradients => Some(Method::IntegratedGradients),
            Self::Variation => None,
        }
    }
}

/// Number of a map; it never comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HeatId(pub u32);

/// A map over a frame, drawn above the image and never measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Its number; given by the session.
    pub id: HeatId,
    /// The result that it explains; given by the session.
    pub result: ResultId,
    /// Stack.
    pub stack: StackId,
    /// Frame of the stack.
    pub frame: usize,
    /// The model's id.
    pub model: String,
    /// How it was made.
    pub by: ExplainBy,
    /// The class or the mask that it is about.
    pub label: String,
    /// Width in pixels of the frame.
    pub columns: usize,
    /// Height in pixels of the frame.
    pub rows: usize,
    /// `[rows * columns]`, in the unit of [`ExplainBy::scale`]. What is below 0 speaks against the class and is not drawn.
    pub values: Arc<Vec<f32>>,
    /// The value that has the full colour; 0 where nothing speaks for the class.
    pub top: f32,
    /// Single values lie above `top`.
    pub saturates: bool,
    /// Of integrated gradients: how far the shares miss what they should sum up to, as a part of it.
    pub completeness_residual: Option<f64>,
    /// Of a mask: standard deviation of its area as a part of its mean.
    pub area_deviation: Option<f64>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether it is drawn; one a frame is.
    pub visible: bool,
    /// 0 to [`MOST_OPACITY`].
    pub opacity: f32,
}

/// No map hides the image under it.
pub const MOST_OPACITY: f32 = 0.4;
/// Below this part of `top` a map is clear.
pub const CLEAR_BELOW: f32 = 0.15;
/// Of maps with single high values, the part of the pixels that the colours reach up to.
const REACHED: f64 = 0.995;

impl Heat {
    /// What has the full colour, and whether single values lie above it.
    #[must_use]
    pub fn reach(values: &[f32], by: ExplainBy) -> (f32, bool) {
        let top = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f32::max);
        if by != ExplainBy::IntegratedGradients {
            return (top, false);
        }
        let mut above: Vec<f32> = values.iter().copied().filter(|v| *v > 0.0 && v.is_finite()).collect();
        above.sort_unstable_by(f32::total_cmp);
        let at = ((above.len() as f64 * REACHED) as usize).min(above.len().saturating_sub(1));
        let reached = above.get(at).copied().unwrap_or(0.0);
        (reached, reached < top)
    }

    /// Where a value lies between clear and the full colour, 0 to 1.
    #[must_use]
    pub fn part(&self, value: f32) -> f32 {
        if self.top <= 0.0 || !value.is_finite() {
            return 0.0;
        }
        ((value / self.top - CLEAR_BELOW) / (1.0 - CLEAR_BELOW)).clamp(0.0, 1.0)
    }
}

/// How far a label's probability moves over variations of the image.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassSpread {
    /// As in the card.
    pub label: String,
    /// Mean probability.
    pub mean: f32,
    /// Standard deviation.
    pub deviation: f32,
}

/// What a job found out about an answer, and about which.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Stack.
    pub stack: StackId,
    /// The model's id.
    pub model: String,
    /// sha256 of its weights.
    pub sha256: String,
    /// Geometry of the stack when it began.
    pub geometry: VolumeGeometry,
    /// Frame.
    pub frame: usize,
    /// What.
    pub told: Told,
}

/// What a job found out about an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A map.
    Heat(Box<Heat>),
    /// Ranges of the probabilities.
    Spread(Vec<ClassSpread>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_clear_below_its_threshold_and_full_at_its_top() {
        let mut heat = Heat {
            id: HeatId(1),
            result: ResultId(1),
            stack: StackId(0),
            frame: 0,
            model: "m".into(),
            by: ExplainBy::Occlusion,
            label: "a".into(),
            columns: 2,
            rows: 1,
            values: Arc::new(vec![0.0, 0.5]),
            top: 0.5,
            saturates: false,
            completeness_residual: None,
            area_deviation: None,
            seconds: 0.0,
            visible: true,
            opacity: MOST_OPACITY,
        };
        assert_eq!([-0.3, 0.0, 0.07, 0.5, 2.0, f32::NAN].map(|v| heat.part(v)), [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        heat.top = 0.0;
        assert_eq!(heat.part(0.0), 0.0);
    }

    #[test]
    fn single_high_values_do_not_darken_the_rest() {
        let mut values = vec![0.1f32; 1000];
        values[7] = 90.0;
        assert_eq!(Heat::reach(&values, ExplainBy::IntegratedGradients), (0.1, true));
        assert_eq!(Heat::reach(&values, ExplainBy::Occlusion), (90.0, false));
        assert_eq!(Heat::reach(&[-1.0, f32::NAN], ExplainBy::IntegratedGradients), (0.0, false));
    }
}
