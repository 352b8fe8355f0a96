//! Training from a recipe to a model that segments, on made-up data.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

mod common;

use common::{SIDE, chest, data_root, recipe};
use lightbox_model::evaluate::{Cases, evaluate};
use lightbox_model::train::{TrainOptions, train};
use lightbox_model::{Error, GreyImage, Model, RunCx, Store};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn run(steps: usize, root: &Path, out: &Path) -> lightbox_model::train::TrainReport {
    train(&recipe(steps), root, out, &TrainOptions::default(), &RunCx::silent()).unwrap()
}

fn resume() -> TrainOptions {
    TrainOptions { resume: true, ..TrainOptions::default() }
}

#[test]
fn a_tiny_set_is_learnt_and_the_store_finds_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let (root, shipped) = (dir.path().join("data"), dir.path().join("weights"));
    data_root(&root, 24);
    let out = shipped.join("tiny-lungs");
    let report = run(60, &root, &out);
    assert!(report.validation > 0.9, "validation {}", report.validation);
    for file in ["model.safetensors", "card.toml", "recipe.toml", "curve.csv", "curve.png", "gallery.png"] {
        assert!(out.join(file).is_file(), "{file}");
    }

    let store = Store::discover(&[shipped], None);
    let entry = store.get("tiny-lungs").unwrap();
    assert_eq!(entry.problem, None);
    lightbox_model::store::verify(entry).unwrap();
    let model = Model::load(entry).unwrap();
    assert_eq!(model.card().metrics, report.evaluation.metrics);

    // The JSON of the command line's contract.
    let json = serde_json::to_value(evaluate(&model, &root, Cases::Test, &RunCx::silent()).unwrap()).unwrap();
    assert_eq!(json["model"], "tiny-lungs");
    assert_eq!(json["sha256"], report.sha256);
    assert_eq!(json["data"], root.display().to_string());
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 6, "{keys:?}");
    for group in ["metrics", "baseline"] {
        for name in ["dice", "dice_lungs"] {
            let [low, value, high] = ["low", "value", "high"].map(|k| json[group][name][k].as_f64().unwrap());
            assert!(0.0 <= low && low <= value && value <= high && high <= 1.0, "{group} {name}");
        }
    }
    assert!(json["metrics"]["dice"]["value"].as_f64().unwrap() > 0.9);
    let all = evaluate(&model, &root, Cases::All, &RunCx::silent()).unwrap();
    assert_eq!(all.cases, 48);
    assert!(json["cases"].as_u64().unwrap() < 48);

    // An image of another size: masks at its size, each lung on its side.
    let (image, _) = chest(2);
    let big = image::imageops::resize(&image, 3 * SIDE, 2 * SIDE, image::imageops::FilterType::Triangle);
    let (columns, rows) = (big.width() as usize, big.height() as usize);
    let grey = GreyImage { columns, rows, values: big.iter().map(|v| f32::from(*v)).collect(), spacing_mm: None };
    let result = model.segment(&grey, &RunCx::silent()).unwrap();
    assert_eq!((result.columns, result.rows, result.probability.len()), (columns, rows, columns * rows));
    let labels: Vec<&str> = result.masks.iter().map(|m| m.label.as_str()).collect();
    assert_eq!(labels, ["Right lung", "Left lung"]);
    let centre = |mask: &[bool]| {
        let at: Vec<usize> = (0..mask.len()).filter(|i| mask[*i]).map(|i| i % columns).collect();
        at.iter().sum::<usize>() as f64 / at.len() as f64
    };
    assert!(centre(&result.masks[0].mask) < 60.0 && centre(&result.masks[1].mask) > 60.0);
    assert_eq!(result.timings_ms.len(), 3);
    let bad = GreyImage { values: vec![0.0; 3], ..grey };
    assert!(matches!(model.segment(&bad, &RunCx::silent()), Err(Error::Image { .. })));
}

