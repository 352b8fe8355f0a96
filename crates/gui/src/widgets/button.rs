//! Buttons with words and buttons with an icon.

use egui::{Color32, Response, Role, Sense, Ui, Widget, WidgetInfo, pos2, vec2};

use super::{Hint, Look, allocate, chip::paint_key_cap, describe, focus_ring, line_text, paint_icon, paint_text};
use crate::{
    fonts::{Weight, font},
    icons::Icon,
    theme::{self, size},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Primary,
    Ghost,
    Raised,
}

/// A button with words. At most one on a panel is primary.
#[must_use = "add it to a Ui"]
pub struct Button<'a> {
    label: &'a str,
    icon: Option<Icon>,
    key: &'a str,
    hint: Hint<'a>,
    kind: Kind,
    height_pt: f32,
    width_pt: Option<f32>,
    asked: Option<Look>,
    drop: bool,
}

impl<'a> Button<'a> {
    /// A plain button, 28 high.
    pub fn new(label: &'a str) -> Self {
        Self {
            label,
            icon: None,
            key: "",
            hint: Hint::default(),
            kind: Kind::Plain,
            height_pt: size::CONTROL,
            width_pt: None,
            asked: None,
            drop: false,
        }
    }

    /// The one that is most likely wanted.
    pub fn primary(mut self) -> Self {
        self.kind = Kind::Primary;
        self
    }

    /// Without a ground at rest.
    pub fn ghost(mut self) -> Self {
        self.kind = Kind::Ghost;
        self
    }

    /// One level higher, for a button on a card.
    pub fn raised(mut self) -> Self {
        self.kind = Kind::Raised;
        self
    }

    /// 24 high, with text of 12.
    pub fn compact(mut self) -> Self {
        self.height_pt = size::CONTROL_COMPACT;
        self
    }

    /// 20 high, for a button in a row of text; it still takes clicks on 24.
    pub fn in_row(mut self) -> Self {
        self.height_pt = 20.0;
        self
    }

    /// With an icon before the words.
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// With its key after the words.
    pub fn key(mut self, key: &'a str) -> Self {
        self.key = key;
        self
    }

    /// With a tooltip line.
    pub fn line(mut self, line: &'a str) -> Self {
        self.hint.line = line;
        self
    }

    /// As wide as this, with the words in the middle.
    pub fn width(mut self, width_pt: f32) -> Self {
        self.width_pt = Some(width_pt);
        self
    }

    /// With a caret that says it opens a menu; open it with `egui::Popup::menu(&response)`.
    pub fn opens_menu(mut self) -> Self {
        self.drop = true;
        self
    }

    /// Not usable while there is a reason against it; an empty one is none.
    pub fn disabled(mut self, reason: &'a str) -> Self {
        self.hint.reason = reason;
        self
    }

    pub(super) fn look(mut self, look: Look) -> Self {
        self.asked = Some(look);
        self
    }
}

