//! The lexicon: about 2,400 terms of CT, MR, X-ray and ultrasound with their synonyms.
//!
//! The tables lie in `data/lexicon` and are the project's own. Anatomy, findings, devices and procedures
//! are written out; `composites.tsv` names which general findings occur in which organ ("renal" ×
//! "hematoma"), and each pair becomes an entry of its own.

mod load;

use std::collections::HashMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::parse::tokens::normalised_words;

/// What kind of thing a term names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A part of the body.
    Anatomy,
    /// Something seen, excluded or suspected.
    Finding,
    /// A tube, line, implant or other foreign material put in on purpose.
    Device,
    /// An operation or intervention.
    Procedure,
    /// A word that describes a finding or a technique.
    Modifier,
}

/// What a check needs to know of a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The side must be told (findings) or there is one on each side (anatomy).
    pub paired: bool,
    /// A positive finding owes a mention in the impression.
    pub actionable: bool,
    /// A positive finding owes no mention in the impression.
    pub benign: bool,
    /// Somebody must be told without delay.
    pub critical: bool,
    /// A diagnosis that other findings of the same organ may support.
    pub diagnosis: bool,
    /// Its sizes are sizes of a lesion.
    pub lesion: bool,
    /// Occurs in women only.
    pub female: bool,
    /// Occurs in men only.
    pub male: bool,
    /// A general word that takes its organ from the site.
    pub general: bool,
    /// The operation takes the organ out.
    pub removes: bool,
    /// Lies on the right by nature.
    pub right_only: bool,
    /// Lies on the left by nature.
    pub left_only: bool,
    /// Its own left or right is part of its name and binds no side.
    pub own_side: bool,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, as `report parse` prints it.
    pub name: String,
    /// What kind of thing it is.
    pub kind: Kind,
    /// The organ that it belongs to; empty for general words.
    pub organ: String,
    /// What it has in common with related findings ("mass", "fluid"); the class of a modifier.
    pub family: String,
    /// What a check needs to know.
    pub flags: Flags,
    /// The general word behind it ("cyst" for "renal cyst"), where it has one.
    pub head: Option<String>,
    /// Other ways to write it.
    pub synonyms: Vec<String>,
}

/// The lexicon and the automaton that finds its terms in normalised text.
#[derive(Debug)]
pub struct Lexicon {
    entries: Vec<Entry>,
    automaton: AhoCorasick,
    entry_of_pattern: Vec<u32>,
    by_name: HashMap<String, u32>,
    /// With the rank of [`load::stands_for`].
    by_organ_and_head: HashMap<(String, String), (u8, u32)>,
    words: HashMap<String, u32>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(load::entries()));

/// The lexicon of the program, built at first use.
pub fn lexicon() -> &'static Lexicon {
    &LEXICON
}

