//! The foot of the report: what is open, and what can be done with the whole.

use egui::{Align, Color32, Frame, Layout, Panel, Popup, Rect, Sense, Stroke, Ui, vec2};
use lightbox_session::check::Severity;
use lightbox_session::export::Form;
use lightbox_session::workspace::Sheet;
use lightbox_session::{Command, JobKind, ReportState};

use super::SIDE_PT;
use crate::cx::{Cx, DialogRequest, Out};
use crate::fonts::Weight;
use crate::icons::{self, Icon};
use crate::panels::parts::{TABLE, inside, line_with_end, menu_item, words};
use crate::theme::size;
use crate::widgets::{Button, Row, hair, key_cap, paint_icon};

/// A line of the foot: a mark in a colour, words, and whether F8 goes there.
struct Line {
    icon: Option<Icon>,
    ink: Color32,
    text: String,
    goes: bool,
}

/// Fills the lower end of its room.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState, empty: bool) {
    let lines = if empty || report.is_read_only() { Vec::new() } else { lines(cx, report) };
    let height = 1.0 + 8.0 + lines.len() as f32 * size::ROW[0] + 8.0 + size::CONTROL + 12.0;
    Panel::bottom("foot of the report").frame(Frame::new()).show_separator_line(false).exact_size(height).show(
        ui,
        |ui| {
            ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
            hair(ui, 0.0);
            let rect = Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), height - 1.0));
            let mut ui = inside(ui, rect.shrink2(vec2(SIDE_PT, 8.0)), Layout::top_down(Align::Min));
            ui.spacing_mut().item_spacing.y = 0.0;
            for one in &lines {
                line_with_end(
                    &mut ui,
                    size::ROW[0],
                    |ui| {
                        if one.goes {
                            key_cap(ui, "F8");
                        }
                    },
                    |ui| {
                        let (place, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
                        match one.icon {
                            Some(icon) => paint_icon(ui.painter(), icon, place.center(), size::ICON[1], one.ink),
                            None => {
                                ui.painter().circle_stroke(place.center(), 5.5, Stroke::new(1.5, one.ink));
                            }
                        }
                        words(ui, &one.text, TABLE, Weight::Regular, cx.tokens.t1);
                    },
                );
            }
            ui.add_space(8.0);
            buttons(&mut ui, cx, out, report);
        },
    );
}

fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

fn lines(cx: &Cx<'_>, report: &ReportState) -> Vec<Line> {
    let t = cx.tokens;
    let mut out = Vec::new();
    let of = |severity: Severity| report.open_objections().filter(move |o| o.issue.severity == severity);
    let errors = of(Severity::Error).count();
    if errors > 0 {
        let mut about: Vec<&str> = of(Severity::Error).map(|o| o.issue.rule.about()).collect();
        about.dedup();
        let about = about.join(", ").to_lowercase();
        let text = format!("{}: {about}", plural(errors, "conflict", "conflicts"));
        out.push(Line { icon: Some(icons::WARNING), ink: t.err, text, goes: true });
    }
    let softer = of(Severity::Warning).count() + of(Severity::Hint).count();
    if softer > 0 {
        let text = plural(softer, "thing to look at", "things to look at");
        out.push(Line { icon: Some(icons::WARNING_CIRCLE), ink: t.warn, text, goes: true });
    }
    let open = report.document.unconfirmed_count();
    if open > 0 {
        let text = format!("{} to confirm", plural(open, "sentence", "sentences"));
        out.push(Line { icon: None, ink: t.warn, text, goes: true });
    }
    if report.checks.cut {
        let text = "The text is long; the checks read its first part.".to_owned();
        out.push(Line { icon: Some(icons::WARNING_CIRCLE), ink: t.warn, text, goes: false });
    }
    if out.is_empty() {
        let (icon, ink, text) = if report.checks.are_current() {
            (icons::CHECK, t.ok, "Nothing waits for you")
        } else {
            (icons::CLOCK, t.t3, "The checks read the text")
        };
        out.push(Line { icon: Some(icon), ink, text: text.to_owned(), goes: false });
    }
    out
}

fn buttons(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState) {
    let confirmed = report.document.sentences().any(|s| s.is_confirmed());
    let nothing = if confirmed { "" } else { "No sentence is confirmed yet: accept or write one." };
    let saving = cx.session.jobs.iter().any(|job| job.kind == JobKind::SaveReport);
    let signed = report.is_read_only();
    let (wish, ()) = line_with_end(
        ui,
        size::CONTROL,
        |ui| {
            if signed {
                let line = "A new version beside the signed one, which stays as it is.";
                let correct = Button::new("Correct").icon(icons::PENCIL_SIMPLE).line(line);
                return ui.add(correct).clicked().then_some(Command::Amend(true));
            }
            let open = report.document.unconfirmed_count() + report.open_objections().filter(|o| o.blocks()).count();
            let line = "Shows what differs from the draft, then signs.";
            let mut sign = Button::new("Sign").icon(icons::LOCK_SIMPLE).line(line).disabled(nothing);
            // Signing is what comes next once nothing waits; until then no button stands out.
            if confirmed && open == 0 && report.checks.are_current() {
                sign = sign.primary();
            }
            let signs = ui.add(sign).clicked().then_some(Command::ShowSheet(Some(Sheet::Sign)));
            if report.amending && ui.add(Button::new("Leave").ghost().line("The signed version holds.")).clicked() {
                return Some(Command::Amend(false));
            }
            signs
        },
        |ui| {
            if saving {
                ui.add(Button::new("Saving").icon(icons::EXPORT).disabled("It is being written."));
            } else {
                let export = ui.add(Button::new("Export").icon(icons::EXPORT).opens_menu().disabled(nothing));
                Popup::menu(&export).gap(4.0).align(egui::RectAlign::TOP_START).show(|ui| {
                    ui.set_min_width(208.0);
                    ui.spacing_mut().item_spacing.y = 0.0;
                    for form in Form::ALL {
                        let reason = match form.is_dicom() && cx.session.active_stack().is_none() {
                            true => "needs the study open",
                            false => "",
                        };
                        if menu_item(ui, Row::new(form.name()).disabled(reason))
                            && let Some(study) = cx.session.report_study()
                        {
                            out.dialog(DialogRequest::ExportReport(study.to_owned(), form));
                        }
                    }
                });
            }
            if !signed {
                let line = "What became of each sentence of the draft.";
                let empty = if report.document.sentences().next().is_some() { "" } else { "nothing is written yet" };
                if ui.add(Button::new("Differences").ghost().line(line).disabled(empty)).clicked() {
                    out.command(Command::ShowSheet(Some(Sheet::Differences)));
                }
            }
        },
    );
    wish.into_iter().for_each(|command| out.command(command));
}
