//! Segments: drawing, undo, saving.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_core::brush::{self, BrushShape};
use lightbox_core::label::PlaneChange;
use lightbox_core::{Mask, PatientPos, Rgb, Segment, SegmentId};

use crate::command::SaveTo;
use crate::document::{Document, DocumentEdit, Gesture, Label, Step, Stroke};
use crate::event::{Effect, JobSpec, SaveSegSpec};
use crate::ids::StackId;
use crate::journal::{AnnotationRecord, Record, SegmentRecord};
use crate::library::OpenStack;
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, Session};

/// Ends a stroke that is still being drawn, then goes on.
pub(super) fn end_stroke(s: &mut Session, then: impl FnOnce(&mut Session) -> Vec<Effect>) -> Vec<Effect> {
    let mut effects = stroke_end(s);
    effects.extend(then(s));
    effects
}

/// Adds an empty segment.
pub(super) fn add(s: &mut Session, name: Option<&str>) -> Vec<Effect> {
    let Some((id, dims)) = active(s) else { return Vec::new() };
    let document = s.documents.entry(id).or_default();
    let segment = document.new_segment(dims, name.map(str::trim).filter(|n| !n.is_empty()));
    let place = document.segments.len();
    document.active = Some(segment.id);
    let title = format!("Added {}", segment.name);
    let edit = DocumentEdit::Segments { before: Vec::new(), after: vec![(place, segment.clone())] };
    document.carry_out(&edit);
    document.active = Some(segment.id);
    gesture(s, id, Gesture::new(title, 0.0, edit))
}

/// Makes a segment the active one.
pub(super) fn select(s: &mut Session, segment: SegmentId) -> Vec<Effect> {
    if let Some(document) = active_document(s)
        && document.segment(segment).is_some()
    {
        document.active = Some(segment);
    }
    Vec::new()
}

/// Renames a segment; an empty name changes nothing.
pub(super) fn rename(s: &mut Session, segment: SegmentId, name: &str) -> Vec<Effect> {
    let name = name.trim();
    if name.is_empty() {
        return Vec::new();
    }
    change(s, segment, |l| name.clone_into(&mut l.name), |old| format!("Renamed {old} to {name}"))
}

/// Colours a segment.
pub(super) fn set_colour(s: &mut Session, segment: SegmentId, colour: Rgb) -> Vec<Effect> {
    change(s, segment, |l| l.colour = colour, |name| format!("Colour, {name}"))
}

/// Locks or unlocks a segment.
pub(super) fn set_locked(s: &mut Session, segment: SegmentId, on: bool) -> Vec<Effect> {
    change(s, segment, |l| l.locked = on, |name| format!("{} {name}", if on { "Locked" } else { "Unlocked" }))
}

/// Takes a model's segment as the reader's finding.
pub(super) fn accept(s: &mut Session, segment: SegmentId) -> Vec<Effect> {
    change(s, segment, |l| l.proposed = false, |name| format!("Accepted {name}"))
}

/// Changes what a segment is called, how it looks or whether it is accepted: a gesture. Its title is made from the name
/// that the segment had.
fn change(
    s: &mut Session,
    segment: SegmentId,
    change: impl FnOnce(&mut Label),
    title: impl FnOnce(&str) -> String,
) -> Vec<Effect> {
    let mut effects = stroke_end(s);
    let Some((id, _)) = active(s) else { return effects };
    let Some(document) = s.documents.get_mut(&id) else { return effects };
    let Some(before) = document.label(segment) else { return effects };
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return effects;
    }
    let title = title(&before.name);
    let edit = DocumentEdit::Label { segment, before, after };
    document.carry_out(&edit);
    effects.extend(gesture(s, id, Gesture::new(title, 0.0, edit)));
    effects
}

/// Shows or hides.
pub(super) fn set_visible(s: &mut Session, segment: SegmentId, on: bool) -> Vec<Effect> {
    if let Some(document) = active_document(s)
        && let Some(found) = document.segment_mut(segment)
    {
        found.visible = on;
        document.revision += 1;
    }
    Vec::new()
}

