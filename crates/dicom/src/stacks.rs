//! From the frames of one series to stacks that are scrolled together: split by geometry, sorted by position along the
//! normal, split again where positions repeat (PS3.3 C.7.6.2).

use std::collections::HashSet;

use glam::DVec3;
use lightbox_core::measure::Calibration;
use lightbox_core::{PatientPos, VolumeGeometry};

use crate::heads::{FileHead, FrameHead, ImageHead, is_flat, is_projection};
use crate::index::{FrameRef, Stack};
use crate::split;
use crate::warning::{Warning, WarningKind};

/// One frame with what its file says.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) file: &'a FileHead,
    pub(crate) image: &'a ImageHead,
    pub(crate) frame: &'a FrameHead,
}

impl Item<'_> {
    /// Order for those that have no better one.
    pub(crate) fn running(&self) -> (i64, i64, usize) {
        (self.file.instance_number.unwrap_or(i64::MAX), self.image.offset, self.frame.frame)
    }

    fn reference(&self) -> FrameRef {
        FrameRef {
            source: self.file.source.clone(),
            frame: self.frame.frame,
            sop_class_uid: self.file.sop_class_uid.clone(),
            sop_instance_uid: self.file.sop_instance_uid.clone(),
            instance_number: self.file.instance_number,
            position: self.frame.position,
        }
    }
}

/// A plane lattice that frames share.
struct Plane {
    frame_of_reference: String,
    orientation: [f64; 6],
    spacing: [f64; 2],
    rows: usize,
    columns: usize,
}

impl Plane {
    fn of(item: &Item<'_>) -> Option<Self> {
        item.frame.position?;
        Some(Self {
            frame_of_reference: item.file.frame_of_reference.clone(),
            orientation: item.frame.orientation?,
            spacing: item.frame.spacing?,
            rows: item.image.rows,
            columns: item.image.columns,
        })
    }

    fn holds(&self, other: &Self) -> bool {
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(x, y)| (x - y).abs() <= 1e-4);
        self.rows == other.rows
            && self.columns == other.columns
            && self.frame_of_reference == other.frame_of_reference
            && near(&self.orientation, &other.orientation)
            && near(&self.spacing, &other.spacing)
    }

    fn row(&self) -> DVec3 {
        DVec3::new(self.orientation[0], self.orientation[1], self.orientation[2]).normalize()
    }

    fn column(&self) -> DVec3 {
        DVec3::new(self.orientation[3], self.orientation[4], self.orientation[5]).normalize()
    }

    fn normal(&self) -> DVec3 {
        self.row().cross(self.column()).normalize()
    }
}

/// Splits and sorts the frames of a series.
pub(crate) fn build(items: Vec<Item<'_>>) -> (Vec<Stack>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let mut groups: Vec<(Plane, Vec<Item<'_>>)> = Vec::new();
    let mut flat = Vec::new();
    for item in items {
        match Plane::of(&item) {
            Some(plane) => match groups.iter_mut().find(|(p, _)| p.holds(&plane)) {
                Some((_, members)) => members.push(item),
                None => groups.push((plane, vec![item])),
            },
            None => flat.push(item),
        }
    }
    mixed(&groups, &mut warnings);
    // The largest group is what the series is about; a scout comes after it.
    groups.sort_by_key(|(_, m)| (std::cmp::Reverse(m.len()), m.iter().map(Item::running).min()));
    let spatial = !groups.is_empty();
    let mut stacks = Vec::new();
    for (plane, members) in groups {
        stacks.extend(spatial_stacks(&plane, members, &mut warnings));
    }
    if let Some(first) = flat.first() {
        if spatial || !is_flat(&first.file.modality) {
            let n = flat.len();
            let text = if n == 1 {
                "an image has no position in the patient; its lengths may be in pixels".to_string()
            } else {
                format!("{n} images have no position in the patient; their lengths may be in pixels")
            };
            warnings.push(Warning { kind: WarningKind::NoPosition, text });
        }
        stacks.extend(flat_stacks(flat));
    }
    tell_apart(&mut stacks);
    (stacks, warnings)
}

