//! From pixels and a window to grey and colour: pure functions, byte-exact, the thing that tests compare.

use std::sync::Arc;

use crate::frame::{Frame, Samples};
use crate::label::Rgb;
use crate::plane::PlanePixels;
use crate::windowing::Window;

/// Grey or colour of one plane as RGBA bytes, row-major, opaque.
///
/// Colour images ignore the window. `invert` turns black and white (MONOCHROME1, or the reader's wish). Values that are
/// not a number (outside the volume, not loaded) are black, inverted or not; so is padding.
#[must_use]
pub fn rgba(pixels: &PlanePixels, window: &Window, invert: bool) -> Vec<u8> {
    match pixels {
        PlanePixels::Stored(frame) => frame_rgba(frame, window, invert),
        PlanePixels::Values(values) => {
            let mut out = Vec::with_capacity(values.len() * 4);
            for &v in values {
                let g = if v.is_nan() { 0 } else { turn(window.grey(f64::from(v)), invert) };
                out.extend_from_slice(&[g, g, g, 255]);
            }
            out
        }
    }
}

/// Grey of one plane, a byte a pixel; colour gives its luminance.
#[must_use]
pub fn grey(pixels: &PlanePixels, window: &Window, invert: bool) -> Vec<u8> {
    match pixels {
        PlanePixels::Stored(frame) => frame_grey(frame, window, invert),
        PlanePixels::Values(values) => {
            values.iter().map(|&v| if v.is_nan() { 0 } else { turn(window.grey(f64::from(v)), invert) }).collect()
        }
    }
}

fn turn(grey: u8, invert: bool) -> u8 {
    if invert { 255 - grey } else { grey }
}

fn frame_grey(frame: &Frame, window: &Window, invert: bool) -> Vec<u8> {
    let of = |stored: f64| {
        if frame.is_padding(stored) || stored.is_nan() {
            0
        } else {
            turn(window.grey(frame.rescale.apply(stored)), invert)
        }
    };
    match frame.samples() {
        // A table over the values that occur is far cheaper than the formula per pixel.
        Samples::U8(v) => {
            let table: Vec<u8> = (0..=255u8).map(|s| of(f64::from(s))).collect();
            v.iter().map(|&s| table[usize::from(s)]).collect()
        }
        Samples::U16(v) => {
            let (low, table) = table(v.iter().map(|&s| i32::from(s)), &of);
            v.iter().map(|&s| table[(i32::from(s) - low) as usize]).collect()
        }
        Samples::I16(v) => {
            let (low, table) = table(v.iter().map(|&s| i32::from(s)), &of);
            v.iter().map(|&s| table[(i32::from(s) - low) as usize]).collect()
        }
        Samples::Rgb8(_) => {
            (0..frame.samples().pixels()).map(|i| turn((frame.stored_at(i) + 0.5) as u8, invert)).collect()
        }
        Samples::I32(_) | Samples::U32(_) | Samples::F32(_) => {
            (0..frame.samples().pixels()).map(|i| of(frame.stored_at(i))).collect()
        }
    }
}

/// The greys of all whole numbers from the least to the largest that occurs (at most 65,536).
fn table(values: impl Iterator<Item = i32>, of: &impl Fn(f64) -> u8) -> (i32, Vec<u8>) {
    let (low, high) = values.fold((i32::MAX, i32::MIN), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return (0, vec![0]);
    }
    (low, (low..=high).map(|s| of(f64::from(s))).collect())
}

fn frame_rgba(frame: &Frame, window: &Window, invert: bool) -> Vec<u8> {
    if let Samples::Rgb8(v) = frame.samples() {
        let mut out = Vec::with_capacity(v.len() / 3 * 4);
        for p in v.chunks_exact(3) {
            out.extend_from_slice(&[turn(p[0], invert), turn(p[1], invert), turn(p[2], invert), 255]);
        }
        return out;
    }
    let grey = frame_grey(frame, window, invert);
    let mut out = vec![255; grey.len() * 4];
    for (p, g) in out.chunks_exact_mut(4).zip(grey) {
        p[..3].fill(g);
    }
    out
}

