//! What the window has to say: cards at the cause, progress with counts, scores, empty states.

use egui::{Align2, Color32, Rect, Response, Role, Sense, Ui, Widget, WidgetInfo, pos2, vec2};

use super::{Button, Tone, line_text, paint_icon, paint_text, wrapped_text};
use crate::{
    fonts::{Weight, font},
    icons::{self, Icon},
    theme::{self, size},
};

/// A message where its cause is: what happened, what is kept, what to do.
#[must_use = "show it in a Ui"]
pub struct Card<'a> {
    tone: Tone,
    lead: &'a str,
    body: &'a str,
    icon: Option<Icon>,
    inline: bool,
}

impl<'a> Card<'a> {
    /// A card with a bold first sentence and the rest.
    pub fn new(tone: Tone, lead: &'a str, body: &'a str) -> Self {
        Self { tone, lead, body, icon: None, inline: false }
    }

    /// With the first words in the colour of the tone and the rest in the same line.
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self
    }

    /// With another icon than the tone's.
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// Show it without buttons.
    pub fn show(self, ui: &mut Ui) -> Response {
        self.paint(ui, None::<fn(&mut Ui)>)
    }

    /// Show it with a line of buttons (raised and compact) under the words.
    pub fn show_with(self, ui: &mut Ui, actions: impl FnOnce(&mut Ui)) -> Response {
        self.paint(ui, Some(actions))
    }

    fn paint(self, ui: &mut Ui, actions: Option<impl FnOnce(&mut Ui)>) -> Response {
        let t = theme::tokens(ui);
        let (mark, ground) = self.tone.colours(t);
        let ground = if self.tone == Tone::Plain { t.bg2 } else { ground };
        let padding = 8.0;
        let left = padding + size::ICON[1] + 8.0;
        let width = ui.available_width();
        let bold = font(size::TEXT[1], Weight::SemiBold);
        let regular = font(size::TEXT[1], Weight::Regular);
        let parts = if self.inline {
            [(self.lead, bold.clone(), mark), (" ", regular.clone(), mark), (self.body, regular, t.t1)]
        } else {
            let between = if self.lead.is_empty() || self.body.is_empty() { "" } else { "\n" };
            [(self.lead, bold.clone(), t.t1), (between, bold, t.t1), (self.body, regular, t.t2)]
        };
        let words = wrapped_text(ui, &parts, size::LINE[1], width - left - padding);
        let actions_pt = if actions.is_some() { 6.0 + size::CONTROL_COMPACT } else { 0.0 };
        let height = words.size().y.max(size::LINE[1]) + actions_pt + 2.0 * padding;
        let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::hover());

        ui.painter().rect_filled(rect, size::RADIUS_CARD, ground);
        let icon = self.icon.unwrap_or(match self.tone {
            Tone::Plain => icons::INFO,
            Tone::Ok => icons::CHECK_CIRCLE,
            Tone::Warn | Tone::Error => icons::WARNING,
        });
        let centre = rect.min + vec2(padding + size::ICON[1] / 2.0, padding + size::LINE[1] / 2.0);
        paint_icon(ui.painter(), icon, centre, size::ICON[1], mark);
        let below = words.size().y;
        ui.painter().galley(rect.min + vec2(left, padding), words, t.t1);
        if let Some(actions) = actions {
            let line = Rect::from_min_max(
                // A narrow card has no room to keep the edge of its words.
                pos2(rect.left() + if width < 208.0 { padding } else { left }, rect.top() + padding + below + 6.0),
                pos2(rect.right() - padding, rect.bottom() - padding),
            );
            let layout = egui::Layout::left_to_right(egui::Align::Center);
            let mut child = ui.new_child(egui::UiBuilder::new().max_rect(line).layout(layout));
            child.spacing_mut().item_spacing.x = 4.0;
            actions(&mut child);
        }
        let role = if matches!(self.tone, Tone::Warn | Tone::Error) { Role::Alert } else { Role::Note };
        response.widget_info(|| WidgetInfo::labeled(role, true, format!("{} {}", self.lead, self.body).trim()));
        response
    }
}

/// How far a job is: a bar of 4 with what and how long beside it.
#[must_use = "add it to a Ui"]
pub struct Progress<'a> {
    part: f32,
    name: &'a str,
    text: &'a str,
}

impl<'a> Progress<'a> {
    /// The part done, from 0 to 1, of the job called `name`.
    pub fn new(name: &'a str, part: f32) -> Self {
        Self { part, name, text: "" }
    }

    /// With a count and a time at its right: "tile 38 of 61, 4 s left".
    pub fn text(mut self, text: &'a str) -> Self {
        self.text = text;
        self
    }
}

