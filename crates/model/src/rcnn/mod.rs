//! An R-CNN from a handful of boxes that a reader draws, in seconds: no gradient goes through the network.
//!
//! As in the paper (Girshick et al. 2014, section 2.3 and appendix C): features of regions are computed once; per label
//! a linear SVM ([`svm`]) with a search for hard negatives, positives being what was drawn and negatives what overlaps
//! it by less than 0.3; per label a ridge regression ([`ridge`]) from regions that overlap it by more than 0.6. With so
//! few boxes, copies that are a little off count as drawn too. Everything that shows a label has to be drawn: what is
//! not counts as background.

mod backbone;
mod recipe;
mod ridge;
mod svm;

pub use backbone::Backbone;
pub use recipe::{Drawing, Recipe, RecipeBox};

use crate::arch::detect::boxes::{Rect, clip, iou};
use crate::arch::detect::proposals::{Proposals, SEARCHED_PX};
use crate::arch::detect::rcnn::{CODER, Describer, Planes, RcnnConfig};
use crate::arch::{Architecture, Params, Tensors};
use crate::card::{Card, Fits, Label, Resize, Task};
use crate::prepare::{Picture, prepare};
use crate::{Error, Model, Result, RunCx, weights};
use candle_core::{Device, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::Path;
use std::time::Instant;

/// An object that the reader outlined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// `[x0, y0, x1, y1]` in pixels of the image, edges.
    pub rect: [f32; 4],
    /// Number of its label in [`Plan::labels`].
    pub label: usize,
}

/// An image with every object of the labels in it; none says that the image shows only background.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The image.
    pub picture: Picture,
    /// What it shows.
    pub boxes: Vec<Drawn>,
}

/// What the model is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Id of the model.
    pub id: String,
    /// A few words for a list.
    pub name: String,
    /// Licence of the weights.
    pub licence: String,
    /// What it finds.
    pub labels: Vec<String>,
    /// Which images the card allows.
    pub fits: Fits,
    /// How.
    pub settings: Settings,
}

/// How to train. What is left out fits the backbone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Side of the square that a region is warped to, in pixels.
    pub side_px: Option<usize>,
    /// What of it shows the surroundings, at each edge.
    pub context_px: Option<usize>,
    /// Layer of the backbone whose map is used.
    pub tap: Option<String>,
    /// Cells along rows and columns that the map is averaged to.
    pub cells: Option<usize>,
    /// Where objects may be.
    pub proposals: Proposals,
    /// Most regions of an image.
    pub most: usize,
    /// Of these, the most that are learnt from, spread over them; all where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_image: Option<usize>,
    /// Copies of each drawn box that are a little off.
    pub copies: usize,
    /// Weight of an error of the SVM.
    pub cost: f64,
    /// Penalty of the box regression.
    pub penalty: f64,
    /// Of the copies, and of the order in which the SVM sees examples.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            side_px: None,
            context_px: None,
            tap: None,
            cells: None,
            proposals: Proposals::default(),
            most: 300,
            per_image: None,
            copies: 16,
            // Ten times the paper's: a hard negative is seen once or twice among a handful of images.
            cost: 0.01,
            // The paper's.
            penalty: 1000.0,
            seed: 1,
        }
    }
}

/// What a training was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Images, boxes drawn, regions described.
    pub images: usize,
    /// Boxes drawn.
    pub boxes: usize,
    /// Regions that went through the backbone.
    pub regions: usize,
    /// Share of the drawn boxes that a proposal covers by half or more: no others can be found.
    pub covered: f64,
    /// Share of the drawn boxes that lie on their label's side of its border.
    pub recognised: f64,
    /// Rounds of the search for hard negatives, the longest of all labels.
    pub rounds: usize,
    /// Seconds in all.
    pub seconds: f64,
}

/// A model fresh from training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Its card; the hash is set when it is saved.
    pub card: Card,
    /// What the training was.
    pub report: Report,
    pub(crate) tensors: Tensors,
}

impl Trained {
    /// Ready to run.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn model(&self) -> Result<Model> {
        Model::from_tensors(self.card.clone(), self.tensors.clone())
    }

    /// Writes weights and card into a folder; [`crate::Store::keep`] puts them among the models instead.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`].
    pub fn save(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(Error::write(dir))?;
        let mut card = self.card.clone();
        card.sha256 = weights::write(&dir.join(crate::card::WEIGHTS_FILE), &self.tensors)?;
        crate::files::write_atomic(&dir.join(crate::card::CARD_FILE), card.to_toml()?.as_bytes())
    }
}

