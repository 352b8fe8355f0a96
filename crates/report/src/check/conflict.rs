//! R03 present against absent, R19 repeated or contradictory sentences, R23 rejected results.

use std::collections::HashMap;

use super::relation::{is_part, other_site, same_term};
use super::side::capital;
use super::{Facts, Issue, Rule};
use crate::findings::{Assertion, State};
use crate::parse::{Mention, SectionKind};

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = within_text(facts);
    issues.extend(against_file(facts));
    issues.extend(repeated(facts));
    issues
}

/// Words that narrow a denial: "no new nodule" says nothing of the old one.
const NARROWING: [&str; 44] = [
    "new",
    "other",
    "additional",
    "further",
    "suspicious",
    "large",
    "significant",
    "obstructing",
    "displaced",
    "enlarging",
    "definite",
    "residual",
    "recurrent",
    "second",
    "more",
    "increasing",
    "worsening",
    "separate",
    "aggressive",
    "dominant",
    "calcified",
    "discrete",
    "drainable",
    "solid",
    "enhancing",
    "complicating",
    "progressive",
    "destructive",
    "sizable",
    "measurable",
    "hemodynamically",
    "flow",
    "tension",
    "loculated",
    "simple",
    "complex",
    "larger",
    "macroscopic",
    "associated",
    "adjacent",
    "surrounding",
    "underlying",
    "organized",
    "concurrent",
];

/// Whether a denial speaks of the thing as a whole.
fn is_plain_denial(facts: &Facts<'_>, mention: &Mention) -> bool {
    let report = facts.report;
    let start = mention
        .denied_by
        .filter(|cue| *cue < mention.tokens.start)
        .unwrap_or_else(|| mention.tokens.start.saturating_sub(3));
    let narrowed = report.tokens[start..mention.tokens.start].iter().any(|token| NARROWING.contains(&&*token.norm));
    // "acute" narrows what may be old.
    let only_acute =
        report.tokens[start..mention.tokens.start].iter().any(|token| matches!(&*token.norm, "acute" | "active"))
            && !mention.entry.flags.critical
            && !mention.entry.name.contains("acute");
    !(narrowed || only_acute)
}

fn sides_differ(first: &Mention, second: &Mention) -> bool {
    match (&first.side, &second.side) {
        (Some(first), Some(second)) => first.side.contradicts(second.side),
        _ => false,
    }
}

/// Whether denying `absent` denies `present`: the same entry, or any bleeding in the head.
fn denies(absent: &Mention, present: &Mention) -> bool {
    let same = absent.entry.name == present.entry.name
        && (absent.organ == present.organ
            || absent.organ.is_empty()
            || present.organ.is_empty()
            || !present.entry.flags.general);
    let any_bleeding = absent.entry.name == "intracranial hemorrhage"
        && present.entry.organ == "brain"
        && present.entry.family == "hemorrhage"
        && present.entry.flags.critical;
    let vague = absent.entry.flags.general
        && !absent.organ.is_empty()
        && same_term(absent.entry, absent.organ, present.entry, present.organ)
        && !present.entry.flags.benign;
    let whole_family = absent.entry.name == "pulmonary nodule"
        && present.entry.organ == "lung"
        && matches!(present.entry.name.as_str(), "ground-glass nodule" | "part-solid nodule" | "pulmonary mass");
    // A named site or side narrows the denial to it.
    let narrowed =
        absent.site.is_some_and(is_part) && absent.site.map(|site| &site.name) != present.site.map(|site| &site.name);
    // "Infraspinatus without tear" says nothing of the supraspinatus.
    let other_part = other_part(absent.site, present.site);
    let site_fits = !narrowed
        && !other_part
        && !other_site(absent.site, present.site)
        && (absent.site.is_none() || present.site.is_none() || absent.organ == present.organ);
    (same || any_bleeding || vague || whole_family) && site_fits
}

fn within_text(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let counts = |mention: &&Mention| {
        let kind = report.kind_of(mention.sentence);
        kind.describes() || kind.concludes()
    };
    let absent: Vec<&Mention> = report
        .mentions
        .iter()
        .filter(counts)
        .filter(|mention| mention.is_absent() && is_plain_denial(facts, mention))
        .collect();
    let mut issues = Vec::new();
    for present in report.mentions.iter().filter(counts).filter(|mention| mention.is_present()) {
        if is_reported_as_past(facts, present) {
            continue;
        }
        for denied in absent.iter().filter(|denied| {
            denies(denied, present)
                && !sides_differ(denied, present)
                && !other_label(facts, denied, present)
                && !other_nodes(facts, denied, present)
        }) {
            let (here, there) = (report.kind_of(present.sentence), report.kind_of(denied.sentence));
            let across = here.concludes() != there.concludes();
            if !across && (denied.sentence == present.sentence || narrowed_by_side(denied, present)) {
                continue;
            }
            let (rule, message) = if across {
                (
                    Rule::R03,
                    format!(
                        "{} is there in one part of the report and not there in the other.",
                        capital(&present.entry.name)
                    ),
                )
            } else {
                (Rule::R19, format!("Two sentences contradict each other about {}.", present.entry.name))
            };
            issues.push(Issue::new(rule, message, [present.span.clone(), denied.span.clone()]));
            break;
        }
    }
    issues
}

