//! Words that compare with an earlier examination: new, larger, smaller, as before, gone.

use std::ops::Range;

use super::tokens::{Token, TokenKind};
use crate::findings::Change;

/// A word of change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeWord {
    /// What it says.
    pub change: Change,
    /// Indices of its tokens.
    pub tokens: Range<usize>,
    /// Byte range.
    pub span: Range<usize>,
}

/// Nouns after "increased" and "decreased" that are no sizes.
const NO_SIZE: [&str; 24] = [
    "density",
    "attenuation",
    "signal",
    "marking",
    "echogenicity",
    "uptake",
    "lucency",
    "risk",
    "intensity",
    "conspicuity",
    "flow",
    "vascularity",
    "bone",
    "trabecular",
    "perfusion",
    "mobility",
    "cortical",
    "interstitial",
    "sensitivity",
    "diffusion",
    "t2",
    "t1",
    "renal",
    "compared",
];

/// All words of change in the text.
pub(crate) fn change_words(tokens: &[Token]) -> Vec<ChangeWord> {
    let mut found = Vec::new();
    let norm = |index: usize| tokens.get(index).map_or("", |token| &*token.norm);
    for (index, token) in tokens.iter().enumerate() {
        if token.kind != TokenKind::Word {
            continue;
        }
        let next = norm(index + 1);
        let before = |back: usize| index.checked_sub(back).map_or("", norm);
        let denied = (1..=4)
            .map(before)
            .take_while(|word| !matches!(*word, "," | "." | ";" | ":"))
            .any(|word| matches!(word, "no" | "not" | "without" | "never"));
        let change = match &*token.norm {
            "unchanged" | "stable" | "similar" | "nonprogressive" => {
                if &*token.norm == "similar"
                    && !matches!(next, "to" | "in" | "compared" | "since" | "appearance" | "size" | "as" | "when" | ".")
                {
                    continue;
                }
                if denied { continue } else { Change::Unchanged }
            }
            "changed" if denied => Change::Unchanged,
            "change" if denied && !matches!(next, "of") => Change::Unchanged,
            "increased" | "increase" | "grown" | "larger" | "progressed" | "enlarging" | "growing" | "worsened"
            | "worsening" | "bigger" | "progression" | "growth" | "enlargement" | "increasing" => {
                let noun_like = matches!(&*token.norm, "enlargement" | "growth" | "progression" | "increase");
                if noun_like
                    && before(1) != "interval"
                    && !matches!(before(1), "mild" | "slight" | "significant" | "further" | "marked")
                {
                    continue;
                }
                if denied || NO_SIZE.contains(&next) && next != "compared" || is_norm(norm(index + 2)) && next == "than"
                {
                    continue;
                } else {
                    Change::Increased
                }
            }
            "enlarged"
                if matches!(
                    before(1),
                    "has" | "have" | "interval" | "slightly" | "further" | "minimally" | "since"
                ) && before(2) != "is" =>
            {
                if denied {
                    continue;
                } else {
                    Change::Increased
                }
            }
            "decreased" | "decrease" | "smaller" | "improved" | "improving" | "improvement" | "regressed"
            | "shrunk" | "shrunken" | "regression" | "diminished" | "reduced" | "reduction" | "decreasing" => {
                let noun_like = matches!(&*token.norm, "decrease" | "regression" | "reduction" | "improvement");
                if noun_like
                    && before(1) != "interval"
                    && !matches!(before(1), "mild" | "slight" | "significant" | "further" | "marked" | "partial")
                {
                    continue;
                }
                if denied
                    || NO_SIZE.contains(&next) && next != "compared"
                    || next == "than" && matches!(norm(index + 2), "average" | "expected" | "normal" | "1" | "6")
                {
                    continue;
                } else {
                    Change::Decreased
                }
            }
            "new" | "newly" => {
                if denied || matches!(next, "york" | "england" | "since") && next != "since" {
                    continue;
                } else {
                    Change::New
                }
            }
            "resolved" | "cleared" | "resolution" => {
                if denied {
                    continue;
                } else {
                    Change::Resolved
                }
            }
            _ => continue,
        };
        found.push(ChangeWord { change, tokens: index..index + 1, span: token.span.clone() });
    }
    found
}

fn is_norm(word: &str) -> bool {
    matches!(word, "average" | "expected" | "normal" | "usual")
}