/// Overlap from which a region counts as the object.
const SAME: f32 = 0.7;
/// Overlap from which a region says something about the object's edges.
const NEAR: f32 = 0.6;
/// Overlap below which a region shows something else.
const OTHER: f32 = 0.3;
/// Mean length of the features, so that cost and penalty mean the same for every backbone.
const LENGTH: f64 = 20.0;
/// Most numbers that all regions together may be described by.
const LARGEST: usize = 1 << 28;
/// Most examples of a box regression.
const REGRESSED: usize = 1200;

/// A region of an example.
struct Region {
    example: usize,
    rect: Rect,
    /// Whether it was drawn or is a copy of what was.
    drawn: bool,
}

/// Trains.
///
/// # Errors
/// [`Error::Recipe`] where plan, boxes and backbone do not go together, [`Error::Image`] where an image and the backbone
/// do not; [`Error::Cancelled`].
pub fn train(examples: &[Example], backbone: &Backbone, plan: &Plan, cx: &RunCx<'_>) -> Result<Trained> {
    let clock = Instant::now();
    let mut card = card(examples, backbone, plan)?;
    let shown = |label: usize| examples.iter().flat_map(|e| &e.boxes).any(|b| b.label == label);
    if let Some(name) = plan.labels.iter().enumerate().find(|(i, _)| !shown(*i)).map(|(_, name)| name) {
        return Err(fault(format!("nothing was drawn for '{name}'")));
    }
    let of = |n: usize| Ok(Cow::Borrowed(&examples[n]));
    let (tensors, mut report) =
        learn(&card, backbone.named(), (examples.len(), &of), &plan.labels, &plan.settings, cx)?;
    report.seconds = clock.elapsed().as_secs_f64();
    let (boxes, images) = (report.boxes, report.images);
    card.limits.push(format!("Trained on {boxes} boxes in {images} images; measured on no others."));
    card.notes.insert("backbone".into(), backbone.name.clone());
    (cx.progress)(1.0, "Done");
    Ok(Trained { card, report, tensors })
}

/// Adds the heads for `labels` to a backbone's tensors (`backbone.*`) from examples that are read one by one; the report
/// is without its time.
pub(crate) fn learn<'a>(
    card: &Card,
    mut tensors: Tensors,
    (count, example): (usize, &dyn Fn(usize) -> Result<Cow<'a, Example>>),
    labels: &[String],
    settings: &Settings,
    cx: &RunCx<'_>,
) -> Result<(Tensors, Report)> {
    let Architecture::Rcnn(config) = &card.architecture else { return Err(fault("no R-CNN".into())) };
    let describer = Describer::new(&Params::of(&tensors), config)?;
    let mut random = StdRng::seed_from_u64(settings.seed);
    let (mut regions, mut values, mut truths) = (Vec::new(), Vec::new(), Vec::new());
    let (mut drawn, mut covered) = (0usize, 0usize);
    for n in 0..count {
        cx.check()?;
        (cx.progress)(0.9 * n as f32 / count as f32, "Describing regions");
        let example = example(n)?;
        let prepared = prepare(&example.picture, card)?;
        let image = Planes::of(&prepared.x)?;
        let truth = checked(&example, n, labels.len())?;
        let proposals = image.proposals(config);
        let [columns, rows] = image.size();
        let first = regions.len();
        for t in &truth {
            drawn += 1;
            covered += usize::from(proposals.iter().any(|p| iou(p, &t.rect) >= 0.5));
            regions.push(Region { example: n, rect: t.rect, drawn: true });
            for off in copies(&t.rect, settings.copies, &mut random) {
                let off = clip(&off, columns, rows);
                let overlap = iou(&off, &t.rect);
                regions.push(Region { example: n, rect: off, drawn: overlap >= SAME });
            }
        }
        let step = settings.per_image.map_or(1, |most| proposals.len().div_ceil(most.max(1)).max(1));
        let learnt = proposals.into_iter().step_by(step);
        regions.extend(learnt.map(|rect| Region { example: n, rect, drawn: false }));
        if regions.len().saturating_mul(config.features()) > LARGEST {
            return Err(fault("these images have more regions than fit into memory; learn from fewer of each".into()));
        }
        let rects: Vec<Rect> = regions[first..].iter().map(|r| r.rect).collect();
        values.extend(describer.describe(&image, &rects, cx)?);
        truths.push(truth);
    }
    (cx.progress)(0.9, "Parting objects from background");
    let scale = scaled(&mut values, config.features())?;
    let rows = svm::Rows { values: &values, width: config.features() };
    let heads: Vec<Head> = (0..labels.len())
        .map(|label| head(rows, &regions, &truths, (label, &labels[label]), settings, cx))
        .collect::<Result<_>>()?;
    let recognised = regions.iter().enumerate().filter(|(_, r)| r.drawn);
    let recognised = recognised.filter(|(i, r)| {
        let own = truths[r.example].iter().find(|t| t.rect == r.rect);
        own.is_some_and(|t| heads[t.label].svm.margin(rows.row(*i)) > 0.0)
    });
    let report = Report {
        images: count,
        boxes: drawn,
        regions: regions.len(),
        covered: covered as f64 / drawn.max(1) as f64,
        recognised: recognised.count() as f64 / drawn.max(1) as f64,
        rounds: heads.iter().map(|h| h.rounds).max().unwrap_or(0),
        seconds: 0.0,
    };
    add_heads(&mut tensors, &heads, scale, config.features())?;
    Ok((tensors, report))
}

