//! Feature pyramid (Lin et al. 2017): coarse maps, enlarged, are added to finer ones.
//!
//! Key layout of torchvision: `inner_blocks.i.0` (1 x 1) and `layer_blocks.i.0` (3 x 3), finest first.

use crate::Result;
use crate::arch::layers::block::ConvLayer;
use crate::arch::layers::ops::{self, Geometry, Pool};
use crate::arch::params::Params;
use candle_core::Tensor;

/// The pyramid.
pub(crate) struct Fpn {
    inner: Vec<ConvLayer>,
    layer: Vec<ConvLayer>,
}

impl Fpn {
    pub(crate) fn new(p: &Params<'_>, inputs: &[usize], outputs: usize) -> Result<Self> {
        let convs = |name: &str, k: usize| -> Result<Vec<ConvLayer>> {
            (0..inputs.len())
                .map(|i| {
                    let from = if k == 1 { inputs[i] } else { outputs };
                    ConvLayer::new(&p.at(format!("{name}.{i}.0")), from, outputs, k, Geometry::same(k, 1), true)
                })
                .collect()
        };
        Ok(Self { inner: convs("inner_blocks", 1)?, layer: convs("layer_blocks", 3)? })
    }

    /// As many maps as came, finest first, then the coarsest at half its size.
    pub(crate) fn forward(&self, maps: &[Tensor]) -> Result<Vec<Tensor>> {
        let mut above: Option<Tensor> = None;
        let mut out = Vec::with_capacity(maps.len() + 1);
        for i in (0..maps.len()).rev() {
            let mut x = self.inner[i].forward(&maps[i])?;
            if let Some(above) = above {
                x = (x + ops::upsample_nearest(&above, maps[i].dim(2)?, maps[i].dim(3)?)?)?;
            }
            out.push(self.layer[i].forward(&x)?);
            above = Some(x);
        }
        out.reverse();
        if let Some(last) = out.last() {
            out.push(Pool::new(1, 2, 0).max(last)?);
        }
        Ok(out)
    }
}
