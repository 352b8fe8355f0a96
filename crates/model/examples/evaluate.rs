//! `cargo run --release -p lightbox-model --example evaluate -- MODEL_DIR DATA_ROOT [all]`

use lightbox_model::evaluate::{Cases, evaluate};
use lightbox_model::{Card, Model, RunCx, card};
use std::io::Write;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, root, rest @ ..] = args.as_slice() else {
        return Err("usage: evaluate MODEL_DIR DATA_ROOT [all]".into());
    };
    let cases = if rest.iter().any(|a| a == "all") { Cases::All } else { Cases::Test };
    let dir = Path::new(dir);
    let model = Model::load_from(Card::read(dir)?, &dir.join(card::WEIGHTS_FILE))?;
    let result = evaluate(&model, Path::new(root), cases, &RunCx::silent())?;
    std::io::stdout().write_all(serde_json::to_string_pretty(&result)?.as_bytes())?;
    Ok(())
}
