//! Headings: which part of a report a word stands in.

use std::ops::Range;

use super::tokens::{Token, TokenKind};

/// The parts of a report that checks tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionKind {
    /// The name of the examination.
    Title,
    /// Indication, clinical history, question.
    History,
    /// How the examination was made.
    Technique,
    /// What it is compared with.
    Comparison,
    /// What is seen.
    Findings,
    /// What it means.
    Impression,
    /// What should be done next.
    Recommendation,
    /// Added later.
    Addendum,
    /// Names, signatures, who was told.
    Administrative,
    /// Text before or without any heading.
    Body,
}

impl SectionKind {
    /// The name in `report parse`, `None` for text without a heading.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Title => "title",
            Self::History => "history",
            Self::Technique => "technique",
            Self::Comparison => "comparison",
            Self::Findings => "findings",
            Self::Impression => "impression",
            Self::Recommendation => "recommendation",
            Self::Addendum => "addendum",
            Self::Administrative => "administrative",
            Self::Body => return None,
        })
    }

    /// Whether it describes: text without a heading counts.
    pub fn describes(self) -> bool {
        matches!(self, Self::Findings | Self::Body | Self::Addendum)
    }

    /// Whether it concludes.
    pub fn concludes(self) -> bool {
        matches!(self, Self::Impression | Self::Recommendation)
    }
}

/// A part of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionSpan {
    /// What kind.
    pub kind: SectionKind,
    /// Bytes of the heading, empty where there is none.
    pub heading: Range<usize>,
    /// Indices of the tokens of its content.
    pub tokens: Range<usize>,
}

const HEADINGS: [(SectionKind, &[&str]); 9] = [
    (
        SectionKind::Title,
        &[
            "exam",
            "examination",
            "procedure",
            "study",
            "type of examination",
            "exam type",
            "title",
            "examination performed",
            "study performed",
            "investigation",
            "modality",
            "exam name",
        ],
    ),
    (
        SectionKind::History,
        &[
            "history",
            "indication",
            "clinical history",
            "clinical indication",
            "clinical information",
            "reason for exam",
            "reason for examination",
            "reason for this examination",
            "reason for study",
            "clinical detail",
            "clinical data",
            "reason",
            "clinical question",
            "patient history",
            "medical condition",
            "question to be answered",
            "clinical context",
            "clinical statement",
            "clinical summary",
            "symptom",
            "clinical",
            "relevant history",
            "referral",
            "history and indication",
            "clinical background",
            "background",
            "referral diagnosis",
            "hx",
            "ind",
            "clinical hx",
            "clinical info",
            "clin info",
            "clin",
            "reason for referral",
            "indication for examination",
            "indication for study",
            "relevant clinical information",
            "relevant clinical detail",
            "presentation",
            "presenting complaint",
            "brief history",
            "history of present illness",
            "diagnosis and question",
        ],
    ),
    (
        SectionKind::Technique,
        &[
            "technique",
            "protocol",
            "method",
            "contrast",
            "iv contrast",
            "procedure detail",
            "technical factor",
            "imaging technique",
            "radiation dose",
            "dose",
            "scan technique",
            "examination technique",
            "sequence",
            "view",
            "technical quality",
            "imaging protocol",
            "technical",
            "acquisition",
            "tech",
            "technique and finding",
            "scanning technique",
            "imaging procedure",
            "protocol and technique",
            "radiopharmaceutical",
            "tracer",
        ],
    ),
    (
        SectionKind::Comparison,
        &[
            "comparison",
            "comparison exam",
            "comparison study",
            "comparison film",
            "prior study",
            "prior",
            "previous study",
            "reference exam",
            "prior exam",
            "prior imaging",
            "previous imaging",
            "compared with",
            "comparison examination",
            "previous examination",
            "comparison date",
            "comparison with",
            "previou",
            "comparison imaging",
            "comp",
            "compare",
            "priors",
            "comparison and prior",
            "relevant prior",
            "relevant previous imaging",
            "previous study",
            "compared to",
        ],
    ),
    (
        SectionKind::Findings,
        &[
            "finding",
            "report",
            "result",
            "observation",
            "description",
            "imaging finding",
            "body of report",
            "finding and impression",
            "narrative",
            "radiological finding",
            "interpretation",
        ],
    ),
    (
        SectionKind::Impression,
        &[
            "impression",
            "conclusion",
            "summary",
            "opinion",
            "assessment",
            "diagnosis",
            "impression and recommendation",
            "conclusion and recommendation",
            "final impression",
            "imaging diagnosis",
            "overall impression",
            "impression and plan",
            "comment",
            "diagnostic impression",
            "radiological diagnosis",
            "imp",
            "key finding",
            "bottom line",
            "synopsis",
            "concluding comment",
            "concl",
            "final diagnosis",
            "radiologist impression",
            "radiological impression",
            "radiologic impression",
            "summary of finding",
            "summary and recommendation",
            "report summary",
            "interpretation and recommendation",
            "impression and advice",
            "imaging impression",
            "final conclusion",
            "overall",
            "in summary",
            "in conclusion",
            "conclusion and advice",
            "opinion and recommendation",
        ],
    ),
    (
        SectionKind::Recommendation,
        &[
            "recommendation",
            "follow up",
            "advice",
            "suggestion",
            "plan",
            "follow up recommendation",
            "management",
            "recommended follow up",
            "further management",
        ],
    ),
    (SectionKind::Addendum, &["addendum", "wet read", "preliminary report", "addenda"]),
    (
        SectionKind::Administrative,
        &[
            "notification",
            "communication",
            "critical result",
            "critical finding",
            "electronically signed by",
            "signed by",
            "dictated by",
            "reported by",
            "radiologist",
            "attending",
            "signed",
            "referring physician",
            "ordering physician",
            "critical result communication",
            "communication of critical result",
            "critical communication",
            "critical value",
            "result communication",
            "patient",
            "patient name",
            "name",
            "mrn",
            "dob",
            "date of birth",
            "accession",
            "accession number",
            "reporting radiologist",
            "referrer",
            "consultant",
            "critical finding communication",
            "read by",
            "verified by",
            "patient id",
        ],
    ),
];

