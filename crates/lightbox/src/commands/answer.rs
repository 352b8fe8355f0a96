//! infer: classes, boxes, masks and images of any model, as lines and files.

use std::path::Path;
use std::sync::Arc;

use lightbox_core::{Frame, Rescale, Samples, Volume};
use lightbox_dicom::Stack;
use lightbox_dicom::seg::{self, SegReference};
use lightbox_model::{Found, Model, Picture, Restored, RunCx};
use serde_json::{Value, json};

use super::images;
use crate::output;

/// One image's results as a line, its files into `out`.
pub(super) fn plane(
    model: &Model,
    picture: &Picture,
    spacing_mm: Option<[f64; 2]>,
    out: &Path,
    number: usize,
) -> Result<(Value, Vec<(String, f64)>), String> {
    let cx = RunCx { cancelled: &|| false, progress: &output::progress };
    let answer = model.answer(picture, &cx).map_err(|e| e.to_string())?;
    let mask_file = |name: &str, mask: &[bool]| -> Result<Value, String> {
        let file = format!("{number:04}_{name}.png");
        let bytes: Vec<u8> = mask.iter().map(|m| if *m { 255 } else { 0 }).collect();
        images::write_png(&out.join(&file), picture.columns, picture.rows, &bytes, image::ColorType::L8)?;
        Ok(json!(file))
    };
    let value = match &answer.found {
        Found::Classes(all) => json!({"classes": all.iter().map(|c| {
            json!({"label": c.label, "probability": c.probability, "threshold": c.threshold})
        }).collect::<Vec<_>>()}),
        Found::Boxes(all) => {
            let mut list = Vec::with_capacity(all.len());
            for (i, b) in all.iter().enumerate() {
                let mut one = json!({"box": b.rect, "score": b.score, "label": b.label});
                if let Some(mask) = &b.mask {
                    one["mask"] = mask_file(&format!("box{i:03}"), mask)?;
                }
                list.push(one);
            }
            json!({"boxes": list})
        }
        Found::Masks(all) => {
            let mut list = Vec::with_capacity(all.len());
            for mask in all {
                let pixels = mask.mask.iter().filter(|m| **m).count();
                let area = spacing_mm.map(|[r, c]| pixels as f64 * r * c);
                let file = mask_file(&slug(&mask.label), &mask.mask)?;
                list.push(json!({"label": mask.label, "file": file, "area_mm2": area, "pixels": pixels}));
            }
            json!({"masks": list})
        }
        Found::Image(image) => json!({"image": restored(image, out, number)?}),
    };
    Ok((value, answer.timings_ms))
}

/// A label as a part of a file's name.
pub(super) fn slug(label: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '_' };
    label.chars().map(keep).collect()
}

/// Values between their smallest and largest as 8 bits.
fn as_bytes(values: &[f32]) -> Vec<u8> {
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let scale = if high > low { 255.0 / (high - low) } else { 0.0 };
    values.iter().map(|v| ((v - low) * scale).round() as u8).collect()
}

/// An image that a model made, with its residual where there is one.
pub(super) fn restored(image: &Restored, out: &Path, number: usize) -> Result<Value, String> {
    let file = format!("{number:04}_image.png");
    let (columns, rows) = (image.columns, image.rows);
    if let [r, g, b] = image.planes.as_slice() {
        let all = as_bytes(&[r.as_slice(), g, b].concat());
        let n = columns * rows;
        let rgb: Vec<u8> = (0..n).flat_map(|i| [all[i], all[n + i], all[2 * n + i]]).collect();
        images::write_png(&out.join(&file), columns, rows, &rgb, image::ColorType::Rgb8)?;
    } else {
        let first = image.planes.first().ok_or("the model made no image")?;
        images::write_png(&out.join(&file), columns, rows, &as_bytes(first), image::ColorType::L8)?;
    }
    let residual = match &image.residual {
        Some(residual) => {
            let file = format!("{number:04}_residual.png");
            images::write_png(&out.join(&file), columns, rows, &as_bytes(residual), image::ColorType::L8)?;
            let n = residual.len().max(1) as f64;
            let mean = residual.iter().map(|v| f64::from(v.abs())).sum::<f64>() / n;
            json!({"file": file, "mean_absolute": mean})
        }
        None => Value::Null,
    };
    Ok(json!({"file": file, "columns": columns, "rows": rows, "residual": residual}))
}

/// A volume's masks as NIfTI and, where it is DICOM, as one SEG.
pub(super) fn volume(
    model: &Model,
    stack: &Stack,
    out: &Path,
    number: usize,
) -> Result<(Value, Vec<(String, f64)>), String> {
    let (loaded, warnings) = lightbox_dicom::volume::load_blocking(stack, &|_, _| std::ops::ControlFlow::Continue(()))
        .map_err(|e| e.to_string())?;
    for warning in &warnings {
        output::note(&warning.text);
    }
    let cx = RunCx { cancelled: &|| false, progress: &output::progress };
    let answer = model.segment_volume(&loaded, &cx).map_err(|e| e.to_string())?;
    let [columns, rows, slices] = loaded.geometry().dims();
    let mut list = Vec::with_capacity(answer.masks.len());
    let mut segments = Vec::new();
    for (k, (label, mask, volume_ml)) in answer.masks.iter().enumerate() {
        let mut labels = Volume::empty(loaded.geometry().clone());
        for z in 0..slices {
            let mut values = vec![0u8; columns * rows];
            if let Some(plane) = mask.plane(z) {
                plane.iter_set().for_each(|i| values[i] = 1);
            }
            let frame =
                Frame::new(columns, rows, Samples::U8(values), Rescale::default()).map_err(|e| e.to_string())?;
            labels.set_slice(z, Arc::new(frame)).map_err(|e| e.to_string())?;
        }
        let file = format!("{number:04}_{}.nii.gz", slug(label));
        images::write_volume(&out.join(&file), &labels)?;
        list.push(json!({"label": label, "file": file, "volume_ml": volume_ml, "voxels": mask.count()}));
        if mask.count() > 0 {
            segments.push(super::infer::segment(model, k, label, mask.clone()));
        }
    }
    let mut value = json!({"masks": list});
    let is_dicom = stack.frames.first().is_some_and(|f| !f.sop_instance_uid.is_empty());
    if is_dicom && !segments.is_empty() {
        let file = format!("{number:04}_seg.dcm");
        let reference = SegReference::from_stack(stack).map_err(|e| e.to_string())?;
        seg::write(&out.join(&file), &reference, &segments).map_err(|e| e.to_string())?;
        value["seg"] = json!(file);
    }
    Ok((value, answer.timings_ms))
}
