//! MeshNet (Fedorov et al. 2017): 3D convolutions of growing and shrinking dilation at full resolution.
//!
//! Key layout: `layers.N.weight` (`[out, in, 3, 3, 3]`) and `layers.N.bias`, the last 1 x 1 x 1, as the importer
//! names those of a TensorFlow.js `model.json` (neuroneural/brainchop, MIT).
//!
//! A plane of the result depends on few planes of the layer before, so the layers run as a line: each holds the
//! planes within its reach and passes on one as soon as it can. Memory grows with the planes and the sum of the
//! dilations, not with the volume. With an instance norm a layer needs the whole volume before the next begins.

use super::layers::ops::{self, Act, Geometry};
use super::net::{Net, Output, Pass, within};
use super::params::Params;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What stands between the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(0, x).
    Relu,
    /// exp(x) - 1 below 0.
    Elu,
    /// With the error function.
    Gelu,
}

/// The free numbers of a MeshNet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshNetConfig {
    /// Labels, the background among them.
    pub outputs: usize,
    /// Channels of each layer but the last.
    pub channels: usize,
    /// Dilation of each layer but the last; `[1, 2, 4, 8, 16, 8, 4, 2, 1]` in the published ones.
    pub dilations: Vec<usize>,
    /// What stands between the layers.
    pub activation: Activation,
    /// Whether each channel is brought to mean 0 and deviation 1 before the activation (brainchop's `_gn`), in
    /// place of a bias.
    #[serde(default)]
    pub instance_norm: bool,
}

impl MeshNetConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("outputs", self.outputs, 1, 1000)?;
        within("channels", self.channels, 1, 256)?;
        within("the number of layers", self.dilations.len(), 1, 64)?;
        self.dilations.iter().try_for_each(|d| within("a dilation", *d, 1, 32))
    }
}

/// One 3 x 3 x 3 layer as a plane convolution of three planes at a time.
struct Layer {
    /// `[out, 3 in, 3, 3]`.
    weight: Tensor,
    bias: Option<Tensor>,
    dilation: usize,
}

/// eps of brainchop's norm.
const EPS: f64 = 1e-5;

/// The network.
pub(crate) struct MeshNet {
    layers: Vec<Layer>,
    act: Act,
    norm: bool,
    last: (Tensor, Tensor),
}

impl MeshNet {
    pub(crate) fn new(p: &Params<'_>, config: &MeshNetConfig) -> Result<Self> {
        let c = config.channels;
        let mut layers = Vec::with_capacity(config.dilations.len());
        for (i, dilation) in config.dilations.iter().enumerate() {
            let q = p.at(format!("layers.{i}"));
            let inputs = if i == 0 { 1 } else { c };
            let weight = q.get("weight", &[c, inputs, 3, 3, 3])?;
            let weight = if q.is_listing() {
                weight
            } else {
                weight.permute([0, 2, 1, 3, 4])?.contiguous()?.reshape((c, 3 * inputs, 3, 3))?
            };
            let bias = if config.instance_norm { None } else { Some(q.get("bias", &[c])?) };
            layers.push(Layer { weight, bias, dilation: *dilation });
        }
        let q = p.at(format!("layers.{}", layers.len()));
        let weight = q.get("weight", &[config.outputs, c, 1, 1, 1])?;
        let weight = if q.is_listing() { weight } else { weight.reshape((config.outputs, c, 1, 1))? };
        let last = (weight, q.get("bias", &[config.outputs])?);
        let act = match config.activation {
            Activation::Relu => Act::Relu,
            Activation::Elu => Act::Elu,
            Activation::Gelu => Act::Gelu,
        };
        Ok(Self { layers, act, norm: config.instance_norm, last })
    }

    /// Gives the logits of each plane (`[1, outputs, rows, columns]`) to `sink`, from the first on.
    fn planes(&self, x: &Tensor, pass: &Pass<'_>, sink: &mut dyn FnMut(Tensor) -> Result<()>) -> Result<()> {
        let (_, _, slices, rows, columns) = x.dims5()?;
        let progress = |done: usize| (pass.cx().progress)(done as f32 / slices as f32, "Running the network");
        let last = |y: Tensor| ops::conv2d(&y, &self.last.0, Some(&self.last.1), Geometry::new(1, 0), false);
        let mut done = 0;
        if self.norm {
            let mut planes: Vec<Tensor> =
                (0..slices).map(|z| x.narrow(2, z, 1)?.squeeze(2)).collect::<Result<_, _>>()?;
            for layer in &self.layers {
                let mut next = Vec::with_capacity(slices);
                let mut line = Line::new(layer, Act::None, rows, columns);
                for plane in planes.drain(..) {
                    line.push(plane, pass, &mut |y| {
                        next.push(y);
                        Ok(())
                    })?;
                }
                line.finish(pass, &mut |y| {
                    next.push(y);
                    Ok(())
                })?;
                planes = normalised(next, self.act)?;
            }
            for plane in planes {
                pass.step()?;
                sink(last(plane)?)?;
            }
            return Ok(());
        }
        let mut lines: Vec<Line<'_>> = self.layers.iter().map(|l| Line::new(l, self.act, rows, columns)).collect();
        let mut end = |y: Tensor| {
            done += 1;
            progress(done);
            sink(last(y)?)
        };
        for z in 0..slices {
            push_all(&mut lines, x.narrow(2, z, 1)?.squeeze(2)?, pass, &mut end)?;
        }
        for l in 0..lines.len() {
            let (head, rest) = lines.split_at_mut(l + 1);
            head[l].finish(pass, &mut |y| push_all(rest, y, pass, &mut end))?;
        }
        Ok(())
    }
}

