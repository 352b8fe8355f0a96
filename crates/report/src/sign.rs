//! Signing: what the reader changed against the draft, what was overridden and why, and the versions before.

use serde::{Deserialize, Serialize};

use crate::check::{Issue, Severity};
use crate::document::{ReportDocument, SentenceState};

/// Why a report cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Nothing is confirmed.
    #[error("no sentence is confirmed; accept or write one before signing")]
    Empty,
    /// A signature needs a name.
    #[error("a signature needs the reader's name")]
    Nameless,
    /// Errors stand without a reason.
    #[error("{count} errors stand without a reason; the first: {first}")]
    Open {
        /// How many.
        count: usize,
        /// The first one's message.
        first: String,
    },
}

/// What became of a sentence of the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Taken as it was.
    Accepted,
    /// Taken in other words.
    Edited,
    /// Refused.
    Rejected,
    /// Left undecided; it is not in the signed text.
    Undecided,
    /// Written by the reader; the draft had nothing like it.
    Written,
}

/// One line of the comparison with the draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What became of it.
    pub fate: Fate,
    /// The draft's words, empty where the reader wrote it.
    pub drafted: String,
    /// The signed words, empty where it was refused or left.
    pub signed: String,
}

/// A finding of a check that the reader keeps on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// What the check said.
    pub issue: Issue,
    /// Why it stands.
    pub reason: String,
}

/// A signed version. It is never changed; a correction is a new version behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// 1 for the first.
    pub number: u32,
    /// The signed text.
    pub text: String,
    /// Who signed.
    pub reader: String,
    /// When, UTC, as `2026-11-25T10:41:00Z`.
    pub signed_at: String,
    /// Against the draft.
    pub differences: Vec<Difference>,
    /// What was kept on purpose.
    pub overrides: Vec<Override>,
    /// Whether it replaces or adds to a version before it.
    pub reason: Option<String>,
}

/// All signed versions of a report, the first one first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    versions: Vec<Version>,
}

/// What each sentence of a document became.
pub fn differences(document: &ReportDocument) -> Vec<Difference> {
    document
        .sentences()
        .map(|sentence| {
            let drafted = sentence.proposed_text.clone().unwrap_or_else(|| sentence.text.clone());
            let signed = if sentence.is_confirmed() { sentence.text.clone() } else { String::new() };
            match sentence.state {
                SentenceState::Written => Difference { fate: Fate::Written, drafted: String::new(), signed },
                SentenceState::Edited => Difference { fate: Fate::Edited, drafted, signed },
                SentenceState::Accepted => Difference { fate: Fate::Accepted, drafted, signed },
                SentenceState::Rejected => Difference { fate: Fate::Rejected, drafted, signed },
                SentenceState::Proposed => Difference { fate: Fate::Undecided, drafted, signed },
            }
        })
        .collect()
}

