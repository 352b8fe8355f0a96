//! Whether a written text says more than is known: numbers, sides, findings.
//!
//! What is known is turned into sentences by the same grammar that drafts, and read by the same parser as the text that is
//! judged, so that both are compared in one form. What cannot be compared is not known: a sentence in another language,
//! or of words that the lexicon has never seen, is struck too.

use std::collections::HashSet;

use serde::Serialize;

use crate::findings::{Assertion, Finding, FindingsFile, Side, State};
use crate::lexicon::{Entry, Kind, lexicon};
use crate::parse::side::SideWord;
use crate::parse::tokens::{Token, TokenKind};
use crate::parse::{Mention, Report};
use crate::phrase;

/// What a generated text of more bytes is cut to: nobody reads a longer one.
pub const MAX_BYTES: usize = 16 << 10;

/// What speaks against a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What kind of thing is not known.
    pub kind: FaultKind,
    /// Byte offsets of the words in the whole text.
    pub span: [usize; 2],
    /// One sentence.
    pub message: String,
}

/// What kind of thing is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A number that nothing known holds.
    Number,
    /// A side that the finding does not have.
    Side,
    /// A finding that is not known, or not so.
    Finding,
    /// A place that the finding does not have.
    Place,
    /// Words that cannot be read and so cannot be compared.
    Unreadable,
}

/// A sentence, read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The sentence.
    pub text: String,
    /// Byte offsets in the whole text.
    pub span: [usize; 2],
    /// What speaks against it; such a sentence is shown struck through.
    pub faults: Vec<Fault>,
    /// Ids of the findings that hold what it says; none where only the text does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub finding_ids: Vec<String>,
}

impl Judged {
    /// The sentence, where nothing speaks against it; there is no other way to one that may be inserted.
    #[must_use]
    pub fn insertable(&self) -> Option<&str> {
        self.faults.is_empty().then_some(self.text.as_str())
    }
}

/// A finding as the parser sees it.
#[derive(Clone, Debug)]
struct KnownFinding {
    entry: &'static Entry,
    organ: &'static str,
    site: Option<&'static Entry>,
    assertion: Assertion,
    side: Option<Side>,
    /// Its sizes, now and before.
    sizes_mm: Vec<f64>,
    /// What is said of its make-up, where something is.
    looks: HashSet<&'static str>,
    /// The id of the finding that says so; `None` where the text does.
    id: Option<String>,
}

impl KnownFinding {
    /// Whether it is on a side; where nothing tells, it may be on any.
    fn is_on(&self, side: Side) -> bool {
        self.side.is_none_or(|own| own == side || own == Side::Bilateral)
    }
}

/// Words of a make-up by which two findings of a kind are told apart.
const LOOKS: [&str; 22] = [
    "solid",
    "part-solid",
    "subsolid",
    "nonsolid",
    "ground-glass",
    "spongiform",
    "cystic",
    "calcified",
    "cavitary",
    "cavitated",
    "spiculated",
    "hypoechoic",
    "hyperechoic",
    "isoechoic",
    "anechoic",
    "hypodense",
    "hyperdense",
    "enhancing",
    "haemorrhagic",
    "hemorrhagic",
    "displaced",
    "healed",
];

