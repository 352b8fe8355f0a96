//! The light SSD with a receptive-field block that is known as the 1 MB face detector (`RFB-320`).
//!
//! Key layout of Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB (MIT), 244 tensors: `base_net.N`, of which 7 is
//! the receptive-field block (`branch{0,1,2}.i.{conv,bn}`, `ConvLinear`, `shortcut`), `extras.0.{0,2}`,
//! `classification_headers.{0-2}.{0,2}`, `.3`, `regression_headers` alike.

use super::boxes::{self, Rect};
use super::ssd::by_cell;
use crate::Result;
use crate::arch::layers::block::ConvLayer;
use crate::arch::layers::ops::{Act, Geometry};
use crate::arch::net::{Detections, Net, Output, Pass, channels, within};
use crate::arch::params::Params;
use crate::arch::resnet::EPS;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The free numbers of the light SSD.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LightSsdConfig {
    /// Input channels.
    pub inputs: usize,
    /// Labels, the background among them as number 0.
    pub outputs: usize,
    /// Channels of the first layer; 16.
    #[serde(default = "sixteen")]
    pub width: usize,
    /// Smallest score of a result.
    #[serde(default = "score")]
    pub score: f32,
    /// Overlap above which the worse of two boxes of one label falls.
    #[serde(default = "iou")]
    pub iou: f32,
}

fn sixteen() -> usize {
    16
}
fn score() -> f32 {
    0.6
}
fn iou() -> f32 {
    0.3
}

impl LightSsdConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("inputs", self.inputs, 1, 16)?;
        within("outputs", self.outputs, 2, 1000)?;
        within("width", self.width, 2, 256)?;
        if !self.width.is_multiple_of(2) {
            return Err("width is odd".into());
        }
        if !(0.0..=1.0).contains(&self.score) || !(0.0..=1.0).contains(&self.iou) {
            return Err("score or iou is not between 0 and 1".into());
        }
        Ok(())
    }
}

const MIN_BOXES_PX: [&[f32]; 4] = [&[10.0, 16.0, 24.0], &[32.0, 48.0], &[64.0, 96.0], &[128.0, 192.0, 256.0]];
const STRIDES: [usize; 4] = [8, 16, 32, 64];
/// Shifts are predicted in tenths of the default box, logarithms of sizes in fifths.
pub(crate) const CENTRE: f32 = 0.1;
/// See [`CENTRE`].
pub(crate) const SIZE: f32 = 0.2;

enum Step {
    Convs(Vec<ConvLayer>),
    Field(Box<Field>),
}

/// `BasicRFB`: convolutions of three reaches side by side.
struct Field {
    branches: [Vec<ConvLayer>; 3],
    join: ConvLayer,
    shortcut: ConvLayer,
}

