//! The cases.

use super::candle::Own;
use super::{Case, Run};
use crate::graph::{Eager, Flow, Plan};
use crate::nets::{Init, MeshNet, ResNet, Ssd, UNet};
use crate::ops::{self, ConvLayer, ConvTransposedLayer, Map, Norm, Pool, PoolKind, Resize};
use crate::{Act, ConvSpec, pool};
use candle_core::{DType, Device, Result, Tensor, Var};
use std::hint::black_box;
use std::rc::Rc;

fn random(shape: &[usize]) -> Result<Tensor> {
    Tensor::randn(0f32, 1.0, shape, &Device::Cpu)
}

fn difference(ours: &Tensor, theirs: &Tensor) -> Result<f32> {
    let top = |t: Tensor| t.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
    Ok(top((ours - theirs)?)? / top(theirs.clone())?)
}

type Layer = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

/// A layer: ours, candle's, and the peers' expression, all on one random input.
fn layer(name: &str, shape: &[usize], python: &str, ours: Layer, candle: Option<Layer>) -> Case {
    let timed = |layer: Rc<Layer>, shape: Vec<usize>| -> Box<dyn FnOnce() -> Result<Run>> {
        Box::new(move || {
            let x = random(&shape)?;
            Ok(Box::new(move || {
                black_box(layer(&x)?);
                Ok(())
            }))
        })
    };
    let ours: Rc<Layer> = Rc::new(Box::new(move |x: &Tensor| ours(x)));
    let candle: Option<Rc<Layer>> = candle.map(Rc::new);
    let check = candle.clone().map(|c| -> Box<dyn FnOnce() -> Result<f32>> {
        let (ours, shape) = (ours.clone(), shape.to_vec());
        Box::new(move || {
            let x = random(&shape)?;
            difference(&ours(&x)?, &c(&x)?)
        })
    });
    Case {
        name: name.to_owned(),
        ours: timed(ours, shape.to_vec()),
        candle: candle.map(|c| timed(c, shape.to_vec())),
        python: Some((python.to_owned(), shape.to_vec())),
        check,
    }
}

fn conv(name: &str, input: &[usize], kernel: &[usize], spec: ConvSpec, python: &str) -> Result<Case> {
    let conv = Init::new(1, false).conv(kernel, true, spec, Act::None)?;
    let theirs = conv.clone();
    let candle: Option<Layer> =
        (input.len() == 4).then(|| -> Layer { Box::new(move |x| Own { train: false }.conv(&theirs, x)) });
    Ok(layer(name, input, python, Box::new(move |x| ConvLayer::forward(&conv, x)), candle))
}

