//! Training of networks that find boxes: what each prediction should have been ([`assign`]), how far off it is
//! ([`loss`]), and both together for each family.
//!
//! A family's room takes the network's raw numbers and the truth, both for a whole batch, and gives one scalar that
//! carries the graph. The assignment is plain Rust on detached numbers, as it has no gradient.

pub(crate) mod assign;
mod fast;
mod loss;
mod ssd;
mod two_stage;
mod yolox;

use crate::arch::detect::boxes::{Rect, area, has_size};
use crate::arch::detect::{fast::Fast, faster::Faster, ssd::Ssd, ssd_light::LightSsd, yolox::Yolox};
use crate::arch::{Architecture, BatchStatistics, Params, Pass, Tensors};
use crate::{Error, Result};
use candle_core::Tensor;
use rand::rngs::StdRng;

pub use assign::AssignSpec;

/// What one image holds, in pixels of the network's input.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Target {
    /// The boxes.
    pub boxes: Vec<Rect>,
    /// One a box, numbered as in the card (0 is the background where the network has one).
    pub labels: Vec<usize>,
    /// One a box, `[rows * columns]` of the input; empty where there are no outlines.
    pub masks: Vec<Vec<bool>>,
    /// Where objects may be, for networks that look at given regions only.
    pub proposals: Vec<Rect>,
}

/// A box narrower than this in pixels of the input teaches nothing.
pub(crate) const SMALLEST_PX: f32 = 1.0;

impl Target {
    /// Refuses boxes without area or outside the image, and labels that the network does not have.
    pub(crate) fn check(&self, labels: std::ops::Range<usize>, columns: usize, rows: usize) -> Result<(), String> {
        if self.labels.len() != self.boxes.len() || !(self.masks.is_empty() || self.masks.len() == self.boxes.len()) {
            return Err(format!(
                "{} boxes, {} labels and {} outlines do not go together",
                self.boxes.len(),
                self.labels.len(),
                self.masks.len()
            ));
        }
        for (b, label) in self.boxes.iter().zip(&self.labels) {
            if b.iter().any(|v| !v.is_finite()) || !has_size(b, SMALLEST_PX) || area(b) <= 0.0 {
                return Err(format!("the box {b:?} has no area"));
            }
            let inside = b[0] >= -0.5 && b[1] >= -0.5 && b[2] <= columns as f32 + 0.5 && b[3] <= rows as f32 + 0.5;
            if !inside {
                return Err(format!("the box {b:?} reaches out of the image of {columns} x {rows} pixels"));
            }
            if !labels.contains(label) {
                return Err(format!(
                    "a box has the label number {label}, the network {} to {}",
                    labels.start,
                    labels.end - 1
                ));
            }
        }
        if self.masks.iter().any(|m| m.len() != columns * rows) {
            return Err(format!("an outline has another size than the image of {columns} x {rows} pixels"));
        }
        Ok(())
    }
}

/// A network under training.
#[allow(clippy::large_enum_variant, reason = "one a step; its tensors are far larger")]
pub(crate) enum Detector {
    Yolox(Yolox),
    Ssd(Ssd),
    LightSsd(LightSsd),
    /// Faster or Mask R-CNN.
    TwoStage(Faster),
    Fast(Fast),
}

impl Detector {
    /// Builds the network on tensors under training; `statistics` gets what its batch norms saw.
    ///
    /// # Errors
    /// [`Error::Recipe`] for a family that has no training.
    pub(crate) fn new(architecture: &Architecture, tensors: &Tensors, statistics: &BatchStatistics) -> Result<Self> {
        let p = Params::training(tensors, statistics);
        Ok(match architecture {
            Architecture::Yolox(c) => Self::Yolox(Yolox::new(&p, c)?),
            Architecture::Ssd300(c) => Self::Ssd(Ssd::new(&p, c)?),
            Architecture::SsdLight(c) => Self::LightSsd(LightSsd::new(&p, c)?),
            Architecture::FasterRcnn(c) => Self::TwoStage(Faster::new(&p, c, false)?),
            Architecture::MaskRcnn(c) => Self::TwoStage(Faster::new(&p, c, true)?),
            Architecture::FastRcnn(c) => Self::Fast(Fast::new(&p, c)?),
            other => {
                let reason = format!("there is no training for boxes with the architecture {}", other.name());
                return Err(Error::Recipe { reason });
            }
        })
    }

