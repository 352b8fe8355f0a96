//! Word vectors: a table of words, its files, and which words lie near.

use super::corpus;
use super::gpt2::fault;
use super::net::within;
use crate::arch::{Shapes, Tensors};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

/// Sizes of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorsConfig {
    /// Words.
    pub words: usize,
    /// Numbers of a vector.
    pub width: usize,
}

impl VectorsConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("words", self.words, 1, 1 << 24)?;
        within("width", self.width, 1, 4096)
    }

    pub(crate) fn shapes(&self) -> Shapes {
        vec![("vectors".into(), vec![self.words, self.width])]
    }
}

/// A vector for each of many words.
#[derive(Debug, Clone, PartialEq)]
pub struct WordVectors {
    words: Vec<String>,
    number: HashMap<String, usize>,
    width: usize,
    /// Row-major, `[words, width]`.
    values: Vec<f32>,
    /// The length of each.
    lengths: Vec<f32>,
}

/// Larger tables are refused: no desktop should hold them.
const MOST_NUMBERS: usize = 1 << 30;

impl WordVectors {
    /// From words and their numbers, row after row.
    ///
    /// # Errors
    /// [`Error::Text`] where the numbers are not as many as the words need, or not finite.
    pub fn new(words: Vec<String>, width: usize, values: Vec<f32>) -> Result<Self> {
        if width == 0 || words.is_empty() || words.len().checked_mul(width) != Some(values.len()) {
            return Err(fault(format!(
                "{} words of {width} numbers do not make {} numbers",
                words.len(),
                values.len()
            )));
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(fault("a word vector holds a number that is not finite".into()));
        }
        let lengths = values.chunks_exact(width).map(|v| v.iter().map(|x| x * x).sum::<f32>().sqrt()).collect();
        let mut number = HashMap::with_capacity(words.len());
        for (i, word) in words.iter().enumerate() {
            number.entry(word.clone()).or_insert(i);
        }
        Ok(Self { words, number, width, values, lengths })
    }

    /// How many words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is none; never so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Numbers of a vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// All words, in the order of the table.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The vector of a word as it stands in the table, else of its lower case.
    #[must_use]
    pub fn get(&self, word: &str) -> Option<&[f32]> {
        let at = self.number.get(word).or_else(|| self.number.get(&word.to_lowercase()))?;
        Some(self.row(*at))
    }

    fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    /// The mean direction of a phrase's words: each counted as long as 1, unknown ones left out; `None` where all are
    /// unknown. A phrase that has a vector of its own (`pleural_effusion`) has that.
    #[must_use]
    pub fn phrase(&self, text: &str) -> Option<Vec<f32>> {
        let words = corpus::words(text);
        if let Some(own) = self.get(&words.join("_")) {
            return Some(own.to_vec());
        }
        let mut sum = vec![0f32; self.width];
        let mut known = false;
        for word in &words {
            if let Some(at) = self.number.get(word)
                && self.lengths[*at] > 0.0
            {
                known = true;
                sum.iter_mut().zip(self.row(*at)).for_each(|(s, v)| *s += v / self.lengths[*at]);
            }
        }
        known.then_some(sum)
    }

    /// How alike the directions of two phrases are, -1 to 1.
    #[must_use]
    pub fn similarity(&self, a: &str, b: &str) -> Option<f64> {
        Some(cosine(&self.phrase(a)?, &self.phrase(b)?))
    }

    /// The words in the direction of a vector, best first; those for which `skip` says so are left out.
    #[must_use]
    pub fn nearest_to(&self, vector: &[f32], count: usize, skip: impl Fn(&str) -> bool) -> Vec<(String, f64)> {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if vector.len() != self.width || length == 0.0 {
            return Vec::new();
        }
        let mut all: Vec<(usize, f32)> = (0..self.words.len())
            .filter(|i| self.lengths[*i] > 0.0 && !skip(&self.words[*i]))
            .map(|i| (i, self.row(i).iter().zip(vector).map(|(a, b)| a * b).sum::<f32>() / (self.lengths[i] * length)))
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(count);
        all.into_iter().map(|(i, s)| (self.words[i].clone(), f64::from(s))).collect()
    }

    /// The words nearest to a word or phrase, itself left out; empty where it is unknown.
    #[must_use]
    pub fn nearest(&self, text: &str, count: usize) -> Vec<(String, f64)> {
        let own = corpus::words(text);
        let joined = own.join("_");
        match self.phrase(text) {
            Some(vector) => self.nearest_to(&vector, count, |w| w == joined || own.iter().any(|o| o == w)),
            None => Vec::new(),
        }
    }

