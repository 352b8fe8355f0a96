//! Boxes that a head's predictions are relative to.

use super::boxes::Rect;

/// torchvision's anchors of one level around the origin: for each aspect ratio (height / width) all sizes, rounded.
#[must_use]
pub fn around_origin(sizes: &[f32], ratios: &[f32]) -> Vec<Rect> {
    let mut all = Vec::with_capacity(sizes.len() * ratios.len());
    for ratio in ratios {
        let h = ratio.sqrt();
        let w = 1.0 / h;
        for size in sizes {
            let (w, h) = (w * size, h * size);
            all.push([-w, -h, w, h].map(|v| (v / 2.0).round_ties_even()));
        }
    }
    all
}

/// Anchors of a map of `rows` x `columns` over an image: row by row, in each place all of `base`.
#[must_use]
pub fn grid(base: &[Rect], rows: usize, columns: usize, image_rows: usize, image_columns: usize) -> Vec<Rect> {
    let (step_y, step_x) = ((image_rows / rows.max(1)) as f32, (image_columns / columns.max(1)) as f32);
    let mut all = Vec::with_capacity(rows * columns * base.len());
    for y in 0..rows {
        for x in 0..columns {
            let (dx, dy) = (x as f32 * step_x, y as f32 * step_y);
            all.extend(base.iter().map(|b| [b[0] + dx, b[1] + dy, b[2] + dx, b[3] + dy]));
        }
    }
    all
}

/// SSD's default boxes of one level, in pixels: in each place the square of `scale`, that between `scale` and
/// `next`, then each ratio upright and lying.
#[must_use]
pub fn default_boxes(
    scale: f64,
    next: f64,
    ratios: &[f64],
    step: f64,
    rows: usize,
    columns: usize,
    image_rows: usize,
    image_columns: usize,
) -> Vec<Rect> {
    let between = (scale * next).sqrt();
    let mut sizes = vec![[scale, scale], [between, between]];
    for ratio in ratios {
        let root = ratio.sqrt();
        sizes.extend([[scale * root, scale / root], [scale / root, scale * root]]);
    }
    let sizes: Vec<[f32; 2]> = sizes.into_iter().map(|s| s.map(|v| (v as f32).clamp(0.0, 1.0))).collect();
    let (across, down) = ((image_columns as f64 / step) as f32, (image_rows as f64 / step) as f32);
    let (w, h) = (image_columns as f32, image_rows as f32);
    let mut all = Vec::with_capacity(rows * columns * sizes.len());
    for y in 0..rows {
        for x in 0..columns {
            let (cx, cy) = ((x as f32 + 0.5) / across, (y as f32 + 0.5) / down);
            all.extend(
                sizes.iter().map(|[sw, sh]| {
                    [(cx - 0.5 * sw) * w, (cy - 0.5 * sh) * h, (cx + 0.5 * sw) * w, (cy + 0.5 * sh) * h]
                }),
            );
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_torchvisions() {
        // AnchorGenerator(((32,),), ((0.5, 1.0, 2.0),)).cell_anchors, torchvision 0.29.2.
        let base = around_origin(&[32.0], &[0.5, 1.0, 2.0]);
        assert_eq!(base, [[-23., -11., 23., 11.], [-16., -16., 16., 16.], [-11., -23., 11., 23.]]);
        let all = grid(&base, 2, 3, 64, 96);
        assert_eq!(all.len(), 18);
        assert_eq!(all[3], [9., -11., 55., 11.]);
        assert_eq!(all[9], [-23., 21., 23., 43.]);
    }

    #[test]
    fn default_boxes_number_8732() {
        let counts = [(38, 1), (19, 2), (10, 2), (5, 2), (3, 1), (1, 1)];
        let n: usize = counts
            .iter()
            .map(|(side, ratios)| default_boxes(0.1, 0.2, &[2.0, 3.0][..*ratios], 8.0, *side, *side, 300, 300).len())
            .sum();
        assert_eq!(n, 8732);
        // DefaultBoxGenerator, first cell of the first level: centre (4, 4) px, side 0.07 * 300 px.
        let first = default_boxes(0.07, 0.15, &[2.0], 8.0, 38, 38, 300, 300)[0];
        assert!(first.iter().zip(&[-6.5, -6.5, 14.5, 14.5]).all(|(a, b)| (a - b).abs() < 1e-3), "{first:?}");
    }
}
