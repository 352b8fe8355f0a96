//! R-CNN (Girshick et al. 2014): regions of selective search, each warped to a square, features of a classifier,
//! one linear SVM and one box regression per label.
//!
//! Layout, this project's own: `backbone.*` as the backbone's family names its tensors, `svm.{weight,bias}` (a row per
//! label), `regression.{weight,bias}` (four rows per label: shifts in widths and heights, logarithms of sizes). There
//! is no label for the background. [`crate::rcnn`] trains the last two from boxes that a reader draws.

use super::boxes::{self, Coder, Rect};
use super::proposals::{Proposals, SEARCHED_PX};
use super::warp::warp;
use crate::arch::layers::ops;
use crate::arch::net::{Detections, Net, Output, Pass, channels, within};
use crate::arch::params::Params;
use crate::arch::{Answer, Architecture};
use crate::{Error, Result, RunCx};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The free numbers of an R-CNN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RcnnConfig {
    /// Labels; the background is none.
    pub outputs: usize,
    /// Side of the square that a region is warped to, in pixels; 227 in the paper.
    #[serde(default = "side")]
    pub side_px: usize,
    /// What of it shows the surroundings, at each edge; 16 in the paper.
    #[serde(default = "sixteen")]
    pub context_px: usize,
    /// Layer of the backbone whose map is used, by the name of the published network.
    #[serde(default = "features")]
    pub tap: String,
    /// The map is averaged to so many cells along rows and columns.
    #[serde(default = "one")]
    pub cells: usize,
    /// Where objects may be.
    #[serde(default)]
    pub proposals: Proposals,
    /// Longer side in pixels at which regions are searched.
    #[serde(default = "searched")]
    pub searched_px: usize,
    /// Least and most that the longer side of a region may be, as fractions of the image's.
    #[serde(default = "any_size")]
    pub fractions: [f32; 2],
    /// Most regions of an image; 2000 in the paper.
    #[serde(default = "most")]
    pub most: usize,
    /// Smallest score of a result; 0.5 is the SVM's border.
    #[serde(default = "score")]
    pub score: f32,
    /// Overlap above which the worse of two boxes of one label falls.
    #[serde(default = "iou")]
    pub iou: f32,
    /// Most boxes of an image.
    #[serde(default = "hundred")]
    pub boxes: usize,
    /// The classifier whose features are used: `resnet`, `vgg`, `densenet`, `googlenet` or `inception-v3`.
    pub backbone: Box<Architecture>,
}

fn side() -> usize {
    227
}
fn sixteen() -> usize {
    16
}
fn features() -> String {
    "features".to_owned()
}
fn one() -> usize {
    1
}
fn searched() -> usize {
    SEARCHED_PX
}
fn any_size() -> [f32; 2] {
    [0.0, 1.0]
}
fn most() -> usize {
    2000
}
fn score() -> f32 {
    0.3
}
fn iou() -> f32 {
    0.3
}
fn hundred() -> usize {
    100
}

impl RcnnConfig {
    /// The paper's numbers on a backbone.
    #[must_use]
    pub fn on(backbone: Architecture, outputs: usize) -> Self {
        Self {
            outputs,
            side_px: side(),
            context_px: sixteen(),
            tap: features(),
            cells: one(),
            proposals: Proposals::default(),
            searched_px: searched(),
            fractions: any_size(),
            most: most(),
            score: score(),
            iou: iou(),
            boxes: hundred(),
            backbone: Box::new(backbone),
        }
    }

