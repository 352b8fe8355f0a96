//! Training of the language models: a recipe and the text in, a folder with weights, card, recipe and loss curve out.
//!
//! As in [`crate::train`], rows and drops depend on the seed and the number of the update only.

use super::corpus::{Corpus, Document, Source};
use super::evaluate::{self, OWN, SHARE_NOTE};
use super::layers::Dropout;
use super::net::{Built, TextNet};
use super::recipe::{TextRecipe, TextTraining, VectorMethod};
use super::store::{TOKENIZER_FIELD, TextModel, WORDS_FIELD};
use super::tokenizer::{END_OF_TEXT, TextTokenizer};
use super::{glove, vectors, word2vec};
use crate::arch::{Architecture, Shapes, Tensors};
use crate::card::{CARD_FILE, Card, Counts, WEIGHTS_FILE};
use crate::data::{Part, SplitSpec};
use crate::evaluate::{Cases, Evaluation};
use crate::files::{sha256_hex, write_atomic};
use crate::train::checkpoint::{self, Stored, unreadable};
use crate::train::curve::Curve;
use crate::train::optimiser::Optimiser;
use crate::train::{RECIPE_FILE, TrainOptions};
use crate::{Error, Result, RunCx, weights};
use candle_core::{Device, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Updates between two rows of the curve.
const CURVE_EVERY: usize = 20;
/// Rows of text on which the loss is measured between updates.
const VALIDATION_ROWS: usize = 64;
/// Texts on which the share of a network is chosen.
const SHARE_TEXTS: usize = 30;

/// What came out.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TextReport {
    /// The folder with weights, card, recipe and curve.
    pub dir: PathBuf,
    /// SHA-256 of the weights.
    pub sha256: String,
    /// Updates, or times through the text.
    pub steps: usize,
    /// Results on the held-back texts, as in the card; `None` for word vectors, which `lightbox evaluate` measures.
    pub evaluation: Option<Evaluation>,
}

/// Trains as the recipe says and writes weights, card, recipe and loss curve to `out_dir`.
///
/// # Errors
/// [`Error::Data`], [`Error::LossNotFinite`], [`Error::Checkpoint`], [`Error::DiskFull`], [`Error::Cancelled`].
pub fn train(
    recipe: &TextRecipe,
    data_root: &Path,
    out_dir: &Path,
    options: &TrainOptions,
    cx: &RunCx<'_>,
) -> Result<TextReport> {
    if !matches!(options.device.as_str(), "" | "cpu") {
        return Err(Error::Device { name: options.device.clone() });
    }
    std::fs::create_dir_all(out_dir).map_err(Error::write(out_dir))?;
    (cx.progress)(0.0, "Reading the text");
    let corpus = Corpus::open(data_root)?;
    let recipe_text = toml::to_string_pretty(recipe).map_err(|e| Error::Recipe { reason: e.to_string() })?;
    let mut card = recipe.card("");
    if let Some(data) = &mut card.data {
        data.counts = Some(counts(&corpus, &data.split));
    }
    let made = match recipe.net()? {
        TextNet::Ngram(_) => ngram(&corpus, &card)?,
        TextNet::WordVectors(_) => word_vectors(recipe, &corpus, out_dir, cx)?,
        _ => network(recipe, &corpus, out_dir, options.resume, cx)?,
    };
    card.architecture = made.architecture;
    let fields = HashMap::from([(made.field.0.to_owned(), made.field.1)]);
    card.sha256 = weights::write_with(&out_dir.join(WEIGHTS_FILE), &made.tensors, Some(fields), made.half)?;
    let mut evaluation = None;
    if !matches!(recipe.net()?, TextNet::WordVectors(_)) {
        if !matches!(recipe.net()?, TextNet::Ngram(_)) {
            card.notes.insert(SHARE_NOTE.into(), choose_share(&card, &corpus, out_dir, cx)?);
        }
        (cx.progress)(0.9, "Measuring on the held-back texts");
        let model = Arc::new(TextModel::load_from(card.clone(), &out_dir.join(WEIGHTS_FILE))?);
        let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
        let found = evaluate::evaluate(&model, data_root, Cases::Test, &quiet)?;
        card.metrics = found.metrics.clone();
        if let Some(baseline) = &mut card.baseline {
            baseline.metrics = found.baseline.clone();
        }
        evaluation = Some(found);
    }
    write_atomic(&out_dir.join(RECIPE_FILE), recipe_text.as_bytes())?;
    // The card last: a folder without one is no model.
    write_atomic(&out_dir.join(CARD_FILE), card.to_toml()?.as_bytes())?;
    (cx.progress)(1.0, "Done");
    Ok(TextReport { dir: out_dir.to_owned(), sha256: card.sha256, steps: made.steps, evaluation })
}

