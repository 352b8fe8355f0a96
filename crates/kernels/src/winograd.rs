//! 3 x 3 convolution with stride 1 as Winograd F(4 x 4, 3 x 3): 36 multiplications for 16 outputs, not 144.
//!
//! Work is cut into blocks of whole rows of tiles (a tile = 4 x 4 outputs, fed by 6 x 6 inputs). For a block:
//! V = B' d B for all input channels, 36 products M = U V, then A' M A with bias, residual, activation and the store.
//! V and M of a block stay in the cache; the transformed image never exists as a whole. With many blocks each thread
//! takes whole blocks; with few (deep layers) the blocks run in order and the three stages are parallel inside.
//!
//! The vertical half of B' d B needs no shuffles, because columns are contiguous. For the horizontal half a row is dealt
//! out by four, once; the two columns that neighbouring tiles share are loads one element further on. Where the tiles of
//! a row do not fill a vector, its surplus lanes are written too and overwritten by the next row.
//!
//! Rounding: the transforms multiply by up to 8 and add up to 36 terms, so errors are about ten times those of a plain
//! sum (bounded in the tests, relative to the sum of absolute products).

use crate::gemm::{self, Store};
use crate::implicit::{Input, Target};
use crate::isa::{Isa, by_isa};
use crate::pool::{Ptr, par_for, round_up, threads, with_scratch};
use crate::simd::Simd;
use candle_core::Result;

const PLANES: usize = 36;

/// Columns beyond the tiles of a block that surplus lanes may touch.
const SLACK: usize = 16;

/// Transformed weights in panel order: `[plane][panel][c_in][rows of the panel]`.
pub(crate) struct Winograd {
    isa: Isa,
    c_in: usize,
    c_out: usize,
    panels: Vec<(usize, usize)>,
    u: Vec<f32>,
}

/// One block of tile rows, and all that its stages need.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    x: Input<'a>,
    to: Target<'a>,
    c_in: usize,
    padding: [usize; 2],
    /// Tile rows of an image, tiles of a row.
    th: usize,
    tw: usize,
    /// Tile rows `r0..r1`, counted through the batch.
    r0: usize,
    r1: usize,
    /// Distance of channels, and of planes of V and of M.
    ld: usize,
    v_plane: usize,
    m_plane: usize,
    v: Ptr,
    m: Ptr,
}

