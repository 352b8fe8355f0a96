//! The loss curve: rows in memory, CSV and a drawn PNG.

use crate::{Error, Result};
use image::{Rgb, RgbImage};
use std::fmt::Write;
use std::io::Cursor;

/// One row: the mean over the updates since the last one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    /// Updates so far.
    pub(crate) step: usize,
    /// Mean training loss.
    pub(crate) loss: f64,
    /// What is measured on the validation persons (Dice, AUC, AP or dB), where it was.
    pub(crate) validation: Option<f64>,
}

/// All rows of a training, and the losses since the last row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Curve {
    pub(crate) rows: Vec<Row>,
    /// Sum and number of the losses that no row holds yet.
    pub(crate) open: (f64, u32),
}

const HEADER: &str = "step,loss,validation";

impl Curve {
    /// Takes the loss of one update.
    pub(crate) fn add(&mut self, loss: f64) {
        self.open.0 += loss;
        self.open.1 += 1;
    }

    /// Makes a row of the losses since the last one.
    pub(crate) fn close(&mut self, step: usize, validation: Option<f64>) {
        let (sum, count) = std::mem::take(&mut self.open);
        self.rows.push(Row { step, loss: sum / f64::from(count.max(1)), validation });
    }

    pub(crate) fn to_csv(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for row in &self.rows {
            let dice = row.validation.map(|d| format!("{d:.5}")).unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{},{:.6},{dice}", row.step, row.loss);
        }
        text
    }

    pub(crate) fn from_csv(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        // The last column was once called by the first measure that it held.
        if !matches!(lines.next()?, HEADER | "step,loss,validation_dice") {
            return None;
        }
        let rows = lines
            .map(|line| {
                let mut fields = line.split(',');
                let (step, loss) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
                let validation = match fields.next()? {
                    "" => None,
                    text => Some(text.parse().ok()?),
                };
                Some(Row { step, loss, validation })
            })
            .collect::<Option<_>>()?;
        Some(Self { rows, open: (0.0, 0) })
    }

    /// The curve as a PNG: loss in blue (scale left), validation in orange (scale right).
    pub(crate) fn to_png(&self) -> Result<Vec<u8>> {
        const WIDTH: u32 = 900;
        const HEIGHT: u32 = 480;
        const LEFT: f64 = 60.0;
        const RIGHT: f64 = 60.0;
        const TOP: f64 = 20.0;
        const BOTTOM: f64 = 40.0;
        let (blue, orange, grey, ink) =
            (Rgb([31, 97, 170]), Rgb([214, 106, 20]), Rgb([225, 225, 225]), Rgb([60, 60, 60]));
        let mut image = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([255, 255, 255]));
        let last = self.rows.last().map_or(1, |r| r.step).max(1) as f64;
        let highest = self.rows.iter().map(|r| r.loss).fold(0.0, f64::max).max(1e-6);
        let validations = || self.rows.iter().filter_map(|r| r.validation);
        // Fractions on a scale to 1, decibels on one to their largest, errors (below 0, larger is better) up to 0.
        let bottom = validations().fold(0.0, f64::min);
        let top = if validations().any(|v| v > 0.0) { validations().fold(1.0, f64::max) } else { 0.0 };
        let span = (top - bottom).max(1e-6);
        let (w, h) = (f64::from(WIDTH) - LEFT - RIGHT, f64::from(HEIGHT) - TOP - BOTTOM);
        let x = |step: f64| LEFT + w * step / last;
        let y = |part: f64| TOP + h * (1.0 - part.clamp(0.0, 1.0));
        for i in 0..=5 {
            let part = f64::from(i) / 5.0;
            line(&mut image, (LEFT, y(part)), (LEFT + w, y(part)), grey);
            line(&mut image, (x(part * last), TOP), (x(part * last), TOP + h), grey);
            text(&mut image, 8, y(part) as u32 - 5, &format!("{:.2}", part * highest), blue);
            if validations().next().is_some() {
                text(&mut image, WIDTH - 52, y(part) as u32 - 5, &format!("{:.2}", bottom + part * span), orange);
            }
            text(&mut image, x(part * last) as u32 - 12, HEIGHT - 28, &format!("{:.0}", part * last), ink);
        }
        let losses: Vec<(f64, f64)> = self.rows.iter().map(|r| (x(r.step as f64), y(r.loss / highest))).collect();
        let dices: Vec<(f64, f64)> =
            self.rows.iter().filter_map(|r| Some((x(r.step as f64), y((r.validation? - bottom) / span)))).collect();
        for (points, colour) in [(losses, blue), (dices, orange)] {
            for pair in points.windows(2) {
                // Two pixels wide.
                line(&mut image, pair[0], pair[1], colour);
                line(&mut image, (pair[0].0, pair[0].1 + 1.0), (pair[1].0, pair[1].1 + 1.0), colour);
            }
        }
        let mut bytes = Cursor::new(Vec::new());
        image
            .write_to(&mut bytes, image::ImageFormat::Png)
            .map_err(|e| Error::Image { reason: format!("the curve could not be drawn: {e}") })?;
        Ok(bytes.into_inner())
    }
}

