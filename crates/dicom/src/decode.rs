//! Frames for display and computation (PS3.3 C.7.6.3, C.11.1, C.11.2), and stored samples for comparison.

use dicom_core::Tag;
use lightbox_core::windowing::{VoiFunction, Window};
use lightbox_core::{Frame, Rescale, Samples};

use crate::attr::Attributes;
use crate::error::{Error, Fault};
use crate::file::DicomFile;
use crate::foreign::Foreign;
use crate::groups::{FRAME_VOI_LUT, FrameView, PIXEL_VALUE_TRANSFORMATION};
use crate::index::{FrameRef, Source};
use crate::lut::{Lut, Palette};
use crate::pixels::module::Photometric;
use crate::pixels::{PixelSource, Raw, RawFrame};
use crate::store::{Content, OpenFile, Opener, pixels};

const SEGMENTATION: &str = "1.2.840.10008.5.1.4.1.1.66.4";
const RT_DOSE: &str = "1.2.840.10008.5.1.4.1.1.481.2";

/// A decoded frame and what the file says about showing it.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// Samples, rescale and padding. After a modality LUT the samples are values already, as F32.
    pub frame: Frame,
    /// Windows of the file with their explanation (0028,1055), in order.
    pub windows: Vec<(String, Window)>,
    /// VOI LUTs of the file, in order; their input is the value after rescale.
    pub voi_luts: Vec<Lut>,
    /// MONOCHROME1 or Presentation LUT Shape INVERSE.
    pub inverted: bool,
    /// Unit of the values after rescale: `HU`, `Bq/mL`, `Gy`, or empty.
    pub unit: String,
    /// What was wrong with the file and how it was mended, without a capital.
    pub notes: Vec<String>,
}

/// Which frames of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameSelection {
    /// One, 0-based.
    One(usize),
    /// All.
    All,
}

/// How far the values are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// As stored; palette indices not looked up, YBR converted to RGB.
    Stored,
    /// After rescale or modality LUT, f32.
    Modality,
    /// 8-bit grey or RGB as drawn with the file's own VOI.
    Display,
}

/// Samples of one or more frames, row-major, little-endian, colour interleaved.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPixels {
    /// Rows of a frame.
    pub rows: usize,
    /// Columns of a frame.
    pub columns: usize,
    /// Frames.
    pub frames: usize,
    /// Samples per pixel.
    pub samples: usize,
    /// `u8`, `i8`, `u16`, `i16`, `u32`, `i32`, `f32` or `f64`.
    pub dtype: &'static str,
    /// `MONOCHROME1`, `MONOCHROME2`, `PALETTE COLOR` or `RGB`.
    pub photometric: &'static str,
    /// The samples.
    pub bytes: Vec<u8>,
    /// What was wrong and how it was mended.
    pub notes: Vec<String>,
}

/// Decodes one frame without keeping the file open; see [`Opener::decode`] for many.
///
/// # Errors
/// [`Error::File`] when the file cannot be read or the frame cannot be decoded.
pub fn decode(frame: &FrameRef) -> Result<Decoded, Error> {
    Opener::new(0).decode(frame)
}

/// The samples of a file as stored; see [`Opener::stored`].
///
/// # Errors
/// As [`decode`].
pub fn stored(source: &Source, frames: FrameSelection) -> Result<StoredPixels, Error> {
    Opener::new(0).stored(source, frames)
}

