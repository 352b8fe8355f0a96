//! The Fréchet distance between two sets of feature rows, each taken for a normal distribution (Dowson and Landau 1982;
//! with Inception's features it is the FID of Heusel et al. 2017).

/// `|m - n|^2 + tr(A + B - 2 (A B)^(1/2))` of the means m, n and the covariances A, B of two sets of rows.
///
/// 0 for the same distribution; the fewer the rows, the more it lies above the truth, so that only distances of as many
/// rows can be compared. NaN where a set is empty.
///
/// # Shapes
/// Rows of one length.
#[must_use]
pub fn distance(a: &[&[f32]], b: &[&[f32]]) -> f64 {
    let k = a.first().map_or(0, |r| r.len());
    if k == 0 || b.is_empty() {
        return f64::NAN;
    }
    let ((m, mut first), (n, second)) = (moments(a, k), moments(b, k));
    let apart: f64 = m.iter().zip(&n).map(|(a, b)| (a - b).powi(2)).sum();
    let trace = |c: &[f64]| (0..k).map(|i| c[i * k + i]).sum::<f64>();
    let traces = trace(&first) + trace(&second);
    // A = L L': the eigenvalues of A B are those of L' B L, which is symmetric. A hair on the diagonal keeps L real
    // where features depend on each other.
    let hair = 1e-10 * trace(&first).max(1e-12);
    (0..k).for_each(|i| first[i * k + i] += hair);
    cholesky(&mut first, k);
    let mut product = symmetric_product(&first, &second, k);
    let shared: f64 = eigenvalues(&mut product, k).into_iter().map(|v| v.max(0.0).sqrt()).sum();
    apart + traces - 2.0 * shared
}

/// Mean `[k]` and covariance `[k * k]`.
fn moments(rows: &[&[f32]], k: usize) -> (Vec<f64>, Vec<f64>) {
    let n = rows.len() as f64;
    let mut mean = vec![0.0; k];
    rows.iter().for_each(|r| mean.iter_mut().zip(*r).for_each(|(m, v)| *m += f64::from(*v) / n));
    let mut covariance = vec![0.0; k * k];
    let mut centred = vec![0.0; k];
    for row in rows {
        centred.iter_mut().zip(*row).zip(&mean).for_each(|((c, v), m)| *c = f64::from(*v) - m);
        for i in 0..k {
            let own = centred[i];
            let line = &mut covariance[i * k..=i * k + i];
            line.iter_mut().zip(&centred).for_each(|(s, v)| *s += own * v);
        }
    }
    let share = 1.0 / (n - 1.0).max(1.0);
    for i in 0..k {
        for j in 0..=i {
            let v = covariance[i * k + j] * share;
            covariance[i * k + j] = v;
            covariance[j * k + i] = v;
        }
    }
    (mean, covariance)
}

/// Lower triangle L with L L' = the matrix, in its place; the upper one becomes 0.
fn cholesky(a: &mut [f64], k: usize) {
    for j in 0..k {
        for i in j..k {
            let dot: f64 = (0..j).map(|c| a[i * k + c] * a[j * k + c]).sum();
            let v = a[i * k + j] - dot;
            a[i * k + j] = if i == j { v.max(0.0).sqrt() } else { v / a[j * k + j].max(1e-150) };
        }
        (j + 1..k).for_each(|c| a[j * k + c] = 0.0);
    }
}

/// L' B L.
fn symmetric_product(l: &[f64], b: &[f64], k: usize) -> Vec<f64> {
    let mut right = vec![0.0; k * k];
    for i in 0..k {
        for c in 0..k {
            let v = b[i * k + c];
            // L's row c ends at column c.
            right[i * k..][..=c].iter_mut().zip(&l[c * k..][..=c]).for_each(|(r, w)| *r += v * w);
        }
    }
    let mut out = vec![0.0; k * k];
    for c in 0..k {
        for i in 0..=c {
            let v = l[c * k + i];
            let line = &right[c * k..][..k];
            out[i * k..][..k].iter_mut().zip(line).for_each(|(o, r)| *o += v * r);
        }
    }
    out
}

