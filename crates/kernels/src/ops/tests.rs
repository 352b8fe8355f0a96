//! Layers against plain loops in f64, and gradients against finite differences.

use super::*;
use crate::gemm::Act;
use crate::reference::{cases, random, rng};
use crate::spec::ConvSpec;
use candle_core::{DType, Device, Result, Tensor, Var};
use rand::Rng;

fn var(seed: u64, shape: &[usize]) -> Var {
    let v = random(&mut rng(seed), shape.iter().product());
    Var::from_tensor(&Tensor::from_vec(v, shape, &Device::Cpu).unwrap()).unwrap()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference relative to the largest value.
fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.shape(), b.shape());
    let (a, b) = (values(a), values(b));
    let largest = b.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    a.iter().zip(&b).fold(0f32, |m, (a, b)| m.max((a - b).abs())) / largest
}

/// Compares the gradient of a random weighted sum of `f(vars)` with central differences, along random directions that
/// touch all numbers at once.
fn gradients(name: &str, vars: &[Var], f: impl Fn() -> Result<Tensor>) {
    let toward = var(99, f().unwrap().dims()).as_detached_tensor();
    let loss = || -> f64 {
        let y = (f().unwrap() * &toward).unwrap();
        values(&y).iter().map(|v| f64::from(*v)).sum()
    };
    let grads = (f().unwrap() * &toward).unwrap().sum_all().unwrap().backward().unwrap();
    let mut r = rng(5);
    for (i, v) in vars.iter().enumerate() {
        let grad = values(grads.get(v).unwrap_or_else(|| panic!("{name}: argument {i} has no gradient")));
        let start = v.as_tensor().copy().unwrap();
        for _ in 0..4 {
            let direction = random(&mut r, grad.len());
            let step = 4e-3f32;
            let d = Tensor::from_vec(direction.clone(), start.shape(), &Device::Cpu).unwrap();
            let at = |s: f32| {
                v.set(&(&start + (&d * f64::from(s)).unwrap()).unwrap()).unwrap();
                loss()
            };
            let slope = (at(step) - at(-step)) / (2.0 * f64::from(step));
            v.set(&start).unwrap();
            let told: f64 = grad.iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
            let size: f64 = grad.iter().zip(&direction).map(|(g, d)| f64::from((g * d).abs())).sum();
            assert!(
                (slope - told).abs() < 4e-3 * (size + 0.1),
                "{name}, argument {i}: {told}, but it changes by {slope}"
            );
        }
    }
}

/// An activation that a layer takes along has the gradients of one that follows it. (Differences cannot check this: a
/// step may cross the kink.)
fn rides_along(vars: &[Var], f: impl Fn(Act) -> Result<Tensor>) {
    for act in [Act::Relu, Act::Leaky(0.3)] {
        let (along, after) = (f(act).unwrap(), map(&f(Act::None).unwrap(), Map::Act(act)).unwrap());
        let toward = var(98, along.dims()).as_detached_tensor();
        let grads = |y: Tensor| (y * &toward).unwrap().sum_all().unwrap().backward().unwrap();
        let (along, after) = (grads(along), grads(after));
        for v in vars {
            assert!(difference(along.get(v).unwrap(), after.get(v).unwrap()) < 1e-6);
        }
    }
}

