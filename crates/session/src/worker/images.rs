//! Scanning, loading, thumbnails.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use lightbox_core::{Frame, Window, raster};
use lightbox_dicom::{FrameRef, Opener, Stack};

use super::End;
use crate::event::{EventKind, LoadedFrame, PixelNote};
use crate::ids::StackId;
use crate::jobs::JobCx;
use crate::library::Thumbnail;

/// Longest side of a thumbnail, for screens of twice the density.
const THUMBNAIL_PX: usize = 112;

pub(super) fn scan(cx: &JobCx, paths: Vec<PathBuf>, demo: bool) -> Result<(), End> {
    for path in &paths {
        if let Err(e) = std::fs::metadata(path) {
            return Err(End::Failed(format!("{}: {}", unreadable(&e), path.display())));
        }
    }
    let index = lightbox_dicom::scan(&paths, &mut |p| {
        let fraction = (p.found > 0).then(|| p.done as f32 / p.found as f32);
        cx.progress(fraction, format!("{} images in {} files", p.images, p.done));
        if cx.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if cx.is_cancelled() {
        return Err(End::Cancelled);
    }
    cx.send(EventKind::Scanned { index: Box::new(index), paths, demo });
    Ok(())
}

/// Why a path cannot be read, for people.
fn unreadable(e: &std::io::Error) -> &'static str {
    match e.kind() {
        std::io::ErrorKind::NotFound => "There is nothing there",
        std::io::ErrorKind::PermissionDenied => "It may not be read",
        _ => "It cannot be read",
    }
}

pub(super) fn demo(cx: &JobCx) -> Result<(), End> {
    cx.progress(None, "writing the synthetic study");
    let study = lightbox_dicom::phantom::write_demo_study(&cx.places.demo)?;
    // The series' folders, not the whole: beside them lies a mark of the version.
    let mut folders = Vec::new();
    for series in [&study.ct, &study.xray, &study.mr] {
        folders.extend(series.files.first().and_then(|f| f.parent()).map(PathBuf::from));
    }
    scan(cx, folders, true)
}

/// Decodes all frames on all cores, those nearest to the one on the screen first. A frame that fails is counted; the rest
/// goes on.
pub(super) fn load(cx: &JobCx, stack: StackId, info: &Arc<Stack>, first: usize) -> Result<(), End> {
    let total = info.frames.len();
    let focus = cx.focus(stack, first);
    let waiting = Mutex::new((0..total).collect::<Vec<usize>>());
    let failures: Mutex<(usize, Option<String>)> = Mutex::new((0, None));
    let opener = Opener::default();
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let at = focus.load(Ordering::Relaxed);
        let nearest = (0..waiting.len()).min_by_key(|i| waiting[*i].abs_diff(at))?;
        Some(waiting.swap_remove(nearest))
    };
    let work = || {
        while !cx.is_cancelled() {
            let Some(index) = next() else { break };
            match decode(&opener, &info.frames[index]) {
                Ok(loaded) => cx.send(EventKind::Frames(stack, vec![LoadedFrame { index, ..loaded }])),
                Err(why) => {
                    let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                    failures.0 += 1;
                    failures.1.get_or_insert(why);
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(total.max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Without a second thread the first one does all of it.
            std::thread::Builder::new().name("lightbox-decode".to_owned()).spawn_scoped(scope, work).ok();
        }
        work();
    });
    if cx.is_cancelled() {
        return Err(End::Cancelled);
    }
    let (failed, why) = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    cx.send(EventKind::Loaded(stack, failed, why));
    Ok(())
}

fn decode(opener: &Opener, frame: &FrameRef) -> Result<LoadedFrame, String> {
    // A fault in a decoder must cost one frame, not the thread.
    let decoded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| opener.decode(frame)));
    match decoded {
        Ok(Ok(d)) => {
            let window = d.windows.first().map(|(_, w)| *w);
            let note = pixel_note(&d);
            Ok(LoadedFrame { index: 0, frame: Arc::new(d.frame), window, note })
        }
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err("its pixels are damaged in a way that the decoder does not survive".to_owned()),
    }
}

/// What is wrong with the pixels; a part that is missing before the rest.
fn pixel_note(d: &lightbox_dicom::Decoded) -> Option<PixelNote> {
    let cut = d.cut_off();
    cut.or(d.notes.first().map(String::as_str)).map(|text| PixelNote { cut_off: cut.is_some(), text: text.to_owned() })
}

pub(super) fn thumbnails(cx: &JobCx, stacks: &[(StackId, Arc<Stack>)]) -> Result<(), End> {
    let opener = Opener::new(32 << 20);
    for (n, (id, info)) in stacks.iter().enumerate() {
        if cx.is_cancelled() {
            return Err(End::Cancelled);
        }
        cx.progress(Some(n as f32 / stacks.len() as f32), "");
        let Some(frame) = info.frames.get(info.frames.len() / 2) else { continue };
        // A thumbnail that cannot be made shows as an empty square; loading the series tells why.
        let Ok(loaded) = decode(&opener, frame) else { continue };
        let window = info.windows.first().map(|(_, w)| *w).or(loaded.window).or_else(|| auto(&loaded.frame));
        let Some(window) = window else { continue };
        let pixel = info.pixel_spacing_mm.map_or([1.0, 1.0], |[row, column]| [column, row]);
        let (width, height, grey) = raster::thumbnail(&loaded.frame, &window, info.inverted, THUMBNAIL_PX, pixel);
        cx.send(EventKind::Thumbnail(*id, Arc::new(Thumbnail { width, height, grey })));
    }
    Ok(())
}

fn auto(frame: &Frame) -> Option<Window> {
    if frame.is_colour() {
        return Some(Window::new(256.0, 128.0));
    }
    let p = frame.percentiles(&[0.001, 0.999])?;
    Some(Window::from_range(f64::from(p[0]), f64::from(p[1])))
}

/// One frame of a stack.
pub(super) fn frame(info: &Stack, index: usize) -> Result<Arc<Frame>, End> {
    let frame = info.frames.get(index).ok_or_else(|| End::Failed("There is no such image.".to_owned()))?;
    decode(&Opener::new(0), frame).map(|l| l.frame).map_err(End::Failed)
}
