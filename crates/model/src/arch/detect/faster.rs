//! Faster R-CNN (Ren et al. 2015) and Mask R-CNN (He et al. 2017) on a ResNet with a feature pyramid.
//!
//! Key layout of `torchvision/models/detection/{faster_rcnn,mask_rcnn}.py` (BSD-3): `backbone.body.*`,
//! `backbone.fpn.{inner,layer}_blocks.i.0`, `rpn.head.{conv.0.0,cls_logits,bbox_pred}`,
//! `roi_heads.box_head.{fc6,fc7}`, `roi_heads.box_predictor.{cls_score,bbox_pred}`, `roi_heads.mask_head.i.0`,
//! `roi_heads.mask_predictor.{conv5_mask,mask_fcn_logits}`. The published files keep older names, which are renamed,
//! and frozen norms, whose eps is 0.

use super::anchors;
use super::boxes::{self, Coder, Rect};
use super::fpn::Fpn;
use super::roi::{self, Map};
use crate::Result;
use crate::arch::layers::block::{ConvLayer, Dense, UpConv};
use crate::arch::layers::ops::{self, Act, Geometry, Transposed};
use crate::arch::net::{Detections, Net, Output, Pass, channels, within};
use crate::arch::params::Params;
use crate::arch::resnet::{EPS, ResNetConfig, ResNetTrunk, Trunk, sixty_four};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The free numbers of a Faster or Mask R-CNN. All but the first four have torchvision's values where left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FasterConfig {
    /// Input channels.
    pub inputs: usize,
    /// Labels, the background among them as number 0.
    pub outputs: usize,
    /// Blocks per layer of the backbone: `[3, 4, 6, 3]` for ResNet-50.
    pub blocks: [usize; 4],
    /// Channels of the backbone's first layer.
    #[serde(default = "sixty_four")]
    pub width: usize,
    /// Channels of the pyramid.
    #[serde(default = "two_fifty_six")]
    pub pyramid: usize,
    /// Width of the box head.
    #[serde(default = "thousand")]
    pub head: usize,
    /// eps of the backbone's norms; left out, it is set by the file (0 for frozen norms, else 1e-5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_eps: Option<f64>,
    /// Side of the anchors per level, in pixels.
    #[serde(default = "sizes")]
    pub anchor_px: Vec<f32>,
    /// Height / width of the anchors.
    #[serde(default = "ratios")]
    pub anchor_ratios: Vec<f32>,
    /// Proposals per level before, and in all after, suppression.
    #[serde(default = "proposals")]
    pub proposals: [usize; 2],
    /// Overlap above which the worse of two proposals falls.
    #[serde(default = "proposal_iou")]
    pub proposal_iou: f32,
    /// Smallest score of a result.
    #[serde(default = "score")]
    pub score: f32,
    /// Overlap above which the worse of two boxes of one label falls.
    #[serde(default = "iou")]
    pub iou: f32,
    /// Most boxes.
    #[serde(default = "hundred")]
    pub boxes: usize,
}

fn two_fifty_six() -> usize {
    256
}
fn thousand() -> usize {
    1024
}
fn sizes() -> Vec<f32> {
    vec![32.0, 64.0, 128.0, 256.0, 512.0]
}
fn ratios() -> Vec<f32> {
    vec![0.5, 1.0, 2.0]
}
fn proposals() -> [usize; 2] {
    [1000, 1000]
}
fn proposal_iou() -> f32 {
    0.7
}
fn score() -> f32 {
    0.05
}
fn iou() -> f32 {
    0.5
}
fn hundred() -> usize {
    100
}

impl FasterConfig {
    /// torchvision's numbers.
    #[must_use]
    pub fn published(outputs: usize) -> Self {
        Self {
            inputs: 3,
            outputs,
            blocks: [3, 4, 6, 3],
            width: 64,
            pyramid: two_fifty_six(),
            head: thousand(),
            norm_eps: None,
            anchor_px: sizes(),
            anchor_ratios: ratios(),
            proposals: proposals(),
            proposal_iou: proposal_iou(),
            score: score(),
            iou: iou(),
            boxes: hundred(),
        }
    }

