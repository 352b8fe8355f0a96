//! JPEG XL (ISO 18181) through jxl-oxide.

use super::module::ImageModule;
use super::{Coded, Pattern, marker};

pub(crate) fn decode(data: &[u8], m: &ImageModule) -> Result<Coded, String> {
    let tracker = jxl_oxide::AllocTracker::with_limit((192 << 20) + m.pixels() * m.samples * 64);
    let image = jxl_oxide::JxlImage::builder()
        .alloc_tracker(tracker)
        .read(std::io::Cursor::new(data))
        .map_err(|e| e.to_string())?;
    let components = if image.pixel_format().is_grayscale() { 1 } else { 3 };
    marker::check(image.height() as usize, image.width() as usize, components, m)?;
    let depth = image.image_header().metadata.bit_depth.bits_per_sample();
    if depth > 16 {
        return Err(format!("its samples have {depth} bits"));
    }
    let render = image.render_frame(0).map_err(|e| e.to_string())?;
    let planes = render.image_planar();
    // Values come as floats from 0 to 1; 24 bits of mantissa hold 16 bits exactly.
    let top = ((1_u32 << depth) - 1) as f32;
    let mut out = vec![0_u16; m.pixels() * m.samples];
    for (c, plane) in planes.iter().take(m.samples).enumerate() {
        if plane.buf().len() != m.pixels() {
            return Err("it unpacks to another size than it says".into());
        }
        for (to, &v) in out[c..].iter_mut().step_by(m.samples).zip(plane.buf()) {
            *to = (v * top + 0.5).clamp(0.0, top) as u16;
        }
    }
    let pattern = if depth <= 8 { Pattern::U8(out.into_iter().map(|v| v as u8).collect()) } else { Pattern::U16(out) };
    Ok(Coded { pattern, components: m.samples, is_rgb: true, note: None })
}
