//! Convolution as a matrix product over windows, without an im2col matrix.
//!
//! A task owns a block of output rows. It copies the input rows that they need once, with their zero border, into a
//! cache-sized scratch; every row of the im2col matrix is then a run of that copy at a fixed offset, which the product of
//! [`gemm`](crate::gemm) reads in place. Strides split the copy into phases (even and odd columns, ...), so that runs stay
//! contiguous. A dilated layer is cut into as many plain ones as the dilation has residues.
//!
//! Everything has three spatial axes (depth, rows, columns); two-dimensional layers have a depth of one. A transposed
//! convolution with stride s is s^axes of these, one for each phase of the output (`out_step`, `out_start`), and so are
//! gradients of inputs.

use crate::gemm::{self, Act, Store};
use crate::int8::{self, Quantised, Rescale};
use crate::isa::{Isa, by_isa};
use crate::pool::{Ptr, par_for, round_up, threads, with_scratch};
use crate::simd::Simd;
use candle_core::{Result, bail};

/// Depth, rows, columns.
pub(crate) type Dims = [usize; 3];

/// Scratch of a task, in numbers: half of a mebibyte, which leaves room for weights in a 1 MiB cache.
const BLOCK: usize = 96 * 1024;

/// Where the windows of a layer lie.
///
/// Output point `o` of the grid reads the input at `o * stride + disp[t]` for every tap `t` (zero outside) and is written
/// to `o * out_step + out_start`.
#[derive(Clone, Debug)]
pub(crate) struct Taps {
    pub(crate) disp: Vec<[isize; 3]>,
    pub(crate) stride: Dims,
    pub(crate) out_step: Dims,
    pub(crate) out_start: Dims,
}

impl Taps {
    fn is_pointwise(&self) -> bool {
        self.disp == [[0; 3]] && self.stride == [1; 3] && self.out_step == [1; 3] && self.out_start == [0; 3]
    }
}

/// Weights in panel order; row `i` of the sum is `channel * taps + tap`.
pub(crate) struct Weights {
    pub(crate) isa: Isa,
    groups: usize,
    c_in: usize,
    c_out: usize,
    k: usize,
    panels: Vec<(usize, usize)>,
    data: Vec<f32>,
    /// See [`ConvSpec::exact`](crate::ConvSpec).
    exact: bool,
    /// For weights in bytes (four channels a number): the scale of each output channel, and the sum of its weights.
    bytes: Option<(Vec<f32>, Vec<i32>)>,
}

impl Weights {
    /// Packs weights in bytes: `c_in` counts lanes of four channels, `at` gives lanes.
    pub(crate) fn bytes(
        isa: Isa,
        c_in: usize,
        c_out: usize,
        taps: usize,
        scales: Vec<f32>,
        at: impl Fn(usize, usize) -> [i8; 4],
    ) -> Self {
        let lane = |_: usize, r: usize, i: usize| f32::from_bits(u32::from_ne_bytes(at(r, i).map(|b| b as u8)));
        let sums = (0..c_out).map(|r| (0..c_in * taps).flat_map(|i| at(r, i)).map(i32::from).sum()).collect();
        Self { bytes: Some((scales, sums)), ..Self::new(isa, 1, c_in, c_out, taps, lane) }
    }

    /// Packs `at(group, output channel of the group, channel * taps + tap)`.
    pub(crate) fn new(
        isa: Isa,
        groups: usize,
        c_in: usize,
        c_out: usize,
        taps: usize,
        at: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let panels = gemm::panels(c_out, gemm::block(isa).0);
        let k = c_in * taps;
        let mut data = Vec::with_capacity(groups * c_out * k);
        for g in 0..groups {
            data.extend(gemm::pack(&panels, k, |r, i| at(g, r, i)));
        }
        Self { isa, groups, c_in, c_out, k, panels, data, exact: false, bytes: None }
    }

    /// Numbers.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// With sums as exact as can be.
    pub(crate) fn exact(mut self, exact: bool) -> Self {
        self.exact = exact;
        self
    }

    fn panel(&self, group: usize, first: usize) -> *const f32 {
        self.data[(group * self.c_out + first) * self.k..].as_ptr()
    }
}

/// Weights for one call: with what turns sums of bytes into numbers.
struct Call<'a> {
    w: &'a Weights,
    shift: Vec<i32>,
    factor: Vec<f32>,
    /// What lies outside of the image.
    border: f32,
}

