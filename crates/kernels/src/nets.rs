//! The networks of the benchmark, with random weights: U-Net, ResNet-18 and 50, MeshNet, 3D U-Net.
//!
//! Each is written once, over a [`Flow`]; so the same code trains, runs layer by layer, and is recorded as a plan.

use crate::graph::{BatchNorm, Flow};
use crate::ops::{ConvLayer, ConvTransposedLayer, LinearLayer, Pool, PoolKind};
use crate::{Act, ConvSpec};
use candle_core::{Device, Result, Tensor, Var};

/// Makes weights: He-scaled random numbers, the same for the same seed; variables where they are to be trained.
pub struct Init {
    state: u64,
    train: bool,
    /// What is trained, in the order of making.
    pub vars: Vec<Var>,
}

impl Init {
    /// With a seed.
    pub fn new(seed: u64, train: bool) -> Self {
        Self { state: seed.wrapping_mul(2).wrapping_add(1), train, vars: Vec::new() }
    }

    /// Numbers of about unit variance.
    fn number(&mut self) -> f32 {
        // PCG's multiplier; the sum of four uniform numbers is near enough to a bell.
        let mut sum = 0f32;
        for _ in 0..4 {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (self.state >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        }
        sum * 1.732
    }

    fn tensor(&mut self, shape: &[usize], scale: f32) -> Result<Tensor> {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| self.number() * scale).collect();
        let t = Tensor::from_vec(values, shape, &Device::Cpu)?;
        if !self.train {
            return Ok(t);
        }
        let var = Var::from_tensor(&t)?;
        self.vars.push(var.clone());
        Ok(var.as_tensor().clone())
    }

    fn filled(&mut self, n: usize, value: f32) -> Result<Tensor> {
        let t = Tensor::full(value, n, &Device::Cpu)?;
        if !self.train {
            return Ok(t);
        }
        let var = Var::from_tensor(&t)?;
        self.vars.push(var.clone());
        Ok(var.as_tensor().clone())
    }

    /// A convolution `shape = [out, in, ...]`.
    pub fn conv(&mut self, shape: &[usize], bias: bool, spec: ConvSpec, act: Act) -> Result<ConvLayer> {
        let fan: usize = shape[1..].iter().product();
        let weight = self.tensor(shape, (2.0 / fan as f32).sqrt())?;
        let bias = if bias { Some(self.tensor(&shape[..1], 0.1)?) } else { None };
        Ok(ConvLayer::new(weight, bias, spec, act))
    }

    /// A transposed convolution with stride = kernel, `shape = [in, out, ...]`.
    pub fn up(&mut self, shape: &[usize]) -> Result<ConvTransposedLayer> {
        let weight = self.tensor(shape, (2.0 / shape[0] as f32).sqrt())?;
        let bias = Some(self.tensor(&shape[1..2], 0.1)?);
        let spec = if shape.len() == 5 { ConvSpec::d3(2, 0) } else { ConvSpec::d2(2, 0) };
        Ok(ConvTransposedLayer::new(weight, bias, spec, Act::None))
    }

    /// A batch norm; `scale` is its first weight.
    pub fn norm(&mut self, channels: usize, scale: f32) -> Result<BatchNorm> {
        Ok(BatchNorm {
            weight: self.filled(channels, scale)?,
            bias: self.filled(channels, 0.0)?,
            mean: Var::zeros(channels, candle_core::DType::F32, &Device::Cpu)?,
            variance: Var::ones(channels, candle_core::DType::F32, &Device::Cpu)?,
            eps: 1e-5,
            momentum: 0.1,
        })
    }

    /// A linear layer.
    pub fn linear(&mut self, features: usize, out: usize) -> Result<LinearLayer> {
        let weight = self.tensor(&[out, features], (1.0 / features as f32).sqrt())?;
        Ok(LinearLayer::new(weight, self.filled(out, 0.0)?, Act::None))
    }
}

/// U-Net (Ronneberger, Fischer, Brox 2015) over two or three axes: two convolutions a level, max pools down, transposed
/// convolutions up.
pub struct UNet {
    down: Vec<[ConvLayer; 2]>,
    up: Vec<(ConvTransposedLayer, [ConvLayer; 2])>,
    head: ConvLayer,
    axes: usize,
}

