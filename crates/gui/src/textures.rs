//! Pixels on their way to the screen: what each viewport shows, as textures, remade only when something changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::{ColorImage, Context, TextureHandle, TextureId, TextureOptions};
use lightbox_core::plane::{PlanePixels, PlaneStack};
use lightbox_core::{BitPlane, Frame, Plane, PlaneGrid, Rgb, SegmentId, Window, raster};
use lightbox_session::heat::{Heat, HeatId};
use lightbox_session::results::Restored;
use lightbox_session::workspace::{Layer, LayerShow};
use lightbox_session::{LoadState, OpenStack, Session, StackId};

/// Longest side of a texture in pixels; larger planes are shown at half, a third … of their pixels.
const LONGEST_PX: usize = 8192;

/// What a viewport's pixels were made from.
#[derive(Debug, Clone, PartialEq)]
struct PixelKey {
    stack: StackId,
    plane: Plane,
    index: usize,
    revision: u64,
}

/// What a viewport's texture was made from.
#[derive(Debug, Clone, PartialEq)]
struct TextureKey {
    pixels: PixelKey,
    window: Window,
    inverted: bool,
    shrink: usize,
    layer: Option<Layer>,
}

/// One mask on one plane.
pub struct MaskShape {
    /// The segment.
    pub id: SegmentId,
    /// Its colour.
    pub colour: Rgb,
    /// Nobody accepted it yet.
    pub proposed: bool,
    /// Outlines in pixel corners.
    pub outlines: Arc<Vec<Vec<[f32; 2]>>>,
    bools: Arc<Vec<bool>>,
}

/// Where a mask on a plane came from: the stored slice itself, or a revision of the document.
enum MaskSource {
    Slice(Arc<BitPlane>),
    Revision(u64),
}

struct KeptMask {
    key: (StackId, Plane, usize),
    source: MaskSource,
    bools: Arc<Vec<bool>>,
    outlines: Arc<Vec<Vec<[f32; 2]>>>,
}

/// What a viewport shows.
#[derive(Default)]
pub struct ViewTextures {
    pixel_key: Option<PixelKey>,
    /// The pixels of the plane, for the value under the pointer.
    pub pixels: Option<PlanePixels>,
    /// The rectangle in the patient.
    pub grid: Option<PlaneGrid>,
    image_key: Option<TextureKey>,
    /// The windowed image.
    pub image: Option<TextureHandle>,
    mask_key: Option<(PixelKey, u64, Vec<(SegmentId, Rgb, bool)>, u32)>,
    /// The fills of the masks.
    pub mask: Option<TextureHandle>,
    heat_key: Option<(PixelKey, HeatId, u32)>,
    /// The map of what an answer rests on, or of where it is unsure.
    pub heat: Option<TextureHandle>,
    /// Masks cut by this plane, bottom first.
    pub shapes: Vec<MaskShape>,
    kept: BTreeMap<SegmentId, KeptMask>,
    /// Texture pixels for one image pixel on a side, from the last frame drawn.
    pub wanted_shrink: usize,
}

/// All textures of the window.
#[derive(Default)]
pub struct Textures {
    /// By viewport.
    pub views: [ViewTextures; 4],
    thumbnails: BTreeMap<StackId, (usize, TextureHandle, [usize; 2])>,
    /// Thumbnails for the panels.
    pub thumbnail_ids: BTreeMap<StackId, (TextureId, [usize; 2])>,
}

impl Textures {
    /// Brings everything up to date with the session. The only place that reslices or rasterises.
    pub fn update(&mut self, ctx: &Context, s: &Session, bare: bool) {
        for slot in 0..s.workspace.layout.slots() {
            self.views[slot].update(ctx, s, slot, bare);
        }
        for slot in s.workspace.layout.slots()..self.views.len() {
            self.views[slot] = ViewTextures::default();
        }
        self.update_thumbnails(ctx, s);
    }

