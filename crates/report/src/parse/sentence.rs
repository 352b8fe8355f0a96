//! Where sentences end.

use std::ops::Range;

use super::section::SectionSpan;
use super::tokens::{Token, TokenKind};
use crate::lexicon::{Kind, lexicon};

/// A sentence, by tokens and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentenceSpan {
    /// Index of its section.
    pub section: usize,
    /// Indices of its tokens, without list numbers and bullets.
    pub tokens: Range<usize>,
    /// Byte range.
    pub span: Range<usize>,
    /// Index of the last token of a label ("Right kidney:") at its beginning, of the same or an earlier
    /// sentence of the same line.
    pub label: Option<Range<usize>>,
    /// Whether it begins a line.
    pub begins_line: bool,
}

/// A line of fewer characters that is not followed by a small letter ends a sentence: only longer lines wrap.
const WRAPPED_LINE_BYTES: usize = 55;

/// Words before a point that ends no sentence.
const ABBREVIATIONS: [&str; 22] = [
    "dr", "mr", "mrs", "ms", "prof", "approx", "eg", "ie", "vs", "no", "fig", "st", "ca", "cf", "resp", "al", "e", "g",
    "i", "im", "se", "max",
];

/// Cuts sections into sentences.
pub(crate) fn sentences(text: &str, tokens: &[Token], sections: &[SectionSpan]) -> Vec<SentenceSpan> {
    let mut sentences = Vec::new();
    for (section_index, section) in sections.iter().enumerate() {
        let mut start = section.tokens.start;
        let mut label: Option<Range<usize>> = None;
        while start < section.tokens.end {
            let begins_line = start == section.tokens.start || tokens[start].breaks > 0;
            let mut end = start + 1;
            while end < section.tokens.end && !ends_before(text, tokens, start, end) {
                end += 1;
            }
            if begins_line {
                label = None;
            }
            let first = skip_list_marks(tokens, start, end);
            if begins_line {
                label = label_of(tokens, first, end);
            }
            // "R: stenosis. L: minor plaque.": a side with a colon labels its sentence wherever it stands.
            let is_side_label = first + 1 < end
                && tokens[first + 1].is_mark(":")
                && matches!(&*tokens[first].norm, "l" | "r" | "lt" | "rt" | "left" | "right");
            if !begins_line && is_side_label {
                label = Some(first..first + 1);
            }
            let own_label = label.clone();
            // "Right kidney 11.2 cm. Stone in the lower pole.": the first words hold for the rest of the line.
            let names_part =
                |index: usize| lexicon().find(&tokens[index].norm).is_some_and(|entry| entry.kind == Kind::Anatomy);
            if begins_line
                && label.is_none()
                && first + 1 < end
                && matches!(&*tokens[first].norm, "left" | "right")
                && names_part(first + 1)
            {
                label = Some(first..first + 2);
            }
            if first < end {
                sentences.push(SentenceSpan {
                    section: section_index,
                    tokens: first..end,
                    span: tokens[first].span.start..tokens[end - 1].span.end,
                    label: own_label,
                    begins_line,
                });
            }
            start = end;
        }
    }
    sentences
}

/// Whether a new sentence begins at token `index`.
fn ends_before(text: &str, tokens: &[Token], start: usize, index: usize) -> bool {
    let (before, token) = (&tokens[index - 1], &tokens[index]);
    if token.breaks >= 2 {
        return true;
    }
    if token.breaks == 1 {
        if matches!(&*token.norm, "-" | "*" | "•" | "–" | "·" | "▪" | "#") || is_list_number(tokens, index) {
            return true;
        }
        if matches!(&*before.norm, "." | "!" | "?" | ";") {
            return true;
        }
        let begins_small = text[token.span.start..].chars().next().is_some_and(char::is_lowercase);
        return !begins_small && before.span.end - line_start(text, before.span.end) < WRAPPED_LINE_BYTES
            || label_of(tokens, index, (index + 8).min(tokens.len())).is_some();
    }
    match &*before.norm {
        ";" | "!" => true,
        "?" => token.spaced && before.kind == TokenKind::Mark && !before.spaced,
        "." => token.spaced && !is_abbreviation(tokens, start, index - 1),
        _ => false,
    }
}

fn line_start(text: &str, before: usize) -> usize {
    text[..before].rfind('\n').map_or(0, |index| index + 1)
}

fn is_abbreviation(tokens: &[Token], start: usize, point: usize) -> bool {
    if point == start {
        return true;
    }
    let word = &tokens[point - 1];
    if point - 1 == start && word.kind == TokenKind::Number {
        return true; // "1." of a list
    }
    if word.kind != TokenKind::Word || tokens[point].spaced {
        return false;
    }
    let next_is_number = tokens.get(point + 1).is_some_and(|next| next.kind == TokenKind::Number);
    match &*word.norm {
        "no" | "im" | "se" | "fig" => next_is_number,
        // "i.v.", "p.o.", an initial.
        letter if letter.len() == 1 && letter != "x" => tokens.get(point + 1).is_some_and(|next| next.breaks == 0),
        norm => ABBREVIATIONS.contains(&norm),
    }
}

fn is_list_number(tokens: &[Token], index: usize) -> bool {
    tokens[index].kind == TokenKind::Number
        && tokens[index].norm.len() <= 2
        && tokens.get(index + 1).is_some_and(|next| !next.spaced && matches!(&*next.norm, "." | ")"))
        && tokens.get(index + 2).is_some_and(|next| next.spaced)
}

fn skip_list_marks(tokens: &[Token], start: usize, end: usize) -> usize {
    let mut first = start;
    while first < end && matches!(&*tokens[first].norm, "-" | "*" | "•" | "–" | "·" | "▪" | "." | ")" | "#") {
        first += 1;
    }
    if first + 2 <= end && first < tokens.len() && is_list_number(tokens, first) { first + 2 } else { first }
}

/// "Right kidney:" at the beginning of a line: one to six words and a colon with something behind it.
fn label_of(tokens: &[Token], start: usize, end: usize) -> Option<Range<usize>> {
    let colon = (start..end.min(start + 8)).find(|index| tokens[*index].is_mark(":"))?;
    let words = start..colon;
    let plain = words.clone().all(|index| {
        tokens[index].kind == TokenKind::Word
            || matches!(&*tokens[index].norm, "," | "/" | "-" | "&" | "(" | ")")
            || (tokens[index].kind == TokenKind::Number && tokens[index].norm.len() <= 2)
    });
    (!words.is_empty() && plain && words.clone().skip(1).all(|index| tokens[index].breaks == 0)).then_some(words)
}
