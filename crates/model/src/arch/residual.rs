//! A plain residual CNN for images on their own grid (in the manner of DnCNN, Zhang et al. 2017, and VDSR, Kim et al.
//! 2016): what it predicts is the difference to one of its inputs.
//!
//! | tensors | shape |
//! |---|---|
//! | `conv.0` | `[width, inputs, 3, 3]`, ReLU |
//! | `conv.1` … `conv.(depth - 2)` | `[width, width, 3, 3]`, ReLU |
//! | `last` | `[outputs, width, 3, 3]` |
//!
//! Each with a bias, no norms: a norm would take the image's own brightness away.

use super::layers::block::ConvLayer;
use super::layers::ops::{Act, Geometry};
use super::net::{Net, Output, Pass, channels, within};
use super::params::Params;
use crate::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The free numbers of a residual CNN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidualConfig {
    /// Input channels.
    pub inputs: usize,
    /// Channels between.
    pub width: usize,
    /// Convolutions in all.
    pub depth: usize,
    /// The input channel that the prediction is added to.
    #[serde(default)]
    pub skip: usize,
}

impl ResidualConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("inputs", self.inputs, 1, 64)?;
        within("width", self.width, 1, 512)?;
        within("depth", self.depth, 2, 64)?;
        if self.skip >= self.inputs { Err("skip is none of the inputs".into()) } else { Ok(()) }
    }
}

/// The network.
pub(crate) struct Residual {
    config: ResidualConfig,
    convs: Vec<ConvLayer>,
    last: ConvLayer,
}

impl Residual {
    pub(crate) fn new(p: &Params<'_>, config: &ResidualConfig) -> Result<Self> {
        let same = Geometry::new(1, 1);
        let convs = (0..config.depth - 1)
            .map(|i| {
                let inputs = if i == 0 { config.inputs } else { config.width };
                Ok(ConvLayer::new(&p.at("conv").at(i), inputs, config.width, 3, same, true)?.act(Act::Relu))
            })
            .collect::<Result<_>>()?;
        Ok(Self { config: config.clone(), convs, last: ConvLayer::new(&p.at("last"), config.width, 1, 3, same, true)? })
    }
}

impl Net for Residual {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        channels(x, self.config.inputs)?;
        let mut y = x.clone();
        for conv in &self.convs {
            pass.step()?;
            y = conv.forward(&y)?;
        }
        pass.tap("features", &y)?;
        Ok(Output::Image((self.last.forward(&y)? + x.narrow(1, self.config.skip, 1)?)?))
    }
}
