//! NIfTI-1 (nifti1.h): reading and writing, `.nii` and `.nii.gz`. NIfTI is RAS; everything here is LPS.

use std::io::Write;
use std::path::Path;

use glam::{DAffine3, DMat3, DQuat, DVec3};
use lightbox_core::{Rescale, Volume};

use crate::bytes::Bytes;
use crate::compose::write_whole;
use crate::error::{Error, Fault};
use crate::grid::{Grid, Kind};

/// Whether a file begins with a NIfTI-1 or NIfTI-2 header in one file.
pub(crate) fn is_nifti(head: &[u8]) -> bool {
    matches!(head.get(344..348), Some(b"n+1\0")) || matches!(head.get(4..8), Some(b"n+2\0"))
}

struct Header<'a> {
    b: &'a [u8],
    big: bool,
}

impl Header<'_> {
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut a = [0; N];
        if let Some(s) = self.b.get(at..at + N) {
            a.copy_from_slice(s);
        }
        if self.big {
            a.reverse();
        }
        a
    }

    fn i16(&self, at: usize) -> i64 {
        i64::from(i16::from_le_bytes(self.array(at)))
    }

    fn i32(&self, at: usize) -> i64 {
        i64::from(i32::from_le_bytes(self.array(at)))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.array(at))
    }

    fn f32(&self, at: usize) -> f64 {
        f64::from(f32::from_le_bytes(self.array(at)))
    }

    fn f64(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.array(at))
    }
}

pub(crate) fn read(bytes: &Bytes) -> Result<Grid, Fault> {
    let head = bytes.vec(0, 540)?;
    let second = head.get(4..8) == Some(b"n+2\0");
    let size = if second { 540 } else { 348 };
    if head.len() < size {
        return Err(Fault::CutOff("it ends within its NIfTI header".into()));
    }
    let big = head[..4] == (size as u32).to_be_bytes();
    let h = Header { b: &head, big };
    let at = |first: usize, other: usize| if second { other } else { first };
    let dim = |i: usize| if second { h.i64(16 + 8 * i) } else { h.i16(40 + 2 * i) };
    let float = |a: usize, b: usize| if second { h.f64(b) } else { h.f32(a) };
    let pixdim = |i: usize| float(76 + 4 * i, 104 + 8 * i);
    let n = dim(0);
    if !(1..=7).contains(&n) {
        return Err(Fault::ImageModule(format!("{n} dimensions")));
    }
    let size = |i: i64| if i <= n { usize::try_from(dim(i as usize).max(0)).unwrap_or(0) } else { 1 };
    let volumes = (4..=7).map(size).try_fold(1_usize, usize::checked_mul).unwrap_or(usize::MAX);
    let datatype = h.i16(at(70, 12));
    let kind = match datatype {
        2 => Kind::U8,
        256 => Kind::I8,
        4 => Kind::I16,
        512 => Kind::U16,
        8 => Kind::I32,
        768 => Kind::U32,
        1024 => Kind::I64,
        1280 => Kind::U64,
        16 => Kind::F32,
        64 => Kind::F64,
        128 => Kind::Rgb8,
        other => return Err(Fault::ImageModule(format!("samples of the NIfTI kind {other} are not read"))),
    };
    let (slope, intercept) = (float(112, 176), float(116, 184));
    let usable = slope != 0.0 && slope.is_finite() && intercept.is_finite();
    let offset = if second { h.i64(168) } else { h.f32(108) as i64 };
    let code = |a: usize, b: usize| if second { h.i32(b) } else { h.i16(a) };
    let (qform, sform) = (code(252, 344), code(254, 348));
    // xyzt_units: 1 = metre, 2 = mm, 3 = micrometre.
    let units = if second { h.i32(500) } else { i64::from(head[123]) };
    let to_mm = match units & 7 {
        1 => 1000.0,
        3 => 0.001,
        _ => 1.0,
    };
    let ras = if sform > 0 {
        let row = |i: usize| [0, 1, 2, 3].map(|j| float(280 + 16 * i + 4 * j, 400 + 32 * i + 8 * j));
        let (x, y, z) = (row(0), row(1), row(2));
        Some((
            DMat3::from_cols(DVec3::new(x[0], y[0], z[0]), DVec3::new(x[1], y[1], z[1]), DVec3::new(x[2], y[2], z[2])),
            DVec3::new(x[3], y[3], z[3]),
        ))
    } else if qform > 0 {
        let (b, c, d) = (float(256, 352), float(260, 360), float(264, 368));
        let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
        let r = DMat3::from_quat(DQuat::from_xyzw(b, c, d, a).normalize());
        let qfac = if pixdim(0) < 0.0 { -1.0 } else { 1.0 };
        let m = DMat3::from_cols(r.x_axis * pixdim(1), r.y_axis * pixdim(2), r.z_axis * pixdim(3) * qfac);
        Some((m, DVec3::new(float(268, 376), float(272, 384), float(276, 392))))
    } else {
        None
    };
    let lps = DMat3::from_diagonal(DVec3::new(-1.0, -1.0, 1.0));
    let affine = ras
        .map(|(m, t)| DAffine3 { matrix3: lps * m * to_mm, translation: lps * t * to_mm })
        .filter(|a| a.is_finite() && a.matrix3.determinant() != 0.0);
    let text = |b: &[u8]| crate::text::safe(&String::from_utf8_lossy(b.split(|&c| c == 0).next().unwrap_or(&[])));
    let description = if second { text(&head[240..320]) } else { text(&head[148..228]) };
    let mut notes = Vec::new();
    if affine.is_none() {
        notes.push("the file tells no orientation".into());
    }
    Grid {
        format: "NIfTI",
        columns: size(1),
        rows: size(2),
        slices: size(3),
        volumes,
        kind,
        big_endian: big,
        rescale: if usable { Rescale { slope, intercept } } else { Rescale::default() },
        affine,
        description,
        notes,
        data: bytes.clone(),
        offset: u64::try_from(offset).unwrap_or(352),
    }
    .checked()
}

