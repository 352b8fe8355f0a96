//! R10 modality and contrast, R21 series and image numbers.

use std::ops::Range;

use super::{Facts, Issue, Rule};
use crate::parse::SectionKind;
use crate::parse::tokens::TokenKind;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = modality(facts);
    issues.extend(contrast(facts));
    issues.extend(numbers(facts));
    issues
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Modality {
    Ct,
    Mr,
    Xray,
    Ultrasound,
    Mammography,
    Nuclear,
    Fluoroscopy,
}

impl Modality {
    fn of_code(code: &str) -> Option<Self> {
        Some(match code.trim().to_ascii_uppercase().as_str() {
            "CT" => Self::Ct,
            "MR" | "MRI" => Self::Mr,
            "CR" | "DX" | "XR" | "RG" | "DR" => Self::Xray,
            "US" | "IVUS" => Self::Ultrasound,
            "MG" => Self::Mammography,
            "PT" | "NM" | "PET" | "ST" => Self::Nuclear,
            "RF" | "XA" => Self::Fluoroscopy,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ct => "CT",
            Self::Mr => "MR",
            Self::Xray => "X-ray",
            Self::Ultrasound => "ultrasound",
            Self::Mammography => "mammography",
            Self::Nuclear => "nuclear medicine",
            Self::Fluoroscopy => "fluoroscopy",
        }
    }
}

impl Modality {
    /// Whether an examination of this kind has its own part of the other: PET/CT, spot films of a swallow.
    fn includes(self, other: Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::Nuclear, Self::Ct | Self::Mr)
                    | (Self::Fluoroscopy, Self::Xray)
                    | (Self::Xray, Self::Fluoroscopy | Self::Mammography)
                    | (Self::Mammography, Self::Xray)
            )
    }
}

/// Words that name the examination itself.
fn names(facts: &Facts<'_>, index: usize) -> Option<Modality> {
    let tokens = &facts.report.tokens;
    let norm = |at: usize| tokens.get(at).map_or("", |token| &*token.norm);
    match norm(index) {
        "ct" | "cta" | "ctpa" | "cect" | "ncct" | "nect" | "hrct" | "mdct" | "ldct" | "ctv" => Some(Modality::Ct),
        "computed" if norm(index + 1) == "tomography" => Some(Modality::Ct),
        "mpmri" | "cemri" | "mrv" | "mre" | "fmri" => Some(Modality::Mr),
        "mri" | "mra" | "mrcp" | "mr" if norm(index + 1) != "." || norm(index) != "mr" => Some(Modality::Mr),
        "magnetic" if norm(index + 1) == "resonance" => Some(Modality::Mr),
        "radiograph" | "radiography" | "cxr" | "xray" => Some(Modality::Xray),
        "x" if norm(index + 1) == "-" && norm(index + 2) == "ray" || norm(index + 1) == "ray" => Some(Modality::Xray),
        "ultrasound" | "sonography" | "sonogram" | "ultrasonography" | "usg" => Some(Modality::Ultrasound),
        _ => None,
    }
}

/// Words that only one modality uses for what it sees.
fn implies(facts: &Facts<'_>, index: usize) -> Option<Modality> {
    let tokens = &facts.report.tokens;
    let norm = |at: usize| tokens.get(at).map_or("", |token| &*token.norm);
    let next = norm(index + 1);
    match norm(index) {
        "hounsfield" | "hu" | "hypoattenuating" | "hyperattenuating" | "hypoattenuation" | "hyperattenuation" => {
            Some(Modality::Ct)
        }
        "attenuation"
            if matches!(
                index.checked_sub(1).map_or("", norm),
                "low" | "high" | "fat" | "fluid" | "soft" | "tissue" | "decreased"
            ) =>
        {
            Some(Modality::Ct)
        }
        "flair" | "gadolinium" | "gadobutrol" | "gadoterate" | "stir" | "adc" | "dwi" | "swi" => Some(Modality::Mr),
        "t1" | "t2"
            if matches!(
                next,
                "weighted"
                    | "-"
                    | "hyperintense"
                    | "hypointense"
                    | "signal"
                    | "hyperintensity"
                    | "bright"
                    | "dark"
                    | "image"
                    | "sequence"
                    | "and"
            ) =>
        {
            Some(Modality::Mr)
        }
        "hyperintense" | "hypointense" | "isointense" | "hyperintensity" | "hypointensity" => Some(Modality::Mr),
        "diffusion" if matches!(next, "restriction" | "weighted" | "-") => Some(Modality::Mr),
        "restricted" if next == "diffusion" => Some(Modality::Mr),
        "signal" if matches!(next, "intensity" | "abnormality" | "void" | "dropout") => Some(Modality::Mr),
        "hypoechoic" | "hyperechoic" | "anechoic" | "echogenic" | "isoechoic" | "echogenicity" | "echotexture"
        | "sonographic" | "sonographically" | "heteroechoic" => Some(Modality::Ultrasound),
        "doppler" => Some(Modality::Ultrasound),
        _ => None,
    }
}

