//! Networks of MONAI (Apache-2.0) in two or three dimensions: UNet, SegResNet, and the Generator of `mednist_gan`.
//!
//! Key layouts of `monai/networks/nets/{unet,segresnet,generator}.py`: `model.0.conv.unit0.conv`, `adn.{N,A}`,
//! `residual`, `model.1.submodule…`, `model.2.0.conv` (transposed); `convInit.conv`, `down_layers.i.j`,
//! `up_samples.i.0.conv`, `up_layers.i.j`, `conv_final.{0,2}`; `linear`, `conv.layer_k.{0,1}`.

use super::layers::block::{BatchNorm, Dense};
use super::layers::ops::{self, Transposed};
use super::net::{Net, Output, Pass, within};
use super::params::Params;
use super::resnet::EPS;
use super::unet_plane::Norm;
use crate::{Error, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// Convolution in as many dimensions as its kernel has.
struct ConvNd {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: usize,
    transposed: bool,
}

impl ConvNd {
    fn new(
        p: &Params<'_>,
        dims: usize,
        inputs: usize,
        outputs: usize,
        k: usize,
        stride: usize,
        bias: bool,
    ) -> Result<Self> {
        let mut shape = vec![outputs, inputs];
        shape.extend(vec![k; dims]);
        let bias_at = |p: &Params<'_>| if bias { p.get("bias", &[outputs]).map(Some) } else { Ok(None) };
        Ok(Self { weight: p.get("weight", &shape)?, bias: bias_at(p)?, stride, transposed: false })
    }

    /// Kernel 3; multiplies each axis by the stride.
    fn up(p: &Params<'_>, dims: usize, inputs: usize, outputs: usize, stride: usize) -> Result<Self> {
        let mut shape = vec![inputs, outputs];
        shape.extend(vec![3; dims]);
        let (weight, bias) = (p.get("weight", &shape)?, Some(p.get("bias", &[outputs])?));
        Ok(Self { weight, bias, stride, transposed: true })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let k = self.weight.dim(2)?;
        let bias = self.bias.as_ref();
        let three = self.weight.rank() == 5;
        if self.transposed {
            let how = Transposed { stride: self.stride, padding: 1, output_padding: self.stride - 1 };
            return if three {
                ops::conv_transpose3d(x, &self.weight, bias, how)
            } else {
                ops::conv_transpose2d(x, &self.weight, bias, how)
            };
        }
        if three {
            ops::conv3d(x, &self.weight, bias, self.stride, k / 2)
        } else {
            ops::conv2d(x, &self.weight, bias, ops::Geometry::new(self.stride, k / 2), false)
        }
    }
}

/// Norm, then PReLU with one slope (dropout does nothing here).
struct Adn {
    norm: Option<BatchNorm>,
    instance: bool,
    slope: Tensor,
}

impl Adn {
    fn new(p: &Params<'_>, channels: usize, norm: Norm) -> Result<Self> {
        let p = p.at("adn");
        let batch = if norm == Norm::Batch { Some(BatchNorm::new(&p.at("N"), channels, EPS)?) } else { None };
        Ok(Self { norm: batch, instance: norm == Norm::Instance, slope: p.at("A").get("weight", &[1])? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = match &self.norm {
            Some(norm) => norm.forward(x, false)?,
            None if self.instance => ops::group_norm(x, x.dim(1)?, None, EPS)?,
            None => x.clone(),
        };
        ops::prelu(&y, &self.slope)
    }
}

/// MONAI's `Convolution`: `conv`, then `adn` unless it ends a network.
struct Convolution {
    conv: ConvNd,
    adn: Option<Adn>,
}

impl Convolution {
    fn new(p: &Params<'_>, conv: ConvNd, outputs: usize, norm: Norm, bare: bool) -> Result<Self> {
        Ok(Self { conv, adn: if bare { None } else { Some(Adn::new(p, outputs, norm)?) } })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.conv.forward(x)?;
        match &self.adn {
            Some(adn) => adn.forward(&y),
            None => Ok(y),
        }
    }
}

/// MONAI's `ResidualUnit`.
struct Residual {
    units: Vec<Convolution>,
    residual: Option<ConvNd>,
}

impl Residual {
    fn new(
        p: &Params<'_>,
        dims: usize,
        inputs: usize,
        outputs: usize,
        stride: usize,
        units: usize,
        norm: Norm,
        last_bare: bool,
    ) -> Result<Self> {
        let list = (0..units)
            .map(|u| {
                let q = p.at(format!("conv.unit{u}"));
                let (i, s) = if u == 0 { (inputs, stride) } else { (outputs, 1) };
                let conv = ConvNd::new(&q.at("conv"), dims, i, outputs, 3, s, true)?;
                Convolution::new(&q, conv, outputs, norm, last_bare && u + 1 == units)
            })
            .collect::<Result<_>>()?;
        let residual = if stride != 1 || inputs != outputs {
            let k = if stride == 1 { 1 } else { 3 };
            Some(ConvNd::new(&p.at("residual"), dims, inputs, outputs, k, stride, true)?)
        } else {
            None
        };
        Ok(Self { units: list, residual })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut y = x.clone();
        for unit in &self.units {
            y = unit.forward(&y)?;
        }
        Ok(match &self.residual {
            Some(conv) => (y + conv.forward(x)?)?,
            None => (y + x)?,
        })
    }
}

fn spatial(dims: usize) -> Result<(), String> {
    if dims == 2 || dims == 3 { Ok(()) } else { Err(format!("dims is {dims}, not 2 or 3")) }
}

fn image(x: &Tensor, dims: usize, inputs: usize) -> Result<()> {
    if x.rank() == dims + 2 && x.dim(1)? == inputs {
        return Ok(());
    }
    let axes = if dims == 3 { "slices, rows, columns" } else { "rows, columns" };
    Err(Error::Image { reason: format!("the network takes [batch, {inputs}, {axes}], the input is {:?}", x.dims()) })
}

/// The free numbers of MONAI's UNet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UNetConfig {
    /// Dimensions of the image, 2 or 3.
    pub dims: usize,
    /// Input channels.
    pub inputs: usize,
    /// Labels, the background among them.
    pub outputs: usize,
    /// Channels per level: `[16, 32, 64, 128, 256]` for the published spleen network.
    pub channels: Vec<usize>,
    /// Strides between the levels, one fewer.
    pub strides: Vec<usize>,
    /// Convolutions per residual unit; 0 for plain convolutions.
    pub res_units: usize,
    /// What stands behind each convolution.
    #[serde(default)]
    pub norm: Norm,
}

impl UNetConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        spatial(self.dims)?;
        within("inputs", self.inputs, 1, 64)?;
        within("outputs", self.outputs, 1, 1000)?;
        within("the number of levels", self.channels.len(), 2, 8)?;
        within("res_units", self.res_units, 0, 8)?;
        self.channels.iter().try_for_each(|c| within("channels", *c, 1, 2048))?;
        if self.strides.len() + 1 != self.channels.len() {
            return Err("there is one stride fewer than levels".into());
        }
        self.strides.iter().try_for_each(|s| within("a stride", *s, 1, 4))
    }

    /// Each axis of an input is a multiple of this.
    pub(crate) fn step(&self) -> usize {
        self.strides.iter().product()
    }
}

