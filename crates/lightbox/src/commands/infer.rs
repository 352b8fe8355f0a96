//! infer: a model on files, its results as files.

use std::path::Path;
use std::sync::Arc;

use lightbox_core::geometry::orientation_letters;
use lightbox_core::label::{Code, MaskOrigin};
use lightbox_core::{BitPlane, Mask, Rgb, Segment, SegmentId};
use lightbox_dicom::seg::{self, SegReference};
use lightbox_dicom::{Decoded, Opener, Series, Stack, Study};
use lightbox_model::arch::Takes;
use lightbox_model::card::Candidate;
use lightbox_model::degrade::Degrade;
use lightbox_model::explain::Method;
use lightbox_model::{Card, GreyImage, Model, RunCx, SegmentOptions, npy};
use serde_json::{Value, json};

use super::{answer, images, index, nothing_found, refusal, train, trusted};
use crate::args;
use crate::output;

pub(super) fn run(args: &args::Infer) -> Result<(), String> {
    let model = train::model(&args.model)?;
    let extras = [args.explain.is_some(), args.uncertainty.is_some(), !args.point.is_empty()];
    if args.raw {
        if extras.contains(&true) {
            return Err("--raw runs the network alone: leave out --explain, --uncertainty and --point".to_owned());
        }
        return raw(args, &model);
    }
    let ask = Ask::of(args, &model)?;
    if let Takes::Latent(_) = model.card().architecture.takes() {
        let reason = "makes images of noise and reads none; give it noise as .npy with --raw";
        return Err(format!("'{}' {reason}", model.card().id));
    }
    let index = index(&args.paths)?;
    std::fs::create_dir_all(&args.out)
        .map_err(|e| format!("the folder cannot be made ({}): {}", refusal(&e), args.out.display()))?;
    let mut run = Run {
        model: &model,
        ask: &ask,
        out: &args.out,
        opener: Opener::default(),
        inputs: Vec::new(),
        timings: Vec::new(),
    };
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
                let slab = model.card().architecture.inputs() > 3;
                if stack.is_volume && !notes.is_empty() && !model.card().input.click && !slab {
                    failed.push(format!(
                        "the model reads single images, not a volume like this one. {}",
                        notes.join(" ")
                    ));
                    continue;
                }
                for n in 0..stack.frames.len() {
                    let points = ask.points_on(n);
                    if model.card().input.click && points.is_empty() {
                        continue;
                    }
                    output::progress(run.inputs.len() as f32 / total.max(1) as f32, &model.card().name);
                    let done = if model.card().input.click {
                        points.iter().try_for_each(|point| run.clicked(stack, n, *point, &notes))
                    } else if model.segments_plainly() {
                        // These know sides of the body; the others take any card.
                        run.one(stack, n, &notes)
                    } else {
                        run.any(stack, n, &notes)
                    };
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
    let mut results = json!({
        "model": model.card().id,
        "sha256": model.card().sha256,
        "timings_ms": {"network": network_ms},
        "inputs": [{"path": path.display().to_string(), "raw": files}],
    });
    if matches!(model.card().architecture.takes(), Takes::Latent(_)) {
        // To be looked at, and never to be taken for someone's.
        let images = npy::read(&folder.join("image.npy")).map_err(|e| e.to_string())?;
        let pictures = model.marked_pictures(&images).map_err(|e| e.to_string())?;
        let mut names = Vec::with_capacity(pictures.len());
        for (n, bytes) in pictures.iter().enumerate() {
            let file = format!("raw/image-{:04}.png", n + 1);
            images::write(&args.out.join(&file), bytes)?;
            names.push(file);
        }
        results["synthetic"] = json!(true);
        results["pictures"] = json!(names);
    }
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

/// What is asked for beside the answer.
struct Ask {
    explain: Option<Method>,
    uncertainty: bool,
    /// x, y and, where told, the number of the slice.
    points: Vec<([f64; 2], Option<usize>)>,
}

impl Ask {
    fn of(args: &args::Infer, model: &Model) -> Result<Self, String> {
        let card = model.card();
        let is_classifier = card.task == lightbox_model::card::Task::Classification;
        if args.explain.is_some() && !is_classifier {
            return Err(format!("--explain is for classifiers; '{}' is a model of {}", card.id, card.task.name()));
        }
        if args.uncertainty.is_some() && !is_classifier && !model.segments_plainly() {
            return Err(format!("--uncertainty is for classes and for masks on single images, not for '{}'", card.id));
        }
        if args.point.is_empty() == card.input.click {
            return Err(if card.input.click {
                format!("'{}' outlines what is clicked: give at least one --point X,Y", card.id)
            } else {
                format!("--point is for models that take a click, '{}' takes none", card.id)
            });
        }
        let points = args.point.iter().map(|text| {
            let wrong = || format!("a point is X,Y or X,Y,SLICE in pixels, not '{text}'");
            let fields: Vec<&str> = text.split(',').map(str::trim).collect();
            let number = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).filter(|v| v.is_finite());
            let (x, y) = (number(0).ok_or_else(wrong)?, number(1).ok_or_else(wrong)?);
            let slice = match fields.get(2) {
                None => None,
                Some(slice) => Some(slice.parse::<usize>().map_err(|_| wrong())?),
            };
            if fields.len() > 3 { Err(wrong()) } else { Ok(([x, y], slice)) }
        });
        Ok(Self {
            explain: args.explain.as_deref().and_then(Method::parse),
            uncertainty: args.uncertainty.is_some(),
            points: points.collect::<Result<_, _>>()?,
        })
    }

    /// The points on slice `n`; one without a slice is on the first.
    fn points_on(&self, n: usize) -> Vec<[f64; 2]> {
        self.points.iter().filter(|(_, slice)| slice.unwrap_or(0) == n).map(|(p, _)| *p).collect()
    }
}

/// A run over many images.
struct Run<'a> {
    model: &'a Model,
    ask: &'a Ask,
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
        let input = &self.model.card().input;
        let picture = |decoded: &Decoded| {
            let window = decoded.windows.first().map(|(_, window)| *window);
            lightbox_session::picture(&decoded.frame, window, decoded.inverted, input)
        };
        let (mut shown, mut notes) = picture(&decoded);
        // A model of a slab sees the neighbours too; beyond the ends the last slice stands for them.
        if let Some(Degrade::Slab { slices, .. }) = self.model.card().data.as_ref().and_then(|d| d.degrade) {
            let half = slices / 2;
            let mut planes = Vec::with_capacity(slices);
            for k in 0..slices {
                let at = (n + k).saturating_sub(half).min(stack.frames.len() - 1);
                let neighbour = self.opener.decode(&stack.frames[at]).map_err(|e| e.to_string())?;
                planes.extend(picture(&neighbour).0.planes);
            }
            shown.planes = planes;
        }
        let picture = shown;
        notes.splice(0..0, objections.iter().cloned());
        let number = self.inputs.len();
        let (mut value, timings) = answer::plane(self.model, &picture, stack.pixel_spacing_mm, self.out, number)?;
        self.spent(&timings);
        if let Some(gate) = self.model.card().atlas.as_ref().and_then(|a| a.gate.as_ref()) {
            let score = self.model.ood_score(&picture, &RunCx::silent()).map_err(|e| e.to_string())?;
            if let Some(score) = score {
                if score > gate.threshold {
                    notes.push(format!(
                        "This image is unlike those that the model was trained on ({score:.2}, the card's limit is {:.2}).",
                        gate.threshold
                    ));
                }
                value["out_of_distribution"] = json!({"score": score, "threshold": gate.threshold});
            }
        }
        if let Some(method) = self.ask.explain {
            value["explain"] = trusted::explain(self.model, &picture, method, self.out, number)?;
        }
        if self.ask.uncertainty {
            value["uncertainty"] = trusted::classes(self.model, &picture)?;
        }
        value["path"] = json!(frame_ref.source.to_string());
        value["frame"] = json!(frame_ref.frame);
        value["notes"] = json!(notes);
        self.inputs.push(value);
        Ok(())
    }

    /// One click: its outline into a file, its line into the results.
    fn clicked(&mut self, stack: &Stack, n: usize, point: [f64; 2], objections: &[String]) -> Result<(), String> {
        let frame_ref = &stack.frames[n];
        let decoded = self.opener.decode(frame_ref).map_err(|e| e.to_string())?;
        let values = decoded.frame.values_as_seen(decoded.inverted);
        let (columns, rows) = (decoded.frame.columns(), decoded.frame.rows());
        let image = GreyImage { columns, rows, values, spacing_mm: stack.pixel_spacing_mm };
        let number = self.inputs.len();
        let mut value = trusted::click(self.model, &image, point, self.out, number)?;
        value["path"] = json!(frame_ref.source.to_string());
        value["frame"] = json!(frame_ref.frame);
        value["notes"] = json!(objections);
        self.inputs.push(value);
        Ok(())
    }

    /// One image: its masks into files, its line into the results.
    fn one(&mut self, stack: &Stack, n: usize, objections: &[String]) -> Result<(), String> {
        let Self { model, ask, out, opener, inputs, timings } = self;
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
        if ask.uncertainty {
            value["uncertainty"] = trusted::mask(model, &image, out, number)?;
        }
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
