//! Masks to a BINARY segmentation (PS3.3 A.51, C.8.20.2).

use std::collections::BTreeMap;
use std::path::Path;

use dicom_core::value::PrimitiveValue;
use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;
use lightbox_core::Segment;
use lightbox_core::label::{BitPlane, Code};

use super::codes;
use super::colour::cielab_from_rgb;
use super::read::read_path;
use super::reference::SegReference;
use super::{SEGMENTATION_STORAGE, SegError, SegSaved};
use crate::compose::{Beside, Compose, clipped, fresh_uid, now_utc, write_file};

/// Saves masks that lie on the images of `reference` as one DICOM Segmentation.
///
/// The file is written beside its target, read back and compared with the masks, by the images that it names and, where
/// there is a place in the patient, by position too. Only then does it take the target's place, so that on any failure an
/// older file is still whole.
///
/// A model's masks are saved as confirmed by nobody; see [`write_confirmed`].
///
/// # Errors
/// [`SegError`] with one sentence; nothing is overwritten then.
pub fn write(path: &Path, reference: &SegReference, segments: &[Segment]) -> Result<SegSaved, SegError> {
    write_confirmed(path, reference, segments, &|_| false)
}

/// As [`write`], with the model's masks that a reader took as findings: the Segment Description (0062,0006) says of each
/// whether one did.
///
/// # Errors
/// As [`write`].
pub fn write_confirmed(
    path: &Path,
    reference: &SegReference,
    segments: &[Segment],
    confirmed: &dyn Fn(&Segment) -> bool,
) -> Result<SegSaved, SegError> {
    let dims = reference.dims();
    if let Some(s) = segments.iter().find(|s| s.mask.dims() != dims) {
        return Err(SegError::MaskSize { name: s.name.clone(), mask: s.mask.dims(), images: dims });
    }
    if segments.len() > usize::from(u16::MAX) {
        return Err(SegError::TooMany(segments.len()));
    }
    let frames: Vec<(usize, usize)> =
        segments.iter().enumerate().flat_map(|(s, seg)| seg.mask.occupied().map(move |k| (s, k))).collect();
    let frames: Vec<(usize, usize)> =
        frames.into_iter().filter(|&(s, k)| segments[s].mask.plane(k).is_some_and(|p| p.count() > 0)).collect();
    if frames.is_empty() {
        return Err(SegError::Nothing);
    }
    let object = compose(reference, segments, &frames, confirmed)?;

    let shown = path.display().to_string();
    let failed = |fault| SegError::Write { fault, path: shown.clone() };
    let part = Beside::new(path);
    write_file(part.path(), object).map_err(failed)?;
    let equal = compare(part.path(), reference, segments)
        .map_err(|reason| SegError::NotEqual { reason, path: shown.clone() })?;
    part.replace(path).map_err(|fault| SegError::Write { fault, path: shown.clone() })?;
    Ok(SegSaved { segments: segments.len(), equal, frames: frames.len() })
}

/// Reads the file back and compares each segment; the number of equal ones, which is all of them.
fn compare(part: &Path, reference: &SegReference, segments: &[Segment]) -> Result<usize, String> {
    let file = read_path(part).map_err(|e| format!("it cannot be read back ({})", e.without_path()))?;
    let target = &reference.target;
    let mut ways = vec![("by its images", file.place_by_reference(target))];
    if target.placed().is_some() {
        ways.push(("by position", file.place_by_geometry(target)));
    }
    for (way, placed) in ways {
        let placed = placed.map_err(|e| format!("it is not found again {way} ({})", e.without_path()))?;
        if placed.len() != segments.len() {
            return Err(format!("{} of {} segments are read back", placed.len(), segments.len()));
        }
        for (drawn, back) in segments.iter().zip(&placed) {
            for k in 0..target.frames.len() {
                let filled = |p: Option<&std::sync::Arc<BitPlane>>| p.filter(|p| p.count() > 0).cloned();
                if filled(drawn.mask.plane(k)) != filled(back.mask.plane(k)) {
                    return Err(format!("segment {} differs on image {} when read back {way}", back.id.0, k + 1));
                }
            }
        }
    }
    Ok(segments.len())
}

