//! The commands, one room each.

mod anonymize;
mod answer;
mod ask;
mod bench;
mod boxes;
mod export;
mod images;
mod infer;
mod language;
mod masks;
mod models;
mod report;
mod seg;
mod train;
mod trusted;
mod window;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use lightbox_dicom::{Series, Stack, StudyIndex};

use crate::args::{Cli, Command};

/// Runs a command. The error is one sentence.
pub(crate) fn run(cli: Cli) -> Result<(), String> {
    match cli.command {
        None => window::open(cli.paths),
        Some(Command::Open { paths }) => window::open(paths),
        Some(Command::Demo { pictures: Some(dir), size, .. }) => window::pictures(&dir, size),
        Some(Command::Demo { screenshot, size, .. }) => window::demo(screenshot, size),
        Some(Command::Screenshot { paths, out, size, script }) => window::screenshot(paths, out, size, script),
        Some(Command::Scan { paths, json }) => images::scan(&paths, json),
        Some(Command::Decode(args)) => images::decode(&args),
        Some(Command::Header { file, json }) => images::header(&file, json),
        Some(Command::Volume(args)) => images::volume(&args),
        Some(Command::Render(args)) => images::render(&args),
        Some(Command::Models { action, json }) => models::run(action, json),
        Some(Command::Infer(args)) => infer::run(&args),
        Some(Command::Evaluate { model, data, cases, gallery, json }) => {
            train::evaluate(&model, data.as_deref(), cases, gallery.as_deref(), json)
        }
        Some(Command::Train { recipe, data, out, resume, device }) => {
            train::train(&recipe, data.as_deref(), &out, resume, device)
        }
        Some(Command::Seg { action }) => seg::run(action),
        Some(Command::Report { action }) => report::run(action),
        Some(Command::Ask { question, audience, folder, vectors, json }) => {
            ask::run(&question, audience.as_deref(), folder.as_deref(), vectors, json)
        }
        Some(Command::Drug { name, egfr, rules, recalls, ndc, json }) => ask::drug(&ask::DrugQuestion {
            name: &name,
            egfr,
            rules: rules.as_deref(),
            recalls: recalls.as_deref(),
            ndc: ndc.as_deref(),
            json,
        }),
        Some(Command::Anonymize(args)) => anonymize::run(&args),
        Some(Command::Pacs { .. }) => not_yet("pacs"),
        Some(Command::Bench { what, only, json }) => bench::run(&what, only.as_deref(), json),
    }
}

fn not_yet(what: &str) -> Result<(), String> {
    Err(format!("`lightbox {what}` is not built yet."))
}

/// Scans paths that must exist.
fn index(paths: &[PathBuf]) -> Result<StudyIndex, String> {
    for path in paths {
        if let Err(e) = std::fs::metadata(path) {
            return Err(format!("it cannot be read ({}): {}", refusal(&e), path.display()));
        }
    }
    Ok(lightbox_dicom::scan(paths, &mut |_| ControlFlow::Continue(())))
}

/// Why the system refused, without its number.
fn refusal(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "the system does not permit it".to_owned(),
        std::io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}

/// Why a scan found nothing, as one sentence.
fn nothing_found(index: &StudyIndex) -> String {
    match index.skipped.as_slice() {
        [] => "no image was found".to_owned(),
        [one] => format!("no image was found; {}: {}", one.reason.trim_end_matches('.'), one.path),
        [first, rest @ ..] => format!(
            "no image was found; {}, and so on for {} more: {}",
            first.reason.trim_end_matches('.'),
            rest.len(),
            first.path
        ),
    }
}

/// A stack with what is known of its series and study.
struct Found {
    /// Its series; the stacks are left out.
    series: Series,
    /// Itself.
    stack: Stack,
    /// How many volumes the series has.
    volumes: usize,
}

/// One stack of a path: of the series with this UID, or of the only (else the first) one that shows something.
fn one_stack(path: &Path, series: Option<&str>, volume: usize) -> Result<Found, String> {
    let index = index(&[path.to_owned()])?;
    let all: Vec<&Series> = index.studies.iter().flat_map(|s| &s.series).filter(|s| !s.stacks.is_empty()).collect();
    let chosen = match series {
        Some(uid) => all.iter().find(|s| s.uid == uid).ok_or("no series there has this UID")?,
        None => all.first().ok_or_else(|| nothing_found(&index))?,
    };
    if series.is_none() && all.len() > 1 {
        crate::output::note(&format!("{} series are there; the first is taken. Choose with --series UID.", all.len()));
    }
    // Images without a place in the patient are taken as they come.
    let mut stacks = chosen.volumes();
    let volumes = stacks.len();
    if stacks.is_empty() {
        stacks = chosen.stacks.iter().collect();
    }
    let stack = *stacks.get(volume).ok_or_else(|| match stacks.len() {
        1 => "the series has one volume, which is number 0".to_owned(),
        n => format!("the series has {n} volumes, counted from 0"),
    })?;
    let stack = stack.clone();
    let mut series = (*chosen).clone();
    series.stacks = Vec::new();
    Ok(Found { series, stack, volumes })
}
