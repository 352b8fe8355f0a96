//! What the pixels may show: warnings, and rectangles that are blanked.

use dicom_core::{Tag, VR};

use super::Rectangle;
use super::tree::{Set, Value, text_of};
use crate::bytes::Bytes;
use crate::error::Fault;
use crate::parse::Encoding;
use crate::syntax::{self, Packing};

const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
/// Classes whose images are often drawn by a program or hold the screen of a device: secondary capture, ultrasound, video,
/// photographs.
const DRAWN: [&str; 7] = [
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.6.",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.77.1.1.1",
    "1.2.840.10008.5.1.4.1.1.77.1.2.1",
    "1.2.840.10008.5.1.4.1.1.77.1.4",
    "1.2.840.10008.5.1.4.1.1.77.1.5",
];

/// What should be looked at by a person before the copy is given away. `masked`: rectangles are blanked.
pub(super) fn warnings(set: &Set, file: &Bytes, sop_class_uid: &str, masked: bool) -> Result<Vec<&'static str>, Fault> {
    let text = |tag| text_of(set, tag, file).map(|t| t.to_ascii_uppercase());
    let has_pixels = super::tree::PIXEL_TAGS.iter().any(|t| set.contains_key(t));
    let mut out = Vec::new();
    if !has_pixels {
        return Ok(out);
    }
    let image_type = text(Tag(0x0008, 0x0008))?;
    let modality = text(Tag(0x0008, 0x0060))?;
    if masked {
        out.push("rectangles of the image were blanked; look whether they cover all text in it");
    } else if text(Tag(0x0028, 0x0301))?.starts_with("YES") {
        out.push("the header says that text is burned into the image (Burned In Annotation); the image is unchanged");
    } else if DRAWN.iter().any(|c| sop_class_uid.starts_with(c))
        || matches!(modality.as_str(), "US" | "IVUS" | "OT" | "SC" | "XC" | "ES" | "GM" | "DOC")
        || ["SCREEN", "SECONDARY", "REPORT", "DOSE", "SAVE"].iter().any(|w| image_type.contains(w))
    {
        out.push("images of this kind often have text burned in, such as a name; the image is unchanged");
    } else if text(Tag(0x0028, 0x0301))? != "NO" && shows_writing(set, file)? {
        out.push("something in the image looks like burned-in text; the image is unchanged");
    }
    let embedded = |group: u16| set.contains_key(&Tag(group, 0x0010)) && !set.contains_key(&Tag(group, 0x3000));
    if (0x6000..=0x601E_u16).step_by(2).any(embedded) {
        out.push("an overlay in unused bits of the pixels is still there, though no longer described");
    }
    let part = text(Tag(0x0018, 0x0015))?;
    let head = ["HEAD", "BRAIN", "SKULL", "FACE", "NECK", "SINUS", "ORBIT", "JAW", "MAXILLA", "WHOLEBODY"];
    if matches!(modality.as_str(), "CT" | "MR" | "PT") && head.iter().any(|h| part.contains(h)) {
        out.push("the patient's face can be drawn from images of the head; it was not changed");
    }
    Ok(out)
}

fn number(set: &Set, tag: Tag, file: &Bytes, e: Encoding) -> Result<Option<u64>, Fault> {
    let Some(element) = set.get(&tag) else { return Ok(None) };
    let bytes = element.bytes(file, 64)?.unwrap_or_default();
    Ok(match (element.vr, bytes.as_slice()) {
        (VR::US | VR::SS, [a, b, ..]) => {
            Some(u64::from(if e.big_endian { u16::from_be_bytes([*a, *b]) } else { u16::from_le_bytes([*a, *b]) }))
        }
        (VR::IS, _) => String::from_utf8_lossy(&bytes).trim_matches([' ', '\0']).parse().ok(),
        _ => None,
    })
}

