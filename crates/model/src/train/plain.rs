//! What plain methods learn from the training cases, kept beside the network's weights.

use super::Job;
use crate::answer::is_background;
use crate::arch::Tensors;
use crate::card::BaselineMethod;
use crate::data::case::Truth;
use crate::detection::Labelled;
use crate::detection::blob::{self, Blobs};
use crate::evaluate::{component_row, small, volume};
use crate::generate::Sampler;
use crate::image::resize;
use crate::plain::{Components, Logistic, features};
use crate::run::RunCx;
use crate::segment::MEAN_MASK;
use crate::volume::Grid;
use crate::{Result, data};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

/// Side of the stored mean mask.
const MEAN_MASK_SIDE: usize = 64;
/// Principal components that normal images are described by.
const COMPONENTS: usize = 24;
/// Principal components that images are made of.
const SAMPLED: usize = 64;
/// Images that these are taken from, at most.
const MOST_SAMPLED: usize = 1500;

/// The tensors of the recipe's plain method; none where it learns nothing.
pub(super) fn tensors(job: &Job<'_>, cx: &RunCx<'_>) -> Result<Tensors> {
    match job.recipe.baseline {
        BaselineMethod::MeanMask => Ok(Tensors::from([(MEAN_MASK.to_owned(), mean_mask(job, cx)?)])),
        BaselineMethod::LogisticTexture => {
            let (mut rows, mut truth) = (Vec::new(), Vec::new());
            each(job, cx, |case| {
                if let Truth::Class(class) = case.truth {
                    rows.push(case);
                    truth.push(class);
                }
                Ok(())
            })?;
            let rows: Vec<Vec<f32>> =
                rows.par_iter().map(|case| features(&case.pixels.to_f32(), case.size[2])).collect();
            Logistic::fit(&rows, &truth, job.recipe.labels.len()).tensors()
        }
        BaselineMethod::PrincipalComponents => {
            let mut rows = Vec::new();
            each(job, cx, |case| {
                rows.push(component_row(&case));
                Ok(())
            })?;
            Components::fit(&rows, COMPONENTS).tensors()
        }
        BaselineMethod::ComponentSampling => {
            // More images would not make these components better, and the memory is bounded.
            let step = job.parts.train.len().div_ceil(MOST_SAMPLED).max(1);
            let few: Vec<usize> = job.parts.train.iter().copied().step_by(step).collect();
            let mut rows = Vec::with_capacity(few.len());
            for chunk in few.chunks(128) {
                cx.check()?;
                rows.extend(job.cache.get(chunk)?.iter().map(|case| small(case, &job.recipe.input)));
            }
            Sampler::fit(&rows, SAMPLED).tensors()
        }
        BaselineMethod::BrightestBlob => {
            let first = usize::from(job.recipe.labels.first().is_some_and(|l| is_background(&l.name)));
            let mut boxes = Vec::new();
            each(job, cx, |case| {
                if let Truth::Boxes(all) = &case.truth {
                    let [_, rows, columns] = case.size;
                    let here = all.iter().filter(|(_, label)| label + first < job.recipe.labels.len());
                    boxes.extend(
                        here.map(|(rect, label)| (columns, rows, Labelled { rect: *rect, label: *label, score: 1.0 })),
                    );
                }
                Ok(())
            })?;
            Ok(Tensors::from([(blob::TENSOR.to_owned(), Blobs::fit(&boxes)?.to_tensor()?)]))
        }
        BaselineMethod::AtlasMean => Ok(Tensors::from([("baseline.atlas".to_owned(), atlas(job, cx)?)])),
        _ => Ok(Tensors::new()),
    }
}

fn each(job: &Job<'_>, cx: &RunCx<'_>, mut see: impl FnMut(std::sync::Arc<data::Case>) -> Result<()>) -> Result<()> {
    for chunk in job.parts.train.chunks(128) {
        cx.check()?;
        job.cache.get(chunk)?.into_iter().try_for_each(&mut see)?;
    }
    Ok(())
}

/// The mean of all masks, `[64, 64]`.
fn mean_mask(job: &Job<'_>, cx: &RunCx<'_>) -> Result<Tensor> {
    let side = MEAN_MASK_SIDE;
    let n = job.parts.train.len() as f32;
    let mut sum = vec![0f32; side * side];
    each(job, cx, |case| {
        let mask: Vec<f32> = case.mask(1).iter().map(|m| f32::from(u8::from(*m))).collect();
        let small = resize(&mask, case.size[2], case.size[1], side, side);
        sum.iter_mut().zip(small).for_each(|(s, v)| *s += v / n);
        Ok(())
    })?;
    Ok(Tensor::from_vec(sum, (side, side), &Device::Cpu)?)
}

/// The mean of the labels on the network's grid, `[labels, slices, rows, columns]`.
fn atlas(job: &Job<'_>, cx: &RunCx<'_>) -> Result<Tensor> {
    let input = &job.recipe.input;
    let dims = [input.slices, input.rows, input.columns];
    let (k, n) = (job.recipe.labels.len(), dims.iter().product::<usize>());
    let mut sum = vec![0f32; k * n];
    let share = 1.0 / job.parts.train.len() as f32;
    each(job, cx, |case| {
        let Truth::Labels(labels) = &case.truth else { return Ok(()) };
        let volume = volume(&case)?;
        let grid = Grid::of(&job.card, &volume)?;
        let [slices, rows, columns] = case.size;
        let start = [0, 1, 2].map(|a| (grid.dims[a] / 2) as f64 - (dims[a] / 2) as f64);
        for i in 0..n {
            let at = [i / (dims[1] * dims[2]), i / dims[2] % dims[1], i % dims[2]];
            let v = grid.voxel([0, 1, 2].map(|a| at[a] as f64 + start[a])).map(f64::round);
            let inside = (0..3).all(|a| v[a] >= 0.0 && v[a] < [columns, rows, slices][a] as f64);
            let label = if inside {
                usize::from(labels[(v[2] as usize * rows + v[1] as usize) * columns + v[0] as usize])
            } else {
                0
            };
            if label < k {
                sum[label * n + i] += share;
            }
        }
        Ok(())
    })?;
    Ok(Tensor::from_vec(sum, (k, dims[0], dims[1], dims[2]), &Device::Cpu)?)
}
