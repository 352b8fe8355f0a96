//! From a segmentation file to bit planes (PS3.3 C.8.20.2), frames where the file places them.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use dicom_core::Tag;
use dicom_object::InMemDicomObject;
use lightbox_core::Rgb;
use lightbox_core::label::{BitPlane, Code, MASK_COLOURS, MaskOrigin};

use super::codes;
use super::colour::rgb_from_cielab;
use super::reference::bytes_of;
use super::{LABEL_MAP_STORAGE, SEGMENTATION_STORAGE, SegError};
use crate::attr::Attributes;
use crate::error::Fault;
use crate::file::DicomFile;
use crate::index::Source;
use crate::parse::Limits;
use crate::pixels::{PixelSource, Raw};

/// How the pixels are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegKind {
    /// One bit a pixel.
    Binary,
    /// A share or a probability; pixels from one half up are taken.
    Fractional,
    /// The number of the segment.
    LabelMap,
}

/// A segmentation as it stands in its file.
#[derive(Debug, Clone)]
pub struct SegFile {
    /// How the pixels were stored.
    pub kind: SegKind,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Series Instance UIDs of the images that it names.
    pub referenced_series: Vec<String>,
    /// Frame of Reference UID, empty when there is none.
    pub frame_of_reference: String,
    /// Columns and rows of a frame.
    pub size: [usize; 2],
    /// What a reader has to know, in sentences without a capital.
    pub notes: Vec<String>,
    pub(super) segments: Vec<Description>,
    pub(super) frames: Vec<SegFrame>,
    pub(super) path: String,
}

/// A segment without its pixels.
#[derive(Debug, Clone)]
pub(super) struct Description {
    pub(super) number: u32,
    pub(super) label: String,
    pub(super) colour: Rgb,
    pub(super) code: Option<Code>,
    pub(super) side: Option<Code>,
    pub(super) origin: MaskOrigin,
    pub(super) edited: bool,
    /// A program made it and no reader confirmed it.
    pub(super) proposed: bool,
}

/// One segment on one frame. Frames without a set pixel are left out.
#[derive(Debug, Clone)]
pub(super) struct SegFrame {
    /// Frame in the file, 0-based.
    pub(super) frame: usize,
    pub(super) segment: u32,
    pub(super) plane: Arc<BitPlane>,
    pub(super) place: Option<FramePlace>,
    /// SOP Instance UID and Referenced Frame Number (1-based) of its source images.
    pub(super) sources: Vec<(String, Option<u32>)>,
}

/// Where a frame lies, as Image Plane does (C.7.6.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FramePlace {
    pub(super) position: [f64; 3],
    pub(super) orientation: [f64; 6],
    /// `[between rows, between columns]` in mm.
    pub(super) spacing: [f64; 2],
}

/// All set pixels together take at most this many bytes in memory.
const MOST_BYTES: usize = 4 << 30;

