//! R20: levels and parts of the body that do not exist.

use std::ops::Range;

use super::{Facts, Issue, Rule};
use crate::findings::Side;
use crate::parse::tokens::TokenKind;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = vertebrae(facts);
    issues.extend(counted(facts));
    issues.extend(wrong_side(facts));
    issues
}

/// The last vertebra of each part of the spine.
fn last_level(letter: char) -> Option<u32> {
    Some(match letter {
        'c' => 7,
        't' | 'd' => 12,
        'l' => 5,
        's' => 5,
        _ => return None,
    })
}

fn level_of(norm: &str) -> Option<(char, u32)> {
    let letter = norm.chars().next()?;
    let digits = norm.strip_prefix(letter)?;
    if digits.is_empty() || digits.len() > 2 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    last_level(letter)?;
    Some((letter, digits.parse().ok()?))
}

/// A spine with a transitional or sixth lumbar vertebra has an L6; the report says so once, anywhere.
fn is_transitional(facts: &Facts<'_>) -> bool {
    let report = facts.report;
    (0..report.sentences.len()).any(|sentence| {
        report.has_word(
            sentence,
            &[
                "transitional",
                "lumbarized",
                "lumbarization",
                "sacralized",
                "sacralization",
                "lumbarised",
                "lumbarisation",
                "sacralised",
                "sacralisation",
                "supernumerary",
                "lstv",
            ],
        ) && !report.has_word(sentence, &["no", "without"])
            || (report.has_phrase(sentence, &["six", "lumbar"]) || report.has_phrase(sentence, &["6", "lumbar"]))
    })
}

fn spine_context(facts: &Facts<'_>, index: usize) -> bool {
    let report = facts.report;
    let spine_words = [
        "vertebra",
        "vertebral",
        "disc",
        "spine",
        "level",
        "fracture",
        "compression",
        "foraminal",
        "foramen",
        "stenosis",
        "canal",
        "listhesis",
        "anterolisthesis",
        "retrolisthesis",
        "spondylolisthesis",
        "protrusion",
        "extrusion",
        "bulge",
        "endplate",
        "lumbar",
        "thoracic",
        "cervical",
        "nerve",
        "root",
        "facet",
        "laminectomy",
        "fusion",
        "body",
        "pedicle",
        "spinou",
        "spinous",
        "herniation",
        "marrow",
        "cord",
        "conu",
        "conus",
        "wedge",
        "height",
        "hemangioma",
        "lesion",
        "metastasis",
        "spondylosis",
        "spondylolysis",
        "pars",
        "osteophyte",
        "deformity",
        "burst",
        "desiccation",
    ];
    let sentence_fits = report.sentence_of(index).is_some_and(|sentence| {
        report.has_word(sentence, &spine_words)
            || report.words(sentence).filter(|word| level_of(word).is_some()).count() > 1
    });
    let spine_report = report.anatomy.iter().any(|place| matches!(place.entry.organ.as_str(), "spine" | "vertebra"))
        && report.sentences.len() > 1;
    sentence_fits || spine_report && report.tokens[index].breaks > 0
}

