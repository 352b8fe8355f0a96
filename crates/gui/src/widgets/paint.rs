//! Painting that several parts share: text on a line, icons, the focus ring, dashed edges, text on pixels.

use std::sync::Arc;

use egui::{
    Align2, Color32, CornerRadius, FontId, Galley, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, TextFormat, Ui,
    emath::GuiRounding as _,
    pos2,
    text::{LayoutJob, TextWrapping},
    vec2,
};

use crate::{fonts, icons::Icon, theme};

/// Lay out one line, cut with an ellipsis where it is wider than `most_pt`.
pub fn line_text(ui: &Ui, text: impl Into<String>, font: FontId, colour: Color32, most_pt: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(text.into(), font, colour);
    job.wrap = TextWrapping::truncate_at_width(most_pt.max(0.0));
    ui.painter().layout_job(job)
}

/// Lay out a paragraph of lines `line_pt` high, as wide as `most_pt`; each part has its font and colour.
pub fn wrapped_text(ui: &Ui, parts: &[(&str, FontId, Color32)], line_pt: f32, most_pt: f32) -> Arc<Galley> {
    let mut job = LayoutJob { wrap: TextWrapping::wrap_at_width(most_pt), ..LayoutJob::default() };
    for (text, font, colour) in parts {
        let format = TextFormat { line_height: Some(line_pt), ..TextFormat::simple(font.clone(), *colour) };
        job.append(text, 0.0, format);
    }
    ui.painter().layout_job(job)
}

/// Paint laid-out text into a part of `rect`. A line is centred by the height of its font, as the design's are.
pub fn paint_text(painter: &Painter, galley: Arc<Galley>, rect: Rect, align: Align2) {
    let place = align.align_size_within_rect(galley.size(), rect);
    painter.galley(place.min, galley, Color32::PLACEHOLDER);
}

/// Paint an icon with a side in points; its square lies on whole pixels, so that its lines are equal everywhere.
pub fn paint_icon(painter: &Painter, icon: Icon, centre: Pos2, side_pt: f32, colour: Color32) {
    let galley = painter.layout_no_wrap(icon.0.to_string(), fonts::icon_font(side_pt), colour);
    let corner = centre - vec2(side_pt, side_pt) / 2.0;
    painter.galley(corner.round_to_pixels(painter.pixels_per_point()), galley, colour);
}

/// Paint the ring of the keyboard's focus around a part: two points, one off its edge.
pub fn focus_ring(ui: &Ui, rect: Rect, radius: u8) {
    let stroke = Stroke::new(2.0, theme::tokens(ui).focus);
    let ring = rect.expand(1.0);
    ui.painter().rect_stroke(ring, CornerRadius::same(radius + 1), stroke, StrokeKind::Outside);
}

/// The same for a row that reaches the edge of its panel: inside its edge.
pub(super) fn focus_ring_inside(ui: &Ui, rect: Rect, radius: u8) {
    let stroke = Stroke::new(2.0, theme::tokens(ui).focus);
    ui.painter().rect_stroke(rect, CornerRadius::same(radius), stroke, StrokeKind::Inside);
}

/// Paint a dashed rectangle with round corners; the line lies inside `rect`.
pub fn dashed_rect(painter: &Painter, rect: Rect, radius_pt: f32, stroke: Stroke, dash_pt: f32, gap_pt: f32) {
    let rect = rect.shrink(stroke.width / 2.0);
    let radius = radius_pt.min(rect.width() / 2.0).min(rect.height() / 2.0) - stroke.width / 2.0;
    let radius = radius.max(0.0);
    let mut outline = Vec::new();
    let corners = [
        (pos2(rect.right() - radius, rect.top() + radius), -90.0_f32),
        (pos2(rect.right() - radius, rect.bottom() - radius), 0.0),
        (pos2(rect.left() + radius, rect.bottom() - radius), 90.0),
        (pos2(rect.left() + radius, rect.top() + radius), 180.0),
    ];
    let steps = if radius > 0.0 { 8 } else { 0 };
    for (centre, from_degrees) in corners {
        for step in 0..=steps {
            let angle = (from_degrees + 90.0 * step as f32 / steps.max(1) as f32).to_radians();
            outline.push(centre + radius * vec2(angle.cos(), angle.sin()));
        }
    }
    outline.push(outline[0]);
    painter.extend(Shape::dashed_line(&outline, stroke, dash_pt, gap_pt));
}

/// Paint text on pixels: once in black a physical pixel to each side, then in its colour.
pub fn outlined_text(ui: &Ui, pos: Pos2, align: Align2, text: &str, font: FontId, colour: Color32) -> Rect {
    text_on_pixels(ui, pos, align, text, font, colour, 1.0)
}

/// The same at a fifth of its strength: what lies under it can be seen.
pub fn faint_text(ui: &Ui, pos: Pos2, align: Align2, text: &str, font: FontId, colour: Color32) -> Rect {
    text_on_pixels(ui, pos, align, text, font, colour, 0.2)
}

fn text_on_pixels(ui: &Ui, pos: Pos2, align: Align2, text: &str, font: FontId, colour: Color32, strength: f32) -> Rect {
    let painter = ui.painter();
    let halo = theme::tokens(ui).halo.gamma_multiply(strength);
    let colour = colour.gamma_multiply(strength);
    let galley = painter.layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER);
    let rect = align.anchor_size(pos, galley.size());
    let min = rect.min.round_to_pixels(painter.pixels_per_point());
    let step = 1.0 / painter.pixels_per_point();
    for offset in [vec2(-step, 0.0), vec2(step, 0.0), vec2(0.0, -step), vec2(0.0, step)] {
        painter.galley_with_override_text_color(min + offset, galley.clone(), halo);
    }
    painter.galley_with_override_text_color(min, galley, colour);
    rect
}
