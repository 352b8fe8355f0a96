//! Passages from files. The caller reads the bytes; here they are understood, and what cannot be is left out.

use serde::Deserialize;

use super::{Audience, Passage};

/// The project's own cards (CC0), each with the source that its facts are from.
pub fn own_cards() -> Vec<Passage> {
    markdown(include_str!("../../data/cards/imaging.md"), "")
}

/// A longer text is cut into passages of about this many bytes, at paragraphs.
const PASSAGE_BYTES: usize = 1800;
/// A file of the user's folder beyond this is no text to be read.
pub const MAX_FILE_BYTES: usize = 8 << 20;

/// Cards in Markdown: `## Title`, then lines `Source:`, `Date:`, `URL:`, `Licence:`, `Audience:`, `Also:`, then text.
///
/// A text without such lines is cut at its headings and carries `fallback_source` (the file's name); where that
/// is empty too, it is left out by the knowledge base.
pub fn markdown(text: &str, fallback_source: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut card = Passage::default();
    let mut in_head = false;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix('#').map(|rest| rest.trim_start_matches('#').trim()) {
            push(&mut passages, std::mem::take(&mut card), fallback_source);
            title.clone_into(&mut card.title);
            in_head = true;
            continue;
        }
        let field = line.split_once(':').filter(|_| in_head);
        match field.map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned())) {
            Some((name, value)) if name == "source" => card.source = value,
            Some((name, value)) if name == "date" => card.date = value,
            Some((name, value)) if name == "url" => card.url = value,
            Some((name, value)) if name == "licence" || name == "license" => card.licence = value,
            Some((name, value)) if name == "audience" => card.audience = Audience::of(&value),
            Some((name, value)) if name == "also" => {
                card.synonyms = value.split(';').map(|part| part.trim().to_owned()).collect();
            }
            _ => {
                in_head = in_head && line.trim().is_empty();
                card.text.push_str(line);
                card.text.push('\n');
            }
        }
    }
    push(&mut passages, card, fallback_source);
    passages
}

fn push(passages: &mut Vec<Passage>, mut card: Passage, fallback_source: &str) {
    if card.text.trim().is_empty() {
        return;
    }
    if card.source.is_empty() {
        fallback_source.clone_into(&mut card.source);
    }
    if card.title.is_empty() {
        fallback_source.clone_into(&mut card.title);
    }
    for text in parts(&card.text) {
        passages.push(Passage { text, ..card.clone() });
    }
}

/// Paragraphs joined up to the size of a passage; a paragraph that is longer is cut at a sentence.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for piece in text.split("\n\n").flat_map(|paragraph| paragraph.split_inclusive(". ")) {
        let last = parts.last_mut().map_or(0, |part| part.len());
        if last > 0 && last + piece.len() > PASSAGE_BYTES {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(piece);
            if !piece.ends_with(". ") {
                part.push('\n');
            }
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// JSON lines, one passage a line in the form of [`Passage`]; lines that are none are left out and counted.
pub fn json_lines(text: &str) -> (Vec<Passage>, usize) {
    let mut bad = 0;
    let passages = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .filter_map(|line| serde_json::from_str(line).map_err(|_| bad += 1).ok())
        .collect();
    (passages, bad)
}

#[derive(Deserialize)]
struct MedQuad {
    #[serde(rename = "@source", default)]
    source: String,
    #[serde(rename = "@url", default)]
    url: String,
    #[serde(rename = "Focus", default)]
    focus: String,
    #[serde(rename = "FocusAnnotations", default)]
    annotations: Annotations,
    #[serde(rename = "QAPairs", default)]
    pairs: Pairs,
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(rename = "Synonyms", default)]
    synonyms: Synonyms,
}

#[derive(Default, Deserialize)]
struct Synonyms {
    #[serde(rename = "Synonym", default)]
    list: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Pairs {
    #[serde(rename = "QAPair", default)]
    list: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    #[serde(rename = "Question", default)]
    question: String,
    #[serde(rename = "Answer", default)]
    answer: String,
}

/// One document of MedQuAD (Ben Abacha & Demner-Fushman 2019, CC BY 4.0): answers of NIH pages as they stood
/// about 2017, for patients. Pairs whose answer was blanked give none.
pub fn medquad(xml: &str) -> Vec<Passage> {
    let Ok(document) = quick_xml::de::from_str::<MedQuad>(xml) else { return Vec::new() };
    document
        .pairs
        .list
        .into_iter()
        .filter(|pair| !pair.answer.trim().is_empty())
        .map(|pair| Passage {
            title: document.focus.trim().to_owned(),
            synonyms: document.annotations.synonyms.list.clone(),
            question: Some(pair.question.split_whitespace().collect::<Vec<_>>().join(" ")),
            text: pair.answer.trim().to_owned(),
            source: format!("NIH, {} (MedQuAD)", document.source),
            url: document.url.clone(),
            date: "2017".into(),
            licence: "CC BY 4.0".into(),
            audience: Some(Audience::Patient),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_s_file_is_cut_at_its_headings() {
        let found = markdown(
            "# Protocol\nGive 80 mL.\n\n## Liver\nSource: Our handbook\nDate: 2026-05\nFour phases.\n",
            "ct.md",
        );
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].source.as_str(), found[0].title.as_str()), ("ct.md", "Protocol"));
        assert_eq!((found[1].source.as_str(), found[1].date.as_str()), ("Our handbook", "2026-05"));
        assert_eq!(found[1].text, "Four phases.");
        assert!(markdown(&"word. ".repeat(3000), "long.txt").len() > 5);
    }

    #[test]
    fn bad_files_give_what_can_be_read() {
        let (found, bad) =
            json_lines("{\"title\": \"A\", \"text\": \"b\", \"source\": \"c\"}\nnot json\n{\"title\": 3}\n");
        assert_eq!((found.len(), bad), (1, 2));
        assert!(medquad("<Document><QAPairs><QAPair><Answer>").is_empty());
        assert!(medquad("<!DOCTYPE a [<!ENTITY b \"bbbb\">]><Document>&b;</Document>").is_empty());
        let one = medquad(
            "<Document source=\"NINDS\" url=\"https://x\"><Focus>Migraine</Focus><QAPairs><QAPair pid=\"1\">\
             <Question qtype=\"x\">What is it?</Question><Answer>A headache.</Answer></QAPair><QAPair>\
             <Question>Blank?</Question><Answer></Answer></QAPair></QAPairs></Document>",
        );
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].source, "NIH, NINDS (MedQuAD)");
    }
}
