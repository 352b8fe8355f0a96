//! Where a volume lies in the patient.

use std::sync::Arc;

use glam::{DAffine3, DMat3, DVec3};

use crate::space::{PatientPos, VoxelPos};
use crate::uneven::SlicePlaces;

/// Slices that miss the even lattice by less than this are on it: decimal strings are rounded, tables are not moved so.
const EVEN_MM: f64 = 0.01;

/// Why a geometry was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// A dimension is zero.
    #[error("a volume of {0} x {1} x {2} voxels has no extent")]
    Empty(usize, usize, usize),
    /// The three axes do not span space, or a number is not finite.
    #[error("the image axes do not span space")]
    Degenerate,
}

/// Dimensions of a volume and its place in the patient. The affine may be sheared (gantry tilt). Slices that stand
/// unevenly keep their own places; the affine then has the mean step, and [`VolumeGeometry::to_patient`] and
/// [`VolumeGeometry::to_voxel`] go by the places.
#[derive(Debug, Clone, PartialEq)]
pub struct VolumeGeometry {
    dims: [usize; 3],
    patient_from_voxel: DAffine3,
    voxel_from_patient: DAffine3,
    uneven: Option<Arc<SlicePlaces>>,
}

impl VolumeGeometry {
    /// From dimensions (columns, rows, slices) and the affine from voxel indices to millimetres (LPS).
    ///
    /// # Errors
    /// [`GeometryError`] when a dimension is zero or the affine cannot be inverted.
    pub fn new(dims: [usize; 3], patient_from_voxel: DAffine3) -> Result<Self, GeometryError> {
        if dims.contains(&0) {
            return Err(GeometryError::Empty(dims[0], dims[1], dims[2]));
        }
        let m = patient_from_voxel.matrix3;
        let scale = m.x_axis.length() * m.y_axis.length() * m.z_axis.length();
        let det = m.determinant();
        if !patient_from_voxel.is_finite() || scale <= 0.0 || det.abs() < 1e-6 * scale {
            return Err(GeometryError::Degenerate);
        }
        Ok(Self { dims, patient_from_voxel, voxel_from_patient: patient_from_voxel.inverse(), uneven: None })
    }

    /// From DICOM's own terms (PS3.3 C.7.6.2): centre of the first voxel, the directions along a row and along a
    /// column, spacing `[between rows, between columns]` in mm, and the step from slice to slice in mm.
    ///
    /// # Errors
    /// As [`VolumeGeometry::new`].
    pub fn from_dicom(
        dims: [usize; 3],
        origin: PatientPos,
        row_direction: DVec3,
        column_direction: DVec3,
        spacing_mm: [f64; 2],
        slice_step_mm: DVec3,
    ) -> Result<Self, GeometryError> {
        let matrix = DMat3::from_cols(row_direction * spacing_mm[1], column_direction * spacing_mm[0], slice_step_mm);
        Self::new(dims, DAffine3 { matrix3: matrix, translation: origin.0 })
    }

    /// The same with the places of the slices, where these do not stand on the even lattice: centres of their first
    /// voxels in mm. Without effect for slices that do, that turn back, or that are not as many as the volume has.
    #[must_use]
    pub fn with_slice_origins(mut self, origins: &[DVec3]) -> Self {
        let on_lattice = |(k, o): (usize, &DVec3)| {
            self.patient_from_voxel.transform_point3(DVec3::new(0.0, 0.0, k as f64)).distance(*o) <= EVEN_MM
        };
        self.uneven = if origins.len() != self.dims[2] || origins.iter().enumerate().all(on_lattice) {
            None
        } else {
            SlicePlaces::new(origins, self.normal()).map(Arc::new)
        };
        self
    }

    /// Columns, rows, slices.
    #[must_use]
    pub fn dims(&self) -> [usize; 3] {
        self.dims
    }

    /// Number of voxels.
    #[must_use]
    pub fn voxels(&self) -> usize {
        self.dims.iter().product()
    }

    /// The affine from voxel indices to millimetres; the nearest even lattice where the slices stand unevenly.
    #[must_use]
    pub fn patient_from_voxel(&self) -> DAffine3 {
        self.patient_from_voxel
    }

    /// A voxel position in the patient.
    #[must_use]
    pub fn to_patient(&self, p: VoxelPos) -> PatientPos {
        let Some(places) = &self.uneven else { return PatientPos(self.patient_from_voxel.transform_point3(p.0)) };
        PatientPos(places.origin(p.0.z) + self.step_mm(0) * p.0.x + self.step_mm(1) * p.0.y)
    }

    /// A point of the patient in voxel indices.
    #[must_use]
    pub fn to_voxel(&self, p: PatientPos) -> VoxelPos {
        let Some(places) = &self.uneven else { return VoxelPos(self.voxel_from_patient.transform_point3(p.0)) };
        let k = places.index(p.0);
        let in_slice = self.voxel_from_patient.transform_vector3(p.0 - places.origin(k));
        VoxelPos::new(in_slice.x, in_slice.y, k)
    }

