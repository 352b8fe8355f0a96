//! T5 (Raffel et al. 2019) and flan-T5, encoder and decoder, as in Hugging Face `modeling_t5.py`: `shared`,
//! `{encoder,decoder}.block.I.layer.J`, `final_layer_norm`, `lm_head` where it is not tied.

use super::gpt2::fault;
use super::layers::{
    Activation, Embedding, KeysValues, Linear, NEVER, RmsNorm, attend, causal_mask, join_heads, remember, split_heads,
};
use super::net::within;
use crate::Result;
use crate::RunCx;
use crate::arch::Params;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The numbers of a `config.json` that make the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct T5Config {
    /// Tokens.
    pub vocab_size: usize,
    /// Width.
    pub d_model: usize,
    /// Width of a head.
    pub d_kv: usize,
    /// Width inside a layer.
    pub d_ff: usize,
    /// Layers of the encoder.
    pub num_layers: usize,
    /// Layers of the decoder; as many as the encoder's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_decoder_layers: Option<usize>,
    /// Heads.
    pub num_heads: usize,
    /// Classes of distance between two places.
    #[serde(default = "buckets")]
    pub relative_attention_num_buckets: usize,
    /// Farther places are all alike.
    #[serde(default = "farthest")]
    pub relative_attention_max_distance: usize,
    /// Of the norms.
    #[serde(default = "eps")]
    pub layer_norm_epsilon: f64,
    /// `relu` or `gated-gelu`.
    #[serde(default = "relu")]
    pub feed_forward_proj: String,
    /// Whether what goes into the head is scaled, as where it is the table of the tokens (T5, not flan-T5).
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
    /// Whether the file holds a head beside that table.
    #[serde(default)]
    pub own_head: bool,
    /// What the decoder begins with.
    #[serde(default)]
    pub decoder_start_token_id: u32,
    /// What ends a text.
    #[serde(default = "end")]
    pub eos_token_id: u32,
}

fn buckets() -> usize {
    32
}

fn farthest() -> usize {
    128
}

fn eps() -> f64 {
    1e-6
}

fn relu() -> String {
    "relu".into()
}

fn yes() -> bool {
    true
}

fn end() -> u32 {
    1
}

impl T5Config {
    fn decoder_layers(&self) -> usize {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }

    /// Whether the layer inside has a gate, and its activation.
    fn inside(&self) -> Result<(bool, Activation), String> {
        match self.feed_forward_proj.strip_prefix("gated-") {
            // Hugging Face's "gated-gelu" is the tanh form.
            Some("gelu") => Ok((true, Activation::GeluTanh)),
            Some(name) => Ok((true, Activation::of(name)?)),
            None => Ok((false, Activation::of(&self.feed_forward_proj)?)),
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        within("vocab_size", self.vocab_size, 2, 1 << 20)?;
        within("d_model", self.d_model, 1, 1 << 14)?;
        within("d_kv", self.d_kv, 1, 1 << 12)?;
        within("d_ff", self.d_ff, 1, 1 << 17)?;
        within("num_layers", self.num_layers, 1, 256)?;
        within("num_decoder_layers", self.decoder_layers(), 1, 256)?;
        within("num_heads", self.num_heads, 1, 256)?;
        within("relative_attention_num_buckets", self.relative_attention_num_buckets, 4, 1 << 12)?;
        let distance = self.relative_attention_max_distance;
        within("relative_attention_max_distance", distance, self.relative_attention_num_buckets, 1 << 16)?;
        self.inside().map(|_| ())
    }
}

#[derive(Debug, Clone)]
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    norm: RmsNorm,
}

#[derive(Debug, Clone)]
struct Inside {
    /// With a gate two.
    widen: Vec<Linear>,
    narrow: Linear,
    norm: RmsNorm,
    act: Activation,
}

#[derive(Debug, Clone)]
struct Block {
    own: Attention,
    cross: Option<Attention>,
    inside: Inside,
}

#[derive(Debug, Clone)]
struct Stack {
    blocks: Vec<Block>,
    /// `[buckets, heads]`.
    distances: Embedding,
    norm: RmsNorm,
}

/// The network.
#[derive(Debug, Clone)]
pub struct T5 {
    config: T5Config,
    tokens: Embedding,
    encoder: Stack,
    decoder: Stack,
    head: Linear,
}

/// A text that is being written: keys and values of what was written, and of what was read.
#[derive(Debug, Clone)]
pub struct T5Cache {
    own: Vec<KeysValues>,
    cross: Vec<KeysValues>,
    length: usize,
}

impl Attention {
    fn new(p: &Params<'_>, name: &str, config: &T5Config) -> Result<Self> {
        let (width, inner) = (config.d_model, config.num_heads * config.d_kv);
        let own = p.at(name);
        Ok(Self {
            q: Linear::new(&own.at("q"), width, inner, false)?,
            k: Linear::new(&own.at("k"), width, inner, false)?,
            v: Linear::new(&own.at("v"), width, inner, false)?,
            o: Linear::new(&own.at("o"), inner, width, false)?,
            norm: RmsNorm::new(&p.at("layer_norm"), width, config.layer_norm_epsilon)?,
        })
    }
}

