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

/// Any statistic with its 95 % interval from a bootstrap over persons (percentile method, fixed seed).
///
/// `statistic` gets the numbers of the drawn cases, with repetitions; draws in which it is not defined (NaN) are left
/// out. `draws` 0 gives the value alone.
pub fn bootstrap(persons: &[&str], draws: usize, statistic: impl Fn(&[usize]) -> f64 + Sync) -> Interval {
    let (value, found) = drawn(persons, draws, statistic);
    let Some(at) = percentiles_of(&found) else { return Interval { value, low: value, high: value } };
    Interval { value, low: at(0.025).min(value), high: at(0.975).max(value) }
}

/// As [`bootstrap`] for a statistic that repetitions push to one side (a distance between distributions): the draws are
/// moved so that their median is the value.
pub fn bootstrap_about(persons: &[&str], draws: usize, statistic: impl Fn(&[usize]) -> f64 + Sync) -> Interval {
    let (value, found) = drawn(persons, draws, statistic);
    let Some(at) = percentiles_of(&found) else { return Interval { value, low: value, high: value } };
    let middle = at(0.5);
    Interval { value, low: value + at(0.025) - middle, high: value + at(0.975) - middle }
}

/// The percentiles of sorted values, by fraction; none where there are no values.
fn percentiles_of(sorted: &[f64]) -> Option<impl Fn(f64) -> f64> {
    let last = sorted.len().checked_sub(1)?;
    Some(move |fraction: f64| sorted[(last as f64 * fraction).round() as usize])
}

/// A statistic of all cases, and sorted those of draws of persons.
fn drawn(persons: &[&str], draws: usize, statistic: impl Fn(&[usize]) -> f64 + Sync) -> (f64, Vec<f64>) {
    use rayon::prelude::*;
    let all: Vec<usize> = (0..persons.len()).collect();
    let value = statistic(&all);
    let value = if value.is_finite() { value } else { 0.0 };
    let mut by_person: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, person) in persons.iter().enumerate() {
        by_person.entry(person).or_default().push(i);
    }
    let groups: Vec<Vec<usize>> = by_person.into_values().collect();
    if groups.is_empty() || draws == 0 {
        return (value, Vec::new());
    }
    let mut found: Vec<f64> = (0..draws)
        .into_par_iter()
        .map(|d| {
            let mut random = StdRng::seed_from_u64(20 + d as u64);
            let mut drawn = Vec::with_capacity(persons.len());
            for _ in 0..groups.len() {
                drawn.extend_from_slice(&groups[random.random_range(0..groups.len())]);
            }
            statistic(&drawn)
        })
        .filter(|v| v.is_finite())
        .collect();
    found.sort_by(f64::total_cmp);
    (value, found)
}