/// "LM: no stenosis. LAD: stenosis": a label that names no known part of the body narrows the denial to itself.
fn other_label(facts: &Facts<'_>, denied: &Mention, present: &Mention) -> bool {
    let report = facts.report;
    let label_words = |sentence: usize| -> Vec<&str> {
        report.sentences[sentence]
            .label
            .clone()
            .map(|label| report.tokens[label].iter().map(|token| &*token.norm).collect())
            .unwrap_or_default()
    };
    let own = label_words(denied.sentence);
    is_narrow_label(facts, denied, &own) && own != label_words(present.sentence)
}

/// Whether the label of a mention names something that the lexicon does not know and that is no catch-all.
fn is_narrow_label(facts: &Facts<'_>, mention: &Mention, words: &[&str]) -> bool {
    let report = facts.report;
    let Some(label) = report.sentences[mention.sentence].label.clone() else { return false };
    let names_anatomy = report.anatomy.iter().any(|place| label.contains(&place.tokens.start));
    const OPEN: [&str; 24] = [
        "other",
        "others",
        "additional",
        "misc",
        "miscellaneous",
        "incidental",
        "general",
        "impression",
        "conclusion",
        "finding",
        "summary",
        "extracardiac",
        "remaining",
        "remainder",
        "rest",
        "note",
        "comment",
        "overall",
        "further",
        "lines",
        "tubes",
        "acute",
        "emergent",
        "head",
    ];
    !names_anatomy && !words.is_empty() && words.len() <= 4 && !words.iter().any(|word| OPEN.contains(word))
}

/// "Suspicious mesorectal nodes. No enlarged pelvic sidewall nodes.": nodes of two places.
fn other_nodes(facts: &Facts<'_>, denied: &Mention, present: &Mention) -> bool {
    let report = facts.report;
    let inner = |mention: &Mention| -> Vec<&str> {
        report.tokens[mention.tokens.clone()].iter().map(|token| &*token.norm).filter(|word| word.len() > 3).collect()
    };
    denied.entry.family == "node" && denied.tokens.len() > 2 && {
        let told = inner(present);
        inner(denied).iter().any(|word| {
            !told.contains(word)
                && !matches!(
                    *word,
                    "enlarged" | "lymph" | "node" | "suspicious" | "pathologic" | "pathological" | "abnormal"
                )
        })
    }
}

/// "Right effusion. No pneumothorax on the right." within one section: a side on one of them only may narrow it.
fn narrowed_by_side(denied: &Mention, present: &Mention) -> bool {
    denied.side.is_some() && present.side.is_none() && !present.entry.flags.paired
}

/// "The previously seen effusion": told of the earlier examination.
fn is_reported_as_past(facts: &Facts<'_>, mention: &Mention) -> bool {
    let report = facts.report;
    let start = report.sentences[mention.sentence].tokens.start;
    report.tokens[start.max(mention.tokens.start.saturating_sub(5))..mention.tokens.start]
        .iter()
        .any(|token| matches!(&*token.norm, "previously" | "prior" | "previous" | "formerly" | "treated"))
}

