//! The text that the models here are trained on, by document, and its split.
//!
//! | source | folder | what | document |
//! |---|---|---|---|
//! | ROCO, the CC BY part | `text/roco_radiology_captions_ccby.tsv` | captions of radiology images | the article |
//! | MTS-Dialog | `text/mts-dialog` | sections of clinical notes | the note |
//! | MedQuAD | `text/medquad` | answers of NIH pages | the page |

use crate::data::SplitSpec;
use crate::data::split::Part;
use crate::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Name of the data set in cards and recipes.
pub const SET: &str = "radiology-text";
/// A longer file is no text of these sets.
const LARGEST_FILE_BYTES: u64 = 64 << 20;

/// Where a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Captions of ROCO.
    Roco,
    /// Notes of MTS-Dialog.
    Mts,
    /// Answers of MedQuAD.
    MedQuad,
}

/// One text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Where it is from.
    pub source: Source,
    /// What the split goes by: article, note or page.
    pub group: String,
    /// The words, one space between two.
    pub text: String,
}

/// All texts in a fixed order.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    documents: Vec<Document>,
}

fn fault(reason: impl Into<String>) -> Error {
    Error::Data { set: SET.into(), reason: reason.into() }
}

fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read(path: &Path) -> Result<String> {
    let file = File::open(path).map_err(Error::read(path))?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE_BYTES).read_to_end(&mut bytes).map_err(Error::read(path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Corpus {
    /// Reads what there is of the three under `root/text`.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none; [`Error::Read`].
    pub fn open(root: &Path) -> Result<Self> {
        let folder = root.join("text");
        let mut documents = Vec::new();
        let path = folder.join("roco_radiology_captions_ccby.tsv");
        if path.is_file() {
            documents.extend(roco(&read(&path)?));
        }
        for name in ["MTS-Dialog-TrainingSet.csv", "MTS-Dialog-ValidationSet.csv"] {
            let path = folder.join("mts-dialog").join(name);
            if path.is_file() {
                documents.extend(mts(&read(&path)?, name));
            }
        }
        documents.extend(medquad(&folder.join("medquad"))?);
        if documents.is_empty() {
            return Err(fault(format!("no text is there: {}", folder.display())));
        }
        Ok(Self { documents })
    }

    /// Texts made up by a caller.
    #[must_use]
    pub fn of(documents: Vec<Document>) -> Self {
        Self { documents }
    }

    /// All texts.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The texts of one part of a split, of some sources.
    pub fn part<'c>(
        &'c self,
        split: &'c SplitSpec,
        part: Part,
        sources: &'c [Source],
    ) -> impl Iterator<Item = &'c Document> + 'c {
        self.documents.iter().filter(move |d| sources.contains(&d.source) && split.part(&d.group) == part)
    }
}

/// Columns: split, roco_id, pmc_file, licence, caption.
fn roco(text: &str) -> Vec<Document> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split('\t').skip(2);
            let (file, licence, caption) = (fields.next()?, fields.next()?, fields.next()?);
            let group = file.split('_').next()?.to_owned();
            let text = tidy(caption);
            let free = licence == "CC BY" || licence == "CC0";
            (free && !text.is_empty()).then_some(Document { source: Source::Roco, group, text })
        })
        .collect()
}

/// Columns: ID, section_header, section_text, dialogue; the notes only.
fn mts(text: &str, name: &str) -> Vec<Document> {
    csv(text)
        .into_iter()
        .skip(1)
        .filter_map(|row| {
            let text = tidy(row.get(2)?);
            let group = format!("{name} {}", row.first()?);
            (!text.is_empty()).then_some(Document { source: Source::Mts, group, text })
        })
        .collect()
}

/// Rows of a CSV with quoted fields (RFC 4180).
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            other => field.push(other),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}

fn medquad(folder: &Path) -> Result<Vec<Document>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    let mut documents = Vec::new();
    for path in paths.into_iter().filter(|p| p.extension().is_some_and(|e| e == "zip")) {
        let damaged = |e: zip::result::ZipError| fault(format!("an archive is damaged ({e}): {}", path.display()));
        let mut archive = zip::ZipArchive::new(File::open(&path).map_err(Error::read(&path))?).map_err(damaged)?;
        for index in 0..archive.len() {
            let member = archive.by_index(index).map_err(damaged)?;
            let mut xml = Vec::new();
            member.take(LARGEST_FILE_BYTES).read_to_end(&mut xml).map_err(Error::read(&path))?;
            documents.extend(answers(&String::from_utf8_lossy(&xml)));
        }
    }
    Ok(documents)
}

/// The answers of one page. The documents are flat and made by one program, so their tags are found as text.
fn answers(xml: &str) -> Vec<Document> {
    let Some(url) = between(xml, "url=\"", "\"") else { return Vec::new() };
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find("<Answer>") {
        rest = &rest[start + "<Answer>".len()..];
        let Some(end) = rest.find("</Answer>") else { break };
        let text = rest[..end].replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        let text = tidy(&text);
        if !text.is_empty() {
            found.push(Document { source: Source::MedQuad, group: url.to_owned(), text });
        }
        rest = &rest[end..];
    }
    found
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let start = text.find(before)? + before.len();
    Some(&text[start..start + text[start..].find(after)?])
}

/// Words as the n-gram and the word vectors count them: runs of letters and digits (with `-` and `'` inside), and each
/// other mark for itself; lower case.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    word_spans(text).into_iter().map(|span| text[span].to_lowercase()).collect()
}

/// The byte ranges of [`words`].
#[must_use]
pub fn word_spans(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut spans = Vec::new();
    let mut start = None;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let joins = matches!(letter, '-' | '\'' | '\u{2019}')
            && start.is_some()
            && letters.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        if letter.is_alphanumeric() || joins {
            start.get_or_insert(at);
            continue;
        }
        if let Some(start) = start.take() {
            spans.push(start..at);
        }
        if !letter.is_whitespace() {
            spans.push(at..at + letter.len_utf8());
        }
    }
    if let Some(start) = start {
        spans.push(start..text.len());
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_each_form() {
        let rows = roco(
            "split\troco_id\tpmc_file\tlicence\tcaption\ntest\tR\tPMC1_a.jpg\tCC BY\tA  chest\ntest\tR\tPMC2\tCC BY-NC\tno\nshort\n",
        );
        assert_eq!(rows, [Document { source: Source::Roco, group: "PMC1".into(), text: "A chest".into() }]);
        let rows = mts("ID,h,t,d\n0,CC,\"He said \"\"ow\"\",\nthen left.\",x\n1,CC\n", "f");
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text, "He said \"ow\", then left.");
        let pages = answers("<Document url=\"u\"><Answer>a &amp; b</Answer><Answer></Answer><Answer>cut");
        assert_eq!(pages.len(), 1);
        assert_eq!((pages[0].group.as_str(), pages[0].text.as_str()), ("u", "a & b"));
    }

    #[test]
    fn words_are_letters_with_what_joins_them() {
        assert_eq!(
            words("T2-weighted MRI's, 3.5 cm (arrow)-"),
            ["t2-weighted", "mri's", ",", "3", ".", "5", "cm", "(", "arrow", ")", "-"]
        );
        assert!(words("  ").is_empty());
    }
}