/// Deletes a segment.
pub(super) fn delete(s: &mut Session, segment: SegmentId) -> Vec<Effect> {
    let mut effects = stroke_end(s);
    let Some((id, _)) = active(s) else { return effects };
    let Some(document) = s.documents.get_mut(&id) else { return effects };
    let Some(place) = document.segments.iter().position(|x| x.id == segment) else { return effects };
    let before = document.segments[place].clone();
    if before.locked {
        s.tell(
            Severity::Warning,
            ProblemPlace::Masks,
            "The segment is locked.",
            &format!("Unlock {} to delete it.", before.name),
        );
        return effects;
    }
    let title = format!("Deleted {}", before.name);
    let edit = DocumentEdit::Segments { before: vec![(place, before)], after: Vec::new() };
    document.carry_out(&edit);
    effects.extend(gesture(s, id, Gesture::new(title, 0.0, edit)));
    effects
}

/// Begins a stroke; an image without a segment gets one.
pub(super) fn stroke_begin(s: &mut Session, slot: Option<usize>, at: PatientPos, erase: bool) -> Vec<Effect> {
    let mut effects = stroke_end(s);
    if let Some(slot) = super::view::slot_of(s, slot) {
        s.workspace.active = slot;
    }
    let Some((id, _)) = active(s) else { return effects };
    let has_target = s.documents.get(&id).is_some_and(|d| d.active.is_some_and(|a| d.segment(a).is_some()));
    if !has_target {
        if erase {
            return effects;
        }
        effects.extend(add(s, None));
    }
    let Some(document) = s.documents.get_mut(&id) else { return effects };
    let Some(target) = document.active.and_then(|a| document.segments.iter().find(|x| x.id == a)) else {
        return effects;
    };
    if target.locked {
        let detail = format!("Unlock {} to change it, or choose another segment.", target.name);
        s.tell(Severity::Warning, ProblemPlace::Masks, "The segment is locked.", &detail);
        return effects;
    }
    if !target.visible {
        let detail = format!("Show {} to change it.", target.name);
        s.tell(Severity::Warning, ProblemPlace::Masks, "The segment is hidden.", &detail);
        return effects;
    }
    let (segment, before) = (target.id, target.mask.clone());
    let overwrite = s.workspace.overwrite;
    let loses = |x: &&Segment| !erase && x.id != segment && !x.locked && overwrite.takes_from(x);
    let others = document.segments.iter().filter(loses).map(|x| (x.id, x.mask.clone())).collect();
    document.stroke = Some(Stroke { segment, before, others, last: at, erase });
    draw(s, id, at);
    effects
}

/// Goes on with the stroke.
pub(super) fn stroke_to(s: &mut Session, at: PatientPos) -> Vec<Effect> {
    if let Some((id, _)) = active(s) {
        draw(s, id, at);
    }
    Vec::new()
}

fn draw(s: &mut Session, id: StackId, at: PatientPos) {
    let brush = s.workspace.brush;
    let Some((_, view, open)) = super::view::view_of(s, None) else { return };
    let normal = open.plane_stack(view.plane).grid(view.index).normal();
    let geometry = open.geometry().clone();
    let Some(document) = s.documents.get_mut(&id) else { return };
    let Some((segment, last, erase)) = document.stroke.as_ref().map(|k| (k.segment, k.last, k.erase)) else { return };
    let shape = if brush.ball { BrushShape::Ball } else { BrushShape::Disc { normal } };
    if let Some(target) = document.segment_mut(segment) {
        brush::paint(&mut target.mask, &geometry, last, at, shape, brush.radius_mm, erase);
    }
    let others: Vec<SegmentId> = document.stroke.iter().flat_map(|k| k.others.iter().map(|(id, _)| *id)).collect();
    for other in others {
        if let Some(other) = document.segment_mut(other) {
            brush::paint(&mut other.mask, &geometry, last, at, shape, brush.radius_mm, true);
        }
    }
    if let Some(stroke) = &mut document.stroke {
        stroke.last = at;
    }
    document.revision += 1;
}