    /// The loss of a batch.
    ///
    /// # Shapes
    /// - `x`: `[batch, inputs, rows, columns]`, one of `targets` each
    /// - result: scalar
    ///
    /// # Errors
    /// [`Error::Data`] for a target that is no truth about the image, [`Error::Cancelled`], [`Error::Tensor`].
    pub(crate) fn loss(
        &self,
        x: &Tensor,
        targets: &[Target],
        spec: &AssignSpec,
        random: &mut StdRng,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor> {
        let (batch, _, rows, columns) = x.dims4()?;
        let fail = |reason: String| Error::Data { set: "boxes".into(), reason };
        if targets.len() != batch {
            return Err(fail(format!("{} targets for {batch} images", targets.len())));
        }
        let labels = match self {
            Self::Yolox(net) => 0..net.config().outputs,
            Self::Ssd(net) => 1..net.config().outputs,
            Self::LightSsd(net) => 1..net.config().outputs,
            Self::TwoStage(net) => 1..net.config().outputs,
            Self::Fast(net) => 1..net.config().outputs,
        };
        for target in targets {
            target.check(labels.clone(), columns, rows).map_err(fail)?;
        }
        match self {
            Self::Yolox(net) => yolox::loss(&net.heads(x, pass)?, targets, spec),
            Self::Ssd(net) => {
                let (logits, deltas, priors) = net.heads(x, pass)?;
                ssd::loss(&logits, &deltas, &priors, targets, spec)
            }
            Self::LightSsd(net) => {
                let (logits, deltas, priors) = net.heads(x, pass)?;
                let (w, h) = (columns as f32, rows as f32);
                let pixels = |p: &[f32; 4]| {
                    [(p[0] - p[2] / 2.0) * w, (p[1] - p[3] / 2.0) * h, (p[0] + p[2] / 2.0) * w, (p[1] + p[3] / 2.0) * h]
                };
                let priors: Vec<Rect> = priors.iter().map(pixels).collect();
                ssd::loss(&logits, &deltas, &priors, targets, spec)
            }
            Self::TwoStage(net) => two_stage::loss(net, x, targets, spec, random, pass),
            Self::Fast(net) => fast::loss(net, x, targets, spec, random, pass),
        }
    }
}

impl Detector {
    /// Runs what has norms on a batch, for their statistics.
    pub(crate) fn see(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<()> {
        match self {
            Self::Yolox(net) => net.heads(x, pass).map(drop),
            Self::Ssd(net) => net.heads(x, pass).map(drop),
            Self::LightSsd(net) => net.heads(x, pass).map(drop),
            Self::TwoStage(net) => net.maps(x, pass).map(drop),
            Self::Fast(net) => net.map(x, pass).map(drop),
        }
    }
}

/// Sets what a detector's last layers start from: rare objects are predicted as rare, and boxes as their anchors.
///
/// Without it the many empty places drown the few full ones in the first updates (Lin et al. 2017, section 3.3;
/// Girshick 2015, section 4.5).
pub(crate) fn start(architecture: &Architecture, tensors: &mut Tensors) -> Result<()> {
    /// Probability of an object in each place, as YOLOX and RetinaNet take it.
    const PRIOR: f64 = 0.01;
    let rare = -((1.0 - PRIOR) / PRIOR).ln();
    for (name, tensor) in tensors.iter_mut() {
        let has = |part: &str| name.contains(part);
        if matches!(architecture, Architecture::Yolox(_)) {
            if (has("cls_preds") || has("obj_preds")) && name.ends_with(".bias") {
                *tensor = (tensor.zeros_like()? + rare)?;
            } else if has("_preds") && name.ends_with(".weight") {
                *tensor = (&*tensor * 0.1)?;
            }
        }
        // 0.01 of a standard normal for logits, 0.001 for boxes in the papers; He's deviation is about 0.1 here.
        let last = [("cls_logits", 0.1), ("cls_score", 0.1), ("bbox_pred", 0.01), ("mask_fcn_logits", 0.3)];
        if let Some((_, factor)) = last.iter().find(|(part, _)| has(part))
            && name.ends_with(".weight")
        {
            *tensor = (&*tensor * *factor)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
