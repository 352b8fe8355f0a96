//! Contours of masks; the fills are a texture.

use egui::{Painter, Pos2};
use lightbox_core::SegmentId;

use super::{haloed, haloed_dashes};
use crate::textures::MaskShape;
use crate::theme::Tokens;
use crate::views::place::Placement;

/// Draws the contours: 1.5 physical pixels, 2 for the active segment, dashed while nobody accepted them. Those whose
/// sentence is pointed at are wider and have the accent around them.
pub fn paint(
    painter: &Painter,
    tokens: &Tokens,
    place: &Placement,
    shapes: &[MaskShape],
    active: Option<SegmentId>,
    pointed: &[SegmentId],
) {
    for shape in shapes {
        let colour = crate::theme::rgb(shape.colour);
        let lit = pointed.contains(&shape.id);
        let width = if lit || active == Some(shape.id) { 2.0 } else { 1.5 };
        for outline in shape.outlines.iter() {
            let mut points: Vec<Pos2> = outline.iter().map(|c| place.screen_from_corner(*c)).collect();
            if points.len() < 3 || !on_screen(place, &points) {
                continue;
            }
            thin_out(&mut points, 1.0 / painter.pixels_per_point());
            if lit {
                haloed(painter, tokens, points.clone(), true, 5.0, tokens.ovacc);
            }
            if shape.proposed {
                points.push(points[0]);
                haloed_dashes(painter, tokens, &points, width, colour);
            } else {
                haloed(painter, tokens, points, true, width, colour);
            }
        }
    }
}

/// Drops corners that are nearer to the last kept one than a physical pixel: an outline of a large X-ray has thousands.
fn thin_out(points: &mut Vec<Pos2>, least_pt: f32) {
    let mut last: Option<Pos2> = None;
    let all = points.len();
    let mut n = 0;
    points.retain(|p| {
        n += 1;
        let keep = last.is_none_or(|l| l.distance(*p) >= least_pt) || n + 2 > all;
        if keep {
            last = Some(*p);
        }
        keep
    });
}

fn on_screen(place: &Placement, points: &[Pos2]) -> bool {
    egui::Rect::from_points(points).intersects(place.rect)
}
