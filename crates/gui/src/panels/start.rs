//! The start screen, in place of the viewports while no study is open.

use egui::{Align, Align2, Layout, Rect, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};
use lightbox_session::card::Task;
use lightbox_session::problem::ProblemPlace;
use lightbox_session::{Command, JobKind};

use super::parts::{BODY, NOTE, TABLE, count, inside, line_with_end, mark, paragraph, problems, recovery_card, words};
use crate::cx::{Cx, DialogRequest, Out, Request};
use crate::fonts::{Weight, font};
use crate::icons::{self, Icon};
use crate::theme::size;
use crate::widgets::{Button, Progress, dashed_rect, hair, line_text, paint_icon, paint_text, wrapped_text};

/// Width of the whole, where there is room.
const WIDTH_PT: f32 = 1008.0;
/// Gap between the columns.
const GAP_PT: f32 = 32.0;
/// Height of the drop target, where there is room.
const DROP_PT: f32 = 332.0;
/// Height of all but the drop target.
const REST_PT: f32 = 48.0 + 32.0 + 32.0 + 56.0 + 24.0 + 13.0 + 24.0;

/// Fills its room.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let room = ui.max_rect();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
        let width = WIDTH_PT.min(room.width() - 64.0).floor();
        let drop_pt = (room.height() - REST_PT - 32.0).clamp(208.0, DROP_PT);
        let above = ((room.height() - REST_PT - drop_pt) / 2.0 - 16.0).max(16.0).floor();
        ui.add_space(above);
        let left = ((room.width() - width) / 2.0).floor();
        let page = Rect::from_min_size(pos2(room.left() + left, ui.cursor().top()), vec2(width, f32::INFINITY));
        let mut page = inside(ui, page, Layout::top_down(Align::Min));
        page.spacing_mut().item_spacing.y = 0.0;
        title(&mut page, cx);
        page.add_space(32.0);
        columns(&mut page, cx, out, drop_pt);
        page.add_space(32.0);
        facts(&mut page, cx);
        page.add_space(24.0);
        hair(&mut page, 0.0);
        page.add_space(12.0);
        foot(&mut page, cx, out);
        page.add_space(16.0);
        let used = page.min_rect();
        ui.allocate_rect(used, Sense::hover());
    });
}

fn title(ui: &mut Ui, cx: &Cx<'_>) {
    let t = cx.tokens;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 48.0), Sense::hover());
    mark(ui, rect.min + vec2(20.0, 24.0), 40.0, t.acc);
    let mut beside = inside(ui, rect.with_min_x(rect.left() + 52.0), Layout::top_down(Align::Min));
    words(&mut beside, "Lightbox", 4, Weight::SemiBold, t.t1);
    let about = "Reads CT, MR and X-ray studies, runs models on them, and writes the report from the pixels.";
    words(&mut beside, about, BODY, Weight::Regular, t.t2);
}

fn columns(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, drop_pt: f32) {
    let width = ui.available_width();
    let right_pt = (width * 416.0 / WIDTH_PT).clamp(304.0, 416.0).floor();
    let left_pt = width - GAP_PT - right_pt;
    let top = ui.cursor().min;
    let drop = Rect::from_min_size(top, vec2(left_pt, drop_pt));
    drop_target(ui, cx, out, drop);
    let column = Rect::from_min_size(pos2(top.x + left_pt + GAP_PT, top.y), vec2(right_pt, f32::INFINITY));
    let mut column = inside(ui, column, Layout::top_down(Align::Min));
    column.spacing_mut().item_spacing.y = 0.0;
    beside_it(&mut column, cx, out);
    let height = column.min_rect().height().max(drop_pt);
    ui.allocate_exact_size(vec2(width, height), Sense::hover());
}

