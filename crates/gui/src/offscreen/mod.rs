//! The window without a window: runs frames of any egui code and paints them to a picture.
//!
//! [`Frames`] owns the context, feeds it input and time, and paints with wgpu where an adapter is found, else with
//! a painter of our own that needs neither a display nor a driver. Screenshots, the demo without a display, and tests
//! use it.

mod cpu;
mod gpu;
mod raster;
#[cfg(test)]
mod tests;
mod texture;

use std::path::{Path, PathBuf};

use egui::{ClippedPrimitive, Context, FullOutput, RawInput, Ui, Vec2, ViewportId, pos2};
use image::RgbaImage;

use crate::theme::Theme;

/// Which painter turns triangles into pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// wgpu where it finds an adapter, else the processor.
    #[default]
    Auto,
    /// wgpu, or an error.
    Wgpu,
    /// The processor; needs nothing.
    Cpu,
}

/// Why nothing could be drawn.
#[derive(Debug, thiserror::Error)]
pub enum OffscreenError {
    /// wgpu found nothing to draw with.
    #[error("no graphics adapter was found: {0}")]
    NoAdapter(String),
    /// The adapter gave up while drawing.
    #[error("the graphics adapter failed: {0}")]
    Adapter(String),
    /// The picture would be empty, or larger than painters can.
    #[error("a picture of {width_px} x {height_px} pixels cannot be drawn (1 to {MAX_SIDE_PX} a side)")]
    Size {
        /// Width asked for.
        width_px: u32,
        /// Height asked for.
        height_px: u32,
    },
    /// The picture could not be written.
    #[error("the picture could not be written to {}: {source}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: image::ImageError,
    },
}

/// Largest side of a picture and of a texture: what wgpu's default limits grant.
pub const MAX_SIDE_PX: u32 = 8192;

/// Seconds from one frame to the next.
const FRAME_S: f64 = 1.0 / 60.0;

/// Whether wgpu finds a graphics processor here; one that the processor emulates is none.
#[must_use]
pub fn has_graphics_processor() -> bool {
    gpu::has_graphics_processor()
}

/// Something that can be drawn: the window's app, or a closure over a `Ui`.
pub trait Scene {
    /// What happens before drawing, as in eframe's `App::logic`.
    fn logic(&mut self, ctx: &Context) {
        _ = ctx;
    }

    /// Draw.
    fn ui(&mut self, ui: &mut Ui);
}

impl<F: FnMut(&mut Ui)> Scene for F {
    fn ui(&mut self, ui: &mut Ui) {
        self(ui);
    }
}

enum Painter {
    Cpu(cpu::Painter),
    Gpu(Box<gpu::Painter>),
}

/// A context that is driven by hand.
///
/// Put events into [`Frames::input`], call [`Frames::step`] or [`Frames::settle`], then [`Frames::paint`].
pub struct Frames {
    ctx: Context,
    size_px: [u32; 2],
    pixels_per_point: f32,
    time_s: f64,
    /// What the next frame gets: events, modifiers, dropped files. Size and time are filled in.
    pub input: RawInput,
    painter: Painter,
    primitives: Vec<ClippedPrimitive>,
    drawn_pixels_per_point: f32,
    freed: Vec<egui::TextureId>,
}

impl Frames {
    /// A context with the window's fonts and theme.
    pub fn new(
        width_px: u32,
        height_px: u32,
        pixels_per_point: f32,
        theme: Theme,
        backend: Backend,
    ) -> Result<Self, OffscreenError> {
        let painter = match backend {
            Backend::Cpu => Painter::Cpu(cpu::Painter::default()),
            Backend::Wgpu => Painter::Gpu(Box::new(gpu::Painter::new()?)),
            Backend::Auto => match gpu::Painter::new() {
                Ok(painter) => Painter::Gpu(Box::new(painter)),
                Err(e) => {
                    log::info!("drawing on the processor: {e}");
                    Painter::Cpu(cpu::Painter::default())
                }
            },
        };
        let ctx = Context::default();
        crate::fonts::install(&ctx);
        crate::theme::apply(&ctx, theme);
        let mut frames = Self {
            ctx,
            size_px: [0; 2],
            pixels_per_point,
            time_s: 0.0,
            input: RawInput::default(),
            painter,
            primitives: Vec::new(),
            drawn_pixels_per_point: pixels_per_point,
            freed: Vec::new(),
        };
        frames.resize(width_px, height_px)?;
        Ok(frames)
    }

