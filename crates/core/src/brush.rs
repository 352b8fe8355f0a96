//! The brush: a disc or a ball in millimetres, swept from one point to the next without gaps.

use glam::DVec3;
use serde::{Deserialize, Serialize};

use crate::geometry::VolumeGeometry;
use crate::label::Mask;
use crate::space::{PatientPos, VoxelPos};

/// Form of the brush.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum BrushShape {
    /// A disc on the plane with this unit normal (LPS): only voxels of that plane are touched.
    Disc {
        /// Normal of the plane drawn on.
        normal: DVec3,
    },
    /// A ball.
    Ball,
}

/// Sets (or clears, with `erase`) the voxels whose centre is within `radius_mm` of the way from `from` to `to`.
///
/// A disc takes the voxels that its plane passes through: those whose centre is nearer to the plane than half the voxel's
/// extent along the plane's normal. A brush smaller than a voxel still takes the voxel under its centre.
pub fn paint(
    mask: &mut Mask,
    geometry: &VolumeGeometry,
    from: PatientPos,
    to: PatientPos,
    shape: BrushShape,
    radius_mm: f64,
    erase: bool,
) {
    let radius = if radius_mm.is_finite() { radius_mm.max(0.0) } else { return };
    if !(from.0.is_finite() && to.0.is_finite()) || mask.dims() != geometry.dims() {
        return;
    }
    let dims = geometry.dims();
    let Some((low, high)) = voxel_box(geometry, from, to, shape, radius) else { return };
    let half = match shape {
        // The extent of a voxel along the normal, by the axis that runs closest to it.
        BrushShape::Disc { normal } => (0..3).map(|a| geometry.step_mm(a).dot(normal).abs()).fold(0.0, f64::max) / 2.0,
        BrushShape::Ball => f64::INFINITY,
    };
    let way = to.0 - from.0;
    let length_squared = way.length_squared();
    let one_slice = slice_of_disc(geometry, from, shape);
    let (right, down) = (geometry.step_mm(0), geometry.step_mm(1));
    let mut touched = false;
    for k in low[2]..=high[2] {
        if one_slice.is_some_and(|only| only != k as i64) {
            continue;
        }
        let half = if one_slice.is_some() { f64::INFINITY } else { half };
        let origin = geometry.to_patient(VoxelPos::new(0.0, 0.0, k as f64)).0 - from.0;
        for j in low[1]..=high[1] {
            for i in low[0]..=high[0] {
                let d = origin + down * j as f64 + right * i as f64;
                let d = match shape {
                    BrushShape::Disc { normal } => {
                        let off = d.dot(normal);
                        // Half open, so that a plane midway between two slices takes one of them, not both.
                        if !(off > -half - 1e-9 && off <= half - 1e-9) {
                            continue;
                        }
                        d - normal * off
                    }
                    BrushShape::Ball => d,
                };
                let t = if length_squared > 0.0 { (d.dot(way) / length_squared).clamp(0.0, 1.0) } else { 0.0 };
                if (d - way * t).length() <= radius + 1e-9 {
                    mask.set([i, j, k], !erase);
                    touched = true;
                }
            }
        }
    }
    if touched {
        return;
    }
    for end in [from, to] {
        if let Some(voxel) = geometry.to_voxel(end).index(dims) {
            mask.set(voxel, !erase);
        }
    }
}

/// Among uneven slices, a disc that lies in their plane takes the slice nearest to it, however close its neighbours are.
fn slice_of_disc(geometry: &VolumeGeometry, at: PatientPos, shape: BrushShape) -> Option<i64> {
    let places = geometry.uneven()?;
    let BrushShape::Disc { normal } = shape else { return None };
    (places.normal().dot(normal).abs() > 0.999).then(|| (places.index(at.0) + 0.5).floor() as i64)
}

/// The voxels that the swept brush can reach, clamped to the volume; `None` when it misses it.
fn voxel_box(
    geometry: &VolumeGeometry,
    from: PatientPos,
    to: PatientPos,
    shape: BrushShape,
    radius: f64,
) -> Option<([usize; 3], [usize; 3])> {
    let dims = geometry.dims();
    let inverse = geometry.patient_from_voxel().matrix3.inverse();
    let (a, b) = (geometry.to_voxel(from).0.to_array(), geometry.to_voxel(to).0.to_array());
    let mut low = [0; 3];
    let mut high = [0; 3];
    for axis in 0..3 {
        // The row of the inverse tells how far one mm in any direction reaches along this index.
        let row = inverse.row(axis);
        let mut reach = row.length() * radius + 1.0;
        if let BrushShape::Disc { normal } = shape {
            let in_plane = (row - normal * row.dot(normal)).length();
            reach = in_plane * radius + 1.0;
        }
        let (mut l, mut h) = (a[axis].min(b[axis]) - reach, a[axis].max(b[axis]) + reach);
        if let Some(places) = geometry.uneven() {
            if axis == 2 {
                let up = places.normal() * radius;
                let ends = [from.0 + up, from.0 - up, to.0 + up, to.0 - up].map(|p| places.index(p));
                l = ends.into_iter().fold(f64::INFINITY, f64::min) - 1.0;
                h = ends.into_iter().fold(f64::NEG_INFINITY, f64::max) + 1.0;
            } else {
                // Each mm of height may move the slices sideways by as much as the steepest of them leans.
                let per_mm = 1.0 / geometry.step_mm(axis).length();
                let further = per_mm * radius * (1.0 + 2.0 * places.lean()) + 1.0;
                l = a[axis].min(b[axis]) - further;
                h = a[axis].max(b[axis]) + further;
            }
        }
        let l = l.floor().max(0.0);
        let h = h.ceil().min(dims[axis] as f64 - 1.0);
        // Also when a bound is not a number.
        if l.partial_cmp(&h).is_none_or(std::cmp::Ordering::is_gt) {
            return None;
        }
        low[axis] = l as usize;
        high[axis] = h as usize;
    }
    Some((low, high))
}

