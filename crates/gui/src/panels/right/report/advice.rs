//! What guidelines say of the confirmed findings: beside the text, never in it by themselves.

use egui::Ui;
use lightbox_session::guideline::engine::Applied;
use lightbox_session::{Command, ReportState};

use crate::cx::{Cx, Out};
use crate::fonts::Weight;
use crate::icons;
use crate::panels::parts::{NOTE, paragraph, rich};
use crate::widgets::{Button, Card, Tone, caption};

/// Below the sections.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState) {
    if report.checks.advice.is_empty() {
        return;
    }
    ui.add_space(12.0);
    caption(ui, "GUIDELINES");
    ui.add_space(4.0);
    for (n, advice) in report.checks.advice.iter().enumerate() {
        ui.push_id(n, |ui| one(ui, cx, out, report, advice));
        ui.add_space(8.0);
    }
}

fn one(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState, advice: &Applied) {
    let t = cx.tokens;
    let lead = format!("{}: {}.", advice.source.short, advice.result);
    let text = sentence(&advice.advice);
    let taken = report
        .document
        .sentences()
        .any(|x| x.sources.iter().any(|c| c.label.starts_with(advice.source.short)) && x.text.contains(&advice.result));
    Card::new(Tone::Plain, &lead, &text).icon(icons::BOOK_OPEN).show_with(ui, |ui| {
        let reason = if taken { "it stands in the report" } else { "" };
        let line = "As a sentence with its source; it can be changed.";
        let button = Button::new("Take into impression").raised().compact().line(line).disabled(reason);
        if ui.add(button).clicked() {
            let (source, finding) = (advice.source.short.to_owned(), advice.finding_id.clone());
            out.command(Command::TakeAdvice { source, finding });
        }
    });
    ui.add_space(2.0);
    let edition = format!("{} · doi {}", advice.source.version, advice.source.doi);
    rich(ui, &[(edition.as_str(), Weight::Regular, t.t3)], NOTE);
    paragraph(ui, advice.source.citation, NOTE, t.t3);
}

fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