#[test]
fn convolutions_have_the_right_gradients() {
    let cases: [(&[usize], &[usize], ConvSpec); 10] = [
        (&[2, 3, 9, 7], &[5, 3, 3, 3], ConvSpec::d2(1, 1)),
        (&[1, 9, 12, 17], &[10, 9, 3, 3], ConvSpec::d2(1, 1)), // Winograd
        (&[2, 4, 11, 8], &[6, 2, 3, 3], ConvSpec::d2(2, 1).grouped(2)),
        (&[1, 3, 37, 41], &[2, 3, 5, 5], ConvSpec::d2(3, 0)), // candle's own gradient fails on this shape
        (&[1, 4, 9, 10], &[4, 1, 3, 3], ConvSpec::d2(1, 2).dilated(2, 2).grouped(4)),
        (&[2, 7, 5, 6], &[4, 7, 1, 1], ConvSpec::d2(1, 0)),
        (&[1, 3, 8, 9], &[4, 3, 1, 1], ConvSpec::d2(2, 0)),
        (&[1, 1, 1, 1], &[2, 1, 3, 3], ConvSpec::d2(1, 1)),
        (&[1, 2, 6, 5, 7], &[3, 2, 3, 3, 3], ConvSpec::d3(1, 2).dilated(2, 3)),
        (&[1, 2, 6, 5, 7], &[3, 2, 3, 2, 3], ConvSpec::d3(2, 1)),
    ];
    for (x, w, spec) in cases {
        let vars = [var(1, x), var(2, w), var(3, &w[..1])];
        let run = |act| conv(&vars[0], &vars[1], Some(&vars[2]), spec, act);
        gradients(&format!("{spec:?}"), &vars, || run(Act::None));
        rides_along(&vars, run);
        let vars = [var(1, x), var(2, w)];
        gradients("without bias", &vars, || conv(&vars[0], &vars[1], None, spec, Act::None));
    }
}

#[test]
fn transposed_convolutions_have_the_right_gradients() {
    let mut odd = ConvSpec::d2(2, 1);
    odd.out_padding = [0, 1, 1];
    let cases: [(&[usize], &[usize], ConvSpec); 5] = [
        (&[2, 3, 5, 4], &[3, 4, 2, 2], ConvSpec::d2(2, 0)),
        (&[1, 4, 5, 6], &[4, 3, 3, 3], odd),
        (&[1, 4, 5, 6], &[4, 2, 4, 4], ConvSpec::d2(2, 1).grouped(2)),
        (&[1, 2, 3, 4, 3], &[2, 3, 2, 2, 2], ConvSpec::d3(2, 0)),
        (&[1, 2, 3, 4, 3], &[2, 3, 3, 3, 3], ConvSpec::d3(1, 1)),
    ];
    for (x, w, spec) in cases {
        let vars = [var(1, x), var(2, w), var(3, &[w[1] * spec.groups])];
        let run = |act| conv_transposed(&vars[0], &vars[1], Some(&vars[2]), spec, act);
        gradients(&format!("{spec:?}"), &vars, || run(Act::None));
        rides_along(&vars, run);
        let vars = [var(1, x), var(2, w)];
        gradients("without bias", &vars, || conv_transposed(&vars[0], &vars[1], None, spec, Act::None));
    }
}

#[test]
fn an_input_that_nobody_trains_gets_no_gradient() {
    let (x, w) = (var(1, &[1, 2, 5, 5]).as_detached_tensor(), var(2, &[3, 2, 3, 3]));
    let y = conv(&x, &w, None, ConvSpec::d2(1, 1), Act::None).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_none() && grads.get(&w).is_some());
}

fn pool_by_hand(x: &[f32], [h, w]: [usize; 2], k: usize, s: usize, p: usize, max: bool) -> Vec<f32> {
    let out = |n: usize| (n + 2 * p - k) / s + 1;
    let mut y = Vec::new();
    for oy in 0..out(h) {
        for ox in 0..out(w) {
            let (mut top, mut total) = (f32::NEG_INFINITY, 0.0);
            for ky in 0..k {
                for kx in 0..k {
                    let (iy, ix) = ((oy * s + ky).wrapping_sub(p), (ox * s + kx).wrapping_sub(p));
                    if iy < h && ix < w {
                        top = top.max(x[iy * w + ix]);
                        total += x[iy * w + ix];
                    }
                }
            }
            y.push(if max { top } else { total / (k * k) as f32 });
        }
    }
    y
}

