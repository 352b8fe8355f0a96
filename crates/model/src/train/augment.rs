//! Variation of training images: geometry for image and mask alike, then grey values.
//!
//! The aim is images of other makers, ages and crops than the training set's, so the ranges are wide; grey values are
//! never inverted, because a radiograph arrives as MONOCHROME2.

use super::recipe::Augment;
use crate::card::InputSpec;
use crate::data::LungCase;
use crate::image::{normalise, percentiles};
use rand::Rng;
use rand::rngs::StdRng;

/// A network input and its target.
pub(crate) struct Sample {
    /// `[rows * columns]`, normalised.
    pub(crate) image: Vec<f32>,
    /// `[rows * columns]`, 0 to 1.
    pub(crate) target: Vec<f32>,
}

/// Varies a case and brings it to the input grid.
pub(crate) fn vary(case: &LungCase, augment: &Augment, input: &InputSpec, random: &mut StdRng) -> Sample {
    let (rows, columns) = (input.rows, input.columns);
    let source_from_target = Affine::draw(augment, case, input, random);
    // Outside the image: black, a grey, or the border pixel repeated.
    let fill = match random.random_range(0..4) {
        0 => Some(0.0),
        1 => Some(random.random_range(0.0..255.0f32)),
        _ => None,
    };
    let mut image = vec![0f32; rows * columns];
    let mut target = vec![0f32; rows * columns];
    for row in 0..rows {
        for column in 0..columns {
            let (mut grey, mut lung) = (0.0, 0.0);
            // Four samples a pixel: shrinking from 224 to the grid would alias otherwise.
            for (dy, dx) in [(-0.25, -0.25), (-0.25, 0.25), (0.25, -0.25), (0.25, 0.25)] {
                let (x, y) = source_from_target.apply(column as f32 + dx, row as f32 + dy);
                let (g, l) = sample(case, x, y, fill);
                grey += g;
                lung += l;
            }
            image[row * columns + column] = grey / 4.0;
            target[row * columns + column] = lung / 4.0;
        }
    }
    let (low, high) = percentiles(&image, 0.005, 0.995);
    let scale = 1.0 / (high - low).max(1.0);
    image.iter_mut().for_each(|v| *v = ((*v - low) * scale).clamp(0.0, 1.0));
    let chance = |p: f64, random: &mut StdRng| random.random_bool(p);
    if chance(augment.curve, random) {
        grey_curve(&mut image, random);
    }
    if chance(augment.shading, random) {
        shade(&mut image, columns, random);
    }
    if chance(augment.marks, random) {
        mark(&mut image, columns, random);
    }
    if chance(augment.background, random) {
        background(&mut image, &mut target, columns, random);
    }
    if chance(augment.border, random) {
        border(&mut image, &mut target, columns, random);
    }
    if chance(augment.blur, random) {
        blur(&mut image, columns, random.random_range(0.3..1.5));
    }
    if chance(augment.noise, random) {
        let deviation = random.random_range(0.0..0.08f32);
        image.iter_mut().for_each(|v| *v += deviation * normal(random));
    }
    normalise(&mut image, input);
    Sample { image, target }
}

/// `source = m * target + offset`, pixel centres at whole numbers.
struct Affine {
    m: [[f32; 2]; 2],
    offset: [f32; 2],
}

impl Affine {
    fn draw(a: &Augment, case: &LungCase, input: &InputSpec, random: &mut StdRng) -> Self {
        let mut range = |r: f64| if r > 0.0 { random.random_range(-r..r) } else { 0.0 };
        let angle = range(a.rotation_deg).to_radians();
        let aspect = range(a.aspect.ln()).exp().sqrt();
        let (shift_x, shift_y) = (range(a.shift), range(a.shift));
        let zoom = random.random_range(-a.zoom_in.ln()..=a.zoom_out.ln()).exp();
        let mirror = if random.random_bool(a.flip) { -1.0 } else { 1.0 };
        // In units of the side, from the centre: rotate, then stretch; the set itself is squeezed to a square, so a
        // stretch is as natural as a rotation.
        let (sin, cos) = angle.sin_cos();
        let (sx, sy) = (zoom * aspect, zoom / aspect);
        let unit = [[mirror * sx * cos, -mirror * sx * sin], [sy * sin, sy * cos]];
        let (source_w, source_h) = (case.columns as f64, case.rows as f64);
        let (target_w, target_h) = (input.columns as f64, input.rows as f64);
        let m = [
            [unit[0][0] * source_w / target_w, unit[0][1] * source_w / target_h],
            [unit[1][0] * source_h / target_w, unit[1][1] * source_h / target_h],
        ];
        let (cx, cy) = ((target_w - 1.0) / 2.0, (target_h - 1.0) / 2.0);
        let offset = [
            (source_w - 1.0) / 2.0 + shift_x * source_w - m[0][0] * cx - m[0][1] * cy,
            (source_h - 1.0) / 2.0 + shift_y * source_h - m[1][0] * cx - m[1][1] * cy,
        ];
        Self { m: m.map(|row| row.map(|v| v as f32)), offset: offset.map(|v| v as f32) }
    }

