//! Work in progress on disk: each gesture is appended and flushed when it ends, so that a kill loses at most the stroke in
//! the hand.
//!
//! The journal is a file of JSON lines in the cache folder. Records hold states, not steps: the slices of a mask as they
//! are after the gesture, the list of measurements, the report. Replaying them in order gives the work back; a line that is
//! not whole is left out.

mod disk;
mod recovery;

use std::path::PathBuf;

use lightbox_core::label::{Code, MaskOrigin};
use lightbox_core::{PatientPos, Plane, Rgb, Segment, SegmentId};
use lightbox_report::ReportDocument;
use lightbox_report::check::Rule;
use lightbox_report::sign::Signed;
use serde::{Deserialize, Serialize};

use crate::annotation::{Annotation, AnnotationKind};
use crate::boxes::BoxMark;
use crate::document::Document;
use crate::ids::{AnnotationId, StackId, StackKey};

pub(crate) use disk::to_lines;
pub use disk::{Journal, find, read};
pub use recovery::{Recovery, ReportWork, StackWork};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// Paths that were opened.
    Opened {
        /// Absolute paths.
        paths: Vec<PathBuf>,
        /// The studies that the work is about, as people call them.
        #[serde(default)]
        about: Vec<String>,
    },
    /// A segment is there (or its name, colour … changed); its voxels come with [`Record::Voxels`].
    Segment {
        /// Stack.
        stack: StackKey,
        /// Place in the list.
        place: usize,
        /// All but its voxels.
        segment: Box<SegmentRecord>,
    },
    /// Slices of a segment as they are now, as runs (first pixel, length).
    Voxels {
        /// Stack.
        stack: StackKey,
        /// Segment.
        segment: SegmentId,
        /// Columns, rows, slices of the mask.
        dims: [usize; 3],
        /// Whether a person has edited it.
        edited: bool,
        /// Slice and its runs.
        slices: Vec<(usize, Vec<(u32, u32)>)>,
    },
    /// A segment is gone.
    SegmentGone {
        /// Stack.
        stack: StackKey,
        /// Segment.
        segment: SegmentId,
    },
    /// The measurements of a stack.
    Annotations {
        /// Stack.
        stack: StackKey,
        /// All of them.
        annotations: Vec<AnnotationRecord>,
    },
    /// The boxes on a stack.
    Boxes {
        /// Stack.
        stack: StackKey,
        /// All of them.
        boxes: Vec<BoxMark>,
    },
    /// The report on a study.
    Report {
        /// Study Instance UID.
        #[serde(default)]
        study: String,
        /// As it is.
        document: Box<ReportDocument>,
        /// Changes that are in no file yet.
        #[serde(default = "one")]
        changes: usize,
        /// Its signed versions.
        #[serde(default)]
        signed: Signed,
        /// Objections that the reader keeps: rule, words, and why.
        #[serde(default)]
        kept: Vec<(Rule, String, String)>,
    },
    /// How many gestures of a person on a stack are in no file yet; a model's result alone counts none.
    Unsaved {
        /// Stack.
        stack: StackKey,
        /// Gestures on masks.
        gestures: usize,
        /// Gestures on measurements.
        #[serde(default)]
        annotations: usize,
    },
    /// The report on a study has been saved to a file.
    ReportSaved {
        /// Study Instance UID.
        #[serde(default)]
        study: String,
        /// Changes that came after what was saved.
        #[serde(default)]
        changes: usize,
    },
}

fn one() -> usize {
    1
}

impl Record {
    /// What of a document is in no file yet.
    #[must_use]
    pub fn unsaved(stack: StackKey, document: &Document) -> Self {
        Self::Unsaved { stack, gestures: document.unsaved_masks, annotations: document.unsaved_annotations }
    }

    /// A segment with all its voxels.
    #[must_use]
    pub fn of_segment(stack: &StackKey, place: usize, segment: &Segment, proposed: bool) -> [Self; 2] {
        let mask = &segment.mask;
        let slices = mask.occupied().filter_map(|k| Some((k, mask.plane(k)?.runs()))).collect();
        [
            Self::Segment { stack: stack.clone(), place, segment: Box::new(SegmentRecord::of(segment, proposed)) },
            Self::Voxels {
                stack: stack.clone(),
                segment: segment.id,
                dims: mask.dims(),
                edited: segment.edited,
                slices,
            },
        ]
    }

    /// Everything that was drawn on a stack.
    #[must_use]
    pub fn of_document(stack: &StackKey, document: &Document) -> Vec<Self> {
        StackWork::of(document).records(stack)
    }
}

/// A segment without its voxels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentRecord {
    id: SegmentId,
    name: String,
    colour: Rgb,
    code: Option<Code>,
    side: Option<Code>,
    origin: MaskOrigin,
    edited: bool,
    locked: bool,
    proposed: bool,
}

impl SegmentRecord {
    /// What is kept of a segment.
    #[must_use]
    pub fn of(segment: &Segment, proposed: bool) -> Self {
        Self {
            id: segment.id,
            name: segment.name.clone(),
            colour: segment.colour,
            code: segment.code.clone(),
            side: segment.side.clone(),
            origin: segment.origin.clone(),
            edited: segment.edited,
            locked: segment.locked,
            proposed,
        }
    }
}

/// A measurement without its stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnnotationRecord {
    id: AnnotationId,
    plane: Plane,
    index: usize,
    kind: AnnotationKind,
    points: Vec<PatientPos>,
}

impl AnnotationRecord {
    /// What is kept of a measurement.
    #[must_use]
    pub fn of(a: &Annotation) -> Self {
        Self { id: a.id, plane: a.plane, index: a.index, kind: a.kind, points: a.points.clone() }
    }

    /// The measurement on a stack.
    #[must_use]
    pub fn on(self, stack: StackId) -> Annotation {
        Annotation { id: self.id, stack, plane: self.plane, index: self.index, kind: self.kind, points: self.points }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use lightbox_core::Mask;

    use super::*;

    pub(crate) fn key() -> StackKey {
        StackKey { series_uid: "1.2.3".into(), key: String::new() }
    }

    fn segment() -> Segment {
        Segment {
            id: SegmentId(3),
            name: "Right lung".into(),
            colour: Rgb([1, 2, 3]),
            code: None,
            side: None,
            origin: MaskOrigin::Reader,
            edited: false,
            visible: true,
            locked: false,
            mask: Mask::new([4, 4, 2]),
        }
    }

    pub(crate) fn records() -> Vec<Record> {
        vec![
            Record::Opened { paths: vec!["/a".into()], about: vec!["CT thorax, CT, 2026-11-18".into()] },
            Record::Segment { stack: key(), place: 0, segment: Box::new(SegmentRecord::of(&segment(), false)) },
            Record::Voxels {
                stack: key(),
                segment: SegmentId(3),
                dims: [4, 4, 2],
                edited: false,
                slices: vec![(1, vec![(5, 2)])],
            },
            Record::Unsaved { stack: key(), gestures: 2, annotations: 0 },
        ]
    }

    #[test]
    fn journals_of_older_versions_are_read() {
        for line in [
            r#"{"record":"unsaved","stack":{"series_uid":"1.2.3","key":""},"gestures":4}"#,
            r#"{"record":"report_saved"}"#,
            r#"{"record":"opened","paths":["/a"]}"#,
            r#"{"record":"report","document":{"sections":[]}}"#,
        ] {
            serde_json::from_str::<Record>(line).expect(line);
        }
    }
}
