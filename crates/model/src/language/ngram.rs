//! Words in a row, counted and smoothed by interpolated absolute discounting with continuation counts (Kneser and Ney
//! 1995, Chen and Goodman 1999): the plain method that every network here has to beat.
//!
//! A word that was not seen while counting is spelled: its probability is that of an unknown word times that of its
//! letters, so that texts with unknown words have a perplexity that can be compared with that of models on pieces of words.

use super::gpt2::fault;
use super::net::within;
use crate::Result;
use crate::arch::{Shapes, Tensors};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Longest row of words.
pub const ORDER: usize = 4;
/// Before the first word of a text.
const START: u32 = 0;
/// A word that was not seen.
pub(crate) const UNKNOWN: u32 = 1;
/// Behind the last word.
const END: u32 = 2;
const RESERVED: [&str; 3] = ["<s>", "<unk>", "</s>"];
/// A word seen once is unknown too, so that there is something to know of unknown words; it can still be proposed.
const LEAST_COUNT: u32 = 2;

/// Sizes of the tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NgramConfig {
    /// Words.
    pub vocab_size: usize,
    /// Entries of the rows of two, three and four words.
    pub rows: [usize; ORDER - 1],
}

impl NgramConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("vocab_size", self.vocab_size, RESERVED.len(), 1 << 22)?;
        self.rows.iter().try_for_each(|n| within("rows", *n, 0, 1 << 24))
    }

    pub(crate) fn shapes(&self) -> Shapes {
        let mut shapes = vec![("counts.1".to_owned(), vec![self.vocab_size])];
        for (i, rows) in self.rows.iter().enumerate() {
            shapes.push((format!("counts.{}", i + 2), vec![*rows, i + 3]));
        }
        shapes
    }
}

/// What is known behind a row of words.
#[derive(Debug, Clone, Default)]
struct Followers {
    /// Word and count, most frequent first.
    words: Vec<(u32, u32)>,
    /// The same to look up.
    count: HashMap<u32, u32>,
    total: u32,
}

/// Rows of one length with what follows them.
type Table = BTreeMap<Vec<u32>, Followers>;

/// The counts.
#[derive(Debug, Clone, Default)]
pub struct Ngram {
    words: Vec<String>,
    number: HashMap<String, u32>,
    /// By length of the row before the word, 0 to 3.
    tables: Vec<Table>,
    discounts: [f64; ORDER],
    /// How often each word was seen.
    counts: Vec<u32>,
    letters: Letters,
}

/// Letters in a row, for unknown words: a letter after the one before, add-one smoothed over 40 classes.
#[derive(Debug, Clone, Default)]
struct Letters {
    pairs: HashMap<(char, char), u32>,
    singles: HashMap<char, u32>,
}

impl Letters {
    const CLASSES: f64 = 40.0;

    fn add(&mut self, word: &str) {
        let mut before = ' ';
        for letter in word.chars().chain([' ']) {
            *self.pairs.entry((before, letter)).or_default() += 1;
            *self.singles.entry(before).or_default() += 1;
            before = letter;
        }
    }

    fn log_probability(&self, word: &str) -> f64 {
        let mut sum = 0.0;
        let mut before = ' ';
        for letter in word.chars().chain([' ']) {
            let pair = self.pairs.get(&(before, letter)).copied().unwrap_or(0);
            let single = self.singles.get(&before).copied().unwrap_or(0);
            sum += ((f64::from(pair) + 1.0) / (f64::from(single) + Self::CLASSES)).ln();
            before = letter;
        }
        sum
    }
}

