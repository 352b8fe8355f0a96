//! Frames for display and computation (PS3.3 C.7.6.3, C.11.1, C.11.2), and stored samples for comparison.

use dicom_core::Tag;
use lightbox_core::windowing::Window;
use lightbox_core::{Frame, Rescale, Samples};

use crate::attr::Attributes;
use crate::error::{Error, Fault};
use crate::file::DicomFile;
use crate::foreign::Foreign;
use crate::groups::FrameView;
use crate::index::{FrameRef, Source};
use crate::lut::{Lut, Palette};
use crate::mosaic::Mosaic;
use crate::pixels::module::Photometric;
use crate::pixels::{PixelSource, Raw, RawFrame};
use crate::quantity::{self, RealWorldMap};
use crate::store::{Content, OpenFile, Opener, pixels};
use crate::values::{self, apply, modality_lut, padding, rescale_of, unit_of, voi};

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
    /// Real-world value maps of the frame; their input is the stored value.
    pub real_world: Vec<RealWorldMap>,
    /// What was wrong with the file and how it was mended, without a capital; a scan of the file tells it too.
    pub file_notes: Vec<String>,
    /// What was wrong with this frame.
    pub notes: Vec<String>,
}

impl Decoded {
    /// The note that says that a part of this frame's pixels is missing, if one does.
    #[must_use]
    pub fn cut_off(&self) -> Option<&str> {
        // The words of the decoders: data that ends early, and a piece that claims more bytes than follow.
        let words = ["cut off", "are missing", "data claims"];
        self.notes.iter().find(|note| words.iter().any(|w| note.contains(w))).map(String::as_str)
    }
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
        if let (Content::Dicom { file, pixels: cell }, FrameSelection::All) = (&file.content, frames) {
            pixels(file, cell)?.check_all()?;
        }
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
            if out.frames == 0 {
                reserve(&mut out.bytes, selected(frames, count)?.len(), bytes.len())?;
            }
            out.frames += 1;
            out.bytes.extend(bytes);
            for note in decoded.file_notes.into_iter().chain(decoded.notes) {
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

/// Takes memory for `frames` frames of `bytes`; where there is none, that is an error and no abort.
fn reserve(out: &mut Vec<u8>, frames: usize, bytes: usize) -> Result<(), Fault> {
    let all = frames.saturating_mul(bytes);
    out.try_reserve_exact(all)
        .map_err(|_| Fault::TooLarge(format!("{} MiB of pixels do not fit into memory", all >> 20)))
}

fn selected(frames: FrameSelection, count: usize) -> Result<std::ops::Range<usize>, Fault> {
    match frames {
        FrameSelection::All => Ok(0..count),
        FrameSelection::One(n) if n < count => Ok(n..n + 1),
        FrameSelection::One(n) => Err(Fault::NoFrame { frame: n, frames: count }),
    }
}

pub(crate) fn open_frame(file: &OpenFile, frame: usize) -> Result<Decoded, Fault> {
    let bare = |frame: Frame, file_notes: Vec<String>| Decoded {
        frame,
        windows: Vec::new(),
        voi_luts: Vec::new(),
        inverted: false,
        unit: String::new(),
        real_world: Vec::new(),
        file_notes,
        notes: Vec::new(),
    };
    match &file.content {
        Content::Dicom { file, pixels: cell } => dicom_frame(file, pixels(file, cell)?, frame),
        Content::Foreign(Foreign::Picture(p)) if frame == 0 => Ok(bare((**p).clone(), Vec::new())),
        Content::Foreign(Foreign::Picture(_)) => Err(Fault::NoFrame { frame, frames: 1 }),
        Content::Foreign(Foreign::Grid(g)) => Ok(bare(g.frame(frame)?, g.notes.clone())),
    }
}

/// The picture that a scan names: a frame, or a tile of a mosaic.
pub(crate) fn open_picture(file: &OpenFile, picture: usize) -> Result<Decoded, Fault> {
    if let Content::Dicom { file, pixels: cell } = &file.content {
        let source = pixels(file, cell)?;
        let m = &source.module;
        if let Some(mosaic) = mosaic(file, source) {
            if picture >= mosaic.count {
                return Err(Fault::NoFrame { frame: picture, frames: mosaic.count });
            }
            let mut raw = source.frame(file, 0)?;
            raw.samples = mosaic.tile(&raw.samples, picture);
            return picture_of(file, source, 0, raw, [mosaic.columns, mosaic.rows]);
        }
        return picture_of(file, source, picture, source.frame(file, picture)?, [m.columns, m.rows]);
    }
    open_frame(file, picture)
}

fn mosaic(file: &DicomFile, source: &PixelSource) -> Option<Mosaic> {
    let m = &source.module;
    Mosaic::read(file.object(), m.columns, m.rows).filter(|_| source.frames() == 1 && m.samples == 1)
}

fn dicom_frame(file: &DicomFile, source: &PixelSource, n: usize) -> Result<Decoded, Fault> {
    let m = &source.module;
    picture_of(file, source, n, source.frame(file, n)?, [m.columns, m.rows])
}

fn picture_of(
    file: &DicomFile,
    source: &PixelSource,
    n: usize,
    raw: RawFrame,
    [columns, rows]: [usize; 2],
) -> Result<Decoded, Fault> {
    let m = &source.module;
    let view = FrameView { object: file.object(), frame: n };
    let file_notes: Vec<String> = file.notes.iter().chain(&source.notes).cloned().collect();
    let mut notes: Vec<String> = source.pixel_notes.iter().chain(&raw.notes).cloned().collect();
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
            _ => {
                rescale = rescale_of(&view, &class).0;
                unit = unit_of(&view, &class);
            }
        }
    }
    if n > 0 && !colour {
        // Those of the first frame stand for the file.
        notes.extend(values::notes(&view, &class, signed).into_iter().filter(|n| !file_notes.contains(n)));
    }
    let (windows, voi_luts, _) = voi(&view, signed || rescale.intercept < 0.0);
    let mut frame = Frame::new(columns, rows, samples, rescale).map_err(|e| Fault::ImageModule(e.to_string()))?;
    frame.padding = padding(&view, colour);
    let inverse = file.object().text(Tag(0x2050, 0x0020)).eq_ignore_ascii_case("INVERSE");
    let inverted = !colour && (raw.photometric == Photometric::Monochrome1 || inverse);
    let real_world = quantity::real_world(&view, signed);
    Ok(Decoded { frame, windows, voi_luts, inverted, unit, real_world, file_notes, notes })
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

pub(crate) fn open_stored(file: &OpenFile, frames: FrameSelection) -> Result<StoredPixels, Fault> {
    match &file.content {
        Content::Dicom { file, pixels: cell } => {
            let source = pixels(file, cell)?;
            let m = &source.module;
            if frames == FrameSelection::All {
                source.check_all()?;
            }
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
                    notes: file.notes.iter().chain(&source.notes).chain(&source.pixel_notes).cloned().collect(),
                });
                if out.frames == 0 {
                    reserve(&mut out.bytes, selected(frames, source.frames())?.len(), bytes.len())?;
                }
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
                    notes: decoded.file_notes.clone(),
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
