//! The AI tab: which models fit the image, how far they are, what they found, what their cards say.

mod beside;
mod explain;
mod improve;
mod result;

use egui::{Align, Id, Rect, Sense, Ui, UiBuilder, pos2, vec2};
use lightbox_core::Segment;
use lightbox_core::label::MaskOrigin;
use lightbox_session::card::Task;
use lightbox_session::models::{Fit, ModelInfo};
use lightbox_session::problem::ProblemPlace;
use lightbox_session::results::ResultId;
use lightbox_session::{Command, Document, OpenStack};

use super::{between, body, model_card, part};
use crate::cx::{Cx, DialogRequest, Out};
use crate::fonts::Weight;
use crate::icons;
use crate::panels::amount::{Unit, amounts};
use crate::panels::parts::{BODY, NOTE, TABLE, colour, count, line_with_end, paragraph, problems, words};
use crate::theme::size;
use crate::widgets::{Button, Card, Chip, IconButton, Progress, Row, Tone, empty_state, focus_ring, key_cap, section};

/// Fills its room.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let Some(open) = cx.session.active_stack().and_then(|id| cx.session.library.stack(id)) else {
        ui.add_space(48.0);
        part(ui, |ui| {
            let button = Button::new("Open folder").key("Ctrl O");
            if empty_state(ui, icons::CPU, "Open an image to see which models fit it.", button).clicked() {
                out.dialog(DialogRequest::OpenFolder);
            }
        });
        return;
    };
    body(ui, |ui| {
        part(ui, |ui| models(ui, cx, out, open));
        part(ui, |ui| elsewhere(ui, cx, out, open));
        beside::show(ui, cx, out, open);
        if let Some(model) = chosen(cx, open) {
            between(ui);
            let top = ui.cursor().top();
            part(ui, |ui| about(ui, cx, out, open, model));
            bring_into_view(ui, cx, open, top);
        }
        if cx.session.problems.iter().any(|p| p.place == ProblemPlace::Ai) {
            part(ui, |ui| {
                problems(ui, cx, out, ProblemPlace::Ai);
            });
        }
    });
}

/// A new answer on this series is brought into view, where the list above had pushed it out: once, so that the reader's own
/// scrolling stays.
fn bring_into_view(ui: &Ui, cx: &Cx<'_>, open: &OpenStack, top: f32) {
    let newest = cx.session.results.iter().rev().find(|r| r.stack == open.id).map(|r| r.id);
    let id = Id::unique(("newest answer", open.id));
    let before = ui.data(|data| data.get_temp::<Option<ResultId>>(id));
    if before == Some(newest) {
        return;
    }
    ui.data_mut(|data| data.insert_temp(id, newest));
    // Not on the first look at a series, nor when an answer was taken away.
    if before.is_some() && newest > before.flatten() && ui.min_rect().bottom() > ui.clip_rect().bottom() {
        let line = Rect::from_min_size(pos2(ui.min_rect().left(), top), vec2(1.0, 1.0));
        ui.scroll_to_rect(line, Some(Align::TOP));
    }
}

fn fit(cx: &Cx<'_>, open: &OpenStack, model: &ModelInfo) -> Fit {
    model.fit(open, cx.session.library.study_of(open.id))
}

/// The model whose section is open: the one that was clicked, else the one that ran last, else the first that can run.
fn chosen<'a>(cx: &Cx<'a>, open: &OpenStack) -> Option<&'a ModelInfo> {
    let s = cx.session;
    let ran = s.results.iter().rev().find(|r| r.stack == open.id).map(|r| &r.model);
    let by_id = |id: &String| s.models.iter().find(|m| m.id == *id && !matches!(fit(cx, open, m), Fit::Unfit(_)));
    let clicked = s.workspace.chosen_model.as_ref().and_then(by_id);
    let first = || s.models.iter().find(|m| !matches!(fit(cx, open, m), Fit::Unfit(_)));
    clicked.or_else(|| ran.and_then(by_id)).or_else(first)
}

/// Proposals that wait on other series: the count on the tab is of all.
fn elsewhere(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack) {
    let others = cx.session.documents.iter().filter(|(id, d)| **id != open.id && d.waiting().next().is_some());
    for (id, document) in others {
        let Some(other) = cx.session.library.stack(*id) else { continue };
        let n = document.waiting().count();
        let waits = if n == 1 { "waits" } else { "wait" };
        line_with_end(
            ui,
            size::CONTROL_COMPACT,
            |ui| {
                if ui.add(Button::new("Show").in_row()).clicked() {
                    let workspace = &cx.session.workspace;
                    let views = workspace.views.iter().take(workspace.layout.slots());
                    out.command(match views.into_iter().position(|v| v.stack == Some(*id)) {
                        Some(slot) => Command::Activate(slot),
                        None => Command::Show { slot: None, stack: *id },
                    });
                }
            },
            |ui| {
                let text = format!("{} {waits} on {}", count(n, "proposal"), other.title());
                words(ui, &text, TABLE, Weight::Regular, cx.tokens.t2);
            },
        );
    }
}

