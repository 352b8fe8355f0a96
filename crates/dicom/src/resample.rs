//! Uneven and leaning stacks made into true regular volumes (PS3.3 C.7.6.2 gives each slice its own place).

use std::sync::Arc;

use glam::DVec3;
use lightbox_core::{Frame, PatientPos, Rescale, Samples, Volume, VolumeGeometry};
use rayon::prelude::*;

use crate::error::Error;
use crate::index::Stack;
use crate::warning::{Warning, WarningKind};

/// Steps and slices that differ by less than this, in mm, are the same.
const SAME_MM: f64 = 0.02;
/// A resampled volume is at most so many times larger than its slices.
const LARGEST_GROWTH: usize = 8;

/// One slice and where it lies: shift along rows and columns in pixels, height along the normal in mm.
struct Placed {
    frame: Arc<Frame>,
    shift: [f64; 2],
    height: f64,
}

/// Makes a regular volume with right angles out of a loaded stack: even steps along the normal of the slices, as fine as
/// the finest step that occurs twice, and a grid wide enough for slices that are shifted against each other. Values are
/// interpolated trilinearly between neighbouring slices, along the line from one to the other; outside all slices stands
/// the padding value, else the least value. A stack that is regular already is given back as it is.
///
/// # Errors
/// [`Error::NotAVolume`] when fewer than two slices are loaded, positions are missing, the images are in colour, or the
/// result would be more than eight times as large as the slices.
pub fn resample(volume: &Volume, stack: &Stack) -> Result<(Volume, Vec<Warning>), Error> {
    let geometry = volume.geometry();
    let (row, column, normal) = (geometry.direction(0), geometry.direction(1), geometry.normal());
    let [between_rows, between_columns, _] = geometry.spacing_mm();
    let origin = stack.frames.first().and_then(|f| f.position).map(DVec3::from);
    let Some(origin) = origin else {
        return Err(Error::NotAVolume("its slices have no positions to resample from".into()));
    };
    let mut slices = Vec::new();
    for (slice, reference) in volume.slices().iter().zip(&stack.frames) {
        let (Some(frame), Some(position)) = (slice, reference.position) else { continue };
        if frame.is_colour() {
            return Err(Error::NotAVolume("its images are in colour".into()));
        }
        let d = DVec3::from(position) - origin;
        let shift = [d.dot(row) / between_columns, d.dot(column) / between_rows];
        slices.push(Placed { frame: Arc::clone(frame), shift, height: d.dot(normal) });
    }
    slices.sort_by(|a, b| a.height.total_cmp(&b.height));
    let [Some(first), Some(last)] = [slices.first(), slices.last()] else {
        return Err(Error::NotAVolume("none of its slices is loaded".into()));
    };
    let span = last.height - first.height;
    if slices.len() < 2 || span < SAME_MM {
        return Err(Error::NotAVolume("it has a single slice".into()));
    }
    if slices.len() == volume.slices().len() && is_regular(&slices) {
        return Ok((volume.clone(), Vec::new()));
    }
    let step = finest_step(&slices);
    let count = (span / step).round() as usize + 1;
    let [columns, rows, _] = geometry.dims();
    let (left, right) = extent(&slices, 0);
    let (top, bottom) = extent(&slices, 1);
    let size = [columns + left + right, rows + top + bottom];
    let (old, new) = (columns * rows * slices.len(), size[0].saturating_mul(size[1]).saturating_mul(count));
    if new > old.saturating_mul(LARGEST_GROWTH) {
        return Err(Error::NotAVolume(format!(
            "a regular one would have {} x {} x {count} voxels, {} times as many as its slices",
            size[0],
            size[1],
            new / old
        )));
    }
    let corner =
        origin + normal * first.height - row * (left as f64 * between_columns) - column * (top as f64 * between_rows);
    let place = VolumeGeometry::from_dicom(
        [size[0], size[1], count],
        PatientPos(corner),
        row,
        column,
        [between_rows, between_columns],
        normal * step,
    )?;
    let outside = outside(&slices);
    let frames: Vec<Option<Arc<Frame>>> = (0..count)
        .into_par_iter()
        .map(|k| {
            let values = plane(&slices, first.height + k as f64 * step, size, [left, top], outside);
            Frame::new(size[0], size[1], Samples::F32(values), Rescale::default()).ok().map(Arc::new)
        })
        .collect();
    let text = format!("resampled to {count} slices at even steps of {step:.3} mm along the normal");
    Ok((Volume::new(place, frames)?, vec![Warning { kind: WarningKind::Resampled, text }]))
}

/// Even steps and no shift of one slice against the next.
fn is_regular(slices: &[Placed]) -> bool {
    let mean = (slices[slices.len() - 1].height - slices[0].height) / (slices.len() - 1) as f64;
    slices.iter().enumerate().all(|(k, s)| {
        // Half a hundredth of a pixel cannot be seen, nor can what rounding to a few digits makes of positions.
        (s.height - slices[0].height - k as f64 * mean).abs() <= SAME_MM
            && (0..2).all(|a| (s.shift[a] - slices[0].shift[a]).abs() <= 0.01)
    })
}