    /// The context, to give to an app or to ask for widgets.
    pub fn ctx(&self) -> &Context {
        &self.ctx
    }

    /// What draws: "processor", or the adapter's name.
    pub fn painter_name(&self) -> String {
        match &self.painter {
            Painter::Cpu(_) => "processor".to_owned(),
            Painter::Gpu(painter) => painter.name(),
        }
    }

    /// What wgpu draws with, for code that draws with it too; none on the processor.
    pub fn wgpu_render_state(&self) -> Option<&egui_wgpu::RenderState> {
        match &self.painter {
            Painter::Cpu(_) => None,
            Painter::Gpu(painter) => Some(painter.state()),
        }
    }

    /// Change the size from the next frame on.
    pub fn resize(&mut self, width_px: u32, height_px: u32) -> Result<(), OffscreenError> {
        if !(1..=MAX_SIDE_PX).contains(&width_px) || !(1..=MAX_SIDE_PX).contains(&height_px) {
            return Err(OffscreenError::Size { width_px, height_px });
        }
        self.size_px = [width_px, height_px];
        Ok(())
    }

    /// Run one frame. The output comes back without its shapes and textures, which are kept for [`Frames::paint`].
    pub fn step(&mut self, scene: &mut impl Scene) -> FullOutput {
        for id in self.freed.drain(..) {
            match &mut self.painter {
                Painter::Cpu(painter) => painter.free(id),
                Painter::Gpu(painter) => painter.free(id),
            }
        }

        self.time_s += FRAME_S;
        let mut input = self.input.take();
        let points = self.pixels_per_point * self.ctx.zoom_factor();
        let size_pt = Vec2::new(self.size_px[0] as f32, self.size_px[1] as f32) / points;
        input.screen_rect = Some(egui::Rect::from_min_size(pos2(0.0, 0.0), size_pt));
        input.max_texture_side = Some(MAX_SIDE_PX as usize);
        input.time = Some(self.time_s);
        input.predicted_dt = FRAME_S as f32;
        input.focused = true;
        input.viewports.entry(ViewportId::ROOT).or_default().native_pixels_per_point = Some(self.pixels_per_point);

        let mut output = self.ctx.run_ui(input, |ui| {
            scene.logic(ui.ctx());
            scene.ui(ui);
        });

        let deltas = std::mem::take(&mut output.textures_delta.set);
        #[expect(clippy::iter_over_hash_type, reason = "each texture is set by itself; their order is nothing")]
        for (id, deltas) in deltas {
            for delta in &deltas {
                match &mut self.painter {
                    Painter::Cpu(painter) => painter.set(id, delta),
                    Painter::Gpu(painter) => painter.set(id, delta),
                }
            }
        }
        // A texture may be freed in the frame that still draws with it.
        self.freed = output.textures_delta.free.drain().collect();
        self.primitives = self.ctx.tessellate(std::mem::take(&mut output.shapes), output.pixels_per_point);
        self.drawn_pixels_per_point = output.pixels_per_point;
        output
    }

    /// Run frames until nothing asks to be drawn again at once, `most` at most; says how many ran.
    pub fn settle(&mut self, most: usize, scene: &mut impl Scene) -> usize {
        for count in 1..=most {
            let output = self.step(scene);
            let root = output.viewport_output.get(&ViewportId::ROOT);
            if root.is_none_or(|root| root.repaint_delay.as_secs_f64() > FRAME_S) {
                return count;
            }
        }
        most
    }

    /// Paint the last frame, top row first, on the ground of the window.
    pub fn paint(&mut self) -> Result<RgbaImage, OffscreenError> {
        let theme = if self.ctx.theme() == egui::Theme::Dark { Theme::Dark } else { Theme::Light };
        let ground = theme.tokens().bg0;
        match &mut self.painter {
            Painter::Cpu(painter) => {
                Ok(painter.paint(&self.primitives, self.size_px, self.drawn_pixels_per_point, ground))
            }
            Painter::Gpu(painter) => painter.paint(&self.primitives, self.size_px, self.drawn_pixels_per_point, ground),
        }
    }

    /// Paint the last frame into a PNG file.
    pub fn save_png(&mut self, path: &Path) -> Result<(), OffscreenError> {
        let picture = self.paint()?;
        picture
            .save_with_format(path, image::ImageFormat::Png)
            .map_err(|source| OffscreenError::Write { path: path.to_owned(), source })
    }
}
