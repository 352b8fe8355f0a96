//! Training and measuring of each task on made-up data, and data that cannot be used.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use image::{GrayImage, Luma};
use lightbox_model::evaluate::{Cases, evaluate};
use lightbox_model::explain::Method;
use lightbox_model::train::{Recipe, TrainOptions, TrainReport, train};
use lightbox_model::{Card, Error, Model, Picture, RunCx};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const TRAINING: &str = "
[training]
seed = 5
steps = 60
batch = 6
learning_rate = 0.01
warmup_steps = 4
weight_decay = 0.0
clip_norm = 1.0
average_decay = 0.8
checkpoint_every = 10
validate_every = 30
half = true
memory_mib = 16

[augment]
flip = 0.0
rotation_deg = 0.0
zoom_in = 1.0
zoom_out = 1.0
aspect = 1.0
shift = 0.0
border = 0.0
background = 0.0
curve = 0.0
shading = 0.0
blur = 0.0
noise = 0.0
marks = 0.0
";

fn recipe(task: &str, baseline: &str, parts: &str, data: &str) -> String {
    format!(
        "id = \"tiny\"\nname = \"Tiny\"\ntask = \"{task}\"\nlicence = \"CC0-1.0\"\nbaseline = \"{baseline}\"\n{parts}\n\
         [data]\ndescription = \"Made up.\"\nlicence = \"CC0-1.0\"\ncredit = \"None.\"\n\
         split = {{ seed = 3, validation = 0.2, test = 0.3 }}\n{data}\n{TRAINING}"
    )
}

fn run(text: &str, root: &Path, out: &Path) -> Result<TrainReport, Error> {
    train(&Recipe::parse(text)?, root, out, &TrainOptions::default(), &RunCx::silent())
}

fn load(dir: &Path) -> Model {
    Model::load_from(Card::read(dir).unwrap(), &dir.join("model.safetensors")).unwrap()
}

fn save(path: &Path, image: &GrayImage) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// Stripes along one way, along the other, or dots.
fn pattern(kind: u32, n: u32) -> GrayImage {
    GrayImage::from_fn(40, 40, |x, y| {
        let on = match kind {
            0 => ((x + n) / 4).is_multiple_of(2),
            1 => ((y + n) / 4).is_multiple_of(2),
            _ => ((x + n) / 5).is_multiple_of(2) && (y / 5).is_multiple_of(2),
        };
        Luma([if on { 190 } else { 60 } + ((x * 7 + y * 3 + n) % 13) as u8])
    })
}

fn chests(root: &Path, persons: u32) {
    for n in 0..persons {
        for (kind, name) in [
            format!("train/NORMAL/IM-{n:04}-0001.png"),
            format!("train/PNEUMONIA/person{n}_bacteria_{n}.png"),
            format!("test/PNEUMONIA/person{}_virus_{n}.png", n + 500),
        ]
        .into_iter()
        .enumerate()
        {
            save(&root.join("cxr/kermany224").join(name), &pattern(kind as u32, n));
        }
    }
}

const CLASSES: &str = "
[architecture]
name = \"resnet\"
inputs = 1
outputs = 3
blocks = [1, 1, 1, 1]
bottleneck = false
width = 4

[input]
rows = 32
columns = 32
resize = \"squeeze\"

[[labels]]
name = \"Normal\"
threshold = 0.5

[[labels]]
name = \"Bacterial pneumonia\"
threshold = 0.5

[[labels]]
name = \"Viral pneumonia\"
threshold = 0.5

[post]
activation = \"softmax\"
";

