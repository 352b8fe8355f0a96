//! A plane image's way to a network's input, as its card says, and positions' way back.

use crate::arch::Takes;
use crate::card::{Card, Channels, InputSpec, Intensity, Resize};
use crate::image::{percentiles, resize};
use crate::{Error, Result};
use candle_core::{Device, Tensor};

/// A plane image as models take it: grey, or red, green and blue.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Width in pixels.
    pub columns: usize,
    /// Height in pixels.
    pub rows: usize,
    /// One plane, or three; `[rows * columns]` each, values after rescale, larger ones brighter.
    pub planes: Vec<Vec<f32>>,
    /// The values that the stored bits allow, where known.
    pub full_range: Option<[f32; 2]>,
    /// The values that the file's own window shows as black and as white, where it has one.
    pub window: Option<[f32; 2]>,
}

/// Where an image lies in the network's input: `input = scale * image + offset`, pixel edges, `[x, y]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// Input pixels per image pixel.
    pub scale: [f64; 2],
    /// Input position of the image's upper left corner.
    pub offset: [f64; 2],
}

impl Placed {
    /// A box of the network's input in pixels of the image, within it.
    #[must_use]
    pub fn image_from_input(&self, b: &[f32; 4], columns: usize, rows: usize) -> [f32; 4] {
        let back = |v: f32, axis: usize, n: usize| {
            ((f64::from(v) - self.offset[axis]) / self.scale[axis]).clamp(0.0, n as f64) as f32
        };
        [back(b[0], 0, columns), back(b[1], 1, rows), back(b[2], 0, columns), back(b[3], 1, rows)]
    }

    /// A plane of the network's input at the image's pixels, bilinear; `outside` where the input does not reach.
    #[must_use]
    pub fn plane_from_input(
        &self,
        plane: &[f32],
        [input_columns, input_rows]: [usize; 2],
        columns: usize,
        rows: usize,
        outside: f32,
    ) -> Vec<f32> {
        let taps = |axis: usize, n: usize, size: usize| -> Vec<Option<(usize, usize, f32)>> {
            (0..n)
                .map(|i| {
                    let at = (i as f64 + 0.5) * self.scale[axis] + self.offset[axis];
                    // Half a pixel beyond the edge still belongs to it.
                    if at < 0.0 || at > size as f64 {
                        return None;
                    }
                    let at = (at - 0.5).clamp(0.0, size as f64 - 1.0);
                    let low = at as usize;
                    Some((low, (low + 1).min(size - 1), (at - low as f64) as f32))
                })
                .collect()
        };
        let (across, down) = (taps(0, columns, input_columns), taps(1, rows, input_rows));
        let mut out = vec![outside; columns * rows];
        for (line, tap) in out.chunks_exact_mut(columns.max(1)).zip(&down) {
            let Some((y0, y1, fy)) = tap else { continue };
            let (top, bottom) = (&plane[y0 * input_columns..][..input_columns], &plane[y1 * input_columns..]);
            for (o, tap) in line.iter_mut().zip(&across) {
                let Some((x0, x1, fx)) = tap else { continue };
                let a = top[*x0] * (1.0 - fx) + top[*x1] * fx;
                let b = bottom[*x0] * (1.0 - fx) + bottom[*x1] * fx;
                *o = a * (1.0 - fy) + b * fy;
            }
        }
        out
    }
}

/// A network's input with what leads back from it.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// `[1, channels, rows, columns]`.
    pub(crate) x: Tensor,
    pub(crate) placed: Placed,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// Bilinear without averaging, pixel centres at `(i + 0.5) * source / target - 0.5`.
fn resize_plain(values: &[f32], columns: usize, rows: usize, columns_out: usize, rows_out: usize) -> Vec<f32> {
    let scale = [columns_out as f64 / columns as f64, rows_out as f64 / rows as f64];
    let back = Placed { scale: [1.0 / scale[0], 1.0 / scale[1]], offset: [0.0; 2] };
    back.plane_from_input(values, [columns, rows], columns_out, rows_out, 0.0)
}

