//! Masks that arrive: from a model, from a file.

use std::path::Path;

use lightbox_core::label::{Code, MaskOrigin};
use lightbox_core::{Segment, SegmentId};

use crate::document::{DocumentEdit, Gesture};
use crate::event::{Effect, InferResult};
use crate::ids::StackId;
use crate::problem::{ProblemPlace, Severity};
use crate::session::Session;

/// A model's masks become new segments, one gesture; nothing that a person drew is touched.
pub(super) fn inferred(s: &mut Session, result: InferResult) -> Vec<Effect> {
    let Some(open) = s.library.stack(result.stack) else { return Vec::new() };
    if *open.geometry() != result.geometry {
        s.tell(Severity::Error, ProblemPlace::Ai, "The result was left out.", "The image changed while the model ran.");
        return Vec::new();
    }
    let dims = open.geometry().dims();
    let stack = result.stack;
    let name = s.models.iter().find(|m| m.id == result.model).map_or(result.model.clone(), |m| m.card.name.clone());
    for note in &result.notes {
        s.tell(Severity::Warning, ProblemPlace::Ai, &format!("{name}."), note);
    }
    let document = s.documents.entry(stack).or_default();
    let mut before = Vec::new();
    // An earlier result of the same model on the same frame that nobody accepted or edited is replaced; everything else
    // stays, and so does the segment that is under the brush just now.
    let in_hand = document.stroke.as_ref().map(|stroke| stroke.segment);
    for (place, old) in document.segments.iter().enumerate() {
        let same = matches!(&old.origin, MaskOrigin::Model { model, .. } if *model == result.model)
            && old.mask.occupied().all(|frame| frame == result.frame);
        let touched = old.edited || in_hand == Some(old.id);
        if same && !touched && document.proposed.contains(&old.id) {
            before.push((place, old.clone()));
        }
    }
    let mut after = Vec::new();
    let start = document.segments.len() - before.len();
    let first_colour = document.free_colour();
    for (n, (label, mask)) in result.masks.iter().filter(|(_, m)| m.count() > 0).enumerate() {
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
        // Left and right share a hue: the left has the colour, the right a darker one.
        segment.colour = if is_right(label) { darker(first_colour) } else { first_colour };
        document.proposed.insert(segment.id);
        after.push((start + n, segment));
    }
    if after.is_empty() {
        s.results.push(result);
        s.tell(Severity::Note, ProblemPlace::Ai, &format!("{name} found nothing."), "No segment was added.");
        return Vec::new();
    }
    let title = format!("Result of {name}");
    let edit = DocumentEdit::Segments { before, after };
    document.carry_out(&edit);
    s.results.push(result);
    super::segment::arrival(s, stack, Gesture::new(title, 0.0, edit))
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