    fn backbone(&self) -> ResNetConfig {
        ResNetConfig { inputs: self.inputs, outputs: 1, blocks: self.blocks, bottleneck: true, width: self.width }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.backbone().check()?;
        within("outputs", self.outputs, 2, 10_000)?;
        within("pyramid", self.pyramid, 1, 1024)?;
        within("head", self.head, 1, 8192)?;
        within("the number of anchor sizes", self.anchor_px.len(), 5, 5)?;
        within("the number of anchor ratios", self.anchor_ratios.len(), 1, 16)?;
        within("proposals", self.proposals[0], 1, 20_000)?;
        within("proposals", self.proposals[1], 1, 20_000)?;
        within("boxes", self.boxes, 1, 10_000)?;
        if self.anchor_px.iter().chain(&self.anchor_ratios).any(|v| !(v.is_finite() && *v > 0.0)) {
            return Err("an anchor has no size".into());
        }
        let fraction = |name: &str, v: f32| {
            if (0.0..=1.0).contains(&v) { Ok(()) } else { Err(format!("{name} is not between 0 and 1")) }
        };
        fraction("proposal_iou", self.proposal_iou)?;
        fraction("score", self.score)?;
        fraction("iou", self.iou)?;
        if self.norm_eps.is_some_and(|e| !(0.0..1.0).contains(&e)) {
            return Err("norm_eps is not between 0 and 1".into());
        }
        Ok(())
    }

    /// Frozen norms count no batches.
    pub(crate) fn adapt(&mut self, names: &[&str]) {
        let counted = names.iter().any(|n| n.ends_with("num_batches_tracked"));
        self.norm_eps.get_or_insert(if counted { EPS } else { 0.0 });
    }
}

/// The names of before torchvision 0.14.
pub(crate) fn rename(name: &str) -> String {
    let mut name = name.replace("roi_heads.mask_head.mask_fcn", "roi_heads.mask_head.mask_fcn_");
    // mask_fcn1 to mask_fcn4 are positions 0 to 3.
    if let Some(rest) = name.strip_prefix("roi_heads.mask_head.mask_fcn_")
        && let Some((n, what)) = rest.split_once('.')
        && let Some(n) = n.parse::<usize>().ok().and_then(|n| n.checked_sub(1))
    {
        name = format!("roi_heads.mask_head.{n}.0.{what}");
    }
    for part in ["backbone.fpn.inner_blocks.", "backbone.fpn.layer_blocks."] {
        if let Some(rest) = name.strip_prefix(part)
            && let [level, what] = rest.split('.').collect::<Vec<_>>()[..]
        {
            return format!("{part}{level}.0.{what}");
        }
    }
    match name.strip_prefix("rpn.head.conv.") {
        Some(what @ ("weight" | "bias")) => format!("rpn.head.conv.0.0.{what}"),
        _ => name,
    }
}

struct Rpn {
    conv: ConvLayer,
    logits: ConvLayer,
    deltas: ConvLayer,
}

struct MaskHead {
    convs: Vec<ConvLayer>,
    up: UpConv,
    logits: ConvLayer,
}

/// Either network.
pub(crate) struct Faster {
    config: FasterConfig,
    body: ResNetTrunk,
    fpn: Fpn,
    rpn: Rpn,
    fc: [Dense; 2],
    scores: Dense,
    deltas: Dense,
    mask: Option<MaskHead>,
}

/// Cells of a box's features.
pub(crate) const SIZE: usize = 7;

impl Faster {
    pub(crate) fn new(p: &Params<'_>, config: &FasterConfig, masks: bool) -> Result<Self> {
        let c = config.clone();
        let trunk = Trunk { eps: c.norm_eps.unwrap_or(EPS), dilate: [false; 3] };
        let body = ResNetTrunk::new(&p.at("backbone.body"), &c.backbone(), trunk)?;
        let fpn = Fpn::new(&p.at("backbone.fpn"), &body.channels(), c.pyramid)?;
        let anchors = c.anchor_ratios.len();
        let q = p.at("rpn.head");
        let point = Geometry::new(1, 0);
        let rpn = Rpn {
            conv: ConvLayer::new(&q.at("conv.0.0"), c.pyramid, c.pyramid, 3, Geometry::new(1, 1), true)?.act(Act::Relu),
            logits: ConvLayer::new(&q.at("cls_logits"), c.pyramid, anchors, 1, point, true)?,
            deltas: ConvLayer::new(&q.at("bbox_pred"), c.pyramid, 4 * anchors, 1, point, true)?,
        };
        let q = p.at("roi_heads.box_head");
        let fc =
            [Dense::new(&q.at("fc6"), c.pyramid * SIZE * SIZE, c.head)?, Dense::new(&q.at("fc7"), c.head, c.head)?];
        let q = p.at("roi_heads.box_predictor");
        let scores = Dense::new(&q.at("cls_score"), c.head, c.outputs)?;
        let deltas = Dense::new(&q.at("bbox_pred"), c.head, 4 * c.outputs)?;
        let mask = if masks {
            let q = p.at("roi_heads");
            let convs = (0..4)
                .map(|i| {
                    let r = q.at(format!("mask_head.{i}.0"));
                    let conv = ConvLayer::new(&r, c.pyramid, c.pyramid, 3, Geometry::new(1, 1), true)?;
                    Ok(conv.act(Act::Relu))
                })
                .collect::<Result<_>>()?;
            let twice = Transposed { stride: 2, padding: 0, output_padding: 0 };
            let up = UpConv::new(&q.at("mask_predictor.conv5_mask"), c.pyramid, c.pyramid, 2, twice, true)?;
            let r = q.at("mask_predictor.mask_fcn_logits");
            Some(MaskHead { convs, up, logits: ConvLayer::new(&r, c.pyramid, c.outputs, 1, point, true)? })
        } else {
            None
        };
        Ok(Self { config: c, body, fpn, rpn, fc, scores, deltas, mask })
    }

