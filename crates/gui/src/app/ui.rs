//! Drawing: makes the rooms and lets panels and viewports fill them. Reads the session, pushes wishes, changes nothing.

use std::time::Instant;

use egui::{Rect, Stroke, StrokeKind, Ui, UiBuilder, pos2};
use lightbox_session::workspace::{PanelTab, StudyListMode};

use super::App;
use crate::cx::{Cx, Out, Room};
use crate::panels;
use crate::theme::size;
use crate::views;

impl App {
    /// Draws the window.
    pub(super) fn draw(&mut self, ui: &mut Ui) {
        let start = Instant::now();
        let theme = super::logic::theme_of(&self.session);
        let mut out = Out::default();
        let whole = ui.max_rect();
        let room = room(whole.width(), &self.session.workspace);
        {
            let cx = Cx {
                session: &self.session,
                tokens: theme.tokens(),
                ui: &self.ui,
                thumbnails: &self.textures.thumbnail_ids,
                room,
                device: &self.device,
                memory_bytes: self.memory_bytes,
                clock: &self.clock,
            };
            let t = cx.tokens;
            ui.painter().rect_filled(whole, 0, t.bg0);
            let top = Rect::from_min_max(whole.min, pos2(whole.right(), whole.top() + size::TOP_BAR));
            let status = Rect::from_min_max(pos2(whole.left(), whole.bottom() - size::STATUS_BAR), whole.max);
            let middle = Rect::from_min_max(pos2(whole.left(), top.bottom()), pos2(whole.right(), status.top()));
            panel(ui, "top", top, t.bg1, |ui| panels::top_bar::show(ui, &cx, &mut out));
            edge(ui, top.left_bottom(), top.right_bottom(), t.line);
            panel(ui, "status", status, t.bg1, |ui| panels::status::show(ui, &cx, &mut out));
            edge(ui, status.left_top(), status.right_top(), t.line);
            if self.session.library.studies.is_empty() {
                panel(ui, "start", middle, t.bg0, |ui| panels::start::show(ui, &cx, &mut out));
            } else {
                let tools = Rect::from_min_max(middle.min, pos2(middle.left() + size::TOOL_STRIP, middle.bottom()));
                let studies = match room.studies {
                    StudyListMode::Full if whole.width() < 1360.0 => size::STUDIES[0],
                    StudyListMode::Full => size::STUDIES[1],
                    StudyListMode::Strip => size::STUDIES_STRIP,
                    StudyListMode::Hidden => 0.0,
                };
                let list = Rect::from_min_max(tools.right_top(), pos2(tools.right() + studies, middle.bottom()));
                let right = match self.session.workspace.panel {
                    None => size::RAIL,
                    Some(PanelTab::Report) => size::PANEL_REPORT,
                    Some(_) => size::PANEL[1],
                };
                let side = Rect::from_min_max(pos2(middle.right() - right, middle.top()), middle.max);
                let images = Rect::from_min_max(pos2(list.right(), middle.top()), pos2(side.left(), middle.bottom()));
                let images = if panels::banner::is_needed(&cx) {
                    let below = images.top() + panels::banner::HEIGHT_PT;
                    let bar = images.with_max_y(below);
                    panel(ui, "banner", bar, t.bg2, |ui| panels::banner::show(ui, &cx, &mut out));
                    edge(ui, bar.left_bottom(), bar.right_bottom(), t.line);
                    images.with_min_y(below)
                } else {
                    images
                };
                panel(ui, "images", images, t.bg0, |ui| {
                    views::show(ui, &cx, &self.textures, &mut self.views, &mut out);
                });
                panel(ui, "tools", tools, t.bg1, |ui| panels::tool_strip::show(ui, &cx, &mut out));
                edge(ui, tools.right_top(), tools.right_bottom(), t.line);
                if studies > 0.0 {
                    panel(ui, "studies", list, t.bg1, |ui| panels::study_list::show(ui, &cx, &mut out));
                    edge(ui, list.right_top(), list.right_bottom(), t.line);
                }
                panel(ui, "right", side, t.bg1, |ui| panels::right::show(ui, &cx, &mut out));
                edge(ui, side.left_top(), side.left_bottom(), t.line);
            }
            if self.ui.dropping {
                let line = Stroke::new(2.0, t.acc);
                ui.painter().rect_stroke(middle.shrink(8.0), size::RADIUS_DROP, line, StrokeKind::Inside);
            }
        }
        if self.keys_shown {
            super::palette::keys(ui, &self.session, &mut self.keys_shown);
        }
        if let Some(palette) = &mut self.palette {
            let (open, requests, commands) = palette.show(ui, &self.session);
            out.requests.extend(requests);
            out.commands.extend(commands);
            if !open {
                self.palette = None;
            }
        }
        if !self.dialogs.is_open() {
            out.commands.extend(super::sheets::show(ui, &self.session));
        }
        out.commands.extend(self.dialogs.show(ui));
        if self.quit == super::quit::Quit::Asked {
            let (commands, requests) = self.ask_before_quitting(ui);
            out.commands.extend(commands);
            out.requests.extend(requests);
        }
        // What lies under the pointer is shown by the status bar of the next frame.
        if self.ui.hover != self.views.hover {
            self.ui.hover = self.views.hover.clone();
            ui.ctx().request_repaint();
        }
        let wishes = !out.commands.is_empty() || !out.requests.is_empty();
        self.queue.extend(out.commands);
        let ctx = ui.ctx().clone();
        for request in out.requests {
            self.request(request, &ctx);
        }
        if wishes {
            // They are carried out before the next frame is drawn, which must follow at once.
            ctx.request_repaint();
        }
        if let Some(last) = self.logic_ms.last_mut() {
            *last += start.elapsed().as_secs_f32() * 1000.0;
        }
    }
}

/// A room with its ground, clipped; `ui` inside has the whole room.
fn panel(ui: &mut Ui, name: &str, rect: Rect, ground: egui::Color32, fill: impl FnOnce(&mut Ui)) {
    ui.painter().rect_filled(rect, 0, ground);
    ui.scope_builder(UiBuilder::new().max_rect(rect).id_salt(name), |ui| {
        ui.set_clip_rect(rect.intersect(ui.clip_rect()));
        fill(ui);
    });
}

/// A line of one pixel between two rooms.
fn edge(ui: &Ui, a: egui::Pos2, b: egui::Pos2, colour: egui::Color32) {
    let w = 1.0 / ui.pixels_per_point();
    let half = w / 2.0;
    ui.painter().line_segment([pos2(a.x - half, a.y - half), pos2(b.x - half, b.y - half)], Stroke::new(w, colour));
}

/// What the width of the window means for the panels (design §1).
fn room(width_pt: f32, w: &lightbox_session::workspace::Workspace) -> Room {
    let wish = w.study_list;
    let studies = match (wish, w.panel) {
        (StudyListMode::Hidden, _) => StudyListMode::Hidden,
        (_, Some(PanelTab::Report)) if width_pt < 1600.0 => StudyListMode::Hidden,
        (_, Some(_)) if width_pt < 1600.0 => StudyListMode::Strip,
        (mode, _) => mode,
    };
    Room { width_pt, studies, find_is_icon: width_pt < 1360.0, few_options: width_pt < 1360.0 }
}
