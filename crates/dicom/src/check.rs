//! What is amiss with an image's description, in sentences without a capital: the same for a scan and for decoding.

use dicom_core::Tag;
use dicom_core::value::PrimitiveValue;
use dicom_object::InMemDicomObject;

use crate::attr::Attributes;
use crate::element;
use crate::file::DicomFile;
use crate::groups::FrameView;
use crate::lut::Palette;
use crate::pixels::module::{ImageModule, Photometric};
use crate::values;

/// Notes on place, values, palette, overlays and functional groups of a file.
pub(crate) fn notes(file: &DicomFile, m: &ImageModule) -> Vec<String> {
    let o = file.object();
    let view = FrameView { object: o, frame: 0 };
    let mut notes = place(&view);
    if m.samples == 1 && m.photometric != Photometric::Palette {
        notes.extend(values::notes(&view, &file.sop_class_uid(), m.signed));
    }
    if m.photometric == Photometric::Palette {
        match Palette::read(o, m.signed) {
            Ok(palette) => notes.extend(palette.note),
            Err(reason) => notes.push(format!("the colours cannot be shown: {reason}")),
        }
    }
    for element in [0x0002, 0x0010, 0x0011, 0x0100, 0x0101, 0x0102, 0x0103] {
        let tag = Tag(0x0028, element);
        if o.value(tag).is_some_and(|v| matches!(v, PrimitiveValue::Strs(_) | PrimitiveValue::Str(_))) {
            notes.push(format!("{} is written as text", element::name(tag)));
        }
    }
    notes.extend(overlays(o));
    let groups = o.items(Tag(0x5200, 0x9230)).len();
    if groups > 0 && groups < m.frames_told {
        notes.push(format!("{groups} of {} frames are described", m.frames_told));
    }
    if o.texts(Tag(0x0020, 0x0013)).iter().any(|v| !v.is_empty()) && o.int(Tag(0x0020, 0x0013)).is_none() {
        notes.push("the instance number is none and is left out".into());
    }
    for (tag, what) in
        [(Tag(0x0008, 0x0018), "instance"), (Tag(0x0020, 0x000E), "series"), (Tag(0x0020, 0x000D), "study")]
    {
        let uid = o.text(tag);
        if !uid.is_empty() && !uid.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            notes.push(format!("the {what} UID is none; it is used as a name only"));
        }
    }
    notes
}

/// Position, orientation and spacing that stand there and cannot be used.
fn place(view: &FrameView<'_>) -> Vec<String> {
    let o = view.object;
    let told = |tag: Tag| o.texts(tag).iter().any(|v| !v.is_empty());
    let mut notes = Vec::new();
    for (tag, good, what) in [
        (Tag(0x0020, 0x0037), view.orientation().is_some(), "orientation"),
        (Tag(0x0020, 0x0032), view.position().is_some(), "position"),
    ] {
        if told(tag) && !good {
            notes.push(format!("the image {what} is none and is left out"));
        }
    }
    let spacing = Tag(0x0028, 0x0030);
    if told(spacing) {
        if view.pixel_spacing().is_none() {
            notes.push("the pixel spacing is none and is left out".into());
        } else if o.texts(spacing).iter().any(|v| v.contains(',')) {
            notes.push("the pixel spacing is written with a decimal comma".into());
        }
    }
    notes
}

/// Overlay planes (PS3.3 C.9.2) whose data is shorter than their size.
fn overlays(o: &InMemDicomObject) -> Vec<String> {
    let mut notes = Vec::new();
    for group in (0x6000..=0x601E_u16).step_by(2) {
        let Some(data) = o.value(Tag(group, 0x3000)).map(|v| v.calculate_byte_len() as u64) else { continue };
        let size = |element: u16| o.int(Tag(group, element)).and_then(|v| u64::try_from(v).ok()).unwrap_or(0);
        let frames = size(0x0015).clamp(1, 1 << 20);
        if (size(0x0010) * size(0x0011)).saturating_mul(frames).div_ceil(8) > data {
            notes.push(format!("overlay {} is shorter than its size and is left out", (group - 0x6000) / 2 + 1));
        }
    }
    notes
}
