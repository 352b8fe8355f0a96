//! infer: a model on files, its results as files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lightbox_core::label::{Code, MaskOrigin};
use lightbox_core::{BitPlane, Mask, Rgb, Segment, SegmentId};
use lightbox_dicom::seg::{self, SegReference};
use lightbox_dicom::{Opener, Stack};
use lightbox_model::{GreyImage, Model, RunCx, SegmentOptions};
use serde_json::{Value, json};

use super::{images, index, train};
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
        .map_err(|e| format!("the folder cannot be made ({e}): {}", args.out.display()))?;
    let mut inputs = Vec::new();
    let mut timings: Vec<(String, f64)> = Vec::new();
    let opener = Opener::default();
    for series in index.studies.iter().flat_map(|s| &s.series) {
        for stack in &series.stacks {
            for n in 0..stack.frames.len() {
                let result = one(&model, stack, n, &opener, &args.out, inputs.len(), &mut timings)?;
                inputs.push(result);
            }
        }
    }
    if inputs.is_empty() {
        let why = index
            .skipped
            .first()
            .map_or(String::new(), |s| format!("; {}: {}", s.reason.trim_end_matches('.'), s.path));
        return Err(format!("no image was found{why}"));
    }
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
        output::json(&results)
    } else {
        output::line(&args.out.join("results.json").display().to_string());
        Ok(())
    }
}

fn one(
    model: &Model,
    stack: &Stack,
    n: usize,
    opener: &Opener,
    out: &Path,
    number: usize,
    timings: &mut Vec<(String, f64)>,
) -> Result<Value, String> {
    let frame_ref = &stack.frames[n];
    let decoded = opener.decode(frame_ref).map_err(|e| e.to_string())?;
    let frame = decoded.frame;
    let mut values = frame.values();
    if decoded.inverted {
        let (low, high) = frame.range().unwrap_or((0.0, 0.0));
        values.iter_mut().for_each(|v| *v = high + low - *v);
    }
    let image = GreyImage { columns: frame.columns(), rows: frame.rows(), values, spacing_mm: stack.pixel_spacing_mm };
    let left = stack.patient_orientation.as_ref().and_then(|(row, _)| row.chars().next());
    let options = SegmentOptions { image_left_is_patient_right: left != Some('R') };
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
        save_grey(&out.join(&file), frame.columns(), frame.rows(), &bytes)?;
        let pixels = mask.mask.iter().filter(|m| **m).count();
        let area = stack.pixel_spacing_mm.map(|[r, c]| pixels as f64 * r * c);
        masks.push(json!({"label": mask.label, "file": file, "area_mm2": area, "pixels": pixels}));
        segments.push(segment(model, stack, n, k, &mask.label, &mask.mask));
    }
    let mut value = json!({"path": frame_ref.source.to_string(), "frame": frame_ref.frame, "masks": masks});
    segments.retain(|s| s.mask.count() > 0);
    if !frame_ref.sop_instance_uid.is_empty() && !segments.is_empty() {
        let file = format!("{number:04}_seg.dcm");
        let reference = SegReference::from_stack(stack).map_err(|e| e.to_string())?;
        seg::write(&out.join(&file), &reference, &segments).map_err(|e| e.to_string())?;
        value["seg"] = json!(file);
    }
    Ok(value)
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

fn save_grey(path: &PathBuf, width: usize, height: usize, bytes: &[u8]) -> Result<(), String> {
    image::save_buffer_with_format(
        path,
        bytes,
        width as u32,
        height as u32,
        image::ColorType::L8,
        image::ImageFormat::Png,
    )
    .map_err(|e| format!("the mask cannot be written ({e}): {}", path.display()))
}