/// Gives every stack a key of its own. What the files tell apart (time, echo, …) stays; where that is the same or nothing,
/// the direction or the size is added, then a number. The first of a kind, which is the largest, keeps the plain key.
fn tell_apart(stacks: &mut [Stack]) {
    let mut taken: HashSet<String> = HashSet::new();
    let mut seen: Vec<(String, &'static str, [usize; 2])> = Vec::new();
    for stack in stacks {
        let (facing, size) = (facing(stack), [stack.columns, stack.rows]);
        let same_key = || seen.iter().filter(|(key, ..)| *key == stack.key);
        let mut parts: Vec<String> = Vec::new();
        if same_key().next().is_some() {
            if !facing.is_empty() && same_key().all(|(_, f, _)| *f != facing) {
                parts.push(facing.to_owned());
            } else if same_key().all(|(.., s)| *s != size) {
                parts.push(format!("{} x {}", size[0], size[1]));
            }
        }
        seen.push((stack.key.clone(), facing, size));
        let key = if stack.key.is_empty() { parts.pop() } else { Some(stack.key.clone()) };
        let base = key.into_iter().chain(parts).collect::<Vec<_>>().join(", ");
        let mut candidate = base.clone();
        let mut n = 2;
        while !taken.insert(candidate.clone()) {
            candidate = if base.is_empty() { format!("part {n}") } else { format!("{base}, part {n}") };
            n += 1;
        }
        stack.key = candidate;
    }
}

/// The plane that a stack was acquired in, by the axis closest to its normal; empty without a place in the patient.
fn facing(stack: &Stack) -> &'static str {
    let Some(g) = &stack.geometry else { return "" };
    let n = g.normal().abs();
    if n.z >= n.x && n.z >= n.y {
        "axial"
    } else if n.y >= n.x {
        "coronal"
    } else {
        "sagittal"
    }
}