#[test]
fn classes_are_learnt_measured_and_explained() {
    let dir = tempfile::tempdir().unwrap();
    let (root, out) = (dir.path().join("data"), dir.path().join("tiny"));
    chests(&root, 24);
    let text = recipe("classification", "logistic-texture", CLASSES, "set = \"cxr-pneumonia\"");
    let report = run(&text, &root, &out).unwrap();
    let m = &report.evaluation.metrics;
    assert!(m["accuracy"].value > 0.8 && m["auc"].value > 0.9, "{m:?}");
    for name in ["accuracy", "auc", "sensitivity", "specificity", "ece"] {
        assert!(m.contains_key(name) && report.evaluation.baseline.contains_key(name), "{name}");
    }
    let model = load(&out);
    let again = evaluate(&model, &root, Cases::Test, &RunCx::silent()).unwrap();
    assert_eq!(again.metrics, model.card().metrics);
    let atlas = model.card().atlas.clone().unwrap();
    assert!(atlas.verdict.contains("auc") && atlas.calibration.is_some() && atlas.operating_points.len() == 2);
    let gate = atlas.gate.unwrap();
    assert!(image::open(out.join("gallery.png")).is_ok());

    let plane: Vec<f32> = pattern(1, 3).iter().map(|v| f32::from(*v)).collect();
    let picture = Picture { columns: 40, rows: 40, planes: vec![plane], full_range: Some([0.0, 255.0]), window: None };
    let heat = model.explain(&picture, Method::GradCam, None, &RunCx::silent()).unwrap();
    assert_eq!((heat.label.as_str(), heat.values.len()), ("Bacterial pneumonia", 1600));
    let spread = model.class_spread(&picture, &RunCx::silent()).unwrap();
    assert!((spread.iter().map(|s| s.mean).sum::<f64>() - 1.0).abs() < 1e-4);
    // None of these is like what it was trained on; the strangest has to lie farther away than what it knows.
    let foreign: [fn(usize) -> f32; 3] =
        [|i| (i % 40) as f32, |i| if i == 820 { 255.0 } else { 0.0 }, |i| ((i * 7919) % 251) as f32];
    let score = |plane: Vec<f32>| {
        let p = Picture { planes: vec![plane], ..picture.clone() };
        model.ood_score(&p, &RunCx::silent()).unwrap().unwrap()
    };
    let strangest = foreign.iter().map(|f| score((0..1600).map(f).collect())).fold(0.0, f64::max);
    let known = (0..3).map(|kind| score(pattern(kind, 3).iter().map(|v| f32::from(*v)).collect()));
    let known = known.sum::<f64>() / 3.0;
    assert!(strangest > known && gate.threshold > known, "{strangest} {known} {gate:?}");

    // One image of a class is too few.
    let few = dir.path().join("few");
    chests(&few, 24);
    for n in 1..24 {
        std::fs::remove_file(few.join(format!("cxr/kermany224/test/PNEUMONIA/person{}_virus_{n}.png", n + 500)))
            .unwrap();
    }
    let error = run(&text, &few, &dir.path().join("x")).unwrap_err().to_string();
    assert!(error.contains("'Viral pneumonia' has") && error.contains("at least 2"), "{error}");
}

#[test]
fn a_failed_checkpoint_leaves_the_last_one_and_resuming_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (root, out) = (dir.path().join("data"), dir.path().join("tiny"));
    chests(&root, 16);
    let text = recipe("classification", "logistic-texture", CLASSES, "set = \"cxr-pneumonia\"")
        .replace("steps = 60", "steps = 24")
        .replace("checkpoint_every = 10", "checkpoint_every = 6");
    let recipe = Recipe::parse(&text).unwrap();
    // After the first checkpoint its file can no longer be written: what a full disk looks like from here.
    let blocked = AtomicBool::new(false);
    let block = out.join(".checkpoint.safetensors.part");
    let progress = |_: f32, text: &str| {
        if text.starts_with("Update 8 ") && !blocked.swap(true, Ordering::Relaxed) {
            std::fs::create_dir_all(block.join("full")).unwrap();
        }
    };
    let cx = RunCx { cancelled: &|| false, progress: &progress };
    let error = train(&recipe, &root, &out, &TrainOptions::default(), &cx).unwrap_err();
    assert!(matches!(error, Error::Write { .. } | Error::DiskFull { .. }), "{error}");
    std::fs::remove_dir_all(out.join(".checkpoint.safetensors.part")).unwrap();
    let options = TrainOptions { resume: true, ..TrainOptions::default() };
    let resumed = train(&recipe, &root, &out, &options, &RunCx::silent()).unwrap();
    let whole = train(&recipe, &root, &dir.path().join("whole"), &TrainOptions::default(), &RunCx::silent()).unwrap();
    assert_eq!(resumed.sha256, whole.sha256);
}

