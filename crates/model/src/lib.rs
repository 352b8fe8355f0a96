//! Models on candle: weights, cards, inference, training, evaluation; the only crate that knows a tensor.
//!
//! A [`Store`] lists [`store::Entry`]s (folders with weights and a [`Card`]); a [`Model`] is an entry loaded and
//! checked; [`Model::segment`] answers for a [`GreyImage`]. [`train`] makes weights from a recipe, [`rcnn`] from
//! boxes that a reader draws, [`evaluate`] measures them on persons that were held back. [`post`], [`data`] and [`metrics`] are plain functions.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where"))]

mod answer;
pub mod arch;
pub mod atlas;
pub mod bench;
pub mod card;
mod click;
pub mod data;
pub mod degrade;
pub mod detection;
mod error;
pub mod evaluate;
pub mod explain;
mod files;
pub mod frechet;
mod generate;
mod image;
mod import;
mod input;
pub mod language;
pub mod metrics;
pub mod npy;
pub mod plain;
pub mod post;
mod prepare;
pub mod published;
mod radon;
pub mod raw;
pub mod rcnn;
mod restore;
mod run;
mod segment;
pub mod store;
pub mod train;
pub mod trust;
mod untrained;
mod volume;
mod weights;

pub use crate::image::GreyImage;
pub use answer::{Answer, Class, Fed, Found, FoundBox, Restored};
pub use card::Card;
pub use click::Clicked;
pub use error::{Error, Result};
pub use prepare::{Picture, Placed};
pub use run::RunCx;
pub use segment::{LabelMask, Model, SegmentOptions, Segmentation};
pub use store::{Entry, Store};
pub use volume::VolumeAnswer;
