//! Slow, obvious references in plain loops and f64, and random cases for the tests.

use crate::implicit::Dims;
use crate::spec::ConvSpec;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Numbers between -1 and 1.
pub(crate) fn random(rng: &mut SmallRng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

/// A generator that gives the same numbers each run.
pub(crate) fn rng(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}

/// How many random cases a test tries: a twelfth where `LIGHTBOX_TESTS=short`, for slow builds as the sanitizer's.
pub(crate) fn cases(all: u64) -> u64 {
    if std::env::var("LIGHTBOX_TESTS").is_ok_and(|v| v == "short") { all.div_ceil(12) } else { all }
}

/// Sum of products and sum of their absolute values at each output of a convolution.
pub(crate) fn conv(
    spec: &ConvSpec,
    kernel: Dims,
    (batch, c_in, c_out): (usize, usize, usize),
    x: &[f32],
    dims: Dims,
    weight: &[f32],
) -> (Vec<f64>, Vec<f64>, Dims) {
    let out = spec.out(dims, kernel).unwrap();
    let (ci, co) = (c_in / spec.groups, c_out / spec.groups);
    let (mut sums, mut sizes) = (Vec::new(), Vec::new());
    for b in 0..batch {
        for o in 0..c_out {
            for at in ConvSpec::taps(out) {
                let (mut sum, mut size) = (0f64, 0f64);
                for i in 0..ci {
                    let c = o / co * ci + i;
                    for (t, k) in ConvSpec::taps(kernel).enumerate() {
                        let p: [isize; 3] = std::array::from_fn(|a| {
                            (at[a] * spec.stride[a] + k[a] * spec.dilation[a]) as isize - spec.padding[a] as isize
                        });
                        if (0..3).any(|a| p[a] < 0 || p[a] >= dims[a] as isize) {
                            continue;
                        }
                        let p = p.map(|v| v as usize);
                        let v = f64::from(x[(((b * c_in + c) * dims[0] + p[0]) * dims[1] + p[1]) * dims[2] + p[2]])
                            * f64::from(weight[(o * ci + i) * kernel.iter().product::<usize>() + t]);
                        sum += v;
                        size += v.abs();
                    }
                }
                sums.push(sum);
                sizes.push(size);
            }
        }
    }
    (sums, sizes, out)
}

/// A transposed convolution: every input number is spread over its window.
pub(crate) fn conv_transposed(
    spec: &ConvSpec,
    kernel: Dims,
    (batch, c_in, c_out): (usize, usize, usize),
    x: &[f32],
    dims: Dims,
    weight: &[f32],
) -> (Vec<f64>, Dims) {
    let out = spec.out_transposed(dims, kernel).unwrap();
    let (ci, co) = (c_in / spec.groups, c_out / spec.groups);
    let taps: usize = kernel.iter().product();
    let mut y = vec![0f64; batch * c_out * out.iter().product::<usize>()];
    for b in 0..batch {
        for c in 0..c_in {
            for (n, at) in ConvSpec::taps(dims).enumerate() {
                let v = f64::from(x[(b * c_in + c) * dims.iter().product::<usize>() + n]);
                for o in 0..co {
                    let channel = c / ci * co + o;
                    for (t, k) in ConvSpec::taps(kernel).enumerate() {
                        let p: [isize; 3] = std::array::from_fn(|a| {
                            (at[a] * spec.stride[a] + k[a] * spec.dilation[a]) as isize - spec.padding[a] as isize
                        });
                        if (0..3).any(|a| p[a] < 0 || p[a] >= out[a] as isize) {
                            continue;
                        }
                        let p = p.map(|v| v as usize);
                        y[(((b * c_out + channel) * out[0] + p[0]) * out[1] + p[1]) * out[2] + p[2]] +=
                            v * f64::from(weight[(c * co + o) * taps + t]);
                    }
                }
            }
        }
    }
    (y, out)
}

/// A random layer that fits its input: specification, kernel, channels, input.
pub(crate) fn random_layer(rng: &mut SmallRng, axes: usize) -> (ConvSpec, Dims, usize, usize, Dims) {
    let mut spec = ConvSpec::d2(1, 0);
    let (mut kernel, mut dims) = ([1; 3], [1; 3]);
    for a in 3 - axes..3 {
        kernel[a] = rng.random_range(1..=if axes == 3 { 3 } else { 5 });
        spec.stride[a] = rng.random_range(1..=3);
        spec.dilation[a] = rng.random_range(1..=3);
        spec.padding[a] = rng.random_range(0..=3);
        let reach = (kernel[a] - 1) * spec.dilation[a] + 1;
        let least = reach.saturating_sub(2 * spec.padding[a]).max(1);
        dims[a] = least + rng.random_range(0..if axes == 3 { 9 } else { 21 });
    }
    if rng.random_bool(0.3) {
        spec.stride = [1; 3];
    }
    spec.groups = [1, 1, 1, 2, 3][rng.random_range(0..5)];
    let c_in = spec.groups * rng.random_range(1..=9);
    let c_out = spec.groups * rng.random_range(1..=19);
    (spec, kernel, c_in, c_out, dims)
}
