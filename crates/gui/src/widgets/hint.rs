//! The tooltip: name, key, one line; and the reason where the part is disabled.

use egui::{Align, FontId, Frame, Layout, Margin, Response, Stroke, Ui};

use super::{key_cap, wrapped_text};
use crate::{
    fonts::{Weight, font},
    theme::{self, size},
};

/// What a tooltip says. Empty fields are left out; a hint without a name shows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint<'a> {
    /// The name of the thing, also its name for AccessKit.
    pub name: &'a str,
    /// The key that does the same.
    pub key: &'a str,
    /// What it does, in one line.
    pub line: &'a str,
    /// Why it cannot be used now.
    pub reason: &'a str,
}

/// Width of the words of a tooltip.
const WIDTH_PT: f32 = 184.0;

impl Hint<'_> {
    /// Show the hint over the part that `response` belongs to, when the pointer rests there.
    pub fn attach(self, response: Response) -> Response {
        if self.name.is_empty() {
            return response;
        }
        if response.enabled() {
            response.on_hover_ui(|ui| self.ui(ui))
        } else {
            response.on_disabled_hover_ui(|ui| self.ui(ui))
        }
    }

    /// The words of the tooltip, without its frame.
    pub fn ui(self, ui: &mut Ui) {
        let t = theme::tokens(ui);
        ui.set_width(WIDTH_PT);
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.horizontal(|ui| {
            let key_pt = if self.key.is_empty() { 0.0 } else { 48.0 };
            words(ui, self.name, font(size::TEXT[1], Weight::SemiBold), t.t1, WIDTH_PT - key_pt);
            if !self.key.is_empty() {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| key_cap(ui, self.key));
            }
        });
        for (line, colour) in [(self.line, t.t2), (self.reason, t.warn)] {
            if !line.is_empty() {
                words(ui, line, font(size::TEXT[1], Weight::Regular), colour, WIDTH_PT);
            }
        }
    }

    /// The tooltip in its frame, as it opens; for the gallery.
    pub(super) fn framed(self, ui: &mut Ui) {
        let t = theme::tokens(ui);
        Frame::new()
            .fill(t.bg2)
            .stroke(Stroke::new(1.0, t.line2))
            .corner_radius(size::RADIUS)
            .inner_margin(Margin::symmetric(7, 5))
            .shadow(ui.visuals().popup_shadow)
            .show(ui, |ui| self.ui(ui));
    }
}

fn words(ui: &mut Ui, text: &str, font: FontId, colour: egui::Color32, most_pt: f32) {
    let galley = wrapped_text(ui, &[(text, font, colour)], size::LINE[1], most_pt);
    let (rect, _) = ui.allocate_exact_size(galley.size(), egui::Sense::hover());
    ui.painter().galley(rect.min, galley, colour);
}
