use super::*;

fn terms(text: &str) -> Vec<(String, Assertion, bool, Option<Side>, Option<Vec<f64>>)> {
    parse(text).into_iter().map(|term| (term.term, term.assertion, term.historical, term.side, term.size_mm)).collect()
}

fn assertion_of(text: &str, name: &str) -> Assertion {
    parse(text)
        .into_iter()
        .find(|term| term.term == name)
        .unwrap_or_else(|| panic!("{name} not found in: {text}"))
        .assertion
}

#[test]
fn a_finding_carries_side_and_size() {
    let found = terms("FINDINGS: There is an 8.4 x 6.1 mm solid nodule in the right lower lobe, previously 6 x 5 mm.");
    assert_eq!(
        found,
        [("pulmonary nodule".to_owned(), Assertion::Present, false, Some(Side::Right), Some(vec![8.4, 6.1]))]
    );
}

#[test]
fn denial_doubt_and_history_are_told_apart() {
    use Assertion::{Absent, Possible, Present};
    for (text, name, expected) in [
        ("No pneumothorax, pleural effusion, or consolidation.", "consolidation", Absent),
        ("No pneumothorax, small left pleural effusion.", "pleural effusion", Present),
        ("Pleural effusion and pneumothorax are not seen.", "pleural effusion", Absent),
        ("The previously seen pleural effusion has resolved.", "pleural effusion", Absent),
        ("Findings suggest pneumonia.", "pneumonia", Possible),
        ("Pneumonia cannot be excluded.", "pneumonia", Possible),
        ("No evidence to suggest pneumonia.", "pneumonia", Absent),
        ("There is no change in the pleural effusion.", "pleural effusion", Present),
        ("Pulmonary nodule without calcification.", "pulmonary nodule", Present),
        ("Opacity consistent with pneumonia.", "pneumonia", Present),
        ("Negative for acute fracture.", "fracture", Absent),
        ("Likely pneumonia.", "pneumonia", Possible),
        ("No history of tuberculosis.", "tuberculosis", Absent),
    ] {
        assert_eq!(assertion_of(text, name), expected, "{text}");
    }
    let history = parse("History of breast cancer. Status post cholecystectomy.");
    assert!(history.iter().all(|term| term.historical), "{history:?}");
    assert_eq!(history[1].term, "cholecystectomy");
}

#[test]
fn sides_stay_with_their_own_finding() {
    let found = terms("Small right pleural effusion and left pneumothorax.");
    assert_eq!((found[0].3, found[1].3), (Some(Side::Right), Some(Side::Left)));
    let found = terms("Left kidney: 6 mm nonobstructing stone in the lower pole. Simple cyst.");
    assert_eq!((found[0].3, found[1].3), (Some(Side::Left), Some(Side::Left)));
    let found = terms("The left ventricle is dilated. Right and left pleural effusions.");
    assert_eq!(found[0].3, Some(Side::Bilateral));
}

#[test]
fn a_mass_in_an_organ_is_no_disease_of_it() {
    for (text, found) in [
        ("Ring-enhancing mass in the left temporal lobe.", "mass"),
        ("Extraaxial mass over the right convexity.", "meningioma"),
        ("Cyst in the left kidney.", "renal cyst"),
    ] {
        let terms = terms(text);
        assert_eq!(terms.len(), 1, "{text}: {terms:?}");
        assert_eq!(terms[0].0, found, "{text}");
    }
}

#[test]
fn sections_are_named() {
    let found = parse("CT CHEST\n\nFINDINGS:\nEmphysema.\n\nIMPRESSION:\n1. Emphysema.");
    assert_eq!(
        found.iter().map(|term| term.section.as_deref()).collect::<Vec<_>>(),
        [Some("findings"), Some("impression")]
    );
}

#[test]
fn any_text_is_read_without_harm() {
    for text in [
        "",
        "\n\n:",
        "影像学 finding: 结节 8 mm。",
        "\u{0}\u{feff}a\u{301}: left",
        "IMPRESSION",
        "1.",
        "- ",
        "x".repeat(3000).as_str(),
        "é8mm×9 cm²",
        "((((,,,,",
    ] {
        for term in parse(text) {
            assert!(text.get(term.span[0]..term.span[1]).is_some());
        }
    }
}
