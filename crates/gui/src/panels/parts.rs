//! Small things that several panels are made of: words, lines with two ends, messages, the mark of the program.

use egui::{
    Align, Align2, Color32, CornerRadius, Layout, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder,
    WidgetInfo, pos2, vec2,
};
use lightbox_session::Command;
use lightbox_session::journal::Recovery;
use lightbox_session::problem::{Problem, ProblemPlace, Severity};

use crate::cx::{Cx, Out};
use crate::fonts::{Weight, font};
use crate::theme::{Tokens, size};
use crate::widgets::{Button, Card, Row, Tone, line_text, paint_text, wrapped_text};

/// Index of a size in [`size::TEXT`].
pub(crate) const NOTE: usize = 0;
/// Index of a size in [`size::TEXT`].
pub(crate) const TABLE: usize = 1;
/// Index of a size in [`size::TEXT`].
pub(crate) const BODY: usize = 2;

/// One line of words, cut where the room ends; the tooltip then has the whole.
pub(crate) fn words(ui: &mut Ui, text: &str, pt: usize, weight: Weight, ink: Color32) -> Response {
    let galley = line_text(ui, text, font(size::TEXT[pt], weight), ink, ui.available_width());
    let cut = galley.elided;
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x.ceil(), size::LINE[pt]), Sense::hover());
    paint_text(ui.painter(), galley, rect, Align2::LEFT_CENTER);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    if cut { response.on_hover_text(text) } else { response }
}

/// A paragraph as wide as the room.
pub(crate) fn paragraph(ui: &mut Ui, text: &str, pt: usize, ink: Color32) -> Response {
    rich(ui, &[(text, Weight::Regular, ink)], pt)
}

/// A paragraph whose parts differ in weight and colour.
pub(crate) fn rich(ui: &mut Ui, parts: &[(&str, Weight, Color32)], pt: usize) -> Response {
    let fonts: Vec<_> = parts.iter().map(|(text, weight, ink)| (*text, font(size::TEXT[pt], *weight), *ink)).collect();
    let galley = wrapped_text(ui, &fonts, size::LINE[pt], ui.available_width());
    let (rect, response) = ui.allocate_exact_size(galley.size().ceil(), Sense::hover());
    ui.painter().galley(rect.min, galley, Color32::PLACEHOLDER);
    let text: String = parts.iter().map(|(text, ..)| *text).collect();
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    response
}

/// A line of a height over the whole room, its parts from left to right and in the middle.
pub(crate) fn line<R>(ui: &mut Ui, height_pt: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height_pt), Sense::hover());
    add(&mut inside(ui, rect, Layout::left_to_right(Align::Center)))
}

/// A line with parts at both ends: those at the right end are drawn first, from right to left.
/// What they return comes back in the order in which they are drawn.
pub(super) fn line_with_end<E, S>(
    ui: &mut Ui,
    height_pt: f32,
    end: impl FnOnce(&mut Ui) -> E,
    start: impl FnOnce(&mut Ui) -> S,
) -> (E, S) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height_pt), Sense::hover());
    let mut right = inside(ui, rect, Layout::right_to_left(Align::Center));
    let at_end = end(&mut right);
    let used = right.min_rect();
    let limit = if used.width() > 0.0 { used.left() - 8.0 } else { rect.right() };
    let at_start = start(&mut inside(ui, rect.with_max_x(limit), Layout::left_to_right(Align::Center)));
    (at_end, at_start)
}

/// A piece of a panel with a layout of its own; it takes no room in its parent.
pub(crate) fn inside(ui: &mut Ui, rect: Rect, layout: Layout) -> Ui {
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout));
    child.spacing_mut().item_spacing = vec2(8.0, 0.0);
    child
}

/// A vertical line of 20 with 8 at both sides, between groups of the top bar.
pub(super) fn separator(ui: &mut Ui, t: &Tokens) {
    let spacing = ui.spacing().item_spacing.x;
    let (rect, _) = ui.allocate_exact_size(vec2(17.0 - spacing.min(8.0), 20.0), Sense::hover());
    let x = rect.center().x.floor();
    ui.painter().rect_filled(Rect::from_min_size(pos2(x, rect.top()), vec2(1.0, 20.0)), 0, t.line);
}

/// The messages of a place as cards, newest last, each with a button that forgets it. Returns how many there are.
pub(super) fn problems(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, place: ProblemPlace) -> usize {
    let mut shown = 0;
    for problem in cx.session.problems.iter().filter(|p| p.place == place) {
        if shown > 0 {
            ui.add_space(8.0);
        }
        shown += 1;
        problem_card(ui, out, problem);
    }
    shown
}

