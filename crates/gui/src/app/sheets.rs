//! Sheets about a report: what differs from the draft, what is kept on purpose, who signs; and the signed versions.

use std::collections::BTreeMap;

use egui::{Id, Key, ScrollArea, TextEdit, Ui, vec2};
use lightbox_session::check::Rule;
use lightbox_session::checks::Objection;
use lightbox_session::sign::{self, Difference, Fate};
use lightbox_session::workspace::Sheet;
use lightbox_session::{Command, ReportState, Session};

use crate::dialogs::sheet_area;
use crate::fonts::Weight;
use crate::icons::{self, Icon};
use crate::panels::parts::{NOTE, TABLE, line, paragraph, rich, words};
use crate::theme::{self, Tokens, size};
use crate::widgets::{Button, Chip, Tone, caption, hair};

/// What is typed into the sheet and not carried out yet.
#[derive(Clone, Default)]
struct Typed {
    /// The sheet has been drawn once.
    shown: bool,
    reader: Option<String>,
    correction: String,
    reasons: BTreeMap<(Rule, String), String>,
}

fn typed_id() -> Id {
    Id::unique("typed into the signing sheet")
}

/// Draws the sheet that the session asks for.
pub(super) fn show(ui: &mut Ui, s: &Session) -> Vec<Command> {
    let Some(sheet) = s.workspace.sheet else { return Vec::new() };
    let report = s.report();
    let mut out = Vec::new();
    match sheet {
        Sheet::Sign => sign_sheet(ui, s, report, &mut out),
        Sheet::Differences => sheet_area(ui, "differences", "Differences to the draft", |ui| {
            differences(ui, report);
            ui.add_space(12.0);
            if ui.add(Button::new("Close").key("Esc")).clicked() {
                out.push(Command::ShowSheet(None));
            }
        }),
        Sheet::Versions => versions(ui, report, &mut out),
    }
    // The first Escape leaves the field.
    let id = Id::unique("a field of the sheet has the keys");
    let had = ui.data(|data| data.get_temp::<bool>(id)).unwrap_or(false);
    let has = ui.memory(|m| m.focused().is_some());
    ui.data_mut(|data| data.insert_temp(id, has));
    if ui.input(|i| i.key_pressed(Key::Escape)) && !had && !has {
        ui.data_mut(|data| data.get_temp_mut_or_default::<Typed>(typed_id()).shown = false);
        out.push(Command::ShowSheet(None));
    }
    out
}

fn sign_sheet(ui: &mut Ui, s: &Session, report: &ReportState, out: &mut Vec<Command>) {
    let mut typed = ui.data(|data| data.get_temp::<Typed>(typed_id())).unwrap_or_default();
    let mut reader = typed.reader.clone().unwrap_or_else(|| s.workspace.reader.clone());
    sheet_area(ui, "sign", "Sign the report", |ui| {
        let t = theme::tokens(ui);
        let most = (ui.ctx().content_rect().height() - 320.0).max(160.0);
        ScrollArea::vertical().max_height(most).show(ui, |ui| {
            ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
            differences(ui, report);
            overrides(ui, report, &mut typed, out);
        });
        ui.add_space(8.0);
        hair(ui, 0.0);
        ui.add_space(8.0);
        if report.amending {
            field(
                ui,
                t,
                "Corrected",
                "What was corrected",
                "What was corrected, in a few words",
                &mut typed.correction,
            );
            ui.add_space(4.0);
        }
        let name = field(ui, t, "Reader", "Reader's name", "Your name, as it stands under the report", &mut reader);
        if name.changed() {
            typed.reader = Some(reader.clone());
        }
        if !std::mem::replace(&mut typed.shown, true) {
            name.request_focus();
        }
        let entered = name.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        ui.add_space(12.0);
        let reason = objection(report, &reader, &typed);
        ui.horizontal(|ui| {
            let sign = Button::new("Sign").icon(icons::LOCK_SIMPLE).primary().disabled(&reason);
            if ui.add(sign).clicked() || entered && reason.is_empty() {
                // In this order: each is carried out before the next.
                out.push(Command::SetReader(reader.clone()));
                let correction = Some(typed.correction.trim().to_owned()).filter(|c| !c.is_empty());
                out.push(Command::SignReport { reason: correction });
                typed = Typed::default();
            }
            if ui.add(Button::new("Cancel").key("Esc")).clicked() {
                typed.shown = false;
                out.push(Command::ShowSheet(None));
            }
            if !reason.is_empty() {
                words(ui, &reason, NOTE, Weight::Regular, t.t3);
            }
        });
    });
    ui.data_mut(|data| data.insert_temp(typed_id(), typed));
}

