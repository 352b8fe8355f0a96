//! NRRD (teem): reading raw and gzip data in one file, and writing.

use std::io::Write;
use std::path::Path;

use glam::{DAffine3, DMat3, DVec3};
use lightbox_core::{Rescale, Volume};

use crate::bytes::Bytes;
use crate::compose::write_whole;
use crate::error::{Error, Fault};
use crate::grid::{self, Grid, Kind};
use crate::nifti::{Values, values};

/// Headers are a few hundred bytes; longer ones are refused.
const LONGEST_HEADER: u64 = 256 * 1024;

pub(crate) fn read(bytes: &Bytes) -> Result<Grid, Fault> {
    let head = bytes.vec(0, LONGEST_HEADER)?;
    let end = head
        .windows(2)
        .position(|w| w == b"\n\n")
        .map(|p| p + 2)
        .or_else(|| head.windows(4).position(|w| w == b"\r\n\r\n").map(|p| p + 4))
        .ok_or_else(|| Fault::Header("its NRRD header does not end".into()))?;
    let text = String::from_utf8_lossy(&head[..end]).into_owned();
    let field = |name: &str| {
        text.lines().find_map(|l| {
            let (key, value) = l.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_string())
        })
    };
    if field("data file").is_some() || field("datafile").is_some() {
        return Err(Fault::Header("its data lies in another file, which is not read".into()));
    }
    let kind = match field("type").unwrap_or_default().to_ascii_lowercase().as_str() {
        "uchar" | "unsigned char" | "uint8" | "uint8_t" => Kind::U8,
        "signed char" | "int8" | "int8_t" => Kind::I8,
        "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => Kind::I16,
        "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => Kind::U16,
        "int" | "signed int" | "int32" | "int32_t" => Kind::I32,
        "uint" | "unsigned int" | "uint32" | "uint32_t" => Kind::U32,
        "longlong" | "long long" | "int64" | "int64_t" => Kind::I64,
        "ulonglong" | "unsigned long long" | "uint64" | "uint64_t" => Kind::U64,
        "float" => Kind::F32,
        "double" => Kind::F64,
        other => {
            return Err(Fault::ImageModule(format!(
                "samples of the NRRD type {} are not read",
                crate::text::safe(other)
            )));
        }
    };
    let sizes: Vec<usize> =
        field("sizes").unwrap_or_default().split_whitespace().map(|s| s.parse().unwrap_or(0)).collect();
    if !(2..=4).contains(&sizes.len()) {
        return Err(Fault::ImageModule(format!("{} dimensions", sizes.len())));
    }
    let directions = vectors(&field("space directions").unwrap_or_default());
    // A leading axis without direction is a component of the value (segments, RGB), which is another lattice.
    if directions.first().is_some_and(Option::is_none) && sizes.len() > 3 {
        return Err(Fault::ImageModule("several values a voxel are not read".into()));
    }
    let turn = match field("space").unwrap_or_default().to_ascii_lowercase().as_str() {
        "right-anterior-superior" | "ras" => DVec3::new(-1.0, -1.0, 1.0),
        "left-anterior-superior" | "las" => DVec3::new(1.0, -1.0, 1.0),
        _ => DVec3::ONE,
    };
    let spacings: Vec<f64> =
        field("spacings").unwrap_or_default().split_whitespace().map(|s| s.parse().unwrap_or(f64::NAN)).collect();
    let axis = |i: usize| directions.get(i).copied().flatten();
    let origin = vectors(&field("space origin").unwrap_or_default()).first().copied().flatten();
    let affine = match (axis(0), axis(1), axis(2)) {
        (Some(x), Some(y), Some(z)) => Some(DAffine3 {
            matrix3: DMat3::from_cols(x * turn, y * turn, z * turn),
            translation: origin.unwrap_or(DVec3::ZERO) * turn,
        }),
        _ => match spacings[..] {
            [x, y, z, ..] => Some(DAffine3::from_scale(DVec3::new(x, y, z))),
            _ => None,
        },
    }
    .filter(|a| a.is_finite() && a.matrix3.determinant() != 0.0);
    let encoding = field("encoding").unwrap_or_default().to_ascii_lowercase();
    let (data, offset) = match encoding.as_str() {
        "raw" | "" => (bytes.clone(), end as u64),
        "gzip" | "gz" => {
            let packed = bytes.vec(end as u64, bytes.len() - end as u64)?;
            let n = packed.len();
            (grid::inflate_with(flate2::read::MultiGzDecoder::new(packed.as_slice()), n)?, 0)
        }
        other => return Err(Fault::Header(format!("NRRD data as {} is not read", crate::text::safe(other)))),
    };
    Grid {
        format: "NRRD",
        columns: sizes[0],
        rows: sizes[1],
        slices: sizes.get(2).copied().unwrap_or(1),
        volumes: sizes.get(3).copied().unwrap_or(1),
        kind,
        big_endian: field("endian").is_some_and(|e| e.eq_ignore_ascii_case("big")),
        rescale: Rescale::default(),
        affine,
        description: field("content").map(|c| crate::text::safe(&c)).unwrap_or_default(),
        notes: Vec::new(),
        data,
        offset,
    }
    .checked()
}

