//! Planes of a volume as they lie on the screen.
//!
//! A stack of planes follows the volume's own axes (the acquisition), named by the patient axis that each comes closest
//! to and turned as radiologists read: the patient's right on the left of axial and coronal planes, anterior on the left
//! of sagittal ones, head up. So the slices of an axial series are shown as they were acquired, without interpolation,
//! however oblique; the letters at the edges say where the axes really point.

use std::sync::Arc;

use glam::DVec3;
use serde::{Deserialize, Serialize};

use crate::frame::Frame;
use crate::geometry::{VolumeGeometry, orientation_letters};
use crate::label::Mask;
use crate::space::{PatientPos, PlanePos};
use crate::volume::Volume;

/// Which planes of a series are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Plane {
    /// As stored: rows and columns of the file.
    #[default]
    Native,
    /// Seen from the feet.
    Axial,
    /// Seen from the front.
    Coronal,
    /// Seen from the left.
    Sagittal,
}

impl Plane {
    /// Name as shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "Native",
            Self::Axial => "Axial",
            Self::Coronal => "Coronal",
            Self::Sagittal => "Sagittal",
        }
    }
}

/// A rectangle of pixels in the patient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaneGrid {
    /// Centre of pixel (0, 0).
    pub origin: PatientPos,
    /// From one pixel to the next on the right, mm.
    pub right_mm: DVec3,
    /// From one pixel to the next below, mm.
    pub down_mm: DVec3,
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
}

impl PlaneGrid {
    /// A plane position in the patient.
    #[must_use]
    pub fn to_patient(&self, p: PlanePos) -> PatientPos {
        PatientPos(self.origin.0 + self.right_mm * p.x + self.down_mm * p.y)
    }

    /// The foot of a patient point on the plane, and its signed distance in mm along [`PlaneGrid::normal`].
    #[must_use]
    pub fn to_plane(&self, p: PatientPos) -> (PlanePos, f64) {
        let d = p.0 - self.origin.0;
        // The two directions may be skewed only by rounding, but solving the 2 × 2 system costs nothing.
        let (rr, dd, rd) =
            (self.right_mm.length_squared(), self.down_mm.length_squared(), self.right_mm.dot(self.down_mm));
        let (a, b) = (d.dot(self.right_mm), d.dot(self.down_mm));
        let det = rr * dd - rd * rd;
        (PlanePos::new((a * dd - b * rd) / det, (b * rr - a * rd) / det), d.dot(self.normal()))
    }

    /// Unit normal, right × down (away from the viewer).
    #[must_use]
    pub fn normal(&self) -> DVec3 {
        self.right_mm.cross(self.down_mm).normalize_or_zero()
    }

    /// Size of a pixel in mm: across, down.
    #[must_use]
    pub fn pixel_mm(&self) -> [f64; 2] {
        [self.right_mm.length(), self.down_mm.length()]
    }

    /// Letters for the edges: left, right, top, bottom.
    #[must_use]
    pub fn edge_letters(&self) -> [String; 4] {
        [
            orientation_letters(-self.right_mm),
            orientation_letters(self.right_mm),
            orientation_letters(-self.down_mm),
            orientation_letters(self.down_mm),
        ]
    }
}

/// How pixels of a plane find their voxels when the plane is a slice as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SliceTurn {
    transpose: bool,
    flip_x: bool,
    flip_y: bool,
}

impl SliceTurn {
    const NONE: Self = Self { transpose: false, flip_x: false, flip_y: false };

    /// The (column, row) of a plane pixel, for a slice of `columns` × `rows`.
    fn voxel(self, x: usize, y: usize, columns: usize, rows: usize) -> (usize, usize) {
        let (across, down) = if self.transpose { (rows, columns) } else { (columns, rows) };
        let x = if self.flip_x { across - 1 - x } else { x };
        let y = if self.flip_y { down - 1 - y } else { y };
        if self.transpose { (y, x) } else { (x, y) }
    }
}

/// All planes of one kind through a volume, in the order in which they are scrolled (ascending patient axis).
#[derive(Debug, Clone, PartialEq)]
pub struct PlaneStack {
    /// What it shows.
    pub plane: Plane,
    first: PlaneGrid,
    step_mm: DVec3,
    count: usize,
    turn: Option<(SliceTurn, bool)>,
    /// Origin of each plane, where the slices that it shows stand unevenly.
    origins: Option<Arc<[DVec3]>>,
}

