//! BM25 over the fields of a passage (Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework").

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Passage;
use crate::assist::words::Vectors;
use crate::lexicon::lexicon;
use crate::parse::tokens::{TokenKind, normalise, tokenize};

/// Saturation of a word's count.
const K1: f64 = 1.2;
/// How much the length of a passage counts.
const B: f64 = 0.6;
/// What a word in the title, in the question and in the text weighs.
const WEIGHTS: [f64; 3] = [3.0, 2.0, 1.0];
/// What a synonym from the lexicon weighs against the word itself.
const SYNONYM: f64 = 0.35;

/// Hits of BM25 that word vectors may order anew.
const LOOKED_AT: usize = 60;

/// The mean vectors of passages, kept from one question to the next.
#[derive(Debug, Default)]
pub struct Meanings(HashMap<usize, Option<Vec<f64>>>);

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

/// How passages are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranking {
    /// BM25 over title and text as one field, words as they are: what the other is measured against.
    Plain,
    /// Fields weighed, words reduced to their stem, synonyms of the lexicon.
    Fields,
}

/// A passage found.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Its index.
    pub place: usize,
    /// Its score.
    pub score: f64,
    /// The share of the question's weight whose words it holds, 0 to 1; numbers do not count.
    pub share: f64,
    /// Whether a word of the question stands in its title or among its synonyms.
    pub titled: bool,
}

/// The words of all passages.
#[derive(Debug, Default)]
pub struct Index {
    plain: Postings,
    fields: Postings,
    titles: Vec<HashSet<String>>,
}

#[derive(Debug, Default)]
struct Postings {
    /// For each word the passages that hold it, with its weighed count.
    of_word: HashMap<String, Vec<(u32, f32)>>,
    lengths: Vec<f32>,
    mean_length: f64,
}

/// Words of a question that tell nothing of its subject.
const STOP: &str = " a about an and any are as at be been but by can could do does for from had has have help how i if in \
    is it its may me my need no not of on or our should so some than that the their them there these they this to us was \
    we were what when where which who why will with would you your tell explain give show please know mean information \
    available many much use used using get receive given patient patients person people ";

fn is_stop(word: &str) -> bool {
    STOP.contains(&format!(" {word} "))
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    tokenize(text)
        .into_iter()
        .filter(|token| token.kind != TokenKind::Mark)
        .map(move |token| text[token.span].to_lowercase())
        .filter(|word| word.len() > 1 && !is_stop(word))
}

/// One stem for the forms of a word: singular and American first, then the common endings off.
fn stem(word: &str) -> String {
    let norm = normalise(word);
    for (ending, least) in [
        ("ization", 5),
        ("ational", 5),
        ("ation", 5),
        ("iness", 5),
        ("ment", 6),
        ("ness", 5),
        ("ings", 5),
        ("ing", 5),
        ("edly", 5),
        ("ed", 5),
        ("ly", 5),
        ("ic", 6),
        ("al", 6),
        ("y", 6),
        ("e", 5),
    ] {
        if let Some(stem) = norm.strip_suffix(ending)
            && stem.len() + ending.len() > least
            && stem.len() >= 4
        {
            return stem.to_owned();
        }
    }
    norm
}

impl Postings {
    fn add(&mut self, fields: &[(f64, Vec<String>)]) {
        let place = self.lengths.len() as u32;
        let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
        let mut length = 0.0;
        for (weight, words) in fields {
            length += words.len() as f64;
            for word in words {
                *counts.entry(word).or_default() += weight;
            }
        }
        for (word, count) in counts {
            self.of_word.entry(word.to_owned()).or_default().push((place, count as f32));
        }
        self.lengths.push(length as f32);
    }

    fn close(&mut self) {
        let total: f64 = self.lengths.iter().map(|length| f64::from(*length)).sum();
        self.mean_length = (total / self.lengths.len().max(1) as f64).max(1.0);
    }

    fn weight(&self, word: &str) -> f64 {
        let count = self.lengths.len() as f64;
        let holding = self.of_word.get(word).map_or(0.0, |list| list.len() as f64);
        (1.0 + (count - holding + 0.5) / (holding + 0.5)).ln()
    }

