//! R06 sizes and units, R07 measurements without a partner.

use super::relation::{Known, near, other_site, same_term};
use super::{Facts, Issue, Rule};
use crate::findings::Assertion;
use crate::parse::tokens::TokenKind;
use crate::parse::{Mention, SectionKind};

/// A text size may differ from the stored one by this share.
const SIZE_TOLERANCE: f64 = 0.2;
/// Sizes that differ by less than this are the same, whatever the share: rounding to whole mm.
const ROUNDING_MM: f64 = 1.0;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = unitless(facts);
    issues.extend(implausible(facts));
    issues.extend(against_file(facts));
    issues.extend(between_sections(facts));
    issues
}

pub(super) fn differs(text_mm: f64, stored_mm: f64) -> bool {
    let difference = (text_mm - stored_mm).abs();
    difference > SIZE_TOLERANCE * stored_mm && difference > ROUNDING_MM.min(0.5 * stored_mm)
}

pub(super) fn counts(facts: &Facts<'_>, mention: &Mention) -> bool {
    let kind = facts.report.kind_of(mention.sentence);
    (kind.describes() || kind.concludes()) && mention.is_current() && mention.assertion != Assertion::Absent
}

pub(super) fn now_mm(facts: &Facts<'_>, mention: &Mention) -> Option<f64> {
    mention.size.map(|size| facts.report.measures[size].longest_mm())
}

