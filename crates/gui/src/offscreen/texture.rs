//! Textures of the processor's painter, sampled as egui's shader does with predictable filtering.

use egui::{
    Color32,
    epaint::{
        ImageData, ImageDelta,
        textures::{TextureFilter, TextureWrapMode},
    },
};

/// Premultiplied colours in rows from the top, in egui's gamma space.
pub(super) struct Texture {
    width: usize,
    height: usize,
    pixels: Vec<Color32>,
    pub(super) nearest: bool,
    wrap: TextureWrapMode,
}

impl Texture {
    /// A texture from a delta that brings all of it.
    pub(super) fn new(delta: &ImageDelta) -> Self {
        let ImageData::Color(image) = &delta.image;
        Self {
            width: image.size[0],
            height: image.size[1],
            pixels: image.pixels.clone(),
            nearest: delta.options.magnification == TextureFilter::Nearest,
            wrap: delta.options.wrap_mode,
        }
    }

    /// Put a part in its place.
    pub(super) fn patch(&mut self, delta: &ImageDelta, [x, y]: [usize; 2]) {
        let ImageData::Color(image) = &delta.image;
        let [wide, high] = image.size;
        if x + wide > self.width || y + high > self.height {
            log::warn!("a part of {wide} x {high} at {x}, {y} does not fit into its texture");
            return;
        }
        for row in 0..high {
            let from = &image.pixels[row * wide..(row + 1) * wide];
            let start = (y + row) * self.width + x;
            self.pixels[start..start + wide].copy_from_slice(from);
        }
    }

    /// Width and height in texels.
    pub(super) fn size(&self) -> [f32; 2] {
        [self.width as f32, self.height as f32]
    }

    fn wrapped(&self, at: i32, size: usize) -> usize {
        let size = size as i32;
        let at = match self.wrap {
            TextureWrapMode::ClampToEdge => at.clamp(0, size - 1),
            TextureWrapMode::Repeat => at.rem_euclid(size),
            TextureWrapMode::MirroredRepeat => {
                let phase = at.rem_euclid(2 * size);
                phase.min(2 * size - 1 - phase)
            }
        };
        at as usize
    }

    fn texel(&self, x: i32, y: i32) -> Color32 {
        self.pixels[self.wrapped(y, self.height) * self.width + self.wrapped(x, self.width)]
    }

    /// The colour at a place in texels, each channel from 0 to 255.
    pub(super) fn sample(&self, u: f32, v: f32) -> [f32; 4] {
        if self.nearest {
            return self.texel(u.floor() as i32, v.floor() as i32).to_array().map(f32::from);
        }
        let (u, v) = (u - 0.5, v - 0.5);
        let (x, y) = (u.floor(), v.floor());
        let (fx, fy) = (u - x, v - y);
        let (x, y) = (x as i32, y as i32);
        // Text lies texel on pixel: one look instead of four, and no doubt in the last bit.
        const NOTHING: f32 = 1.0 / 512.0;
        if !(NOTHING..=1.0 - NOTHING).contains(&fx) && !(NOTHING..=1.0 - NOTHING).contains(&fy) {
            let (x, y) = (x + i32::from(fx > 0.5), y + i32::from(fy > 0.5));
            return self.texel(x, y).to_array().map(f32::from);
        }
        let corner = |dx, dy| self.texel(x + dx, y + dy).to_array().map(f32::from);
        let (tl, tr, bl, br) = (corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1));
        std::array::from_fn(|c| {
            let top = tl[c] + (tr[c] - tl[c]) * fx;
            let bottom = bl[c] + (br[c] - bl[c]) * fx;
            top + (bottom - top) * fy
        })
    }
}
