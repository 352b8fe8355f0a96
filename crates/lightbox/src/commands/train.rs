//! train and evaluate.

use std::path::Path;

use lightbox_model::evaluate::{Cases, evaluate as measure, worst_cases};
use lightbox_model::train::{Recipe, TrainOptions, train as run};
use lightbox_model::{Card, Model, RunCx, Store, card, data, rcnn};

use super::language;
use crate::args;
use crate::output;

/// A model by id, or by the folder that it lies in.
pub(super) fn model(name: &str) -> Result<Model, String> {
    let dir = Path::new(name);
    if dir.join(card::CARD_FILE).is_file() {
        let card = Card::read(dir).map_err(|e| e.to_string())?;
        return Model::load_from(card, &dir.join(card::WEIGHTS_FILE)).map_err(|e| e.to_string());
    }
    let all = Store::open_default();
    let entry = all.get(name).map_err(|e| e.to_string())?;
    if let Some(problem) = &entry.problem {
        return Err(problem.clone());
    }
    Model::load(entry).map_err(|e| e.to_string())
}

pub(super) fn evaluate(
    name: &str,
    root: Option<&Path>,
    cases: args::Cases,
    gallery: Option<&Path>,
    json: bool,
) -> Result<(), String> {
    let cases = match cases {
        args::Cases::Test => Cases::Test,
        args::Cases::All => Cases::All,
    };
    let cx = RunCx { cancelled: &|| false, progress: &output::progress };
    let root = data::root(root);
    let text = language::of(name)?;
    let (result, bytes) = match &text {
        Some(_) if gallery.is_some() => return Err("A model of text has no pictures of its worst cases.".into()),
        Some(text) => (language::evaluate(text, &root, cases, &cx), None),
        None => {
            let model = model(name)?;
            let result = measure(&model, &root, cases, &cx).map_err(|e| e.to_string());
            let bytes = gallery.map(|_| worst_cases(&model, &root, cases, &cx).map_err(|e| e.to_string()));
            (result, bytes)
        }
    };
    output::progress_end();
    let result = result?;
    if let (Some(file), Some(bytes)) = (gallery, bytes) {
        super::images::write(file, &bytes?)?;
    }
    if json {
        return output::json(&result);
    }
    output::line(&format!("{} on {} cases", result.model, result.cases));
    for (title, metrics) in [("", &result.metrics), ("plain method: ", &result.baseline)] {
        for (name, m) in metrics {
            output::line(&format!("{title}{name} {:.4} ({:.4} to {:.4})", m.value, m.low, m.high));
        }
    }
    Ok(())
}

pub(super) fn train(
    recipe: &Path,
    root: Option<&Path>,
    out: &Path,
    resume: bool,
    device: String,
) -> Result<(), String> {
    // Boxes that a reader drew are another kind of recipe.
    if let Some(drawn) = rcnn::Recipe::read(recipe).map_err(|e| e.to_string())? {
        return super::boxes::train(&drawn, recipe, out);
    }
    let options = TrainOptions { resume, device };
    let cx = RunCx { cancelled: &|| false, progress: &output::progress };
    if let Some(recipe) = language::recipe(recipe)? {
        let report = language::train(&recipe, &data::root(root), out, &options, &cx);
        output::progress_end();
        return output::json(&report?);
    }
    let recipe = Recipe::read(recipe).map_err(|e| e.to_string())?;
    let report = run(&recipe, &data::root(root), out, &options, &cx).map_err(|e| e.to_string());
    output::progress_end();
    output::json(&report?)
}
