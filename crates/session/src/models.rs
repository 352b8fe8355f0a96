//! The models as the window lists them.

use std::path::PathBuf;

use lightbox_model::arch::Takes;
use lightbox_model::card::{Candidate, Card};

use crate::heat::ExplainBy;
use crate::library::{OpenStack, OpenStudy};

/// A model at hand.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// Its id.
    pub id: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Its card.
    pub card: Card,
    /// Why it cannot be used (broken card, missing weights).
    pub problem: Option<String>,
    /// The user added it; it did not come with the program.
    pub added: bool,
}

/// Whether a model suits a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It was made for such images.
    Fits,
    /// It runs, but outside what its card covers; each reason is a sentence.
    Outside(Vec<String>),
    /// It cannot run: `needs a chest X-ray`.
    Unfit(String),
}

/// Modalities of the standard that are all projections with X-rays.
const XRAY: [&str; 6] = ["CR", "DX", "DR", "RG", "RF", "XA"];

/// Modalities in words: `an X-ray`, `CT or MR`.
fn wanted_images(modalities: &[String]) -> String {
    let is_xray = |m: &String| XRAY.iter().any(|x| m.eq_ignore_ascii_case(x));
    let mut words: Vec<&str> = modalities.iter().filter(|m| !is_xray(m)).map(String::as_str).collect();
    if modalities.iter().any(is_xray) {
        words.insert(0, "an X-ray");
    }
    words.join(" or ")
}

impl ModelInfo {
    /// Whether it suits a stack of a study.
    #[must_use]
    pub fn fit(&self, stack: &OpenStack, study: Option<&OpenStudy>) -> Fit {
        if let Some(problem) = &self.problem {
            return Fit::Unfit(problem.clone());
        }
        let modality = stack.series.modality.as_str();
        let wanted = &self.card.fits.modality;
        if !wanted.is_empty() && !wanted.iter().any(|m| m.eq_ignore_ascii_case(modality)) {
            return Fit::Unfit(format!("needs {}", wanted_images(wanted)));
        }
        if let Some(reason) = self.wrong_shape(stack) {
            return Fit::Unfit(reason);
        }
        let candidate = Candidate {
            modality: Some(modality).filter(|s| !s.is_empty()),
            body_part: Some(stack.series.body_part.as_str()).filter(|s| !s.is_empty()),
            view: Some(stack.series.view.as_str()).filter(|s| !s.is_empty()),
            age_years: study.and_then(|s| s.patient.age_years),
        };
        let objections = self.card.fits.objections(&candidate);
        if objections.is_empty() { Fit::Fits } else { Fit::Outside(objections) }
    }

    /// Whether it reads a series as a whole.
    #[must_use]
    pub fn takes_volumes(&self) -> bool {
        matches!(self.card.architecture.takes(), Takes::Volume(_))
    }

    /// The ways that its answers can be looked at, the quickest first.
    #[must_use]
    pub fn explains(&self) -> &'static [ExplainBy] {
        crate::worker::explain::ways(&self.card, self.takes_volumes())
    }

    /// Why an image of this shape cannot be its input: `needs a volume`.
    fn wrong_shape(&self, stack: &OpenStack) -> Option<String> {
        let is_volume = stack.info.is_volume && stack.in_patient && stack.frames() > 1;
        let colour = stack.volume.slices().iter().flatten().next().is_some_and(|frame| frame.is_colour());
        match self.card.architecture.takes() {
            // The window has no tool for it yet; `lightbox infer --point` has.
            _ if self.card.input.click => Some("needs a point to outline".to_owned()),
            Takes::Latent(_) => Some("makes images of noise and reads none".to_owned()),
            Takes::Volume(_) if !is_volume => Some("needs a volume, this is a single image".to_owned()),
            Takes::Volume(n) if n != 1 => Some(format!("needs {n} channels, this series has one")),
            Takes::Volume(_) if colour => Some("needs grey images, these are in colour".to_owned()),
            Takes::Plane(n) if colour && n != 3 => Some("needs a grey image, this one is in colour".to_owned()),
            // One grey channel is laid into three, as every published net is used on X-rays; into another number it is not.
            Takes::Plane(n) if n != 1 && n != 3 => Some(format!("needs {n} channels, this image has one")),
            _ => None,
        }
    }

    /// The measured figure that stands beside its name: `Dice 0.96 (0.95 to 0.97)`; empty without one.
    #[must_use]
    pub fn headline(&self) -> String {
        for (name, shown) in [("dice", "Dice"), ("auc", "AUC"), ("ap50", "AP50"), ("ssim", "SSIM")] {
            if let Some(m) = self.card.metrics.get(name) {
                // Nothing that falls short of 1 is shown as 1.
                let digits = if m.high > 0.99 { 3 } else { 2 };
                return format!("{shown} {:.digits$} ({:.digits$} to {:.digits$})", m.value, m.low, m.high);
            }
        }
        String::new()
    }
}

/// The models in a folder, for a check of what is shipped.
#[must_use]
pub fn models_in(dir: &std::path::Path) -> Vec<ModelInfo> {
    let store = lightbox_model::Store::discover(&[dir.to_owned()], None);
    store.entries().iter().map(ModelInfo::of).collect()
}

impl ModelInfo {
    pub(crate) fn of(e: &lightbox_model::Entry) -> Self {
        Self { id: e.id.clone(), dir: e.dir.clone(), card: e.card.clone(), problem: e.problem.clone(), added: e.added }
    }
}
