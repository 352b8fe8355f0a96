//! A plan and its execution.

use super::memory::{Place, lay_out};
use super::{Node, Op, Recorder, fuse};
use crate::conv::{self, Conv, ConvBytes, ConvTransposed, Extra};
use crate::elementwise::{self, Map};
use crate::implicit::{Dims, Input};
use crate::linear::Linear;
use crate::ops::shape::with;
use crate::pool::{self, Ptr};
use crate::{pooling, upsample};
use candle_core::{Device, Result, Tensor, bail};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// Shape of a value: channels and dimensions of each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    channels: usize,
    dims: Dims,
}

impl Size {
    fn pixels(self) -> usize {
        self.dims.iter().product()
    }
}

/// The numbers of a layer, packed for the processor.
enum Packed {
    None,
    Conv { conv: Conv, weight: Tensor, bias: Option<Vec<f32>> },
    Bytes { conv: ConvBytes, bias: Option<Vec<f32>> },
    Transposed { conv: ConvTransposed, bias: Option<Vec<f32>> },
    Linear { linear: Linear, bias: Vec<f32> },
}

/// Places for one shape of the input.
struct Layout {
    shape: Vec<usize>,
    sizes: Vec<Size>,
    places: Vec<Place>,
    block: usize,
}

/// A model, fused, for inference on the CPU. Weights are packed when the plan is made.
pub struct Plan {
    pub(super) nodes: Vec<Node>,
    packed: Vec<Packed>,
    output: usize,
    layout: Mutex<Option<Arc<Layout>>>,
    /// Kept from call to call, so that its pages are touched once.
    memory: Mutex<Vec<f32>>,
}

impl Plan {
    /// Records what `model` does to its one input.
    pub fn new(model: impl FnOnce(&mut Recorder, &usize) -> Result<usize>) -> Result<Self> {
        Self::record(model, false)
    }

    /// As [`Plan::new`], with convolutions of many channels in bytes (weights rounded once, inputs at every call) where
    /// the processor has a dot product of bytes; elsewhere in f32.
    pub fn in_bytes(model: impl FnOnce(&mut Recorder, &usize) -> Result<usize>) -> Result<Self> {
        Self::record(model, true)
    }

    fn record(model: impl FnOnce(&mut Recorder, &usize) -> Result<usize>, bytes: bool) -> Result<Self> {
        let mut recorder = Recorder::default();
        let input = recorder.push(Op::Input, Vec::new())?;
        let output = model(&mut recorder, &input)?;
        let (nodes, output) = fuse::fuse(recorder.nodes, output)?;
        let packed = nodes.iter().map(|n| pack(&n.op, bytes)).collect::<Result<_>>()?;
        Ok(Self { nodes, packed, output, layout: Mutex::default(), memory: Mutex::default() })
    }

    /// Layers that are left after fusing, the input not counted.
    pub fn layers(&self) -> usize {
        self.nodes.len() - 1
    }

    /// Bytes of all results between the layers, for an input of this shape.
    pub fn memory_bytes(&self, shape: &[usize]) -> Result<usize> {
        Ok(self.layout(shape)?.block * size_of::<f32>())
    }

    /// Runs the model on `[batch, channels, (depth,) rows, columns]`. When `cancel` becomes true, it stops between tiles
    /// with an error.
    pub fn forward(&self, x: &Tensor, cancel: Option<&Arc<AtomicBool>>) -> Result<Tensor> {
        let x = x.to_device(&Device::Cpu)?;
        pool::run(cancel, || self.run(&x))
    }

