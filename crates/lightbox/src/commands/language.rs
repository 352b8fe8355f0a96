//! Language models on the command line: training, measuring, and what the report's commands use of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lightbox_model::arch::Architecture;
use lightbox_model::evaluate::{Cases, Evaluation};
use lightbox_model::language::causal::Sampling;
use lightbox_model::language::complete::Completer;
use lightbox_model::language::gguf::ChatModel;
use lightbox_model::language::recipe::TextRecipe;
use lightbox_model::language::train::{TextReport, train as run};
use lightbox_model::language::vectors::WordVectors;
use lightbox_model::language::{TextModel, evaluate as measure};
use lightbox_model::metrics::mean_over_persons;
use lightbox_model::train::TrainOptions;
use lightbox_model::{Card, Entry, RunCx, Store, card};
use lightbox_report::assist::words::{Vectors, others};
use lightbox_report::assist::{Author, Prompt, Proposal, Writer};
use lightbox_report::findings::FindingsFile;
use lightbox_report::kb::index::Hit;
use lightbox_report::kb::{KnowledgeBase, Meanings, Passage, Ranking, VECTOR_SHARE};
use lightbox_session::ask::medquad;

use crate::output;

/// The language model of a name (id or folder); `None` where it is a model of another kind, or none at all.
pub(super) fn of(name: &str) -> Result<Option<Arc<TextModel>>, String> {
    let dir = Path::new(name);
    if dir.join(card::CARD_FILE).is_file() {
        let card = Card::read(dir).map_err(|e| e.to_string())?;
        if !TextModel::is(&card) {
            return Ok(None);
        }
        let model = TextModel::load_from(card, &dir.join(card::WEIGHTS_FILE)).map_err(|e| e.to_string())?;
        return Ok(Some(Arc::new(model)));
    }
    let all = Store::open_default();
    match all.get(name) {
        Ok(entry) if entry.problem.is_none() && TextModel::is(&entry.card) => {
            Ok(Some(Arc::new(TextModel::load(entry).map_err(|e| e.to_string())?)))
        }
        _ => Ok(None),
    }
}

/// The recipe, where it is one of a language model.
pub(super) fn recipe(path: &Path) -> Result<Option<TextRecipe>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) if TextRecipe::is(&text) => TextRecipe::parse(&text).map(Some).map_err(|e| e.to_string()),
        // What is wrong with it is said where recipes are read.
        _ => Ok(None),
    }
}

pub(super) fn train(
    recipe: &TextRecipe,
    root: &Path,
    out: &Path,
    options: &TrainOptions,
    cx: &RunCx<'_>,
) -> Result<TextReport, String> {
    run(recipe, root, out, options, cx).map_err(|e| e.to_string())
}

pub(super) fn evaluate(
    model: &Arc<TextModel>,
    root: &Path,
    cases: Cases,
    cx: &RunCx<'_>,
) -> Result<Evaluation, String> {
    match model.vectors() {
        Ok(_) => questions(model, root, cx),
        Err(_) => measure::evaluate(model, root, cases, cx).map_err(|e| e.to_string()),
    }
}

/// Word vectors as the report's rooms see them.
pub(super) struct Words(Arc<TextModel>);

impl Vectors for Words {
    fn width(&self) -> usize {
        self.0.vectors().map_or(0, WordVectors::width)
    }

    fn of(&self, word: &str) -> Option<&[f32]> {
        self.0.vectors().ok()?.get(word)
    }

    fn nearest(&self, text: &str, count: usize) -> Vec<(String, f64)> {
        self.0.vectors().map(|v| v.nearest(text, count)).unwrap_or_default()
    }
}

/// The word vectors at hand.
pub(super) fn vectors() -> Result<Words, String> {
    let all = Store::open_default();
    let is = |entry: &&Entry| {
        let net = matches!(&entry.card.architecture, Architecture::Text(net) if net.name() == "word-vectors");
        net && entry.problem.is_none()
    };
    let entry = all.entries().iter().find(is).ok_or("there are no word vectors: neither shipped nor added")?;
    Ok(Words(Arc::new(TextModel::load(entry).map_err(|e| e.to_string())?)))
}

