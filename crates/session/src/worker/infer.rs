//! Running a model on a frame.

use std::sync::Arc;

use lightbox_core::{BitPlane, Mask};
use lightbox_model::{Entry, GreyImage, Model, RunCx, SegmentOptions};

use super::End;
use crate::event::{EventKind, InferResult, InferSpec};
use crate::jobs::JobCx;

pub(super) fn infer(cx: &JobCx, spec: InferSpec) -> Result<(), End> {
    cx.progress(Some(0.0), "reading the weights");
    let entry = Entry {
        id: spec.model.id.clone(),
        dir: spec.model.dir.clone(),
        card: spec.model.card.clone(),
        problem: None,
        added: false,
    };
    let model = Model::load(&entry)?;
    if cx.is_cancelled() {
        return Err(End::Cancelled);
    }
    let frame = match &spec.frame {
        Some(frame) => Arc::clone(frame),
        None => super::images::frame(&spec.info, spec.frame_index)?,
    };
    // The network sees what the reader sees.
    let values = frame.values_as_seen(spec.info.inverted);
    let image =
        GreyImage { columns: frame.columns(), rows: frame.rows(), values, spacing_mm: spec.info.pixel_spacing_mm };
    let mut notes = Vec::new();
    if spec.left_is_patient_right.is_none() {
        notes.push(
            "The header does not tell left from right; the sides assume that the patient's right is on the left of the image."
                .to_owned(),
        );
    }
    let options = SegmentOptions { image_left_is_patient_right: spec.left_is_patient_right.unwrap_or(true) };
    let cancelled = || cx.is_cancelled();
    let progress = |fraction: f32, what: &str| cx.progress(Some(fraction), what);
    let run = RunCx { cancelled: &cancelled, progress: &progress };
    let out = match model.segment_with(&image, options, &run) {
        Ok(out) => out,
        Err(lightbox_model::Error::Cancelled) => return Err(End::Cancelled),
        Err(e) => return Err(e.into()),
    };
    let dims = spec.geometry.dims();
    let masks = out
        .masks
        .into_iter()
        .map(|m| {
            let mut mask = Mask::new(dims);
            mask.set_plane(spec.frame_index, Some(Arc::new(BitPlane::from_bools(&m.mask))));
            (m.label, mask)
        })
        .collect();
    cx.send(EventKind::Inferred(Box::new(InferResult {
        stack: spec.stack,
        frame: spec.frame_index,
        model: spec.model.id.clone(),
        sha256: spec.model.card.sha256.clone(),
        geometry: spec.geometry,
        masks,
        timings_ms: out.timings_ms,
        notes,
    })));
    Ok(())
}