/// The pixels of one plane.
#[derive(Debug, Clone)]
pub enum PlanePixels {
    /// A slice exactly as stored.
    Stored(Arc<Frame>),
    /// Values, row-major; NaN outside the volume or where slices are not loaded.
    Values(Vec<f32>),
}

impl PlaneStack {
    /// The planes of `geometry`.
    #[must_use]
    pub fn new(geometry: &VolumeGeometry, plane: Plane) -> Self {
        let [columns, rows, slices] = geometry.dims();
        if plane == Plane::Native {
            return Self {
                plane,
                first: PlaneGrid {
                    origin: geometry.to_patient(crate::space::VoxelPos::new(0.0, 0.0, 0.0)),
                    right_mm: geometry.step_mm(0),
                    down_mm: geometry.step_mm(1),
                    width: columns,
                    height: rows,
                },
                step_mm: geometry.step_mm(2),
                count: slices,
                turn: Some((SliceTurn::NONE, false)),
                origins: slice_origins(geometry, [0.0; 2], false),
            };
        }
        // The frame of the slices: row direction, column direction, normal towards higher slices.
        let along = geometry.direction(2);
        let normal = if geometry.normal().dot(along) >= 0.0 { geometry.normal() } else { -geometry.normal() };
        let e = [geometry.direction(0), geometry.direction(1), normal];
        let axis_of = closest_axes(&e);
        let towards = |patient_axis: usize, sign: f64| {
            let a = axis_of[patient_axis];
            let component = e[a].to_array()[patient_axis];
            (a, if component * sign >= 0.0 { 1.0 } else { -1.0 })
        };
        // Right, down, and the scrolled axis: which of e, with which sign.
        let (right, down, scroll) = match plane {
            Plane::Axial | Plane::Native => (towards(0, 1.0), towards(1, 1.0), towards(2, 1.0)),
            Plane::Coronal => (towards(0, 1.0), towards(2, -1.0), towards(1, 1.0)),
            Plane::Sagittal => (towards(1, 1.0), towards(2, -1.0), towards(0, 1.0)),
        };
        if scroll.0 == 2 {
            return Self::of_slices(geometry, plane, right, down, scroll.1 < 0.0);
        }
        Self::across_slices(geometry, plane, &e, right, down, scroll)
    }

    /// Planes that are the stored slices, turned.
    fn of_slices(
        geometry: &VolumeGeometry,
        plane: Plane,
        right: (usize, f64),
        down: (usize, f64),
        reversed: bool,
    ) -> Self {
        let dims = geometry.dims();
        let mut corner = [0.0; 3];
        for (axis, sign) in [right, down, (2, if reversed { -1.0 } else { 1.0 })] {
            if sign < 0.0 {
                corner[axis] = dims[axis] as f64 - 1.0;
            }
        }
        Self {
            plane,
            first: PlaneGrid {
                origin: geometry.to_patient(crate::space::VoxelPos::new(corner[0], corner[1], corner[2])),
                right_mm: geometry.step_mm(right.0) * right.1,
                down_mm: geometry.step_mm(down.0) * down.1,
                width: dims[right.0],
                height: dims[down.0],
            },
            step_mm: geometry.step_mm(2) * if reversed { -1.0 } else { 1.0 },
            count: dims[2],
            turn: Some((SliceTurn { transpose: right.0 == 1, flip_x: right.1 < 0.0, flip_y: down.1 < 0.0 }, reversed)),
            origins: slice_origins(geometry, [corner[0], corner[1]], reversed),
        }
    }