impl Widget for Button<'_> {
    fn ui(mut self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let usable = self.hint.reason.is_empty();
        let small = self.height_pt < size::CONTROL;
        let (padding, gap, text_pt) = if small { (8.0, 4.0, size::TEXT[1]) } else { (12.0, 8.0, size::TEXT[2]) };
        let icon_pt = if small { size::ICON[2] } else { size::ICON[1] };

        let words = line_text(ui, self.label, font(text_pt, Weight::Medium), Color32::PLACEHOLDER, f32::INFINITY);
        let key_font = font(size::TEXT[0], Weight::Medium);
        let key =
            (!self.key.is_empty()).then(|| line_text(ui, self.key, key_font, Color32::PLACEHOLDER, f32::INFINITY));
        let key_padding = if self.kind == Kind::Primary { 0.0 } else { 4.0 };
        let mut content_pt = words.size().x;
        content_pt += self.icon.map_or(0.0, |_| icon_pt + gap);
        content_pt += key.as_ref().map_or(0.0, |key| key.size().x + 2.0 * key_padding + gap);
        content_pt += if self.drop { size::ICON[2] + gap } else { 0.0 };
        let width = self.width_pt.unwrap_or((content_pt + 2.0 * padding).ceil());

        let (rect, mut response) = allocate(ui, vec2(width, self.height_pt), Sense::click(), usable);
        if self.height_pt < size::CONTROL_COMPACT && usable {
            let more = (size::CONTROL_COMPACT - self.height_pt) / 2.0;
            response =
                response.union(ui.interact(rect.expand2(vec2(0.0, more)), response.id.with("hit"), Sense::CLICK));
        }
        let look = Look::of(&response, self.asked);

        if ui.is_rect_visible(rect) {
            let (ground, ink) = match self.kind {
                Kind::Primary => match look {
                    Look::Rest | Look::Focus => (t.acc, t.accon),
                    Look::Hover => (t.acc2, t.accon),
                    Look::Pressed => (t.focus, t.accon),
                    Look::Disabled => (t.bg2, t.tdis),
                },
                Kind::Plain => (look.ground(t, t.bg2), look.ink(t, t.t1)),
                Kind::Ghost => (look.ground(t, Color32::TRANSPARENT), look.ink(t, t.t2)),
                Kind::Raised => {
                    let ground = if look == Look::Hover { t.bg4 } else { look.ground(t, t.bg3) };
                    (ground, look.ink(t, t.t1))
                }
            };
            ui.painter().rect_filled(rect, size::RADIUS, ground);
            let mut x = rect.center().x - content_pt / 2.0;
            if let Some(icon) = self.icon {
                paint_icon(ui.painter(), icon, pos2(x + icon_pt / 2.0, rect.center().y), icon_pt, ink);
                x += icon_pt + gap;
            }
            let words_pt = words.size().x;
            let place = egui::Align2::LEFT_CENTER.align_size_within_rect(words.size(), rect.with_min_x(x));
            ui.painter().galley_with_override_text_color(place.min, words, ink);
            x += words_pt + gap;
            if let Some(key) = key {
                if self.kind == Kind::Primary {
                    let place = egui::Align2::LEFT_CENTER.align_size_within_rect(key.size(), rect.with_min_x(x));
                    x += key.size().x + gap;
                    ui.painter().galley_with_override_text_color(place.min, key, ink);
                } else {
                    let wide = key.size().x + 2.0 * key_padding;
                    let cap = egui::Rect::from_min_size(pos2(x, rect.center().y - 8.0), vec2(wide, 16.0));
                    paint_key_cap(ui, self.key, cap);
                    x += wide + gap;
                }
            }
            if self.drop {
                let centre = pos2(x + size::ICON[2] / 2.0, rect.center().y);
                paint_icon(ui.painter(), crate::icons::CARET_DOWN, centre, size::ICON[2], ink);
            }
            if look == Look::Focus || response.has_focus() {
                focus_ring(ui, rect, size::RADIUS);
            }
        }

        response.widget_info(|| WidgetInfo::labeled(Role::Button, usable, self.label));
        describe(ui, &response, self.hint.reason);
        if !self.hint.line.is_empty() || !usable {
            self.hint.name = self.label;
            self.hint.key = self.key;
        }
        self.hint.attach(response)
    }
}

/// A button that is an icon; its name is in the tooltip and in AccessKit.
#[must_use = "add it to a Ui"]
pub struct IconButton<'a> {
    icon: Icon,
    hint: Hint<'a>,
    side_pt: f32,
    icon_pt: f32,
    on: Option<bool>,
    raised: bool,
    variants: bool,
    ink: Option<Color32>,
    asked: Option<Look>,
}

impl<'a> IconButton<'a> {
    /// An icon of 16 in a square of 28.
    pub fn new(icon: Icon, name: &'a str) -> Self {
        Self {
            icon,
            hint: Hint { name, ..Hint::default() },
            side_pt: size::CONTROL,
            icon_pt: size::ICON[1],
            on: None,
            raised: false,
            variants: false,
            ink: None,
            asked: None,
        }
    }

    /// A tool of the strip: an icon of 20 in a square of 32, `on` while it is in the hand.
    pub fn tool(icon: Icon, name: &'a str, on: bool) -> Self {
        Self { side_pt: size::TOOL, icon_pt: size::ICON[0], ..Self::new(icon, name).on(on) }
    }

