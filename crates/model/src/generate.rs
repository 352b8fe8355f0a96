//! Images made of noise, and the plain way to make some: draws along principal components.

use crate::answer::{Restored, restored};
use crate::arch::{Output, Pass, Takes, Tensors};
use crate::card::Activation;
use crate::npy::Array;
use crate::plain::Components;
use crate::train::curve::text;
use crate::{Error, Model, Result, RunCx};
use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::io::Cursor;

/// Noise of a generator: uniform from 0 to 1, as MONAI's takes it (and DCGAN's first norm cannot tell from -1 to 1).
///
/// # Shapes
/// `[batch, latent]`
pub(crate) fn noise(seed: u64, batch: usize, latent: usize, device: &Device) -> Result<Tensor> {
    let mut random = StdRng::seed_from_u64(seed);
    let values: Vec<f32> = (0..batch * latent).map(|_| random.random()).collect();
    Ok(Tensor::from_vec(values, (batch, latent), device)?)
}

impl Model {
    /// Makes an image of noise (numbers drawn from `seed`, uniform from 0 to 1).
    ///
    /// # Errors
    /// [`Error::Image`] where the model takes an image; [`Error::Cancelled`].
    pub fn imagine(&self, seed: u64, cx: &RunCx<'_>) -> Result<Restored> {
        let card = self.card();
        let Takes::Latent(n) = card.architecture.takes() else {
            return Err(Error::Image { reason: format!("'{}' takes an image, not noise", card.id) });
        };
        let x = noise(seed, 1, n, &Device::Cpu)?;
        match self.network().run(&x, &mut Pass::new(*cx))? {
            Output::Image(t) => restored(card, &t.get(0)?, &x, None),
            _ => Err(Error::Image { reason: format!("'{}' makes no image", card.id) }),
        }
    }

    /// What a generator gave as grey values from 0 (black) to 1 (white): a sigmoid's as they are, others from -1 to 1.
    #[must_use]
    pub fn made_grey(&self, values: &[f32]) -> Vec<f32> {
        match self.card().post.activation {
            Activation::Sigmoid => values.iter().map(|v| v.clamp(0.0, 1.0)).collect(),
            _ => values.iter().map(|v| ((v + 1.0) / 2.0).clamp(0.0, 1.0)).collect(),
        }
    }

    /// Made-up images as PNG files with SYNTHETIC in their pixels, enlarged by a whole factor where the word would not
    /// fit; the first channel of each.
    ///
    /// # Shapes
    /// `images`: `[images, channels, rows, columns]`, as [`Model::raw`] gives them for noise
    ///
    /// # Errors
    /// [`Error::Image`] where the model takes an image, or the array holds none.
    pub fn marked_pictures(&self, images: &Array) -> Result<Vec<Vec<u8>>> {
        let fail = |reason: String| Error::Image { reason };
        if !matches!(self.card().architecture.takes(), Takes::Latent(_)) {
            return Err(fail(format!("'{}' makes up no images", self.card().id)));
        }
        let [_, channels, rows, columns] = images.shape[..] else {
            return Err(fail(format!("these are no images: {:?}", images.shape)));
        };
        let (size, factor) = (rows * columns, WORD_PX.div_ceil(columns.max(1)).max(1));
        let all = images.values.chunks_exact((channels * size).max(1));
        all.map(|values| {
            let grey = self.made_grey(&values[..size]);
            let at = |x: u32, y: u32| (grey[y as usize / factor * columns + x as usize / factor] * 255.0) as u8;
            let (width, height) = ((columns * factor) as u32, (rows * factor) as u32);
            let mut picture = RgbImage::from_fn(width, height, |x, y| Rgb([at(x, y); 3]));
            mark(&mut picture, 0, 0);
            let mut bytes = Cursor::new(Vec::new());
            let written = picture.write_to(&mut bytes, image::ImageFormat::Png);
            written.map_err(|e| fail(format!("a picture could not be written: {e}")))?;
            Ok(bytes.into_inner())
        })
        .collect()
    }
}