fn fault(reason: String) -> Error {
    Error::Recipe { reason }
}

/// Sizes that regions may have, from those that were drawn: least and most of the longer side as fractions of the
/// image's, and the side at which the smallest still shows.
fn sizes(examples: &[Example]) -> ([f32; 2], usize) {
    /// Pixels of the smallest object where regions are searched.
    const SMALLEST_PX: f32 = 14.0;
    let drawn = examples.iter().flat_map(|e| {
        let longer = e.picture.columns.max(e.picture.rows).max(1) as f32;
        e.boxes.iter().map(move |b| (b.rect[2] - b.rect[0]).max(b.rect[3] - b.rect[1]) / longer)
    });
    let (low, high) =
        drawn.filter(|f| f.is_finite() && *f > 0.0).fold((1f32, 0f32), |(low, high), f| (low.min(f), high.max(f)));
    let high = if high > 0.0 { high } else { 1.0 };
    let searched = (SMALLEST_PX / low).ceil().clamp(SEARCHED_PX as f32, 480.0) as usize;
    // Others of the kind may be half or twice as large.
    ([low / 2.0, (high * 2.0).min(1.0)], searched)
}

fn card(examples: &[Example], backbone: &Backbone, plan: &Plan) -> Result<Card> {
    let s = &plan.settings;
    if plan.labels.is_empty() {
        return Err(fault("there is no label".into()));
    }
    let positive = |what: &str, v: f64| {
        if v.is_finite() && v > 0.0 { Ok(()) } else { Err(fault(format!("{what} is {v}, not a positive number"))) }
    };
    positive("cost", s.cost)?;
    positive("penalty", s.penalty)?;
    if s.copies > 200 {
        return Err(fault(format!("{} copies of a box are too many", s.copies)));
    }
    let defaults = &backbone.defaults;
    let (fractions, searched_px) = sizes(examples);
    let config = RcnnConfig {
        side_px: s.side_px.unwrap_or(defaults.side_px),
        context_px: s.context_px.unwrap_or(defaults.context_px),
        tap: s.tap.clone().unwrap_or_else(|| defaults.tap.clone()),
        cells: s.cells.unwrap_or(defaults.cells),
        proposals: s.proposals,
        searched_px,
        fractions,
        most: s.most,
        ..RcnnConfig::on(backbone.architecture.clone(), plan.labels.len())
    };
    let mut card = Card::stand_in(&plan.id);
    card.name.clone_from(&plan.name);
    card.summary = format!("Finds {} among regions of an image.", plan.labels.join(", "));
    card.task = Task::Detection;
    card.licence.clone_from(&plan.licence);
    card.sha256 = "0".repeat(64);
    card.limits = vec!["Not for diagnosis.".into()];
    card.architecture = Architecture::Rcnn(config);
    // Regions are warped out of the image as it is.
    card.input = crate::card::InputSpec { resize: Resize::Keep, ..backbone.input.clone() };
    card.labels = plan.labels.iter().map(|name| Label { name: name.clone(), threshold: 0.5, sides: None }).collect();
    card.post.activation = crate::card::Activation::None;
    card.fits = plan.fits.clone();
    card.check()?;
    Ok(card)
}

/// The boxes of an example, within the image.
fn checked(example: &Example, number: usize, labels: usize) -> Result<Vec<Drawn>> {
    let (columns, rows) = (example.picture.columns, example.picture.rows);
    example
        .boxes
        .iter()
        .map(|drawn| {
            let finite = drawn.rect.iter().all(|v| v.is_finite());
            let rect = if finite { clip(&drawn.rect, columns, rows) } else { [0.0; 4] };
            if rect[2] - rect[0] < 3.0 || rect[3] - rect[1] < 3.0 {
                let reason =
                    format!("the box {:?} on image {} is smaller than 3 x 3 pixels of it", drawn.rect, number + 1);
                return Err(fault(reason));
            }
            if drawn.label >= labels {
                return Err(fault(format!("a box on image {} has label {} of {labels}", number + 1, drawn.label)));
            }
            Ok(Drawn { rect, label: drawn.label })
        })
        .collect()
}

