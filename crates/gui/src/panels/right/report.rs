//! The Report tab: sections of sentences, each with what it rests on; the reader takes, changes or refuses what is
//! proposed, and writes.

use egui::{Align, Frame, Id, Layout, Margin, Panel, Rect, ScrollArea, Sense, Ui, vec2};
use lightbox_session::problem::ProblemPlace;
use lightbox_session::report::{Section, SentenceState};
use lightbox_session::{Command, JobKind, ReportState};

use super::sentence;
use crate::cx::{Cx, DialogRequest, Out};
use crate::fonts::Weight;
use crate::icons;
use crate::panels::parts::{NOTE, TABLE, count, inside, line, line_with_end, problems, words};
use crate::theme::size;
use crate::widgets::{Button, IconButton, caption, empty_state, hair, paint_icon};

/// Side padding of the report.
const SIDE_PT: f32 = 16.0;
/// Headings that an empty report is offered with; the session makes the same ones with the first sentence.
const HEADINGS: [&str; 3] = ["Technique", "Findings", "Impression"];

/// Fills its room.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let report = cx.session.report();
    let empty = report.document.sentences().next().is_none();
    let rejected_id = Id::unique("show rejected sentences");
    let mut with_rejected = ui.data(|data| data.get_temp::<bool>(rejected_id)).unwrap_or(false);
    header(ui, cx, report, &mut with_rejected);
    ui.data_mut(|data| data.insert_temp(rejected_id, with_rejected));
    hair(ui, 0.0);
    foot(ui, cx, out, report, empty);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let margin = Margin { left: SIDE_PT as i8, right: SIDE_PT as i8, top: 8, bottom: 12 };
        Frame::new().inner_margin(margin).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
            if problems(ui, cx, out, ProblemPlace::Report) > 0 {
                ui.add_space(8.0);
            }
            if empty {
                blank(ui, cx, out);
            } else {
                for (index, section) in report.document.sections.iter().enumerate() {
                    if index > 0 {
                        ui.add_space(12.0);
                    }
                    ui.push_id(index, |ui| show_section(ui, cx, out, index, section, with_rejected));
                }
            }
        });
    });
}

fn header(ui: &mut Ui, cx: &Cx<'_>, report: &ReportState, with_rejected: &mut bool) {
    let t = cx.tokens;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 40.0), Sense::hover());
    let mut bar = inside(ui, rect.shrink2(vec2(SIDE_PT, 0.0)), Layout::left_to_right(Align::Center));
    let rejected = report.document.sentences().filter(|s| s.state == SentenceState::Rejected).count();
    line_with_end(
        &mut bar,
        size::CONTROL,
        |ui| {
            if rejected > 0 {
                let name = if *with_rejected { "Hide rejected" } else { "Show rejected" };
                let line = "A refused sentence is kept, so that it is not proposed again.";
                if ui
                    .add(IconButton::new(icons::CLOCK_COUNTER_CLOCKWISE, name).compact().on(*with_rejected).line(line))
                    .clicked()
                {
                    *with_rejected = !*with_rejected;
                }
            }
        },
        |ui| {
            let template = report.document.template.as_deref().and_then(lightbox_session::report_template::by_name);
            words(ui, template.map_or("Report", |t| &t.label), TABLE, Weight::Medium, t.t1);
            words(ui, &saved(report), NOTE, Weight::Regular, t.t3);
        },
    );
}

/// What is saved: `Saved as report.txt`, `2 changes not saved`.
fn saved(report: &ReportState) -> String {
    match (&report.saved, report.unsaved) {
        (Some(saved), 0) => saved.clone(),
        (Some(saved), n) => format!("{saved}, {} since", count(n, "change")),
        (None, 0) => String::new(),
        (None, _) => "Not saved, in the journal".to_owned(),
    }
}

