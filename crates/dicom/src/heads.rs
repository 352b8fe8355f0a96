//! What a scan keeps of one file: who, which series, and the place of each frame.

use dicom_core::Tag;
use dicom_object::InMemDicomObject;
use lightbox_core::Window;
use lightbox_core::measure::Calibration;

use crate::attr::Attributes;
use crate::check;
use crate::error::Fault;
use crate::file::DicomFile;
use crate::groups::{
    CARDIAC, CT_IMAGE_FRAME_TYPE, FRAME_CONTENT, FrameView, MR_DIFFUSION, MR_ECHO, MR_IMAGE_FRAME_TYPE, plausible,
};
use crate::index::{Patient, Source};
use crate::mosaic::Mosaic;
use crate::objects;
use crate::pixels::fragments::Fragments;
use crate::pixels::module::{ImageModule, Photometric};
use crate::pixels::native_frames;
use crate::quantity::{self, RealWorldMap, Suv};
use crate::syntax::{self, Packing};
use crate::text::{self, safe};
use crate::values::{unit_of, voi};

/// What may tell frames at one position from each other, in the order in which it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyKind {
    Stack,
    Time,
    Echo,
    EchoTime,
    BValue,
    Direction,
    Acquisition,
    Trigger,
    ImageType,
    AcquisitionTime,
    ContentTime,
}

pub(crate) const KEY_KINDS: [KeyKind; 11] = [
    KeyKind::Stack,
    KeyKind::Time,
    KeyKind::Echo,
    KeyKind::EchoTime,
    KeyKind::BValue,
    KeyKind::Direction,
    KeyKind::Acquisition,
    KeyKind::Trigger,
    KeyKind::ImageType,
    KeyKind::AcquisitionTime,
    KeyKind::ContentTime,
];

/// A key's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KeyValue {
    Number(f64),
    Text(String),
}

/// One frame's place and keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct FrameHead {
    pub(crate) frame: usize,
    pub(crate) position: Option<[f64; 3]>,
    pub(crate) orientation: Option<[f64; 6]>,
    pub(crate) spacing: Option<[f64; 2]>,
    pub(crate) thickness: Option<f64>,
    pub(crate) keys: Vec<(KeyKind, KeyValue)>,
}

/// What a file's image is, apart from its frames.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageHead {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) frames: Vec<FrameHead>,
    pub(crate) frames_told: usize,
    pub(crate) calibration: Calibration,
    /// Size of a pixel of an image without a place in the patient.
    pub(crate) flat_spacing: Option<[f64; 2]>,
    pub(crate) patient_orientation: Option<(String, String)>,
    pub(crate) windows: Vec<(String, Window)>,
    pub(crate) inverted: bool,
    pub(crate) unit: String,
    pub(crate) lossy: bool,
    /// Concatenation Frame Offset Number.
    pub(crate) offset: i64,
    pub(crate) suv: Option<Result<Suv, String>>,
    pub(crate) real_world: Vec<RealWorldMap>,
}

/// What a scan keeps of one file.
#[derive(Debug, Clone)]
pub(crate) struct FileHead {
    pub(crate) source: Source,
    pub(crate) sop_class_uid: String,
    pub(crate) sop_instance_uid: String,
    pub(crate) study_uid: String,
    pub(crate) study_date: String,
    pub(crate) study_time: String,
    pub(crate) study_description: String,
    pub(crate) accession: String,
    pub(crate) patient: Patient,
    pub(crate) series_uid: String,
    pub(crate) modality: String,
    pub(crate) series_description: String,
    pub(crate) series_number: Option<i64>,
    pub(crate) body_part: String,
    pub(crate) view: String,
    pub(crate) laterality: String,
    pub(crate) contrast: String,
    pub(crate) protocol: String,
    pub(crate) frame_of_reference: String,
    pub(crate) transfer_syntax: String,
    pub(crate) instance_number: Option<i64>,
    /// What an object without pixels is and holds.
    pub(crate) summary: String,
    /// `None` = an object without pixels for a viewport.
    pub(crate) image: Option<ImageHead>,
    pub(crate) notes: Vec<String>,
}

/// Pixel data that is no picture to look at by itself.
const NO_PICTURES: [&str; 3] =
    ["1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.66.8"];

