//! The report that a reader edits: sections of sentences, each with its sources and its state.
//!
//! A sentence that comes from a model starts as [`SentenceState::Proposed`]. Nothing but an operation
//! of the reader moves it on, and [`ReportDocument::to_text`] leaves out whatever is still proposed or
//! was rejected: a signed text never holds a sentence that nobody accepted.

use serde::{Deserialize, Serialize};

/// Identifies a sentence within one document; never used twice in it.
pub type SentenceId = u64;

/// Why an operation on a report did nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The sentence is not, or no longer, in the report.
    #[error("the report has no sentence {0} any more")]
    NoSuchSentence(SentenceId),
    /// The report has fewer sections.
    #[error("the report has no section {index}; it has {count}")]
    NoSuchSection {
        /// The section asked for, from 0.
        index: usize,
        /// How many sections there are.
        count: usize,
    },
    /// A sentence must hold a word.
    #[error("an empty sentence cannot be put into the report; remove it instead")]
    EmptyText,
}

/// The kind of thing that a sentence rests on; the window picks the icon by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChipKind {
    /// The image's header.
    Header,
    /// An earlier examination.
    Prior,
    /// A measurement.
    Measurement,
    /// A model's output.
    Model,
    /// The reader.
    Reader,
    /// A published guideline.
    Guideline,
}

/// A small label under a sentence that says what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceChip {
    /// What kind of source.
    pub kind: ChipKind,
    /// The words on the chip ("cxr-lungs, unconfirmed", "126 / 307 mm, at the detector").
    pub label: String,
}

/// What the reader has done with a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentenceState {
    /// Offered by the program; nobody has looked at it.
    Proposed,
    /// Taken as it is.
    Accepted,
    /// Refused; kept so that it is not proposed again.
    Rejected,
    /// Typed by the reader.
    Written,
    /// Proposed or accepted, then changed by the reader.
    Edited,
}

impl SentenceState {
    /// Whether the sentence belongs to the text that is signed.
    pub fn is_confirmed(self) -> bool {
        matches!(self, Self::Accepted | Self::Written | Self::Edited)
    }
}

/// One sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// Identifies it within the document.
    pub id: SentenceId,
    /// The words, without line breaks at the ends.
    pub text: String,
    /// What it rests on.
    #[serde(default)]
    pub sources: Vec<SourceChip>,
    /// Ids of the findings that it says.
    #[serde(default)]
    pub finding_ids: Vec<String>,
    /// What the reader has done with it.
    pub state: SentenceState,
    /// What the program had proposed, where the reader changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_text: Option<String>,
    /// What the reader had confirmed before the finding changed; the sentence waits for a decision again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

impl Sentence {
    /// Whether the sentence belongs to the text that is signed.
    pub fn is_confirmed(&self) -> bool {
        self.state.is_confirmed()
    }

    /// Whether both say the same findings.
    fn is_about_finding_of(&self, other: &Self) -> bool {
        !other.finding_ids.is_empty() && self.finding_ids == other.finding_ids
    }

    /// Whether both say the same words, of which at most one knows its finding: equal words about two images are two
    /// sentences.
    fn has_words_of(&self, other: &Self) -> bool {
        (self.finding_ids.is_empty() || other.finding_ids.is_empty())
            && (self.text == other.text || self.proposed_text.as_ref() == Some(&other.text))
    }
}

/// A section under one heading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// The heading ("Findings").
    pub title: String,
    /// Its sentences in order.
    #[serde(default)]
    pub sentences: Vec<Sentence>,
}

/// A report: sections in order, saved as JSON, exported as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDocument {
    /// The name of the template that it was drafted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The sections in order.
    #[serde(default)]
    pub sections: Vec<Section>,
    /// The next free sentence id; at least one more than any in use.
    #[serde(default)]
    next_id: SentenceId,
}

/// A place between sentences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The section, from 0.
    pub section: usize,
    /// The sentence before which to insert, from 0; the section's length or more means its end.
    pub sentence: usize,
}

