//! Recipes of the language models that are trained here.

use crate::arch::Architecture;
use crate::card::{Baseline, BaselineMethod, Card, DataSpec, InputSpec, Task, one_line};
use crate::train::recipe::Training;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

use super::net::TextNet;

/// What to train, on what, how, and what the card is to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRecipe {
    /// Id of the model.
    pub id: String,
    /// A few words for a list.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub summary: String,
    /// Always `language`.
    pub task: Task,
    /// Licence of the weights.
    pub licence: String,
    /// What the card says about its limits.
    #[serde(default)]
    pub limits: Vec<String>,
    /// The plain method to compare with.
    pub baseline: BaselineMethod,
    /// The network. Of tables the sizes are what the data give; what stands here is the most.
    pub architecture: Architecture,
    /// What to train on.
    pub data: DataSpec,
    /// How a network is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// What is particular to text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextTraining>,
    /// How word vectors are trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<VectorTraining>,
}

/// What the training of a network on text needs beside [`Training`]. A batch holds rows of `tokens` each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextTraining {
    /// Tokens of a row.
    pub tokens: usize,
    /// Numbers set to zero at random, 0 to 1.
    pub dropout: f64,
    /// Share of rows from general medical text (MedQuAD) at the beginning; it falls to 0 at `general_until`.
    pub general_share: f64,
    /// Part of the training, 0 to 1.
    pub general_until: f64,
    /// Share of the network in the mixture with the n-gram; chosen anew on the validation texts.
    #[serde(default = "half")]
    pub share: f64,
}

fn half() -> f64 {
    0.5
}

/// Which word vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VectorMethod {
    /// Word2Vec: a word foretells its neighbours (Mikolov et al. 2013).
    SkipGram,
    /// Word2Vec: its neighbours foretell a word.
    Cbow,
    /// GloVe (Pennington et al. 2014).
    Glove,
}

/// How word vectors are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorTraining {
    /// Which.
    pub method: VectorMethod,
    /// Numbers of a vector.
    pub width: usize,
    /// Words to either side, drawn from 1 to this.
    pub window: usize,
    /// Rarer words get no vector.
    pub least_count: u32,
    /// Most words, the most frequent first.
    pub most_words: usize,
    /// Times through the text.
    pub epochs: usize,
    /// At the beginning; it falls to nothing.
    pub learning_rate: f32,
    /// Words drawn against each true pair (Word2Vec).
    #[serde(default = "five")]
    pub negative: usize,
    /// Frequent words are left out the oftener, the smaller this is (Word2Vec).
    #[serde(default = "sample")]
    pub sample: f64,
    /// Threads; with one, the same recipe gives the same vectors.
    #[serde(default = "one")]
    pub threads: usize,
    /// Of all draws.
    pub seed: u64,
    /// Two words that occur together this often more than by chance become one (`pleural_effusion`); 0 for none.
    #[serde(default)]
    pub phrases: f64,
}

fn five() -> usize {
    5
}

fn sample() -> f64 {
    1e-3
}

fn one() -> usize {
    1
}

impl VectorTraining {
    pub(crate) fn check(&self) -> Result<(), String> {
        let whole = [
            ("width", self.width, 1, 1024),
            ("window", self.window, 1, 64),
            ("most_words", self.most_words, 1, 1 << 21),
            ("epochs", self.epochs, 1, 1000),
            ("negative", self.negative, 1, 64),
            ("threads", self.threads, 1, 256),
        ];
        whole.into_iter().try_for_each(|(name, value, low, high)| super::net::within(name, value, low, high))?;
        if !(self.learning_rate > 0.0 && self.learning_rate < 1.0) || self.sample.is_nan() || self.sample < 0.0 {
            return Err("learning_rate is above 0 and below 1, sample at least 0".into());
        }
        Ok(())
    }
}

impl TextRecipe {
    /// Whether a recipe's text is one of a language model, so that it is to be read here.
    #[must_use]
    pub fn is(text: &str) -> bool {
        text.parse::<toml::Table>().is_ok_and(|t| t.get("task").and_then(|v| v.as_str()) == Some(Task::Language.name()))
    }

    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Recipe`].
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&std::fs::read_to_string(path).map_err(Error::read(path))?)
    }

    /// Parses and checks a recipe.
    ///
    /// # Errors
    /// [`Error::Recipe`].
    pub fn parse(text: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text).map_err(|e| Error::Recipe { reason: one_line(&e, text) })?;
        recipe.check()?;
        Ok(recipe)
    }

    fn check(&self) -> Result<()> {
        let fail = |reason: String| Err(Error::Recipe { reason });
        self.card("").check().map_err(|e| Error::Recipe { reason: e.to_string() })?;
        if self.data.set != super::corpus::SET {
            return fail(format!("there is no reader of text for the data set '{}'", self.data.set));
        }
        match self.net()? {
            TextNet::Gpt2(_) | TextNet::RecurrentLm(_) => {
                let (Some(t), Some(text)) = (&self.training, &self.text) else {
                    return fail("a network needs [training] and [text]".into());
                };
                let most = if let TextNet::Gpt2(c) = self.net()? { c.n_positions } else { 4096 };
                if t.steps == 0 || t.checkpoint_every == 0 || t.validate_every == 0 || !(1..=1024).contains(&t.batch) {
                    return fail(
                        "steps, checkpoint_every and validate_every are at least 1, batch is 1 to 1024".into(),
                    );
                }
                if !(2..=most).contains(&text.tokens) {
                    return fail(format!("tokens of [text] is between 2 and {most}"));
                }
                let parts = [text.general_share, text.general_until, text.share];
                if parts.iter().any(|p| !(0.0..=1.0).contains(p)) || !(0.0..0.9).contains(&text.dropout) {
                    return fail("shares of [text] are 0 to 1, dropout is at least 0 and below 0.9".into());
                }
            }
            TextNet::WordVectors(_) => match &self.vectors {
                Some(vectors) => vectors.check().or_else(fail)?,
                None => return fail("word vectors need [vectors]".into()),
            },
            TextNet::Ngram(_) => {}
            other => return fail(format!("a model of the kind '{}' is not trained here", other.name())),
        }
        Ok(())
    }

    pub(crate) fn net(&self) -> Result<&TextNet> {
        match &self.architecture {
            Architecture::Text(net) => Ok(net),
            other => Err(Error::Recipe { reason: format!("'{}' is no language model", other.name()) }),
        }
    }

    /// The card of what the recipe makes, without results.
    #[must_use]
    pub fn card(&self, sha256: &str) -> Card {
        Card {
            id: self.id.clone(),
            name: self.name.clone(),
            summary: self.summary.clone(),
            task: self.task,
            licence: self.licence.clone(),
            sha256: if sha256.is_empty() { "0".repeat(64) } else { sha256.into() },
            limits: self.limits.clone(),
            architecture: self.architecture.clone(),
            input: InputSpec::absent(),
            data: Some(self.data.clone()),
            baseline: Some(Baseline { method: self.baseline, metrics: BTreeMap::new() }),
            ..Card::stand_in(&self.id)
        }
    }
}