    /// Planes across the slices: square pixels of the finer of the two spacings, interpolated.
    fn across_slices(
        geometry: &VolumeGeometry,
        plane: Plane,
        e: &[DVec3; 3],
        right: (usize, f64),
        down: (usize, f64),
        scroll: (usize, f64),
    ) -> Self {
        /// Longest side of a reformatted plane; a coarser pixel is taken beyond it.
        const LONGEST_PX: f64 = 4096.0;
        let dims = geometry.dims();
        // Extent of the voxel centres in the orthogonal frame (a sheared volume leans out of its first slice).
        let origin = geometry.to_patient(crate::space::VoxelPos::new(0.0, 0.0, 0.0)).0;
        let mut low = [f64::INFINITY; 3];
        let mut high = [f64::NEG_INFINITY; 3];
        // Uneven slices may lean further out in the middle than at the ends.
        let ends = [0, dims[2] - 1];
        let slices = if geometry.is_uneven() { (0..dims[2]).collect() } else { ends.to_vec() };
        for k in slices {
            for corner in 0..4 {
                let p = [0, 1].map(|a| if corner >> a & 1 == 1 { dims[a] as f64 - 1.0 } else { 0.0 });
                let d = geometry.to_patient(crate::space::VoxelPos::new(p[0], p[1], k as f64)).0 - origin;
                for a in 0..3 {
                    low[a] = low[a].min(d.dot(e[a]));
                    high[a] = high[a].max(d.dot(e[a]));
                }
            }
        }
        let spacing = [geometry.step_mm(0).length(), geometry.step_mm(1).length(), geometry.step_mm(2).dot(e[2]).abs()];
        let extent = [0, 1, 2].map(|a| high[a] - low[a]);
        let pixel = spacing[right.0].min(spacing[down.0]).max(extent[right.0].max(extent[down.0]) / LONGEST_PX);
        let pixels = |a: usize| (extent[a] / pixel + 1e-6).floor() as usize + 1;
        let start = |(a, sign): (usize, f64)| e[a] * if sign > 0.0 { low[a] } else { high[a] };
        Self {
            plane,
            first: PlaneGrid {
                origin: PatientPos(origin + start(right) + start(down) + start(scroll)),
                right_mm: e[right.0] * (right.1 * pixel),
                down_mm: e[down.0] * (down.1 * pixel),
                width: pixels(right.0),
                height: pixels(down.0),
            },
            step_mm: e[scroll.0] * (scroll.1 * spacing[scroll.0]),
            count: (extent[scroll.0] / spacing[scroll.0] + 1e-6).floor() as usize + 1,
            turn: None,
            origins: None,
        }
    }

    /// Number of planes.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether values between voxels have to be made up.
    #[must_use]
    pub fn is_interpolated(&self) -> bool {
        self.turn.is_none()
    }

    /// The stored slice that plane `i` shows, where it shows one.
    #[must_use]
    pub fn stored_slice(&self, i: usize) -> Option<usize> {
        self.turn.map(|(_, reversed)| if reversed { self.count - 1 - i.min(self.count - 1) } else { i })
    }

    /// The plane that shows stored slice `k`.
    #[must_use]
    pub fn plane_of_slice(&self, k: usize) -> Option<usize> {
        self.stored_slice(k)
    }

    /// Step from plane to plane in mm; the mean where planes stand unevenly.
    #[must_use]
    pub fn step_mm(&self) -> DVec3 {
        self.step_mm
    }

    /// Whether the planes stand unevenly, so that no one step tells how far they are apart.
    #[must_use]
    pub fn is_uneven(&self) -> bool {
        self.origins.is_some()
    }

    /// Distance in mm from plane `i` to its nearest neighbour, along the normal.
    #[must_use]
    pub fn gap_mm(&self, i: usize) -> f64 {
        let n = self.first.normal();
        let Some(origins) = &self.origins else { return self.step_mm.dot(n).abs() };
        let i = i.min(self.count - 1);
        let to = |j: usize| origins.get(j).map_or(f64::INFINITY, |o| (*o - origins[i]).dot(n).abs());
        to(i.wrapping_sub(1)).min(to(i + 1))
    }

    /// The rectangle of plane `i` (clamped to the stack).
    #[must_use]
    pub fn grid(&self, i: usize) -> PlaneGrid {
        let i = i.min(self.count - 1);
        let origin = match &self.origins {
            Some(origins) => origins[i],
            None => self.first.origin.0 + self.step_mm * i as f64,
        };
        PlaneGrid { origin: PatientPos(origin), ..self.first }
    }

    /// The plane nearest to a patient point.
    #[must_use]
    pub fn nearest(&self, p: PatientPos) -> usize {
        let n = self.first.normal();
        if let Some(origins) = &self.origins {
            let off = |i: &usize| (p.0 - origins[*i]).dot(n).abs();
            return (0..self.count).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(0);
        }
        let per_plane = self.step_mm.dot(n);
        let i = ((p.0 - self.first.origin.0).dot(n) / per_plane).round();
        (i.max(0.0) as usize).min(self.count - 1)
    }

