//! Checks of a report: when they run, what becomes of what they say, and the way from a sentence to its pixels.

use std::sync::Arc;

use lightbox_report::ReportDocument;
use lightbox_report::document::SentenceState;
use lightbox_report::findings::FindingsFile;

use super::view;
use crate::checks::{Anchor, CheckSpec, CheckText, Checked, Typing};
use crate::event::{Effect, JobSpec};
use crate::ground::{self, Ground, Thing};
use crate::ids::StackId;
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, Session};
use crate::workspace::{PanelTab, ReportPage};

/// Starts a check of each report that has changed since its last one. While one runs, the next waits: what is typed
/// meanwhile is checked once, not letter by letter.
pub(crate) fn start_due(s: &mut Session) -> Vec<Effect> {
    let due: Vec<String> = s
        .reports
        .iter()
        .filter(|(_, r)| r.checks.stale && r.checks.running.is_none())
        .map(|(study, _)| study.clone())
        .collect();
    let mut effects = Vec::new();
    for study in due {
        let facts = facts(s, &study);
        let text = s.reports.get(&study).map(|r| CheckText::of(&r.document, r.typing.as_ref())).unwrap_or_default();
        let spec = CheckSpec { study: study.clone(), text, facts };
        effects.push(s.start_job(JobKind::Check, "Checking the report", JobSpec::Check(Box::new(spec))));
        let running = s.jobs.last().map(|job| job.id);
        if let Some(report) = s.reports.get_mut(&study) {
            report.checks.stale = false;
            report.checks.running = running;
        }
    }
    effects
}

/// What the text is held against. The geometry of masks takes a moment on a large image: it is kept for as long as nothing
/// is drawn, opened or found anew, while the reader's decisions are those of now.
pub(super) fn facts(s: &mut Session, study: &str) -> FindingsFile {
    let key = (s.drawn(), s.library.studies.len());
    let kept = s.reports.get(study).and_then(|r| r.checks.known.as_ref()).filter(|(of, _)| *of == key);
    let known = match kept {
        Some((_, known)) => Arc::clone(known),
        None => Arc::new(crate::findings::known(s, study)),
    };
    let Some(report) = s.reports.get_mut(study) else { return FindingsFile::default() };
    report.checks.known = Some((key, Arc::clone(&known)));
    crate::findings::decided(FindingsFile::clone(&known), &report.document)
}

/// Takes what a check found.
pub(super) fn checked(s: &mut Session, study: &str, checked: Checked) -> Vec<Effect> {
    let Some(report) = s.reports.get_mut(study) else { return Vec::new() };
    report.checks.objections = checked.objections;
    report.checks.advice = checked.advice;
    report.checks.took_ms = Some(checked.took_ms);
    report.checks.cut = checked.cut;
    report.checks.kinds = checked.kinds;
    Vec::new()
}

/// A check is over, however it ended.
pub(super) fn ended(s: &mut Session, job: crate::ids::JobId) {
    for report in s.reports.values_mut().filter(|r| r.checks.running == Some(job)) {
        report.checks.running = None;
    }
}

/// Words that are being typed.
pub(super) fn type_words(s: &mut Session, study: Option<String>, words: Option<(Anchor, String)>) -> Vec<Effect> {
    let Some(study) = study.or_else(|| s.report_study().map(str::to_owned)) else { return Vec::new() };
    // A field that is left makes no report.
    if words.is_none() && !s.reports.contains_key(&study) {
        return Vec::new();
    }
    let report = s.reports.entry(study).or_default();
    if report.is_read_only() {
        return Vec::new();
    }
    if report.document.sections.is_empty() {
        use lightbox_report::draft::{FINDINGS, IMPRESSION, TECHNIQUE};
        report.document = ReportDocument::with_sections([TECHNIQUE, FINDINGS, IMPRESSION]);
    }
    let typing = words.map(|(at, text)| Typing { at, text });
    if report.typing != typing {
        report.typing = typing;
        report.checks.stale = true;
    }
    Vec::new()
}