    fn search(&self, query: &[(String, f64)], count: usize) -> Vec<Hit> {
        let mut scores: HashMap<u32, (f64, f64)> = HashMap::new();
        let mut all = 0.0;
        for (word, boost) in query {
            let idf = self.weight(word);
            let counts = *boost >= 1.0 && !word.bytes().all(|byte| byte.is_ascii_digit());
            if counts {
                all += idf;
            }
            for (place, frequency) in self.of_word.get(word).into_iter().flatten() {
                let length = f64::from(self.lengths[*place as usize]) / self.mean_length;
                let frequency = f64::from(*frequency);
                let part = idf * frequency * (K1 + 1.0) / (frequency + K1 * (1.0 - B + B * length));
                let entry = scores.entry(*place).or_default();
                entry.0 += boost * part;
                if counts {
                    entry.1 += idf;
                }
            }
        }
        let mut hits: Vec<Hit> = scores
            .into_iter()
            .map(|(place, (score, held))| Hit {
                place: place as usize,
                score,
                share: if all > 0.0 { (held / all).min(1.0) } else { 0.0 },
                titled: false,
            })
            .collect();
        // Equal scores keep the order of the passages, so that an answer can be repeated.
        hits.sort_by(|first, second| second.score.total_cmp(&first.score).then(first.place.cmp(&second.place)));
        hits.truncate(count);
        hits
    }
}

impl Index {
    pub(super) fn new(passages: &[Passage]) -> Self {
        let mut index = Self::default();
        for passage in passages {
            let title: Vec<String> =
                std::iter::once(&passage.title).chain(&passage.synonyms).flat_map(|name| words(name)).collect();
            let question: Vec<String> = passage.question.iter().flat_map(|question| words(question)).collect();
            let text: Vec<String> = words(&passage.text).collect();
            let joined: Vec<String> = title.iter().chain(&question).chain(&text).cloned().collect();
            index.plain.add(&[(1.0, joined)]);
            let stems = |words: Vec<String>| -> Vec<String> { words.iter().map(|word| stem(word)).collect() };
            let title = stems(title);
            index.titles.push(title.iter().cloned().collect());
            index.fields.add(&[(WEIGHTS[0], title), (WEIGHTS[1], stems(question)), (WEIGHTS[2], stems(text))]);
        }
        index.plain.close();
        index.fields.close();
        index
    }

    /// The best passages for a question, best first.
    pub fn search(&self, question: &str, ranking: Ranking, count: usize) -> Vec<Hit> {
        match ranking {
            Ranking::Plain => {
                let query: Vec<(String, f64)> = words(question).map(|word| (word, 1.0)).collect();
                self.plain.search(&query, count)
            }
            Ranking::Fields => {
                let query = query_stems(question);
                let mut hits = self.fields.search(&query, count);
                for hit in &mut hits {
                    let title = &self.titles[hit.place];
                    hit.titled = query.iter().any(|(word, boost)| *boost >= 1.0 && title.contains(word));
                }
                hits
            }
        }
    }

    /// As [`Ranking::Fields`], the first hits ordered anew by `score / best score + share * likeness`, where likeness is the
    /// cosine between question and passage as means of word vectors, rare words weighing more.
    pub fn search_with(
        &self,
        question: &str,
        passages: &[Passage],
        vectors: &dyn Vectors,
        kept: &mut Meanings,
        share: f64,
        count: usize,
    ) -> Vec<Hit> {
        let mut hits = self.search(question, Ranking::Fields, count.max(LOOKED_AT));
        let (Some(asked), Some(best)) = (self.mean(question, vectors), hits.first().map(|hit| hit.score)) else {
            hits.truncate(count);
            return hits;
        };
        for hit in &mut hits {
            let told = kept.0.entry(hit.place).or_insert_with(|| {
                let passage = &passages[hit.place];
                self.mean(&format!("{} {}", passage.title, passage.text), vectors)
            });
            let likeness = told.as_ref().map_or(0.0, |told| cosine(&asked, told));
            hit.score = best * (hit.score / best + share * likeness) / (1.0 + share);
        }
        hits.sort_by(|first, second| second.score.total_cmp(&first.score).then(first.place.cmp(&second.place)));
        hits.truncate(count);
        hits
    }

