//! The options of the tool in the hand, in the middle of the top bar, and the planes that the active viewport shows.
//! What finds no room is left out from the end: each option has another place too (keys, the viewport's menu, a panel).

use egui::Ui;
use lightbox_core::{PlaneStack, Window};
use lightbox_session::workspace::{BrushSettings, Overwrite, Tool, ViewState};
use lightbox_session::{Command, OpenStack, presets};

use super::parts::{TABLE, menu_item, separator, words};
use crate::cx::{Cx, Out};
use crate::fonts::Weight;
use crate::icons::{self, Icon};
use crate::widgets::{Button, DropDown, Number, Row, Segmented, Slider};

/// Largest and smallest radius of the brush, in mm.
pub const BRUSH_MM: [f64; 2] = [0.5, 50.0];

/// Fills its room.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let view = cx.session.workspace.active_view();
    let Some(open) = view.stack.and_then(|id| cx.session.library.stack(id)) else { return };
    match cx.session.workspace.tool {
        Tool::Window => window(ui, out, view, open),
        Tool::Pan | Tool::Zoom => zoom(ui, cx, out, view),
        Tool::Scroll | Tool::Crosshair => position(ui, cx, out, view, open),
        tool @ (Tool::Length | Tool::Angle | Tool::Ellipse) => measure(ui, cx, out, tool),
        Tool::Brush | Tool::Eraser => brush(ui, cx, out, open),
    }
    plane(ui, cx, out, view, open);
}

/// Whether this much room is left.
fn fits(ui: &Ui, width_pt: f32) -> bool {
    ui.available_width() >= width_pt
}

/// The window that a viewport shows: the reader's, else that of the stack.
pub(super) fn window_of(view: &ViewState, open: &OpenStack) -> Option<Window> {
    view.window.or(open.default_window)
}

/// The name of the window shown: a preset's, the file's, or the reader's own.
fn window_name(view: &ViewState, open: &OpenStack, shown: Option<Window>) -> String {
    let near = |a: Window, b: Window| {
        let least = a.width.abs().max(1.0) * 1e-3;
        (a.width - b.width).abs() < least && (a.center - b.center).abs() < least
    };
    let Some(shown) = shown else { return "Window".into() };
    if let Some((name, _)) = presets(open).into_iter().find(|(_, w)| near(*w, shown)) {
        return name;
    }
    if view.window.is_none() || open.default_window.is_some_and(|w| near(w, shown)) { "As opened" } else { "Own" }
        .into()
}

fn window(ui: &mut Ui, out: &mut Out, view: &ViewState, open: &OpenStack) {
    let shown = window_of(view, open);
    let name = window_name(view, open, shown);
    DropDown::new("Window preset", &name).icon(icons::CIRCLE_HALF).key("1–9").show(ui, |ui| {
        for (n, (name, window)) in presets(open).iter().enumerate() {
            let end = format!("{} / {}", figure(window.width, window.width), figure(window.center, window.width));
            let key = (n + 1).to_string();
            if menu_item(ui, Row::new(name).end(&end).key(&key)) {
                out.command(Command::Preset { slot: None, n });
            }
        }
        if menu_item(ui, Row::new("From the pixels shown").key("0")) {
            out.command(Command::AutoWindow { slot: None });
        }
    });
    let Some(shown) = shown else { return };
    let decimals = decimals(shown.width);
    let speed = (shown.width / 256.0).max(1e-3);
    let (mut width, mut center) = (shown.width, shown.center);
    if !fits(ui, 172.0) {
        return;
    }
    let least = if decimals == 0 { 1.0 } else { 1e-3 };
    let wide = Number::new("Window width", "W", &mut width, least, 1e6).speed(speed).decimals(decimals);
    let mut changed = ui.add(wide).changed();
    let level = Number::new("Window level", "L", &mut center, -1e6, 1e6).speed(speed).decimals(decimals);
    changed |= ui.add(level).changed();
    if changed {
        out.command(Command::SetWindow { slot: None, window: Window { width, center, ..shown } });
    }
}

/// Decimals that suit a window of this width.
fn decimals(width: f64) -> usize {
    match width {
        w if w >= 20.0 => 0,
        w if w >= 2.0 => 1,
        _ => 3,
    }
}

