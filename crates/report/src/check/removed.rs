//! R13: an organ described after it was taken out.

use super::{Facts, Issue, Rule};
use crate::findings::{Assertion, Side};
use crate::lexicon::{Entry, Kind, lexicon};
use crate::parse::Mention;
use std::ops::Range;

/// Words that name the place or the absence of the organ, not the organ.
const ABSENCE_WORDS: [&str; 40] = [
    "absent",
    "removed",
    "resected",
    "bed",
    "fossa",
    "surgical",
    "surgically",
    "postsurgical",
    "postoperative",
    "clip",
    "post",
    "cuff",
    "stump",
    "remnant",
    "recurrence",
    "recurrent",
    "transplant",
    "graft",
    "not",
    "no",
    "removal",
    "prior",
    "previous",
    "history",
    "contralateral",
    "native",
    "replaced",
    "prosthesi",
    "prosthesis",
    "implant",
    "residual",
    "solitary",
    "remaining",
    "reconstruction",
    "neobladder",
    "conduit",
    "remote",
    "interval",
    "hilum",
    "vein",
];

struct Operation {
    entry: &'static Entry,
    side: Option<Side>,
    span: Range<usize>,
    partial: bool,
}

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut operations: Vec<Operation> = report
        .mentions
        .iter()
        .filter(|mention| {
            mention.entry.kind == Kind::Procedure
                && mention.entry.flags.removes
                && mention.assertion == Assertion::Present
                && !mention.family
        })
        .filter(|mention| !is_planned(facts, mention))
        .map(|mention| Operation {
            entry: mention.entry,
            side: mention.side.as_ref().map(|side| side.side),
            span: mention.span.clone(),
            partial: is_partial(facts, mention),
        })
        .collect();
    operations.extend(told_absent(facts));
    for known in facts.known.iter().filter(|known| {
        known.entry.kind == Kind::Procedure && known.entry.flags.removes && known.is_confirmed() && known.is_positive()
    }) {
        operations.push(Operation { entry: known.entry, side: known.side, span: 0..0, partial: false });
    }
    operations.retain(|operation| !operation.partial);
    let mut issues = Vec::new();
    for operation in &operations {
        let sides = has_sides(&operation.entry.organ);
        for place in
            report.anatomy.iter().filter(|place| place.entry.organ == operation.entry.organ && names_organ(place.entry))
        {
            let kind = report.kind_of(place.sentence);
            if !(kind.describes() || kind.concludes())
                || overlaps(&place.span, &operation.span)
                || is_adjective(facts, place.sentence, &place.tokens)
            {
                continue;
            }
            if report.has_word(place.sentence, &ABSENCE_WORDS) && !is_normal_organ(facts, place.sentence) {
                continue;
            }
            if report.sentence_of_span(&operation.span) == Some(place.sentence)
                && !is_normal_organ(facts, place.sentence)
            {
                continue;
            }
            if sides && !same_side(facts, operation, place) {
                continue;
            }
            issues.push(issue(operation, &place.entry.name, &place.span));
        }
        for mention in report.mentions.iter().filter(|mention| {
            mention.is_present() && mention.entry.organ == operation.entry.organ && !mention.entry.flags.general
        }) {
            let kind = report.kind_of(mention.sentence);
            if !(kind.describes() || kind.concludes())
                || overlaps(&mention.span, &operation.span)
                || report.has_word(mention.sentence, &ABSENCE_WORDS)
            {
                continue;
            }
            if mention.entry.family == "mass" && mention.entry.flags.diagnosis {
                continue; // "prostate cancer" after prostatectomy is its history
            }
            let other_side = sides
                && match (operation.side, &mention.side) {
                    (Some(side), Some(told)) => side.contradicts(told.side),
                    (Some(_), None) => true,
                    _ => operation.side.is_none(),
                };
            if !other_side
                && !issues.iter().any(|other: &Issue| {
                    other.spans.first().is_some_and(|span| span[0] <= mention.span.start && mention.span.end <= span[1])
                })
            {
                issues.push(issue(operation, &mention.entry.name, &mention.span));
            }
        }
    }
    issues
}

fn issue(operation: &Operation, name: &str, span: &Range<usize>) -> Issue {
    let message =
        format!("{} is described although it was taken out ({}).", super::side::capital(name), operation.entry.name);
    Issue::new(Rule::R13, message, [span.clone(), operation.span.clone()])
}

/// "The gallbladder is surgically absent" is an operation too.
fn told_absent<'a>(facts: &'a Facts<'a>) -> Vec<Operation> {
    let report = facts.report;
    let mut operations = Vec::new();
    for place in report.anatomy.iter().filter(|place| names_organ(place.entry)) {
        if !report.has_phrase(place.sentence, &["surgically", "absent"])
            && !report.has_phrase(place.sentence, &["surgically", "removed"])
            && !report.has_phrase(place.sentence, &["been", "removed"])
        {
            continue;
        }
        let Some(entry) = lexicon()
            .entries()
            .iter()
            .find(|entry| entry.kind == Kind::Procedure && entry.flags.removes && entry.organ == place.entry.organ)
        else {
            continue;
        };
        let side = report
            .side_words
            .iter()
            .find(|word| report.sentence_of(word.tokens.start) == Some(place.sentence))
            .map(|word| word.side);
        operations.push(Operation { entry, side, span: report.sentences[place.sentence].span.clone(), partial: false });
    }
    operations
}

