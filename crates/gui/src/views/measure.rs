//! Measurements under the hand: drawing them, finding them, moving them.

use egui::{Event, PointerButton, Pos2, Rect, Response, Ui, vec2};
use lightbox_core::PatientPos;
use lightbox_core::plane::PlanePixels;
use lightbox_session::annotation::{Annotation, AnnotationKind};
use lightbox_session::workspace::Tool;
use lightbox_session::{Command, OpenStack};

use super::place::Placement;
use super::{Hand, ViewsState};
use crate::cx::{Cx, Out, Request};
use crate::overlay::annotations;

/// How near the pointer has to be to a handle, in points.
const REACH_PT: f32 = 10.0;
/// How near it has to be to a line.
const REACH_LINE_PT: f32 = 5.0;

/// Why a measurement is not taken.
const OUTSIDE: &str = "Not measured: nothing was acquired at one of its points.";

/// Whether there is image under the points. A plane through a leaning volume is black where nothing was acquired; of the
/// box of an ellipse only the middle has to lie on it.
fn is_on_pixels(kind: AnnotationKind, points: &[PatientPos], place: &Placement, pixels: Option<&PlanePixels>) -> bool {
    let Some(PlanePixels::Values(values)) = pixels else { return true };
    let grid = &place.grid;
    let there = |p: PatientPos| {
        let at = grid.to_plane(p).0;
        let index = |v: f64, size: usize| ((v + 0.5).floor().max(0.0) as usize).min(size - 1);
        let at = index(at.y, grid.height) * grid.width + index(at.x, grid.width);
        values.get(at).is_some_and(|v| !v.is_nan())
    };
    match (kind, points) {
        (AnnotationKind::Ellipse, [a, b]) => there(PatientPos((a.0 + b.0) / 2.0)),
        _ => points.iter().all(|p| there(*p)),
    }
}

/// What kind of measurement a tool draws; `None` for the others.
#[must_use]
pub(super) fn kind_of(tool: Tool) -> Option<AnnotationKind> {
    match tool {
        Tool::Length => Some(AnnotationKind::Length),
        Tool::Angle => Some(AnnotationKind::Angle),
        Tool::Ellipse => Some(AnnotationKind::Ellipse),
        _ => None,
    }
}

/// The measurement at a place of the screen, and which of its points; the whole of it while that is `None`.
///
/// With a tool in the hand that draws one itself only points count: a new line may begin on an old one.
#[must_use]
pub(super) fn under<'a>(
    cx: &Cx<'a>,
    open: &OpenStack,
    place: &Placement,
    p: Pos2,
) -> Option<(&'a Annotation, Option<usize>)> {
    let draws = kind_of(cx.session.workspace.tool).is_some();
    let document = cx.session.document(open.id)?;
    document.annotations.iter().rev().find_map(|annotation| {
        let step_mm = open.plane_stack(annotation.plane).gap_mm(annotation.index).max(1e-6);
        let at = annotations::on_plane(place, &annotation.points, step_mm)?;
        if let Some(point) = at.iter().position(|q| q.distance(p) <= REACH_PT) {
            return Some((annotation, Some(point)));
        }
        (!draws && is_on(annotation.kind, &at, p)).then_some((annotation, None))
    })
}

/// Whether a place lies on the line of a measurement.
fn is_on(kind: AnnotationKind, at: &[Pos2], p: Pos2) -> bool {
    let near = |line: &[Pos2]| line.windows(2).any(|w| distance_to_line(p, w[0], w[1]) <= REACH_LINE_PT);
    match (kind, at) {
        (AnnotationKind::Ellipse, [a, b]) => near(&ellipse(*a, *b)),
        _ => near(at),
    }
}

/// The outline of the ellipse in a box, closed.
fn ellipse(a: Pos2, b: Pos2) -> Vec<Pos2> {
    let r = Rect::from_two_pos(a, b);
    let at = |i: usize| {
        let angle = std::f32::consts::TAU * i as f32 / 32.0;
        r.center() + vec2(angle.cos() * r.width() / 2.0, angle.sin() * r.height() / 2.0)
    };
    (0..=32).map(at).collect()
}

fn distance_to_line(p: Pos2, a: Pos2, b: Pos2) -> f32 {
    let d = b - a;
    let t = if d.length_sq() > 0.0 { ((p - a).dot(d) / d.length_sq()).clamp(0.0, 1.0) } else { 0.0 };
    p.distance(a + d * t)
}

/// Moves a measurement or one of its points; true when the press belongs to one.
pub(super) fn moving(
    cx: &Cx<'_>,
    state: &mut ViewsState,
    slot: usize,
    open: &OpenStack,
    place: &Placement,
    pixels: Option<&PlanePixels>,
    response: &Response,
    press: Option<Pos2>,
    now: Option<Pos2>,
    out: &mut Out,
) -> bool {
    let primary = PointerButton::Primary;
    if super::interact::paints(cx.session.workspace.tool) || matches!(state.hand, Hand::Measuring { .. }) {
        return false;
    }
    if let Hand::Moving { slot: of, stack, id, point, last, points } = &mut state.hand {
        // Another viewport may show the same stack; the hand is in one.
        if *of != slot {
            return false;
        }
        if let Some(p) = now {
            let at = place.patient_on_image(p);
            match point {
                Some(n) => points[*n] = at,
                None => *points = place.moved(points, PatientPos(at.0 - last.0)),
            }
            *last = at;
        }
        if response.drag_stopped_by(primary) || !response.dragged() {
            let kind =
                cx.session.document(*stack).and_then(|d| d.annotations.iter().find(|a| a.id == *id)).map(|a| a.kind);
            if kind.is_some_and(|kind| is_on_pixels(kind, points, place, pixels)) {
                out.command(Command::MoveAnnotation { stack: *stack, id: *id, points: points.clone() });
            } else {
                out.request(Request::Notice(OUTSIDE.to_owned()));
            }
            state.hand = Hand::Free;
        }
        return true;
    }
    let (started, clicked) = (response.drag_started_by(primary), response.clicked());
    if !(started || clicked) {
        return false;
    }
    let Some(p) = press.or(now) else { return false };
    let Some((annotation, point)) = under(cx, open, place, p) else {
        if clicked && cx.ui.selected.is_some() {
            out.request(Request::Select(None));
        }
        return false;
    };
    out.request(Request::Select(Some((open.id, annotation.id))));
    if started {
        state.hand = Hand::Moving {
            slot,
            stack: open.id,
            id: annotation.id,
            point,
            last: place.patient_on_image(p),
            points: annotation.points.clone(),
        };
    }
    true
}

