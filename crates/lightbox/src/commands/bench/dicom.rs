//! bench dicom: headers, volumes in five encodings, the first slice of a large folder, memory; beside DCMTK, GDCM, pydicom
//! and SimpleITK, where they are installed. Ours and the peers run in turn, medians count.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lightbox_dicom::synthetic::write_ct_series;
use lightbox_session::folders;
use rayon::prelude::*;

use super::dicom_peers::{Peers, Tool};
use super::{Row, percentile, view};

const HEADERS: usize = 2000;
const SIDE: u16 = 512;
const FOLDER: usize = 1000;
/// Slices of the volumes; fewer by `LIGHTBOX_BENCH_SLICES` for a quick look, headers and folder in proportion.
const SLICES: usize = 500;
/// Each of ours and each peer runs so often.
const ROUNDS: usize = 3;

pub(super) fn run() -> Result<Vec<Row>, String> {
    let dir = std::env::temp_dir().join(format!("lightbox-bench-{}", std::process::id()));
    let result = rows(&dir);
    std::fs::remove_dir_all(&dir).ok();
    result
}

fn slices() -> usize {
    let told = std::env::var("LIGHTBOX_BENCH_SLICES").ok().and_then(|v| v.parse().ok());
    told.filter(|n| (1..=SLICES).contains(n)).unwrap_or(SLICES)
}

fn rows(dir: &Path) -> Result<Vec<Row>, String> {
    let mut peers = Peers::start();
    let mut rows = Vec::new();
    let n = slices();
    let (count, folder_of) = (HEADERS * n / SLICES, FOLDER * n / SLICES);
    let headers = dir.join("headers");
    write_ct_series(&headers, count, 128).map_err(|e| e.to_string())?;
    rows.push(compare(&format!("headers of {count} files"), &mut peers, "headers", &headers, || scan(&headers)));
    std::fs::remove_dir_all(&headers).ok();

    let raw = dir.join("raw");
    write_ct_series(&raw, n, SIDE).map_err(|e| e.to_string())?;
    for (encoding, tool) in ENCODINGS {
        let folder = match tool {
            None => raw.clone(),
            Some(tool) => {
                let folder = dir.join(encoding);
                if let Err(reason) = encode(&raw, &folder, tool) {
                    crate::output::note(&format!("{encoding} is left out: {reason}"));
                    continue;
                }
                folder
            }
        };
        volume(encoding, n, &folder, &mut peers, &mut rows)?;
        if tool.is_some() {
            std::fs::remove_dir_all(&folder).ok();
        }
    }
    std::fs::remove_dir_all(&raw).ok();

    let folder = dir.join("folder");
    write_ct_series(&folder, folder_of, SIDE).map_err(|e| e.to_string())?;
    let mut first = Vec::new();
    for _ in 0..ROUNDS {
        first.push(view::first_image_ms(&folder, dir)?);
    }
    let ours = percentile(&mut first, 0.5);
    let row = Row::new(format!("first slice of a folder of {folder_of}"), ours);
    rows.push(row.against("pydicom", peers.median("first", "pydicom", &folder, 1)));
    Ok(rows)
}

/// What the volume is stored as, and what packs it.
const ENCODINGS: [(&str, Option<&[&str]>); 5] = [
    ("uncompressed", None),
    ("RLE", Some(&["dcmcrle"])),
    ("JPEG-LS", Some(&["dcmcjpls"])),
    ("JPEG lossless", Some(&["dcmcjpeg"])),
    ("JPEG 2000", Some(&["gdcmconv", "--j2k"])),
];

/// Packs each file with a tool of DCMTK or GDCM.
fn encode(from: &Path, to: &Path, tool: &[&str]) -> Result<(), String> {
    std::fs::create_dir_all(to).map_err(|e| e.to_string())?;
    let files = files(from)?;
    let [program, options @ ..] = tool else { return Err("no tool".into()) };
    files.par_iter().try_for_each(|file| {
        let out = to.join(file.file_name().unwrap_or_default());
        let mut call = std::process::Command::new(program);
        call.args(options).arg(file).arg(&out).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        match call.status() {
            Ok(status) if status.success() && out.is_file() => Ok(()),
            Ok(_) => Err(format!("{program} failed")),
            Err(_) => Err(format!("{program} is not installed")),
        }
    })
}

pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| e.to_string())?;
    let mut files: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.sort();
    Ok(files)
}

