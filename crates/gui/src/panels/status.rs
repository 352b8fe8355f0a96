//! The status bar: at the left what lies under the pointer, at the right what the machine does.

use egui::{Align, Layout, Popup, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use lightbox_session::problem::{Problem, ProblemPlace, Severity};
use lightbox_session::workspace::PanelTab;
use lightbox_session::{Command, JobInfo, JobKind};

use super::parts::{TABLE, colour, inside, problem_card, words};
use crate::cx::{Cx, Out, Request};
use crate::fonts::{Weight, font};
use crate::icons;
use crate::theme::size;
use crate::widgets::{Button, line_text, paint_icon, status_item};

/// Fills its room.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let room = ui.max_rect().shrink2(vec2(12.0, 0.0));
    let mut right = inside(ui, room, Layout::right_to_left(Align::Center));
    right.spacing_mut().item_spacing.x = 16.0;
    machine(&mut right, cx);
    let limit = right.min_rect().left() - 16.0;

    let mut left = inside(ui, room.with_max_x(limit), Layout::left_to_right(Align::Center));
    left.spacing_mut().item_spacing.x = 16.0;
    readout(&mut left, cx);
    message(&mut left, cx, out);
}

/// From right to left: the warning, the network, memory, device, the job.
fn machine(ui: &mut Ui, cx: &Cx<'_>) {
    if cx.session.library.studies.is_empty() {
        // The start screen has the warning in full.
        status_item(ui, None, concat!("Lightbox ", env!("CARGO_PKG_VERSION")), true);
    } else {
        status_item(ui, None, "Not for diagnostic use", true);
    }
    status_item(ui, Some(icons::PLUGS), "Offline", false);
    let [used, total] = cx.memory_bytes;
    if used > 0 {
        status_item(ui, None, &memory(used, total), false);
    }
    // Under 1360 words give way to pixels.
    if !cx.room.find_is_icon && !cx.device.is_empty() {
        status_item(ui, None, cx.device, false);
    }
    // A check of the report takes milliseconds; it would only flicker here.
    let mut jobs = cx.session.jobs.iter().rev().filter(|job| !matches!(job.kind, JobKind::Check | JobKind::Complete));
    if let Some(job) = jobs.next() {
        let icon = matches!(job.kind, JobKind::Infer { .. }).then_some(icons::CPU);
        status_item(ui, icon, &job_text(job, jobs.count()), false);
    } else if let (Some(PanelTab::Report), Some(ms)) =
        (cx.session.workspace.panel, cx.session.report().checks.took_ms.filter(|_| !cx.room.find_is_icon))
    {
        let rules = lightbox_session::check::Rule::ALL.len();
        status_item(ui, None, &format!("Report: {rules} checks, {ms:.1} ms"), false);
    }
}

/// `1.1 of 24 GB`.
fn memory(used: u64, total: u64) -> String {
    let gigabytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    if total == 0 {
        format!("{:.1} GB", gigabytes(used))
    } else {
        format!("{:.1} of {:.0} GB", gigabytes(used), gigabytes(total))
    }
}

/// `Running Lung masks 62 %`, and how many more run.
fn job_text(job: &JobInfo, others: usize) -> String {
    let mut text = if job.cancelling { format!("Stopping: {}", job.title) } else { job.title.clone() };
    if let Some(part) = job.fraction.filter(|_| !job.cancelling) {
        text = format!("{text} {:.0} %", part * 100.0);
    }
    if others > 0 { format!("{text}, {others} more") } else { text }
}

