//! The window under a test's hand: what it calls its parts, what keys and pointer do, and how it looks.
//!
//! Nothing here needs a display. `desk` is the harness: the real application over a state, drawn frame by frame with the
//! processor's painter, its widgets found by their AccessKit names. When a test fails, the window as it was then is saved.
//! A real window is opened by `tests/window`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]
#![allow(clippy::print_stdout, reason = "a test that fails, or is left out, says where its picture lies and why")]

mod ai;
mod desk;
mod keys;
mod made_up;
mod masks;
mod names;
mod panels;
mod pictures;
mod pointer;
mod report;
mod start;
mod writing;