    /// Numbers that describe a region.
    pub(crate) fn features(&self) -> usize {
        self.backbone.tap_channels(&self.tap).unwrap_or(0) * self.cells * self.cells
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        within("outputs", self.outputs, 1, 1000)?;
        within("side_px", self.side_px, 16, 512)?;
        within("context_px", self.context_px, 0, self.side_px / 4)?;
        within("cells", self.cells, 1, 8)?;
        within("searched_px", self.searched_px, 32, 640)?;
        within("most", self.most, 1, 10_000)?;
        within("boxes", self.boxes, 1, 10_000)?;
        if !(0.0..=1.0).contains(&self.score) || !(0.0..=1.0).contains(&self.iou) {
            return Err("score or iou is not between 0 and 1".into());
        }
        let [low, high] = self.fractions;
        if !(0.0 <= low && low < high && high <= 1.0) {
            return Err("fractions are not two parts of an image in ascending order".into());
        }
        if self.backbone.answers() != Answer::Classes {
            return Err(format!("its backbone is {}, which is no classifier", self.backbone.name()));
        }
        self.backbone.check(self.side_px, self.side_px).map_err(|reason| format!("its backbone: {reason}"))?;
        if self.features() == 0 {
            return Err(format!("its backbone {} has no layer '{}'", self.backbone.name(), self.tap));
        }
        within("the number of features", self.features(), 1, 1 << 16)
    }
}

/// A backbone that describes regions.
pub(crate) struct Describer {
    config: RcnnConfig,
    backbone: Box<dyn Net>,
}

/// Regions that go through the backbone together.
const BATCH: usize = 16;

/// The network's input as planes, with the mean of each.
pub(crate) struct Planes {
    planes: Vec<(Vec<f32>, f32)>,
    columns: usize,
    rows: usize,
}

impl Planes {
    /// `x`: `[1, channels, rows, columns]`.
    pub(crate) fn of(x: &Tensor) -> Result<Self> {
        let (_, channels, rows, columns) = x.dims4()?;
        let planes = (0..channels)
            .map(|c| {
                let values: Vec<f32> = x.get(0)?.get(c)?.flatten_all()?.to_vec1()?;
                let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64;
                Ok((values, mean as f32))
            })
            .collect::<Result<_>>()?;
        Ok(Self { planes, columns, rows })
    }

    /// Width and height.
    pub(crate) fn size(&self) -> [usize; 2] {
        [self.columns, self.rows]
    }

    /// Where objects may be.
    pub(crate) fn proposals(&self, config: &RcnnConfig) -> Vec<Rect> {
        let n = self.planes.len().max(1) as f32;
        let mut grey = vec![0f32; self.columns * self.rows];
        for (plane, _) in &self.planes {
            grey.iter_mut().zip(plane).for_each(|(g, v)| *g += v / n);
        }
        config.proposals.find_sized(&grey, self.size(), config.searched_px, config.fractions, config.most)
    }
}

impl Describer {
    pub(crate) fn new(p: &Params<'_>, config: &RcnnConfig) -> Result<Self> {
        Ok(Self { config: config.clone(), backbone: config.backbone.net(&p.at("backbone"))? })
    }

