//! Finds images under paths: files, folders, ZIP and tar archives, DICOMDIR. Headers only; never fails as a whole.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use dicom_core::Tag;
use rayon::prelude::*;

use crate::archive::{Archive, Member, is_archive};
use crate::attr::Attributes;
use crate::bytes::Bytes;
use crate::error::Fault;
use crate::file::DicomFile;
use crate::foreign::{self, Peek};
use crate::gather;
use crate::heads::FileHead;
use crate::index::{Skipped, Source, StudyIndex};
use crate::parse::Limits;

/// How far a scan is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanProgress {
    /// Files found so far.
    pub found: usize,
    /// Files looked at.
    pub done: usize,
    /// Images and objects among them.
    pub images: usize,
}

/// What became of one file.
pub(crate) enum Outcome {
    Dicom(Box<FileHead>),
    Foreign(Source, Peek),
    Skipped(Skipped),
    /// A DICOMDIR: the files that it names and those that it should not.
    Directory(Vec<PathBuf>, Vec<Skipped>),
}

pub(crate) const MEDIA_DIRECTORY: &str = "1.2.840.10008.1.3.10";
/// Files that are looked at between two calls of the progress function.
const CHUNK: usize = 256;
const DEEPEST_FOLDER: usize = 64;

/// Scans files, folders (with all that is in them), ZIP and tar archives and DICOMDIR files. `progress` is called every few hundred
/// files; `Break` ends the scan with what was found until then. What cannot be read stands in
/// [`StudyIndex::skipped`], one sentence each.
pub fn scan(paths: &[PathBuf], progress: &mut dyn FnMut(ScanProgress) -> ControlFlow<()>) -> StudyIndex {
    let mut walk = Walk::new(paths);
    let mut outcomes = Vec::new();
    let mut state = ScanProgress::default();
    loop {
        let files = walk.next_chunk();
        state.found += files.len();
        if files.is_empty() {
            break;
        }
        let looked: Vec<Vec<Outcome>> = files.par_iter().map(|path| look_safely(path)).collect();
        state.done += files.len();
        for outcome in looked.into_iter().flatten() {
            match outcome {
                Outcome::Directory(files, skipped) => {
                    walk.add(files);
                    outcomes.extend(skipped.into_iter().map(Outcome::Skipped));
                }
                other => {
                    state.images += usize::from(!matches!(other, Outcome::Skipped(_)));
                    outcomes.push(other);
                }
            }
        }
        if progress(state).is_break() {
            break;
        }
    }
    outcomes.extend(walk.skipped.into_iter().map(Outcome::Skipped));
    gather::studies(outcomes)
}

/// A reader of formats has a fault somewhere; it takes one file out of the scan, not the others.
fn look_safely(path: &Path) -> Vec<Outcome> {
    catch_unwind(AssertUnwindSafe(|| look(path))).unwrap_or_else(|_| {
        let path = crate::text::safe(&path.display().to_string());
        vec![Outcome::Skipped(Skipped { path, reason: "the program failed on this file; the rest goes on".into() })]
    })
}

/// A path still to be looked at, and how deep below the given ones it lies.
struct Pending {
    path: PathBuf,
    depth: usize,
    /// For a plain file of a folder: its path without links, known without asking the system again.
    real: Option<PathBuf>,
}

impl Pending {
    fn new(path: PathBuf) -> Self {
        Self { path, depth: 0, real: None }
    }
}

