//! What is on the images, as findings for the report: header, measurements, geometry of masks, marks of models.

mod lungs;
mod marks;

use lightbox_core::measure::Calibration;
use lightbox_report::ReportDocument;
use lightbox_report::document::{ChipKind, SentenceState, SourceChip};
use lightbox_report::findings::{
    Assertion, Exam, Finding, FindingsFile, Patient, Prior, Side, Source, SourceKind, State,
};
use lightbox_report::measures;

use serde_json::{Map, Value, json};

use crate::annotation::{Annotation, AnnotationKind, Reading, read};
use crate::ids::StackId;
use crate::library::{OpenStack, OpenStudy};
use crate::session::Session;

pub use lungs::lung_geometry;

/// The findings of the study that `stack` belongs to.
#[must_use]
pub fn gather(s: &Session, stack: StackId) -> FindingsFile {
    let Some((open, study)) = s.library.stack(stack).zip(s.library.study_of(stack)) else {
        return FindingsFile::default();
    };
    let some = |t: &str| (!t.is_empty()).then(|| t.to_owned());
    let stacks = || study.stacks.iter().filter_map(|id| s.library.stack(*id));
    let instances = || stacks().flat_map(|e| &e.info.frames).filter_map(|f| u64::try_from(f.instance_number?).ok());
    let exam = Exam {
        modality: some(&open.series.modality),
        body_part: some(&open.series.body_part),
        laterality: match open.series.laterality.as_str() {
            "L" => Some(Side::Left),
            "R" => Some(Side::Right),
            "B" => Some(Side::Bilateral),
            _ => None,
        },
        contrast: (!open.series.contrast.is_empty()).then_some(true),
        date: some(&study.date),
        // Numbers need not begin at 1 nor be without gaps: the greatest one is what a text may name.
        series: Some(
            stacks().filter_map(|e| u64::try_from(e.series.number?).ok()).fold(study.stacks.len() as u64, u64::max),
        ),
        images: Some(instances().fold(stacks().map(|e| e.frames() as u64).sum(), u64::max)),
        ..Exam::default()
    };
    let patient = Patient { sex: some(&study.patient.sex), age: study.patient.age_years, ..Patient::default() };
    let mut findings = Vec::new();
    for id in &study.stacks {
        let Some(open) = s.library.stack(*id) else { continue };
        findings.extend(lungs::lungs(s, open));
        findings.extend(lengths(s, open));
        findings.extend(marks::boxes(s, open));
        findings.extend(marks::classes(s, open));
    }
    let priors = priors(s, study, &open.series.modality);
    let priors = (!priors.is_empty()).then_some(priors);
    FindingsFile {
        exam: Some(exam),
        patient: Some(patient),
        priors,
        findings: Some(findings),
        ..FindingsFile::default()
    }
}

/// What a check compares beyond a draft: who the patient is, which must not stand in a text.
#[must_use]
pub fn known(s: &Session, study: &str) -> FindingsFile {
    let Some(stack) = s.library.stacks().find(|e| e.study_uid == study).map(|e| e.id) else {
        return FindingsFile::default();
    };
    let mut facts = gather(s, stack);
    let known = s.library.studies.iter().find(|x| x.uid == study).map(|x| &x.patient);
    if let (Some(known), Some(patient)) = (known, &mut facts.patient) {
        for (key, value) in [("name", &known.name), ("id", &known.id), ("birth_date", &known.birth_date)] {
            if !value.is_empty() {
                patient.other.insert(key.to_owned(), value.as_str().into());
            }
        }
    }
    facts
}

/// Findings with what the reader decided on their sentences.
#[must_use]
pub fn decided(mut facts: FindingsFile, document: &ReportDocument) -> FindingsFile {
    for finding in facts.findings.iter_mut().flatten() {
        let Some(id) = &finding.id else { continue };
        let sentences = || document.sentences().filter(|x| x.finding_ids.contains(id));
        if sentences().any(|x| x.is_confirmed()) {
            finding.state = Some(State::Confirmed);
        } else if sentences().any(|x| x.state == SentenceState::Rejected) {
            finding.state = Some(State::Rejected);
        }
    }
    facts
}

