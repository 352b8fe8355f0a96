//! Signing, corrections, and the forms that a report goes out in.

use std::sync::Arc;

use lightbox_report::export::Frame;
use lightbox_report::sign::{Override, audit_line};

use super::report::{FOOT, head, note, nothing_open};
use crate::command::SaveTo;
use crate::event::{Effect, JobSpec};
use crate::export::{ExportSpec, Form};
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, ReportState, Session};
use crate::worker::own::{KeptReport, sha256};

/// Signs what is confirmed. Each error needs a reason; nothing is signed on checks that are older than the text.
pub(super) fn sign(s: &mut Session, reason: Option<String>) -> Vec<Effect> {
    let Some(study) = s.report_study().map(str::to_owned) else { return nothing_open(s) };
    let reader = s.workspace.reader.clone();
    let refused = |s: &mut Session, why: &str| {
        s.tell(Severity::Warning, ProblemPlace::Report, "Not signed.", why);
        Vec::new()
    };
    let Some(report) = s.reports.get(&study) else { return refused(s, "Nothing is written yet.") };
    if report.is_read_only() {
        return refused(s, "It is signed already. Begin a correction to change it.");
    }
    if !report.checks.are_current() {
        return refused(s, "The checks have not read the last words yet. Sign again in a moment.");
    }
    let reason = reason.map(|r| r.trim().to_owned()).filter(|r| !r.is_empty());
    if report.amending && reason.is_none() {
        return refused(s, "A correction needs a word on what was corrected.");
    }
    let issues: Vec<_> = report.checks.objections.iter().map(|o| o.issue.clone()).collect();
    let kept = |o: &crate::checks::Objection| {
        report.reason(o).map(|reason| Override { issue: o.issue.clone(), reason: reason.to_owned() })
    };
    let overrides: Vec<Override> = report.checks.objections.iter().filter_map(kept).collect();
    let (document, mut signed) = (report.document.clone(), report.signed.clone());
    let now = crate::folders::utc_now();
    let version = match signed.sign(&document, &issues, overrides, &reader, &now, reason.as_deref()) {
        Ok(version) => version,
        Err(e) => return refused(s, &sentence(&e.to_string())),
    };
    let audit = audit_line(version, &sha256(version.text.as_bytes()));
    let Some(report) = s.reports.get_mut(&study) else { return Vec::new() };
    report.signed = signed.clone();
    report.amending = false;
    report.typing = None;
    report.offers.remove(&crate::proposals::OfferKind::Impression);
    report.unsaved += 1;
    s.workspace.sheet = None;
    s.problems.retain(|p| p.place != ProblemPlace::Report);
    let mut effects = note(s, &study);
    let text = signed.current().map(|version| version.text.clone()).unwrap_or_default();
    effects.push(s.start_job(JobKind::Complete, "Learning phrases", JobSpec::LearnPhrases(text)));
    let kept = Box::new(KeptReport { document, signed });
    effects.push(s.start_job(
        JobKind::Signed,
        "Keeping the signed report",
        JobSpec::KeepSigned { study, report: kept, audit },
    ));
    effects
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// Begins to correct a signed report; the signed version stays. Given up, the report is what was signed.
pub(super) fn amend(s: &mut Session, on: bool) -> Vec<Effect> {
    let Some(study) = s.report_study().map(str::to_owned) else { return nothing_open(s) };
    let Some(report) = s.reports.get_mut(&study).filter(|r| r.signed.current().is_some()) else { return Vec::new() };
    report.amending = on;
    report.checks.stale = true;
    Vec::new()
}

/// Signed reports that lie on the disk, for studies that were opened.
pub(super) fn found(s: &mut Session, found: Vec<(String, KeptReport)>) -> Vec<Effect> {
    let first = super::report::free_sentence(s);
    for (study, kept) in found {
        let report = s.reports.entry(study).or_default();
        if kept.signed.versions().len() <= report.signed.versions().len() {
            continue;
        }
        report.signed = kept.signed;
        if report.document.sections.is_empty() {
            report.document = kept.document;
            report.document.renumber(first);
        } else {
            // Work of the journal is a correction of what was signed.
            let text = report.document.to_text();
            report.amending = report.signed.current().is_some_and(|version| version.text != text);
        }
        report.checks.stale = true;
    }
    Vec::new()
}

/// A signed report is on the disk: it is in a file.
pub(super) fn on_disk(s: &mut Session, study: &str) -> Vec<Effect> {
    let Some(report) = s.reports.get_mut(study).filter(|r| r.is_read_only()) else { return Vec::new() };
    report.unsaved = 0;
    let number = report.signed.versions().len();
    report.saved = Some(format!("Version {number} is kept"));
    vec![Effect::Journal(vec![crate::journal::Record::ReportSaved { study: study.to_owned(), changes: 0 }])]
}

/// Writes the report in a form: the version that is signed, else what is confirmed, as a draft.
pub(super) fn export(s: &mut Session, form: Form, to: SaveTo<String>) -> Vec<Effect> {
    let Some(study) = to.of.or_else(|| s.report_study().map(str::to_owned)) else { return nothing_open(s) };
    let Some(report) = s.reports.get(&study) else {
        return empty(s);
    };
    let signed = report.is_read_only().then(|| report.signed.current()).flatten();
    let text = signed.map_or_else(|| report.document.to_text(), |version| version.text.clone());
    if text.trim().is_empty() {
        return empty(s);
    }
    let changes = report.unsaved;
    let mut frame = Frame { title: title(s, &study, report), study_uid: study.clone(), ..Frame::default() };
    if let Some(version) = signed {
        frame.reader.clone_from(&version.reader);
        frame.signed_at.clone_from(&version.signed_at);
    }
    let foot = signed.map_or_else(
        || FOOT.to_owned(),
        |v| format!("Not for diagnostic use. Signed by {}, {}, version {}.", v.reader, v.signed_at, v.number),
    );
    let around = [head(s, &study), format!("\n{foot}\n")];
    if let Some(open) = s.library.studies.iter().find(|x| x.uid == study) {
        frame.patient.clone_from(&open.patient.name);
        frame.patient_id.clone_from(&open.patient.id);
        frame.exam_date.clone_from(&open.date);
    }
    let info = s.library.stacks().find(|e| e.study_uid == study).map(|e| Arc::clone(&e.info));
    let findings = crate::findings::decided(crate::findings::known(s, &study), &report.document);
    let path = to.path;
    let spec = ExportSpec { form, path, study, text, around, frame, info, findings, changes };
    vec![s.start_job(JobKind::SaveReport, "Writing the report", JobSpec::Export(Box::new(spec)))]
}

fn empty(s: &mut Session) -> Vec<Effect> {
    let detail = "No sentence is confirmed yet; accept or write one.";
    s.tell(Severity::Warning, ProblemPlace::Report, "Nothing to save.", detail);
    Vec::new()
}

/// The examination in words: the study's description, else the template's name.
fn title(s: &Session, study: &str, report: &ReportState) -> String {
    let described = s.library.studies.iter().find(|x| x.uid == study).map(|x| x.description.clone());
    let template = report.document.template.as_deref().and_then(lightbox_report::template::by_name);
    described
        .filter(|d| !d.is_empty())
        .or_else(|| template.map(|t| t.label.clone()))
        .unwrap_or_else(|| "Imaging report".to_owned())
}