/// Eigenvalues of a symmetric matrix, in no order: Householder's reduction to three diagonals, then QL with implicit
/// shifts (Golub and Van Loan, sections 8.3.1 and 8.3.3).
fn eigenvalues(a: &mut [f64], k: usize) -> Vec<f64> {
    let mut beside = vec![0.0; k];
    for i in (1..k).rev() {
        // Row i left of its neighbour of the diagonal is turned to 0.
        let length = a[i * k..][..i].iter().map(|v| v * v).sum::<f64>().sqrt();
        let last = a[i * k + i - 1];
        if length == 0.0 || i == 1 {
            beside[i] = last;
            continue;
        }
        let alpha = if last > 0.0 { -length } else { length };
        let mut v: Vec<f64> = a[i * k..][..i].to_vec();
        v[i - 1] -= alpha;
        let norm: f64 = v.iter().map(|x| x * x).sum();
        beside[i] = alpha;
        if norm == 0.0 {
            continue;
        }
        // A - v w' - w v' with w = 2 (p - v (v'p) / (v'v)) / (v'v), p = A v.
        let p: Vec<f64> = (0..i).map(|r| a[r * k..][..i].iter().zip(&v).map(|(m, x)| m * x).sum()).collect();
        let along: f64 = p.iter().zip(&v).map(|(p, x)| p * x).sum::<f64>() / norm;
        let w: Vec<f64> = p.iter().zip(&v).map(|(p, x)| 2.0 * (p - x * along) / norm).collect();
        for r in 0..i {
            let (vr, wr) = (v[r], w[r]);
            let line = &mut a[r * k..][..i];
            line.iter_mut().zip(&v).zip(&w).for_each(|((m, x), y)| *m -= vr * y + wr * x);
        }
    }
    let mut d: Vec<f64> = (0..k).map(|i| a[i * k + i]).collect();
    // beside[i] couples i - 1 and i; from here on e[i] couples i and i + 1.
    let mut e: Vec<f64> = beside.into_iter().skip(1).chain([0.0]).collect();
    for l in 0..k {
        for _ in 0..60 {
            let small = |m: usize| e[m].abs() <= f64::EPSILON * (d[m].abs() + d[m + 1].abs());
            let m = (l..k - 1).find(|m| small(*m)).unwrap_or(k - 1);
            if m == l {
                break;
            }
            let g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let r = g.hypot(1.0);
            let mut g = d[m] - d[l] + e[l] / (g + if g >= 0.0 { r } else { -r });
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut early = false;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    early = true;
                    break;
                }
                (s, c) = (f / r, g / r);
                let g2 = d[i + 1] - p;
                let r2 = (d[i] - g2) * s + 2.0 * c * b;
                p = s * r2;
                d[i + 1] = g2 + p;
                g = c * r2 - b;
            }
            if !early {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn eigenvalues_are_those_of_a_known_matrix() {
        // The second difference: 2 - 2 cos(pi j / (k + 1)); mixed by a reflection, which keeps them.
        let k = 24;
        let mut t = vec![0.0; k * k];
        for i in 0..k {
            t[i * k + i] = 2.0;
            if i > 0 {
                (t[i * k + i - 1], t[(i - 1) * k + i]) = (-1.0, -1.0);
            }
        }
        let v: Vec<f64> = (0..k).map(|i| (i as f64 * 1.7).sin() + 0.3).collect();
        let norm: f64 = v.iter().map(|x| x * x).sum();
        let h = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / norm;
        let times = |f: &dyn Fn(usize, usize) -> f64, g: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            (0..k * k).map(|n| (0..k).map(|c| f(n / k, c) * g(c, n % k)).sum()).collect()
        };
        let half = times(&h, &|i, j| t[i * k + j]);
        let mut mixed = times(&|i, j| half[i * k + j], &h);
        let mut found = eigenvalues(&mut mixed, k);
        found.sort_by(f64::total_cmp);
        for (j, v) in found.iter().enumerate() {
            let truth = 2.0 - 2.0 * (std::f64::consts::PI * (j + 1) as f64 / (k + 1) as f64).cos();
            assert!((v - truth).abs() < 1e-10, "{j}: {v} {truth}");
        }
    }

    #[test]
    fn distances_of_known_distributions() {
        let mut random = StdRng::seed_from_u64(3);
        let mut rows = |n: usize, shift: f32, wide: f32| -> Vec<Vec<f32>> {
            let mut row = || (0..6).map(|_| shift + wide * crate::degrade::normal(&mut random)).collect();
            (0..n).map(|_| row()).collect()
        };
        let (a, b, c) = (rows(4000, 0.0, 1.0), rows(4000, 0.5, 1.0), rows(4000, 0.0, 2.0));
        let of = |x: &[Vec<f32>], y: &[Vec<f32>]| {
            let refs = |v: &[Vec<f32>]| -> Vec<Vec<f32>> { v.to_vec() };
            let (x, y) = (refs(x), refs(y));
            distance(&x.iter().map(Vec::as_slice).collect::<Vec<_>>(), &y.iter().map(Vec::as_slice).collect::<Vec<_>>())
        };
        assert!(of(&a, &a).abs() < 1e-4);
        // Six features moved by a half: 6 * 0.25; six deviations twice as large: 6 * (2 - 1)^2.
        assert!((of(&a, &b) - 1.5).abs() < 0.15, "{}", of(&a, &b));
        assert!((of(&a, &c) - 6.0).abs() < 0.4, "{}", of(&a, &c));
        assert!((of(&a, &c) - of(&c, &a)).abs() < 1e-6);
        assert!(distance(&[], &[]).is_nan());
        // A feature that never moves does no harm.
        let flat: Vec<Vec<f32>> = a.iter().map(|r| [r.as_slice(), &[1.0]].concat()).collect();
        assert!(of(&flat, &flat).abs() < 1e-3);
    }
}
