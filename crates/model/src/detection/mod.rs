//! How good boxes are: average precision, FROC, and the plain method that a detector has to beat.
//!
//! [`measure`] turns what was found in the held-back images into the figures of a card.

pub mod average_precision;
pub mod blob;
pub mod froc;
pub(crate) mod parts;

use crate::arch::detect::boxes::Rect;
use crate::card::Interval;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// A box with its label's number, and for what was found its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labelled {
    /// `[x0, y0, x1, y1]` in pixels.
    pub rect: Rect,
    /// Number of the label.
    pub label: usize,
    /// 0 to 1; of no meaning for truth.
    pub score: f32,
}

/// What is in an image and what was found there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scored {
    /// Who is on it: images of one are drawn together when an interval is estimated.
    pub person: String,
    /// The boxes that are there.
    pub truth: Vec<Labelled>,
    /// The boxes that were found, in any order.
    pub found: Vec<Labelled>,
}

/// `ap50` (mean over the labels of the average precision at an overlap of 0.5), `ap` (the mean of that over overlaps
/// 0.5 to 0.95 in steps of 0.05), `froc` (see [`froc`]) and `ap50_LABEL` of each label, with bootstrap 95 % intervals
/// over persons out of `draws` (0 gives the figures alone).
///
/// A label of which there is no case has no figure and no part in the means. Nothing comes out of no truth at all.
#[must_use]
pub fn measure(cases: &[Scored], labels: &[(usize, String)], draws: usize, seed: u64) -> BTreeMap<String, Interval> {
    let mut persons: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, case) in cases.iter().enumerate() {
        persons.entry(case.person.as_str()).or_default().push(i);
    }
    let persons: Vec<Vec<usize>> = persons.into_values().collect();
    let numbers: Vec<usize> = labels.iter().map(|l| l.0).collect();
    let ranked = average_precision::Ranked::new(cases, &numbers);
    let curve = froc::Ranked::new(cases);
    let figures = |weights: &[u32]| -> BTreeMap<String, f64> {
        let mut out = BTreeMap::new();
        let by_label = ranked.by_label(weights);
        for ((_, name), all) in labels.iter().zip(&by_label) {
            if let Some(all) = all {
                out.insert(crate::card::metric_name("ap50", name), all[0]);
            }
        }
        let there: Vec<&Vec<f64>> = by_label.iter().flatten().collect();
        if !there.is_empty() {
            let n = there.len() as f64;
            out.insert("ap50".into(), there.iter().map(|a| a[0]).sum::<f64>() / n);
            let mean = |a: &Vec<f64>| a.iter().sum::<f64>() / a.len() as f64;
            out.insert("ap".into(), there.iter().map(|a| mean(a)).sum::<f64>() / n);
        }
        if let Some(v) = curve.score(weights) {
            out.insert("froc".into(), v);
        }
        out
    };
    let whole = figures(&vec![1; cases.len()]);
    let mut drawn: BTreeMap<&String, Vec<f64>> = whole.keys().map(|k| (k, Vec::with_capacity(draws))).collect();
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..draws {
        let mut weights = vec![0u32; cases.len()];
        for _ in 0..persons.len() {
            persons[random.random_range(0..persons.len())].iter().for_each(|i| weights[*i] += 1);
        }
        // A draw without any case of a label says nothing about that label.
        for (name, value) in figures(&weights) {
            if let Some(all) = drawn.get_mut(&name) {
                all.push(value);
            }
        }
    }
    let interval = |name: &String, value: f64| {
        let mut all = drawn.get(name).cloned().unwrap_or_default();
        all.sort_by(f64::total_cmp);
        let at = |part: f64| all.get((part * all.len().saturating_sub(1) as f64).round() as usize).copied();
        let (low, high) = (at(0.025).unwrap_or(value), at(0.975).unwrap_or(value));
        Interval { value, low: low.min(value), high: high.max(value) }
    };
    whole.iter().map(|(name, value)| (name.clone(), interval(name, *value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(person: usize, label: usize, found: &[(Rect, usize, f32)]) -> Scored {
        let there = Labelled { rect: [10.0, 10.0, 30.0, 30.0], label, score: 0.0 };
        let found = found.iter().map(|(rect, label, score)| Labelled { rect: *rect, label: *label, score: *score });
        Scored { person: format!("p{person}"), truth: vec![there], found: found.collect() }
    }

    #[test]
    fn figures_lie_in_their_intervals_and_come_again() {
        let right = [10.0, 10.0, 30.0, 30.0];
        let wrong = [60.0, 60.0, 70.0, 70.0];
        let cases: Vec<Scored> = (0..40)
            .map(|i| one(i / 2, i % 2, &[(if i % 5 == 0 { wrong } else { right }, i % 2, 0.9 - i as f32 / 100.0)]))
            .collect();
        let labels = [(0, "One".to_owned()), (1, "Two words".to_owned()), (2, "Absent".to_owned())];
        let m = measure(&cases, &labels, 500, 1);
        assert_eq!(m.keys().collect::<Vec<_>>(), ["ap", "ap50", "ap50_one", "ap50_two_words", "froc"]);
        assert!(m.values().all(|v| v.low <= v.value && v.value <= v.high && v.high <= 1.0));
        assert!(m["ap50"].low < m["ap50"].value && m["ap50"].value < m["ap50"].high);
        // Each box that was found lies exactly where it should.
        assert_eq!(m["ap"].value, m["ap50"].value);
        assert_eq!(measure(&cases, &labels, 500, 1), m);
        assert!(measure(&[], &labels, 500, 1).is_empty());
    }
}
