//! R04 concluded but not described, R05 described or stored but not concluded.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::relation::{answers, near, supports};
use super::side::capital;
use super::{Facts, Issue, Rule};
use crate::findings::Assertion;
use crate::lexicon::{Entry, Kind, lexicon};
use crate::parse::{Mention, SectionKind};

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let has = |wanted: fn(SectionKind) -> bool| {
        report.sentences.iter().enumerate().any(|(index, _)| wanted(report.kind_of(index)))
    };
    let has_impression = has(|kind| kind == SectionKind::Impression);
    if !has_impression {
        return Vec::new();
    }
    let mut issues = Vec::new();
    if has(SectionKind::describes) {
        issues.extend(not_described(facts));
    }
    issues.extend(not_concluded(facts));
    issues
}

fn not_described(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let described: Vec<&Mention> = report
        .mentions
        .iter()
        .filter(|mention| {
            report.kind_of(mention.sentence).describes() && mention.entry.kind != Kind::Procedure && !mention.family
        })
        .collect();
    let mut issues = Vec::new();
    for mention in &report.mentions {
        if report.kind_of(mention.sentence) != SectionKind::Impression
            || !mention.is_present()
            || mention.entry.flags.benign
            || mention.entry.organ.is_empty()
        {
            continue;
        }
        if is_only_a_reason(facts, mention) {
            continue;
        }
        // A finding that the text denies is a matter of R03, not of this rule.
        let named = described.iter().any(|other| {
            if other.assertion == Assertion::Absent {
                other.entry.name == mention.entry.name
            } else {
                supports(other, mention.entry, mention.organ)
            }
        });
        let as_nodes = mention.entry.family == "node" && nodes_named(facts, SectionKind::describes);
        if named || as_nodes || described_in_other_words(facts, mention) {
            continue;
        }
        let message = format!("{} stands in the impression and not in the findings.", capital(&mention.entry.name));
        issues.push(Issue::new(Rule::R04, message, [mention.span.clone()]));
    }
    issues
}

/// "Biopsy to exclude", "given the known cancer": named as background.
fn is_only_a_reason(facts: &Facts<'_>, mention: &Mention) -> bool {
    let report = facts.report;
    let start = report.sentences[mention.sentence].tokens.start;
    report.tokens[start.max(mention.tokens.start.saturating_sub(6))..mention.tokens.start].iter().any(|token| {
        matches!(
            &*token.norm,
            "known"
                | "history"
                | "given"
                | "setting"
                | "patient"
                | "background"
                | "clinical"
                | "clinically"
                | "symptom"
                | "explain"
                | "cause"
                | "treatment"
                | "screening"
                | "staging"
                | "risk"
                | "for"
                | "between"
        )
    })
}

/// The organ stands in a sentence of the findings that is not a normal one.
fn described_in_other_words(facts: &Facts<'_>, mention: &Mention) -> bool {
    let report = facts.report;
    let by_organ = mention.entry.flags.diagnosis
        || matches!(
            mention.entry.family.as_str(),
            "enlargement"
                | "dilatation"
                | "thickening"
                | "tear"
                | "fracture"
                | "atrophy"
                | "narrowing"
                | "disc"
                | "degeneration"
                | "aneurysm"
                | "position"
                | "clot"
                | "diffuse"
                | "cartilage"
                | "tendon"
                | "compression"
                | "signal"
                | "obstruction"
                | "vessel"
                | "pressure"
                | "torsion"
                | "opacity"
                | "edema"
                | "mass"
                | "ischemia"
                | "demyelination"
                | "airways"
                | "interstitial"
                | "pregnancy"
        );
    by_organ
        && report.anatomy.iter().any(|place| {
            report.kind_of(place.sentence).describes()
                && (place.entry.organ == mention.organ || near_part(&place.entry.organ, mention.organ))
                && !is_normal(facts, place.sentence)
        })
}

/// "Reactive level II lymph nodes up to 14 mm" bears out "adenopathy"; "N1" and "nodal disease" conclude nodes.
fn nodes_named(facts: &Facts<'_>, wanted: fn(SectionKind) -> bool) -> bool {
    let report = facts.report;
    (0..report.sentences.len()).any(|sentence| {
        wanted(report.kind_of(sentence))
            && report.has_word(
                sentence,
                &[
                    "node",
                    "nodal",
                    "lymph",
                    "adenopathy",
                    "lymphadenopathy",
                    "n1",
                    "n2",
                    "n3",
                    "n1a",
                    "n1b",
                    "n1c",
                    "n2a",
                    "n2b",
                ],
            )
            && !is_normal(facts, sentence)
    })
}