impl Signed {
    /// All versions, the first one first.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// The version that holds.
    pub fn current(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// Signs the confirmed sentences as a new version. Every issue of severity error needs an override with a reason;
    /// warnings and hints need none.
    ///
    /// # Errors
    /// [`SignError`]; nothing is added then.
    pub fn sign(
        &mut self,
        document: &ReportDocument,
        issues: &[Issue],
        overrides: Vec<Override>,
        reader: &str,
        now_utc: &str,
        reason: Option<&str>,
    ) -> Result<&Version, SignError> {
        let text = document.to_text();
        if text.trim().is_empty() {
            return Err(SignError::Empty);
        }
        let reader = reader.split_whitespace().collect::<Vec<_>>().join(" ");
        if reader.is_empty() {
            return Err(SignError::Nameless);
        }
        let kept =
            |issue: &&Issue| overrides.iter().any(|kept| kept.issue == **issue && !kept.reason.trim().is_empty());
        let open: Vec<&Issue> =
            issues.iter().filter(|issue| issue.severity == Severity::Error).filter(|issue| !kept(issue)).collect();
        if let Some(first) = open.first() {
            return Err(SignError::Open { count: open.len(), first: first.message.clone() });
        }
        self.versions.push(Version {
            number: self.versions.len() as u32 + 1,
            text,
            reader,
            signed_at: now_utc.to_owned(),
            differences: differences(document),
            overrides,
            reason: reason.map(str::to_owned),
        });
        Ok(&self.versions[self.versions.len() - 1])
    }
}

/// One line of JSON for the audit log: when, what and how much, without a word of the report, the patient or the reader.
pub fn audit_line(version: &Version, text_sha256: &str) -> String {
    let count = |fate: Fate| version.differences.iter().filter(|difference| difference.fate == fate).count();
    serde_json::json!({
        "time": version.signed_at,
        "action": "report signed",
        "version": version.number,
        "text_sha256": text_sha256,
        "accepted": count(Fate::Accepted),
        "edited": count(Fate::Edited),
        "rejected": count(Fate::Rejected),
        "written": count(Fate::Written),
        "undecided": count(Fate::Undecided),
        "overrides": version
            .overrides
            .iter()
            .map(|kept| serde_json::json!({"rule": kept.issue.rule, "reason": kept.reason}))
            .collect::<Vec<_>>(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Rule;
    use crate::document::{ChipKind, Place, SourceChip};

    fn document() -> ReportDocument {
        let mut document = ReportDocument::with_sections(["Findings", "Impression"]);
        let chip = || vec![SourceChip { kind: ChipKind::Model, label: "m".into() }];
        document.push(0, "Left effusion.", chip(), vec![], SentenceState::Proposed).unwrap();
        let second = document.push(0, "Nodule, 8 mm.", chip(), vec![], SentenceState::Proposed).unwrap();
        let third = document.push(0, "Emphysema.", chip(), vec![], SentenceState::Proposed).unwrap();
        document.edit(second, "Nodule, 8 mm, new.").unwrap();
        document.reject(third).unwrap();
        document.insert(Place { section: 1, sentence: 0 }, "New nodule.").unwrap();
        document
    }

    fn error() -> Issue {
        Issue { rule: Rule::R01, severity: Severity::Error, message: "Sides differ.".into(), spans: vec![] }
    }

    #[test]
    fn an_error_needs_a_reason_and_a_version_is_kept() {
        let document = document();
        let mut signed = Signed::default();
        let now = "2026-11-25T10:41:00Z";
        let refused = signed.sign(&document, &[error()], vec![], "Dr. Ada Roe", now, None).unwrap_err();
        assert!(matches!(refused, SignError::Open { count: 1, .. }), "{refused}");
        let blank = vec![Override { issue: error(), reason: " ".into() }];
        assert!(signed.sign(&document, &[error()], blank, "Dr. Ada Roe", now, None).is_err());
        assert!(signed.versions().is_empty());
        let kept = vec![Override { issue: error(), reason: "The patient has situs inversus.".into() }];
        signed.sign(&document, &[error()], kept, "Dr. Ada Roe", now, None).unwrap();
        signed.sign(&document, &[], vec![], "Dr. Ada Roe", now, Some("Typing error")).unwrap();
        assert_eq!(signed.versions().iter().map(|version| version.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(signed.versions()[0].overrides.len(), 1);
        assert!(signed.sign(&document, &[], vec![], "  ", now, None).is_err());
        assert!(signed.sign(&ReportDocument::default(), &[], vec![], "A", now, None).is_err());
    }

    #[test]
    fn differences_say_what_became_of_each_sentence() {
        let fates: Vec<Fate> = differences(&document()).into_iter().map(|difference| difference.fate).collect();
        assert_eq!(fates, [Fate::Undecided, Fate::Edited, Fate::Rejected, Fate::Written]);
        let edited = &differences(&document())[1];
        assert_eq!((edited.drafted.as_str(), edited.signed.as_str()), ("Nodule, 8 mm.", "Nodule, 8 mm, new."));
    }

    #[test]
    fn the_audit_line_holds_no_words_of_the_report() {
        let mut signed = Signed::default();
        signed.sign(&document(), &[], vec![], "Dr. Ada Roe", "2026-11-25T10:41:00Z", None).unwrap();
        let line = audit_line(signed.current().unwrap(), "ab12");
        assert!(line.contains("\"edited\":1") && !line.contains("nodule") && !line.contains("Roe"), "{line}");
    }
}