#[test]
fn a_click_learns_shares_and_says_how_sure_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (root, out) = (dir.path().join("data"), dir.path().join("tiny"));
    let mut csv = String::from("image,person,nodule,slice,readers\n");
    for n in 0..40u32 {
        let (cx, cy, r) = (32.0 + (n % 5) as f32, 30.0 + (n % 7) as f32, 4.0 + (n % 3) as f32);
        let distance = |x: u32, y: u32| ((x as f32 - cx).powi(2) + (y as f32 - cy).powi(2)).sqrt();
        let image = GrayImage::from_fn(64, 64, |x, y| {
            Luma([if distance(x, y) < r { 200 } else { 50 } + ((x * 5 + y * 11 + n) % 17) as u8])
        });
        let readers = GrayImage::from_fn(64, 64, |x, y| {
            Luma([60 * (0..4).filter(|k| distance(x, y) < r - 1.0 + *k as f32 * 0.6).count() as u8])
        });
        // JPEG is what the reader expects; its losses are part of the set.
        save(&root.join(format!("ct/lung-nodules128/images/c{n}.jpg")), &image);
        save(&root.join(format!("ct/lung-nodules128/readers/c{n}.png")), &readers);
        csv += &format!("c{n},P{n},0,0,4\n");
    }
    std::fs::write(root.join("ct/lung-nodules.csv"), &csv).unwrap();
    let parts = "
[architecture]
name = \"unet2d\"
inputs = 2
outputs = 1
channels = [6, 8, 12]
merge_convs = 1

[input]
rows = 32
columns = 32
resize = \"keep\"
click = true

[[labels]]
name = \"Nodule\"
threshold = 0.5
";
    let text = recipe("segmentation", "otsu-click", parts, "set = \"lung-nodules\"");
    let report = run(&text, &root, &out).unwrap();
    assert!(report.evaluation.metrics["dice"].value > 0.75, "{:?}", report.evaluation.metrics);
    assert!(report.evaluation.metrics.contains_key("ece"));
    let model = load(&out);
    let disc: Vec<f32> = (0..64 * 64)
        .map(|i| if ((i % 64 - 30i32).pow(2) + (i / 64 - 34).pow(2)) < 36 { 900.0 } else { 100.0 })
        .collect();
    let image = lightbox_model::GreyImage { columns: 64, rows: 64, values: disc, spacing_mm: Some([0.5, 0.5]) };
    let found = model.segment_click(&image, [30.5, 34.5], &RunCx::silent()).unwrap();
    // 12 pixels of 0.5 mm across.
    assert!((found.lengths[0] - 6.0).abs() < 2.0 && found.lengths[1] > 3.0, "{:?}", found.lengths);
    assert!(found.confidence > 0.5 && found.probability[0] < 0.2);
    assert!(model.segment_click(&image, [70.0, 1.0], &RunCx::silent()).is_err());

    // A line that points nowhere.
    std::fs::write(root.join("ct/lung-nodules.csv"), csv + "gone,P1,0,0,4\n").unwrap();
    let error = run(&text, &root, &out).unwrap_err().to_string();
    assert!(error.contains("not there: images/gone.jpg"), "{error}");
}

#[test]
fn restoring_beats_doing_nothing_and_an_autoencoder_knows_the_normal() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    chests(&root, 20);
    let parts = "
[architecture]
name = \"residual-cnn\"
inputs = 1
width = 8
depth = 4

[input]
rows = 32
columns = 32
resize = \"keep\"
intensity = { kind = \"window\", to_low = 0.0, to_high = 1.0 }
";
    let data = "set = \"cxr-pneumonia\"\ndegrade = { kind = \"half-and-noise\", noise = 0.05 }";
    let text = recipe("reconstruction", "bicubic-or-non-local-means", parts, data).replace("steps = 60", "steps = 200");
    let report = run(&text, &root, &dir.path().join("restore")).unwrap();
    let (ours, plain) = (report.evaluation.metrics["psnr_db"].value, report.evaluation.baseline["psnr_db"].value);
    assert!(ours > plain, "{ours} dB against {plain}");
    assert!(report.evaluation.metrics.contains_key("ssim"));

    let parts = "
[architecture]
name = \"autoencoder\"
inputs = 1
outputs = 1
channels = [6, 8]
gives = \"image\"

[input]
rows = 32
columns = 32
resize = \"squeeze\"
";
    let text = recipe("reconstruction", "principal-components", parts, "set = \"cxr-pneumonia\"\nonly_class = 0");
    let report = run(&text, &root, &dir.path().join("anomaly")).unwrap();
    assert!(report.evaluation.metrics["auc"].value > 0.8, "{:?}", report.evaluation.metrics);
    assert!(report.evaluation.baseline.contains_key("auc"));
}

