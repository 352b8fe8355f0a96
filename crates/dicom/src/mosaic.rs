//! Siemens mosaics: the slices of a volume as tiles of one plane image, with the place of the whole in the header.
//!
//! The number of tiles stands in a private element (0019,xx0A), the direction in which they follow each other in the
//! private CSA header (0029,xx10); neither is in the standard. The centre of the mosaic lies on the axis through the
//! centres of the slices, so the first slice begins half the difference of their sizes further in (as dcm2niix and SPM
//! have it).

use dicom_core::Tag;
use dicom_object::InMemDicomObject;
use glam::DVec3;

use crate::attr::Attributes;
use crate::pixels::Raw;

/// Where the tiles are, in the image and in the patient.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mosaic {
    /// Tiles that hold a slice.
    pub(crate) count: usize,
    /// Tiles in a row and in a column.
    side: usize,
    /// Of a tile.
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// Position of the first slice and the step to the next, mm; `None` where the header does not tell.
    place: Option<(DVec3, DVec3)>,
    /// What was guessed.
    pub(crate) note: Option<String>,
}

/// Whether Image Type says that an object is one; then a reader keeps [`is_wanted`].
pub(crate) fn is_told(o: &InMemDicomObject) -> bool {
    o.texts(Tag(0x0008, 0x0008)).iter().any(|t| t == "MOSAIC")
}

/// Private elements that the geometry of a mosaic needs: two and their creators.
pub(crate) fn is_wanted(tag: Tag) -> bool {
    let creator = (0x0010..=0x00FF).contains(&tag.1);
    match tag.0 {
        0x0019 => creator || tag.1 & 0xFF == 0x0A,
        0x0029 => creator || tag.1 & 0xFF == 0x10,
        _ => false,
    }
}

/// An element of a private block by its creator (PS3.5 7.8.1).
fn private(o: &InMemDicomObject, group: u16, creator: &str, element: u16) -> Option<Tag> {
    (0x10..=0xFF_u16)
        .find(|block| o.text(Tag(group, *block)) == creator)
        .map(|block| Tag(group, block << 8 | element))
        .filter(|tag| o.get(*tag).is_some())
}

impl Mosaic {
    /// The mosaic of an image of `columns` x `rows` pixels; `None` when it is none.
    pub(crate) fn read(o: &InMemDicomObject, columns: usize, rows: usize) -> Option<Self> {
        if !is_told(o) {
            return None;
        }
        let count = private(o, 0x0019, "SIEMENS MR HEADER", 0x0A)
            .and_then(|t| o.int(t).or_else(|| o.bytes(t).and_then(|b| number(&b))))
            .or_else(|| csa(o).and_then(|c| value(&c, "NumberOfImagesInMosaic")).map(|v| v as i64))?;
        let count = usize::try_from(count).ok().filter(|n| *n > 1)?;
        let side = (1..=64).find(|s| s * s >= count)?;
        if !columns.is_multiple_of(side) || !rows.is_multiple_of(side) {
            return None;
        }
        let mut mosaic = Self { count, side, columns: columns / side, rows: rows / side, place: None, note: None };
        mosaic.place = mosaic.find(o, columns, rows);
        Some(mosaic)
    }

    fn find(&mut self, o: &InMemDicomObject, columns: usize, rows: usize) -> Option<(DVec3, DVec3)> {
        let corner: [f64; 3] = o.array(Tag(0x0020, 0x0032))?;
        let c: [f64; 6] = o.array(Tag(0x0020, 0x0037))?;
        let spacing: [f64; 2] = o.array(Tag(0x0028, 0x0030))?;
        let (right, down) = (DVec3::new(c[0], c[1], c[2]), DVec3::new(c[3], c[4], c[5]));
        let aside = right * spacing[1] * (columns - self.columns) as f64 / 2.0;
        let below = down * spacing[0] * (rows - self.rows) as f64 / 2.0;
        let step_mm = o.number(Tag(0x0018, 0x0088)).or_else(|| o.number(Tag(0x0018, 0x0050)))?.abs();
        let normal = right.cross(down).normalize_or_zero();
        let told = csa(o).and_then(|c| vector(&c, "SliceNormalVector"));
        let direction = match told {
            // The sign is what it is read for; the cosines have more digits.
            Some(v) if v.dot(normal) < 0.0 => -normal,
            Some(_) => normal,
            None => {
                self.note =
                    Some("the direction of the slices in the mosaic is not told; the usual one is taken".into());
                normal
            }
        };
        Some((DVec3::from(corner) + aside + below, direction * step_mm))
    }

