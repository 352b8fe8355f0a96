//! Approved masks on the disk: pairs of image and mask that a reader chose to let a model learn from.
//!
//! A pair is a folder `MODEL/PAIR` with `image.png` (16-bit grey, the image as the model is given it, made smaller where it
//! is much finer than the network), `mask.png` (white is the mask) and `pair.toml`. The names of pair and person are salted
//! hashes: no name, number or UID of a patient is written, and without `salt` nobody can test whether one is among them.

use super::Correction;
use crate::files::{sha256_hex, write_atomic};
use crate::{Error, GreyImage, Result};
use image::{ImageBuffer, ImageFormat, Luma};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The file that makes the hashes of this machine its own.
const SALT: &str = "salt";
const PAIR_FILE: &str = "pair.toml";
/// An image is kept at this many times the network's input, or coarser.
const FINER: usize = 2;

/// All pairs of a machine, by model.
#[derive(Debug, Clone)]
pub struct Pairs {
    dir: PathBuf,
}

/// How many pairs a model has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Count {
    /// The model's id.
    pub model: String,
    /// Pairs.
    pub pairs: usize,
    /// Persons on them.
    pub persons: usize,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    /// A salted hash of who is on it.
    person: String,
    /// SHA-256 of the weights that the mask was approved beside.
    sha256: String,
}

impl Pairs {
    /// The pairs under a folder, which need not exist.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Keeps a pair; another one of the same image and model is replaced. `image_key` and `correction.person` tell the image
    /// and the person among all; only their salted hashes are written. `input` is columns and rows of the network.
    ///
    /// # Errors
    /// [`Error::Image`] for an image or mask that does not hold, [`Error::Write`], [`Error::DiskFull`]: then nothing of it is
    /// left.
    pub fn add(
        &self,
        model: &str,
        sha256: &str,
        image_key: &str,
        correction: &Correction,
        input: [usize; 2],
    ) -> Result<()> {
        crate::card::check_id(model)?;
        correction.image.check()?;
        let (columns, rows) = (correction.image.columns, correction.image.rows);
        if correction.mask.len() != columns * rows || !correction.mask.iter().any(|m| *m) {
            return Err(Error::Image { reason: "its mask is empty or of another size".into() });
        }
        let salt = self.salt()?;
        let hash = |what: &str, key: &str| sha256_hex(format!("{salt} {what} {key}").as_bytes())[..16].to_owned();
        let pair = Pair { person: hash("person", &correction.person), sha256: sha256.to_owned() };
        let (values, mask, [columns, rows]) = smaller(correction, input);
        let dir = self.dir.join(model);
        let name = hash("image", image_key);
        let (whole, part) = (dir.join(&name), dir.join(format!(".{name}.part")));
        let written = (|| {
            if part.exists() {
                std::fs::remove_dir_all(&part).map_err(Error::write(&part))?;
            }
            std::fs::create_dir_all(&part).map_err(Error::write(&part))?;
            write_atomic(&part.join("image.png"), &png(columns, rows, sixteen_bits(&values))?)?;
            let mask: Vec<u16> = mask.iter().map(|m| if *m { u16::MAX } else { 0 }).collect();
            write_atomic(&part.join("mask.png"), &png(columns, rows, mask)?)?;
            let text = toml::to_string(&pair).map_err(|e| Error::Image { reason: e.to_string() })?;
            write_atomic(&part.join(PAIR_FILE), text.as_bytes())?;
            if whole.exists() {
                std::fs::remove_dir_all(&whole).map_err(Error::write(&whole))?;
            }
            std::fs::rename(&part, &whole).map_err(Error::write(&whole))
        })();
        if written.is_err() {
            // The first error is the one to tell.
            let _ = std::fs::remove_dir_all(&part);
        }
        written
    }

    /// The pairs of a model, in the order of their names. One that is damaged is left out; how many is told.
    ///
    /// # Errors
    /// [`Error::Read`] where the folder cannot be listed.
    pub fn read(&self, model: &str) -> Result<(Vec<Correction>, usize)> {
        let folders = self.folders(model)?;
        let all: Vec<Correction> = folders.iter().filter_map(|dir| read_pair(dir).ok()).collect();
        let damaged = folders.len() - all.len();
        Ok((all, damaged))
    }

