//! R08 sex, R09 age.

use std::ops::Range;

use super::{Facts, Issue, Rule};
use crate::findings::Assertion;
use crate::parse::SectionKind;
use crate::parse::tokens::TokenKind;

/// Ages are whole years and a birthday may lie between two examinations.
const AGE_TOLERANCE_YEARS: f64 = 1.0;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = sex(facts);
    issues.extend(age(facts));
    issues
}

/// "64-year-old woman", "the patient is a man": the sex that the text gives, and where.
fn told_sex(facts: &Facts<'_>) -> Vec<(bool, Range<usize>)> {
    let report = facts.report;
    let mut told = Vec::new();
    for (index, token) in report.tokens.iter().enumerate() {
        let is_female = match &*token.norm {
            "woman" | "female" | "lady" | "girl" => true,
            "man" | "male" | "gentleman" | "boy" => false,
            // "64F", "64 M"
            norm if is_age_and_letter(norm) => norm.ends_with('f'),
            _ => continue,
        };
        if token.norm.len() > 3 || matches!(&*token.norm, "man" | "boy") {
            let next = report.tokens.get(index + 1).map_or("", |next| &*next.norm);
            let before = index.checked_sub(1).map_or("", |before| &*report.tokens[before].norm);
            // "male catheter", "female pelvis protocol" name no person, nor does a relative.
            if matches!(
                next,
                "fetus"
                    | "foetus"
                    | "fetal"
                    | "catheter"
                    | "connector"
                    | "breast"
                    | "pelvis"
                    | "genitalia"
                    | "infertility"
                    | "relative"
                    | "sibling"
            ) || matches!(before, "her" | "his")
            {
                continue;
            }
        }
        if is_tracer(facts, index) {
            continue;
        }
        told.push((is_female, token.span.clone()));
    }
    told
}

/// "18F-FDG", "[18F]PSMA": a nuclide, not an age and a sex.
fn is_tracer(facts: &Facts<'_>, index: usize) -> bool {
    let tokens = &facts.report.tokens;
    let norm = |at: usize| tokens.get(at).map_or("", |token| &*token.norm);
    if norm(index) != "18f" {
        return false;
    }
    let next = if matches!(norm(index + 1), "-" | "]" | "–" | ")") { index + 2 } else { index + 1 };
    norm(next).starts_with("fd") && norm(next).len() >= 3
        || norm(next).starts_with("fl")
        || ["fet", "fch", "faz", "psma", "dopa", "naf", "sodium", "choline", "dcfpyl", "pyl", "fes"]
            .contains(&norm(next))
        || index > 0 && matches!(norm(index - 1), "[" | "-")
}

fn is_age_and_letter(norm: &str) -> bool {
    norm.strip_suffix(['f', 'm'])
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn sex(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let stored = facts.file.and_then(|file| file.patient.as_ref()).and_then(crate::findings::Patient::is_female);
    let told = told_sex(facts);
    let mut issues = Vec::new();
    if let Some(female) = stored {
        for (said, span) in told.iter().filter(|(said, _)| *said != female) {
            let message = format!("The text speaks of a {}, the header of a {}.", word(*said), word(female));
            issues.push(Issue::new(Rule::R08, message, [span.clone()]));
        }
    }
    let all_agree = told.windows(2).all(|pair| pair[0].0 == pair[1].0);
    let Some(female) = stored.or_else(|| told.first().filter(|_| all_agree).map(|(said, _)| *said)) else {
        return issues;
    };
    let source = if stored.is_some() { None } else { told.first().map(|(_, span)| span.clone()) };
    let wrong = |flags: crate::lexicon::Flags| (female && flags.male) || (!female && flags.female);
    let mut add = |name: &str, span: &Range<usize>, sentence: usize| {
        if report.kind_of(sentence) == SectionKind::Comparison || has_reason(facts, sentence) {
            return;
        }
        let message = format!("{} does not occur in a {}.", super::side::capital(name), word(female));
        issues.push(Issue::new(Rule::R08, message, std::iter::once(span.clone()).chain(source.clone())));
    };
    for mention in
        report.mentions.iter().filter(|mention| wrong(mention.entry.flags) && !mention.family && !mention.historical)
    {
        if mention.assertion == Assertion::Absent && mention.entry.kind == crate::lexicon::Kind::Device {
            continue;
        }
        add(&mention.entry.name, &mention.span, mention.sentence);
    }
    for place in report.anatomy.iter().filter(|place| wrong(place.entry.flags)) {
        // "Cervix" may be the neck of another organ only as an adjective, which the lexicon keeps apart.
        add(&place.entry.name, &place.span, place.sentence);
    }
    issues
}

fn word(female: bool) -> &'static str {
    if female { "woman" } else { "man" }
}

