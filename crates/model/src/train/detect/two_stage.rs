//! Faster and Mask R-CNN: cross-entropy and smooth L1 (beta 1/9) over sampled anchors, the same over sampled proposals
//! and, for outlines, cross-entropy of each pixel of the object's own mask (Ren et al. 2015, He et al. 2017, with the
//! numbers of torchvision).

use super::Target;
use super::assign::{AssignSpec, Match, by_overlap, sample};
use super::loss::{binary, cross_entropy, nothing, per, quads, rows, smooth_l1};
use crate::Result;
use crate::arch::Pass;
use crate::arch::detect::anchors;
use crate::arch::detect::boxes::{Coder, Rect};
use crate::arch::detect::faster::{Faster, SIZE, propose};
use crate::arch::detect::roi;
use crate::arch::detect::ssd::by_cell;
use candle_core::{Device, Tensor};
use lightbox_kernels::ops::{RoiAlign, roi_align};
use rand::rngs::StdRng;

/// Below this difference the loss is a parabola.
const BETA: f64 = 1.0 / 9.0;
const ANCHORS: Coder = Coder { weights: [1.0; 4] };
const PROPOSALS: Coder = Coder { weights: [10.0, 10.0, 5.0, 5.0] };
/// Side of a predicted mask.
const MASK: usize = 4 * SIZE;

/// A proposal that counts.
pub(super) struct Region {
    /// Number of its image in the batch.
    pub(super) image: usize,
    pub(super) rect: Rect,
    /// 0 where it is empty.
    pub(super) label: usize,
    /// The object that it answers for.
    pub(super) object: Option<usize>,
}

/// The loss of a batch.
pub(super) fn loss(
    net: &Faster,
    x: &Tensor,
    targets: &[Target],
    spec: &AssignSpec,
    random: &mut StdRng,
    pass: &mut Pass<'_>,
) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let (maps, heads) = net.maps(x, pass)?;
    let mut total = anchor_loss(net, &heads, targets, spec, random, (height, width))?;

    let mut regions = Vec::new();
    for (image, target) in targets.iter().enumerate() {
        let own = heads
            .iter()
            .map(|(logits, deltas)| Ok((logits.narrow(0, image, 1)?.detach(), deltas.narrow(0, image, 1)?.detach())))
            .collect::<Result<Vec<_>>>()?;
        let proposals = propose(net.config(), &own, height, width)?;
        regions.extend(choose(image, proposals, target, spec, random));
    }
    // By the map that they are taken from, so that the features of each map come in one piece.
    let scale = roi::scale(&maps[0], height)?;
    regions.sort_by_key(|r| roi::level(&r.rect, scale, 4));
    let features = |regions: &[&Region], size: usize| -> Result<Tensor> {
        let mut parts = Vec::new();
        for (level, map) in maps[..4].iter().enumerate() {
            let here: Vec<f32> = regions
                .iter()
                .filter(|r| roi::level(&r.rect, scale, 4) == level)
                .flat_map(|r| std::iter::once(r.image as f32).chain(r.rect))
                .collect();
            if !here.is_empty() {
                let boxes = Tensor::from_vec(here.clone(), (here.len() / 5, 5), &Device::Cpu)?;
                let how = RoiAlign { size: [size; 2], scale: roi::scale(map, height)?, samples: 2, aligned: false };
                parts.push(roi_align(map, &boxes, how)?);
            }
        }
        Ok(Tensor::cat(&parts, 0)?)
    };
    if regions.is_empty() {
        return Ok(total);
    }
    let all: Vec<&Region> = regions.iter().collect();
    let (logits, deltas) = net.box_head(&features(&all, SIZE)?, pass)?;
    total = (total + box_loss(&logits, &deltas, &regions, targets)?)?;

    let full: Vec<&Region> = regions.iter().filter(|r| r.object.is_some()).collect();
    if net.outlines() && !full.is_empty() {
        let features = features(&full, 2 * SIZE)?;
        if let Some(raw) = net.mask_head(&features, pass) {
            total = (total + mask_loss(&raw?, &full, targets, width)?)?;
        }
    }
    Ok(total)
}

