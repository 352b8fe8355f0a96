//! The hand on an image: tools, wheel, middle and right button.

use egui::{CursorIcon, PointerButton, Pos2, Response, Sense, Stroke, Ui};
use lightbox_session::workspace::{BrushSettings, Layout, Tool};
use lightbox_session::{Command, OpenStack, Session};

use super::place::Placement;
use super::{Hand, ViewsState, measure};
use crate::cx::{Cx, Hover, Out};
use crate::overlay::{px, text::signed};
use crate::panels::tool_options;
use crate::textures::{ViewTextures, layer_of, value_at};

/// Points of dragging for one plane with the scroll tool.
const PT_PER_PLANE: f32 = 3.0;
/// Growth of the natural logarithm of the magnification for a point of dragging: 87 points double it.
const ZOOM_PER_PT: f32 = 0.008;
/// Growth of the brush for a notch of the wheel with Shift.
const BRUSH_PER_NOTCH: f64 = 1.25;
/// Points of wheel for one plane; a notch of a wheel is 40 to 50.
const WHEEL_PT_PER_PLANE: f32 = 40.0;

/// Whether a tool paints.
#[must_use]
pub(super) fn paints(tool: Tool) -> bool {
    matches!(tool, Tool::Brush | Tool::Eraser)
}

/// Takes the pointer over an image, and turns it into commands.
pub(super) fn hand(
    ui: &mut Ui,
    cx: &Cx<'_>,
    textures: &ViewTextures,
    state: &mut ViewsState,
    slot: usize,
    open: &OpenStack,
    place: &Placement,
    out: &mut Out,
) -> Response {
    let s = cx.session;
    let tool = s.workspace.tool;
    let response = ui.interact(place.rect, ui.scope_id().with("image"), Sense::click_and_drag());
    let pointer = response.hover_pos();
    if response.drag_started() || response.clicked() || response.secondary_clicked() {
        if s.workspace.active != slot {
            out.command(Command::Activate(slot));
        }
        ui.memory_mut(|m| m.stop_text_input());
    }
    if let Some(p) = pointer {
        state.hover = Some(hover(cx, textures, slot, open, place, p));
        wheel(ui, s, state, slot, place, p, out);
        let modifiers = ui.input(|i| i.modifiers);
        if modifiers.shift && !ui.input(|i| i.pointer.any_down()) && ui.input(|i| i.pointer.is_moving()) {
            out.command(Command::PointAt { slot: Some(slot), at: place.patient_from_screen(p) });
        }
    }
    let view = &s.workspace.views[slot];
    let delta = response.drag_delta();
    if response.dragged_by(PointerButton::Middle) {
        pan(view, slot, delta, place, out);
    }
    if response.dragged_by(PointerButton::Secondary) {
        zoom_drag(ui, view, slot, delta, place, out);
    }
    if paints(tool) {
        paint(ui, s, state, slot, place, &response, out);
    } else {
        left(ui, cx, textures, state, slot, open, place, &response, out);
    }
    if let Some(p) = pointer {
        ui.ctx().set_cursor_icon(cursor(cx, state, open, place, p));
    }
    if response.double_clicked() && !paints(tool) && !matches!(state.hand, Hand::Measuring { .. }) {
        let layout = if s.workspace.layout == Layout::One { Layout::TwoByTwo } else { Layout::One };
        out.command(Command::Activate(slot));
        out.command(Command::SetLayout(layout));
    }
    menu(&response, s, slot, open, out);
    response
}

fn pan(
    view: &lightbox_session::workspace::ViewState,
    slot: usize,
    delta: egui::Vec2,
    place: &Placement,
    out: &mut Out,
) {
    if delta == egui::Vec2::ZERO {
        return;
    }
    let pan_mm =
        [view.pan_mm[0] + f64::from(delta.x) / place.pt_per_mm, view.pan_mm[1] + f64::from(delta.y) / place.pt_per_mm];
    out.command(Command::SetZoom { slot: Some(slot), zoom: view.zoom, pan_mm });
}

