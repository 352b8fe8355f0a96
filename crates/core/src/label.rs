//! Masks: one bit a voxel, kept per slice and only where something is drawn. Segments may overlap.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One slice of a mask: bits, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitPlane {
    bits: usize,
    words: Vec<u64>,
}

impl BitPlane {
    /// All clear.
    #[must_use]
    pub fn new(bits: usize) -> Self {
        Self { bits, words: vec![0; bits.div_ceil(64)] }
    }

    /// From one `bool` a pixel.
    #[must_use]
    pub fn from_bools(mask: &[bool]) -> Self {
        let mut plane = Self::new(mask.len());
        for (i, _) in mask.iter().enumerate().filter(|(_, m)| **m) {
            plane.words[i / 64] |= 1 << (i % 64);
        }
        plane
    }

    /// Number of pixels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bits
    }

    /// Whether there are no pixels at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// Pixel `i`; outside is clear.
    #[must_use]
    pub fn get(&self, i: usize) -> bool {
        self.words.get(i / 64).is_some_and(|w| w >> (i % 64) & 1 == 1)
    }

    /// Sets pixel `i`; outside is ignored.
    pub fn set(&mut self, i: usize, on: bool) {
        if i < self.bits {
            let bit = 1 << (i % 64);
            if on {
                self.words[i / 64] |= bit;
            } else {
                self.words[i / 64] &= !bit;
            }
        }
    }

    /// Number of set pixels.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// The runs of set pixels as (first, length), ascending.
    #[must_use]
    pub fn runs(&self) -> Vec<(u32, u32)> {
        let mut out: Vec<(u32, u32)> = Vec::new();
        for i in self.iter_set() {
            match out.last_mut() {
                Some((first, length)) if *first + *length == i as u32 => *length += 1,
                _ => out.push((i as u32, 1)),
            }
        }
        out
    }

    /// A plane from runs; what lies outside is ignored.
    #[must_use]
    pub fn from_runs(bits: usize, runs: &[(u32, u32)]) -> Self {
        let mut plane = Self::new(bits);
        for &(first, length) in runs {
            let end = (first as usize).saturating_add(length as usize).min(bits);
            for i in first as usize..end {
                plane.words[i / 64] |= 1 << (i % 64);
            }
        }
        plane
    }

    /// Indices of the set pixels, ascending.
    pub fn iter_set(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(w, &word)| {
            std::iter::successors((word != 0).then_some(word), |&rest| {
                let rest = rest & (rest - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |rest| w * 64 + rest.trailing_zeros() as usize)
        })
    }

    /// Memory in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// A mask over a volume's voxels. Cloning shares the slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    dims: [usize; 3],
    planes: Vec<Option<Arc<BitPlane>>>,
}

impl Mask {
    /// An empty mask over `dims` (columns, rows, slices).
    #[must_use]
    pub fn new(dims: [usize; 3]) -> Self {
        Self { dims, planes: vec![None; dims[2]] }
    }

    /// Columns, rows, slices.
    #[must_use]
    pub fn dims(&self) -> [usize; 3] {
        self.dims
    }

    /// Slice `k`, `None` when empty.
    #[must_use]
    pub fn plane(&self, k: usize) -> Option<&Arc<BitPlane>> {
        self.planes.get(k)?.as_ref()
    }

    /// Replaces slice `k`; an empty plane is dropped, a plane of another size or a slice outside is ignored and `false`.
    pub fn set_plane(&mut self, k: usize, plane: Option<Arc<BitPlane>>) -> bool {
        let pixels = self.dims[0] * self.dims[1];
        let fits = plane.as_ref().is_none_or(|p| p.len() == pixels);
        match self.planes.get_mut(k) {
            Some(place) if fits => {
                *place = plane.filter(|p| p.count() > 0);
                true
            }
            _ => false,
        }
    }

    /// Whether a voxel is set; outside is clear.
    #[must_use]
    pub fn get(&self, [c, r, k]: [usize; 3]) -> bool {
        c < self.dims[0] && r < self.dims[1] && self.plane(k).is_some_and(|p| p.get(r * self.dims[0] + c))
    }

    /// Sets a voxel; outside is ignored.
    pub fn set(&mut self, [c, r, k]: [usize; 3], on: bool) {
        let [columns, rows, slices] = self.dims;
        if c >= columns || r >= rows || k >= slices || !on && self.planes[k].is_none() {
            return;
        }
        let plane = self.planes[k].get_or_insert_with(|| Arc::new(BitPlane::new(columns * rows)));
        if plane.get(r * columns + c) != on {
            Arc::make_mut(plane).set(r * columns + c, on);
        }
    }

    /// Drops slices in which nothing is left.
    pub fn compact(&mut self) {
        for plane in &mut self.planes {
            if plane.as_ref().is_some_and(|p| p.count() == 0) {
                *plane = None;
            }
        }
    }

    /// Number of set voxels.
    #[must_use]
    pub fn count(&self) -> usize {
        self.planes.iter().flatten().map(|p| p.count()).sum()
    }

    /// Slices that hold something.
    pub fn occupied(&self) -> impl Iterator<Item = usize> + '_ {
        self.planes.iter().enumerate().filter(|(_, p)| p.is_some()).map(|(k, _)| k)
    }

    /// The slices that differ from `before`, as (slice, then, now). Shared slices are skipped by address.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Vec<PlaneChange> {
        (0..self.planes.len())
            .filter_map(|k| {
                let (then, now) = (before.planes.get(k).cloned().flatten(), self.planes[k].clone());
                let same = match (&then, &now) {
                    (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
                    (None, None) => true,
                    _ => false,
                };
                (!same).then_some(PlaneChange { slice: k, before: then, after: now })
            })
            .collect()
    }

    /// Memory in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.planes.iter().flatten().map(|p| p.bytes()).sum()
    }
}