    /// Whether the slices stand unevenly, so that the affine is only their mean.
    #[must_use]
    pub fn is_uneven(&self) -> bool {
        self.uneven.is_some()
    }

    pub(crate) fn uneven(&self) -> Option<&SlicePlaces> {
        self.uneven.as_deref()
    }

    /// Volume of a voxel of slice `k` in mm³: an uneven slice reaches half the way to each neighbour.
    #[must_use]
    pub fn voxel_volume_of_slice_mm3(&self, k: usize) -> f64 {
        let Some(places) = &self.uneven else { return self.voxel_volume_mm3() };
        self.step_mm(0).cross(self.step_mm(1)).length() * places.extent_mm(k)
    }

    /// The step in mm from one voxel to the next along `axis` (0 column index, 1 row index, 2 slice).
    #[must_use]
    pub fn step_mm(&self, axis: usize) -> DVec3 {
        match axis {
            0 => self.patient_from_voxel.matrix3.x_axis,
            1 => self.patient_from_voxel.matrix3.y_axis,
            _ => self.patient_from_voxel.matrix3.z_axis,
        }
    }

    /// Unit direction of `axis`.
    #[must_use]
    pub fn direction(&self, axis: usize) -> DVec3 {
        self.step_mm(axis).normalize()
    }

    /// Spacing `[between rows, between columns, between slices]` in mm; between slices is measured along the step.
    #[must_use]
    pub fn spacing_mm(&self) -> [f64; 3] {
        [self.step_mm(1).length(), self.step_mm(0).length(), self.step_mm(2).length()]
    }

    /// Unit normal of the slices (row direction × column direction).
    #[must_use]
    pub fn normal(&self) -> DVec3 {
        self.direction(0).cross(self.direction(1)).normalize()
    }

    /// Volume of one voxel in mm³; the mean where slices stand unevenly.
    #[must_use]
    pub fn voxel_volume_mm3(&self) -> f64 {
        self.patient_from_voxel.matrix3.determinant().abs()
    }

    /// Angle in degrees between the slice step and the slice normal: the gantry tilt that the positions show.
    #[must_use]
    pub fn tilt_deg(&self) -> f64 {
        self.direction(2).dot(self.normal()).abs().min(1.0).acos().to_degrees()
    }

    /// Whether the three axes stand at right angles (within `tolerance_deg`).
    #[must_use]
    pub fn is_orthogonal(&self, tolerance_deg: f64) -> bool {
        let limit = (90.0 - tolerance_deg).to_radians().cos();
        let d = [self.direction(0), self.direction(1), self.direction(2)];
        d[0].dot(d[1]).abs() <= limit && d[0].dot(d[2]).abs() <= limit && d[1].dot(d[2]).abs() <= limit
    }

    /// The affine as rows of a 4 × 4 matrix, LPS, from (column, row, slice).
    #[must_use]
    pub fn affine_lps(&self) -> [[f64; 4]; 4] {
        let (m, t) = (self.patient_from_voxel.matrix3, self.patient_from_voxel.translation);
        [
            [m.x_axis.x, m.y_axis.x, m.z_axis.x, t.x],
            [m.x_axis.y, m.y_axis.y, m.z_axis.y, t.y],
            [m.x_axis.z, m.y_axis.z, m.z_axis.z, t.z],
            [0.0, 0.0, 0.0, 1.0],
        ]
    }

    /// The patient position of the middle of the volume.
    #[must_use]
    pub fn centre(&self) -> PatientPos {
        let d = self.dims.map(|n| (n as f64 - 1.0) / 2.0);
        self.to_patient(VoxelPos::new(d[0], d[1], d[2]))
    }

    /// Whether two geometries place the same grid at the same points (dimensions equal, corners within `tolerance_mm`).
    #[must_use]
    pub fn matches(&self, other: &Self, tolerance_mm: f64) -> bool {
        let slices_match = match (&self.uneven, &other.uneven) {
            (None, None) => true,
            _ => (0..self.dims[2]).all(|k| {
                let p = VoxelPos::new(0.0, 0.0, k as f64);
                self.to_patient(p).distance_mm(other.to_patient(p)) <= tolerance_mm
            }),
        };
        self.dims == other.dims
            && slices_match
            && (0..8).all(|corner| {
                let p = [0, 1, 2].map(|a| if corner >> a & 1 == 1 { self.dims[a] as f64 - 1.0 } else { 0.0 });
                let p = VoxelPos::new(p[0], p[1], p[2]);
                self.to_patient(p).distance_mm(other.to_patient(p)) <= tolerance_mm
            })
    }
}