enum Down {
    Residual(Residual),
    Plain(Convolution),
}

impl Down {
    fn new(p: &Params<'_>, c: &UNetConfig, inputs: usize, outputs: usize, stride: usize) -> Result<Self> {
        if c.res_units > 0 {
            return Ok(Self::Residual(Residual::new(p, c.dims, inputs, outputs, stride, c.res_units, c.norm, false)?));
        }
        let conv = ConvNd::new(&p.at("conv"), c.dims, inputs, outputs, 3, stride, true)?;
        Ok(Self::Plain(Convolution::new(p, conv, outputs, c.norm, false)?))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Residual(unit) => unit.forward(x),
            Self::Plain(conv) => conv.forward(x),
        }
    }
}

struct Level {
    down: Down,
    inner: Inner,
    up: Convolution,
    unit: Option<Residual>,
}

enum Inner {
    Level(Box<Level>),
    Bottom(Down),
}

impl Level {
    fn new(p: &Params<'_>, c: &UNetConfig, level: usize, inputs: usize, outputs: usize) -> Result<Self> {
        let (width, stride, top) = (c.channels[level], c.strides[level], level == 0);
        let down = Down::new(&p.at(0), c, inputs, width, stride)?;
        let q = p.at("1.submodule");
        let (inner, joined) = if c.channels.len() - level > 2 {
            (Inner::Level(Box::new(Self::new(&q, c, level + 1, width, width)?)), 2 * width)
        } else {
            let below = c.channels[level + 1];
            (Inner::Bottom(Down::new(&q, c, width, below, 1)?), width + below)
        };
        let q = p.at(2);
        let (up, unit) = if c.res_units > 0 {
            let r = q.at(0);
            let up = ConvNd::up(&r.at("conv"), c.dims, joined, outputs, stride)?;
            let unit = Residual::new(&q.at(1), c.dims, outputs, outputs, 1, 1, c.norm, top)?;
            (Convolution::new(&r, up, outputs, c.norm, false)?, Some(unit))
        } else {
            let up = ConvNd::up(&q.at("conv"), c.dims, joined, outputs, stride)?;
            (Convolution::new(&q, up, outputs, c.norm, top)?, None)
        };
        Ok(Self { down, inner, up, unit })
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        pass.step()?;
        let x = self.down.forward(x)?;
        let y = match &self.inner {
            Inner::Level(level) => level.forward(&x, pass)?,
            Inner::Bottom(bottom) => {
                let y = bottom.forward(&x)?;
                pass.tap("bottom", &y)?;
                y
            }
        };
        let y = self.up.forward(&Tensor::cat(&[&x, &y], 1)?)?;
        match &self.unit {
            Some(unit) => unit.forward(&y),
            None => Ok(y),
        }
    }
}

