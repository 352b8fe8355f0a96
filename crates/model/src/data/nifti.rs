//! NIfTI-1 as the data sets use it: one 3D volume, compressed or not, with its affine.

use crate::{Error, Result};
use flate2::read::GzDecoder;
use std::io::Read;

/// A volume of a data set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Nifti {
    /// Columns, rows, slices.
    pub(crate) dims: [usize; 3],
    /// `[slices * rows * columns]`, after scaling.
    pub(crate) values: Vec<f32>,
    /// LPS in mm from voxel centres, row by row.
    pub(crate) affine_lps: [[f64; 4]; 3],
}

/// More voxels than any set here has.
const MOST_VOXELS: usize = 1 << 26;

/// Reads a volume (NIfTI-1.1, <https://nifti.nimh.nih.gov/nifti-1>).
pub(crate) fn parse(set: &str, name: &str, bytes: &[u8]) -> Result<Nifti> {
    let fail = |reason: &str| Error::Data { set: set.into(), reason: format!("{reason}: {name}") };
    let plain = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut out = Vec::new();
        let most = 4 * MOST_VOXELS as u64;
        GzDecoder::new(bytes).take(most).read_to_end(&mut out).map_err(|_| fail("it is no whole gzip file"))?;
        out
    } else {
        bytes.to_vec()
    };
    if plain.len() < 352 || plain[344..347] != *b"n+1" {
        return Err(fail("it is no NIfTI-1 file"));
    }
    if i32::from_le_bytes([plain[0], plain[1], plain[2], plain[3]]) != 348 {
        return Err(fail("its byte order is not little-endian"));
    }
    let short = |at: usize| i16::from_le_bytes([plain[at], plain[at + 1]]);
    let float = |at: usize| f32::from_le_bytes([plain[at], plain[at + 1], plain[at + 2], plain[at + 3]]);
    let mut dims = [1usize; 3];
    let axes = short(40);
    for (a, dim) in dims.iter_mut().enumerate().take(axes.clamp(0, 3) as usize) {
        *dim = usize::try_from(short(42 + 2 * a)).unwrap_or(0);
    }
    let count = dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| (1..=MOST_VOXELS).contains(n));
    let Some(count) = count else { return Err(fail("its dimensions are none that can be read")) };
    let start = float(108) as usize;
    let kind = short(70);
    let width = match kind {
        2 | 256 => 1,
        4 | 512 => 2,
        8 | 16 => 4,
        64 => 8,
        _ => return Err(fail("its number type is not read")),
    };
    let data = plain.get(start..).and_then(|d| d.get(..count * width)).ok_or_else(|| fail("it is cut short"))?;
    let (slope, shift) = match float(112) {
        0.0 => (1.0, 0.0),
        slope => (slope, float(116)),
    };
    let values: Vec<f32> = data
        .chunks_exact(width)
        .map(|b| match kind {
            2 => f32::from(b[0]),
            256 => f32::from(b[0] as i8),
            4 => f32::from(i16::from_le_bytes([b[0], b[1]])),
            512 => f32::from(u16::from_le_bytes([b[0], b[1]])),
            8 => i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32,
            16 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            _ => f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32,
        })
        .map(|v| v * slope + shift)
        .collect();
    if values.iter().any(|v| !v.is_finite()) {
        return Err(fail("it holds values that are not finite"));
    }
    let affine_ras = if short(254) > 0 {
        [280, 296, 312].map(|row| [0, 4, 8, 12].map(|c| f64::from(float(row + c))))
    } else {
        quaternion(&plain, short(252) > 0)
    };
    // NIfTI's x and y run to the right's and the front's opposite.
    let [x, y, z] = affine_ras;
    Ok(Nifti { dims, values, affine_lps: [x.map(|v| -v), y.map(|v| -v), z] })
}

/// The affine from spacing and, where told, quaternion.
fn quaternion(plain: &[u8], told: bool) -> [[f64; 4]; 3] {
    let float = |at: usize| f64::from(f32::from_le_bytes([plain[at], plain[at + 1], plain[at + 2], plain[at + 3]]));
    let size = [float(80), float(84), float(88)].map(|s| if s > 0.0 { s } else { 1.0 });
    if !told {
        return [[size[0], 0.0, 0.0, 0.0], [0.0, size[1], 0.0, 0.0], [0.0, 0.0, size[2], 0.0]];
    }
    let (b, c, d) = (float(256), float(260), float(264));
    let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
    let third = if float(76) < 0.0 { -size[2] } else { size[2] };
    let m = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    let at = [float(268), float(272), float(276)];
    [0, 1, 2].map(|r| [m[r][0] * size[0], m[r][1] * size[1], m[r][2] * third, at[r]])
}
