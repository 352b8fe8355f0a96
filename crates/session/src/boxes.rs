//! Boxes on a stack: what a detector marked, and what the reader decided on it.

use serde::{Deserialize, Serialize};

/// What became of a model's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkState {
    /// Nobody has decided: dashed.
    #[default]
    Proposed,
    /// Taken as the reader's finding.
    Accepted,
    /// Refused: not drawn, kept in the list.
    Rejected,
}

/// A box on a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoxMark {
    /// Its number on the stack; never used twice.
    pub id: u32,
    /// Frame of the stack.
    pub frame: usize,
    /// Its edges in pixels of the frame: left, top, right, bottom.
    pub rect_px: [f32; 4],
    /// What it is.
    pub label: String,
    /// The model's score, 0 to 1.
    pub score: f32,
    /// The model's id.
    pub model: String,
    /// sha256 of its weights.
    pub sha256: String,
    /// What the reader decided.
    #[serde(default)]
    pub state: MarkState,
}

impl BoxMark {
    /// Width and height in pixels.
    #[must_use]
    pub fn size_px(&self) -> [f32; 2] {
        let [x0, y0, x1, y1] = self.rect_px;
        [x1 - x0, y1 - y0]
    }

    /// Whether a number read from a file makes a box: finite, in order, within an image of this size.
    #[must_use]
    pub fn is_sound(&self, columns: usize, rows: usize, frames: usize) -> bool {
        let [x0, y0, x1, y1] = self.rect_px;
        let inside = |v: f32, n: usize| v.is_finite() && v >= 0.0 && v <= n as f32;
        let fits = inside(x0, columns) && inside(x1, columns) && inside(y0, rows) && inside(y1, rows);
        fits && x1 > x0 && y1 > y0 && self.frame < frames && self.score.is_finite()
    }
}