impl<'a> Call<'a> {
    fn new(w: &'a Weights, quantised: Option<Quantised>) -> Self {
        let (shift, factor) = match (&w.bytes, quantised) {
            (Some((scales, sums)), Some(q)) => {
                (sums.iter().map(|s| s * i32::from(q.zero)).collect(), scales.iter().map(|s| s * q.scale).collect())
            }
            _ => (Vec::new(), Vec::new()),
        };
        Self { w, shift, factor, border: quantised.map_or(0.0, Quantised::border) }
    }

    /// The product of a panel; see [`gemm::panel_generic`].
    unsafe fn multiply(&self, g: usize, first: usize, rows: usize, b: *const f32, off: &[u32], cols: usize, to: Store) {
        let a = self.w.panel(g, first);
        // SAFETY: the caller's promise; weights in bytes are made where the processor has VNNI only.
        unsafe {
            if self.factor.is_empty() {
                let to = Store { exact: self.w.exact, ..to };
                gemm::panel(self.w.isa, rows, a, b, off, cols, to);
            } else {
                let by = Rescale { shift: self.shift[first..].as_ptr(), factor: self.factor[first..].as_ptr() };
                int8::panel(rows, a, b, off, cols, to, by);
            }
        }
    }
}

/// An input: `[batch, groups * c_in, depth, rows, columns]`.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) batch: usize,
    pub(crate) dims: Dims,
    /// For an input in bytes (four channels a number).
    pub(crate) quantised: Option<Quantised>,
}

impl<'a> Input<'a> {
    /// Plain numbers.
    pub(crate) fn new(x: &'a [f32], batch: usize, dims: Dims) -> Self {
        Self { x, batch, dims, quantised: None }
    }
}

/// An output: `[batch, groups * c_out, depth, rows, columns]`, and what is added on the way.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// First number, and how many channels apart the images of a batch are (more than are written where the result is a
    /// part of a concatenation).
    pub(crate) out: Ptr,
    pub(crate) image_stride: usize,
    pub(crate) dims: Dims,
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) res: Option<&'a [f32]>,
    pub(crate) act: Act,
}

/// Writes every point of the grid of `taps`.
///
/// # Safety
/// `to.out` must be good for `batch * image_stride * dims` numbers that nobody else uses meanwhile.
pub(crate) unsafe fn run(w: &Weights, taps: &Taps, x: Input, to: Target) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { run_all(&[(w, taps)], x, to) }
}

/// As [`run`] for layers of the same channels that write different points of one output: the phases of a transposed
/// convolution, which a task writes together, while the lines of the output that they share are in its cache.
///
/// # Safety
/// As for [`run`]; no point may belong to two layers.
pub(crate) unsafe fn run_all(layers: &[(&Weights, &Taps)], x: Input, to: Target) -> Result<()> {
    let Some(&(w, taps)) = layers.first() else { return Ok(()) };
    let same = |v: &Weights| (v.isa, v.groups, v.c_in, v.c_out) == (w.isa, w.groups, w.c_in, w.c_out);
    assert!(layers.iter().all(|l| same(l.0)), "layers of the same channels");
    let pixels: usize = x.dims.iter().product();
    assert_eq!(x.x.len(), x.batch * w.groups * w.c_in * pixels, "input and its dimensions");
    assert_eq!(w.bytes.is_some(), x.quantised.is_some(), "bytes meet bytes");
    assert!(to.bias.is_none_or(|b| b.len() == w.groups * w.c_out), "one bias a channel");
    let out_pixels: usize = to.dims.iter().product();
    assert!(
        to.res.is_none_or(|r| r.len() == x.batch * to.image_stride * out_pixels),
        "residual as large as the output"
    );
    if x.batch == 0 || out_pixels == 0 || w.c_out == 0 {
        return Ok(());
    }
    // SAFETY: the caller's promise; sizes were checked above.
    unsafe {
        if layers.len() == 1 && taps.is_pointwise() && x.dims == to.dims && w.c_in * pixels < u32::MAX as usize {
            return pointwise(w, x, to);
        }
        windows(layers, x, to)
    }
}

