//! What a segment shows, coded (PS3.16 CID 7150, 7151 and what belongs to them), and who made it.

use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;
use lightbox_core::label::{Code, MaskOrigin};

use crate::attr::Attributes;
use crate::compose::{Compose, clipped};

/// Values of SNOMED CT types that are changes, not structures.
const ALTERED: [&str; 8] =
    ["27925004", "108369006", "4147007", "52988006", "49755003", "50960005", "41699000", "86049000"];

fn tissue() -> Code {
    Code::new("85756007", "SCT", "Tissue")
}

/// Segmented Property Category for a type.
pub(super) fn category(code: Option<&Code>) -> Code {
    match code {
        None => tissue(),
        Some(c) if c.scheme == "SCT" && ALTERED.contains(&c.value.as_str()) => {
            Code::new("49755003", "SCT", "Morphologically Altered Structure")
        }
        Some(_) => Code::new("123037004", "SCT", "Anatomical Structure"),
    }
}

/// Segmented Property Type; tissue where nothing is told.
pub(super) fn property_type(code: Option<&Code>) -> Code {
    code.cloned().unwrap_or_else(tissue)
}

/// The type as read; plain tissue says nothing.
pub(super) fn told(code: Code) -> Option<Code> {
    (!(code.value == tissue().value && code.scheme == "SCT")).then_some(code)
}

/// A code sequence's first item.
pub(super) fn read_code(o: &InMemDicomObject, tag: Tag) -> Option<Code> {
    let item = o.first(tag)?;
    let value = [Tag(0x0008, 0x0100), Tag(0x0008, 0x0119), Tag(0x0008, 0x0120)]
        .into_iter()
        .map(|t| item.text(t))
        .find(|v| !v.is_empty())?;
    Some(Code { value, scheme: item.text(Tag(0x0008, 0x0102)), meaning: item.text(Tag(0x0008, 0x0104)) })
}

/// Segment Algorithm Name (0062,0009).
pub(super) fn put_algorithm(item: &mut InMemDicomObject, origin: &MaskOrigin) {
    let MaskOrigin::Model { model, version, sha256 } = origin else { return };
    let known = |text: &str, instead: &str| {
        let text = clipped(text, 64);
        if text.is_empty() { instead.to_string() } else { text }
    };
    item.put_text(Tag(0x0062, 0x0009), VR::LO, &known(model, "unknown"));
    // Algorithm Identification Macro, PS3.3 table 10-19.
    let mut id = InMemDicomObject::new_empty();
    id.put_code(Tag(0x0066, 0x002F), &Code::new("123110", "DCM", "Artificial Intelligence"));
    id.put_text(Tag(0x0066, 0x0031), VR::LO, &known(version, "unknown"));
    if !sha256.is_empty() {
        id.put_text(Tag(0x0066, 0x0032), VR::LT, &format!("{WEIGHTS}{sha256}"));
    }
    id.put_text(Tag(0x0066, 0x0036), VR::LO, &known(model, "unknown"));
    id.put_text(Tag(0x0024, 0x0202), VR::LO, "Lightbox");
    item.put_items(Tag(0x0062, 0x0007), vec![id]);
}

const WEIGHTS: &str = "weights sha256=";

/// What follows the model's name in the Segment Description of a mask that nobody took as a finding, and of one that a
/// reader took. The standard has no attribute for it.
const RESULT_OF: &str = "Result of ";
const NOT_CONFIRMED: &str = ", not confirmed by a reader.";
const CONFIRMED: &str = ", confirmed by a reader.";

/// The sentence of the Segment Description that says whether a reader confirmed a model's mask; none for a reader's own.
pub(super) fn confirmation(origin: &MaskOrigin, confirmed: bool) -> Option<String> {
    let MaskOrigin::Model { model, .. } = origin else { return None };
    Some(format!("{RESULT_OF}{model}{}", if confirmed { CONFIRMED } else { NOT_CONFIRMED }))
}

/// Splits that sentence off a Segment Description: what stands before it, and whether it says that a reader confirmed.
pub(super) fn read_confirmation(description: &str) -> (&str, Option<bool>) {
    let told = if description.ends_with(NOT_CONFIRMED) {
        false
    } else if description.ends_with(CONFIRMED) {
        true
    } else {
        return (description, None);
    };
    let before = description.rfind(RESULT_OF).map_or("", |at| description[..at].trim_end());
    (before, Some(told))
}

/// Who made a segment, and whether a person changed it.
pub(super) fn read_origin(item: &InMemDicomObject) -> (MaskOrigin, bool) {
    let kind = item.text(Tag(0x0062, 0x0008)).to_ascii_uppercase();
    if kind != "AUTOMATIC" && kind != "SEMIAUTOMATIC" {
        return (MaskOrigin::Reader, false);
    }
    let id = item.first(Tag(0x0062, 0x0007));
    let of = |tag: Tag| id.map_or_else(String::new, |i| i.text(tag));
    let mut model = of(Tag(0x0066, 0x0036));
    if model.is_empty() {
        model = item.text(Tag(0x0062, 0x0009));
    }
    let parameters = of(Tag(0x0066, 0x0032));
    let sha256 = parameters.strip_prefix(WEIGHTS).unwrap_or_default().to_string();
    (MaskOrigin::Model { model, version: of(Tag(0x0066, 0x0031)), sha256 }, kind == "SEMIAUTOMATIC")
}
