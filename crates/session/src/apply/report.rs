//! The report: proposals from what is on the image, and the reader's decisions.

use lightbox_report::ReportDocument;
use lightbox_report::document::{DocumentError, Place, SentenceId, SentenceState};
use lightbox_report::findings::State;

use crate::event::Effect;
use crate::journal::ReportWork;
use crate::problem::{ProblemPlace, Severity};
use crate::session::Session;

/// Writes proposals from the header, the measurements and the masks into the report on the study in the active viewport.
/// What the reader decided stays, unless its numbers have changed.
pub(super) fn draft(s: &mut Session) -> Vec<Effect> {
    let Some((stack, study)) = s.active_stack().zip(s.report_study().map(str::to_owned)) else {
        return nothing_open(s);
    };
    if locked(s, &study) {
        return Vec::new();
    }
    let mut findings = crate::findings::gather(s, stack);
    let first = free_sentence(s);
    let report = s.reports.entry(study.clone()).or_default();
    // A finding counts as confirmed once the reader has accepted its sentence.
    for finding in findings.findings.iter_mut().flatten() {
        let said = |id: &String| report.document.sentences().any(|x| x.is_confirmed() && x.finding_ids.contains(id));
        if finding.id.as_ref().is_some_and(said) {
            finding.state = Some(State::Confirmed);
        }
    }
    // A template that the reader chose keeps its order; one of the reader's own has none to give.
    let chosen = report.document.template.clone().filter(|id| lightbox_report::template::by_name(id).is_some());
    match lightbox_report::draft::draft(&findings, chosen.as_deref()) {
        Ok(mut draft) => {
            for sentence in draft.sections.iter_mut().flat_map(|x| &mut x.sentences) {
                // Only a person accepts a sentence about the image; what the header says needs nobody.
                if !sentence.finding_ids.is_empty() {
                    sentence.state = SentenceState::Proposed;
                    sentence.sources.extend(crate::findings::whence(s, &study, &sentence.finding_ids));
                }
            }
            let Some(report) = s.reports.get_mut(&study) else { return Vec::new() };
            report.findings = findings;
            let before = report.document.clone();
            report.document.number_from(first);
            if report.document.template.is_none() {
                report.document.template.clone_from(&draft.template);
            }
            report.document.merge(&draft);
            // A draft that brings nothing new changes nothing.
            let news = report.document.sections != before.sections;
            report.unsaved += usize::from(news);
            report.checks.stale |= news;
            if news { note(s, &study) } else { Vec::new() }
        }
        Err(e) => {
            s.tell(Severity::Error, ProblemPlace::Report, "No draft.", &e.to_string());
            Vec::new()
        }
    }
}

/// After a change of masks or measurements: what the report says of them is compared with what they are now. A number that
/// is no longer that of the image does not stay in the text unseen.
pub(crate) fn recheck(s: &mut Session) -> Vec<Effect> {
    // What is on the image is held against the text again, whether or not a sentence came from it.
    for report in s.reports.values_mut().filter(|r| r.document.sentences().next().is_some()) {
        report.checks.stale = true;
    }
    let rests_on_findings = |r: &crate::session::ReportState| {
        !r.is_read_only() && r.document.sentences().any(|x| !x.finding_ids.is_empty())
    };
    let studies: Vec<String> =
        s.reports.iter().filter(|(_, r)| rests_on_findings(r)).map(|(study, _)| study.clone()).collect();
    let mut effects = Vec::new();
    for study in studies {
        // A closed study keeps its report as it is: nothing on it can change.
        let Some(stack) = s.library.stacks().find(|e| e.study_uid == study).map(|e| e.id) else { continue };
        let findings = crate::findings::gather(s, stack);
        let Ok(mut draft) = lightbox_report::draft::draft(&findings, None) else { continue };
        for sentence in draft.sections.iter_mut().flat_map(|x| &mut x.sentences) {
            sentence.state = SentenceState::Proposed;
            sentence.sources.extend(crate::findings::whence(s, &study, &sentence.finding_ids));
        }
        let Some(report) = s.reports.get_mut(&study) else { continue };
        if report.document.recheck(&draft) {
            report.findings = findings;
            report.unsaved += 1;
            effects.extend(note(s, &study));
        }
    }
    effects
}

/// Changes the report that holds a sentence by one of its own operations.
pub(super) fn change(
    s: &mut Session,
    sentence: SentenceId,
    change: impl FnOnce(&mut ReportDocument) -> Result<(), DocumentError>,
) -> Vec<Effect> {
    let holder =
        s.reports.iter().find(|(_, r)| r.document.sentence(sentence).is_some()).map(|(study, _)| study.clone());
    let Some(study) = holder else { return refuse(s, &DocumentError::NoSuchSentence(sentence)) };
    change_on(s, &study, change)
}

