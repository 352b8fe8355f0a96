//! Detectors from a recipe to a card on made-up slices, and slices that cannot be used.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use image::{GrayImage, Luma};
use lightbox_model::evaluate::{Cases, evaluate};
use lightbox_model::train::{Recipe, TrainOptions, TrainReport, train};
use lightbox_model::{Card, Error, Found, Model, Picture, RunCx};
use std::fmt::Write;
use std::path::Path;

const SIDE: u32 = 64;

/// Slice `n` of a class: a dark head with one bright or grey square.
fn slice(n: u32, class: u32) -> (GrayImage, [f64; 4]) {
    let side = [14, 20, 26][class as usize];
    let (x0, y0) = (10 + (n * 7) % 20, 10 + (n * 11) % 22);
    let grey = [250u8, 190, 140][class as usize];
    let image = GrayImage::from_fn(SIDE, SIDE, |x, y| {
        let inside = (x0..x0 + side).contains(&x) && (y0..y0 + side).contains(&y);
        Luma([if inside { grey } else { 40 } + ((x * 7 + y * 3 + n) % 11) as u8 / 3])
    });
    let f = |v: u32| f64::from(v) / f64::from(SIDE);
    (image, [f(x0) + f(side) / 2.0, f(y0) + f(side) / 2.0, f(side), f(side)])
}

/// Writes slices `1..=count`, ids far enough apart that each block of 50 holds a few.
fn slices(root: &Path, count: u32, mut change: impl FnMut(u32, &mut String)) {
    let mut csv = "file,class,cx,cy,w,h\n".to_owned();
    for n in 0..count {
        let class = n % 3;
        let name = ["glioma", "meningioma", "pituitary"][class as usize];
        let (image, [cx, cy, w, h]) = slice(n, class);
        let id = 25 + n / 3 * 50 + n % 3;
        let path = root.join(format!("mri/brain-tumour256/{name}/{id:04}.png"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.save(path).unwrap();
        let mut line = format!("{name}/{id:04}.png,{name},{cx:.3},{cy:.3},{w:.3},{h:.3}");
        change(n, &mut line);
        writeln!(csv, "{line}").unwrap();
    }
    std::fs::write(root.join("mri/boxes.csv"), csv).unwrap();
}

fn recipe(architecture: &str, background: bool, steps: usize) -> String {
    let names = ["Background", "Glioma", "Meningioma", "Pituitary tumour"];
    let labels: String = names[usize::from(!background)..]
        .iter()
        .map(|n| format!("[[labels]]\nname = \"{n}\"\nthreshold = 0.05\n"))
        .collect();
    format!(
        "id = \"tiny\"\nname = \"Tiny\"\ntask = \"detection\"\nlicence = \"CC0-1.0\"\nbaseline = \"brightest-blob\"\n\
         [architecture]\ninputs = 1\n{architecture}\n[input]\nrows = 64\ncolumns = 64\nresize = \"squeeze\"\n{labels}\n\
         [data]\nset = \"brain-tumour\"\ndescription = \"Made up.\"\nlicence = \"CC0-1.0\"\ncredit = \"None.\"\n\
         split = {{ seed = 3, validation = 0.2, test = 0.3 }}\n\
         [training]\nseed = 5\nsteps = {steps}\nbatch = 6\nlearning_rate = 0.005\nwarmup_steps = 4\nweight_decay = 0.0\n\
         clip_norm = 5.0\naverage_decay = 0.8\ncheckpoint_every = 50\nvalidate_every = 100\nhalf = true\nmemory_mib = 16\n\
         [augment]\nflip = 0.5\nrotation_deg = 0.0\nzoom_in = 1.1\nzoom_out = 1.1\naspect = 1.0\nshift = 0.02\nborder = 0.0\n\
         background = 0.0\ncurve = 0.0\nshading = 0.0\nblur = 0.0\nnoise = 0.0\nmarks = 0.0\n"
    )
}

const YOLOX: &str = "name = \"yolox\"\noutputs = 3\ndepth = 0.33\nwidth = 0.0625\nscore = 0.02\niou = 0.5";

fn run(text: &str, root: &Path, out: &Path) -> Result<TrainReport, Error> {
    train(&Recipe::parse(text)?, root, out, &TrainOptions::default(), &RunCx::silent())
}

#[test]
fn a_detector_is_trained_measured_and_run_from_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let (root, out) = (dir.path().join("data"), dir.path().join("tiny"));
    slices(&root, 60, |_, _| ());
    let report = run(&recipe(YOLOX, false, 150), &root, &out).unwrap();
    let m = &report.evaluation.metrics;
    assert!(m["ap50"].value > 0.6 && m["ap"].value < m["ap50"].value, "{m:?}");
    for name in ["ap50", "ap", "froc", "ap50_glioma", "ap50_pituitary_tumour"] {
        assert!(m.contains_key(name) && report.evaluation.baseline.contains_key(name), "{name}");
    }
    let card = Card::read(&out).unwrap();
    let model = Model::load_from(card, &out.join("model.safetensors")).unwrap();
    let again = evaluate(&model, &root, Cases::Test, &RunCx::silent()).unwrap();
    assert_eq!((&again.metrics, &again.baseline), (m, &report.evaluation.baseline));
    assert!(model.card().atlas.as_ref().unwrap().verdict.contains("ap50"));
    assert!(image::open(out.join("gallery.png")).is_ok());
    let (image, [cx, ..]) = slice(4, 1);
    let plane = image.pixels().map(|p| f32::from(p.0[0])).collect();
    let picture = Picture { columns: 64, rows: 64, planes: vec![plane], full_range: None, window: None };
    let Found::Boxes(found) = model.answer(&picture, &RunCx::silent()).unwrap().found else { panic!("no boxes") };
    let middle = (found[0].rect[0] + found[0].rect[2]) / 2.0;
    assert!((f64::from(middle) - cx * 64.0).abs() < 8.0, "{found:?}");
}

#[test]
fn slices_that_cannot_be_used_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let said = |name: &str, count: u32, change: &dyn Fn(u32, &mut String), text: &str| {
        let root = dir.path().join(name);
        slices(&root, count, |n, line| change(n, line));
        run(text, &root, &dir.path().join("out")).unwrap_err().to_string()
    };
    let text = recipe(YOLOX, false, 2);
    let empty = |n: u32, l: &mut String| {
        if n == 3 {
            *l = "glioma/0075.png,glioma,0.5,0.5,0.0,0.2".into();
        }
    };
    let empty = said("empty", 30, &empty, &text);
    assert!(empty.contains("does not lie in its image"), "{empty}");
    // A class of which nothing is left to train on.
    let none = |n: u32, l: &mut String| {
        if n % 3 == 2 {
            *l = l.replace(",pituitary,", ",glioma,");
        }
    };
    let few = said("few", 30, &none, &text);
    assert!(few.contains("pituitary") && few.contains("0 cases"), "{few}");
    let two = text.replace("outputs = 3", "outputs = 2");
    let two = two.replace("[[labels]]\nname = \"Pituitary tumour\"\nthreshold = 0.05\n", "");
    let labels = said("labels", 30, &|_, _| (), &two);
    assert!(labels.contains("3 classes, the recipe 2"), "{labels}");
    let spec = format!("{}[detect]\nroi_iou = 2.0\n", recipe(YOLOX, false, 2));
    assert!(Recipe::parse(&spec).unwrap_err().to_string().contains("roi_iou"));
}