/// A plane into the first line, what comes out of it into the next.
fn push_all(
    lines: &mut [Line<'_>],
    plane: Tensor,
    pass: &Pass<'_>,
    end: &mut dyn FnMut(Tensor) -> Result<()>,
) -> Result<()> {
    match lines.split_first_mut() {
        None => end(plane),
        Some((first, rest)) => first.push(plane, pass, &mut |y| push_all(rest, y, pass, end)),
    }
}

/// Each channel of a volume, given as planes, to mean 0 and deviation 1; then the activation.
fn normalised(planes: Vec<Tensor>, act: Act) -> Result<Vec<Tensor>> {
    let Some(first) = planes.first() else { return Ok(planes) };
    let channels = first.dim(1)?;
    let (mut sum, mut squares, mut n) = (vec![0f64; channels], vec![0f64; channels], 0f64);
    for plane in &planes {
        let values: Vec<f32> = plane.flatten_all()?.to_vec1()?;
        let size = values.len() / channels.max(1);
        for (c, part) in values.chunks(size.max(1)).enumerate() {
            sum[c] += part.iter().map(|v| f64::from(*v)).sum::<f64>();
            squares[c] += part.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>();
        }
        n += size as f64;
    }
    let (mut scale, mut shift) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
    for c in 0..channels {
        let mean = sum[c] / n;
        let s = 1.0 / ((squares[c] / n - mean * mean).max(0.0) + EPS).sqrt();
        scale.push(s as f32);
        shift.push((-mean * s) as f32);
    }
    let (scale, shift) = (Tensor::new(scale, &Device::Cpu)?, Tensor::new(shift, &Device::Cpu)?);
    planes.into_iter().map(|p| act.apply(&ops::affine(&p, &scale, &shift, false)?)).collect()
}

/// A layer with the planes within its reach.
struct Line<'a> {
    layer: &'a Layer,
    act: Act,
    zero: Option<Tensor>,
    size: (usize, usize),
    held: VecDeque<Tensor>,
    /// Number of the first plane held, of those that came, of those that left.
    first: usize,
    came: usize,
    left: usize,
}

impl<'a> Line<'a> {
    fn new(layer: &'a Layer, act: Act, rows: usize, columns: usize) -> Self {
        Self { layer, act, zero: None, size: (rows, columns), held: VecDeque::new(), first: 0, came: 0, left: 0 }
    }

    fn push(&mut self, plane: Tensor, pass: &Pass<'_>, out: &mut dyn FnMut(Tensor) -> Result<()>) -> Result<()> {
        self.held.push_back(plane);
        self.came += 1;
        while self.left + self.layer.dilation < self.came {
            pass.step()?;
            let y = self.next()?;
            out(y)?;
        }
        Ok(())
    }

    fn finish(&mut self, pass: &Pass<'_>, out: &mut dyn FnMut(Tensor) -> Result<()>) -> Result<()> {
        while self.left < self.came {
            pass.step()?;
            let y = self.next()?;
            out(y)?;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Tensor> {
        let d = self.layer.dilation;
        let inputs = self.layer.weight.dim(1)? / 3;
        if self.zero.is_none() {
            self.zero = Some(Tensor::zeros((1, inputs, self.size.0, self.size.1), DType::F32, &Device::Cpu)?);
        }
        let zero = self.zero.as_ref();
        let plane =
            |z: Option<usize>| z.and_then(|z| z.checked_sub(self.first)).and_then(|i| self.held.get(i)).or(zero);
        let z = self.left;
        let three: Vec<&Tensor> = [z.checked_sub(d), Some(z), Some(z + d)].into_iter().filter_map(plane).collect();
        let stack = Tensor::cat(&three, 1)?;
        let g = Geometry::new(1, d).dilated(d);
        let relu = self.act == Act::Relu;
        let y = ops::conv2d(&stack, &self.layer.weight, self.layer.bias.as_ref(), g, relu)?;
        self.left += 1;
        while self.first + d < self.left {
            self.held.pop_front();
            self.first += 1;
        }
        if matches!(self.act, Act::Relu | Act::None) { Ok(y) } else { self.act.apply(&y) }
    }
}

fn one_volume(x: &Tensor) -> Result<(usize, usize, usize)> {
    match x.dims() {
        [1, 1, slices, rows, columns] => Ok((*slices, *rows, *columns)),
        other => {
            Err(Error::Image { reason: format!("the network takes [1, 1, slices, rows, columns], not {other:?}") })
        }
    }
}

impl Net for MeshNet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let (slices, ..) = one_volume(x)?;
        let mut planes = Vec::with_capacity(slices);
        self.planes(x, pass, &mut |y| {
            planes.push(y);
            Ok(())
        })?;
        Ok(Output::Masks(Tensor::stack(&planes, 2)?))
    }

    fn labels(&self, x: &Tensor, pass: &mut Pass<'_>) -> Option<Result<Vec<u16>>> {
        let run = || {
            let (slices, rows, columns) = one_volume(x)?;
            let mut labels = Vec::with_capacity(slices * rows * columns);
            self.planes(x, pass, &mut |y| {
                labels.extend(super::net::largest(&y.squeeze(0)?)?);
                Ok(())
            })?;
            Ok(labels)
        };
        Some(run())
    }
}

/// `model.N.0` of the PyTorch implementation (a sequence per layer) and `model.N` of its last layer.
pub(crate) fn rename(name: &str) -> String {
    match name.strip_prefix("model.").map(|rest| rest.split('.').collect::<Vec<_>>()).as_deref() {
        Some([n, "0", what] | [n, what]) => format!("layers.{n}.{what}"),
        _ => name.to_owned(),
    }
}
