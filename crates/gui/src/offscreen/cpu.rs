//! The painter that needs neither a display nor a driver.

use std::collections::HashMap;

use egui::{
    ClippedPrimitive, Color32, TextureId,
    epaint::{ImageDelta, Primitive},
};
use image::RgbaImage;

use super::{
    raster::{self, Band, Clip},
    texture::Texture,
};

/// Textures, and how triangles are laid on a picture.
#[derive(Default)]
pub(super) struct Painter {
    textures: HashMap<TextureId, Texture>,
}

impl Painter {
    pub(super) fn set(&mut self, id: TextureId, delta: &ImageDelta) {
        match (delta.pos, self.textures.get_mut(&id)) {
            (None, _) => {
                self.textures.insert(id, Texture::new(delta));
            }
            (Some(place), Some(texture)) => texture.patch(delta, place),
            (Some(_), None) => log::warn!("a part of texture {id:?} came before the whole"),
        }
    }

    pub(super) fn free(&mut self, id: TextureId) {
        self.textures.remove(&id);
    }

    pub(super) fn paint(
        &self,
        primitives: &[ClippedPrimitive],
        [width_px, height_px]: [u32; 2],
        pixels_per_point: f32,
        ground: Color32,
    ) -> RgbaImage {
        let mut picture = RgbaImage::new(width_px, height_px);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(height_px as usize);
        let rows = (height_px as usize).div_ceil(threads);
        let stride = 4 * width_px as usize;
        let bytes: &mut [u8] = &mut picture;
        std::thread::scope(|scope| {
            for (index, bytes) in bytes.chunks_mut(rows * stride).enumerate() {
                let band = Band { bytes, width_px: width_px as usize, first_row: index * rows };
                scope.spawn(move || self.band(primitives, [width_px, height_px], pixels_per_point, ground, band));
            }
        });
        picture
    }

    /// Paint everything on the rows of one band.
    fn band(
        &self,
        primitives: &[ClippedPrimitive],
        size_px: [u32; 2],
        pixels_per_point: f32,
        ground: Color32,
        mut band: Band<'_>,
    ) {
        raster::clear(band.bytes, ground);
        for ClippedPrimitive { clip_rect, primitive } in primitives {
            // Callbacks draw with a graphics card's own commands; there is none here.
            let Primitive::Mesh(mesh) = primitive else { continue };
            let edge = |v: f32, most: u32| ((v * pixels_per_point).round() as i64).clamp(0, i64::from(most));
            let clip = Clip {
                min: [edge(clip_rect.min.x, size_px[0]), edge(clip_rect.min.y, size_px[1])],
                max: [edge(clip_rect.max.x, size_px[0]), edge(clip_rect.max.y, size_px[1])],
            };
            if !band.meets(&clip) {
                continue;
            }
            let Some(texture) = self.textures.get(&mesh.texture_id) else {
                log::warn!("texture {:?} is not known", mesh.texture_id);
                continue;
            };
            for corners in mesh.indices.chunks_exact(3) {
                let corner = |i: usize| &mesh.vertices[corners[i] as usize];
                band.triangle([corner(0), corner(1), corner(2)], pixels_per_point, &clip, texture);
            }
        }
    }
}
