//! From findings to sentences, by template and without any language model.
//!
//! Every number in a drafted sentence is a number of its finding, of the examination or of a prior.
//! What a model found and no reader confirmed becomes a proposed sentence; what a reader rejected
//! becomes none. The impression holds confirmed findings only.

use crate::document::{ChipKind, DocumentError, ReportDocument, SentenceState, SourceChip};
use crate::findings::{Assertion, Change, Exam, Finding, FindingsFile, Prior, State};
use crate::phrase;
use crate::template::{self, Template};

/// A draft is a report that nobody has touched yet.
pub type Draft = ReportDocument;

/// Heading of the first section.
pub const TECHNIQUE: &str = "Technique";
/// Heading of the section that describes.
pub const FINDINGS: &str = "Findings";
/// Heading of the section that concludes.
pub const IMPRESSION: &str = "Impression";

const TECHNIQUE_INDEX: usize = 0;
const FINDINGS_INDEX: usize = 1;
const IMPRESSION_INDEX: usize = 2;

/// Why a draft could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// No template has this name; the known ones are listed.
    #[error("there is no report template of that name; known are {known}: {name}")]
    UnknownTemplate {
        /// The ids of all templates, separated by commas.
        known: String,
        /// What was asked for.
        name: String,
    },
    /// The draft broke a rule of the document; a fault of this crate.
    #[error("the draft could not be put together: {0}")]
    Document(#[from] DocumentError),
}

/// Drafts a report. Without a template name the examination chooses one.
///
/// # Errors
/// [`DraftError::UnknownTemplate`].
pub fn draft(file: &FindingsFile, template_name: Option<&str>) -> Result<Draft, DraftError> {
    let template = match template_name {
        Some(name) => Some(template::by_name(name).ok_or_else(|| unknown_template(name))?),
        None => template::for_exam(file.exam.as_ref()),
    };
    let mut draft = ReportDocument::with_sections([TECHNIQUE, FINDINGS, IMPRESSION]);
    draft.template = template.map(|template| template.id.clone());
    write_technique(&mut draft, file)?;
    let ordered = in_order(file.known_findings(), template);
    for finding in &ordered {
        write_finding(&mut draft, finding, file.known_priors())?;
    }
    write_impression(&mut draft, &ordered)?;
    Ok(draft)
}

fn unknown_template(name: &str) -> DraftError {
    let known: Vec<&str> = template::built_in().iter().map(|template| template.id.as_str()).collect();
    DraftError::UnknownTemplate { known: known.join(", "), name: name.to_owned() }
}

fn in_order<'a>(findings: &'a [Finding], template: Option<&Template>) -> Vec<&'a Finding> {
    let mut ordered: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.effective_state() != State::Rejected && phrase::term_of(finding).is_some())
        .collect();
    // Stable: within an organ what is there comes before what is not, else the file's order stays.
    ordered.sort_by_key(|finding| {
        let rank = template.map_or(0, |template| template.rank(finding));
        (rank, finding.effective_assertion() == Assertion::Absent)
    });
    ordered
}

fn write_technique(draft: &mut Draft, file: &FindingsFile) -> Result<(), DraftError> {
    if let Some(text) = file.exam.as_ref().and_then(exam_sentence) {
        let chip = SourceChip { kind: ChipKind::Header, label: "Header".into() };
        draft.push(TECHNIQUE_INDEX, &text, vec![chip], vec![], SentenceState::Accepted)?;
    }
    if let Some(text) = file.priors.as_deref().and_then(comparison_sentence) {
        let chip = SourceChip { kind: ChipKind::Prior, label: "Prior".into() };
        draft.push(TECHNIQUE_INDEX, &text, vec![chip], vec![], SentenceState::Accepted)?;
    }
    Ok(())
}

fn exam_sentence(exam: &Exam) -> Option<String> {
    let modality = phrase::modality_name(exam.modality.as_deref()?);
    let mut text = modality.to_owned();
    if let Some(part) = exam.body_part.as_deref().and_then(phrase::body_part_name) {
        let side = exam.laterality.map(|side| format!("{} ", side.word())).unwrap_or_default();
        text.push_str(&format!(" of the {side}{part}"));
    }
    match exam.contrast {
        Some(true) => text.push_str(" with intravenous contrast"),
        Some(false) if matches!(modality, "CT" | "MR") => text.push_str(" without intravenous contrast"),
        _ => {}
    }
    text.push('.');
    Some(text)
}

