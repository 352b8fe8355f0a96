//! What arrives: results of models, masks from a file; and what the reader decides on it.

use std::path::Path;

use lightbox_core::label::{Code, MASK_COLOURS, MaskOrigin};
use lightbox_core::{Segment, SegmentId};

use crate::boxes::{BoxMark, MarkState};
use crate::document::{Document, DocumentEdit, Gesture};
use crate::event::{Effect, InferResult};
use crate::ids::StackId;
use crate::problem::{ProblemPlace, Severity};
use crate::results::ResultId;
use crate::session::Session;
use crate::workspace::{Layer, LayerShow, Layout};

/// A model's result joins what is there. Masks become new segments and boxes new marks, one gesture; nothing that a person
/// drew is touched.
pub(super) fn inferred(s: &mut Session, mut result: InferResult) -> Vec<Effect> {
    let Some(open) = s.library.stack(result.stack) else { return Vec::new() };
    if *open.geometry() != result.geometry {
        s.tell(Severity::Error, ProblemPlace::Ai, "The result was left out.", "The image changed while the model ran.");
        return Vec::new();
    }
    let [columns, rows, frames] = open.geometry().dims();
    let stack = result.stack;
    let name = s.models.iter().find(|m| m.id == result.model).map_or(result.model.clone(), |m| m.card.name.clone());
    for note in &result.notes {
        s.tell(Severity::Warning, ProblemPlace::Ai, &format!("{name}."), note);
    }
    result.id = s.new_result();
    let document = s.documents.entry(stack).or_default();
    let mut edits = Vec::new();
    let segments = new_segments(document, &result, [columns, rows, frames]);
    let boxes = new_boxes(document, &result, [columns, rows, frames]);
    let news = !(segments.after.is_empty() && boxes.1.is_empty());
    let says = !(result.classes.is_empty() && result.images.is_empty());
    if !news && !says {
        s.results.push(result);
        s.tell(Severity::Note, ProblemPlace::Ai, &format!("{name} found nothing."), "Nothing was added.");
        return Vec::new();
    }
    if !segments.after.is_empty() {
        edits.push(DocumentEdit::Segments { before: segments.before, after: segments.after });
    }
    if !boxes.1.is_empty() {
        edits.push(DocumentEdit::Boxes { before: boxes.0, after: boxes.1 });
    }
    edits.iter().for_each(|edit| document.carry_out(edit));
    let image = result.images.first().map(|_| result.id);
    s.results.push(result);
    if let Some(id) = image {
        show_image(s, stack, id);
    }
    if !news {
        return Vec::new();
    }
    let title = format!("Result of {name}");
    let edit = if edits.len() == 1 { edits.remove(0) } else { DocumentEdit::Many(edits) };
    super::segment::arrival(s, stack, Gesture::new(title, 0.0, edit))
}

/// Segments that go and come with a result.
struct Swap {
    before: Vec<(usize, Segment)>,
    after: Vec<(usize, Segment)>,
}

fn new_segments(document: &mut Document, result: &InferResult, dims: [usize; 3]) -> Swap {
    let mut swap = Swap { before: Vec::new(), after: Vec::new() };
    let found: Vec<_> = result.masks.iter().filter(|(_, m)| m.count() > 0).collect();
    if found.is_empty() {
        return swap;
    }
    // An earlier result of the same model on the same frames that nobody accepted or edited is replaced; everything else
    // stays, and so does the segment that is under the brush just now.
    let in_hand = document.stroke.as_ref().map(|stroke| stroke.segment);
    for (place, old) in document.segments.iter().enumerate() {
        let same = matches!(&old.origin, MaskOrigin::Model { model, .. } if *model == result.model)
            && old.mask.occupied().all(|frame| result.covers(frame));
        let touched = old.edited || in_hand == Some(old.id);
        if same && !touched && document.proposed.contains(&old.id) {
            swap.before.push((place, old.clone()));
        }
    }
    let start = document.segments.len() - swap.before.len();
    let first_colour = document.free_colour();
    let sided = |label: &str| label.to_lowercase().split_whitespace().any(|w| w == "left" || w == "right");
    for (n, (label, mask)) in found.into_iter().enumerate() {
        let mut segment: Segment = document.new_segment(dims, Some(label));
        segment.mask = mask.clone();
        segment.origin = MaskOrigin::Model {
            model: result.model.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: result.sha256.clone(),
        };
        let (code, side) = codes(label);
        segment.code = code;
        segment.side = side;
        // Left and right share a hue: the left has the colour, the right a darker one. Others have one each.
        segment.colour = if is_right(label) {
            darker(first_colour)
        } else if sided(label) {
            first_colour
        } else {
            let first = MASK_COLOURS.iter().position(|c| *c == first_colour).unwrap_or(0);
            MASK_COLOURS[(first + n) % MASK_COLOURS.len()]
        };
        document.proposed.insert(segment.id);
        swap.after.push((start + n, segment));
    }
    swap
}

