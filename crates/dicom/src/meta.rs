//! Preamble and file meta information (PS3.10 7.1), read with mercy.
//!
//! dicom-object 0.10 refuses a file without preamble or group 0002, an AE title over 16 bytes there
//! (`ensure!(elem_len <= 16)` in its `meta.rs`) and a wrong group length; all occur in files that every other viewer
//! opens.

use crate::bytes::Cursor;
use crate::element::is_vr;
use crate::error::Fault;

/// What the meta group told, and where the data set begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meta {
    /// Transfer Syntax UID, empty when not told.
    pub(crate) transfer_syntax: String,
    /// Media Storage SOP Class UID.
    pub(crate) sop_class_uid: String,
    /// Media Storage SOP Instance UID.
    pub(crate) sop_instance_uid: String,
    /// First byte of the data set.
    pub(crate) start: u64,
    /// All elements of group 0002: element number, VR, value.
    pub(crate) elements: Vec<(u16, [u8; 2], Vec<u8>)>,
    /// What was amiss.
    pub(crate) notes: Vec<String>,
}

/// No meta element is longer than this (private information included).
const LONGEST: u64 = 1 << 20;

pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Meta, Fault> {
    if cursor.len() == 0 {
        return Err(Fault::Empty);
    }
    let mut meta = Meta::default();
    let magic_at = |c: &mut Cursor<'_>, at: u64| c.get(at, 4).map(|b| b == Some(b"DICM"));
    let mut pos = if magic_at(cursor, 128)? {
        132
    } else if magic_at(cursor, 0)? {
        meta.notes.push("the preamble is missing".into());
        4
    } else {
        meta.notes.push("the preamble and the file's mark are missing".into());
        0
    };
    let magic = pos != 0;
    let begin = pos;
    let mut end_told = None;
    while let Some(head) = cursor.get(pos, 8)? {
        let (group, element) = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
        if group != 2 {
            break;
        }
        let vr = [head[4], head[5]];
        let (header, length) = if !is_vr(vr) {
            // Group 0002 in implicit VR: never allowed, seen all the same.
            (8, u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]])))
        } else if matches!(&vr, b"OB" | b"OW" | b"UN" | b"UT" | b"SQ" | b"UC" | b"UR") {
            match cursor.get(pos + 8, 4)? {
                Some(l) => (12, u64::from(u32::from_le_bytes([l[0], l[1], l[2], l[3]]))),
                None => break,
            }
        } else {
            (8, u64::from(u16::from_le_bytes([head[6], head[7]])))
        };
        if length > LONGEST {
            return Err(Fault::Header("an element of the meta group is longer than the file".into()));
        }
        let Some(value) = cursor.get(pos + header, length as usize)? else {
            return Err(Fault::CutOff("it ends within its meta group".into()));
        };
        let value = value.to_vec();
        pos += header + length;
        let text = || String::from_utf8_lossy(&value).trim_matches(['\0', ' ']).to_string();
        match element {
            0x0000 => {
                end_told = value.get(..4).map(|v| pos + u64::from(u32::from_le_bytes([v[0], v[1], v[2], v[3]])));
            }
            0x0002 => meta.sop_class_uid = text(),
            0x0003 => meta.sop_instance_uid = text(),
            0x0010 => meta.transfer_syntax = text(),
            _ => {}
        }
        if element != 0 {
            meta.elements.push((element, vr, value));
        }
    }
    meta.start = pos;
    if pos == begin {
        if magic {
            meta.notes.push("the meta group is missing".into());
        }
    } else if end_told.is_some_and(|end| end != pos) {
        meta.notes.push("the meta group has another length than it says".into());
    }
    if magic && pos >= cursor.len() {
        return Err(Fault::CutOff("nothing follows its meta group".into()));
    }
    Ok(meta)
}
