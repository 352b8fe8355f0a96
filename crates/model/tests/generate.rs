//! A generator of noise trained against a discriminator, on made-up chests; and what cannot be used for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

mod common;

use common::data_root;
use lightbox_model::evaluate::{Cases, evaluate, worst_cases};
use lightbox_model::train::{Recipe, TrainOptions, TrainReport, train};
use lightbox_model::{Card, Error, Model, RunCx, npy};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// The shipped classifier, wherever the tests run from.
const JUDGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights/cxr-pneumonia-resnet");

fn text(steps: usize) -> String {
    let tiny = include_str!("common/tiny.toml");
    let training = tiny.find("[training]").unwrap();
    let data = tiny.find("[data]").unwrap();
    let rest = tiny[data..training].replace("cxr-lungs", "cxr-pneumonia").replace("minimum_pair_score = 0.5\n", "");
    format!(
        "id = \"tiny\"\nname = \"Tiny\"\ntask = \"reconstruction\"\nlicence = \"CC0-1.0\"\n\
         baseline = \"component-sampling\"\n\
         [architecture]\nname = \"dcgan-generator\"\nlatent = 8\nchannels = 1\nfeatures = 8\ndoublings = 2\n\
         [input]\nrows = 16\ncolumns = 16\nresize = \"squeeze\"\n\
         intensity = {{ kind = \"window\", to_low = -1.0, to_high = 1.0 }}\n\
         [post]\nactivation = \"none\"\n\
         [adversary]\nfeatures = 8\nlearning_rate = 0.002\njudge = \"{JUDGE}\"\n{rest}{}",
        tiny[training..]
            .replace("steps = 60", &format!("steps = {steps}"))
            .replace("learning_rate = 0.01", "learning_rate = 0.004")
            .replace("clip_norm = 1.0", "clip_norm = 100.0")
            .replace("batch = 4", "batch = 8")
    )
}

fn run(steps: usize, root: &Path, out: &Path, options: &TrainOptions, cx: &RunCx<'_>) -> Result<TrainReport, Error> {
    train(&Recipe::parse(&text(steps)).unwrap(), root, out, options, cx)
}

fn quietly(steps: usize, root: &Path, out: &Path) -> TrainReport {
    run(steps, root, out, &TrainOptions::default(), &RunCx::silent()).unwrap()
}

#[test]
fn it_learns_what_the_images_look_like_and_says_how_near_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    data_root(&root, 24);
    let early = quietly(1, &root, &dir.path().join("early"));
    let out = dir.path().join("late");
    let late = quietly(240, &root, &out);
    let (first, last) = (early.evaluation.metrics["frechet"], late.evaluation.metrics["frechet"]);
    assert!(last.value < 0.5 * first.value, "{first:?} {last:?}");
    assert!(last.low <= last.value && last.value <= last.high);
    for (group, names) in [
        (
            &late.evaluation.metrics,
            &["frechet", "frechet_training", "nearer_than_real", "nearest_rms", "nearest_rms_real"][..],
        ),
        (&late.evaluation.baseline, &["frechet", "nearer_than_real", "nearest_rms"][..]),
    ] {
        assert_eq!(group.keys().map(String::as_str).collect::<Vec<_>>(), names);
    }
    let share = late.evaluation.metrics["nearer_than_real"].value;
    assert!((0.0..=1.0).contains(&share));
    assert!(late.evaluation.metrics["frechet_training"].value < first.value);

    let card = Card::read(&out).unwrap();
    assert_eq!(card.judge.as_deref(), Some(JUDGE));
    let verdict = &card.atlas.as_ref().unwrap().verdict;
    let wins = late.evaluation.baseline["frechet"].value <= last.value;
    assert_eq!(verdict.starts_with("THE PLAIN METHOD WINS"), wins, "{verdict}");
    assert_eq!(card.summary.starts_with("THE PLAIN METHOD WINS"), wins);

    let model = Model::load_from(card, &out.join("model.safetensors")).unwrap();
    let again = evaluate(&model, &root, Cases::Test, &RunCx::silent()).unwrap();
    assert_eq!(again.metrics, late.evaluation.metrics);
    assert_eq!(again.baseline, late.evaluation.baseline);
    let one = model.imagine(3, &RunCx::silent()).unwrap();
    assert_eq!((one.rows, one.columns, one.planes.len()), (16, 16, 1));
    assert_eq!(one, model.imagine(3, &RunCx::silent()).unwrap());
    assert_ne!(one.planes, model.imagine(4, &RunCx::silent()).unwrap().planes);
    // The lungs are darker than what is beside them, as in every image of the set.
    let grey = model.made_grey(&one.planes[0]);
    assert!(grey[8 * 16 + 4] < grey[8 * 16] && grey[8 * 16 + 11] < grey[15 * 16 + 8], "{grey:?}");

    // Each as a picture of its own says what it is, in pixels that the noise does not change.
    let z = |v: f32| npy::Array { shape: vec![2, 8], values: (0..16).map(|i| v * i as f32 / 16.0).collect() };
    let pictures = |v: f32| {
        let path = dir.path().join("made.npy");
        std::fs::write(&path, &model.raw(&z(v), &RunCx::silent()).unwrap()["image"]).unwrap();
        let made = model.marked_pictures(&npy::read(&path).unwrap()).unwrap();
        let open = |bytes: &Vec<u8>| image::load_from_memory(bytes).unwrap().into_rgb8();
        made.iter().map(open).collect::<Vec<_>>()
    };
    let (some, others) = (pictures(1.0), pictures(0.3));
    assert_eq!((some.len(), some[0].width(), some[0].height()), (2, 96, 96));
    let mark = |p: &image::RgbImage| -> Vec<usize> {
        p.pixels().enumerate().filter(|(_, p)| p.0 == [255, 190, 90]).map(|(i, _)| i).collect()
    };
    assert!(mark(&some[0]).len() > 200 && some.iter().chain(&others).all(|p| mark(p) == mark(&some[0])));
    assert_ne!(some[0], others[1]);

    // Twelve made-up images, then eight, each beside a training image.
    let sheet = image::load_from_memory(&worst_cases(&model, &root, Cases::Test, &RunCx::silent()).unwrap()).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (1024, 640));
    assert!(std::fs::read(out.join("gallery.png")).unwrap().len() > 1000);
}

