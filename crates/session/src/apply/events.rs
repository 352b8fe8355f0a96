//! What jobs tell, taken into the state.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_dicom::StudyIndex;

use super::view;
use crate::event::{Effect, EventKind, JobEvent, JobSpec, LoadedFrame};
use crate::ids::StackId;
use crate::journal::Record;
use crate::library::LoadState;
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, Session};

/// The message while the journal is not whole.
const NO_JOURNAL: &str = "The journal cannot be written.";

/// Takes what a job tells.
pub(crate) fn on_event(s: &mut Session, event: JobEvent) -> Vec<Effect> {
    match &event.kind {
        EventKind::JournalFailed(why) => {
            s.journal_behind = true;
            let detail = format!("Work since now is only in memory; save it soon. {why}");
            s.problems.retain(|p| p.title != NO_JOURNAL);
            s.tell(Severity::Error, ProblemPlace::General, NO_JOURNAL, &detail);
            return Vec::new();
        }
        EventKind::JournalWhole => {
            s.problems.retain(|p| p.title != NO_JOURNAL);
            return Vec::new();
        }
        _ => {}
    }
    let Some((kind, cancelling)) = s.job(event.job).map(|j| (j.kind.clone(), j.cancelling)) else {
        // A job that is over; late frames of a closed study go with it.
        return Vec::new();
    };
    if cancelling
        && matches!(
            event.kind,
            EventKind::Inferred(_)
                | EventKind::Explained(_)
                | EventKind::Improved { .. }
                | EventKind::SegLoaded { .. }
                | EventKind::Scanned { .. }
        )
    {
        // It came to its end before it heard that nobody wants it.
        return Vec::new();
    }
    match event.kind {
        EventKind::Progress(fraction, detail) => {
            if let Some(job) = s.jobs.iter_mut().find(|j| j.id == event.job) {
                job.fraction = fraction;
                job.detail = detail;
            }
            Vec::new()
        }
        EventKind::Scanned { index, paths, demo } => scanned(s, *index, paths, demo),
        EventKind::Frames(stack, frames) => take_frames(s, stack, frames),
        EventKind::Loaded(stack, failed, reason) => loaded(s, stack, failed, reason),
        EventKind::Thumbnail(stack, thumbnail) => {
            if let Some(open) = s.library.stack_mut(stack) {
                open.thumbnail = Some(thumbnail);
            }
            Vec::new()
        }
        EventKind::Models(models) => {
            s.models = models;
            Vec::new()
        }
        EventKind::Inferred(result) => super::results::inferred(s, *result),
        EventKind::Explained(explained) => {
            super::explain::explained(s, *explained);
            Vec::new()
        }
        EventKind::Corrections(counts) => {
            s.improving.counts = counts;
            Vec::new()
        }
        EventKind::CorrectionKept { stack, frame, model } => {
            s.improving.used.insert((stack, frame, model));
            Vec::new()
        }
        EventKind::Learnt(point) => {
            if let Some(run) = s.improving.run.as_mut().filter(|r| r.job == event.job) {
                run.points.push(point);
            }
            Vec::new()
        }
        EventKind::Improved { model, notes, offer } => super::improve::offered(s, model, notes, offer),
        EventKind::ImprovedKept(id) => super::improve::kept(s, &id),
        EventKind::SegSaved { stack, path, segments, gestures, time } => {
            let told = format!("{}: {segments} of {segments} segments equal, read back {time}.", short_name(&path));
            seg_saved(s, stack, gestures, told)
        }
        EventKind::SegLoaded { stack, segments, proposed, path } => {
            super::results::seg_loaded(s, stack, segments, &proposed, &path)
        }
        EventKind::TextSaved { path, study, changes } => {
            let Some(report) = s.reports.get_mut(&study) else { return Vec::new() };
            report.unsaved = report.unsaved.saturating_sub(changes);
            report.saved = Some(format!("Saved as {}", short_name(&path)));
            let changes = report.unsaved;
            vec![Effect::Journal(vec![Record::ReportSaved { study, changes }])]
        }
        EventKind::Checked { study, checked } => super::check::checked(s, &study, *checked),
        EventKind::Completed(completion) => super::write::completed(s, completion),
        EventKind::OtherWords(words) => super::write::found_words(s, words),
        EventKind::Proposed { study, kind, offer } => super::write::proposed(s, &study, kind, *offer),
        EventKind::PhrasesForgotten => {
            let detail = "What you sign from now on is learnt anew. Signed reports stay.";
            s.tell(Severity::Note, ProblemPlace::Report, "Learnt phrases are forgotten.", detail);
            Vec::new()
        }
        EventKind::LetterSaved(path) => {
            s.tell(Severity::Note, ProblemPlace::Report, "Letter written.", &short_name(&path));
            Vec::new()
        }
        EventKind::Answered(found) => super::knowledge::answered(s, *found),
        EventKind::Own(own) => super::knowledge::own(s, *own),
        EventKind::Template(own) => super::template::imported(s, *own),
        EventKind::Recalls(recalls, from) => {
            let told = format!("{} from {from}", super::count(recalls.len(), "notice"));
            (s.drugs.recalls, s.drugs.recalls_from) = (recalls, from);
            s.tell(Severity::Note, ProblemPlace::Report, "Recall notices read.", &told);
            Vec::new()
        }
        EventKind::DrugRules(text) => {
            s.tell(Severity::Note, ProblemPlace::Report, "Drug rules kept.", "They stand before the others.");
            super::knowledge::rules(s, &text)
        }
        EventKind::TemplateSaved(path) => {
            s.tell(Severity::Note, ProblemPlace::Report, "Template written.", &short_name(&path));
            Vec::new()
        }
        EventKind::SignedFound(found) => super::sign::found(s, found),
        EventKind::SignedKept(study) => super::sign::on_disk(s, &study),
        EventKind::Recovery(recovery) => {
            super::keep::offer(s, recovery);
            Vec::new()
        }
        EventKind::JournalFailed(_) | EventKind::JournalWhole => Vec::new(),
        EventKind::Done => {
            s.jobs.retain(|j| j.id != event.job);
            super::check::ended(s, event.job);
            super::improve::ended(s, event.job);
            super::write::ended(s, event.job);
            Vec::new()
        }
        EventKind::Cancelled => {
            s.jobs.retain(|j| j.id != event.job);
            super::check::ended(s, event.job);
            super::improve::ended(s, event.job);
            super::write::ended(s, event.job);
            if let JobKind::Load(stack) = kind
                && let Some(open) = s.library.stack_mut(stack)
                && matches!(open.load, LoadState::Loading(_))
            {
                open.load = LoadState::Waiting;
            }
            Vec::new()
        }
        EventKind::Failed(why) => {
            s.jobs.retain(|j| j.id != event.job);
            super::check::ended(s, event.job);
            super::improve::ended(s, event.job);
            super::write::ended(s, event.job);
            failed(s, &kind, &why);
            Vec::new()
        }
    }
}