#[test]
fn pools_are_right_and_so_are_their_gradients() {
    let mut r = rng(11);
    for _ in 0..cases(60) {
        let (k, s) = (r.random_range(1..5), r.random_range(1..4));
        let p = r.random_range(0..=k / 2);
        let (h, w) = (k + r.random_range(0..9), k + r.random_range(0..20));
        let x = var(r.random_range(0..1000), &[1, 1, h, w]);
        for kind in [PoolKind::Max, PoolKind::Average] {
            for &isa in crate::isa::available() {
                let got = crate::isa::with(isa, || pool(&x, Pool::d2(k, s, p), kind)).unwrap();
                let want = pool_by_hand(&values(&x), [h, w], k, s, p, kind == PoolKind::Max);
                assert_eq!(values(&got).len(), want.len());
                for (g, w) in values(&got).iter().zip(&want) {
                    assert!((g - w).abs() < 1e-5, "{kind:?} {k} {s} {p}: {g}, not {w}");
                }
            }
        }
    }
    // Differences need numbers further apart than the step, else the largest changes under it.
    let spread = |shape: &[usize]| {
        let n: usize = shape.iter().product();
        let v: Vec<f32> = (0..n).map(|i| (i * 7919 % n) as f32 * 0.1).collect();
        Var::from_tensor(&Tensor::from_vec(v, shape, &Device::Cpu).unwrap()).unwrap()
    };
    for kind in [PoolKind::Max, PoolKind::Average] {
        for p in [Pool::d2(2, 2, 0), Pool::d2(3, 2, 1), Pool::d2(3, 1, 1), Pool::Adaptive([1, 3, 2])] {
            let x = spread(&[2, 3, 7, 8]);
            gradients(&format!("{kind:?} {p:?}"), std::slice::from_ref(&x), || pool(&x, p, kind));
        }
        for p in [Pool::d3(2, 2, 0), Pool::d3(3, 2, 1), Pool::Adaptive([2, 3, 1])] {
            let x = spread(&[1, 2, 5, 6, 5]);
            gradients(&format!("{kind:?} {p:?}"), std::slice::from_ref(&x), || pool(&x, p, kind));
        }
    }
    let x = var(1, &[1, 1, 4, 4]);
    assert!(pool(&x, Pool::d2(5, 1, 0), PoolKind::Max).is_err());
    assert!(pool(&x, Pool::d2(2, 0, 0), PoolKind::Max).is_err());
    let adaptive = pool(&x, Pool::Adaptive([1, 1, 1]), PoolKind::Average).unwrap();
    assert!(difference(&adaptive, &x.mean_keepdim((2, 3)).unwrap()) < 1e-6);
}

#[test]
fn a_pool_lets_nan_through() {
    let mut v = vec![1f32; 16];
    v[5] = f32::NAN;
    let x = Tensor::from_vec(v, (1, 1, 4, 4), &Device::Cpu).unwrap();
    for (k, s) in [(2, 2), (3, 1)] {
        assert!(values(&pool(&x, Pool::d2(k, s, 0), PoolKind::Max).unwrap())[0].is_nan());
    }
}

// The faults of candle 0.11.1 that these ops replace; where a later candle is right, this test says so by failing, and
// the paragraph in the README can go.
#[test]
fn candles_own_gradients_of_max_pool_and_nearest_are_wrong_and_ours_are_right() {
    let x =
        Var::from_tensor(&Tensor::arange(0f32, 16f32, &Device::Cpu).unwrap().reshape((1, 1, 4, 4)).unwrap()).unwrap();
    let total = |y: Tensor| {
        let grads = y.sum_all().unwrap().backward().unwrap();
        values(grads.get(&x).unwrap()).iter().sum::<f32>()
    };
    // Four windows: the gradients of their largest numbers sum to 4.
    assert_eq!(total(pool(&x, Pool::d2(2, 2, 0), PoolKind::Max).unwrap()), 4.0);
    assert_eq!(total(x.max_pool2d(2).unwrap()), 1.0, "candle's max_pool2d gradient is no longer a quarter");
    // Each number goes to four places and, beside, to a second consumer three times.
    let both = |up: Tensor| (up.sum_all().unwrap() + (x.as_tensor() * 3.0).unwrap().sum_all().unwrap()).unwrap();
    let ours = both(resize(&x, [1, 8, 8], Resize::Nearest).unwrap());
    assert_eq!(total(ours), 16.0 * 7.0);
    let first = total(both(x.upsample_nearest2d(8, 8).unwrap()));
    let swapped =
        (x.as_tensor() * 3.0).unwrap().sum_all().unwrap() + x.upsample_nearest2d(8, 8).unwrap().sum_all().unwrap();
    let second = total(swapped.unwrap());
    assert!(first != 112.0 || second != 112.0, "candle's upsample_nearest2d gradient no longer overwrites");
}