fn anchor_loss(
    net: &Faster,
    heads: &[(Tensor, Tensor)],
    targets: &[Target],
    spec: &AssignSpec,
    random: &mut StdRng,
    (height, width): (usize, usize),
) -> Result<Tensor> {
    let config = net.config();
    let (mut logits, mut deltas, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for (level, (l, d)) in heads.iter().enumerate() {
        let (_, _, h, w) = l.dims4()?;
        let base = anchors::around_origin(&config.anchor_px[level..=level], &config.anchor_ratios);
        all.extend(anchors::grid(&base, h, w, height, width));
        logits.push(by_cell(l, 1)?);
        deltas.push(by_cell(d, 4)?);
    }
    let n = all.len();
    let logits = Tensor::cat(&logits, 1)?.reshape((targets.len() * n, 1))?;
    let deltas = Tensor::cat(&deltas, 1)?.reshape((targets.len() * n, 4))?;
    let (mut full, mut empty, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for (b, target) in targets.iter().enumerate() {
        let [high, low] = spec.rpn_iou;
        let matches = by_overlap(&all, &target.boxes, high, low, true);
        let (objects, none) = sample(&matches, spec.rpn_samples, spec.rpn_positive, random);
        for i in objects {
            if let Match::Object(k) = matches[i] {
                codes.push(ANCHORS.encode(&target.boxes[k], &all[i]));
                full.push(b * n + i);
            }
        }
        empty.extend(none.into_iter().map(|i| b * n + i));
    }
    let counted = full.len() + empty.len();
    if counted == 0 {
        return nothing();
    }
    let chosen: Vec<usize> = full.iter().chain(&empty).copied().collect();
    let present: Vec<f32> = (0..counted).map(|i| if i < full.len() { 1.0 } else { 0.0 }).collect();
    let present = Tensor::from_vec(present, (counted, 1), &Device::Cpu)?;
    let mut total = per(&binary(&rows(&logits, &chosen)?, &present)?, counted)?;
    if !full.is_empty() {
        total = (total + per(&smooth_l1(&rows(&deltas, &full)?, &quads(&codes)?, BETA)?, counted)?)?;
    }
    Ok(total)
}

/// The proposals of an image that count: those given, and the objects themselves, so that there are full ones from the
/// first update on.
pub(super) fn choose(
    image: usize,
    mut proposals: Vec<Rect>,
    target: &Target,
    spec: &AssignSpec,
    random: &mut StdRng,
) -> Vec<Region> {
    proposals.extend(&target.boxes);
    let matches = by_overlap(&proposals, &target.boxes, spec.roi_iou, spec.roi_iou, false);
    let (objects, empty) = sample(&matches, spec.roi_samples, spec.roi_positive, random);
    objects
        .into_iter()
        .chain(empty)
        .map(|i| {
            let object = if let Match::Object(k) = matches[i] { Some(k) } else { None };
            let label = object.map_or(0, |k| target.labels[k]);
            Region { image, rect: proposals[i], label, object }
        })
        .collect()
}

/// Cross-entropy of the labels and smooth L1 of the boxes, both per region.
///
/// # Shapes
/// - `logits`: `[regions, labels]`, `deltas`: `[regions, 4 labels]`
pub(super) fn box_loss(logits: &Tensor, deltas: &Tensor, regions: &[Region], targets: &[Target]) -> Result<Tensor> {
    let (n, classes) = logits.dims2()?;
    let labels: Vec<usize> = regions.iter().map(|r| r.label).collect();
    let mut total = per(&cross_entropy(logits, &labels)?, n)?;
    let (mut wanted, mut codes) = (Vec::new(), Vec::new());
    for (i, r) in regions.iter().enumerate() {
        if let Some(k) = r.object {
            wanted.push(i * classes + r.label);
            codes.push(PROPOSALS.encode(&targets[r.image].boxes[k], &r.rect));
        }
    }
    if !wanted.is_empty() {
        let found = rows(&deltas.reshape((n * classes, 4))?, &wanted)?;
        total = (total + per(&smooth_l1(&found, &quads(&codes)?, BETA)?, n)?)?;
    }
    Ok(total)
}

/// Cross-entropy of each pixel of the masks, `[full regions, labels, 28, 28]`, of the regions' own labels.
fn mask_loss(raw: &Tensor, full: &[&Region], targets: &[Target], width: usize) -> Result<Tensor> {
    let (n, classes, side, _) = raw.dims4()?;
    let wanted: Vec<usize> = full.iter().enumerate().map(|(i, r)| i * classes + r.label).collect();
    let own = rows(&raw.reshape((n * classes, side * side))?, &wanted)?;
    let mut truth = Vec::with_capacity(n * side * side);
    for r in full {
        let mask = r.object.and_then(|k| targets[r.image].masks.get(k));
        let Some(mask) = mask else {
            let reason = "an object has no outline, which Mask R-CNN learns".into();
            return Err(crate::Error::Data { set: "boxes".into(), reason });
        };
        truth.extend(cut(mask, width, &r.rect, side));
    }
    let truth = Tensor::from_vec(truth, (n, side * side), &Device::Cpu)?;
    per(&binary(&own, &truth)?, n * side * side)
}

/// The part of a mask in a box, `side` x `side` cells, each by the pixel at its middle.
fn cut(mask: &[bool], columns: usize, b: &Rect, side: usize) -> Vec<f32> {
    let rows = mask.len() / columns.max(1);
    let step = |low: f32, high: f32, i: usize| low + (high - low) * (i as f32 + 0.5) / side as f32;
    let mut out = Vec::with_capacity(side * side);
    for i in 0..side {
        let y = step(b[1], b[3], i).max(0.0) as usize;
        for k in 0..side {
            let x = step(b[0], b[2], k).max(0.0) as usize;
            let inside = y < rows && x < columns && mask[y * columns + x];
            out.push(if inside { 1.0 } else { 0.0 });
        }
    }
    out
}

const _: () = assert!(MASK == 28);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_cut_at_its_box() {
        // 8 x 8 with the right half set.
        let mask: Vec<bool> = (0..64).map(|i| i % 8 >= 4).collect();
        assert_eq!(cut(&mask, 8, &[2.0, 0.0, 6.0, 4.0], 2), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(cut(&mask, 8, &[4.0, 6.0, 12.0, 10.0], 2), [1.0, 0.0, 0.0, 0.0]);
    }
}