    /// What describes each region.
    ///
    /// # Shapes
    /// Result: `[regions * features]`
    pub(crate) fn describe(&self, image: &Planes, regions: &[Rect], cx: &RunCx<'_>) -> Result<Vec<f32>> {
        let (c, side) = (&self.config, self.config.side_px);
        let mut all = Vec::with_capacity(regions.len() * c.features());
        for batch in regions.chunks(BATCH) {
            cx.check()?;
            let crops: Vec<Vec<f32>> = batch
                .par_iter()
                .flat_map_iter(|b| {
                    image.planes.iter().map(|(plane, mean)| warp(plane, image.size(), b, side, c.context_px, *mean))
                })
                .collect();
            let x = Tensor::from_vec(crops.concat(), (batch.len(), image.planes.len(), side, side), &Device::Cpu)?;
            let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
            let mut pass = Pass::up_to(quiet, &c.tap);
            let done = self.backbone.forward(&x, &mut pass);
            let Some(map) = pass.kept().get(&c.tap) else {
                done?;
                return Err(Error::Image { reason: format!("the backbone has no layer '{}'", c.tap) });
            };
            let map = ops::adaptive_average(map, c.cells, c.cells)?;
            all.extend(map.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(all)
    }
}

/// The network.
pub(crate) struct Rcnn {
    describer: Describer,
    /// A row of weights per label, and its bias.
    svm: (Tensor, Vec<f32>),
    regression: (Tensor, Vec<f32>),
}

/// Shifts and sizes are regressed as they are.
pub(crate) const CODER: Coder = Coder { weights: [1.0; 4] };

/// A margin as a score between 0 and 1: 0.5 on the border, 0.88 where a training example has to lie.
pub(crate) fn score_of(margin: f32) -> f32 {
    boxes::sigmoid(2.0 * margin)
}

impl Rcnn {
    pub(crate) fn new(p: &Params<'_>, config: &RcnnConfig) -> Result<Self> {
        let (n, k) = (config.features(), config.outputs);
        let describer = Describer::new(p, config)?;
        let layer = |name: &str, rows: usize| -> Result<(Tensor, Tensor)> {
            let q = p.at(name);
            Ok((q.get("weight", &[rows, n])?, q.get("bias", &[rows])?))
        };
        let (svm, regression) = (layer("svm", k)?, layer("regression", 4 * k)?);
        let plain = |(weight, bias): (Tensor, Tensor)| -> Result<(Tensor, Vec<f32>)> {
            if p.is_listing() { Ok((weight, Vec::new())) } else { Ok((weight, bias.to_vec1()?)) }
        };
        Ok(Self { describer, svm: plain(svm)?, regression: plain(regression)? })
    }

    fn rows(&self, x: &Tensor, (weight, bias): &(Tensor, Vec<f32>)) -> Result<Vec<Vec<f32>>> {
        let bias = Tensor::from_slice(bias, bias.len(), &Device::Cpu)?;
        Ok(ops::linear(x, weight, Some(&bias))?.to_vec2()?)
    }

    fn one(&self, x: &Tensor, given: Option<&[Rect]>, pass: &mut Pass<'_>) -> Result<Detections> {
        let config = &self.describer.config;
        channels(x, config.backbone.inputs())?;
        let image = Planes::of(x)?;
        let [columns, rows] = image.size();
        let regions = given.map_or_else(|| image.proposals(config), <[Rect]>::to_vec);
        if regions.is_empty() {
            return Ok(Detections::default());
        }
        let described = self.describer.describe(&image, &regions, pass.cx())?;
        let described = Tensor::from_vec(described, (regions.len(), config.features()), &Device::Cpu)?;
        pass.tap("described", &described)?;
        let (margins, codes) = (self.rows(&described, &self.svm)?, self.rows(&described, &self.regression)?);
        let (mut all, mut scores, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for ((region, margins), codes) in regions.iter().zip(&margins).zip(&codes) {
            for (label, margin) in margins.iter().enumerate() {
                let score = score_of(*margin);
                let b = boxes::clip(&CODER.decode(&codes[4 * label..4 * label + 4], region), columns, rows);
                if score > config.score && boxes::has_size(&b, 1.0) {
                    all.push(b);
                    scores.push(score);
                    labels.push(label);
                }
            }
        }
        let kept: Vec<usize> = boxes::nms(&all, &scores, &labels, config.iou).into_iter().take(config.boxes).collect();
        Ok(Detections {
            boxes: kept.iter().map(|i| all[*i]).collect(),
            scores: kept.iter().map(|i| scores[*i]).collect(),
            labels: kept.iter().map(|i| labels[*i]).collect(),
            masks: None,
        })
    }
}

impl Net for Rcnn {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let batch = x.dim(0)?;
        let all = (0..batch).map(|i| self.one(&x.narrow(0, i, 1)?, None, pass)).collect::<Result<_>>()?;
        Ok(Output::Boxes(all))
    }

    fn forward_on(&self, x: &Tensor, regions: &[Rect], pass: &mut Pass<'_>) -> Option<Result<Output>> {
        Some(self.one(x, Some(regions), pass).map(|one| Output::Boxes(vec![one])))
    }
}
