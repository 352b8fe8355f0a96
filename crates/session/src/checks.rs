//! A report as the checks read it, and what they say of it, placed back onto its sentences.
//!
//! [`run`] is for a worker: it reads the text, names what was measured, and asks the rules and the guidelines. What comes
//! out is plain data that the window draws.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use lightbox_report::ReportDocument;
use lightbox_report::assist::kind::{self, SentenceKind};
use lightbox_report::check::{self, Issue, Rule, Severity};
use lightbox_report::findings::{Assertion, Finding, FindingsFile, Source, SourceKind, State};
use lightbox_report::guideline::engine::{self, Applied};
use lightbox_report::measures::LENGTH_TERM;
use lightbox_report::parse::{Mention, Report};
use serde::{Deserialize, Serialize};

use crate::ids::JobId;

/// The field that words stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// A sentence of the report.
    Sentence(u64),
    /// The empty line at the end of a section.
    NewLine(usize),
    /// The heading of a section.
    Heading(usize),
}

/// Words that are being typed and are not in the report yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub at: Anchor,
    /// As they stand.
    pub text: String,
}

/// The text that the rules read, and which part of it is from where.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CheckText {
    /// Headings and sentences, one a line.
    pub text: String,
    /// Its parts in order.
    pub pieces: Vec<Piece>,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Where it is from.
    pub at: Anchor,
    /// Its bytes.
    pub span: Range<usize>,
    /// The findings that it says.
    pub finding_ids: Vec<String>,
}

impl CheckText {
    /// Of the sentences that would be signed, with the words that are being typed in their place.
    #[must_use]
    pub fn of(document: &ReportDocument, typing: Option<&Typing>) -> Self {
        let mut out = Self::default();
        for (n, section) in document.sections.iter().enumerate() {
            let typed = |at: Anchor| typing.filter(|t| t.at == at).map(|t| t.text.trim());
            let mut lines: Vec<(Anchor, &str, &[String])> = Vec::new();
            for sentence in &section.sentences {
                let at = Anchor::Sentence(sentence.id);
                match typed(at) {
                    Some(words) => lines.push((at, words, &sentence.finding_ids)),
                    None if sentence.is_confirmed() => lines.push((at, &sentence.text, &sentence.finding_ids)),
                    None => {}
                }
            }
            lines.extend(typed(Anchor::NewLine(n)).map(|words| (Anchor::NewLine(n), words, &[] as &[String])));
            lines.retain(|(_, words, _)| !words.is_empty());
            if lines.is_empty() {
                continue;
            }
            if !out.text.is_empty() {
                out.text.push('\n');
            }
            out.push(Anchor::Heading(n), &section.title.to_uppercase(), &[], ":\n");
            for (at, words, ids) in lines {
                out.push(at, words, ids, "\n");
            }
        }
        out
    }

    fn push(&mut self, at: Anchor, words: &str, finding_ids: &[String], end: &str) {
        let start = self.text.len();
        self.text.push_str(words);
        self.pieces.push(Piece { at, span: start..self.text.len(), finding_ids: finding_ids.to_vec() });
        self.text.push_str(end);
    }

    /// The fields that a stretch of the text lies in, with its bytes in each.
    #[must_use]
    pub fn places(&self, [from, to]: [usize; 2]) -> Vec<(Anchor, [usize; 2])> {
        let inside = |piece: &Piece| {
            let (start, end) = (from.max(piece.span.start), to.min(piece.span.end));
            (start < end).then(|| (piece.at, [start - piece.span.start, end - piece.span.start]))
        };
        self.pieces.iter().filter_map(inside).collect()
    }

    fn piece(&self, at: usize) -> Option<&Piece> {
        self.pieces.iter().find(|piece| piece.span.contains(&at))
    }
}

/// What a check is made of.
#[derive(Debug, Clone)]
pub struct CheckSpec {
    /// Study Instance UID.
    pub study: String,
    /// The words.
    pub text: CheckText,
    /// What they are held against.
    pub facts: FindingsFile,
}