/// Writes SYNTHETIC at a place of a made-up image, on black so that it is read on any.
pub(crate) fn mark(picture: &mut RgbImage, x: u32, y: u32) {
    const WORD: &str = "SYNTHETIC";
    let (width, height) = (WORD.len() as u32 * 8 + 6, 18);
    for (dx, dy) in (0..height).flat_map(|dy| (0..width).map(move |dx| (dx, dy))) {
        if x + dx < picture.width() && y + dy < picture.height() {
            picture.put_pixel(x + dx, y + dy, Rgb([0, 0, 0]));
        }
    }
    text(picture, x + 4, y + 4, WORD, Rgb([255, 190, 90]));
}

/// Width that the mark needs, in pixels.
const WORD_PX: usize = 96;

/// Principal components as long as the images spread along them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sampler {
    components: Components,
}

impl Sampler {
    /// From images, `[pixels]` each from 0 to 1, with `count` components.
    pub(crate) fn fit(rows: &[Vec<f32>], count: usize) -> Self {
        let mut components = Components::fit(rows, count);
        let n = rows.len().max(1) as f64;
        let mean = components.mean.clone();
        for axis in &mut components.axes {
            let along = |row: &Vec<f32>| -> f64 {
                row.iter().zip(&mean).zip(axis.iter()).map(|((v, m), a)| f64::from((v - m) * a)).sum()
            };
            let spread = (rows.iter().map(|row| along(row).powi(2)).sum::<f64>() / n).sqrt() as f32;
            axis.iter_mut().for_each(|a| *a *= spread);
        }
        Self { components }
    }

    /// An image, `[pixels]` from 0 to 1.
    pub(crate) fn draw(&self, seed: u64) -> Vec<f32> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut image = self.components.mean.clone();
        for axis in &self.components.axes {
            let along = crate::degrade::normal(&mut random);
            image.iter_mut().zip(axis).for_each(|(v, a)| *v += along * a);
        }
        image.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
        image
    }

    pub(crate) fn tensors(&self) -> Result<Tensors> {
        self.components.tensors()
    }

    pub(crate) fn of_tensors(id: &str, tensors: &Tensors) -> Result<Self> {
        Ok(Self { components: Components::of_tensors(id, tensors)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_images_spread_as_the_images_did() {
        // Two patterns of which the first varies three times as much.
        let row = |a: f32, b: f32| -> Vec<f32> {
            (0..64).map(|i| 0.5 + a * (i as f32 * 0.4).sin() + b * (i as f32 * 0.9).cos()).collect()
        };
        let rows: Vec<Vec<f32>> =
            (0..200).map(|i| row(0.09 * ((i % 7) as f32 - 3.0) / 2.0, 0.03 * ((i % 4) as f32 - 1.5))).collect();
        let sampler = Sampler::fit(&rows, 2);
        assert_eq!(Sampler::of_tensors("x", &sampler.tensors().unwrap()).unwrap(), sampler);
        let drawn: Vec<Vec<f32>> = (0..400).map(|s| sampler.draw(s)).collect();
        let spread = |all: &[Vec<f32>], i: usize| {
            let n = all.len() as f32;
            let mean = all.iter().map(|r| r[i]).sum::<f32>() / n;
            (all.iter().map(|r| (r[i] - mean).powi(2)).sum::<f32>() / n).sqrt()
        };
        for i in [3, 20, 40] {
            let (ours, theirs) = (spread(&drawn, i), spread(&rows, i));
            assert!((ours / theirs - 1.0).abs() < 0.15, "pixel {i}: {ours} {theirs}");
        }
        assert_eq!(sampler.draw(5), sampler.draw(5));
        assert_ne!(sampler.draw(5), sampler.draw(6));
    }
}
