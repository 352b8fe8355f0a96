//! The first bytes of a compressed frame: what it is and how large, read before any decoder sees it.

use super::module::ImageModule;
use crate::syntax::Packing;

/// Kind of a JPEG frame by its SOF marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sof {
    /// Marker code, 0xC0 to 0xCF, or 0xF7 (JPEG-LS).
    pub(crate) code: u8,
    pub(crate) precision: u32,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) components: usize,
}

/// What a stream is by its first bytes.
pub(crate) fn packing(data: &[u8]) -> Option<Packing> {
    match data {
        [0xFF, 0xD8, 0xFF, ..] => match sof(data).map(|s| s.code) {
            Some(0xF7) => Some(Packing::JpegLs),
            _ => Some(Packing::Jpeg),
        },
        [0xFF, 0x4F, 0xFF, 0x51, ..] | [0, 0, 0, 0x0C, b'j', b'P', b' ', b' ', ..] => Some(Packing::Jpeg2000),
        [0xFF, 0x0A, ..] | [0, 0, 0, 0x0C, b'J', b'X', b'L', b' ', ..] => Some(Packing::JpegXl),
        _ => None,
    }
}

/// Walks the marker segments of a JPEG or JPEG-LS stream up to its frame header.
pub(crate) fn sof(data: &[u8]) -> Option<Sof> {
    let mut at = 2;
    loop {
        while *data.get(at)? != 0xFF {
            at += 1;
        }
        while *data.get(at)? == 0xFF {
            at += 1;
        }
        let code = *data.get(at)?;
        at += 1;
        if matches!(code, 0x00 | 0x01 | 0xD0..=0xD8) {
            continue;
        }
        if code == 0xDA || code == 0xD9 {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
        let is_sof = matches!(code, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7);
        if is_sof {
            let b = data.get(at + 2..at + 8)?;
            return Some(Sof {
                code,
                precision: u32::from(b[0]),
                rows: usize::from(u16::from_be_bytes([b[1], b[2]])),
                columns: usize::from(u16::from_be_bytes([b[3], b[4]])),
                components: usize::from(b[5]),
            });
        }
        at += length.max(2);
    }
}

/// The transform flag of an Adobe APP14 segment.
pub(crate) fn adobe_transform(data: &[u8]) -> Option<u8> {
    let mut at = 2;
    while at + 4 <= data.len() && data[at] == 0xFF {
        let code = data[at + 1];
        if code == 0xDA {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([data[at + 2], data[at + 3]]));
        let body = data.get(at + 4..at + 2 + length)?;
        if code == 0xEE && body.starts_with(b"Adobe") {
            return body.get(11).copied();
        }
        at += 2 + length;
    }
    None
}

/// Bytes of a decoded frame that are allowed whatever is packed: blank images compress without bound.
const FREE_BYTES: u64 = 64 << 20;
/// Beyond them, so many bytes for each compressed one. Whole images of medical use stay below 100.
pub(crate) const LARGEST_RATIO: u64 = 1000;

/// A stream far too short for the image that it claims to be is refused before memory is taken for it.
pub(crate) fn check_ratio(data: &[u8], m: &ImageModule) -> Result<(), String> {
    let bytes = m.pixels() as u64 * m.samples as u64 * u64::from(m.allocated.div_ceil(8));
    if bytes > FREE_BYTES && bytes / LARGEST_RATIO > data.len() as u64 {
        return Err(format!("{} bytes cannot hold an image of {} MiB", data.len(), bytes >> 20));
    }
    Ok(())
}

/// A stream of another size than the header says is refused before memory is taken for it.
pub(crate) fn check(rows: usize, columns: usize, components: usize, m: &ImageModule) -> Result<(), String> {
    if (rows, columns) != (m.rows, m.columns) {
        return Err(format!("it is {columns} x {rows} pixels, the header says {} x {}", m.columns, m.rows));
    }
    if components != m.samples {
        return Err(format!("it has {components} samples per pixel, the header says {}", m.samples));
    }
    Ok(())
}
