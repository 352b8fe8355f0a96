//! What a report says: sections, sentences, terms with assertion, side, size and change.

pub mod change;
mod context;
pub mod date;
mod predicate;
pub mod section;
pub mod sentence;
pub mod side;
pub mod size;
mod terms;
pub mod tokens;
mod wrap;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use self::change::ChangeWord;
pub use self::date::DateMention;
pub use self::section::{SectionKind, SectionSpan};
pub use self::sentence::SentenceSpan;
pub use self::side::{BoundSide, SideWord};
pub use self::size::{Measure, Role};
pub use self::tokens::Token;
use crate::findings::{Assertion, Side};
use crate::lexicon::{Entry, Kind};

/// A term of the text, as `report parse` prints it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParsedTerm {
    /// The lexicon's name.
    pub term: String,
    /// As written.
    pub text: String,
    /// Present, absent or possible.
    pub assertion: Assertion,
    /// Whether it is told as history.
    pub historical: bool,
    /// The side, where one is told.
    pub side: Option<Side>,
    /// Its size in mm, where one is told.
    pub size_mm: Option<Vec<f64>>,
    /// The part of the report, `None` without a heading.
    pub section: Option<String>,
    /// Byte offsets of the term.
    pub span: [usize; 2],
}

/// Findings, devices and procedures of a text, in order.
pub fn parse(text: &str) -> Vec<ParsedTerm> {
    let report = Report::read(text);
    report
        .mentions
        .iter()
        .map(|mention| ParsedTerm {
            term: mention.entry.name.clone(),
            text: text[mention.span.clone()].to_owned(),
            assertion: mention.assertion,
            historical: mention.historical,
            side: mention.side.as_ref().map(|side| side.side),
            size_mm: mention.size.map(|size| report.measures[size].mm.clone()),
            section: report.kind_of(mention.sentence).name().map(str::to_owned),
            span: [mention.span.start, mention.span.end],
        })
        .collect()
}

/// A part of the body named in the text.
#[derive(Clone, Debug)]
pub struct AnatomyMention {
    /// The term.
    pub entry: &'static Entry,
    /// Byte range.
    pub span: Range<usize>,
    /// Indices of its tokens.
    pub tokens: Range<usize>,
    /// Index of its sentence.
    pub sentence: usize,
}

/// A finding, device or procedure named in the text.
#[derive(Clone, Debug)]
pub struct Mention {
    /// The term, with the organ of its site where the word alone is general.
    pub entry: &'static Entry,
    /// The organ that it is in; empty where nothing tells.
    pub organ: &'static str,
    /// The part of the body that it is in, nearest first.
    pub site: Option<&'static Entry>,
    /// Byte range.
    pub span: Range<usize>,
    /// Indices of its tokens.
    pub tokens: Range<usize>,
    /// Index of its sentence.
    pub sentence: usize,
    /// Present, absent or possible.
    pub assertion: Assertion,
    /// Token of the word that denies it.
    pub denied_by: Option<usize>,
    /// Whether it is told as history.
    pub historical: bool,
    /// Whether it is told of a relative.
    pub family: bool,
    /// The side.
    pub side: Option<BoundSide>,
    /// Index of the measure of its size now.
    pub size: Option<usize>,
    /// Indices of further sizes where several of a kind are told in one sentence.
    pub more_sizes: Vec<usize>,
    /// Index of the measure of its size before.
    pub prior_size: Option<usize>,
    /// Index of the word that compares it.
    pub change: Option<usize>,
    /// Whether it is written in the plural.
    pub plural: bool,
}

impl Mention {
    /// Whether it is a finding of this patient, now.
    pub fn is_current(&self) -> bool {
        self.entry.kind == Kind::Finding && !self.historical && !self.family
    }

    /// A current finding that is there.
    pub fn is_present(&self) -> bool {
        self.is_current() && self.assertion == Assertion::Present
    }

    /// A current finding that is not there.
    pub fn is_absent(&self) -> bool {
        self.is_current() && self.assertion == Assertion::Absent
    }
}