/// "measuring 8." or "12 x 9 in the liver".
fn unitless(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for measure in report.measures.iter().filter(|measure| measure.unit.is_empty()) {
        let Some(sentence) = report.sentence_of(measure.tokens.start) else { continue };
        let kind = report.kind_of(sentence);
        let unit_follows = report.tokens.get(measure.tokens.end).is_some_and(|next| {
            NO_LENGTH_UNITS.contains(&&*next.norm)
                || matches!(&*next.norm, "mm2" | "cm2" | "mm3" | "cm3" | "matrix" | "view" | "image" | "pixel")
        });
        let of_a_finding = report.mentions.iter().any(|mention| mention.sentence == sentence && counts(facts, mention));
        if (kind.describes() || kind.concludes()) && !unit_follows && of_a_finding {
            issues.push(Issue::new(Rule::R06, "The size has no unit.", [measure.span.clone()]));
        }
    }
    for (index, token) in report.tokens.iter().enumerate() {
        if token.kind != TokenKind::Number
            || report.measures.iter().any(|measure| measure.tokens.contains(&index))
            || report.dates.iter().any(|date| date.tokens.contains(&index))
        {
            continue;
        }
        let Some(sentence) = report.sentence_of(index) else { continue };
        let kind = report.kind_of(sentence);
        if !(kind.describes() || kind.concludes()) {
            continue;
        }
        let norm = |at: usize| {
            report.tokens.get(at).filter(|token| token.breaks == 0 || at <= index).map_or("", |token| &*token.norm)
        };
        let mut back = index;
        while back > 0
            && matches!(
                norm(back - 1),
                "approximately"
                    | "about"
                    | "up"
                    | "to"
                    | "roughly"
                    | "only"
                    | "now"
                    | "currently"
                    | "at"
                    | "a"
                    | "around"
                    | "maximum"
                    | "maximally"
                    | "is"
                    | "of"
                    | "estimated"
                    | "nearly"
                    | "almost"
                    | "~"
                    | "approx"
                    | "."
                    | "diameter"
                    | "in"
                    | "size"
                    | "mean"
                    | "again"
                    | "dimension"
            )
            && index - back < 4
        {
            back -= 1;
        }
        let verb = back.checked_sub(1).map_or("", norm);
        let words: Vec<&str> = (back..index).map(norm).collect();
        let measures = matches!(verb, "measure" | "measuring" | "measured" | "measurement")
            || words.contains(&"size")
            || words.contains(&"diameter");
        let next = norm(index + 1);
        let ends = next.is_empty()
            || report.tokens.get(index + 1).is_none_or(|token| {
                token.kind == TokenKind::Mark
                    && token.norm.as_ref() != "%"
                    && token.norm.as_ref() != "°"
                    && token.norm.as_ref() != "-"
                    && token.norm.as_ref() != "/"
                    && token.norm.as_ref() != "±"
            })
            || matches!(
                next,
                "in" | "and"
                    | "on"
                    | "at"
                    | "within"
                    | "previously"
                    | "compared"
                    | "with"
                    | "which"
                    | "maximum"
                    | "greatest"
                    | "diameter"
                    | "anterior"
                    | "transverse"
                    | "thick"
                    | "unchanged"
                    | "is"
                    | "seen"
                    | "solid"
                    | "wide"
            );
        let joins_measure = matches!(next, "and" | "to" | "," | "or")
            && report.measures.iter().any(|measure| measure.tokens.start > index && measure.tokens.start - index <= 3);
        if measures
            && ends
            && !joins_measure
            && !NO_LENGTH_UNITS.contains(&next)
            && !report.has_word(
                sentence,
                &["hu", "hounsfield", "ratio", "index", "velocity", "degree", "angle", "suv", "adc", "score", "z"],
            )
        {
            issues.push(Issue::new(Rule::R06, "The size has no unit.", [token.span.clone()]));
        }
    }
    // "an 8 nodule", "6 stone": a bare number right before a lesion that can be measured.
    for mention in report
        .mentions
        .iter()
        .filter(|mention| counts(facts, mention) && is_measurable(mention) && !mention.plural && mention.size.is_none())
    {
        let sentence = report.sentences[mention.sentence].tokens.clone();
        // "aortic aneurysm, 52, increased", "abscess of 21": a bare number behind the lesion.
        let behind = (mention.tokens.end..sentence.end).take(14).find(|at| {
            let token = &report.tokens[*at];
            token.number().is_some()
                && (*at == mention.tokens.end
                    || matches!(&*report.tokens[*at - 1].norm, "," | "of" | "now" | "(" | "to" | "currently"))
                && report.tokens.get(at + 1).is_none_or(|next| {
                    next.breaks > 0
                        || *at + 1 >= sentence.end
                        || matches!(&*next.norm, "," | "." | ";" | ")" | "in" | "with" | "without")
                })
                && !report.measures.iter().any(|measure| measure.tokens.contains(at))
                && !report.dates.iter().any(|date| date.tokens.contains(at))
        });
        let other_between = behind.is_some_and(|at| {
            report.mentions.iter().any(|other| other.tokens.start >= mention.tokens.end && other.tokens.end <= at)
        });
        if let (Some(at), false) = (behind, other_between) {
            let spans = [report.tokens[at].span.clone(), mention.span.clone()];
            issues.push(Issue::new(Rule::R06, "The size has no unit.", spans));
            continue;
        }
        let number = (sentence.start..mention.tokens.start)
            .rev()
            .take(3)
            .find(|index| report.tokens[*index].kind == TokenKind::Number);
        let Some(index) = number else { continue };
        let after_article = index > sentence.start && matches!(&*report.tokens[index - 1].norm, "a" | "an");
        let decimal = report.tokens[index].norm.contains('.');
        if (after_article || decimal)
            && !report.measures.iter().any(|measure| measure.tokens.contains(&index))
            && report.tokens[index + 1].kind == TokenKind::Word
            && !NO_LENGTH_UNITS.contains(&&*report.tokens[index + 1].norm)
        {
            issues.push(Issue::new(
                Rule::R06,
                "The size has no unit.",
                [report.tokens[index].span.clone(), mention.span.clone()],
            ));
        }
    }
    issues
}

const NO_LENGTH_UNITS: [&str; 32] = [
    "%",
    "hu",
    "hounsfield",
    "ml",
    "cc",
    "degree",
    "°",
    "l",
    "liter",
    "week",
    "day",
    "month",
    "year",
    "g",
    "gram",
    "kg",
    "suv",
    "ms",
    "msec",
    "percent",
    "second",
    "s",
    "beat",
    "bpm",
    "unit",
    "standard",
    "sd",
    "cubic",
    "square",
    "µm",
    "micron",
    "mmhg",
];

/// Whether a length of it is commonly told.
fn is_measurable(mention: &Mention) -> bool {
    mention.entry.flags.lesion
        || matches!(
            mention.entry.family.as_str(),
            "mass" | "cyst" | "stone" | "aneurysm" | "tear" | "hemorrhage" | "node" | "pregnancy"
        )
        || mention.entry.name.contains("abscess")
        || mention.entry.name == "midline shift"
}

