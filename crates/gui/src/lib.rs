//! The window: egui, the only crate that knows a pixel on the screen.

pub mod fonts;
pub mod icons;
pub mod theme;
pub mod widgets;