/// What a rule says of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// Rule, severity, words, and bytes of the whole text.
    pub issue: Issue,
    /// The fields that the compared words stand in, with their bytes there; the first is where it is shown.
    pub places: Vec<(Anchor, [usize; 2])>,
    /// What it contradicts.
    pub against: Option<Against>,
    /// One way to put it right.
    pub fix: Option<Fix>,
}

/// What an objection can be looked up in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Against {
    /// A finding, with its pixels.
    Finding(String),
    /// Another sentence.
    Words(Anchor),
    /// A line of the header, by its name in the Info tab.
    Tag(&'static str),
}

/// Other words for a stretch of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The field.
    pub at: Anchor,
    /// The bytes that are replaced.
    pub span: [usize; 2],
    /// By this.
    pub with: String,
}

impl Objection {
    /// What a kept objection is known by while the text around it changes.
    #[must_use]
    pub fn key(&self) -> (Rule, String) {
        (self.issue.rule, self.issue.message.clone())
    }

    /// Whether a report cannot be signed while it stands without a reason.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.issue.severity == Severity::Error
    }
}

/// What the checks said last.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checks {
    /// In the order of the text.
    pub objections: Vec<Objection>,
    /// What guidelines say of the confirmed findings.
    pub advice: Vec<Applied>,
    /// How long they took, in milliseconds; `None` before the first.
    pub took_ms: Option<f64>,
    /// The text was longer than what is checked.
    pub cut: bool,
    /// What the first sentence of a field is.
    pub kinds: BTreeMap<Anchor, SentenceKind>,
    /// Something changed since.
    pub(crate) stale: bool,
    /// The check that runs.
    pub(crate) running: Option<JobId>,
    /// What the text was held against last, and as of when.
    pub(crate) known: Option<(Drawn, Arc<FindingsFile>)>,
}

/// Changes with what is drawn and found on the images, and with the studies that are open.
pub(crate) type Drawn = ((usize, u64, usize), usize);

