//! SSD300 on VGG-16 (Liu et al. 2016), as torchvision builds it.
//!
//! Key layout of `torchvision/models/detection/ssd.py` (BSD-3): `backbone.features.N`, `backbone.scale_weight`,
//! `backbone.extra.0.{1,3,5}`, `extra.0.7.{1,3}` (fc6 dilated by 6, fc7), `extra.{1-4}.{0,2}`,
//! `head.{classification,regression}_head.module_list.{0-5}`.

use super::anchors;
use super::boxes::{self, Coder, Rect};
use crate::Result;
use crate::arch::inception::one;
use crate::arch::layers::block::ConvLayer;
use crate::arch::layers::ops::{Act, Geometry, Pool};
use crate::arch::net::{Detections, Net, Output, Pass, channels, within};
use crate::arch::params::Params;
use crate::arch::vgg;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The free numbers of an SSD300. The last ones have torchvision's values where left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsdConfig {
    /// Input channels.
    pub inputs: usize,
    /// Labels, the background among them as number 0.
    pub outputs: usize,
    /// All widths are divided by this; 1 in the published one.
    #[serde(default = "one")]
    pub width_divisor: usize,
    /// Smallest score of a result.
    #[serde(default = "score")]
    pub score: f32,
    /// Overlap above which the worse of two boxes of one label falls.
    #[serde(default = "iou")]
    pub iou: f32,
    /// Best boxes of each label that are looked at.
    #[serde(default = "candidates")]
    pub candidates: usize,
    /// Most boxes.
    #[serde(default = "most")]
    pub boxes: usize,
}

fn score() -> f32 {
    0.01
}
fn iou() -> f32 {
    0.45
}
fn candidates() -> usize {
    400
}
fn most() -> usize {
    200
}

