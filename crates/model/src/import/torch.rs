//! PyTorch: the zip archive of 1.6 and later, and the five pickles in a row of before.

use super::floats::{Kind, gather};
use super::pickle::{self, Pickle, View};
use super::{Container, Found, LARGEST_BYTES};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

/// How an archive of before 1.6 begins: protocol 2, the magic number as a long of ten bytes.
pub(crate) const LEGACY_MAGIC: [u8; 14] =
    [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// A larger `data.pkl` holds something other than names.
const LARGEST_PICKLE: u64 = 64 << 20;

fn kind(storage: &str) -> Result<Kind, String> {
    Ok(match storage {
        "DoubleStorage" => Kind::F64,
        "FloatStorage" => Kind::F32,
        "HalfStorage" => Kind::F16,
        "BFloat16Storage" => Kind::Bf16,
        "LongStorage" => Kind::I64,
        "IntStorage" => Kind::I32,
        "ShortStorage" => Kind::I16,
        "CharStorage" => Kind::I8,
        "ByteStorage" | "BoolStorage" => Kind::U8,
        other => return Err(format!("numbers of the kind {other} are not read")),
    })
}

fn listed(pickle: &Pickle) -> Result<(Vec<Found>, Vec<Rc<View>>), String> {
    let all = pickle.tensors();
    if all.is_empty() {
        return Err("it holds no tensor".into());
    }
    Ok(all.into_iter().map(|(name, view)| (Found { name, shape: view.size.clone() }, view)).unzip())
}

/// A zip archive.
pub(crate) struct Zip {
    archive: ZipArchive<File>,
    root: String,
    found: Vec<Found>,
    views: Vec<Rc<View>>,
    length: u64,
}

impl Zip {
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        let length = file.metadata().map_err(|e| e.to_string())?.len();
        // PyTorch's archives begin at the first byte; a search for the beginning stumbles over numbers that look
        // like a signature.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let mut archive =
            ZipArchive::with_config(config, file).map_err(|e| format!("the zip archive is damaged: {e}"))?;
        let name = archive
            .file_names()
            .flatten()
            .find(|n| *n == "data.pkl" || n.ends_with("/data.pkl"))
            .ok_or("it is a zip archive, but not one that PyTorch saved: it has no data.pkl")?
            .into_owned();
        let root = name.trim_end_matches("data.pkl").to_owned();
        let bytes = entry(&mut archive, &name, LARGEST_PICKLE)?;
        if let Ok(order) = entry(&mut archive, &format!("{root}byteorder"), 64)
            && order.starts_with(b"big")
        {
            return Err("its numbers are big-endian, which is not read".into());
        }
        let (found, views) = listed(&pickle::read(&bytes)?.0)?;
        Ok(Self { archive, root, found, views, length })
    }
}

/// A file of the archive; grows as bytes come, so a length in its header is only a limit.
fn entry(archive: &mut ZipArchive<File>, name: &str, largest: u64) -> Result<Vec<u8>, String> {
    let file = archive.by_name(name).map_err(|_| format!("the archive lacks {name}"))?;
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes).map_err(|e| format!("the archive's {name} is damaged: {e}"))?;
    if bytes.len() as u64 > largest {
        return Err(format!("the archive's {name} is larger than its tensors"));
    }
    Ok(bytes)
}

impl Container for Zip {
    fn found(&self) -> &[Found] {
        &self.found
    }

    fn read(&mut self, index: usize) -> Result<Vec<f32>, String> {
        let view = Rc::clone(&self.views[index]);
        let kind = kind(&view.kind)?;
        let name = format!("{}data/{}", self.root, view.storage);
        // PyTorch stores without compression, so no storage is larger than the file.
        let bytes = entry(&mut self.archive, &name, self.length.min(LARGEST_BYTES))?;
        gather(&kind.floats(&bytes), view.offset, &view.size, &view.stride)
    }

    fn kind(&self) -> &'static str {
        "PyTorch zip"
    }
}

/// Five pickles, then the storages in the order of the fifth: a count of numbers (i64), then the numbers.
pub(crate) struct Legacy {
    file: File,
    found: Vec<Found>,
    views: Vec<Rc<View>>,
    /// First byte and count of numbers.
    storages: HashMap<Rc<str>, (u64, u64)>,
}

impl Legacy {
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let mut file = File::open(path).map_err(|e| e.to_string())?;
        let length = file.metadata().map_err(|e| e.to_string())?.len();
        let mut head = Vec::new();
        file.by_ref().take(LARGEST_PICKLE).read_to_end(&mut head).map_err(|e| e.to_string())?;
        let mut at = 0;
        let mut next = || -> Result<Pickle, String> {
            let (value, taken) = pickle::read(&head[at..])?;
            at += taken;
            Ok(value)
        };
        // Magic, protocol, system, object, keys.
        for _ in 0..3 {
            next()?;
        }
        let (found, views) = listed(&next()?)?;
        let keys = next()?.texts();
        let kinds: HashMap<&str, &str> = views.iter().map(|v| (v.storage.as_str(), v.kind.as_str())).collect();
        let mut storages = HashMap::new();
        let mut position = at as u64;
        for key in keys {
            // A storage that no tensor names cannot be measured, but PyTorch writes none.
            let kind = kind(kinds.get(key.as_ref()).copied().ok_or("a storage belongs to no tensor")?)?;
            file.seek(SeekFrom::Start(position)).map_err(|e| e.to_string())?;
            let mut count = [0u8; 8];
            file.read_exact(&mut count).map_err(|_| "it is cut short")?;
            let count = u64::try_from(i64::from_le_bytes(count)).map_err(|_| "a storage has a negative size")?;
            let end = count.checked_mul(kind.bytes() as u64).and_then(|n| n.checked_add(position + 8));
            let end = end.filter(|end| *end <= length).ok_or("it is cut short")?;
            storages.insert(key, (position + 8, count));
            position = end;
        }
        Ok(Self { file, found, views, storages })
    }
}

impl Container for Legacy {
    fn found(&self) -> &[Found] {
        &self.found
    }

    fn read(&mut self, index: usize) -> Result<Vec<f32>, String> {
        let view = Rc::clone(&self.views[index]);
        let kind = kind(&view.kind)?;
        let (start, count) = *self.storages.get(view.storage.as_str()).ok_or("a tensor has no storage")?;
        self.file.seek(SeekFrom::Start(start)).map_err(|e| e.to_string())?;
        // The count was checked against the length of the file.
        let mut bytes = vec![0u8; count as usize * kind.bytes()];
        self.file.read_exact(&mut bytes).map_err(|_| "it is cut short")?;
        gather(&kind.floats(&bytes), view.offset, &view.size, &view.stride)
    }

    fn kind(&self) -> &'static str {
        "PyTorch before 1.6"
    }
}
