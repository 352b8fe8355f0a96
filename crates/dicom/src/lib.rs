//! Reads and writes DICOM and the other image files; the only crate that knows a tag.