/// Finds the headings of a text. A heading stands at the beginning of a line, or in capitals after the end of
/// a sentence, and ends with a colon or fills its line.
pub(crate) fn sections(text: &str, tokens: &[Token]) -> Vec<SectionSpan> {
    let mut sections = vec![SectionSpan { kind: SectionKind::Body, heading: 0..0, tokens: 0..tokens.len() }];
    let mut index = 0;
    while index < tokens.len() {
        let at_line_start = index == 0 || tokens[index].breaks > 0;
        let after_sentence = index > 0 && matches!(&*tokens[index - 1].norm, "." | "!" | "?" | ":" | ")");
        let heading =
            if at_line_start || after_sentence { heading_at(text, tokens, index, at_line_start) } else { None };
        let Some((kind, last)) = heading else {
            index += 1;
            continue;
        };
        if let Some(open) = sections.last_mut() {
            open.tokens.end = index;
        }
        let span = tokens[index].span.start..tokens[last].span.end;
        sections.push(SectionSpan { kind, heading: span, tokens: last + 1..tokens.len() });
        index = last + 1;
    }
    sections.retain(|section| !section.heading.is_empty() || !section.tokens.is_empty());
    name_the_title(text, tokens, &mut sections);
    let has_findings =
        sections.iter().any(|section| section.kind == SectionKind::Findings && !section.heading.is_empty());
    // Without a heading for the description, a line that ends a sentence ends history, technique and comparison too.
    let sections = end_short_sections(text, tokens, sections, if has_findings { End::Paragraph } else { End::Line });
    // A report without any description under its own heading: each line is looked at.
    if sections.iter().any(|section| section.kind.describes() && !section.tokens.is_empty()) {
        sections
    } else {
        end_short_sections(text, tokens, sections, End::AnyLine)
    }
}

/// Where a history, technique or comparison ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// At an empty line.
    Paragraph,
    /// At a line that ends with a full stop or is too short to have been wrapped.
    Line,
    /// At any line.
    AnyLine,
}

/// A line of fewer bytes was not wrapped at the edge of a page.
const SHORT_LINE_BYTES: usize = 60;

fn ends_part(text: &str, tokens: &[Token], index: usize, end: End) -> bool {
    match (tokens[index].breaks, end) {
        (0, _) => false,
        (1, End::Paragraph) => false,
        (1, End::Line) => {
            let before = tokens[index - 1].span.end;
            let line = text[..before].rfind('\n').map_or(0, |at| at + 1);
            // A list of questions or sequences goes on with a small letter or a dash.
            let goes_on = tokens[index].kind == TokenKind::Mark
                || text[tokens[index].span.start..].starts_with(char::is_lowercase);
            !goes_on && (tokens[index - 1].is_mark(".") || before - line < SHORT_LINE_BYTES)
        }
        _ => true,
    }
}

/// History, technique and comparison are a paragraph, a signature is a line; what follows without a heading
/// is description, or goes on with the part before the signature.
fn end_short_sections(text: &str, tokens: &[Token], sections: Vec<SectionSpan>, end: End) -> Vec<SectionSpan> {
    let mut ended: Vec<SectionSpan> = Vec::with_capacity(sections.len());
    let mut before = SectionKind::Body;
    for section in sections {
        let part_end = match section.kind {
            SectionKind::History | SectionKind::Technique | SectionKind::Comparison => end,
            SectionKind::Administrative => End::AnyLine,
            _ => {
                before = section.kind;
                ended.push(section);
                continue;
            }
        };
        let range = section.tokens.clone();
        // White space right behind the heading does not end it.
        match (range.start + 1..range.end).find(|index| ends_part(text, tokens, *index, part_end)) {
            Some(at) => {
                let kind = if section.kind == SectionKind::Administrative { before } else { SectionKind::Body };
                ended.push(SectionSpan { tokens: range.start..at, ..section });
                let rest = SectionSpan { kind, heading: 0..0, tokens: at..range.end };
                ended.extend(end_short_sections(text, tokens, vec![rest], end));
            }
            None => ended.push(section),
        }
    }
    ended
}