/// A small picture of a frame for lists: at most `side` pixels wide and high, shape kept by `pixel_mm` (across, down).
/// Returns width, height and grey bytes.
#[must_use]
pub fn thumbnail(
    frame: &Arc<Frame>,
    window: &Window,
    invert: bool,
    side: usize,
    pixel_mm: [f64; 2],
) -> (usize, usize, Vec<u8>) {
    let side = side.max(1);
    let (w, h) = (frame.columns() as f64 * pixel_mm[0].max(1e-6), frame.rows() as f64 * pixel_mm[1].max(1e-6));
    let scale = side as f64 / w.max(h);
    let size = |v: f64| ((v * scale).round() as usize).clamp(1, side);
    let (width, height) = (size(w), size(h));
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            // The mean over the pixels that a thumbnail pixel covers, so that fine noise does not flicker.
            let (c0, c1) = span(x, width, frame.columns());
            let (r0, r1) = span(y, height, frame.rows());
            let (mut sum, mut n) = (0.0, 0u32);
            for r in (r0..r1).step_by(((r1 - r0) / 4).max(1)) {
                for c in (c0..c1).step_by(((c1 - c0) / 4).max(1)) {
                    let i = r * frame.columns() + c;
                    if !frame.is_padding(frame.stored_at(i)) {
                        sum += if frame.is_colour() {
                            frame.stored_at(i) / 255.0
                        } else {
                            window.apply(f64::from(frame.value_at(i)))
                        };
                        n += 1;
                    }
                }
            }
            let g = if n == 0 { 0.0 } else { sum / f64::from(n) };
            let g = (g * 255.0 + 0.5) as u8;
            out.push(if n == 0 { 0 } else { turn(g, invert) });
        }
    }
    (width, height, out)
}

fn span(i: usize, of: usize, over: usize) -> (usize, usize) {
    let a = i * over / of;
    (a.min(over - 1), ((i + 1) * over / of).max(a + 1).min(over))
}

/// Lays a mask over RGBA pixels in one colour: `fill` (0 to 1) inside. Sizes must agree, else nothing is drawn.
pub fn overlay(rgba: &mut [u8], mask: &[bool], colour: Rgb, fill: f32) {
    if rgba.len() != mask.len() * 4 {
        return;
    }
    let fill = fill.clamp(0.0, 1.0);
    for (p, m) in rgba.chunks_exact_mut(4).zip(mask) {
        if *m {
            for c in 0..3 {
                p[c] = (f32::from(p[c]) * (1.0 - fill) + f32::from(colour.0[c]) * fill + 0.5) as u8;
            }
        }
    }
}

