//! Models on candle: weights, cards, inference, training, evaluation; the only crate that knows a tensor.
//!
//! A [`Store`] lists [`store::Entry`]s (folders with weights and a [`Card`]); a [`Model`] is an entry loaded and
//! checked; [`Model::segment`] answers for a [`GreyImage`]. [`train`] makes weights from a recipe, [`evaluate`]
//! measures them on persons that were held back. [`post`], [`data`] and [`metrics`] are plain functions.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where"))]

pub mod arch;
pub mod card;
pub mod data;
mod error;
pub mod evaluate;
mod files;
mod image;
pub mod metrics;
pub mod post;
mod run;
mod segment;
pub mod store;
pub mod train;
mod weights;

pub use crate::image::GreyImage;
pub use card::Card;
pub use error::{Error, Result};
pub use run::RunCx;
pub use segment::{LabelMask, Model, SegmentOptions, Segmentation};
pub use store::{Entry, Store};