/// "Chest radiograph in 2 hours": the next examination.
fn tells_a_time(facts: &Facts<'_>, sentence: usize) -> bool {
    let words: Vec<&str> = facts.report.words(sentence).collect();
    words.windows(3).any(|three| {
        matches!(three[0], "in" | "within" | "after" | "at")
            && three[1].starts_with(|digit: char| digit.is_ascii_digit())
            && matches!(three[2], "hour" | "hr" | "h" | "day" | "week" | "month" | "year" | "-" | "to")
    })
}

/// Whether a sentence speaks of another examination: advice, comparison, history.
fn is_about_another(facts: &Facts<'_>, sentence: usize) -> bool {
    let report = facts.report;
    let kind = report.kind_of(sentence);
    matches!(
        kind,
        SectionKind::Comparison
            | SectionKind::History
            | SectionKind::Recommendation
            | SectionKind::Administrative
            | SectionKind::Addendum
    ) || report.has_word(
        sentence,
        &[
            "recommend",
            "recommended",
            "recommendation",
            "suggest",
            "suggested",
            "consider",
            "considered",
            "advise",
            "advised",
            "compared",
            "comparison",
            "prior",
            "previous",
            "previously",
            "correlate",
            "correlation",
            "follow",
            "could",
            "may",
            "would",
            "should",
            "if",
            "further",
            "evaluation",
            "warranted",
            "recent",
            "earlier",
            "same",
            "concurrent",
            "subsequent",
            "separately",
            "dedicated",
            "obtained",
            "better",
            "available",
            "needed",
            "indicated",
            "helpful",
            "beneficial",
            "alternatively",
            "characterize",
            "characterization",
            "characterized",
            "clarify",
            "repeat",
            "surveillance",
            "limit",
            "limited",
            "limitation",
            "outside",
            "advisable",
        ],
    ) && kind != SectionKind::Title
        && !matches!(kind, SectionKind::Technique)
        || kind != SectionKind::Title && kind != SectionKind::Technique && tells_a_time(facts, sentence)
        || !report.dates.is_empty()
            && report.dates.iter().any(|date| report.sentence_of(date.tokens.start) == Some(sentence))
            && kind != SectionKind::Title
}