impl Checks {
    /// Whether they speak of the text as it stands.
    #[must_use]
    pub fn are_current(&self) -> bool {
        self.took_ms.is_some() && !self.stale && self.running.is_none()
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// In the order of the text.
    pub objections: Vec<Objection>,
    /// What guidelines say.
    pub advice: Vec<Applied>,
    /// Milliseconds.
    pub took_ms: f64,
    /// Only the first part was read.
    pub cut: bool,
    /// What the first sentence of a field is.
    pub kinds: BTreeMap<Anchor, SentenceKind>,
}

/// Checks a report. Takes some milliseconds, more for a long paste: not for the thread that draws.
#[must_use]
pub fn run(spec: &CheckSpec, today: check::Date) -> Checked {
    let clock = std::time::Instant::now();
    let text = &spec.text;
    let part = check::checked_part(&text.text);
    let report = Report::read(part);
    let mut kinds = BTreeMap::new();
    for (span, kind) in kind::kinds_of(&report) {
        for (at, _) in text.places(span) {
            kinds.entry(at).or_insert(kind);
        }
    }
    let mut facts = spec.facts.clone();
    name_measured(text, &report, &mut facts);
    let issues = check::check_report(&report, Some(&facts), today);
    let objections = issues.into_iter().map(|issue| placed(issue, text, &report, &facts)).collect();
    let told = told(text, &report, &facts);
    facts.findings.get_or_insert_default().extend(told);
    let mut advice = engine::apply(&facts);
    // A number alone, on the good side of its limit, asks for nothing.
    advice.retain(|a| !a.advice.is_empty());
    Checked {
        objections,
        advice,
        took_ms: clock.elapsed().as_secs_f64() * 1e3,
        cut: part.len() < text.text.len(),
        kinds,
    }
}

/// What was found and measured, with the names that the text gives.
#[must_use]
pub fn with_names(text: &CheckText, mut facts: FindingsFile) -> FindingsFile {
    let report = Report::read(check::checked_part(&text.text));
    name_measured(text, &report, &mut facts);
    facts
}

/// What was measured is for the reader to say: a length has the name that the sentence about it gives.
fn name_measured(text: &CheckText, report: &Report<'_>, facts: &mut FindingsFile) {
    for piece in text.pieces.iter().filter(|piece| !piece.finding_ids.is_empty()) {
        let named = report.mentions.iter().find(|m| piece.span.contains(&m.span.start) && m.is_current());
        let Some(mention) = named else { continue };
        let of_piece = |f: &&mut Finding| f.id.as_ref().is_some_and(|id| piece.finding_ids.contains(id));
        for finding in facts.findings.iter_mut().flatten().filter(of_piece) {
            if finding.term.as_deref() == Some(LENGTH_TERM) {
                finding.term = Some(mention.entry.name.clone());
                finding.assertion = Some(mention.assertion);
            }
        }
    }
}

fn placed(issue: Issue, text: &CheckText, report: &Report<'_>, facts: &FindingsFile) -> Objection {
    let places: Vec<_> = issue.spans.iter().flat_map(|span| text.places(*span)).collect();
    let fix = other_side(&issue, text);
    let against = against(&issue, &places, text, report, facts);
    Objection { issue, places, against, fix }
}

/// `Change to right`, where the words compared are a side.
fn other_side(issue: &Issue, text: &CheckText) -> Option<Fix> {
    let span = issue.spans.first().filter(|_| issue.rule == Rule::R01)?;
    let with = match text.text.get(span[0]..span[1])? {
        "left" => "right",
        "Left" => "Right",
        "right" => "left",
        "Right" => "Left",
        _ => return None,
    };
    let (at, span) = *text.places(*span).first()?;
    Some(Fix { at, span, with: with.to_owned() })
}

fn against(
    issue: &Issue,
    places: &[(Anchor, [usize; 2])],
    text: &CheckText,
    report: &Report<'_>,
    facts: &FindingsFile,
) -> Option<Against> {
    let tag = match issue.rule {
        Rule::R08 => Some("Sex"),
        Rule::R09 => Some("Age at the study"),
        Rule::R10 => Some(if issue.message.contains("contrast") { "Contrast" } else { "Modality" }),
        Rule::R11 | Rule::R22 => Some("Date"),
        Rule::R21 => Some("Number"),
        Rule::R24 => Some("Patient"),
        _ => None,
    };
    if let Some(tag) = tag {
        return Some(Against::Tag(tag));
    }
    let first = places.first().map(|(at, _)| *at);
    if let Some((other, _)) = places.iter().find(|(at, _)| Some(*at) != first) {
        return Some(Against::Words(*other));
    }
    let about_stored = matches!(issue.rule, Rule::R01 | Rule::R05 | Rule::R06 | Rule::R07 | Rule::R12 | Rule::R23);
    let start = issue.spans.first().filter(|_| about_stored)?[0];
    let piece = text.piece(start)?;
    let known = |id: &&String| facts.known_findings().iter().any(|f| f.id.as_ref() == Some(*id));
    if let Some(id) = piece.finding_ids.iter().find(known) {
        return Some(Against::Finding(id.clone()));
    }
    let spans = |m: &&Mention| issue.spans.iter().any(|s| s[0] < m.span.end && m.span.start < s[1]);
    let mention = report
        .mentions
        .iter()
        .find(spans)
        .or_else(|| report.mentions.iter().find(|m| piece.span.contains(&m.span.start) && m.is_current()))?;
    let same = |f: &&Finding| f.term.as_deref().is_some_and(|term| term.eq_ignore_ascii_case(&mention.entry.name));
    facts.known_findings().iter().find(same).and_then(|f| f.id.clone()).map(Against::Finding)
}

/// Findings that only the text tells, with their sizes: what guidelines can be asked about.
fn told(text: &CheckText, report: &Report<'_>, facts: &FindingsFile) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::new();
    for mention in report.mentions.iter().filter(|m| m.is_present()) {
        let kind = report.kind_of(mention.sentence);
        if !kind.describes() {
            continue;
        }
        let stored = text.piece(mention.span.start).is_some_and(|piece| {
            let named = |f: &Finding| f.term.as_deref().is_some_and(|t| t.eq_ignore_ascii_case(&mention.entry.name));
            let of_piece = |f: &&Finding| f.id.as_ref().is_some_and(|id| piece.finding_ids.contains(id));
            facts.known_findings().iter().filter(of_piece).any(named)
        });
        if stored {
            continue;
        }
        let sentence = &report.text[report.sentences[mention.sentence].span.clone()];
        let mut finding = Finding {
            term: Some(mention.entry.name.clone()),
            assertion: Some(Assertion::Present),
            site: mention.site.map(|site| site.name.clone()),
            side: mention.side.as_ref().map(|side| side.side),
            size_mm: mention.size.map(|size| report.measures[size].mm.clone()),
            source: Some(Source { kind: Some(SourceKind::Text), ..Source::default() }),
            state: Some(State::Confirmed),
            ..Finding::default()
        };
        let lower = sentence.to_lowercase();
        let word =
            ["part-solid", "subsolid", "ground-glass", "nonsolid", "solid"].into_iter().find(|w| lower.contains(w));
        if let Some(word) = word {
            finding.attributes.get_or_insert_default().insert("composition".into(), word.into());
        }
        out.push(finding);
    }
    out
}

#[cfg(test)]
mod tests {
    use lightbox_report::findings::Side;

