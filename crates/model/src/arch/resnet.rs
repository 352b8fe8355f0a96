//! ResNet (He et al. 2016) as torchvision builds it: the stride of a bottleneck in its 3 x 3 convolution.
//!
//! Key layout of `torchvision/models/resnet.py` (BSD-3): `conv1 bn1 layer{1-4}.{i}.conv{1-3} bn{1-3}
//! downsample.{0,1} fc`; eps 1e-5.

use super::layers::block::{ConvLayer, Dense};
use super::layers::ops::{self, Act, Geometry, Pool};
use super::net::{Net, Output, Pass, channels, within};
use super::params::Params;
use crate::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// eps of torchvision's batch norms.
pub const EPS: f64 = 1e-5;

/// The free numbers of a ResNet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// Input channels.
    pub inputs: usize,
    /// Classes.
    pub outputs: usize,
    /// Blocks per layer: `[3, 4, 6, 3]` for 34 and 50.
    pub blocks: [usize; 4],
    /// Blocks of 1 x 1, 3 x 3, 1 x 1 (50 and deeper) or of two 3 x 3 (18 and 34).
    pub bottleneck: bool,
    /// Channels of the first layer; 64 in all published ones.
    #[serde(default = "sixty_four")]
    pub width: usize,
}

pub(crate) fn sixty_four() -> usize {
    64
}

impl ResNetConfig {
    /// Channels behind layer 1 to 4, counted from 0.
    pub(crate) fn layer_channels(&self, layer: usize) -> Option<usize> {
        (layer < 4).then(|| (self.width << layer) * if self.bottleneck { 4 } else { 1 })
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        within("inputs", self.inputs, 1, 64)?;
        within("outputs", self.outputs, 1, 100_000)?;
        within("width", self.width, 1, 512)?;
        self.blocks.iter().try_for_each(|b| within("the number of blocks", *b, 1, 64))
    }
}

/// What a trunk is made of beyond the classifier's numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trunk {
    /// eps of the batch norms.
    pub(crate) eps: f64,
    /// Layers 2 to 4: dilation in place of stride.
    pub(crate) dilate: [bool; 3],
}

impl Default for Trunk {
    fn default() -> Self {
        Self { eps: EPS, dilate: [false; 3] }
    }
}

/// Convolutions with a way around them.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    convs: Vec<ConvLayer>,
    downsample: Option<ConvLayer>,
    /// Whether there is a ReLU before the sum as well as behind it.
    inner_relu: bool,
}

impl Block {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let skip = match &self.downsample {
            Some(conv) => conv.forward(x)?,
            None => x.clone(),
        };
        let Some((last, before)) = self.convs.split_last() else { return Ok(skip) };
        let mut y = x.clone();
        for conv in before {
            y = conv.forward(&y)?;
        }
        if self.inner_relu {
            return Ok((last.forward(&y)? + skip)?.relu()?);
        }
        last.forward_add(&y, &skip)
    }

    /// With a ReLU before the sum as well.
    pub(crate) fn with_inner_relu(self) -> Self {
        Self { inner_relu: true, ..self }
    }
}

/// Everything before the classifier.
#[derive(Debug, Clone)]
pub(crate) struct ResNetTrunk {
    inputs: usize,
    stem: ConvLayer,
    layers: Vec<Vec<Block>>,
    channels: [usize; 4],
}

