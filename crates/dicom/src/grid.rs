//! Volumes in NIfTI, NRRD and MetaImage files, opened as a lattice of samples with an affine.

use glam::DAffine3;
use lightbox_core::{Frame, Rescale, Samples};

use crate::bytes::Bytes;
use crate::error::Fault;
use crate::{metaimage, nifti, nrrd};

/// Kind of a sample in such a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Rgb8,
}

impl Kind {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::Rgb8 => 3,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// Slices of a file that are worth a list.
const MOST_SLICES: usize = 1 << 18;

/// A lattice: frames of `columns` × `rows`, `slices` of them a volume, `volumes` of those.
#[derive(Debug)]
pub(crate) struct Grid {
    /// `NIfTI`, `NRRD` or `MetaImage`.
    pub(crate) format: &'static str,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) slices: usize,
    pub(crate) volumes: usize,
    pub(crate) kind: Kind,
    pub(crate) big_endian: bool,
    pub(crate) rescale: Rescale,
    /// LPS millimetres from (column, row, slice); `None` where the file does not tell.
    pub(crate) affine: Option<DAffine3>,
    pub(crate) description: String,
    pub(crate) notes: Vec<String>,
    /// The samples, uncompressed.
    pub(crate) data: Bytes,
    /// First byte of the samples in `data`.
    pub(crate) offset: u64,
}

impl Grid {
    pub(crate) fn resident(&self) -> usize {
        self.data.resident()
    }

    pub(crate) fn frames(&self) -> usize {
        self.slices * self.volumes
    }

    /// Checks the dimensions against the data that is there.
    pub(crate) fn checked(mut self) -> Result<Self, Fault> {
        let sizes = [self.columns, self.rows, self.slices, self.volumes];
        let voxels = sizes.iter().try_fold(1_u64, |a, &n| a.checked_mul(n as u64)).filter(|&n| n > 0);
        let Some(voxels) = voxels else {
            return Err(Fault::ImageModule(format!("{} x {} x {} voxels", self.columns, self.rows, self.slices)));
        };
        let need = voxels.saturating_mul(self.kind.bytes() as u64);
        let have = self.data.len().saturating_sub(self.offset);
        if have < need {
            // What the file tells may be any number.
            let frame =
                [self.rows, self.kind.bytes()].iter().fold(self.columns as u64, |a, n| a.saturating_mul(*n as u64));
            if frame == 0 || have < frame {
                return Err(Fault::CutOff(format!("its voxels need {need} bytes, {have} are there")));
            }
            let whole = (have / frame) as usize;
            self.notes.push(format!("{} slices are told, {whole} are there", self.frames()));
            if whole >= self.slices {
                self.volumes = whole / self.slices;
            } else {
                self.slices = whole;
                self.volumes = 1;
            }
        }
        // A slice costs more in a list than a pixel does in a file.
        if self.frames() > MOST_SLICES {
            return Err(Fault::ImageModule(format!("{} slices; {MOST_SLICES} at most are shown", self.frames())));
        }
        Ok(self)
    }

    /// One slice.
    pub(crate) fn frame(&self, frame: usize) -> Result<Frame, Fault> {
        if frame >= self.frames() {
            return Err(Fault::NoFrame { frame, frames: self.frames() });
        }
        let length = (self.columns * self.rows * self.kind.bytes()) as u64;
        let data = self.data.vec(self.offset + length * frame as u64, length)?;
        macro_rules! words {
            ($t:ty) => {{
                const N: usize = std::mem::size_of::<$t>();
                data.chunks_exact(N).map(|c| {
                    let mut a = [0; N];
                    a.copy_from_slice(c);
                    if self.big_endian { <$t>::from_be_bytes(a) } else { <$t>::from_le_bytes(a) }
                })
            }};
        }
        let samples = match self.kind {
            Kind::U8 => Samples::U8(data),
            Kind::Rgb8 => Samples::Rgb8(data),
            Kind::I8 => Samples::I16(data.into_iter().map(|b| i16::from(b as i8)).collect()),
            Kind::U16 => Samples::U16(words!(u16).collect()),
            Kind::I16 => Samples::I16(words!(i16).collect()),
            Kind::U32 => Samples::U32(words!(u32).collect()),
            Kind::I32 => Samples::I32(words!(i32).collect()),
            Kind::F32 => Samples::F32(words!(f32).collect()),
            Kind::F64 => Samples::F32(words!(f64).map(|v| v as f32).collect()),
            Kind::U64 => Samples::F32(words!(u64).map(|v| v as f32).collect()),
            Kind::I64 => Samples::F32(words!(i64).map(|v| v as f32).collect()),
        };
        Frame::new(self.columns, self.rows, samples, self.rescale).map_err(|e| Fault::CutOff(e.to_string()))
    }
}

/// Opens a lattice file; `None` when it looks like none.
pub(crate) fn open(bytes: &Bytes, head: &[u8]) -> Result<Option<Grid>, Fault> {
    let gzip = head.starts_with(&[0x1F, 0x8B]);
    if gzip {
        let unpacked = gunzip(bytes)?;
        let mut inner = [0; 352];
        let n = unpacked.read_at(0, &mut inner)?;
        return match nifti::is_nifti(&inner[..n]) {
            true => nifti::read(&unpacked).map(Some),
            false => Err(Fault::UnknownFormat),
        };
    }
    if nifti::is_nifti(head) {
        return nifti::read(bytes).map(Some);
    }
    if head.starts_with(b"NRRD000") {
        return nrrd::read(bytes).map(Some);
    }
    if metaimage::is_metaimage(head) {
        return metaimage::read(bytes).map(Some);
    }
    Ok(None)
}

/// A gzip stream, inflated to at most 64 MiB and 200 times its size.
pub(crate) fn gunzip(bytes: &Bytes) -> Result<Bytes, Fault> {
    let packed = bytes.all()?;
    inflate_with(flate2::read::MultiGzDecoder::new(packed.as_slice()), packed.len())
}

/// Inflates with a bound relative to what is packed.
pub(crate) fn inflate_with(mut from: impl std::io::Read, packed: usize) -> Result<Bytes, Fault> {
    let most = (64_u64 << 20).saturating_add(200 * packed as u64).min(8 << 30);
    let mut out = Vec::new();
    let mut block = vec![0; 64 * 1024];
    loop {
        match from.read(&mut block) {
            Ok(0) => return Ok(Bytes::memory(out)),
            Ok(n) => {
                if out.len() as u64 + n as u64 > most {
                    return Err(Fault::TooLarge(format!(
                        "the compressed data unpacks to more than {} MiB and is refused",
                        most >> 20
                    )));
                }
                out.extend_from_slice(&block[..n]);
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            // What was whole before the break is kept; the dimensions are checked against it.
            Err(_) if !out.is_empty() => return Ok(Bytes::memory(out)),
            Err(e) => return Err(Fault::CutOff(e.to_string().to_lowercase())),
        }
    }
}
