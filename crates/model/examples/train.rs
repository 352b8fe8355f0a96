//! `cargo run --release -p lightbox-model --example train -- RECIPE.toml DATA_ROOT OUT [--resume]`

use lightbox_model::RunCx;
use lightbox_model::train::{Recipe, TrainOptions, train};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [recipe, root, out, rest @ ..] = args.as_slice() else {
        return Err("usage: train RECIPE.toml DATA_ROOT OUT [--resume]".into());
    };
    let options = TrainOptions { resume: rest.iter().any(|a| a == "--resume"), ..TrainOptions::default() };
    let start = Instant::now();
    let last = Mutex::new(Instant::now() - Duration::from_secs(60));
    let progress = |part: f32, text: &str| {
        let Ok(mut last) = last.lock() else { return };
        if last.elapsed() > Duration::from_secs(10) || part >= 0.95 {
            *last = Instant::now();
            let line = format!("{:6.0} s {:5.1} % {text}\n", start.elapsed().as_secs_f64(), part * 100.0);
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    };
    let cx = RunCx { cancelled: &|| false, progress: &progress };
    let report = train(&Recipe::read(Path::new(recipe))?, Path::new(root), Path::new(out), &options, &cx)?;
    std::io::stdout().write_all(serde_json::to_string_pretty(&report)?.as_bytes())?;
    Ok(())
}
