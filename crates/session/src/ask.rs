//! The page of the knowledge base: a question, and passages with their sources. Nothing is fetched.

use std::io::Read;
use std::path::{Path, PathBuf};

pub use lightbox_report::kb::{Answer, Audience};
use lightbox_report::kb::{KnowledgeBase, Passage, load};

/// More passages than this help nobody.
pub const ANSWERS: usize = 3;

/// The page.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The question that was asked last.
    pub question: String,
    /// For whom the answer is; `None` for both.
    pub audience: Option<Audience>,
    /// What was found.
    pub found: Option<Found>,
}

/// What was found for a question.
#[derive(Debug, Clone)]
pub struct Found {
    /// The question.
    pub question: String,
    /// Best first; empty where nothing fits well enough. Each has a source.
    pub answers: Vec<Answer>,
    /// How many passages were looked through.
    pub passages: usize,
    /// Files that were left out, a sentence each.
    pub notes: Vec<String>,
}

/// Everything at hand: the project's own cards, MedQuAD under the data folder, and a folder of the user's own. What could
/// not be read is a sentence each.
///
/// # Errors
/// One sentence when the user's folder cannot be listed.
pub fn passages(folder: Option<&Path>) -> Result<(Vec<Passage>, Vec<String>), String> {
    let mut notes = Vec::new();
    let mut passages = load::own_cards();
    let root = std::env::var_os("LIGHTBOX_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    passages.extend(medquad(&root, &mut notes));
    if let Some(folder) = folder {
        passages.extend(own_folder(folder, &mut notes)?);
    }
    Ok((passages, notes))
}

/// The answers of MedQuAD under a data root, where they are. What could not be read is a sentence in `notes`.
pub fn medquad(root: &Path, notes: &mut Vec<String>) -> Vec<Passage> {
    let Ok(entries) = std::fs::read_dir(root.join("text/medquad")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "zip")).collect();
    paths.sort();
    let mut passages = Vec::new();
    for path in paths {
        let Some(mut archive) = std::fs::File::open(&path).ok().and_then(|f| zip::ZipArchive::new(f).ok()) else {
            notes.push(format!("This archive cannot be read and is left out: {}", path.display()));
            continue;
        };
        for index in 0..archive.len() {
            let Ok(member) = archive.by_index(index) else { continue };
            let mut text = String::new();
            // A member may say any size of itself: no more is read than a page may be.
            if member.take(load::MAX_FILE_BYTES as u64).read_to_string(&mut text).is_ok() {
                passages.extend(load::medquad(&text));
            }
        }
    }
    passages
}

/// Markdown, text and JSON lines of the user's own folder.
fn own_folder(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<Passage>, String> {
    let cannot = |e: std::io::Error| format!("the folder cannot be read ({e}): {}", folder.display());
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).map_err(cannot)?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut passages = Vec::new();
    for path in paths {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        if !matches!(ending.as_str(), "md" | "txt" | "jsonl") {
            continue;
        }
        if std::fs::metadata(&path).is_ok_and(|m| m.len() > load::MAX_FILE_BYTES as u64) {
            notes.push(format!("This file is too long and is left out: {}", path.display()));
            continue;
        }
        let Ok(bytes) = std::fs::read(&path) else {
            notes.push(format!("This file cannot be read and is left out: {}", path.display()));
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if ending == "jsonl" {
            let (found, bad) = load::json_lines(&text);
            if bad > 0 {
                notes.push(format!("{bad} lines are no passages and are left out: {}", path.display()));
            }
            passages.extend(found);
        } else {
            passages.extend(load::markdown(&text, &name));
        }
    }
    Ok(passages)
}

/// An index that is kept between questions, for as long as the folder is the same.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) base: KnowledgeBase,
    pub(crate) notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_folder_is_read_and_what_cannot_be_is_said() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.md"), "# Flibber sign\n\nThe flibber sign points to a wobble.\n").unwrap();
        std::fs::write(dir.path().join("b.jsonl"), "{\"no\": 1}\n").unwrap();
        std::fs::write(dir.path().join("c.png"), "no text").unwrap();
        let mut notes = Vec::new();
        let found = own_folder(dir.path(), &mut notes).unwrap();
        assert!(found.iter().any(|p| p.text.contains("flibber sign") && !p.source.is_empty()), "{found:?}");
        assert_eq!(notes.len(), 1);
        assert!(own_folder(&dir.path().join("none"), &mut notes).is_err());
    }
}
