//! YOLOX: 5 (1 - overlap^2) for boxes, cross-entropy for classes (towards the overlap) and for the presence of an
//! object, all per place that answers for an object (Ge et al. 2021).

use super::Target;
use super::assign::{AssignSpec, Place, sim_ota};
use super::loss::{binary, iou, nothing, per, quads, rows};
use crate::Result;
use crate::arch::detect::boxes::Rect;
use crate::arch::detect::ssd::by_cell;
use crate::arch::detect::yolox::{Level, decode};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

/// Weight of the boxes' part.
const BOXES: f64 = 5.0;

/// The loss of a batch.
pub(super) fn loss(levels: &[Level], targets: &[Target], spec: &AssignSpec) -> Result<Tensor> {
    let gather = |part: fn(&Level) -> &Tensor, columns: usize| -> Result<Tensor> {
        let all = levels.iter().map(|l| by_cell(part(l), columns)).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&all, 1)?)
    };
    let classes = match levels.first() {
        Some(level) => level.class.dim(1)?,
        None => return nothing(),
    };
    let (class, shape, object) = (gather(|l| &l.class, classes)?, gather(|l| &l.shape, 4)?, gather(|l| &l.object, 1)?);
    let (batch, n, _) = class.dims3()?;
    // Column, row and stride of each place.
    let mut grid: Vec<(usize, usize, f32)> = Vec::with_capacity(n);
    for level in levels {
        let (_, _, h, w) = level.object.dims4()?;
        grid.extend((0..h * w).map(|i| (i % w, i / w, level.stride)));
    }
    let numbers = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.flatten_all()?.to_vec1()?) };
    let (class_now, shape_now, object_now) = (numbers(&class)?, numbers(&shape)?, numbers(&object)?);
    let answers: Vec<(usize, usize, Rect, usize, f32)> = (0..batch)
        .into_par_iter()
        .flat_map_iter(|b| {
            let places: Vec<Place> = grid
                .iter()
                .enumerate()
                .map(|(i, (x, y, stride))| {
                    let s = &shape_now[4 * (b * n + i)..][..4];
                    Place {
                        centre: [(*x as f32 + 0.5) * stride, (*y as f32 + 0.5) * stride],
                        stride: *stride,
                        rect: decode([s[0], s[1], s[2], s[3]], *x, *y, *stride),
                        object: object_now[b * n + i],
                    }
                })
                .collect();
            let class = &class_now[b * n * classes..][..n * classes];
            let t = &targets[b];
            sim_ota(&places, class, classes, &t.boxes, &t.labels, spec)
                .into_iter()
                .map(move |(i, k, overlap)| (b * n + i, i, t.boxes[k], t.labels[k], overlap))
                .collect::<Vec<_>>()
        })
        .collect();

    let full = answers.len();
    let mut present = vec![0f32; batch * n];
    answers.iter().for_each(|a| present[a.0] = 1.0);
    let present = Tensor::from_vec(present, (batch, n, 1), &Device::Cpu)?;
    let mut total = per(&binary(&object, &present)?, full)?;
    if full == 0 {
        return Ok(total);
    }
    let wanted: Vec<usize> = answers.iter().map(|a| a.0).collect();
    let column = |f: &dyn Fn(&(usize, usize, f32)) -> f32| -> Result<Tensor> {
        let all: Vec<f32> = answers.iter().map(|a| f(&grid[a.1])).collect();
        Ok(Tensor::from_vec(all, (full, 1), &Device::Cpu)?)
    };
    let stride = column(&|g| g.2)?;
    let at = Tensor::cat(&[column(&|g| g.0 as f32)?, column(&|g| g.1 as f32)?], 1)?;
    let shape = rows(&shape.reshape((batch * n, 4))?, &wanted)?;
    let centre = (shape.narrow(1, 0, 2)? + at)?.broadcast_mul(&stride)?;
    // e^10 strides are beyond any image; a larger exponent would make the overlap's gradient infinite.
    let half = (shape.narrow(1, 2, 2)?.clamp(-10f32, 10f32)?.exp()?.broadcast_mul(&stride)? * 0.5)?;
    let predicted = Tensor::cat(&[(&centre - &half)?, (&centre + &half)?], 1)?;
    let truth = quads(&answers.iter().map(|a| a.2).collect::<Vec<_>>())?;
    let boxes = (1.0 - iou(&predicted, &truth)?.sqr()?)?;
    total = (total + (per(&boxes, full)? * BOXES)?)?;

    let mut hot = vec![0f32; full * classes];
    for (row, (_, _, _, label, overlap)) in answers.iter().enumerate() {
        hot[row * classes + label] = *overlap;
    }
    let hot = Tensor::from_vec(hot, (full, classes), &Device::Cpu)?;
    let class = rows(&class.reshape((batch * n, classes))?, &wanted)?;
    Ok((total + per(&binary(&class, &hot)?, full)?)?)
}
