//! models: list, show, template, add, remove, verify.

use lightbox_model::{Card, Entry, Store, published, store};
use serde_json::{Value, json};

use crate::args::Models;
use crate::output;

pub(super) fn run(action: Option<Models>, as_json: bool) -> Result<(), String> {
    let mut all = Store::open_default();
    match action.unwrap_or(Models::List) {
        Models::List => {
            if as_json {
                return output::json(&all.entries().iter().map(describe).collect::<Vec<_>>());
            }
            for entry in all.entries() {
                let dice = entry
                    .card
                    .metrics
                    .get("dice")
                    .map_or(String::new(), |m| format!("Dice {:.3} ({:.3} to {:.3})", m.value, m.low, m.high));
                let problem = entry.problem.as_deref().map_or(String::new(), |p| format!("  ! {p}"));
                output::line(&format!("{:24} {:40} {dice}{problem}", entry.id, entry.card.name));
            }
            if all.entries().is_empty() {
                output::note("There are no models: neither in LIGHTBOX_WEIGHTS, nor in weights/, nor added.");
            }
            Ok(())
        }
        Models::Show { id } => {
            let entry = all.get(&id).map_err(|e| e.to_string())?;
            if as_json {
                return output::json(&describe(entry));
            }
            output::line(entry.card.to_toml().map_err(|e| e.to_string())?.trim_end());
            Ok(())
        }
        Models::Template { arch } => {
            let text = match published::template(&arch) {
                Some(card) => card.to_toml(),
                // The shipped card is a complete one to start from.
                None if arch == "unet2d" => all.get("cxr-lungs").and_then(|e| e.card.to_toml()),
                None => {
                    let known = published::NAMES.join(", ");
                    return Err(format!("there is no template for {arch}; there is one for unet2d, {known}"));
                }
            };
            output::line(text.map_err(|e| e.to_string())?.trim_end());
            Ok(())
        }
        Models::Add { files, card } => {
            let card = Card::read_file(&card).map_err(|e| e.to_string())?;
            let entry = all.add(&files, card).map_err(|e| e.to_string())?;
            output::line(&entry.id);
            Ok(())
        }
        Models::Remove { id } => all.remove(&id).map_err(|e| e.to_string()),
        Models::Verify => {
            let mut bad = 0;
            for entry in all.entries() {
                let result = match &entry.problem {
                    Some(problem) => Err(problem.clone()),
                    None => store::verify(entry).map_err(|e| e.to_string()),
                };
                match result {
                    Ok(()) => output::line(&format!("{}: the weights are those of the card", entry.id)),
                    Err(why) => {
                        bad += 1;
                        output::line(&format!("{}: {why}", entry.id));
                    }
                }
            }
            if bad > 0 { Err(format!("{bad} of {} models cannot be used", all.entries().len())) } else { Ok(()) }
        }
    }
}

fn describe(entry: &Entry) -> Value {
    let card = serde_json::to_value(&entry.card).unwrap_or_default();
    // From the card: reading half a gigabyte of weights to count them would be long.
    let parameters = entry.problem.is_none().then(|| entry.card.architecture.parameters());
    json!({
        "id": entry.id,
        "task": card.get("task"),
        "architecture": card.get("architecture"),
        "parameters": parameters,
        "input": card.get("input"),
        "labels": card.get("labels"),
        "licence": card.get("licence"),
        "sha256": card.get("sha256"),
        "metrics": card.get("metrics"),
        "added": entry.added,
        "problem": entry.problem,
    })
}
