//! From bytes to a data set, without recursion and without belief in what the file says about itself.
//!
//! dicom-object's own reader recurses once per nested sequence (10,000 levels end the process), allocates what a length
//! claims before it looks whether the file is that long, and stops at the first element with an unknown VR. Neither an
//! exhausted stack nor a failed allocation can be caught, so the reading is done here; the result is dicom-object's
//! [`InMemDicomObject`], on which everything else works.

use dicom_core::dictionary::DataDictionary;
use dicom_core::value::{DataSetSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, Length, Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;
use dicom_object::InMemDicomObject;

use crate::bytes::{Bytes, Cursor};
use crate::element::{decode, dictionary_vr, is_long, is_vr, name};
use crate::error::Fault;
use crate::mosaic;
use crate::text::Charset;

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) explicit: bool,
    pub(crate) big_endian: bool,
}

/// Where the pixels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PixelPlace {
    pub(crate) tag: Tag,
    pub(crate) vr: VR,
    /// First byte of the value.
    pub(crate) offset: u64,
    /// Length of the value as far as the file goes; `None` = encapsulated (undefined length).
    pub(crate) length: Option<u64>,
    /// Length that the file claims.
    pub(crate) claimed: Option<u64>,
}

/// How far to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Values of more bytes than this are left out.
    pub(crate) longest_value: u64,
    /// Private elements are left out.
    pub(crate) skip_private: bool,
    /// Go on after the pixel data.
    pub(crate) beyond_pixels: bool,
}

/// Bytes that the values and elements of one header may take in memory.
const HEADER_BUDGET: u64 = 512 << 20;
/// What an element or an item costs beside its value.
const ELEMENT_COST: u64 = 160;

impl Limits {
    /// For an index of many files.
    pub(crate) const SCAN: Self = Self { longest_value: 64 * 1024, skip_private: true, beyond_pixels: false };
    /// For decoding: look-up tables, overlays and offset tables are needed.
    pub(crate) const IMAGE: Self = Self { longest_value: 64 << 20, skip_private: true, beyond_pixels: false };
    /// For looking at everything.
    pub(crate) const ALL: Self = Self { longest_value: 16 << 20, skip_private: false, beyond_pixels: true };
}

/// A data set.
#[derive(Debug)]
pub(crate) struct DataSet {
    pub(crate) object: InMemDicomObject,
    pub(crate) encoding: Encoding,
    pub(crate) pixels: Option<PixelPlace>,
    pub(crate) notes: Vec<String>,
    /// The reading ended before the file did.
    pub(crate) cut: bool,
}

/// Nesting beyond this is refused; real objects stay under 12.
const DEEPEST: usize = 64;
const UNDEFINED: u32 = u32::MAX;

pub(crate) const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
pub(crate) const FLOAT_PIXEL_DATA: Tag = Tag(0x7FE0, 0x0008);
pub(crate) const DOUBLE_PIXEL_DATA: Tag = Tag(0x7FE0, 0x0009);

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

enum Level {
    Object { object: InMemDicomObject, end: Option<u64>, charset: Charset, signed: bool },
    Sequence { tag: Tag, items: Vec<InMemDicomObject>, end: Option<u64>, outer: Encoding },
}

/// One element's header.
struct Head {
    tag: Tag,
    vr: VR,
    length: u32,
    value: u64,
    odd_vr: bool,
}

/// Guesses how a data set beginning at `start` is written, from its first element; `None` when it looks like none.
pub(crate) fn sniff(cursor: &mut Cursor<'_>, start: u64) -> Result<Option<Encoding>, Fault> {
    let Some(head) = cursor.get(start, 8)? else { return Ok(None) };
    let head: [u8; 8] = [head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]];
    let (little, big) = (u16::from_le_bytes([head[0], head[1]]), u16::from_be_bytes([head[0], head[1]]));
    let explicit = is_vr([head[4], head[5]]);
    // Data sets begin with a low group, so the byte order shows in it.
    let big_endian = explicit && big < little;
    let group = if big_endian { big } else { little };
    if group == 0 || group > 0x7FE0 {
        // Group 0000 belongs to messages, yet occurs; then the element must be a known one with a small length.
        let command = group == 0 && head[2..4] == [0, 0];
        return Ok(command.then_some(Encoding { explicit, big_endian }));
    }
    if explicit {
        return Ok(Some(Encoding { explicit, big_endian }));
    }
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let tag = Tag(little, u16::from_le_bytes([head[2], head[3]]));
    let known = StandardDataDictionary.by_tag(tag).is_some();
    let fits = u64::from(length) <= cursor.len() - start - 8;
    Ok((known && fits).then_some(Encoding { explicit: false, big_endian: false }))
}

