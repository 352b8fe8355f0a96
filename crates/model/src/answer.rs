//! Any model on a plane image: classes, boxes, masks or an image, in the image's own pixels.

use crate::arch::{Detections, Output, Pass};
use crate::card::{Activation, Card, Resize, Task};
use crate::degrade::Degrade;
use crate::prepare::{Picture, Placed, Prepared, prepare};
use crate::segment::{LabelMask, sigmoid};
use crate::{Error, Model, Result, RunCx, post};
use candle_core::Tensor;
use std::time::Instant;

/// What a model says of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What was found.
    pub found: Found,
    /// Milliseconds by stage: `prepare`, `network`, `answer`.
    pub timings_ms: Vec<(String, f64)>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// One per label, in the card's order.
    Classes(Vec<Class>),
    /// Best first.
    Boxes(Vec<FoundBox>),
    /// One per label that is not the background, at the image's resolution.
    Masks(Vec<LabelMask>),
    /// An image at the network's resolution.
    Image(Restored),
}

/// A label's probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    /// As in the card.
    pub label: String,
    /// 0 to 1.
    pub probability: f32,
    /// From where on it counts as found, on the same scale.
    pub threshold: f32,
}

/// A box in pixels of the image, edges, `[x0, y0, x1, y1]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundBox {
    /// Its place.
    pub rect: [f32; 4],
    /// 0 to 1.
    pub score: f32,
    /// As in the card.
    pub label: String,
    /// `[rows * columns]` of the image, where the network outlines.
    pub mask: Option<Vec<bool>>,
}

/// An image that a network made.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// Width in pixels.
    pub columns: usize,
    /// Height in pixels.
    pub rows: usize,
    /// One per channel, `[rows * columns]`, in the network's own range.
    pub planes: Vec<Vec<f32>>,
    /// What came out minus what went in, first channel, where both have one size.
    pub residual: Option<Vec<f32>>,
    /// What went in, where it was an image.
    pub source: Option<Fed>,
}

/// What a network was given of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Fed {
    /// Width in pixels.
    pub columns: usize,
    /// Height in pixels.
    pub rows: usize,
    /// Its first channel, `[rows * columns]`, in the network's own range.
    pub plane: Vec<f32>,
    /// Where the image lies in it.
    pub placed: Placed,
}

impl Model {
    /// Runs the model on a plane image.
    ///
    /// # Errors
    /// [`Error::Image`] where image and model do not go together, with the reason; [`Error::Cancelled`].
    pub fn answer(&self, picture: &Picture, cx: &RunCx<'_>) -> Result<Answer> {
        self.answer_with(picture, None, cx)
    }

    /// Runs a detector of regions (R-CNN, Fast, Faster and Mask R-CNN) on given ones, `[x0, y0, x1, y1]` in pixels of
    /// the image, in place of its own proposals.
    ///
    /// # Errors
    /// As [`Model::answer`]; [`Error::Image`] where the model takes no regions, or one is not a box.
    pub fn answer_on(&self, picture: &Picture, regions: &[[f32; 4]], cx: &RunCx<'_>) -> Result<Answer> {
        self.answer_with(picture, Some(regions), cx)
    }

    fn answer_with(&self, picture: &Picture, regions: Option<&[[f32; 4]]>, cx: &RunCx<'_>) -> Result<Answer> {
        let card = self.card();
        let mut timings_ms = Vec::with_capacity(3);
        let mut clock = Instant::now();
        let mut stage = |name: &str| {
            timings_ms.push((name.to_owned(), clock.elapsed().as_secs_f64() * 1e3));
            clock = Instant::now();
        };
        if card.input.click {
            return Err(Error::Image { reason: format!("'{}' outlines what is clicked, and nothing was", card.id) });
        }
        (cx.progress)(0.0, "Preparing the image");
        let prepared = prepare(picture, card)?;
        if let Some(Degrade::Slab { slices, .. }) = card.data.as_ref().and_then(|d| d.degrade)
            && picture.planes.len() != slices
        {
            return Err(Error::Image { reason: format!("'{}' takes {slices} neighbour slices", card.id) });
        }
        stage("prepare");
        (cx.progress)(0.1, "Running the network");
        let output = match regions {
            // Those that restore on the image's own grid were trained here; others may enlarge.
            None if card.input.resize == Resize::Keep && card.data.as_ref().is_some_and(|d| d.degrade.is_some()) => {
                self.run_filled_up(&prepared.x, cx)?
            }
            None => self.network().run(&prepared.x, &mut Pass::new(*cx))?,
            Some(regions) => {
                let to = &prepared.placed;
                let input = |v: f32, axis: usize| (f64::from(v) * to.scale[axis] + to.offset[axis]) as f32;
                let moved: Vec<[f32; 4]> =
                    regions.iter().map(|b| [input(b[0], 0), input(b[1], 1), input(b[2], 0), input(b[3], 1)]).collect();
                self.run_on(&prepared.x, &moved, &mut Pass::new(*cx))?
            }
        };
        stage("network");
        (cx.progress)(0.9, "Making the answer");
        let found = match output {
            Output::Logits(t) => Found::Classes(classes(card, &t.get(0)?.to_vec1()?)),
            Output::Masks(t) => Found::Masks(masks(card, &t.get(0)?, &prepared, picture, cx)?),
            Output::Image(t) => Found::Image(restored(card, &t.get(0)?, &prepared.x, Some(prepared.placed))?),
            Output::Boxes(all) => {
                let one = all.into_iter().next().unwrap_or_default();
                Found::Boxes(boxes(card, &one, &prepared, picture)?)
            }
        };
        stage("answer");
        (cx.progress)(1.0, "Done");
        Ok(Answer { found, timings_ms })
    }

