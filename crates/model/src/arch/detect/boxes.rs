//! Boxes `[x0, y0, x1, y1]` in pixels, f32, with the conventions of torchvision: no pixel is added to a side.

/// A box.
pub type Rect = [f32; 4];

/// Intersection over union; 0 for boxes without area.
#[must_use]
pub fn iou(a: &Rect, b: &Rect) -> f32 {
    let w = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let h = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let inter = w * h;
    let union = area(a) + area(b) - inter;
    if union > 0.0 { inter / union } else { 0.0 }
}

/// Width times height.
#[must_use]
pub fn area(b: &Rect) -> f32 {
    (b[2] - b[0]) * (b[3] - b[1])
}

/// Indices by descending score; of equals the earlier first.
#[must_use]
pub fn order(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order
}

/// Non-maximum suppression within each group: the indices that stay, best first.
///
/// A box falls where a better one of its group overlaps it by more than `threshold`.
#[must_use]
pub fn nms(boxes: &[Rect], scores: &[f32], groups: &[usize], threshold: f32) -> Vec<usize> {
    let order = order(scores);
    let mut gone = vec![false; boxes.len()];
    let mut kept = Vec::new();
    for (at, i) in order.iter().copied().enumerate() {
        if gone[i] {
            continue;
        }
        kept.push(i);
        for j in order[at + 1..].iter().copied() {
            if !gone[j] && groups[i] == groups[j] && iou(&boxes[i], &boxes[j]) > threshold {
                gone[j] = true;
            }
        }
    }
    kept
}

/// Into an image of `columns` x `rows`.
#[must_use]
pub fn clip(b: &Rect, columns: usize, rows: usize) -> Rect {
    let (w, h) = (columns as f32, rows as f32);
    [b[0].clamp(0.0, w), b[1].clamp(0.0, h), b[2].clamp(0.0, w), b[3].clamp(0.0, h)]
}

/// Whether both sides have at least `size`.
#[must_use]
pub fn has_size(b: &Rect, size: f32) -> bool {
    b[2] - b[0] >= size && b[3] - b[1] >= size
}

/// The way between boxes and what a head predicts: shifts in widths and heights, sizes as logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coder {
    /// What shifts in x and y and logarithms of width and height are multiplied by.
    pub weights: [f32; 4],
}

/// Logarithms of sizes above log(1000 / 16) are clipped, so that exp stays finite.
const LARGEST_LOG: f32 = 4.135_166_6;

impl Coder {
    /// A box from a prediction relative to `anchor`.
    #[must_use]
    pub fn decode(&self, code: &[f32], anchor: &Rect) -> Rect {
        let [wx, wy, ww, wh] = self.weights;
        let (w, h) = (anchor[2] - anchor[0], anchor[3] - anchor[1]);
        let (x, y) = (anchor[0] + 0.5 * w, anchor[1] + 0.5 * h);
        let cx = code[0] / wx * w + x;
        let cy = code[1] / wy * h + y;
        let half_w = 0.5 * ((code[2] / ww).min(LARGEST_LOG).exp() * w);
        let half_h = 0.5 * ((code[3] / wh).min(LARGEST_LOG).exp() * h);
        [cx - half_w, cy - half_h, cx + half_w, cy + half_h]
    }

    /// What a head should predict for a box relative to `anchor`.
    #[must_use]
    pub fn encode(&self, b: &Rect, anchor: &Rect) -> [f32; 4] {
        let [wx, wy, ww, wh] = self.weights;
        let (w, h) = (anchor[2] - anchor[0], anchor[3] - anchor[1]);
        let (x, y) = (anchor[0] + 0.5 * w, anchor[1] + 0.5 * h);
        let (bw, bh) = (b[2] - b[0], b[3] - b[1]);
        let (bx, by) = (b[0] + 0.5 * bw, b[1] + 0.5 * bh);
        [wx * (bx - x) / w, wy * (by - y) / h, ww * (bw / w).ln(), wh * (bh / h).ln()]
    }
}

/// Softmax of a row.
#[must_use]
pub fn softmax(row: &[f32]) -> Vec<f32> {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f32> = row.iter().map(|v| (v - top).exp()).collect();
    let sum: f32 = exp.iter().sum();
    exp.into_iter().map(|v| v / sum).collect()
}

/// 1 / (1 + exp(-x)).
#[must_use]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_counts_no_pixel_twice() {
        assert_eq!(iou(&[0.0, 0.0, 2.0, 2.0], &[1.0, 0.0, 3.0, 2.0]), 1.0 / 3.0);
        assert_eq!(iou(&[0.0, 0.0, 1.0, 1.0], &[1.0, 0.0, 2.0, 1.0]), 0.0);
        assert_eq!(iou(&[1.0; 4], &[1.0; 4]), 0.0);
    }

    #[test]
    fn suppression_is_per_group_and_stable() {
        let boxes = [[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0]];
        assert_eq!(nms(&boxes, &[0.5, 0.9, 0.5, 0.1], &[0; 4], 0.5), [1, 3]);
        assert_eq!(nms(&boxes, &[0.5, 0.9, 0.5, 0.1], &[0, 0, 1, 0], 0.5), [1, 2, 3]);
        assert_eq!(nms(&boxes, &[0.5; 4], &[0; 4], 0.9), [0, 1, 3]);
    }

    #[test]
    fn code_and_decode_are_inverse() {
        let coder = Coder { weights: [10.0, 10.0, 5.0, 5.0] };
        let (b, anchor) = ([3.0, 4.0, 13.0, 24.0], [0.0, 0.0, 16.0, 16.0]);
        let back = coder.decode(&coder.encode(&b, &anchor), &anchor);
        assert!(back.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4), "{back:?}");
        assert!(coder.decode(&[0.0, 0.0, 1e9, 1e9], &anchor).iter().all(|v| v.is_finite()));
    }
}
