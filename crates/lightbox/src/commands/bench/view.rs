//! bench view: from a cold start to the first image, a scroll step, a window, the model, cancelling, frames, memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lightbox_core::plane::{PlanePixels, PlaneStack};
use lightbox_core::{Frame, Plane, Rescale, Samples, Window, raster};
use lightbox_session::{Command, Jobs, LoadState, Places, Session, folders};

use super::peers::Peers;
use super::{Row, median_ms, percentile};

const SLICES: usize = 500;
const SIDE: u16 = 512;

pub(super) fn run() -> Result<Vec<Row>, String> {
    let dir = std::env::temp_dir().join(format!("lightbox-bench-{}", std::process::id()));
    let result = (|| {
        let series = dir.join("ct");
        lightbox_dicom::synthetic::write_ct_series(&series, SLICES, SIDE).map_err(|e| e.to_string())?;
        let mut rows = Vec::new();
        let peers = Peers::run(&series);
        loading(&series, &dir, &peers, &mut rows)?;
        windowing(&peers, &mut rows);
        model(&dir, &mut rows)?;
        super::frames::run(places(&dir), &mut rows)?;
        Ok(rows)
    })();
    std::fs::remove_dir_all(&dir).ok();
    result
}

/// Folders of its own, so that a benchmark touches nothing of the user's.
fn places(dir: &Path) -> Places {
    Places {
        journal: dir.join("journal"),
        demo: dir.join("demo"),
        settings: dir.join("settings.json"),
        kept: dir.join("kept"),
        ..Places::default()
    }
}

fn start(dir: &Path) -> Result<(Session, Jobs), String> {
    let mut jobs = Jobs::threads(places(dir), || {}).map_err(|e| e.to_string())?;
    let mut session = Session::default();
    for effect in session.start() {
        jobs.run(effect);
    }
    jobs.settle(&mut session);
    Ok((session, jobs))
}

