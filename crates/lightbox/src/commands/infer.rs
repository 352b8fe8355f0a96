//! infer: a model on files, its results as files.

use std::path::Path;
use std::sync::Arc;

use lightbox_core::geometry::orientation_letters;
use lightbox_core::label::{Code, MaskOrigin};
use lightbox_core::{BitPlane, Mask, Rgb, Segment, SegmentId};
use lightbox_dicom::seg::{self, SegReference};
use lightbox_dicom::{Opener, Series, Stack, Study};
use lightbox_model::arch::Takes;
use lightbox_model::card::Candidate;
use lightbox_model::{Card, GreyImage, Model, RunCx, SegmentOptions, npy};
use serde_json::{Value, json};

use super::{answer, images, index, nothing_found, refusal, train};
use crate::args;
use crate::output;

pub(super) fn run(args: &args::Infer) -> Result<(), String> {
    for (given, name) in [
        (args.explain.is_some(), "--explain"),
        (args.uncertainty.is_some(), "--uncertainty"),
        (!args.point.is_empty(), "--point"),
    ] {
        if given {
            return Err(format!("`{name}` is not built yet."));
        }
    }
    let model = train::model(&args.model)?;
    if args.raw {
        return raw(args, &model);
    }
    if let Takes::Latent(_) = model.card().architecture.takes() {
        let reason = "makes images of noise and reads none; give it noise as .npy with --raw";
        return Err(format!("'{}' {reason}", model.card().id));
    }
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
                if matches!(model.card().architecture.takes(), Takes::Volume(_)) {
                    if let Err(why) = run.volume(stack, &notes) {
                        failed.push(why);
                    }
                    continue;
                }
                if stack.is_volume && !notes.is_empty() {
                    failed.push(format!(
                        "the model reads single images, not a volume like this one. {}",
                        notes.join(" ")
                    ));
                    continue;
                }
                for n in 0..stack.frames.len() {
                    output::progress(run.inputs.len() as f32 / total.max(1) as f32, &model.card().name);
                    // The network that is trained here knows sides of the body; the others take any card.
                    let trained_here = model.card().architecture.name() == "unet2d";
                    let done = if trained_here { run.one(stack, n, &notes) } else { run.any(stack, n, &notes) };
                    if let Err(why) = done {
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

/// The network on its own input: a `.npy` in, `raw/*.npy` out.
fn raw(args: &args::Infer, model: &Model) -> Result<(), String> {
    let [path] = args.paths.as_slice() else { return Err("with --raw one .npy is read at a time".to_owned()) };
    let input = npy::read(path).map_err(|e| e.to_string())?;
    let cx = RunCx { cancelled: &|| false, progress: &output::progress };
    let clock = std::time::Instant::now();
    let arrays = model.raw(&input, &cx).map_err(|e| e.to_string())?;
    output::progress_end();
    let network_ms = clock.elapsed().as_secs_f64() * 1e3;
    let folder = args.out.join("raw");
    std::fs::create_dir_all(&folder)
        .map_err(|e| format!("the folder cannot be made ({}): {}", refusal(&e), folder.display()))?;
    let mut files = serde_json::Map::new();
    for (name, bytes) in arrays {
        let file = format!("raw/{name}.npy");
        images::write(&args.out.join(&file), &bytes)?;
        files.insert(name.to_owned(), json!(file));
    }
    let results = json!({
        "model": model.card().id,
        "sha256": model.card().sha256,
        "timings_ms": {"network": network_ms},
        "inputs": [{"path": path.display().to_string(), "raw": files}],
    });
    let text = serde_json::to_string_pretty(&results).map_err(|e| e.to_string())?;
    images::write(&args.out.join("results.json"), text.as_bytes())?;
    if args.json {
        output::json(&results)
    } else {
        output::line(&args.out.join("results.json").display().to_string());
        Ok(())
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
    fn spent(&mut self, timings: &[(String, f64)]) {
        for (stage, ms) in timings {
            match self.timings.iter_mut().find(|(s, _)| s == stage) {
                Some((_, sum)) => *sum += ms,
                None => self.timings.push((stage.clone(), *ms)),
            }
        }
    }

    /// One volume: its masks into files, its line into the results.
    fn volume(&mut self, stack: &Stack, objections: &[String]) -> Result<(), String> {
        if !stack.is_volume || stack.frames.len() < 2 {
            return Err(format!("'{}' takes a volume, this is a single image", self.model.card().id));
        }
        let (mut value, timings) = answer::volume(self.model, stack, self.out, self.inputs.len())?;
        self.spent(&timings);
        value["path"] = json!(stack.frames[0].source.to_string());
        value["notes"] = json!(objections);
        self.inputs.push(value);
        Ok(())
    }

    /// One image through a model of any task.
    fn any(&mut self, stack: &Stack, n: usize, objections: &[String]) -> Result<(), String> {
        let frame_ref = &stack.frames[n];
        let decoded = self.opener.decode(frame_ref).map_err(|e| e.to_string())?;
        let window = decoded.windows.first().map(|(_, window)| *window);
        let (picture, mut notes) =
            lightbox_session::picture(&decoded.frame, window, decoded.inverted, self.model.card());
        notes.splice(0..0, objections.iter().cloned());
        let number = self.inputs.len();
        let (mut value, timings) = answer::plane(self.model, &picture, stack.pixel_spacing_mm, self.out, number)?;
        self.spent(&timings);
        value["path"] = json!(frame_ref.source.to_string());
        value["frame"] = json!(frame_ref.frame);
        value["notes"] = json!(notes);
        self.inputs.push(value);
        Ok(())
    }

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
            let mut voxels = Mask::new([stack.columns, stack.rows, stack.frames.len()]);
            voxels.set_plane(n, Some(Arc::new(BitPlane::from_bools(&mask.mask))));
            segments.push(segment(model, k, &mask.label, voxels));
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

pub(super) fn segment(model: &Model, k: usize, label: &str, mask: Mask) -> Segment {
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
        mask,
    }
}
