//! T1 crops with the two parts of the hippocampus (Medical Segmentation Decathlon, task 4).

use super::case::{Case, Item, Pixels, Set, Truth, in_parallel};
use super::files::{FileSet, folder};
use super::nifti;
use crate::{Error, Result};
use std::path::Path;

/// Name of the set in cards and recipes.
pub const SET: &str = "hippocampus";

/// The volumes of a data root.
#[derive(Debug)]
pub struct HippocampusSet {
    files: FileSet,
    items: Vec<Item>,
}

impl HippocampusSet {
    /// Finds `ROOT/nifti/hippocampus*`.
    ///
    /// # Errors
    /// [`Error::Data`] where no image has a label.
    pub fn open(root: &Path) -> Result<Self> {
        let dir = folder(SET, root, "nifti")?;
        let fail = |reason: String| Error::Data { set: SET.into(), reason };
        let files = FileSet::open_under(&dir, "hippocampus", &["images", "labels"])?;
        let items: Vec<Item> = files
            .names()
            .filter_map(|name| name.strip_prefix("images/"))
            .filter(|name| files.contains(&format!("labels/{name}")))
            .map(|name| {
                let person = name.split('.').next().unwrap_or(name).to_owned();
                Item { name: name.into(), person, class: None, score: None }
            })
            .collect();
        if items.is_empty() {
            return Err(fail(format!("no volume in images/ has one of its name in labels/ in {}", dir.display())));
        }
        Ok(Self { files, items })
    }
}

impl Set for HippocampusSet {
    fn name(&self) -> &'static str {
        SET
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn classes(&self) -> &'static [&'static str] {
        &["Anterior hippocampus", "Posterior hippocampus"]
    }

    fn load(&self, which: &[usize]) -> Result<Vec<Case>> {
        in_parallel(
            which,
            || self.files.reader(),
            |files, i| {
                let item = &self.items[i];
                let image = nifti::parse(SET, &item.name, &files.read(&format!("images/{}", item.name))?)?;
                let label = nifti::parse(SET, &item.name, &files.read(&format!("labels/{}", item.name))?)?;
                if image.dims != label.dims {
                    let ([a, b, c], [d, e, f]) = (label.dims, image.dims);
                    let reason =
                        format!("the label has {a} x {b} x {c} voxels, its image {d} x {e} x {f}: {}", item.name);
                    return Err(Error::Data { set: SET.into(), reason });
                }
                if label.values.iter().any(|v| ![0.0, 1.0, 2.0].contains(v)) {
                    let reason = format!("a label is none of 0, 1 and 2: {}", item.name);
                    return Err(Error::Data { set: SET.into(), reason });
                }
                let [columns, rows, slices] = image.dims;
                Ok(Case {
                    name: item.name.clone(),
                    person: item.person.clone(),
                    size: [slices, rows, columns],
                    pixels: Pixels::F32(image.values),
                    truth: Truth::Labels(label.values.iter().map(|v| *v as u8).collect()),
                    affine_lps: Some(image.affine_lps),
                })
            },
        )
    }
}