/// Adds a sentence of the reader's; an empty report gets its sections first.
pub(super) fn insert(s: &mut Session, study: Option<String>, place: Place, text: &str) -> Vec<Effect> {
    let Some(study) = study.or_else(|| s.report_study().map(str::to_owned)) else { return nothing_open(s) };
    if locked(s, &study) {
        return Vec::new();
    }
    let first = free_sentence(s);
    let document = &mut s.reports.entry(study.clone()).or_default().document;
    if document.sections.is_empty() {
        use lightbox_report::draft::{FINDINGS, IMPRESSION, TECHNIQUE};
        *document = ReportDocument::with_sections([TECHNIQUE, FINDINGS, IMPRESSION]);
    }
    document.number_from(first);
    change_on(s, &study, |d| d.insert(place, text).map(|_| ()))
}

fn change_on(
    s: &mut Session,
    study: &str,
    change: impl FnOnce(&mut ReportDocument) -> Result<(), DocumentError>,
) -> Vec<Effect> {
    if locked(s, study) {
        return Vec::new();
    }
    let Some(report) = s.reports.get_mut(study) else { return Vec::new() };
    match change(&mut report.document) {
        Ok(()) => {
            report.unsaved += 1;
            report.typing = None;
            report.checks.stale = true;
            note(s, study)
        }
        Err(e) => refuse(s, &e),
    }
}

/// Whether nothing may change a report, which is told then.
pub(super) fn locked(s: &mut Session, study: &str) -> bool {
    let locked = s.reports.get(study).is_some_and(crate::session::ReportState::is_read_only);
    if locked {
        let detail = "It is signed. Begin a correction to change it; the signed version stays.";
        s.tell(Severity::Warning, ProblemPlace::Report, "The report stays as it is.", detail);
    }
    locked
}

fn refuse(s: &mut Session, e: &DocumentError) -> Vec<Effect> {
    s.tell(Severity::Warning, ProblemPlace::Report, "The report stays as it is.", &e.to_string());
    Vec::new()
}

pub(super) fn nothing_open(s: &mut Session) -> Vec<Effect> {
    s.tell(Severity::Warning, ProblemPlace::Report, "Nothing to report on.", "Open a study first.");
    Vec::new()
}

/// The last line of a saved report.
pub(super) const FOOT: &str = "Not for diagnostic use. Unsigned draft.";

/// Whom and what a report is about, as its first lines: what the header tells of it.
pub(super) fn head(s: &Session, study: &str) -> String {
    let Some(study) = s.library.studies.iter().find(|x| x.uid == study) else { return String::new() };
    let p = &study.patient;
    let sex = match p.sex.as_str() {
        "F" => "female",
        "M" => "male",
        _ => "",
    };
    let born = if p.birth_date.is_empty() { String::new() } else { format!("born {}", p.birth_date) };
    let age = p.age_years.map(|years| format!("{years:.0} years")).unwrap_or_default();
    let modality = study.stacks.first().and_then(|id| s.library.stack(*id)).map_or("", |e| e.series.modality.as_str());
    let accession = format!("accession {}", study.accession);
    let accession = if study.accession.is_empty() { "" } else { &accession };
    let when = format!("{} {}", study.date, study.time);
    let id = if p.id.is_empty() { String::new() } else { format!("ID {}", p.id) };
    let line = |title: &str, parts: &[&str]| {
        let known: Vec<&str> = parts.iter().map(|t| t.trim()).filter(|t| !t.is_empty()).collect();
        format!("{title}: {}\n", if known.is_empty() { "unknown".to_owned() } else { known.join(", ") })
    };
    let patient = line("Patient", &[&p.name, &id, sex, &born, &age]);
    patient + &line("Study", &[&when, modality, &study.description, accession]) + "\n"
}

/// Takes over the report of an earlier session. What was written on the same study since the start joins it.
pub(super) fn bring_back(s: &mut Session, study: &str, work: ReportWork) {
    let mut document = work.document;
    document.renumber(free_sentence(s));
    let report = s.reports.entry(study.to_owned()).or_default();
    document.merge(&report.document);
    report.document = document;
    report.unsaved += work.unsaved;
    if work.signed.versions().len() > report.signed.versions().len() {
        report.signed = work.signed;
    }
    for reason in work.kept {
        // What was decided since the start holds.
        if report.kept.iter().all(|(rule, message, _)| (*rule, message) != (reason.0, &reason.1)) {
            report.kept.push(reason);
        }
    }
    // Words that are not those of the signed version are a correction of it.
    let text = report.document.to_text();
    report.amending = report.signed.current().is_some_and(|version| version.text != text);
    report.checks.stale = true;
}

/// A number that no sentence of any report has.
pub(super) fn free_sentence(s: &Session) -> SentenceId {
    let used = s.reports.values().flat_map(|r| r.document.sentences()).map(|x| x.id).max().unwrap_or(0);
    used.saturating_add(1)
}

pub(super) fn note(s: &Session, study: &str) -> Vec<Effect> {
    let record = s.reports.get(study).and_then(|report| super::keep::report_record(study, report));
    let opened = super::keep::opened(s);
    record.map(|record| Effect::Journal(vec![opened, record])).into_iter().collect()
}
