//! Whether words may be proposed for what is being typed. What goes on with a sentence must not say more of the patient than
//! is known: no number, side, place or finding, and no word of a change or of a normal state that nothing known has.

use super::judge::{FaultKind, Known, judge};
use crate::parse::Report;

/// Words that say something of the patient though they name no finding.
const CLAIMS: [&str; 26] = [
    "normal",
    "abnormal",
    "unremarkable",
    "clear",
    "intact",
    "patent",
    "preserved",
    "enlarged",
    "dilated",
    "mild",
    "moderate",
    "severe",
    "large",
    "small",
    "multiple",
    "several",
    "single",
    "acute",
    "chronic",
    "malignant",
    "benign",
    "male",
    "female",
    "man",
    "woman",
    "year",
];

/// Whether `insert` may be proposed behind `before`, the words of the sentence so far. What stands in `before` is the
/// reader's; only what comes with `insert` is held against what is known.
#[must_use]
pub fn may_follow(before: &str, insert: &str, known: &Known) -> bool {
    // The sentence alone: what was typed before it was judged when it was typed.
    let start = before.rfind(['.', '!', '?', '\n']).map_or(0, |at| at + 1);
    let before = before[start..].trim_start();
    let whole = format!("{before}{insert}");
    let claims = |text: &str| -> Vec<String> {
        let report = Report::read(text);
        let changes = report.change_words.iter().map(|w| text[w.span.clone()].to_lowercase());
        let words = (0..report.sentences.len()).flat_map(|n| report.words(n)).map(str::to_lowercase);
        changes.chain(words.filter(|w| CLAIMS.contains(&w.as_str()))).collect()
    };
    let typed = claims(before);
    if claims(&whole).iter().any(|word| !typed.contains(word) && !known.has_word(word)) {
        return false;
    }
    let faults = |text: &str| -> Vec<(FaultKind, usize)> {
        let all = judge(text, known).into_iter().flat_map(|j| j.faults);
        all.filter(|f| f.kind != FaultKind::Unreadable).map(|f| (f.kind, f.span[0])).collect()
    };
    let before = faults(before);
    faults(&whole).iter().all(|fault| before.contains(fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::FindingsFile;

    fn known() -> Known {
        let file = FindingsFile::from_json(
            r#"{"exam": {"modality": "CT", "body_part": "CHEST"}, "findings": [
              {"id": "f1", "term": "pulmonary nodule", "site": "right lower lobe", "side": "right", "size_mm": [8.4, 6.1],
               "state": "confirmed"},
              {"id": "f2", "term": "pleural effusion", "assertion": "absent"}]}"#,
        );
        Known::of(Some(&file.unwrap()), "FINDINGS: The heart is normal.")
    }

    #[test]
    fn only_what_is_known_is_proposed() {
        let known = known();
        for (before, insert) in [
            ("There is a nod", "ule in the right lower lobe"),
            ("Nodule in the ri", "ght lower lobe"),
            ("No pleural ", "effusion"),
            ("Axial ", "images"),
            ("The heart is ", "normal"),
            ("Nodule of 8.4 ", "mm"),
            // What the reader wrote himself is not held against him.
            ("Left pneumothorax, a ", "finding"),
        ] {
            assert!(may_follow(before, insert, &known), "{before}|{insert}");
        }
        for (before, insert) in [
            ("No pneumo", "thorax"),
            ("There is a pleural ", "effusion"),
            ("No pulmonary ", "nodule"),
            ("Nodule in the ", "left lower lobe"),
            ("Nodule in the right ", "upper lobe"),
            ("Nodule of ", "12 mm"),
            ("Nodule, ", "unchanged"),
            ("Nodule is ", "larger"),
            ("The liver is un", "remarkable"),
            ("Fracture of ", "l4"),
            ("In a ", "woman"),
        ] {
            assert!(!may_follow(before, insert, &known), "{before}|{insert}");
        }
    }
}
