//! Content items (PS3.3 C.17.3).

use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;
use lightbox_core::label::Code;

use crate::compose::{Compose, code_item, decimal};

/// A coded concept of DICOM's own terms (PS3.16 annex D).
pub(super) fn dcm(value: &str, meaning: &str) -> Code {
    Code::new(value, "DCM", meaning)
}

/// A concept that no published list holds: its words under a scheme of the program's own.
pub(super) fn own(meaning: &str) -> Code {
    let slug: String = meaning
        .to_uppercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .take(16)
        .collect();
    Code::new(slug.trim_matches('_'), "99LIGHTBOX", meaning)
}

fn item(relation: &str, kind: &str, name: &Code) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    item.put_text(Tag(0x0040, 0xA010), VR::CS, relation);
    item.put_text(Tag(0x0040, 0xA040), VR::CS, kind);
    item.put_code(Tag(0x0040, 0xA043), name);
    item
}

pub(super) fn container(name: &Code, children: Vec<InMemDicomObject>) -> InMemDicomObject {
    let mut item = item("CONTAINS", "CONTAINER", name);
    item.put_text(Tag(0x0040, 0xA050), VR::CS, "SEPARATE");
    if !children.is_empty() {
        item.put_items(Tag(0x0040, 0xA730), children);
    }
    item
}

pub(super) fn text(relation: &str, name: &Code, words: &str) -> InMemDicomObject {
    let mut item = item(relation, "TEXT", name);
    // UT holds line breaks, but no other control characters.
    let clean: String =
        words.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\r') { ' ' } else { c }).collect();
    item.put_text(Tag(0x0040, 0xA160), VR::UT, &clean);
    item
}

pub(super) fn code(relation: &str, name: &Code, value: &Code) -> InMemDicomObject {
    let mut item = item(relation, "CODE", name);
    item.put_code(Tag(0x0040, 0xA168), value);
    item
}

pub(super) fn person(relation: &str, name: &Code, person: &str) -> InMemDicomObject {
    let mut item = item(relation, "PNAME", name);
    item.put_text(Tag(0x0040, 0xA123), VR::PN, person);
    item
}

pub(super) fn uid(relation: &str, name: &Code, uid: &str) -> InMemDicomObject {
    let mut item = item(relation, "UIDREF", name);
    item.put_text(Tag(0x0040, 0xA124), VR::UI, uid);
    item
}

pub(super) fn number(name: &Code, value: f64, unit: &Code) -> InMemDicomObject {
    let mut measured = InMemDicomObject::new_empty();
    measured.put_items(Tag(0x0040, 0x08EA), vec![code_item(unit)]);
    measured.put_text(Tag(0x0040, 0xA30A), VR::DS, &decimal(value));
    let mut item = item("CONTAINS", "NUM", name);
    item.put_items(Tag(0x0040, 0xA300), vec![measured]);
    item
}
