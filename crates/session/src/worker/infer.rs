//! Running a model: on one frame, on the frames of a series one after the other, on a volume as a whole.

use std::sync::Arc;

use lightbox_core::{BitPlane, Frame, Mask, Volume, Window};
use lightbox_model::arch::Takes;
use lightbox_model::{Entry, Found, GreyImage, Model, RunCx, SegmentOptions};

use super::End;
use crate::event::{EventKind, InferSpec};
use crate::jobs::JobCx;
use crate::models::ModelInfo;
use crate::picture::{picture, restored};
use crate::results::{ClassScore, FoundBox, InferResult};

/// More boxes than this on one frame are noise.
const MOST_BOXES: usize = 100;

pub(super) fn infer(cx: &JobCx, spec: InferSpec) -> Result<(), End> {
    cx.progress(Some(0.0), "reading the weights");
    let model = Model::load(&entry(&spec.model))?;
    let info = &spec.model;
    let mut out = InferResult::blank(spec.stack, &info.id, &info.card.sha256, spec.geometry.clone());
    (out.frame, out.frames) = (spec.frame_index, spec.count);
    if matches!(model.card().architecture.takes(), Takes::Volume(_)) {
        volume(cx, &spec, &model, &mut out)?;
    } else {
        for n in 0..spec.count {
            if cx.is_cancelled() {
                return Err(End::Cancelled);
            }
            let run = Frames { cx, spec: &spec, model: &model, n };
            run.one(&mut out)?;
        }
    }
    cx.send(EventKind::Inferred(Box::new(out)));
    Ok(())
}

/// A model as its crate lists it.
pub(super) fn entry(model: &ModelInfo) -> Entry {
    let (id, dir, card) = (model.id.clone(), model.dir.clone(), model.card.clone());
    Entry { id, dir, card, problem: None, added: model.added }
}

/// The frame of a stack, loaded or read now.
pub(super) fn frame_of(spec: &InferSpec, index: usize) -> Result<Arc<Frame>, End> {
    match spec.frames.get(index).and_then(Option::as_ref) {
        Some(frame) => Ok(Arc::clone(frame)),
        None => super::images::frame(&spec.info, index),
    }
}

pub(super) fn ended(e: lightbox_model::Error) -> End {
    if matches!(e, lightbox_model::Error::Cancelled) { End::Cancelled } else { e.into() }
}

fn spent(out: &mut InferResult, timings: &[(String, f64)]) {
    for (stage, ms) in timings {
        match out.timings_ms.iter_mut().find(|(s, _)| s == stage) {
            Some((_, sum)) => *sum += ms,
            None => out.timings_ms.push((stage.clone(), *ms)),
        }
    }
}

fn note(out: &mut InferResult, text: String) {
    if !out.notes.contains(&text) {
        out.notes.push(text);
    }
}

/// The whole series as one input.
fn volume(cx: &JobCx, spec: &InferSpec, model: &Model, out: &mut InferResult) -> Result<(), End> {
    let count = spec.geometry.dims()[2];
    let mut volume = Volume::empty(spec.geometry.clone());
    for k in 0..count {
        if cx.is_cancelled() {
            return Err(End::Cancelled);
        }
        volume.set_slice(k, frame_of(spec, k)?)?;
    }
    let cancelled = || cx.is_cancelled();
    let progress = |fraction: f32, what: &str| cx.progress(Some(fraction), what);
    let run = RunCx { cancelled: &cancelled, progress: &progress };
    let answer = model.segment_volume(&volume, &run).map_err(ended)?;
    (out.frame, out.frames) = (0, count);
    out.masks = answer.masks.into_iter().map(|(label, mask, _)| (label, mask)).collect();
    spent(out, &answer.timings_ms);
    Ok(())
}

/// One frame of a run over several.
struct Frames<'a> {
    cx: &'a JobCx,
    spec: &'a InferSpec,
    model: &'a Model,
    n: usize,
}

