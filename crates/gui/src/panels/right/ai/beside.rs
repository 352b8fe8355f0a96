//! With the demo: what runs on the images in the other viewports, each one click away.

use egui::Ui;
use lightbox_session::card::Task;
use lightbox_session::heat::ExplainBy;
use lightbox_session::models::{Fit, ModelInfo};
use lightbox_session::{Command, OpenStack};

use super::{between, part};
use crate::cx::{Cx, Out};
use crate::icons;
use crate::widgets::{Button, Chip, Row, Tone, caption, section};

/// One row a model that came with the program, by image.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, active: &OpenStack) {
    let s = cx.session;
    if !s.demo {
        return;
    }
    let mut rows: Vec<(usize, &OpenStack, Vec<&ModelInfo>)> = Vec::new();
    for slot in 0..s.workspace.layout.slots() {
        let stack = s.workspace.views[slot].stack.filter(|id| *id != active.id && rows.iter().all(|r| r.1.id != *id));
        let Some(open) = stack.and_then(|id| s.library.stack(id)) else { continue };
        let study = s.library.study_of(open.id);
        let runs = |m: &&ModelInfo| !m.added && !matches!(m.fit(open, study), Fit::Unfit(_));
        let fit: Vec<&ModelInfo> = s.models.iter().filter(runs).collect();
        if !fit.is_empty() {
            rows.push((slot, open, fit));
        }
    }
    if rows.is_empty() {
        return;
    }
    between(ui);
    part(ui, |ui| {
        section(ui, "In the other views", |_| {});
        for (slot, open, models) in rows {
            caption(ui, &open.title().to_uppercase());
            for model in models {
                ui.push_id(("beside", slot, &model.id), |ui| row(ui, cx, out, slot, open, model));
            }
            ui.add_space(8.0);
        }
    });
}

fn row(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, slot: usize, open: &OpenStack, model: &ModelInfo) {
    let s = cx.session;
    let ran = s.results.iter().any(|r| r.stack == open.id && r.model == model.id);
    let running = s.infer_job(open.id, &model.id).or(s.explain_job(open.id, &model.id)).is_some();
    let gives = match model.card.task {
        Task::Segmentation => "masks",
        Task::Classification => "classes, heat map",
        Task::Detection => "boxes",
        Task::Reconstruction => "restored image",
        _ => "",
    };
    let mut run = false;
    let response = Row::new(&model.card.name).subtitle(gives).show_with(ui, |ui| {
        if running {
            ui.add(Chip::new("Running"));
        } else if ran {
            ui.add(Chip::new("Done").icon(icons::CHECK).tone(Tone::Ok));
        } else {
            let line = "Runs it in its view and shows what it found.";
            run = ui.add(Button::new("Run").icon(icons::PLAY).in_row().line(line)).clicked();
        }
    });
    if run || response.clicked() {
        out.command(Command::Activate(slot));
        out.command(Command::ChooseModel(model.id.clone()));
    }
    if run {
        let name = model.id.clone();
        out.command(match model.card.task {
            // Probabilities alone would show nothing on the image.
            Task::Classification => {
                Command::Explain { slot: Some(slot), model: name, by: ExplainBy::GradCam, class: None }
            }
            _ => Command::RunModel { slot: Some(slot), model: name, series: model.takes_volumes() },
        });
    }
}
