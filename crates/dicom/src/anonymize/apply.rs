//! The profile on one data set: what happens to each element, sequences walked.

use dicom_core::dictionary::DataDictionary;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::identity::{Identity, cleaned, trimmed};
use super::report::{Done, Tally};
use super::secret::{Secret, shifted};
use super::tables::{Code, ObjectTypes, OptionCode, PROFILE, SAFE_PRIVATE, Type};
use super::tree::{Element, PIXEL_TAGS, Set, Value};
use super::{ProfileOption, Settings};
use crate::bytes::Bytes;
use crate::error::Fault;

/// What holds for the contents of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    /// The sequence was to become a dummy: its structure stays, its text and numbers go.
    Dummy,
    /// The sequence was to be cleaned: its text is.
    Clean,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Keep,
    /// Kept because an option says so: not compared with the identifiers, of which it may be one.
    KeepByOption,
    Remove,
    Zero,
    Dummy,
    MapUid,
    Clean,
    Shift,
}

/// Text values of more bytes than this are removed rather than read.
const LONGEST_TEXT: u64 = 16 << 20;
const ROOT: Tag = Tag(0, 0);
const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const CODING_SCHEME: Tag = Tag(0x0008, 0x0102);
const CONTENT_SEQUENCE: Tag = Tag(0x0040, 0xA730);
const NUMERIC_VALUES: [Tag; 2] = [Tag(0x0040, 0xA30A), Tag(0x0040, 0xA161)];
const GRAPHIC_DATA: Tag = Tag(0x0070, 0x0022);
/// The root of the UIDs that the standard itself gives out: classes, syntaxes, well-known frames of reference.
const WELL_KNOWN: &str = "1.2.840.10008.";
/// Attributes whose UIDs name a kind of thing and no thing, also where the kind is a manufacturer's own.
const CLASS_UIDS: [Tag; 14] = [
    Tag(0x0008, 0x0016),
    Tag(0x0008, 0x001A),
    Tag(0x0008, 0x001B),
    Tag(0x0008, 0x0062),
    Tag(0x0008, 0x010C),
    Tag(0x0008, 0x010D),
    Tag(0x0008, 0x0117),
    Tag(0x0008, 0x0118),
    Tag(0x0008, 0x1150),
    Tag(0x0008, 0x115A),
    Tag(0x0008, 0x3002),
    Tag(0x0400, 0x0010),
    Tag(0x0004, 0x1510),
    Tag(0x0040, 0xDB0D),
];
/// Concepts of content items that describe the patient: sex, age, height, weight, birth date, name, ID, number, species.
const PATIENT_CONCEPTS: [&str; 12] = [
    "121029",
    "121030",
    "121031",
    "121032",
    "121033",
    "121034",
    "8302-2",
    "29463-7",
    "27113001",
    "50373000",
    "1153637007",
    "121022",
];

/// The work on one file.
pub(super) struct Work<'a> {
    pub(super) file: &'a Bytes,
    pub(super) settings: &'a Settings,
    pub(super) secret: &'a Secret,
    pub(super) types: ObjectTypes,
    /// What the patient's new name and days come from.
    pub(super) patient: String,
    pub(super) identity: Identity,
    pub(super) tally: Tally,
}

