//! Free-response ROC: how many objects are found at how many false alarms an image, whatever they are called.
//!
//! The figure is that of LUNA16 (Setio et al. 2017): the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false alarms an
//! image. A box finds an object that it overlaps by half or more. Of boxes that overlap each other by more than half the
//! best alone stands, whatever their labels: a second name for one place is no second alarm.

use super::Scored;
use crate::arch::detect::boxes::{Rect, iou, nms};

/// False alarms an image at which the sensitivity is taken.
pub const ALARMS: [f64; 7] = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
/// Overlap from which a box finds an object.
const OVERLAP: f32 = 0.5;

/// Everything that was found, best first.
pub struct Ranked {
    /// Image, and whether it found an object.
    found: Vec<(usize, bool)>,
    objects: Vec<u32>,
}

impl Ranked {
    /// Ranks and matches all boxes.
    #[must_use]
    pub fn new(cases: &[Scored]) -> Self {
        let mut ranked: Vec<(f32, usize, bool)> = Vec::new();
        for (image, case) in cases.iter().enumerate() {
            let boxes: Vec<Rect> = case.found.iter().map(|f| f.rect).collect();
            let scores: Vec<f32> = case.found.iter().map(|f| f.score).collect();
            let mut free = vec![true; case.truth.len()];
            for i in nms(&boxes, &scores, &vec![0; boxes.len()], OVERLAP) {
                let open =
                    (0..case.truth.len()).filter(|t| free[*t] && iou(&boxes[i], &case.truth[*t].rect) >= OVERLAP);
                let best = open.max_by(|a, b| {
                    iou(&boxes[i], &case.truth[*a].rect).total_cmp(&iou(&boxes[i], &case.truth[*b].rect))
                });
                if let Some(t) = best {
                    free[t] = false;
                }
                ranked.push((scores[i], image, best.is_some()));
            }
        }
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        Self {
            found: ranked.into_iter().map(|(_, image, hit)| (image, hit)).collect(),
            objects: cases.iter().map(|c| c.truth.len() as u32).collect(),
        }
    }

    /// The mean sensitivity where image i stands `weights[i]` times; none where there is no object.
    #[must_use]
    pub fn score(&self, weights: &[u32]) -> Option<f64> {
        let objects: u64 = self.objects.iter().zip(weights).map(|(n, w)| u64::from(n * w)).sum();
        let images: u64 = weights.iter().map(|w| u64::from(*w)).sum();
        if objects == 0 {
            return None;
        }
        let (mut hits, mut alarms) = (0f64, 0f64);
        let mut at = [0f64; ALARMS.len()];
        for (image, hit) in &self.found {
            let w = f64::from(weights[*image]);
            if *hit {
                hits += w;
            } else {
                alarms += w;
            }
            for (best, most) in at.iter_mut().zip(ALARMS) {
                if alarms <= most * images as f64 {
                    *best = hits / objects as f64;
                }
            }
        }
        Some(at.iter().sum::<f64>() / ALARMS.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Labelled;
    use super::*;

    #[test]
    fn sensitivity_grows_with_the_alarms_allowed() {
        let at = |rect: Rect, label: usize, score: f32| Labelled { rect, label, score };
        let (there, far) = ([0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]);
        let case = |found: Vec<Labelled>| Scored { person: String::new(), truth: vec![at(there, 1, 0.0)], found };
        // Found at once under another name, and a second name for the same place is no alarm.
        let first = case(vec![at(there, 2, 0.9), at(there, 1, 0.8)]);
        assert_eq!(Ranked::new(&[first]).score(&[1]), Some(1.0));
        // One false alarm before: nothing at up to 1/2 alarms an image, all from 1 on.
        let second = case(vec![at(far, 1, 0.9), at(there, 1, 0.8)]);
        assert_eq!(Ranked::new(&[second]).score(&[1]), Some(4.0 / 7.0));
        assert_eq!(Ranked::new(&[case(Vec::new())]).score(&[1]), Some(0.0));
        assert_eq!(Ranked::new(&[Scored::default()]).score(&[1]), None);
    }
}
