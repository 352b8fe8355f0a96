//! What a model said of the image shown: probabilities, boxes, a restored image; and where a result comes from.

use egui::Ui;
use lightbox_session::boxes::{BoxMark, MarkState};
use lightbox_session::card::Card as ModelCard;
use lightbox_session::heat::VARIATION_COUNT;
use lightbox_session::models::ModelInfo;
use lightbox_session::results::{ClassScore, InferResult, Restored};
use lightbox_session::workspace::{Layer, LayerShow, Layout};
use lightbox_session::{Command, OpenStack};

use crate::cx::{Cx, Out, Request};
use crate::fonts::Weight;
use crate::icons;
use crate::overlay::boxes;
use crate::overlay::text::signed;
use crate::panels::parts::{NOTE, TABLE, line, line_with_end, paragraph, words};
use crate::theme::size;
use crate::widgets::{Button, Card, Chip, IconButton, Row, ScoreBar, Segmented, Slider, Tone, caption};

/// Everything but masks. Whether anything was shown.
pub(super) fn show(
    ui: &mut Ui,
    cx: &Cx<'_>,
    out: &mut Out,
    open: &OpenStack,
    model: &ModelInfo,
    frame: Option<usize>,
) -> bool {
    let Some(frame) = frame else { return false };
    let of_model = |r: &&InferResult| r.stack == open.id && r.model == model.id;
    let results = || cx.session.results.iter().rev().filter(of_model);
    let mut shown = false;
    if let Some((result, scores)) = results().find_map(|r| Some((r, r.classes_on(frame)?))) {
        classes(ui, cx, model, scores, |label| {
            result.spread_on(frame, label).map(|spread| [spread.mean, spread.deviation])
        });
        shown = true;
    }
    shown |= box_list(ui, cx, out, open, model, frame);
    if let Some((result, made)) = results().find_map(|r| Some((r, r.image_on(frame)?))) {
        image(ui, cx, out, result, made);
        shown = true;
    }
    shown
}

/// A bar a label, the most probable first where there are many, with the card's thresholds marked.
fn classes(
    ui: &mut Ui,
    cx: &Cx<'_>,
    model: &ModelInfo,
    scores: &[ClassScore],
    spread: impl Fn(&str) -> Option<[f32; 2]>,
) {
    /// More than these are behind the whole card.
    const MOST: usize = 18;
    let mut order: Vec<&ClassScore> = scores.iter().collect();
    if order.len() > 4 {
        order.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    }
    for (n, score) in order.iter().take(MOST).enumerate() {
        let bar = ScoreBar::new(&score.label, score.probability).threshold(score.threshold).name_width(120.0);
        let bar = bar.spread(spread(&score.label));
        ui.push_id(n, |ui| ui.add(bar));
    }
    if order.len() > MOST {
        words(ui, &format!("and {} more, all less probable", order.len() - MOST), NOTE, Weight::Regular, cx.tokens.t3);
    }
    let calibrated = calibration(&model.card);
    let moved = match scores.first().and_then(|score| spread(&score.label)) {
        Some(_) => format!(" Line and ±: SD over {VARIATION_COUNT} variations of the image."),
        None => String::new(),
    };
    paragraph(ui, &format!("{calibrated} Tick: threshold on the card.{moved}"), NOTE, cx.tokens.t3);
    ui.add_space(8.0);
}

/// How far the probabilities of a card can be taken at their word.
fn calibration(card: &ModelCard) -> String {
    match (card.atlas.as_ref().and_then(|a| a.calibration.as_ref()), card.notes.get("calibration")) {
        (Some(c), _) => {
            let [value, low, high] = [c.ece.value, c.ece.low, c.ece.high];
            format!("Calibrated on its own kind: T {:.2}, ECE {value:.3} ({low:.3} to {high:.3}).", c.temperature)
        }
        (None, Some(note)) => note.clone(),
        (None, None) => "Not calibrated: a score, not a chance.".to_owned(),
    }
}