/// Masks are in a file. Their series may have been closed, or opened again, since the save began.
fn seg_saved(s: &mut Session, stack: StackId, gestures: usize, told: String) -> Vec<Effect> {
    let Some(key) = s.library.stack(stack).map(|e| e.key.clone()).or_else(|| s.was.get(&stack).cloned()) else {
        return Vec::new();
    };
    let now = s.library.by_key(&key).map(|e| e.id);
    let document = match now {
        Some(id) => s.documents.get_mut(&id),
        None => s.closed.get_mut(&key),
    };
    let Some(document) = document else { return Vec::new() };
    document.masks_saved(gestures);
    document.saved = Some(told);
    vec![Effect::Journal(vec![Record::unsaved(key, document)])]
}

/// The name of a file, cut in the middle to what a line of a panel holds.
fn short_name(path: &std::path::Path) -> String {
    const LONGEST: usize = 20;
    let name: Vec<char> = path.file_name().map(|n| n.to_string_lossy().chars().collect()).unwrap_or_default();
    if name.len() <= LONGEST {
        return name.into_iter().collect();
    }
    let (start, end) = (&name[..LONGEST / 2], &name[name.len() - LONGEST / 2 + 1..]);
    start.iter().chain(['…'].iter()).chain(end).collect()
}

fn failed(s: &mut Session, kind: &JobKind, why: &str) {
    let (place, title) = match kind {
        JobKind::Scan => (ProblemPlace::Open, "Not opened."),
        JobKind::Load(stack) => {
            if let Some(open) = s.library.stack_mut(*stack) {
                open.load = LoadState::Failed(why.to_owned());
            }
            (ProblemPlace::Open, "The images could not be read.")
        }
        JobKind::Thumbnails => return,
        JobKind::Models => (ProblemPlace::Ai, "The models could not be listed."),
        JobKind::Infer { .. } => (ProblemPlace::Ai, "The model did not run."),
        JobKind::Explain { .. } => (ProblemPlace::Ai, "The answer could not be looked at."),
        JobKind::Corrections => (ProblemPlace::Ai, "What is kept for learning was not changed."),
        JobKind::Improve => (ProblemPlace::Ai, "The copy did not learn."),
        JobKind::KeepImproved => (ProblemPlace::Ai, "The copy was not kept. It is still offered."),
        JobKind::SaveSeg => (ProblemPlace::Masks, "Not saved."),
        JobKind::SaveReport => (ProblemPlace::Report, "Not saved."),
        JobKind::Check => (ProblemPlace::Report, "The checks did not run."),
        // A word less while typing is no message; why is in the log.
        JobKind::Complete => {
            log::warn!("no words were proposed: {why}");
            return;
        }
        JobKind::Propose => (ProblemPlace::Report, "No proposal."),
        JobKind::Ask => (ProblemPlace::Report, "No answer."),
        JobKind::Import => (ProblemPlace::Report, "Not read."),
        JobKind::ExportTemplate => (ProblemPlace::Report, "The template was not written."),
        JobKind::Signed => (ProblemPlace::Report, "The signed report is only in the journal."),
        JobKind::LoadSeg => (ProblemPlace::Masks, "The mask was not loaded."),
        JobKind::Recovery => (ProblemPlace::General, "Earlier work could not be read."),
    };
    // The sentence of a mask that is not written begins as the title does.
    let why = why
        .strip_prefix("the mask is not saved, and nothing was overwritten: ")
        .map_or_else(|| why.to_owned(), |rest| format!("Nothing was overwritten. {}", sentence(rest)));
    s.tell(Severity::Error, place, title, &why);
}

