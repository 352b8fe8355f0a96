//! What is kept beside the settings: templates, rules and recall notices of the place's own, and signed reports.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use lightbox_report::ReportDocument;
use lightbox_report::drug::{Library, recall};
use lightbox_report::mrrt;
use lightbox_report::sign::Signed;
use serde::{Deserialize, Serialize};

use super::{End, write_atomically, write_failure};
use crate::event::EventKind;
use crate::jobs::JobCx;
use crate::templates::OwnTemplate;

/// A file that a person hands in is no longer than this.
const MOST_BYTES: u64 = 32 << 20;

/// What is kept.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// Templates.
    pub templates: Vec<OwnTemplate>,
    /// Drug rules, as the text of their file.
    pub rules: Option<String>,
    /// Recall notices, as the text of their file.
    pub recalls: Vec<recall::Recall>,
    /// What could not be read, a sentence each.
    pub notes: Vec<String>,
}

/// A signed report with all its versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptReport {
    /// The sentences.
    pub document: ReportDocument,
    /// The versions.
    pub signed: Signed,
}

fn templates_in(kept: &Path) -> PathBuf {
    kept.join("templates")
}

/// A study's file; its name tells nobody which study it is.
fn signed_file(kept: &Path, study: &str) -> PathBuf {
    kept.join("signed").join(format!("{}.json", &sha256(study.as_bytes())[..32]))
}

/// Of bytes, 64 hex digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A file that a person hands in, as text.
fn text_of(path: &Path) -> Result<String, End> {
    let failed = |e: std::io::Error| End::Failed(format!("The file cannot be read ({e}): {}", path.display()));
    let file = fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // No more is read than a file of this kind may hold, whatever it says of itself.
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(End::Failed(format!("The file is longer than {} MB: {}", MOST_BYTES >> 20, path.display())));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn read(cx: &JobCx) -> Result<(), End> {
    let kept = &cx.places.kept;
    let mut own = Own::default();
    let mut pages: Vec<PathBuf> = fs::read_dir(templates_in(kept))
        .map(|entries| {
            entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "html")).collect()
        })
        .unwrap_or_default();
    pages.sort();
    for path in pages {
        let page = fs::read_to_string(&path)
            .map_err(|e| e.to_string())
            .and_then(|t| mrrt::read(&t).map_err(|e| e.to_string()));
        match page {
            Ok(page) => own.templates.push(OwnTemplate::new(page, &stem(&path))),
            Err(e) => own.notes.push(format!("A kept template is left out: {e}")),
        }
    }
    own.rules = fs::read_to_string(kept.join("drugs.toml")).ok();
    if let Ok(text) = fs::read_to_string(kept.join("recalls.json")) {
        match recall::read(&text) {
            Ok(recalls) => own.recalls = recalls,
            Err(e) => own.notes.push(format!("The kept recall notices are left out: {e}")),
        }
    }
    cx.send(EventKind::Own(Box::new(own)));
    Ok(())
}

fn keep(path: &Path, content: &[u8]) -> Result<(), End> {
    write_atomically(path, content).map_err(|e| End::Failed(write_failure(&e)))
}

pub(super) fn import_template(cx: &JobCx, path: &Path) -> Result<(), End> {
    let text = text_of(path)?;
    let page = mrrt::read(&text).map_err(|e| End::Failed(capital(&e.to_string())))?;
    let own = OwnTemplate::new(page, &stem(path));
    let name = format!("{}.html", &sha256(own.id.as_bytes())[..16]);
    // What is kept is what was understood: no script of the page comes with it.
    keep(&templates_in(&cx.places.kept).join(name), own.page.to_html().as_bytes())?;
    cx.send(EventKind::Template(Box::new(own)));
    Ok(())
}

pub(super) fn export_template(cx: &JobCx, path: PathBuf, page: &str) -> Result<(), End> {
    keep(&path, page.as_bytes())?;
    cx.send(EventKind::TemplateSaved(path));
    Ok(())
}

pub(super) fn import_recalls(cx: &JobCx, path: &Path) -> Result<(), End> {
    let text = text_of(path)?;
    let recalls = recall::read(&text).map_err(|e| End::Failed(capital(&e.to_string())))?;
    keep(&cx.places.kept.join("recalls.json"), text.as_bytes())?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    cx.send(EventKind::Recalls(recalls, name));
    Ok(())
}

pub(super) fn import_rules(cx: &JobCx, path: &Path) -> Result<(), End> {
    let text = text_of(path)?;
    Library::own().add_local(&text).map_err(|e| End::Failed(capital(&e.to_string())))?;
    keep(&cx.places.kept.join("drugs.toml"), text.as_bytes())?;
    cx.send(EventKind::DrugRules(text));
    Ok(())
}

pub(super) fn find_signed(cx: &JobCx, studies: Vec<String>) -> Result<(), End> {
    let mut found = Vec::new();
    for study in studies {
        let Ok(bytes) = fs::read(signed_file(&cx.places.kept, &study)) else { continue };
        let kept: KeptReport = serde_json::from_slice(&bytes).map_err(|_| {
            End::Failed("A signed report of an open study is damaged on the disk and is not shown.".into())
        })?;
        found.push((study, kept));
    }
    if !found.is_empty() {
        cx.send(EventKind::SignedFound(found));
    }
    Ok(())
}

pub(super) fn keep_signed(cx: &JobCx, study: String, report: &KeptReport, audit: &str) -> Result<(), End> {
    keep(&signed_file(&cx.places.kept, &study), &serde_json::to_vec(report)?)?;
    let log = cx.places.kept.join("audit.jsonl");
    let appended = fs::OpenOptions::new().create(true).append(true).open(log).and_then(|mut file| {
        writeln!(file, "{audit}")?;
        file.sync_data()
    });
    appended.map_err(|e| End::Failed(write_failure(&e)))?;
    cx.send(EventKind::SignedKept(study));
    Ok(())
}

/// The name of a file without its ending.
fn stem(path: &Path) -> String {
    path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