/// MONAI's UNet.
pub(crate) struct UNet {
    config: UNetConfig,
    model: Level,
}

impl UNet {
    pub(crate) fn new(p: &Params<'_>, config: &UNetConfig) -> Result<Self> {
        let model = Level::new(&p.at("model"), config, 0, config.inputs, config.outputs)?;
        Ok(Self { config: config.clone(), model })
    }
}

impl Net for UNet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        image(x, self.config.dims, self.config.inputs)?;
        let step = self.config.step();
        if x.dims()[2..].iter().any(|n| !n.is_multiple_of(step)) {
            let reason = format!("each axis of the input has to be a multiple of {step}, this one is {:?}", x.dims());
            return Err(Error::Image { reason });
        }
        Ok(Output::Masks(self.model.forward(x, pass)?))
    }
}

/// The free numbers of MONAI's SegResNet (Myronenko 2018, without the autoencoder's branch).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegResNetConfig {
    /// Dimensions of the image, 2 or 3.
    pub dims: usize,
    /// Input channels.
    pub inputs: usize,
    /// Labels, the background among them.
    pub outputs: usize,
    /// Channels of the finest level, doubled at each; 32 in the published whole-body network.
    pub filters: usize,
    /// Residual blocks per level down: `[1, 2, 2, 4]`.
    pub blocks_down: Vec<usize>,
    /// Residual blocks per level up: `[1, 1, 1]`.
    pub blocks_up: Vec<usize>,
    /// Groups of the norms; 8.
    #[serde(default = "eight")]
    pub groups: usize,
}

fn eight() -> usize {
    8
}

impl SegResNetConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        spatial(self.dims)?;
        within("inputs", self.inputs, 1, 64)?;
        within("outputs", self.outputs, 1, 1000)?;
        within("filters", self.filters, 1, 256)?;
        within("the number of levels", self.blocks_down.len(), 2, 7)?;
        if self.blocks_up.len() + 1 != self.blocks_down.len() {
            return Err("blocks_up has one level fewer than blocks_down".into());
        }
        if self.groups == 0 || !self.filters.is_multiple_of(self.groups) {
            return Err(format!("{} filters do not part into {} groups", self.filters, self.groups));
        }
        self.blocks_down.iter().chain(&self.blocks_up).try_for_each(|b| within("the number of blocks", *b, 0, 16))
    }

    /// Each axis of an input is a multiple of this.
    pub(crate) fn step(&self) -> usize {
        1 << (self.blocks_down.len() - 1)
    }
}