fn figure(value: f64, width: f64) -> String {
    let decimals = decimals(width);
    super::amount::minus(format!("{value:.decimals$}"))
}

fn zoom(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, view: &ViewState) {
    let mut percent = view.zoom * 100.0;
    let number =
        Number::new("Magnification against fitting", "Zoom", &mut percent, 10.0, 3200.0).unit("%").width(112.0);
    if ui.add(number).changed() {
        out.command(Command::SetZoom { slot: None, zoom: percent / 100.0, pan_mm: view.pan_mm });
    }
    let fitted = (view.zoom - 1.0).abs() < 1e-9 && view.pan_mm == [0.0, 0.0];
    let reason = if fitted { "it fits" } else { "" };
    if fits(ui, 64.0)
        && ui.add(Button::new("Fit").disabled(reason).line("Magnification and shift as when opened.")).clicked()
    {
        out.command(Command::Fit { slot: None });
    }
    if cx.session.workspace.tool == Tool::Pan && fits(ui, 200.0) {
        note(ui, cx, "Middle drag pans with any tool");
    }
}

fn position(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, view: &ViewState, open: &OpenStack) {
    let count = open.plane_stack(view.plane).count();
    let mut number = (view.index + 1) as f64;
    let unit = format!("of {count}");
    let slice =
        Number::new("Slice", "Slice", &mut number, 1.0, count.max(1) as f64).speed(0.25).unit(&unit).width(128.0);
    if ui.add(slice).changed() {
        out.command(Command::ScrollTo { slot: None, index: (number.round().max(1.0) as usize) - 1 });
    }
    if cx.session.workspace.tool == Tool::Crosshair && fits(ui, 280.0) {
        let text = if cx.session.workspace.linked {
            "Linked views scroll to the point"
        } else {
            "Views are not linked, L links them"
        };
        note(ui, cx, text);
    }
}

fn measure(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, tool: Tool) {
    DropDown::new("Measure", tool.name()).icon(icon(tool)).show(ui, |ui| {
        for other in [Tool::Length, Tool::Angle, Tool::Ellipse] {
            if menu_item(ui, Row::new(other.name()).icon(icon(other)).key(key(other)).selected(other == tool)) {
                out.command(Command::SetTool(other));
            }
        }
    });
    if fits(ui, 300.0) {
        let text = match tool {
            Tool::Length => "Two points",
            Tool::Angle => "End, vertex, end",
            _ => "Drag a box: area, mean, SD",
        };
        note(ui, cx, text);
    }
}

fn brush(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack) {
    let now = cx.session.workspace.brush;
    let mut shape = usize::from(now.ball);
    if Segmented::new("Shape of the brush", &["Disc", "Sphere"]).show(ui, &mut shape).changed() {
        out.command(Command::SetBrush(BrushSettings { ball: shape == 1, ..now }));
    }
    // A brush is 1 to 100 mm across; equal steps of the knob are equal ratios, or small sizes could not be set.
    let mut size = now.radius_mm.max(BRUSH_MM[0]).ln();
    let unit = lightbox_core::measure::Calibration::unit(open.calibration());
    let text = format!("{:.1} {unit}", now.radius_mm * 2.0);
    if fits(ui, 212.0) {
        ui.add_space(4.0);
        let slider = Slider::new("Size of the brush", &mut size, BRUSH_MM[0].ln(), BRUSH_MM[1].ln())
            .label("Size", 24.0)
            .track(96.0)
            .text(&text, 52.0)
            .key("Shift+wheel")
            .line("Diameter.");
        if ui.add(slider).changed() {
            let radius_mm = (size.exp() * 20.0).round() / 20.0;
            out.command(Command::SetBrush(BrushSettings { radius_mm, ..now }));
        }
    }
    let Some(document) = cx.session.document(open.id).filter(|d| !d.segments.is_empty()) else { return };
    if document.segments.len() > 1 && cx.session.workspace.tool == Tool::Brush && fits(ui, 184.0) {
        overwrite(ui, cx, out);
    }
    if !fits(ui, 220.0) {
        return;
    }
    separator(ui, cx.tokens);
    let name = document.active.and_then(|id| document.segment(id)).map_or("none", |s| s.name.as_str());
    DropDown::new("Segment that strokes change", name).label("Segment").width(184.0).show(ui, |ui| {
        for segment in &document.segments {
            let row = Row::new(&segment.name)
                .swatch(super::parts::colour(segment.colour))
                .selected(document.active == Some(segment.id))
                .disabled(if segment.locked { "locked" } else { "" });
            if menu_item(ui, row) {
                out.command(Command::SelectSegment(segment.id));
            }
        }
    });
}

