//! A choice of two to four words that are all seen.

use egui::{Id, Rect, Response, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::{Look, button::paint_centred, line_text, paint::focus_ring_inside};
use crate::{
    fonts::{Weight, font},
    theme::{self, size},
};

/// A choice of two to four words that are all seen, one of them on.
#[must_use = "show it in a Ui"]
pub struct Segmented<'a> {
    name: &'a str,
    words: &'a [&'a str],
    fill: bool,
}

impl<'a> Segmented<'a> {
    /// A choice with a name for AccessKit.
    pub fn new(name: &'a str, words: &'a [&'a str]) -> Self {
        Self { name, words, fill: false }
    }

    /// As wide as there is room, with cells of equal width.
    pub fn fill(mut self) -> Self {
        self.fill = true;
        self
    }

    /// Show it; a click moves `chosen`, and the response says `changed`.
    pub fn show(self, ui: &mut Ui, chosen: &mut usize) -> Response {
        let t = theme::tokens(ui);
        let label = font(size::TEXT[1], Weight::Regular);
        let mut widths: Vec<f32> = self
            .words
            .iter()
            .map(|word| (line_text(ui, *word, label.clone(), t.t1, f32::INFINITY).size().x + 16.0).ceil())
            .collect();
        if self.fill {
            let each = ((ui.available_width() - 4.0) / self.words.len().max(1) as f32).floor();
            widths.fill(each);
        }
        let width = widths.iter().sum::<f32>() + 4.0;
        let (rect, mut response) = ui.allocate_exact_size(vec2(width, size::CONTROL), Sense::hover());
        ui.painter().rect_filled(rect, size::RADIUS, t.bg2);
        let mut x = rect.left() + 2.0;
        for (index, (word, width)) in self.words.iter().zip(widths).enumerate() {
            let cell = Rect::from_min_size(pos2(x, rect.top() + 2.0), vec2(width, size::CONTROL_COMPACT));
            x += width;
            let id: Id = response.id.with(index);
            let part = ui.interact(cell, id, Sense::click());
            if part.clicked() && *chosen != index {
                *chosen = index;
                response.mark_changed();
            }
            let look = Look::of(&part, None);
            let on = *chosen == index;
            let ground = if on { t.bg4 } else { look.ground(t, t.bg2) };
            ui.painter().rect_filled(cell, size::RADIUS_THUMB, ground);
            let ink = if on { t.t1 } else { look.ink(t, t.t2) };
            paint_centred(ui, word, size::TEXT[1], Weight::Regular, ink, cell);
            if part.has_focus() {
                focus_ring_inside(ui, cell, size::RADIUS_THUMB);
            }
            part.widget_info(|| WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), on, word));
        }
        response.widget_info(|| WidgetInfo::labeled(Role::RadioGroup, ui.is_enabled(), self.name));
        response
    }
}