    /// How many there are, of each model that has some.
    #[must_use]
    pub fn counts(&self) -> Vec<Count> {
        let Ok(models) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        let mut names: Vec<String> = models
            .filter_map(|e| e.ok().filter(|e| e.path().is_dir()).map(|e| e.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort();
        let count = |model: String| -> Option<Count> {
            let pairs = self.folders(&model).ok()?;
            let persons: BTreeSet<String> = pairs.iter().filter_map(|dir| Some(told(dir).ok()?.person)).collect();
            (!pairs.is_empty()).then_some(Count { model, pairs: pairs.len(), persons: persons.len() })
        };
        names.into_iter().filter_map(count).collect()
    }

    /// Deletes all pairs of a model.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn forget(&self, model: &str) -> Result<()> {
        crate::card::check_id(model)?;
        let dir = self.dir.join(model);
        if dir.exists() { std::fs::remove_dir_all(&dir).map_err(Error::write(&dir)) } else { Ok(()) }
    }

    fn folders(&self, model: &str) -> Result<Vec<PathBuf>> {
        crate::card::check_id(model)?;
        let dir = self.dir.join(model);
        if !dir.is_dir() {
            return Ok(Vec::new());
        }
        // What begins with a dot was left by a kill.
        let whole = |p: &PathBuf| {
            p.join(PAIR_FILE).is_file() && p.file_name().is_some_and(|n| !n.to_string_lossy().starts_with('.'))
        };
        let entries = std::fs::read_dir(&dir).map_err(Error::read(&dir))?;
        let mut all: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).filter(whole).collect();
        all.sort();
        Ok(all)
    }

    /// Made when it is first needed.
    fn salt(&self) -> Result<String> {
        let path = self.dir.join(SALT);
        if let Ok(text) = std::fs::read_to_string(&path)
            && text.len() == 64
        {
            return Ok(text);
        }
        std::fs::create_dir_all(&self.dir).map_err(Error::write(&self.dir))?;
        let mut random = [0u8; 32];
        rand::rng().fill(&mut random);
        let text = sha256_hex(&random);
        write_atomic(&path, text.as_bytes())?;
        Ok(text)
    }
}

fn told(dir: &Path) -> Result<Pair> {
    let path = dir.join(PAIR_FILE);
    let text = std::fs::read_to_string(&path).map_err(Error::read(&path))?;
    toml::from_str(&text).map_err(|e| Error::Data { set: "corrections".into(), reason: e.message().to_owned() })
}

fn read_pair(dir: &Path) -> Result<Correction> {
    let open = |name: &str| -> Result<ImageBuffer<Luma<u16>, Vec<u16>>> {
        let path = dir.join(name);
        let bytes = std::fs::read(&path).map_err(Error::read(&path))?;
        let read = image::load_from_memory_with_format(&bytes, ImageFormat::Png);
        Ok(read.map_err(|e| Error::Image { reason: format!("a kept picture is damaged: {e}") })?.into_luma16())
    };
    let (picture, mask) = (open("image.png")?, open("mask.png")?);
    if picture.dimensions() != mask.dimensions() {
        return Err(Error::Image { reason: "a kept mask is of another size than its image".into() });
    }
    let (columns, rows) = (picture.width() as usize, picture.height() as usize);
    let values = picture.pixels().map(|p| f32::from(p.0[0])).collect();
    let image = GreyImage { columns, rows, values, spacing_mm: None };
    Ok(Correction { person: told(dir)?.person, image, mask: mask.pixels().map(|p| p.0[0] > u16::MAX / 2).collect() })
}

/// The pair at a whole fraction of its size, not below [`FINER`] times the network's: means of the values, most of the mask.
fn smaller(c: &Correction, [columns, rows]: [usize; 2]) -> (Vec<f32>, Vec<bool>, [usize; 2]) {
    let times = |n: usize, of: usize| n / (FINER * of).max(1);
    let k = times(c.image.columns, columns).min(times(c.image.rows, rows)).max(1);
    let [w, h] = [c.image.columns / k, c.image.rows / k];
    let (mut values, mut mask) = (Vec::with_capacity(w * h), Vec::with_capacity(w * h));
    for y in 0..h {
        for x in 0..w {
            let (mut sum, mut inside) = (0.0, 0);
            for j in 0..k {
                let at = (y * k + j) * c.image.columns + x * k;
                sum += c.image.values[at..at + k].iter().sum::<f32>();
                inside += c.mask[at..at + k].iter().filter(|m| **m).count();
            }
            values.push(sum / (k * k) as f32);
            mask.push(2 * inside >= k * k);
        }
    }
    (values, mask, [w, h])
}