/// Reads a DICOM Segmentation: BINARY, FRACTIONAL or LABELMAP, in any transfer syntax that images are read in.
///
/// # Errors
/// [`SegError`] with one sentence and the file.
pub fn read(source: &Source) -> Result<SegFile, SegError> {
    let path = source.to_string();
    let fault = |fault: Fault| SegError::Read { fault, path: path.clone() };
    let file = bytes_of(source).and_then(|b| DicomFile::read(b, Limits::IMAGE)).map_err(fault)?;
    let o = file.object();
    if ![SEGMENTATION_STORAGE, LABEL_MAP_STORAGE].contains(&file.sop_class_uid().as_str()) {
        return Err(SegError::NotASegmentation { path });
    }
    let broken = |reason: String| SegError::Broken { reason, path: path.clone() };
    let kind = match o.text(Tag(0x0062, 0x0001)).to_ascii_uppercase().as_str() {
        "BINARY" => SegKind::Binary,
        "FRACTIONAL" => SegKind::Fractional,
        "LABELMAP" => SegKind::LabelMap,
        other => return Err(broken(format!("its segmentation type \"{other}\" is not known"))),
    };
    let pixels = PixelSource::open(&file).map_err(fault)?;
    let mut notes: Vec<String> = file.notes.iter().chain(&pixels.notes).cloned().collect();
    if pixels.frames() < pixels.module.frames_told {
        return Err(broken(format!("{} frames are told, {} are there", pixels.module.frames_told, pixels.frames())));
    }
    let segments = descriptions(o).map_err(broken)?;
    let half = match kind {
        SegKind::Fractional => {
            notes.push("shares of pixels are stored; those from one half up are shown".into());
            let most = o.int(Tag(0x0062, 0x000E)).filter(|m| (1..=255).contains(m)).unwrap_or(255);
            // value / most >= 1/2, in whole numbers.
            Some((most as u32).div_ceil(2))
        }
        _ => None,
    };

    let shared = o.first(Tag(0x5200, 0x9229));
    let per_frame = o.items(Tag(0x5200, 0x9230));
    if per_frame.len() < pixels.module.frames_told {
        let tiled = o.text(Tag(0x0020, 0x9311)).eq_ignore_ascii_case("TILED_FULL");
        return Err(broken(if tiled {
            "it is made of the tiles of a slide without a place for each, which is not read".into()
        } else {
            format!("it tells the place of {} of {} frames", per_frame.len(), pixels.module.frames_told)
        }));
    }
    let known: BTreeSet<u32> = segments.iter().map(|s| s.number).collect();
    let mut frames = Vec::new();
    let mut bytes = 0;
    for (frame, own) in per_frame.iter().enumerate().take(pixels.module.frames_told) {
        let raw = pixels.frame(&file, frame).map_err(fault)?;
        notes.extend(raw.notes);
        let groups = Groups { own, shared };
        let values = Values(raw.samples);
        let found: Vec<(u32, BitPlane)> = match kind {
            SegKind::LabelMap => values.labels(&known, frame, MOST_BYTES - bytes).map_err(broken)?,
            _ => {
                let number = groups
                    .first(Tag(0x0062, 0x000A))
                    .and_then(|i| i.int(Tag(0x0062, 0x000B)))
                    .and_then(|n| u32::try_from(n).ok())
                    .ok_or_else(|| broken(format!("frame {} does not tell its segment", frame + 1)))?;
                vec![(number, values.at_least(half.unwrap_or(1)).map_err(broken)?)]
            }
        };
        let place = groups.place();
        let sources = groups.sources();
        for (segment, plane) in found {
            if plane.count() == 0 {
                continue;
            }
            if !known.contains(&segment) {
                return Err(broken(not_described(frame, segment)));
            }
            bytes += plane.bytes();
            if bytes > MOST_BYTES {
                return Err(broken(TOO_LARGE.into()));
            }
            frames.push(SegFrame { frame, segment, plane: Arc::new(plane), place, sources: sources.clone() });
        }
    }
    notes.sort();
    notes.dedup();
    Ok(SegFile {
        kind,
        sop_instance_uid: file.sop_instance_uid(),
        referenced_series: o.items(Tag(0x0008, 0x1115)).iter().map(|i| i.text(Tag(0x0020, 0x000E))).collect(),
        frame_of_reference: o.text(Tag(0x0020, 0x0052)),
        size: [pixels.module.columns, pixels.module.rows],
        notes,
        segments,
        frames,
        path,
    })
}

pub(super) fn read_path(path: &Path) -> Result<SegFile, SegError> {
    read(&Source::file(path))
}

/// The Segment Sequence.
fn descriptions(o: &InMemDicomObject) -> Result<Vec<Description>, String> {
    let items = o.items(Tag(0x0062, 0x0002));
    if items.is_empty() {
        return Err("it describes no segment".into());
    }
    let mut out: Vec<Description> = Vec::with_capacity(items.len());
    for item in items {
        let number = item
            .int(Tag(0x0062, 0x0004))
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| "a segment has no number".to_string())?;
        // In a label map 0 is the background; some writers describe it.
        if number == 0 {
            continue;
        }
        if out.iter().any(|d| d.number == number) {
            return Err(format!("segment {number} is described twice"));
        }
        let mut label = item.text(Tag(0x0062, 0x0005));
        let description = item.text(Tag(0x0062, 0x0006));
        let (long_name, confirmed) = codes::read_confirmation(&description);
        // A name that was too long for a label stands whole in the description.
        if label.chars().count() >= 60 && long_name.starts_with(&label) {
            label = long_name.to_owned();
        }
        let kind = item.first(Tag(0x0062, 0x000F));
        let meaning = codes::read_code(item, Tag(0x0062, 0x000F));
        let side = kind
            .and_then(|k| codes::read_code(k, Tag(0x0062, 0x0011)))
            .or_else(|| codes::read_code(item, Tag(0x0062, 0x0011)));
        if label.is_empty() {
            label = meaning.as_ref().map_or_else(|| format!("Segment {number}"), |c| c.meaning.clone());
        }
        let lab: Vec<u16> =
            item.numbers(Tag(0x0062, 0x000D)).into_iter().flatten().map(|v| v.clamp(0.0, 65_535.0) as u16).collect();
        let colour = match lab[..] {
            [l, a, b, ..] => rgb_from_cielab([l, a, b]),
            _ => MASK_COLOURS[out.len() % MASK_COLOURS.len()],
        };
        let (origin, edited) = codes::read_origin(item);
        // What a program made and nobody touched is nobody's finding unless the file says so.
        let proposed = match confirmed {
            Some(confirmed) => !confirmed,
            None => matches!(origin, MaskOrigin::Model { .. }) && !edited,
        };
        let code = meaning.and_then(codes::told);
        out.push(Description { number, label, colour, code, side, origin, edited, proposed });
    }
    Ok(out)
}

