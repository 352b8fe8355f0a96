//! What people and models drew on one stack: segments, measurements, and how to take it back.

use std::collections::BTreeSet;

use lightbox_core::history::{Edit, History};
use lightbox_core::label::{MASK_COLOURS, MaskOrigin, PlaneChange};
use lightbox_core::{Mask, PatientPos, Rgb, Segment, SegmentId};

use crate::annotation::Annotation;
use crate::ids::{AnnotationId, StackId};

/// One thing that can be undone.
#[derive(Debug, Clone, PartialEq)]
pub struct Gesture {
    /// As the history lists it: `Brush, Right lung`.
    pub title: String,
    /// Change of the volume in mL (area in mm² on a single image), for the list.
    pub amount: f64,
    /// What it did.
    pub edit: DocumentEdit,
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
    /// Whether it is about a measurement, which no mask file holds.
    #[must_use]
    pub fn is_annotation(&self) -> bool {
        matches!(self, Self::Annotation { .. })
    }
}

impl Edit for Gesture {
    fn inverted(&self) -> Self {
        let edit = match &self.edit {
            DocumentEdit::Voxels { segment, changes, edited_before, edited_after } => DocumentEdit::Voxels {
                segment: *segment,
                changes: changes.iter().map(PlaneChange::inverted).collect(),
                edited_before: *edited_after,
                edited_after: *edited_before,
            },
            DocumentEdit::Segments { before, after } => {
                DocumentEdit::Segments { before: after.clone(), after: before.clone() }
            }
            DocumentEdit::Label { segment, before, after } => {
                DocumentEdit::Label { segment: *segment, before: after.clone(), after: before.clone() }
            }
            DocumentEdit::Annotation { before, after } => {
                DocumentEdit::Annotation { before: after.clone(), after: before.clone() }
            }
        };
        Self { title: self.title.clone(), amount: -self.amount, edit }
    }

    fn bytes(&self) -> usize {
        let segments = |list: &[(usize, Segment)]| list.iter().map(|(_, s)| s.mask.bytes() + 256).sum::<usize>();
        128 + match &self.edit {
            DocumentEdit::Voxels { changes, .. } => changes.iter().map(PlaneChange::bytes).sum::<usize>(),
            DocumentEdit::Segments { before, after } => segments(before) + segments(after),
            DocumentEdit::Label { .. } | DocumentEdit::Annotation { .. } => 256,
        }
    }
}

/// A stroke that is being drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Stroke {
    /// The segment.
    pub segment: SegmentId,
    /// The mask before the stroke.
    pub before: Mask,
    /// The last point.
    pub last: PatientPos,
    /// Clears instead of painting.
    pub erase: bool,
}

/// Everything drawn on one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Segments in list order; later ones lie on top.
    pub segments: Vec<Segment>,
    /// The segment that brush and eraser change.
    pub active: Option<SegmentId>,
    /// Segments of a model that nobody accepted yet: dashed, and not in the report.
    pub proposed: BTreeSet<SegmentId>,
    /// Measurements.
    pub annotations: Vec<Annotation>,
    /// What can be undone.
    pub history: History<Gesture>,
    /// The stroke in progress.
    pub stroke: Option<Stroke>,
    /// Grows with every change of a mask.
    pub revision: u64,
    /// Gestures on masks since they were last saved.
    pub unsaved_masks: usize,
    /// Gestures on measurements. No file of ours holds a measurement, so they count for as long as there is one.
    pub unsaved_annotations: usize,
    /// The last save: time as `HH:MM`, and `n of n segments equal` as it was read back.
    pub saved: Option<String>,
    next_segment: u32,
    next_annotation: u32,
}

/// Memory that the undo history of one stack may take.
pub const HISTORY_BYTES: usize = 256 << 20;

impl Default for Document {
    fn default() -> Self {
        Self {
            segments: Vec::new(),
            active: None,
            proposed: BTreeSet::new(),
            annotations: Vec::new(),
            history: History::new(HISTORY_BYTES),
            stroke: None,
            revision: 0,
            unsaved_masks: 0,
            unsaved_annotations: 0,
            saved: None,
            next_segment: 1,
            next_annotation: 1,
        }
    }
}

impl Document {
    /// A segment.
    #[must_use]
    pub fn segment(&self, id: SegmentId) -> Option<&Segment> {
        self.segments.iter().find(|s| s.id == id)
    }

    /// A segment, to change it.
    pub fn segment_mut(&mut self, id: SegmentId) -> Option<&mut Segment> {
        self.segments.iter_mut().find(|s| s.id == id)
    }

    /// An empty segment of the reader's with a number, a name and a colour of its own; not yet in the list.
    pub fn new_segment(&mut self, dims: [usize; 3], name: Option<&str>) -> Segment {
        let id = SegmentId(self.next_segment);
        self.next_segment += 1;
        Segment {
            id,
            name: name.map_or_else(|| format!("Segment {}", id.0), str::to_owned),
            colour: self.free_colour(),
            code: None,
            side: None,
            origin: MaskOrigin::Reader,
            edited: false,
            visible: true,
            locked: false,
            mask: Mask::new(dims),
        }
    }

