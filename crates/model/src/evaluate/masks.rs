//! Outlines on planes, at clicks and in volumes.

use super::{How, Measured, each, mean};
use crate::card::{BaselineMethod, metric_name};
use crate::data::case::{Case, Set, Truth};
use crate::image::resize;
use crate::run::RunCx;
use crate::{Error, Model, Result, metrics, plain, post};
use lightbox_core::{Frame, Rescale, Samples, Volume, VolumeGeometry};
use std::sync::Arc;

fn missing(model: &Model, reason: &str) -> Error {
    Error::Card { id: model.card().id.clone(), reason: reason.into() }
}

/// Plane masks, both sides together, of a network with one label.
pub(super) fn planes(model: &Model, set: &dyn Set, which: &[usize], how: How, cx: &RunCx<'_>) -> Result<Measured> {
    let method = model.card().baseline.as_ref().map(|b| b.method).filter(|_| how.plain);
    let mean_mask = match method {
        Some(BaselineMethod::MeanMask) => Some(
            model.mean_mask()?.ok_or_else(|| missing(model, "its weights lack the mean mask of its plain method"))?,
        ),
        _ => None,
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut out = Measured::default();
    each(set, which, cx, |i, item, case| {
        let truth = case.mask(1);
        let dice = metrics::dice(&mask(model, case, cx)?, &truth);
        ours.push(dice);
        out.persons.push(item.person.clone());
        out.by_case.push((i, dice));
        let [_, rows, columns] = case.size;
        match (method, &mean_mask) {
            (Some(BaselineMethod::OtsuDark), _) => theirs.push(metrics::dice(&otsu_dark(case), &truth)),
            (Some(BaselineMethod::MeanMask), Some((r, c, mean))) => {
                let mask: Vec<bool> = resize(mean, *c, *r, columns, rows).iter().map(|p| *p >= 0.5).collect();
                theirs.push(metrics::dice(&mask, &truth));
            }
            _ => {}
        }
        Ok(())
    })?;
    for (values, target) in [(&ours, &mut out.metrics), (&theirs, &mut out.baseline)] {
        if values.is_empty() {
            continue;
        }
        let interval = mean(&out.persons, values, how.draws);
        target.insert("dice".into(), interval);
        if let Some(label) = model.card().labels.iter().find(|l| !crate::answer::is_background(&l.name)) {
            target.insert(metric_name("dice", &label.name), interval);
        }
    }
    out.score = ours.iter().sum::<f64>() / ours.len().max(1) as f64;
    Ok(out)
}

/// The model's mask with both sides together.
pub(super) fn mask(model: &Model, case: &Case, cx: &RunCx<'_>) -> Result<Vec<bool>> {
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    let result = model.segment(&case.image(), &quiet)?;
    let mut union = vec![false; result.columns * result.rows];
    for part in &result.masks {
        union.iter_mut().zip(&part.mask).for_each(|(u, m)| *u |= m);
    }
    Ok(union)
}

/// Dark side of Otsu's threshold, parts that touch the border dropped, the two largest kept and filled.
pub(super) fn otsu_dark(case: &Case) -> Vec<bool> {
    let [_, rows, columns] = case.size;
    let values = case.pixels.to_f32();
    let threshold = plain::otsu(&values);
    let mut mask: Vec<bool> = values.iter().map(|v| *v <= threshold).collect();
    let (part, areas) = post::components(&mask, columns);
    let mut touches = vec![false; areas.len() + 1];
    for (i, p) in part.iter().enumerate() {
        let (x, y) = (i % columns, i / columns);
        if x == 0 || y == 0 || x + 1 == columns || y + 1 == rows {
            touches[*p as usize] = true;
        }
    }
    mask.iter_mut().zip(&part).for_each(|(m, p)| *m = *m && !touches[*p as usize]);
    post::keep_largest(&mut mask, columns, 2, 1);
    post::fill_holes(&mut mask, columns);
    mask
}

/// Where a reader would click: the pixel of the mask nearest to its centre; `None` where nothing is marked.
pub(crate) fn click_of(mask: &[bool], columns: usize) -> Option<[usize; 2]> {
    let inside: Vec<[f64; 2]> = mask
        .iter()
        .enumerate()
        .filter(|(_, m)| **m)
        .map(|(i, _)| [(i % columns) as f64, (i / columns) as f64])
        .collect();
    let n = inside.len() as f64;
    let centre = [0, 1].map(|a| inside.iter().map(|p| p[a]).sum::<f64>() / n);
    let distance = |p: &[f64; 2]| (p[0] - centre[0]).powi(2) + (p[1] - centre[1]).powi(2);
    inside.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map(|p| p.map(|v| v as usize))
}

/// Outlines at a click, against what at least two readers marked; calibration against the share of the readers.
pub(super) fn clicks(model: &Model, set: &dyn Set, which: &[usize], how: How, cx: &RunCx<'_>) -> Result<Measured> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut out = Measured::default();
    let mut bins: Vec<Vec<[f64; 3]>> = Vec::new();
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    each(set, which, cx, |i, item, case| {
        let truth = case.mask(1);
        let [_, _, columns] = case.size;
        // Nothing marked by two readers: nothing that a reader would click on.
        let Some(click) = click_of(&truth, columns) else { return Ok(()) };
        let found = model.segment_click(&case.image(), click.map(|v| v as f64 + 0.5), &quiet)?;
        let dice = metrics::dice(&found.mask, &truth);
        ours.push(dice);
        out.persons.push(item.person.clone());
        out.by_case.push((i, dice));
        if let Truth::Share { marks, readers } = &case.truth {
            // Pixels of which at least one side says something; the rest of the lung would make any figure look good.
            let pairs = found.probability.iter().zip(marks).filter(|(p, m)| **p >= 0.05 || **m > 0);
            let share = |m: &u8| f64::from(*m) / f64::from(*readers);
            bins.push(metrics::reliability(pairs.map(|(p, m)| (f64::from(*p), share(m)))));
        }
        if how.plain {
            theirs.push(metrics::dice(&plain::otsu_click(&case.pixels.to_f32(), columns, click), &truth));
        }
        Ok(())
    })?;
    let label = model.card().labels.first().map(|l| metric_name("dice", &l.name)).unwrap_or_default();
    for (values, target) in [(&ours, &mut out.metrics), (&theirs, &mut out.baseline)] {
        if !values.is_empty() {
            let interval = mean(&out.persons, values, how.draws);
            target.insert("dice".into(), interval);
            target.insert(label.clone(), interval);
        }
    }
    if bins.len() == out.persons.len() && !bins.is_empty() {
        let joined = |drawn: &[usize]| -> Vec<[f64; 3]> {
            let mut sum = vec![[0.0; 3]; 10];
            for i in drawn {
                for (s, b) in sum.iter_mut().zip(&bins[*i]) {
                    *s = [s[0] + b[0] * b[2], s[1] + b[1] * b[2], s[2] + b[2]];
                }
            }
            sum.into_iter().map(|[c, o, n]| if n > 0.0 { [c / n, o / n, n] } else { [0.0; 3] }).collect()
        };
        let persons: Vec<&str> = out.persons.iter().map(String::as_str).collect();
        out.metrics.insert("ece".into(), metrics::bootstrap(&persons, how.draws, |d| metrics::ece(&joined(d))));
        out.reliability = joined(&(0..bins.len()).collect::<Vec<_>>());
    }
    out.score = ours.iter().sum::<f64>() / ours.len().max(1) as f64;
    Ok(out)
}

/// Mean Dice at each of some thresholds, of a model with one mask.
pub(crate) fn at_thresholds(
    model: &Model,
    set: &dyn Set,
    which: &[usize],
    thresholds: &[f32],
    cx: &RunCx<'_>,
) -> Result<Vec<f64>> {
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    let mut sums = vec![0.0; thresholds.len()];
    let mut cases = 0.0;
    each(set, which, cx, |_, _, case| {
        let truth = case.mask(1);
        let columns = case.size[2];
        let mut click = None;
        let plane = if model.card().input.click {
            let Some(at) = click_of(&truth, columns) else { return Ok(()) };
            click = Some(at.map(|v| v as f64 + 0.5));
            model.segment_click(&case.image(), at.map(|v| v as f64 + 0.5), &quiet)?.probability
        } else {
            model.segment(&case.image(), &quiet)?.probability
        };
        cases += 1.0;
        for (sum, threshold) in sums.iter_mut().zip(thresholds) {
            let mut mask = post::mask_from_probability(&plane, columns, *threshold, &model.card().post, &quiet)?;
            if let Some(click) = click {
                crate::click::keep_at(&mut mask, columns, click);
            }
            *sum += metrics::dice(&mask, &truth);
        }
        Ok(())
    })?;
    Ok(sums.into_iter().map(|s| s / f64::max(cases, 1.0)).collect())
}

/// Logit and share of the readers of each pixel near a click, of a model with temperature 1.
pub(crate) fn logits_and_shares(
    model: &Model,
    set: &dyn Set,
    which: &[usize],
    cx: &RunCx<'_>,
) -> Result<Vec<(f32, f32)>> {
    let mut all = Vec::new();
    each(set, which, cx, |_, _, case| {
        let (truth, Truth::Share { marks, readers }) = (case.mask(1), &case.truth) else { return Ok(()) };
        let Some(click) = click_of(&truth, case.size[2]) else { return Ok(()) };
        let found = model.segment_click(&case.image(), click.map(|v| v as f64 + 0.5), cx)?;
        // Where both say nothing at all there is nothing to learn, and most pixels are so.
        let pairs = found.probability.iter().zip(marks).filter(|(p, m)| **p > 0.002 || **m > 0);
        all.extend(pairs.map(|(p, m)| {
            let p = p.clamp(1e-6, 1.0 - 1e-6);
            ((p / (1.0 - p)).ln(), f32::from(*m) / f32::from(*readers))
        }));
        Ok(())
    })?;
    Ok(all)
}

/// A volume case in its place in the patient.
pub(crate) fn volume(case: &Case) -> Result<Volume> {
    let [slices, rows, columns] = case.size;
    let fail = |reason: String| Error::Data { set: case.name.clone(), reason };
    let a = case.affine_lps.ok_or_else(|| fail("it has no place in the patient".into()))?;
    let column = |c: usize| glam::DVec3::new(a[0][c], a[1][c], a[2][c]);
    let matrix3 = glam::DMat3::from_cols(column(0), column(1), column(2));
    let affine = glam::DAffine3 { matrix3, translation: column(3) };
    let geometry = VolumeGeometry::new([columns, rows, slices], affine).map_err(|e| fail(e.to_string()))?;
    let mut volume = Volume::empty(geometry);
    let values = case.pixels.to_f32();
    for (z, plane) in values.chunks_exact(rows * columns).enumerate() {
        let frame = Frame::new(columns, rows, Samples::F32(plane.to_vec()), Rescale::default())
            .map_err(|e| fail(e.to_string()))?;
        volume.set_slice(z, Arc::new(frame)).map_err(|e| fail(e.to_string()))?;
    }
    Ok(volume)
}

/// Structures in volumes, at the volume's own voxels.
pub(super) fn volumes(model: &Model, set: &dyn Set, which: &[usize], how: How, cx: &RunCx<'_>) -> Result<Measured> {
    let card = model.card();
    let names: Vec<String> =
        card.labels.iter().map(|l| l.name.clone()).filter(|n| !crate::answer::is_background(n)).collect();
    let method = card.baseline.as_ref().map(|b| b.method).filter(|_| how.plain);
    let k = names.len();
    let (mut ours, mut theirs) = (vec![Vec::new(); k], vec![Vec::new(); k]);
    let (mut far, mut far_plain) = (Vec::new(), Vec::new());
    let mut out = Measured::default();
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    each(set, which, cx, |i, item, case| {
        let volume = volume(case)?;
        let spacing = volume.geometry().spacing_mm();
        let spacing = [spacing[2], spacing[1], spacing[0]];
        let [_, rows, columns] = case.size;
        let dense = |mask: &lightbox_core::Mask| -> Vec<bool> {
            (0..case.pixels.len()).map(|v| mask.get([v % columns, v / columns % rows, v / columns / rows])).collect()
        };
        let compare = |answer: crate::VolumeAnswer, to: &mut Vec<Vec<f64>>, far: &mut Vec<f64>| -> f64 {
            let (mut dices, mut distances) = (Vec::new(), Vec::new());
            for (l, (_, mask, _)) in answer.masks.iter().enumerate().take(k) {
                let (mask, truth) = (dense(mask), case.mask(l as u8 + 1));
                let dice = metrics::dice(&mask, &truth);
                to[l].push(dice);
                dices.push(dice);
                if how.draws > 0 {
                    // An empty answer is as far off as the volume is large.
                    let worst = (0..3).map(|a| (case.size[a] as f64 * spacing[a]).powi(2)).sum::<f64>().sqrt();
                    let found = metrics::hausdorff95_mm(&mask, &truth, case.size, spacing);
                    distances.push(found.unwrap_or(if dice == 1.0 { 0.0 } else { worst }));
                }
            }
            if !distances.is_empty() {
                far.push(distances.iter().sum::<f64>() / distances.len() as f64);
            }
            dices.iter().sum::<f64>() / dices.len().max(1) as f64
        };
        let dice = compare(model.segment_volume(&volume, &quiet)?, &mut ours, &mut far);
        out.persons.push(item.person.clone());
        out.by_case.push((i, dice));
        if method == Some(BaselineMethod::AtlasMean) {
            compare(model.atlas_volume(&volume)?, &mut theirs, &mut far_plain);
        }
        Ok(())
    })?;
    for (values, far, target) in [(&ours, &far, &mut out.metrics), (&theirs, &far_plain, &mut out.baseline)] {
        let n = values.first().map_or(0, Vec::len);
        if n == 0 {
            continue;
        }
        let both: Vec<f64> = (0..n).map(|c| values.iter().map(|v| v[c]).sum::<f64>() / k as f64).collect();
        target.insert("dice".into(), mean(&out.persons, &both, how.draws));
        for (name, values) in names.iter().zip(values) {
            target.insert(metric_name("dice", name), mean(&out.persons, values, how.draws));
        }
        if far.len() == n {
            target.insert("hd95_mm".into(), mean(&out.persons, far, how.draws));
        }
    }
    out.score = out.by_case.iter().map(|c| c.1).sum::<f64>() / out.by_case.len().max(1) as f64;
    Ok(out)
}
