//! What jobs tell, taken into the state.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_core::label::{Code, MaskOrigin};
use lightbox_core::{Segment, SegmentId};
use lightbox_dicom::StudyIndex;

use super::view;
use crate::document::{DocumentEdit, Gesture};
use crate::event::{Effect, EventKind, InferResult, JobEvent, JobSpec, LoadedFrame};
use crate::ids::StackId;
use crate::journal::Record;
use crate::library::LoadState;
use crate::problem::{ProblemPlace, Severity};
use crate::session::{JobKind, Session};

/// Takes what a job tells.
pub(crate) fn on_event(s: &mut Session, event: JobEvent) -> Vec<Effect> {
    if let EventKind::JournalFailed(why) = &event.kind {
        s.tell(
            Severity::Error,
            ProblemPlace::General,
            "The journal cannot be written.",
            &format!("Work since now is only in memory; save it soon. {why}"),
        );
        return Vec::new();
    }
    let Some(kind) = s.job(event.job).map(|j| j.kind.clone()) else {
        // A job that is over; late frames of a closed study go with it.
        return Vec::new();
    };
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
        EventKind::Inferred(result) => inferred(s, *result),
        EventKind::SegSaved { stack, path, segments, gestures, time } => {
            let Some(key) = s.library.stack(stack).map(|e| e.key.clone()) else { return Vec::new() };
            if let Some(document) = s.documents.get_mut(&stack) {
                document.unsaved = document.unsaved.saturating_sub(gestures);
                let name = short_name(&path);
                document.saved = Some(format!("{name}: {segments} of {segments} segments equal, read back {time}."));
            }
            let gestures = s.documents.get(&stack).map_or(0, |d| d.unsaved);
            vec![Effect::Journal(vec![Record::Unsaved { stack: key, gestures }])]
        }
        EventKind::SegLoaded { stack, segments, path } => seg_loaded(s, stack, segments, &path),
        EventKind::TextSaved(path) => {
            s.report.unsaved = 0;
            s.report.saved = Some(format!("Saved as {}", short_name(&path)));
            vec![Effect::Journal(vec![Record::ReportSaved])]
        }
        EventKind::Recovery(recovery) => {
            super::study::offer(s, recovery);
            Vec::new()
        }
        EventKind::JournalFailed(_) => Vec::new(),
        EventKind::Done => {
            s.jobs.retain(|j| j.id != event.job);
            Vec::new()
        }
        EventKind::Cancelled => {
            s.jobs.retain(|j| j.id != event.job);
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
            failed(s, &kind, &why);
            Vec::new()
        }
    }
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
        JobKind::SaveSeg => (ProblemPlace::Masks, "Not saved."),
        JobKind::SaveReport => (ProblemPlace::Report, "Not saved."),
        JobKind::LoadSeg => (ProblemPlace::Masks, "The mask was not loaded."),
        JobKind::Recovery => (ProblemPlace::General, "Earlier work could not be read."),
    };
    // The sentence of a mask that is not written begins as the title does.
    let why = why
        .strip_prefix("the mask is not saved, and nothing was overwritten: ")
        .map_or_else(|| why.to_owned(), |rest| format!("Nothing was overwritten. {}", sentence(rest)));
    s.tell(Severity::Error, place, title, &why);
}