/// The outline of a mask as closed polygons of pixel corners (x, y), where the pixel (0, 0) spans 0 to 1. Runs along pixel
/// edges, the mask on the right hand; straight pieces are one segment.
#[must_use]
pub fn outline(mask: &[bool], width: usize) -> Vec<Vec<[f32; 2]>> {
    if width == 0 || mask.is_empty() {
        return Vec::new();
    }
    let height = mask.len() / width;
    let at = |x: isize, y: isize| {
        x >= 0 && y >= 0 && (x as usize) < width && (y as usize) < height && mask[y as usize * width + x as usize]
    };
    // Directed edges by their start corner; a corner where two pixels touch diagonally has two.
    let stride = width + 1;
    let mut starts: std::collections::BTreeMap<usize, Vec<(usize, u8)>> = std::collections::BTreeMap::new();
    let corner = |x: isize, y: isize| y as usize * stride + x as usize;
    for y in 0..height as isize {
        for x in 0..width as isize {
            if !at(x, y) {
                continue;
            }
            let mut edge = |x0: isize, y0: isize, x1: isize, y1: isize, direction: u8| {
                starts.entry(corner(x0, y0)).or_default().push((corner(x1, y1), direction));
            };
            if !at(x, y - 1) {
                edge(x, y, x + 1, y, 0);
            }
            if !at(x + 1, y) {
                edge(x + 1, y, x + 1, y + 1, 1);
            }
            if !at(x, y + 1) {
                edge(x + 1, y + 1, x, y + 1, 2);
            }
            if !at(x - 1, y) {
                edge(x, y + 1, x, y, 3);
            }
        }
    }
    let mut out = Vec::new();
    while let Some((&start, _)) = starts.iter().next() {
        let mut polygon = Vec::new();
        let (mut here, mut last) = (start, u8::MAX);
        while let Some(edges) = starts.get_mut(&here) {
            // At a crossing turn right first, so that diagonal neighbours stay two outlines.
            let pick = (0..edges.len())
                .min_by_key(|&i| if last == u8::MAX { 0 } else { (edges[i].1 + 4 - (last + 1) % 4) % 4 });
            let Some(pick) = pick else { break };
            let (next, direction) = edges.swap_remove(pick);
            if edges.is_empty() {
                starts.remove(&here);
            }
            if direction != last {
                polygon.push([(here % stride) as f32, (here / stride) as f32]);
            }
            last = direction;
            here = next;
            if here == start {
                break;
            }
        }
        out.push(polygon);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Rescale;

    #[test]
    fn stored_and_value_paths_draw_the_same_bytes() {
        let v: Vec<i16> = (-300..300).collect();
        let f = Arc::new(Frame::new(30, 20, Samples::I16(v), Rescale { slope: 1.5, intercept: -10.0 }).expect("fits"));
        for window in [Window::new(400.0, 40.0), Window::new(1.0, 0.0), Window::from_range(-100.0, 100.0)] {
            for invert in [false, true] {
                let stored = rgba(&PlanePixels::Stored(Arc::clone(&f)), &window, invert);
                assert_eq!(stored, rgba(&PlanePixels::Values(f.values()), &window, invert));
                let grey: Vec<u8> = stored.chunks(4).map(|p| p[0]).collect();
                assert_eq!(grey, super::grey(&PlanePixels::Stored(Arc::clone(&f)), &window, invert));
            }
        }
    }

    #[test]
    fn padding_and_missing_are_black_even_inverted() {
        let mut f = Frame::new(2, 1, Samples::I16(vec![-2000, 0]), Rescale::default()).expect("fits");
        f.padding = Some((-2000.0, -2000.0));
        let w = Window::from_range(-1000.0, 1000.0);
        assert_eq!(grey(&PlanePixels::Stored(Arc::new(f)), &w, true)[0], 0);
        assert_eq!(grey(&PlanePixels::Values(vec![f32::NAN]), &w, true), vec![0]);
    }

    #[test]
    fn colour_is_kept() {
        let f = Arc::new(Frame::new(1, 1, Samples::Rgb8(vec![10, 200, 30]), Rescale::default()).expect("fits"));
        assert_eq!(rgba(&PlanePixels::Stored(f), &Window::new(1.0, 0.0), false), vec![10, 200, 30, 255]);
    }

    #[test]
    fn outlines_close_and_holes_are_their_own() {
        #[rustfmt::skip]
        let ring = [
            true, true, true,
            true, false, true,
            true, true, true,
        ];
        let o = outline(&ring, 3);
        assert_eq!(o.len(), 2);
        assert_eq!(o[0], vec![[0.0, 0.0], [3.0, 0.0], [3.0, 3.0], [0.0, 3.0]]);
        assert_eq!(o[1].len(), 4);
        let diagonal = [true, false, false, true];
        assert_eq!(outline(&diagonal, 2).len(), 2);
        assert!(outline(&[false; 4], 2).is_empty());
    }

    #[test]
    fn overlays_blend() {
        let mut p = vec![100, 100, 100, 255, 100, 100, 100, 255];
        overlay(&mut p, &[true, false], Rgb([200, 0, 100]), 0.5);
        assert_eq!(p, vec![150, 50, 100, 255, 100, 100, 100, 255]);
    }

    #[test]
    fn thumbnails_keep_the_shape_in_mm() {
        let f = Arc::new(Frame::new(100, 50, Samples::U8(vec![128; 5000]), Rescale::default()).expect("fits"));
        let (w, h, g) = thumbnail(&f, &Window::new(256.0, 128.0), false, 40, [1.0, 1.0]);
        assert_eq!((w, h, g.len()), (40, 20, 800));
        assert!(g.iter().all(|&v| v == 128));
        assert_eq!(thumbnail(&f, &Window::new(256.0, 128.0), false, 40, [0.5, 1.0]).1, 40);
    }
}