/// Warns where the groups differ in orientation or size.
fn mixed(groups: &[(Plane, Vec<Item<'_>>)], warnings: &mut Vec<Warning>) {
    let Some(((first, _), rest)) = groups.split_first() else { return };
    let differs = |a: &[f64], b: &[f64]| a.iter().zip(b).any(|(x, y)| (x - y).abs() > 1e-4);
    let mut orientations: Vec<[f64; 6]> = vec![first.orientation];
    let mut sizes = vec![(first.columns, first.rows)];
    for (p, _) in rest {
        if orientations.iter().all(|o| differs(o, &p.orientation)) {
            orientations.push(p.orientation);
        }
        if !sizes.contains(&(p.columns, p.rows)) {
            sizes.push((p.columns, p.rows));
        }
    }
    if orientations.len() > 1 {
        let text = format!("the series has images of {} orientations; each is a stack of its own", orientations.len());
        warnings.push(Warning { kind: WarningKind::MixedOrientation, text });
    }
    if sizes.len() > 1 {
        let list: Vec<String> = sizes.iter().take(4).map(|(c, r)| format!("{c} x {r}")).collect();
        let text =
            format!("the series has images of {} sizes ({}); each is a stack of its own", sizes.len(), list.join(", "));
        warnings.push(Warning { kind: WarningKind::MixedSize, text });
    }
}

fn spatial_stacks(plane: &Plane, members: Vec<Item<'_>>, warnings: &mut Vec<Warning>) -> Vec<Stack> {
    let normal = plane.normal();
    let height = |i: &Item<'_>| i.frame.position.map_or(0.0, |p| DVec3::from(p).dot(normal));
    let parts = split::by_position(members, height, warnings);
    let mut stacks = Vec::new();
    for (key, items) in parts {
        let positions: Vec<DVec3> = items.iter().filter_map(|i| i.frame.position).map(DVec3::from).collect();
        let thickness = items.first().and_then(|i| i.frame.thickness);
        let geometry = geometry(plane, &positions, thickness);
        for warning in shape(&positions, normal) {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        let is_volume = items.len() >= 2 && geometry.is_some();
        stacks.push(Stack {
            geometry,
            is_volume,
            thickness_mm: thickness,
            pixel_spacing_mm: Some(plane.spacing),
            // A position does not bring a projection's pixels into the patient.
            calibration: match items.first() {
                Some(i) if is_projection(&i.file.modality) => i.image.calibration,
                _ => Calibration::Patient,
            },
            ..stack(key, &items)
        });
    }
    stacks
}

/// The place of a stack: origin at the first slice, mean step to the last, each slice where its position is; one slice
/// steps its thickness.
fn geometry(plane: &Plane, positions: &[DVec3], thickness: Option<f64>) -> Option<VolumeGeometry> {
    let (first, last) = (positions.first()?, positions.last()?);
    let n = positions.len();
    let step = if n > 1 { (*last - *first) / (n as f64 - 1.0) } else { plane.normal() * thickness.unwrap_or(1.0) };
    VolumeGeometry::from_dicom(
        [plane.columns, plane.rows, n],
        PatientPos(*first),
        plane.row(),
        plane.column(),
        plane.spacing,
        step,
    )
    .ok()
    .map(|g| g.with_slice_origins(positions))
}

/// What is uneven about sorted slices: gaps, changing steps, a lean.
fn shape(positions: &[DVec3], normal: DVec3) -> Vec<Warning> {
    let mut out = Vec::new();
    if positions.len() < 2 {
        return out;
    }
    let steps: Vec<f64> = positions.windows(2).map(|w| (w[1] - w[0]).dot(normal)).collect();
    let mut sorted = steps.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let tolerance = (0.01 * median).max(0.02);
    let odd: Vec<(usize, f64)> =
        steps.iter().copied().enumerate().filter(|(_, s)| (s - median).abs() > tolerance).collect();
    let is_gap = |s: f64| {
        let times = (s / median).round();
        times >= 2.0 && (s - times * median).abs() <= tolerance * times
    };
    if !odd.is_empty() && odd.iter().all(|(_, s)| is_gap(*s)) {
        let missing: f64 = odd.iter().map(|(_, s)| (s / median).round() - 1.0).sum();
        let (after, step) = odd[0];
        let text = format!(
            "{missing:.0} {} missing: after slice {} the step is {step:.2} mm where {median:.2} mm is usual",
            if missing == 1.0 { "slice is" } else { "slices are" },
            after + 1
        );
        out.push(Warning { kind: WarningKind::SliceGap, text });
    } else if !odd.is_empty() {
        let text = format!("the step between slices changes: {}", runs(&steps, tolerance));
        out.push(Warning { kind: WarningKind::VaryingSpacing, text });
    }
    let mean = (positions[positions.len() - 1] - positions[0]).normalize_or_zero();
    let angle = mean.dot(normal).abs().min(1.0).acos().to_degrees();
    if angle > 0.1 {
        let text = format!("the slices lean by {angle:.1}° against the direction of the stack (gantry tilt)");
        out.push(Warning { kind: WarningKind::GantryTilt, text });
    }
    out
}

/// `4.00 mm (13 times), 1.08 mm (once), 7.00 mm (13 times)`.
fn runs(steps: &[f64], tolerance: f64) -> String {
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for &s in steps {
        match runs.last_mut() {
            Some((value, n)) if (s - *value).abs() <= tolerance => *n += 1,
            _ => runs.push((s, 1)),
        }
    }
    let more = runs.len().saturating_sub(6);
    let mut text: Vec<String> = runs
        .iter()
        .take(6)
        .map(|(s, n)| format!("{s:.3} mm ({})", if *n == 1 { "once".to_string() } else { format!("{n} times") }))
        .collect();
    if more > 0 {
        text.push(format!("and {more} more changes"));
    }
    text.join(", ")
}

/// Images without a place: one stack for each size, pixel size, orientation and polarity, in order of instance number.
fn flat_stacks(items: Vec<Item<'_>>) -> Vec<Stack> {
    let mut groups: Vec<Vec<Item<'_>>> = Vec::new();
    let same = |a: &Item<'_>, b: &Item<'_>| {
        let (a, b) = (a.image, b.image);
        (a.rows, a.columns, a.inverted) == (b.rows, b.columns, b.inverted)
            && a.flat_spacing == b.flat_spacing
            && a.calibration == b.calibration
            && a.patient_orientation == b.patient_orientation
    };
    for item in items {
        match groups.iter_mut().find(|g| same(&g[0], &item)) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
        .into_iter()
        .map(|mut items| {
            items.sort_by_key(Item::running);
            let image = items[0].image;
            Stack {
                pixel_spacing_mm: image.flat_spacing,
                calibration: image.calibration,
                thickness_mm: items[0].frame.thickness,
                ..stack(String::new(), &items)
            }
        })
        .collect()
}

/// What all stacks have in common; at least one item.
fn stack(key: String, items: &[Item<'_>]) -> Stack {
    let image = items[0].image;
    Stack {
        key,
        frame_of_reference: items[0].file.frame_of_reference.clone(),
        columns: image.columns,
        rows: image.rows,
        frames: items.iter().map(Item::reference).collect(),
        geometry: None,
        is_volume: false,
        thickness_mm: None,
        pixel_spacing_mm: None,
        calibration: Calibration::None,
        patient_orientation: image.patient_orientation.clone(),
        windows: image.windows.clone(),
        inverted: image.inverted,
        unit: image.unit.clone(),
        lossy: items.iter().any(|i| i.image.lossy),
    }
}