impl Ngram {
    /// Counts texts, each by itself.
    pub fn learn<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let texts: Vec<Vec<String>> = texts.map(super::corpus::words).collect();
        let mut seen: HashMap<&str, u32> = HashMap::new();
        for word in texts.iter().flatten() {
            *seen.entry(word).or_default() += 1;
        }
        let mut list: Vec<(&str, u32)> = seen.into_iter().collect();
        // The most frequent first; equal ones by name, so that the numbers can be repeated.
        list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let mut new = Self {
            words: RESERVED.iter().map(|w| (*w).to_owned()).chain(list.iter().map(|(w, _)| (*w).to_owned())).collect(),
            counts: [0; RESERVED.len()].into_iter().chain(list.iter().map(|(_, n)| *n)).collect(),
            ..Self::default()
        };
        new.index();
        let mut rows: Vec<BTreeMap<Vec<u32>, u32>> = vec![BTreeMap::new(); ORDER - 1];
        for text in &texts {
            let mut ids = vec![START; ORDER - 1];
            ids.extend(text.iter().map(|w| new.known(w)));
            ids.push(END);
            for at in ORDER - 1..ids.len() {
                for length in 1..ORDER {
                    *rows[length - 1].entry(ids[at - length..=at].to_vec()).or_default() += 1;
                }
            }
        }
        new.build(&rows);
        new
    }

    fn index(&mut self) {
        self.number = self.words.iter().enumerate().map(|(i, w)| (w.clone(), i as u32)).collect();
        self.letters = Letters::default();
        for (word, count) in self.words.iter().zip(&self.counts).skip(RESERVED.len()) {
            if *count < LEAST_COUNT {
                self.letters.add(word);
            }
        }
    }

    /// The number of a word, of [`UNKNOWN`] where it was seen less than twice.
    fn known(&self, word: &str) -> u32 {
        match self.number.get(word) {
            Some(id) if self.counts[*id as usize] >= LEAST_COUNT => *id,
            _ => UNKNOWN,
        }
    }

    /// Makes the tables of rows of two to four words with their counts.
    fn build(&mut self, rows: &[BTreeMap<Vec<u32>, u32>]) {
        self.tables = vec![Table::new(); ORDER];
        for (length, list) in rows.iter().enumerate().map(|(i, list)| (i + 1, list)) {
            for (row, count) in list {
                let (before, word) = (&row[..length], row[length]);
                if length == ORDER - 1 {
                    add(&mut self.tables[length], before, word, *count);
                }
                // One more different word before this row: the continuation count of the shorter one.
                add(&mut self.tables[length - 1], &before[1..], word, 1);
            }
        }
        self.close();
    }

    /// Orders what follows, and sets the discounts.
    fn close(&mut self) {
        for (length, table) in self.tables.iter_mut().enumerate() {
            let (mut once, mut twice) = (0.0f64, 0.0f64);
            for followers in table.values_mut() {
                followers.words = followers.count.iter().map(|(w, n)| (*w, *n)).collect();
                followers.words.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
                followers.total = followers.words.iter().map(|w| w.1).sum();
                once += followers.words.iter().filter(|w| w.1 == 1).count() as f64;
                twice += followers.words.iter().filter(|w| w.1 == 2).count() as f64;
            }
            // Ney, Essen and Kneser 1994.
            self.discounts[length] = if once > 0.0 { (once / (once + 2.0 * twice)).clamp(0.1, 0.95) } else { 0.5 };
        }
    }

    /// How many words can be proposed.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.words.len() - RESERVED.len().min(self.words.len())
    }

    /// The words that can be proposed, most frequent first.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().skip(RESERVED.len()).map(String::as_str)
    }

    /// Whether the last two words before were seen in a row.
    pub(crate) fn knows(&self, before: &[String]) -> bool {
        let row = self.row(before);
        self.tables.get(2).is_some_and(|table| table.contains_key(&row[ORDER - 3..]))
    }

    fn row(&self, before: &[String]) -> Vec<u32> {
        let mut row: Vec<u32> = before.iter().rev().take(ORDER - 1).rev().map(|w| self.known(w)).collect();
        while row.len() < ORDER - 1 {
            row.insert(0, START);
        }
        row
    }

    fn p(&self, row: &[u32], word: u32) -> f64 {
        let uniform = 1.0 / self.words.len().max(1) as f64;
        let mut p = uniform;
        for length in 0..=row.len() {
            let Some(followers) = self.tables.get(length).and_then(|t| t.get(&row[row.len() - length..])) else {
                continue;
            };
            let (total, discount) = (f64::from(followers.total), self.discounts[length]);
            let count = followers.count.get(&word).copied().map_or(0.0, f64::from);
            let different = followers.words.len() as f64;
            p = (count - discount).max(0.0) / total + discount * different / total * p;
        }
        p
    }

    /// The same words without what comes before them: how frequent each is.
    #[must_use]
    pub fn singles(&self) -> Self {
        let mut new = self.clone();
        new.tables.truncate(1);
        new
    }

    /// Natural logarithm of the probability of a word after others; a word that was never seen is spelled.
    #[must_use]
    pub fn log_probability(&self, before: &[String], word: &str) -> f64 {
        let row = self.row(before);
        match self.known(word) {
            UNKNOWN => self.p(&row, UNKNOWN).ln() + self.letters.log_probability(word),
            id => self.p(&row, id).ln(),
        }
    }

    /// The logarithms of a whole text's words, its end included.
    #[must_use]
    pub fn score(&self, text: &str) -> Vec<f64> {
        let words = super::corpus::words(text);
        let mut all: Vec<f64> = (0..words.len()).map(|i| self.log_probability(&words[..i], &words[i])).collect();
        all.push(self.p(&self.row(&words), END).ln());
        all
    }

    /// The likeliest words after others that begin with `prefix` (lower case), with their probability, best first.
    #[must_use]
    pub fn next(&self, before: &[String], prefix: &str, count: usize) -> Vec<(String, f64)> {
        let row = self.row(before);
        let mut wanted: Vec<u32> = Vec::new();
        let mut taken = HashSet::new();
        for length in (0..=row.len()).rev() {
            let Some(followers) = self.tables.get(length).and_then(|t| t.get(&row[row.len() - length..])) else {
                continue;
            };
            let mut here = 0;
            for (word, _) in &followers.words {
                if *word >= RESERVED.len() as u32
                    && self.words[*word as usize].starts_with(prefix)
                    && taken.insert(*word)
                {
                    wanted.push(*word);
                    here += 1;
                    // A shorter row can lift a word that comes after so many of a longer one, but hardly to the front.
                    if here >= 4 * count.max(4) {
                        break;
                    }
                }
            }
        }
        let mut found: Vec<(String, f64)> =
            wanted.into_iter().map(|w| (self.words[w as usize].clone(), self.p(&row, w))).collect();
        if found.len() < count && !prefix.is_empty() {
            // Words seen once: all alike share what is left for unknown words.
            let rare: Vec<&String> = self
                .words
                .iter()
                .zip(&self.counts)
                .skip(RESERVED.len())
                .filter(|(w, n)| **n < LEAST_COUNT && w.starts_with(prefix))
                .map(|(w, _)| w)
                .take(count - found.len())
                .collect();
            let singles = self.counts.iter().filter(|n| **n == 1).count().max(1) as f64;
            let p = self.p(&row, UNKNOWN) / singles;
            found.extend(rare.into_iter().map(|w| (w.clone(), p)));
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(count);
        found
    }

    /// As tensors, with the words as one text of lines.
    pub(crate) fn to_tensors(&self) -> Result<(NgramConfig, Tensors, String)> {
        let mut tensors = Tensors::new();
        let counts: Vec<f32> = self.counts.iter().map(|n| *n as f32).collect();
        tensors.insert("counts.1".into(), Tensor::from_vec(counts, self.words.len(), &Device::Cpu)?);
        let mut sizes = [0; ORDER - 1];
        for length in 1..ORDER {
            let mut rows: Vec<(Vec<u32>, u32, u32)> = Vec::new();
            for (before, followers) in &self.tables[length] {
                rows.extend(followers.words.iter().map(|(w, n)| (before.clone(), *w, *n)));
            }
            rows.sort();
            sizes[length - 1] = rows.len();
            let values: Vec<f32> = rows
                .iter()
                .flat_map(|(before, word, n)| before.iter().copied().chain([*word, *n]).map(|v| v as f32))
                .collect();
            tensors.insert(
                format!("counts.{}", length + 1),
                Tensor::from_vec(values, (rows.len(), length + 2), &Device::Cpu)?,
            );
        }
        let config = NgramConfig { vocab_size: self.words.len(), rows: sizes };
        Ok((config, tensors, self.words.join("\n")))
    }

    /// From [`Self::to_tensors`].
    pub(crate) fn from_tensors(config: &NgramConfig, tensors: &Tensors, words: &str) -> Result<Self> {
        let words: Vec<String> = words.lines().map(str::to_owned).collect();
        if words.len() != config.vocab_size {
            return Err(fault(format!("it has {} words, its card says {}", words.len(), config.vocab_size)));
        }
        let table = |name: &str| tensors.get(name).ok_or_else(|| fault(format!("its table {name} is missing")));
        let counts: Vec<f32> = table("counts.1")?.to_vec1()?;
        let mut new =
            Self { words, counts: counts.into_iter().map(|n| n.max(0.0) as u32).collect(), ..Self::default() };
        new.index();
        new.tables = vec![Table::new(); ORDER];
        for length in 1..ORDER {
            for row in table(&format!("counts.{}", length + 1))?.to_vec2::<f32>()? {
                let row: Vec<u32> = row.into_iter().map(|v| v.max(0.0) as u32).collect();
                if row[..=length].iter().any(|id| *id as usize >= config.vocab_size) {
                    return Err(fault("its rows name words that it does not have".into()));
                }
                add(&mut new.tables[length], &row[..length], row[length], row[length + 1]);
            }
        }
        // Single words: how many different ones each comes after.
        let pairs: Vec<u32> = new.tables[1].values().flat_map(|f| f.count.keys().copied()).collect();
        for word in pairs {
            add(&mut new.tables[0], &[], word, 1);
        }
        new.close();
        Ok(new)
    }
}