/// What a training gives before it is written.
struct Made {
    architecture: Architecture,
    tensors: Tensors,
    field: (&'static str, String),
    half: bool,
    steps: usize,
}

fn counts(corpus: &Corpus, split: &SplitSpec) -> Counts {
    let count = |part: Part| {
        let texts: Vec<&Document> = corpus.documents().iter().filter(|d| split.part(&d.group) == part).collect();
        let groups: std::collections::BTreeSet<&str> = texts.iter().map(|d| d.group.as_str()).collect();
        (texts.len(), groups.len())
    };
    let ((train_cases, train_persons), (validation_cases, validation_persons), (test_cases, test_persons)) =
        (count(Part::Train), count(Part::Validation), count(Part::Test));
    Counts { train_cases, train_persons, validation_cases, validation_persons, test_cases, test_persons }
}

fn ngram(corpus: &Corpus, card: &Card) -> Result<Made> {
    let (config, tensors, words) = evaluate::baseline_ngram(corpus, card)?.to_tensors()?;
    let architecture = Architecture::Text(TextNet::Ngram(config));
    Ok(Made { architecture, tensors, field: (WORDS_FIELD, words), half: false, steps: 1 })
}

fn word_vectors(recipe: &TextRecipe, corpus: &Corpus, out_dir: &Path, cx: &RunCx<'_>) -> Result<Made> {
    let Some(how) = &recipe.vectors else { return Err(Error::Recipe { reason: "word vectors need [vectors]".into() }) };
    let texts: Vec<&str> = corpus
        .part(&recipe.data.split, Part::Train, &[Source::Roco, Source::Mts, Source::MedQuad])
        .map(|d| d.text.as_str())
        .collect();
    let sentences = vectors::sentences(&texts, how.phrases);
    let (trained, losses) = match how.method {
        VectorMethod::Glove => glove::train(&sentences, how, cx)?,
        VectorMethod::SkipGram | VectorMethod::Cbow => word2vec::train(&sentences, how, cx)?,
    };
    let mut curve = Curve::default();
    for (i, loss) in losses.iter().enumerate() {
        curve.add(*loss);
        curve.close(i + 1, None);
    }
    write_curve(out_dir, &curve, &BTreeMap::new())?;
    let (config, tensors, words) = trained.to_tensors()?;
    let architecture = Architecture::Text(TextNet::WordVectors(config));
    Ok(Made { architecture, tensors, field: (WORDS_FIELD, words), half: true, steps: how.epochs })
}

/// A text as one long row of tokens, with an end behind each document.
struct Stream(Vec<u32>);

impl Stream {
    fn new<'d>(tokenizer: &TextTokenizer, documents: impl Iterator<Item = &'d Document>) -> Result<Self> {
        let end = tokenizer.id(END_OF_TEXT).unwrap_or(0);
        let mut all = vec![end];
        for document in documents {
            all.extend(tokenizer.encode(&format!(" {}", document.text))?);
            all.push(end);
        }
        Ok(Self(all))
    }