    fn layout(&self, shape: &[usize]) -> Result<Arc<Layout>> {
        let mut kept = self.layout.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(l) = kept.as_ref().filter(|l| l.shape == shape) {
            return Ok(l.clone());
        }
        let (batch, first) = match *shape {
            [b, c, h, w] => (b, Size { channels: c, dims: [1, h, w] }),
            [b, c, d, h, w] => (b, Size { channels: c, dims: [d, h, w] }),
            _ => bail!("a plan takes 4 or 5 dimensions, not {shape:?}"),
        };
        let mut sizes: Vec<Size> = Vec::new();
        for (node, packed) in self.nodes.iter().zip(&self.packed) {
            let from: Vec<Size> = node.from.iter().map(|f| sizes[*f]).collect();
            sizes.push(self.size(&node.op, packed, &from, first)?);
        }
        let mut numbers = Vec::new();
        for s in &sizes {
            let n = s.dims.iter().chain(&[batch, s.channels]).try_fold(1usize, |n, d| n.checked_mul(*d));
            match n.filter(|n| *n < isize::MAX as usize / 64) {
                Some(n) => numbers.push(n),
                None => bail!("a value of {} channels of {:?} is too large", s.channels, s.dims),
            }
        }
        let (places, block) = lay_out(&self.nodes, &numbers, self.output, batch == 1);
        let new = Arc::new(Layout { shape: shape.to_vec(), sizes, places, block });
        *kept = Some(new.clone());
        Ok(new)
    }

    fn size(&self, op: &Op, packed: &Packed, from: &[Size], first: Size) -> Result<Size> {
        let Some(&x) = from.first() else { return Ok(first) };
        Ok(match (op, packed) {
            (Op::Conv(l), Packed::Conv { conv, .. }) => {
                if x.channels != conv.c_in {
                    bail!("a convolution of {} channels gets {}", conv.c_in, x.channels);
                }
                let size = Size { channels: conv.c_out, dims: l.spec.out(x.dims, conv.kernel)? };
                if from.len() == 2 && from[1] != size {
                    bail!("a residual of {:?} does not fit {size:?}", from[1]);
                }
                size
            }
            (Op::Conv(l), Packed::Bytes { conv, .. }) => {
                if x.channels != conv.c_in {
                    bail!("a convolution of {} channels gets {}", conv.c_in, x.channels);
                }
                let size = Size { channels: conv.c_out, dims: l.spec.out(x.dims, conv.kernel)? };
                if from.len() == 2 && from[1] != size {
                    bail!("a residual of {:?} does not fit {size:?}", from[1]);
                }
                size
            }
            (Op::ConvTransposed(l), Packed::Transposed { conv, .. }) => {
                if x.channels != conv.c_in {
                    bail!("a transposed convolution of {} channels gets {}", conv.c_in, x.channels);
                }
                Size { channels: conv.c_out, dims: l.spec.out_transposed(x.dims, conv.kernel)? }
            }
            (Op::Affine(scale, ..), _) if scale.len() != x.channels => {
                bail!("a norm of {} channels gets {}", scale.len(), x.channels)
            }
            (Op::Add(_), _) if from[1] != x => bail!("a sum of {x:?} and {:?}", from[1]),
            (Op::Cat, _) => {
                if from.iter().any(|f| f.dims != x.dims) {
                    bail!("values of different dimensions cannot be joined: {from:?}");
                }
                Size { channels: from.iter().map(|f| f.channels).sum(), dims: x.dims }
            }
            (Op::Pool(pool, _), _) => Size { dims: pool.out(x.dims)?, ..x },
            (Op::Upsample(factor, _), _) => Size { dims: self.upsampled(x.dims, first.dims, *factor)?, ..x },
            (Op::Linear(_), Packed::Linear { linear, .. }) => {
                if x.channels * x.pixels() != linear.k {
                    bail!("a linear layer of {} features gets {x:?}", linear.k);
                }
                Size { channels: linear.n, dims: [1; 3] }
            }
            _ => x,
        })
    }

    /// A plane image stays plane.
    fn upsampled(&self, from: Dims, first: Dims, factor: usize) -> Result<Dims> {
        let depth = if first[0] == 1 { Some(from[0]) } else { from[0].checked_mul(factor) };
        match (depth, from[1].checked_mul(factor), from[2].checked_mul(factor)) {
            (Some(d), Some(h), Some(w)) => Ok([d, h, w]),
            _ => bail!("{from:?} times {factor} is too large"),
        }
    }

