//! SSD: smooth L1 for boxes, cross-entropy for labels over full boxes and the worst empty ones, three to one, all per
//! full box (Liu et al. 2016).

use super::Target;
use super::assign::{AssignSpec, Match, by_overlap};
use super::loss::{cross_entropy, focal, per, quads, rows, smooth_l1};
use crate::Result;
use crate::arch::detect::boxes::{Coder, Rect};
use candle_core::{Device, Tensor};

/// Shifts in tenths, logarithms of sizes in fifths of the default box.
const CODER: Coder = Coder { weights: [10.0, 10.0, 5.0, 5.0] };

/// The loss of a batch.
///
/// # Shapes
/// - `logits`: `[batch, boxes, labels]`, `deltas`: `[batch, boxes, 4]`; `priors` in pixels of the input
pub(super) fn loss(
    logits: &Tensor,
    deltas: &Tensor,
    priors: &[Rect],
    targets: &[Target],
    spec: &AssignSpec,
) -> Result<Tensor> {
    let (batch, n, classes) = logits.dims3()?;
    let logits = logits.reshape((batch * n, classes))?;
    let mut labels = vec![0usize; batch * n];
    let (mut full, mut codes) = (Vec::new(), Vec::new());
    for (b, target) in targets.iter().enumerate() {
        let matches = by_overlap(priors, &target.boxes, spec.ssd_iou, spec.ssd_iou, true);
        for (i, m) in matches.iter().enumerate() {
            if let Match::Object(k) = m {
                labels[b * n + i] = target.labels[*k];
                full.push(b * n + i);
                codes.push(CODER.encode(&target.boxes[*k], &priors[i]));
            }
        }
    }
    let each = if spec.focal { focal(&logits, &labels)? } else { cross_entropy(&logits, &labels)? };
    let counted = if spec.focal {
        each
    } else {
        let now: Vec<f32> = each.to_vec1()?;
        let mut weight = vec![0f32; batch * n];
        for b in 0..batch {
            let part = b * n..(b + 1) * n;
            let many = labels[part.clone()].iter().filter(|l| **l > 0).count();
            let mut empty: Vec<usize> = part.clone().filter(|i| labels[*i] == 0).collect();
            empty.sort_by(|a, c| now[*c].total_cmp(&now[*a]).then(a.cmp(c)));
            empty.truncate(many.max(1) * spec.negatives_per_positive);
            let full = part.filter(|i| labels[*i] > 0);
            full.chain(empty).for_each(|i| weight[i] = 1.0);
        }
        (each * Tensor::from_vec(weight, batch * n, &Device::Cpu)?)?
    };
    let mut total = per(&counted, full.len())?;
    if !full.is_empty() {
        let found = rows(&deltas.reshape((batch * n, 4))?, &full)?;
        total = (total + per(&smooth_l1(&found, &quads(&codes)?, 1.0)?, full.len())?)?;
    }
    Ok(total)
}