/// Ends the stroke: one gesture.
pub(super) fn stroke_end(s: &mut Session) -> Vec<Effect> {
    let Some(id) = s.documents.iter().find(|(_, d)| d.stroke.is_some()).map(|(id, _)| *id) else {
        return Vec::new();
    };
    let (Some(open), Some(document)) = (s.library.stack(id), s.documents.get_mut(&id)) else { return Vec::new() };
    let Some(stroke) = document.stroke.take() else { return Vec::new() };
    let Some(target) = document.segment(stroke.segment) else { return Vec::new() };
    let amount = amount(open, &target.mask) - amount(open, &stroke.before);
    let mut title = format!("{}, {}", if stroke.erase { "Eraser" } else { "Brush" }, target.name);
    let mut edits: Vec<DocumentEdit> = drawn(document, stroke.segment, &stroke.before).into_iter().collect();
    let taken: Vec<DocumentEdit> = stroke.others.iter().filter_map(|(id, mask)| drawn(document, *id, mask)).collect();
    match taken.as_slice() {
        [] => {}
        [DocumentEdit::Voxels { segment, .. }] => {
            let name = document.segment(*segment).map_or("", |x| x.name.as_str());
            title.push_str(&format!(", over {name}"));
        }
        many => title.push_str(&format!(", over {} segments", many.len())),
    }
    edits.extend(taken);
    let edit = match edits.len() {
        0 => return Vec::new(),
        1 => edits.remove(0),
        _ => DocumentEdit::Many(edits),
    };
    document.revision += 1;
    gesture(s, id, Gesture::new(title, amount, edit))
}

/// What a stroke has changed of a segment; `None` when nothing. The segment counts as edited then.
fn drawn(document: &mut Document, id: SegmentId, before: &Mask) -> Option<DocumentEdit> {
    let segment = document.segment_mut(id)?;
    segment.mask.compact();
    let changes: Vec<PlaneChange> = segment.mask.changes_since(before);
    if changes.is_empty() {
        return None;
    }
    let edited_before = std::mem::replace(&mut segment.edited, true);
    Some(DocumentEdit::Voxels { segment: id, changes, edited_before, edited_after: true })
}

/// Takes the stroke back that is being drawn; it leaves no gesture.
pub(super) fn stroke_cancel(s: &mut Session) -> Vec<Effect> {
    for document in s.documents.values_mut() {
        let Some(stroke) = document.stroke.take() else { continue };
        for (id, mask) in [(stroke.segment, stroke.before)].into_iter().chain(stroke.others) {
            if let Some(segment) = document.segment_mut(id) {
                segment.mask = mask;
            }
        }
        document.revision += 1;
    }
    Vec::new()
}

/// Takes the last gesture back.
pub(super) fn undo(s: &mut Session) -> Vec<Effect> {
    step(s, true)
}

/// Does it again.
pub(super) fn redo(s: &mut Session) -> Vec<Effect> {
    step(s, false)
}

fn step(s: &mut Session, back: bool) -> Vec<Effect> {
    let mut effects = stroke_end(s);
    let Some((id, _)) = active(s) else { return effects };
    let Some(document) = s.documents.get_mut(&id) else { return effects };
    let (gesture, step) =
        if back { (document.history.undo(), Step::Undone) } else { (document.history.redo(), Step::Redone) };
    let Some(gesture) = gesture else { return effects };
    document.carry_out(&gesture.edit);
    document.count_unsaved(&gesture, step);
    effects.push(Effect::Journal(records_of(s, id, &gesture.edit)));
    effects
}

/// Notes a person's gesture that has been carried out: undo list, unsaved count, journal.
pub(super) fn gesture(s: &mut Session, id: StackId, gesture: Gesture) -> Vec<Effect> {
    if let Some(document) = s.documents.get_mut(&id) {
        document.count_unsaved(&gesture, Step::New);
    }
    note(s, id, gesture)
}

/// Notes a change that is no work of a person: a model's result, masks from a file. It can be undone and is in the
/// journal, but nobody loses anything without it.
pub(super) fn arrival(s: &mut Session, id: StackId, gesture: Gesture) -> Vec<Effect> {
    if let Some(document) = s.documents.get_mut(&id) {
        document.forget_undone();
    }
    note(s, id, Gesture { arrived: true, ..gesture })
}

fn note(s: &mut Session, id: StackId, gesture: Gesture) -> Vec<Effect> {
    let gesture = Gesture { time: s.now.clone(), ..gesture };
    let edit = gesture.edit.clone();
    if let Some(document) = s.documents.get_mut(&id) {
        document.history.push(gesture);
    }
    vec![Effect::Journal(records_of(s, id, &edit))]
}

/// The journal records that hold the state after an edit.
fn records_of(s: &Session, id: StackId, edit: &DocumentEdit) -> Vec<Record> {
    let (Some(open), Some(document)) = (s.library.stack(id), s.documents.get(&id)) else { return Vec::new() };
    let mut records = vec![super::keep::opened(s)];
    push_records(&mut records, open, document, edit);
    records.push(Record::unsaved(open.key.clone(), document));
    records
}