fn all_kernels() -> Result<Vec<Case>> {
    let d2 = ConvSpec::d2;
    let mut all = vec![
        conv("conv3x3 64 64 256", &[1, 64, 256, 256], &[64, 64, 3, 3], d2(1, 1), "nn.Conv2d(64, 64, 3, padding=1)")?,
        conv(
            "conv3x3 256 256 64",
            &[1, 256, 64, 64],
            &[256, 256, 3, 3],
            d2(1, 1),
            "nn.Conv2d(256, 256, 3, padding=1)",
        )?,
        conv(
            "conv3x3 256 256 14",
            &[1, 256, 14, 14],
            &[256, 256, 3, 3],
            d2(1, 1),
            "nn.Conv2d(256, 256, 3, padding=1)",
        )?,
        conv("conv3x3 512 512 7", &[1, 512, 7, 7], &[512, 512, 3, 3], d2(1, 1), "nn.Conv2d(512, 512, 3, padding=1)")?,
        conv(
            "conv3x3s2 64 128 128",
            &[1, 64, 128, 128],
            &[128, 64, 3, 3],
            d2(2, 1),
            "nn.Conv2d(64, 128, 3, padding=1, stride=2)",
        )?,
        conv(
            "conv3x3d2 64 64 128",
            &[1, 64, 128, 128],
            &[64, 64, 3, 3],
            d2(1, 2).dilated(2, 2),
            "nn.Conv2d(64, 64, 3, padding=2, dilation=2)",
        )?,
        conv("conv1x1 256 256 64", &[1, 256, 64, 64], &[256, 256, 1, 1], d2(1, 0), "nn.Conv2d(256, 256, 1)")?,
        conv("conv1x1 1024 256 14", &[1, 1024, 14, 14], &[256, 1024, 1, 1], d2(1, 0), "nn.Conv2d(1024, 256, 1)")?,
        conv("conv1x1 2048 512 7", &[1, 2048, 7, 7], &[512, 2048, 1, 1], d2(1, 0), "nn.Conv2d(2048, 512, 1)")?,
        conv(
            "conv7x7s2 3 64 224",
            &[1, 3, 224, 224],
            &[64, 3, 7, 7],
            d2(2, 3),
            "nn.Conv2d(3, 64, 7, padding=3, stride=2)",
        )?,
        conv(
            "depthwise3x3 128 64",
            &[1, 128, 64, 64],
            &[128, 1, 3, 3],
            d2(1, 1).grouped(128),
            "nn.Conv2d(128, 128, 3, padding=1, groups=128)",
        )?,
        conv(
            "conv3d 16 16 64",
            &[1, 16, 64, 64, 64],
            &[16, 16, 3, 3, 3],
            ConvSpec::d3(1, 1),
            "nn.Conv3d(16, 16, 3, padding=1)",
        )?,
        conv(
            "conv3d-d4 16 16 64",
            &[1, 16, 64, 64, 64],
            &[16, 16, 3, 3, 3],
            ConvSpec::d3(1, 4).dilated(4, 3),
            "nn.Conv3d(16, 16, 3, padding=4, dilation=4)",
        )?,
        conv(
            "conv3d-s2 16 32 64",
            &[1, 16, 64, 64, 64],
            &[32, 16, 3, 3, 3],
            ConvSpec::d3(2, 1),
            "nn.Conv3d(16, 32, 3, padding=1, stride=2)",
        )?,
    ];
    let up = Init::new(2, false).up(&[128, 64, 2, 2])?;
    let theirs = up.clone();
    all.push(layer(
        "transposed2x2 128 64 64",
        &[1, 128, 64, 64],
        "nn.ConvTranspose2d(128, 64, 2, 2)",
        Box::new(move |x| ConvTransposedLayer::forward(&up, x)),
        Some(Box::new(move |x| Own { train: false }.conv_transposed(&theirs, x))),
    ));
    let up = Init::new(3, false).up(&[64, 32, 2, 2, 2])?;
    let ours: Layer = Box::new(move |x| ConvTransposedLayer::forward(&up, x));
    all.push(layer("transposed3d 64 32 24", &[1, 64, 24, 24, 24], "nn.ConvTranspose3d(64, 32, 2, 2)", ours, None));
    let halve = Pool::d2(2, 2, 0);
    all.push(layer(
        "maxpool2 64 256",
        &[1, 64, 256, 256],
        "nn.MaxPool2d(2)",
        Box::new(move |x| ops::pool(x, halve, PoolKind::Max)),
        Some(Box::new(move |x| x.max_pool2d(2))),
    ));
    let (one, zero) = (Tensor::ones(64, DType::F32, &Device::Cpu)?, Tensor::zeros(64, DType::F32, &Device::Cpu)?);
    let ours: Layer = Box::new(move |x| ops::norm(x, &one, &zero, Norm::Group(8), 1e-5));
    all.push(layer("groupnorm8 64 128", &[1, 64, 128, 128], "nn.GroupNorm(8, 64)", ours, None));
    all.push(layer(
        "bilinear2 64 128",
        &[1, 64, 128, 128],
        "nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False)",
        Box::new(|x| ops::resize(x, [1, 256, 256], Resize::Linear { align_corners: false })),
        Some(Box::new(|x| x.upsample_bilinear2d(256, 256, false))),
    ));
    all.push(layer(
        "silu 64 128",
        &[1, 64, 128, 128],
        "nn.SiLU()",
        Box::new(|x| ops::map(x, Map::Silu)),
        Some(Box::new(Tensor::silu)),
    ));
    let ours: Layer = Box::new(|x| ops::softmax(x, 1));
    all.push(layer("softmax 1000 512", &[512, 1000], "nn.Softmax(1)", ours, None));
    Ok(all)
}

