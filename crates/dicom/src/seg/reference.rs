//! The images that a mask lies on.

use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;
use lightbox_core::VolumeGeometry;

use super::SegError;
use crate::archive::Archive;
use crate::attr::Attributes;
use crate::bytes::Bytes;
use crate::compose::Compose;
use crate::error::Fault;
use crate::file::DicomFile;
use crate::index::{Source, Stack};
use crate::parse::Limits;

/// One image of the stack.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReferenceFrame {
    pub(super) sop_class_uid: String,
    pub(super) sop_instance_uid: String,
    /// Frame in a multi-frame file, 1-based as in Referenced Frame Number (0008,1160).
    pub(super) frame_number: u32,
    pub(super) position: Option<[f64; 3]>,
}

/// A stack of images as a target for masks: slice `k` of a mask lies on image `k`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) frames: Vec<ReferenceFrame>,
    pub(super) geometry: Option<VolumeGeometry>,
    pub(super) is_volume: bool,
    pub(super) series_uid: String,
    pub(super) frame_of_reference: String,
}

/// What a mask refers to: the images, and of their header what every object of the study repeats.
#[derive(Debug, Clone)]
pub struct SegReference {
    pub(super) target: Target,
    /// Patient, study and frame of reference of the source.
    pub(super) header: InMemDicomObject,
    pub(super) multi_frame: bool,
    pub(super) thickness_mm: Option<f64>,
    /// Content Creator's Name (0070,0084), as `FAMILY^Given`; may be empty.
    pub creator: String,
}

/// Patient (C.7.1.1), de-identification, study (C.7.2), orientation of a projection, frame of reference (C.7.4.1), lossy
/// compression (which a derived image inherits, C.7.6.1.1.5).
const REPEATED: [(u16, u16); 27] = [
    (0x0008, 0x0020),
    (0x0008, 0x0030),
    (0x0008, 0x0050),
    (0x0008, 0x0051),
    (0x0008, 0x0090),
    (0x0008, 0x1030),
    (0x0010, 0x0010),
    (0x0010, 0x0020),
    (0x0010, 0x0021),
    (0x0010, 0x0030),
    (0x0010, 0x0032),
    (0x0010, 0x0040),
    (0x0010, 0x1010),
    (0x0010, 0x1020),
    (0x0010, 0x1030),
    (0x0012, 0x0062),
    (0x0012, 0x0063),
    (0x0012, 0x0064),
    (0x0020, 0x000D),
    (0x0020, 0x0010),
    (0x0020, 0x0020),
    (0x0020, 0x0052),
    (0x0020, 0x1040),
    (0x0028, 0x2110),
    (0x0028, 0x2112),
    (0x0028, 0x2114),
    (0x0018, 0x0015),
];

/// Elements that must be there, empty if need be (type 2).
const NEEDED: [(u16, u16, VR); 10] = [
    (0x0008, 0x0020, VR::DA),
    (0x0008, 0x0030, VR::TM),
    (0x0008, 0x0050, VR::SH),
    (0x0008, 0x0090, VR::PN),
    (0x0010, 0x0010, VR::PN),
    (0x0010, 0x0020, VR::LO),
    (0x0010, 0x0030, VR::DA),
    (0x0010, 0x0040, VR::CS),
    (0x0020, 0x000D, VR::UI),
    (0x0020, 0x0010, VR::SH),
];

/// The bytes of a file or of an archive's member.
pub(super) fn bytes_of(source: &Source) -> Result<Bytes, Fault> {
    match source {
        Source::File(path) => Bytes::open(path),
        Source::Zip { archive, index, .. } => Archive::open(Bytes::open(archive)?)?.member(*index),
    }
}

/// The header of a stack's first image.
fn header_of(stack: &Stack) -> Result<DicomFile, SegError> {
    if stack.frames.iter().any(|f| f.sop_instance_uid.is_empty() || f.sop_class_uid.is_empty()) {
        return Err(SegError::NotDicom);
    }
    let first = stack.frames.first().ok_or(SegError::NotDicom)?;
    bytes_of(&first.source)
        .and_then(|bytes| DicomFile::read(bytes, Limits::SCAN))
        .map_err(|fault| SegError::Read { fault, path: first.source.to_string() })
}

impl SegReference {
    /// From a stack of the index. Reads the header of its first image.
    ///
    /// # Errors
    /// [`SegError::NotDicom`] for images of other formats, [`SegError::Read`] when the header cannot be read.
    pub fn from_stack(stack: &Stack) -> Result<Self, SegError> {
        let file = header_of(stack)?;
        let source = file.object();
        let mut header = InMemDicomObject::new_empty();
        for (group, element) in REPEATED {
            if let Some(e) = source.get(Tag(group, element)) {
                header.put(e.clone());
            }
        }
        for (group, element, vr) in NEEDED {
            if header.get(Tag(group, element)).is_none() {
                header.put_text(Tag(group, element), vr, "");
            }
        }
        Ok(Self {
            target: Target::new(stack, source.text(Tag(0x0020, 0x000E)), source.text(Tag(0x0020, 0x0052))),
            header,
            multi_frame: source.get(Tag(0x0028, 0x0008)).is_some(),
            thickness_mm: stack.thickness_mm.filter(|t| *t > 0.0),
            creator: String::new(),
        })
    }

    /// Patient and study of the images, for other objects of the same study.
    pub(crate) fn study_header(&self) -> &InMemDicomObject {
        &self.header
    }

    /// Series Instance UID of the images.
    pub(crate) fn series_uid(&self) -> &str {
        &self.target.series_uid
    }

    /// SOP Class and Instance UID of each file of the stack, once.
    pub(crate) fn instances(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut last = "";
        self.target.frames.iter().filter_map(move |frame| {
            let is_new = frame.sop_instance_uid != last;
            last = &frame.sop_instance_uid;
            is_new.then_some((frame.sop_class_uid.as_str(), frame.sop_instance_uid.as_str()))
        })
    }

    /// Columns, rows and images: what a mask on them must have.
    #[must_use]
    pub fn dims(&self) -> [usize; 3] {
        self.target.dims()
    }
}

impl Target {
    pub(super) fn new(stack: &Stack, series_uid: String, frame_of_reference: String) -> Self {
        Self {
            columns: stack.columns,
            rows: stack.rows,
            frames: stack
                .frames
                .iter()
                .map(|f| ReferenceFrame {
                    sop_class_uid: f.sop_class_uid.clone(),
                    sop_instance_uid: f.sop_instance_uid.clone(),
                    frame_number: u32::try_from(f.frame + 1).unwrap_or(u32::MAX),
                    position: f.position,
                })
                .collect(),
            geometry: stack.geometry.clone(),
            is_volume: stack.is_volume,
            series_uid,
            frame_of_reference,
        }
    }

    /// With series and frame of reference from the header of the first image.
    pub(super) fn from_stack(stack: &Stack) -> Result<Self, SegError> {
        let file = header_of(stack)?;
        let o = file.object();
        Ok(Self::new(stack, o.text(Tag(0x0020, 0x000E)), o.text(Tag(0x0020, 0x0052))))
    }

    pub(super) fn dims(&self) -> [usize; 3] {
        [self.columns, self.rows, self.frames.len()]
    }

    /// The place in the patient, where every image has one.
    pub(super) fn placed(&self) -> Option<&VolumeGeometry> {
        self.geometry.as_ref().filter(|_| self.frames.iter().all(|f| f.position.is_some()))
    }
}
