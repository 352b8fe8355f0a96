//! A language model against text that was held back, beside the n-gram counted in the text that it was trained on.

use super::causal::{Causal, log_softmax};
use super::complete::Completer;
use super::corpus::{self, Corpus, Document, Source};
use super::ngram::Ngram;
use super::store::TextModel;
use super::tokenizer::TextTokenizer;
use crate::card::{Card, Interval};
use crate::data::Part;
use crate::evaluate::{Cases, Evaluation};
use crate::{Error, Result, RunCx};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What the n-gram and the networks are about; MedQuAD is general text beside it.
pub(crate) const OWN: [Source; 2] = [Source::Roco, Source::Mts];
/// Texts on which keystrokes are counted, so that the command ends in minutes; perplexity is over all.
const TYPED_TEXTS: usize = 150;
/// Note of a card that holds the share of the network beside the n-gram.
pub(crate) const SHARE_NOTE: &str = "share";
/// A completion shorter than this is not worth a look.
const LEAST_INSERT: usize = 2;

/// A sum over a part of the texts: for example keys saved of keys.
pub(crate) struct Part2<'g> {
    pub(crate) group: &'g str,
    pub(crate) value: f64,
    pub(crate) of: f64,
}

/// `finish(sum of value / sum of of)` with its 95 % interval from a bootstrap over groups (percentile method, fixed seed).
pub(crate) fn ratio(parts: &[Part2<'_>], finish: impl Fn(f64) -> f64) -> Interval {
    let mut by_group: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for part in parts {
        let entry = by_group.entry(part.group).or_default();
        entry.0 += part.value;
        entry.1 += part.of;
    }
    let groups: Vec<(f64, f64)> = by_group.into_values().collect();
    let of = |(value, of): (f64, f64)| finish(value / of.max(1e-12));
    let add = |a: (f64, f64), b: &(f64, f64)| (a.0 + b.0, a.1 + b.1);
    let value = of(groups.iter().fold((0.0, 0.0), add));
    if groups.is_empty() {
        return Interval { value: 0.0, low: 0.0, high: 0.0 };
    }
    let mut random = StdRng::seed_from_u64(20);
    let mut draws: Vec<f64> = (0..1000)
        .map(|_| {
            of((0..groups.len()).fold((0.0, 0.0), |sum, _| add(sum, &groups[random.random_range(0..groups.len())])))
        })
        .collect();
    draws.sort_by(f64::total_cmp);
    Interval { value, low: draws[25].min(value), high: draws[974].max(value) }
}

/// Counts the training part of a card's text.
pub(crate) fn baseline_ngram(corpus: &Corpus, card: &Card) -> Result<Ngram> {
    let data = card.data.as_ref().ok_or_else(|| missing(card, "it names no data set"))?;
    Ok(Ngram::learn(corpus.part(&data.split, Part::Train, &OWN).map(|d| d.text.as_str())))
}

fn missing(card: &Card, reason: &str) -> Error {
    Error::Card { id: card.id.clone(), reason: reason.into() }
}

/// Sum of the logarithms of all tokens of a text and of its end, given that it begins.
pub(crate) fn log_probability(model: &dyn Causal, tokenizer: &TextTokenizer, text: &str) -> Result<f64> {
    let end = tokenizer.id(super::tokenizer::END_OF_TEXT).unwrap_or(0);
    let mut ids = vec![end];
    ids.extend(tokenizer.encode(&format!(" {text}"))?);
    ids.push(end);
    let longest = model.longest().unwrap_or(usize::MAX);
    let mut sum = 0.0;
    let mut past = model.start();
    let mut held = 0;
    for at in 0..ids.len() - 1 {
        let logits = if held + 1 >= longest {
            // The second half of what it held goes before.
            let keep = longest / 2;
            past = model.start();
            held = keep;
            model.advance(&mut past, &ids[at + 1 - keep..=at])?
        } else {
            held += 1;
            model.advance(&mut past, &ids[at..=at])?
        };
        sum += f64::from(log_softmax(&logits)[ids[at + 1] as usize]);
    }
    Ok(sum)
}

/// Keys with the likeliest completion taken wherever it is right, and without, for one text.
///
/// A completion costs one key and brings the space behind the word. It is shown while a word is typed, or before it.
pub(crate) fn keystrokes(completer: &Completer, text: &str, cx: &RunCx<'_>) -> Result<(f64, f64)> {
    let (mut with, mut without) = (0usize, 0usize);
    for span in corpus::word_spans(text) {
        let word = text[span.clone()].to_lowercase();
        let letters = word.chars().count();
        // The space behind it, or the next mark's key, is one more.
        without += letters + 1;
        let mut keys = letters + 1;
        for (typed, (at, _)) in text[span.clone()].char_indices().enumerate() {
            let shown = completer.complete(&text[..span.start + at], 1, cx)?;
            if let Some(best) = shown.first()
                && best.word.to_lowercase() == word
                && best.insert.chars().count() >= LEAST_INSERT
            {
                keys = typed + 1;
                break;
            }
        }
        with += keys;
    }
    Ok((with as f64, without as f64))
}

/// Keys saved over texts, as the share of keys without completion.
pub(crate) fn saved(
    completer: &Completer,
    texts: &[&Document],
    cx: &RunCx<'_>,
    from: f32,
    to: f32,
) -> Result<Interval> {
    let mut parts = Vec::with_capacity(texts.len());
    for (i, document) in texts.iter().enumerate() {
        cx.check()?;
        let (with, without) = keystrokes(completer, &document.text, cx)?;
        parts.push(Part2 { group: &document.group, value: without - with, of: without });
        let part = (i + 1) as f32 / texts.len() as f32;
        (cx.progress)(from + (to - from) * part, &format!("Typing text {} of {}", i + 1, texts.len()));
    }
    Ok(ratio(&parts, |r| r))
}

/// Texts on which keystrokes are counted: spread over all of a part.
pub(crate) fn typed<'c>(texts: &[&'c Document], most: usize) -> Vec<&'c Document> {
    let step = texts.len().div_ceil(most.max(1)).max(1);
    texts.iter().step_by(step).copied().collect()
}

