//! The study list: rows, or a strip of thumbnails, by `cx.room.studies`. A click shows a series in the active viewport;
//! a row can be dragged onto another (the payload is its [`StackId`]).

use egui::{Align, Id, Layout, Panel, Rect, Response, ScrollArea, TextureId, Ui, Vec2, pos2, vec2};
use lightbox_core::measure::Calibration;
use lightbox_session::problem::ProblemPlace;
use lightbox_session::workspace::StudyListMode;
use lightbox_session::{Command, JobKind, LoadState, OpenStack, OpenStudy, StackId, WarningKind};

use super::parts::{NOTE, TABLE, count, inside, line_with_end, paragraph, problems, recovery_card, words};
use super::tool_options::step;
use super::top_bar::study_title;
use crate::cx::{Cx, DialogRequest, Out};
use crate::fonts::Weight;
use crate::icons;
use crate::theme::size;
use crate::widgets::{Button, IconButton, Progress, SearchField, ThumbRow, ThumbTile, hair};

/// Fills its room.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    match cx.room.studies {
        StudyListMode::Full => full(ui, cx, out),
        StudyListMode::Strip => strip(ui, cx, out),
        StudyListMode::Hidden => {}
    }
}

/// What is typed into the filter; `None` while its field is closed.
fn filter_id() -> Id {
    Id::unique("filter of the study list")
}

fn full(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
    let mut filter = ui.data(|data| data.get_temp::<Option<String>>(filter_id())).flatten();
    let was_open = filter.is_some();
    header(ui, cx, out, &mut filter);
    hair(ui, 0.0);
    if let Some(text) = &mut filter {
        let field = ui
            .scope(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.add_space(8.0);
                let width = ui.available_width() - 16.0;
                let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), size::CONTROL), egui::Sense::hover());
                let mut row = inside(ui, rect.shrink2(vec2(8.0, 0.0)), Layout::left_to_right(Align::Center));
                row.add(SearchField::new("Title, patient, date", text).width(width))
            })
            .inner;
        // Only then: a field that takes the keys back would leave none for the image.
        if !was_open {
            field.request_focus();
        }
        if ui.input(|i| i.key_pressed(egui::Key::Escape)) && field.lost_focus() {
            filter = None;
        }
    }
    ui.data_mut(|data| data.insert_temp(filter_id(), filter.clone()));

    messages(ui, cx, out);
    let wanted = filter.unwrap_or_default().to_lowercase();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
        let patients = patients(cx);
        let mut shown = 0;
        for study in &cx.session.library.studies {
            let stacks: Vec<&OpenStack> = study.stacks.iter().filter_map(|id| cx.session.library.stack(*id)).collect();
            let stacks = matching(study, stacks, &wanted);
            if stacks.is_empty() {
                continue;
            }
            if shown > 0 {
                hair(ui, 0.0);
            }
            shown += 1;
            study_rows(ui, cx, out, study, &stacks, patients > 1);
        }
        if shown == 0 && !wanted.is_empty() {
            ui.add_space(12.0);
            padded(ui, |ui| paragraph(ui, &format!("Nothing here is called “{wanted}”."), TABLE, cx.tokens.t3));
        }
    });
}

/// The series of a study that a filter lets through: all, where the study itself matches.
fn matching<'a>(study: &OpenStudy, stacks: Vec<&'a OpenStack>, wanted: &str) -> Vec<&'a OpenStack> {
    if wanted.is_empty() {
        return stacks;
    }
    let of_study = [&study.description, &study.patient.name, &study.patient.id, &study.date];
    if of_study.iter().any(|text| text.to_lowercase().contains(wanted)) {
        return stacks;
    }
    let matches = |open: &&OpenStack| {
        open.title().to_lowercase().contains(wanted) || open.series.modality.to_lowercase().contains(wanted)
    };
    stacks.into_iter().filter(matches).collect()
}

/// How many patients are open. With more than one, each study says whose it is.
fn patients(cx: &Cx<'_>) -> usize {
    let mut all: Vec<_> = cx.session.library.studies.iter().map(|s| (&s.patient.id, &s.patient.name)).collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}

