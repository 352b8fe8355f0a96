//! Made-up images against those of persons that the generator never saw: how alike they are as a whole, and whether it
//! only gives back what it was trained on.

use super::{How, Measured, each};
use crate::card::{CARD_FILE, Card, InputSpec, Interval, WEIGHTS_FILE};
use crate::data::Part;
use crate::data::case::{Case, Set};
use crate::generate::{Sampler, mark, noise};
use crate::image::{percentiles, resize};
use crate::prepare::Picture;
use crate::run::RunCx;
use crate::train::curve::text;
use crate::{Error, Model, Result, Store, frechet, metrics};
use candle_core::Device;
use image::{Rgb, RgbImage};
use rayon::prelude::*;
use std::io::Cursor;
use std::path::Path;

/// Seeds of what is made for a measure: other noise than that of any training.
const SEED: u64 = 0x6761_6E00_0000;
/// Images that go through a generator together.
const BATCH: usize = 32;
/// Images are compared one by one at this fraction of their size: nearness is of shapes, not of grain.
const COARSE: usize = 2;
/// Share of the held-back images that lie nearer to a training image than the rest: whoever lies as near counts as near.
const NEAR: f64 = 0.05;

/// The classifier by whose features images are compared, by id or folder.
///
/// # Errors
/// [`Error::UnknownModel`] where it is not at hand; [`Error::Card`] where it cannot be used.
pub(crate) fn judge(id: &str) -> Result<Model> {
    let dir = Path::new(id);
    let model = if dir.join(CARD_FILE).is_file() {
        Model::load_from(Card::read(dir)?, &dir.join(WEIGHTS_FILE))?
    } else {
        Model::load(Store::open_default().get(id)?)?
    };
    if model.card().architecture.tap_channels("features").is_none() {
        return Err(Error::Card { id: id.into(), reason: "it has no features to compare images by".into() });
    }
    Ok(model)
}

fn judge_of(card: &Card) -> Result<Model> {
    let absent = || Error::Card { id: card.id.clone(), reason: "it names no judge of its images".into() };
    judge(card.judge.as_deref().ok_or_else(absent)?)
}

/// A case as a generator's training sees it: at the size of its images, grey values from 0 to 1.
pub(crate) fn small(case: &Case, input: &InputSpec) -> Vec<f32> {
    let [_, rows, columns] = case.size;
    let mut values = resize(&case.pixels.to_f32(), columns, rows, input.columns, input.rows);
    let (low, high) = percentiles(&values, 0.005, 0.995);
    let scale = 1.0 / (high - low).max(1e-6);
    values.iter_mut().for_each(|v| *v = ((*v - low) * scale).clamp(0.0, 1.0));
    values
}

/// `n` made-up images, `[rows * columns]` from 0 to 1 each.
fn made(model: &Model, n: usize, cx: &RunCx<'_>) -> Result<Vec<Vec<f32>>> {
    let crate::arch::Takes::Latent(latent) = model.card().architecture.takes() else { return Ok(Vec::new()) };
    let mut all = Vec::with_capacity(n);
    for first in (0..n).step_by(BATCH) {
        let count = BATCH.min(n - first);
        let out = model.network().forward(&noise(SEED + first as u64, count, latent, &Device::Cpu)?, cx)?;
        for i in 0..count {
            let values: Vec<f32> = out.get(i)?.get(0)?.flatten_all()?.to_vec1()?;
            if values.iter().any(|v| !v.is_finite()) {
                return Err(Error::Image { reason: "the generator made values that are not finite".into() });
            }
            all.push(model.made_grey(&values));
        }
    }
    Ok(all)
}

/// What the judge sees in images of the generator's size.
fn features(judge: &Model, images: &[Vec<f32>], columns: usize, cx: &RunCx<'_>) -> Result<Vec<Vec<f32>>> {
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    images
        .iter()
        .map(|image| {
            cx.check()?;
            let range = Some([0.0, 255.0]);
            let plane = image.iter().map(|v| v * 255.0).collect();
            let rows = image.len() / columns.max(1);
            let picture = Picture { columns, rows, planes: vec![plane], full_range: range, window: range };
            judge.pooled_features(&picture, &quiet).map(Option::unwrap_or_default)
        })
        .collect()
}

