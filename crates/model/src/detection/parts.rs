//! Objects that are told as one mask: each connected part is a thing of its own.

use crate::arch::detect::boxes::Rect;
use crate::post;

/// Parts smaller than this part of the image are specks.
pub(crate) const PART_OF_IMAGE: f64 = 0.004;

/// Box and mask of each connected part of at least `least` of the image, largest first.
pub(crate) fn parts(mask: &[bool], columns: usize, least: f64) -> Vec<(Rect, Vec<bool>)> {
    let (numbers, sizes) = post::components(mask, columns);
    let mut order: Vec<usize> = (0..sizes.len()).filter(|i| sizes[*i] as f64 >= least * mask.len() as f64).collect();
    order.sort_by_key(|i| std::cmp::Reverse(sizes[*i]));
    order
        .into_iter()
        .map(|i| {
            let own: Vec<bool> = numbers.iter().map(|n| *n as usize == i + 1).collect();
            let mut rect = [f32::INFINITY, f32::INFINITY, 0.0, 0.0];
            for at in (0..own.len()).filter(|at| own[*at]) {
                let (x, y) = ((at % columns) as f32, (at / columns) as f32);
                rect = [rect[0].min(x), rect[1].min(y), f32::max(rect[2], x + 1.0), f32::max(rect[3], y + 1.0)];
            }
            (rect, own)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_a_thing_and_specks_are_none() {
        // Two bars and a pixel.
        let mask: Vec<bool> = (0..100).map(|i| matches!(i % 10, 1 | 5..=6) && i < 80 || i == 99).collect();
        let found = parts(&mask, 10, 0.02);
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [[5.0, 0.0, 7.0, 8.0], [1.0, 0.0, 2.0, 8.0]]);
        assert_eq!(found[0].1.iter().filter(|m| **m).count(), 16);
    }
}