fn models(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack) {
    let all: Vec<(&ModelInfo, Fit)> = cx.session.models.iter().map(|m| (m, fit(cx, open, m))).collect();
    let not = all.iter().filter(|(_, fit)| matches!(fit, Fit::Unfit(_))).count();
    let fits = all.len() - not;
    let counts = format!(
        "{fits} {}, {not} {}",
        if fits == 1 { "fits" } else { "fit" },
        if not == 1 { "does not" } else { "do not" }
    );
    section(ui, "Models for this image", |ui| {
        let line = "Looks again for shipped models and for those added with `lightbox models add`.";
        if ui.add(IconButton::new(icons::ARROWS_CLOCKWISE, "List models anew").in_row().line(line)).clicked() {
            out.command(Command::ListModels);
        }
        words(ui, &counts, NOTE, Weight::Regular, cx.tokens.t3);
    });
    if all.is_empty() {
        paragraph(
            ui,
            "No model is at hand. Weights lie in the folder weights, each with its card; `lightbox models add` adds others.",
            TABLE,
            cx.tokens.t3,
        );
        return;
    }
    let open_now = chosen(cx, open).map(|m| m.id.clone());
    for (model, fit) in all.iter().filter(|(_, fit)| !matches!(fit, Fit::Unfit(_))) {
        let outside = matches!(fit, Fit::Outside(_));
        ui.push_id(&model.id, |ui| model_row(ui, cx, out, open, model, outside, open_now.as_ref() == Some(&model.id)));
    }
    // Many that cannot run would push what was found out of sight.
    let listed = Id::unique("models that do not fit");
    let mut listing = not <= FEW || ui.data(|data| data.get_temp::<bool>(listed)).unwrap_or(false);
    if not > FEW {
        let text =
            if listing { "Hide those that do not fit".to_owned() } else { format!("Show {not} that do not fit") };
        if ui.add(Button::new(&text).in_row()).clicked() {
            listing = !listing;
            ui.data_mut(|data| data.insert_temp(listed, listing));
        }
    }
    for (model, fit) in all.iter().filter(|_| listing) {
        if let Fit::Unfit(reason) = fit {
            Row::new(&model.card.name).dense().disabled(reason).show(ui);
        }
    }
}

/// So many models that do not fit are listed without being asked.
const FEW: usize = 2;

/// A model that can run: name, figure, and at the right what can be done now.
fn model_row(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, model: &ModelInfo, outside: bool, on: bool) {
    let t = cx.tokens;
    let job = cx.session.infer_job(open.id, &model.id);
    let height = if job.is_some() { 64.0 } else { 44.0 };
    let (rect, row) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click());
    let ground = rect.expand2(vec2(8.0, 0.0));
    if row.hovered() || on {
        ui.painter().rect_filled(ground, size::RADIUS, if row.hovered() { t.bg3 } else { t.bg2 });
    }
    if row.has_focus() {
        focus_ring(ui, ground.shrink(3.0), size::RADIUS);
    }
    row.widget_info(|| {
        let name = format!("{}, {}", model.card.name, model.headline());
        egui::WidgetInfo::selected(egui::Role::ListItem, true, on, name.trim_end_matches(", "))
    });
    if row.clicked() {
        out.command(Command::ChooseModel(model.id.clone()));
    }

    let lines = Rect::from_min_max(rect.min + vec2(0.0, 4.0), rect.max - vec2(0.0, 4.0));
    let mut ui = ui.new_child(UiBuilder::new().max_rect(lines).layout(egui::Layout::top_down(Align::Min)));
    ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
    line_with_end(
        &mut ui,
        20.0,
        |ui| match job {
            Some(job) => {
                ui.spacing_mut().item_spacing.x = 4.0;
                let reason = if job.cancelling { "stopping" } else { "" };
                if !job.cancelling {
                    key_cap(ui, "Esc");
                }
                if ui.add(Button::new("Cancel").ghost().in_row().disabled(reason)).clicked() {
                    out.command(Command::CancelJob(job.id));
                }
            }
            None => actions(ui, cx, out, open, model),
        },
        |ui| {
            words(ui, &model.card.name, BODY, Weight::Medium, t.t1);
            if outside {
                outside_mark(ui, t);
            }
            if model.added {
                added_mark(ui, t);
            }
        },
    );
    let headline = model.headline();
    let told = if headline.is_empty() { task(model).to_owned() } else { headline };
    let second = format!("{} · {told}", model.id);
    words(&mut ui, &second, NOTE, Weight::Regular, t.t3);
    if let Some(job) = job {
        ui.add_space(4.0);
        let detail = if job.detail.is_empty() { "waiting" } else { &job.detail };
        ui.add(Progress::new(&job.title, job.fraction.unwrap_or(0.0)).text(detail));
    }
}