/// One tap, no border: the image itself is B.
unsafe fn pointwise(w: &Weights, x: Input, to: Target) -> Result<()> {
    let pix: usize = x.dims.iter().product();
    let call = Call::new(w, x.quantised);
    let (_, nr) = gemm::block(w.isa);
    let lanes = gemm::lanes(w.isa);
    let limit = (BLOCK / w.c_in.max(1) / nr).clamp(1, 64) * nr;
    let outer = x.batch * w.groups;
    // Even blocks of whole register blocks, enough for all threads.
    let want = pix.div_ceil(limit).max((3 * threads()).div_ceil(outer).min(pix.div_ceil(nr)));
    let width = round_up(pix.div_ceil(want), nr);
    let blocks = pix.div_ceil(width);
    let splits = splits(outer * blocks, w.panels.len());
    // Rows a multiple of a page apart would share a few cache sets; wide products pay for a copy that does not.
    let aliased = pix.is_multiple_of(512) && w.c_in > 8;
    let direct: Vec<u32> = (0..w.c_in).map(|c| (c * pix) as u32).collect();
    let ld = width + 16;
    let packed: Vec<u32> = (0..w.c_in).map(|c| (c * ld) as u32).collect();
    par_for(outer * blocks * splits, |task| {
        let (task, split) = (task / splits, task % splits);
        let (image, block) = (task / blocks, task % blocks);
        let (b, g) = (image / w.groups, image % w.groups);
        let (p0, n) = (block * width, width.min(pix - block * width));
        let src = &x.x[image * w.c_in * pix..][..w.c_in * pix];
        let mine = split * w.panels.len() / splits..(split + 1) * w.panels.len() / splits;
        // Whole vectors are read, so the last few columns of the last channel need a copy with room behind it.
        let whole = if aliased {
            0
        } else if p0 + n == pix {
            n / nr * nr
        } else {
            n
        };
        debug_assert!(p0 + n == pix || n % lanes == 0);
        let rest = n - whole;
        with_scratch(if rest > 0 { w.c_in * ld + nr } else { 0 }, |s| {
            if rest > 0 {
                for c in 0..w.c_in {
                    s[c * ld..][..rest].copy_from_slice(&src[c * pix + p0 + whole..][..rest]);
                }
            }
            for &(first, rows) in &w.panels[mine.clone()] {
                let channel = g * w.c_out + first;
                let at = (b * to.image_stride + channel) * pix + p0;
                // SAFETY: tasks own disjoint (image, columns, channels); direct columns end a whole block before the
                // end of the image, the others are read from the scratch, which has room behind its last row.
                unsafe {
                    let store = to.store(at, pix, channel);
                    if whole > 0 {
                        call.multiply(g, first, rows, src.as_ptr().add(p0), &direct, whole, store);
                    }
                    if rest > 0 {
                        let store = to.store(at + whole, pix, channel);
                        call.multiply(g, first, rows, s.as_ptr(), &packed, rest, store);
                    }
                }
            }
        });
    })
}

impl Target<'_> {
    /// A store that begins at number `at` of the output, for the rows from `channel` on.
    unsafe fn store(&self, at: usize, ldc: usize, channel: usize) -> Store {
        Store {
            // SAFETY: the caller's promise.
            c: unsafe { self.out.at(at) },
            ldc,
            bias: self.bias.map_or(std::ptr::null(), |b| b[channel..].as_ptr()),
            res: self.res.map_or(std::ptr::null(), |r| r[at..].as_ptr()),
            act: self.act,
            exact: false,
        }
    }
}

/// Into how many parts the output channels are cut, so that there is work for all threads.
fn splits(tasks: usize, panels: usize) -> usize {
    let t = threads();
    if t == 1 || tasks >= 2 * t { 1 } else { (2 * t).div_ceil(tasks).min(panels) }
}

/// A plain layer: no dilation along depth and rows that a stride could not express.
struct Sub {
    /// Points of its grid.
    n: Dims,
    stride: Dims,
    /// Input position of the first tap of point zero.
    base: [isize; 3],
    out_step: Dims,
    out_start: Dims,
    /// Per axis: the residues of `tap % stride` that occur.
    phases: [Vec<usize>; 3],
    /// Per axis: the largest `tap / stride`.
    span: Dims,
    /// Taps relative to `base`.
    rel: Vec<Dims>,
}