    fn update_thumbnails(&mut self, ctx: &Context, s: &Session) {
        for open in s.library.stacks() {
            let Some(t) = &open.thumbnail else { continue };
            let address = Arc::as_ptr(t) as usize;
            if self.thumbnails.get(&open.id).is_some_and(|(a, ..)| *a == address) {
                continue;
            }
            let size = [t.width, t.height];
            let image = ColorImage::from_gray(size, &t.grey);
            let handle = ctx.load_texture("thumbnail", image, TextureOptions::LINEAR);
            self.thumbnail_ids.insert(open.id, (handle.id(), size));
            self.thumbnails.insert(open.id, (address, handle, size));
        }
        self.thumbnails.retain(|id, _| s.library.stack(*id).is_some());
        self.thumbnail_ids.retain(|id, _| s.library.stack(*id).is_some());
    }
}

impl ViewTextures {
    fn update(&mut self, ctx: &Context, s: &Session, slot: usize, bare: bool) {
        let view = &s.workspace.views[slot];
        let Some(open) = view.stack.and_then(|id| s.library.stack(id)) else {
            *self = Self::default();
            return;
        };
        let planes = open.plane_stack(view.plane);
        let index = view.index.min(planes.count() - 1);
        let key = PixelKey { stack: open.id, plane: view.plane, index, revision: revision(open, &planes, index) };
        if self.pixel_key.as_ref() != Some(&key) {
            self.pixels = planes.pixels(&open.volume, index);
            self.grid = Some(planes.grid(index));
            self.pixel_key = Some(key.clone());
        }
        let Some(grid) = self.grid else { return };
        let shrink = self.wanted_shrink.max(grid.width.max(grid.height).div_ceil(LONGEST_PX)).max(1);
        let made = layer_of(s, slot);
        let mut image_key = TextureKey {
            pixels: key.clone(),
            window: s.window_of(slot),
            inverted: view.inverted != open.info.inverted,
            shrink,
            layer: made.map(|(layer, _)| layer),
        };
        if let Some((Layer { show: LayerShow::Residual, .. }, restored)) = made {
            // A difference has a window of its own: grey is zero.
            image_key.window = Window::new(2.0 * f64::from(residual_reach(restored)), 0.0);
            image_key.inverted = false;
        }
        match &self.pixels {
            Some(pixels) if self.image_key.as_ref() != Some(&image_key) => {
                let image = match made {
                    Some((layer, restored)) => image(&laid(pixels, &grid, layer, restored), &grid, &image_key),
                    None => image(pixels, &grid, &image_key),
                };
                put(ctx, &mut self.image, "image", image, TextureOptions::LINEAR);
                self.image_key = Some(image_key);
            }
            Some(_) => {}
            None => {
                self.image = None;
                self.image_key = None;
            }
        }
        self.update_heat(ctx, heat_of(s, slot), &grid, &key);
        self.update_masks(ctx, s, open, &planes, &key, bare);
    }

    fn update_heat(&mut self, ctx: &Context, heat: Option<&Heat>, grid: &PlaneGrid, key: &PixelKey) {
        let heat = heat.filter(|h| (h.columns, h.rows) == (grid.width, grid.height));
        let heat_key = heat.map(|h| (key.clone(), h.id, h.opacity.to_bits()));
        if heat_key == self.heat_key {
            return;
        }
        match heat {
            Some(heat) => put(ctx, &mut self.heat, "heat", crate::overlay::heat::image(heat), TextureOptions::LINEAR),
            None => self.heat = None,
        }
        self.heat_key = heat_key;
    }

