//! Generative adversarial networks: DCGAN (Radford et al. 2016) and SRGAN (Ledig et al. 2017).
//!
//! Key layouts: PyTorch's DCGAN example (BSD-3), `main.N` for both halves; leftthomas/SRGAN `model.py`, `block1.{0,1}`,
//! `block{2..}.{conv1,bn1,prelu,conv2,bn2}`, `block7.{0,1}`, `block8.{i}` for the generator, `net.N` for the
//! discriminator. The discriminators give a logit: their sigmoid belongs to the card.

use super::layers::block::{ConvLayer, UpConv};
use super::layers::ops::{self, Act, Geometry, Transposed};
use super::net::{Net, Output, Pass, channels, within};
use super::params::Params;
use super::resnet::{EPS, sixty_four};
use crate::{Error, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The free numbers of a DCGAN half.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DcganConfig {
    /// Length of the noise (100); has no meaning for the discriminator.
    #[serde(default = "hundred")]
    pub latent: usize,
    /// Channels of the image.
    pub channels: usize,
    /// Channels of the finest layer; 64 in the paper.
    pub features: usize,
    /// Doublings between 4 x 4 and the image: 4 for 64 x 64.
    #[serde(default = "four")]
    pub doublings: usize,
    /// Whether the discriminator's inner layers carry batch norms, as in the paper; trained with spectral norms it has
    /// none (Miyato et al. 2018), since a batch norm undoes their bound. The generator always has its own.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub norm: bool,
}

fn yes() -> bool {
    true
}
fn is_yes(b: &bool) -> bool {
    *b
}
fn hundred() -> usize {
    100
}
fn four() -> usize {
    4
}

impl DcganConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("latent", self.latent, 1, 4096)?;
        within("channels", self.channels, 1, 16)?;
        within("features", self.features, 1, 256)?;
        within("doublings", self.doublings, 1, 7)
    }

    /// Rows and columns of the image.
    pub(crate) fn side(&self) -> usize {
        4 << self.doublings
    }
}

/// Noise to image in [-1, 1].
pub(crate) struct DcganGenerator {
    layers: Vec<UpConv>,
}

impl DcganGenerator {
    pub(crate) fn new(p: &Params<'_>, c: &DcganConfig) -> Result<Self> {
        let p = p.at("main");
        let n = c.doublings;
        let up = |i: usize, inputs: usize, outputs: usize, how: Transposed, last: bool| -> Result<UpConv> {
            let conv = UpConv::new(&p.at(3 * i), inputs, outputs, 4, how, false)?;
            if last { Ok(conv) } else { conv.norm(&p.at(3 * i + 1), EPS) }
        };
        let widest = c.features << (n - 1);
        let mut layers = vec![up(0, c.latent, widest, Transposed { stride: 1, padding: 0, output_padding: 0 }, false)?];
        for i in 1..=n {
            let inputs = widest >> (i - 1);
            let outputs = if i == n { c.channels } else { inputs / 2 };
            layers.push(up(i, inputs, outputs, Transposed { stride: 2, padding: 1, output_padding: 0 }, i == n)?);
        }
        Ok(Self { layers })
    }
}

impl Net for DcganGenerator {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let mut x = x.unsqueeze(2)?.unsqueeze(3)?;
        for (i, layer) in self.layers.iter().enumerate() {
            pass.step()?;
            x = layer.forward(&x)?;
            x = if i + 1 == self.layers.len() { x.tanh()? } else { x.relu()? };
            pass.tap(&format!("layer{i}"), &x)?;
        }
        Ok(Output::Image(x))
    }
}

/// Image to one logit: made up below 0, real above.
pub(crate) struct DcganDiscriminator {
    channels: usize,
    side: usize,
    layers: Vec<ConvLayer>,
}

impl DcganDiscriminator {
    pub(crate) fn new(p: &Params<'_>, c: &DcganConfig) -> Result<Self> {
        let p = p.at("main");
        let n = c.doublings;
        let conv = |at: usize, i: usize, o: usize, g: Geometry| ConvLayer::new(&p.at(at), i, o, 4, g, false);
        let leaky = Act::Leaky(0.2);
        let mut layers = vec![conv(0, c.channels, c.features, Geometry::new(2, 1))?.act(leaky)];
        for i in 1..n {
            let width = c.features << (i - 1);
            let at = 3 * i - 1;
            let layer = conv(at, width, 2 * width, Geometry::new(2, 1))?;
            let layer = if c.norm { layer.norm(&p.at(at + 1), EPS)? } else { layer };
            layers.push(layer.act(leaky));
        }
        layers.push(conv(3 * n - 1, c.features << (n - 1), 1, Geometry::new(1, 0))?);
        Ok(Self { channels: c.channels, side: c.side(), layers })
    }
}

impl Net for DcganDiscriminator {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let (batch, rows, columns) = channels(x, self.channels)?;
        if (rows, columns) != (self.side, self.side) {
            let reason = format!("the network takes images of {0} x {0} pixels, not {columns} x {rows}", self.side);
            return Err(Error::Image { reason });
        }
        let mut x = x.clone();
        for layer in &self.layers {
            pass.step()?;
            x = layer.forward(&x)?;
        }
        Ok(Output::Logits(x.reshape((batch, 1))?))
    }
}