    /// The first of the twelve mask colours that fewest segments use.
    #[must_use]
    pub fn free_colour(&self) -> Rgb {
        let uses = |c| self.segments.iter().filter(|s| s.colour == c).count();
        MASK_COLOURS.into_iter().min_by_key(|c| uses(*c)).unwrap_or(MASK_COLOURS[0])
    }

    /// A fresh number for a measurement.
    pub fn new_annotation_id(&mut self) -> AnnotationId {
        let id = AnnotationId(self.next_annotation);
        self.next_annotation += 1;
        id
    }

    /// The segments of a model that wait for the reader.
    pub fn waiting(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(|s| self.proposed.contains(&s.id))
    }

    /// What can be changed of a segment besides its voxels, as it is.
    #[must_use]
    pub fn label(&self, id: SegmentId) -> Option<Label> {
        let s = self.segment(id)?;
        let proposed = self.proposed.contains(&id);
        Some(Label { name: s.name.clone(), colour: s.colour, locked: s.locked, proposed })
    }

    /// Carries out an edit (done, undone or redone) on the document.
    pub fn carry_out(&mut self, edit: &DocumentEdit) {
        self.revision += 1;
        match edit {
            DocumentEdit::Voxels { segment, changes, edited_after, .. } => {
                if let Some(s) = self.segment_mut(*segment) {
                    for change in changes {
                        s.mask.set_plane(change.slice, change.after.clone());
                    }
                    s.edited = *edited_after;
                }
            }
            DocumentEdit::Segments { before, after } => {
                self.segments.retain(|s| before.iter().all(|(_, b)| b.id != s.id));
                for (place, segment) in after {
                    self.note_segment_id(segment.id);
                    self.segments.insert((*place).min(self.segments.len()), segment.clone());
                }
                if self.active.is_none_or(|a| self.segment(a).is_none()) {
                    self.active = after.last().map(|(_, s)| s.id).or_else(|| self.segments.last().map(|s| s.id));
                }
            }
            DocumentEdit::Label { segment, after, .. } => {
                let Some(s) = self.segment_mut(*segment) else { return };
                s.name.clone_from(&after.name);
                s.colour = after.colour;
                s.locked = after.locked;
                if after.proposed {
                    self.proposed.insert(*segment);
                } else {
                    self.proposed.remove(segment);
                }
            }
            DocumentEdit::Annotation { before, after } => {
                let place = before.as_ref().and_then(|b| self.annotations.iter().position(|a| a.id == b.id));
                match (place, after) {
                    (Some(at), Some(after)) => self.annotations[at] = after.clone(),
                    (Some(at), None) => {
                        self.annotations.remove(at);
                    }
                    (None, Some(after)) => self.add_annotation(after.clone()),
                    (None, None) => {}
                }
            }
        }
    }

    /// Keeps numbers of segments that came from a file or a journal from being given again.
    pub fn note_segment_id(&mut self, id: SegmentId) {
        self.next_segment = self.next_segment.max(id.0 + 1);
    }

    /// Puts a measurement in that has its number already.
    pub fn add_annotation(&mut self, annotation: Annotation) {
        self.next_annotation = self.next_annotation.max(annotation.id.0 + 1);
        self.annotations.push(annotation);
    }

    /// Counts a gesture that has been carried out.
    pub fn count_unsaved(&mut self, edit: &DocumentEdit) {
        if !edit.is_annotation() {
            self.unsaved_masks += 1;
        } else if self.annotations.is_empty() {
            // The last one was deleted: nothing is left that could be lost.
            self.unsaved_annotations = 0;
        } else {
            self.unsaved_annotations += 1;
        }
    }

    /// Gestures that only the journal holds.
    #[must_use]
    pub fn unsaved(&self) -> usize {
        self.unsaved_masks + self.unsaved_annotations
    }

    /// Whether a person's work is not saved yet.
    #[must_use]
    pub fn has_unsaved_work(&self) -> bool {
        self.unsaved() > 0
    }

    /// The document of a closed series that was opened again, under its new number.
    #[must_use]
    pub(crate) fn reopened_as(mut self, stack: StackId) -> Self {
        self.annotations.iter_mut().for_each(|a| a.stack = stack);
        self
    }

    /// The document of a series that is closed: what was drawn stays; how to take it back, which takes memory, goes.
    #[must_use]
    pub(crate) fn closed(mut self) -> Self {
        self.history = History::new(HISTORY_BYTES);
        self.stroke = None;
        self
    }

    /// Whether nothing was ever drawn.
    #[must_use]
    pub(crate) fn is_blank(&self) -> bool {
        self.segments.is_empty() && self.annotations.is_empty() && !self.has_unsaved_work()
    }
}
