//! What detectors are taught by: which cells or priors answer for which true box, and what they are off by.

use super::boxes::{Coder, Rect, iou};
use crate::Result;
use candle_core::{Device, Tensor};

/// True boxes of one image with the number of their label.
pub(crate) type Truth = [(Rect, usize)];

/// Binary cross-entropy of each number, without overflow.
fn cross_entropy(logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    let tail = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    Ok(((logits.relu()? - (logits * target)?)? + tail)?)
}

/// Huber's loss with its bend at 1.
fn smooth_l1(difference: &Tensor) -> Result<Tensor> {
    let size = difference.abs()?;
    let near = size.clamp(0f32, 1f32)?;
    // x^2 / 2 below 1, x - 1/2 above: near * (size - near / 2).
    Ok((&near * (&size - (&near * 0.5)?)?)?)
}

/// The level that a box of a size belongs to: the finest whose cells are an eighth to a quarter of it.
fn level(b: &Rect, levels: usize) -> usize {
    let size = (b[2] - b[0]).max(b[3] - b[1]);
    (0..levels - 1).find(|k| size < (32 << k) as f32).unwrap_or(levels - 1)
}

/// The loss of heads without anchors. The nine cells round a box's middle, on the level of its size, answer for it; all
/// others are to say that nothing is there. (YOLOX chooses cells by their current loss, SimOTA; with one box an image and
/// few sizes this simpler choice does.)
///
/// # Shapes
/// Of each level, finest first, with its stride in pixels: classes `[batch, labels, rows, columns]`, shape `[batch, 4, ..]`
/// (shift from the cell's corner and logarithm of the size, in strides), object `[batch, 1, ..]`; result: scalar.
pub(crate) fn anchor_free(maps: &[(usize, [Tensor; 3])], truth: &[Vec<(Rect, usize)>]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    let batch = truth.len();
    let mut answering = 0f64;
    for (k, (stride, [class, shape, object])) in maps.iter().enumerate() {
        let (_, labels, h, w) = class.dims4()?;
        let n = h * w;
        let mut object_t = vec![0f32; batch * n];
        let mut class_t = vec![0f32; batch * labels * n];
        let mut shape_t = vec![0f32; batch * 4 * n];
        for (b, boxes) in truth.iter().enumerate() {
            for (rect, label) in boxes.iter().filter(|(r, _)| level(r, maps.len()) == k) {
                let s = *stride as f32;
                let (cx, cy) = ((rect[0] + rect[2]) / 2.0 / s, (rect[1] + rect[3]) / 2.0 / s);
                let size = [((rect[2] - rect[0]) / s).ln(), ((rect[3] - rect[1]) / s).ln()];
                for dy in -1..=1 {
                    for dx in -1..=1 {
                        let (x, y) = (cx as i64 + dx, cy as i64 + dy);
                        if x < 0 || y < 0 || x >= w as i64 || y >= h as i64 {
                            continue;
                        }
                        let at = y as usize * w + x as usize;
                        object_t[b * n + at] = 1.0;
                        let wanted = [cx - x as f32, cy - y as f32, size[0], size[1]];
                        for (c, v) in wanted.into_iter().enumerate() {
                            shape_t[(b * 4 + c) * n + at] = v;
                        }
                        if *label < labels {
                            class_t[(b * labels + label) * n + at] = 1.0;
                        }
                    }
                }
            }
        }
        answering += object_t.iter().map(|v| f64::from(*v)).sum::<f64>();
        let tensor = |v: Vec<f32>, c: usize| Tensor::from_vec(v, (batch, c, h, w), &Device::Cpu);
        let object_t = tensor(object_t, 1)?;
        let there = cross_entropy(object, &object_t)?.sum_all()?;
        let kind = cross_entropy(class, &tensor(class_t, labels)?)?.broadcast_mul(&object_t)?.sum_all()?;
        let place = smooth_l1(&(shape - tensor(shape_t, 4)?)?)?.broadcast_mul(&object_t)?.sum_all()?;
        let all = ((there + kind)? + (place * 3.0)?)?;
        sum = Some(match sum {
            Some(sum) => (sum + all)?,
            None => all,
        });
    }
    let sum = sum.ok_or_else(|| candle_core::Error::Msg("a detector without levels".into()))?;
    Ok((sum / answering.max(1.0))?)
}

