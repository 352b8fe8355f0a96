//! An R-CNN on a data set: no gradient goes through its backbone, so there are no updates; the heads are solved for.

use super::checkpoint::Progress;
use super::recipe::{Recipe, RegionSpec};
use super::{Job, on_cpu};
use crate::answer::picture_of;
use crate::arch::{Architecture, Tensors};
use crate::card::CARD_FILE;
use crate::data::case::Truth;
use crate::rcnn::{Backbone, Drawn, Example, Settings, learn};
use crate::{Error, Result, RunCx, Store};
use std::borrow::Cow;
use std::path::Path;
use std::time::Instant;

/// The backbone that the recipe names, of the kind that its architecture says.
pub(super) fn backbone(recipe: &Recipe, spec: &RegionSpec) -> Result<Backbone> {
    let dir = Path::new(&spec.backbone);
    let backbone = if dir.join(CARD_FILE).is_file() {
        Backbone::in_folder(dir)?
    } else {
        Backbone::of(Store::open_default().get(&spec.backbone)?)?
    };
    match &recipe.architecture {
        Architecture::Rcnn(config) if *config.backbone == *backbone.architecture() => Ok(backbone),
        _ => Err(Error::Recipe { reason: format!("the backbone is not the network of '{}'", spec.backbone) }),
    }
}

impl Job<'_> {
    /// Describes regions of all training cases and solves for the heads.
    pub(super) fn solve(&self, spec: &RegionSpec, cx: &RunCx<'_>) -> Result<(Tensors, Progress)> {
        let clock = Instant::now();
        let recipe = self.recipe;
        let start = on_cpu(&backbone(recipe, spec)?.named())?;
        let labels: Vec<String> = recipe.labels.iter().map(|l| l.name.clone()).collect();
        let settings = Settings {
            per_image: Some(spec.per_image),
            copies: spec.copies,
            cost: spec.cost,
            penalty: spec.penalty,
            seed: recipe.training.seed,
            ..Settings::default()
        };
        let example = |n: usize| -> Result<Cow<'static, Example>> {
            let case = self.cache.get(&self.parts.train[n..=n])?.pop();
            let fail = |reason: String| Error::Data { set: recipe.data.set.clone(), reason };
            let case = case.ok_or_else(|| fail("a case is missing".into()))?;
            let Truth::Boxes(boxes) = &case.truth else {
                return Err(fail(format!("no boxes are told: {}", case.name)));
            };
            let picture = picture_of(&case);
            if picture.planes.iter().flatten().any(|v| !v.is_finite()) {
                return Err(fail(format!("it holds values that are not finite: {}", case.name)));
            }
            let boxes = boxes.iter().map(|(rect, label)| Drawn { rect: *rect, label: *label }).collect();
            Ok(Cow::Owned(Example { picture, boxes }))
        };
        let (tensors, report) = learn(&self.card, start, (self.parts.train.len(), &example), &labels, &settings, cx)?;
        log::info!("{} regions, {:.3} of the objects covered", report.regions, report.covered);
        let seconds = clock.elapsed().as_secs_f64();
        Ok((tensors, Progress { steps: recipe.training.steps, seconds, ..Progress::default() }))
    }
}
