//! The right panel: tabs and their content, or the rail when [`lightbox_session::workspace::Workspace::panel`] is `None`.

mod ai;
mod info;
mod masks;
mod measure;
mod model_card;
mod report;

use egui::{Align, Frame, Layout, Margin, ScrollArea, Ui, vec2};
use lightbox_session::boxes::MarkState;
use lightbox_session::workspace::PanelTab;
use lightbox_session::{Command, Document};

use super::parts::inside;
use crate::cx::{Cx, Out};
use crate::icons::{self, Icon};
use crate::theme::size;
use crate::widgets::{IconButton, RailItem, Tab, Tabs, hair};

/// The field of a sentence of the report, for keys.
pub(crate) fn sentence_field(sentence: u64) -> egui::Id {
    report::sentence_field(sentence)
}

/// Fills its room.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
    match cx.session.workspace.panel {
        Some(tab) => panel(ui, cx, out, tab),
        None => rail(ui, cx, out),
    }
}

fn panel(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, tab: PanelTab) {
    let tabs = PanelTab::ALL.map(|tab| label(cx, tab));
    let mut chosen = PanelTab::ALL.iter().position(|t| *t == tab).unwrap_or(0);
    let moved = Tabs::new(&tabs).show(ui, &mut chosen, |ui| {
        let close = IconButton::new(icons::CARET_DOUBLE_RIGHT, "Close panel").compact().key("F4");
        if ui.add(close).clicked() {
            out.command(Command::SetPanel(None));
        }
    });
    if moved {
        out.command(Command::SetPanel(Some(PanelTab::ALL[chosen])));
    }
    // Each tab has its own ids: a field of one never has the focus of another's.
    ui.push_id(tab, |ui| match tab {
        PanelTab::Ai => ai::show(ui, cx, out),
        PanelTab::Masks => masks::show(ui, cx, out),
        PanelTab::Measure => measure::show(ui, cx, out),
        PanelTab::Report => report::show(ui, cx, out),
        PanelTab::Info => info::show(ui, cx, out),
    });
}

fn rail(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let mut column = inside(ui, ui.max_rect(), Layout::top_down(Align::Center));
    column.spacing_mut().item_spacing.y = 4.0;
    column.add_space(4.0);
    for (n, tab) in PanelTab::ALL.into_iter().enumerate() {
        let key = format!("Alt+{}", n + 1);
        if column.add(RailItem::new(icon(tab), label(cx, tab)).key(&key)).clicked() {
            out.command(Command::SetPanel(Some(tab)));
        }
    }
}

fn icon(tab: PanelTab) -> Icon {
    match tab {
        PanelTab::Ai => icons::CPU,
        PanelTab::Masks => icons::SELECTION_BACKGROUND,
        PanelTab::Measure => icons::RULER,
        PanelTab::Report => icons::FILE_TEXT,
        PanelTab::Info => icons::INFO,
    }
}

/// A tab's word and what waits behind it for the reader.
fn label(cx: &Cx<'_>, tab: PanelTab) -> Tab<'static> {
    let word = Tab::new(tab.name());
    match tab {
        PanelTab::Ai => {
            let boxes = |d: &Document| d.boxes.iter().filter(|b| b.state == MarkState::Proposed).count();
            word.count(cx.session.documents.values().map(|d| d.waiting().count() + boxes(d)).sum())
        }
        PanelTab::Report => {
            let report = cx.session.report();
            let objections = report.open_objections().filter(|o| o.blocks()).count();
            let open = if report.is_read_only() { 0 } else { report.document.unconfirmed_count() + objections };
            word.trouble(open)
        }
        // The warnings of the series stand in the study list and under the image too; a third badge would crowd the tabs.
        PanelTab::Info if cx.session.workspace.panel.is_none() => word.trouble(warnings(cx)),
        PanelTab::Masks | PanelTab::Measure | PanelTab::Info => word,
    }
}

fn warnings(cx: &Cx<'_>) -> usize {
    cx.session.active_stack().and_then(|id| cx.session.library.stack(id)).map_or(0, |open| open.warnings().len())
}

/// The scrolled content of a tab, in sections.
fn body(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
        add(ui);
    });
}

/// A part of a tab with the panel's side padding and 12 below.
fn part(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    let side = size::PANEL_PADDING as i8;
    let margin = Margin { left: side, right: side, top: 0, bottom: 12 };
    Frame::new().inner_margin(margin).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
        add(ui);
    });
}

/// The line between two parts.
fn between(ui: &mut Ui) {
    hair(ui, 0.0);
}