/// `90: it holds no image. 3: it is damaged or cut off.`, the three commonest reasons.
fn reasons(left_out: &[(&str, usize)]) -> String {
    let mut lines: Vec<String> = left_out.iter().take(3).map(|(reason, n)| format!("{n}: {reason}.")).collect();
    let rest: usize = left_out.iter().skip(3).map(|(_, n)| n).sum();
    if rest > 0 {
        lines.push(format!("{rest}: for other reasons."));
    }
    lines.join(" ").replace("..", ".")
}

fn scanned(s: &mut Session, index: StudyIndex, paths: Vec<PathBuf>, demo: bool) -> Vec<Effect> {
    for path in paths {
        let path = std::path::absolute(&path).unwrap_or(path);
        if !demo && !index.studies.is_empty() {
            s.workspace.opened(path.clone());
        }
        if !s.library.paths.contains(&path) {
            s.library.paths.push(path);
        }
    }
    let mut new = Vec::new();
    let found_any = !index.studies.is_empty();
    for study in index.studies {
        new.extend(s.library.add(study));
    }
    super::keep::give_back(s, &new);
    let skipped = index.skipped.len();
    s.library.skipped = index.skipped;
    let first = s.library.skipped.first().map(|f| format!("{}: {}", sentence(&f.reason), f.path));
    // One file is named; of many it is told why, and the list of them opens.
    let why = match first {
        Some(first) if skipped == 1 => first,
        _ => reasons(&s.library.left_out()),
    };
    if !found_any {
        let detail = match skipped {
            0 => "There is no file in it.".to_owned(),
            1 => why,
            n => format!("{n} files were left out. {why}"),
        };
        s.tell(Severity::Error, ProblemPlace::Open, "No image found.", &detail);
    } else if skipped > 0 {
        let what =
            if skipped == 1 { "1 file was left out.".to_owned() } else { format!("{skipped} files were left out.") };
        let detail = format!("The rest is open. {why}");
        s.tell(Severity::Warning, ProblemPlace::Open, &what, &detail);
    }
    let mut effects = if demo || !found_any { Vec::new() } else { view::settings(s) };
    let todo: Vec<_> = new.iter().filter_map(|id| s.library.stack(*id)).map(|e| (e.id, Arc::clone(&e.info))).collect();
    if demo {
        s.demo = true;
        effects.extend(arrange_demo(s, &new));
    } else if let Some(first) = new.first() {
        // The first image is shown at once; the rest of the layout fills up with what came with it.
        let slot = (0..s.workspace.layout.slots()).find(|i| s.workspace.views[*i].stack.is_none());
        let slot = slot.unwrap_or(s.workspace.active);
        effects.extend(view::show(s, Some(slot), *first, None));
        let layout = s.workspace.layout;
        effects.extend(view::set_layout(s, layout));
    }
    if !todo.is_empty() {
        effects.push(s.start_job(JobKind::Thumbnails, "Making thumbnails", JobSpec::Thumbnails(todo)));
    }
    effects.extend(super::keep::lay_on_open_stacks(s));
    let studies: Vec<String> = s.library.studies.iter().map(|x| x.uid.clone()).collect();
    if !studies.is_empty() {
        effects.push(s.start_job(JobKind::Signed, "Looking for signed reports", JobSpec::FindSigned(studies)));
    }
    effects
}

