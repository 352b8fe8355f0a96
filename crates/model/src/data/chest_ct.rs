//! Whole chest CT slices (TCGA-LUAD, TCGA-LUSC) and patches round lung tumours (Decathlon, task 6), from `.npz` files.

use super::case::{Case, Item, Pixels, Set, Truth};
use crate::npy::{self, Values};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Name of the chest slices in cards and recipes.
pub const SET: &str = "chest-ct";
/// Name of the tumour patches.
pub const PATCHES: &str = "lung-tumour-patches";
const LARGEST_MEMBER_BYTES: u64 = 1 << 28;

fn fail(set: &str, reason: impl Into<String>) -> Error {
    Error::Data { set: set.into(), reason: reason.into() }
}

/// The arrays of a `.npz` (a ZIP of `.npy`).
fn arrays(set: &str, path: &Path, wanted: &[&str]) -> Result<BTreeMap<String, (Vec<usize>, Values)>> {
    if !path.is_file() {
        return Err(fail(set, format!("the file is missing: {}", path.display())));
    }
    let file = std::fs::File::open(path).map_err(Error::read(path))?;
    let mut zip = zip::ZipArchive::new(std::io::BufReader::new(file))
        .map_err(|e| fail(set, format!("{e} in {}", path.display())))?;
    let mut all = BTreeMap::new();
    for name in wanted {
        let member = zip.by_name(&format!("{name}.npy")).map_err(|e| fail(set, format!("{e}: {name}")))?;
        let mut bytes = Vec::new();
        member.take(LARGEST_MEMBER_BYTES).read_to_end(&mut bytes).map_err(|e| fail(set, format!("{e}: {name}")))?;
        all.insert((*name).to_owned(), npy::parse_any(&bytes).map_err(|e| fail(set, format!("{e}: {name}")))?);
    }
    Ok(all)
}

/// Both sets: slices in memory (they are small).
struct Slices {
    items: Vec<Item>,
    rows: usize,
    columns: usize,
    image: Vec<i16>,
    mask: Vec<u8>,
}

impl Slices {
    fn open(set: &'static str, path: &Path, mask: Option<&str>) -> Result<Self> {
        let mut wanted = vec!["image", "person"];
        wanted.extend(mask);
        let mut all = arrays(set, path, &wanted)?;
        let Some((shape, Values::I16(image))) = all.remove("image") else {
            return Err(fail(set, "its images are not int16"));
        };
        let [n, rows, columns] = shape[..] else { return Err(fail(set, "its images are not [n, rows, columns]")) };
        let persons: Vec<String> = match all.remove("person") {
            Some((shape, values)) if shape == [n] => values.to_text(),
            _ => return Err(fail(set, "there is not one person for each image")),
        };
        let mask = match mask.and_then(|m| all.remove(m)) {
            Some((shape, values)) if shape == [n, rows, columns] => {
                values.to_f64().into_iter().map(|v| u8::from(v > 0.0)).collect()
            }
            Some(_) => return Err(fail(set, "its masks are not as large as its images")),
            None => Vec::new(),
        };
        let items = persons
            .into_iter()
            .enumerate()
            .map(|(i, person)| Item { name: format!("{i:03}"), person, class: None, score: None })
            .collect();
        Ok(Self { items, rows, columns, image, mask })
    }

    fn case(&self, i: usize) -> Case {
        let size = self.rows * self.columns;
        Case {
            name: self.items[i].name.clone(),
            person: self.items[i].person.clone(),
            size: [1, self.rows, self.columns],
            pixels: Pixels::I16(self.image[i * size..][..size].to_vec()),
            truth: match self.mask.get(i * size..(i + 1) * size) {
                Some(mask) => Truth::Labels(mask.to_vec()),
                None => Truth::None,
            },
            affine_lps: None,
        }
    }
}

/// The chest slices of a data root.
pub struct ChestSet(Slices);

impl ChestSet {
    /// Finds `ROOT/ct/chest256.npz`.
    ///
    /// # Errors
    /// [`Error::Data`] where the file is missing or not laid out so.
    pub fn open(root: &Path) -> Result<Self> {
        Ok(Self(Slices::open(SET, &root.join("ct/chest256.npz"), None)?))
    }
}

impl Set for ChestSet {
    fn name(&self) -> &'static str {
        SET
    }

    fn items(&self) -> &[Item] {
        &self.0.items
    }

    fn classes(&self) -> &'static [&'static str] {
        &[]
    }

    fn load(&self, which: &[usize]) -> Result<Vec<Case>> {
        Ok(which.iter().map(|i| self.0.case(*i)).collect())
    }
}

/// The tumour patches of a data root.
pub struct PatchSet(Slices);

impl PatchSet {
    /// Finds `ROOT/ct/lung-tumour-patches.npz`.
    ///
    /// # Errors
    /// As [`ChestSet::open`].
    pub fn open(root: &Path) -> Result<Self> {
        Ok(Self(Slices::open(PATCHES, &root.join("ct/lung-tumour-patches.npz"), Some("mask"))?))
    }
}

impl Set for PatchSet {
    fn name(&self) -> &'static str {
        PATCHES
    }

    fn items(&self) -> &[Item] {
        &self.0.items
    }

    fn classes(&self) -> &'static [&'static str] {
        &["Tumour"]
    }

    fn load(&self, which: &[usize]) -> Result<Vec<Case>> {
        Ok(which.iter().map(|i| self.0.case(*i)).collect())
    }
}
