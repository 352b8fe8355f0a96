//! Looking at what an answer rests on: maps and ranges.

use crate::event::{Effect, ExplainSpec, JobSpec};
use crate::heat::{ExplainBy, Explained, Heat, HeatId, MOST_OPACITY, Told};
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, Session};

pub(super) fn start(
    s: &mut Session,
    slot: Option<usize>,
    model: &str,
    by: ExplainBy,
    class: Option<usize>,
) -> Vec<Effect> {
    let Some((stack, frame)) = super::study::frame_of(s, slot, false) else { return Vec::new() };
    if s.explain_job(stack, model).is_some() {
        return Vec::new();
    }
    let Some(on) = super::study::spec_for(s, stack, frame..frame + 1, model) else { return Vec::new() };
    if !on.model.explains().contains(&by) {
        let title = format!("{} has no {} to show.", on.model.card.name, by.name().to_lowercase());
        s.tell(Severity::Warning, ProblemPlace::Ai, &title, "It gives another kind of answer.");
        return Vec::new();
    }
    let run_first = !s.results.iter().any(|r| r.stack == stack && r.model == model && r.covers(frame));
    let title = format!("{} of {}", by.name(), on.model.card.name);
    let spec = ExplainSpec { on, by, class, run_first };
    let kind = JobKind::Explain { model: model.to_owned(), stack };
    s.workspace.chosen_model = Some(model.to_owned());
    vec![s.start_job(kind, &title, JobSpec::Explain(Box::new(spec)))]
}

/// What a job found out joins the newest result that it speaks of; one that was taken away meanwhile has none.
pub(super) fn explained(s: &mut Session, of: Explained) {
    let unchanged = s.library.stack(of.stack).is_some_and(|open| *open.geometry() == of.geometry);
    let is_it = |r: &&mut crate::results::InferResult| {
        r.stack == of.stack && r.model == of.model && r.sha256 == of.sha256 && r.covers(of.frame)
    };
    let Some(result) = s.results.iter_mut().rev().find(is_it).filter(|_| unchanged) else { return };
    match of.told {
        Told::Spread(spread) => {
            result.spreads.retain(|(frame, _)| *frame != of.frame);
            result.spreads.push((of.frame, spread));
        }
        Told::Heat(heat) => {
            let result = result.id;
            let id = s.new_heat();
            let before = s.heats.iter().position(|h| is_same(h, &heat));
            let opacity = before.map(|n| s.heats.remove(n)).map_or(heat.opacity, |h| h.opacity);
            s.heats.push(Heat { id, result, opacity, ..*heat });
            show(s, id, true);
        }
    }
}

/// Whether one map takes the place of another.
fn is_same(a: &Heat, b: &Heat) -> bool {
    (a.stack, a.frame, a.by) == (b.stack, b.frame, b.by) && (&a.model, &a.label) == (&b.model, &b.label)
}

/// Two maps on one image would be read as one: the others of the frame go out.
pub(super) fn show(s: &mut Session, id: HeatId, on: bool) -> Vec<Effect> {
    let Some((stack, frame)) = s.heats.iter().find(|h| h.id == id).map(|h| (h.stack, h.frame)) else {
        return Vec::new();
    };
    for heat in s.heats.iter_mut().filter(|h| h.stack == stack && h.frame == frame) {
        heat.visible = on && heat.id == id;
    }
    Vec::new()
}

pub(super) fn set_opacity(s: &mut Session, id: HeatId, opacity: f32) -> Vec<Effect> {
    if let Some(heat) = s.heats.iter_mut().find(|h| h.id == id) {
        heat.opacity = if opacity.is_finite() { opacity.clamp(0.0, MOST_OPACITY) } else { MOST_OPACITY };
    }
    Vec::new()
}