    /// Position of a slice, mm.
    pub(crate) fn position(&self, slice: usize) -> Option<[f64; 3]> {
        self.place.map(|(first, step)| (first + step * slice as f64).to_array())
    }

    /// The samples of one slice from those of the whole.
    pub(crate) fn tile(&self, whole: &Raw, slice: usize) -> Raw {
        let (x, y) = (slice % self.side * self.columns, slice / self.side * self.rows);
        let stride = self.columns * self.side;
        macro_rules! cut {
            ($v:expr, $kind:ident) => {
                Raw::$kind(
                    (y..y + self.rows)
                        .flat_map(|y| &$v[y * stride + x..y * stride + x + self.columns])
                        .copied()
                        .collect(),
                )
            };
        }
        match whole {
            Raw::U8(v) => cut!(v, U8),
            Raw::I8(v) => cut!(v, I8),
            Raw::U16(v) => cut!(v, U16),
            Raw::I16(v) => cut!(v, I16),
            Raw::U32(v) => cut!(v, U32),
            Raw::I32(v) => cut!(v, I32),
            Raw::F32(v) => cut!(v, F32),
            Raw::F64(v) => cut!(v, F64),
        }
    }
}

/// A number in a private element that was read without its VR.
fn number(bytes: &[u8]) -> Option<i64> {
    match bytes {
        [a, b] => Some(i64::from(u16::from_le_bytes([*a, *b]))),
        _ => std::str::from_utf8(bytes).ok()?.trim_matches([' ', '\0']).parse().ok(),
    }
}

fn csa(o: &InMemDicomObject) -> Option<Vec<u8>> {
    o.bytes(private(o, 0x0029, "SIEMENS CSA HEADER", 0x10)?)
}

/// The texts of an element of a CSA header of the second form (`SV10`): names of 64 bytes, items padded to words. Neither
/// form is documented by the vendor; nibabel's documentation describes both.
fn texts(csa: &[u8], name: &str) -> Option<Vec<String>> {
    let word = |at: usize| csa.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
    if !csa.starts_with(b"SV10") {
        return None;
    }
    let elements = word(8)?.min(1024);
    let mut at = 16;
    for _ in 0..elements {
        let found = csa.get(at..at + 64)?.split(|b| *b == 0).next() == Some(name.as_bytes());
        let items = word(at + 76)?.min(1024);
        at += 84;
        let mut out = Vec::new();
        for _ in 0..items {
            let length = word(at + 4)?;
            let value = csa.get(at + 16..(at + 16).checked_add(length)?)?;
            if found {
                out.push(String::from_utf8_lossy(value).trim_matches([' ', '\0']).to_string());
            }
            at += 16 + length.next_multiple_of(4);
        }
        if found {
            return Some(out);
        }
    }
    None
}

fn value(csa: &[u8], name: &str) -> Option<f64> {
    texts(csa, name)?.first()?.parse().ok()
}

fn vector(csa: &[u8], name: &str) -> Option<DVec3> {
    let v: Vec<f64> = texts(csa, name)?.iter().filter_map(|t| t.parse().ok()).filter(|v: &f64| v.is_finite()).collect();
    let [x, y, z, ..] = v[..] else { return None };
    Some(DVec3::new(x, y, z)).filter(|v| v.length() > 0.5)
}
