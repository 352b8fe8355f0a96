//! The order of the crates, kept by a test: who may know whom, and that models and lints are as ARCHITECTURE.md says.

#![allow(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use lightbox_tests::root;
use serde_json::Value;

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let out = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON")
}

/// All packages that a package is built from, by name (normal dependencies only).
fn reach(meta: &Value, from: &str) -> BTreeSet<String> {
    let nodes: BTreeMap<&str, &Value> =
        meta["resolve"]["nodes"].as_array().unwrap().iter().map(|n| (n["id"].as_str().unwrap(), n)).collect();
    let names: BTreeMap<&str, &str> = meta["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["id"].as_str().unwrap(), p["name"].as_str().unwrap()))
        .collect();
    let start = names.iter().find(|(_, n)| **n == from).expect("a package of the workspace").0;
    let mut seen = BTreeSet::new();
    let mut todo = vec![*start];
    while let Some(id) = todo.pop() {
        if !seen.insert(id) {
            continue;
        }
        for dep in nodes[id]["deps"].as_array().unwrap() {
            let normal = dep["dep_kinds"].as_array().unwrap().iter().any(|k| k["kind"].is_null());
            if normal {
                todo.push(dep["pkg"].as_str().unwrap());
            }
        }
    }
    seen.into_iter().map(|id| names[id].to_owned()).collect()
}

#[test]
fn arrows_between_crates_point_one_way() {
    let meta = metadata();
    // (crate, what it must never be built from)
    let window = ["egui", "eframe", "winit", "wgpu", "rfd"];
    let candle = ["candle-core", "candle-nn"];
    let dicom = ["dicom-object", "dicom-pixeldata", "lightbox-dicom"];
    let rules: [(&str, Vec<&[&str]>); 6] = [
        ("lightbox-core", vec![&window, &candle, &dicom, &["lightbox-model", "lightbox-report", "lightbox-session"]]),
        ("lightbox-dicom", vec![&window, &candle, &["lightbox-model", "lightbox-report", "lightbox-session"]]),
        ("lightbox-kernels", vec![&window, &dicom, &["lightbox-core", "lightbox-model", "lightbox-session"]]),
        ("lightbox-model", vec![&window, &dicom, &["lightbox-report", "lightbox-session"]]),
        ("lightbox-report", vec![&window, &candle, &dicom, &["lightbox-core", "lightbox-model", "lightbox-session"]]),
        ("lightbox-session", vec![&window, &["lightbox-gui"]]),
    ];
    for (name, forbidden) in rules {
        let all = reach(&meta, name);
        for f in forbidden.into_iter().flatten() {
            assert!(!all.contains(*f), "{name} must not be built from {f}");
        }
    }
}

#[test]
fn the_window_speaks_to_the_session_only() {
    let meta = metadata();
    let gui = meta["packages"].as_array().unwrap().iter().find(|p| p["name"] == "lightbox-gui").unwrap();
    for dep in gui["dependencies"].as_array().unwrap() {
        let name = dep["name"].as_str().unwrap();
        let foreign = ["lightbox-dicom", "lightbox-model", "lightbox-report"].contains(&name);
        assert!(
            !(foreign || name.starts_with("dicom-") || name.starts_with("candle-")),
            "the window must not know {name}"
        );
    }
}

#[test]
fn every_crate_has_the_workspace_s_lints() {
    for dir in std::fs::read_dir(root().join("crates")).unwrap() {
        let path = dir.unwrap().path().join("Cargo.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let toml: toml::Value = toml::from_str(&text).unwrap();
        assert_eq!(toml["lints"]["workspace"].as_bool(), Some(true), "{}", path.display());
    }
}

#[test]
fn every_shipped_model_has_a_card_and_the_weights_that_it_names() {
    let store = lightbox_session::models_in(&root().join("weights"));
    assert!(!store.is_empty());
    for model in store {
        assert_eq!(model.problem, None, "{}", model.id);
        assert!(
            !model.card.licence.is_empty() && !model.card.limits.is_empty() && !model.card.metrics.is_empty(),
            "{}",
            model.id
        );
        assert!(model.dir.join("recipe.toml").is_file(), "{} has no recipe", model.id);
    }
}
