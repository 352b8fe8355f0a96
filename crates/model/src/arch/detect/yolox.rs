//! YOLOX (Ge et al. 2021): no anchors, heads for class and box apart.
//!
//! Key layout of Megvii-BaseDetection/YOLOX (Apache-2.0), key `model` of its checkpoints:
//! `backbone.backbone.{stem,dark2..dark5}`, `backbone.{lateral_conv0,C3_p4,reduce_conv1,C3_p3,bu_conv2,C3_n3,bu_conv1,
//! C3_n4}`, `head.{stems,cls_convs,reg_convs,cls_preds,reg_preds,obj_preds}.{0-2}`; eps 1e-3, SiLU.

use super::boxes::{self, sigmoid};
use crate::arch::layers::block::ConvLayer;
use crate::arch::layers::ops::{self, Act, Geometry, Pool};
use crate::arch::net::{Detections, Net, Output, Pass, channels, within};
use crate::arch::params::Params;
use crate::{Error, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

const EPS: f64 = 1e-3;

/// The free numbers of a YOLOX.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YoloxConfig {
    /// Input channels.
    pub inputs: usize,
    /// Labels; there is no background.
    pub outputs: usize,
    /// Multiplies the number of blocks: 0.33 for nano, tiny and s.
    pub depth: f64,
    /// Multiplies the widths: 0.25 nano, 0.375 tiny, 0.5 s.
    pub width: f64,
    /// Whether 3 x 3 convolutions are per channel, then 1 x 1 (nano).
    #[serde(default)]
    pub depthwise: bool,
    /// Smallest score of a result.
    #[serde(default = "score")]
    pub score: f32,
    /// Overlap above which the worse of two boxes of one label falls.
    #[serde(default = "iou")]
    pub iou: f32,
}

fn score() -> f32 {
    0.25
}
fn iou() -> f32 {
    0.45
}

impl YoloxConfig {
    /// YOLOX's numbers at a depth and width.
    #[must_use]
    pub fn published(outputs: usize, depth: f64, width: f64, depthwise: bool) -> Self {
        Self { inputs: 3, outputs, depth, width, depthwise, score: score(), iou: iou() }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        within("inputs", self.inputs, 1, 16)?;
        within("outputs", self.outputs, 1, 10_000)?;
        if !(0.01..=4.0).contains(&self.depth) || !(0.03..=4.0).contains(&self.width) {
            return Err("depth or width is not between 0.03 and 4".into());
        }
        if !(0.0..=1.0).contains(&self.score) || !(0.0..=1.0).contains(&self.iou) {
            return Err("score or iou is not between 0 and 1".into());
        }
        Ok(())
    }
}

/// Convolution, norm, SiLU (`BaseConv`), perhaps one per channel before (`DWConv`).
struct Conv(Vec<ConvLayer>);

impl Conv {
    fn base(p: &Params<'_>, i: usize, o: usize, k: usize, stride: usize, groups: usize) -> Result<ConvLayer> {
        let g = Geometry::new(stride, (k - 1) / 2).grouped(groups);
        Ok(ConvLayer::new(&p.at("conv"), i, o, k, g, false)?.norm(&p.at("bn"), EPS)?.act(Act::Silu))
    }

    fn point(p: &Params<'_>, i: usize, o: usize) -> Result<Self> {
        Ok(Self(vec![Self::base(p, i, o, 1, 1, 1)?]))
    }

    fn new(p: &Params<'_>, i: usize, o: usize, k: usize, stride: usize, depthwise: bool) -> Result<Self> {
        if depthwise {
            let first = Self::base(&p.at("dconv"), i, i, k, stride, i)?;
            return Ok(Self(vec![first, Self::base(&p.at("pconv"), i, o, 1, 1, 1)?]));
        }
        Ok(Self(vec![Self::base(p, i, o, k, stride, 1)?]))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for conv in &self.0 {
            x = conv.forward(&x)?;
        }
        Ok(x)
    }
}

/// `CSPLayer`.
struct Csp {
    ways: [Conv; 2],
    blocks: Vec<[Conv; 2]>,
    shortcut: bool,
    join: Conv,
}

impl Csp {
    fn new(p: &Params<'_>, i: usize, o: usize, n: usize, shortcut: bool, depthwise: bool) -> Result<Self> {
        let hidden = o / 2;
        let ways = [Conv::point(&p.at("conv1"), i, hidden)?, Conv::point(&p.at("conv2"), i, hidden)?];
        let join = Conv::point(&p.at("conv3"), 2 * hidden, o)?;
        let blocks = (0..n)
            .map(|b| {
                let q = p.at(format!("m.{b}"));
                let first = Conv::point(&q.at("conv1"), hidden, hidden)?;
                Ok([first, Conv::new(&q.at("conv2"), hidden, hidden, 3, 1, depthwise)?])
            })
            .collect::<Result<_>>()?;
        Ok(Self { ways, blocks, shortcut, join })
    }

