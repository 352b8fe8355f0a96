//! Each family against its published implementation, from fixtures that `tests/parity/make` wrote.
//!
//! A fixture holds outputs and inner activations only; weights and inputs are made here by the same rule as there
//! (`tests/parity/fill.py`), saved as a file and taken in by the importer, as a user would.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use lightbox_model::arch::{Answer, Architecture, Takes};
use lightbox_model::card::{Card, InputSpec, Intensity, Label, Resize, Task};
use lightbox_model::{Model, RunCx, Store, npy};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3))
}

/// `n` numbers in [0, 1) that the name alone decides.
fn uniform(name: &str, n: usize) -> Vec<f32> {
    let start = fnv1a(name);
    (1..=n as u64)
        .map(|i| {
            let z = start.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 40) as f32 / (1u32 << 24) as f32
        })
        .collect()
}

fn fill(name: &str, shape: &[usize], gain: f64) -> Vec<f32> {
    let u = uniform(name, shape.iter().product());
    let last = name.rsplit('.').next().unwrap();
    if ["running_var", "rolling_variance"].contains(&last) {
        u.into_iter().map(|v| 0.5 + v).collect()
    } else if shape.len() >= 2 {
        let fan: usize = shape[1..].iter().product();
        let bound = (gain * (6.0 / fan as f64).sqrt()) as f32;
        u.into_iter().map(|v| (v * 2.0 - 1.0) * bound).collect()
    } else if ["weight", "scales", "scale_weight"].contains(&last) {
        u.into_iter().map(|v| 0.75 + 0.5 * v).collect()
    } else {
        u.into_iter().map(|v| (v - 0.5) * 0.2).collect()
    }
}

fn card(architecture: Architecture) -> Card {
    let task = match architecture.answers() {
        Answer::Classes => Task::Classification,
        Answer::Masks => Task::Segmentation,
        Answer::Boxes => Task::Detection,
        Answer::Image => Task::Reconstruction,
        Answer::Text => Task::Language,
    };
    let labels = (0..architecture.outputs())
        .map(|i| Label { name: format!("label {i}"), threshold: 0.5, sides: None })
        .collect();
    let mut input = InputSpec::of(64, 64, Resize::Squeeze, Intensity::default());
    if let Takes::Volume(_) = architecture.takes() {
        input.slices = 16;
    }
    Card { task, labels, input, architecture, ..template() }
}

fn template() -> Card {
    toml::from_str(
        "id = 'parity'\nname = 'Parity'\ntask = 'classification'\nlicence = 'CC0-1.0'\n\
         [architecture]\nname = 'resnet'\ninputs = 1\noutputs = 1\nblocks = [1, 1, 1, 1]\nbottleneck = false\n\
         [input]\nrows = 64\ncolumns = 64\nresize = 'squeeze'\n",
    )
    .unwrap()
}

fn save(path: &Path, tensors: &[(String, Vec<usize>, Vec<f32>)]) {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, v)| v.iter().flat_map(|f| f.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(path, serialize(views, None).unwrap()).unwrap();
}

fn floats(view: &TensorView<'_>) -> Vec<f32> {
    match view.dtype() {
        Dtype::F32 => view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
        Dtype::I64 => view.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f32).collect(),
        other => panic!("{other:?}"),
    }
}

/// Largest difference relative to the largest value.
fn difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0f32, |m, v| m.max(v.abs()));
    let worst = ours.iter().zip(theirs).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    worst / largest.max(1e-6)
}

/// The array in a `.npy` of whole numbers or floats.
fn array(bytes: &[u8]) -> Vec<f32> {
    let at = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
    let header = String::from_utf8_lossy(&bytes[..at]);
    if header.contains("<i8") {
        bytes[at..].chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f32).collect()
    } else {
        bytes[at..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }
}

