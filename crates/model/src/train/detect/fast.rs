//! Fast R-CNN: cross-entropy and smooth L1 over given regions (Girshick 2015).

use super::Target;
use super::assign::AssignSpec;
use super::loss::nothing;
use super::two_stage::{Region, box_loss, choose};
use crate::Result;
use crate::arch::Pass;
use crate::arch::detect::boxes::Rect;
use crate::arch::detect::fast::Fast;
use candle_core::Tensor;
use rand::rngs::StdRng;

/// The loss of a batch.
pub(super) fn loss(
    net: &Fast,
    x: &Tensor,
    targets: &[Target],
    spec: &AssignSpec,
    random: &mut StdRng,
    pass: &mut Pass<'_>,
) -> Result<Tensor> {
    let mut regions: Vec<Region> = Vec::new();
    for (image, target) in targets.iter().enumerate() {
        regions.extend(choose(image, target.proposals.clone(), target, spec, random));
    }
    if regions.is_empty() {
        return nothing();
    }
    let places: Vec<(usize, Rect)> = regions.iter().map(|r| (r.image, r.rect)).collect();
    let map = net.map(x, pass)?;
    let (logits, deltas) = net.box_head(&net.pooled(&map, &places)?, pass)?;
    box_loss(&logits, &deltas, &regions, targets)
}
