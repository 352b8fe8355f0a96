//! The patient's letter: confirmed findings in plain words, or a language model's words, read again.

use std::sync::LazyLock;

use super::judge::{Fault, FaultKind, Judged, Known, judge};
use super::{Author, Proposal, Writer, prompt};
use crate::findings::{Assertion, Change, FindingsFile, Side};
use crate::lexicon::{Entry, Kind, lexicon};
use crate::parse::{Mention, Report};
use crate::phrase;

struct Plain {
    term: &'static str,
    words: &'static str,
    note: &'static str,
}

static PLAIN: LazyLock<Vec<Plain>> = LazyLock::new(|| {
    include_str!("../../data/plain.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.split('|');
            Some(Plain { term: fields.next()?, words: fields.next()?, note: fields.next().unwrap_or_default() })
        })
        .collect()
});

fn plain(entry: &Entry) -> Option<&'static Plain> {
    let of = |name: &str| PLAIN.iter().find(|plain| plain.term == name);
    of(&entry.name).or_else(|| entry.head.as_deref().and_then(of))
}

/// What a term is called in plain words, `None` where the table has none.
#[must_use]
pub fn plain_words(term: &str) -> Option<&'static str> {
    lexicon().find(term).and_then(plain).map(|plain| plain.words)
}

const BEGIN: &str = "This letter explains the result of your examination in plain words.";
const CLOSE: &str = "Please talk about this result with your doctor, who knows the whole picture.";
/// More sentences than this nobody reads.
const MOST_FINDINGS: usize = 10;

/// Proposes the letter. Where a writer fails, or all of its sentences are struck, the rules' letter comes with the reason.
#[must_use]
pub fn propose(file: Option<&FindingsFile>, text: &str, writer: Option<&mut Writer<'_>>) -> (Proposal, Option<String>) {
    let Some(writer) = writer else { return (by_rules(file, text), None) };
    let known = Known::of(file, text);
    match writer(&prompt::letter(file, text)) {
        Ok(written) => {
            let mut sentences = judge(&written, &known);
            sentences.iter_mut().for_each(|sentence| plain_claims(sentence, file, text));
            let proposal = Proposal { author: Author::Model, sentences };
            if proposal.sentences.iter().any(|s| s.insertable().is_some()) {
                return (proposal, None);
            }
            let why = "Nothing that the model wrote is held by the findings; the rules' letter stands here.".to_owned();
            (by_rules(file, text), Some(why))
        }
        Err(why) => (by_rules(file, text), Some(why)),
    }
}

/// The parser does not know plain words ("fluid around the lung"): they are held against the findings through the table.
fn plain_claims(sentence: &mut Judged, file: Option<&FindingsFile>, text: &str) {
    let said = sentence.text.to_lowercase();
    let told: Vec<Told> = all(file, text);
    for plain in PLAIN.iter() {
        let words = plain.words.trim_start_matches("a ").trim_start_matches("an ");
        let Some(at) = said.find(words) else { continue };
        let denied = ["no ", "not ", "without "].iter().any(|no| said[..at].contains(no));
        let wanted = if denied { Assertion::Absent } else { Assertion::Present };
        let held = told.iter().any(|t| {
            plain_of(t).is_some_and(|p| p.words == plain.words)
                && (t.assertion == wanted || (!denied && t.assertion == Assertion::Possible))
        });
        if !held {
            let start = sentence.span[0] + at;
            let message = format!("\"{words}\" is not so among the findings.");
            let span = [start, (start + words.len()).min(sentence.span[1])];
            sentence.faults.push(Fault { kind: FaultKind::Finding, span, message });
        }
    }
}

/// A finding as it is told.
struct Told {
    id: Option<String>,
    entry: &'static Entry,
    assertion: Assertion,
    side: Option<Side>,
    size_mm: Option<f64>,
    change: Option<Change>,
}

fn plain_of(told: &Told) -> Option<&'static Plain> {
    plain(told.entry)
}