impl Frames<'_> {
    fn one(&self, out: &mut InferResult) -> Result<(), End> {
        let Self { cx, spec, model, n } = *self;
        let index = spec.frame_index + n;
        let frame = frame_of(spec, index)?;
        let cancelled = || cx.is_cancelled();
        let (done, count) = (n as f32, spec.count.max(1) as f32);
        let progress = |fraction: f32, what: &str| {
            let detail =
                if spec.count > 1 { format!("image {} of {}", n + 1, spec.count) } else { what.to_lowercase() };
            cx.progress(Some((done + fraction) / count), detail);
        };
        let run = RunCx { cancelled: &cancelled, progress: &progress };
        // The network that is trained here knows sides of the body; the others take any card.
        if model.card().architecture.name() == "unet2d" {
            return self.sided(&frame, index, &run, out);
        }
        let window: Option<Window> = spec.info.windows.first().map(|(_, w)| *w);
        let (picture, notes) = picture(&frame, window, spec.info.inverted, &model.card().input);
        notes.into_iter().for_each(|text| note(out, text));
        let answer = model.answer(&picture, &run).map_err(ended)?;
        spent(out, &answer.timings_ms);
        match answer.found {
            Found::Classes(all) => {
                let score = |c: lightbox_model::Class| ClassScore {
                    label: c.label,
                    probability: c.probability,
                    threshold: c.threshold,
                };
                out.classes.push((index, all.into_iter().map(score).collect()));
            }
            Found::Boxes(mut all) => {
                if all.len() > MOST_BOXES {
                    note(out, format!("Only the {MOST_BOXES} boxes with the best scores of each image are kept."));
                    all.truncate(MOST_BOXES);
                }
                for (n, found) in all.iter().enumerate() {
                    if let Some(mask) = &found.mask {
                        self.mask(index, &format!("{} {}", found.label, n + 1), mask, out);
                    }
                }
                let of = |b: lightbox_model::FoundBox| FoundBox { rect_px: b.rect, score: b.score, label: b.label };
                out.boxes.push((index, all.into_iter().map(of).collect()));
            }
            Found::Masks(all) => {
                for found in all {
                    self.mask(index, &found.label, &found.mask, out);
                }
            }
            Found::Image(made) => {
                let failed = || End::Failed("The model made an image that does not belong to this one.".to_owned());
                let (image, told) = restored(&made, &frame, spec.info.inverted).ok_or_else(failed)?;
                told.into_iter().for_each(|text| note(out, text));
                out.images.push((index, Arc::new(image)));
            }
        }
        Ok(())
    }

    fn sided(&self, frame: &Frame, index: usize, run: &RunCx<'_>, out: &mut InferResult) -> Result<(), End> {
        let spec = self.spec;
        // The network sees what the reader sees.
        let values = frame.values_as_seen(spec.info.inverted);
        let spacing_mm = spec.info.pixel_spacing_mm;
        let image = GreyImage { columns: frame.columns(), rows: frame.rows(), values, spacing_mm };
        if spec.left_is_patient_right.is_none() {
            let text = "The header does not tell left from right; the sides assume that the patient's right is on the left \
                        of the image.";
            note(out, text.to_owned());
        }
        let options = SegmentOptions { image_left_is_patient_right: spec.left_is_patient_right.unwrap_or(true) };
        let found = self.model.segment_with(&image, options, run).map_err(ended)?;
        for mask in found.masks {
            self.mask(index, &mask.label, &mask.mask, out);
        }
        spent(out, &found.timings_ms);
        Ok(())
    }

    /// A mask of a frame joins that of its label.
    fn mask(&self, index: usize, label: &str, mask: &[bool], out: &mut InferResult) {
        let plane = Arc::new(BitPlane::from_bools(mask));
        match out.masks.iter_mut().find(|(known, _)| known == label) {
            Some((_, whole)) => {
                whole.set_plane(index, Some(plane));
            }
            None => {
                let mut whole = Mask::new(self.spec.geometry.dims());
                whole.set_plane(index, Some(plane));
                out.masks.push((label.to_owned(), whole));
            }
        }
    }
}
