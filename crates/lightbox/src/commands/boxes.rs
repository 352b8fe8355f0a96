//! train: a detector from boxes that a reader drew.

use std::path::Path;

use lightbox_dicom::Opener;
use lightbox_model::rcnn::{Backbone, Drawing, Drawn, Example, Plan, Recipe, train as run};
use lightbox_model::{RunCx, Store, card};

use super::index;
use crate::output;

/// Trains from a recipe's boxes and writes the model into `out`.
pub(super) fn train(recipe: &Recipe, path: &Path, out: &Path) -> Result<(), String> {
    let backbone = match recipe.backbone.as_deref() {
        None => Backbone::random(recipe.settings.seed),
        Some(dir) if Path::new(dir).join(card::CARD_FILE).is_file() => Backbone::in_folder(Path::new(dir)),
        Some(id) => Store::open_default().get(id).and_then(Backbone::of),
    };
    let backbone = backbone.map_err(|e| e.to_string())?;
    let plan = recipe.plan();
    let folder = path.parent().unwrap_or(Path::new("."));
    let opener = Opener::default();
    let examples =
        recipe.image.iter().map(|d| example(d, folder, &backbone, &plan, &opener)).collect::<Result<Vec<_>, _>>()?;
    let cx = RunCx { cancelled: &|| false, progress: &output::progress };
    let trained = run(&examples, &backbone, &plan, &cx).map_err(|e| e.to_string());
    output::progress_end();
    let trained = trained?;
    trained.save(out).map_err(|e| e.to_string())?;
    output::json(&trained.report)
}

fn example(
    drawing: &Drawing,
    folder: &Path,
    backbone: &Backbone,
    plan: &Plan,
    opener: &Opener,
) -> Result<Example, String> {
    let path = folder.join(&drawing.path);
    let found = index(std::slice::from_ref(&path))?;
    let mut frames = found.studies.iter().flat_map(|s| &s.series).flat_map(|s| &s.stacks).flat_map(|k| &k.frames);
    let Some(frame) = frames.nth(drawing.frame) else {
        return Err(format!("it holds no frame {}: {}", drawing.frame, path.display()));
    };
    let decoded = opener.decode(frame).map_err(|e| e.to_string())?;
    let window = decoded.windows.first().map(|(_, window)| *window);
    let (picture, notes) = lightbox_session::picture(&decoded.frame, window, decoded.inverted, backbone.input());
    notes.iter().for_each(|n| output::note(n));
    let boxes = drawing
        .boxes
        .iter()
        .filter_map(|b| Some(Drawn { rect: b.rect, label: plan.labels.iter().position(|l| *l == b.label)? }))
        .collect();
    Ok(Example { picture, boxes })
}
