//! Denial, doubt and history on 300 sentences of our own with labels.
//!
//! `cargo test -p lightbox-report --test negation -- --nocapture` prints the figures.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that prints its figures")]

use lightbox_report::findings::Assertion;
use lightbox_report::lexicon::lexicon;
use lightbox_report::parse::parse;

#[test]
fn denial_is_found_with_an_f1_of_093() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/report/negation.tsv");
    let table = std::fs::read_to_string(path).unwrap();
    let (mut both, mut only_told, mut only_meant, mut right, mut all, mut unfound) = (0, 0, 0, 0, 0, 0);
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [label, term, sentence] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
        all += 1;
        let wanted = lexicon().find(term).map_or(term, |entry| entry.name.as_str());
        let mentions = parse(sentence);
        let found = mentions.iter().find(|mention| mention.term == wanted).or_else(|| {
            mentions.iter().find(|mention| mention.term.split(' ').next_back() == wanted.split(' ').next_back())
        });
        let Some(found) = found else {
            unfound += 1;
            only_meant += usize::from(label == "A");
            println!(
                "NOT FOUND {term} in: {sentence} ({:?})",
                mentions.iter().map(|mention| &mention.term).collect::<Vec<_>>()
            );
            continue;
        };
        let told = match (found.assertion, found.historical) {
            (Assertion::Absent, _) => "A",
            (_, true) => "H",
            (Assertion::Possible, _) => "U",
            _ => "P",
        };
        right += usize::from(told == label);
        match (told == "A", label == "A") {
            (true, true) => both += 1,
            (true, false) => only_told += 1,
            (false, true) => only_meant += 1,
            _ => {}
        }
        if told != label {
            println!("{label} read as {told}: {term} in: {sentence}");
        }
    }
    let f1 = 2.0 * f64::from(both) / (2.0 * f64::from(both) + f64::from(only_told) + only_meant as f64);
    println!(
        "{all} sentences, negation F1 {f1:.3}, all four labels right {:.3}, terms not found {unfound}",
        f64::from(right as u32) / f64::from(all)
    );
    assert!(all >= 300, "{all} sentences");
    assert!(f1 >= 0.93, "F1 {f1:.3}");
}
