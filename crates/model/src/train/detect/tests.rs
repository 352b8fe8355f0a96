//! Each family learns one image by heart: the loss falls, the gradient reaches every weight, the box is found.

use super::*;
use crate::arch::detect::boxes::iou;
use crate::arch::detect::proposals::Proposals;
use crate::arch::detect::{fast, faster, ssd_light, yolox};
use crate::arch::{Detections, Output, Pass};
use crate::run::RunCx;
use candle_core::{Device, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

const SIDE: usize = 96;
const BOX: Rect = [20.0, 36.0, 52.0, 60.0];

/// Two images: a bright box on noise, and another one without any.
fn images() -> Tensor {
    let mut random = StdRng::seed_from_u64(5);
    let inside = |i: usize| {
        let (x, y) = ((i % SIDE) as f32, (i / SIDE) as f32);
        (BOX[0]..BOX[2]).contains(&x) && (BOX[1]..BOX[3]).contains(&y)
    };
    let values: Vec<f32> = (0..2 * SIDE * SIDE)
        .map(|i| random.random_range(-0.3..0.3) + if i < SIDE * SIDE && inside(i) { 2.0 } else { -0.3 })
        .collect();
    Tensor::from_vec(values, (2, 1, SIDE, SIDE), &Device::Cpu).unwrap()
}

fn targets(label: usize) -> [Target; 2] {
    let mask = (0..SIDE * SIDE)
        .map(|i| {
            let (x, y) = ((i % SIDE) as f32, (i / SIDE) as f32);
            (BOX[0]..BOX[2]).contains(&x) && (BOX[1]..BOX[3]).contains(&y)
        })
        .collect();
    let proposals = Proposals::Windows.find(&[], SIDE, SIDE, 200);
    let full = Target { boxes: vec![BOX], labels: vec![label], masks: vec![mask], proposals: proposals.clone() };
    [full, Target { proposals, ..Target::default() }]
}

fn learn(architecture: Architecture, label: usize, steps: usize) -> Vec<Detections> {
    architecture.check(SIDE, SIDE).unwrap();
    let mut tensors = initial(&architecture);
    start(&architecture, &mut tensors).unwrap();
    let vars: BTreeMap<String, Var> = tensors
        .iter()
        .filter(|(name, _)| !name.contains("running_"))
        .map(|(name, t)| (name.clone(), Var::from_tensor(t).unwrap()))
        .collect();
    let params = ParamsAdamW { lr: 4e-3, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut optimiser = AdamW::new(vars.values().cloned().collect(), params).unwrap();
    let (x, targets) = (images(), targets(label));
    let spec = AssignSpec { roi_samples: 64, ..AssignSpec::default() };
    let statistics = BatchStatistics::default();
    let mut losses = Vec::new();
    for step in 0..steps {
        for (name, var) in &vars {
            tensors.insert(name.clone(), var.as_tensor().clone());
        }
        let net = Detector::new(&architecture, &tensors, &statistics).unwrap();
        let mut random = StdRng::seed_from_u64(step as u64);
        let mut pass = Pass::new(RunCx::silent());
        let loss = net.loss(&x, &targets, &spec, &mut random, &mut pass).unwrap();
        losses.push(loss.to_scalar::<f32>().unwrap());
        let grads = loss.backward().unwrap();
        for (name, var) in &vars {
            let grad = grads.get(var.as_tensor()).unwrap_or_else(|| panic!("no gradient reaches {name}"));
            let sum = grad.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(sum.is_finite(), "the gradient of {name} is not finite");
        }
        optimiser.step(&grads).unwrap();
    }
    let (first, last) = (losses[0], losses[steps - 1]);
    assert!(last < 0.25 * first, "the loss fell from {first} to {last} only");
    for (name, (mean, variance)) in statistics.take() {
        tensors.insert(format!("{name}.running_mean"), Tensor::new(mean, &Device::Cpu).unwrap());
        tensors.insert(format!("{name}.running_var"), Tensor::new(variance, &Device::Cpu).unwrap());
    }
    for (name, var) in &vars {
        tensors.insert(name.clone(), var.as_detached_tensor());
    }
    let net = architecture.build(&tensors).unwrap();
    match net.run(&x, &mut Pass::new(RunCx::silent())).unwrap() {
        Output::Boxes(all) => all,
        _ => panic!("no boxes"),
    }
}

/// He's initialisation.
fn initial(architecture: &Architecture) -> Tensors {
    let mut random = StdRng::seed_from_u64(11);
    let tensor = |name: &str, shape: &[usize], random: &mut StdRng| {
        let n = shape.iter().product();
        let values: Vec<f32> = if shape.len() == 1 {
            vec![if name.ends_with("weight") || name.ends_with("running_var") { 1.0 } else { 0.0 }; n]
        } else {
            let reach = (6.0 / shape[1..].iter().product::<usize>() as f32).sqrt();
            (0..n).map(|_| random.random_range(-reach..reach)).collect()
        };
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    };
    let shapes = architecture.shapes();
    shapes.into_iter().map(|(name, shape)| (name.clone(), tensor(&name, &shape, &mut random))).collect()
}

fn found(all: &[Detections], label: usize) {
    let best = &all[0];
    assert!(!best.boxes.is_empty(), "nothing was found");
    let overlap = iou(&best.boxes[0], &BOX);
    assert!(
        overlap > 0.6 && best.labels[0] == label && best.scores[0] > 0.5,
        "{:?} {:?} {:?}",
        best.boxes,
        best.labels,
        best.scores
    );
    assert!(all[1].scores.first().is_none_or(|s| *s < best.scores[0]), "the empty image has {:?}", all[1].scores);
}

#[test]
fn yolox_learns_a_box() {
    let config = yolox::YoloxConfig { inputs: 1, ..yolox::YoloxConfig::published(2, 0.33, 0.0625, false) };
    found(&learn(Architecture::Yolox(config), 1, 60), 1);
}

#[test]
fn the_light_ssd_learns_a_box() {
    let config = ssd_light::LightSsdConfig { inputs: 1, outputs: 3, width: 8, score: 0.3, iou: 0.45 };
    found(&learn(Architecture::SsdLight(config), 2, 60), 2);
}

fn two_stage() -> faster::FasterConfig {
    faster::FasterConfig {
        inputs: 1,
        blocks: [1; 4],
        width: 4,
        pyramid: 8,
        head: 16,
        anchor_px: vec![8.0, 16.0, 32.0, 48.0, 64.0],
        proposals: [100, 50],
        ..faster::FasterConfig::published(3)
    }
}

#[test]
fn faster_rcnn_learns_a_box() {
    found(&learn(Architecture::FasterRcnn(two_stage()), 1, 120), 1);
}

#[test]
fn mask_rcnn_learns_a_box_and_its_outline() {
    let all = learn(Architecture::MaskRcnn(two_stage()), 2, 120);
    found(&all, 2);
    let mask = all[0].masks.as_ref().unwrap().get(0).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let truth = &targets(2)[0].masks[0];
    let mask: Vec<bool> = mask.iter().map(|v| *v >= 0.5).collect();
    assert!(crate::metrics::dice(&mask, truth) > 0.85, "{}", crate::metrics::dice(&mask, truth));
}

#[test]
fn fast_rcnn_learns_a_box() {
    let config = fast::FastConfig {
        inputs: 1,
        outputs: 3,
        stages: vec![vec![8], vec![8], vec![16]],
        hidden: 32,
        proposals: Proposals::Windows,
        most: 200,
        score: 0.05,
        iou: 0.3,
    };
    found(&learn(Architecture::FastRcnn(config), 2, 60), 2);
}

#[test]
fn what_is_no_truth_about_the_image_is_refused() {
    let [good, empty] = targets(1);
    let said = |t: Target| t.check(1..3, SIDE, SIDE).unwrap_err();
    assert!(good.check(1..3, SIDE, SIDE).is_ok() && empty.check(1..3, SIDE, SIDE).is_ok());
    let with = |b: Rect| Target { boxes: vec![b], ..good.clone() };
    assert!(said(with([10.0, 10.0, 10.0, 20.0])).contains("no area"));
    assert!(said(with([30.0, 10.0, 20.0, 20.0])).contains("no area"));
    assert!(said(with([f32::NAN, 10.0, 20.0, 20.0])).contains("no area"));
    assert!(said(with([10.0, 10.0, 20.0, 300.0])).contains("out of the image"));
    assert!(said(Target { labels: vec![3], ..good.clone() }).contains("label number 3"));
    assert!(said(Target { labels: vec![], ..good.clone() }).contains("go together"));
    assert!(said(Target { masks: vec![vec![true; 5]], ..good }).contains("another size"));
}
