//! What writes along: completion while typing, proposals, other words. Nothing here comes into the report by itself.

use std::path::PathBuf;

use lightbox_report::document::{ChipKind, SentenceState, SourceChip};
use lightbox_report::draft::IMPRESSION;

use super::report::{free_sentence, locked, note, nothing_open};
use super::view;
use crate::checks::{Anchor, CheckText, Typing};
use crate::command::SaveTo;
use crate::completion::{CompleteSpec, Completion, Place};
use crate::event::{Effect, JobSpec};
use crate::ids::JobId;
use crate::problem::{ProblemPlace, Severity};
use crate::proposals::{Fate, Offer, OfferKind, OtherWords, ProposeSpec};
use crate::session::{JobKind, Session};
use crate::worker::own::sha256;

/// A word that other words are asked for is no longer than this.
const LONGEST_TERM: usize = 60;

/// Asks what may follow the words of a field; `None` forgets what was asked and found.
pub(super) fn complete(s: &mut Session, words: Option<(Anchor, String)>, study: Option<String>) -> Vec<Effect> {
    let study = study.or_else(|| s.report_study().map(str::to_owned));
    s.completing.shown = None;
    s.completing.wanted =
        words.zip(study).filter(|_| s.workspace.completes).map(|((at, before), study)| Place { study, at, before });
    s.completing.due = s.completing.wanted.is_some();
    // What runs is for other words: it stops, and the new one begins then.
    s.completing.running.map(Effect::Cancel).into_iter().collect()
}

/// Starts what is due, one at a time: what is typed meanwhile is asked for once.
pub(crate) fn start_due(s: &mut Session) -> Vec<Effect> {
    if !s.completing.due || s.completing.running.is_some() {
        return Vec::new();
    }
    s.completing.due = false;
    let Some(place) = s.completing.wanted.clone() else { return Vec::new() };
    if s.reports.get(&place.study).is_some_and(crate::session::ReportState::is_read_only) {
        return Vec::new();
    }
    let facts = super::check::facts(s, &place.study);
    // The field itself is what is being written: it does not vouch for itself.
    let blank = Typing { at: place.at, text: String::new() };
    let text = s.reports.get(&place.study).map(|r| CheckText::of(&r.document, Some(&blank))).unwrap_or_default();
    let spec = CompleteSpec { place, text, facts };
    let effect = s.start_job(JobKind::Complete, "Completing", JobSpec::Complete(Box::new(spec)));
    s.completing.running = s.jobs.last().map(|job| job.id);
    vec![effect]
}

/// An answer; one to other words than those that stand there is dropped.
pub(super) fn completed(s: &mut Session, completion: Completion) -> Vec<Effect> {
    if s.completing.wanted.as_ref() == Some(&completion.place) {
        s.completing.shown = Some(completion);
    }
    Vec::new()
}

/// A job is over, however it ended.
pub(super) fn ended(s: &mut Session, job: JobId) {
    if s.completing.running == Some(job) {
        s.completing.running = None;
    }
}

/// Proposes an impression or a letter.
pub(super) fn propose(s: &mut Session, kind: OfferKind) -> Vec<Effect> {
    let Some(study) = s.report_study().map(str::to_owned) else { return nothing_open(s) };
    if kind == OfferKind::Impression && locked(s, &study) {
        return Vec::new();
    }
    // One at a time: a second click asks for nothing new.
    if s.jobs.iter().any(|job| job.kind == JobKind::Propose) {
        return Vec::new();
    }
    let report = s.reports.entry(study.clone()).or_default();
    report.offers.remove(&kind);
    let text = CheckText::of(&report.document, report.typing.as_ref());
    let facts = super::check::facts(s, &study);
    let title = match kind {
        OfferKind::Impression => "Writing an impression",
        OfferKind::Letter => "Writing a patient letter",
    };
    let spec = ProposeSpec { study, kind, text, facts, model: s.workspace.chat_model.clone() };
    vec![s.start_job(JobKind::Propose, title, JobSpec::Propose(Box::new(spec)))]
}

/// What was proposed.
pub(super) fn proposed(s: &mut Session, study: &str, kind: OfferKind, offer: Offer) -> Vec<Effect> {
    if offer.sentences.is_empty() {
        let detail = "Nothing is confirmed that could be concluded from: accept or write findings first.";
        s.tell(Severity::Note, ProblemPlace::Report, "Nothing to propose.", detail);
    } else if let Some(report) = s.reports.get_mut(study) {
        report.offers.insert(kind, offer);
    }
    Vec::new()
}