impl FileHead {
    /// From a file whose header was read.
    pub(crate) fn read(file: &DicomFile, source: Source) -> Result<Self, Fault> {
        let o = file.object();
        let class = file.sop_class_uid();
        let word = |group: u16, element: u16| text::shortened(&safe(&o.text(Tag(group, element))), 256);
        let mut notes = file.notes.clone();
        let is_object = NO_PICTURES.contains(&class.as_str());
        let image = if is_object {
            None
        } else {
            match ImageModule::read(file) {
                Ok(module) => Some(image(file, module, &mut notes)?),
                // No pixels and nothing that would describe them: a structured report, a plan, a waveform.
                Err(Fault::NoImage(_)) if o.get(Tag(0x0028, 0x0010)).is_none() && !class.is_empty() => None,
                Err(fault) => return Err(fault),
            }
        };
        let study_date = text::date(&o.text(Tag(0x0008, 0x0020)));
        let birth_date = text::date(&o.text(Tag(0x0010, 0x0030)));
        let age_years = text::age_years(&o.text(Tag(0x0010, 0x1010)))
            .or_else(|| text::years_between(&birth_date, &study_date))
            .filter(|a| (0.0..150.0).contains(a));
        let anatomic = |seq: Tag| o.first(seq).map(|i| safe(&i.text(Tag(0x0008, 0x0104)))).unwrap_or_default();
        let laterality = [word(0x0020, 0x0062), word(0x0020, 0x0060)].into_iter().find(|l| !l.is_empty());
        Ok(Self {
            source,
            sop_instance_uid: safe(&file.sop_instance_uid()),
            sop_class_uid: class.clone(),
            study_uid: word(0x0020, 0x000D),
            study_date,
            study_time: text::time(&o.text(Tag(0x0008, 0x0030))),
            study_description: word(0x0008, 0x1030),
            accession: word(0x0008, 0x0050),
            patient: Patient {
                name: text::person_name(&o.text(Tag(0x0010, 0x0010))),
                id: word(0x0010, 0x0020),
                sex: word(0x0010, 0x0040),
                birth_date,
                age_years,
            },
            series_uid: word(0x0020, 0x000E),
            modality: word(0x0008, 0x0060),
            series_description: word(0x0008, 0x103E),
            series_number: o.int(Tag(0x0020, 0x0011)),
            body_part: Some(word(0x0018, 0x0015))
                .filter(|b| !b.is_empty())
                .unwrap_or_else(|| anatomic(Tag(0x0008, 0x2218))),
            view: word(0x0018, 0x5101),
            laterality: laterality.unwrap_or_default(),
            contrast: Some(word(0x0018, 0x0010))
                .filter(|c| !c.is_empty())
                .unwrap_or_else(|| anatomic(Tag(0x0018, 0x0012))),
            protocol: word(0x0018, 0x1030),
            frame_of_reference: word(0x0020, 0x0052),
            transfer_syntax: file.syntax.clone(),
            instance_number: o.int(Tag(0x0020, 0x0013)),
            summary: if image.is_none() { objects::summary(o, &class) } else { String::new() },
            image,
            notes,
        })
    }
}

/// Modalities whose images are projections or have no place in the patient by nature.
pub(crate) fn is_flat(modality: &str) -> bool {
    const FLAT: [&str; 22] = [
        "CR", "DX", "MG", "XA", "RF", "IO", "PX", "DR", "DF", "US", "IVUS", "ES", "GM", "SM", "XC", "OP", "OPV", "ECG",
        "DOC", "XF", "TG", "HD",
    ];
    FLAT.contains(&modality)
}

/// Modalities whose pixels have the size that they have at the detector.
pub(crate) fn is_projection(modality: &str) -> bool {
    ["CR", "DX", "MG", "XA", "RF", "IO", "PX", "DR", "DF", "TG", "XF"].contains(&modality)
}

