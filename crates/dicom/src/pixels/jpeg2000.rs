//! JPEG 2000 and HTJ2K (ISO 15444-1, -15) through the pure-Rust port of OpenJPEG.

use super::module::ImageModule;
use super::{Coded, Pattern, marker};

/// Size as the SIZ segment says.
struct Siz {
    rows: usize,
    columns: usize,
    components: usize,
    precision: u32,
    tiles: u64,
}

/// Reads SIZ (15444-1 A.5.1) of a raw codestream or of the one inside a JP2 file.
fn siz(data: &[u8]) -> Option<Siz> {
    let start = if data.starts_with(&[0xFF, 0x4F]) {
        0
    } else {
        data.windows(4).take(64 * 1024).position(|w| w == [0xFF, 0x4F, 0xFF, 0x51])?
    };
    let s = data.get(start + 2..)?;
    if !s.starts_with(&[0xFF, 0x51]) {
        return None;
    }
    let word = |at: usize| s.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let (x1, y1, x0, y0) = (word(6)?, word(10)?, word(14)?, word(18)?);
    let (tw, th, tx, ty) = (word(22)?, word(26)?, word(30)?, word(34)?);
    let components = usize::from(u16::from_be_bytes([*s.get(38)?, *s.get(39)?]));
    let precision = u32::from(*s.get(40)? & 0x7F) + 1;
    let tiles = |end: u32, from: u32, step: u32| {
        if step == 0 { u64::MAX } else { u64::from(end.saturating_sub(from)).div_ceil(u64::from(step)) }
    };
    Some(Siz {
        rows: y1.checked_sub(y0)? as usize,
        columns: x1.checked_sub(x0)? as usize,
        components,
        precision,
        tiles: tiles(x1, tx, tw).saturating_mul(tiles(y1, ty, th)),
    })
}

pub(crate) fn decode(data: &[u8], m: &ImageModule) -> Result<Coded, String> {
    let siz = siz(data).ok_or("it has no size segment")?;
    marker::check(siz.rows, siz.columns, siz.components, m)?;
    if siz.tiles > 65_535 || siz.precision > 32 {
        return Err("its tiles or its precision are not possible".into());
    }
    let (image, note) = match jpeg2k::Image::from_bytes_with(data, jpeg2k::DecodeParameters::new().strict(true)) {
        Ok(image) => (image, None),
        Err(first) => match jpeg2k::Image::from_bytes_with(data, jpeg2k::DecodeParameters::new().strict(false)) {
            Ok(image) => (image, Some("the JPEG 2000 data is cut off; what could be read is shown".to_string())),
            Err(_) => {
                log::debug!("JPEG 2000: {first}");
                return Err("it is damaged or cut off".into());
            }
        },
    };
    let planes = image.components();
    if planes.len() != m.samples {
        return Err("it unpacks to another number of samples than it says".into());
    }
    for p in planes {
        if (p.width() as usize, p.height() as usize) != (m.columns, m.rows) || p.data().len() != m.pixels() {
            return Err("its samples are of another size than the image".into());
        }
    }
    let pattern = if siz.precision <= 8 {
        Pattern::U8(gather(planes, m.pixels(), |v| v as u8))
    } else if siz.precision <= 16 {
        Pattern::U16(gather(planes, m.pixels(), |v| v as u16))
    } else {
        Pattern::U32(gather(planes, m.pixels(), |v| v as u32))
    };
    Ok(Coded { pattern: widened(pattern, planes, m), components: planes.len(), is_rgb: uses_transform(data), note })
}

/// Negative numbers keep their sign in a wider pattern.
fn widened(pattern: Pattern, planes: &[jpeg2k::ImageComponent], m: &ImageModule) -> Pattern {
    let signed = planes.first().is_some_and(jpeg2k::ImageComponent::is_signed);
    match (pattern, m.allocated) {
        (Pattern::U8(v), 16) if signed => Pattern::U16(v.into_iter().map(|x| i16::from(x as i8) as u16).collect()),
        (p, _) => p,
    }
}

fn gather<T: Copy>(planes: &[jpeg2k::ImageComponent], pixels: usize, to: impl Fn(i32) -> T) -> Vec<T> {
    if let [one] = planes {
        return one.data().iter().map(|&v| to(v)).collect();
    }
    let mut out = Vec::with_capacity(pixels * planes.len());
    for i in 0..pixels {
        out.extend(planes.iter().map(|p| to(p.data()[i])));
    }
    out
}

/// Whether COD says that the codec's own colour transform was used; then RGB comes out whatever the header says.
fn uses_transform(data: &[u8]) -> bool {
    let Some(at) = data.windows(2).take(64 * 1024).position(|w| w == [0xFF, 0x52]) else { return false };
    data.get(at + 8).is_some_and(|&t| t == 1)
}