/// A drag that began on the image and ended within this frame, of which egui tells neither a drag nor a click: from, to.
fn whole_drag(ui: &Ui, place: &Placement, response: &Response) -> Option<[Pos2; 2]> {
    if !response.contains_pointer() || response.clicked() {
        return None;
    }
    let primary = |e: &Event| match e {
        Event::PointerButton { pos, button: PointerButton::Primary, pressed, .. } => Some((*pos, *pressed)),
        _ => None,
    };
    let all: Vec<_> = ui.input(|i| i.events.iter().filter_map(primary).collect());
    let [(from, true), (to, false)] = all.as_slice() else { return None };
    place.rect.contains(*from).then_some([*from, *to])
}

/// Two or three points, by dragging or by clicks.
pub(super) fn draw(
    ui: &Ui,
    state: &mut ViewsState,
    slot: usize,
    kind: AnnotationKind,
    place: &Placement,
    pixels: Option<&PlanePixels>,
    response: &Response,
    press: Option<Pos2>,
    now: Option<Pos2>,
    out: &mut Out,
) {
    let primary = PointerButton::Primary;
    let at = now.map(|p| place.patient_on_image(p));
    let wrong = matches!(&state.hand, Hand::Measuring { kind: k, slot: n, .. } if *k != kind || *n != slot);
    if wrong && (response.drag_started_by(primary) || response.clicked()) {
        state.hand = Hand::Free;
    }
    match &mut state.hand {
        Hand::Measuring { slot: n, kind: k, points, dragging } if *n == slot && *k == kind => {
            if let (Some(at), Some(last)) = (at, points.last_mut()) {
                *last = at;
            }
            let set = if *dragging {
                response.drag_stopped_by(primary)
            } else {
                response.clicked() || response.drag_stopped_by(primary)
            };
            if set {
                *dragging = false;
                if points.len() == kind.points() {
                    let points = std::mem::take(points);
                    state.hand = Hand::Free;
                    take(slot, kind, points, place, pixels, out);
                } else if let Some(at) = at {
                    points.push(at);
                }
            }
        }
        _ => {
            if let Some(ends) = whole_drag(ui, place, response) {
                if !begins(place, ends[0], out) {
                    return;
                }
                let [from, to] = ends.map(|p| place.patient_on_image(p));
                if kind.points() == 2 {
                    take(slot, kind, vec![from, to], place, pixels, out);
                } else {
                    state.hand = Hand::Measuring { slot, kind, points: vec![from, to, to], dragging: false };
                }
                return;
            }
            let start = if response.drag_started_by(primary) { press } else { None };
            let begin = start.or(if response.clicked() { now } else { None });
            if let Some(p) = begin {
                if !begins(place, p, out) {
                    return;
                }
                let first = place.patient_from_screen(p);
                let dragging = start.is_some();
                state.hand = Hand::Measuring { slot, kind, points: vec![first, at.unwrap_or(first)], dragging };
            }
        }
    }
}

/// Whether a measurement may begin here; says why not.
fn begins(place: &Placement, at: Pos2, out: &mut Out) -> bool {
    let on_image = place.shown().contains(at);
    if !on_image {
        out.request(Request::Notice("A measurement begins on the image.".to_owned()));
    }
    on_image
}

/// Adds a measurement whose points are all there, unless two of them are one or nothing was acquired under one.
fn take(
    slot: usize,
    kind: AnnotationKind,
    points: Vec<PatientPos>,
    place: &Placement,
    pixels: Option<&PlanePixels>,
    out: &mut Out,
) {
    if !is_on_pixels(kind, &points, place, pixels) {
        out.request(Request::Notice(OUTSIDE.to_owned()));
    } else if points.windows(2).all(|w| w[0].distance_mm(w[1]) > 1e-6) {
        out.command(Command::AddAnnotation { slot: Some(slot), kind, points });
    }
}

#[cfg(test)]
mod tests {
    use egui::pos2;

    use super::*;

    #[test]
    fn an_ellipse_is_taken_by_its_outline() {
        let box_of = [pos2(0.0, 0.0), pos2(100.0, 60.0)];
        assert!(is_on(AnnotationKind::Ellipse, &box_of, pos2(50.0, 2.0)));
        assert!(!is_on(AnnotationKind::Ellipse, &box_of, pos2(50.0, 30.0)), "its middle is image");
        assert!(is_on(AnnotationKind::Length, &box_of, pos2(50.0, 30.0)));
    }
}
