//! R17: categories and recommendations against what a guideline says of the attributes.

use std::ops::Range;

use super::relation::Known;
use super::{Facts, Issue, Rule};
use crate::findings::{Assertion, Change};
use crate::guideline::fleischner::{self, Composition, Risk};
use crate::guideline::tirads::{self, Attributes};
use crate::parse::Mention;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = thyroid(facts);
    issues.extend(lung(facts));
    issues
}

/// A TI-RADS level or point count in the text.
struct Told {
    level: Option<u8>,
    points: Option<u8>,
    span: Range<usize>,
    sentence: usize,
    tokens: Range<usize>,
}

fn thyroid(facts: &Facts<'_>) -> Vec<Issue> {
    let told = told_levels(facts);
    let mut issues = Vec::new();
    let nodules: Vec<&Known<'_>> = facts
        .known
        .iter()
        .filter(|known| {
            known.is_live() && known.is_positive() && known.organ == "thyroid" && known.entry.family == "mass"
        })
        .collect();
    for told in &told {
        if let (Some(level), Some(points)) = (told.level, told.points)
            && tirads::level(points) != level
        {
            let message = format!(
                "{points} points are TR{}, the text says TR{level} ({}).",
                tirads::level(points),
                tirads::SOURCE.short
            );
            issues.push(Issue::new(Rule::R17, message, [told.span.clone()]));
            continue;
        }
        let nodule = nearest_nodule(facts, told, &nodules);
        // Attributes of the file first, else those that the text gives for this nodule.
        let from_file = nodule.and_then(|known| Attributes::of(known.finding));
        let from_text = described(facts, told);
        let Some(attributes) = from_file.or(from_text) else { continue };
        let points = attributes.points();
        let level = tirads::level(points);
        if told.level.is_some_and(|said| said != level) || told.points.is_some_and(|said| said != points) {
            let message = format!("The attributes give {points} points, TR{level} ({}).", tirads::SOURCE.short);
            issues.push(Issue::new(Rule::R17, message, [told.span.clone()]));
        }
    }
    issues.extend(thyroid_advice(facts, &told, &nodules));
    issues
}

/// "TR4", "TI-RADS 4", "TIRADS category 4", "(5 points)".
fn told_levels(facts: &Facts<'_>) -> Vec<Told> {
    let report = facts.report;
    let tokens = &report.tokens;
    let mut found: Vec<Told> = Vec::new();
    for index in 0..tokens.len() {
        let norm = |at: usize| tokens.get(at).map_or("", |token| &*token.norm);
        let level_word = |word: &str| {
            word.strip_prefix("tr").and_then(|digit| digit.parse::<u8>().ok()).filter(|level| (1..=5).contains(level))
        };
        let (level, end) = if let Some(level) = level_word(norm(index)) {
            (level, index + 1)
        } else {
            let after = match norm(index) {
                "tirad" | "tirads" => index + 1,
                "ti" if matches!(norm(index + 1), "-") && matches!(norm(index + 2), "rad" | "rads") => index + 3,
                "ti" if matches!(norm(index + 1), "rad" | "rads") => index + 2,
                "tr" => index + 1,
                _ => continue,
            };
            let mut at = after;
            while matches!(
                norm(at),
                "category"
                    | "level"
                    | ":"
                    | "-"
                    | "score"
                    | "("
                    | "grade"
                    | "classification"
                    | "of"
                    | "is"
                    | "acr"
                    | "2017"
                    | ","
            ) && at < after + 4
            {
                at += 1;
            }
            if let Some(level) = level_word(norm(at)) {
                (level, at + 1)
            } else {
                match norm(at).parse::<u8>() {
                    Ok(level) if (1..=5).contains(&level) && !matches!(norm(at + 1), "point" | "mm" | "cm") => {
                        (level, at + 1)
                    }
                    _ => continue,
                }
            }
        };
        if found.last().is_some_and(|last| index < last.tokens.end) {
            continue;
        }
        let Some(sentence) = report.sentence_of(index) else { continue };
        let range = report.sentences[sentence].tokens.clone();
        let points = (range.start..range.end).find_map(|at| {
            (matches!(norm(at + 1), "point" | "pt") || norm(at + 1) == "total" && norm(at + 2) == "point")
                .then(|| norm(at).parse::<u8>().ok())
                .flatten()
        });
        found.push(Told {
            level: Some(level),
            points,
            span: report.bytes(&(index..end)),
            sentence,
            tokens: index..end,
        });
    }
    found
}