    /// Runs on an image whose sides are filled up (the border repeated) until the network can halve them; the answer is
    /// cut back.
    fn run_filled_up(&self, x: &Tensor, cx: &RunCx<'_>) -> Result<Output> {
        let (_, _, h, w) = x.dims4()?;
        let more = |n: usize| n.next_multiple_of(crate::restore::STEP) - n;
        let filled = x.pad_with_same(2, 0, more(h))?.pad_with_same(3, 0, more(w))?;
        let y = self.network().run(&filled, &mut Pass::new(*cx))?;
        Ok(match y {
            Output::Image(y) if y.dims()[2..] == filled.dims()[2..] => {
                Output::Image(y.narrow(2, 0, h)?.narrow(3, 0, w)?.contiguous()?)
            }
            other => other,
        })
    }

    /// The network's answer on regions in pixels of its input.
    pub(crate) fn run_on(&self, x: &Tensor, regions: &[[f32; 4]], pass: &mut Pass<'_>) -> Result<Output> {
        let bad = |b: &[f32; 4]| b.iter().any(|v| !v.is_finite()) || b[2] <= b[0] || b[3] <= b[1];
        if let Some(b) = regions.iter().find(|b| bad(b)) {
            return Err(Error::Image { reason: format!("the region {b:?} is no box") });
        }
        self.network().run_on(x, regions, pass).unwrap_or_else(|| {
            Err(Error::Image { reason: format!("'{}' takes no regions, it finds its own", self.card().id) })
        })
    }
}

/// A case of a data set as a picture.
pub(crate) fn picture_of(case: &crate::data::Case) -> Picture {
    let [_, rows, columns] = case.size;
    let full = matches!(case.pixels, crate::data::Pixels::U8(_)).then_some([0.0, 255.0]);
    Picture { columns, rows, planes: vec![case.pixels.to_f32()], full_range: full, window: full }
}

impl Model {
    /// The classifier's numbers for an image, before temperature and softmax.
    ///
    /// # Errors
    /// [`Error::Image`] where the model is no classifier or does not take the image; [`Error::Cancelled`].
    pub fn class_logits(&self, picture: &Picture, cx: &RunCx<'_>) -> Result<Vec<f32>> {
        want(self.card(), Task::Classification)?;
        let x = prepare(picture, self.card())?.x;
        Ok(self.network().forward(&x, cx)?.get(0)?.to_vec1()?)
    }
}

/// Numbers of one image to probabilities, with the card's temperature.
pub(crate) fn class_probabilities(card: &Card, logits: &[f32]) -> Vec<f32> {
    let cooled: Vec<f32> = logits.iter().map(|v| v / card.post.temperature.max(1e-3)).collect();
    probabilities(card.post.activation, &cooled)
}

/// Numbers of one image to probabilities.
fn probabilities(activation: Activation, logits: &[f32]) -> Vec<f32> {
    match activation {
        Activation::Sigmoid => logits.iter().map(|v| sigmoid(*v)).collect(),
        Activation::Softmax => crate::arch::detect::boxes::softmax(logits),
        Activation::None => logits.to_vec(),
    }
}

/// TorchXRayVision's `op_norm`: the operating point `t` becomes 0.5, both sides linear.
fn at_operating_point(p: f32, t: f32) -> f32 {
    if p < t { p / (2.0 * t) } else { 1.0 - (1.0 - p) / (2.0 * (1.0 - t)) }
}

fn classes(card: &Card, logits: &[f32]) -> Vec<Class> {
    let all = class_probabilities(card, logits);
    card.labels
        .iter()
        .zip(all)
        .map(|(label, p)| {
            let (probability, threshold) = if card.post.operating_points {
                (at_operating_point(p, label.threshold), 0.5)
            } else {
                (p, label.threshold)
            };
            Class { label: label.name.clone(), probability, threshold }
        })
        .collect()
}

/// Whether a label says that nothing is there.
pub(crate) fn is_background(name: &str) -> bool {
    ["background", "__background__", "bg", "unknown"].contains(&name.to_lowercase().as_str())
}