#[test]
fn a_resumed_training_ends_where_an_undisturbed_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let (root, whole, halves) = (dir.path().join("data"), dir.path().join("whole"), dir.path().join("halves"));
    data_root(&root, 16);
    let undisturbed = run(10, &root, &whole);
    // Stopped in the middle of the seventh update: the checkpoint after the fifth is what is left.
    let stop = AtomicBool::new(false);
    let progress = |_: f32, text: &str| stop.store(text.starts_with("Update 7 "), Ordering::Relaxed);
    let cancelled = || stop.load(Ordering::Relaxed);
    let cx = RunCx { cancelled: &cancelled, progress: &progress };
    let stopped = train(&recipe(10), &root, &halves, &TrainOptions::default(), &cx);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert!(!halves.join("card.toml").exists());
    let resumed = train(&recipe(10), &root, &halves, &resume(), &RunCx::silent()).unwrap();
    assert_eq!(resumed.sha256, undisturbed.sha256);
    let curve = |dir: &Path| std::fs::read_to_string(dir.join("curve.csv")).unwrap();
    assert_eq!(curve(&whole), curve(&halves));

    let mut other = recipe(10);
    other.training.learning_rate *= 2.0;
    let error = train(&other, &root, &halves, &resume(), &RunCx::silent()).unwrap_err();
    assert!(error.to_string().contains("another recipe"), "{error}");
    let error = train(&recipe(10), &root, &dir.path().join("new"), &resume(), &RunCx::silent()).unwrap_err();
    assert!(matches!(error, Error::Checkpoint { .. }), "{error}");
}

#[test]
fn bad_data_is_one_clear_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let attempt = |root: &Path, recipe: &lightbox_model::train::Recipe| {
        train(recipe, root, &dir.path().join("out"), &TrainOptions::default(), &RunCx::silent())
            .unwrap_err()
            .to_string()
    };
    assert!(attempt(&dir.path().join("none"), &recipe(2)).contains("no folder"));

    let root = dir.path().join("few");
    data_root(&root, 1);
    assert!(attempt(&root, &recipe(2)).contains("at least 2 are needed"));

    let root = dir.path().join("maskless");
    data_root(&root, 16);
    std::fs::remove_dir_all(root.join("cxr/lungmasks224")).unwrap();
    assert!(attempt(&root, &recipe(2)).contains("there are no masks"));

    let root = dir.path().join("size");
    data_root(&root, 16);
    for n in 0..16 {
        for part in ["train", "test"] {
            let path = root.join(format!("cxr/lungmasks224/{part}/PNEUMONIA/person{n}_virus_{}.png", n * 2));
            if path.exists() {
                image::GrayImage::new(7, 9).save(path).unwrap();
            }
        }
    }
    assert!(attempt(&root, &recipe(2)).contains("7 x 9"));

    let root = dir.path().join("broken");
    data_root(&root, 16);
    let images: Vec<_> = std::fs::read_dir(root.join("cxr/kermany224/train/PNEUMONIA")).unwrap().collect();
    for image in images {
        std::fs::write(image.unwrap().path(), b"no picture").unwrap();
    }
    assert!(attempt(&root, &recipe(2)).contains("not readable"));

    let root = dir.path().join("empty");
    data_root(&root, 16);
    for part in ["train", "test"] {
        for mask in std::fs::read_dir(root.join("cxr/lungmasks224").join(part).join("PNEUMONIA")).unwrap() {
            image::GrayImage::new(SIDE, SIDE).save(mask.unwrap().path()).unwrap();
        }
    }
    assert!(attempt(&root, &recipe(2)).contains("hold anything"));

    let root = dir.path().join("nan");
    data_root(&root, 16);
    let mut wild = recipe(40);
    (wild.training.learning_rate, wild.training.warmup_steps) = (1e30, 0);
    assert!(attempt(&root, &wild).contains("not a finite number"));
    let options = TrainOptions { device: "cuda".into(), ..TrainOptions::default() };
    let error = train(&recipe(1), &root, dir.path(), &options, &RunCx::silent()).unwrap_err();
    assert!(error.to_string().contains("not in this build"));
}

#[test]
fn segmentation_stops_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    data_root(&root, 16);
    let out = dir.path().join("weights/tiny-lungs");
    run(1, &root, &out);
    let store = Store::discover(&[dir.path().join("weights")], None);
    let model = Model::load(store.get("tiny-lungs").unwrap()).unwrap();
    let (image, _) = chest(1);
    let side = SIDE as usize;
    let grey = GreyImage {
        columns: side,
        rows: side,
        values: image.iter().map(|v| f32::from(*v)).collect(),
        spacing_mm: None,
    };
    let asked = AtomicUsize::new(0);
    let cancelled = || asked.fetch_add(1, Ordering::Relaxed) >= 4;
    let cx = RunCx { cancelled: &cancelled, progress: &|_, _| {} };
    assert!(matches!(model.segment(&grey, &cx), Err(Error::Cancelled)));
    assert_eq!(asked.load(Ordering::Relaxed), 5);
}
