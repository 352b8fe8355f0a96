//! MetaImage (`.mha`): reading data in the same file, raw or zlib.

use glam::{DAffine3, DMat3, DVec3};
use lightbox_core::Rescale;

use crate::bytes::Bytes;
use crate::error::Fault;
use crate::grid::{self, Grid, Kind};

const LONGEST_HEADER: u64 = 64 * 1024;

/// Whether a file begins as a MetaImage header does.
pub(crate) fn is_metaimage(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let first = text.lines().next().unwrap_or_default();
    ["ObjectType", "NDims", "Comment"].iter().any(|k| first.trim_start().starts_with(k)) && first.contains('=')
}

pub(crate) fn read(bytes: &Bytes) -> Result<Grid, Fault> {
    let head = bytes.vec(0, LONGEST_HEADER)?;
    let mark = b"ElementDataFile";
    let at = head
        .windows(mark.len())
        .position(|w| w == mark)
        .ok_or_else(|| Fault::Header("its MetaImage header does not end".into()))?;
    let end = head[at..].iter().position(|&b| b == b'\n').map_or(head.len(), |p| at + p + 1);
    let text = String::from_utf8_lossy(&head[..end]).into_owned();
    let field = |name: &str| {
        text.lines().find_map(|l| {
            let (key, value) = l.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_string())
        })
    };
    if !field("ElementDataFile").is_some_and(|f| f.eq_ignore_ascii_case("LOCAL")) {
        return Err(Fault::Header("its data lies in another file, which is not read".into()));
    }
    let numbers = |names: &[&str]| -> Vec<f64> {
        names
            .iter()
            .find_map(|n| field(n))
            .unwrap_or_default()
            .split_whitespace()
            .map(|v| v.parse().unwrap_or(f64::NAN))
            .collect()
    };
    let yes = |name: &str| field(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let kind = match field("ElementType").unwrap_or_default().to_ascii_uppercase().as_str() {
        "MET_UCHAR" => Kind::U8,
        "MET_CHAR" => Kind::I8,
        "MET_USHORT" => Kind::U16,
        "MET_SHORT" => Kind::I16,
        "MET_UINT" => Kind::U32,
        "MET_INT" => Kind::I32,
        "MET_LONG_LONG" => Kind::I64,
        "MET_ULONG_LONG" => Kind::U64,
        "MET_FLOAT" => Kind::F32,
        "MET_DOUBLE" => Kind::F64,
        other => {
            return Err(Fault::ImageModule(format!("samples of the kind {} are not read", crate::text::safe(other))));
        }
    };
    if field("ElementNumberOfChannels").is_some_and(|c| c != "1") {
        return Err(Fault::ImageModule("several values a voxel are not read".into()));
    }
    let sizes: Vec<usize> = numbers(&["DimSize"]).iter().map(|&v| v as usize).collect();
    if !(2..=4).contains(&sizes.len()) {
        return Err(Fault::ImageModule(format!("{} dimensions", sizes.len())));
    }
    let d = sizes.len();
    let m = numbers(&["TransformMatrix", "Rotation", "Orientation"]);
    let spacing = numbers(&["ElementSpacing", "ElementSize"]);
    let origin = numbers(&["Offset", "Position", "Origin"]);
    // ITK writes LPS; the matrix holds one axis a row.
    let affine = (d >= 3 && spacing.len() >= 3)
        .then(|| {
            let axis = |i: usize| match m.get(i * d..i * d + 3) {
                Some(v) => DVec3::new(v[0], v[1], v[2]),
                None => DVec3::AXES[i],
            };
            let o = |i: usize| origin.get(i).copied().unwrap_or(0.0);
            DAffine3 {
                matrix3: DMat3::from_cols(axis(0) * spacing[0], axis(1) * spacing[1], axis(2) * spacing[2]),
                translation: DVec3::new(o(0), o(1), o(2)),
            }
        })
        .filter(|a| a.is_finite() && a.matrix3.determinant() != 0.0);
    let (data, offset) = if yes("CompressedData") {
        let packed = bytes.vec(end as u64, bytes.len() - end as u64)?;
        let n = packed.len();
        (grid::inflate_with(flate2::read::ZlibDecoder::new(packed.as_slice()), n)?, 0)
    } else {
        (bytes.clone(), end as u64)
    };
    Grid {
        format: "MetaImage",
        columns: sizes[0],
        rows: sizes[1],
        slices: sizes.get(2).copied().unwrap_or(1),
        volumes: sizes.get(3).copied().unwrap_or(1),
        kind,
        big_endian: yes("BinaryDataByteOrderMSB") || yes("ElementByteOrderMSB"),
        rescale: Rescale::default(),
        affine,
        description: field("Comment").map(|c| crate::text::safe(&c)).unwrap_or_default(),
        notes: Vec::new(),
        data,
        offset,
    }
    .checked()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_file_is_read() {
        let text = b"ObjectType = Image\nNDims = 3\nBinaryData = True\nTransformMatrix = 0 1 0 1 0 0 0 0 -1\n\
            Offset = 1 2 3\nElementSpacing = 0.5 2 4\nDimSize = 2 1 1\nElementType = MET_SHORT\nElementDataFile = LOCAL\n\
            \x01\x00\xff\xff";
        let g = read(&Bytes::memory(text.to_vec())).expect("readable");
        assert_eq!(g.frame(0).expect("there").values(), [1.0, -1.0]);
        let a = g.affine.expect("told");
        assert_eq!(a.matrix3.x_axis, DVec3::new(0.0, 0.5, 0.0));
        assert_eq!(a.matrix3.z_axis, DVec3::new(0.0, 0.0, -4.0));
    }
}