/// Earlier examinations of the same patient that are open and of the same kind, the newest first.
fn priors(s: &Session, study: &OpenStudy, modality: &str) -> Vec<Prior> {
    let xray = |m: &str| ["CR", "DX", "DR", "RG"].contains(&m);
    let of_kind = |other: &&OpenStudy| {
        other.stacks.first().and_then(|id| s.library.stack(*id)).is_some_and(|e| {
            let found = e.series.modality.as_str();
            found == modality || xray(found) && xray(modality)
        })
    };
    let earlier = |other: &&OpenStudy| {
        let same = other.uid != study.uid && !study.patient.id.is_empty() && other.patient.id == study.patient.id;
        same && !other.date.is_empty() && other.date < study.date
    };
    let mut found: Vec<&OpenStudy> = s.library.studies.iter().filter(earlier).filter(of_kind).collect();
    found.sort_by(|a, b| b.date.cmp(&a.date));
    let prior = |x: &OpenStudy| Prior {
        date: Some(x.date.clone()),
        modality: Some(modality.to_owned()).filter(|m| !m.is_empty()),
        ..Prior::default()
    };
    found.into_iter().map(prior).collect()
}

/// The id of a finding with the stack that it is on, which holds over restarts.
pub(crate) fn on_stack(id: &str, open: &OpenStack) -> String {
    format!("{id} {} {}", open.key.series_uid, open.key.key).trim_end().to_owned()
}

/// Which series findings are from, for the sentences of a study in which several could be meant.
pub(crate) fn whence(s: &Session, study: &str, finding_ids: &[String]) -> Option<SourceChip> {
    let of_study = || s.library.stacks().filter(|e| e.study_uid == study);
    let several = of_study().filter(|e| s.documents.contains_key(&e.id)).count() > 1;
    let from = of_study().find(|e| several && finding_ids.iter().any(|id| id.ends_with(&on_stack("", e))))?;
    Some(SourceChip { kind: ChipKind::Header, label: from.title() })
}

fn calibration_of(calibration: Calibration) -> measures::Calibration {
    match calibration {
        Calibration::Patient => measures::Calibration::Patient,
        Calibration::Detector => measures::Calibration::Detector,
        Calibration::User => measures::Calibration::User,
        Calibration::None => measures::Calibration::None,
    }
}

/// Where a measurement is and what its millimetres mean, as attributes of its finding: `calibration`, the numbers of
/// `series` and `image` (Instance Number) as other systems show them, or the `plane` between the images.
fn place_of(annotation: &Annotation, open: &OpenStack, calibration: Calibration) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("calibration".into(), json!(calibration_of(calibration)));
    if let Some(n) = open.series.number {
        out.insert("series".into(), json!(n));
    }
    match open.plane_stack(annotation.plane).stored_slice(annotation.index) {
        Some(k) => {
            let told = open.info.frames.get(k).and_then(|frame| frame.instance_number);
            out.insert("image".into(), json!(told.unwrap_or(k as i64 + 1)));
        }
        None => {
            out.insert("plane".into(), json!(format!("{} plane", annotation.plane.name().to_lowercase())));
        }
    }
    out
}

/// Lengths that the reader drew, as measured findings without a name: the reader says what they are.
fn lengths(s: &Session, open: &OpenStack) -> Vec<Finding> {
    let Some(document) = s.documents.get(&open.id) else { return Vec::new() };
    document
        .annotations
        .iter()
        .filter(|a| a.kind == AnnotationKind::Length)
        .filter_map(|a| match read(a, open)? {
            Reading::Length { length, calibration } if calibration != Calibration::None => Some(Finding {
                id: Some(on_stack(&format!("length-{}", a.id.0), open)),
                term: Some(measures::LENGTH_TERM.into()),
                assertion: Some(Assertion::Present),
                side: marks::side_of(open, document, &a.points),
                size_mm: Some(vec![(length * 10.0).round() / 10.0]),
                source: Some(Source { kind: Some(SourceKind::Measurement), ..Source::default() }),
                attributes: Some(place_of(a, open, calibration)),
                state: Some(State::Proposed),
                ..Finding::default()
            }),
            _ => None,
        })
        .collect()
}
