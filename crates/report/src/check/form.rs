//! R14: empty sections and unfilled fields.

use std::ops::Range;

use super::{Facts, Issue, Rule};
use crate::parse::SectionKind;
use crate::parse::tokens::TokenKind;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = empty_sections(facts);
    issues.extend(brackets(facts));
    issues.extend(placeholders(facts));
    issues
}

fn empty_sections(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for (index, section) in report.sections.iter().enumerate() {
        let has_content = report.tokens[section.tokens.clone()].iter().any(|token| token.kind != TokenKind::Mark);
        if section.heading.is_empty() || has_content {
            continue;
        }
        // "IMPRESSION" as a first word of "REPORT:\nFINDINGS:" may be a frame around the next heading.
        let frames_next = matches!(&report.text[section.heading.clone()].to_lowercase()[..], heading if heading.starts_with("report") || heading.starts_with("exam") || heading.starts_with("study"));
        let next_is_part = report.sections.get(index + 1).is_some_and(|next| next.kind.describes());
        if frames_next && next_is_part {
            continue;
        }
        let last_of_signature = section.kind == SectionKind::Administrative;
        if !last_of_signature {
            issues.push(Issue::new(Rule::R14, "This section is empty.", [section.heading.clone()]));
        }
    }
    issues
}

/// `[ ]`, `[side]`, `<size>`, `{…}`, and choices such as `[left|right]`.
fn brackets(facts: &Facts<'_>) -> Vec<Issue> {
    let text = facts.report.text;
    let mut issues = Vec::new();
    for (open, close) in [('[', ']'), ('{', '}'), ('<', '>')] {
        let mut from = 0;
        while let Some(start) = text[from..].find(open).map(|at| from + at) {
            from = start + open.len_utf8();
            let line_end = text[from..].find('\n').map_or(text.len(), |at| from + at);
            let limit = text[from..line_end].char_indices().nth(80).map_or(line_end, |(at, _)| from + at);
            let Some(end) = text[from..limit].find(close).map(|at| from + at) else { continue };
            if is_unfilled(&text[from..end], open) {
                issues.push(Issue::new(
                    Rule::R14,
                    "This field is not filled.",
                    std::iter::once(start..end + close.len_utf8()),
                ));
            }
            from = end + close.len_utf8();
        }
    }
    issues
}

fn is_unfilled(inside: &str, open: char) -> bool {
    let inside = inside.trim().to_lowercase();
    let bare: String = inside.chars().filter(|letter| letter.is_alphanumeric()).collect();
    // "< 5 mm and > 2 mm" is a comparison.
    if open == '<'
        && (inside.starts_with(|letter: char| letter.is_ascii_digit() || letter == '=')
            || inside.contains(char::is_whitespace) && inside.len() > 30)
    {
        return false;
    }
    if bare.is_empty() || bare.chars().all(|letter| letter == 'x' || letter == 'n') {
        return true;
    }
    if inside.contains('|') || inside.contains("***") || inside.contains("___") {
        return true;
    }
    const FIELDS: [&str; 34] = [
        "side",
        "size",
        "number",
        "date",
        "level",
        "location",
        "insert",
        "select",
        "enter",
        "choose",
        "fill",
        "specify",
        "text",
        "value",
        "name",
        "measurement",
        "laterality",
        "describe",
        "description",
        "dictate",
        "type",
        "field",
        "left/right",
        "right/left",
        "comparison",
        "indication",
        "free text",
        "mm",
        "cm",
        "modality",
        "interval",
        "finding",
        "findings",
        "impression",
    ];
    FIELDS.contains(&inside.as_str())
        || FIELDS.iter().take(18).any(|field| {
            inside.starts_with(field)
                && inside.len() < field.len() + 24
                && !inside.contains(|letter: char| letter.is_ascii_digit())
        })
        || inside.split('/').count() > 1
            && inside.split('/').all(|option| {
                matches!(
                    option.trim(),
                    "left"
                        | "right"
                        | "bilateral"
                        | "normal"
                        | "abnormal"
                        | "none"
                        | "mild"
                        | "moderate"
                        | "severe"
                        | "yes"
                        | "no"
                        | "present"
                        | "absent"
                        | "with"
                        | "without"
                        | "small"
                        | "large"
                )
            })
        || open != '<'
            && inside.contains(" or ")
            && inside.split(" or ").all(|option| option.split_whitespace().count() <= 2)
}

/// `___`, `***`, "XX mm", "TBD", "??".
fn placeholders(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let text = report.text;
    let mut issues = Vec::new();
    for mark in ['_', '*', '?', '…'] {
        let mut from = 0;
        while let Some(start) = text[from..].find(mark).map(|at| from + at) {
            let run = text[start..].chars().take_while(|letter| *letter == mark).count();
            let end = start + run * mark.len_utf8();
            from = end;
            if run < if mark == '?' { 2 } else { 3 } && !(mark == '_' && run == 2 && is_alone(text, start, end)) {
                continue;
            }
            let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
            let line_end = text[end..].find('\n').map_or(text.len(), |at| end + at);
            // A line of marks is a rule between parts, also with a heading inside.
            let others = text[line_start..line_end].chars().filter(|letter| letter.is_alphanumeric()).count();
            if others > 0 || run < 3 {
                if run >= 8 && others == 0 {
                    continue;
                }
                issues.push(Issue::new(Rule::R14, "This field is not filled.", std::iter::once(start..end)));
            }
        }
    }
    for (index, token) in report.tokens.iter().enumerate() {
        let written = &text[token.span.clone()];
        let next = report.tokens.get(index + 1).map_or("", |next| &*next.norm);
        let is_field = match &*token.norm {
            "xx" | "xxx" | "xxxx" => written.chars().all(|letter| letter == 'X' || letter == 'x'),
            "tbd" | "tbc" => written == "TBD" || written == "TBC",
            "x" => {
                matches!(next, "mm" | "cm")
                    && !report.tokens[..index].last().is_some_and(|before| before.kind == TokenKind::Number)
            }
            _ => false,
        };
        if is_field {
            issues.push(Issue::new(Rule::R14, "This field is not filled.", [token.span.clone()]));
        }
    }
    issues
}

fn is_alone(text: &str, start: usize, end: usize) -> bool {
    let span: Range<usize> = start..end;
    let before = text[..span.start].chars().next_back().is_none_or(char::is_whitespace);
    let after =
        text[span.end..].chars().next().is_none_or(|letter| letter.is_whitespace() || letter == '.' || letter == ',');
    before && after
}
