//! VGG (Simonyan, Zisserman 2015), with or without batch norm, as torchvision builds it.
//!
//! Key layout of `torchvision/models/vgg.py` (BSD-3): `features.N.{weight,bias}`, the batch norm at the next index,
//! `classifier.{0,3,6}`; the map is averaged to 7 x 7 before the classifier.

use super::layers::block::{ConvLayer, Dense};
use super::layers::ops::{self, Act, Geometry, Pool};
use super::net::{Net, Output, Pass, channels, within};
use super::params::Params;
use crate::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The free numbers of a VGG.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VggConfig {
    /// Input channels.
    pub inputs: usize,
    /// Classes.
    pub outputs: usize,
    /// Channels of the convolutions, one list per stage; a max-pool follows each stage.
    pub stages: Vec<Vec<usize>>,
    /// Whether a batch norm follows each convolution.
    #[serde(default)]
    pub batch_norm: bool,
    /// Width of the two hidden layers of the classifier; 4096 in all published ones.
    #[serde(default = "hidden")]
    pub hidden: usize,
}

fn hidden() -> usize {
    4096
}

impl VggConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("inputs", self.inputs, 1, 64)?;
        within("outputs", self.outputs, 1, 100_000)?;
        within("hidden", self.hidden, 1, 8192)?;
        within("the number of stages", self.stages.len(), 1, 8)?;
        for stage in &self.stages {
            within("the number of convolutions", stage.len(), 1, 16)?;
            stage.iter().try_for_each(|c| within("a convolution's width", *c, 1, 2048))?;
        }
        Ok(())
    }
}

/// A stage: convolutions, then a max-pool.
type Stage = Vec<ConvLayer>;

/// The convolutions of `stages`, named as in a sequence that counts activations and pools too.
pub(crate) fn features(p: &Params<'_>, inputs: usize, stages: &[Vec<usize>], batch_norm: bool) -> Result<Vec<Stage>> {
    let (mut index, mut inputs) = (0, inputs);
    stages
        .iter()
        .map(|stage| {
            let convs = stage
                .iter()
                .map(|outputs| {
                    let conv = ConvLayer::new(&p.at(index), inputs, *outputs, 3, Geometry::new(1, 1), true)?;
                    let conv = if batch_norm { conv.norm(&p.at(index + 1), super::resnet::EPS)? } else { conv };
                    index += if batch_norm { 3 } else { 2 };
                    inputs = *outputs;
                    Ok(conv.act(Act::Relu))
                })
                .collect::<Result<Stage>>()?;
            index += 1;
            Ok(convs)
        })
        .collect()
}

/// The network.
pub(crate) struct Vgg {
    inputs: usize,
    stages: Vec<Stage>,
    classifier: [Dense; 3],
}

impl Vgg {
    pub(crate) fn new(p: &Params<'_>, config: &VggConfig) -> Result<Self> {
        let stages = features(&p.at("features"), config.inputs, &config.stages, config.batch_norm)?;
        let last = config.stages.last().and_then(|s| s.last()).copied().unwrap_or(config.inputs);
        let q = p.at("classifier");
        let classifier = [
            Dense::new(&q.at(0), last * 49, config.hidden)?,
            Dense::new(&q.at(3), config.hidden, config.hidden)?,
            Dense::new(&q.at(6), config.hidden, config.outputs)?,
        ];
        Ok(Self { inputs: config.inputs, stages, classifier })
    }
}

impl Net for Vgg {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        channels(x, self.inputs)?;
        let mut x = x.clone();
        for (s, stage) in self.stages.iter().enumerate() {
            for conv in stage {
                pass.step()?;
                x = conv.forward(&x)?;
            }
            x = Pool::new(2, 2, 0).max(&x)?;
            pass.tap(&format!("stage{}", s + 1), &x)?;
        }
        pass.tap("features", &x)?;
        pass.step()?;
        Ok(Output::Logits(self.classify(&x)?))
    }

    fn head(&self, features: &Tensor) -> Option<Result<Tensor>> {
        Some(self.classify(features))
    }
}

impl Vgg {
    fn classify(&self, features: &Tensor) -> Result<Tensor> {
        let mut x = ops::adaptive_average(features, 7, 7)?.flatten_from(1)?;
        for (i, layer) in self.classifier.iter().enumerate() {
            x = layer.forward(&x)?;
            if i < 2 {
                x = Act::Relu.apply(&x)?;
            }
        }
        Ok(x)
    }
}

/// timm's names of the classifier.
pub(crate) fn rename(name: &str) -> String {
    for (from, to) in
        [("pre_logits.fc1.", "classifier.0."), ("pre_logits.fc2.", "classifier.3."), ("head.fc.", "classifier.6.")]
    {
        if let Some(rest) = name.strip_prefix(from) {
            return format!("{to}{rest}");
        }
    }
    name.to_owned()
}