/// A Darknet file: version 0.2, no image seen, the numbers in order.
fn darknet_file(path: &Path, tensors: &[(String, Vec<usize>, Vec<f32>)]) {
    let mut bytes: Vec<u8> = [0i32, 2, 0].iter().flat_map(|v| v.to_le_bytes()).collect();
    bytes.extend([0; 8]);
    let section = |name: &str| name.split('.').next().unwrap().parse::<usize>().unwrap();
    let place = |name: &str| {
        ["bias", "scales", "rolling_mean", "rolling_variance", "weight"].iter().position(|w| name.ends_with(w)).unwrap()
    };
    let mut order: Vec<&(String, Vec<usize>, Vec<f32>)> = tensors.iter().collect();
    order.sort_by_key(|(name, ..)| (section(name), place(name)));
    order.iter().for_each(|(_, _, v)| bytes.extend(v.iter().flat_map(|f| f.to_le_bytes())));
    std::fs::write(path, bytes).unwrap();
}

fn check(fixture: &Path) -> Vec<String> {
    let name = fixture.file_stem().unwrap().to_string_lossy().into_owned();
    let bytes = std::fs::read(fixture).unwrap();
    let (_, meta) = SafeTensors::read_metadata(&bytes).unwrap();
    let meta: HashMap<String, String> = meta.metadata().clone().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let architecture: Architecture = toml::from_str(&meta["architecture"]).unwrap_or_else(|e| panic!("{name}: {e}"));
    let gains: Vec<(String, f64)> = serde_json::from_str(&meta["gains"]).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<f32>)> = architecture
        .shapes()
        .into_iter()
        .map(|(n, shape)| {
            let gain = gains.iter().find(|(part, _)| n.contains(part.as_str())).map_or(1.0, |g| g.1);
            let values = fill(&n, &shape, gain);
            (n, shape, values)
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let weights = if architecture.name() == "darknet" {
        let path = dir.path().join("in.weights");
        darknet_file(&path, &tensors);
        path
    } else {
        let path = dir.path().join("in.safetensors");
        // Frozen norms count no batches; these networks' norms do.
        let mut tensors = tensors;
        if architecture.name().ends_with("rcnn") {
            tensors.push(("backbone.body.bn1.num_batches_tracked".into(), vec![1], vec![1.0]));
        }
        save(&path, &tensors);
        path
    };
    let mut store = Store::discover(&[], Some(dir.path()));
    let added = store.add(&[weights], card(architecture)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let model = Model::load(added).unwrap();

    let input: serde_json::Value = serde_json::from_str(&meta["input"]).unwrap();
    let shape: Vec<usize> = input["shape"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
    let scale = input["scale"].as_f64().unwrap() as f32;
    let values: Vec<f32> = uniform(&format!("input of {name}"), shape.iter().product());
    let values = values.into_iter().map(|v| (v * 4.0 - 2.0) * scale).collect();
    let taps: Vec<String> = file.names().iter().filter_map(|n| n.strip_prefix("tap.").map(str::to_owned)).collect();
    let wanted: Vec<&str> = taps.iter().map(String::as_str).collect();
    let regions: Option<Vec<[f32; 4]>> =
        file.tensor("regions").ok().map(|r| floats(&r).chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]).collect());
    let input = npy::Array { shape, values };
    let (out, kept) = model.raw_with(&input, &wanted, regions.as_deref(), &RunCx::silent()).unwrap();

    let mut faults = Vec::new();
    let mut said = |what: String, error: f32, limit: f32| {
        #[allow(clippy::print_stdout, reason = "the figures of the table, with --nocapture")]
        {
            println!("{name} {what}: {error:.1e}");
        }
        if error.is_nan() || error > limit {
            faults.push(format!("{name} {what}: {error:.2e} above {limit:.0e}"));
        }
    };
    for key in file.names().into_iter().filter(|k| *k != "regions") {
        let theirs = floats(&file.tensor(key).unwrap());
        let every = meta.get(&format!("layout.{key}")).map_or(1, |text| {
            let layout: serde_json::Value = serde_json::from_str(text).unwrap();
            layout["every"].as_u64().unwrap() as usize
        });
        let thin = |v: Vec<f32>| v.into_iter().step_by(every).collect::<Vec<f32>>();
        if let Some(tap) = key.strip_prefix("tap.") {
            let ours = kept.get(tap).unwrap_or_else(|| panic!("{name} has no activation {tap}"));
            said(key.to_owned(), difference(&thin(ours.values.clone()), &theirs), 1e-4);
            continue;
        }
        let mut ours = array(&out[key]);
        if key == "masks" && out.contains_key("boxes") {
            // The best twelve only.
            let layout: serde_json::Value = serde_json::from_str(&meta["layout.masks"]).unwrap();
            let n: u64 = layout["shape"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).product();
            ours.truncate(n as usize);
        }
        let ours = thin(ours);
        if ours.len() != theirs.len() {
            said(format!("{key}, {} numbers, the reference has {}", ours.len(), theirs.len()), f32::NAN, 0.0);
            continue;
        }
        match key {
            // Compared together below: equal scores have no order.
            "boxes" | "labels" | "scores" => {}
            "masks" if out.contains_key("boxes") => {
                let other = ours.iter().zip(&theirs).filter(|(a, b)| (**a >= 0.5) != (**b >= 0.5)).count();
                said("masks, share of pixels".into(), other as f32 / theirs.len() as f32, 1e-3);
            }
            _ => said(key.to_owned(), difference(&ours, &theirs), 1e-4),
        }
    }
    if out.contains_key("boxes") {
        let [ours, theirs] = [detections(|key| array(&out[key])), detections(|key| floats(&file.tensor(key).unwrap()))];
        said("boxes, number".into(), if theirs.is_empty() { f32::NAN } else { 0.0 }, 0.0);
        said("boxes without a partner, share".into(), unmatched(&ours, &theirs), 0.0);
    }
    faults
}

/// A box, its label and its score.
type Detection = ([f32; 4], f32, f32);

fn detections(get: impl Fn(&str) -> Vec<f32>) -> Vec<Detection> {
    let (boxes, labels, scores) = (get("boxes"), get("labels"), get("scores"));
    let corners = boxes.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    corners.zip(labels.iter().zip(&scores)).map(|(b, (l, s))| (b, *l, *s)).collect()
}

/// The share of detections that have none of the same label within 0.01 px and a score within 1e-4 on the other side; each serves once.
fn unmatched(ours: &[Detection], theirs: &[Detection]) -> f32 {
    // Random heads throw boxes far outside of any image, where the exponential leaves few digits to compare.
    const IMAGE_PX: f32 = 1e3;
    let near = |a: f32, b: f32| {
        let outside = a.abs() > IMAGE_PX && b.abs() > IMAGE_PX && a.signum() == b.signum();
        (a - b).abs() <= 0.01 || outside
    };
    let mut free: Vec<&Detection> = ours.iter().collect();
    let alone = theirs.iter().filter(|t| {
        let at = free
            .iter()
            .position(|o| o.1 == t.1 && (o.2 - t.2).abs() <= 1e-4 && o.0.iter().zip(&t.0).all(|(a, b)| near(*a, *b)));
        at.map(|i| free.swap_remove(i)).is_none()
    });
    (alone.count() + ours.len().abs_diff(theirs.len())) as f32 / theirs.len().max(1) as f32
}

fn fixtures() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity");
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
fn every_family_gives_the_published_numbers() {
    let all = fixtures();
    assert!(all.len() >= 30, "{} fixtures", all.len());
    let only = std::env::var("PARITY").unwrap_or_default();
    let faults: Vec<String> =
        all.iter().filter(|p| p.to_string_lossy().contains(only.as_str())).flat_map(|p| check(p)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
