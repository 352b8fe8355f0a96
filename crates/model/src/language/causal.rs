//! One way to ask any model that reads from left to right for the next token, and writing text with it.

use super::gpt2::{Cache, Gpt2, fault};
use super::recurrent::{RecurrentLm, State};
use super::tokenizer::TextTokenizer;
use crate::{Result, RunCx};
use candle_core::{Device, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// What a model remembers of the text so far; a copy is cheap, so a text can go on in several ways.
#[derive(Debug, Clone)]
pub enum Past {
    /// Keys and values.
    Cache(Cache),
    /// The state of recurrent layers.
    State(State),
}

/// A model that gives the next token of a text.
pub trait Causal: Send + Sync {
    /// How many tokens it can hold; `None` where there is no limit.
    fn longest(&self) -> Option<usize>;

    /// An empty text.
    fn start(&self) -> Past;

    /// Reads tokens; gives the logits of the one behind them, `[vocabulary]`.
    ///
    /// # Errors
    /// [`crate::Error::Text`] beyond the longest text, [`crate::Error::Tensor`] for a token beyond the vocabulary.
    fn advance(&self, past: &mut Past, ids: &[u32]) -> Result<Vec<f32>>;
}

fn row(ids: &[u32]) -> Result<Tensor> {
    if ids.is_empty() {
        return Err(fault("there is no text to go on from".into()));
    }
    Ok(Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu)?)
}

/// The logits behind the last token of `[1, length, vocabulary]`.
pub(crate) fn last(logits: &Tensor) -> Result<Vec<f32>> {
    let (_, length, _) = logits.dims3()?;
    Ok(logits.get(0)?.get(length - 1)?.to_vec1()?)
}

fn another() -> crate::Error {
    fault("the text so far belongs to another model".into())
}

impl Causal for Gpt2 {
    fn longest(&self) -> Option<usize> {
        Some(self.positions())
    }

    fn start(&self) -> Past {
        Past::Cache(Self::start(self))
    }

    fn advance(&self, past: &mut Past, ids: &[u32]) -> Result<Vec<f32>> {
        let Past::Cache(cache) = past else { return Err(another()) };
        last(&self.forward(&row(ids)?, cache)?)
    }
}

impl Causal for RecurrentLm {
    fn longest(&self) -> Option<usize> {
        None
    }

    fn start(&self) -> Past {
        Past::State(State::default())
    }

    fn advance(&self, past: &mut Past, ids: &[u32]) -> Result<Vec<f32>> {
        let Past::State(state) = past else { return Err(another()) };
        last(&self.forward(&row(ids)?, state)?)
    }
}

/// How to choose among the likely tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Most tokens to write.
    pub tokens: usize,
    /// 0 takes the likeliest; above 0 draws, the wilder the higher.
    pub temperature: f64,
    /// Only the likeliest that together have this probability.
    pub top_p: f64,
    /// Logits of tokens among the last 64 are divided (multiplied where negative) by this.
    pub repeat_penalty: f64,
    /// Of the draws.
    pub seed: u64,
    /// Tokens that end the text.
    pub stop: Vec<u32>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { tokens: 256, temperature: 0.0, top_p: 0.95, repeat_penalty: 1.1, seed: 1, stop: Vec::new() }
    }
}

/// Largest number of tokens written at once, whatever a caller asks for.
const MOST_TOKENS: usize = 4096;

/// Goes on from a text; `piece` is told each new part as it comes. Gives all that was written.
///
/// Where the model's length is reached, it goes on with the second half of what it held.
///
/// # Errors
/// [`crate::Error::Cancelled`] between two tokens; [`crate::Error::Text`] where the prompt alone is too long.
pub fn write(
    model: &dyn Causal,
    tokenizer: &TextTokenizer,
    prompt: &[u32],
    sampling: &Sampling,
    cx: &RunCx<'_>,
    piece: &mut dyn FnMut(&str),
) -> Result<String> {
    if let Some(longest) = model.longest()
        && prompt.len() >= longest
    {
        return Err(fault(format!("the text has {} tokens, the model holds {longest}", prompt.len())));
    }
    let mut random = StdRng::seed_from_u64(sampling.seed);
    let mut all = prompt.to_vec();
    let mut held = prompt.len();
    let mut past = model.start();
    cx.check()?;
    let mut logits = model.advance(&mut past, prompt)?;
    let mut told = 0;
    let mut text = String::new();
    let most = sampling.tokens.min(MOST_TOKENS);
    for written in 0..most {
        cx.check()?;
        let next = choose(&mut logits, &all[all.len().saturating_sub(64)..], sampling, &mut random);
        if sampling.stop.contains(&next) {
            break;
        }
        all.push(next);
        text = tokenizer.decode(&all[prompt.len()..])?;
        // A letter of several bytes may be half written.
        if !text.ends_with('\u{fffd}') && text.len() > told {
            piece(&text[told..]);
            told = text.len();
        }
        (cx.progress)((written + 1) as f32 / most as f32, "Writing");
        if model.longest().is_some_and(|longest| held + 1 >= longest) {
            let keep = held / 2;
            past = model.start();
            logits = model.advance(&mut past, &all[all.len() - keep..])?;
            held = keep;
        } else {
            logits = model.advance(&mut past, &[next])?;
            held += 1;
        }
    }
    Ok(text)
}

fn choose(logits: &mut [f32], before: &[u32], sampling: &Sampling, random: &mut StdRng) -> u32 {
    let mut seen = before.to_vec();
    seen.sort_unstable();
    seen.dedup();
    let penalty = sampling.repeat_penalty.max(1e-3) as f32;
    for id in seen {
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
    }
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let of = |id: u32| logits[id as usize];
    order.sort_unstable_by(|a, b| of(*b).total_cmp(&of(*a)).then(a.cmp(b)));
    if sampling.temperature <= 0.0 {
        return order[0];
    }
    let top = of(order[0]);
    let weights: Vec<f64> =
        order.iter().take(256).map(|id| (f64::from(of(*id) - top) / sampling.temperature).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    let mut kept = weights.len();
    for (i, weight) in weights.iter().enumerate() {
        sum += weight;
        if sum >= sampling.top_p * total {
            kept = i + 1;
            break;
        }
    }
    let mut left = random.random::<f64>() * weights[..kept].iter().sum::<f64>();
    for (id, weight) in order.iter().zip(&weights[..kept]) {
        left -= weight;
        if left <= 0.0 {
            return *id;
        }
    }
    order[0]
}

/// Natural logarithms of the probabilities that logits mean.
pub(crate) fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|v| f64::from(v - top).exp()).sum();
    let log = top + sum.ln() as f32;
    logits.iter().map(|v| v - log).collect()
}
