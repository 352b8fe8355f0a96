//! The Report tab: the sentences with their checks, the knowledge base, and the drugs, a page each.

mod advice;
mod ask;
mod drugs;
mod field;
mod foot;
mod objection;
mod offers;
mod sentence;
pub(crate) mod signed;
mod words;

use egui::{Align, Frame, Id, Layout, Margin, ScrollArea, Sense, Ui, vec2};
use lightbox_session::checks::Anchor;
use lightbox_session::problem::ProblemPlace;
use lightbox_session::report::{Section, SentenceState};
use lightbox_session::workspace::{ReportPage, Sheet};
use lightbox_session::{Command, ReportState, ground};

use crate::cx::{Cx, DialogRequest, Out};
use crate::fonts::Weight;
use crate::icons;
use crate::panels::parts::{NOTE, count, inside, line_with_end, menu_item, menu_line, problems, words};
use crate::theme::size;
use crate::widgets::{Button, DropDown, IconButton, Row, Segmented, caption, empty_state, hair};

/// Side padding of the report.
pub(super) const SIDE_PT: f32 = 16.0;
/// Headings that an empty report is offered with; the session makes the same ones with the first sentence.
const HEADINGS: [&str; 3] = ["Technique", "Findings", "Impression"];

/// Fills its room.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let page = cx.session.workspace.report_page;
    let names = ReportPage::ALL.map(ReportPage::name);
    let mut chosen = ReportPage::ALL.iter().position(|p| *p == page).unwrap_or(0);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 40.0), Sense::hover());
    let mut bar = inside(ui, rect.shrink2(vec2(SIDE_PT, 6.0)), Layout::left_to_right(Align::Center));
    if Segmented::new("Page of the report", &names).fill().show(&mut bar, &mut chosen).changed() {
        out.command(Command::SetReportPage(ReportPage::ALL[chosen]));
    }
    ui.push_id(page, |ui| match page {
        ReportPage::Write => write(ui, cx, out),
        ReportPage::Ask => ask::show(ui, cx, out),
        ReportPage::Drugs => drugs::show(ui, cx, out),
    });
}

/// The field of a sentence, for keys.
pub(super) fn sentence_field(sentence: u64) -> Id {
    sentence::field_id(sentence)
}

/// A scrolled page with the report's side padding.
fn scrolled(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let margin = Margin { left: SIDE_PT as i8, right: SIDE_PT as i8, top: 8, bottom: 12 };
        Frame::new().inner_margin(margin).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
            add(ui);
        });
    });
}

/// The page of the sentences.
fn write(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let report = cx.session.report();
    let empty = report.document.sentences().next().is_none();
    let rejected_id = Id::unique("show rejected sentences");
    let mut with_rejected = ui.data(|data| data.get_temp::<bool>(rejected_id)).unwrap_or(false);
    header(ui, cx, out, report, &mut with_rejected);
    ui.data_mut(|data| data.insert_temp(rejected_id, with_rejected));
    hair(ui, 0.0);
    foot::show(ui, cx, out, report, empty);
    let room = ui.available_rect_before_wrap();
    let picked = picked(cx);
    scrolled(ui, |ui| {
        if problems(ui, cx, out, ProblemPlace::Report) > 0 {
            ui.add_space(8.0);
        }
        if report.is_read_only() {
            signed::show(ui, cx, report);
            offers::show(ui, cx, out, report);
            return;
        }
        if empty {
            blank(ui, cx, out);
            return;
        }
        for (index, section) in report.document.sections.iter().enumerate() {
            if index > 0 {
                ui.add_space(12.0);
            }
            ui.push_id(index, |ui| show_section(ui, cx, out, report, index, section, with_rejected, picked));
        }
        objection::without_place(ui, cx, out, report);
        offers::show(ui, cx, out, report);
        advice::show(ui, cx, out, report);
    });
    // The pixels stay marked for as long as the pointer is over the report.
    let over = ui.input(|i| i.pointer.hover_pos()).is_some_and(|p| room.contains(p));
    sentence::leave(ui, cx, out, over);
}

/// The sentence about what is picked or pointed at on an image.
fn picked(cx: &Cx<'_>) -> Option<u64> {
    let s = cx.session;
    let annotation = cx.ui.selected.map(|(stack, id)| (stack, ground::Thing::Annotation(id)));
    let (stack, thing) = annotation.or(cx.ui.chosen_box.map(|(stack, id)| (stack, ground::Thing::Box(id))))?;
    ground::sentence_of(s, stack, thing).map(|x| x.id)
}