/// Takes what the jobs tell until `done`.
fn until(session: &mut Session, jobs: &mut Jobs, done: impl Fn(&Session) -> bool) -> Result<(), String> {
    let end = Instant::now() + Duration::from_secs(300);
    while !done(session) {
        let events = jobs.drain(usize::MAX);
        if events.is_empty() {
            if Instant::now() > end {
                return Err("a job did not end within five minutes".into());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        for event in events {
            for effect in session.on_event(event) {
                jobs.run(effect);
            }
        }
    }
    Ok(())
}

/// From the wish to open a folder to its first image on the screen, in ms, in a session of its own.
pub(super) fn first_image_ms(series: &Path, dir: &Path) -> Result<f64, String> {
    let (mut session, mut jobs) = start(dir)?;
    let begin = Instant::now();
    jobs.apply(&mut session, Command::Open(vec![PathBuf::from(series)]));
    until(&mut session, &mut jobs, shown)?;
    let ms = begin.elapsed().as_secs_f64() * 1000.0;
    until(&mut session, &mut jobs, |s| s.library.stacks().all(|e| matches!(e.load, LoadState::Loaded)))?;
    Ok(ms)
}

fn loading(series: &Path, dir: &Path, peers: &Peers, rows: &mut Vec<Row>) -> Result<(), String> {
    let bytes_ms = {
        let begin = Instant::now();
        let mut sum = 0usize;
        for n in 0..SLICES {
            sum += std::fs::read(series.join(format!("{n:04}.dcm"))).map_err(|e| e.to_string())?.len();
        }
        // The sum keeps the reads from being thought away.
        if sum == 0 { 0.0 } else { begin.elapsed().as_secs_f64() * 1000.0 }
    };
    let (mut session, mut jobs) = start(dir)?;
    let before = folders::memory_bytes()[0];
    let begin = Instant::now();
    jobs.apply(&mut session, Command::Open(vec![PathBuf::from(series)]));
    until(&mut session, &mut jobs, shown)?;
    let first_ms = begin.elapsed().as_secs_f64() * 1000.0;
    until(&mut session, &mut jobs, |s| s.library.stacks().all(|e| matches!(e.load, LoadState::Loaded)))?;
    let whole_ms = begin.elapsed().as_secs_f64() * 1000.0;
    let resident = folders::memory_bytes()[0].saturating_sub(before) as f64 / f64::from(1 << 20);
    let voxels = session.library.stacks().map(|e| e.volume.bytes()).sum::<usize>() as f64 / f64::from(1 << 20);
    rows.push(
        Row::new(format!("first image, {SLICES} x {SIDE}² CT"), first_ms)
            .against("pydicom", peers.ms("first pydicom"))
            .against("read_bytes", Some(bytes_ms)),
    );
    let mut row = Row::new(format!("all slices, {SLICES} x {SIDE}² CT"), whole_ms)
        .against("pydicom", peers.ms("whole pydicom"))
        .against("read_bytes", Some(bytes_ms))
        .note(format!("resident {:.2} of voxel bytes", resident / voxels));
    row.peak_mib = Some(resident);
    rows.push(row);
    let open = session.library.stacks().next().ok_or("the series did not open")?;
    let window = Window::new(1500.0, -600.0);
    for (plane, name) in [(Plane::Axial, "axial"), (Plane::Coronal, "coronal"), (Plane::Sagittal, "sagittal")] {
        let stack = PlaneStack::new(open.geometry(), plane);
        let mut at = 0;
        let ours = median_ms(15, || {
            at = (at + 7) % stack.count();
            if let Some(pixels) = stack.pixels(&open.volume, at) {
                std::hint::black_box(raster::rgba(&pixels, &window, false));
            }
        });
        // The obvious way: the trilinear value of each pixel, then the formula of the standard.
        let plain = median_ms(5, || {
            at = (at + 7) % stack.count();
            let grid = stack.grid(at);
            let mut out = Vec::with_capacity(grid.width * grid.height);
            for y in 0..grid.height {
                for x in 0..grid.width {
                    let p = grid.to_patient(lightbox_core::PlanePos::new(x as f64, y as f64));
                    out.push(window.grey(f64::from(open.volume.trilinear(open.geometry().to_voxel(p)))));
                }
            }
            std::hint::black_box(out);
        });
        rows.push(Row::new(format!("scroll step, {name}"), ours).against("plain", Some(plain)));
    }
    Ok(())
}

/// Whether the plane of the active view has its pixels.
fn shown(s: &Session) -> bool {
    let view = s.workspace.active_view();
    let Some(open) = view.stack.and_then(|id| s.library.stack(id)) else { return false };
    open.plane_stack(view.plane).pixels(&open.volume, view.index).is_some()
}

fn windowing(peers: &Peers, rows: &mut Vec<Row>) {
    let samples: Vec<i16> = (0..4096 * 4096).map(|i| (i % 4096) as i16).collect();
    let Ok(frame) = Frame::new(4096, 4096, Samples::I16(samples), Rescale::default()) else { return };
    let pixels = PlanePixels::Stored(Arc::new(frame));
    let window = Window::new(2000.0, 1024.0);
    let ours = median_ms(7, || {
        std::hint::black_box(raster::grey(&pixels, &window, false));
    });
    let PlanePixels::Stored(frame) = &pixels else { return };
    let plain = median_ms(3, || {
        let out: Vec<u8> = (0..4096 * 4096).map(|i| window.grey(f64::from(frame.value_at(i)))).collect();
        std::hint::black_box(out);
    });
    rows.push(
        Row::new("window of 4096²", ours).against("plain", Some(plain)).against("numpy", peers.ms("window numpy")),
    );
}

fn model(dir: &Path, rows: &mut Vec<Row>) -> Result<(), String> {
    let (mut session, mut jobs) = start(dir)?;
    jobs.apply(&mut session, Command::OpenDemo);
    jobs.settle(&mut session);
    let Some(result) = session.results.last().cloned() else {
        crate::output::note("No model fits the X-ray of the demo: its rows are left out.");
        return Ok(());
    };
    let sum: f64 = result.timings_ms.iter().map(|(_, ms)| ms).sum();
    let stages: Vec<String> = result.timings_ms.iter().map(|(s, ms)| format!("{s} {ms:.1}")).collect();
    rows.push(Row::new(format!("{} on the phantom's X-ray", result.model), sum).note(stages.join(", ")));
    // From the wish to the job's end, asked at different moments of its run.
    jobs.apply(&mut session, Command::Activate(3));
    let mut ends = Vec::new();
    for n in 0..40u64 {
        jobs.apply(&mut session, Command::RunModel { slot: Some(3), model: result.model.clone(), series: false });
        let Some(job) = session.jobs.last().map(|j| j.id) else { break };
        std::thread::sleep(Duration::from_millis(n * 2));
        let begin = Instant::now();
        jobs.apply(&mut session, Command::CancelJob(job));
        until(&mut session, &mut jobs, |s| s.job(job).is_none())?;
        ends.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    let worst = percentile(&mut ends, 1.0);
    rows.push(
        Row::new("cancel to the job's end, worst of 40", worst)
            .note(format!("median {:.1} ms", percentile(&mut ends, 0.5))),
    );
    Ok(())
}
