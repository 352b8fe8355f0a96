//! Bright and dark parts of an image: candidates without any learning.
//!
//! The image is smoothed and cut at several grey values inside the body (its rim, where scalp and bone are bright, left
//! out). Connected parts on the far side of a cut are candidates.

use super::boxes::{Rect, nms};

/// Parts of the inside that lie below a cut.
const CUTS: [f64; 7] = [0.75, 0.82, 0.88, 0.92, 0.95, 0.97, 0.985];
/// Smallest and largest part of the image that a candidate covers.
const AREA: [f64; 2] = [0.0008, 0.12];
/// Smoothing and width of the rim as parts of the image's side.
const SMOOTH: f64 = 1.0 / 128.0;
const RIM: f64 = 0.06;

/// Bright parts of the inside of a grey image, best first, scores 0 to 1: how far a part stands out of the inside, times
/// how much of its box it fills, times the fourth root of its size (else the core of a part would beat the part).
#[must_use]
pub fn blobs(values: &[f32], columns: usize, rows: usize) -> Vec<(Rect, f32)> {
    let (boxes, scores) = candidates(values, columns, rows, &CUTS, 1.0);
    let groups = vec![0; boxes.len()];
    nms(&boxes, &scores, &groups, 0.5).into_iter().map(|i| (boxes[i], scores[i])).collect()
}

/// Bright and dark parts at many cuts, each also somewhat larger and smaller, best first: regions for a network that looks
/// at given ones only.
#[must_use]
pub fn regions(values: &[f32], columns: usize, rows: usize) -> Vec<Rect> {
    let cuts: Vec<f64> = (0..18).map(|i| 0.6 + 0.39 * f64::from(i) / 17.0).collect();
    let (mut boxes, mut scores) = candidates(values, columns, rows, &cuts, 1.0);
    let (dark, dark_scores) = candidates(values, columns, rows, &cuts, -1.0);
    boxes.extend(dark);
    scores.extend(dark_scores.iter().map(|s| s * 0.9));
    let kept = nms(&boxes, &scores, &vec![0; boxes.len()], 0.75);
    let grown = |b: &Rect, f: f32| {
        let (dx, dy) = ((b[2] - b[0]) * f / 2.0, (b[3] - b[1]) * f / 2.0);
        super::boxes::clip(&[b[0] - dx, b[1] - dy, b[2] + dx, b[3] + dy], columns, rows)
    };
    kept.iter().flat_map(|i| [0.15, 0.45, -0.15].map(|f| grown(&boxes[*i], f))).collect()
}

/// Boxes and scores of the parts that `sign` times the grey value lifts above the cuts.
fn candidates(values: &[f32], columns: usize, rows: usize, cuts: &[f64], sign: f32) -> (Vec<Rect>, Vec<f32>) {
    let (mut boxes, mut scores) = (Vec::new(), Vec::new());
    if columns < 8 || rows < 8 || values.len() != columns * rows {
        return (boxes, scores);
    }
    let side = columns.min(rows) as f64;
    let mut smooth = blur(values, columns, rows, (SMOOTH * side).max(0.5));
    let inside = inside(&smooth, columns, rows, (RIM * side).round() as usize);
    smooth.iter_mut().for_each(|v| *v *= sign);
    let mut sorted: Vec<f32> = smooth.iter().zip(&inside).filter(|(_, i)| **i).map(|(v, _)| *v).collect();
    if sorted.len() < 16 {
        return (boxes, scores);
    }
    sorted.sort_by(f32::total_cmp);
    let mean = sorted.iter().sum::<f32>() / sorted.len() as f32;
    let deviation = (sorted.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / sorted.len() as f32).sqrt().max(1e-6);
    for cut in cuts {
        let level = sorted[((cut * sorted.len() as f64) as usize).min(sorted.len() - 1)];
        let bright: Vec<bool> = smooth.iter().zip(&inside).map(|(v, i)| *i && *v > level).collect();
        for part in parts(&bright, columns) {
            let size = part.pixels.len() as f64;
            let share = size / (columns * rows) as f64;
            if !(AREA[0]..=AREA[1]).contains(&share) {
                continue;
            }
            let [x0, y0, x1, y1] = part.rect;
            let filled = size as f32 / ((x1 - x0) * (y1 - y0));
            let height = part.pixels.iter().map(|i| smooth[*i]).sum::<f32>() / size as f32;
            let stands_out = ((height - mean) / deviation).max(0.0) * filled * (share.sqrt() as f32).sqrt();
            boxes.push(part.rect);
            scores.push(stands_out / (1.0 + stands_out));
        }
    }
    (boxes, scores)
}