impl Sub {
    fn all(taps: &Taps, out: Dims) -> Vec<Self> {
        let lo: [isize; 3] = std::array::from_fn(|a| taps.disp.iter().map(|d| d[a]).min().unwrap_or(0));
        let rel: Vec<Dims> = taps.disp.iter().map(|d| std::array::from_fn(|a| d[a].abs_diff(lo[a]))).collect();
        let grid: Dims = std::array::from_fn(|a| out[a].saturating_sub(taps.out_start[a]).div_ceil(taps.out_step[a]));
        // Columns keep their dilation: their runs must stay contiguous.
        let residues: Dims = std::array::from_fn(|a| {
            let g = rel.iter().fold(0, |g, r| gcd(g, r[a]));
            if a < 2 && taps.stride[a] == 1 && g > 1 { g.min(grid[a].max(1)) } else { 1 }
        });
        let mut all = Vec::new();
        for rz in 0..residues[0] {
            for ry in 0..residues[1] {
                let r = [rz, ry, 0];
                let step: Dims =
                    std::array::from_fn(|a| if residues[a] > 1 { rel.iter().fold(0, |g, t| gcd(g, t[a])) } else { 1 });
                let n: Dims = std::array::from_fn(|a| (grid[a] - r[a].min(grid[a])).div_ceil(step[a]));
                if n.contains(&0) {
                    continue;
                }
                let stride: Dims = std::array::from_fn(|a| taps.stride[a] * step[a]);
                let phases: [Vec<usize>; 3] = std::array::from_fn(|a| {
                    let mut p: Vec<usize> = rel.iter().map(|t| t[a] % stride[a]).collect();
                    p.sort_unstable();
                    p.dedup();
                    p
                });
                all.push(Self {
                    n,
                    stride,
                    base: std::array::from_fn(|a| lo[a] + (r[a] * taps.stride[a]) as isize),
                    out_step: std::array::from_fn(|a| taps.out_step[a] * step[a]),
                    out_start: std::array::from_fn(|a| taps.out_start[a] + r[a] * taps.out_step[a]),
                    span: std::array::from_fn(|a| rel.iter().map(|t| t[a] / stride[a]).max().unwrap_or(0)),
                    phases,
                    rel: rel.clone(),
                });
            }
        }
        all
    }

    /// Columns of a row of the copy.
    fn pitch(&self) -> usize {
        self.n[2] + self.span[2]
    }

    /// Numbers of one channel's copy for a block of `z x y` output rows.
    fn channel(&self, z: usize, y: usize) -> usize {
        let phases: usize = self.phases.iter().map(Vec::len).product();
        let size = phases * (z + self.span[0]) * (y + self.span[1]) * self.pitch();
        // Channels must not lie a multiple of a page apart, or all share a few cache sets.
        let size = round_up(size, 16);
        if size.is_multiple_of(512) { size + 16 } else { size }
    }

