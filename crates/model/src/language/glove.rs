//! GloVe (Pennington, Socher and Manning 2014): vectors whose products are the logarithms of how often words occur near
//! each other, found by AdaGrad.

use super::gpt2::fault;
use super::recipe::VectorTraining;
use super::vectors::{self, WordVectors};
use super::word2vec::together;
use crate::{Result, RunCx};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::collections::HashMap;

/// From this count on a pair has its full weight.
const FULL: f32 = 30.0;
/// Of the weight below it.
const POWER: f32 = 0.75;
/// Pairs that a thread trains on before changes are added up.
const ROUND_PAIRS: usize = 100_000;

/// Trains vectors; also gives the mean loss of each time through the pairs.
///
/// # Errors
/// As [`super::word2vec::train`].
pub fn train(sentences: &[Vec<String>], how: &VectorTraining, cx: &RunCx<'_>) -> Result<(WordVectors, Vec<f64>)> {
    how.check().map_err(fault)?;
    let vocabulary = vectors::vocabulary(sentences, how.least_count, how.most_words);
    if vocabulary.len() < 2 {
        return Err(fault(format!("fewer than two words occur {} times in the text", how.least_count)));
    }
    let mut pairs = cooccurrences(&vectors::numbered(sentences, &vocabulary), how.window);
    cx.check()?;
    let (words, width) = (vocabulary.len(), how.width);
    let mut random = StdRng::seed_from_u64(how.seed);
    let mut start = |n: usize| -> Vec<f32> { (0..n).map(|_| (random.random::<f32>() - 0.5) / width as f32).collect() };
    // Vectors and biases of words and of neighbours, then the sums of squared gradients of all four.
    let mut params = [
        start(words * width),
        start(words * width),
        start(words),
        start(words),
        vec![1.0; words * width],
        vec![1.0; words * width],
        vec![1.0; words],
        vec![1.0; words],
    ];
    let mut losses = Vec::with_capacity(how.epochs);
    for epoch in 0..how.epochs {
        pairs.shuffle(&mut StdRng::seed_from_u64(how.seed ^ (epoch as u64) << 32));
        let mut sum = 0.0;
        for round in pairs.chunks(ROUND_PAIRS * how.threads) {
            cx.check()?;
            let shards: Vec<&[(u32, u32, f32)]> = round.chunks(round.len().div_ceil(how.threads)).collect();
            let told = together(&mut params, &shards, |(_, shard), params| {
                (shard.iter().map(|pair| learn(params, *pair, width, how.learning_rate)).sum(), shard.len() as u64)
            });
            sum += told.iter().map(|t| t.0).sum::<f64>();
        }
        losses.push(sum / pairs.len().max(1) as f64);
        (cx.progress)(0.95 * (epoch + 1) as f32 / how.epochs as f32, &format!("Time {} of {}", epoch + 1, how.epochs));
    }
    // The published program gives the sum of both tables too.
    let values = params[0].iter().zip(&params[1]).map(|(a, b)| a + b).collect();
    let words = vocabulary.into_iter().map(|(w, _)| w).collect();
    Ok((WordVectors::new(words, width, values)?, losses))
}

/// How often words occur near each other, the nearer the more: word, neighbour, weight.
fn cooccurrences(texts: &[Vec<u32>], window: usize) -> Vec<(u32, u32, f32)> {
    let mut counts: HashMap<(u32, u32), f32> = HashMap::new();
    for text in texts {
        for (at, word) in text.iter().enumerate() {
            for distance in 1..=window.min(at) {
                let other = text[at - distance];
                *counts.entry((*word, other)).or_default() += 1.0 / distance as f32;
                *counts.entry((other, *word)).or_default() += 1.0 / distance as f32;
            }
        }
    }
    let mut list: Vec<(u32, u32, f32)> = counts.into_iter().map(|((a, b), n)| (a, b, n)).collect();
    // The order of a hash table is another one in each run.
    list.sort_by_key(|(a, b, _)| (*a, *b));
    list
}

fn learn(params: &mut [Vec<f32>; 8], (word, other, count): (u32, u32, f32), width: usize, rate: f32) -> f64 {
    let (i, j) = (word as usize, other as usize);
    let [a, b, bias_a, bias_b, squares_a, squares_b, squares_bias_a, squares_bias_b] = params;
    let (a, squares_a) = (&mut a[i * width..(i + 1) * width], &mut squares_a[i * width..(i + 1) * width]);
    let (b, squares_b) = (&mut b[j * width..(j + 1) * width], &mut squares_b[j * width..(j + 1) * width]);
    let dot: f32 = a.iter().zip(b.iter()).map(|(x, y)| x * y).sum();
    let off = dot + bias_a[i] + bias_b[j] - count.ln();
    let weight = (count / FULL).powf(POWER).min(1.0);
    // The published program's limit against runaways.
    let g = (weight * off).clamp(-100.0, 100.0);
    for k in 0..width {
        let (ga, gb) = (g * b[k], g * a[k]);
        a[k] -= rate * ga / squares_a[k].sqrt();
        b[k] -= rate * gb / squares_b[k].sqrt();
        squares_a[k] += ga * ga;
        squares_b[k] += gb * gb;
    }
    bias_a[i] -= rate * g / squares_bias_a[i].sqrt();
    bias_b[j] -= rate * g / squares_bias_b[j].sqrt();
    squares_bias_a[i] += g * g;
    squares_bias_b[j] += g * g;
    f64::from(0.5 * weight * off * off)
}

#[cfg(test)]
mod tests {
    use super::super::recipe::VectorMethod;
    use super::super::word2vec::tests::{how, two_worlds, worlds_stay_apart};
    use super::*;

    #[test]
    fn words_of_one_world_come_together_and_runs_are_alike() {
        for threads in [1, 2] {
            let how = VectorTraining { epochs: 40, ..how(VectorMethod::Glove, threads) };
            let (vectors, losses) = train(&two_worlds(), &how, &RunCx::silent()).unwrap();
            worlds_stay_apart(&vectors);
            assert!(losses.last() < losses.first(), "{losses:?}");
            assert_eq!(vectors, train(&two_worlds(), &how, &RunCx::silent()).unwrap().0);
        }
    }
}