    /// Reads word2vec's `.bin` or its `.txt`/`.vec`, or GloVe's `.txt` (no header), by what stands in it. `keep` says which
    /// words are wanted, so that a file of many gigabytes gives a table of those.
    ///
    /// # Errors
    /// [`Error::Text`] with what is wrong; [`Error::Read`].
    pub fn read(path: &Path, keep: impl Fn(&str) -> bool) -> Result<Self> {
        let length = std::fs::metadata(path).map_err(Error::read(path))?.len();
        let file = std::fs::File::open(path).map_err(Error::read(path))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let head = reader.fill_buf().map_err(Error::read(path))?;
        let line_end = head.iter().position(|b| *b == b'\n').unwrap_or(head.len());
        let first = String::from_utf8_lossy(&head[..line_end]).into_owned();
        let numbers: Vec<&str> = first.split_whitespace().collect();
        let header = match numbers.as_slice() {
            [words, width] => words.parse::<usize>().ok().zip(width.parse::<usize>().ok()),
            _ => None,
        };
        let told = |reason: String| fault(format!("{reason}: {}", path.display()));
        let Some((words, width)) = header else {
            return Self::read_text(reader, None, &keep).map_err(told);
        };
        if !(1..=4096).contains(&width) || words == 0 {
            return Err(told(format!("it claims {words} words of {width} numbers")));
        }
        let rest = head.get(line_end + 1..).unwrap_or_default();
        let binary = is_binary(rest, width);
        let taken = (line_end + 1).min(head.len());
        reader.consume(taken);
        if binary {
            // A word and its space at least, besides the numbers.
            let least = (4 * width as u64 + 2).saturating_mul(words as u64);
            if least > length {
                return Err(told(format!(
                    "it claims {words} words of {width} numbers, but is only {length} bytes long"
                )));
            }
            Self::read_binary(reader, words, width, &keep).map_err(told)
        } else {
            Self::read_text(reader, Some((words, width)), &keep).map_err(told)
        }
    }

    fn read_binary(
        mut reader: impl BufRead,
        count: usize,
        width: usize,
        keep: &impl Fn(&str) -> bool,
    ) -> Result<Self, String> {
        let (mut words, mut values) = (Vec::new(), Vec::new());
        let mut bytes = vec![0u8; 4 * width];
        for n in 0..count {
            let mut word = Vec::new();
            let taken = reader.by_ref().take(4096).read_until(b' ', &mut word).map_err(|e| e.to_string())?;
            if word.pop() != Some(b' ') {
                let why = if taken == 4096 { "a word has no end" } else { "it is cut short" };
                return Err(format!("{why} (word {} of {count})", n + 1));
            }
            reader.read_exact(&mut bytes).map_err(|_| format!("it is cut short (word {} of {count})", n + 1))?;
            let word = String::from_utf8_lossy(&word).trim_start_matches('\n').to_owned();
            if keep(&word) {
                more(&words, width)?;
                words.push(word);
                values.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            }
        }
        Self::new(words, width, values).map_err(|e| e.to_string())
    }

    fn read_text(
        reader: impl BufRead,
        header: Option<(usize, usize)>,
        keep: &impl Fn(&str) -> bool,
    ) -> Result<Self, String> {
        let (mut words, mut values) = (Vec::new(), Vec::new());
        let mut width = header.map(|h| h.1);
        for (n, line) in reader.split(b'\n').enumerate() {
            let line = line.map_err(|e| e.to_string())?;
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.split(' ').collect();
            // GloVe's largest file has words with spaces, so the numbers are counted from the right.
            let size = *width.get_or_insert_with(|| fields.len() - 1);
            if size == 0 || fields.len() <= size || size > 4096 {
                return Err(format!("line {} does not hold a word and {size} numbers", n + 1));
            }
            let (word, numbers) = fields.split_at(fields.len() - size);
            let word = word.join(" ");
            if !keep(&word) {
                continue;
            }
            more(&words, size)?;
            for number in numbers {
                values.push(number.parse::<f32>().map_err(|_| format!("line {}: '{number}' is no number", n + 1))?);
            }
            words.push(word);
        }
        let width = width.ok_or("it is empty")?;
        Self::new(words, width, values).map_err(|e| e.to_string())
    }

