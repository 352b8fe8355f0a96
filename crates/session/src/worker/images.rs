//! Scanning, loading, thumbnails.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_core::Frame;
use lightbox_dicom::Stack;

use super::End;
use crate::ids::StackId;
use crate::jobs::JobCx;

pub(super) fn scan(_cx: &JobCx, _paths: Vec<PathBuf>, _demo: bool) -> Result<(), End> {
    Err(End::Failed("scanning is not wired yet".into()))
}
pub(super) fn demo(_cx: &JobCx) -> Result<(), End> {
    Err(End::Failed("the demo is not wired yet".into()))
}
pub(super) fn load(_cx: &JobCx, _stack: StackId, _info: &Arc<Stack>, _focus: usize) -> Result<(), End> {
    Err(End::Failed("loading is not wired yet".into()))
}
pub(super) fn thumbnails(_cx: &JobCx, _stacks: &[(StackId, Arc<Stack>)]) -> Result<(), End> {
    Ok(())
}
pub(super) fn frame(_info: &Stack, _index: usize) -> Result<Arc<Frame>, End> {
    Err(End::Failed("decoding is not wired yet".into()))
}