/// The bone or vessel that a finding of the joint or spine is described by.
fn near_part(place: &str, organ: &str) -> bool {
    matches!(
        (place, organ),
        ("spine", "vertebra") | ("vertebra", "spine") | ("appendix", "appendix") | ("brain", "brain")
    ) || organ == "joint"
        && matches!(place, "knee" | "shoulder" | "hip" | "ankle" | "wrist" | "elbow" | "foot" | "hand")
        || organ == "hip" && place == "femur"
}

const NORMAL_WORDS: [&str; 18] = [
    "normal",
    "unremarkable",
    "clear",
    "intact",
    "patent",
    "preserved",
    "maintained",
    "no",
    "without",
    "not",
    "negative",
    "midline",
    "symmetric",
    "within",
    "normally",
    "appropriate",
    "free",
    "satisfactory",
];

const ABNORMAL_WORDS: [&str; 30] = [
    "enlarged",
    "heterogeneous",
    "dilated",
    "thickened",
    "irregular",
    "swollen",
    "discontinuous",
    "distended",
    "abnormal",
    "hypodense",
    "hyperdense",
    "hyperintense",
    "hypointense",
    "hypoechoic",
    "echogenic",
    "displaced",
    "inflamed",
    "collapsed",
    "narrowed",
    "increased",
    "decreased",
    "asymmetric",
    "edematous",
    "effaced",
    "compressed",
    "noncompressible",
    "disrupted",
    "torn",
    "occluded",
    "bulky",
];

fn is_normal(facts: &Facts<'_>, sentence: usize) -> bool {
    facts.report.has_word(sentence, &NORMAL_WORDS) && !facts.report.has_word(sentence, &ABNORMAL_WORDS)
        || facts.report.sentences[sentence].tokens.len() <= 2
}

fn not_concluded(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let concluded: Vec<&Mention> = report
        .mentions
        .iter()
        .filter(|mention| report.kind_of(mention.sentence).concludes() && !mention.family)
        .collect();
    let covered = |entry: &Entry, organ: &str| {
        concluded.iter().any(|cover| {
            if cover.assertion == Assertion::Absent {
                cover.entry.name == entry.name
            } else {
                cover.entry.kind == Kind::Finding && answers(cover, entry, organ)
            }
        }) || organ_is_concluded(facts, entry, organ)
    };
    let mut issues = Vec::new();
    for mention in &report.mentions {
        if !report.kind_of(mention.sentence).describes()
            || !mention.is_present()
            || !owes(mention.entry)
            || is_minor(facts, mention)
        {
            continue;
        }
        let size_mm = mention.size.map(|size| report.measures[size].longest_mm());
        if covered(mention.entry, mention.organ)
            || mention.entry.family == "node" && nodes_named(facts, SectionKind::concludes)
            || size_is_concluded(facts, size_mm, mention.organ)
            || explained_by(facts, mention).any(|other| covered(other.entry, other.organ))
        {
            continue;
        }
        let message = format!("{} stands in the findings and not in the impression.", capital(&mention.entry.name));
        issues.push(Issue::new(Rule::R05, message, [mention.span.clone()]));
    }
    for known in &facts.known {
        if !known.is_confirmed()
            || known.finding.effective_assertion() != Assertion::Present
            || !owes(known.entry)
            || covered(known.entry, known.organ)
            || known.entry.family == "node" && nodes_named(facts, SectionKind::concludes)
            || own_word_is_concluded(facts, known.entry)
            || size_is_concluded(facts, known.finding.longest_mm(), known.organ)
        {
            continue;
        }
        if known.finding.change == Some(crate::findings::Change::Resolved)
            || issues.iter().any(|issue| issue.message.to_lowercase().starts_with(&known.entry.name.to_lowercase()))
        {
            continue;
        }
        let told = report.mentions.iter().find(|mention| known.fits(mention) && mention.is_current());
        if told.is_some_and(|mention| mention.assertion == Assertion::Absent || is_minor(facts, mention)) {
            continue;
        }
        let message =
            format!("{} is a confirmed finding and does not stand in the impression.", capital(&known.entry.name));
        issues.push(Issue::new(Rule::R05, message, told.map(|mention| mention.span.clone())));
    }
    issues
}

/// "Sac shrinkage to 58 mm": the impression gives the size of the finding under another word.
fn size_is_concluded(facts: &Facts<'_>, size_mm: Option<f64>, organ: &str) -> bool {
    let report = facts.report;
    let Some(size_mm) = size_mm else { return false };
    report.measures.iter().enumerate().any(|(index, measure)| {
        (measure.longest_mm() - size_mm).abs() < 0.51
            && report
                .sentence_of(measure.tokens.start)
                .is_some_and(|sentence| report.kind_of(sentence) == SectionKind::Impression)
            && report
                .mentions
                .iter()
                .filter(|mention| mention.size == Some(index))
                .all(|mention| near(mention.organ, organ))
    })
}