/// The samples of a file at any stage.
///
/// # Errors
/// As [`decode`].
pub fn at_stage(source: &Source, frames: FrameSelection, stage: Stage) -> Result<StoredPixels, Error> {
    if stage == Stage::Stored {
        return stored(source, frames);
    }
    let file = Opener::new(0).open(source)?;
    let run = || -> Result<StoredPixels, Fault> {
        let count = frame_count(&file)?;
        let mut out: Option<StoredPixels> = None;
        for n in selected(frames, count)? {
            let decoded = open_frame(&file, n)?;
            let (bytes, samples) = match stage {
                Stage::Modality if !decoded.frame.is_colour() => {
                    (decoded.frame.values().iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(), 1)
                }
                Stage::Modality => match decoded.frame.samples() {
                    Samples::Rgb8(v) => (v.iter().flat_map(|&b| f32::from(b).to_le_bytes()).collect(), 3),
                    _ => (Vec::new(), 3),
                },
                _ => display(&decoded),
            };
            let out = out.get_or_insert_with(|| StoredPixels {
                rows: decoded.frame.rows(),
                columns: decoded.frame.columns(),
                frames: 0,
                samples,
                dtype: if stage == Stage::Modality { "f32" } else { "u8" },
                photometric: if samples == 3 {
                    "RGB"
                } else if stage == Stage::Display || !decoded.inverted {
                    "MONOCHROME2"
                } else {
                    "MONOCHROME1"
                },
                bytes: Vec::new(),
                notes: Vec::new(),
            });
            out.frames += 1;
            out.bytes.extend(bytes);
            for note in decoded.notes {
                if !out.notes.contains(&note) {
                    out.notes.push(note);
                }
            }
        }
        out.ok_or(Fault::NoFrame { frame: 0, frames: 0 })
    };
    run().map_err(|f| f.at(source))
}

/// 8-bit grey or RGB with the file's own VOI: its first VOI LUT, else its first window, else from least to largest value.
/// The second part is the number of samples per pixel.
#[must_use]
pub fn display(decoded: &Decoded) -> (Vec<u8>, usize) {
    let frame = &decoded.frame;
    if let Samples::Rgb8(v) = frame.samples() {
        return (v.clone(), 3);
    }
    let flip = |g: u8| if decoded.inverted { 255 - g } else { g };
    if let Some(lut) = decoded.voi_luts.first() {
        let scale = 255.0 / lut.top();
        let grey = |v: f32| flip((f64::from(lut.apply(f64::from(v))) * scale + 0.5) as u8);
        return (frame.values().into_iter().map(grey).collect(), 1);
    }
    let window = decoded
        .windows
        .first()
        .map(|w| w.1)
        .or_else(|| frame.range().map(|(a, b)| Window::from_range(f64::from(a), f64::from(b))))
        .unwrap_or(Window::new(256.0, 128.0));
    (frame.values().into_iter().map(|v| flip(window.grey(f64::from(v)))).collect(), 1)
}

/// Frames of an opened file.
pub(crate) fn frame_count(file: &OpenFile) -> Result<usize, Fault> {
    match &file.content {
        Content::Dicom { file, pixels: cell } => Ok(pixels(file, cell)?.frames()),
        Content::Foreign(Foreign::Picture(_)) => Ok(1),
        Content::Foreign(Foreign::Grid(g)) => Ok(g.frames()),
    }
}

fn selected(frames: FrameSelection, count: usize) -> Result<std::ops::Range<usize>, Fault> {
    match frames {
        FrameSelection::All => Ok(0..count),
        FrameSelection::One(n) if n < count => Ok(n..n + 1),
        FrameSelection::One(n) => Err(Fault::NoFrame { frame: n, frames: count }),
    }
}

pub(crate) fn open_frame(file: &OpenFile, frame: usize) -> Result<Decoded, Fault> {
    let bare = |frame: Frame, notes: Vec<String>| Decoded {
        frame,
        windows: Vec::new(),
        voi_luts: Vec::new(),
        inverted: false,
        unit: String::new(),
        notes,
    };
    match &file.content {
        Content::Dicom { file, pixels: cell } => dicom_frame(file, pixels(file, cell)?, frame),
        Content::Foreign(Foreign::Picture(p)) if frame == 0 => Ok(bare((**p).clone(), Vec::new())),
        Content::Foreign(Foreign::Picture(_)) => Err(Fault::NoFrame { frame, frames: 1 }),
        Content::Foreign(Foreign::Grid(g)) => Ok(bare(g.frame(frame)?, g.notes.clone())),
    }
}