/// Letters of the side that `direction` (LPS) points to, strongest first: `"L"`, `"AL"`, `"HPR"`.
///
/// A component is named when it is at least `sin 15°` of the whole, so that a slight obliquity keeps one letter.
#[must_use]
pub fn orientation_letters(direction: DVec3) -> String {
    let d = direction.normalize_or_zero();
    let mut parts = [(d.x, 'L', 'R'), (d.y, 'P', 'A'), (d.z, 'H', 'F')];
    parts.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    let least = 15_f64.to_radians().sin();
    parts
        .into_iter()
        .filter(|(v, ..)| v.abs() >= least)
        .map(|(v, plus, minus)| if v > 0.0 { plus } else { minus })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axial() -> VolumeGeometry {
        VolumeGeometry::from_dicom(
            [4, 3, 5],
            PatientPos::new(-10.0, -20.0, 30.0),
            DVec3::X,
            DVec3::Y,
            [0.5, 0.75],
            DVec3::new(0.0, 0.0, 2.0),
        )
        .expect("valid")
    }

    #[test]
    fn spacing_is_rows_columns_slices_as_in_dicom() {
        assert_eq!(axial().spacing_mm(), [0.5, 0.75, 2.0]);
        assert_eq!(axial().to_patient(VoxelPos::new(2.0, 1.0, 1.0)), PatientPos::new(-8.5, -19.5, 32.0));
        let p = VoxelPos::new(1.25, 2.0, 3.5);
        assert!(axial().to_voxel(axial().to_patient(p)).0.distance(p.0) < 1e-12);
    }

    #[test]
    fn uneven_slices_keep_their_places() {
        let even: Vec<DVec3> = (0..5).map(|k| DVec3::new(-10.0, -20.0, 30.0 + 2.0 * f64::from(k))).collect();
        assert!(!axial().with_slice_origins(&even).is_uneven());
        let heights = [30.0, 31.0, 32.0, 35.0, 38.0];
        let origins = heights.map(|z| DVec3::new(-10.0, -20.0, z));
        let g = axial().with_slice_origins(&origins);
        assert!(g.is_uneven());
        assert_eq!(g.patient_from_voxel(), axial().patient_from_voxel());
        assert_eq!(g.to_patient(VoxelPos::new(2.0, 1.0, 3.0)), PatientPos::new(-8.5, -19.5, 35.0));
        for p in [VoxelPos::new(1.25, 2.0, 3.5), VoxelPos::new(-1.0, 0.5, -2.0), VoxelPos::new(3.0, 2.0, 4.5)] {
            assert!(g.to_voxel(g.to_patient(p)).0.distance(p.0) < 1e-12);
        }
        let volume: f64 = (0..5).map(|k| g.voxel_volume_of_slice_mm3(k)).sum();
        assert!((volume - 0.375 * (1.0 + 1.0 + 2.0 + 3.0 + 3.0)).abs() < 1e-12);
        assert!(!g.matches(&axial(), 0.1));
        assert!(g.matches(&g.clone(), 0.0));
    }

    #[test]
    fn tilt_is_the_angle_of_the_step() {
        let a = 18.5_f64.to_radians();
        let g = VolumeGeometry::from_dicom(
            [2, 2, 2],
            PatientPos::default(),
            DVec3::X,
            DVec3::Y,
            [1.0, 1.0],
            DVec3::new(0.0, a.sin(), a.cos()) * 3.0,
        )
        .expect("valid");
        assert!((g.tilt_deg() - 18.5).abs() < 1e-9);
        assert!(!g.is_orthogonal(0.1));
        assert!(axial().is_orthogonal(0.1));
    }

    #[test]
    fn degenerate_axes_are_refused() {
        let flat =
            VolumeGeometry::from_dicom([2, 2, 2], PatientPos::default(), DVec3::X, DVec3::X, [1.0, 1.0], DVec3::Z);
        assert_eq!(flat, Err(GeometryError::Degenerate));
        let nan =
            VolumeGeometry::from_dicom([2, 2, 2], PatientPos::default(), DVec3::X, DVec3::Y, [f64::NAN, 1.0], DVec3::Z);
        assert_eq!(nan, Err(GeometryError::Degenerate));
        assert!(
            VolumeGeometry::from_dicom([0, 2, 2], PatientPos::default(), DVec3::X, DVec3::Y, [1.0, 1.0], DVec3::Z)
                .is_err()
        );
    }

    #[test]
    fn letters_follow_the_cosines() {
        assert_eq!(orientation_letters(DVec3::X), "L");
        assert_eq!(orientation_letters(-DVec3::Z), "F");
        assert_eq!(orientation_letters(DVec3::new(0.6, -0.8, 0.0)), "AL");
        assert_eq!(orientation_letters(DVec3::new(0.1, 0.99, 0.05)), "P");
        assert_eq!(orientation_letters(DVec3::ZERO), "");
    }
}
