//! From trained weights to a model: thresholds, temperature, gate, figures on the held-back persons, card and gallery.

use super::checkpoint::Progress;
use super::{Job, TrainReport, plain};
use crate::answer::picture_of;
use crate::arch::{Takes, Tensors};
use crate::card::{
    Activation, BaselineMethod, CARD_FILE, Calibration, Cost, Gate, Interval, OperatingPoint, Task, WEIGHTS_FILE,
};
use crate::data::case::{Set, Truth};
use crate::evaluate::{
    ClassRecord, Evaluation, How, MOST_RESTORED, Measured, add_outside, at_thresholds, draw_gallery, logits_and_shares,
    looked_at, measure, positive,
};
use crate::files::write_atomic;
use crate::run::RunCx;
use crate::{Card, Model, Result, metrics, trust, weights};
use std::path::Path;

/// Draws of the bootstrap in a card.
const DRAWS: usize = 1000;
/// Share of the validation cases that the gate lets pass.
const GATE_PASSES: f64 = 0.99;
/// How a card begins whose network is not worth its trouble.
const PLAIN_WINS: &str = "THE PLAIN METHOD WINS";
/// Watts that a core of a server is reckoned with.
const CORE_W: f64 = 10.0;

pub(super) fn finish(
    job: &Job<'_>,
    set: &dyn Set,
    root: &Path,
    out: &Path,
    mut tensors: Tensors,
    progress: &Progress,
    cx: &RunCx<'_>,
) -> Result<TrainReport> {
    let mut card = job.card.clone();
    if let Some(data) = &mut card.data {
        data.counts = Some(job.parts.counts);
    }
    (cx.progress)(0.95, "Choosing thresholds");
    tensors.extend(plain::tensors(job, cx)?);
    let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
    // As they will be read: a threshold belongs to the rounded weights.
    let path = out.join(WEIGHTS_FILE);
    let reread = |tensors: &Tensors| -> Result<(String, Tensors)> {
        let sha256 = weights::write_as(&path, tensors, job.recipe.training.half)?;
        let bytes = weights::read_checked(&job.card.id, &path, &sha256)?;
        Ok((sha256, weights::parse(&job.card.id, &bytes, &path, &candle_core::Device::Cpu)?))
    };
    let (_, mut tensors) = reread(&tensors)?;
    let model = Model::from_tensors(card.clone(), tensors.clone())?;
    let gate = gate(&model, job, &quiet)?;
    if let Some((_, extra)) = &gate {
        tensors.extend(extra.clone());
    }
    let validation = choose(&mut card, &tensors, set, job, &quiet)?;
    let (sha256, tensors) = reread(&tensors)?;
    card.sha256 = sha256;

    (cx.progress)(0.97, "Measuring on the held-back persons");
    let model = Model::from_tensors(card.clone(), tensors)?;
    let chosen = looked_at(set, &card, &job.parts.test, MOST_RESTORED);
    let mut measured = measure(&model, set, &chosen, How { plain: true, draws: DRAWS }, &quiet)?;
    add_outside(&model, root, &mut measured, DRAWS, &quiet)?;
    card.metrics = measured.metrics.clone();
    if let Some(baseline) = &mut card.baseline {
        baseline.metrics = measured.baseline.clone();
    }
    fill_atlas(&mut card, job, &model, &measured, progress, gate.map(|g| g.0), &quiet)?;
    if !progress.curve.rows.is_empty() {
        write_atomic(&out.join("curve.csv"), progress.curve.to_csv().as_bytes())?;
        write_atomic(&out.join("curve.png"), &progress.curve.to_png()?)?;
    }
    write_atomic(&out.join("gallery.png"), &draw_gallery(&model, set, &measured.by_case, &quiet)?)?;
    // The card last: a folder without one is no model.
    write_atomic(&out.join(CARD_FILE), card.to_toml()?.as_bytes())?;
    Ok(TrainReport {
        dir: out.to_owned(),
        sha256: card.sha256.clone(),
        steps: progress.steps,
        validation,
        evaluation: Evaluation {
            model: card.id.clone(),
            sha256: card.sha256.clone(),
            data: root.display().to_string(),
            cases: measured.persons.len(),
            metrics: measured.metrics,
            baseline: measured.baseline,
        },
    })
}

