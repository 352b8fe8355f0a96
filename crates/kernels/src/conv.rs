//! Convolutions and transposed convolutions on plain slices: which kernel runs where.

use crate::gemm::Act;
use crate::implicit::{self, Dims, Input, Taps, Target, Weights};
use crate::int8;
use crate::isa::{self, Isa};
use crate::pool::{Output, Ptr};
use crate::small::{self, Small};
use crate::spec::ConvSpec;
use crate::winograd::Winograd;
use candle_core::{Result, bail};
use std::sync::OnceLock;

/// What is added to a result while it is in the registers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extra<'a> {
    pub(crate) bias: Option<&'a [f32]>,
    /// As large as the output; added before the activation.
    pub(crate) res: Option<&'a [f32]>,
    pub(crate) act: Act,
}

/// Where a result goes: `image_stride` channels from image to image.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) out: Ptr,
    pub(crate) image_stride: usize,
}

/// A convolution; weights are packed at their first use, for the kernel that suits the size of the image.
pub(crate) struct Conv {
    pub(crate) spec: ConvSpec,
    pub(crate) kernel: Dims,
    /// All channels, not those of one group.
    pub(crate) c_in: usize,
    pub(crate) c_out: usize,
    isa: Isa,
    /// Whether it is made for one call.
    once: bool,
    taps: Taps,
    windows: OnceLock<Weights>,
    small: OnceLock<Small>,
    winograd: OnceLock<Winograd>,
}

/// Pixels of a batch from which on transforming the weights for one call costs less than it saves.
const ONCE_PIXELS: usize = 400;

/// Weights of all phases of a transposed convolution that a task goes through: half of a 1 MiB cache.
const TOGETHER: usize = 128 * 1024;

/// Whether Winograd is defined for a layer, and its product deep enough to pay for the transforms.
fn suits_winograd(isa: Isa, spec: &ConvSpec, kernel: Dims, c_in: usize, c_out: usize, batch: usize, out: Dims) -> bool {
    let plain = kernel == [1, 3, 3] && spec.stride == [1; 3] && spec.dilation == [1; 3] && spec.groups == 1;
    let padding = spec.padding[0] == 0 && spec.padding[1] <= 2 && spec.padding[2] <= 2;
    let tiles = batch * out[1].div_ceil(4) * out[2].div_ceil(4);
    // Fewer tiles leave lanes idle, and the transformed weights are four times as large.
    let enough = if isa == Isa::Avx512 { 12 } else { 6 };
    !spec.exact && plain && padding && out[0] == 1 && c_in >= 8 && c_out >= 8 && tiles >= enough
}

impl Conv {
    /// `kernel`: depth, rows, columns; `weight`: `[c_out, c_in / groups, kernel]` of that many numbers.
    pub(crate) fn new(spec: ConvSpec, kernel: Dims, c_in: usize, c_out: usize, weight_len: usize) -> Result<Self> {
        // Checks the specification too.
        spec.out([usize::MAX / 64; 3], kernel)?;
        let g = spec.groups;
        if !c_in.is_multiple_of(g) || !c_out.is_multiple_of(g) {
            bail!("{c_in} channels in and {c_out} out are not cut by {g} groups");
        }
        let Some(n) = kernel.iter().chain(&[c_out, c_in / g]).try_fold(1usize, |n, d| n.checked_mul(*d)) else {
            bail!("a kernel of {kernel:?} for {c_in} channels in and {c_out} out is too large")
        };
        if n != weight_len {
            bail!(
                "a kernel of {kernel:?} for {c_in} channels in, {c_out} out and {g} groups has {n} weights, not {weight_len}"
            );
        }
        Ok(Self {
            spec,
            kernel,
            c_in,
            c_out,
            isa: isa::current(),
            once: false,
            taps: spec.windows(kernel),
            windows: OnceLock::new(),
            small: OnceLock::new(),
            winograd: OnceLock::new(),
        })
    }

    /// For one call, as in training, where weights change: preparing them has to pay at once.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Whether the layer runs as Winograd for an input of these dimensions.
    pub(crate) fn is_winograd(&self, batch: usize, dims: Dims) -> Result<bool> {
        let out = self.spec.out(dims, self.kernel)?;
        let pays = !self.once || batch * out[1] * out[2] >= ONCE_PIXELS;
        Ok(pays && suits_winograd(self.isa, &self.spec, self.kernel, self.c_in, self.c_out, batch, out))
    }

    /// `x`: `[batch, c_in, dims]` to `[batch, c_out, out]`.
    pub(crate) fn forward(&self, weight: &[f32], x: Input, extra: Extra) -> Result<(Vec<f32>, Dims)> {
        let dims = self.spec.out(x.dims, self.kernel)?;
        let mut out = Output::new(&[x.batch, self.c_out, dims[0], dims[1], dims[2]])?;
        let place = Place { out: out.ptr(), image_stride: self.c_out };
        // SAFETY: the output has room for exactly this, and every number of it is written.
        unsafe {
            self.forward_into(weight, x, extra, place)?;
            Ok((out.finish(), dims))
        }
    }