fn modality(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let code = facts.file.and_then(|file| file.exam.as_ref()).and_then(|exam| exam.modality.as_deref());
    let stored = code.and_then(Modality::of_code);
    let named_in = |wanted: SectionKind| -> Vec<(Modality, Range<usize>)> {
        (0..report.tokens.len())
            .filter(|index| {
                report.sentence_of(*index).is_some_and(|sentence| {
                    report.kind_of(sentence) == wanted
                        && !(wanted != SectionKind::Title && is_about_another(facts, sentence))
                })
            })
            .filter_map(|index| names(facts, index).map(|modality| (modality, report.tokens[index].span.clone())))
            .collect()
    };
    let title = named_in(SectionKind::Title);
    let technique = named_in(SectionKind::Technique);
    // Fusion and guidance name two modalities on purpose.
    let several = |named: &[(Modality, Range<usize>)]| named.iter().any(|(modality, _)| *modality != named[0].0);
    let exam = stored
        .or_else(|| title.first().filter(|_| !several(&title)).map(|(modality, _)| *modality))
        .or_else(|| technique.first().filter(|_| !several(&technique)).map(|(modality, _)| *modality));
    let Some(exam) = exam else { return Vec::new() };
    let mut issues = Vec::new();
    for named in [&title, &technique] {
        if several(named) && named.iter().any(|(modality, _)| *modality == exam) {
            continue;
        }
        if let Some((other, span)) = named.iter().find(|(modality, _)| !exam.includes(*modality)) {
            let message = format!("The text says {}, the examination is {}.", other.name(), exam.name());
            issues.push(Issue::new(Rule::R10, message, [span.clone()]));
        }
    }
    let mut reported = Vec::new();
    for index in 0..report.tokens.len() {
        let Some(sentence) = report.sentence_of(index) else { continue };
        let kind = report.kind_of(sentence);
        if is_about_another(facts, sentence)
            || !(kind.describes() || kind.concludes() || kind == SectionKind::Technique)
        {
            continue;
        }
        // A name in the description ("on this MRI") or a word that only another modality uses.
        let named = names(facts, index).filter(|_| kind != SectionKind::Technique).filter(|_| {
            let before = index.checked_sub(1).map_or("", |before| &*report.tokens[before].norm);
            matches!(
                before,
                "this"
                    | "current"
                    | "present"
                    | "the"
                    | "on"
                    | "by"
                    | "today"
                    | "chest"
                    | "of"
                    | "unenhanced"
                    | "enhanced"
                    | "contrast"
            ) || index == report.sentences[sentence].tokens.start
                || report.tokens.get(index + 1).is_some_and(|next| &*next.norm == "of")
        });
        let implied = implies(facts, index);
        let Some(other) = named.or(implied).filter(|other| !exam.includes(*other)) else { continue };
        if implied.is_some() && reported.contains(&sentence) {
            continue;
        }
        reported.push(sentence);
        let word = &report.text[report.tokens[index].span.clone()];
        let message = format!("\"{word}\" belongs to {}, the examination is {}.", other.name(), exam.name());
        issues.push(Issue::new(Rule::R10, message, [report.tokens[index].span.clone()]));
    }
    issues
}