fn box_list(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, model: &ModelInfo, frame: usize) -> bool {
    let Some(document) = cx.session.document(open.id) else { return false };
    let mut all: Vec<&BoxMark> = document.boxes.iter().filter(|b| b.model == model.id && b.frame == frame).collect();
    let ran = cx.session.results.iter().any(|r| {
        r.stack == open.id && r.model == model.id && r.boxes.iter().any(|(k, found)| *k == frame && found.is_empty())
    });
    if all.is_empty() {
        if ran {
            paragraph(ui, "It found no box on this image.", TABLE, cx.tokens.t3);
        }
        return ran;
    }
    all.sort_by(|a, b| b.score.total_cmp(&a.score));
    let from = boxes::score_from(cx.session, &model.id);
    let listed: Vec<&&BoxMark> = all.iter().filter(|b| b.score >= from || b.state == MarkState::Accepted).collect();
    line_with_end(
        ui,
        size::ROW[0],
        |ui| {
            words(ui, &format!("{} of {} shown", listed.len(), all.len()), NOTE, Weight::Regular, cx.tokens.t3);
        },
        |ui| caption(ui, "BOXES"),
    );
    let mut score = f64::from(from);
    let ticks: Vec<f64> = model.card.labels.iter().map(|l| f64::from(l.threshold)).collect();
    let text = format!("{score:.2}");
    let slider = Slider::new("Score from", &mut score, 0.0, 1.0).step(0.01).label("Score from", 64.0);
    if ui.add(slider.text(&text, 32.0).ticks(&ticks).counts_above()).changed() {
        out.command(Command::SetScoreFrom { model: model.id.clone(), score: score as f32 });
    }
    for mark in &listed {
        ui.push_id(mark.id, |ui| box_row(ui, cx, out, open, mark));
    }
    let waiting: Vec<u32> = listed.iter().filter(|b| b.state == MarkState::Proposed).map(|b| b.id).collect();
    if waiting.len() > 1 {
        ui.add_space(4.0);
        line(ui, size::CONTROL_COMPACT, |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let decide = |state| move |id: &u32| Command::DecideBox { stack: open.id, id: *id, state };
            if ui.add(Button::new("Accept shown").compact()).clicked() {
                waiting.iter().map(decide(MarkState::Accepted)).for_each(|c| out.command(c));
            }
            if ui.add(Button::new("Reject shown").ghost().compact()).clicked() {
                waiting.iter().map(decide(MarkState::Rejected)).for_each(|c| out.command(c));
            }
        });
    }
    ui.add_space(8.0);
    true
}

fn box_row(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, mark: &BoxMark) {
    let [width, height] = mark.size_px();
    let [row_mm, column_mm, _] = open.geometry().spacing_mm();
    let calibration = open.calibration();
    let size = if calibration == lightbox_core::measure::Calibration::None {
        format!("{width:.0} × {height:.0} px")
    } else {
        let (w, h) = (f64::from(width) * column_mm, f64::from(height) * row_mm);
        format!("{w:.0} × {h:.0} mm {}", calibration.note())
    };
    let (number, score) = (mark.id.to_string(), format!("{:.2}", mark.score));
    let chosen = cx.ui.chosen_box == Some((open.id, mark.id));
    let rejected = mark.state == MarkState::Rejected;
    let row =
        Row::new(&mark.label).note(&score).subtitle(size.trim_end()).number(&number).selected(chosen).muted(rejected);
    let decide = |state| Command::DecideBox { stack: open.id, id: mark.id, state };
    let row = row.show_with(ui, |ui| match mark.state {
        MarkState::Proposed => {
            if ui.add(IconButton::new(icons::X, "Reject box").compact().raised()).clicked() {
                out.command(decide(MarkState::Rejected));
            }
            if ui.add(IconButton::new(icons::CHECK, "Accept box").compact().raised().ink(cx.tokens.ok)).clicked() {
                out.command(decide(MarkState::Accepted));
            }
        }
        MarkState::Accepted => {
            ui.add(Chip::new("Accepted").icon(icons::CHECK).tone(Tone::Ok));
        }
        MarkState::Rejected => {
            if ui.add(Chip::new("Rejected").icon(icons::X).clickable().line("A click puts it back.")).clicked() {
                out.command(decide(MarkState::Proposed));
            }
        }
    });
    if row.clicked() {
        out.request(Request::ChooseBox((!chosen).then_some((open.id, mark.id))));
    }
}

