//! The linked crosshair: two dashed lines that stop before the point and before the edges.

use egui::{Painter, pos2};

use super::haloed_dashes;
use crate::theme::Tokens;
use crate::views::place::Placement;

/// Room that is left free around the point.
const FREE_PT: f32 = 24.0;

/// Draws it where the point lies on the plane's rectangle.
pub fn paint(painter: &Painter, tokens: &Tokens, place: &Placement, at: lightbox_core::PatientPos) {
    let (p, _) = place.screen_from_patient(at);
    let r = place.rect;
    let image = place.image_rect().intersect(r);
    if !image.expand(1.0).contains(p) {
        return;
    }
    let snap = |v: f32| (v * painter.pixels_per_point()).round() / painter.pixels_per_point();
    let p = pos2(snap(p.x), snap(p.y));
    // Corner text and letters keep their room.
    let room = image.intersect(r.shrink2(egui::vec2(28.0, 44.0)));
    let lines = [
        [pos2(room.left(), p.y), pos2(p.x - FREE_PT, p.y)],
        [pos2(p.x + FREE_PT, p.y), pos2(room.right(), p.y)],
        [pos2(p.x, room.top()), pos2(p.x, p.y - FREE_PT)],
        [pos2(p.x, p.y + FREE_PT), pos2(p.x, room.bottom())],
    ];
    for [a, b] in lines {
        if (b - a).x > 1.0 || (b - a).y > 1.0 {
            haloed_dashes(painter, tokens, &[a, b], 1.0, tokens.ovacc);
        }
    }
}