impl Work<'_> {
    pub(super) fn root(&mut self, set: Set) -> Result<Set, Fault> {
        self.set(set, ROOT, Mode::Plain)
    }

    fn set(&mut self, set: Set, parent: Tag, mode: Mode) -> Result<Set, Fault> {
        let private = self.safe_private(&set)?;
        let public_code = match set.get(&CODING_SCHEME) {
            Some(scheme) => Some(is_public(&scheme.short_text(self.file)?)),
            None => None,
        };
        let mut out = Set::new();
        for (tag, element) in set {
            if tag.0 % 2 == 1 {
                if private.contains(&tag) {
                    self.tally.add(None, Done::KeptByOption);
                    if let Some(element) = self.kept(tag, element, parent, Mode::Plain, true)? {
                        out.insert(tag, element);
                    }
                } else {
                    self.tally.add(None, Done::Removed);
                }
                continue;
            }
            let act = self.act(tag, &element, parent, mode, public_code);
            if let Some(element) = self.perform(act, tag, element, parent, mode)? {
                out.insert(tag, element);
            }
        }
        Ok(out)
    }

    /// Private elements that the standard knows to identify nobody, with the creators of their blocks.
    fn safe_private(&self, set: &Set) -> Result<Vec<Tag>, Fault> {
        let mut kept = Vec::new();
        if !self.settings.options.contains(&ProfileOption::RetainSafePrivate) {
            return Ok(kept);
        }
        for (tag, element) in set.iter().filter(|(t, _)| t.0 % 2 == 1 && (0x10..=0xFF).contains(&t.1)) {
            let creator = element.short_text(self.file)?;
            let block = tag.1 << 8;
            let before = kept.len();
            for &(group, low, name) in SAFE_PRIVATE.iter() {
                let own = Tag(group, block | u16::from(low));
                if group == tag.0 && name == creator && set.contains_key(&own) {
                    kept.push(own);
                }
            }
            if kept.len() > before {
                kept.push(*tag);
            }
        }
        Ok(kept)
    }

    fn act(&self, tag: Tag, element: &Element, parent: Tag, mode: Mode, public_code: Option<bool>) -> Act {
        let vr = element.vr;
        // Curves and overlays: without their data, what describes them is wrong.
        if matches!(tag.0, 0x5000..=0x50FF | 0x6000..=0x60FF) {
            return Act::Remove;
        }
        let kind = || self.types.get(parent, tag);
        let dated = matches!(vr, VR::DA | VR::DT | VR::TM);
        let Some(row) = PROFILE.get(&tag) else {
            if StandardDataDictionary.by_tag(tag).is_none() {
                return Act::Remove;
            }
            return match vr {
                VR::PN => resolve(Code::Zd, kind()),
                VR::DA | VR::DT | VR::TM => self.date(vr).unwrap_or_else(|| resolve(Code::Xzd, kind())),
                VR::UI if CLASS_UIDS.contains(&tag) => Act::Keep,
                VR::UI if self.settings.options.contains(&ProfileOption::RetainUids) => Act::KeepByOption,
                VR::UI => Act::MapUid,
                _ => within(mode, tag, vr, public_code),
            };
        };
        let mut clean = false;
        for option in &self.settings.options {
            let Some(column) = option.column() else { continue };
            match (option, row.options[column]) {
                (ProfileOption::RetainModifiedDates, Some(_)) if dated => {
                    return self.date(vr).unwrap_or(Act::KeepByOption);
                }
                (ProfileOption::RetainModifiedDates, _) | (_, None) => {}
                (_, Some(OptionCode::Keep)) => return Act::KeepByOption,
                (_, Some(OptionCode::Clean)) => clean = true,
            }
        }
        let act = if clean { Act::Clean } else { resolve(row.basic, kind()) };
        match act {
            Act::Dummy if mode == Mode::Clean && is_text(vr) && vr != VR::PN => Act::Clean,
            other => other,
        }
    }

    /// What the options say about a date or time.
    fn date(&self, vr: VR) -> Option<Act> {
        if self.settings.options.contains(&ProfileOption::RetainFullDates) {
            return Some(Act::KeepByOption);
        }
        self.settings.options.contains(&ProfileOption::RetainModifiedDates).then_some(if vr == VR::TM {
            Act::KeepByOption
        } else {
            Act::Shift
        })
    }

    fn perform(
        &mut self,
        act: Act,
        tag: Tag,
        element: Element,
        parent: Tag,
        mode: Mode,
    ) -> Result<Option<Element>, Fault> {
        // What says nothing can stay; removing it is what X asks for all the same.
        if element.is_empty() && act != Act::Remove {
            return Ok(Some(element));
        }
        let sequence = matches!(element.value, Value::Items(_));
        match act {
            Act::Remove => {
                self.tally.add(Some(tag), Done::Removed);
                Ok(None)
            }
            Act::Zero if tag == PATIENT_NAME || tag == PATIENT_ID => {
                self.perform(Act::Dummy, tag, element, parent, mode)
            }
            Act::Zero => {
                self.tally.add(Some(tag), Done::Emptied);
                let value = if sequence { Value::Items(Vec::new()) } else { Value::New(Vec::new()) };
                Ok(Some(Element { vr: element.vr, value }))
            }
            Act::Keep => self.kept(tag, element, parent, mode, false),
            // A UID that is none may be anything.
            Act::KeepByOption if element.vr == VR::UI && !self.is_uid(&element)? => self.mapped(tag, element).map(Some),
            Act::KeepByOption => {
                self.tally.add(Some(tag), Done::KeptByOption);
                self.kept(tag, element, parent, mode, true)
            }
            Act::MapUid => self.mapped(tag, element).map(Some),
            Act::Dummy if sequence => {
                self.tally.add(Some(tag), Done::Replaced);
                self.items(tag, element, Mode::Dummy).map(Some)
            }
            Act::Clean if sequence => {
                self.tally.add(Some(tag), Done::Cleaned);
                self.items(tag, element, Mode::Clean).map(Some)
            }
            Act::Dummy if element.vr == VR::UI => self.mapped(tag, element).map(Some),
            Act::Dummy => {
                self.tally.add(Some(tag), Done::Replaced);
                let value = if tag == PATIENT_NAME || tag == PATIENT_ID {
                    Value::New(self.secret.pseudonym(&self.patient).into_bytes())
                } else {
                    dummy(&element)
                };
                Ok(Some(Element { vr: element.vr, value }))
            }
            Act::Shift => {
                let days = self.secret.days(&self.patient);
                let text = element.bytes(self.file, LONGEST_TEXT)?.unwrap_or_default();
                let moved: Option<Vec<String>> =
                    String::from_utf8_lossy(&text).split('\\').map(|v| moved(v, days)).collect();
                let Some(values) = moved else {
                    let act = resolve(PROFILE.get(&tag).map_or(Code::Xzd, |r| r.basic), self.types.get(parent, tag));
                    return self.perform(act, tag, element, parent, mode);
                };
                self.tally.add(Some(tag), Done::Shifted);
                Ok(Some(Element::text(element.vr, &values.join("\\"))))
            }
            Act::Clean => {
                let text = if is_text(element.vr) && element.vr != VR::PN {
                    element.bytes(self.file, LONGEST_TEXT)?.unwrap_or_default()
                } else {
                    Vec::new()
                };
                let text = cleaned(trimmed(&text), &self.identity);
                if text.is_empty() {
                    // Without a row its type is not known here, and a dummy suits all of them.
                    let act = PROFILE.get(&tag).map_or(Act::Dummy, |r| resolve(r.basic, self.types.get(parent, tag)));
                    return self.perform(act, tag, element, parent, mode);
                }
                self.tally.add(Some(tag), Done::Cleaned);
                Ok(Some(Element { vr: element.vr, value: Value::New(text) }))
            }
        }
    }

    fn items(&mut self, tag: Tag, element: Element, mode: Mode) -> Result<Element, Fault> {
        let Value::Items(items) = element.value else { return Ok(element) };
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            if tag == CONTENT_SEQUENCE && self.describes_patient(&item)? {
                self.tally.add(Some(tag), Done::Removed);
                continue;
            }
            out.push(self.set(item, tag, mode)?);
        }
        Ok(Element { vr: VR::SQ, value: Value::Items(out) })
    }

    /// Whether a content item of a report says something about the patient as such.
    fn describes_patient(&self, item: &Set) -> Result<bool, Fault> {
        if self.settings.options.contains(&ProfileOption::RetainPatientCharacteristics) {
            return Ok(false);
        }
        let Some(Value::Items(names)) = item.get(&Tag(0x0040, 0xA043)).map(|e| &e.value) else { return Ok(false) };
        let Some(name) = names.first() else { return Ok(false) };
        let code = super::tree::text_of(name, Tag(0x0008, 0x0100), self.file)?;
        Ok(PATIENT_CONCEPTS.contains(&code.as_str()))
    }

    /// An element that stays, unless an identifier is found in it.
    fn kept(
        &mut self,
        tag: Tag,
        element: Element,
        parent: Tag,
        mode: Mode,
        by_option: bool,
    ) -> Result<Option<Element>, Fault> {
        if matches!(element.value, Value::Items(_)) {
            return self.items(tag, element, mode).map(Some);
        }
        if by_option && tag.0.is_multiple_of(2) || PIXEL_TAGS.contains(&tag) && parent == ROOT {
            return Ok(Some(element));
        }
        let named = if is_text(element.vr) {
            match element.bytes(self.file, LONGEST_TEXT)? {
                Some(text) => self.identity.in_text(&text),
                None => true,
            }
        } else if is_bytes(element.vr) || element.vr == VR::CS {
            // Short words stand in codes by right: `IMAGE`, `TEXT`.
            holds(&element, self.file, &self.identity)?
        } else {
            false
        };
        if !named {
            return Ok(Some(element));
        }
        if tag.0 % 2 == 1 {
            self.tally.add(None, Done::Removed);
            return Ok(None);
        }
        // Its type is not known here, and a dummy suits all of them.
        self.perform(Act::Dummy, tag, element, parent, mode)
    }

    fn is_uid(&self, element: &Element) -> Result<bool, Fault> {
        let text = element.bytes(self.file, LONGEST_TEXT)?.unwrap_or_default();
        Ok(text.iter().all(|b| b.is_ascii_digit() || b".\\ \0".contains(b)))
    }

    fn mapped(&mut self, tag: Tag, element: Element) -> Result<Element, Fault> {
        let text = element.bytes(self.file, LONGEST_TEXT)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut changed = false;
        let values: Vec<String> = text
            .split('\\')
            .map(|uid| {
                let uid = uid.trim_matches([' ', '\0']);
                // `0` stands for none in some files.
                if uid.starts_with(WELL_KNOWN) || uid.bytes().all(|b| b == b'0') {
                    return uid.to_string();
                }
                changed = true;
                self.secret.uid(uid)
            })
            .collect();
        if changed {
            self.tally.add(Some(tag), Done::UidReplaced);
        }
        Ok(Element::text(VR::UI, &values.join("\\")))
    }
}

