//! The phrase grammar: one finding to one sentence, one examination to its name.

use crate::findings::{Assertion, Change, Finding, Prior, Side};
use crate::measures::{CTR_TERM, Calibration, LENGTH_TERM, LUNG_AREA_TERM, THORAX_TERM};

/// The finding's term on one line, `None` where it has none.
pub(crate) fn term_of(finding: &Finding) -> Option<String> {
    one_line(finding.term.as_deref()?)
}

/// Texts come from files: line breaks and runs of spaces must not break a sentence.
fn one_line(text: &str) -> Option<String> {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!joined.is_empty()).then_some(joined)
}

/// What a modality code is called in a sentence.
pub(crate) fn modality_name(code: &str) -> &str {
    match code.trim() {
        "CR" | "DX" | "XR" | "RG" => "Radiograph",
        "US" => "Ultrasound",
        "MG" => "Mammography",
        "PT" => "PET",
        "NM" => "Scintigraphy",
        "XA" => "Angiography",
        "RF" => "Fluoroscopy",
        other => other,
    }
}

/// What a DICOM body part is called in a sentence.
pub(crate) fn body_part_name(code: &str) -> Option<String> {
    let code = one_line(code)?;
    Some(match code.to_ascii_uppercase().replace([' ', '_'], "").as_str() {
        "CSPINE" => "cervical spine".into(),
        "TSPINE" => "thoracic spine".into(),
        "LSPINE" => "lumbar spine".into(),
        "ABDOMENPELVIS" | "ABDPELVIS" => "abdomen and pelvis".into(),
        "CHESTABDPELVIS" | "CHESTABDOMENPELVIS" => "chest, abdomen and pelvis".into(),
        _ => code.to_lowercase(),
    })
}

/// "a, b and c".
pub(crate) fn list(items: &[String]) -> String {
    join_with(items, "and")
}

/// "a, b or c".
pub(crate) fn alternatives(items: &[String]) -> String {
    join_with(items, "or")
}

