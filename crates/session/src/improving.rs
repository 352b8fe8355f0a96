//! Letting a copy of a model learn from masks that the reader approved: what there is to learn from, a run, and its offer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lightbox_core::label::MaskOrigin;
use lightbox_core::{Segment, SegmentId};
pub use lightbox_model::train::correct::{Compared, LEAST_PERSONS, Learnt};
use lightbox_model::train::correct::{Offer, can_learn};
pub use lightbox_model::train::kept::Count;

use crate::document::Document;
use crate::ids::{JobId, StackId};
use crate::models::ModelInfo;

/// Updates of one run.
pub const UPDATES: usize = 64;
/// What the reader has to be told where the model's own data are not at hand.
pub const NO_OWN: &str =
    "The data that the card names are not on this machine, so what the copy forgot of them was not measured.";

mod synthetic;

pub use synthetic::keep_synthetic;

/// Everything about learning from approved masks.
#[derive(Debug, Clone, Default)]
pub struct Improving {
    /// What there is to learn from, of each model that has some.
    pub counts: Vec<Count>,
    /// What was used since the program began: stack, frame, model.
    pub used: BTreeSet<(StackId, usize, String)>,
    /// The run.
    pub run: Option<Learning>,
    /// What came of the last run, until the reader decides.
    pub offer: Option<Offered>,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Learning {
    /// The model that a copy of learns.
    pub model: String,
    /// Its job.
    pub job: JobId,
    /// Updates in all.
    pub updates: usize,
    /// The curve so far.
    pub points: Vec<Learnt>,
    /// It was asked to end with the best state so far.
    pub ending: bool,
}

/// A changed copy that the reader can keep or not. It is in memory only.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The model that was changed.
    pub model: String,
    /// The curve.
    pub points: Vec<Learnt>,
    /// What the reader has to know, a sentence each.
    pub notes: Vec<String>,
    /// It is being kept.
    pub keeping: bool,
    pub(crate) offer: Arc<Offer>,
}

impl Offered {
    /// Dice on masks of persons that were held back.
    #[must_use]
    pub fn held_back(&self) -> Compared {
        self.offer.held_back
    }

    /// Dice on cases of the model's own kind, where their data are at hand.
    #[must_use]
    pub fn own(&self) -> Option<Compared> {
        self.offer.own
    }

    /// Whether it is better on the approved masks and not much worse on its own cases.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.offer.passes
    }

    /// Masks learnt from, and updates until the state that is offered.
    #[must_use]
    pub fn effort(&self) -> (usize, usize) {
        (self.offer.learnt_from, self.offer.updates)
    }
}

impl Improving {
    /// What there is for a model to learn from.
    #[must_use]
    pub fn count(&self, model: &str) -> Count {
        let found = self.counts.iter().find(|c| c.model == model).cloned();
        found.unwrap_or_else(|| Count { model: model.to_owned(), ..Count::default() })
    }

    /// How many more persons are needed before a run can begin.
    #[must_use]
    pub fn persons_lacking(&self, model: &str) -> usize {
        LEAST_PERSONS.saturating_sub(self.count(model).persons)
    }

    /// By model, for those who list all.
    #[must_use]
    pub fn by_model(&self) -> BTreeMap<&str, &Count> {
        self.counts.iter().map(|c| (c.model.as_str(), c)).collect()
    }
}

impl ModelInfo {
    /// Whether a copy of it can learn from approved masks.
    #[must_use]
    pub fn can_learn(&self) -> bool {
        self.problem.is_none() && can_learn(&self.card)
    }
}

/// The masks on a frame that a reader approved for a model: those of the model that were accepted or corrected, and those
/// drawn by hand under one of its names.
///
/// # Errors
/// Why there is nothing to learn from, a sentence.
pub fn approved(
    document: Option<&Document>,
    model: &ModelInfo,
    frame: Option<usize>,
) -> Result<Vec<SegmentId>, &'static str> {
    const NONE: &str = "No approved mask of it is on this image.";
    let (Some(document), Some(frame)) = (document, frame) else { return Err(NONE) };
    if document.stroke.is_some() {
        return Err("A stroke is being drawn.");
    }
    let filled = |s: &&Segment| s.mask.plane(frame).is_some_and(|p| p.count() > 0);
    let ours: Vec<&Segment> = document.segments.iter().filter(filled).filter(|s| is_of(s, model)).collect();
    if ours.is_empty() {
        return Err(NONE);
    }
    if ours.iter().any(|s| document.proposed.contains(&s.id)) {
        return Err("Accept, correct or reject its proposals on this image first.");
    }
    Ok(ours.into_iter().map(|s| s.id).collect())
}

/// Whether a segment holds what a model outlines.
fn is_of(segment: &Segment, model: &ModelInfo) -> bool {
    match &segment.origin {
        MaskOrigin::Model { model: id, .. } => *id == model.id,
        MaskOrigin::Reader => model.card.labels.iter().any(|label| {
            let sides = label.sides.iter().flat_map(|s| [&s.right, &s.left]);
            sides.chain([&label.name]).any(|name| name.eq_ignore_ascii_case(segment.name.trim()))
        }),
    }
}