impl Winograd {
    /// Transforms `at(output channel, input channel)`, nine weights each.
    pub(crate) fn new<'w>(
        isa: Isa,
        c_in: usize,
        c_out: usize,
        at: impl Fn(usize, usize) -> [f32; 9] + Sync + 'w,
    ) -> Result<Self> {
        let panels = gemm::panels(c_out, gemm::block(isa).0);
        let mut u = vec![0f32; PLANES * c_out * c_in];
        let dst = Ptr(u.as_mut_ptr());
        let all = &panels;
        // Planes lie a multiple of a page apart: written number by number they would share a few cache sets. So a few
        // channels are gathered first.
        const CHANNELS: usize = 16;
        par_for(panels.len(), |p| {
            let (first, rows) = all[p];
            let mut g = [[0f64; ROWS]; 9];
            let mut part = [[[0f32; ROWS]; CHANNELS]; PLANES];
            for c0 in (0..c_in).step_by(CHANNELS) {
                let n = CHANNELS.min(c_in - c0);
                for c in 0..n {
                    for r in 0..rows {
                        for (g, w) in g.iter_mut().zip(at(first + r, c0 + c)) {
                            g[r] = f64::from(w);
                        }
                    }
                    // SAFETY: the set that the layer is made for.
                    unsafe { weights(isa, &g, c, &mut part) };
                }
                for (plane, part) in part.iter().enumerate() {
                    // SAFETY: every task writes the rows of its own panel.
                    let to = unsafe { dst.slice((plane * c_out + first) * c_in + c0 * rows, n * rows) };
                    for (to, part) in to.chunks_exact_mut(rows).zip(part) {
                        to.copy_from_slice(&part[..rows]);
                    }
                }
            }
        })?;
        Ok(Self { isa, c_in, c_out, panels, u })
    }

    /// Convolves `[batch, c_in, 1, rows, columns]`.
    ///
    /// # Safety
    /// As for [`implicit::run`](crate::implicit::run).
    pub(crate) unsafe fn run(&self, x: Input, padding: [usize; 2], to: Target) -> Result<()> {
        let [_, oh, ow] = to.dims;
        let (th, tw) = (oh.div_ceil(4), ow.div_ceil(4));
        let rows = x.batch * th;
        if rows == 0 || tw == 0 {
            return Ok(());
        }
        assert_eq!(x.x.len(), x.batch * self.c_in * x.dims[1] * x.dims[2], "input and its dimensions");
        // Enough tiles to use U well, few enough to keep V and M in the cache.
        let want = (400 * 1024 / (PLANES * (self.c_in + self.c_out))).clamp(48, 192);
        let per = (want / tw).clamp(1, rows);
        let per = rows.div_ceil(rows.div_ceil(per));
        let blocks = rows.div_ceil(per);
        let ld = round_up(per * tw, 16) + SLACK;
        // Planes must not lie a multiple of a page apart, or the 36 stores of a transform share a few cache sets.
        let apart = |n: usize| if n.is_multiple_of(512) { n + 48 } else { n };
        let (v_plane, m_plane) = (apart(self.c_in * ld), apart(self.c_out * ld));
        let (vn, mn) = (PLANES * v_plane, PLANES * m_plane);
        let off: Vec<u32> = (0..self.c_in).map(|c| (c * ld) as u32).collect();
        let lanes = gemm::lanes(self.isa);
        let block = |i: usize, v: Ptr, m: Ptr| {
            let (r0, r1) = (i * per, ((i + 1) * per).min(rows));
            Block { x, to, c_in: self.c_in, padding, th, tw, r0, r1, ld, v_plane, m_plane, v, m }
        };
        // SAFETY (all three stages): channels and planes write disjoint parts of V, M and the output; all of V is
        // written before M reads it, and all of M before the output does.
        let sn = input_scratch(&block(0, Ptr(std::ptr::null_mut()), Ptr(std::ptr::null_mut())), lanes);
        if blocks >= 2 * threads() || threads() == 1 {
            return par_for(blocks, |i| {
                with_scratch(vn + mn + sn, |s| {
                    let (v, rest) = s.split_at_mut(vn);
                    let (m, own) = rest.split_at_mut(mn);
                    let b = block(i, Ptr(v.as_mut_ptr()), Ptr(m.as_mut_ptr()));
                    // SAFETY: as above; this thread has a V and an M of its own.
                    unsafe {
                        input(self.isa, &b, 0, self.c_in, own);
                        (0..PLANES).for_each(|p| self.multiply(&b, p, &off));
                        output(self.isa, &b, 0, self.c_out);
                    }
                });
            });
        }
        with_scratch(vn + mn, |s| {
            let (v, m) = s.split_at_mut(vn);
            let (v, m) = (Ptr(v.as_mut_ptr()), Ptr(m.as_mut_ptr()));
            let chunks = 4 * threads();
            for i in 0..blocks {
                let b = block(i, v, m);
                let b = &b;
                let span = |n: usize, i: usize| (i * n / chunks, (i + 1) * n / chunks);
                par_for(chunks, |t| {
                    let (c0, c1) = span(self.c_in, t);
                    // SAFETY: as above.
                    with_scratch(sn, |own| unsafe { input(self.isa, b, c0, c1, own) });
                })?;
                // SAFETY: as above.
                par_for(PLANES, |p| unsafe { self.multiply(b, p, &off) })?;
                par_for(chunks, |t| {
                    let (c0, c1) = span(self.c_out, t);
                    // SAFETY: as above.
                    unsafe { output(self.isa, b, c0, c1) }
                })?;
            }
            Ok(())
        })
    }

    unsafe fn multiply(&self, b: &Block, plane: usize, off: &[u32]) {
        let cols = (b.r1 - b.r0) * b.tw;
        for &(first, rows) in &self.panels {
            // SAFETY: the panel's weights; V has whole vectors behind its last tile; M has this panel's rows.
            unsafe {
                let a = self.u[(plane * self.c_out + first) * self.c_in..].as_ptr();
                let c = b.m.at(plane * b.m_plane + first * b.ld);
                gemm::panel(self.isa, rows, a, b.v.at(plane * b.v_plane), off, cols, Store::plain(c, b.ld));
            }
        }
    }
}

