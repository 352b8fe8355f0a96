//! The ResNet autoencoder of TorchXRayVision: bottlenecks down, transposed bottlenecks up.
//!
//! Key layout of `torchxrayvision/autoencoders.py` (Apache-2.0): `conv1 bn1 layer{1-4}.{i}` as a ResNet, but layer 4
//! has the width of layer 2 and stride 6, and every block has a ReLU before its sum as well; `uplayer{1-4}.{i}.conv{1-3} bn{1-3} upsample.{0,1}`, `uplayer_top`,
//! `conv1_1`. What it cannot restore it has not seen: the residual is a test for images outside its data.

use super::layers::block::{ConvLayer, UpConv};
use super::layers::ops::{Act, Geometry, Pool, Transposed};
use super::net::{Net, Output, Pass, channels, within};
use super::params::Params;
use super::resnet::{Block, EPS, block, sixty_four};
use crate::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The free numbers of a ResNet autoencoder. Input and output have as many channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetAeConfig {
    /// Channels of the image.
    pub inputs: usize,
    /// Blocks per layer: `[3, 4, 23, 2]` for 101.
    pub blocks: [usize; 4],
    /// Channels of the first layer; 64 in the published one.
    #[serde(default = "sixty_four")]
    pub width: usize,
}

impl ResNetAeConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("inputs", self.inputs, 1, 64)?;
        within("width", self.width, 4, 512)?;
        self.blocks.iter().try_for_each(|b| within("the number of blocks", *b, 1, 64))
    }
}

enum Middle {
    Plain(ConvLayer),
    Up(UpConv),
}

/// `DeconvBottleneck`.
struct UpBlock {
    first: ConvLayer,
    middle: Middle,
    last: ConvLayer,
    upsample: Option<UpConv>,
}

impl UpBlock {
    fn new(p: &Params<'_>, inputs: usize, planes: usize, expansion: usize, stride: usize) -> Result<Self> {
        let outputs = planes * expansion;
        let norm = |n: usize| p.at(format!("bn{n}"));
        let conv = |n: usize, i: usize, o: usize| -> Result<ConvLayer> {
            ConvLayer::new(&p.at(format!("conv{n}")), i, o, 1, Geometry::new(1, 0), false)?.norm(&norm(n), EPS)
        };
        let first = conv(1, inputs, planes)?.act(Act::Relu);
        let middle = if stride == 1 {
            let conv = ConvLayer::new(&p.at("conv2"), planes, planes, 3, Geometry::new(1, 1), false)?;
            Middle::Plain(conv.norm(&norm(2), EPS)?.act(Act::Relu))
        } else {
            let how = Transposed { stride, padding: 1, output_padding: 1 };
            Middle::Up(UpConv::new(&p.at("conv2"), planes, planes, 3, how, false)?.norm(&norm(2), EPS)?)
        };
        let last = conv(3, planes, outputs)?.act(Act::Relu);
        let upsample = if stride != 1 || inputs != outputs {
            let how = Transposed { stride, padding: 0, output_padding: 1 };
            let q = p.at("upsample");
            Some(UpConv::new(&q.at(0), inputs, outputs, 1, how, false)?.norm(&q.at(1), EPS)?)
        } else {
            None
        };
        Ok(Self { first, middle, last, upsample })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.first.forward(x)?;
        let y = match &self.middle {
            Middle::Plain(conv) => conv.forward(&y)?,
            Middle::Up(up) => up.forward(&y)?.relu()?,
        };
        let y = self.last.forward(&y)?;
        let skip = match &self.upsample {
            Some(up) => up.forward(x)?,
            None => x.clone(),
        };
        Ok((y + skip)?.relu()?)
    }
}

/// The network.
pub(crate) struct ResNetAe {
    inputs: usize,
    stem: ConvLayer,
    down: Vec<Vec<Block>>,
    up: Vec<Vec<UpBlock>>,
    last: UpConv,
}

impl ResNetAe {
    pub(crate) fn new(p: &Params<'_>, config: &ResNetAeConfig) -> Result<Self> {
        let w = config.width;
        let stem = ConvLayer::new(&p.at("conv1"), config.inputs, w, 7, Geometry::new(2, 3), false)?
            .norm(&p.at("bn1"), EPS)?
            .act(Act::Relu);
        let mut width = w;
        let mut down = Vec::with_capacity(4);
        for (l, (planes, stride)) in [(w, 1), (2 * w, 2), (4 * w, 2), (2 * w, 6)].into_iter().enumerate() {
            let mut layer = Vec::with_capacity(config.blocks[l]);
            for b in 0..config.blocks[l] {
                let q = p.at(format!("layer{}.{b}", l + 1));
                let stride = if b == 0 { stride } else { 1 };
                layer.push(block(&q, width, planes, stride, 1, true, EPS)?.with_inner_relu());
                width = 4 * planes;
            }
            down.push(layer);
        }
        // The outermost layers double the width of the block's planes instead of quadrupling it.
        let mut up = Vec::with_capacity(5);
        for (l, (planes, stride)) in [(2 * w, 6), (w, 2), (w / 2, 2), (w / 4, 2)].into_iter().enumerate() {
            let count = config.blocks[3 - l];
            let mut layer = Vec::with_capacity(count);
            for b in 0..count {
                let q = p.at(format!("uplayer{}.{b}", l + 1));
                let last = b + 1 == count;
                let (expansion, stride) = if last { (2, stride) } else { (4, 1) };
                layer.push(UpBlock::new(&q, width, planes, expansion, stride)?);
            }
            width = 2 * planes;
            up.push(layer);
        }
        up.push(vec![UpBlock::new(&p.at("uplayer_top"), width, w, 1, 2)?]);
        let how = Transposed { stride: 1, padding: 0, output_padding: 0 };
        let last = UpConv::new(&p.at("conv1_1"), w, config.inputs, 1, how, false)?;
        Ok(Self { inputs: config.inputs, stem, down, up, last })
    }
}

impl Net for ResNetAe {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        channels(x, self.inputs)?;
        let mut y = Pool::new(3, 2, 1).max(&self.stem.forward(x)?)?;
        for block in self.down.iter().flatten() {
            pass.step()?;
            y = block.forward(&y)?;
        }
        pass.tap("z", &y)?;
        for block in self.up.iter().flatten() {
            pass.step()?;
            y = block.forward(&y)?;
        }
        Ok(Output::Image(self.last.forward(&y)?))
    }
}