/// A reason without its full stop, so that a path can follow.
fn sentence(reason: &str) -> String {
    let mut letters = reason.trim_end_matches('.').chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

/// The built-in study: the CT in two planes, the head, and the X-ray with the lung model run on it.
fn arrange_demo(s: &mut Session, new: &[StackId]) -> Vec<Effect> {
    use lightbox_core::Plane;
    let of = |s: &Session, modality: &[&str]| {
        new.iter()
            .copied()
            .find(|id| s.library.stack(*id).is_some_and(|e| modality.contains(&e.series.modality.as_str())))
    };
    let (ct, mr, xray) = (of(s, &["CT"]), of(s, &["MR"]), of(s, &["DX", "CR"]));
    s.workspace.layout = crate::workspace::Layout::TwoByTwo;
    let mut effects = Vec::new();
    let places = [(ct, Some(Plane::Axial)), (ct, Some(Plane::Coronal)), (mr, None), (xray, None)];
    for (slot, (stack, plane)) in places.into_iter().enumerate() {
        if let Some(stack) = stack {
            effects.extend(view::show(s, Some(slot), stack, plane));
        }
    }
    s.workspace.active = 0;
    // What there is to try stands beside the images.
    s.workspace.panel = Some(crate::workspace::PanelTab::Ai);
    if s.models.is_empty() {
        let detail = "Start Lightbox in the folder that holds `weights`, or name that folder in LIGHTBOX_WEIGHTS.";
        s.tell(Severity::Warning, ProblemPlace::General, "No model was found, so none is run.", detail);
    }
    if let Some(open) = xray.and_then(|id| s.library.stack(id)) {
        // One model that outlines is run; whoever wants another is one click away from it.
        let study = s.library.study_of(open.id);
        let outlines = |m: &&crate::models::ModelInfo| {
            let fits = !matches!(m.fit(open, study), crate::models::Fit::Unfit(_));
            fits && !m.added && m.card.task == lightbox_model::card::Task::Segmentation
        };
        let fitting = || s.models.iter().filter(outlines);
        let model = fitting().find(|m| m.id == "cxr-lungs").or_else(|| fitting().next()).map(|m| m.id.clone());
        let id = open.id;
        s.run_when_open.extend(model.map(|model| (id, model)));
    }
    effects
}

fn take_frames(s: &mut Session, stack: StackId, frames: Vec<LoadedFrame>) -> Vec<Effect> {
    let mut problem = None;
    let mut ready = false;
    if let Some(open) = s.library.stack_mut(stack) {
        for loaded in frames {
            // Without a window in the header the middle frame decides, whichever thread is first.
            let decides = loaded.index == open.frames() / 2 && open.info.windows.is_empty();
            if open.default_window.is_none() || decides {
                open.default_window = loaded.window.or_else(|| view::frame_window(&loaded.frame));
            }
            match open.volume.set_slice(loaded.index, loaded.frame) {
                Ok(()) => {
                    if let Some(note) = loaded.note {
                        open.pixel_notes.insert(loaded.index, note);
                    }
                    open.revision += 1;
                    if let LoadState::Loading(n) = &mut open.load {
                        *n += 1;
                    }
                    ready = true;
                }
                Err(e) => problem = Some(e.to_string()),
            }
        }
    }
    if let Some(why) = problem {
        s.tell(Severity::Warning, ProblemPlace::Open, "A slice does not fit its series.", &why);
    }
    let mut effects = Vec::new();
    if ready {
        let waiting: Vec<_> = s.run_when_open.iter().filter(|(id, _)| *id == stack).cloned().collect();
        s.run_when_open.retain(|(id, _)| *id != stack);
        for (id, model) in waiting {
            effects.extend(super::study::run_on(s, id, 0..1, &model));
        }
    }
    effects
}

fn loaded(s: &mut Session, stack: StackId, failed: usize, reason: Option<String>) -> Vec<Effect> {
    let Some(open) = s.library.stack_mut(stack) else { return Vec::new() };
    let all = open.frames();
    let title = open.title();
    open.load = match (&reason, failed) {
        (Some(why), n) if n > 0 && n >= all => LoadState::Failed(why.clone()),
        _ => LoadState::Loaded,
    };
    if let (true, Some(why)) = (failed > 0, reason) {
        let what = if failed == 1 {
            "1 image could not be read.".to_owned()
        } else {
            format!("{failed} images could not be read.")
        };
        s.tell(Severity::Error, ProblemPlace::Open, &what, &format!("{title}: the rest is shown. {why}"));
    }
    Vec::new()
}
