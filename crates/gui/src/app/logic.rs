//! Before drawing: what jobs told, what was wished for, textures. Nothing here reads a file, decodes or runs a layer.

use std::time::Instant;

use egui::{Context, Key, Modifiers, ViewportCommand};
use lightbox_session::report::SentenceState;
use lightbox_session::workspace::PanelTab;
use lightbox_session::{Command, Session};

use super::App;
use crate::cx::Request;
use crate::panels;
use crate::shortcuts;
use crate::theme::{self, Theme};

/// Events taken in one frame, so that a frame stays short while a stack loads.
const EVENTS_A_FRAME: usize = 96;
/// A frame of logic that takes longer is worth a line in the log.
const LONG_MS: f32 = 16.0;

impl App {
    /// Jobs, wishes, textures.
    pub(super) fn run_logic(&mut self, ctx: &Context) {
        let start = Instant::now();
        let events = self.jobs.drain(EVENTS_A_FRAME);
        if events.len() == EVENTS_A_FRAME {
            ctx.request_repaint();
        }
        for event in events {
            for effect in self.session.on_event(event) {
                self.jobs.run(effect);
            }
        }
        self.take_drops(ctx);
        self.take_keys(ctx);
        self.queue.extend(self.dialogs.answers(&self.session));
        let ready = !self.session.is_busy() && self.queue.is_empty();
        if ready && let Some(next) = self.script.pop_front() {
            self.queue.push(next);
            ctx.request_repaint();
        }
        if ctx.input(|i| i.pointer.any_pressed()) {
            self.ui.notice = None;
            self.ui.tag = None;
        }
        self.session.now = lightbox_session::folders::clock_s();
        self.take_close(ctx);
        for command in std::mem::take(&mut self.queue) {
            if command == Command::Quit && !self.may_quit() {
                continue;
            }
            self.ui.notice = erased_nothing(&self.session, &command).or(self.ui.notice.take());
            self.jobs.apply(&mut self.session, command);
        }
        if self.jobs.has_quit() {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        if self.theme != Some(self.session.workspace.theme) {
            self.theme = Some(self.session.workspace.theme);
            theme::apply(ctx, theme_of(&self.session));
            // egui may lay a frame out twice; then a click would be carried out twice, and a scroll be two.
            ctx.options_mut(|o| o.max_passes = std::num::NonZeroUsize::MIN);
        }
        for (view, shrink) in self.textures.views.iter_mut().zip(self.views.shrink) {
            view.wanted_shrink = shrink;
        }
        self.textures.update(ctx, &self.session, self.ui.bare || self.ui.masks_hidden);
        self.look_around(ctx);
        let ms = start.elapsed().as_secs_f32() * 1000.0;
        if ms > LONG_MS {
            log::debug!("a frame's logic took {ms:.1} ms");
        }
        self.logic_ms.push(ms);
        if self.logic_ms.len() > 100_000 {
            self.logic_ms.drain(..50_000);
        }
    }

    /// Carries out a wish of the window's own.
    pub(super) fn request(&mut self, request: Request, ctx: &Context) {
        match request {
            Request::Dialog(dialog) => self.dialogs.ask(dialog, &self.session, ctx),
            Request::Palette => self.palette = Some(super::palette::Palette::default()),
            Request::Keys => self.keys_shown = true,
            Request::Select(selected) => self.ui.selected = selected,
            Request::Notice(text) => self.ui.notice = Some(text),
            Request::DismissNotice => self.ui.notice = None,
            Request::ChooseBox(chosen) => self.ui.chosen_box = chosen,
            Request::PointAtTag(name) => self.ui.tag = Some(name),
            Request::Action(action) => {
                let (commands, requests) = shortcuts::carry_out(action, &self.session);
                self.queue.extend(commands);
                for request in requests {
                    self.request(request, ctx);
                }
            }
        }
    }

    fn take_drops(&mut self, ctx: &Context) {
        let (dropped, hovering) = ctx.input(|i| {
            let paths: Vec<_> =
                i.raw.dropped_files.iter().map(|f| f.path().to_owned()).filter(|p| !p.as_os_str().is_empty()).collect();
            (paths, !i.raw.hovered_files.is_empty())
        });
        self.ui.dropping = hovering;
        if !dropped.is_empty() {
            self.queue.push(Command::Open(dropped));
        }
    }

    fn take_keys(&mut self, ctx: &Context) {
        // A field that is being typed in has all keys but those with Ctrl.
        let typing = ctx.text_edit_focused();
        let sheet = self.session.workspace.sheet.is_some();
        if self.palette.is_some() || self.dialogs.is_open() || sheet || self.quit == super::quit::Quit::Asked {
            return;
        }
        if !typing {
            self.ui.bare = ctx.input(|i| i.key_down(Key::H) && i.modifiers.is_none());
        }
        let mut actions = Vec::new();
        for entry in shortcuts::TABLE {
            let Some(key) = entry.key else { continue };
            if typing && !key.modifiers.command && !matches!(key.logical_key, Key::F1 | Key::F3 | Key::F4 | Key::F8) {
                continue;
            }
            if ctx.input_mut(|i| i.consume_key(key.modifiers, key.logical_key)) {
                actions.push(entry.action);
            }
        }
        if !actions.is_empty() {
            // A menu would lie over what the key opens.
            egui::Popup::close_all(ctx);
        }
        for action in actions {
            if shortcuts::objection(action, &self.session).is_none() {
                self.request(Request::Action(action), ctx);
            }
        }
        if typing {
            return;
        }
        self.take_sentence_keys(ctx);
        if ctx.input(|i| i.key_pressed(Key::Delete))
            && let Some((stack, id)) = self.ui.selected.take()
        {
            self.queue.push(Command::DeleteAnnotation { stack, id });
        }
        if ctx.input(|i| i.key_pressed(Key::Escape) && i.modifiers == Modifiers::NONE) {
            if self.keys_shown {
                self.keys_shown = false;
            } else if self.views.hand != crate::views::Hand::Free {
                self.views.hand = crate::views::Hand::Free;
                self.queue.push(Command::StrokeCancel);
            } else {
                self.queue.push(Command::CancelLatest);
            }
        }
    }

    /// Keys on the sentence that is pointed at, beside the report: Enter accepts, Delete refuses, F2 edits.
    fn take_sentence_keys(&mut self, ctx: &Context) {
        let s = &self.session;
        if s.workspace.panel != Some(PanelTab::Report) || s.report().is_read_only() {
            return;
        }
        let Some(sentence) = s.spotlight.and_then(|id| s.report().document.sentence(id)) else { return };
        let (id, waits) = (sentence.id, sentence.state == SentenceState::Proposed);
        let pressed = |key: Key| ctx.input(|i| i.key_pressed(key) && i.modifiers == Modifiers::NONE);
        // A button that has the keys is pressed by them.
        let free = ctx.memory(|m| m.focused().is_none());
        if waits && free && pressed(Key::Enter) {
            self.queue.push(Command::AcceptSentence(id));
        } else if waits && self.ui.selected.is_none() && pressed(Key::Delete) {
            self.queue.push(Command::RejectSentence(id));
        } else if pressed(Key::F2) {
            ctx.memory_mut(|m| m.request_focus(panels::right::sentence_field(id)));
        }
    }

    /// Memory and clock, every other second and only while something is drawn anyway.
    fn look_around(&mut self, ctx: &Context) {
        let now = ctx.input(|i| i.time);
        if now - self.memory_asked_s < 2.0 {
            return;
        }
        self.memory_asked_s = now;
        self.memory_bytes = lightbox_session::folders::memory_bytes();
        self.clock = lightbox_session::folders::clock();
    }
}

/// The sentence for a stroke of the eraser that finds nothing: it clears the active segment only, and seems broken
/// otherwise.
fn erased_nothing(s: &Session, command: &Command) -> Option<String> {
    match command {
        Command::StrokeBegin { slot, erase: true, .. } => {
            let view = s.workspace.views.get(slot.unwrap_or(s.workspace.active))?;
            let none = s.document(view.stack?).and_then(|d| d.segment(d.active?)).is_none();
            none.then(|| "There is no segment to erase.".to_owned())
        }
        Command::StrokeEnd => {
            let document = s.documents.values().find(|d| d.stroke.is_some())?;
            let stroke = document.stroke.as_ref().filter(|stroke| stroke.erase)?;
            let target = document.segment(stroke.segment)?;
            let missed = target.mask.changes_since(&stroke.before).is_empty();
            missed
                .then(|| format!("Nothing of {} is here. The eraser clears the segment chosen in Masks.", target.name))
        }
        _ => None,
    }
}

/// The theme that the session asks for.
pub(super) fn theme_of(s: &Session) -> Theme {
    match s.workspace.theme {
        lightbox_session::workspace::ThemeChoice::Dark => Theme::Dark,
        lightbox_session::workspace::ThemeChoice::Light => Theme::Light,
    }
}
