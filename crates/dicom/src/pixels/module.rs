//! What the header says about the pixels (PS3.3 C.7.6.3), checked against what is there.

use dicom_core::Tag;
use dicom_object::InMemDicomObject;

use crate::attr::Attributes;
use crate::error::Fault;
use crate::file::DicomFile;
use crate::parse::{DOUBLE_PIXEL_DATA, FLOAT_PIXEL_DATA, PixelPlace};
use crate::syntax::{self, Packing};

/// Photometric Interpretation (0028,0004).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Photometric {
    Monochrome1,
    Monochrome2,
    Palette,
    Rgb,
    YbrFull,
    YbrFull422,
    /// MPEG's and the old partial-range forms.
    YbrPartial,
    /// Colour transforms of JPEG 2000, undone by the codec.
    YbrIct,
    YbrRct,
}

impl Photometric {
    fn from_text(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_uppercase().as_str() {
            "MONOCHROME1" => Self::Monochrome1,
            "MONOCHROME2" => Self::Monochrome2,
            "PALETTE COLOR" => Self::Palette,
            "RGB" => Self::Rgb,
            "YBR_FULL" => Self::YbrFull,
            "YBR_FULL_422" => Self::YbrFull422,
            "YBR_PARTIAL_422" | "YBR_PARTIAL_420" => Self::YbrPartial,
            "YBR_ICT" => Self::YbrIct,
            "YBR_RCT" => Self::YbrRct,
            _ => return None,
        })
    }
}

/// Kind of a stored sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SampleKind {
    Integer,
    F32,
    F64,
}

/// The image module of one file.
#[derive(Debug, Clone)]
pub(crate) struct ImageModule {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// 1 or 3.
    pub(crate) samples: usize,
    pub(crate) allocated: u32,
    pub(crate) stored: u32,
    pub(crate) high_bit: u32,
    pub(crate) signed: bool,
    pub(crate) kind: SampleKind,
    pub(crate) photometric: Photometric,
    /// Colour by plane.
    pub(crate) planar: bool,
    /// Number of Frames as told, at least 1.
    pub(crate) frames_told: usize,
    pub(crate) packing: Packing,
    pub(crate) big_endian: bool,
    pub(crate) place: PixelPlace,
    pub(crate) notes: Vec<String>,
}

impl ImageModule {
    /// Reads and checks the image module of a file.
    pub(crate) fn read(file: &DicomFile) -> Result<Self, Fault> {
        let o = file.object();
        let Some(place) = file.data.pixels else {
            return Err(if file.data.cut {
                Fault::CutOff("it ends before its pixels".into())
            } else {
                Fault::NoImage(class_name(&file.sop_class_uid()))
            });
        };
        let mut notes = Vec::new();
        let dimension = |tag: Tag, what: &str| match o.int(tag) {
            Some(v) if (1..=65_535).contains(&v) => Ok(v as usize),
            Some(v) => Err(Fault::ImageModule(format!("{v} {what}"))),
            None => Err(Fault::ImageModule(format!("the number of {what} is missing"))),
        };
        let rows = dimension(Tag(0x0028, 0x0010), "rows")?;
        let columns = dimension(Tag(0x0028, 0x0011), "columns")?;
        let kind = match place.tag {
            FLOAT_PIXEL_DATA => SampleKind::F32,
            DOUBLE_PIXEL_DATA => SampleKind::F64,
            _ => SampleKind::Integer,
        };
        let told = o.text(Tag(0x0028, 0x0004));
        let samples = match o.int(Tag(0x0028, 0x0002)) {
            Some(n @ (1 | 3)) => n as usize,
            None => {
                notes.push("the number of samples per pixel is missing".into());
                if told.starts_with("RGB") || told.starts_with("YBR") { 3 } else { 1 }
            }
            Some(n) => return Err(Fault::ImageModule(format!("{n} samples per pixel"))),
        };
        let photometric = match Photometric::from_text(&told) {
            Some(Photometric::Rgb | Photometric::YbrFull | Photometric::YbrFull422) if samples == 1 => {
                notes.push("a colour image with one sample per pixel is shown in grey".into());
                Photometric::Monochrome2
            }
            Some(Photometric::Monochrome1 | Photometric::Monochrome2 | Photometric::Palette) if samples == 3 => {
                notes.push("a grey image with three samples per pixel is shown as RGB".into());
                Photometric::Rgb
            }
            Some(p) => p,
            None => {
                notes.push("the photometric interpretation is missing or unknown".into());
                if samples == 3 { Photometric::Rgb } else { Photometric::Monochrome2 }
            }
        };
        let allocated = match (kind, o.int(Tag(0x0028, 0x0100))) {
            (SampleKind::F32, _) => 32,
            (SampleKind::F64, _) => 64,
            (_, Some(bits @ (1 | 8 | 16 | 32 | 64))) => bits as u32,
            (_, Some(bits)) => return Err(Fault::ImageModule(format!("{bits} bits allocated"))),
            (_, None) => return Err(Fault::ImageModule("the number of bits allocated is missing".into())),
        };
        let (stored, high_bit) = bits(o, kind, allocated, &mut notes);
        let signed = match o.int(Tag(0x0028, 0x0103)) {
            Some(1) => true,
            Some(0) => false,
            _ if kind != SampleKind::Integer => false,
            other => {
                notes.push(match other {
                    Some(v) => format!("the pixel representation {v} does not exist; the values are read as unsigned"),
                    None => "the pixel representation is missing; the values are read as unsigned".into(),
                });
                false
            }
        };
        let frames_told = match (o.get(Tag(0x0028, 0x0008)).is_some(), o.int(Tag(0x0028, 0x0008))) {
            (false, _) => 1,
            (_, Some(n)) if n >= 1 => usize::try_from(n).unwrap_or(usize::MAX),
            _ => {
                notes.push("the number of frames is not a number of frames; one is taken".into());
                1
            }
        };
        let packing = packing(file, place);
        if place.length.is_none() && syntax::packing(&file.syntax) == Packing::Native {
            notes.push("the pixel data is in pieces, which its transfer syntax does not have".into());
        }
        Ok(Self {
            rows,
            columns,
            samples,
            allocated,
            stored,
            high_bit,
            signed,
            kind,
            photometric,
            planar: samples == 3 && o.int(Tag(0x0028, 0x0006)) == Some(1),
            frames_told,
            packing,
            big_endian: file.data.encoding.big_endian || file.syntax == "1.2.840.113619.5.2",
            place,
            notes,
        })
    }

