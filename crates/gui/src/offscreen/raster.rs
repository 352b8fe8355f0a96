//! Triangles into rows of pixels, with the rules of a graphics card.
//!
//! Corners are snapped to 1/256 of a pixel; a pixel belongs to a triangle if its centre does, and a centre on an edge
//! belongs to the triangle whose top or left edge it is. So triangles that share an edge leave no gap and paint no
//! pixel twice. Colours are blended premultiplied in gamma space and rounded to eight bits after each triangle.

use egui::{Color32, epaint::Vertex};

use super::texture::Texture;

/// Steps of a pixel that corners are snapped to.
const STEPS: i64 = 256;

/// Corners further away are pulled in: an endless rectangle must not overflow the sides' arithmetic.
const FAR_PX: f64 = 1e6;

/// The rows of the picture that one thread paints.
pub(super) struct Band<'a> {
    /// Four bytes a pixel, premultiplied.
    pub(super) bytes: &'a mut [u8],
    pub(super) width_px: usize,
    pub(super) first_row: usize,
}

/// Pixels that may be painted: from (inclusive) to (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clip {
    pub(super) min: [i64; 2],
    pub(super) max: [i64; 2],
}

/// What is interpolated over a triangle: colour (0 to 255) and place in the texture (in texels).
type Fields = [f32; 6];

fn fields(vertex: &Vertex, texture: &Texture) -> Fields {
    let [r, g, b, a] = vertex.color.to_array().map(f32::from);
    let [wide, high] = texture.size();
    [r, g, b, a, vertex.uv.x * wide, vertex.uv.y * high]
}

/// One side of a triangle as a function that is not negative inside: `at + x * dx + y * dy` over pixels.
struct Side {
    at: i64,
    dx: i64,
    dy: i64,
}

impl Side {
    /// From `a` to `b`, in steps, with the inside on its right in an image whose rows go down.
    fn new(a: [i64; 2], b: [i64; 2]) -> Self {
        let (ex, ey) = (b[0] - a[0], b[1] - a[1]);
        let top_or_left = ey < 0 || (ey == 0 && ex > 0);
        // At the centre of the pixel (0, 0).
        let half = STEPS / 2;
        let at = ex * (half - a[1]) - ey * (half - a[0]) - i64::from(!top_or_left);
        Self { at, dx: -ey * STEPS, dy: ex * STEPS }
    }

    /// Narrow `from..to` to the pixels of row `y` on the inner side.
    fn narrow(&self, y: i64, from: &mut i64, to: &mut i64) {
        let at = self.at + self.dy * y;
        if self.dx > 0 {
            // at + x * dx >= 0
            *from = (*from).max((-at).div_euclid(self.dx) + i64::from((-at).rem_euclid(self.dx) != 0));
        } else if self.dx < 0 {
            *to = (*to).min(at.div_euclid(-self.dx) + 1);
        } else if at < 0 {
            *to = *from;
        }
    }
}

