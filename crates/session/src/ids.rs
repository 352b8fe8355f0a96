//! Numbers that stand for things; they never come back after their thing has gone.

use serde::{Deserialize, Serialize};

/// A stack of frames in the study list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackId(pub u32);

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AnnotationId(pub u32);

/// The name of a stack that holds over restarts: series and key within the series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackKey {
    /// Series Instance UID.
    pub series_uid: String,
    /// [`lightbox_dicom::Stack::key`].
    pub key: String,
}
