//! Language models on the command line: training, measuring, and what the report's commands use of them.

use std::path::Path;
use std::sync::Arc;

use lightbox_model::evaluate::{Cases, Evaluation};
use lightbox_model::language::recipe::TextRecipe;
use lightbox_model::language::train::{TextReport, train as run};
use lightbox_model::language::{TextModel, evaluate as measure};
use lightbox_model::train::TrainOptions;
use lightbox_model::{Card, RunCx, Store, card};

/// The language model of a name (id or folder); `None` where it is a model of another kind, or none at all.
pub(super) fn of(name: &str) -> Result<Option<Arc<TextModel>>, String> {
    let dir = Path::new(name);
    if dir.join(card::CARD_FILE).is_file() {
        let card = Card::read(dir).map_err(|e| e.to_string())?;
        if !TextModel::is(&card) {
            return Ok(None);
        }
        let model = TextModel::load_from(card, &dir.join(card::WEIGHTS_FILE)).map_err(|e| e.to_string())?;
        return Ok(Some(Arc::new(model)));
    }
    let all = Store::open_default();
    match all.get(name) {
        Ok(entry) if entry.problem.is_none() && TextModel::is(&entry.card) => {
            Ok(Some(Arc::new(TextModel::load(entry).map_err(|e| e.to_string())?)))
        }
        _ => Ok(None),
    }
}

/// The recipe, where it is one of a language model.
pub(super) fn recipe(path: &Path) -> Result<Option<TextRecipe>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) if TextRecipe::is(&text) => TextRecipe::parse(&text).map(Some).map_err(|e| e.to_string()),
        // What is wrong with it is said where recipes are read.
        _ => Ok(None),
    }
}

pub(super) fn train(
    recipe: &TextRecipe,
    root: &Path,
    out: &Path,
    options: &TrainOptions,
    cx: &RunCx<'_>,
) -> Result<TextReport, String> {
    run(recipe, root, out, options, cx).map_err(|e| e.to_string())
}

pub(super) fn evaluate(
    model: &Arc<TextModel>,
    root: &Path,
    cases: Cases,
    cx: &RunCx<'_>,
) -> Result<Evaluation, String> {
    measure::evaluate(model, root, cases, cx).map_err(|e| e.to_string())
}