impl Band<'_> {
    fn rows(&self) -> (i64, i64) {
        let rows = self.bytes.len() / (4 * self.width_px).max(1);
        (self.first_row as i64, (self.first_row + rows) as i64)
    }

    /// Does any row of the clip lie in this band?
    pub(super) fn meets(&self, clip: &Clip) -> bool {
        let (first, end) = self.rows();
        clip.min[1] < end && clip.max[1] > first && clip.min[0] < clip.max[0]
    }

    /// Paint a triangle whose corners are in points.
    pub(super) fn triangle(&mut self, corners: [&Vertex; 3], pixels_per_point: f32, clip: &Clip, texture: &Texture) {
        let [a, mut b, mut c] = corners;
        let snap = |v: &Vertex| {
            [v.pos.x, v.pos.y].map(|v| {
                let px = (f64::from(v) * f64::from(pixels_per_point)).clamp(-FAR_PX, FAR_PX);
                (px * STEPS as f64).round() as i64
            })
        };
        let (pa, mut pb, mut pc) = (snap(a), snap(b), snap(c));
        let area = (pb[0] - pa[0]) * (pc[1] - pa[1]) - (pb[1] - pa[1]) * (pc[0] - pa[0]);
        if area == 0 {
            return;
        }
        if area < 0 {
            (b, c, pb, pc) = (c, b, pc, pb);
        }
        let area = area.abs() as f64;

        let (first, end) = self.rows();
        let low = |axis: usize| pa[axis].min(pb[axis]).min(pc[axis]).div_euclid(STEPS);
        let high = |axis: usize| pa[axis].max(pb[axis]).max(pc[axis]).div_euclid(STEPS) + 1;
        let (x0, x1) = (low(0).max(clip.min[0]).max(0), high(0).min(clip.max[0]).min(self.width_px as i64));
        let (y0, y1) = (low(1).max(clip.min[1]).max(first), high(1).min(clip.max[1]).min(end));
        if x0 >= x1 || y0 >= y1 {
            return;
        }
        let sides = [Side::new(pa, pb), Side::new(pb, pc), Side::new(pc, pa)];

        // Each field is a plane over the picture: its value at a, and how it grows along x and y.
        let (fa, fb, fc) = (fields(a, texture), fields(b, texture), fields(c, texture));
        let (ux, uy) = ((pb[0] - pa[0]) as f64, (pb[1] - pa[1]) as f64);
        let (vx, vy) = ((pc[0] - pa[0]) as f64, (pc[1] - pa[1]) as f64);
        let mut along_x: Fields = [0.0; 6];
        let mut along_y: Fields = [0.0; 6];
        for field in 0..6 {
            let (du, dv) = (f64::from(fb[field] - fa[field]), f64::from(fc[field] - fa[field]));
            along_x[field] = ((du * vy - dv * uy) / area * STEPS as f64) as f32;
            along_y[field] = ((dv * ux - du * vx) / area * STEPS as f64) as f32;
        }
        let flat = a.color == b.color && b.color == c.color;
        let one_texel = a.uv == b.uv && b.uv == c.uv;
        let [ax, ay] = pa.map(|p| p as f32 / STEPS as f32);

        for y in y0..y1 {
            let (mut from, mut to) = (x0, x1);
            for side in &sides {
                side.narrow(y, &mut from, &mut to);
            }
            if from >= to {
                continue;
            }
            let (dx, dy) = (from as f32 + 0.5 - ax, y as f32 + 0.5 - ay);
            let start: Fields = std::array::from_fn(|f| fa[f] + dx * along_x[f] + dy * along_y[f]);
            let row = (y - first) as usize * self.width_px;
            let span = &mut self.bytes[4 * (row + from as usize)..4 * (row + to as usize)];
            match (flat, one_texel) {
                (true, true) => fill(span, times(texture.sample(fa[4], fa[5]), [fa[0], fa[1], fa[2], fa[3]])),
                (false, true) => shade(span, texture.sample(fa[4], fa[5]), &start, &along_x),
                (flat, false) => {
                    for (x, pixel) in span.chunks_exact_mut(4).enumerate() {
                        let at = |f: usize| start[f] + x as f32 * along_x[f];
                        let colour = if flat { [fa[0], fa[1], fa[2], fa[3]] } else { std::array::from_fn(at) };
                        blend(pixel, times(texture.sample(at(4), at(5)), colour));
                    }
                }
            }
        }
    }
}

/// A texel in a colour; both and the product from 0 to 255.
fn times(texel: [f32; 4], colour: [f32; 4]) -> [f32; 4] {
    std::array::from_fn(|c| texel[c] * colour[c] * (1.0 / 255.0))
}

/// A row in one colour.
fn fill(span: &mut [u8], colour: [f32; 4]) {
    if colour[3] >= 255.0 {
        let bytes = colour.map(|v| (v + 0.5) as u8);
        span.chunks_exact_mut(4).for_each(|pixel| pixel.copy_from_slice(&bytes));
    } else if colour != [0.0; 4] {
        span.chunks_exact_mut(4).for_each(|pixel| blend(pixel, colour));
    }
}

/// A row whose colour changes over one texel.
fn shade(span: &mut [u8], texel: [f32; 4], start: &Fields, along_x: &Fields) {
    for (x, pixel) in span.chunks_exact_mut(4).enumerate() {
        blend(pixel, times(texel, std::array::from_fn(|c| start[c] + x as f32 * along_x[c])));
    }
}

/// Lay a premultiplied colour over a pixel.
fn blend(pixel: &mut [u8], source: [f32; 4]) {
    let rest = 1.0 - source[3] * (1.0 / 255.0);
    for (byte, source) in pixel.iter_mut().zip(source) {
        // The cast stops at 0 and 255.
        *byte = (source + f32::from(*byte) * rest + 0.5) as u8;
    }
}

/// Fill a picture with one colour.
pub(super) fn clear(bytes: &mut [u8], colour: Color32) {
    bytes.chunks_exact_mut(4).for_each(|pixel| pixel.copy_from_slice(&colour.to_array()));
}
