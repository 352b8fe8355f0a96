//! Look-up tables (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5): modality, VOI and palette.

use dicom_core::Tag;
use dicom_object::InMemDicomObject;

use crate::attr::Attributes;

const DESCRIPTOR: Tag = Tag(0x0028, 0x3002);
const DATA: Tag = Tag(0x0028, 0x3006);
const EXPLANATION: Tag = Tag(0x0028, 0x3003);

/// A table from stored (or modality) values to others.
#[derive(Debug, Clone, PartialEq)]
pub struct Lut {
    /// Input of the first entry; below it the first entry holds.
    pub first: f64,
    /// Bits of an entry.
    pub bits: u32,
    /// Outputs; above the last input the last entry holds.
    pub entries: Vec<u16>,
    /// LUT Explanation (0028,3003).
    pub explanation: String,
}

impl Lut {
    /// The entry for an input.
    #[must_use]
    pub fn apply(&self, x: f64) -> u16 {
        // `as` saturates below at 0 and turns NaN into 0.
        let i = (x - self.first).round() as usize;
        self.entries[i.min(self.entries.len() - 1)]
    }

    /// Largest output that the entries' bits allow.
    #[must_use]
    pub fn top(&self) -> f64 {
        f64::from((1_u32 << self.bits.clamp(1, 16)) - 1)
    }

    /// The table of a Modality LUT Sequence (0028,3000) or VOI LUT Sequence (0028,3010) item. `signed`: the pixels are.
    pub(crate) fn read(item: &InMemDicomObject, signed: bool) -> Result<Self, String> {
        let d = item.numbers(DESCRIPTOR);
        let [Some(n), Some(first), Some(bits)] = d[..] else {
            return Err("its descriptor does not have three values".into());
        };
        let bits = bits as u32;
        if bits == 0 || bits > 16 {
            return Err(format!("its entries have {bits} bits"));
        }
        let n = if n == 0.0 { 65_536 } else { n as i64 as u16 as usize };
        let data = item.bytes(DATA).ok_or("it has no entries")?;
        let mut entries = words(&data, n, bits);
        if entries.is_empty() {
            return Err("it has no entries".into());
        }
        if entries.len() < n {
            return Err(format!("it has {} of {n} entries", entries.len()));
        }
        entries.truncate(n);
        Ok(Self { first: signed_first(first, signed), bits, entries, explanation: item.text(EXPLANATION) })
    }
}

/// First mapped value: signed where the pixels are (C.11.1.1), however the descriptor's VR reads.
fn signed_first(first: f64, signed: bool) -> f64 {
    let word = first as i64;
    if signed && word > 32_767 {
        (word - 65_536) as f64
    } else if !signed && word < 0 {
        (word + 65_536) as f64
    } else {
        first
    }
}

/// Entries as words; 8-bit tables come packed two to a word or one to a word.
fn words(data: &[u8], n: usize, bits: u32) -> Vec<u16> {
    if bits <= 8 && data.len() < 2 * n {
        return data.iter().take(n).map(|&b| u16::from(b)).collect();
    }
    data.chunks_exact(2).take(n).map(|c| u16::from_le_bytes([c[0], c[1]])).collect()
}

/// A palette of three channels, 8 bit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Palette {
    first: f64,
    colours: Vec<[u8; 3]>,
    /// What is amiss with it.
    pub(crate) note: Option<String>,
}

