//! A decoded frame on its way to a model, and an image that a model made on its way back to the frame's own pixels.

use lightbox_core::{Frame, Samples, Window};
use lightbox_model::Picture;
use lightbox_model::card::{InputSpec, Intensity};

use crate::results::Restored;

/// A decoded frame as models take it, and what had to be assumed. `window` is the file's own.
#[must_use]
pub fn picture(frame: &Frame, window: Option<Window>, inverted: bool, input: &InputSpec) -> (Picture, Vec<String>) {
    let mut notes = Vec::new();
    let planes = match frame.samples() {
        Samples::Rgb8(rgb) => (0..3).map(|c| rgb[c..].iter().step_by(3).map(|v| f32::from(*v)).collect()).collect(),
        _ => vec![frame.values()],
    };
    let (low, high) = frame.range().unwrap_or((0.0, 0.0));
    let mut picture = Picture { columns: frame.columns(), rows: frame.rows(), planes, full_range: None, window: None };
    let stored = matches!(input.intensity, Intensity::StoredRange { .. });
    picture.full_range = Some(match frame.samples() {
        Samples::U8(_) | Samples::Rgb8(_) => [0.0, 255.0],
        // The smallest usual number of bits that holds the largest value.
        _ => {
            let top = [8, 10, 12, 14, 16].map(|bits| ((1u32 << bits) - 1) as f32);
            let top = top.into_iter().find(|t| high <= *t).unwrap_or(high);
            if stored {
                notes.push(format!("The largest value is {high}; a range of 0 to {top} is assumed."));
            }
            [low.min(0.0), top]
        }
    });
    picture.window = match (frame.is_colour(), window) {
        (true, _) => Some([0.0, 255.0]),
        (false, Some(w)) => Some([(w.center - w.width / 2.0) as f32, (w.center + w.width / 2.0) as f32]),
        (false, None) => matches!(frame.samples(), Samples::U8(_)).then_some([0.0, 255.0]),
    };
    if inverted {
        // As displayed: air dark.
        let turn = |v: f32, [a, b]: [f32; 2]| a + b - v;
        let range = if stored { picture.full_range.unwrap_or([low, high]) } else { [low, high] };
        picture.planes.iter_mut().flatten().for_each(|v| *v = turn(*v, range));
        picture.window = picture.window.map(|[a, b]| [turn(b, range), turn(a, range)]);
    }
    (picture, notes)
}

/// Less agreement than this between what went into the network and the frame: then the values cannot be brought back.
const LEAST_CORRELATION: f64 = 0.5;

/// An image that a model made, on the pixels and in the values of the frame. The network's numbers become values by the
/// straight line that takes what went into the network back to the frame; where that line does not fit, by their spread,
/// which is told.
#[must_use]
pub(crate) fn restored(
    made: &lightbox_model::Restored,
    frame: &Frame,
    inverted: bool,
) -> Option<(Restored, Option<String>)> {
    let fed = made.source.as_ref()?;
    let (columns, rows) = (frame.columns(), frame.rows());
    let original = frame.values_as_seen(inverted);
    // A network that enlarges makes several pixels of one.
    let mut placed = fed.placed;
    for (axis, (out, input)) in [(made.columns, fed.columns), (made.rows, fed.rows)].into_iter().enumerate() {
        let more = out as f64 / input.max(1) as f64;
        placed.scale[axis] *= more;
        placed.offset[axis] *= more;
    }
    let n = made.planes.len().max(1) as f32;
    let grey: Vec<f32> =
        (0..made.columns * made.rows).map(|i| made.planes.iter().map(|p| p[i]).sum::<f32>() / n).collect();
    let out = placed.plane_from_input(&grey, [made.columns, made.rows], columns, rows, f32::NAN);
    let input = fed.placed.plane_from_input(&fed.plane, [fed.columns, fed.rows], columns, rows, f32::NAN);
    let (slope, offset, note) = match line(&input, &original) {
        Some((slope, offset)) => (slope, offset, None),
        None => {
            let (slope, offset) = spread(&out, &original)?;
            let note = "The network's numbers do not follow the image's values; they are stretched to the image's spread, \
                        and their differences mean nothing.";
            (slope, offset, Some(note.to_owned()))
        }
    };
    // As stored: the frame is windowed as it is, turned or not.
    let turn = |v: f32| match (inverted, frame.range()) {
        (true, Some((low, high))) => low + high - v,
        _ => v,
    };
    let range = frame.range().unwrap_or((0.0, 0.0));
    let values: Vec<f32> =
        out.iter().map(|v| (v * slope + offset).clamp(range.0.min(range.1), range.1.max(range.0))).collect();
    let residual: Vec<f32> = original.iter().zip(&values).map(|(a, b)| a - b).collect();
    let known = || residual.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v));
    let count = known().count().max(1) as f64;
    let mean = known().sum::<f64>() / count;
    let sd = (known().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
    let absolute = known().map(f64::abs).sum::<f64>() / count;
    let values = if inverted { values.into_iter().map(turn).collect() } else { values };
    Some((
        Restored {
            columns,
            rows,
            values,
            residual,
            residual_sd: sd as f32,
            residual_mean: absolute as f32,
            network_px: [made.columns, made.rows],
        },
        note,
    ))
}

