//! Many files into a folder: found, copied, named, reported.

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::Settings;
use super::copy::{Copy, Original};
use super::report::{Report, Tally};
use super::secret::Secret;
use crate::archive::{Archive, is_archive};
use crate::bytes::Bytes;
use crate::compose::{Beside, WriteFault};
use crate::error::Fault;
use crate::file::DicomFile;
use crate::index::{Skipped, Source};
use crate::parse::Limits;
use crate::scan::{self, MEDIA_DIRECTORY, Walk};

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files found so far.
    pub found: usize,
    /// Files dealt with.
    pub done: usize,
    /// Copies written.
    pub copies: usize,
}

/// A run that could not be, or that ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnonymizeError {
    /// Settings that contradict each other.
    #[error("{0}")]
    Settings(&'static str),
    /// The copies would lie among other files.
    #[error("the folder for the copies is not empty, and nothing is overwritten: {0}")]
    NotEmpty(String),
    /// The folder or a copy could not be written.
    #[error("{fault}: {path}")]
    Write {
        /// Why not.
        fault: WriteFault,
        /// Which.
        path: String,
    },
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Anonymized {
    /// For keeping: without identifiers.
    pub report: Report,
    /// DICOM files that were not copied, with their paths and reasons: for the person at the screen.
    pub refused: Vec<Skipped>,
    /// Files that are not DICOM.
    pub skipped: Vec<Skipped>,
    /// Ended by the progress function; the copies until then are whole.
    pub cancelled: bool,
}

/// De-identifies the DICOM files under `paths` (files, folders, ZIP archives, the files that a DICOMDIR names) into the
/// folder `out`, which must be new or empty. Names in it come from the new identities. A file that cannot be read whole is
/// not copied. `progress` is called after every few files; `Break` ends the run.
///
/// # Errors
/// [`AnonymizeError`] when the settings are contradictory or the folder cannot be written; copies that were written until
/// then are whole.
pub fn anonymize(
    paths: &[PathBuf],
    out: &Path,
    settings: &Settings,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Anonymized, AnonymizeError> {
    if let Some(objection) = settings.objection() {
        return Err(AnonymizeError::Settings(objection));
    }
    let failed = |doing, path: &Path| {
        let path = path.display().to_string();
        move |source| AnonymizeError::Write { fault: WriteFault::Io { doing, source }, path }
    };
    std::fs::create_dir_all(out).map_err(failed("making the folder", out))?;
    let mut entries = std::fs::read_dir(out).map_err(failed("reading the folder", out))?;
    if entries.next().is_some() {
        return Err(AnonymizeError::NotEmpty(out.display().to_string()));
    }
    let mut run = Run {
        out,
        out_real: std::fs::canonicalize(out).map_err(failed("reading the folder", out))?,
        settings,
        secret: settings.key.as_ref().map_or_else(Secret::random, |k| Secret::from_text(k.trim())),
        names: Names::default(),
        tally: Tally::default(),
        done: Anonymized { report: Report::new(settings), ..Anonymized::default() },
        state: Progress::default(),
    };
    let mut walk = Walk::new(paths);
    loop {
        let files = walk.next_chunk();
        if files.is_empty() {
            break;
        }
        for path in files {
            // The copies may lie in one of the folders that are read.
            if std::fs::canonicalize(&path).is_ok_and(|p| p.starts_with(&run.out_real)) {
                continue;
            }
            run.queue(&path, &mut walk);
        }
        // Small pieces: the content of an archive is in memory while it is worked on.
        let waiting = std::mem::take(&mut run.names.waiting);
        run.state.found += waiting.len();
        for piece in waiting.chunks(2 * rayon::current_num_threads()) {
            let more = run.piece(piece)?;
            walk.add(more);
            if progress(run.state).is_break() {
                run.done.cancelled = true;
                break;
            }
        }
        if run.done.cancelled {
            break;
        }
    }
    let Run { mut done, tally, names, .. } = run;
    for Skipped { path, reason } in walk.skipped {
        done.report.leave_out(&reason);
        done.refused.push(Skipped { path, reason });
    }
    done.report.patients = names.patients.len();
    done.report.finish(&tally);
    Ok(done)
}

/// A file or member to be copied.
enum Waiting {
    File(PathBuf),
    Member { archive: Arc<Archive>, source: Source, index: usize },
}

impl Waiting {
    fn bytes(&self) -> Result<Bytes, Fault> {
        match self {
            Self::File(path) => Bytes::open(path),
            Self::Member { archive, index, .. } => archive.member(*index),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Member { source, .. } => crate::text::safe(&source.to_string()),
        }
    }
}

/// Numbers for what has a name of its own in the originals.
#[derive(Default)]
struct Names {
    waiting: Vec<Waiting>,
    patients: HashMap<String, usize>,
    studies: HashMap<String, usize>,
    series: HashMap<String, (usize, usize)>,
}

impl Names {
    /// `PATIENT/ST0001/SE0001/IM000001.dcm`.
    fn next(&mut self, copy: &Copy) -> String {
        let number = |map: &mut HashMap<String, usize>, key: String| {
            let next = map.len() + 1;
            *map.entry(key).or_insert(next)
        };
        number(&mut self.patients, copy.patient.clone());
        let study = number(&mut self.studies, format!("{}\n{}", copy.patient, copy.study));
        let key = format!("{}\n{}\n{}", copy.patient, copy.study, copy.series);
        let next = self.series.len() + 1;
        let (series, image) = self.series.entry(key).or_insert((next, 0));
        *image += 1;
        format!("{}/ST{study:04}/SE{series:04}/IM{image:06}.dcm", copy.patient)
    }
}

enum Outcome {
    Copy(Box<Copy>),
    /// A DICOMDIR and what it names.
    Directory(Vec<PathBuf>),
    Refused(String),
    NotDicom(String),
}

struct Run<'a> {
    out: &'a Path,
    out_real: PathBuf,
    settings: &'a Settings,
    secret: Secret,
    names: Names,
    tally: Tally,
    done: Anonymized,
    state: Progress,
}

impl Run<'_> {
    /// Puts a file, or the members of an archive, into the queue.
    fn queue(&mut self, path: &Path, walk: &mut Walk) {
        let archive = Bytes::open(path).and_then(|b| is_archive(&b).map(|is| (b, is)));
        let bytes = match archive {
            Ok((bytes, true)) => bytes,
            Ok((_, false)) => {
                self.names.waiting.push(Waiting::File(path.to_path_buf()));
                return;
            }
            Err(fault) => {
                walk.skipped.push(Skipped { path: path.display().to_string(), reason: fault.to_string() });
                return;
            }
        };
        let archive = match Archive::open(bytes) {
            Ok(archive) => Arc::new(archive),
            Err(fault) => {
                walk.skipped.push(Skipped { path: path.display().to_string(), reason: fault.to_string() });
                return;
            }
        };
        let place = Arc::new(path.to_path_buf());
        for m in archive.members() {
            if !(m.is_file || m.is_link) || m.name.starts_with("__MACOSX/") {
                continue;
            }
            let source = Source::Zip { archive: Arc::clone(&place), index: m.index, name: Arc::from(m.name.as_str()) };
            if m.is_link || m.encrypted {
                let reason =
                    if m.is_link { "a link inside an archive is not followed" } else { "it is locked with a password" };
                let path = crate::text::safe(&source.to_string());
                walk.skipped.push(Skipped { path, reason: reason.into() });
                continue;
            }
            self.names.waiting.push(Waiting::Member { archive: Arc::clone(&archive), source, index: m.index });
        }
    }

    /// Some files at once; gives those that a DICOMDIR among them names.
    fn piece(&mut self, piece: &[Waiting]) -> Result<Vec<PathBuf>, AnonymizeError> {
        let outcomes: Vec<Outcome> = piece.par_iter().map(|w| self.copy(w)).collect();
        let mut more = Vec::new();
        let mut copies = Vec::new();
        for (outcome, waiting) in outcomes.into_iter().zip(piece) {
            let path = waiting.shown();
            match outcome {
                Outcome::Copy(copy) => {
                    let name = self.names.next(&copy);
                    copies.push((name, copy));
                }
                Outcome::Directory(files) => more.extend(files),
                Outcome::Refused(reason) => {
                    self.done.report.leave_out(&reason);
                    self.done.refused.push(Skipped { path, reason });
                }
                Outcome::NotDicom(reason) => {
                    self.done.report.leave_out(&reason);
                    self.done.skipped.push(Skipped { path, reason });
                }
            }
        }
        let out = self.out;
        let written: Vec<Result<(), AnonymizeError>> =
            copies.par_iter().map(|(name, copy)| write(copy, &out.join(name))).collect();
        self.state.done += piece.len();
        for (result, (name, copy)) in written.into_iter().zip(&copies) {
            result?;
            self.state.copies += 1;
            self.done.report.copies += 1;
            self.tally.merge(&copy.tally);
            for warning in &copy.warnings {
                self.done.report.warn(warning, name);
            }
        }
        Ok(more)
    }

    fn copy(&self, waiting: &Waiting) -> Outcome {
        let original = match waiting.bytes().and_then(Original::read) {
            Ok(original) => original,
            Err(Fault::UnknownFormat | Fault::Empty) => return Outcome::NotDicom("it is not a DICOM file".into()),
            Err(fault) => return Outcome::Refused(fault.to_string()),
        };
        if original.sop_class_uid() == MEDIA_DIRECTORY {
            return Outcome::Directory(match waiting {
                Waiting::File(path) => named_files(path),
                // All members of an archive are looked at anyway.
                Waiting::Member { .. } => Vec::new(),
            });
        }
        match original.anonymized(self.settings, &self.secret) {
            Ok(copy) => Outcome::Copy(Box::new(copy)),
            Err(fault) => Outcome::Refused(fault.to_string()),
        }
    }
}

/// The files that a DICOMDIR names, those outside its folder left out.
fn named_files(path: &Path) -> Vec<PathBuf> {
    let Ok(file) = Bytes::open(path).and_then(|b| DicomFile::read(b, Limits::SCAN)) else { return Vec::new() };
    match scan::directory(&file, path) {
        scan::Outcome::Directory(files, _) => files,
        _ => Vec::new(),
    }
}

/// Writes beside the target, then gives it its name unless something has it.
fn write(copy: &Copy, target: &Path) -> Result<(), AnonymizeError> {
    let failed = |fault| AnonymizeError::Write { fault, path: target.display().to_string() };
    let inner = || -> Result<(), WriteFault> {
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(WriteFault::io("making the folder"))?;
        }
        let part = Beside::new(target);
        let file = std::fs::File::create_new(part.path()).map_err(WriteFault::io("creating the file"))?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        copy.write(&mut out).map_err(WriteFault::io("writing the file"))?;
        out.flush().map_err(WriteFault::io("writing the file"))?;
        drop(out);
        part.place(target)
    };
    inner().map_err(failed)
}
