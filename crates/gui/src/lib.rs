//! The window: egui, the only crate that knows a pixel on the screen.