    /// A row of `length + 1` tokens from a place drawn.
    fn draw(&self, length: usize, random: &mut StdRng) -> &[u32] {
        let start = random.random_range(0..=self.0.len().saturating_sub(length + 1));
        &self.0[start..(start + length + 1).min(self.0.len())]
    }
}

/// Input and target, `[rows, tokens]`.
fn pair(rows: &[&[u32]], tokens: usize) -> Result<(Tensor, Tensor)> {
    let input: Vec<u32> = rows.iter().flat_map(|r| r[..tokens].iter().copied()).collect();
    let target: Vec<u32> = rows.iter().flat_map(|r| r[1..=tokens].iter().copied()).collect();
    let shape = (rows.len(), tokens);
    Ok((Tensor::from_vec(input, shape, &Device::Cpu)?, Tensor::from_vec(target, rows.len() * tokens, &Device::Cpu)?))
}

fn forward(net: &Built, ids: &Tensor, dropout: Option<&mut Dropout>) -> Result<Tensor> {
    match (net, dropout) {
        (Built::Gpt2(net), Some(dropout)) => net.forward_train(ids, dropout),
        (Built::Gpt2(net), None) => net.forward(ids, &mut net.start()),
        (Built::RecurrentLm(net), Some(dropout)) => net.forward_train(ids, dropout),
        (Built::RecurrentLm(net), None) => net.forward(ids, &mut super::recurrent::State::default()),
        _ => Err(Error::Recipe { reason: "this network is not trained here".into() }),
    }
}

fn loss(net: &Built, rows: &[&[u32]], tokens: usize, dropout: Option<&mut Dropout>) -> Result<Tensor> {
    let (input, target) = pair(rows, tokens)?;
    let logits = forward(net, &input, dropout)?;
    let (b, t, v) = logits.dims3()?;
    Ok(candle_nn::loss::cross_entropy(&logits.reshape((b * t, v))?, &target)?)
}