/// Group norm and ReLU.
struct NormRelu {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
}

impl NormRelu {
    fn new(p: &Params<'_>, channels: usize, groups: usize) -> Result<Self> {
        Ok(Self { weight: p.get("weight", &[channels])?, bias: p.get("bias", &[channels])?, groups })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::group_norm(x, self.groups, Some((&self.weight, &self.bias)), EPS)?.relu()?)
    }
}

/// MONAI's `ResBlock`: norm, ReLU, convolution, twice.
struct ResBlock([(NormRelu, ConvNd); 2]);

impl ResBlock {
    fn new(p: &Params<'_>, dims: usize, channels: usize, groups: usize) -> Result<Self> {
        let half = |n: usize| -> Result<(NormRelu, ConvNd)> {
            let norm = NormRelu::new(&p.at(format!("norm{n}")), channels, groups)?;
            let q = p.at(format!("conv{n}.conv"));
            Ok((norm, ConvNd::new(&q, dims, channels, channels, 3, 1, false)?))
        };
        Ok(Self([half(1)?, half(2)?]))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut y = x.clone();
        for (norm, conv) in &self.0 {
            y = conv.forward(&norm.forward(&y)?)?;
        }
        Ok((y + x)?)
    }
}

/// MONAI's SegResNet.
pub(crate) struct SegResNet {
    config: SegResNetConfig,
    init: ConvNd,
    down: Vec<(Option<ConvNd>, Vec<ResBlock>)>,
    up: Vec<(ConvNd, Vec<ResBlock>)>,
    norm: NormRelu,
    last: ConvNd,
}

impl SegResNet {
    pub(crate) fn new(p: &Params<'_>, config: &SegResNetConfig) -> Result<Self> {
        let (d, f, g) = (config.dims, config.filters, config.groups);
        let init = ConvNd::new(&p.at("convInit.conv"), d, config.inputs, f, 3, 1, false)?;
        let mut down = Vec::with_capacity(config.blocks_down.len());
        for (level, blocks) in config.blocks_down.iter().enumerate() {
            let q = p.at(format!("down_layers.{level}"));
            let width = f << level;
            let first =
                if level > 0 { Some(ConvNd::new(&q.at("0.conv"), d, width / 2, width, 3, 2, false)?) } else { None };
            // Position 0 is the stride, or nothing at the finest level.
            let blocks = (0..*blocks).map(|b| ResBlock::new(&q.at(b + 1), d, width, g)).collect::<Result<_>>()?;
            down.push((first, blocks));
        }
        let mut up = Vec::with_capacity(config.blocks_up.len());
        for (i, blocks) in config.blocks_up.iter().enumerate() {
            let width = f << (config.blocks_up.len() - 1 - i);
            let q = p.at(format!("up_samples.{i}.0.conv"));
            let narrow = ConvNd::new(&q, d, 2 * width, width, 1, 1, false)?;
            let q = p.at(format!("up_layers.{i}"));
            up.push((narrow, (0..*blocks).map(|b| ResBlock::new(&q.at(b), d, width, g)).collect::<Result<_>>()?));
        }
        let norm = NormRelu::new(&p.at("conv_final.0"), f, g)?;
        let last = ConvNd::new(&p.at("conv_final.2.conv"), d, f, config.outputs, 1, 1, true)?;
        Ok(Self { config: config.clone(), init, down, up, norm, last })
    }
}

/// Each axis doubled, linear, corners not aligned.
fn double(x: &Tensor) -> Result<Tensor> {
    match x.dims() {
        [_, _, d, h, w] => ops::upsample_trilinear(x, 2 * d, 2 * h, 2 * w),
        [_, _, h, w] => ops::upsample_bilinear(x, 2 * h, 2 * w, false),
        _ => Ok(x.clone()),
    }
}

