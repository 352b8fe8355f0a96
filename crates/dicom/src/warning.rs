//! What a reader has to know about a series, typed.

use serde::Serialize;

/// Kind of a warning, as the command line prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningKind {
    /// Slices are missing.
    SliceGap,
    /// The step between slices changes.
    VaryingSpacing,
    /// Two different images at one position.
    DuplicateSlice,
    /// The same instance twice.
    DuplicateInstance,
    /// The stack leans: the step is not along the normal.
    GantryTilt,
    /// Images of several orientations.
    MixedOrientation,
    /// Images of several sizes.
    MixedSize,
    /// No position in the patient.
    NoPosition,
    /// The file holds fewer frames than it says.
    MissingFrames,
    /// The volume was interpolated from uneven or leaning slices, because it was asked for.
    Resampled,
    /// Something in the header is wrong and was put right or left out.
    Header,
}

/// One warning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Warning {
    /// Kind.
    pub kind: WarningKind,
    /// One sentence with the numbers (mm, slice numbers from 1).
    pub text: String,
}