/// Area under the ROC curve: how often a positive case has the higher score, ties half. NaN without one of each.
pub fn auc(scored: &[(f64, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positive = sorted.iter().filter(|s| s.1).count() as f64;
    let negative = sorted.len() as f64 - positive;
    let (mut rank_sum, mut i) = (0.0, 0);
    while i < sorted.len() {
        let mut j = i;
        while j < sorted.len() && sorted[j].0 == sorted[i].0 {
            j += 1;
        }
        // Mean rank of equal scores, counted from 1.
        let rank = (i + j + 1) as f64 / 2.0;
        rank_sum += rank * sorted[i..j].iter().filter(|s| s.1).count() as f64;
        i = j;
    }
    (rank_sum - positive * (positive + 1.0) / 2.0) / (positive * negative)
}

/// Tenths of the confidence: mean confidence, mean outcome, number of cases.
pub fn reliability(pairs: impl Iterator<Item = (f64, f64)>) -> Vec<[f64; 3]> {
    let mut bins = vec![[0.0; 3]; 10];
    for (confidence, outcome) in pairs {
        let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
        bin[0] += confidence;
        bin[1] += outcome;
        bin[2] += 1.0;
    }
    bins.into_iter().map(|[c, o, n]| if n > 0.0 { [c / n, o / n, n] } else { [0.0; 3] }).collect()
}

/// Expected calibration error: |confidence - outcome| of each tenth, weighed by its cases.
pub fn ece(bins: &[[f64; 3]]) -> f64 {
    let total: f64 = bins.iter().map(|b| b[2]).sum();
    bins.iter().map(|b| b[2] * (b[0] - b[1]).abs()).sum::<f64>() / total.max(1.0)
}

/// Peak signal-to-noise ratio in dB for a range of 1.
pub fn psnr_db(a: &[f32], truth: &[f32]) -> f64 {
    let n = truth.len().max(1) as f64;
    let mse = a.iter().zip(truth).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / n;
    -10.0 * mse.max(1e-12).log10()
}

/// Structural similarity (Wang et al. 2004) with windows of 7 x 7 pixels of equal weight, for a range of 1.
///
/// # Shapes
/// Both `[rows * columns]`; 1 where no window fits.
pub fn ssim(a: &[f32], b: &[f32], columns: usize) -> f64 {
    const SIDE: usize = 7;
    let rows = a.len() / columns.max(1);
    if rows < SIDE || columns < SIDE {
        return 1.0;
    }
    // Sums over the window from sums over all that lies above and to the left.
    let table = |f: &dyn Fn(usize) -> f64| -> Vec<f64> {
        let mut t = vec![0.0; (rows + 1) * (columns + 1)];
        for y in 0..rows {
            let mut line = 0.0;
            for x in 0..columns {
                line += f(y * columns + x);
                t[(y + 1) * (columns + 1) + x + 1] = t[y * (columns + 1) + x + 1] + line;
            }
        }
        t
    };
    let (a, b) = (|i: usize| f64::from(a[i]), |i: usize| f64::from(b[i]));
    let tables = [table(&a), table(&b), table(&|i| a(i) * a(i)), table(&|i| b(i) * b(i)), table(&|i| a(i) * b(i))];
    let (c1, c2, n) = (1e-4, 9e-4, (SIDE * SIDE) as f64);
    let mut sum = 0.0;
    for y in 0..=rows - SIDE {
        for x in 0..=columns - SIDE {
            let w = columns + 1;
            let (p, q) = (y * w + x, (y + SIDE) * w + x);
            let mean = |t: &Vec<f64>| (t[q + SIDE] - t[q] - t[p + SIDE] + t[p]) / n;
            let [ma, mb, aa, bb, ab] = [0, 1, 2, 3, 4].map(|k| mean(&tables[k]));
            let (va, vb, cov) = (aa - ma * ma, bb - mb * mb, ab - ma * mb);
            sum += (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
        }
    }
    sum / ((rows - SIDE + 1) * (columns - SIDE + 1)) as f64
}

/// The surface voxels of a mask: those with a neighbour (6) outside.
fn surface(mask: &[bool], [slices, rows, columns]: [usize; 3]) -> Vec<[f64; 3]> {
    let at = |z: i64, y: i64, x: i64| {
        let inside = z >= 0 && y >= 0 && x >= 0 && z < slices as i64 && y < rows as i64 && x < columns as i64;
        inside && mask[(z as usize * rows + y as usize) * columns + x as usize]
    };
    let mut out = Vec::new();
    for (i, _) in mask.iter().enumerate().filter(|(_, m)| **m) {
        let (z, y, x) = ((i / columns / rows) as i64, (i / columns % rows) as i64, (i % columns) as i64);
        let near = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)];
        // A plane image has no neighbours above and below.
        let near = near.iter().filter(|(dz, _, _)| slices > 1 || *dz == 0);
        if near.into_iter().any(|(dz, dy, dx)| !at(z + dz, y + dy, x + dx)) {
            out.push([z as f64, y as f64, x as f64]);
        }
    }
    out
}

/// The 95th percentile of the distances from each surface to the other, the larger of both ways, mm. `None` where a mask
/// is empty.
///
/// # Shapes
/// Masks `[slices * rows * columns]`, `spacing_mm` of these axes.
pub fn hausdorff95_mm(a: &[bool], b: &[bool], size: [usize; 3], spacing_mm: [f64; 3]) -> Option<f64> {
    let (a, b) = (surface(a, size), surface(b, size));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let one_way = |from: &[[f64; 3]], to: &[[f64; 3]]| {
        let mut all: Vec<f64> = from
            .iter()
            .map(|p| {
                let squared = |q: &[f64; 3]| (0..3).map(|i| ((p[i] - q[i]) * spacing_mm[i]).powi(2)).sum::<f64>();
                to.iter().map(squared).fold(f64::INFINITY, f64::min).sqrt()
            })
            .collect();
        all.sort_by(f64::total_cmp);
        all[((all.len() - 1) as f64 * 0.95).round() as usize]
    };
    Some(one_way(&a, &b).max(one_way(&b, &a)))
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

    #[test]
    fn curves_of_known_scores() {
        assert_eq!(auc(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]), 0.75); // sklearn's example
        assert_eq!(auc(&[(0.5, true), (0.5, false)]), 0.5);
        assert!(auc(&[(0.5, true)]).is_nan());
        let bins = reliability([(0.95, 1.0), (0.95, 0.0), (0.15, 0.0)].into_iter());
        assert_eq!(bins[9], [0.95, 0.5, 2.0]);
        assert!((ece(&bins) - (2.0 * 0.45 + 0.15) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn images_compare_as_the_formulas_say() {
        let a: Vec<f32> = (0..100).map(|i| (i % 10) as f32 / 10.0).collect();
        let b: Vec<f32> = a.iter().map(|v| v + 0.1).collect();
        assert!((psnr_db(&b, &a) - 20.0).abs() < 1e-3);
        assert!((ssim(&a, &a, 10) - 1.0).abs() < 1e-9);
        assert!(ssim(&a, &b, 10) < 1.0);
    }

    #[test]
    fn surfaces_are_as_far_apart_as_they_are() {
        let mut a = vec![false; 5 * 5 * 9];
        let mut b = a.clone();
        a[2 * 45 + 2 * 9 + 1] = true;
        b[2 * 45 + 2 * 9 + 5] = true;
        assert_eq!(hausdorff95_mm(&a, &b, [5, 5, 9], [1.0, 1.0, 0.5]), Some(2.0));
        assert_eq!(hausdorff95_mm(&a, &vec![false; a.len()], [5, 5, 9], [1.0; 3]), None);
    }

    #[test]
    fn bootstrap_of_a_mean_agrees_with_the_plain_one() {
        let names: Vec<String> = (0..200).map(|i| format!("p{i}")).collect();
        let persons: Vec<&str> = names.iter().map(String::as_str).collect();
        let value = |i: usize| (i % 2) as f64;
        let found =
            bootstrap(&persons, 1000, |drawn| drawn.iter().map(|i| value(*i)).sum::<f64>() / drawn.len() as f64);
        assert_eq!(found.value, 0.5);
        assert!((found.low - 0.43).abs() < 0.02 && (found.high - 0.57).abs() < 0.02, "{found:?}");
    }
}
