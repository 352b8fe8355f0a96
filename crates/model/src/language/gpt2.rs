//! GPT-2 (Radford et al. 2019), as in Hugging Face `modeling_gpt2.py`: `wte wpe h.I.{ln_1,attn,ln_2,mlp} ln_f`, matrices
//! as `Conv1D` (`[inputs, outputs]`), the head tied to `wte`.

use super::layers::{
    Activation, Dropout, Embedding, KeysValues, LayerNorm, Linear, attend, causal_mask, drop, join_heads, remember,
    split_heads,
};
use super::net::within;
use crate::arch::Params;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The numbers of a `config.json` that make the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gpt2Config {
    /// Tokens.
    pub vocab_size: usize,
    /// Longest text in tokens.
    pub n_positions: usize,
    /// Width.
    pub n_embd: usize,
    /// Layers.
    pub n_layer: usize,
    /// Heads.
    pub n_head: usize,
    /// Width inside a block, 4 times the width where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_inner: Option<usize>,
    /// Of the norms.
    #[serde(default = "eps")]
    pub layer_norm_epsilon: f64,
    /// Inside a block.
    #[serde(default = "gelu_new")]
    pub activation_function: String,
    /// Scores divided by the layer's number too.
    #[serde(default)]
    pub scale_attn_by_inverse_layer_idx: bool,
    /// Whether the head is the table of the tokens.
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
}

fn eps() -> f64 {
    1e-5
}

fn gelu_new() -> String {
    "gelu_new".into()
}

fn yes() -> bool {
    true
}

impl Gpt2Config {
    fn inner(&self) -> usize {
        self.n_inner.unwrap_or(4 * self.n_embd)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        within("vocab_size", self.vocab_size, 2, 1 << 20)?;
        within("n_positions", self.n_positions, 2, 1 << 17)?;
        within("n_embd", self.n_embd, 1, 1 << 14)?;
        within("n_layer", self.n_layer, 1, 256)?;
        within("n_head", self.n_head, 1, 256)?;
        within("n_inner", self.inner(), 1, 1 << 17)?;
        if !self.n_embd.is_multiple_of(self.n_head) {
            return Err(format!("a width of {} does not divide into {} heads", self.n_embd, self.n_head));
        }
        Activation::of(&self.activation_function).map(|_| ())
    }
}

#[derive(Debug, Clone)]
struct Block {
    norm_1: LayerNorm,
    all: Linear,
    project: Linear,
    norm_2: LayerNorm,
    widen: Linear,
    narrow: Linear,
    scale: f64,
}

/// The network.
#[derive(Debug, Clone)]
pub struct Gpt2 {
    config: Gpt2Config,
    act: Activation,
    tokens: Embedding,
    positions: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

/// Keys and values of the text so far; a copy shares them.
#[derive(Debug, Clone)]
pub struct Cache {
    pub(crate) layers: Vec<KeysValues>,
    pub(crate) length: usize,
}

impl Cache {
    pub(crate) fn new(layers: usize) -> Self {
        Self { layers: vec![None; layers], length: 0 }
    }
}

impl Gpt2 {
    pub(crate) fn new(p: &Params<'_>, config: &Gpt2Config) -> Result<Self> {
        let (width, inner, eps) = (config.n_embd, config.inner(), config.layer_norm_epsilon);
        let tokens = Embedding::new(&p.at("wte"), config.vocab_size, width)?;
        let positions = Embedding::new(&p.at("wpe"), config.n_positions, width)?;
        let block = |index: usize| -> Result<Block> {
            let p = p.at("h").at(index);
            let mut scale = ((width / config.n_head) as f64).sqrt().recip();
            if config.scale_attn_by_inverse_layer_idx {
                scale /= (index + 1) as f64;
            }
            Ok(Block {
                norm_1: LayerNorm::new(&p.at("ln_1"), width, eps)?,
                all: Linear::conv1d(&p.at("attn.c_attn"), width, 3 * width)?,
                project: Linear::conv1d(&p.at("attn.c_proj"), width, width)?,
                norm_2: LayerNorm::new(&p.at("ln_2"), width, eps)?,
                widen: Linear::conv1d(&p.at("mlp.c_fc"), width, inner)?,
                narrow: Linear::conv1d(&p.at("mlp.c_proj"), inner, width)?,
                scale,
            })
        };
        let blocks = (0..config.n_layer).map(block).collect::<Result<_>>()?;
        let norm = LayerNorm::new(&p.at("ln_f"), width, eps)?;
        let head = if config.tie_word_embeddings {
            Linear::of(tokens.table.clone())?
        } else {
            Linear::new(&p.at("lm_head"), width, config.vocab_size, false)?
        };
        let act = Activation::of(&config.activation_function).map_err(fault)?;
        Ok(Self { config: config.clone(), act, tokens, positions, blocks, norm, head })
    }

