//! infer: a model on files, its results as files.

use std::path::Path;
use std::sync::Arc;

use lightbox_core::geometry::orientation_letters;
use lightbox_core::label::{Code, MaskOrigin};
use lightbox_core::{BitPlane, Mask, Rgb, Segment, SegmentId};
use lightbox_dicom::seg::{self, SegReference};
use lightbox_dicom::{Opener, Series, Stack, Study};
use lightbox_model::card::Candidate;
use lightbox_model::{Card, GreyImage, Model, RunCx, SegmentOptions};
use serde_json::{Value, json};

use super::{images, index, nothing_found, refusal, train};
use crate::args;
use crate::output;

pub(super) fn run(args: &args::Infer) -> Result<(), String> {
    for (given, name) in [
        (args.explain.is_some(), "--explain"),
        (args.uncertainty.is_some(), "--uncertainty"),
        (!args.point.is_empty(), "--point"),
        (args.raw, "--raw"),
    ] {
        if given {
            return Err(format!("`{name}` is not built yet."));
        }
    }
    let model = train::model(&args.model)?;
    let index = index(&args.paths)?;
    std::fs::create_dir_all(&args.out)
        .map_err(|e| format!("the folder cannot be made ({}): {}", refusal(&e), args.out.display()))?;
    let mut run =
        Run { model: &model, out: &args.out, opener: Opener::default(), inputs: Vec::new(), timings: Vec::new() };
    let mut failed: Vec<String> = Vec::new();
    let total: usize =
        index.studies.iter().flat_map(|s| &s.series).flat_map(|s| &s.stacks).map(|k| k.frames.len()).sum();
    for study in &index.studies {
        for series in &study.series {
            let notes = objections(model.card(), study, series);
            // A picture that is no DICOM has no modality to speak of; another modality than the card's is refused, as in
            // the window.
            let wanted = &model.card().fits.modality;
            let known = !series.modality.is_empty() && series.modality != "OT";
            if known && !wanted.is_empty() && !wanted.iter().any(|m| m.eq_ignore_ascii_case(&series.modality)) {
                failed.push(format!("the model needs {}, this is {}", wanted.join(" or "), series.modality));
                continue;
            }
            for stack in &series.stacks {
                if stack.is_volume && !notes.is_empty() {
                    failed.push(format!(
                        "the model reads single images, not a volume like this one. {}",
                        notes.join(" ")
                    ));
                    continue;
                }
                for n in 0..stack.frames.len() {
                    output::progress(run.inputs.len() as f32 / total.max(1) as f32, &model.card().name);
                    if let Err(why) = run.one(stack, n, &notes) {
                        failed.push(why);
                    }
                }
            }
        }
    }
    output::progress_end();
    let Run { inputs, timings, .. } = run;
    if inputs.is_empty() {
        return Err(failed.into_iter().next().unwrap_or_else(|| nothing_found(&index)));
    }
    for skipped in &index.skipped {
        output::note(&format!("left out: {}: {}", skipped.reason.trim_end_matches('.'), skipped.path));
    }
    let done = inputs.len();
    let times: serde_json::Map<String, Value> = timings.into_iter().map(|(k, v)| (k, json!(v))).collect();
    let results = json!({
        "model": model.card().id,
        "sha256": model.card().sha256,
        "timings_ms": times,
        "inputs": inputs,
    });
    let text = serde_json::to_string_pretty(&results).map_err(|e| e.to_string())?;
    images::write(&args.out.join("results.json"), text.as_bytes())?;
    if args.json {
        output::json(&results)?;
    } else {
        output::line(&args.out.join("results.json").display().to_string());
    }
    // What was found is written; that some images are missing from it is still a failure.
    match failed.first() {
        None => Ok(()),
        Some(first) => {
            Err(format!("{done} images are done, {} images or series are not; the first: {first}", failed.len()))
        }
    }
}

/// Why a series lies outside what the card covers.
fn objections(card: &Card, study: &Study, series: &Series) -> Vec<String> {
    let known = |t: &'static str, v: &str| (!v.is_empty() && v != t).then(|| v.to_owned());
    // A picture that is no DICOM has no modality to speak of.
    let modality = known("OT", &series.modality);
    card.fits.objections(&Candidate {
        modality: modality.as_deref(),
        body_part: Some(series.body_part.as_str()),
        view: Some(series.view.as_str()),
        age_years: study.patient.age_years,
    })
}

