//! A prompted model: a click in an image gives an outline, its axes, and how sure each pixel is.

use crate::image::{GreyImage, normalise};
use crate::run::RunCx;
use crate::segment::sigmoid;
use crate::{Error, Model, Result, post};
use candle_core::{Device, Tensor};

/// Deviation of the spot that tells the network where the click was, pixels.
const SPOT_PX: f32 = 3.0;

/// What a click gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Clicked {
    /// `[rows * columns]` of the image; the expected share of readers who would mark the pixel, 0 outside the window.
    pub probability: Vec<f32>,
    /// `[rows * columns]`: the part at the click.
    pub mask: Vec<bool>,
    /// Longest axis and the longest one across it, as ends `[x, y]` in pixels, edges of pixels included; `None` where
    /// nothing was outlined.
    pub axes: Option<[[[f64; 2]; 2]; 2]>,
    /// Their lengths, mm where the image's spacing is known, else pixels.
    pub lengths: [f64; 2],
    /// Mean probability inside the mask.
    pub confidence: f64,
}

/// The window's corner, so that the click lies in its middle.
pub(crate) fn corner([x, y]: [f64; 2], rows: usize, columns: usize) -> [i64; 2] {
    [x.floor() as i64 - columns as i64 / 2, y.floor() as i64 - rows as i64 / 2]
}

/// The second channel: a spot in the middle of the window.
pub(crate) fn spot(rows: usize, columns: usize) -> Vec<f32> {
    let (cx, cy) = ((columns / 2) as f32, (rows / 2) as f32);
    (0..rows * columns)
        .map(|i| {
            let (dx, dy) = ((i % columns) as f32 - cx, (i / columns) as f32 - cy);
            (-(dx * dx + dy * dy) / (2.0 * SPOT_PX * SPOT_PX)).exp()
        })
        .collect()
}

impl Model {
    /// Outlines what lies at a click.
    ///
    /// `click`: x and y in pixels of the image, edges: the first pixel reaches from 0 to 1.
    ///
    /// # Errors
    /// [`Error::Image`] where the model takes no click or the click lies outside the image; [`Error::Cancelled`].
    pub fn segment_click(&self, image: &GreyImage, click: [f64; 2], cx: &RunCx<'_>) -> Result<Clicked> {
        let card = self.card();
        let fail = |reason: String| Err(Error::Image { reason });
        if !card.input.click {
            return fail(format!("'{}' takes no click", card.id));
        }
        image.check()?;
        let [x, y] = click;
        if !(x >= 0.0 && y >= 0.0 && x < image.columns as f64 && y < image.rows as f64) {
            return fail(format!("the click {x}, {y} lies outside its {} x {} pixels", image.columns, image.rows));
        }
        let (rows, columns) = (card.input.rows, card.input.columns);
        let [left, top] = corner(click, rows, columns);
        // The border pixel repeated where the window hangs over.
        let at = |row: usize, column: usize| {
            let y = (top + row as i64).clamp(0, image.rows as i64 - 1) as usize;
            let x = (left + column as i64).clamp(0, image.columns as i64 - 1) as usize;
            y * image.columns + x
        };
        let mut values: Vec<f32> = (0..rows * columns).map(|i| image.values[at(i / columns, i % columns)]).collect();
        normalise(&mut values, &card.input);
        values.extend(spot(rows, columns));
        let x = Tensor::from_vec(values, (1, 2, rows, columns), &Device::Cpu)?;
        let logits: Vec<f32> = self.network().forward(&x, cx)?.flatten_all()?.to_vec1()?;
        let temperature = card.post.temperature.max(1e-3);
        let mut probability = vec![0f32; image.values.len()];
        for (i, z) in logits.iter().take(rows * columns).enumerate() {
            let (px, py) = (left + (i % columns) as i64, top + (i / columns) as i64);
            if px >= 0 && py >= 0 && (px as usize) < image.columns && (py as usize) < image.rows {
                probability[py as usize * image.columns + px as usize] = sigmoid(z / temperature);
            }
        }
        let threshold = card.labels.first().map_or(0.5, |l| l.threshold);
        let mut mask = post::mask_from_probability(&probability, image.columns, threshold, &card.post, cx)?;
        keep_at(&mut mask, image.columns, click);
        let inside = mask.iter().zip(&probability).filter(|(m, _)| **m);
        let (n, sum) = inside.fold((0.0, 0.0), |(n, s), (_, p)| (n + 1.0, s + f64::from(*p)));
        let spacing = image.spacing_mm.unwrap_or([1.0; 2]);
        let axes = axes(&mask, image.columns, spacing);
        let length = |[a, b]: [[f64; 2]; 2]| ((a[0] - b[0]) * spacing[1]).hypot((a[1] - b[1]) * spacing[0]);
        Ok(Clicked {
            probability,
            mask,
            axes,
            lengths: axes.map_or([0.0; 2], |[long, short]| [length(long), length(short)]),
            confidence: if n > 0.0 { sum / n } else { 0.0 },
        })
    }
}