    fn update_masks(
        &mut self,
        ctx: &Context,
        s: &Session,
        open: &OpenStack,
        planes: &PlaneStack,
        key: &PixelKey,
        bare: bool,
    ) {
        let document = s.document(open.id).filter(|_| !bare && !s.workspace.masks.hidden);
        let Some(document) = document else {
            self.mask = None;
            self.mask_key = None;
            self.shapes.clear();
            return;
        };
        let shown: Vec<_> = document.segments.iter().filter(|x| x.visible).collect();
        let looks = shown.iter().map(|x| (x.id, x.colour, document.proposed.contains(&x.id))).collect();
        // Under a map only outlines: two layers of colour would be read as one. On a difference too: its greys are values.
        let difference = self.image_key.as_ref().and_then(|k| k.layer).is_some_and(|l| l.show == LayerShow::Residual);
        let fill = if self.heat.is_some() || difference { 0.0 } else { fill_of(s, open) };
        let mask_key = (key.clone(), document.revision, looks, fill.to_bits());
        if self.mask_key.as_ref() == Some(&mask_key) {
            return;
        }
        let place = (key.stack, key.plane, key.index);
        self.kept.retain(|id, kept| kept.key == place && document.segment(*id).is_some());
        self.shapes.clear();
        let width = planes.grid(key.index).width;
        for segment in shown {
            let slice = planes.stored_slice(key.index).and_then(|k| segment.mask.plane(k));
            let known = self.kept.get(&segment.id).filter(|kept| match (&kept.source, slice) {
                (MaskSource::Slice(a), Some(b)) => Arc::ptr_eq(a, b),
                (MaskSource::Revision(r), _) => *r == document.revision && planes.is_interpolated(),
                _ => false,
            });
            if known.is_none() {
                let Some(bools) = planes.mask(open.geometry(), &segment.mask, key.index) else {
                    self.kept.remove(&segment.id);
                    continue;
                };
                let outlines = Arc::new(raster::outline(&bools, width));
                let source = match slice {
                    Some(plane) if !planes.is_interpolated() => MaskSource::Slice(Arc::clone(plane)),
                    _ => MaskSource::Revision(document.revision),
                };
                self.kept.insert(segment.id, KeptMask { key: place, source, bools: Arc::new(bools), outlines });
            }
            if let Some(kept) = self.kept.get(&segment.id) {
                self.shapes.push(MaskShape {
                    id: segment.id,
                    colour: segment.colour,
                    proposed: document.proposed.contains(&segment.id),
                    outlines: Arc::clone(&kept.outlines),
                    bools: Arc::clone(&kept.bools),
                });
            }
        }
        let grid = planes.grid(key.index);
        if self.shapes.is_empty() || fill <= 0.0 {
            self.mask = None;
        } else {
            let image = fills(&self.shapes, &grid, fill);
            put(ctx, &mut self.mask, "masks", image, TextureOptions::NEAREST);
        }
        self.mask_key = Some(mask_key);
    }
}

/// The image that a model made of the frame that a viewport shows, and how it is shown.
#[must_use]
pub fn layer_of(s: &Session, slot: usize) -> Option<(Layer, &Restored)> {
    let view = &s.workspace.views[slot];
    let layer = view.layer?;
    let open = s.library.stack(view.stack?)?;
    let frame = open.plane_stack(view.plane).stored_slice(view.index)?;
    let result = s.results.iter().find(|r| r.id == layer.result && r.stack == open.id)?;
    Some((layer, result.image_on(frame)?))
}

/// The map that is drawn on the frame that a viewport shows.
#[must_use]
pub fn heat_of(s: &Session, slot: usize) -> Option<&Heat> {
    let view = &s.workspace.views[slot];
    let open = s.library.stack(view.stack?)?;
    s.heat_on(open.id, open.plane_stack(view.plane).stored_slice(view.index)?)
}

/// The values of a difference that are black and white: four deviations, which hold nearly all of it.
#[must_use]
pub fn residual_reach(restored: &Restored) -> f32 {
    (4.0 * restored.residual_sd).max(1e-3)
}

/// The original with a model's image over it, or their difference. Where the network did not reach, the original stays.
fn laid(pixels: &PlanePixels, grid: &PlaneGrid, layer: Layer, restored: &Restored) -> PlanePixels {
    if (restored.columns, restored.rows) != (grid.width, grid.height) {
        return pixels.clone();
    }
    let values = match layer.show {
        LayerShow::Residual => restored.residual.clone(),
        LayerShow::Blend(part) => {
            let original = match pixels {
                PlanePixels::Stored(frame) => frame.values(),
                PlanePixels::Values(values) => values.clone(),
            };
            let mix = |(a, b): (f32, &f32)| if b.is_finite() { a + (b - a) * part } else { a };
            original.into_iter().zip(&restored.values).map(mix).collect()
        }
    };
    PlanePixels::Values(values)
}

