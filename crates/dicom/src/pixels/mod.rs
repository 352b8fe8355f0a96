//! From the bytes of a file to stored samples (PS3.5 section 8, PS3.3 C.7.6.3).
//!
//! dicom-pixeldata 0.10 rounds 1-bit frames down to bytes, does not expand native YBR_FULL_422, swaps 32-bit big endian
//! by words, does not extend signs from Bits Stored, ignores float pixel data, believes the sizes in compressed streams
//! and aborts on some of them. The codecs underneath are used here directly, behind one set of checks.

pub(crate) mod colour;
pub(crate) mod fragments;
pub(crate) mod jpeg;
pub(crate) mod jpeg2000;
pub(crate) mod jpeg_lossless;
pub(crate) mod jpeg_ls;
pub(crate) mod jpeg_progressive;
pub(crate) mod jpeg_xl;
pub(crate) mod marker;
pub(crate) mod module;
pub(crate) mod rle;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::attr::Attributes;
use crate::check;
use crate::error::Fault;
use crate::file::{DicomFile, inflate};
use crate::syntax::Packing;
use fragments::Fragments;
use module::{ImageModule, Photometric, SampleKind};

/// Samples as the file stores them, row-major, colour interleaved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// One frame.
#[derive(Debug)]
pub(crate) struct RawFrame {
    pub(crate) samples: Raw,
    /// YBR is converted: grey, palette or RGB.
    pub(crate) photometric: Photometric,
    pub(crate) notes: Vec<String>,
}

