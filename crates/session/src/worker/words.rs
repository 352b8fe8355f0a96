//! Jobs on words: checks, answers, exports.

use std::path::PathBuf;

use lightbox_report::check;
use lightbox_report::kb::KnowledgeBase;

use super::{End, write_atomically, write_failure};
use crate::ask::{ANSWERS, Audience, Found, Kept, passages};
use crate::checks::{self, CheckSpec};
use crate::event::EventKind;
use crate::export::{self, ExportSpec};
use crate::jobs::{JobCx, lock};

pub(super) fn check(cx: &JobCx, spec: CheckSpec) -> Result<(), End> {
    let checked = checks::run(&spec, check::today());
    cx.send(EventKind::Checked { study: spec.study, checked: Box::new(checked) });
    Ok(())
}

pub(super) fn ask(
    cx: &JobCx,
    question: String,
    audience: Option<Audience>,
    folder: Option<PathBuf>,
) -> Result<(), End> {
    let mut kept = lock(&cx.knowledge);
    if kept.as_ref().is_none_or(|k| k.folder != folder) {
        cx.progress(None, "reading the knowledge base");
        let (passages, notes) = passages(folder.as_deref()).map_err(End::Failed)?;
        *kept = Some(Kept { folder, base: KnowledgeBase::new(passages), notes });
    }
    let Some(kept) = kept.as_ref() else { return Ok(()) };
    let answers = kept.base.ask(&question, audience, ANSWERS);
    let found = Found { question, answers, passages: kept.base.len(), notes: kept.notes.clone() };
    cx.send(EventKind::Answered(Box::new(found)));
    Ok(())
}

pub(super) fn export(cx: &JobCx, spec: ExportSpec) -> Result<(), End> {
    if spec.form.is_dicom() {
        // Beside its place first: what was there stays whole until the new file is.
        let part = spec.path.with_extension(format!("{}.part", std::process::id()));
        let written = export::write_dicom(&spec, &part)
            .map_err(End::Failed)
            .and_then(|()| std::fs::rename(&part, &spec.path).map_err(|e| End::Failed(write_failure(&e))));
        if written.is_err() {
            std::fs::remove_file(&part).ok();
        }
        written?;
    } else {
        write_atomically(&spec.path, &export::bytes(&spec)).map_err(|e| End::Failed(write_failure(&e)))?;
    }
    cx.send(EventKind::TextSaved { path: spec.path, study: spec.study, changes: spec.changes });
    Ok(())
}
