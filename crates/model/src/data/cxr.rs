//! Chest X-rays with lung masks: images of Kermany 2018, masks of V7 Labs, paired by `lungmask_pairs.csv`.

use super::case::{Case, Item, Pixels, Set, Truth};
use super::files::{FileSet, folder};
use crate::image::GreyImage;
use crate::{Error, Result};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Name of the set in cards and recipes.
pub const SET: &str = "cxr-lungs";

/// A chest X-ray and its lung mask.
#[derive(Debug, Clone)]
pub struct LungCase {
    /// Path of the image from `train/` or `test/` on.
    pub name: String,
    /// Who is on it, see [`person`].
    pub person: String,
    /// Width in pixels.
    pub columns: usize,
    /// Height in pixels.
    pub rows: usize,
    /// `[rows * columns]`, 8-bit grey.
    pub pixels: Vec<u8>,
    /// `[rows * columns]`.
    pub mask: Vec<bool>,
    /// How surely mask and image belong together (correlation of the alignment), where told.
    pub pair_score: Option<f64>,
}

impl LungCase {
    /// The image as a model takes it.
    pub fn image(&self) -> GreyImage {
        GreyImage {
            columns: self.columns,
            rows: self.rows,
            values: self.pixels.iter().map(|v| f32::from(*v)).collect(),
            spacing_mm: None,
        }
    }
}

/// A pair before its pixels are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Path of the image from `train/` or `test/` on.
    pub image: String,
    /// Path of the mask from `train/` or `test/` on.
    pub mask: String,
    /// Who is on it.
    pub person: String,
    /// How surely they belong together, where told.
    pub score: Option<f64>,
}

/// Who is on an image, from its file name.
///
/// `personN_bacteria_M` and `personN_virus_M` of one N are one person, `IM-N-M` and `NORMAL2-IM-N-M` too. A name of
/// another form is a person of its own.
pub fn person(path: &str) -> String {
    let stem = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then(|| {
            let short = digits.trim_start_matches('0');
            if short.is_empty() { "0".to_owned() } else { short.to_owned() }
        })
    };
    if let Some(n) = stem.strip_prefix("person").and_then(number) {
        return format!("pneumonia-{n}");
    }
    if let Some((before, after)) = stem.split_once("IM-")
        && (before.is_empty() || before.starts_with("NORMAL"))
        && let Some(n) = number(after)
    {
        return format!("normal-{n}");
    }
    format!("file-{stem}")
}

/// The images and masks of a data root, and how they belong together.
#[derive(Debug)]
pub struct LungSet {
    images: FileSet,
    masks: FileSet,
    /// Sorted by the image's path.
    pub pairs: Vec<Pair>,
    items: Vec<Item>,
}

impl LungSet {
    /// Finds `ROOT/cxr/kermany224*`, `ROOT/cxr/lungmasks224*` and `ROOT/cxr/lungmask_pairs.csv`.
    ///
    /// Without the CSV, an image and a mask of the same path (but for the ending) are a pair.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no pair, [`Error::Read`].
    pub fn open(root: &Path) -> Result<Self> {
        let dir = folder(SET, root, "cxr")?;
        let (images, masks) = (FileSet::open(&dir, "kermany224")?, FileSet::open(&dir, "lungmasks224")?);
        for (what, stem, set) in [("images", "kermany224", &images), ("masks", "lungmasks224", &masks)] {
            if set.is_empty() {
                return Err(fail(format!(
                    "there are no {what}: {stem}.zip or {stem}/ is missing in {}",
                    dir.display()
                )));
            }
        }
        let csv = dir.join("lungmask_pairs.csv");
        let mut pairs = if csv.is_file() {
            let text = std::fs::read_to_string(&csv).map_err(Error::read(&csv))?;
            parse_pairs(&text)?
        } else {
            pairs_by_name(&images, &masks)
        };
        pairs.retain(|p| images.contains(&p.image) && masks.contains(&p.mask));
        pairs.sort_by(|a, b| a.image.cmp(&b.image));
        pairs.dedup_by(|a, b| a.image == b.image);
        if pairs.is_empty() {
            return Err(fail(format!("no image in {} has a mask", dir.display())));
        }
        let item = |p: &Pair| Item { name: p.image.clone(), person: p.person.clone(), class: None, score: p.score };
        let items = pairs.iter().map(item).collect();
        Ok(Self { images, masks, pairs, items })
    }