/// The values of a volume in the narrowest of int16 and float32 that holds them exactly.
pub(crate) enum Values {
    I16(Vec<i16>),
    F32(Vec<f32>),
}

/// All values `[slice][row][column]`; slices that are not loaded are an error.
pub(crate) fn values(volume: &Volume) -> Result<Values, Error> {
    let mut floats: Vec<f32> = Vec::with_capacity(volume.geometry().voxels());
    for slice in volume.slices() {
        let Some(frame) = slice else {
            return Err(Error::NotAVolume("not all of its slices are loaded".into()));
        };
        if frame.is_colour() {
            return Err(Error::NotAVolume("its images are in colour".into()));
        }
        floats.extend(frame.values());
    }
    let whole = floats.iter().all(|&v| v.fract() == 0.0 && (-32_768.0..=32_767.0).contains(&v));
    Ok(if whole { Values::I16(floats.into_iter().map(|v| v as i16).collect()) } else { Values::F32(floats) })
}

/// Writes a volume, gzip-compressed where the name ends in `.gz`. Values after rescale, int16 where that holds all of
/// them exactly, else float32; order `[slice][row][column]`; affine in millimetres, LPS turned to RAS.
///
/// # Errors
/// [`Error::NotAVolume`] when slices are missing or in colour, [`Error::File`] when the file cannot be written.
pub fn write(path: &Path, volume: &Volume) -> Result<(), Error> {
    let values = values(volume)?;
    let most = i16::MAX as usize;
    if volume.geometry().dims().iter().any(|n| *n > most) {
        return Err(Error::NotAVolume(format!("NIfTI holds {most} voxels a side at most; NRRD holds more")));
    }
    let bytes = file(volume, &values);
    let gz = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    write_whole(path, |out| {
        if gz {
            let mut out = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
            out.write_all(&bytes)?;
            out.finish().map(drop)
        } else {
            out.write_all(&bytes)
        }
    })
    .map_err(|e| Fault::from(e).at(path.display()))
}

