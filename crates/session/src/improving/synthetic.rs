//! Approved masks of persons who do not exist: the chest of the demo in other sizes, places and exposures. For pictures and
//! tests; a model that learns from them knows the phantom better, and nothing else.

use std::path::Path;

use lightbox_core::phantom;
use lightbox_model::GreyImage;
use lightbox_model::train::correct::Correction;
use lightbox_model::train::kept::Pairs;

use crate::models::ModelInfo;

/// Pixels a side.
const SIDE: usize = 256;

/// Keeps masks of so many synthetic persons in the folder of what is kept.
///
/// # Errors
/// One sentence when the chest cannot be made or a pair not be written.
pub fn keep_synthetic(kept: &Path, model: &ModelInfo, persons: usize) -> Result<(), String> {
    let chest = phantom::chest_xray().map_err(|e| e.to_string())?;
    let [columns, rows] = [chest.frame.columns(), chest.frame.rows()];
    let values = chest.frame.values();
    let top = values.iter().copied().fold(1.0, f32::max);
    let pairs = Pairs::at(&kept.join("improve"));
    for n in 0..persons {
        // Spread evenly over a range, each by another step, so that no two are alike in all.
        let at = |step: f64, by: f64| ((n as f64 * step).fract() - 0.5) * 2.0 * by;
        let zoom = [1.0 + at(0.618, 0.08), 1.0 + at(0.414, 0.08)];
        let shift = [at(0.732, 0.04), at(0.236, 0.04)];
        let gamma = 1.0 + at(0.303, 0.25) as f32;
        let (mut image, mut mask) = (Vec::with_capacity(SIDE * SIDE), Vec::with_capacity(SIDE * SIDE));
        for y in 0..SIDE {
            for x in 0..SIDE {
                let from = |i: usize, axis: usize, size: usize| {
                    let part = ((i as f64 + 0.5) / SIDE as f64 - 0.5) / zoom[axis] + 0.5 + shift[axis];
                    ((part * size as f64) as usize).min(size - 1)
                };
                let (c, r) = (from(x, 0, columns), from(y, 1, rows));
                image.push((values[r * columns + c] / top).max(0.0).powf(gamma));
                mask.push(chest.right_lung.get([c, r, 0]) || chest.left_lung.get([c, r, 0]));
            }
        }
        let correction = Correction {
            person: format!("synthetic {n}"),
            image: GreyImage { columns: SIDE, rows: SIDE, values: image, spacing_mm: None },
            mask,
        };
        let input = [model.card.input.columns, model.card.input.rows];
        let key = format!("synthetic {n}");
        pairs.add(&model.id, &model.card.sha256, &key, &correction, input).map_err(|e| e.to_string())?;
    }
    Ok(())
}