/// A question, the place of its passage, and what it is drawn with.
type Asked = (String, usize, String);

/// Word vectors are measured by what they add to the knowledge base: questions held back, with and without them.
fn questions(model: &Arc<TextModel>, root: &Path, cx: &RunCx<'_>) -> Result<Evaluation, String> {
    let words = Words(Arc::clone(model));
    let mut notes = Vec::new();
    let mut passages = medquad(root, &mut notes);
    notes.iter().for_each(|text| output::note(text));
    passages.sort_by(|first, second| (&first.url, &first.question).cmp(&(&second.url, &second.question)));
    // Every second document, by its address, was looked at while weights were set; the others are for the figures.
    let held_back = |p: &Passage| p.url.bytes().map(u32::from).sum::<u32>() % 2 == 1;
    let mut asked: Vec<Asked> = Vec::new();
    for (place, passage) in passages.iter_mut().enumerate() {
        if let Some(question) = passage.question.take()
            && held_back(passage) != std::env::var_os("LIGHTBOX_LOOKED_AT").is_some()
        {
            asked.push((question, place, passage.url.clone()));
        }
    }
    if asked.is_empty() {
        return Err(format!("MedQuAD is not there: {}", root.join("text/medquad").display()));
    }
    let base = KnowledgeBase::new(passages);
    let mut metrics = BTreeMap::new();
    let mut baseline = BTreeMap::new();
    let mut cases = asked.len();
    let mut add = |set: &str, base: &KnowledgeBase, asked: &[Asked], from: f32, to: f32| -> Result<(), String> {
        let (mut with, mut without, mut kept) = (Vec::new(), Vec::new(), Meanings::default());
        for (i, (question, wanted, group)) in asked.iter().enumerate() {
            cx.check().map_err(|e| e.to_string())?;
            let rank = |hits: &[Hit]| {
                hits.iter().position(|hit| hit.place == *wanted).map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0))
            };
            let plain = base.index().search(question, Ranking::Fields, 50);
            without.push((group.as_str(), rank(&plain)));
            let both = base.index().search_with(question, base.passages(), &words, &mut kept, VECTOR_SHARE, 50);
            with.push((group.as_str(), rank(&both)));
            let part = from + (to - from) * (i + 1) as f32 / asked.len() as f32;
            (cx.progress)(part, &format!("{set}: question {} of {}", i + 1, asked.len()));
        }
        for (values, into) in [(&with, &mut metrics), (&without, &mut baseline)] {
            into.insert(format!("mrr_{set}"), mean_over_persons(values));
            let firsts: Vec<(&str, f64)> = values.iter().map(|(g, r)| (*g, f64::from(u8::from(*r == 1.0)))).collect();
            into.insert(format!("first_{set}"), mean_over_persons(&firsts));
        }
        Ok(())
    };
    add("medquad", &base, &asked, 0.0, 0.9)?;
    if let Some((base, asked)) = pubmedqa(root) {
        cases += asked.len();
        add("pubmedqa", &base, &asked, 0.9, 1.0)?;
    }
    Ok(Evaluation {
        model: model.card().id.clone(),
        sha256: model.card().sha256.clone(),
        data: root.display().to_string(),
        cases,
        metrics,
        baseline,
    })
}

/// Abstracts with the question that each is about.
fn pubmedqa(root: &Path) -> Option<(KnowledgeBase, Vec<Asked>)> {
    let text = std::fs::read_to_string(root.join("text/pubmedqa/pqal.json")).ok()?;
    let all: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).ok()?;
    let (mut passages, mut asked) = (Vec::new(), Vec::new());
    for (id, pair) in all {
        let contexts = pair["CONTEXTS"].as_array()?;
        let text: Vec<&str> = contexts.iter().filter_map(serde_json::Value::as_str).collect();
        asked.push((pair["QUESTION"].as_str()?.to_owned(), passages.len(), id.clone()));
        passages.push(Passage { text: text.join(" "), source: format!("PubMed {id}"), ..Passage::default() });
    }
    Some((KnowledgeBase::new(passages), asked))
}

