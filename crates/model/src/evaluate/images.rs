//! Restored images against the truth, and reconstruction errors as a sign of what is not normal.

use super::{How, Measured, each, mean};
use crate::answer::picture_of;
use crate::card::BaselineMethod;
use crate::data::case::{Case, Pixels, Set, Truth};
use crate::degrade::{Degrade, bicubic, non_local_means};
use crate::image::{percentiles, resize};
use crate::run::RunCx;
use crate::{Error, Model, Result, metrics, plain};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// HU that become 0 and 1.
const HU: [f32; 2] = [-1000.0, 1000.0];

/// A case's values from 0 to 1: 8-bit grey by 255, HU from -1000 to 1000, others by their 99.5th percentile.
pub(crate) fn unit(case: &Case) -> Vec<f32> {
    let mut values = case.pixels.to_f32();
    match &case.pixels {
        Pixels::U8(_) => values.iter_mut().for_each(|v| *v /= 255.0),
        Pixels::I16(_) => values.iter_mut().for_each(|v| *v = (*v - HU[0]) / (HU[1] - HU[0])),
        Pixels::F32(_) => {
            let (_, top) = percentiles(&values, 0.0, 0.995);
            values.iter_mut().for_each(|v| *v = (*v / top.max(1e-6)).clamp(0.0, 1.5));
        }
    }
    values
}

/// The image made worse, both from 0 to 1.
pub(crate) fn worse(degrade: &Degrade, case: &Case, values: &[f32], columns: usize, random: &mut StdRng) -> Vec<f32> {
    if matches!(degrade, Degrade::LowDose { .. }) && matches!(case.pixels, Pixels::I16(_)) {
        let hu: Vec<f32> = values.iter().map(|v| HU[0] + v * (HU[1] - HU[0])).collect();
        let noisy = degrade.apply(&hu, columns, random);
        return noisy.into_iter().map(|v| (v - HU[0]) / (HU[1] - HU[0])).collect();
    }
    degrade.apply(values, columns, random)
}

/// `count` neighbour slices round slice `z` of a volume case, noisy, and the clean one; values from 0 to 1.
///
/// # Shapes
/// `[count][rows * columns]` and `[rows * columns]`; slices beyond the volume repeat its border.
pub(crate) fn slab_planes(
    case: &Case,
    values: &[f32],
    z: usize,
    count: usize,
    noise: f32,
    random: &mut StdRng,
) -> (Vec<Vec<f32>>, Vec<f32>) {
    let [slices, rows, columns] = case.size;
    let plane = |z: usize| &values[z * rows * columns..][..rows * columns];
    let degrade = Degrade::Slab { slices: count, noise };
    let all = (0..count)
        .map(|k| {
            let at = (z as i64 + k as i64 - (count / 2) as i64).clamp(0, slices as i64 - 1) as usize;
            degrade.apply(plane(at), columns, random)
        })
        .collect();
    (all, plane(z).to_vec())
}

pub(super) fn measure(model: &Model, set: &dyn Set, which: &[usize], how: How, cx: &RunCx<'_>) -> Result<Measured> {
    let Some(data) = &model.card().data else { return Ok(Measured::default()) };
    match data.degrade {
        None | Some(Degrade::None) => anomaly(model, set, which, how, cx),
        Some(degrade) => restoration(model, set, which, how, degrade, cx),
    }
}

/// The worse image, the truth, and what the plain method makes of it (the candidates of which the better counts).
struct Pair {
    input: Vec<Vec<f32>>,
    truth: Vec<f32>,
    columns: usize,
    plain: Vec<Vec<f32>>,
}

