//! A stack of frames with a place in the patient. Frames may still be missing while they load.

use std::sync::Arc;

use crate::frame::Frame;
use crate::geometry::VolumeGeometry;
use crate::space::VoxelPos;

/// A frame does not fit the volume's geometry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// Another size than the volume's.
    #[error("slice {slice} has {columns} x {rows} pixels, the volume {expected_columns} x {expected_rows}")]
    SliceSize {
        /// Slice, 0-based.
        slice: usize,
        /// Columns found.
        columns: usize,
        /// Rows found.
        rows: usize,
        /// Columns of the volume.
        expected_columns: usize,
        /// Rows of the volume.
        expected_rows: usize,
    },
    /// Another number of slices than the volume's.
    #[error("{found} slices for a volume of {expected}")]
    SliceCount {
        /// Slices given.
        found: usize,
        /// Slices of the geometry.
        expected: usize,
    },
}

/// A stack of frames, ascending along the slice axis. Cloning shares the pixels.
#[derive(Debug, Clone)]
pub struct Volume {
    geometry: VolumeGeometry,
    slices: Vec<Option<Arc<Frame>>>,
}

impl Volume {
    /// # Errors
    /// [`VolumeError`] when the number or the size of the slices does not fit the geometry.
    pub fn new(geometry: VolumeGeometry, slices: Vec<Option<Arc<Frame>>>) -> Result<Self, VolumeError> {
        if slices.len() != geometry.dims()[2] {
            return Err(VolumeError::SliceCount { found: slices.len(), expected: geometry.dims()[2] });
        }
        for (i, frame) in slices.iter().enumerate() {
            if let Some(frame) = frame {
                check_size(&geometry, i, frame)?;
            }
        }
        Ok(Self { geometry, slices })
    }

    /// A volume whose slices are all still to come.
    #[must_use]
    pub fn empty(geometry: VolumeGeometry) -> Self {
        let n = geometry.dims()[2];
        Self { geometry, slices: vec![None; n] }
    }

    /// Puts a slice in its place.
    ///
    /// # Errors
    /// [`VolumeError`] when it has another size or there is no such slice.
    pub fn set_slice(&mut self, slice: usize, frame: Arc<Frame>) -> Result<(), VolumeError> {
        check_size(&self.geometry, slice, &frame)?;
        match self.slices.get_mut(slice) {
            Some(place) => {
                *place = Some(frame);
                Ok(())
            }
            None => Err(VolumeError::SliceCount { found: slice + 1, expected: self.geometry.dims()[2] }),
        }
    }

    /// The place in the patient.
    #[must_use]
    pub fn geometry(&self) -> &VolumeGeometry {
        &self.geometry
    }

    /// A slice, if it is loaded.
    #[must_use]
    pub fn slice(&self, i: usize) -> Option<&Arc<Frame>> {
        self.slices.get(i)?.as_ref()
    }

    /// All slices in order.
    #[must_use]
    pub fn slices(&self) -> &[Option<Arc<Frame>>] {
        &self.slices
    }

    /// Whether every slice is loaded.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.slices.iter().all(Option::is_some)
    }

    /// Value at a voxel, `None` outside or where the slice is not loaded.
    #[must_use]
    pub fn value(&self, [column, row, slice]: [usize; 3]) -> Option<f32> {
        self.slice(slice)?.value(column, row)
    }

    /// Value at the nearest voxel.
    #[must_use]
    pub fn nearest(&self, p: VoxelPos) -> Option<f32> {
        self.value(p.index(self.geometry.dims())?)
    }

    /// Trilinear value; between the outermost voxel centres and half a voxel beyond, the edge value holds. NaN outside
    /// and where a needed slice is not loaded.
    #[must_use]
    pub fn trilinear(&self, p: VoxelPos) -> f32 {
        let dims = self.geometry.dims();
        let mut base = [0usize; 3];
        let mut weight = [0f64; 3];
        for (a, v) in p.0.to_array().into_iter().enumerate() {
            // Rounding in the affine may put a point of the outermost plane a hair outside.
            if !(v >= -0.5 - 1e-9 && v < dims[a] as f64 - 0.5 + 1e-9) {
                return f32::NAN;
            }
            let v = v.clamp(0.0, dims[a] as f64 - 1.0);
            base[a] = (v.floor() as usize).min(dims[a] - 1);
            weight[a] = v - base[a] as f64;
            if weight[a] < 1e-9 {
                weight[a] = 0.0;
            }
        }
        let mut sum = 0.0;
        for (k, wk) in [(base[2], 1.0 - weight[2]), (base[2] + 1, weight[2])] {
            if wk == 0.0 {
                continue;
            }
            let Some(frame) = self.slice(k) else { return f32::NAN };
            for (j, wj) in [(base[1], 1.0 - weight[1]), (base[1] + 1, weight[1])] {
                if wj == 0.0 {
                    continue;
                }
                let at = j * dims[0] + base[0];
                let mut line = (1.0 - weight[0]) * f64::from(frame.value_at(at));
                if weight[0] > 0.0 {
                    line += weight[0] * f64::from(frame.value_at(at + 1));
                }
                sum += wk * wj * line;
            }
        }
        sum as f32
    }

    /// Memory of the loaded samples.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.slices.iter().flatten().map(|f| f.samples().bytes()).sum()
    }
}

fn check_size(geometry: &VolumeGeometry, slice: usize, frame: &Frame) -> Result<(), VolumeError> {
    let [columns, rows, _] = geometry.dims();
    if frame.columns() == columns && frame.rows() == rows {
        return Ok(());
    }
    Err(VolumeError::SliceSize {
        slice,
        columns: frame.columns(),
        rows: frame.rows(),
        expected_columns: columns,
        expected_rows: rows,
    })
}