/// Confirmed findings of the file, and those that only the text tells.
fn all(file: Option<&FindingsFile>, text: &str) -> Vec<Told> {
    let mut told = Vec::new();
    for finding in file.iter().flat_map(|f| f.known_findings()) {
        if finding.effective_state() != crate::findings::State::Confirmed {
            continue;
        }
        let sentence = phrase::finding_sentence(finding, &[]).unwrap_or_default();
        let report = Report::read(&sentence);
        let Some(mention) = report.mentions.iter().find(|m| m.entry.kind == Kind::Finding) else { continue };
        told.push(Told {
            id: finding.id.clone(),
            entry: mention.entry,
            assertion: finding.effective_assertion(),
            side: finding.side.or(mention.side.as_ref().map(|s| s.side)),
            size_mm: finding.longest_mm(),
            change: finding.change,
        });
    }
    let report = Report::read(text);
    let of_file = |m: &Mention| {
        told.iter().any(|t| {
            let related = t.entry.name == m.entry.name || t.entry.head.as_deref() == Some(m.entry.name.as_str());
            related && (m.side.is_none() || t.side.is_none() || m.side.as_ref().map(|s| s.side) == t.side)
        })
    };
    let here = |m: &&Mention| m.is_current() && !report.kind_of(m.sentence).concludes() && !of_file(m);
    let mut kept = Vec::new();
    let of_text: Vec<Told> = report
        .mentions
        .iter()
        .filter(here)
        .map(|m| Told {
            id: None,
            entry: m.entry,
            assertion: m.assertion,
            side: m.side.as_ref().map(|s| s.side),
            size_mm: m.size.map(|size| report.measures[size].longest_mm()),
            change: None,
        })
        .collect();
    for (n, one) in of_text.iter().enumerate() {
        // "There is an effusion" says nothing beside "an effusion on the left".
        let fuller = |other: &Told| {
            other.entry.name == one.entry.name && other.assertion == one.assertion && other.side.is_some()
        };
        let vague = one.side.is_none() && one.size_mm.is_none();
        if !(vague && (told.iter().any(fuller) || of_text.iter().enumerate().any(|(m, x)| m != n && fuller(x)))) {
            kept.push(n);
        }
    }
    told.extend(of_text.into_iter().enumerate().filter(|(n, _)| kept.contains(n)).map(|(_, one)| one));
    told
}

fn by_rules(file: Option<&FindingsFile>, text: &str) -> Proposal {
    let told = all(file, text);
    let mut sentences: Vec<(String, Option<String>)> = vec![(BEGIN.to_owned(), None)];
    let push = |sentences: &mut Vec<(String, Option<String>)>, sentence: String, of: &Told| {
        if sentences.iter().all(|(said, _)| *said != sentence) {
            sentences.push((sentence, of.id.clone()));
        }
    };
    let there = told.iter().filter(|t| matches!(t.assertion, Assertion::Present | Assertion::Possible));
    for finding in there.take(MOST_FINDINGS) {
        push(&mut sentences, seen_sentence(finding), finding);
        if let Some(note) = plain(finding.entry).map(|p| p.note).filter(|n| !n.is_empty()) {
            push(&mut sentences, note.to_owned(), finding);
        }
    }
    for finding in told.iter().filter(|t| t.assertion == Assertion::Absent).take(MOST_FINDINGS) {
        let words = plain(finding.entry).map_or(finding.entry.name.as_str(), |p| p.words);
        let words = words.trim_start_matches("a ").trim_start_matches("an ");
        push(&mut sentences, format!("There is no sign of {words}."), finding);
    }
    if sentences.len() == 1 {
        sentences.push(("The report names no finding that this letter could explain.".into(), None));
    }
    sentences.push((CLOSE.to_owned(), None));
    let mut at = 0;
    // Made of the findings themselves, word for word from the tables.
    let sentences = sentences
        .into_iter()
        .map(|(text, id)| {
            let span = [at, at + text.len()];
            at = span[1] + 1;
            Judged { text, span, faults: Vec::new(), finding_ids: id.into_iter().collect() }
        })
        .collect();
    Proposal { author: Author::Rules, sentences }
}

