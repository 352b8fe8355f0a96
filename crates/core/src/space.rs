//! The three spaces as types, so that a point of one is never taken for a point of another.

use glam::DVec3;
use serde::{Deserialize, Serialize};

/// A point in the patient: millimetres, LPS (PS3.3 C.7.6.2.1.1: x to the left, y to the back, z to the head).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PatientPos(pub DVec3);

/// A point in a volume's index space (column, row, slice); voxel centres are whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct VoxelPos(pub DVec3);

/// A point on a displayed plane in its own pixels (x to the right, y down); pixel centres are whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanePos {
    /// To the right, in pixels.
    pub x: f64,
    /// Down, in pixels.
    pub y: f64,
}

impl PatientPos {
    /// From millimetres (left, posterior, head).
    #[must_use]
    pub const fn new(x: f64, y: f64, z: f64) -> Self {
        Self(DVec3::new(x, y, z))
    }

    /// Distance to `other` in mm.
    #[must_use]
    pub fn distance_mm(self, other: Self) -> f64 {
        self.0.distance(other.0)
    }

    /// As people read it: the larger side of each axis by letter, one decimal, e.g. `L 84.2  P 31.0  H 142.5`.
    #[must_use]
    pub fn letters(self) -> String {
        let part = |v: f64, plus: char, minus: char| {
            // A rounded zero has no side; the positive letter is by convention.
            let v = (v * 10.0).round() / 10.0;
            format!("{} {:.1}", if v < 0.0 { minus } else { plus }, v.abs())
        };
        format!("{}  {}  {}", part(self.0.x, 'L', 'R'), part(self.0.y, 'P', 'A'), part(self.0.z, 'H', 'F'))
    }
}

impl VoxelPos {
    /// From (column, row, slice).
    #[must_use]
    pub const fn new(column: f64, row: f64, slice: f64) -> Self {
        Self(DVec3::new(column, row, slice))
    }

    /// The voxel that holds this point, if it lies inside `dims` (columns, rows, slices).
    #[must_use]
    pub fn index(self, dims: [usize; 3]) -> Option<[usize; 3]> {
        let mut out = [0; 3];
        for (i, v) in self.0.to_array().into_iter().enumerate() {
            let r = (v + 0.5).floor();
            if !(r >= 0.0 && r < dims[i] as f64) {
                return None;
            }
            out[i] = r as usize;
        }
        Some(out)
    }
}

impl PlanePos {
    /// From pixels (right, down).
    #[must_use]
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_name_the_side_of_each_axis() {
        assert_eq!(PatientPos::new(-84.24, 31.0, -142.5).letters(), "R 84.2  P 31.0  F 142.5");
        assert_eq!(PatientPos::new(-0.04, -0.0, 0.0).letters(), "L 0.0  P 0.0  H 0.0");
    }

    #[test]
    fn a_point_belongs_to_the_voxel_around_it() {
        assert_eq!(VoxelPos::new(-0.5, 0.49, 1.5).index([2, 2, 3]), Some([0, 0, 2]));
        assert_eq!(VoxelPos::new(-0.51, 0.0, 0.0).index([2, 2, 3]), None);
        assert_eq!(VoxelPos::new(1.5, 0.0, 0.0).index([2, 2, 3]), None);
        assert_eq!(VoxelPos::new(f64::NAN, 0.0, 0.0).index([2, 2, 3]), None);
    }
}