impl Stack {
    fn new(p: &Params<'_>, config: &T5Config, layers: usize, decoder: bool) -> Result<Self> {
        let (gated, act) = config.inside().map_err(fault)?;
        let mut distances = None;
        let mut blocks = Vec::with_capacity(layers.min(256));
        for index in 0..layers {
            let p = p.at("block").at(index).at("layer");
            let own = Attention::new(&p.at(0), "SelfAttention", config)?;
            if index == 0 {
                let p = p.at("0.SelfAttention.relative_attention_bias");
                distances = Some(Embedding::new(&p, config.relative_attention_num_buckets, config.num_heads)?);
            }
            let cross = decoder.then(|| Attention::new(&p.at(1), "EncDecAttention", config)).transpose()?;
            let p = p.at(if decoder { 2 } else { 1 });
            let names: &[&str] = if gated { &["wi_0", "wi_1"] } else { &["wi"] };
            let d = p.at("DenseReluDense");
            let widen = names.iter().map(|n| Linear::new(&d.at(n), config.d_model, config.d_ff, false));
            let inside = Inside {
                widen: widen.collect::<Result<_>>()?,
                narrow: Linear::new(&d.at("wo"), config.d_ff, config.d_model, false)?,
                norm: RmsNorm::new(&p.at("layer_norm"), config.d_model, config.layer_norm_epsilon)?,
                act,
            };
            blocks.push(Block { own, cross, inside });
        }
        let distances = distances.ok_or_else(|| fault("it has no layers".into()))?;
        let norm = RmsNorm::new(&p.at("final_layer_norm"), config.d_model, config.layer_norm_epsilon)?;
        Ok(Self { blocks, distances, norm })
    }

    /// What distance adds to the scores: `[1, heads, rows, columns]`, rows beginning at `past`.
    fn bias(&self, config: &T5Config, rows: usize, past: usize, columns: usize, both_ways: bool) -> Result<Tensor> {
        let classes: Vec<u32> = (past..past + rows)
            .flat_map(|row| (0..columns).map(move |column| bucket(column as i64 - row as i64, config, both_ways)))
            .collect();
        let classes = Tensor::from_vec(classes, (rows, columns), &Device::Cpu)?;
        Ok(self.distances.forward(&classes)?.permute((2, 0, 1))?.unsqueeze(0)?.contiguous()?)
    }
}

/// The class of a distance, as in the published code.
fn bucket(distance: i64, config: &T5Config, both_ways: bool) -> u32 {
    let mut classes = config.relative_attention_num_buckets;
    let mut first = 0;
    let away = if both_ways {
        classes /= 2;
        if distance > 0 {
            first = classes;
        }
        distance.unsigned_abs()
    } else {
        distance.min(0).unsigned_abs()
    } as usize;
    let exact = classes / 2;
    let class = if away < exact {
        away
    } else {
        let span = (config.relative_attention_max_distance as f64 / exact as f64).ln() as f32;
        let far = (away as f32 / exact as f32).ln() / span * (classes - exact) as f32;
        (exact + far as usize).min(classes - 1)
    };
    (first + class) as u32
}

impl T5 {
    pub(crate) fn new(p: &Params<'_>, config: &T5Config) -> Result<Self> {
        let tokens = Embedding::new(&p.at("shared"), config.vocab_size, config.d_model)?;
        let encoder = Stack::new(&p.at("encoder"), config, config.num_layers, false)?;
        let decoder = Stack::new(&p.at("decoder"), config, config.decoder_layers(), true)?;
        let head = if config.own_head {
            Linear::new(&p.at("lm_head"), config.d_model, config.vocab_size, false)?
        } else {
            Linear::of(tokens.table.clone())?
        };
        Ok(Self { config: config.clone(), tokens, encoder, decoder, head })
    }

    /// What was read: `ids` `[batch, length]` to `[batch, length, d_model]`; `mask` is 1 where there is text.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] for a token beyond the vocabulary.
    pub fn encode(&self, ids: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (_, length) = ids.dims2()?;
        let mut x = self.tokens.forward(ids)?;
        let mut bias = self.encoder.bias(&self.config, length, 0, length, true)?;
        if let Some(mask) = padding(mask)? {
            bias = bias.broadcast_add(&mask)?;
        }
        let heads = self.config.num_heads;
        for block in &self.encoder.blocks {
            let a = &block.own;
            let y = a.norm.forward(&x)?;
            let of = |linear: &Linear| split_heads(&linear.forward(&y)?, heads);
            let y = attend(&of(&a.q)?, &of(&a.k)?, &of(&a.v)?, 1.0, Some(&bias), &mut None)?;
            x = (x + a.o.forward(&join_heads(&y)?)?)?;
            x = block.inside.forward(&x)?;
        }
        self.encoder.norm.forward(&x)
    }