/// The longest length in mm that a finding can have, by what it is. Wide on purpose: only a wrong unit or a
/// slipped point should be caught.
fn limits_mm(mention: &Mention) -> (f64, f64) {
    match (mention.entry.name.as_str(), mention.entry.family.as_str()) {
        ("midline shift", _) => (0.5, 40.0),
        (name, _) if name.contains("nodule") && mention.organ == "lung" => (1.0, 60.0),
        ("acute appendicitis", _) => (3.0, 40.0),
        ("thyroid nodule", _) => (1.0, 120.0),
        (
            "lymphadenopathy"
            | "cervical lymphadenopathy"
            | "axillary lymphadenopathy"
            | "mediastinal lymphadenopathy"
            | "hilar lymphadenopathy"
            | "retroperitoneal lymphadenopathy",
            _,
        ) => (2.0, 150.0),
        ("adrenal nodule" | "adrenal adenoma", _) => (2.0, 200.0),
        (_, "stone") => (0.5, 100.0),
        (_, "aneurysm") if mention.organ == "brain" => (0.5, 80.0),
        (_, "aneurysm") => (4.0, 200.0),
        (_, "mass" | "cyst") => (0.5, 450.0),
        (_, "calcification") => (0.3, 200.0),
        _ => (0.2, 600.0),
    }
}

fn implausible(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for mention in report.mentions.iter().filter(|mention| counts(facts, mention)) {
        let Some(size) = mention.size else { continue };
        let measure = &report.measures[size];
        let (low_mm, high_mm) = limits_mm(mention);
        let longest_mm = measure.longest_mm();
        if measure.unit.is_empty() || (longest_mm >= low_mm && longest_mm <= high_mm) {
            continue;
        }
        let message =
            format!("A size of {} is implausible for {}.", &report.text[measure.span.clone()], mention.entry.name);
        issues.push(Issue::new(Rule::R06, message, [measure.span.clone(), mention.span.clone()]));
    }
    for measure in &report.measures {
        let in_text = report
            .sentence_of(measure.tokens.start)
            .is_some_and(|sentence| report.kind_of(sentence).describes() || report.kind_of(sentence).concludes());
        let already = issues.iter().any(|issue| issue.spans.first() == Some(&[measure.span.start, measure.span.end]));
        if in_text && measure.longest_mm() > 600.0 && !measure.unit.is_empty() && !already {
            issues.push(Issue::new(
                Rule::R06,
                "This length is longer than a part of the body.",
                [measure.span.clone()],
            ));
        }
        // "12 x 0.9 mm": one side of a lesion ten times the other is a slipped point or a mixed unit.
        let shortest = measure.mm.iter().copied().fold(f64::MAX, f64::min);
        if in_text
            && measure.mm.len() > 1
            && shortest > 0.0
            && measure.longest_mm() / shortest >= 9.0
            && !already
            && report.mentions.iter().any(|mention| {
                mention.size.is_some_and(|size| report.measures[size].span == measure.span)
                    && mention.entry.flags.lesion
            })
        {
            issues.push(Issue::new(
                Rule::R06,
                "The two lengths of this size do not fit each other.",
                [measure.span.clone()],
            ));
        }
    }
    issues
}