/// Folders and files still to come.
pub(crate) struct Walk {
    /// In reverse: the next is the last.
    pending: Vec<Pending>,
    folders: HashSet<PathBuf>,
    files: HashSet<PathBuf>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Walk {
    pub(crate) fn new(paths: &[PathBuf]) -> Self {
        Self {
            pending: paths.iter().rev().cloned().map(Pending::new).collect(),
            folders: HashSet::new(),
            files: HashSet::new(),
            skipped: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, files: Vec<PathBuf>) {
        self.pending.extend(files.into_iter().rev().map(Pending::new));
    }

    fn skip(&mut self, path: &Path, reason: String) {
        self.skipped.push(Skipped { path: path.display().to_string(), reason });
    }

    /// The next files, at most a chunk.
    pub(crate) fn next_chunk(&mut self) -> Vec<PathBuf> {
        let mut out = Vec::new();
        while out.len() < CHUNK {
            let Some(Pending { path, depth, real }) = self.pending.pop() else { break };
            if let Some(real) = real {
                if self.files.insert(real) {
                    out.push(path);
                }
                continue;
            }
            // Following links: a loop shows as a folder that was seen.
            let metadata = match std::fs::metadata(&path) {
                Ok(m) => m,
                Err(e) => {
                    self.skip(&path, Fault::read(&e).to_string());
                    continue;
                }
            };
            let real = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            if metadata.is_dir() {
                if !self.folders.insert(real.clone()) {
                    continue;
                }
                if depth > DEEPEST_FOLDER {
                    self.skip(&path, "folders are nested too deep".into());
                    continue;
                }
                self.folder(&path, &real, depth);
            } else if metadata.is_file() {
                if self.files.insert(real) {
                    out.push(path);
                }
            } else {
                self.skip(&path, "this is neither a file nor a folder".into());
            }
        }
        out
    }

    fn folder(&mut self, path: &Path, real: &Path, depth: usize) {
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(e) => {
                self.skip(path, format!("the folder cannot be read ({})", e.kind()));
                return;
            }
        };
        let mut names: Vec<Pending> = entries
            .filter_map(Result::ok)
            .map(|e| {
                let plain = e.file_type().is_ok_and(|t| t.is_file());
                Pending { path: e.path(), depth: depth + 1, real: plain.then(|| real.join(e.file_name())) }
            })
            .collect();
        if names.is_empty() && depth == 0 {
            self.skip(path, "the folder is empty".into());
        }
        names.sort_by(|a, b| b.path.cmp(&a.path));
        self.pending.extend(names);
    }
}

/// Looks at one file; an archive gives many outcomes.
fn look(path: &Path) -> Vec<Outcome> {
    let skipped = |reason: String| vec![Outcome::Skipped(Skipped { path: path.display().to_string(), reason })];
    let bytes = match Bytes::open(path) {
        Ok(bytes) => bytes,
        Err(fault) => return skipped(fault.to_string()),
    };
    match is_archive(&bytes) {
        Ok(true) => archive(path, bytes),
        Ok(false) => vec![one(bytes, Source::file(path), Some(path))],
        Err(fault) => skipped(fault.to_string()),
    }
}

fn archive(path: &Path, bytes: Bytes) -> Vec<Outcome> {
    let place = Arc::new(path.to_path_buf());
    let skip = |name: &str, reason: String| {
        Outcome::Skipped(Skipped { path: format!("{}/{}", path.display(), crate::text::safe(name)), reason })
    };
    let archive = match Archive::open(bytes) {
        Ok(archive) => archive,
        Err(fault) => {
            return vec![Outcome::Skipped(Skipped { path: path.display().to_string(), reason: fault.to_string() })];
        }
    };
    let members: Vec<Member> = archive
        .members()
        .into_iter()
        .filter(|m| (m.is_file || m.is_link) && !m.name.starts_with("__MACOSX/"))
        .collect();
    members
        .par_iter()
        .map(|m| {
            if m.is_link {
                return skip(&m.name, "a link inside an archive is not followed".into());
            }
            if m.encrypted {
                return skip(&m.name, "it is locked with a password".into());
            }
            let source = Source::Zip { archive: Arc::clone(&place), index: m.index, name: Arc::from(m.name.as_str()) };
            // The header is at the beginning; most of a member need not be inflated to read it.
            if let Ok(beginning) = archive.beginning(m.index)
                && let Outcome::Dicom(head) = one(beginning, source.clone(), None)
            {
                return Outcome::Dicom(head);
            }
            match archive.member(m.index) {
                Ok(bytes) => one(bytes, source, None),
                Err(fault) => skip(&m.name, fault.to_string()),
            }
        })
        .collect()
}

/// Looks at the bytes of one file or member.
fn one(bytes: Bytes, source: Source, path: Option<&Path>) -> Outcome {
    let skipped = |source: &Source, reason: String| {
        Outcome::Skipped(Skipped { path: crate::text::safe(&source.to_string()), reason })
    };
    match foreign::peek(&bytes) {
        Ok(Some(peek)) => return Outcome::Foreign(source, peek),
        Ok(None) => {}
        Err(fault) => return skipped(&source, fault.to_string()),
    }
    let file = match DicomFile::read(bytes, Limits::SCAN) {
        Ok(file) => file,
        Err(fault) => return skipped(&source, fault.to_string()),
    };
    if file.sop_class_uid() == MEDIA_DIRECTORY {
        return match path {
            Some(path) => directory(&file, path),
            // All members of an archive are looked at anyway.
            None => Outcome::Directory(Vec::new(), Vec::new()),
        };
    }
    match FileHead::read(&file, source.clone()) {
        Ok(head) => Outcome::Dicom(Box::new(head)),
        Err(fault) => skipped(&source, fault.to_string()),
    }
}

/// The files of a DICOMDIR (PS3.10 8.6, PS3.3 F.3). The records are taken in the order in which they stand: their offsets
/// form a tree that says nothing more about which files there are, and may form a cycle.
pub(crate) fn directory(file: &DicomFile, path: &Path) -> Outcome {
    let folder = path.parent().unwrap_or(Path::new("."));
    let root = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let (mut files, mut skipped) = (Vec::new(), Vec::new());
    for record in file.object().items(Tag(0x0004, 0x1220)) {
        let parts = record.texts(Tag(0x0004, 0x1500));
        if parts.is_empty() {
            continue;
        }
        let name = crate::text::safe(&parts.join("/"));
        let mut skip = |reason: &str| {
            skipped.push(Skipped { path: format!("{}: {name}", path.display()), reason: reason.into() });
        };
        // One plain name a component: no `..`, no separators, no drive.
        let plain = |p: &String| {
            let mut c = Path::new(p).components();
            matches!((c.next(), c.next()), (Some(Component::Normal(_)), None)) && !p.contains(['/', '\\', ':'])
        };
        if !parts.iter().all(plain) {
            skip("the directory names a file outside its folder, which is not opened");
            continue;
        }
        match find(&root, &parts) {
            Some(found) => match std::fs::canonicalize(&found) {
                Ok(real) if real.starts_with(&root) => files.push(found),
                _ => skip("the directory names a file outside its folder, which is not opened"),
            },
            None => skip("the directory names a file that is not there"),
        }
    }
    if files.is_empty() && skipped.is_empty() {
        skipped.push(Skipped { path: path.display().to_string(), reason: "the directory names no files".into() });
    }
    Outcome::Directory(files, skipped)
}

/// A file by its components; media are often copied with their names in lower case.
fn find(root: &Path, parts: &[String]) -> Option<PathBuf> {
    let mut at = root.to_path_buf();
    for part in parts {
        let exact = at.join(part);
        if exact.exists() {
            at = exact;
            continue;
        }
        let name = std::fs::read_dir(&at)
            .ok()?
            .filter_map(|e| e.ok().map(|e| e.file_name()))
            .find(|n| n.to_string_lossy().eq_ignore_ascii_case(part))?;
        at = at.join(name);
    }
    at.is_file().then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_of_nothing_says_why() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("letter.dcm"), "Dear colleague, this is not an image.".repeat(20))
            .expect("written");
        let missing = folder.path().join("missing");
        let index = scan(&[folder.path().to_path_buf(), missing], &mut |_| ControlFlow::Continue(()));
        assert!(index.studies.is_empty());
        assert_eq!(index.skipped.len(), 2);
        assert!(index.skipped.iter().any(|s| s.reason.contains("not an image file")), "{:?}", index.skipped);
    }
}
