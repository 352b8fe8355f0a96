//! Convolutions against plain loops, over random layers, on every instruction set of the machine.

use crate::conv::{Conv, ConvBytes, ConvTransposed, Extra};
use crate::gemm::Act;
use crate::implicit::Input;
use crate::int8::{self, Quantised};
use crate::isa;
use crate::reference::{self, cases, random, random_layer, rng};
use crate::small;
use crate::spec::ConvSpec;
use rand::Rng;

/// Rounding of a sum in f32, relative to the sum of the absolute products.
const PLAIN: f64 = 2e-6;
/// The same after Winograd's transforms.
const WINOGRAD: f64 = 4e-6;

fn check(
    seed: u64,
    spec: ConvSpec,
    kernel: [usize; 3],
    c_in: usize,
    c_out: usize,
    dims: [usize; 3],
    batch: usize,
) -> bool {
    let mut r = rng(seed);
    let x = random(&mut r, batch * c_in * dims.iter().product::<usize>());
    let weight = random(&mut r, c_out * (c_in / spec.groups) * kernel.iter().product::<usize>());
    let bias = random(&mut r, c_out);
    let (sums, sizes, out) = reference::conv(&spec, kernel, (batch, c_in, c_out), &x, dims, &weight);
    let res = random(&mut r, sums.len());
    let act = [Act::None, Act::Relu, Act::Leaky(0.01)][r.random_range(0..3)];
    let with_res = r.random_bool(0.5);
    let mut winograd = false;
    for &isa in isa::available() {
        isa::with(isa, || {
            let conv = Conv::new(spec, kernel, c_in, c_out, weight.len()).unwrap();
            winograd |= conv.is_winograd(batch, dims).unwrap();
            let bound = if conv.is_winograd(batch, dims).unwrap() { WINOGRAD } else { PLAIN };
            let extra = Extra { bias: Some(&bias), res: with_res.then_some(&res[..]), act };
            let (got, d) = conv.forward(&weight, Input::new(&x, batch, dims), extra).unwrap();
            assert_eq!(d, out);
            assert_eq!(got.len(), sums.len());
            let pixels: usize = out.iter().product();
            for (i, got) in got.iter().enumerate() {
                let add = f64::from(bias[i / pixels % c_out]) + if with_res { f64::from(res[i]) } else { 0.0 };
                let want = f64::from(act.apply((sums[i] + add) as f32));
                let error = (f64::from(*got) - want).abs();
                // Winograd's error comes from the neighbours of a pixel too, hence the floor.
                let size = sizes[i] + 1.0 + if bound == WINOGRAD { (c_in as f64) * 2.0 } else { 0.0 };
                assert!(
                    error < bound * size,
                    "{isa} {spec:?} {kernel:?} {c_in} {c_out} {dims:?} at {i}: {got}, not {want}"
                );
            }
        });
    }
    winograd
}

#[test]
fn random_layers_are_right_in_two_dimensions() {
    for seed in 0..cases(250) {
        let mut r = rng(seed);
        let (spec, kernel, c_in, c_out, dims) = random_layer(&mut r, 2);
        check(seed, spec, kernel, c_in, c_out, dims, r.random_range(0..3));
    }
}

#[test]
fn random_layers_are_right_in_three_dimensions() {
    for seed in 0..cases(100) {
        let mut r = rng(1000 + seed);
        let (spec, kernel, c_in, c_out, dims) = random_layer(&mut r, 3);
        check(seed, spec, kernel, c_in, c_out, dims, r.random_range(1..3));
    }
}

#[test]
fn winograd_is_right_over_odd_sizes_and_borders() {
    let mut seen = 0u64;
    for seed in 0..cases(60) {
        let mut r = rng(2000 + seed);
        let mut spec = ConvSpec::d2(1, 1);
        spec.padding = [0, r.random_range(0..3), r.random_range(0..3)];
        let dims = [1, r.random_range(3..40), r.random_range(3..90)];
        let (c_in, c_out) = (r.random_range(8..20), r.random_range(8..28));
        seen += u64::from(check(seed, spec, [1, 3, 3], c_in, c_out, dims, r.random_range(1..3)));
    }
    assert!(seen * 3 > cases(60) * 2, "Winograd ran {seen} times");
}

