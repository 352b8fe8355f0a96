//! report export: a report in the forms of other programs.

use std::path::Path;

use lightbox_dicom::seg::SegReference;
use lightbox_dicom::sr;
use lightbox_report::export::{Frame, fhir_json, html, pdf};
use lightbox_session::export::{parts, sr_findings, sr_frame};

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
    let sr_frame = sr_frame(&frame, args.organization.as_deref().unwrap_or_default())?;
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
