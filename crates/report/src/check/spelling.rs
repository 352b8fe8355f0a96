//! R18: words that are none, and words that dictation mistook for another.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use super::{Facts, Issue, Rule, Severity};
use crate::lexicon::{Kind, lexicon};
use crate::parse::SectionKind;
use crate::parse::tokens::{TokenKind, normalise, normalised_words};

/// English words of four letters and more (SCOWL size 60, licence beside the file).
const ENGLISH: &str = include_str!("../../data/words/english.txt");
/// Words of radiology reports that are in neither list.
const RADIOLOGY: &str = include_str!("../../data/words/radiology.txt");
/// Words that dictation confuses, with the words around them that give the mistake away.
const CONFUSED: &str = include_str!("../../data/words/confused.tsv");

struct Words {
    english: HashSet<&'static str>,
    radiology: HashSet<String>,
    /// Known medical words by length, for the search of a neighbour.
    medical: BTreeMap<usize, BTreeSet<String>>,
    /// Terms of two or three words with one word left out.
    gaps: HashMap<String, Vec<String>>,
    confused: HashMap<&'static str, Vec<Confusion>>,
}

struct Confusion {
    right: &'static str,
    before: Vec<&'static str>,
    after: Vec<&'static str>,
}

static WORDS: LazyLock<Words> = LazyLock::new(load);

fn load() -> Words {
    let mut radiology: HashSet<String> =
        RADIOLOGY.split_whitespace().flat_map(|word| [word.to_lowercase(), normalise(word)]).collect();
    for entry in lexicon().entries() {
        for name in std::iter::once(&entry.name).chain(&entry.synonyms) {
            for word in name.split(|letter: char| !letter.is_alphanumeric()) {
                radiology.insert(word.to_lowercase());
            }
        }
    }
    radiology.extend(lexicon().all_words().map(str::to_owned));
    let mut medical: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for word in radiology.iter().filter(|word| word.len() >= 5 && word.bytes().all(|byte| byte.is_ascii_lowercase())) {
        medical.entry(word.len()).or_default().insert(word.clone());
    }
    let mut gaps: HashMap<String, Vec<String>> = HashMap::new();
    for entry in lexicon().entries().iter().filter(|entry| entry.kind != Kind::Modifier) {
        for name in std::iter::once(&entry.name).chain(&entry.synonyms) {
            let words = normalised_words(name);
            if !(2..=3).contains(&words.len()) {
                continue;
            }
            for left_out in 0..words.len() {
                if words[left_out].len() < 4 {
                    continue;
                }
                let pattern: Vec<&str> = words
                    .iter()
                    .enumerate()
                    .map(|(index, word)| if index == left_out { "_" } else { word.as_str() })
                    .collect();
                gaps.entry(pattern.join(" ")).or_default().push(words[left_out].clone());
            }
        }
    }
    let mut confused: HashMap<&'static str, Vec<Confusion>> = HashMap::new();
    for line in CONFUSED.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let [wrong, right, before, after] = line.split('|').collect::<Vec<_>>()[..] {
            let list = |words: &'static str| words.split(' ').filter(|word| !word.is_empty()).collect();
            confused.entry(wrong).or_default().push(Confusion { right, before: list(before), after: list(after) });
        }
    }
    Words { english: ENGLISH.lines().collect(), radiology, medical, gaps, confused }
}

/// Whether any list holds a small-letter word.
pub(super) fn is_known_word(word: &str) -> bool {
    let words = &*WORDS;
    let norm = normalise(word);
    let stem = |ending: &str| {
        norm.strip_suffix(ending).is_some_and(|stem| words.radiology.contains(stem) || words.english.contains(stem))
    };
    words.english.contains(word)
        || words.english.contains(norm.as_str())
        || words.radiology.contains(word)
        || words.radiology.contains(norm.as_str())
        || stem("ly")
        || stem("al")
        || stem("ed")
        || stem("ing")
        || stem("like")
        || stem("oid")
        || has_known_parts(&norm)
}

