//! Whole chest CT slices (TCGA-LUAD, TCGA-LUSC) and patches round lung tumours (Decathlon, task 6), from `.npz` files.

use super::case::{Case, Item, Pixels, Set, Truth};
use crate::image::resize;
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

/// The patches' pixels are of 2 mm; so many times enlarged they are as fine as those of other chest CT.
const PATCH_FINER: usize = 3;

/// A patch on pixels of 0.67 mm: HU between those of the source, each mask's pixel made nine.
fn finer(case: Case) -> Case {
    let [_, rows, columns] = case.size;
    let (w, h) = (columns * PATCH_FINER, rows * PATCH_FINER);
    let image = resize(&case.pixels.to_f32(), columns, rows, w, h).iter().map(|v| v.round() as i16).collect();
    let source = |i: usize| i / w / PATCH_FINER * columns + i % w / PATCH_FINER;
    let truth = match case.truth {
        Truth::Labels(mask) => Truth::Labels((0..w * h).map(|i| mask[source(i)]).collect()),
        other => other,
    };
    Case { size: [1, h, w], pixels: Pixels::I16(image), truth, ..case }
}

/// The tumour patches of a data root, enlarged to pixels of 0.67 mm.
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
        Ok(which.iter().map(|i| finer(self.0.case(*i))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finer_patch_keeps_place_and_value() {
        let mut image = vec![-800i16; 48 * 48];
        let mut mask = vec![0u8; 48 * 48];
        for i in (0..48 * 48).filter(|i| (20..28).contains(&(i / 48)) && (10..16).contains(&(i % 48))) {
            image[i] = 40;
            mask[i] = 1;
        }
        let items = vec![Item { name: "000".into(), person: "a".into(), class: None, score: None }];
        let set = PatchSet(Slices { items, rows: 48, columns: 48, image, mask });
        let case = set.load(&[0]).unwrap().remove(0);
        assert_eq!(case.size, [1, 144, 144]);
        let (values, mask) = (case.pixels.to_f32(), case.mask(1));
        assert_eq!(mask.iter().filter(|m| **m).count(), 9 * 8 * 6);
        assert!(mask[60 * 144 + 30] && mask[83 * 144 + 47] && !mask[59 * 144 + 30] && !mask[83 * 144 + 48]);
        assert_eq!((values[72 * 144 + 39], values[72 * 144 + 100]), (40.0, -800.0));
    }
}
