//! Compares a report with itself, with the findings file and with the header: rules R01 to R24.
//!
//! Precision first: a rule speaks only where it can show the words that it compared.

mod change;
mod conflict;
mod dates;
mod exam;
mod form;
mod guideline;
mod identity;
mod impression;
mod level;
mod patient;
mod relation;
mod removed;
mod safety;
mod side;
mod size;
mod spelling;

use std::ops::Range;

use serde::{Deserialize, Serialize};
pub use time::Date;

use crate::findings::FindingsFile;
use crate::parse::Report;
use crate::parse::date::parse_iso;
use relation::Known;

/// How much a finding of a rule weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Only the context speaks against a word.
    Hint,
    /// To be looked at.
    Warning,
    /// To be corrected, or kept with a reason.
    Error,
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the numbers are those of the reference; `about` says what each means")]
pub enum Rule {
    R01,
    R02,
    R03,
    R04,
    R05,
    R06,
    R07,
    R08,
    R09,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    R16,
    R17,
    R18,
    R19,
    R20,
    R21,
    R22,
    R23,
    R24,
}

impl Rule {
    /// All rules in order.
    pub const ALL: [Self; 24] = [
        Self::R01,
        Self::R02,
        Self::R03,
        Self::R04,
        Self::R05,
        Self::R06,
        Self::R07,
        Self::R08,
        Self::R09,
        Self::R10,
        Self::R11,
        Self::R12,
        Self::R13,
        Self::R14,
        Self::R15,
        Self::R16,
        Self::R17,
        Self::R18,
        Self::R19,
        Self::R20,
        Self::R21,
        Self::R22,
        Self::R23,
        Self::R24,
    ];

    /// What the rule is about, in two or three words.
    pub fn about(self) -> &'static str {
        match self {
            Self::R01 => "Side",
            Self::R02 => "Missing side",
            Self::R03 => "Present against absent",
            Self::R04 => "Not in the findings",
            Self::R05 => "Not in the impression",
            Self::R06 => "Size or unit",
            Self::R07 => "Measurement without partner",
            Self::R08 => "Sex",
            Self::R09 => "Age",
            Self::R10 => "Examination",
            Self::R11 => "Comparison",
            Self::R12 => "Change against sizes",
            Self::R13 => "Removed organ",
            Self::R14 => "Unfilled field",
            Self::R15 => "Critical finding",
            Self::R16 => "Follow-up",
            Self::R17 => "Guideline",
            Self::R18 => "Spelling",
            Self::R19 => "Repeated or contradictory",
            Self::R20 => "Impossible anatomy",
            Self::R21 => "Series or image number",
            Self::R22 => "Date in the future",
            Self::R23 => "Rejected result",
            Self::R24 => "Identifier",
        }
    }

    /// The severity; R18 lowers its own where only the context speaks.
    pub fn severity(self) -> Severity {
        match self {
            Self::R01
            | Self::R03
            | Self::R08
            | Self::R09
            | Self::R10
            | Self::R13
            | Self::R15
            | Self::R20
            | Self::R22
            | Self::R23
            | Self::R24 => Severity::Error,
            _ => Severity::Warning,
        }
    }
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Which rule.
    pub rule: Rule,
    /// How much it weighs.
    pub severity: Severity,
    /// One sentence that says what does not fit.
    pub message: String,
    /// Byte offsets of the words compared; empty where the fault is in the findings file alone.
    pub spans: Vec<[usize; 2]>,
}

impl Issue {
    pub(crate) fn new(rule: Rule, message: impl Into<String>, spans: impl IntoIterator<Item = Range<usize>>) -> Self {
        let spans = spans.into_iter().filter(|span| span.start < span.end).map(|span| [span.start, span.end]).collect();
        Self { rule, severity: rule.severity(), message: message.into(), spans }
    }
}

/// Everything that a rule may look at.
pub(crate) struct Facts<'a> {
    pub(crate) report: &'a Report<'a>,
    pub(crate) file: Option<&'a FindingsFile>,
    pub(crate) known: Vec<Known<'a>>,
    pub(crate) exam_date: Option<Date>,
    pub(crate) today: Date,
}

/// More issues than this help nobody; a pasted book must not fill the memory.
const MAX_ISSUES_PER_RULE: usize = 50;

/// A report is shorter than this by far. Of a longer paste the rules look at this much, so that a check stays
/// quick while typing; [`checked_part`] says how much that is.
pub const CHECKED_BYTES: usize = 128 * 1024;

/// The part of a text that the rules look at: all of it, or whole lines up to [`CHECKED_BYTES`].
pub fn checked_part(text: &str) -> &str {
    if text.len() <= CHECKED_BYTES {
        return text;
    }
    let mut end = CHECKED_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let line_end = text[..end].rfind('\n').map_or(end, |at| at + 1);
    &text[..line_end]
}

/// Checks a report. `today` is passed in so that a check can be repeated.
pub fn check(text: &str, file: Option<&FindingsFile>, today: Date) -> Vec<Issue> {
    let report = Report::read(checked_part(text));
    check_report(&report, file, today)
}

/// Checks a report that was read before.
pub fn check_report(report: &Report<'_>, file: Option<&FindingsFile>, today: Date) -> Vec<Issue> {
    let exam_date = file.and_then(|file| file.exam.as_ref()).and_then(|exam| exam.date.as_deref()).and_then(parse_iso);
    let known = file.map(|file| file.known_findings().iter().filter_map(Known::new).collect()).unwrap_or_default();
    let facts = Facts { report, file, known, exam_date, today };
    let rules: [fn(&Facts<'_>) -> Vec<Issue>; 16] = [
        side::check,
        conflict::check,
        impression::check,
        size::check,
        change::check,
        patient::check,
        exam::check,
        dates::check,
        removed::check,
        form::check,
        safety::check,
        guideline::check,
        spelling::check,
        level::check,
        identity::check,
        conflict::rejected,
    ];
    let mut issues: Vec<Issue> = Vec::new();
    for rule in rules {
        for issue in rule(&facts) {
            let count = issues.iter().filter(|other| other.rule == issue.rule).count();
            if count < MAX_ISSUES_PER_RULE && !issues.contains(&issue) {
                issues.push(issue);
            }
        }
    }
    issues.sort_by_key(|issue| (issue.spans.first().copied().unwrap_or([usize::MAX; 2]), issue.rule));
    issues
}

/// The day today in UTC.
pub fn today() -> Date {
    time::OffsetDateTime::now_utc().date()
}

#[cfg(test)]
mod tests;
