//! The strip of tools: what the left button does, what turns the active view, and the way back.

use egui::{Popup, Rect, Ui, pos2, vec2};
use lightbox_session::Command;
use lightbox_session::workspace::Tool;

use super::parts::menu_item;
use super::tool_options::{icon, key};
use crate::cx::{Cx, Out};
use crate::icons::{self, Icon};
use crate::theme::size;
use crate::widgets::{IconButton, Row};

/// Room that a line between groups takes: 4 above, 1, 3 below.
const LINE_PT: f32 = 8.0;
/// Room above the first tool and below the last.
const PADDING_PT: f32 = 8.0;

/// One place of the strip.
struct Item {
    icon: Icon,
    name: &'static str,
    key: &'static str,
    line: &'static str,
    on: Option<bool>,
    reason: String,
    command: Command,
}

/// Fills its room.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let room = ui.max_rect();
    let [undo, redo] = history(cx);
    let bottom = room.bottom() - PADDING_PT - 2.0 * size::TOOL;
    let groups = groups(cx);

    // What has no room goes behind "more", group by group from the end of the list.
    let whole = height(&groups);
    let least = bottom - room.top() - 2.0 * PADDING_PT;
    let mut y = room.top() + PADDING_PT;
    let mut hidden: Vec<Item> = Vec::new();
    let mut first = true;
    for group in groups {
        let mut line_due = !first;
        first = false;
        for item in group {
            let need = if line_due { LINE_PT } else { 0.0 } + size::TOOL;
            let keep_free = if whole > least { size::TOOL } else { 0.0 };
            if !hidden.is_empty() || y + need + keep_free > room.top() + PADDING_PT + least {
                hidden.push(item);
                continue;
            }
            if line_due {
                line(ui, cx, room, y);
                y += LINE_PT;
                line_due = false;
            }
            tool(ui, out, place(room, y), &item);
            y += size::TOOL;
        }
    }
    if !hidden.is_empty() {
        let more = IconButton::tool(icons::DOTS_THREE, "More", hidden.iter().any(|item| item.on == Some(true)));
        let response = ui.place(place(room, y), more);
        Popup::menu(&response).gap(4.0).align(egui::RectAlign::RIGHT_START).show(|ui| {
            ui.set_min_width(200.0);
            ui.spacing_mut().item_spacing.y = 0.0;
            for item in &hidden {
                let row = Row::new(item.name)
                    .icon(item.icon)
                    .key(item.key)
                    .selected(item.on == Some(true))
                    .disabled(&item.reason);
                if menu_item(ui, row) {
                    out.command(item.command.clone());
                }
            }
        });
    }
    tool(ui, out, place(room, bottom), &undo);
    tool(ui, out, place(room, bottom + size::TOOL), &redo);
}

fn height(groups: &[Vec<Item>]) -> f32 {
    let tools = groups.iter().map(Vec::len).sum::<usize>() as f32 * size::TOOL;
    tools + (groups.len().max(1) - 1) as f32 * LINE_PT
}

fn place(room: Rect, y: f32) -> Rect {
    Rect::from_min_size(pos2((room.center().x - size::TOOL / 2.0).floor(), y), vec2(size::TOOL, size::TOOL))
}

fn line(ui: &Ui, cx: &Cx<'_>, room: Rect, y: f32) {
    let rect = Rect::from_min_size(pos2((room.center().x - 12.0).floor(), y + 4.0), vec2(24.0, 1.0));
    ui.painter().rect_filled(rect, 0, cx.tokens.line);
}

fn tool(ui: &mut Ui, out: &mut Out, place: Rect, item: &Item) {
    let mut button = IconButton::tool(item.icon, item.name, item.on == Some(true)).key(item.key).line(item.line);
    if !item.reason.is_empty() {
        button = button.disabled(&item.reason);
    }
    // `place` asks for the room without moving the cursor: the strip knows where each tool lies.
    let response = ui.place(place, button);
    if response.clicked() {
        out.command(item.command.clone());
    }
}

fn groups(cx: &Cx<'_>) -> Vec<Vec<Item>> {
    let in_hand = cx.session.workspace.tool;
    let open = cx.session.active_stack().is_some();
    let of = |tools: &[Tool]| {
        tools
            .iter()
            .map(|tool| Item {
                icon: icon(*tool),
                name: tool.name(),
                key: key(*tool),
                line: about(*tool),
                on: Some(*tool == in_hand),
                reason: String::new(),
                command: Command::SetTool(*tool),
            })
            .collect::<Vec<_>>()
    };
    let inverted = cx.session.workspace.active_view().inverted;
    let reason = if open { String::new() } else { "No image is open.".to_owned() };
    let view = vec![
        Item {
            icon: icons::CIRCLE_HALF_TILT,
            name: "Invert",
            key: "Shift+I",
            line: "Turns black and white.",
            on: Some(inverted && open),
            reason: reason.clone(),
            command: Command::Invert { slot: None },
        },
        Item {
            icon: icons::ARROW_COUNTER_CLOCKWISE,
            name: "Reset view",
            key: "R",
            line: "Window, zoom and shift as when opened.",
            on: None,
            reason,
            command: Command::Reset { slot: None },
        },
    ];
    vec![of(&Tool::ALL[0..5]), of(&Tool::ALL[5..8]), of(&Tool::ALL[8..10]), view]
}

fn about(tool: Tool) -> &'static str {
    match tool {
        Tool::Window => "Drag across for width, down for level.",
        Tool::Pan => "Middle drag does it with any tool.",
        Tool::Zoom => "Right drag does it with any tool.",
        Tool::Scroll => "The wheel does it with any tool.",
        Tool::Crosshair => "Click a point; linked views show it.",
        Tool::Length => "Two points, in mm where they are known.",
        Tool::Angle => "An end, the vertex, the other end.",
        Tool::Ellipse => "Area, mean and SD inside.",
        Tool::Brush => "Hold Alt to erase. Shift+wheel changes the size.",
        Tool::Eraser => "Clears the active segment. Shift+wheel changes the size.",
    }
}

fn history(cx: &Cx<'_>) -> [Item; 2] {
    let document = cx.session.active_document();
    let undo = document.and_then(|d| d.history.done().next_back()).map(|g| g.title.as_str());
    let redo = document.and_then(|d| d.history.undone().next_back()).map(|g| g.title.as_str());
    let item = |icon, name, key, line, gesture: Option<&str>, none: &str, command| Item {
        icon,
        name,
        key,
        line,
        on: None,
        reason: if gesture.is_some() { String::new() } else { none.to_owned() },
        command,
    };
    [
        item(
            icons::ARROW_U_UP_LEFT,
            "Undo",
            "Ctrl+Z",
            "Takes the last gesture on this series back.",
            undo,
            "Nothing to undo on this series.",
            Command::Undo,
        ),
        item(
            icons::ARROW_U_UP_RIGHT,
            "Redo",
            "Ctrl+Y",
            "Does again what was taken back.",
            redo,
            "Nothing to redo on this series.",
            Command::Redo,
        ),
    ]
}
