//! Word2Vec with negative sampling, skip-gram and CBOW (Mikolov et al. 2013, "Distributed Representations of Words and
//! Phrases and their Compositionality").
//!
//! Threads train copies on their own sentences for a while; then what each has changed is added up. So the result depends
//! on the number of threads, but not on their order, and no memory is shared while it is written.

use super::gpt2::fault;
use super::recipe::{VectorMethod, VectorTraining};
use super::vectors::{self, WordVectors};
use crate::{Result, RunCx};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

/// Words that a thread trains on before changes are added up.
const ROUND_WORDS: usize = 40_000;
/// Places of the table that words are drawn from.
const TABLE: usize = 1 << 20;
/// Beyond it the sigmoid is 0 or 1 for good.
const FARTHEST: f32 = 8.0;

/// Trains vectors; also gives the mean loss of each time through the text.
///
/// # Errors
/// [`crate::Error::Text`] where the text holds no word often enough; [`crate::Error::Cancelled`].
pub fn train(sentences: &[Vec<String>], how: &VectorTraining, cx: &RunCx<'_>) -> Result<(WordVectors, Vec<f64>)> {
    how.check().map_err(fault)?;
    let vocabulary = vectors::vocabulary(sentences, how.least_count, how.most_words);
    if vocabulary.len() < 2 {
        return Err(fault(format!("fewer than two words occur {} times in the text", how.least_count)));
    }
    let texts = vectors::numbered(sentences, &vocabulary);
    let (words, width) = (vocabulary.len(), how.width);
    let total: f64 = vocabulary.iter().map(|(_, n)| f64::from(*n)).sum();
    // How often a word is kept: the more frequent, the rarer (the formula of the published program).
    let keep: Vec<f32> = vocabulary
        .iter()
        .map(|(_, n)| {
            let share = f64::from(*n) / total;
            if how.sample > 0.0 { (((share / how.sample).sqrt() + 1.0) * how.sample / share) as f32 } else { 1.0 }
        })
        .collect();
    let table = draws(&vocabulary);
    let mut random = StdRng::seed_from_u64(how.seed);
    let input: Vec<f32> = (0..words * width).map(|_| (random.random::<f32>() - 0.5) / width as f32).collect();
    let mut params = [input, vec![0f32; words * width]];
    let threads = how.threads.min(texts.len()).max(1);
    let all_words: usize = texts.iter().map(Vec::len).sum();
    let mut losses = Vec::with_capacity(how.epochs);
    let mut done = 0usize;
    for epoch in 0..how.epochs {
        let (mut sum, mut pairs) = (0.0, 0u64);
        let mut at = 0;
        while at < texts.len() {
            cx.check()?;
            // Sentences of this round, dealt out to the threads.
            let start = at;
            let mut held = 0;
            while at < texts.len() && held < ROUND_WORDS * threads {
                held += texts[at].len();
                at += 1;
            }
            let part = done as f32 / (all_words * how.epochs).max(1) as f32;
            let rate = how.learning_rate * (1.0 - part).max(1e-4);
            let shards: Vec<&[Vec<u32>]> = texts[start..at].chunks((at - start).div_ceil(threads)).collect();
            let run = |(shard, sentences): (usize, &&[Vec<u32>]), params: &mut [Vec<f32>; 2]| {
                let seed = how.seed ^ (epoch as u64) << 48 ^ (start as u64) << 16 ^ shard as u64;
                let mut worker =
                    Worker { how, keep: &keep, table: &table, rate, random: StdRng::seed_from_u64(seed), params };
                worker.run(sentences)
            };
            let told = together(&mut params, &shards, run);
            sum += told.iter().map(|t| t.0).sum::<f64>();
            pairs += told.iter().map(|t| t.1).sum::<u64>();
            done += held;
            (cx.progress)(
                0.95 * done as f32 / (all_words * how.epochs).max(1) as f32,
                &format!("Time {} of {} through {words} words", epoch + 1, how.epochs),
            );
        }
        losses.push(sum / pairs.max(1) as f64);
    }
    let [input, _] = params;
    let words = vocabulary.into_iter().map(|(w, _)| w).collect();
    Ok((WordVectors::new(words, width, input)?, losses))
}

/// Runs each shard on a copy of the numbers and adds up what each changed.
pub(crate) fn together<S: Sync, const N: usize>(
    params: &mut [Vec<f32>; N],
    shards: &[S],
    run: impl Fn((usize, &S), &mut [Vec<f32>; N]) -> (f64, u64) + Sync,
) -> Vec<(f64, u64)> {
    if let [one] = shards {
        return vec![run((0, one), params)];
    }
    let start = params.clone();
    let ends: Vec<([Vec<f32>; N], (f64, u64))> = shards
        .par_iter()
        .enumerate()
        .map(|shard| {
            let mut own = start.clone();
            let told = run(shard, &mut own);
            (own, told)
        })
        .collect();
    for (own, _) in &ends {
        for ((now, end), begin) in params.iter_mut().zip(own).zip(&start) {
            now.iter_mut().zip(end).zip(begin).for_each(|((now, end), begin)| *now += end - begin);
        }
    }
    ends.into_iter().map(|(_, told)| told).collect()
}

/// Words in proportion to their count to the power 3/4.
fn draws(vocabulary: &[(String, u32)]) -> Vec<u32> {
    let weight = |n: u32| f64::from(n).powf(0.75);
    let total: f64 = vocabulary.iter().map(|(_, n)| weight(*n)).sum();
    let mut table = Vec::with_capacity(TABLE);
    let mut sum = 0.0;
    for (i, (_, n)) in vocabulary.iter().enumerate() {
        sum += weight(*n) / total;
        while (table.len() as f64) < sum * TABLE as f64 && table.len() < TABLE {
            table.push(i as u32);
        }
    }
    table.resize(TABLE, vocabulary.len() as u32 - 1);
    table
}

