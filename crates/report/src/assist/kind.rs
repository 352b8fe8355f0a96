//! What a sentence of a report is.

use serde::Serialize;

use crate::findings::Assertion;
use crate::parse::{Report, SectionKind};

/// What a sentence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SentenceKind {
    /// Something is there, or may be.
    Finding,
    /// Something is not there, or an organ is normal.
    Negative,
    /// Something against an earlier examination.
    Comparison,
    /// What should be done.
    Recommendation,
    /// How the examination was made.
    Technique,
    /// Why, and what was before.
    History,
    /// None of these.
    Other,
}

const RECOMMEND: [&str; 16] = [
    "recommend",
    "recommended",
    "recommendation",
    "suggested",
    "advised",
    "advise",
    "follow",
    "followup",
    "repeat",
    "surveillance",
    "biopsy",
    "correlate",
    "correlation",
    "consider",
    "referral",
    "consultation",
];
const NORMAL: [&str; 6] = ["normal", "unremarkable", "clear", "intact", "patent", "preserved"];
const TECHNIQUE: [&str; 12] = [
    "technique",
    "acquired",
    "performed",
    "obtained",
    "protocol",
    "slice",
    "reconstruction",
    "reformat",
    "sequence",
    "intravenous",
    "administered",
    "gadolinium",
];

/// The kind of each sentence with its byte offsets.
#[must_use]
pub fn kinds(text: &str) -> Vec<([usize; 2], SentenceKind)> {
    kinds_of(&Report::read(text))
}

/// As [`kinds`], of a text that was read.
#[must_use]
pub fn kinds_of(report: &Report<'_>) -> Vec<([usize; 2], SentenceKind)> {
    (0..report.sentences.len())
        .map(|index| {
            let span = &report.sentences[index].span;
            ([span.start, span.end], kind(report, index))
        })
        .collect()
}

impl SentenceKind {
    /// Name as shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Negative => "negative",
            Self::Comparison => "comparison",
            Self::Recommendation => "recommendation",
            Self::Technique => "technique",
            Self::History => "history",
            Self::Other => "",
        }
    }
}

fn kind(report: &Report<'_>, index: usize) -> SentenceKind {
    match report.kind_of(index) {
        SectionKind::Technique => return SentenceKind::Technique,
        SectionKind::Comparison => return SentenceKind::Comparison,
        SectionKind::History => return SentenceKind::History,
        SectionKind::Recommendation => return SentenceKind::Recommendation,
        SectionKind::Title | SectionKind::Administrative => return SentenceKind::Other,
        _ => {}
    }
    let range = &report.sentences[index].tokens;
    if report.has_word(index, &RECOMMEND) {
        return SentenceKind::Recommendation;
    }
    let mentions: Vec<_> = report.mentions.iter().filter(|m| m.sentence == index && m.is_current()).collect();
    let there = mentions.iter().any(|m| matches!(m.assertion, Assertion::Present | Assertion::Possible));
    let compared = report.change_words.iter().any(|w| range.contains(&w.tokens.start))
        || report.has_word(index, &["compared", "comparison", "prior", "previous", "previously"]);
    if compared {
        return SentenceKind::Comparison;
    }
    if there {
        return SentenceKind::Finding;
    }
    if mentions.iter().any(|m| m.assertion == Assertion::Absent) || report.has_word(index, &NORMAL) {
        return SentenceKind::Negative;
    }
    if report.has_word(index, &TECHNIQUE) {
        return SentenceKind::Technique;
    }
    if mentions.is_empty() { SentenceKind::Other } else { SentenceKind::Finding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_each_kind() {
        for (text, kind) in [
            ("There is a 12 mm nodule in the right upper lobe.", SentenceKind::Finding),
            ("Possible pneumonia in the left lower lobe.", SentenceKind::Finding),
            ("No pleural effusion or pneumothorax.", SentenceKind::Negative),
            ("The liver is normal.", SentenceKind::Negative),
            ("The nodule is unchanged compared with 2025.", SentenceKind::Comparison),
            ("Follow-up CT in 6 months is recommended.", SentenceKind::Recommendation),
            ("Axial images were acquired after intravenous contrast.", SentenceKind::Technique),
            ("TECHNIQUE: CT of the chest.", SentenceKind::Technique),
            ("HISTORY: Cough for two weeks.", SentenceKind::History),
        ] {
            let found = kinds(text);
            assert!(found.iter().any(|(_, k)| *k == kind), "{text}: {found:?}");
        }
        assert!(kinds("").is_empty());
    }
}
