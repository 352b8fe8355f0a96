//! Learning from approved masks: what is kept for it, the run, and what becomes of the copy.

use std::sync::Arc;

use lightbox_model::train::correct::Offer;

use crate::event::{CorrectionSpec, Effect, JobSpec};
use crate::ids::JobId;
use crate::improving::{LEAST_PERSONS, Learning, Offered, UPDATES, approved};
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, Session};

fn refuse(s: &mut Session, title: &str, why: &str) -> Vec<Effect> {
    s.tell(Severity::Warning, ProblemPlace::Ai, title, why);
    Vec::new()
}

pub(super) fn add(s: &mut Session, slot: Option<usize>, model: &str) -> Vec<Effect> {
    const NOT: &str = "Not kept for learning.";
    let Some((stack, frame)) = super::study::frame_of(s, slot, false) else { return Vec::new() };
    let Some(info) = s.models.iter().find(|m| m.id == model && m.can_learn()).cloned() else {
        return refuse(s, NOT, "This model does not learn from masks.");
    };
    let segments = match approved(s.document(stack), &info, Some(frame)) {
        Ok(segments) => segments,
        Err(why) => return refuse(s, NOT, why),
    };
    let (Some(open), Some(document)) = (s.library.stack(stack), s.document(stack)) else { return Vec::new() };
    let masks = segments.iter().filter_map(|id| document.segment(*id)?.mask.plane(frame).cloned()).collect();
    let person = match s.library.study_of(stack) {
        // Without a number or a name each study is someone else: nobody is both learnt from and measured on by mistake
        // only as far as the header tells.
        Some(study) if !study.patient.id.is_empty() => format!("id {}", study.patient.id),
        Some(study) if !study.patient.name.is_empty() => format!("name {}", study.patient.name),
        Some(study) => format!("study {}", study.uid),
        None => return Vec::new(),
    };
    let image = match open.info.frames.get(frame) {
        Some(f) if !f.sop_instance_uid.is_empty() => format!("{} {}", f.sop_instance_uid, f.frame),
        Some(f) => format!("{} {}", f.source, f.frame),
        None => return Vec::new(),
    };
    let spec = CorrectionSpec {
        model: info,
        stack,
        frame_index: frame,
        frame: open.frame(frame).cloned(),
        info: Arc::clone(&open.info),
        masks,
        person,
        image,
    };
    vec![s.start_job(JobKind::Corrections, "Keeping the approved mask", JobSpec::AddCorrection(Box::new(spec)))]
}

pub(super) fn forget(s: &mut Session, model: String) -> Vec<Effect> {
    s.improving.used.retain(|(.., m)| *m != model);
    vec![s.start_job(JobKind::Corrections, "Deleting approved masks", JobSpec::ForgetCorrections(model))]
}

pub(super) fn start(s: &mut Session, model: &str) -> Vec<Effect> {
    const NOT: &str = "Nothing was learnt.";
    if s.improving.run.is_some() {
        return refuse(s, NOT, "Another copy learns just now.");
    }
    let Some(info) = s.models.iter().find(|m| m.id == model && m.can_learn()).cloned() else {
        return refuse(s, NOT, "This model does not learn from masks.");
    };
    let lacking = s.improving.persons_lacking(model);
    if lacking > 0 {
        let more = super::count(lacking, "more person");
        let why = format!(
            "Approved masks of {more} are needed: {LEAST_PERSONS} at least, some to learn from and one to measure on."
        );
        return refuse(s, NOT, &why);
    }
    s.improving.offer = None;
    let title = format!("Improving {}", info.card.name);
    let effect = s.start_job(JobKind::Improve, &title, JobSpec::Improve { model: Box::new(info), updates: UPDATES });
    if let Effect::Start(job, _) = &effect {
        let (model, job) = (model.to_owned(), *job);
        s.improving.run = Some(Learning { model, job, updates: UPDATES, points: Vec::new(), ending: false });
    }
    vec![effect]
}

pub(super) fn finish(s: &mut Session) -> Vec<Effect> {
    match &mut s.improving.run {
        Some(run) => {
            run.ending = true;
            vec![Effect::Finish(run.job)]
        }
        None => Vec::new(),
    }
}

/// A copy has learnt and waits for the reader.
pub(super) fn offered(s: &mut Session, model: String, notes: Vec<String>, offer: Arc<Offer>) -> Vec<Effect> {
    let points = s.improving.run.take().map(|r| r.points).unwrap_or_default();
    s.improving.offer = Some(Offered { model, points, notes, keeping: false, offer });
    Vec::new()
}

/// A run that ended without an offer leaves nothing.
pub(super) fn ended(s: &mut Session, job: JobId) {
    if s.improving.run.as_ref().is_some_and(|r| r.job == job) {
        s.improving.run = None;
    }
    if let Some(offer) = s.improving.offer.as_mut().filter(|o| o.keeping)
        && !s.jobs.iter().any(|j| j.kind == JobKind::KeepImproved)
    {
        offer.keeping = false;
    }
}

pub(super) fn keep(s: &mut Session) -> Vec<Effect> {
    let taken = s.models.iter().map(|m| m.id.clone()).collect();
    let Some(offer) = s.improving.offer.as_mut().filter(|o| !o.keeping) else { return Vec::new() };
    if !offer.passes() {
        return refuse(s, "The copy was not kept.", "It does not pass: the model as it is does better.");
    }
    offer.keeping = true;
    let spec = JobSpec::KeepImproved { offer: Arc::clone(&offer.offer), taken };
    vec![s.start_job(JobKind::KeepImproved, "Keeping the copy", spec)]
}

/// The copy is a model of its own now: it is listed and opened.
pub(super) fn kept(s: &mut Session, id: &str) -> Vec<Effect> {
    s.improving.offer = None;
    s.workspace.chosen_model = Some(id.to_owned());
    let detail = "It stands beside the old model, which is as it was.";
    s.tell(Severity::Note, ProblemPlace::Ai, &format!("Kept as {id}."), detail);
    vec![s.start_job(JobKind::Models, "Listing models", JobSpec::Models)]
}
