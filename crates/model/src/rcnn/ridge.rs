//! Ridge regression: least squares with a penalty on the weights, solved exactly.

use super::svm::Rows;

/// Linear maps from features to several targets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ridge<const T: usize> {
    /// `[T][features]`.
    pub(super) weight: [Vec<f64>; T],
    pub(super) bias: [f64; T],
}

/// The maps from `chosen` rows to `targets`; `penalty` is on the squared weights, not on the bias.
///
/// There are fewer examples than features, so the system is solved in the examples: with centred X,
/// `w = X' (X X' + penalty)^-1 y`.
pub(super) fn solve<const T: usize>(rows: Rows<'_>, chosen: &[usize], targets: &[[f64; T]], penalty: f64) -> Ridge<T> {
    let (n, width) = (chosen.len(), rows.width);
    let mut mean = vec![0f64; width];
    for i in chosen {
        mean.iter_mut().zip(rows.row(*i)).for_each(|(m, v)| *m += f64::from(*v) / n as f64);
    }
    let centred: Vec<Vec<f64>> =
        chosen.iter().map(|i| rows.row(*i).iter().zip(&mean).map(|(v, m)| f64::from(*v) - m).collect()).collect();
    let mut kernel = vec![0f64; n * n];
    for i in 0..n {
        for j in 0..=i {
            let k = centred[i].iter().zip(&centred[j]).map(|(a, b)| a * b).sum::<f64>();
            kernel[i * n + j] = k;
            kernel[j * n + i] = k;
        }
        kernel[i * n + i] += penalty;
    }
    factorise(&mut kernel, n);
    let (mut weight, mut bias) = (std::array::from_fn(|_| vec![0f64; width]), [0f64; T]);
    for t in 0..T {
        let middle = targets.iter().map(|y| y[t]).sum::<f64>() / n.max(1) as f64;
        let mut alpha: Vec<f64> = targets.iter().map(|y| y[t] - middle).collect();
        substitute(&kernel, n, &mut alpha);
        for (row, a) in centred.iter().zip(&alpha) {
            weight[t].iter_mut().zip(row).for_each(|(w, v): (&mut f64, &f64)| *w += a * v);
        }
        bias[t] = middle - weight[t].iter().zip(&mean).map(|(w, m)| w * m).sum::<f64>();
    }
    Ridge { weight, bias }
}

/// A symmetric positive matrix to its lower Cholesky factor, in place.
fn factorise(a: &mut [f64], n: usize) {
    for j in 0..n {
        let d = a[j * n + j] - a[j * n..j * n + j].iter().map(|v| v * v).sum::<f64>();
        let d = d.max(f64::MIN_POSITIVE).sqrt();
        a[j * n + j] = d;
        for i in j + 1..n {
            let (upper, lower) = a.split_at(i * n);
            let sum: f64 = upper[j * n..j * n + j].iter().zip(&lower[..j]).map(|(x, y)| x * y).sum();
            a[i * n + j] = (a[i * n + j] - sum) / d;
        }
    }
}

/// Solves `L L' x = b`, in place.
fn substitute(l: &[f64], n: usize, b: &mut [f64]) {
    for i in 0..n {
        let sum: f64 = (0..i).map(|k| l[i * n + k] * b[k]).sum();
        b[i] = (b[i] - sum) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| l[k * n + i] * b[k]).sum();
        b[i] = (b[i] - sum) / l[i * n + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_a_linear_map_and_shrinks_with_the_penalty() {
        // y = 2 a - b + 3 over a grid, with a third feature that means nothing.
        let mut values = Vec::new();
        let mut targets = Vec::new();
        for i in 0..30 {
            let (a, b) = ((i % 6) as f32, (i / 6) as f32);
            values.extend([a, b, ((i * 7) % 5) as f32]);
            targets.push([f64::from(2.0 * a - b + 3.0), 1.5]);
        }
        let rows = Rows { values: &values, width: 3 };
        let all: Vec<usize> = (0..30).collect();
        let r = solve(rows, &all, &targets, 1e-6);
        for (found, wanted) in r.weight[0].iter().chain([&r.bias[0]]).zip([2.0, -1.0, 0.0, 3.0]) {
            assert!((found - wanted).abs() < 1e-4, "{r:?}");
        }
        assert!(r.weight[1].iter().all(|w| w.abs() < 1e-9) && (r.bias[1] - 1.5).abs() < 1e-9);
        let shrunk = solve(rows, &all, &targets, 1e9);
        // What is left is the mean.
        let mean = targets.iter().map(|t| t[0]).sum::<f64>() / 30.0;
        assert!(shrunk.weight[0].iter().all(|w| w.abs() < 1e-5) && (shrunk.bias[0] - mean).abs() < 1e-3);
        // One example alone: the map is its target.
        let one = solve(rows, &[4], &[[7.0]], 1.0);
        assert!((one.bias[0] - 7.0).abs() < 1e-12);
    }
}