    /// Reads the pixels of some pairs, in their order; about 100 KB a case.
    ///
    /// # Errors
    /// [`Error::Data`] where a file is no image or a mask has another size than its image; [`Error::Read`].
    pub fn load(&self, pairs: &[&Pair]) -> Result<Vec<LungCase>> {
        pairs
            .par_chunks(64)
            .map(|chunk| {
                let (mut images, mut masks) = (self.images.reader(), self.masks.reader());
                chunk
                    .iter()
                    .map(|pair| {
                        let (columns, rows, pixels) = decode(SET, &pair.image, &images.read(&pair.image)?)?;
                        let (mask_columns, mask_rows, mask) = decode(SET, &pair.mask, &masks.read(&pair.mask)?)?;
                        if (columns, rows) != (mask_columns, mask_rows) {
                            return Err(fail(format!(
                                "the mask {} has {mask_columns} x {mask_rows} pixels, its image {columns} x {rows}",
                                pair.mask
                            )));
                        }
                        let mask = mask.iter().map(|v| *v > 127).collect();
                        let (name, person, pair_score) = (pair.image.clone(), pair.person.clone(), pair.score);
                        Ok(LungCase { name, person, columns, rows, pixels, mask, pair_score })
                    })
                    .collect::<Result<Vec<_>>>()
            })
            .collect::<Result<Vec<_>>>()
            .map(|chunks| chunks.into_iter().flatten().collect())
    }
}

impl Set for LungSet {
    fn name(&self) -> &'static str {
        SET
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn classes(&self) -> &'static [&'static str] {
        &["Lungs"]
    }

    fn load(&self, which: &[usize]) -> Result<Vec<Case>> {
        let pairs: Vec<&Pair> = which.iter().map(|i| &self.pairs[*i]).collect();
        let cases = Self::load(self, &pairs)?.into_iter().map(|case| Case {
            name: case.name,
            person: case.person,
            size: [1, case.rows, case.columns],
            pixels: Pixels::U8(case.pixels),
            truth: Truth::Labels(case.mask.into_iter().map(u8::from).collect()),
            affine_lps: None,
        });
        Ok(cases.collect())
    }
}

fn fail(reason: String) -> Error {
    Error::Data { set: SET.into(), reason }
}

fn pairs_by_name(images: &FileSet, masks: &FileSet) -> Vec<Pair> {
    let stem = |name: &str| name.rsplit_once('.').map_or(name.to_owned(), |(stem, _)| stem.to_owned());
    let by_stem: BTreeMap<String, &str> = masks.names().map(|name| (stem(name), name)).collect();
    images
        .names()
        .filter_map(|image| {
            let mask = by_stem.get(&stem(image))?;
            Some(Pair { image: image.into(), mask: (*mask).into(), person: person(image), score: None })
        })
        .collect()
}

/// Columns `image`, `mask` and, where told, `pair_score`, in any order; no field holds a comma.
fn parse_pairs(text: &str) -> Result<Vec<Pair>> {
    let mut lines = text.lines().map(|l| l.trim_end_matches('\r'));
    let header: Vec<&str> = lines.next().unwrap_or_default().trim_start_matches('\u{feff}').split(',').collect();
    let column = |name: &str| header.iter().position(|h| h.trim() == name);
    let (Some(image), Some(mask)) = (column("image"), column("mask")) else {
        return Err(fail("lungmask_pairs.csv has no columns 'image' and 'mask'".into()));
    };
    let score = column("pair_score");
    let mut pairs = Vec::new();
    for (number, line) in lines.enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let (Some(image), Some(mask)) = (fields.get(image), fields.get(mask)) else {
            return Err(fail(format!("line {} of lungmask_pairs.csv has only {} fields", number + 2, fields.len())));
        };
        let score = score.and_then(|s| fields.get(s)).and_then(|s| s.parse().ok());
        pairs.push(Pair { image: (*image).into(), mask: (*mask).into(), person: person(image), score });
    }
    Ok(pairs)
}

