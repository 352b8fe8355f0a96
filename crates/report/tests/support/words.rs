//! Small text tools of the mutation engine. They work on raw text, not on the parser under test.

use std::ops::Range;

/// Sentences of a text as byte ranges: a point, question mark or line break ends one.
pub(crate) fn sentences(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut start = 0;
    for index in 0..bytes.len() {
        let point = bytes[index] == b'.' && bytes.get(index + 1).is_none_or(|next| next.is_ascii_whitespace());
        let abbreviation = index >= 2 && matches!(&bytes[index - 2..index], b"Dr" | b"vs" | b"Mr")
            || index >= 1 && bytes[index - 1].is_ascii_digit() && text[start..index].trim().len() <= 2;
        if bytes[index] == b'\n' || point && !abbreviation {
            push(text, start..index + 1, &mut found);
            start = index + 1;
        }
    }
    push(text, start..text.len(), &mut found);
    found
}

fn push(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    let end = range.end - (part.len() - part.trim_end().len());
    if start < end {
        found.push(start..end);
    }
}

/// Where the conclusion begins: the last heading that names one.
pub(crate) fn impression_start(text: &str) -> Option<usize> {
    ["impression", "conclusion", "summary", "opinion"]
        .iter()
        .filter_map(|word| text.to_lowercase().rfind(word).filter(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n'))
        .max()
}

/// Where the description begins, 0 where no heading says.
pub(crate) fn findings_start(text: &str) -> usize {
    ["findings", "report:", "description"]
        .iter()
        .filter_map(|word| text.to_lowercase().find(word).filter(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n'))
        .min()
        .unwrap_or(0)
}

/// All places of a whole word, any case.
pub(crate) fn places(text: &str, word: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let boundary = |at: usize| at == 0 || at >= lower.len() || !lower.as_bytes()[at].is_ascii_alphanumeric();
    lower
        .match_indices(word)
        .filter(|(at, _)| (*at == 0 || !lower.as_bytes()[at - 1].is_ascii_alphanumeric()) && boundary(at + word.len()))
        .map(|(at, _)| at..at + word.len())
        .collect()
}

/// The text with a range replaced.
pub(crate) fn replaced(text: &str, range: &Range<usize>, with: &str) -> String {
    format!("{}{with}{}", &text[..range.start], &text[range.end..])
}

/// The text with a sentence put in before a byte position.
pub(crate) fn inserted(text: &str, at: usize, sentence: &str) -> String {
    // A text without a closing line break ends where the line would.
    let at = at.min(text.len());
    format!("{}{sentence}{}", &text[..at], &text[at..])
}

/// Lengths in mm or cm: the range of the number, the number, the range of the unit.
pub(crate) fn lengths(text: &str) -> Vec<(Range<usize>, f64, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for unit in [" mm", " cm"] {
        for (at, _) in text.match_indices(unit) {
            if bytes.get(at + 3).is_some_and(u8::is_ascii_alphanumeric) || bytes.get(at + 3) == Some(&b'/') {
                continue;
            }
            let mut start = at;
            while start > 0 && (bytes[start - 1].is_ascii_digit() || bytes[start - 1] == b'.') {
                start -= 1;
            }
            if let Ok(value) = text[start..at].parse::<f64>() {
                found.push((start..at, value, at + 1..at + 3));
            }
        }
    }
    found.sort_by_key(|(range, _, _)| range.start);
    found
}