    pub(crate) fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// Bits of one frame when it is not compressed.
    pub(crate) fn native_bits(&self) -> u64 {
        let samples = match self.photometric {
            // Cb and Cr are shared by two pixels (PS3.3 C.7.6.3.1.2).
            Photometric::YbrFull422 | Photometric::YbrPartial if self.samples == 3 => 2,
            _ => self.samples as u64,
        };
        self.pixels() as u64 * samples * u64::from(self.allocated)
    }

    /// Frames of native data of `length` bytes: whole ones, and one more where at least an eighth of it is there.
    pub(crate) fn native_frames(&self, length: u64) -> usize {
        let (bits, have) = (self.native_bits(), length.saturating_mul(8));
        let whole = have / bits;
        let rest = have % bits;
        let partly = u64::from(whole < self.frames_told as u64 && rest > 0 && rest.saturating_mul(8) >= bits);
        usize::try_from((whole + partly).min(self.frames_told as u64)).unwrap_or(usize::MAX)
    }
}

/// Bits Stored and High Bit that make sense together.
fn bits(o: &InMemDicomObject, kind: SampleKind, allocated: u32, notes: &mut Vec<String>) -> (u32, u32) {
    if kind != SampleKind::Integer {
        return (allocated, allocated - 1);
    }
    let stored = match o.int(Tag(0x0028, 0x0101)) {
        Some(n) if (1..=i64::from(allocated)).contains(&n) => n as u32,
        Some(n) => {
            notes.push(format!("{n} bits stored in {allocated}; all {allocated} are taken"));
            allocated
        }
        None => {
            notes.push("the number of bits stored is missing".into());
            allocated
        }
    };
    // dicom-pixeldata 0.10 refuses an image without High Bit (`attribute.rs`).
    let high_bit = match o.int(Tag(0x0028, 0x0102)) {
        Some(n) if n >= i64::from(stored) - 1 && n < i64::from(allocated) => n as u32,
        Some(n) => {
            notes.push(format!("the high bit {n} does not suit {stored} bits stored; {} is taken", stored - 1));
            stored - 1
        }
        None => {
            notes.push("the high bit is missing".into());
            stored - 1
        }
    };
    (stored, high_bit)
}

/// How the pixels are really packed.
fn packing(file: &DicomFile, place: PixelPlace) -> Packing {
    let told = syntax::packing(&file.syntax);
    match (told, place.length) {
        (Packing::Native, None) => Packing::EncapsulatedNative,
        (Packing::Other, None) if file.syntax.is_empty() => Packing::EncapsulatedNative,
        (told, _) => told,
    }
}

/// What a SOP class is called, for a sentence.
pub(crate) fn class_name(uid: &str) -> String {
    use dicom_core::dictionary::UidDictionary;
    if uid.is_empty() {
        return "its kind is not told".into();
    }
    match dicom_dictionary_std::sop_class::StandardSopClassDictionary.by_uid(uid) {
        Some(entry) => entry.name.trim_end_matches(" Storage").to_string(),
        None => "an object of a private or unknown kind".into(),
    }
}