fn blank(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    ui.add_space(24.0);
    let reason = if cx.session.active_stack().is_none() { "no image is open" } else { "" };
    let draft = Button::new("Draft from image").icon(icons::FILE_TEXT).primary().disabled(reason);
    let sentence = "Nothing is written yet. A draft takes the header, your measurements and the masks; each sentence waits for you.";
    if empty_state(ui, icons::FILE_TEXT, sentence, draft).clicked() {
        out.command(Command::DraftReport);
    }
    ui.add_space(32.0);
    for (section, title) in HEADINGS.into_iter().enumerate() {
        caption(ui, &title.to_uppercase());
        ui.push_id(section, |ui| sentence::new_line(ui, cx, out, section, 0, title));
        ui.add_space(12.0);
    }
}

fn show_section(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, index: usize, section: &Section, with_rejected: bool) {
    caption(ui, &section.title.to_uppercase());
    ui.add_space(2.0);
    for sentence in &section.sentences {
        if sentence.state == SentenceState::Rejected && !with_rejected {
            continue;
        }
        ui.push_id(sentence.id, |ui| sentence::show(ui, cx, out, sentence));
    }
    sentence::new_line(ui, cx, out, index, section.sentences.len(), &section.title);
}

fn foot(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState, empty: bool) {
    let t = cx.tokens;
    let open = report.document.unconfirmed_count();
    let lines = if empty { 0.0 } else { size::ROW[0] };
    let height = 1.0 + 8.0 + lines + if empty { 4.0 } else { 8.0 } + size::CONTROL + 12.0;
    Panel::bottom("foot of the report").frame(Frame::new()).show_separator_line(false).exact_size(height).show(
        ui,
        |ui| {
            ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
            hair(ui, 0.0);
            let rect = Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), height - 1.0));
            let mut ui = inside(ui, rect.shrink2(vec2(SIDE_PT, 8.0)), Layout::top_down(Align::Min));
            ui.spacing_mut().item_spacing.y = 0.0;
            if !empty {
                line(&mut ui, size::ROW[0], |ui| {
                    let (place, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
                    if open > 0 {
                        ui.painter().circle_stroke(place.center(), 5.5, egui::Stroke::new(1.5, t.warn));
                        let verb = if open == 1 { "sentence" } else { "sentences" };
                        words(ui, &format!("{open} {verb} to confirm"), TABLE, Weight::Regular, t.t1);
                    } else {
                        paint_icon(ui.painter(), icons::CHECK, place.center(), size::ICON[1], t.ok);
                        words(ui, "Nothing waits for you", TABLE, Weight::Regular, t.t1);
                    }
                });
                ui.add_space(8.0);
            } else {
                ui.add_space(4.0);
            }
            buttons(&mut ui, cx, out, report, empty);
        },
    );
}

fn buttons(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState, empty: bool) {
    let confirmed = report.document.sentences().any(|s| s.is_confirmed());
    let open = report.document.unconfirmed_count();
    let saving = cx.session.jobs.iter().any(|job| job.kind == JobKind::SaveReport);
    let (save, draft) = line_with_end(
        ui,
        size::CONTROL,
        |ui| {
            if saving {
                ui.add(Button::new("Saving").icon(icons::ARROWS_CLOCKWISE).disabled("It is being written."));
                return false;
            }
            let reason = if confirmed { "" } else { "No sentence is confirmed yet: accept or write one." };
            let line = "Confirmed sentences only, as a text file.";
            let mut save = Button::new("Save text").icon(icons::FLOPPY_DISK).line(line).disabled(reason);
            // Saving is what comes next once nothing waits; until then no button stands out.
            if confirmed && open == 0 {
                save = save.primary();
            }
            ui.add(save).clicked()
        },
        |ui| {
            if empty {
                return false;
            }
            let line = "New findings join; what you wrote or decided stays.";
            let reason = if cx.session.active_stack().is_none() { "no image is open" } else { "" };
            ui.add(Button::new("Draft from image").icon(icons::FILE_TEXT).line(line).disabled(reason)).clicked()
        },
    );
    if save && let Some(study) = cx.session.report_study() {
        out.dialog(DialogRequest::SaveReport(study.to_owned()));
    }
    if draft {
        out.command(Command::DraftReport);
    }
}
