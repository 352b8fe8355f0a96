//! Losses.

use crate::Result;
use candle_core::Tensor;

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
