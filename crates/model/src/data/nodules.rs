//! Crops round lung nodules with the marks of four radiologists (LIDC-IDRI).

use super::case::{Case, Item, Pixels, Set, Table, Truth, in_parallel};
use super::cxr;
use super::files::{FileSet, folder};
use crate::{Error, Result};
use std::path::Path;

/// Name of the set in cards and recipes.
pub const SET: &str = "lung-nodules";
/// Every nodule was shown to four.
pub const READERS: u8 = 4;
/// A mark's grey step in the files.
const STEP: u8 = 60;

/// The crops of a data root.
#[derive(Debug)]
pub struct NoduleSet {
    files: FileSet,
    items: Vec<Item>,
}

impl NoduleSet {
    /// Finds `ROOT/ct/lung-nodules128*` and `ROOT/ct/lung-nodules.csv`.
    ///
    /// # Errors
    /// [`Error::Data`] for a line that points to no image.
    pub fn open(root: &Path) -> Result<Self> {
        let dir = folder(SET, root, "ct")?;
        let fail = |reason: String| Error::Data { set: SET.into(), reason };
        let files = FileSet::open_under(&dir, "lung-nodules128", &["images", "readers"])?;
        if files.is_empty() {
            return Err(fail(format!("there are no images: lung-nodules128.zip is missing in {}", dir.display())));
        }
        let table = Table::read(SET, &dir.join("lung-nodules.csv"))?;
        let (image, person) = (table.column(SET, "image")?, table.column(SET, "person")?);
        let mut items = Vec::with_capacity(table.rows().len());
        for row in table.rows() {
            let name = row[image].clone();
            for file in [format!("images/{name}.jpg"), format!("readers/{name}.png")] {
                if !files.contains(&file) {
                    return Err(fail(format!("lung-nodules.csv names a file that is not there: {file}")));
                }
            }
            items.push(Item { name, person: row[person].clone(), class: None, score: None });
        }
        if items.is_empty() {
            return Err(fail("lung-nodules.csv names no image".into()));
        }
        Ok(Self { files, items })
    }
}

impl Set for NoduleSet {
    fn name(&self) -> &'static str {
        SET
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn classes(&self) -> &'static [&'static str] {
        &["Nodule"]
    }

    fn load(&self, which: &[usize]) -> Result<Vec<Case>> {
        in_parallel(
            which,
            || self.files.reader(),
            |files, i| {
                let item = &self.items[i];
                let (image, marks) = (format!("images/{}.jpg", item.name), format!("readers/{}.png", item.name));
                let (columns, rows, pixels) = cxr::decode(SET, &image, &files.read(&image)?)?;
                let (mark_columns, mark_rows, marks) = cxr::decode(SET, &marks, &files.read(&marks)?)?;
                if (mark_columns, mark_rows) != (columns, rows) {
                    let reason = format!(
                        "the marks of {} have {mark_columns} x {mark_rows} pixels, its image {columns} x {rows}",
                        item.name
                    );
                    return Err(Error::Data { set: SET.into(), reason });
                }
                // The nearest step; 240 and half a step are more than 8 bits hold.
                let count = |m: u8| (m.saturating_add(STEP / 2) / STEP).min(READERS);
                let marks = marks.into_iter().map(count).collect();
                Ok(Case {
                    name: item.name.clone(),
                    person: item.person.clone(),
                    size: [1, rows, columns],
                    pixels: Pixels::U8(pixels),
                    truth: Truth::Share { marks, readers: READERS },
                    affine_lps: None,
                })
            },
        )
    }
}