/// A net for inference, as a plan, on candle's operations, and as a module of the peers.
fn net<N: 'static>(
    name: &str,
    shape: &[usize],
    python: &str,
    make: fn() -> Result<N>,
    plan: fn(&N) -> Result<Plan>,
    own: Option<fn(&N, &Tensor) -> Result<Tensor>>,
) -> Case {
    let (a, b, c) = (shape.to_vec(), shape.to_vec(), shape.to_vec());
    let own_run = own.map(|own| -> Box<dyn FnOnce() -> Result<Run>> {
        Box::new(move || {
            let (net, x) = (make()?, random(&b)?);
            Ok(Box::new(move || {
                black_box(own(&net, &x)?);
                Ok(())
            }))
        })
    });
    // A small image is enough to see whether the nets are the same.
    let check = own.map(|own| -> Box<dyn FnOnce() -> Result<f32>> {
        Box::new(move || {
            let small: Vec<usize> = c.iter().enumerate().map(|(i, d)| if i < 2 { *d } else { (*d).min(64) }).collect();
            let (net, x) = (make()?, random(&small)?);
            difference(&plan(&net)?.forward(&x, None)?, &own(&net, &x)?)
        })
    });
    Case {
        name: name.to_owned(),
        ours: Box::new(move || {
            let plan = plan(&make()?)?;
            let x = random(&a)?;
            Ok(Box::new(move || {
                black_box(plan.forward(&x, None)?);
                Ok(())
            }))
        }),
        candle: own_run,
        python: Some((python.to_owned(), shape.to_vec())),
        check,
    }
}

/// Plain gradient descent on a mean squared error: forward, backward, update.
fn step(y: &Tensor, target: &Tensor, vars: &[Var]) -> Result<()> {
    let grads = (y - target)?.sqr()?.mean_all()?.backward()?;
    for v in vars {
        if let Some(g) = grads.get(v) {
            v.set(&(v.as_tensor() - (g * 1e-4)?)?)?;
        }
    }
    Ok(())
}

type Forward<N> = fn(&N, &Tensor) -> Result<Tensor>;

fn training<N: Send + Sync + 'static>(
    name: &str,
    shape: &[usize],
    python: &str,
    make: fn(&mut Init) -> Result<N>,
    ours: Forward<N>,
    candle: Forward<N>,
) -> Case {
    let run = |shape: Vec<usize>, forward: Forward<N>, inside: bool| -> Box<dyn FnOnce() -> Result<Run>> {
        Box::new(move || {
            let mut init = Init::new(7, true);
            let net = make(&mut init)?;
            let x = random(&shape)?;
            let target = forward(&net, &x)?.detach().randn_like(0.0, 1.0)?;
            Ok(Box::new(move || {
                let one = || step(&forward(&net, &x)?, &target, &init.vars);
                if inside { pool::run(None, one) } else { one() }
            }))
        })
    };
    Case {
        name: name.to_owned(),
        ours: run(shape.to_vec(), ours, true),
        candle: Some(run(shape.to_vec(), candle, false)),
        python: Some((format!("train:{python}"), shape.to_vec())),
        check: None,
    }
}