/// Sets threshold and temperature by the validation persons; the figure with them.
fn choose(card: &mut Card, tensors: &Tensors, set: &dyn Set, job: &Job<'_>, cx: &RunCx<'_>) -> Result<f64> {
    let how = How { plain: false, draws: 0 };
    let score = |card: &Card| -> Result<Measured> {
        measure(&Model::from_tensors(card.clone(), tensors.clone())?, set, &job.parts.validation, how, cx)
    };
    match card.task {
        Task::Segmentation if card.labels.len() == 1 => {
            // Two decimals: 0.05 steps in f32 would print as 0.45000002.
            let thresholds: Vec<f32> = (6..=14).map(|i| (i as f32 * 5.0).round() / 100.0).collect();
            if card.input.click {
                let model = Model::from_tensors(card.clone(), tensors.clone())?;
                let said = logits_and_shares(&model, set, &job.parts.validation, cx)?;
                card.post.temperature = (trust::temperature_of_shares(&said) * 100.0).round() as f32 / 100.0;
            }
            let model = Model::from_tensors(card.clone(), tensors.clone())?;
            let dices = at_thresholds(&model, set, &job.parts.validation, &thresholds, cx)?;
            let best = (0..dices.len()).max_by(|a, b| dices[*a].total_cmp(&dices[*b])).unwrap_or(0);
            card.labels[0].threshold = thresholds[best];
            Ok(dices[best])
        }
        Task::Classification => {
            let found = score(card)?;
            let softmax = card.post.activation == Activation::Softmax;
            if softmax {
                let said: Vec<(&[f32], usize)> = found.classes.iter().map(|r| (r.logits.as_slice(), r.truth)).collect();
                card.post.temperature = (trust::temperature(&said) * 100.0).round() as f32 / 100.0;
            }
            let found = score(card)?;
            let threshold = youden(&found.classes);
            card.labels[0].threshold = (((1.0 - threshold) * 100.0).round() / 100.0).clamp(0.01, 0.99) as f32;
            Ok(found.score)
        }
        _ => {
            let few = looked_at(set, card, &job.parts.validation, MOST_RESTORED / 4);
            Ok(measure(&Model::from_tensors(card.clone(), tensors.clone())?, set, &few, how, cx)?.score)
        }
    }
}

/// The probability of "not the first class" at which sensitivity and specificity sum to the most (Youden 1950).
fn youden(said: &[ClassRecord]) -> f64 {
    let at = |t: f64| {
        let (mut hit, mut sick, mut left, mut well) = (0.0, 0.0, 0.0, 0.0);
        for r in said {
            let flagged = positive(&r.probabilities) > t;
            if r.truth > 0 {
                sick += 1.0;
                hit += f64::from(u8::from(flagged));
            } else {
                well += 1.0;
                left += f64::from(u8::from(!flagged));
            }
        }
        hit / f64::max(sick, 1.0) + left / f64::max(well, 1.0)
    };
    (1..100).map(|i| f64::from(i) / 100.0).fold((0.5, 0.0), |best, t| if at(t) > best.1 { (t, at(t)) } else { best }).0
}

