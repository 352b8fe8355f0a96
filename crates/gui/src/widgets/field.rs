//! Fields: a choice from a list, a number, a search, a switch.

use egui::{
    Align2, Color32, DragValue, Frame, Margin, Popup, Pos2, Response, Role, Sense, TextEdit, Ui, Widget, WidgetInfo,
    pos2, vec2,
};

use super::{Hint, Look, allocate, chip::paint_key_cap, describe, focus_ring, line_text, paint_icon, paint_text};
use crate::{
    fonts::{Weight, font, table_style},
    icons::{self, Icon},
    theme::{self, size},
};

/// A choice from a list: icon or label, the value, a caret.
#[must_use = "show it in a Ui"]
pub struct DropDown<'a> {
    label: &'a str,
    value: &'a str,
    icon: Option<Icon>,
    width_pt: Option<f32>,
    hint: Hint<'a>,
}

impl<'a> DropDown<'a> {
    /// A choice with a name (for AccessKit and the tooltip) and its present value.
    pub fn new(name: &'a str, value: &'a str) -> Self {
        Self { label: "", value, icon: None, width_pt: None, hint: Hint { name, ..Hint::default() } }
    }

    /// With words before the value, in the colour of a note.
    pub fn label(mut self, label: &'a str) -> Self {
        self.label = label;
        self
    }

    /// With an icon before the value.
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// As wide as this; else as wide as its words.
    pub fn width(mut self, width_pt: f32) -> Self {
        self.width_pt = Some(width_pt);
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

    /// Show it; `list` draws the choices (as [`super::Row`]s) while it is open.
    pub fn show<R>(self, ui: &mut Ui, list: impl FnOnce(&mut Ui) -> R) -> (Response, Option<R>) {
        let t = theme::tokens(ui);
        let usable = self.hint.reason.is_empty();
        let regular = || font(size::TEXT[1], Weight::Regular);
        let gap = 8.0;
        let label = (!self.label.is_empty()).then(|| line_text(ui, self.label, regular(), t.t3, f32::INFINITY));
        let before = self.icon.map_or(0.0, |_| size::ICON[1] + gap) + label.as_ref().map_or(0.0, |l| l.size().x + gap);
        let around = 2.0 * gap + before + gap + size::ICON[2];
        let most = self.width_pt.map_or(f32::INFINITY, |width| width - around);
        let value = line_text(ui, self.value, regular(), Color32::PLACEHOLDER, most);
        let width = self.width_pt.unwrap_or((around + value.size().x).ceil());
        let (rect, response) = allocate(ui, vec2(width, size::CONTROL), Sense::click(), usable);

        let look = Look::of(&response, None);
        let open = Popup::is_id_open(ui.ctx(), Popup::default_response_id(&response));
        let ground = if open { t.bg3 } else { look.ground(t, t.bg2) };
        ui.painter().rect_filled(rect, size::RADIUS, ground);
        let ink = look.ink(t, t.t1);
        let mut x = rect.left() + gap;
        if let Some(icon) = self.icon {
            paint_icon(ui.painter(), icon, pos2(x + size::ICON[1] / 2.0, rect.center().y), size::ICON[1], ink);
            x += size::ICON[1] + gap;
        }
        if let Some(label) = label {
            let wide = label.size().x;
            paint_text(ui.painter(), label, rect.with_min_x(x), Align2::LEFT_CENTER);
            x += wide + gap;
        }
        let place = Align2::LEFT_CENTER.align_size_within_rect(value.size(), rect.with_min_x(x));
        ui.painter().galley_with_override_text_color(place.min, value, ink);
        let caret = pos2(rect.right() - gap - size::ICON[2] / 2.0, rect.center().y);
        paint_icon(ui.painter(), icons::CARET_DOWN, caret, size::ICON[2], ink);
        if response.has_focus() {
            focus_ring(ui, rect, size::RADIUS);
        }

        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::ComboBox, usable, self.hint.name);
            info.current_text_value = Some(self.value.to_owned());
            info
        });
        describe(ui, &response, self.hint.reason);
        let least = rect.width().max(160.0);
        let chosen = Popup::menu(&response).gap(4.0).show(|ui| {
            ui.set_min_width(least - 10.0);
            ui.spacing_mut().item_spacing.y = 0.0;
            list(ui)
        });
        (self.hint.attach(response), chosen.map(|inner| inner.inner))
    }
}

