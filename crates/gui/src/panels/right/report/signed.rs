//! A signed report: what holds, as it was signed. Nothing here changes it.

use egui::Ui;
use lightbox_session::ReportState;

use crate::cx::Cx;
use crate::fonts::Weight;
use crate::icons;
use crate::panels::parts::{BODY, NOTE, paragraph, words};
use crate::widgets::{Card, Tone, caption};

/// In the room of the sections.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, report: &ReportState) {
    let t = cx.tokens;
    let Some(version) = report.signed.current() else { return };
    let lead = format!("Version {}, signed.", version.number);
    let when = version.signed_at.replace('T', " ").replace('Z', " UTC");
    let mut body = format!("By {}, {when}.", version.reader);
    if let Some(reason) = &version.reason {
        body.push_str(&format!(" Corrected: {reason}."));
    }
    Card::new(Tone::Ok, &lead, &body).icon(icons::LOCK_SIMPLE).show(ui);
    ui.add_space(8.0);
    text(ui, cx, &version.text);
    if !version.overrides.is_empty() {
        ui.add_space(12.0);
        caption(ui, "KEPT ON PURPOSE");
        for kept in &version.overrides {
            ui.add_space(2.0);
            paragraph(ui, &kept.issue.message, NOTE, t.t2);
            paragraph(ui, &format!("Reason: {}", kept.reason), NOTE, t.t3);
        }
    }
}

/// Headings and sentences of a signed text.
pub(crate) fn text(ui: &mut Ui, cx: &Cx<'_>, text: &str) {
    let mut first = true;
    for line in text.lines() {
        let heading = line.strip_suffix(':').filter(|h| !h.is_empty() && !h.chars().any(char::is_lowercase));
        match heading {
            Some(heading) => {
                ui.add_space(if first { 0.0 } else { 12.0 });
                caption(ui, heading);
                ui.add_space(2.0);
            }
            None if line.trim().is_empty() => {}
            None => {
                paragraph(ui, line, BODY, cx.tokens.t1);
                ui.add_space(4.0);
            }
        }
        first = false;
    }
    if first {
        words(ui, "It holds no sentence.", NOTE, Weight::Regular, cx.tokens.t3);
    }
}