/// An R-CNN on the shipped classifier of chest X-rays, solved for on the made-up slices.
fn regions() -> String {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights/cxr-pneumonia-resnet");
    let architecture = "name = \"rcnn\"\noutputs = 3\nside_px = 64\ncontext_px = 6\ntap = \"layer3\"\ncells = 4\n\
         proposals = \"selective-search\"\nsearched_px = 64\nmost = 60\nscore = 0.02\niou = 0.4\n\
         backbone = { name = \"resnet\", inputs = 1, outputs = 3, blocks = [2, 2, 2, 2], bottleneck = false, width = 12 }";
    let text = recipe(architecture, false, 1).replace("[architecture]\ninputs = 1", "[architecture]");
    let text = text.replace("resize = \"squeeze\"", "resize = \"keep\"");
    format!(
        "{text}[post]\nactivation = \"none\"\n\
         [regions]\nbackbone = \"{shipped}\"\nper_image = 20\ncopies = 6\ncost = 0.01\npenalty = 1000.0\n"
    )
}

#[test]
fn an_rcnn_is_solved_for_on_a_set_and_measured_beside_the_blobs() {
    let dir = tempfile::tempdir().unwrap();
    let (root, out) = (dir.path().join("data"), dir.path().join("tiny"));
    slices(&root, 60, |_, _| ());
    let report = run(&regions(), &root, &out).unwrap();
    let (m, plain) = (&report.evaluation.metrics, &report.evaluation.baseline);
    assert!(m["ap50"].value > 0.6, "{m:?}");
    assert!(plain.contains_key("ap50"));
    for file in ["model.safetensors", "card.toml", "recipe.toml", "gallery.png"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    // Nothing was trained step by step, so there is no curve, and nothing to go on from.
    assert!(!out.join("curve.png").exists());
    let resume = TrainOptions { resume: true, ..TrainOptions::default() };
    let recipe = Recipe::parse(&regions()).unwrap();
    let error = train(&recipe, &root, &out, &resume, &RunCx::silent()).unwrap_err();
    assert!(matches!(error, Error::Checkpoint { .. }), "{error}");
    assert_eq!(run(&regions(), &root, &dir.path().join("again")).unwrap().sha256, report.sha256);

    let model = Model::load_from(Card::read(&out).unwrap(), &out.join("model.safetensors")).unwrap();
    let again = evaluate(&model, &root, Cases::Test, &RunCx::silent()).unwrap();
    assert_eq!(again.metrics, report.evaluation.metrics);

    let refused = |from: &str, to: &str| run(&regions().replace(from, to), &root, &out).unwrap_err().to_string();
    assert!(refused("width = 12", "width = 16").contains("not the network of"));
    assert!(refused("per_image = 20", "per_image = 0").contains("[regions]"));
    let text = regions();
    let bare = text[..text.find("[regions]").unwrap()].to_owned();
    assert!(run(&bare, &root, &out).unwrap_err().to_string().contains("[regions]"));
    // Stopped while regions are described: no model is left behind.
    let stop = std::sync::atomic::AtomicBool::new(false);
    let progress = |f: f32, text: &str| {
        stop.store(text == "Describing regions" && f > 0.3, std::sync::atomic::Ordering::Relaxed);
    };
    let cancelled = || stop.load(std::sync::atomic::Ordering::Relaxed);
    let cx = RunCx { cancelled: &cancelled, progress: &progress };
    let half = dir.path().join("half");
    let stopped = train(&recipe, &root, &half, &TrainOptions::default(), &cx);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert!(!half.join("card.toml").exists());
}
