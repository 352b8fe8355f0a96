//! Letting a copy of a model learn from approved masks: what there is, the run with its curve, and the offer.

use egui::{Align, Id, Ui};
use lightbox_session::card::Interval;
use lightbox_session::improving::{Compared, LEAST_PERSONS, Learning, Learnt, Offered, UPDATES, approved};
use lightbox_session::models::ModelInfo;
use lightbox_session::{Command, JobKind, OpenStack};

use super::between;
use crate::cx::{Cx, Out};
use crate::fonts::Weight;
use crate::icons;
use crate::panels::parts::{NOTE, TABLE, count, line, line_with_end, paragraph, words};
use crate::theme::size;
use crate::widgets::{Button, Card, Chip, Plot, Progress, Tone, caption, section};

/// Below a model that can learn.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, model: &ModelInfo, frame: Option<usize>) {
    if !model.can_learn() {
        return;
    }
    ui.add_space(8.0);
    between(ui);
    section(ui, "Improve this model", |_| {});
    let improving = &cx.session.improving;
    if let Some(run) = improving.run.as_ref().filter(|r| r.model == model.id) {
        running(ui, cx, out, run);
        return;
    }
    if let Some(offer) = improving.offer.as_ref().filter(|o| o.model == model.id) {
        offered(ui, cx, out, offer);
        return;
    }
    there_is(ui, cx, out, open, model, frame);
}

/// What there is to learn from, and how more is added.
fn there_is(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, model: &ModelInfo, frame: Option<usize>) {
    let (t, improving) = (cx.tokens, &cx.session.improving);
    let have = improving.count(&model.id);
    let told = match have.pairs {
        0 => "No approved mask is kept for it.".to_owned(),
        n => format!("{} of {} kept for it on this machine.", count(n, "approved mask"), count(have.persons, "person")),
    };
    paragraph(ui, &told, TABLE, t.t2);
    ui.add_space(4.0);
    let ready = approved(cx.session.document(open.id), model, frame);
    let used = frame.is_some_and(|k| improving.used.contains(&(open.id, k, model.id.clone())));
    let busy = cx.session.jobs.iter().any(|j| j.kind == JobKind::Corrections);
    let lacking = improving.persons_lacking(&model.id);
    let lack = match (improving.run.is_some(), lacking) {
        (true, _) => "Another copy learns just now.".to_owned(),
        (false, 0) => String::new(),
        (false, n) => format!("Approved masks of {} are needed.", count(n, "more person")),
    };
    line(ui, size::CONTROL, |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let reason = match &ready {
            Err(why) => why,
            Ok(_) if busy => "It is being written.",
            Ok(_) => "",
        };
        let word = if used { "Use again" } else { "Use for improving" };
        let line = "Keeps the pixels and the approved mask of this image on this machine.";
        if ui.add(Button::new(word).icon(icons::PLUS).line(line).disabled(reason)).clicked() {
            out.command(Command::UseForImproving { slot: None, model: model.id.clone() });
        }
        let line = "A copy learns in the background; the model stays as it is.";
        if ui.add(Button::new("Improve").line(line).disabled(&lack)).clicked() {
            out.command(Command::Improve(model.id.clone()));
        }
    });
    ui.add_space(4.0);
    // The reason stands where the action would be.
    if let Err(why) = ready {
        paragraph(ui, why, NOTE, t.t3);
    }
    if lacking > 0 {
        let what = format!("{lack} At least {LEAST_PERSONS}: it learns from some and is measured on others.");
        paragraph(ui, &what, NOTE, t.t3);
    }
    let kept =
        "Kept are pixels, mask and a salted hash of who it is; no name, number or UID. Nothing leaves this machine.";
    paragraph(ui, kept, NOTE, t.t3);
    if have.pairs > 0 {
        forget(ui, out, model, have.pairs);
    }
}

/// Deletes what is kept; asks once more.
fn forget(ui: &mut Ui, out: &mut Out, model: &ModelInfo, pairs: usize) {
    let id = Id::unique(("forget corrections", &model.id));
    let mut asks = ui.data(|data| data.get_temp::<bool>(id)).unwrap_or(false);
    line(ui, size::CONTROL_COMPACT, |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let these = count(pairs, "kept mask");
        if asks {
            asks = !ui.add(Button::new("Keep").compact()).clicked();
            if ui.add(Button::new("Delete").ghost().compact().line("For good.")).clicked() {
                out.command(Command::ForgetCorrections(model.id.clone()));
                asks = false;
            }
        } else if ui.add(Button::new(&format!("Delete {these}")).ghost().compact().icon(icons::TRASH)).clicked() {
            asks = true;
        }
    });
    ui.data_mut(|data| data.insert_temp(id, asks));
}

fn curve(ui: &mut Ui, updates: usize, points: &[Learnt]) {
    let loss: Vec<(usize, f64)> = points.iter().filter_map(|p| Some((p.step, p.loss?))).collect();
    let dice: Vec<(usize, f64)> = points.iter().filter_map(|p| Some((p.step, p.validation?))).collect();
    ui.add(Plot::new("Learning", updates, &loss).figure("Dice, validation", &dice));
}

/// Whether the offer on the screen has been brought into view.
fn seen_id() -> Id {
    Id::unique("offer seen")
}