    fn apply(&self, x: f32, y: f32) -> (f32, f32) {
        (self.m[0][0] * x + self.m[0][1] * y + self.offset[0], self.m[1][0] * x + self.m[1][1] * y + self.offset[1])
    }
}

/// Grey value (0 to 255) and lung (0 to 1) at a place of the case, linear; no lung outside.
fn sample(case: &LungCase, x: f32, y: f32, fill: Option<f32>) -> (f32, f32) {
    let (last_x, last_y) = (case.columns as f32 - 1.0, case.rows as f32 - 1.0);
    let inside = (-0.5..=last_x + 0.5).contains(&x) && (-0.5..=last_y + 0.5).contains(&y);
    if let (false, Some(grey)) = (inside, fill) {
        return (grey, 0.0);
    }
    let (x, y) = (x.clamp(0.0, last_x), y.clamp(0.0, last_y));
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(case.columns - 1), (y0 + 1).min(case.rows - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = [y0 * case.columns + x0, y0 * case.columns + x1, y1 * case.columns + x0, y1 * case.columns + x1];
    let weight = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
    let (mut grey, mut lung) = (0.0, 0.0);
    for (i, w) in at.into_iter().zip(weight) {
        grey += w * f32::from(case.pixels[i]);
        lung += if case.mask[i] { w } else { 0.0 };
    }
    (grey, if inside { lung } else { 0.0 })
}

/// Gamma and a random rising curve through five points.
fn grey_curve(image: &mut [f32], random: &mut StdRng) {
    let gamma = random.random_range(-0.6..0.6f32).exp();
    let steps: Vec<f32> = (0..4).map(|_| random.random_range(0.4..1.6f32)).collect();
    let total: f32 = steps.iter().sum();
    let mut knots = vec![0.0];
    for s in &steps {
        knots.push(knots.last().copied().unwrap_or(0.0) + s / total);
    }
    for v in image.iter_mut() {
        let place = v.powf(gamma) * 4.0;
        let i = (place as usize).min(3);
        *v = knots[i] + (knots[i + 1] - knots[i]) * (place - i as f32);
    }
}

/// A slow additive and multiplicative change across the image.
fn shade(image: &mut [f32], columns: usize, random: &mut StdRng) {
    let rows = image.len() / columns;
    let mut draw = |r: f32| random.random_range(-r..r);
    let (ax, ay, bx, by, bxy) = (draw(0.3), draw(0.3), draw(0.25), draw(0.25), draw(0.2));
    for (i, v) in image.iter_mut().enumerate() {
        let x = 2.0 * (i % columns) as f32 / columns as f32 - 1.0;
        let y = 2.0 * (i / columns) as f32 / rows as f32 - 1.0;
        *v = *v * (1.0 + ax * x + ay * y) + bx * x + by * y + bxy * x * y;
    }
}

/// One to three bright bars or blocks, as letters, clips and lines.
fn mark(image: &mut [f32], columns: usize, random: &mut StdRng) {
    let rows = image.len() / columns;
    for _ in 0..random.random_range(1..4) {
        let (w, h) = (random.random_range(1..columns / 8 + 2), random.random_range(1..rows / 8 + 2));
        let (x0, y0) = (random.random_range(0..columns - w), random.random_range(0..rows - h));
        let bright = random.random_range(0.7..1.3);
        for y in y0..y0 + h {
            image[y * columns + x0..][..w].fill(bright);
        }
    }
}

/// Background beside a body of superelliptic outline; lung that it covers is no target any more.
fn background(image: &mut [f32], target: &mut [f32], columns: usize, random: &mut StdRng) {
    let rows = image.len() / columns;
    let value =
        if random.random_bool(0.6) { random.random_range(-0.1..0.15f32) } else { random.random_range(0.15..0.8) };
    let power = random.random_range(2.5..6.0f32);
    let (half_w, half_h) = (random.random_range(0.42..0.62f32), random.random_range(0.55..1.2f32));
    let (cx, cy) = (0.5 + random.random_range(-0.06..0.06f32), 0.5 + random.random_range(-0.1..0.3f32));
    for i in 0..image.len() {
        let x = ((i % columns) as f32 / columns as f32 - cx) / half_w;
        let y = ((i / columns) as f32 / rows as f32 - cy) / half_h;
        let distance = x.abs().powf(power) + y.abs().powf(power);
        // A soft rim, as thick as a skin line.
        let outside = ((distance - 1.0) * 8.0 + 0.5).clamp(0.0, 1.0);
        image[i] += (value - image[i]) * outside;
        target[i] *= 1.0 - outside;
    }
}

/// A border of one value on some of the four sides.
fn border(image: &mut [f32], target: &mut [f32], columns: usize, random: &mut StdRng) {
    let rows = image.len() / columns;
    let value = if random.random_bool(0.7) { 0.0 } else { random.random_range(0.0..1.0) };
    let mut depth = |side: usize| if random.random_bool(0.5) { random.random_range(0..side / 8 + 1) } else { 0 };
    let (left, right, top, bottom) = (depth(columns), depth(columns), depth(rows), depth(rows));
    for i in 0..image.len() {
        let (x, y) = (i % columns, i / columns);
        if x < left || x >= columns - right || y < top || y >= rows - bottom {
            image[i] = value;
            target[i] = 0.0;
        }
    }
}

/// Gaussian blur, deviation in pixels, border repeated.
fn blur(image: &mut [f32], columns: usize, deviation_px: f32) {
    let rows = image.len() / columns;
    let reach = (2.5 * deviation_px).ceil() as isize;
    let kernel: Vec<f32> =
        (-reach..=reach).map(|d| (-(d * d) as f32 / (2.0 * deviation_px * deviation_px)).exp()).collect();
    let total: f32 = kernel.iter().sum();
    let pass = |source: &[f32], length: usize, at: &dyn Fn(usize, usize) -> usize, lines: usize| {
        let mut out = vec![0f32; source.len()];
        for line in 0..lines {
            for i in 0..length {
                let mut sum = 0.0;
                for (k, w) in kernel.iter().enumerate() {
                    let j = (i as isize + k as isize - reach).clamp(0, length as isize - 1) as usize;
                    sum += w * source[at(line, j)];
                }
                out[at(line, i)] = sum / total;
            }
        }
        out
    };
    let across = pass(image, columns, &|line, i| line * columns + i, rows);
    let both = pass(&across, rows, &|line, i| i * columns + line, columns);
    image.copy_from_slice(&both);
}

/// A standard normal number (Box and Muller 1958).
pub(crate) fn normal(random: &mut StdRng) -> f32 {
    let radius = (-2.0 * random.random_range(f32::MIN_POSITIVE..1.0f32).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn case() -> LungCase {
        let mask: Vec<bool> =
            (0..64 * 64).map(|i| (20..44).contains(&(i / 64)) && (10..30).contains(&(i % 64))).collect();
        LungCase {
            name: "a".into(),
            person: "p".into(),
            columns: 64,
            rows: 64,
            pixels: mask.iter().map(|m| if *m { 40 } else { 200 }).collect(),
            mask,
            pair_score: None,
        }
    }

    #[test]
    fn image_and_mask_move_together() {
        let input = InputSpec { rows: 32, columns: 32, ..InputSpec::default() };
        // Zoomed in only, so that nothing beyond the image comes into view.
        let plain = Augment {
            rotation_deg: 0.0,
            aspect: 1.0,
            zoom_out: 1.0,
            shift: 0.0,
            border: 0.0,
            background: 0.0,
            curve: 0.0,
            shading: 0.0,
            blur: 0.0,
            noise: 0.0,
            marks: 0.0,
            ..Augment::default()
        };
        for seed in 0..20 {
            let sample = vary(&case(), &plain, &input, &mut StdRng::seed_from_u64(seed));
            assert!(sample.image.iter().chain(&sample.target).all(|v| v.is_finite()));
            for (grey, lung) in sample.image.iter().zip(&sample.target) {
                if *lung > 0.99 {
                    assert!(*grey < 0.0, "dark where the mask is, seed {seed}");
                } else if *lung < 0.01 {
                    assert!(*grey > 0.0, "bright elsewhere, seed {seed}");
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_sample() {
        let input = InputSpec { rows: 32, columns: 48, ..InputSpec::default() };
        let draw = |seed| vary(&case(), &Augment::default(), &input, &mut StdRng::seed_from_u64(seed)).image;
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        assert_eq!(draw(3).len(), 32 * 48);
    }

    #[test]
    fn blur_keeps_the_mean_of_a_constant() {
        let mut image = vec![0.5; 20 * 10];
        blur(&mut image, 20, 1.2);
        assert!(image.iter().all(|v| (v - 0.5).abs() < 1e-5));
    }
}
