//! Measurements on the image.

use egui::{Align2, Pos2, Rect, Ui, pos2, vec2};
use lightbox_core::PatientPos;
use lightbox_core::plane::PlanePixels;
use lightbox_session::annotation::{Annotation, AnnotationKind, Reading, read_on};
use lightbox_session::{AnnotationId, OpenStack};

use super::haloed;
use crate::fonts::{Weight, font};
use crate::theme::Tokens;
use crate::views::place::Placement;
use crate::widgets::outlined_text;

/// The points on the screen, when the measurement lies on this plane (within half a step of it).
#[must_use]
pub fn on_plane(place: &Placement, points: &[PatientPos], step_mm: f64) -> Option<Vec<Pos2>> {
    let mut out = Vec::with_capacity(points.len());
    for p in points {
        let (screen, distance) = place.screen_from_patient(*p);
        if distance.abs() > step_mm / 2.0 + 1e-6 {
            return None;
        }
        out.push(screen);
    }
    Some(out)
}

/// Draws a measurement with its number; handles when it is selected.
pub fn paint(
    ui: &Ui,
    t: &Tokens,
    place: &Placement,
    annotation: &Annotation,
    reading: Option<&Reading>,
    at: &[Pos2],
    selected: bool,
) {
    let width = if selected { 2.0 } else { 1.5 };
    shape(ui, t, annotation.kind, at, width);
    if let Some(reading) = reading {
        label(ui, t, place, annotation.kind, at, reading);
    }
    if selected {
        for p in at {
            handle(ui, t, *p);
        }
    }
}

/// Draws what is being drawn.
pub fn preview(
    ui: &Ui,
    t: &Tokens,
    place: &Placement,
    kind: AnnotationKind,
    points: &[PatientPos],
    open: &OpenStack,
    plane: (lightbox_core::Plane, usize),
    pixels: Option<&PlanePixels>,
) {
    let at: Vec<Pos2> = points.iter().map(|p| place.screen_from_patient(*p).0).collect();
    if at.len() == kind.points() {
        shape(ui, t, kind, &at, 1.5);
        let probe = Annotation {
            id: AnnotationId(0),
            stack: open.id,
            plane: plane.0,
            index: plane.1,
            kind,
            points: points.to_vec(),
        };
        if let Some(reading) = read_on(&probe, open, pixels) {
            label(ui, t, place, kind, &at, &reading);
        }
    } else {
        haloed(ui.painter(), t, at.clone(), false, 1.5, t.ov);
        for p in at {
            handle(ui, t, p);
        }
    }
}

fn handle(ui: &Ui, t: &Tokens, p: Pos2) {
    let r = Rect::from_center_size(p, vec2(8.0, 8.0));
    ui.painter().rect_filled(r.expand(1.0), 0, t.halo);
    ui.painter().rect_filled(r, 0, t.ovacc);
}

fn shape(ui: &Ui, t: &Tokens, kind: AnnotationKind, at: &[Pos2], width: f32) {
    let painter = ui.painter();
    match (kind, at) {
        (AnnotationKind::Length, [a, b]) => {
            haloed(painter, t, vec![*a, *b], false, width, t.ov);
            let d = *b - *a;
            if d.length() > 1.0 {
                let n = vec2(-d.y, d.x) / d.length() * 6.0;
                haloed(painter, t, vec![*a - n, *a + n], false, width, t.ov);
                haloed(painter, t, vec![*b - n, *b + n], false, width, t.ov);
            }
        }
        (AnnotationKind::Angle, [a, v, b]) => {
            haloed(painter, t, vec![*a, *v, *b], false, width, t.ov);
            let (u, w) = ((*a - *v).angle(), (*b - *v).angle());
            let mut sweep = w - u;
            while sweep > std::f32::consts::PI {
                sweep -= std::f32::consts::TAU;
            }
            while sweep < -std::f32::consts::PI {
                sweep += std::f32::consts::TAU;
            }
            let r = ((*a - *v).length().min((*b - *v).length()) * 0.4).min(24.0);
            let arc = (0..=16).map(|i| {
                let angle = u + sweep * i as f32 / 16.0;
                *v + vec2(angle.cos(), angle.sin()) * r
            });
            haloed(painter, t, arc.collect(), false, 1.0, t.ov);
        }
        (AnnotationKind::Ellipse, [a, b]) => {
            let r = Rect::from_two_pos(*a, *b);
            let points = (0..64).map(|i| {
                let angle = std::f32::consts::TAU * i as f32 / 64.0;
                r.center() + vec2(angle.cos() * r.width() / 2.0, angle.sin() * r.height() / 2.0)
            });
            haloed(painter, t, points.collect(), true, width, t.ov);
        }
        _ => {}
    }
}

/// The number beside the shape, never on it.
fn label(ui: &Ui, t: &Tokens, place: &Placement, kind: AnnotationKind, at: &[Pos2], reading: &Reading) {
    let bounds = Rect::from_points(at);
    let (mut p, mut align) = match (kind, at) {
        (AnnotationKind::Angle, [_, v, _]) => (*v + vec2(0.0, 12.0), Align2::CENTER_TOP),
        _ => (pos2(bounds.center().x, bounds.bottom() + 8.0), Align2::CENTER_TOP),
    };
    // The side with room: below, else above.
    if p.y + 36.0 > place.rect.bottom() {
        p.y = bounds.top() - 8.0;
        align = Align2::CENTER_BOTTOM;
    }
    p.x = p.x.clamp(place.rect.left() + 40.0, (place.rect.right() - 40.0).max(place.rect.left() + 40.0));
    let detail = reading.detail();
    let first = font(12.0, Weight::SemiBold);
    let second = font(11.0, Weight::Regular);
    if align == Align2::CENTER_TOP {
        let r = outlined_text(ui, p, align, &reading.short(), first, t.ov);
        if !detail.is_empty() {
            outlined_text(ui, pos2(p.x, r.bottom()), align, &detail, second, t.ov2);
        }
    } else {
        let mut bottom = p;
        if !detail.is_empty() {
            bottom.y = outlined_text(ui, p, align, &detail, second, t.ov2).top();
        }
        outlined_text(ui, bottom, align, &reading.short(), first, t.ov);
    }
}