fn scanned(s: &mut Session, index: StudyIndex, paths: Vec<PathBuf>, demo: bool) -> Vec<Effect> {
    for path in paths {
        let path = std::path::absolute(&path).unwrap_or(path);
        if !s.library.paths.contains(&path) {
            s.library.paths.push(path);
        }
    }
    let mut new = Vec::new();
    let found_any = !index.studies.is_empty();
    for study in index.studies {
        new.extend(s.library.add(study));
    }
    let skipped = index.skipped.len();
    if !found_any {
        let detail = match index.skipped.first() {
            Some(first) if skipped == 1 => format!("{}: {}", sentence(&first.reason), first.path),
            Some(first) => {
                format!("{skipped} files were left out. The first: {}: {}", sentence(&first.reason), first.path)
            }
            None => "There is no file in it.".to_owned(),
        };
        s.tell(Severity::Error, ProblemPlace::Open, "No image found.", &detail);
    } else if let Some(first) = index.skipped.first() {
        let what =
            if skipped == 1 { "1 file was left out.".to_owned() } else { format!("{skipped} files were left out.") };
        let detail = format!("The rest is open. {}: {}", sentence(&first.reason), first.path);
        s.tell(Severity::Warning, ProblemPlace::Open, &what, &detail);
    }
    s.library.skipped = index.skipped;
    let mut effects = Vec::new();
    let todo: Vec<_> = new.iter().filter_map(|id| s.library.stack(*id)).map(|e| (e.id, Arc::clone(&e.info))).collect();
    if demo {
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
    effects.extend(super::study::lay_on_open_stacks(s));
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
    if s.models.is_empty() {
        let detail = "Start Lightbox in the folder that holds `weights`, or name that folder in LIGHTBOX_WEIGHTS.";
        s.tell(Severity::Warning, ProblemPlace::General, "No model was found, so none is run.", detail);
    }
    if let Some(id) = xray {
        let fitting: Vec<String> = s
            .library
            .stack(id)
            .map(|open| {
                let study = s.library.study_of(id);
                s.models
                    .iter()
                    .filter(|m| !matches!(m.fit(open, study), crate::models::Fit::Unfit(_)))
                    .map(|m| m.id.clone())
                    .collect()
            })
            .unwrap_or_default();
        for model in fitting {
            s.run_when_open.push((id, model));
        }
    }
    effects
}

fn take_frames(s: &mut Session, stack: StackId, frames: Vec<LoadedFrame>) -> Vec<Effect> {
    let mut problem = None;
    let mut ready = false;
    if let Some(open) = s.library.stack_mut(stack) {
        for loaded in frames {
            if open.default_window.is_none() {
                open.default_window = loaded.window.or_else(|| view::frame_window(&loaded.frame));
            }
            match open.volume.set_slice(loaded.index, loaded.frame) {
                Ok(()) => {
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
            effects.extend(super::study::run_on(s, id, 0, &model));
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

/// A model's masks become new segments, one gesture; nothing that a person drew is touched.
fn inferred(s: &mut Session, result: InferResult) -> Vec<Effect> {
    let Some(open) = s.library.stack(result.stack) else { return Vec::new() };
    if *open.geometry() != result.geometry {
        s.tell(Severity::Error, ProblemPlace::Ai, "The result was left out.", "The image changed while the model ran.");
        return Vec::new();
    }
    let dims = open.geometry().dims();
    let stack = result.stack;
    let name = s.models.iter().find(|m| m.id == result.model).map_or(result.model.clone(), |m| m.card.name.clone());
    for note in &result.notes {
        s.tell(Severity::Warning, ProblemPlace::Ai, &format!("{name}."), note);
    }
    let document = s.documents.entry(stack).or_default();
    let mut before = Vec::new();
    // An earlier result of the same model that nobody accepted or edited is replaced; everything else stays.
    for (place, old) in document.segments.iter().enumerate() {
        let same = matches!(&old.origin, MaskOrigin::Model { model, .. } if *model == result.model);
        if same && !old.edited && document.proposed.contains(&old.id) {
            before.push((place, old.clone()));
        }
    }
    let mut after = Vec::new();
    let start = document.segments.len() - before.len();
    let first_colour = document.free_colour();
    for (n, (label, mask)) in result.masks.iter().filter(|(_, m)| m.count() > 0).enumerate() {
        let mut segment: Segment = document.new_segment(dims, Some(label));
        segment.mask = mask.clone();
        segment.origin = MaskOrigin::Model {
            model: result.model.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: result.sha256.clone(),
        };
        let (code, side) = codes(label);
        segment.code = code;
        segment.side = side;
        // Left and right share a hue: the left has the colour, the right a darker one.
        segment.colour = if is_right(label) { darker(first_colour) } else { first_colour };
        document.proposed.insert(segment.id);
        after.push((start + n, segment));
    }
    if after.is_empty() {
        s.results.push(result);
        s.tell(Severity::Note, ProblemPlace::Ai, &format!("{name} found nothing."), "No segment was added.");
        return Vec::new();
    }
    let title = format!("Result of {name}");
    let edit = DocumentEdit::Segments { before, after };
    document.carry_out(&edit);
    s.results.push(result);
    super::segment::arrival(s, stack, Gesture { title, amount: 0.0, edit })
}

fn is_right(label: &str) -> bool {
    label.to_lowercase().split_whitespace().any(|w| w == "right")
}

/// SNOMED CT codes of a label: the structure and the side (CID 7150, CID 244).
fn codes(label: &str) -> (Option<Code>, Option<Code>) {
    let lower = label.to_lowercase();
    let code = lower.contains("lung").then(|| Code::new("39607008", "SCT", "Lung"));
    let side = if is_right(label) {
        Some(Code::new("24028007", "SCT", "Right"))
    } else if lower.split_whitespace().any(|w| w == "left") {
        Some(Code::new("7771000", "SCT", "Left"))
    } else {
        None
    };
    (code, side)
}

/// The same hue, darker: the second of a pair of sides.
fn darker(c: lightbox_core::Rgb) -> lightbox_core::Rgb {
    lightbox_core::Rgb(c.0.map(|v| (f32::from(v) * 0.72) as u8))
}

fn seg_loaded(s: &mut Session, stack: StackId, segments: Vec<Segment>, path: &std::path::Path) -> Vec<Effect> {
    let Some(open) = s.library.stack(stack) else { return Vec::new() };
    let dims = open.geometry().dims();
    if segments.iter().any(|x| x.mask.dims() != dims) {
        s.tell(
            Severity::Error,
            ProblemPlace::Masks,
            "The mask was not loaded.",
            "It has another size than the series.",
        );
        return Vec::new();
    }
    let document = s.documents.entry(stack).or_default();
    let start = document.segments.len();
    let after: Vec<(usize, Segment)> = segments
        .into_iter()
        .enumerate()
        .map(|(n, mut segment)| {
            let id: SegmentId = document.new_segment(dims, None).id;
            segment.id = id;
            segment.visible = true;
            (start + n, segment)
        })
        .collect();
    let count = after.len();
    let title = format!("Loaded {count} segments");
    let edit = DocumentEdit::Segments { before: Vec::new(), after };
    document.carry_out(&edit);
    let effects = super::segment::arrival(s, stack, Gesture { title, amount: 0.0, edit });
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    s.tell(Severity::Note, ProblemPlace::Masks, &format!("{count} segments loaded."), &name);
    effects
}