/// The finest step that occurs at least twice, else the median one.
fn finest_step(slices: &[Placed]) -> f64 {
    let mut steps: Vec<f64> = slices.windows(2).map(|w| w[1].height - w[0].height).filter(|s| *s >= SAME_MM).collect();
    steps.sort_by(f64::total_cmp);
    let mut i = 0;
    while i < steps.len() {
        let n = steps[i..].iter().take_while(|s| **s - steps[i] <= SAME_MM.max(0.01 * steps[i])).count();
        if n >= 2 {
            return steps[i..i + n].iter().sum::<f64>() / n as f64;
        }
        i += n;
    }
    steps[steps.len() / 2]
}

/// Whole pixels by which slices reach beyond the first one, before and after.
fn extent(slices: &[Placed], axis: usize) -> (usize, usize) {
    // A hair's breadth of rounding makes no column.
    let low = slices.iter().map(|s| s.shift[axis]).fold(0.0, f64::min) + 0.01;
    let high = slices.iter().map(|s| s.shift[axis]).fold(0.0, f64::max) - 0.01;
    ((-low.floor()).max(0.0) as usize, high.ceil().max(0.0) as usize)
}

/// What stands where no slice is: padding where the file tells it, else the least value of all.
fn outside(slices: &[Placed]) -> f32 {
    let frame = &slices[0].frame;
    if let Some((low, _)) = frame.padding {
        return frame.rescale.apply(low) as f32;
    }
    slices.par_iter().filter_map(|s| s.frame.range()).map(|r| r.0).reduce(|| f32::INFINITY, f32::min)
}

/// One plane of the new grid at `height`.
fn plane(slices: &[Placed], height: f64, size: [usize; 2], margin: [usize; 2], outside: f32) -> Vec<f32> {
    let above = slices.partition_point(|s| s.height < height).min(slices.len() - 1);
    // At or beyond an end the end itself holds.
    let (a, b) = if above == 0 || slices[above].height <= height { (above, above) } else { (above - 1, above) };
    let (a, b) = (&slices[a], &slices[b]);
    let gap = b.height - a.height;
    let mut weight = if gap > 0.0 { ((height - a.height) / gap).clamp(0.0, 1.0) } else { 0.0 };
    if weight * gap < 1e-6 {
        weight = 0.0;
    } else if (1.0 - weight) * gap < 1e-6 {
        weight = 1.0;
    }
    // The shift grows evenly from one slice to the next, and with it the place of the plane in both.
    let shift = [0, 1].map(|i| a.shift[i] + weight * (b.shift[i] - a.shift[i]));
    let values_a = (weight < 1.0).then(|| a.frame.values());
    let values_b = (weight > 0.0).then(|| b.frame.values());
    let [columns, rows] = [a.frame.columns(), a.frame.rows()];
    let across = axis(size[0], margin[0], shift[0], columns);
    let down = axis(size[1], margin[1], shift[1], rows);
    let mut out = Vec::with_capacity(size[0] * size[1]);
    for y in &down {
        for x in &across {
            let (Some((x, wx)), Some((y, wy))) = (x, y) else {
                out.push(outside);
                continue;
            };
            let at = |v: &[f32]| {
                let line = |y: usize| {
                    let i = y * columns + x;
                    if *wx > 0.0 { f64::from(v[i]) * (1.0 - wx) + f64::from(v[i + 1]) * wx } else { f64::from(v[i]) }
                };
                if *wy > 0.0 { line(*y) * (1.0 - wy) + line(y + 1) * wy } else { line(*y) }
            };
            out.push(match (&values_a, &values_b) {
                (Some(a), Some(b)) => (at(a) * (1.0 - weight) + at(b) * weight) as f32,
                (Some(v), None) | (None, Some(v)) => at(v) as f32,
                (None, None) => outside,
            });
        }
    }
    out
}

/// For each place along a new axis: the pixel before it in the slice and the weight of the next one; `None` outside.
fn axis(size: usize, margin: usize, shift: f64, pixels: usize) -> Vec<Option<(usize, f64)>> {
    (0..size)
        .map(|i| {
            let p = i as f64 - margin as f64 - shift;
            // Half a pixel beyond the outermost centres the edge still holds: pixels have an extent.
            if p < -0.5 || p > pixels as f64 - 0.5 {
                return None;
            }
            let p = p.clamp(0.0, (pixels - 1) as f64);
            let base = (p + 1e-6).floor() as usize;
            let weight = p - base as f64;
            Some((base, if weight < 1e-6 { 0.0 } else { weight }))
        })
        .collect()
}