fn join_with(items: &[String], word: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// A number as short as it can be written: `6`, `8.4`.
fn number(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    format!("{rounded}")
}

/// "8.4 x 6.1 mm", `None` where no positive size is stored.
pub(crate) fn size_words(sizes_mm: Option<&[f64]>) -> Option<String> {
    let sizes: Vec<String> =
        sizes_mm?.iter().filter(|size| size.is_finite() && **size > 0.0).take(3).map(|size| number(*size)).collect();
    (!sizes.is_empty()).then(|| format!("{} mm", sizes.join(" x ")))
}

/// The label of the measurement chip.
pub(crate) fn measurement_label(finding: &Finding) -> Option<String> {
    if finding.term.as_deref() == Some(CTR_TERM) {
        return ctr_widths(finding);
    }
    if finding.term.as_deref() == Some(THORAX_TERM) {
        return thorax_width(finding);
    }
    size_words(finding.size_mm.as_deref())
}

/// The sentence of the findings section.
pub(crate) fn finding_sentence(finding: &Finding, priors: &[Prior]) -> Option<String> {
    match finding.term.as_deref()? {
        LUNG_AREA_TERM => return lung_area_sentence(finding),
        CTR_TERM => return ctr_sentence(finding),
        LENGTH_TERM => return length_sentence(finding),
        THORAX_TERM => return Some(format!("Inner width of the thorax {}.", thorax_width(finding)?)),
        _ => {}
    }
    let term = term_of(finding)?;
    let place = place_words(finding, &term);
    match finding.effective_assertion() {
        Assertion::Absent => Some(sentence(&format!("no {}{place}", sided(finding, &term)))),
        Assertion::NotEvaluated => Some(sentence(&format!("{}{place} not evaluated", sided(finding, &term)))),
        assertion => {
            let mut text = subject(finding, &term, assertion);
            text.push_str(&place);
            text.push_str(&measured(finding));
            text.push_str(&change_words(finding, priors));
            Some(sentence(&text))
        }
    }
}

/// The sentence of the impression: the same finding without density, volume and prior numbers.
pub(crate) fn conclusion_sentence(finding: &Finding) -> Option<String> {
    let term = term_of(finding)?;
    let mut text = subject(finding, &term, finding.effective_assertion());
    text.push_str(&place_words(finding, &term));
    if let Some(size) = size_words(finding.size_mm.as_deref()) {
        text.push_str(&format!(", {size}"));
    }
    match finding.change {
        Some(Change::New) => text.push_str(", new"),
        Some(Change::Increased) => text.push_str(", increased"),
        Some(Change::Decreased) => text.push_str(", decreased"),
        Some(Change::Unchanged) => text.push_str(", unchanged"),
        Some(Change::Resolved) => text.push_str(", resolved"),
        None => {}
    }
    Some(sentence(&text))
}

/// Measured geometry alone is no conclusion; what it means is for the reader to say.
pub(crate) fn is_conclusion(finding: &Finding) -> bool {
    !matches!(finding.term.as_deref(), Some(LUNG_AREA_TERM | CTR_TERM | THORAX_TERM | LENGTH_TERM) | None)
}

fn subject(finding: &Finding, term: &str, assertion: Assertion) -> String {
    let mut words = Vec::new();
    if assertion == Assertion::Possible {
        words.push("possible".to_owned());
    }
    let count = finding.count.filter(|count| *count > 1);
    if let Some(count) = count {
        words.push(count.to_string());
    }
    if let Some(composition) = finding.attribute("composition").and_then(|text| one_line(&text)) {
        words.push(composition);
    }
    let noun = sided(finding, term);
    words.push(if count.is_some() { plural(&noun) } else { noun });
    words.join(" ")
}

/// The side stands before the term where no site can carry it.
fn sided(finding: &Finding, term: &str) -> String {
    match finding.side {
        Some(side @ (Side::Left | Side::Right | Side::Bilateral))
            if finding.site.as_deref().and_then(one_line).is_none() && !has_side(term) =>
        {
            format!("{} {term}", side.word())
        }
        _ => term.to_owned(),
    }
}

fn has_side(words: &str) -> bool {
    words
        .split(|letter: char| !letter.is_alphanumeric())
        .any(|word| matches!(word.to_lowercase().as_str(), "left" | "right" | "bilateral" | "both"))
}

fn place_words(finding: &Finding, term: &str) -> String {
    let Some(site) = finding.site.as_deref().and_then(one_line) else { return String::new() };
    if term.to_lowercase().contains(&site.to_lowercase()) {
        return String::new();
    }
    let side = match finding.side {
        Some(side @ (Side::Left | Side::Right)) if !has_side(&site) => format!("{} ", side.word()),
        Some(Side::Bilateral) if !has_side(&site) => "both ".into(),
        _ => String::new(),
    };
    let first = site.split_whitespace().next().unwrap_or_default().to_lowercase();
    let is_level = first.len() >= 2
        && first.starts_with(['c', 't', 'l', 's'])
        && first.chars().nth(1).is_some_and(|letter| letter.is_ascii_digit());
    if is_level {
        format!(" at {site}")
    } else if matches!(first.as_str(), "segment" | "both" | "the") || side == "both " {
        format!(" in {side}{site}")
    } else {
        format!(" in the {side}{site}")
    }
}

fn measured(finding: &Finding) -> String {
    let mut text = String::new();
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    if let Some(size) = size_words(finding.size_mm.as_deref()) {
        text.push_str(&format!(", {size}"));
    }
    if let Some(volume_ml) = finite(finding.volume_ml) {
        text.push_str(&format!(", volume {} mL", number(volume_ml)));
    }
    if let Some(mean_hu) = finite(finding.mean_hu) {
        text.push_str(&format!(", mean density {} HU", number(mean_hu)));
    }
    text
}

fn change_words(finding: &Finding, priors: &[Prior]) -> String {
    let prior_size = size_words(finding.prior_size_mm.as_deref());
    let since = match priors {
        [only] => only.date.as_deref().and_then(one_line),
        _ => None,
    };
    let on = since.as_deref().map(|date| format!(" on {date}")).unwrap_or_default();
    let since = since.as_deref().map(|date| format!(" since {date}")).unwrap_or_default();
    match (finding.change, prior_size) {
        (Some(Change::New), _) => format!(", new{since}"),
        (Some(Change::Increased), Some(size)) => format!(", increased from {size}{on}"),
        (Some(Change::Decreased), Some(size)) => format!(", decreased from {size}{on}"),
        (Some(Change::Unchanged), Some(size)) => format!(", unchanged (previously {size}{on})"),
        (Some(Change::Increased), None) => format!(", increased{since}"),
        (Some(Change::Decreased), None) => format!(", decreased{since}"),
        (Some(Change::Unchanged), None) => format!(", unchanged{since}"),
        (Some(Change::Resolved), _) => format!(", resolved{since}"),
        (None, Some(size)) => format!(", previously {size}{on}"),
        (None, None) => String::new(),
    }
}

fn lung_area_sentence(finding: &Finding) -> Option<String> {
    let right = finding.attribute_number("right_percent")?;
    let left = finding.attribute_number("left_percent")?;
    let areas = ["right_area_cm2", "left_area_cm2"].map(|name| finding.attribute_number(name));
    let areas = match areas {
        [Some(right), Some(left)] => format!(" ({} and {} cm²{})", number(right), number(left), calibrated(finding)),
        _ => String::new(),
    };
    Some(format!("Right lung {} % and left lung {} % of the lung area{areas}.", number(right), number(left)))
}

/// `Measured length 270.2 mm at the detector, series 1, image 1.`: in the patient is what a millimetre means by itself.
fn length_sentence(finding: &Finding) -> Option<String> {
    let size = size_words(finding.size_mm.as_deref())?;
    let known = match calibration(finding) {
        Calibration::Detector | Calibration::User => calibration(finding).words().map(|words| format!(" {words}")),
        Calibration::Patient | Calibration::None => None,
    };
    let mut text = format!("Measured length {size}{}", known.unwrap_or_default());
    for place in ["series", "image"] {
        if let Some(n) = finding.attribute_number(place) {
            text.push_str(&format!(", {place} {}", number(n)));
        }
    }
    if let Some(plane) = finding.attribute("plane") {
        text.push_str(&format!(", {plane}"));
    }
    text.push('.');
    Some(text)
}

fn thorax_width(finding: &Finding) -> Option<String> {
    Some(format!("{} mm{}", number(finding.attribute_number("thoracic_width_mm")?), calibrated(finding)))
}

/// What a millimetre means, after a comma; empty where it is not told.
fn calibrated(finding: &Finding) -> String {
    calibration(finding).words().map(|words| format!(", {words}")).unwrap_or_default()
}

fn calibration(finding: &Finding) -> Calibration {
    let told = finding.attributes.as_ref().and_then(|a| a.get("calibration")).cloned().unwrap_or_default();
    serde_json::from_value(told).unwrap_or_default()
}

fn ctr_sentence(finding: &Finding) -> Option<String> {
    let ratio = finding.attribute_number("ratio")?;
    let widths = ctr_widths(finding).map(|widths| format!(" ({widths})")).unwrap_or_default();
    let limit = if finding.is_from_model() { ", estimated from the lung outlines" } else { "" };
    Some(format!("Cardiothoracic ratio {ratio:.2}{widths}{limit}."))
}

fn ctr_widths(finding: &Finding) -> Option<String> {
    let heart = finding.attribute_number("heart_width_mm")?;
    let thorax = finding.attribute_number("thoracic_width_mm")?;
    Some(format!("{} / {} mm{}", number(heart), number(thorax), calibrated(finding)))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let mut capital: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    capital.push_str(letters.as_str());
    if !capital.ends_with('.') {
        capital.push('.');
    }
    capital
}

fn plural(noun: &str) -> String {
    if let Some(stem) = noun.strip_suffix("sis") {
        format!("{stem}ses")
    } else if noun.ends_with('s') || noun.ends_with('x') || noun.ends_with("ch") {
        if noun.ends_with("ss") || noun.ends_with('x') || noun.ends_with("ch") {
            format!("{noun}es")
        } else {
            noun.to_owned()
        }
    } else if noun.ends_with('y') && !noun.ends_with("ay") && !noun.ends_with("ey") {
        format!("{}ies", &noun[..noun.len() - 1])
    } else {
        format!("{noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(json: &str) -> Finding {
        serde_json::from_str(json).unwrap()
    }

    fn words(json: &str) -> String {
        finding_sentence(&finding(json), &[]).unwrap()
    }

    #[test]
    fn sentences_read_like_a_report() {
        assert_eq!(words(r#"{"term": "pleural effusion", "side": "left"}"#), "Left pleural effusion.");
        assert_eq!(
            words(r#"{"term": "cyst", "site": "kidney", "side": "left", "size_mm": 21}"#),
            "Cyst in the left kidney, 21 mm."
        );
        assert_eq!(words(r#"{"term": "disc protrusion", "site": "L4/L5"}"#), "Disc protrusion at L4/L5.");
        assert_eq!(words(r#"{"term": "metastasis", "count": 3, "site": "liver"}"#), "3 metastases in the liver.");
        assert_eq!(
            words(r#"{"term": "pneumonia", "assertion": "possible", "site": "left lower lobe"}"#),
            "Possible pneumonia in the left lower lobe."
        );
        assert_eq!(words(r#"{"term": "pneumothorax", "assertion": "absent"}"#), "No pneumothorax.");
        assert_eq!(words(r#"{"term": "appendix", "assertion": "not_evaluated"}"#), "Appendix not evaluated.");
        assert_eq!(
            words(r#"{"term": "adrenal nodule", "side": "right", "mean_hu": 8, "volume_ml": 2.5}"#),
            "Right adrenal nodule, volume 2.5 mL, mean density 8 HU."
        );
    }

    #[test]
    fn a_length_says_what_its_millimetres_mean_and_where_it_is() {
        let on =
            |more: &str| words(&format!(r#"{{"term": "measured length", "size_mm": 270.2, "attributes": {more}}}"#));
        assert_eq!(
            on(r#"{"calibration": "detector", "series": 1, "image": 1}"#),
            "Measured length 270.2 mm at the detector, series 1, image 1."
        );
        assert_eq!(on(r#"{"calibration": "patient", "image": 60}"#), "Measured length 270.2 mm, image 60.");
        assert_eq!(
            on(r#"{"calibration": "patient", "series": 3, "plane": "coronal plane"}"#),
            "Measured length 270.2 mm, series 3, coronal plane."
        );
    }

    #[test]
    fn broken_numbers_and_line_breaks_do_not_reach_the_sentence() {
        assert_eq!(words("{\"term\": \"mass\\n\\nIMPRESSION: dead\", \"size_mm\": [-3, 0]}"), "Mass IMPRESSION: dead.");
    }
}
