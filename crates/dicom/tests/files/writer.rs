//! A writer of DICOM files that does exactly what it is told, wrong things included (PS3.5 7, PS3.10 7).

use std::collections::BTreeMap;

pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub(crate) const IMPLICIT: &str = "1.2.840.10008.1.2";

pub(crate) const UNDEFINED: u32 = u32::MAX;

const LONG: [&str; 13] = ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"];

/// An element in explicit VR little endian with a length that may lie.
pub(crate) fn element_with_length(tag: u32, vr: &str, value: &[u8], length: u32) -> Vec<u8> {
    let mut out = tag_bytes(tag).to_vec();
    out.extend_from_slice(vr.as_bytes());
    if LONG.contains(&vr) {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&length.to_le_bytes());
    } else {
        out.extend_from_slice(&(length as u16).to_le_bytes());
    }
    out.extend_from_slice(value);
    out
}

/// An element in explicit VR little endian, padded to even length.
pub(crate) fn element(tag: u32, vr: &str, value: &[u8]) -> Vec<u8> {
    let value = padded(vr, value);
    element_with_length(tag, vr, &value, value.len() as u32)
}

/// An element in implicit VR little endian.
pub(crate) fn implicit(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut out = tag_bytes(tag).to_vec();
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(value);
    out
}

fn tag_bytes(tag: u32) -> [u8; 4] {
    let (g, e) = ((tag >> 16) as u16, tag as u16);
    let (g, e) = (g.to_le_bytes(), e.to_le_bytes());
    [g[0], g[1], e[0], e[1]]
}

fn padded(vr: &str, value: &[u8]) -> Vec<u8> {
    let mut v = value.to_vec();
    if v.len() % 2 == 1 {
        v.push(if matches!(vr, "UI" | "OB" | "UN") { 0 } else { b' ' });
    }
    v
}

pub(crate) fn item_with_length(content: &[u8], length: u32) -> Vec<u8> {
    let mut out = vec![0xFE, 0xFF, 0x00, 0xE0];
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(content);
    out
}

pub(crate) fn item(content: &[u8]) -> Vec<u8> {
    item_with_length(content, content.len() as u32)
}

pub(crate) const ITEM_END: [u8; 8] = [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0];
pub(crate) const SEQUENCE_END: [u8; 8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];

/// Encapsulated pixel data (PS3.5 A.4) with an offset table that may be empty.
pub(crate) fn encapsulated(table: &[u8], fragments: &[&[u8]]) -> Vec<u8> {
    let mut body = item(table);
    fragments.iter().for_each(|f| body.extend(item(f)));
    body.extend(SEQUENCE_END);
    element_with_length(0x7FE0_0010, "OB", &body, UNDEFINED)
}

/// Attributes by tag, so that a later one replaces an earlier one.
#[derive(Debug, Clone, Default)]
pub(crate) struct DataSet(BTreeMap<u32, Vec<u8>>);

impl DataSet {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn text(mut self, tag: u32, vr: &str, value: &str) -> Self {
        self.0.insert(tag, element(tag, vr, value.as_bytes()));
        self
    }

    pub(crate) fn u16(mut self, tag: u32, value: u16) -> Self {
        self.0.insert(tag, element(tag, "US", &value.to_le_bytes()));
        self
    }

    /// Decimal strings of at most 16 characters.
    pub(crate) fn decimals(self, tag: u32, values: &[f64]) -> Self {
        let text: Vec<String> = values.iter().map(|v| decimal(*v)).collect();
        self.text(tag, "DS", &text.join("\\"))
    }

    pub(crate) fn items(mut self, tag: u32, items: &[Self]) -> Self {
        let body: Vec<u8> = items.iter().flat_map(|i| item(&i.bytes())).collect();
        self.0.insert(tag, element(tag, "SQ", &body));
        self
    }

    /// Bytes of a whole element, header included.
    pub(crate) fn raw(mut self, tag: u32, element: Vec<u8>) -> Self {
        self.0.insert(tag, element);
        self
    }

    pub(crate) fn without(mut self, tag: u32) -> Self {
        self.0.remove(&tag);
        self
    }

    pub(crate) fn words(mut self, tag: u32, values: &[i16]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.0.insert(tag, element(tag, "OW", &bytes));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.values().flatten().copied().collect()
    }

    /// A file with preamble and meta group.
    pub(crate) fn file(&self, transfer_syntax: &str) -> Vec<u8> {
        let mut out = meta(transfer_syntax);
        out.extend(self.bytes());
        out
    }
}

/// Preamble, mark and meta group.
pub(crate) fn meta(transfer_syntax: &str) -> Vec<u8> {
    let group = [
        element(0x0002_0001, "OB", &[0, 1]),
        element(0x0002_0002, "UI", b"1.2.840.10008.5.1.4.1.1.2"),
        element(0x0002_0003, "UI", b"2.25.1"),
        element(0x0002_0010, "UI", transfer_syntax.as_bytes()),
        element(0x0002_0012, "UI", b"2.25.2"),
    ]
    .concat();
    let mut out = vec![0; 128];
    out.extend_from_slice(b"DICM");
    out.extend(element(0x0002_0000, "UL", &(group.len() as u32).to_le_bytes()));
    out.extend(group);
    out
}

/// The closest text of at most 16 characters (PS3.5 6.2, DS).
pub(crate) fn decimal(v: f64) -> String {
    let plain = format!("{v}");
    if plain.len() <= 16 {
        return plain;
    }
    (0..=14)
        .rev()
        .flat_map(|digits| [format!("{v:.digits$}"), format!("{v:.digits$e}")])
        .find(|t| t.len() <= 16)
        .unwrap_or_else(|| "0".into())
}
