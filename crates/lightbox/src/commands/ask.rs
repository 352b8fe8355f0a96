//! ask and drug: the knowledge base and the drug library. Nothing is fetched; what is at hand is read.

use std::path::{Path, PathBuf};

use lightbox_report::assist::words::Vectors;
use lightbox_report::drug::{Context, Library, recall};
use lightbox_report::kb::{Audience, KnowledgeBase};
use lightbox_session::ask::{ANSWERS, passages};

use crate::output;

pub(super) fn run(
    question: &str,
    audience: Option<&str>,
    folder: Option<&Path>,
    vectors: bool,
    json: bool,
) -> Result<(), String> {
    let own = folder.map(Path::to_path_buf).or_else(|| std::env::var_os("LIGHTBOX_KNOWLEDGE").map(PathBuf::from));
    let (passages, notes) = passages(own.filter(|folder| !folder.as_os_str().is_empty()).as_deref())?;
    notes.iter().for_each(|text| output::note(text));
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
