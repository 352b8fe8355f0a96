//! R01 side against side, R02 missing side.

use super::relation::{answers, other_site, same_term};
use super::{Facts, Issue, Rule};
use crate::findings::{Assertion, Side};
use crate::lexicon::Kind;
use crate::parse::{Mention, SectionKind};

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = between_sections(facts);
    issues.extend(against_file(facts));
    issues.extend(against_exam(facts));
    issues.extend(referring_back(facts));
    issues.extend(missing(facts));
    issues
}

/// A finding that is there or may be, or an operation that was done.
fn positive(mention: &&Mention) -> bool {
    (mention.is_current() || mention.entry.kind == Kind::Procedure && !mention.family)
        && mention.assertion != Assertion::Absent
}

fn firm_side(mention: &Mention) -> Option<Side> {
    mention.side.as_ref().filter(|side| !side.shared).map(|side| side.side)
}

fn between_sections(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let sided = |concludes: bool| {
        report.mentions.iter().filter(positive).filter(move |mention| {
            let kind = report.kind_of(mention.sentence);
            firm_side(mention).is_some()
                && if concludes {
                    kind.concludes()
                } else {
                    kind.describes() || mention.entry.kind == Kind::Procedure && kind == SectionKind::History
                }
        })
    };
    let described: Vec<&Mention> = sided(false).collect();
    let mut issues = Vec::new();
    for concluded in sided(true) {
        let Some(side) = firm_side(concluded) else { continue };
        let same: Vec<&&Mention> = described
            .iter()
            .filter(|mention| same_term(mention.entry, mention.organ, concluded.entry, concluded.organ))
            .collect();
        let candidates: Vec<&&Mention> = if same.is_empty() {
            described
                .iter()
                .filter(|mention| {
                    mention.entry.family == concluded.entry.family && answers(mention, concluded.entry, concluded.organ)
                })
                .collect()
        } else {
            // Where the lobe tells two lesions apart, the lesion of the same lobe is the one.
            let in_lobe: Vec<&&Mention> =
                same.iter().copied().filter(|mention| !other_site(mention.site, concluded.site)).collect();
            if in_lobe.is_empty() { same } else { in_lobe }
        };
        let fits = |mention: &&&Mention| firm_side(mention).is_some_and(|other| !other.contradicts(side));
        if candidates.is_empty() || candidates.iter().any(fits) {
            continue;
        }
        let other = candidates[0];
        if let (Some(here), Some(there)) = (&concluded.side, &other.side) {
            let message = format!(
                "The impression says {} for {}, the findings say {}.",
                here.side.word(),
                concluded.entry.name,
                there.side.word()
            );
            issues.push(Issue::new(Rule::R01, message, [here.span.clone(), there.span.clone()]));
        }
    }
    issues
}

fn against_file(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = Vec::new();
    for mention in facts.report.mentions.iter().filter(positive) {
        let Some(side) = firm_side(mention) else { continue };
        if facts.report.kind_of(mention.sentence) == SectionKind::History && mention.entry.kind != Kind::Procedure {
            continue;
        }
        let known: Vec<_> = facts
            .known
            .iter()
            .filter(|known| known.is_live() && known.is_positive() && known.names(mention) && known.side.is_some())
            .collect();
        if known.is_empty() {
            continue;
        }
        // The size may tell which one is meant.
        let size = mention.size.map(|size| facts.report.measures[size].longest_mm());
        let by_size: Vec<_> = known
            .iter()
            .filter(|known| {
                size.zip(known.finding.longest_mm())
                    .is_some_and(|(text, stored)| (text - stored).abs() <= 0.05 * stored)
            })
            .collect();
        let meant = if by_size.len() == 1 { vec![*by_size[0]] } else { known };
        if meant.iter().any(|known| known.side.is_some_and(|stored| !stored.contradicts(side))) {
            continue;
        }
        if let (Some(told), Some(stored)) = (&mention.side, meant[0].side) {
            let message = format!(
                "The text says {} for {}, the stored finding says {}.",
                told.side.word(),
                mention.entry.name,
                stored.word()
            );
            issues.push(Issue::new(Rule::R01, message, [told.span.clone(), mention.span.clone()]));
        }
    }
    issues
}