/// What is known of an examination.
#[derive(Debug, Default)]
pub struct Known {
    findings: Vec<KnownFinding>,
    /// Parts of the body that were named with a side.
    parts: Vec<(&'static str, Side)>,
    numbers: Vec<f64>,
    sizes_mm: Vec<f64>,
    sides: HashSet<Side>,
    words: HashSet<String>,
}

impl Known {
    /// Confirmed findings, the examination, the patient's age, priors, and what the report's own text says.
    ///
    /// What a model proposed and no reader took is not known.
    #[must_use]
    pub fn of(file: Option<&FindingsFile>, text: &str) -> Self {
        let mut known = Self::default();
        if let Some(file) = file {
            let priors = file.known_priors();
            for finding in file.known_findings().iter().filter(|f| f.effective_state() == State::Confirmed) {
                let from = known.findings.len();
                known.read(&phrase::finding_sentence(finding, priors).unwrap_or_default());
                // The grammar of conclusions has no negative form.
                if matches!(finding.effective_assertion(), Assertion::Present | Assertion::Possible) {
                    known.read(&phrase::conclusion_sentence(finding).unwrap_or_default());
                }
                let attributes = || finding.attributes.iter().flat_map(serde_json::Map::values);
                for told in known.findings.iter_mut().skip(from) {
                    told.id.clone_from(&finding.id);
                    told.looks.extend(attributes().filter_map(|value| look(value.as_str()?)));
                }
                known.numbers_of(finding);
            }
            if let Some(age) = file.patient.as_ref().and_then(|p| p.age) {
                known.numbers.extend([age, age.floor()]);
            }
            let exam = file.exam.as_ref();
            for date in
                exam.and_then(|e| e.date.as_deref()).into_iter().chain(priors.iter().filter_map(|p| p.date.as_deref()))
            {
                known.numbers.extend(date.split('-').filter_map(|part| part.parse::<f64>().ok()));
            }
            if let Some(exam) = exam {
                known.sides.extend(exam.laterality);
                let part = exam.body_part.as_deref().and_then(phrase::body_part_name).unwrap_or_default();
                let modality = exam.modality.as_deref().map(phrase::modality_name).unwrap_or_default();
                known.read(&format!("{modality} {part}"));
            }
        }
        known.read(text);
        known
    }

    /// Text that is known too, such as the advice of a guideline.
    #[must_use]
    pub fn and(mut self, text: &str) -> Self {
        self.read(text);
        self
    }

    /// Whether a word, lower case, stands in what is known.
    #[must_use]
    pub fn has_word(&self, word: &str) -> bool {
        self.words.contains(word)
    }

    fn numbers_of(&mut self, finding: &Finding) {
        let sizes = finding.size_mm.iter().chain(&finding.prior_size_mm).flatten();
        self.sizes_mm.extend(sizes.copied());
        self.numbers.extend([finding.volume_ml, finding.area_mm2, finding.mean_hu].into_iter().flatten());
        self.numbers.extend(finding.count.map(|n| n as f64));
        self.sides.extend(finding.side);
        let attributes = finding.attributes.iter().flat_map(serde_json::Map::values);
        self.numbers.extend(attributes.filter_map(serde_json::Value::as_f64));
    }