    /// The pixels of plane `i`, `None` where that slice is not loaded yet.
    #[must_use]
    pub fn pixels(&self, volume: &Volume, i: usize) -> Option<PlanePixels> {
        let grid = self.grid(i);
        if let Some((turn, _)) = self.turn {
            let frame = volume.slice(self.stored_slice(i)?)?;
            if turn == SliceTurn::NONE {
                return Some(PlanePixels::Stored(Arc::clone(frame)));
            }
            let mut out = Vec::with_capacity(grid.width * grid.height);
            for y in 0..grid.height {
                for x in 0..grid.width {
                    let (c, r) = turn.voxel(x, y, frame.columns(), frame.rows());
                    out.push(frame.value_at(r * frame.columns() + c));
                }
            }
            return Some(PlanePixels::Values(out));
        }
        let geometry = volume.geometry();
        if geometry.is_uneven() {
            let at = |x: usize, y: usize| geometry.to_voxel(grid.to_patient(PlanePos::new(x as f64, y as f64)));
            let line = |y: usize| (0..grid.width).map(move |x| volume.trilinear(at(x, y)));
            return Some(PlanePixels::Values((0..grid.height).flat_map(line).collect()));
        }
        let start = geometry.to_voxel(grid.origin).0;
        let dx = geometry.to_voxel(PatientPos(grid.origin.0 + grid.right_mm)).0 - start;
        let dy = geometry.to_voxel(PatientPos(grid.origin.0 + grid.down_mm)).0 - start;
        if let Some(out) = along_axes(volume, &grid, start, dx, dy) {
            return Some(PlanePixels::Values(out));
        }
        let mut out = Vec::with_capacity(grid.width * grid.height);
        for y in 0..grid.height {
            let line = start + dy * y as f64;
            for x in 0..grid.width {
                out.push(volume.trilinear(crate::space::VoxelPos(line + dx * x as f64)));
            }
        }
        Some(PlanePixels::Values(out))
    }

    /// Where plane `i` cuts a mask (nearest voxel), row-major; `None` where it does not.
    #[must_use]
    pub fn mask(&self, geometry: &VolumeGeometry, mask: &Mask, i: usize) -> Option<Vec<bool>> {
        let grid = self.grid(i);
        let [columns, rows, _] = geometry.dims();
        if let Some((turn, _)) = self.turn {
            let plane = mask.plane(self.stored_slice(i)?)?;
            let mut out = Vec::with_capacity(grid.width * grid.height);
            for y in 0..grid.height {
                for x in 0..grid.width {
                    let (c, r) = turn.voxel(x, y, columns, rows);
                    out.push(plane.get(r * columns + c));
                }
            }
            return Some(out);
        }
        let start = geometry.to_voxel(grid.origin).0;
        let dx = geometry.to_voxel(PatientPos(grid.origin.0 + grid.right_mm)).0 - start;
        let dy = geometry.to_voxel(PatientPos(grid.origin.0 + grid.down_mm)).0 - start;
        let mut any = false;
        let mut out = Vec::with_capacity(grid.width * grid.height);
        for y in 0..grid.height {
            let line = start + dy * y as f64;
            for x in 0..grid.width {
                let voxel = if geometry.is_uneven() {
                    geometry.to_voxel(grid.to_patient(PlanePos::new(x as f64, y as f64)))
                } else {
                    crate::space::VoxelPos(line + dx * x as f64)
                };
                let inside = voxel.index(geometry.dims()).is_some_and(|[c, r, s]| mask.get([c, r, s]));
                any |= inside;
                out.push(inside);
            }
        }
        any.then_some(out)
    }
}

/// The origins of planes that show uneven slices, from the pixel at this column and row of each.
fn slice_origins(geometry: &VolumeGeometry, corner: [f64; 2], reversed: bool) -> Option<Arc<[DVec3]>> {
    let count = geometry.uneven()?.origins().len();
    let slice = |i: usize| if reversed { count - 1 - i } else { i };
    let origin = |i| geometry.to_patient(crate::space::VoxelPos::new(corner[0], corner[1], slice(i) as f64)).0;
    Some((0..count).map(origin).collect())
}

/// A position on one axis: the lower of two neighbouring voxels and the weight of the upper one, as
/// [`Volume::trilinear`] takes them; `None` outside.
fn step_between(v: f64, n: usize) -> Option<(usize, f32)> {
    if !(v >= -0.5 - 1e-9 && v < n as f64 - 0.5 + 1e-9) {
        return None;
    }
    let v = v.clamp(0.0, n as f64 - 1.0);
    let base = (v.floor() as usize).min(n - 1);
    let weight = v - base as f64;
    Some((base, if weight < 1e-9 { 0.0 } else { weight as f32 }))
}