impl UNet {
    /// `base` channels at the first of `levels + 1` levels, twice as many at each further one.
    pub fn new(
        init: &mut Init,
        axes: usize,
        base: usize,
        levels: usize,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self> {
        let (spec, point) =
            if axes == 3 { (ConvSpec::d3(1, 1), ConvSpec::d3(1, 0)) } else { (ConvSpec::d2(1, 1), ConvSpec::d2(1, 0)) };
        let shape = |out: usize, input: usize, k: usize| {
            let mut s = vec![out, input];
            s.extend(vec![k; axes]);
            s
        };
        let channels = |level: usize| base << level;
        let double = |init: &mut Init, from: usize, to: usize| -> Result<[ConvLayer; 2]> {
            let first = init.conv(&shape(to, from, 3), true, spec, Act::Relu)?;
            Ok([first, init.conv(&shape(to, to, 3), true, spec, Act::Relu)?])
        };
        let mut down = Vec::new();
        for level in 0..=levels {
            down.push(double(init, if level == 0 { inputs } else { channels(level - 1) }, channels(level))?);
        }
        let mut up = Vec::new();
        for level in (0..levels).rev() {
            let widen = init.up(&shape(channels(level + 1), channels(level), 2))?;
            up.push((widen, double(init, 2 * channels(level), channels(level))?));
        }
        let head = init.conv(&shape(outputs, base, 1), true, point, Act::None)?;
        Ok(Self { down, up, head, axes })
    }

    /// `[batch, inputs, (depth,) rows, columns]` to `[batch, outputs, ...]`; axes multiples of 2^levels.
    pub fn forward<F: Flow>(&self, f: &mut F, x: &F::T) -> Result<F::T> {
        let halve = if self.axes == 3 { Pool::d3(2, 2, 0) } else { Pool::d2(2, 2, 0) };
        let mut skips = Vec::new();
        let mut x = x.clone();
        for (level, [a, b]) in self.down.iter().enumerate() {
            if level > 0 {
                x = f.pool(halve, PoolKind::Max, &x)?;
            }
            x = f.conv(a, &x)?;
            x = f.conv(b, &x)?;
            skips.push(x.clone());
        }
        skips.pop();
        for (up, [a, b]) in &self.up {
            x = f.conv_transposed(up, &x)?;
            if let Some(skip) = skips.pop() {
                x = f.cat(&[skip, x])?;
            }
            x = f.conv(a, &x)?;
            x = f.conv(b, &x)?;
        }
        f.conv(&self.head, &x)
    }
}

/// A convolution and its norm.
struct Normed {
    conv: ConvLayer,
    norm: BatchNorm,
}

impl Normed {
    fn new(init: &mut Init, shape: [usize; 4], stride: usize, scale: f32) -> Result<Self> {
        let conv = init.conv(&shape, false, ConvSpec::d2(stride, shape[2] / 2), Act::None)?;
        Ok(Self { conv, norm: init.norm(shape[0], scale)? })
    }

    fn forward<F: Flow>(&self, f: &mut F, x: &F::T) -> Result<F::T> {
        let y = f.conv(&self.conv, x)?;
        f.batch_norm(&self.norm, &y)
    }
}

/// ResNet (He, Zhang, Ren, Sun 2016): with basic blocks (18 layers) or bottlenecks (50).
pub struct ResNet {
    stem: Normed,
    blocks: Vec<(Vec<Normed>, Option<Normed>)>,
    head: LinearLayer,
}

impl ResNet {
    /// ResNet-18.
    pub fn r18(init: &mut Init, classes: usize) -> Result<Self> {
        Self::new(init, [2, 2, 2, 2], 1, classes)
    }

    /// ResNet-50.
    pub fn r50(init: &mut Init, classes: usize) -> Result<Self> {
        Self::new(init, [3, 4, 6, 3], 4, classes)
    }

    fn new(init: &mut Init, counts: [usize; 4], expand: usize, classes: usize) -> Result<Self> {
        let stem = Normed::new(init, [64, 3, 7, 7], 2, 1.0)?;
        let mut blocks = Vec::new();
        let mut c = 64;
        for (stage, count) in counts.into_iter().enumerate() {
            let m = 64 << stage;
            for i in 0..count {
                let stride = if i == 0 && stage > 0 { 2 } else { 1 };
                // The last norm of a block starts small, which keeps the sums tame.
                let convs = if expand == 1 {
                    vec![Normed::new(init, [m, c, 3, 3], stride, 1.0)?, Normed::new(init, [m, m, 3, 3], 1, 0.3)?]
                } else {
                    vec![
                        Normed::new(init, [m, c, 1, 1], 1, 1.0)?,
                        Normed::new(init, [m, m, 3, 3], stride, 1.0)?,
                        Normed::new(init, [m * expand, m, 1, 1], 1, 0.3)?,
                    ]
                };
                let short = if i == 0 && (stride != 1 || c != m * expand) {
                    Some(Normed::new(init, [m * expand, c, 1, 1], stride, 1.0)?)
                } else {
                    None
                };
                blocks.push((convs, short));
                c = m * expand;
            }
        }
        Ok(Self { stem, blocks, head: init.linear(c, classes)? })
    }

