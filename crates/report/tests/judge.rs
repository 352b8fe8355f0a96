//! What the judge lets through and what it strikes, on impressions of the project's own reports.
//!
//! `cargo test -p lightbox-report --release --test judge -- --nocapture` prints the table. Known is what stands before the impression;
//! its sentences are judged as they are, and with one error each.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that prints its table")]
#![allow(dead_code, reason = "the support of the other tests is shared")]

mod support;

use lightbox_report::assist::{Judged, Known, judge};
use support::words::{impression_start, lengths, places, replaced};

#[derive(Default)]
struct Count {
    struck: usize,
    all: usize,
}

impl Count {
    fn add(&mut self, judged: &[Judged]) {
        self.all += 1;
        self.struck += usize::from(judged.iter().any(|j| j.insertable().is_none()));
    }

    fn share(&self) -> f64 {
        self.struck as f64 / self.all.max(1) as f64
    }
}

/// A sentence with its sides changed, `None` where it has none.
fn other_side(sentence: &str) -> Option<String> {
    let lower = sentence.to_lowercase();
    let swap = |from: &str, to: &str| places(sentence, from).first().map(|range| replaced(sentence, range, to));
    if lower.contains("left") && !lower.contains("right") {
        swap("left", "right").or_else(|| swap("Left", "Right"))
    } else if lower.contains("right") && !lower.contains("left") {
        swap("right", "left").or_else(|| swap("Right", "Left"))
    } else {
        None
    }
}

fn other_size(sentence: &str) -> Option<String> {
    let (number, value, _) = lengths(sentence).into_iter().next()?;
    Some(replaced(sentence, &number, &format!("{}", value * 3.0 + 7.0)))
}

fn measure(set: &str) -> [f64; 5] {
    let [mut plain, mut sides, mut sizes, mut foreign, mut denied] = [const { Count { struck: 0, all: 0 } }; 5];
    for case in support::cases(set) {
        let Some(start) = impression_start(&case.text) else { continue };
        let (findings, impression) = case.text.split_at(start);
        let known = Known::of(Some(&case.file), findings);
        for sentence in judge(impression, &known) {
            let clean = sentence.insertable().is_some();
            plain.all += 1;
            plain.struck += usize::from(!clean);
            if !clean {
                continue;
            }
            if let Some(text) = other_side(&sentence.text) {
                sides.add(&judge(&text, &known));
            }
            if let Some(text) = other_size(&sentence.text) {
                sizes.add(&judge(&text, &known));
            }
        }
        for finding in ["Pneumomediastinum.", "Splenic laceration.", "Thyroid nodule.", "Scaphoid fracture."] {
            if !findings.to_lowercase().contains(finding.trim_end_matches('.').to_lowercase().as_str()) {
                foreign.add(&judge(finding, &known));
                denied.add(&judge(&format!("No {}", finding.to_lowercase()), &known));
            }
        }
    }
    println!("{set:<10} sentences of true impressions struck: {:.3} of {}", plain.share(), plain.all);
    for (name, count) in
        [("other side", &sides), ("other size", &sizes), ("foreign finding", &foreign), ("foreign, denied", &denied)]
    {
        println!("  {name:<16} struck: {:.3} of {}", count.share(), count.all);
    }
    [plain, sides, sizes, foreign, denied].map(|c| c.share())
}

#[test]
fn what_is_not_known_is_struck_and_most_that_is_known_stays() {
    for set in ["clean", "heldout", "heldout2", "heldout3", "heldout4"] {
        let [plain, sides, sizes, foreign, denied] = measure(set);
        assert!(plain < 0.6, "{set}: {plain:.3} of true sentences are struck");
        assert!(sides >= 0.9 && sizes >= 0.95, "{set}: {sides:.3} {sizes:.3}");
        assert!(foreign >= 0.95 && denied >= 0.9, "{set}: {foreign:.3} {denied:.3}");
    }
}