fn nearest_nodule<'k, 'f>(facts: &Facts<'_>, told: &Told, nodules: &[&'k Known<'f>]) -> Option<&'k Known<'f>> {
    if nodules.len() <= 1 {
        return nodules.first().copied();
    }
    let report = facts.report;
    let near: Vec<&Mention> = report
        .mentions
        .iter()
        .filter(|mention| {
            mention.sentence <= told.sentence && told.sentence - mention.sentence <= 3 && mention.organ == "thyroid"
        })
        .collect();
    near.iter().rev().find_map(|mention| {
        let size = mention.size.map(|size| report.measures[size].longest_mm());
        let by_size = size.and_then(|size| {
            nodules
                .iter()
                .find(|known| known.finding.longest_mm().is_some_and(|stored| (stored - size).abs() <= 0.1 * stored))
        });
        by_size
            .or_else(|| {
                let fitting: Vec<&&Known<'_>> =
                    nodules.iter().filter(|known| known.fits(mention) && mention.side.is_some()).collect();
                (fitting.len() == 1).then(|| fitting[0])
            })
            .copied()
    })
}

/// The attributes that the sentences about the nodule give: from the last sentence that begins it to the level.
fn described(facts: &Facts<'_>, told: &Told) -> Option<Attributes> {
    let report = facts.report;
    let first = (told.sentence.saturating_sub(3)..=told.sentence).rev().find(|sentence| {
        report.mentions.iter().any(|mention| {
            mention.sentence == *sentence
                && mention.entry.family == "mass"
                && mention.assertion == Assertion::Present
                && matches!(mention.organ, "thyroid" | "")
        })
    })?;
    let section = report.sentences[told.sentence].section;
    if report.sentences[first].section != section {
        return None;
    }
    let words: Vec<&str> = (first..=told.sentence).flat_map(|sentence| report.words(sentence)).collect();
    Attributes::of_words(&words)
}

fn thyroid_advice(facts: &Facts<'_>, all: &[Told], nodules: &[&Known<'_>]) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for told in all {
        let Some(level) = told.level else { continue };
        let size = nearest_nodule(facts, told, nodules).and_then(|known| known.finding.longest_mm()).or_else(|| {
            report
                .mentions
                .iter()
                .rev()
                .filter(|mention| {
                    mention.sentence <= told.sentence
                        && told.sentence - mention.sentence <= 3
                        && matches!(mention.organ, "thyroid" | "")
                })
                .find_map(|mention| mention.size.map(|size| report.measures[size].longest_mm()))
        });
        let Some(size_mm) = size else { continue };
        // Advice in the same sentence, the next one, or the only advice of the report.
        for sentence in told.sentence..(told.sentence + 2).min(report.sentences.len()) {
            // The next nodule's own sentence.
            if sentence > told.sentence && all.iter().any(|other| other.sentence == sentence) {
                break;
            }
            let asks = report.has_word(
                sentence,
                &[
                    "recommend",
                    "recommended",
                    "advised",
                    "suggested",
                    "criterion",
                    "meet",
                    "indicated",
                    "warranted",
                    "recommendation",
                    "consider",
                ],
            );
            let needle = report.has_word(sentence, &["fna", "biopsy", "aspiration", "sampling"]);
            let denied = report.has_word(sentence, &["no", "not", "without", "below", "neither"]);
            let advice = tirads::advice(level, size_mm);
            if asks && needle && !denied && advice != tirads::Advice::Sample {
                let message = format!(
                    "TR{level} of {} mm asks for {} ({}).",
                    size_mm.round(),
                    advice.words(),
                    tirads::SOURCE.short
                );
                issues.push(Issue::new(
                    Rule::R17,
                    message,
                    [report.sentences[sentence].span.clone(), told.span.clone()],
                ));
                break;
            }
            let nothing = denied
                && report.has_word(sentence, &["follow", "followup", "fna", "biopsy", "surveillance"])
                && report.has_word(sentence, &["required", "needed", "necessary", "recommended", "indicated"]);
            let contradicts =
                nothing && (needle && advice == tirads::Advice::Sample || !needle && advice != tirads::Advice::Nothing);
            if contradicts {
                let message = format!(
                    "TR{level} of {} mm asks for {} ({}).",
                    size_mm.round(),
                    advice.words(),
                    tirads::SOURCE.short
                );
                issues.push(Issue::new(
                    Rule::R17,
                    message,
                    [report.sentences[sentence].span.clone(), told.span.clone()],
                ));
                break;
            }
        }
    }
    issues
}

