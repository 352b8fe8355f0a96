//! Present, absent, possible, historical: which phrases around a term decide it (after NegEx and ConText).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::tokens::{Token, TokenKind, normalised_words};
use super::wrap::Wrapped;

/// What a phrase does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    AbsentBefore,
    AbsentAfter,
    Nothing,
    PossibleBefore,
    PossibleAfter,
    HistoricalBefore,
    HistoricalAfter,
    FamilyBefore,
    Stop,
}

/// A phrase found in the text.
#[derive(Clone, Debug)]
pub(crate) struct Cue {
    pub(crate) class: Class,
    /// Indices of its tokens.
    pub(crate) tokens: Range<usize>,
}

struct Cues {
    automaton: AhoCorasick,
    classes: Vec<Class>,
}

static CUES: LazyLock<Cues> = LazyLock::new(load);

fn load() -> Cues {
    let mut by_phrase: HashMap<String, Class> = HashMap::new();
    let mut patterns = Vec::new();
    let mut classes = Vec::new();
    for line in include_str!("../../data/context.tsv").lines().filter(|line| !line.starts_with('#')) {
        let Some((name, phrases)) = line.split_once('|') else { continue };
        let class = match name {
            "absent_before" => Class::AbsentBefore,
            "absent_after" => Class::AbsentAfter,
            "possible_before" => Class::PossibleBefore,
            "possible_after" => Class::PossibleAfter,
            "historical_before" => Class::HistoricalBefore,
            "historical_after" => Class::HistoricalAfter,
            "family_before" => Class::FamilyBefore,
            "stop" => Class::Stop,
            _ => Class::Nothing,
        };
        for phrase in phrases.split(';') {
            let pattern: String = normalised_words(phrase).iter().map(|word| format!(" {word} ")).collect();
            // One phrase may work both ways ("possible", "likely"); each class keeps its own pattern.
            if by_phrase.insert(pattern.clone(), class).is_none() {
                patterns.push(pattern);
                classes.push(class);
            }
        }
    }
    let automaton = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(&patterns)
        .or_else(|_| AhoCorasick::new::<[&str; 0], &str>([]))
        .unwrap_or_else(|error| unreachable!("an automaton without patterns is always built: {error}"));
    Cues { automaton, classes }
}

/// All cues of the text in order.
pub(crate) fn cues(wrapped: &Wrapped) -> Vec<Cue> {
    CUES.automaton
        .find_iter(&wrapped.text)
        .map(|found| Cue { class: CUES.classes[found.pattern().as_usize()], tokens: wrapped.tokens_of(found.range()) })
        .collect()
}

/// What the cues say of one term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) absent: bool,
    pub(crate) possible: bool,
    pub(crate) historical: bool,
    pub(crate) family: bool,
    /// The token of the cue that says absent, for the span of a check.
    pub(crate) cue: Option<usize>,
}

/// Words that begin something new after a comma or "and", so that an earlier "no" ends there.
const FRESH_STARTS: [&str; 42] = [
    "a",
    "an",
    "there",
    "small",
    "mild",
    "moderate",
    "large",
    "stable",
    "unchanged",
    "new",
    "persistent",
    "tiny",
    "trace",
    "minimal",
    "severe",
    "this",
    "these",
    "its",
    "it",
    "however",
    "but",
    "with",
    "again",
    "multiple",
    "several",
    "few",
    "moderately",
    "mildly",
    "increased",
    "decreased",
    "interval",
    "status",
    "post",
    "subtle",
    "known",
    "chronic",
    "old",
    "scattered",
    "extensive",
    "slight",
    "resolving",
    "marked",
];