    /// As [`Conv::forward`] where [`Conv::is_winograd`], with weights that lie otherwise: `at(output channel, input channel)`.
    pub(crate) fn winograd_with(&self, at: impl Fn(usize, usize) -> [f32; 9] + Sync, x: Input) -> Result<Vec<f32>> {
        let dims = self.spec.out(x.dims, self.kernel)?;
        let mut out = Output::new(&[x.batch, self.c_out, dims[0], dims[1], dims[2]])?;
        let to = Target { out: out.ptr(), image_stride: self.c_out, dims, bias: None, res: None, act: Act::None };
        // SAFETY: the output has room for exactly this, and every number of it is written.
        unsafe {
            Winograd::new(self.isa, self.c_in, self.c_out, at)?.run(
                x,
                [self.spec.padding[1], self.spec.padding[2]],
                to,
            )?;
            Ok(out.finish())
        }
    }

    /// # Safety
    /// `place.out` must be good for `batch * image_stride` channels that nobody else uses meanwhile.
    pub(crate) unsafe fn forward_into(&self, weight: &[f32], x: Input, extra: Extra, place: Place) -> Result<()> {
        let dims = self.spec.out(x.dims, self.kernel)?;
        let Extra { bias, res, act } = extra;
        let to = Target { out: place.out, image_stride: place.image_stride, dims, bias, res, act };
        let (g, taps) = (self.spec.groups, self.kernel.iter().product::<usize>());
        let (ci, co) = (self.c_in / g, self.c_out / g);
        // SAFETY: the caller's promise.
        unsafe {
            if self.is_winograd(x.batch, x.dims)? {
                let packed = match self.winograd.get() {
                    Some(packed) => packed,
                    None => {
                        let at = |o: usize, i: usize| std::array::from_fn(|t| weight[(o * ci + i) * 9 + t]);
                        let new = Winograd::new(self.isa, ci, co, at)?;
                        self.winograd.get_or_init(|| new)
                    }
                };
                packed.run(x, [self.spec.padding[1], self.spec.padding[2]], to)
            } else if g == 1 && !self.once && small::suits(self.isa, x.batch, ci, co, taps, dims) {
                let packed = match self.small.get() {
                    Some(packed) => packed,
                    None => {
                        let at = |o: usize, i: usize| weight[o * ci * taps + i];
                        let new = Small::new(self.isa, ci, co, taps, self.spec.exact, at)?;
                        self.small.get_or_init(|| new)
                    }
                };
                packed.run(&self.taps, x, to)
            } else {
                let k = ci * taps;
                let at = |g: usize, o: usize, i: usize| weight[(g * co + o) * k + i];
                let packed =
                    self.windows.get_or_init(|| Weights::new(self.isa, g, ci, co, taps, at).exact(self.spec.exact));
                implicit::run(packed, &self.taps, x, to)
            }
        }
    }
}

/// A transposed convolution: one plain convolution for each phase of the output.
pub(crate) struct ConvTransposed {
    pub(crate) spec: ConvSpec,
    pub(crate) kernel: Dims,
    pub(crate) c_in: usize,
    pub(crate) c_out: usize,
    phases: Vec<(Taps, Weights)>,
}

impl ConvTransposed {
    /// `weight`: `[c_in, c_out / groups, kernel]`.
    pub(crate) fn new(spec: ConvSpec, kernel: Dims, c_in: usize, c_out: usize, weight: &[f32]) -> Result<Self> {
        let g = spec.groups;
        if g == 0 || !c_in.is_multiple_of(g) || !c_out.is_multiple_of(g) {
            bail!("{c_in} channels in and {c_out} out are not cut by {g} groups");
        }
        spec.out_transposed([1; 3], kernel).or_else(|_| spec.out_transposed([64; 3], kernel))?;
        let Some(taps) = kernel.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) else {
            bail!("a kernel of {kernel:?} is too large")
        };
        let (ci, co) = (c_in / g, c_out / g);
        if Some(weight.len()) != c_in.checked_mul(co).and_then(|n| n.checked_mul(taps)) {
            bail!(
                "a transposed kernel of {kernel:?} for {c_in} channels in and {c_out} out does not have {} weights",
                weight.len()
            );
        }
        let isa = isa::current();
        let phases = spec
            .phases(kernel)
            .into_iter()
            .map(|(t, used)| {
                let n = used.len();
                let at = |g: usize, o: usize, i: usize| weight[((g * ci + i / n) * co + o) * taps + used[i % n]];
                let packed = Weights::new(isa, g, ci, co, n, at).exact(spec.exact);
                (t, packed)
            })
            .collect();
        Ok(Self { spec, kernel, c_in, c_out, phases })
    }

    /// `x`: `[batch, c_in, dims]` to `[batch, c_out, out]`.
    pub(crate) fn forward(&self, x: Input, extra: Extra) -> Result<(Vec<f32>, Dims)> {
        let dims = self.spec.out_transposed(x.dims, self.kernel)?;
        Ok((self.forward_to(x, dims, extra)?, dims))
    }

    /// With the dimensions of the output given: for gradients of inputs, whose size the stride leaves open.
    pub(crate) fn forward_to(&self, x: Input, dims: Dims, extra: Extra) -> Result<Vec<f32>> {
        let mut out = Output::new(&[x.batch, self.c_out, dims[0], dims[1], dims[2]])?;
        let place = Place { out: out.ptr(), image_stride: self.c_out };
        // SAFETY: the output has room for exactly this, and the phases write every number of it.
        unsafe {
            self.forward_into(x, dims, extra, place)?;
            Ok(out.finish())
        }
    }

    /// # Safety
    /// As for [`Conv::forward_into`].
    pub(crate) unsafe fn forward_into(&self, x: Input, dims: Dims, extra: Extra, place: Place) -> Result<()> {
        let Extra { bias, res, act } = extra;
        let to = Target { out: place.out, image_stride: place.image_stride, dims, bias, res, act };
        let layers: Vec<(&Weights, &Taps)> = self.phases.iter().map(|(taps, weights)| (weights, taps)).collect();
        // One after the other where their weights together would not stay in the cache from task to task.
        let together = layers.iter().map(|l| l.0.len()).sum::<usize>() <= TOGETHER;
        let at_once = if together { layers.len() } else { 1 };
        for some in layers.chunks(at_once) {
            // SAFETY: the caller's promise; phases write disjoint points.
            unsafe { implicit::run_all(some, x, to)? };
        }
        Ok(())
    }
}