/// The action of table E.1-1 by the attribute's type in this object.
fn resolve(code: Code, kind: Type) -> Act {
    use Type::{One, OneC, Three, Two, TwoC};
    match (code, kind) {
        (Code::D, _) => Act::Dummy,
        (Code::U, _) => Act::MapUid,
        (Code::Xzu, _) => Act::Keep,
        (Code::Z | Code::Zd, One | OneC) => Act::Dummy,
        (Code::Z | Code::Zd, _) => Act::Zero,
        // The table's X leaves a conforming object; where the type says otherwise, conformance goes first.
        (Code::X, One) => Act::Dummy,
        (Code::X, Two) => Act::Zero,
        (Code::X, _) => Act::Remove,
        (Code::Xz | Code::Xd | Code::Xzd, One | OneC) => Act::Dummy,
        (Code::Xz | Code::Xd | Code::Xzd, Two | TwoC) => Act::Zero,
        (Code::Xz | Code::Xd | Code::Xzd, Three) => Act::Remove,
    }
}

/// An attribute without a row, by what holds for the sequence around it.
fn within(mode: Mode, tag: Tag, vr: VR, public_code: Option<bool>) -> Act {
    match mode {
        Mode::Plain => Act::Keep,
        // The standard's codes are words of a dictionary.
        _ if public_code == Some(true) && vr != VR::PN => Act::Keep,
        // Which dictionary it is.
        _ if tag == CODING_SCHEME => Act::Keep,
        Mode::Dummy if is_text(vr) || NUMERIC_VALUES.contains(&tag) || tag == GRAPHIC_DATA => Act::Dummy,
        Mode::Clean if is_text(vr) => Act::Clean,
        _ => Act::Keep,
    }
}