fn image(file: &DicomFile, module: ImageModule, notes: &mut Vec<String>) -> Result<ImageHead, Fault> {
    let o = file.object();
    if module.packing == Packing::Other {
        return Err(Fault::TransferSyntax { name: syntax::name(&file.syntax), uid: file.syntax.clone() });
    }
    notes.extend(module.notes.iter().cloned());
    notes.extend(check::notes(file, &module));
    let frames = match module.place.length {
        Some(length) if module.packing == Packing::Native => {
            let (n, note) = native_frames(&module, length)?;
            notes.extend(note);
            n
        }
        Some(_) => return Err(Fault::ImageModule("its compressed pixel data has no pieces".into())),
        None if module.frames_told > 1 => {
            let rle = module.packing == Packing::Rle;
            let f = Fragments::read(&file.bytes, module.place.offset, o, module.frames_told, rle)?;
            notes.extend(f.notes);
            f.frames.len()
        }
        None => 1,
    };
    let modality = o.text(Tag(0x0008, 0x0060));
    let first = FrameView { object: o, frame: 0 };
    let (windows, _, _) = voi(&first, module.signed);
    let (flat_spacing, calibration) = flat_calibration(o, &modality, module.columns);
    let letters = o.texts(Tag(0x0020, 0x0020));
    let patient_orientation = match letters.as_slice() {
        [a, b, ..] if !a.is_empty() && !b.is_empty() => Some((safe(a), safe(b))),
        _ => None,
    };
    let places = special_places(o, frames);
    let heads: Vec<FrameHead> = (0..frames)
        .map(|n| {
            let view = FrameView { object: o, frame: n };
            let spacing = view.pixel_spacing();
            FrameHead {
                frame: n,
                position: places.as_ref().map_or_else(|| view.position(), |p| p.get(n).copied()),
                orientation: view.orientation().or_else(|| detector(o).and_then(|d| d.array(Tag(0x0020, 0x0037)))),
                spacing,
                thickness: view.thickness(),
                keys: keys(&view),
            }
        })
        .collect();
    let mosaic = Mosaic::read(o, module.columns, module.rows).filter(|_| frames == 1 && module.samples == 1);
    let (heads, rows, columns) = match mosaic {
        Some(m) => {
            notes.extend(m.note.clone());
            let tile = |n: usize| FrameHead { frame: n, position: m.position(n), ..heads[0].clone() };
            ((0..m.count).map(tile).collect(), m.rows, m.columns)
        }
        None => (heads, module.rows, module.columns),
    };
    let inverse = o.text(Tag(0x2050, 0x0020)).eq_ignore_ascii_case("INVERSE");
    Ok(ImageHead {
        rows,
        columns,
        frames: heads,
        frames_told: module.frames_told,
        calibration,
        flat_spacing,
        patient_orientation,
        windows,
        inverted: module.photometric == Photometric::Monochrome1 || inverse && module.samples == 1,
        unit: unit_of(&first, &file.sop_class_uid()),
        lossy: o.text(Tag(0x0028, 0x2110)) == "01" || syntax::is_lossy(&file.syntax),
        offset: o.int(Tag(0x0020, 0x9228)).unwrap_or(0),
        suv: quantity::suv(o),
        real_world: quantity::real_world(&first, module.signed),
    })
}

/// NM: Detector Information holds place and orientation of a reconstructed stack (C.8.4.11).
fn detector(o: &InMemDicomObject) -> Option<&InMemDicomObject> {
    (o.text(Tag(0x0008, 0x0060)) == "NM").then(|| o.first(Tag(0x0054, 0x0022))).flatten()
}

/// Positions that are told otherwise than frame by frame: RT dose grids and reconstructed NM.
fn special_places(o: &InMemDicomObject, frames: usize) -> Option<Vec<[f64; 3]>> {
    let cosines = |o: &InMemDicomObject| -> Option<glam::DVec3> {
        let c: [f64; 6] = o.array(Tag(0x0020, 0x0037))?;
        Some(glam::DVec3::new(c[0], c[1], c[2]).cross(glam::DVec3::new(c[3], c[4], c[5])))
    };
    // Grid Frame Offset Vector (3004,000C), C.8.8.3.2: along the normal; absolute z where the first is not 0.
    let offsets = o.numbers(Tag(0x3004, 0x000C));
    if offsets.len() >= frames && frames > 1 {
        let p: [f64; 3] = o.array(Tag(0x0020, 0x0032))?;
        let n = cosines(o)?;
        let first = offsets[0]?;
        return offsets
            .iter()
            .take(frames)
            .map(|d| {
                let d = (*d)? - first;
                Some((glam::DVec3::from(p) + n * d).to_array())
            })
            .collect();
    }
    let d = detector(o)?;
    let recon = o.texts(Tag(0x0008, 0x0008)).iter().any(|t| t == "RECON TOMO");
    let p: [f64; 3] = d.array(Tag(0x0020, 0x0032))?;
    if !recon || frames < 2 {
        return None;
    }
    let n = cosines(d)?;
    let step = o.number(Tag(0x0018, 0x0088)).or_else(|| o.number(Tag(0x0018, 0x0050)))?;
    Some((0..frames).map(|i| (glam::DVec3::from(p) + n * (step * i as f64)).to_array()).collect())
}