    /// Block sizes along depth and rows.
    fn block(&self, c_in: usize, outer: usize) -> (usize, usize) {
        let enough = 4 * threads();
        let (mut z, mut y) = (1, 1);
        loop {
            let fits = |z: usize, y: usize| {
                let blocks = self.n[0].div_ceil(z) * self.n[1].div_ceil(y) * outer;
                c_in * self.channel(z, y) <= BLOCK && (blocks >= enough || z * y * self.n[2] < 48)
            };
            // The shorter side first: a cube shares most of its border.
            let (more_y, more_z) = ((y + 1).min(self.n[1]), (z + 1).min(self.n[0]));
            if more_y > y && (y <= z || more_z == z) && fits(z, more_y) {
                y = more_y;
            } else if more_z > z && fits(more_z, y) {
                z = more_z;
            } else if more_y > y && fits(z, more_y) {
                y = more_y;
            } else {
                break;
            }
        }
        // Even blocks.
        let even = |n: usize, b: usize| n.div_ceil(n.div_ceil(b));
        (even(self.n[0], z), even(self.n[1], y))
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A sub-layer with its block size and the offsets of the sum's rows in the copy.
struct Plan {
    /// Which layer it is of.
    layer: usize,
    sub: Sub,
    z: usize,
    y: usize,
    channel: usize,
    off: Vec<u32>,
}

unsafe fn windows(layers: &[(&Weights, &Taps)], x: Input, to: Target) -> Result<()> {
    let w = layers[0].0;
    let (_, nr) = gemm::block(w.isa);
    let subs = layers.iter().enumerate().flat_map(|(i, l)| Sub::all(l.1, to.dims).into_iter().map(move |s| (i, s)));
    let outer = x.batch * w.groups;
    let mut plans: Vec<Plan> = Vec::new();
    // Blocks of one task: of one plan, or one of each layer's.
    let mut blocks: Vec<Vec<(usize, usize, usize)>> = Vec::new();
    for (layer, sub) in subs {
        let w = layers[layer].0;
        let (z, y) = sub.block(w.c_in, outer);
        let channel = sub.channel(z, y);
        if w.c_in.saturating_mul(channel) >= u32::MAX as usize {
            bail!("a convolution over {:?} points and {} channels is too large", x.dims, w.c_in);
        }
        let (nqz, nqy, pitch) = (z + sub.span[0], y + sub.span[1], sub.pitch());
        let phase = |a: usize, t: &Dims| sub.phases[a].iter().position(|p| *p == t[a] % sub.stride[a]).unwrap_or(0);
        let mut off = Vec::with_capacity(w.k);
        for c in 0..w.c_in {
            for t in &sub.rel {
                let p = (phase(0, t) * sub.phases[1].len() + phase(1, t)) * sub.phases[2].len() + phase(2, t);
                let q: Dims = std::array::from_fn(|a| t[a] / sub.stride[a]);
                off.push((c * channel + (p * nqz * nqy + q[0] * nqy + q[1]) * pitch + q[2]) as u32);
            }
        }
        let mut task = 0;
        for z0 in (0..sub.n[0]).step_by(z) {
            for y0 in (0..sub.n[1]).step_by(y) {
                let block = (plans.len(), z0, y0);
                match blocks.get_mut(task).filter(|_| layers.len() > 1) {
                    Some(all) => all.push(block),
                    None => blocks.push(vec![block]),
                }
                task += 1;
            }
        }
        plans.push(Plan { layer, sub, z, y, channel, off });
    }
    if blocks.is_empty() {
        return Ok(()); // a phase without points
    }
    let calls: Vec<Call> = layers.iter().map(|l| Call::new(l.0, x.quantised)).collect();
    let depthwise = w.c_in == 1 && w.c_out <= 2 && w.bytes.is_none();
    let splits = if depthwise { 1 } else { splits(outer * blocks.len(), w.panels.len()) };
    let tasks = outer * blocks.len() * splits;
    par_for(tasks, |task| {
        let (task, split) = (task / splits, task % splits);
        let (image, block) = (task / blocks.len(), &blocks[task % blocks.len()]);
        for &(plan, z0, y0) in block {
            let plan = &plans[plan];
            let (w, call, sub) = (layers[plan.layer].0, &calls[plan.layer], &plan.sub);
            let (z, y) = (plan.z.min(sub.n[0] - z0), plan.y.min(sub.n[1] - y0));
            with_scratch(w.c_in * plan.channel + nr * 9 + 64, |s| {
                let (copy, tile) = s.split_at_mut(w.c_in * plan.channel + nr + 16);
                let pixels: usize = x.dims.iter().product();
                for c in 0..w.c_in {
                    let src = &x.x[(image * w.c_in + c) * pixels..][..pixels];
                    fill(w.isa, plan, src, x.dims, (z0, z), (y0, y), call.border, &mut copy[c * plan.channel..]);
                }
                let part = Part { w, call, plan, to: &to, image, z0, y0, z, y };
                // SAFETY: tasks own disjoint output rows and channels; offsets stay inside the copy, whose slack is what
                // the last vector may read beyond it.
                unsafe {
                    if depthwise {
                        part.depthwise(copy);
                    } else {
                        let n = w.panels.len();
                        part.multiply(copy, tile, split * n / splits..(split + 1) * n / splits);
                    }
                }
            });
        }
    })
}

by_isa! {
    /// Every `step`-th number of `src`.
    fn every(step: usize, src: &[f32], out: &mut [f32]) = crate::implicit::every_generic
}

#[inline(always)]
unsafe fn every_generic<S: Simd>(step: usize, src: &[f32], out: &mut [f32]) {
    if step != 2 {
        out.iter_mut().zip(src.iter().step_by(step)).for_each(|(o, s)| *o = *s);
        return;
    }
    // Whole pairs, which the compiler turns into vectors.
    let (pairs, rest) = src.as_chunks::<2>();
    let (whole, last) = out.split_at_mut(pairs.len().min(out.len()));
    whole.iter_mut().zip(pairs).for_each(|(o, s)| *o = s[0]);
    last.iter_mut().zip(rest).for_each(|(o, s)| *o = *s);
}

/// Copies the input rows of a block, with zeros outside of the image.
fn fill(
    isa: Isa,
    plan: &Plan,
    src: &[f32],
    dims: Dims,
    (z0, z): (usize, usize),
    (y0, y): (usize, usize),
    border: f32,
    out: &mut [f32],
) {
    let sub = &plan.sub;
    let (nqz, nqy, pitch) = (plan.z + sub.span[0], plan.y + sub.span[1], sub.pitch());
    let mut phase = 0;
    for pz in &sub.phases[0] {
        for py in &sub.phases[1] {
            for px in &sub.phases[2] {
                // Input column of element i: first + i * step.
                let first = sub.base[2] + *px as isize;
                let step = sub.stride[2];
                let lo = if first >= 0 { 0 } else { first.unsigned_abs().div_ceil(step) }.min(pitch);
                let hi = if first >= dims[2] as isize {
                    lo
                } else {
                    dims[2].wrapping_sub(first as usize).div_ceil(step).clamp(lo, pitch)
                };
                for qz in 0..z + sub.span[0] {
                    let iz = sub.base[0] + ((z0 + qz) * sub.stride[0] + pz) as isize;
                    for qy in 0..y + sub.span[1] {
                        let iy = sub.base[1] + ((y0 + qy) * sub.stride[1] + py) as isize;
                        let row = &mut out[((phase * nqz + qz) * nqy + qy) * pitch..][..pitch];
                        let inside = iz >= 0 && (iz as usize) < dims[0] && iy >= 0 && (iy as usize) < dims[1];
                        if !inside || lo >= hi {
                            row.fill(border);
                            continue;
                        }
                        let line = &src[(iz as usize * dims[1] + iy as usize) * dims[2]..][..dims[2]];
                        row[..lo].fill(border);
                        row[hi..].fill(border);
                        let from = (first + (lo * step) as isize) as usize;
                        let dst = &mut row[lo..hi];
                        match step {
                            1 => dst.copy_from_slice(&line[from..from + (hi - lo)]),
                            // SAFETY: safe code compiled for the set.
                            _ => unsafe { every(isa, step, &line[from..], dst) },
                        }
                    }
                }
                phase += 1;
            }
        }
    }
}

/// The output of one task.
struct Part<'a> {
    w: &'a Weights,
    call: &'a Call<'a>,
    plan: &'a Plan,
    to: &'a Target<'a>,
    image: usize,
    z0: usize,
    y0: usize,
    z: usize,
    y: usize,
}

impl Part<'_> {
    /// Number of the output at grid point (z, y, 0) of a channel.
    fn at(&self, channel: usize, z: usize, y: usize) -> usize {
        let (sub, d) = (&self.plan.sub, self.to.dims);
        let b = self.image / self.w.groups;
        let oz = sub.out_start[0] + (self.z0 + z) * sub.out_step[0];
        let oy = sub.out_start[1] + (self.y0 + y) * sub.out_step[1];
        (((b * self.to.image_stride + channel) * d[0] + oz) * d[1] + oy) * d[2] + sub.out_start[2]
    }

