//! A model ready to run, and segmentation of a plane image.

use crate::arch::Network;
use crate::card::{Card, Task, WEIGHTS_FILE};
use crate::image::{GreyImage, resize};
use crate::run::RunCx;
use crate::store::Entry;
use crate::{Error, Result, post, weights};
use candle_core::{DType, Device, Tensor};
use std::time::Instant;

/// A network with its card.
pub struct Model {
    card: Card,
    network: Network,
    extras: crate::arch::Tensors,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.card.id).finish_non_exhaustive()
    }
}

/// What a caller may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentOptions {
    /// Whether the left edge of the image shows the patient's right side, as in a frontal radiograph.
    pub image_left_is_patient_right: bool,
}

impl Default for SegmentOptions {
    fn default() -> Self {
        Self { image_left_is_patient_right: true }
    }
}

/// Masks of an image, at its own resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    /// Width in pixels.
    pub columns: usize,
    /// Height in pixels.
    pub rows: usize,
    /// `[rows * columns]`, 0 to 1, of the card's first label.
    pub probability: Vec<f32>,
    /// One per label; a label with sides gives two, right first.
    pub masks: Vec<LabelMask>,
    /// Milliseconds by stage: `prepare`, `network`, `masks`.
    pub timings_ms: Vec<(String, f64)>,
}

/// The mask of one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMask {
    /// Name, as in the card (or of its side).
    pub label: String,
    /// `[rows * columns]`.
    pub mask: Vec<bool>,
}

impl Model {
    /// Reads the weights of an entry and checks hash, names, shapes and numbers.
    ///
    /// # Errors
    /// One sentence for each fault that a card or a weights file can have.
    pub fn load(entry: &Entry) -> Result<Self> {
        if let Some(problem) = &entry.problem {
            return Err(Error::Card { id: entry.id.clone(), reason: problem.clone() });
        }
        Self::load_from(entry.card.clone(), &entry.dir.join(WEIGHTS_FILE))
    }

    /// As [`Model::load`], from a card and a weights file.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_from(card: Card, path: &std::path::Path) -> Result<Self> {
        card.check()?;
        let bytes = weights::read_checked(&card.id, path, &card.sha256)?;
        let tensors = weights::parse(&card.id, &bytes, path, &Device::Cpu)?;
        Self::from_tensors(card, tensors)
    }

    pub(crate) fn from_tensors(card: Card, tensors: crate::arch::Tensors) -> Result<Self> {
        weights::check(&card.id, &tensors, &card.architecture.shapes())?;
        let network = card.architecture.build(&tensors)?;
        let extras = tensors.into_iter().filter(|(name, _)| weights::is_extra(name)).collect();
        Ok(Self { card, network, extras })
    }

    /// What is known about it.
    pub fn card(&self) -> &Card {
        &self.card
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Tensors of the plain method.
    pub(crate) fn extras(&self) -> &crate::arch::Tensors {
        &self.extras
    }

    /// Whether [`Model::segment`] is the way to its masks: a network of one grey channel on a squeezed image, each label
    /// for itself.
    #[must_use]
    pub fn segments_plainly(&self) -> bool {
        is_plain(&self.card)
    }

    /// Number of the network's parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.card.architecture.shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// The mean mask of the training cases, where the weights hold one.
    ///
    /// # Shapes
    /// `(rows, columns, [rows * columns])`, 0 to 1
    pub(crate) fn mean_mask(&self) -> Result<Option<(usize, usize, Vec<f32>)>> {
        let Some(mean) = self.extras.get(MEAN_MASK) else { return Ok(None) };
        let (rows, columns) = mean.dims2()?;
        Ok(Some((rows, columns, mean.flatten_all()?.to_vec1()?)))
    }

    /// Segments an image; image left is the patient's right.
    ///
    /// # Errors
    /// [`Error::Image`], [`Error::Cancelled`].
    pub fn segment(&self, image: &GreyImage, cx: &RunCx<'_>) -> Result<Segmentation> {
        self.segment_with(image, SegmentOptions::default(), cx)
    }

    /// Segments an image.
    ///
    /// # Errors
    /// As [`Model::segment`].
    pub fn segment_with(&self, image: &GreyImage, options: SegmentOptions, cx: &RunCx<'_>) -> Result<Segmentation> {
        if self.card.task != Task::Segmentation {
            let reason = format!("'{}' is a model of {}, which outlines nothing", self.card.id, self.card.task.name());
            return Err(Error::Image { reason });
        }
        if self.card.input.click {
            return Err(Error::Image {
                reason: format!("'{}' outlines what is clicked, and nothing was", self.card.id),
            });
        }
        image.check()?;
        let (columns, rows) = (image.columns, image.rows);
        let mut timings_ms = Vec::with_capacity(3);
        let mut clock = Instant::now();
        let mut stage = |name: &str| {
            timings_ms.push((name.to_owned(), clock.elapsed().as_secs_f64() * 1e3));
            clock = Instant::now();
        };
        (cx.progress)(0.0, "Preparing the image");
        let x = crate::evaluate::prepare(image, &self.card.input)?;
        stage("prepare");
        (cx.progress)(0.2, "Running the network");
        let planes = self.probabilities(&x, cx)?;
        stage("network");
        (cx.progress)(0.8, "Making masks");
        let spec = &self.card.input;
        let mut masks = Vec::new();
        let mut first = None;
        for (label, plane) in self.card.labels.iter().zip(planes) {
            cx.check()?;
            // Back at full resolution before the threshold, so that the edge is not a staircase.
            let plane = resize(&plane, spec.columns, spec.rows, columns, rows);
            let mask = post::mask_from_probability(&plane, columns, label.threshold, &self.card.post, cx)?;
            match &label.sides {
                Some(sides) => {
                    let (left, right) = post::split_sides(&mask, columns);
                    let (of_right, of_left) =
                        if options.image_left_is_patient_right { (left, right) } else { (right, left) };
                    masks.push(LabelMask { label: sides.right.clone(), mask: of_right });
                    masks.push(LabelMask { label: sides.left.clone(), mask: of_left });
                }
                None => masks.push(LabelMask { label: label.name.clone(), mask }),
            }
            first.get_or_insert(plane);
        }
        stage("masks");
        (cx.progress)(1.0, "Done");
        Ok(Segmentation { columns, rows, probability: first.unwrap_or_default(), masks, timings_ms })
    }

    /// Probabilities of the first image of a batch, one plane per label.
    ///
    /// # Shapes
    /// - `x`: `[batch, inputs, rows, columns]`
    /// - result: labels times `[rows * columns]`
    pub(crate) fn probabilities(&self, x: &Tensor, cx: &RunCx<'_>) -> Result<Vec<Vec<f32>>> {
        let logits = self.network.forward(x, cx)?;
        let plane = |label: usize| -> Result<Vec<f32>> {
            let values: Vec<f32> = logits.get(0)?.get(label)?.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
            Ok(values.into_iter().map(sigmoid).collect())
        };
        (0..self.card.labels.len()).map(plane).collect()
    }
}

/// Name of the mean mask among the tensors.
pub(crate) const MEAN_MASK: &str = "baseline.mean_mask";

pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
/// Whether [`Model::segment`] is the way to the masks of a model with this card.
pub(crate) fn is_plain(card: &Card) -> bool {
    let one = card.architecture.takes() == crate::arch::Takes::Plane(1) && !card.input.click;
    let input = card.input.resize == crate::card::Resize::Squeeze
        && card.input.intensity == crate::card::Intensity::Standardise;
    one && input && card.task == Task::Segmentation && card.post.activation == crate::card::Activation::Sigmoid
}