#[test]
fn a_killed_training_ends_where_an_undisturbed_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let (root, whole, halves) = (dir.path().join("data"), dir.path().join("whole"), dir.path().join("halves"));
    data_root(&root, 16);
    let undisturbed = quietly(10, &root, &whole);
    let stop = AtomicBool::new(false);
    let progress = |_: f32, text: &str| stop.store(text.starts_with("Update 7 "), Ordering::Relaxed);
    let cancelled = || stop.load(Ordering::Relaxed);
    let cx = RunCx { cancelled: &cancelled, progress: &progress };
    assert!(matches!(run(10, &root, &halves, &TrainOptions::default(), &cx), Err(Error::Cancelled)));
    assert!(!halves.join("card.toml").exists());
    let resume = TrainOptions { resume: true, ..TrainOptions::default() };
    let resumed = run(10, &root, &halves, &resume, &RunCx::silent()).unwrap();
    assert_eq!(resumed.sha256, undisturbed.sha256);
    assert_eq!(resumed.sha256, quietly(10, &root, &dir.path().join("again")).sha256, "same seed, other weights");

    // A checkpoint that cannot be written (a full disk) leaves the last one, and the training goes on from it.
    let full = dir.path().join("full");
    let block = full.join(".checkpoint.safetensors.part");
    let blocked = AtomicBool::new(false);
    let progress = |_: f32, text: &str| {
        if text.starts_with("Update 7 ") && !blocked.swap(true, Ordering::Relaxed) {
            std::fs::create_dir_all(block.join("full")).unwrap();
        }
    };
    let cx = RunCx { cancelled: &|| false, progress: &progress };
    let error = run(10, &root, &full, &TrainOptions::default(), &cx).unwrap_err();
    assert!(matches!(error, Error::Write { .. } | Error::DiskFull { .. }), "{error}");
    std::fs::remove_dir_all(&block).unwrap();
    assert_eq!(run(10, &root, &full, &resume, &RunCx::silent()).unwrap().sha256, undisturbed.sha256);
}

#[test]
fn what_cannot_be_trained_is_one_clear_sentence() {
    let refused = |from: &str, to: &str| {
        let changed = text(2).replace(from, to);
        assert_ne!(changed, text(2), "{from}");
        Recipe::parse(&changed).unwrap_err().to_string()
    };
    assert!(refused("rows = 16", "rows = 32").contains("16 x 16"));
    assert!(refused("baseline = \"component-sampling\"", "baseline = \"principal-components\"").contains("baseline"));
    assert!(refused("to_low = -1.0", "to_low = 0.0").contains("window from -1 to 1"));
    let adversary = text(2);
    let (from, to) = (adversary.find("[adversary]").unwrap(), adversary.find("[data]").unwrap());
    assert!(refused(&adversary[from..to], "").contains("[adversary]"));

    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    data_root(&root, 16);
    let attempt = |change: &dyn Fn(&mut Recipe)| {
        let mut recipe = Recipe::parse(&text(40)).unwrap();
        change(&mut recipe);
        let out = dir.path().join("out");
        train(&recipe, &root, &out, &TrainOptions::default(), &RunCx::silent()).unwrap_err()
    };
    // A judge that is not at hand is told before anything is trained.
    let error = attempt(&|r| r.adversary.as_mut().unwrap().judge = "no-such-model".into());
    assert!(matches!(error, Error::UnknownModel { .. }), "{error}");
    let error = attempt(&|r| {
        r.training.warmup_steps = 0;
        r.training.learning_rate = 1e30;
    });
    assert!(matches!(error, Error::LossNotFinite { .. }), "{error}");
}
