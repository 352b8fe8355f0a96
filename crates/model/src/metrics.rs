//! Figures and their uncertainty.

use crate::card::Interval;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// Dice, 2 |a and b| / (|a| + |b|); 1 where both are empty.
///
/// # Shapes
/// Both `[n]`, of one length.
pub fn dice(a: &[bool], b: &[bool]) -> f64 {
    let both = a.iter().zip(b).filter(|(a, b)| **a && **b).count();
    let sum = a.iter().filter(|a| **a).count() + b.iter().filter(|b| **b).count();
    if sum == 0 { 1.0 } else { 2.0 * both as f64 / sum as f64 }
}

/// Draws of the bootstrap; the interval's ends move by less than 0.1 of their distance from draw to draw.
const DRAWS: usize = 2000;

/// The mean over cases with its 95 % interval from a bootstrap over persons (percentile method, fixed seed).
///
/// Persons are drawn with all their cases, because images of one person are no independent witnesses.
pub fn mean_over_persons(values: &[(&str, f64)]) -> Interval {
    let mut by_person: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for (person, value) in values {
        let entry = by_person.entry(person).or_default();
        entry.0 += value;
        entry.1 += 1;
    }
    let persons: Vec<(f64, usize)> = by_person.into_values().collect();
    let value = values.iter().map(|(_, v)| v).sum::<f64>() / values.len().max(1) as f64;
    if persons.is_empty() {
        return Interval { value: 0.0, low: 0.0, high: 0.0 };
    }
    let mut random = StdRng::seed_from_u64(20);
    let mut means: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let (mut sum, mut count) = (0.0, 0);
            for _ in 0..persons.len() {
                let (s, c) = persons[random.random_range(0..persons.len())];
                sum += s;
                count += c;
            }
            sum / count as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |fraction: f64| means[((DRAWS - 1) as f64 * fraction).round() as usize];
    // With very few persons the percentiles may miss the value by rounding.
    Interval { value, low: at(0.025).min(value), high: at(0.975).max(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_of_known_masks() {
        assert_eq!(dice(&[true, true, false], &[true, false, false]), 2.0 / 3.0);
        assert_eq!(dice(&[false; 3], &[false; 3]), 1.0);
        assert_eq!(dice(&[true; 3], &[false; 3]), 0.0);
    }

    #[test]
    fn interval_counts_persons_not_images() {
        let names: Vec<String> = (0..100).map(|i| format!("p{i}")).collect();
        let apart: Vec<(&str, f64)> = (0..100).map(|i| (names[i].as_str(), f64::from(i as u8 % 2))).collect();
        let few: Vec<(&str, f64)> = (0..100).map(|i| (names[i % 4].as_str(), f64::from(i as u8 % 2))).collect();
        let (a, b) = (mean_over_persons(&apart), mean_over_persons(&few));
        assert_eq!(a.value, 0.5);
        // Standard error 0.05, so about 0.4 to 0.6.
        assert!((a.low - 0.4).abs() < 0.03 && (a.high - 0.6).abs() < 0.03, "{a:?}");
        assert!(b.high - b.low > 2.0 * (a.high - a.low));
    }
}
