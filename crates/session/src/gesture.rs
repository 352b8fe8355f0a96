//! What can be undone: a gesture, and what it did to a document.

use lightbox_core::history::Edit;
use lightbox_core::label::PlaneChange;
use lightbox_core::{Rgb, Segment, SegmentId};

use crate::annotation::Annotation;
use crate::boxes::BoxMark;

/// One thing that can be undone.
#[derive(Debug, Clone)]
pub struct Gesture {
    /// As the history lists it: `Brush, Right lung`.
    pub title: String,
    /// Change of the volume in mL (area in mm² on a single image), for the list.
    pub amount: f64,
    /// What it did.
    pub edit: DocumentEdit,
    /// When, `HH:MM:SS`; empty where nobody told the time.
    pub time: String,
    /// It came from a model or a file: no work of a person.
    pub arrived: bool,
}

/// Two gestures that do the same are the same, whenever they were made.
impl PartialEq for Gesture {
    fn eq(&self, other: &Self) -> bool {
        self.title == other.title
            && self.amount == other.amount
            && self.edit == other.edit
            && self.arrived == other.arrived
    }
}

impl Gesture {
    /// A gesture; the session notes when, and whether it is a person's.
    #[must_use]
    pub fn new(title: impl Into<String>, amount: f64, edit: DocumentEdit) -> Self {
        Self { title: title.into(), amount, edit, time: String::new(), arrived: false }
    }
}

/// What a gesture did to a document.
#[derive(Debug, Clone, PartialEq)]
pub enum DocumentEdit {
    /// Voxels of a segment. The flags say whether the segment counted as edited before and after.
    Voxels {
        /// The segment.
        segment: SegmentId,
        /// Slices that changed.
        changes: Vec<PlaneChange>,
        /// Edited by a person before.
        edited_before: bool,
        /// Edited by a person after.
        edited_after: bool,
    },
    /// Segments put in (`after`) or taken out (`before`), with their place in the list.
    Segments {
        /// As it was: place and segment.
        before: Vec<(usize, Segment)>,
        /// As it is.
        after: Vec<(usize, Segment)>,
    },
    /// What a segment is called, how it looks, and whether a person accepted it.
    Label {
        /// The segment.
        segment: SegmentId,
        /// As it was.
        before: Label,
        /// As it is.
        after: Label,
    },
    /// A measurement, before and after.
    Annotation {
        /// As it was.
        before: Option<Annotation>,
        /// As it is.
        after: Option<Annotation>,
    },
    /// Boxes put in or changed (`after`), or taken out (`before` without a partner).
    Boxes {
        /// As they were.
        before: Vec<BoxMark>,
        /// As they are.
        after: Vec<BoxMark>,
    },
    /// Several at once, in their order: a stroke that takes voxels from other segments.
    Many(Vec<Self>),
}

/// What can be changed of a segment besides its voxels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Name.
    pub name: String,
    /// Colour.
    pub colour: Rgb,
    /// Nothing may change its voxels.
    pub locked: bool,
    /// A model's, and nobody accepted it yet.
    pub proposed: bool,
}

impl DocumentEdit {
    /// Whether it is about a measurement or a box, which no mask file holds.
    #[must_use]
    pub fn is_annotation(&self) -> bool {
        matches!(self, Self::Annotation { .. } | Self::Boxes { .. })
    }

    /// Whether it changed voxels of a segment.
    #[must_use]
    pub fn draws_on(&self, id: SegmentId) -> bool {
        match self {
            Self::Voxels { segment, .. } => *segment == id,
            Self::Many(edits) => edits.iter().any(|edit| edit.draws_on(id)),
            _ => false,
        }
    }

    /// Whether it changed voxels.
    #[must_use]
    pub fn is_stroke(&self) -> bool {
        match self {
            Self::Voxels { .. } => true,
            Self::Many(edits) => edits.iter().any(Self::is_stroke),
            _ => false,
        }
    }

    fn inverted(&self) -> Self {
        match self {
            Self::Voxels { segment, changes, edited_before, edited_after } => Self::Voxels {
                segment: *segment,
                changes: changes.iter().map(PlaneChange::inverted).collect(),
                edited_before: *edited_after,
                edited_after: *edited_before,
            },
            Self::Segments { before, after } => Self::Segments { before: after.clone(), after: before.clone() },
            Self::Label { segment, before, after } => {
                Self::Label { segment: *segment, before: after.clone(), after: before.clone() }
            }
            Self::Annotation { before, after } => Self::Annotation { before: after.clone(), after: before.clone() },
            Self::Boxes { before, after } => Self::Boxes { before: after.clone(), after: before.clone() },
            Self::Many(edits) => Self::Many(edits.iter().rev().map(Self::inverted).collect()),
        }
    }

    fn bytes(&self) -> usize {
        let segments = |list: &[(usize, Segment)]| list.iter().map(|(_, s)| s.mask.bytes() + 256).sum::<usize>();
        match self {
            Self::Voxels { changes, .. } => changes.iter().map(PlaneChange::bytes).sum::<usize>(),
            Self::Segments { before, after } => segments(before) + segments(after),
            Self::Label { .. } | Self::Annotation { .. } => 256,
            Self::Boxes { before, after } => (before.len() + after.len()) * 160,
            Self::Many(edits) => edits.iter().map(Self::bytes).sum(),
        }
    }
}

impl Edit for Gesture {
    fn inverted(&self) -> Self {
        Self { amount: -self.amount, edit: self.edit.inverted(), ..self.clone() }
    }

    fn bytes(&self) -> usize {
        128 + self.edit.bytes()
    }
}

/// How a gesture came to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// For the first time.
    New,
    /// Taken back.
    Undone,
    /// Done again.
    Redone,
}
