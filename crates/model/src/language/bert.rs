//! BERT (Devlin et al. 2018) and RoBERTa (Liu et al. 2019), as in Hugging Face `modeling_bert.py`: `embeddings`,
//! `encoder.layer.I.{attention,intermediate,output}`, `pooler`; heads for masked words and for classes where a file has them.

use super::gpt2::fault;
use super::layers::{Activation, Embedding, LayerNorm, Linear, NEVER, attend, join_heads, split_heads};
use super::net::within;
use crate::Result;
use crate::arch::Params;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The numbers of a `config.json` that make the network, and what the file decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    /// Tokens.
    pub vocab_size: usize,
    /// Width.
    pub hidden_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads.
    pub num_attention_heads: usize,
    /// Width inside a layer.
    pub intermediate_size: usize,
    /// Inside a layer.
    #[serde(default = "gelu")]
    pub hidden_act: String,
    /// Rows of the table of places.
    pub max_position_embeddings: usize,
    /// Kinds of text.
    #[serde(default = "two")]
    pub type_vocab_size: usize,
    /// Of the norms.
    #[serde(default = "eps")]
    pub layer_norm_eps: f64,
    /// Row of the first place: 0 in BERT, behind the padding's number in RoBERTa.
    #[serde(default)]
    pub position_offset: usize,
    /// Whether the file holds the pooler.
    #[serde(default = "yes")]
    pub pooler: bool,
    /// Whether the file holds the head for masked words.
    #[serde(default)]
    pub masked_lm: bool,
    /// Classes of the head for classes; 0 where there is none.
    #[serde(default)]
    pub classes: usize,
}

fn gelu() -> String {
    "gelu".into()
}

fn two() -> usize {
    2
}

fn eps() -> f64 {
    1e-12
}

fn yes() -> bool {
    true
}

impl BertConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("vocab_size", self.vocab_size, 2, 1 << 20)?;
        within("hidden_size", self.hidden_size, 1, 1 << 14)?;
        within("num_hidden_layers", self.num_hidden_layers, 1, 256)?;
        within("num_attention_heads", self.num_attention_heads, 1, 256)?;
        within("intermediate_size", self.intermediate_size, 1, 1 << 17)?;
        within("max_position_embeddings", self.max_position_embeddings, 1, 1 << 17)?;
        within("position_offset", self.position_offset, 0, self.max_position_embeddings - 1)?;
        within("type_vocab_size", self.type_vocab_size, 1, 1 << 10)?;
        within("classes", self.classes, 0, 1 << 16)?;
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let (width, heads) = (self.hidden_size, self.num_attention_heads);
            return Err(format!("a width of {width} does not divide into {heads} heads"));
        }
        Activation::of(&self.hidden_act).map(|_| ())
    }
}

#[derive(Debug, Clone)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    project: Linear,
    norm_1: LayerNorm,
    widen: Linear,
    narrow: Linear,
    norm_2: LayerNorm,
}

#[derive(Debug, Clone)]
struct MaskedLm {
    dense: Linear,
    norm: LayerNorm,
    head: Linear,
}

/// The network.
#[derive(Debug, Clone)]
pub struct Bert {
    config: BertConfig,
    act: Activation,
    words: Embedding,
    places: Embedding,
    kinds: Embedding,
    norm: LayerNorm,
    layers: Vec<Layer>,
    pooler: Option<Linear>,
    masked_lm: Option<MaskedLm>,
    classifier: Option<Linear>,
}

impl Bert {
    pub(crate) fn new(p: &Params<'_>, config: &BertConfig) -> Result<Self> {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let e = p.at("embeddings");
        let words = Embedding::new(&e.at("word_embeddings"), config.vocab_size, width)?;
        let places = Embedding::new(&e.at("position_embeddings"), config.max_position_embeddings, width)?;
        let kinds = Embedding::new(&e.at("token_type_embeddings"), config.type_vocab_size, width)?;
        let norm = LayerNorm::new(&e.at("LayerNorm"), width, eps)?;
        let layer = |index: usize| -> Result<Layer> {
            let p = p.at("encoder.layer").at(index);
            let own = p.at("attention.self");
            Ok(Layer {
                query: Linear::new(&own.at("query"), width, width, true)?,
                key: Linear::new(&own.at("key"), width, width, true)?,
                value: Linear::new(&own.at("value"), width, width, true)?,
                project: Linear::new(&p.at("attention.output.dense"), width, width, true)?,
                norm_1: LayerNorm::new(&p.at("attention.output.LayerNorm"), width, eps)?,
                widen: Linear::new(&p.at("intermediate.dense"), width, config.intermediate_size, true)?,
                narrow: Linear::new(&p.at("output.dense"), config.intermediate_size, width, true)?,
                norm_2: LayerNorm::new(&p.at("output.LayerNorm"), width, eps)?,
            })
        };
        let layers = (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?;
        let pooler = config.pooler.then(|| Linear::new(&p.at("pooler.dense"), width, width, true)).transpose()?;
        let masked_lm = if config.masked_lm {
            let p = p.at("cls.predictions");
            Some(MaskedLm {
                dense: Linear::new(&p.at("transform.dense"), width, width, true)?,
                norm: LayerNorm::new(&p.at("transform.LayerNorm"), width, eps)?,
                head: Linear::with(words.table.clone(), p.get("bias", &[config.vocab_size])?),
            })
        } else {
            None
        };
        let classifier = if config.classes > 0 {
            Some(Linear::new(&p.at("classifier"), width, config.classes, true)?)
        } else {
            None
        };
        let act = Activation::of(&config.hidden_act).map_err(fault)?;
        Ok(Self { config: config.clone(), act, words, places, kinds, norm, layers, pooler, masked_lm, classifier })
    }

    /// Tokens that the network can hold.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.config.max_position_embeddings - self.config.position_offset
    }