/// Fleischner: where the text cites it, or the nodule is new or unchanged; not where it grows.
fn lung(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let cited = (0..report.sentences.len()).any(|sentence| report.has_word(sentence, &["fleischner"]));
    let nodules: Vec<&Known<'_>> = facts
        .known
        .iter()
        .filter(|known| {
            known.is_live() && known.is_positive() && known.organ == "lung" && known.entry.name.contains("nodule")
        })
        .collect();
    let in_text: Vec<&Mention> = report
        .mentions
        .iter()
        .filter(|mention| mention.is_present() && mention.organ == "lung" && mention.entry.name.contains("nodule"))
        .collect();
    let grows = nodules.iter().any(|known| {
        matches!(known.finding.change, Some(Change::Increased))
            || known
                .finding
                .longest_mm()
                .zip(known.finding.prior_longest_mm())
                .is_some_and(|(now, before)| now - before >= 2.0)
    }) || in_text
        .iter()
        .any(|mention| mention.change.is_some_and(|change| report.change_words[change].change == Change::Increased));
    let calm = nodules.iter().any(|known| matches!(known.finding.change, Some(Change::New | Change::Unchanged)))
        || in_text.iter().any(|mention| {
            mention
                .change
                .is_some_and(|change| matches!(report.change_words[change].change, Change::New | Change::Unchanged))
        });
    if grows || !(cited || calm) || is_excluded(facts) {
        return Vec::new();
    }
    let largest = nodules
        .iter()
        .filter_map(|known| Some((mean_mm(known.finding.size_mm.as_deref()?)?, *known)))
        .max_by(|first, second| first.0.total_cmp(&second.0));
    let text_largest = in_text
        .iter()
        .filter_map(|mention| mention.size.and_then(|size| mean_mm(&report.measures[size].mm)).map(|mm| (mm, *mention)))
        .max_by(|first, second| first.0.total_cmp(&second.0));
    let Some(size_mm) = largest.map(|(mm, _)| mm).or(text_largest.map(|(mm, _)| mm)) else { return Vec::new() };
    let composition = largest
        .and_then(|(_, known)| known.finding.attribute("composition"))
        .and_then(|word| Composition::of(&word))
        .or_else(|| text_composition(facts, &in_text))
        .unwrap_or(Composition::Solid);
    let risk = largest.and_then(|(_, known)| known.finding.attribute("risk")).and_then(|word| Risk::of(&word));
    let count: u64 = nodules.iter().map(|known| known.finding.count.unwrap_or(1)).sum::<u64>().max(1);
    let multiple = count > 1 || in_text.iter().any(|mention| mention.plural);
    let mut issues = Vec::new();
    for sentence in 0..report.sentences.len() {
        let kind = report.kind_of(sentence);
        if !(kind.concludes() || kind.describes())
            || report.mentions.iter().any(|mention| {
                mention.sentence == sentence
                    && mention.entry.kind == crate::lexicon::Kind::Finding
                    && mention.organ != "lung"
                    && !mention.organ.is_empty()
            })
        {
            continue;
        }
        let Some(advice) = told_advice(facts, sentence) else { continue };
        if let Some(expected) = fleischner::contradiction(size_mm, composition, risk, multiple, advice) {
            let span = report.sentences[sentence].span.clone();
            let other =
                text_largest.and_then(|(_, mention)| mention.size).map(|size| report.measures[size].span.clone());
            let message =
                format!("For {} mm the guideline gives {expected} ({}).", size_mm.round(), fleischner::SOURCE.short);
            issues.push(Issue::new(Rule::R17, message, std::iter::once(span).chain(other)));
        }
    }
    issues
}

