//! GoogLeNet (Szegedy et al. 2015, with batch norm) and Inception-v3 (2016) as torchvision builds them.
//!
//! Key layouts of `torchvision/models/{googlenet,inception}.py` (BSD-3); eps 1e-3. GoogLeNet's `branch3` is 3 x 3,
//! not the paper's 5 x 5, since the published weights are so (pytorch/vision#906). The auxiliary classifiers train
//! only; the importer leaves them out.

use super::layers::block::{ConvLayer, Dense};
use super::layers::ops::{self, Act, Geometry, Pool};
use super::net::{Net, Output, Pass, channels, within};
use super::params::Params;
use crate::Result;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

const EPS: f64 = 1e-3;

/// The free numbers of a GoogLeNet or an Inception-v3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InceptionConfig {
    /// Input channels.
    pub inputs: usize,
    /// Classes.
    pub outputs: usize,
    /// Whether an input normalised as for ImageNet is taken to [-1, 1] first; needs 3 channels.
    #[serde(default)]
    pub transform_input: bool,
    /// All widths are divided by this; 1 in the published ones.
    #[serde(default = "one")]
    pub width_divisor: usize,
}

pub(crate) fn one() -> usize {
    1
}

impl InceptionConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("inputs", self.inputs, 1, 64)?;
        within("outputs", self.outputs, 1, 100_000)?;
        if ![1, 2, 4, 8].contains(&self.width_divisor) {
            return Err("width_divisor is 1, 2, 4 or 8".into());
        }
        if self.transform_input && self.inputs != 3 {
            return Err("transform_input needs 3 input channels".into());
        }
        Ok(())
    }
}

/// From ImageNet's mean and deviation to 0.5 and 0.5.
fn transform(x: &Tensor) -> Result<Tensor> {
    let scale = Tensor::new(&[0.229f32 / 0.5, 0.224 / 0.5, 0.225 / 0.5], &Device::Cpu)?;
    let shift = Tensor::new(&[(0.485f32 - 0.5) / 0.5, (0.456 - 0.5) / 0.5, (0.406 - 0.5) / 0.5], &Device::Cpu)?;
    ops::affine(x, &scale, &shift, false)
}

/// Convolution, norm, ReLU: torchvision's `BasicConv2d`, and how wide the last one is.
struct Maker<'a> {
    p: Params<'a>,
    divisor: usize,
    width: usize,
}

impl Maker<'_> {
    /// `outputs` in published channels; `inputs` in real ones.
    fn conv(&self, name: &str, inputs: usize, outputs: usize, k: [usize; 2], stride: usize) -> Result<ConvLayer> {
        self.conv_with(name, inputs, outputs, k, Geometry { padding: [k[0] / 2, k[1] / 2], ..Geometry::new(stride, 0) })
    }

    fn conv_with(
        &self,
        name: &str,
        inputs: usize,
        outputs: usize,
        k: [usize; 2],
        geometry: Geometry,
    ) -> Result<ConvLayer> {
        let p = self.p.at(name);
        let conv = ConvLayer::oblong(&p.at("conv"), inputs, outputs / self.divisor, k, geometry, false)?;
        Ok(conv.norm(&p.at("bn"), EPS)?.act(Act::Relu))
    }

    /// A chain of (name, published outputs, kernel, stride, border kept).
    fn chain(&self, inputs: usize, steps: &[(&str, usize, [usize; 2], usize, bool)]) -> Result<Vec<ConvLayer>> {
        let mut inputs = inputs;
        steps
            .iter()
            .map(|(name, outputs, k, stride, same)| {
                let conv = if *same {
                    self.conv(name, inputs, *outputs, *k, *stride)?
                } else {
                    self.conv_with(name, inputs, *outputs, *k, Geometry::new(*stride, 0))?
                };
                inputs = outputs / self.divisor;
                Ok(conv)
            })
            .collect()
    }
}

/// One path through a block: a pool, convolutions, then perhaps two convolutions side by side.
struct Branch {
    pool: Option<(Pool, bool)>,
    convs: Vec<ConvLayer>,
    fork: Vec<ConvLayer>,
}

impl Branch {
    fn of(convs: Vec<ConvLayer>) -> Self {
        Self { pool: None, convs, fork: Vec::new() }
    }