fn readout(ui: &mut Ui, cx: &Cx<'_>) {
    let t = cx.tokens;
    let Some(hover) = &cx.ui.hover else {
        if cx.session.library.studies.is_empty() {
            words(ui, "Nothing open", TABLE, Weight::Regular, t.t2);
        }
        return;
    };
    for (text, ink) in [(&hover.value, t.t2), (&hover.position, t.t2), (&hover.voxel, t.t3)] {
        if !text.is_empty() && ui.available_width() > 64.0 {
            words(ui, text, TABLE, Weight::Regular, ink);
        }
    }
    let document = cx.session.document(hover.stack);
    for name in &hover.segments {
        let wide = line_text(ui, name.as_str(), font(size::TEXT[TABLE], Weight::Regular), t.t2, f32::INFINITY).size().x;
        if ui.available_width() < wide + 18.0 {
            break;
        }
        let ink = document.and_then(|d| d.segments.iter().find(|s| s.name == *name)).map(|s| colour(s.colour));
        let (swatch, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
        ui.painter().rect_filled(swatch, size::RADIUS_THUMB, ink.unwrap_or(t.t3));
        ui.add_space(-10.0);
        words(ui, name, TABLE, Weight::Regular, t.t2);
    }
}

/// Whether the place of a message is on the screen, so that it is read there.
fn is_seen(cx: &Cx<'_>, place: ProblemPlace) -> bool {
    let tab = match place {
        ProblemPlace::General => return false,
        // On the start screen, in the study list, or in the bar above the images.
        ProblemPlace::Open => return true,
        ProblemPlace::Ai => PanelTab::Ai,
        ProblemPlace::Masks => PanelTab::Masks,
        ProblemPlace::Report => PanelTab::Report,
    };
    cx.session.workspace.panel == Some(tab)
}

/// The newest message that is seen nowhere else. A click opens the whole of it.
fn message(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let problem = cx.session.problems.iter().rev().find(|p| !is_seen(cx, p.place));
    match (problem, &cx.ui.notice) {
        (Some(problem), _) => {
            if line(ui, cx, problem, |ui| problem_card(ui, out, problem)) {
                out.command(Command::Dismiss(problem.id));
            }
        }
        (None, Some(notice)) => {
            let problem = Problem {
                id: u64::MAX,
                severity: Severity::Warning,
                place: ProblemPlace::General,
                title: notice.clone(),
                detail: String::new(),
            };
            if line(ui, cx, &problem, |ui| super::parts::paragraph(ui, notice, TABLE, cx.tokens.t1)) {
                out.request(Request::DismissNotice);
            }
        }
        (None, None) => {}
    }
}

/// A message on one line; true when it is to be forgotten.
fn line<R>(ui: &mut Ui, cx: &Cx<'_>, problem: &Problem, whole: impl FnOnce(&mut Ui) -> R) -> bool {
    let t = cx.tokens;
    let ink = match problem.severity {
        Severity::Note => t.t2,
        Severity::Warning => t.warn,
        Severity::Error => t.err,
    };
    let dismiss_pt = 72.0;
    let room = ui.available_width() - dismiss_pt - 8.0;
    if room < 96.0 {
        return false;
    }
    let text = format!("{} {}", problem.title, problem.detail);
    let galley = line_text(ui, text.trim(), font(size::TEXT[TABLE], Weight::Regular), t.t1, room - 22.0);
    let (rect, response) =
        ui.allocate_exact_size(vec2(galley.size().x.ceil() + 22.0, size::STATUS_BAR), Sense::click());
    if response.hovered() {
        ui.painter().rect_filled(rect.expand2(vec2(4.0, -2.0)), size::RADIUS, t.bg3);
    }
    let icon = if problem.severity == Severity::Note { icons::INFO } else { icons::WARNING };
    paint_icon(ui.painter(), icon, pos2(rect.left() + 8.0, rect.center().y), size::ICON[1], ink);
    let place = Rect::from_min_max(pos2(rect.left() + 22.0, rect.top()), rect.max);
    crate::widgets::paint_text(ui.painter(), galley, place, egui::Align2::LEFT_CENTER);
    if response.has_focus() {
        crate::widgets::focus_ring(ui, rect.shrink2(vec2(0.0, 3.0)), size::RADIUS);
    }
    let role = if problem.severity == Severity::Note { Role::Note } else { Role::Alert };
    response.widget_info(|| WidgetInfo::labeled(role, true, text.trim()));
    Popup::menu(&response).gap(4.0).align(egui::RectAlign::TOP_START).show(|ui| {
        ui.set_width(320.0);
        whole(ui);
    });
    ui.add_space(-8.0);
    ui.add(Button::new("Dismiss").ghost().in_row()).clicked()
}

#[cfg(test)]
mod tests {
    use lightbox_session::JobId;

    use super::*;

    #[test]
    fn memory_is_in_gigabytes() {
        assert_eq!(memory(1_181_116_006, 25_769_803_776), "1.1 of 24 GB");
        assert_eq!(memory(1_181_116_006, 0), "1.1 GB");
    }

    #[test]
    fn a_job_says_how_far_it_is_and_when_it_stops() {
        let mut job = JobInfo {
            id: JobId(1),
            kind: JobKind::Scan,
            title: "Looking for images".into(),
            fraction: Some(0.62),
            detail: String::new(),
            cancelling: false,
        };
        assert_eq!(job_text(&job, 0), "Looking for images 62 %");
        assert_eq!(job_text(&job, 2), "Looking for images 62 %, 2 more");
        job.cancelling = true;
        assert_eq!(job_text(&job, 0), "Stopping: Looking for images");
    }
}
