//! The file of the journal.
//!
//! A journal belongs to the process that holds its lock, which ends with the process however that ends. A write that
//! fails leaves the file as long as it was, and nothing more is appended until all work has been written anew: a change
//! without what it changes would be worth nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Record, Recovery};

/// A file that is being written first has this ending, so that nobody takes it for a journal.
const PART: &str = "part";
/// Such a file that is older was left by a kill.
const PART_IS_OLD: Duration = Duration::from_secs(3600);

/// The journal of the running session.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Open and locked, once there is a record.
    file: Option<File>,
    /// Bytes that are whole lines.
    length: u64,
    behind: bool,
    /// Bytes that still go onto a made-up disk.
    #[cfg(test)]
    pub(crate) room: Option<usize>,
}

impl Journal {
    /// A journal of this process in `dir`; the file is made with the first record.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        /// Two journals of one process and one millisecond must not be one file.
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis());
        let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self {
            path: dir.join(format!("work-{since}-{n}-{}.jsonl", std::process::id())),
            file: None,
            length: 0,
            behind: false,
            #[cfg(test)]
            room: None,
        }
    }

    /// Appends records and waits until they are on the disk.
    ///
    /// # Errors
    /// When the folder or the file cannot be written, or an earlier record could not and [`Journal::write_anew`] has not
    /// made up for it.
    pub fn append(&mut self, records: &[Record]) -> io::Result<()> {
        if self.behind {
            return Err(io::Error::other("an earlier record is missing"));
        }
        if self.file.is_none() {
            return self.write_anew(records);
        }
        let text = to_lines(records)?;
        let written = self.write(&text);
        if written.is_ok() {
            self.length += text.len() as u64;
        } else {
            self.behind = true;
            // Half a line would be in the way of what may come. If it cannot be cut off, it is left out by the reader.
            if let Some(file) = &self.file {
                file.set_len(self.length).ok();
            }
        }
        written
    }

    /// Puts a journal of these records in the place of the old one, which stays whole until then.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub fn write_anew(&mut self, records: &[Record]) -> io::Result<()> {
        self.behind = true;
        let text = to_lines(records)?;
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir)?;
        }
        let part = self.path.with_extension(PART);
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&part)?;
        // Where a file system knows no locks, the number in the name has to do.
        file.try_lock().ok();
        let old = self.file.replace(file);
        let written = self.write(&text).and_then(|()| fs::rename(&part, &self.path));
        if written.is_ok() {
            self.length = text.len() as u64;
            self.behind = false;
        } else {
            self.file = old;
            fs::remove_file(&part).ok();
        }
        written
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        #[cfg(test)]
        if let Some(room) = &mut self.room {
            let fits = text.len().min(*room);
            *room -= fits;
            if fits < text.len() {
                file.write_all(&text[..fits])?;
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        file.write_all(text)?;
        file.sync_data()
    }

    /// Whether a record is missing in it: it could not be written.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// Deletes the journal: everything in it has been saved or given up.
    pub fn remove(&mut self) {
        self.file = None;
        self.length = 0;
        // A journal that cannot be deleted is offered again, which loses nothing.
        fs::remove_file(&self.path).ok();
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// One line a record.
pub(crate) fn to_lines(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for record in records {
        serde_json::to_writer(&mut text, record)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// Reads a journal; a line that is not whole is left out.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> io::Result<Recovery> {
    let mut recovery = read_from(&File::open(path)?)?;
    path.clone_into(&mut recovery.journal);
    Ok(recovery)
}

fn read_from(file: &File) -> io::Result<Recovery> {
    let mut records = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        records.extend(serde_json::from_slice::<Record>(&line?));
    }
    Ok(Recovery::replay(records))
}

/// The newest journal in `dir` that an ended process left with work in it, other than `except`. Journals without work are
/// deleted.
#[must_use]
pub fn find(dir: &Path, except: &[&Path]) -> Option<Recovery> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).ok()?.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    let mut best = None;
    for path in paths.into_iter().rev().filter(|p| !except.contains(&p.as_path())) {
        match path.extension().and_then(|e| e.to_str()) {
            Some("jsonl") => {}
            Some(PART) => {
                if is_old(&path) && hold(&path).is_some() {
                    fs::remove_file(&path).ok();
                }
                continue;
            }
            _ => continue,
        }
        // Held until it has been read, so that nobody writes meanwhile.
        let Some(file) = hold(&path) else { continue };
        match read_from(&file) {
            Ok(recovery) if recovery.is_worth_offering() => {
                let when = file.metadata().and_then(|m| m.modified()).map(chrono::DateTime::<chrono::Local>::from);
                let when = when.map(|t| t.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
                best = best.or(Some(Recovery { journal: path, when, ..recovery }));
            }
            Ok(_) => {
                fs::remove_file(&path).ok();
            }
            Err(_) => {}
        }
    }
    best
}

fn is_old(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|m| m.modified()).map(|t| t.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age > PART_IS_OLD)
}

