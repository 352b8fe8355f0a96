//! anonymize: de-identified copies of DICOM files.

use std::ops::ControlFlow;

use lightbox_dicom::anonymize::{ProfileOption, Settings, anonymize};

use super::{images, refusal};
use crate::args;
use crate::output;

pub(super) fn run(args: &args::Anonymize) -> Result<(), String> {
    let settings = Settings {
        options: args.options.iter().filter_map(|o| ProfileOption::by_name(o)).collect(),
        key: args.key.clone(),
        masks: args.masks.clone(),
    };
    if let Some(objection) = settings.objection() {
        // As for every wrong call: clap's form, exit code 2.
        clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, format!("{objection}\n")).exit();
    }
    for path in &args.paths {
        if let Err(e) = std::fs::metadata(path) {
            return Err(format!("it cannot be read ({}): {}", refusal(&e), path.display()));
        }
    }
    if let Some(report) = &args.report
        && report.exists()
    {
        return Err(format!("the report is already there, and nothing is overwritten: {}", report.display()));
    }
    let done = anonymize(&args.paths, &args.out, &settings, &mut |p| {
        output::progress(p.done as f32 / p.found.max(1) as f32, &format!("{} copies", p.copies));
        ControlFlow::Continue(())
    });
    output::progress_end();
    let done = done.map_err(|e| e.to_string())?;
    if let Some(path) = &args.report {
        let text = serde_json::to_string_pretty(&done.report).map_err(|e| e.to_string())?;
        images::write(path, text.as_bytes())?;
    }
    for warning in &done.report.warnings {
        let text = &warning.text;
        match warning.files.as_slice() {
            [one] => output::note(&format!("look at this copy: {text}: {one}")),
            files => output::note(&format!("look at these {} copies: {text}: {}, …", files.len(), files[0])),
        }
    }
    for skipped in &done.skipped {
        output::note(&format!("left out: {}: {}", skipped.reason, skipped.path));
    }
    for refused in &done.refused {
        output::note(&format!("not copied: {}: {}", refused.reason, refused.path));
    }
    let copies = done.report.copies;
    if copies > 0 {
        output::line(&args.out.display().to_string());
    }
    // What was written is whole; that some files are missing is still a failure.
    match (copies, done.refused.as_slice(), done.skipped.as_slice()) {
        (0, [], []) => Err("no DICOM file was found".into()),
        (0, [], [first, ..]) => Err(format!("no DICOM file was found; {}: {}", first.reason, first.path)),
        (_, [], _) => Ok(()),
        (_, [first, rest @ ..], _) => Err(format!(
            "{copies} copies are written, {} files are not copied; the first: {}: {}",
            rest.len() + 1,
            first.reason,
            first.path
        )),
    }
}