/// A number with its label: drag it, or click and type. `W 1500`.
#[must_use = "add it to a Ui"]
pub struct Number<'a> {
    label: &'a str,
    value: &'a mut f64,
    range: (f64, f64),
    speed: f64,
    decimals: usize,
    unit: &'a str,
    width_pt: f32,
    hint: Hint<'a>,
}

impl<'a> Number<'a> {
    /// A number from `low` to `high`, called `name`, with a short label before it.
    pub fn new(name: &'a str, label: &'a str, value: &'a mut f64, low: f64, high: f64) -> Self {
        Self {
            label,
            value,
            range: (low, high),
            speed: 1.0,
            decimals: 0,
            unit: "",
            width_pt: 80.0,
            hint: Hint { name, ..Hint::default() },
        }
    }

    /// Change by this a point of dragging.
    pub fn speed(mut self, speed: f64) -> Self {
        self.speed = speed;
        self
    }

    /// With this many decimals.
    pub fn decimals(mut self, decimals: usize) -> Self {
        self.decimals = decimals;
        self
    }

    /// With a unit after the number.
    pub fn unit(mut self, unit: &'a str) -> Self {
        self.unit = unit;
        self
    }

    /// As wide as this.
    pub fn width(mut self, width_pt: f32) -> Self {
        self.width_pt = width_pt;
        self
    }

    /// With a line in the tooltip.
    pub fn line(mut self, line: &'a str) -> Self {
        self.hint.line = line;
        self
    }
}

impl Widget for Number<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let (rect, _) = ui.allocate_exact_size(vec2(self.width_pt, size::CONTROL), Sense::hover());
        let label = line_text(ui, self.label, font(size::TEXT[1], Weight::Regular), t.t3, rect.width());
        let value_rect = rect.with_min_x(rect.left() + 8.0 + label.size().x + 4.0).shrink2(vec2(4.0, 2.0));
        // The ground lies under the number, but its colour follows from the number's response.
        let ground = ui.painter().add(egui::Shape::Noop);
        let mut child = ui.new_child(egui::UiBuilder::new().max_rect(value_rect));
        let style = child.style_mut();
        style.drag_value_text_style = table_style();
        style.spacing.button_padding = vec2(4.0, 0.0);
        style.spacing.interact_size = value_rect.size();
        for widget in [
            &mut style.visuals.widgets.inactive,
            &mut style.visuals.widgets.hovered,
            &mut style.visuals.widgets.active,
            &mut style.visuals.widgets.open,
        ] {
            widget.weak_bg_fill = Color32::TRANSPARENT;
            widget.bg_fill = Color32::TRANSPARENT;
        }
        style.visuals.text_edit_bg_color = Some(Color32::TRANSPARENT);
        let suffix = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        let response = child.put(
            value_rect,
            DragValue::new(self.value)
                .range(self.range.0..=self.range.1)
                .speed(self.speed)
                .fixed_decimals(self.decimals)
                .suffix(suffix)
                .custom_formatter(|value, decimals| {
                    format!("{value:.0$}", decimals.start().to_owned()).replace('-', "−")
                })
                .custom_parser(|text| text.trim().replace('−', "-").replace(',', ".").parse().ok()),
        );
        let look = Look::of(&response, None);
        let fill = if response.has_focus() { t.bg3 } else { look.ground(t, t.bg2) };
        ui.painter().set(ground, egui::Shape::rect_filled(rect, size::RADIUS, fill));
        let inner = rect.with_min_x(rect.left() + 8.0);
        paint_text(ui.painter(), label, inner, Align2::LEFT_CENTER);
        if response.has_focus() {
            focus_ring(ui, rect, size::RADIUS);
        }
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(self.hint.name));
        self.hint.attach(response)
    }
}