    /// Behind the last layer: `ids` `[batch, length]` of u32 to `[batch, length, hidden_size]`.
    ///
    /// `kinds` (`[batch, length]`) tells two texts apart, absent for one; `mask` is 1 where there is text, 0 where padding.
    ///
    /// # Errors
    /// [`crate::Error::Text`] for a text that is too long; [`crate::Error::Tensor`] for a token beyond the vocabulary.
    pub fn forward(&self, ids: &Tensor, kinds: Option<&Tensor>, mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, length) = ids.dims2()?;
        if length > self.positions() {
            return Err(fault(format!("the text has {length} tokens, the model holds {}", self.positions())));
        }
        let offset = self.config.position_offset as u32;
        let places = Tensor::arange(offset, offset + length as u32, &Device::Cpu)?;
        let kinds = match kinds {
            Some(kinds) => self.kinds.forward(kinds)?,
            None => self.kinds.forward(&Tensor::zeros((batch, length), candle_core::DType::U32, &Device::Cpu)?)?,
        };
        let x = (self.words.forward(ids)? + kinds)?.broadcast_add(&self.places.forward(&places)?)?;
        let mut x = self.norm.forward(&x)?;
        let mask = match mask {
            Some(mask) => {
                let mask = mask.to_dtype(candle_core::DType::F32)?.reshape((batch, 1, 1, length))?;
                Some(((1.0 - mask)? * f64::from(NEVER))?)
            }
            None => None,
        };
        let heads = self.config.num_attention_heads;
        let scale = ((self.config.hidden_size / heads) as f64).sqrt().recip();
        for layer in &self.layers {
            let of = |linear: &Linear| split_heads(&linear.forward(&x)?, heads);
            let y = attend(&of(&layer.query)?, &of(&layer.key)?, &of(&layer.value)?, scale, mask.as_ref(), &mut None)?;
            x = layer.norm_1.forward(&(layer.project.forward(&join_heads(&y)?)? + x)?)?;
            let y = layer.narrow.forward(&self.act.apply(&layer.widen.forward(&x)?)?)?;
            x = layer.norm_2.forward(&(y + x)?)?;
        }
        Ok(x)
    }

    /// The first token through the pooler, `[batch, hidden_size]`.
    ///
    /// # Errors
    /// [`crate::Error::Text`] where the file held no pooler.
    pub fn pooled(&self, hidden: &Tensor) -> Result<Tensor> {
        let pooler = self.pooler.as_ref().ok_or_else(|| fault("it has no pooler".into()))?;
        let first = hidden.narrow(1, 0, 1)?.squeeze(1)?;
        Ok(pooler.forward(&first)?.tanh()?)
    }

    /// Logits of the word in each place, `[batch, length, vocab_size]`.
    ///
    /// # Errors
    /// [`crate::Error::Text`] where the file held no such head.
    pub fn masked_words(&self, hidden: &Tensor) -> Result<Tensor> {
        let head = self.masked_lm.as_ref().ok_or_else(|| fault("it has no head for masked words".into()))?;
        head.head.forward(&head.norm.forward(&self.act.apply(&head.dense.forward(hidden)?)?)?)
    }

    /// Logits of the classes, `[batch, classes]`.
    ///
    /// # Errors
    /// [`crate::Error::Text`] where the file held no such head.
    pub fn classes(&self, hidden: &Tensor) -> Result<Tensor> {
        let head = self.classifier.as_ref().ok_or_else(|| fault("it has no head for classes".into()))?;
        head.forward(&self.pooled(hidden)?)
    }
}

/// The name here of a tensor in Hugging Face files.
pub(crate) fn rename(name: &str) -> String {
    let name = ["bert.", "roberta."].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    match name.strip_suffix(".gamma") {
        Some(rest) => format!("{rest}.weight"),
        None => name.strip_suffix(".beta").map_or(name.to_owned(), |rest| format!("{rest}.bias")),
    }
}

/// Numbers of places, the head that is tied, heads of pretraining that nobody asks for.
pub(crate) fn ignores(config: &BertConfig, name: &str) -> bool {
    name == "embeddings.position_ids"
        || name == "embeddings.token_type_ids"
        || name.starts_with("cls.predictions.decoder.")
        || name.starts_with("cls.seq_relationship.")
        || name.starts_with("lm_head.")
        || (!config.masked_lm && name.starts_with("cls.predictions."))
}

/// Which heads a file has.
pub(crate) fn adapt(config: &mut BertConfig, names: &[&str]) {
    let has = |end: &str| names.iter().any(|n| n.ends_with(end));
    config.pooler = has("pooler.dense.weight");
    config.masked_lm = has("cls.predictions.transform.dense.weight") && has("cls.predictions.bias");
    if !has("classifier.weight") {
        config.classes = 0;
    }
}