fn has_sides(organ: &str) -> bool {
    matches!(organ, "kidney" | "adrenal" | "ovary" | "testis" | "breast" | "lung")
}

/// The organ itself, not a part that stays or a neighbour that carries its name.
fn names_organ(entry: &Entry) -> bool {
    matches!(
        entry.name.as_str(),
        "gallbladder"
            | "gallbladder wall"
            | "kidney"
            | "spleen"
            | "uterus"
            | "endometrium"
            | "ovary"
            | "appendix"
            | "prostate"
            | "testis"
            | "thyroid gland"
            | "thyroid lobe"
            | "thyroid isthmus"
            | "breast"
            | "adrenal gland"
            | "stomach"
            | "urinary bladder"
            | "pancreas"
            | "lung"
            | "seminal vesicle"
            | "upper pole"
            | "lower pole"
    )
}

fn is_adjective(facts: &Facts<'_>, sentence: usize, tokens: &Range<usize>) -> bool {
    let report = facts.report;
    let word = &*report.tokens[tokens.end - 1].norm;
    matches!(
        word,
        "renal"
            | "hepatic"
            | "splenic"
            | "ovarian"
            | "uterine"
            | "pulmonary"
            | "adrenal"
            | "testicular"
            | "gastric"
            | "pancreatic"
            | "prostatic"
            | "appendiceal"
            | "parenchyma"
            | "mammary"
            | "endometrial"
            | "prostate"
            | "thyroid"
    ) && report.tokens.get(tokens.end).is_some_and(|next| {
        next.kind == crate::parse::tokens::TokenKind::Word
            && !matches!(&*next.norm, "is" | "are" | "appear" | "gland" | "measure" | "demonstrate" | "show" | "remain")
    }) || report.sentences[sentence].tokens.len() < 2
}

fn is_normal_organ(facts: &Facts<'_>, sentence: usize) -> bool {
    facts.report.has_word(sentence, &["normal", "unremarkable", "distended", "enlarged", "measure", "measuring"])
        && !facts.report.has_word(
            sentence,
            &["absent", "removed", "bed", "fossa", "resected", "contralateral", "transplant", "remaining", "solitary"],
        )
}

fn same_side(facts: &Facts<'_>, operation: &Operation, place: &crate::parse::AnatomyMention) -> bool {
    let report = facts.report;
    let side = report
        .side_words
        .iter()
        .rfind(|word| {
            report.sentence_of(word.tokens.start) == Some(place.sentence)
                && word.tokens.end <= place.tokens.start
                && place.tokens.start - word.tokens.end <= 3
        })
        .map(|word| word.side);
    let plural = report.text[place.span.clone()].ends_with('s') && !place.entry.name.ends_with('s')
        || report.text[place.span.clone()].ends_with("testes");
    match (operation.side, side) {
        (Some(Side::Bilateral), _) => true,
        (Some(removed), Some(told)) => !removed.contradicts(told),
        (Some(_), None) => plural && is_normal_organ(facts, place.sentence),
        // Oophorectomy and mastectomy without a side: one of two may remain.
        (None, Some(Side::Bilateral)) => true,
        (None, _) => {
            plural
                && matches!(operation.entry.organ.as_str(), "ovary" | "kidney")
                && is_normal_organ(facts, place.sentence)
        }
    }
}

fn is_partial(facts: &Facts<'_>, mention: &Mention) -> bool {
    let report = facts.report;
    let start = report.sentences[mention.sentence].tokens.start;
    report.tokens[start.max(mention.tokens.start.saturating_sub(3))..mention.tokens.start]
        .iter()
        .any(|token| matches!(&*token.norm, "partial" | "subtotal" | "hemi" | "near"))
}

fn is_planned(facts: &Facts<'_>, mention: &Mention) -> bool {
    facts.report.has_word(
        mention.sentence,
        &[
            "planned",
            "planning",
            "consider",
            "considered",
            "recommend",
            "recommended",
            "before",
            "candidate",
            "preoperative",
            "pre",
            "scheduled",
            "potential",
            "evaluation",
        ],
    )
}

fn overlaps(first: &Range<usize>, second: &Range<usize>) -> bool {
    first.start < second.end && second.start < first.end
}

impl crate::parse::Report<'_> {
    /// The sentence that holds a byte range.
    pub(crate) fn sentence_of_span(&self, span: &Range<usize>) -> Option<usize> {
        if span.is_empty() {
            return None;
        }
        self.sentences.iter().position(|sentence| sentence.span.start <= span.start && span.end <= sentence.span.end)
    }
}
