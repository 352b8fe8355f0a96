//! One DICOM file: meta group, data set, and where its pixels are.

use std::io::Read;

use dicom_core::Tag;
use dicom_object::InMemDicomObject;

use crate::attr::Attributes;
use crate::bytes::{Bytes, Cursor};
use crate::error::Fault;
use crate::meta::{self, Meta};
use crate::parse::{self, DataSet, Encoding, Limits};
use crate::syntax;

/// An opened DICOM file.
#[derive(Debug)]
pub(crate) struct DicomFile {
    /// The bytes that places in `data` count in (inflated for a deflated data set).
    pub(crate) bytes: Bytes,
    pub(crate) meta: Meta,
    pub(crate) data: DataSet,
    /// Transfer Syntax UID, guessed where it is not told.
    pub(crate) syntax: String,
    /// What was amiss, in sentences without a capital.
    pub(crate) notes: Vec<String>,
}

impl DicomFile {
    pub(crate) fn object(&self) -> &InMemDicomObject {
        &self.data.object
    }

    pub(crate) fn read(bytes: Bytes, limits: Limits) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(&bytes);
        let meta = meta::read(&mut cursor)?;
        let told = syntax::encoding(&meta.transfer_syntax);
        let (bytes, start) = if meta.transfer_syntax == syntax::DEFLATED {
            (inflate_data_set(&bytes, meta.start)?, 0)
        } else {
            (bytes, meta.start)
        };
        let mut cursor = Cursor::new(&bytes);
        let seen = parse::sniff(&mut cursor, start)?;
        let mut notes = meta.notes.clone();
        let magic = !meta.notes.iter().any(|n| n.contains("mark"));
        let encoding = match (seen, told) {
            (Some(seen), Some(told)) => {
                if seen != told {
                    notes.push("the data set is written in another way than its transfer syntax says".into());
                }
                seen
            }
            (Some(seen), None) => {
                if meta.transfer_syntax.is_empty() {
                    notes.push("the transfer syntax is not told".into());
                }
                seen
            }
            (None, Some(told)) => told,
            (None, None) if !magic && meta.elements.is_empty() => return Err(Fault::UnknownFormat),
            (None, None) => Encoding { explicit: true, big_endian: false },
        };
        let data = parse::read(&bytes, start, encoding, limits)
            .map_err(|fault| if magic || !meta.elements.is_empty() { fault } else { Fault::UnknownFormat })?;
        let known = [Tag(0x0008, 0x0016), Tag(0x0008, 0x0060), Tag(0x0028, 0x0010), Tag(0x0020, 0x000D)];
        if !magic && meta.elements.is_empty() && !known.iter().any(|t| data.object.get(*t).is_some()) {
            return Err(Fault::UnknownFormat);
        }
        if data.object.iter().next().is_none() && data.pixels.is_none() {
            return Err(Fault::Header("it has no attributes".into()));
        }
        notes.extend(data.notes.iter().cloned());
        let syntax = if meta.transfer_syntax.is_empty() {
            let encapsulated = data.pixels.is_some_and(|p| p.length.is_none());
            syntax::guess(encoding, encapsulated).to_string()
        } else {
            meta.transfer_syntax.clone()
        };
        Ok(Self { bytes, meta, data, syntax, notes })
    }

    pub(crate) fn sop_class_uid(&self) -> String {
        let uid = self.object().text(Tag(0x0008, 0x0016));
        if uid.is_empty() { self.meta.sop_class_uid.clone() } else { uid }
    }

    pub(crate) fn sop_instance_uid(&self) -> String {
        let uid = self.object().text(Tag(0x0008, 0x0018));
        if uid.is_empty() { self.meta.sop_instance_uid.clone() } else { uid }
    }
}

/// PS3.5 A.5: everything after the meta group is one raw deflate stream. Inflated to at most 64 MiB and 64 times its size.
fn inflate_data_set(bytes: &Bytes, start: u64) -> Result<Bytes, Fault> {
    let packed = bytes.vec(start, bytes.len().saturating_sub(start))?;
    let most = (64_u64 << 20).saturating_add(64 * packed.len() as u64).min(4 << 30);
    let (out, whole) = inflate(&packed, most)?;
    if !whole && out.is_empty() {
        return Err(Fault::CutOff("its deflated data set cannot be unpacked".into()));
    }
    Ok(Bytes::memory(out))
}

/// A raw deflate stream, `false` when it was cut off or broken and only its beginning came out.
pub(crate) fn inflate(packed: &[u8], most: u64) -> Result<(Vec<u8>, bool), Fault> {
    let mut out = Vec::new();
    let mut decoder = flate2::read::DeflateDecoder::new(packed);
    let mut block = vec![0; 64 * 1024];
    loop {
        match decoder.read(&mut block) {
            Ok(0) => return Ok((out, true)),
            Ok(n) => {
                if out.len() as u64 + n as u64 > most {
                    return Err(Fault::TooLarge(format!(
                        "the compressed data unpacks to more than {} MiB and is refused",
                        most >> 20
                    )));
                }
                out.extend_from_slice(&block[..n]);
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Ok((out, false)),
        }
    }
}