fn header(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, filter: &mut Option<String>) {
    padded(ui, |ui| {
        line_with_end(
            ui,
            36.0,
            |ui| {
                ui.spacing_mut().item_spacing.x = 0.0;
                ui.add_space(-4.0);
                let collapse = IconButton::new(icons::CARET_LEFT, "Collapse").compact().key("F3");
                if ui.add(collapse).clicked() {
                    out.command(Command::SetStudyList(StudyListMode::Strip));
                }
                let open = IconButton::new(icons::FOLDER, "Open folder").compact().key("Ctrl+O");
                if ui.add(open).clicked() {
                    out.dialog(DialogRequest::OpenFolder);
                }
                let search = IconButton::new(icons::MAGNIFYING_GLASS, "Filter").compact();
                if ui.add(if filter.is_some() { search.on(true) } else { search }).clicked() {
                    *filter = if filter.is_some() { None } else { Some(String::new()) };
                }
            },
            |ui| {
                words(ui, "Studies", TABLE, Weight::SemiBold, cx.tokens.t2);
            },
        );
    });
}

fn study_rows(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, study: &OpenStudy, stacks: &[&OpenStack], with_name: bool) {
    let t = cx.tokens;
    ui.add_space(4.0);
    padded(ui, |ui| {
        ui.add_space(4.0);
        words(ui, &study_title(cx.session, study, false), TABLE, Weight::SemiBold, t.t1);
        let facts = [&study.date, &study.patient.id];
        let facts: Vec<&str> = facts.into_iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        let second = words(ui, &facts.join(" · "), NOTE, Weight::Regular, t.t3);
        if !study.patient.name.is_empty() {
            if with_name {
                words(ui, &study.patient.name, NOTE, Weight::Regular, t.t3);
            } else {
                second.on_hover_text(&study.patient.name);
            }
        }
        ui.add_space(4.0);
    });
    let small = ui.available_width() < size::STUDIES[1] - 8.0;
    for open in stacks {
        let facts = facts(open);
        let title = open.title();
        let mut row = ThumbRow::new(&title, &facts.text)
            .texture(thumbnail(cx, open.id))
            .trouble(&facts.trouble)
            .selected(cx.session.active_stack() == Some(open.id))
            .progress(facts.part);
        if small {
            row = row.small();
        }
        let response = ui.push_id(open.id, |ui| ui.add(row)).inner;
        let response = use_row(response, out, open.id);
        let told = told(open, &facts);
        if !told.is_empty() {
            response.on_hover_ui(|ui| {
                ui.set_max_width(240.0);
                paragraph(ui, &told.join("\n"), TABLE, t.t1);
            });
        }
    }
    ui.add_space(8.0);
}

/// A click shows the series; a drag carries it.
fn use_row(response: Response, out: &mut Out, stack: StackId) -> Response {
    if response.clicked() {
        out.command(Command::Show { slot: None, stack });
    }
    response.dnd_set_drag_payload(stack);
    response
}

fn thumbnail(cx: &Cx<'_>, stack: StackId) -> Option<(TextureId, Vec2)> {
    cx.thumbnails.get(&stack).map(|(id, [width, height])| (*id, vec2(*width as f32, *height as f32)))
}

/// The second line of a row.
struct Facts {
    trouble: String,
    text: String,
    part: Option<f32>,
}

fn facts(open: &OpenStack) -> Facts {
    let frames = open.frames();
    let planes = || open.plane_stack(open.acquired_plane());
    let step = (open.info.is_volume && open.in_patient).then(|| step(&planes()));
    let mut trouble = trouble(open);
    let counted = trouble.contains(" of ");
    let mut text = match (frames, step.as_ref()) {
        (1, _) => "1 image".to_owned(),
        (n, Some(_)) => n.to_string(),
        (n, None) => count(n, "image"),
    };
    if let Some(step) = step.filter(|s| !trouble.contains(s)) {
        text = if counted { step } else { format!("{text} · {step}") };
    }
    let mut part = None;
    match &open.load {
        LoadState::Loading(done) => part = Some(*done as f32 / frames.max(1) as f32),
        LoadState::Failed(_) => trouble = "not read".to_owned(),
        LoadState::Waiting | LoadState::Loaded => {}
    }
    Facts { trouble, text, part }
}

/// What is wrong with a series, in a word or two.
fn trouble(open: &OpenStack) -> String {
    let Some(warning) = open.warnings().first() else { return String::new() };
    let word = match warning.kind {
        WarningKind::SliceGap => return gap(open),
        WarningKind::VaryingSpacing => "uneven",
        WarningKind::DuplicateSlice | WarningKind::DuplicateInstance => "doubled",
        WarningKind::GantryTilt => "tilted",
        WarningKind::MixedOrientation | WarningKind::MixedSize => "mixed",
        WarningKind::NoPosition => "no position",
        WarningKind::MissingFrames => "incomplete",
        WarningKind::Header => "header",
        _ => "see Info",
    };
    word.to_owned()
}

