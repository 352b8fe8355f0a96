//! U-Net (Ronneberger et al. 2015) in the layout of the published brain-MRI U-Net.
//!
//! Key layout of mateuszbuda/brain-segmentation-pytorch `unet.py` (MIT): `encoder{1-4}.enc{i}conv{1,2}` without
//! bias, `enc{i}norm{1,2}`, `bottleneck.bottleneckconv{1,2}`, `upconv{4-1}` (transposed 2 x 2),
//! `decoder{4-1}.dec{i}conv{1,2}`, `conv`. The published network ends in a sigmoid; the logits are given here.

use super::layers::block::{ConvLayer, UpConv};
use super::layers::ops::{self, Act, Geometry, Pool, Transposed};
use super::net::{Net, Output, Pass, channels, within};
use super::params::Params;
use super::resnet::EPS;
use crate::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// What stands behind each convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// Batch norm.
    #[default]
    Batch,
    /// Instance norm without parameters, PyTorch's default.
    Instance,
    /// None; the convolutions have a bias then.
    None,
}

/// The free numbers of the U-Net.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaneUNetConfig {
    /// Input channels.
    pub inputs: usize,
    /// Labels.
    pub outputs: usize,
    /// Channels of the finest level, doubled at each; 32 in the published one.
    pub features: usize,
    /// Levels above the bottleneck; 4 in the published one.
    #[serde(default = "four")]
    pub levels: usize,
    /// What stands behind each convolution.
    #[serde(default)]
    pub norm: Norm,
}

fn four() -> usize {
    4
}

impl PlaneUNetConfig {
    pub(crate) fn check(&self, rows: usize, columns: usize) -> Result<(), String> {
        within("inputs", self.inputs, 1, 64)?;
        within("outputs", self.outputs, 1, 1000)?;
        within("features", self.features, 1, 256)?;
        within("levels", self.levels, 1, 6)?;
        let step = 1 << self.levels;
        if !rows.is_multiple_of(step) || !columns.is_multiple_of(step) {
            return Err(format!("{columns} x {rows} pixels cannot be halved {} times", self.levels));
        }
        Ok(())
    }
}

struct Pair {
    convs: [ConvLayer; 2],
    instance: bool,
}

impl Pair {
    fn new(p: &Params<'_>, name: &str, inputs: usize, outputs: usize, norm: Norm) -> Result<Self> {
        let conv = |i: usize, inputs: usize| -> Result<ConvLayer> {
            let q = p.at(format!("{name}conv{i}"));
            let conv = ConvLayer::new(&q, inputs, outputs, 3, Geometry::new(1, 1), norm == Norm::None)?;
            Ok(match norm {
                Norm::Batch => conv.norm(&p.at(format!("{name}norm{i}")), EPS)?.act(Act::Relu),
                Norm::Instance => conv,
                Norm::None => conv.act(Act::Relu),
            })
        };
        Ok(Self { convs: [conv(1, inputs)?, conv(2, outputs)?], instance: norm == Norm::Instance })
    }

    fn forward(&self, x: &Tensor, pass: &Pass<'_>) -> Result<Tensor> {
        let mut x = x.clone();
        for conv in &self.convs {
            pass.step()?;
            x = conv.forward(&x)?;
            if self.instance {
                x = ops::group_norm(&x, x.dim(1)?, None, EPS)?.relu()?;
            }
        }
        Ok(x)
    }
}

/// The network.
pub(crate) struct PlaneUNet {
    inputs: usize,
    /// Finest first.
    down: Vec<Pair>,
    bottleneck: Pair,
    /// Deepest first.
    up: Vec<(UpConv, Pair)>,
    conv: ConvLayer,
}

impl PlaneUNet {
    pub(crate) fn new(p: &Params<'_>, config: &PlaneUNetConfig) -> Result<Self> {
        let f = |level: usize| config.features << level;
        let down = (0..config.levels)
            .map(|l| {
                let inputs = if l == 0 { config.inputs } else { f(l - 1) };
                Pair::new(&p.at(format!("encoder{}", l + 1)), &format!("enc{}", l + 1), inputs, f(l), config.norm)
            })
            .collect::<Result<_>>()?;
        let n = config.levels;
        let bottleneck = Pair::new(&p.at("bottleneck"), "bottleneck", f(n - 1), f(n), config.norm)?;
        let twice = Transposed { stride: 2, padding: 0, output_padding: 0 };
        let up = (0..n)
            .rev()
            .map(|l| {
                let up = UpConv::new(&p.at(format!("upconv{}", l + 1)), f(l + 1), f(l), 2, twice, true)?;
                let name = format!("dec{}", l + 1);
                Ok((up, Pair::new(&p.at(format!("decoder{}", l + 1)), &name, 2 * f(l), f(l), config.norm)?))
            })
            .collect::<Result<_>>()?;
        let conv = ConvLayer::new(&p.at("conv"), f(0), config.outputs, 1, Geometry::new(1, 0), true)?;
        Ok(Self { inputs: config.inputs, down, bottleneck, up, conv })
    }
}

impl Net for PlaneUNet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        channels(x, self.inputs)?;
        let mut x = x.clone();
        let mut skips = Vec::with_capacity(self.down.len());
        for pair in &self.down {
            let y = pair.forward(&x, pass)?;
            x = Pool::new(2, 2, 0).max(&y)?;
            skips.push(y);
        }
        x = self.bottleneck.forward(&x, pass)?;
        pass.tap("bottleneck", &x)?;
        for (up, pair) in &self.up {
            x = up.forward(&x)?;
            if let Some(skip) = skips.pop() {
                x = Tensor::cat(&[&x, &skip], 1)?;
            }
            x = pair.forward(&x, pass)?;
        }
        pass.tap("features", &x)?;
        Ok(Output::Masks(self.conv.forward(&x)?))
    }
}