fn masks(card: &Card, logits: &Tensor, input: &Prepared, picture: &Picture, cx: &RunCx<'_>) -> Result<Vec<LabelMask>> {
    let (labels, rows, columns) = logits.dims3()?;
    let mut values: Vec<f32> = logits.flatten_all()?.to_vec1()?;
    let size = rows * columns;
    if card.post.activation == Activation::Softmax {
        for i in 0..size {
            let row: Vec<f32> = (0..labels).map(|l| values[l * size + i]).collect();
            for (l, p) in crate::arch::detect::boxes::softmax(&row).into_iter().enumerate() {
                values[l * size + i] = p;
            }
        }
    } else if card.post.activation == Activation::Sigmoid {
        values.iter_mut().for_each(|v| *v = sigmoid(*v));
    }
    let back = |label: usize| {
        let plane = &values[label * size..][..size];
        input.placed.plane_from_input(plane, [columns, rows], picture.columns, picture.rows, 0.0)
    };
    let mut best: Option<(Vec<f32>, Vec<u16>)> = None;
    if card.post.activation == Activation::Softmax {
        let mut top = back(0);
        let mut winner = vec![0u16; top.len()];
        for label in 1..labels {
            cx.check()?;
            for (i, p) in back(label).into_iter().enumerate() {
                if p > top[i] {
                    (top[i], winner[i]) = (p, label as u16);
                }
            }
        }
        best = Some((top, winner));
    }
    let mut out = Vec::new();
    for (l, label) in card.labels.iter().enumerate().filter(|(l, n)| *l > 0 || !is_background(&n.name)) {
        cx.check()?;
        let plane: Vec<f32> = match &best {
            Some((_, winner)) => winner.iter().map(|w| if usize::from(*w) == l { 1.0 } else { 0.0 }).collect(),
            None => back(l),
        };
        let threshold = if best.is_some() { 0.5 } else { label.threshold };
        let mask = post::mask_from_probability(&plane, picture.columns, threshold, &card.post, cx)?;
        out.push(LabelMask { label: label.name.clone(), mask });
    }
    Ok(out)
}

fn boxes(card: &Card, all: &Detections, input: &Prepared, picture: &Picture) -> Result<Vec<FoundBox>> {
    let (columns, rows) = (picture.columns, picture.rows);
    let mut out = Vec::with_capacity(all.boxes.len());
    for (i, b) in all.boxes.iter().enumerate() {
        let rect = input.placed.image_from_input(b, columns, rows);
        let Some(label) = card.labels.get(all.labels[i]) else { continue };
        // The card's threshold of a label is what is shown; the network's own is lower.
        if rect[2] <= rect[0] || rect[3] <= rect[1] || all.scores[i] < label.threshold {
            continue;
        }
        let mask = match &all.masks {
            Some(masks) => {
                let plane: Vec<f32> = masks.get(i)?.flatten_all()?.to_vec1()?;
                let back: &Placed = &input.placed;
                let plane = back.plane_from_input(&plane, [input.columns, input.rows], columns, rows, 0.0);
                Some(plane.into_iter().map(|p| p >= 0.5).collect())
            }
            None => None,
        };
        out.push(FoundBox { rect, score: all.scores[i], label: label.name.clone(), mask });
    }
    Ok(out)
}

pub(crate) fn restored(card: &Card, y: &Tensor, x: &Tensor, placed: Option<Placed>) -> Result<Restored> {
    let (channels, rows, columns) = y.dims3()?;
    let mut planes = Vec::with_capacity(channels);
    for c in 0..channels {
        let values: Vec<f32> = y.get(c)?.flatten_all()?.to_vec1()?;
        planes.push(match card.post.activation {
            Activation::Sigmoid => values.into_iter().map(sigmoid).collect(),
            _ => values,
        });
    }
    let residual = if x.rank() == 4 && x.dim(2)? == rows && x.dim(3)? == columns {
        // The middle one of several slices is the one that comes out.
        let input: Vec<f32> = x.get(0)?.get(x.dim(1)? / 2)?.flatten_all()?.to_vec1()?;
        Some(planes[0].iter().zip(&input).map(|(a, b)| a - b).collect())
    } else {
        None
    };
    let source = match placed {
        Some(placed) if x.rank() == 4 => Some(Fed {
            columns: x.dim(3)?,
            rows: x.dim(2)?,
            plane: x.get(0)?.get(0)?.flatten_all()?.to_vec1()?,
            placed,
        }),
        _ => None,
    };
    Ok(Restored { columns, rows, planes, residual, source })
}

/// Refuses a task that an entry point is not for.
pub(crate) fn want(card: &Card, task: Task) -> Result<()> {
    if card.task == task {
        return Ok(());
    }
    Err(Error::Image { reason: format!("'{}' is a model for {}", card.id, card.task.name()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::published::template;

    #[test]
    fn operating_points_become_a_half() {
        // torchxrayvision.models.op_norm.
        assert_eq!(at_operating_point(0.05, 0.1), 0.25);
        assert_eq!(at_operating_point(0.1, 0.1), 0.5);
        assert!((at_operating_point(0.55, 0.1) - 0.75).abs() < 1e-6);
        let card = template("xrv_densenet121").unwrap();
        let found = classes(&card, &[0.0; 18]);
        assert!(found.iter().all(|c| c.threshold == 0.5 && c.probability > 0.5));
        assert_eq!(found[10].label, "Cardiomegaly");
    }
}
