//! The painter over wgpu, into a texture that is read back.

use std::{sync::mpsc, time::Duration};

use egui::{ClippedPrimitive, Color32, TextureId, epaint::ImageDelta};
use egui_wgpu::{
    RenderState, RendererOptions, ScreenDescriptor, WgpuConfiguration, WgpuSetup, WgpuSetupCreateNew, wgpu,
};
use image::RgbaImage;

use super::OffscreenError;

/// Longest wait for a picture; an adapter that is emulated on a busy machine is slow.
const WAIT: Duration = Duration::from_secs(60);

/// An adapter with egui's own renderer.
pub(super) struct Painter {
    state: RenderState,
}

/// Vulkan, Metal or DirectX; GL needs a display, or a driver's good will.
fn setup() -> WgpuSetup {
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    setup.instance_descriptor.backends.remove(wgpu::Backends::GL);
    WgpuSetup::CreateNew(setup)
}

/// Whether wgpu finds a graphics processor.
pub(super) fn has_graphics_processor() -> bool {
    let instance = pollster::block_on(setup().new_instance());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()));
    adapter.is_ok_and(|a| a.get_info().device_type != wgpu::DeviceType::Cpu)
}

impl Painter {
    pub(super) fn new() -> Result<Self, OffscreenError> {
        let setup = setup();
        let instance = pollster::block_on(setup.new_instance());
        let config = WgpuConfiguration { wgpu_setup: setup, ..WgpuConfiguration::default() };
        // Filtering in the shader, no dithering: the picture is the same on every adapter.
        let state = pollster::block_on(RenderState::create(&config, &instance, None, RendererOptions::PREDICTABLE))
            .map_err(|e| OffscreenError::NoAdapter(e.to_string()))?;
        Ok(Self { state })
    }

    pub(super) fn name(&self) -> String {
        self.state.adapter.get_info().name
    }

    pub(super) fn state(&self) -> &RenderState {
        &self.state
    }

    pub(super) fn set(&mut self, id: TextureId, delta: &ImageDelta) {
        self.state.renderer.write().update_texture(&self.state.device, &self.state.queue, id, delta);
    }

    pub(super) fn free(&mut self, id: TextureId) {
        self.state.renderer.write().free_texture(&id);
    }

    pub(super) fn paint(
        &mut self,
        primitives: &[ClippedPrimitive],
        size_in_pixels: [u32; 2],
        pixels_per_point: f32,
        ground: Color32,
    ) -> Result<RgbaImage, OffscreenError> {
        let RenderState { device, queue, .. } = &self.state;
        let mut renderer = self.state.renderer.write();
        let screen = ScreenDescriptor { size_in_pixels, pixels_per_point };
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("picture") });
        let user_buffers = renderer.update_buffers(device, queue, &mut encoder, primitives, &screen);
        let extent = wgpu::Extent3d { width: size_in_pixels[0], height: size_in_pixels[1], depth_or_array_layers: 1 };
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("picture"),
            size: extent,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        {
            let [r, g, b, a] = ground.to_array().map(|v| f64::from(v) / 255.0);
            let mut pass = encoder
                .begin_render_pass(&wgpu::RenderPassDescriptor {
                    label: Some("picture"),
                    color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                        view: &view,
                        resolve_target: None,
                        ops: wgpu::Operations {
                            load: wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a }),
                            store: wgpu::StoreOp::Store,
                        },
                        depth_slice: None,
                    })],
                    ..wgpu::RenderPassDescriptor::default()
                })
                .forget_lifetime();
            renderer.render(&mut pass, primitives, &screen);
        }

        // Rows of a buffer start at multiples of 256 bytes.
        let row_bytes = 4 * size_in_pixels[0] as usize;
        let stride = row_bytes.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT as usize);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: (stride * size_in_pixels[1] as usize) as u64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.copy_texture_to_buffer(
            texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &buffer,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(stride as u32),
                    rows_per_image: None,
                },
            },
            extent,
        );
        queue.submit(user_buffers.into_iter().chain([encoder.finish()]));

        let (sender, receiver) = mpsc::channel();
        buffer.slice(..).map_async(wgpu::MapMode::Read, move |result| drop(sender.send(result)));
        let failed = |e: &dyn std::error::Error| OffscreenError::Adapter(e.to_string());
        device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(WAIT) }).map_err(|e| failed(&e))?;
        receiver.recv().map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let mapped = buffer.slice(..).get_mapped_range().map_err(|e| failed(&e))?;
        let bytes = mapped.chunks_exact(stride).flat_map(|row| &row[..row_bytes]).copied().collect();
        RgbaImage::from_raw(size_in_pixels[0], size_in_pixels[1], bytes)
            .ok_or_else(|| OffscreenError::Adapter("the picture came back in another size".to_owned()))
    }
}