fn drop_target(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, rect: Rect) {
    let t = cx.tokens;
    let over = cx.ui.dropping;
    ui.painter().rect_filled(rect, size::RADIUS_DROP, if over { t.accbg } else { t.bg1 });
    let edge = if over { Stroke::new(2.0, t.acc) } else { Stroke::new(1.0, t.line2) };
    dashed_rect(ui.painter(), rect, f32::from(size::RADIUS_DROP), edge, 3.0, 2.0);
    let scan = cx.session.jobs.iter().find(|job| job.kind == JobKind::Scan);

    let lead = if let Some(job) = scan {
        job.title.as_str()
    } else if over {
        "Drop to open"
    } else {
        "Drop a study here"
    };
    let kinds = "A folder, a ZIP, or DICOM files";
    let parts = [(kinds, font(size::TEXT[BODY], Weight::Regular), t.t2)];
    let about = wrapped_text(ui, &parts, size::LINE[BODY], rect.width() - 48.0);
    // Icon 28, 16, words 24, 8, words, 24, buttons 28.
    let height = 28.0 + 16.0 + 24.0 + 8.0 + about.size().y + 24.0 + 28.0;
    let x = rect.center().x;
    let mut y = (rect.center().y - height / 2.0).floor();
    paint_icon(ui.painter(), icons::FOLDER_SIMPLE, pos2(x, y + 14.0), 28.0, if over { t.acc2 } else { t.t2 });
    y += 28.0 + 16.0;
    let words = line_text(ui, lead, font(size::TEXT[3], Weight::SemiBold), t.t1, rect.width() - 48.0);
    paint_text(
        ui.painter(),
        words,
        Rect::from_center_size(pos2(x, y + 12.0), vec2(rect.width(), 24.0)),
        Align2::CENTER_CENTER,
    );
    y += 24.0 + 8.0;
    let response = ui.interact(rect, ui.scope_id().with("drop"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Group, true, format!("{lead}. {kinds}")));
    let line =
        |y: f32, height: f32, width: f32| Rect::from_min_size(pos2((x - width / 2.0).floor(), y), vec2(width, height));
    if let Some(job) = scan {
        let mut bar = inside(ui, line(y, 20.0, 280.0), Layout::left_to_right(Align::Center));
        bar.add(Progress::new(&job.title, job.fraction.unwrap_or(0.0)).text(&job.detail));
        let mut row = inside(ui, line(y + 44.0, 28.0, 120.0), Layout::left_to_right(Align::Center));
        if row.add(Button::new("Cancel").key("Esc").width(120.0)).clicked() {
            out.command(Command::CancelJob(job.id));
        }
        return;
    }
    let lines = about.size();
    ui.painter().galley(pos2((x - lines.x / 2.0).floor(), y), about, t.t2);
    y += lines.y + 24.0;
    // Both buttons have their known widths, so that they stand in the middle in the first frame too.
    let mut row = inside(ui, line(y, 28.0, 140.0 + 8.0 + 92.0), Layout::left_to_right(Align::Center));
    if row.add(Button::new("Open folder").primary().key("Ctrl O").width(140.0)).clicked() {
        out.dialog(DialogRequest::OpenFolder);
    }
    if row.add(Button::new("Open files").width(92.0)).clicked() {
        out.dialog(DialogRequest::OpenFiles);
    }
}

/// The right column: the models at hand, the demo, earlier work, messages.
fn beside_it(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let t = cx.tokens;
    let models = &cx.session.models;
    line_with_end(
        ui,
        size::CONTROL,
        |ui| {
            words(ui, "each with a card", NOTE, Weight::Regular, t.t3);
        },
        |ui| {
            words(ui, "Models at hand", TABLE, Weight::SemiBold, t.t2);
        },
    );
    for model in models.iter().take(3) {
        model_line(ui, cx, model);
    }
    if models.len() > 3 {
        words(ui, &format!("and {} more", models.len() - 3), TABLE, Weight::Regular, t.t3);
    }
    if models.is_empty() {
        let reading = cx.session.jobs.iter().any(|job| job.kind == JobKind::Models);
        let text = if reading { "Reading the cards" } else { "None. Weights lie in the folder weights." };
        paragraph(ui, text, TABLE, t.t3);
    }
    ui.add_space(8.0);
    hair(ui, 0.0);
    ui.add_space(8.0);
    demo(ui, cx, out);
    if cx.session.recovery.is_some() {
        ui.add_space(12.0);
        recovery_card(ui, cx, out);
    }
    if cx.session.problems.iter().any(|p| p.place == ProblemPlace::Open) {
        ui.add_space(12.0);
        problems(ui, cx, out, ProblemPlace::Open);
    }
}