/// Decides about the term at `term` within the sentence `sentence` (token indices). `cues` are those of the
/// sentence, in order.
pub(crate) fn judge(tokens: &[Token], sentence: &Range<usize>, cues: &[Cue], term: &Range<usize>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut absent_at = None;
    for cue in cues {
        if overlaps(&cue.tokens, term) && cue.tokens.start >= term.start {
            continue;
        }
        let before = cue.tokens.start < term.start;
        match cue.class {
            Class::AbsentBefore if before && reaches(tokens, cues, cue, term) => {
                verdict.absent = true;
                absent_at = Some(cue.tokens.start);
            }
            // "Resolved right pleural effusion": the word stands before its noun.
            Class::AbsentAfter
                if before
                    && cue.tokens.len() == 1
                    && matches!(&*tokens[cue.tokens.start].norm, "resolved" | "cleared")
                    && term.start.saturating_sub(cue.tokens.end) <= 3 =>
            {
                verdict.absent = true;
                absent_at = Some(cue.tokens.start);
            }
            Class::AbsentAfter if !before && reaches_back(tokens, cues, sentence, cue, term) => {
                verdict.absent = true;
                absent_at = Some(cue.tokens.start);
            }
            // Several words stand on either side ("likely"): both are tried, the list decides only which first.
            Class::PossibleBefore | Class::PossibleAfter
                if before && works_forward(cue.class, tokens, cue) && reaches(tokens, cues, cue, term)
                    || !before
                        && works_backward(cue.class, tokens, cue)
                        && reaches_back(tokens, cues, sentence, cue, term) =>
            {
                verdict.possible = true;
            }
            Class::HistoricalBefore if before && is_history(tokens, cue, term) && reaches(tokens, cues, cue, term) => {
                verdict.historical = true;
            }
            Class::HistoricalAfter if !before && cue.tokens.start.saturating_sub(term.end) <= 6 => {
                verdict.historical = true;
            }
            Class::FamilyBefore if before && reaches(tokens, cues, cue, term) => verdict.family = true,
            _ => {}
        }
    }
    if verdict.absent && verdict.possible {
        // "likely no fracture" and "no findings suspicious for fracture" both deny; "cannot exclude" never gets
        // here because its "not" is part of the longer phrase.
        verdict.possible = false;
    }
    if verdict.absent {
        verdict.historical = false;
    }
    verdict.cue = absent_at;
    verdict
}

fn overlaps(first: &Range<usize>, second: &Range<usize>) -> bool {
    first.start < second.end && second.start < first.end
}

fn works_forward(class: Class, tokens: &[Token], cue: &Cue) -> bool {
    class == Class::PossibleBefore || cue.tokens.len() == 1 && is_either_way(&tokens[cue.tokens.start].norm)
}

fn works_backward(class: Class, tokens: &[Token], cue: &Cue) -> bool {
    class == Class::PossibleAfter
        || is_either_way(&tokens[cue.tokens.end - 1].norm)
            && tokens.get(cue.tokens.end).is_none_or(|next| next.kind == TokenKind::Mark || next.breaks > 0)
}

fn is_either_way(word: &str) -> bool {
    matches!(
        word,
        "likely"
            | "possible"
            | "probable"
            | "probably"
            | "suspected"
            | "questionable"
            | "equivocal"
            | "favored"
            | "?"
            | "possibly"
            | "questioned"
    )
}

/// Whether a scope that begins after `cue` reaches `term`.
fn reaches(tokens: &[Token], cues: &[Cue], cue: &Cue, term: &Range<usize>) -> bool {
    let gap = cue.tokens.end.min(term.start)..term.start;
    let limit = match &*tokens[cue.tokens.end - 1].norm {
        "non" => 1,
        "never" | "not" | "against" => 12,
        _ => 40,
    };
    if gap.len() > limit {
        return false;
    }
    if cues
        .iter()
        .any(|other| other.class == Class::Stop && other.tokens.start >= gap.start && other.tokens.end <= gap.end)
    {
        return false;
    }
    // A look-alike between cue and term ("no change in the effusion") takes the cue's place.
    !gap.clone().any(|index| fresh_start(tokens, index, term))
}

/// Whether something new begins at token `index`: after a comma or "and", with a word that a list of denied
/// things does not hold, unless an "or" later shows that the list goes on.
fn fresh_start(tokens: &[Token], index: usize, term: &Range<usize>) -> bool {
    if tokens[index].is_mark(":") {
        return true;
    }
    if !(tokens[index].is_mark(",") || &*tokens[index].norm == "and") {
        return false;
    }
    let next = index + 1;
    if next >= term.end.max(next + 1) || next >= tokens.len() {
        return false;
    }
    let word = if &*tokens[next].norm == "and" && next + 1 < tokens.len() { next + 1 } else { next };
    // ", characteristic of", ", likely": what the seen thing is called.
    if tokens[index].is_mark(",") && CALLED.contains(&&*tokens[word].norm) {
        return true;
    }
    let fresh = FRESH_STARTS.contains(&&*tokens[word].norm) || tokens[word].kind == TokenKind::Number;
    let goes_on = tokens[word..(term.end + 12).min(tokens.len())]
        .iter()
        .take_while(|token| !token.is_mark(".") && !token.is_mark(";"))
        .any(|token| matches!(&*token.norm, "or" | "nor"));
    fresh && !goes_on
}