    /// Nothing written yet.
    #[must_use]
    pub fn start(&self) -> T5Cache {
        let layers = self.decoder.blocks.len();
        T5Cache { own: vec![None; layers], cross: vec![None; layers], length: 0 }
    }

    /// Logits `[batch, length, vocab_size]` of what follows each of `ids`, after what the cache holds.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn decode(&self, ids: &Tensor, read: &Tensor, mask: Option<&Tensor>, cache: &mut T5Cache) -> Result<Tensor> {
        let (_, length) = ids.dims2()?;
        let past = cache.length;
        let mut x = self.tokens.forward(ids)?;
        let mut bias = self.decoder.bias(&self.config, length, past, past + length, false)?;
        if let Some(mask) = causal_mask(length, past)? {
            bias = bias.broadcast_add(&mask)?;
        }
        let mask = padding(mask)?;
        let heads = self.config.num_heads;
        for (i, block) in self.decoder.blocks.iter().enumerate() {
            let a = &block.own;
            let y = a.norm.forward(&x)?;
            let of = |linear: &Linear| split_heads(&linear.forward(&y)?, heads);
            let (k, v) = remember(&mut cache.own[i], of(&a.k)?, of(&a.v)?)?;
            let y = attend(&of(&a.q)?, &k, &v, 1.0, Some(&bias), &mut None)?;
            x = (x + a.o.forward(&join_heads(&y)?)?)?;
            if let Some(a) = &block.cross {
                let y = a.norm.forward(&x)?;
                let (k, v) = match &cache.cross[i] {
                    Some((k, v)) => (k.clone(), v.clone()),
                    None => {
                        let of = |linear: &Linear| split_heads(&linear.forward(read)?, heads);
                        let new = (of(&a.k)?, of(&a.v)?);
                        cache.cross[i] = Some(new.clone());
                        new
                    }
                };
                let y = attend(&split_heads(&a.q.forward(&y)?, heads)?, &k, &v, 1.0, mask.as_ref(), &mut None)?;
                x = (x + a.o.forward(&join_heads(&y)?)?)?;
            }
            x = block.inside.forward(&x)?;
        }
        cache.length = past + length;
        let mut x = self.decoder.norm.forward(&x)?;
        if self.config.tie_word_embeddings {
            // Mesh TensorFlow scales here where the table is shared.
            x = (x * (self.config.d_model as f64).sqrt().recip())?;
        }
        self.head.forward(&x)
    }

    /// The likeliest text of at most `most` tokens for what was read, without the end.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] between two tokens; as [`Self::encode`].
    pub fn write(&self, ids: &[u32], most: usize, cx: &RunCx<'_>) -> Result<Vec<u32>> {
        if ids.is_empty() {
            return Err(fault("there is no text to read".into()));
        }
        let read = self.encode(&Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu)?, None)?;
        let mut cache = self.start();
        let mut next = self.config.decoder_start_token_id;
        let mut written = Vec::new();
        while written.len() < most.min(4096) {
            cx.check()?;
            let logits = self.decode(&Tensor::new(&[[next]], &Device::Cpu)?, &read, None, &mut cache)?;
            let logits = super::causal::last(&logits)?;
            let best =
                logits.iter().enumerate().fold((0, f32::NEG_INFINITY), |b, (i, v)| if *v > b.1 { (i, *v) } else { b });
            next = best.0 as u32;
            if next == self.config.eos_token_id {
                break;
            }
            written.push(next);
        }
        Ok(written)
    }
}

impl Inside {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.norm.forward(x)?;
        let mut inner = self.act.apply(&self.widen[0].forward(&y)?)?;
        if let Some(second) = self.widen.get(1) {
            inner = (inner * second.forward(&y)?)?;
        }
        Ok((x + self.narrow.forward(&inner)?)?)
    }
}

fn padding(mask: Option<&Tensor>) -> Result<Option<Tensor>> {
    let Some(mask) = mask else { return Ok(None) };
    let (batch, length) = mask.dims2()?;
    let mask = mask.to_dtype(candle_core::DType::F32)?.reshape((batch, 1, 1, length))?;
    Ok(Some(((1.0 - mask)? * f64::from(NEVER))?))
}

/// Copies of the shared table, and a table of distances that old files keep without using it.
pub(crate) fn ignores(name: &str) -> bool {
    name == "encoder.embed_tokens.weight"
        || name == "decoder.embed_tokens.weight"
        || name == "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
}

/// Whether a file has a head of its own: T5's are tied, though some hold a copy.
pub(crate) fn adapt(config: &mut T5Config, names: &[&str]) {
    config.own_head = names.contains(&"lm_head.weight");
}
