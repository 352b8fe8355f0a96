//! The window: egui, the only crate that knows a pixel on the screen.

pub mod app;
pub mod cx;
pub mod dialogs;
pub mod fonts;
pub mod icons;
pub mod offscreen;
pub mod overlay;
pub mod panels;
mod pictures;
pub mod shortcuts;
pub mod textures;
pub mod theme;
pub mod views;
mod wheel;
pub mod widgets;
mod window;

pub use pictures::{ScreenshotOptions, readme_pictures, screenshot};
pub use window::{WindowOptions, run};
