//! ZIP archives, read in memory, one level deep. Names in them are never joined to a path.

use std::io::{Read, Seek, SeekFrom};

use zip::ZipArchive;

use crate::bytes::Bytes;
use crate::error::Fault;

/// No member is inflated beyond this, nor beyond 64 times its packed size and 64 MiB.
const LARGEST_MEMBER: u64 = 4 << 30;

/// An opened archive; members can be read by several threads.
pub(crate) struct Archive {
    zip: ZipArchive<Positioned>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("members", &self.zip.len()).finish_non_exhaustive()
    }
}

/// A member's name and kind.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) is_file: bool,
    pub(crate) is_link: bool,
    pub(crate) encrypted: bool,
}

impl Archive {
    pub(crate) fn open(bytes: Bytes) -> Result<Self, Fault> {
        let zip = ZipArchive::new(Positioned { bytes, at: 0 }).map_err(|e| Fault::Archive(reason(&e)))?;
        Ok(Self { zip })
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        let mut zip = self.zip.clone();
        (0..zip.len())
            .filter_map(|index| {
                let m = zip.by_index_raw(index).ok()?;
                Some(Member {
                    index,
                    name: m.name().map(|n| n.into_owned()).unwrap_or_default(),
                    is_file: m.is_file(),
                    is_link: m.is_symlink(),
                    encrypted: m.encrypted(),
                })
            })
            .collect()
    }

    /// Inflates one member; its own word about its size only bounds the first allocation.
    pub(crate) fn member(&self, index: usize) -> Result<Bytes, Fault> {
        let mut zip = self.zip.clone();
        let mut member = zip.by_index(index).map_err(|e| Fault::Archive(reason(&e)))?;
        let (told, packed) = (member.size(), member.compressed_size());
        let most = (64_u64 << 20).saturating_add(packed.saturating_mul(64)).min(LARGEST_MEMBER).min(told);
        let mut out =
            Vec::with_capacity(usize::try_from(told.min(packed.saturating_mul(4)).min(64 << 20)).unwrap_or(0));
        let mut block = vec![0; 64 * 1024];
        loop {
            match member.read(&mut block) {
                Ok(0) => break,
                Ok(n) => {
                    if out.len() as u64 + n as u64 > most {
                        return Err(Fault::TooLarge(if most == told {
                            format!("the member unpacks to more than the {told} bytes that it claims")
                        } else {
                            format!("the member unpacks to more than {} MiB and is refused", most >> 20)
                        }));
                    }
                    out.extend_from_slice(&block[..n]);
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Fault::Archive(e.to_string().to_lowercase())),
            }
        }
        Ok(Bytes::memory(out))
    }
}

/// What a header fits into.
const BEGINNING: u64 = 128 * 1024;

impl Archive {
    /// The first bytes of a member, with the rest of its told length left open: for headers only. An error when the
    /// member is shorter than that, so that it is read whole.
    pub(crate) fn beginning(&self, index: usize) -> Result<Bytes, Fault> {
        let mut zip = self.zip.clone();
        let mut member = zip.by_index(index).map_err(|e| Fault::Archive(reason(&e)))?;
        let told = member.size();
        let most = (64_u64 << 20).saturating_add(member.compressed_size().saturating_mul(64));
        if told <= BEGINNING || told > most {
            return Err(Fault::Archive("it is read whole".into()));
        }
        let mut head = vec![0; BEGINNING as usize];
        member.read_exact(&mut head).map_err(|e| Fault::Archive(e.to_string().to_lowercase()))?;
        Ok(Bytes::Beginning { head: std::sync::Arc::new(head), len: told })
    }
}

fn reason(error: &zip::result::ZipError) -> String {
    error.to_string().to_lowercase()
}

/// A reader with its own place over shared bytes.
#[derive(Clone)]
struct Positioned {
    bytes: Bytes,
    at: u64,
}

impl Read for Positioned {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.bytes.read_at(self.at, out).map_err(std::io::Error::other)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Positioned {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.bytes.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
