//! Chest X-rays of children, normal, with bacterial or with viral pneumonia (Kermany 2018).

use super::case::{Case, Item, Pixels, Set, Truth, in_parallel};
use super::cxr;
use super::files::{FileSet, folder};
use crate::{Error, Result};
use std::path::Path;

/// Name of the set in cards and recipes.
pub const SET: &str = "cxr-pneumonia";

/// The images of a data root.
#[derive(Debug)]
pub struct PneumoniaSet {
    files: FileSet,
    items: Vec<Item>,
}

/// 0 normal, 1 bacterial, 2 viral; `None` where path and name do not tell.
fn class(path: &str) -> Option<usize> {
    if path.contains("/NORMAL/") {
        return Some(0);
    }
    let stem = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    match (path.contains("/PNEUMONIA/"), stem.contains("bacteria"), stem.contains("virus")) {
        (true, true, false) => Some(1),
        (true, false, true) => Some(2),
        _ => None,
    }
}

impl PneumoniaSet {
    /// Finds `ROOT/cxr/kermany224*`.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no image whose name tells its class.
    pub fn open(root: &Path) -> Result<Self> {
        let dir = folder(SET, root, "cxr")?;
        let fail = |reason: String| Error::Data { set: SET.into(), reason };
        let files = FileSet::open(&dir, "kermany224")?;
        let items: Vec<Item> = files
            .names()
            .filter_map(|name| {
                let person = cxr::person(name);
                Some(Item { name: name.into(), person, class: Some(class(name)?), score: None })
            })
            .collect();
        if items.is_empty() {
            let reason = "no image under NORMAL/ or PNEUMONIA/ whose name tells bacteria or virus";
            return Err(fail(format!("there is {reason} in {}", dir.display())));
        }
        Ok(Self { files, items })
    }
}

impl Set for PneumoniaSet {
    fn name(&self) -> &'static str {
        SET
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn classes(&self) -> &'static [&'static str] {
        &["Normal", "Bacterial pneumonia", "Viral pneumonia"]
    }

    fn load(&self, which: &[usize]) -> Result<Vec<Case>> {
        in_parallel(
            which,
            || self.files.reader(),
            |files, i| {
                let item = &self.items[i];
                let (columns, rows, pixels) = cxr::decode(SET, &item.name, &files.read(&item.name)?)?;
                Ok(Case {
                    name: item.name.clone(),
                    person: item.person.clone(),
                    size: [1, rows, columns],
                    pixels: Pixels::U8(pixels),
                    truth: item.class.map_or(Truth::None, Truth::Class),
                    affine_lps: None,
                })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_folder_and_name() {
        assert_eq!(class("train/NORMAL/IM-0115-0001.jpeg"), Some(0));
        assert_eq!(class("test/PNEUMONIA/person1_bacteria_2.jpeg"), Some(1));
        assert_eq!(class("test/PNEUMONIA/person1_virus_6.jpeg"), Some(2));
        assert_eq!(class("test/PNEUMONIA/other.jpeg"), None);
    }
}
