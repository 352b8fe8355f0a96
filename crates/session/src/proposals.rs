//! What is proposed for a report as whole sentences: the impression, the patient's letter, other words for a word. Each
//! sentence was read again; one that says more than is known is shown, struck through, and cannot be taken.

use std::path::PathBuf;

use lightbox_report::assist::words::Other;
use lightbox_report::assist::{Author, Judged, Proposal};
use lightbox_report::findings::FindingsFile;
use serde::{Deserialize, Serialize};

use crate::checks::CheckText;

/// What is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferKind {
    /// The impression, from the findings.
    Impression,
    /// The letter to the patient, in plain words. It is no part of the report.
    Letter,
}

impl OfferKind {
    /// All, left to right.
    pub const ALL: [Self; 2] = [Self::Impression, Self::Letter];

    /// Name as shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Impression => "Impression",
            Self::Letter => "Patient letter",
        }
    }
}

/// What a proposal is made of.
#[derive(Debug, Clone)]
pub struct ProposeSpec {
    /// Study Instance UID.
    pub study: String,
    /// What.
    pub kind: OfferKind,
    /// The report's words.
    pub text: CheckText,
    /// What was found and measured, with the reader's decisions.
    pub facts: FindingsFile,
    /// A language model to write it; rules do while `None`.
    pub model: Option<PathBuf>,
}

/// The language model that wrote, and what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrote {
    /// Its name, as its file tells it.
    pub name: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// SHA-256 of what it was told.
    pub prompt_sha256: String,
}

/// What became of a sentence that is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Nobody has decided.
    #[default]
    Open,
    /// It stands in the report, or in the letter.
    Taken,
    /// It is refused.
    Refused,
}

/// A sentence that is proposed.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered {
    /// The sentence, with what speaks against it.
    pub judged: Judged,
    /// The findings that hold it: id, and what a chip says.
    pub from: Vec<(String, String)>,
    /// What became of it.
    pub fate: Fate,
}

/// A proposal as the reader sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Its sentences.
    pub sentences: Vec<Offered>,
    /// The language model, where one wrote it.
    pub model: Option<Wrote>,
    /// Why no language model wrote it though one is chosen.
    pub note: Option<String>,
}

impl Offer {
    /// Of what was proposed.
    #[must_use]
    pub fn of(proposal: Proposal, facts: &FindingsFile, model: Option<Wrote>, note: Option<String>) -> Self {
        let label = |id: &String| {
            let finding = facts.known_findings().iter().find(|f| f.id.as_ref() == Some(id))?;
            let term = finding.term.clone()?;
            let mm = finding.longest_mm().map(|mm| format!(", {} mm", (mm * 10.0).round() / 10.0));
            Some((id.clone(), format!("{term}{}", mm.unwrap_or_default())))
        };
        let model = model.filter(|_| proposal.author == Author::Model);
        let offered = |judged: Judged| Offered {
            from: judged.finding_ids.iter().filter_map(label).collect(),
            judged,
            fate: Fate::Open,
        };
        Self { sentences: proposal.sentences.into_iter().map(offered).collect(), model, note }
    }

    /// The sentences that were taken, a line each: what a letter is.
    #[must_use]
    pub fn taken(&self) -> String {
        let taken = self.sentences.iter().filter(|x| x.fate == Fate::Taken).filter_map(|x| x.judged.insertable());
        taken.collect::<Vec<_>>().join("\n")
    }
}

/// Other words for a word.
#[derive(Debug, Clone, PartialEq)]
pub struct OtherWords {
    /// The word.
    pub term: String,
    /// Those that mean the same first, then those that are only used alike.
    pub found: Vec<Other>,
}
