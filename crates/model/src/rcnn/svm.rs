//! A linear support vector machine: hinge loss, squared norm of the weights, by coordinate descent on the dual (Hsieh
//! et al. 2008); and the search for hard negatives around it (Felzenszwalb et al. 2010).

use crate::{Result, RunCx};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// What every example has as one more feature, so that the border need not go through the origin.
const BIAS: f64 = 10.0;
/// How far from the optimum of the dual a solution may be.
const TOLERANCE: f64 = 1e-3;
/// Passes over the examples at most.
const PASSES: usize = 300;
/// Rounds of the search for hard negatives at most.
const ROUNDS: usize = 10;

/// Rows of features.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) values: &'a [f32],
    pub(super) width: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn row(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.width..][..self.width]
    }
}

/// A plane that parts two classes: positive where `weight . x + bias` is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Svm {
    pub(super) weight: Vec<f64>,
    pub(super) bias: f64,
}

impl Svm {
    pub(super) fn margin(&self, x: &[f32]) -> f64 {
        dot(&self.weight, x) + self.bias
    }
}

fn dot(w: &[f64], x: &[f32]) -> f64 {
    w.iter().zip(x).map(|(w, x)| w * f64::from(*x)).sum()
}

/// The machine that parts `positives` from `negatives` (numbers of rows). `cost` weighs an error against the width of
/// the margin; one of a positive weighs twice.
pub(super) fn solve(rows: Rows<'_>, positives: &[usize], negatives: &[usize], cost: f64, seed: u64) -> Svm {
    let sign = |i: usize| if i < positives.len() { 1.0 } else { -1.0 };
    let all: Vec<usize> = positives.iter().chain(negatives).copied().collect();
    let squares: Vec<f64> = all
        .iter()
        .map(|i| rows.row(*i).iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>() + BIAS * BIAS)
        .collect();
    let mut alpha = vec![0f64; all.len()];
    let (mut weight, mut bias) = (vec![0f64; rows.width], 0f64);
    let mut order: Vec<usize> = (0..all.len()).collect();
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..PASSES {
        order.shuffle(&mut random);
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for i in order.iter().copied() {
            let (x, y) = (rows.row(all[i]), sign(i));
            let top = if y > 0.0 { 2.0 * cost } else { cost };
            let gradient = y * (dot(&weight, x) + BIAS * bias) - 1.0;
            let projected = if alpha[i] <= 0.0 {
                gradient.min(0.0)
            } else if alpha[i] >= top {
                gradient.max(0.0)
            } else {
                gradient
            };
            (least, most) = (least.min(projected), most.max(projected));
            if projected != 0.0 {
                let old = alpha[i];
                alpha[i] = (old - gradient / squares[i]).clamp(0.0, top);
                let step = (alpha[i] - old) * y;
                weight.iter_mut().zip(x).for_each(|(w, x)| *w += step * f64::from(*x));
                bias += step * BIAS;
            }
        }
        if most - least < TOLERANCE {
            break;
        }
    }
    Svm { weight, bias: bias * BIAS }
}

/// As [`solve`], from few negatives at first: those of all that lie on the wrong side or inside the margin join, and
/// those far on the right side leave, until none is left to join. Gives the rounds too.
pub(super) fn mine(
    rows: Rows<'_>,
    positives: &[usize],
    negatives: &[usize],
    cost: f64,
    seed: u64,
    cx: &RunCx<'_>,
) -> Result<(Svm, usize)> {
    let mut random = StdRng::seed_from_u64(seed);
    let first = (4 * positives.len()).max(64).min(negatives.len());
    let mut pool = negatives.to_vec();
    for i in 0..first {
        let j = random.random_range(i..pool.len());
        pool.swap(i, j);
    }
    let mut active: Vec<usize> = pool[..first].to_vec();
    let mut svm = solve(rows, positives, &active, cost, seed);
    for round in 1..=ROUNDS {
        cx.check()?;
        let margins: Vec<f64> = negatives.iter().map(|i| svm.margin(rows.row(*i))).collect();
        let known: std::collections::HashSet<usize> = active.iter().copied().collect();
        let hard = |m: f64| m > -1.0 + 0.02;
        let new: Vec<usize> =
            negatives.iter().zip(&margins).filter(|(i, m)| hard(**m) && !known.contains(i)).map(|(i, _)| *i).collect();
        if new.is_empty() {
            return Ok((svm, round));
        }
        let near: std::collections::HashSet<usize> =
            negatives.iter().zip(&margins).filter(|(_, m)| **m > -1.2).map(|(i, _)| *i).collect();
        active.retain(|i| near.contains(i));
        active.extend(new);
        svm = solve(rows, positives, &active, cost, seed);
    }
    Ok((svm, ROUNDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clouds that a plane parts, and a few stragglers close to the border.
    fn clouds() -> (Vec<f32>, Vec<usize>, Vec<usize>) {
        let mut random = StdRng::seed_from_u64(3);
        let (mut values, mut positives, mut negatives) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..900 {
            let positive = i % 30 == 0;
            let centre = match (positive, i % 100 == 7) {
                (true, _) => 3.0,
                (false, true) => -1.0,
                (false, false) => -8.0,
            };
            let at = [centre, centre, 0.0].map(|c: f32| c + random.random::<f32>() - 0.5);
            values.extend(at);
            if positive { positives.push(i) } else { negatives.push(i) }
        }
        (values, positives, negatives)
    }

    #[test]
    fn it_parts_what_a_plane_parts_and_keeps_the_margin() {
        let (values, positives, negatives) = clouds();
        let rows = Rows { values: &values, width: 3 };
        let svm = solve(rows, &positives, &negatives, 10.0, 1);
        assert!(positives.iter().all(|i| svm.margin(rows.row(*i)) > 0.95));
        assert!(negatives.iter().all(|i| svm.margin(rows.row(*i)) < -0.95));
        // The nearest examples of both sides decide, so that their margins are 1 and -1.
        let least = positives.iter().map(|i| svm.margin(rows.row(*i))).fold(f64::INFINITY, f64::min);
        let most = negatives.iter().map(|i| svm.margin(rows.row(*i))).fold(f64::NEG_INFINITY, f64::max);
        assert!((least - 1.0).abs() < 0.05 && (most + 1.0).abs() < 0.05, "{least} {most}");
        // An example of one feature by hand: x = 2 and x = -2, alpha = 1 / 8 each, w = 1 / 2.
        let two = [2.0, -2.0];
        let svm = solve(Rows { values: &two, width: 1 }, &[0], &[1], 100.0, 1);
        assert!((svm.weight[0] - 0.5).abs() < 0.01 && svm.bias.abs() < 0.02, "{svm:?}");
    }

    #[test]
    fn mining_finds_the_machine_of_all_negatives() {
        let (values, positives, negatives) = clouds();
        let rows = Rows { values: &values, width: 3 };
        let all = solve(rows, &positives, &negatives, 1.0, 1);
        let (mined, rounds) = mine(rows, &positives, &negatives, 1.0, 1, &RunCx::silent()).unwrap();
        assert!(rounds > 1, "the first draw held every straggler");
        for i in 0..900 {
            let (a, b) = (all.margin(rows.row(i)), mined.margin(rows.row(i)));
            assert!((a - b).abs() < 0.1 * (1.0 + a.abs()), "{i}: {a} {b}");
        }
    }
}