/// Keeps an objection for a reason, or takes the reason back.
pub(super) fn keep(s: &mut Session, rule: &str, message: &str, reason: &str) -> Vec<Effect> {
    let Some(study) = s.report_study().map(str::to_owned) else { return Vec::new() };
    let Some(report) = s.reports.get_mut(&study) else { return Vec::new() };
    let known = |o: &&crate::checks::Objection| format!("{:?}", o.issue.rule) == rule && o.issue.message == message;
    let Some((rule, message)) = report.checks.objections.iter().find(known).map(|o| o.key()) else {
        let detail = "It is no longer there; the text has changed.";
        s.tell(Severity::Warning, ProblemPlace::Report, "No such objection.", detail);
        return Vec::new();
    };
    report.kept.retain(|(r, m, _)| (*r, m) != (rule, &message));
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    if !reason.is_empty() {
        report.kept.push((rule, message, reason));
    }
    // A reason is the reader's work: a kill must not take it.
    report.unsaved += 1;
    super::report::note(s, &study)
}

/// Points at a sentence; `bring` also shows its series where no viewport does.
pub(super) fn spotlight(s: &mut Session, sentence: Option<u64>, bring: bool) -> Vec<Effect> {
    s.spotlight = sentence;
    let Some(id) = sentence else { return Vec::new() };
    let mut effects = Vec::new();
    for (n, ground) in ground::of_sentence(s, id).into_iter().enumerate() {
        effects.extend(look_at(s, &ground, bring && n == 0));
    }
    effects
}

/// Viewports that show the series of some pixels scroll to them.
fn look_at(s: &mut Session, ground: &Ground, bring: bool) -> Vec<Effect> {
    let slots = s.workspace.layout.slots();
    let shows = |v: &crate::workspace::ViewState| v.stack == Some(ground.stack) && v.plane == ground.plane;
    let views: Vec<usize> = (0..slots).filter(|slot| shows(&s.workspace.views[*slot])).collect();
    let mut effects = Vec::new();
    if views.is_empty() {
        if !bring {
            return Vec::new();
        }
        let slot = s.workspace.active;
        effects.extend(view::show(s, Some(slot), ground.stack, Some(ground.plane)));
        effects.extend(view::scroll_to(s, Some(slot), ground.index));
        return effects;
    }
    if bring && !views.contains(&s.workspace.active) {
        effects.extend(view::activate(s, views[0]));
    }
    for slot in views {
        if s.workspace.views[slot].index != ground.index {
            effects.extend(view::scroll_to(s, Some(slot), ground.index));
        }
    }
    effects
}

/// Opens the report at the sentence about a thing.
pub(super) fn show_sentence_of(s: &mut Session, stack: StackId, thing: Thing) -> Vec<Effect> {
    let Some(id) = ground::sentence_of(s, stack, thing).map(|x| x.id) else {
        let detail = "A draft from the image makes one.";
        s.tell(Severity::Note, ProblemPlace::Report, "No sentence is about this yet.", detail);
        return Vec::new();
    };
    s.workspace.panel = Some(PanelTab::Report);
    s.workspace.report_page = ReportPage::Write;
    let mut effects = view::settings(s);
    effects.extend(spotlight(s, Some(id), true));
    effects
}

/// Goes to the next sentence, in reading order, that an objection is about or that waits for the reader.
pub(super) fn next_open(s: &mut Session) -> Vec<Effect> {
    let report = s.report();
    let objected = |id: u64| {
        let about = |o: &crate::checks::Objection| o.places.first().is_some_and(|(at, _)| *at == Anchor::Sentence(id));
        report.open_objections().any(about)
    };
    let order: Vec<(u64, bool)> = report
        .document
        .sentences()
        .map(|x| (x.id, x.state == SentenceState::Proposed || x.is_confirmed() && objected(x.id)))
        .collect();
    let after = order.iter().position(|(id, _)| Some(*id) == s.spotlight).map_or(0, |at| at + 1);
    let next = order.iter().cycle().skip(after).take(order.len()).find(|(_, open)| *open).map(|(id, _)| *id);
    s.workspace.panel = Some(PanelTab::Report);
    s.workspace.report_page = ReportPage::Write;
    let mut effects = view::settings(s);
    effects.extend(spotlight(s, next, true));
    effects
}
