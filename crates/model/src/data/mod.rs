//! Data sets on disk: where a set's files lie, who is on them, and the split by person.

pub mod case;
pub mod chest_ct;
pub mod cxr;
pub mod files;
pub mod hippocampus;
mod nifti;
pub mod nodules;
pub mod pneumonia;
pub mod split;
pub mod tumour;

pub use case::{Cache, Case, Item, Pixels, Set, Truth};
pub use cxr::LungCase;
pub use files::FileSet;
pub use split::{Part, SplitSpec};

use std::path::{Path, PathBuf};

/// The data root: `given`, else `LIGHTBOX_DATA`, else `../shared/data` seen from the current folder.
pub fn root(given: Option<&Path>) -> PathBuf {
    match (given, std::env::var_os("LIGHTBOX_DATA")) {
        (Some(path), _) => path.to_owned(),
        (None, Some(path)) if !path.is_empty() => PathBuf::from(path),
        _ => PathBuf::from("../shared/data"),
    }
}