fn compose(
    reference: &SegReference,
    segments: &[Segment],
    frames: &[(usize, usize)],
    confirmed: &dyn Fn(&Segment) -> bool,
) -> Result<InMemDicomObject, SegError> {
    let target = &reference.target;
    let (columns, rows) = (target.columns, target.rows);
    // PS3.3 C.7.6.3: Rows and Columns are 16 bit.
    let (Ok(columns_u16), Ok(rows_u16)) = (u16::try_from(columns), u16::try_from(rows)) else {
        return Err(SegError::TooLarge);
    };
    let mut o = reference.header.clone();
    let (date, time) = now_utc();
    o.put_text(Tag(0x0008, 0x0005), VR::CS, "ISO_IR 192");
    o.put_text(Tag(0x0008, 0x0008), VR::CS, "DERIVED\\PRIMARY");
    o.put_text(Tag(0x0008, 0x0016), VR::UI, SEGMENTATION_STORAGE);
    o.put_text(Tag(0x0008, 0x0018), VR::UI, &fresh_uid());
    o.put_text(Tag(0x0008, 0x0021), VR::DA, &date);
    o.put_text(Tag(0x0008, 0x0023), VR::DA, &date);
    o.put_text(Tag(0x0008, 0x0031), VR::TM, &time);
    o.put_text(Tag(0x0008, 0x0033), VR::TM, &time);
    o.put_text(Tag(0x0008, 0x0060), VR::CS, "SEG");
    o.put_text(Tag(0x0008, 0x0070), VR::LO, "Lightbox");
    o.put_text(Tag(0x0008, 0x103E), VR::LO, "Segmentation");
    o.put_text(Tag(0x0008, 0x1090), VR::LO, "Lightbox");
    o.put_text(Tag(0x0018, 0x1000), VR::LO, "0");
    o.put_text(Tag(0x0018, 0x1020), VR::LO, env!("CARGO_PKG_VERSION"));
    o.put_text(Tag(0x0020, 0x000E), VR::UI, &fresh_uid());
    o.put_text(Tag(0x0020, 0x0011), VR::IS, "900");
    o.put_text(Tag(0x0020, 0x0013), VR::IS, "1");
    if target.placed().is_some() {
        // The planes' own orientation tells it (C.7.6.1.1.1).
        o.remove_element(PATIENT_ORIENTATION);
    } else if o.get(PATIENT_ORIENTATION).is_none() {
        o.put_text(PATIENT_ORIENTATION, VR::CS, "");
    }
    if o.get(Tag(0x0028, 0x2110)).is_none() {
        o.put_text(Tag(0x0028, 0x2110), VR::CS, "00");
    }
    o.put_text(Tag(0x0070, 0x0080), VR::CS, "SEGMENTATION");
    o.put_text(Tag(0x0070, 0x0081), VR::LO, "");
    o.put_text(Tag(0x0070, 0x0084), VR::PN, &clipped(&reference.creator, 64));
    o.put_items(Tag(0x0018, 0xA001), vec![contribution(&date, &time)]);
    put_referenced_series(&mut o, reference, frames);

    o.put_u16(Tag(0x0028, 0x0002), 1);
    o.put_text(Tag(0x0028, 0x0004), VR::CS, "MONOCHROME2");
    o.put_text(Tag(0x0028, 0x0008), VR::IS, &frames.len().to_string());
    o.put_u16(Tag(0x0028, 0x0010), rows_u16);
    o.put_u16(Tag(0x0028, 0x0011), columns_u16);
    o.put_u16(Tag(0x0028, 0x0100), 1);
    o.put_u16(Tag(0x0028, 0x0101), 1);
    o.put_u16(Tag(0x0028, 0x0102), 0);
    o.put_u16(Tag(0x0028, 0x0103), 0);
    o.put_text(Tag(0x0062, 0x0001), VR::CS, "BINARY");
    o.put_text(Tag(0x0062, 0x0013), VR::CS, if overlap(segments, target.frames.len()) { "YES" } else { "NO" });
    o.put_items(Tag(0x0062, 0x0002), segments.iter().zip(1..).map(|(s, n)| segment_item(s, n, confirmed(s))).collect());
    put_functional_groups(&mut o, reference, frames);
    o.put_value(Tag(0x7FE0, 0x0010), VR::OB, PrimitiveValue::U8(pack(segments, frames, columns * rows)?.into()));
    Ok(o)
}

/// Contributing Equipment (C.12.1.1.7).
fn contribution(date: &str, time: &str) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    item.put_text(Tag(0x0008, 0x0070), VR::LO, "Lightbox");
    item.put_text(Tag(0x0008, 0x1090), VR::LO, "Lightbox");
    item.put_text(Tag(0x0018, 0x1020), VR::LO, env!("CARGO_PKG_VERSION"));
    item.put_text(Tag(0x0018, 0xA002), VR::DT, &format!("{date}{time}+0000"));
    item.put_text(Tag(0x0018, 0xA003), VR::ST, "Segmentation");
    item.put_code(Tag(0x0040, 0xA170), &Code::new("109102", "DCM", "Processing Equipment"));
    item
}