/// A one-sided examination: by its header, else by its title.
fn against_exam(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let header = facts.file.and_then(|file| file.exam.as_ref()).and_then(|exam| exam.laterality);
    let title = title_side(facts);
    let mut issues = Vec::new();
    if let (Some(header), Some((side, span))) = (header, &title)
        && header.contradicts(*side)
    {
        let message = format!("The title says {}, the examination is of the {} side.", side.word(), header.word());
        issues.push(Issue::new(Rule::R01, message, [span.clone()]));
    }
    let Some(exam_side) = header.or_else(|| title.as_ref().map(|(side, _)| *side)) else { return issues };
    for word in &report.side_words {
        if !word.side.contradicts(exam_side) {
            continue;
        }
        let Some(sentence) = report.sentence_of(word.tokens.start) else { continue };
        let kind = report.kind_of(sentence);
        if !(kind.describes() || kind.concludes() || kind == SectionKind::Technique || kind == SectionKind::History) {
            continue;
        }
        let looks_elsewhere = report.has_word(
            sentence,
            &[
                "contralateral",
                "comparison",
                "compared",
                "opposite",
                "dominant",
                "handed",
                "versus",
                "asymmetric",
                "symmetric",
                "history",
                "previous",
                "prior",
            ],
        );
        if looks_elsewhere || kind == SectionKind::History && header.is_some() && title.is_none() {
            continue;
        }
        let spans = title.iter().map(|(_, span)| span.clone()).chain([word.span.clone()]);
        let message =
            format!("The text says {}, the examination is of the {} side.", word.side.word(), exam_side.word());
        issues.push(Issue::new(Rule::R01, message, spans));
    }
    issues
}

/// The one side of a paired part of the body in the title.
fn title_side(facts: &Facts<'_>) -> Option<(Side, std::ops::Range<usize>)> {
    let report = facts.report;
    let in_title =
        |token: usize| report.sentence_of(token).is_some_and(|sentence| report.kind_of(sentence) == SectionKind::Title);
    let mut words = report.side_words.iter().filter(|word| in_title(word.tokens.start));
    let word = words.next()?;
    if words.next().is_some() || !matches!(word.side, Side::Left | Side::Right) {
        return None;
    }
    let mut places = report.anatomy.iter().filter(|place| in_title(place.tokens.start)).peekable();
    let is_paired = places.peek().is_some() && places.all(|place| place.entry.flags.paired);
    is_paired.then(|| (word.side, word.span.clone()))
}

/// "The left lower lobe nodule" where the only such lesion so far lies on the right.
fn referring_back(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    let mentions: Vec<&Mention> = report
        .mentions
        .iter()
        .filter(positive)
        .filter(|mention| report.kind_of(mention.sentence).describes())
        .collect();
    for (index, mention) in mentions.iter().enumerate() {
        let Some(side) = firm_side(mention) else { continue };
        let start = report.sentences[mention.sentence].tokens.start;
        let refers = (start..mention.tokens.start)
            .rev()
            .take(5)
            .any(|token| matches!(&*report.tokens[token].norm, "this" | "aforementioned" | "described"))
            || &*report.tokens[start].norm == "the" && mention.tokens.start - start <= 5 && mention.size.is_none();
        if !refers {
            continue;
        }
        let earlier: Vec<&&Mention> = mentions[..index]
            .iter()
            .filter(|other| {
                firm_side(other).is_some() && same_term(other.entry, other.organ, mention.entry, mention.organ)
            })
            .collect();
        if earlier.is_empty()
            || earlier.iter().any(|other| firm_side(other).is_some_and(|other| !other.contradicts(side)))
        {
            continue;
        }
        if let (Some(here), Some(there)) = (&mention.side, &earlier[0].side) {
            let message = format!(
                "{} is told as {} here and as {} before.",
                capital(&mention.entry.name),
                here.side.word(),
                there.side.word()
            );
            issues.push(Issue::new(Rule::R01, message, [here.span.clone(), there.span.clone()]));
        }
    }
    issues
}

