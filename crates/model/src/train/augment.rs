//! Variation of training images: geometry for image and mask alike, then grey values.
//!
//! The aim is images of other makers, ages and crops than the training set's, so the ranges are wide; grey values are
//! never inverted, because a radiograph arrives as MONOCHROME2.

use super::recipe::Augment;
use crate::card::{InputSpec, Intensity};
use crate::data::Case;
use crate::image::{normalise, percentiles};
use rand::Rng;
use rand::rngs::StdRng;

pub(crate) use crate::degrade::normal;

/// The part of a case that becomes the input, before it is varied: pixel centres at whole numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) centre: [f64; 2],
    pub(crate) size: [f64; 2],
}

impl Window {
    /// All of it.
    pub(crate) fn whole(case: &Case) -> Self {
        let [_, rows, columns] = case.size;
        let (w, h) = (columns as f64, rows as f64);
        Self { centre: [(w - 1.0) / 2.0, (h - 1.0) / 2.0], size: [w, h] }
    }
}

/// Varies a case and brings it to the input grid: image, target (empty without marks), and the way that was taken.
///
/// `marks`: numbers of `[rows * columns]` and what 1 of them stands for.
pub(crate) fn vary(
    case: &Case,
    marks: Option<(&Vec<u8>, f32)>,
    window: Window,
    (augment, input): (&Augment, &InputSpec),
    random: &mut StdRng,
) -> (Vec<f32>, Vec<f32>, Affine) {
    let (rows, columns) = (input.rows, input.columns);
    let source_from_target = Affine::draw(augment, window, input, random);
    // Outside the image: black, a grey, or the border pixel repeated.
    let fill = match random.random_range(0..4) {
        0 => Some(0.0),
        1 => Some(random.random_range(0.0..255.0f32)),
        _ => None,
    };
    // A window inside the image sees what lies beyond it at use too.
    let fill = if input.click { None } else { fill };
    let mut image = vec![0f32; rows * columns];
    let mut target = vec![0f32; if marks.is_some() { rows * columns } else { 0 }];
    for row in 0..rows {
        for column in 0..columns {
            let (mut grey, mut lung) = (0.0, 0.0);
            // Four samples a pixel: shrinking from 224 to the grid would alias otherwise.
            for (dy, dx) in [(-0.25, -0.25), (-0.25, 0.25), (0.25, -0.25), (0.25, 0.25)] {
                let (x, y) = source_from_target.apply(column as f32 + dx, row as f32 + dy);
                let (g, l) = sample(case, marks, x, y, fill);
                grey += g;
                lung += l;
            }
            image[row * columns + column] = grey / 4.0;
            if let Some((_, scale)) = marks {
                target[row * columns + column] = lung / 4.0 * scale;
            }
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
    match input.intensity {
        Intensity::Standardise => normalise(&mut image, input),
        Intensity::Window { to_low, to_high } | Intensity::MinMax { to_low, to_high } => {
            image.iter_mut().for_each(|v| *v = to_low + v.clamp(0.0, 1.0) * (to_high - to_low));
        }
        _ => {}
    }
    (image, target, source_from_target)
}

/// `source = m * target + offset`, pixel centres at whole numbers.
pub(crate) struct Affine {
    m: [[f32; 2]; 2],
    offset: [f32; 2],
}

impl Affine {
    fn draw(a: &Augment, window: Window, input: &InputSpec, random: &mut StdRng) -> Self {
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
        let [source_w, source_h] = window.size;
        let (target_w, target_h) = (input.columns as f64, input.rows as f64);
        let m = [
            [unit[0][0] * source_w / target_w, unit[0][1] * source_w / target_h],
            [unit[1][0] * source_h / target_w, unit[1][1] * source_h / target_h],
        ];
        let (cx, cy) = ((target_w - 1.0) / 2.0, (target_h - 1.0) / 2.0);
        let offset = [
            window.centre[0] + shift_x * source_w - m[0][0] * cx - m[0][1] * cy,
            window.centre[1] + shift_y * source_h - m[1][0] * cx - m[1][1] * cy,
        ];
        Self { m: m.map(|row| row.map(|v| v as f32)), offset: offset.map(|v| v as f32) }
    }

    fn apply(&self, x: f32, y: f32) -> (f32, f32) {
        (self.m[0][0] * x + self.m[0][1] * y + self.offset[0], self.m[1][0] * x + self.m[1][1] * y + self.offset[1])
    }
}

impl Affine {
    /// The upright box round a box of the source, in pixels of the target (edges), within it.
    pub(crate) fn box_in_target(&self, b: &[f32; 4], columns: f32, rows: f32) -> [f32; 4] {
        let [[p, q], [r, s]] = self.m;
        let determinant = p * s - q * r;
        let mut out = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
        // The middles of the sides: their box stays close to a round thing's own when it is turned, the corners' box grows.
        let (cx, cy) = ((b[0] + b[2]) / 2.0, (b[1] + b[3]) / 2.0);
        for (x, y) in [(b[0], cy), (b[2], cy), (cx, b[1]), (cx, b[3])] {
            // Edges are half a pixel before centres.
            let (dx, dy) = (x - 0.5 - self.offset[0], y - 0.5 - self.offset[1]);
            let (tx, ty) = ((s * dx - q * dy) / determinant + 0.5, (p * dy - r * dx) / determinant + 0.5);
            out = [out[0].min(tx), out[1].min(ty), out[2].max(tx), out[3].max(ty)];
        }
        [out[0].clamp(0.0, columns), out[1].clamp(0.0, rows), out[2].clamp(0.0, columns), out[3].clamp(0.0, rows)]
    }
}

/// Grey value (0 to 255) and mark at a place of the case, linear; no mark outside.
fn sample(case: &Case, marks: Option<(&Vec<u8>, f32)>, x: f32, y: f32, fill: Option<f32>) -> (f32, f32) {
    let [_, rows, columns] = case.size;
    let (last_x, last_y) = (columns as f32 - 1.0, rows as f32 - 1.0);
    let inside = (-0.5..=last_x + 0.5).contains(&x) && (-0.5..=last_y + 0.5).contains(&y);
    if let (false, Some(grey)) = (inside, fill) {
        return (grey, 0.0);
    }
    let (x, y) = (x.clamp(0.0, last_x), y.clamp(0.0, last_y));
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(columns - 1), (y0 + 1).min(rows - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = [y0 * columns + x0, y0 * columns + x1, y1 * columns + x0, y1 * columns + x1];
    let weight = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
    let (mut grey, mut lung) = (0.0, 0.0);
    for (i, w) in at.into_iter().zip(weight) {
        grey += w * case.pixels.at(i);
        lung += marks.map_or(0.0, |(m, _)| w * f32::from(m[i]));
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
        if let Some(t) = target.get_mut(i) {
            *t *= 1.0 - outside;
        }
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
            if let Some(t) = target.get_mut(i) {
                *t = 0.0;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Pixels, Truth};
    use rand::SeedableRng;

    fn case() -> Case {
        let mask: Vec<u8> =
            (0..64 * 64).map(|i| u8::from((20..44).contains(&(i / 64)) && (10..30).contains(&(i % 64)))).collect();
        Case {
            name: "a".into(),
            person: "p".into(),
            size: [1, 64, 64],
            pixels: Pixels::U8(mask.iter().map(|m| if *m > 0 { 40 } else { 200 }).collect()),
            truth: Truth::Labels(mask),
            affine_lps: None,
        }
    }

    fn varied(augment: &Augment, input: &InputSpec, seed: u64) -> (Vec<f32>, Vec<f32>, Affine) {
        let case = case();
        let Truth::Labels(mask) = &case.truth else { unreachable!() };
        vary(&case, Some((mask, 1.0)), Window::whole(&case), (augment, input), &mut StdRng::seed_from_u64(seed))
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
            let (image, target, place) = varied(&plain, &input, seed);
            assert!(image.iter().chain(&target).all(|v| v.is_finite()));
            // The box of the mask, brought along, holds what the mask became.
            let b = place.box_in_target(&[10.0, 20.0, 30.0, 44.0], 32.0, 32.0);
            for (i, lung) in target.iter().enumerate() {
                let (x, y) = ((i % 32) as f32, (i / 32) as f32);
                // Interpolation reaches a pixel further.
                let inside = x + 2.0 > b[0] && x - 1.0 < b[2] && y + 2.0 > b[1] && y - 1.0 < b[3];
                assert!(inside || *lung < 0.01, "{x}, {y} outside {b:?}, seed {seed}");
            }
            for (grey, lung) in image.iter().zip(&target) {
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
        let draw = |seed| varied(&Augment::default(), &input, seed).0;
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
