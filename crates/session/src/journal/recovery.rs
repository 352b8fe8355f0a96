//! What a journal gives back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lightbox_core::{BitPlane, Mask, Segment, SegmentId};
use lightbox_report::ReportDocument;
use lightbox_report::check::Rule;
use lightbox_report::sign::Signed;

use super::{AnnotationRecord, Record, SegmentRecord};
use crate::boxes::BoxMark;
use crate::document::Document;
use crate::ids::StackKey;

/// What a journal holds of one stack.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StackWork {
    /// Segments in list order, with whether nobody accepted them yet.
    pub segments: Vec<(Segment, bool)>,
    /// Measurements.
    pub annotations: Vec<AnnotationRecord>,
    /// Boxes.
    pub boxes: Vec<BoxMark>,
    /// Gestures on masks since they were last saved.
    pub unsaved_masks: usize,
    /// Gestures on measurements.
    pub unsaved_annotations: usize,
}

/// What a journal holds of one report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReportWork {
    /// As it was.
    pub document: ReportDocument,
    /// Changes since the last save.
    pub unsaved: usize,
    /// Its signed versions.
    pub signed: Signed,
    /// Objections that the reader keeps: rule, words, and why.
    pub kept: Vec<(Rule, String, String)>,
}

/// The work of an earlier session.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recovery {
    /// Paths to open again.
    pub paths: Vec<PathBuf>,
    /// The studies that the work is about, as people call them.
    pub about: Vec<String>,
    /// When something was written last, `YYYY-MM-DD HH:MM`; empty when unknown.
    pub when: String,
    /// By stack.
    pub stacks: BTreeMap<StackKey, StackWork>,
    /// By Study Instance UID.
    pub reports: BTreeMap<String, ReportWork>,
    /// What was laid on no stack because its images have another size now. It stays in the journal.
    pub misfits: BTreeMap<StackKey, StackWork>,
    /// Gestures that are safe.
    pub gestures: usize,
    /// The journal it comes from.
    pub journal: PathBuf,
}

impl Recovery {
    /// Whether anything is worth offering.
    #[must_use]
    pub fn is_worth_offering(&self) -> bool {
        self.gestures > 0
    }

    /// Replays records. Records that contradict each other (a slice of a segment that is not there) are left out.
    #[must_use]
    pub fn replay(records: impl IntoIterator<Item = Record>) -> Self {
        let mut out = Self::default();
        for record in records {
            match record {
                Record::Opened { paths, about } => {
                    if !about.is_empty() {
                        out.about = about;
                    }
                    for path in paths {
                        if !out.paths.contains(&path) {
                            out.paths.push(path);
                        }
                    }
                }
                Record::Segment { stack, place, segment } => out.stacks.entry(stack).or_default().put(place, *segment),
                Record::Voxels { stack, segment, dims, edited, slices } => {
                    out.stacks.entry(stack).or_default().draw(segment, dims, edited, &slices);
                }
                Record::SegmentGone { stack, segment } => {
                    out.stacks.entry(stack).or_default().segments.retain(|(s, _)| s.id != segment);
                }
                Record::Annotations { stack, annotations } => {
                    out.stacks.entry(stack).or_default().annotations = annotations;
                }
                Record::Boxes { stack, boxes } => out.stacks.entry(stack).or_default().boxes = boxes,
                Record::Report { study, document, changes, signed, kept } => {
                    out.reports.insert(study, ReportWork { document: *document, unsaved: changes, signed, kept });
                }
                Record::Unsaved { stack, gestures, annotations } => {
                    let work = out.stacks.entry(stack).or_default();
                    work.unsaved_masks = gestures;
                    work.unsaved_annotations = annotations;
                }
                Record::ReportSaved { study, changes } => {
                    if let Some(report) = out.reports.get_mut(&study) {
                        report.unsaved = changes;
                    }
                }
            }
        }
        let drawn: usize = out.stacks.values().map(|w| w.unsaved_masks + w.unsaved_annotations).sum();
        out.gestures = drawn + out.reports.values().map(|r| r.unsaved).sum::<usize>();
        out
    }

    /// What has found no place yet, as records of a journal; none when everything has.
    #[must_use]
    pub fn left(&self) -> Vec<Record> {
        let stacks = self.stacks.iter().chain(&self.misfits);
        let mut out: Vec<Record> = stacks.flat_map(|(key, work)| work.records(key)).collect();
        out.extend(self.reports.iter().map(|(study, report)| Record::Report {
            study: study.clone(),
            document: Box::new(report.document.clone()),
            changes: report.unsaved,
            signed: report.signed.clone(),
            kept: report.kept.clone(),
        }));
        if !out.is_empty() {
            out.insert(0, Record::Opened { paths: self.paths.clone(), about: self.about.clone() });
        }
        out
    }
}

