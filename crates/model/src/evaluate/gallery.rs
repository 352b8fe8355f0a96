//! The cases that a model answers worst, as a picture: what a reader of its card should see first.

use super::masks::{click_of, mask as union, volume};
use super::{images, unit};
use crate::answer::{Found, picture_of};
use crate::card::Task;
use crate::data::case::{Case, Set, Truth};
use crate::image::resize;
use crate::run::RunCx;
use crate::train::curve::{line, text};
use crate::{Error, Model, Result};
use image::{Rgb, RgbImage};
use std::io::Cursor;

/// Side of a tile in pixels.
const SIDE: usize = 168;
/// How many cases are shown, in rows of five.
const WORST: usize = 10;
const TRUE: Rgb<u8> = Rgb([90, 220, 120]);
const FOUND: Rgb<u8> = Rgb([255, 120, 80]);

/// The worst cases, each with the truth in green and the answer in orange, and how well it was answered.
///
/// Of a restored image the right half of the tile is the answer, the left half what went in. Of classes: true number, given
/// number and its probability.
pub(crate) fn draw(model: &Model, set: &dyn Set, by_case: &[(usize, f64)], cx: &RunCx<'_>) -> Result<Vec<u8>> {
    if matches!(model.card().architecture.takes(), crate::arch::Takes::Latent(_)) {
        return super::generated::draw(model, set, by_case.len(), cx);
    }
    let mut worst = by_case.to_vec();
    worst.sort_by(|a, b| a.1.total_cmp(&b.1));
    worst.truncate(WORST);
    let (w, h) = (5 * SIDE as u32, (worst.len().div_ceil(5).max(1) * SIDE) as u32);
    let mut sheet = RgbImage::from_pixel(w, h, Rgb([20, 20, 20]));
    let numbers: Vec<usize> = worst.iter().map(|w| w.0).collect();
    for (k, case) in set.load(&numbers)?.iter().enumerate() {
        cx.check()?;
        let corner = [(k % 5 * SIDE) as f64, (k / 5 * SIDE) as f64];
        tile(model, case, numbers[k], worst[k].1, corner, &mut sheet, cx)?;
    }
    let mut bytes = Cursor::new(Vec::new());
    sheet
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|e| Error::Image { reason: format!("the gallery could not be drawn: {e}") })?;
    Ok(bytes.into_inner())
}

fn tile(
    model: &Model,
    case: &Case,
    number: usize,
    score: f64,
    corner: [f64; 2],
    sheet: &mut RgbImage,
    cx: &RunCx<'_>,
) -> Result<()> {
    let [slices, rows, columns] = case.size;
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    let mut caption = format!("{score:.3}");
    let all = unit(case);
    let z = slices / 2;
    let mut plane = all[z * rows * columns..][..rows * columns].to_vec();
    let mut outlines: Vec<(Vec<bool>, Rgb<u8>)> = Vec::new();
    let mut boxes: Vec<([f32; 4], Rgb<u8>)> = Vec::new();
    match model.card().task {
        Task::Classification => {
            let logits = model.class_logits(&picture_of(case), &quiet)?;
            let p = crate::answer::class_probabilities(model.card(), &logits);
            let best = (0..p.len()).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap_or(0);
            let truth = if let Truth::Class(c) = case.truth { c } else { 0 };
            caption = format!("{truth}>{best} {:.2}", p.get(best).copied().unwrap_or(0.0));
        }
        Task::Segmentation if slices > 1 => {
            let answer = model.segment_volume(&volume(case)?, &quiet)?;
            let found = (0..rows * columns)
                .map(|i| answer.masks.iter().any(|(_, m, _)| m.get([i % columns, i / columns, z])))
                .collect();
            let truth = if let Truth::Labels(l) = &case.truth {
                l[z * rows * columns..][..rows * columns].iter().map(|l| *l > 0).collect()
            } else {
                Vec::new()
            };
            outlines.extend([(truth, TRUE), (found, FOUND)]);
        }
        Task::Segmentation if model.card().input.click => {
            let truth = case.mask(1);
            if let Some(click) = click_of(&truth, columns) {
                let found = model.segment_click(&case.image(), click.map(|v| v as f64 + 0.5), &quiet)?;
                outlines.extend([(truth, TRUE), (found.mask, FOUND)]);
            }
        }
        Task::Segmentation => outlines.extend([(case.mask(1), TRUE), (union(model, case, &quiet)?, FOUND)]),
        Task::Reconstruction => {
            if let Some((input, output)) = images::before_and_after(model, case, number, &quiet)? {
                let w = input.1;
                plane = resize(&input.0, w, input.0.len() / w, columns, rows);
                let after = resize(&output, w, output.len() / w, columns, rows);
                for (i, p) in plane.iter_mut().enumerate() {
                    if i % columns >= columns / 2 {
                        *p = after[i];
                    }
                }
            }
        }
        Task::Detection => {
            if let Truth::Boxes(truth) = &case.truth {
                boxes.extend(truth.iter().map(|t| (t.0, TRUE)));
            }
            if let Found::Boxes(found) = model.answer(&picture_of(case), &quiet)?.found {
                boxes.extend(found.iter().take(2).map(|f| (f.rect, FOUND)));
            }
        }
        // Nothing of it can be drawn.
        Task::Language => {}
    }
    let scale = (SIDE as f64 - 2.0) / rows.max(columns) as f64;
    let (w, h) = (((columns as f64 * scale) as usize).max(1), ((rows as f64 * scale) as usize).max(1));
    let shown = resize(&plane, columns, rows, w, h);
    for (i, v) in shown.iter().enumerate() {
        let grey = (v.clamp(0.0, 1.0) * 255.0) as u8;
        sheet.put_pixel(corner[0] as u32 + (i % w) as u32, corner[1] as u32 + (i / w) as u32, Rgb([grey; 3]));
    }
    for (mask, colour) in &outlines {
        let plane: Vec<f32> = mask.iter().map(|m| f32::from(u8::from(*m))).collect();
        if plane.is_empty() {
            continue;
        }
        let big = resize(&plane, columns, rows, w, h);
        let inside = |x: usize, y: usize| big[y * w + x] >= 0.5;
        for y in 1..h.saturating_sub(1) {
            for x in 1..w.saturating_sub(1) {
                let edge = !(inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1));
                if inside(x, y) && edge {
                    sheet.put_pixel(corner[0] as u32 + x as u32, corner[1] as u32 + y as u32, *colour);
                }
            }
        }
    }
    for (b, colour) in &boxes {
        let [x0, y0, x1, y1] = b.map(|v| f64::from(v) * scale);
        let at = |x: f64, y: f64| (corner[0] + x.clamp(0.0, w as f64 - 1.0), corner[1] + y.clamp(0.0, h as f64 - 1.0));
        for (from, to) in [((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x0, y1)), ((x0, y1), (x0, y0))] {
            line(sheet, at(from.0, from.1), at(to.0, to.1), *colour);
        }
    }
    text(sheet, corner[0] as u32 + 4, corner[1] as u32 + 4, &caption, Rgb([255, 230, 90]));
    Ok(())
}
