//! One error into a clean report: each function gives variants of one rule.

use lightbox_report::check::Rule;
use lightbox_report::findings::{Assertion, Change, Finding, Side, Source, SourceKind, State};
use serde_json::json;

use super::Case;
use super::words::{findings_start, impression_start, inserted, lengths, places, replaced, sentences};

/// A variant with one error.
pub(crate) struct Mutant {
    pub rule: Rule,
    pub case: Case,
    /// What was done, for the list of misses.
    pub what: String,
}

struct Out<'c> {
    case: &'c Case,
    mutants: Vec<Mutant>,
}

impl Out<'_> {
    fn text(&mut self, rule: Rule, text: String, what: impl Into<String>) {
        if text != self.case.text {
            self.mutants.push(Mutant { rule, case: Case { text, ..self.case.clone() }, what: what.into() });
        }
    }

    fn file(&mut self, rule: Rule, what: impl Into<String>, change: impl FnOnce(&mut Case)) {
        let mut case = self.case.clone();
        change(&mut case);
        self.mutants.push(Mutant { rule, case, what: what.into() });
    }
}

/// All variants of a report.
pub(crate) fn mutants(case: &Case) -> Vec<Mutant> {
    let mut out = Out { case, mutants: Vec::new() };
    sides(&mut out);
    denials(&mut out);
    impressions(&mut out);
    sizes(&mut out);
    patient(&mut out);
    examination(&mut out);
    dates(&mut out);
    operations(&mut out);
    forms(&mut out);
    safety(&mut out);
    guidelines(&mut out);
    spelling(&mut out);
    levels(&mut out);
    states(&mut out);
    identities(&mut out);
    out.mutants
}

fn findings(case: &Case) -> Vec<Finding> {
    case.file.known_findings().to_vec()
}

fn present(finding: &Finding) -> bool {
    finding.effective_assertion() == Assertion::Present && finding.effective_state() == State::Confirmed
}

/// Words by which a sentence speaks of a finding.
fn spoken(term: &str) -> Vec<&str> {
    match term {
        "pulmonary nodule" | "ground-glass nodule" | "thyroid nodule" | "adrenal nodule" => vec!["nodule"],
        "ureteral stone" | "kidney stone" => vec!["stone"],
        "renal cyst" | "ovarian cyst" => vec!["cyst"],
        "pleural effusion" => vec!["effusion"],
        "pulmonary mass" | "renal mass" | "breast mass" => vec!["mass"],
        "hip fracture" | "distal radius fracture" | "metatarsal fracture" | "rib fracture" => {
            vec!["fracture", "fractures"]
        }
        "acute infarct" => vec!["infarct"],
        "disc herniation" => vec!["protrusion"],
        "large vessel occlusion" => vec!["occlusion"],
        "brain tumor" => vec!["tumour"],
        "shoulder dislocation" => vec!["dislocation"],
        "deep vein thrombosis" => vec!["thrombosis"],
        "avascular necrosis" => vec!["necrosis"],
        "testicular torsion" => vec!["torsion"],
        "carotid stenosis" => vec!["stenosis"],
        "peritonsillar abscess" => vec!["abscess"],
        "prostate cancer" => vec!["prostate lesion"],
        "pituitary adenoma" => vec!["microadenoma"],
        "rotator cuff tear" | "meniscal tear" | "ACL tear" => vec!["tear"],
        "hepatic metastasis" => vec!["metastasis"],
        "aortic aneurysm" => vec!["aneurysm"],
        _ => vec![],
    }
}

fn speaks_of(sentence: &str, term: &str) -> bool {
    let lower = sentence.to_lowercase();
    lower.contains(&term.to_lowercase()) || spoken(term).iter().any(|word| lower.contains(word))
}