/// The voxel under a patient point, if inside.
#[must_use]
pub fn voxel_at(geometry: &VolumeGeometry, p: PatientPos) -> Option<[usize; 3]> {
    let v: VoxelPos = geometry.to_voxel(p);
    v.index(geometry.dims())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry() -> VolumeGeometry {
        VolumeGeometry::from_dicom(
            [21, 21, 5],
            PatientPos::new(-10.0, -10.0, 0.0),
            DVec3::X,
            DVec3::Y,
            [1.0, 1.0],
            DVec3::Z * 3.0,
        )
        .expect("valid")
    }

    #[test]
    fn a_disc_takes_one_slice_and_its_radius_is_in_mm() {
        let g = geometry();
        let mut m = Mask::new(g.dims());
        let p = PatientPos::new(0.0, 0.0, 6.0);
        paint(&mut m, &g, p, p, BrushShape::Disc { normal: DVec3::Z }, 3.0, false);
        assert_eq!(m.occupied().collect::<Vec<_>>(), vec![2]);
        // Lattice points within a circle of radius 3 (Gauss): 29.
        assert_eq!(m.count(), 29);
        paint(&mut m, &g, p, p, BrushShape::Disc { normal: DVec3::Z }, 0.0, true);
        assert_eq!(m.count(), 28);
    }

    #[test]
    fn a_plane_between_two_slices_takes_one() {
        let g = geometry();
        let mut m = Mask::new(g.dims());
        let p = PatientPos::new(0.0, 0.0, 4.5);
        paint(&mut m, &g, p, p, BrushShape::Disc { normal: DVec3::Z }, 2.0, false);
        assert_eq!(m.occupied().count(), 1);
    }

    #[test]
    fn a_ball_reaches_neighbouring_slices() {
        let g = geometry();
        let mut m = Mask::new(g.dims());
        let p = PatientPos::new(0.0, 0.0, 6.0);
        paint(&mut m, &g, p, p, BrushShape::Ball, 3.0, false);
        assert_eq!(m.occupied().collect::<Vec<_>>(), vec![1, 2, 3]);
        assert_eq!(m.count(), 29 + 2);
    }

    #[test]
    fn a_fast_stroke_has_no_gaps_and_may_leave_the_volume() {
        let g = geometry();
        let mut m = Mask::new(g.dims());
        let (a, b) = (PatientPos::new(-50.0, 0.0, 0.0), PatientPos::new(50.0, 0.0, 0.0));
        paint(&mut m, &g, a, b, BrushShape::Disc { normal: DVec3::Z }, 0.4, false);
        assert_eq!(m.count(), 21);
        paint(
            &mut m,
            &g,
            PatientPos::new(0.0, 500.0, 0.0),
            PatientPos::new(0.0, 600.0, 0.0),
            BrushShape::Ball,
            4.0,
            false,
        );
        paint(&mut m, &g, PatientPos::new(f64::NAN, 0.0, 0.0), b, BrushShape::Ball, 4.0, false);
        assert_eq!(m.count(), 21);
    }

    #[test]
    fn among_uneven_slices_a_disc_takes_one_and_a_ball_goes_by_millimetres() {
        let heights = [0.0, 1.0, 2.0, 9.0, 12.0];
        let g = geometry().with_slice_origins(&heights.map(|z| DVec3::new(-10.0, -10.0, z)));
        assert!(g.is_uneven());
        for (k, z) in heights.into_iter().enumerate() {
            let mut m = Mask::new(g.dims());
            let p = PatientPos::new(0.0, 0.0, z);
            paint(&mut m, &g, p, p, BrushShape::Disc { normal: DVec3::Z }, 3.0, false);
            assert_eq!((m.occupied().collect::<Vec<_>>(), m.count()), (vec![k], 29));
        }
        let mut m = Mask::new(g.dims());
        let p = PatientPos::new(0.0, 0.0, 1.0);
        paint(&mut m, &g, p, p, BrushShape::Ball, 3.0, false);
        // Circles of radius √8, 3 and √8 around it.
        assert_eq!(m.occupied().collect::<Vec<_>>(), vec![0, 1, 2]);
        assert_eq!(m.count(), 25 + 29 + 25);
    }

    #[test]
    fn a_disc_on_a_coronal_plane_takes_one_row_through_the_slices() {
        let g = geometry();
        let mut m = Mask::new(g.dims());
        let p = PatientPos::new(0.0, 2.2, 6.0);
        paint(&mut m, &g, p, p, BrushShape::Disc { normal: DVec3::Y }, 3.0, false);
        assert_eq!(m.occupied().collect::<Vec<_>>(), vec![1, 2, 3]);
        assert!((0..5).all(|k| (0..21).all(|r| r == 12 || (0..21).all(|c| !m.get([c, r, k])))));
    }
}