/// What the brush takes from other segments.
fn overwrite(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    separator(ui, cx.tokens);
    let now = cx.session.workspace.overwrite;
    let line = "Segments that lose the voxels that are painted; locked ones never do.";
    DropDown::new("Overwrite", now.name()).label("Overwrite").line(line).show(ui, |ui| {
        for choice in Overwrite::ALL {
            let end = match choice {
                Overwrite::Unlocked => "all that are not locked",
                Overwrite::Visible => "of them those shown",
                Overwrite::Nothing => "segments may overlap",
            };
            if menu_item(ui, Row::new(choice.name()).end(end).selected(choice == now)) {
                out.command(Command::SetOverwrite(choice));
            }
        }
    });
}

fn plane(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, view: &ViewState, open: &OpenStack) {
    let planes = open.planes();
    if planes.len() < 2 || !fits(ui, 160.0) {
        return;
    }
    separator(ui, cx.tokens);
    let value = format!("{} {}", view.plane.name(), step(&open.plane_stack(view.plane)));
    DropDown::new("Plane", &value).icon(icons::ROWS).show(ui, |ui| {
        for plane in planes {
            let how = if open.plane_stack(plane).is_interpolated() { "interpolated" } else { "as acquired" };
            let end = format!("{}, {how}", step(&open.plane_stack(plane)));
            if menu_item(ui, Row::new(plane.name()).end(&end).selected(plane == view.plane)) {
                out.command(Command::SetPlane { slot: None, plane });
            }
        }
    });
}

/// How far planes are apart; a mean would be a distance that none of them has.
pub(super) fn step(planes: &PlaneStack) -> String {
    if planes.is_uneven() { "uneven".to_owned() } else { millimetres(planes.step_mm().length()) }
}

/// A distance with at most two decimals, without zeros at the end: `1.25 mm`, `5 mm`, `0.7 mm`.
pub(super) fn millimetres(mm: f64) -> String {
    let text = format!("{mm:.2}");
    format!("{} mm", text.trim_end_matches('0').trim_end_matches('.'))
}

fn note(ui: &mut Ui, cx: &Cx<'_>, text: &str) {
    ui.add_space(8.0);
    words(ui, text, TABLE, Weight::Regular, cx.tokens.t3);
}

/// The icon of a tool.
pub fn icon(tool: Tool) -> Icon {
    match tool {
        Tool::Window => icons::CIRCLE_HALF,
        Tool::Pan => icons::ARROWS_OUT_CARDINAL,
        Tool::Zoom => icons::MAGNIFYING_GLASS_PLUS,
        Tool::Scroll => icons::ROWS,
        Tool::Crosshair => icons::CROSSHAIR_SIMPLE,
        Tool::Length => icons::RULER,
        Tool::Angle => icons::ANGLE,
        Tool::Ellipse => icons::CIRCLE,
        Tool::Brush => icons::PAINT_BRUSH,
        Tool::Eraser => icons::ERASER,
    }
}

/// The key of a tool; empty where the hand needs none.
pub fn key(tool: Tool) -> &'static str {
    match tool {
        Tool::Window => "W",
        Tool::Pan | Tool::Zoom | Tool::Scroll => "",
        Tool::Crosshair => "X",
        Tool::Length => "D",
        Tool::Angle => "A",
        Tool::Ellipse => "E",
        Tool::Brush => "Shift+B",
        Tool::Eraser => "Shift+E",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millimetres_have_no_zeros_at_the_end() {
        assert_eq!(
            (millimetres(1.25), millimetres(5.0), millimetres(0.7)),
            ("1.25 mm".into(), "5 mm".into(), "0.7 mm".into())
        );
    }

    #[test]
    fn narrow_windows_get_decimals() {
        assert_eq!(
            (figure(1500.0, 1500.0), figure(-600.0, 1500.0), figure(0.25, 0.5)),
            ("1500".into(), "−600".into(), "0.250".into())
        );
    }
}
