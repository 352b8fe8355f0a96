//! ZIP and tar archives, read in memory, one level deep. Names in them are never joined to a path.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use zip::ZipArchive;

use crate::bytes::Bytes;
use crate::error::Fault;
use crate::grid;

/// No member is inflated beyond this, nor beyond 64 times its packed size and 64 MiB.
const LARGEST_MEMBER: u64 = 4 << 30;

/// An opened archive; members can be read by several threads.
pub(crate) enum Archive {
    Zip(ZipArchive<Positioned>),
    Tar { bytes: Arc<Bytes>, members: Vec<TarMember> },
}

/// A member of a tar archive, which lies in it as it is.
pub(crate) struct TarMember {
    name: String,
    is_file: bool,
    is_link: bool,
    start: u64,
    len: u64,
}

/// More members than any study has.
const MOST_MEMBERS: usize = 1 << 20;

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n = match self {
            Self::Zip(zip) => zip.len(),
            Self::Tar { members, .. } => members.len(),
        };
        f.debug_struct("Archive").field("members", &n).finish_non_exhaustive()
    }
}

/// Whether the first bytes of a file are those of an archive: ZIP, tar (the mark of ustar, POSIX or GNU), or a tar packed
/// with gzip.
pub(crate) fn is_archive(bytes: &Bytes) -> Result<bool, Fault> {
    let mut head = [0; 512];
    let n = bytes.read_at(0, &mut head)?;
    if is_zip(&head[..n]) || is_tar(&head[..n]) {
        return Ok(true);
    }
    if !head[..n].starts_with(&[0x1F, 0x8B]) {
        return Ok(false);
    }
    let mut packed = [0; 8192];
    let n = bytes.read_at(0, &mut packed)?;
    let mut inner = [0; 512];
    let whole = flate2::read::GzDecoder::new(&packed[..n]).read_exact(&mut inner).is_ok();
    Ok(whole && is_tar(&inner))
}

fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
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
        let mut head = [0; 4];
        let n = bytes.read_at(0, &mut head)?;
        if is_zip(&head[..n]) {
            let zip = ZipArchive::new(Positioned { bytes, at: 0 }).map_err(|e| Fault::Archive(reason(&e)))?;
            return Ok(Self::Zip(zip));
        }
        let bytes = if head[..n].starts_with(&[0x1F, 0x8B]) { grid::gunzip(&bytes)? } else { bytes };
        Ok(Self::Tar { members: tar_members(&bytes)?, bytes: Arc::new(bytes) })
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        let mut zip = match self {
            Self::Zip(zip) => zip.clone(),
            Self::Tar { members, .. } => {
                let member = |(index, m): (usize, &TarMember)| Member {
                    index,
                    name: m.name.clone(),
                    is_file: m.is_file,
                    is_link: m.is_link,
                    encrypted: false,
                };
                return members.iter().enumerate().map(member).collect();
            }
        };
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
        let mut zip = match self {
            Self::Zip(zip) => zip.clone(),
            Self::Tar { bytes, members } => {
                let m = members.get(index).ok_or_else(|| Fault::Archive("it has no such member".into()))?;
                return Ok(Bytes::Part { of: Arc::clone(bytes), start: m.start, len: m.len });
            }
        };
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
        let mut zip = match self {
            Self::Zip(zip) => zip.clone(),
            Self::Tar { .. } => return self.member(index),
        };
        let mut member = zip.by_index(index).map_err(|e| Fault::Archive(reason(&e)))?;
        let told = member.size();
        let most = (64_u64 << 20).saturating_add(member.compressed_size().saturating_mul(64));
        if told <= BEGINNING || told > most {
            return Err(Fault::Archive("it is read whole".into()));
        }
        let mut head = vec![0; BEGINNING as usize];
        member.read_exact(&mut head).map_err(|e| Fault::Archive(e.to_string().to_lowercase()))?;
        Ok(Bytes::Beginning { head: Arc::new(head), len: told })
    }
}

/// The members of a tar archive by its headers; the data between them is not read. A member that claims to go on beyond
/// the archive's end is cut off there.
fn tar_members(bytes: &Bytes) -> Result<Vec<TarMember>, Fault> {
    let broken = |_| Fault::Archive("a header in it is broken".into());
    let mut archive = tar::Archive::new(Positioned { bytes: bytes.clone(), at: 0 });
    let mut out: Vec<TarMember> = Vec::new();
    for entry in archive.entries_with_seek().map_err(broken)? {
        let entry = match entry {
            Ok(entry) => entry,
            // What came before the break is shown.
            Err(_) if !out.is_empty() => break,
            Err(e) => return Err(broken(e)),
        };
        let kind = entry.header().entry_type();
        let start = entry.raw_file_position();
        out.push(TarMember {
            name: String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
            is_file: kind.is_file() || kind.is_contiguous(),
            is_link: kind.is_symlink() || kind.is_hard_link(),
            start,
            len: entry.size().min(bytes.len().saturating_sub(start)),
        });
        if out.len() >= MOST_MEMBERS {
            return Err(Fault::TooLarge(format!("the archive has more than {MOST_MEMBERS} members")));
        }
    }
    Ok(out)
}

fn reason(error: &zip::result::ZipError) -> String {
    error.to_string().to_lowercase()
}

/// A reader with its own place over shared bytes.
#[derive(Clone)]
pub(crate) struct Positioned {
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