fn zoom_drag(
    ui: &Ui,
    view: &lightbox_session::workspace::ViewState,
    slot: usize,
    delta: egui::Vec2,
    place: &Placement,
    out: &mut Out,
) {
    if delta.y == 0.0 {
        return;
    }
    // Up enlarges, about the point that was pressed: what the reader points at stays where it is.
    let zoom = (view.zoom * f64::from((-delta.y * ZOOM_PER_PT).exp())).clamp(0.05, 200.0);
    let about = ui.input(|i| i.pointer.press_origin()).unwrap_or(place.rect.center());
    let pan_mm = place.pan_for_zoom(view, zoom, about);
    out.command(Command::SetZoom { slot: Some(slot), zoom, pan_mm });
}

/// What the pointer looks like: it tells beforehand what a press would take.
fn cursor(cx: &Cx<'_>, state: &ViewsState, open: &OpenStack, place: &Placement, p: Pos2) -> CursorIcon {
    let tool = cx.session.workspace.tool;
    if paints(tool) {
        // The ring of the brush is the pointer.
        return CursorIcon::None;
    }
    match &state.hand {
        Hand::Moving { .. } => return CursorIcon::Grabbing,
        Hand::Measuring { .. } | Hand::Painting { .. } => return CursorIcon::Crosshair,
        Hand::Free => {}
    }
    if measure::under(cx, open, place, p).is_some() {
        return CursorIcon::Grab;
    }
    match tool {
        Tool::Length | Tool::Angle | Tool::Ellipse | Tool::Crosshair => CursorIcon::Crosshair,
        Tool::Pan => CursorIcon::Move,
        _ => CursorIcon::Default,
    }
}

/// The left button with the tool in the hand.
fn left(
    ui: &Ui,
    cx: &Cx<'_>,
    textures: &ViewTextures,
    state: &mut ViewsState,
    slot: usize,
    open: &OpenStack,
    place: &Placement,
    response: &Response,
    out: &mut Out,
) {
    let s = cx.session;
    let view = &s.workspace.views[slot];
    let primary = PointerButton::Primary;
    let started = response.drag_started_by(primary);
    let dragged = response.dragged_by(primary);
    let press = ui.input(|i| i.pointer.press_origin());
    let now = response.interact_pointer_pos().or(response.hover_pos());
    let delta = response.drag_delta();
    // A measurement under the pointer is moved, whatever tool is in the hand (but the brush).
    let pixels = textures.pixels.as_ref();
    if measure::moving(cx, state, slot, open, place, pixels, response, press, now, out) {
        return;
    }
    if let Some(kind) = measure::kind_of(s.workspace.tool) {
        measure::draw(ui, state, slot, kind, place, pixels, response, press, now, out);
        return;
    }
    match s.workspace.tool {
        Tool::Window if dragged && delta != egui::Vec2::ZERO => {
            let window = s.window_of(slot).dragged(f64::from(delta.x), f64::from(delta.y));
            out.command(Command::SetWindow { slot: Some(slot), window });
        }
        Tool::Pan if dragged => pan(view, slot, delta, place, out),
        Tool::Zoom if dragged => zoom_drag(ui, view, slot, delta, place, out),
        Tool::Scroll if dragged => {
            if started {
                state.drag = 0.0;
            }
            state.drag += delta.y / PT_PER_PLANE;
            let planes = state.drag.trunc();
            state.drag -= planes;
            if planes != 0.0 {
                out.command(Command::ScrollBy { slot: Some(slot), planes: planes as i64 });
            }
        }
        Tool::Crosshair if dragged || response.clicked() => {
            if let Some(p) = now {
                out.command(Command::PointAt { slot: Some(slot), at: place.patient_from_screen(p) });
            }
        }
        _ => {}
    }
}

