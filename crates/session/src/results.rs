//! What a model said of a stack, as the window shows it.

use std::sync::Arc;

use lightbox_core::{Mask, VolumeGeometry};
use serde::{Deserialize, Serialize};

use crate::heat::ClassSpread;
use crate::ids::StackId;

/// A result of a model; the number never comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResultId(pub u32);

/// A label's probability.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassScore {
    /// As in the card.
    pub label: String,
    /// 0 to 1.
    pub probability: f32,
    /// From where on it counts as found.
    pub threshold: f32,
}

/// A box, as found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundBox {
    /// Left, top, right, bottom in pixels of the frame.
    pub rect_px: [f32; 4],
    /// 0 to 1.
    pub score: f32,
    /// As in the card.
    pub label: String,
}

/// An image that a model made of a frame, on the frame's own pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// Width in pixels.
    pub columns: usize,
    /// Height in pixels.
    pub rows: usize,
    /// In the values of the frame; NaN where the network did not reach.
    pub values: Vec<f32>,
    /// Original minus restored, in the values of the frame; NaN outside.
    pub residual: Vec<f32>,
    /// Standard deviation of the residual.
    pub residual_sd: f32,
    /// Mean absolute residual.
    pub residual_mean: f32,
    /// Pixels of the network's output.
    pub network_px: [usize; 2],
}

/// What a model said of a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct InferResult {
    /// Its number; given by the session.
    pub id: ResultId,
    /// Stack it ran on.
    pub stack: StackId,
    /// First frame that it ran on.
    pub frame: usize,
    /// How many frames it ran on.
    pub frames: usize,
    /// The model's id.
    pub model: String,
    /// sha256 of its weights.
    pub sha256: String,
    /// Geometry of its input.
    pub geometry: VolumeGeometry,
    /// Masks by label, over the stack.
    pub masks: Vec<(String, Mask)>,
    /// Probabilities by frame.
    pub classes: Vec<(usize, Vec<ClassScore>)>,
    /// Boxes by frame.
    pub boxes: Vec<(usize, Vec<FoundBox>)>,
    /// Images by frame.
    pub images: Vec<(usize, Arc<Restored>)>,
    /// How far the probabilities move, by frame, where that was asked.
    pub spreads: Vec<(usize, Vec<ClassSpread>)>,
    /// Milliseconds by stage.
    pub timings_ms: Vec<(String, f64)>,
    /// What the reader has to know about this result.
    pub notes: Vec<String>,
}

impl InferResult {
    /// One that says nothing yet.
    #[must_use]
    pub fn blank(stack: StackId, model: &str, sha256: &str, geometry: VolumeGeometry) -> Self {
        Self {
            id: ResultId(0),
            stack,
            frame: 0,
            frames: 1,
            model: model.to_owned(),
            sha256: sha256.to_owned(),
            geometry,
            masks: Vec::new(),
            classes: Vec::new(),
            boxes: Vec::new(),
            images: Vec::new(),
            spreads: Vec::new(),
            timings_ms: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Whether it speaks of a frame.
    #[must_use]
    pub fn covers(&self, frame: usize) -> bool {
        (self.frame..self.frame + self.frames.max(1)).contains(&frame)
    }

    /// How long it took, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.timings_ms.iter().map(|(_, ms)| ms).sum::<f64>() / 1000.0
    }

    /// Its probabilities on a frame.
    #[must_use]
    pub fn classes_on(&self, frame: usize) -> Option<&[ClassScore]> {
        self.classes.iter().find(|(k, _)| *k == frame).map(|(_, all)| all.as_slice())
    }

    /// How far a label's probability moves on a frame, where that was asked.
    #[must_use]
    pub fn spread_on(&self, frame: usize, label: &str) -> Option<&ClassSpread> {
        self.spreads.iter().find(|(k, _)| *k == frame)?.1.iter().find(|s| s.label == label)
    }

    /// Its image of a frame.
    #[must_use]
    pub fn image_on(&self, frame: usize) -> Option<&Arc<Restored>> {
        self.images.iter().find(|(k, _)| *k == frame).map(|(_, image)| image)
    }
}
