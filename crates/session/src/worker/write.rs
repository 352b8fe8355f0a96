//! Jobs that write along: completion, proposals, other words. The models of text are loaded here, when they are first asked.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lightbox_model::arch::Architecture;
use lightbox_model::language::TextModel;
use lightbox_model::language::causal::Sampling;
use lightbox_model::language::complete::Completer;
use lightbox_model::language::gguf::ChatModel;
use lightbox_model::{RunCx, Store};
use lightbox_report::assist::words::{Vectors, others};
use lightbox_report::assist::{Prompt, Writer, impression, letter};

use super::own::sha256;
use super::{End, write_atomically, write_failure};
use crate::checks;
use crate::completion::{self, CompleteSpec, Completion};
use crate::event::EventKind;
use crate::jobs::{JobCx, lock};
use crate::proposals::{Offer, OfferKind, OtherWords, ProposeSpec, Wrote};

/// Tokens that a language model writes at most; eight sentences have fewer.
const MOST_TOKENS: usize = 300;
/// Other words for one; more is a dictionary.
const MOST_WORDS: usize = 10;
/// Signed reports whose phrases are kept; older ones are forgotten.
const MOST_KEPT: usize = 2000;

/// Models of text that were loaded, kept for as long as the program runs.
#[derive(Default)]
pub(crate) struct Writers {
    completer: Option<Option<Completer>>,
    vectors: Option<Option<Arc<TextModel>>>,
}

/// The chat model that was used last.
#[derive(Default)]
pub(crate) struct Chat(Option<(PathBuf, ChatModel)>);

fn store(cx: &JobCx) -> Store {
    Store::discover(&cx.places.weights, cx.places.models.as_deref())
}

fn ended(e: lightbox_model::Error) -> End {
    match e {
        lightbox_model::Error::Cancelled => End::Cancelled,
        other => End::Failed(format!("{other}.")),
    }
}

/// Where the sentences of signed reports are kept for completion, a report a line.
fn phrases(kept: &Path) -> PathBuf {
    kept.join("phrases.jsonl")
}

fn learnt(kept: &Path) -> Vec<String> {
    let text = fs::read_to_string(phrases(kept)).unwrap_or_default();
    // A line that is not whole costs only itself.
    let mut all: Vec<String> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    all.drain(..all.len().saturating_sub(MOST_KEPT));
    all
}

pub(super) fn complete(cx: &JobCx, spec: CompleteSpec) -> Result<(), End> {
    let cancelled = || cx.is_cancelled();
    let run = RunCx { cancelled: &cancelled, progress: &|_, _| {} };
    let mut writers = lock(&cx.writers);
    if writers.completer.is_none() {
        let mut completer = Completer::open(&store(cx), None).map_err(ended)?;
        if let Some(completer) = &mut completer {
            let own = learnt(&cx.places.kept);
            completer.learn(own.iter().map(String::as_str));
        }
        writers.completer = Some(completer);
    }
    let Some(Some(completer)) = &writers.completer else { return Ok(()) };
    if let Some(insert) = completion::complete(completer, &spec, &run).map_err(ended)? {
        cx.send(EventKind::Completed(Completion { place: spec.place, insert }));
    }
    Ok(())
}

/// The sentences of a report that was signed: they are the reader's, and how the reader writes.
pub(super) fn learn(cx: &JobCx, text: &str) -> Result<(), End> {
    let sentences = text.lines().filter(|line| !line.trim().is_empty() && !line.ends_with(':'));
    let text = sentences.collect::<Vec<_>>().join("\n");
    let mut all = learnt(&cx.places.kept);
    all.push(text.clone());
    all.drain(..all.len().saturating_sub(MOST_KEPT));
    let mut lines = String::new();
    for report in &all {
        lines.push_str(&serde_json::to_string(report)?);
        lines.push('\n');
    }
    write_atomically(&phrases(&cx.places.kept), lines.as_bytes()).map_err(|e| End::Failed(write_failure(&e)))?;
    if let Some(Some(completer)) = &mut lock(&cx.writers).completer {
        completer.learn([text.as_str()]);
    }
    Ok(())
}

pub(super) fn forget(cx: &JobCx) -> Result<(), End> {
    match fs::remove_file(phrases(&cx.places.kept)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(End::Failed(write_failure(&e))),
        _ => {}
    }
    if let Some(Some(completer)) = &mut lock(&cx.writers).completer {
        completer.forget();
    }
    cx.send(EventKind::PhrasesForgotten);
    Ok(())
}

