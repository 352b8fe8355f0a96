//! The furniture around the images. `app/ui.rs` makes the room (an `egui` panel of the right size, ground and edge, no
//! margin) and calls one of these to fill it.
//!
//! A panel reads [`crate::cx::Cx`] and pushes wishes into [`crate::cx::Out`]. What it must remember between frames and
//! nobody else cares about (a filter, an open card, a name being typed) lies in egui's memory.

pub(crate) mod amount;
pub mod banner;
pub(crate) mod parts;
pub mod right;
pub mod start;
pub mod status;
pub mod study_list;
pub mod tool_options;
pub mod tool_strip;
pub mod top_bar;
