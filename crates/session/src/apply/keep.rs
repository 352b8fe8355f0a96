//! Work outlives what holds it: a series that is closed, a process that is killed, a journal that cannot be written.

use lightbox_core::{Mask, Segment, VolumeGeometry};

use crate::event::{Effect, JobSpec};
use crate::ids::StackId;
use crate::journal::{Record, Recovery, StackWork};
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, ReportState, Session};

/// Opens the work of an earlier session again. The paths go into the journal first: what is laid onto the series would be
/// worth nothing to the next session without them.
pub(super) fn restore(s: &mut Session) -> Vec<Effect> {
    let Some(recovery) = s.recovery.take() else { return Vec::new() };
    let paths = recovery.paths.clone();
    let mut effects =
        vec![Effect::Journal(vec![Record::Opened { paths: paths.clone(), about: recovery.about.clone() }])];
    s.restoring = Some(recovery);
    effects.extend(lay_on_open_stacks(s));
    effects.extend(super::study::open(s, paths));
    effects
}

/// What is open, and which studies the work is about.
pub(super) fn opened(s: &Session) -> Record {
    Record::Opened { paths: s.library.paths.clone(), about: about(s) }
}

/// The studies with unsaved work, as people call them, without a name: `CT thorax, CT, 2026-11-18`.
fn about(s: &Session) -> Vec<String> {
    let mut out = Vec::new();
    for study in &s.library.studies {
        let drawn = study.stacks.iter().any(|id| s.documents.get(id).is_some_and(|d| d.has_unsaved_work()));
        if drawn || s.reports.get(&study.uid).is_some_and(|r| r.unsaved > 0) {
            let modality = study.stacks.first().and_then(|id| s.library.stack(*id)).map(|e| e.series.modality.as_str());
            let parts = [study.description.as_str(), modality.unwrap_or_default(), study.date.as_str()];
            let known: Vec<&str> = parts.into_iter().filter(|t| !t.is_empty()).collect();
            out.push(if known.is_empty() { "a study without a name".to_owned() } else { known.join(", ") });
        }
    }
    out
}

/// Deletes the work of an earlier session.
pub(super) fn discard_recovery(s: &mut Session) -> Vec<Effect> {
    let Some(recovery) = s.recovery.take() else { return Vec::new() };
    vec![s.start_job(JobKind::Recovery, "Deleting unsaved work", JobSpec::DiscardRecovery(recovery.journal))]
}

/// Keeps a recovery that a job found, if it is worth it.
pub(super) fn offer(s: &mut Session, recovery: Option<Box<Recovery>>) {
    s.recovery = recovery.map(|r| *r).filter(Recovery::is_worth_offering);
}

/// Gives series that were opened again what was drawn on them before they were closed.
pub(super) fn give_back(s: &mut Session, new: &[StackId]) {
    for id in new {
        let Some(open) = s.library.stack(*id) else { continue };
        if let Some(document) = s.closed.remove(&open.key) {
            s.documents.insert(*id, document.reopened_as(*id));
        }
    }
}

/// Lays restored work onto the series and studies that are open, and writes it into the journal of this session. The old
/// journal keeps what has found no place, and is deleted once everything has.
pub(super) fn lay_on_open_stacks(s: &mut Session) -> Vec<Effect> {
    let Some(mut recovery) = s.restoring.take() else { return Vec::new() };
    let mut records = Vec::new();
    let mut laid = Vec::new();
    for open in s.library.stacks().map(|e| (e.id, e.key.clone(), e.geometry().clone())).collect::<Vec<_>>() {
        let (id, key, geometry) = open;
        let Some(work) = recovery.stacks.remove(&key) else { continue };
        // A model's result is in the journal too, and nobody's work.
        let gestures = work.unsaved_masks + work.unsaved_annotations;
        let misfit = lay(s, id, &geometry, work);
        laid.push((gestures, id));
        if !misfit.segments.is_empty() {
            recovery.misfits.insert(key.clone(), misfit);
        }
        if let Some(document) = s.documents.get(&id) {
            records.extend(Record::of_document(&key, document));
        }
    }
    for study in s.library.studies.iter().map(|st| st.uid.clone()).collect::<Vec<_>>() {
        if let Some(work) = recovery.reports.remove(&study) {
            let changes = work.unsaved;
            super::report::bring_back(s, &study, work);
            let of_study = s.library.studies.iter().find(|st| st.uid == study).and_then(|st| st.stacks.first());
            laid.extend(of_study.map(|id| (changes, *id)));
            records.extend(report_record(&study, &s.reports[&study]));
        }
    }
    let misfits: usize = recovery.misfits.values().map(|w| w.segments.len()).sum();
    if misfits > 0 && !records.is_empty() {
        let what = if misfits == 1 {
            "1 segment belongs to images of another size and was left in the journal.".to_owned()
        } else {
            format!("{misfits} segments belong to images of another size and were left in the journal.")
        };
        s.tell(Severity::Warning, ProblemPlace::Masks, "Some restored masks do not fit.", &what);
    }
    let mut effects = laid.iter().max_by_key(|(n, _)| *n).map(|(_, id)| bring_forward(s, *id)).unwrap_or_default();
    if !records.is_empty() {
        effects.push(Effect::Journal(records));
        let spec = JobSpec::RetireJournal { journal: recovery.journal.clone(), left: recovery.left() };
        effects.push(s.start_job(JobKind::Recovery, "Tidying the journal", spec));
    }
    if !(recovery.stacks.is_empty() && recovery.reports.is_empty()) {
        s.restoring = Some(recovery);
    }
    effects
}

