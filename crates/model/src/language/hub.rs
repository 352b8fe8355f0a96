//! A folder as Hugging Face has them: `config.json`, `model.safetensors` or `pytorch_model.bin` (or their parts by index), and
//! the tokenizer's files.

use super::gpt2::fault;
use super::net::TextNet;
use super::store::TextModel;
use super::tokenizer::TextTokenizer;
use super::{bert, memory};
use crate::arch::{Architecture, Tensors};
use crate::card::{Card, Task};
use crate::input::InputSpec;
use crate::{Error, Result, import};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A larger `config.json` is none.
const LARGEST_CONFIG: u64 = 1 << 20;

/// The network that a `config.json` describes.
///
/// # Errors
/// [`Error::Text`] for a family that is not here, with the families that are; numbers that are absent or absurd.
pub fn network(config: &str) -> Result<TextNet> {
    let value: Value = serde_json::from_str(config).map_err(|e| fault(format!("config.json is not readable ({e})")))?;
    let absurd = |e: serde_json::Error| fault(format!("config.json does not describe the network: {e}"));
    let family = value["model_type"].as_str().unwrap_or_default();
    let net = match family {
        "bert" | "roberta" => {
            let mut config: bert::BertConfig = serde_json::from_value(value.clone()).map_err(absurd)?;
            config.classes = value["id2label"].as_object().map_or(0, serde_json::Map::len);
            if family == "roberta" {
                config.position_offset = value["pad_token_id"].as_u64().unwrap_or(1) as usize + 1;
            }
            TextNet::Bert(config)
        }
        "gpt2" => TextNet::Gpt2(serde_json::from_value(value).map_err(absurd)?),
        "t5" => TextNet::T5(serde_json::from_value(value).map_err(absurd)?),
        "" => return Err(fault("config.json names no model_type".into())),
        other => {
            return Err(fault(format!("models of the family '{other}' are not read; bert, roberta, gpt2 and t5 are")));
        }
    };
    net.check().map_err(fault)?;
    Ok(net)
}

/// The files of weights of a folder.
fn weights_of(dir: &Path) -> Result<Vec<PathBuf>> {
    for name in ["model.safetensors", "pytorch_model.bin"] {
        let whole = dir.join(name);
        if whole.is_file() {
            return Ok(vec![whole]);
        }
        let index = dir.join(format!("{name}.index.json"));
        if index.is_file() {
            let value: Value = serde_json::from_str(&read(&index, 64 << 20)?)
                .map_err(|e| fault(format!("{name}.index.json is not readable ({e})")))?;
            let map =
                value["weight_map"].as_object().ok_or_else(|| fault(format!("{name}.index.json names no files")))?;
            let mut names: Vec<&str> = map.values().filter_map(Value::as_str).collect();
            names.sort_unstable();
            names.dedup();
            if names.is_empty() || names.iter().any(|n| n.contains(['/', '\\']) || *n == "..") {
                return Err(fault(format!("{name}.index.json names files outside of its folder")));
            }
            return Ok(names.into_iter().map(|n| dir.join(n)).collect());
        }
    }
    Err(fault(format!("it has no weights: neither model.safetensors nor pytorch_model.bin: {}", dir.display())))
}

fn read(path: &Path, largest: u64) -> Result<String> {
    let length = std::fs::metadata(path).map_err(Error::read(path))?.len();
    if length > largest {
        return Err(fault(format!("{length} bytes are too many: {}", path.display())));
    }
    let bytes = std::fs::read(path).map_err(Error::read(path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A card for what nobody wrote one for: only what the files tell.
fn card(net: TextNet, name: &str) -> Card {
    Card {
        name: name.to_owned(),
        task: Task::Language,
        licence: "not told".into(),
        sha256: "0".repeat(64),
        limits: vec!["Brought by the user; nothing is known about how good it is.".into()],
        architecture: Architecture::Text(net),
        input: InputSpec::absent(),
        ..Card::stand_in("local")
    }
}

/// Loads a folder.
///
/// # Errors
/// [`Error::Text`], [`Error::Memory`]; as [`crate::Store::add`] for the weights.
pub fn load(dir: &Path) -> Result<TextModel> {
    let config = dir.join("config.json");
    if !config.is_file() {
        return Err(fault(format!("it has no config.json: {}", dir.display())));
    }
    let net = network(&read(&config, LARGEST_CONFIG)?)?;
    let files = weights_of(dir)?;
    let mut total = 0u64;
    for file in &files {
        total = total.saturating_add(std::fs::metadata(file).map_err(Error::read(file))?.len());
    }
    // The file, and its numbers as f32.
    memory::check(total.saturating_mul(3))?;
    let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut card = card(net, &name);
    let mut parts: Vec<Box<dyn import::Container>> = Vec::with_capacity(files.len());
    for file in &files {
        parts.push(import::open(std::slice::from_ref(file), &mut card.architecture)?);
    }
    let mut container = import::Joined::new(parts);
    let (tensors, _): (Tensors, _) = import::convert(&mut container, &mut card, &files[0])?;
    let tokenizer = match TextTokenizer::from_folder(dir) {
        Ok(tokenizer) => Some(tokenizer.to_json()?),
        // Weights alone can be run on numbers.
        Err(Error::Text { reason }) if reason.starts_with("it has no tokenizer") => None,
        Err(error) => return Err(error),
    };
    TextModel::of(card, &tensors, tokenizer.as_deref(), None)
}