    fn run(&self, x: &Tensor) -> Result<Tensor> {
        let layout = self.layout(x.dims())?;
        let batch = x.dim(0)?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() < layout.block + 16 {
            *memory = Vec::new();
            if memory.try_reserve_exact(layout.block + 16).is_err() {
                bail!("no memory for {} MiB of results between layers", layout.block >> 18);
            }
            memory.resize(layout.block + 16, 0.0);
        }
        let shift = memory.as_ptr().align_offset(64).min(16);
        let block = Ptr(memory[shift..].as_mut_ptr());
        with(x, |input| {
            for i in 0..self.nodes.len() {
                // SAFETY: the layout gives values that live at the same time disjoint parts of the block; those that are
                // read were written by earlier nodes.
                unsafe { self.step(i, batch, &layout, input, block)? };
            }
            Ok(())
        })?;
        let size = layout.sizes[self.output];
        let n = batch * size.channels * size.pixels();
        let values = match layout.places[self.output] {
            // SAFETY: the last node wrote them.
            Place::Block(at) => unsafe { block.slice(at, n).to_vec() },
            Place::Input => with(x, |x| Ok(x.to_vec()))?,
        };
        let mut shape = vec![batch, size.channels];
        if !matches!(self.nodes[self.output].op, Op::Linear(_)) {
            shape.extend(&size.dims[3 - (x.rank() - 2)..]);
        }
        Tensor::from_vec(values, shape, &Device::Cpu)
    }

    unsafe fn step(&self, i: usize, batch: usize, layout: &Layout, input: &[f32], block: Ptr) -> Result<()> {
        let node = &self.nodes[i];
        let get = |n: usize| -> &[f32] {
            let s = layout.sizes[n];
            match layout.places[n] {
                Place::Input => input,
                // SAFETY: the caller's promise.
                Place::Block(at) => unsafe { block.slice(at, batch * s.channels * s.pixels()) },
            }
        };
        let Place::Block(at) = layout.places[i] else { return Ok(()) };
        let size = layout.sizes[i];
        let len = batch * size.channels * size.pixels();
        // SAFETY: the place is inside of the block.
        let out = Ptr(unsafe { block.at(at) });
        let place = conv::Place { out, image_stride: size.channels };
        let first = node.from.first().copied().unwrap_or(0);
        let from = layout.sizes[first];
        let image = || Input::new(get(first), batch, from.dims);
        let planes = batch * from.channels;
        // Rare layers make their own vector, which is copied.
        let copy = |values: Vec<f32>| {
            // SAFETY: as large as the place.
            unsafe { out.slice(0, len).copy_from_slice(&values) };
        };
        // SAFETY: the place has room for what the layer writes, and nobody else uses it meanwhile.
        unsafe {
            match (&node.op, &self.packed[i]) {
                (Op::Conv(l), Packed::Conv { conv, weight, bias }) => {
                    let res = node.from.get(1).map(|r| get(*r));
                    let extra = Extra { bias: bias.as_deref(), res, act: l.act };
                    with(weight, |w| conv.forward_into(w, image(), extra, place))?;
                }
                (Op::Conv(l), Packed::Bytes { conv, bias }) => {
                    let res = node.from.get(1).map(|r| get(*r));
                    conv.forward_into(image(), Extra { bias: bias.as_deref(), res, act: l.act }, place)?;
                }
                (Op::ConvTransposed(l), Packed::Transposed { conv, bias }) => {
                    let extra = Extra { bias: bias.as_deref(), res: None, act: l.act };
                    conv.forward_into(image(), size.dims, extra, place)?;
                }
                (Op::Linear(l), Packed::Linear { linear, bias }) => {
                    let extra = Extra { bias: Some(bias), res: None, act: l.act };
                    copy(linear.forward(get(first), batch, extra)?);
                }
                (Op::Affine(scale, shift, act), _) => {
                    let (x, pixels) = (get(first), from.pixels());
                    pool::par_for(planes, |p| {
                        let (s, t) = (scale[p % from.channels] as f32, shift[p % from.channels] as f32);
                        let dst = out.slice(p * pixels, pixels);
                        dst.iter_mut().zip(&x[p * pixels..]).for_each(|(d, x)| *d = act.apply(x * s + t));
                    })?;
                }
                (Op::Map(map), _) => elementwise::map_into(*map, get(first), out)?,
                (Op::Add(act), _) => elementwise::add_into(*act, get(first), get(node.from[1]), out)?,
                (Op::Pool(p, kind), _) => {
                    pooling::forward_into(p, *kind, get(first), planes, from.dims, |p| p, out)?;
                }
                (Op::Upsample(_, how), _) => copy(upsample::forward(*how, get(first), planes, from.dims, size.dims)?),
                (Op::Cat, _) => {
                    let mut offset = 0;
                    for &f in &node.from {
                        let n = layout.sizes[f].channels * size.pixels();
                        let inside = layout.places[f] == Place::Block(at + offset) && batch == 1;
                        let x = get(f);
                        if !inside {
                            for b in 0..batch {
                                let to = out.slice(b * size.channels * size.pixels() + offset, n);
                                to.copy_from_slice(&x[b * n..][..n]);
                            }
                        }
                        offset += n;
                    }
                }
                _ => bail!("a layer without its numbers"),
            }
        }
        Ok(())
    }
}