fn pairs(degrade: Degrade, case: &Case, seed: u64, with_plain: bool) -> Vec<Pair> {
    let values = unit(case);
    let [slices, rows, columns] = case.size;
    let mut random = StdRng::seed_from_u64(seed);
    if let Degrade::Slab { slices: count, noise } = degrade {
        return [1, 2, 3]
            .map(|q| {
                let (input, truth) = slab_planes(case, &values, q * slices / 4, count, noise, &mut random);
                let mean = (0..truth.len()).map(|i| input.iter().map(|p| p[i]).sum::<f32>() / count as f32).collect();
                Pair { input, truth, columns, plain: if with_plain { vec![mean] } else { Vec::new() } }
            })
            .into();
    }
    let input = worse(&degrade, case, &values, columns, &mut random);
    let mut plain = Vec::new();
    if with_plain {
        match degrade {
            Degrade::HalfAndNoise { noise } => {
                plain.push(input.clone());
                // Non-local means where the noise is white: on the small image. The same noise as the input's.
                let mut again = StdRng::seed_from_u64(seed);
                let (w, h) = ((columns / 2).max(1), (rows / 2).max(1));
                let mut small = resize(&values, columns, rows, w, h);
                small.iter_mut().for_each(|v| *v += noise * crate::degrade::normal(&mut again));
                plain.push(bicubic(&non_local_means(&small, w, noise), w, h, columns, rows));
            }
            _ => {
                plain.push(input.clone());
                plain.push(non_local_means(&input, columns, noise_of(&input, columns)));
            }
        }
    }
    vec![Pair { input: vec![input], truth: values, columns, plain }]
}

/// Deviation of an image's noise from its second differences (Immerkaer 1996).
fn noise_of(values: &[f32], columns: usize) -> f32 {
    let rows = values.len() / columns.max(1);
    let (mut sum, mut n) = (0.0, 0.0);
    for y in 1..rows.saturating_sub(1) {
        for x in 1..columns.saturating_sub(1) {
            let i = y * columns + x;
            let at = |dy: i64, dx: i64| values[(i as i64 + dy * columns as i64 + dx) as usize];
            let corner = at(-1, -1) + at(-1, 1) + at(1, -1) + at(1, 1);
            let edge = at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1);
            sum += (corner - 2.0 * edge + 4.0 * values[i]).abs();
            n += 1.0;
        }
    }
    (std::f32::consts::PI / 2.0).sqrt() * sum / (6.0 * f32::max(n, 1.0))
}

fn restoration(
    model: &Model,
    set: &dyn Set,
    which: &[usize],
    how: How,
    degrade: Degrade,
    cx: &RunCx<'_>,
) -> Result<Measured> {
    let mut out = Measured::default();
    let mut ours: Vec<[f64; 2]> = Vec::new();
    let mut theirs: Vec<Vec<[f64; 2]>> = vec![Vec::new(); 2];
    each(set, which, cx, |i, item, case| {
        let all = pairs(degrade, case, i as u64, how.plain);
        let n = all.len() as f64;
        let compare = |image: &[f32], pair: &Pair| {
            let clipped: Vec<f32> = image.iter().map(|v| v.clamp(0.0, 1.0)).collect();
            let truth: Vec<f32> = pair.truth.iter().map(|v| v.clamp(0.0, 1.0)).collect();
            [metrics::psnr_db(&clipped, &truth), metrics::ssim(&clipped, &truth, pair.columns)]
        };
        let mut sum = [0.0; 2];
        let mut sums = [[0.0; 2]; 2];
        for pair in &all {
            let restored = model.restore_planes(&pair.input, pair.columns, cx)?;
            let one = compare(&restored, pair);
            sum = [sum[0] + one[0] / n, sum[1] + one[1] / n];
            for (s, plain) in sums.iter_mut().zip(&pair.plain) {
                let one = compare(plain, pair);
                *s = [s[0] + one[0] / n, s[1] + one[1] / n];
            }
        }
        ours.push(sum);
        for (p, t) in theirs.iter_mut().enumerate().take(all.first().map_or(0, |a| a.plain.len())) {
            t.push(sums[p]);
        }
        out.persons.push(item.person.clone());
        out.by_case.push((i, sum[0]));
        Ok(())
    })?;
    let column = |v: &[[f64; 2]], k: usize| v.iter().map(|v| v[k]).collect::<Vec<f64>>();
    out.metrics.insert("psnr_db".into(), mean(&out.persons, &column(&ours, 0), how.draws));
    out.metrics.insert("ssim".into(), mean(&out.persons, &column(&ours, 1), how.draws));
    // Each figure against the better of the plain methods.
    for (k, name) in ["psnr_db", "ssim"].into_iter().enumerate() {
        let best = theirs
            .iter()
            .filter(|t| !t.is_empty())
            .map(|t| mean(&out.persons, &column(t, k), how.draws))
            .max_by(|a, b| a.value.total_cmp(&b.value));
        if let Some(best) = best {
            out.baseline.insert(name.into(), best);
        }
    }
    out.score = out.metrics["psnr_db"].value;
    Ok(out)
}

