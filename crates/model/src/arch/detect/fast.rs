//! Fast R-CNN (Girshick 2015): the map of the whole image once, RoIPool for each proposal, one head for class and box.
//!
//! Layout: `features.N` as torchvision's VGG-16 to conv5_3, `fc6`, `fc7`, `cls_score`, `bbox_pred` (the names of the
//! published Caffe network). Proposals come from selective search, as in the paper.

use super::boxes::Rect;
use super::faster::{FasterConfig, select};
use super::proposals::Proposals;
use super::roi::{self, Map};
use crate::Result;
use crate::arch::layers::block::{ConvLayer, Dense};
use crate::arch::layers::ops::Pool;
use crate::arch::net::{Detections, Net, Output, Pass, channels, within};
use crate::arch::params::Params;
use crate::arch::vgg;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The free numbers of a Fast R-CNN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FastConfig {
    /// Input channels.
    pub inputs: usize,
    /// Labels, the background among them as number 0.
    pub outputs: usize,
    /// Channels of the convolutions, one list per stage; a max-pool lies between stages.
    pub stages: Vec<Vec<usize>>,
    /// Width of the head; 4096.
    #[serde(default = "hidden")]
    pub hidden: usize,
    /// Where objects may be.
    #[serde(default)]
    pub proposals: Proposals,
    /// Most proposals; 2000 in the paper.
    #[serde(default = "two_thousand")]
    pub most: usize,
    /// Smallest score of a result.
    #[serde(default = "score")]
    pub score: f32,
    /// Overlap above which the worse of two boxes of one label falls.
    #[serde(default = "iou")]
    pub iou: f32,
}

fn hidden() -> usize {
    4096
}
fn two_thousand() -> usize {
    2000
}
fn score() -> f32 {
    0.05
}
fn iou() -> f32 {
    0.3
}

impl FastConfig {
    /// The paper's, on VGG-16.
    #[must_use]
    pub fn published(outputs: usize) -> Self {
        let stages = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)].map(|(n, width)| vec![width; n]).to_vec();
        Self {
            inputs: 3,
            outputs,
            stages,
            hidden: hidden(),
            proposals: Proposals::default(),
            most: two_thousand(),
            score: score(),
            iou: iou(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let vgg = vgg::VggConfig {
            inputs: self.inputs,
            outputs: self.outputs,
            stages: self.stages.clone(),
            batch_norm: false,
            hidden: self.hidden,
        };
        vgg.check()?;
        within("outputs", self.outputs, 2, 10_000)?;
        within("most", self.most, 1, 10_000)?;
        if !(0.0..=1.0).contains(&self.score) || !(0.0..=1.0).contains(&self.iou) {
            return Err("score or iou is not between 0 and 1".into());
        }
        Ok(())
    }
}

/// Cells of a proposal's features.
const SIZE: usize = 7;

/// The network.
pub(crate) struct Fast {
    config: FastConfig,
    stages: Vec<Vec<ConvLayer>>,
    fc: [Dense; 2],
    scores: Dense,
    deltas: Dense,
}

impl Fast {
    pub(crate) fn new(p: &Params<'_>, config: &FastConfig) -> Result<Self> {
        let stages = vgg::features(&p.at("features"), config.inputs, &config.stages, false)?;
        let width = config.stages.last().and_then(|s| s.last()).copied().unwrap_or(config.inputs);
        let h = config.hidden;
        Ok(Self {
            fc: [Dense::new(&p.at("fc6"), width * SIZE * SIZE, h)?, Dense::new(&p.at("fc7"), h, h)?],
            scores: Dense::new(&p.at("cls_score"), h, config.outputs)?,
            deltas: Dense::new(&p.at("bbox_pred"), h, 4 * config.outputs)?,
            stages,
            config: config.clone(),
        })
    }

    fn found(&self, x: &Tensor) -> Result<Vec<Rect>> {
        let (_, rows, columns) = channels(x, self.config.inputs)?;
        let grey: Vec<f32> = x.get(0)?.mean(0)?.flatten_all()?.to_vec1()?;
        Ok(self.config.proposals.find(&grey, columns, rows, self.config.most))
    }

    pub(crate) fn config(&self) -> &FastConfig {
        &self.config
    }

    /// The map of a batch.
    pub(crate) fn map(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        channels(x, self.config.inputs)?;
        let mut map = x.clone();
        for (s, stage) in self.stages.iter().enumerate() {
            if s > 0 {
                map = Pool::new(2, 2, 0).max(&map)?;
            }
            for conv in stage {
                pass.step()?;
                map = conv.forward(&map)?;
            }
        }
        pass.tap("features", &map)?;
        Ok(map)
    }

    /// Features of boxes `(image, box)` of a batch's map, with a gradient for the map.
    pub(crate) fn pooled(&self, map: &Tensor, places: &[(usize, Rect)]) -> Result<Tensor> {
        roi::pool_batch(map, places, self.scale(), SIZE)
    }

    fn scale(&self) -> f32 {
        1.0 / (1usize << (self.stages.len() - 1)) as f32
    }

    /// Raw numbers of the head, `[boxes, labels]` and `[boxes, 4 labels]`.
    pub(crate) fn box_head(&self, features: &Tensor, pass: &Pass<'_>) -> Result<(Tensor, Tensor)> {
        let mut y = features.flatten_from(1)?;
        for fc in &self.fc {
            pass.step()?;
            y = fc.forward(&y)?.relu()?;
        }
        Ok((self.scores.forward(&y)?, self.deltas.forward(&y)?))
    }

    fn one(&self, x: &Tensor, found: &[Rect], pass: &mut Pass<'_>) -> Result<Detections> {
        let (_, rows, columns) = channels(x, self.config.inputs)?;
        let map = self.map(x, pass)?;
        if found.is_empty() {
            return Ok(Detections::default());
        }
        let (scores, deltas) = self.box_head(&roi::pool(&Map::new(&map, self.scale())?, found, SIZE)?, pass)?;
        let (scores, deltas): (Vec<Vec<f32>>, Vec<Vec<f32>>) = (scores.to_vec2()?, deltas.to_vec2()?);
        let limits = FasterConfig { score: self.config.score, iou: self.config.iou, ..FasterConfig::published(2) };
        Ok(select(&limits, found, &scores, &deltas, rows, columns))
    }
}

impl Net for Fast {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let (batch, ..) = channels(x, self.config.inputs)?;
        let mut all = Vec::with_capacity(batch);
        for i in 0..batch {
            let one = x.narrow(0, i, 1)?;
            all.push(self.one(&one, &self.found(&one)?, pass)?);
        }
        Ok(Output::Boxes(all))
    }

    fn forward_on(&self, x: &Tensor, regions: &[Rect], pass: &mut Pass<'_>) -> Option<Result<Output>> {
        Some(self.one(x, regions, pass).map(|one| Output::Boxes(vec![one])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_per_proposal_and_label() {
        let config = FastConfig {
            inputs: 1,
            outputs: 3,
            stages: vec![vec![2], vec![4]],
            hidden: 8,
            proposals: Proposals::Windows,
            most: 50,
            score: 0.0,
            iou: 0.5,
        };
        config.check().unwrap();
        let shapes = Params::list(|p| Fast::new(p, &config)).unwrap();
        let names: Vec<&str> = shapes.iter().map(|(n, _)| n.as_str()).collect();
        assert!(names.contains(&"features.3.weight") && names.contains(&"bbox_pred.bias"));
        assert_eq!(shapes.iter().find(|(n, _)| n == "fc6.weight").unwrap().1, [8, 4 * 49]);
    }
}