/// Brush and eraser take the pointer's events themselves, in their order: a stroke begins with the press, cuts no corner in
/// a slow frame, and one that begins and ends within a frame is a stroke too.
fn paint(
    ui: &Ui,
    s: &Session,
    state: &mut ViewsState,
    slot: usize,
    place: &Placement,
    response: &Response,
    out: &mut Out,
) {
    let ours = Hand::Painting { slot };
    if state.hand != ours && !response.contains_pointer() && !response.is_pointer_button_down_on() {
        return;
    }
    ui.input(|i| {
        for event in &i.events {
            match event {
                egui::Event::PointerButton { pos, button: PointerButton::Primary, pressed: true, modifiers }
                    if place.rect.contains(*pos) =>
                {
                    let erase = (s.workspace.tool == Tool::Eraser) != modifiers.alt;
                    let at = place.patient_from_screen(*pos);
                    out.command(Command::StrokeBegin { slot: Some(slot), at, erase });
                    state.hand = ours.clone();
                }
                egui::Event::PointerMoved(pos) if state.hand == ours => {
                    out.command(Command::StrokeTo { at: place.patient_from_screen(*pos) });
                }
                egui::Event::PointerButton { button: PointerButton::Primary, pressed: false, .. }
                    if state.hand == ours =>
                {
                    out.command(Command::StrokeEnd);
                    state.hand = Hand::Free;
                }
                _ => {}
            }
        }
    });
    // The button came up where no event tells it, outside of the window say.
    if state.hand == ours && !ui.input(|i| i.pointer.primary_down()) {
        out.command(Command::StrokeEnd);
        state.hand = Hand::Free;
    }
}

/// Wheel: planes; with Ctrl: magnification about the pointer; with Shift: the brush, where one is in the hand.
fn wheel(ui: &Ui, s: &Session, state: &mut ViewsState, slot: usize, place: &Placement, pointer: Pos2, out: &mut Out) {
    let (zoom, shift) = ui.input(|i| (i.zoom_delta(), i.modifiers.shift));
    let view = &s.workspace.views[slot];
    if zoom != 1.0 {
        let to = (view.zoom * f64::from(zoom)).clamp(0.05, 200.0);
        let pan_mm = place.pan_for_zoom(view, to, pointer);
        out.command(Command::SetZoom { slot: Some(slot), zoom: to, pan_mm });
        return;
    }
    // Notches count whole; a touch pad's small steps add up. Some systems turn the wheel to the side while Shift is down.
    let notches: f32 = ui.input(|i| {
        let lines = i.events.iter().filter_map(|e| match e {
            egui::Event::MouseWheel { unit, delta, modifiers, .. } if !modifiers.command => {
                let delta = if modifiers.shift { delta.x + delta.y } else { delta.y };
                match unit {
                    egui::MouseWheelUnit::Line => Some(delta),
                    egui::MouseWheelUnit::Point => Some(delta / WHEEL_PT_PER_PLANE),
                    egui::MouseWheelUnit::Page => None,
                }
            }
            _ => None,
        });
        lines.sum()
    });
    if notches == 0.0 {
        return;
    }
    if shift && paints(s.workspace.tool) {
        let radius_mm = s.workspace.brush.radius_mm * BRUSH_PER_NOTCH.powf(f64::from(notches));
        let [least, most] = tool_options::BRUSH_MM;
        let radius_mm = radius_mm.clamp(least, most);
        out.command(Command::SetBrush(BrushSettings { radius_mm, ..s.workspace.brush }));
        return;
    }
    state.wheel -= notches;
    let planes = state.wheel.trunc();
    state.wheel -= planes;
    if planes != 0.0 {
        out.command(Command::ScrollBy { slot: Some(slot), planes: planes as i64 });
    }
}

/// The brush as a ring of its size.
pub(super) fn brush_ring(ui: &Ui, cx: &Cx<'_>, place: &Placement, response: &Response) {
    let s = cx.session;
    if !paints(s.workspace.tool) {
        return;
    }
    let Some(p) = response.hover_pos().or(response.interact_pointer_pos()) else { return };
    let radius = (s.workspace.brush.radius_mm * place.pt_per_mm) as f32;
    let painter = ui.painter();
    painter.circle_stroke(p, radius, Stroke::new(px(painter, 3.0), cx.tokens.halo.gamma_multiply(0.6)));
    painter.circle_stroke(p, radius, Stroke::new(px(painter, 1.0), cx.tokens.ov));
}