impl ReportDocument {
    /// An empty report with the given headings.
    pub fn with_sections<'a>(titles: impl IntoIterator<Item = &'a str>) -> Self {
        let sections =
            titles.into_iter().map(|title| Section { title: title.to_owned(), sentences: Vec::new() }).collect();
        Self { template: None, sections, next_id: 1 }
    }

    /// Takes a proposal as it is. Accepting a written or edited sentence changes nothing.
    ///
    /// # Errors
    /// [`DocumentError::NoSuchSentence`].
    pub fn accept(&mut self, id: SentenceId) -> Result<(), DocumentError> {
        let sentence = self.sentence_mut(id)?;
        if matches!(sentence.state, SentenceState::Proposed | SentenceState::Rejected) {
            sentence.state = SentenceState::Accepted;
            sentence.replaces = None;
        }
        Ok(())
    }

    /// Refuses a sentence: it leaves the text and stays in the document as rejected.
    ///
    /// # Errors
    /// [`DocumentError::NoSuchSentence`].
    pub fn reject(&mut self, id: SentenceId) -> Result<(), DocumentError> {
        self.sentence_mut(id)?.state = SentenceState::Rejected;
        Ok(())
    }

    /// Puts the reader's words in place of a sentence; they count as the reader's own.
    ///
    /// # Errors
    /// [`DocumentError::NoSuchSentence`], [`DocumentError::EmptyText`].
    pub fn edit(&mut self, id: SentenceId, text: &str) -> Result<(), DocumentError> {
        let text = clean(text)?;
        let sentence = self.sentence_mut(id)?;
        if sentence.text == text && sentence.is_confirmed() {
            return Ok(());
        }
        sentence.replaces = None;
        if sentence.state != SentenceState::Written {
            sentence.state = SentenceState::Edited;
            let before = std::mem::take(&mut sentence.text);
            sentence.proposed_text.get_or_insert(before);
        }
        sentence.text = text;
        Ok(())
    }

    /// Inserts a sentence that the reader wrote and returns its id.
    ///
    /// # Errors
    /// [`DocumentError::NoSuchSection`], [`DocumentError::EmptyText`].
    pub fn insert(&mut self, place: Place, text: &str) -> Result<SentenceId, DocumentError> {
        let chip = SourceChip { kind: ChipKind::Reader, label: "You".into() };
        self.place(place, clean(text)?, vec![chip], Vec::new(), SentenceState::Written)
    }

    /// Appends a sentence of the program to a section and returns its id. Sentences of a model must come as
    /// [`SentenceState::Proposed`].
    ///
    /// # Errors
    /// [`DocumentError::NoSuchSection`], [`DocumentError::EmptyText`].
    pub fn push(
        &mut self,
        section: usize,
        text: &str,
        sources: Vec<SourceChip>,
        finding_ids: Vec<String>,
        state: SentenceState,
    ) -> Result<SentenceId, DocumentError> {
        self.place(Place { section, sentence: usize::MAX }, clean(text)?, sources, finding_ids, state)
    }

    /// Takes a sentence out for good and returns it, so that an undo can put it back.
    ///
    /// # Errors
    /// [`DocumentError::NoSuchSentence`].
    pub fn remove(&mut self, id: SentenceId) -> Result<(Place, Sentence), DocumentError> {
        for (section_index, section) in self.sections.iter_mut().enumerate() {
            if let Some(index) = section.sentences.iter().position(|sentence| sentence.id == id) {
                let place = Place { section: section_index, sentence: index };
                return Ok((place, section.sentences.remove(index)));
            }
        }
        Err(DocumentError::NoSuchSentence(id))
    }

    /// The sentence with this id.
    pub fn sentence(&self, id: SentenceId) -> Option<&Sentence> {
        self.sentences().find(|sentence| sentence.id == id)
    }

    /// All sentences in reading order.
    pub fn sentences(&self) -> impl Iterator<Item = &Sentence> {
        self.sections.iter().flat_map(|section| &section.sentences)
    }

    /// How many sentences wait for the reader's decision.
    pub fn unconfirmed_count(&self) -> usize {
        self.sentences().filter(|sentence| sentence.state == SentenceState::Proposed).count()
    }

    /// Takes over the sentences of a new draft that this document does not hold yet, so that a model's later result joins a
    /// report in work. A proposal that nobody touched follows the new numbers. A confirmed sentence whose finding says
    /// something else now waits for the reader again, with what it said in [`Sentence::replaces`]: numbers that are no
    /// longer those of the image must not stay in the text. A rejected sentence stays rejected.
    ///
    /// Sections of the draft that are empty come too: the reader writes into them.
    pub fn merge(&mut self, draft: &Self) {
        for section in &draft.sections {
            self.section_of(&section.title);
            for sentence in &section.sentences {
                self.merge_sentence(&section.title, sentence);
            }
        }
    }

    /// Compares what is said about findings with a new draft of all of them. Sentences whose finding says something else
    /// follow as in [`Self::merge`]; those whose finding is gone are dropped if nobody had confirmed them, else they wait
    /// for the reader again. Nothing is added. Whether anything changed.
    pub fn recheck(&mut self, draft: &Self) -> bool {
        let before = self.sections.clone();
        let new: Vec<(&str, &Sentence)> =
            draft.sections.iter().flat_map(|x| x.sentences.iter().map(|s| (x.title.as_str(), s))).collect();
        let known: Vec<Sentence> = self.sentences().filter(|x| !x.finding_ids.is_empty()).cloned().collect();
        for sentence in known {
            match new.iter().find(|(_, n)| n.is_about_finding_of(&sentence)) {
                Some((title, n)) => {
                    let held = self.sections.iter().find(|x| x.sentences.iter().any(|y| y.id == sentence.id));
                    let title = held.map_or_else(|| (*title).to_owned(), |x| x.title.clone());
                    self.merge_sentence(&title, n);
                }
                None => self.lose(sentence.id),
            }
        }
        self.sections != before
    }

    /// The finding of a sentence is gone.
    fn lose(&mut self, id: SentenceId) {
        for section in &mut self.sections {
            section.sentences.retain(|x| x.id != id || x.state != SentenceState::Proposed || x.replaces.is_some());
            for x in section.sentences.iter_mut().filter(|x| x.id == id && x.is_confirmed()) {
                x.replaces = Some(x.text.clone());
                x.state = SentenceState::Proposed;
            }
        }
    }

    /// The section of a title; there is one afterwards.
    fn section_of(&mut self, title: &str) -> usize {
        self.sections.iter().position(|section| section.title == title).unwrap_or_else(|| {
            self.sections.push(Section { title: title.to_owned(), sentences: Vec::new() });
            self.sections.len() - 1
        })
    }

    fn merge_sentence(&mut self, title: &str, new: &Sentence) {
        let target = self.section_of(title);
        let sentences = &mut self.sections[target].sentences;
        let known = sentences
            .iter()
            .position(|known| known.is_about_finding_of(new))
            .or_else(|| sentences.iter().position(|known| known.has_words_of(new)));
        let Some(known) = known.map(|at| &mut sentences[at]) else {
            let id = self.take_id();
            self.sections[target].sentences.push(Sentence { id, ..new.clone() });
            return;
        };
        match known.state {
            SentenceState::Proposed => {
                known.text.clone_from(&new.text);
                known.sources.clone_from(&new.sources);
                if known.replaces.is_none() {
                    known.state = new.state;
                } else if known.replaces.take_if(|before| *before == new.text).is_some() {
                    // Back to what the reader had confirmed: there is nothing new to decide.
                    known.state = SentenceState::Accepted;
                }
            }
            SentenceState::Rejected => {}
            _ if new.state == SentenceState::Rejected => known.state = SentenceState::Rejected,
            // The reader's own words, or a proposal that the reader put in: what they are about is held against them by the
            // checks, and they are not written over.
            SentenceState::Written => {}
            _ => {
                let said = known.proposed_text.as_ref().unwrap_or(&known.text);
                if known.is_about_finding_of(new) && *said != new.text && known.text != new.text {
                    known.replaces = Some(std::mem::replace(&mut known.text, new.text.clone()));
                    known.sources.clone_from(&new.sources);
                    known.proposed_text = None;
                    known.state = SentenceState::Proposed;
                }
            }
        }
    }

    /// Sentences that come from now on get numbers of at least `first`, so that those of several reports differ.
    pub fn number_from(&mut self, first: SentenceId) {
        self.next_id = self.next_id.max(first);
    }

    /// Numbers all sentences anew, from `first`.
    pub fn renumber(&mut self, first: SentenceId) {
        let mut next = first;
        for sentence in self.sections.iter_mut().flat_map(|section| &mut section.sentences) {
            sentence.id = next;
            next = next.saturating_add(1);
        }
        self.next_id = next;
    }

    /// The text to sign: confirmed sentences only, headings of sections that hold one.
    ///
    /// What is proposed or rejected is left out, not marked, so the text can never carry it by accident.
    pub fn to_text(&self) -> String {
        self.write(|sentence| sentence.is_confirmed().then(|| sentence.text.clone()))
    }

    /// The text for the eye of the reader at work: proposals stand in it, each marked `[unconfirmed]`.
    pub fn to_text_with_proposals(&self) -> String {
        self.write(|sentence| match sentence.state {
            SentenceState::Proposed => Some(format!("[unconfirmed] {}", sentence.text)),
            SentenceState::Rejected => None,
            _ => Some(sentence.text.clone()),
        })
    }

    fn write(&self, line_of: impl Fn(&Sentence) -> Option<String>) -> String {
        let mut text = String::new();
        for section in &self.sections {
            let lines: Vec<String> = section.sentences.iter().filter_map(&line_of).collect();
            if lines.is_empty() {
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&section.title.to_uppercase());
            text.push_str(":\n");
            for line in lines {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }

    fn place(
        &mut self,
        place: Place,
        text: String,
        sources: Vec<SourceChip>,
        finding_ids: Vec<String>,
        state: SentenceState,
    ) -> Result<SentenceId, DocumentError> {
        let count = self.sections.len();
        if place.section >= count {
            return Err(DocumentError::NoSuchSection { index: place.section, count });
        }
        let id = self.take_id();
        let sentences = &mut self.sections[place.section].sentences;
        let index = place.sentence.min(sentences.len());
        sentences
            .insert(index, Sentence { id, text, sources, finding_ids, state, proposed_text: None, replaces: None });
        Ok(id)
    }

    /// A file written by hand may lack `next_id`: ids in use are looked at, not trusted to lie below it.
    fn take_id(&mut self) -> SentenceId {
        let used = self.sentences().map(|sentence| sentence.id).max().unwrap_or(0);
        let id = self.next_id.max(used.saturating_add(1));
        self.next_id = id.saturating_add(1);
        id
    }

    fn sentence_mut(&mut self, id: SentenceId) -> Result<&mut Sentence, DocumentError> {
        self.sections
            .iter_mut()
            .flat_map(|section| &mut section.sentences)
            .find(|sentence| sentence.id == id)
            .ok_or(DocumentError::NoSuchSentence(id))
    }
}

fn clean(text: &str) -> Result<String, DocumentError> {
    let text = text.trim();
    if text.is_empty() { Err(DocumentError::EmptyText) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report_with_proposal() -> (ReportDocument, SentenceId) {
        let mut report = ReportDocument::with_sections(["Findings", "Impression"]);
        let chip = SourceChip { kind: ChipKind::Model, label: "cxr-lungs, unconfirmed".into() };
        let id =
            report.push(0, "Right lung 54 %.", vec![chip], vec!["lung-area".into()], SentenceState::Proposed).unwrap();
        (report, id)
    }

    #[test]
    fn a_proposal_is_not_in_the_text_until_accepted() {
        let (mut report, id) = report_with_proposal();
        assert_eq!(report.to_text(), "");
        assert!(report.to_text_with_proposals().contains("[unconfirmed] Right lung 54 %."));
        assert_eq!(report.unconfirmed_count(), 1);
        report.accept(id).unwrap();
        assert_eq!(report.to_text(), "FINDINGS:\nRight lung 54 %.\n");
        report.reject(id).unwrap();
        assert_eq!(report.to_text(), "");
    }

    #[test]
    fn an_edit_keeps_what_was_proposed() {
        let (mut report, id) = report_with_proposal();
        report.edit(id, "Right lung 55 %.").unwrap();
        report.edit(id, "Right lung larger.").unwrap();
        let sentence = report.sentence(id).unwrap();
        assert_eq!(sentence.state, SentenceState::Edited);
        assert_eq!(sentence.proposed_text.as_deref(), Some("Right lung 54 %."));
        assert_eq!(report.edit(id, "  \n"), Err(DocumentError::EmptyText));
    }

    #[test]
    fn insert_and_remove_keep_order_and_never_reuse_an_id() {
        let (mut report, first) = report_with_proposal();
        let second = report.insert(Place { section: 0, sentence: 0 }, "No pneumothorax.").unwrap();
        assert_eq!(report.sections[0].sentences[0].id, second);
        let (place, removed) = report.remove(second).unwrap();
        assert_eq!((place.section, place.sentence, removed.id), (0, 0, second));
        let third = report.insert(Place { section: 1, sentence: 9 }, "Normal.").unwrap();
        assert!(third > second && second > first);
        assert_eq!(report.remove(second), Err(DocumentError::NoSuchSentence(second)));
        assert!(report.insert(Place { section: 7, sentence: 0 }, "x").is_err());
    }

    #[test]
    fn a_second_draft_does_not_bring_a_rejected_sentence_back() {
        let (mut report, id) = report_with_proposal();
        let (again, _) = report_with_proposal();
        report.reject(id).unwrap();
        report.merge(&again);
        assert_eq!(report.sentences().count(), 1);
        assert_eq!(report.to_text(), "");
    }

    #[test]
    fn an_untouched_proposal_follows_new_numbers() {
        let (mut report, id) = report_with_proposal();
        let mut newer = ReportDocument::with_sections(["Findings"]);
        newer.push(0, "Right lung 52 %.", vec![], vec!["lung-area".into()], SentenceState::Proposed).unwrap();
        report.merge(&newer);
        assert_eq!(report.sentence(id).unwrap().text, "Right lung 52 %.");
    }

    #[test]
    fn a_confirmed_sentence_waits_again_when_its_numbers_change() {
        let newer = |text: &str| {
            let mut draft = ReportDocument::with_sections(["Findings"]);
            draft.push(0, text, vec![], vec!["lung-area".into()], SentenceState::Accepted).unwrap();
            draft
        };
        for edited in [false, true] {
            let (mut report, id) = report_with_proposal();
            let mine = if edited { "Right lung a little larger." } else { "Right lung 54 %." };
            if edited {
                report.edit(id, mine).unwrap();
            } else {
                report.accept(id).unwrap();
            }
            let before = report.clone();
            report.merge(&newer("Right lung 54 %."));
            assert_eq!(report, before, "the same numbers ask nothing");
            report.merge(&newer("Right lung 52 %."));
            let sentence = report.sentence(id).unwrap();
            assert_eq!((sentence.state, sentence.text.as_str()), (SentenceState::Proposed, "Right lung 52 %."));
            assert_eq!(sentence.replaces.as_deref(), Some(mine));
            assert_eq!(report.to_text(), "");
            // Another change still shows what the reader had confirmed.
            report.merge(&newer("Right lung 51 %."));
            assert_eq!(report.sentence(id).unwrap().replaces.as_deref(), Some(mine));
            assert_eq!(report.to_text(), "");
            report.accept(id).unwrap();
            assert_eq!(report.to_text(), "FINDINGS:\nRight lung 51 %.\n");
            assert_eq!(report.sentence(id).unwrap().replaces, None);
        }
        let (mut report, id) = report_with_proposal();
        report.accept(id).unwrap();
        let mut there_and_back = newer("Right lung 52 %.");
        there_and_back.sections[0].sentences[0].state = SentenceState::Proposed;
        report.merge(&there_and_back);
        there_and_back.sections[0].sentences[0].text = "Right lung 54 %.".into();
        report.merge(&there_and_back);
        assert_eq!(report.to_text(), "FINDINGS:\nRight lung 54 %.\n");
    }

    #[test]
    fn equal_words_about_two_images_are_two_sentences() {
        let mut report = ReportDocument::with_sections(["Findings"]);
        let mut draft = ReportDocument::with_sections(["Findings"]);
        for image in ["lung-area 1", "lung-area 2"] {
            draft.push(0, "Right lung 54 %.", vec![], vec![image.into()], SentenceState::Proposed).unwrap();
        }
        report.merge(&draft);
        assert_eq!(report.sentences().count(), 2);
        report.merge(&draft);
        assert_eq!(report.sentences().count(), 2);
        report.renumber(40);
        report.number_from(60);
        report.insert(Place { section: 0, sentence: 0 }, "Normal.").unwrap();
        assert_eq!(report.sentences().map(|s| s.id).collect::<Vec<_>>(), [60, 40, 41]);
    }

    #[test]
    fn saving_and_loading_gives_the_same_report() {
        let (report, _) = report_with_proposal();
        let saved = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<ReportDocument>(&saved).unwrap(), report);
    }
}
