//! What a scan finds: studies, series, and the stacks that the viewer shows. Headers only, no pixels.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_core::measure::Calibration;
use lightbox_core::{VolumeGeometry, Window};
use serde::Serialize;

use crate::quantity::{RealWorldMap, Suv};
use crate::warning::Warning;

/// All that was found under some paths, and what was left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StudyIndex {
    /// Sorted: newest study first, then by description.
    pub studies: Vec<Study>,
    /// Files that are no image that we read, each with one sentence.
    pub skipped: Vec<Skipped>,
}

/// A file that was left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Skipped {
    /// The file, or the member of an archive as `archive.zip/member`.
    pub path: String,
    /// One sentence.
    pub reason: String,
}

/// A study.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Study {
    /// Study Instance UID, or one made from the path for files that are not DICOM.
    pub uid: String,
    /// Study Date as `YYYY-MM-DD`, empty when unknown.
    pub date: String,
    /// Study Time as `HH:MM`, empty when unknown.
    pub time: String,
    /// Study Description.
    pub description: String,
    /// Accession Number.
    pub accession: String,
    /// Whom it shows.
    pub patient: Patient,
    /// Sorted by series number, then UID.
    pub series: Vec<Series>,
}

/// The patient as the header tells.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Patient {
    /// As people read it: `FAMILY, Given`.
    pub name: String,
    /// Patient ID.
    pub id: String,
    /// `F`, `M`, `O` or empty.
    pub sex: String,
    /// `YYYY-MM-DD`, empty when unknown.
    pub birth_date: String,
    /// Age at the study in years, from Patient's Age or the two dates.
    pub age_years: Option<f64>,
}

/// A series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Series Instance UID.
    pub uid: String,
    /// `CT`, `MR`, `DX`, …
    pub modality: String,
    /// Series Description.
    pub description: String,
    /// Series Number.
    pub number: Option<i64>,
    /// Body Part Examined.
    pub body_part: String,
    /// View Position of a projection.
    pub view: String,
    /// `L`, `R`, `B` or empty.
    pub laterality: String,
    /// Contrast agent as the header names it; empty when none is named.
    pub contrast: String,
    /// Protocol name.
    pub protocol: String,
    /// Frame of Reference UID, empty when there is none.
    pub frame_of_reference: String,
    /// Transfer Syntax UID of the first instance.
    pub transfer_syntax: String,
    /// Number of frames in all instances.
    pub frames: usize,
    /// What the viewer shows: one volume or list of images each. More than one where times, echoes or orientations differ.
    pub stacks: Vec<Stack>,
    /// What a reader has to know about this series.
    pub warnings: Vec<Warning>,
    /// For PET: the factor to SUV by body weight, or why there is none.
    pub suv: Option<Result<Suv, String>>,
    /// Real-world value maps of the first image.
    pub real_world: Vec<RealWorldMap>,
    /// Objects without pixels to show (SEG, RTSTRUCT, SR, …) that belong to this series, by file.
    pub objects: Vec<ObjectRef>,
}

impl Series {
    /// The stacks that `lightbox volume` numbers: those with a place in the patient. A single image that lies as a
    /// volume of the series does, yet has another size, is a stray and none of them.
    #[must_use]
    pub fn volumes(&self) -> Vec<&Stack> {
        let is_stray = |s: &Stack| {
            s.frames.len() == 1
                && self.stacks.iter().filter(|v| v.frames.len() > 1).any(|v| match (&s.geometry, &v.geometry) {
                    (Some(a), Some(b)) => (0..2).all(|axis| a.direction(axis).distance(b.direction(axis)) < 1e-4),
                    _ => false,
                })
        };
        self.stacks.iter().filter(|s| s.geometry.is_some() && !is_stray(s)).collect()
    }
}

/// A DICOM object that is not an image for a viewport.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectRef {
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// What it is and holds: `RT Structure Set: Prostate, 12 regions`.
    pub summary: String,
    /// Where it is.
    pub source: Source,
}

/// Frames that are scrolled together, in display order.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// What tells it from the others of its series (`TE 90 ms`, `b 800`, `time 3`, `sagittal`, `512 x 512`); no two of a
    /// series have the same, and only one has none.
    pub key: String,
    /// Frame of Reference UID, empty when not told: stacks of one series may differ.
    pub frame_of_reference: String,
    /// Columns of a frame.
    pub columns: usize,
    /// Rows of a frame.
    pub rows: usize,
    /// The frames, ascending along the normal where positions are known.
    pub frames: Vec<FrameRef>,
    /// Its place in the patient, where all frames have one and the same size and orientation. For uneven or missing
    /// slices the step is the mean step, and a warning says so. A single slice with a position has one too.
    pub geometry: Option<VolumeGeometry>,
    /// Whether it is a volume: at least two slices on one even lattice or near enough to be reformatted.
    pub is_volume: bool,
    /// Slice thickness in mm, where told.
    pub thickness_mm: Option<f64>,
    /// Size of a pixel `[between rows, between columns]` in mm, where known by any means.
    pub pixel_spacing_mm: Option<[f64; 2]>,
    /// How that size is known.
    pub calibration: Calibration,
    /// Letters towards which a row and a column run (Patient Orientation), for images without cosines: `("L", "F")`.
    pub patient_orientation: Option<(String, String)>,
    /// Windows of the file with their explanation, in order.
    pub windows: Vec<(String, Window)>,
    /// MONOCHROME1 or an inverse presentation.
    pub inverted: bool,
    /// Unit of the values after rescale: `HU`, `Bq/mL`, or empty for values as stored.
    pub unit: String,
    /// Whether the pixels went through lossy compression, as the header tells.
    pub lossy: bool,
}

/// One frame of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameRef {
    /// The file.
    pub source: Source,
    /// Frame in the file, 0-based.
    pub frame: usize,
    /// SOP Class UID, empty for other formats.
    pub sop_class_uid: String,
    /// SOP Instance UID, empty for other formats.
    pub sop_instance_uid: String,
    /// Instance Number.
    pub instance_number: Option<i64>,
    /// Image Position (Patient), mm.
    pub position: Option<[f64; 3]>,
}

/// Where bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A file.
    File(Arc<PathBuf>),
    /// A member of a ZIP archive.
    Zip {
        /// The archive.
        archive: Arc<PathBuf>,
        /// Index of the member.
        index: usize,
        /// Name of the member.
        name: Arc<str>,
    },
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Zip { archive, name, .. } => write!(f, "{}/{name}", archive.display()),
        }
    }
}