/// The gate's numbers and tensors, where the network offers features or is an autoencoder.
fn gate(model: &Model, job: &Job<'_>, cx: &RunCx<'_>) -> Result<Option<(Gate, Tensors)>> {
    let card = model.card();
    if card.input.click || matches!(card.architecture.takes(), Takes::Volume(_) | Takes::Latent(_)) {
        return Ok(None);
    }
    let restores = card.task == Task::Reconstruction;
    if restores && card.data.as_ref().is_some_and(|d| d.degrade.is_some_and(|g| g != crate::degrade::Degrade::None)) {
        return Ok(None);
    }
    let few = |part: &[usize], most: usize| -> Vec<usize> {
        part.iter().copied().step_by(part.len().div_ceil(most).max(1)).collect()
    };
    let mut extra = Tensors::new();
    let mut features = None;
    let measure = if restores { "reconstruction-error" } else { "feature-distance" };
    if !restores {
        let mut rows = Vec::new();
        for chunk in few(&job.parts.train, 400).chunks(64) {
            for case in job.cache.get(chunk)? {
                match model.pooled_features(&picture_of(&case), cx)? {
                    Some(row) => {
                        let class = if let Truth::Class(class) = case.truth { class } else { 0 };
                        rows.push((row, class));
                    }
                    None => return Ok(None),
                }
            }
        }
        let fit = trust::FeatureGate::fit(&rows);
        extra = fit.tensors()?;
        features = Some(fit);
    }
    let mut scores = Vec::new();
    // Of the kind that was trained on: an autoencoder of the normal lets the normal pass.
    let only = job.recipe.data.only_class;
    for chunk in few(&job.parts.validation, 400).chunks(64) {
        for (i, case) in chunk.iter().zip(job.cache.get(chunk)?) {
            if only.is_none_or(|c| job.cache.set().items()[*i].class == Some(c)) {
                let picture = picture_of(&case);
                scores.push(match &features {
                    Some(fit) => fit.distance(&model.pooled_features(&picture, cx)?.unwrap_or_default()),
                    None => model.reconstruction_error(&picture, cx)?,
                });
            }
        }
    }
    scores.sort_by(f64::total_cmp);
    let at = ((scores.len().max(1) - 1) as f64 * GATE_PASSES).round() as usize;
    let threshold = scores.get(at).copied().unwrap_or(0.0);
    Ok(Some((Gate { measure: measure.into(), threshold, accepted: 0.0 }, extra)))
}