/// `173 of 176`, from the places of the slices; `gap` where they do not tell.
fn gap(open: &OpenStack) -> String {
    let places: Option<Vec<[f64; 3]>> = open.info.frames.iter().map(|f| f.position).collect();
    let Some(places) = places.filter(|p| p.len() > 2) else { return "gap".into() };
    let distance = |a: [f64; 3], b: [f64; 3]| (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt();
    let mut steps: Vec<f64> = places.windows(2).map(|pair| distance(pair[0], pair[1])).collect();
    let whole: f64 = steps.iter().sum();
    steps.sort_by(f64::total_cmp);
    let usual = steps[steps.len() / 2];
    if usual <= 0.0 {
        return "gap".into();
    }
    let expected = (whole / usual).round() as usize + 1;
    if expected > places.len() { format!("{} of {expected}", places.len()) } else { "gap".into() }
}

/// What the tooltip of a row says: its warnings, and why it could not be read.
fn told(open: &OpenStack, facts: &Facts) -> Vec<String> {
    let mut lines: Vec<String> = open.warnings().iter().map(|w| w.text.clone()).collect();
    if let LoadState::Failed(why) = &open.load {
        lines.push(why.clone());
    }
    if !lines.is_empty() {
        lines.insert(0, format!("{}: {}", open.title(), facts.text));
    }
    if open.calibration() == Calibration::None && !open.in_patient {
        lines.push(format!("{}: lengths are in pixels.", open.title()));
    }
    lines
}

/// At the bottom, always seen: jobs that look for images, the offer of earlier work, messages, what was left out.
fn messages(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let session = cx.session;
    let scan = session.jobs.iter().find(|job| job.kind == JobKind::Scan);
    let told = session.problems.iter().any(|p| p.place == ProblemPlace::Open);
    let skipped = &session.library.skipped;
    if scan.is_none() && session.recovery.is_none() && !told && skipped.is_empty() {
        return;
    }
    let most = ui.available_height() * 0.6;
    // As high as what was in it a frame ago: a panel does not know before it is drawn, and a button that is cut off is
    // no offer.
    let height_id = Id::unique("height of the messages");
    let height = ui.data(|data| data.get_temp::<f32>(height_id)).unwrap_or(160.0).min(most);
    Panel::bottom("messages of the study list")
        .frame(egui::Frame::new())
        .show_separator_line(false)
        .resizable(false)
        .exact_size(height)
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
            hair(ui, 0.0);
            let content = ScrollArea::vertical().max_height(height - 1.0).show(ui, |ui| {
                ui.add_space(8.0);
                beside(ui, 8.0, |ui| {
                    if let Some(job) = scan {
                        line_with_end(
                            ui,
                            size::CONTROL_COMPACT,
                            |ui| {
                                if ui.add(Button::new("Cancel").ghost().in_row()).clicked() {
                                    out.command(Command::CancelJob(job.id));
                                }
                            },
                            |ui| {
                                words(ui, &job.title, TABLE, Weight::Medium, cx.tokens.t1);
                            },
                        );
                        ui.add(Progress::new(&job.title, job.fraction.unwrap_or(0.0)).text(&job.detail));
                        ui.add_space(8.0);
                    }
                    if session.recovery.is_some() {
                        recovery_card(ui, cx, out);
                        ui.add_space(8.0);
                    }
                    if problems(ui, cx, out, ProblemPlace::Open) > 0 {
                        ui.add_space(8.0);
                    }
                    // One file is named by the message that tells of it.
                    if skipped.len() > 1 || (skipped.len() == 1 && !told) {
                        left_out(ui, cx);
                        ui.add_space(8.0);
                    }
                });
            });
            let wanted = (content.content_size.y + 1.0).ceil();
            if ui.data(|data| data.get_temp::<f32>(height_id)) != Some(wanted) {
                ui.data_mut(|data| data.insert_temp(height_id, wanted));
                ui.ctx().request_repaint();
            }
        });
}

