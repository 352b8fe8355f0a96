//! R24: names and numbers of the patient in free text.

use super::{Facts, Issue, Rule};
use crate::parse::tokens::TokenKind;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = labelled(facts);
    issues.extend(titled(facts));
    issues.extend(numbers(facts));
    issues.extend(stored(facts));
    issues
}

fn issue(message: &str, span: std::ops::Range<usize>) -> Issue {
    Issue::new(Rule::R24, message, [span])
}

/// "MRN: 123456", "Patient name: Jane Roe", "DOB 01/02/1960".
fn labelled(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let tokens = &report.tokens;
    let mut issues = Vec::new();
    for index in 0..tokens.len() {
        let norm = |ahead: usize| tokens.get(index + ahead).map_or("", |token| &*token.norm);
        let (skip, what) = match norm(0) {
            "mrn" | "ssn" | "nhs" => (1, "number"),
            "medical" if norm(1) == "record" => (2, "number"),
            "hospital" | "accession" | "insurance" | "patient" | "case" | "chart" | "id" | "phone" | "telephone"
            | "tel" | "mobile" | "pid" | "identification" | "policy" | "hosp" | "cell" => (1, "number"),
            "dob" | "born" => (1, "date"),
            "date" if norm(1) == "of" && norm(2) == "birth" => (3, "date"),
            "birth" if norm(1) == "date" => (2, "date"),
            "birthdate" | "d" if norm(0) == "birthdate" || norm(1) == "." && norm(2) == "o" => {
                (if norm(0) == "d" { 6 } else { 1 }, "date")
            }
            "name" => (1, "name"),
            _ => continue,
        };
        let mut at = index + skip;
        while tokens.get(at).is_some_and(|token| {
            matches!(
                &*token.norm,
                ":" | "#" | "." | "no" | "number" | "is" | "id" | "-" | "on" | "name" | "record" | "=" | "card"
            )
        }) && at < index + skip + 4
        {
            at += 1;
        }
        let Some(value) = tokens.get(at).filter(|value| value.breaks == 0) else { continue };
        let found = match what {
            "date" => report.dates.iter().find(|date| date.tokens.contains(&at)).map(|date| date.span.clone()),
            "name" => {
                let is_patient = index == 0
                    || !matches!(
                        &*tokens[index - 1].norm,
                        "physician"
                            | "doctor"
                            | "radiologist"
                            | "exam"
                            | "examination"
                            | "study"
                            | "series"
                            | "file"
                            | "referring"
                            | "template"
                            | "procedure"
                    );
                (is_patient && is_capital(facts, at) && at > index + 1).then(|| value.span.start..name_end(facts, at))
            }
            _ => {
                let name_follows = norm(0) == "patient"
                    && (tokens[index + 1..at].iter().any(|token| token.is_mark(":"))
                        || tokens[index + 1..at].iter().any(|token| &*token.norm == "name"))
                    && is_capital(facts, at)
                    && is_capital(facts, at + 1);
                let two_names = norm(0) == "patient"
                    && at == index + 1
                    && is_capital(facts, at)
                    && is_capital(facts, at + 1)
                    && is_name_word(facts, at)
                    && is_name_word(facts, at + 1);
                if name_follows || two_names {
                    Some(value.span.start..name_end(facts, at))
                } else {
                    let end = number_run_end(facts, at);
                    let digits = report.text[value.span.start..end].chars().filter(char::is_ascii_digit).count();
                    let coded = value.kind == TokenKind::Word && digits >= 4;
                    (digits >= 5 && value.kind == TokenKind::Number || coded).then_some(value.span.start..end)
                }
            }
        };
        if let Some(span) = found {
            issues.push(issue(
                "The text holds an identifier of the patient.",
                tokens[index].span.start.min(span.start)..span.end,
            ));
        }
    }
    issues
}

/// Consecutive digits, letters and joints without a space.
fn number_run_end(facts: &Facts<'_>, start: usize) -> usize {
    let tokens = &facts.report.tokens;
    let mut end = tokens[start].span.end;
    for token in &tokens[start + 1..(start + 8).min(tokens.len())] {
        let joined = !token.spaced && (token.kind != TokenKind::Mark || matches!(&*token.norm, "-" | "/"));
        let grouped = token.spaced && token.kind == TokenKind::Number && token.breaks == 0;
        if !(joined || grouped) {
            break;
        }
        end = token.span.end;
    }
    end
}

fn is_capital(facts: &Facts<'_>, index: usize) -> bool {
    facts.report.tokens.get(index).is_some_and(|token| {
        token.kind == TokenKind::Word && facts.report.text[token.span.clone()].starts_with(char::is_uppercase)
    })
}

/// A capital word of small letters that no list of words holds.
fn is_name_word(facts: &Facts<'_>, index: usize) -> bool {
    facts.report.tokens.get(index).is_some_and(|token| {
        let written = &facts.report.text[token.span.clone()];
        written.chars().skip(1).all(char::is_lowercase)
            && written.len() > 2
            && !super::spelling::is_known_word(&written.to_lowercase())
    })
}

fn name_end(facts: &Facts<'_>, start: usize) -> usize {
    let tokens = &facts.report.tokens;
    let mut end = tokens[start].span.end;
    for index in start + 1..(start + 4).min(tokens.len()) {
        let is_joint = matches!(&*tokens[index].norm, "," | "-" | "'") && is_capital(facts, index + 1);
        if tokens[index].breaks > 0 || !(is_capital(facts, index) || is_joint) {
            break;
        }
        end = tokens[index].span.end;
    }
    end
}

