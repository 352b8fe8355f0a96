//! Templates: the order of a report, and pages of the reader's own.

use lightbox_report::document::{ChipKind, SentenceState, SourceChip};
use lightbox_report::draft::{FINDINGS, IMPRESSION, TECHNIQUE};
use lightbox_report::findings::Finding;
use lightbox_report::{ReportDocument, template};

use super::report::{free_sentence, locked, note, nothing_open};
use crate::command::SaveTo;
use crate::event::{Effect, JobSpec};
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, Session};
use crate::templates::{OwnTemplate, page_of};

/// Chooses a template. One of the program's orders the findings; one of the reader's brings headings and sentences, which
/// wait for the reader as a model's do.
pub(super) fn set(s: &mut Session, id: &str) -> Vec<Effect> {
    let Some(study) = s.report_study().map(str::to_owned) else { return nothing_open(s) };
    if locked(s, &study) {
        return Vec::new();
    }
    let own = s.templates.iter().find(|t| t.id == id).cloned();
    let built_in = template::by_name(id);
    if own.is_none() && built_in.is_none() {
        s.tell(Severity::Warning, ProblemPlace::Report, "No such template.", id);
        return Vec::new();
    }
    let first = free_sentence(s);
    let report = s.reports.entry(study.clone()).or_default();
    let before = report.document.clone();
    if report.document.sections.is_empty() && own.is_none() {
        report.document = ReportDocument::with_sections([TECHNIQUE, FINDINGS, IMPRESSION]);
    }
    report.document.number_from(first);
    report.document.template = Some(id.to_owned());
    if let Some(built_in) = built_in.filter(|_| own.is_none()) {
        for section in report.document.sections.iter_mut().filter(|x| x.title == FINDINGS) {
            // A finding's words name its organ.
            section
                .sentences
                .sort_by_key(|x| built_in.rank(&Finding { term: Some(x.text.clone()), ..Finding::default() }));
        }
    }
    if let Some(own) = own {
        lay(&mut report.document, &own);
    }
    if report.document == before {
        return Vec::new();
    }
    report.unsaved += 1;
    report.checks.stale = true;
    note(s, &study)
}

/// Headings and sentences of a page; a sentence that is there already does not come twice.
fn lay(document: &mut ReportDocument, own: &OwnTemplate) {
    let chip = || vec![SourceChip { kind: ChipKind::Guideline, label: format!("Template {}", own.label) }];
    for (title, sentences) in own.sentences() {
        let title = if title.is_empty() { FINDINGS.to_owned() } else { title };
        let at = document.sections.iter().position(|x| x.title.eq_ignore_ascii_case(&title)).unwrap_or_else(|| {
            document.sections.push(lightbox_report::Section { title: title.clone(), sentences: Vec::new() });
            document.sections.len() - 1
        });
        for text in sentences {
            if document.sections[at].sentences.iter().all(|x| x.text != text) {
                // The only thing that could be wrong is an empty sentence, which says nothing.
                document.push(at, &text, chip(), Vec::new(), SentenceState::Proposed).ok();
            }
        }
    }
}

/// A page was read.
pub(super) fn imported(s: &mut Session, own: OwnTemplate) -> Vec<Effect> {
    s.templates.retain(|t| t.id != own.id);
    let (id, label) = (own.id.clone(), own.label.clone());
    s.templates.push(own);
    s.templates.sort_by(|a, b| a.label.cmp(&b.label));
    s.tell(Severity::Note, ProblemPlace::Report, "Template kept.", &label);
    if s.report_study().is_some() { set(s, &id) } else { Vec::new() }
}

/// Writes the report's headings and confirmed sentences as a page.
pub(super) fn export(s: &mut Session, to: SaveTo<String>) -> Vec<Effect> {
    let study = to.of.or_else(|| s.report_study().map(str::to_owned));
    let Some(report) = study.and_then(|study| s.reports.get(&study)).filter(|r| !r.document.sections.is_empty()) else {
        s.tell(Severity::Warning, ProblemPlace::Report, "Nothing to write.", "Draft or write a report first.");
        return Vec::new();
    };
    let known = report.document.template.as_deref();
    let title = known
        .and_then(|id| s.templates.iter().find(|t| t.id == id).map(|t| t.label.clone()))
        .or_else(|| known.and_then(template::by_name).map(|t| t.label.clone()))
        .unwrap_or_else(|| "Report".to_owned());
    let date = crate::folders::utc_now().chars().take(10).collect::<String>();
    let page = page_of(&report.document, &title, &date).to_html();
    let spec = JobSpec::ExportTemplate { path: to.path, page };
    vec![s.start_job(JobKind::ExportTemplate, "Writing the template", spec)]
}

/// Puts what a guideline advises into the impression, with the guideline as its source.
pub(super) fn take_advice(s: &mut Session, source: &str, finding: Option<&str>) -> Vec<Effect> {
    let Some(study) = s.report_study().map(str::to_owned) else { return nothing_open(s) };
    if locked(s, &study) {
        return Vec::new();
    }
    let first = free_sentence(s);
    let Some(report) = s.reports.get_mut(&study) else { return Vec::new() };
    let of = |a: &&lightbox_report::guideline::engine::Applied| {
        a.source.short == source && (finding.is_none() || a.finding_id.as_deref() == finding)
    };
    let Some(advice) = report.checks.advice.iter().find(of).cloned() else {
        s.tell(Severity::Warning, ProblemPlace::Report, "No such advice.", "The findings have changed.");
        return Vec::new();
    };
    let text = words(&advice);
    let at = report.document.sections.iter().position(|x| x.title == IMPRESSION).unwrap_or_else(|| {
        report.document.sections.push(lightbox_report::Section { title: IMPRESSION.into(), sentences: Vec::new() });
        report.document.sections.len() - 1
    });
    report.document.number_from(first);
    let label = format!("{}, {}", advice.source.short, advice.source.version);
    let chips = vec![SourceChip { kind: ChipKind::Guideline, label }];
    let ids = advice.finding_id.into_iter().collect();
    if report.document.push(at, &text, chips, ids, SentenceState::Written).is_err() {
        return Vec::new();
    }
    report.unsaved += 1;
    report.checks.stale = true;
    note(s, &study)
}

/// What is advised as a sentence: `CT at 6 to 12 months (Fleischner 2017; 7 mm mean diameter).`
fn words(advice: &lightbox_report::guideline::engine::Applied) -> String {
    let mut letters = advice.advice.trim_end_matches('.').chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{} ({}: {}).", letters.as_str(), advice.source.short, advice.result)
}