impl Field {
    fn new(p: &Params<'_>, width: usize) -> Result<Self> {
        let basic = |q: Params<'_>, i: usize, o: usize, k: usize, g: Geometry, relu: bool| -> Result<ConvLayer> {
            let conv = ConvLayer::new(&q.at("conv"), i, o, k, g, false)?.norm(&q.at("bn"), EPS)?;
            Ok(conv.act(if relu { Act::Relu } else { Act::None }))
        };
        let n = (width / 8).max(1);
        let (point, same) = (Geometry::new(1, 0), Geometry::new(1, 1));
        let far = |d: usize| Geometry::new(1, d).dilated(d);
        let branch = |b: usize, d: usize| -> Result<Vec<ConvLayer>> {
            let q = p.at(format!("branch{b}"));
            let mut convs = vec![basic(q.at(0), width, n, 1, point, false)?];
            let mut inputs = n;
            if b == 2 {
                let middle = n / 2 * 3;
                convs.push(basic(q.at(1), n, middle, 3, same, true)?);
                inputs = middle;
            }
            let at = convs.len();
            convs.push(basic(q.at(at), inputs, 2 * n, 3, same, true)?);
            convs.push(basic(q.at(at + 1), 2 * n, 2 * n, 3, far(d), false)?);
            Ok(convs)
        };
        Ok(Self {
            branches: [branch(0, 2)?, branch(1, 3)?, branch(2, 5)?],
            join: basic(p.at("ConvLinear"), 6 * n, width, 1, point, false)?,
            shortcut: basic(p.at("shortcut"), width, width, 1, point, false)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut parts = Vec::with_capacity(3);
        for branch in &self.branches {
            parts.push(run(branch, x)?);
        }
        let y = self.join.forward(&Tensor::cat(&parts, 1)?)?;
        Ok((y + self.shortcut.forward(x)?)?.relu()?)
    }
}

fn run(convs: &[ConvLayer], x: &Tensor) -> Result<Tensor> {
    let mut x = x.clone();
    for conv in convs {
        x = conv.forward(&x)?;
    }
    Ok(x)
}

/// The network.
pub(crate) struct LightSsd {
    config: LightSsdConfig,
    base: Vec<Step>,
    extra: Vec<ConvLayer>,
    logits: Vec<Vec<ConvLayer>>,
    deltas: Vec<Vec<ConvLayer>>,
}

/// A convolution per channel, then 1 x 1, each with bias (`SeperableConv2d`).
fn separable(p: &Params<'_>, i: usize, o: usize, stride: usize) -> Result<Vec<ConvLayer>> {
    let first = ConvLayer::new(&p.at(0), i, i, 3, Geometry::new(stride, 1).grouped(i), true)?.act(Act::Relu);
    Ok(vec![first, ConvLayer::new(&p.at(2), i, o, 1, Geometry::new(1, 0), true)?])
}

impl LightSsd {
    pub(crate) fn new(p: &Params<'_>, config: &LightSsdConfig) -> Result<Self> {
        let w = config.width;
        let q = p.at("base_net");
        let first = ConvLayer::new(&q.at("0.0"), config.inputs, w, 3, Geometry::new(2, 1), false)?
            .norm(&q.at("0.1"), EPS)?
            .act(Act::Relu);
        let mut base = vec![Step::Convs(vec![first])];
        // Widths in and out in multiples of the first, stride; none is the receptive-field block.
        let steps = [
            Some((1, 2, 1)),
            Some((2, 2, 2)),
            Some((2, 2, 1)),
            Some((2, 4, 2)),
            Some((4, 4, 1)),
            Some((4, 4, 1)),
            None,
            Some((4, 8, 2)),
            Some((8, 8, 1)),
            Some((8, 8, 1)),
            Some((8, 16, 2)),
            Some((16, 16, 1)),
        ];
        for (n, step) in steps.into_iter().enumerate() {
            let r = q.at(n + 1);
            base.push(match step {
                None => Step::Field(Box::new(Field::new(&r, 4 * w)?)),
                Some((i, o, stride)) => {
                    let g = Geometry::new(stride, 1).grouped(i * w);
                    let per = ConvLayer::new(&r.at(0), i * w, i * w, 3, g, false)?;
                    let point = ConvLayer::new(&r.at(3), i * w, o * w, 1, Geometry::new(1, 0), false)?;
                    Step::Convs(vec![
                        per.norm(&r.at(1), EPS)?.act(Act::Relu),
                        point.norm(&r.at(4), EPS)?.act(Act::Relu),
                    ])
                }
            });
        }
        let q = p.at("extras.0");
        let mut extra = vec![ConvLayer::new(&q.at(0), 16 * w, 4 * w, 1, Geometry::new(1, 0), true)?.act(Act::Relu)];
        let mut pair = separable(&q.at(2), 4 * w, 16 * w, 2)?;
        if let Some(last) = pair.pop() {
            extra.extend(pair);
            extra.push(last.act(Act::Relu));
        }
        let heads = |name: &str, columns: usize| -> Result<Vec<Vec<ConvLayer>>> {
            let q = p.at(name);
            (0..4)
                .map(|i| {
                    let inputs = [4 * w, 8 * w, 16 * w, 16 * w][i];
                    let outputs = MIN_BOXES_PX[i].len() * columns;
                    if i < 3 {
                        separable(&q.at(i), inputs, outputs, 1)
                    } else {
                        Ok(vec![ConvLayer::new(&q.at(i), inputs, outputs, 3, Geometry::new(1, 1), true)?])
                    }
                })
                .collect()
        };
        let logits = heads("classification_headers", config.outputs)?;
        let deltas = heads("regression_headers", 4)?;
        Ok(Self { config: config.clone(), base, extra, logits, deltas })
    }

