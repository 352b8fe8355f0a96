//! Contrast-enhanced T1 slices with the box of a tumour (Cheng 2017).

use super::case::{Case, Item, Pixels, Set, Table, Truth, in_parallel};
use super::cxr;
use super::files::{FileSet, folder};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the set in cards and recipes.
pub const SET: &str = "brain-tumour";
const CLASSES: [&str; 3] = ["glioma", "meningioma", "pituitary"];
/// Ids are in order of acquisition and patients are not named, so neighbours stand for one person: some 13 slices a
/// patient, so that few patients lie on both sides of a block's edge.
const BLOCK: usize = 50;

/// The slices of a data root.
#[derive(Debug)]
pub struct TumourSet {
    files: FileSet,
    items: Vec<Item>,
    /// Centre and size as fractions of the image, and class.
    boxes: Vec<Vec<([f32; 4], usize)>>,
}

/// A case nearer than this to the edge of its block may be of the patient beyond.
const NEAR: usize = 8;
/// Slices of a patient on average: 3,064 of 233.
const PATIENT: usize = 13;

fn number(name: &str) -> Option<usize> {
    let stem = name.rsplit('/').next().unwrap_or(name);
    let digits: String = stem.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn block(name: &str) -> String {
    match number(name) {
        Some(n) => format!("block-{}", n / BLOCK),
        None => format!("file-{name}"),
    }
}

impl TumourSet {
    /// Finds `ROOT/mri/brain-tumour256*` and `ROOT/mri/boxes.csv`.
    ///
    /// # Errors
    /// [`Error::Data`] for a box that points to no image, outside its image or to no class.
    pub fn open(root: &Path) -> Result<Self> {
        let dir = folder(SET, root, "mri")?;
        let fail = |reason: String| Error::Data { set: SET.into(), reason };
        let files = FileSet::open_under(&dir, "brain-tumour256", &CLASSES)?;
        if files.is_empty() {
            return Err(fail(format!("there are no images: brain-tumour256.zip is missing in {}", dir.display())));
        }
        let table = Table::read(SET, &dir.join("boxes.csv"))?;
        let column = |name: &str| table.column(SET, name);
        let (file, class) = (column("file")?, column("class")?);
        let places = [column("cx")?, column("cy")?, column("w")?, column("h")?];
        let mut by_file: BTreeMap<String, Vec<([f32; 4], usize)>> = BTreeMap::new();
        for row in table.rows() {
            let name = &row[file];
            if !files.contains(name) {
                return Err(fail(format!("boxes.csv names an image that is not there: {name}")));
            }
            let class = CLASSES
                .iter()
                .position(|c| *c == row[class])
                .ok_or_else(|| fail(format!("boxes.csv has the class '{}', which is none of the set", row[class])))?;
            let mut b = [0f32; 4];
            for (b, c) in b.iter_mut().zip(places) {
                *b = row[c].parse().map_err(|_| fail(format!("boxes.csv has '{}' where a number belongs", row[c])))?;
            }
            let inside = b.iter().all(|v| (0.0..=1.0).contains(v)) && b[2] > 0.0 && b[3] > 0.0;
            if !inside {
                return Err(fail(format!("a box of boxes.csv does not lie in its image: {name}")));
            }
            by_file.entry(name.clone()).or_default().push((b, class));
        }
        let (mut items, mut boxes) = (Vec::new(), Vec::new());
        for (name, all) in by_file {
            items.push(Item { person: block(&name), class: all.first().map(|b| b.1), score: None, name });
            boxes.push(all);
        }
        if items.is_empty() {
            return Err(fail("boxes.csv names no image".into()));
        }
        Ok(Self { files, items, boxes })
    }
}

impl Set for TumourSet {
    fn name(&self) -> &'static str {
        SET
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn classes(&self) -> &'static [&'static str] {
        &CLASSES
    }

    fn neighbours(&self, i: usize) -> Vec<String> {
        let Some(n) = number(&self.items[i].name) else { return Vec::new() };
        [n.saturating_sub(NEAR), n + NEAR].map(|n| format!("block-{}", n / BLOCK)).into()
    }

    fn unit(&self, i: usize) -> String {
        match number(&self.items[i].name) {
            Some(n) => format!("patient-{}", n / PATIENT),
            None => self.items[i].person.clone(),
        }
    }

    fn load(&self, which: &[usize]) -> Result<Vec<Case>> {
        in_parallel(
            which,
            || self.files.reader(),
            |files, i| {
                let item = &self.items[i];
                let (columns, rows, pixels) = cxr::decode(SET, &item.name, &files.read(&item.name)?)?;
                let (w, h) = (columns as f32, rows as f32);
                let boxes = self.boxes[i].iter().map(|(b, class)| {
                    let [cx, cy, bw, bh] = *b;
                    let rect = [(cx - bw / 2.0) * w, (cy - bh / 2.0) * h, (cx + bw / 2.0) * w, (cy + bh / 2.0) * h];
                    (rect, *class)
                });
                Ok(Case {
                    name: item.name.clone(),
                    person: item.person.clone(),
                    size: [1, rows, columns],
                    pixels: Pixels::U8(pixels),
                    truth: Truth::Boxes(boxes.collect()),
                    affine_lps: None,
                })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> TumourSet {
        let dir = tempfile::tempdir().unwrap();
        let mut csv = "file,class,cx,cy,w,h\n".to_owned();
        for name in names {
            let path = dir.path().join("mri/brain-tumour256").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            image::GrayImage::new(8, 8).save(path).unwrap();
            csv += &format!("{name},glioma,0.5,0.5,0.5,0.25\n");
        }
        std::fs::write(dir.path().join("mri/boxes.csv"), csv).unwrap();
        let set = TumourSet::open(dir.path()).unwrap();
        let truth = set.load(&[0]).unwrap().remove(0).truth;
        assert_eq!(truth, Truth::Boxes(vec![([2.0, 3.0, 6.0, 5.0], 0)]));
        set
    }

    #[test]
    fn neighbours_of_a_patient_are_known_by_their_ids() {
        let set = set(&["glioma/0052.png", "glioma/0075.png", "glioma/0099.png"]);
        let persons: Vec<&str> = set.items().iter().map(|i| i.person.as_str()).collect();
        assert_eq!(persons, ["block-1"; 3]);
        assert_eq!(set.neighbours(0), ["block-0", "block-1"]);
        assert_eq!(set.neighbours(1), ["block-1", "block-1"]);
        assert_eq!(set.neighbours(2), ["block-1", "block-2"]);
        assert_eq!([0, 1, 2].map(|i| set.unit(i)), ["patient-4", "patient-5", "patient-7"]);
    }
}