fn comparison_sentence(priors: &[Prior]) -> Option<String> {
    if priors.is_empty() {
        return Some("No prior examination for comparison.".into());
    }
    let named: Vec<String> = priors
        .iter()
        .filter_map(|prior| {
            let date = prior.date.as_deref()?;
            Some(match prior.modality.as_deref() {
                Some(modality) => format!("{} of {date}", phrase::modality_name(modality)),
                None => date.to_owned(),
            })
        })
        .collect();
    (!named.is_empty()).then(|| format!("Compared with {}.", phrase::list(&named)))
}

fn write_finding(draft: &mut Draft, finding: &Finding, priors: &[Prior]) -> Result<(), DraftError> {
    let Some(text) = phrase::finding_sentence(finding, priors) else { return Ok(()) };
    let confirmed = finding.effective_state() == State::Confirmed;
    let state = if confirmed { SentenceState::Accepted } else { SentenceState::Proposed };
    draft.push(FINDINGS_INDEX, &text, chips(finding, confirmed), ids(finding), state)?;
    Ok(())
}

fn ids(finding: &Finding) -> Vec<String> {
    finding.id.iter().cloned().collect()
}

fn chips(finding: &Finding, confirmed: bool) -> Vec<SourceChip> {
    let mut chips = Vec::new();
    if finding.is_from_model() {
        let model = finding.source.as_ref().and_then(|source| source.model.as_deref()).unwrap_or("model");
        let label = format!("{model}, {}", if confirmed { "accepted" } else { "unconfirmed" });
        chips.push(SourceChip { kind: ChipKind::Model, label });
    } else {
        chips.push(SourceChip { kind: ChipKind::Reader, label: "You".into() });
    }
    if let Some(label) = phrase::measurement_label(finding) {
        chips.push(SourceChip { kind: ChipKind::Measurement, label });
    }
    if let Some(size) = phrase::size_words(finding.prior_size_mm.as_deref()) {
        chips.push(SourceChip { kind: ChipKind::Prior, label: format!("Prior {size}") });
    }
    chips
}

fn write_impression(draft: &mut Draft, findings: &[&Finding]) -> Result<(), DraftError> {
    let confirmed = || findings.iter().filter(|finding| finding.effective_state() == State::Confirmed);
    let mut positive: Vec<&&Finding> = confirmed()
        .filter(|finding| matches!(finding.effective_assertion(), Assertion::Present | Assertion::Possible))
        .filter(|finding| phrase::is_conclusion(finding))
        .collect();
    positive.sort_by_key(|finding| urgency(finding));
    for finding in &positive {
        if let Some(text) = phrase::conclusion_sentence(finding) {
            draft.push(IMPRESSION_INDEX, &text, chips(finding, true), ids(finding), SentenceState::Accepted)?;
        }
    }
    if positive.is_empty() {
        let absent: Vec<&&Finding> =
            confirmed().filter(|finding| finding.effective_assertion() == Assertion::Absent).collect();
        let terms: Vec<String> = absent.iter().filter_map(|finding| phrase::term_of(finding)).collect();
        if !terms.is_empty() {
            let chip = SourceChip { kind: ChipKind::Reader, label: "You".into() };
            let finding_ids = absent.iter().flat_map(|finding| ids(finding)).collect();
            let text = format!("No {}.", phrase::alternatives(&terms));
            draft.push(IMPRESSION_INDEX, &text, vec![chip], finding_ids, SentenceState::Accepted)?;
        }
    }
    Ok(())
}

