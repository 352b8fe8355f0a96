//! A network on its own input, without the card's pre- and post-processing: `infer --raw`.

use crate::arch::{Output, Pass, Takes};
use crate::npy::{self, Array};
use crate::{Error, Model, Result, RunCx};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;

/// Arrays by name, each as the bytes of a `.npy` file: `logits`, `masks`, `image`, or `boxes`, `scores`, `labels`
/// (and `masks`) of a detector.
pub type Arrays = BTreeMap<&'static str, Vec<u8>>;

impl Model {
    /// Runs the network on an input of its own shape and range.
    ///
    /// # Errors
    /// [`Error::Image`] where the input is not of the network's shape; [`Error::Cancelled`].
    pub fn raw(&self, input: &Array, cx: &RunCx<'_>) -> Result<Arrays> {
        let x = self.own_input(input)?;
        let mut pass = Pass::new(*cx);
        arrays(self.network().run(&x, &mut pass)?)
    }

    /// As [`Model::raw`], with the activations behind layers of the published network, by name; a detector of regions
    /// runs on `regions` (`[x0, y0, x1, y1]` in pixels of the input) where they are given.
    ///
    /// # Errors
    /// As [`Model::raw`].
    pub fn raw_with(
        &self,
        input: &Array,
        wanted: &[&str],
        regions: Option<&[[f32; 4]]>,
        cx: &RunCx<'_>,
    ) -> Result<(Arrays, BTreeMap<String, Array>)> {
        let x = self.own_input(input)?;
        let mut pass = Pass::keeping(*cx, wanted);
        let out = match regions {
            None => self.network().run(&x, &mut pass)?,
            Some(regions) => self.run_on(&x, regions, &mut pass)?,
        };
        let out = arrays(out)?;
        let kept = pass.kept().iter().map(|(name, t)| {
            Ok((name.clone(), Array { shape: t.dims().to_vec(), values: t.flatten_all()?.to_vec1()? }))
        });
        Ok((out, kept.collect::<Result<_>>()?))
    }

    fn own_input(&self, input: &Array) -> Result<Tensor> {
        let card = self.card();
        let fits = match (card.architecture.takes(), input.shape.as_slice()) {
            (Takes::Plane(c), [n, found, h, w]) => *found == c && *n > 0 && *h > 0 && *w > 0,
            (Takes::Volume(c), [n, found, d, h, w]) => *found == c && *n > 0 && *d > 0 && *h > 0 && *w > 0,
            (Takes::Latent(c), [n, found]) => *found == c && *n > 0,
            _ => false,
        };
        if !fits {
            let wanted = match card.architecture.takes() {
                Takes::Plane(c) => format!("[N, {c}, rows, columns]"),
                Takes::Volume(c) => format!("[N, {c}, slices, rows, columns]"),
                Takes::Latent(c) => format!("[N, {c}]"),
                Takes::Text => return Err(Error::Image { reason: format!("'{}' reads text, not arrays", card.id) }),
            };
            let reason = format!("'{}' takes an array of shape {wanted}, this one is {:?}", card.id, input.shape);
            return Err(Error::Image { reason });
        }
        if input.values.iter().any(|v| !v.is_finite()) {
            return Err(Error::Image { reason: "it holds values that are not finite".into() });
        }
        Ok(Tensor::from_slice(&input.values, input.shape.as_slice(), &Device::Cpu)?)
    }
}

fn floats(t: &Tensor) -> Result<Vec<u8>> {
    let values: Vec<f32> = t.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Ok(npy::floats(t.dims(), &values))
}

fn arrays(output: Output) -> Result<Arrays> {
    Ok(match output {
        Output::Logits(t) => Arrays::from([("logits", floats(&t)?)]),
        Output::Masks(t) => Arrays::from([("masks", floats(&t)?)]),
        Output::Image(t) => Arrays::from([("image", floats(&t)?)]),
        Output::Boxes(images) => {
            let [one] = images.as_slice() else {
                let reason = format!("a detector takes one image at a time, this array holds {}", images.len());
                return Err(Error::Image { reason });
            };
            let n = one.boxes.len();
            let labels: Vec<i64> = one.labels.iter().map(|l| *l as i64).collect();
            let mut out = Arrays::from([
                ("boxes", npy::floats(&[n, 4], one.boxes.as_flattened())),
                ("scores", npy::floats(&[n], &one.scores)),
                ("labels", npy::integers(&[n], &labels)),
            ]);
            if let Some(masks) = &one.masks {
                out.insert("masks", floats(masks)?);
            }
            out
        }
    })
}