/// The values of a plane whose two directions run along voxel axes, one of them across the slices: each slice gives one
/// line, computed once, and the rows between two slices are mixed from two lines. `None` when the plane is not of that
/// kind (a sheared volume).
fn along_axes(volume: &Volume, grid: &PlaneGrid, start: DVec3, dx: DVec3, dy: DVec3) -> Option<Vec<f32>> {
    let only = |d: DVec3| {
        let a = d.to_array();
        let axis = (0..3).max_by(|i, j| a[*i].abs().total_cmp(&a[*j].abs()))?;
        // Less than a thousandth of a voxel over the whole plane is rounding.
        let stray = (0..3).filter(|i| *i != axis).map(|i| a[i].abs()).fold(0.0, f64::max);
        (stray * grid.width.max(grid.height) as f64 <= 1e-3).then_some(axis)
    };
    let (ax, ay) = (only(dx)?, only(dy)?);
    // Along a line within the slices, and across them.
    let (along, lines, transposed) = match (ax, ay) {
        (a, 2) if a != 2 => ((a, dx, grid.width), (dy, grid.height), false),
        (2, a) if a != 2 => ((a, dy, grid.height), (dx, grid.width), true),
        _ => return None,
    };
    let dims = volume.geometry().dims();
    let (axis, step, length) = along;
    let third = 1 - axis;
    let at = |n: usize| step_between(start.to_array()[axis] + step.to_array()[axis] * n as f64, dims[axis]);
    let places: Vec<Option<(usize, f32)>> = (0..length).map(at).collect();
    let Some((base3, weight3)) = step_between(start.to_array()[third], dims[third]) else {
        return Some(vec![f32::NAN; grid.width * grid.height]);
    };
    let line = |k: usize| -> Vec<f32> {
        let Some(frame) = volume.slice(k) else { return vec![f32::NAN; length] };
        let index = |i: usize, j: usize| if axis == 0 { j * dims[0] + i } else { i * dims[0] + j };
        let at = |i: usize| {
            let v = frame.value_at(index(i, base3));
            if weight3 == 0.0 { v } else { v + (frame.value_at(index(i, base3 + 1)) - v) * weight3 }
        };
        let value = |place: &Option<(usize, f32)>| match place {
            Some((i, w)) if *w == 0.0 => at(*i),
            Some((i, w)) => {
                let v = at(*i);
                v + (at(i + 1) - v) * w
            }
            None => f32::NAN,
        };
        places.iter().map(value).collect()
    };
    let mut kept: [Option<(usize, Vec<f32>)>; 2] = [None, None];
    let mut out = vec![f32::NAN; grid.width * grid.height];
    let (across, count) = lines;
    for n in 0..count {
        let v = start.z + across.z * n as f64;
        let Some((k, w)) = step_between(v, dims[2]) else { continue };
        for wanted in if w == 0.0 { [k, k] } else { [k, k + 1] } {
            if !kept.iter().flatten().any(|(have, _)| *have == wanted) {
                // The slot that holds neither neighbour is free.
                let free = usize::from(kept[0].as_ref().is_some_and(|(have, _)| *have == k || *have == k + 1));
                kept[free] = Some((wanted, line(wanted)));
            }
        }
        let find = |k: usize| kept.iter().flatten().find(|(have, _)| *have == k).map(|(_, l)| l);
        let Some(lower) = find(k) else { continue };
        let upper = if w == 0.0 { lower } else { find(k + 1).unwrap_or(lower) };
        for m in 0..length {
            let v = if w == 0.0 { lower[m] } else { lower[m] + (upper[m] - lower[m]) * w };
            out[if transposed { m * grid.width + n } else { n * grid.width + m }] = v;
        }
    }
    Some(out)
}