/// Numbers of the training cases by the card's split.
fn training(set: &dyn Set, card: &Card) -> Vec<usize> {
    let Some(data) = &card.data else { return Vec::new() };
    let items = set.items();
    let kind = |i: &usize| data.only_class.is_none_or(|c| items[*i].class == Some(c));
    (0..items.len()).filter(|i| data.split.part(&items[*i].person) == Part::Train).filter(kind).collect()
}

/// Images of training cases, at the generator's size.
fn training_images(set: &dyn Set, card: &Card, which: &[usize], cx: &RunCx<'_>) -> Result<Vec<Vec<f32>>> {
    let mut all = Vec::with_capacity(which.len());
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    each(set, which, &quiet, |_, _, case| {
        all.push(small(case, &card.input));
        Ok(())
    })?;
    Ok(all)
}

fn coarse(image: &[f32], input: &InputSpec) -> Vec<f32> {
    resize(image, input.columns, input.rows, (input.columns / COARSE).max(1), (input.rows / COARSE).max(1))
}

/// For each image the number of the nearest of `among` and their root mean square difference (grey values 0 to 1).
fn nearest(images: &[Vec<f32>], among: &[Vec<f32>]) -> Vec<(usize, f64)> {
    images
        .par_iter()
        .map(|image| {
            let far = |other: &Vec<f32>| image.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
            let all = among.iter().map(far).enumerate();
            let (i, square) = all.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0));
            (i, (f64::from(square) / image.len().max(1) as f64).sqrt())
        })
        .collect()
}

pub(super) fn measure(model: &Model, set: &dyn Set, which: &[usize], how: How, cx: &RunCx<'_>) -> Result<Measured> {
    let card = model.card();
    let columns = card.input.columns;
    let only = card.data.as_ref().and_then(|d| d.only_class);
    let which: Vec<usize> =
        which.iter().copied().filter(|i| only.is_none_or(|c| set.items()[*i].class == Some(c))).collect();
    let judge = judge_of(card)?;
    let (mut out, mut real) = (Measured::default(), Vec::new());
    each(set, &which, cx, |i, item, case| {
        real.push(small(case, &card.input));
        out.persons.push(item.person.clone());
        out.by_case.push((i, 0.0));
        Ok(())
    })?;
    let n = real.len();
    let of_real = features(&judge, &real, columns, cx)?;
    let ours = made(model, n, cx)?;
    let of_ours = features(&judge, &ours, columns, cx)?;
    let persons: Vec<&str> = out.persons.iter().map(String::as_str).collect();
    // As many images of each kind, redrawn together: a distance depends on their number.
    let apart = |of_made: &[Vec<f32>], draws: usize| -> Interval {
        let found = metrics::bootstrap_about(&persons, draws, |drawn| {
            let (a, b): (Vec<&[f32]>, Vec<&[f32]>) =
                drawn.iter().map(|i| (of_made[*i].as_slice(), of_real[*i].as_slice())).unzip();
            frechet::distance(&a, &b)
        });
        // No distance is below 0, wherever its draws were moved to.
        Interval { low: found.low.max(0.0).min(found.value), ..found }
    };
    let found = apart(&of_ours, how.draws);
    out.score = -found.value;
    out.metrics.insert("frechet".into(), found);
    if !how.plain {
        return Ok(out);
    }
    let numbers = training(set, card);
    let seen = training_images(set, card, &numbers, cx)?;
    // What a perfect generator would reach: as many training images, spread over the set.
    let step = (seen.len() / n.max(1)).max(1);
    let like: Vec<Vec<f32>> = seen.iter().step_by(step).take(n).cloned().collect();
    if like.len() == n {
        out.metrics.insert("frechet_training".into(), apart(&features(&judge, &like, columns, cx)?, how.draws));
    }
    let shrunk = |all: &[Vec<f32>]| -> Vec<Vec<f32>> { all.iter().map(|v| coarse(v, &card.input)).collect() };
    let seen = shrunk(&seen);
    let near_real: Vec<f64> = nearest(&shrunk(&real), &seen).into_iter().map(|(_, d)| d).collect();
    let mut sorted = near_real.clone();
    sorted.sort_by(f64::total_cmp);
    let limit = sorted.get((n as f64 * NEAR) as usize).copied().unwrap_or(0.0);
    let check = |images: &[Vec<f32>], to: &mut std::collections::BTreeMap<String, Interval>| {
        let near: Vec<f64> = nearest(&shrunk(images), &seen).into_iter().map(|(_, d)| d).collect();
        let nearer: Vec<f64> = near.iter().map(|d| f64::from(u8::from(*d < limit))).collect();
        to.insert("nearer_than_real".into(), super::mean(&out.persons, &nearer, how.draws));
        to.insert("nearest_rms".into(), super::mean(&out.persons, &near, how.draws));
    };
    let mut ours_near = std::collections::BTreeMap::new();
    check(&ours, &mut ours_near);
    ours_near.insert("nearest_rms_real".into(), super::mean(&out.persons, &near_real, how.draws));
    let mut theirs_near = std::collections::BTreeMap::new();
    if model.extras().contains_key("baseline.axes") {
        let sampler = Sampler::of_tensors(&card.id, model.extras())?;
        let theirs: Vec<Vec<f32>> = (0..n as u64).map(|i| sampler.draw(SEED + i)).collect();
        theirs_near.insert("frechet".to_owned(), apart(&features(&judge, &theirs, columns, cx)?, how.draws));
        check(&theirs, &mut theirs_near);
    }
    out.metrics.extend(ours_near);
    out.baseline.extend(theirs_near);
    Ok(out)
}

