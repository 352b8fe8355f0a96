//! A stack decoded to a volume, on all cores.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lightbox_core::{Frame, Volume};
use rayon::prelude::*;

use crate::error::Error;
use crate::index::{Source, Stack};
use crate::store::Opener;
use crate::warning::{Warning, WarningKind};

pub use crate::resample::resample;

/// Decodes all frames of a stack. `progress` gets (frames done, frames) from any thread, `cancelled` is asked before each
/// frame. A frame that cannot be decoded is left out with a warning as long as another one can be.
///
/// # Errors
/// [`Error::NotAVolume`] when the stack has no place in the patient, [`Error::Cancelled`], and the first frame's error when
/// no frame can be decoded.
pub fn load(
    stack: &Stack,
    progress: &(dyn Fn(usize, usize) + Sync),
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<(Volume, Vec<Warning>), Error> {
    load_with(&Opener::default(), stack, progress, cancelled)
}

/// As [`load`], with files kept open by `opener`.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    opener: &Opener,
    stack: &Stack,
    progress: &(dyn Fn(usize, usize) + Sync),
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<(Volume, Vec<Warning>), Error> {
    let geometry =
        stack.geometry.clone().ok_or_else(|| Error::NotAVolume("its images have no position in the patient".into()))?;
    check_size(stack, geometry.voxels() as u64 * 2)?;
    let total = stack.frames.len();
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let notes: Mutex<Vec<(String, usize)>> = Mutex::new(Vec::new());
    let decoded: Vec<Result<Arc<Frame>, Error>> = stack
        .frames
        .par_iter()
        .map(|frame| {
            if stop.load(Ordering::Relaxed) || cancelled() {
                stop.store(true, Ordering::Relaxed);
                return Err(Error::Cancelled);
            }
            let out = opener.decode(frame).map(|d| {
                let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
                // Those of the file stand among the warnings of the scan.
                for note in d.notes {
                    match notes.iter_mut().find(|(n, _)| *n == note) {
                        Some((_, n)) => *n += 1,
                        None => notes.push((note, 1)),
                    }
                }
                Arc::new(d.frame)
            });
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            out
        })
        .collect();
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Cancelled);
    }
    let mut warnings: Vec<Warning> = notes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .into_iter()
        .map(|(note, n)| Warning {
            kind: WarningKind::Header,
            text: if n == 1 { note } else { format!("{note} (in {n} images)") },
        })
        .collect();
    let mut volume = Volume::empty(geometry);
    let (mut failed, mut first_error) = (Vec::new(), None);
    for (i, frame) in decoded.into_iter().enumerate() {
        match frame.and_then(|f| volume.set_slice(i, f).map_err(Error::from)) {
            Ok(()) => {}
            Err(e) => {
                failed.push(i + 1);
                first_error.get_or_insert(e);
            }
        }
    }
    if let Some(error) = first_error {
        if failed.len() == total {
            return Err(error);
        }
        let list: Vec<String> = failed.iter().take(5).map(usize::to_string).collect();
        let text =
            format!("{} of {total} slices cannot be shown ({}): {}", failed.len(), list.join(", "), error.reason());
        warnings.push(Warning { kind: WarningKind::MissingFrames, text });
    }
    Ok((volume, warnings))
}

/// Refuses a volume that cannot be in its files, before memory is taken for it: above 2 GiB, one of more than a thousand
/// times their bytes.
fn check_size(stack: &Stack, bytes: u64) -> Result<(), Error> {
    if bytes <= 2 << 30 {
        return Ok(());
    }
    let mut files: Vec<&std::path::PathBuf> = stack
        .frames
        .iter()
        .map(|f| match &f.source {
            Source::File(path) => path.as_ref(),
            Source::Zip { archive, .. } => archive.as_ref(),
        })
        .collect();
    files.sort();
    files.dedup();
    let packed: u64 = files.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum();
    if bytes / 1000 > packed {
        return Err(Error::NotAVolume(format!("{} MiB of voxels cannot be in {packed} bytes", bytes >> 20)));
    }
    Ok(())
}

/// [`load`] with one function that is told the progress and may break off.
///
/// # Errors
/// As [`load`].
pub fn load_blocking(
    stack: &Stack,
    step: &(dyn Fn(usize, usize) -> ControlFlow<()> + Sync),
) -> Result<(Volume, Vec<Warning>), Error> {
    let stop = AtomicBool::new(false);
    load(
        stack,
        &|done, total| {
            if step(done, total).is_break() {
                stop.store(true, Ordering::Relaxed);
            }
        },
        &|| stop.load(Ordering::Relaxed),
    )
}