#[test]
fn resizing_is_right_and_so_are_its_gradients() {
    // PyTorch 2: F.interpolate(torch.tensor([[[[1., 2.], [3., 5.]]]]), size=(3, 4), mode="bilinear", align_corners=A)
    let x = Tensor::new(&[1f32, 2., 3., 5.], &Device::Cpu).unwrap().reshape((1, 1, 2, 2)).unwrap();
    let want = [1.0, 1.25, 1.75, 2.0, 2.0, 2.375, 3.125, 3.5, 3.0, 3.5, 4.5, 5.0];
    let got = values(&resize(&x, [1, 3, 4], Resize::Linear { align_corners: false }).unwrap());
    assert!(got.iter().zip(&want).all(|(g, w)| (g - w).abs() < 1e-6), "{got:?}");
    let want = [1.0, 1.333_333_3, 1.666_666_6, 2.0, 2.0, 2.5, 3.0, 3.5, 3.0, 3.666_666_7, 4.333_333_5, 5.0];
    let got = values(&resize(&x, [1, 3, 4], Resize::Linear { align_corners: true }).unwrap());
    assert!(got.iter().zip(&want).all(|(g, w)| (g - w).abs() < 1e-6), "{got:?}");
    let nearest = values(&resize(&x, [1, 4, 4], Resize::Nearest).unwrap());
    assert_eq!(nearest, values(&x.upsample_nearest2d(4, 4).unwrap()));
    for how in [Resize::Nearest, Resize::Linear { align_corners: false }, Resize::Linear { align_corners: true }] {
        for (shape, to) in [(&[2, 2, 4, 5][..], [1, 7, 10]), (&[1, 2, 6, 7], [1, 3, 2]), (&[1, 1, 3, 4, 2], [5, 4, 6])]
        {
            let x = var(4, shape);
            gradients(&format!("{how:?}"), std::slice::from_ref(&x), || resize(&x, to, how));
        }
    }
    assert!(resize(&x, [1, 0, 4], Resize::Nearest).is_err());
}

#[test]
fn norms_are_right_and_so_are_their_gradients() {
    for (shape, kind) in [
        (&[3, 4, 5, 6][..], Norm::Batch),
        (&[2, 6, 5, 7], Norm::Group(3)),
        (&[2, 4, 5, 7], Norm::Group(4)),
        (&[2, 3, 4, 3, 5], Norm::Batch),
        (&[1, 4, 1, 1], Norm::Group(2)),
    ] {
        let (x, w, b) = (var(1, shape), var(2, &shape[1..2]), var(3, &shape[1..2]));
        let y = values(&norm(&x, &w, &b, kind, 1e-5).unwrap());
        let (xs, ws, bs) = (values(&x), values(&w), values(&b));
        let pixels: usize = shape[2..].iter().product();
        let unit = |i: usize| {
            let (n, c) = (i / pixels / shape[1], i / pixels % shape[1]);
            match kind {
                Norm::Batch => c,
                Norm::Group(g) => n * g + c / (shape[1] / g),
            }
        };
        for i in 0..xs.len() {
            let all: Vec<f64> = (0..xs.len()).filter(|j| unit(*j) == unit(i)).map(|j| f64::from(xs[j])).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let var = all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / all.len() as f64;
            let c = i / pixels % shape[1];
            let want = (f64::from(xs[i]) - mean) / (var + 1e-5).sqrt() * f64::from(ws[c]) + f64::from(bs[c]);
            assert!((f64::from(y[i]) - want).abs() < 1e-5, "{kind:?}: {}, not {want}", y[i]);
        }
        if pixels > 1 {
            let vars = [x, w, b];
            gradients(&format!("{kind:?}"), &vars, || norm(&vars[0], &vars[1], &vars[2], kind, 1e-5));
        }
    }
    let vars = [var(1, &[3, 4, 7]), var(2, &[7]), var(3, &[7])];
    gradients("layer norm", &vars, || layer_norm(&vars[0], &vars[1], &vars[2], 1e-5));
    assert!(norm(&vars[0], &vars[1], &vars[2], Norm::Batch, 1e-5).is_err());
}