pub(crate) fn line(image: &mut RgbImage, from: (f64, f64), to: (f64, f64), colour: Rgb<u8>) {
    let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0) as usize;
    for i in 0..=steps {
        let t = i as f64 / steps as f64;
        let (x, y) = (from.0 + (to.0 - from.0) * t, from.1 + (to.1 - from.1) * t);
        if x >= 0.0 && y >= 0.0 && (x as u32) < image.width() && (y as u32) < image.height() {
            image.put_pixel(x as u32, y as u32, colour);
        }
    }
}

/// Digits, points, signs, arrows and the word SYNTHETIC, 3 x 5 dots drawn two pixels wide: all that a scale needs, and no font file.
pub(crate) fn text(image: &mut RgbImage, x: u32, y: u32, text: &str, colour: Rgb<u8>) {
    const DIGITS: [[u8; 5]; 10] = [
        [7, 5, 5, 5, 7],
        [2, 6, 2, 2, 7],
        [7, 1, 7, 4, 7],
        [7, 1, 7, 1, 7],
        [5, 5, 7, 1, 1],
        [7, 4, 7, 1, 7],
        [7, 4, 7, 5, 7],
        [7, 1, 1, 2, 2],
        [7, 5, 7, 5, 7],
        [7, 5, 7, 1, 7],
    ];
    let mut left = x;
    for c in text.chars() {
        let rows = match (c, c.to_digit(10)) {
            (_, Some(digit)) => DIGITS[digit as usize],
            ('.', _) => [0, 0, 0, 0, 2],
            ('-', _) => [0, 0, 7, 0, 0],
            ('>', _) => [4, 2, 1, 2, 4],
            ('S', _) => DIGITS[5],
            ('Y', _) => [5, 5, 2, 2, 2],
            ('N', _) => [5, 7, 7, 7, 5],
            ('T', _) => [7, 2, 2, 2, 2],
            ('H', _) => [5, 5, 7, 5, 5],
            ('E', _) => [7, 4, 7, 4, 7],
            ('I', _) => [7, 2, 2, 2, 7],
            ('C', _) => [7, 4, 4, 4, 7],
            _ => [0; 5],
        };
        for (row, bits) in rows.iter().enumerate() {
            for column in 0..3u32 {
                if bits & (4 >> column) != 0 {
                    for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                        let (px, py) = (left + 2 * column + dx, y + 2 * row as u32 + dy);
                        if px < image.width() && py < image.height() {
                            image.put_pixel(px, py, colour);
                        }
                    }
                }
            }
        }
        left += 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_comes_back_and_png_opens() {
        let row = |step, loss, validation| Row { step, loss, validation };
        let rows = vec![row(10, 1.5, None), row(20, 0.75, Some(0.5)), row(30, 0.25, Some(0.75))];
        let curve = Curve { rows, open: (0.0, 0) };
        assert_eq!(Curve::from_csv(&curve.to_csv()).unwrap(), curve);
        assert!(Curve::from_csv("x\n1").is_none());
        let drawn = image::load_from_memory(&curve.to_png().unwrap()).unwrap().into_rgb8();
        assert!(drawn.pixels().filter(|p| p.0 == [31, 97, 170]).count() > 500);
        assert!(Curve::default().to_png().is_ok());
        // No scale on the right where nothing was validated; and what is below 0 is seen.
        let orange = |validation: &[Option<f64>]| {
            let rows = validation.iter().enumerate().map(|(i, v)| row(i + 1, 1.0, *v)).collect();
            let png = Curve { rows, open: (0.0, 0) }.to_png().unwrap();
            let drawn = image::load_from_memory(&png).unwrap().into_rgb8();
            let of = |p: &(u32, u32, &Rgb<u8>)| p.2.0 == [214, 106, 20];
            drawn.enumerate_pixels().filter(of).map(|(x, y, _)| [x, y]).collect::<Vec<_>>()
        };
        assert!(orange(&[None, None]).is_empty());
        let line = orange(&[Some(-0.4), Some(-0.2)]);
        assert!(line.iter().any(|[x, y]| *x < 840 && (200..260).contains(y)), "the end of the line is half way up");
    }
}
