//! Models on candle: weights, cards, inference, training, evaluation; the only crate that knows a tensor.
//!
//! A [`Store`] lists [`store::Entry`]s (folders with weights and a [`Card`]); a [`Model`] is an entry loaded and
//! checked; [`Model::segment`] answers for a [`GreyImage`]. [`train`] makes weights from a recipe, [`evaluate`]
//! measures them on persons that were held back. [`post`], [`data`] and [`metrics`] are plain functions.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where"))]

mod answer;
pub mod arch;
pub mod card;
pub mod data;
mod error;
pub mod evaluate;
mod files;
mod image;
mod import;
mod input;
pub mod metrics;
pub mod npy;
pub mod post;
mod prepare;
pub mod published;
pub mod raw;
mod run;
mod segment;
pub mod store;
pub mod train;
mod volume;
mod weights;

pub use crate::image::GreyImage;
pub use answer::{Answer, Class, Fed, Found, FoundBox, Restored};
pub use card::Card;
pub use error::{Error, Result};
pub use prepare::{Picture, Placed};
pub use run::RunCx;
pub use segment::{LabelMask, Model, SegmentOptions, Segmentation};
pub use store::{Entry, Store};
pub use volume::VolumeAnswer;
