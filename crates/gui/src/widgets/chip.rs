//! Small labels: chips of sources and states, badges with counts, caps of keys.

use egui::{Align2, Color32, Rect, Response, Role, Sense, Stroke, Ui, Widget, WidgetInfo, pos2, vec2};

use super::{Hint, Look, Tone, dashed_rect, focus_ring, line_text, paint_icon, paint_text};
use crate::{
    fonts::{Weight, font},
    icons::Icon,
    theme::{self, size},
};

const HEIGHT_PT: f32 = 20.0;

/// A chip, 20 high: where a sentence comes from, or what state a thing is in.
#[must_use = "add it to a Ui"]
pub struct Chip<'a> {
    text: &'a str,
    icon: Option<Icon>,
    tone: Tone,
    dashed: bool,
    click: bool,
    hint: Hint<'a>,
}

impl<'a> Chip<'a> {
    /// A plain chip.
    pub fn new(text: &'a str) -> Self {
        Self { text, icon: None, tone: Tone::Plain, dashed: false, click: false, hint: Hint::default() }
    }

    /// With an icon: person, ruler, model, box, header, prior.
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// In the colours of a tone.
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// With a dashed edge and no ground: not confirmed by a person.
    pub fn dashed(mut self) -> Self {
        self.dashed = true;
        self
    }

    /// It takes clicks: it shows its source.
    pub fn clickable(mut self) -> Self {
        self.click = true;
        self
    }

    /// With a line in the tooltip.
    pub fn line(mut self, line: &'a str) -> Self {
        self.hint = Hint { name: self.text, line, ..Hint::default() };
        self
    }
}

impl Widget for Chip<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let (mark, ground) = self.tone.colours(t);
        let (padding, gap) = (if self.dashed { 7.0 } else { 6.0 }, 4.0);
        let icon_pt = self.icon.map_or(0.0, |_| size::ICON[2] + gap);
        let ink = if self.dashed { t.t1 } else { mark };
        let most = ui.available_width().max(48.0) - 2.0 * padding - icon_pt;
        let words = line_text(ui, self.text, font(size::TEXT[0], Weight::Regular), ink, most);
        let width = (words.size().x + icon_pt + 2.0 * padding).ceil();
        let sense = if self.click { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(vec2(width, HEIGHT_PT), sense);

        if ui.is_rect_visible(rect) {
            let look = if self.click { Look::of(&response, None) } else { Look::Rest };
            let radius = (HEIGHT_PT / 2.0) as u8;
            let hovered = matches!(look, Look::Hover | Look::Pressed);
            if self.dashed {
                if hovered {
                    ui.painter().rect_filled(rect, radius, t.bg3);
                }
                dashed_rect(ui.painter(), rect, f32::from(radius), Stroke::new(1.0, t.line2), 3.0, 2.0);
            } else {
                let ground = if hovered && self.tone == Tone::Plain { t.bg4 } else { ground };
                ui.painter().rect_filled(rect, radius, ground);
            }
            if let Some(icon) = self.icon {
                let centre = pos2(rect.left() + padding + size::ICON[2] / 2.0, rect.center().y);
                paint_icon(ui.painter(), icon, centre, size::ICON[2], ink);
            }
            let inner = rect.with_min_x(rect.left() + padding + icon_pt);
            paint_text(ui.painter(), words, inner, Align2::LEFT_CENTER);
            if response.has_focus() {
                focus_ring(ui, rect, radius);
            }
        }
        let role = if self.click { Role::Button } else { Role::Label };
        response.widget_info(|| WidgetInfo::labeled(role, true, self.text));
        self.hint.attach(response)
    }
}

/// The cap of a key, 16 high.
pub fn key_cap(ui: &mut Ui, key: &str) -> Response {
    let words = line_text(ui, key, font(size::TEXT[0], Weight::Medium), Color32::PLACEHOLDER, f32::INFINITY);
    let (rect, response) = ui.allocate_exact_size(vec2((words.size().x + 8.0).ceil(), 16.0), Sense::hover());
    paint_key_cap(ui, key, rect);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, key));
    response
}

pub(crate) fn paint_key_cap(ui: &Ui, key: &str, rect: Rect) {
    let t = theme::tokens(ui);
    ui.painter().rect_filled(rect, size::RADIUS_THUMB, t.bg3);
    let words = line_text(ui, key, font(size::TEXT[0], Weight::Medium), t.t3, f32::INFINITY);
    paint_text(ui.painter(), words, rect, Align2::CENTER_CENTER);
}

/// A count in a pill, 14 high: amber where the count is of trouble.
pub fn badge(ui: &mut Ui, count: usize, trouble: bool) -> Response {
    let (rect, response) = ui.allocate_exact_size(badge_size(ui, count), Sense::hover());
    paint_badge(ui, count, trouble, rect);
    response
}

pub(super) fn badge_size(ui: &Ui, count: usize) -> egui::Vec2 {
    let words = line_text(ui, count.to_string(), font(10.0, Weight::SemiBold), Color32::PLACEHOLDER, f32::INFINITY);
    vec2((words.size().x + 8.0).ceil().max(14.0), 14.0)
}

pub(super) fn paint_badge(ui: &Ui, count: usize, trouble: bool, rect: Rect) {
    let t = theme::tokens(ui);
    let (ground, ink) = if trouble { (t.warn, t.bg0) } else { (t.acc, t.accon) };
    ui.painter().rect_filled(rect, 7, ground);
    let words = line_text(ui, count.to_string(), font(10.0, Weight::SemiBold), ink, f32::INFINITY);
    paint_text(ui.painter(), words, rect, Align2::CENTER_CENTER);
}
