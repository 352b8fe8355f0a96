//! `y = x W' + b` for rows of features.

use crate::conv::Extra;
use crate::gemm::{self, Store};
use crate::isa::{self, Isa};
use crate::pool::{Output, par_for, threads, with_scratch};
use candle_core::Result;

/// Weights in blocks of columns: `[block][k][block width]`, zero beyond the last output.
pub(crate) struct Linear {
    isa: Isa,
    pub(crate) k: usize,
    pub(crate) n: usize,
    data: Vec<f32>,
}

impl Linear {
    /// `weight`: `[n, k]`.
    pub(crate) fn new(k: usize, n: usize, weight: &[f32]) -> Self {
        assert_eq!(weight.len(), k * n, "weights and their dimensions");
        let isa = isa::current();
        let nr = gemm::block(isa).1;
        let mut data = vec![0f32; n.div_ceil(nr) * k * nr];
        for (i, block) in data.chunks_exact_mut((k * nr).max(1)).enumerate() {
            for j in 0..nr.min(n - i * nr) {
                for (p, w) in weight[(i * nr + j) * k..][..k].iter().enumerate() {
                    block[p * nr + j] = *w;
                }
            }
        }
        Self { isa, k, n, data }
    }

    /// `x`: `[rows, k]` to `[rows, n]`.
    pub(crate) fn forward(&self, x: &[f32], rows: usize, extra: Extra) -> Result<Vec<f32>> {
        let (k, n) = (self.k, self.n);
        assert_eq!(x.len(), rows * k, "input and its dimensions");
        let (mr, nr) = gemm::block(self.isa);
        let mut out = Output::new(&[rows, n])?;
        let to = out.ptr();
        let panels = gemm::panels(rows, mr);
        // Rows by eight panels, columns by enough blocks for all threads.
        let groups = panels.len().div_ceil(8);
        let blocks = n.div_ceil(nr);
        let parts = (3 * threads()).div_ceil(groups.max(1)).min(blocks).max(1);
        let off: Vec<u32> = (0..k).map(|i| (i * nr) as u32).collect();
        par_for(groups * parts, |task| {
            let (group, part) = (task / parts, task % parts);
            let mine = &panels[group * 8..((group + 1) * 8).min(panels.len())];
            with_scratch(mr * k, |a| {
                for &(first, count) in mine {
                    for r in 0..count {
                        for (p, v) in x[(first + r) * k..][..k].iter().enumerate() {
                            a[p * count + r] = *v;
                        }
                    }
                    for block in part * blocks / parts..(part + 1) * blocks / parts {
                        let cols = nr.min(n - block * nr);
                        let at = first * n + block * nr;
                        let tile = &self.data[block * k * nr..][..k * nr];
                        // SAFETY: tasks own disjoint rows and columns; blocks are whole vectors.
                        unsafe {
                            // Few rows wait for the weights' memory, not for sums: so they are exact.
                            let plain = Store { exact: true, ..Store::plain(to.at(at), n) };
                            // Here the bias goes along the columns: it is placed first, then added to.
                            let mut store = plain;
                            match (extra.bias, extra.res) {
                                (Some(b), res) => {
                                    for r in 0..count {
                                        for j in 0..cols {
                                            let i = at + r * n + j;
                                            *to.at(i) = b[block * nr + j] + res.map_or(0.0, |r| r[i]);
                                        }
                                    }
                                    store.res = store.c;
                                }
                                (None, Some(res)) => store.res = res[at..].as_ptr(),
                                (None, None) => {}
                            }
                            store.act = extra.act;
                            gemm::panel(self.isa, count, a.as_ptr(), tile.as_ptr(), &off, cols, store);
                        }
                    }
                }
            });
        })?;
        // SAFETY: all rows and columns were written.
        Ok(unsafe { out.finish() })
    }
}
