//! Darknet networks (Redmon): YOLOv3, YOLOv3-tiny and others of the same layers, built from their `.cfg`.
//!
//! The card holds the text of the `.cfg`; the tensors are those of a `.weights` file, section by section:
//! `N.weight`, and `N.bias` or `N.{bias,scales,rolling_mean,rolling_variance}` with N counted as Darknet counts.
//! Public domain (pjreddie/darknet). The norm is `(x - mean) / (sqrt(variance) + 1e-6)`.

use super::boxes::{self, sigmoid};
use crate::arch::layers::block::{ConvLayer, Factors};
use crate::arch::layers::ops::{self, Act, Geometry};
use crate::arch::net::{Detections, Net, Output, Pass, channels, within};
use crate::arch::params::{Params, Shapes};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The free numbers of a Darknet network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DarknetConfig {
    /// Labels; there is no background.
    pub outputs: usize,
    /// Smallest score of a result.
    #[serde(default = "half")]
    pub score: f32,
    /// Overlap above which the worse of two boxes of one label falls.
    #[serde(default = "iou")]
    pub iou: f32,
    /// Text of the `.cfg`.
    pub cfg: String,
}

fn half() -> f32 {
    0.5
}
fn iou() -> f32 {
    0.45
}

/// One section that computes.
#[derive(Debug, Clone, PartialEq)]
enum Section {
    Conv { inputs: usize, outputs: usize, size: usize, geometry: Geometry, norm: bool, act: Act },
    Max { size: usize, stride: usize },
    Route { layers: Vec<usize>, groups: usize, group: usize },
    Shortcut { from: usize, act: Act },
    Upsample { stride: usize },
    Yolo { anchors: Vec<[f32; 2]>, scale_xy: f32 },
}

/// A `.cfg`, read.
#[derive(Debug, Clone, PartialEq)]
struct Plan {
    inputs: usize,
    sections: Vec<Section>,
}

type Options<'a> = HashMap<&'a str, &'a str>;

fn number<T: std::str::FromStr>(options: &Options<'_>, key: &str, default: Option<T>) -> Result<T, String> {
    match (options.get(key), default) {
        (Some(text), _) => text.parse().map_err(|_| format!("the cfg's {key}={text} is no number")),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(format!("the cfg lacks {key}")),
    }
}

fn list<T: std::str::FromStr>(options: &Options<'_>, key: &str) -> Result<Vec<T>, String> {
    let text = options.get(key).ok_or_else(|| format!("the cfg lacks {key}"))?;
    let part = |t: &str| t.trim().parse().map_err(|_| format!("the cfg's {key} holds '{}'", t.trim()));
    text.split(',').filter(|t| !t.trim().is_empty()).map(part).collect()
}

fn act(options: &Options<'_>) -> Result<Act, String> {
    match options.get("activation").copied().unwrap_or("linear") {
        "linear" => Ok(Act::None),
        "relu" => Ok(Act::Relu),
        "leaky" => Ok(Act::Leaky(0.1)),
        "logistic" => Ok(Act::Sigmoid),
        "swish" => Ok(Act::Silu),
        other => Err(format!("the cfg's activation {other} is not known")),
    }
}

