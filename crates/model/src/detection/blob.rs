//! The brightest-blob detector: what a sceptic would use instead of a network.
//!
//! [`blobs`] finds what is bright inside the body. What a blob is called follows from its place and size alone, by the mean
//! and deviation of each label's boxes in the training part (naive Bayes).

use super::Labelled;
use crate::arch::detect::blobs::blobs;
use crate::arch::detect::boxes::Rect;
use crate::{Error, Result};
use candle_core::{Device, Tensor};

/// Name of its numbers among the weights.
pub const TENSOR: &str = "baseline.blobs";

/// Most blobs of an image.
const MOST: usize = 10;

/// Place and size of each label's boxes: centre x and y, logarithms of width and height, as parts of the image.
#[derive(Debug, Clone, PartialEq)]
pub struct Blobs {
    /// Number of the label, logarithm of its share, means, variances.
    labels: Vec<(usize, f32, [f32; 4], [f32; 4])>,
}

fn features(b: &Rect, columns: usize, rows: usize) -> [f32; 4] {
    let (w, h) = (columns as f32, rows as f32);
    let (bw, bh) = ((b[2] - b[0]).max(1e-3), (b[3] - b[1]).max(1e-3));
    [(b[0] + b[2]) / 2.0 / w, (b[1] + b[3]) / 2.0 / h, (bw / w).ln(), (bh / h).ln()]
}

impl Blobs {
    /// Of the training part's boxes `(columns, rows, box)`.
    ///
    /// # Errors
    /// [`Error::Data`] where a label has fewer than two boxes.
    pub fn fit(boxes: &[(usize, usize, Labelled)]) -> Result<Self> {
        let mut numbers: Vec<usize> = boxes.iter().map(|b| b.2.label).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let labels = numbers
            .into_iter()
            .map(|label| {
                let own: Vec<[f32; 4]> =
                    boxes.iter().filter(|b| b.2.label == label).map(|(c, r, b)| features(&b.rect, *c, *r)).collect();
                if own.len() < 2 {
                    let reason = format!("label number {label} has {} box; at least 2 are needed", own.len());
                    return Err(Error::Data { set: "boxes".into(), reason });
                }
                let n = own.len() as f32;
                let mean: [f32; 4] = std::array::from_fn(|k| own.iter().map(|f| f[k]).sum::<f32>() / n);
                let variance =
                    std::array::from_fn(|k| (own.iter().map(|f| (f[k] - mean[k]).powi(2)).sum::<f32>() / n).max(1e-4));
                Ok((label, (n / boxes.len() as f32).ln(), mean, variance))
            })
            .collect::<Result<_>>()?;
        Ok(Self { labels })
    }

    /// As `[labels, 10]`: number, logarithm of the share, means, variances.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn to_tensor(&self) -> Result<Tensor> {
        let row = |(label, share, mean, variance): &(usize, f32, [f32; 4], [f32; 4])| {
            [*label as f32, *share].into_iter().chain(*mean).chain(*variance).collect::<Vec<f32>>()
        };
        let all: Vec<f32> = self.labels.iter().flat_map(row).collect();
        Ok(Tensor::from_vec(all, (self.labels.len(), 10), &Device::Cpu)?)
    }

    /// Back from [`Self::to_tensor`].
    ///
    /// # Errors
    /// [`Error::Tensor`] for another shape.
    pub fn from_tensor(t: &Tensor) -> Result<Self> {
        let labels = t
            .to_vec2::<f32>()?
            .into_iter()
            .map(|row| match row[..] {
                [label, share, a, b, c, d, e, f, g, h] => Ok((label as usize, share, [a, b, c, d], [e, f, g, h])),
                _ => Err(Error::Tensor(candle_core::Error::Msg(format!("{TENSOR} has {} columns, not 10", row.len())))),
            })
            .collect::<Result<_>>()?;
        Ok(Self { labels })
    }

    /// How likely each label is for a box, in the order of the labels.
    fn posterior(&self, b: &Rect, columns: usize, rows: usize) -> Vec<f32> {
        let f = features(b, columns, rows);
        let log = |(_, share, mean, variance): &(usize, f32, [f32; 4], [f32; 4])| {
            (0..4).map(|k| -0.5 * ((f[k] - mean[k]).powi(2) / variance[k] + variance[k].ln())).sum::<f32>() + share
        };
        crate::arch::detect::boxes::softmax(&self.labels.iter().map(log).collect::<Vec<_>>())
    }

    /// The blobs of a grey image, each once for every label with the part of its score that is due to it.
    #[must_use]
    pub fn find(&self, values: &[f32], columns: usize, rows: usize) -> Vec<Labelled> {
        let mut out = Vec::new();
        for (rect, score) in blobs(values, columns, rows).into_iter().take(MOST) {
            for ((label, ..), p) in self.labels.iter().zip(self.posterior(&rect, columns, rows)) {
                out.push(Labelled { rect, label: *label, score: score * p });
            }
        }
        out.sort_by(|a, b| b.score.total_cmp(&a.score));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::detect::boxes::iou;

    #[test]
    fn a_bright_blob_in_a_head_is_found_and_named_by_place_and_size() {
        let (columns, rows) = (128, 128);
        let away = |i: usize, x: f32, y: f32| ((i % columns) as f32 - x).hypot((i / columns) as f32 - y);
        let values: Vec<f32> = (0..columns * rows)
            .map(|i| {
                let noise = ((i * 7919) % 101) as f32 / 20.0;
                match away(i, 64.0, 64.0) {
                    r if r > 55.0 => noise,
                    // The scalp is brighter than anything else.
                    r if r > 50.0 => 250.0 + noise,
                    _ if away(i, 80.0, 50.0) < 10.0 => 180.0 + noise,
                    _ => 90.0 + noise,
                }
            })
            .collect();
        let there = [70.0, 40.0, 90.0, 60.0];
        let found = blobs(&values, columns, rows);
        assert!(iou(&found[0].0, &there) > 0.5, "{found:?}");
        let at = |label: usize, x: f32, w: f32| {
            (columns, rows, Labelled { rect: [x - w, 50.0 - w, x + w, 50.0 + w], label, score: 0.0 })
        };
        let fitted = Blobs::fit(&[at(1, 78.0, 9.0), at(1, 84.0, 11.0), at(2, 20.0, 20.0), at(2, 30.0, 25.0)]).unwrap();
        let named = fitted.find(&values, columns, rows);
        assert_eq!(named[0].label, 1);
        assert_eq!(Blobs::from_tensor(&fitted.to_tensor().unwrap()).unwrap(), fitted);
        assert!(Blobs::fit(&[at(1, 78.0, 9.0), at(1, 84.0, 11.0), at(2, 20.0, 20.0)]).is_err());
    }
}