fn push_records(records: &mut Vec<Record>, open: &OpenStack, document: &Document, edit: &DocumentEdit) {
    match edit {
        DocumentEdit::Many(edits) => edits.iter().for_each(|edit| push_records(records, open, document, edit)),
        DocumentEdit::Voxels { segment, changes, edited_after, .. } => {
            let slices =
                changes.iter().map(|c| (c.slice, c.after.as_ref().map(|p| p.runs()).unwrap_or_default())).collect();
            records.push(Record::Voxels {
                stack: open.key.clone(),
                segment: *segment,
                dims: open.geometry().dims(),
                edited: *edited_after,
                slices,
            });
        }
        DocumentEdit::Segments { before, after } => {
            for (_, segment) in before {
                if after.iter().all(|(_, a)| a.id != segment.id) {
                    records.push(Record::SegmentGone { stack: open.key.clone(), segment: segment.id });
                }
            }
            for (place, segment) in after {
                let proposed = document.proposed.contains(&segment.id);
                records.extend(Record::of_segment(&open.key, *place, segment, proposed));
            }
        }
        DocumentEdit::Label { segment, .. } => {
            if let Some(place) = document.segments.iter().position(|x| x.id == *segment) {
                let record = SegmentRecord::of(&document.segments[place], document.proposed.contains(segment));
                records.push(Record::Segment { stack: open.key.clone(), place, segment: Box::new(record) });
            }
        }
        DocumentEdit::Annotation { .. } => records.push(Record::Annotations {
            stack: open.key.clone(),
            annotations: document.annotations.iter().map(AnnotationRecord::of).collect(),
        }),
        DocumentEdit::Boxes { .. } => {
            records.push(Record::Boxes { stack: open.key.clone(), boxes: document.boxes.clone() });
        }
    }
}

/// Saves the segments of a stack: that of the active viewport unless one is named.
pub(super) fn save(s: &mut Session, to: SaveTo<StackId>) -> Vec<Effect> {
    let mut effects = stroke_end(s);
    let Some(id) = to.of.or_else(|| s.active_stack()) else { return effects };
    let Some(open) = s.library.stack(id) else {
        // It was closed while the dialog was open.
        let detail = "Its series was closed. What was drawn is in the journal; open the series again to save it.";
        s.tell(Severity::Warning, ProblemPlace::Masks, "Not saved.", detail);
        return effects;
    };
    let (info, series) = (Arc::clone(&open.info), Arc::clone(&open.series));
    let Some(document) = s.documents.get(&id) else { return effects };
    let segments: Vec<Segment> = document.segments.iter().filter(|x| x.mask.count() > 0).cloned().collect();
    let (revision, gestures) = (document.revision, document.unsaved_masks);
    if segments.is_empty() {
        s.tell(Severity::Warning, ProblemPlace::Masks, "Nothing to save.", "No segment of this series holds a voxel.");
        return effects;
    }
    let proposed = document.proposed.clone();
    let spec = SaveSegSpec { path: to.path, stack: id, info, series, segments, proposed, revision, gestures };
    effects.push(s.start_job(JobKind::SaveSeg, "Saving SEG", JobSpec::SaveSeg(Box::new(spec))));
    effects
}

/// Loads a SEG.
pub(super) fn load(s: &mut Session, path: PathBuf) -> Vec<Effect> {
    let stacks = s.library.stacks().map(|e| (e.id, Arc::clone(&e.info))).collect();
    vec![s.start_job(JobKind::LoadSeg, "Loading SEG", JobSpec::LoadSeg { path, stacks })]
}

/// The active stack and its dimensions.
fn active(s: &Session) -> Option<(StackId, [usize; 3])> {
    let open = s.library.stack(s.active_stack()?)?;
    Some((open.id, open.geometry().dims()))
}

fn active_document(s: &mut Session) -> Option<&mut Document> {
    let (id, _) = active(s)?;
    s.documents.get_mut(&id)
}

/// How much a mask on a stack holds in the lists: mL in volumes, mm² (or pixels) on single images.
#[must_use]
pub fn amount(open: &OpenStack, mask: &Mask) -> f64 {
    let g = open.geometry();
    if !(open.info.is_volume && open.in_patient) {
        let [rows, columns, _] = g.spacing_mm();
        return mask.count() as f64 * rows * columns;
    }
    let voxels = |k: usize| mask.plane(k).map_or(0.0, |p| p.count() as f64);
    mask.occupied().map(|k| voxels(k) * g.voxel_volume_of_slice_mm3(k)).sum::<f64>() / 1000.0
}