fn against_file(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for mention in &report.mentions {
        let kind = report.kind_of(mention.sentence);
        if !(kind.describes() || kind.concludes()) {
            continue;
        }
        if mention.is_present() && !is_reported_as_past(facts, mention) {
            let fits: Vec<_> = facts.known.iter().filter(|known| known.is_live() && known.fits(mention)).collect();
            let denied = fits.iter().find(|known| {
                known.finding.effective_assertion() == Assertion::Absent
                    && (known.entry.name == mention.entry.name || known.entry.flags.general && known.organ.is_empty())
            });
            let held = fits.iter().any(|known| known.is_positive());
            if let (Some(_), false) = (denied, held) {
                let message = format!(
                    "The text says that {} is there, the stored finding says that it is not.",
                    mention.entry.name
                );
                issues.push(Issue::new(Rule::R03, message, [mention.span.clone()]));
            }
        } else if (mention.is_absent()
            || mention.entry.kind == crate::lexicon::Kind::Procedure
                && !mention.family
                && mention.assertion == Assertion::Absent
                && mention.denied_by.is_some_and(|cue| cue <= mention.tokens.start && mention.tokens.start - cue <= 3))
            && is_plain_denial(facts, mention)
        {
            let held = facts.known.iter().find(|known| {
                known.is_confirmed()
                    && !label_narrows(facts, mention)
                    && !other_part(known.site, mention.site)
                    && known.finding.effective_assertion() == Assertion::Present
                    && known.finding.change != Some(crate::findings::Change::Resolved)
                    && known.fits(mention)
                    && (known.entry.name == mention.entry.name
                        || mention.entry.flags.general
                            && (!mention.organ.is_empty() || denies_outright(facts, mention)))
            });
            // Where the text also tells it as present, the two sentences contradict each other and R19 or R03 says so.
            if held.is_some() {
                let message = format!(
                    "The text says that there is no {}, the stored finding says that there is.",
                    mention.entry.name
                );
                issues.push(Issue::new(Rule::R03, message, [mention.span.clone()]));
            }
        }
    }
    issues
}

fn label_narrows(facts: &Facts<'_>, mention: &Mention) -> bool {
    let report = facts.report;
    let words: Vec<&str> = report.sentences[mention.sentence]
        .label
        .clone()
        .map(|label| report.tokens[label].iter().map(|token| &*token.norm).collect())
        .unwrap_or_default();
    is_narrow_label(facts, mention, &words)
}

/// Two named parts of one organ.
fn other_part(first: Option<&crate::lexicon::Entry>, second: Option<&crate::lexicon::Entry>) -> bool {
    first.zip(second).is_some_and(|(first, second)| {
        first.name != second.name && first.name != first.organ && second.name != second.organ
    })
}

/// "No abscess." without any place: the whole examination is meant.
fn denies_outright(facts: &Facts<'_>, mention: &Mention) -> bool {
    mention.site.is_none()
        && facts.report.sentences[mention.sentence].label.is_none()
        && matches!(
            mention.entry.name.as_str(),
            "abscess"
                | "mass"
                | "hematoma"
                | "perforation"
                | "aneurysm"
                | "dissection"
                | "fluid collection"
                | "lymphadenopathy"
                | "metastasis"
                | "foreign body"
        )
}

/// A sentence of four words or more that stands twice in one section.
fn repeated(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut seen: HashMap<(usize, String), usize> = HashMap::new();
    let mut issues = Vec::new();
    for (index, sentence) in report.sentences.iter().enumerate() {
        if report.sections[sentence.section].kind == SectionKind::Administrative {
            continue;
        }
        let words: Vec<&str> = report.words(index).filter(|word| word.chars().any(char::is_alphanumeric)).collect();
        // "Normal." under several labels is no repetition, nor is a label with its value.
        if words.len() < 4 && !(words.len() == 3 && sentence.label.is_none()) {
            continue;
        }
        match seen.entry((sentence.section, words.join(" "))) {
            std::collections::hash_map::Entry::Occupied(first) => {
                let spans = [report.sentences[*first.get()].span.clone(), sentence.span.clone()];
                issues.push(Issue::new(Rule::R19, "This sentence stands twice.", spans));
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(index);
            }
        }
    }
    issues
}

/// R23: what the reader rejected still stands in the text.
pub(super) fn rejected(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for known in
        facts.known.iter().filter(|known| known.finding.effective_state() == State::Rejected && known.is_positive())
    {
        for mention in &report.mentions {
            let kind = report.kind_of(mention.sentence);
            if !(kind.describes() || kind.concludes())
                || !mention.is_current()
                || mention.assertion == Assertion::Absent
                || !known.fits(mention)
            {
                continue;
            }
            let also_accepted =
                facts.known.iter().any(|other| other.is_live() && other.is_positive() && other.fits(mention));
            // Where another finding of the same kind was accepted, only the size tells which one the text means.
            let size = mention.size.map(|size| report.measures[size].longest_mm());
            let is_this_size = size
                .zip(known.finding.longest_mm())
                .is_some_and(|(text, stored)| (text - stored).abs() <= 0.05 * stored);
            let other_has_size = facts.known.iter().any(|other| {
                other.is_live()
                    && other.fits(mention)
                    && size
                        .zip(other.finding.longest_mm())
                        .is_some_and(|(text, stored)| (text - stored).abs() <= 0.2 * stored)
            });
            if also_accepted && (other_has_size || !is_this_size) {
                continue;
            }
            let message =
                format!("{} was rejected by the reader and still stands in the text.", capital(&mention.entry.name));
            issues.push(Issue::new(Rule::R23, message, [mention.span.clone()]));
        }
    }
    issues
}