/// Words after a comma that name what was described before.
const CALLED: [&str; 20] = [
    "characteristic",
    "typical",
    "consistent",
    "compatible",
    "suggesting",
    "suggestive",
    "concerning",
    "suspicious",
    "likely",
    "possibly",
    "probably",
    "representing",
    "favored",
    "favoring",
    "worrisome",
    "in",
    "most",
    "diagnostic",
    "indicating",
    "reflecting",
];

/// Words between a term and the phrase that denies it.
const BEFORE_AFTER_CUES: [&str; 34] = [
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "has",
    "have",
    "had",
    "now",
    "completely",
    "since",
    "which",
    "seen",
    "previously",
    "noted",
    "described",
    "currently",
    "again",
    "definitely",
    "clearly",
    "entirely",
    "mostly",
    "largely",
    "interval",
    "today",
    "on",
    "the",
    "prior",
    "previous",
    "study",
    "present",
    "if",
    "also",
];

/// Words that say of a finding that it is there.
const OWN_PREDICATES: [&str; 14] = [
    "stable",
    "unchanged",
    "increased",
    "decreased",
    "larger",
    "smaller",
    "persist",
    "persistent",
    "persisting",
    "growing",
    "grown",
    "worse",
    "improved",
    "new",
];

/// Whether a scope that ends before `cue` reaches back to `term`.
fn reaches_back(tokens: &[Token], cues: &[Cue], sentence: &Range<usize>, cue: &Cue, term: &Range<usize>) -> bool {
    if term.end > cue.tokens.start || term.start < sentence.start {
        return false;
    }
    let gap = term.end..cue.tokens.start;
    if gap.len() > 14 {
        return false;
    }
    if cues
        .iter()
        .any(|other| other.class == Class::Stop && other.tokens.start >= gap.start && other.tokens.end <= gap.end)
    {
        return false;
    }
    // Another verb between term and cue belongs to the term; the auxiliary right before the cue does not.
    let verbs = gap.clone().filter(|index| {
        matches!(
            &*tokens[*index].norm,
            "is" | "are"
                | "was"
                | "were"
                | "show"
                | "demonstrate"
                | "has"
                | "have"
                | "measure"
                | "measuring"
                | "noted"
                | "present"
                | "seen"
        )
    });
    // "Metastasis stable, right nodule resolved": what stands before the comma has its own predicate.
    let comma = gap.clone().find(|index| tokens[*index].is_mark(","));
    if comma.is_some_and(|comma| tokens[term.end..comma].iter().any(|token| OWN_PREDICATES.contains(&&*token.norm))) {
        return false;
    }
    // "Rectal cancer, EMVI negative": words between the comma and the cue are what the cue speaks of, unless a list
    // goes on with "and" or "or".
    let last_comma = gap.clone().rev().find(|index| tokens[*index].is_mark(","));
    let is_list = gap.clone().any(|index| matches!(&*tokens[index].norm, "and" | "or"));
    let own_subject = last_comma.is_some_and(|comma| {
        tokens[comma + 1..cue.tokens.start]
            .iter()
            .any(|token| token.kind == TokenKind::Word && !BEFORE_AFTER_CUES.contains(&&*token.norm))
    });
    if own_subject && !is_list {
        return false;
    }
    let adjacent = cue.tokens.start.saturating_sub(2);
    let mut other_verbs = verbs.filter(|index| *index < adjacent);
    if other_verbs.next().is_some() {
        return false;
    }
    !gap.clone().any(|index| tokens[index].is_mark(",") && fresh_start(tokens, index, &(term.start..cue.tokens.start)))
}

/// "prior", "previous" and "post" tell of the past only right before a term; before a word for an
/// examination they speak of a comparison.
fn is_history(tokens: &[Token], cue: &Cue, term: &Range<usize>) -> bool {
    let gap = term.start.saturating_sub(cue.tokens.end);
    match &*tokens[cue.tokens.end - 1].norm {
        "prior" | "previou" | "previous" | "past" | "post" | "treated" | "following" | "after" | "underwent" => {
            if cue.tokens.len() > 1 {
                return gap <= 8;
            }
            gap <= 2
                && !tokens[cue.tokens.end.min(term.start)..term.start].iter().any(|token| {
                    matches!(
                        &*token.norm,
                        "ct" | "mri"
                            | "exam"
                            | "examination"
                            | "study"
                            | "film"
                            | "radiograph"
                            | "scan"
                            | "imaging"
                            | "ultrasound"
                            | "x"
                            | "to"
                    )
                })
        }
        _ => true,
    }
}
