//! Approved masks on the disk, and a copy of a model that learns from them: on threads of its own, behind everything else.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_model::train::correct::{Correction, Offer, Watch, improve_watched, own_cases};
use lightbox_model::train::kept::Pairs;
use lightbox_model::{GreyImage, RunCx, data};

use super::infer::ended;
use super::{End, images};
use crate::event::{CorrectionSpec, EventKind};
use crate::improving::NO_OWN;
use crate::jobs::JobCx;
use crate::models::ModelInfo;

/// Persons of the model's own kind that are looked at.
const MOST_OWN: usize = 24;
/// More copies of one model than this nobody keeps.
const MOST_COPIES: usize = 1000;

fn pairs(cx: &JobCx) -> Pairs {
    Pairs::at(&cx.places.kept.join("improve"))
}

pub(super) fn count(cx: &JobCx) {
    cx.send(EventKind::Corrections(pairs(cx).counts()));
}

pub(super) fn add(cx: &JobCx, spec: CorrectionSpec) -> Result<(), End> {
    let frame = match spec.frame {
        Some(frame) => frame,
        None => images::frame(&spec.info, spec.frame_index)?,
    };
    let (columns, rows) = (frame.columns(), frame.rows());
    // As the model is given it: the pixels, turned as they are seen, and nothing of the header.
    let image = GreyImage { columns, rows, values: frame.values_as_seen(spec.info.inverted), spacing_mm: None };
    let mut mask = vec![false; columns * rows];
    for plane in &spec.masks {
        plane.iter_set().for_each(|i| {
            if let Some(pixel) = mask.get_mut(i) {
                *pixel = true;
            }
        });
    }
    let correction = Correction { person: spec.person, image, mask };
    let input = [spec.model.card.input.columns, spec.model.card.input.rows];
    pairs(cx).add(&spec.model.id, &spec.model.card.sha256, &spec.image, &correction, input)?;
    cx.send(EventKind::CorrectionKept { stack: spec.stack, frame: spec.frame_index, model: spec.model.id });
    count(cx);
    Ok(())
}

pub(super) fn forget(cx: &JobCx, model: &str) -> Result<(), End> {
    pairs(cx).forget(model)?;
    count(cx);
    Ok(())
}

pub(super) fn improve(cx: &JobCx, model: &ModelInfo, updates: usize) -> Result<(), End> {
    cx.progress(Some(0.0), "reading the approved masks");
    let mut notes = Vec::new();
    let (corrections, damaged) = pairs(cx).read(&model.id)?;
    if damaged > 0 {
        notes.push(format!("{damaged} of the kept masks cannot be read and were left out."));
    }
    // Where the data are not here, that is no error: it is told.
    let own = own_cases(&model.card, &data::root(None), MOST_OWN).unwrap_or_else(|e| {
        log::info!("no cases of the model's own: {e}");
        Vec::new()
    });
    if own.is_empty() {
        notes.push(NO_OWN.to_owned());
    }
    let cancelled = || cx.is_cancelled();
    let progress = |fraction: f32, what: &str| cx.progress(Some(fraction), what.to_lowercase());
    let run = RunCx { cancelled: &cancelled, progress: &progress };
    let enough = || cx.is_enough();
    let learnt = |point| cx.send(EventKind::Learnt(point));
    let watch = Watch { enough: &enough, learnt: &learnt };
    // The kernels work on the pool that they are called from: with one of its own, of lower priority, learning neither takes
    // the threads of a model that the reader waits for nor the processor of the window.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("lightbox-learn-{i}"))
        .start_handler(|_| super::priority::lower())
        .build()?;
    let offer = pool
        .install(|| improve_watched(&model.dir, &corrections, &own, updates, watch, &run))
        .map_err(|e| if cx.is_cancelled() { End::Cancelled } else { ended(e) })?;
    if cx.is_cancelled() {
        return Err(End::Cancelled);
    }
    cx.send(EventKind::Improved { model: model.id.clone(), notes, offer: Arc::new(offer) });
    Ok(())
}

/// Writes a copy as a model of the user's, under the next free id.
pub(super) fn keep(cx: &JobCx, offer: &Offer, taken: &[String]) -> Result<(), End> {
    let none = || End::Failed("There is no folder for added models; set LIGHTBOX_MODELS.".to_owned());
    let into: &PathBuf = cx.places.models.as_ref().ok_or_else(none)?;
    let id = free_id(offer.changed_from(), |id| taken.iter().any(|t| t == id) || into.join(id).exists());
    offer.save(into, &id)?;
    cx.send(EventKind::ImprovedKept(id));
    Ok(())
}

/// `cxr-lungs-improved-1`, the first that is not taken; of a copy of a copy not a longer one.
fn free_id(model: &str, taken: impl Fn(&str) -> bool) -> String {
    let base = match model.rsplit_once("-improved-") {
        Some((base, n)) if n.parse::<usize>().is_ok() => base,
        _ => model,
    };
    let id = |n: usize| format!("{base}-improved-{n}");
    (1..MOST_COPIES).map(id).find(|id| !taken(id)).unwrap_or_else(|| id(MOST_COPIES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_numbered_and_a_copy_of_a_copy_has_no_longer_name() {
        assert_eq!(free_id("cxr-lungs", |_| false), "cxr-lungs-improved-1");
        assert_eq!(free_id("cxr-lungs", |id| id.ends_with("-1")), "cxr-lungs-improved-2");
        assert_eq!(free_id("cxr-lungs-improved-1", |id| id.ends_with("-1")), "cxr-lungs-improved-2");
        assert_eq!(free_id("an-improved-net", |_| false), "an-improved-net-improved-1");
    }
}
