//! report: draft, parse, check.

use std::path::{Path, PathBuf};

use lightbox_report::check::{Issue, Rule};
use lightbox_report::draft::draft;
use lightbox_report::findings::{Exam, FindingsFile, Patient, Side};
use lightbox_report::{check, parse};

use super::{index, nothing_found};
use crate::args::Report;
use crate::output;

pub(super) fn run(action: Report) -> Result<(), String> {
    match action {
        Report::Draft { findings, template, study } => {
            let mut file = read_findings(&findings)?;
            if let Some(study) = study {
                for contradiction in fill(&mut file, &study)? {
                    output::note(&contradiction);
                }
            }
            // A file of the form MRRT is a template of one's own: its text, to be filled.
            if let Some(page) = template.as_deref().filter(|name| name.ends_with(".html") || name.ends_with(".htm")) {
                let page =
                    lightbox_report::mrrt::read(&read_text(Path::new(page))?).map_err(|e| format!("{e}: {page}"))?;
                output::line(page.to_text().trim_end());
                return Ok(());
            }
            let draft = draft(&file, template.as_deref()).map_err(|e| e.to_string())?;
            output::line(draft.to_text_with_proposals().trim_end());
            Ok(())
        }
        Report::Export(args) => super::export::run(&args),
        Report::Complete { text, count, partner, history, json } => {
            super::language::complete(&text, count, partner.as_deref(), history.as_deref(), json)
        }
        Report::Impression(args) => super::language::assist(&args, lightbox_report::assist::impression::propose),
        Report::Letter(args) => super::language::assist(&args, lightbox_report::assist::letter::propose),
        Report::Words { term, count, json } => super::language::words(&term, count, json),
        Report::Kinds { file, json } => {
            let text = read_text(&file)?;
            let kinds = lightbox_report::assist::kind::kinds(&text);
            let list: Vec<serde_json::Value> =
                kinds.iter().map(|(span, kind)| serde_json::json!({"span": span, "kind": kind})).collect();
            if json {
                return output::json(&list);
            }
            for (span, kind) in kinds {
                let word = serde_json::to_value(kind).map_err(|e| e.to_string())?;
                output::line(&format!("{:14} {}", word.as_str().unwrap_or_default(), text[span[0]..span[1]].trim()));
            }
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
            let contradictions = match study {
                Some(study) => fill(facts.get_or_insert_with(FindingsFile::default), &study)?,
                None => Vec::new(),
            };
            let mut issues = check::check(&text, facts.as_ref(), check::today());
            let severity = Rule::R10.severity();
            issues.extend(contradictions.into_iter().map(|message| Issue {
                rule: Rule::R10,
                severity,
                message,
                spans: Vec::new(),
            }));
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

pub(super) fn read_text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path)
        .map_err(|e| format!("the text cannot be read ({}): {}", super::refusal(&e), path.display()))?;
    // Other encodings than UTF-8 are read as far as they go; byte offsets are those of the text as read.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn read_findings(path: &Path) -> Result<FindingsFile, String> {
    FindingsFile::from_json(&read_text(path)?).map_err(|e| format!("{e}: {}", path.display()))
}

/// Fills what the header knows and the file does not say; where both speak and differ, each is a sentence.
fn fill(file: &mut FindingsFile, study: &Path) -> Result<Vec<String>, String> {
    let index = index(&[PathBuf::from(study)])?;
    // The study of the file's day, where a folder holds several.
    let day = file.exam.as_ref().and_then(|e| e.date.clone());
    let of_day = index.studies.iter().find(|s| day.as_deref() == Some(s.date.as_str()));
    let study = of_day.or_else(|| index.studies.first()).ok_or_else(|| nothing_found(&index))?;
    let series = study.series.first();
    let mut said = Vec::new();
    let mut against = |what: &str, told: &str, header: &str| {
        if !header.is_empty() && !told.trim().eq_ignore_ascii_case(header) {
            said.push(format!("The findings file gives the {what} {told}, the header {header}."));
        }
    };
    let some = |t: &str| (!t.is_empty()).then(|| t.to_owned());
    let exam = file.exam.get_or_insert_with(Exam::default);
    if let Some(series) = series {
        match &exam.modality {
            // DX and CR are both what a text calls an X-ray.
            Some(told) if is_xray(told) && is_xray(&series.modality) => {}
            Some(told) => against("modality", told, &series.modality),
            None => exam.modality = some(&series.modality),
        }
        exam.body_part = exam.body_part.take().or_else(|| some(&series.body_part));
        let side = match series.laterality.as_str() {
            "L" => Some(Side::Left),
            "R" => Some(Side::Right),
            "B" => Some(Side::Bilateral),
            _ => None,
        };
        match (exam.laterality, side) {
            (Some(told), Some(side)) => against("side", told.word(), side.word()),
            (None, side) => exam.laterality = side,
            _ => {}
        }
        // A header that names no agent does not say that none was given.
        if study.series.iter().any(|s| !s.contrast.is_empty()) {
            match exam.contrast {
                Some(false) => against("contrast agent", "as not given", "names one"),
                Some(true) => {}
                None => exam.contrast = Some(true),
            }
        }
    }
    match &exam.date {
        Some(told) => against("date", told, &study.date),
        None => exam.date = some(&study.date),
    }
    exam.series = exam.series.or(Some(study.series.len() as u64));
    exam.images = exam.images.or(Some(study.series.iter().map(|s| s.frames as u64).sum()));
    let patient = file.patient.get_or_insert_with(Patient::default);
    match &patient.sex {
        Some(told) if !told.is_empty() => {
            let first = |t: &str| t.trim().chars().next().map_or(String::new(), |c| c.to_uppercase().to_string());
            against("sex", &first(told), &first(&study.patient.sex));
        }
        _ => patient.sex = some(&study.patient.sex),
    }
    match (patient.age, study.patient.age_years) {
        // A birthday lies between two ways of counting.
        (Some(told), Some(age)) if (told - age).abs() > 1.0 => {
            against("age", &format!("{told}"), &format!("{}", age.floor()));
        }
        (None, age) => patient.age = age,
        _ => {}
    }
    // For R24 alone: what must not stand in a text.
    let known = &study.patient;
    for (key, value) in [("name", &known.name), ("id", &known.id), ("birth_date", &known.birth_date)] {
        if !value.is_empty() {
            patient.other.entry(key).or_insert_with(|| value.as_str().into());
        }
    }
    Ok(said)
}

fn is_xray(modality: &str) -> bool {
    ["CR", "DX", "DR", "RF", "XR", "RG"].iter().any(|m| m.eq_ignore_ascii_case(modality.trim()))
}