    /// An empty text.
    #[must_use]
    pub fn start(&self) -> Cache {
        Cache::new(self.blocks.len())
    }

    /// Tokens that the network can hold.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.config.n_positions
    }

    /// Behind the last norm: `ids` `[batch, length]` of u32 to `[batch, length, n_embd]`. The cache holds the text so
    /// far and grows.
    ///
    /// # Errors
    /// [`Error::Tensor`] for a token beyond the vocabulary or a text beyond the positions.
    pub fn hidden(&self, ids: &Tensor, cache: &mut Cache) -> Result<Tensor> {
        self.run(ids, cache, &mut None)
    }

    /// Logits `[batch, length, vocab_size]`.
    ///
    /// # Errors
    /// As [`Gpt2::hidden`].
    pub fn forward(&self, ids: &Tensor, cache: &mut Cache) -> Result<Tensor> {
        self.head.forward(&self.run(ids, cache, &mut None)?)
    }

    /// Logits while training.
    pub(crate) fn forward_train(&self, ids: &Tensor, dropout: &mut Dropout) -> Result<Tensor> {
        self.head.forward(&self.run(ids, &mut self.start(), &mut Some(dropout))?)
    }

    fn run(&self, ids: &Tensor, cache: &mut Cache, dropout: &mut Option<&mut Dropout>) -> Result<Tensor> {
        let (_, length) = ids.dims2()?;
        let past = cache.length;
        if past + length > self.config.n_positions {
            return Err(fault(format!("the text is longer than the network's {} tokens", self.config.n_positions)));
        }
        let places = Tensor::arange(past as u32, (past + length) as u32, &Device::Cpu)?;
        let x = self.tokens.forward(ids)?.broadcast_add(&self.positions.forward(&places)?)?;
        let mut x = drop(x, dropout)?;
        let mask = causal_mask(length, past)?;
        for (block, kept) in self.blocks.iter().zip(&mut cache.layers) {
            let y = block.all.forward(&block.norm_1.forward(&x)?)?;
            let parts = y.chunk(3, 2)?;
            let heads = |i: usize| split_heads(&parts[i].contiguous()?, self.config.n_head);
            let (k, v) = remember(kept, heads(1)?, heads(2)?)?;
            let y = attend(&heads(0)?, &k, &v, block.scale, mask.as_ref(), dropout)?;
            x = (x + drop(block.project.forward(&join_heads(&y)?)?, dropout)?)?;
            let y = self.act.apply(&block.widen.forward(&block.norm_2.forward(&x)?)?)?;
            x = (x + drop(block.narrow.forward(&y)?, dropout)?)?;
        }
        cache.length = past + length;
        self.norm.forward(&x)
    }
}

/// The name here of a tensor in Hugging Face files.
pub(crate) fn rename(name: &str) -> String {
    name.strip_prefix("transformer.").unwrap_or(name).to_owned()
}

/// Masks that old files keep as tensors, and the tied head.
pub(crate) fn ignores(config: &Gpt2Config, name: &str) -> bool {
    name.ends_with(".attn.bias")
        || name.ends_with(".attn.masked_bias")
        || (config.tie_word_embeddings && name == "lm_head.weight")
}

pub(crate) fn fault(reason: String) -> Error {
    Error::Text { reason }
}