fn running(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, run: &Learning) {
    let t = cx.tokens;
    ui.data_mut(|data| data.remove::<bool>(seen_id()));
    curve(ui, run.updates, &run.points);
    ui.add_space(4.0);
    let job = cx.session.job(run.job);
    let (part, detail) = job.map_or((0.0, ""), |j| (j.fraction.unwrap_or(0.0), j.detail.as_str()));
    let stopping = job.is_some_and(|j| j.cancelling);
    ui.add(Progress::new("Improving", part).text(if detail.is_empty() { "waiting" } else { detail }));
    ui.add_space(4.0);
    line(ui, size::CONTROL, |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let begun = run.points.iter().any(|p| p.loss.is_some());
        let reason = match (begun, run.ending || stopping) {
            (_, true) => "It ends already.",
            (false, false) => "Nothing was learnt yet.",
            (true, false) => "",
        };
        let line = "Ends here; the best state so far is measured and offered.";
        if ui.add(Button::new("Keep best").line(line).disabled(reason)).clicked() {
            out.command(Command::FinishImproving);
        }
        let reason = if stopping { "stopping" } else { "" };
        let stop = Button::new("Stop").icon(icons::STOP).ghost().line("Nothing of it is kept.").disabled(reason);
        if ui.add(stop).clicked() {
            out.command(Command::CancelJob(run.job));
        }
    });
    ui.add_space(4.0);
    let chooses = run.points.iter().any(|p| p.validation.is_some());
    let text = if chooses {
        "Squares: Dice on persons that choose the best state. It is measured on others at the end."
    } else {
        "Too few persons for some to choose the best state: the last one counts. It is measured on others at the end."
    };
    paragraph(ui, text, NOTE, t.t3);
    paragraph(ui, "It runs behind everything else. Stop leaves nothing; the model stays as it is.", NOTE, t.t3);
}

fn offered(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, offer: &Offered) {
    let t = cx.tokens;
    let (masks, updates) = offer.effort();
    line_with_end(
        ui,
        size::ROW[1],
        |ui| {
            if offer.passes() {
                ui.add(Chip::new("Passes").icon(icons::CHECK).tone(Tone::Ok));
            } else {
                ui.add(Chip::new("Does not pass").icon(icons::WARNING).tone(Tone::Warn));
            }
        },
        |ui| {
            let text = format!("From {}, {updates} of {UPDATES} updates", count(masks, "mask"));
            words(ui, &text, TABLE, Weight::Regular, t.t2);
        },
    );
    curve(ui, UPDATES, &offer.points);
    ui.add_space(8.0);
    let held = offer.held_back();
    let of = count(held.persons, "person");
    table(ui, cx, &format!("DICE ON MASKS OF {} HELD BACK", of.to_uppercase()), &held);
    if let Some(own) = offer.own() {
        let of = count(own.persons, "person").to_uppercase();
        table(ui, cx, &format!("DICE ON ITS OWN KIND, {of}"), &own);
    }
    for note in &offer.notes {
        Card::new(Tone::Warn, "", note).show(ui);
        ui.add_space(4.0);
    }
    if !offer.passes() {
        let why = if held.after.value <= held.before.value {
            "On masks that it did not learn from the copy is no better than the model as it is."
        } else {
            "It forgot too much of what the model knew: more than 0.02 of Dice on its own kind."
        };
        Card::new(Tone::Warn, "It is not offered.", why).show(ui);
        ui.add_space(4.0);
    }
    ui.add_space(4.0);
    line(ui, size::CONTROL, |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let reason = match (offer.passes(), offer.keeping) {
            (false, _) => "It does not pass.",
            (true, true) => "It is being written.",
            (true, false) => "",
        };
        let keep = Button::new("Keep beside the old one").primary().line("A model of its own; nothing is replaced.");
        if ui.add(keep.disabled(reason)).clicked() {
            out.command(Command::KeepImproved);
        }
        if ui.add(Button::new("Discard").ghost()).clicked() {
            out.command(Command::DiscardImproved);
        }
    });
    // It is longer than the curve in whose place it comes: once, its end is brought into view.
    if !ui.data(|data| data.get_temp::<bool>(seen_id())).unwrap_or(false) {
        ui.scroll_to_cursor(Some(Align::BOTTOM));
        ui.data_mut(|data| data.insert_temp(seen_id(), true));
    }
}

/// Old and new on the same cases.
fn table(ui: &mut Ui, cx: &Cx<'_>, title: &str, both: &Compared) {
    caption(ui, title);
    for (name, figure, weight) in [("As it is", both.before, Weight::Regular), ("The copy", both.after, Weight::Medium)]
    {
        line_with_end(
            ui,
            size::ROW[0],
            |ui| {
                words(ui, &interval(figure, both.persons), TABLE, weight, cx.tokens.t1);
            },
            |ui| {
                words(ui, name, TABLE, weight, cx.tokens.t2);
            },
        );
    }
    ui.add_space(8.0);
}

/// Of one person there is no interval.
fn interval(figure: Interval, persons: usize) -> String {
    if persons < 2 {
        return format!("{:.3} (one person: no interval)", figure.value);
    }
    format!("{:.3} ({:.3} to {:.3})", figure.value, figure.low, figure.high)
}