    fn read(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let report = Report::read(text);
        for mention in report.mentions.iter().filter(|m| counts(m)) {
            let sizes = mention.size.iter().chain(&mention.more_sizes).chain(&mention.prior_size);
            self.findings.push(KnownFinding {
                entry: mention.entry,
                organ: mention.organ,
                site: mention.site,
                assertion: mention.assertion,
                side: mention.side.as_ref().map(|side| side.side),
                sizes_mm: sizes.flat_map(|at| report.measures[*at].mm.iter().copied()).collect(),
                looks: looks(&report, mention.sentence),
                id: None,
            });
        }
        self.parts.extend(parts(&report).map(|(name, word)| (name, word.side)));
        self.sides.extend(report.side_words.iter().map(|word| word.side));
        self.sizes_mm.extend(report.measures.iter().flat_map(|measure| measure.mm.iter().copied()));
        for token in &report.tokens {
            self.numbers.extend(token.number());
            if token.kind == TokenKind::Word {
                self.words.insert(token.norm.to_string());
            }
        }
    }
}

/// What a reader would call something seen, placed or done; what is told of relatives is none.
fn counts(mention: &Mention) -> bool {
    matches!(mention.entry.kind, Kind::Finding | Kind::Device | Kind::Procedure) && !mention.family
}

/// Small words in which every sentence is written; a sentence of other words alone is of another language.
const PLAIN_WORDS: &str = " a about above after again all also an and any are area around as at be because been before below \
    better between big bigger both but by can caused cause causes change changed changes check clear close come common could day days did do \
    doctor does done during each else even ever exam examination explain extra few find finding for found from further get \
    given go good had has have help here how if image images in into is it its just kind known large larger later left less \
    like likely little look looked looks low made main make many may mean means middle might month months more most much \
    need needed new next no normal not noted nothing now of off old on once one only or other our out over part people person \
    picture pictures please possible prior question questions read reader report result results right safe said same scan see \
    seen seems several should show showed shown shows side sign signs similar simple since size small smaller so some soon spot still such suggest \
    suggests talk test tests than thank that the their them then there these they thing things this those through to today \
    together too treatment two type under up us use used usual usually very view was way we week weeks well went were what when \
    where whether which while who why will with within without word words would year years you your ";

/// Numbers as words; "one" is too common to mean one.
const NUMBER_WORDS: [&str; 11] =
    ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

/// Reads a text and says of each sentence what in it is not known. Of a long text only the first [`MAX_BYTES`] are read.
#[must_use]
pub fn judge(text: &str, known: &Known) -> Vec<Judged> {
    let end = (0..=text.len().min(MAX_BYTES)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let text = &text[..end];
    let report = Report::read(text);
    (0..report.sentences.len())
        .filter_map(|index| {
            let span = report.sentences[index].span.clone();
            let sentence = text.get(span.clone())?.trim();
            if sentence.is_empty() || is_heading(&report, index) {
                return None;
            }
            let mut faults = Vec::new();
            let finding_ids = mentions(&report, index, known, &mut faults);
            numbers(&report, index, known, &mut faults);
            readable(&report, index, known, &mut faults);
            faults.sort_by_key(|fault| fault.span);
            faults.dedup();
            Some(Judged { text: sentence.to_owned(), span: [span.start, span.end], faults, finding_ids })
        })
        .collect()
}

/// A heading on a line of its own says nothing.
fn is_heading(report: &Report<'_>, index: usize) -> bool {
    let tokens = &report.tokens[report.sentences[index].tokens.clone()];
    tokens.iter().all(|t| t.kind == TokenKind::Mark)
        || (tokens.len() == 1 && matches!(&*tokens[0].norm, "impression" | "finding" | "conclusion"))
}

fn name(mention: &Mention, report: &Report<'_>) -> String {
    report.text.get(mention.span.clone()).unwrap_or(&mention.entry.name).to_owned()
}

fn same_thing(mention: &Mention, known: &KnownFinding) -> bool {
    let (m, k) = (mention.entry, known.entry);
    if m.name == k.name {
        return true;
    }
    // "nodule" for "pulmonary nodule", and the other way round, in one organ.
    let one_organ = mention.organ.is_empty() || known.organ.is_empty() || mention.organ == known.organ;
    let is_head = |specific: &Entry, general: &Entry| specific.head.as_deref() == Some(general.name.as_str());
    one_organ
        && (is_head(k, m) || is_head(m, k) || (m.head.is_some() && m.head == k.head && mention.organ == known.organ))
}

fn look(word: &str) -> Option<&'static str> {
    LOOKS.into_iter().find(|known| known.eq_ignore_ascii_case(word))
}

/// What a sentence says of a make-up.
fn looks(report: &Report<'_>, sentence: usize) -> HashSet<&'static str> {
    let text = report.text.get(report.sentences[sentence].span.clone()).unwrap_or_default();
    // The tokens part "ground-glass"; here it is one word.
    text.split(|c: char| !c.is_alphanumeric() && c != '-').filter_map(look).collect()
}

/// Parts of the body that are named with a side right before them.
fn parts<'r>(report: &'r Report<'_>) -> impl Iterator<Item = (&'static str, &'r SideWord)> {
    report.anatomy.iter().filter_map(|part| {
        let word = report.side_words.iter().find(|w| w.tokens.end == part.tokens.start)?;
        Some((part.entry.name.as_str(), word))
    })
}

fn same_size(one_mm: f64, other_mm: f64) -> bool {
    // Rounded to a whole millimetre is the same size.
    (one_mm - other_mm).abs() <= if other_mm >= 3.0 { 0.51 } else { 0.051 }
}

/// Of findings of a kind, those that a mention can be about: where its size or its make-up is that of some, it is none of
/// the others.
fn told_apart<'k>(report: &Report<'_>, mention: &Mention, mut known: Vec<&'k KnownFinding>) -> Vec<&'k KnownFinding> {
    let mut only = |is: &dyn Fn(&KnownFinding) -> bool| {
        if known.iter().any(|k| is(k)) {
            known.retain(|k| is(k));
        }
    };
    if let Some(size) = mention.size {
        let mm = &report.measures[size].mm;
        only(&|k| mm.iter().all(|mm| k.sizes_mm.iter().any(|own| same_size(*own, *mm))));
    }
    let said = looks(report, mention.sentence);
    for look in LOOKS.into_iter().filter(|look| said.contains(look)) {
        only(&|k| k.looks.contains(look));
    }
    known
}

/// Holds what a sentence says of findings against what is known; the ids of those that it says.
fn mentions(report: &Report<'_>, index: usize, known: &Known, faults: &mut Vec<Fault>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let here = |m: &&Mention| m.sentence == index && counts(m);
    for mention in report.mentions.iter().filter(here) {
        let fault = |kind: FaultKind, span: &std::ops::Range<usize>, message: String| Fault {
            kind,
            span: [span.start, span.end],
            message,
        };
        let same: Vec<&KnownFinding> = known.findings.iter().filter(|k| same_thing(mention, k)).collect();
        let what = name(mention, report);
        if same.is_empty() {
            let message = format!("\"{what}\" is not among the findings.");
            faults.push(fault(FaultKind::Finding, &mention.span, message));
            continue;
        }
        let allowed = |k: &&&KnownFinding| match mention.assertion {
            Assertion::Absent => k.assertion == Assertion::Absent,
            Assertion::Possible => matches!(k.assertion, Assertion::Present | Assertion::Possible),
            _ => k.assertion == Assertion::Present,
        };
        let so: Vec<&KnownFinding> = same.iter().filter(allowed).copied().collect();
        if so.is_empty() {
            let held = match same[0].assertion {
                Assertion::Absent => "absent",
                Assertion::Possible => "only possible",
                Assertion::NotEvaluated => "not evaluated",
                Assertion::Present => "present",
            };
            faults.push(fault(FaultKind::Finding, &mention.span, format!("\"{what}\" is {held} in the findings.")));
            continue;
        }
        if let Some(side) = &mention.side {
            let has = |side: Side| so.iter().any(|k| k.side == Some(side) || k.side == Some(Side::Bilateral));
            let fits = match side.side {
                Side::Bilateral => {
                    so.iter().any(|k| k.side == Some(Side::Bilateral)) || (has(Side::Left) && has(Side::Right))
                }
                other => has(other),
            };
            if !fits {
                let message = format!("The findings do not have \"{what}\" on this side ({}).", side.side.word());
                faults.push(fault(FaultKind::Side, &side.span, message));
                continue;
            }
            // Of two nodules, the one of this size may be on the other side.
            if side.side != Side::Bilateral
                && !told_apart(report, mention, so.clone()).iter().any(|k| k.is_on(side.side))
            {
                let message = format!("\"{what}\" as it is told here is on the other side in the findings.");
                faults.push(fault(FaultKind::Side, &side.span, message));
                continue;
            }
        }
        if let Some(site) = mention.site {
            let near = |k: &&KnownFinding| {
                k.site.is_none_or(|other| {
                    other.name == site.name || (other.organ == site.organ && site.name == site.organ)
                }) || site.name == k.organ
            };
            if !so.iter().any(near) {
                let message = format!("The findings do not have \"{what}\" in this place ({}).", site.name);
                faults.push(fault(FaultKind::Place, &mention.span, message));
                continue;
            }
        }
        let mut about = told_apart(report, mention, so);
        if let Some(side) = &mention.side {
            about.retain(|k| side.side == Side::Bilateral || k.is_on(side.side));
        }
        for id in about.iter().filter_map(|k| k.id.as_ref()) {
            if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
    }
    // A side that belongs to no finding must at least occur, with its part of the body where that is known on one side.
    let tokens = &report.sentences[index].tokens;
    for word in report.side_words.iter().filter(|w| tokens.contains(&w.tokens.start)) {
        let bound = report
            .mentions
            .iter()
            .filter(here)
            .any(|m| m.side.as_ref().is_some_and(|side| side.span.start == word.span.start));
        if bound {
            continue;
        }
        let span = [word.span.start, word.span.end];
        let both = known.sides.contains(&Side::Bilateral);
        if !known.sides.contains(&word.side) && !both {
            let message = format!("Nothing known is on this side ({}).", word.side.word());
            faults.push(Fault { kind: FaultKind::Side, span, message });
        } else if let Some((part, _)) = parts(report).find(|(_, w)| w.span == word.span) {
            let of_part: Vec<Side> = known.parts.iter().filter(|(name, _)| *name == part).map(|(_, s)| *s).collect();
            let fits = |own: &Side| *own == word.side || *own == Side::Bilateral || word.side == Side::Bilateral;
            if !of_part.is_empty() && !of_part.iter().any(fits) {
                let message = format!("What is known of the {part} is on the other side.");
                faults.push(Fault { kind: FaultKind::Side, span, message });
            }
        }
    }
    ids
}

fn numbers(report: &Report<'_>, index: usize, known: &Known, faults: &mut Vec<Fault>) {
    let range = report.sentences[index].tokens.clone();
    let mut push = |span: [usize; 2], message: String| faults.push(Fault { kind: FaultKind::Number, span, message });
    let mut measured: HashSet<usize> = HashSet::new();
    for measure in report.measures.iter().filter(|m| range.contains(&m.tokens.start) && !m.unit.is_empty()) {
        measured.extend(measure.tokens.clone());
        let same = |mm: f64| known.sizes_mm.iter().any(|k| same_size(*k, mm));
        if !measure.mm.iter().all(|mm| same(*mm)) {
            push([measure.span.start, measure.span.end], "This size is not among the findings.".into());
        }
    }
    for at in range {
        let token: &Token = &report.tokens[at];
        if measured.contains(&at) {
            continue;
        }
        let span = [token.span.start, token.span.end];
        if let Some(value) = token.number() {
            if !known.numbers.iter().chain(&known.sizes_mm).any(|k| (k - value).abs() < 1e-6) {
                push(span, "This number is not among the findings.".into());
            }
        } else if token.kind == TokenKind::Word {
            let place = NUMBER_WORDS.iter().position(|word| **word == *token.norm);
            let known_word = known.words.contains(&*token.norm);
            if let Some(place) = place
                && !known_word
                && !known.numbers.iter().any(|k| (k - (place as f64 + 2.0)).abs() < 1e-6)
            {
                push(span, "This number is not among the findings.".into());
            } else if token.norm.bytes().any(|b| b.is_ascii_digit()) && !known_word {
                push(span, "This level or number is not among the findings.".into());
            }
        }
    }
}

/// Half of a sentence's words must be known, else it is of another language or about other things.
fn readable(report: &Report<'_>, index: usize, known: &Known, faults: &mut Vec<Fault>) {
    let sentence = &report.sentences[index];
    let words: Vec<&Token> =
        report.tokens[sentence.tokens.clone()].iter().filter(|t| t.kind == TokenKind::Word).collect();
    let read = words
        .iter()
        .filter(|token| {
            let norm = &*token.norm;
            PLAIN_WORDS.contains(&format!(" {norm} ")) || lexicon().has_word(norm) || known.words.contains(norm)
        })
        .count();
    if words.is_empty() || 2 * read < words.len() {
        let span = [sentence.span.start, sentence.span.end];
        let message = "This sentence cannot be read, so it cannot be compared.".into();
        faults.push(Fault { kind: FaultKind::Unreadable, span, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> FindingsFile {
        FindingsFile::from_json(
            r#"{"exam": {"modality": "CT", "body_part": "CHEST", "date": "2026-11-18"}, "patient": {"age": 64},
            "priors": [{"date": "2025-10-30", "modality": "CT"}],
            "findings": [
              {"id": "f1", "term": "pulmonary nodule", "site": "right lower lobe", "side": "right", "size_mm": [8.4, 6.1],
               "prior_size_mm": [6.0, 5.0], "change": "increased", "state": "confirmed"},
              {"id": "f2", "term": "pleural effusion", "assertion": "absent"},
              {"id": "f3", "term": "emphysema", "source": {"kind": "model"}, "state": "proposed"},
              {"id": "f4", "term": "pneumonia", "assertion": "possible", "side": "left"}]}"#,
        )
        .unwrap()
    }

    fn kinds(text: &str) -> Vec<FaultKind> {
        let known = Known::of(Some(&file()), "");
        judge(text, &known).iter().flat_map(|j| j.faults.iter().map(|f| f.kind)).collect()
    }

    #[test]
    fn what_is_known_may_be_said_in_other_words() {
        for text in [
            "Growing nodule in the right lower lobe, 8.4 x 6.1 mm.",
            "The right lower lobe nodule now measures 8 mm.",
            "No pleural effusion.",
            "Pulmonary nodule, 0.8 cm, compared with 2025-10-30.",
            "Possible left pneumonia.",
            "Nodule in the right lung, increased since 30 October 2025 from 6 mm.",
        ] {
            assert_eq!(kinds(text), [], "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_struck() {
        for (text, kind) in [
            ("Nodule in the right lower lobe, 12 mm.", FaultKind::Number),
            ("Three nodules in the right lower lobe.", FaultKind::Number),
            ("Follow-up of the nodule in 3 months.", FaultKind::Number),
            ("Nodule in the left lower lobe, 8.4 mm.", FaultKind::Side),
            ("Nodule in the right upper lobe.", FaultKind::Place),
            ("Pneumothorax on the right.", FaultKind::Finding),
            ("No pneumothorax.", FaultKind::Finding),
            ("Pleural effusion.", FaultKind::Finding),
            ("No pulmonary nodule.", FaultKind::Finding),
            ("Emphysema.", FaultKind::Finding),
            ("Left pneumonia.", FaultKind::Finding),
            ("Fracture of L4.", FaultKind::Finding),
            ("Kein Nachweis eines Tumors im Bereich der Lunge.", FaultKind::Unreadable),
            ("肺野清晰", FaultKind::Unreadable),
        ] {
            assert!(kinds(text).contains(&kind), "{text}: {:?}", kinds(text));
        }
    }

    #[test]
    fn only_whole_sentences_without_fault_can_be_inserted() {
        let known = Known::of(Some(&file()), "");
        let judged =
            judge("Nodule in the right lower lobe, 8.4 mm. Mass in the left lung, 30 mm. No pleural effusion.", &known);
        let inserted: Vec<&str> = judged.iter().filter_map(Judged::insertable).collect();
        assert_eq!(inserted, ["Nodule in the right lower lobe, 8.4 mm.", "No pleural effusion."]);
        let bad = &judged[1];
        assert!(bad.faults.iter().all(|f| f.span[0] >= bad.span[0] && f.span[1] <= bad.span[1]));
    }

    #[test]
    fn of_two_findings_of_a_kind_each_has_its_own_side() {
        let known = Known::of(
            None,
            "FINDINGS: There is a 9 mm ground-glass nodule in the right upper lobe. There is a 4 mm solid nodule in the \
             left upper lobe. The left kidney is small.",
        );
        let said = |text: &str| judge(text, &known).iter().all(|j| j.faults.is_empty());
        for text in [
            "4 mm left upper lobe nodule.",
            "9 mm ground-glass nodule in the right upper lobe.",
            "Nodules in the right and left upper lobes.",
            "Nodule in the right upper lobe.",
            "Left kidney small.",
        ] {
            assert!(said(text), "{text}: {:?}", judge(text, &known));
        }
        for text in [
            "4 mm right upper lobe nodule.",
            "9 mm nodule in the left upper lobe.",
            "Ground-glass nodule in the left upper lobe.",
            "Solid nodule in the right upper lobe.",
            "Right kidney small.",
        ] {
            assert!(!said(text), "{text}");
        }
    }

    #[test]
    fn a_sentence_names_the_findings_that_hold_it() {
        let known = Known::of(Some(&file()), "");
        let ids = |text: &str| judge(text, &known).into_iter().flat_map(|j| j.finding_ids).collect::<Vec<_>>();
        assert_eq!(ids("Nodule in the right lower lobe, 8 mm."), ["f1"]);
        assert_eq!(ids("Growing right nodule. No pleural effusion."), ["f1", "f2"]);
        assert!(ids("Compared with 2025-10-30.").is_empty());
    }

    #[test]
    fn the_report_s_own_text_is_known() {
        let known = Known::of(None, "FINDINGS: 2.3 cm cyst in the upper pole of the left kidney. No hydronephrosis.");
        let said = |text: &str| judge(text, &known).iter().all(|j| j.faults.is_empty());
        assert!(said("Left renal cyst, 23 mm."));
        assert!(!said("Right renal cyst, 23 mm."));
        assert!(!said("Hydronephrosis."));
    }

    #[test]
    fn five_megabytes_are_cut_and_nothing_panics() {
        let text = "Masse von 12 mm. \u{1F600} <|im_start|> ".repeat(160_000);
        let judged = judge(&text, &Known::default());
        assert!(judged.last().is_some_and(|j| j.span[1] <= MAX_BYTES));
        assert!(judge("", &Known::default()).is_empty());
    }
}
