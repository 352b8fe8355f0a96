//! The question before the window closes over work that is in no file.

use egui::{Context, Key, Ui, ViewportCommand};
use lightbox_session::{Command, Session};

use super::App;
use crate::cx::{DialogRequest, Request};
use crate::dialogs::sheet_area;
use crate::panels::parts::{TABLE, count, paragraph};
use crate::theme;
use crate::widgets::Button;

/// How far the wish to quit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Quit {
    /// Nobody wants to.
    #[default]
    No,
    /// The question is open.
    Asked,
    /// Answered, or there was nothing to ask.
    Yes,
}

impl App {
    /// Whether a wish to quit may be carried out now. If not, the question opens.
    pub(super) fn may_quit(&mut self) -> bool {
        if self.quit != Quit::Yes && self.session.has_unsaved_work() {
            self.quit = Quit::Asked;
            return false;
        }
        true
    }

    /// The window's own cross: as the menu's Quit.
    pub(super) fn take_close(&mut self, ctx: &Context) {
        let closes = ctx.input(|i| i.viewport().close_requested());
        if closes && !self.jobs.has_quit() && !self.may_quit() {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
        }
    }

    /// Draws the question. What is left unsaved lies in the journal and is offered at the next start.
    pub(super) fn ask_before_quitting(&mut self, ui: &Ui) -> (Vec<Command>, Vec<Request>) {
        let (mut commands, mut requests) = (Vec::new(), Vec::new());
        let (masks, report) = unsaved(&self.session);
        sheet_area(ui, "quit", "Work is not saved", |ui| {
            let t = theme::tokens(ui);
            paragraph(ui, &what(&self.session), TABLE, t.t2);
            ui.add_space(12.0);
            ui.horizontal(|ui| {
                if let Some(request) = masks.clone()
                    && ui.add(Button::new("Save SEG").primary()).clicked()
                {
                    requests.push(Request::Dialog(request));
                    self.quit = Quit::No;
                }
                if let Some(request) = report.clone()
                    && ui.add(Button::new("Save report")).clicked()
                {
                    requests.push(Request::Dialog(request));
                    self.quit = Quit::No;
                }
                let keep = Button::new("Quit, keep for the next start");
                if ui.add(keep.line("It stays in the journal and is offered then.")).clicked() {
                    self.quit = Quit::Yes;
                    commands.push(Command::Quit);
                }
                if ui.add(Button::new("Cancel").key("Esc")).clicked() || ui.input(|i| i.key_pressed(Key::Escape)) {
                    self.quit = Quit::No;
                }
            });
        });
        (commands, requests)
    }
}

/// The dialogs that would save what is not saved: the first masks, and the first report.
fn unsaved(s: &Session) -> (Option<DialogRequest>, Option<DialogRequest>) {
    let masks = s.documents.iter().find(|(id, d)| d.unsaved_masks > 0 && s.library.stack(**id).is_some());
    let report = s.reports.iter().find(|(_, r)| r.unsaved > 0 && r.document.sentences().any(|x| x.is_confirmed()));
    (
        masks.map(|(id, _)| DialogRequest::SaveSeg(*id)),
        report.map(|(study, _)| DialogRequest::SaveReport(study.clone())),
    )
}

/// `Masks: 7 gestures. Measurements: 2 gestures. Report: 3 changes.`
fn what(s: &Session) -> String {
    let masks: usize = s.documents.values().map(|d| d.unsaved_masks).sum();
    let annotations: usize = s.documents.values().map(|d| d.unsaved_annotations).sum();
    let report: usize = s.reports.values().map(|r| r.unsaved).sum();
    let parts = [("Masks", masks, "gesture"), ("Measurements", annotations, "gesture"), ("Report", report, "change")];
    let mut said: Vec<String> = parts
        .into_iter()
        .filter(|(_, n, _)| *n > 0)
        .map(|(what, n, word)| format!("{what}: {}.", count(n, word)))
        .collect();
    if said.is_empty() {
        said.push("Work on a study that was closed.".to_owned());
    }
    said.push("All of it is in the journal.".to_owned());
    said.join(" ")
}
