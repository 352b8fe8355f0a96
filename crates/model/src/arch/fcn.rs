//! FCN on a dilated ResNet (Long et al. 2015), as torchvision builds `fcn_resnet50`.
//!
//! Key layout of `torchvision/models/segmentation/fcn.py` (BSD-3): `backbone.*` as [`super::resnet`] with layers 3
//! and 4 dilated instead of strided (output stride 8), `classifier.{0,1,4}`, `aux_classifier.{0,1,4}`.

use super::layers::block::ConvLayer;
use super::layers::ops::{self, Act, Geometry};
use super::net::{Net, Output, Pass, channels};
use super::params::Params;
use super::resnet::{EPS, ResNetConfig, ResNetTrunk, Trunk, sixty_four};
use crate::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The free numbers of an FCN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FcnConfig {
    /// Input channels.
    pub inputs: usize,
    /// Labels, the background among them.
    pub outputs: usize,
    /// Blocks per layer of the backbone; `[3, 4, 6, 3]` for ResNet-50.
    pub blocks: [usize; 4],
    /// Channels of the backbone's first layer.
    #[serde(default = "sixty_four")]
    pub width: usize,
    /// Whether the second head, on layer 3, is kept; its masks are an inner activation, `aux`.
    #[serde(default)]
    pub aux: bool,
}

impl FcnConfig {
    fn backbone(&self) -> ResNetConfig {
        ResNetConfig { inputs: self.inputs, outputs: 1, blocks: self.blocks, bottleneck: true, width: self.width }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        super::net::within("outputs", self.outputs, 1, 10_000)?;
        self.backbone().check()
    }
}

/// 3 x 3 convolution, norm, ReLU, then 1 x 1 to the labels.
struct Head([ConvLayer; 2]);

impl Head {
    fn new(p: &Params<'_>, inputs: usize, outputs: usize) -> Result<Self> {
        let inner = inputs / 4;
        let first =
            ConvLayer::new(&p.at(0), inputs, inner, 3, Geometry::new(1, 1), false)?.norm(&p.at(1), EPS)?.act(Act::Relu);
        Ok(Self([first, ConvLayer::new(&p.at(4), inner, outputs, 1, Geometry::new(1, 0), true)?]))
    }

    fn forward(&self, x: &Tensor, rows: usize, columns: usize) -> Result<Tensor> {
        let y = self.0[1].forward(&self.0[0].forward(x)?)?;
        ops::upsample_bilinear(&y, rows, columns, false)
    }
}

/// The network.
pub(crate) struct Fcn {
    inputs: usize,
    backbone: ResNetTrunk,
    classifier: Head,
    aux: Option<Head>,
}

impl Fcn {
    pub(crate) fn new(p: &Params<'_>, config: &FcnConfig) -> Result<Self> {
        let trunk = Trunk { eps: EPS, dilate: [false, true, true] };
        let backbone = ResNetTrunk::new(&p.at("backbone"), &config.backbone(), trunk)?;
        let [_, _, c3, c4] = backbone.channels();
        let classifier = Head::new(&p.at("classifier"), c4, config.outputs)?;
        let aux = if config.aux { Some(Head::new(&p.at("aux_classifier"), c3, config.outputs)?) } else { None };
        Ok(Self { inputs: config.inputs, backbone, classifier, aux })
    }
}

impl Net for Fcn {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let (_, rows, columns) = channels(x, self.inputs)?;
        let maps = self.backbone.forward(x, pass, "backbone.")?;
        pass.tap("features", &maps[3])?;
        if let (Some(aux), true) = (&self.aux, pass.wants("aux")) {
            let y = aux.forward(&maps[2], rows, columns)?;
            pass.tap("aux", &y)?;
        }
        Ok(Output::Masks(self.classifier.forward(&maps[3], rows, columns)?))
    }
}