fn file(volume: &Volume, values: &Values) -> Vec<u8> {
    let g = volume.geometry();
    let [columns, rows, slices] = g.dims();
    let spacing = g.spacing_mm();
    let mut h = vec![0_u8; 352];
    let put16 = |h: &mut Vec<u8>, at: usize, v: i16| h[at..at + 2].copy_from_slice(&v.to_le_bytes());
    let putf = |h: &mut Vec<u8>, at: usize, v: f64| h[at..at + 4].copy_from_slice(&(v as f32).to_le_bytes());
    h[..4].copy_from_slice(&348_i32.to_le_bytes());
    for (i, n) in [3, columns, rows, slices, 1, 1, 1, 1].into_iter().enumerate() {
        put16(&mut h, 40 + 2 * i, i16::try_from(n).unwrap_or(i16::MAX));
    }
    let (code, bits) = match values {
        Values::I16(_) => (4, 16),
        Values::F32(_) => (16, 32),
    };
    put16(&mut h, 70, code);
    put16(&mut h, 72, bits);
    let a = g.affine_lps();
    // RAS: x and y turn round.
    let ras: Vec<[f64; 4]> =
        (0..3).map(|i| a[i].map(|v| if i < 2 { if v == 0.0 { 0.0 } else { -v } } else { v })).collect();
    let m = DMat3::from_cols(
        DVec3::new(ras[0][0], ras[1][0], ras[2][0]),
        DVec3::new(ras[0][1], ras[1][1], ras[2][1]),
        DVec3::new(ras[0][2], ras[1][2], ras[2][2]),
    );
    let qfac = if m.determinant() < 0.0 { -1.0 } else { 1.0 };
    for (i, v) in [qfac, spacing[1], spacing[0], spacing[2], 1.0].into_iter().enumerate() {
        putf(&mut h, 76 + 4 * i, v);
    }
    putf(&mut h, 108, 352.0);
    putf(&mut h, 112, 1.0);
    h[123] = 2 | 8;
    // A sheared stack has no quaternion; sform alone tells it.
    if g.is_orthogonal(0.01) {
        let q = DQuat::from_mat3(&DMat3::from_cols(
            m.x_axis.normalize(),
            m.y_axis.normalize(),
            m.z_axis.normalize() * qfac,
        ));
        let q = if q.w < 0.0 { -q } else { q };
        put16(&mut h, 252, 1);
        for (i, v) in [q.x, q.y, q.z, ras[0][3], ras[1][3], ras[2][3]].into_iter().enumerate() {
            putf(&mut h, 256 + 4 * i, v);
        }
    }
    put16(&mut h, 254, 1);
    for (i, row) in ras.iter().enumerate() {
        for (j, &v) in row.iter().enumerate() {
            putf(&mut h, 280 + 16 * i + 4 * j, v);
        }
    }
    h[344..348].copy_from_slice(b"n+1\0");
    match values {
        Values::I16(v) => h.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Values::F32(v) => h.extend(v.iter().flat_map(|x| x.to_le_bytes())),
    }
    h
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lightbox_core::{Frame, PatientPos, Samples, VolumeGeometry};

    use super::*;

    fn volume(step: DVec3) -> Volume {
        let g = VolumeGeometry::from_dicom(
            [2, 3, 2],
            PatientPos::new(10.0, -20.0, 30.0),
            DVec3::new(0.8, 0.6, 0.0),
            DVec3::new(-0.6, 0.8, 0.0),
            [0.5, 0.75],
            step,
        )
        .expect("valid");
        let frame = |from: i16| {
            let samples = Samples::I16((from..from + 6).collect());
            Some(Arc::new(Frame::new(2, 3, samples, Rescale { slope: 2.0, intercept: -5.0 }).expect("fits")))
        };
        Volume::new(g, vec![frame(0), frame(100)]).expect("fits")
    }

    #[test]
    fn what_is_written_is_read_again() {
        for step in [DVec3::new(0.0, 0.0, 2.5), DVec3::new(0.0, 0.0, -2.5), DVec3::new(0.0, 1.0, 2.0)] {
            let v = volume(step);
            let bytes = file(&v, &values(&v).expect("loaded"));
            let grid = read(&Bytes::memory(bytes)).expect("readable");
            assert_eq!(grid.kind, Kind::I16);
            assert_eq!((grid.columns, grid.rows, grid.slices, grid.volumes), (2, 3, 2, 1));
            let affine = grid.affine.expect("told");
            assert!(affine.abs_diff_eq(v.geometry().patient_from_voxel(), 1e-5));
            assert_eq!(grid.frame(1).expect("there").value(1, 2), v.value([1, 2, 1]));
            assert!(grid.frame(2).is_err());
        }
    }

    #[test]
    fn the_quaternion_alone_tells_the_same() {
        for step in [DVec3::new(0.0, 0.0, 2.5), DVec3::new(0.0, 0.0, -2.5)] {
            let v = volume(step);
            let mut bytes = file(&v, &values(&v).expect("loaded"));
            bytes[254..256].fill(0);
            let affine = read(&Bytes::memory(bytes)).expect("readable").affine.expect("told");
            assert!(affine.abs_diff_eq(v.geometry().patient_from_voxel(), 1e-4));
        }
    }
}