#[test]
fn a_norm_keeps_the_variance_of_numbers_far_from_zero() {
    let v: Vec<f32> = random(&mut rng(3), 4096).iter().map(|v| v * 0.5 - 1000.0).collect();
    let x = Tensor::from_vec(v, (1, 1, 64, 64), &Device::Cpu).unwrap();
    let one = Tensor::ones(1, DType::F32, &Device::Cpu).unwrap();
    let y = norm(&x, &one, &one.zeros_like().unwrap(), Norm::Group(1), 1e-5).unwrap();
    let (mean, var) = batch_statistics(&y).unwrap();
    assert!(mean[0].abs() < 1e-3 && (var[0] - 1.0).abs() < 1e-3, "{mean:?} {var:?}");
}

#[test]
fn activations_softmax_linear_and_roi_align() {
    let x = var(1, &[2, 5, 3, 7]);
    let wide = (x.as_tensor() * 30.0).unwrap();
    type Exact = fn(f64) -> f64;
    let cases: [(Map, Exact); 4] = [
        (Map::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Map::Silu, |x| x / (1.0 + (-x).exp())),
        (Map::Tanh, f64::tanh),
        (Map::Act(Act::Relu6), |x| x.clamp(0.0, 6.0)),
    ];
    for (m, exact) in cases {
        for &isa in crate::isa::available() {
            let y = crate::isa::with(isa, || map(&wide, m)).unwrap();
            for (x, y) in values(&wide).iter().zip(values(&y)) {
                let want = exact(f64::from(*x));
                assert!((want - f64::from(y)).abs() < 2e-6 * (1.0 + want.abs()), "{m:?}({x}) = {y}, not {want}");
            }
        }
    }
    let gelu = map(&wide, Map::Gelu).unwrap();
    assert!(difference(&gelu, &wide.gelu_erf().unwrap()) < 1e-6);
    for m in [Map::Sigmoid, Map::Silu, Map::Tanh, Map::Gelu] {
        gradients(&format!("{m:?}"), std::slice::from_ref(&x), || map(&x, m));
        let y = values(&map(&Tensor::new(&[f32::NAN, 200.0, -200.0], &Device::Cpu).unwrap(), m).unwrap());
        assert!(y[0].is_nan() && y[1].is_finite() && y[2].is_finite(), "{m:?}: {y:?}");
    }
    for dim in 0..4 {
        let y = softmax(&wide, dim).unwrap();
        assert!(difference(&y, &candle_nn::ops::softmax(&wide, dim).unwrap()) < 1e-5);
        gradients("softmax", std::slice::from_ref(&x), || softmax(&x, dim));
    }
    let vars = [var(1, &[2, 3, 11]), var(2, &[70, 11]), var(3, &[70])];
    let run = |act| linear(&vars[0], &vars[1], &vars[2], act);
    gradients("linear", &vars, || run(Act::None));
    rides_along(&vars, run);
    let plain = |v: &Var| v.as_detached_tensor();
    let layer = LinearLayer::new(plain(&vars[1]), plain(&vars[2]), Act::Relu);
    let x3 = plain(&vars[0]);
    let want =
        vars[0].broadcast_matmul(&vars[1].t().unwrap()).unwrap().broadcast_add(&vars[2]).unwrap().relu().unwrap();
    for &isa in crate::isa::available() {
        let fresh = LinearLayer::new(layer.weight.clone(), layer.bias.clone(), Act::Relu);
        let got = crate::isa::with(isa, || fresh.forward(&x3));
        assert!(difference(&got.unwrap(), &want) < 1e-5);
    }
    assert!(layer.forward(&x3.narrow(2, 0, 10).unwrap()).is_err());

    let (a, b) = (var(1, &[3, 4]), var(2, &[3, 4]));
    gradients("add", &[a.clone(), b.clone()], || add(&a, &b, Act::None));
    rides_along(&[a.clone(), b.clone()], |act| add(&a, &b, act));
    // Numbers away from the kink, where differences would tell neither slope.
    let away = Var::from_tensor(&Tensor::new(&[-2f32, -0.5, 0.5, 2.0, 7.0], &Device::Cpu).unwrap()).unwrap();
    for act in [Act::Relu, Act::Relu6, Act::Leaky(0.3)] {
        gradients(&format!("{act:?}"), std::slice::from_ref(&away), || map(&away, Map::Act(act)));
    }

    // torchvision: roi_align(torch.arange(16.).reshape(1, 1, 4, 4), torch.tensor([[0, 0., 0., 4., 4.]]), 2, 1.0, 2, True)
    // samples lie at 0.0, 1.0 | 2.0, 3.0 along both axes: cell means 2.5, 4.5, 10.5, 12.5.
    let image = Tensor::arange(0f32, 16f32, &Device::Cpu).unwrap().reshape((1, 1, 4, 4)).unwrap();
    let boxes = Tensor::new(&[[0f32, 0.0, 0.0, 4.0, 4.0]], &Device::Cpu).unwrap();
    let roi = RoiAlign { size: [2, 2], scale: 1.0, samples: 2, aligned: true };
    assert_eq!(values(&roi_align(&image, &boxes, roi).unwrap()), [2.5, 4.5, 10.5, 12.5]);
    let x = var(6, &[2, 3, 8, 9]);
    let boxes = Tensor::new(&[[0f32, 1.0, 2.0, 6.5, 7.0], [1.0, -3.0, 0.0, 30.0, 4.0]], &Device::Cpu).unwrap();
    for samples in [0, 2] {
        let roi = RoiAlign { size: [3, 2], scale: 0.7, samples, aligned: samples == 0 };
        gradients("roi align", std::slice::from_ref(&x), || roi_align(&x, &boxes, roi));
    }
    let beyond = Tensor::new(&[[2f32, 0.0, 0.0, 1.0, 1.0]], &Device::Cpu).unwrap();
    assert!(roi_align(&x, &beyond, roi).is_err());
}