/// Shows a series where the work on it is: the image with the first measurement, else the middle of the first mask.
fn bring_forward(s: &mut Session, id: StackId) -> Vec<Effect> {
    let slots = s.workspace.layout.slots();
    let slot = s.workspace.views.iter().take(slots).position(|v| v.stack == Some(id));
    let mut effects = match slot {
        Some(slot) => super::view::activate(s, slot),
        None => super::view::show(s, None, id, None),
    };
    let (Some(open), Some(document)) = (s.library.stack(id), s.documents.get(&id)) else { return effects };
    let plane = s.workspace.active_view().plane;
    let drawn = |x: &Segment| {
        let slices: Vec<usize> = x.mask.occupied().collect();
        slices.get(slices.len() / 2).copied()
    };
    let measured = document.annotations.iter().find(|a| a.plane == plane).map(|a| a.index);
    let masked = || open.plane_stack(plane).plane_of_slice(document.segments.iter().find_map(drawn)?);
    if let Some(index) = measured.or_else(masked) {
        effects.extend(super::view::scroll_to(s, None, index));
    }
    effects
}

/// Lays the work of one series onto it. What does not fit comes back.
fn lay(s: &mut Session, id: StackId, geometry: &VolumeGeometry, work: StackWork) -> StackWork {
    let document = s.documents.entry(id).or_default();
    let mut misfit = StackWork::default();
    for (mut segment, proposed) in work.segments {
        if segment.mask.dims() != geometry.dims() {
            if segment.mask.count() > 0 {
                misfit.segments.push((segment, proposed));
                continue;
            }
            segment.mask = Mask::new(geometry.dims());
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
        if document.annotations.iter().any(|a| a.id == annotation.id) {
            annotation.id = document.new_annotation_id();
        }
        document.add_annotation(annotation);
    }
    let [columns, rows, frames] = geometry.dims();
    document.take_boxes(work.boxes.into_iter().filter(|b| b.is_sound(columns, rows, frames)).collect());
    misfit.unsaved_masks = misfit.segments.len();
    document.restored += work.unsaved_masks + work.unsaved_annotations;
    document.unsaved_masks += work.unsaved_masks;
    document.unsaved_annotations += work.unsaved_annotations;
    document.revision += 1;
    misfit
}

/// A report as a record; none while nothing was written.
pub(super) fn report_record(study: &str, report: &ReportState) -> Option<Record> {
    let document = Box::new(report.document.clone());
    (!report.document.sections.is_empty()).then(|| Record::Report {
        study: study.to_owned(),
        document,
        changes: report.unsaved,
        signed: report.signed.clone(),
        kept: report.kept.clone(),
    })
}

/// After a failed write, the next record or the end of the program brings all work anew: what was appended meanwhile would
/// be changes to what is not there.
pub(crate) fn catch_up(s: &mut Session, mut effects: Vec<Effect>) -> Vec<Effect> {
    if !s.journal_behind {
        return effects;
    }
    let due = |e: &Effect| matches!(e, Effect::Journal(_) | Effect::Quit { keep_journal: true });
    let Some(at) = effects.iter().position(due) else { return effects };
    s.journal_behind = false;
    effects.retain(|e| !matches!(e, Effect::Journal(_)));
    effects.insert(at, Effect::JournalAnew(everything(s)));
    effects
}

/// All work there is, as records.
fn everything(s: &Session) -> Vec<Record> {
    let mut paths = s.library.paths.clone();
    paths.extend(s.restoring.iter().flat_map(|r| r.paths.clone()));
    let mut out = vec![Record::Opened { paths, about: about(s) }];
    for open in s.library.stacks() {
        out.extend(s.documents.get(&open.id).map(|d| Record::of_document(&open.key, d)).unwrap_or_default());
    }
    out.extend(s.closed.iter().flat_map(|(key, document)| Record::of_document(key, document)));
    out.extend(s.reports.iter().filter_map(|(study, report)| report_record(study, report)));
    out
}
