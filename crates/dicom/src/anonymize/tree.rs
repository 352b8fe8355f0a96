//! A data set as elements whose values stay in the file, read strictly.
//!
//! The viewer's reader forgives; this one does not: what cannot be read cannot be de-identified, so that a broken, cut or
//! unfinished file is refused rather than copied in part. Values that are kept are copied byte by byte from the file.

use std::collections::BTreeMap;

use dicom_core::{Tag, VR};

use crate::bytes::{Bytes, Cursor};
use crate::element::{dictionary_vr, is_long};
use crate::error::Fault;
use crate::parse::Encoding;

/// One data set or item, by tag.
pub(super) type Set = BTreeMap<Tag, Element>;

#[derive(Debug)]
pub(super) struct Element {
    pub(super) vr: VR,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    /// Bytes of the file, as they stand there.
    There { offset: u64, length: u64 },
    /// The items of encapsulated pixel data with their delimiter, as they stand there.
    Fragments { offset: u64, length: u64 },
    /// A new value.
    New(Vec<u8>),
    /// A sequence.
    Items(Vec<Set>),
}

impl Element {
    pub(super) fn text(vr: VR, text: &str) -> Self {
        Self { vr, value: Value::New(text.as_bytes().to_vec()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        match &self.value {
            Value::There { length, .. } | Value::Fragments { length, .. } => *length == 0,
            Value::New(bytes) => bytes.is_empty(),
            Value::Items(items) => items.is_empty(),
        }
    }

    /// The value's bytes; `None` for sequences, fragments and what is longer than `most`.
    pub(super) fn bytes(&self, file: &Bytes, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        match &self.value {
            Value::There { offset, length } if *length <= most => Ok(Some(file.vec(*offset, *length)?)),
            Value::New(bytes) => Ok(Some(bytes.clone())),
            _ => Ok(None),
        }
    }

    /// A short value as text without padding; empty for anything else.
    pub(super) fn short_text(&self, file: &Bytes) -> Result<String, Fault> {
        let bytes = self.bytes(file, 4096)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).trim_matches([' ', '\0']).to_string())
    }
}

/// A value of the data set as text without padding; empty when it is missing.
pub(super) fn text_of(set: &Set, tag: Tag, file: &Bytes) -> Result<String, Fault> {
    set.get(&tag).map_or_else(|| Ok(String::new()), |e| e.short_text(file))
}

pub(super) const PIXEL_TAGS: [Tag; 3] = [Tag(0x7FE0, 0x0008), Tag(0x7FE0, 0x0009), Tag(0x7FE0, 0x0010)];

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
const UNDEFINED: u32 = u32::MAX;
/// Real objects stay under 12.
const DEEPEST: usize = 64;
/// Elements and items of one file; a whole-slide image with a million frames has fewer.
const MOST_ELEMENTS: usize = 8 << 20;
const IMPLICIT: Encoding = Encoding { explicit: false, big_endian: false };

/// Reads the data set from `start` to the end of the file.
pub(super) fn read(file: &Bytes, start: u64, encoding: Encoding) -> Result<Set, Fault> {
    let mut reader = Reader { cursor: Cursor::new(file), pos: start, elements: 0 };
    reader.set(file.len(), None, encoding, 0, false)
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    pos: u64,
    elements: usize,
}

struct Head {
    tag: Tag,
    vr: VR,
    length: u32,
}

fn broken(what: &str) -> Fault {
    Fault::Header(format!("{what}, so that it cannot be told what is in it"))
}