struct Worker<'a> {
    how: &'a VectorTraining,
    keep: &'a [f32],
    table: &'a [u32],
    rate: f32,
    random: StdRng,
    /// Vectors of words, and of words as neighbours.
    params: &'a mut [Vec<f32>; 2],
}

impl Worker<'_> {
    fn run(&mut self, sentences: &[Vec<u32>]) -> (f64, u64) {
        let (mut sum, mut pairs) = (0.0, 0);
        let mut mean = vec![0f32; self.how.width];
        let mut change = vec![0f32; self.how.width];
        for sentence in sentences {
            let kept: Vec<u32> =
                sentence.iter().copied().filter(|w| self.random.random::<f32>() < self.keep[*w as usize]).collect();
            for (at, word) in kept.iter().enumerate() {
                let reach = self.random.random_range(1..=self.how.window);
                let near = at.saturating_sub(reach)..(at + reach + 1).min(kept.len());
                if self.how.method == VectorMethod::Cbow {
                    let others: Vec<u32> = near.filter(|i| *i != at).map(|i| kept[i]).collect();
                    if others.is_empty() {
                        continue;
                    }
                    mean.fill(0.0);
                    for other in &others {
                        let row = self.row(*other);
                        mean.iter_mut().zip(&self.params[0][row]).for_each(|(m, v)| *m += v / others.len() as f32);
                    }
                    sum += self.learn(&mean, *word, &mut change);
                    pairs += 1;
                    for other in &others {
                        let row = self.row(*other);
                        self.params[0][row].iter_mut().zip(&change).for_each(|(v, c)| *v += c);
                    }
                } else {
                    for other in near.filter(|i| *i != at) {
                        let row = self.row(kept[other]);
                        mean.copy_from_slice(&self.params[0][row.clone()]);
                        sum += self.learn(&mean, *word, &mut change);
                        pairs += 1;
                        self.params[0][row].iter_mut().zip(&change).for_each(|(v, c)| *v += c);
                    }
                }
            }
        }
        (sum, pairs)
    }

    fn row(&self, word: u32) -> std::ops::Range<usize> {
        let start = word as usize * self.how.width;
        start..start + self.how.width
    }

    /// One true word against drawn ones: changes the words as neighbours, gives the loss, and the change of `x`.
    fn learn(&mut self, x: &[f32], word: u32, change: &mut [f32]) -> f64 {
        change.fill(0.0);
        let mut loss = 0.0;
        for draw in 0..=self.how.negative {
            let (target, truth) = if draw == 0 {
                (word, 1.0)
            } else {
                let other = self.table[self.random.random_range(0..self.table.len())];
                if other == word {
                    continue;
                }
                (other, 0.0)
            };
            let row = self.row(target);
            let out = &mut self.params[1][row];
            let score: f32 = x.iter().zip(out.iter()).map(|(a, b)| a * b).sum();
            let score = score.clamp(-FARTHEST, FARTHEST);
            let p = 1.0 / (1.0 + (-score).exp());
            loss -= f64::from(if truth > 0.5 { p } else { 1.0 - p }).ln();
            let g = (truth - p) * self.rate;
            for ((c, o), x) in change.iter_mut().zip(out.iter_mut()).zip(x) {
                *c += g * *o;
                *o += g * x;
            }
        }
        loss
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two groups of words that occur with their own only.
    pub(crate) fn two_worlds() -> Vec<Vec<String>> {
        let mut random = StdRng::seed_from_u64(3);
        let worlds = [["lung", "pleura", "hilum", "apex", "lobe"], ["knee", "tibia", "femur", "patella", "meniscus"]];
        (0..1500).map(|i| (0..8).map(|_| worlds[i % 2][random.random_range(0..5)].to_owned()).collect()).collect()
    }

    pub(crate) fn how(method: VectorMethod, threads: usize) -> VectorTraining {
        VectorTraining {
            method,
            width: 16,
            window: 3,
            least_count: 1,
            most_words: 100,
            epochs: 4,
            learning_rate: 0.05,
            negative: 5,
            sample: 0.0,
            threads,
            seed: 7,
            phrases: 0.0,
        }
    }

    pub(crate) fn worlds_stay_apart(vectors: &WordVectors) {
        for (word, world) in
            [("lung", ["pleura", "hilum", "apex", "lobe"]), ("knee", ["tibia", "femur", "patella", "meniscus"])]
        {
            let near = vectors.nearest(word, 4);
            assert!(near.iter().all(|(w, _)| world.contains(&w.as_str())), "{word}: {near:?}");
        }
    }

    #[test]
    fn words_of_one_world_come_together_and_runs_are_alike() {
        for method in [VectorMethod::SkipGram, VectorMethod::Cbow] {
            for threads in [1, 2] {
                let (vectors, losses) = train(&two_worlds(), &how(method, threads), &RunCx::silent()).unwrap();
                worlds_stay_apart(&vectors);
                assert!(losses.last() < losses.first(), "{losses:?}");
                let again = train(&two_worlds(), &how(method, threads), &RunCx::silent()).unwrap().0;
                assert_eq!(vectors, again);
            }
        }
        assert!(train(&[], &how(VectorMethod::Cbow, 1), &RunCx::silent()).is_err());
        let stop = RunCx { cancelled: &|| true, progress: &|_, _| {} };
        assert!(matches!(train(&two_worlds(), &how(VectorMethod::Cbow, 1), &stop), Err(crate::Error::Cancelled)));
    }
}