/// What a sentence says of intravenous contrast: `Some(true)` given, `Some(false)` not given.
fn told_contrast(facts: &Facts<'_>, sentence: usize) -> Option<(bool, Range<usize>)> {
    let report = facts.report;
    let range = report.sentences[sentence].tokens.clone();
    let kind = report.kind_of(sentence);
    let oral_only = report.has_word(sentence, &["oral", "enteric", "rectal", "orally", "barium"])
        && !report.has_word(sentence, &["intravenous", "iv", "intravenously", "gadolinium", "iohexol", "iodinated"]);
    if oral_only {
        return None;
    }
    let place = |phrase: &[&str]| report.find_phrase(range.clone(), phrase).map(|tokens| report.bytes(&tokens));
    let both = place(&["w", "wo"])
        .or_else(|| place(&["wo", "w"]))
        .or_else(|| place(&["w", "/", "wo"]))
        .or_else(|| place(&["wo", "/", "w"]))
        .or_else(|| place(&["w", "and", "wo"]))
        .or_else(|| place(&["wo", "and", "w"]))
        .or_else(|| place(&["w", "&", "wo"]))
        .or_else(|| place(&["w", "/", "and", "w", "/", "o"]))
        .or_else(|| place(&["w", "/", "o", "and", "w", "/"]))
        .or_else(|| place(&["w", "and", "w", "/", "o"]))
        .or_else(|| place(&["w", "/", "o", "and", "with"]))
        .or_else(|| place(&["with", "/", "without"]))
        .or_else(|| place(&["without", "/", "with"]))
        .or_else(|| place(&["with", "or", "without"]))
        .or_else(|| place(&["with", "and", "without"]))
        .or_else(|| place(&["without", "and", "with"]))
        .or_else(|| place(&["before", "and", "after"]))
        .or_else(|| place(&["pre", "and", "post"]))
        .or_else(|| place(&["pre", "-", "and", "post"]));
    if let Some(span) = both {
        return report.has_word(sentence, &["contrast", "gadolinium", "intravenous", "iv"]).then_some((true, span));
    }
    let mut not_given = None;
    for index in range.clone() {
        let norm = |at: usize| if range.contains(&at) { &*report.tokens[at].norm } else { "" };
        let given = match norm(index) {
            "cect" | "cemri" if kind == SectionKind::Title => true,
            "ncct" | "nect" if kind == SectionKind::Title => false,
            "wo" if matches!(norm(index + 1), "contrast" | "iv" | "intravenous") => false,
            "noncontrast" | "unenhanced" | "nonenhanced" | "noncontrasted" => false,
            "non"
                if matches!(norm(index + 1), "contrast" | "enhanced")
                    || norm(index + 1) == "-" && matches!(norm(index + 2), "contrast" | "enhanced") =>
            {
                false
            }
            "postcontrast" | "postgadolinium" => true,
            "iohexol" | "iopamidol" | "omnipaque" | "isovue" | "iodixanol" | "visipaque" | "gadobutrol"
            | "gadavist" | "gadoterate" | "dotarem" | "iopromide" | "ultravist" | "iomeprol" => {
                let denied = (index.saturating_sub(4)..index).any(|at| matches!(norm(at), "no" | "without"));
                !denied
            }
            "portal" if norm(index + 1) == "venous" && norm(index + 2) == "phase" => true,
            "arterial" | "nephrographic" | "excretory" | "pancreatic"
                if norm(index + 1) == "phase" && kind == SectionKind::Technique =>
            {
                true
            }
            "contrast" | "gadolinium" => {
                let next = norm(index + 1);
                if matches!(
                    next,
                    "resolution"
                        | "reaction"
                        | "allergy"
                        | "to"
                        | "leak"
                        | "leakage"
                        | "extravasation"
                        | "blush"
                        | "opacification"
                ) {
                    continue;
                }
                // "W/O CONTRAST", "w/ contrast"
                let slash = (index.saturating_sub(4)..index).find(|at| norm(*at) == "w" && norm(at + 1) == "/");
                if let Some(slash) = slash {
                    let given = norm(slash + 2) != "o";
                    if given {
                        return Some((true, report.bytes(&(slash..index + 1))));
                    }
                    not_given.get_or_insert_with(|| (false, report.bytes(&(slash..index + 1))));
                    continue;
                }
                let window = index.saturating_sub(7)..index;
                let denied = window.clone().any(|at| {
                    range.contains(&at) && matches!(norm(at), "without" | "no" | "not" | "lack" | "absence" | "w/o")
                }) || (index + 1..index + 6).any(|at| norm(at) == "not");
                let granted =
                    window.clone().any(|at| {
                        range.contains(&at)
                            && matches!(
                                norm(at),
                                "with"
                                    | "after"
                                    | "following"
                                    | "post"
                                    | "administration"
                                    | "injection"
                                    | "intravenous"
                                    | "iv"
                                    | "ml"
                                    | "of"
                            )
                    }) || matches!(next, "enhanced" | "administration" | "injection" | "material" | "agent" | "medium")
                        || norm(index + 1) == "-" && norm(index + 2) == "enhanced"
                        || (index + 1..index + 7).any(|at| matches!(norm(at), "administered" | "given" | "injected"));
                if denied {
                    false
                } else if granted {
                    true
                } else {
                    continue;
                }
            }
            _ => continue,
        };
        let end = if given { index + 1 } else { (index + 2).min(range.end) };
        if given {
            return Some((true, report.bytes(&(index..end))));
        }
        // "Unenhanced and portal venous phase images": what was given decides.
        not_given.get_or_insert_with(|| (false, report.bytes(&(index..end))));
    }
    not_given
}

fn contrast(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let stored = facts.file.and_then(|file| file.exam.as_ref()).and_then(|exam| exam.contrast);
    let modality = facts
        .file
        .and_then(|file| file.exam.as_ref())
        .and_then(|exam| exam.modality.as_deref())
        .and_then(Modality::of_code);
    let mut told: Vec<(bool, Range<usize>, SectionKind)> = Vec::new();
    for sentence in 0..report.sentences.len() {
        let kind = report.kind_of(sentence);
        let counts = matches!(kind, SectionKind::Title | SectionKind::Technique)
            || (kind.describes() || kind.concludes()) && !is_about_another(facts, sentence);
        if let Some((given, span)) = counts.then(|| told_contrast(facts, sentence)).flatten() {
            told.push((given, span, kind));
        }
    }
    let mut issues = Vec::new();
    match stored {
        Some(stored) => {
            // A plain phase beside one with contrast is no contradiction, except in the title.
            let some_given = told.iter().any(|(given, _, _)| *given);
            for (given, span, _) in told
                .iter()
                .filter(|(given, _, kind)| *given != stored && (*given || !some_given || *kind == SectionKind::Title))
            {
                let message = if *given {
                    "The text speaks of contrast, the examination has none."
                } else {
                    "The text says no contrast, the examination was made with it."
                };
                issues.push(Issue::new(Rule::R10, message, [span.clone()]));
            }
            if !stored && matches!(modality, Some(Modality::Ct | Modality::Mr)) {
                issues.extend(enhancement(facts));
            }
        }
        None => {
            // Title against technique, where the header does not tell.
            let of = |wanted: SectionKind| told.iter().find(|(_, _, kind)| *kind == wanted);
            if let (Some((title, here, _)), Some((technique, there, _))) =
                (of(SectionKind::Title), of(SectionKind::Technique))
                && title != technique
            {
                issues.push(Issue::new(
                    Rule::R10,
                    "Title and technique disagree about contrast.",
                    [here.clone(), there.clone()],
                ));
            }
        }
    }
    issues
}