/// The triangle of a model that is outside its card; the section below says in words why.
fn outside_mark(ui: &mut Ui, t: &crate::theme::Tokens) {
    let (place, mark) = ui.allocate_exact_size(vec2(size::ICON[1], 20.0), Sense::hover());
    crate::widgets::paint_icon(ui.painter(), icons::WARNING, place.center(), size::ICON[1], t.warn);
    mark.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, "Outside its card"));
    mark.on_hover_text("Outside its card");
}

/// The person beside a model that did not come with the program.
fn added_mark(ui: &mut Ui, t: &crate::theme::Tokens) {
    let (place, mark) = ui.allocate_exact_size(vec2(size::ICON[1], 20.0), Sense::hover());
    crate::widgets::paint_icon(ui.painter(), icons::USER, place.center(), size::ICON[2], t.t3);
    mark.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, "Added by the user"));
    mark.on_hover_text("Added by the user; its figures are not ours.");
}

/// What a model gives, in a word or two.
fn task(model: &ModelInfo) -> &'static str {
    match model.card.task {
        Task::Segmentation => "masks",
        Task::Classification => "probabilities",
        Task::Detection => "boxes",
        Task::Reconstruction => "an image",
        _ => "a result",
    }
}

/// The segments that a model made, as they are now.
fn made_by<'a>(document: Option<&'a Document>, model: &str) -> Vec<&'a Segment> {
    let ours = |s: &&Segment| matches!(&s.origin, MaskOrigin::Model { model: m, .. } if m == model);
    document.map(|d| d.segments.iter().filter(ours).collect()).unwrap_or_default()
}

/// From right to left: the eye, the time that the last run took, or the buttons that run it.
fn actions(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, model: &ModelInfo) {
    let made = made_by(cx.session.document(open.id), &model.id);
    let shown = open.plane_stack(cx.session.workspace.active_view().plane);
    let frame = shown.stored_slice(cx.session.workspace.active_view().index);
    // Each frame keeps its result; that of the frame on the screen is what counts here.
    let results = || cx.session.results.iter().rev().filter(|r| r.stack == open.id && r.model == model.id);
    let here = results().find(|r| frame.is_some_and(|k| r.covers(k)));
    let result = here.or_else(|| results().next());
    ui.spacing_mut().item_spacing.x = 4.0;
    let mut rerun = None;
    if let Some(result) = result {
        if !made.is_empty() {
            let visible = made.iter().any(|s| s.visible);
            let (icon, name) = if visible { (icons::EYE, "Hide layer") } else { (icons::EYE_SLASH, "Show layer") };
            if ui.add(IconButton::new(icon, name).in_row()).clicked() {
                for segment in &made {
                    out.command(Command::SetSegmentVisible(segment.id, !visible));
                }
            }
        }
        let gone = made.is_empty() && !result.masks.is_empty() && result.boxes.is_empty();
        let nothing = [result.classes.len(), result.boxes.len(), result.images.len()] == [0; 3] && made.is_empty();
        if gone || nothing || here.is_none() {
            rerun = Some("Run again");
        } else {
            let seconds = result.seconds();
            let text = if seconds < 0.05 { "< 0.1 s".to_owned() } else { format!("{seconds:.1} s") };
            ui.add(Chip::new(&text).icon(icons::CHECK).tone(Tone::Ok));
        }
    } else {
        rerun = Some("Run");
    }
    let Some(label) = rerun else { return };
    let run = |series: bool| Command::RunModel { slot: None, model: model.id.clone(), series };
    if open.frames() > 1 && !model.takes_volumes() {
        let name = format!("Run {} on the series", model.card.name);
        let line = "On each of its images, one after the other; Esc stops it.";
        if ui.add(IconButton::new(icons::STACK, &name).in_row().line(line)).clicked() {
            out.command(run(true));
        }
    }
    let loading = open.frame(frame.unwrap_or(0)).is_none();
    // A model reads the frame itself when it is not loaded yet, so this is only said, not forbidden.
    let line = match (model.takes_volumes(), loading) {
        (true, _) => "Reads the series as a whole; Esc stops it.",
        (false, true) => "The image is read first.",
        (false, false) => "Runs in the background; Esc stops it.",
    };
    if ui.add(Button::new(label).icon(icons::PLAY).in_row().line(line)).clicked() {
        out.command(run(model.takes_volumes()));
    }
}

