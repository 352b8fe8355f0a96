//! What a reader does, as lists of commands, without a window.

#![allow(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

mod bad_input;
mod checked;
mod explain;
mod fluid;
mod improve;
mod kept;
mod models;
mod reading;
mod recovery;
mod reports;
mod trial;
mod writing;