/// From the smallest value to the largest. A model of this kind takes its range from the image itself, so that the scale
/// tells it nothing.
fn sixteen_bits(values: &[f32]) -> Vec<u16> {
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let scale = f32::from(u16::MAX) / (high - low).max(1e-12);
    values.iter().map(|v| ((v - low) * scale).round() as u16).collect()
}

fn png(columns: usize, rows: usize, values: Vec<u16>) -> Result<Vec<u8>> {
    let wrong = |reason: String| Error::Image { reason };
    let picture: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_raw(columns as u32, rows as u32, values)
        .ok_or_else(|| wrong("it is of another size than it says".into()))?;
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(|e| wrong(e.to_string()))?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correction(person: &str, side: usize) -> Correction {
        let values = (0..side * side).map(|i| (i % side) as f32 - 7.0).collect();
        let mask = (0..side * side).map(|i| i % side < side / 2).collect();
        Correction {
            person: person.into(),
            image: GreyImage { columns: side, rows: side, values, spacing_mm: None },
            mask,
        }
    }

    #[test]
    fn pairs_come_back_and_tell_nobody_whose_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let pairs = Pairs::at(dir.path());
        assert_eq!(pairs.counts(), []);
        pairs.add("m", "ab", "1.2.840.1", &correction("DOE^JANE PH-1", 64), [16, 16]).unwrap();
        pairs.add("m", "ab", "1.2.840.2", &correction("DOE^JANE PH-1", 64), [16, 16]).unwrap();
        pairs.add("m", "ab", "1.2.840.3", &correction("ROE^JIM PH-2", 64), [16, 16]).unwrap();
        // The same image again takes the place of the one before.
        pairs.add("m", "ab", "1.2.840.3", &correction("ROE^JIM PH-2", 64), [16, 16]).unwrap();
        assert_eq!(pairs.counts(), [Count { model: "m".into(), pairs: 3, persons: 2 }]);
        let (back, damaged) = pairs.read("m").unwrap();
        assert_eq!((back.len(), damaged, back[0].image.columns, back[0].image.rows), (3, 0, 32, 32));
        let marked = |c: &Correction| (0..32).all(|x| c.mask[x] == (x < 16));
        assert!(back.iter().all(marked));
        // Neither the names of files nor what stands in them tells who it is.
        let mut todo = vec![dir.path().to_owned()];
        while let Some(at) = todo.pop() {
            let name = at.strip_prefix(dir.path()).unwrap().display().to_string();
            let text =
                if at.is_dir() { String::new() } else { String::from_utf8_lossy(&std::fs::read(&at).unwrap()).into() };
            for word in ["DOE", "JANE", "PH-1", "1.2.840", "ROE"] {
                assert!(!name.contains(word) && !text.contains(word), "{word} in {name}");
            }
            if at.is_dir() {
                todo.extend(std::fs::read_dir(&at).unwrap().map(|e| e.unwrap().path()));
            }
        }
        // Another machine gives the same person another name.
        let other = tempfile::tempdir().unwrap();
        Pairs::at(other.path()).add("m", "ab", "1.2.840.1", &correction("DOE^JANE PH-1", 64), [16, 16]).unwrap();
        let theirs = Pairs::at(other.path()).read("m").unwrap().0.remove(0).person;
        assert!(back.iter().all(|c| c.person != theirs));
        pairs.forget("m").unwrap();
        assert_eq!((pairs.counts(), pairs.read("m").unwrap().0.len()), (Vec::new(), 0));
    }

    #[test]
    fn a_damaged_pair_is_left_out_and_an_empty_mask_refused() {
        let dir = tempfile::tempdir().unwrap();
        let pairs = Pairs::at(dir.path());
        pairs.add("m", "ab", "a", &correction("x", 32), [16, 16]).unwrap();
        pairs.add("m", "ab", "b", &correction("y", 32), [16, 16]).unwrap();
        let first = pairs.folders("m").unwrap().remove(0);
        std::fs::write(first.join("mask.png"), b"cut").unwrap();
        let (back, damaged) = pairs.read("m").unwrap();
        assert_eq!((back.len(), damaged), (1, 1));
        let mut empty = correction("z", 32);
        empty.mask.fill(false);
        assert!(pairs.add("m", "ab", "c", &empty, [16, 16]).is_err());
        assert!(pairs.add("../m", "ab", "c", &correction("z", 32), [16, 16]).is_err());
        assert_eq!(pairs.counts()[0].pairs, 2);
    }
}