/// The open section: the card's objections, what the model found, the card.
fn about(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, model: &ModelInfo) {
    let id = Id::unique(("whole card", &model.id));
    let mut whole = ui.data(|data| data.get_temp::<bool>(id)).unwrap_or(false);
    section(ui, &model.card.name, |ui| {
        let button = IconButton::new(icons::INFO, "Whole card").in_row().line("Data, licence, figures, limits.");
        if ui.add(if whole { button.on(true) } else { button }).clicked() {
            whole = !whole;
        }
    });
    ui.data_mut(|data| data.insert_temp(id, whole));
    if let Fit::Outside(objections) = fit(cx, open, model) {
        let text = format!("{} Read the figures as a demonstration.", objections.join(" "));
        Card::new(Tone::Warn, "Outside its card.", &text).inline().show(ui);
        ui.add_space(8.0);
    }
    if whole {
        model_card::show(ui, cx, &model.card);
        ui.add_space(8.0);
    }
    let origin = if model.added { "Added by the user" } else { "Shipped with Lightbox" };
    words(ui, &format!("{origin} · {}", model.card.licence), NOTE, Weight::Regular, cx.tokens.t3);
    // Whether a plain method does as well is no secret of the whole card.
    if let Some(atlas) = model.card.atlas.as_ref().filter(|a| !a.verdict.is_empty() && !whole) {
        paragraph(ui, &atlas.verdict, NOTE, cx.tokens.t3);
    }
    ui.add_space(4.0);
    let frame = {
        let view = cx.session.workspace.active_view();
        open.plane_stack(view.plane).stored_slice(view.index)
    };
    let shown = result::show(ui, cx, out, open, model, frame);
    masks(ui, cx, out, open, model, shown);
    explain::show(ui, cx, out, open, model, frame);
    result::foot(ui, cx, out, open, model);
    improve::show(ui, cx, out, open, model, frame);
}

/// The masks of a model; `others` when something else of its result is shown already.
fn masks(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, model: &ModelInfo, others: bool) {
    let document = cx.session.document(open.id);
    let made = made_by(document, &model.id);
    let (Some(document), false) = (document, made.is_empty()) else {
        if others {
            return;
        }
        let ran = cx.session.results.iter().any(|r| r.stack == open.id && r.model == model.id);
        let running = cx.session.infer_job(open.id, &model.id).is_some();
        let text = match (running, ran) {
            (true, _) => "Its result comes as a layer of its own.",
            (false, true) => "Nothing of its result is left on this image.",
            (false, false) => "It has not run on this image.",
        };
        paragraph(ui, text, TABLE, cx.tokens.t3);
        return;
    };
    let unit = Unit::of(open);
    let amounts = amounts(ui, cx.session, open.id, document);
    for segment in &made {
        let amount = unit.text(amounts.get(&segment.id).copied().unwrap_or(0.0));
        let note = unit.note();
        let second = if note.is_empty() { amount } else { format!("{amount} · {note}") };
        let proposed = document.proposed.contains(&segment.id);
        let row = Row::new(&segment.name)
            .subtitle(&second)
            .swatch(colour(segment.colour))
            .selected(document.active == Some(segment.id));
        let row = ui
            .push_id(segment.id.0, |ui| {
                row.show_with(ui, |ui| {
                    if proposed {
                        let reject = IconButton::new(icons::X, "Reject")
                            .compact()
                            .raised()
                            .line("Takes the segment away; undo brings it back.");
                        if ui.add(reject).clicked() {
                            out.command(Command::DeleteSegment(segment.id));
                        }
                        let accept = IconButton::new(icons::CHECK, "Accept").compact().raised().ink(cx.tokens.ok);
                        if ui.add(accept).clicked() {
                            out.command(Command::AcceptSegment(segment.id));
                        }
                    } else if segment.edited {
                        ui.add(Chip::new("Edited by you").icon(icons::PENCIL_SIMPLE));
                    } else {
                        ui.add(Chip::new("Accepted").icon(icons::CHECK).tone(Tone::Ok));
                    }
                })
            })
            .inner;
        if row.clicked() {
            out.command(Command::SelectSegment(segment.id));
        }
    }
    let waiting: Vec<_> = made.iter().filter(|s| document.proposed.contains(&s.id)).map(|s| s.id).collect();
    if waiting.len() > 1 {
        ui.add_space(4.0);
        crate::panels::parts::line(ui, size::CONTROL_COMPACT, |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            if ui.add(Button::new("Accept all").compact()).clicked() {
                waiting.iter().for_each(|id| out.command(Command::AcceptSegment(*id)));
            }
            if ui.add(Button::new("Reject all").ghost().compact()).clicked() {
                waiting.iter().for_each(|id| out.command(Command::DeleteSegment(*id)));
            }
        });
    }
}