/// Not for children and adults under 35, known cancer, weak immunity, screening.
fn is_excluded(facts: &Facts<'_>) -> bool {
    let report = facts.report;
    let young =
        facts.file.and_then(|file| file.patient.as_ref()).and_then(|patient| patient.age).is_some_and(|age| age < 35.0);
    young
        || (0..report.sentences.len()).any(|sentence| {
            report.has_word(sentence, &["screening", "immunosuppressed", "immunocompromised", "transplant"])
                || report.kind_of(sentence) == crate::parse::SectionKind::History
                    && report.has_word(
                        sentence,
                        &["cancer", "malignancy", "carcinoma", "lymphoma", "metastatic", "melanoma"],
                    )
        })
}

fn mean_mm(sizes: &[f64]) -> Option<f64> {
    let sizes: Vec<f64> = sizes.iter().copied().filter(|size| size.is_finite() && *size > 0.0).take(2).collect();
    (!sizes.is_empty()).then(|| sizes.iter().sum::<f64>() / sizes.len() as f64)
}

fn text_composition(facts: &Facts<'_>, nodules: &[&Mention]) -> Option<Composition> {
    let report = facts.report;
    nodules.iter().find_map(|mention| {
        let words = || report.words(mention.sentence);
        if mention.entry.name == "part-solid nodule"
            || words().any(|word| matches!(word, "subsolid" | "semisolid"))
            || words().zip(words().skip(1)).any(|pair| pair == ("part", "solid"))
        {
            return Some(Composition::PartSolid);
        }
        if mention.entry.name == "ground-glass nodule"
            || words().any(|word| matches!(word, "nonsolid" | "ggn"))
            || words().any(|word| word == "ground")
        {
            return Some(Composition::GroundGlass);
        }
        words().any(|word| word == "solid").then_some(Composition::Solid)
    })
}

/// What a sentence advises: months to the next CT, none, or work-up now.
fn told_advice(facts: &Facts<'_>, sentence: usize) -> Option<fleischner::Told> {
    let report = facts.report;
    let about_imaging =
        report.has_word(sentence, &["ct", "follow", "followup", "surveillance", "imaging", "fleischner", "repeat"]);
    if !about_imaging || report.has_word(sentence, &["compared", "prior", "previous"]) {
        return None;
    }
    let advises = report.has_word(
        sentence,
        &[
            "recommend",
            "recommended",
            "suggest",
            "suggested",
            "advise",
            "advised",
            "should",
            "consider",
            "per",
            "according",
            "fleischner",
            "needed",
            "required",
            "necessary",
            "indicated",
            "follow",
            "repeat",
            "recommendation",
        ],
    );
    if !advises {
        return None;
    }
    let denied = report.has_word(sentence, &["no", "not", "without"])
        && report.has_word(sentence, &["follow", "followup", "surveillance", "imaging", "routine", "further"]);
    if denied {
        return Some(fleischner::Told::Nothing);
    }
    let range = report.sentences[sentence].tokens.clone();
    let norm = |at: usize| if range.contains(&at) { &*report.tokens[at].norm } else { "" };
    for index in range.clone() {
        let months_per_unit = match norm(index) {
            "month" | "mo" => 1.0,
            "week" => 12.0 / 52.0,
            "year" => 12.0,
            "annual" | "annually" | "yearly" => return Some(fleischner::Told::Months(12.0, 12.0)),
            _ => continue,
        };
        let number = |at: usize| {
            report
                .tokens
                .get(at)
                .filter(|_| range.contains(&at))
                .and_then(|token| token.number().or_else(|| word_number(&token.norm)))
        };
        let mut at = index.checked_sub(1)?;
        if norm(at) == "-" {
            at = at.checked_sub(1)?;
        }
        let last = number(at)?;
        let first = at
            .checked_sub(2)
            .filter(|_| matches!(norm(at - 1), "-" | "–" | "to" | "or"))
            .and_then(number)
            .unwrap_or(last);
        return Some(fleischner::Told::Months(first.min(last) * months_per_unit, last.max(first) * months_per_unit));
    }
    None
}

fn word_number(word: &str) -> Option<f64> {
    Some(match word {
        "one" | "a" => 1.0,
        "two" => 2.0,
        "three" => 3.0,
        "four" => 4.0,
        "six" => 6.0,
        "nine" => 9.0,
        "twelve" => 12.0,
        "eighteen" => 18.0,
        _ => return None,
    })
}