pub(super) fn propose(cx: &JobCx, spec: ProposeSpec) -> Result<(), End> {
    let facts = checks::with_names(&spec.text, spec.facts.clone());
    let (file, text) = (Some(&facts), spec.text.text.as_str());
    let propose = match spec.kind {
        OfferKind::Impression => impression::propose,
        OfferKind::Letter => letter::propose,
    };
    let Some(path) = spec.model else {
        let (proposal, note) = propose(file, text, None);
        let offer = Offer::of(proposal, &facts, None, note);
        cx.send(EventKind::Proposed { study: spec.study, kind: spec.kind, offer: Box::new(offer) });
        return Ok(());
    };
    let mut chat = lock(&cx.chat);
    let mut note = None;
    if chat.0.as_ref().is_none_or(|(of, _)| *of != path) {
        cx.progress(None, "reading the language model");
        // Two of them would not fit into memory.
        chat.0 = None;
        match ChatModel::load(&path) {
            Ok(model) => chat.0 = Some((path, model)),
            Err(e) => note = Some(format!("The language model cannot be used: {e}. Rules wrote this.")),
        }
    }
    let cancelled = || cx.is_cancelled();
    let run = RunCx { cancelled: &cancelled, progress: &|_, _| {} };
    let mut wrote = None;
    let mut stopped = false;
    let (proposal, why) = match &chat.0 {
        None => propose(file, text, None),
        Some((_, model)) => {
            let mut write = |prompt: &Prompt| -> Result<String, String> {
                let told = format!("{}\n{}", prompt.system, prompt.user);
                wrote = Some(Wrote {
                    name: model.name().to_owned(),
                    sha256: model.sha256().to_owned(),
                    prompt_sha256: sha256(told.as_bytes()),
                });
                let sampling = Sampling { tokens: MOST_TOKENS, ..Sampling::default() };
                let mut pieces = 0usize;
                let mut piece = |_: &str| {
                    pieces += 1;
                    // How long it will write, it does not know itself.
                    cx.progress(None, format!("{pieces} pieces of words"));
                };
                model.answer(&prompt.system, &prompt.user, &sampling, &run, &mut piece).map_err(|e| {
                    stopped = matches!(e, lightbox_model::Error::Cancelled);
                    format!("The language model did not write: {e}. Rules wrote this.")
                })
            };
            let writer: &mut Writer<'_> = &mut write;
            propose(file, text, Some(writer))
        }
    };
    if stopped {
        return Err(End::Cancelled);
    }
    let offer = Offer::of(proposal, &facts, wrote, note.or(why));
    cx.send(EventKind::Proposed { study: spec.study, kind: spec.kind, offer: Box::new(offer) });
    Ok(())
}

/// Word vectors as the report's rooms see them.
struct Words(Arc<TextModel>);

impl Vectors for Words {
    fn width(&self) -> usize {
        self.0.vectors().map_or(0, lightbox_model::language::vectors::WordVectors::width)
    }

    fn of(&self, word: &str) -> Option<&[f32]> {
        self.0.vectors().ok()?.get(word)
    }

    fn nearest(&self, text: &str, count: usize) -> Vec<(String, f64)> {
        self.0.vectors().map(|v| v.nearest(text, count)).unwrap_or_default()
    }
}

pub(super) fn other_words(cx: &JobCx, term: String) -> Result<(), End> {
    let mut writers = lock(&cx.writers);
    if writers.vectors.is_none() {
        let all = store(cx);
        let is = |e: &&lightbox_model::Entry| {
            let net = matches!(&e.card.architecture, Architecture::Text(net) if net.name() == "word-vectors");
            net && e.problem.is_none()
        };
        // Without vectors the lexicon alone answers.
        let found = all.entries().iter().find(is).map(TextModel::load).transpose().map_err(ended)?;
        writers.vectors = Some(found.map(Arc::new));
    }
    let vectors = writers.vectors.iter().flatten().next().map(|model| Words(Arc::clone(model)));
    let found = others(&term, vectors.as_ref().map(|v| v as &dyn Vectors), MOST_WORDS);
    cx.send(EventKind::OtherWords(OtherWords { term, found }));
    Ok(())
}

pub(super) fn save_letter(cx: &JobCx, path: PathBuf, text: &str) -> Result<(), End> {
    let text = format!("{text}\n\nNot for diagnostic use.\n");
    write_atomically(&path, text.as_bytes()).map_err(|e| End::Failed(write_failure(&e)))?;
    cx.send(EventKind::LetterSaved(path));
    Ok(())
}

/// A line of the audit log.
pub(super) fn audit(cx: &JobCx, line: &str) -> Result<(), End> {
    let path = cx.places.kept.join("audit.jsonl");
    let appended = fs::create_dir_all(&cx.places.kept)
        .and_then(|()| fs::OpenOptions::new().create(true).append(true).open(path))
        .and_then(|mut file| {
            writeln!(file, "{line}")?;
            file.sync_data()
        });
    appended.map_err(|e| End::Failed(write_failure(&e)))
}