/// What went into the network and what came out, 0 to 1, with the width of both; `None` where nothing is restored.
pub(super) fn before_and_after(
    model: &Model,
    case: &Case,
    number: usize,
    cx: &RunCx<'_>,
) -> Result<Option<((Vec<f32>, usize), Vec<f32>)>> {
    let degrade = model.card().data.as_ref().and_then(|d| d.degrade).unwrap_or(Degrade::None);
    if degrade == Degrade::None {
        let x = crate::prepare::prepare(&picture_of(case), model.card())?.x;
        let y = model.network().forward(&x, cx)?;
        let columns = x.dim(3)?;
        let scaled = |t: candle_core::Tensor| -> Result<Vec<f32>> {
            // From about -2 to 2 standard deviations.
            Ok(t.flatten_all()?.to_vec1::<f32>()?.into_iter().map(|v| 0.5 + v / 4.0).collect())
        };
        return Ok(Some(((scaled(x)?, columns), scaled(y)?)));
    }
    let Some(pair) = pairs(degrade, case, number as u64, false).into_iter().next() else { return Ok(None) };
    let after = model.restore_planes(&pair.input, pair.columns, cx)?;
    let middle = pair.input.len() / 2;
    Ok(pair.input.into_iter().nth(middle).map(|before| ((before, pair.columns), after)))
}

/// Side of the images whose components are the plain method.
pub(crate) const COMPONENT_SIDE: usize = 32;

/// An image for principal components: small, mean 0, deviation 1.
pub(crate) fn component_row(case: &Case) -> Vec<f32> {
    let [_, rows, columns] = case.size;
    let mut v = resize(&case.pixels.to_f32(), columns, rows, COMPONENT_SIDE, COMPONENT_SIDE);
    crate::image::normalise(&mut v, &crate::card::InputSpec::default());
    v
}

/// Mean squared difference of two images.
fn difference(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len().max(1) as f64
}

fn anomaly(model: &Model, set: &dyn Set, which: &[usize], how: How, cx: &RunCx<'_>) -> Result<Measured> {
    let card = model.card();
    let components = match card.baseline.as_ref().map(|b| b.method) {
        Some(BaselineMethod::PrincipalComponents) if how.plain => {
            Some(plain::Components::of_tensors(&card.id, model.extras())?)
        }
        _ => None,
    };
    let mut out = Measured::default();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut error, mut normals) = (0.0, 0.0);
    each(set, which, cx, |i, item, case| {
        let Truth::Class(truth) = case.truth else {
            return Err(Error::Data { set: set.name().into(), reason: format!("no class is told: {}", case.name) });
        };
        let score = model.reconstruction_error(&picture_of(case), cx)?;
        if truth == 0 {
            error += score;
            normals += 1.0;
        }
        ours.push((score, truth > 0));
        out.persons.push(item.person.clone());
        // The worst are normal images with a large error and others with a small one.
        out.by_case.push((i, if truth > 0 { score } else { -score }));
        if let Some(components) = &components {
            let row = component_row(case);
            theirs.push((difference(&components.reconstruct(&row), &row), truth > 0));
        }
        Ok(())
    })?;
    let persons: Vec<&str> = out.persons.iter().map(String::as_str).collect();
    for (scored, target) in [(&ours, &mut out.metrics), (&theirs, &mut out.baseline)] {
        if !scored.is_empty() {
            let area = |d: &[usize]| metrics::auc(&d.iter().map(|i| scored[*i]).collect::<Vec<_>>());
            target.insert("auc".into(), metrics::bootstrap(&persons, how.draws, area));
        }
    }
    // Chosen by how well normal images come back, for of others a training on normals knows nothing.
    out.score = -error / f64::max(normals, 1.0);
    Ok(out)
}
