//! The right panel: tabs and their content, or the rail when [`lightbox_session::workspace::Workspace::panel`] is `None`.

use egui::Ui;

use crate::cx::{Cx, Out};

/// Fills its room.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let _ = (ui, cx, out);
}
