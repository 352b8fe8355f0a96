use super::*;

fn day(text: &str) -> Date {
    parse_iso(text).unwrap()
}

fn rules(text: &str, file: &str) -> Vec<Rule> {
    let file = (!file.is_empty()).then(|| FindingsFile::from_json(file).unwrap());
    let mut rules: Vec<Rule> =
        check(text, file.as_ref(), day("2026-11-25")).into_iter().map(|issue| issue.rule).collect();
    rules.dedup();
    rules
}

#[test]
fn spans_lie_on_character_boundaries_of_any_text() {
    for text in [
        "Résumé: 8 mm nodule à gauche — [ ] left middle lobe. 影像 IMPRESSION: ___ right nodule L6.",
        "\u{feff}FINDINGS:\r\nNo pneumothorax.\r\n\r\nIMPRESSION:\r\nLeft pneumothorax é.",
        "MRN: 1234567é Mr. Ünal 555-123-4567",
    ] {
        for issue in check(text, None, day("2026-11-25")) {
            for [start, end] in issue.spans {
                assert!(start < end && text.get(start..end).is_some(), "{:?}", issue.rule);
            }
        }
    }
}

#[test]
fn a_long_paste_is_survived() {
    let text =
        "FINDINGS: There is a 8 mm nodule in the right lower lobe. No pneumothorax. L6 fracture. [ ] \n".repeat(60_000);
    assert!(text.len() > 5_000_000);
    let issues = check(&text, None, day("2026-11-25"));
    assert!(issues.len() <= 24 * MAX_ISSUES_PER_RULE);
}

#[test]
fn a_clean_report_is_clean() {
    let text = "EXAM: CT chest with contrast\n\nCOMPARISON: CT of 2025-10-30.\n\nFINDINGS:\nSolid nodule in the right lower lobe, 8.4 x 6.1 mm, previously 6 x 5 mm. No pleural effusion or pneumothorax.\n\nIMPRESSION:\nGrowing solid nodule in the right lower lobe, 8 mm. Biopsy is recommended.";
    assert_eq!(rules(text, ""), []);
}

#[test]
fn each_rule_sees_its_plainest_error() {
    let file = r#"{"exam": {"modality": "CT", "contrast": false, "date": "2026-11-18", "series": 4, "images": 268}, "patient": {"sex": "F", "age": 64},
        "priors": [{"date": "2025-10-30"}], "findings": [
        {"term": "pulmonary nodule", "side": "right", "site": "right lower lobe", "size_mm": [8.4], "prior_size_mm": [6.0], "state": "confirmed"},
        {"term": "emphysema", "state": "rejected", "source": {"kind": "model"}}]}"#;
    for (rule, text) in [
        (Rule::R01, "FINDINGS: 8 mm nodule in the right lower lobe.\nIMPRESSION: 8 mm nodule in the left lower lobe."),
        (Rule::R02, "FINDINGS: Moderate hydronephrosis."),
        (Rule::R03, "FINDINGS: No pneumothorax.\nIMPRESSION: Left pneumothorax."),
        (Rule::R04, "FINDINGS: The liver is normal.\nIMPRESSION: Acute appendicitis."),
        (Rule::R05, "FINDINGS: Displaced fracture of the left clavicle.\nIMPRESSION: No pneumothorax."),
        (Rule::R06, "FINDINGS: 84 mm nodule in the right lower lobe."),
        (Rule::R07, "FINDINGS: 8 mm nodule in the right lower lobe. 21 mm cyst in the left kidney."),
        (Rule::R08, "FINDINGS: The prostate is normal."),
        (Rule::R09, "HISTORY: 46-year-old with cough."),
        (Rule::R10, "TECHNIQUE: MRI of the chest."),
        (Rule::R11, "COMPARISON: CT of 2024-01-02."),
        (Rule::R12, "FINDINGS: The nodule in the right lower lobe is unchanged."),
        (Rule::R13, "HISTORY: Status post cholecystectomy.\nFINDINGS: The gallbladder is normal."),
        (Rule::R14, "FINDINGS: Nodule of [ ] mm in the right lower lobe."),
        (Rule::R15, "FINDINGS: Acute pulmonary embolism in the right lower lobe."),
        (Rule::R16, "IMPRESSION: Follow-up CT is recommended."),
        (
            Rule::R17,
            "FINDINGS: Unchanged 7 mm nodule in the right lower lobe.\nIMPRESSION: Per Fleischner, no follow-up is needed.",
        ),
        (Rule::R18, "FINDINGS: The lungs show no plueral effusion."),
        (Rule::R19, "FINDINGS: The liver is normal in size. The liver is normal in size."),
        (Rule::R20, "FINDINGS: Opacity in the left middle lobe."),
        (Rule::R21, "FINDINGS: Nodule in the right lower lobe (series 9, image 12)."),
        (Rule::R22, "COMPARISON: CT of 2031-10-30."),
        (Rule::R23, "FINDINGS: Emphysema in both lungs."),
        (Rule::R24, "HISTORY: Mrs. Jones has a cough."),
    ] {
        let file = if matches!(rule, Rule::R17) { "" } else { file };
        assert!(rules(text, file).contains(&rule), "{rule:?}: {:?}", rules(text, file));
    }
}

/// Sentences of all reports of the project, cut and joined anew: whatever is typed, a check ends without harm.
#[test]
fn pieces_of_reports_in_any_order_are_checked_without_harm() {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/report");
    let mut texts: Vec<String> = Vec::new();
    for set in ["clean", "heldout", "heldout2", "heldout3"] {
        for entry in std::fs::read_dir(folder.join(set)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "txt") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(texts.len() > 100, "{}", texts.len());
    texts.sort();
    let file = FindingsFile::from_json(
        r#"{"exam": {"modality": "CT", "contrast": true, "date": "2026-11-18", "laterality": "left"},
        "patient": {"sex": "F", "age": 64}, "priors": [{"date": "2025-10-30"}],
        "findings": [{"term": "pulmonary nodule", "side": "right", "size_mm": [8.4, 6.1], "prior_size_mm": 6}]}"#,
    )
    .unwrap();
    let mut seed = 11u64;
    let mut random = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % limit.max(1)
    };
    for _ in 0..600 {
        let mut text = String::new();
        for _ in 0..8 {
            let from = &texts[random(texts.len())];
            let letters: Vec<char> = from.chars().collect();
            let start = random(letters.len());
            let end = (start + random(160)).min(letters.len());
            text.extend(&letters[start..end]);
            text.push_str(["", " ", "\n", "\n\n", ": ", ". "][random(6)]);
        }
        for issue in check(&text, Some(&file), today()) {
            for span in issue.spans {
                assert!(text.get(span[0]..span[1]).is_some(), "{text}");
            }
        }
    }
}