    /// The mean direction of a text's words, `None` where no word has a vector.
    fn mean(&self, text: &str, vectors: &dyn Vectors) -> Option<Vec<f64>> {
        let mut sum = vec![0f64; vectors.width()];
        let mut known = false;
        for word in words(text) {
            let Some(vector) = vectors.of(&word).filter(|v| v.len() == sum.len()) else { continue };
            let length = vector.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
            if length > 0.0 {
                known = true;
                let weight = self.fields.weight(&stem(&word)) / length;
                sum.iter_mut().zip(vector).for_each(|(s, v)| *s += weight * f64::from(*v));
            }
        }
        known.then_some(sum)
    }

    /// The part of a text that holds most of the question: whole sentences, `bytes` long at most where they fit.
    pub fn best_part(&self, text: &str, question: &str, bytes: usize) -> String {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if flat.len() <= bytes {
            return flat;
        }
        let wanted: Vec<String> = query_stems(question).into_iter().map(|(word, _)| word).collect();
        let sentences: Vec<&str> = flat.split_inclusive(". ").collect();
        let value = |sentence: &str| -> f64 {
            let held: HashSet<String> = words(sentence).map(|word| stem(&word)).collect();
            wanted.iter().filter(|word| held.contains(*word)).map(|word| self.fields.weight(word)).sum()
        };
        let values: Vec<f64> = sentences.iter().map(|sentence| value(sentence)).collect();
        let (mut best, mut best_value) = (0..1, -1.0);
        for start in 0..sentences.len() {
            let mut end = start;
            let mut length = 0;
            while end < sentences.len() && (end == start || length + sentences[end].len() <= bytes) {
                length += sentences[end].len();
                end += 1;
            }
            let sum: f64 = values[start..end].iter().sum();
            if sum > best_value + 1e-9 {
                (best, best_value) = (start..end, sum);
            }
        }
        let mut part: String = sentences[best].concat().trim().to_owned();
        if part.len() > 2 * bytes {
            let end = (0..=2 * bytes).rev().find(|at| part.is_char_boundary(*at)).unwrap_or(0);
            part.truncate(end);
            part.push('…');
        }
        part
    }
}

/// The stems of a question, and at a lower weight those of the names that the lexicon has for its terms.
fn query_stems(question: &str) -> Vec<(String, f64)> {
    let asked: Vec<String> = words(question).collect();
    let mut query: Vec<(String, f64)> = Vec::new();
    for word in &asked {
        let stem = stem(word);
        if !query.iter().any(|(known, _)| *known == stem) {
            query.push((stem, 1.0));
        }
    }
    for size in (1..=3).rev() {
        for window in asked.windows(size) {
            let Some(entry) = lexicon().find(&window.join(" ")).filter(|entry| !entry.flags.general) else { continue };
            for name in std::iter::once(&entry.name).chain(entry.synonyms.iter().take(4)) {
                for word in words(name) {
                    let stem = stem(&word);
                    if !query.iter().any(|(known, _)| *known == stem) {
                        query.push((stem, SYNONYM));
                    }
                }
            }
        }
    }
    query.truncate(64);
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_share_a_stem() {
        for pair in [["kidneys", "kidney"], ["swelling", "swell"], ["treated", "treat"], ["tumours", "tumor"]] {
            assert_eq!(stem(pair[0]), stem(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn a_rare_word_outweighs_common_ones() {
        let passage = |title: &str, text: &str| Passage {
            title: title.into(),
            text: text.into(),
            source: "test".into(),
            ..Passage::default()
        };
        let index = Index::new(&[
            passage("Imaging", "imaging of the liver and imaging of the spleen, imaging again"),
            passage("Cyst", "a hydatid cyst needs imaging"),
        ]);
        for ranking in [Ranking::Plain, Ranking::Fields] {
            assert_eq!(index.search("imaging of a hydatid cyst", ranking, 2)[0].place, 1);
        }
        assert!(index.search("zebra", Ranking::Plain, 5).is_empty());
    }
}