/// Gives the kind and the last token of a heading that begins at `start`.
fn heading_at(text: &str, tokens: &[Token], start: usize, at_line_start: bool) -> Option<(SectionKind, usize)> {
    let mut first = start;
    while at_line_start && first < tokens.len() && matches!(&*tokens[first].norm, "#" | "*" | "_" | "=") {
        first += 1;
    }
    let mut words: Vec<&str> = Vec::new();
    let mut end = first;
    while end < tokens.len() && words.len() <= 6 {
        let token = &tokens[end];
        if end > first && token.breaks > 0 {
            break;
        }
        match (&token.kind, &*token.norm) {
            (_, ":") => break,
            // "Findings. The lungs are clear."
            (_, ".") if at_line_start && words.len() == 1 => break,
            (TokenKind::Mark, "/" | "&" | "-" | "*" | "_" | "(" | ")") => {
                if matches!(&*token.norm, "/" | "&") {
                    words.push("and");
                }
            }
            (TokenKind::Word, "the") => {}
            (TokenKind::Word, _) => words.push(&token.norm),
            _ => return None,
        }
        end += 1;
    }
    if words.is_empty() {
        return None;
    }
    let phrase = words.join(" ");
    let kind = HEADINGS.iter().find(|(_, names)| names.contains(&phrase.as_str())).map(|(kind, _)| *kind)?;
    let has_colon = end < tokens.len() && tokens[end].is_mark(":") && tokens[end].breaks == 0;
    let has_point = end < tokens.len()
        && tokens[end].is_mark(".")
        && tokens[end].breaks == 0
        && matches!(
            kind,
            SectionKind::Findings
                | SectionKind::Impression
                | SectionKind::History
                | SectionKind::Technique
                | SectionKind::Comparison
        );
    let has_colon = has_colon || has_point;
    let fills_line = at_line_start && (end == tokens.len() || tokens[end].breaks > 0);
    let written = &text[tokens[first].span.start..tokens[end.min(tokens.len()) - 1].span.end];
    let in_capitals = !written.chars().any(char::is_lowercase);
    let accepted = if at_line_start {
        has_colon || (fills_line && is_heading_line(kind, written, in_capitals))
    } else {
        has_colon && in_capitals
    };
    if !accepted {
        return None;
    }
    let mut last = if has_colon { end } else { end - 1 };
    // "**Findings:**" closes its marks after the colon.
    while has_colon && last + 1 < tokens.len() && tokens[last + 1].breaks == 0 && tokens[last + 1].is_mark("*") {
        last += 1;
    }
    Some((kind, last))
}

/// A line without a colon is a heading only where nothing else is likely.
fn is_heading_line(kind: SectionKind, written: &str, in_capitals: bool) -> bool {
    in_capitals
        || written.starts_with(char::is_uppercase)
            && matches!(
                kind,
                SectionKind::Findings
                    | SectionKind::Impression
                    | SectionKind::Technique
                    | SectionKind::Comparison
                    | SectionKind::History
                    | SectionKind::Recommendation
            )
}

/// A short first line that names an examination is the title.
fn name_the_title(text: &str, tokens: &[Token], sections: &mut Vec<SectionSpan>) {
    let Some(first) = sections.first() else { return };
    if first.kind != SectionKind::Body || first.tokens.is_empty() {
        return;
    }
    let range = first.tokens.clone();
    let line_end = (range.start + 1..range.end).find(|index| tokens[*index].breaks > 0).unwrap_or(range.end);
    let line = &tokens[range.start..line_end];
    let names_exam = line.iter().any(|token| EXAM_WORDS.contains(&&*token.norm));
    let is_sentence = line.len() > 24
        || line.iter().any(|token| {
            matches!(
                &*token.norm,
                "is" | "are" | "no" | "there" | "show" | "demonstrate" | "was" | "were" | "seen" | "normal"
            )
        });
    let written = &text[line[0].span.start..line[line.len() - 1].span.end];
    if !names_exam || is_sentence || (sections.len() == 1 && line_end == range.end && written.ends_with('.')) {
        return;
    }
    let title = SectionSpan {
        kind: SectionKind::Title,
        heading: line[0].span.start..line[0].span.start,
        tokens: range.start..line_end,
    };
    let rest = SectionSpan { kind: SectionKind::Body, heading: 0..0, tokens: line_end..range.end };
    let keep_rest = !rest.tokens.is_empty();
    sections.splice(0..1, std::iter::once(title).chain(keep_rest.then_some(rest)));
}

pub(crate) const EXAM_WORDS: [&str; 26] = [
    "ct",
    "mri",
    "mr",
    "radiograph",
    "x",
    "xray",
    "xr",
    "ultrasound",
    "us",
    "sonogram",
    "mammogram",
    "mammography",
    "cta",
    "mra",
    "ctpa",
    "doppler",
    "pet",
    "angiogram",
    "angiography",
    "tomography",
    "sonography",
    "ultrasonography",
    "cxr",
    "film",
    "scan",
    "mrcp",
];
