//! Encapsulated pixel data: which bytes belong to which frame (PS3.5 A.4, PS3.3 C.7.6.3.1.8).

use dicom_core::Tag;
use dicom_object::InMemDicomObject;

use crate::attr::Attributes;
use crate::bytes::{Bytes, Cursor};
use crate::error::Fault;

/// One item of the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// First byte of the item's tag.
    pub(crate) item: u64,
    /// First byte of the value.
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// All items, and which frame they belong to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fragments {
    pub(crate) items: Vec<Fragment>,
    /// For each frame the range of its items.
    pub(crate) frames: Vec<std::ops::Range<usize>>,
    pub(crate) notes: Vec<String>,
}

/// Offset table and items; nothing is believed beyond the file's end.
fn walk(bytes: &Bytes, start: u64) -> Result<(Vec<u32>, Vec<Fragment>, Vec<String>), Fault> {
    let mut cursor = Cursor::new(bytes);
    let mut notes = Vec::new();
    let mut offsets = Vec::new();
    let mut items = Vec::new();
    let mut at = start;
    let mut first = true;
    loop {
        let Some(head) = cursor.get(at, 8)? else {
            notes.push("the compressed pixel data does not end".into());
            break;
        };
        // Encapsulated data sets are always little endian.
        let tag = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
        let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        match tag {
            (0xFFFE, 0xE0DD) => break,
            (0xFFFE, 0xE000) => {}
            _ => {
                notes.push("the compressed pixel data does not end with its mark".into());
                break;
            }
        }
        let offset = at + 8;
        let rest = bytes.len() - offset;
        if first {
            first = false;
            if length > rest {
                return Err(Fault::Header("the offset table of the frames is longer than the file".into()));
            }
            if length % 4 != 0 {
                notes.push("the offset table of the frames is broken and not used".into());
            } else {
                let table = bytes.vec(offset, length)?;
                offsets = table.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
            }
        } else if length > rest {
            notes.push(format!("a piece of the compressed pixel data claims {length} bytes, {rest} follow"));
            items.push(Fragment { item: at, offset, length: rest });
            break;
        } else {
            items.push(Fragment { item: at, offset, length });
        }
        at = offset + length;
    }
    Ok((offsets, items, notes))
}

impl Fragments {
    /// Sorts the items into frames. Order of trust: extended offset table, basic offset table, one item per frame,
    /// beginnings of JPEG and JPEG 2000 streams. `one_per_frame`: RLE (PS3.5 A.4.2).
    pub(crate) fn read(
        bytes: &Bytes,
        start: u64,
        object: &InMemDicomObject,
        frames_told: usize,
        one_per_frame: bool,
    ) -> Result<Self, Fault> {
        let (table, items, mut notes) = walk(bytes, start)?;
        if items.is_empty() {
            return Err(Fault::CutOff("it has no piece of compressed pixel data".into()));
        }
        // Offsets count from the first item after the table.
        let base = items[0].item;
        let numbers = |tag: Tag| -> Vec<u64> {
            object
                .bytes(tag)
                .map(|b| b.chunks_exact(8).map(|c| c.iter().rev().fold(0, |a, &x| a << 8 | u64::from(x))).collect())
                .unwrap_or_default()
        };
        let extended = numbers(Tag(0x7FE0, 0x0001));
        let basic: Vec<u64> = table.into_iter().map(u64::from).collect();
        let mut frames = None;
        for (name, offsets) in [("extended", extended), ("basic", basic)] {
            if offsets.is_empty() || frames.is_some() {
                continue;
            }
            frames = by_offsets(&items, base, &offsets).filter(|f| f.len() == frames_told || f.len() >= items.len());
            if frames.is_none() {
                notes.push(format!("the {name} offset table does not suit the frames and is not used"));
            }
        }
        let frames = match frames {
            Some(frames) => frames,
            None if items.len() == frames_told => (0..items.len()).map(|i| i..i + 1).collect(),
            None if frames_told == 1 && !one_per_frame => std::iter::once(0..items.len()).collect(),
            None if frames_told == 1 => {
                notes.push("one frame in several pieces where each is a frame; the first is shown".into());
                std::iter::once(0..1).collect()
            }
            None => by_beginnings(bytes, &items, frames_told, one_per_frame)?,
        };
        if frames.len() > frames_told {
            notes.push(format!("{frames_told} frames are told, {} are there", frames.len()));
        }
        let frames: Vec<_> = frames.into_iter().take(frames_told).collect();
        Ok(Self { items, frames, notes })
    }

