//! Opening, closing, models, jobs, and work left by a kill.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_core::VolumeGeometry;

use crate::event::{Effect, InferSpec, JobSpec};
use crate::ids::{JobId, StackId};
use crate::journal::{AnnotationRecord, Record, Recovery, SegmentRecord};
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

/// Closes a study.
pub(super) fn close(s: &mut Session, uid: &str) -> Vec<Effect> {
    let gone = s.library.remove(uid);
    let mut effects = Vec::new();
    for job in &mut s.jobs {
        let stack = match &job.kind {
            JobKind::Load(stack) | JobKind::Infer { stack, .. } => Some(*stack),
            _ => None,
        };
        if stack.is_some_and(|id| gone.contains(&id)) {
            job.cancelling = true;
            effects.push(Effect::Cancel(job.id));
        }
    }
    for view in &mut s.workspace.views {
        if view.stack.is_some_and(|id| gone.contains(&id)) {
            view.stack = None;
        }
    }
    for id in &gone {
        // Unsaved work stays in the journal, and comes back with the next start.
        s.closed_unsaved |= s.documents.remove(id).is_some_and(|d| d.has_unsaved_work());
        s.results.retain(|r| r.stack != *id);
    }
    if s.report.study_uid.as_deref() == Some(uid) {
        s.closed_unsaved |= s.report.unsaved > 0;
        s.report = crate::session::ReportState::default();
    }
    effects
}