impl ResNetTrunk {
    pub(crate) fn new(p: &Params<'_>, config: &ResNetConfig, trunk: Trunk) -> Result<Self> {
        let w = config.width;
        let stem = ConvLayer::new(&p.at("conv1"), config.inputs, w, 7, Geometry::new(2, 3), false)?
            .norm(&p.at("bn1"), trunk.eps)?
            .act(Act::Relu);
        let expansion = if config.bottleneck { 4 } else { 1 };
        let mut inputs = w;
        let mut dilation = 1;
        let mut layers = Vec::with_capacity(4);
        for (l, blocks) in config.blocks.iter().enumerate() {
            let planes = w << l;
            let mut stride = if l == 0 { 1 } else { 2 };
            let before = dilation;
            if l > 0 && trunk.dilate[l - 1] {
                dilation *= stride;
                stride = 1;
            }
            let mut layer = Vec::with_capacity(*blocks);
            for b in 0..*blocks {
                let q = p.at(format!("layer{}.{b}", l + 1));
                let (stride, dilation) = if b == 0 { (stride, before) } else { (1, dilation) };
                layer.push(block(&q, inputs, planes, stride, dilation, config.bottleneck, trunk.eps)?);
                inputs = planes * expansion;
            }
            layers.push(layer);
        }
        let channels = [0, 1, 2, 3].map(|l| (w << l) * expansion);
        Ok(Self { inputs: config.inputs, stem, layers, channels })
    }

    /// Channels of the four layers.
    pub(crate) fn channels(&self) -> [usize; 4] {
        self.channels
    }

    /// The four layers' maps, finest first.
    pub(crate) fn forward(&self, x: &Tensor, pass: &mut Pass<'_>, prefix: &str) -> Result<Vec<Tensor>> {
        channels(x, self.inputs)?;
        let mut x = Pool::new(3, 2, 1).max(&self.stem.forward(x)?)?;
        let mut maps = Vec::with_capacity(4);
        for (l, layer) in self.layers.iter().enumerate() {
            for block in layer {
                pass.step()?;
                x = block.forward(&x)?;
            }
            pass.tap(&format!("{prefix}layer{}", l + 1), &x)?;
            maps.push(x.clone());
        }
        Ok(maps)
    }
}

pub(crate) fn block(
    p: &Params<'_>,
    inputs: usize,
    planes: usize,
    stride: usize,
    dilation: usize,
    bottleneck: bool,
    eps: f64,
) -> Result<Block> {
    let outputs = if bottleneck { 4 * planes } else { planes };
    let conv = |n: usize, inputs: usize, outputs: usize, k: usize, g: Geometry| -> Result<ConvLayer> {
        ConvLayer::new(&p.at(format!("conv{n}")), inputs, outputs, k, g, false)?.norm(&p.at(format!("bn{n}")), eps)
    };
    let convs = if bottleneck {
        vec![
            conv(1, inputs, planes, 1, Geometry::new(1, 0))?.act(Act::Relu),
            conv(2, planes, planes, 3, Geometry::new(stride, dilation).dilated(dilation))?.act(Act::Relu),
            conv(3, planes, outputs, 1, Geometry::new(1, 0))?.act(Act::Relu),
        ]
    } else {
        vec![
            conv(1, inputs, planes, 3, Geometry::new(stride, 1))?.act(Act::Relu),
            conv(2, planes, planes, 3, Geometry::new(1, 1))?.act(Act::Relu),
        ]
    };
    let downsample = if stride != 1 || inputs != outputs {
        let q = p.at("downsample");
        let conv = ConvLayer::new(&q.at(0), inputs, outputs, 1, Geometry::new(stride, 0), false)?;
        Some(conv.norm(&q.at(1), eps)?)
    } else {
        None
    };
    Ok(Block { convs, downsample, inner_relu: false })
}

/// The classifier.
pub(crate) struct ResNet {
    trunk: ResNetTrunk,
    fc: Dense,
}

impl ResNet {
    pub(crate) fn new(p: &Params<'_>, config: &ResNetConfig) -> Result<Self> {
        let trunk = ResNetTrunk::new(p, config, Trunk::default())?;
        let fc = Dense::new(&p.at("fc"), trunk.channels()[3], config.outputs)?;
        Ok(Self { trunk, fc })
    }
}

impl Net for ResNet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let maps = self.trunk.forward(x, pass, "")?;
        let last = maps.last().unwrap_or(x);
        pass.tap("features", last)?;
        Ok(Output::Logits(self.fc.forward(&ops::global_average(last)?)?))
    }

    fn head(&self, features: &Tensor) -> Option<Result<Tensor>> {
        Some(ops::global_average(features).and_then(|x| self.fc.forward(&x)))
    }
}