/// "Mr. Smith", "Mrs Jones": colleagues carry "Dr.".
fn titled(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for (index, token) in report.tokens.iter().enumerate() {
        let written = &report.text[token.span.clone()];
        if !matches!(written, "Mr" | "Mrs" | "Ms" | "Miss" | "Mr." | "MR." | "MRS" | "Mister") {
            continue;
        }
        let at = if report.tokens.get(index + 1).is_some_and(|next| next.is_mark(".")) { index + 2 } else { index + 1 };
        let colleague = report.sentence_of(index).is_some_and(|sentence| {
            report.has_word(sentence, &["radiographer", "consultant", "surgeon", "registrar", "sonographer", "nurse"])
        });
        if is_capital(facts, at) && report.tokens[at].breaks == 0 && !colleague {
            issues.push(issue("The text holds a name.", token.span.start..name_end(facts, at)));
        }
    }
    issues
}

/// Telephone numbers, e-mail addresses, and long digit strings that are nothing else.
fn numbers(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let text = report.text;
    let mut issues = Vec::new();
    let mut last_end = 0;
    for (index, token) in report.tokens.iter().enumerate() {
        if token.is_mark("@")
            && index > 0
            && !token.spaced
            && report.tokens.get(index + 1).is_some_and(|next| !next.spaced && next.kind == TokenKind::Word)
        {
            issues.push(issue(
                "The text holds an e-mail address.",
                report.tokens[index - 1].span.start..report.tokens[index + 1].span.end,
            ));
        }
        if token.kind != TokenKind::Number
            || token.span.start < last_end
            || report.dates.iter().any(|date| date.tokens.contains(&index))
        {
            continue;
        }
        let before = index.checked_sub(1).map(|at| &report.tokens[at]);
        if before.is_some_and(|before| !token.spaced && before.is_mark(".")) {
            continue; // inside a UID or a version
        }
        let end = phone_end(text, token.span.start);
        last_end = end;
        let run = &text[token.span.start..end];
        let digits = run.chars().filter(char::is_ascii_digit).count();
        let groups: Vec<usize> =
            run.split(|letter: char| !letter.is_ascii_digit()).map(str::len).filter(|length| *length > 0).collect();
        let unit = report.tokens.iter().skip(index).find(|next| next.span.start >= end).map_or("", |next| &*next.norm);
        let is_measure = matches!(unit, "mm" | "cm" | "ml" | "hu" | "%" | "x");
        let is_phone = (9..=13).contains(&digits)
            && groups.len() >= 2
            && groups.iter().all(|length| *length >= 2)
            && groups.iter().any(|length| *length == 4 || *length == 3)
            && !run.contains('.')
            || digits == 7 && groups == [3, 4] && run.contains('-');
        let is_ssn = groups == [3, 2, 4];
        let is_long = groups.len() == 1 && digits >= 7 && !run.contains('.');
        if !is_measure && (is_phone || is_ssn || is_long) {
            let start = if before.is_some_and(|before| before.is_mark("+") || before.is_mark("(")) {
                token.span.start - 1
            } else {
                token.span.start
            };
            issues.push(issue("The text holds a number that may identify the patient.", start..end));
        }
    }
    issues
}

/// Digits with single spaces, hyphens and brackets between.
fn phone_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = start;
    let mut at = start;
    let mut joints = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_digit() {
            at += 1;
            end = at;
            joints = 0;
        } else if matches!(bytes[at], b' ' | b'-' | b')' | b'(') && joints < 2 {
            at += 1;
            joints += 1;
        } else {
            break;
        }
    }
    end
}

/// The name, number and birth date of the study, where the file holds them.
fn stored(facts: &Facts<'_>) -> Vec<Issue> {
    let Some(patient) = facts.file.and_then(|file| file.patient.as_ref()) else { return Vec::new() };
    let report = facts.report;
    let mut issues = Vec::new();
    for (key, value) in &patient.other {
        let Some(value) = value.as_str() else { continue };
        match key.as_str() {
            "name" | "patient_name" => {
                for part in
                    value.split(|letter: char| !letter.is_alphanumeric()).filter(|part| part.chars().count() >= 3)
                {
                    let wanted = part.to_lowercase();
                    let found = report.tokens.iter().find(|token| {
                        token.kind == TokenKind::Word
                            && report.text[token.span.clone()].to_lowercase() == wanted
                            && report.text[token.span.clone()].starts_with(char::is_uppercase)
                    });
                    if let Some(token) = found {
                        issues.push(issue("The text holds the patient's name.", token.span.clone()));
                    }
                }
            }
            "id" | "patient_id" | "mrn" | "accession" if value.len() >= 4 => {
                if let Some(start) = report.text.find(value) {
                    issues.push(issue("The text holds the patient's number.", start..start + value.len()));
                }
            }
            "birth_date" => {
                if let Some(day) = crate::parse::date::parse_iso(value)
                    && let Some(date) = report
                        .dates
                        .iter()
                        .find(|date| date.readings.iter().any(|(first, last)| *first == day && *last == day))
                {
                    issues.push(issue("The text holds the patient's birth date.", date.span.clone()));
                }
            }
            _ => {}
        }
    }
    issues
}