/// A lesion that takes up contrast where none was given.
fn enhancement(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for (index, token) in report.tokens.iter().enumerate() {
        let Some(sentence) = report.sentence_of(index) else { continue };
        if !matches!(
            &*token.norm,
            "enhancing" | "enhancement" | "enhance" | "hyperenhancement" | "washout" | "hyperenhancing"
        ) || !report.kind_of(sentence).describes()
            || is_about_another(facts, sentence)
        {
            continue;
        }
        let denied =
            report.has_word(sentence, &["not", "cannot", "without", "no", "lack", "posterior", "acoustic", "unable"]);
        if !denied {
            issues.push(Issue::new(
                Rule::R10,
                "The text describes enhancement, the examination was made without contrast.",
                [token.span.clone()],
            ));
        }
    }
    issues
}

/// R21: "series 5, image 300", "image 45/300", "(4:112)".
fn numbers(facts: &Facts<'_>) -> Vec<Issue> {
    let Some(exam) = facts.file.and_then(|file| file.exam.as_ref()) else { return Vec::new() };
    let report = facts.report;
    let mut issues = Vec::new();
    for (index, token) in report.tokens.iter().enumerate() {
        if token.kind != TokenKind::Word
            || report.sentence_of(index).is_some_and(|sentence| {
                report.kind_of(sentence) == SectionKind::Comparison || report.has_word(sentence, &["prior", "previous"])
            })
        {
            continue;
        }
        let (limit, what) = match &*token.norm {
            "series" | "serie" | "se" | "ser" => (exam.series, "series"),
            "image" | "img" | "im" | "slice" | "frame" => (exam.images, "images"),
            _ => continue,
        };
        let Some(limit) = limit else { continue };
        let mut at = index + 1;
        while report.tokens.get(at).is_some_and(|next| matches!(&*next.norm, "#" | "." | "no" | "number" | ":" | "("))
            && at < index + 4
        {
            at += 1;
        }
        while let Some(value) = report.tokens.get(at).filter(|next| next.breaks == 0).and_then(|next| next.number()) {
            let unit = report.tokens.get(at + 1).map_or("", |next| &*next.norm);
            if matches!(unit, "mm" | "cm" | "week" | "month") {
                break;
            }
            if value.fract() == 0.0 && (value > limit as f64 || value < 1.0) {
                let message = format!(
                    "The text names {} {}, the examination has {limit}.",
                    if what == "series" { "series" } else { "image" },
                    value
                );
                issues.push(Issue::new(
                    Rule::R21,
                    message,
                    std::iter::once(token.span.start..report.tokens[at].span.end),
                ));
            }
            // "images 45 and 46", "series 4/112" is series and image.
            let joins = matches!(unit, "and" | "-" | "–" | "," | "to")
                && report.tokens.get(at + 2).is_some_and(|next| next.kind == TokenKind::Number);
            let pair = what == "series"
                && matches!(unit, "/" | ":")
                && report.tokens.get(at + 2).is_some_and(|next| next.kind == TokenKind::Number);
            if pair {
                let image = report.tokens[at + 2].number();
                if let (Some(image), Some(images)) = (image, exam.images)
                    && image > images as f64
                {
                    issues.push(Issue::new(
                        Rule::R21,
                        format!("The text names image {image}, the examination has {images}."),
                        [report.tokens[at + 2].span.clone()],
                    ));
                }
                break;
            }
            if !joins || what == "series" && unit == "," {
                break;
            }
            at += 2;
        }
    }
    issues
}