/// A restored image: how it is shown, and what it took away.
fn image(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, result: &InferResult, made: &Restored) {
    let s = cx.session;
    let layer = s.workspace.active_view().layer.filter(|l| l.result == result.id);
    let comparing =
        s.workspace.layout == Layout::OneByThree && s.workspace.views.iter().take(3).any(|v| v.layer.is_some());
    caption(ui, "RESTORED IMAGE");
    ui.add_space(4.0);
    let names = ["Original", "Blend", "Difference", "Side by side"];
    let mut chosen = match (comparing, layer.map(|l| l.show)) {
        (true, _) => 3,
        (_, None) => 0,
        (_, Some(LayerShow::Blend(_))) => 1,
        (_, Some(LayerShow::Residual)) => 2,
    };
    if Segmented::new("How the restored image is shown", &names).fill().show(ui, &mut chosen).changed() {
        if comparing && chosen != 3 {
            out.command(Command::SetLayout(Layout::One));
        }
        let show = |show| Command::SetLayer { slot: None, layer: Some(Layer { result: result.id, show }) };
        out.command(match chosen {
            0 => Command::SetLayer { slot: None, layer: None },
            1 => show(LayerShow::Blend(1.0)),
            2 => show(LayerShow::Residual),
            _ => Command::CompareResult(result.id),
        });
    }
    if let Some(LayerShow::Blend(part)) = layer.map(|l| l.show) {
        ui.add_space(4.0);
        let mut blend = f64::from(part) * 100.0;
        let text = format!("{blend:.0} %");
        if ui
            .add(Slider::new("Blend", &mut blend, 0.0, 100.0).step(1.0).label("Blend", 40.0).text(&text, 40.0))
            .changed()
        {
            let layer = Some(Layer { result: result.id, show: LayerShow::Blend(blend as f32 / 100.0) });
            out.command(Command::SetLayer { slot: None, layer });
        }
    }
    ui.add_space(8.0);
    let note = "Lengths and values are measured on the original. Restored pixels are computed, not acquired.";
    Card::new(Tone::Plain, "", note).icon(icons::RULER).show(ui);
    ui.add_space(8.0);
    let unit = s.library.stack(result.stack).map_or("", |open| open.unit());
    figure(ui, cx, "Removed, SD of the difference", &signed(f64::from(made.residual_sd), 1), unit);
    figure(ui, cx, "Mean absolute difference", &signed(f64::from(made.residual_mean), 1), unit);
    figure(ui, cx, "Pixels of the network", &format!("{} × {}", made.network_px[0], made.network_px[1]), "");
    ui.add_space(8.0);
}

fn figure(ui: &mut Ui, cx: &Cx<'_>, name: &str, value: &str, unit: &str) {
    line_with_end(
        ui,
        size::ROW[0],
        |ui| {
            words(ui, format!("{value} {unit}").trim_end(), TABLE, Weight::Regular, cx.tokens.t1);
        },
        |ui| {
            words(ui, name, TABLE, Weight::Regular, cx.tokens.t2);
        },
    );
}

/// Where the newest result comes from: hash and time by stage; and the way to be rid of it.
pub(super) fn foot(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, model: &ModelInfo) {
    let of_model = |r: &&InferResult| r.stack == open.id && r.model == model.id;
    let Some(result) = cx.session.results.iter().rev().find(of_model) else { return };
    ui.add_space(8.0);
    let stages: Vec<String> = result.timings_ms.iter().map(|(stage, ms)| format!("{stage} {ms:.0} ms")).collect();
    let over = match result.frames {
        0 | 1 => String::new(),
        n => format!(" over {n} images"),
    };
    let sha = result.sha256.get(..12).unwrap_or(&result.sha256);
    line_with_end(
        ui,
        size::CONTROL_COMPACT,
        |ui| {
            let line = "Takes away what came of it and nobody accepted; undo brings marks back.";
            if ui.add(Button::new("Remove result").ghost().in_row().line(line)).clicked() {
                out.command(Command::RemoveResult(result.id));
            }
        },
        |ui| {
            words(ui, &format!("weights {sha}"), NOTE, Weight::Regular, cx.tokens.t3);
        },
    );
    if !stages.is_empty() {
        paragraph(ui, &format!("{}{over}", stages.join(", ")), NOTE, cx.tokens.t3);
    }
}