    unsafe fn multiply(&self, copy: &[f32], tile: &mut [f32], panels: std::ops::Range<usize>) {
        let (w, sub, to) = (self.w, &self.plan.sub, self.to);
        let g = self.image % w.groups;
        let (_, nr) = gemm::block(w.isa);
        let (ow, pitch) = (sub.n[2], sub.pitch());
        let out_pixels: usize = to.dims.iter().product();
        let plane = (self.plan.y + sub.span[1]) * pitch;
        let lanes = gemm::lanes(w.isa);
        // Row by row the last vector of each row is partly waste; in one go over all rows the border columns are.
        let by_row = round_up(ow, lanes) * self.y;
        let in_one = round_up((self.y - 1) * pitch + ow, lanes) + in_one_overhead(w.k, self.y * ow);
        let contiguous = pitch == ow && to.dims[2] == ow && sub.out_step[1] == 1;
        let flat = sub.out_step[2] != 1 || contiguous || in_one < by_row;
        for &(first, rows) in &w.panels[panels] {
            let channel = g * w.c_out + first;
            for z in 0..self.z {
                // SAFETY: the caller's promise.
                unsafe {
                    if !flat || (contiguous && sub.out_step[2] == 1) {
                        let (runs, cols) = if flat { (1, self.y * ow) } else { (self.y, ow) };
                        for y in 0..runs {
                            let b = copy.as_ptr().add(z * plane + y * pitch);
                            let store = to.store(self.at(channel, z, y), out_pixels, channel);
                            self.call.multiply(g, first, rows, b, &self.plan.off, cols, store);
                        }
                        continue;
                    }
                    let cols = (self.y - 1) * pitch + ow;
                    let at = self.at(channel, z, 0);
                    let place = Scatter {
                        to: to.store(at, out_pixels, channel),
                        pitch,
                        columns: ow,
                        row: sub.out_step[1] * to.dims[2],
                        step: sub.out_step[2],
                    };
                    for j in (0..cols).step_by(nr) {
                        let n = nr.min(cols - j);
                        let b = copy.as_ptr().add(z * plane + j);
                        let plain = Store::plain(tile.as_mut_ptr(), nr);
                        self.call.multiply(g, first, rows, b, &self.plan.off, n, plain);
                        scatter(w.isa, rows, tile.as_ptr(), nr, j, n, place);
                    }
                }
            }
        }
    }