/// For each patient axis, the axis of `e` that takes its part: the assignment with the largest sum of |cosines|.
fn closest_axes(e: &[DVec3; 3]) -> [usize; 3] {
    const WAYS: [[usize; 3]; 6] = [[0, 1, 2], [1, 0, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1]];
    let fit = |way: &[usize; 3]| (0..3).map(|p| e[way[p]].to_array()[p].abs()).sum::<f64>();
    let mut best = WAYS[0];
    for way in &WAYS[1..] {
        if fit(way) > fit(&best) + 1e-9 {
            best = *way;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Rescale, Samples};

    /// 4 × 3 × 2 voxels, value = 100 slice + 10 row + column.
    fn volume(row: DVec3, column: DVec3, step: DVec3) -> Volume {
        let g = VolumeGeometry::from_dicom([4, 3, 2], PatientPos::new(5.0, 6.0, 7.0), row, column, [2.0, 1.0], step)
            .expect("valid");
        let slices = (0..2)
            .map(|k| {
                let v = (0..12).map(|i| (100 * k + 10 * (i / 4) + i % 4) as i16).collect();
                Some(Arc::new(Frame::new(4, 3, Samples::I16(v), Rescale::default()).expect("fits")))
            })
            .collect();
        Volume::new(g, slices).expect("fits")
    }

    fn values(p: PlanePixels) -> Vec<f32> {
        match p {
            PlanePixels::Stored(f) => f.values(),
            PlanePixels::Values(v) => v,
        }
    }

    #[test]
    fn an_axial_series_is_shown_as_stored() {
        let v = volume(DVec3::X, DVec3::Y, DVec3::Z * 3.0);
        let s = PlaneStack::new(v.geometry(), Plane::Axial);
        assert!(matches!(s.pixels(&v, 0), Some(PlanePixels::Stored(_))));
        assert_eq!(s.grid(1).edge_letters(), ["R", "L", "A", "P"]);
        assert_eq!(s.grid(1).origin, PatientPos::new(5.0, 6.0, 10.0));
    }

    #[test]
    fn planes_of_uneven_slices_lie_where_the_slices_do() {
        let step = DVec3::Z * 4.0;
        let g =
            VolumeGeometry::from_dicom([2, 2, 3], PatientPos::new(0.0, 0.0, 10.0), DVec3::X, DVec3::Y, [1.0; 2], step)
                .expect("valid")
                .with_slice_origins(&[10.0, 12.0, 18.0].map(|z| DVec3::new(0.0, 0.0, z)));
        let frame = |k: i16| Frame::new(2, 2, Samples::I16(vec![100 * k; 4]), Rescale::default()).expect("fits");
        let v = Volume::new(g.clone(), (0..3).map(|k| Some(Arc::new(frame(k)))).collect()).expect("fits");
        for plane in [Plane::Native, Plane::Axial] {
            let s = PlaneStack::new(&g, plane);
            assert_eq!([0, 1, 2].map(|i| s.grid(i).origin.0.z), [10.0, 12.0, 18.0]);
            assert_eq!([0, 1, 2, 9].map(|i| s.gap_mm(i)), [2.0, 2.0, 6.0, 6.0]);
            assert!(s.is_uneven());
            assert_eq!([9.0, 11.1, 14.9, 15.1, 99.0].map(|z| s.nearest(PatientPos::new(0.0, 0.0, z))), [0, 1, 1, 2, 2]);
        }
        // Head up: 18 mm above, then a mm each; the values are those of the heights, not of the mean step.
        let s = PlaneStack::new(&g, Plane::Coronal);
        let p = values(s.pixels(&v, 0).expect("loaded"));
        let column: Vec<f32> = p.chunks(2).map(|c| c[0]).collect();
        let wanted = [200.0, 183.3333, 166.6667, 150.0, 133.3333, 116.6667, 100.0, 50.0, 0.0];
        assert!(column.len() == 9 && column.iter().zip(wanted).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-3));
        let mut m = Mask::new(g.dims());
        m.set([0, 0, 1], true);
        let cut: Vec<bool> = s.mask(&g, &m, 0).expect("cut").chunks(2).map(|c| c[0]).collect();
        // Half the way to each neighbour: from 11 up to 15 mm, the lower end included.
        let wanted: Vec<bool> = (10..=18).rev().map(|z| (11..15).contains(&z)).collect();
        assert_eq!(cut, wanted);
    }

    #[test]
    fn coronal_has_the_head_up_and_the_right_side_on_the_left() {
        let v = volume(DVec3::X, DVec3::Y, DVec3::Z * 3.0);
        let s = PlaneStack::new(v.geometry(), Plane::Coronal);
        assert_eq!(s.count(), 3);
        let g = s.grid(2);
        assert_eq!(g.edge_letters(), ["R", "L", "H", "F"]);
        // Pixels of 1 mm: 4 across, 4 down (3 mm between two slices); the first line is the upper slice.
        assert_eq!((g.width, g.height), (4, 4));
        let p = values(s.pixels(&v, 2).expect("loaded"));
        assert_eq!(&p[0..4], &[120.0, 121.0, 122.0, 123.0]);
        assert_eq!(&p[12..16], &[20.0, 21.0, 22.0, 23.0]);
        assert!((p[4] - (120.0 * 2.0 + 20.0) / 3.0).abs() < 1e-4);
    }

    #[test]
    fn sagittal_has_anterior_on_the_left() {
        let v = volume(DVec3::X, DVec3::Y, DVec3::Z * 3.0);
        let s = PlaneStack::new(v.geometry(), Plane::Sagittal);
        assert_eq!(s.grid(0).edge_letters(), ["A", "P", "H", "F"]);
        assert_eq!(s.count(), 4);
        let p = values(s.pixels(&v, 3).expect("loaded"));
        // 2 mm between rows and 3 mm between slices: pixels of 2 mm.
        assert_eq!(s.grid(3).width, 3);
        assert_eq!(p[0], 103.0);
    }

    #[test]
    fn prone_feet_first_data_are_turned_for_reading() {
        // Rows run to the right, columns to the front, slices to the feet.
        let v = volume(-DVec3::X, -DVec3::Y, DVec3::Z * -3.0);
        let s = PlaneStack::new(v.geometry(), Plane::Axial);
        let g = s.grid(0);
        assert_eq!(g.edge_letters(), ["R", "L", "A", "P"]);
        assert_eq!(s.stored_slice(0), Some(1));
        let p = values(s.pixels(&v, 0).expect("loaded"));
        assert_eq!(&p[0..4], &[123.0, 122.0, 121.0, 120.0]);
        // The pixel still lies where its voxel lies.
        let voxel = v.geometry().to_voxel(g.to_patient(PlanePos::new(1.0, 2.0)));
        assert_eq!(v.nearest(voxel), Some(p[2 * 4 + 1]));
    }

    #[test]
    fn every_pixel_of_every_plane_shows_the_voxel_at_its_place() {
        let turned = DVec3::new(0.8, 0.6, 0.0);
        for (r, c, s) in [
            (DVec3::X, DVec3::Y, DVec3::Z * 3.0),
            (DVec3::Y, -DVec3::Z, DVec3::X * 3.0),
            (-DVec3::Z, DVec3::X, DVec3::Y * -3.0),
            (turned, DVec3::new(-0.6, 0.8, 0.0), DVec3::Z * 3.0),
            (DVec3::X, DVec3::Y, DVec3::new(0.0, 1.0, 3.0)),
        ] {
            let v = volume(r, c, s);
            for plane in [Plane::Native, Plane::Axial, Plane::Coronal, Plane::Sagittal] {
                let stack = PlaneStack::new(v.geometry(), plane);
                for i in 0..stack.count() {
                    let grid = stack.grid(i);
                    assert_eq!(stack.nearest(grid.origin), i);
                    let p = values(stack.pixels(&v, i).expect("loaded"));
                    for y in 0..grid.height {
                        for x in 0..grid.width {
                            let voxel = v.geometry().to_voxel(grid.to_patient(PlanePos::new(x as f64, y as f64)));
                            let (want, have) = (v.trilinear(voxel), p[y * grid.width + x]);
                            assert!(
                                want.is_nan() && have.is_nan() || (want - have).abs() < 1e-3,
                                "{plane:?} {i} {x} {y}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_mask_is_cut_where_the_volume_is() {
        let v = volume(-DVec3::X, -DVec3::Y, DVec3::Z * -3.0);
        let mut m = Mask::new(v.geometry().dims());
        m.set([1, 2, 0], true);
        for plane in [Plane::Native, Plane::Axial, Plane::Coronal, Plane::Sagittal] {
            let stack = PlaneStack::new(v.geometry(), plane);
            let at = stack.nearest(v.geometry().to_patient(crate::space::VoxelPos::new(1.0, 2.0, 0.0)));
            let cut = stack.mask(v.geometry(), &m, at).expect("cuts");
            let (p, d) = stack.grid(at).to_plane(v.geometry().to_patient(crate::space::VoxelPos::new(1.0, 2.0, 0.0)));
            assert!(d.abs() < 1e-9);
            assert!(cut[p.y.round() as usize * stack.grid(at).width + p.x.round() as usize], "{plane:?}");
        }
    }
}