/// NIfTI-1, 8 bits a voxel, 1 mm.
fn nifti(path: &Path, dims: [usize; 3], voxel: impl Fn(usize, usize, usize) -> u8) {
    let mut bytes = vec![0u8; 352];
    bytes[0..4].copy_from_slice(&348i32.to_le_bytes());
    bytes[40..42].copy_from_slice(&3i16.to_le_bytes());
    for (a, d) in dims.iter().enumerate() {
        bytes[42 + 2 * a..44 + 2 * a].copy_from_slice(&(*d as i16).to_le_bytes());
        bytes[80 + 4 * a..84 + 4 * a].copy_from_slice(&1f32.to_le_bytes());
        bytes[280 + 20 * a..284 + 20 * a].copy_from_slice(&1f32.to_le_bytes());
    }
    bytes[70..72].copy_from_slice(&2i16.to_le_bytes());
    bytes[108..112].copy_from_slice(&352f32.to_le_bytes());
    bytes[254..256].copy_from_slice(&1i16.to_le_bytes());
    bytes[344..348].copy_from_slice(b"n+1\0");
    let [columns, rows, slices] = dims;
    for z in 0..slices {
        for y in 0..rows {
            bytes.extend((0..columns).map(|x| voxel(x, y, z)));
        }
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn slabs_of_labelled_volumes_give_clean_slices() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    for n in 0..40usize {
        let folder = root.join("nifti/hippocampus");
        let inside = |x: usize, y: usize, z: usize| {
            (x as i32 - 16 - n as i32 % 5).pow(2) + (y as i32 - 14).pow(2) < 40 + 3 * z as i32
        };
        nifti(
            &folder.join(format!("images/h{n:02}.nii")),
            [32, 28, 16],
            |x, y, z| if inside(x, y, z) { 200 } else { 40 },
        );
        // More labels than the recipe has names for: a restoration does not ask.
        nifti(&folder.join(format!("labels/h{n:02}.nii")), [32, 28, 16], |x, y, z| u8::from(inside(x, y, z)) * 2);
    }
    let parts = "
[architecture]
name = \"autoencoder\"
inputs = 5
outputs = 1
channels = [12]
gives = \"image\"

[input]
rows = 32
columns = 32
resize = \"keep\"
intensity = { kind = \"window\", to_low = 0.0, to_high = 1.0 }
";
    let data = "set = \"hippocampus\"\ndegrade = { kind = \"slab\", slices = 5, noise = 0.3 }";
    let text = recipe("reconstruction", "slab-mean", parts, data).replace("steps = 60", "steps = 200");
    let report = run(&text, &root, &dir.path().join("slab")).unwrap();
    let (ours, plain) = (report.evaluation.metrics["psnr_db"].value, report.evaluation.baseline["psnr_db"].value);
    assert!(ours > plain, "{ours} dB against {plain}");
}

#[test]
fn boxes_that_point_nowhere_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    save(&root.join("mri/brain-tumour256/glioma/0001.png"), &pattern(0, 1));
    let attempt = |line: &str| {
        std::fs::write(root.join("mri/boxes.csv"), format!("file,class,cx,cy,w,h\n{line}\n")).unwrap();
        lightbox_model::data::case::open("brain-tumour", root).err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(attempt("glioma/0009.png,glioma,0.5,0.5,0.1,0.1").contains("not there: glioma/0009.png"));
    assert!(attempt("glioma/0001.png,glioma,0.5,1.5,0.1,0.1").contains("does not lie in its image"));
    assert!(attempt("glioma/0001.png,lymphoma,0.5,0.5,0.1,0.1").contains("'lymphoma'"));
    assert!(attempt("glioma/0001.png,glioma,half,0.5,0.1,0.1").contains("'half'"));
    assert_eq!(attempt("glioma/0001.png,glioma,0.5,0.5,0.1,0.1"), "");
}
