//! report: draft, parse, check.

use std::path::{Path, PathBuf};

use lightbox_report::draft::draft;
use lightbox_report::findings::{Exam, FindingsFile, Patient};
use lightbox_report::{check, parse};

use super::index;
use crate::args::Report;
use crate::output;

pub(super) fn run(action: Report) -> Result<(), String> {
    match action {
        Report::Draft { findings, template, study } => {
            let mut file = read_findings(&findings)?;
            if let Some(study) = study {
                fill(&mut file, &study)?;
            }
            let draft = draft(&file, template.as_deref()).map_err(|e| e.to_string())?;
            output::line(draft.to_text_with_proposals().trim_end());
            Ok(())
        }
        Report::Parse { file, json } => {
            let terms = parse::parse(&read_text(&file)?);
            if json {
                return output::json(&terms);
            }
            for term in &terms {
                let value = serde_json::to_value(term).map_err(|e| e.to_string())?;
                output::line(&value.to_string());
            }
            Ok(())
        }
        Report::Check { file, study, findings, json } => {
            let text = read_text(&file)?;
            let mut facts = findings.as_deref().map(read_findings).transpose()?;
            if let Some(study) = study {
                fill(facts.get_or_insert_with(FindingsFile::default), &study)?;
            }
            let issues = check::check(&text, facts.as_ref(), check::today());
            if json {
                return output::json(&issues);
            }
            for issue in &issues {
                let value = serde_json::to_value(issue).map_err(|e| e.to_string())?;
                let word = |k: &str| value.get(k).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
                output::line(&format!("{} {}: {}", word("rule"), word("severity"), word("message")));
            }
            if issues.is_empty() {
                output::note("No check has anything to say.");
            }
            Ok(())
        }
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("the text cannot be read ({e}): {}", path.display()))?;
    // Other encodings than UTF-8 are read as far as they go; byte offsets are those of the text as read.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_findings(path: &Path) -> Result<FindingsFile, String> {
    FindingsFile::from_json(&read_text(path)?).map_err(|e| format!("{e}: {}", path.display()))
}

/// Fills what the header knows and the file does not say.
fn fill(file: &mut FindingsFile, study: &Path) -> Result<(), String> {
    let index = index(&[PathBuf::from(study)])?;
    let study = index.studies.first().ok_or("the study holds no image")?;
    let series = study.series.first();
    let some = |t: &str| (!t.is_empty()).then(|| t.to_owned());
    let exam = file.exam.get_or_insert_with(Exam::default);
    if let Some(series) = series {
        exam.modality = exam.modality.take().or_else(|| some(&series.modality));
        exam.body_part = exam.body_part.take().or_else(|| some(&series.body_part));
    }
    exam.date = exam.date.take().or_else(|| some(&study.date));
    exam.series = exam.series.or(Some(study.series.len() as u64));
    exam.images = exam.images.or(Some(study.series.iter().map(|s| s.frames as u64).sum()));
    let patient = file.patient.get_or_insert_with(Patient::default);
    patient.sex = patient.sex.take().or_else(|| some(&study.patient.sex));
    patient.age = patient.age.or(study.patient.age_years);
    Ok(())
}
