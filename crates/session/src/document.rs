//! What people and models drew on one stack: segments, measurements, and how to take it back.

use std::collections::BTreeSet;

use lightbox_core::history::History;
use lightbox_core::label::{MASK_COLOURS, MaskOrigin};
use lightbox_core::{Mask, PatientPos, Rgb, Segment, SegmentId};

use crate::annotation::Annotation;
use crate::boxes::BoxMark;
pub use crate::gesture::{DocumentEdit, Gesture, Label, Step};
use crate::ids::{AnnotationId, StackId};

/// A stroke that is being drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Stroke {
    /// The segment.
    pub segment: SegmentId,
    /// The mask before the stroke.
    pub before: Mask,
    /// The segments that lose to it what it paints, as they were before.
    pub others: Vec<(SegmentId, Mask)>,
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
    /// Boxes of models, with what the reader decided on each.
    pub boxes: Vec<BoxMark>,
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
    /// Gestures that came back from the journal of an earlier session. They cannot be undone.
    pub restored: usize,
    masks: Depth,
    measurements: Depth,
    next_segment: u32,
    next_annotation: u32,
    next_box: u32,
}

/// Where the history stands against what is saved, so that taking a gesture back and doing it again count as nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Depth {
    /// Gestures since the save that can be taken back.
    above: usize,
    /// Saved gestures that are taken back.
    below: usize,
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
            boxes: Vec::new(),
            history: History::new(HISTORY_BYTES),
            stroke: None,
            revision: 0,
            unsaved_masks: 0,
            unsaved_annotations: 0,
            saved: None,
            restored: 0,
            masks: Depth::default(),
            measurements: Depth::default(),
            next_segment: 1,
            next_annotation: 1,
            next_box: 1,
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

    /// A fresh number for a box.
    pub fn new_box_id(&mut self) -> u32 {
        let id = self.next_box;
        self.next_box += 1;
        id
    }

    /// The newest segment that is called a lung of this side and holds a voxel.
    #[must_use]
    pub fn newest_lung(&self, side: &str) -> Option<&Segment> {
        self.segments.iter().rev().find(|x| {
            let name = x.name.to_lowercase();
            name.contains("lung")
                && name.contains(side)
                && x.mask.occupied().any(|k| x.mask.plane(k).is_some_and(|p| p.count() > 0))
        })
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
            DocumentEdit::Boxes { before, after } => self.put_boxes(before, after),
            DocumentEdit::Many(edits) => edits.iter().for_each(|edit| self.carry_out(edit)),
        }
    }

    /// Puts boxes in the place of others; those with a number that is there already keep their place in the list.
    fn put_boxes(&mut self, before: &[BoxMark], after: &[BoxMark]) {
        self.boxes.retain(|x| before.iter().all(|b| b.id != x.id) || after.iter().any(|a| a.id == x.id));
        for mark in after {
            self.next_box = self.next_box.max(mark.id + 1);
            match self.boxes.iter_mut().find(|x| x.id == mark.id) {
                Some(known) => known.clone_from(mark),
                None => self.boxes.push(mark.clone()),
            }
        }
    }

    /// Takes over the boxes of a journal; a number that is taken already is given anew.
    pub(crate) fn take_boxes(&mut self, boxes: Vec<BoxMark>) {
        for mut mark in boxes {
            if self.boxes.iter().any(|b| b.id == mark.id) {
                mark.id = self.new_box_id();
            }
            self.put_boxes(&[], &[mark]);
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

    /// Counts a gesture that has been carried out: how far the work is from what is saved.
    pub fn count_unsaved(&mut self, gesture: &Gesture, step: Step) {
        if step == Step::New {
            self.forget_undone();
        }
        let of_masks = !gesture.edit.is_annotation();
        let (count, depth) = if of_masks {
            (&mut self.unsaved_masks, &mut self.masks)
        } else {
            (&mut self.unsaved_annotations, &mut self.measurements)
        };
        // What was saved and then taken back, or was not there when it was saved: one more; else one less.
        let further = match step {
            Step::New => {
                depth.above += 1;
                true
            }
            // A model's result counts nothing by itself; that it was taken away does.
            Step::Undone if gesture.arrived => true,
            Step::Redone if gesture.arrived => false,
            Step::Undone if depth.above > 0 => {
                depth.above -= 1;
                false
            }
            Step::Undone => {
                depth.below += 1;
                true
            }
            Step::Redone if depth.below > 0 => {
                depth.below -= 1;
                false
            }
            Step::Redone => {
                depth.above += 1;
                true
            }
        };
        *count = if further { *count + 1 } else { count.saturating_sub(1) };
        if !of_masks && self.annotations.is_empty() && self.boxes.is_empty() {
            // The last one was deleted: nothing is left that could be lost.
            self.unsaved_annotations = 0;
        }
    }

    /// What was taken back can no longer be done again: something else came in its place.
    pub fn forget_undone(&mut self) {
        self.masks.below = 0;
        self.measurements.below = 0;
    }

    /// Masks were saved when so many gestures were unsaved.
    pub fn masks_saved(&mut self, gestures: usize) {
        self.unsaved_masks = self.unsaved_masks.saturating_sub(gestures);
        self.masks = Depth { above: self.unsaved_masks, below: 0 };
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
        (self.masks, self.measurements) = Default::default();
        self.stroke = None;
        self
    }

    /// Whether nothing was ever drawn.
    #[must_use]
    pub(crate) fn is_blank(&self) -> bool {
        self.segments.is_empty() && self.annotations.is_empty() && self.boxes.is_empty() && !self.has_unsaved_work()
    }
}
