//! A bar above the images that says what the study list would say, were it shown in full.

use egui::{Align, Layout, Ui, pos2, vec2};
use lightbox_session::Command;
use lightbox_session::problem::{ProblemPlace, Severity};
use lightbox_session::workspace::StudyListMode;

use super::parts::{TABLE, inside, recovery_buttons, recovery_safe, recovery_title, words};
use crate::cx::{Cx, Out};
use crate::fonts::Weight;
use crate::icons;
use crate::theme::size;
use crate::widgets::Button;

/// Height of the bar.
pub const HEIGHT_PT: f32 = 36.0;

/// Whether that bar is needed: the list is a strip or hidden, and earlier work or a message about opening waits.
#[must_use]
pub fn is_needed(cx: &Cx<'_>) -> bool {
    let waits = cx.session.recovery.is_some() || cx.session.problems.iter().any(|p| p.place == ProblemPlace::Open);
    waits && cx.room.studies != StudyListMode::Full
}

/// The bar: earlier work first, else the newest message.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let t = cx.tokens;
    let room = ui.max_rect();
    let (icon, ink, text) =
        match (&cx.session.recovery, cx.session.problems.iter().rev().find(|p| p.place == ProblemPlace::Open)) {
            (Some(recovery), _) => {
                (icons::CLOCK_COUNTER_CLOCKWISE, t.acc, format!("{} {}", recovery_title(), recovery_safe(recovery)))
            }
            (None, Some(p)) => {
                let ink = if p.severity == Severity::Error { t.err } else { t.warn };
                (icons::WARNING, ink, format!("{} {}", p.title, p.detail))
            }
            (None, None) => return,
        };
    ui.painter().rect_filled(room, 0, t.bg2);
    let mut end = inside(ui, room.shrink2(vec2(8.0, 0.0)), Layout::right_to_left(Align::Center));
    end.spacing_mut().item_spacing.x = 4.0;
    if cx.session.recovery.is_some() {
        recovery_buttons(&mut end, out);
    } else if let Some(problem) = cx.session.problems.iter().rev().find(|p| p.place == ProblemPlace::Open)
        && end.add(Button::new("Dismiss").ghost().compact()).clicked()
    {
        out.command(Command::Dismiss(problem.id));
    }
    let limit = end.min_rect().left() - 12.0;
    crate::widgets::paint_icon(ui.painter(), icon, pos2(room.left() + 20.0, room.center().y), size::ICON[1], ink);
    let left = room.with_min_x(room.left() + 36.0).with_max_x(limit);
    let mut line = inside(ui, left, Layout::left_to_right(Align::Center));
    words(&mut line, text.trim(), TABLE, Weight::Regular, t.t1);
}
