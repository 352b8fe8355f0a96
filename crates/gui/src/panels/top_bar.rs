//! The top bar.

use egui::Ui;

use crate::cx::{Cx, Out};

/// Fills its room.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let _ = (ui, cx, out);
}