    use super::*;

    fn document() -> ReportDocument {
        let mut document = ReportDocument::with_sections(["Technique", "Findings", "Impression"]);
        let chips = Vec::new;
        use lightbox_report::SentenceState::{Accepted, Proposed};
        document.push(1, "Nodule in the left lower lobe, 28 mm.", chips(), vec!["length-1".into()], Accepted).unwrap();
        document.push(1, "Emphysema.", chips(), vec![], Proposed).unwrap();
        document
    }

    fn facts() -> FindingsFile {
        let length = Finding {
            id: Some("length-1".into()),
            term: Some(LENGTH_TERM.into()),
            assertion: Some(Assertion::Present),
            side: Some(Side::Right),
            size_mm: Some(vec![28.0]),
            state: Some(State::Confirmed),
            ..Finding::default()
        };
        FindingsFile { findings: Some(vec![length]), ..FindingsFile::default() }
    }

    fn checked(text: CheckText) -> Checked {
        run(&CheckSpec { study: String::new(), text, facts: facts() }, check::today())
    }

    #[test]
    fn the_text_has_what_is_confirmed_and_what_is_being_typed() {
        let mut document = document();
        assert_eq!(CheckText::of(&document, None).text, "FINDINGS:\nNodule in the left lower lobe, 28 mm.\n");
        let id = document.sentences().next().unwrap().id;
        let typing = Typing { at: Anchor::Sentence(id), text: "Nodule. ".into() };
        assert_eq!(CheckText::of(&document, Some(&typing)).text, "FINDINGS:\nNodule.\n");
        let typing = Typing { at: Anchor::NewLine(2), text: "Nodule.".into() };
        document.reject(id).unwrap();
        let text = CheckText::of(&document, Some(&typing));
        assert_eq!(text.text, "IMPRESSION:\nNodule.\n");
        assert_eq!(text.places([0, 16]), [(Anchor::Heading(2), [0, 10]), (Anchor::NewLine(2), [0, 4])]);
    }

    #[test]
    fn a_side_that_the_pixels_contradict_is_said_with_the_finding_and_the_other_side() {
        let document = document();
        let id = document.sentences().next().unwrap().id;
        let found = checked(CheckText::of(&document, None));
        let side = found.objections.iter().find(|o| o.issue.rule == Rule::R01).expect("the side is wrong");
        assert!(side.blocks());
        assert_eq!(side.places[0], (Anchor::Sentence(id), [14, 18]));
        assert_eq!(side.against, Some(Against::Finding("length-1".into())));
        assert_eq!(side.fix, Some(Fix { at: Anchor::Sentence(id), span: [14, 18], with: "right".into() }));
    }

    #[test]
    fn what_the_text_alone_tells_is_advised_on_with_its_source() {
        let typing =
            Typing { at: Anchor::NewLine(1), text: "Solid pulmonary nodule in the right upper lobe, 7 mm.".into() };
        let document = ReportDocument::with_sections(["Technique", "Findings", "Impression"]);
        let found = checked(CheckText::of(&document, Some(&typing)));
        let advice = found.advice.iter().find(|a| a.source.short.contains("Fleischner")).expect("advice");
        assert!(advice.result.contains("7 mm") && !advice.source.version.is_empty(), "{advice:?}");
    }
}
