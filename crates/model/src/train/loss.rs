//! Losses.

use super::recipe::Loss;
use crate::Result;
use candle_core::{D, Tensor};
use lightbox_kernels::ops::{self as kernels, Pool, PoolKind};

/// The loss of an output against its target.
///
/// # Shapes
/// Both alike: `[batch, labels, (slices,) rows, columns]`, `[batch, classes]` (targets 1 for the true class) or
/// `[batch, channels, rows, columns]`; result: scalar.
pub(crate) fn loss(kind: Loss, output: &Tensor, target: &Tensor) -> Result<Tensor> {
    match kind {
        Loss::CrossEntropyAndDice => cross_entropy_and_dice(output, target),
        Loss::SoftmaxAndDice => softmax_and_dice(output, target),
        Loss::CrossEntropy => cross_entropy(output, target, false),
        Loss::Focal => cross_entropy(output, target, true),
        Loss::Mse => Ok((output - target)?.sqr()?.mean_all()?),
        Loss::L1 => Ok((output - target)?.abs()?.mean_all()?),
        Loss::SsimAndL1 => {
            let l1 = (output - target)?.abs()?.mean_all()?;
            let structure = (1.0 - ssim(output, target)?)?;
            Ok(((structure * 0.16)? + (l1 * 0.84)?)?)
        }
    }
}

/// Cross-entropy over the classes, with gamma 2 where it is focal.
fn cross_entropy(logits: &Tensor, target: &Tensor, focal: bool) -> Result<Tensor> {
    // Shifted by the largest, which changes no softmax and keeps exp finite.
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let log_p = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    let mut each = (&log_p * target)?;
    if focal {
        each = (each * (1.0 - log_p.exp()?)?.sqr()?)?;
    }
    Ok(each.sum(D::Minus1)?.mean_all()?.neg()?)
}

/// Cross-entropy over the labels of each pixel, and 1 - soft Dice of each label but the first, over the whole batch.
fn softmax_and_dice(logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    let p = kernels::softmax(logits, 1)?;
    let ce = ((&p + 1e-6)?.log()? * target)?.sum(1)?.mean_all()?.neg()?;
    let labels = logits.dim(1)?;
    let by_label = |t: &Tensor| -> Result<Tensor> { Ok(t.transpose(0, 1)?.contiguous()?.flatten_from(1)?.sum(1)?) };
    let both = by_label(&(&p * target)?)?;
    let all = (by_label(&p)? + by_label(target)?)?;
    let dice = (((both * 2.0)? + 1.0)? / (all + 1.0)?)?.narrow(0, 1, labels - 1)?.mean_all()?;
    Ok((ce + (1.0 - dice)?)?)
}

/// SSIM (Wang et al. 2004) with windows of 7 x 7 pixels of equal weight, for images from 0 to 1; the mean over all windows.
fn ssim(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let mean = |t: &Tensor| -> Result<Tensor> { Ok(kernels::pool(t, Pool::d2(7, 1, 0), PoolKind::Average)?) };
    let (c1, c2) = (0.01f64.powi(2), 0.03f64.powi(2));
    let (ma, mb) = (mean(a)?, mean(b)?);
    let (aa, bb, ab) = (ma.sqr()?, mb.sqr()?, (&ma * &mb)?);
    let (va, vb) = ((mean(&a.sqr()?)? - &aa)?, (mean(&b.sqr()?)? - &bb)?);
    let cov = (mean(&(a * b)?)? - &ab)?;
    let top = (((ab * 2.0)? + c1)? * ((cov * 2.0)? + c2)?)?;
    let bottom = (((aa + bb)? + c1)? * ((va + vb)? + c2)?)?;
    Ok((top / bottom)?.mean_all()?)
}

