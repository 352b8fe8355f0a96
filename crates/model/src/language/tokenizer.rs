//! Text to numbers and back, from the files that published models bring: `tokenizer.json`; WordPiece `vocab.txt`;
//! byte-level BPE `vocab.json` and `merges.txt`; SentencePiece unigram `spiece.model`.

use super::gpt2::fault;
use crate::{Error, Result};
use std::collections::HashSet;
use std::path::Path;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{BertNormalizer, Precompiled};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer};

/// Between two texts, in the models trained here and in GPT-2.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// A larger file is no tokenizer.
const LARGEST_BYTES: u64 = 64 << 20;
/// Longer texts are cut before they are read: no model here holds as much.
pub const LONGEST_TEXT_BYTES: usize = 1 << 20;

/// A tokenizer.
#[derive(Debug, Clone)]
pub struct TextTokenizer(Tokenizer);

fn wrap(error: impl std::fmt::Display) -> Error {
    fault(format!("its tokenizer is not readable ({error})"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let length = std::fs::metadata(path).map_err(Error::read(path))?.len();
    if length > LARGEST_BYTES {
        return Err(fault(format!("{length} bytes are too many for a tokenizer")));
    }
    std::fs::read(path).map_err(Error::read(path))
}

impl TextTokenizer {
    /// From the text of a `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::Text`].
    pub fn from_json(text: &str) -> Result<Self> {
        text.parse::<Tokenizer>().map(Self::plain).map_err(wrap)
    }

    pub(crate) fn of(tokenizer: Tokenizer) -> Self {
        Self::plain(tokenizer)
    }

    /// Truncation and padding of a file are for batches in training; a caller here decides on lengths.
    fn plain(mut tokenizer: Tokenizer) -> Self {
        // Taking truncation off cannot fail.
        tokenizer.with_truncation(None).ok();
        tokenizer.with_padding(None);
        Self(tokenizer)
    }

    /// From the files of a folder, the most complete kind first.
    ///
    /// # Errors
    /// [`Error::Text`] where there is none, or one that is not readable; [`Error::Read`].
    pub fn from_folder(dir: &Path) -> Result<Self> {
        let at = |name: &str| Some(dir.join(name)).filter(|p| p.is_file());
        if let Some(path) = at("tokenizer.json") {
            return Self::from_json(&String::from_utf8_lossy(&read(&path)?));
        }
        let vocabulary = at("vocab.json").zip(at("merges.txt"));
        if let Some((vocabulary, merges)) = vocabulary {
            return Self::bpe(&read(&vocabulary)?, &String::from_utf8_lossy(&read(&merges)?));
        }
        if let Some(path) = at("vocab.txt") {
            let config = match at("tokenizer_config.json") {
                Some(path) => serde_json::from_slice(&read(&path)?).unwrap_or_default(),
                None => serde_json::Value::Null,
            };
            // Cased models say so; the published default is lower case.
            let lower = config["do_lower_case"].as_bool().unwrap_or(true);
            return Self::wordpiece(&String::from_utf8_lossy(&read(&path)?), lower);
        }
        if let Some(path) = at("spiece.model").or_else(|| at("tokenizer.model")) {
            return Self::sentencepiece(&read(&path)?);
        }
        let names = "tokenizer.json, vocab.json with merges.txt, vocab.txt or spiece.model";
        Err(fault(format!("it has no tokenizer: none of {names}: {}", dir.display())))
    }

    /// GPT-2's: `vocab.json` and `merges.txt`.
    fn bpe(vocabulary: &[u8], merges: &str) -> Result<Self> {
        let vocabulary: std::collections::HashMap<String, u32> = serde_json::from_slice(vocabulary).map_err(wrap)?;
        let merges = merges
            .lines()
            .filter(|line| !line.starts_with("#version") && !line.is_empty())
            .map(|line| {
                let (a, b) = line.split_once(' ').ok_or_else(|| wrap(format!("the merge '{line}' is no pair")))?;
                Ok((a.to_owned(), b.to_owned()))
            })
            .collect::<Result<Vec<_>>>()?;
        let vocabulary: Vocab = vocabulary.into_iter().collect();
        let model = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(wrap)?;
        Self::byte_level(Tokenizer::new(model))
    }

    fn byte_level(mut tokenizer: Tokenizer) -> Result<Self> {
        let level = ByteLevel::default().add_prefix_space(false);
        tokenizer.with_pre_tokenizer(Some(level)).with_post_processor(Some(level)).with_decoder(Some(level));
        if tokenizer.token_to_id(END_OF_TEXT).is_some() {
            tokenizer.add_special_tokens([AddedToken::from(END_OF_TEXT, true)]).map_err(wrap)?;
        }
        Ok(Self::plain(tokenizer))
    }

    /// BERT's: a token a line.
    fn wordpiece(vocabulary: &str, lower: bool) -> Result<Self> {
        let vocabulary: Vocab =
            vocabulary.lines().enumerate().map(|(i, token)| (token.trim_end().to_owned(), i as u32)).collect();
        let id = |token: &str| vocabulary.get(token).copied().ok_or_else(|| wrap(format!("it lacks {token}")));
        let (cls, sep) = (id("[CLS]")?, id("[SEP]")?);
        id("[UNK]")?;
        let specials: Vec<AddedToken> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
            .into_iter()
            .filter(|t| vocabulary.contains_key(*t))
            .map(|t| AddedToken::from(t, true))
            .collect();
        let model = WordPiece::builder().vocab(vocabulary).unk_token("[UNK]".into()).build().map_err(wrap)?;
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_normalizer(Some(BertNormalizer::new(true, true, None, lower))).map_err(wrap)?;
        let template = TemplateProcessing::builder()
            .try_single("[CLS] $A [SEP]")
            .and_then(|b| b.try_pair("[CLS] $A [SEP] $B:1 [SEP]:1"))
            .map_err(wrap)?
            .special_tokens(vec![("[CLS]".to_owned(), cls), ("[SEP]".to_owned(), sep)])
            .build()
            .map_err(wrap)?;
        tokenizer
            .with_pre_tokenizer(Some(BertPreTokenizer))
            .with_post_processor(Some(template))
            .with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
        tokenizer.add_special_tokens(specials).map_err(wrap)?;
        Ok(Self::plain(tokenizer))
    }

    /// T5's: a SentencePiece unigram model; the hundred `<extra_id_N>` of T5 stand behind it.
    fn sentencepiece(bytes: &[u8]) -> Result<Self> {
        let model = super::sentencepiece::read(bytes).map_err(wrap)?;
        let unknown = model.pieces.iter().position(|p| p.kind == super::sentencepiece::Kind::Unknown);
        let end = model.pieces.iter().position(|p| p.text == "</s>");
        let mut specials: Vec<AddedToken> = model
            .pieces
            .iter()
            .filter(|p| p.kind == super::sentencepiece::Kind::Control)
            .map(|p| AddedToken::from(p.text.clone(), true))
            .collect();
        let vocabulary = model.pieces.into_iter().map(|p| (p.text, f64::from(p.score))).collect();
        let unigram = Unigram::from(vocabulary, unknown, model.byte_fallback).map_err(wrap)?;
        let mut tokenizer = Tokenizer::new(unigram);
        if !model.charsmap.is_empty() {
            let map = Precompiled::from(&model.charsmap).map_err(|e| wrap(format!("{e:?}")))?;
            tokenizer.with_normalizer(Some(map)).map_err(wrap)?;
        }
        let space = Metaspace::new('\u{2581}', PrependScheme::Always, true);
        tokenizer.with_pre_tokenizer(Some(space.clone())).with_decoder(Some(space));
        specials.extend((0..100).rev().map(|i| AddedToken::from(format!("<extra_id_{i}>"), true)));
        tokenizer.add_special_tokens(specials).map_err(wrap)?;
        if let Some(end) = end {
            let template = TemplateProcessing::builder()
                .try_single("$A </s>")
                .and_then(|b| b.try_pair("$A </s> $B </s>"))
                .map_err(wrap)?
                .special_tokens(vec![("</s>".to_owned(), end as u32)])
                .build()
                .map_err(wrap)?;
            tokenizer.with_post_processor(Some(template));
        }
        Ok(Self::plain(tokenizer))
    }

    /// Learns byte-level BPE of `size` tokens from texts; the first token is [`END_OF_TEXT`].
    ///
    /// # Errors
    /// [`Error::Text`].
    pub fn learn<'t>(texts: impl Iterator<Item = &'t str> + Send, size: usize) -> Result<Self> {
        let alphabet: HashSet<char> = ByteLevel::alphabet().into_iter().collect();
        let mut trainer = BpeTrainerBuilder::new()
            .show_progress(false)
            .vocab_size(size)
            .min_frequency(2)
            .initial_alphabet(alphabet)
            .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
            .build();
        let level = ByteLevel::default().add_prefix_space(false);
        let mut tokenizer: tokenizers::TokenizerImpl<BPE, BertNormalizer, ByteLevel, ByteLevel, ByteLevel> =
            tokenizers::TokenizerImpl::new(BPE::default());
        tokenizer.with_pre_tokenizer(Some(level)).with_post_processor(Some(level)).with_decoder(Some(level));
        tokenizer.train(&mut trainer, texts).map_err(wrap)?;
        Ok(Self::plain(tokenizer.into()))
    }

    /// As `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::Text`].
    pub fn to_json(&self) -> Result<String> {
        self.0.to_string(false).map_err(wrap)
    }

    /// Tokens of a text as they are; [`Self::encode_whole`] adds what stands round a whole text.
    ///
    /// # Errors
    /// [`Error::Text`] where the text has characters that the tokenizer has no number for.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.ids(text, false)
    }

    /// With the tokens that the model expects round a whole text (`[CLS]`, `</s>`).
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_whole(&self, text: &str) -> Result<Vec<u32>> {
        self.ids(text, true)
    }

    fn ids(&self, text: &str, whole: bool) -> Result<Vec<u32>> {
        let mut end = text.len().min(LONGEST_TEXT_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let found = self.0.encode_fast(&text[..end], whole).map_err(wrap)?;
        Ok(found.get_ids().to_vec())
    }

    /// Text of tokens, without the special ones.
    ///
    /// # Errors
    /// [`Error::Text`].
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.0.decode(ids, true).map_err(wrap)
    }

    /// How many tokens there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.get_vocab_size(true)
    }

    /// The number of a token as it stands in the vocabulary.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.0.token_to_id(token)
    }

    /// A token as it stands in the vocabulary (`Ġlung`).
    #[must_use]
    pub fn token(&self, id: u32) -> Option<String> {
        self.0.id_to_token(id)
    }
}