    fn forward(&self, x: &Tensor, pass: &Pass<'_>) -> Result<Tensor> {
        let mut a = self.ways[0].forward(x)?;
        let b = self.ways[1].forward(x)?;
        for [first, second] in &self.blocks {
            pass.step()?;
            let y = second.forward(&first.forward(&a)?)?;
            a = if self.shortcut { (y + a)? } else { y };
        }
        self.join.forward(&Tensor::cat(&[&a, &b], 1)?)
    }
}

struct Branch {
    stem: Conv,
    classes: [Conv; 2],
    boxes: [Conv; 2],
    class: ConvLayer,
    shape: ConvLayer,
    object: ConvLayer,
}

/// The network.
pub(crate) struct Yolox {
    config: YoloxConfig,
    stem: Conv,
    /// Stride, then blocks; the last one pools between.
    dark: Vec<(Conv, Csp)>,
    spp: [Conv; 2],
    lateral: Conv,
    p4: Csp,
    reduce: Conv,
    p3: Csp,
    down2: Conv,
    n3: Csp,
    down1: Conv,
    n4: Csp,
    heads: Vec<Branch>,
}

impl Yolox {
    pub(crate) fn new(p: &Params<'_>, config: &YoloxConfig) -> Result<Self> {
        let dw = config.depthwise;
        let base = (config.width * 64.0) as usize;
        let wide = |n: f64| (n * config.width) as usize;
        let depth = ((config.depth * 3.0).round_ties_even() as usize).max(1);
        let q = p.at("backbone.backbone");
        let stem = Conv::new(&q.at("stem.conv"), 4 * config.inputs, base, 3, 1, false)?;
        let mut dark = Vec::with_capacity(4);
        let mut spp = None;
        for (level, blocks) in [depth, 3 * depth, 3 * depth, depth].into_iter().enumerate() {
            let (i, o) = (base << level, base << (level + 1));
            let r = q.at(format!("dark{}", level + 2));
            let conv = Conv::new(&r.at(0), i, o, 3, 2, dw)?;
            let last = level == 3;
            if last {
                let hidden = o / 2;
                let s = r.at(1);
                spp = Some([Conv::point(&s.at("conv1"), o, hidden)?, Conv::point(&s.at("conv2"), 4 * hidden, o)?]);
            }
            dark.push((conv, Csp::new(&r.at(if last { 2 } else { 1 }), o, o, blocks, !last, dw)?));
        }
        let Some(spp) = spp else { return Err(Error::Image { reason: "the network has no last level".into() }) };
        let [c0, c1, c2] = [wide(256.0), wide(512.0), wide(1024.0)];
        let n = (3.0 * config.depth).round_ties_even() as usize;
        let q = p.at("backbone");
        let csp = |name: &str, i: usize, o: usize| Csp::new(&q.at(name), i, o, n, false, dw);
        let lateral = Conv::point(&q.at("lateral_conv0"), c2, c1)?;
        let p4 = csp("C3_p4", 2 * c1, c1)?;
        let reduce = Conv::point(&q.at("reduce_conv1"), c1, c0)?;
        let p3 = csp("C3_p3", 2 * c0, c0)?;
        let down2 = Conv::new(&q.at("bu_conv2"), c0, c0, 3, 2, dw)?;
        let n3 = csp("C3_n3", 2 * c0, c1)?;
        let down1 = Conv::new(&q.at("bu_conv1"), c1, c1, 3, 2, dw)?;
        let n4 = csp("C3_n4", 2 * c1, c2)?;
        let q = p.at("head");
        let heads = [c0, c1, c2]
            .into_iter()
            .enumerate()
            .map(|(k, inputs)| {
                let two = |name: &str| -> Result<[Conv; 2]> {
                    let r = q.at(format!("{name}.{k}"));
                    Ok([Conv::new(&r.at(0), c0, c0, 3, 1, dw)?, Conv::new(&r.at(1), c0, c0, 3, 1, dw)?])
                };
                let last = |name: &str, outputs: usize| {
                    ConvLayer::new(&q.at(format!("{name}.{k}")), c0, outputs, 1, Geometry::new(1, 0), true)
                };
                Ok(Branch {
                    stem: Conv::point(&q.at(format!("stems.{k}")), inputs, c0)?,
                    classes: two("cls_convs")?,
                    boxes: two("reg_convs")?,
                    class: last("cls_preds", config.outputs)?,
                    shape: last("reg_preds", 4)?,
                    object: last("obj_preds", 1)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { config: config.clone(), stem, dark, spp, lateral, p4, reduce, p3, down2, n3, down1, n4, heads })
    }

    fn pyramid(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Vec<Tensor>> {
        let mut x = self.stem.forward(&focus(x)?)?;
        let mut maps = Vec::with_capacity(4);
        for (level, (conv, csp)) in self.dark.iter().enumerate() {
            x = conv.forward(&x)?;
            if level == 3 {
                let y = self.spp[0].forward(&x)?;
                let mut all = vec![y.clone()];
                for k in [5, 9, 13] {
                    all.push(Pool::new(k, 1, k / 2).max(&y)?);
                }
                x = self.spp[1].forward(&Tensor::cat(&all, 1)?)?;
            }
            x = csp.forward(&x, pass)?;
            pass.tap(&format!("dark{}", level + 2), &x)?;
            maps.push(x.clone());
        }
        let (x2, x1, x0) = (&maps[1], &maps[2], &maps[3]);
        let join = |fine: &Tensor, coarse: &Tensor| -> Result<Tensor> {
            Ok(Tensor::cat(&[&ops::upsample_nearest(coarse, fine.dim(2)?, fine.dim(3)?)?, fine], 1)?)
        };
        let out0 = self.lateral.forward(x0)?;
        let f0 = self.p4.forward(&join(x1, &out0)?, pass)?;
        let out1 = self.reduce.forward(&f0)?;
        let pan2 = self.p3.forward(&join(x2, &out1)?, pass)?;
        let pan1 = self.n3.forward(&Tensor::cat(&[&self.down2.forward(&pan2)?, &out1], 1)?, pass)?;
        let pan0 = self.n4.forward(&Tensor::cat(&[&self.down1.forward(&pan1)?, &out0], 1)?, pass)?;
        pass.tap("features", &pan2)?;
        Ok(vec![pan2, pan1, pan0])
    }

    pub(crate) fn config(&self) -> &YoloxConfig {
        &self.config
    }

    /// Raw numbers of the three levels, finest first.
    pub(crate) fn heads(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Vec<Level>> {
        let (_, rows, columns) = channels(x, self.config.inputs)?;
        if !rows.is_multiple_of(32) || !columns.is_multiple_of(32) {
            let reason = format!("the network takes sides that are multiples of 32, not {columns} x {rows}");
            return Err(Error::Image { reason });
        }
        let maps = self.pyramid(x, pass)?;
        maps.iter()
            .zip(&self.heads)
            .enumerate()
            .map(|(k, (map, head))| {
                let stem = head.stem.forward(map)?;
                let c = head.classes[1].forward(&head.classes[0].forward(&stem)?)?;
                let b = head.boxes[1].forward(&head.boxes[0].forward(&stem)?)?;
                pass.step()?;
                Ok(Level {
                    class: head.class.forward(&c)?,
                    shape: head.shape.forward(&b)?,
                    object: head.object.forward(&b)?,
                    stride: (8 << k) as f32,
                })
            })
            .collect()
    }

    fn one(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Detections> {
        let (mut all, mut scores, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for level in self.heads(x, pass)? {
            let (_, _, h, w) = level.object.dims4()?;
            let class: Vec<f32> = level.class.flatten_all()?.to_vec1()?;
            let shape: Vec<f32> = level.shape.flatten_all()?.to_vec1()?;
            let object: Vec<f32> = level.object.flatten_all()?.to_vec1()?;
            let size = h * w;
            for i in 0..size {
                // The first of equal classes, as torch.max.
                let (label, best) = (0..self.config.outputs)
                    .map(|l| (l, sigmoid(class[l * size + i])))
                    .fold((0, -1.0), |best, new| if new.1 > best.1 { new } else { best });
                let score = sigmoid(object[i]) * best;
                if score < self.config.score {
                    continue;
                }
                all.push(decode([0, 1, 2, 3].map(|n| shape[n * size + i]), i % w, i / w, level.stride));
                scores.push(score);
                labels.push(label);
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

/// Raw numbers of one level, before any sigmoid.
pub(crate) struct Level {
    /// `[batch, classes, rows, columns]`
    pub(crate) class: Tensor,
    /// `[batch, 4, rows, columns]`, see [`decode`].
    pub(crate) shape: Tensor,
    /// `[batch, 1, rows, columns]`
    pub(crate) object: Tensor,
    /// Pixels of the input for one of the map.
    pub(crate) stride: f32,
}

/// A box from the shift in x and y and the logarithms of width and height, all in strides, of a place of the map.
pub(crate) fn decode(shape: [f32; 4], column: usize, row: usize, stride: f32) -> boxes::Rect {
    let (cx, cy) = ((shape[0] + column as f32) * stride, (shape[1] + row as f32) * stride);
    let (half_w, half_h) = (shape[2].exp() * stride / 2.0, shape[3].exp() * stride / 2.0);
    [cx - half_w, cy - half_h, cx + half_w, cy + half_h]
}

/// Every other pixel of every other row as channels: upper left, lower left, upper right, lower right.
fn focus(x: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let y = x.reshape(&[b, c, h / 2, 2, w / 2, 2][..])?.permute([0, 5, 3, 1, 2, 4])?.contiguous()?;
    Ok(y.reshape((b, 4 * c, h / 2, w / 2))?)
}

impl Net for Yolox {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let (batch, ..) = channels(x, self.config.inputs)?;
        let all = (0..batch).map(|i| self.one(&x.narrow(0, i, 1)?, pass)).collect::<Result<_>>()?;
        Ok(Output::Boxes(all))
    }
}
