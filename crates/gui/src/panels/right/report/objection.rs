//! What a rule objects to, under the sentence that it is about: why, the way to what it contradicts, and what to do.

use std::sync::Arc;

use egui::{Id, Key, TextEdit, Ui};
use lightbox_session::check::Severity;
use lightbox_session::checks::{Against, Anchor, Fix, Objection};
use lightbox_session::ground::{self, Thing};
use lightbox_session::workspace::PanelTab;
use lightbox_session::{Command, ReportState};

use crate::cx::{Cx, Out, Request};
use crate::fonts::Weight;
use crate::icons;
use crate::panels::parts::{NOTE, line, line_with_end, rich, words};
use crate::theme::size;
use crate::widgets::{Button, Card, Tone, caption, paint_icon};

/// The objections that are shown at a field.
pub(super) fn at(report: &ReportState, anchor: Anchor) -> impl Iterator<Item = &Objection> {
    report.checks.objections.iter().filter(move |o| o.places.first().is_some_and(|(at, _)| *at == anchor))
}

/// Those that have no place in the text.
pub(super) fn without_place(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState) {
    let mut all = report.checks.objections.iter().filter(|o| o.places.is_empty()).peekable();
    if all.peek().is_none() {
        return;
    }
    ui.add_space(12.0);
    caption(ui, "THE WHOLE REPORT");
    ui.add_space(2.0);
    for objection in all {
        show(ui, cx, out, report, objection);
    }
}

/// One objection.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState, objection: &Objection) {
    let (rule, message) = objection.key();
    ui.push_id((format!("{rule:?}"), &message), |ui| {
        if let Some(reason) = report.reason(objection) {
            kept(ui, cx, out, objection, reason);
        } else if objection.blocks() {
            error(ui, cx, out, report, objection);
        } else {
            softer(ui, cx, out, objection);
        }
    });
}

/// The reader keeps it: a quiet line, with the way back.
fn kept(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, objection: &Objection, reason: &str) {
    line_with_end(
        ui,
        size::ROW[0],
        |ui| {
            if ui.add(Button::new("Take back").ghost().in_row()).clicked() {
                out.command(keep(objection, ""));
            }
        },
        |ui| {
            let text = format!("{} kept: {reason}", objection.issue.rule.about());
            words(ui, &text, NOTE, Weight::Regular, cx.tokens.t3).on_hover_text(&objection.issue.message);
        },
    );
}

fn keep(objection: &Objection, reason: &str) -> Command {
    let (rule, message) = objection.key();
    Command::Keep { rule: format!("{rule:?}"), message, reason: reason.to_owned() }
}

/// An error: a card with what can be done.
fn error(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState, objection: &Objection) {
    let lead = format!("{}.", objection.issue.rule.about());
    Card::new(Tone::Error, &lead, &objection.issue.message).inline().show_with(ui, |ui| {
        if let Some(fix) = &objection.fix {
            let label = format!("Change to {}", fix.with.to_lowercase());
            if ui.add(Button::new(&label).raised().compact()).clicked() {
                mend(ui, out, report, fix);
            }
        }
        look(ui, cx, out, objection);
        if ui.add(Button::new("Keep…").ghost().compact().line("Asks for a reason.")).clicked() {
            ui.data_mut(|data| data.insert_temp(asking(objection), String::new()));
        }
    });
    reason_field(ui, out, objection);
    ui.add_space(4.0);
}

fn asking(objection: &Objection) -> Id {
    Id::unique(("keep", format!("{:?}", objection.issue.rule), &objection.issue.message))
}

/// The line in which the reader says why it stays.
fn reason_field(ui: &mut Ui, out: &mut Out, objection: &Objection) {
    let id = asking(objection);
    let Some(mut reason) = ui.data(|data| data.get_temp::<String>(id)) else { return };
    ui.add_space(4.0);
    let field = ui.add(
        TextEdit::singleline(&mut reason)
            .id(id.with("field"))
            .hint_text("Why it stays, then Enter")
            .desired_width(ui.available_width()),
    );
    ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Reason to keep it"));
    if !field.has_focus() && !field.lost_focus() {
        field.request_focus();
    }
    if field.lost_focus() {
        let entered = ui.input(|i| i.key_pressed(Key::Enter)) && !reason.trim().is_empty();
        if entered {
            out.command(keep(objection, &reason));
        }
        ui.data_mut(|data| data.remove_temp::<String>(id));
        return;
    }
    ui.data_mut(|data| data.insert_temp(id, reason));
}