fn all_nets() -> Vec<Case> {
    fn unet() -> Result<UNet> {
        UNet::new(&mut Init::new(1, false), 2, 32, 4, 1, 2)
    }
    fn unet_plan(n: &UNet) -> Result<Plan> {
        Plan::new(|f, x| n.forward(f, x))
    }
    fn unet_own(n: &UNet, x: &Tensor) -> Result<Tensor> {
        n.forward(&mut Own { train: false }, x)
    }
    fn resnet_own(n: &ResNet, x: &Tensor) -> Result<Tensor> {
        n.forward(&mut Own { train: false }, x)
    }
    let mut all = Vec::new();
    for size in [256, 512] {
        let name = format!("unet32 {size}");
        all.push(net(&name, &[1, 1, size, size], "UNet()", unet, unet_plan, Some(unet_own)));
    }
    all.push(net(
        "resnet50 224",
        &[1, 3, 224, 224],
        "ResNet([3, 4, 6, 3], 4)",
        || ResNet::r50(&mut Init::new(2, false), 1000),
        |n| Plan::new(|f, x| n.forward(f, x)),
        Some(resnet_own),
    ));
    // The peers run the same net in f32; the check tells what the rounding changes.
    all.push(net(
        "resnet50-int8 224",
        &[1, 3, 224, 224],
        "ResNet([3, 4, 6, 3], 4)",
        || ResNet::r50(&mut Init::new(2, false), 1000),
        |n| Plan::in_bytes(|f, x| n.forward(f, x)),
        Some(resnet_own),
    ));
    all.push(net(
        "unet3d16 96",
        &[1, 1, 96, 96, 96],
        "UNet(3, 16, 3)",
        || UNet::new(&mut Init::new(3, false), 3, 16, 3, 1, 2),
        unet_plan,
        None,
    ));
    all.push(net(
        "meshnet5 256",
        &[1, 1, 256, 256, 256],
        "MeshNet()",
        || MeshNet::new(&mut Init::new(4, false), 5, 3),
        |n| Plan::new(|f, x| n.forward(f, x)),
        None,
    ));
    for base in [16, 32] {
        let make: fn(&mut Init) -> Result<UNet> =
            if base == 16 { |i| UNet::new(i, 2, 16, 4, 1, 1) } else { |i| UNet::new(i, 2, 32, 4, 1, 1) };
        all.push(training(
            &format!("train-unet{base} 128 b8"),
            &[8, 1, 128, 128],
            &format!("UNet(2, {base}, 4, 1, 1)"),
            make,
            |n, x| n.forward(&mut Eager { train: true }, x),
            |n, x| n.forward(&mut Own { train: true }, x),
        ));
    }
    all.push(training(
        "train-resnet18 224 b4",
        &[4, 3, 224, 224],
        "ResNet([2, 2, 2, 2], 1)",
        |i| ResNet::r18(i, 1000),
        |n, x| n.forward(&mut Eager { train: true }, x),
        |n, x| n.forward(&mut Own { train: true }, x),
    ));
    all
}

/// A detector's maps as one row an image, as its loss sees them.
fn joined(maps: Vec<Tensor>) -> Result<Tensor> {
    let rows = maps.iter().map(|m| m.flatten_from(1)).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&rows, 1)
}

/// The training steps alone, a small detector among them.
pub(super) fn training_steps() -> Vec<Case> {
    let mut all: Vec<Case> = all_nets().into_iter().filter(|c| c.name.starts_with("train-")).collect();
    all.push(training(
        "train-ssd16 256 b4",
        &[4, 1, 256, 256],
        "Ssd(16, 4)",
        |i| Ssd::new(i, 16, 4),
        |n, x| joined(n.forward(&mut Eager { train: true }, x)?),
        |n, x| joined(n.forward(&mut Own { train: true }, x)?),
    ));
    all
}

pub(super) fn kernels() -> Vec<Case> {
    all_kernels().unwrap_or_default()
}

pub(super) fn nets() -> Vec<Case> {
    all_nets()
}