fn seen_sentence(finding: &Told) -> String {
    let (words, own) = match plain(finding.entry) {
        Some(plain) => (plain.words.to_owned(), false),
        None => (finding.entry.name.clone(), true),
    };
    let mut sentence = match finding.assertion {
        Assertion::Possible => format!("The images may show {words}"),
        _ => format!("The images show {words}"),
    };
    match finding.side {
        Some(Side::Left) => sentence.push_str(" on your left side"),
        Some(Side::Right) => sentence.push_str(" on your right side"),
        Some(Side::Bilateral) => sentence.push_str(" on both sides"),
        _ => {}
    }
    if let Some(mm) = finding.size_mm.filter(|mm| *mm > 0.0) {
        sentence.push_str(&format!(", about {} mm in size", mm.round()));
    }
    if own {
        sentence.push_str(" (a medical term; your doctor can explain it)");
    }
    sentence.push('.');
    let change = match finding.change {
        Some(Change::New) => " It was not there before.",
        Some(Change::Increased) => " It is larger than before.",
        Some(Change::Decreased) => " It is smaller than before.",
        Some(Change::Unchanged) => " It has not changed.",
        Some(Change::Resolved) => " It is no longer there.",
        None => "",
    };
    sentence + change
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> FindingsFile {
        FindingsFile::from_json(
            r#"{"findings": [
              {"id": "f1", "term": "pulmonary nodule", "site": "right lower lobe", "side": "right", "size_mm": [8.4, 6.1],
               "change": "unchanged", "state": "confirmed"},
              {"id": "f2", "term": "pleural effusion", "assertion": "absent"},
              {"id": "f3", "term": "emphysema", "source": {"kind": "model"}}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn plain_words_sides_and_sizes() {
        let (letter, why) = propose(Some(&file()), "", None);
        let text = letter.insertable();
        assert!(why.is_none());
        assert!(
            text.contains("a small spot in the lung on your right side, about 8 mm in size. It has not changed."),
            "{text}"
        );
        assert!(text.contains("There is no sign of fluid around the lung."), "{text}");
        assert!(!text.contains("emphysema") && !text.contains("fine walls"), "{text}");
        assert!(text.ends_with(CLOSE));
    }

    #[test]
    fn every_term_of_the_table_is_one_of_the_lexicon() {
        for plain in PLAIN.iter() {
            assert!(lexicon().find(plain.term).is_some(), "{}", plain.term);
            assert!(!plain.words.is_empty() && plain.words.len() < 90);
        }
    }

    #[test]
    fn a_model_s_plain_words_are_held_against_the_findings() {
        let mut writer = |_: &super::super::Prompt| -> Result<String, String> {
            Ok("We saw a small spot in the lung, about 8 mm in size. There is also fluid around the lung. \
                You have a broken rib. There is no fluid around the lung."
                .into())
        };
        let (letter, _) = propose(Some(&file()), "", Some(&mut writer));
        assert_eq!(letter.author, Author::Model);
        let kept = letter.insertable();
        assert!(kept.contains("small spot") && kept.contains("no fluid"), "{kept}");
        assert!(!kept.contains("also fluid") && !kept.contains("broken rib"), "{kept}");
    }

    #[test]
    fn what_only_the_text_tells_joins_what_was_measured() {
        let text = "FINDINGS: 8 mm nodule in the right lower lobe. Small left pneumothorax. There is a pneumothorax. No rib fracture.";
        let letter = propose(Some(&file()), text, None).0;
        let all = letter.insertable();
        assert!(all.contains("on your left side") && all.contains("no sign of"), "{all}");
        assert_eq!(all.matches("on your left side").count(), 1, "{all}");
        assert_eq!(letter.sentences.iter().filter(|s| s.text.starts_with("The images show")).count(), 2, "{all}");
        assert_eq!(all.matches("small spot in the lung").count(), 1, "{all}");
        let first = letter.sentences.iter().find(|s| s.text.contains("small spot")).unwrap();
        assert_eq!(first.finding_ids, ["f1"]);
    }

    #[test]
    fn a_text_without_findings_says_so() {
        let (letter, _) = propose(None, "Guten Tag.", None);
        assert!(letter.insertable().contains("no finding"));
    }
}
