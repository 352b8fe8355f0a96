//! One decoded image: its stored samples and what turns them into values.

use serde::{Deserialize, Serialize};

/// Stored samples, row-major; RGB is interleaved.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Samples {
    /// 8 bit unsigned.
    U8(Vec<u8>),
    /// 16 bit signed (8 bit signed is widened to this).
    I16(Vec<i16>),
    /// 16 bit unsigned.
    U16(Vec<u16>),
    /// 32 bit signed.
    I32(Vec<i32>),
    /// 32 bit unsigned.
    U32(Vec<u32>),
    /// Floating point, or values after a modality LUT.
    F32(Vec<f32>),
    /// Colour, three bytes a pixel.
    Rgb8(Vec<u8>),
}

impl Samples {
    /// Number of pixels.
    #[must_use]
    pub fn pixels(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::U32(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::Rgb8(v) => v.len() / 3,
        }
    }

    /// Size in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::U8(v) | Self::Rgb8(v) => v.len(),
            Self::I16(v) => v.len() * 2,
            Self::U16(v) => v.len() * 2,
            Self::I32(v) => v.len() * 4,
            Self::U32(v) => v.len() * 4,
            Self::F32(v) => v.len() * 4,
        }
    }
}

/// The modality transformation (PS3.3 C.11.1): value = slope × stored + intercept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rescale {
    /// Rescale Slope (0028,1053).
    pub slope: f64,
    /// Rescale Intercept (0028,1052).
    pub intercept: f64,
}

impl Default for Rescale {
    fn default() -> Self {
        Self { slope: 1.0, intercept: 0.0 }
    }
}

impl Rescale {
    /// The value of a stored sample.
    #[must_use]
    pub fn apply(self, stored: f64) -> f64 {
        self.slope * stored + self.intercept
    }
}

/// The number of samples is not columns × rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an image of {columns} x {rows} needs {} pixels, {found} are there", columns * rows)]
pub struct FrameSizeError {
    /// Columns claimed.
    pub columns: usize,
    /// Rows claimed.
    pub rows: usize,
    /// Pixels present.
    pub found: usize,
}

/// One decoded image.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    columns: usize,
    rows: usize,
    samples: Samples,
    /// From stored to modality values.
    pub rescale: Rescale,
    /// Inclusive range of stored values that are padding, not image (PS3.3 C.7.5.1.1.2).
    pub padding: Option<(f64, f64)>,
}

impl Frame {
    /// # Errors
    /// [`FrameSizeError`] when the number of samples does not fit, or the image is empty.
    pub fn new(columns: usize, rows: usize, samples: Samples, rescale: Rescale) -> Result<Self, FrameSizeError> {
        let found = samples.pixels();
        let whole = match &samples {
            Samples::Rgb8(v) => v.len() % 3 == 0,
            _ => true,
        };
        if columns.checked_mul(rows) != Some(found) || found == 0 || !whole {
            return Err(FrameSizeError { columns, rows, found });
        }
        Ok(Self { columns, rows, samples, rescale, padding: None })
    }

    /// Columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The stored samples.
    #[must_use]
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Whether the samples are colours.
    #[must_use]
    pub fn is_colour(&self) -> bool {
        matches!(self.samples, Samples::Rgb8(_))
    }

    /// Stored value of a pixel by its running index; luminance for colour. Panics outside, as slices do.
    #[must_use]
    pub fn stored_at(&self, i: usize) -> f64 {
        match &self.samples {
            Samples::U8(v) => f64::from(v[i]),
            Samples::I16(v) => f64::from(v[i]),
            Samples::U16(v) => f64::from(v[i]),
            Samples::I32(v) => f64::from(v[i]),
            Samples::U32(v) => f64::from(v[i]),
            Samples::F32(v) => f64::from(v[i]),
            Samples::Rgb8(v) => {
                // ITU-R BT.601 luma, as PS3.3 C.7.6.3.1.2 uses for YBR_FULL.
                0.299 * f64::from(v[3 * i]) + 0.587 * f64::from(v[3 * i + 1]) + 0.114 * f64::from(v[3 * i + 2])
            }
        }
    }

