//! Cases of any data set: an image, what is true of it, and who is on it; read when needed, kept within a bound.

use super::{chest_ct, cxr, hippocampus, nodules, pneumonia, tumour};
use crate::image::GreyImage;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Stored values, as small as the file allows.
#[derive(Debug, Clone, PartialEq)]
pub enum Pixels {
    /// 8-bit grey.
    U8(Vec<u8>),
    /// HU.
    I16(Vec<i16>),
    /// Anything else.
    F32(Vec<f32>),
}

impl Pixels {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::F32(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in memory.
    fn bytes(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::I16(v) => 2 * v.len(),
            Self::F32(v) => 4 * v.len(),
        }
    }

    /// All values as f32.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::U8(v) => v.iter().map(|v| f32::from(*v)).collect(),
            Self::I16(v) => v.iter().map(|v| f32::from(*v)).collect(),
            Self::F32(v) => v.clone(),
        }
    }

    /// One value.
    pub(crate) fn at(&self, i: usize) -> f32 {
        match self {
            Self::U8(v) => f32::from(v[i]),
            Self::I16(v) => f32::from(v[i]),
            Self::F32(v) => v[i],
        }
    }
}

/// What is true of a case.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// Nothing is told; the image itself is the truth.
    None,
    /// Number of its class.
    Class(usize),
    /// Number of the label of each pixel or voxel, 0 where none.
    Labels(Vec<u8>),
    /// How many of the readers marked each pixel.
    Share {
        /// `[rows * columns]`, 0 to `readers`.
        marks: Vec<u8>,
        /// How many read it.
        readers: u8,
    },
    /// Boxes `[x0, y0, x1, y1]` in pixels with the number of their class.
    Boxes(Vec<([f32; 4], usize)>),
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its file, from the set's own folder on.
    pub name: String,
    /// Who is on it.
    pub person: String,
    /// Slices, rows, columns.
    pub size: [usize; 3],
    /// `[slices * rows * columns]`.
    pub pixels: Pixels,
    /// What is true of it.
    pub truth: Truth,
    /// Place of a volume in the patient, LPS in mm, from voxel centres (column, row, slice), row by row.
    pub affine_lps: Option<[[f64; 4]; 3]>,
}

impl Case {
    /// Bytes in memory.
    fn bytes(&self) -> usize {
        let truth = match &self.truth {
            Truth::Labels(v) | Truth::Share { marks: v, .. } => v.len(),
            _ => 64,
        };
        self.pixels.bytes() + truth + 256
    }

    /// A plane case as a model takes it.
    pub fn image(&self) -> GreyImage {
        let [_, rows, columns] = self.size;
        GreyImage { columns, rows, values: self.pixels.to_f32(), spacing_mm: None }
    }

    /// The mask of label number `label`.
    pub fn mask(&self, label: u8) -> Vec<bool> {
        match &self.truth {
            Truth::Labels(v) => v.iter().map(|l| *l == label).collect(),
            // Two readers or more.
            Truth::Share { marks, .. } => marks.iter().map(|m| *m >= 2).collect(),
            _ => Vec::new(),
        }
    }
}

/// What is known of a case before its pixels are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its file.
    pub name: String,
    /// Who is on it.
    pub person: String,
    /// Its class, where the set has classes.
    pub class: Option<usize>,
    /// How surely image and truth belong together, where told.
    pub score: Option<f64>,
}

/// A data set: what there is, and its cases on demand.
pub trait Set: Send + Sync {
    /// Name in cards and recipes.
    fn name(&self) -> &'static str;
    /// The cases there are, in a fixed order.
    fn items(&self) -> &[Item];
    /// Reads some of them, in the order asked for.
    ///
    /// # Errors
    /// [`Error::Data`] where a file is damaged or does not fit to its truth.
    fn load(&self, which: &[usize]) -> Result<Vec<Case>>;
    /// Other persons that a case may be of, where patients are not named: it is not trained on while one of them is held
    /// back.
    fn neighbours(&self, _number: usize) -> Vec<String> {
        Vec::new()
    }
    /// What is drawn as one when an interval is estimated: the person, or where patients are not named about one of them.
    fn unit(&self, number: usize) -> String {
        self.items()[number].person.clone()
    }
    /// Names of the classes or labels, in the order of their numbers (without the background).
    fn classes(&self) -> &'static [&'static str];
}

