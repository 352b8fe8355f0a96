//! Files that are not DICOM: recognised by their first bytes.

use lightbox_core::{Frame, Rescale, Samples};

use crate::archive;
use crate::bytes::Bytes;
use crate::error::Fault;
use crate::grid::{self, Grid};

/// An opened file of another format.
#[derive(Debug)]
pub(crate) enum Foreign {
    /// PNG or JPEG.
    Picture(Box<Frame>),
    /// NIfTI, NRRD or MetaImage.
    Grid(Box<Grid>),
}

impl Foreign {
    pub(crate) fn resident(&self) -> usize {
        match self {
            Self::Picture(f) => f.samples().bytes(),
            Self::Grid(g) => g.resident(),
        }
    }
}

/// Largest picture: 512 Mpixel of decoded bytes.
const LARGEST_PICTURE: u64 = 1 << 29;

/// Opens a file of a format other than DICOM; `None` when it looks like none of them.
pub(crate) fn open(bytes: &Bytes) -> Result<Option<Foreign>, Fault> {
    let mut head = [0; 352];
    let n = bytes.read_at(0, &mut head)?;
    let head = &head[..n];
    // A preamble may hold the signature of another format (PS3.10 7.1, TIFF); the mark at 128 decides.
    if head.get(128..132) == Some(b"DICM") {
        return Ok(None);
    }
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        return picture(bytes, image::ImageFormat::Png).map(Some);
    }
    if head.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return picture(bytes, image::ImageFormat::Jpeg).map(Some);
    }
    if archive::is_archive(bytes)? {
        return Err(Fault::Archive("an archive inside an archive is not opened".into()));
    }
    Ok(grid::open(bytes, head)?.map(|g| Foreign::Grid(Box::new(g))))
}

/// What is wrong with a picture, without the words of the decoder, which quote the file.
fn broken(error: image::ImageError) -> Fault {
    let reason = match error {
        image::ImageError::Limits(_) => "it is larger than 65535 pixels a side or 512 MiB",
        image::ImageError::Unsupported(_) => "it uses a form that is not read",
        _ => "it is damaged or cut off",
    };
    Fault::Codec { codec: "picture", frame: 0, reason: reason.into() }
}

fn picture(bytes: &Bytes, format: image::ImageFormat) -> Result<Foreign, Fault> {
    let all = bytes.all()?;
    let mut reader = image::ImageReader::with_format(std::io::Cursor::new(all.as_slice()), format);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(LARGEST_PICTURE);
    limits.max_image_width = Some(65_535);
    limits.max_image_height = Some(65_535);
    reader.limits(limits);
    let picture = reader.decode().map_err(broken)?;
    let (columns, rows) = (picture.width() as usize, picture.height() as usize);
    let samples = match picture {
        image::DynamicImage::ImageLuma8(i) => Samples::U8(i.into_raw()),
        image::DynamicImage::ImageLuma16(i) => Samples::U16(i.into_raw()),
        image::DynamicImage::ImageLumaA8(i) => Samples::U8(i.into_raw().chunks_exact(2).map(|p| p[0]).collect()),
        other => grey_if_grey(other.into_rgb8().into_raw()),
    };
    Frame::new(columns, rows, samples, Rescale::default())
        .map(|f| Foreign::Picture(Box::new(f)))
        .map_err(|e| Fault::ImageModule(e.to_string()))
}

/// A colour picture without colour is a grey one.
fn grey_if_grey(rgb: Vec<u8>) -> Samples {
    if rgb.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]) {
        Samples::U8(rgb.chunks_exact(3).map(|p| p[0]).collect())
    } else {
        Samples::Rgb8(rgb)
    }
}

/// What a scan keeps of a file of another format.
#[derive(Debug, Clone)]
pub(crate) struct Peek {
    pub(crate) format: &'static str,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) slices: usize,
    pub(crate) volumes: usize,
    pub(crate) affine: Option<glam::DAffine3>,
    pub(crate) description: String,
    pub(crate) notes: Vec<String>,
}

/// Looks at the header only of a file that is not DICOM; `None` when it looks like DICOM.
pub(crate) fn peek(bytes: &Bytes) -> Result<Option<Peek>, Fault> {
    let mut head = [0; 16];
    let n = bytes.read_at(0, &mut head)?;
    let format = match &head[..n] {
        h if h.starts_with(b"\x89PNG\r\n\x1a\n") => Some(("PNG", image::ImageFormat::Png)),
        [0xFF, 0xD8, 0xFF, ..] => Some(("JPEG", image::ImageFormat::Jpeg)),
        _ => None,
    };
    if let Some((name, format)) = format {
        let all = bytes.all()?;
        let (columns, rows) = image::ImageReader::with_format(std::io::Cursor::new(all.as_slice()), format)
            .into_dimensions()
            .map_err(broken)?;
        return Ok(Some(Peek {
            format: name,
            columns: columns as usize,
            rows: rows as usize,
            slices: 1,
            volumes: 1,
            affine: None,
            description: String::new(),
            notes: Vec::new(),
        }));
    }
    Ok(match open(bytes)? {
        Some(Foreign::Grid(g)) => Some(Peek {
            format: g.format,
            columns: g.columns,
            rows: g.rows,
            slices: g.slices,
            volumes: g.volumes,
            affine: g.affine,
            description: g.description,
            notes: g.notes,
        }),
        Some(Foreign::Picture(_)) | None => None,
    })
}