#[test]
fn winograd_over_deep_and_wide_layers() {
    for (c, dims) in [(128, [1, 14, 14]), (64, [1, 28, 28]), (48, [1, 5, 200])] {
        assert!(check(7, ConvSpec::d2(1, 1), [1, 3, 3], c, c, dims, 1));
    }
}

#[test]
fn gradients_of_inputs_by_winograd_are_those_of_the_adjoint() {
    for seed in 0..cases(24) {
        let mut r = rng(7000 + seed);
        let (c_in, c_out) = (r.random_range(8..20), r.random_range(8..20));
        let spec = ConvSpec::d2(1, r.random_range(0..3));
        let dims = [1, r.random_range(20..30), r.random_range(22..30)];
        let (kernel, batch) = ([1, 3, 3], r.random_range(1..3));
        let out = spec.out(dims, kernel).unwrap();
        let weight = random(&mut r, c_out * c_in * 9);
        let grad = random(&mut r, batch * c_out * out.iter().product::<usize>());
        for &isa in isa::available() {
            isa::with(isa, || {
                let image = Input::new(&grad, batch, out);
                let got = crate::grad::conv_input(&spec, kernel, (c_in, c_out), &weight, image, dims).unwrap();
                let adjoint = ConvTransposed::new(spec, kernel, c_out, c_in, &weight).unwrap();
                let want = adjoint.forward_to(image, dims, Extra::default()).unwrap();
                let far = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
                let bound = WINOGRAD as f32 * 9.0 * c_out as f32;
                assert!(got.len() == want.len() && far < bound, "{isa} {spec:?} {c_in} {c_out} {dims:?}: {far}");
            });
        }
    }
    // Winograd is what this ran through.
    let conv = Conv::new(ConvSpec::d2(1, 1), [1, 3, 3], 8, 8, 8 * 8 * 9).unwrap().once();
    assert!(conv.is_winograd(1, [1, 20, 22]).unwrap() && !conv.is_winograd(1, [1, 12, 12]).unwrap());
}

#[test]
fn few_pixels_of_many_channels() {
    let mut turned = 0u64;
    for seed in 0..cases(60) {
        let mut r = rng(6000 + seed);
        let (c_in, c_out) = (r.random_range(16..90), r.random_range(64..150));
        let k = [1, 3, 5][r.random_range(0..3)];
        let mut spec = ConvSpec::d2(r.random_range(1..3), r.random_range(0..=k / 2 + 1));
        spec.dilation = [1, r.random_range(1..3), r.random_range(1..3)];
        spec.exact = r.random_bool(0.5);
        let dims = [r.random_range(1..3), r.random_range(3..9), r.random_range(5..12)];
        let batch = r.random_range(1..3);
        let kernel = [1, k, k];
        let Ok(out) = spec.out(dims, kernel) else { continue };
        turned += u64::from(isa::available().iter().any(|i| small::suits(*i, batch, c_in, c_out, k * k, out)));
        check(seed, spec, kernel, c_in, c_out, dims, batch);
    }
    assert!(turned * 6 > cases(60), "{turned} layers were turned");
    // Sums longer than what is done at once.
    assert!(
        small::suits(isa::available()[0].max(isa::current()), 1, 130, 70, 9, [1, 3, 7]) || isa::available().len() == 1
    );
    check(1, ConvSpec { exact: true, ..ConvSpec::d2(1, 1) }, [1, 3, 3], 130, 70, [1, 3, 7], 1);
}

#[test]
fn depthwise_pointwise_and_one_pixel() {
    for seed in 0..cases(40) {
        let mut r = rng(3000 + seed);
        let c = r.random_range(1..9);
        let k = [1, 3, 5, 7][r.random_range(0..4)];
        let spec = ConvSpec::d2(r.random_range(1..3), k / 2).grouped(c);
        let dims = [1, r.random_range(1..30), r.random_range(1..50)];
        check(seed, spec, [1, k, k], c, c * r.random_range(1..4), dims, 2);
        check(seed, ConvSpec::d2(1, 0), [1, 1, 1], r.random_range(1..70), r.random_range(1..40), dims, 1);
        check(seed, ConvSpec::d2(1, 0), [1, 1, 1], 12, 5, [1, 16, 32], 1);
        check(seed, ConvSpec::d2(1, 1), [1, 3, 3], 3, 5, [1, 1, 1], 2);
    }
}