/// Opens the data set of a name.
///
/// # Errors
/// [`Error::Data`] where there is no such reader, or nothing of it at the root.
pub fn open(name: &str, root: &Path) -> Result<Box<dyn Set>> {
    Ok(match name {
        cxr::SET => Box::new(cxr::LungSet::open(root)?),
        pneumonia::SET => Box::new(pneumonia::PneumoniaSet::open(root)?),
        tumour::SET => Box::new(tumour::TumourSet::open(root)?),
        nodules::SET => Box::new(nodules::NoduleSet::open(root)?),
        hippocampus::SET => Box::new(hippocampus::HippocampusSet::open(root)?),
        chest_ct::SET => Box::new(chest_ct::ChestSet::open(root)?),
        chest_ct::PATCHES => Box::new(chest_ct::PatchSet::open(root)?),
        _ => {
            let known = [
                cxr::SET,
                pneumonia::SET,
                tumour::SET,
                nodules::SET,
                hippocampus::SET,
                chest_ct::SET,
                chest_ct::PATCHES,
            ];
            let reason = format!("there is no reader of this name; there are {}", known.join(", "));
            return Err(Error::Data { set: name.into(), reason });
        }
    })
}

/// Cases of a set, read once as long as they fit into a bound, else each time.
pub struct Cache<'a> {
    set: &'a dyn Set,
    bound: usize,
    kept: Mutex<(BTreeMap<usize, Arc<Case>>, usize)>,
}

impl<'a> Cache<'a> {
    /// At most `bound` bytes of pixels and truth stay in memory.
    pub fn new(set: &'a dyn Set, bound: usize) -> Self {
        Self { set, bound, kept: Mutex::new((BTreeMap::new(), 0)) }
    }

    /// The set behind it.
    pub fn set(&self) -> &'a dyn Set {
        self.set
    }

    /// The cases of some numbers of the set.
    ///
    /// # Errors
    /// As [`Set::load`].
    pub fn get(&self, which: &[usize]) -> Result<Vec<Arc<Case>>> {
        let mut found: Vec<Option<Arc<Case>>> = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            which.iter().map(|i| kept.0.get(i).cloned()).collect()
        };
        let absent: Vec<usize> = which.iter().zip(&found).filter(|(_, f)| f.is_none()).map(|(i, _)| *i).collect();
        if !absent.is_empty() {
            let mut read: BTreeMap<usize, Arc<Case>> =
                absent.iter().copied().zip(self.set.load(&absent)?.into_iter().map(Arc::new)).collect();
            for (i, slot) in which.iter().zip(&mut found) {
                if slot.is_none() {
                    *slot = read.get(i).cloned();
                }
            }
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some((i, case)) = read.pop_first() {
                if kept.1 + case.bytes() <= self.bound {
                    kept.1 += case.bytes();
                    kept.0.insert(i, case);
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Bytes that stay in memory now.
    pub fn bytes(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// Reads `which` in parallel, each thread with files of its own.
pub(super) fn in_parallel<R>(
    which: &[usize],
    reader: impl Fn() -> R + Sync,
    read: impl Fn(&mut R, usize) -> Result<Case> + Sync,
) -> Result<Vec<Case>> {
    use rayon::prelude::*;
    let part = which.len().div_ceil(rayon::current_num_threads().max(1)).clamp(1, 64);
    which
        .par_chunks(part)
        .map(|chunk| {
            let mut own = reader();
            chunk.iter().map(|i| read(&mut own, *i)).collect::<Result<Vec<_>>>()
        })
        .collect::<Result<Vec<_>>>()
        .map(|parts| parts.into_iter().flatten().collect())
}

/// Columns of a comma-separated file by name; no field holds a comma.
pub(super) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn read(set: &str, path: &Path) -> Result<Self> {
        let fail = |reason: String| Error::Data { set: set.into(), reason };
        if !path.is_file() {
            return Err(fail(format!("the file is missing: {}", path.display())));
        }
        let text = std::fs::read_to_string(path).map_err(Error::read(path))?;
        let mut lines = text.lines().map(|l| l.trim_end_matches('\r'));
        let split = |l: &str| l.split(',').map(|f| f.trim().to_owned()).collect::<Vec<_>>();
        let header = split(lines.next().unwrap_or_default().trim_start_matches('\u{feff}'));
        let mut rows = Vec::new();
        for (n, line) in lines.enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let row = split(line);
            if row.len() < header.len() {
                let (found, wanted) = (row.len(), header.len());
                return Err(fail(format!("line {} has {found} of {wanted} fields: {}", n + 2, path.display())));
            }
            rows.push(row);
        }
        Ok(Self { header, rows })
    }

    pub(super) fn column(&self, set: &str, name: &str) -> Result<usize> {
        self.header.iter().position(|h| h == name).ok_or_else(|| Error::Data {
            set: set.into(),
            reason: format!("its table has no column '{name}'; it has {}", self.header.join(", ")),
        })
    }

    pub(super) fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }
}