/// `y = slope * x + offset` by least squares; `None` where the two hardly agree.
fn line(x: &[f32], y: &[f32]) -> Option<(f32, f32)> {
    let pairs =
        || x.iter().zip(y).filter(|(a, b)| a.is_finite() && b.is_finite()).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let n = pairs().count() as f64;
    if n < 2.0 {
        return None;
    }
    let (mx, my) = (pairs().map(|(a, _)| a).sum::<f64>() / n, pairs().map(|(_, b)| b).sum::<f64>() / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in pairs() {
        xx += (a - mx).powi(2);
        yy += (b - my).powi(2);
        xy += (a - mx) * (b - my);
    }
    if xx <= 0.0 || yy <= 0.0 || (xy / (xx * yy).sqrt()).abs() < LEAST_CORRELATION {
        return None;
    }
    let slope = xy / xx;
    Some((slope as f32, (my - slope * mx) as f32))
}

/// The line that gives the first the mean and the deviation of the second.
fn spread(x: &[f32], y: &[f32]) -> Option<(f32, f32)> {
    let moments = |v: &[f32]| {
        let known = || v.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v));
        let n = known().count() as f64;
        (n > 0.0).then(|| {
            let mean = known().sum::<f64>() / n;
            (mean, (known().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
        })
    };
    let ((mx, dx), (my, dy)) = (moments(x)?, moments(y)?);
    let slope = if dx > 0.0 { dy / dx } else { 0.0 };
    Some((slope as f32, (my - slope * mx) as f32))
}

#[cfg(test)]
mod tests {
    use lightbox_core::Rescale;
    use lightbox_model::{Fed, Placed};

    use super::*;

    fn frame() -> Frame {
        let values = (0..16u16).map(|v| 1000 + 10 * v).collect();
        Frame::new(4, 4, Samples::U16(values), Rescale::default()).unwrap()
    }

    fn made(plane: Vec<f32>, side: usize) -> lightbox_model::Restored {
        let fed = Fed {
            columns: 4,
            rows: 4,
            plane: (0..16).map(|v| v as f32 / 15.0).collect(),
            placed: Placed { scale: [1.0; 2], offset: [0.0; 2] },
        };
        lightbox_model::Restored { columns: side, rows: side, planes: vec![plane], residual: None, source: Some(fed) }
    }

    #[test]
    fn numbers_of_a_network_become_values_of_the_frame() {
        let same = made((0..16).map(|v| v as f32 / 15.0).collect(), 4);
        let (back, note) = restored(&same, &frame(), false).unwrap();
        assert_eq!(note, None);
        assert!(back.values.iter().zip(frame().values()).all(|(a, b)| (a - b).abs() < 0.01), "{:?}", back.values);
        assert!(back.residual_sd < 0.01);
        let darker = made((0..16).map(|v| (v as f32 - 3.0).max(0.0) / 15.0).collect(), 4);
        let (back, _) = restored(&darker, &frame(), false).unwrap();
        assert!((back.residual[10] - 30.0).abs() < 0.01, "original minus restored: {:?}", back.residual);
    }

    #[test]
    fn a_network_that_enlarges_comes_back_to_the_same_pixels() {
        let twice: Vec<f32> = (0..64).map(|i| ((i / 8 / 2) * 4 + (i % 8) / 2) as f32 / 15.0).collect();
        let (back, _) = restored(&made(twice, 8), &frame(), false).unwrap();
        assert_eq!((back.columns, back.rows, back.network_px), (4, 4, [8, 8]));
        assert!(back.values.iter().zip(frame().values()).all(|(a, b)| (a - b).abs() < 0.01), "{:?}", back.values);
    }

    #[test]
    fn numbers_that_follow_nothing_are_said_to() {
        let mut strange = made(vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0], 4);
        strange.source.as_mut().unwrap().plane = strange.planes[0].clone();
        let (_, note) = restored(&strange, &frame(), false).unwrap();
        assert!(note.is_some_and(|n| n.contains("mean nothing")));
    }
}
