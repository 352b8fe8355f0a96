//! Volumes with answers that are known in closed form, for tests.

use std::sync::Arc;

use glam::DVec3;

use super::PhantomError;
use crate::frame::{Frame, Rescale, Samples};
use crate::geometry::VolumeGeometry;
use crate::label::Mask;
use crate::space::VoxelPos;
use crate::volume::Volume;

/// A volume in which each stored value tells its place: value = `column + 100·row + 10,000·slice`, as 32 bit integers.
/// Trilinear interpolation of it is exact in the inside.
///
/// # Errors
/// [`PhantomError`] when a slice cannot be made.
pub fn ramp(geometry: &VolumeGeometry) -> Result<Volume, PhantomError> {
    fill(geometry, |[c, r, k]| c as i32 + 100 * r as i32 + 10_000 * k as i32)
}

/// A volume of `outside`, with `inside` wherever the voxel's centre lies within `radius_mm` of `centre` (patient, mm).
/// Returns the mask of the ball too.
///
/// # Errors
/// [`PhantomError`] when a slice cannot be made.
pub fn sphere(
    geometry: &VolumeGeometry,
    centre: DVec3,
    radius_mm: f64,
    inside: i32,
    outside: i32,
) -> Result<(Volume, Mask), PhantomError> {
    shape(geometry, inside, outside, |p| p.distance(centre) <= radius_mm)
}

/// The same with an endless cylinder round the line through `centre` along `axis`.
///
/// # Errors
/// [`PhantomError`] when a slice cannot be made.
pub fn cylinder(
    geometry: &VolumeGeometry,
    centre: DVec3,
    axis: DVec3,
    radius_mm: f64,
    inside: i32,
    outside: i32,
) -> Result<(Volume, Mask), PhantomError> {
    let axis = axis.normalize_or(DVec3::Z);
    shape(geometry, inside, outside, |p| (p - centre).reject_from_normalized(axis).length() <= radius_mm)
}

fn shape(
    geometry: &VolumeGeometry,
    inside: i32,
    outside: i32,
    holds: impl Fn(DVec3) -> bool,
) -> Result<(Volume, Mask), PhantomError> {
    let mut mask = Mask::new(geometry.dims());
    let volume = fill(geometry, |[c, r, k]| {
        let p = geometry.to_patient(VoxelPos::new(c as f64, r as f64, k as f64));
        if holds(p.0) {
            mask.set([c, r, k], true);
            inside
        } else {
            outside
        }
    })?;
    Ok((volume, mask))
}

fn fill(geometry: &VolumeGeometry, mut value: impl FnMut([usize; 3]) -> i32) -> Result<Volume, PhantomError> {
    let [columns, rows, slices] = geometry.dims();
    let mut volume = Volume::empty(geometry.clone());
    for k in 0..slices {
        let samples = (0..columns * rows).map(|i| value([i % columns, i / columns, k])).collect();
        let frame = Frame::new(columns, rows, Samples::I32(samples), Rescale::default())?;
        volume.set_slice(k, Arc::new(frame))?;
    }
    Ok(volume)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::PatientPos;

    fn grid(spacing: [f64; 2], step: f64, n: usize) -> VolumeGeometry {
        VolumeGeometry::from_dicom(
            [n, n, n],
            PatientPos::new(-20.0, -20.0, -20.0),
            DVec3::X,
            DVec3::Y,
            spacing,
            DVec3::Z * step,
        )
        .expect("valid")
    }

    #[test]
    fn a_ramp_is_interpolated_exactly() {
        let v = ramp(&grid([1.0, 2.0], 3.0, 8)).expect("valid");
        assert_eq!(v.value([3, 2, 1]), Some(10_203.0));
        let x = v.trilinear(VoxelPos::new(3.25, 2.5, 1.75));
        assert!((f64::from(x) - (3.25 + 250.0 + 17_500.0)).abs() < 1e-2);
    }

    #[test]
    fn volumes_approach_the_closed_form() {
        let g = grid([0.5, 0.5], 0.5, 80);
        let (_, ball) = sphere(&g, DVec3::new(0.1, -0.2, 0.3), 8.0, 100, 0).expect("valid");
        let truth = 4.0 / 3.0 * std::f64::consts::PI * 512.0;
        assert!((ball.count() as f64 * g.voxel_volume_mm3() / truth - 1.0).abs() < 0.01);
        let (v, rod) = cylinder(&g, DVec3::ZERO, DVec3::Z, 5.0, 7, -7).expect("valid");
        let area = rod.count() as f64 * g.voxel_volume_mm3() / 40.0;
        assert!((area / (std::f64::consts::PI * 25.0) - 1.0).abs() < 0.02);
        assert_eq!(v.value([40, 40, 0]), Some(7.0));
        assert_eq!(v.value([0, 0, 0]), Some(-7.0));
    }
}