/// Why it cannot be signed yet.
fn objection(report: &ReportState, reader: &str, typed: &Typed) -> String {
    let open = report.open_objections().filter(|o| o.blocks()).count();
    if !report.document.sentences().any(|x| x.is_confirmed()) {
        "No sentence is confirmed.".to_owned()
    } else if !report.checks.are_current() {
        "The checks read the last words.".to_owned()
    } else if open > 0 {
        format!("{open} {} a reason.", if open == 1 { "conflict needs" } else { "conflicts need" })
    } else if reader.trim().is_empty() {
        "A signature needs a name.".to_owned()
    } else if report.amending && typed.correction.trim().is_empty() {
        "Say what was corrected.".to_owned()
    } else {
        String::new()
    }
}

/// A name and a field in a line.
fn field(ui: &mut Ui, t: &Tokens, label: &str, name: &str, hint: &str, text: &mut String) -> egui::Response {
    line(ui, size::CONTROL, |ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(72.0, size::LINE[TABLE]), egui::Sense::hover());
        let galley =
            crate::widgets::line_text(ui, label, crate::fonts::font(size::TEXT[TABLE], Weight::Regular), t.t3, 72.0);
        crate::widgets::paint_text(ui.painter(), galley, rect, egui::Align2::LEFT_CENTER);
        let hint = egui::RichText::new(hint).color(t.t3);
        let ground = egui::Frame::new().fill(t.bg3).corner_radius(size::RADIUS).inner_margin(vec2(8.0, 4.0));
        let field =
            ui.add(TextEdit::singleline(text).frame(ground).hint_text(hint).desired_width(ui.available_width()));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(name));
        field
    })
}

/// Errors that stand: each with a line for its reason.
fn overrides(ui: &mut Ui, report: &ReportState, typed: &mut Typed, out: &mut Vec<Command>) {
    let t = theme::tokens(ui);
    let errors: Vec<&Objection> = report.checks.objections.iter().filter(|o| o.blocks()).collect();
    if errors.is_empty() {
        return;
    }
    ui.add_space(12.0);
    caption(ui, "CONFLICTS");
    for objection in errors {
        ui.add_space(4.0);
        let lead = format!("{}. ", objection.issue.rule.about());
        let parts =
            [(lead.as_str(), Weight::SemiBold, t.err), (objection.issue.message.as_str(), Weight::Regular, t.t1)];
        rich(ui, &parts, TABLE);
        let key = objection.key();
        let kept = report.reason(objection).unwrap_or_default().to_owned();
        let text = typed.reasons.entry(key.clone()).or_insert_with(|| kept.clone());
        ui.push_id((format!("{:?}", key.0), &key.1), |ui| {
            field(ui, t, "Keep, since", "Reason to keep it", "A reason; it goes into the audit log", text);
        });
        if *text != kept && (ui.memory(|m| m.focused().is_none()) || ui.input(|i| i.key_pressed(Key::Enter))) {
            out.push(Command::Keep { rule: format!("{:?}", key.0), message: key.1, reason: text.clone() });
        }
    }
}