/// Words of anatomy and of general findings: they tell no finding apart.
static COMMON_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    lexicon()
        .entries()
        .iter()
        .filter(|entry| entry.kind == Kind::Anatomy || entry.flags.general)
        .flat_map(|entry| std::iter::once(&entry.name).chain(&entry.synonyms))
        .flat_map(|name| name.split(' '))
        .collect()
});

/// "Cavitary consolidation" concludes a cavitary lesion: the word that only this term has.
fn own_word_is_concluded(facts: &Facts<'_>, entry: &Entry) -> bool {
    let report = facts.report;
    let is_own = |word: &&str| word.len() >= 7 && !COMMON_WORDS.contains(*word);
    entry.name.contains(' ')
        && entry.name.split(' ').filter(is_own).any(|word| {
            (0..report.sentences.len()).any(|sentence| {
                report.kind_of(sentence) == SectionKind::Impression
                    && report.has_word(sentence, &[word])
                    && !report.has_word(sentence, &["no", "without", "not", "absent", "negative"])
            })
        })
}

/// What the same sentence calls it: "a fluid collection, consistent with an abscess".
fn explained_by<'a>(facts: &'a Facts<'a>, mention: &'a Mention) -> impl Iterator<Item = &'a Mention> {
    let report = facts.report;
    report.mentions.iter().filter(move |other| {
        other.sentence == mention.sentence
            && other.tokens.start >= mention.tokens.end
            && report.tokens[mention.tokens.end..other.tokens.start].iter().any(|token| {
                matches!(
                    &*token.norm,
                    "consistent"
                        | "compatible"
                        | "keeping"
                        | "characteristic"
                        | "typical"
                        | "favor"
                        | "suspicious"
                        | "representing"
                        | "represent"
                        | "diagnostic"
                        | "suggesting"
                        | "suggestive"
                        | "reflecting"
                        | "concerning"
                        | "from"
                )
            })
    })
}

fn owes(entry: &Entry) -> bool {
    entry.kind == Kind::Finding && entry.flags.actionable && !entry.flags.benign
}

/// Old, traces, or told as a comparison.
fn is_minor(facts: &Facts<'_>, mention: &Mention) -> bool {
    let report = facts.report;
    let start = report.sentences[mention.sentence].tokens.start;
    let before = &report.tokens[start.max(mention.tokens.start.saturating_sub(4))..mention.tokens.start];
    let word = |words: &[&str]| before.iter().any(|token| words.contains(&&*token.norm));
    // "Colorectal carcinoma, status post hemicolectomy": the diagnosis that the operation was for.
    let is_treated = mention.entry.flags.diagnosis
        && mention.entry.family == "mass"
        && mention.size.is_none()
        && report
            .mentions
            .iter()
            .any(|other| other.sentence == mention.sentence && other.entry.kind == Kind::Procedure && other.historical);
    // "Sclerotic focus, likely a bone island."
    let is_called_benign = report.mentions.iter().any(|other| {
        other.sentence == mention.sentence
            && other.tokens.start >= mention.tokens.end
            && other.entry.flags.benign
            && other.assertion != Assertion::Absent
            && near(other.organ, mention.organ)
            && report.has_word(
                mention.sentence,
                &["likely", "consistent", "compatible", "representing", "probably", "probable", "keeping", "typical"],
            )
    }) || report.has_word(mention.sentence, &["benign"])
        && !report.has_word(mention.sentence, &["no", "not"]);
    is_treated
        || is_called_benign
        || word(&[
            "old",
            "chronic",
            "healed",
            "remote",
            "trace",
            "physiologic",
            "previously",
            "known",
            "minimal",
            "tiny",
            "calcified",
            "benign",
            "degenerative",
            "healing",
        ])
        || matches!(mention.entry.family.as_str(), "fluid" | "narrowing" | "clot")
            && mention.entry.name != "pulmonary embolism"
            && word(&["small", "tiny", "minimal", "mild", "trace"])
}

/// "Findings consistent with the above", or the organ named in the impression with its own words.
fn organ_is_concluded(facts: &Facts<'_>, entry: &Entry, organ: &str) -> bool {
    let report = facts.report;
    let by_organ = !matches!(entry.family.as_str(), "fracture" | "clot" | "hemorrhage" | "air" | "aneurysm" | "node");
    by_organ
        && !organ.is_empty()
        && report.anatomy.iter().any(|place| {
            report.kind_of(place.sentence) == SectionKind::Impression
                && place.entry.organ == organ
                && !is_normal(facts, place.sentence)
                && !report.mentions.iter().any(|mention| mention.sentence == place.sentence)
        })
}
