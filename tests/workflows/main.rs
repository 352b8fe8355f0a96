//! What a reader does, as lists of commands, without a window.

mod bad_input;
mod reading;
mod recovery;