/// Size of a pixel of an image that has no place in the patient, `[between rows, between columns]` in mm, and how it is
/// known (C.7.6.3, C.8.11.7, C.8.7.5, C.8.5.5).
fn flat_calibration(o: &InMemDicomObject, modality: &str, columns: usize) -> (Option<[f64; 2]>, Calibration) {
    let size = |tag: Tag| o.array::<2>(tag).filter(plausible);
    if matches!(modality, "US" | "IVUS") {
        // The widest region of two-dimensional tissue in centimetres.
        let region = o
            .items(Tag(0x0018, 0x6011))
            .iter()
            .filter(|r| r.int(Tag(0x0018, 0x6012)) == Some(1))
            .filter(|r| r.int(Tag(0x0018, 0x6024)) == Some(3) && r.int(Tag(0x0018, 0x6026)) == Some(3))
            .max_by_key(|r| {
                let edge = |e: u16| r.int(Tag(0x0018, e)).unwrap_or(0).clamp(0, columns as i64 * 4);
                (edge(0x601C) - edge(0x6018)) * (edge(0x601E) - edge(0x601A))
            });
        if let Some(r) = region
            && let (Some(dx), Some(dy)) = (r.number(Tag(0x0018, 0x602C)), r.number(Tag(0x0018, 0x602E)))
        {
            let s = [dy.abs() * 10.0, dx.abs() * 10.0];
            if plausible(&s) {
                return (Some(s), Calibration::Patient);
            }
        }
        return (None, Calibration::None);
    }
    let pixel = size(Tag(0x0028, 0x0030));
    let imager = size(Tag(0x0018, 0x1164));
    if !is_projection(modality) {
        return match pixel {
            Some(s) => (Some(s), Calibration::Patient),
            None => (size(Tag(0x0018, 0x2010)), Calibration::Detector).only_with_size(),
        };
    }
    let calibrated = !o.text(Tag(0x0028, 0x0A02)).is_empty();
    match (pixel, imager) {
        (Some(s), _) if calibrated => (Some(s), Calibration::Patient),
        (Some(s), _) => (Some(s), Calibration::Detector),
        (None, Some(s)) => match o.number(Tag(0x0018, 0x1114)).filter(|m| *m >= 1.0 && *m < 20.0) {
            Some(m) => (Some([s[0] / m, s[1] / m]), Calibration::Patient),
            None => (Some(s), Calibration::Detector),
        },
        (None, None) => (size(Tag(0x0018, 0x2010)), Calibration::Detector).only_with_size(),
    }
}

trait OnlyWithSize {
    fn only_with_size(self) -> Self;
}

impl OnlyWithSize for (Option<[f64; 2]>, Calibration) {
    /// Without a size there is no calibration.
    fn only_with_size(self) -> Self {
        if self.0.is_some() { self } else { (None, Calibration::None) }
    }
}

fn keys(view: &FrameView<'_>) -> Vec<(KeyKind, KeyValue)> {
    let o = view.object;
    let mut out = Vec::new();
    let mut number = |kind: KeyKind, v: Option<f64>| {
        if let Some(v) = v {
            out.push((kind, KeyValue::Number(v)));
        }
    };
    let content = view.group(FRAME_CONTENT);
    let either = |inner: Option<f64>, outer: Tag| inner.or_else(|| o.number(outer));
    number(KeyKind::Time, either(content.and_then(|c| c.number(Tag(0x0020, 0x9128))), Tag(0x0020, 0x0100)));
    number(KeyKind::Echo, o.number(Tag(0x0018, 0x0086)));
    let echo = view.group(MR_ECHO).and_then(|e| e.number(Tag(0x0018, 0x9082)));
    number(KeyKind::EchoTime, either(echo, Tag(0x0018, 0x0081)));
    let diffusion = view.group(MR_DIFFUSION);
    number(KeyKind::BValue, either(diffusion.and_then(|d| d.number(Tag(0x0018, 0x9087))), Tag(0x0018, 0x9087)));
    let acquisition = content.and_then(|c| c.number(Tag(0x0020, 0x9156)));
    number(KeyKind::Acquisition, either(acquisition, Tag(0x0020, 0x0012)));
    let delay = view.group(CARDIAC).and_then(|c| c.number(Tag(0x0020, 0x9153)));
    number(KeyKind::Trigger, either(delay, Tag(0x0018, 0x1060)));
    let at = |t: Tag, from: &InMemDicomObject| text::seconds(&from.text(t));
    number(KeyKind::AcquisitionTime, at(Tag(0x0008, 0x0032), o));
    number(KeyKind::ContentTime, at(Tag(0x0008, 0x0033), o));
    let mut words = |kind: KeyKind, v: Vec<String>| {
        if !v.is_empty() {
            out.push((kind, KeyValue::Text(v.iter().map(|s| safe(s)).collect::<Vec<_>>().join(" "))));
        }
    };
    let direction = diffusion.and_then(|d| d.first(Tag(0x0018, 0x9076))).unwrap_or(o);
    words(KeyKind::Direction, direction.texts(Tag(0x0018, 0x9089)));
    words(KeyKind::Stack, content.map(|c| c.texts(Tag(0x0020, 0x9056))).unwrap_or_default());
    let frame_type = [MR_IMAGE_FRAME_TYPE, CT_IMAGE_FRAME_TYPE]
        .iter()
        .find_map(|t| view.group(*t))
        .map(|t| t.texts(Tag(0x0008, 0x9007)))
        .unwrap_or_else(|| o.texts(Tag(0x0008, 0x0008)));
    words(KeyKind::ImageType, frame_type);
    out.sort_by_key(|k| k.0);
    out
}