/// "Peribronchovascular", "noncontiguous": a known beginning and a known rest.
fn has_known_parts(word: &str) -> bool {
    const PREFIXES: [&str; 72] = [
        "peri",
        "non",
        "sub",
        "supra",
        "infra",
        "intra",
        "extra",
        "inter",
        "retro",
        "para",
        "pre",
        "post",
        "hyper",
        "hypo",
        "mid",
        "multi",
        "micro",
        "macro",
        "pseudo",
        "semi",
        "anti",
        "trans",
        "endo",
        "epi",
        "bi",
        "uni",
        "tri",
        "poly",
        "re",
        "un",
        "over",
        "under",
        "antero",
        "postero",
        "supero",
        "infero",
        "medio",
        "latero",
        "costo",
        "cardio",
        "hepato",
        "spleno",
        "gastro",
        "entero",
        "broncho",
        "pleuro",
        "osteo",
        "chondro",
        "neuro",
        "angio",
        "veno",
        "arterio",
        "thoraco",
        "lumbo",
        "cervico",
        "sacro",
        "fronto",
        "parieto",
        "temporo",
        "occipito",
        "ventriculo",
        "uretero",
        "vesico",
        "pelvi",
        "radio",
        "reno",
        "ilio",
        "femoro",
        "tibio",
        "juxta",
        "contra",
        "ipsi",
    ];
    PREFIXES.iter().any(|prefix| {
        word.strip_prefix(prefix).is_some_and(|rest| {
            rest.len() >= 4
                && (WORDS.english.contains(rest)
                    || WORDS.radiology.contains(rest)
                    || PREFIXES.iter().any(|second| {
                        rest.strip_prefix(second).is_some_and(|rest| rest.len() >= 4 && WORDS.radiology.contains(rest))
                    }))
        })
    })
}

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    let whole_is_english = is_english(facts, &(0..report.tokens.len()));
    let mut looked_up: HashMap<&str, Option<String>> = HashMap::new();
    for sentence in 0..report.sentences.len() {
        if report.kind_of(sentence) == SectionKind::Administrative {
            continue;
        }
        let range = report.sentences[sentence].tokens.clone();
        if !whole_is_english || range.len() >= 8 && !is_english(facts, &range) {
            continue;
        }
        for index in range.clone() {
            let token = &report.tokens[index];
            let written = &report.text[token.span.clone()];
            if token.kind != TokenKind::Word {
                continue;
            }
            if let Some(right) = confused_at(facts, &range, index) {
                let mut found =
                    Issue::new(Rule::R18, format!("\"{written}\" may stand for \"{right}\"."), [token.span.clone()]);
                // What is no word at all is more than a hint.
                if is_known_word(&written.to_lowercase()) {
                    found.severity = Severity::Hint;
                }
                issues.push(found);
                continue;
            }
            let lower = written.to_lowercase();
            let letters_only = lower.bytes().all(|byte| byte.is_ascii_lowercase());
            let is_name = written.starts_with(char::is_uppercase)
                && index > range.start
                && !written.chars().all(char::is_uppercase);
            if !letters_only || lower.len() < 5 || is_name || written.chars().all(char::is_uppercase) && lower.len() < 6
            {
                continue;
            }
            // "Postero-lateral", "tibio-talar": the first half of a compound is no word of its own.
            let is_half = report.tokens.get(index + 1).is_some_and(|next| next.is_mark("-") && !next.spaced)
                && lower.ends_with(['o', 'i', 'a']);
            if is_half || is_known_word(&lower) {
                continue;
            }
            // A capital word before a number or "sign" may be a name ("Risser 2"): only a medical neighbour tells.
            let may_be_name = written.starts_with(char::is_uppercase)
                && !written.chars().all(char::is_uppercase)
                && report.tokens.get(index + 1).is_some_and(|next| {
                    next.kind == TokenKind::Number
                        || matches!(
                            &*next.norm,
                            "'" | "’" | "sign" | "type" | "grade" | "class" | "score" | "classification"
                        )
                });
            if may_be_name {
                continue;
            }
            let suggestion = looked_up.entry(&token.norm).or_insert_with(|| nearest(&lower)).clone();
            if let Some(right) = suggestion {
                issues.push(Issue::new(
                    Rule::R18,
                    format!("\"{written}\" is no word; \"{right}\" may be meant."),
                    [token.span.clone()],
                ));
            }
        }
    }
    issues.extend(stuttered(facts));
    issues
}

/// "the the", "in in".
fn stuttered(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for pair in report.tokens.windows(2) {
        if matches!(&*pair[0].norm, "the" | "in" | "of" | "is" | "are" | "and" | "with" | "no" | "a" | "to")
            && pair[0].norm == pair[1].norm
            && pair[1].breaks == 0
            && pair[1].spaced
        {
            let mut found =
                Issue::new(Rule::R18, "This word stands twice.", std::iter::once(pair[0].span.start..pair[1].span.end));
            found.severity = Severity::Hint;
            issues.push(found);
        }
    }
    issues
}

/// Other languages are left alone: most words of a sentence must be known.
fn is_english(facts: &Facts<'_>, range: &Range<usize>) -> bool {
    let words: Vec<&crate::parse::Token> = facts.report.tokens[range.clone()]
        .iter()
        .filter(|token| token.kind == TokenKind::Word && token.norm.len() >= 4)
        .take(400)
        .collect();
    if words.is_empty() {
        return true;
    }
    let known =
        words.iter().filter(|token| is_known_word(&facts.report.text[token.span.clone()].to_lowercase())).count();
    known * 2 >= words.len()
}