/// Side of a tile in pixels.
const SIDE: usize = 128;
/// Pairs in a row.
const PAIRS: usize = 4;

/// Twelve made-up images that nobody chose, then the eight of `n` that lie nearest to a training image; the nearest
/// training image on the right of each, and above how far it is.
pub(crate) fn draw(model: &Model, set: &dyn Set, n: usize, cx: &RunCx<'_>) -> Result<Vec<u8>> {
    let card = model.card();
    let input = &card.input;
    let numbers = training(set, card);
    let seen = training_images(set, card, &numbers, cx)?;
    let ours = made(model, n.max(20), cx)?;
    let small: Vec<Vec<f32>> = ours.iter().map(|v| coarse(v, input)).collect();
    let near = nearest(&small, &seen.iter().map(|v| coarse(v, input)).collect::<Vec<_>>());
    let mut order: Vec<usize> = (0..near.len()).collect();
    order.sort_by(|a, b| near[*a].1.total_cmp(&near[*b].1));
    let shown: Vec<usize> = (0..12).chain(order.into_iter().take(8)).collect();
    let (w, h) = (2 * PAIRS * SIDE, shown.len().div_ceil(PAIRS) * SIDE);
    let mut sheet = RgbImage::from_pixel(w as u32, h as u32, Rgb([20, 20, 20]));
    for (k, i) in shown.into_iter().enumerate() {
        cx.check()?;
        let (x, y) = (k % PAIRS * 2 * SIDE, k / PAIRS * SIDE);
        let mut tile = |values: &[f32], x: usize| {
            let big = resize(values, input.columns, input.rows, SIDE - 2, SIDE - 2);
            for (p, v) in big.iter().enumerate() {
                let at = ((x + p % (SIDE - 2)) as u32, (y + p / (SIDE - 2)) as u32);
                sheet.put_pixel(at.0, at.1, Rgb([(v.clamp(0.0, 1.0) * 255.0) as u8; 3]));
            }
        };
        tile(&ours[i], x);
        if let Some(other) = seen.get(near[i].0) {
            tile(other, x + SIDE);
        }
        let (x, y) = (x as u32, y as u32);
        mark(&mut sheet, x, y);
        text(&mut sheet, x + SIDE as u32 + 4, y + 4, &format!("{:.3}", near[i].1), Rgb([255, 230, 90]));
    }
    let mut bytes = Cursor::new(Vec::new());
    sheet
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|e| Error::Image { reason: format!("the gallery could not be drawn: {e}") })?;
    Ok(bytes.into_inner())
}
