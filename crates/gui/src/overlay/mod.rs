//! What lies on the image: lines, letters, numbers. Painter code only; geometry comes from the core.

pub mod annotations;
pub mod boxes;
pub mod crosshair;
pub mod heat;
pub mod masks;
pub mod scale_bar;
pub mod text;

use egui::{Color32, Painter, Pos2, Shape, Stroke};

use crate::theme::Tokens;

/// Width of a line of so many physical pixels, in points.
#[must_use]
pub fn px(painter: &Painter, pixels: f32) -> f32 {
    pixels / painter.pixels_per_point()
}

/// The halo's colour: black at 60 %.
fn halo(tokens: &Tokens) -> Color32 {
    tokens.halo.gamma_multiply(0.6)
}

/// An open or closed line of `width_px` physical pixels with a black halo of 1 px a side.
pub fn haloed(painter: &Painter, tokens: &Tokens, points: Vec<Pos2>, closed: bool, width_px: f32, colour: Color32) {
    let line = |w: f32, c: Color32| {
        let stroke = Stroke::new(px(painter, w), c);
        if closed { Shape::closed_line(points.clone(), stroke) } else { Shape::line(points.clone(), stroke) }
    };
    painter.add(line(width_px + 2.0, halo(tokens)));
    painter.add(line(width_px, colour));
}

/// An open line with its halo, dashed. The halo is whole: between the dashes it reads as the dark half of the line, on
/// white as on black.
pub fn haloed_dashes(painter: &Painter, tokens: &Tokens, points: &[Pos2], width_px: f32, colour: Color32) {
    const DASH_PT: f32 = 4.0;
    const GAP_PT: f32 = 3.0;
    painter.add(Shape::line(points.to_vec(), Stroke::new(px(painter, width_px + 2.0), halo(tokens))));
    painter.extend(Shape::dashed_line(points, Stroke::new(px(painter, width_px), colour), DASH_PT, GAP_PT));
}
