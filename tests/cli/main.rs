//! The command line as a script sees it: output, exit codes, files.

#![allow(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

mod published;

struct Run {
    dir: tempfile::TempDir,
}

impl Run {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn lightbox(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_lightbox"))
            .args(args)
            .env("LIGHTBOX_CACHE", self.dir.path().join("cache"))
            .env("LIGHTBOX_WEIGHTS", Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights"))
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .current_dir(self.dir.path())
            .output()
            .expect("the program runs")
    }

    fn json(&self, args: &[&str]) -> Value {
        let out = self.lightbox(args);
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).expect("exactly one JSON document")
    }

    fn fails(&self, args: &[&str], code: i32) -> String {
        let out = self.lightbox(args);
        assert_eq!(out.status.code(), Some(code), "{args:?}");
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!text.contains("panicked"), "{text}");
        text
    }
}

#[test]
fn the_demo_is_drawn_where_there_is_no_display_and_its_files_are_read_by_the_other_commands() {
    let run = Run::new();
    let out = run.lightbox(&["demo", "--size", "960x600"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let path = String::from_utf8(out.stdout).unwrap();
    let png = std::fs::read(path.trim()).expect("the picture is where the command says");
    assert_eq!(&png[1..4], b"PNG");
    assert_eq!(&png[16..24], &[0, 0, 3, 192, 0, 0, 2, 88], "960 x 600");

    let demo = run.dir.path().join("cache/demo");
    let demo = demo.to_str().unwrap();
    let scan = run.json(&["scan", demo, "--json"]);
    let studies = scan["studies"].as_array().unwrap();
    assert_eq!(studies.len(), 3);
    let series: Vec<&Value> = studies.iter().flat_map(|s| s["series"].as_array().unwrap()).collect();
    let ct = series.iter().find(|s| s["modality"] == "CT").expect("a CT");
    assert_eq!(ct["slices"], 120);
    assert_eq!(ct["volume"], true);
    assert_eq!(ct["warnings"].as_array().unwrap().len(), 0);

    let uid = ct["uid"].as_str().unwrap();
    let volume = run.json(&["volume", demo, "--series", uid, "--out", "ct.nii.gz"]);
    assert_eq!(volume["dims"], serde_json::json!([256, 256, 120]));
    let spacing: Vec<f64> = volume["spacing_mm"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let told: Vec<f64> = ct["spacing_mm"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert!(spacing.iter().zip(&told).all(|(a, b)| (a - b).abs() < 1e-4));

    let dx = series.iter().find(|s| s["modality"] == "DX").expect("an X-ray");
    let file = find(Path::new(demo), "xray");
    let file = file.to_str().unwrap();
    let decoded = run.json(&["decode", file, "--frame", "all", "--out", "raw"]);
    let bytes = std::fs::read(run.dir.path().join("raw")).unwrap().len() as u64;
    assert_eq!(decoded["rows"].as_u64().unwrap() * decoded["columns"].as_u64().unwrap() * 2, bytes);
    assert_eq!(decoded["rows"], dx["rows"]);

    let result = run.json(&["infer", "cxr-lungs", file, "--out", "found", "--json"]);
    let masks = result["inputs"][0]["masks"].as_array().unwrap();
    assert_eq!(masks.len(), 2);
    for mask in masks {
        assert!(mask["area_mm2"].as_f64().unwrap() > 10_000.0);
        assert!(run.dir.path().join("found").join(mask["file"].as_str().unwrap()).is_file());
    }
    assert!(run.dir.path().join("found/results.json").is_file());

    let moved = run.json(&["infer", "cxr-lungs", file, "--out", "moved", "--uncertainty", "tta", "--json"]);
    let spread = &moved["inputs"][0]["uncertainty"];
    assert!(spread["area_deviation_relative"].as_f64().unwrap() < 0.3, "{spread}");
    assert!(run.dir.path().join("moved").join(spread["file"].as_str().unwrap()).is_file());
    for (more, says) in [(["--explain", "grad-cam"], "for classifiers"), (["--point", "3,4"], "takes none")] {
        let args = ["infer", "cxr-lungs", file, "--out", "x", more[0], more[1]];
        let text = run.fails(&args, 1);
        assert!(text.contains(says), "{text}");
    }

    let seg = run.dir.path().join("found").join(result["inputs"][0]["seg"].as_str().unwrap());
    let out = run.lightbox(&["render", file, "--overlay", seg.to_str().unwrap(), "--out", "r.png"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));

    // A picture with another theme and a stroke leaves the reader's settings and journal as they were.
    let settings = run.dir.path().join("cache/settings.json");
    std::fs::write(&settings, r#"{"theme": "Dark"}"#).unwrap();
    let script = r#"[{"set_theme": "Light"}, {"add_segment": {"name": "Drawn for a picture"}}]"#;
    std::fs::write(run.dir.path().join("script.json"), script).unwrap();
    let out = run.lightbox(&["screenshot", file, "--out", "s.png", "--size", "960x600", "--script", "script.json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(std::fs::read_to_string(&settings).unwrap(), r#"{"theme": "Dark"}"#);
    assert!(!run.dir.path().join("cache/journal").exists());
}

fn find(dir: &Path, folder: &str) -> std::path::PathBuf {
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if dir.ends_with(folder) && path.extension().is_some_and(|e| e == "dcm") {
                return path;
            }
        }
    }
    panic!("no {folder} in the demo");
}

#[test]
fn copies_are_de_identified_and_reported() {
    let run = Run::new();
    assert!(run.lightbox(&["demo", "--size", "960x600"]).status.success());
    let demo = run.dir.path().join("cache/demo");
    let demo = demo.to_str().unwrap();
    let args = ["anonymize", demo, "--out", "copies", "--report", "report.json", "--option", "clean-descriptors"];
    let out = run.lightbox(&args);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8(out.stdout).unwrap().trim(), "copies");
    let report: Value = serde_json::from_slice(&std::fs::read(run.dir.path().join("report.json")).unwrap()).unwrap();
    let (before, after) = (run.json(&["scan", demo, "--json"]), run.json(&["scan", "copies", "--json"]));
    let studies = |v: &Value| v["studies"].as_array().unwrap().clone();
    assert_eq!(studies(&before).len(), studies(&after).len());
    assert_eq!(report["options"], serde_json::json!(["clean-descriptors"]));
    assert!(report["copies"].as_u64().unwrap() > 10);
    // The demo's folder has a mark beside its images.
    assert!(report["left_out"].as_array().unwrap().iter().all(|l| l["reason"] == "it is not a DICOM file"));
    let names = report["attributes"].as_array().unwrap();
    assert!(names.iter().any(|a| a["keyword"] == "PatientName" && a["replaced"] == report["copies"]));
    for study in studies(&before) {
        let name = study["patient"]["name"].as_str().unwrap();
        assert!(!name.is_empty() && !after.to_string().contains(name) && !report.to_string().contains(name));
    }
    // A second run does not write over the first.
    assert!(run.fails(&["anonymize", demo, "--out", "copies"], 1).contains("not empty"));
}

#[test]
fn bad_input_is_one_sentence_and_exit_code_1() {
    let run = Run::new();
    std::fs::write(run.dir.path().join("text.dcm"), "not an image").unwrap();
    std::fs::create_dir(run.dir.path().join("empty")).unwrap();
    for args in [
        vec!["scan", "nowhere"],
        vec!["scan", "text.dcm"],
        vec!["scan", "empty"],
        vec!["decode", "text.dcm", "--out", "x"],
        vec!["volume", "text.dcm", "--out", "x.nii"],
        vec!["infer", "cxr-lungs", "text.dcm", "--out", "found"],
        vec!["infer", "no-such-model", "text.dcm", "--out", "found"],
        vec!["evaluate", "no-such-model"],
        vec!["train", "nowhere.toml", "--out", "x"],
        vec!["report", "draft", "--findings", "text.dcm"],
        vec!["open", "text.dcm"],
        vec!["pacs", "query"],
        vec!["anonymize", "text.dcm", "--out", "copies"],
        vec!["anonymize", "nowhere", "--out", "copies"],
    ] {
        let text = run.fails(&args, 1);
        let sentence =
            text.lines().rfind(|l| l.starts_with("lightbox: ")).unwrap_or_else(|| panic!("{args:?}: {text}"));
        assert!(sentence.len() > 20, "{args:?}: {text}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let run = Run::new();
    for args in [
        vec!["scan"],
        vec!["decode", "x"],
        vec!["demo", "--size", "big"],
        vec!["evaluate", "m", "--cases", "some"],
        vec!["anonymize", "x"],
        vec!["anonymize", "x", "--out", "y", "--option", "clean-pixel-data"],
        vec!["anonymize", "x", "--out", "y", "--option", "retain-full-dates", "--option", "retain-modified-dates"],
    ] {
        run.fails(&args, 2);
    }
}

#[test]
fn reports_are_drafted_read_and_checked() {
    let run = Run::new();
    let findings = r#"{"exam": {"modality": "CT", "body_part": "CHEST"}, "findings": [{"id": "f1", "term": "pulmonary nodule",
      "assertion": "present", "site": "right lower lobe", "side": "right", "size_mm": [8.4, 6.1],
      "source": {"kind": "reader"}, "state": "confirmed"}]}"#;
    std::fs::write(run.dir.path().join("f.json"), findings).unwrap();
    let out = run.lightbox(&["report", "draft", "--findings", "f.json"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("right lower lobe") && text.contains("8.4"), "{text}");
    std::fs::write(
        run.dir.path().join("r.txt"),
        "Findings: Nodule in the left lower lobe, 8 mm.\n\nImpression: Nodule.\n",
    )
    .unwrap();
    let issues = run.json(&["report", "check", "r.txt", "--findings", "f.json", "--json"]);
    assert!(issues.as_array().unwrap().iter().any(|i| i["rule"] == "R01"), "{issues}");
    let terms = run.json(&["report", "parse", "r.txt", "--json"]);
    assert!(terms.as_array().unwrap().iter().any(|t| t["side"] == "left"), "{terms}");
}

#[test]
fn what_is_proposed_is_held_by_the_findings() {
    let run = Run::new();
    let findings = r#"{"exam": {"modality": "CT", "body_part": "CHEST"}, "patient": {"age": 64}, "findings": [
      {"id": "f1", "term": "pulmonary nodule", "site": "right lower lobe", "side": "right", "size_mm": [8.4, 6.1], "state": "confirmed"},
      {"id": "f2", "term": "emphysema", "source": {"kind": "model"}, "state": "proposed"}]}"#;
    std::fs::write(run.dir.path().join("f.json"), findings).unwrap();
    for (command, word) in [("impression", "8.4 x 6.1 mm"), ("letter", "small spot in the lung")] {
        let found = run.json(&["report", command, "--findings", "f.json", "--json"]);
        let sentences = found["proposal"]["sentences"].as_array().unwrap();
        let text: String = sentences.iter().map(|s| s["text"].as_str().unwrap()).collect::<Vec<_>>().join(" ");
        assert!(text.contains(word) && !text.to_lowercase().contains("emphysema"), "{text}");
        assert!(sentences.iter().all(|s| s["faults"].as_array().unwrap().is_empty()), "{found}");
    }
    std::fs::write(run.dir.path().join("lie.gguf"), b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff").unwrap();
    let told = run.fails(&["report", "letter", "--findings", "f.json", "--model", "lie.gguf"], 1);
    assert!(told.contains("GGUF"), "{told}");
    run.fails(&["report", "impression"], 1);
    std::fs::write(run.dir.path().join("r.txt"), "FINDINGS: No effusion. Nodule, unchanged. Repeat CT in 3 months.")
        .unwrap();
    let kinds = run.json(&["report", "kinds", "r.txt", "--json"]);
    let kinds: Vec<&str> = kinds.as_array().unwrap().iter().map(|k| k["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["negative", "comparison", "recommendation"]);
    let words = run.json(&["report", "words", "pleural effusion", "--json"]);
    assert!(words.as_array().unwrap().iter().any(|w| w["same"] == true), "{words}");
    let next = run.json(&["report", "complete", "There is no pleural eff", "--json"]);
    assert_eq!(next[0]["insert"], "usion", "{next}");
}
