//! Reads and writes DICOM and the other image files; the only crate that knows a tag.

mod archive;
mod attr;
mod bytes;
mod compose;
pub mod decode;
pub mod error;
mod file;
mod foreign;
mod grid;
mod groups;
pub mod index;
pub mod lut;
mod meta;
mod metaimage;
pub mod nifti;
pub mod nrrd;
mod parse;
pub mod phantom;
mod pixels;
pub mod seg;
pub mod store;
mod syntax;
mod text;
pub mod warning;

pub use decode::{Decoded, FrameSelection, Stage, StoredPixels, decode, stored};
pub use error::{Error, Fault};
pub use index::{FrameRef, Patient, Series, Skipped, Source, Stack, Study, StudyIndex};
pub use store::Opener;
pub use warning::{Warning, WarningKind};