/// Own signed reports of a folder.
fn own_reports(folder: &Path) -> Result<Vec<String>, String> {
    let cannot =
        |e: std::io::Error| format!("the folder cannot be read ({}): {}", super::refusal(&e), folder.display());
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).map_err(cannot)?.flatten().map(|e| e.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt")));
    paths.sort();
    Ok(paths.iter().filter_map(|p| std::fs::read(p).ok()).map(|b| String::from_utf8_lossy(&b).into_owned()).collect())
}

pub(super) fn complete(
    text: &str,
    count: usize,
    partner: Option<&str>,
    history: Option<&Path>,
    json: bool,
) -> Result<(), String> {
    let store = Store::open_default();
    let completer = Completer::open(&store, partner).map_err(|e| e.to_string())?;
    let mut completer = completer.ok_or("there are no counted words: the model 'report-ngram' is not there")?;
    if let Some(folder) = history {
        let reports = own_reports(folder)?;
        completer.learn(reports.iter().map(String::as_str));
    }
    let found = completer.complete(text, count, &RunCx::silent()).map_err(|e| e.to_string())?;
    if json {
        return output::json(&found);
    }
    for one in &found {
        output::line(&format!("{:24} {:.2}", one.word, one.probability));
    }
    if found.is_empty() {
        output::note("Nothing is likely to follow.");
    }
    Ok(())
}

/// What proposes: impression or letter.
type Propose = fn(Option<&FindingsFile>, &str, Option<&mut Writer<'_>>) -> (Proposal, Option<String>);

pub(super) fn assist(args: &crate::args::Assist, propose: Propose) -> Result<(), String> {
    if args.file.is_none() && args.findings.is_none() {
        return Err("there is nothing to write from; give the report's text, --findings, or both".into());
    }
    let text = args.file.as_deref().map(super::report::read_text).transpose()?.unwrap_or_default();
    let findings = args.findings.as_deref().map(super::report::read_findings).transpose()?;
    let model = args.model.as_deref().map(ChatModel::load).transpose().map_err(|e| e.to_string())?;
    let cx = RunCx { cancelled: &|| false, progress: &output::progress };
    let mut write = |prompt: &Prompt| -> Result<String, String> {
        let Some(model) = &model else { return Err("there is no model".into()) };
        let sampling = Sampling { tokens: 300, ..Sampling::default() };
        model.answer(&prompt.system, &prompt.user, &sampling, &cx, &mut |_| {}).map_err(|e| e.to_string())
    };
    let writer: Option<&mut Writer<'_>> = if model.is_some() { Some(&mut write) } else { None };
    let (proposal, why) = propose(findings.as_ref(), &text, writer);
    output::progress_end();
    if args.json {
        let model = model.as_ref().map(|m| serde_json::json!({"name": m.name(), "sha256": m.sha256()}));
        return output::json(&serde_json::json!({"proposal": proposal, "model": model, "note": why}));
    }
    for sentence in &proposal.sentences {
        if sentence.insertable().is_some() {
            output::line(&sentence.text);
        } else {
            let why: Vec<&str> = sentence.faults.iter().map(|f| f.message.as_str()).collect();
            output::note(&format!("Struck: {} ({})", sentence.text, why.join(" ")));
        }
    }
    if let Some(why) = why {
        output::note(&why);
    }
    if proposal.author == Author::Model {
        output::note("Written by a language model: a draft until it is signed.");
    }
    Ok(())
}

pub(super) fn words(term: &str, count: usize, json: bool) -> Result<(), String> {
    // Without vectors the lexicon alone answers.
    let vectors = vectors().ok();
    let found = others(term, vectors.as_ref().map(|v| v as &dyn Vectors), count);
    if json {
        return output::json(&found);
    }
    for other in &found {
        let how = if other.same { "the same".to_owned() } else { format!("used alike, {:.2}", other.likeness) };
        output::line(&format!("{:32} {how}", other.word));
    }
    if found.is_empty() {
        output::note("Neither the lexicon nor the word vectors know it.");
    }
    Ok(())
}
