//! A language model of a folder: card, weights, and its tokenizer or words as a field of the weights, so that the hash in
//! the card covers them too.

use super::causal::Causal;
use super::gpt2::fault;
use super::memory;
use super::net::{Built, TextNet};
use super::ngram::Ngram;
use super::tokenizer::TextTokenizer;
use super::vectors::WordVectors;
use crate::arch::{Architecture, Tensors};
use crate::card::{Card, WEIGHTS_FILE};
use crate::store::Entry;
use crate::{Error, Result, weights};
use candle_core::Device;
use safetensors::SafeTensors;
use std::path::Path;

/// Field of the weights that holds a `tokenizer.json`.
pub(crate) const TOKENIZER_FIELD: &str = "tokenizer";
/// Field of the weights that holds words, one a line.
pub(crate) const WORDS_FIELD: &str = "words";

#[derive(Debug)]
enum Inner {
    Net(Built),
    Ngram(Ngram),
    Vectors(WordVectors),
}

/// A language model ready to run.
#[derive(Debug)]
pub struct TextModel {
    card: Card,
    inner: Inner,
    tokenizer: Option<TextTokenizer>,
}

impl TextModel {
    /// Whether a card is that of a language model.
    #[must_use]
    pub fn is(card: &Card) -> bool {
        matches!(card.architecture, Architecture::Text(_))
    }

    /// Reads the weights of an entry and checks hash, names, shapes and numbers.
    ///
    /// # Errors
    /// One sentence for each fault that a card or a weights file can have; [`Error::Memory`].
    pub fn load(entry: &Entry) -> Result<Self> {
        if let Some(problem) = &entry.problem {
            return Err(Error::Card { id: entry.id.clone(), reason: problem.clone() });
        }
        Self::load_from(entry.card.clone(), &entry.dir.join(WEIGHTS_FILE))
    }

    /// As [`Self::load`], from a card and a weights file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_from(card: Card, path: &Path) -> Result<Self> {
        card.check()?;
        let length = std::fs::metadata(path).map_err(Error::read(path))?.len();
        // The file, and its numbers as f32 (from f16 twice the file).
        memory::check(length.saturating_mul(3))?;
        let bytes = weights::read_checked(&card.id, path, &card.sha256)?;
        let tensors = weights::parse(&card.id, &bytes, path, &Device::Cpu)?;
        let (_, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|e| Error::Weights { reason: e.to_string(), path: path.into() })?;
        let field = |name: &str| header.metadata().as_ref().and_then(|m| m.get(name)).map(String::as_str);
        Self::of(card, &tensors, field(TOKENIZER_FIELD), field(WORDS_FIELD))
    }

    /// From tensors and the two fields.
    pub(crate) fn of(card: Card, tensors: &Tensors, tokenizer: Option<&str>, words: Option<&str>) -> Result<Self> {
        weights::check(&card.id, tensors, &card.architecture.shapes())?;
        let Architecture::Text(net) = &card.architecture else {
            return Err(fault(format!("'{}' is no language model but one for {}", card.id, card.task.name())));
        };
        let listed = || words.ok_or_else(|| fault(format!("the weights of '{}' lack its words", card.id)));
        let inner = match net {
            TextNet::Ngram(config) => Inner::Ngram(Ngram::from_tensors(config, tensors, listed()?)?),
            TextNet::WordVectors(config) => Inner::Vectors(WordVectors::from_tensors(config, tensors, listed()?)?),
            net => Inner::Net(net.build(tensors)?),
        };
        let tokenizer = tokenizer.map(TextTokenizer::from_json).transpose()?;
        Ok(Self { card, inner, tokenizer })
    }

    /// What is known about it.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The network, where it is one.
    #[must_use]
    pub fn net(&self) -> Option<&Built> {
        match &self.inner {
            Inner::Net(net) => Some(net),
            _ => None,
        }
    }

    /// Its tokenizer.
    ///
    /// # Errors
    /// [`Error::Text`] where the weights hold none.
    pub fn tokenizer(&self) -> Result<&TextTokenizer> {
        self.tokenizer.as_ref().ok_or_else(|| fault(format!("'{}' came without a tokenizer", self.card.id)))
    }

    /// As a model that gives the next token.
    ///
    /// # Errors
    /// [`Error::Text`] where it is none.
    pub fn causal(&self) -> Result<&dyn Causal> {
        match &self.inner {
            Inner::Net(Built::Gpt2(net)) => Ok(net.as_ref()),
            Inner::Net(Built::RecurrentLm(net)) => Ok(net.as_ref()),
            _ => Err(fault(format!("'{}' does not write from left to right", self.card.id))),
        }
    }

    /// As an n-gram.
    ///
    /// # Errors
    /// [`Error::Text`] where it is none.
    pub fn ngram(&self) -> Result<&Ngram> {
        match &self.inner {
            Inner::Ngram(ngram) => Ok(ngram),
            _ => Err(fault(format!("'{}' is no n-gram", self.card.id))),
        }
    }

    /// As word vectors.
    ///
    /// # Errors
    /// [`Error::Text`] where it holds none.
    pub fn vectors(&self) -> Result<&WordVectors> {
        match &self.inner {
            Inner::Vectors(vectors) => Ok(vectors),
            _ => Err(fault(format!("'{}' holds no word vectors", self.card.id))),
        }
    }
}
