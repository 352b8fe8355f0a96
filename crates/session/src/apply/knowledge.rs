//! Questions to the knowledge base, and the drugs' page.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_report::drug::Library;

use super::view;
use crate::ask::{Audience, Found};
use crate::drugs::Numbers;
use crate::event::{Effect, JobSpec};
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, Session};
use crate::worker::own::Own;
use crate::workspace::{PanelTab, ReportPage};

/// No question is longer than this.
const MOST_LETTERS: usize = 1000;

/// Asks. The page opens, wherever the question came from.
pub(super) fn ask(s: &mut Session, question: &str, audience: Option<Audience>) -> Vec<Effect> {
    let question: String = question.trim().chars().take(MOST_LETTERS).collect();
    let mut effects = page(s, ReportPage::Ask);
    s.ask.audience = audience;
    if question.is_empty() {
        return effects;
    }
    s.ask.question.clone_from(&question);
    let folder = s.workspace.knowledge.clone();
    let spec = JobSpec::Ask { question, audience, folder };
    effects.push(s.start_job(JobKind::Ask, "Looking for an answer", spec));
    effects
}

/// Opens a page of the report's tab.
pub(super) fn page(s: &mut Session, page: ReportPage) -> Vec<Effect> {
    s.workspace.panel = Some(PanelTab::Report);
    s.workspace.report_page = page;
    view::settings(s)
}

/// What was found; an answer to an older question is dropped.
pub(super) fn answered(s: &mut Session, found: Found) -> Vec<Effect> {
    if found.question == s.ask.question {
        s.ask.found = Some(found);
    }
    Vec::new()
}

/// A folder of the user's own.
pub(super) fn set_folder(s: &mut Session, folder: Option<PathBuf>) -> Vec<Effect> {
    s.workspace.knowledge = folder;
    s.ask.found = None;
    let mut effects = view::settings(s);
    let (question, audience) = (s.ask.question.clone(), s.ask.audience);
    effects.extend(ask(s, &question, audience));
    effects
}

/// Looks for drugs.
pub(super) fn find_drug(s: &mut Session, query: String) -> Vec<Effect> {
    s.drugs.query = query;
    s.drugs.chosen = None;
    page(s, ReportPage::Drugs)
}

/// Opens a drug.
pub(super) fn choose(s: &mut Session, name: Option<String>) -> Vec<Effect> {
    let known = name.as_ref().is_none_or(|n| s.drugs.library().drugs().iter().any(|d| d.name.eq_ignore_ascii_case(n)));
    if !known {
        let name = name.unwrap_or_default();
        s.tell(Severity::Warning, ProblemPlace::Report, "No drug of that name is in the library.", &name);
        return Vec::new();
    }
    s.drugs.chosen = name;
    page(s, ReportPage::Drugs)
}

/// The patient's numbers. What is no number counts as unknown.
pub(super) fn set_numbers(s: &mut Session, numbers: Numbers) -> Vec<Effect> {
    let sound = |v: Option<f64>| v.filter(|v| v.is_finite() && *v > 0.0);
    s.drugs.numbers = Numbers {
        creatinine: sound(numbers.creatinine),
        age: numbers.age.filter(|v| v.is_finite() && *v >= 0.0),
        height_cm: sound(numbers.height_cm),
        weight_kg: sound(numbers.weight_kg),
        iodine_mg_kg: sound(numbers.iodine_mg_kg),
        iodine_mg_ml: sound(numbers.iodine_mg_ml),
        gadolinium_mmol_kg: sound(numbers.gadolinium_mmol_kg),
        gadolinium_mmol_ml: sound(numbers.gadolinium_mmol_ml),
        ..numbers
    };
    Vec::new()
}

/// Rules of the place's own.
pub(super) fn rules(s: &mut Session, text: &str) -> Vec<Effect> {
    let mut library = Library::own();
    match library.add_local(text) {
        Ok(()) => s.drugs.local = Some(Arc::new(library)),
        Err(e) => s.tell(Severity::Warning, ProblemPlace::Report, "The kept drug rules are left out.", &e.to_string()),
    }
    Vec::new()
}

/// What was kept from earlier.
pub(super) fn own(s: &mut Session, own: Own) -> Vec<Effect> {
    s.templates = own.templates;
    s.drugs.recalls = own.recalls;
    for note in own.notes {
        s.tell(Severity::Warning, ProblemPlace::Report, "Something kept cannot be read.", &note);
    }
    own.rules.map(|text| rules(s, &text)).unwrap_or_default()
}