/// R06 and R07 against the stored sizes.
fn against_file(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let Some(file) = facts.file else { return Vec::new() };
    if file.findings.is_none() {
        return Vec::new();
    }
    let mut issues = Vec::new();
    let live: Vec<&Known<'_>> = facts.known.iter().filter(|known| known.is_live() && known.is_positive()).collect();
    let mut told = vec![false; live.len()];
    let sized: Vec<&Mention> =
        report.mentions.iter().filter(|mention| counts(facts, mention) && mention.size.is_some()).collect();
    // First the sizes that fit, so that a second lesion cannot claim the first one's partner.
    for mention in &sized {
        let sizes: Vec<f64> =
            mention.size.iter().chain(&mention.more_sizes).map(|size| report.measures[*size].longest_mm()).collect();
        for (index, known) in live.iter().enumerate() {
            let stored = known.finding.longest_mm();
            if known.names(mention) && stored.is_some_and(|stored| sizes.iter().any(|size| !differs(*size, stored))) {
                told[index] = true;
            }
        }
    }
    for mention in &sized {
        for size in &mention.more_sizes {
            let text_mm = report.measures[*size].longest_mm();
            let fits = |known: &&&Known<'_>| {
                known.names(mention) && known.finding.longest_mm().is_some_and(|stored| !differs(text_mm, stored))
            };
            if let Some(index) = live.iter().position(|known| fits(&known)) {
                told[index] = true;
            } else if let Some(index) = (0..live.len()).find(|index| {
                !told[*index] && live[*index].names(mention) && live[*index].finding.longest_mm().is_some()
            }) {
                told[index] = true;
                let message = format!("No stored finding holds this size of {}.", mention.entry.name);
                issues.push(Issue::new(
                    Rule::R06,
                    message,
                    [report.measures[*size].span.clone(), mention.span.clone()],
                ));
            }
        }
        let (Some(text_mm), Some(size)) = (now_mm(facts, mention), mention.size) else { continue };
        let span = report.measures[size].span.clone();
        let named: Vec<usize> = (0..live.len())
            .filter(|index| live[*index].names(mention) && live[*index].finding.longest_mm().is_some())
            .collect();
        let fits_one =
            named.iter().any(|index| live[*index].finding.longest_mm().is_some_and(|stored| !differs(text_mm, stored)));
        if fits_one {
            if let Some(issue) = short_axis(facts, mention, &live) {
                issues.push(issue);
            }
            continue;
        }
        let free: Vec<usize> =
            named.iter().copied().filter(|index| !told[*index] && live[*index].fits(mention)).collect();
        let only_one = named.iter().copied().filter(|index| live[*index].fits(mention)).collect::<Vec<_>>();
        let repeats_told =
            only_one.len() == 1 && (report.kind_of(mention.sentence) == SectionKind::Impression || free.len() == 1);
        if let Some(index) = free.first().copied().or_else(|| only_one.first().copied().filter(|_| repeats_told)) {
            told[index] = true;
            let stored = live[index].finding.longest_mm().unwrap_or_default();
            let message = format!(
                "The text gives {} for {}, stored are {} mm.",
                &report.text[span.clone()],
                mention.entry.name,
                shown(stored)
            );
            issues.push(Issue::new(Rule::R06, message, [span, mention.span.clone()]));
        } else if mention.entry.flags.lesion
            && !is_node_limit(facts, mention)
            && !file.known_findings().iter().any(|finding| {
                // A term that the lexicon does not know may be this one under another name.
                finding.term.as_deref().is_some_and(|term| crate::lexicon::lexicon().find(term).is_none())
                    && finding.longest_mm().is_some_and(|stored| (stored - text_mm).abs() <= 0.05 * stored)
            })
            && mention.assertion == Assertion::Present
            && !live.iter().any(|known| is_partner(known, mention, text_mm))
        {
            // A finding of the file that has no size yet may hold this one.
            let message = format!("No stored finding holds this size of {}.", mention.entry.name);
            issues.push(Issue::new(Rule::R07, message, [span, mention.span.clone()]));
        }
    }
    for (index, known) in live.iter().enumerate() {
        let Some(stored) = known.finding.longest_mm() else { continue };
        if told[index] || !known.is_confirmed() || !measured_elsewhere(facts, known, stored) {
            continue;
        }
        let mention = report.mentions.iter().find(|mention| counts(facts, mention) && known.fits(mention));
        let message = format!("The stored size of {}, {} mm, is not in the text.", known.entry.name, shown(stored));
        issues.push(Issue::new(Rule::R07, message, mention.map(|mention| mention.span.clone())));
    }
    issues.extend(prior_sizes(facts, &live));
    issues
}

/// "Lymph nodes up to 12 mm in short axis": a range of nodes, no measured lesion.
fn is_node_limit(facts: &Facts<'_>, mention: &Mention) -> bool {
    let report = facts.report;
    (mention.entry.family == "node" || mention.entry.name.contains("node"))
        && (report.has_phrase(mention.sentence, &["up", "to"])
            || report.has_word(
                mention.sentence,
                &["short", "reactive", "physiologic", "prominent", "borderline", "subcentimeter"],
            ))
}

/// The same size in the same neighbourhood: the file calls the lesion by another name.
fn is_partner(known: &Known<'_>, mention: &Mention, text_mm: f64) -> bool {
    near(known.organ, mention.organ)
        && known.finding.longest_mm().is_some_and(|stored| (stored - text_mm).abs() <= 0.05 * stored)
}