impl DarknetConfig {
    /// The first `=` of each line parts a key from its value; `#` and `;` begin a note.
    fn plan(&self) -> Result<Plan, String> {
        if self.cfg.len() > 1 << 20 {
            return Err("the cfg is longer than 1 MiB".into());
        }
        let mut parts: Vec<(&str, Options<'_>)> = Vec::new();
        for line in self.cfg.lines().map(|l| l.split(['#', ';']).next().unwrap_or("").trim()) {
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                parts.push((name, Options::new()));
            } else if let (Some((key, value)), Some(last)) = (line.split_once('='), parts.last_mut()) {
                last.1.insert(key.trim(), value.trim());
            }
        }
        let [("net" | "network", net), rest @ ..] = parts.as_slice() else {
            return Err("the cfg does not begin with [net]".into());
        };
        let inputs = number(net, "channels", Some(3))?;
        within("the cfg's channels", inputs, 1, 16)?;
        within("the number of the cfg's sections", rest.len(), 1, 512)?;
        let mut widths: Vec<usize> = Vec::with_capacity(rest.len());
        let mut sections = Vec::with_capacity(rest.len());
        for (n, (name, o)) in rest.iter().enumerate() {
            let before = widths.last().copied().unwrap_or(inputs);
            let back = |i: i64| -> Result<usize, String> {
                let at = if i < 0 { n as i64 + i } else { i };
                usize::try_from(at).ok().filter(|at| *at < n).ok_or(format!("the cfg's section {n} refers to {i}"))
            };
            let (section, width) = match *name {
                "convolutional" => {
                    let size = number(o, "size", Some(1))?;
                    let outputs = number(o, "filters", Some(1))?;
                    let groups = number(o, "groups", Some(1))?;
                    within("the cfg's size", size, 1, 15)?;
                    within("the cfg's filters", outputs, 1, 8192)?;
                    within("the cfg's groups", groups, 1, outputs)?;
                    if before % groups != 0 || outputs % groups != 0 {
                        return Err(format!("the cfg's section {n} does not part into {groups} groups"));
                    }
                    let pad = number(o, "pad", Some(0))? != 0;
                    let padding = if pad { size / 2 } else { number(o, "padding", Some(0))? };
                    let stride = number(o, "stride", Some(1))?;
                    within("the cfg's stride", stride, 1, 8)?;
                    within("the cfg's padding", padding, 0, 15)?;
                    let geometry = Geometry::new(stride, padding).grouped(groups);
                    let norm = number(o, "batch_normalize", Some(0))? != 0;
                    (Section::Conv { inputs: before, outputs, size, geometry, norm, act: act(o)? }, outputs)
                }
                "maxpool" => {
                    let stride = number(o, "stride", Some(1))?;
                    let size = number(o, "size", Some(stride))?;
                    within("the cfg's size", size, 1, 31)?;
                    within("the cfg's stride", stride, 1, 8)?;
                    (Section::Max { size, stride }, before)
                }
                "route" => {
                    let layers = list::<i64>(o, "layers")?.into_iter().map(back).collect::<Result<Vec<_>, _>>()?;
                    let (groups, group) = (number(o, "groups", Some(1))?, number(o, "group_id", Some(0))?);
                    let sum: usize = layers.iter().map(|l| widths[*l]).sum();
                    if layers.is_empty()
                        || groups == 0
                        || group >= groups
                        || layers.iter().any(|l| !widths[*l].is_multiple_of(groups))
                    {
                        return Err(format!("the cfg's section {n} joins nothing"));
                    }
                    (Section::Route { layers, groups, group }, sum / groups)
                }
                "shortcut" => {
                    let from = back(number(o, "from", None)?)?;
                    if widths[from] != before {
                        return Err(format!("the cfg's section {n} adds {} to {before} channels", widths[from]));
                    }
                    (Section::Shortcut { from, act: act(o)? }, before)
                }
                "upsample" => {
                    let stride = number(o, "stride", Some(2))?;
                    within("the cfg's stride", stride, 1, 8)?;
                    (Section::Upsample { stride }, before)
                }
                "yolo" => {
                    let flat: Vec<f32> = list(o, "anchors")?;
                    let mask: Vec<usize> = list(o, "mask")?;
                    let pair = |m: &usize| Some([*flat.get(2 * m)?, *flat.get(2 * m + 1)?]);
                    let anchors: Option<Vec<_>> = mask.iter().map(pair).collect();
                    let anchors = anchors.ok_or(format!("the cfg's section {n} names an anchor that is not there"))?;
                    let classes: usize = number(o, "classes", None)?;
                    if classes != self.outputs {
                        return Err(format!("the cfg has {classes} classes, the card {} labels", self.outputs));
                    }
                    if before != anchors.len() * (5 + classes) {
                        return Err(format!(
                            "the cfg's section {n} needs {} channels, {before} come",
                            anchors.len() * (5 + classes)
                        ));
                    }
                    (Section::Yolo { anchors, scale_xy: number(o, "scale_x_y", Some(1.0))? }, before)
                }
                other => return Err(format!("the cfg's section [{other}] is not known")),
            };
            widths.push(width);
            sections.push(section);
        }
        if !sections.iter().any(|s| matches!(s, Section::Yolo { .. })) {
            return Err("the cfg has no [yolo] section".into());
        }
        Ok(Plan { inputs, sections })
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        within("outputs", self.outputs, 1, 10_000)?;
        if !(0.0..=1.0).contains(&self.score) || !(0.0..=1.0).contains(&self.iou) {
            return Err("score or iou is not between 0 and 1".into());
        }
        self.plan().map(drop)
    }