impl Picture {
    /// Checks that the values fill the image and are finite.
    ///
    /// # Errors
    /// [`Error::Image`] otherwise.
    pub fn check(&self) -> Result<()> {
        let fail = |reason: String| Err(Error::Image { reason });
        if self.columns == 0 || self.rows == 0 {
            return fail(format!("it has {} x {} pixels", self.columns, self.rows));
        }
        if self.planes.is_empty() || self.planes.iter().any(|p| p.len() != self.columns * self.rows) {
            return fail(format!("its values do not fill {} x {} pixels", self.columns, self.rows));
        }
        if self.planes.iter().flatten().any(|v| !v.is_finite()) {
            return fail("it holds values that are not finite".into());
        }
        Ok(())
    }
}

/// An affine map of values, and whether they are clipped to its range.
fn line(low: f32, high: f32, to_low: f32, to_high: f32, clip: bool) -> impl Fn(f32) -> f32 {
    let scale = if high > low { (to_high - to_low) / (high - low) } else { 0.0 };
    let (least, most) = (to_low.min(to_high), to_low.max(to_high));
    move |v| {
        let y = to_low + (v - low) * scale;
        if clip { y.clamp(least, most) } else { y }
    }
}

/// (x - mean) / deviation of the values that `counts`.
fn standardise(values: &mut [f32], counts: impl Fn(f32) -> bool + Copy) {
    let chosen = || values.iter().copied().filter(|v| counts(*v)).map(f64::from);
    let n = chosen().count().max(1) as f64;
    let mean = chosen().sum::<f64>() / n;
    let deviation = (chosen().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt().max(1e-6);
    values.iter_mut().filter(|v| counts(**v)).for_each(|v| *v = ((f64::from(*v) - mean) / deviation) as f32);
}

/// Values to the network's range. `all` are the image's (or the volume's), of which `values` may be a part.
pub(crate) fn intensity(
    values: &mut [f32],
    spec: &InputSpec,
    full_range: Option<[f32; 2]>,
    window: Option<[f32; 2]>,
) -> Result<()> {
    let extremes = |values: &[f32]| {
        values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
    };
    match spec.intensity {
        Intensity::Standardise => {
            crate::image::normalise(values, spec);
            return Ok(());
        }
        Intensity::NonzeroStandardise => {
            standardise(values, |v| v != 0.0);
            return Ok(());
        }
        _ => {}
    }
    let map: Box<dyn Fn(f32) -> f32> = match spec.intensity {
        Intensity::Percentile => {
            let (low, high) = percentiles(values, spec.clip_low, spec.clip_high);
            Box::new(line(low, high, 0.0, 1.0, true))
        }
        Intensity::Range { low, high, to_low, to_high, clip } => Box::new(line(low, high, to_low, to_high, clip)),
        Intensity::StoredRange { to_low, to_high } => {
            let [low, high] = full_range.ok_or_else(|| Error::Image {
                reason: "the model wants the range of the stored bits, which this file does not tell".into(),
            })?;
            Box::new(line(low, high, to_low, to_high, false))
        }
        Intensity::Window { to_low, to_high } => {
            let (low, high) = window.map_or_else(|| extremes(values), |[l, h]| (l, h));
            Box::new(line(low, high, to_low, to_high, true))
        }
        Intensity::MinMax { to_low, to_high } => {
            let (low, high) = extremes(values);
            Box::new(line(low, high, to_low, to_high, true))
        }
        Intensity::Standardise | Intensity::NonzeroStandardise => return Ok(()),
    };
    values.iter_mut().for_each(|v| *v = map(*v));
    Ok(())
}

/// (x - mean) / std of one channel.
pub(crate) fn shifted(values: &mut [f32], spec: &InputSpec, channel: usize) {
    let of = |list: &[f32], default: f32| list.get(channel).or(list.first()).copied().unwrap_or(default);
    let (mean, std) = (of(&spec.mean, 0.0), of(&spec.std, 1.0));
    if mean != 0.0 || std != 1.0 {
        values.iter_mut().for_each(|v| *v = (*v - mean) / std);
    }
}

/// A picture as the card's network takes it.
pub(crate) fn prepare(picture: &Picture, card: &Card) -> Result<Prepared> {
    picture.check()?;
    let spec = &card.input;
    let fail = |reason: String| Err(Error::Image { reason });
    let channels = match card.architecture.takes() {
        Takes::Plane(n) => n,
        Takes::Volume(_) => return fail(format!("'{}' takes a volume, this is a single image", card.id)),
        Takes::Latent(_) => return fail(format!("'{}' makes images of noise and takes none", card.id)),
        Takes::Text => return fail(format!("'{}' reads text, not images", card.id)),
    };
    if picture.planes.len() != 1 && picture.planes.len() != channels {
        let what = if channels == 1 { "one grey channel".into() } else { format!("{channels} channels") };
        return fail(format!("it has {} channels, '{}' takes {what}", picture.planes.len(), card.id));
    }
    let mut planes = picture.planes.clone();
    // One map for all channels, so that colours keep their relations.
    let mut joined = planes.concat();
    intensity(&mut joined, spec, picture.full_range, picture.window)?;
    for (plane, part) in planes.iter_mut().zip(joined.chunks_exact(picture.columns * picture.rows)) {
        plane.copy_from_slice(part);
    }
    let layout = Layout::of(spec, picture.columns, picture.rows);
    let laid: Vec<Vec<f32>> = planes.iter().map(|p| layout.lay(p, picture.columns, picture.rows, spec)).collect();
    let (rows, columns) = (layout.rows, layout.columns);
    let mut data = Vec::with_capacity(channels * rows * columns);
    for c in 0..channels {
        let source = match (spec.channels, laid.len()) {
            (_, 1) => 0,
            (Channels::Bgr, n) => n - 1 - c,
            (_, _) => c,
        };
        let mut plane = laid[source].clone();
        shifted(&mut plane, spec, c);
        if spec.resize == Resize::Detector {
            // torchvision fills up to a multiple of 32 after normalisation, with 0.
            layout.blank(&mut plane);
        }
        data.extend(plane);
    }
    let x = Tensor::from_vec(data, (1, channels, rows, columns), &Device::Cpu)?;
    Ok(Prepared { x, placed: layout.placed, rows, columns })
}

/// Sizes of a resize.
struct Layout {
    /// Size of the whole image after the resize, before the crop or the border.
    resized: [usize; 2],
    /// Where its upper left corner lies in the input; negative where it is cropped.
    at: [i64; 2],
    rows: usize,
    columns: usize,
    placed: Placed,
}

impl Layout {
    fn of(spec: &InputSpec, columns: usize, rows: usize) -> Self {
        let (w, h) = (columns as f64, rows as f64);
        let input = [spec.columns, spec.rows];
        let centred = |outer: usize, inner: usize| (outer as i64 - inner as i64).div_euclid(2);
        let fit = (spec.columns as f64 / w).min(spec.rows as f64 / h);
        let fitted = [(w * fit) as usize, (h * fit) as usize].map(|n| n.max(1));
        let shorter = |side: usize| {
            let scale = side as f64 / w.min(h);
            [(w * scale + 1e-6) as usize, (h * scale + 1e-6) as usize].map(|n| n.max(1))
        };
        let (resized, at, input) = match spec.resize {
            Resize::Squeeze => (input, [0, 0], input),
            Resize::Keep => ([columns, rows], [0, 0], [columns, rows]),
            Resize::ShorterSide => {
                let resized = shorter(spec.shorter_px.unwrap_or(spec.rows));
                // torchvision rounds half a pixel down to the even one.
                let at = |n: usize, c: usize| -((n as f64 - c as f64) / 2.0).round_ties_even() as i64;
                (resized, [at(resized[0], input[0]), at(resized[1], input[1])], input)
            }
            Resize::CentreSquare => {
                let side = columns.min(rows);
                let scale = [input[0] as f64 / side as f64, input[1] as f64 / side as f64];
                let start = [columns / 2 - side / 2, rows / 2 - side / 2];
                let resized = [(w * scale[0]).round() as usize, (h * scale[1]).round() as usize];
                let at = [-(start[0] as f64 * scale[0]).round() as i64, -(start[1] as f64 * scale[1]).round() as i64];
                (resized, at, input)
            }
            Resize::Letterbox => (fitted, [centred(input[0], fitted[0]), centred(input[1], fitted[1])], input),
            Resize::LetterboxTopLeft => (fitted, [0, 0], input),
            Resize::Detector => {
                let (low, high) = (spec.shorter_px.unwrap_or(800), spec.longer_px.unwrap_or(1333));
                let scale = (low as f64 / w.min(h)).min(high as f64 / w.max(h));
                let resized = [(w * scale) as usize, (h * scale) as usize].map(|n| n.max(1));
                (resized, [0, 0], resized.map(|n| n.div_ceil(32) * 32))
            }
        };
        let scale = [resized[0] as f64 / w, resized[1] as f64 / h];
        let placed = Placed { scale, offset: [at[0] as f64, at[1] as f64] };
        Self { resized, at, rows: input[1], columns: input[0], placed }
    }

    fn lay(&self, values: &[f32], columns: usize, rows: usize, spec: &InputSpec) -> Vec<f32> {
        if spec.resize == Resize::CentreSquare {
            // Cropped before the resize, so that its filter does not see what lies beyond.
            let side = columns.min(rows);
            let (x, y) = (columns / 2 - side / 2, rows / 2 - side / 2);
            let square: Vec<f32> = (0..side).flat_map(|r| &values[(y + r) * columns + x..][..side]).copied().collect();
            return if spec.antialias {
                resize(&square, side, side, self.columns, self.rows)
            } else {
                resize_plain(&square, side, side, self.columns, self.rows)
            };
        }
        let [w, h] = self.resized;
        let resized = if spec.antialias {
            resize(values, columns, rows, w, h)
        } else {
            resize_plain(values, columns, rows, w, h)
        };
        if self.at == [0, 0] && [w, h] == [self.columns, self.rows] {
            return resized;
        }
        let mut out = vec![spec.pad; self.rows * self.columns];
        for y in 0..self.rows {
            let source = y as i64 - self.at[1];
            if !(0..h as i64).contains(&source) {
                continue;
            }
            let from = self.at[0].max(0) as usize;
            let to = (self.at[0] + w as i64).clamp(0, self.columns as i64) as usize;
            if from < to {
                let start = source as usize * w + (from as i64 - self.at[0]) as usize;
                out[y * self.columns + from..y * self.columns + to].copy_from_slice(&resized[start..start + to - from]);
            }
        }
        out
    }

    /// Sets what lies beside the image to 0.
    fn blank(&self, plane: &mut [f32]) {
        for (y, line) in plane.chunks_exact_mut(self.columns).enumerate() {
            let inside = if y < self.resized[1] { self.resized[0] } else { 0 };
            line[inside.min(self.columns)..].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::published::template;

    fn ramp(columns: usize, rows: usize) -> Picture {
        let plane = (0..columns * rows).map(|i| (i % columns) as f32).collect();
        Picture { columns, rows, planes: vec![plane], full_range: Some([0.0, 4095.0]), window: None }
    }

    #[test]
    fn boxes_come_back_through_each_resize() {
        for (name, columns, rows) in [
            ("resnet50", 500, 300),
            ("xrv_densenet121", 640, 512),
            ("yolov3", 640, 480),
            ("yolox_s", 480, 640),
            ("fasterrcnn_resnet50_fpn", 640, 480),
            ("ssd300_vgg16", 640, 480),
        ] {
            let card = template(name).unwrap();
            let prepared = prepare(&ramp(columns, rows), &card).unwrap();
            let p = prepared.placed;
            let b = [250.0f32, 150.0, 300.0, 200.0];
            let forward = |v: f32, a: usize| (f64::from(v) * p.scale[a] + p.offset[a]) as f32;
            let there = [forward(b[0], 0), forward(b[1], 1), forward(b[2], 0), forward(b[3], 1)];
            let back = p.image_from_input(&there, columns, rows);
            assert!(back.iter().zip(&b).all(|(x, y)| (x - y).abs() < 1e-3), "{name}: {back:?}");
            // The ramp in the input is the ramp at the place that the map names.
            let values: Vec<f32> = prepared.x.get(0).unwrap().get(0).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let at = |column: f32, row: f32| {
                let x = forward(column, 0).round() as usize;
                let y = forward(row, 1).round() as usize;
                values[y * prepared.columns + x]
            };
            let (a, m, c) = (at(200.0, 160.0), at(250.0, 160.0), at(300.0, 160.0));
            assert!(((m - a) - (c - m)).abs() < 0.05 * (c - a).abs(), "{name}: {a} {m} {c}");
        }
    }

    #[test]
    fn masks_come_back_through_each_resize() {
        for (name, columns, rows) in [
            ("mb_unet", 300, 200),
            ("resnet50", 500, 300),
            ("xrv_densenet121", 640, 512),
            ("yolov3", 640, 480),
            ("yolox_s", 480, 640),
            ("maskrcnn_resnet50_fpn", 640, 480),
        ] {
            let picture = ramp(columns, rows);
            let mut card = template(name).unwrap();
            card.input.intensity = Intensity::MinMax { to_low: 0.0, to_high: 1.0 };
            let prepared = prepare(&picture, &card).unwrap();
            // A box in the middle of the image, as a network would outline it.
            let b = [0.4, 0.45, 0.6, 0.62];
            let wanted = |x: usize, y: usize| {
                let (x, y) = ((x as f64 + 0.5) / columns as f64, (y as f64 + 0.5) / rows as f64);
                (b[0]..b[2]).contains(&x) && (b[1]..b[3]).contains(&y)
            };
            let p = prepared.placed;
            let there = |i: usize| {
                let x = (((i % prepared.columns) as f64 + 0.5 - p.offset[0]) / p.scale[0]).floor();
                let y = (((i / prepared.columns) as f64 + 0.5 - p.offset[1]) / p.scale[1]).floor();
                let inside = x >= 0.0 && y >= 0.0 && x < columns as f64 && y < rows as f64;
                f32::from(u8::from(inside && wanted(x as usize, y as usize)))
            };
            let plane: Vec<f32> = (0..prepared.columns * prepared.rows).map(there).collect();
            let back = p.plane_from_input(&plane, [prepared.columns, prepared.rows], columns, rows, 0.0);
            let (mut both, mut any) = (0, 0);
            for (i, v) in back.iter().enumerate() {
                let (a, b) = (*v >= 0.5, wanted(i % columns, i / columns));
                both += usize::from(a && b);
                any += usize::from(a || b);
            }
            assert!(any > 0 && both as f64 / any as f64 > 0.93, "{name}: {both} of {any}");
        }
    }

    #[test]
    fn torchxrayvisions_range() {
        // xrv.datasets.normalize(x, 4095): (2 x / 4095 - 1) * 1024.
        let card = template("xrv_densenet121").unwrap();
        let picture = Picture {
            columns: 224,
            rows: 224,
            planes: vec![vec![4095.0; 224 * 224]],
            full_range: Some([0.0, 4095.0]),
            window: None,
        };
        let x = prepare(&picture, &card).unwrap().x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(x.iter().all(|v| *v == 1024.0));
        let unknown = Picture { full_range: None, ..picture };
        assert!(prepare(&unknown, &card).unwrap_err().to_string().contains("stored bits"));
    }

    #[test]
    fn wrong_pairings_are_refused_with_the_reason() {
        let colour = Picture { planes: vec![vec![0.0; 400]; 3], ..ramp(20, 20) };
        let said = |name: &str, p: &Picture| prepare(p, &template(name).unwrap()).unwrap_err().to_string();
        assert!(said("xrv_densenet121", &colour).contains("3 channels, 'xrv_densenet121' takes one grey channel"));
        assert!(said("model18cls", &ramp(20, 20)).contains("takes a volume, this is a single image"));
        assert!(said("mednist_gan", &ramp(20, 20)).contains("noise"));
        assert!(prepare(&colour, &template("resnet18").unwrap()).is_ok());
        let mut nan = ramp(20, 20);
        nan.planes[0][3] = f32::NAN;
        assert!(said("resnet18", &nan).contains("not finite"));
    }

    #[test]
    fn detectors_are_padded_with_zero_to_a_multiple_of_32() {
        let card = template("fasterrcnn_resnet50_fpn").unwrap();
        let prepared = prepare(&ramp(640, 470), &card).unwrap();
        assert_eq!((prepared.columns, prepared.rows), (1120, 800));
        let values: Vec<f32> = prepared.x.flatten_all().unwrap().to_vec1().unwrap();
        // 640 x 470 to 1089 x 800.
        assert!(values[1088] != 0.0 && values[1089] == 0.0);
    }

    // tests/parity/prepare.py: torchvision 0.29 and torchxrayvision 1.5.7 on v(x, y) = (7 x + 13 y) % 31 * 8, 53 x 37;
    // the numbers at 0, 1, n / 7, n / 3, n / 2, 2 n / 3, n - 2 and n - 1 of each result.
    #[test]
    fn numbers_are_torchvisions() {
        let (columns, rows) = (53, 37);
        let plane = (0..columns * rows).map(|i| ((i % columns * 7 + i / columns * 13) % 31 * 8) as f32).collect();
        let window = Some([0.0, 255.0]);
        let picture = Picture { columns, rows, planes: vec![plane], full_range: window, window };
        let check = |name: &str, channels: usize, change: fn(&mut InputSpec), wanted: [f32; 8], limit: f32| {
            let mut card = template(name).unwrap();
            change(&mut card.input);
            card.check().unwrap();
            let x = prepare(&picture, &card).unwrap().x.narrow(1, 0, channels).unwrap();
            let x: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
            let n = x.len();
            let at = [0, 1, n / 7, n / 3, n / 2, n * 2 / 3, n - 2, n - 1];
            for (i, wanted) in at.into_iter().zip(wanted) {
                assert!((x[i] - wanted).abs() < limit, "{name} {i}: {} {wanted}", x[i]);
            }
        };
        let classifier = [-0.738628, 0.140314, -0.213385, -0.625651, -0.236671, -0.400648, 0.566087, 0.417032];
        check("resnet50", 3, |i| (i.rows, i.columns, i.shorter_px) = (16, 20, Some(24)), classifier, 1e-4);
        let xrv = [-146.465, -0.290889, -15.9428, 13.5388, -192.158, -70.4593, 37.4932, -50.9941];
        check("xrv_densenet121", 1, |i| (i.rows, i.columns) = (16, 16), xrv, 0.05);
        let detector = [-2.1179, -1.32674, 0.301974, -2.03571, -0.905016, -1.80444, 0.0, 0.0];
        check("fasterrcnn_resnet50_fpn", 3, |i| (i.shorter_px, i.longer_px) = (Some(45), Some(60)), detector, 1e-4);
        let yolox = [53.8295, 146.58, 174.057, 30.6704, 124.375, 190.42, 114.0, 114.0];
        check("yolox_s", 1, |i| (i.rows, i.columns) = (32, 32), yolox, 0.01);
        let shrunk = [104.982, 125.408, 115.125, 127.513, 105.856, 126.198, 136.302, 115.391];
        let plain = |i: &mut InputSpec| {
            (i.rows, i.columns, i.resize) = (11, 29, Resize::Squeeze);
            (i.mean, i.std) = (Vec::new(), Vec::new());
            i.intensity = Intensity::Range { low: 0.0, high: 1.0, to_low: 0.0, to_high: 1.0, clip: false };
        };
        let mut card = template("unet_plane").unwrap();
        plain(&mut card.input);
        let x: Vec<f32> = prepare(&picture, &card).unwrap().x.flatten_all().unwrap().to_vec1().unwrap();
        let n = x.len();
        for (i, wanted) in [0, 1, n / 7, n / 3, n / 2, n * 2 / 3, n - 2, n - 1].into_iter().zip(shrunk) {
            assert!((x[i] - wanted).abs() < 1e-2, "shrunk {i}: {} {wanted}", x[i]);
        }
    }
}