/// An operation or a relative explains the word.
fn has_reason(facts: &Facts<'_>, sentence: usize) -> bool {
    facts.report.has_word(
        sentence,
        &[
            "transgender",
            "status",
            "s",
            "post",
            "prior",
            "previous",
            "history",
            "family",
            "mother",
            "father",
            "sister",
            "brother",
            "metastatic",
            "reassignment",
            "surgically",
            "intersex",
        ],
    ) && facts.report.has_word(
        sentence,
        &[
            "transgender",
            "history",
            "family",
            "mother",
            "father",
            "sister",
            "brother",
            "reassignment",
            "post",
            "surgically",
            "prior",
            "previous",
        ],
    )
}

/// R09: "64-year-old", "64 yo", "aged 64", "64F".
fn age(facts: &Facts<'_>) -> Vec<Issue> {
    let Some(stored_years) =
        facts.file.and_then(|file| file.patient.as_ref()).and_then(|patient| patient.age).filter(|age| age.is_finite())
    else {
        return Vec::new();
    };
    let report = facts.report;
    let mut issues = Vec::new();
    for index in 0..report.tokens.len() {
        let Some((years, tokens)) = age_at(facts, index) else { continue };
        let sentence = report.sentence_of(index);
        if sentence.is_some_and(|sentence| {
            report.has_word(
                sentence,
                &["mother", "father", "sister", "brother", "family", "grandmother", "grandfather", "ago"],
            )
        }) {
            continue;
        }
        if (years - stored_years).abs() > AGE_TOLERANCE_YEARS {
            let message = format!(
                "The text gives an age of {} years, the header of {} years.",
                shown(years),
                shown(stored_years)
            );
            issues.push(Issue::new(Rule::R09, message, [report.bytes(&tokens)]));
        }
    }
    issues
}

fn shown(years: f64) -> String {
    format!("{}", (years * 10.0).round() / 10.0)
}

/// An age that begins at a token, in years, and its tokens.
fn age_at(facts: &Facts<'_>, index: usize) -> Option<(f64, Range<usize>)> {
    let tokens = &facts.report.tokens;
    let token = &tokens[index];
    let norm = |at: usize| tokens.get(at).map_or("", |token| &*token.norm);
    // "64F", "64yo", "64y"
    if token.kind == TokenKind::Word && token.norm.starts_with(|letter: char| letter.is_ascii_digit()) {
        if is_tracer(facts, index) {
            return None;
        }
        let digits: String = token.norm.chars().take_while(char::is_ascii_digit).collect();
        let years: f64 = digits.parse().ok()?;
        return match &token.norm[digits.len()..] {
            "f" | "m" | "yo" | "yof" | "yom" | "yr" | "y"
                if years < 125.0 && !matches!(norm(index.wrapping_sub(1)), "x" | "by") =>
            {
                Some((years, index..index + 1))
            }
            _ => None,
        };
    }
    if token.kind == TokenKind::Word && matches!(&*token.norm, "aged" | "age") {
        let at = if matches!(norm(index + 1), ":" | "of" | "is") { index + 2 } else { index + 1 };
        let years = tokens.get(at)?.number()?;
        let unit = norm(at + 1);
        return (years < 125.0 && !matches!(unit, "month" | "week" | "day" | "%")).then_some((years, index..at + 1));
    }
    let value = token.number().filter(|value| *value < 1000.0)?;
    let mut at = index + 1;
    while matches!(norm(at), "-" | "‐" | "–") {
        at += 1;
    }
    let per_year = match norm(at) {
        "year" | "yr" | "y" | "yo" => 1.0,
        "month" | "mo" => 12.0,
        "week" | "wk" => 52.2,
        "day" => 365.25,
        _ => return None,
    };
    let mut end = at + 1;
    while matches!(norm(end), "-" | "/" | "‐" | "–" | "." | "of") && end - at < 4 {
        end += 1;
    }
    let says_old = matches!(norm(end), "old" | "o" | "age")
        || norm(at) == "yo"
        || matches!(norm(end), "female" | "male" | "woman" | "man" | "f" | "m" | "lady" | "gentleman")
            && norm(at) != "day";
    says_old.then(|| (value / per_year, index..(end + 1).min(tokens.len())))
}
