//! Average precision: the area under precision over recall, all points, precision made falling (Everingham et al. 2010).
//!
//! Boxes of one label are ranked by score over all images. Each in turn takes the free object of its image and label
//! that it overlaps most; it counts where that is at least the overlap asked for, else it is false. A second box on an
//! object is false.

use super::Scored;
use crate::arch::detect::boxes::iou;

/// The overlaps that are averaged over: 0.5 to 0.95.
pub const OVERLAPS: [f32; 10] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];

/// What was found of one label, best first.
struct Label {
    /// Image, and whether it is true at each overlap.
    found: Vec<(usize, [bool; OVERLAPS.len()])>,
    /// Objects in each image.
    objects: Vec<u32>,
}

/// Everything that was found, ranked and matched once; images can then be weighted.
pub struct Ranked {
    labels: Vec<Label>,
}

impl Ranked {
    /// Ranks and matches the boxes of `labels`.
    #[must_use]
    pub fn new(cases: &[Scored], labels: &[usize]) -> Self {
        Self { labels: labels.iter().map(|label| Label::new(cases, *label)).collect() }
    }

    /// For each label the average precision at each overlap where image i stands `weights[i]` times; none where the label
    /// has no object there.
    #[must_use]
    pub fn by_label(&self, weights: &[u32]) -> Vec<Option<Vec<f64>>> {
        self.labels
            .iter()
            .map(|label| {
                let objects: u64 = label.objects.iter().zip(weights).map(|(n, w)| u64::from(n * w)).sum();
                (objects > 0).then(|| (0..OVERLAPS.len()).map(|k| label.area(weights, objects as f64, k)).collect())
            })
            .collect()
    }
}

impl Label {
    fn new(cases: &[Scored], label: usize) -> Self {
        let mut ranked: Vec<(f32, usize, usize)> = Vec::new();
        for (image, case) in cases.iter().enumerate() {
            let own = case.found.iter().enumerate().filter(|(_, b)| b.label == label);
            ranked.extend(own.map(|(k, b)| (b.score, image, k)));
        }
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let count = |case: &Scored| case.truth.iter().filter(|t| t.label == label).count() as u32;
        let mut found: Vec<(usize, [bool; OVERLAPS.len()])> =
            ranked.iter().map(|(_, image, _)| (*image, [false; OVERLAPS.len()])).collect();
        for (k, overlap) in OVERLAPS.iter().enumerate() {
            let mut free: Vec<Vec<bool>> =
                cases.iter().map(|c| c.truth.iter().map(|t| t.label == label).collect()).collect();
            for ((_, image, b), (_, is_true)) in ranked.iter().zip(&mut found) {
                let case = &cases[*image];
                let open = (0..case.truth.len()).filter(|t| free[*image][*t]);
                let best = open.map(|t| (iou(&case.found[*b].rect, &case.truth[t].rect), t)).fold(
                    None,
                    |best: Option<(f32, usize)>, new| if best.is_none_or(|b| new.0 > b.0) { Some(new) } else { best },
                );
                if let Some((v, t)) = best
                    && v >= *overlap
                {
                    free[*image][t] = false;
                    is_true[k] = true;
                }
            }
        }
        Self { found, objects: cases.iter().map(count).collect() }
    }

    fn area(&self, weights: &[u32], objects: f64, overlap: usize) -> f64 {
        let (mut right, mut all) = (0f64, 0f64);
        // Recall and precision behind each box.
        let mut curve = Vec::with_capacity(self.found.len());
        for (image, is_true) in &self.found {
            let w = f64::from(weights[*image]);
            if w == 0.0 {
                continue;
            }
            all += w;
            if is_true[overlap] {
                right += w;
            }
            curve.push((right / objects, right / all));
        }
        let (mut area, mut best, mut recall) = (0.0, 0f64, None);
        for (r, p) in curve.into_iter().rev() {
            if let Some(last) = recall {
                area += (last - r) * best;
            }
            best = best.max(p);
            recall = Some(r);
        }
        area + recall.unwrap_or(0.0) * best
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Labelled, Scored};
    use super::*;

    fn case(truth: &[[f32; 4]], found: &[([f32; 4], f32)]) -> Scored {
        Scored {
            person: String::new(),
            truth: truth.iter().map(|rect| Labelled { rect: *rect, label: 1, score: 0.0 }).collect(),
            found: found.iter().map(|(rect, score)| Labelled { rect: *rect, label: 1, score: *score }).collect(),
        }
    }

    fn at_half(cases: &[Scored]) -> f64 {
        Ranked::new(cases, &[1]).by_label(&vec![1; cases.len()])[0].as_ref().unwrap()[0]
    }

    const A: [f32; 4] = [0.0, 0.0, 10.0, 10.0];
    const B: [f32; 4] = [20.0, 0.0, 30.0, 10.0];
    const FAR: [f32; 4] = [50.0, 50.0, 60.0, 60.0];

    #[test]
    fn the_area_is_the_one_by_hand() {
        // True, false, true of two objects: recall 1/2 at precision 1, then 1 at 2/3.
        let v = at_half(&[case(&[A, B], &[(A, 0.9), (FAR, 0.8), (B, 0.7)])]);
        assert!((v - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12, "{v}");
        // False first: precision is made falling, so both halves stand at 2/3.
        let v = at_half(&[case(&[A, B], &[(FAR, 0.9), (A, 0.8), (B, 0.7)])]);
        assert!((v - 2.0 / 3.0).abs() < 1e-12, "{v}");
        assert_eq!(at_half(&[case(&[A], &[])]), 0.0);
        assert_eq!(at_half(&[case(&[A], &[(A, 0.1)]), case(&[B], &[(B, 0.2)])]), 1.0);
    }

    #[test]
    fn a_second_box_on_an_object_is_false() {
        let v = at_half(&[case(&[A, B], &[(A, 0.9), (A, 0.8), (B, 0.7)])]);
        assert!((v - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12, "{v}");
    }

    #[test]
    fn overlap_label_and_weights_count() {
        // Overlap 0.6: true at the first three steps only.
        let cases = [case(&[A], &[([0.0, 0.0, 10.0, 6.01], 0.9)])];
        let all = Ranked::new(&cases, &[1, 2]).by_label(&[1]);
        assert_eq!(all[0].as_ref().unwrap().iter().filter(|v| **v == 1.0).count(), 3);
        assert!(all[1].is_none());
        let two = [case(&[A], &[(A, 0.9)]), case(&[A], &[(FAR, 0.95)])];
        let ranked = Ranked::new(&two, &[1]);
        assert_eq!(ranked.by_label(&[1, 0])[0].as_ref().unwrap()[0], 1.0);
        assert_eq!(ranked.by_label(&[0, 1])[0].as_ref().unwrap()[0], 0.0);
        assert_eq!(ranked.by_label(&[1, 1])[0].as_ref().unwrap()[0], 0.25);
        assert!(ranked.by_label(&[0, 0])[0].is_none());
    }
}
