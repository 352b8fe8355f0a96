//! The ranking of `lightbox ask` against plain BM25, on question pairs that neither was tuned on.
//!
//! `cargo test -p lightbox-report --release --test ask -- --nocapture` prints the table. The questions of MedQuAD are held
//! back (only title and answer are indexed), of PubMedQA the abstract that each question is about is to be found.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that prints its table")]

use std::collections::HashMap;
use std::io::Read as _;
use std::path::PathBuf;

use lightbox_report::assist::words::Vectors;
use lightbox_report::kb::{KnowledgeBase, Meanings, Passage, Ranking, VECTOR_SHARE, load};

fn text_data() -> Option<PathBuf> {
    let root = std::env::var_os("LIGHTBOX_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let folder = root.join("text");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "no text data at {}", folder.display());
    println!("skipped: no text data at {} (set LIGHTBOX_DATA)", folder.display());
    None
}

/// The shipped word vectors, read without candle.
struct Shipped {
    number: HashMap<String, usize>,
    width: usize,
    values: Vec<f32>,
}

impl Vectors for Shipped {
    fn width(&self) -> usize {
        self.width
    }

    fn of(&self, word: &str) -> Option<&[f32]> {
        let at = *self.number.get(word)?;
        Some(&self.values[at * self.width..(at + 1) * self.width])
    }

    fn nearest(&self, _: &str, _: usize) -> Vec<(String, f64)> {
        Vec::new()
    }
}

/// IEEE 754 half precision; word vectors hold neither infinities nor numbers below its normal range that matter.
fn half(bits: [u8; 2]) -> f32 {
    let bits = u32::from(u16::from_le_bytes(bits));
    let (sign, exponent, fraction) = (bits >> 15 << 31, bits >> 10 & 0x1f, bits & 0x3ff);
    let small = fraction as f32 / 16_777_216.0;
    match exponent {
        0 => f32::from_bits(small.to_bits() | sign),
        e => f32::from_bits(sign | (e + 112) << 23 | fraction << 13),
    }
}

fn shipped() -> Option<Shipped> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../weights/report-word2vec/model.safetensors");
    let Ok(bytes) = std::fs::read(path) else {
        println!("without word vectors: none are shipped");
        return None;
    };
    let head = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + head]).unwrap();
    let words = header["__metadata__"]["words"].as_str().unwrap();
    let width = header["vectors"]["shape"][1].as_u64().unwrap() as usize;
    let values = bytes[8 + head..].chunks_exact(2).map(|b| half([b[0], b[1]])).collect();
    Some(Shipped { number: words.lines().enumerate().map(|(i, w)| (w.to_owned(), i)).collect(), width, values })
}

/// As [`measure`] with word vectors of some share.
fn measure_with(
    base: &KnowledgeBase,
    questions: &[(String, usize)],
    vectors: &dyn Vectors,
    kept: &mut Meanings,
    share: f64,
) -> [f64; 3] {
    let mut sums = [0.0; 3];
    for (question, wanted) in questions {
        let hits = base.index().search_with(question, base.passages(), vectors, kept, share, 50);
        if let Some(rank) = hits.iter().position(|hit| hit.place == *wanted) {
            sums[0] += f64::from(u8::from(rank == 0));
            sums[1] += f64::from(u8::from(rank < 5));
            sums[2] += 1.0 / (rank as f64 + 1.0);
        }
    }
    sums.map(|sum| sum / questions.len() as f64)
}

/// Share found first, share among the first five, mean reciprocal rank.
fn measure(base: &KnowledgeBase, questions: &[(String, usize)], ranking: Ranking) -> [f64; 3] {
    let mut sums = [0.0; 3];
    for (question, wanted) in questions {
        let hits = base.index().search(question, ranking, 50);
        if let Some(rank) = hits.iter().position(|hit| hit.place == *wanted) {
            sums[0] += f64::from(u8::from(rank == 0));
            sums[1] += f64::from(u8::from(rank < 5));
            sums[2] += 1.0 / (rank as f64 + 1.0);
        }
    }
    sums.map(|sum| sum / questions.len() as f64)
}