fn vertebrae(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    let has_sixth = is_transitional(facts);
    for (index, token) in report.tokens.iter().enumerate() {
        if token.kind != TokenKind::Word {
            continue;
        }
        let Some((letter, number)) = level_of(&token.norm) else { continue };
        let written = &report.text[token.span.clone()];
        if !written.starts_with(char::is_uppercase) && !written.starts_with(letter) || !spine_context(facts, index) {
            continue;
        }
        let next = |ahead: usize| report.tokens.get(index + ahead).map_or("", |token| &*token.norm);
        // "S7 segment" belongs to liver or lung.
        if letter == 's' && (next(1) == "segment" || index > 0 && &*report.tokens[index - 1].norm == "segment") {
            continue;
        }
        // C8 is a nerve root; T1 and T2 are also weightings, T3 and T4 tumour stages.
        let is_root = letter == 'c'
            && number == 8
            && (1..4).any(|ahead| matches!(next(ahead), "root" | "nerve" | "radiculopathy" | "distribution"))
            || letter == 'c' && number == 8 && index > 0 && matches!(&*report.tokens[index - 1].norm, "root" | "nerve");
        let last = last_level(letter).unwrap_or(u32::MAX);
        if (number > last || number == 0)
            && !is_root
            && !(has_sixth && matches!((letter, number), ('l', 6) | ('t', 13)))
        {
            issues.push(Issue::new(
                Rule::R20,
                format!("There is no vertebra {}.", written.to_uppercase()),
                [token.span.clone()],
            ));
            continue;
        }
        if let Some(issue) = pair_at(facts, index, letter, number)
            && !(has_sixth && letter == 'l' && number >= 5)
        {
            issues.push(issue);
        }
        // "lumbar C5", "cervical vertebra L3"
        let region = (index.saturating_sub(3)..index).rev().find_map(|at| match &*report.tokens[at].norm {
            "cervical" => Some('c'),
            "thoracic" | "dorsal" => Some('t'),
            "lumbar" => Some('l'),
            "sacral" => Some('s'),
            _ => None,
        });
        let between_plain = (index.saturating_sub(3)..index).all(|at| {
            !matches!(&*report.tokens[at].norm, "," | "." | "and" | "to" | ":" | "through" | "from" | "-" | "or")
        });
        if let Some(region) = region
            && between_plain
            && !begins_range(facts, index)
            && region != if letter == 'd' { 't' } else { letter }
            && !matches!((region, letter, number), ('l', 's', 1) | ('c', 't', 1) | ('t', 'l', 1))
        {
            issues.push(Issue::new(
                Rule::R20,
                format!("{} does not belong to this part of the spine.", written.to_uppercase()),
                std::iter::once(report.tokens[index.saturating_sub(3)].span.start..token.span.end),
            ));
        }
    }
    issues
}

/// "Lumbar curve T11-L4": a stretch may begin above the part of the spine that names it.
fn begins_range(facts: &Facts<'_>, index: usize) -> bool {
    let tokens = &facts.report.tokens;
    tokens.get(index + 1).is_some_and(|next| matches!(&*next.norm, "-" | "–" | "to" | "through"))
        && tokens.get(index + 2).is_some_and(|second| level_of(&second.norm).is_some())
}

/// "L4/6", "C7-C8", "L5-S2" as discs: two levels that are no neighbours.
fn pair_at(facts: &Facts<'_>, index: usize, letter: char, number: u32) -> Option<Issue> {
    let report = facts.report;
    let tokens = &report.tokens;
    let mark = tokens.get(index + 1).filter(|mark| matches!(&*mark.norm, "-" | "/" | "–"))?;
    let second = tokens.get(index + 2).filter(|second| !second.spaced && !mark.spaced)?;
    let (other, other_number) = match second.kind {
        TokenKind::Number => (letter, second.norm.parse::<u32>().ok()?),
        _ => level_of(&second.norm)?,
    };
    let span = tokens[index].span.start..second.span.end;
    let last = last_level(letter)?;
    if second.kind == TokenKind::Number && other_number > last && other_number != 1 {
        return Some(Issue::new(Rule::R20, format!("There is no level {}.", &report.text[span.clone()]), [span]));
    }
    let next_word = tokens.get(index + 3).map_or("", |token| &*token.norm);
    let is_disc = mark.is_mark("/")
        || matches!(
            next_word,
            "disc" | "foraminal" | "facet" | "intervertebral" | "protrusion" | "extrusion" | "bulge" | "herniation"
        );
    let follows = match (letter, other) {
        (first, second) if first == second => other_number == number + 1,
        ('c', 't' | 'd') => number == 7 && other_number == 1,
        ('t' | 'd', 'l') => number == 12 && other_number == 1,
        ('l', 's') => (number == 5 || number == 6) && other_number == 1,
        _ => false,
    };
    let backwards = letter == other && other_number < number;
    (is_disc && !follows && !is_range(tokens, index) || backwards && second.kind != TokenKind::Number)
        .then(|| Issue::new(Rule::R20, format!("There is no level {}.", &report.text[span.clone()]), [span]))
}