fn dicom_frame(file: &DicomFile, source: &PixelSource, n: usize) -> Result<Decoded, Fault> {
    let m = &source.module;
    let raw = source.frame(file, n)?;
    let view = FrameView { object: file.object(), frame: n };
    let mut notes = file.notes.clone();
    notes.extend(source.notes.iter().cloned());
    notes.extend(raw.notes.iter().cloned());
    let class = file.sop_class_uid();
    let signed = m.signed;
    let samples = samples(file, &raw, signed, m.stored)?;
    let colour = matches!(samples, Samples::Rgb8(_));
    let (mut rescale, mut unit) = (Rescale::default(), String::new());
    let mut samples = samples;
    if !colour {
        match modality_lut(&view, signed) {
            Some(Ok(lut)) => {
                let (values, lut_unit) = (apply(&samples, &lut.0), lut.1);
                samples = Samples::F32(values);
                unit = lut_unit;
            }
            other => {
                if let Some(Err(reason)) = other {
                    notes.push(format!("the modality LUT is not used: {reason}"));
                }
                let (r, note) = rescale_of(&view, &class);
                rescale = r;
                notes.extend(note);
                unit = unit_of(&view, &class);
            }
        }
    }
    let (windows, voi_luts, voi_notes) = voi(&view, signed || rescale.intercept < 0.0);
    notes.extend(voi_notes);
    let mut frame = Frame::new(m.columns, m.rows, samples, rescale).map_err(|e| Fault::ImageModule(e.to_string()))?;
    frame.padding = padding(&view, colour);
    let inverse = file.object().text(Tag(0x2050, 0x0020)).eq_ignore_ascii_case("INVERSE");
    let inverted = !colour && (raw.photometric == Photometric::Monochrome1 || inverse);
    Ok(Decoded { frame, windows, voi_luts, inverted, unit, notes })
}

/// From raw samples to what the core draws.
fn samples(file: &DicomFile, raw: &RawFrame, signed: bool, stored: u32) -> Result<Samples, Fault> {
    if raw.photometric == Photometric::Palette {
        let palette = Palette::read(file.object(), signed).map_err(Fault::ImageModule)?;
        let look = |v: f64| palette.colour(v);
        return Ok(Samples::Rgb8(match &raw.samples {
            Raw::U8(v) => v.iter().flat_map(|&x| look(f64::from(x))).collect(),
            Raw::I8(v) => v.iter().flat_map(|&x| look(f64::from(x))).collect(),
            Raw::U16(v) => v.iter().flat_map(|&x| look(f64::from(x))).collect(),
            Raw::I16(v) => v.iter().flat_map(|&x| look(f64::from(x))).collect(),
            Raw::U32(v) => v.iter().flat_map(|&x| look(f64::from(x))).collect(),
            Raw::I32(v) => v.iter().flat_map(|&x| look(f64::from(x))).collect(),
            Raw::F32(_) | Raw::F64(_) => return Err(Fault::ImageModule("a palette with fractional indices".into())),
        }));
    }
    if raw.photometric == Photometric::Rgb {
        // More than 8 bits a channel are shown by their upper eight.
        let down = stored.saturating_sub(8);
        return Ok(Samples::Rgb8(match &raw.samples {
            Raw::U8(v) => v.clone(),
            Raw::I8(v) => v.iter().map(|&x| (i16::from(x) + 128) as u8).collect(),
            Raw::U16(v) => v.iter().map(|&x| (x >> down.min(15)) as u8).collect(),
            Raw::U32(v) => v.iter().map(|&x| (x >> down.min(31)) as u8).collect(),
            _ => return Err(Fault::ImageModule("colour with signed or fractional samples".into())),
        }));
    }
    Ok(match &raw.samples {
        Raw::U8(v) => Samples::U8(v.clone()),
        Raw::I8(v) => Samples::I16(v.iter().map(|&x| i16::from(x)).collect()),
        Raw::U16(v) => Samples::U16(v.clone()),
        Raw::I16(v) => Samples::I16(v.clone()),
        Raw::U32(v) => Samples::U32(v.clone()),
        Raw::I32(v) => Samples::I32(v.clone()),
        Raw::F32(v) => Samples::F32(v.clone()),
        Raw::F64(v) => Samples::F32(v.iter().map(|&x| x as f32).collect()),
    })
}

/// The modality LUT and the unit that it gives, where there is one (C.11.1).
fn modality_lut(view: &FrameView<'_>, signed: bool) -> Option<Result<(Lut, String), String>> {
    let item = view.within(PIXEL_VALUE_TRANSFORMATION).first(Tag(0x0028, 0x3000))?;
    let unit = match item.text(Tag(0x0028, 0x3004)).as_str() {
        "HU" => "HU".to_string(),
        _ => String::new(),
    };
    Some(Lut::read(item, signed).map(|l| (l, unit)))
}

