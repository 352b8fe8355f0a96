//! The identifiers of one file, so that they are found where the table does not look for them, and text that is cleaned.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use dicom_core::{Tag, VR};

use super::Settings;
use super::tables::PROFILE;
use super::tree::{Set, Value};
use crate::bytes::Bytes;
use crate::error::Fault;

/// Values that say who, where or by whom.
#[derive(Debug, Default)]
pub(super) struct Identity {
    /// Words of the trade that are somebody's name as well; they go where text is cleaned and stay elsewhere.
    ambiguous: BTreeSet<Vec<u8>>,
    /// Instance UIDs; there may be one for each of very many frames.
    uids: HashSet<Vec<u8>>,
    /// Everything else, looked for as whole words.
    words: Option<AhoCorasick>,
    /// Those that are too long to stand by chance in bytes that are no text.
    long: Option<AhoCorasick>,
}

/// What is collected, before it can be looked for.
#[derive(Default)]
struct Found {
    words: BTreeSet<Vec<u8>>,
    ambiguous: BTreeSet<Vec<u8>>,
    uids: HashSet<Vec<u8>>,
}

/// No value of more bytes names a person.
const LONGEST: u64 = 1024;
/// A hostile file must not make the search endless; real ones have fewer than a hundred.
const MOST: usize = 4000;
const MOST_UIDS: usize = 1 << 20;
/// The root of the UIDs that the standard itself gives out.
const WELL_KNOWN: &[u8] = b"1.2.840.10008.";
/// Shorter parts of a name are too likely to mean something else.
const SHORTEST: usize = 4;
/// From this length on, bytes that are no text do not hold a word by chance.
const LONG: usize = 8;

impl Identity {
    pub(super) fn collect(set: &Set, file: &Bytes, settings: &Settings) -> Result<Self, Fault> {
        let mut found = Found::default();
        // Names first, so that nothing else takes their room.
        found.add(set, file, settings, true)?;
        found.add(set, file, settings, false)?;
        Ok(found.into())
    }

    /// Whether text holds one of them as a whole word.
    pub(super) fn in_text(&self, text: &[u8]) -> bool {
        let part = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let whole = |m: aho_corasick::Match| {
            let before = m.start().checked_sub(1).and_then(|i| text.get(i));
            !part(before) && !part(text.get(m.end()))
        };
        if self.words.as_ref().is_some_and(|w| w.find_overlapping_iter(text).any(whole)) {
            return true;
        }
        !self.uids.is_empty()
            && text.split(|b| !b.is_ascii_digit() && *b != b'.').any(|run| run.len() >= LONG && self.uids.contains(run))
    }

    /// Whether bytes that are no text hold one of the longer ones.
    pub(super) fn in_bytes(&self, bytes: &[u8]) -> bool {
        self.long.as_ref().is_some_and(|l| l.is_match(bytes))
    }
}

impl From<Found> for Identity {
    fn from(found: Found) -> Self {
        let finder = |words: Vec<&Vec<u8>>| {
            if words.is_empty() {
                return None;
            }
            // It fails for more patterns than fit 32 bits only.
            AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
        };
        Self {
            words: finder(found.words.iter().collect()),
            long: finder(found.words.iter().filter(|w| w.len() >= LONG).collect()),
            ambiguous: found.ambiguous,
            uids: found.uids,
        }
    }
}

impl Found {
    fn add(&mut self, set: &Set, file: &Bytes, settings: &Settings, names: bool) -> Result<(), Fault> {
        for (tag, element) in set {
            if let Value::Items(items) = &element.value {
                for item in items {
                    self.add(item, file, settings, names)?;
                }
                continue;
            }
            let first = element.vr == VR::PN || tag.0 == 0x0010;
            if first != names || !identifies(*tag, element.vr, settings) {
                continue;
            }
            let Some(bytes) = element.bytes(file, LONGEST)? else { continue };
            for value in bytes.split(|&b| b == b'\\') {
                if element.vr == VR::UI {
                    self.uid(value);
                    continue;
                }
                self.word(value);
                if element.vr == VR::PN {
                    value.split(|b| b"^= ,".contains(b)).for_each(|part| self.word(part));
                }
            }
        }
        Ok(())
    }

    fn uid(&mut self, value: &[u8]) {
        let value = trimmed(value);
        if value.len() >= LONG && !value.starts_with(WELL_KNOWN) && self.uids.len() < MOST_UIDS {
            self.uids.insert(value.to_vec());
        }
    }

    fn word(&mut self, value: &[u8]) {
        let value = trimmed(value).to_ascii_lowercase();
        // What stands for nothing, or is a word of the trade, tells nothing about anybody.
        let nothing = value.iter().all(|b| b"0 -._/^*".contains(b));
        let known = std::str::from_utf8(&value).is_ok_and(|v| WORDS.contains(v) || GENERIC.contains(&v));
        if value.len() < SHORTEST || nothing || value.starts_with(b"anon-") || self.words.len() >= MOST {
            return;
        }
        if known {
            self.ambiguous.insert(value);
        } else {
            self.words.insert(value);
        }
    }
}

