//! report export: a report in the forms of other programs.

use std::path::Path;

use lightbox_dicom::seg::SegReference;
use lightbox_dicom::sr::{self, SrFinding, SrFrame, SrPart};
use lightbox_report::export::{Frame, fhir_json, html, pdf};
use lightbox_report::findings::{Assertion, FindingsFile, State};

use super::{index, nothing_found};
use crate::args::{Export, ExportForm};

pub(super) fn run(args: &Export) -> Result<(), String> {
    let bytes = std::fs::read(&args.file)
        .map_err(|e| format!("the text cannot be read ({}): {}", super::refusal(&e), args.file.display()))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let findings = args.findings.as_deref().map(super::report::read_findings).transpose()?.unwrap_or_default();
    let mut frame = Frame {
        title: args.title.clone().unwrap_or_else(|| "Imaging report".into()),
        reader: args.reader.clone().unwrap_or_default(),
        exam_date: findings.exam.as_ref().and_then(|exam| exam.date.clone()).unwrap_or_default(),
        ..Frame::default()
    };
    if !frame.reader.is_empty() {
        frame.signed_at = args.signed_at.clone().unwrap_or_default();
    }
    let study = args.study.as_deref().map(|path| first_stack(path, &mut frame)).transpose()?;
    let write = |bytes: &[u8]| {
        std::fs::write(&args.out, bytes)
            .map_err(|e| format!("it cannot be written ({}): {}", super::refusal(&e), args.out.display()))
    };
    let needs_study =
        || study.as_ref().ok_or("a DICOM form needs --study, whose patient and images it repeats".to_owned());
    let sr_frame = SrFrame {
        title: frame.title.clone(),
        reader: person_name(&frame.reader),
        signed: !frame.reader.is_empty(),
        signed_at: moment(&frame.signed_at)?,
        organization: args.organization.clone().unwrap_or_default(),
    };
    match args.to {
        ExportForm::Text => write(text.as_bytes()),
        ExportForm::Html => write(html(&text, &frame).as_bytes()),
        ExportForm::Pdf => write(&pdf(&text, &frame)),
        ExportForm::Fhir => write(fhir_json(&text, &frame, Some(&pdf(&text, &frame))).as_bytes()),
        ExportForm::Sr => {
            sr::write_text(&args.out, needs_study()?, &sr_frame, &parts(&text)).map_err(|e| e.to_string())
        }
        ExportForm::SrMeasurements => {
            sr::write_measurements(&args.out, needs_study()?, &sr_frame, &sr_findings(&findings))
                .map_err(|e| e.to_string())
        }
        ExportForm::EncapsulatedPdf => {
            sr::write_pdf(&args.out, needs_study()?, &sr_frame, &pdf(&text, &frame)).map_err(|e| e.to_string())
        }
    }
}

/// `20261125104100` from `2026-11-25T10:41:00Z`; empty from nothing.
fn moment(iso: &str) -> Result<String, String> {
    let digits: String = iso.chars().filter(char::is_ascii_digit).collect();
    let shape: String = iso.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if iso.is_empty() || shape == "0000-00-00T00:00:00Z" {
        Ok(digits)
    } else {
        Err("the time of signing is not written as 2026-11-25T10:41:00Z".into())
    }
}

/// The first images of the study, and what its header says for the frame.
fn first_stack(path: &Path, frame: &mut Frame) -> Result<SegReference, String> {
    let index = index(&[path.to_path_buf()])?;
    let study = index.studies.first().ok_or_else(|| nothing_found(&index))?;
    frame.patient.clone_from(&study.patient.name);
    frame.patient_id.clone_from(&study.patient.id);
    frame.exam_date.clone_from(&study.date);
    frame.study_uid.clone_from(&study.uid);
    let stack = study.series.iter().flat_map(|series| &series.stacks).next().ok_or_else(|| nothing_found(&index))?;
    SegReference::from_stack(stack).map_err(|e| e.to_string())
}

/// `FAMILY^Given` of a name as it is spoken; a title before it is left out.
fn person_name(name: &str) -> String {
    if name.contains('^') {
        return name.to_owned();
    }
    let words: Vec<&str> =
        name.split_whitespace().filter(|word| !matches!(word.trim_end_matches('.'), "Dr" | "Prof" | "MD")).collect();
    match words.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [given @ .., family] => format!("{family}^{}", given.join(" ")),
    }
}

/// The parts of the text as the parser sees them.
fn parts(text: &str) -> Vec<SrPart> {
    let report = lightbox_report::parse::Report::read(text);
    let mut parts: Vec<SrPart> = Vec::new();
    for index in 0..report.sentences.len() {
        let heading = report.kind_of(index).name().unwrap_or("findings").to_owned();
        if heading == "title" {
            continue;
        }
        let words = text[report.sentences[index].span.clone()].split_whitespace().collect::<Vec<_>>().join(" ");
        match parts.last_mut() {
            Some(part) if part.heading == heading => part.paragraphs.push(words),
            _ => parts.push(SrPart { heading, paragraphs: vec![words] }),
        }
    }
    parts
}

/// Confirmed findings that are there; what nobody confirmed is not written.
fn sr_findings(file: &FindingsFile) -> Vec<SrFinding> {
    file.known_findings()
        .iter()
        .filter(|finding| {
            finding.effective_state() == State::Confirmed && finding.effective_assertion() == Assertion::Present
        })
        .filter_map(|finding| {
            Some(SrFinding {
                tracking_id: finding.id.clone().unwrap_or_default(),
                term: finding.term.clone()?,
                site: finding.site.clone().unwrap_or_default(),
                side: finding.side.map(|side| side.word().to_owned()).unwrap_or_default(),
                size_mm: finding.size_mm.clone().unwrap_or_default(),
                volume_ml: finding.volume_ml,
                mean_hu: finding.mean_hu,
                model: finding.source.as_ref().filter(|_| finding.is_from_model()).map(|source| {
                    let version = source.sha256.clone().unwrap_or_else(|| "unknown".into());
                    (source.model.clone().unwrap_or_else(|| "model".into()), version)
                }),
            })
        })
        .collect()
}
