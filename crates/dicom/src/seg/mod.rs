//! Masks as DICOM Segmentation objects (PS3.3 A.51, C.8.20).
//!
//! [`write`] saves masks over the images that they were drawn on, reads the file back and compares it pixel by pixel
//! before it takes the place of an older one. [`read`] reads what others wrote, and [`SegFile::place_on`] puts it onto the
//! pixels of a series, or says why it does not belong there.

mod codes;
mod colour;
mod place;
mod read;
mod reference;
mod write;

pub use crate::compose::WriteFault;
use crate::error::Fault;

pub use place::Belonging;
pub use read::{SegFile, SegKind, read};
pub use reference::SegReference;
pub use write::{write, write_confirmed};

/// Segmentation Storage.
pub const SEGMENTATION_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.66.4";
/// Label Map Segmentation Storage.
pub const LABEL_MAP_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.66.7";

/// What was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegSaved {
    /// Segments in the file.
    pub segments: usize,
    /// Segments that were read back from the disk exactly as they were drawn; always all of them.
    pub equal: usize,
    /// Frames in the file: one for each segment and image where something is drawn.
    pub frames: usize,
}

/// Why a mask could not be saved, read or placed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegError {
    /// No mask has a pixel.
    #[error("there is nothing to save: no mask has a pixel")]
    Nothing,
    /// More than the format numbers.
    #[error("{0} segments are more than one file can hold (65,535)")]
    TooMany(usize),
    /// The masks together need more bytes than a DICOM value can have.
    #[error("the masks are too large for one file; save fewer of them at once")]
    TooLarge,
    /// The images are no DICOM images.
    #[error("these images are not DICOM, so a DICOM mask cannot refer to them")]
    NotDicom,
    /// The mask was not drawn on these images.
    #[error("the mask \"{name}\" has {} x {} pixels on {} images, the series has {} x {} on {}",
        mask[0], mask[1], mask[2], images[0], images[1], images[2])]
    MaskSize {
        /// Name of the segment.
        name: String,
        /// Columns, rows, images of the mask.
        mask: [usize; 3],
        /// Columns, rows, images of the series.
        images: [usize; 3],
    },
    /// The file could not be written; an older one is still whole.
    #[error("the mask is not saved, and nothing was overwritten: {fault}: {path}")]
    Write {
        /// Why not.
        fault: WriteFault,
        /// Where to.
        path: String,
    },
    /// What was written does not read back as it was drawn; an older file is still whole.
    #[error("the mask is not saved, and nothing was overwritten: {reason}: {path}")]
    NotEqual {
        /// What differs.
        reason: String,
        /// Where to.
        path: String,
    },
    /// A file could not be read.
    #[error("{fault}: {path}")]
    Read {
        /// Why not.
        fault: Fault,
        /// Which file.
        path: String,
    },
    /// Another kind of object.
    #[error("this is not a DICOM segmentation: {path}")]
    NotASegmentation {
        /// Which file.
        path: String,
    },
    /// A segmentation that contradicts itself or is of a form that is not read.
    #[error("the segmentation cannot be used: {reason}: {path}")]
    Broken {
        /// One clause.
        reason: String,
        /// Which file.
        path: String,
    },
    /// The mask was made on other images.
    #[error("this mask belongs to another series: {path}")]
    OtherSeries {
        /// Which file.
        path: String,
    },
    /// The mask is of another frame of reference (PS3.3 C.7.4.1): positions cannot be compared.
    #[error("this mask belongs to another frame of reference than the series, so its place is not known: {path}")]
    OtherFrameOfReference {
        /// Which file.
        path: String,
    },
    /// The mask has another size than the images that it names.
    #[error("the mask has {} x {} pixels, the images have {} x {}: {path}", mask[0], mask[1], images[0], images[1])]
    OtherSize {
        /// Columns and rows of the mask.
        mask: [usize; 2],
        /// Columns and rows of the images.
        images: [usize; 2],
        /// Which file.
        path: String,
    },
    /// A frame of the mask lies on no image.
    #[error("frame {} of the mask lies on no image of this series: {path}", frame + 1)]
    Elsewhere {
        /// Frame, 0-based.
        frame: usize,
        /// Which file.
        path: String,
    },
}