fn is_range(tokens: &[crate::parse::Token], index: usize) -> bool {
    index > 0 && matches!(&*tokens[index - 1].norm, "from" | "levels" | "spanning" | "fusion" | "laminectomy")
}

/// "13th rib", "rib 14", "sixth metacarpal", "segment IX of the liver".
fn counted(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for (index, token) in report.tokens.iter().enumerate() {
        let last = match &*token.norm {
            "rib" => 12,
            "metacarpal" | "metatarsal" | "finger" | "toe" => 5,
            "segment" if is_liver_segment(facts, index) => 8,
            _ => continue,
        };
        let norm = |at: usize| report.tokens.get(at).map_or("", |token| &*token.norm);
        let before = index.checked_sub(1).map(|at| (ordinal(norm(at)), at));
        let after = number_word(norm(index + 1)).map(|number| (Some(number), index + 1));
        let candidates = [before.filter(|_| last != 8), after];
        for (number, at) in candidates.into_iter().flatten() {
            let Some(number) = number else { continue };
            let plural_follows = at > index
                && report.tokens.get(at + 1).is_some_and(|next| matches!(&*next.norm, "mm" | "cm" | "fracture"));
            if (number > last || number == 0) && !plural_follows {
                let span = report.tokens[at.min(index)].span.start..report.tokens[at.max(index)].span.end;
                issues.push(Issue::new(Rule::R20, format!("There is no {}.", &report.text[span.clone()]), [span]));
            }
        }
        // "fractures of the right 5th through 13th ribs": each ordinal before the word.
        if last == 12 && before.is_some_and(|(number, _)| number.is_some()) {
            let start = index.saturating_sub(8);
            for at in start..index.saturating_sub(1) {
                if let Some(number) = ordinal(norm(at)).filter(|number| *number > last) {
                    issues.push(Issue::new(
                        Rule::R20,
                        format!("There is no rib {number}."),
                        [report.tokens[at].span.clone()],
                    ));
                }
            }
        }
    }
    issues
}

fn is_liver_segment(facts: &Facts<'_>, index: usize) -> bool {
    let report = facts.report;
    report.sentence_of(index).is_some_and(|sentence| report.has_word(sentence, &["liver", "hepatic", "couinaud"]))
        || index > 0 && matches!(&*report.tokens[index - 1].norm, "hepatic" | "couinaud")
}

fn ordinal(norm: &str) -> Option<u32> {
    const WORDS: [&str; 15] = [
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "eleventh",
        "twelfth",
        "thirteenth",
        "fourteenth",
        "fifteenth",
    ];
    if let Some(index) = WORDS.iter().position(|word| *word == norm) {
        return Some(index as u32 + 1);
    }
    let digits: String = norm.chars().take_while(char::is_ascii_digit).collect();
    matches!(&norm[digits.len()..], "st" | "nd" | "rd" | "th").then(|| digits.parse().ok()).flatten()
}

fn number_word(norm: &str) -> Option<u32> {
    if let Ok(number) = norm.parse() {
        return Some(number);
    }
    const ROMAN: [&str; 12] = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"];
    ROMAN.iter().position(|roman| *roman == norm).map(|index| index as u32 + 1)
}