/// What the pixels of a plane depend on while frames arrive. An interpolated plane needs all slices; while they load it is
/// remade a few times, not with each of them.
fn revision(open: &OpenStack, planes: &PlaneStack, index: usize) -> u64 {
    match planes.stored_slice(index) {
        Some(k) => u64::from(open.frame(k).is_some()),
        None => match open.load {
            LoadState::Loading(_) => 1 + open.revision / (open.frames() as u64 / 8).max(1),
            _ => u64::MAX,
        },
    }
}

/// Opacity of the fills: the reader's choice, else 13 % on projections and 26 % on slices.
#[must_use]
pub fn fill_of(s: &Session, open: &OpenStack) -> f32 {
    s.workspace.masks.fill.unwrap_or(if open.info.is_volume && open.in_patient { 0.26 } else { 0.13 })
}

fn image(pixels: &PlanePixels, grid: &PlaneGrid, key: &TextureKey) -> ColorImage {
    let rgba = raster::rgba(pixels, &key.window, key.inverted);
    let (w, h) = (grid.width, grid.height);
    if key.shrink <= 1 {
        return ColorImage::from_rgba_unmultiplied([w, h], &rgba);
    }
    let k = key.shrink;
    let (sw, sh) = (w.div_ceil(k), h.div_ceil(k));
    let mut out = Vec::with_capacity(sw * sh * 4);
    for y in 0..sh {
        for x in 0..sw {
            let mut sum = [0u32; 3];
            let mut n = 0;
            for j in y * k..(y * k + k).min(h) {
                for p in rgba[(j * w + x * k) * 4..(j * w + (x * k + k).min(w)) * 4].chunks_exact(4) {
                    for c in 0..3 {
                        sum[c] += u32::from(p[c]);
                    }
                    n += 1;
                }
            }
            let n = n.max(1);
            out.extend_from_slice(&[(sum[0] / n) as u8, (sum[1] / n) as u8, (sum[2] / n) as u8, 255]);
        }
    }
    ColorImage::from_rgba_unmultiplied([sw, sh], &out)
}

/// The fills of all masks, later ones on top.
fn fills(shapes: &[MaskShape], grid: &PlaneGrid, fill: f32) -> ColorImage {
    let mut rgba = vec![0u8; grid.width * grid.height * 4];
    let alpha = (fill.clamp(0.0, 1.0) * 255.0).round() as u8;
    for shape in shapes {
        let [r, g, b] = shape.colour.0;
        for (p, inside) in rgba.chunks_exact_mut(4).zip(shape.bools.iter()) {
            if *inside {
                p.copy_from_slice(&[r, g, b, alpha]);
            }
        }
    }
    ColorImage::from_rgba_unmultiplied([grid.width, grid.height], &rgba)
}

fn put(ctx: &Context, slot: &mut Option<TextureHandle>, name: &str, image: ColorImage, options: TextureOptions) {
    match slot {
        Some(handle) => handle.set(image, options),
        None => *slot = Some(ctx.load_texture(name, image, options)),
    }
}

/// The value of a pixel of a plane; `None` outside, where nothing is loaded, for padding and for colour.
#[must_use]
pub fn value_at(pixels: &PlanePixels, grid: &PlaneGrid, x: usize, y: usize) -> Option<f32> {
    if x >= grid.width || y >= grid.height {
        return None;
    }
    match pixels {
        PlanePixels::Stored(frame) => stored(frame, x, y),
        PlanePixels::Values(values) => values.get(y * grid.width + x).copied().filter(|v| !v.is_nan()),
    }
}

fn stored(frame: &Frame, x: usize, y: usize) -> Option<f32> {
    if frame.is_colour() || x >= frame.columns() || frame.is_padding(frame.stored_at(y * frame.columns() + x)) {
        return None;
    }
    frame.value(x, y)
}
