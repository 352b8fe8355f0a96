//! A model's card in full: what it is, what it was made from, what it can do, where it fails.

use egui::Ui;
use lightbox_session::card::{BaselineMethod, Card, Interval};

use crate::cx::Cx;
use crate::fonts::Weight;
use crate::panels::parts::{NOTE, TABLE, line_with_end, paragraph, rich, words};
use crate::theme::size;
use crate::widgets::caption;

/// The card as paragraphs and tables.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, card: &Card) {
    let t = cx.tokens;
    if !card.summary.is_empty() {
        paragraph(ui, &card.summary, TABLE, t.t1);
        ui.add_space(8.0);
    }
    if let Some(atlas) = card.atlas.as_ref().filter(|a| !a.verdict.is_empty() && !card.summary.contains(&a.verdict)) {
        paragraph(ui, &atlas.verdict, TABLE, t.t1);
        ui.add_space(8.0);
    }
    if !card.limits.is_empty() {
        group(ui, "LIMITS");
        for limit in &card.limits {
            paragraph(ui, limit, TABLE, t.t1);
            ui.add_space(4.0);
        }
        ui.add_space(4.0);
    }
    if !card.metrics.is_empty() {
        group(ui, "MEASURED ON HELD-BACK PERSONS");
        let baseline = card.baseline.as_ref();
        for (name, figure) in &card.metrics {
            row(ui, cx, &metric(name), &interval(*figure));
            if let (Some(plain), Some(figure)) = (baseline, baseline.and_then(|b| b.metrics.get(name))) {
                row(ui, cx, &format!("  {}", method(plain.method)), &interval(*figure));
            }
        }
        ui.add_space(8.0);
    }
    if let Some(data) = &card.data {
        group(ui, "DATA");
        paragraph(ui, &data.description, TABLE, t.t1);
        ui.add_space(4.0);
        if let Some(n) = &data.counts {
            row(ui, cx, "Trained on", &persons(n.train_cases, n.train_persons));
            row(ui, cx, "Chosen on", &persons(n.validation_cases, n.validation_persons));
            row(ui, cx, "Held back", &persons(n.test_cases, n.test_persons));
        }
        row(ui, cx, "Licence of the data", &data.licence);
        rich(ui, &[("Credit: ", Weight::Regular, t.t3), (&data.credit, Weight::Regular, t.t2)], TABLE);
        ui.add_space(8.0);
    }
    group(ui, "WEIGHTS");
    row(ui, cx, "Licence", &card.licence);
    row(ui, cx, "sha256", card.sha256.get(..12).unwrap_or(&card.sha256));
    words(ui, "The hash is checked each time the weights are loaded.", NOTE, Weight::Regular, t.t3);
}

fn group(ui: &mut Ui, title: &str) {
    caption(ui, title);
    ui.add_space(2.0);
}

fn row(ui: &mut Ui, cx: &Cx<'_>, name: &str, value: &str) {
    line_with_end(
        ui,
        size::LINE[TABLE] + 2.0,
        |ui| {
            words(ui, value, TABLE, Weight::Regular, cx.tokens.t1);
        },
        |ui| {
            words(ui, name, TABLE, Weight::Regular, cx.tokens.t3);
        },
    );
}

/// A metric's name as people write it: `dice_lungs` is `Dice, lungs`.
fn metric(name: &str) -> String {
    match name {
        "frechet" => return "Fréchet distance".to_owned(),
        "frechet_training" => return "Fréchet distance of training images".to_owned(),
        "nearer_than_real" => return "Share nearer to a training image than 95 % of real ones".to_owned(),
        "nearest_rms" => return "Distance to the nearest training image".to_owned(),
        "nearest_rms_real" => return "The same of real images".to_owned(),
        _ => {}
    }
    let (first, rest) = name.split_once('_').unwrap_or((name, ""));
    let first = match first {
        "dice" => "Dice",
        "auc" => "AUC",
        "ap50" => "AP50",
        "ssim" => "SSIM",
        "hd95" => "HD95",
        other => other,
    };
    if rest.is_empty() { first.to_owned() } else { format!("{first}, {}", rest.replace('_', " ")) }
}

fn method(method: BaselineMethod) -> &'static str {
    match method {
        BaselineMethod::OtsuDark => "Plain threshold",
        BaselineMethod::MeanMask => "Mean mask",
        _ => "Plain method",
    }
}

fn interval(figure: Interval) -> String {
    format!("{:.3} ({:.3} to {:.3})", figure.value, figure.low, figure.high)
}

fn persons(images: usize, persons: usize) -> String {
    format!("{images} images, {persons} persons")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_named_for_people() {
        assert_eq!(metric("frechet"), "Fréchet distance");
        assert_eq!(
            (metric("dice"), metric("dice_left_lung"), metric("kappa")),
            ("Dice".into(), "Dice, left lung".into(), "kappa".into())
        );
    }
}
