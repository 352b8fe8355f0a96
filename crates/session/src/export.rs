//! A report in the forms of other programs: text, HTML, PDF, FHIR, and the DICOM forms.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lightbox_dicom::Stack;
use lightbox_dicom::seg::SegReference;
use lightbox_dicom::sr::{self, SrFinding, SrFrame, SrPart};
use lightbox_report::export::{self, Frame, fhir_json, html};
use lightbox_report::findings::{Assertion, FindingsFile, State};
use serde::{Deserialize, Serialize};

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Plain text.
    Text,
    /// One page of HTML.
    Html,
    /// A PDF file.
    Pdf,
    /// FHIR `DiagnosticReport`, JSON.
    Fhir,
    /// DICOM Basic Text SR.
    Sr,
    /// DICOM Comprehensive 3D SR with the measurements (TID 1500).
    SrMeasurements,
    /// A PDF in a DICOM file.
    EncapsulatedPdf,
}

impl Form {
    /// All, in menu order.
    pub const ALL: [Self; 7] =
        [Self::Text, Self::Html, Self::Pdf, Self::Sr, Self::SrMeasurements, Self::EncapsulatedPdf, Self::Fhir];

    /// Name as shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Html => "HTML",
            Self::Pdf => "PDF",
            Self::Fhir => "FHIR DiagnosticReport",
            Self::Sr => "DICOM SR, text",
            Self::SrMeasurements => "DICOM SR, measurements",
            Self::EncapsulatedPdf => "DICOM encapsulated PDF",
        }
    }

    /// Ending of its files.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Fhir => "json",
            Self::Sr | Self::SrMeasurements | Self::EncapsulatedPdf => "dcm",
        }
    }

    /// Whether it repeats the header of the study's images.
    #[must_use]
    pub fn is_dicom(self) -> bool {
        matches!(self, Self::Sr | Self::SrMeasurements | Self::EncapsulatedPdf)
    }
}

/// What is written.
#[derive(Debug, Clone)]
pub struct ExportSpec {
    /// The form.
    pub form: Form,
    /// The file.
    pub path: PathBuf,
    /// Study Instance UID.
    pub study: String,
    /// The sentences under their headings.
    pub text: String,
    /// The first and the last lines of the plain form, which has no frame.
    pub around: [String; 2],
    /// What stands around the text in the other forms.
    pub frame: Frame,
    /// Images that a DICOM form refers to.
    pub info: Option<Arc<Stack>>,
    /// What the measurements are from.
    pub findings: FindingsFile,
    /// Changes that this export covers.
    pub changes: usize,
}

/// The bytes of a form that is no DICOM.
#[must_use]
pub fn bytes(spec: &ExportSpec) -> Vec<u8> {
    let pdf = || export::pdf(&spec.text, &spec.frame);
    match spec.form {
        Form::Html => html(&spec.text, &spec.frame).into_bytes(),
        Form::Fhir => fhir_json(&spec.text, &spec.frame, Some(&pdf())).into_bytes(),
        Form::Pdf | Form::EncapsulatedPdf => pdf(),
        _ => format!("{}{}{}", spec.around[0], spec.text, spec.around[1]).into_bytes(),
    }
}

/// Writes a DICOM form.
///
/// # Errors
/// One sentence when there are no images to refer to, no measurement, or the file cannot be written.
pub fn write_dicom(spec: &ExportSpec, path: &Path) -> Result<(), String> {
    let info = spec.info.as_ref().ok_or("The study is not open: a DICOM form repeats the header of its images.")?;
    let study = SegReference::from_stack(info).map_err(|e| e.to_string())?;
    let frame = sr_frame(&spec.frame, "")?;
    match spec.form {
        Form::Sr => sr::write_text(path, &study, &frame, &parts(&spec.text)),
        Form::SrMeasurements => sr::write_measurements(path, &study, &frame, &sr_findings(&spec.findings)),
        _ => sr::write_pdf(path, &study, &frame, &bytes(spec)),
    }
    .map_err(|e| e.to_string())
}

/// The frame of a DICOM form.
///
/// # Errors
/// One sentence when the time of signing is none.
pub fn sr_frame(frame: &Frame, organization: &str) -> Result<SrFrame, String> {
    Ok(SrFrame {
        title: frame.title.clone(),
        reader: person_name(&frame.reader),
        signed: !frame.reader.is_empty(),
        signed_at: moment(&frame.signed_at)?,
        organization: organization.to_owned(),
    })
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

/// The parts of a text as the parser sees them.
#[must_use]
pub fn parts(text: &str) -> Vec<SrPart> {
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
#[must_use]
pub fn sr_findings(file: &FindingsFile) -> Vec<SrFinding> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_times_are_those_of_dicom() {
        assert_eq!(person_name("Dr. Ada Byron Roe"), "Roe^Ada Byron");
        assert_eq!(person_name("Roe^Ada"), "Roe^Ada");
        assert_eq!(moment("2026-11-25T10:41:00Z").unwrap(), "20261125104100");
        assert!(moment("today").is_err());
    }
}
