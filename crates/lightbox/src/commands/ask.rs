//! ask and drug: the knowledge base and the drug library. Nothing is fetched; what is at hand is read.

use std::io::Read;
use std::path::{Path, PathBuf};

use lightbox_report::assist::words::Vectors;
use lightbox_report::drug::{Context, Library, recall};
use lightbox_report::kb::{Audience, KnowledgeBase, Passage, load};

use crate::output;

/// More passages than this help nobody.
const ANSWERS: usize = 3;

pub(super) fn run(
    question: &str,
    audience: Option<&str>,
    folder: Option<&Path>,
    vectors: bool,
    json: bool,
) -> Result<(), String> {
    let mut passages = load::own_cards();
    let root = std::env::var_os("LIGHTBOX_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    passages.extend(medquad(&root));
    let own = folder.map(Path::to_path_buf).or_else(|| std::env::var_os("LIGHTBOX_KNOWLEDGE").map(PathBuf::from));
    if let Some(folder) = own.filter(|folder| !folder.as_os_str().is_empty()) {
        passages.extend(own_folder(&folder)?);
    }
    let base = KnowledgeBase::new(passages);
    let vectors = if vectors { Some(super::language::vectors()?) } else { None };
    let vectors = vectors.as_ref().map(|v| v as &dyn Vectors);
    let answers = base.ask_with(question, audience.and_then(Audience::of), ANSWERS, vectors);
    if json {
        return output::json(&answers);
    }
    if answers.is_empty() {
        output::note(&format!(
            "None of the {} passages at hand answers that; without a source there is no answer.",
            base.len()
        ));
    }
    for answer in &answers {
        output::line(&answer.title);
        output::line(&answer.text);
        let rest = [&answer.date, &answer.url, &answer.licence].into_iter().filter(|part| !part.is_empty());
        let rest: Vec<&str> = rest.map(String::as_str).collect();
        output::line(&format!("Source: {} ({})\n", answer.source, rest.join(", ")));
    }
    Ok(())
}

/// The answers of MedQuAD under the data root, where they are.
pub(super) fn medquad(root: &Path) -> Vec<Passage> {
    let Ok(entries) = std::fs::read_dir(root.join("text/medquad")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "zip")).collect();
    paths.sort();
    let mut passages = Vec::new();
    for path in paths {
        let Some(mut archive) = std::fs::File::open(&path).ok().and_then(|f| zip::ZipArchive::new(f).ok()) else {
            output::note(&format!("This archive cannot be read and is left out: {}", path.display()));
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
fn own_folder(folder: &Path) -> Result<Vec<Passage>, String> {
    let cannot =
        |e: std::io::Error| format!("the folder cannot be read ({}): {}", super::refusal(&e), folder.display());
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
            output::note(&format!("This file is too long and is left out: {}", path.display()));
            continue;
        }
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if ending == "jsonl" {
            let (found, bad) = load::json_lines(&text);
            if bad > 0 {
                output::note(&format!("{bad} lines are no passages and are left out: {}", path.display()));
            }
            passages.extend(found);
        } else {
            passages.extend(load::markdown(&text, &name));
        }
    }
    Ok(passages)
}

pub(super) struct DrugQuestion<'a> {
    pub(super) name: &'a str,
    pub(super) egfr: Option<f64>,
    pub(super) rules: Option<&'a Path>,
    pub(super) recalls: Option<&'a Path>,
    pub(super) ndc: Option<&'a str>,
    pub(super) json: bool,
}

pub(super) fn drug(question: &DrugQuestion<'_>) -> Result<(), String> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|e| format!("it cannot be read ({}): {}", super::refusal(&e), path.display()))
    };
    let mut library = Library::own();
    if let Some(path) = question.rules {
        library.add_local(&read(path)?).map_err(|e| format!("{e}: {}", path.display()))?;
    }
    let notices = match question.recalls {
        Some(path) => recall::read(&read(path)?).map_err(|e| format!("{e}: {}", path.display()))?,
        None => Vec::new(),
    };
    let found = library.search(question.name);
    let Some(drug) = found.first() else {
        return Err(format!("no drug of that name is in the library: {}", question.name));
    };
    let topics = library.safety(drug, Context { egfr: question.egfr });
    let recalls = recall::of_drug(&notices, drug, question.ndc);
    if question.json {
        let value = serde_json::json!({"drug": drug, "topics": topics, "recalls": recalls});
        return output::json(&value);
    }
    output::line(&format!("{} ({})", drug.name, drug.brands.join(", ")));
    output::line(&drug.note);
    if !drug.dose.is_empty() {
        output::line(&format!("Usual adult dose: {}", drug.dose));
    }
    for topic in &topics {
        let mark = if topic.conflict { " (sources differ)" } else { "" };
        output::line(&format!("\n{}{mark}", topic.topic));
        for rule in &topic.rules {
            let local = if rule.local { "local rule, " } else { "" };
            output::line(&format!("  {}: {}", rule.verdict, rule.text));
            output::line(&format!(
                "    {local}{}, {}, {}, {}",
                rule.source, rule.edition, rule.date, rule.jurisdiction
            ));
        }
    }
    for recall in recalls {
        output::line(&format!(
            "\nRecall {} ({}, {}): {} — {}",
            recall.recall_number,
            recall.classification,
            recall.status,
            recall.product_description,
            recall.reason_for_recall
        ));
    }
    Ok(())
}