/// Gauss, by three box filters a side.
fn blur(values: &[f32], columns: usize, rows: usize, sigma: f64) -> Vec<f32> {
    // Three means of 2 r + 1 pixels have the variance r (r + 1).
    let r = (((1.0 + 4.0 * sigma * sigma).sqrt() - 1.0) / 2.0).round().max(1.0) as usize;
    let line = |data: &mut [f32], start: usize, step: usize, n: usize| {
        let old: Vec<f32> = (0..n).map(|i| data[start + i * step]).collect();
        for i in 0..n {
            let (low, high) = (i.saturating_sub(r), (i + r).min(n - 1));
            data[start + i * step] = old[low..=high].iter().sum::<f32>() / (high - low + 1) as f32;
        }
    };
    let mut out = values.to_vec();
    for _ in 0..3 {
        (0..rows).for_each(|y| line(&mut out, y * columns, 1, columns));
        (0..columns).for_each(|x| line(&mut out, x, columns, rows));
    }
    out
}

/// Pixels at least `rim` inside the head: what the outside's darkness does not reach from the border, made smaller.
fn inside(values: &[f32], columns: usize, rows: usize, rim: usize) -> Vec<bool> {
    let (_, high) = crate::image::percentiles(values, 0.0, 0.99);
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let dark: Vec<bool> = values.iter().map(|v| *v < low + 0.12 * (high - low)).collect();
    let n = columns * rows;
    let mut outside = vec![false; n];
    let border = (0..n).filter(|i| i % columns == 0 || i % columns == columns - 1 || *i < columns || *i >= n - columns);
    let mut open: Vec<usize> = border.filter(|i| dark[*i]).collect();
    open.iter().for_each(|i| outside[*i] = true);
    while let Some(i) = open.pop() {
        for j in neighbours(i, columns, rows) {
            if dark[j] && !outside[j] {
                outside[j] = true;
                open.push(j);
            }
        }
    }
    // A pixel is inside where no outside one lies within `rim` along rows, then columns.
    let spread = |flags: &[bool], start: usize, step: usize, n: usize, out: &mut [bool]| {
        for i in (0..n).filter(|i| flags[start + i * step]) {
            for k in i.saturating_sub(rim)..=(i + rim).min(n - 1) {
                out[start + k * step] = true;
            }
        }
    };
    let mut wide = outside.clone();
    (0..rows).for_each(|y| spread(&outside, y * columns, 1, columns, &mut wide));
    let mut wider = wide.clone();
    (0..columns).for_each(|x| spread(&wide, x, columns, rows, &mut wider));
    wider.into_iter().map(|o| !o).collect()
}

struct Part {
    pixels: Vec<usize>,
    rect: Rect,
}

fn neighbours(i: usize, columns: usize, rows: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (i % columns, i / columns);
    [
        (x > 0).then(|| i - 1),
        (x + 1 < columns).then(|| i + 1),
        (y > 0).then(|| i - columns),
        (y + 1 < rows).then(|| i + columns),
    ]
    .into_iter()
    .flatten()
}

/// Connected parts.
fn parts(flags: &[bool], columns: usize) -> Vec<Part> {
    let (numbers, sizes) = crate::post::components(flags, columns);
    let none = [f32::INFINITY, f32::INFINITY, 0.0, 0.0];
    let mut out: Vec<Part> = sizes.iter().map(|n| Part { pixels: Vec::with_capacity(*n), rect: none }).collect();
    for (i, number) in numbers.into_iter().enumerate().filter(|(_, n)| *n > 0) {
        let Some(part) = out.get_mut(number as usize - 1) else { continue };
        let (x, y) = ((i % columns) as f32, (i / columns) as f32);
        let r = part.rect;
        part.rect = [r[0].min(x), r[1].min(y), r[2].max(x + 1.0), r[3].max(y + 1.0)];
        part.pixels.push(i);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::boxes::iou;
    use super::*;

    #[test]
    fn bright_and_dark_disks_are_regions() {
        let (columns, rows) = (128, 128);
        let away = |i: usize, x: f32, y: f32| ((i % columns) as f32 - x).hypot((i / columns) as f32 - y);
        let values: Vec<f32> = (0..columns * rows)
            .map(|i| {
                let noise = ((i * 7919) % 101) as f32 / 20.0;
                match away(i, 64.0, 64.0) {
                    r if r > 55.0 => noise,
                    _ if away(i, 80.0, 50.0) < 10.0 => 180.0 + noise,
                    _ if away(i, 50.0, 80.0) < 8.0 => 50.0 + noise,
                    _ => 90.0 + noise,
                }
            })
            .collect();
        let all = regions(&values, columns, rows);
        for there in [[70.0, 40.0, 90.0, 60.0], [42.0, 72.0, 58.0, 88.0]] {
            let best = all.iter().map(|b| iou(b, &there)).fold(0.0, f32::max);
            assert!(best > 0.7, "{best} of {}", all.len());
        }
        assert!(all.iter().all(|b| b[0] >= 0.0 && b[3] <= 128.0));
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        assert!(blobs(&[], 0, 0).is_empty() && regions(&[], 0, 0).is_empty());
        assert!(blobs(&[1.0; 64 * 64], 64, 64).is_empty());
    }
}