/// The known medical word within one change (two in long words), with the same first letter unless only that
/// changed.
fn nearest(word: &str) -> Option<String> {
    let limit = if word.len() >= 8 { 2 } else { 1 };
    let mut best: Option<(usize, &str)> = None;
    for length in word.len().saturating_sub(limit)..=word.len() + limit {
        for candidate in WORDS.medical.get(&length).into_iter().flatten() {
            if let Some(distance) = distance_within(word, candidate, limit)
                && best.is_none_or(|(least, _)| distance < least)
            {
                best = Some((distance, candidate));
            }
        }
    }
    best.map(|(_, candidate)| candidate.to_owned()).or_else(|| near_english(word))
}

/// One change away from a common word; longer words only, because short ones have too many neighbours.
fn near_english(word: &str) -> Option<String> {
    if word.len() < 6 {
        return None;
    }
    let letters: Vec<char> = word.chars().collect();
    let mut candidates = Vec::new();
    for index in 0..letters.len() {
        let mut fewer = letters.clone();
        fewer.remove(index);
        candidates.push(fewer);
        if index + 1 < letters.len() {
            let mut swapped = letters.clone();
            swapped.swap(index, index + 1);
            candidates.push(swapped);
        }
        for letter in 'a'..='z' {
            let mut changed = letters.clone();
            changed[index] = letter;
            candidates.push(changed);
            let mut more = letters.clone();
            more.insert(index, letter);
            candidates.push(more);
        }
    }
    candidates
        .into_iter()
        .map(|letters| letters.into_iter().collect::<String>())
        .find(|candidate| WORDS.english.contains(candidate.as_str()))
}

/// Damerau-Levenshtein distance if it is at most `limit`.
fn distance_within(first: &str, second: &str, limit: usize) -> Option<usize> {
    let (first, second) = (first.as_bytes(), second.as_bytes());
    if first.len().abs_diff(second.len()) > limit {
        return None;
    }
    let width = second.len() + 1;
    let mut before_last: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    let mut row = vec![0; width];
    for (i, left) in first.iter().enumerate() {
        row[0] = i + 1;
        let mut least = row[0];
        for (j, right) in second.iter().enumerate() {
            let substituted = last[j] + usize::from(left != right);
            let mut cost = substituted.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *left == second[j - 1] && first[i - 1] == *right {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row[j + 1] = cost;
            least = least.min(cost);
        }
        if least > limit {
            return None;
        }
        std::mem::swap(&mut before_last, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    (last[width - 1] <= limit).then_some(last[width - 1])
}

/// A real word in a wrong place: by the table of confused words, or because the words around it make a term of
/// the lexicon with a word that sounds like it.
fn confused_at(facts: &Facts<'_>, range: &Range<usize>, index: usize) -> Option<String> {
    let report = facts.report;
    let norm = |at: usize| if range.contains(&at) { &*report.tokens[at].norm } else { "" };
    let word = norm(index);
    let lower = report.text[report.tokens[index].span.clone()].to_lowercase();
    let around =
        |words: &[&str], from: usize, to: usize| (from..to).any(|at| range.contains(&at) && words.contains(&norm(at)));
    let entries = WORDS.confused.get(lower.as_str()).or_else(|| WORDS.confused.get(word));
    for confusion in entries.into_iter().flatten() {
        let before_fits = !confusion.before.is_empty()
            && (confusion.before == ["*"] || around(&confusion.before, index.saturating_sub(2), index));
        let after_fits =
            !confusion.after.is_empty() && (confusion.after == ["*"] || around(&confusion.after, index + 1, index + 3));
        if before_fits || after_fits {
            return Some(confusion.right.to_owned());
        }
    }
    if word.len() < 4 || lexicon().has_word(word) || WORDS.radiology.contains(word) && lower != "plural" {
        return None;
    }
    let patterns = [
        format!("_ {}", norm(index + 1)),
        format!("{} _", norm(index.wrapping_sub(1))),
        format!("_ {} {}", norm(index + 1), norm(index + 2)),
        format!("{} _ {}", norm(index.wrapping_sub(1)), norm(index + 1)),
        format!("{} {} _", norm(index.wrapping_sub(2)), norm(index.wrapping_sub(1))),
    ];
    patterns.iter().filter(|pattern| !pattern.starts_with(' ') && !pattern.ends_with(' ')).find_map(|pattern| {
        let candidates = WORDS.gaps.get(pattern)?;
        candidates.iter().find(|candidate| candidate.as_str() != word && sounds_like(word, candidate)).cloned()
    })
}

/// Close enough for a slip of dictation, and not merely another form of the same word.
fn sounds_like(word: &str, candidate: &str) -> bool {
    if !candidate.is_ascii() || !word.is_ascii() {
        return false;
    }
    let limit = if word.len().min(candidate.len()) >= 9 { 2 } else { 1 };
    if word.chars().next() != candidate.chars().next() {
        return false;
    }
    let same_stem = word.len() >= 4
        && candidate.len() >= 4
        && (word.starts_with(&candidate[..candidate.len() - 1]) || candidate.starts_with(&word[..word.len() - 1]));
    !same_stem && distance_within(word, candidate, limit).is_some()
}
