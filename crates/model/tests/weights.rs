//! Weights and cards as strangers bring them.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use lightbox_model::{Card, Error, Model, Store, card, store};
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::path::{Path, PathBuf};

const CARD: &str = r#"
id = "mine"
name = "Mine"
task = "segmentation"
licence = "CC0-1.0"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

[architecture]
name = "unet2d"
inputs = 1
outputs = 1
channels = [2, 3]
merge_convs = 1

[input]
rows = 16
columns = 16
resize = "squeeze"
clip_low = 0.0
clip_high = 1.0

[[labels]]
name = "Thing"
threshold = 0.5
"#;

type Named = Vec<(String, Vec<usize>, Dtype, Vec<u8>)>;

/// Tensors that fit the card, all 0.1.
fn fitting() -> Named {
    let card: Card = toml::from_str(CARD).unwrap();
    card.architecture
        .shapes()
        .into_iter()
        .map(|(name, shape)| {
            let n = shape.iter().product();
            (name, shape, Dtype::F32, vec![0.1f32; n].into_iter().flat_map(f32::to_le_bytes).collect())
        })
        .collect()
}

fn save(path: &Path, tensors: &Named) {
    let views = tensors
        .iter()
        .map(|(name, shape, kind, bytes)| (name.clone(), TensorView::new(*kind, shape.clone(), bytes).unwrap()));
    std::fs::write(path, serialize(views, None).unwrap()).unwrap();
}

struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self, tensors: &Named) -> PathBuf {
        let path = self.dir.path().join("in.safetensors");
        save(&path, tensors);
        path
    }

    fn store(&self) -> Store {
        Store::discover(&[], Some(&self.dir.path().join("models")))
    }

    fn add(&self, tensors: &Named) -> Result<(), Error> {
        let card: Card = toml::from_str(CARD).unwrap();
        self.store().add(&[self.file(tensors)], card).map(|_| ())
    }
}

#[test]
fn a_model_is_added_found_verified_and_removed() {
    let case = Case::new();
    case.add(&fitting()).unwrap();
    let mut found = case.store();
    let entry = found.get("mine").unwrap();
    assert!(entry.added && entry.problem.is_none());
    assert_ne!(entry.card.sha256, "0".repeat(64), "the hash is filled in");
    store::verify(entry).unwrap();
    Model::load(entry).unwrap();
    assert!(matches!(case.add(&fitting()), Err(Error::AlreadyThere { .. })));
    assert!(found.get("none").unwrap_err().to_string().contains("at hand: mine"));
    found.remove("mine").unwrap();
    assert!(case.store().entries().is_empty());
    assert!(found.remove("mine").is_err());

    let shipped = Store::discover(&[case.dir.path().join("absent")], None);
    assert!(shipped.entries().is_empty());
}

#[test]
fn shipped_models_stay() {
    let case = Case::new();
    case.add(&fitting()).unwrap();
    let mut store = Store::discover(&[case.dir.path().join("models")], None);
    assert!(matches!(store.remove("mine"), Err(Error::Shipped { .. })));
    let card: Card = toml::from_str(CARD).unwrap();
    let nowhere = store.add(&[case.file(&fitting())], Card { id: "other".into(), ..card });
    assert!(nowhere.unwrap_err().to_string().contains("LIGHTBOX_MODELS"));
}

#[test]
fn each_fault_of_the_weights_has_its_sentence() {
    let case = Case::new();
    let refused = |tensors: &Named| case.add(tensors).unwrap_err().to_string();

    let mut missing = fitting();
    missing.retain(|t| t.0 != "up.0.weight");
    assert!(refused(&missing).contains("lacks the tensor 'up.0.weight'"));

    let mut shape = fitting();
    shape[0].1 = vec![2, 9, 1, 1];
    assert!(refused(&shape).contains("'down.0.0.weight' has shape [2, 9, 1, 1], the architecture needs [2, 1, 3, 3]"));

    let mut extra = fitting();
    extra.push(("bonus".into(), vec![1], Dtype::F32, vec![0; 4]));
    assert!(refused(&extra).contains("'bonus'"));

    let mut kind = fitting();
    kind[1].2 = Dtype::I32;
    assert!(refused(&kind).contains("I32"));

    let mut nan = fitting();
    nan[1].3[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(refused(&nan).contains("not finite"));

    let path = case.file(&fitting());
    let bytes = std::fs::read(&path).unwrap();
    for cut in [0, 5, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let card: Card = toml::from_str(CARD).unwrap();
        let error = case.store().add(std::slice::from_ref(&path), card).unwrap_err();
        assert!(matches!(error, Error::Weights { .. }), "{cut} bytes: {error}");
    }
    assert!(case.store().entries().is_empty(), "nothing is left behind");
}

#[test]
fn half_precision_is_read() {
    let case = Case::new();
    let mut half = fitting();
    for (_, shape, kind, bytes) in &mut half {
        let n: usize = shape.iter().product();
        *kind = Dtype::F16;
        // 0.5 in half precision.
        *bytes = [0x00, 0x38].repeat(n);
    }
    case.add(&half).unwrap();
    Model::load(case.store().get("mine").unwrap()).unwrap();
}

#[test]
fn changed_weights_and_cards_are_found_on_load() {
    let case = Case::new();
    case.add(&fitting()).unwrap();
    let dir = case.dir.path().join("models/mine");
    let weights = dir.join(card::WEIGHTS_FILE);
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, &bytes).unwrap();
    let store = case.store();
    let entry = store.get("mine").unwrap();
    assert!(matches!(Model::load(entry), Err(Error::WrongHash { .. })));
    assert!(matches!(store::verify(entry), Err(Error::WrongHash { .. })));

    std::fs::remove_file(&weights).unwrap();
    assert!(case.store().get("mine").unwrap().problem.as_deref().unwrap().contains("missing"));

    std::fs::write(dir.join(card::CARD_FILE), CARD.replace("channels", "chanels")).unwrap();
    let store = case.store();
    let entry = store.get("mine").unwrap();
    assert!(entry.problem.as_deref().unwrap().contains("card is not readable"));
    assert!(Model::load(entry).unwrap_err().to_string().contains("'mine'"));
}
