//! Bytes that are read where they are needed: a file by position, or a piece of memory.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::error::Fault;

/// Bytes of a file or of an archive's member. Cloning shares them.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    Memory(Arc<Vec<u8>>),
    File {
        file: Arc<File>,
        len: u64,
        /// What lies at its beginning, read once: several questions are asked of it.
        head: Arc<Vec<u8>>,
    },
    /// The first bytes of something longer; what lies beyond cannot be read.
    Beginning {
        head: Arc<Vec<u8>>,
        len: u64,
    },
    /// A member of an archive that lies in it unpacked.
    Part {
        of: Arc<Self>,
        start: u64,
        len: u64,
    },
}

impl Bytes {
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(|e| Fault::read(&e))?;
        let metadata = file.metadata().map_err(|e| Fault::read(&e))?;
        if !metadata.is_file() {
            return Err(Fault::Read("not a file".into()));
        }
        let mut head = vec![0; BLOCK.min(usize::try_from(metadata.len()).unwrap_or(BLOCK))];
        let n = read_all_at(&file, &mut head, 0)?;
        head.truncate(n);
        Ok(Self::File { file: Arc::new(file), len: metadata.len(), head: Arc::new(head) })
    }

    pub(crate) fn memory(bytes: Vec<u8>) -> Self {
        Self::Memory(Arc::new(bytes))
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Memory(b) => b.len() as u64,
            Self::File { len, .. } | Self::Beginning { len, .. } | Self::Part { len, .. } => *len,
        }
    }

    /// What it costs to keep these bytes.
    pub(crate) fn resident(&self) -> usize {
        match self {
            Self::Memory(b) => b.len(),
            Self::Part { .. } => 0,
            Self::File { head, .. } | Self::Beginning { head, .. } => head.len(),
        }
    }

    /// Fills `out` from `offset`; returns how many bytes there were.
    pub(crate) fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, Fault> {
        match self {
            Self::Memory(b) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(b.len());
                let n = out.len().min(b.len() - from);
                out[..n].copy_from_slice(&b[from..from + n]);
                Ok(n)
            }
            Self::Beginning { head, len } => {
                let want = (out.len() as u64).min(len.saturating_sub(offset));
                let end = offset.saturating_add(want);
                if end > head.len() as u64 {
                    return Err(Fault::Read("only the beginning is at hand".into()));
                }
                out[..want as usize].copy_from_slice(&head[offset as usize..end as usize]);
                Ok(want as usize)
            }
            Self::Part { of, start, len } => {
                let want = (out.len() as u64).min(len.saturating_sub(offset)) as usize;
                of.read_at(start.saturating_add(offset), &mut out[..want])
            }
            Self::File { file, head, .. } => {
                let end = offset.saturating_add(out.len() as u64);
                if let (Ok(from), Ok(to)) = (usize::try_from(offset), usize::try_from(end))
                    && let Some(there) = head.get(from..to)
                {
                    out.copy_from_slice(there);
                    return Ok(out.len());
                }
                read_all_at(file, out, offset)
            }
        }
    }

    /// The bytes of `offset..offset + len` as far as the file goes; nothing is allocated for what is not there.
    pub(crate) fn vec(&self, offset: u64, len: u64) -> Result<Vec<u8>, Fault> {
        let there = len.min(self.len().saturating_sub(offset));
        let there = usize::try_from(there).map_err(|_| Fault::TooLarge("the file is too large for memory".into()))?;
        let mut out = vec![0; there];
        let n = self.read_at(offset, &mut out)?;
        out.truncate(n);
        Ok(out)
    }

    /// All bytes.
    pub(crate) fn all(&self) -> Result<Arc<Vec<u8>>, Fault> {
        match self {
            Self::Memory(b) => Ok(Arc::clone(b)),
            other => Ok(Arc::new(other.vec(0, other.len())?)),
        }
    }
}

/// Reads until `out` is full or the file ends.
fn read_all_at(file: &File, out: &mut [u8], offset: u64) -> Result<usize, Fault> {
    let mut done = 0;
    while done < out.len() {
        match read_file_at(file, &mut out[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Fault::read(&e)),
        }
    }
    Ok(done)
}

#[cfg(unix)]
fn read_file_at(file: &File, out: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, out, offset)
}

#[cfg(windows)]
fn read_file_at(file: &File, out: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, offset)
}

/// A moving window over [`Bytes`], so that a header is read with one call to the system.
pub(crate) struct Cursor<'a> {
    bytes: &'a Bytes,
    block: Vec<u8>,
    start: u64,
}

/// Covers the header of nearly every classic image.
const BLOCK: usize = 32 * 1024;

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a Bytes) -> Self {
        Self { bytes, block: Vec::new(), start: 0 }
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes.len()
    }

    /// `n` bytes at `offset`, or `None` where the file ends before.
    pub(crate) fn get(&mut self, offset: u64, n: usize) -> Result<Option<&[u8]>, Fault> {
        if offset.checked_add(n as u64).is_none_or(|end| end > self.bytes.len()) {
            return Ok(None);
        }
        if let Bytes::Beginning { head, .. } = self.bytes {
            let range = usize::try_from(offset).ok().and_then(|from| head.get(from..from + n));
            return range.map(Some).ok_or_else(|| Fault::Read("only the beginning is at hand".into()));
        }
        if let Bytes::Memory(b) = self.bytes {
            let from = offset as usize;
            return Ok(b.get(from..from + n));
        }
        if let Bytes::File { head, .. } = self.bytes
            && let Some(there) = usize::try_from(offset).ok().and_then(|from| head.get(from..from + n))
        {
            return Ok(Some(there));
        }
        let inside = offset >= self.start && offset + n as u64 <= self.start + self.block.len() as u64;
        if !inside {
            self.block.resize(n.max(BLOCK), 0);
            let read = self.bytes.read_at(offset, &mut self.block)?;
            self.block.truncate(read);
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        Ok(self.block.get(from..from + n))
    }
}
