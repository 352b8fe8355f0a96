//! What writes along: proposals from rules or from a language model, each sentence read again before it may be inserted.
//!
//! | room | subject |
//! |---|---|
//! | [`judge`] | what is known, and whether a written sentence says more than that |
//! | [`impression`] | the conclusion from the findings |
//! | [`letter`] | the patient's letter in plain words |
//! | [`prompt`] | what a language model is told; data apart from instructions |
//! | [`onward`] | whether words may be proposed while typing |
//! | [`kind`] | what a sentence is: finding, negative, comparison, recommendation, technique |
//! | [`words`] | other words for a term: lexicon and word vectors |
//!
//! No model is known here. A caller hands in a [`Writer`]; without one, the same proposals come from rules.

pub mod impression;
pub mod judge;
pub mod kind;
pub mod letter;
pub mod onward;
pub mod prompt;
pub mod words;

use serde::Serialize;

pub use judge::{Fault, FaultKind, Judged, Known, judge};
pub use prompt::Prompt;

/// A language model as it is seen from here: a prompt to a text. The error is one sentence.
pub type Writer<'w> = dyn FnMut(&Prompt) -> Result<String, String> + 'w;

/// Who wrote a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// Rules and tables of this program.
    Rules,
    /// A language model.
    Model,
}

/// A text that is proposed, sentence by sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// Who wrote it.
    pub author: Author,
    /// Its sentences with what speaks against them.
    pub sentences: Vec<Judged>,
}

impl Proposal {
    /// The sentences that may be inserted, a space between two.
    #[must_use]
    pub fn insertable(&self) -> String {
        self.sentences.iter().filter_map(Judged::insertable).collect::<Vec<_>>().join(" ")
    }
}