    /// A square of 24.
    pub fn compact(mut self) -> Self {
        self.side_pt = size::CONTROL_COMPACT;
        self
    }

    /// A square of 20 for a row of text; it still takes clicks on 24.
    pub fn in_row(mut self) -> Self {
        self.side_pt = 20.0;
        self
    }

    /// It stays on or off, and looks so.
    pub fn on(mut self, on: bool) -> Self {
        self.on = Some(on);
        self
    }

    /// With a ground at rest: the accept and reject of a row.
    pub fn raised(mut self) -> Self {
        self.raised = true;
        self
    }

    /// With the corner tick that says there are variants behind a long press.
    pub fn variants(mut self) -> Self {
        self.variants = true;
        self
    }

    /// In another colour at rest, such as `ok` for accept.
    pub fn ink(mut self, ink: Color32) -> Self {
        self.ink = Some(ink);
        self
    }

    /// With its key in the tooltip.
    pub fn key(mut self, key: &'a str) -> Self {
        self.hint.key = key;
        self
    }

    /// With a line in the tooltip.
    pub fn line(mut self, line: &'a str) -> Self {
        self.hint.line = line;
        self
    }

    /// Not usable while there is a reason against it; an empty one is none.
    pub fn disabled(mut self, reason: &'a str) -> Self {
        self.hint.reason = reason;
        self
    }

    pub(super) fn look(mut self, look: Look) -> Self {
        self.asked = Some(look);
        self
    }
}

impl Widget for IconButton<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let usable = self.hint.reason.is_empty();
        let (rect, mut response) = allocate(ui, vec2(self.side_pt, self.side_pt), Sense::click(), usable);
        if self.side_pt < size::CONTROL_COMPACT && usable {
            let hit = rect.expand((size::CONTROL_COMPACT - self.side_pt) / 2.0);
            response = response.union(ui.interact(hit, response.id.with("hit"), Sense::CLICK));
        }
        let look = Look::of(&response, self.asked);

        if ui.is_rect_visible(rect) {
            let on = self.on == Some(true) && look != Look::Disabled;
            let rest = if self.raised { t.bg3 } else { Color32::TRANSPARENT };
            let (ground, ink) = if on {
                (t.accbg, t.acc2)
            } else {
                let hover = self.raised && look == Look::Hover;
                let ink = if look == Look::Disabled { t.tdis } else { self.ink.unwrap_or_else(|| look.ink(t, t.t2)) };
                (if hover { t.bg4 } else { look.ground(t, rest) }, ink)
            };
            ui.painter().rect_filled(rect, size::RADIUS, ground);
            paint_icon(ui.painter(), self.icon, rect.center(), self.icon_pt, ink);
            if self.variants {
                let corner = rect.max - vec2(3.0, 3.0);
                let tick = vec![corner, corner - vec2(4.0, 0.0), corner - vec2(0.0, 4.0)];
                let ink = if look == Look::Disabled { t.tdis } else { t.t3 };
                ui.painter().add(egui::Shape::convex_polygon(tick, ink, egui::Stroke::NONE));
            }
            if look == Look::Focus || response.has_focus() {
                focus_ring(ui, rect, size::RADIUS);
            }
        }

        let name = if self.hint.key.is_empty() {
            self.hint.name.to_owned()
        } else {
            format!("{}, {}", self.hint.name, self.hint.key)
        };
        response.widget_info(|| match self.on {
            Some(on) => WidgetInfo::selected(Role::Button, usable, on, &name),
            None => WidgetInfo::labeled(Role::Button, usable, &name),
        });
        describe(ui, &response, if usable { self.hint.line } else { self.hint.reason });
        self.hint.attach(response)
    }
}

/// Paint words in the middle of a rectangle; shared by the parts that look like buttons.
pub(super) fn paint_centred(ui: &Ui, text: &str, text_pt: f32, weight: Weight, colour: Color32, rect: egui::Rect) {
    let galley = line_text(ui, text, font(text_pt, weight), colour, rect.width());
    paint_text(ui.painter(), galley, rect, egui::Align2::CENTER_CENTER);
}