    /// Writes word2vec's `.bin`.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`].
    pub fn write_bin(&self, path: &Path) -> Result<()> {
        self.write(path, |out| {
            writeln!(out, "{} {}", self.words.len(), self.width)?;
            for (i, word) in self.words.iter().enumerate() {
                write!(out, "{} ", word.replace(' ', "_"))?;
                for v in self.row(i) {
                    out.write_all(&v.to_le_bytes())?;
                }
                out.write_all(b"\n")?;
            }
            Ok(())
        })
    }

    /// Writes a word and its numbers a line: GloVe's `.txt`, with a first line of both sizes word2vec's.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`].
    pub fn write_text(&self, path: &Path, header: bool) -> Result<()> {
        self.write(path, |out| {
            if header {
                writeln!(out, "{} {}", self.words.len(), self.width)?;
            }
            for (i, word) in self.words.iter().enumerate() {
                write!(out, "{}", word.replace(' ', "_"))?;
                for v in self.row(i) {
                    write!(out, " {v}")?;
                }
                writeln!(out)?;
            }
            Ok(())
        })
    }

    fn write(&self, path: &Path, content: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
        let part = path.with_extension("part");
        let written = (|| {
            let mut out = std::io::BufWriter::new(std::fs::File::create(&part)?);
            content(&mut out)?;
            out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
            std::fs::rename(&part, path)
        })();
        written.map_err(|e| {
            // The half-written neighbour is of no use; that it may fail to go changes nothing.
            let _ = std::fs::remove_file(&part);
            Error::write(path)(e)
        })
    }

    pub(crate) fn to_tensors(&self) -> Result<(VectorsConfig, Tensors, String)> {
        let config = VectorsConfig { words: self.words.len(), width: self.width };
        let tensor = Tensor::from_slice(&self.values, (self.words.len(), self.width), &Device::Cpu)?;
        Ok((config, Tensors::from([("vectors".to_owned(), tensor)]), self.words.join("\n")))
    }

    pub(crate) fn from_tensors(config: &VectorsConfig, tensors: &Tensors, words: &str) -> Result<Self> {
        let words: Vec<String> = words.lines().map(str::to_owned).collect();
        if words.len() != config.words {
            return Err(fault(format!("it has {} words, its card says {}", words.len(), config.words)));
        }
        let table = tensors.get("vectors").ok_or_else(|| fault("its vectors are missing".into()))?;
        Self::new(words, config.width, table.flatten_all()?.to_vec1()?)
    }
}

fn more(words: &[String], width: usize) -> Result<(), String> {
    if (words.len() + 1).saturating_mul(width) > MOST_NUMBERS {
        return Err(format!("more than {} words of {width} numbers are too many", words.len()));
    }
    Ok(())
}

/// Whether behind the header there is a word, a space and binary numbers: numbers of `.txt` are all printable.
fn is_binary(rest: &[u8], width: usize) -> bool {
    let Some(space) = rest.iter().position(|b| *b == b' ') else { return true };
    let numbers = &rest[space + 1..rest.len().min(space + 1 + 4 * width)];
    numbers.iter().any(|b| !(b.is_ascii_graphic() || matches!(b, b' ' | b'\n' | b'\r' | b'\t')))
}

/// The cosine of the angle between two vectors; 0 where one has no length.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

/// Texts as sentences of words, marks left out. Where `phrases` is above 0, pairs that occur together more than so many
/// times as often as by chance (Mikolov et al. 2013, with a discount of 5) become one word.
pub(crate) fn sentences(texts: &[&str], phrases: f64) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for text in texts {
        let mut sentence = Vec::new();
        for word in corpus::words(text) {
            if word.chars().any(char::is_alphanumeric) {
                sentence.push(word);
            } else if matches!(word.as_str(), "." | "!" | "?") && !sentence.is_empty() {
                all.push(std::mem::take(&mut sentence));
            }
        }
        if !sentence.is_empty() {
            all.push(sentence);
        }
    }
    if phrases > 0.0 {
        join(&mut all, phrases);
    }
    all
}