/// Letters drawn by a program are of one value, the highest in the image, and have many short runs in a row with nothing
/// but background between them; anatomy at the highest value is a patch. The first frame of plain grey pixels is looked at,
/// nothing else: no answer is no proof.
fn shows_writing(set: &Set, file: &Bytes) -> Result<bool, Fault> {
    let e = Encoding { explicit: true, big_endian: false };
    let Some(Value::There { offset, length }) = set.get(&PIXEL_DATA).map(|e| &e.value) else { return Ok(false) };
    let value = |tag| number(set, tag, file, e);
    let (rows, columns) = (value(Tag(0x0028, 0x0010))?, value(Tag(0x0028, 0x0011))?);
    let (samples, bits) = (value(Tag(0x0028, 0x0002))?, value(Tag(0x0028, 0x0100))?);
    let (Some(rows), Some(columns), Some(1), Some(bits @ (8 | 16))) = (rows, columns, samples, bits) else {
        return Ok(false);
    };
    let bytes = bits / 8;
    if rows * columns == 0 || rows * columns * bytes > *length {
        return Ok(false);
    }
    let data = file.vec(*offset, rows * columns * bytes)?;
    let pixels: Vec<u16> = if bytes == 1 {
        data.iter().map(|&b| u16::from(b)).collect()
    } else {
        data.chunks_exact(2).map(|p| u16::from_le_bytes([p[0], p[1]])).collect()
    };
    let top = pixels.iter().copied().max().unwrap_or(0);
    if top < 16 {
        return Ok(false);
    }
    // Rows one below the other, each with at least eight runs of 1 to 6 pixels, sharp on both sides.
    let mut rows_in_a_row = 0;
    for line in pixels.chunks_exact(columns as usize) {
        let mut runs = 0;
        let mut start = None;
        for (x, &p) in line.iter().enumerate() {
            match (p == top, start) {
                (true, None) => start = Some(x),
                (false, Some(from)) => {
                    let sharp = p < top / 2 && (from == 0 || line[from - 1] < top / 2);
                    runs += usize::from(sharp && x - from <= 6);
                    start = None;
                }
                _ => {}
            }
        }
        rows_in_a_row = if runs >= 8 { rows_in_a_row + 1 } else { 0 };
        if rows_in_a_row >= 5 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Blanks rectangles in all frames of uncompressed pixels.
pub(super) fn mask(
    set: &mut Set,
    file: &Bytes,
    e: Encoding,
    syntax: &str,
    rectangles: &[Rectangle],
) -> Result<(), Fault> {
    let refuse = |why: &str| Fault::ImageModule(format!("rectangles cannot be blanked, because {why}"));
    if syntax::packing(syntax) != Packing::Native {
        return Err(refuse("its pixels are compressed"));
    }
    let value = |tag| number(set, tag, file, e);
    let (rows, columns) = (value(Tag(0x0028, 0x0010))?, value(Tag(0x0028, 0x0011))?);
    let bits = value(Tag(0x0028, 0x0100))?;
    let samples = value(Tag(0x0028, 0x0002))?.unwrap_or(1);
    let by_plane = value(Tag(0x0028, 0x0006))? == Some(1) && samples > 1;
    let frames = value(Tag(0x0028, 0x0008))?.unwrap_or(1).max(1);
    let photometric = text_of(set, Tag(0x0028, 0x0004), file)?;
    let (Some(rows), Some(columns), Some(bits)) = (rows, columns, bits) else {
        return Err(refuse("its size is not told"));
    };
    if bits == 0 || bits % 8 != 0 || photometric.contains("422") || photometric.contains("420") {
        return Err(refuse("its pixels do not lie on whole bytes"));
    }
    let Some(element) = set.get(&PIXEL_DATA) else { return Err(refuse("it has no pixels")) };
    // Memory is taken only for what is there: the strict reader has seen the whole value.
    let Some(mut data) = element.bytes(file, 2 << 30)? else { return Err(refuse("it has too many pixels")) };
    let (planes, pixel) = if by_plane { (samples, bits / 8) } else { (1, samples * bits / 8) };
    let size = frames.checked_mul(planes * pixel).and_then(|n| n.checked_mul(rows * columns));
    if size.is_none_or(|n| n == 0 || n > data.len() as u64) {
        return Err(refuse("its pixels have another size than its header says"));
    }
    // Black: the highest value where the lowest is white.
    let fill = if photometric.starts_with("MONOCHROME1") { 0xFF } else { 0 };
    for plane in 0..frames * planes {
        for r in rectangles {
            let (x0, x1) = (u64::from(r.x).min(columns), (u64::from(r.x) + u64::from(r.width)).min(columns));
            for y in u64::from(r.y).min(rows)..(u64::from(r.y) + u64::from(r.height)).min(rows) {
                let line = (plane * rows + y) * columns;
                // Within `size`, which fits the data.
                data[((line + x0) * pixel) as usize..((line + x1) * pixel) as usize].fill(fill);
            }
        }
    }
    let vr = element.vr;
    set.insert(PIXEL_DATA, super::tree::Element { vr, value: Value::New(data) });
    set.insert(Tag(0x0028, 0x0301), super::tree::Element::text(VR::CS, "NO"));
    Ok(())
}
