//! Templates of the reader's own: MRRT pages, taken into a report and made from one.

use lightbox_report::ReportDocument;
use lightbox_report::mrrt::{Piece, Section, Template};

/// A template that was imported.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnTemplate {
    /// What a report names it by.
    pub id: String,
    /// As shown.
    pub label: String,
    /// The page.
    pub page: Template,
}

impl OwnTemplate {
    /// From a page; its identifier is its id, else its title; one without either is called as its file.
    #[must_use]
    pub fn new(mut page: Template, file: &str) -> Self {
        if page.title.is_empty() {
            let name = if page.identifier.is_empty() { file } else { &page.identifier };
            page.title = name.to_owned();
        }
        let id = if page.identifier.is_empty() { page.title.clone() } else { page.identifier.clone() };
        Self { id, label: page.title.clone(), page }
    }

    /// Headings and the sentences under each, with `[name]` where a field is to be filled.
    #[must_use]
    pub fn sentences(&self) -> Vec<(String, Vec<String>)> {
        let section = |section: &Section| {
            let alone = Template {
                sections: vec![Section { name: String::new(), content: section.content.clone() }],
                ..Template::default()
            };
            (section.name.clone(), split(&alone.to_text()))
        };
        self.page.sections.iter().map(section).collect()
    }
}

/// A text into sentences: after a full stop with a blank and no small letter behind it, and at line ends.
fn split(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines() {
        let mut rest = line.trim();
        while !rest.is_empty() {
            let end = rest.match_indices(['.', '!', '?']).map(|(at, _)| at + 1).find(|at| {
                let mut after = rest[*at..].chars();
                after.next().is_some_and(char::is_whitespace)
                    && after.find(|c| !c.is_whitespace()).is_some_and(|c| !c.is_lowercase())
            });
            let (sentence, more) = rest.split_at(end.unwrap_or(rest.len()));
            out.push(sentence.trim().to_owned());
            rest = more.trim_start();
        }
    }
    // A template that is one long list must not become a report without end.
    out.truncate(200);
    out
}

/// The headings and confirmed sentences of a report as a page. No number of the patient is in it but those that the reader
/// wrote into a sentence.
#[must_use]
pub fn page_of(document: &ReportDocument, title: &str, date: &str) -> Template {
    let section = |section: &lightbox_report::Section| Section {
        name: section.title.clone(),
        content: section.sentences.iter().filter(|x| x.is_confirmed()).map(|x| Piece::Text(x.text.clone())).collect(),
    };
    Template {
        title: title.to_owned(),
        identifier: format!("lightbox/{}", title.to_lowercase().replace(' ', "-")),
        language: "en".to_owned(),
        date: date.to_owned(),
        sections: document.sections.iter().map(section).collect(),
        ..Template::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_sentences_with_its_open_fields() {
        let page = lightbox_report::mrrt::read(
            "<title>T</title><section data-section-name=\"Findings\"><p>Lungs are clear. Heart <input id=\"a\" name=\"size\"> mm, \
             e.g. large.</p></section>",
        )
        .unwrap();
        let own = OwnTemplate::new(page, "mine");
        assert_eq!(
            own.sentences(),
            [("Findings".to_owned(), vec!["Lungs are clear.".to_owned(), "Heart [size] mm, e.g. large.".to_owned()])]
        );
    }

    #[test]
    fn a_report_becomes_a_page_that_is_read_again() {
        let mut document = ReportDocument::with_sections(["Findings"]);
        document.push(0, "Lungs < clear.", vec![], vec![], lightbox_report::SentenceState::Written).unwrap();
        document.push(0, "Emphysema.", vec![], vec![], lightbox_report::SentenceState::Proposed).unwrap();
        let page = page_of(&document, "My chest", "2026-11-25");
        let back = lightbox_report::mrrt::read(&page.to_html()).unwrap();
        assert_eq!(
            OwnTemplate::new(back, "mine").sentences(),
            [("Findings".to_owned(), vec!["Lungs < clear.".to_owned()])]
        );
    }
}