    fn pooled(pool: Pool, max: bool, convs: Vec<ConvLayer>) -> Self {
        Self { pool: Some((pool, max)), convs, fork: Vec::new() }
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = match &self.pool {
            Some((pool, true)) => pool.max(x)?,
            Some((pool, false)) => pool.average(x)?,
            None => x.clone(),
        };
        for conv in &self.convs {
            x = conv.forward(&x)?;
        }
        if self.fork.is_empty() {
            return Ok(x);
        }
        let parts = self.fork.iter().map(|c| c.forward(&x)).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&parts, 1)?)
    }
}

/// Branches side by side.
struct Block {
    name: &'static str,
    branches: Vec<Branch>,
}

impl Block {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut parts = Vec::with_capacity(self.branches.len());
        for branch in &self.branches {
            pass.step()?;
            parts.push(branch.forward(x)?);
        }
        let y = Tensor::cat(&parts, 1)?;
        pass.tap(self.name, &y)?;
        Ok(y)
    }
}

/// A part of the sequence.
enum Step {
    Conv(ConvLayer),
    Pool(Pool),
    Block(Block),
}

/// Either network.
pub(crate) struct Inception {
    inputs: usize,
    transform: bool,
    steps: Vec<Step>,
    fc: Dense,
}

impl Inception {
    /// GoogLeNet.
    pub(crate) fn googlenet(p: &Params<'_>, config: &InceptionConfig) -> Result<Self> {
        let d = config.width_divisor;
        let m = |name: &str| Maker { p: p.at(name), divisor: d, width: 0 };
        let root = Maker { p: p.clone(), divisor: d, width: 0 };
        let half = Pool::new(3, 2, 0).ceil();
        let mut steps = vec![
            Step::Conv(root.conv("conv1", config.inputs, 64, [7, 7], 2)?),
            Step::Pool(half),
            Step::Conv(root.conv("conv2", 64 / d, 64, [1, 1], 1)?),
            Step::Conv(root.conv("conv3", 64 / d, 192, [3, 3], 1)?),
            Step::Pool(half),
        ];
        let mut inputs = 192 / d;
        // Name; widths of branch 1, 2 (narrow, wide), 3 (narrow, wide), 4; the pool behind it.
        let blocks: [(&'static str, [usize; 6], Option<Pool>); 9] = [
            ("inception3a", [64, 96, 128, 16, 32, 32], None),
            ("inception3b", [128, 128, 192, 32, 96, 64], Some(half)),
            ("inception4a", [192, 96, 208, 16, 48, 64], None),
            ("inception4b", [160, 112, 224, 24, 64, 64], None),
            ("inception4c", [128, 128, 256, 24, 64, 64], None),
            ("inception4d", [112, 144, 288, 32, 64, 64], None),
            ("inception4e", [256, 160, 320, 32, 128, 128], Some(Pool::new(2, 2, 0).ceil())),
            ("inception5a", [256, 160, 320, 32, 128, 128], None),
            ("inception5b", [384, 192, 384, 48, 128, 128], None),
        ];
        for (name, w, pool) in blocks {
            let q = m(name);
            let branches = vec![
                Branch::of(q.chain(inputs, &[("branch1", w[0], [1, 1], 1, true)])?),
                Branch::of(
                    q.chain(inputs, &[("branch2.0", w[1], [1, 1], 1, true), ("branch2.1", w[2], [3, 3], 1, true)])?,
                ),
                Branch::of(
                    q.chain(inputs, &[("branch3.0", w[3], [1, 1], 1, true), ("branch3.1", w[4], [3, 3], 1, true)])?,
                ),
                Branch::pooled(
                    Pool::new(3, 1, 1).ceil(),
                    true,
                    q.chain(inputs, &[("branch4.1", w[5], [1, 1], 1, true)])?,
                ),
            ];
            inputs = (w[0] + w[2] + w[4] + w[5]) / d;
            steps.push(Step::Block(Block { name, branches }));
            steps.extend(pool.map(Step::Pool));
        }
        let fc = Dense::new(&p.at("fc"), inputs, config.outputs)?;
        Ok(Self { inputs: config.inputs, transform: config.transform_input, steps, fc })
    }

    /// Inception-v3.
    pub(crate) fn v3(p: &Params<'_>, config: &InceptionConfig) -> Result<Self> {
        let d = config.width_divisor;
        let mut m = Maker { p: p.clone(), divisor: d, width: 0 };
        let half = Pool::new(3, 2, 0);
        let mut steps = vec![
            Step::Conv(m.conv_with("Conv2d_1a_3x3", config.inputs, 32, [3, 3], Geometry::new(2, 0))?),
            Step::Conv(m.conv_with("Conv2d_2a_3x3", 32 / d, 32, [3, 3], Geometry::new(1, 0))?),
            Step::Conv(m.conv("Conv2d_2b_3x3", 32 / d, 64, [3, 3], 1)?),
            Step::Pool(half),
            Step::Conv(m.conv("Conv2d_3b_1x1", 64 / d, 80, [1, 1], 1)?),
            Step::Conv(m.conv_with("Conv2d_4a_3x3", 80 / d, 192, [3, 3], Geometry::new(1, 0))?),
            Step::Pool(half),
        ];
        m.width = 192 / d;
        for (name, pool) in [("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)] {
            steps.push(Step::Block(m.block_a(p, name, pool)?));
        }
        steps.push(Step::Block(m.block_b(p, "Mixed_6a")?));
        for (name, seven) in [("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)] {
            steps.push(Step::Block(m.block_c(p, name, seven)?));
        }
        steps.push(Step::Block(m.block_d(p, "Mixed_7a")?));
        for name in ["Mixed_7b", "Mixed_7c"] {
            steps.push(Step::Block(m.block_e(p, name)?));
        }
        let fc = Dense::new(&p.at("fc"), m.width, config.outputs)?;
        Ok(Self { inputs: config.inputs, transform: config.transform_input, steps, fc })
    }
}

const SQUARE: [usize; 2] = [3, 3];
const POINT: [usize; 2] = [1, 1];

impl<'a> Maker<'a> {
    fn sub(&self, p: &Params<'a>, name: &str) -> Self {
        Self { p: p.at(name), divisor: self.divisor, width: self.width }
    }

    /// 35 x 35: 1 x 1, 5 x 5, two 3 x 3, pool.
    fn block_a(&mut self, p: &Params<'a>, name: &'static str, pool: usize) -> Result<Block> {
        let (q, w) = (self.sub(p, name), self.width);
        let branches = vec![
            Branch::of(q.chain(w, &[("branch1x1", 64, POINT, 1, true)])?),
            Branch::of(q.chain(w, &[("branch5x5_1", 48, POINT, 1, true), ("branch5x5_2", 64, [5, 5], 1, true)])?),
            Branch::of(q.chain(
                w,
                &[
                    ("branch3x3dbl_1", 64, POINT, 1, true),
                    ("branch3x3dbl_2", 96, SQUARE, 1, true),
                    ("branch3x3dbl_3", 96, SQUARE, 1, true),
                ],
            )?),
            Branch::pooled(Pool::new(3, 1, 1), false, q.chain(w, &[("branch_pool", pool, POINT, 1, true)])?),
        ];
        self.width = (64 + 64 + 96 + pool) / self.divisor;
        Ok(Block { name, branches })
    }

    /// 35 x 35 to 17 x 17.
    fn block_b(&mut self, p: &Params<'a>, name: &'static str) -> Result<Block> {
        let (q, w) = (self.sub(p, name), self.width);
        let branches = vec![
            Branch::of(q.chain(w, &[("branch3x3", 384, SQUARE, 2, false)])?),
            Branch::of(q.chain(
                w,
                &[
                    ("branch3x3dbl_1", 64, POINT, 1, true),
                    ("branch3x3dbl_2", 96, SQUARE, 1, true),
                    ("branch3x3dbl_3", 96, SQUARE, 2, false),
                ],
            )?),
            Branch::pooled(Pool::new(3, 2, 0), true, Vec::new()),
        ];
        self.width += (384 + 96) / self.divisor;
        Ok(Block { name, branches })
    }

    /// 17 x 17: seven-long kernels along each axis.
    fn block_c(&mut self, p: &Params<'a>, name: &'static str, c: usize) -> Result<Block> {
        let (q, w) = (self.sub(p, name), self.width);
        let branches = vec![
            Branch::of(q.chain(w, &[("branch1x1", 192, POINT, 1, true)])?),
            Branch::of(q.chain(
                w,
                &[
                    ("branch7x7_1", c, POINT, 1, true),
                    ("branch7x7_2", c, [1, 7], 1, true),
                    ("branch7x7_3", 192, [7, 1], 1, true),
                ],
            )?),
            Branch::of(q.chain(
                w,
                &[
                    ("branch7x7dbl_1", c, POINT, 1, true),
                    ("branch7x7dbl_2", c, [7, 1], 1, true),
                    ("branch7x7dbl_3", c, [1, 7], 1, true),
                    ("branch7x7dbl_4", c, [7, 1], 1, true),
                    ("branch7x7dbl_5", 192, [1, 7], 1, true),
                ],
            )?),
            Branch::pooled(Pool::new(3, 1, 1), false, q.chain(w, &[("branch_pool", 192, POINT, 1, true)])?),
        ];
        self.width = 4 * 192 / self.divisor;
        Ok(Block { name, branches })
    }

    /// 17 x 17 to 8 x 8.
    fn block_d(&mut self, p: &Params<'a>, name: &'static str) -> Result<Block> {
        let (q, w) = (self.sub(p, name), self.width);
        let branches = vec![
            Branch::of(q.chain(w, &[("branch3x3_1", 192, POINT, 1, true), ("branch3x3_2", 320, SQUARE, 2, false)])?),
            Branch::of(q.chain(
                w,
                &[
                    ("branch7x7x3_1", 192, POINT, 1, true),
                    ("branch7x7x3_2", 192, [1, 7], 1, true),
                    ("branch7x7x3_3", 192, [7, 1], 1, true),
                    ("branch7x7x3_4", 192, SQUARE, 2, false),
                ],
            )?),
            Branch::pooled(Pool::new(3, 2, 0), true, Vec::new()),
        ];
        self.width += (320 + 192) / self.divisor;
        Ok(Block { name, branches })
    }

    /// 8 x 8: kernels along each axis side by side.
    fn block_e(&mut self, p: &Params<'a>, name: &'static str) -> Result<Block> {
        let (q, w) = (self.sub(p, name), self.width);
        let wide = 384 / self.divisor;
        let fork = |a: &str, b: &str| -> Result<Vec<ConvLayer>> {
            Ok(vec![q.conv(a, wide, 384, [1, 3], 1)?, q.conv(b, wide, 384, [3, 1], 1)?])
        };
        let branches = vec![
            Branch::of(q.chain(w, &[("branch1x1", 320, POINT, 1, true)])?),
            Branch {
                pool: None,
                convs: q.chain(w, &[("branch3x3_1", 384, POINT, 1, true)])?,
                fork: fork("branch3x3_2a", "branch3x3_2b")?,
            },
            Branch {
                pool: None,
                convs: q
                    .chain(w, &[("branch3x3dbl_1", 448, POINT, 1, true), ("branch3x3dbl_2", 384, SQUARE, 1, true)])?,
                fork: fork("branch3x3dbl_3a", "branch3x3dbl_3b")?,
            },
            Branch::pooled(Pool::new(3, 1, 1), false, q.chain(w, &[("branch_pool", 192, POINT, 1, true)])?),
        ];
        self.width = (320 + 4 * 384 + 192) / self.divisor;
        Ok(Block { name, branches })
    }
}

impl Net for Inception {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output> {
        channels(x, self.inputs)?;
        let mut x = if self.transform { transform(x)? } else { x.clone() };
        for step in &self.steps {
            pass.step()?;
            x = match step {
                Step::Conv(conv) => conv.forward(&x)?,
                Step::Pool(pool) => pool.max(&x)?,
                Step::Block(block) => block.forward(&x, pass)?,
            };
        }
        pass.tap("features", &x)?;
        Ok(Output::Logits(self.fc.forward(&ops::global_average(&x)?)?))
    }

    fn head(&self, features: &Tensor) -> Option<Result<Tensor>> {
        Some(ops::global_average(features).and_then(|x| self.fc.forward(&x)))
    }
}