impl SsdConfig {
    /// torchvision's numbers.
    #[must_use]
    pub fn published(outputs: usize) -> Self {
        Self {
            inputs: 3,
            outputs,
            width_divisor: 1,
            score: score(),
            iou: iou(),
            candidates: candidates(),
            boxes: most(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        within("inputs", self.inputs, 1, 64)?;
        within("outputs", self.outputs, 2, 10_000)?;
        within("candidates", self.candidates, 1, 20_000)?;
        within("boxes", self.boxes, 1, 10_000)?;
        if ![1, 2, 4, 8, 16].contains(&self.width_divisor) {
            return Err("width_divisor is 1, 2, 4, 8 or 16".into());
        }
        if !(0.0..=1.0).contains(&self.score) || !(0.0..=1.0).contains(&self.iou) {
            return Err("score or iou is not between 0 and 1".into());
        }
        Ok(())
    }
}

/// Side of each square default box relative to the image; the last one only bounds the one before.
const SCALES: [f64; 7] = [0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05];
const STEPS: [f64; 6] = [8.0, 16.0, 32.0, 64.0, 100.0, 300.0];
const RATIOS: [&[f64]; 6] = [&[2.0], &[2.0, 3.0], &[2.0, 3.0], &[2.0, 3.0], &[2.0], &[2.0]];

/// The network.
pub(crate) struct Ssd {
    config: SsdConfig,
    stages: Vec<Vec<ConvLayer>>,
    scale: Vec<f32>,
    /// conv5 and fc6, fc7.
    fifth: Vec<ConvLayer>,
    full: [ConvLayer; 2],
    extras: Vec<[ConvLayer; 2]>,
    logits: Vec<ConvLayer>,
    deltas: Vec<ConvLayer>,
}

impl Ssd {
    pub(crate) fn new(p: &Params<'_>, config: &SsdConfig) -> Result<Self> {
        let d = config.width_divisor;
        let w = |n: usize| n / d;
        let q = p.at("backbone");
        let widths = [vec![w(64); 2], vec![w(128); 2], vec![w(256); 3], vec![w(512); 3]];
        let stages = vgg::features(&q.at("features"), config.inputs, &widths, false)?;
        let scale = q.get("scale_weight", &[w(512)])?;
        let scale = if q.is_listing() { Vec::new() } else { scale.to_vec1()? };
        let conv = |p: Params<'_>, i: usize, o: usize, k: usize, g: Geometry| -> Result<ConvLayer> {
            Ok(ConvLayer::new(&p, i, o, k, g, true)?.act(Act::Relu))
        };
        let same = Geometry::new(1, 1);
        let point = Geometry::new(1, 0);
        let r = q.at("extra.0");
        let fifth = [1, 3, 5].iter().map(|i| conv(r.at(i), w(512), w(512), 3, same)).collect::<Result<_>>()?;
        let full = [
            conv(r.at("7.1"), w(512), w(1024), 3, Geometry::new(1, 6).dilated(6))?,
            conv(r.at("7.3"), w(1024), w(1024), 1, point)?,
        ];
        let half = Geometry::new(2, 1);
        let extras = [
            (w(1024), w(256), w(512), half),
            (w(512), w(128), w(256), half),
            (w(256), w(128), w(256), point),
            (w(256), w(128), w(256), point),
        ]
        .into_iter()
        .enumerate()
        .map(|(i, (inputs, inner, outputs, g))| {
            let r = q.at(format!("extra.{}", i + 1));
            Ok([conv(r.at(0), inputs, inner, 1, point)?, conv(r.at(2), inner, outputs, 3, g)?])
        })
        .collect::<Result<_>>()?;
        let maps = [w(512), w(1024), w(512), w(256), w(256), w(256)];
        let heads = |name: &str, columns: usize| -> Result<Vec<ConvLayer>> {
            let r = p.at(format!("head.{name}_head.module_list"));
            (0..6)
                .map(|i| {
                    let anchors = 2 + 2 * RATIOS[i].len();
                    ConvLayer::new(&r.at(i), maps[i], anchors * columns, 3, same, true)
                })
                .collect()
        };
        let logits = heads("classification", config.outputs)?;
        let deltas = heads("regression", 4)?;
        Ok(Self { config: config.clone(), stages, scale, fifth, full, extras, logits, deltas })
    }

    fn maps(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Vec<Tensor>> {
        let mut x = x.clone();
        for (s, stage) in self.stages.iter().enumerate() {
            for conv in stage {
                pass.step()?;
                x = conv.forward(&x)?;
            }
            if s < 3 {
                let pool = Pool::new(2, 2, 0);
                x = if s == 2 { pool.ceil() } else { pool }.max(&x)?;
            }
        }
        let mut maps = vec![unit(&x, &self.scale)?];
        pass.tap("conv4_3", &maps[0])?;
        x = Pool::new(2, 2, 0).max(&x)?;
        for conv in &self.fifth {
            x = conv.forward(&x)?;
        }
        x = Pool::new(3, 1, 1).max(&x)?;
        for conv in &self.full {
            pass.step()?;
            x = conv.forward(&x)?;
        }
        maps.push(x.clone());
        for pair in &self.extras {
            pass.step()?;
            x = pair[1].forward(&pair[0].forward(&x)?)?;
            maps.push(x.clone());
        }
        pass.tap("features", &maps[1])?;
        Ok(maps)
    }

    pub(crate) fn config(&self) -> &SsdConfig {
        &self.config
    }

    /// Raw numbers of all default boxes, `[batch, boxes, labels]` and `[batch, boxes, 4]`, and the boxes in pixels.
    pub(crate) fn heads(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<(Tensor, Tensor, Vec<Rect>)> {
        let (_, rows, columns) = channels(x, self.config.inputs)?;
        let maps = self.maps(x, pass)?;
        let (mut logits, mut deltas, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for (i, map) in maps.iter().enumerate() {
            let (_, _, h, w) = map.dims4()?;
            logits.push(by_cell(&self.logits[i].forward(map)?, self.config.outputs)?);
            deltas.push(by_cell(&self.deltas[i].forward(map)?, 4)?);
            all.extend(anchors::default_boxes(SCALES[i], SCALES[i + 1], RATIOS[i], STEPS[i], h, w, rows, columns));
        }
        Ok((Tensor::cat(&logits, 1)?, Tensor::cat(&deltas, 1)?, all))
    }

    fn one(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Detections> {
        let (_, rows, columns) = channels(x, self.config.inputs)?;
        let (logits, deltas, anchors) = self.heads(x, pass)?;
        let logits: Vec<f32> = logits.flatten_all()?.to_vec1()?;
        let deltas: Vec<f32> = deltas.flatten_all()?.to_vec1()?;
        Ok(select(&self.config, &anchors, &logits, &deltas, rows, columns))
    }
}

/// Each place to length 1 over the channels, times a weight per channel.
fn unit(x: &Tensor, scale: &[f32]) -> Result<Tensor> {
    let norm = x.sqr()?.sum_keepdim(1)?.sqrt()?.maximum(1e-12)?;
    let scale = Tensor::from_slice(scale, (1, scale.len(), 1, 1), x.device())?;
    Ok(x.broadcast_div(&norm)?.broadcast_mul(&scale)?)
}

/// `[batch, anchors * columns, h, w]` to `[batch, h * w * anchors, columns]`: a row per place and anchor.
pub(crate) fn by_cell(x: &Tensor, columns: usize) -> Result<Tensor> {
    let (batch, all, h, w) = x.dims4()?;
    let turned = x.reshape((batch, all / columns, columns, h * w))?.permute([0, 3, 1, 2])?.contiguous()?;
    Ok(turned.reshape((batch, h * w * all / columns, columns))?)
}

/// Results out of the heads' numbers (rows of labels, rows of 4).
pub(crate) fn select(
    config: &SsdConfig,
    anchors: &[Rect],
    logits: &[f32],
    deltas: &[f32],
    rows: usize,
    columns: usize,
) -> Detections {
    let coder = Coder { weights: [10.0, 10.0, 5.0, 5.0] };
    let probabilities: Vec<Vec<f32>> = logits.chunks_exact(config.outputs).map(boxes::softmax).collect();
    let decoded: Vec<Rect> = anchors
        .iter()
        .zip(deltas.chunks_exact(4))
        .map(|(a, d)| boxes::clip(&coder.decode(d, a), columns, rows))
        .collect();
    let (mut all, mut scores, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for label in 1..config.outputs {
        let good: Vec<usize> = (0..decoded.len()).filter(|i| probabilities[*i][label] > config.score).collect();
        let values: Vec<f32> = good.iter().map(|i| probabilities[*i][label]).collect();
        for k in boxes::order(&values).into_iter().take(config.candidates) {
            all.push(decoded[good[k]]);
            scores.push(values[k]);
            labels.push(label);
        }
    }
    let kept: Vec<usize> = boxes::nms(&all, &scores, &labels, config.iou).into_iter().take(config.boxes).collect();
    Detections {
        boxes: kept.iter().map(|i| all[*i]).collect(),
        scores: kept.iter().map(|i| scores[*i]).collect(),
        labels: kept.iter().map(|i| labels[*i]).collect(),
        masks: None,
    }
}

impl Net for Ssd {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let (batch, ..) = channels(x, self.config.inputs)?;
        let all = (0..batch).map(|i| self.one(&x.narrow(0, i, 1)?, pass)).collect::<Result<_>>()?;
        Ok(Output::Boxes(all))
    }
}