/// Whether Escape should stop this job.
pub(super) fn is_cancellable(job: &JobInfo) -> bool {
    !job.cancelling && matches!(job.kind, JobKind::Infer { .. } | JobKind::Scan | JobKind::Load(_) | JobKind::LoadSeg)
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

/// Runs a model on the frame that a viewport shows.
pub(super) fn run_model(s: &mut Session, slot: Option<usize>, model: &str) -> Vec<Effect> {
    let Some((_, view, open)) = super::view::view_of(s, slot) else {
        s.tell(Severity::Warning, ProblemPlace::Ai, "Nothing to run on.", "Open an image first.");
        return Vec::new();
    };
    let (stack, plane, index) = (open.id, view.plane, view.index);
    let frame_index = open.plane_stack(plane).stored_slice(index).unwrap_or(0);
    run_on(s, stack, frame_index, model)
}

/// Runs a model on a frame of a stack.
pub(super) fn run_on(s: &mut Session, stack: StackId, frame_index: usize, model: &str) -> Vec<Effect> {
    if s.infer_job(stack, model).is_some() {
        return Vec::new();
    }
    let Some(info) = s.models.iter().find(|m| m.id == model).cloned() else {
        s.tell(
            Severity::Error,
            ProblemPlace::Ai,
            "No such model.",
            &format!("There is no model {model} among those at hand."),
        );
        return Vec::new();
    };
    let Some(open) = s.library.stack(stack) else { return Vec::new() };
    if let Fit::Unfit(reason) = info.fit(open, s.library.study_of(stack)) {
        let text = format!("It {reason}.");
        s.tell(Severity::Error, ProblemPlace::Ai, &format!("{} does not run on this image.", info.card.name), &text);
        return Vec::new();
    }
    let spec = InferSpec {
        stack,
        frame_index,
        frame: open.frame(frame_index).cloned(),
        info: Arc::clone(&open.info),
        geometry: open.geometry().clone(),
        left_is_patient_right: open.left_is_patient_right(lightbox_core::Plane::Native),
        model: info,
    };
    let title = format!("Running {}", spec.model.card.name);
    vec![s.start_job(JobKind::Infer { model: model.to_owned(), stack }, &title, JobSpec::Infer(Box::new(spec)))]
}

/// Opens the work of an earlier session again.
pub(super) fn restore(s: &mut Session) -> Vec<Effect> {
    let Some(recovery) = s.recovery.take() else { return Vec::new() };
    let paths = recovery.paths.clone();
    s.restoring = Some(recovery);
    let mut effects = lay_on_open_stacks(s);
    effects.extend(open(s, paths));
    effects
}

/// Deletes the work of an earlier session.
pub(super) fn discard_recovery(s: &mut Session) -> Vec<Effect> {
    let Some(recovery) = s.recovery.take() else { return Vec::new() };
    vec![s.start_job(JobKind::Recovery, "Deleting unsaved work", JobSpec::DiscardRecovery(recovery.journal))]
}

/// Lays restored work onto the stacks that are open, and writes it into the journal of this session. The old journal is
/// deleted once everything has found its place.
pub(super) fn lay_on_open_stacks(s: &mut Session) -> Vec<Effect> {
    let Some(mut recovery) = s.restoring.take() else { return Vec::new() };
    let mut records = Vec::new();
    let mut misfits = 0;
    let keys: Vec<_> = recovery.stacks.keys().cloned().collect();
    for key in keys {
        let Some(open) = s.library.by_key(&key) else { continue };
        let (id, geometry) = (open.id, open.geometry().clone());
        let Some(work) = recovery.stacks.remove(&key) else { continue };
        let document = s.documents.entry(id).or_default();
        for (mut segment, proposed) in work.segments {
            if !fits(&geometry, &segment.mask) {
                misfits += 1;
                continue;
            }
            if segment.mask.dims() != geometry.dims() {
                segment.mask = lightbox_core::Mask::new(geometry.dims());
            }
            if document.segment(segment.id).is_some() {
                // Something was drawn since the start: the restored segment comes beside it under a new number.
                segment.id = document.new_segment(geometry.dims(), None).id;
            }
            document.note_segment_id(segment.id);
            if proposed {
                document.proposed.insert(segment.id);
            }
            document.active = document.active.or(Some(segment.id));
            document.segments.push(segment);
        }
        for annotation in work.annotations {
            let mut annotation = annotation.on(id);
            annotation.id = document.new_annotation_id();
            document.annotations.push(annotation);
        }
        document.unsaved += work.unsaved.max(1);
        document.revision += 1;
        records.extend(whole_document(s, id));
    }
    if let Some(report) = recovery.report.take() {
        s.report.document.merge(&report);
        s.report.unsaved += 1;
        records.push(Record::Report { document: Box::new(s.report.document.clone()) });
    }
    if misfits > 0 {
        s.tell(
            Severity::Warning,
            ProblemPlace::Masks,
            "Some restored masks do not fit.",
            &format!("{misfits} segments belong to images of another size and were left in the journal."),
        );
    }
    let mut effects = if records.is_empty() { Vec::new() } else { vec![Effect::Journal(records)] };
    if recovery.stacks.is_empty() && misfits == 0 {
        let spec = JobSpec::DiscardRecovery(recovery.journal);
        effects.push(s.start_job(JobKind::Recovery, "Tidying the journal", spec));
    } else {
        s.restoring = Some(recovery);
    }
    effects
}

fn fits(geometry: &VolumeGeometry, mask: &lightbox_core::Mask) -> bool {
    mask.dims() == geometry.dims() || mask.count() == 0
}

/// Everything drawn on a stack, as journal records.
pub(super) fn whole_document(s: &Session, id: StackId) -> Vec<Record> {
    let (Some(open), Some(document)) = (s.library.stack(id), s.documents.get(&id)) else { return Vec::new() };
    let mut out = Vec::new();
    for (place, segment) in document.segments.iter().enumerate() {
        out.extend(segment_records(&open.key, place, segment, document.proposed.contains(&segment.id)));
    }
    if !document.annotations.is_empty() {
        out.push(Record::Annotations {
            stack: open.key.clone(),
            annotations: document.annotations.iter().map(AnnotationRecord::of).collect(),
        });
    }
    out.push(Record::Unsaved { stack: open.key.clone(), gestures: document.unsaved });
    out
}

/// A segment with all its voxels, as journal records.
pub(super) fn segment_records(
    key: &crate::ids::StackKey,
    place: usize,
    segment: &lightbox_core::Segment,
    proposed: bool,
) -> Vec<Record> {
    let slices = segment.mask.occupied().filter_map(|k| Some((k, segment.mask.plane(k)?.runs()))).collect::<Vec<_>>();
    vec![
        Record::Segment { stack: key.clone(), place, segment: Box::new(SegmentRecord::of(segment, proposed)) },
        Record::Voxels {
            stack: key.clone(),
            segment: segment.id,
            dims: segment.mask.dims(),
            edited: segment.edited,
            slices,
        },
    ]
}

/// Keeps a recovery that a job found, if it is worth it.
pub(super) fn offer(s: &mut Session, recovery: Option<Box<Recovery>>) {
    s.recovery = recovery.map(|r| *r).filter(Recovery::is_worth_offering);
}
