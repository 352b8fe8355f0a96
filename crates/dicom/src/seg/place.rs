//! From the frames of a segmentation to the pixels of a series.

use std::collections::HashMap;
use std::sync::Arc;

use glam::{DMat3, DVec3};
use lightbox_core::label::{BitPlane, Mask};
use lightbox_core::{Segment, SegmentId};

use super::SegError;
use super::read::{FramePlace, SegFile, SegFrame};
use super::reference::Target;
use crate::index::Stack;

/// A pixel centre may miss the centre of the series' pixel by this share of a pixel: rounding of decimal strings stays far
/// below it, another grid does not.
const TOLERANCE_VOXELS: f64 = 0.1;

/// Pixel (c, r) of a frame is voxel `base + c·along_row + r·along_column` of the series.
struct IndexMap {
    base: [i64; 3],
    along_row: [i64; 3],
    along_column: [i64; 3],
}

impl SegError {
    /// The sentence without the file's name.
    pub(super) fn without_path(&self) -> String {
        let text = self.to_string();
        match self {
            Self::Read { path, .. }
            | Self::NotASegmentation { path }
            | Self::Broken { path, .. }
            | Self::OtherSeries { path }
            | Self::OtherFrameOfReference { path }
            | Self::OtherSize { path, .. }
            | Self::Elsewhere { path, .. }
            | Self::Write { path, .. }
            | Self::NotEqual { path, .. } => match text.strip_suffix(&format!(": {path}")) {
                Some(short) => short.to_string(),
                None => text,
            },
            _ => text,
        }
    }
}

/// How surely a segmentation belongs to a series, surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Belonging {
    /// It names the images of the series.
    Images,
    /// It names the series.
    Series,
    /// It lies in the same frame of reference.
    Place,
    /// Nothing tells so.
    Unknown,
}

impl SegFile {
    /// How surely it belongs to a stack. Several phases of one series have the same place: the images decide.
    #[must_use]
    pub fn belongs(&self, stack: &Stack) -> Belonging {
        let Ok(target) = Target::from_stack(stack) else { return Belonging::Unknown };
        let images = target.lookup();
        if self.frames.iter().any(|f| f.source_in(&images).is_some()) {
            Belonging::Images
        } else if self.referenced_series.contains(&target.series_uid) {
            Belonging::Series
        } else if !self.frame_of_reference.is_empty() && self.frame_of_reference == target.frame_of_reference {
            Belonging::Place
        } else {
            Belonging::Unknown
        }
    }

    /// The segments as masks on the images of a stack: by position where mask and series share a frame of reference, else
    /// by the images that the mask names. Rows and columns may run another way than the series' (also across its slices);
    /// each pixel must fall on a pixel.
    ///
    /// # Errors
    /// [`SegError`] when the mask belongs to another series or frame of reference, has another size, or lies between the
    /// images.
    pub fn place_on(&self, stack: &Stack) -> Result<Vec<Segment>, SegError> {
        self.place(&Target::from_stack(stack)?)
    }

    /// The segments, by the numbers that [`SegFile::place_on`] gives them, that a program made and no reader confirmed: those
    /// that say so, and AUTOMATIC ones of makers that say nothing.
    #[must_use]
    pub fn proposed(&self) -> Vec<SegmentId> {
        self.segments.iter().filter(|s| s.proposed).map(|s| SegmentId(s.number)).collect()
    }

    pub(super) fn place(&self, target: &Target) -> Result<Vec<Segment>, SegError> {
        let images = target.lookup();
        let named = self.frames.iter().any(|f| f.source_in(&images).is_some());
        let has_place = target.geometry.is_some() && self.frames.iter().all(|f| f.place.is_some());
        let told = !self.frame_of_reference.is_empty() && !target.frame_of_reference.is_empty();
        let same_frame = told && self.frame_of_reference == target.frame_of_reference;
        let same_series = self.referenced_series.contains(&target.series_uid);
        let path = || self.path.clone();
        if has_place && same_frame {
            return match self.place_by_geometry(target) {
                Ok(segments) => Ok(segments),
                // Its own images are named: that settles where it belongs, whatever rounding did to the positions.
                Err(_) if named => self.place_by_reference(target),
                Err(SegError::Elsewhere { .. }) if !same_series => Err(SegError::OtherSeries { path: path() }),
                Err(e) => Err(e),
            };
        }
        if named {
            return self.place_by_reference(target);
        }
        if !same_series && told && !same_frame {
            return Err(SegError::OtherFrameOfReference { path: path() });
        }
        if !same_series {
            return Err(SegError::OtherSeries { path: path() });
        }
        if self.size != [target.columns, target.rows] {
            return Err(self.other_size(target));
        }
        match self.frames.first() {
            Some(f) => Err(SegError::Elsewhere { frame: f.frame, path: path() }),
            None => Ok(self.segments_with(self.empty_masks(target))),
        }
    }