/// What an edit did to one slice of a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaneChange {
    /// Slice, 0-based.
    pub slice: usize,
    /// As it was.
    pub before: Option<Arc<BitPlane>>,
    /// As it is.
    pub after: Option<Arc<BitPlane>>,
}

impl PlaneChange {
    /// Memory that holding on to this change costs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.before.as_ref().map_or(0, |p| p.bytes()) + self.after.as_ref().map_or(0, |p| p.bytes())
    }

    /// The change that undoes this one.
    #[must_use]
    pub fn inverted(&self) -> Self {
        Self { slice: self.slice, before: self.after.clone(), after: self.before.clone() }
    }
}

/// Number of a segment within its document; never used again after a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId(pub u32);

/// A colour, sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rgb(pub [u8; 3]);

/// The twelve mask colours; they stay apart for colour-blind eyes (nearest pair in OKLab 0.084, tritan).
pub const MASK_COLOURS: [Rgb; 12] = [
    Rgb([0x41, 0xD3, 0xAB]),
    Rgb([0x86, 0x64, 0xD1]),
    Rgb([0xE2, 0xB0, 0x3D]),
    Rgb([0x59, 0x97, 0xC0]),
    Rgb([0xD6, 0x58, 0x85]),
    Rgb([0xDD, 0xE7, 0x54]),
    Rgb([0xA4, 0xB2, 0xFD]),
    Rgb([0xBE, 0x3F, 0x25]),
    Rgb([0x65, 0xE9, 0xFD]),
    Rgb([0xA8, 0x41, 0x94]),
    Rgb([0xB0, 0xF7, 0xC3]),
    Rgb([0xC5, 0x8A, 0x46]),
];

/// A coded concept: value, scheme, meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Code Value (0008,0100).
    pub value: String,
    /// Coding Scheme Designator (0008,0102).
    pub scheme: String,
    /// Code Meaning (0008,0104).
    pub meaning: String,
}

impl Code {
    /// From its three parts.
    #[must_use]
    pub fn new(value: &str, scheme: &str, meaning: &str) -> Self {
        Self { value: value.into(), scheme: scheme.into(), meaning: meaning.into() }
    }
}

/// Who made a mask.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum MaskOrigin {
    /// Drawn by hand: MANUAL.
    #[default]
    Reader,
    /// Made by a model: AUTOMATIC, and SEMIAUTOMATIC once a person edited it.
    Model {
        /// The model's id.
        model: String,
        /// The model's version.
        version: String,
        /// sha256 of its weights, hex.
        sha256: String,
    },
}

/// A named mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number in the document.
    pub id: SegmentId,
    /// Name as shown.
    pub name: String,
    /// Colour.
    pub colour: Rgb,
    /// What it shows, coded.
    pub code: Option<Code>,
    /// Side, coded (SNOMED CT 7771000 left, 24028007 right).
    pub side: Option<Code>,
    /// Who made it.
    pub origin: MaskOrigin,
    /// Whether a person changed it since.
    pub edited: bool,
    /// Whether it is drawn.
    pub visible: bool,
    /// Whether tools may change it.
    pub locked: bool,
    /// The voxels.
    pub mask: Mask,
}

impl Segment {
    /// SegmentAlgorithmType (0062,0008): MANUAL, AUTOMATIC or SEMIAUTOMATIC.
    #[must_use]
    pub fn algorithm_type(&self) -> &'static str {
        match (&self.origin, self.edited) {
            (MaskOrigin::Reader, _) => "MANUAL",
            (MaskOrigin::Model { .. }, false) => "AUTOMATIC",
            (MaskOrigin::Model { .. }, true) => "SEMIAUTOMATIC",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_runs_and_counts_agree() {
        let bools: Vec<bool> = (0..200).map(|i| i % 7 < 3 || i == 199).collect();
        let p = BitPlane::from_bools(&bools);
        assert_eq!(p.count(), bools.iter().filter(|b| **b).count());
        assert!(bools.iter().enumerate().all(|(i, b)| p.get(i) == *b));
        assert_eq!(BitPlane::from_runs(200, &p.runs()), p);
        assert!(!p.get(200) && !p.get(usize::MAX));
        assert_eq!(BitPlane::from_runs(10, &[(8, u32::MAX)]).count(), 2);
    }

    #[test]
    fn changes_are_found_and_invert() {
        let mut m = Mask::new([4, 4, 3]);
        let before = m.clone();
        m.set([1, 2, 1], true);
        m.set([9, 0, 0], true);
        let c = m.changes_since(&before);
        assert_eq!(c.len(), 1);
        assert_eq!(c[0].slice, 1);
        let back = c[0].inverted();
        assert!(m.set_plane(back.slice, back.after));
        assert_eq!(m, before);
        assert!(!m.set_plane(0, Some(Arc::new(BitPlane::new(3)))));
    }

    #[test]
    fn a_model_mask_becomes_semiautomatic_by_an_edit() {
        let mut s = Segment {
            id: SegmentId(1),
            name: "Lung".into(),
            colour: MASK_COLOURS[0],
            code: None,
            side: None,
            origin: MaskOrigin::Model { model: "m".into(), version: "1".into(), sha256: String::new() },
            edited: false,
            visible: true,
            locked: false,
            mask: Mask::new([1, 1, 1]),
        };
        assert_eq!(s.algorithm_type(), "AUTOMATIC");
        s.edited = true;
        assert_eq!(s.algorithm_type(), "SEMIAUTOMATIC");
    }
}
