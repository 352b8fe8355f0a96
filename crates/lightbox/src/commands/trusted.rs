//! infer: what goes beyond the answer: maps of what counted, how far the answer moves, outlines at a click.

use std::path::Path;

use lightbox_model::explain::Method;
use lightbox_model::{GreyImage, Model, Picture, RunCx};
use serde_json::{Value, json};

use super::images;

/// Values from `low` to `high` as 8-bit grey.
fn grey(values: &[f32], low: f32, high: f32) -> Vec<u8> {
    let scale = 255.0 / (high - low).max(1e-12);
    values.iter().map(|v| ((v - low) * scale).clamp(0.0, 255.0).round() as u8).collect()
}

/// A heat map as a file: 0 black and the largest white; of maps with a sign 0 is the middle grey.
pub(super) fn explain(
    model: &Model,
    picture: &Picture,
    method: Method,
    out: &Path,
    number: usize,
) -> Result<Value, String> {
    let heat = model.explain(picture, method, None, &RunCx::silent()).map_err(|e| e.to_string())?;
    let file = format!("{number:04}_heat.png");
    let most = heat.values.iter().map(|v| v.abs()).fold(0.0, f32::max);
    let (name, low) = match method {
        Method::GradCam => ("grad-cam", 0.0),
        Method::Occlusion => ("occlusion", -most),
        Method::IntegratedGradients => ("integrated-gradients", -most),
    };
    let bytes = grey(&heat.values, low, most);
    images::write_png(&out.join(&file), picture.columns, picture.rows, &bytes, image::ColorType::L8)?;
    Ok(json!({
        "method": name,
        "label": heat.label,
        "file": file,
        "white": most,
        "black": low,
        "completeness_residual": heat.completeness_residual,
    }))
}

/// How far the classes move.
pub(super) fn classes(model: &Model, picture: &Picture) -> Result<Value, String> {
    let all = model.class_spread(picture, &RunCx::silent()).map_err(|e| e.to_string())?;
    let list: Vec<Value> = model
        .card()
        .labels
        .iter()
        .zip(all)
        .map(|(l, s)| json!({"label": l.name, "mean": s.mean, "deviation": s.deviation}))
        .collect();
    Ok(json!({"method": "tta", "classes": list}))
}

/// How far a mask moves: the deviation of each pixel's probability as a file (white 0.5, the most there can be).
pub(super) fn mask(model: &Model, image: &GreyImage, out: &Path, number: usize) -> Result<Value, String> {
    let (deviation, area) = model.mask_spread(image, &RunCx::silent()).map_err(|e| e.to_string())?;
    let file = format!("{number:04}_uncertainty.png");
    let bytes = grey(&deviation, 0.0, 0.5);
    images::write_png(&out.join(&file), image.columns, image.rows, &bytes, image::ColorType::L8)?;
    let relative = if area.mean > 0.0 { area.deviation / area.mean } else { 0.0 };
    Ok(json!({"method": "tta", "file": file, "area_deviation_relative": relative}))
}

/// The outline at a click.
pub(super) fn click(
    model: &Model,
    image: &GreyImage,
    point: [f64; 2],
    out: &Path,
    number: usize,
) -> Result<Value, String> {
    let found = model.segment_click(image, point, &RunCx::silent()).map_err(|e| e.to_string())?;
    let label = model.card().labels.first().map(|l| l.name.clone()).unwrap_or_default();
    let file = format!("{number:04}_{}.png", super::answer::slug(&label));
    let bytes: Vec<u8> = found.mask.iter().map(|m| if *m { 255 } else { 0 }).collect();
    images::write_png(&out.join(&file), image.columns, image.rows, &bytes, image::ColorType::L8)?;
    let sure = format!("{number:04}_probability.png");
    let bytes = grey(&found.probability, 0.0, 1.0);
    images::write_png(&out.join(&sure), image.columns, image.rows, &bytes, image::ColorType::L8)?;
    let pixels = found.mask.iter().filter(|m| **m).count();
    let area = image.spacing_mm.map(|[r, c]| pixels as f64 * r * c);
    let in_mm = |length: f64| image.spacing_mm.map(|_| length);
    let [long, short] = found.lengths;
    Ok(json!({
        "point": point,
        "masks": [{
            "label": label,
            "file": file,
            "area_mm2": area,
            "pixels": pixels,
            "probability_file": sure,
            "probability": found.confidence,
            "long_axis_mm": in_mm(long),
            "short_axis_mm": in_mm(short),
            "axes_px": found.axes,
        }],
    }))
}