/// A field to search with: a lens, the text, the key that reaches it.
#[must_use = "add it to a Ui"]
pub struct SearchField<'a> {
    name: &'a str,
    text: &'a mut String,
    key: &'a str,
    width_pt: f32,
}

impl<'a> SearchField<'a> {
    /// A field for `text`; `name` stands in it while it is empty.
    pub fn new(name: &'a str, text: &'a mut String) -> Self {
        Self { name, text, key: "", width_pt: 208.0 }
    }

    /// With the key that reaches it.
    pub fn key(mut self, key: &'a str) -> Self {
        self.key = key;
        self
    }

    /// As wide as this.
    pub fn width(mut self, width_pt: f32) -> Self {
        self.width_pt = width_pt;
        self
    }
}

impl Widget for SearchField<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let (rect, _) = ui.allocate_exact_size(vec2(self.width_pt, size::CONTROL), Sense::hover());
        ui.painter().rect_filled(rect, size::RADIUS, t.bg2);
        let lens = pos2(rect.left() + 8.0 + size::ICON[1] / 2.0, rect.center().y);
        paint_icon(ui.painter(), icons::MAGNIFYING_GLASS, lens, size::ICON[1], t.t3);
        let mut right = rect.right() - 8.0;
        if !self.key.is_empty() && self.text.is_empty() {
            let cap = line_text(ui, self.key, font(size::TEXT[0], Weight::Medium), t.t3, f32::INFINITY);
            let wide = (cap.size().x + 8.0).ceil();
            let min = Pos2::new(right - wide, rect.center().y - 8.0);
            paint_key_cap(ui, self.key, egui::Rect::from_min_size(min, vec2(wide, 16.0)));
            right -= wide + 8.0;
        }
        let left = rect.left() + 8.0 + size::ICON[1] + 8.0;
        let inner = egui::Rect::from_x_y_ranges(left..=right, rect.y_range());
        let response = ui.put(
            inner,
            TextEdit::singleline(self.text)
                .frame(Frame::new().inner_margin(Margin::ZERO))
                .font(table_style())
                .hint_text(egui::RichText::new(self.name).color(t.t3).text_style(table_style()))
                .align(Align2::LEFT_CENTER)
                .desired_width(inner.width()),
        );
        if response.has_focus() {
            focus_ring(ui, rect, size::RADIUS);
        }
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(self.name));
        response
    }
}

/// A switch, 24×14, with its words after it; a click on the words turns it too.
pub fn toggle(ui: &mut Ui, on: &mut bool, words: &str) -> Response {
    let t = theme::tokens(ui);
    let text = line_text(ui, words, font(size::TEXT[1], Weight::Regular), t.t1, f32::INFINITY);
    let width = 24.0 + if words.is_empty() { 0.0 } else { 8.0 + text.size().x.ceil() };
    let (rect, mut response) = ui.allocate_exact_size(vec2(width, size::CONTROL_COMPACT), Sense::click());
    if response.clicked() {
        *on = !*on;
        response.mark_changed();
    }
    let track = egui::Rect::from_min_size(pos2(rect.left(), rect.center().y - 7.0), vec2(24.0, 14.0));
    let (ground, knob) = match (*on, response.enabled()) {
        (true, true) => (t.acc, t.accon),
        (false, true) => (t.bg4, t.t2),
        (_, false) => (t.bg3, t.tdis),
    };
    ui.painter().rect_filled(track, 7, ground);
    let x = if *on { track.right() - 7.0 } else { track.left() + 7.0 };
    ui.painter().circle_filled(pos2(x, track.center().y), 5.0, knob);
    paint_text(ui.painter(), text, rect.with_min_x(track.right() + 8.0), Align2::LEFT_CENTER);
    if response.has_focus() {
        focus_ring(ui, track, 7);
    }
    response.widget_info(|| WidgetInfo::selected(Role::Switch, ui.is_enabled(), *on, words));
    response
}
