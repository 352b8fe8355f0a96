//! Losses of boxes and labels, a number each; callers decide what they are divided by.

use crate::Result;
use candle_core::{DType, Device, Tensor};

/// Binary cross-entropy of each number.
///
/// # Shapes
/// `logits`, `target` (0 to 1) and the result alike
pub(super) fn binary(logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    // max(z, 0) - z t + ln(1 + exp(-|z|)): no overflow for any z.
    let tail = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    Ok(((logits.relu()? - (logits * target)?)? + tail)?)
}

/// Cross-entropy of each row.
///
/// # Shapes
/// - `logits`: `[n, labels]`, `labels`: n numbers
/// - result: `[n]`
pub(super) fn cross_entropy(logits: &Tensor, labels: &[usize]) -> Result<Tensor> {
    let (n, classes) = logits.dims2()?;
    let shifted = logits.broadcast_sub(&logits.max_keepdim(1)?.detach())?;
    let sum = shifted.exp()?.sum(1)?.log()?;
    let mut hot = vec![0f32; n * classes];
    for (i, label) in labels.iter().enumerate() {
        hot[i * classes + label] = 1.0;
    }
    let hot = Tensor::from_vec(hot, (n, classes), logits.device())?;
    Ok((sum - (shifted * hot)?.sum(1)?)?)
}

/// The focal loss (Lin et al. 2017) of each row: cross-entropy times (1 - p)^2, without a weight per class.
///
/// # Shapes
/// As [`cross_entropy`]
pub(super) fn focal(logits: &Tensor, labels: &[usize]) -> Result<Tensor> {
    let plain = cross_entropy(logits, labels)?;
    let p = plain.neg()?.exp()?;
    Ok((plain * (1.0 - p)?.sqr()?)?)
}

/// Half the square of a difference over `beta` where it is smaller than `beta`, else its size less `beta / 2`.
///
/// # Shapes
/// `x`, `target` and the result alike
pub(super) fn smooth_l1(x: &Tensor, target: &Tensor, beta: f64) -> Result<Tensor> {
    let d = (x - target)?;
    let size = d.abs()?;
    let near = size.detach().lt(beta)?.to_dtype(DType::F32)?;
    let square = (d.sqr()? * (0.5 / beta))?;
    let line = (size - 0.5 * beta)?;
    Ok(((&near * square)? + ((1.0 - &near)? * line)?)?)
}

/// Intersection over union of each pair.
///
/// # Shapes
/// - `a`, `b`: `[n, 4]` as x0, y0, x1, y1
/// - result: `[n]`
pub(super) fn iou(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let column = |t: &Tensor, i: usize| t.narrow(1, i, 1).and_then(|t| t.squeeze(1));
    let side = |low: usize, high: usize| -> Result<Tensor> {
        Ok((column(a, high)?.minimum(&column(b, high)?)? - column(a, low)?.maximum(&column(b, low)?)?)?.relu()?)
    };
    let area =
        |t: &Tensor| -> Result<Tensor> { Ok(((column(t, 2)? - column(t, 0)?)? * (column(t, 3)? - column(t, 1)?)?)?) };
    let both = (side(0, 2)? * side(1, 3)?)?;
    let all = ((area(a)? + area(b)?)? - &both)?;
    Ok((both / (all + 1e-9)?)?)
}

/// Rows of `[n, columns]`, in any order and with repetitions.
pub(super) fn rows(t: &Tensor, wanted: &[usize]) -> Result<Tensor> {
    let index: Vec<u32> = wanted.iter().map(|i| *i as u32).collect();
    let n = index.len();
    Ok(t.contiguous()?.index_select(&Tensor::from_vec(index, n, &Device::Cpu)?, 0)?)
}

/// `[n, 4]` of n quadruples.
pub(super) fn quads(all: &[[f32; 4]]) -> Result<Tensor> {
    Ok(Tensor::from_vec(all.concat(), (all.len(), 4), &Device::Cpu)?)
}