/// Functional groups of one frame: its own, else the shared ones (C.7.6.16.1.1).
struct Groups<'a> {
    own: &'a InMemDicomObject,
    shared: Option<&'a InMemDicomObject>,
}

impl<'a> Groups<'a> {
    fn items(&self, tag: Tag) -> &'a [InMemDicomObject] {
        let own = self.own.items(tag);
        if own.is_empty() { self.shared.map_or(&[], |s| s.items(tag)) } else { own }
    }

    fn first(&self, tag: Tag) -> Option<&'a InMemDicomObject> {
        self.items(tag).first()
    }

    fn place(&self) -> Option<FramePlace> {
        let place = FramePlace {
            position: self.first(Tag(0x0020, 0x9113))?.array(Tag(0x0020, 0x0032))?,
            orientation: self.first(Tag(0x0020, 0x9116))?.array(Tag(0x0020, 0x0037))?,
            spacing: self.first(Tag(0x0028, 0x9110))?.array(Tag(0x0028, 0x0030))?,
        };
        (place.spacing.iter().all(|s| *s > 0.0)).then_some(place)
    }

    fn sources(&self) -> Vec<(String, Option<u32>)> {
        let mut out = Vec::new();
        for derivation in self.items(Tag(0x0008, 0x9124)) {
            for image in derivation.items(Tag(0x0008, 0x2112)) {
                // NO and REORIENTED_ONLY: the pixels are not those of the source (C.7.6.16.2.6).
                let kept = image.text(Tag(0x0028, 0x135A));
                let uid = image.text(Tag(0x0008, 0x1155));
                if uid.is_empty() || (!kept.is_empty() && !kept.eq_ignore_ascii_case("YES")) {
                    continue;
                }
                let numbers: Vec<u32> = image
                    .numbers(Tag(0x0008, 0x1160))
                    .into_iter()
                    .flatten()
                    .filter(|n| *n >= 1.0)
                    .map(|n| n as u32)
                    .collect();
                if numbers.is_empty() {
                    out.push((uid, None));
                } else {
                    out.extend(numbers.into_iter().map(|n| (uid.clone(), Some(n))));
                }
            }
        }
        out
    }
}

const TOO_LARGE: &str = "its masks need more than 4 GiB";

fn not_described(frame: usize, segment: u32) -> String {
    format!("frame {} is of segment {segment}, which is not described", frame + 1)
}

struct Values(Raw);

impl Values {
    fn at_least(&self, least: u32) -> Result<BitPlane, String> {
        fn plane<T: Copy + Into<u32>>(v: &[T], least: u32) -> BitPlane {
            let mut out = BitPlane::new(v.len());
            v.iter().enumerate().filter(|(_, x)| (**x).into() >= least).for_each(|(i, _)| out.set(i, true));
            out
        }
        match &self.0 {
            Raw::U8(v) => Ok(plane(v, least)),
            Raw::U16(v) => Ok(plane(v, least)),
            _ => Err("its pixels are neither bits nor bytes".into()),
        }
    }

    /// One plane for each number that occurs, 0 left out. Numbers that are not among `known` and planes of more than
    /// `most_bytes` together end it before they cost memory.
    fn labels(&self, known: &BTreeSet<u32>, frame: usize, most_bytes: usize) -> Result<Vec<(u32, BitPlane)>, String> {
        fn planes<T: Copy + Into<u32>>(
            v: &[T],
            known: &BTreeSet<u32>,
            frame: usize,
            most_bytes: usize,
        ) -> Result<Vec<(u32, BitPlane)>, String> {
            let mut out: Vec<(u32, BitPlane)> = Vec::new();
            let mut place: HashMap<u32, usize> = HashMap::new();
            let mut bytes = 0;
            let mut last = 0;
            for (i, x) in v.iter().enumerate() {
                let x: u32 = (*x).into();
                if x == 0 {
                    continue;
                }
                // Neighbours mostly bear the same number.
                if out.get(last).is_none_or(|(n, _)| *n != x) {
                    last = match place.get(&x) {
                        Some(at) => *at,
                        None => {
                            if !known.contains(&x) {
                                return Err(not_described(frame, x));
                            }
                            let plane = BitPlane::new(v.len());
                            bytes += plane.bytes();
                            if bytes > most_bytes {
                                return Err(TOO_LARGE.into());
                            }
                            out.push((x, plane));
                            place.insert(x, out.len() - 1);
                            out.len() - 1
                        }
                    };
                }
                out[last].1.set(i, true);
            }
            Ok(out)
        }
        match &self.0 {
            Raw::U8(v) => planes(v, known, frame, most_bytes),
            Raw::U16(v) => planes(v, known, frame, most_bytes),
            _ => Err("its labels are neither of 8 nor of 16 bits".into()),
        }
    }
}