/// Whether a coding scheme is a published one: `99…` and `L` are private (PS3.16 8).
fn is_public(scheme: &str) -> bool {
    !scheme.is_empty() && scheme != "L" && !scheme.starts_with("99")
}

fn is_text(vr: VR) -> bool {
    matches!(vr, VR::AE | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UR | VR::UT)
}

fn is_bytes(vr: VR) -> bool {
    matches!(vr, VR::OB | VR::OW | VR::UN | VR::OD | VR::OF | VR::OL | VR::OV)
}

/// A value that says nothing and suits the VR (PS3.5 6.2).
fn dummy(element: &Element) -> Value {
    let text = match element.vr {
        VR::DA => "19000101",
        VR::TM => "000000",
        VR::DT => "19000101000000",
        VR::DS | VR::IS => "0",
        VR::AS => "000D",
        VR::UR => "about:blank",
        VR::AE | VR::CS | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT => "REMOVED",
        _ => {
            let length = match &element.value {
                Value::There { length, .. } => usize::try_from(*length).unwrap_or(0),
                Value::New(bytes) => bytes.len(),
                _ => 0,
            };
            // Bytes that are no numbers need no length of their own.
            let length = if matches!(element.vr, VR::OB | VR::UN) { 2 } else { length.min(1 << 20) };
            return Value::New(vec![0; length]);
        }
    };
    Value::New(text.as_bytes().to_vec())
}

