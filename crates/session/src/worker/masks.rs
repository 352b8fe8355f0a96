//! Saving and loading masks.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_dicom::Stack;

use super::End;
use crate::event::SaveSegSpec;
use crate::ids::StackId;
use crate::jobs::JobCx;

pub(super) fn save(_cx: &JobCx, _spec: &SaveSegSpec) -> Result<(), End> {
    Err(End::Failed("saving is not wired yet".into()))
}
pub(super) fn load(_cx: &JobCx, _path: PathBuf, _stacks: &[(StackId, Arc<Stack>)]) -> Result<(), End> {
    Err(End::Failed("loading masks is not wired yet".into()))
}