#[test]
fn layers_agree_with_ops_and_with_candle() {
    let (x, w, b) = (var(1, &[2, 12, 15, 18]), var(2, &[16, 12, 3, 3]), var(3, &[16]));
    let spec = ConvSpec::d2(1, 1);
    let op = conv(&x, &w, Some(&b), spec, Act::Relu).unwrap();
    let plain = |v: &Var| v.as_detached_tensor();
    let layer = ConvLayer::new(plain(&w), Some(plain(&b)), spec, Act::Relu);
    let x = plain(&x);
    assert_eq!(difference(&layer.forward(&x).unwrap(), &op), 0.0);
    // With weights that are trained it is the op, graph and all.
    let trained = ConvLayer::new(w.as_tensor().clone(), Some(b.as_tensor().clone()), spec, Act::Relu);
    assert!(trained.forward(&x).unwrap().sum_all().unwrap().backward().unwrap().get(&w).is_some());
    let sum = trained.forward_add(&x, &op).unwrap();
    assert!(difference(&sum, &layer.forward_add(&x, &op.detach()).unwrap()) < 1e-5);
    let candle = x.conv2d(&w, 1, 1, 1, 1).unwrap().broadcast_add(&b.reshape((1, 16, 1, 1)).unwrap()).unwrap();
    assert!(difference(&op, &candle.relu().unwrap()) < 1e-5);
    let res = plain(&var(4, &[2, 16, 15, 18]));
    let added = layer.forward_add(&x, &res).unwrap();
    assert!(difference(&added, &(candle + &res).unwrap().relu().unwrap()) < 1e-5);
    assert!(layer.forward_add(&x, &x).is_err());
    assert!(layer.forward(&res).unwrap_err().to_string().contains("16"));
    // Strided inputs.
    let turned = x.transpose(2, 3).unwrap();
    let copied = turned.contiguous().unwrap();
    assert_eq!(difference(&layer.forward(&turned).unwrap(), &layer.forward(&copied).unwrap()), 0.0);
    // What runs on other devices is candle's own, tried here on the CPU.
    let there = conv::elsewhere(&x, &w, Some(&b), ConvSpec::d2(2, 1), Act::Leaky(0.2)).unwrap();
    let here = conv(&x, &w, Some(&b), ConvSpec::d2(2, 1), Act::Leaky(0.2)).unwrap();
    assert!(difference(&there, &here) < 1e-5);
    let up = ConvTransposedLayer::new(plain(&var(5, &[12, 4, 2, 2])), None, ConvSpec::d2(2, 0), Act::None);
    let candle = x.conv_transpose2d(&var(5, &[12, 4, 2, 2]), 0, 0, 2, 1).unwrap();
    assert!(difference(&up.forward(&x).unwrap(), &candle) < 1e-5);
}