fn numbers(t: Option<&Tensor>) -> Result<Option<Vec<f32>>> {
    t.map(|t| t.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()).transpose()
}

fn kernel(weight: &Tensor) -> Result<(usize, usize, Dims)> {
    match *weight.dims() {
        [a, b, h, w] => Ok((a, b, [1, h, w])),
        [a, b, d, h, w] => Ok((a, b, [d, h, w])),
        _ => bail!("a kernel has 4 or 5 dimensions, not {:?}", weight.shape()),
    }
}

/// Channels from which on bytes pay: below, the rounding of the input costs more than the sums save.
const BYTES_FROM: usize = 32;

fn pack(op: &Op, bytes: bool) -> Result<Packed> {
    let check = |bias: &Option<Vec<f32>>, n: usize| match bias {
        Some(b) if b.len() != n => bail!("{} biases for {n} channels", b.len()),
        _ => Ok(()),
    };
    Ok(match op {
        Op::Conv(l) => {
            let weight = l.weight.detach().to_device(&Device::Cpu)?.contiguous()?;
            let (c_out, ci, k) = kernel(&weight)?;
            let conv = Conv::new(l.spec, k, ci.saturating_mul(l.spec.groups), c_out, weight.elem_count())?;
            let bias = numbers(l.bias.as_ref())?;
            check(&bias, c_out)?;
            if bytes && ci >= BYTES_FROM && c_out >= BYTES_FROM {
                let made = with(&weight, |w| ConvBytes::new(l.spec, k, ci, c_out, w))?;
                if let Some(conv) = made {
                    return Ok(Packed::Bytes { conv, bias });
                }
            }
            Packed::Conv { conv, weight, bias }
        }
        Op::ConvTransposed(l) => {
            let weight = l.weight.detach().to_device(&Device::Cpu)?.contiguous()?;
            let (c_in, co, k) = kernel(&weight)?;
            let c_out = co.saturating_mul(l.spec.groups);
            let conv = with(&weight, |w| ConvTransposed::new(l.spec, k, c_in, c_out, w))?;
            let bias = numbers(l.bias.as_ref())?;
            check(&bias, c_out)?;
            Packed::Transposed { conv, bias }
        }
        Op::Linear(l) => {
            let weight = l.weight.detach().to_device(&Device::Cpu)?;
            let (n, k) = weight.dims2()?;
            let bias = numbers(Some(&l.bias))?.unwrap_or_default();
            check(&Some(bias.clone()), n)?;
            Packed::Linear { linear: with(&weight, |w| Ok(Linear::new(k, n, w)))?, bias }
        }
        Op::Affine(scale, shift, _) if scale.len() != shift.len() => bail!("scales and shifts of different numbers"),
        Op::Map(Map::Act(_)) | Op::Map(_) | Op::Input | Op::Affine(..) | Op::Add(_) | Op::Cat => Packed::None,
        Op::Pool(..) | Op::Upsample(..) => Packed::None,
    })
}