/// The files that were left out, when asked for.
fn left_out(ui: &mut Ui, cx: &Cx<'_>) {
    let t = cx.tokens;
    let skipped = &cx.session.library.skipped;
    let id = Id::unique("left out");
    let mut open = ui.data(|data| data.get_temp::<bool>(id)).unwrap_or(false);
    let label = if open { "Hide" } else { "Show" };
    line_with_end(
        ui,
        size::CONTROL_COMPACT,
        |ui| {
            if ui.add(Button::new(label).ghost().in_row()).clicked() {
                open = !open;
            }
        },
        |ui| {
            words(ui, &format!("{} left out", count(skipped.len(), "file")), TABLE, Weight::Regular, t.t2);
        },
    );
    ui.data_mut(|data| data.insert_temp(id, open));
    if !open {
        return;
    }
    left_out_files(ui, cx);
}

/// The files that were left out, by reason.
pub(super) fn left_out_files(ui: &mut Ui, cx: &Cx<'_>) {
    /// A folder of ten thousand text files is told, not listed.
    const NAMED: usize = 20;
    let t = cx.tokens;
    for (reason, n) in cx.session.library.left_out() {
        paragraph(ui, &format!("{}: {reason}", count(n, "file")), NOTE, t.t2);
        for file in cx.session.library.skipped.iter().filter(|file| file.reason == reason).take(NAMED) {
            words(ui, file.path.rsplit(['/', '\\']).next().unwrap_or_default(), NOTE, Weight::Regular, t.t3)
                .on_hover_text(&file.path);
        }
        if n > NAMED {
            words(ui, &format!("and {} more", n - NAMED), NOTE, Weight::Regular, t.t3);
        }
        ui.add_space(4.0);
    }
}

fn strip(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    ui.spacing_mut().item_spacing = vec2(0.0, 8.0);
    let room = ui.max_rect();
    let bottom = 40.0;
    let list = room.with_max_y(room.bottom() - bottom);
    let mut column = inside(ui, list, Layout::top_down(Align::Center));
    ScrollArea::vertical()
        .auto_shrink(false)
        .scroll_bar_visibility(egui::scroll_area::ScrollBarVisibility::AlwaysHidden)
        .show(&mut column, |ui| {
            ui.spacing_mut().item_spacing = vec2(0.0, 4.0);
            ui.add_space(4.0);
            for study in &cx.session.library.studies {
                for open in study.stacks.iter().filter_map(|id| cx.session.library.stack(*id)) {
                    let facts = facts(open);
                    let mut name = format!("{}, {}", open.title(), facts.text);
                    if !facts.trouble.is_empty() {
                        name = format!("{name}, {}", facts.trouble);
                    }
                    let label = short(open);
                    let tile = ThumbTile::new(&label, &name)
                        .texture(thumbnail(cx, open.id))
                        .selected(cx.session.active_stack() == Some(open.id));
                    let response = ui.vertical_centered(|ui| ui.push_id(open.id, |ui| ui.add(tile)).inner).inner;
                    if !facts.trouble.is_empty() {
                        let corner = response.rect.min + vec2(40.0, 40.0);
                        crate::widgets::paint_icon(ui.painter(), icons::WARNING, corner, size::ICON[2], cx.tokens.warn);
                    }
                    use_row(response, out, open.id);
                }
            }
        });
    let mut foot = inside(
        ui,
        Rect::from_min_max(pos2(room.left(), room.bottom() - bottom), room.max),
        Layout::bottom_up(Align::Center),
    );
    foot.spacing_mut().item_spacing.y = 4.0;
    foot.add_space(6.0);
    // F3 goes on to the hidden list, so it is not the key of this button.
    if foot.add(IconButton::new(icons::CARET_RIGHT, "Expand")).clicked() {
        out.command(Command::SetStudyList(StudyListMode::Full));
    }
}

/// A word for the strip: the view of a projection, the first word of the description, or the modality.
fn short(open: &OpenStack) -> String {
    let series = &open.series;
    if !series.view.is_empty() && series.view.len() <= 4 {
        return series.view.clone();
    }
    let first = series.description.split([' ', ',', '_']).find(|word| !word.is_empty()).unwrap_or_default();
    if first.is_empty() || first.chars().count() > 6 { series.modality.clone() } else { first.to_owned() }
}

/// With 12 at both sides.
fn padded<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    beside(ui, 12.0, add)
}

/// With room at both sides.
fn beside<R>(ui: &mut Ui, side_pt: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    egui::Frame::new()
        .inner_margin(egui::Margin::symmetric(side_pt as i8, 0))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
            add(ui)
        })
        .inner
}