fn instance(class: &str, uid: &str) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    item.put_text(Tag(0x0008, 0x1150), VR::UI, class);
    item.put_text(Tag(0x0008, 0x1155), VR::UI, uid);
    item
}

/// Common Instance Reference (C.12.2): the images that the frames name.
fn put_referenced_series(o: &mut InMemDicomObject, reference: &SegReference, frames: &[(usize, usize)]) {
    let used: BTreeMap<&str, &str> = frames
        .iter()
        .map(|&(_, k)| &reference.target.frames[k])
        .map(|f| (f.sop_instance_uid.as_str(), f.sop_class_uid.as_str()))
        .collect();
    let mut series = InMemDicomObject::new_empty();
    series.put_items(Tag(0x0008, 0x114A), used.into_iter().map(|(uid, class)| instance(class, uid)).collect());
    series.put_text(Tag(0x0020, 0x000E), VR::UI, &reference.target.series_uid);
    o.put_items(Tag(0x0008, 0x1115), vec![series]);
}

/// Whether two segments share a pixel.
fn overlap(segments: &[Segment], slices: usize) -> bool {
    (0..slices).any(|k| {
        let mut seen: Option<Vec<bool>> = None;
        segments.iter().filter_map(|s| s.mask.plane(k)).any(|plane| match &mut seen {
            None => {
                let mut first = vec![false; plane.len()];
                plane.iter_set().for_each(|i| first[i] = true);
                seen = Some(first);
                false
            }
            Some(seen) => plane.iter_set().any(|i| std::mem::replace(&mut seen[i], true)),
        })
    })
}

fn segment_item(s: &Segment, number: u16, confirmed: bool) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    let label = clipped(&s.name, 64);
    let label = if label.is_empty() { format!("Segment {number}") } else { label };
    item.put_code(Tag(0x0062, 0x0003), &codes::category(s.code.as_ref()));
    item.put_u16(Tag(0x0062, 0x0004), number);
    item.put_text(Tag(0x0062, 0x0005), VR::LO, &label);
    let name = (s.name.chars().count() > 64).then(|| clipped(&s.name, 800));
    let description: Vec<String> = name.into_iter().chain(codes::confirmation(&s.origin, confirmed)).collect();
    if !description.is_empty() {
        item.put_text(Tag(0x0062, 0x0006), VR::ST, &clipped(&description.join(" "), 1024));
    }
    item.put_text(Tag(0x0062, 0x0008), VR::CS, s.algorithm_type());
    codes::put_algorithm(&mut item, &s.origin);
    item.put_u16s(Tag(0x0062, 0x000D), &cielab_from_rgb(s.colour));
    let mut kind = crate::compose::code_item(&codes::property_type(s.code.as_ref()));
    if let Some(side) = &s.side {
        kind.put_code(Tag(0x0062, 0x0011), side);
    }
    item.put_items(Tag(0x0062, 0x000F), vec![kind]);
    item.put_text(Tag(0x0062, 0x0020), VR::UT, &label);
    item.put_text(Tag(0x0062, 0x0021), VR::UI, &fresh_uid());
    item
}

const PATIENT_ORIENTATION: Tag = Tag(0x0020, 0x0020);
const SEGMENT_IDENTIFICATION: Tag = Tag(0x0062, 0x000A);
const REFERENCED_SEGMENT: Tag = Tag(0x0062, 0x000B);
const PLANE_POSITION: Tag = Tag(0x0020, 0x9113);
const IMAGE_POSITION: Tag = Tag(0x0020, 0x0032);
const FRAME_CONTENT: Tag = Tag(0x0020, 0x9111);
const IN_STACK_POSITION: Tag = Tag(0x0020, 0x9057);

