//! Each sentence of "What the checks mean" in the contract, both ways: what a rule must see and what it must leave alone.

#![allow(clippy::unwrap_used, reason = "a test")]

use lightbox_report::FindingsFile;
use lightbox_report::check::{Date, Rule, check};

fn today() -> Date {
    lightbox_report::parse::date::parse_iso("2026-12-05").unwrap()
}

fn rules(text: &str, file: &str) -> Vec<Rule> {
    let file = (!file.is_empty()).then(|| FindingsFile::from_json(file).unwrap());
    check(text, file.as_ref(), today()).into_iter().map(|issue| issue.rule).collect()
}

/// (rule, text, findings file, whether the rule must speak)
#[track_caller]
fn cases(rule: Rule, cases: &[(&str, &str, bool)]) {
    let mut wrong = Vec::new();
    for (text, file, speaks) in cases {
        let found = rules(text, file);
        if found.contains(&rule) != *speaks {
            wrong.push(format!("{} -> {found:?}\n    {text:?}\n    {file}", if *speaks { "silent" } else { "speaks" }));
        }
    }
    assert!(wrong.is_empty(), "{rule:?}\n{}", wrong.join("\n"));
}

const CT: &str = r#"{"exam": {"modality": "CT", "contrast": true, "date": "2026-11-18", "series": 4, "images": 268}, "patient": {"sex": "F", "age": 64}}"#;

#[test]
fn r01_side() {
    cases(
        Rule::R01,
        &[
            ("FINDINGS: Right pleural effusion.\nIMPRESSION: Left pleural effusion.", "", true),
            ("FINDINGS: Right pleural effusion.\nIMPRESSION: Right pleural effusion.", "", false),
            ("FINDINGS: Bilateral pleural effusions.\nIMPRESSION: Left pleural effusion.", "", false),
            ("FINDINGS: Right and left effusions, right larger.\nIMPRESSION: Right pleural effusion.", "", false),
            ("FINDINGS: R pleural effusion.\nIMPRESSION: L pleural effusion.", "", true),
            ("FINDINGS: RLL nodule.\nIMPRESSION: Left lower lobe nodule.", "", true),
            ("FINDINGS: RLL nodule.\nIMPRESSION: Right lower lobe nodule.", "", false),
            ("MRI LEFT KNEE\nFINDINGS: Tear of the right medial meniscus.\nIMPRESSION: Meniscal tear.", "", true),
            (
                "MRI LEFT KNEE\nFINDINGS: Tear of the medial meniscus. Right knee for comparison.\nIMPRESSION: Meniscal tear.",
                "",
                false,
            ),
            (
                "FINDINGS: Fracture of the left distal radius.\nIMPRESSION: Fracture.",
                r#"{"exam": {"laterality": "right"}}"#,
                true,
            ),
            (
                "FINDINGS: Fracture of the right distal radius.\nIMPRESSION: Fracture.",
                r#"{"exam": {"laterality": "right"}}"#,
                false,
            ),
            (
                "FINDINGS: 8 mm nodule in the left lower lobe.",
                r#"{"findings": [{"term": "pulmonary nodule", "side": "right", "size_mm": [8]}]}"#,
                true,
            ),
            (
                "FINDINGS: 8 mm nodule in the right lower lobe.",
                r#"{"findings": [{"term": "pulmonary nodule", "side": "right", "size_mm": [8]}]}"#,
                false,
            ),
            ("FINDINGS: Cyst in the right kidney. Stone in the left kidney.\nIMPRESSION: Left renal stone.", "", false),
            (
                "FINDINGS: Midline shift to the left. Right subdural hematoma.\nIMPRESSION: Right subdural hematoma with leftward shift.",
                "",
                false,
            ),
        ],
    );
}