    pub(crate) fn config(&self) -> &FasterConfig {
        &self.config
    }

    /// Whether it outlines what it finds.
    pub(crate) fn outlines(&self) -> bool {
        self.mask.is_some()
    }

    /// The pyramid's maps, finest first, and the proposal heads' raw numbers of each: `[batch, anchors, rows, columns]`
    /// and `[batch, 4 anchors, rows, columns]`.
    pub(crate) fn maps(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<(Vec<Tensor>, Vec<(Tensor, Tensor)>)> {
        channels(x, self.config.inputs)?;
        let maps = self.fpn.forward(&self.body.forward(x, pass, "backbone.body.")?)?;
        pass.tap("features", &maps[0])?;
        let mut heads = Vec::with_capacity(maps.len());
        for map in &maps {
            let t = self.rpn.conv.forward(map)?;
            heads.push((self.rpn.logits.forward(&t)?, self.rpn.deltas.forward(&t)?));
            pass.step()?;
        }
        Ok((maps, heads))
    }

    /// Raw numbers of the box head, `[boxes, labels]` and `[boxes, 4 labels]`, for features `[boxes, pyramid, 7, 7]`.
    pub(crate) fn box_head(&self, features: &Tensor, pass: &Pass<'_>) -> Result<(Tensor, Tensor)> {
        let mut y = features.flatten_from(1)?;
        for fc in &self.fc {
            pass.step()?;
            y = fc.forward(&y)?.relu()?;
        }
        Ok((self.scores.forward(&y)?, self.deltas.forward(&y)?))
    }

    /// Raw masks `[boxes, labels, 28, 28]` for features `[boxes, pyramid, 14, 14]`; none where the network has no masks.
    pub(crate) fn mask_head(&self, features: &Tensor, pass: &Pass<'_>) -> Option<Result<Tensor>> {
        self.mask.as_ref().map(|head| head.raw(features, pass))
    }

    fn one(&self, x: &Tensor, given: Option<&[Rect]>, pass: &mut Pass<'_>) -> Result<Detections> {
        let (_, rows, columns) = channels(x, self.config.inputs)?;
        let (maps, heads) = self.maps(x, pass)?;
        let proposals = match given {
            Some(regions) => regions.to_vec(),
            None => propose(&self.config, &heads, rows, columns)?,
        };
        let regions: Vec<Map> = maps[..4].iter().map(|m| Map::over(m, rows)).collect::<Result<_>>()?;
        let pooled = |boxes: &[Rect], size: usize| -> Result<Tensor> {
            let levels: Vec<usize> = boxes.iter().map(|b| roi::level(b, regions[0].scale(), 4)).collect();
            roi::align(&regions, boxes, &levels, size)
        };
        if proposals.is_empty() {
            let masks =
                self.mask.as_ref().map(|_| Tensor::zeros((0, 1, rows, columns), candle_core::DType::F32, &Device::Cpu));
            return Ok(Detections { masks: masks.transpose()?, ..Detections::default() });
        }
        let (scores, deltas) = self.box_head(&pooled(&proposals, SIZE)?, pass)?;
        let mut found = select(&self.config, &proposals, &scores.to_vec2()?, &deltas.to_vec2()?, rows, columns);
        if let Some(head) = &self.mask {
            found.masks = Some(head.masks(&found, &pooled, rows, columns, pass)?);
        }
        Ok(found)
    }
}

/// Proposals of all levels: decoded, the best of each level, suppressed within each, best first.
pub(crate) fn propose(
    config: &FasterConfig,
    heads: &[(Tensor, Tensor)],
    rows: usize,
    columns: usize,
) -> Result<Vec<Rect>> {
    let coder = Coder { weights: [1.0; 4] };
    let (mut found, mut scores, mut levels) = (Vec::new(), Vec::new(), Vec::new());
    for (level, (logits, deltas)) in heads.iter().enumerate() {
        let (_, a, h, w) = logits.dims4()?;
        let base = anchors::around_origin(&config.anchor_px[level..=level], &config.anchor_ratios);
        let grid = anchors::grid(&base, h, w, rows, columns);
        // To rows, columns, anchors, as the grid.
        let logits: Vec<f32> = logits.get(0)?.permute([1, 2, 0])?.flatten_all()?.to_vec1()?;
        let deltas = deltas.get(0)?.reshape((a, 4, h, w))?.permute([2, 3, 0, 1])?.contiguous()?;
        let deltas: Vec<f32> = deltas.flatten_all()?.to_vec1()?;
        for i in boxes::order(&logits).into_iter().take(config.proposals[0]) {
            let b = boxes::clip(&coder.decode(&deltas[4 * i..4 * i + 4], &grid[i]), columns, rows);
            if boxes::has_size(&b, 1e-3) {
                found.push(b);
                scores.push(boxes::sigmoid(logits[i]));
                levels.push(level);
            }
        }
    }
    let kept = boxes::nms(&found, &scores, &levels, config.proposal_iou);
    Ok(kept.into_iter().take(config.proposals[1]).map(|i| found[i]).collect())
}

/// Results out of a head's numbers: a box per proposal and label, by score, suppressed within each label.
pub(crate) fn select(
    config: &FasterConfig,
    proposals: &[Rect],
    logits: &[Vec<f32>],
    deltas: &[Vec<f32>],
    rows: usize,
    columns: usize,
) -> Detections {
    let coder = Coder { weights: [10.0, 10.0, 5.0, 5.0] };
    let (mut all, mut scores, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for ((proposal, logits), deltas) in proposals.iter().zip(logits).zip(deltas) {
        for (label, score) in boxes::softmax(logits).into_iter().enumerate().skip(1) {
            if score > config.score {
                let b = boxes::clip(&coder.decode(&deltas[4 * label..4 * label + 4], proposal), columns, rows);
                if boxes::has_size(&b, 1e-2) {
                    all.push(b);
                    scores.push(score);
                    labels.push(label);
                }
            }
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

impl MaskHead {
    fn raw(&self, features: &Tensor, pass: &Pass<'_>) -> Result<Tensor> {
        let mut x = features.clone();
        for conv in &self.convs {
            pass.step()?;
            x = conv.forward(&x)?;
        }
        self.logits.forward(&self.up.forward(&x)?.relu()?)
    }

    fn masks(
        &self,
        found: &Detections,
        pooled: &dyn Fn(&[Rect], usize) -> Result<Tensor>,
        rows: usize,
        columns: usize,
        pass: &Pass<'_>,
    ) -> Result<Tensor> {
        let n = found.boxes.len();
        let mut out = vec![0f32; n * rows * columns];
        if n > 0 {
            let logits = self.raw(&pooled(&found.boxes, 2 * SIZE)?, pass)?;
            for (i, out) in out.chunks_exact_mut(rows * columns).enumerate() {
                let mask = Act::Sigmoid.apply(&logits.get(i)?.get(found.labels[i])?.contiguous()?)?;
                paste(&mask, &found.boxes[i], out, rows, columns)?;
            }
        }
        Ok(Tensor::from_vec(out, (n, 1, rows, columns), &Device::Cpu)?)
    }
}

/// A square mask into the image, at its box: padded by one, the box grown alike, cut to whole pixels, bilinear.
fn paste(mask: &Tensor, b: &Rect, out: &mut [f32], rows: usize, columns: usize) -> Result<()> {
    let side = mask.dim(0)?;
    let mask = mask.pad_with_zeros(0, 1, 1)?.pad_with_zeros(1, 1, 1)?;
    let grow = (side + 2) as f32 / side as f32;
    let (half_w, half_h) = ((b[2] - b[0]) * 0.5 * grow, (b[3] - b[1]) * 0.5 * grow);
    let (cx, cy) = ((b[2] + b[0]) * 0.5, (b[3] + b[1]) * 0.5);
    let [x0, y0, x1, y1] = [cx - half_w, cy - half_h, cx + half_w, cy + half_h].map(|v| v as i64);
    let (w, h) = ((x1 - x0 + 1).max(1) as usize, (y1 - y0 + 1).max(1) as usize);
    let large: Vec<f32> = ops::upsample_bilinear(&mask, h, w, false)?.flatten_all()?.to_vec1()?;
    for y in y0.max(0)..(y1 + 1).min(rows as i64) {
        for x in x0.max(0)..(x1 + 1).min(columns as i64) {
            out[y as usize * columns + x as usize] = large[(y - y0) as usize * w + (x - x0) as usize];
        }
    }
    Ok(())
}

impl Net for Faster {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let (batch, ..) = channels(x, self.config.inputs)?;
        let all = (0..batch).map(|i| self.one(&x.narrow(0, i, 1)?, None, pass)).collect::<Result<_>>()?;
        Ok(Output::Boxes(all))
    }

    fn forward_on(&self, x: &Tensor, regions: &[Rect], pass: &mut Pass<'_>) -> Option<Result<Output>> {
        Some(self.one(x, Some(regions), pass).map(|one| Output::Boxes(vec![one])))
    }
}
