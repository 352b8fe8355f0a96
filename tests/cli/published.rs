//! Published networks from their published files, and a detector from drawn boxes, as a user would.

use super::Run;
use lightbox_core::{VolumeGeometry, VoxelPos};
use lightbox_dicom::{StudyIndex, scan, volume};
use lightbox_model::{Model, RunCx, Store, npy, published};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// The data folder; says so where there is none, and fails under CI.
fn data() -> Option<PathBuf> {
    let root = std::env::var_os("LIGHTBOX_DATA").filter(|v| !v.is_empty()).map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    if root.join("weights/brainchop").is_dir() && root.join("nifti/brain-t1/t1_crop.nii.gz").is_file() {
        return Some(root);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs the published weights at {}", root.display());
    #[allow(clippy::print_stderr, reason = "a test's only voice")]
    {
        eprintln!("skipped: no published weights at {}", root.display());
    }
    None
}

const MESHNETS: [&str; 6] =
    ["mindgrab", "model18cls", "model20chan3cls", "model21_104class", "model30chan50cls", "model5_gw_ae"];

fn added(root: &Path, store: &mut Store, name: &str) -> Model {
    let file = match name {
        "mednist_gan" => root.join("weights/mednist_gan/models/model.pt"),
        _ => root.join("weights/brainchop").join(name).join("model.json"),
    };
    let entry = store.add(&[file], published::template(name).unwrap());
    Model::load(entry.unwrap_or_else(|e| panic!("{name}: {e}"))).unwrap()
}

#[test]
fn the_six_meshnets_and_the_gan_are_taken_from_their_files_and_run() {
    let Some(root) = data() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::discover(&[], Some(dir.path()));
    for name in MESHNETS {
        let model = added(&root, &mut store, name);
        let labels = model.card().labels.len();
        // A bright ball: whatever it is taken for, the numbers are finite and differ from place to place.
        let side = 24usize;
        let centre = |i: usize| i as f32 - 11.5;
        let at = |i: usize| (centre(i / (side * side)), centre(i / side % side), centre(i % side));
        let values = (0..side.pow(3)).map(at).map(|(z, y, x)| if z * z + y * y + x * x < 64.0 { 0.8 } else { 0.1 });
        let x = npy::Array { shape: vec![1, 1, side, side, side], values: values.collect() };
        let out = model.raw(&x, &RunCx::silent()).unwrap();
        let path = dir.path().join("masks.npy");
        std::fs::write(&path, &out["masks"]).unwrap();
        let masks = npy::read(&path).unwrap();
        assert_eq!(masks.shape, [1, labels, side, side, side], "{name}");
        let (low, high) =
            masks.values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!(low.is_finite() && high.is_finite() && high - low > 0.1, "{name}: {low} to {high}");
    }
    let gan = added(&root, &mut store, "mednist_gan");
    let hand = gan.imagine(7, &RunCx::silent()).unwrap();
    assert_eq!((hand.columns, hand.rows, hand.planes.len()), (64, 64, 1));
    let p = &hand.planes[0];
    assert!(p.iter().all(|v| (0.0..=1.0).contains(v)));
    // A hand radiograph: dark at the rim, bright in the middle.
    let mean = |inside: fn(usize, usize) -> bool| {
        let chosen: Vec<f32> = (0..4096).filter(|i| inside(i % 64, i / 64)).map(|i| p[i]).collect();
        chosen.iter().sum::<f32>() / chosen.len() as f32
    };
    let middle = mean(|x, y| (20..44).contains(&x) && (20..56).contains(&y));
    let rim = mean(|x, y| !(5..59).contains(&x) || y < 3);
    assert!(middle > rim + 0.15, "middle {middle}, rim {rim}");
    assert_ne!(gan.imagine(8, &RunCx::silent()).unwrap().planes, hand.planes);
}

/// A structure: mL, centre of gravity in mm (LPS), share on the patient's left of `middle`.
struct Structure {
    millilitres: f64,
    centre: [f64; 3],
    left: f64,
}

#[test]
fn model18cls_parts_the_brain_as_an_adult_s() {
    let Some(root) = data() else { return };
    // 256 x 256 x 256 voxels through ten layers: a minute of two cores.
    if std::env::var_os("LIGHTBOX_SLOW").is_none() && std::env::var("CI").as_deref() != Ok("true") {
        #[allow(clippy::print_stderr, reason = "a test's only voice")]
        {
            eprintln!("skipped: a whole brain takes a minute; tests/run does it, and LIGHTBOX_SLOW=1");
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::discover(&[], Some(dir.path()));
    let model = added(&root, &mut store, "model18cls");
    let index: StudyIndex = scan(&[root.join("nifti/brain-t1/t1_crop.nii.gz")], &mut |_| ControlFlow::Continue(()));
    let stack = index.studies.iter().flat_map(|s| &s.series).flat_map(|s| &s.stacks).next().unwrap();
    let (brain, _) = volume::load_blocking(stack, &|_, _| ControlFlow::Continue(())).unwrap();
    let answer = model.segment_volume(&brain, &RunCx::silent()).unwrap();
    let geometry: &VolumeGeometry = brain.geometry();
    let [columns, rows, slices] = geometry.dims();
    let middle = geometry.centre().0.x;
    let of = |name: &str| {
        let (_, mask, millilitres) = answer
            .masks
            .iter()
            .find(|(label, ..)| label.to_lowercase().contains(name))
            .unwrap_or_else(|| panic!("no {name}"));
        let (mut n, mut sum, mut left) = (0f64, [0f64; 3], 0f64);
        for z in 0..slices {
            let Some(plane) = mask.plane(z) else { continue };
            for i in plane.iter_set() {
                let p = geometry.to_patient(VoxelPos::new((i % columns) as f64, (i / columns) as f64, z as f64)).0;
                n += 1.0;
                left += f64::from(u8::from(p.x > middle));
                sum = [sum[0] + p.x, sum[1] + p.y, sum[2] + p.z];
            }
        }
        assert!(rows > 0 && n > 0.0, "{name} is empty");
        Structure { millilitres: *millilitres, centre: sum.map(|s| s / n), left: left / n }
    };
    let [thalamus, caudate, hippocampus, ventricle] =
        ["thalamus", "caudate", "hippocampus", "lateral-ventricle"].map(of);
    // PyTorch on the same file: 18.3, 7.9, 7.5 and 20.5 mL.
    for (name, s, low, high) in [
        ("thalamus", &thalamus, 17.0, 20.0),
        ("caudate", &caudate, 7.0, 9.0),
        ("hippocampus", &hippocampus, 6.8, 8.5),
        ("lateral ventricles", &ventricle, 18.5, 22.5),
    ] {
        assert!((low..high).contains(&s.millilitres), "{name}: {:.1} mL", s.millilitres);
        assert!((0.35..0.65).contains(&s.left), "{name}: {:.2} of it on the left", s.left);
    }
    // LPS: x to the left, y to the back, z up.
    assert!(caudate.centre[1] < thalamus.centre[1] - 10.0, "the caudate lies before the thalamus");
    assert!(hippocampus.centre[2] < thalamus.centre[2] - 8.0, "the hippocampus lies below the thalamus");
    assert!(ventricle.centre[2] > thalamus.centre[2], "the lateral ventricles lie above the thalamus");
}

#[test]
fn a_detector_is_trained_from_boxes_in_a_file_and_finds_the_same_elsewhere() {
    let run = Run::new();
    let draw = |name: &str, discs: &[(f32, f32, f32)]| {
        let picture = image::GrayImage::from_fn(160, 120, |x, y| {
            let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
            let inside = discs.iter().any(|(cx, cy, r)| (x - cx).hypot(y - cy) < *r);
            let bar = (20.0..60.0).contains(&x) && (100.0..106.0).contains(&y);
            let noise = (x * 7.0 + y * 13.0) as u32 % 11;
            image::Luma([(if inside || bar { 180 } else { 50 } + noise) as u8])
        });
        picture.save(run.dir.path().join(name)).unwrap();
    };
    let sets: [&[(f32, f32, f32)]; 3] =
        [&[(40.0, 40.0, 16.0), (110.0, 70.0, 20.0)], &[(80.0, 50.0, 14.0), (125.0, 30.0, 17.0)], &[(90.0, 40.0, 22.0)]];
    let mut recipe = "method = 'rcnn'\nid = 'discs'\nname = 'Discs'\nlicence = 'CC0-1.0'\n\
                      [settings]\nmost = 100\n"
        .to_owned();
    for (i, discs) in sets.iter().enumerate() {
        draw(&format!("{i}.png"), discs);
        let boxes: Vec<String> = discs
            .iter()
            .map(|(x, y, r)| format!("{{ label = 'disc', box = [{}, {}, {}, {}] }}", x - r, y - r, x + r, y + r))
            .collect();
        recipe += &format!("[[image]]\npath = '{i}.png'\nboxes = [{}]\n", boxes.join(", "));
    }
    std::fs::write(run.dir.path().join("discs.toml"), &recipe).unwrap();
    let report = run.json(&["train", "discs.toml", "--out", "discs"]);
    assert_eq!(report["boxes"], 5);
    assert!(report["recognised"].as_f64().unwrap() > 0.9, "{report}");
    draw("new.png", &[(60.0, 60.0, 18.0), (120.0, 50.0, 15.0)]);
    let found = run.json(&["infer", "discs", "new.png", "--out", "out", "--json"]);
    let boxes = found["inputs"][0]["boxes"].as_array().unwrap();
    assert_eq!(boxes.len(), 2, "{found}");
    for (x, y, r) in [(60.0, 60.0, 18.0), (120.0, 50.0, 15.0)] {
        let near = boxes.iter().any(|b| {
            let at = |i: usize| b["box"][i].as_f64().unwrap();
            let wanted = [x - r, y - r, x + r, y + r];
            (0..4).all(|i| (at(i) - wanted[i]).abs() < 0.35 * r)
        });
        assert!(near, "no disc at {x}, {y}: {found}");
    }
    // What is wrong with a recipe is said in one sentence.
    let bad = |text: String| {
        std::fs::write(run.dir.path().join("bad.toml"), text).unwrap();
        run.fails(&["train", "bad.toml", "--out", "bad"], 1)
    };
    assert!(bad(recipe.replace("0.png", "nowhere.png")).contains("no such file"));
    assert!(bad(recipe.replace("'rcnn'", "'magic'")).contains("magic"));
    assert!(bad(recipe.replace("[settings]", "backbone = 'nobody'\n[settings]")).contains("nobody"));
    assert!(!run.dir.path().join("bad").join("card.toml").exists());
}