/// A convolution in bytes, for inference; see [`int8`](crate::int8).
pub(crate) struct ConvBytes {
    pub(crate) spec: ConvSpec,
    pub(crate) kernel: Dims,
    pub(crate) c_in: usize,
    pub(crate) c_out: usize,
    taps: Taps,
    weights: Weights,
}

impl ConvBytes {
    /// As [`Conv::new`], with the weights; none where the processor has no dot product of bytes, or the layer has groups.
    pub(crate) fn new(spec: ConvSpec, kernel: Dims, c_in: usize, c_out: usize, weight: &[f32]) -> Result<Option<Self>> {
        // Checks all sizes.
        Conv::new(spec, kernel, c_in, c_out, weight.len())?;
        let isa = isa::current();
        if !isa::has_vnni(isa) || spec.groups != 1 {
            return Ok(None);
        }
        let taps: usize = kernel.iter().product();
        let k = c_in * taps;
        let (bytes, scales) = int8::weights(c_out, k, |r, i| weight[r * k + i]);
        let lane = |r: usize, i: usize| {
            let (lane, t) = (i / taps, i % taps);
            [0, 1, 2, 3].map(|j| {
                let c = lane * 4 + j;
                if c < c_in { bytes[r * k + c * taps + t] } else { 0 }
            })
        };
        let weights = Weights::bytes(isa, c_in.div_ceil(4), c_out, taps, scales, lane);
        Ok(Some(Self { spec, kernel, c_in, c_out, taps: spec.windows(kernel), weights }))
    }

    /// As [`Conv::forward`].
    pub(crate) fn forward(&self, x: Input, extra: Extra) -> Result<(Vec<f32>, Dims)> {
        let dims = self.spec.out(x.dims, self.kernel)?;
        let mut out = Output::new(&[x.batch, self.c_out, dims[0], dims[1], dims[2]])?;
        let place = Place { out: out.ptr(), image_stride: self.c_out };
        // SAFETY: the output has room for exactly this, and every number of it is written.
        unsafe {
            self.forward_into(x, extra, place)?;
            Ok((out.finish(), dims))
        }
    }

    /// For an input that is packed already.
    pub(crate) fn forward_packed(&self, x: Input, extra: Extra) -> Result<Vec<f32>> {
        let dims = self.spec.out(x.dims, self.kernel)?;
        let mut out = Output::new(&[x.batch, self.c_out, dims[0], dims[1], dims[2]])?;
        let Extra { bias, res, act } = extra;
        let to = Target { out: out.ptr(), image_stride: self.c_out, dims, bias, res, act };
        // SAFETY: the output has room for exactly this, and every number of it is written.
        unsafe {
            implicit::run(&self.weights, &self.taps, x, to)?;
            Ok(out.finish())
        }
    }

    /// # Safety
    /// As for [`Conv::forward_into`].
    pub(crate) unsafe fn forward_into(&self, x: Input, extra: Extra, place: Place) -> Result<()> {
        let dims = self.spec.out(x.dims, self.kernel)?;
        let Extra { bias, res, act } = extra;
        let to = Target { out: place.out, image_stride: place.image_stride, dims, bias, res, act };
        let (lanes, q) = int8::pack_image(x.x, x.batch, self.c_in, x.dims.iter().product())?;
        let packed = Input { x: &lanes, quantised: Some(q), ..x };
        // SAFETY: the caller's promise.
        unsafe { implicit::run(&self.weights, &self.taps, packed, to) }
    }
}