#[test]
fn r02_missing_side() {
    cases(
        Rule::R02,
        &[
            ("FINDINGS: There is a renal cyst.\nIMPRESSION: Renal cyst.", "", true),
            ("FINDINGS: There is a left renal cyst.\nIMPRESSION: Renal cyst.", "", true),
            ("FINDINGS: Left renal cyst.\nIMPRESSION: Left renal cyst.", "", false),
            ("FINDINGS: Pneumothorax.\nIMPRESSION: Left pneumothorax.", "", true),
            ("MRI LEFT KNEE\nFINDINGS: Tear of the medial meniscus.\nIMPRESSION: Meniscal tear.", "", false),
            ("FINDINGS: Tear of the medial meniscus.", r#"{"exam": {"laterality": "left"}}"#, false),
            ("FINDINGS: Multiple cysts in both kidneys.", "", false),
            ("FINDINGS: No pleural effusion.", "", false),
            ("FINDINGS: Left kidney: 6 mm stone in the lower pole.", "", false),
        ],
    );
}

#[test]
fn r03_present_against_absent() {
    cases(
        Rule::R03,
        &[
            ("FINDINGS: No pneumothorax.\nIMPRESSION: Small right pneumothorax.", "", true),
            ("FINDINGS: Small right pneumothorax.\nIMPRESSION: No pneumothorax.", "", true),
            ("FINDINGS: No new nodule. Stable 4 mm right upper lobe nodule.\nIMPRESSION: Stable nodule.", "", false),
            ("FINDINGS: No acute fracture. Old rib fracture.\nIMPRESSION: Old left rib fracture.", "", false),
            (
                "FINDINGS: No pleural effusion.",
                r#"{"findings": [{"term": "pleural effusion", "assertion": "present"}]}"#,
                true,
            ),
            (
                "FINDINGS: Right pleural effusion.",
                r#"{"findings": [{"term": "pleural effusion", "assertion": "absent"}]}"#,
                true,
            ),
            (
                "FINDINGS: Right pleural effusion.",
                r#"{"findings": [{"term": "pleural effusion", "assertion": "present", "side": "right"}]}"#,
                false,
            ),
            (
                "FINDINGS: No left pleural effusion. Right pleural effusion.\nIMPRESSION: Right pleural effusion.",
                "",
                false,
            ),
            ("FINDINGS: LM: No stenosis. LAD: Severe stenosis.\nIMPRESSION: LAD stenosis.", "", false),
            (
                "FINDINGS: No evidence of pulmonary embolism.\nIMPRESSION: Acute pulmonary embolism. Dr. Ho was informed.",
                "",
                true,
            ),
        ],
    );
}

#[test]
fn r04_not_in_the_findings() {
    cases(
        Rule::R04,
        &[
            ("FINDINGS: The lungs are clear. Normal heart.\nIMPRESSION: Left rib fracture.", "", true),
            ("FINDINGS: Minimally displaced fracture of the left 5th rib.\nIMPRESSION: Left rib fracture.", "", false),
            ("FINDINGS: Airspace opacity in the right lower lobe.\nIMPRESSION: Right lower lobe pneumonia.", "", false),
            ("FINDINGS: The liver is normal.\nIMPRESSION: Acute appendicitis.", "", true),
            ("FINDINGS: Rim-enhancing collection in the pelvis.\nIMPRESSION: Pelvic abscess.", "", false),
            ("FINDINGS: The gallbladder is normal.\nIMPRESSION: No acute finding.", "", false),
        ],
    );
}

#[test]
fn r05_not_in_the_impression() {
    let known =
        r#"{"findings": [{"term": "pulmonary nodule", "side": "right", "size_mm": [9], "state": "confirmed"}]}"#;
    cases(
        Rule::R05,
        &[
            ("FINDINGS: 9 mm nodule in the right upper lobe.\nIMPRESSION: No pneumonia.", "", true),
            ("FINDINGS: 9 mm nodule in the right upper lobe.\nIMPRESSION: Right upper lobe nodule.", "", false),
            ("FINDINGS: Clear lungs.\nIMPRESSION: No pneumonia.", known, true),
            ("FINDINGS: 9 mm nodule in the right upper lobe.", known, false),
            ("FINDINGS: Simple cyst in the left kidney.\nIMPRESSION: No acute abnormality.", "", false),
            ("FINDINGS: Old healed left rib fracture.\nIMPRESSION: No acute abnormality.", "", false),
            ("FINDINGS: Degenerative change of the spine.\nIMPRESSION: No acute abnormality.", "", false),
            (
                "FINDINGS: Clear lungs.\nIMPRESSION: No pneumonia.",
                r#"{"findings": [{"term": "pulmonary nodule", "size_mm": [9], "state": "proposed"}]}"#,
                false,
            ),
            (
                "FINDINGS: Clear lungs.\nIMPRESSION: No pneumonia.",
                r#"{"findings": [{"term": "pulmonary nodule", "size_mm": [9], "source": {"kind": "model"}}]}"#,
                false,
            ),
        ],
    );
}

#[test]
fn r06_sizes() {
    let stored = r#"{"findings": [{"term": "pulmonary nodule", "side": "right", "size_mm": [8, 6]}]}"#;
    cases(
        Rule::R06,
        &[
            ("FINDINGS: 8 mm nodule in the right upper lobe.", stored, false),
            ("FINDINGS: 0.8 cm nodule in the right upper lobe.", stored, false),
            ("FINDINGS: 9 mm nodule in the right upper lobe.", stored, false),
            ("FINDINGS: 8 cm nodule in the right upper lobe.", stored, true),
            ("FINDINGS: 11 mm nodule in the right upper lobe.", stored, true),
            ("FINDINGS: 80 mm nodule in the right upper lobe.", "", true),
            ("FINDINGS: There is a nodule in the right upper lobe measuring 8.", "", true),
            ("FINDINGS: A nodule of 8 x 6 in the right upper lobe.", "", true),
            ("FINDINGS: Nodule in the right upper lobe has shrunk from 12 to 8 mm.", stored, false),
            (
                "FINDINGS: 8 mm nodule (previously 5 mm) in the right upper lobe.",
                r#"{"findings": [{"term": "pulmonary nodule", "size_mm": 8, "prior_size_mm": 5}]}"#,
                false,
            ),
        ],
    );
}

#[test]
fn r07_measurements_without_partner() {
    let stored =
        r#"{"findings": [{"term": "pulmonary nodule", "side": "right", "size_mm": [8, 6], "state": "confirmed"}]}"#;
    cases(
        Rule::R07,
        &[
            ("FINDINGS: Solid nodule in the right upper lobe.", stored, true),
            ("FINDINGS: 8 x 6 mm solid nodule in the right upper lobe.", stored, false),
            ("FINDINGS: 8 mm nodule in the right upper lobe. 23 mm mass in the liver.", stored, true),
            ("FINDINGS: 8 mm nodule in the right upper lobe, 12 mm from the pleura.", stored, false),
            ("FINDINGS: 8 mm nodule in the right upper lobe. The aorta measures 31 mm. CBD 4 mm.", stored, false),
            ("FINDINGS: 23 mm mass in the liver.", r#"{"findings": []}"#, true),
            ("FINDINGS: 23 mm mass in the liver.", r#"{"priors": []}"#, false),
        ],
    );
}

#[test]
fn r08_sex_and_r09_age() {
    let woman = r#"{"patient": {"sex": "F", "age": 64}}"#;
    let man = r#"{"patient": {"sex": "M", "age": 64}}"#;
    cases(
        Rule::R08,
        &[
            ("FINDINGS: The prostate is enlarged.", woman, true),
            ("FINDINGS: The prostate is enlarged.", man, false),
            ("FINDINGS: The uterus is normal.", man, true),
            ("FINDINGS: Status post hysterectomy.", woman, false),
            ("FINDINGS: The ovaries are normal.", r#"{"patient": {"sex": "O"}}"#, false),
            ("HISTORY: 64-year-old man.\nFINDINGS: Normal.", woman, true),
            ("FINDINGS: Male fetus.", woman, false),
            ("TECHNIQUE: 18F-FDG PET/CT.\nFINDINGS: Normal.", man, false),
        ],
    );
    cases(
        Rule::R09,
        &[
            ("HISTORY: 46-year-old woman.", woman, true),
            ("HISTORY: 64-year-old woman.", woman, false),
            ("HISTORY: 63 yo F.", woman, false),
            ("HISTORY: 46F with cough.", woman, true),
            ("HISTORY: Mother had breast cancer at the age of 46 years.", woman, false),
            ("HISTORY: Nephrectomy 12 years ago.", woman, false),
        ],
    );
}

#[test]
fn r10_examination() {
    let plain = r#"{"exam": {"modality": "CT", "contrast": false}}"#;
    cases(
        Rule::R10,
        &[
            ("CT CHEST\nTECHNIQUE: After intravenous contrast.\nFINDINGS: Normal.", plain, true),
            ("CT CHEST WITHOUT CONTRAST\nFINDINGS: Normal.", plain, false),
            ("CT CHEST WITHOUT CONTRAST\nFINDINGS: Normal.", CT, true),
            ("CT CHEST W AND W/O CONTRAST\nFINDINGS: Normal.", CT, false),
            ("MRI CHEST\nFINDINGS: Normal.", CT, true),
            ("CT CHEST\nFINDINGS: A T2 hyperintense focus in the liver.", CT, true),
            (
                "CT CHEST\nFINDINGS: Indeterminate lesion.\nIMPRESSION: Indeterminate liver lesion. MRI is recommended.",
                CT,
                false,
            ),
            ("CT CHEST\nCOMPARISON: MRI of 2026-01-03.\nFINDINGS: Normal.", CT, false),
            ("FINDINGS: Hypoechoic nodule in the right thyroid lobe.", CT, true),
        ],
    );
}

#[test]
fn r11_comparison_and_r22_future() {
    let prior = r#"{"exam": {"date": "2026-11-18"}, "priors": [{"date": "2025-03-04", "modality": "CT"}]}"#;
    let none = r#"{"exam": {"date": "2026-11-18"}, "priors": []}"#;
    cases(
        Rule::R11,
        &[
            ("COMPARISON: CT of 2025-03-04.\nFINDINGS: Normal.", prior, false),
            ("COMPARISON: CT of 04/03/2025.\nFINDINGS: Normal.", prior, false),
            ("COMPARISON: CT of 03/04/2025.\nFINDINGS: Normal.", prior, false),
            ("COMPARISON: CT of 2025-05-04.\nFINDINGS: Normal.", prior, true),
            ("COMPARISON: CT of 2026-11-20.\nFINDINGS: Normal.", prior, true),
            ("COMPARISON: Prior CT.\nFINDINGS: Normal.", prior, true),
            ("COMPARISON: None.\nFINDINGS: Normal.", prior, true),
            ("COMPARISON: None.\nFINDINGS: Normal.", none, false),
            ("COMPARISON: CT of 2025-03-04.\nFINDINGS: Normal.", none, true),
        ],
    );
    cases(
        Rule::R22,
        &[
            ("COMPARISON: CT of 2027-03-04.\nFINDINGS: Normal.", prior, true),
            ("FINDINGS: Normal.\nIMPRESSION: Follow-up CT is scheduled for 2027-03-04.", prior, false),
            ("FINDINGS: Nodule seen since 2025-03-04.", prior, false),
        ],
    );
}

#[test]
fn r12_change() {
    let grown = r#"{"findings": [{"term": "pulmonary nodule", "size_mm": 9, "prior_size_mm": 6}]}"#;
    let slightly = r#"{"findings": [{"term": "pulmonary nodule", "size_mm": 8, "prior_size_mm": 7}]}"#;
    cases(
        Rule::R12,
        &[
            ("FINDINGS: Unchanged 9 mm nodule in the right upper lobe.", grown, true),
            ("FINDINGS: Decreased 9 mm nodule in the right upper lobe.", grown, true),
            ("FINDINGS: Increased 9 mm nodule in the right upper lobe.", grown, false),
            ("FINDINGS: Unchanged 8 mm nodule in the right upper lobe.", slightly, false),
            ("FINDINGS: The right upper lobe nodule is unchanged, 9 mm, previously 6 mm.", "", true),
            ("FINDINGS: The right upper lobe nodule has increased to 9 mm from 6 mm.", grown, false),
        ],
    );
}

#[test]
fn r13_removed_organ() {
    cases(
        Rule::R13,
        &[
            ("HISTORY: Cholecystectomy.\nFINDINGS: The gallbladder is normal.", "", true),
            ("FINDINGS: Status post cholecystectomy. The gallbladder is surgically absent.", "", false),
            ("HISTORY: Right nephrectomy.\nFINDINGS: The left kidney is normal.", "", false),
            ("HISTORY: Right nephrectomy.\nFINDINGS: The right kidney is normal.", "", true),
            ("HISTORY: Hysterectomy.\nFINDINGS: The uterus is normal.", "", true),
            ("HISTORY: Splenectomy.\nFINDINGS: Splenic bed unremarkable.", "", false),
        ],
    );
}

#[test]
fn r14_unfilled_fields() {
    cases(
        Rule::R14,
        &[
            ("FINDINGS: Nodule in the [side] lung.", "", true),
            ("FINDINGS: Nodule of [ ] mm.", "", true),
            ("FINDINGS: Normal.\nIMPRESSION:\n", "", true),
            ("FINDINGS: ___ nodule.", "", true),
            ("FINDINGS: Normal.\nIMPRESSION: Normal.", "", false),
            ("TECHNIQUE: [18F]FDG PET/CT.\nFINDINGS: Normal.", "", false),
            ("FINDINGS: Nodules < 6 mm and > 3 mm.", "", false),
        ],
    );
}

#[test]
fn r15_critical() {
    for finding in [
        "Acute pulmonary embolism.",
        "Type A aortic dissection.",
        "Ruptured abdominal aortic aneurysm.",
        "Pneumoperitoneum consistent with bowel perforation.",
        "Acute right subdural hematoma.",
        "Acute left M1 occlusion, large vessel occlusion.",
        "Left tension pneumothorax.",
        "Metastasis at T7 with cord compression.",
        "Right tubal ectopic pregnancy.",
        "Left testicular torsion.",
        "The endotracheal tube tip is in the right main bronchus.",
        "Nasogastric tube in the right lower lobe bronchus.",
    ] {
        let bare = format!("FINDINGS: {finding}\nIMPRESSION: {finding}");
        let told = format!("{bare}\nDiscussed with Dr. Ho by phone at 14:10.");
        cases(Rule::R15, &[(&bare, "", true), (&told, "", false)]);
    }
    cases(
        Rule::R15,
        &[
            ("FINDINGS: No pulmonary embolism.\nIMPRESSION: No pulmonary embolism.", "", false),
            (
                "FINDINGS: Chronic left subdural hematoma, unchanged.\nIMPRESSION: Stable chronic subdural hematoma.",
                "",
                false,
            ),
            ("FINDINGS: Endotracheal tube tip 4 cm above the carina.\nIMPRESSION: Tube in good position.", "", false),
            ("FINDINGS: TFCC perforation.\nIMPRESSION: TFCC perforation.", "", false),
            (
                "FINDINGS: Acute pulmonary embolism.\nIMPRESSION: Acute pulmonary embolism. Attempts to reach Dr. Ho were unsuccessful.",
                "",
                true,
            ),
        ],
    );
}

#[test]
fn r16_follow_up() {
    cases(
        Rule::R16,
        &[
            ("FINDINGS: Nodule.\nIMPRESSION: Follow-up is recommended.", "", true),
            ("FINDINGS: Nodule.\nIMPRESSION: Follow-up CT is recommended.", "", true),
            ("FINDINGS: Nodule.\nIMPRESSION: Repeat in 6 months.", "", true),
            ("FINDINGS: Nodule.\nIMPRESSION: Follow-up CT in 6 months is recommended.", "", false),
            ("FINDINGS: Mass.\nIMPRESSION: Biopsy is recommended.", "", false),
            ("FINDINGS: Lesion.\nIMPRESSION: MRI for further characterization is recommended.", "", false),
            ("FINDINGS: Cyst.\nIMPRESSION: No follow-up is needed.", "", false),
            ("FINDINGS: Normal.\nIMPRESSION: Follow-up growth scan booked for 17/02/2027.", "", false),
        ],
    );
}

#[test]
fn r17_guidelines() {
    let nodule = |points: &str| {
        format!(
            r#"{{"findings": [{{"term": "thyroid nodule", "side": "left", "size_mm": [16], "attributes": {points}}}]}}"#
        )
    };
    let tr4 = nodule(
        r#"{"composition": "solid", "echogenicity": "hypoechoic", "shape": "wider-than-tall", "margin": "smooth", "foci": "none"}"#,
    );
    let lung = |change: &str, size: f64| {
        format!(
            r#"{{"patient": {{"age": 60}}, "findings": [{{"term": "pulmonary nodule", "side": "right", "site": "right upper lobe", "size_mm": [{size}], "change": "{change}", "attributes": {{"composition": "solid"}}}}]}}"#
        )
    };
    cases(
        Rule::R17,
        &[
            ("FINDINGS: 16 mm left thyroid nodule, TI-RADS 4.", &tr4, false),
            ("FINDINGS: 16 mm left thyroid nodule, TI-RADS 3.", &tr4, true),
            ("FINDINGS: 16 mm left thyroid nodule, TR4 (5 points).", &tr4, true),
            ("FINDINGS: 16 mm left thyroid nodule, TR4 (3 points).", "", true),
            ("FINDINGS: 16 mm left thyroid nodule, TI-RADS 4. No FNA is required.", &tr4, true),
            (
                "FINDINGS: New 8 mm solid nodule in the right upper lobe.\nIMPRESSION: Right upper lobe nodule. No follow-up is needed.",
                &lung("new", 8.0),
                true,
            ),
            (
                "FINDINGS: New 8 mm solid nodule in the right upper lobe.\nIMPRESSION: Right upper lobe nodule. Follow-up CT in 6 to 12 months is recommended.",
                &lung("new", 8.0),
                false,
            ),
            (
                "FINDINGS: 8 mm solid nodule in the right upper lobe has grown.\nIMPRESSION: Growing right upper lobe nodule. CT in 3 months is recommended.",
                &lung("increased", 8.0),
                false,
            ),
        ],
    );
}

#[test]
fn r18_spelling_and_r19_repetition() {
    cases(
        Rule::R18,
        &[
            ("FINDINGS: Right pleural efusion.", "", true),
            ("FINDINGS: There is a plural effusion on the right.", "", true),
            (
                "FINDINGS: Juxtacortical and callososeptal lesions; tegmen intact; Risser 2; 18F-piflufolastat uptake.",
                "",
                false,
            ),
            ("BEFUND: Kein Nachweis eines Pleuraergusses. Die Leber ist unauffällig.", "", false),
        ],
    );
    cases(
        Rule::R19,
        &[
            ("FINDINGS: There is a small right effusion. There is a small right effusion.", "", true),
            ("FINDINGS: Right pneumothorax. No pneumothorax.", "", true),
            ("FINDINGS: Liver: Normal.\nSpleen: Normal.", "", false),
            ("FINDINGS: Infraspinatus tendinosis without tear. Full-thickness supraspinatus tear.", "", false),
        ],
    );
    let hint = check("FINDINGS: There is a plural effusion on the right.", None, today());
    assert!(
        hint.iter().any(|issue| issue.rule == Rule::R18 && issue.severity == lightbox_report::check::Severity::Hint)
    );
    let warning = check("FINDINGS: Right pleural efusion.", None, today());
    assert!(
        warning
            .iter()
            .any(|issue| issue.rule == Rule::R18 && issue.severity == lightbox_report::check::Severity::Warning)
    );
}

#[test]
fn r20_anatomy_and_r21_numbers() {
    cases(
        Rule::R20,
        &[
            ("FINDINGS: Compression fracture of L7.", "", true),
            ("FINDINGS: Nodule in the left middle lobe.", "", true),
            ("FINDINGS: Opacity in the right lingula.", "", true),
            ("FINDINGS: Fracture of the left 13th rib.", "", true),
            ("FINDINGS: Disc bulge at L4/6.", "", true),
            ("FINDINGS: Compression fracture of L5. C8 nerve root normal. Fracture of the 12th rib.", "", false),
            ("FINDINGS: Transitional vertebra counted as L6. Disc bulge at L5/6 and L6/S1.", "", false),
            ("FINDINGS: Lumbar curve T11-L4 of 17 degrees.", "", false),
            ("FINDINGS: Left lobe of the liver normal. Right middle lobe nodule.", "", false),
        ],
    );
    cases(
        Rule::R21,
        &[
            ("FINDINGS: Nodule (series 9, image 12).", CT, true),
            ("FINDINGS: Nodule (series 3, image 512).", CT, true),
            ("FINDINGS: Nodule (series 3, image 112).", CT, false),
        ],
    );
}

#[test]
fn r23_rejected_and_r24_identifiers() {
    let rejected = r#"{"findings": [{"term": "pneumothorax", "side": "right", "state": "rejected", "source": {"kind": "model"}}]}"#;
    cases(
        Rule::R23,
        &[
            ("FINDINGS: Small right pneumothorax.", rejected, true),
            ("FINDINGS: No pneumothorax.", rejected, false),
            ("FINDINGS: Clear lungs.", rejected, false),
        ],
    );
    let named = r#"{"patient": {"name": "VANCE^ELEANOR", "id": "P-77120", "birth_date": "1961-02-14"}}"#;
    cases(
        Rule::R24,
        &[
            ("FINDINGS: Mrs. Vance was examined supine.", named, true),
            ("FINDINGS: MRN 00483921.", "", true),
            ("FINDINGS: Patient P-77120.", named, true),
            ("FINDINGS: Born 14/02/1961.", named, true),
            ("FINDINGS: Call the patient at 555-201-8834.", "", true),
            ("FINDINGS: Discussed with Dr. Eleanor Hughes at 14:20.", "", false),
            ("FINDINGS: Discussed with Mr. Patel, surgical registrar.", "", false),
            ("FINDINGS: Nodule 8 mm on series 3, image 145, DLP 312 mGycm.", "", false),
        ],
    );
}