    /// `[batch, 3, rows, columns]` to `[batch, classes]`.
    pub fn forward<F: Flow>(&self, f: &mut F, x: &F::T) -> Result<F::T> {
        let x = self.stem.forward(f, x)?;
        let x = f.relu(&x)?;
        let mut x = f.pool(Pool::d2(3, 2, 1), PoolKind::Max, &x)?;
        for (convs, short) in &self.blocks {
            let short = match short {
                Some(s) => s.forward(f, &x)?,
                None => x.clone(),
            };
            for (i, c) in convs.iter().enumerate() {
                x = c.forward(f, &x)?;
                if i + 1 < convs.len() {
                    x = f.relu(&x)?;
                }
            }
            x = f.add(&x, &short)?;
            x = f.relu(&x)?;
        }
        let x = f.pool(Pool::Adaptive([1; 3]), PoolKind::Average, &x)?;
        f.linear(&self.head, &x)
    }
}

/// A small single-shot detector (after Liu et al. 2016): five stages that halve, heads on the last three.
pub struct Ssd {
    stages: Vec<[ConvLayer; 2]>,
    heads: Vec<ConvLayer>,
}

impl Ssd {
    /// Boxes a place.
    const ANCHORS: usize = 3;

    /// `base` channels at the first stage; each head gives four numbers of a box and one for each label.
    pub fn new(init: &mut Init, base: usize, labels: usize) -> Result<Self> {
        let widths = [base, 2 * base, 4 * base, 6 * base, 8 * base];
        let (mut stages, mut heads) = (Vec::new(), Vec::new());
        let mut c = 1;
        for (i, w) in widths.into_iter().enumerate() {
            let first = init.conv(&[w, c, 3, 3], true, ConvSpec::d2(2, 1), Act::Relu)?;
            stages.push([first, init.conv(&[w, w, 3, 3], true, ConvSpec::d2(1, 1), Act::Relu)?]);
            if i >= 2 {
                let out = Self::ANCHORS * (4 + labels);
                heads.push(init.conv(&[out, w, 3, 3], true, ConvSpec::d2(1, 1), Act::None)?);
            }
            c = w;
        }
        Ok(Self { stages, heads })
    }

    /// `[batch, 1, rows, columns]` to one map a head, finest first.
    pub fn forward<F: Flow>(&self, f: &mut F, x: &F::T) -> Result<Vec<F::T>> {
        let mut x = x.clone();
        let mut maps = Vec::with_capacity(self.heads.len());
        let quiet = self.stages.len() - self.heads.len();
        for (i, [a, b]) in self.stages.iter().enumerate() {
            x = f.conv(a, &x)?;
            x = f.conv(b, &x)?;
            if i >= quiet {
                maps.push(f.conv(&self.heads[i - quiet], &x)?);
            }
        }
        Ok(maps)
    }
}

/// MeshNet (Fedorov et al. 2017): dilated 3 x 3 x 3 convolutions of few channels over a whole volume.
pub struct MeshNet {
    layers: Vec<ConvLayer>,
}

impl MeshNet {
    /// Dilations 1, 2, 4, 8, 16, 8, 4, 2, 1, then the head.
    pub fn new(init: &mut Init, channels: usize, classes: usize) -> Result<Self> {
        let mut layers = Vec::new();
        for (i, d) in [1, 2, 4, 8, 16, 8, 4, 2, 1].into_iter().enumerate() {
            let from = if i == 0 { 1 } else { channels };
            layers.push(init.conv(&[channels, from, 3, 3, 3], true, ConvSpec::d3(1, d).dilated(d, 3), Act::Relu)?);
        }
        layers.push(init.conv(&[classes, channels, 1, 1, 1], true, ConvSpec::d3(1, 0), Act::None)?);
        Ok(Self { layers })
    }

    /// `[batch, 1, depth, rows, columns]` to `[batch, classes, ...]`.
    pub fn forward<F: Flow>(&self, f: &mut F, x: &F::T) -> Result<F::T> {
        let mut x = x.clone();
        for layer in &self.layers {
            x = f.conv(layer, &x)?;
        }
        Ok(x)
    }
}