#[test]
fn empty_batches_and_numbers_of_another_type() {
    let w = var(2, &[3, 2, 3, 3]);
    let none = Tensor::zeros((0, 2, 5, 5), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(conv(&none, &w, None, ConvSpec::d2(1, 1), Act::None).unwrap().dims(), [0, 3, 5, 5]);
    assert_eq!(pool(&none, Pool::d2(2, 2, 0), PoolKind::Max).unwrap().dims(), [0, 2, 2, 2]);
    let flat = Tensor::zeros((1, 2, 0, 5), DType::F32, &Device::Cpu).unwrap();
    assert!(conv(&flat, &w, None, ConvSpec::d2(1, 0), Act::None).is_err());
    let double = Tensor::zeros((1, 2, 5, 5), DType::F64, &Device::Cpu).unwrap();
    let error = conv(&double, &w, None, ConvSpec::d2(1, 1), Act::None).unwrap_err().to_string();
    assert!(error.contains("f32") || error.contains("F32") || error.contains("dtype"), "{error}");
    assert!(conv(&var(1, &[1, 3, 5, 5]), &w, None, ConvSpec::d2(1, 1), Act::None).is_err());
    assert!(conv(&var(1, &[2, 5]), &w, None, ConvSpec::d2(1, 1), Act::None).is_err());
}

#[test]
fn layers_in_bytes_are_near_those_in_numbers() {
    let plain = |seed, shape: &[usize]| var(seed, shape).as_detached_tensor();
    let near = |a: &Tensor, b: &Tensor| assert!(difference(a, b) < 0.03, "{}", difference(a, b));
    let x = plain(1, &[2, 30, 9, 11]);
    let conv = ConvLayer::new(plain(2, &[17, 30, 3, 3]), Some(plain(3, &[17])), ConvSpec::d2(1, 1), Act::Relu);
    near(&ConvBytesLayer::new(&conv).unwrap().forward(&x).unwrap(), &conv.forward(&x).unwrap());
    assert!(ConvBytesLayer::new(&conv).unwrap().forward(&plain(1, &[2, 29, 9, 11])).is_err());
    let grouped = ConvLayer::new(plain(2, &[6, 10, 3, 3]), None, ConvSpec::d2(1, 1).grouped(3), Act::None);
    near(&ConvBytesLayer::new(&grouped).unwrap().forward(&x).unwrap(), &grouped.forward(&x).unwrap());
    for features in [1, 7, 64] {
        let x = plain(4, &[3, 5, features]);
        let linear = LinearLayer::new(plain(5, &[33, features]), plain(6, &[33]), Act::Leaky(0.1));
        let bytes = LinearBytesLayer::new(&linear).unwrap();
        near(&bytes.forward(&x).unwrap(), &linear.forward(&x).unwrap());
        assert!(bytes.forward(&plain(4, &[3, features + 1])).is_err());
    }
}
