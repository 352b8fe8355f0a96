//! Reads and writes DICOM and the other image files; the only crate that knows a tag.

mod compose;
pub mod index;
pub mod phantom;
pub mod warning;

pub use index::{FrameRef, Patient, Series, Skipped, Source, Stack, Study, StudyIndex};
pub use warning::{Warning, WarningKind};