/// Parts that exist on one side only, told on the other.
const ONE_SIDED: [(&str, Side, &str); 22] = [
    ("middle lobe", Side::Right, "lung"),
    ("lingula", Side::Left, "lung"),
    ("minor fissure", Side::Right, "lung"),
    ("bronchus intermedius", Side::Right, "lung"),
    ("splenic flexure", Side::Left, "colon"),
    ("hepatic flexure", Side::Right, "colon"),
    ("cecum", Side::Right, "colon"),
    ("ascending colon", Side::Right, "colon"),
    ("descending colon", Side::Left, "colon"),
    ("appendix", Side::Right, "appendix"),
    ("terminal ileum", Side::Right, "bowel"),
    ("lateral segment of middle lobe", Side::Right, "lung"),
    ("medial segment of middle lobe", Side::Right, "lung"),
    ("superior lingular segment", Side::Left, "lung"),
    ("inferior lingular segment", Side::Left, "lung"),
    ("spleen", Side::Left, "spleen"),
    ("liver", Side::Right, "liver"),
    ("gallbladder", Side::Right, "gallbladder"),
    ("brachiocephalic trunk", Side::Right, "artery"),
    ("azygos vein", Side::Right, "vein"),
    ("medial basal segment", Side::Right, "lung"),
    ("pancreatic tail", Side::Left, "pancreas"),
];

fn wrong_side(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    if report.anatomy.iter().any(|place| place.entry.organ == "situs")
        || report.mentions.iter().any(|mention| {
            mention.entry.name == "situs inversus" && mention.assertion != crate::findings::Assertion::Absent
        })
    {
        return Vec::new();
    }
    let mut issues = Vec::new();
    for place in &report.anatomy {
        let Some((name, side, _)) = ONE_SIDED.iter().find(|(name, _, _)| *name == place.entry.name) else { continue };
        // An adjective ("hepatic", "splenic") lends its side to nothing; only a side right before the noun counts.
        if report.text[place.span.clone()].to_lowercase().split([' ', '-']).next_back().is_some_and(|word| {
            matches!(word, "hepatic" | "splenic" | "cecal" | "appendiceal" | "parenchyma" | "contour" | "hepatis")
        }) {
            continue;
        }
        let word = report.side_words.iter().find(|word| {
            let adjacent_before = word.tokens.end <= place.tokens.start
                && place.tokens.start - word.tokens.end <= 1
                && report.tokens[word.tokens.end..place.tokens.start]
                    .iter()
                    .all(|token| matches!(&*token.norm, "-" | "sided"));
            let of_lung = word.tokens.start >= place.tokens.end
                && word.tokens.start - place.tokens.end <= 2
                && report.tokens.get(word.tokens.end).is_some_and(|next| matches!(&*next.norm, "lung" | "hemithorax"))
                && matches!(*name, "middle lobe" | "lingula" | "minor fissure");
            adjacent_before || of_lung
        });
        let Some(word) = word else { continue };
        // "left liver lobe" and "right appendix" (of a side-bearing phrase) are usual.
        let part_of_longer = report.tokens.get(place.tokens.end).is_some_and(|next| {
            matches!(&*next.norm, "lobe" | "edge" | "base" | "tip" | "margin" | "dome" | "segment" | "vein" | "duct")
        });
        if word.side.contradicts(*side) && !part_of_longer {
            let span = span_of(&word.span, &place.span);
            issues.push(Issue::new(
                Rule::R20,
                format!("There is no {}.", &report.text[span.clone()].to_lowercase()),
                [span],
            ));
        }
    }
    for (index, token) in report.tokens.iter().enumerate() {
        let impossible = match &*token.norm {
            "lml" => Some("left middle lobe"),
            "left"
                if report
                    .find_phrase(index..(index + 3).min(report.tokens.len()), &["left", "azygos", "lobe"])
                    .is_some() =>
            {
                Some("left azygos lobe")
            }
            _ => None,
        };
        if let Some(name) = impossible {
            issues.push(Issue::new(Rule::R20, format!("There is no {name}."), [token.span.clone()]));
        }
    }
    // "left anterior/posterior hepatic section" is not used; "right caudate"? The list above is what is certain.
    issues
}

fn span_of(first: &Range<usize>, second: &Range<usize>) -> Range<usize> {
    first.start.min(second.start)..first.end.max(second.end)
}