impl Widget for Progress<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let height = if self.text.is_empty() { 4.0 } else { size::LINE[0] };
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
        let mut right = rect.right();
        if !self.text.is_empty() {
            let note = font(size::TEXT[0], Weight::Regular);
            let words = line_text(ui, self.text, note, t.t2, rect.width() * 0.75);
            right -= words.size().x + 8.0;
            paint_text(ui.painter(), words, rect, Align2::RIGHT_CENTER);
        }
        let y = rect.center().y;
        let track = Rect::from_min_max(pos2(rect.left(), y - 2.0), pos2(right, y + 2.0));
        paint_bar(ui, track, self.part, 2, t.acc);
        response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, self.name));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_numeric_value(f64::from(self.part * 100.0));
            node.set_min_numeric_value(0.0);
            node.set_max_numeric_value(100.0);
            node.set_value(self.text);
        });
        response
    }
}

pub(super) fn paint_bar(ui: &Ui, track: Rect, part: f32, radius: u8, fill: Color32) {
    ui.painter().rect_filled(track, radius, theme::tokens(ui).bg4);
    let part = part.clamp(0.0, 1.0);
    if part > 0.0 {
        let done = track.with_max_x(track.left() + (track.width() * part).max(f32::from(radius)));
        ui.painter().rect_filled(done, radius, fill);
    }
}

/// A calibrated score with the threshold of the model's card: name, bar of 8, tick, number.
#[must_use = "add it to a Ui"]
pub struct ScoreBar<'a> {
    name: &'a str,
    score: f32,
    threshold: Option<f32>,
    spread: Option<[f32; 2]>,
    name_pt: f32,
}

impl<'a> ScoreBar<'a> {
    /// A score from 0 to 1.
    pub fn new(name: &'a str, score: f32) -> Self {
        Self { name, score, threshold: None, spread: None, name_pt: 68.0 }
    }

    /// With the threshold on the card; a score above it has the accent.
    pub fn threshold(mut self, threshold: f32) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// With how far it moves: a mean and a standard deviation, drawn as a line across the bar.
    pub fn spread(mut self, mean_and_deviation: Option<[f32; 2]>) -> Self {
        self.spread = mean_and_deviation;
        self
    }

    /// With a column this wide for the name.
    pub fn name_width(mut self, width_pt: f32) -> Self {
        self.name_pt = width_pt;
        self
    }
}

impl Widget for ScoreBar<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::ROW[0]), Sense::hover());
        let number = match self.spread {
            Some([_, deviation]) => format!("{:.2} ± {deviation:.2}", self.score),
            None => format!("{:.2}", self.score),
        };
        let number_pt = if self.spread.is_some() { 68.0 } else { 32.0 };
        let words = line_text(ui, self.name, font(size::TEXT[1], Weight::Regular), t.t1, self.name_pt);
        paint_text(ui.painter(), words, rect, Align2::LEFT_CENTER);
        let words = line_text(ui, number.as_str(), font(size::TEXT[1], Weight::Medium), t.t1, number_pt);
        paint_text(ui.painter(), words, rect, Align2::RIGHT_CENTER);
        let y = rect.center().y;
        let track = Rect::from_min_max(
            pos2(rect.left() + self.name_pt + 8.0, y - 4.0),
            pos2(rect.right() - number_pt - 8.0, y + 4.0),
        );
        let above = self.threshold.is_none_or(|threshold| self.score >= threshold);
        paint_bar(ui, track, self.score, 2, if above { t.acc } else { t.t3 });
        if let Some(threshold) = self.threshold {
            let x = (track.left() + track.width() * threshold.clamp(0.0, 1.0)).round();
            ui.painter().rect_filled(Rect::from_min_size(pos2(x - 1.0, y - 8.0), vec2(2.0, 16.0)), 0, t.t1);
        }
        if let Some([mean, deviation]) = self.spread {
            let at = |v: f32| track.left() + track.width() * v.clamp(0.0, 1.0);
            // Dark on the bar and beside it: its ground shows around it.
            let line = Rect::from_min_max(pos2(at(mean - deviation), y - 1.0), pos2(at(mean + deviation), y + 1.0));
            ui.painter().rect_filled(line.expand(1.0), 1, t.bg1);
            ui.painter().rect_filled(line, 0, t.t1);
        }
        let spoken = match self.threshold {
            Some(threshold) => format!("{} {number}, threshold {threshold:.2}", self.name),
            None => format!("{} {number}", self.name),
        };
        response.widget_info(|| WidgetInfo::labeled(Role::Meter, true, &spoken));
        response
    }
}

/// Where nothing is yet: one sentence and one button, whose response comes back.
pub fn empty_state(ui: &mut Ui, icon: Icon, sentence: &str, button: Button<'_>) -> Response {
    let t = theme::tokens(ui);
    ui.vertical_centered(|ui| {
        ui.spacing_mut().item_spacing.y = 12.0;
        let (rect, _) = ui.allocate_exact_size(vec2(32.0, 32.0), Sense::hover());
        paint_icon(ui.painter(), icon, rect.center(), 32.0, t.t3);
        let parts = [(sentence, font(size::TEXT[2], Weight::Regular), t.t2)];
        let words = wrapped_text(ui, &parts, size::LINE[2], ui.available_width().min(320.0));
        let (rect, response) = ui.allocate_exact_size(words.size(), Sense::hover());
        ui.painter().galley(rect.min, words, t.t2);
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, sentence));
        ui.add(button)
    })
    .inner
}
