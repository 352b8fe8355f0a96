//! NumPy arrays (`.npy`), little-endian, row-major: what `infer --raw` reads and writes.

use crate::{Error, Result};
use std::path::Path;

/// An array of f32.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Shape.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// Reads an array of `<f4` or `<f8`.
///
/// # Errors
/// [`Error::Read`]; [`Error::Image`] where the file is no such array or another length than its header says.
pub fn read(path: &Path) -> Result<Array> {
    let bytes = std::fs::read(path).map_err(Error::read(path))?;
    parse(&bytes).map_err(|reason| Error::Image { reason: format!("{reason}: {}", path.display()) })
}

fn parse(bytes: &[u8]) -> std::result::Result<Array, String> {
    let (kind, shape, data) =
        open(bytes, |kind| if ["<f4", "<f8"].contains(&kind) { kind[2..].parse().ok() } else { None })?;
    let values = if kind == "<f4" {
        data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    } else {
        data.chunks_exact(8)
            .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32)
            .collect()
    };
    Ok(Array { shape, values })
}

/// Numbers or texts of a data set's array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    I16(Vec<i16>),
    U8(Vec<u8>),
    F32(Vec<f32>),
    Text(Vec<String>),
}

impl Values {
    pub(crate) fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::I16(v) => v.iter().map(|v| f64::from(*v)).collect(),
            Self::U8(v) => v.iter().map(|v| f64::from(*v)).collect(),
            Self::F32(v) => v.iter().map(|v| f64::from(*v)).collect(),
            Self::Text(v) => v.iter().map(|v| v.parse().unwrap_or(f64::NAN)).collect(),
        }
    }

    pub(crate) fn to_text(&self) -> Vec<String> {
        match self {
            Self::Text(v) => v.clone(),
            other => other.to_f64().into_iter().map(|v| v.to_string()).collect(),
        }
    }
}

/// An array of `<i2`, `|u1`, `<f4` or texts (`<U`) with its shape.
pub(crate) fn parse_any(bytes: &[u8]) -> std::result::Result<(Vec<usize>, Values), String> {
    let width = |kind: &str| match kind {
        "<i2" => Some(2),
        "|u1" => Some(1),
        "<f4" => Some(4),
        _ => kind.strip_prefix("<U").and_then(|n| n.parse::<usize>().ok()).map(|n| 4 * n.min(1024)),
    };
    let (kind, shape, data) = open(bytes, width)?;
    let values = match kind {
        "<i2" => Values::I16(data.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()),
        "|u1" => Values::U8(data.to_vec()),
        "<f4" => Values::F32(data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
        _ => {
            let text = |cell: &[u8]| -> String {
                let points = cell.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                points.take_while(|p| *p != 0).filter_map(char::from_u32).collect()
            };
            Values::Text(data.chunks_exact(width(kind).unwrap_or(4).max(4)).map(text).collect())
        }
    };
    Ok((shape, values))
}

/// Number type, shape and bytes of an array whose type `width` knows.
fn open(bytes: &[u8], width: impl Fn(&str) -> Option<usize>) -> std::result::Result<(&str, Vec<usize>, &[u8]), String> {
    let none = "it is no .npy file";
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or(none)?;
    let (length, at) = match rest.first() {
        Some(1) => (rest.get(2..4).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]]))), 4),
        Some(2 | 3) => (rest.get(2..6).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize), 6),
        _ => return Err(none.into()),
    };
    let length = length.ok_or(none)?;
    let header = rest.get(at..).and_then(|r| r.get(..length)).ok_or("its header is cut short")?;
    let data = &rest[at + length..];
    let header = std::str::from_utf8(header).map_err(|_| none)?;
    let after = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start_matches(['\'', '"', ':', ' ']));
    let kind = after("descr").and_then(|k| k.split(['\'', '"']).next()).ok_or(none)?;
    let width = width(kind).ok_or("its numbers are not f32 (<f4)")?;
    if after("fortran_order").is_none_or(|v| !v.starts_with("False")) {
        return Err("it is in Fortran order; save a copy in C order".into());
    }
    let shape = after("shape").and_then(|s| s.strip_prefix('(')).and_then(|s| s.split_once(')')).ok_or(none)?.0;
    let shape: Vec<usize> = shape
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(|s| s.parse().map_err(|_| none.to_owned()))
        .collect::<std::result::Result<_, _>>()?;
    let bytes = shape.iter().try_fold(width, |n: usize, s| n.checked_mul(*s));
    if bytes != Some(data.len()) {
        return Err(format!("its header speaks of the shape {shape:?}, but {} bytes follow", data.len()));
    }
    Ok((kind, shape, data))
}

/// An array of f32 as a file's bytes.
#[must_use]
pub fn floats(shape: &[usize], values: &[f32]) -> Vec<u8> {
    bytes("<f4", shape, values.iter().flat_map(|v| v.to_le_bytes()))
}

/// An array of whole numbers (i64) as a file's bytes.
#[must_use]
pub fn integers(shape: &[usize], values: &[i64]) -> Vec<u8> {
    bytes("<i8", shape, values.iter().flat_map(|v| v.to_le_bytes()))
}

fn bytes(kind: &str, shape: &[usize], data: impl Iterator<Item = u8>) -> Vec<u8> {
    let list: String = shape.iter().map(|s| format!("{s}, ")).collect();
    let list = if shape.len() == 1 { list.trim_end().to_owned() } else { list.trim_end_matches(", ").to_owned() };
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({list}), }}");
    // The data begin at a multiple of 64.
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(data);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back() {
        for shape in [vec![6], vec![2, 3], vec![1, 2, 3, 1], vec![]] {
            let n: usize = shape.iter().product();
            let values: Vec<f32> = (0..n).map(|i| i as f32 - 1.5).collect();
            assert_eq!(parse(&floats(&shape, &values)).unwrap(), Array { shape, values });
        }
        // numpy.save(f, numpy.float32([1, 2])), NumPy 2.4.
        let saved = [
            &b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"[..],
            &[b' '; 60],
            b"\n\x00\x00\x80?\x00\x00\x00@",
        ]
        .concat();
        assert_eq!(parse(&saved).unwrap().values, [1.0, 2.0]);
        assert_eq!(floats(&[2], &[1.0, 2.0]), saved);
    }

    #[test]
    fn shapes_are_not_taken_on_their_word() {
        let good = floats(&[2, 2], &[0.0; 4]);
        assert!(parse(&good[..good.len() - 1]).unwrap_err().contains("15 bytes follow"));
        let huge = String::from_utf8_lossy(&good).replace("(2, 2)", "(9999999999, 9999999999)");
        assert!(parse(huge.as_bytes()).is_err());
        assert!(parse(b"\x93NUMPY\x01\x00\xff\xff{}").unwrap_err().contains("cut short"));
        assert!(parse(b"PNG").is_err());
        assert!(parse(&integers(&[1], &[1])).unwrap_err().contains("f32"));
    }
}
