//! Masks from files, on the images that they were made for: DICOM SEG, numbers in a volume (NIfTI, NRRD, MetaImage), or a
//! picture (PNG) for an image of its size.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use lightbox_core::label::{MASK_COLOURS, MaskOrigin};
use lightbox_core::{BitPlane, Mask, Segment, SegmentId, Volume, VoxelPos};
use lightbox_dicom::{Source, Stack, seg};

use super::{images, one_stack};

/// A voxel of the mask may miss the centre of the series' voxel by this share of a voxel.
const TOLERANCE_VOXELS: f64 = 0.1;
/// More numbers than this in one volume are an image, not a mask.
const MOST_LABELS: usize = 1000;

/// The segments of a file on the voxels of a stack.
pub(super) fn read(path: &Path, stack: &Stack) -> Result<Vec<Segment>, String> {
    match seg::read(&Source::file(path)) {
        Ok(file) => file.place_on(stack).map_err(|e| e.to_string()),
        // No DICOM at all: numbers in a volume or a picture, or the first sentence stands.
        Err(e) => match one_stack(path, None, 0) {
            Ok(found) if found.series.transfer_syntax.is_empty() => numbers(path, &found.stack, stack),
            _ => Err(e.to_string()),
        },
    }
}

/// One segment for each number above 0.
fn numbers(path: &Path, found: &Stack, stack: &Stack) -> Result<Vec<Segment>, String> {
    let elsewhere = || format!("the mask does not lie on the voxels of the series: {}", path.display());
    let no_mask = || format!("the file holds an image, not a mask of whole numbers: {}", path.display());
    let dims = [stack.columns, stack.rows, stack.frames.len()];
    let (volume, _) = images::load(found)?;
    let map = match (&found.geometry, &stack.geometry) {
        (Some(_), Some(geometry)) => IndexMap::new(&volume, geometry),
        // A picture has no place in the patient: pixel on pixel, for one image of its size.
        (None, _) if [found.columns, found.rows, found.frames.len()] == dims && dims[2] == 1 => Some(IndexMap::SAME),
        _ => None,
    };
    let map = map.ok_or_else(elsewhere)?;
    let mut planes: BTreeMap<u32, BTreeMap<usize, BitPlane>> = BTreeMap::new();
    for (k, frame) in volume.slices().iter().enumerate() {
        let Some(frame) = frame else { continue };
        for i in 0..frame.columns() * frame.rows() {
            let value = frame.value_at(i);
            if value == 0.0 {
                continue;
            }
            if value < 0.0 || value.fract() != 0.0 || value > 65_535.0 {
                return Err(no_mask());
            }
            let [c, r, s] = map.at([i % frame.columns(), i / frame.columns(), k], dims).ok_or_else(elsewhere)?;
            let slices = planes.entry(value as u32).or_default();
            slices.entry(s).or_insert_with(|| BitPlane::new(dims[0] * dims[1])).set(r * dims[0] + c, true);
        }
        if planes.len() > MOST_LABELS {
            return Err(no_mask());
        }
    }
    Ok(planes
        .into_iter()
        .enumerate()
        .map(|(n, (label, slices))| {
            let mut mask = Mask::new(dims);
            for (k, plane) in slices {
                mask.set_plane(k, Some(Arc::new(plane)));
            }
            Segment {
                id: SegmentId(n as u32 + 1),
                name: format!("Label {label}"),
                colour: MASK_COLOURS[n % MASK_COLOURS.len()],
                code: None,
                side: None,
                origin: MaskOrigin::Reader,
                edited: false,
                visible: true,
                locked: false,
                mask,
            }
        })
        .collect())
}

/// Voxel `(c, r, s)` of the mask is voxel `base + c·steps[0] + r·steps[1] + s·steps[2]` of the series.
struct IndexMap {
    base: [i64; 3],
    steps: [[i64; 3]; 3],
}

impl IndexMap {
    const SAME: Self = Self { base: [0; 3], steps: [[1, 0, 0], [0, 1, 0], [0, 0, 1]] };

    /// `None` when a corner of the mask misses the centres of the series' voxels.
    fn new(mask: &Volume, series: &lightbox_core::VolumeGeometry) -> Option<Self> {
        let g = mask.geometry();
        let place = |c: f64, r: f64, s: f64| series.to_voxel(g.to_patient(VoxelPos::new(c, r, s))).0.to_array();
        let whole = |p: [f64; 3]| -> Option<[i64; 3]> {
            let near = p.map(f64::round);
            let fits = p.iter().zip(near).all(|(p, n)| (p - n).abs() <= TOLERANCE_VOXELS);
            fits.then(|| near.map(|v| v as i64))
        };
        let last = g.dims().map(|n| n as f64 - 1.0);
        let base = whole(place(0.0, 0.0, 0.0))?;
        let step = |axis: usize| -> Option<[i64; 3]> {
            let mut one = [0.0; 3];
            one[axis] = 1.0;
            let next = place(one[0], one[1], one[2]).map(f64::round);
            let step = [0, 1, 2].map(|a| next[a] as i64 - base[a]);
            // The far end too, where a small difference in spacing would have summed up.
            let mut end = [0.0; 3];
            end[axis] = last[axis];
            let far = whole(place(end[0], end[1], end[2]))?;
            (0..3).all(|a| far[a] == base[a] + step[a] * last[axis] as i64).then_some(step)
        };
        Some(Self { base, steps: [step(0)?, step(1)?, step(2)?] })
    }

    fn at(&self, voxel: [usize; 3], dims: [usize; 3]) -> Option<[usize; 3]> {
        let mut out = [0; 3];
        for a in 0..3 {
            let v = self.base[a] + (0..3).map(|n| voxel[n] as i64 * self.steps[n][a]).sum::<i64>();
            out[a] = usize::try_from(v).ok().filter(|v| *v < dims[a])?;
        }
        Some(out)
    }
}
