//! Saving and loading masks.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_dicom::seg::{self, SegReference};
use lightbox_dicom::{Source, Stack};

use super::End;
use crate::event::{EventKind, SaveSegSpec};
use crate::ids::StackId;
use crate::jobs::JobCx;

pub(super) fn save(cx: &JobCx, spec: &SaveSegSpec) -> Result<(), End> {
    cx.progress(None, "writing and reading back");
    let reference = SegReference::from_stack(&spec.info)?;
    let saved = seg::write_confirmed(&spec.path, &reference, &spec.segments, &|s| !spec.proposed.contains(&s.id))?;
    cx.send(EventKind::SegSaved {
        stack: spec.stack,
        path: spec.path.clone(),
        segments: saved.equal,
        gestures: spec.gestures,
        time: chrono::Local::now().format("%H:%M").to_string(),
    });
    Ok(())
}

pub(super) fn load(cx: &JobCx, path: PathBuf, stacks: &[(StackId, Arc<Stack>)]) -> Result<(), End> {
    if stacks.is_empty() {
        return Err(End::Failed("Open the series that the mask was drawn on first.".to_owned()));
    }
    let file = seg::read(&Source::File(Arc::new(path.clone())))?;
    let mut why = None;
    // A file that names the images of one phase also lies on the others: the surest is tried first.
    let mut stacks: Vec<_> = stacks.iter().map(|(id, info)| (file.belongs(info), *id, info)).collect();
    stacks.sort_by_key(|(belonging, ..)| *belonging);
    for (_, stack, info) in stacks {
        if cx.is_cancelled() {
            return Err(End::Cancelled);
        }
        match file.place_on(info) {
            Ok(segments) => {
                cx.send(EventKind::SegLoaded { stack, segments, proposed: file.proposed(), path });
                return Ok(());
            }
            Err(e) => {
                why.get_or_insert(e.to_string());
            }
        }
    }
    Err(End::Failed(why.unwrap_or_else(|| "It belongs to none of the open series.".to_owned())))
}
