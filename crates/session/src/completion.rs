//! The words that a sentence may go on with, while it is typed: proposed behind the cursor, taken by a key, never by
//! themselves.

use lightbox_model::RunCx;
use lightbox_model::language::complete::Completer;
use lightbox_report::assist::{Known, onward};
use lightbox_report::findings::FindingsFile;

use crate::checks::{Anchor, CheckText};
use crate::ids::JobId;

/// Words less likely than this are not worth a look.
const LEAST: f64 = 0.12;
/// What is proposed goes on for as long as the next word is at least this likely.
const LEAST_ONWARD: f64 = 0.35;
/// Words of a proposal.
const MOST_WORDS: usize = 4;
/// Words that are looked at for one place: the likeliest may say what is not known.
const CANDIDATES: usize = 8;
/// A proposal of fewer letters costs more of a glance than it saves.
const LEAST_LETTERS: usize = 2;

/// What is to be completed, and what it must not go beyond.
#[derive(Debug, Clone)]
pub struct CompleteSpec {
    /// The place.
    pub place: Place,
    /// The words of the rest of the report.
    pub text: CheckText,
    /// What was found and measured.
    pub facts: FindingsFile,
}

/// A field with the words before the cursor, which is at their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Study Instance UID.
    pub study: String,
    /// The field.
    pub at: Anchor,
    /// Its words.
    pub before: String,
}

/// Words that may follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Where; for no other words there.
    pub place: Place,
    /// What is inserted, with the blank before it where one is due.
    pub insert: String,
}

/// What completion is doing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completing {
    /// What is asked for; an answer to anything else is dropped.
    pub(crate) wanted: Option<Place>,
    /// The job that runs.
    pub(crate) running: Option<JobId>,
    /// What is to be started once it has ended.
    pub(crate) due: bool,
    /// The answer.
    pub(crate) shown: Option<Completion>,
}

impl Completing {
    /// What may be shown in a field with these words.
    #[must_use]
    pub fn of(&self, study: &str, at: Anchor, text: &str) -> Option<&str> {
        let fits = |p: &Place| p.study == study && p.at == at && p.before == text;
        self.shown.as_ref().filter(|c| fits(&c.place)).map(|c| c.insert.as_str())
    }
}

/// What may follow the words of a place; `None` where nothing is likely enough, or would say more than is known.
///
/// # Errors
/// [`lightbox_model::Error::Cancelled`]; what the models say.
pub fn complete(completer: &Completer, spec: &CompleteSpec, cx: &RunCx<'_>) -> lightbox_model::Result<Option<String>> {
    let before = spec.place.before.as_str();
    // A blank field is the reader's to begin.
    if before.trim().is_empty() {
        return Ok(None);
    }
    let known = Known::of(Some(&spec.facts), &spec.text.text);
    let mut insert = String::new();
    for n in 0..MOST_WORDS {
        let typed = format!("{before}{insert}");
        let (least, blank) = if n == 0 { (LEAST, "") } else { (LEAST_ONWARD, " ") };
        let mut word = next(completer, &known, before, &format!("{insert}{blank}"), &typed, least, cx)?;
        if n == 0 && word.is_none() && ends_with_word(completer, before) {
            // The word is whole: the next one may be known.
            word = next(completer, &known, before, " ", &typed, LEAST_ONWARD, cx)?;
        }
        match word {
            Some(word) => insert = word,
            None => break,
        }
    }
    Ok(Some(insert).filter(|words| words.trim().chars().count() >= LEAST_LETTERS))
}

/// The likeliest word behind `before` and `so_far` that may be proposed, as all that is inserted by then.
fn next(
    completer: &Completer,
    known: &Known,
    before: &str,
    so_far: &str,
    typed: &str,
    least: f64,
    cx: &RunCx<'_>,
) -> lightbox_model::Result<Option<String>> {
    // The end of a sentence is the reader's.
    if typed.trim_end().ends_with(['.', '!', '?']) {
        return Ok(None);
    }
    let found = completer.complete(&format!("{before}{so_far}"), CANDIDATES, cx)?;
    for word in found.into_iter().filter(|word| word.probability >= least) {
        let insert = format!("{so_far}{}", word.insert);
        if onward::may_follow(before, &insert, known) {
            return Ok(Some(insert));
        }
    }
    Ok(None)
}

fn ends_with_word(completer: &Completer, before: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '\'');
    let start = before.char_indices().rev().take_while(|(_, c)| letter(*c)).last();
    start.is_some_and(|(at, _)| completer.is_word(&before[at..]))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lightbox_model::language::ngram::Ngram;

    use super::*;

    fn completer(texts: &[&str]) -> Completer {
        let many = texts.iter().flat_map(|text| std::iter::repeat_n(*text, 20));
        Completer::new(Arc::new(Ngram::learn(many)))
    }

    fn spec(before: &str) -> CompleteSpec {
        let facts = FindingsFile::from_json(
            r#"{"findings": [{"id": "f1", "term": "pulmonary nodule", "side": "right", "site": "right lower lobe",
               "size_mm": [8.0], "state": "confirmed"}]}"#,
        );
        let place = Place { study: "1".into(), at: Anchor::NewLine(1), before: before.into() };
        CompleteSpec { place, text: CheckText::default(), facts: facts.unwrap() }
    }

    #[test]
    fn what_is_likely_and_known_is_proposed_and_nothing_else() {
        let completer = completer(&[
            "there is a nodule in the right lower lobe of the lung",
            "there is a mass in the left upper lobe of the lung",
            "axial images were acquired in the supine position",
        ]);
        let insert = |before: &str| complete(&completer, &spec(before), &RunCx::silent()).unwrap().unwrap_or_default();
        assert_eq!(insert("Axial ima"), "ges were acquired in");
        // The word is whole, and so a blank comes first.
        assert_eq!(insert("Axial images"), " were acquired in the");
        assert!(insert("There is a nod").starts_with("ule in the"), "{}", insert("There is a nod"));
        assert!(insert("Nodule in the right l").starts_with("ower lobe"), "{}", insert("Nodule in the right l"));
        // A mass is nothing that is known, and nothing is on the left.
        assert!(!insert("There is a ma").starts_with("ss"), "{}", insert("There is a ma"));
        for before in ["There is a", "There is a ", "Nodule in the ", "Nodule in the "] {
            let words = insert(before);
            assert!(!words.contains("mass") && !words.contains("left"), "{before}|{words}");
        }
        for before in ["", "  ", "Nothing is known. ", "zzzqq"] {
            assert_eq!(insert(before), "", "{before}");
        }
    }
}
