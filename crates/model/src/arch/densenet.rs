//! DenseNet (Huang et al. 2017) as torchvision builds it; the published chest X-ray networks have its key layout.
//!
//! Key layout of `torchvision/models/densenet.py` (BSD-3) and `torchxrayvision/models.py` (Apache-2.0):
//! `features.conv0 norm0 denseblock{b}.denselayer{j}.norm1 conv1 norm2 conv2 transition{b}.norm conv norm5
//! classifier`; the older `norm.1` and `conv.1` are renamed by the importer.

use super::layers::block::{BatchNorm, ConvLayer, Dense};
use super::layers::ops::{self, Act, Geometry, Pool};
use super::net::{Net, Output, Pass, channels, within};
use super::params::Params;
use super::resnet::EPS;
use crate::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The free numbers of a DenseNet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseNetConfig {
    /// Input channels.
    pub inputs: usize,
    /// Classes.
    pub outputs: usize,
    /// Layers per dense block: `[6, 12, 24, 16]` for 121.
    pub blocks: [usize; 4],
    /// Channels that each layer adds; 32 for 121.
    pub growth: usize,
    /// Channels of the stem; 64 for 121.
    pub stem: usize,
    /// Width of the 1 x 1 convolution in growths.
    #[serde(default = "four")]
    pub bottleneck: usize,
}

fn four() -> usize {
    4
}

impl DenseNetConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("inputs", self.inputs, 1, 64)?;
        within("outputs", self.outputs, 1, 100_000)?;
        within("growth", self.growth, 1, 128)?;
        within("stem", self.stem, 1, 512)?;
        within("bottleneck", self.bottleneck, 1, 16)?;
        self.blocks.iter().try_for_each(|b| within("the number of layers", *b, 1, 128))
    }
}

struct Layer {
    norm: BatchNorm,
    narrow: ConvLayer,
    grow: ConvLayer,
}

struct Block {
    layers: Vec<Layer>,
    transition: Option<(BatchNorm, ConvLayer)>,
}

/// The network.
pub(crate) struct DenseNet {
    inputs: usize,
    stem: ConvLayer,
    blocks: Vec<Block>,
    norm: BatchNorm,
    classifier: Dense,
}

impl DenseNet {
    pub(crate) fn new(p: &Params<'_>, config: &DenseNetConfig) -> Result<Self> {
        let q = p.at("features");
        let stem = ConvLayer::new(&q.at("conv0"), config.inputs, config.stem, 7, Geometry::new(2, 3), false)?
            .norm(&q.at("norm0"), EPS)?
            .act(Act::Relu);
        let wide = config.bottleneck * config.growth;
        let mut width = config.stem;
        let mut blocks = Vec::with_capacity(4);
        for (b, count) in config.blocks.iter().enumerate() {
            let mut layers = Vec::with_capacity(*count);
            for j in 0..*count {
                let r = q.at(format!("denseblock{}.denselayer{}", b + 1, j + 1));
                layers.push(Layer {
                    norm: BatchNorm::new(&r.at("norm1"), width, EPS)?,
                    narrow: ConvLayer::new(&r.at("conv1"), width, wide, 1, Geometry::new(1, 0), false)?
                        .norm(&r.at("norm2"), EPS)?
                        .act(Act::Relu),
                    grow: ConvLayer::new(&r.at("conv2"), wide, config.growth, 3, Geometry::new(1, 1), false)?,
                });
                width += config.growth;
            }
            let transition = if b < 3 {
                let r = q.at(format!("transition{}", b + 1));
                let norm = BatchNorm::new(&r.at("norm"), width, EPS)?;
                let conv = ConvLayer::new(&r.at("conv"), width, width / 2, 1, Geometry::new(1, 0), false)?;
                width /= 2;
                Some((norm, conv))
            } else {
                None
            };
            blocks.push(Block { layers, transition });
        }
        let norm = BatchNorm::new(&q.at("norm5"), width, EPS)?;
        let classifier = Dense::new(&p.at("classifier"), width, config.outputs)?;
        Ok(Self { inputs: config.inputs, stem, blocks, norm, classifier })
    }
}

impl Net for DenseNet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        channels(x, self.inputs)?;
        let mut x = Pool::new(3, 2, 1).max(&self.stem.forward(x)?)?;
        for (b, block) in self.blocks.iter().enumerate() {
            for layer in &block.layers {
                pass.step()?;
                let y = layer.narrow.forward(&layer.norm.forward(&x, true)?)?;
                x = Tensor::cat(&[&x, &layer.grow.forward(&y)?], 1)?;
            }
            pass.tap(&format!("denseblock{}", b + 1), &x)?;
            if let Some((norm, conv)) = &block.transition {
                x = Pool::new(2, 2, 0).average(&conv.forward(&norm.forward(&x, true)?)?)?;
            }
        }
        let x = self.norm.forward(&x, true)?;
        pass.tap("features", &x)?;
        Ok(Output::Logits(self.classifier.forward(&ops::global_average(&x)?)?))
    }
}

/// `denselayer1.norm.1` of before torchvision 0.4, and the classifier inside a sequence (CheXNet).
pub(crate) fn rename(name: &str) -> String {
    let mut name = name.to_owned();
    for part in ["norm", "conv"] {
        for n in 1..=2 {
            name = name.replace(&format!(".{part}.{n}."), &format!(".{part}{n}."));
        }
    }
    name.replace("classifier.0.", "classifier.")
}