/// Multi-frame Functional Groups (C.7.6.16) and Multi-frame Dimension (C.7.6.17).
fn put_functional_groups(o: &mut InMemDicomObject, reference: &SegReference, frames: &[(usize, usize)]) {
    let target = &reference.target;
    let placed = target.placed();
    let organisation = fresh_uid();
    let dimension = |index: Tag, group: Tag, label: &str| {
        let mut item = InMemDicomObject::new_empty();
        item.put_text(Tag(0x0020, 0x9164), VR::UI, &organisation);
        item.put_tag(Tag(0x0020, 0x9165), index);
        item.put_tag(Tag(0x0020, 0x9167), group);
        item.put_text(Tag(0x0020, 0x9421), VR::LO, label);
        item
    };
    let mut organisation_item = InMemDicomObject::new_empty();
    organisation_item.put_text(Tag(0x0020, 0x9164), VR::UI, &organisation);
    o.put_items(Tag(0x0020, 0x9221), vec![organisation_item]);
    let second = if placed.is_some() {
        dimension(IMAGE_POSITION, PLANE_POSITION, "Image Position Patient")
    } else {
        dimension(IN_STACK_POSITION, FRAME_CONTENT, "In-Stack Position Number")
    };
    o.put_items(
        Tag(0x0020, 0x9222),
        vec![dimension(REFERENCED_SEGMENT, SEGMENT_IDENTIFICATION, "Segment Number"), second],
    );

    let mut shared = InMemDicomObject::new_empty();
    if let Some(g) = placed {
        let mut orientation = InMemDicomObject::new_empty();
        orientation.put_decimals(Tag(0x0020, 0x0037), &[g.direction(0).to_array(), g.direction(1).to_array()].concat());
        shared.put_items(Tag(0x0020, 0x9116), vec![orientation]);
        let [between_rows, between_columns, step] = g.spacing_mm();
        let mut measures = InMemDicomObject::new_empty();
        measures.put_decimals(Tag(0x0018, 0x0050), &[reference.thickness_mm.unwrap_or(step)]);
        if target.frames.len() > 1 {
            // Between the planes, along their normal (C.7.6.16.2.1).
            measures.put_decimals(Tag(0x0018, 0x0088), &[g.step_mm(2).dot(g.normal()).abs()]);
        }
        measures.put_decimals(Tag(0x0028, 0x0030), &[between_rows, between_columns]);
        shared.put_items(Tag(0x0028, 0x9110), vec![measures]);
    }
    o.put_items(Tag(0x5200, 0x9229), vec![shared]);

    // Dimension indices count the images that are used, in their order.
    let mut used: Vec<usize> = frames.iter().map(|&(_, k)| k).collect();
    used.sort_unstable();
    used.dedup();
    let items = frames.iter().map(|&(s, k)| {
        let source = &target.frames[k];
        let rank = used.binary_search(&k).unwrap_or(0) as u32 + 1;
        let mut item = InMemDicomObject::new_empty();

        let mut image = instance(&source.sop_class_uid, &source.sop_instance_uid);
        if reference.multi_frame {
            image.put_text(Tag(0x0008, 0x1160), VR::IS, &source.frame_number.to_string());
        }
        image.put_text(Tag(0x0028, 0x135A), VR::CS, "YES");
        let purpose = Code::new("121322", "DCM", "Source image for image processing operation");
        image.put_code(Tag(0x0040, 0xA170), &purpose);
        let mut derivation = InMemDicomObject::new_empty();
        derivation.put_items(Tag(0x0008, 0x2112), vec![image]);
        derivation.put_code(Tag(0x0008, 0x9215), &Code::new("113076", "DCM", "Segmentation"));
        item.put_items(Tag(0x0008, 0x9124), vec![derivation]);

        let mut content = InMemDicomObject::new_empty();
        if placed.is_none() {
            content.put_text(Tag(0x0020, 0x9056), VR::SH, "1");
            content.put_u32s(IN_STACK_POSITION, &[rank]);
        }
        content.put_u32s(Tag(0x0020, 0x9157), &[s as u32 + 1, rank]);
        item.put_items(FRAME_CONTENT, vec![content]);
        if let (Some(_), Some(position)) = (placed, source.position) {
            let mut plane = InMemDicomObject::new_empty();
            plane.put_decimals(IMAGE_POSITION, &position);
            item.put_items(PLANE_POSITION, vec![plane]);
        }
        let mut segment = InMemDicomObject::new_empty();
        segment.put_u16(REFERENCED_SEGMENT, s as u16 + 1);
        item.put_items(SEGMENT_IDENTIFICATION, vec![segment]);
        item
    });
    o.put_items(Tag(0x5200, 0x9230), items.collect());
}

/// Bit `n` of the value is pixel `n` of all frames, least significant bit first; frames do not begin at a byte (PS3.5 8.2).
fn pack(segments: &[Segment], frames: &[(usize, usize)], pixels: usize) -> Result<Vec<u8>, SegError> {
    let bits = pixels.checked_mul(frames.len()).ok_or(SegError::TooLarge)?;
    // An even number of bytes below the undefined length FFFFFFFF (PS3.5 7.1).
    let bytes = bits.div_ceil(16) * 2;
    if bytes as u64 >= u64::from(u32::MAX) {
        return Err(SegError::TooLarge);
    }
    let mut out = vec![0_u8; bytes];
    for (f, &(s, k)) in frames.iter().enumerate() {
        let Some(plane) = segments[s].mask.plane(k) else { continue };
        for i in plane.iter_set() {
            let bit = f * pixels + i;
            out[bit / 8] |= 1 << (bit % 8);
        }
    }
    Ok(out)
}