    /// One channel in, one or two out: every tap is one multiplication of whole rows.
    unsafe fn depthwise(&self, copy: &[f32]) {
        let (w, sub) = (self.w, &self.plan.sub);
        let g = self.image % w.groups;
        let pitch = sub.pitch();
        let plane = (self.plan.y + sub.span[1]) * pitch;
        let out_pixels: usize = self.to.dims.iter().product();
        let mut one = [0f32; 1];
        for &(first, rows) in &w.panels {
            for r in 0..rows {
                let channel = g * w.c_out + first + r;
                let taps: Vec<f32> = (0..w.k).map(|i| w.data[(g * w.c_out + first) * w.k + i * rows + r]).collect();
                one[0] = self.to.bias.map_or(0.0, |b| b[channel]);
                for z in 0..self.z {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let mut store = self.to.store(self.at(channel, z, 0), out_pixels, channel);
                        store.bias = one.as_ptr();
                        let rows = Rows {
                            count: self.y,
                            pitch,
                            columns: sub.n[2],
                            row: sub.out_step[1] * self.to.dims[2],
                            step: sub.out_step[2],
                        };
                        let b = copy.as_ptr().add(z * plane);
                        // Nine taps of neighbouring pixels, whose rows are loaded once for all outputs that they serve.
                        let plain = rows.step == 1
                            && w.k == 9
                            && self.plan.off.iter().enumerate().all(|(i, o)| *o as usize == i / 3 * pitch + i % 3);
                        if let (true, Ok(nine)) = (plain, <&[f32; 9]>::try_from(&taps[..])) {
                            depthwise_3x3(w.isa, nine, b, rows, store);
                        } else {
                            depthwise_rows(w.isa, &taps, &self.plan.off, b, rows, store);
                        }
                    }
                }
            }
        }
    }
}

/// What writing through a tile costs, in columns.
fn in_one_overhead(k: usize, columns: usize) -> usize {
    columns * 8 / k.max(1)
}

/// Where the columns of a tile go that runs over the border columns between rows.
#[derive(Clone, Copy)]
pub(crate) struct Scatter {
    to: Store,
    /// Columns of the tile from row to row, and how many of them are real.
    pitch: usize,
    columns: usize,
    /// Distance of rows and of columns in the output.
    row: usize,
    step: usize,
}

by_isa! {
    /// Writes a tile; see [`scatter_generic`].
    fn scatter(rows: usize, tile: *const f32, nr: usize, j0: usize, n: usize, place: Scatter) = crate::implicit::scatter_generic
}

/// Writes columns `j0..j0 + n` of a tile (`rows x nr`) to where they belong, with bias, residual and activation.
#[inline(always)]
unsafe fn scatter_generic<S: Simd>(rows: usize, tile: *const f32, nr: usize, j0: usize, n: usize, place: Scatter) {
    let Scatter { to, pitch, columns, row, step } = place;
    let (mut y, mut x) = (j0 / pitch, j0 % pitch);
    let mut j = 0;
    while j < n {
        let len = (pitch - x).min(n - j);
        let valid = columns.saturating_sub(x).min(len);
        for r in 0..rows {
            // SAFETY: `valid` columns of row y exist in the output; the tile has n columns.
            unsafe {
                let src = tile.add(r * nr + j);
                let at = r * to.ldc + y * row + x * step;
                let bias = if to.bias.is_null() { 0.0 } else { *to.bias.add(r) };
                if step == 1 {
                    let mut i = 0;
                    while i < valid {
                        let m = (valid - i).min(S::LANES);
                        let mut v = S::add(S::load_part(src.add(i), m), S::splat(bias));
                        if !to.res.is_null() {
                            v = S::add(v, S::load_part(to.res.add(at + i), m));
                        }
                        S::store_part(to.c.add(at + i), to.act.vector::<S>(v), m);
                        i += m;
                    }
                } else {
                    for i in 0..valid {
                        let mut v = *src.add(i) + bias;
                        if !to.res.is_null() {
                            v += *to.res.add(at + i * step);
                        }
                        *to.c.add(at + i * step) = to.act.apply(v);
                    }
                }
            }
        }
        j += len;
        x = 0;
        y += 1;
    }
}

/// Rows of a depthwise layer.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    count: usize,
    pitch: usize,
    columns: usize,
    row: usize,
    step: usize,
}

