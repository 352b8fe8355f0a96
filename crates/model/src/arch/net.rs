//! What every network does: an input to an output, with inner activations on request.

use crate::{Error, Result, RunCx};
use candle_core::Tensor;
use std::collections::BTreeMap;

/// What a network gives.
#[derive(Debug, Clone)]
pub enum Output {
    /// `[batch, classes]`, before softmax or sigmoid.
    Logits(Tensor),
    /// `[batch, labels, (slices,) rows, columns]`, before softmax or sigmoid.
    Masks(Tensor),
    /// `[batch, channels, rows, columns]`, restored or made up.
    Image(Tensor),
    /// One list per image of the batch, best first.
    Boxes(Vec<Detections>),
}

/// Boxes of one image, best first.
#[derive(Debug, Clone, Default)]
pub struct Detections {
    /// `[x0, y0, x1, y1]` in pixels of the network's input.
    pub boxes: Vec<[f32; 4]>,
    /// 0 to 1.
    pub scores: Vec<f32>,
    /// Number of the label among the card's, as in the published head (so background, where there is one, is 0).
    pub labels: Vec<usize>,
    /// For each box a probability `[rows, columns]` in the size of the input, where the network outlines.
    pub masks: Option<Tensor>,
}

/// A run of a network: where it may stop, and which inner activations are to be kept.
pub struct Pass<'a> {
    cx: RunCx<'a>,
    wanted: Vec<String>,
    /// The layer behind which nothing more is wanted.
    last: Option<String>,
    found: BTreeMap<String, Tensor>,
}

impl<'a> Pass<'a> {
    /// A run that keeps nothing.
    #[must_use]
    pub fn new(cx: RunCx<'a>) -> Self {
        Self { cx, wanted: Vec::new(), last: None, found: BTreeMap::new() }
    }

    /// A run that keeps activations, by the name of the layer in the published network.
    #[must_use]
    pub fn keeping(cx: RunCx<'a>, wanted: &[&str]) -> Self {
        Self { wanted: wanted.iter().map(|w| (*w).to_owned()).collect(), ..Self::new(cx) }
    }

    /// A run for one activation: it ends as cancelled behind that layer.
    #[must_use]
    pub(crate) fn up_to(cx: RunCx<'a>, layer: &str) -> Self {
        Self { wanted: vec![layer.to_owned()], last: Some(layer.to_owned()), ..Self::new(cx) }
    }

    /// Between two layers: [`Error::Cancelled`] if the result is no longer wanted.
    pub fn step(&self) -> Result<()> {
        self.cx.check()
    }

    /// Offers the activation behind a layer.
    pub fn tap(&mut self, name: &str, x: &Tensor) -> Result<()> {
        if self.wanted.iter().any(|w| w == name) {
            self.found.insert(name.to_owned(), x.clone());
        }
        if self.last.as_deref() == Some(name) {
            return Err(Error::Cancelled);
        }
        self.step()
    }

    /// Whether an activation is to be kept, so that it is worth computing.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.wanted.iter().any(|w| w == name)
    }

    /// What was kept.
    #[must_use]
    pub fn kept(&self) -> &BTreeMap<String, Tensor> {
        &self.found
    }

    /// Its cancellation and progress.
    #[must_use]
    pub fn cx(&self) -> &RunCx<'a> {
        &self.cx
    }
}

/// A network ready to run.
pub trait Net: Send + Sync {
    /// Runs it on the network's own input, in its own range.
    ///
    /// # Errors
    /// [`Error::Cancelled`] between two layers, [`Error::Tensor`] for an input of a wrong shape.
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Output>;

    /// A detector's answer on regions that are given, `[x0, y0, x1, y1]` in pixels of the input, in place of its own
    /// proposals; none where it has no head that takes regions.
    fn forward_on(&self, _x: &Tensor, _regions: &[[f32; 4]], _pass: &mut Pass<'_>) -> Option<Result<Output>> {
        None
    }

    /// The classes' numbers from the activation `features`, where the network has one to tell them from.
    fn head(&self, _features: &Tensor) -> Option<Result<Tensor>> {
        None
    }

    /// The number of the largest label in each voxel, where that needs less memory than [`Net::forward`].
    fn labels(&self, _x: &Tensor, _pass: &mut Pass<'_>) -> Option<Result<Vec<u16>>> {
        None
    }
}

/// For each pixel the number of the largest of `[labels, ..]`.
pub(crate) fn largest(logits: &Tensor) -> Result<Vec<u16>> {
    let labels = logits.dim(0)?;
    let values: Vec<f32> = logits.flatten_all()?.to_vec1()?;
    let size = values.len() / labels.max(1);
    let mut best = vec![0u16; size];
    let mut value = values[..size].to_vec();
    for label in 1..labels {
        for ((b, v), x) in best.iter_mut().zip(&mut value).zip(&values[label * size..]) {
            if x > v {
                (*b, *v) = (label as u16, *x);
            }
        }
    }
    Ok(best)
}

/// Checks a card's number against a range, so that no card asks for absurd memory.
pub(crate) fn within(what: &str, value: usize, low: usize, high: usize) -> Result<(), String> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(format!("{what} is {value}, not between {low} and {high}")) }
}

/// The channels of an image input.
pub(crate) fn channels(x: &Tensor, wanted: usize) -> Result<(usize, usize, usize)> {
    match x.dims() {
        [batch, c, rows, columns] if *c == wanted => Ok((*batch, *rows, *columns)),
        other => Err(Error::Image {
            reason: format!("the network takes [batch, {wanted}, rows, columns], the input is {other:?}"),
        }),
    }
}
