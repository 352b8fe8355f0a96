//! What an answer rests on and how far it moves: the ways to look, and the maps that came of it.

use egui::{Id, Rect, Sense, Ui, vec2};
use lightbox_session::heat::{CLEAR_BELOW, ExplainBy, Heat, MOST_OPACITY, VARIATION_COUNT};
use lightbox_session::models::ModelInfo;
use lightbox_session::results::ClassScore;
use lightbox_session::{Command, OpenStack};

use crate::cx::{Cx, Out};
use crate::fonts::Weight;
use crate::icons;
use crate::overlay::heat;
use crate::panels::parts::{NOTE, TABLE, line, line_with_end, menu_item, paragraph, words};
use crate::theme::size;
use crate::widgets::{Button, Card, DropDown, IconButton, Progress, Row, Slider, Tone, caption};

/// Below a model's result; nothing where it has none on this frame, or cannot be looked at.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, model: &ModelInfo, frame: Option<usize>) {
    let Some(frame) = frame.filter(|_| !model.explains().is_empty()) else { return };
    let of_model = |r: &&lightbox_session::event::InferResult| r.stack == open.id && r.model == model.id;
    let Some(result) = cx.session.results.iter().rev().filter(of_model).find(|r| r.covers(frame)) else { return };
    let classes = result.classes_on(frame);
    if classes.is_none() {
        ui.add_space(8.0);
    }
    caption(ui, if classes.is_some() { "WHAT THE ANSWER RESTS ON" } else { "HOW SURE THE OUTLINE IS" });
    ui.add_space(4.0);
    match (cx.session.explain_job(open.id, &model.id), classes) {
        (Some(job), _) => {
            let cancel = |ui: &mut Ui| {
                let reason = if job.cancelling { "stopping" } else { "" };
                if ui.add(Button::new("Cancel").ghost().in_row().disabled(reason)).clicked() {
                    out.command(Command::CancelJob(job.id));
                }
            };
            line_with_end(ui, size::CONTROL_COMPACT, cancel, |ui| {
                words(ui, &job.title, TABLE, Weight::Regular, cx.tokens.t2);
            });
            let detail = if job.detail.is_empty() { "waiting" } else { &job.detail };
            ui.add(Progress::new(&job.title, job.fraction.unwrap_or(0.0)).text(detail));
        }
        (None, Some(classes)) => of_classes(ui, out, model, classes),
        (None, None) => {
            let line = format!("Runs it on {VARIATION_COUNT} variations of the image, moved and shaded a little.");
            let button = Button::new("Show where it is unsure").compact().line(&line);
            if ui.add(button).clicked() {
                out.command(explain(model, ExplainBy::Variation, None));
            }
        }
    }
    ui.add_space(8.0);
    maps(ui, cx, out, open, model, frame);
}

fn explain(model: &ModelInfo, by: ExplainBy, class: Option<usize>) -> Command {
    Command::Explain { slot: None, model: model.id.clone(), by, class }
}

/// A class, and a button for each way to look at it.
fn of_classes(ui: &mut Ui, out: &mut Out, model: &ModelInfo, classes: &[ClassScore]) {
    let id = Id::unique(("class explained", &model.id));
    let mut class = ui.data(|data| data.get_temp::<usize>(id));
    let most = classes.iter().max_by(|a, b| a.probability.total_cmp(&b.probability));
    let most = most.map_or("", |c| c.label.as_str());
    let name = class.and_then(|n| model.card.labels.get(n)).map_or(most, |l| l.name.as_str());
    let width = ui.available_width();
    DropDown::new("Class that is explained", name).label("For").width(width).show(ui, |ui| {
        ui.set_min_width(width - 16.0);
        for (n, label) in model.card.labels.iter().enumerate() {
            let note = if label.name == most { "most probable" } else { "" };
            if menu_item(ui, Row::new(&label.name).end(note).selected(label.name == name)) {
                class = Some(n);
            }
        }
    });
    if let Some(n) = class {
        ui.data_mut(|data| data.insert_temp(id, n));
    }
    ui.add_space(4.0);
    line(ui, size::CONTROL_COMPACT, |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for by in model.explains() {
            let (word, told) = match by {
                ExplainBy::GradCam => {
                    ("Grad-CAM", "The network's last map, weighed by its gradients. Quick and coarse.")
                }
                ExplainBy::Occlusion => ("Occlusion", "Covers one patch after the other. Slower, and of all pixels."),
                ExplainBy::IntegratedGradients => (
                    "Gradients",
                    "Integrated gradients from a grey image: shares of the class's number, pixel by pixel.",
                ),
                ExplainBy::Variation => ("± SD", "How far each bar moves when the image is moved and shaded a little."),
            };
            let class = if *by == ExplainBy::Variation { None } else { class };
            if ui.add(Button::new(word).compact().line(told)).clicked() {
                out.command(explain(model, *by, class));
            }
        }
    });
}

