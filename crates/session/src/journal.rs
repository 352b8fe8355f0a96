//! Work in progress on disk: each gesture is appended and flushed when it ends, so that a kill loses at most the stroke in
//! the hand.
//!
//! The journal is a file of JSON lines in the cache folder. Records hold states, not steps: the slices of a mask as they
//! are after the gesture, the list of measurements, the report. Replaying them in order gives the work back; a torn last
//! line is left out.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use lightbox_core::label::{Code, MaskOrigin};
use lightbox_core::{BitPlane, Mask, PatientPos, Plane, Rgb, Segment, SegmentId};
use lightbox_report::ReportDocument;
use serde::{Deserialize, Serialize};

use crate::annotation::{Annotation, AnnotationKind};
use crate::ids::{AnnotationId, StackId, StackKey};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// Paths that were opened.
    Opened {
        /// Absolute paths.
        paths: Vec<PathBuf>,
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
    /// The report.
    Report {
        /// As it is.
        document: Box<ReportDocument>,
    },
    /// How many gestures of a person on a stack are in no file yet; a model's result alone counts none.
    Unsaved {
        /// Stack.
        stack: StackKey,
        /// Gestures.
        gestures: usize,
    },
    /// The report has been saved to a file.
    ReportSaved,
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

/// What a journal holds of one stack.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StackWork {
    /// Segments in list order, with whether nobody accepted them yet.
    pub segments: Vec<(Segment, bool)>,
    /// Measurements.
    pub annotations: Vec<AnnotationRecord>,
    /// Gestures since the last save.
    pub unsaved: usize,
}

/// The work of an earlier session.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recovery {
    /// Paths to open again.
    pub paths: Vec<PathBuf>,
    /// By stack.
    pub stacks: BTreeMap<StackKey, StackWork>,
    /// The report, when it was not saved.
    pub report: Option<ReportDocument>,
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
        let mut report_gestures = 0;
        for record in records {
            match record {
                Record::Opened { paths } => {
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
                Record::Report { document } => {
                    out.report = Some(*document);
                    report_gestures += 1;
                }
                Record::Unsaved { stack, gestures } => out.stacks.entry(stack).or_default().unsaved = gestures,
                Record::ReportSaved => report_gestures = 0,
            }
        }
        out.gestures = out.stacks.values().map(|w| w.unsaved).sum::<usize>() + report_gestures;
        out
    }
}

impl StackWork {
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

/// The journal of the running session.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Option<File>,
}

impl Journal {
    /// A journal of this process in `dir`; the file is made with the first record.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis());
        Self { path: dir.join(format!("work-{since}-{}.jsonl", std::process::id())), file: None }
    }

    /// Appends records and waits until they are on the disk.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let mut text = Vec::new();
        for record in records {
            serde_json::to_writer(&mut text, record)?;
            text.push(b'\n');
        }
        if self.file.is_none() {
            if let Some(dir) = self.path.parent() {
                fs::create_dir_all(dir)?;
            }
            self.file = Some(fs::OpenOptions::new().create(true).append(true).open(&self.path)?);
        }
        if let Some(file) = &mut self.file {
            file.write_all(&text)?;
            file.sync_data()?;
        }
        Ok(())
    }

    /// Deletes the journal: everything in it has been saved or given up.
    pub fn remove(&mut self) {
        self.file = None;
        // A journal that cannot be deleted is offered again, which loses nothing.
        fs::remove_file(&self.path).ok();
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads a journal; stops at the first line that is not whole.
///
/// # Errors
/// When the file cannot be read at all.
pub fn read(path: &Path) -> io::Result<Recovery> {
    let mut records = Vec::new();
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        match serde_json::from_slice(&line?) {
            Ok(record) => records.push(record),
            Err(_) => break,
        }
    }
    let mut recovery = Recovery::replay(records);
    recovery.journal = path.to_owned();
    Ok(recovery)
}

/// The newest journal in `dir` that another, ended process left with work in it. Journals without work are deleted.
#[must_use]
pub fn find(dir: &Path, own: &Path) -> Option<Recovery> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .ok()?
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "jsonl") && p != own)
        .collect();
    paths.sort();
    let mut best = None;
    for path in paths.into_iter().rev() {
        if owner_is_alive(&path) {
            continue;
        }
        match read(&path) {
            Ok(recovery) if recovery.is_worth_offering() => best = best.or(Some(recovery)),
            Ok(_) => {
                fs::remove_file(&path).ok();
            }
            Err(_) => {}
        }
    }
    best
}

/// Whether the process that writes this journal still runs; where that cannot be told, it does not.
fn owner_is_alive(path: &Path) -> bool {
    let pid = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.rsplit('-').next()).and_then(|s| s.parse().ok());
    pid.is_some_and(|pid: u32| pid == std::process::id() || Path::new(&format!("/proc/{pid}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> StackKey {
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

    fn records() -> Vec<Record> {
        vec![
            Record::Opened { paths: vec!["/a".into()] },
            Record::Segment { stack: key(), place: 0, segment: Box::new(SegmentRecord::of(&segment(), false)) },
            Record::Voxels {
                stack: key(),
                segment: SegmentId(3),
                dims: [4, 4, 2],
                edited: false,
                slices: vec![(1, vec![(5, 2)])],
            },
            Record::Unsaved { stack: key(), gestures: 2 },
        ]
    }

    #[test]
    fn a_torn_last_line_costs_only_that_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::new(dir.path());
        journal.append(&records()).expect("written");
        let mut text = fs::read(journal.path()).expect("read");
        // Into the line of the voxels: the count after it, and the end of that line, are gone.
        text.truncate(text.len() - 90);
        let torn = dir.path().join("work-1-0.jsonl");
        fs::write(&torn, &text).expect("written");
        let r = read(&torn).expect("read");
        assert_eq!(r.stacks[&key()].segments[0].0.mask.count(), 0);
        let whole = read(journal.path()).expect("read");
        assert_eq!(whole.stacks[&key()].segments[0].0.mask.count(), 2);
        assert!(whole.stacks[&key()].segments[0].0.mask.get([1, 1, 1]));
        assert_eq!(whole.gestures, 2);
    }

    #[test]
    fn saved_work_is_not_offered() {
        let mut all = records();
        all.push(Record::Unsaved { stack: key(), gestures: 0 });
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
}