fn fill_atlas(
    card: &mut Card,
    job: &Job<'_>,
    model: &Model,
    measured: &Measured,
    progress: &Progress,
    gate: Option<Gate>,
    cx: &RunCx<'_>,
) -> Result<()> {
    let mut atlas = card.atlas.clone().unwrap_or_default();
    atlas.verdict = verdict(card, measured);
    for (name, goal) in &job.recipe.goals {
        if let Some(found) = measured.metrics.get(name).filter(|m| m.value < *goal) {
            atlas.verdict.push_str(&format!(" It misses its goal: {name} {:.3}, not {goal}.", found.value));
        }
    }
    if atlas.verdict.starts_with(PLAIN_WINS) {
        // In the card's first lines, where nobody overlooks it.
        card.summary = format!("{} {}", atlas.verdict, card.summary);
    } else if let Some(lost) = lost_beside(measured) {
        card.summary = format!("{lost} {}", card.summary);
        atlas.verdict.push_str(&format!(" {lost}"));
    }
    let persons: Vec<&str> = measured.persons.iter().map(String::as_str).collect();
    if let (Some(ece), false) = (measured.metrics.get("ece"), measured.classes.is_empty()) {
        let softmax = |r: &ClassRecord| (crate::arch::detect::boxes::softmax(&r.logits), r.truth);
        let pairs = |f: &dyn Fn(&ClassRecord) -> (Vec<f32>, usize)| {
            metrics::reliability(measured.classes.iter().map(|r| crate::evaluate::confidence(&f(r))))
        };
        atlas.calibration = Some(Calibration {
            temperature: f64::from(card.post.temperature),
            ece: *ece,
            ece_before: metrics::ece(&pairs(&softmax)),
            reliability: pairs(&|r| (r.probabilities.clone(), r.truth)),
        });
        let balanced = 1.0 - f64::from(card.labels[0].threshold);
        for (name, threshold) in [("balanced (Youden, validation)", balanced), ("sensitive", balanced / 4.0)] {
            let share = |sick: bool| -> Interval {
                metrics::bootstrap(&persons, DRAWS, |drawn| {
                    let chosen: Vec<&ClassRecord> =
                        drawn.iter().map(|i| &measured.classes[*i]).filter(|r| (r.truth > 0) == sick).collect();
                    let right = chosen.iter().filter(|r| (positive(&r.probabilities) > threshold) == sick).count();
                    right as f64 / chosen.len() as f64
                })
            };
            let (sensitivity, specificity) = (share(true), share(false));
            atlas.operating_points.push(OperatingPoint { name: name.into(), threshold, sensitivity, specificity });
        }
    } else if let (Some(ece), false) = (measured.metrics.get("ece"), measured.reliability.is_empty()) {
        atlas.calibration = Some(Calibration {
            temperature: f64::from(card.post.temperature),
            ece: *ece,
            ece_before: ece.value,
            reliability: measured.reliability.clone(),
        });
    }
    if let Some(mut gate) = gate {
        let (mut below, mut n) = (0.0, 0.0);
        for chunk in job.parts.test.chunks(64) {
            for case in job.cache.get(chunk)? {
                if let Some(score) = model.ood_score(&picture_of(&case), cx)? {
                    n += 1.0;
                    below += f64::from(u8::from(score <= gate.threshold));
                }
            }
        }
        gate.accepted = below / f64::max(n, 1.0);
        atlas.gate = Some(gate);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let minutes = (progress.seconds / 6.0).round() / 10.0;
    atlas.training = Some(Cost {
        minutes,
        machine: format!("{cores} cores, {:?}", lightbox_kernels::isa::current()).to_lowercase(),
        energy_wh: (minutes / 60.0 * CORE_W * cores as f64 * 10.0).round() / 10.0,
        steps: progress.steps,
    });
    card.atlas = Some(atlas);
    Ok(())
}

/// Where the plain method is ahead by another figure than the one that the verdict goes by.
fn lost_beside(measured: &Measured) -> Option<String> {
    [("accuracy", "accuracy of all classes"), ("ssim", "SSIM")].into_iter().find_map(|(name, said)| {
        let (ours, theirs) = (measured.metrics.get(name)?, measured.baseline.get(name)?);
        let lost = ours.value < theirs.value;
        lost.then(|| format!("{PLAIN_WINS} by {said}: {:.3} against {:.3} for the network.", theirs.value, ours.value))
    })
}

/// Whether the plain method is beaten, with both figures.
fn verdict(card: &Card, measured: &Measured) -> String {
    let name = ["dice", "auc", "psnr_db", "ap50", "distance", "frechet"]
        .into_iter()
        .find(|n| measured.metrics.contains_key(*n) && measured.baseline.contains_key(*n));
    let Some(name) = name else { return "No plain method was measured beside it.".into() };
    let (ours, theirs) = (measured.metrics[name], measured.baseline[name]);
    let method = match card.baseline.as_ref().map(|b| b.method) {
        Some(BaselineMethod::OtsuDark) => "threshold and morphology",
        Some(BaselineMethod::MeanMask) => "the mean mask",
        Some(BaselineMethod::LogisticTexture) => "logistic regression on intensity and texture",
        Some(BaselineMethod::OtsuClick) => "Otsu's component at the click",
        Some(BaselineMethod::AtlasMean) => "the mean of the training labels",
        Some(BaselineMethod::BicubicOrNonLocalMeans) => "bicubic enlargement or non-local means",
        Some(BaselineMethod::FilteredBackProjection) => "filtered back-projection or non-local means",
        Some(BaselineMethod::SlabMean) => "the slab mean",
        Some(BaselineMethod::PrincipalComponents) => "principal components",
        Some(BaselineMethod::ComponentSampling) => "draws along principal components",
        Some(BaselineMethod::BrightestBlob) => "the brightest blob",
        Some(BaselineMethod::Ngram) => "an n-gram",
        Some(BaselineMethod::WordFrequency) => "word frequencies",
        Some(BaselineMethod::Bm25) => "BM25",
        None => "the plain method",
    };
    // Of a distance, less is better.
    let (clear, ahead) = if matches!(name, "distance" | "frechet") {
        (ours.high < theirs.low, ours.value < theirs.value)
    } else {
        (ours.low > theirs.high, ours.value > theirs.value)
    };
    let says = if clear {
        "The network beats the plain method"
    } else if ahead {
        "The network is ahead of the plain method, but the intervals touch"
    } else {
        PLAIN_WINS
    };
    format!("{says}: {name} {:.3} against {:.3} for {method}.", ours.value, theirs.value)
}