impl Lexicon {
    fn new(entries: Vec<Entry>) -> Self {
        let mut patterns: Vec<String> = Vec::new();
        let mut entry_of_pattern = Vec::new();
        let mut by_name: HashMap<String, u32> = HashMap::new();
        let mut by_organ_and_head: HashMap<(String, String), (u8, u32)> = HashMap::new();
        let mut words: HashMap<String, u32> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let index = index as u32;
            for name in std::iter::once(&entry.name).chain(&entry.synonyms) {
                let normalised = normalised_words(name);
                if normalised.is_empty() {
                    continue;
                }
                for word in &normalised {
                    *words.entry(word.clone()).or_default() += 1;
                }
                let key = normalised.join(" ");
                if by_name.contains_key(&key) {
                    continue;
                }
                by_name.insert(key, index);
                patterns.push(normalised.iter().map(|word| format!(" {word} ")).collect());
                entry_of_pattern.push(index);
            }
            if let (Some(head), Some(rank)) = (&entry.head, load::stands_for(entry)) {
                let best = by_organ_and_head.entry((entry.organ.clone(), head.clone())).or_insert((rank, index));
                *best = (*best).min((rank, index));
            }
        }
        // Only sizes beyond 2³¹ could make the build fail; the tables are part of the program and tested.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .or_else(|_| AhoCorasick::new::<[&str; 0], &str>([]))
            .unwrap_or_else(|error| unreachable!("an automaton without patterns is always built: {error}"));
        Self { entries, automaton, entry_of_pattern, by_name, by_organ_and_head, words }
    }

    /// All entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry that a name or synonym means, in any spelling that normalises to it.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        let key = normalised_words(name).join(" ");
        self.by_name.get(&key).map(|index| &self.entries[*index as usize])
    }

    /// The finding that a general word means in an organ ("cyst" in the kidney is a renal cyst).
    pub fn specific(&self, organ: &str, general: &str) -> Option<&Entry> {
        let (_, index) = self.by_organ_and_head.get(&(organ.to_owned(), general.to_owned()))?;
        self.entries.get(*index as usize)
    }

    /// Whether a normalised word occurs in any term.
    pub fn has_word(&self, word: &str) -> bool {
        self.words.contains_key(word)
    }

    /// All normalised words of all terms.
    pub fn all_words(&self) -> impl Iterator<Item = &str> {
        self.words.keys().map(String::as_str)
    }

    /// Finds terms in text of the form ` word  word `; gives byte ranges in it.
    pub(crate) fn matches<'t>(
        &'static self,
        wrapped: &'t str,
    ) -> impl Iterator<Item = (&'static Entry, std::ops::Range<usize>)> + use<'t> {
        self.automaton.find_iter(wrapped).map(|found| {
            let entry = self.entry_of_pattern[found.pattern().as_usize()] as usize;
            (&self.entries[entry], found.range())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_hold_two_thousand_terms_each_with_its_own_name() {
        let entries = lexicon().entries();
        assert!(entries.len() >= 2000, "{}", entries.len());
        let mut names: Vec<_> = entries.iter().map(|entry| (entry.kind as u8, &entry.name)).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for kind in [Kind::Anatomy, Kind::Finding, Kind::Device, Kind::Procedure, Kind::Modifier] {
            assert!(entries.iter().filter(|entry| entry.kind == kind).count() >= 40, "{kind:?}");
        }
    }

    #[test]
    fn synonyms_plurals_and_british_spelling_reach_the_same_entry() {
        for (written, name) in [
            ("Pulmonary nodules", "pulmonary nodule"),
            ("subdural haematomas", "subdural hematoma"),
            ("pulmonary oedema", "pulmonary edema"),
            ("renal calculi", "kidney stone"),
            ("liver metastases", "hepatic metastasis"),
            ("ground glass opacities", "ground-glass opacity"),
        ] {
            assert_eq!(lexicon().find(written).map(|entry| entry.name.as_str()), Some(name), "{written}");
        }
    }

    #[test]
    fn a_general_word_takes_the_name_of_its_organ() {
        assert_eq!(lexicon().specific("kidney", "cyst").unwrap().name, "renal cyst");
        assert_eq!(lexicon().specific("lung", "nodule").unwrap().name, "pulmonary nodule");
        assert_eq!(lexicon().specific("spleen", "hematoma").unwrap().name, "splenic hematoma");
        // Never that of one disease of many.
        for (organ, general, one) in [
            ("brain", "mass", "meningioma"),
            ("brain", "cyst", "arachnoid cyst"),
            ("brain", "lesion", "white matter disease"),
            ("soft tissue", "lesion", "lipoma"),
            ("bone", "fracture", "avascular necrosis"),
            ("kidney", "neoplasm", "renal cell carcinoma"),
            ("kidney", "neoplasm", "wilms tumor"),
        ] {
            assert!(lexicon().specific(organ, general).is_none_or(|e| e.name != one), "{organ}: {one}");
        }
    }
}