/// The loss of heads with priors (Liu et al. 2016): cross-entropy over the labels of each prior that answers for a box and
/// of three times as many of the worst others, and Huber's loss of the boxes.
///
/// # Shapes
/// - `logits`: `[batch, priors, labels]`, label 0 the background; `deltas`: `[batch, priors, 4]`
/// - `priors`: as boxes in pixels; result: scalar
pub(crate) fn with_priors(
    logits: &Tensor,
    deltas: &Tensor,
    priors: &[Rect],
    coder: Coder,
    truth: &[Vec<(Rect, usize)>],
) -> Result<Tensor> {
    let (batch, n, labels) = logits.dims3()?;
    let shifted = logits.broadcast_sub(&logits.max_keepdim(2)?.detach())?;
    let log_p = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(2)?.log()?)?;
    let background: Vec<Vec<f32>> = log_p.narrow(2, 0, 1)?.squeeze(2)?.detach().to_vec2()?;
    let mut one_hot = vec![0f32; batch * n * labels];
    let mut wanted = vec![0f32; batch * n * 4];
    let mut answers = vec![0f32; batch * n];
    let mut answering = 0f64;
    for (b, boxes) in truth.iter().enumerate() {
        let mut own: Vec<Option<(usize, f32)>> = vec![None; n];
        for (t, (rect, _)) in boxes.iter().enumerate() {
            let overlaps: Vec<f32> = priors.iter().map(|p| iou(p, rect)).collect();
            let best = (0..n).max_by(|i, j| overlaps[*i].total_cmp(&overlaps[*j]));
            for (i, overlap) in overlaps.iter().enumerate() {
                // Every box has at least the prior that fits it best.
                let overlap = if Some(i) == best { 2.0 } else { *overlap };
                if overlap >= 0.5 && own[i].is_none_or(|(_, o)| overlap > o) {
                    own[i] = Some((t, overlap));
                }
            }
        }
        let mut others: Vec<usize> = Vec::new();
        let mut count = 0;
        for (i, own) in own.iter().enumerate() {
            let Some((t, _)) = own else {
                others.push(i);
                continue;
            };
            let (rect, label) = boxes[*t];
            count += 1;
            answers[b * n + i] = 1.0;
            one_hot[(b * n + i) * labels + label.min(labels - 1)] = 1.0;
            wanted[(b * n + i) * 4..][..4].copy_from_slice(&coder.encode(&rect, &priors[i]));
        }
        others.sort_by(|i, j| background[b][*i].total_cmp(&background[b][*j]));
        for i in others.into_iter().take((3 * count).max(3)) {
            one_hot[(b * n + i) * labels] = 1.0;
        }
        answering += count as f64;
    }
    let cpu = &Device::Cpu;
    let kind = (log_p * Tensor::from_vec(one_hot, (batch, n, labels), cpu)?)?.sum_all()?.neg()?;
    let off = smooth_l1(&(deltas - Tensor::from_vec(wanted, (batch, n, 4), cpu)?)?)?;
    let place = off.broadcast_mul(&Tensor::from_vec(answers, (batch, n, 1), cpu)?)?.sum_all()?;
    Ok(((kind + place)? / answering.max(1.0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_say_the_truth_lose_nothing() {
        // One box of 24 pixels in the middle of a 64 x 64 image: level 0, cells round (4, 4).
        let truth = vec![vec![([20.0, 20.0, 44.0, 44.0], 1)]];
        let say = |right: bool| {
            let maps: Vec<(usize, [Tensor; 3])> = [8usize, 16]
                .into_iter()
                .map(|stride| {
                    let side = 64 / stride;
                    let n = side * side;
                    let (mut class, mut shape, mut object) = (vec![-20f32; 2 * n], vec![0f32; 4 * n], vec![-20f32; n]);
                    if stride == 8 {
                        for y in 3..6 {
                            for x in 3..6 {
                                let at = y * side + x;
                                object[at] = 20.0;
                                class[if right { n } else { 0 } + at] = 20.0;
                                let wanted = [4.0 - x as f32, 4.0 - y as f32, 3f32.ln(), 3f32.ln()];
                                (0..4).for_each(|c| shape[c * n + at] = wanted[c]);
                            }
                        }
                    }
                    let t = |v, c| Tensor::from_vec(v, (1, c, side, side), &Device::Cpu).unwrap();
                    (stride, [t(class, 2), t(shape, 4), t(object, 1)])
                })
                .collect();
            anchor_free(&maps, &truth).unwrap().to_scalar::<f32>().unwrap()
        };
        assert!(say(true) < 1e-5, "{}", say(true));
        assert!(say(false) > 10.0);
    }

    #[test]
    fn priors_that_say_the_truth_lose_nothing() {
        let priors = vec![[0.0, 0.0, 20.0, 20.0], [20.0, 20.0, 44.0, 44.0], [0.0, 20.0, 8.0, 60.0]];
        let coder = Coder { weights: [10.0, 10.0, 5.0, 5.0] };
        let rect = [21.0, 19.0, 45.0, 46.0];
        let truth = vec![vec![(rect, 2)]];
        let logits = |label: usize| -> Vec<f32> {
            let row = |l: usize| (0..3).map(move |k| if k == l { 30.0 } else { 0.0 });
            row(0).chain(row(label)).chain(row(0)).collect()
        };
        let mut deltas = vec![0f32; 12];
        deltas[4..8].copy_from_slice(&coder.encode(&rect, &priors[1]));
        let loss = |label: usize| {
            let l = Tensor::from_vec(logits(label), (1, 3, 3), &Device::Cpu).unwrap();
            let d = Tensor::from_vec(deltas.clone(), (1, 3, 4), &Device::Cpu).unwrap();
            with_priors(&l, &d, &priors, coder, &truth).unwrap().to_scalar::<f32>().unwrap()
        };
        assert!(loss(2) < 1e-5, "{}", loss(2));
        assert!(loss(1) > 10.0);
    }
}