/// A journal that no running process writes, locked; `None` when one does, or it cannot be read.
fn hold(path: &Path) -> Option<File> {
    let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
    match file.try_lock() {
        Ok(()) => Some(file),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(_)) => (!named_process_is_alive(path)).then_some(file),
    }
}

/// Whether the process whose number is in the name runs: all that is known where a file system has no locks.
fn named_process_is_alive(path: &Path) -> bool {
    let pid = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.rsplit('-').next()).and_then(|s| s.parse().ok());
    pid.is_some_and(|pid: u32| pid == std::process::id() || Path::new(&format!("/proc/{pid}")).exists())
}

#[cfg(test)]
mod tests {
    use lightbox_core::SegmentId;

    use super::*;
    use crate::journal::tests::{key, records};

    #[test]
    fn a_torn_line_costs_only_that_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::new(dir.path());
        journal.append(&records()).expect("written");
        let text = fs::read(journal.path()).expect("read");
        // Into the line of the voxels: the count after it, and the end of that line, are gone.
        let torn = dir.path().join("work-1-0.jsonl");
        fs::write(&torn, &text[..text.len() - 110]).expect("written");
        let r = read(&torn).expect("read");
        assert_eq!(r.stacks[&key()].segments[0].0.mask.count(), 0);
        // What comes after it still counts.
        let mut all = text[..text.len() - 110].to_vec();
        all.push(b'\n');
        all.extend(&text);
        fs::write(&torn, &all).expect("written");
        for path in [torn.as_path(), journal.path()] {
            let whole = read(path).expect("read");
            assert_eq!(whole.stacks[&key()].segments[0].0.mask.count(), 2);
            assert!(whole.stacks[&key()].segments[0].0.mask.get([1, 1, 1]));
            assert_eq!(whole.gestures, 2);
        }
    }

    #[test]
    fn after_a_full_disk_nothing_is_appended_until_all_is_written_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::new(dir.path());
        journal.append(&records()).expect("written");
        let good = fs::read(journal.path()).expect("read");
        journal.room = Some(40);
        let gone = [Record::SegmentGone { stack: key(), segment: SegmentId(3) }];
        assert!(journal.append(&gone).is_err());
        assert_eq!(fs::read(journal.path()).expect("read"), good, "half a line is cut off");
        journal.room = None;
        assert!(journal.append(&records()[2..]).is_err(), "a change without what it changes");
        journal.room = Some(100);
        assert!(journal.write_anew(&records()).is_err());
        assert_eq!(fs::read(journal.path()).expect("read"), good, "the old one is whole until the new one is");
        journal.room = None;
        journal.write_anew(&records()[..2]).expect("written");
        journal.append(&records()[2..]).expect("written");
        assert_eq!(fs::read(journal.path()).expect("read"), good);
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_journal_belongs_to_whoever_holds_its_lock() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::new(dir.path());
        journal.append(&records()).expect("written");
        assert!(find(dir.path(), &[]).is_none(), "it is being written");
        journal.write_anew(&records()).expect("written");
        assert!(find(dir.path(), &[]).is_none(), "and still is");
        // The number of a process that runs, as after a restart of the machine, says nothing.
        let path = journal.path().to_owned();
        drop(journal);
        assert_eq!(find(dir.path(), &[]).expect("left").journal, path);
        assert!(find(dir.path(), &[&path]).is_none());
    }
}