/// The maps of this frame; the one that is drawn with its opacity, its scale and what it is not.
fn maps(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, model: &ModelInfo, frame: usize) {
    let here = |h: &&Heat| h.stack == open.id && h.model == model.id && h.frame == frame;
    for heat in cx.session.heats.iter().filter(here) {
        ui.push_id(("heat", heat.id.0), |ui| map(ui, cx, out, heat));
    }
}

fn map(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, heat: &Heat) {
    let t = cx.tokens;
    let name = format!("{} · {}", heat.by.name(), heat.label);
    line_with_end(
        ui,
        size::ROW[1],
        |ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            if ui.add(IconButton::new(icons::X, "Remove map").in_row()).clicked() {
                out.command(Command::RemoveHeat(heat.id));
            }
            let (icon, word) = if heat.visible { (icons::EYE, "Hide map") } else { (icons::EYE_SLASH, "Show map") };
            if ui.add(IconButton::new(icon, word).in_row()).clicked() {
                out.command(Command::ShowHeat(heat.id, !heat.visible));
            }
        },
        |ui| {
            words(ui, &name, TABLE, Weight::Medium, if heat.visible { t.t1 } else { t.t3 });
        },
    );
    if !heat.visible {
        return;
    }
    if heat.top > 0.0 {
        let mut opacity = f64::from(heat.opacity) * 100.0;
        let text = format!("{opacity:.0} %");
        let slider = Slider::new("Opacity of the map", &mut opacity, 0.0, f64::from(MOST_OPACITY) * 100.0).step(1.0);
        let slider =
            slider.label("Opacity", 48.0).text(&text, 32.0).line("No more than 40 %: the image stays readable.");
        if ui.add(slider).changed() {
            out.command(Command::SetHeatOpacity(heat.id, opacity as f32 / 100.0));
        }
        scale(ui, cx, heat);
    } else {
        paragraph(ui, "No place speaks for this class.", TABLE, t.t2);
    }
    ui.add_space(4.0);
    let mut said =
        vec![if heat.seconds < 0.05 { "Took < 0.1 s".to_owned() } else { format!("Took {:.1} s", heat.seconds) }];
    if let Some(part) = heat.area_deviation {
        said.push(format!("the area moves by ± {:.1} % (SD)", part * 100.0));
    }
    if let Some(part) = heat.completeness_residual {
        said.push(format!("the shares miss their sum by {:.1} %", part * 100.0));
    }
    if heat.saturates {
        said.push("single pixels lie above the scale".to_owned());
    }
    paragraph(ui, &format!("{}.", said.join(" · ")), NOTE, t.t3);
    ui.add_space(4.0);
    let text = if heat.by == ExplainBy::Variation {
        "It shows where the outline moves with the image. Where it does not, it can still be wrong."
    } else {
        "It shows what moved the number, not where disease is. It says nothing about whether the answer is right."
    };
    Card::new(Tone::Warn, "No finding.", text).inline().show(ui);
    ui.add_space(8.0);
}

/// The colours with the values at their ends, and what they are.
fn scale(ui: &mut Ui, cx: &Cx<'_>, map: &Heat) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 8.0), Sense::hover());
    heat::bar(ui.painter(), cx.tokens, Rect::from_min_size(rect.min, vec2(rect.width(), 8.0)));
    let more = if map.saturates { "≥ " } else { "" };
    line_with_end(
        ui,
        size::LINE[NOTE],
        |ui| {
            words(ui, &format!("{more}{}", heat::number(map.top)), NOTE, Weight::Medium, cx.tokens.t2);
        },
        |ui| {
            words(ui, &heat::number(CLEAR_BELOW * map.top), NOTE, Weight::Medium, cx.tokens.t2);
            words(ui, map.by.scale(), NOTE, Weight::Regular, cx.tokens.t3);
        },
    );
}