impl Palette {
    /// From the Palette Color Lookup Table module (C.7.9), segmented tables included.
    pub(crate) fn read(o: &InMemDicomObject, signed: bool) -> Result<Self, String> {
        let mut channels = Vec::new();
        let (mut first, mut note) = (0.0, None);
        for c in 0..3 {
            let d = o.numbers(Tag(0x0028, 0x1101 + c));
            let [Some(n), Some(f), Some(bits)] = d[..] else {
                return Err("the palette is missing".into());
            };
            first = signed_first(f, signed);
            let n = if n == 0.0 { 65_536 } else { n as i64 as u16 as usize };
            let bits = if bits <= 8.0 { 8 } else { 16 };
            let entries = if let Some(data) = o.bytes(Tag(0x0028, 0x1201 + c)) {
                words(&data, n, bits)
            } else if let Some(data) = o.bytes(Tag(0x0028, 0x1221 + c)) {
                expand(&words(&data, data.len(), bits), n)?
            } else {
                return Err("the palette is missing".into());
            };
            if entries.is_empty() {
                return Err("the palette is empty".into());
            }
            // Some writers say 16 bits and fill only the lower byte, or 8 and fill words to the top.
            let shift = if entries.iter().any(|&v| v > 255) { 8 } else { 0 };
            let mut channel: Vec<u8> = entries.into_iter().map(|v| (v >> shift) as u8).collect();
            let last = channel.last().copied().unwrap_or(0);
            if channel.len() < n {
                note = Some(format!("the palette has {} of {n} entries; the last one holds beyond", channel.len()));
            }
            channel.resize(n.max(1), last);
            channels.push(channel);
        }
        let n = channels.iter().map(Vec::len).min().unwrap_or(0);
        let colours = (0..n).map(|i| [channels[0][i], channels[1][i], channels[2][i]]).collect();
        Ok(Self { first, colours, note })
    }

    /// The colour of an index.
    pub(crate) fn colour(&self, index: f64) -> [u8; 3] {
        let i = (index - self.first).round() as usize;
        self.colours[i.min(self.colours.len() - 1)]
    }
}

/// Segmented palette (C.7.9.2): discrete, linear and indirect segments.
fn expand(data: &[u16], n: usize) -> Result<Vec<u16>, String> {
    fn go(
        data: &[u16],
        mut at: usize,
        segments: usize,
        deep: bool,
        n: usize,
        out: &mut Vec<u16>,
    ) -> Result<(), String> {
        let broken = || "the segmented palette is broken".to_string();
        for _ in 0..segments {
            if at + 1 >= data.len() || out.len() >= n {
                return Ok(());
            }
            let (kind, length) = (data[at], usize::from(data[at + 1]));
            match kind {
                0 => {
                    out.extend_from_slice(data.get(at + 2..at + 2 + length).ok_or_else(broken)?);
                    at += 2 + length;
                }
                1 => {
                    let to = f64::from(*data.get(at + 2).ok_or_else(broken)?);
                    let from = f64::from(*out.last().ok_or_else(broken)?);
                    for i in 1..=length {
                        out.push((from + (to - from) * i as f64 / length as f64).round() as u16);
                    }
                    at += 3;
                }
                2 if !deep => {
                    let low = usize::from(*data.get(at + 2).ok_or_else(broken)?);
                    let high = usize::from(*data.get(at + 3).ok_or_else(broken)?);
                    // The offset is in bytes from the beginning of the table.
                    go(data, (high << 16 | low) / 2, length, true, n, out)?;
                    at += 4;
                }
                _ => return Err(broken()),
            }
        }
        Ok(())
    }
    let mut out = Vec::new();
    go(data, 0, usize::MAX, false, n, &mut out)?;
    out.truncate(n);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_and_above_hold_the_ends() {
        let lut = Lut { first: -10.0, bits: 8, entries: vec![5, 6, 7], explanation: String::new() };
        assert_eq!([-99.0, -10.0, -9.0, 3.0, f64::NAN].map(|x| lut.apply(x)), [5, 5, 6, 7, 5]);
        assert_eq!(signed_first(65_436.0, true), -100.0);
    }

    #[test]
    fn segments_expand() {
        // Two given values, a ramp of four to 100, then both again by reference.
        assert_eq!(expand(&[0, 2, 10, 20, 1, 4, 100], 6), Ok(vec![10, 20, 40, 60, 80, 100]));
        assert_eq!(expand(&[0, 1, 7, 2, 1, 0, 0], 2), Ok(vec![7, 7]));
        assert!(expand(&[1, 4, 100], 4).is_err());
        assert!(expand(&[0, 9, 1], 4).is_err());
    }
}
