//! A series in the studies panel: as a row with its thumbnail, or as a thumbnail alone.

use egui::{
    Align2, Color32, CornerRadius, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind, TextureId, Ui, Vec2, Widget,
    WidgetInfo, epaint::RectShape, pos2, vec2,
};

use super::{Look, line_text, message::paint_bar, paint::focus_ring_inside, paint_text};
use crate::{
    fonts::{Weight, font},
    theme::{self, size},
};

/// A row of the studies panel, 64 high: thumbnail, two lines, an amber note, progress while it loads.
#[must_use = "add it to a Ui"]
pub struct ThumbRow<'a> {
    title: &'a str,
    subtitle: &'a str,
    trouble: &'a str,
    texture: Option<(TextureId, Vec2)>,
    selected: bool,
    part: Option<f32>,
    thumb_pt: f32,
}

impl<'a> ThumbRow<'a> {
    /// A row with its two lines.
    pub fn new(title: &'a str, subtitle: &'a str) -> Self {
        Self { title, subtitle, trouble: "", texture: None, selected: false, part: None, thumb_pt: size::THUMB_ROW[1] }
    }

    /// With a picture of a size in pixels; it covers the square.
    pub fn texture(mut self, texture: Option<(TextureId, Vec2)>) -> Self {
        self.texture = texture;
        self
    }

    /// With an amber note before the second line: "173 of 176".
    pub fn trouble(mut self, trouble: &'a str) -> Self {
        self.trouble = trouble;
        self
    }

    /// It is the one in the active viewport.
    pub fn selected(mut self, selected: bool) -> Self {
        self.selected = selected;
        self
    }

    /// With the part that is loaded, from 0 to 1, while it is.
    pub fn progress(mut self, part: Option<f32>) -> Self {
        self.part = part;
        self
    }

    /// 56 high with a thumbnail of 48, for narrow windows.
    pub fn small(mut self) -> Self {
        self.thumb_pt = 48.0;
        self
    }
}

impl Widget for ThumbRow<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let height = self.thumb_pt + 8.0;
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click_and_drag());
        let ground_rect = rect.shrink2(vec2(4.0, 0.0));
        let look = Look::of(&response, None);
        let ground = if self.selected { t.accbg } else { look.ground(t, Color32::TRANSPARENT) };
        ui.painter().rect_filled(ground_rect, size::RADIUS, ground);
        let thumb =
            Rect::from_min_size(pos2(ground_rect.left() + 8.0, rect.top() + 4.0), vec2(self.thumb_pt, self.thumb_pt));
        paint_thumb(ui, thumb, self.texture);

        let words = Rect::from_min_max(pos2(thumb.right() + 8.0, rect.top()), ground_rect.max - vec2(8.0, 0.0));
        let y = rect.center().y;
        let medium = font(size::TEXT[1], Weight::Medium);
        let note = || font(size::TEXT[0], Weight::Regular);
        let title = line_text(ui, self.title, medium, t.t1, words.width());
        let first = Rect::from_min_size(pos2(words.left(), y - 16.0), vec2(words.width(), 16.0));
        paint_text(ui.painter(), title, first, Align2::LEFT_CENTER);
        let mut second = first.translate(vec2(0.0, 16.0));
        if !self.trouble.is_empty() {
            let trouble = line_text(ui, self.trouble, note(), t.warn, second.width());
            let wide = trouble.size().x;
            paint_text(ui.painter(), trouble, second, Align2::LEFT_CENTER);
            second.min.x += wide;
        }
        let rest = if self.trouble.is_empty() || self.subtitle.is_empty() {
            self.subtitle.to_owned()
        } else {
            format!(" · {}", self.subtitle)
        };
        let galley = line_text(ui, rest, note(), t.t3, second.width());
        paint_text(ui.painter(), galley, second, Align2::LEFT_CENTER);
        if let Some(part) = self.part {
            let bar = Rect::from_min_size(pos2(words.left(), rect.bottom() - 8.0), vec2(words.width(), 4.0));
            paint_bar(ui, bar, part, 2, t.acc);
        }
        if response.has_focus() {
            focus_ring_inside(ui, ground_rect, size::RADIUS);
        }
        let spoken: Vec<&str> =
            [self.title, self.trouble, self.subtitle].into_iter().filter(|s| !s.is_empty()).collect();
        response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, self.selected, spoken.join(", ")));
        response
    }
}

/// A thumbnail of 48 with a word under it, for the studies panel as a strip.
#[must_use = "add it to a Ui"]
pub struct ThumbTile<'a> {
    label: &'a str,
    name: &'a str,
    texture: Option<(TextureId, Vec2)>,
    selected: bool,
}

impl<'a> ThumbTile<'a> {
    /// A tile with a short word, and the whole name for AccessKit and the tooltip.
    pub fn new(label: &'a str, name: &'a str) -> Self {
        Self { label, name, texture: None, selected: false }
    }

    /// With a picture of a size in pixels; it covers the square.
    pub fn texture(mut self, texture: Option<(TextureId, Vec2)>) -> Self {
        self.texture = texture;
        self
    }

    /// It is the one in the active viewport.
    pub fn selected(mut self, selected: bool) -> Self {
        self.selected = selected;
        self
    }
}

impl Widget for ThumbTile<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let (rect, response) = ui.allocate_exact_size(vec2(48.0, 64.0), Sense::click_and_drag());
        let thumb = Rect::from_min_size(rect.min, vec2(48.0, 48.0));
        paint_thumb(ui, thumb, self.texture);
        let edge = if self.selected {
            Some(t.acc)
        } else if response.has_focus() {
            Some(t.focus)
        } else if response.hovered() {
            Some(t.line2)
        } else {
            None
        };
        if let Some(edge) = edge {
            let radius = CornerRadius::same(size::RADIUS_THUMB);
            ui.painter().rect_stroke(thumb, radius, Stroke::new(2.0, edge), StrokeKind::Outside);
        }
        let words = line_text(ui, self.label, font(size::TEXT[0], Weight::Regular), t.t3, 56.0);
        let line = Rect::from_center_size(pos2(rect.center().x, thumb.bottom() + 10.0), vec2(56.0, 12.0));
        paint_text(ui.painter(), words, line, Align2::CENTER_CENTER);
        response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, self.selected, self.name));
        response.on_hover_text(self.name)
    }
}

/// Paint a picture so that it covers a square; black where there is none yet.
fn paint_thumb(ui: &Ui, rect: Rect, texture: Option<(TextureId, Vec2)>) {
    let t = theme::tokens(ui);
    ui.painter().rect_filled(rect, size::RADIUS_THUMB, t.void);
    let Some((texture, size_px)) = texture else { return };
    let least = size_px.x.min(size_px.y).max(1.0);
    let part = vec2(least / size_px.x.max(1.0), least / size_px.y.max(1.0));
    let uv = Rect::from_center_size(pos2(0.5, 0.5), part);
    let shape = RectShape::filled(rect, size::RADIUS_THUMB, Color32::WHITE).with_texture(texture, uv);
    ui.painter().add(Shape::Rect(shape));
}
