//! Which prediction answers for which object, on plain numbers.

use crate::arch::detect::boxes::{Rect, iou, sigmoid};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// The numbers of the assignments; those of the papers where left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssignSpec {
    /// SSD: overlap from which a default box answers for an object.
    pub ssd_iou: f32,
    /// SSD: empty boxes per full one that count, the worst first.
    pub negatives_per_positive: usize,
    /// SSD: focal loss over all boxes in place of the worst empty ones.
    pub focal: bool,
    /// Proposals: overlap from which an anchor is an object, and below which it is none; between, it does not count.
    pub rpn_iou: [f32; 2],
    /// Proposals: anchors of an image that count.
    pub rpn_samples: usize,
    /// Proposals: largest part of them that are objects.
    pub rpn_positive: f32,
    /// Boxes: overlap from which a proposal is an object.
    pub roi_iou: f32,
    /// Boxes: proposals of an image that count.
    pub roi_samples: usize,
    /// Boxes: largest part of them that are objects.
    pub roi_positive: f32,
    /// YOLOX: places within this many strides of an object's centre may answer for it.
    pub centre_radius: f32,
    /// YOLOX: the overlaps of this many best places say how many answer for an object.
    pub candidates: usize,
}

impl Default for AssignSpec {
    /// Liu et al. 2016, Ren et al. 2015 (with the samples of torchvision), Ge et al. 2021.
    fn default() -> Self {
        Self {
            ssd_iou: 0.5,
            negatives_per_positive: 3,
            focal: false,
            rpn_iou: [0.7, 0.3],
            rpn_samples: 256,
            rpn_positive: 0.5,
            roi_iou: 0.5,
            roi_samples: 512,
            roi_positive: 0.25,
            centre_radius: 2.5,
            candidates: 10,
        }
    }
}

impl AssignSpec {
    /// Whether the numbers make sense; the reason where not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let fractions = [
            ("ssd_iou", self.ssd_iou),
            ("rpn_iou", self.rpn_iou[0]),
            ("rpn_iou", self.rpn_iou[1]),
            ("rpn_positive", self.rpn_positive),
            ("roi_iou", self.roi_iou),
            ("roi_positive", self.roi_positive),
        ];
        if let Some((name, v)) = fractions.iter().find(|(_, v)| !(*v > 0.0 && *v < 1.0)) {
            return Err(format!("{name} of [detect] is {v}, not between 0 and 1"));
        }
        if self.rpn_iou[0] < self.rpn_iou[1] {
            return Err("rpn_iou of [detect] are not in descending order".into());
        }
        let counts = [self.negatives_per_positive, self.rpn_samples, self.roi_samples, self.candidates];
        if counts.iter().any(|n| !(1..=10_000).contains(n)) {
            return Err("a number of samples of [detect] is not between 1 and 10000".into());
        }
        if !(0.5..=10.0).contains(&self.centre_radius) {
            return Err("centre_radius of [detect] is not between 0.5 and 10".into());
        }
        Ok(())
    }
}

/// What an anchor or proposal answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// The object of this number.
    Object(usize),
    /// Nothing is there.
    Empty,
    /// Between the two; it does not count.
    Between,
}

/// Each box to the object that it overlaps most, from `high` on; none below `low`. Where `best` is asked for, the boxes
/// that overlap an object most answer for it however little that is.
pub(crate) fn by_overlap(boxes: &[Rect], objects: &[Rect], high: f32, low: f32, best: bool) -> Vec<Match> {
    let mut out = vec![Match::Empty; boxes.len()];
    let mut top = vec![0f32; objects.len()];
    for (b, out) in boxes.iter().zip(&mut out) {
        let mut most = 0.0;
        for (k, object) in objects.iter().enumerate() {
            let v = iou(b, object);
            top[k] = top[k].max(v);
            if v > most {
                most = v;
                *out = Match::Object(k);
            }
        }
        if most < high {
            *out = if most < low { Match::Empty } else { Match::Between };
        }
    }
    if best {
        for (k, object) in objects.iter().enumerate().filter(|(k, _)| top[*k] > 0.0) {
            for (b, out) in boxes.iter().zip(&mut out) {
                if iou(b, object) >= top[k] {
                    *out = Match::Object(k);
                }
            }
        }
    }
    out
}

/// At most `n` of the matches at random, objects at most the part `positive` of them; `(objects, empty)` by number.
pub(crate) fn sample(matches: &[Match], n: usize, positive: f32, random: &mut StdRng) -> (Vec<usize>, Vec<usize>) {
    let pick = |wanted: fn(&Match) -> bool, most: usize, random: &mut StdRng| {
        let mut all: Vec<usize> = (0..matches.len()).filter(|i| wanted(&matches[*i])).collect();
        if all.len() > most {
            all.shuffle(random);
            all.truncate(most);
            all.sort_unstable();
        }
        all
    };
    let objects = pick(|m| matches!(m, Match::Object(_)), ((n as f32 * positive) as usize).max(1), random);
    let empty = pick(|m| *m == Match::Empty, n.saturating_sub(objects.len()), random);
    (objects, empty)
}

/// A place of YOLOX's maps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Centre in pixels of the input.
    pub(crate) centre: [f32; 2],
    /// Pixels of the input for one of its map.
    pub(crate) stride: f32,
    /// What it predicts now.
    pub(crate) rect: Rect,
    /// Logit of an object.
    pub(crate) object: f32,
}

