//! Plans give what the layers give, one by one.

use super::*;
use crate::ConvSpec;
use crate::nets::{Init, MeshNet, ResNet, UNet};
use candle_core::Device;

fn input(shape: &[usize]) -> Tensor {
    let v = crate::reference::random(&mut crate::reference::rng(9), shape.iter().product());
    Tensor::from_vec(v, shape, &Device::Cpu).unwrap()
}

fn same(a: &Tensor, b: &Tensor) {
    assert_eq!(a.shape(), b.shape());
    let worst = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    let size = b.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    assert!(worst <= 2e-5 * size.max(1e-3), "{worst} of {size}");
}

const EAGER: Eager = Eager { train: false };

#[test]
fn nets_as_plans_give_what_their_layers_give() {
    let mut init = Init::new(1, false);
    let unet = UNet::new(&mut init, 2, 8, 2, 1, 3).unwrap();
    let plan = Plan::new(|f, x| unet.forward(f, x)).unwrap();
    for shape in [[1, 1, 24, 20], [2, 1, 16, 16], [1, 1, 24, 20]] {
        let x = input(&shape);
        same(&plan.forward(&x, None).unwrap(), &unet.forward(&mut { EAGER }, &x).unwrap());
    }
    let cube = UNet::new(&mut init, 3, 4, 1, 2, 2).unwrap();
    let plan = Plan::new(|f, x| cube.forward(f, x)).unwrap();
    let x = input(&[1, 2, 6, 8, 4]);
    same(&plan.forward(&x, None).unwrap(), &cube.forward(&mut { EAGER }, &x).unwrap());

    let mesh = MeshNet::new(&mut init, 5, 3).unwrap();
    let plan = Plan::new(|f, x| mesh.forward(f, x)).unwrap();
    let x = input(&[1, 1, 20, 9, 21]);
    same(&plan.forward(&x, None).unwrap(), &mesh.forward(&mut { EAGER }, &x).unwrap());
    assert!(plan.forward(&input(&[1, 2, 20, 9, 21]), None).is_err());
    assert!(plan.forward(&input(&[1, 1]), None).is_err());
}

#[test]
fn norms_and_sums_of_a_residual_net_are_folded_away() {
    let mut init = Init::new(2, false);
    for net in [ResNet::r18(&mut init, 7).unwrap(), ResNet::r50(&mut init, 7).unwrap()] {
        let x = input(&[2, 3, 40, 33]);
        // A training pass gives the running averages something to be folded.
        net.forward(&mut Eager { train: true }, &x).unwrap();
        let plan = Plan::new(|f, x| net.forward(f, x)).unwrap();
        same(&plan.forward(&x, None).unwrap(), &net.forward(&mut { EAGER }, &x).unwrap());
        // Only convolutions, two pools and the head are left.
        let is_conv = |n: &&Node| matches!(n.op, Op::Conv(_));
        assert_eq!(plan.layers(), plan.nodes.iter().filter(is_conv).count() + 3);
    }
}

#[test]
fn memory_of_a_chain_is_that_of_its_largest_pair() {
    let mut init = Init::new(3, false);
    let mesh = MeshNet::new(&mut init, 5, 2).unwrap();
    let plan = Plan::new(|f, x| mesh.forward(f, x)).unwrap();
    let pair = 2 * 5 * 16 * 16 * 16 * 4;
    assert!(plan.memory_bytes(&[1, 1, 16, 16, 16]).unwrap() < pair + pair / 20);
}

#[test]
fn what_has_other_consumers_is_not_fused_and_odd_graphs_are_right() {
    let mut init = Init::new(4, false);
    let a = init.conv(&[6, 6, 3, 3], true, ConvSpec::d2(1, 1), Act::None).unwrap();
    let b = init.conv(&[6, 12, 1, 1], true, ConvSpec::d2(1, 0), Act::None).unwrap();
    fn odd<F: Flow>(f: &mut F, x: &F::T, a: &ConvLayer, b: &ConvLayer) -> Result<F::T> {
        let y = f.conv(a, x)?;
        let z = f.relu(&y)?; // y is used below
        let w = f.add(&y, &z)?;
        let c = f.cat(&[z.clone(), w.clone()])?; // z lies in the concatenation and is read again
        let d = f.conv(b, &c)?;
        let e = f.map(Map::Sigmoid, &d)?;
        let twice = f.cat(&[e.clone(), e.clone()])?;
        let g = f.upsample(2, Resize::Nearest, &twice)?;
        let h = f.pool(Pool::d2(2, 2, 0), PoolKind::Average, &g)?;
        let h = f.conv(b, &h)?;
        let sum = f.add(&h, x)?; // the input as residual
        f.add(&sum, &z)
    }
    let plan = Plan::new(|f, x| odd(f, x, &a, &b)).unwrap();
    for batch in [1, 3] {
        let x = input(&[batch, 6, 7, 9]);
        same(&plan.forward(&x, None).unwrap(), &odd(&mut { EAGER }, &x, &a, &b).unwrap());
    }
    let nothing = Plan::new(|_, x| Ok(*x)).unwrap();
    let x = input(&[1, 6, 7, 9]);
    same(&nothing.forward(&x, None).unwrap(), &x);
}

#[test]
fn a_plan_can_be_cancelled() {
    let mut init = Init::new(5, false);
    let unet = UNet::new(&mut init, 2, 8, 2, 1, 3).unwrap();
    let plan = Plan::new(|f, x| unet.forward(f, x)).unwrap();
    let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let error = plan.forward(&input(&[1, 1, 16, 16]), Some(&flag)).unwrap_err();
    assert!(error.to_string().contains("cancelled"));
}

#[test]
fn a_plan_in_bytes_stays_near_the_plan_in_numbers() {
    let mut init = Init::new(6, false);
    let net = ResNet::r50(&mut init, 50).unwrap();
    let x = input(&[1, 3, 64, 64]);
    net.forward(&mut Eager { train: true }, &x).unwrap();
    let exact = Plan::new(|f, x| net.forward(f, x)).unwrap().forward(&x, None).unwrap();
    let near = Plan::in_bytes(|f, x| net.forward(f, x)).unwrap().forward(&x, None).unwrap();
    let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    let error = norm(&(&near - &exact).unwrap()) / norm(&exact);
    // 53 layers, each rounded to 8 bits.
    assert!(error < 0.1, "relative error {error}");
    if crate::isa::has_vnni(crate::isa::current()) {
        assert!(error > 0.0, "bytes were not used");
    }
}
