//! Volumes on their way to a network and back: orientation, spacing, windows; with a network that says where a voxel is
//! bright, so that its answer is known.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use lightbox_core::{Frame, PatientPos, Rescale, Samples, Vec3, Volume, VolumeGeometry};
use lightbox_model::{Card, Error, Model, RunCx, Store};
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::sync::Arc;

const CARD: &str = r#"
id = "bright"
name = "Bright"
task = "segmentation"
licence = "CC0-1.0"
labels = ["background", "bright"]

[architecture]
name = "meshnet"
outputs = 2
channels = 1
dilations = [1]
activation = "relu"

[input]
rows = 64
columns = 64
slices = 64
resize = "keep"
spacing_mm = [1.0, 1.0, 1.0]
orientation = "LIA"

[input.intensity]
kind = "range"
low = 0.0
high = 200.0
to_low = 0.0
to_high = 1.0

[post]
activation = "softmax"
"#;

/// Copies its input in the first layer; logits 0.5 and x: bright where x is above a half.
fn model(text: &str) -> Model {
    let card: Card = toml::from_str(text).unwrap();
    let mut copy = [0f32; 27];
    copy[13] = 1.0;
    let parts: [(&str, Vec<usize>, Vec<f32>); 4] = [
        ("layers.0.weight", vec![1, 1, 3, 3, 3], copy.to_vec()),
        ("layers.0.bias", vec![1], vec![0.0]),
        ("layers.1.weight", vec![2, 1, 1, 1, 1], vec![0.0, 1.0]),
        ("layers.1.bias", vec![2], vec![0.5, 0.0]),
    ];
    let bytes: Vec<Vec<u8>> = parts.iter().map(|(_, _, v)| v.iter().flat_map(|f| f.to_le_bytes()).collect()).collect();
    let views = parts.iter().zip(&bytes).map(|((n, s, _), b)| (*n, TensorView::new(Dtype::F32, s.clone(), b).unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("w.safetensors");
    std::fs::write(&file, serialize(views, None).unwrap()).unwrap();
    let mut store = Store::discover(&[], Some(&dir.path().join("models")));
    Model::load(store.add(&[file], card).unwrap()).unwrap()
}

/// Three ways in which a scanner lays a volume: axial head first, sagittal, and tilted.
fn geometries() -> [VolumeGeometry; 3] {
    let at = |dims, row: Vec3, column: Vec3, spacing, step: Vec3| {
        VolumeGeometry::from_dicom(dims, PatientPos(Vec3::new(11.0, -20.0, 7.0)), row, column, spacing, step).unwrap()
    };
    let (s, c) = 0.3f64.sin_cos();
    [
        at([40, 36, 22], Vec3::X, Vec3::Y, [1.2, 1.1], Vec3::new(0.0, 0.0, 2.0)),
        at([36, 40, 30], Vec3::Y, Vec3::new(0.0, 0.0, -1.0), [1.0, 1.3], Vec3::new(1.5, 0.0, 0.0)),
        at([38, 38, 24], Vec3::new(c, s, 0.0), Vec3::new(-s, c, 0.0), [1.1, 1.1], Vec3::new(0.0, 0.2, -1.8)),
    ]
}

/// 200 within an ellipsoid away from the middle, 0 elsewhere.
fn volume(geometry: &VolumeGeometry) -> (Volume, Vec<bool>) {
    let [columns, rows, slices] = geometry.dims();
    let mut truth = Vec::new();
    let mut volume = Volume::empty(geometry.clone());
    for z in 0..slices {
        let mut values = vec![0u16; columns * rows];
        for (i, v) in values.iter_mut().enumerate() {
            let part = |at: usize, n: usize, centre: f64, size: f64| (at as f64 / n as f64 - centre) / size;
            let (x, y) = (part(i % columns, columns, 0.35, 0.2), part(i / columns, rows, 0.6, 0.25));
            let inside = x * x + y * y + part(z, slices, 0.55, 0.3).powi(2) < 1.0;
            *v = if inside { 200 } else { 0 };
            truth.push(inside);
        }
        let frame = Frame::new(columns, rows, Samples::U16(values), Rescale::default()).unwrap();
        volume.set_slice(z, Arc::new(frame)).unwrap();
    }
    (volume, truth)
}

fn dice(found: &lightbox_core::Mask, truth: &[bool]) -> f64 {
    let [columns, rows, _] = found.dims();
    let at = |i: usize| found.get([i % columns, i / columns % rows, i / (columns * rows)]);
    let both = truth.iter().enumerate().filter(|(i, t)| **t && at(*i)).count();
    2.0 * both as f64 / (found.count() + truth.iter().filter(|t| **t).count()) as f64
}

#[test]
fn masks_come_back_to_the_volume_s_own_voxels_and_the_patient_s_millilitres() {
    for orientation in ["LIA", "RAS", "SPL"] {
        let model = model(&CARD.replace("\"LIA\"", &format!("{orientation:?}")));
        for (n, geometry) in geometries().iter().enumerate() {
            let (volume, truth) = volume(geometry);
            let answer = model.segment_volume(&volume, &RunCx::silent()).unwrap();
            let [(label, mask, millilitres)] = answer.masks.as_slice() else { panic!("{:?}", answer.masks.len()) };
            assert_eq!(label, "bright");
            let score = dice(mask, &truth);
            assert!(score > 0.95, "{orientation}, volume {n}: Dice {score:.3}");
            let wanted = truth.iter().filter(|t| **t).count() as f64 * geometry.voxel_volume_mm3() / 1000.0;
            assert!((millilitres / wanted - 1.0).abs() < 0.05, "{millilitres} mL of {wanted}");
        }
    }
}

#[test]
fn windows_with_overlap_give_what_the_whole_gives() {
    // As a network of one voxel's reach sees the same in each window, but at the windows' edges.
    let whole = model(CARD);
    for overlap in ["0.0", "0.25", "0.6"] {
        let small = CARD.replace("= 64", "= 20").replace("resize", &format!("window_overlap = {overlap}\nresize"));
        let by_windows = model(&small);
        for geometry in geometries() {
            let (volume, truth) = volume(&geometry);
            let a = whole.segment_volume(&volume, &RunCx::silent()).unwrap();
            let b = by_windows.segment_volume(&volume, &RunCx::silent()).unwrap();
            let score = dice(&b.masks[0].1, &truth);
            assert!(score > 0.95, "overlap {overlap}: {score:.3}");
            assert!((a.masks[0].2 / b.masks[0].2 - 1.0).abs() < 0.03, "{} {}", a.masks[0].2, b.masks[0].2);
        }
    }
}

#[test]
fn another_spacing_gives_the_same_structure() {
    // nnU-Net and MONAI resample to the spacing that they were trained at; of half the voxels each way.
    let coarse = CARD.replace("[1.0, 1.0, 1.0]", "[2.0, 1.5, 1.5]").replace("= 64", "= 48");
    let model = model(&coarse);
    for geometry in geometries() {
        let (volume, truth) = volume(&geometry);
        let answer = model.segment_volume(&volume, &RunCx::silent()).unwrap();
        let score = dice(&answer.masks[0].1, &truth);
        assert!(score > 0.92, "{score:.3}");
    }
}

#[test]
fn what_is_no_volume_is_refused_and_a_run_can_be_stopped() {
    let model = model(CARD);
    let [geometry, ..] = geometries();
    let (whole, _) = volume(&geometry);
    let said = |v: &Volume| model.segment_volume(v, &RunCx::silent()).unwrap_err().to_string();
    let one = VolumeGeometry::from_dicom([40, 36, 1], PatientPos(Vec3::ZERO), Vec3::X, Vec3::Y, [1.0; 2], Vec3::Z);
    let mut single = Volume::empty(one.unwrap());
    single.set_slice(0, whole.slice(3).unwrap().clone()).unwrap();
    assert!(said(&single).contains("takes a volume, this is a single slice"));
    assert!(said(&Volume::empty(geometry)).contains("slices of the volume are missing"));
    let stop = RunCx { cancelled: &|| true, progress: &|_, _| {} };
    assert!(matches!(model.segment_volume(&whole, &stop), Err(Error::Cancelled)));
    // A spacing so fine that the resampled volume would not fit into memory.
    let fine = CARD.replace("[1.0, 1.0, 1.0]", "[0.05, 0.05, 0.05]").replace("resize", "window_overlap = 0.5\nresize");
    let said = self::model(&fine).segment_volume(&whole, &RunCx::silent()).unwrap_err().to_string();
    assert!(said.contains("too many"), "{said}");
}
