//! The language models as a card names them.

use super::gpt2::{self, Gpt2, Gpt2Config};
use super::recurrent::{Recurrent, RecurrentConfig, RecurrentLm, RecurrentLmConfig};
use super::{bert, ngram, t5, vectors};
use crate::arch::{Params, Shapes, Tensors};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which language model, with its numbers. Those of published families have the names of their `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TextNet {
    /// [`bert`].
    Bert(bert::BertConfig),
    /// [`gpt2`].
    Gpt2(Gpt2Config),
    /// [`t5`].
    T5(t5::T5Config),
    /// The layers of `torch.nn`, [`super::recurrent`].
    Recurrent(RecurrentConfig),
    /// A language model on them.
    RecurrentLm(RecurrentLmConfig),
    /// Counts of words in a row, [`ngram`].
    Ngram(ngram::NgramConfig),
    /// A vector per word, [`vectors`].
    WordVectors(vectors::VectorsConfig),
}

/// A network of [`TextNet`] ready to run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Built {
    /// See [`TextNet::Bert`].
    Bert(Box<bert::Bert>),
    /// See [`TextNet::Gpt2`].
    Gpt2(Box<Gpt2>),
    /// See [`TextNet::T5`].
    T5(Box<t5::T5>),
    /// See [`TextNet::Recurrent`].
    Recurrent(Recurrent),
    /// See [`TextNet::RecurrentLm`].
    RecurrentLm(Box<RecurrentLm>),
}

impl TextNet {
    /// The name in cards.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bert(_) => "bert",
            Self::Gpt2(_) => "gpt2",
            Self::T5(_) => "t5",
            Self::Recurrent(_) => "recurrent",
            Self::RecurrentLm(_) => "recurrent-lm",
            Self::Ngram(_) => "ngram",
            Self::WordVectors(_) => "word-vectors",
        }
    }

    /// Whether the numbers make a network; the reason where not.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::Bert(c) => c.check(),
            Self::Gpt2(c) => c.check(),
            Self::T5(c) => c.check(),
            Self::Recurrent(c) => c.check(),
            Self::RecurrentLm(c) => c.check(),
            Self::Ngram(c) => c.check(),
            Self::WordVectors(c) => c.check(),
        }
    }

    /// Name and shape of each tensor.
    pub(crate) fn shapes(&self) -> Shapes {
        match self {
            Self::Ngram(c) => c.shapes(),
            Self::WordVectors(c) => c.shapes(),
            _ => Params::list(|p| self.net(p)).unwrap_or_default(),
        }
    }

    fn net(&self, p: &Params<'_>) -> Result<Built> {
        Ok(match self {
            Self::Bert(c) => Built::Bert(Box::new(bert::Bert::new(p, c)?)),
            Self::Gpt2(c) => Built::Gpt2(Box::new(Gpt2::new(p, c)?)),
            Self::T5(c) => Built::T5(Box::new(t5::T5::new(p, c)?)),
            Self::Recurrent(c) => Built::Recurrent(Recurrent::new(p, c)?),
            Self::RecurrentLm(c) => Built::RecurrentLm(Box::new(RecurrentLm::new(p, c)?)),
            Self::Ngram(_) | Self::WordVectors(_) => {
                return Err(Error::Text { reason: format!("'{}' is a table, not a network", self.name()) });
            }
        })
    }

    /// Makes the network from tensors whose names and shapes were checked.
    pub(crate) fn build(&self, tensors: &Tensors) -> Result<Built> {
        self.net(&Params::of(tensors))
    }

    /// The network's name of a tensor that Hugging Face files name otherwise.
    pub(crate) fn rename(&self, name: &str) -> String {
        match self {
            Self::Bert(_) => bert::rename(name),
            Self::Gpt2(_) => gpt2::rename(name),
            _ => name.to_owned(),
        }
    }

    /// Whether a tensor of the published files has no part here.
    pub(crate) fn ignores(&self, name: &str) -> bool {
        match self {
            Self::Bert(c) => bert::ignores(c, name),
            Self::Gpt2(c) => gpt2::ignores(c, name),
            Self::T5(_) => t5::ignores(name),
            _ => false,
        }
    }

    /// Sets what a file's names decide.
    pub(crate) fn adapt(&mut self, names: &[&str]) {
        match self {
            Self::Bert(c) => bert::adapt(c, names),
            Self::T5(c) => t5::adapt(c, names),
            Self::Gpt2(c) => c.tie_word_embeddings |= !names.iter().any(|n| n.ends_with("lm_head.weight")),
            _ => {}
        }
    }
}

/// Checks a number of a config against a range, so that none asks for absurd memory.
pub(crate) use crate::arch::net::within;