/// The free numbers of an SRGAN half.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SrganConfig {
    /// Channels of the image.
    pub channels: usize,
    /// Channels of the generator's layers and of the discriminator's finest one; 64 in the paper.
    #[serde(default = "sixty_four")]
    pub features: usize,
    /// How many times larger the result is: 2, 4 or 8.
    #[serde(default = "four")]
    pub scale: usize,
    /// Residual blocks; 5 in the published layout, 16 in the paper.
    #[serde(default = "five")]
    pub blocks: usize,
}

fn five() -> usize {
    5
}

impl SrganConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("channels", self.channels, 1, 16)?;
        within("features", self.features, 1, 256)?;
        within("blocks", self.blocks, 1, 64)?;
        if [2, 4, 8].contains(&self.scale) { Ok(()) } else { Err("scale is 2, 4 or 8".into()) }
    }
}

struct SrBlock {
    first: ConvLayer,
    slope: Tensor,
    second: ConvLayer,
}

/// Low to high resolution, in [0, 1].
pub(crate) struct SrganGenerator {
    channels: usize,
    stem: (ConvLayer, Tensor),
    blocks: Vec<SrBlock>,
    join: ConvLayer,
    up: Vec<(ConvLayer, Tensor)>,
    last: ConvLayer,
}

impl SrganGenerator {
    pub(crate) fn new(p: &Params<'_>, c: &SrganConfig) -> Result<Self> {
        let f = c.features;
        let conv =
            |p: Params<'_>, i: usize, o: usize, k: usize| ConvLayer::new(&p, i, o, k, Geometry::same(k, 1), true);
        let q = p.at("block1");
        let stem = (conv(q.at(0), c.channels, f, 9)?, q.at(1).get("weight", &[1])?);
        let blocks = (0..c.blocks)
            .map(|b| {
                let q = p.at(format!("block{}", b + 2));
                Ok(SrBlock {
                    first: conv(q.at("conv1"), f, f, 3)?.norm(&q.at("bn1"), EPS)?,
                    slope: q.at("prelu").get("weight", &[1])?,
                    second: conv(q.at("conv2"), f, f, 3)?.norm(&q.at("bn2"), EPS)?,
                })
            })
            .collect::<Result<_>>()?;
        let q = p.at(format!("block{}", c.blocks + 2));
        let join = conv(q.at(0), f, f, 3)?.norm(&q.at(1), EPS)?;
        let q = p.at(format!("block{}", c.blocks + 3));
        let doublings = c.scale.ilog2() as usize;
        let up = (0..doublings)
            .map(|i| {
                let r = q.at(i);
                Ok((conv(r.at("conv"), f, 4 * f, 3)?, r.at("prelu").get("weight", &[1])?))
            })
            .collect::<Result<_>>()?;
        let last = conv(q.at(doublings), f, c.channels, 9)?;
        Ok(Self { channels: c.channels, stem, blocks, join, up, last })
    }
}

impl Net for SrganGenerator {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        channels(x, self.channels)?;
        let start = ops::prelu(&self.stem.0.forward(x)?, &self.stem.1)?;
        let mut x = start.clone();
        for block in &self.blocks {
            pass.step()?;
            let y = ops::prelu(&block.first.forward(&x)?, &block.slope)?;
            x = (block.second.forward(&y)? + x)?;
        }
        pass.tap("blocks", &x)?;
        x = (self.join.forward(&x)? + start)?;
        for (conv, slope) in &self.up {
            pass.step()?;
            x = ops::prelu(&ops::pixel_shuffle(&conv.forward(&x)?, 2)?, slope)?;
        }
        Ok(Output::Image(((self.last.forward(&x)?.tanh()? + 1.0)? * 0.5)?))
    }
}

/// Image to one logit.
pub(crate) struct SrganDiscriminator {
    channels: usize,
    layers: Vec<ConvLayer>,
    head: [ConvLayer; 2],
}

impl SrganDiscriminator {
    pub(crate) fn new(p: &Params<'_>, c: &SrganConfig) -> Result<Self> {
        let p = p.at("net");
        let f = c.features;
        let leaky = Act::Leaky(0.2);
        let mut layers = vec![ConvLayer::new(&p.at(0), c.channels, f, 3, Geometry::new(1, 1), true)?.act(leaky)];
        // Width in and out, stride; each with a norm.
        let steps = [(1, 1, 2), (1, 2, 1), (2, 2, 2), (2, 4, 1), (4, 4, 2), (4, 8, 1), (8, 8, 2)];
        for (i, (inputs, outputs, stride)) in steps.into_iter().enumerate() {
            let at = 2 + 3 * i;
            let conv = ConvLayer::new(&p.at(at), inputs * f, outputs * f, 3, Geometry::new(stride, 1), true)?;
            layers.push(conv.norm(&p.at(at + 1), EPS)?.act(leaky));
        }
        // 23 is the average over the image.
        let head = [
            ConvLayer::new(&p.at(24), 8 * f, 16 * f, 1, Geometry::new(1, 0), true)?.act(leaky),
            ConvLayer::new(&p.at(26), 16 * f, 1, 1, Geometry::new(1, 0), true)?,
        ];
        Ok(Self { channels: c.channels, layers, head })
    }
}

impl Net for SrganDiscriminator {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let (batch, _, _) = channels(x, self.channels)?;
        let mut x = x.clone();
        for layer in &self.layers {
            pass.step()?;
            x = layer.forward(&x)?;
        }
        let x = ops::global_average(&x)?.unsqueeze(2)?.unsqueeze(3)?;
        Ok(Output::Logits(self.head[1].forward(&self.head[0].forward(&x)?)?.reshape((batch, 1))?))
    }
}
