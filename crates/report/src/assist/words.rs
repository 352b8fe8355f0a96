//! Other words for a term: the lexicon's synonyms, which mean the same, and words that are used alike, by word vectors.

use serde::Serialize;

use crate::lexicon::{Kind, lexicon};

/// Word vectors as they are seen from here.
pub trait Vectors: Send + Sync {
    /// Numbers of a vector.
    fn width(&self) -> usize;

    /// The vector of a word, lower case.
    fn of(&self, word: &str) -> Option<&[f32]>;

    /// The words used most like a word or phrase, with how alike they are (at most 1), best first.
    fn nearest(&self, text: &str, count: usize) -> Vec<(String, f64)>;
}

/// A word found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Other {
    /// The word.
    pub word: String,
    /// Whether the lexicon says that it means the same; else it is only used alike, which opposites are too.
    pub same: bool,
    /// How alike the use is; 1 for the lexicon's.
    pub likeness: f64,
}

/// Words from vectors that are less alike than this say nothing.
const LEAST_LIKENESS: f64 = 0.45;

/// Other words for a term: the lexicon's first, then those used alike, the most alike first.
#[must_use]
pub fn others(term: &str, vectors: Option<&dyn Vectors>, count: usize) -> Vec<Other> {
    let mut found: Vec<Other> = Vec::new();
    let asked = term.trim().to_lowercase();
    if let Some(entry) = lexicon().find(&asked) {
        let names = std::iter::once(&entry.name).chain(&entry.synonyms);
        // Room is left for what the vectors say.
        let most = if vectors.is_some() { (2 * count).div_ceil(3) } else { count };
        for name in names.filter(|name| name.to_lowercase() != asked).take(most) {
            found.push(Other { word: name.clone(), same: true, likeness: 1.0 });
        }
    }
    for (word, likeness) in vectors.map(|v| v.nearest(&asked, 2 * count)).unwrap_or_default() {
        let word = word.replace('_', " ");
        // A side is never another word for anything.
        let sided = word.split(' ').any(|w| matches!(w, "left" | "right" | "bilateral" | "left-sided" | "right-sided"));
        let modifier = lexicon().find(&word).is_some_and(|entry| entry.kind == Kind::Modifier);
        let known = found.iter().any(|other| other.word.eq_ignore_ascii_case(&word));
        if likeness >= LEAST_LIKENESS && !sided && !modifier && !known && word != asked && found.len() < count {
            found.push(Other { word, same: false, likeness: (likeness * 1000.0).round() / 1000.0 });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Made;

    impl Vectors for Made {
        fn width(&self) -> usize {
            1
        }

        fn of(&self, _: &str) -> Option<&[f32]> {
            None
        }

        fn nearest(&self, _: &str, _: usize) -> Vec<(String, f64)> {
            [("pulmonary_lesion", 0.8), ("left", 0.79), ("spot", 0.6), ("far", 0.1)]
                .map(|(w, l)| (w.to_owned(), l))
                .to_vec()
        }
    }

    #[test]
    fn the_lexicon_s_words_come_first_and_sides_never() {
        let found = others("Pulmonary nodule", Some(&Made), 12);
        assert!(found.iter().any(|o| o.same), "{found:?}");
        let alike: Vec<&str> = found.iter().filter(|o| !o.same).map(|o| o.word.as_str()).collect();
        assert_eq!(alike, ["pulmonary lesion", "spot"]);
        assert!(found.windows(2).all(|pair| pair[0].same >= pair[1].same));
        assert!(others("zzzz", None, 5).is_empty());
    }
}