    /// Channels of the input; 3 where the cfg is not readable.
    pub(crate) fn inputs(&self) -> usize {
        self.plan().map_or(3, |p| p.inputs)
    }

    /// Name and shape of each tensor in the order of a `.weights` file.
    pub(crate) fn in_file_order(&self) -> Shapes {
        let Ok(plan) = self.plan() else { return Shapes::new() };
        let mut all = Shapes::new();
        for (n, section) in plan.sections.iter().enumerate() {
            if let Section::Conv { inputs, outputs, size, geometry, norm, .. } = section {
                all.push((format!("{n}.bias"), vec![*outputs]));
                if *norm {
                    for name in ["scales", "rolling_mean", "rolling_variance"] {
                        all.push((format!("{n}.{name}"), vec![*outputs]));
                    }
                }
                all.push((format!("{n}.weight"), vec![*outputs, inputs / geometry.groups, *size, *size]));
            }
        }
        all
    }
}

enum Layer {
    Conv(ConvLayer),
    Other(Section),
}

/// The network.
pub(crate) struct Darknet {
    config: DarknetConfig,
    inputs: usize,
    layers: Vec<Layer>,
    /// Which results a later layer asks for.
    kept: Vec<bool>,
}

impl Darknet {
    pub(crate) fn new(p: &Params<'_>, config: &DarknetConfig) -> Result<Self> {
        let plan = config.plan().map_err(|reason| Error::Image { reason })?;
        let mut kept = vec![false; plan.sections.len()];
        for section in &plan.sections {
            match section {
                Section::Route { layers, .. } => layers.iter().for_each(|l| kept[*l] = true),
                Section::Shortcut { from, .. } => kept[*from] = true,
                _ => {}
            }
        }
        let layers = plan
            .sections
            .into_iter()
            .enumerate()
            .map(|(n, section)| match section {
                Section::Conv { inputs, outputs, size, geometry, norm, act } => {
                    let q = p.at(n);
                    let mut bias = q.get("bias", &[outputs])?;
                    let statistics = if norm {
                        let at = |name: &str| q.get(name, &[outputs]);
                        Some([at("scales")?, at("rolling_mean")?, at("rolling_variance")?])
                    } else {
                        None
                    };
                    let mut weight = q.get("weight", &[outputs, inputs / geometry.groups, size, size])?;
                    if let (Some([scales, mean, variance]), false) = (&statistics, q.is_listing()) {
                        let norm = Factors::new([scales, &bias, mean, variance], |v| v.sqrt() + 1e-6)?;
                        // Darknet's bias stands behind its norm.
                        (weight, bias) = norm.fold(&weight, 0, None)?;
                    }
                    Ok(Layer::Conv(ConvLayer::from_parts(weight, Some(bias), geometry, act)))
                }
                other => Ok(Layer::Other(other)),
            })
            .collect::<Result<_>>()?;
        Ok(Self { config: config.clone(), inputs: plan.inputs, layers, kept })
    }