fn header(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState, with_rejected: &mut bool) {
    let t = cx.tokens;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 36.0), Sense::hover());
    let mut bar = inside(ui, rect.shrink2(vec2(SIDE_PT, 0.0)), Layout::left_to_right(Align::Center));
    let rejected = report.document.sentences().filter(|s| s.state == SentenceState::Rejected).count();
    let versions = report.signed.versions().len();
    let (wish, ()) = line_with_end(
        &mut bar,
        size::CONTROL,
        |ui| {
            let mut wish = None;
            ui.spacing_mut().item_spacing.x = 4.0;
            if versions > 0 {
                let line = "The signed versions, each as it was.";
                let button = IconButton::new(icons::CLOCK_COUNTER_CLOCKWISE, "Signed versions").compact().line(line);
                if ui.add(button).clicked() {
                    wish = Some(Command::ShowSheet(Some(Sheet::Versions)));
                }
            }
            if rejected > 0 && !report.is_read_only() {
                let name = if *with_rejected { "Hide rejected" } else { "Show rejected" };
                let line = "A refused sentence is kept, so that it is not proposed again.";
                let icon = if *with_rejected { icons::EYE } else { icons::EYE_SLASH };
                if ui.add(IconButton::new(icon, name).compact().on(*with_rejected).line(line)).clicked() {
                    *with_rejected = !*with_rejected;
                }
            }
            if !report.is_read_only() && report.document.sentences().next().is_some() {
                let line = "New findings join; what you wrote or decided stays.";
                let reason = if cx.session.active_stack().is_none() { "no image is open" } else { "" };
                let draft = IconButton::new(icons::ARROWS_CLOCKWISE, "Draft from image").compact().line(line);
                if ui.add(draft.disabled(reason)).clicked() {
                    wish = Some(Command::DraftReport);
                }
            }
            wish
        },
        |ui| {
            templates(ui, cx, out, report);
            words(ui, &saved(report), NOTE, Weight::Regular, t.t3);
        },
    );
    wish.into_iter().for_each(|command| out.command(command));
}

/// The choice of a template; imported ones and files are at its end.
fn templates(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState) {
    let chosen = report.document.template.as_deref();
    let own = &cx.session.templates;
    let label = chosen
        .and_then(|id| own.iter().find(|t| t.id == id).map(|t| t.label.as_str()))
        .or_else(|| chosen.and_then(lightbox_session::report_template::by_name).map(|t| t.label.as_str()))
        .unwrap_or("Template");
    let reason = match (cx.session.report_study(), report.is_read_only()) {
        (None, _) => "no image is open",
        (_, true) => "the report is signed",
        _ => "",
    };
    let line = "Headings and order; one of your own brings its sentences too.";
    DropDown::new("Template", label).width(136.0).line(line).disabled(reason).show(ui, |ui| {
        for template in lightbox_session::report_template::built_in() {
            let on = chosen == Some(template.id.as_str());
            if menu_item(ui, Row::new(&template.label).selected(on)) {
                out.command(Command::SetTemplate(template.id.clone()));
            }
        }
        if !own.is_empty() {
            menu_line(ui);
        }
        for template in own {
            let on = chosen == Some(template.id.as_str());
            if menu_item(ui, Row::new(&template.label).icon(icons::USER).selected(on)) {
                out.command(Command::SetTemplate(template.id.clone()));
            }
        }
        menu_line(ui);
        if menu_item(ui, Row::new("Import MRRT…").icon(icons::DOWNLOAD_SIMPLE)) {
            out.dialog(DialogRequest::ImportTemplate);
        }
        let nothing = if report.document.sections.is_empty() { "nothing is written yet" } else { "" };
        let export = Row::new("Export as MRRT…").icon(icons::EXPORT).disabled(nothing);
        if menu_item(ui, export)
            && let Some(study) = cx.session.report_study()
        {
            out.dialog(DialogRequest::ExportTemplate(study.to_owned()));
        }
    });
}

/// What is saved: `Saved as report.txt`, `2 changes not saved`.
fn saved(report: &ReportState) -> String {
    if let Some(version) = report.signed.current().filter(|_| report.amending) {
        return format!("Correcting version {}", version.number);
    }
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

fn show_section(
    ui: &mut Ui,
    cx: &Cx<'_>,
    out: &mut Out,
    report: &ReportState,
    index: usize,
    section: &Section,
    with_rejected: bool,
    picked: Option<u64>,
) {
    caption(ui, &section.title.to_uppercase());
    ui.add_space(2.0);
    for objection in objection::at(report, Anchor::Heading(index)) {
        objection::show(ui, cx, out, report, objection);
    }
    for sentence in &section.sentences {
        if sentence.state == SentenceState::Rejected && !with_rejected {
            continue;
        }
        ui.push_id(sentence.id, |ui| sentence::show(ui, cx, out, report, sentence, picked == Some(sentence.id)));
    }
    sentence::new_line(ui, cx, out, index, section.sentences.len(), &section.title);
}