impl Reader<'_> {
    fn word(&mut self, at: u64, e: Encoding) -> Result<Option<u16>, Fault> {
        Ok(self.cursor.get(at, 2)?.map(|b| {
            let b = [b[0], b[1]];
            if e.big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) }
        }))
    }

    fn tag_and_length(&mut self, end: u64, e: Encoding) -> Result<Option<(Tag, u32)>, Fault> {
        if self.pos + 8 > end {
            return Ok(None);
        }
        let (Some(group), Some(element)) = (self.word(self.pos, e)?, self.word(self.pos + 2, e)?) else {
            return Ok(None);
        };
        let length = self.long(self.pos + 4, e)?;
        Ok(Some((Tag(group, element), length)))
    }

    fn long(&mut self, at: u64, e: Encoding) -> Result<u32, Fault> {
        let b = self.cursor.get(at, 4)?.ok_or_else(|| broken("it ends within an element"))?;
        let b = [b[0], b[1], b[2], b[3]];
        Ok(if e.big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
    }

    /// The rest of the file is padding: zeros, or Data Set Trailing Padding (PS3.10 7.2), which holds anything.
    fn only_zeros(&mut self, end: u64) -> Result<bool, Fault> {
        let mut at = self.pos;
        while at < end {
            let n = (end - at).min(4096) as usize;
            match self.cursor.get(at, n)? {
                Some(b) if b.iter().all(|&b| b == 0) => at += n as u64,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// One data set or item. With `told`, it ends there; without, at its mark (or, outermost, at the end of the file).
    fn set(&mut self, limit: u64, told: Option<u64>, e: Encoding, depth: usize, signed: bool) -> Result<Set, Fault> {
        if depth > DEEPEST {
            return Err(Fault::Header(format!("sequences are nested more than {DEEPEST} deep")));
        }
        let end = told.unwrap_or(limit);
        let mut set = Set::new();
        let mut signed = signed;
        while self.pos < end {
            let Some(head) = self.head(end, e, signed)? else {
                if depth == 0 && self.only_zeros(end)? {
                    break;
                }
                return Err(Fault::CutOff("it ends within an element".into()));
            };
            match head.tag {
                ITEM_END if depth > 0 && told.is_none() => return Ok(set),
                Tag(0xFFFE, _) => return Err(broken("a delimiter stands where none belongs")),
                Tag(0xFFFC, 0xFFFC) if depth == 0 => {
                    self.pos = end;
                    break;
                }
                Tag(0, 0) if depth == 0 && head.length == 0 => {
                    self.pos -= 8;
                    if self.only_zeros(end)? {
                        self.pos = end;
                        break;
                    }
                    return Err(broken("something that is no data set follows its data set"));
                }
                _ => {}
            }
            self.count()?;
            let tag = head.tag;
            let element = self.value(head, end, e, depth, signed)?;
            if tag == Tag(0x0028, 0x0103)
                && let Value::There { offset, length: 2 } = element.value
            {
                signed = self.word(offset, e)? == Some(1);
            }
            // What stands twice counts once; group lengths are retired, network messages belong into no file.
            if tag.0 != 0 && tag.1 != 0 {
                set.entry(tag).or_insert(element);
            }
        }
        if told.is_none() && depth > 0 {
            return Err(broken("an item does not end"));
        }
        Ok(set)
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.elements += 1;
        if self.elements > MOST_ELEMENTS {
            return Err(Fault::TooLarge(format!("the header has more than {MOST_ELEMENTS} elements")));
        }
        Ok(())
    }

    /// Reads an element's header and goes on behind it; `None` where there is no room for one.
    fn head(&mut self, end: u64, e: Encoding, signed: bool) -> Result<Option<Head>, Fault> {
        let Some((tag, length)) = self.tag_and_length(end, e)? else { return Ok(None) };
        if tag.0 == 0xFFFE || !e.explicit || tag == Tag(0, 0) && length == 0 {
            self.pos += 8;
            let vr = if tag.0 == 0xFFFE { VR::UN } else { dictionary_vr(tag, signed) };
            return Ok(Some(Head { tag, vr, length }));
        }
        let code = match self.cursor.get(self.pos + 4, 2)? {
            Some(b) => [b[0], b[1]],
            None => return Ok(None),
        };
        let Some(vr) = VR::from_binary(code) else {
            return Err(broken("it holds an element whose value representation does not exist"));
        };
        if is_long(vr) {
            if self.pos + 12 > end {
                return Ok(None);
            }
            let length = self.long(self.pos + 8, e)?;
            self.pos += 12;
            return Ok(Some(Head { tag, vr, length }));
        }
        let Some(short) = self.word(self.pos + 6, e)? else { return Ok(None) };
        self.pos += 8;
        Ok(Some(Head { tag, vr, length: u32::from(short) }))
    }

    fn value(&mut self, head: Head, end: u64, e: Encoding, depth: usize, signed: bool) -> Result<Element, Fault> {
        let Head { tag, mut vr, length, .. } = head;
        if length == UNDEFINED {
            if PIXEL_TAGS.contains(&tag) {
                let offset = self.pos;
                self.fragments(end, e)?;
                return Ok(Element { vr: VR::OB, value: Value::Fragments { offset, length: self.pos - offset } });
            }
            // PS3.5 6.2.2 note 2: UN of undefined length is a sequence in implicit VR.
            let inner = if vr == VR::UN && e.explicit { IMPLICIT } else { e };
            if e.big_endian && inner != e {
                return Err(broken("it holds a sequence in another byte order"));
            }
            let items = self.items(end, None, inner, depth, signed)?;
            return Ok(Element { vr: VR::SQ, value: Value::Items(items) });
        }
        let offset = self.pos;
        let stop = offset + u64::from(length);
        if stop > end {
            return Err(Fault::CutOff("it ends within an element".into()));
        }
        let known = dictionary_vr(tag, signed);
        let mut inner = e;
        if vr == VR::UN && tag.0.is_multiple_of(2) && known != VR::UN {
            // A known attribute that was passed on as UN holds its value in implicit VR little endian.
            if e.big_endian {
                return Err(broken("it holds values in another byte order"));
            }
            vr = known;
            inner = IMPLICIT;
        }
        // The dictionary knows better than a VR that hides what a sequence holds.
        if vr == VR::SQ || known == VR::SQ {
            let items = self.items(stop, Some(stop), inner, depth, signed)?;
            return Ok(Element { vr: VR::SQ, value: Value::Items(items) });
        }
        self.pos = stop;
        Ok(Element { vr, value: Value::There { offset, length: u64::from(length) } })
    }

    fn items(
        &mut self,
        limit: u64,
        told: Option<u64>,
        e: Encoding,
        depth: usize,
        signed: bool,
    ) -> Result<Vec<Set>, Fault> {
        let mut items = Vec::new();
        while told.is_none_or(|end| self.pos < end) {
            let Some((tag, length)) = self.tag_and_length(limit, e)? else {
                return Err(Fault::CutOff("it ends within a sequence".into()));
            };
            self.pos += 8;
            match tag {
                ITEM => {
                    self.count()?;
                    let end = (length != UNDEFINED).then(|| self.pos + u64::from(length));
                    if end.is_some_and(|end| end > limit) {
                        return Err(broken("an item is longer than its sequence"));
                    }
                    items.push(self.set(limit, end, e, depth + 1, signed)?);
                }
                SEQUENCE_END if told.is_none_or(|end| self.pos == end) => return Ok(items),
                _ => return Err(broken("a sequence ends without its mark")),
            }
        }
        Ok(items)
    }

    /// Encapsulated pixel data (PS3.5 A.4): items up to their delimiter.
    fn fragments(&mut self, end: u64, e: Encoding) -> Result<(), Fault> {
        loop {
            let Some((tag, length)) = self.tag_and_length(end, e)? else {
                return Err(Fault::CutOff("its pixel data does not end".into()));
            };
            self.pos += 8;
            match tag {
                ITEM if length != UNDEFINED && self.pos + u64::from(length) <= end => self.pos += u64::from(length),
                SEQUENCE_END => return Ok(()),
                _ => return Err(Fault::CutOff("its pixel data is not whole".into())),
            }
        }
    }
}