    pub(crate) fn config(&self) -> &LightSsdConfig {
        &self.config
    }

    /// Raw numbers of all default boxes, `[batch, boxes, labels]` and `[batch, boxes, 4]`, and the boxes.
    pub(crate) fn heads(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<(Tensor, Tensor, Vec<[f32; 4]>)> {
        let (_, rows, columns) = channels(x, self.config.inputs)?;
        let mut x = x.clone();
        let mut maps = Vec::with_capacity(4);
        for (n, step) in self.base.iter().enumerate() {
            pass.step()?;
            x = match step {
                Step::Convs(convs) => run(convs, &x)?,
                Step::Field(field) => field.forward(&x)?,
            };
            if [7, 10, 12].contains(&n) {
                maps.push(x.clone());
            }
        }
        pass.tap("features", &x)?;
        maps.push(run(&self.extra, &x)?);
        let (mut logits, mut deltas, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for (i, map) in maps.iter().enumerate() {
            let (_, _, h, w) = map.dims4()?;
            logits.push(by_cell(&run(&self.logits[i], map)?, self.config.outputs)?);
            deltas.push(by_cell(&run(&self.deltas[i], map)?, 4)?);
            all.extend(priors(i, h, w, rows, columns));
        }
        Ok((Tensor::cat(&logits, 1)?, Tensor::cat(&deltas, 1)?, all))
    }

    fn one(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Detections> {
        let (_, rows, columns) = channels(x, self.config.inputs)?;
        let (logits, deltas, priors) = self.heads(x, pass)?;
        let logits: Vec<f32> = logits.flatten_all()?.to_vec1()?;
        let deltas: Vec<f32> = deltas.flatten_all()?.to_vec1()?;
        let (mut all, mut scores, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for ((prior, logits), d) in
            priors.iter().zip(logits.chunks_exact(self.config.outputs)).zip(deltas.chunks_exact(4))
        {
            for (label, score) in boxes::softmax(logits).into_iter().enumerate().skip(1) {
                if score > self.config.score {
                    all.push(decode(d, prior, rows, columns));
                    scores.push(score);
                    labels.push(label);
                }
            }
        }
        let kept = boxes::nms(&all, &scores, &labels, self.config.iou);
        Ok(Detections {
            boxes: kept.iter().map(|i| all[*i]).collect(),
            scores: kept.iter().map(|i| scores[*i]).collect(),
            labels: kept.iter().map(|i| labels[*i]).collect(),
            masks: None,
        })
    }
}

/// Centre and size, as parts of the image.
fn priors(level: usize, h: usize, w: usize, rows: usize, columns: usize) -> Vec<[f32; 4]> {
    let (iw, ih) = (columns as f32, rows as f32);
    let step = STRIDES[level] as f32;
    let mut all = Vec::with_capacity(h * w * MIN_BOXES_PX[level].len());
    for y in 0..h {
        for x in 0..w {
            let (cx, cy) = ((x as f32 + 0.5) / (iw / step), (y as f32 + 0.5) / (ih / step));
            all.extend(MIN_BOXES_PX[level].iter().map(|s| [cx, cy, s / iw, s / ih].map(|v| v.clamp(0.0, 1.0))));
        }
    }
    all
}

pub(crate) fn decode(d: &[f32], prior: &[f32; 4], rows: usize, columns: usize) -> Rect {
    let [px, py, pw, ph] = *prior;
    let (cx, cy) = (d[0] * CENTRE * pw + px, d[1] * CENTRE * ph + py);
    let (hw, hh) = ((d[2] * SIZE).exp() * pw / 2.0, (d[3] * SIZE).exp() * ph / 2.0);
    let (w, h) = (columns as f32, rows as f32);
    [(cx - hw) * w, (cy - hh) * h, (cx + hw) * w, (cy + hh) * h]
}

impl Net for LightSsd {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let (batch, ..) = channels(x, self.config.inputs)?;
        let all = (0..batch).map(|i| self.one(&x.narrow(0, i, 1)?, pass)).collect::<Result<_>>()?;
        Ok(Output::Boxes(all))
    }
}