/// Boxes that go and come with a result: proposals of the same model on the same frames make room.
fn new_boxes(document: &mut Document, result: &InferResult, dims: [usize; 3]) -> (Vec<BoxMark>, Vec<BoxMark>) {
    let [columns, rows, frames] = dims;
    let mut after = Vec::new();
    for (frame, found) in &result.boxes {
        for one in found {
            let mark = BoxMark {
                id: 0,
                frame: *frame,
                rect_px: one.rect_px,
                label: one.label.clone(),
                score: one.score,
                model: result.model.clone(),
                sha256: result.sha256.clone(),
                state: MarkState::Proposed,
            };
            if mark.is_sound(columns, rows, frames) {
                after.push(BoxMark { id: document.new_box_id(), ..mark });
            }
        }
    }
    let replaced = |b: &&BoxMark| b.model == result.model && b.state == MarkState::Proposed && result.covers(b.frame);
    let before =
        if result.boxes.is_empty() { Vec::new() } else { document.boxes.iter().filter(replaced).cloned().collect() };
    (before, after)
}

/// Decides on a box.
pub(super) fn decide_box(s: &mut Session, stack: StackId, id: u32, state: MarkState) -> Vec<Effect> {
    let Some(document) = s.documents.get_mut(&stack) else { return Vec::new() };
    let Some(before) = document.boxes.iter().find(|b| b.id == id).cloned().filter(|b| b.state != state) else {
        return Vec::new();
    };
    let verb = match state {
        MarkState::Accepted => "Accepted",
        MarkState::Rejected => "Rejected",
        MarkState::Proposed => "Put back",
    };
    let title = format!("{verb} box {id}, {}", before.label);
    let edit = DocumentEdit::Boxes { before: vec![before.clone()], after: vec![BoxMark { state, ..before }] };
    document.carry_out(&edit);
    super::segment::gesture(s, stack, Gesture::new(title, 0.0, edit))
}

/// Takes a result away: its figures and images, and what came of it that nobody accepted or changed.
pub(super) fn remove(s: &mut Session, id: ResultId) -> Vec<Effect> {
    let Some(at) = s.results.iter().position(|r| r.id == id) else { return Vec::new() };
    let result = s.results.remove(at);
    for view in s.workspace.views.iter_mut().filter(|v| v.layer.is_some_and(|l| l.result == id)) {
        view.layer = None;
    }
    s.heats.retain(|h| h.result != id);
    let name = s.models.iter().find(|m| m.id == result.model).map_or(result.model.clone(), |m| m.card.name.clone());
    let Some(document) = s.documents.get_mut(&result.stack) else { return Vec::new() };
    let of_model = |origin: &MaskOrigin| matches!(origin, MaskOrigin::Model { model, .. } if *model == result.model);
    let segments: Vec<(usize, Segment)> = document
        .segments
        .iter()
        .enumerate()
        .filter(|(_, x)| of_model(&x.origin) && !x.edited && document.proposed.contains(&x.id))
        .filter(|(_, x)| x.mask.occupied().all(|frame| result.covers(frame)))
        .map(|(place, x)| (place, x.clone()))
        .collect();
    let boxes: Vec<BoxMark> = document
        .boxes
        .iter()
        .filter(|b| b.model == result.model && b.state != MarkState::Accepted && result.covers(b.frame))
        .cloned()
        .collect();
    let mut edits = Vec::new();
    if !result.masks.is_empty() && !segments.is_empty() {
        edits.push(DocumentEdit::Segments { before: segments, after: Vec::new() });
    }
    if !result.boxes.is_empty() && !boxes.is_empty() {
        edits.push(DocumentEdit::Boxes { before: boxes, after: Vec::new() });
    }
    if edits.is_empty() {
        return Vec::new();
    }
    edits.iter().for_each(|edit| document.carry_out(edit));
    let edit = if edits.len() == 1 { edits.remove(0) } else { DocumentEdit::Many(edits) };
    super::segment::gesture(s, result.stack, Gesture::new(format!("Removed the result of {name}"), 0.0, edit))
}

/// Viewports of a stack show an image that a model made of it, whole, until the reader turns it off.
fn show_image(s: &mut Session, stack: StackId, id: ResultId) {
    let slots = s.workspace.layout.slots();
    let active = s.workspace.active;
    let shows = |slot: &usize| s.workspace.views[*slot].stack == Some(stack);
    let slot = Some(active).filter(&shows).or_else(|| (0..slots).find(|slot| shows(slot)));
    if let Some(slot) = slot {
        s.workspace.views[slot].layer = Some(Layer { result: id, show: LayerShow::Blend(1.0) });
    }
}

