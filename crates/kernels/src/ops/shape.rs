//! Between candle's shapes and the kernels' `[batch, channels, depth, rows, columns]`.

use crate::implicit::{Dims, Input};
use candle_core::{CpuStorage, Device, Result, Shape, Storage, Tensor, bail};

/// `[batch, channels, (depth,) rows, columns]` or `[batch, channels, columns]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image {
    pub(super) batch: usize,
    pub(super) channels: usize,
    pub(super) dims: Dims,
    axes: usize,
}

impl Image {
    pub(super) fn of(shape: &Shape) -> Result<Self> {
        let d = shape.dims();
        let (batch, channels, dims) = match *d {
            [b, c, w] => (b, c, [1, 1, w]),
            [b, c, h, w] => (b, c, [1, h, w]),
            [b, c, z, h, w] => (b, c, [z, h, w]),
            _ => bail!("an image has 3 to 5 dimensions, not {d:?}"),
        };
        Ok(Self { batch, channels, dims, axes: d.len() - 2 })
    }

    pub(super) fn planes(&self) -> usize {
        self.batch * self.channels
    }

    pub(super) fn pixels(&self) -> usize {
        self.dims.iter().product()
    }

    /// The shape with other channels and dimensions.
    pub(super) fn with(&self, channels: usize, dims: Dims) -> Shape {
        let mut all = vec![self.batch, channels];
        all.extend(&dims[3 - self.axes..]);
        all.into()
    }

    pub(super) fn input<'a>(&self, x: &'a [f32]) -> Input<'a> {
        Input::new(x, self.batch, self.dims)
    }

    /// A kernel `[a, b, (depth,) rows, columns]` with as many axes.
    pub(super) fn kernel(&self, weight: &Shape) -> Result<(usize, usize, Dims)> {
        if weight.dims().len() != self.axes + 2 {
            bail!("an image with {} axes and a kernel of shape {weight:?} do not fit together", self.axes);
        }
        let k = Self::of(weight)?;
        Ok((k.batch, k.channels, k.dims))
    }
}

/// Lends the numbers of a tensor on the CPU, in order; copies only where they are not.
pub(crate) fn with<R>(t: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let t = t.contiguous()?;
    let (storage, layout) = t.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(values)) = &*storage else {
        bail!("expected f32 on the CPU, got {:?} on {:?}", t.dtype(), t.device().location())
    };
    match layout.contiguous_offsets() {
        Some((a, b)) => f(&values[a..b]),
        None => bail!("a tensor of shape {:?} is not contiguous", t.shape()),
    }
}

/// A tensor on the CPU.
pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)
}

/// Runs `f` on the CPU whatever the device of `x` is; the graph goes along.
pub(super) fn on_cpu(x: &Tensor, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    if x.device().is_cpu() { f(x) } else { f(&x.to_device(&Device::Cpu)?)?.to_device(x.device()) }
}