fn table(set: &str, base: &KnowledgeBase, questions: &[(String, usize)]) -> ([f64; 3], [f64; 3]) {
    let plain = measure(base, questions, Ranking::Plain);
    let fields = measure(base, questions, Ranking::Fields);
    println!("{set}: {} questions, {} passages        first   in five   MRR", questions.len(), base.len());
    for (name, row) in [("plain BM25", plain), ("fields, stems, synonyms", fields)] {
        println!("  {name:<40} {:>6.3} {:>9.3} {:>6.3}", row[0], row[1], row[2]);
    }
    let Some(vectors) = shipped() else { return (plain, fields) };
    let mut kept = Meanings::default();
    // More shares on request: the choice was made on the documents that are looked at.
    let shares: Vec<f64> = if std::env::var_os("LIGHTBOX_SHARES").is_some() {
        vec![0.05, 0.1, 0.2, 0.3, 0.5, 1.0]
    } else {
        vec![VECTOR_SHARE]
    };
    for share in shares {
        let row = measure_with(base, questions, &vectors, &mut kept, share);
        let name = format!("with word vectors, share {share}");
        println!("  {name:<40} {:>6.3} {:>9.3} {:>6.3}", row[0], row[1], row[2]);
    }
    (plain, fields)
}

#[test]
fn the_ranking_beside_plain_bm25() {
    let Some(folder) = text_data() else { return };
    let mut passages = Vec::new();
    for entry in std::fs::read_dir(folder.join("medquad")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "zip") {
            continue;
        }
        let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
        for index in 0..archive.len() {
            let mut text = String::new();
            if archive.by_index(index).unwrap().read_to_string(&mut text).is_ok() {
                passages.extend(load::medquad(&text));
            }
        }
    }
    assert!(passages.len() > 2000, "{}", passages.len());
    passages.sort_by(|first, second| (&first.url, &first.question).cmp(&(&second.url, &second.question)));
    // Every second document, by its address, was looked at while the weights were set; the others are for the figures.
    let looked_at = u32::from(std::env::var_os("LIGHTBOX_LOOKED_AT").is_some());
    let held_back = |passage: &Passage| passage.url.bytes().map(u32::from).sum::<u32>() % 2 != looked_at;
    let questions: Vec<(String, usize)> = passages
        .iter()
        .enumerate()
        .filter(|(_, passage)| held_back(passage))
        .filter_map(|(place, passage)| passage.question.clone().map(|question| (question, place)))
        .collect();
    for passage in &mut passages {
        passage.question = None;
    }
    let base = KnowledgeBase::new(passages);
    let (plain, fields) = table("MedQuAD", &base, &questions);
    assert!(fields[2] > plain[2] && fields[1] > 0.5, "{plain:?} {fields:?}");

    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("pubmedqa/pqal.json")).unwrap()).unwrap();
    let mut pairs: Vec<(&String, &serde_json::Value)> = json.as_object().unwrap().iter().collect();
    pairs.sort_by_key(|(id, _)| (*id).clone());
    let passages: Vec<Passage> = pairs
        .iter()
        .map(|(id, pair)| Passage {
            text: pair["CONTEXTS"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|part| part.as_str())
                .collect::<Vec<_>>()
                .join(" "),
            source: format!("PubMed {id}"),
            ..Passage::default()
        })
        .collect();
    let questions: Vec<(String, usize)> = pairs
        .iter()
        .enumerate()
        .map(|(place, (_, pair))| (pair["QUESTION"].as_str().unwrap().to_owned(), place))
        .collect();
    let base = KnowledgeBase::new(passages);
    let (plain, fields) = table("PubMedQA", &base, &questions);
    assert!(fields[1] > 0.8 && plain[1] > 0.8, "{plain:?} {fields:?}");
}