/// What a codec gives: bit patterns of the samples, colour interleaved.
#[derive(Debug)]
pub(crate) enum Pattern {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

/// A decoded compressed frame.
#[derive(Debug)]
pub(crate) struct Coded {
    pub(crate) pattern: Pattern,
    pub(crate) components: usize,
    /// The codec has undone the colour transform (or there was none): what comes out is RGB.
    pub(crate) is_rgb: bool,
    /// The numbers are signed already (JPEG 2000); their sign reaches to the top of the pattern.
    pub(crate) note: Option<String>,
}

/// A file's pixels, ready to be taken frame by frame.
#[derive(Debug)]
pub(crate) struct PixelSource {
    pub(crate) module: ImageModule,
    /// For encapsulated data.
    fragments: Option<Fragments>,
    frames: usize,
    /// What is amiss with the file, as a scan tells too.
    pub(crate) notes: Vec<String>,
    /// What only the opening of the pixels shows.
    pub(crate) pixel_notes: Vec<String>,
}

/// Frames of native data of `length` bytes and what is amiss with them.
pub(crate) fn native_frames(m: &ImageModule, length: u64) -> Result<(usize, Option<String>), Fault> {
    let frames = m.native_frames(length);
    if frames == 0 {
        return Err(Fault::CutOff(format!(
            "a frame of {} x {} pixels needs {} bytes, {length} are there",
            m.columns,
            m.rows,
            m.native_bits().div_ceil(8)
        )));
    }
    let note = if (frames as u64).saturating_mul(m.native_bits()).div_ceil(8) > length {
        Some("the pixel data is cut off; what is missing is filled".to_string())
    } else if frames == m.frames_told && m.place.claimed.is_some_and(|c| c > length) {
        Some("the pixel data claims more bytes than follow".to_string())
    } else {
        None
    };
    Ok((frames, note))
}

impl PixelSource {
    /// Reads the image module and finds the frames.
    pub(crate) fn open(file: &DicomFile) -> Result<Self, Fault> {
        let module = ImageModule::read(file)?;
        if module.packing == Packing::Other {
            return Err(Fault::TransferSyntax { name: crate::syntax::name(&file.syntax), uid: file.syntax.clone() });
        }
        let mut notes = module.notes.clone();
        notes.extend(check::notes(file, &module));
        let mut pixel_notes = Vec::new();
        let (fragments, frames) = match module.place.length {
            Some(length) => {
                if module.packing != Packing::Native {
                    return Err(Fault::ImageModule("its compressed pixel data has no pieces".into()));
                }
                let (frames, note) = native_frames(&module, length)?;
                notes.extend(note);
                (None, frames)
            }
            None => {
                let rle = module.packing == Packing::Rle;
                let f = Fragments::read(&file.bytes, module.place.offset, file.object(), module.frames_told, rle)?;
                // A scan does not look at the pieces of a single frame.
                let to = if module.frames_told == 1 { &mut pixel_notes } else { &mut notes };
                to.extend(f.notes.iter().cloned());
                let frames = f.frames.len();
                (Some(f), frames)
            }
        };
        if frames < module.frames_told {
            notes.push(format!("{} frames are told, {frames} are there", module.frames_told));
        }
        Ok(Self { module, fragments, frames, notes, pixel_notes })
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// Refuses to decode all frames at once where a few packed bytes claim to be very many.
    pub(crate) fn check_all(&self) -> Result<(), Fault> {
        let Some(fragments) = &self.fragments else { return Ok(()) };
        let packed: u64 = fragments.items.iter().map(|i| i.length).sum();
        let m = &self.module;
        let frame = m.pixels() as u64 * m.samples as u64 * u64::from(m.allocated.div_ceil(8));
        let all = frame.saturating_mul(self.frames as u64);
        if all > 1 << 30 && all / marker::LARGEST_RATIO > packed {
            return Err(Fault::TooLarge(format!(
                "an image of {} x {} pixels and {} frames cannot be in {packed} bytes",
                m.columns, m.rows, self.frames
            )));
        }
        Ok(())
    }

    /// Decodes one frame. A decoder that panics is an error of this frame.
    pub(crate) fn frame(&self, file: &DicomFile, frame: usize) -> Result<RawFrame, Fault> {
        if frame >= self.frames {
            return Err(Fault::NoFrame { frame, frames: self.frames });
        }
        match &self.fragments {
            None => self.native(file, frame),
            Some(fragments) => {
                let data = fragments.frame(&file.bytes, frame)?;
                let work = AssertUnwindSafe(|| self.compressed(&data, frame));
                catch_unwind(work).unwrap_or_else(|_| {
                    Err(Fault::Codec { codec: "compressed", frame, reason: "it contradicts itself".into() })
                })
            }
        }
    }

    fn native(&self, file: &DicomFile, frame: usize) -> Result<RawFrame, Fault> {
        let m = &self.module;
        let place = m.place;
        let length = place.length.unwrap_or(0);
        let first_bit = m.native_bits() * frame as u64;
        // Frames of 1-bit data are not aligned to bytes (PS3.5 8.2): bit n of the whole value, least significant first.
        let (from, to) = (first_bit / 8, (first_bit + m.native_bits()).div_ceil(8));
        let need = usize::try_from(to - from).map_err(|_| Fault::TooLarge("the image is too large".into()))?;
        let mut notes = Vec::new();
        let mut data = if m.big_endian && m.allocated <= 8 && place.vr == dicom_core::VR::OW {
            // PS3.5 8.2: bytes in words of 16 bits, which a frame may begin or end in the middle of.
            let (even, end) = (from & !1, to.next_multiple_of(2).min(length));
            let mut words = file.bytes.vec(place.offset + even, end.saturating_sub(even))?;
            words.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
            words.drain(..((from - even) as usize).min(words.len()));
            words.truncate(need);
            words
        } else {
            file.bytes.vec(place.offset + from, to.min(length).saturating_sub(from))?
        };
        let there = data.len();
        if there < need {
            notes.push(format!("the pixel data is cut off: {} of {need} bytes are missing and filled", need - there));
            data.resize(need, 0);
        }
        let pixels = m.pixels();
        if m.allocated == 1 {
            let shift = (first_bit % 8) as usize;
            let bits = (0..pixels * m.samples).map(|i| data[(i + shift) / 8] >> ((i + shift) % 8) & 1).collect();
            return Ok(RawFrame { samples: Raw::U8(bits), photometric: m.photometric, notes });
        }
        let subsampled = matches!(m.photometric, Photometric::YbrFull422 | Photometric::YbrPartial) && m.samples == 3;
        if subsampled {
            if m.allocated != 8 {
                return Err(Fault::ImageModule("chroma is halved, yet samples are not of 8 bits".into()));
            }
            data = colour::expand_422(&data, pixels);
        }
        let mut samples = self.typed(data);
        if there < need && !subsampled {
            self.fill(file, &mut samples, there / (m.allocated as usize / 8));
        }
        if m.planar && m.samples == 3 && !subsampled {
            samples = interleave(samples, pixels);
        }
        Ok(self.finish(samples, false, notes))
    }

    /// Fills what the file did not hold with the padding value, else with the least value that is there.
    fn fill(&self, file: &DicomFile, samples: &mut Raw, there: usize) {
        let padding = file.object().number(dicom_core::Tag(0x0028, 0x0120));
        macro_rules! fill {
            ($v:expr, $t:ty, $least:expr) => {{
                let at = there.min($v.len());
                let value = match padding {
                    Some(p) => p as $t,
                    None => $least(&$v[..at]),
                };
                $v[at..].fill(value);
            }};
        }
        match samples {
            Raw::U8(v) => fill!(v, u8, |s: &[u8]| s.iter().copied().min().unwrap_or(0)),
            Raw::I8(v) => fill!(v, i8, |s: &[i8]| s.iter().copied().min().unwrap_or(0)),
            Raw::U16(v) => fill!(v, u16, |s: &[u16]| s.iter().copied().min().unwrap_or(0)),
            Raw::I16(v) => fill!(v, i16, |s: &[i16]| s.iter().copied().min().unwrap_or(0)),
            Raw::U32(v) => fill!(v, u32, |s: &[u32]| s.iter().copied().min().unwrap_or(0)),
            Raw::I32(v) => fill!(v, i32, |s: &[i32]| s.iter().copied().min().unwrap_or(0)),
            Raw::F32(v) => fill!(v, f32, |s: &[f32]| s.iter().copied().reduce(f32::min).unwrap_or(0.0)),
            Raw::F64(v) => fill!(v, f64, |s: &[f64]| s.iter().copied().reduce(f64::min).unwrap_or(0.0)),
        }
    }

    /// Bytes of whole samples as numbers, bits beyond Bits Stored removed and the sign extended.
    fn typed(&self, data: Vec<u8>) -> Raw {
        let m = &self.module;
        let big = m.big_endian && self.fragments.is_none();
        macro_rules! words {
            ($t:ty) => {{
                const N: usize = std::mem::size_of::<$t>();
                data.chunks_exact(N)
                    .map(|c| {
                        let mut a = [0; N];
                        a.copy_from_slice(c);
                        if big { <$t>::from_be_bytes(a) } else { <$t>::from_le_bytes(a) }
                    })
                    .collect::<Vec<$t>>()
            }};
        }
        match (m.kind, m.allocated) {
            (SampleKind::F32, _) => Raw::F32(words!(f32)),
            (SampleKind::F64, _) => Raw::F64(words!(f64)),
            (_, 8) => self.signed(Pattern::U8(data)),
            (_, 16) => self.signed(Pattern::U16(words!(u16))),
            (_, 32) => self.signed(Pattern::U32(words!(u32))),
            // 64-bit integers are kept where a double holds them.
            _ if m.signed => Raw::F64(words!(i64).into_iter().map(|v| v as f64).collect()),
            _ => Raw::F64(words!(u64).into_iter().map(|v| v as f64).collect()),
        }
    }

    /// From bit patterns to numbers: the bits from High Bit down, sign-extended where Pixel Representation is 1.
    fn signed(&self, pattern: Pattern) -> Raw {
        let m = &self.module;
        let low = m.high_bit + 1 - m.stored;
        macro_rules! go {
            ($v:expr, $u:ty, $i:ty, $signed:ident, $unsigned:ident) => {{
                let width = <$u>::BITS;
                let stored = m.stored.min(width);
                if m.signed {
                    // Shift up so that the sign bit is at the top, then back down with the sign.
                    let up = width.saturating_sub(low + stored);
                    let down = width - stored;
                    Raw::$signed($v.into_iter().map(|x| ((x << up) as $i) >> down).collect())
                } else if stored == width && low == 0 {
                    Raw::$unsigned($v)
                } else {
                    let mask = <$u>::MAX >> (width - stored);
                    Raw::$unsigned($v.into_iter().map(|x| (x >> low.min(width - 1)) & mask).collect())
                }
            }};
        }
        match pattern {
            Pattern::U8(v) => go!(v, u8, i8, I8, U8),
            Pattern::U16(v) => go!(v, u16, i16, I16, U16),
            Pattern::U32(v) => go!(v, u32, i32, I32, U32),
        }
    }

    fn compressed(&self, data: &[u8], frame: usize) -> Result<RawFrame, Fault> {
        let m = &self.module;
        let fault = |codec: &'static str| move |reason: String| Fault::Codec { codec, frame, reason };
        marker::check_ratio(data, m).map_err(fault("compressed"))?;
        // The stream itself says best what it is.
        let seen = marker::packing(data).unwrap_or(m.packing);
        let mut notes = Vec::new();
        let known = |p: Packing| matches!(p, Packing::Jpeg | Packing::JpegLs | Packing::Jpeg2000 | Packing::JpegXl);
        let packing = if known(m.packing) && seen != m.packing {
            notes.push("the frame is compressed in another way than the transfer syntax says".into());
            seen
        } else if m.packing == Packing::EncapsulatedNative {
            seen
        } else {
            m.packing
        };
        let coded = match packing {
            Packing::Rle => {
                let bytes = (m.allocated as usize).div_ceil(8);
                let (out, note) = rle::decode(data, m.pixels(), m.samples, bytes).map_err(fault("RLE"))?;
                notes.extend(note);
                if m.allocated == 1 {
                    return self.one_bit(&out, m.pixels() * m.samples, frame, notes);
                }
                let samples = self.typed(out);
                return Ok(self.finish(samples, false, notes));
            }
            Packing::EncapsulatedNative | Packing::Native => {
                return self.plain(data, frame, notes, "encapsulated");
            }
            Packing::DeflatedFrames => {
                // A frame never needs more than its own size.
                let most = m.native_bits().div_ceil(8) + 64 * 1024;
                let (out, whole) = inflate(data, most).map_err(|f| fault("deflated")(f.to_string()))?;
                if !whole {
                    notes.push("the deflated frame is cut off".into());
                }
                return self.plain(&out, frame, notes, "deflated");
            }
            Packing::Jpeg => jpeg::decode(data, m).map_err(fault("JPEG"))?,
            Packing::JpegLs => jpeg_ls::decode(data, m).map_err(fault("JPEG-LS"))?,
            Packing::Jpeg2000 => jpeg2000::decode(data, m).map_err(fault("JPEG 2000"))?,
            Packing::JpegXl => jpeg_xl::decode(data, m).map_err(fault("JPEG XL"))?,
            Packing::Other => return Err(fault("compressed")("the compression is not known".into())),
        };
        if coded.components != m.samples {
            return Err(fault("compressed")(format!(
                "it has {} samples per pixel, the header says {}",
                coded.components, m.samples
            )));
        }
        notes.extend(coded.note);
        if m.allocated == 1 {
            let ones = |v: Vec<u8>| v.into_iter().map(|x| u8::from(x != 0)).collect();
            let bits = match coded.pattern {
                Pattern::U8(v) => ones(v),
                Pattern::U16(v) => v.into_iter().map(|x| u8::from(x != 0)).collect(),
                Pattern::U32(v) => v.into_iter().map(|x| u8::from(x != 0)).collect(),
            };
            return Ok(RawFrame { samples: Raw::U8(bits), photometric: m.photometric, notes });
        }
        if matches!(coded.pattern, Pattern::U8(_)) && m.stored > 8 {
            notes.push(format!("the compressed samples have at most 8 bits, the header says {}", m.stored));
        }
        let pattern = match (coded.pattern, m.allocated) {
            (Pattern::U8(v), 16) => Pattern::U16(v.into_iter().map(u16::from).collect()),
            (Pattern::U8(v), 32) => Pattern::U32(v.into_iter().map(u32::from).collect()),
            (Pattern::U16(v), 32) => Pattern::U32(v.into_iter().map(u32::from).collect()),
            (Pattern::U16(v), 8) => Pattern::U8(v.into_iter().map(|x| x as u8).collect()),
            (Pattern::U32(v), 16) => Pattern::U16(v.into_iter().map(|x| x as u16).collect()),
            (Pattern::U32(v), 8) => Pattern::U8(v.into_iter().map(|x| x as u8).collect()),
            (p, _) => p,
        };
        let samples = self.aligned(pattern);
        Ok(self.finish(samples, coded.is_rgb, notes))
    }

    /// Codecs give numbers that begin at bit 0, wherever the High Bit is said to be.
    fn aligned(&self, pattern: Pattern) -> Raw {
        if self.module.high_bit + 1 == self.module.stored {
            return self.signed(pattern);
        }
        let mut here = self.module.clone();
        here.high_bit = here.stored - 1;
        Self { module: here, fragments: None, frames: 0, notes: Vec::new(), pixel_notes: Vec::new() }.signed(pattern)
    }

    /// Uncompressed bytes of one frame.
    fn plain(&self, data: &[u8], frame: usize, mut notes: Vec<String>, codec: &'static str) -> Result<RawFrame, Fault> {
        let m = &self.module;
        if m.allocated == 1 {
            return self.one_bit(data, m.pixels() * m.samples, frame, notes);
        }
        let need = m.native_bits().div_ceil(8) as usize;
        if data.len() * 8 < need {
            let reason = format!("it holds {} of {need} bytes", data.len());
            return Err(Fault::Codec { codec, frame, reason });
        }
        let mut data = data[..data.len().min(need)].to_vec();
        if data.len() < need {
            notes.push(format!("{} of {need} bytes are missing and filled", need - data.len()));
            data.resize(need, 0);
        }
        if matches!(m.photometric, Photometric::YbrFull422 | Photometric::YbrPartial) && m.samples == 3 {
            data = colour::expand_422(&data, m.pixels());
        }
        let mut samples = self.typed(data);
        if m.planar && m.samples == 3 {
            samples = interleave(samples, m.pixels());
        }
        Ok(self.finish(samples, false, notes))
    }

    /// One bit a pixel, packed from the frame's first byte (compressed frames stand alone).
    fn one_bit(&self, data: &[u8], pixels: usize, frame: usize, notes: Vec<String>) -> Result<RawFrame, Fault> {
        if data.len() < pixels.div_ceil(8) {
            let reason = format!("it holds {} of {} bytes", data.len(), pixels.div_ceil(8));
            return Err(Fault::Codec { codec: "compressed", frame, reason });
        }
        let bits = (0..pixels).map(|i| data[i / 8] >> (i % 8) & 1).collect();
        Ok(RawFrame { samples: Raw::U8(bits), photometric: self.module.photometric, notes })
    }

    /// Colour to RGB.
    fn finish(&self, samples: Raw, is_rgb: bool, notes: Vec<String>) -> RawFrame {
        let m = &self.module;
        if m.samples != 3 {
            return RawFrame { samples, photometric: m.photometric, notes };
        }
        let ybr = match m.photometric {
            Photometric::YbrFull | Photometric::YbrFull422 => !is_rgb,
            Photometric::YbrPartial => !is_rgb,
            _ => false,
        };
        let samples = match samples {
            Raw::U8(v) if ybr && m.photometric == Photometric::YbrPartial => Raw::U8(colour::partial_to_rgb(v)),
            Raw::U8(v) if ybr => Raw::U8(colour::full_to_rgb(v)),
            Raw::U16(v) if ybr => Raw::U16(colour::full_to_rgb_16(v, m.stored)),
            other => other,
        };
        RawFrame { samples, photometric: Photometric::Rgb, notes }
    }
}

/// Colour by plane to colour by pixel.
fn interleave(samples: Raw, pixels: usize) -> Raw {
    fn go<T: Copy>(v: &[T], pixels: usize) -> Vec<T> {
        let (r, rest) = v.split_at(pixels.min(v.len()));
        let (g, b) = rest.split_at(pixels.min(rest.len()));
        r.iter().zip(g).zip(b).flat_map(|((r, g), b)| [*r, *g, *b]).collect()
    }
    match samples {
        Raw::U8(v) => Raw::U8(go(&v, pixels)),
        Raw::I8(v) => Raw::I8(go(&v, pixels)),
        Raw::U16(v) => Raw::U16(go(&v, pixels)),
        Raw::I16(v) => Raw::I16(go(&v, pixels)),
        Raw::U32(v) => Raw::U32(go(&v, pixels)),
        Raw::I32(v) => Raw::I32(go(&v, pixels)),
        Raw::F32(v) => Raw::F32(go(&v, pixels)),
        Raw::F64(v) => Raw::F64(go(&v, pixels)),
    }
}