/// Whether an attribute's value names somebody or some place: those that the profile takes away and that no option
/// would keep as a description, a characteristic or a time.
fn identifies(tag: Tag, vr: VR, settings: &Settings) -> bool {
    if settings.keeps(tag) {
        return false;
    }
    if vr == VR::PN || tag == Tag(0x0010, 0x0030) {
        return true;
    }
    let texts = matches!(vr, VR::LO | VR::SH | VR::UC | VR::ST | VR::LT | VR::UT | VR::UR | VR::UI | VR::UN);
    if tag.0 % 2 == 1 || !texts {
        return false;
    }
    match PROFILE.get(&tag) {
        // Instance UIDs; those of the standard itself are no secret and are left out by their beginning.
        Some(row) if vr == VR::UI => row.options[0].is_some(),
        Some(row) => row.options[3..].iter().all(Option::is_none) && !NO_IDENTITY.contains(&tag),
        None => false,
    }
}

/// Rows of the table whose values are words of the trade.
const NO_IDENTITY: [Tag; 4] = [Tag(0x0018, 0x1030), Tag(0x0008, 0x0106), Tag(0x0008, 0x0107), Tag(0x0012, 0x0063)];

const GENERIC: [&str; 14] = [
    "anonymous",
    "anonymized",
    "anonymised",
    "removed",
    "unknown",
    "none",
    "null",
    "n/a",
    "test",
    "undefined",
    "name",
    "patient",
    "hospital",
    "anon",
];

pub(super) fn trimmed(value: &[u8]) -> &[u8] {
    let empty = |b: &u8| matches!(b, b' ' | 0);
    let start = value.iter().position(|b| !empty(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !empty(b)).map_or(start, |p| p + 1);
    &value[start..end]
}

/// Words that describe an examination and nobody.
static WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("../../tables/words.txt").lines().filter(|l| !l.starts_with('#')).collect());

/// Text with nothing but words that describe an examination, short numbers and signs between them. A word that is not known
/// goes: it may be a name.
pub(super) fn cleaned(text: &[u8], identity: &Identity) -> Vec<u8> {
    // With escapes, bytes do not mean the letters that they look like (ISO 2022).
    if text.contains(&0x1B) {
        return Vec::new();
    }
    let mut out: Vec<u8> = Vec::new();
    let mut word: Vec<u8> = Vec::new();
    for &b in text.iter().chain(b" ") {
        if b.is_ascii_alphanumeric() || b >= 0x80 {
            word.push(b);
            continue;
        }
        let kept = std::str::from_utf8(&word).is_ok_and(describes)
            && !identity.ambiguous.contains(&word.to_ascii_lowercase())
            && !identity.in_text(&word);
        if kept {
            out.append(&mut word);
        }
        word.clear();
        let space = matches!(b, b' ' | b'_' | b'-' | b'.' | b',' | b'/' | b'\r' | b'\n' | b'\t');
        match (space, out.last()) {
            // Signs stay between words that stay.
            (true, Some(last)) if last.is_ascii_alphanumeric() => out.push(if b < b' ' { b' ' } else { b }),
            (false, _) if matches!(b, b'+' | b'*' | b'%' | b'(' | b')' | b'\\') => out.push(b),
            _ => {}
        }
    }
    while out.last().is_some_and(|b| !b.is_ascii_alphanumeric() && *b != b')' && *b != b'%') {
        out.pop();
    }
    if out.iter().any(u8::is_ascii_alphanumeric) { out } else { Vec::new() }
}

/// A known word, a number of at most three digits, or both (`T2`, `5MM`, `B31F` is not).
fn describes(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits == word.len() {
        return (1..=3).contains(&digits);
    }
    if WORDS.contains(lower.as_str()) {
        return true;
    }
    let unit = lower.trim_start_matches(|c: char| c.is_ascii_digit());
    (1..=3).contains(&(lower.len() - unit.len())) && matches!(unit, "mm" | "cm" | "s" | "ms" | "kv" | "d" | "x" | "min")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Identity {
        let mut found = Found::default();
        words.iter().for_each(|w| found.word(w.as_bytes()));
        found.uid(b"1.3.6.1.4.1.99999.7");
        found.into()
    }

    #[test]
    fn only_descriptions_stay() {
        let nobody = Identity::default();
        let clean = |t: &str| String::from_utf8(cleaned(t.as_bytes(), &nobody)).expect("text");
        assert_eq!(clean("CT Thorax 5mm Mueller"), "CT Thorax 5mm");
        assert_eq!(clean("t2_tse_sag*"), "t2_tse_sag");
        assert_eq!(clean("MR 12345678 Head"), "MR Head");
        assert_eq!(clean("Dr. Sørensen, 555-1234"), "555");
        assert_eq!(clean("Smith"), "");
        assert_eq!(cleaned(b"CT \x1b$B;3ED\x1b(B", &nobody), b"");
        assert_eq!(cleaned(b"Head Spine", &of(&["spine"])), b"Head", "a name, too");
        assert!(!of(&["spine"]).in_text(b"Head Spine"), "a word of the trade is no name where it was not cleaned");
    }

    #[test]
    fn names_are_found_as_whole_words() {
        let identity = of(&["DOE^JANE", "Jane", "A-4711", "St. Elsewhere"]);
        assert!(identity.in_text(b"seen by jane on Monday"));
        assert!(!identity.in_text(b"janeway"));
        assert!(identity.in_text(b"id a-4711."));
        assert!(identity.in_text(b"ST. ELSEWHERE"));
        assert!(identity.in_bytes(b"..St. Elsewhere..") && !identity.in_bytes(b"..jane.."));
        assert!(identity.in_text(b"copy of 1.3.6.1.4.1.99999.7, mine") && !identity.in_text(b"1.3.6.1.4.1.99999.77"));
    }
}