/// One message as a card.
pub(super) fn problem_card(ui: &mut Ui, out: &mut Out, problem: &Problem) {
    ui.push_id(("problem", problem.id), |ui| {
        Card::new(tone(problem.severity), &problem.title, &problem.detail).show_with(ui, |ui| {
            if ui.add(Button::new("Dismiss").raised().compact()).clicked() {
                out.command(Command::Dismiss(problem.id));
            }
        });
    });
}

/// How bad, as a tone.
pub(super) fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Note => Tone::Plain,
        Severity::Warning => Tone::Warn,
        Severity::Error => Tone::Error,
    }
}

/// The offer to bring back the work of a session that was killed.
pub(super) fn recovery_card(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let Some(recovery) = &cx.session.recovery else { return };
    Card::new(Tone::Plain, recovery_title(), &recovery_safe(recovery))
        .icon(crate::icons::CLOCK_COUNTER_CLOCKWISE)
        .show_with(ui, |ui| recovery_buttons(ui, out));
}

/// What the offer begins with.
pub(super) fn recovery_title() -> &'static str {
    "Lightbox closed with unsaved work."
}

/// How much of it is safe.
pub(super) fn recovery_safe(recovery: &Recovery) -> String {
    let safe = match recovery.gestures {
        1 => "1 gesture is safe".to_owned(),
        n => format!("{n} gestures are safe"),
    };
    let when = if recovery.when.is_empty() { String::new() } else { format!(", the last of {}", recovery.when) };
    let about = match recovery.about.as_slice() {
        [] => String::new(),
        [one] => format!("{one}: "),
        [first, rest @ ..] => format!("{first}, and {} more: ", rest.len()),
    };
    format!("{about}{safe}{when}.")
}

/// Takes the work back, or, asked once more, deletes it.
pub(super) fn recovery_buttons(ui: &mut Ui, out: &mut Out) {
    let id = egui::Id::unique("discard earlier work");
    let mut asks = ui.data(|data| data.get_temp::<bool>(id)).unwrap_or(false);
    if asks {
        if ui.add(Button::new("Keep").raised().compact()).clicked() {
            asks = false;
        }
        if ui.add(Button::new("Delete").ghost().compact().line("For good.")).clicked() {
            out.command(Command::DiscardRecovery);
            asks = false;
        }
    } else {
        if ui.add(Button::new("Restore").raised().compact()).clicked() {
            out.command(Command::Restore);
        }
        // Apart from the other, so that a slip of the hand does not delete.
        ui.add_space((ui.available_width() - 72.0).clamp(0.0, 16.0));
        let discard = Button::new("Discard").ghost().compact().line("Deletes what the journal holds; asks once more.");
        if ui.add(discard).clicked() {
            asks = true;
        }
    }
    ui.data_mut(|data| data.insert_temp(id, asks));
}

/// An item of a menu. True when it was chosen.
pub(super) fn menu_item(ui: &mut Ui, row: Row<'_>) -> bool {
    let chosen = row.inset().show(ui).clicked();
    if chosen {
        ui.close();
    }
    chosen
}

/// A line between groups of a menu.
pub(super) fn menu_line(ui: &mut Ui) {
    ui.add_space(4.0);
    crate::widgets::hair(ui, 4.0);
    ui.add_space(4.0);
}

/// The mark of the program: a frame with three bars of a window's histogram, in a square of `side_pt`.
pub(super) fn mark(ui: &Ui, centre: egui::Pos2, side_pt: f32, ink: Color32) {
    let unit = side_pt / 16.0;
    let stroke = Stroke::new(1.2 * unit, ink);
    let at = |x: f32, y: f32| centre + vec2((x - 8.0) * unit, (y - 8.0) * unit);
    let frame = Rect::from_min_max(at(2.0, 3.0), at(14.0, 13.0));
    let radius = CornerRadius::same((2.0 * unit).round() as u8);
    ui.painter().rect_stroke(frame, radius, stroke, StrokeKind::Middle);
    for (x, top, bottom) in [(5.0, 6.5, 9.5), (8.0, 5.5, 10.5), (11.0, 7.0, 9.0)] {
        ui.painter().line_segment([at(x, top), at(x, bottom)], stroke);
    }
}

/// A mask's colour on the screen.
#[expect(clippy::disallowed_methods, reason = "the colour of a mask is data, chosen by the reader or read from a file")]
pub(super) fn colour(rgb: lightbox_core::Rgb) -> Color32 {
    let [r, g, b] = rgb.0;
    Color32::from_rgb(r, g, b)
}

/// A number of things with its word: `1 image`, `3 images`.
pub(crate) fn count(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_many() {
        assert_eq!(
            (count(1, "image"), count(0, "image"), count(7, "model")),
            ("1 image".into(), "0 images".into(), "7 models".into())
        );
    }
}