/// Reads the data set that begins at `start`.
pub(crate) fn read(bytes: &Bytes, start: u64, encoding: Encoding, limits: Limits) -> Result<DataSet, Fault> {
    let mut reader = Reader {
        cursor: Cursor::new(bytes),
        end: bytes.len(),
        encoding,
        limits,
        levels: vec![Level::Object {
            object: InMemDicomObject::new_empty(),
            end: None,
            charset: Charset::default(),
            signed: false,
        }],
        pos: start,
        pixels: None,
        notes: Vec::new(),
        cut: false,
        budget: HEADER_BUDGET,
    };
    reader.run()?;
    while reader.levels.len() > 1 {
        reader.close()?;
    }
    match reader.levels.pop() {
        Some(Level::Object { object, .. }) => {
            Ok(DataSet { object, encoding, pixels: reader.pixels, notes: reader.notes, cut: reader.cut })
        }
        _ => Err(Fault::Header("its sequences do not close".into())),
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    end: u64,
    encoding: Encoding,
    limits: Limits,
    levels: Vec<Level>,
    pos: u64,
    pixels: Option<PixelPlace>,
    notes: Vec<String>,
    cut: bool,
    /// Bytes that may still be kept.
    budget: u64,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        loop {
            let limit = self.limit();
            if self.pos >= limit {
                if self.levels.len() == 1 {
                    return Ok(());
                }
                let told = matches!(
                    self.levels.last(),
                    Some(Level::Object { end: Some(_), .. } | Level::Sequence { end: Some(_), .. })
                );
                if !told {
                    self.note("a sequence does not end");
                }
                self.close()?;
                continue;
            }
            let go_on = match self.levels.last() {
                Some(Level::Object { .. }) => self.element(limit)?,
                Some(Level::Sequence { .. }) => self.item(limit)?,
                None => false,
            };
            if !go_on {
                return Ok(());
            }
        }
    }

    /// Where the innermost level with a told end ends.
    fn limit(&self) -> u64 {
        self.levels
            .iter()
            .filter_map(|l| match l {
                Level::Object { end, .. } | Level::Sequence { end, .. } => *end,
            })
            .fold(self.end, u64::min)
    }

    fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        // One hostile file must not make a million notes.
        if self.notes.len() < 16 && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Takes from the budget; a header that needs more than it is refused.
    fn spend(&mut self, bytes: u64) -> Result<(), Fault> {
        match self.budget.checked_sub(bytes) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => Err(Fault::TooLarge(format!("the header needs more than {} MiB", HEADER_BUDGET >> 20))),
        }
    }

    fn u16(&self, b: &[u8]) -> u16 {
        if self.encoding.big_endian { u16::from_be_bytes([b[0], b[1]]) } else { u16::from_le_bytes([b[0], b[1]]) }
    }

    fn u32(&self, b: &[u8]) -> u32 {
        let b = [b[0], b[1], b[2], b[3]];
        if self.encoding.big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) }
    }

    /// Up to 12 bytes at `at`, as many as there are before `limit`.
    fn peek(&mut self, at: u64, limit: u64) -> Result<([u8; 12], usize), Fault> {
        let mut out = [0; 12];
        let n = limit.saturating_sub(at).min(12) as usize;
        match self.cursor.get(at, n)? {
            Some(b) => {
                out[..n].copy_from_slice(b);
                Ok((out, n))
            }
            None => Ok((out, 0)),
        }
    }

    /// Inside a sequence: an item, the end, or something that does not belong there.
    fn item(&mut self, limit: u64) -> Result<bool, Fault> {
        let (b, n) = self.peek(self.pos, limit)?;
        if n < 8 {
            self.cut = true;
            self.note("a sequence is cut off");
            self.pos = limit;
            return Ok(true);
        }
        let tag = Tag(self.u16(&b), self.u16(&b[2..]));
        let length = self.u32(&b[4..]);
        match tag {
            ITEM => {
                self.pos += 8;
                let end = if length == UNDEFINED {
                    None
                } else {
                    let told = self.pos + u64::from(length);
                    if told > limit {
                        self.note("an item is longer than its sequence");
                    }
                    Some(told.min(limit))
                };
                let (charset, signed) = self.inherited();
                if self.levels.len() > 2 * DEEPEST {
                    return Err(Fault::Header(format!("sequences are nested more than {DEEPEST} deep")));
                }
                self.spend(ELEMENT_COST)?;
                self.levels.push(Level::Object { object: InMemDicomObject::new_empty(), end, charset, signed });
            }
            SEQUENCE_END => {
                self.pos += 8;
                self.close()?;
            }
            _ => {
                self.note("a sequence ends without its mark");
                self.close()?;
            }
        }
        Ok(true)
    }

    fn inherited(&self) -> (Charset, bool) {
        self.levels
            .iter()
            .rev()
            .find_map(|l| match l {
                Level::Object { charset, signed, .. } => Some((charset.clone(), *signed)),
                Level::Sequence { .. } => None,
            })
            .unwrap_or_default()
    }

    /// Closes the innermost level and hands it to the one around it.
    fn close(&mut self) -> Result<(), Fault> {
        let Some(level) = self.levels.pop() else { return Ok(()) };
        match (level, self.levels.last_mut()) {
            (Level::Object { object, .. }, Some(Level::Sequence { items, .. })) => items.push(object),
            (Level::Sequence { tag, items, outer, end }, Some(Level::Object { object, .. })) => {
                self.encoding = outer;
                if let Some(end) = end {
                    // What is left of a told length belongs to nothing.
                    self.pos = self.pos.max(end.min(self.end));
                }
                let sequence = DataSetSequence::new(items, Length::UNDEFINED);
                put(object, DataElement::new(tag, VR::SQ, Value::Sequence(sequence)));
            }
            _ => return Err(Fault::Header("its sequences do not match".into())),
        }
        Ok(())
    }

    fn head(&mut self, limit: u64) -> Result<Option<Head>, Fault> {
        let (b, n) = self.peek(self.pos, limit)?;
        if n < 8 {
            return Ok(None);
        }
        let tag = Tag(self.u16(&b), self.u16(&b[2..]));
        let at = self.pos;
        let implicit = |length: u32, vr: VR| Head { tag, vr, length, value: at + 8, odd_vr: false };
        if tag.0 == 0xFFFE {
            return Ok(Some(implicit(self.u32(&b[4..]), VR::UN)));
        }
        if !self.encoding.explicit {
            return Ok(Some(implicit(self.u32(&b[4..]), self.dictionary_vr(tag))));
        }
        let code = [b[4], b[5]];
        if let Some(vr) = VR::from_binary(code) {
            if is_long(vr) {
                if n < 12 {
                    return Ok(None);
                }
                return Ok(Some(Head { tag, vr, length: self.u32(&b[8..]), value: at + 12, odd_vr: false }));
            }
            return Ok(Some(Head { tag, vr, length: u32::from(self.u16(&b[6..])), value: at + 8, odd_vr: false }));
        }
        // No VR that we know. Three ways to read on; the first after which an element follows is taken.
        let mut ways = vec![(u32::from(self.u16(&b[6..])), at + 8), (self.u32(&b[4..]), at + 8)];
        if n == 12 {
            ways.push((self.u32(&b[8..]), at + 12));
        }
        for (length, value) in ways {
            let Some(next) = value.checked_add(u64::from(length)).filter(|&e| e <= limit) else { continue };
            let (after, n) = self.peek(next, limit)?;
            let follows = next == limit
                || n >= 8 && {
                    let t = Tag(self.u16(&after), self.u16(&after[2..]));
                    t > tag && (is_vr([after[4], after[5]]) || t.0 == 0xFFFE)
                };
            if follows {
                return Ok(Some(Head { tag, vr: VR::UN, length, value, odd_vr: true }));
            }
        }
        Err(Fault::Header(format!("the element {} has no value representation that exists", name(tag))))
    }

    fn dictionary_vr(&self, tag: Tag) -> VR {
        let signed = self.inherited().1;
        dictionary_vr(tag, signed)
    }

    /// Inside an object: reads one element. `false` ends the reading.
    fn element(&mut self, limit: u64) -> Result<bool, Fault> {
        let root = self.levels.len() == 1;
        let head = match self.head(limit) {
            Ok(Some(head)) => head,
            Ok(None) => {
                self.cut = true;
                self.note("the file ends within an element");
                self.pos = limit;
                return Ok(true);
            }
            Err(fault) => return self.give_up(root, fault),
        };
        match head.tag {
            ITEM_END if !root => {
                self.pos += 8;
                self.close()?;
                return Ok(true);
            }
            SEQUENCE_END if !root => {
                self.note("an item ends without its mark");
                self.close()?;
                return Ok(true);
            }
            Tag(0xFFFE, _) => {
                self.note("a delimiter stands where none belongs");
                self.pos += 8;
                return Ok(true);
            }
            Tag(0xFFFC, 0xFFFC) => {
                // Data Set Trailing Padding, PS3.10 7.2.
                self.pos = limit;
                return Ok(true);
            }
            Tag(0, 0) if root && head.length == 0 && !self.is_empty() => {
                self.note("zeros follow the data set");
                return Ok(false);
            }
            _ => {}
        }
        if head.odd_vr {
            self.note(format!("the element {} has an unknown value representation", name(head.tag)));
        }
        if root && matches!(head.tag, PIXEL_DATA | FLOAT_PIXEL_DATA | DOUBLE_PIXEL_DATA) && self.pixels.is_none() {
            return self.pixel_data(&head, limit);
        }
        self.value(head, limit)
    }

    fn is_empty(&self) -> bool {
        matches!(self.levels.first(), Some(Level::Object { object, .. }) if object.iter().next().is_none())
    }

    /// A header that cannot be read: what came before is kept if there is something.
    fn give_up(&mut self, root: bool, fault: Fault) -> Result<bool, Fault> {
        if self.is_empty() {
            return Err(fault);
        }
        self.note(match &fault {
            Fault::Header(reason) => format!("{reason}; what follows is left out"),
            other => format!("{other}; what follows is left out"),
        });
        self.cut = true;
        if root {
            return Ok(false);
        }
        // Go on behind the innermost level whose end is told.
        while self.levels.len() > 1 {
            let end = match self.levels.last() {
                Some(Level::Object { end, .. } | Level::Sequence { end, .. }) => *end,
                None => None,
            };
            self.close()?;
            if let Some(end) = end {
                self.pos = end;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn pixel_data(&mut self, head: &Head, limit: u64) -> Result<bool, Fault> {
        let rest = limit.saturating_sub(head.value);
        let claimed = (head.length != UNDEFINED).then_some(u64::from(head.length));
        let length = claimed.map(|c| c.min(rest));
        self.pixels = Some(PixelPlace { tag: head.tag, vr: head.vr, offset: head.value, length, claimed });
        if claimed.is_some_and(|c| c > rest) {
            self.cut = true;
        }
        if !self.limits.beyond_pixels {
            return Ok(false);
        }
        match length {
            Some(length) => {
                self.pos = head.value + length;
                Ok(true)
            }
            None => {
                let mut at = head.value;
                loop {
                    let (b, n) = self.peek(at, limit)?;
                    let tag = Tag(self.u16(&b), self.u16(&b[2..]));
                    if n < 8 {
                        return Ok(false);
                    }
                    at += 8;
                    match tag {
                        ITEM => at = at.saturating_add(u64::from(self.u32(&b[4..]))),
                        SEQUENCE_END => break,
                        _ => return Ok(false),
                    }
                }
                self.pos = at;
                Ok(true)
            }
        }
    }

    fn value(&mut self, head: Head, limit: u64) -> Result<bool, Fault> {
        let Head { tag, mut vr, length, value, .. } = head;
        let root = self.levels.len() == 1;
        if tag.0 == 0 {
            if length == UNDEFINED || value + u64::from(length) > limit {
                return self.give_up(root, Fault::Header("it holds an element of a network message".into()));
            }
            self.note("elements of a network message are left out");
            self.pos = value + u64::from(length);
            return Ok(true);
        }
        if length == UNDEFINED {
            let (b, n) = self.peek(value, limit)?;
            let starts_item = n >= 8 && {
                let t = Tag(self.u16(&b), self.u16(&b[2..]));
                t == ITEM || t == SEQUENCE_END
            };
            if vr != VR::SQ && !starts_item {
                return self.give_up(root, Fault::Header(format!("the element {} does not end", name(tag))));
            }
            // PS3.5 6.2.2 note 2: UN of undefined length is a sequence in implicit VR.
            let inner = if vr == VR::UN && self.encoding.explicit {
                Encoding { explicit: false, big_endian: false }
            } else {
                self.encoding
            };
            return self.open_sequence(tag, value, None, inner);
        }
        let end = value + u64::from(length);
        if vr == VR::SQ {
            if end > limit {
                self.note("a sequence is longer than what holds it");
            }
            return self.open_sequence(tag, value, Some(end.min(limit)), self.encoding);
        }
        if end > limit {
            return self.give_up(
                root,
                Fault::CutOff(format!("the element {} claims {length} bytes, {} follow", name(tag), limit - value)),
            );
        }
        if vr == VR::UN && tag.0 % 2 == 0 {
            // PS3.5 6.2.2: a known attribute that was passed on as UN holds its value in implicit VR little endian.
            let known = self.dictionary_vr(tag);
            if known == VR::SQ {
                let (b, n) = self.peek(value, end)?;
                if length == 0 || n >= 8 && b[..4] == [0xFE, 0xFF, 0x00, 0xE0] {
                    let inner = Encoding { explicit: false, big_endian: false };
                    return self.open_sequence(tag, value, Some(end), inner);
                }
            } else if known != VR::UN {
                vr = known;
            }
        }
        self.pos = end;
        let private = tag.0 % 2 == 1;
        let skipped = private && self.limits.skip_private && !self.is_of_mosaic(tag);
        if u64::from(length) > self.limits.longest_value || skipped {
            return Ok(true);
        }
        // Group lengths are retired and often wrong.
        if tag.1 == 0 {
            return Ok(true);
        }
        self.spend(ELEMENT_COST + 2 * u64::from(length))?;
        let big_endian = self.encoding.big_endian;
        let Some(bytes) = self.cursor.get(value, length as usize)? else {
            return self.give_up(root, Fault::CutOff(format!("the element {} is not whole", name(tag))));
        };
        let Some(Level::Object { object, charset, signed, .. }) = self.levels.last_mut() else {
            return Ok(false);
        };
        let (value, whole) = decode(vr, bytes, big_endian, charset);
        let mut notes: Vec<String> = Vec::new();
        if !whole {
            notes.push(format!("the length of {} does not suit its values", name(tag)));
        }
        if tag == Tag(0x0008, 0x0005)
            && let PrimitiveValue::Strs(values) = &value
        {
            let (set, note) = Charset::new(values);
            *charset = set;
            notes.extend(note);
        }
        if tag == Tag(0x0028, 0x0103) {
            *signed = value.to_int::<i64>().is_ok_and(|v| v == 1);
        }
        if object.get(tag).is_some() {
            notes.push(format!("{} stands twice; the first counts", name(tag)));
        } else {
            put(object, DataElement::new(tag, vr, value));
        }
        for note in notes {
            self.note(note);
        }
        Ok(true)
    }

    /// Whether a private element tells the geometry of a mosaic; Image Type stands before all of them.
    fn is_of_mosaic(&self, tag: Tag) -> bool {
        mosaic::is_wanted(tag)
            && self.levels.len() == 1
            && matches!(self.levels.first(), Some(Level::Object { object, .. }) if mosaic::is_told(object))
    }

    fn open_sequence(&mut self, tag: Tag, at: u64, end: Option<u64>, inner: Encoding) -> Result<bool, Fault> {
        if self.levels.len() > 2 * DEEPEST {
            if let Some(end) = end {
                self.note(format!("sequences are nested more than {DEEPEST} deep; the rest is left out"));
                self.pos = end;
                return Ok(true);
            }
            return Err(Fault::Header(format!("sequences are nested more than {DEEPEST} deep")));
        }
        if self.limits.skip_private
            && tag.0 % 2 == 1
            && let Some(end) = end
        {
            self.pos = end;
            return Ok(true);
        }
        self.spend(ELEMENT_COST)?;
        self.levels.push(Level::Sequence { tag, items: Vec::new(), end, outer: self.encoding });
        self.encoding = inner;
        self.pos = at;
        Ok(true)
    }
}

fn put(object: &mut InMemDicomObject, element: DataElement<InMemDicomObject>) {
    object.put(element);
}
