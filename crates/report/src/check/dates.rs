//! R11 comparison, R22 dates in the future.

use time::Date;

use super::{Facts, Issue, Rule};
use crate::parse::date::parse_iso;
use crate::parse::{DateMention, SectionKind};

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = comparison(facts);
    issues.extend(future(facts));
    issues
}

fn prior_days(facts: &Facts<'_>) -> Option<Vec<Date>> {
    facts
        .file?
        .priors
        .as_ref()
        .map(|priors| priors.iter().filter_map(|prior| prior.date.as_deref().and_then(parse_iso)).collect())
}

/// Whether a sentence compares with an earlier examination.
fn compares(facts: &Facts<'_>, sentence: usize) -> bool {
    let report = facts.report;
    let kind = report.kind_of(sentence);
    if kind == SectionKind::Comparison {
        return true;
    }
    if kind == SectionKind::History {
        return report.has_phrase(sentence, &["compared", "with"])
            || report.has_phrase(sentence, &["compared", "to"])
            || report.has_phrase(sentence, &["comparison", "is", "made"]);
    }
    if matches!(kind, SectionKind::Administrative | SectionKind::Recommendation) {
        return false;
    }
    let word = report.has_word(sentence, &["compared", "comparison", "since"]);
    let of_prior = report.has_word(sentence, &["prior", "previous", "earlier", "previously"])
        && report.has_word(
            sentence,
            &[
                "exam",
                "examination",
                "study",
                "ct",
                "mri",
                "radiograph",
                "film",
                "scan",
                "ultrasound",
                "imaging",
                "sonogram",
                "mr",
            ],
        );
    word || of_prior
}

fn comparison(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let priors = prior_days(facts);
    let mut issues = Vec::new();
    let dates_of = |sentence: usize| {
        report.dates.iter().filter(move |date| report.sentence_of(date.tokens.start) == Some(sentence))
    };
    let comparing: Vec<usize> = (0..report.sentences.len()).filter(|sentence| compares(facts, *sentence)).collect();
    let says_none = |sentence: usize| denies_prior(facts, sentence);
    let any_date = comparing.iter().any(|sentence| dates_of(*sentence).next().is_some());
    for &sentence in &comparing {
        let kind = report.kind_of(sentence);
        let span = report.sentences[sentence].span.clone();
        if says_none(sentence) {
            let has_priors = facts.file.is_some_and(|file| !file.known_priors().is_empty());
            if has_priors {
                issues.push(Issue::new(Rule::R11, "The text says that there is no prior, but there is one.", [span]));
            }
            continue;
        }
        let section = report.sentences[sentence].section;
        let section_dated = kind == SectionKind::Comparison
            && comparing
                .iter()
                .any(|other| report.sentences[*other].section == section && dates_of(*other).next().is_some());
        let mut dated = false;
        for date in dates_of(sentence) {
            dated = true;
            if is_exam_day(facts, date) && kind != SectionKind::Comparison {
                continue;
            }
            if let Some(message) = wrong_date(facts, date, priors.as_deref()) {
                issues.push(Issue::new(Rule::R11, message, [date.span.clone()]));
            }
        }
        // The first comparison must say with what; later ones may refer to it.
        let names_exam = report.has_word(
            sentence,
            &[
                "prior",
                "previous",
                "ct",
                "mri",
                "radiograph",
                "study",
                "examination",
                "exam",
                "ultrasound",
                "x",
                "film",
                "mr",
                "scan",
                "earlier",
                "cxr",
                "sonogram",
                "outside",
            ],
        );
        let relative = report.has_word(sentence, &["yesterday", "today", "ago", "same", "earlier"])
            && report.has_word(sentence, &["yesterday", "today", "ago", "day"]);
        let has_a_date = dated || section_dated || any_date && kind != SectionKind::Comparison;
        if !has_a_date
            && names_exam
            && !relative
            && (kind == SectionKind::Comparison || is_reference(facts, sentence))
            && !issues.iter().any(|issue: &Issue| issue.message == UNDATED)
        {
            issues.push(Issue::new(Rule::R11, UNDATED, [span]));
        }
    }
    issues
}

const UNDATED: &str = "The comparison has no date.";

/// "Compared with the prior CT": refers to one examination, not to change in general.
fn is_reference(facts: &Facts<'_>, sentence: usize) -> bool {
    let report = facts.report;
    report.has_word(sentence, &["compared", "comparison"])
        && report.has_word(
            sentence,
            &[
                "prior",
                "previous",
                "ct",
                "mri",
                "radiograph",
                "study",
                "examination",
                "exam",
                "ultrasound",
                "film",
                "scan",
            ],
        )
        && !report.has_word(
            sentence,
            &["recommend", "recommended", "available", "contralateral", "side", "would", "no", "if"],
        )
        && report.kind_of(sentence) != SectionKind::Title
}

fn denies_prior(facts: &Facts<'_>, sentence: usize) -> bool {
    let report = facts.report;
    let in_section = report.kind_of(sentence) == SectionKind::Comparison;
    let words: Vec<&str> = report.words(sentence).collect();
    if in_section && words.iter().any(|word| matches!(*word, "none" | "nil")) {
        return true;
    }
    let denied = words.windows(2).any(|pair| {
        pair[0] == "no"
            && matches!(pair[1], "prior" | "previous" | "comparison" | "relevant" | "available" | "earlier" | "study")
    }) || words.contains(&"none") && words.contains(&"available")
        || words.windows(2).any(|pair| pair == ["not", "available"])
        || words.contains(&"unavailable");
    denied
        && (in_section || report.has_word(sentence, &["comparison", "compared", "available", "prior", "previous"]))
        && !report.has_word(sentence, &["change", "interval"])
}

fn is_exam_day(facts: &Facts<'_>, date: &DateMention) -> bool {
    facts.exam_date.is_some_and(|day| date.readings.iter().any(|(first, last)| *first == day && *last == day))
}

fn wrong_date(facts: &Facts<'_>, date: &DateMention, priors: Option<&[Date]>) -> Option<String> {
    let known_fit = priors.is_some_and(|priors| priors.iter().any(|day| date.may_be(*day)));
    if known_fit {
        return None;
    }
    if let Some(exam) = facts.exam_date
        && date.is_after(exam)
    {
        return Some("The comparison is later than the examination.".into());
    }
    priors.map(|priors| {
        if priors.is_empty() {
            "The text compares, but there is no prior.".into()
        } else {
            "No prior has this date.".into()
        }
    })
}

/// R22: after the examination and after today, unless it is an appointment.
fn future(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let latest = facts.exam_date.map_or(facts.today, |exam| exam.max(facts.today));
    report
        .dates
        .iter()
        .filter(|date| date.is_after(latest))
        .filter(|date| {
            report.sentence_of(date.tokens.start).is_none_or(|sentence| {
                !report.has_word(
                    sentence,
                    &[
                        "scheduled",
                        "planned",
                        "appointment",
                        "recommend",
                        "recommended",
                        "recommendation",
                        "follow",
                        "due",
                        "next",
                        "repeat",
                        "booked",
                        "surveillance",
                        "advised",
                        "plan",
                        "until",
                        "by",
                        "will",
                        "should",
                        "suggested",
                        "arranged",
                        "rescheduled",
                        "clinic",
                        "expected",
                        "edd",
                        "delivery",
                    ],
                )
            })
        })
        .map(|date| Issue::new(Rule::R22, "This date lies in the future.", [date.span.clone()]))
        .collect()
}