#[test]
fn random_transposed_layers_are_right() {
    for seed in 0..cases(200) {
        let mut r = rng(4000 + seed);
        let axes = if seed % 3 == 0 { 3 } else { 2 };
        let (mut spec, kernel, c_in, c_out, _) = random_layer(&mut r, axes);
        let mut dims = [1; 3];
        for a in 3 - axes..3 {
            dims[a] = r.random_range(1..if axes == 3 { 6 } else { 20 });
            spec.out_padding[a] = if spec.stride[a] > 1 { r.random_range(0..spec.stride[a]) } else { 0 };
        }
        if spec.out_transposed(dims, kernel).is_err() {
            continue;
        }
        let batch = r.random_range(1..3);
        let x = random(&mut r, batch * c_in * dims.iter().product::<usize>());
        let weight = random(&mut r, c_in * (c_out / spec.groups) * kernel.iter().product::<usize>());
        let bias = random(&mut r, c_out);
        let (sums, out) = reference::conv_transposed(&spec, kernel, (batch, c_in, c_out), &x, dims, &weight);
        for &isa in isa::available() {
            isa::with(isa, || {
                let conv = ConvTransposed::new(spec, kernel, c_in, c_out, &weight).unwrap();
                let extra = Extra { bias: Some(&bias), act: Act::Relu, ..Extra::default() };
                let (got, d) = conv.forward(Input::new(&x, batch, dims), extra).unwrap();
                assert_eq!((d, got.len()), (out, sums.len()));
                let pixels: usize = out.iter().product();
                for (i, got) in got.iter().enumerate() {
                    let want = (sums[i] + f64::from(bias[i / pixels % c_out])).max(0.0);
                    let error = (f64::from(*got) - want).abs();
                    assert!(
                        error < 2e-5,
                        "{isa} {spec:?} {kernel:?} {c_in} {c_out} {dims:?} at {i}: {got}, not {want}"
                    );
                }
            });
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let d2 = ConvSpec::d2(1, 0);
    assert!(Conv::new(d2, [1, 3, 3], 4, 4, 100).is_err());
    assert!(Conv::new(d2.grouped(3), [1, 3, 3], 4, 4, 48).is_err());
    assert!(Conv::new(ConvSpec::d2(0, 0), [1, 3, 3], 1, 1, 9).is_err());
    assert!(Conv::new(d2, [1, 0, 3], 1, 1, 0).is_err());
    let conv = Conv::new(d2, [1, 3, 3], 1, 1, 9).unwrap();
    let error = conv.forward(&[0.0; 9], Input::new(&[0.0; 4], 1, [1, 2, 2]), Extra::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("[1, 2, 2]") && error.contains("[1, 3, 3]"), "{error}");
}

#[test]
fn layers_in_bytes_are_the_sums_of_their_bytes() {
    if !isa::has_vnni(isa::current()) {
        #[allow(clippy::print_stderr, reason = "a skipped test has to say so")]
        {
            eprintln!("skipped: this processor has no dot product of bytes; layers in bytes run in f32 here");
        }
        return;
    }
    for seed in 0..cases(120) {
        let mut r = rng(5000 + seed);
        let (mut spec, kernel, c_in, c_out, dims) = random_layer(&mut r, if seed % 4 == 0 { 3 } else { 2 });
        spec.groups = 1;
        let batch = r.random_range(1..3);
        let x = random(&mut r, batch * c_in * dims.iter().product::<usize>());
        let weight = random(&mut r, c_out * c_in * kernel.iter().product::<usize>());
        let bias = random(&mut r, c_out);
        // The numbers that the bytes stand for, convolved in plain loops.
        let (low, high) = x.iter().fold((0f32, 0f32), |a, v| (a.0.min(*v), a.1.max(*v)));
        let q = Quantised::covering(low, high);
        let byte = |v: f32| ((v / q.scale + f32::from(q.zero) + 0.5) as u8, q);
        let rounded: Vec<f32> = x.iter().map(|v| (f32::from(byte(*v).0) - f32::from(q.zero)) * q.scale).collect();
        let k = c_in * kernel.iter().product::<usize>();
        let (bytes, scales) = int8::weights(c_out, k, |o, i| weight[o * k + i]);
        let near: Vec<f32> = bytes.iter().enumerate().map(|(i, b)| f32::from(*b) * scales[i / k]).collect();
        let (sums, sizes, out) = reference::conv(&spec, kernel, (batch, c_in, c_out), &rounded, dims, &near);
        let conv = ConvBytes::new(spec, kernel, c_in, c_out, &weight).unwrap().unwrap();
        let extra = Extra { bias: Some(&bias), act: Act::Relu, res: None };
        let (got, d) = conv.forward(Input::new(&x, batch, dims), extra).unwrap();
        assert_eq!(d, out);
        let pixels: usize = out.iter().product();
        // A number on the border between two bytes may fall to either side, hence a step of a byte times a weight.
        let step = f64::from(q.scale) * f64::from(near.iter().fold(0f32, |m, v| m.max(v.abs())));
        for (i, got) in got.iter().enumerate() {
            let want = (sums[i] + f64::from(bias[i / pixels % c_out])).max(0.0);
            let error = (f64::from(*got) - want).abs();
            assert!(error < 1e-5 * (1.0 + sizes[i]) + 1.01 * step, "{spec:?} {kernel:?} at {i}: {got}, not {want}");
        }
    }
}

/// Root mean square of a difference, in units of the last place of a sum of that root mean square.
fn rounding(got: impl Iterator<Item = f64>, want: &[f64]) -> f64 {
    let n = want.len() as f64;
    let size = (want.iter().map(|w| w * w).sum::<f64>() / n).sqrt();
    let error = (got.zip(want).map(|(g, w)| (g - w).powi(2)).sum::<f64>() / n).sqrt();
    error / size / f64::from(f32::EPSILON)
}

#[test]
fn long_sums_round_far_less_than_one_by_one() {
    // The longest of published networks: a 3 x 3 layer over 2048 channels, 18432 products.
    let (c_in, c_out, dims) = (2048, 8, [1, 3, 7]);
    let spec = ConvSpec { exact: true, ..ConvSpec::d2(1, 1) };
    let mut r = rng(11);
    // After a ReLU numbers have one sign, and weights a small mean.
    let x: Vec<f32> = random(&mut r, c_in * 21).into_iter().map(f32::abs).collect();
    let weight = random(&mut r, c_out * c_in * 9);
    let (want, _, out) = reference::conv(&spec, [1, 3, 3], (1, c_in, c_out), &x, dims, &weight);
    // The same loops in f32.
    let mut plain = Vec::new();
    for o in 0..c_out {
        for at in ConvSpec::taps(out) {
            let mut sum = 0f32;
            for c in 0..c_in {
                for (t, k) in ConvSpec::taps([1, 3, 3]).enumerate() {
                    let (y, x_) = ((at[1] + k[1]).wrapping_sub(1), (at[2] + k[2]).wrapping_sub(1));
                    if y < dims[1] && x_ < dims[2] {
                        sum = weight[(o * c_in + c) * 9 + t].mul_add(x[c * 21 + y * dims[2] + x_], sum);
                    }
                }
            }
            plain.push(f64::from(sum));
        }
    }
    let one_by_one = rounding(plain.into_iter(), &want);
    for &isa in isa::available() {
        isa::with(isa, || {
            for (exact, times) in [(false, 4.0), (true, 12.0)] {
                let spec = ConvSpec { exact, ..spec };
                let conv = Conv::new(spec, [1, 3, 3], c_in, c_out, weight.len()).unwrap();
                assert!(!conv.is_winograd(1, dims).unwrap(), "too few tiles");
                let (got, _) = conv.forward(&weight, Input::new(&x, 1, dims), Extra::default()).unwrap();
                let ours = rounding(got.iter().map(|v| f64::from(*v)), &want);
                assert!(ours * times < one_by_one, "{isa}, exact {exact}: {ours} units, one by one {one_by_one}");
            }
        });
    }
}
