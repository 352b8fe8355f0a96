//! Convolutional autoencoder without skip connections, for masks (in the manner of SegNet) or for restoring images.
//!
//! | tensors | shape |
//! |---|---|
//! | `encoder.L.conv` + `encoder.L.norm` | `[channels[L], previous, 3, 3]`, ReLU, then a 2 x 2 max-pool |
//! | `decoder.L.up` | transposed, `[previous, channels[L], 2, 2]`, stride 2 |
//! | `decoder.L.conv` + `decoder.L.norm` | `[channels[L], channels[L], 3, 3]`, ReLU; level 0 is the finest |
//! | `head` | `[outputs, channels[0], 1, 1]` |
//!
//! All that is known of the image passes the bottleneck, so what the network never saw is not restored: the
//! difference to the input shows it.

use super::layers::block::{ConvLayer, UpConv};
use super::layers::ops::{Act, Geometry, Pool, Transposed};
use super::net::{Net, Output, Pass, channels, within};
use super::params::Params;
use super::resnet::EPS;
use crate::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gives {
    /// A plane per label.
    Masks,
    /// An image.
    Image,
}

/// The free numbers of the autoencoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoencoderConfig {
    /// Input channels.
    pub inputs: usize,
    /// Labels or channels that come out.
    pub outputs: usize,
    /// Channels per level, from the finest; the image is halved behind each.
    pub channels: Vec<usize>,
    /// What comes out.
    pub gives: Gives,
}

impl AutoencoderConfig {
    pub(crate) fn check(&self, rows: usize, columns: usize) -> Result<(), String> {
        within("inputs", self.inputs, 1, 64)?;
        within("outputs", self.outputs, 1, 1000)?;
        within("the number of levels", self.channels.len(), 1, 8)?;
        self.channels.iter().try_for_each(|c| within("channels", *c, 1, 4096))?;
        let step = 1 << self.channels.len();
        if !rows.is_multiple_of(step) || !columns.is_multiple_of(step) {
            return Err(format!("{columns} x {rows} pixels cannot be halved {} times", self.channels.len()));
        }
        Ok(())
    }
}

/// The network.
pub(crate) struct Autoencoder {
    config: AutoencoderConfig,
    encoder: Vec<ConvLayer>,
    /// Coarsest first.
    decoder: Vec<(UpConv, ConvLayer)>,
    head: ConvLayer,
}

impl Autoencoder {
    pub(crate) fn new(p: &Params<'_>, config: &AutoencoderConfig) -> Result<Self> {
        let conv = |p: &Params<'_>, inputs: usize, outputs: usize| -> Result<ConvLayer> {
            let conv = ConvLayer::new(&p.at("conv"), inputs, outputs, 3, Geometry::new(1, 1), false)?;
            Ok(conv.norm(&p.at("norm"), EPS)?.act(Act::Relu))
        };
        let c = &config.channels;
        let encoder = (0..c.len())
            .map(|l| conv(&p.at(format!("encoder.{l}")), if l == 0 { config.inputs } else { c[l - 1] }, c[l]))
            .collect::<Result<_>>()?;
        let twice = Transposed { stride: 2, padding: 0, output_padding: 0 };
        let decoder = (0..c.len())
            .rev()
            .map(|l| {
                let q = p.at(format!("decoder.{l}"));
                let inputs = if l + 1 == c.len() { c[l] } else { c[l + 1] };
                Ok((UpConv::new(&q.at("up"), inputs, c[l], 2, twice, true)?, conv(&q, c[l], c[l])?))
            })
            .collect::<Result<_>>()?;
        let head = ConvLayer::new(&p.at("head"), c[0], config.outputs, 1, Geometry::new(1, 0), true)?;
        Ok(Self { config: config.clone(), encoder, decoder, head })
    }
}

impl Net for Autoencoder {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        channels(x, self.config.inputs)?;
        let mut x = x.clone();
        for conv in &self.encoder {
            pass.step()?;
            x = Pool::new(2, 2, 0).max(&conv.forward(&x)?)?;
        }
        pass.tap("bottleneck", &x)?;
        for (up, conv) in &self.decoder {
            pass.step()?;
            x = conv.forward(&up.forward(&x)?)?;
        }
        let y = self.head.forward(&x)?;
        Ok(match self.config.gives {
            Gives::Masks => Output::Masks(y),
            Gives::Image => Output::Image(y),
        })
    }
}