/// What a viewport shows of an image that a model made.
pub(super) fn set_layer(s: &mut Session, slot: Option<usize>, layer: Option<Layer>) -> Vec<Effect> {
    let layer = layer.map(|l| match l.show {
        LayerShow::Blend(part) if part.is_finite() => Layer { show: LayerShow::Blend(part.clamp(0.0, 1.0)), ..l },
        LayerShow::Blend(_) => Layer { show: LayerShow::Blend(1.0), ..l },
        LayerShow::Residual => l,
    });
    let stack = layer.and_then(|l| s.results.iter().find(|r| r.id == l.result)).map(|r| r.stack);
    super::view::change(s, slot, |view| {
        // A layer belongs to the pixels of its own stack.
        view.layer = layer.filter(|_| stack.is_some() && view.stack == stack);
    })
}

/// Original, restored and difference side by side, with one zoom.
pub(super) fn compare(s: &mut Session, id: ResultId) -> Vec<Effect> {
    let Some(result) = s.results.iter().find(|r| r.id == id && !r.images.is_empty()) else { return Vec::new() };
    let (stack, frame) = (result.stack, result.frame);
    let Some(open) = s.library.stack(stack) else { return Vec::new() };
    let plane = open.acquired_plane();
    let shown = s.workspace.active_view().clone();
    let keeps = shown.stack == Some(stack) && shown.plane == plane;
    let index = if keeps { shown.index } else { open.plane_stack(plane).plane_of_slice(frame).unwrap_or(0) };
    let mut effects = super::view::set_layout(s, Layout::OneByThree);
    let layers = [None, Some(LayerShow::Blend(1.0)), Some(LayerShow::Residual)];
    for (slot, show) in layers.into_iter().enumerate() {
        if s.workspace.views[slot].stack != Some(stack) || s.workspace.views[slot].plane != plane {
            effects.extend(super::view::show(s, Some(slot), stack, Some(plane)));
        }
        let view = &mut s.workspace.views[slot];
        view.index = index;
        if keeps {
            (view.zoom, view.pan_mm, view.window) = (shown.zoom, shown.pan_mm, shown.window);
        }
        view.layer = show.map(|show| Layer { result: id, show });
    }
    s.workspace.active = 1;
    effects
}

fn is_right(label: &str) -> bool {
    label.to_lowercase().split_whitespace().any(|w| w == "right")
}

/// SNOMED CT codes of a label: the structure and the side (CID 7150, CID 244).
fn codes(label: &str) -> (Option<Code>, Option<Code>) {
    let lower = label.to_lowercase();
    let code = lower.contains("lung").then(|| Code::new("39607008", "SCT", "Lung"));
    let side = if is_right(label) {
        Some(Code::new("24028007", "SCT", "Right"))
    } else if lower.split_whitespace().any(|w| w == "left") {
        Some(Code::new("7771000", "SCT", "Left"))
    } else {
        None
    };
    (code, side)
}

/// The same hue, darker: the second of a pair of sides.
fn darker(c: lightbox_core::Rgb) -> lightbox_core::Rgb {
    lightbox_core::Rgb(c.0.map(|v| (f32::from(v) * 0.72) as u8))
}

pub(super) fn seg_loaded(
    s: &mut Session,
    stack: StackId,
    segments: Vec<Segment>,
    proposed: &[SegmentId],
    path: &Path,
) -> Vec<Effect> {
    let Some(open) = s.library.stack(stack) else { return Vec::new() };
    let dims = open.geometry().dims();
    if segments.iter().any(|x| x.mask.dims() != dims) {
        s.tell(
            Severity::Error,
            ProblemPlace::Masks,
            "The mask was not loaded.",
            "It has another size than the series.",
        );
        return Vec::new();
    }
    let document = s.documents.entry(stack).or_default();
    let start = document.segments.len();
    let after: Vec<(usize, Segment)> = segments
        .into_iter()
        .enumerate()
        .map(|(n, mut segment)| {
            let id: SegmentId = document.new_segment(dims, None).id;
            if proposed.contains(&segment.id) {
                document.proposed.insert(id);
            }
            segment.id = id;
            segment.visible = true;
            (start + n, segment)
        })
        .collect();
    s.loaded_masks.insert(path.to_owned());
    let count = after.len();
    let what = if count == 1 { "1 segment".to_owned() } else { format!("{count} segments") };
    let title = format!("Loaded {what}");
    let edit = DocumentEdit::Segments { before: Vec::new(), after };
    document.carry_out(&edit);
    let effects = super::segment::arrival(s, stack, Gesture::new(title, 0.0, edit));
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    s.tell(Severity::Note, ProblemPlace::Masks, &format!("{what} loaded."), &name);
    effects
}