fn model_line(ui: &mut Ui, cx: &Cx<'_>, model: &lightbox_session::models::ModelInfo) {
    let t = cx.tokens;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 56.0), Sense::hover());
    let tile = Rect::from_min_size(pos2(rect.left(), rect.center().y - 22.0), vec2(44.0, 44.0));
    ui.painter().rect_filled(tile, size::RADIUS_THUMB, t.bg2);
    paint_icon(ui.painter(), icons::CPU, tile.center(), size::ICON[0], t.t2);
    let beside = Rect::from_min_max(pos2(tile.right() + 12.0, rect.center().y - 18.0), rect.max);
    let mut beside = inside(ui, beside, Layout::top_down(Align::Min));
    words(&mut beside, &model.card.name, BODY, Weight::Medium, t.t1);
    let headline = model.headline();
    let second = match (&model.problem, headline.is_empty()) {
        (Some(problem), _) => problem.clone(),
        (None, true) => model.id.clone(),
        (None, false) => format!("{} · {headline}", model.id),
    };
    let ink = if model.problem.is_some() { t.warn } else { t.t3 };
    words(&mut beside, &second, TABLE, Weight::Regular, ink);
}

fn demo(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let t = cx.tokens;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 56.0), Sense::hover());
    let tile = Rect::from_min_size(pos2(rect.left(), rect.center().y - 22.0), vec2(44.0, 44.0));
    ui.painter().rect_filled(tile, size::RADIUS_THUMB, t.bg2);
    let c = tile.center();
    let triangle = vec![c + vec2(-4.0, -6.0), c + vec2(6.0, 0.0), c + vec2(-4.0, 6.0)];
    ui.painter().add(egui::Shape::convex_polygon(triangle, t.acc, Stroke::NONE));
    let button = Rect::from_min_max(
        pos2(rect.right() - 52.0, rect.center().y - 12.0),
        pos2(rect.right(), rect.center().y + 12.0),
    );
    let beside =
        Rect::from_min_max(pos2(tile.right() + 12.0, rect.center().y - 18.0), pos2(button.left() - 8.0, rect.bottom()));
    let mut beside = inside(ui, beside, Layout::top_down(Align::Min));
    words(&mut beside, "Open the demo", BODY, Weight::Medium, t.t1);
    words(&mut beside, "Synthetic CT, X-ray and MR, with a model run", TABLE, Weight::Regular, t.t3);
    let mut end = inside(ui, button, Layout::right_to_left(Align::Center));
    if end.add(Button::new("Open").compact().width(52.0).line("Opens the demo.")).clicked() {
        out.command(Command::OpenDemo);
    }
}

fn facts(ui: &mut Ui, cx: &Cx<'_>) {
    let models = &cx.session.models;
    let masks = models.iter().filter(|m| m.card.task == Task::Segmentation).count();
    let heads = format!("{}, {masks} with masks", count(models.len(), "model"));
    let all: [(Icon, &str, &str); 3] = [
        (icons::PLUGS, "Works offline", "No connection is opened."),
        (icons::CPU, &heads, "Each with a card: data, measured figures, limits."),
        (icons::SHIELD_CHECK, "Nothing is overwritten", "AI arrives as layers; files are read back before “saved”."),
    ];
    let top = ui.cursor().min;
    let each = ((ui.available_width() - 2.0 * GAP_PT) / 3.0).floor();
    let mut height: f32 = 0.0;
    for (n, (icon, head, text)) in all.into_iter().enumerate() {
        let place = Rect::from_min_size(pos2(top.x + n as f32 * (each + GAP_PT), top.y), vec2(each, f32::INFINITY));
        paint_icon(ui.painter(), icon, place.min + vec2(8.0, 10.0), size::ICON[1], cx.tokens.t2);
        let mut column = inside(ui, place.with_min_x(place.left() + 24.0), Layout::top_down(Align::Min));
        column.spacing_mut().item_spacing.y = 4.0;
        words(&mut column, head, BODY, Weight::Medium, cx.tokens.t1);
        paragraph(&mut column, text, TABLE, cx.tokens.t2);
        height = height.max(column.min_rect().height());
    }
    ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
}

fn foot(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let t = cx.tokens;
    line_with_end(
        ui,
        size::CONTROL_COMPACT,
        |ui| {
            if ui.add(Button::new("Keys").ghost().in_row().key("F1")).clicked() {
                out.request(Request::Keys);
            }
        },
        |ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
            paint_icon(ui.painter(), icons::WARNING, rect.center(), size::ICON[1], t.warn);
            words(ui, "For research and education. Not for diagnostic use.", TABLE, Weight::Regular, t.t2);
        },
    );
}
