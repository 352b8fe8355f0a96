//! The report: proposals from what is on the image, and the reader's decisions.

use std::path::PathBuf;

use lightbox_report::ReportDocument;
use lightbox_report::document::{DocumentError, Place};

use crate::event::{Effect, JobSpec};
use crate::journal::Record;
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, Session};

/// Writes proposals from the header, the measurements and the masks into the report. What the reader decided stays.
pub(super) fn draft(s: &mut Session) -> Vec<Effect> {
    let Some(stack) = s.active_stack() else {
        s.tell(Severity::Warning, ProblemPlace::Report, "Nothing to report on.", "Open a study first.");
        return Vec::new();
    };
    let findings = crate::findings::gather(s, stack);
    match lightbox_report::draft::draft(&findings, None) {
        Ok(draft) => {
            let study = s.library.study_of(stack).map(|st| st.uid.clone());
            if s.report.study_uid != study {
                // A report belongs to one study; the other's sentences are in the journal.
                s.report = crate::session::ReportState { study_uid: study, ..Default::default() };
            }
            s.report.findings = findings;
            s.report.document.template.clone_from(&draft.template);
            s.report.document.merge(&draft);
            s.report.unsaved += 1;
            note(s)
        }
        Err(e) => {
            s.tell(Severity::Error, ProblemPlace::Report, "No draft.", &e.to_string());
            Vec::new()
        }
    }
}

/// Changes the report by one of its own operations.
pub(super) fn change(
    s: &mut Session,
    change: impl FnOnce(&mut ReportDocument) -> Result<(), DocumentError>,
) -> Vec<Effect> {
    match change(&mut s.report.document) {
        Ok(()) => {
            s.report.unsaved += 1;
            note(s)
        }
        Err(e) => {
            s.tell(Severity::Warning, ProblemPlace::Report, "The report stays as it is.", &e.to_string());
            Vec::new()
        }
    }
}

/// Adds a sentence of the reader's; an empty report gets its sections first.
pub(super) fn insert(s: &mut Session, place: Place, text: &str) -> Vec<Effect> {
    if s.report.document.sections.is_empty() {
        use lightbox_report::draft::{FINDINGS, IMPRESSION, TECHNIQUE};
        s.report.document = ReportDocument::with_sections([TECHNIQUE, FINDINGS, IMPRESSION]);
        s.report.study_uid = s.active_stack().and_then(|id| s.library.study_of(id)).map(|st| st.uid.clone());
    }
    change(s, |d| d.insert(place, text).map(|_| ()))
}

/// Saves the confirmed sentences.
pub(super) fn save(s: &mut Session, path: PathBuf) -> Vec<Effect> {
    let text = s.report.document.to_text();
    if text.trim().is_empty() {
        s.tell(
            Severity::Warning,
            ProblemPlace::Report,
            "Nothing to save.",
            "No sentence is confirmed yet; accept or write one.",
        );
        return Vec::new();
    }
    vec![s.start_job(JobKind::SaveReport, "Saving the report", JobSpec::SaveText { path, text })]
}

fn note(s: &Session) -> Vec<Effect> {
    vec![Effect::Journal(vec![
        Record::Opened { paths: s.library.paths.clone() },
        Record::Report { document: Box::new(s.report.document.clone()) },
    ])]
}