fn sides(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let begin = findings_start(text);
    for sentence in sentences(text).into_iter().filter(|sentence| sentence.start >= begin) {
        let words = &text[sentence.clone()];
        let sided: Vec<Finding> = findings(case)
            .into_iter()
            .filter(|finding| {
                present(finding)
                    && matches!(finding.side, Some(Side::Left | Side::Right))
                    && speaks_of(words, finding.term.as_deref().unwrap_or_default())
            })
            .collect();
        let Some(finding) = sided.first() else { continue };
        let side = finding.side.map_or("", Side::word);
        let other = if side == "left" { "right" } else { "left" };
        let here: Vec<_> = places(words, side);
        if here.len() == 1 && places(words, other).is_empty() && !words.to_lowercase().contains("shift") {
            let range = sentence.start + here[0].start..sentence.start + here[0].end;
            let capital = text[range.clone()].starts_with(|letter: char| letter.is_uppercase());
            let swapped =
                if capital { format!("{}{}", other[..1].to_uppercase(), &other[1..]) } else { other.to_owned() };
            if !words[here[0].end..].starts_with(" middle") && !words[here[0].end..].starts_with(" ventric") {
                out.text(Rule::R01, replaced(text, &range, &swapped), format!("side swapped: {words}"));
            }
            // R02: the word removed, unless the whole examination is of that side, or a part that has only one side names it.
            let one_sided = case.file.exam.as_ref().is_some_and(|exam| exam.laterality.is_some())
                || places(text.lines().next().unwrap_or_default(), side).len() == 1;
            let before = text[..range.start].ends_with("the ");
            let _labelled = text[text[..range.start].rfind('\n').map_or(0, |at| at + 1)..]
                .split(':')
                .next()
                .is_some_and(|label| label.len() < 16 && !places(label, side).is_empty());
            if !one_sided
                && !words.contains("middle lobe")
                && !words.contains("both")
                && !words.contains("on the")
                && !words.contains(&format!("{side} side"))
            {
                let removed = replaced(text, &(range.start..(range.end + 1).min(text.len())), "");
                let singular = !words.to_lowercase().contains("nodules");
                let paired = !matches!(
                    finding.term.as_deref(),
                    Some(
                        "acute infarct"
                            | "ectopic pregnancy"
                            | "nephrectomy"
                            | "disc herniation"
                            | "large vessel occlusion"
                            | "brain tumor"
                            | "pituitary adenoma"
                            | "prostate cancer"
                            | "consolidation"
                            | "pulmonary embolism"
                            | "thyroid nodule"
                            | "peritonsillar abscess"
                            | "pulmonary mass"
                    )
                );
                if singular && paired && !before {
                    out.text(Rule::R02, removed, format!("side removed: {words}"));
                } else if singular && paired {
                    out.text(Rule::R02, removed, format!("side removed after article: {words}"));
                }
            }
        }
    }
    let laterality = case.file.exam.as_ref().and_then(|exam| exam.laterality);
    if let Some(side) = laterality {
        let other = if side == Side::Left { Side::Right } else { Side::Left };
        out.file(Rule::R01, "laterality of the header swapped", |case| {
            case.file.exam.as_mut().unwrap().laterality = Some(other);
        });
    }
    for (index, finding) in findings(case).iter().enumerate() {
        if let (true, Some(side @ (Side::Left | Side::Right))) = (present(finding), finding.side)
            && laterality.is_none()
            && sentences(text).iter().any(|sentence| {
                speaks_of(&text[sentence.clone()], finding.term.as_deref().unwrap_or_default())
                    && !places(&text[sentence.clone()], side.word()).is_empty()
            })
        {
            let other = if side == Side::Left { Side::Right } else { Side::Left };
            out.file(Rule::R01, format!("side of {:?} swapped in the file", finding.term), |case| {
                let finding = &mut case.file.findings.as_mut().unwrap()[index];
                finding.side = Some(other);
                finding.site = finding.site.as_ref().map(|site| site.replace(side.word(), other.word()));
            });
        }
    }
}