    /// The compressed bytes of a frame.
    pub(crate) fn frame(&self, bytes: &Bytes, frame: usize) -> Result<Vec<u8>, Fault> {
        let range = self.frames.get(frame).cloned().ok_or(Fault::NoFrame { frame, frames: self.frames.len() })?;
        let mut out = Vec::new();
        for item in &self.items[range] {
            if out.is_empty() {
                out = bytes.vec(item.offset, item.length)?;
            } else {
                out.extend_from_slice(&bytes.vec(item.offset, item.length)?);
            }
        }
        Ok(out)
    }
}

/// Frames from offsets, where each is the beginning of an item and they ascend.
fn by_offsets(items: &[Fragment], base: u64, offsets: &[u64]) -> Option<Vec<std::ops::Range<usize>>> {
    let mut starts = Vec::with_capacity(offsets.len());
    for offset in offsets {
        let at = base.checked_add(*offset)?;
        starts.push(items.binary_search_by_key(&at, |f| f.item).ok()?);
    }
    if starts.first() != Some(&0) || !starts.is_sorted_by(|a, b| a < b) {
        return None;
    }
    let ends = starts.iter().skip(1).copied().chain([items.len()]);
    Some(starts.iter().copied().zip(ends).map(|(a, b)| a..b).collect())
}

/// Frames from the first bytes of the items: SOI, SOC, or the signatures of JP2 and JPEG XL.
fn by_beginnings(
    bytes: &Bytes,
    items: &[Fragment],
    frames_told: usize,
    one_per_frame: bool,
) -> Result<Vec<std::ops::Range<usize>>, Fault> {
    let mut starts = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let mut head = [0; 4];
        let n = bytes.read_at(item.offset, &mut head[..item.length.min(4) as usize])?;
        let begins =
            matches!(&head[..n], [0xFF, 0xD8, 0xFF, _] | [0xFF, 0x4F, 0xFF, _] | [0xFF, 0x0A, ..] | [0, 0, 0, 0x0C]);
        if begins {
            starts.push(i);
        }
    }
    if one_per_frame || starts.first() != Some(&0) || starts.len() > frames_told {
        return Ok((0..items.len()).map(|i| i..i + 1).collect());
    }
    let ends = starts.iter().skip(1).copied().chain([items.len()]);
    Ok(starts.iter().copied().zip(ends).map(|(a, b)| a..b).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encapsulated(table: &[u8], parts: &[&[u8]]) -> Bytes {
        let mut out = Vec::new();
        for part in std::iter::once(&table).chain(parts) {
            out.extend_from_slice(&[0xFE, 0xFF, 0x00, 0xE0]);
            out.extend_from_slice(&(part.len() as u32).to_le_bytes());
            out.extend_from_slice(part);
        }
        out.extend_from_slice(&[0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        Bytes::memory(out)
    }

    fn read(bytes: &Bytes, frames: usize) -> Fragments {
        Fragments::read(bytes, 0, &InMemDicomObject::new_empty(), frames, false).expect("readable")
    }

    #[test]
    fn the_basic_offset_table_is_used_where_it_is_right() {
        let table: Vec<u8> = [0u32, 20].iter().flat_map(|v| v.to_le_bytes()).collect();
        let b = encapsulated(&table, &[&[1, 2], &[3, 4], &[5, 6], &[7, 8]]);
        let f = read(&b, 2);
        assert_eq!(f.frames, vec![0..2, 2..4]);
        assert_eq!(f.frame(&b, 1), Ok(vec![5, 6, 7, 8]));
        assert!(f.notes.is_empty());
        // Offsets that point between items are not believed.
        let table: Vec<u8> = [0u32, 21].iter().flat_map(|v| v.to_le_bytes()).collect();
        let b = encapsulated(&table, &[&[1, 2], &[3, 4]]);
        let f = read(&b, 2);
        assert_eq!(f.frames, vec![0..1, 1..2]);
        assert_eq!(f.notes.len(), 1);
    }

    #[test]
    fn streams_are_split_where_they_begin() {
        let b = encapsulated(&[], &[&[0xFF, 0xD8, 0xFF, 0xE0], &[1, 2], &[0xFF, 0xD8, 0xFF, 0xDB], &[3, 4], &[5, 6]]);
        assert_eq!(read(&b, 2).frames, vec![0..2, 2..5]);
        assert_eq!(read(&b, 1).frames, vec![0..5]);
    }
}