fn missing(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let one_sided = facts.file.and_then(|file| file.exam.as_ref()).is_some_and(|exam| exam.laterality.is_some())
        || title_side(facts).is_some();
    if one_sided {
        return Vec::new();
    }
    let mut issues = Vec::new();
    for (index, mention) in report.mentions.iter().enumerate() {
        let kind = report.kind_of(mention.sentence);
        if !(kind.describes() || kind.concludes())
            || !mention.is_current()
            || mention.assertion == Assertion::Absent
            || mention.entry.kind != Kind::Finding
            || mention.side.is_some()
            || mention.plural && mention.entry.family != "fracture"
        {
            continue;
        }
        let by_site = mention.site.is_some_and(|site| site.flags.paired && site.organ == mention.organ)
            && names_part(facts, mention);
        if !(mention.entry.flags.paired && !sits_in_the_middle(mention) || by_site) {
            continue;
        }
        if is_many(facts, mention) {
            continue;
        }
        let told_before = report.mentions[..index].iter().any(|other| {
            other.side.is_some()
                && !other_size(facts, other, mention)
                && report.sentences[other.sentence].section == report.sentences[mention.sentence].section
                && (same_term(other.entry, other.organ, mention.entry, mention.organ)
                    || other.entry.kind == Kind::Finding
                        && other.sentence + 1 >= mention.sentence
                        && other.organ == mention.organ
                        && !report.sentences[mention.sentence].begins_line)
        });
        let refers = mention.tokens.start > 0
            && (mention.tokens.start.saturating_sub(4)..mention.tokens.start)
                .any(|token| matches!(&*report.tokens[token].norm, "this" | "these" | "such" | "suspicious"));
        let advice = report.has_word(
            mention.sentence,
            &[
                "recommend",
                "recommended",
                "recommendation",
                "guideline",
                "fleischner",
                "suggested",
                "advised",
                "if",
                "consider",
                "follow",
                "per",
                "criterion",
                "according",
            ],
        );
        // There is one transplanted kidney.
        let transplanted = mention.organ == "kidney"
            && (0..report.sentences.len()).any(|sentence| {
                report.has_word(sentence, &["transplant", "transplanted", "allograft"])
                    && !report.has_word(sentence, &["candidate", "evaluation"])
            });
        if told_before || refers || advice || transplanted {
            continue;
        }
        let message = format!("No side is told for {}.", mention.entry.name);
        issues.push(Issue::new(Rule::R02, message, [mention.span.clone()]));
    }
    issues
}

/// Two lesions with sizes of their own.
fn other_size(facts: &Facts<'_>, first: &Mention, second: &Mention) -> bool {
    let size = |mention: &Mention| mention.size.map(|size| facts.report.measures[size].longest_mm());
    size(first).zip(size(second)).is_some_and(|(first, second)| (first - second).abs() > 1.5)
}

/// "In the lower lobe": the part itself, in the singular.
fn names_part(facts: &Facts<'_>, mention: &Mention) -> bool {
    let Some(site) = mention.site else { return false };
    facts.report.anatomy.iter().any(|place| {
        std::ptr::eq(place.entry, site) && place.sentence == mention.sentence && {
            let written = facts.report.text[place.span.clone()].to_lowercase();
            written == site.name
                && !matches!(
                    site.name.as_str(),
                    "lung"
                        | "bronchus"
                        | "hilum"
                        | "pleura"
                        | "neural foramen"
                        | "articular cartilage"
                        | "pulmonary artery"
                        | "facet joint"
                )
        }
    })
}

fn sits_in_the_middle(mention: &Mention) -> bool {
    mention.site.is_some_and(|site| {
        !site.flags.paired
            && site.organ == mention.organ
            && matches!(site.name.as_str(), "thyroid isthmus" | "renal hilum" | "spine" | "vertebral body")
    })
}

/// Words of sentences that speak of more places than one, or of none on a side.
const MANY: &[&str] = &[
    "multiple",
    "scattered",
    "diffuse",
    "several",
    "innumerable",
    "numerous",
    "multifocal",
    "both",
    "symmetric",
    "diffusely",
    "throughout",
    "all",
    "each",
    "every",
    "few",
    "midline",
];

fn is_many(facts: &Facts<'_>, mention: &Mention) -> bool {
    let report = facts.report;
    if report.has_word(mention.sentence, MANY) {
        return true;
    }
    if !report.has_word(mention.sentence, &["lung", "kidney", "ovary"]) {
        return false;
    }
    // "in the lungs", "of the kidneys"
    let label = report.sentences[mention.sentence].label.clone().unwrap_or(0..0);
    report.anatomy.iter().any(|place| {
        place.sentence == mention.sentence
            && !label.contains(&place.tokens.start)
            && report.text[place.span.clone()].ends_with('s')
            && place.entry.organ == mention.organ
            && !place.entry.name.ends_with('s')
    })
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
