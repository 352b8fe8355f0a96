//! Reports as DICOM: Basic Text SR, measurements as Comprehensive 3D SR (TID 1500), and encapsulated PDF.
//!
//! | room | subject |
//! |---|---|
//! | [`content`] | content items of the tree |
//! | [`write`] | the three objects |

mod content;
mod write;

#[cfg(test)]
mod tests;

pub use self::write::{write_measurements, write_pdf, write_text};
use crate::compose::WriteFault;

/// Basic Text SR Storage.
pub const BASIC_TEXT_SR: &str = "1.2.840.10008.5.1.4.1.1.88.11";
/// Comprehensive 3D SR Storage.
pub const COMPREHENSIVE_3D_SR: &str = "1.2.840.10008.5.1.4.1.1.88.34";
/// Encapsulated PDF Storage.
pub const ENCAPSULATED_PDF: &str = "1.2.840.10008.5.1.4.1.1.104.1";

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SrError {
    /// There is nothing in it.
    #[error("the report holds nothing to write")]
    Nothing,
    /// The document is no PDF, or longer than an element may be.
    #[error("the document is no PDF of less than 4 GiB")]
    NoPdf,
    /// The file could not be written.
    #[error("{fault}: {path}")]
    Write {
        /// Why not.
        fault: WriteFault,
        /// Where.
        path: String,
    },
}

/// What stands around the content.
#[derive(Debug, Clone, Default)]
pub struct SrFrame {
    /// The name of the report ("CT of the chest").
    pub title: String,
    /// Who reads, as `FAMILY^Given`; empty where nobody is named.
    pub reader: String,
    /// Whether a person has signed. Only then is the object VERIFIED and COMPLETE.
    pub signed: bool,
    /// When, UTC, as `YYYYMMDDHHMMSS`; the time of writing where it is empty.
    pub signed_at: String,
    /// The reader's organisation, which a verified object must name.
    pub organization: String,
}

/// A part of the text under its heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrPart {
    /// The heading ("Findings").
    pub heading: String,
    /// Its paragraphs.
    pub paragraphs: Vec<String>,
}

/// One finding with its measurements.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SrFinding {
    /// The name that it is followed up under.
    pub tracking_id: String,
    /// What it is, in words.
    pub term: String,
    /// Where it is, in words; may be empty.
    pub site: String,
    /// `left`, `right`, `bilateral`; empty for none.
    pub side: String,
    /// Diameters in mm, longest first, three at most.
    pub size_mm: Vec<f64>,
    /// Volume in mL.
    pub volume_ml: Option<f64>,
    /// Mean density in HU.
    pub mean_hu: Option<f64>,
    /// The model that found it, with its version or hash; empty where a person did.
    pub model: Option<(String, String)>,
}
