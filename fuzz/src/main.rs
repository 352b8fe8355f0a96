//! Throws bytes at the loader through its public door: a file on a disk in memory. `fuzz/run` builds and runs it.
//!
//! `FUZZ_TARGET` says what the bytes become; whatever they are, the loader answers with pixels or one sentence, without a
//! panic, a hang or memory that the image does not explain.
#![no_main]

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::OnceLock;

use lightbox_dicom::{FrameSelection, Opener, Source, header, scan, volume};

struct Setup {
    target: String,
    path: PathBuf,
}

fn setup() -> &'static Setup {
    static SETUP: OnceLock<Setup> = OnceLock::new();
    SETUP.get_or_init(|| {
        let target = std::env::var("FUZZ_TARGET").unwrap_or_else(|_| "header".into());
        let dir = PathBuf::from(format!("/dev/shm/lightbox-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder in memory");
        let name = if target == "dicomdir" { "DICOMDIR" } else { "x" };
        Setup { path: dir.join(name), target }
    })
}

fn element(tag: [u16; 2], vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut out = [tag[0].to_le_bytes(), tag[1].to_le_bytes()].concat();
    out.extend_from_slice(vr);
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(0);
    }
    if matches!(vr, b"OB" | b"OW" | b"SQ" | b"UN") {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    } else {
        out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    }
    out.extend(value);
    out
}

fn meta(syntax: &str) -> Vec<u8> {
    let mut out = vec![0; 128];
    out.extend_from_slice(b"DICM");
    out.extend(element([2, 0x10], b"UI", syntax.as_bytes()));
    out
}

/// One compressed frame; the first four bytes say how large the header claims it to be and of what kind.
fn frame(syntax: &str, data: &[u8]) -> Vec<u8> {
    let [rows, columns, kind, frames, stream @ ..] = data else { return Vec::new() };
    let samples: u16 = if kind & 1 == 1 { 3 } else { 1 };
    let (allocated, stored) = [(8, 8), (16, 12), (16, 16), (1, 1), (32, 32), (8, 7), (16, 9), (16, 16)][usize::from(kind >> 1 & 7)];
    let photometric = match (samples, kind >> 4 & 3) {
        (3, 0) => "RGB",
        (3, 1) => "YBR_FULL",
        (3, 2) => "YBR_FULL_422",
        (3, _) => "YBR_RCT",
        _ => "MONOCHROME2",
    };
    let u16 = |e: u16, v: u16| element([0x28, e], b"US", &v.to_le_bytes());
    let mut out = meta(syntax);
    out.extend(element([8, 0x16], b"UI", b"1.2.840.10008.5.1.4.1.1.7"));
    out.extend(element([8, 0x60], b"CS", b"OT"));
    out.extend(u16(2, samples));
    out.extend(element([0x28, 4], b"CS", photometric.as_bytes()));
    out.extend(u16(6, 0));
    out.extend(element([0x28, 8], b"IS", (frames % 4 + 1).to_string().as_bytes()));
    for (e, v) in [(0x10, u16::from(*rows)), (0x11, u16::from(*columns)), (0x100, allocated), (0x101, stored), (0x102, stored - 1)] {
        out.extend(u16(e, v));
    }
    out.extend(u16(0x103, u16::from(kind >> 7)));
    out.extend_from_slice(&[0xE0, 0x7F, 0x10, 0, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    for item in [&[], stream] {
        out.extend_from_slice(&[0xFE, 0xFF, 0, 0xE0]);
        out.extend_from_slice(&(item.len() as u32).to_le_bytes());
        out.extend_from_slice(item);
    }
    out.extend_from_slice(&[0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    out
}

fn file(target: &str, data: &[u8]) -> Vec<u8> {
    match target {
        "sequence" => [meta("1.2.840.10008.1.2.1"), data.to_vec()].concat(),
        "rle" => frame("1.2.840.10008.1.2.5", data),
        "jpeg" => frame("1.2.840.10008.1.2.4.50", data),
        "jpeg_ls" => frame("1.2.840.10008.1.2.4.80", data),
        "jpeg_2000" => frame("1.2.840.10008.1.2.4.90", data),
        "jpeg_xl" => frame("1.2.840.10008.1.2.4.110", data),
        "deflate" => frame("1.2.840.10008.1.2.8.1", data),
        _ => data.to_vec(),
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Setup { target, path } = setup();
    let bytes = file(target, data);
    std::fs::File::create(path).and_then(|mut f| f.write_all(&bytes)).expect("written");
    // What was found keeps its form for the regression tests: `KEEP=FILE` writes the file that the bytes became.
    if let Some(keep) = std::env::var_os("KEEP") {
        std::fs::write(keep, &bytes).expect("written");
    }
    let index = scan(&[path.clone()], &mut |_| ControlFlow::Continue(()));
    let source = Source::file(path);
    if matches!(target.as_str(), "header" | "sequence") {
        let _ = header::to_text(&source);
        let _ = header::to_json(&source);
    }
    let opener = Opener::default();
    let _ = opener.stored(&source, FrameSelection::One(0));
    for stack in index.studies.iter().flat_map(|s| &s.series).flat_map(|s| &s.stacks).take(4) {
        if let Some(frame) = stack.frames.first() {
            let _ = opener.decode(frame);
        }
        if stack.geometry.is_some() && stack.frames.len() <= 64 {
            let _ = volume::load(stack, &|_, _| {}, &|| false);
        }
    }
});