/// Boxes around a drawn one: two thirds a little off, the others so far that they show a part of it.
fn copies(b: &Rect, n: usize, random: &mut StdRng) -> Vec<Rect> {
    let (w, h) = (b[2] - b[0], b[3] - b[1]);
    (0..n)
        .map(|i| {
            let far = i % 3 == 2;
            let (shift, size) = if far { (0.9, 0.7) } else { (0.12, 0.18) };
            let mut signed = |most: f32| (random.random::<f32>() * 2.0 - 1.0) * most;
            let (cx, cy) = (b[0] + w * (0.5 + signed(shift)), b[1] + h * (0.5 + signed(shift)));
            let (w, h) = (w * signed(size).exp(), h * signed(size).exp());
            [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0]
        })
        .collect()
}

/// Brings the mean length of rows to [`LENGTH`]; gives the factor.
fn scaled(values: &mut [f32], width: usize) -> Result<f64> {
    let length = |row: &[f32]| row.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    let n = (values.len() / width.max(1)).max(1) as f64;
    let mean = values.chunks_exact(width.max(1)).map(length).sum::<f64>() / n;
    if !(mean.is_finite() && mean > 0.0) {
        return Err(fault("the backbone says the same of every region".into()));
    }
    let factor = LENGTH / mean;
    values.iter_mut().for_each(|v| *v = (f64::from(*v) * factor) as f32);
    Ok(factor)
}

/// What is trained for a label.
struct Head {
    svm: svm::Svm,
    regression: ridge::Ridge<4>,
    rounds: usize,
}

fn head(
    rows: svm::Rows<'_>,
    regions: &[Region],
    truths: &[Vec<Drawn>],
    (label, name): (usize, &str),
    s: &Settings,
    cx: &RunCx<'_>,
) -> Result<Head> {
    // The object of this label that a region shows best, and how well.
    let best = |r: &Region| {
        let own = truths[r.example].iter().filter(|t| t.label == label);
        own.map(|t| (iou(&r.rect, &t.rect), t.rect)).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, [0.0; 4]))
    };
    let (mut positives, mut negatives, mut near) = (Vec::new(), Vec::new(), Vec::new());
    for (i, region) in regions.iter().enumerate() {
        let (overlap, truth) = best(region);
        if overlap >= SAME && region.drawn {
            positives.push(i);
        }
        if overlap < OTHER {
            negatives.push(i);
        }
        if overlap > NEAR {
            near.push((overlap, i, truth));
        }
    }
    if negatives.is_empty() {
        let reason = "every region shows it; draw smaller boxes or add an image without it";
        return Err(fault(format!("'{name}' has no background: {reason}")));
    }
    let (svm, rounds) = svm::mine(rows, &positives, &negatives, s.cost, s.seed, cx)?;
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.truncate(REGRESSED);
    let chosen: Vec<usize> = near.iter().map(|(_, i, _)| *i).collect();
    let targets: Vec<[f64; 4]> =
        near.iter().map(|(_, i, truth)| CODER.encode(truth, &regions[*i].rect).map(f64::from)).collect();
    Ok(Head { svm, regression: ridge::solve(rows, &chosen, &targets, s.penalty), rounds })
}

/// The heads as tensors, for features of their own length.
fn add_heads(tensors: &mut Tensors, heads: &[Head], scale: f64, width: usize) -> Result<()> {
    let row = |w: &[f64]| w.iter().map(|w| (w * scale) as f32).collect::<Vec<f32>>();
    let mut add = |name: &str, weight: Vec<f32>, bias: Vec<f32>| -> Result<()> {
        let n = bias.len();
        tensors.insert(format!("{name}.weight"), Tensor::from_vec(weight, (n, width), &Device::Cpu)?);
        tensors.insert(format!("{name}.bias"), Tensor::from_vec(bias, n, &Device::Cpu)?);
        Ok(())
    };
    let of = |v: f64| v as f32;
    add(
        "svm",
        heads.iter().flat_map(|h| row(&h.svm.weight)).collect(),
        heads.iter().map(|h| of(h.svm.bias)).collect(),
    )?;
    let weight = heads.iter().flat_map(|h| h.regression.weight.iter().flat_map(|w| row(w)));
    add("regression", weight.collect(), heads.iter().flat_map(|h| h.regression.bias.map(of)).collect())
}