/// One date or date time, moved; the time and the zone stay.
fn moved(value: &str, days: i64) -> Option<String> {
    let value = value.trim_matches([' ', '\0']);
    if value.is_empty() {
        return Some(String::new());
    }
    // The old form has points.
    let n = if value.as_bytes().get(4) == Some(&b'.') { 10 } else { 8 };
    Some(format!("{}{}", shifted(value.get(..n)?, days)?, value.get(n..)?))
}

/// Whether one of the identifiers stands in the value's bytes.
pub(super) fn holds(element: &Element, file: &Bytes, identity: &Identity) -> Result<bool, Fault> {
    let (offset, length) = match &element.value {
        Value::There { offset, length } | Value::Fragments { offset, length } => (*offset, *length),
        Value::New(bytes) => return Ok(identity.in_bytes(bytes)),
        Value::Items(_) => return Ok(false),
    };
    const BLOCK: u64 = 4 << 20;
    // Blocks overlap by more than the longest identifier.
    const OVERLAP: u64 = 2048;
    let mut at = 0;
    while at < length {
        let block = file.vec(offset + at, (BLOCK + OVERLAP).min(length - at))?;
        if identity.in_bytes(&block) {
            return Ok(true);
        }
        at += BLOCK;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides_between_the_actions() {
        assert_eq!(resolve(Code::Xzd, Type::One), Act::Dummy);
        assert_eq!(resolve(Code::Xzd, Type::Two), Act::Zero);
        assert_eq!(resolve(Code::Xzd, Type::Three), Act::Remove);
        assert_eq!(resolve(Code::Z, Type::One), Act::Dummy);
        assert_eq!(resolve(Code::X, Type::OneC), Act::Remove);
    }

    #[test]
    fn date_times_keep_their_time_and_zone() {
        assert_eq!(moved("20240301120000.5+0100", 1).as_deref(), Some("20240229120000.5+0100"));
        assert_eq!(moved("2024.03.01", 1).as_deref(), Some("20240229"));
        assert_eq!(moved("2024", 1), None);
    }
}