/// A run over many images.
struct Run<'a> {
    model: &'a Model,
    out: &'a Path,
    opener: Opener,
    inputs: Vec<Value>,
    timings: Vec<(String, f64)>,
}

impl Run<'_> {
    /// One image: its masks into files, its line into the results.
    fn one(&mut self, stack: &Stack, n: usize, objections: &[String]) -> Result<(), String> {
        let Self { model, out, opener, inputs, timings } = self;
        let number = inputs.len();
        let frame_ref = &stack.frames[n];
        let decoded = opener.decode(frame_ref).map_err(|e| e.to_string())?;
        let frame = decoded.frame;
        let values = frame.values_as_seen(decoded.inverted);
        let image =
            GreyImage { columns: frame.columns(), rows: frame.rows(), values, spacing_mm: stack.pixel_spacing_mm };
        let mut notes = objections.to_vec();
        let left = left_is_patient_right(stack);
        if left.is_none() {
            notes.push(
            "The header does not tell left from right; the sides assume that the patient's right is on the left of the image."
                .to_owned(),
        );
        }
        let options = SegmentOptions { image_left_is_patient_right: left.unwrap_or(true) };
        let result = model.segment_with(&image, options, &RunCx::silent()).map_err(|e| e.to_string())?;
        for (stage, ms) in &result.timings_ms {
            match timings.iter_mut().find(|(s, _)| s == stage) {
                Some((_, sum)) => *sum += ms,
                None => timings.push((stage.clone(), *ms)),
            }
        }
        let mut masks = Vec::new();
        let mut segments = Vec::new();
        for (k, mask) in result.masks.iter().enumerate() {
            let slug = mask.label.to_lowercase().replace(' ', "_");
            let file = format!("{number:04}_{slug}.png");
            let bytes: Vec<u8> = mask.mask.iter().map(|m| if *m { 255 } else { 0 }).collect();
            images::write_png(&out.join(&file), frame.columns(), frame.rows(), &bytes, image::ColorType::L8)?;
            let pixels = mask.mask.iter().filter(|m| **m).count();
            let area = stack.pixel_spacing_mm.map(|[r, c]| pixels as f64 * r * c);
            masks.push(json!({"label": mask.label, "file": file, "area_mm2": area, "pixels": pixels}));
            segments.push(segment(model, stack, n, k, &mask.label, &mask.mask));
        }
        let mut value =
            json!({"path": frame_ref.source.to_string(), "frame": frame_ref.frame, "masks": masks, "notes": notes});
        segments.retain(|s| s.mask.count() > 0);
        if !frame_ref.sop_instance_uid.is_empty() && !segments.is_empty() {
            let file = format!("{number:04}_seg.dcm");
            let reference = SegReference::from_stack(stack).map_err(|e| e.to_string())?;
            seg::write(&out.join(&file), &reference, &segments).map_err(|e| e.to_string())?;
            value["seg"] = json!(file);
        }
        inputs.push(value);
        Ok(())
    }
}

/// Whether the left edge of the image is the patient's right, as far as the header tells.
fn left_is_patient_right(stack: &Stack) -> Option<bool> {
    let row = match (&stack.patient_orientation, &stack.geometry) {
        (Some((row, _)), _) => row.clone(),
        (None, Some(g)) => orientation_letters(g.direction(0)),
        _ => return None,
    };
    match row.chars().next()? {
        'L' => Some(true),
        'R' => Some(false),
        _ => None,
    }
}

fn segment(model: &Model, stack: &Stack, n: usize, k: usize, label: &str, mask: &[bool]) -> Segment {
    let mut voxels = Mask::new([stack.columns, stack.rows, stack.frames.len()]);
    voxels.set_plane(n, Some(Arc::new(BitPlane::from_bools(mask))));
    let lower = label.to_lowercase();
    let side = if lower.contains("right") {
        Some(Code::new("24028007", "SCT", "Right"))
    } else if lower.contains("left") {
        Some(Code::new("7771000", "SCT", "Left"))
    } else {
        None
    };
    let colours: [Rgb; 12] = lightbox_core::label::MASK_COLOURS;
    Segment {
        id: SegmentId(k as u32 + 1),
        name: label.to_owned(),
        colour: colours[k % colours.len()],
        code: lower.contains("lung").then(|| Code::new("39607008", "SCT", "Lung")),
        side,
        origin: MaskOrigin::Model {
            model: model.card().id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: model.card().sha256.clone(),
        },
        edited: false,
        visible: true,
        locked: false,
        mask: voxels,
    }
}