    /// By the source images that the frames name.
    pub(super) fn place_by_reference(&self, target: &Target) -> Result<Vec<Segment>, SegError> {
        if self.size != [target.columns, target.rows] {
            return Err(self.other_size(target));
        }
        let images = target.lookup();
        let mut masks = self.empty_masks(target);
        for f in &self.frames {
            let k =
                f.source_in(&images).ok_or_else(|| SegError::Elsewhere { frame: f.frame, path: self.path.clone() })?;
            if let Some(mask) = masks.get_mut(&f.segment) {
                merge(mask, k, &f.plane);
            }
        }
        Ok(self.segments_with(masks))
    }

    /// By position and orientation.
    pub(super) fn place_by_geometry(&self, target: &Target) -> Result<Vec<Segment>, SegError> {
        let mut masks = self.empty_masks(target);
        let dims = target.dims();
        let limits = dims.map(|n| n as i64);
        for f in &self.frames {
            let elsewhere = || SegError::Elsewhere { frame: f.frame, path: self.path.clone() };
            let map = f.place.and_then(|place| target.index_map(place, self.size)).ok_or_else(elsewhere)?;
            let Some(mask) = masks.get_mut(&f.segment) else { continue };
            let straight = map.along_row == [1, 0, 0] && map.along_column == [0, 1, 0];
            if straight && map.base[0] == 0 && map.base[1] == 0 && self.size == [dims[0], dims[1]] {
                merge(mask, map.base[2] as usize, &f.plane);
                continue;
            }
            for i in f.plane.iter_set() {
                let (c, r) = ((i % self.size[0]) as i64, (i / self.size[0]) as i64);
                let at = [0, 1, 2].map(|a| map.base[a] + c * map.along_row[a] + r * map.along_column[a]);
                if (0..3).any(|a| at[a] < 0 || at[a] >= limits[a]) {
                    return Err(elsewhere());
                }
                mask.set(at.map(|v| v as usize), true);
            }
        }
        Ok(self.segments_with(masks))
    }

    fn other_size(&self, target: &Target) -> SegError {
        SegError::OtherSize { mask: self.size, images: [target.columns, target.rows], path: self.path.clone() }
    }

    fn empty_masks(&self, target: &Target) -> HashMap<u32, Mask> {
        self.segments.iter().map(|s| (s.number, Mask::new(target.dims()))).collect()
    }

    fn segments_with(&self, mut masks: HashMap<u32, Mask>) -> Vec<Segment> {
        self.segments
            .iter()
            .filter_map(|s| {
                Some(Segment {
                    id: SegmentId(s.number),
                    name: s.label.clone(),
                    colour: s.colour,
                    code: s.code.clone(),
                    side: s.side.clone(),
                    origin: s.origin.clone(),
                    edited: s.edited,
                    visible: true,
                    locked: false,
                    mask: masks.remove(&s.number)?,
                })
            })
            .collect()
    }
}

/// Adds a plane to slice `k`; frames of one segment and image may be several.
fn merge(mask: &mut Mask, k: usize, plane: &Arc<BitPlane>) {
    match mask.plane(k) {
        None => {
            mask.set_plane(k, Some(Arc::clone(plane)));
        }
        Some(there) => {
            let mut both = BitPlane::clone(there);
            plane.iter_set().for_each(|i| both.set(i, true));
            mask.set_plane(k, Some(Arc::new(both)));
        }
    }
}

/// Image of the stack by SOP Instance UID and frame number.
type Images<'a> = HashMap<(&'a str, u32), usize>;

impl SegFrame {
    fn source_in(&self, images: &Images<'_>) -> Option<usize> {
        self.sources.iter().find_map(|(uid, frame)| match frame {
            Some(n) => images.get(&(uid.as_str(), *n)).copied(),
            // Without a number the whole instance is meant: one frame, unless there is a second.
            None if images.contains_key(&(uid.as_str(), 2)) => None,
            None => images.get(&(uid.as_str(), 1)).copied(),
        })
    }
}

