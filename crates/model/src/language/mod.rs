//! Language models: the published families with files of Hugging Face, GGUF chat models, word vectors, n-grams, and the
//! small ones that are trained here.
//!
//! | room | subject |
//! |---|---|
//! | [`bert`], [`gpt2`], [`t5`], [`recurrent`] | the networks, a family a file |
//! | [`hub`] | a folder of Hugging Face (`config.json`, weights, tokenizer) as a model |
//! | [`gguf`] | quantized chat models of one file |
//! | [`tokenizer`] | text to numbers and back: WordPiece, byte-level BPE, SentencePiece |
//! | [`causal`] | one way to ask any model for the next token; writing text with it |
//! | [`ngram`] | counts of words in a row, smoothed; the plain method |
//! | [`complete`] | completion while typing: n-gram, the reader's own history, a network as a partner |
//! | [`vectors`], [`word2vec`], [`glove`] | word vectors: files, nearest words, training |
//! | [`corpus`], [`recipe`], [`train`], [`evaluate`] | what is trained here, from which text, how good |
//! | [`memory`] | whether a model fits |

pub mod bert;
pub mod causal;
pub mod complete;
pub mod corpus;
pub mod evaluate;
pub mod gguf;
pub mod glove;
pub mod gpt2;
pub mod hub;
pub(crate) mod layers;
pub mod memory;
pub mod net;
pub mod ngram;
pub mod recipe;
pub mod recurrent;
mod sentencepiece;
mod store;
pub mod t5;
pub mod tokenizer;
pub mod train;
pub mod vectors;
pub mod word2vec;

pub use net::{Built, TextNet};
pub use store::TextModel;
pub use tokenizer::TextTokenizer;