/// Binary cross-entropy plus 1 - soft Dice, both means over images and labels.
///
/// # Shapes
/// - `logits`, `target` (0 to 1): `[batch, labels, rows, columns]`
/// - result: scalar
pub(crate) fn cross_entropy_and_dice(logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    // max(z, 0) - z t + ln(1 + exp(-|z|)): no overflow for any z.
    let tail = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    let cross_entropy = ((logits.relu()? - (logits * target)?)? + tail)?.mean_all()?;
    // 1 / (1 + exp(-z)) by tanh, whose gradient candle has exactly.
    let probability = (((logits * 0.5)?.tanh()? + 1.0)? * 0.5)?;
    let sum = |t: &Tensor| -> Result<Tensor> { Ok(t.flatten_from(2)?.sum(2)?) };
    let both = sum(&(&probability * target)?)?;
    let all = (sum(&probability)? + sum(target)?)?;
    // 1 pixel on both sides keeps an empty mask from dividing 0 by 0.
    let dice = (((both * 2.0)? + 1.0)? / (all + 1.0)?)?.mean_all()?;
    Ok((cross_entropy + (1.0 - dice)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    // Each loss: its value where it is known, its gradient against a central difference.
    #[test]
    fn each_loss_has_its_value_and_its_gradient() {
        let cpu = Device::Cpu;
        let wave = |n: usize, f: f32| (0..n).map(|i| 0.5 + 0.4 * (i as f32 * f).sin()).collect::<Vec<_>>();
        let one_hot = |n: usize| (0..n).map(|i| if (i / 4 + i) % 2 == 0 { 1.0f32 } else { 0.0 }).collect::<Vec<_>>();
        for (kind, shape) in [
            (Loss::CrossEntropy, vec![4, 2]),
            (Loss::Focal, vec![4, 2]),
            (Loss::SoftmaxAndDice, vec![1, 2, 2, 2]),
            (Loss::Mse, vec![1, 1, 9, 9]),
            (Loss::L1, vec![1, 1, 9, 9]),
            (Loss::SsimAndL1, vec![1, 1, 9, 9]),
        ] {
            let n: usize = shape.iter().product();
            let mut target = wave(n, 0.7);
            match kind {
                Loss::CrossEntropy | Loss::Focal => {
                    target = (0..n).map(|i| if i % 2 == (i / 2) % 2 { 1.0 } else { 0.0 }).collect();
                }
                Loss::SoftmaxAndDice => {
                    let first = one_hot(4);
                    target = first.iter().copied().chain(first.iter().map(|v| 1.0 - v)).collect();
                }
                _ => {}
            }
            let target = Tensor::from_vec(target, shape.as_slice(), &cpu).unwrap();
            // Nowhere equal to the target: there |x| has no gradient.
            let start: Vec<f32> = wave(n, 1.3).into_iter().map(|v| v + 0.07).collect();
            let value = |x: &[f32]| -> f64 {
                let x = Tensor::from_vec(x.to_vec(), shape.as_slice(), &cpu).unwrap();
                f64::from(loss(kind, &x, &target).unwrap().to_scalar::<f32>().unwrap())
            };
            let var = Var::from_tensor(&Tensor::from_vec(start.clone(), shape.as_slice(), &cpu).unwrap()).unwrap();
            let grads = loss(kind, var.as_tensor(), &target).unwrap().backward().unwrap();
            let grad: Vec<f32> = grads.get(var.as_tensor()).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            for i in (0..n).step_by(3) {
                let (mut up, mut down) = (start.clone(), start.clone());
                up[i] += 1e-2;
                down[i] -= 1e-2;
                let numeric = (value(&up) - value(&down)) / 2e-2;
                let error = (f64::from(grad[i]) - numeric).abs();
                assert!(error < 2e-3 + 0.02 * numeric.abs(), "{kind:?} {i}: {} against {numeric}", grad[i]);
            }
            if matches!(kind, Loss::Mse | Loss::L1 | Loss::SsimAndL1) {
                let same: f32 = loss(kind, &target, &target).unwrap().to_scalar().unwrap();
                assert!(same.abs() < 1e-5, "{kind:?}: {same}");
            }
        }
    }

    #[test]
    fn value_and_gradient_are_those_of_the_formula() {
        let z = [2.0f32, -1.0, 0.5, -30.0];
        let t = [1.0f32, 0.0, 0.25, 0.0];
        let formula = |z: &[f64]| -> f64 {
            let p: Vec<f64> = z.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect();
            let t = t.map(f64::from);
            let ce: f64 =
                z.iter().zip(t).map(|(z, t)| z.max(0.0) - z * t + (1.0 + (-z.abs()).exp()).ln()).sum::<f64>() / 4.0;
            let both: f64 = p.iter().zip(t).map(|(p, t)| p * t).sum();
            let all: f64 = p.iter().sum::<f64>() + t.iter().sum::<f64>();
            ce + 1.0 - (2.0 * both + 1.0) / (all + 1.0)
        };
        let var = Var::from_tensor(&Tensor::from_vec(z.to_vec(), (1, 1, 2, 2), &Device::Cpu).unwrap()).unwrap();
        let target = Tensor::from_vec(t.to_vec(), (1, 1, 2, 2), &Device::Cpu).unwrap();
        let loss = cross_entropy_and_dice(var.as_tensor(), &target).unwrap();
        let z64 = z.map(f64::from);
        assert!((f64::from(loss.to_scalar::<f32>().unwrap()) - formula(&z64)).abs() < 1e-5);
        let grads = loss.backward().unwrap();
        let grad: Vec<f32> = grads.get(var.as_tensor()).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        for i in 0..4 {
            let (mut up, mut down) = (z64, z64);
            up[i] += 1e-5;
            down[i] -= 1e-5;
            let numeric = (formula(&up) - formula(&down)) / 2e-5;
            assert!((f64::from(grad[i]) - numeric).abs() < 1e-4, "{i}: {} against {numeric}", grad[i]);
        }
    }
}