fn time_ms(run: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    run();
    begin.elapsed().as_secs_f64() * 1000.0
}

fn index(folder: &Path) -> lightbox_dicom::StudyIndex {
    lightbox_dicom::scan(&[folder.to_path_buf()], &mut |_| std::ops::ControlFlow::Continue(()))
}

fn scan(folder: &Path) {
    std::hint::black_box(index(folder));
}

/// From a folder to voxels.
fn load(folder: &Path) -> Option<lightbox_core::Volume> {
    let index = index(folder);
    let stack = index.studies.first()?.series.first()?.stacks.first()?;
    lightbox_dicom::volume::load(stack, &|_, _| {}, &|| false).ok().map(|v| v.0)
}

/// Ours and the peers in turn.
fn compare(case: &str, peers: &mut Peers, task: &str, folder: &Path, ours: impl Fn()) -> Row {
    ours();
    let mut times = Vec::new();
    let mut theirs: Vec<(&'static str, Vec<f64>)> = Peers::NAMES.iter().map(|n| (*n, Vec::new())).collect();
    for _ in 0..ROUNDS {
        times.push(time_ms(&ours));
        for (name, found) in &mut theirs {
            found.extend(peers.ms(task, name, folder));
        }
    }
    let mut row = Row::new(case, percentile(&mut times, 0.5));
    for (name, mut found) in theirs {
        let ms = (!found.is_empty()).then(|| percentile(&mut found, 0.5));
        row = row.against(name, ms);
    }
    row
}

fn volume(encoding: &str, n: usize, folder: &Path, peers: &mut Peers, rows: &mut Vec<Row>) -> Result<(), String> {
    let case = format!("{n} x {SIDE}² {encoding}");
    let task = match encoding {
        "RLE" => Tool::Rle,
        "JPEG-LS" => Tool::JpegLs,
        "JPEG lossless" => Tool::Jpeg,
        "JPEG 2000" => Tool::None,
        _ => Tool::Copy,
    };
    let voxels = f64::from(SIDE) * f64::from(SIDE) * n as f64 * 2.0;
    let (resident, loaded) = peak(|| load(folder));
    let slices = loaded.map_or(0, |v| v.slices().iter().flatten().count());
    if slices != n {
        return Err(format!("{encoding}: {slices} of {n} slices were read"));
    }
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|e| e.to_string())?;
    let run = || drop(std::hint::black_box(load(folder)));
    let mut row = compare(&case, peers, task.name(), folder, run);
    if encoding == "uncompressed" {
        // Once let go at once, once held until all are there, as a volume has to.
        let read = |keep: bool| {
            let bytes = || {
                let mut kept = Vec::new();
                for file in files(folder).unwrap_or_default() {
                    let content = std::hint::black_box(std::fs::read(file).ok());
                    if keep {
                        kept.push(content);
                    }
                }
            };
            bytes();
            let mut times: Vec<f64> = (0..ROUNDS).map(|_| time_ms(bytes)).collect();
            percentile(&mut times, 0.5)
        };
        let (let_go, held) = (read(false), read(true));
        row = row.against("read_bytes", Some(let_go)).against("read_and_hold", Some(held));
    }
    row.peak_mib = Some(resident / f64::from(1 << 20));
    rows.push(row.note(format!("resident {:.2} of voxel bytes at most", resident / voxels)));
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| time_ms(|| one.install(run))).collect();
    let alone = Row::new(format!("{case}, one core"), percentile(&mut times, 0.5));
    let Some(both) = rows.last() else { return Ok(()) };
    let alone = Peers::NAMES.iter().fold(alone, |row, name| {
        let ms = both.references_ms.get(&format!("{name}_ms")).and_then(serde_json::Value::as_f64);
        row.against(name, ms)
    });
    rows.push(alone);
    Ok(())
}

/// How much more memory is resident at most while something runs and its result is held, in bytes.
fn peak<T>(run: impl FnOnce() -> T) -> (f64, T) {
    let before = folders::memory_bytes()[0];
    let (done, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let watch = {
        let (done, most) = (Arc::clone(&done), Arc::clone(&most));
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(folders::memory_bytes()[0], Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        })
    };
    let out = run();
    most.fetch_max(folders::memory_bytes()[0], Ordering::Relaxed);
    done.store(true, Ordering::Relaxed);
    watch.join().ok();
    (most.load(Ordering::Relaxed).saturating_sub(before) as f64, out)
}
