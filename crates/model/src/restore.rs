//! A network of images on values that are already in its range.

use crate::prepare::{Picture, prepare};
use crate::run::RunCx;
use crate::{Error, Model, Result};
use candle_core::{Device, Tensor};

/// Sides are filled up to a multiple of this, so that any of the networks here can halve them.
pub(crate) const STEP: usize = 16;

impl Model {
    /// Restores an image from one or more planes.
    ///
    /// # Shapes
    /// `planes`: one per input channel, `[rows * columns]` in the network's range; result: `[rows * columns]`
    ///
    /// # Errors
    /// [`Error::Image`] where the planes are not what the network takes; [`Error::Cancelled`].
    pub fn restore_planes(&self, planes: &[Vec<f32>], columns: usize, cx: &RunCx<'_>) -> Result<Vec<f32>> {
        let fail = |reason: String| Err(Error::Image { reason });
        let n = planes.first().map_or(0, Vec::len);
        if columns == 0 || n == 0 || !n.is_multiple_of(columns) || planes.iter().any(|p| p.len() != n) {
            return fail("its planes are not of one size".into());
        }
        if planes.len() != self.card().architecture.inputs() {
            let wanted = self.card().architecture.inputs();
            return fail(format!("'{}' takes {wanted} planes, not {}", self.card().id, planes.len()));
        }
        let rows = n / columns;
        let (h, w) = (rows.next_multiple_of(STEP), columns.next_multiple_of(STEP));
        let mut values = Vec::with_capacity(planes.len() * h * w);
        for plane in planes {
            for y in 0..h {
                let line = &plane[y.min(rows - 1) * columns..][..columns];
                values.extend_from_slice(line);
                values.extend(std::iter::repeat_n(line[columns - 1], w - columns));
            }
        }
        let x = Tensor::from_vec(values, (1, planes.len(), h, w), &Device::Cpu)?;
        let y = self.network().forward(&x, cx)?;
        if y.dims() != [1, 1, h, w] {
            return fail(format!("'{}' makes no image of the same size", self.card().id));
        }
        let y: Vec<f32> = y.flatten_all()?.to_vec1()?;
        Ok((0..rows).flat_map(|r| y[r * w..][..columns].iter().copied()).collect())
    }

    /// Mean squared difference between an image and what an autoencoder makes of it, in the network's range.
    ///
    /// # Errors
    /// [`Error::Image`] where the network does not give an image as large as its input; [`Error::Cancelled`].
    pub fn reconstruction_error(&self, picture: &Picture, cx: &RunCx<'_>) -> Result<f64> {
        let x = prepare(picture, self.card())?.x;
        let y = self.network().forward(&x, cx)?;
        if y.dims() != x.dims() {
            return Err(Error::Image { reason: format!("'{}' makes no image of the same size", self.card().id) });
        }
        Ok(f64::from((y - x)?.sqr()?.mean_all()?.to_scalar::<f32>()?))
    }
}