/// False where any length of the text is the stored one: it may be bound to another word ("the aorta measures 52 mm").
fn measured_elsewhere(facts: &Facts<'_>, known: &Known<'_>, stored_mm: f64) -> bool {
    let report = facts.report;
    !report.measures.iter().any(|measure| {
        !differs(measure.longest_mm(), stored_mm)
            && report.sentence_of(measure.tokens.start).is_some_and(|sentence| {
                let organ_named = known.organ.is_empty()
                    || report
                        .anatomy
                        .iter()
                        .any(|place| place.sentence == sentence && place.entry.organ == known.organ);
                let bound_to_other = report.mentions.iter().any(|mention| {
                    mention.size.is_some_and(|size| report.measures[size].span == measure.span)
                        && !known.names(mention)
                        && mention.organ != known.organ
                });
                !bound_to_other || organ_named
            })
    })
}

fn short_axis(facts: &Facts<'_>, mention: &Mention, live: &[&Known<'_>]) -> Option<Issue> {
    let measure = &facts.report.measures[mention.size?];
    let known = live.iter().find(|known| {
        known.fits(mention) && known.finding.longest_mm().is_some_and(|stored| !differs(measure.longest_mm(), stored))
    })?;
    let stored = known.finding.size_mm.as_deref()?;
    if measure.mm.len() < 2 || stored.len() < 2 {
        return None;
    }
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(|first, second| second.total_cmp(first));
        values
    };
    let (text, stored) = (sorted(&measure.mm), sorted(stored));
    let other = text.iter().zip(&stored).find(|(text, stored)| differs(**text, **stored))?;
    let message = format!(
        "The text gives {} for {}, one stored length is {} mm.",
        &facts.report.text[measure.span.clone()],
        mention.entry.name,
        shown(*other.1)
    );
    Some(Issue::new(Rule::R06, message, [measure.span.clone(), mention.span.clone()]))
}

fn prior_sizes(facts: &Facts<'_>, live: &[&Known<'_>]) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for mention in report.mentions.iter().filter(|mention| counts(facts, mention)) {
        let Some(prior) = mention.prior_size else { continue };
        let stored: Vec<f64> = live
            .iter()
            .filter(|known| known.fits(mention))
            .filter_map(|known| known.finding.prior_longest_mm())
            .collect();
        let text_mm = report.measures[prior].longest_mm();
        if stored.is_empty() || stored.iter().any(|stored| !differs(text_mm, *stored)) {
            continue;
        }
        let span = report.measures[prior].span.clone();
        let message =
            format!("The text gives {} for the prior, stored are {} mm.", &report.text[span.clone()], shown(stored[0]));
        issues.push(Issue::new(Rule::R06, message, [span, mention.span.clone()]));
    }
    issues
}

/// The same lesion with two sizes, in the findings and in the impression.
fn between_sections(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let sized = |concludes: bool| {
        report.mentions.iter().filter(move |mention| {
            let kind = report.kind_of(mention.sentence);
            counts(facts, mention)
                && mention.size.is_some()
                && if concludes { kind.concludes() } else { kind.describes() }
        })
    };
    let mut issues = Vec::new();
    for concluded in sized(true) {
        let (Some(size), Some(here)) = (concluded.size, now_mm(facts, concluded)) else { continue };
        let same: Vec<&Mention> = sized(false)
            .filter(|mention| {
                same_term(mention.entry, mention.organ, concluded.entry, concluded.organ)
                    && !other_site(mention.site, concluded.site)
                    && !mention
                        .side
                        .as_ref()
                        .zip(concluded.side.as_ref())
                        .is_some_and(|(first, second)| first.side.contradicts(second.side))
            })
            .collect();
        if same.is_empty()
            || same.iter().any(|mention| {
                now_mm(facts, mention).is_some_and(|there| !differs(here, there) || !differs(there, here))
            })
        {
            continue;
        }
        // Any other length of the findings may be meant ("up to 12 mm").
        let anywhere = report.measures.iter().any(|measure| {
            report.sentence_of(measure.tokens.start).is_some_and(|sentence| report.kind_of(sentence).describes())
                && measure.mm.iter().any(|value| (value - here).abs() < 0.51)
        });
        if anywhere {
            continue;
        }
        if let Some(other) = same[0].size {
            let spans = [report.measures[size].span.clone(), report.measures[other].span.clone()];
            issues.push(Issue::new(
                Rule::R06,
                format!("Findings and impression give different sizes for {}.", concluded.entry.name),
                spans,
            ));
        }
    }
    issues
}

pub(super) fn shown(mm: f64) -> String {
    format!("{}", (mm * 10.0).round() / 10.0)
}
