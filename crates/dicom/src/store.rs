//! Opened files, kept within a bound, so that frame after frame of one file does not read it again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::archive::Archive;
use crate::bytes::Bytes;
use crate::decode::{self, Decoded, FrameSelection, StoredPixels};
use crate::error::{Error, Fault};
use crate::file::DicomFile;
use crate::foreign::{self, Foreign};
use crate::index::{FrameRef, Source};
use crate::parse::Limits;
use crate::pixels::PixelSource;

/// A file that is open: its header is read, its frames are found.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Dicom { file: Box<DicomFile>, pixels: Box<OnceLock<Result<PixelSource, Fault>>> },
    Foreign(Foreign),
}

impl OpenFile {
    pub(crate) fn read(bytes: Bytes) -> Result<Self, Fault> {
        if let Some(foreign) = foreign::open(&bytes)? {
            return Ok(Self { content: Content::Foreign(foreign) });
        }
        let file = Box::new(DicomFile::read(bytes, Limits::IMAGE)?);
        Ok(Self { content: Content::Dicom { file, pixels: Box::default() } })
    }

    fn resident(&self) -> usize {
        match &self.content {
            // A header costs a few times its bytes; 64 KiB is a usual one.
            Content::Dicom { file, .. } => file.bytes.resident() + 64 * 1024,
            Content::Foreign(f) => f.resident(),
        }
    }
}

/// The pixels of a DICOM file, found once.
pub(crate) fn pixels<'a>(
    file: &DicomFile,
    cell: &'a OnceLock<Result<PixelSource, Fault>>,
) -> Result<&'a PixelSource, Fault> {
    cell.get_or_init(|| PixelSource::open(file)).as_ref().map_err(Clone::clone)
}

struct Entry {
    source: Source,
    file: Arc<OpenFile>,
    bytes: usize,
    used: u64,
}

#[derive(Default)]
struct Kept {
    entries: Vec<Entry>,
    archives: Vec<(Arc<PathBuf>, Arc<Archive>)>,
    clock: u64,
}

/// Opens files and keeps the last ones open, up to a number of bytes. Shared between threads.
pub struct Opener {
    budget_bytes: usize,
    kept: Mutex<Kept>,
}

/// How many files and archives are open at most, whatever they cost in memory: each holds a descriptor.
const MOST_FILES: usize = 64;

impl Default for Opener {
    fn default() -> Self {
        Self::new(256 << 20)
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("budget_bytes", &self.budget_bytes).finish_non_exhaustive()
    }
}

impl Opener {
    /// Keeps at most `budget_bytes` of inflated archive members and headers (files themselves are read by position and
    /// cost nothing).
    #[must_use]
    pub fn new(budget_bytes: usize) -> Self {
        Self { budget_bytes, kept: Mutex::new(Kept::default()) }
    }

    /// Decodes one frame for display and computation; the modality LUT is applied, rescale is kept beside the samples.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read or the frame cannot be decoded.
    pub fn decode(&self, frame: &FrameRef) -> Result<Decoded, Error> {
        let file = self.open(&frame.source)?;
        decode::open_picture(&file, frame.frame).map_err(|f| f.at(&frame.source))
    }

    /// The samples as stored (PS3.5 section 8), YBR converted to RGB, palette indices not looked up.
    ///
    /// # Errors
    /// As [`Opener::decode`].
    pub fn stored(&self, source: &Source, frames: FrameSelection) -> Result<StoredPixels, Error> {
        let file = self.open(source)?;
        decode::open_stored(&file, frames).map_err(|f| f.at(source))
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }

    pub(crate) fn open(&self, source: &Source) -> Result<Arc<OpenFile>, Error> {
        if let Some(file) = self.kept_file(source) {
            return Ok(file);
        }
        let read = || -> Result<OpenFile, Fault> {
            let bytes = self.bytes(source)?;
            OpenFile::read(bytes)
        };
        let file = Arc::new(read().map_err(|f| f.at(source))?);
        self.keep(source, &file);
        Ok(file)
    }

    /// The bytes of a file or a member of an archive.
    pub(crate) fn bytes(&self, source: &Source) -> Result<Bytes, Fault> {
        match source {
            Source::File(path) => Bytes::open(path),
            Source::Zip { archive, index, .. } => self.archive(archive)?.member(*index),
        }
    }

    fn archive(&self, path: &Arc<PathBuf>) -> Result<Arc<Archive>, Fault> {
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, archive)) = kept.archives.iter().find(|(p, _)| p == path) {
                return Ok(Arc::clone(archive));
            }
        }
        let archive = Arc::new(Archive::open(Bytes::open(path)?)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.archives.len() >= 16 {
            kept.archives.remove(0);
        }
        kept.archives.push((Arc::clone(path), Arc::clone(&archive)));
        Ok(archive)
    }

    fn kept_file(&self, source: &Source) -> Option<Arc<OpenFile>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        let entry = kept.entries.iter_mut().find(|e| e.source == *source)?;
        entry.used = now;
        Some(Arc::clone(&entry.file))
    }

    fn keep(&self, source: &Source, file: &Arc<OpenFile>) {
        let bytes = file.resident();
        if bytes > self.budget_bytes {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let used = kept.clock;
        let mut total: usize = kept.entries.iter().map(|e| e.bytes).sum::<usize>() + bytes;
        while (total > self.budget_bytes || kept.entries.len() >= MOST_FILES) && !kept.entries.is_empty() {
            let oldest = kept.entries.iter().enumerate().min_by_key(|(_, e)| e.used).map_or(0, |(i, _)| i);
            total -= kept.entries.swap_remove(oldest).bytes;
        }
        kept.entries.push(Entry { source: source.clone(), file: Arc::clone(file), bytes, used });
    }
}

impl Source {
    /// A file on disk.
    #[must_use]
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self::File(Arc::new(path.as_ref().to_path_buf()))
    }

    /// The name without its folder.
    pub(crate) fn file_name(&self) -> String {
        match self {
            Self::File(path) => path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            Self::Zip { name, .. } => name.rsplit(['/', '\\']).next().unwrap_or_default().to_string(),
        }
    }
}