/// `(columns, rows, 8-bit grey)`.
pub(super) fn decode(set: &str, name: &str, bytes: &[u8]) -> Result<(usize, usize, Vec<u8>)> {
    let unreadable =
        |e: image::ImageError| Error::Data { set: set.into(), reason: format!("{name} is not readable: {e}") };
    let image = image::load_from_memory(bytes).map_err(unreadable)?;
    let (columns, rows) = (image.width() as usize, image.height() as usize);
    Ok(match image {
        image::DynamicImage::ImageLuma8(grey) => (columns, rows, grey.into_raw()),
        // Grey stored as colour, as most of these JPEGs are: no mixing to do, and none to wait for.
        image::DynamicImage::ImageRgb8(rgb) if rgb.as_raw().chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]) => {
            (columns, rows, rgb.as_raw().iter().step_by(3).copied().collect())
        }
        other => (columns, rows, other.into_luma8().into_raw()),
    })
}

/// How many different persons there are.
pub(crate) fn persons<'a>(names: impl IntoIterator<Item = &'a str>) -> usize {
    names.into_iter().collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Part, SplitSpec};

    #[test]
    fn persons_follow_the_file_names() {
        assert_eq!(person("train/PNEUMONIA/person296_virus_613.jpeg"), "pneumonia-296");
        assert_eq!(person("train/PNEUMONIA/person296_bacteria_1.jpeg"), "pneumonia-296");
        assert_eq!(person("test/NORMAL/IM-0115-0001.jpeg"), "normal-115");
        assert_eq!(person("train/NORMAL/NORMAL2-IM-0115-0001-0002.jpeg"), "normal-115");
        assert_ne!(person("a/other1.png"), person("a/other2.png"));
        assert_eq!(person("personal.png"), "file-personal");
    }

    #[test]
    fn no_person_is_on_both_sides_of_a_split() {
        let split = SplitSpec { seed: 1, validation: 0.2, test: 0.3 };
        let names: Vec<String> = (0..300)
            .flat_map(|n| {
                [
                    format!("train/PNEUMONIA/person{n}_virus_{}.jpeg", 3 * n),
                    format!("train/PNEUMONIA/person{n}_bacteria_{}.jpeg", 5 * n),
                    format!("train/NORMAL/IM-{n:04}-0001.jpeg"),
                    format!("train/NORMAL/NORMAL2-IM-{n:04}-0001.jpeg"),
                ]
            })
            .collect();
        let in_part =
            |part| -> BTreeSet<String> { names.iter().map(|n| person(n)).filter(|p| split.part(p) == part).collect() };
        let (train, validation, test) = (in_part(Part::Train), in_part(Part::Validation), in_part(Part::Test));
        assert!(train.is_disjoint(&test) && train.is_disjoint(&validation) && validation.is_disjoint(&test));
        assert_eq!(train.len() + validation.len() + test.len(), 600);
        assert!(!validation.is_empty() && test.len() > 100);
    }

    #[test]
    fn pairs_are_read_by_column_name() {
        let pairs = parse_pairs("mask,pair_score,image\r\na.png,0.5,train/X/person1_virus_2.jpeg\r\n\r\n").unwrap();
        assert_eq!(pairs[0].mask, "a.png");
        assert_eq!(pairs[0].score, Some(0.5));
        assert_eq!(pairs[0].person, "pneumonia-1");
        assert!(parse_pairs("x,y\n1,2").is_err());
        assert!(parse_pairs("image,pair_score,mask\nonly").is_err());
    }
}
