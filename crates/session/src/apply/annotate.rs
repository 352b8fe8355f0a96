//! Measurements.

use lightbox_core::PatientPos;

use crate::annotation::{Annotation, AnnotationKind};
use crate::document::{DocumentEdit, Gesture};
use crate::event::Effect;
use crate::ids::{AnnotationId, StackId};
use crate::session::Session;

/// Adds a measurement on the plane that a viewport shows.
pub(super) fn add(s: &mut Session, slot: Option<usize>, kind: AnnotationKind, points: Vec<PatientPos>) -> Vec<Effect> {
    if points.len() != kind.points() || points.iter().any(|p| !p.0.is_finite()) {
        return Vec::new();
    }
    let Some((_, view, open)) = super::view::view_of(s, slot) else { return Vec::new() };
    let (stack, plane, index) = (open.id, view.plane, view.index);
    let document = s.documents.entry(stack).or_default();
    let annotation = Annotation { id: document.new_annotation_id(), stack, plane, index, kind, points };
    edit(s, stack, kind.name(), None, Some(annotation))
}

/// Moves the points of a measurement.
pub(super) fn move_points(s: &mut Session, stack: StackId, id: AnnotationId, points: Vec<PatientPos>) -> Vec<Effect> {
    let Some(before) = find(s, stack, id) else { return Vec::new() };
    if points.len() != before.kind.points() || points.iter().any(|p| !p.0.is_finite()) || points == before.points {
        return Vec::new();
    }
    let after = Annotation { points, ..before.clone() };
    let title = format!("Moved {}", before.kind.name().to_lowercase());
    edit(s, stack, &title, Some(before), Some(after))
}

/// Deletes a measurement.
pub(super) fn delete(s: &mut Session, stack: StackId, id: AnnotationId) -> Vec<Effect> {
    let Some(before) = find(s, stack, id) else { return Vec::new() };
    let title = format!("Deleted {}", before.kind.name().to_lowercase());
    edit(s, stack, &title, Some(before), None)
}

/// Shows a measurement: in a viewport that has its stack, else in the active one.
pub(super) fn go_to(s: &mut Session, stack: StackId, id: AnnotationId) -> Vec<Effect> {
    let Some(annotation) = find(s, stack, id) else { return Vec::new() };
    let slots = s.workspace.layout.slots();
    let views = &s.workspace.views[..slots];
    let slot = views
        .iter()
        .position(|v| v.stack == Some(stack) && v.plane == annotation.plane)
        .or_else(|| views.iter().position(|v| v.stack == Some(stack)))
        .unwrap_or(s.workspace.active);
    let mut effects = Vec::new();
    let view = &s.workspace.views[slot];
    if view.stack != Some(stack) || view.plane != annotation.plane {
        effects.extend(super::view::show(s, Some(slot), stack, Some(annotation.plane)));
    }
    effects.extend(super::view::scroll_to(s, Some(slot), annotation.index));
    s.workspace.active = slot;
    effects
}

fn find(s: &Session, stack: StackId, id: AnnotationId) -> Option<Annotation> {
    s.documents.get(&stack)?.annotations.iter().find(|a| a.id == id).cloned()
}

fn edit(
    s: &mut Session,
    stack: StackId,
    title: &str,
    before: Option<Annotation>,
    after: Option<Annotation>,
) -> Vec<Effect> {
    let edit = DocumentEdit::Annotation { before, after };
    if let Some(document) = s.documents.get_mut(&stack) {
        document.carry_out(&edit);
    }
    super::segment::gesture(s, stack, Gesture::new(title, 0.0, edit))
}
