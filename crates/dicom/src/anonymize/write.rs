//! Writes a data set: kept values as they stand in the original, sequences with undefined length.

use std::io::{Result, Write};

use dicom_core::{Tag, VR};

use super::tree::{Element, Set, Value};
use crate::bytes::Bytes;
use crate::element::is_long;
use crate::parse::Encoding;

const UNDEFINED: u32 = u32::MAX;
const BLOCK: u64 = 1 << 20;

pub(super) fn data_set(out: &mut dyn Write, set: &Set, e: Encoding, file: &Bytes) -> Result<()> {
    for (tag, element) in set {
        write(out, *tag, element, e, file)?;
    }
    Ok(())
}

fn write(out: &mut dyn Write, tag: Tag, element: &Element, e: Encoding, file: &Bytes) -> Result<()> {
    let vr = element.vr;
    match &element.value {
        Value::Items(items) => {
            let length = if items.is_empty() { 0 } else { UNDEFINED };
            head(out, tag, VR::SQ, length, e)?;
            for item in items {
                mark(out, 0xE000, UNDEFINED, e)?;
                data_set(out, item, e, file)?;
                mark(out, 0xE00D, 0, e)?;
            }
            if !items.is_empty() {
                mark(out, 0xE0DD, 0, e)?;
            }
            Ok(())
        }
        Value::Fragments { offset, length } => {
            head(out, tag, VR::OB, UNDEFINED, e)?;
            copy(out, *offset, *length, file)
        }
        Value::There { offset, length } => {
            head(out, tag, vr, even(*length)?, e)?;
            copy(out, *offset, *length, file)?;
            pad(out, vr, *length)
        }
        Value::New(bytes) => {
            head(out, tag, vr, even(bytes.len() as u64)?, e)?;
            out.write_all(bytes)?;
            pad(out, vr, bytes.len() as u64)
        }
    }
}

fn even(length: u64) -> Result<u32> {
    u32::try_from(length.next_multiple_of(2)).map_err(|_| std::io::Error::other("a value is too long"))
}

/// PS3.5 6.2: text is padded with a space, UIDs and bytes with a zero.
fn pad(out: &mut dyn Write, vr: VR, length: u64) -> Result<()> {
    if length.is_multiple_of(2) {
        return Ok(());
    }
    let zero = matches!(vr, VR::UI | VR::OB | VR::OW | VR::UN | VR::OD | VR::OF | VR::OL | VR::OV);
    out.write_all(if zero { b"\0" } else { b" " })
}

fn copy(out: &mut dyn Write, offset: u64, length: u64, file: &Bytes) -> Result<()> {
    let mut done = 0;
    while done < length {
        let n = (length - done).min(BLOCK);
        let block = file.vec(offset + done, n).map_err(|f| std::io::Error::other(f.to_string()))?;
        if block.len() as u64 != n {
            return Err(std::io::Error::other("the file became shorter while it was read"));
        }
        out.write_all(&block)?;
        done += n;
    }
    Ok(())
}

fn word(value: u16, e: Encoding) -> [u8; 2] {
    if e.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn long(value: u32, e: Encoding) -> [u8; 4] {
    if e.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn mark(out: &mut dyn Write, element: u16, length: u32, e: Encoding) -> Result<()> {
    out.write_all(&word(0xFFFE, e))?;
    out.write_all(&word(element, e))?;
    out.write_all(&long(length, e))
}

fn head(out: &mut dyn Write, tag: Tag, vr: VR, length: u32, e: Encoding) -> Result<()> {
    out.write_all(&word(tag.0, e))?;
    out.write_all(&word(tag.1, e))?;
    if !e.explicit {
        return out.write_all(&long(length, e));
    }
    // PS3.5 6.2.2: a value that is too long for the short form goes as UN.
    let vr = if !is_long(vr) && length > u32::from(u16::MAX) { VR::UN } else { vr };
    out.write_all(&vr.to_bytes())?;
    if is_long(vr) {
        out.write_all(&[0, 0])?;
        out.write_all(&long(length, e))
    } else {
        // The conversion holds: longer values went to UN.
        out.write_all(&word(length as u16, e))
    }
}

/// Preamble of zeros, mark and meta group (PS3.10 7.1), always Explicit VR Little Endian.
pub(super) fn meta(out: &mut dyn Write, elements: &[(u16, VR, Vec<u8>)]) -> Result<()> {
    let e = Encoding { explicit: true, big_endian: false };
    let mut group = Vec::new();
    for (element, vr, value) in elements {
        head(&mut group, Tag(2, *element), *vr, even(value.len() as u64)?, e)?;
        group.extend_from_slice(value);
        pad(&mut group, *vr, value.len() as u64)?;
    }
    out.write_all(&[0; 128])?;
    out.write_all(b"DICM")?;
    head(out, Tag(2, 0), VR::UL, 4, e)?;
    out.write_all(&long(group.len() as u32, e))?;
    out.write_all(&group)
}