impl Target {
    fn lookup(&self) -> Images<'_> {
        self.frames.iter().enumerate().map(|(k, f)| ((f.sop_instance_uid.as_str(), f.frame_number), k)).collect()
    }

    /// How the pixels of a frame lie on this stack's voxels, if each falls on one.
    fn index_map(&self, place: FramePlace, size: [usize; 2]) -> Option<IndexMap> {
        let g = self.geometry.as_ref()?;
        let voxel_from_mm: DMat3 = g.patient_from_voxel().matrix3.inverse();
        let o = place.orientation;
        let row = voxel_from_mm * (DVec3::new(o[0], o[1], o[2]) * place.spacing[1]);
        let column = voxel_from_mm * (DVec3::new(o[3], o[4], o[5]) * place.spacing[0]);
        // The error grows along rows and columns and must stay small at the far corner.
        let along_row = unit_step(row, size[0])?;
        let along_column = unit_step(column, size[1])?;
        if (0..3).any(|a| along_row[a] != 0 && along_column[a] != 0) {
            return None;
        }
        let position = DVec3::from_array(place.position);
        let base = if along_row[2] == 0 && along_column[2] == 0 {
            self.base_in_plane(position, voxel_from_mm)?
        } else {
            // Across the slices: they have to stand where an even lattice puts them.
            if !self.is_even(voxel_from_mm) {
                return None;
            }
            whole(voxel_from_mm * (position - g.patient_from_voxel().translation))?
        };
        Some(IndexMap { base, along_row, along_column })
    }

    /// The first pixel of a frame that is parallel to the images: on the image at the same height, wherever that is.
    fn base_in_plane(&self, position: DVec3, voxel_from_mm: DMat3) -> Option<[i64; 3]> {
        let g = self.geometry.as_ref()?;
        let normal = g.normal();
        let height = |k: usize| self.frames[k].position.map(|p| (position - DVec3::from_array(p)).dot(normal).abs());
        let (k, off) =
            (0..self.frames.len()).filter_map(|k| height(k).map(|h| (k, h))).min_by(|a, b| a.1.total_cmp(&b.1))?;
        // Against the distance to the nearest neighbour, so that close slices are told apart.
        let here = DVec3::from_array(self.frames[k].position?);
        let gap = [k.checked_sub(1), Some(k + 1)]
            .into_iter()
            .flatten()
            .filter_map(|n| self.frames.get(n)?.position)
            .map(|p| (DVec3::from_array(p) - here).dot(normal).abs())
            .filter(|d| *d > 0.0)
            .fold(f64::INFINITY, f64::min);
        let gap = if gap.is_finite() { gap } else { g.step_mm(2).dot(normal).abs() };
        if off > TOLERANCE_VOXELS * gap {
            return None;
        }
        let mut at = voxel_from_mm * (position - here);
        at.z = 0.0;
        let at = whole(at)?;
        Some([at[0], at[1], k as i64])
    }

    /// Whether the images stand on one even lattice.
    fn is_even(&self, voxel_from_mm: DMat3) -> bool {
        let Some(g) = &self.geometry else { return false };
        self.is_volume
            && self.frames.iter().enumerate().all(|(k, f)| {
                f.position.is_some_and(|p| {
                    let at = voxel_from_mm * (DVec3::from_array(p) - g.patient_from_voxel().translation);
                    (at - DVec3::new(0.0, 0.0, k as f64)).abs().max_element() <= TOLERANCE_VOXELS
                })
            })
    }
}

/// A step of one voxel along one axis, either way, exact enough over `n` steps.
fn unit_step(step: DVec3, n: usize) -> Option<[i64; 3]> {
    let rounded = step.round();
    let far = (step - rounded) * (n.saturating_sub(1)) as f64;
    // One column or row has no direction that matters, yet it must not claim two axes.
    let steps = rounded.to_array().map(|v| v as i64);
    let is_unit = steps.iter().map(|v| v.abs()).sum::<i64>() == 1;
    (is_unit && step.is_finite() && far.abs().max_element() <= TOLERANCE_VOXELS).then_some(steps)
}

fn whole(at: DVec3) -> Option<[i64; 3]> {
    let rounded = at.round();
    let near = at.is_finite() && (at - rounded).abs().max_element() <= TOLERANCE_VOXELS;
    (near && rounded.abs().max_element() < 1e9).then(|| rounded.to_array().map(|v| v as i64))
}
