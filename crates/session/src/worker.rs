//! What the jobs do. Runs on a worker thread; talks only through events.

use std::fs;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::event::{EventKind, JobSpec};
use crate::jobs::JobCx;
use crate::models::ModelInfo;

/// Runs a job to its end and tells how it ended. A panic ends the job, not the program.
pub(crate) fn run(cx: &JobCx, spec: JobSpec) {
    let end = if cx.is_cancelled() {
        Err(End::Cancelled)
    } else {
        catch_unwind(AssertUnwindSafe(|| work(cx, spec))).unwrap_or_else(|_| {
            Err(End::Failed("Something in the program is wrong here; the rest goes on. Save your work.".to_owned()))
        })
    };
    cx.send(match end {
        Ok(()) => EventKind::Done,
        Err(End::Cancelled) => EventKind::Cancelled,
        Err(End::Failed(why)) => EventKind::Failed(why),
    });
}

/// Why a job ended early.
pub(crate) enum End {
    /// As asked.
    Cancelled,
    /// One sentence.
    Failed(String),
}

impl<E: std::error::Error> From<E> for End {
    fn from(e: E) -> Self {
        Self::Failed(e.to_string())
    }
}

fn work(cx: &JobCx, spec: JobSpec) -> Result<(), End> {
    match spec {
        JobSpec::Scan(paths) => images::scan(cx, paths, false),
        JobSpec::Demo => images::demo(cx),
        JobSpec::Load { stack, info, focus } => images::load(cx, stack, &info, focus),
        JobSpec::Thumbnails(stacks) => images::thumbnails(cx, &stacks),
        JobSpec::Models => {
            cx.send(EventKind::Models(models(cx)));
            Ok(())
        }
        JobSpec::Infer(spec) => infer::infer(cx, *spec),
        JobSpec::Explain(spec) => explain::explain(cx, *spec),
        JobSpec::CountCorrections => {
            improve::count(cx);
            Ok(())
        }
        JobSpec::AddCorrection(spec) => improve::add(cx, *spec),
        JobSpec::ForgetCorrections(model) => improve::forget(cx, &model),
        JobSpec::Improve { model, updates } => improve::improve(cx, &model, updates),
        JobSpec::KeepImproved { offer, taken } => improve::keep(cx, &offer, &taken),
        JobSpec::SaveSeg(spec) => masks::save(cx, &spec),
        JobSpec::LoadSeg { path, stacks } => masks::load(cx, path, &stacks),
        JobSpec::Export(spec) => words::export(cx, *spec),
        JobSpec::Check(spec) => words::check(cx, *spec),
        JobSpec::Complete(spec) => write::complete(cx, *spec),
        JobSpec::OtherWords(term) => write::other_words(cx, term),
        JobSpec::LearnPhrases(text) => write::learn(cx, &text),
        JobSpec::ForgetPhrases => write::forget(cx),
        JobSpec::Propose(spec) => write::propose(cx, *spec),
        JobSpec::SaveLetter { path, text } => write::save_letter(cx, path, &text),
        JobSpec::Audit(line) => write::audit(cx, &line),
        JobSpec::Ask { question, audience, folder } => words::ask(cx, question, audience, folder),
        JobSpec::ReadOwn => own::read(cx),
        JobSpec::ImportTemplate(path) => own::import_template(cx, &path),
        JobSpec::ExportTemplate { path, page } => own::export_template(cx, path, &page),
        JobSpec::ImportRecalls(path) => own::import_recalls(cx, &path),
        JobSpec::ImportDrugRules(path) => own::import_rules(cx, &path),
        JobSpec::FindSigned(studies) => own::find_signed(cx, studies),
        JobSpec::KeepSigned { study, report, audit } => own::keep_signed(cx, study, &report, &audit),
        JobSpec::FindRecovery => {
            offer(cx, &[]);
            Ok(())
        }
        JobSpec::DiscardRecovery(journal) => {
            if journal != cx.own_journal() {
                fs::remove_file(&journal)?;
            }
            offer(cx, &[]);
            Ok(())
        }
        JobSpec::RetireJournal { journal, left } => {
            // Until all of it is in our own journal, the old one is the only place where the work is safe.
            if !cx.journal_is_whole() || journal == cx.own_journal() {
                return Ok(());
            }
            if left.is_empty() {
                fs::remove_file(&journal)?;
            } else {
                write_atomically(&journal, &crate::journal::to_lines(&left)?)?;
            }
            offer(cx, &[&journal]);
            Ok(())
        }
    }
}

/// Looks for work that a killed session left; an older one may be waiting behind one that is done with.
fn offer(cx: &JobCx, except: &[&Path]) {
    let own = cx.own_journal();
    let except: Vec<&Path> = except.iter().copied().chain([own.as_path()]).collect();
    let found = crate::journal::find(&cx.places.journal, &except);
    cx.send(EventKind::Recovery(found.map(Box::new)));
}

fn models(cx: &JobCx) -> Vec<ModelInfo> {
    let store = lightbox_model::Store::discover(&cx.places.weights, cx.places.models.as_deref());
    // Models of text take no image; the report's rooms load them by themselves.
    let reads_images = |e: &&lightbox_model::Entry| !lightbox_model::language::TextModel::is(&e.card);
    store.entries().iter().filter(reads_images).map(ModelInfo::of).collect()
}

/// Writes a file beside its place, waits until it is on the disk, then puts it there: what was there stays whole until
/// then, and after a failure.
///
/// # Errors
/// The system's, when the folder cannot be written or the disk is full.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let mut temporary = name.to_owned();
    temporary.push(format!(".{}.part", std::process::id()));
    let temporary: PathBuf = dir.join(temporary);
    let written = fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        // Nothing of a failed write should stay; that it cannot be removed changes nothing.
        fs::remove_file(&temporary).ok();
    })
}

/// Why a write failed, for people.
pub(crate) fn write_failure(e: &io::Error) -> String {
    let why = match e.kind() {
        io::ErrorKind::StorageFull => "The disk is full.".to_owned(),
        io::ErrorKind::PermissionDenied => "The folder may not be written to.".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "The disk is read-only.".to_owned(),
        _ => format!("The system says: {e}."),
    };
    format!("{why} What was there before is whole; save elsewhere.")
}

pub(crate) mod explain;
mod images;
mod improve;
mod infer;
mod masks;
pub(crate) mod own;
mod priority;
mod words;
pub(crate) mod write;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("report.txt");
        write_atomically(&path, b"old").expect("written");
        assert!(write_atomically(&dir.path().join("report.txt/inside"), b"new").is_err());
        assert_eq!(fs::read(&path).expect("read"), b"old");
        write_atomically(&path, b"new").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }
}