/// Keeps the part at the click, or the one nearest to it.
pub(crate) fn keep_at(mask: &mut [bool], columns: usize, [x, y]: [f64; 2]) {
    let (part, _) = post::components(mask, columns);
    let distance = |i: usize| ((i % columns) as f64 + 0.5 - x).powi(2) + ((i / columns) as f64 + 0.5 - y).powi(2);
    let nearest = (0..mask.len()).filter(|i| mask[*i]).min_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    if let Some(i) = nearest {
        let own = part[i];
        mask.iter_mut().zip(&part).for_each(|(m, p)| *m = *p == own);
    }
}

/// The longest line between two corners of outline pixels, and the longest one across it (within 5 degrees).
fn axes(mask: &[bool], columns: usize, spacing_mm: [f64; 2]) -> Option<[[[f64; 2]; 2]; 2]> {
    let rows = mask.len() / columns.max(1);
    let mut corners: Vec<[f64; 2]> = Vec::new();
    let inside = |x: usize, y: usize| x < columns && y < rows && mask[y * columns + x];
    for y in 0..=rows {
        for x in 0..=columns {
            // A corner that some of its four pixels share and some do not.
            let around = [
                inside(x, y),
                x > 0 && inside(x - 1, y),
                y > 0 && inside(x, y - 1),
                x > 0 && y > 0 && inside(x - 1, y - 1),
            ];
            if around.contains(&true) && around.contains(&false) {
                corners.push([x as f64, y as f64]);
            }
        }
    }
    let way = |a: &[f64; 2], b: &[f64; 2]| [(b[0] - a[0]) * spacing_mm[1], (b[1] - a[1]) * spacing_mm[0]];
    let mut long: Option<([[f64; 2]; 2], f64)> = None;
    for (i, a) in corners.iter().enumerate() {
        for b in &corners[i + 1..] {
            let [dx, dy] = way(a, b);
            let length = dx.hypot(dy);
            if long.is_none_or(|(_, l)| length > l) {
                long = Some(([*a, *b], length));
            }
        }
    }
    let (ends, length) = long?;
    let [ux, uy] = way(&ends[0], &ends[1]).map(|d| d / length.max(1e-9));
    let mut short = ([ends[0], ends[0]], 0.0);
    for (i, a) in corners.iter().enumerate() {
        for b in &corners[i + 1..] {
            let [dx, dy] = way(a, b);
            let across = dx.hypot(dy);
            if across > short.1 && (dx * ux + dy * uy).abs() < 0.087 * across {
                short = ([*a, *b], across);
            }
        }
    }
    Some([ends, short.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_an_upright_rectangle_are_its_diagonal_and_what_lies_across() {
        let mut mask = vec![false; 20 * 20];
        for y in 3..13 {
            for x in 5..9 {
                mask[y * 20 + x] = true;
            }
        }
        let [long, short] = axes(&mask, 20, [0.5, 2.0]).unwrap();
        let length = |[a, b]: [[f64; 2]; 2]| ((a[0] - b[0]) * 2.0).hypot((a[1] - b[1]) * 0.5);
        assert!((length(long) - 8f64.hypot(5.0)).abs() < 1e-9);
        assert!(length(short) > 4.0 && length(short) < length(long));
        assert!(axes(&[false; 400], 20, [1.0; 2]).is_none());
    }

    #[test]
    fn the_part_at_the_click_stays() {
        let mut mask = vec![false; 10 * 10];
        for i in [11, 12, 77, 78, 79] {
            mask[i] = true;
        }
        let mut near = mask.clone();
        keep_at(&mut near, 10, [1.5, 1.5]);
        assert_eq!(near.iter().filter(|m| **m).count(), 2);
        keep_at(&mut mask, 10, [5.0, 7.5]);
        assert_eq!(mask.iter().filter(|m| **m).count(), 3);
    }
}