fn apply(samples: &Samples, lut: &Lut) -> Vec<f32> {
    let go = |x: f64| f32::from(lut.apply(x));
    match samples {
        Samples::U8(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        Samples::I16(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        Samples::U16(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        Samples::I32(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        Samples::U32(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        Samples::F32(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        _ => Vec::new(),
    }
}

/// Slope and intercept of a frame. A segmentation's are not applied; a dose has its own factor.
fn rescale_of(view: &FrameView<'_>, class: &str) -> (Rescale, Option<String>) {
    if class == SEGMENTATION {
        return (Rescale::default(), None);
    }
    if class == RT_DOSE {
        let slope = view.object.number(Tag(0x3004, 0x000E)).filter(|s| *s > 0.0);
        return (Rescale { slope: slope.unwrap_or(1.0), intercept: 0.0 }, None);
    }
    let o = view.within(PIXEL_VALUE_TRANSFORMATION);
    let told = o.get(Tag(0x0028, 0x1053)).is_some() || o.get(Tag(0x0028, 0x1052)).is_some();
    if !told {
        return (Rescale::default(), None);
    }
    let (slope, intercept) = (o.number(Tag(0x0028, 0x1053)), o.number(Tag(0x0028, 0x1052)).unwrap_or(0.0));
    match slope {
        Some(slope) if slope != 0.0 => (Rescale { slope, intercept }, None),
        None if o.get(Tag(0x0028, 0x1053)).is_none() => (Rescale { slope: 1.0, intercept }, None),
        _ => (
            Rescale { slope: 1.0, intercept },
            Some("the rescale slope is no number above or below 0; 1 is taken".into()),
        ),
    }
}

/// The unit of the values after rescale.
pub(crate) fn unit_of(view: &FrameView<'_>, class: &str) -> String {
    let o = view.object;
    if class == RT_DOSE {
        return if o.text(Tag(0x3004, 0x0002)).eq_ignore_ascii_case("GY") { "Gy".into() } else { String::new() };
    }
    let modality = o.text(Tag(0x0008, 0x0060));
    match o.text(Tag(0x0054, 0x1001)).as_str() {
        "BQML" => return "Bq/mL".into(),
        "GML" => return "g/mL".into(),
        "CNTS" => return "counts".into(),
        "PROPCNTS" => return "proportional to counts".into(),
        "PROPCPS" => return "proportional to counts per second".into(),
        _ => {}
    }
    let t = view.within(PIXEL_VALUE_TRANSFORMATION);
    let rescaled = t.get(Tag(0x0028, 0x1052)).is_some();
    match (t.text(Tag(0x0028, 0x1054)).as_str(), modality.as_str()) {
        ("HU", _) => "HU".into(),
        // Rescale Type is not required in a CT image; without it the values are HU (C.8.2.1.1.2), localizers excepted.
        ("" | "US", "CT") if rescaled => {
            let localizer = o.texts(Tag(0x0008, 0x0008)).iter().any(|v| v == "LOCALIZER");
            if localizer { String::new() } else { "HU".into() }
        }
        _ => String::new(),
    }
}

/// Windows and VOI LUTs of a frame, and what was wrong with them.
pub(crate) fn voi(view: &FrameView<'_>, signed: bool) -> (Vec<(String, Window)>, Vec<Lut>, Vec<String>) {
    let o = view.within(FRAME_VOI_LUT);
    let mut notes = Vec::new();
    let (centres, widths) = (o.numbers(Tag(0x0028, 0x1050)), o.numbers(Tag(0x0028, 0x1051)));
    if centres.len() != widths.len() {
        notes.push(format!("{} window centres and {} widths", centres.len(), widths.len()));
    }
    let names = o.texts(Tag(0x0028, 0x1055));
    let function = match o.text(Tag(0x0028, 0x1056)).to_ascii_uppercase().as_str() {
        "LINEAR_EXACT" => VoiFunction::LinearExact,
        "SIGMOID" => VoiFunction::Sigmoid,
        _ => VoiFunction::Linear,
    };
    let mut windows = Vec::new();
    for (i, (c, w)) in centres.iter().zip(&widths).enumerate() {
        let name = names.get(i).map(|n| crate::text::safe(n)).unwrap_or_default();
        match (c, w) {
            (Some(center), Some(width)) if *width >= 1.0 || *width > 0.0 && function != VoiFunction::Linear => {
                windows.push((name, Window { center: *center, width: *width, function }));
            }
            // Parametric maps come with LINEAR windows narrower than 1, which are meant exactly.
            (Some(center), Some(width)) if *width > 0.0 => {
                windows.push((name, Window { center: *center, width: *width, function: VoiFunction::LinearExact }));
            }
            _ => notes.push("a window without width is left out".into()),
        }
    }
    let mut luts = Vec::new();
    for item in o.items(Tag(0x0028, 0x3010)) {
        match Lut::read(item, signed) {
            Ok(lut) => luts.push(lut),
            Err(reason) => notes.push(format!("a VOI LUT is left out: {reason}")),
        }
    }
    (windows, luts, notes)
}

/// Pixel Padding Value and Range Limit (C.7.5.1.1.2), in stored values.
fn padding(view: &FrameView<'_>, colour: bool) -> Option<(f64, f64)> {
    if colour {
        return None;
    }
    let value = view.object.number(Tag(0x0028, 0x0120))?;
    let limit = view.object.number(Tag(0x0028, 0x0121)).unwrap_or(value);
    Some((value.min(limit), value.max(limit)))
}

pub(crate) fn open_stored(file: &OpenFile, frames: FrameSelection) -> Result<StoredPixels, Fault> {
    match &file.content {
        Content::Dicom { file, pixels: cell } => {
            let source = pixels(file, cell)?;
            let m = &source.module;
            let mut out: Option<StoredPixels> = None;
            for n in selected(frames, source.frames())? {
                let raw = source.frame(file, n)?;
                let (dtype, bytes) = little_endian(&raw.samples);
                let out = out.get_or_insert_with(|| StoredPixels {
                    rows: m.rows,
                    columns: m.columns,
                    frames: 0,
                    samples: m.samples,
                    dtype,
                    photometric: match raw.photometric {
                        Photometric::Monochrome1 => "MONOCHROME1",
                        Photometric::Palette => "PALETTE COLOR",
                        Photometric::Rgb => "RGB",
                        _ => "MONOCHROME2",
                    },
                    bytes: Vec::new(),
                    notes: file.notes.iter().chain(&source.notes).cloned().collect(),
                });
                out.frames += 1;
                out.bytes.extend(bytes);
                for note in raw.notes {
                    if !out.notes.contains(&note) {
                        out.notes.push(note);
                    }
                }
            }
            out.ok_or(Fault::NoFrame { frame: 0, frames: 0 })
        }
        Content::Foreign(_) => {
            let mut out: Option<StoredPixels> = None;
            for n in selected(frames, frame_count(file)?)? {
                let decoded = open_frame(file, n)?;
                let f = &decoded.frame;
                let (dtype, samples, bytes) = match f.samples() {
                    Samples::U8(v) => ("u8", 1, v.clone()),
                    Samples::Rgb8(v) => ("u8", 3, v.clone()),
                    Samples::I16(v) => ("i16", 1, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                    Samples::U16(v) => ("u16", 1, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                    Samples::I32(v) => ("i32", 1, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                    Samples::U32(v) => ("u32", 1, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                    Samples::F32(v) => ("f32", 1, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                    _ => return Err(Fault::UnknownFormat),
                };
                let out = out.get_or_insert_with(|| StoredPixels {
                    rows: f.rows(),
                    columns: f.columns(),
                    frames: 0,
                    samples,
                    dtype,
                    photometric: if samples == 3 { "RGB" } else { "MONOCHROME2" },
                    bytes: Vec::new(),
                    notes: decoded.notes.clone(),
                });
                out.frames += 1;
                out.bytes.extend(bytes);
            }
            out.ok_or(Fault::NoFrame { frame: 0, frames: 0 })
        }
    }
}

fn little_endian(raw: &Raw) -> (&'static str, Vec<u8>) {
    match raw {
        Raw::U8(v) => ("u8", v.clone()),
        Raw::I8(v) => ("i8", v.iter().map(|&x| x as u8).collect()),
        Raw::U16(v) => ("u16", v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Raw::I16(v) => ("i16", v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Raw::U32(v) => ("u32", v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Raw::I32(v) => ("i32", v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Raw::F32(v) => ("f32", v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Raw::F64(v) => ("f64", v.iter().flat_map(|x| x.to_le_bytes()).collect()),
    }
}
