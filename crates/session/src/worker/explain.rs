//! Looking at an answer: maps of what counted for a class, and how far an answer moves.

use std::sync::Arc;
use std::time::Instant;

use lightbox_model::{GreyImage, Model, RunCx};

use super::End;
use super::infer::{ended, entry, frame_of, infer};
use crate::event::{EventKind, ExplainSpec};
use crate::heat::{ClassSpread, ExplainBy, Explained, Heat, HeatId, MOST_OPACITY, Told};
use crate::jobs::JobCx;
use crate::picture::picture;
use crate::results::ResultId;

pub(super) fn explain(cx: &JobCx, spec: ExplainSpec) -> Result<(), End> {
    let run = &spec.on;
    if spec.run_first {
        infer(cx, run.clone())?;
    }
    cx.progress(Some(0.0), "reading the weights");
    let model = Model::load(&entry(&run.model))?;
    let frame = frame_of(run, run.frame_index)?;
    let cancelled = || cx.is_cancelled();
    let progress = |fraction: f32, what: &str| cx.progress(Some(fraction), what.to_lowercase());
    let run_cx = RunCx { cancelled: &cancelled, progress: &progress };
    let begun = Instant::now();
    let window = run.info.windows.first().map(|(_, w)| *w);
    let inverted = run.info.inverted;
    let heat = |label: String, values: Vec<f32>| {
        let (top, saturates) = Heat::reach(&values, spec.by);
        Heat {
            id: HeatId(0),
            result: ResultId(0),
            stack: run.stack,
            frame: run.frame_index,
            model: run.model.id.clone(),
            by: spec.by,
            label,
            columns: frame.columns(),
            rows: frame.rows(),
            values: Arc::new(values),
            top,
            saturates,
            completeness_residual: None,
            area_deviation: None,
            seconds: begun.elapsed().as_secs_f64(),
            visible: true,
            opacity: MOST_OPACITY,
        }
    };
    let told = match (spec.by.method(), model.segments_plainly()) {
        (Some(method), _) => {
            let (picture, _) = picture(&frame, window, inverted, &model.card().input);
            let found = model.explain(&picture, method, spec.class, &run_cx).map_err(ended)?;
            let residual = found.completeness_residual;
            Told::Heat(Box::new(Heat { completeness_residual: residual, ..heat(found.label, found.values) }))
        }
        (None, true) => {
            let (columns, rows) = (frame.columns(), frame.rows());
            let image = GreyImage { columns, rows, values: frame.values_as_seen(inverted), spacing_mm: None };
            let (values, area) = model.mask_spread(&image, &run_cx).map_err(ended)?;
            let label = model.card().labels.first().map(|l| l.name.clone()).unwrap_or_default();
            let relative = (area.mean > 0.0).then(|| area.deviation / area.mean);
            Told::Heat(Box::new(Heat { area_deviation: relative, ..heat(label, values) }))
        }
        (None, false) => {
            let (picture, _) = picture(&frame, window, inverted, &model.card().input);
            let all = model.class_spread(&picture, &run_cx).map_err(ended)?;
            let spread = |(label, s): (&lightbox_model::card::Label, lightbox_model::trust::Spread)| ClassSpread {
                label: label.name.clone(),
                mean: s.mean as f32,
                deviation: s.deviation as f32,
            };
            Told::Spread(model.card().labels.iter().zip(all).map(spread).collect())
        }
    };
    cx.send(EventKind::Explained(Box::new(Explained {
        stack: run.stack,
        model: run.model.id.clone(),
        sha256: run.model.card.sha256.clone(),
        geometry: run.geometry.clone(),
        frame: run.frame_index,
        told,
    })));
    Ok(())
}

/// The ways that a model can be looked at.
pub(crate) fn ways(card: &lightbox_model::Card, takes_volumes: bool) -> &'static [ExplainBy] {
    use lightbox_model::card::Task;
    match card.task {
        _ if takes_volumes => &[],
        Task::Classification => &ExplainBy::ALL,
        Task::Segmentation if lightbox_model::train::correct::is_plain(card) => &[ExplainBy::Variation],
        _ => &[],
    }
}