    /// Modality value of a pixel by its running index (stored value after rescale).
    #[must_use]
    pub fn value_at(&self, i: usize) -> f32 {
        self.rescale.apply(self.stored_at(i)) as f32
    }

    /// Modality value at (column, row), `None` outside.
    #[must_use]
    pub fn value(&self, column: usize, row: usize) -> Option<f32> {
        (column < self.columns && row < self.rows).then(|| self.value_at(row * self.columns + column))
    }

    /// All modality values, row-major.
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        (0..self.samples.pixels()).map(|i| self.value_at(i)).collect()
    }

    /// The modality values as they are meant to be seen: an inverse image (MONOCHROME1) is turned within its range, so
    /// that air is dark.
    #[must_use]
    pub fn values_as_seen(&self, inverted: bool) -> Vec<f32> {
        let mut values = self.values();
        if let (true, Some((low, high))) = (inverted, self.range()) {
            values.iter_mut().for_each(|v| *v = high + low - *v);
        }
        values
    }

    /// Whether the stored value is padding.
    #[must_use]
    pub fn is_padding(&self, stored: f64) -> bool {
        self.padding.is_some_and(|(low, high)| stored >= low && stored <= high)
    }

    /// Least and largest modality value without padding; `None` when all is padding or not a number.
    #[must_use]
    pub fn range(&self) -> Option<(f32, f32)> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for i in 0..self.samples.pixels() {
            let s = self.stored_at(i);
            if !self.is_padding(s) && s.is_finite() {
                low = low.min(s);
                high = high.max(s);
            }
        }
        if low > high {
            return None;
        }
        let (a, b) = (self.rescale.apply(low) as f32, self.rescale.apply(high) as f32);
        Some((a.min(b), a.max(b)))
    }

    /// The modality values at the given fractions (0 to 1) of the sorted pixels, from at most 65,536 samples spread
    /// evenly over the image.
    #[must_use]
    pub fn percentiles(&self, fractions: &[f64]) -> Option<Vec<f32>> {
        let step = (self.samples.pixels() / 65_536).max(1);
        let mut values: Vec<f32> = (0..self.samples.pixels())
            .step_by(step)
            .map(|i| self.stored_at(i))
            .filter(|&s| !self.is_padding(s) && s.is_finite())
            .map(|s| self.rescale.apply(s) as f32)
            .collect();
        if values.is_empty() {
            return None;
        }
        values.sort_by(f32::total_cmp);
        let last = values.len() - 1;
        Some(fractions.iter().map(|f| values[((f.clamp(0.0, 1.0) * last as f64).round() as usize).min(last)]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_must_agree() {
        assert!(Frame::new(2, 2, Samples::U8(vec![0; 3]), Rescale::default()).is_err());
        assert!(Frame::new(0, 0, Samples::U8(vec![]), Rescale::default()).is_err());
        assert!(Frame::new(usize::MAX, 2, Samples::U8(vec![0; 2]), Rescale::default()).is_err());
        assert!(Frame::new(1, 1, Samples::Rgb8(vec![0; 4]), Rescale::default()).is_err());
    }

    #[test]
    fn values_are_rescaled_and_padding_is_left_out() {
        let mut f =
            Frame::new(2, 2, Samples::I16(vec![-2000, 0, 100, 400]), Rescale { slope: 2.0, intercept: -1024.0 })
                .expect("fits");
        f.padding = Some((-2000.0, -2000.0));
        assert_eq!(f.value(0, 1), Some(-824.0));
        assert_eq!(f.value(2, 0), None);
        assert_eq!(f.range(), Some((-1024.0, -224.0)));
        assert_eq!(f.percentiles(&[0.0, 0.5, 1.0]), Some(vec![-1024.0, -824.0, -224.0]));
    }
}
