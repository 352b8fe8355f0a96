//! JPEG (ISO 10918-1): baseline, extended, progressive through libjpeg-turbo-rs; lossless by our own decoder.

use libjpeg_turbo_rs::{ColorSpace, DecodeLimits, Decoder};

use super::marker::{self, Sof};
use super::module::{ImageModule, Photometric};
use super::{Coded, Pattern, jpeg_lossless, jpeg_progressive};

pub(crate) fn decode(data: &[u8], m: &ImageModule) -> Result<Coded, String> {
    let sof = marker::sof(data).ok_or("it has no frame header")?;
    marker::check(sof.rows, sof.columns, sof.components, m)?;
    match sof.code {
        0xC3 => jpeg_lossless::decode(data, m),
        0xC0..=0xC2 | 0xC9 | 0xCA => dct(data, sof, m),
        other => Err(format!("its process (SOF{}) is not read", other & 0x0F)),
    }
}

fn limits(m: &ImageModule) -> DecodeLimits {
    let pixels = m.pixels() as u64;
    DecodeLimits {
        max_width: m.columns,
        max_height: m.rows,
        max_pixels: pixels,
        max_scans: 1000,
        // Coefficients, planes and output; progressive needs the most.
        max_memory: Some((64 << 20) + pixels * 48),
    }
}

/// Whether the stream's components are YCbCr: APP14 decides, then the photometric interpretation.
fn is_ybr(data: &[u8], m: &ImageModule) -> bool {
    match marker::adobe_transform(data) {
        Some(0) => false,
        Some(_) => true,
        None => matches!(m.photometric, Photometric::YbrFull | Photometric::YbrFull422 | Photometric::YbrPartial),
    }
}

fn dct(data: &[u8], sof: Sof, m: &ImageModule) -> Result<Coded, String> {
    if sof.precision > 8 {
        return dct_12(data, sof, m);
    }
    let reason = |e: libjpeg_turbo_rs::JpegError| e.to_string();
    let colour = m.samples == 3;
    let ybr = colour && is_ybr(data, m);
    let configure = |lenient: bool| -> Result<Decoder<'_>, String> {
        let mut decoder = Decoder::new_with_limits(data, limits(m)).map_err(reason)?;
        decoder.set_lenient(lenient);
        // The decoder guesses the stream's colour space from its markers and gives RGB. Where it is wrong to see YCbCr,
        // the components are asked for as they are.
        if colour && !ybr && decoder.jpeg_color_space() == ColorSpace::YCbCr {
            decoder.set_output_colorspace(ColorSpace::YCbCr);
        }
        Ok(decoder)
    };
    let strict = configure(false)?;
    let converted = strict.jpeg_color_space() == ColorSpace::YCbCr;
    let (image, note) = match strict.decode_image() {
        Ok(image) => (image, None),
        // A stream that breaks off shows what it holds.
        Err(first) => match configure(true)?.decode_image() {
            Ok(image) => (image, Some(format!("the JPEG data is damaged ({first}); what could be read is shown"))),
            Err(_) => return Err(first.to_string()),
        },
    };
    if image.data.len() != m.pixels() * m.samples {
        return Err("it unpacks to another size than it says".into());
    }
    Ok(Coded { pattern: Pattern::U8(image.data), components: m.samples, is_rgb: !ybr || converted, note })
}

fn dct_12(data: &[u8], sof: Sof, m: &ImageModule) -> Result<Coded, String> {
    let colour = m.samples == 3;
    let ybr = colour && is_ybr(data, m);
    let told;
    let data = if colour {
        told = with_transform(data, ybr)?;
        told.as_slice()
    } else {
        data
    };
    if matches!(sof.code, 0xC2 | 0xCA) {
        let values = jpeg_progressive::decode_12(data, m)?;
        return Ok(Coded { pattern: Pattern::U16(values), components: 1, is_rgb: true, note: None });
    }
    let (image, note) = match libjpeg_turbo_rs::precision::decompress_12bit_with_limits(data, &limits(m)) {
        Ok(image) => (image, None),
        Err(first) => match libjpeg_turbo_rs::precision::decompress_12bit_lenient(data) {
            Ok((image, _)) => (image, Some(format!("the JPEG data is damaged ({first}); what could be read is shown"))),
            Err(_) => return Err(first.to_string()),
        },
    };
    if image.data.len() != m.pixels() * m.samples {
        return Err("it unpacks to another size than it says".into());
    }
    let values = image.data.into_iter().map(|v| v as u16).collect();
    Ok(Coded { pattern: Pattern::U16(values), components: m.samples, is_rgb: true, note })
}

/// The stream with an Adobe segment that says whether its colour is YCbCr, in place of those that may say otherwise: the
/// 12-bit decoder has no other way to be told.
fn with_transform(data: &[u8], ybr: bool) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend_from_slice(&[0xFF, 0xD8, 0xFF, 0xEE, 0, 14]);
    out.extend_from_slice(b"Adobe");
    out.extend_from_slice(&[0, 100, 0, 0, 0, 0, u8::from(ybr)]);
    let mut at = 2;
    while let Some(&[0xFF, code, high, low]) = data.get(at..at + 4).and_then(|s| <&[u8; 4]>::try_from(s).ok()) {
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        match code {
            0xE0 | 0xEE => {}
            // From the frame header on everything is kept.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCF => break,
            _ => out.extend_from_slice(data.get(at..end).ok_or("it is cut off")?),
        }
        at = end;
    }
    out.extend_from_slice(data.get(at..).ok_or("it is cut off")?);
    Ok(out)
}