by_isa! {
    /// Rows of one channel; see [`depthwise_generic`].
    fn depthwise_rows(taps: &[f32], off: &[u32], b: *const f32, rows: Rows, to: Store) = crate::implicit::depthwise_generic
}

by_isa! {
    /// Rows of one channel with 3 x 3 neighbouring taps; see [`depthwise_3x3_generic`].
    fn depthwise_3x3(taps: &[f32; 9], b: *const f32, rows: Rows, to: Store) = crate::implicit::depthwise_3x3_generic
}

/// As [`depthwise_generic`] for `off = [0, 1, 2, pitch, ...]`, four rows of a vector at a time: six rows are loaded for
/// them, not twelve.
#[inline(always)]
unsafe fn depthwise_3x3_generic<S: Simd>(taps: &[f32; 9], b: *const f32, rows: Rows, to: Store) {
    const R: usize = 4;
    // SAFETY: rows beyond the last are not loaded, and columns beyond a row are read from what follows it.
    unsafe {
        let mut w = [S::splat(0.0); 9];
        for t in 0..9 {
            w[t] = S::splat(taps[t]);
        }
        let bias = S::splat(*to.bias);
        let mut y = 0;
        while y < rows.count {
            let count = R.min(rows.count - y);
            let mut x = 0;
            while x < rows.columns {
                let mut acc = [bias; R];
                for i in 0..R + 2 {
                    if i >= count + 2 {
                        break;
                    }
                    let p = b.add((y + i) * rows.pitch + x);
                    let v = [S::load(p), S::load(p.add(1)), S::load(p.add(2))];
                    for r in 0..R {
                        if i >= r && i < r + 3 {
                            for k in 0..3 {
                                acc[r] = S::fma(w[(i - r) * 3 + k], v[k], acc[r]);
                            }
                        }
                    }
                }
                let n = (rows.columns - x).min(S::LANES);
                for r in 0..R {
                    if r >= count {
                        break;
                    }
                    let at = (y + r) * rows.row + x;
                    let mut value = acc[r];
                    if !to.res.is_null() {
                        value = S::add(value, S::load_part(to.res.add(at), n));
                    }
                    S::store_part(to.c.add(at), to.act.vector::<S>(value), n);
                }
                x += S::LANES;
            }
            y += R;
        }
    }
}

/// `C[y][x] = sum over taps of taps[t] * B[off[t] + y * pitch + x]`, four rows and two vectors at a time.
#[inline(always)]
unsafe fn depthwise_generic<S: Simd>(taps: &[f32], off: &[u32], b: *const f32, rows: Rows, to: Store) {
    const R: usize = 4;
    const NV: usize = 2;
    let mut y = 0;
    while y < rows.count {
        let count = R.min(rows.count - y);
        let mut x = 0;
        while x < rows.columns {
            // SAFETY: rows beyond `count` are read from row `count - 1`, columns beyond the row from what follows it.
            unsafe {
                let mut line = [0usize; R];
                for r in 0..R {
                    line[r] = (y + r.min(count - 1)) * rows.pitch + x;
                }
                let bias = S::splat(*to.bias);
                let mut acc = [[bias; NV]; R];
                for (w, o) in taps.iter().zip(off) {
                    let w = S::splat(*w);
                    let p = b.add(*o as usize);
                    for r in 0..R {
                        for v in 0..NV {
                            acc[r][v] = S::fma(w, S::load(p.add(line[r] + v * S::LANES)), acc[r][v]);
                        }
                    }
                }
                for r in 0..count {
                    for v in 0..NV {
                        let n = rows.columns.saturating_sub(x + v * S::LANES).min(S::LANES);
                        if n == 0 {
                            continue;
                        }
                        let at = (y + r) * rows.row + (x + v * S::LANES) * rows.step;
                        let mut value = acc[r][v];
                        if rows.step == 1 {
                            if !to.res.is_null() {
                                value = S::add(value, S::load_part(to.res.add(at), n));
                            }
                            S::store_part(to.c.add(at), to.act.vector::<S>(value), n);
                        } else {
                            let mut lanes = [0f32; 16];
                            S::store(lanes.as_mut_ptr(), value);
                            for i in 0..n {
                                let res = if to.res.is_null() { 0.0 } else { *to.res.add(at + i * rows.step) };
                                *to.c.add(at + i * rows.step) = to.act.apply(lanes[i] + res);
                            }
                        }
                    }
                }
            }
            x += NV * S::LANES;
        }
        y += R;
    }
}