/// A sum divided by a count that may be 0.
pub(super) fn per(sum: &Tensor, count: usize) -> Result<Tensor> {
    Ok((sum.sum_all()? * (1.0 / count.max(1) as f64))?)
}

/// 0, for a part of a loss that nothing in the batch speaks to.
pub(super) fn nothing() -> Result<Tensor> {
    Ok(Tensor::zeros((), DType::F32, &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    fn var(values: &[f32], shape: (usize, usize)) -> Var {
        Var::from_tensor(&Tensor::from_vec(values.to_vec(), shape, &Device::Cpu).unwrap()).unwrap()
    }

    /// The gradient of `f` at `values` against central differences.
    fn holds(values: &[f32], shape: (usize, usize), f: impl Fn(&Tensor) -> Tensor) {
        let at = |v: &[f32]| -> f64 {
            let t = Tensor::from_vec(v.to_vec(), shape, &Device::Cpu).unwrap();
            f64::from(f(&t).sum_all().unwrap().to_scalar::<f32>().unwrap())
        };
        let x = var(values, shape);
        let grads = f(x.as_tensor()).sum_all().unwrap().backward().unwrap();
        let grad: Vec<f32> = grads.get(x.as_tensor()).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        for i in 0..values.len() {
            let (mut up, mut down) = (values.to_vec(), values.to_vec());
            up[i] += 1e-2;
            down[i] -= 1e-2;
            let numeric = (at(&up) - at(&down)) / 2e-2;
            assert!((f64::from(grad[i]) - numeric).abs() < 1e-2 * (1.0 + numeric.abs()), "{i}: {} {numeric}", grad[i]);
        }
    }

    #[test]
    fn gradients_are_those_of_the_values() {
        let target = Tensor::from_vec(vec![0f32, 1.0, 0.3, 1.0], (2, 2), &Device::Cpu).unwrap();
        holds(&[2.0, -1.0, 0.5, -9.0], (2, 2), |x| binary(x, &target).unwrap());
        holds(&[2.0, -1.0, 0.5, -9.0], (2, 2), |x| smooth_l1(x, &target, 0.7).unwrap());
        holds(&[2.0, -1.0, 0.5, 0.3, 1.0, 0.1], (2, 3), |x| cross_entropy(x, &[2, 0]).unwrap());
        holds(&[2.0, -1.0, 0.5, 0.3, 1.0, 0.1], (2, 3), |x| focal(x, &[2, 0]).unwrap());
        let boxes = quads(&[[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 4.0, 3.0]]).unwrap();
        holds(&[0.5, 0.2, 2.5, 2.4, 0.4, 1.2, 3.0, 3.3], (2, 4), |x| iou(x, &boxes).unwrap());
    }

    #[test]
    fn values_are_the_known_ones() {
        let values = |t: Tensor| -> Vec<f32> { t.flatten_all().unwrap().to_vec1().unwrap() };
        let z = Tensor::new(&[[0f32, 0.0, 0.0]], &Device::Cpu).unwrap();
        assert!((values(cross_entropy(&z, &[1]).unwrap())[0] - 3f32.ln()).abs() < 1e-6);
        assert!((values(focal(&z, &[1]).unwrap())[0] - 3f32.ln() * 4.0 / 9.0).abs() < 1e-6);
        let (x, t) =
            (Tensor::new(&[0.05f32, 3.0], &Device::Cpu).unwrap(), Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap());
        let s = values(smooth_l1(&x, &t, 0.1).unwrap());
        assert!((s[0] - 0.0125).abs() < 1e-6 && (s[1] - 2.95).abs() < 1e-6);
        // No logit is too large.
        let far = Tensor::new(&[[1e4f32, -1e4]], &Device::Cpu).unwrap();
        assert!(values(cross_entropy(&far, &[1]).unwrap())[0].is_finite());
        let apart = iou(&quads(&[[0.0, 0.0, 1.0, 1.0]]).unwrap(), &quads(&[[5.0, 5.0, 6.0, 6.0]]).unwrap()).unwrap();
        assert_eq!(values(apart), [0.0]);
    }
}