by_isa! {
    /// U of an input channel for up to eight output channels.
    fn weights(g: &[[f64; ROWS]; 9], channel: usize, u: &mut [[[f32; ROWS]; 16]; PLANES]) = crate::winograd::weights_generic
}
by_isa! {
    /// V of channels `c0..c1`.
    fn input(b: &Block<'_>, c0: usize, c1: usize, scratch: &mut [f32]) = crate::winograd::input_generic
}
by_isa! {
    /// Output channels `c0..c1` from M.
    fn output(b: &Block<'_>, c0: usize, c1: usize) = crate::winograd::output_generic
}

/// Numbers of scratch that [`input_generic`] takes.
fn input_scratch(b: &Block, lanes: usize) -> usize {
    6 * line(b.tw, lanes) + b.x.dims[2] + lanes
}

/// Numbers of a line: whole groups of four vectors, and one vector that the last group's neighbour reads.
fn line(tw: usize, lanes: usize) -> usize {
    tw.div_ceil(lanes) * 4 * lanes + lanes
}

/// Most rows of a panel.
const ROWS: usize = 8;

/// `U = G g G'` in f64, since it is made once; `g` by the nine weights.
#[inline(always)]
unsafe fn weights_generic<S: Simd>(g: &[[f64; ROWS]; 9], channel: usize, u: &mut [[[f32; ROWS]; 16]; PLANES]) {
    let mut t = [[[0f64; ROWS]; 6]; 3];
    for j in 0..3 {
        g6(&g[j], &g[3 + j], &g[6 + j], &mut t[j]);
    }
    let mut row = [[0f64; ROWS]; 6];
    for i in 0..6 {
        g6(&t[0][i], &t[1][i], &t[2][i], &mut row);
        for j in 0..6 {
            for r in 0..ROWS {
                u[i * 6 + j][channel][r] = row[j][r] as f32;
            }
        }
    }
}

/// The six combinations of three weights.
#[inline(always)]
fn g6(a: &[f64; ROWS], b: &[f64; ROWS], c: &[f64; ROWS], out: &mut [[f64; ROWS]; 6]) {
    for r in 0..ROWS {
        let (a, b, c) = (a[r], b[r], c[r]);
        out[0][r] = a * 0.25;
        out[1][r] = (a + c + b) * (-1.0 / 6.0);
        out[2][r] = (a + c - b) * (-1.0 / 6.0);
        out[3][r] = (a + 4.0 * c + 2.0 * b) * (1.0 / 24.0);
        out[4][r] = (a + 4.0 * c - 2.0 * b) * (1.0 / 24.0);
        out[5][r] = c;
    }
}

// No closures here: one would be compiled without the set's features, its instructions as calls.
#[inline(always)]
unsafe fn input_generic<S: Simd>(b: &Block<'_>, c0: usize, c1: usize, scratch: &mut [f32]) {
    let l = S::LANES;
    let [ph, pw] = b.padding;
    let [_, h, w] = b.x.dims;
    let line = line(b.tw, l);
    let (lines, zero) = scratch.split_at_mut(6 * line);
    lines.fill(0.0);
    zero.fill(0.0);
    let t = lines.as_mut_ptr();
    for c in c0..c1 {
        for r in b.r0..b.r1 {
            let (image, ty) = (r / b.th, r % b.th);
            let at = (r - b.r0) * b.tw;
            // SAFETY: six rows of the image or zeros, read up to their length; lines hold pw + w <= line numbers
            // (their borders stay zero); V has SLACK columns behind its last tile.
            unsafe {
                let plane = b.x.x.as_ptr().add((image * b.c_in + c) * h * w);
                let mut src = [zero.as_ptr(); 6];
                for k in 0..6 {
                    let y = (4 * ty + k).wrapping_sub(ph);
                    if y < h {
                        src[k] = plane.add(y * w);
                    }
                }
                let mut x = 0;
                while x < w {
                    let n = (w - x).min(l);
                    let mut d = [S::splat(0.0); 6];
                    if n == l {
                        for k in 0..6 {
                            d[k] = S::load(src[k].add(x));
                        }
                    } else {
                        for k in 0..6 {
                            d[k] = S::load_part(src[k].add(x), n);
                        }
                    }
                    let o = bt::<S>(d);
                    for i in 0..6 {
                        let q = t.add(i * line + pw + x);
                        if n == l { S::store(q, o[i]) } else { S::store_part(q, o[i], n) }
                    }
                    x += l;
                }
                for i in 0..6 {
                    let mut tx = 0;
                    while tx < b.tw {
                        let q = t.add(i * line + 4 * tx);
                        let d = [S::load(q), S::load(q.add(l)), S::load(q.add(2 * l)), S::load(q.add(3 * l))];
                        let [d0, d1, d2, d3] = S::deinterleave4(d);
                        let next = q.add(4 * l);
                        let (d4, d5) = (S::shift(d0, *next), S::shift(d1, *next.add(1)));
                        let o = bt::<S>([d0, d1, d2, d3, d4, d5]);
                        let v = b.v.at(i * 6 * b.v_plane + c * b.ld + at + tx);
                        for j in 0..6 {
                            S::store(v.add(j * b.v_plane), o[j]);
                        }
                        tx += l;
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn output_generic<S: Simd>(b: &Block<'_>, c0: usize, c1: usize) {
    let l = S::LANES;
    let [_, oh, ow] = b.to.dims;
    for c in c0..c1 {
        for r in b.r0..b.r1 {
            let (image, ty) = (r / b.th, r % b.th);
            let mut tx = 0;
            while tx < b.tw {
                // SAFETY: M has SLACK columns behind its last tile; rows and columns beyond the output are not stored.
                unsafe {
                    let src = b.m.at(c * b.ld + (r - b.r0) * b.tw + tx);
                    let mut half = [[S::splat(0.0); 4]; 6];
                    for i in 0..6 {
                        let mut d = [S::splat(0.0); 6];
                        for j in 0..6 {
                            d[j] = S::load(src.add((i * 6 + j) * b.m_plane));
                        }
                        half[i] = at4::<S>(d);
                    }
                    let mut o = [[S::splat(0.0); 4]; 4];
                    for x in 0..4 {
                        o[x] = at4::<S>([half[0][x], half[1][x], half[2][x], half[3][x], half[4][x], half[5][x]]);
                    }
                    let bias = S::splat(b.to.bias.map_or(0.0, |v| v[c]));
                    let cols = (ow - 4 * tx).min(4 * l);
                    for y in 0..4 {
                        let oy = 4 * ty + y;
                        if oy >= oh {
                            break;
                        }
                        let z = S::interleave4([o[0][y], o[1][y], o[2][y], o[3][y]]);
                        let at = ((image * b.to.image_stride + c) * oh + oy) * ow + 4 * tx;
                        for q in 0..4 {
                            let n = cols.saturating_sub(q * l).min(l);
                            if n == 0 {
                                break;
                            }
                            let mut v = S::add(z[q], bias);
                            if n == l {
                                if let Some(res) = b.to.res {
                                    v = S::add(v, S::load(res.as_ptr().add(at + q * l)));
                                }
                                S::store(b.to.out.at(at + q * l), b.to.act.vector::<S>(v));
                            } else {
                                if let Some(res) = b.to.res {
                                    v = S::add(v, S::load_part(res.as_ptr().add(at + q * l), n));
                                }
                                S::store_part(b.to.out.at(at + q * l), b.to.act.vector::<S>(v), n);
                            }
                        }
                    }
                }
                tx += l;
            }
        }
    }
}

/// B' d for six vectors.
#[inline(always)]
pub(crate) unsafe fn bt<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: arithmetic of the set that runs.
    unsafe {
        let (two, four, five) = (S::splat(2.0), S::splat(4.0), S::splat(5.0));
        let a = S::fnma(four, d[2], d[4]); // d4 - 4 d2
        let b = S::fnma(four, d[1], d[3]); // d3 - 4 d1
        let c = S::sub(d[4], d[2]);
        let e = S::mul(two, S::sub(d[3], d[1]));
        [
            S::fma(four, d[0], S::fnma(five, d[2], d[4])),
            S::add(a, b),
            S::sub(a, b),
            S::add(c, e),
            S::sub(c, e),
            S::fma(four, d[1], S::fnma(five, d[3], d[5])),
        ]
    }
}

/// A' m for six vectors.
#[inline(always)]
unsafe fn at4<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: arithmetic of the set that runs.
    unsafe {
        let (p, q) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (r, s) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(S::add(m[0], p), r),
            S::fma(S::splat(2.0), s, q),
            S::fma(S::splat(4.0), r, p),
            S::add(S::fma(S::splat(8.0), s, q), m[5]),
        ]
    }
}
