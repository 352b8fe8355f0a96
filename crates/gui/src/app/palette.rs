//! Find anything: actions, series, models; and the list of keys.

use egui::{Align2, Key, Modifiers, Order, ScrollArea, Ui, vec2};
use lightbox_session::models::Fit;
use lightbox_session::{Command, Session};

use crate::cx::Request;
use crate::fonts::{Weight, font};
use crate::shortcuts::{self, Action};
use crate::theme;
use crate::widgets::{Row, SearchField, key_cap};

/// The palette.
#[derive(Debug, Default)]
pub(super) struct Palette {
    text: String,
    chosen: usize,
    shown: bool,
}

enum Wish {
    Action(Action),
    Command(Command),
}

struct Item {
    title: String,
    key: &'static str,
    objection: Option<String>,
    wish: Wish,
}

impl Palette {
    /// Draws it. Says whether it stays open, and what was chosen.
    pub(super) fn show(&mut self, ui: &Ui, s: &Session) -> (bool, Vec<Request>, Vec<Command>) {
        let mut open = true;
        let (mut requests, mut commands) = (Vec::new(), Vec::new());
        let items = items(s, &self.text);
        let area = egui::Area::new(egui::Id::unique("palette")).order(Order::Foreground);
        let shown = area.anchor(Align2::CENTER_TOP, vec2(0.0, 56.0)).show(ui.ctx(), |ui| {
            egui::Frame::popup(ui.style()).inner_margin(8.0).show(ui, |ui| {
                ui.set_width(520.0);
                let field = ui.add(SearchField::new("Find anything", &mut self.text).width(520.0));
                if !self.shown {
                    field.request_focus();
                    self.shown = true;
                }
                if field.changed() {
                    self.chosen = 0;
                }
                let (up, down, enter, escape) = ui.input_mut(|i| {
                    (
                        i.consume_key(Modifiers::NONE, Key::ArrowUp),
                        i.consume_key(Modifiers::NONE, Key::ArrowDown),
                        i.consume_key(Modifiers::NONE, Key::Enter),
                        i.consume_key(Modifiers::NONE, Key::Escape),
                    )
                });
                let last = items.len().saturating_sub(1);
                if up {
                    self.chosen = self.chosen.saturating_sub(1);
                }
                if down {
                    self.chosen = (self.chosen + 1).min(last);
                }
                let mut take = enter.then_some(self.chosen);
                ui.add_space(4.0);
                if items.is_empty() {
                    let words = egui::RichText::new(format!("Nothing is called “{}”.", self.text.trim()));
                    ui.label(words.font(font(12.0, Weight::Regular)).color(theme::tokens(ui).t3));
                }
                ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    for (n, item) in items.iter().enumerate() {
                        let mut row = Row::new(&item.title).dense().selected(n == self.chosen).key(item.key);
                        if let Some(why) = &item.objection {
                            row = row.disabled(why);
                        }
                        let response = row.show(ui);
                        if n == self.chosen && (up || down) {
                            response.scroll_to_me(None);
                        }
                        if response.clicked() {
                            take = Some(n);
                        }
                    }
                });
                if let Some(item) = take.and_then(|n| items.get(n)).filter(|i| i.objection.is_none()) {
                    match &item.wish {
                        Wish::Action(action) => requests.push(Request::Action(*action)),
                        Wish::Command(command) => commands.push(command.clone()),
                    }
                    open = false;
                }
                if escape {
                    open = false;
                }
            });
        });
        if shown.response.clicked_elsewhere() && self.shown && ui.input(|i| i.pointer.any_pressed()) {
            open = false;
        }
        (open, requests, commands)
    }
}

fn items(s: &Session, text: &str) -> Vec<Item> {
    let mut all = Vec::new();
    for open in s.library.stacks() {
        let study = s.library.study_of(open.id).map(|study| study.description.as_str()).filter(|text| !text.is_empty());
        let of = study.map(|text| format!(", {text}")).unwrap_or_default();
        all.push(Item {
            title: format!("Show {}{of}", open.title()),
            key: "",
            objection: None,
            wish: Wish::Command(Command::Show { slot: None, stack: open.id }),
        });
    }
    for model in &s.models {
        let objection = match s.active_stack().and_then(|id| s.library.stack(id)) {
            None => Some("needs an open image".to_owned()),
            Some(open) => match model.fit(open, s.library.study_of(open.id)) {
                Fit::Unfit(why) => Some(why),
                _ => None,
            },
        };
        all.push(Item {
            title: format!("Run {}", model.card.name),
            key: "",
            objection,
            wish: Wish::Command(Command::RunModel { slot: None, model: model.id.clone(), series: false }),
        });
    }
    for entry in shortcuts::TABLE {
        let Some(title) = shortcuts::text_of(entry, s) else { continue };
        all.push(Item {
            title,
            key: entry.key_text,
            objection: shortcuts::objection(entry.action, s).map(str::to_owned),
            wish: Wish::Action(entry.action),
        });
    }
    let words: Vec<String> = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
    all.retain(|item| {
        let title = item.title.to_lowercase();
        words.iter().all(|w| title.contains(w))
    });
    // What can be done now comes first.
    all.sort_by_key(|item| item.objection.is_some());
    all
}

/// The list of keys.
pub(super) fn keys(ui: &Ui, s: &Session, shown: &mut bool) {
    let area = egui::Area::new(egui::Id::unique("keys")).order(Order::Foreground);
    let t = theme::tokens(ui);
    let response = area.anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ui.ctx(), |ui| {
        egui::Frame::popup(ui.style()).inner_margin(16.0).show(ui, |ui| {
            ui.label(egui::RichText::new("Keys").font(font(15.0, Weight::SemiBold)).color(t.t1));
            ui.add_space(8.0);
            let with_key: Vec<_> = shortcuts::TABLE
                .iter()
                .filter(|e| e.key.is_some())
                .filter_map(|e| Some((e.key_text, shortcuts::text_of(e, s)?)))
                .collect();
            let per_column = with_key.len().div_ceil(3);
            ui.horizontal_top(|ui| {
                for column in with_key.chunks(per_column) {
                    egui::Grid::new(("keys", column[0].0)).num_columns(2).min_row_height(22.0).show(ui, |ui| {
                        for (key, text) in column {
                            key_cap(ui, key);
                            ui.label(text);
                            ui.end_row();
                        }
                    });
                    ui.add_space(24.0);
                }
            });
            ui.add_space(8.0);
            ui.label("Mouse: left the tool, middle pans, right zooms (click: menu), wheel scrolls, Ctrl+wheel zooms,");
            ui.label("Shift+move links all views, double click one view or four. Hold H for the bare image; Alt turns the brush round.");
        });
    });
    if response.response.clicked_elsewhere() && ui.input(|i| i.pointer.any_pressed()) {
        *shown = false;
    }
}