/// A warning or a hint: words, and the way to what it is about.
fn softer(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, objection: &Objection) {
    let t = cx.tokens;
    let ink = if objection.issue.severity == Severity::Hint { t.t3 } else { t.warn };
    let top = ui.cursor().min;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        ui.add_space(20.0);
        let lead = format!("{}. ", objection.issue.rule.about());
        let parts = [(lead.as_str(), Weight::SemiBold, ink), (objection.issue.message.as_str(), Weight::Regular, t.t2)];
        ui.vertical(|ui| {
            ui.set_width(ui.available_width());
            rich(ui, &parts, NOTE);
            if objection.against.is_some() {
                line(ui, size::ROW[0], |ui| {
                    ui.add_space(-8.0);
                    look(ui, cx, out, objection);
                });
            }
        });
    });
    paint_icon(ui.painter(), icons::WARNING_CIRCLE, top + egui::vec2(8.0, 8.0), size::ICON[2], ink);
    ui.add_space(4.0);
}

/// Puts the other side in; a field that is being typed in takes it too.
fn mend(ui: &Ui, out: &mut Out, report: &ReportState, fix: &Fix) {
    let Anchor::Sentence(id) = fix.at else { return };
    let typed = report.typing.as_ref().filter(|t| t.at == fix.at).map(|t| t.text.trim().to_owned());
    let Some(mut text) = typed.or_else(|| report.document.sentence(id).map(|x| x.text.clone())) else { return };
    let [from, to] = fix.span;
    if text.get(from..to).is_none() {
        return;
    }
    text.replace_range(from..to, &fix.with);
    super::sentence::forget(ui, id);
    out.command(Command::Type { words: None, study: None });
    out.command(Command::EditSentence(id, text));
}

/// The button that goes to what the words contradict.
fn look(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, objection: &Objection) {
    // On a card all buttons are of a height; in a line of words it is lower.
    let blocks = objection.blocks();
    let button = |ui: &mut Ui, label: &str| {
        let button = Button::new(label).ghost();
        ui.add(if blocks { button.compact() } else { button.in_row() }).clicked()
    };
    match &objection.against {
        None => {}
        Some(Against::Words(Anchor::Sentence(id))) if button(ui, "Show sentence") => {
            out.command(Command::GoToSentence(*id));
        }
        Some(Against::Words(_)) => {}
        Some(Against::Tag(name)) if button(ui, "Show header") => {
            out.request(Request::PointAtTag(Arc::from(*name)));
            out.command(Command::SetPanel(Some(PanelTab::Info)));
        }
        Some(Against::Tag(_)) => {}
        Some(Against::Finding(id)) => {
            let study = cx.session.report_study().unwrap_or_default();
            let grounds = ground::of_findings(cx.session, study, std::slice::from_ref(id));
            let Some(ground) = grounds.first() else { return };
            let thing = ground.things.first().copied();
            let label = match thing {
                Some(Thing::Annotation(_)) => "Show length",
                Some(Thing::Box(_)) => "Show box",
                _ => "Show masks",
            };
            if button(ui, label) {
                if let Some(Thing::Annotation(annotation)) = thing {
                    out.command(Command::GoToAnnotation { stack: ground.stack, id: annotation });
                    out.request(Request::Select(Some((ground.stack, annotation))));
                }
                let about = |x: &&lightbox_session::report::Sentence| x.finding_ids.contains(id);
                if let Some(sentence) = cx.session.report().document.sentences().find(about) {
                    out.command(Command::GoToSentence(sentence.id));
                }
            }
        }
    }
}