/// SimOTA (Ge et al. 2021): `(place, object, overlap)` of each place that answers for an object.
///
/// `class`: logits, `classes` a place; `labels`: one an object.
pub(crate) fn sim_ota(
    places: &[Place],
    class: &[f32],
    classes: usize,
    objects: &[Rect],
    labels: &[usize],
    spec: &AssignSpec,
) -> Vec<(usize, usize, f32)> {
    /// Makes places outside a box or far from its middle a last resort.
    const FAR: f32 = 1e5;
    // Cheapest object of each place so far: cost, object, overlap.
    let mut taken: Vec<Option<(f32, usize, f32)>> = vec![None; places.len()];
    for (k, object) in objects.iter().enumerate() {
        let (cx, cy) = ((object[0] + object[2]) / 2.0, (object[1] + object[3]) / 2.0);
        let mut costs: Vec<(f32, usize, f32)> = Vec::new();
        for (i, place) in places.iter().enumerate() {
            let [x, y] = place.centre;
            let inside = x > object[0] && x < object[2] && y > object[1] && y < object[3];
            let reach = spec.centre_radius * place.stride;
            let near = (x - cx).abs() < reach && (y - cy).abs() < reach;
            if !inside && !near {
                continue;
            }
            let overlap = iou(&place.rect, object);
            let present = sigmoid(place.object);
            let label_cost: f32 = (0..classes)
                .map(|c| {
                    let p = (present * sigmoid(class[i * classes + c])).sqrt().clamp(1e-6, 1.0 - 1e-6);
                    if c == labels[k] { -p.ln() } else { -(1.0 - p).ln() }
                })
                .sum();
            let cost = label_cost - 3.0 * (overlap + 1e-8).ln() + if inside && near { 0.0 } else { FAR };
            costs.push((cost, i, overlap));
        }
        let mut overlaps: Vec<f32> = costs.iter().map(|c| c.2).collect();
        overlaps.sort_by(|a, b| b.total_cmp(a));
        let many = (overlaps.iter().take(spec.candidates).sum::<f32>() as usize).max(1);
        costs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (cost, i, overlap) in costs.into_iter().take(many) {
            if taken[i].is_none_or(|(other, ..)| cost < other) {
                taken[i] = Some((cost, k, overlap));
            }
        }
    }
    let answer = |(i, t): (usize, Option<(f32, usize, f32)>)| t.map(|(_, k, overlap)| (i, k, overlap));
    taken.into_iter().enumerate().filter_map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const OBJECTS: [Rect; 2] = [[10.0, 10.0, 30.0, 30.0], [60.0, 60.0, 64.0, 64.0]];

    #[test]
    fn the_best_box_answers_however_little_it_overlaps() {
        let boxes = [[10.0, 10.0, 30.0, 29.0], [10.0, 10.0, 30.0, 20.0], [56.0, 56.0, 70.0, 70.0], [80.0; 4]];
        let plain = by_overlap(&boxes, &OBJECTS, 0.7, 0.3, false);
        assert_eq!(plain, [Match::Object(0), Match::Between, Match::Empty, Match::Empty]);
        let best = by_overlap(&boxes, &OBJECTS, 0.7, 0.3, true);
        assert_eq!(best, [Match::Object(0), Match::Between, Match::Object(1), Match::Empty]);
        assert_eq!(by_overlap(&boxes, &[], 0.7, 0.3, true), [Match::Empty; 4]);
    }

    #[test]
    fn samples_keep_the_part_and_come_again() {
        let matches: Vec<Match> = (0..100)
            .map(|i| {
                if i < 40 {
                    Match::Object(0)
                } else if i < 50 {
                    Match::Between
                } else {
                    Match::Empty
                }
            })
            .collect();
        let draw = || sample(&matches, 20, 0.25, &mut StdRng::seed_from_u64(3));
        let (objects, empty) = draw();
        assert_eq!((objects.len(), empty.len()), (5, 15));
        assert!(objects.iter().all(|i| *i < 40) && empty.iter().all(|i| *i >= 50));
        assert_eq!(draw(), (objects, empty));
        let (objects, empty) = sample(&matches[..2], 20, 0.5, &mut StdRng::seed_from_u64(3));
        assert_eq!((objects.len(), empty.len()), (2, 0));
    }

    #[test]
    fn as_many_places_answer_as_overlap_well() {
        let spec = AssignSpec::default();
        let place = |x: f32, y: f32, rect: Rect| Place { centre: [x, y], stride: 8.0, rect, object: 0.0 };
        // Three places predict the first object well, one of its neighbours badly, one place lies far away.
        let good = OBJECTS[0];
        let places = [
            place(20.0, 20.0, good),
            place(12.0, 20.0, good),
            place(20.0, 12.0, good),
            place(28.0, 28.0, [0.0, 0.0, 1.0, 1.0]),
            place(90.0, 90.0, good),
            place(62.0, 62.0, [50.0, 50.0, 70.0, 70.0]),
        ];
        let found = sim_ota(&places, &[0.0; 12], 2, &OBJECTS, &[0, 1], &spec);
        let pairs: Vec<(usize, usize)> = found.iter().map(|f| (f.0, f.1)).collect();
        assert_eq!(pairs, [(0, 0), (1, 0), (2, 0), (5, 1)]);
        assert!(sim_ota(&places, &[0.0; 12], 2, &[], &[], &spec).is_empty());
    }

    #[test]
    fn senseless_numbers_are_refused() {
        assert!(AssignSpec::default().check().is_ok());
        assert!(AssignSpec { ssd_iou: 1.5, ..AssignSpec::default() }.check().unwrap_err().contains("ssd_iou"));
        assert!(AssignSpec { rpn_iou: [0.3, 0.7], ..AssignSpec::default() }.check().is_err());
        assert!(AssignSpec { roi_samples: 0, ..AssignSpec::default() }.check().is_err());
    }
}