/// New and growing findings come first; what is unchanged or smaller comes last.
fn urgency(finding: &Finding) -> u8 {
    match finding.change {
        Some(Change::New) => 0,
        Some(Change::Increased) => 1,
        None => 2,
        Some(Change::Unchanged) => 3,
        Some(Change::Decreased | Change::Resolved) => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::{Calibration, LungGeometry, sentences};

    fn contract_file() -> FindingsFile {
        FindingsFile::from_json(
            r#"{"exam": {"modality": "CT", "body_part": "CHEST", "contrast": true, "date": "2026-11-18"},
            "priors": [{"date": "2025-10-30", "modality": "CT"}],
            "findings": [
              {"id": "f1", "term": "pulmonary nodule", "assertion": "present", "site": "right lower lobe", "side": "right",
               "size_mm": [8.4, 6.1], "prior_size_mm": [6.0, 5.0], "change": "increased", "attributes": {"composition": "solid"},
               "source": {"kind": "model", "model": "ct-lung-nodule", "score": 0.91}, "state": "confirmed"},
              {"id": "f2", "term": "pleural effusion", "assertion": "absent", "source": {"kind": "reader"}},
              {"id": "f3", "term": "emphysema", "source": {"kind": "model", "model": "ct-emphysema"}},
              {"id": "f4", "term": "pneumothorax", "source": {"kind": "model"}, "state": "rejected"}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn confirmed_findings_make_text_and_proposed_ones_only_chips() {
        let draft = draft(&contract_file(), None).unwrap();
        assert_eq!(
            draft.to_text(),
            "TECHNIQUE:\nCT of the chest with intravenous contrast.\nCompared with CT of 2025-10-30.\n\n\
             FINDINGS:\nSolid pulmonary nodule in the right lower lobe, 8.4 x 6.1 mm, increased from 6 x 5 mm on 2025-10-30.\n\
             No pleural effusion.\n\n\
             IMPRESSION:\nSolid pulmonary nodule in the right lower lobe, 8.4 x 6.1 mm, increased.\n"
        );
        assert_eq!(draft.unconfirmed_count(), 1);
        let proposed = draft.sentences().find(|sentence| !sentence.is_confirmed()).unwrap();
        assert_eq!(proposed.text, "Emphysema.");
        assert_eq!(proposed.sources[0].label, "ct-emphysema, unconfirmed");
        assert!(draft.sentences().all(|sentence| !sentence.text.contains("neumothorax")));
    }

    #[test]
    fn every_number_of_a_finding_sentence_is_in_its_finding_or_prior() {
        let file = contract_file();
        let held = serde_json::to_string(&file).unwrap();
        for sentence in draft(&file, None).unwrap().sentences() {
            for number in
                sentence.text.split(|letter: char| !letter.is_ascii_digit()).filter(|digits| !digits.is_empty())
            {
                assert!(held.contains(number), "{number} in {}", sentence.text);
            }
        }
    }

    #[test]
    fn lung_geometry_becomes_the_two_sentences() {
        let geometry = LungGeometry {
            right_share: Some(0.54),
            left_share: Some(0.46),
            thoracic_width_mm: Some(307.0),
            heart_width_mm: Some(126.0),
            ratio: Some(0.4104),
            calibration: Calibration::Detector,
            ..LungGeometry::default()
        };
        let mut file = FindingsFile { findings: Some(sentences(&geometry, "cxr-lungs", "ab")), ..Default::default() };
        let texts = |file: &FindingsFile| -> Vec<String> {
            draft(file, Some("chest-xray")).unwrap().sentences().map(|sentence| sentence.text.clone()).collect()
        };
        assert_eq!(
            texts(&file),
            [
                "Right lung 54 % and left lung 46 % of the lung area.",
                "Cardiothoracic ratio 0.41 (126 / 307 mm, at the detector), estimated from the lung outlines."
            ]
        );
        let uncalibrated = LungGeometry { calibration: Calibration::None, ..geometry };
        file.findings = Some(sentences(&uncalibrated, "cxr-lungs", "ab"));
        assert_eq!(texts(&file)[1], "Cardiothoracic ratio 0.41, estimated from the lung outlines.");
        let areas = LungGeometry {
            right_area_mm2: Some(19_620.0),
            left_area_mm2: Some(20_580.0),
            heart_width_mm: None,
            ratio: None,
            ..geometry
        };
        file.findings = Some(sentences(&areas, "cxr-lungs", "ab"));
        assert_eq!(
            texts(&file),
            [
                "Right lung 54 % and left lung 46 % of the lung area (196 and 206 cm², at the detector).",
                "Inner width of the thorax 307 mm, at the detector."
            ]
        );
    }

    #[test]
    fn an_unknown_template_is_named_with_the_known_ones() {
        let error = draft(&FindingsFile::default(), Some("poem")).unwrap_err().to_string();
        assert!(error.contains("chest-xray") && error.ends_with("poem"), "{error}");
    }

    #[test]
    fn an_empty_file_drafts_an_empty_text() {
        assert_eq!(draft(&FindingsFile::default(), None).unwrap().to_text(), "");
    }

    #[test]
    fn findings_without_positive_ones_conclude_with_what_is_absent() {
        let file = FindingsFile::from_json(
            r#"{"findings": [{"term": "pneumothorax", "assertion": "absent"}, {"term": "pleural effusion", "assertion": "absent"}]}"#,
        )
        .unwrap();
        assert!(draft(&file, None).unwrap().to_text().ends_with("IMPRESSION:\nNo pneumothorax or pleural effusion.\n"));
    }
}