impl StackWork {
    /// Everything of a document.
    pub(super) fn of(document: &Document) -> Self {
        Self {
            segments: document.segments.iter().map(|s| (s.clone(), document.proposed.contains(&s.id))).collect(),
            annotations: document.annotations.iter().map(AnnotationRecord::of).collect(),
            boxes: document.boxes.clone(),
            unsaved_masks: document.unsaved_masks,
            unsaved_annotations: document.unsaved_annotations,
        }
    }

    /// As records that give the same work when they are replayed.
    pub(super) fn records(&self, key: &StackKey) -> Vec<Record> {
        let mut out = Vec::new();
        for (place, (segment, proposed)) in self.segments.iter().enumerate() {
            out.extend(Record::of_segment(key, place, segment, *proposed));
        }
        if !self.annotations.is_empty() {
            out.push(Record::Annotations { stack: key.clone(), annotations: self.annotations.clone() });
        }
        if !self.boxes.is_empty() {
            out.push(Record::Boxes { stack: key.clone(), boxes: self.boxes.clone() });
        }
        let (gestures, annotations) = (self.unsaved_masks, self.unsaved_annotations);
        out.push(Record::Unsaved { stack: key.clone(), gestures, annotations });
        out
    }

    fn put(&mut self, place: usize, record: SegmentRecord) {
        let proposed = record.proposed;
        let old = self.segments.iter().position(|(s, _)| s.id == record.id);
        let mask = old.map_or_else(|| Mask::new([0, 0, 0]), |at| self.segments[at].0.mask.clone());
        let segment = Segment {
            id: record.id,
            name: record.name,
            colour: record.colour,
            code: record.code,
            side: record.side,
            origin: record.origin,
            edited: record.edited,
            visible: true,
            locked: record.locked,
            mask,
        };
        match old {
            Some(at) => self.segments[at] = (segment, proposed),
            None => self.segments.insert(place.min(self.segments.len()), (segment, proposed)),
        }
    }

    fn draw(&mut self, id: SegmentId, dims: [usize; 3], edited: bool, slices: &[(usize, Vec<(u32, u32)>)]) {
        // A journal is our own file, but a damaged one must not ask for memory: 2^26 pixels is a slice of 8192².
        let pixels = dims[0].checked_mul(dims[1]).filter(|p| *p <= 1 << 26);
        let Some((segment, _)) = self.segments.iter_mut().find(|(s, _)| s.id == id) else { return };
        let Some(pixels) = pixels.filter(|_| dims[2] <= 1 << 20) else { return };
        if segment.mask.dims() != dims {
            segment.mask = Mask::new(dims);
        }
        for (slice, runs) in slices {
            let plane = BitPlane::from_runs(pixels, runs);
            segment.mask.set_plane(*slice, Some(std::sync::Arc::new(plane)));
        }
        segment.edited = edited;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::{key, records};

    #[test]
    fn saved_work_is_not_offered() {
        let mut all = records();
        all.push(Record::Unsaved { stack: key(), gestures: 0, annotations: 0 });
        assert!(!Recovery::replay(all).is_worth_offering());
    }

    #[test]
    fn a_damaged_journal_takes_no_memory_and_does_not_fail() {
        let mut all = records();
        all.push(Record::Voxels {
            stack: key(),
            segment: SegmentId(3),
            dims: [usize::MAX, 2, 1],
            edited: true,
            slices: vec![(0, vec![(0, u32::MAX)])],
        });
        let r = Recovery::replay(all);
        assert_eq!(r.stacks[&key()].segments[0].0.mask.count(), 2);
    }

    #[test]
    fn what_is_left_replays_to_the_same_work() {
        let mut all = records();
        let document = ReportDocument::with_sections(["Findings"]);
        all.push(Record::Report {
            study: "1.2".into(),
            document: Box::new(document),
            changes: 3,
            signed: Signed::default(),
            kept: vec![(Rule::R08, "The prostate is no organ of a woman.".into(), "Trans patient.".into())],
        });
        let whole = Recovery::replay(all);
        assert_eq!(whole.gestures, 5);
        assert_eq!(Recovery::replay(whole.left()), whole);
        assert_eq!(Recovery { stacks: BTreeMap::new(), reports: BTreeMap::new(), ..whole }.left(), []);
    }
}