/// What became of each sentence of the draft.
fn differences(ui: &mut Ui, report: &ReportState) {
    let all = sign::differences(&report.document);
    let t = theme::tokens(ui);
    let count = |fate: Fate| all.iter().filter(|d| d.fate == fate).count();
    let told: Vec<String> = FATES
        .iter()
        .filter(|(fate, ..)| count(*fate) > 0)
        .map(|(fate, name, _)| format!("{} {}", count(*fate), name.to_lowercase()))
        .collect();
    paragraph(ui, &told.join(", "), TABLE, t.t2);
    for (n, difference) in all.iter().enumerate() {
        ui.add_space(4.0);
        ui.push_id(n, |ui| one(ui, t, difference));
    }
}

const FATES: [(Fate, &str, Icon); 5] = [
    (Fate::Accepted, "Accepted", icons::CHECK),
    (Fate::Edited, "Edited", icons::PENCIL_SIMPLE),
    (Fate::Written, "Written", icons::USER),
    (Fate::Rejected, "Refused", icons::X),
    (Fate::Undecided, "Undecided, left out", icons::QUESTION),
];

fn one(ui: &mut Ui, t: &Tokens, difference: &Difference) {
    let Some((_, name, icon)) = FATES.iter().find(|(fate, ..)| *fate == difference.fate) else { return };
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let width = ui.available_width();
        ui.allocate_ui_with_layout(vec2(128.0, 20.0), egui::Layout::left_to_right(egui::Align::Min), |ui| {
            ui.set_width(128.0);
            let tone = match difference.fate {
                Fate::Accepted | Fate::Written => Tone::Ok,
                Fate::Edited => Tone::Plain,
                Fate::Rejected | Fate::Undecided => Tone::Warn,
            };
            ui.add(Chip::new(name).icon(*icon).tone(tone));
        });
        ui.vertical(|ui| {
            ui.set_width(width - 136.0);
            // The words stand in the middle of the chip's first line.
            ui.add_space((20.0 - size::LINE[TABLE]) / 2.0);
            match difference.fate {
                Fate::Edited => {
                    paragraph(ui, &format!("− {}", difference.drafted), TABLE, t.t3);
                    paragraph(ui, &format!("+ {}", difference.signed), TABLE, t.t1);
                }
                Fate::Rejected | Fate::Undecided => {
                    paragraph(ui, &difference.drafted, TABLE, t.t3);
                }
                Fate::Accepted | Fate::Written => {
                    paragraph(ui, &difference.signed, TABLE, t.t1);
                }
            }
        });
    });
}

/// The signed versions, the newest first.
fn versions(ui: &mut Ui, report: &ReportState, out: &mut Vec<Command>) {
    sheet_area(ui, "versions", "Signed versions", |ui| {
        let t = theme::tokens(ui);
        let most = (ui.ctx().content_rect().height() - 240.0).max(160.0);
        ScrollArea::vertical().max_height(most).show(ui, |ui| {
            ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
            if report.signed.versions().is_empty() {
                paragraph(ui, "Nothing is signed yet.", TABLE, t.t3);
            }
            for version in report.signed.versions().iter().rev() {
                let when = version.signed_at.replace('T', " ").replace('Z', " UTC");
                let lead = format!("Version {}", version.number);
                let rest = format!(", {}, {when}", version.reader);
                rich(ui, &[(lead.as_str(), Weight::SemiBold, t.t1), (rest.as_str(), Weight::Regular, t.t2)], TABLE);
                if let Some(reason) = &version.reason {
                    paragraph(ui, &format!("Corrected: {reason}"), TABLE, t.t3);
                }
                ui.add_space(4.0);
                for text in version.text.lines().filter(|line| !line.trim().is_empty()) {
                    paragraph(ui, text, TABLE, t.t2);
                }
                ui.add_space(8.0);
                hair(ui, 0.0);
                ui.add_space(8.0);
            }
        });
        if ui.add(Button::new("Close").key("Esc")).clicked() {
            out.push(Command::ShowSheet(None));
        }
    });
}