impl Net for SegResNet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        image(x, self.config.dims, self.config.inputs)?;
        let step = self.config.step();
        if x.dims()[2..].iter().any(|n| !n.is_multiple_of(step)) {
            let reason = format!("each axis of the input has to be a multiple of {step}, this one is {:?}", x.dims());
            return Err(Error::Image { reason });
        }
        let mut x = self.init.forward(x)?;
        let mut skips = Vec::with_capacity(self.down.len());
        for (first, blocks) in &self.down {
            if let Some(conv) = first {
                x = conv.forward(&x)?;
            }
            for block in blocks {
                pass.step()?;
                x = block.forward(&x)?;
            }
            skips.push(x.clone());
        }
        pass.tap("encoded", &x)?;
        skips.pop();
        for (narrow, blocks) in &self.up {
            let y = double(&narrow.forward(&x)?)?;
            x = match skips.pop() {
                Some(skip) => (y + skip)?,
                None => y,
            };
            for block in blocks {
                pass.step()?;
                x = block.forward(&x)?;
            }
        }
        Ok(Output::Masks(self.last.forward(&self.norm.forward(&x)?)?))
    }
}

/// The free numbers of MONAI's Generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorConfig {
    /// Length of the noise; 64 in `mednist_gan`.
    pub latent: usize,
    /// Channels, rows and columns that the noise is laid out to: `[64, 8, 8]`.
    pub start: [usize; 3],
    /// Channels behind each layer: `[32, 16, 8, 1]`.
    pub channels: Vec<usize>,
    /// How many times larger each layer makes the image: `[2, 2, 2, 1]`.
    pub strides: Vec<usize>,
    /// Convolutions per residual unit.
    #[serde(default = "two")]
    pub res_units: usize,
}

fn two() -> usize {
    2
}

impl GeneratorConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("latent", self.latent, 1, 4096)?;
        within("start's channels", self.start[0], 1, 2048)?;
        within("start's rows", self.start[1], 1, 64)?;
        within("start's columns", self.start[2], 1, 64)?;
        within("the number of layers", self.channels.len(), 1, 8)?;
        within("res_units", self.res_units, 1, 8)?;
        if self.strides.len() != self.channels.len() {
            return Err("there are as many strides as layers".into());
        }
        self.channels.iter().try_for_each(|c| within("channels", *c, 1, 2048))?;
        self.strides.iter().try_for_each(|s| within("a stride", *s, 1, 4))
    }
}

/// MONAI's Generator. The published files want a sigmoid behind it.
pub(crate) struct Generator {
    config: GeneratorConfig,
    linear: Dense,
    layers: Vec<(ConvNd, Residual)>,
}

impl Generator {
    pub(crate) fn new(p: &Params<'_>, config: &GeneratorConfig) -> Result<Self> {
        let linear = Dense::new(&p.at("linear"), config.latent, config.start.iter().product())?;
        let mut inputs = config.start[0];
        let mut layers = Vec::with_capacity(config.channels.len());
        for (i, (channels, stride)) in config.channels.iter().zip(&config.strides).enumerate() {
            let q = p.at(format!("conv.layer_{i}"));
            let up = ConvNd::up(&q.at("0.conv"), 2, inputs, *channels, *stride)?;
            let last = i + 1 == config.channels.len();
            let units = config.res_units;
            layers.push((up, Residual::new(&q.at(1), 2, *channels, *channels, 1, units, Norm::Instance, last)?));
            inputs = *channels;
        }
        Ok(Self { config: config.clone(), linear, layers })
    }
}

impl Net for Generator {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        let [c, h, w] = self.config.start;
        let mut x = self.linear.forward(x)?.reshape(((), c, h, w))?;
        pass.tap("start", &x)?;
        for (up, unit) in &self.layers {
            pass.step()?;
            x = unit.forward(&up.forward(&x)?)?;
        }
        Ok(Output::Image(x))
    }
}