/// Measures a language model on the held-back texts of its card.
///
/// Metrics: `perplexity` (by word; words that a model does not know are spelled by it), `keystrokes_saved` (the network
/// mixed with the n-gram as the completer does it), `keystrokes_saved_alone`. The baseline is the n-gram alone; that of an
/// n-gram the frequency of words.
///
/// # Errors
/// [`Error::Data`], [`Error::Card`], [`Error::Cancelled`]; [`Error::Text`] for a model that writes nothing.
pub fn evaluate(model: &Arc<TextModel>, data_root: &Path, cases: Cases, cx: &RunCx<'_>) -> Result<Evaluation> {
    let card = model.card();
    let corpus = Corpus::open(data_root)?;
    let data = card.data.as_ref().ok_or_else(|| missing(card, "it names no data set to evaluate on"))?;
    let chosen: Vec<&Document> = corpus
        .documents()
        .iter()
        .filter(|d| OWN.contains(&d.source))
        .filter(|d| cases == Cases::All || data.split.part(&d.group) == Part::Test)
        .collect();
    if chosen.is_empty() {
        return Err(Error::Data {
            set: data.set.clone(),
            reason: "no text of it is held back by the card's split".into(),
        });
    }
    (cx.progress)(0.0, "Counting words");
    let ngram = Arc::new(baseline_ngram(&corpus, card)?);
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    let few = typed(&chosen, TYPED_TEXTS);
    // An n-gram is compared with the frequency of words alone.
    let plain = if model.ngram().is_ok() { Arc::new(ngram.singles()) } else { Arc::clone(&ngram) };
    let of_plain = |document: &Document| -> f64 { plain.score(&document.text).iter().sum() };
    let mut metrics = BTreeMap::new();
    let mut baseline = BTreeMap::new();
    let word_count = |document: &Document| corpus::words(&document.text).len() as f64 + 1.0;
    let perplexity = |sums: &[f64]| {
        let parts: Vec<Part2<'_>> =
            chosen.iter().zip(sums).map(|(d, sum)| Part2 { group: &d.group, value: -sum, of: word_count(d) }).collect();
        ratio(&parts, f64::exp)
    };
    let plain_sums: Vec<f64> = chosen.iter().map(|d| of_plain(d)).collect();
    baseline.insert("perplexity".to_owned(), perplexity(&plain_sums));
    let alone = Completer::new(plain);
    baseline.insert("keystrokes_saved".to_owned(), saved(&alone, &few, &quiet, 0.0, 0.0)?);
    if let Ok(own) = model.ngram() {
        let sums: Vec<f64> = chosen.iter().map(|d| own.score(&d.text).iter().sum()).collect();
        metrics.insert("perplexity".to_owned(), perplexity(&sums));
        let completer = Completer::new(Arc::new(own.clone()));
        metrics.insert("keystrokes_saved".to_owned(), saved(&completer, &few, cx, 0.1, 1.0)?);
    } else {
        let (causal, tokenizer) = (model.causal()?, model.tokenizer()?);
        let mut sums = Vec::with_capacity(chosen.len());
        for (i, document) in chosen.iter().enumerate() {
            cx.check()?;
            sums.push(log_probability(causal, tokenizer, &document.text)?);
            (cx.progress)(0.1 + 0.4 * i as f32 / chosen.len() as f32, &format!("Text {} of {}", i + 1, chosen.len()));
        }
        metrics.insert("perplexity".to_owned(), perplexity(&sums));
        let share = share(card);
        let both = Completer::new(Arc::clone(&ngram)).with_partner(Arc::clone(model), share)?;
        metrics.insert("keystrokes_saved".to_owned(), saved(&both, &few, cx, 0.5, 0.75)?);
        let only = Completer::new(ngram).with_partner(Arc::clone(model), 1.0)?;
        metrics.insert("keystrokes_saved_alone".to_owned(), saved(&only, &few, cx, 0.75, 1.0)?);
    }
    Ok(Evaluation {
        model: card.id.clone(),
        sha256: card.sha256.clone(),
        data: data_root.display().to_string(),
        cases: chosen.len(),
        metrics,
        baseline,
    })
}

/// The share of a network beside the n-gram that was chosen on the validation texts.
#[must_use]
pub fn share(card: &Card) -> f64 {
    card.notes.get(SHARE_NOTE).and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0.5)
}