fn network(recipe: &TextRecipe, corpus: &Corpus, dir: &Path, resume: bool, cx: &RunCx<'_>) -> Result<Made> {
    let (Some(t), Some(text)) = (&recipe.training, &recipe.text) else {
        return Err(Error::Recipe { reason: "a network needs [training] and [text]".into() });
    };
    let net = recipe.net()?;
    let size = match net {
        TextNet::Gpt2(c) => c.vocab_size,
        TextNet::RecurrentLm(c) => c.vocab_size,
        _ => 0,
    };
    let split = &recipe.data.split;
    let general = [Source::MedQuad];
    let train = || corpus.part(split, Part::Train, &OWN);
    let tokenizer = TextTokenizer::learn(train().map(|d| d.text.as_str()).collect::<Vec<_>>().into_iter(), size)?;
    if tokenizer.size() > size {
        return Err(Error::Recipe { reason: format!("a vocabulary of {size} is too small for all bytes") });
    }
    let own = Stream::new(&tokenizer, train())?;
    let beside = if text.general_share > 0.0 {
        Stream::new(&tokenizer, corpus.part(split, Part::Train, &general))?
    } else {
        Stream(Vec::new())
    };
    let held = Stream::new(&tokenizer, corpus.part(split, Part::Validation, &OWN))?;
    if own.0.len() <= text.tokens + 1 || held.0.len() <= text.tokens + 1 {
        return Err(Error::Data { set: recipe.data.set.clone(), reason: "there is less text than one row".into() });
    }
    cx.check()?;
    let (start, mut optimiser, mut curve, mut validation) = if resume {
        load(dir, recipe)?
    } else {
        (0, Optimiser::new(&initial(&net.shapes(), t.seed)?, &Device::Cpu)?, Curve::default(), BTreeMap::new())
    };
    for step in start..t.steps {
        cx.check()?;
        let mut random = StdRng::seed_from_u64(t.seed ^ (step as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let part = step as f64 / t.steps as f64;
        let share = if beside.0.len() > text.tokens + 1 && part < text.general_until {
            text.general_share * (1.0 - part / text.general_until)
        } else {
            0.0
        };
        let rows: Vec<&[u32]> = (0..t.batch)
            .map(|_| {
                let stream = if random.random::<f64>() < share { &beside } else { &own };
                stream.draw(text.tokens, &mut random)
            })
            .collect();
        let mut dropout = Dropout::new(text.dropout, random.random());
        let built = net.build(&optimiser.tensors())?;
        let loss = loss(&built, &rows, text.tokens, Some(&mut dropout))?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        if !value.is_finite() || !optimiser.update(&loss.backward()?, t, step)?.is_finite() {
            return Err(Error::LossNotFinite { step });
        }
        curve.add(value);
        let done = step + 1;
        let validate = done % t.validate_every == 0 || done == t.steps;
        if validate || done % CURVE_EVERY == 0 {
            if validate {
                validation.insert(done, held_loss(net, &optimiser.mean_tensors()?, &held, text)?);
            }
            curve.close(done, None);
        }
        if done % t.checkpoint_every == 0 || done == t.steps {
            save(dir, recipe, done, &optimiser, &curve, &validation)?;
            write_curve(dir, &curve, &validation)?;
        }
        let heldout = validation.last_key_value().map_or(String::new(), |(_, v)| format!(", held back {v:.3}"));
        (cx.progress)(
            0.85 * done as f32 / t.steps as f32,
            &format!("Update {done} of {}, loss {value:.3}{heldout}", t.steps),
        );
    }
    let field = (TOKENIZER_FIELD, tokenizer.to_json()?);
    let tensors = optimiser.mean_tensors()?;
    Ok(Made { architecture: recipe.architecture.clone(), tensors, field, half: true, steps: t.steps })
}

/// The mean loss a token on rows that lie evenly over the held-back text.
fn held_loss(net: &TextNet, weights: &Tensors, held: &Stream, text: &TextTraining) -> Result<f64> {
    let built = net.build(weights)?;
    let last = held.0.len() - text.tokens - 1;
    let starts: Vec<usize> = (0..VALIDATION_ROWS).map(|i| i * last / VALIDATION_ROWS).collect();
    let mut sum = 0.0;
    for chunk in starts.chunks(16) {
        let rows: Vec<&[u32]> = chunk.iter().map(|s| &held.0[*s..=s + text.tokens]).collect();
        sum += f64::from(loss(&built, &rows, text.tokens, None)?.to_scalar::<f32>()?) * chunk.len() as f64;
    }
    Ok(sum / VALIDATION_ROWS as f64)
}

/// Normal numbers of deviation 0.02 for matrices (Radford et al. 2019), smaller of two for what adds to the running
/// sum; norms 1, biases 0; recurrent matrices uniform within 1 / sqrt(hidden) as torch has them, the forget gate's bias 1.
fn initial(shapes: &Shapes, seed: u64) -> Result<Tensors> {
    let mut random = StdRng::seed_from_u64(seed);
    let layers = shapes.iter().filter(|(name, _)| name.ends_with("c_proj.weight")).count().max(1) as f32;
    let mut normal = move |deviation: f32, n: usize| -> Vec<f32> {
        (0..n)
            .map(|_| {
                let (a, b): (f32, f32) = (1.0 - random.random::<f32>(), random.random());
                deviation * (-2.0 * a.ln()).sqrt() * (std::f32::consts::TAU * b).cos()
            })
            .collect()
    };
    shapes
        .iter()
        .map(|(name, shape)| {
            let n: usize = shape.iter().product();
            let hidden = *shape.last().unwrap_or(&1) as f32;
            let values = if shape.len() == 1 {
                if name.contains("bias_ih") {
                    let quarter = n / 4;
                    (0..n).map(|i| if i / quarter.max(1) == 1 { 1.0 } else { 0.0 }).collect()
                } else if name.ends_with(".weight") {
                    vec![1.0; n]
                } else {
                    vec![0.0; n]
                }
            } else if name.contains("rnn.") {
                normal(hidden.sqrt().recip() / 3f32.sqrt(), n)
            } else if name.ends_with("c_proj.weight") {
                normal(0.02 / layers.sqrt(), n)
            } else if name == "project.weight" {
                normal(hidden.sqrt().recip(), n)
            } else if name.starts_with("embedding") {
                normal(0.05, n)
            } else {
                normal(0.02, n)
            };
            Ok((name.clone(), Tensor::from_vec(values, shape.as_slice(), &Device::Cpu)?))
        })
        .collect()
}

/// The share of the network beside the n-gram that saves most keys on the validation texts, with how it was chosen.
fn choose_share(card: &Card, corpus: &Corpus, dir: &Path, cx: &RunCx<'_>) -> Result<String> {
    let model = Arc::new(TextModel::load_from(card.clone(), &dir.join(WEIGHTS_FILE))?);
    let ngram = Arc::new(evaluate::baseline_ngram(corpus, card)?);
    let data = card.data.as_ref().ok_or_else(|| Error::Recipe { reason: "it names no data set".into() })?;
    let texts: Vec<&Document> = corpus.part(&data.split, Part::Validation, &OWN).collect();
    let texts = evaluate::typed(&texts, SHARE_TEXTS);
    let mut best = (f64::NEG_INFINITY, 0.0);
    for share in [0.2, 0.4, 0.6, 0.8] {
        (cx.progress)(0.85, &format!("Trying a share of {share}"));
        let completer = super::complete::Completer::new(Arc::clone(&ngram)).with_partner(Arc::clone(&model), share)?;
        let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
        let saved = evaluate::saved(&completer, &texts, &quiet, 0.0, 0.0)?.value;
        if saved > best.0 {
            best = (saved, share);
        }
    }
    Ok(format!("{} of the mixture with the n-gram, chosen of 0.2, 0.4, 0.6, 0.8 on validation texts", best.1))
}

/// What identifies a training: its recipe without the free text of the card.
fn fingerprint(recipe: &TextRecipe) -> Result<String> {
    let mut bare = recipe.clone();
    (bare.name, bare.summary, bare.licence, bare.limits) = Default::default();
    let text = toml::to_string(&bare).map_err(|e| Error::Recipe { reason: e.to_string() })?;
    Ok(sha256_hex(text.as_bytes()))
}

type Held = BTreeMap<usize, f64>;

fn write_curve(dir: &Path, curve: &Curve, validation: &Held) -> Result<()> {
    let mut csv = String::from("step,loss,validation_loss\n");
    for row in &curve.rows {
        let held = validation.get(&row.step).map(|v| format!("{v:.5}")).unwrap_or_default();
        csv += &format!("{},{:.6},{held}\n", row.step, row.loss);
    }
    write_atomic(&dir.join("curve.csv"), csv.as_bytes())?;
    write_atomic(&dir.join("curve.png"), &curve.to_png()?)
}

fn save(dir: &Path, recipe: &TextRecipe, steps: usize, o: &Optimiser, curve: &Curve, validation: &Held) -> Result<()> {
    let validation = [("validation", serde_json::to_string(validation).unwrap_or_default())];
    checkpoint::write(dir, &fingerprint(recipe)?, steps, curve, o, Vec::new(), validation)
}

fn load(dir: &Path, recipe: &TextRecipe) -> Result<(usize, Optimiser, Curve, Held)> {
    let stored = Stored::read(dir, &recipe.id, &fingerprint(recipe)?, &Device::Cpu)?;
    let validation = serde_json::from_str(stored.field("validation")?).map_err(|_| unreadable("validation"))?;
    let optimiser = stored.optimiser(&recipe.id, &recipe.architecture.shapes(), &Device::Cpu)?;
    Ok((stored.steps, optimiser, stored.curve, validation))
}