    fn one(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Detections> {
        let (_, rows, columns) = channels(x, self.inputs)?;
        let fault = || Error::Image { reason: "the cfg's layers do not fit this size of image".into() };
        let mut x = x.clone();
        let mut results: Vec<Option<Tensor>> = Vec::with_capacity(self.layers.len());
        let mut found = Found::default();
        for (n, layer) in self.layers.iter().enumerate() {
            pass.step()?;
            let earlier = |i: usize| results.get(i).and_then(Option::as_ref).ok_or_else(fault);
            x = match layer {
                Layer::Conv(conv) => conv.forward(&x)?,
                Layer::Other(Section::Max { size, stride }) => max_pool(&x, *size, *stride)?,
                Layer::Other(Section::Route { layers, groups, group }) => {
                    let parts = layers
                        .iter()
                        .map(|l| {
                            let t = earlier(*l)?;
                            let width = t.dim(1)? / groups;
                            Ok(t.narrow(1, group * width, width)?)
                        })
                        .collect::<Result<Vec<_>>>()?;
                    if parts.iter().any(|p| p.dims()[2..] != parts[0].dims()[2..]) {
                        return Err(fault());
                    }
                    Tensor::cat(&parts, 1)?
                }
                Layer::Other(Section::Shortcut { from, act }) => {
                    let other = earlier(*from)?;
                    if other.dims() != x.dims() {
                        return Err(fault());
                    }
                    act.apply(&(&x + other)?)?
                }
                Layer::Other(Section::Upsample { stride }) => {
                    ops::upsample_nearest(&x, x.dim(2)? * stride, x.dim(3)? * stride)?
                }
                Layer::Other(Section::Yolo { anchors, scale_xy }) => {
                    pass.tap(&format!("yolo{n}"), &x)?;
                    found.collect(&x, anchors, *scale_xy, &self.config, rows, columns)?;
                    x
                }
                Layer::Other(Section::Conv { .. }) => return Err(fault()),
            };
            pass.tap(&format!("layer{n}"), &x)?;
            results.push(if self.kept[n] { Some(x.clone()) } else { None });
        }
        let kept = boxes::nms(&found.boxes, &found.scores, &found.labels, self.config.iou);
        Ok(Detections {
            boxes: kept.iter().map(|i| found.boxes[*i]).collect(),
            scores: kept.iter().map(|i| found.scores[*i]).collect(),
            labels: kept.iter().map(|i| found.labels[*i]).collect(),
            masks: None,
        })
    }
}

/// Darknet's pool: a border of `size - 1` in all, less of it before than after.
fn max_pool(x: &Tensor, size: usize, stride: usize) -> Result<Tensor> {
    let (batch, c, h, w) = x.dims4()?;
    let out = |n: usize| (n - 1) / stride + 1;
    let (rows, columns) = (out(h), out(w));
    let before = (size - 1) / 2;
    let data: Vec<f32> = x.flatten_all()?.to_vec1()?;
    let mut y = vec![f32::NEG_INFINITY; batch * c * rows * columns];
    let span = |o: usize, n: usize| {
        let from = o * stride;
        from.saturating_sub(before)..(from + size).saturating_sub(before).min(n)
    };
    for (plane, y) in data.chunks_exact(h * w).zip(y.chunks_exact_mut(rows * columns)) {
        for oy in 0..rows {
            for ox in 0..columns {
                let xs = span(ox, w);
                let values = span(oy, h).flat_map(|iy| &plane[iy * w..][xs.clone()]);
                y[oy * columns + ox] = values.copied().fold(f32::NEG_INFINITY, f32::max);
            }
        }
    }
    Ok(Tensor::from_vec(y, (batch, c, rows, columns), &Device::Cpu)?)
}

#[derive(Default)]
struct Found {
    boxes: Vec<boxes::Rect>,
    scores: Vec<f32>,
    labels: Vec<usize>,
}

impl Found {
    /// `x`: `[1, anchors * (5 + classes), h, w]`: shift in x and y, logarithm of width and height, object, classes.
    fn collect(
        &mut self,
        x: &Tensor,
        anchors: &[[f32; 2]],
        scale_xy: f32,
        config: &DarknetConfig,
        rows: usize,
        columns: usize,
    ) -> Result<()> {
        let (_, _, h, w) = x.dims4()?;
        let data: Vec<f32> = x.flatten_all()?.to_vec1()?;
        let size = h * w;
        let each = 5 + config.outputs;
        for i in 0..size {
            for (a, [aw, ah]) in anchors.iter().enumerate() {
                let at = |n: usize| data[(a * each + n) * size + i];
                let object = sigmoid(at(4));
                if object <= config.score {
                    continue;
                }
                let shift = |v: f32| scale_xy * sigmoid(v) - 0.5 * (scale_xy - 1.0);
                let cx = ((i % w) as f32 + shift(at(0))) / w as f32 * columns as f32;
                let cy = ((i / w) as f32 + shift(at(1))) / h as f32 * rows as f32;
                let (half_w, half_h) = (at(2).min(20.0).exp() * aw / 2.0, at(3).min(20.0).exp() * ah / 2.0);
                for label in 0..config.outputs {
                    let score = object * sigmoid(at(5 + label));
                    if score > config.score {
                        self.boxes.push([cx - half_w, cy - half_h, cx + half_w, cy + half_h]);
                        self.scores.push(score);
                        self.labels.push(label);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Net for Darknet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let (batch, ..) = channels(x, self.inputs)?;
        let all = (0..batch).map(|i| self.one(&x.narrow(0, i, 1)?, pass)).collect::<Result<_>>()?;
        Ok(Output::Boxes(all))
    }
}

/// A `.cfg` of its layers.
struct Text(String);

impl Text {
    fn conv(&mut self, filters: usize, size: usize, stride: usize, last: bool) {
        let (norm, act) = if last { ("", "linear") } else { ("batch_normalize=1\n", "leaky") };
        self.0 += &format!(
            "[convolutional]\n{norm}filters={filters}\nsize={size}\nstride={stride}\npad=1\nactivation={act}\n"
        );
    }

    fn part(&mut self, name: &str, options: &str) {
        self.0 += &format!("[{name}]\n{options}\n");
    }

    fn yolo(&mut self, mask: &str, anchors: &str, classes: usize) {
        self.part("yolo", &format!("mask={mask}\nanchors={anchors}\nclasses={classes}"));
    }
}

/// YOLOv3 (Redmon, Farhadi 2018): Darknet-53, then three heads of growing fineness.
#[must_use]
pub fn yolov3(classes: usize) -> String {
    const ANCHORS: &str = "10,13,16,30,33,23,30,61,62,45,59,119,116,90,156,198,373,326";
    let mut t = Text("[net]\nwidth=416\nheight=416\nchannels=3\n".into());
    t.conv(32, 3, 1, false);
    for (level, blocks) in [1, 2, 8, 8, 4].into_iter().enumerate() {
        let width = 64 << level;
        t.conv(width, 3, 2, false);
        for _ in 0..blocks {
            t.conv(width / 2, 1, 1, false);
            t.conv(width, 3, 1, false);
            t.part("shortcut", "from=-3\nactivation=linear");
        }
    }
    // Each later head goes back four sections, doubles its map and joins one of the trunk.
    for (width, mask, join) in [(512, "6,7,8", None), (256, "3,4,5", Some(61)), (128, "0,1,2", Some(36))] {
        if let Some(join) = join {
            t.part("route", "layers=-4");
            t.conv(width, 1, 1, false);
            t.part("upsample", "stride=2");
            t.part("route", &format!("layers=-1,{join}"));
        }
        for _ in 0..3 {
            t.conv(width, 1, 1, false);
            t.conv(2 * width, 3, 1, false);
        }
        t.conv(3 * (5 + classes), 1, 1, true);
        t.yolo(mask, ANCHORS, classes);
    }
    t.0
}

/// YOLOv3-tiny: seven convolutions with pools between, then two heads.
#[must_use]
pub fn yolov3_tiny(classes: usize) -> String {
    const ANCHORS: &str = "10,14,23,27,37,58,81,82,135,169,344,319";
    let mut t = Text("[net]\nwidth=416\nheight=416\nchannels=3\n".into());
    for level in 0..6 {
        t.conv(16 << level, 3, 1, false);
        t.part("maxpool", &format!("size=2\nstride={}", if level == 5 { 1 } else { 2 }));
    }
    t.conv(1024, 3, 1, false);
    t.conv(256, 1, 1, false);
    t.conv(512, 3, 1, false);
    t.conv(3 * (5 + classes), 1, 1, true);
    t.yolo("3,4,5", ANCHORS, classes);
    t.part("route", "layers=-4");
    t.conv(128, 1, 1, false);
    t.part("upsample", "stride=2");
    t.part("route", "layers=-1,8");
    t.conv(256, 3, 1, false);
    t.conv(3 * (5 + classes), 1, 1, true);
    // The published tiny network has the first three anchors here, not 1 to 3.
    t.yolo("0,1,2", ANCHORS, classes);
    t.0
}