/// What lies under the pointer.
fn hover(cx: &Cx<'_>, textures: &ViewTextures, slot: usize, open: &OpenStack, place: &Placement, p: Pos2) -> Hover {
    let s = cx.session;
    let view = &s.workspace.views[slot];
    let plane = place.plane_from_screen(p);
    let at = place.grid.to_patient(plane);
    let inside = plane.x >= -0.5 && plane.y >= -0.5;
    let (x, y) = ((plane.x + 0.5).floor(), (plane.y + 0.5).floor());
    let value = textures
        .pixels
        .as_ref()
        .filter(|_| inside)
        .and_then(|pixels| value_at(pixels, &place.grid, x as usize, y as usize))
        .map(|v| {
            // As many as tell neighbouring values apart: a map of ratios needs more than Hounsfield units.
            let decimals = match v.abs() {
                _ if v.fract() == 0.0 => 0,
                a if a >= 100.0 => 1,
                a if a >= 1.0 => 2,
                _ => 4,
            };
            format!("{} {}", signed(f64::from(v), decimals), open.unit())
        })
        .unwrap_or_default();
    let value = match layer_of(s, slot).filter(|_| !value.is_empty()) {
        Some((_, restored)) => {
            let made = restored.values.get(y as usize * restored.columns + x as usize).filter(|v| v.is_finite());
            made.map_or(value.clone(), |v| format!("original {value}, restored {}", signed(f64::from(*v), 0)))
        }
        None => value,
    };
    let position = if open.in_patient {
        format!("{} mm", at.letters())
    } else {
        let unit = open.calibration().unit();
        let note = open.calibration().note();
        format!("x {:.1}  y {:.1} {unit} {note}", at.0.x, at.0.y).trim_end().to_owned()
    };
    let voxel = open.geometry().to_voxel(at).index(open.geometry().dims());
    let segments = match (voxel, s.document(open.id)) {
        (Some(v), Some(d)) => {
            d.segments.iter().rev().filter(|x| x.visible && x.mask.get(v)).map(|x| x.name.clone()).collect()
        }
        _ => Vec::new(),
    };
    Hover {
        slot,
        stack: open.id,
        plane: view.plane,
        at,
        value,
        position,
        voxel: voxel.map_or(String::new(), |[c, r, k]| match open.frames() {
            // A single image has pixels, not voxels.
            1 => format!("pixel {c}, {r}"),
            _ if open.in_patient => format!("voxel {c}, {r}, {k}"),
            _ => format!("pixel {c}, {r}, image {}", k + 1),
        }),
        segments,
    }
}

/// The menu of the right button.
fn menu(response: &Response, s: &Session, slot: usize, open: &OpenStack, out: &mut Out) {
    response.context_menu(|ui| {
        let slot = Some(slot);
        let mut item = |ui: &mut Ui, text: &str, command: Command| {
            if ui.button(text).clicked() {
                out.command(command);
                ui.close();
            }
        };
        for plane in open.planes() {
            item(ui, plane.name(), Command::SetPlane { slot, plane });
        }
        ui.separator();
        for (n, (name, _)) in lightbox_session::presets(open).into_iter().enumerate() {
            item(ui, &format!("{}  {name}", n + 1), Command::Preset { slot, n });
        }
        item(ui, "Window from the image", Command::AutoWindow { slot });
        item(ui, "Invert", Command::Invert { slot });
        ui.separator();
        item(ui, "Fit", Command::Fit { slot });
        item(ui, "Reset the view", Command::Reset { slot });
        item(
            ui,
            if s.workspace.linked { "Unlink the views" } else { "Link the views" },
            Command::SetLinked(!s.workspace.linked),
        );
    });
}
