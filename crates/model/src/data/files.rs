//! Files of a data set, whether they lie in folders or as members of ZIP files.

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// No image of a data set is larger; a member that claims to be is refused instead of read.
const LARGEST_FILE_BYTES: u64 = 64 << 20;

/// Where one file lies.
#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Member { archive: usize, index: usize },
}

/// An index of files by the part of their path from `train/` or `test/` on.
#[derive(Debug)]
pub struct FileSet {
    archives: Vec<PathBuf>,
    places: BTreeMap<String, Place>,
}

/// The part of a path from its `train` or `test` folder on, with `/`; or from one of other folders on.
fn key(path: &str, folders: &[&str]) -> Option<String> {
    let parts: Vec<&str> = path.split(['/', '\\']).filter(|p| !p.is_empty() && *p != ".").collect();
    // The last such folder counts: a set may itself lie in a folder called "test".
    let start = parts[..parts.len().saturating_sub(1)].iter().rposition(|p| folders.contains(p))?;
    Some(parts[start..].join("/"))
}

/// The folder of a data root in which a set lies.
///
/// # Errors
/// [`Error::Data`] where there is none.
pub(crate) fn folder(set: &str, root: &Path, name: &str) -> Result<PathBuf> {
    let dir = root.join(name);
    if dir.is_dir() {
        return Ok(dir);
    }
    let reason = format!("there is no folder {}; give the data root with --data or LIGHTBOX_DATA", dir.display());
    Err(Error::Data { set: set.into(), reason })
}

impl FileSet {
    /// Collects everything in `dir` whose folder or ZIP name begins with `stem` (`kermany224.zip`,
    /// `kermany224/train/...`, `kermany224_test.zip`, ...) and that lies under `train/` or `test/` there.
    ///
    /// # Errors
    /// [`Error::Read`] for an unreadable folder, [`Error::Data`] for a damaged ZIP.
    pub fn open(dir: &Path, stem: &str) -> Result<Self> {
        Self::open_under(dir, stem, &["train", "test"])
    }

    /// As [`FileSet::open`] for what lies under other folders than `train/` or `test/`; names begin with these.
    ///
    /// # Errors
    /// As [`FileSet::open`].
    pub fn open_under(dir: &Path, stem: &str, folders: &[&str]) -> Result<Self> {
        let mut set = Self { archives: Vec::new(), places: BTreeMap::new() };
        let mut entries: Vec<PathBuf> = std::fs::read_dir(dir)
            .map_err(Error::read(dir))?
            .filter_map(|e| e.ok().map(|e| e.path()))
            .filter(|p| p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(stem)))
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                set.add_folder(&path, &path, folders, 0)?;
            } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip")) {
                set.add_archive(path, stem, folders)?;
            }
        }
        Ok(set)
    }

    fn add_folder(&mut self, base: &Path, dir: &Path, folders: &[&str], depth: usize) -> Result<()> {
        for entry in std::fs::read_dir(dir).map_err(Error::read(dir))? {
            let path = entry.map_err(Error::read(dir))?.path();
            if path.is_dir() {
                // Deeper than any set; also ends a loop of links.
                if depth < 8 {
                    self.add_folder(base, &path, folders, depth + 1)?;
                }
            } else if let Some(key) =
                path.strip_prefix(base).ok().and_then(|p| p.to_str()).and_then(|p| key(p, folders))
            {
                self.places.insert(key, Place::File(path));
            }
        }
        Ok(())
    }

    fn add_archive(&mut self, path: PathBuf, stem: &str, folders: &[&str]) -> Result<()> {
        let zip = open_archive(&path, stem)?;
        let archive = self.archives.len();
        for index in 0..zip.len() {
            if let Some(key) = zip.name_for_index(index).and_then(|name| key(&name.ok()?, folders)) {
                self.places.insert(key, Place::Member { archive, index });
            }
        }
        self.archives.push(path);
        Ok(())
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The paths from `train/` or `test/` on, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Whether `name` is there.
    pub fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// A reader with its own open archives, one per thread.
    pub fn reader(&self) -> FileReader<'_> {
        FileReader { set: self, open: self.archives.iter().map(|_| None).collect() }
    }
}

type Archive = zip::ZipArchive<BufReader<File>>;

fn open_archive(path: &Path, set: &str) -> Result<Archive> {
    let file = File::open(path).map_err(Error::read(path))?;
    zip::ZipArchive::new(BufReader::new(file))
        .map_err(|e| Error::Data { set: set.into(), reason: format!("{e} in {}", path.display()) })
}

/// Reads files of a [`FileSet`].
pub struct FileReader<'a> {
    set: &'a FileSet,
    open: Vec<Option<Archive>>,
}

impl FileReader<'_> {
    /// The bytes of the file `name`.
    ///
    /// # Errors
    /// [`Error::Data`] where it is absent, damaged or larger than 64 MiB; [`Error::Read`].
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let fail = |reason: String| Error::Data { set: name.into(), reason };
        let mut bytes = Vec::new();
        match self.set.places.get(name) {
            None => return Err(fail("the file is not there".into())),
            Some(Place::File(path)) => {
                let file = File::open(path).map_err(Error::read(path))?;
                file.take(LARGEST_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(Error::read(path))?;
            }
            Some(Place::Member { archive, index }) => {
                let path = &self.set.archives[*archive];
                if self.open[*archive].is_none() {
                    self.open[*archive] = Some(open_archive(path, name)?);
                }
                let Some(zip) = &mut self.open[*archive] else { return Err(fail("the archive is closed".into())) };
                let member = zip.by_index(*index).map_err(|e| fail(e.to_string()))?;
                member.take(LARGEST_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|e| fail(e.to_string()))?;
            }
        }
        if bytes.len() as u64 > LARGEST_FILE_BYTES {
            return Err(fail("the file is larger than 64 MiB".into()));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn folders_and_archives_read_alike() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("set/test/A");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("one.png"), b"1").unwrap();
        let mut zip = zip::ZipWriter::new(File::create(dir.path().join("set.zip")).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file("train/A/two.png", options).unwrap();
        zip.write_all(b"22").unwrap();
        zip.start_file("readme.txt", options).unwrap();
        zip.finish().unwrap();
        let set = FileSet::open(dir.path(), "set").unwrap();
        assert_eq!(set.names().collect::<Vec<_>>(), ["test/A/one.png", "train/A/two.png"]);
        let mut reader = set.reader();
        assert_eq!(reader.read("train/A/two.png").unwrap(), b"22");
        assert_eq!(reader.read("test/A/one.png").unwrap(), b"1");
        assert!(reader.read("test/A/none.png").is_err());
        std::fs::write(dir.path().join("set2.zip"), b"no zip").unwrap();
        assert!(matches!(FileSet::open(dir.path(), "set"), Err(Error::Data { .. })));
    }
}