fn add(table: &mut Table, before: &[u32], word: u32, count: u32) {
    let followers = match table.get_mut(before) {
        Some(followers) => followers,
        None => table.entry(before.to_vec()).or_default(),
    };
    *followers.count.entry(word).or_default() += count;
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 4] = [
        "There is no pleural effusion. There is no pneumothorax.",
        "There is a small pleural effusion on the left.",
        "No pleural effusion. No pneumothorax. The heart is normal.",
        "The heart is normal in size.",
    ];

    fn before(text: &str) -> Vec<String> {
        super::super::corpus::words(text)
    }

    #[test]
    fn probabilities_sum_to_one() {
        let model = Ngram::learn(TEXTS.into_iter());
        for text in ["", "there is no", "the heart", "zebra zebra", "pleural"] {
            let row = model.row(&before(text));
            let sum: f64 = (0..model.words.len() as u32).map(|w| model.p(&row, w)).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{text}: {sum}");
        }
    }

    #[test]
    fn it_proposes_what_was_seen_and_spells_what_was_not() {
        let model = Ngram::learn(TEXTS.into_iter());
        assert_eq!(model.next(&before("There is no pleural"), "", 3)[0].0, "effusion");
        assert_eq!(model.next(&before("There is no"), "pn", 3)[0].0, "pneumothorax");
        assert!(model.next(&before("The heart"), "x", 3).is_empty());
        let known = model.log_probability(&before("pleural"), "effusion");
        let unknown = model.log_probability(&before("pleural"), "zebra");
        assert!(known > unknown && unknown.is_finite());
        assert_eq!(model.score("No pneumothorax.").len(), 4);
    }

    #[test]
    fn it_comes_back_from_its_tensors() {
        let model = Ngram::learn(TEXTS.into_iter());
        let (config, tensors, words) = model.to_tensors().unwrap();
        let again = Ngram::from_tensors(&config, &tensors, &words).unwrap();
        for text in TEXTS {
            let (a, b): (f64, f64) = (model.score(text).iter().sum(), again.score(text).iter().sum());
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
        assert!(Ngram::from_tensors(&config, &tensors, "one\ntwo").is_err());
    }
}