fn denials(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let begin = findings_start(text);
    let middle = impression_start(text).unwrap_or(text.len());
    for finding in findings(case) {
        let term = finding.term.clone().unwrap_or_default();
        if finding.effective_assertion() == Assertion::Absent && finding.change.is_none() {
            for phrase in [format!("There is a {term}. "), format!("{} is present. ", capital(&term))] {
                if middle < text.len() {
                    let line = text[middle..].find('\n').map_or(text.len(), |at| middle + at + 1);
                    out.text(Rule::R03, inserted(text, line, &phrase), format!("denied finding concluded: {phrase}"));
                }
            }
            // "No X" loses its "No".
            for sentence in sentences(text).into_iter().filter(|sentence| sentence.start >= begin) {
                let words = &text[sentence.clone()];
                if words.starts_with("No ")
                    && speaks_of(words, &term)
                    && !words.contains(" or ")
                    && !words.contains(',')
                    && words.len() < 60
                    && !words.contains("suspicious")
                    && !words.contains("enlarged")
                {
                    let flipped = capital(&words[3..]);
                    out.text(Rule::R03, replaced(text, &sentence, &flipped), format!("denial removed: {words}"));
                }
            }
        }
        if present(&finding) && finding.change != Some(Change::Resolved) {
            let side = match finding.side {
                Some(side @ (Side::Left | Side::Right)) => format!("{} ", side.word()),
                _ => String::new(),
            };
            for phrase in [format!("No {side}{term}. "), format!("There is no evidence of {term}. ")] {
                let line = text[middle.min(text.len() - 1)..].find('\n').map(|at| middle + at + 1);
                if let Some(line) = line {
                    out.text(Rule::R03, inserted(text, line, &phrase), format!("stored finding denied: {phrase}"));
                }
            }
        }
    }
    // R19: a sentence twice, and a contradiction within the description.
    let described: Vec<_> = sentences(text)
        .into_iter()
        .filter(|sentence| {
            sentence.start > begin + 10
                && sentence.end <= middle
                && text[sentence.clone()].split(' ').count() >= 4
                && !text[sentence.clone()].ends_with(':')
                && !text[sentence.clone()].contains(": ")
        })
        .collect();
    for sentence in described.iter().step_by(2) {
        let words = text[sentence.clone()].to_owned();
        let full = if words.ends_with('.') { words } else { format!("{words}.") };
        out.text(Rule::R19, inserted(text, sentence.end, &format!(" {full}")), format!("sentence doubled: {full}"));
    }
    for (told, against) in [
        ("pneumothorax", "Small left pneumothorax."),
        ("hydronephrosis", "Moderate right hydronephrosis."),
        ("ascites", "There is ascites."),
        ("pleural effusion", "There is a left pleural effusion."),
        ("hydrocephalus", "Hydrocephalus is present."),
        ("lymphadenopathy", "There is lymphadenopathy."),
    ] {
        let denied =
            described.iter().find(|sentence| text[(*sentence).clone()].to_lowercase().contains(&format!("no {told}")));
        if let Some(sentence) = denied {
            out.text(
                Rule::R19,
                inserted(text, sentence.end, &format!(" {against}")),
                format!("contradiction: {against}"),
            );
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn impressions(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let Some(start) = impression_start(text) else { return };
    let body = text[start..].find([':', '\n']).map_or(text.len(), |at| start + at + 1);
    // R04: something that the description does not hold.
    let strangers = [
        ("appendi", "Acute appendicitis."),
        ("splen", "Splenomegaly."),
        ("pneumothorax", "Small right pneumothorax."),
        ("adrenal", "Left adrenal nodule."),
        ("hydroneph", "Moderate left hydronephrosis."),
        ("diverticul", "Sigmoid diverticulitis."),
        ("pancrea", "Acute pancreatitis."),
        ("rib", "Nondisplaced right rib fracture."),
        ("lymph", "Retroperitoneal lymphadenopathy."),
        ("clavic", "Left clavicle fracture."),
    ];
    for (absent, line) in strangers.iter().filter(|(absent, _)| !text.to_lowercase().contains(absent)).take(4) {
        out.text(Rule::R04, format!("{}\n{line}\n", text.trim_end()), format!("{line} ({absent})"));
    }
    // R05: the sentences about a confirmed finding leave the conclusion.
    for finding in findings(case).into_iter().filter(present) {
        let term = finding.term.clone().unwrap_or_default();
        let owes = !matches!(
            term.as_str(),
            "renal cyst"
                | "ovarian cyst"
                | "uterine fibroid"
                | "hepatic hemangioma"
                | "atelectasis"
                | "cholelithiasis"
                | "kidney stone"
                | "joint effusion"
                | "nephrectomy"
                | "cardiomegaly"
                | "cirrhosis"
                | "multiple sclerosis"
                | "splenomegaly"
                | "ascites"
                | "pituitary adenoma"
        );
        if !owes {
            continue;
        }
        let about: Vec<_> = sentences(text)
            .into_iter()
            .filter(|sentence| sentence.start >= body && speaks_of(&text[sentence.clone()], &term))
            .collect();
        let rest: Vec<_> = sentences(text)
            .into_iter()
            .filter(|sentence| sentence.start >= body && !speaks_of(&text[sentence.clone()], &term))
            .collect();
        if about.is_empty() {
            continue;
        }
        let mut shorter = text.clone();
        for sentence in about.iter().rev() {
            shorter = replaced(&shorter, sentence, "");
        }
        if rest.iter().all(|sentence| text[sentence.clone()].len() < 12) {
            shorter = format!("{}\nClinical correlation is recommended.\n", shorter.trim_end());
        }
        // Another sentence may still speak for it: then nothing is missing.
        let left = &shorter[body.min(shorter.len())..].to_lowercase();
        let answered = match term.as_str() {
            "hydronephrosis" => left.contains("stone"),
            "ureteral stone"
            | "joint effusion"
            | "pulmonary edema"
            | "pleural effusion"
            | "biliary dilatation"
            | "midline shift"
            | "fluid collection"
            | "mediastinal lymphadenopathy"
            | "consolidation"
            | "hemothorax" => true,
            _ => false,
        };
        if !answered {
            out.text(Rule::R05, shorter, format!("{term} left the impression"));
        }
    }
    // R05 by the file alone.
    for (term, site) in
        [("pulmonary embolism", "right upper lobe"), ("vertebral fracture", "L1"), ("aortic dissection", "")]
    {
        if !text.to_lowercase().contains(term.split(' ').next_back().unwrap()) {
            out.file(Rule::R05, format!("{term} only in the file"), |case| {
                case.file.findings.get_or_insert_default().push(Finding {
                    id: Some("x9".into()),
                    term: Some(term.into()),
                    assertion: Some(Assertion::Present),
                    site: (!site.is_empty()).then(|| site.into()),
                    source: Some(Source { kind: Some(SourceKind::Reader), ..Source::default() }),
                    state: Some(State::Confirmed),
                    ..Finding::default()
                });
            });
        }
    }
}

fn sizes(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let begin = findings_start(text);
    let stored: Vec<f64> = findings(case)
        .iter()
        .filter(|finding| present(finding))
        .flat_map(|finding| finding.size_mm.clone().unwrap_or_default())
        .collect();
    for (number, value, unit) in lengths(text).into_iter().filter(|(number, _, _)| number.start > begin) {
        let mm = if &text[unit.clone()] == "cm" { value * 10.0 } else { value };
        let before = &text[..number.start];
        let is_prior = before.ends_with("previously ")
            || before.ends_with("from ")
            || before[before.len().saturating_sub(20)..].contains("previously");
        let is_first = !before.trim_end().ends_with('x');
        if !stored.iter().any(|stored| (stored - mm).abs() < 0.01) || is_prior {
            continue;
        }
        let shown = &text[number.clone()];
        if is_first {
            out.text(Rule::R06, replaced(text, &number, &format!("{}", value * 10.0)), format!("{shown} times ten"));
            out.text(
                Rule::R06,
                replaced(text, &number, &format!("{}", (value * 1.5 * 10.0).round() / 10.0)),
                format!("{shown} and a half more"),
            );
            let is_mm = &text[unit.clone()] == "mm";
            out.text(
                Rule::R06,
                replaced(text, &unit, if is_mm { "cm" } else { "mm" }),
                format!("unit of {shown} changed"),
            );
            let followed = text[unit.end..].chars().next();
            if matches!(followed, Some('.' | ',' | ')' | ';'))
                || text[unit.end..].starts_with(" in ")
                || text[unit.end..].starts_with(" nodule")
            {
                out.text(
                    Rule::R06,
                    replaced(text, &(number.end..unit.end), ""),
                    format!("unit of {shown} removed: {}", &text[number.start.saturating_sub(30)..number.end]),
                );
            }
        }
    }
    // R07: stored and not told, told and not stored.
    for (index, finding) in
        findings(case).iter().enumerate().filter(|(_, finding)| present(finding) && finding.size_mm.is_some())
    {
        let term = finding.term.clone().unwrap_or_default();
        out.file(Rule::R07, format!("{term} twice in the file, once in the text"), |case| {
            let list = case.file.findings.as_mut().unwrap();
            let mut other = list[index].clone();
            other.id = Some("x7".into());
            other.size_mm = other.size_mm.map(|sizes| sizes.iter().map(|size| size * 2.0 + 3.0).collect());
            other.prior_size_mm = None;
            other.change = None;
            list.push(other);
        });
    }
    let addition = [
        ("nodule", "A further 13 mm nodule lies in the left upper lobe."),
        ("hepatic", "There is a 22 mm lesion in the liver."),
        ("renal", "An additional mass of 17 mm is seen in the left kidney."),
        ("thyroid", "Another 23 mm nodule lies in the right thyroid lobe."),
    ];
    if let (Some(middle), Some(_)) = (impression_start(text), &case.file.findings) {
        for (topic, sentence) in addition {
            if !text.to_lowercase().contains(topic) || topic == "nodule" {
                out.text(
                    Rule::R07,
                    inserted(text, middle, &format!("{sentence}\n\n")),
                    format!("told, not stored: {sentence}"),
                );
            }
        }
    }
    // R12: the word of change turned.
    for finding in findings(case).into_iter().filter(present) {
        let Some(change) = finding.change else { continue };
        let (words, others): (&[&str], &[&str]) = match change {
            Change::Increased => (&["increased", "enlarged"], &["decreased", "unchanged"]),
            Change::Decreased => (&["decreased"], &["increased", "unchanged"]),
            Change::Unchanged => (&["unchanged", "stable"], &["increased", "decreased"]),
            _ => continue,
        };
        let term = finding.term.clone().unwrap_or_default();
        let (now, before) = (finding.longest_mm().unwrap_or(0.0), finding.prior_longest_mm().unwrap_or(0.0));
        if finding.size_mm.is_none() && finding.change == Some(Change::Unchanged) {
            continue;
        }
        for sentence in sentences(text)
            .into_iter()
            .filter(|sentence| sentence.start >= begin && speaks_of(&text[sentence.clone()], &term))
        {
            for word in words {
                for place in places(&text[sentence.clone()], word).into_iter().take(1) {
                    let range = sentence.start + place.start..sentence.start + place.end;
                    let starts = text[range.clone()].starts_with(|letter: char| letter.is_uppercase());
                    for other in others {
                        // The rule lets "unchanged" pass under 20 %, and a growth of 1 mm is a growth.
                        let slight = (now - before).abs() < 0.2 * before || (now - before).abs() < 2.0;
                        if *other == "unchanged" && slight && now != before
                            || *other == "increased" && now > before
                            || *other == "decreased" && now < before
                        {
                            continue;
                        }
                        let other = if starts { capital(other) } else { (*other).to_owned() };
                        out.text(
                            Rule::R12,
                            replaced(text, &range, &other),
                            format!("{word} to {other}: {}", &text[sentence.clone()]),
                        );
                    }
                }
            }
        }
    }
}

fn description_end(text: &str) -> usize {
    impression_start(text).unwrap_or(text.len())
}

fn patient(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let at = description_end(text);
    let female = case.file.patient.as_ref().and_then(lightbox_report::findings::Patient::is_female);
    let wrong: &[&str] = match female {
        Some(true) => {
            &["The prostate is enlarged.", "The seminal vesicles are unremarkable.", "Normal prostate gland."]
        }
        Some(false) => {
            &["The uterus is normal.", "There is a 2 cm cyst in the right ovary.", "The endometrium is thin."]
        }
        None => &[],
    };
    for sentence in wrong {
        out.text(Rule::R08, inserted(text, at, &format!("{sentence}\n\n")), format!("wrong sex: {sentence}"));
    }
    if text.contains("uterus") || text.contains("ovar") || text.contains("rostate") || text.contains("testi") {
        out.file(Rule::R08, "sex of the header turned", |case| {
            case.file.patient.as_mut().unwrap().sex = Some(if female == Some(true) { "M" } else { "F" }.into());
        });
    }
    let age = case.file.patient.as_ref().and_then(|patient| patient.age).unwrap_or(50.0);
    let swapped = ((age as u32 % 10) * 10 + age as u32 / 10) as f64;
    for wrong in [
        age + 10.0,
        (age - 9.0).max(1.0),
        if (swapped - age).abs() > 2.0 && swapped > 9.0 { swapped } else { age + 20.0 },
    ] {
        for (index, phrase) in [
            format!("HISTORY: {wrong}-year-old with pain.\n"),
            format!("Indication: {wrong} y/o patient.\n"),
            format!("Patient aged {wrong} years.\n"),
        ]
        .iter()
        .enumerate()
        {
            if index as u32 == (wrong as u32) % 3 {
                let line = text.find('\n').map_or(0, |at| at + 1);
                out.text(Rule::R09, inserted(text, line, &format!("\n{phrase}")), format!("wrong age: {phrase}"));
            }
        }
    }
}

fn examination(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let at = description_end(text);
    let exam = case.file.exam.clone().unwrap_or_default();
    let modality = exam.modality.clone().unwrap_or_default();
    let foreign: &[&str] = match modality.as_str() {
        "CT" => &[
            "The lesion is hyperintense on T2-weighted images.",
            "There is restricted diffusion.",
            "The area is hypoechoic.",
        ],
        "MR" => &[
            "The lesion measures 40 Hounsfield units.",
            "A hypoechoic area is seen.",
            "Low attenuation is noted centrally.",
        ],
        "US" => &["The lesion is T2 hyperintense.", "Its density is 30 HU.", "FAT is bright on T1-weighted images."],
        _ => &["There is a T2 hyperintense focus.", "A hypoechoic area is present.", "The density is 45 HU."],
    };
    for sentence in foreign {
        out.text(Rule::R10, inserted(text, at, &format!("{sentence}\n\n")), format!("foreign word: {sentence}"));
    }
    if exam.contrast.is_some()
        && matches!(modality.as_str(), "CT" | "MR")
        && ["contrast", "gadolinium", "gadobutrol", "unenhanced", "portal venous phase"]
            .iter()
            .any(|word| text.to_lowercase().contains(word))
    {
        out.file(Rule::R10, "contrast of the header turned", |case| {
            let exam = case.file.exam.as_mut().unwrap();
            exam.contrast = exam.contrast.map(|given| !given);
        });
    }
    let named = ["CT", "MRI", "MR ", "ultrasound", "radiograph", "X-ray", "Ultrasound", "ULTRASOUND", "RADIOGRAPH"]
        .iter()
        .any(|word| text.lines().next().unwrap_or_default().contains(word));
    if named && !modality.is_empty() {
        let other = match modality.as_str() {
            "CT" => "MR",
            "MR" => "US",
            _ => "CT",
        };
        out.file(Rule::R10, format!("modality of the header is {other}"), |case| {
            case.file.exam.as_mut().unwrap().modality = Some(other.into());
        });
    }
    if let (Some(series), Some(images)) = (exam.series, exam.images) {
        for reference in [
            format!("(series {}, image 4)", series + 5),
            format!("(image {})", images + 150),
            format!("(series 1/{})", images + 33),
            format!("(se {}, im 2)", series + 9),
        ] {
            let sentence = format!("The main finding is best seen on {} .", reference).replace(" .", ".");
            out.text(Rule::R21, inserted(text, at, &format!("{sentence}\n\n")), format!("reference {reference}"));
        }
    }
}

fn dates(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let priors = case.file.priors.clone();
    let comparison = text.lines().find(|line| {
        line.to_lowercase().starts_with("compar")
            || line.to_lowercase().starts_with("no previous")
            || line.to_lowercase().starts_with("no prior")
    });
    if let Some(line) = comparison {
        let start = text.find(line).unwrap();
        let range = start..start + line.len();
        if priors.as_ref().is_some_and(|priors| !priors.is_empty()) {
            for wrong in [
                "Comparison: CT of 2019-01-17.",
                "COMPARISON: March 3, 2018.",
                "Comparison: Prior study.",
                "Comparison: None.",
                "COMPARISON: Previous examination.",
                "Comparison is made with the study of 12.05.2017.",
            ] {
                out.text(Rule::R11, replaced(text, &range, wrong), format!("comparison: {wrong}"));
            }
            for future in ["Comparison: 2031-02-03.", "COMPARISON: Study of June 5, 2033."] {
                out.text(Rule::R22, replaced(text, &range, future), format!("future: {future}"));
            }
        } else if priors.is_some() {
            for wrong in ["Comparison: CT of 2024-01-17.", "COMPARISON: Prior study."] {
                out.text(Rule::R11, replaced(text, &range, wrong), format!("comparison without prior: {wrong}"));
            }
        }
    }
    let at = description_end(text);
    for sentence in [
        "Surgery was performed on 2030-04-04.",
        "Biopsy on March 3, 2029 showed inflammation.",
        "Symptoms began on 14 February 2031.",
    ] {
        out.text(Rule::R22, inserted(text, at, &format!("{sentence}\n\n")), format!("future: {sentence}"));
    }
}

fn operations(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let at = description_end(text);
    let female = case.file.patient.as_ref().and_then(lightbox_report::findings::Patient::is_female);
    let mut pairs = vec![
        ("gallbladder", "Status post cholecystectomy. The gallbladder is normal."),
        ("spleen", "Prior splenectomy. The spleen is unremarkable."),
        ("appendix", "Status post appendectomy. The appendix is normal."),
        ("kidney", "History of right nephrectomy. The right kidney is normal in size."),
        ("thyroid", "Previous total thyroidectomy. The thyroid gland is homogeneous."),
    ];
    if female == Some(true) {
        pairs.push(("uterus", "Status post hysterectomy. The uterus is normal."));
    } else if female == Some(false) {
        pairs.push(("prostate", "Previous radical prostatectomy. The prostate is normal."));
    }
    for (_, sentences) in pairs.iter().filter(|(organ, _)| !text.to_lowercase().contains(organ)).take(2) {
        out.text(Rule::R13, inserted(text, at, &format!("{sentences}\n\n")), format!("removed: {sentences}"));
    }
    for (organ, normal, operation) in [
        ("gallbladder", "gallbladder", "cholecystectomy"),
        ("spleen", "spleen", "splenectomy"),
        ("appendix", "appendix", "appendectomy"),
    ] {
        let is_normal = text.contains(&format!("Normal {organ}"))
            || text.contains(&format!("The {organ} is normal"))
            || text.contains(&format!("{normal} is unremarkable"));
        if is_normal {
            let line = text.find('\n').map_or(0, |at| at + 1);
            out.text(
                Rule::R13,
                inserted(text, line, &format!("\nHISTORY: Status post {operation}.\n")),
                format!("{operation} in the history"),
            );
        }
    }
}

fn forms(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let begin = findings_start(text);
    for (number, _, _) in lengths(text).into_iter().filter(|(number, _, _)| number.start > begin).take(2) {
        for field in ["[ ]", "___", "[size]", "XX"] {
            out.text(Rule::R14, replaced(text, &number, field), format!("field {field}"));
        }
    }
    if let Some(start) = impression_start(text) {
        let heading = text[start..].find([':', '\n']).map_or(text.len(), |at| start + at + 1);
        out.text(Rule::R14, format!("{}\n", &text[..heading]), "empty impression");
        out.text(Rule::R14, inserted(text, start, "The [left/right] side is normal.\n\n"), "unchosen option");
        out.text(Rule::R14, inserted(text, start, "ADDENDUM:\n\n"), "empty addendum");
    }
}

fn safety(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let told = sentences(text).into_iter().find(|sentence| {
        let words = text[sentence.clone()].to_lowercase();
        ["discussed with", "informed", "communicated", "notified", "conveyed", "reported to dr", "was called"]
            .iter()
            .any(|phrase| words.contains(phrase))
    });
    let critical = findings(case).iter().any(|finding| {
        matches!(
            finding.term.as_deref(),
            Some(
                "pulmonary embolism"
                    | "subdural hematoma"
                    | "aortic dissection"
                    | "testicular torsion"
                    | "ectopic pregnancy"
                    | "large vessel occlusion"
                    | "cord compression"
            )
        )
    });
    let at = description_end(text);
    match told {
        Some(sentence) if critical => out.text(Rule::R15, replaced(text, &sentence, ""), "communication removed"),
        None => {
            for sentence in [
                "Free intraperitoneal air, consistent with bowel perforation.",
                "There is an acute subdural hematoma on the left.",
                "Acute pulmonary embolism in the right lower lobe.",
                "Nasogastric tube in the right main bronchus.",
            ] {
                let full = if text.len().is_multiple_of(2) {
                    inserted(text, at, &format!("{sentence}\n\n"))
                } else {
                    format!("{}\n{sentence}\n", text.trim_end())
                };
                out.text(Rule::R15, full, format!("nobody told: {sentence}"));
            }
        }
        Some(_) => {}
    }
    if impression_start(text).is_some() {
        for sentence in [
            "Follow-up is recommended.",
            "Follow-up CT is recommended.",
            "Recommend follow-up in 6 months.",
            "Repeat imaging is advised.",
            "Surveillance with ultrasound is suggested.",
            "Short-interval follow-up MRI should be considered.",
        ] {
            out.text(Rule::R16, format!("{}\n{sentence}\n", text.trim_end()), format!("follow-up: {sentence}"));
        }
    }
    for interval in [" in 12 months", " in 6 weeks", " in 6-12 months", " in 6 months"] {
        if let Some(start) = text.find(interval)
            && (text[..start].contains("epeat") || text[..start].contains("ollow"))
            && !text.contains("Fleischner")
        {
            out.text(
                Rule::R16,
                replaced(text, &(start..start + interval.len()), ""),
                format!("interval removed:{interval}"),
            );
        }
    }
}

fn guidelines(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    for (right, wrongs) in [
        ("TI-RADS 4 (4 points)", ["TI-RADS 3 (4 points)", "TI-RADS 5 (4 points)", "TI-RADS 2 (2 points)"]),
        ("TR1", ["TR3", "TR4", "TR5"]),
        (
            "TR4. Fine-needle aspiration",
            ["TR5. Fine-needle aspiration", "TR2. Fine-needle aspiration", "TR3. Fine-needle aspiration"],
        ),
    ] {
        for wrong in wrongs {
            out.text(Rule::R17, text.replacen(right, wrong, 1), format!("{right} to {wrong}"));
        }
    }
    if text.contains("17 mm, TR4. Fine-needle aspiration is recommended.") {
        out.text(
            Rule::R17,
            text.replace("Fine-needle aspiration is recommended.", "No follow-up or biopsy is needed."),
            "no sampling of TR4, 17 mm",
        );
        for (key, value) in [
            ("composition", "cystic"),
            ("echogenicity", "very hypoechoic"),
            ("margin", "irregular"),
            ("foci", "punctate echogenic foci"),
            ("shape", "taller-than-wide"),
            ("foci", "rim calcification"),
        ] {
            out.file(Rule::R17, format!("{key} is {value}"), |case| {
                case.file.findings.as_mut().unwrap()[0].attributes.as_mut().unwrap().insert(key.into(), json!(value));
            });
        }
    }
    let nodule = findings(case).into_iter().find(|finding| {
        finding.term.as_deref().is_some_and(|term| term.contains("nodule"))
            && finding.site.as_deref().is_some_and(|site| site.contains("lobe"))
            && finding.change != Some(Change::Increased)
    });
    if nodule.is_some() && !text.contains("hyroid") {
        for (right, wrongs) in [
            (
                "CT in 6 to 12 months is recommended",
                ["no follow-up is needed", "CT in 3 months is recommended", "CT in 36 months is recommended"],
            ),
            (
                "no further follow-up is needed by Fleischner criteria",
                [
                    "follow-up CT in 3 months is recommended by Fleischner criteria",
                    "CT in 6 months is recommended by Fleischner criteria",
                    "follow-up CT in 24 months is recommended by Fleischner criteria",
                ],
            ),
            (
                "Follow-up CT in 6-12 months is recommended",
                [
                    "No follow-up is required by Fleischner criteria",
                    "Follow-up CT in 12 months is recommended by Fleischner criteria",
                    "Follow-up CT in 36 months is recommended",
                ],
            ),
        ] {
            for wrong in wrongs {
                out.text(Rule::R17, text.replacen(right, wrong, 1), format!("{right} to {wrong}"));
            }
        }
    }
}

fn spelling(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let begin = findings_start(text);
    let mut seed = case.name.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut random = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % limit.max(1)
    };
    let long: Vec<_> = text[begin..]
        .split(|letter: char| !letter.is_ascii_alphabetic())
        .filter(|word| word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        .map(|word| {
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            start..start + word.len()
        })
        .collect();
    for _ in 0..4 {
        if long.is_empty() {
            break;
        }
        let range = long[random(long.len())].clone();
        let word = &text[range.clone()];
        let at = 2 + random(word.len() - 4);
        let bytes = word.as_bytes();
        let wrong = match random(4) {
            0 => format!("{}{}", &word[..at], &word[at + 1..]),
            1 if bytes[at] != bytes[at + 1] => {
                format!("{}{}{}{}", &word[..at], bytes[at + 1] as char, bytes[at] as char, &word[at + 2..])
            }
            2 => format!("{}{}{}", &word[..at], if bytes[at] == b'e' { 'a' } else { 'e' }, &word[at + 1..]),
            _ => format!("{}{}{}", &word[..at], bytes[at] as char, &word[at..]),
        };
        out.text(Rule::R18, replaced(text, &range, &wrong), format!("{word} to {wrong}"));
    }
    for (right, wrong) in [
        ("pleural effusion", "plural effusion"),
        ("pleural effusion", "pleural infusion"),
        ("nodule", "module"),
        ("fracture", "fraction"),
        ("lymph nodes", "lymph notes"),
        ("prostate", "prostrate"),
        ("gallbladder", "gall ladder"),
        ("disc protrusion", "disc production"),
        ("bile duct", "bile duck"),
        ("bowel", "bowl"),
        ("vein", "vain"),
        ("renal cyst", "rental cyst"),
        ("cruciate ligament", "crucial ligament"),
        ("intravenous contrast", "intravenous contract"),
        ("medial meniscus", "medical meniscus"),
        ("upper lobe", "upper lope"),
    ] {
        if let Some(start) = text[begin..].find(right) {
            let range = begin + start..begin + start + right.len();
            out.text(Rule::R18, replaced(text, &range, wrong), format!("{right} to {wrong}"));
        }
    }
}

fn levels(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let at = description_end(text);
    let mut sentences = vec![
        "There is a fracture of the left 13th rib.",
        "Compression fracture of L7.",
        "Disc bulge at C8/9.",
        "Opacity in the left middle lobe.",
        "Wedge fracture of the T14 vertebra.",
        "Linear density in the right lingula.",
        "Lesion in hepatic segment IX.",
        "Fracture of the sixth metatarsal on the right.",
    ];
    let skip = case.name.len() % 4;
    for sentence in sentences.drain(..).skip(skip).step_by(2) {
        out.text(Rule::R20, inserted(text, at, &format!("{sentence}\n\n")), format!("impossible: {sentence}"));
    }
    for (right, wrong) in [
        ("L5/S1", "L6/S1"),
        ("C5/6", "C5/8"),
        ("L4/5", "L4/7"),
        ("right middle lobe", "left middle lobe"),
        ("fifth metatarsal", "seventh metatarsal"),
        ("10th ribs", "15th ribs"),
        ("C4/5", "C4/9"),
        ("terminates at L1", "terminates at L9"),
    ] {
        out.text(Rule::R20, text.replacen(right, wrong, 1), format!("{right} to {wrong}"));
    }
}

fn states(out: &mut Out<'_>) {
    for (index, finding) in findings(out.case).iter().enumerate() {
        let term = finding.term.clone().unwrap_or_default();
        let only_one = findings(out.case).iter().filter(|other| other.term == finding.term).count() == 1;
        if finding.effective_assertion() == Assertion::Present
            && finding.effective_state() == State::Confirmed
            && only_one
            && term != "nephrectomy"
        {
            out.file(Rule::R23, format!("{term} rejected"), |case| {
                let finding = &mut case.file.findings.as_mut().unwrap()[index];
                finding.state = Some(State::Rejected);
                finding.source =
                    Some(Source { kind: Some(SourceKind::Model), model: Some("m".into()), ..Source::default() });
            });
        }
    }
}

fn identities(out: &mut Out<'_>) {
    let case = out.case;
    let text = &case.text;
    let at = description_end(text);
    let lines = [
        "MRN: 00483921",
        "Mr. Whitfield tolerated the examination well.",
        "Patient: Eleanor Vance",
        "DOB: 14/02/1961",
        "The patient can be reached at 555-201-8834.",
        "Mrs. Okafor was informed about the procedure.",
        "Patient name: Tomas Lindqvist",
        "Hospital number 7734412.",
        "Date of birth 3 May 1958.",
        "Accession number: 20267781",
    ];
    for line in lines.iter().skip(case.name.len() % 3).step_by(3) {
        out.text(Rule::R24, inserted(text, at, &format!("{line}\n\n")), format!("identifier: {line}"));
    }
}