fn join(sentences: &mut [Vec<String>], threshold: f64) {
    let mut single: HashMap<&str, u32> = HashMap::new();
    let mut pair: HashMap<(&str, &str), u32> = HashMap::new();
    for sentence in sentences.iter() {
        for word in sentence {
            *single.entry(word).or_default() += 1;
        }
        for two in sentence.windows(2) {
            *pair.entry((&two[0], &two[1])).or_default() += 1;
        }
    }
    let total = f64::from(single.values().sum::<u32>());
    let content = |w: &str| w.len() > 3 && w.chars().all(|c| c.is_alphabetic() || c == '-');
    let kept: std::collections::HashSet<(String, String)> = pair
        .into_iter()
        .filter(|((a, b), n)| {
            let chance = f64::from(single[a]) * f64::from(single[b]);
            content(a) && content(b) && f64::from(n.saturating_sub(5)) * total / chance > threshold
        })
        .map(|((a, b), _)| (a.to_owned(), b.to_owned()))
        .collect();
    for sentence in sentences {
        let mut joined = Vec::with_capacity(sentence.len());
        let mut words = std::mem::take(sentence).into_iter().peekable();
        while let Some(word) = words.next() {
            match words.peek() {
                Some(next) if kept.contains(&(word.clone(), next.clone())) => {
                    joined.push(format!("{word}_{next}"));
                    words.next();
                }
                _ => joined.push(word),
            }
        }
        *sentence = joined;
    }
}

/// Words with their counts, the most frequent first.
pub(crate) fn vocabulary(sentences: &[Vec<String>], least: u32, most: usize) -> Vec<(String, u32)> {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    for word in sentences.iter().flatten() {
        *seen.entry(word).or_default() += 1;
    }
    let mut list: Vec<(String, u32)> =
        seen.into_iter().filter(|(_, n)| *n >= least.max(1)).map(|(w, n)| (w.to_owned(), n)).collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    list.truncate(most);
    list
}

/// Sentences as numbers in a vocabulary; unknown words are left out.
pub(crate) fn numbered(sentences: &[Vec<String>], vocabulary: &[(String, u32)]) -> Vec<Vec<u32>> {
    let number: HashMap<&str, u32> = vocabulary.iter().enumerate().map(|(i, (w, _))| (w.as_str(), i as u32)).collect();
    sentences.iter().map(|s| s.iter().filter_map(|w| number.get(w.as_str()).copied()).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> WordVectors {
        let words = ["lung", "pulmonary", "bone", "pleural_effusion"].map(str::to_owned).to_vec();
        WordVectors::new(words, 2, vec![1.0, 0.1, 0.9, 0.2, -0.2, 1.0, 0.5, 0.5]).unwrap()
    }

    #[test]
    fn nearest_words_and_phrases() {
        let table = table();
        assert_eq!(table.nearest("Lung", 1)[0].0, "pulmonary");
        assert_eq!(table.phrase("pleural effusion").unwrap(), [0.5, 0.5]);
        assert!(table.similarity("lung", "pulmonary").unwrap() > table.similarity("lung", "bone").unwrap());
        assert!(table.nearest("unknown", 3).is_empty() && table.phrase("").is_none());
    }

    #[test]
    fn files_come_back_and_lies_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.bin");
        table().write_bin(&path).unwrap();
        assert_eq!(WordVectors::read(&path, |_| true).unwrap(), table());
        assert_eq!(WordVectors::read(&path, |w| w == "bone").unwrap().len(), 1);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 6]).unwrap();
        assert!(WordVectors::read(&path, |_| true).unwrap_err().to_string().contains("cut short"));
        std::fs::write(&path, [b"4000000000 300\n".as_slice(), &bytes[4..]].concat()).unwrap();
        let told = WordVectors::read(&path, |_| true).unwrap_err().to_string();
        assert!(told.contains("4000000000 words of 300 numbers") && told.contains("bytes long"), "{told}");
        for header in [true, false] {
            let path = dir.path().join("v.txt");
            table().write_text(&path, header).unwrap();
            assert_eq!(WordVectors::read(&path, |_| true).unwrap(), table(), "{header}");
        }
        let path = dir.path().join("bad.txt");
        for (text, said) in
            [("", "empty"), ("a 1 2\nb 1\n", "line 2"), ("a 1 x\n", "no number"), ("a 1 nan\n", "finite")]
        {
            std::fs::write(&path, text).unwrap();
            let told = WordVectors::read(&path, |_| true).unwrap_err().to_string();
            assert!(told.contains(said), "{text:?}: {told}");
        }
        std::fs::write(&path, ". . . 1 2\n").unwrap();
        // Without a header the first line decides the width.
        assert!(WordVectors::read(&path, |_| true).is_err());
    }

    #[test]
    fn pairs_that_belong_together_become_one_word() {
        let text = "pleural effusion seen . ".repeat(30) + &"other words stand here alone . ".repeat(5);
        let all = sentences(&[&text], 2.0);
        assert!(all.iter().any(|s| s.contains(&"pleural_effusion".to_owned())), "{:?}", &all[..2]);
    }
}
