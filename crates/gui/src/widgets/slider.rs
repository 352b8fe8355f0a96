//! The slider: a thin track, a knob, ticks where a card has thresholds.

use egui::{Align2, Key, Rect, Response, Role, Sense, Ui, Widget, WidgetInfo, pos2, vec2};

use super::{Hint, describe, focus_ring, line_text, paint_text};
use crate::{
    fonts::{Weight, font},
    theme::{self, size},
};

/// A value on a line, with its label before and its number after it.
#[must_use = "add it to a Ui"]
pub struct Slider<'a> {
    value: &'a mut f64,
    low: f64,
    high: f64,
    step: f64,
    label: &'a str,
    label_pt: f32,
    text: &'a str,
    text_pt: f32,
    track_pt: Option<f32>,
    ticks: &'a [f64],
    above: bool,
    hint: Hint<'a>,
}

impl<'a> Slider<'a> {
    /// A value from `low` to `high` with a name for AccessKit. Arrow keys move it by a hundredth of the way.
    pub fn new(name: &'a str, value: &'a mut f64, low: f64, high: f64) -> Self {
        Self {
            value,
            low,
            high,
            step: (high - low) / 100.0,
            label: "",
            label_pt: 0.0,
            text: "",
            text_pt: 0.0,
            track_pt: None,
            ticks: &[],
            above: false,
            hint: Hint { name, ..Hint::default() },
        }
    }

    /// Moved by arrow keys, and rounded, in steps of this.
    pub fn step(mut self, step: f64) -> Self {
        self.step = step;
        self
    }

    /// With words before it, in a column this wide.
    pub fn label(mut self, label: &'a str, width_pt: f32) -> Self {
        (self.label, self.label_pt) = (label, width_pt);
        self
    }

    /// With the value in words after it, right-aligned in a column this wide.
    pub fn text(mut self, text: &'a str, width_pt: f32) -> Self {
        (self.text, self.text_pt) = (text, width_pt);
        self
    }

    /// With a track this long; else it takes the room there is.
    pub fn track(mut self, width_pt: f32) -> Self {
        self.track_pt = Some(width_pt);
        self
    }

    /// With ticks at these values.
    pub fn ticks(mut self, ticks: &'a [f64]) -> Self {
        self.ticks = ticks;
        self
    }

    /// The part above the value is what counts, and is drawn so: "score from".
    pub fn counts_above(mut self) -> Self {
        self.above = true;
        self
    }

    /// With a key in the tooltip.
    pub fn key(mut self, key: &'a str) -> Self {
        self.hint.key = key;
        self
    }

    /// With a line in the tooltip.
    pub fn line(mut self, line: &'a str) -> Self {
        self.hint.line = line;
        self
    }
}

impl Widget for Slider<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let gap = 8.0;
        let before = if self.label.is_empty() { 0.0 } else { self.label_pt + gap };
        let after = if self.text.is_empty() { 0.0 } else { self.text_pt + gap };
        let track = self.track_pt.unwrap_or_else(|| (ui.available_width() - before - after).max(48.0));
        let (rect, _) = ui.allocate_exact_size(vec2(before + track + after, size::CONTROL_COMPACT), Sense::hover());
        let line = Rect::from_min_size(pos2(rect.left() + before, rect.top()), vec2(track, rect.height()));
        let id = ui.next_auto_id().with("track");
        ui.skip_ahead_auto_ids(1);
        // A knob at an end reaches over the track by its half.
        let mut response = ui.interact(line.expand2(vec2(6.0, 0.0)), id, Sense::click_and_drag());

        let span = self.high - self.low;
        let mut next = *self.value;
        if let Some(pointer) = response.interact_pointer_pos()
            && (response.dragged() || response.clicked() || response.drag_started())
        {
            let part = f64::from(((pointer.x - line.left()) / line.width()).clamp(0.0, 1.0));
            next = self.low + part * span;
        }
        if response.has_focus() {
            ui.memory_mut(|memory| {
                let filter = egui::EventFilter { horizontal_arrows: true, ..egui::EventFilter::default() };
                memory.set_focus_lock_filter(response.id, filter);
            });
            let steps = ui.input(|i| i.num_presses(Key::ArrowRight) as f64 - i.num_presses(Key::ArrowLeft) as f64);
            next += steps * self.step;
        }
        if self.step > 0.0 {
            next = self.low + ((next - self.low) / self.step).round() * self.step;
        }
        next = next.clamp(self.low.min(self.high), self.low.max(self.high));
        // Rounding alone is no change: the value may come from elsewhere, finer than the step.
        if (next - *self.value).abs() > self.step.abs() / 2.0 {
            *self.value = next;
            response.mark_changed();
        }

        let part = if span == 0.0 { 0.0 } else { ((*self.value - self.low) / span).clamp(0.0, 1.0) as f32 };
        let at = |part: f32| line.left() + part * line.width();
        let y = line.center().y;
        let bar = |from: f32, to: f32| Rect::from_min_max(pos2(from, y - 1.0), pos2(to, y + 1.0));
        let enabled = response.enabled();
        ui.painter().rect_filled(bar(line.left(), line.right()), 1, t.bg4);
        let (from, to) = if self.above { (at(part), line.right()) } else { (line.left(), at(part)) };
        ui.painter().rect_filled(bar(from, to), 1, if enabled { t.acc } else { t.tdis });
        for tick in self.ticks {
            let x = at(((tick - self.low) / span).clamp(0.0, 1.0) as f32).round();
            ui.painter().rect_filled(Rect::from_min_size(pos2(x, y - 5.0), vec2(1.0, 10.0)), 0, t.t3);
        }
        let knob = pos2(at(part), y);
        ui.painter().circle_filled(knob, 6.0, if enabled { t.t1 } else { t.tdis });
        if response.has_focus() {
            focus_ring(ui, Rect::from_center_size(knob, vec2(12.0, 12.0)), 6);
        }
        if !self.label.is_empty() {
            let words = line_text(ui, self.label, font(size::TEXT[1], Weight::Regular), t.t3, self.label_pt);
            paint_text(ui.painter(), words, rect, Align2::LEFT_CENTER);
        }
        if !self.text.is_empty() {
            let words = line_text(ui, self.text, font(size::TEXT[1], Weight::Regular), t.t1, self.text_pt);
            paint_text(ui.painter(), words, rect, Align2::RIGHT_CENTER);
        }

        response.widget_info(|| WidgetInfo {
            role: Role::Slider,
            ..WidgetInfo::slider(enabled, *self.value, self.hint.name)
        });
        describe(ui, &response, self.text);
        self.hint.attach(response)
    }
}
