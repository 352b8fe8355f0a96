//! The text as the automata read it: each word between spaces, sentences apart, articles and hyphens left out.

use std::ops::Range;

use super::sentence::SentenceSpan;
use super::tokens::{Token, is_skipped};

/// Normalised text with the way back to the tokens.
#[derive(Debug, Default)]
pub(crate) struct Wrapped {
    pub(crate) text: String,
    /// Byte position in `text` at which each kept token begins, and its index.
    starts: Vec<(usize, usize)>,
}

impl Wrapped {
    /// Wraps all tokens of all sentences; `keep` says which tokens take part.
    pub(crate) fn new(tokens: &[Token], sentences: &[SentenceSpan], keep: impl Fn(usize) -> bool) -> Self {
        let mut wrapped = Self::default();
        for sentence in sentences {
            for index in sentence.tokens.clone() {
                if is_skipped(&tokens[index]) || !keep(index) {
                    continue;
                }
                wrapped.starts.push((wrapped.text.len(), index));
                wrapped.text.push(' ');
                wrapped.text.push_str(&tokens[index].norm);
                wrapped.text.push(' ');
            }
            wrapped.text.push('\n');
        }
        wrapped
    }

    /// The tokens that a byte range of `text` covers.
    pub(crate) fn tokens_of(&self, range: Range<usize>) -> Range<usize> {
        let first = self.starts.partition_point(|(start, _)| *start < range.start);
        let last = self.starts.partition_point(|(start, _)| *start < range.end).saturating_sub(1);
        match (self.starts.get(first), self.starts.get(last)) {
            (Some((_, first)), Some((_, last))) if first <= last => *first..last + 1,
            _ => 0..0,
        }
    }
}