/// A text, read.
#[derive(Debug)]
pub struct Report<'t> {
    /// The text.
    pub text: &'t str,
    /// Its words.
    pub tokens: Vec<Token>,
    /// Its parts.
    pub sections: Vec<SectionSpan>,
    /// Its sentences.
    pub sentences: Vec<SentenceSpan>,
    /// Findings, devices and procedures in order.
    pub mentions: Vec<Mention>,
    /// Parts of the body in order.
    pub anatomy: Vec<AnatomyMention>,
    /// Descriptive words in order: class and token range.
    pub modifiers: Vec<(&'static Entry, Range<usize>)>,
    /// Lengths in order.
    pub measures: Vec<Measure>,
    /// Dates in order.
    pub dates: Vec<DateMention>,
    /// Words that name a side, in order.
    pub side_words: Vec<SideWord>,
    /// Words that compare, in order.
    pub change_words: Vec<ChangeWord>,
}

impl<'t> Report<'t> {
    /// Reads a text. Takes time linear in its length and never fails.
    pub fn read(text: &'t str) -> Self {
        let tokens = tokens::tokenize(text);
        let sections = section::sections(text, &tokens);
        let sentences = sentence::sentences(text, &tokens, &sections);
        let mut report = Self {
            text,
            mentions: Vec::new(),
            anatomy: Vec::new(),
            modifiers: Vec::new(),
            measures: size::measures(&tokens),
            dates: date::dates(text, &tokens),
            side_words: side::side_words(text, &tokens),
            change_words: change::change_words(&tokens),
            tokens,
            sections,
            sentences,
        };
        // A date or a list number is no size, and "3/4" of a date none either.
        let dates = std::mem::take(&mut report.dates);
        report.measures.retain(|measure| {
            !dates.iter().any(|date| date.tokens.contains(&measure.tokens.start)) || !measure.unit.is_empty()
        });
        report.dates = dates;
        terms::find(&mut report);
        report
    }

    /// The kind of the section of a sentence.
    pub fn kind_of(&self, sentence: usize) -> SectionKind {
        self.sections[self.sentences[sentence].section].kind
    }

    /// The sentence that holds a token, `None` for headings.
    pub fn sentence_of(&self, token: usize) -> Option<usize> {
        let index = self.sentences.partition_point(|sentence| sentence.tokens.end <= token);
        self.sentences.get(index).filter(|sentence| sentence.tokens.contains(&token)).map(|_| index)
    }

    /// The normalised words of a sentence.
    pub fn words(&self, sentence: usize) -> impl Iterator<Item = &str> {
        self.tokens[self.sentences[sentence].tokens.clone()].iter().map(|token| &*token.norm)
    }

    /// Whether a sentence holds one of these normalised words.
    pub fn has_word(&self, sentence: usize, any: &[&str]) -> bool {
        self.words(sentence).any(|word| any.contains(&word))
    }

    /// Whether a sentence holds this sequence of normalised words.
    pub fn has_phrase(&self, sentence: usize, phrase: &[&str]) -> bool {
        self.find_phrase(self.sentences[sentence].tokens.clone(), phrase).is_some()
    }

    /// The first place of a sequence of normalised words in a token range.
    pub fn find_phrase(&self, range: Range<usize>, phrase: &[&str]) -> Option<Range<usize>> {
        if phrase.is_empty() || range.len() < phrase.len() {
            return None;
        }
        (range.start..=range.end - phrase.len())
            .find(|start| phrase.iter().enumerate().all(|(offset, word)| &*self.tokens[start + offset].norm == *word))
            .map(|start| start..start + phrase.len())
    }

    /// The bytes that a token range covers.
    pub fn bytes(&self, tokens: &Range<usize>) -> Range<usize> {
        match (self.tokens.get(tokens.start), tokens.end.checked_sub(1).and_then(|last| self.tokens.get(last))) {
            (Some(first), Some(last)) if first.span.start < last.span.end => first.span.start..last.span.end,
            _ => 0..0,
        }
    }
}

#[cfg(test)]
mod tests;