/// `(1,0,0) (0,1,0) none`.
fn vectors(text: &str) -> Vec<Option<DVec3>> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("none") {
            out.push(None);
            rest = after.trim_start();
            continue;
        }
        let Some((inside, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) else { break };
        let n: Vec<f64> = inside.split(',').filter_map(|v| v.trim().parse().ok()).collect();
        out.push(match n[..] {
            [x, y, z] => Some(DVec3::new(x, y, z)),
            _ => None,
        });
        rest = after.trim_start();
    }
    out
}

/// Writes a volume as one NRRD file with gzip data: values after rescale, int16 where that holds all of them exactly,
/// else float32; space left-posterior-superior, millimetres.
///
/// # Errors
/// [`Error::NotAVolume`] when slices are missing or in colour, [`Error::File`] when the file cannot be written.
pub fn write(path: &Path, volume: &Volume) -> Result<(), Error> {
    let bytes = file(volume)?;
    write_whole(path, |out| out.write_all(&bytes)).map_err(|e| Fault::from(e).at(path.display()))
}

fn file(volume: &Volume) -> Result<Vec<u8>, Error> {
    let values = values(volume)?;
    let g = volume.geometry();
    let [columns, rows, slices] = g.dims();
    let a = g.affine_lps();
    let column = |j: usize| format!("({},{},{})", a[0][j], a[1][j], a[2][j]);
    let kind = match values {
        Values::I16(_) => "short",
        Values::F32(_) => "float",
    };
    let head = format!(
        "NRRD0004\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\nsizes: {columns} {rows} {slices}\n\
         space directions: {} {} {}\nkinds: domain domain domain\nendian: little\nencoding: gzip\nspace origin: {}\n\n",
        column(0),
        column(1),
        column(2),
        column(3),
    );
    let raw: Vec<u8> = match values {
        Values::I16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Values::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
    };
    let mut out = flate2::write::GzEncoder::new(head.into_bytes(), flate2::Compression::fast());
    // Writing to memory does not fail.
    out.write_all(&raw).and_then(|()| out.finish()).map_err(|e| Error::NotAVolume(e.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lightbox_core::{Frame, PatientPos, Samples, VolumeGeometry};

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let g = VolumeGeometry::from_dicom(
            [2, 1, 1],
            PatientPos::new(1.0, 2.0, 3.0),
            DVec3::X,
            DVec3::Y,
            [0.5, 0.75],
            DVec3::new(0.0, 0.25, 2.0),
        )
        .expect("valid");
        let frame = Frame::new(2, 1, Samples::F32(vec![0.5, -1.0]), Rescale::default()).expect("fits");
        let v = Volume::new(g, vec![Some(Arc::new(frame))]).expect("fits");
        let grid = read(&Bytes::memory(file(&v).expect("writable"))).expect("readable");
        assert_eq!(grid.affine, Some(v.geometry().patient_from_voxel()));
        assert_eq!(grid.frame(0).expect("there").values(), [0.5, -1.0]);
    }

    #[test]
    fn ras_turns_round() {
        let text = b"NRRD0004\ntype: uchar\ndimension: 3\nspace: right-anterior-superior\nsizes: 1 1 2\n\
            space directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (4,5,6)\nencoding: raw\n\nab";
        let a = read(&Bytes::memory(text.to_vec())).expect("readable").affine.expect("told");
        assert_eq!(a.translation, DVec3::new(-4.0, -5.0, 6.0));
        assert_eq!(a.matrix3, DMat3::from_diagonal(DVec3::new(-1.0, -2.0, 3.0)));
    }
}
