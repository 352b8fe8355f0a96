//! What can go wrong with a file, typed, each one sentence.

use std::fmt::Display;

/// What is wrong with one file or frame; it does not name the file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The operating system refused.
    #[error("the file cannot be read ({0})")]
    Read(String),
    /// The operating system refused to write.
    #[error("the file cannot be written ({0})")]
    Write(String),
    /// No format that we know.
    #[error("this is not an image file that we know")]
    UnknownFormat,
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// The header cannot be read to the point where an image would begin.
    #[error("the header is broken: {0}")]
    Header(String),
    /// The file ends too early.
    #[error("the file is cut off: {0}")]
    CutOff(String),
    /// Attributes, but no picture.
    #[error("the file holds no image ({0})")]
    NoImage(String),
    /// A picture that contradicts itself.
    #[error("the image description is not possible: {0}")]
    ImageModule(String),
    /// A compression that is not read.
    #[error("images compressed as {name} ({uid}) cannot be shown")]
    TransferSyntax {
        /// Name in the standard, or what we know of it.
        name: String,
        /// Transfer Syntax UID.
        uid: String,
    },
    /// A compressed frame that cannot be unpacked.
    #[error("the {codec} data of frame {} cannot be unpacked: {reason}", frame + 1)]
    Codec {
        /// `RLE`, `JPEG`, …
        codec: &'static str,
        /// Frame, 0-based.
        frame: usize,
        /// One clause.
        reason: String,
    },
    /// No such frame.
    #[error("frame {} does not exist, there are {frames}", frame + 1)]
    NoFrame {
        /// Frame asked for, 0-based.
        frame: usize,
        /// Frames present.
        frames: usize,
    },
    /// More than we are willing to hold.
    #[error("{0}")]
    TooLarge(String),
    /// An archive that cannot be read.
    #[error("the archive cannot be read: {0}")]
    Archive(String),
}

/// A fault and the file that has it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// One file.
    #[error("{fault}: {path}")]
    File {
        /// What is wrong.
        fault: Fault,
        /// Which file.
        path: String,
    },
    /// A stack that is no volume.
    #[error("this series is not a volume: {0}")]
    NotAVolume(String),
    /// The job was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The slices do not fit together.
    #[error(transparent)]
    Volume(#[from] lightbox_core::volume::VolumeError),
    /// The axes span no space.
    #[error(transparent)]
    Geometry(#[from] lightbox_core::geometry::GeometryError),
}

impl Fault {
    /// With the file that has it.
    #[must_use]
    pub fn at(self, path: impl Display) -> Error {
        Error::File { fault: self, path: path.to_string() }
    }

    pub(crate) fn read(error: &std::io::Error) -> Self {
        Self::Read(plain(error))
    }

    pub(crate) fn write(error: &std::io::Error) -> Self {
        Self::Write(plain(error))
    }
}

impl From<crate::compose::WriteFault> for Fault {
    fn from(fault: crate::compose::WriteFault) -> Self {
        match fault {
            crate::compose::WriteFault::Io { source, .. } => Self::write(&source),
            other @ crate::compose::WriteFault::Encode(_) => Self::Write(other.to_string()),
        }
    }
}

impl Error {
    /// What is wrong, without the file's name.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::File { fault, .. } => fault.to_string(),
            other => other.to_string(),
        }
    }
}

/// An operating system's reason without its number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text.to_lowercase(),
    }
}