/// Takes or refuses a sentence of a proposal, or opens the decision again.
pub(super) fn decide(s: &mut Session, kind: OfferKind, at: usize, fate: Fate) -> Vec<Effect> {
    let Some(study) = s.report_study().map(str::to_owned) else { return nothing_open(s) };
    let into_report = kind == OfferKind::Impression && fate == Fate::Taken;
    if into_report && locked(s, &study) {
        return Vec::new();
    }
    let first = free_sentence(s);
    let Some(report) = s.reports.get_mut(&study) else { return Vec::new() };
    let Some(offer) = report.offers.get_mut(&kind) else { return Vec::new() };
    let model = offer.model.clone();
    let Some(offered) = offer.sentences.get_mut(at) else { return Vec::new() };
    // There is no way into a report for what says more than is known.
    let text = offered.judged.insertable().map(str::to_owned);
    if fate == Fate::Taken && (text.is_none() || offered.fate == Fate::Taken) {
        return Vec::new();
    }
    offered.fate = fate;
    let Some(text) = text.filter(|_| fate == Fate::Taken) else { return Vec::new() };
    let (from, mut effects) = (offered.from.clone(), Vec::new());
    if into_report {
        let document = &mut report.document;
        let section = document.sections.iter().position(|x| x.title == IMPRESSION).unwrap_or_else(|| {
            document.sections.push(lightbox_report::Section { title: IMPRESSION.into(), sentences: Vec::new() });
            document.sections.len() - 1
        });
        document.number_from(first);
        let mut chips: Vec<SourceChip> =
            from.iter().map(|(_, label)| SourceChip { kind: ChipKind::Measurement, label: label.clone() }).collect();
        if let Some(model) = &model {
            let label = format!("{}, taken by you", model.name);
            chips.insert(0, SourceChip { kind: ChipKind::Model, label });
        } else if chips.is_empty() {
            chips.push(SourceChip { kind: ChipKind::Reader, label: "From your findings".into() });
        }
        let ids = from.into_iter().map(|(id, _)| id).collect();
        if document.push(section, &text, chips, ids, SentenceState::Written).is_err() {
            return Vec::new();
        }
        report.unsaved += 1;
        report.checks.stale = true;
        effects.extend(note(s, &study));
    }
    if let Some(model) = model {
        // Hashes only: the log holds no word of a report.
        let line = serde_json::json!({
            "time": crate::folders::utc_now(),
            "action": "sentence of a language model taken",
            "model_sha256": model.sha256,
            "prompt_sha256": model.prompt_sha256,
            "sentence_sha256": sha256(text.as_bytes()),
        });
        effects.push(s.start_job(JobKind::Signed, "Writing the audit log", JobSpec::Audit(line.to_string())));
    }
    effects
}

/// Takes a proposal off the page.
pub(super) fn close(s: &mut Session, kind: OfferKind) -> Vec<Effect> {
    let Some(study) = s.report_study().map(str::to_owned) else { return Vec::new() };
    if let Some(report) = s.reports.get_mut(&study) {
        report.offers.remove(&kind);
    }
    Vec::new()
}

/// Writes the letter: the sentences that were taken.
pub(super) fn save_letter(s: &mut Session, to: SaveTo<String>) -> Vec<Effect> {
    let Some(study) = to.of.or_else(|| s.report_study().map(str::to_owned)) else { return nothing_open(s) };
    let letter = s.reports.get(&study).and_then(|r| r.offers.get(&OfferKind::Letter)).map(Offer::taken);
    let Some(text) = letter.filter(|text| !text.is_empty()) else {
        s.tell(Severity::Warning, ProblemPlace::Report, "No letter yet.", "Take its sentences first.");
        return Vec::new();
    };
    vec![s.start_job(JobKind::SaveReport, "Writing the letter", JobSpec::SaveLetter { path: to.path, text })]
}

/// The language model that writes proposals.
pub(super) fn set_model(s: &mut Session, path: Option<PathBuf>) -> Vec<Effect> {
    s.workspace.chat_model = path;
    view::settings(s)
}

/// Completion on or off.
pub(super) fn set_completes(s: &mut Session, on: bool) -> Vec<Effect> {
    s.workspace.completes = on;
    let mut effects = complete(s, None, None);
    effects.extend(view::settings(s));
    effects
}

/// Forgets the phrases that were learnt from signed reports.
pub(super) fn forget(s: &mut Session) -> Vec<Effect> {
    vec![s.start_job(JobKind::Import, "Forgetting learnt phrases", JobSpec::ForgetPhrases)]
}

/// Looks for other words.
pub(super) fn other_words(s: &mut Session, term: &str) -> Vec<Effect> {
    let term = term.split_whitespace().collect::<Vec<_>>().join(" ");
    s.other_words = None;
    if term.is_empty() || term.chars().count() > LONGEST_TERM {
        return Vec::new();
    }
    s.words_wanted.clone_from(&term);
    vec![s.start_job(JobKind::Complete, "Looking for other words", JobSpec::OtherWords(term))]
}

/// Other words; those for an older word are dropped.
pub(super) fn found_words(s: &mut Session, words: OtherWords) -> Vec<Effect> {
    if words.term == s.words_wanted {
        s.other_words = Some(words);
    }
    Vec::new()
}
