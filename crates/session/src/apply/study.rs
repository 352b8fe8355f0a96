//! Opening, closing, models, jobs.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::event::{Effect, InferSpec, JobSpec};
use crate::ids::{JobId, StackId};
use crate::models::Fit;
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobInfo, JobKind, Session};

/// Opens files, folders, ZIPs.
pub(super) fn open(s: &mut Session, paths: Vec<PathBuf>) -> Vec<Effect> {
    if paths.is_empty() {
        return Vec::new();
    }
    s.problems.retain(|p| p.place != ProblemPlace::Open);
    vec![s.start_job(JobKind::Scan, "Looking for images", JobSpec::Scan(paths))]
}

/// Makes and opens the built-in study.
pub(super) fn open_demo(s: &mut Session) -> Vec<Effect> {
    vec![s.start_job(JobKind::Scan, "Making the demo study", JobSpec::Demo)]
}

/// Closes a study. What was drawn on it stays in memory and in the journal, and comes back when it is opened again.
pub(super) fn close(s: &mut Session, uid: &str) -> Vec<Effect> {
    let mut effects = super::segment::stroke_end(s);
    let stacks = s.library.studies.iter().find(|st| st.uid == uid).map(|st| st.stacks.clone()).unwrap_or_default();
    for open in stacks.iter().filter_map(|id| s.library.stack(*id)) {
        s.was.insert(open.id, open.key.clone());
        if let Some(document) = s.documents.remove(&open.id).filter(|d| !d.is_blank()) {
            s.closed.insert(open.key.clone(), document.closed());
        }
    }
    let gone = s.library.remove(uid);
    for job in &mut s.jobs {
        let stack = match &job.kind {
            JobKind::Load(stack) | JobKind::Infer { stack, .. } | JobKind::Explain { stack, .. } => Some(*stack),
            _ => None,
        };
        if stack.is_some_and(|id| gone.contains(&id)) {
            job.cancelling = true;
            effects.push(Effect::Cancel(job.id));
        }
    }
    for view in &mut s.workspace.views {
        if view.stack.is_some_and(|id| gone.contains(&id)) {
            view.layer = None;
            view.stack = None;
        }
    }
    s.results.retain(|r| !gone.contains(&r.stack));
    s.heats.retain(|h| !gone.contains(&h.stack));
    s.run_when_open.retain(|(id, _)| !gone.contains(id));
    effects
}

/// Whether Escape should stop this job. Not the loading of frames: a viewport would stay black, and whoever wants no more
/// of a series closes it. Not a copy that learns for minutes: it has a Stop of its own.
pub(super) fn is_cancellable(job: &JobInfo) -> bool {
    let stops = matches!(
        job.kind,
        JobKind::Infer { .. } | JobKind::Explain { .. } | JobKind::Scan | JobKind::LoadSeg | JobKind::Propose
    );
    !job.cancelling && stops
}

/// Asks a job to stop.
pub(super) fn cancel(s: &mut Session, id: JobId) -> Vec<Effect> {
    match s.jobs.iter_mut().find(|j| j.id == id) {
        Some(job) => {
            job.cancelling = true;
            vec![Effect::Cancel(id)]
        }
        None => Vec::new(),
    }
}

/// Runs a model on the frame that a viewport shows, or on all frames of its stack.
pub(super) fn run_model(s: &mut Session, slot: Option<usize>, model: &str, series: bool) -> Vec<Effect> {
    let Some((stack, frame_index)) = frame_of(s, slot, series) else { return Vec::new() };
    let Some(open) = s.library.stack(stack) else { return Vec::new() };
    let frames = if series { 0..open.frames() } else { frame_index..frame_index + 1 };
    // What it finds is shown where it is asked for.
    s.workspace.chosen_model = Some(model.to_owned());
    run_on(s, stack, frames, model)
}

/// The stack and the frame that a viewport shows; the first frame of a plane across them where `any`. Says so where there is
/// none.
pub(super) fn frame_of(s: &mut Session, slot: Option<usize>, any: bool) -> Option<(StackId, usize)> {
    let Some((_, view, open)) = super::view::view_of(s, slot) else {
        s.tell(Severity::Warning, ProblemPlace::Ai, "Nothing to run on.", "Open an image first.");
        return None;
    };
    let (stack, found) = (open.id, open.plane_stack(view.plane).stored_slice(view.index).or(any.then_some(0)));
    if found.is_none() {
        let detail = "It reads images as they were acquired; this plane lies across them. Show the acquired planes, or run it \
                      on the series.";
        s.tell(Severity::Warning, ProblemPlace::Ai, "The model does not run on this plane.", detail);
    }
    Some((stack, found?))
}

/// Runs a model on frames of a stack; one that takes volumes reads all of them.
pub(super) fn run_on(s: &mut Session, stack: StackId, frames: Range<usize>, model: &str) -> Vec<Effect> {
    if s.infer_job(stack, model).is_some() {
        return Vec::new();
    }
    let Some(spec) = spec_for(s, stack, frames, model) else { return Vec::new() };
    let title = format!("Running {}", spec.model.card.name);
    vec![s.start_job(JobKind::Infer { model: model.to_owned(), stack }, &title, JobSpec::Infer(Box::new(spec)))]
}

/// What a model is given; says why where it does not run.
pub(super) fn spec_for(s: &mut Session, stack: StackId, frames: Range<usize>, model: &str) -> Option<InferSpec> {
    let Some(info) = s.models.iter().find(|m| m.id == model).cloned() else {
        s.tell(
            Severity::Error,
            ProblemPlace::Ai,
            "No such model.",
            &format!("There is no model {model} among those at hand."),
        );
        return None;
    };
    let open = s.library.stack(stack)?;
    if let Fit::Unfit(reason) = info.fit(open, s.library.study_of(stack)) {
        let text = format!("It {reason}.");
        s.tell(Severity::Error, ProblemPlace::Ai, &format!("{} does not run on this image.", info.card.name), &text);
        return None;
    }
    Some(InferSpec {
        stack,
        frame_index: frames.start,
        count: frames.len(),
        // Shared, not copied.
        frames: open.volume.slices().to_vec(),
        info: Arc::clone(&open.info),
        geometry: open.geometry().clone(),
        left_is_patient_right: open.left_is_patient_right(lightbox_core::Plane::Native),
        model: info,
    })
}
