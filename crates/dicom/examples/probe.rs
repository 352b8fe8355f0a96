//! A bare command line for comparisons: scan, decode, header, volume.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::exit, reason = "a command line")]
use std::ops::ControlFlow;
use std::path::PathBuf;

use lightbox_dicom::{FrameSelection, Source, Stage, decode, header, index_json, nifti, nrrd, scan, volume};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let opt = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)).cloned();
    let path = args.get(1).cloned().unwrap_or_default();
    let fail = |e: String| -> ! {
        eprintln!("{e}");
        std::process::exit(1)
    };
    match args.first().map(String::as_str) {
        Some("scan") => {
            let paths: Vec<PathBuf> = args[1..].iter().filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
            let index = scan(&paths, &mut |_| ControlFlow::Continue(()));
            println!("{}", serde_json::to_string_pretty(&index_json(&index)).expect("json"));
        }
        Some("header") => match header::to_json(&Source::file(&path)) {
            Ok(v) if args.iter().any(|a| a == "--json") => println!("{v}"),
            Ok(_) => println!("{}", header::to_text(&Source::file(&path)).unwrap_or_default()),
            Err(e) => fail(e.to_string()),
        },
        Some("decode") => {
            let stage = match opt("--stage").as_deref() {
                Some("modality") => Stage::Modality,
                Some("display") => Stage::Display,
                _ => Stage::Stored,
            };
            let frames = match opt("--frame").as_deref() {
                Some("all") => FrameSelection::All,
                n => FrameSelection::One(n.and_then(|n| n.parse().ok()).unwrap_or(0)),
            };
            match decode::at_stage(&Source::file(&path), frames, stage) {
                Ok(p) => {
                    for n in &p.notes {
                        eprintln!("warning: {n}");
                    }
                    if let Some(out) = opt("--out") {
                        std::fs::write(out, &p.bytes).expect("written");
                    }
                    println!(
                        "{}",
                        serde_json::json!({"rows": p.rows, "columns": p.columns, "frames": p.frames, "samples": p.samples,
                            "dtype": p.dtype, "photometric": p.photometric, "planar": 0})
                    );
                }
                Err(e) => fail(e.to_string()),
            }
        }
        Some("volume") => {
            let index = scan(&[PathBuf::from(&path)], &mut |_| ControlFlow::Continue(()));
            let n: usize = opt("--volume").and_then(|n| n.parse().ok()).unwrap_or(0);
            let wanted = opt("--series");
            let series = index
                .studies
                .iter()
                .flat_map(|s| &s.series)
                .filter(|s| wanted.as_ref().is_none_or(|w| *w == s.uid))
                .max_by_key(|s| s.frames);
            let Some(series) = series else { fail("no series".into()) };
            let stacks: Vec<_> = series.stacks.iter().filter(|s| s.geometry.is_some()).collect();
            let Some(stack) = stacks.get(n) else { fail("no such volume".into()) };
            match volume::load(stack, &|_, _| {}, &|| false) {
                Ok((v, more)) => {
                    if let Some(out) = opt("--out") {
                        let out = PathBuf::from(out);
                        let done = if out.extension().is_some_and(|e| e == "nrrd") {
                            nrrd::write(&out, &v)
                        } else {
                            nifti::write(&out, &v)
                        };
                        if let Err(e) = done {
                            fail(e.to_string());
                        }
                    }
                    println!(
                        "{}",
                        serde_json::json!({"dims": v.geometry().dims(), "spacing_mm": v.geometry().spacing_mm(),
                            "affine_lps": v.geometry().affine_lps(), "volumes": stacks.len(), "key": stack.key,
                            "warnings": series.warnings.iter().chain(&more).collect::<Vec<_>>()})
                    );
                }
                Err(e) => fail(e.to_string()),
            }
        }
        _ => fail("scan | header | decode | volume".into()),
    }
}
