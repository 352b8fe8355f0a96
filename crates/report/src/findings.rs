//! The findings file: what is known about an examination, its patient, its priors and its findings.
//!
//! Every field may be null or absent; unknown fields are kept and written back, so a file made by a
//! newer version or another program loses nothing here.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Why a findings file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FindingsError {
    /// The text is not JSON of the expected form; the reason names field, line and column.
    #[error("the findings file cannot be read: {0}")]
    Json(#[from] serde_json::Error),
}

/// Everything that a check or a draft reads beside the text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FindingsFile {
    /// The examination that the report is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exam: Option<Exam>,
    /// The patient, as far as a check needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<Patient>,
    /// Earlier examinations. `Some(vec![])` says that there are none, `None` that nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priors: Option<Vec<Prior>>,
    /// The findings. `Some(vec![])` says that there are none, `None` that nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<Finding>>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl FindingsFile {
    /// Reads a findings file from JSON text.
    ///
    /// # Errors
    /// [`FindingsError::Json`] when the text is no JSON or a known field has another type.
    pub fn from_json(text: &str) -> Result<Self, FindingsError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The findings, empty where nothing is known.
    pub fn known_findings(&self) -> &[Finding] {
        self.findings.as_deref().unwrap_or_default()
    }

    /// The priors, empty where nothing is known.
    pub fn known_priors(&self) -> &[Prior] {
        self.priors.as_deref().unwrap_or_default()
    }
}

/// The examination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exam {
    /// DICOM Modality (0008,0060): CT, MR, CR, DX, US, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<String>,
    /// DICOM Body Part Examined (0018,0015).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_part: Option<String>,
    /// The side of a one-sided examination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub laterality: Option<Side>,
    /// Whether intravenous contrast was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<bool>,
    /// Day of the examination, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Number of series in the study.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<u64>,
    /// Number of images in the study.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<u64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The patient: only what a check compares. Name and numbers are optional and serve R24 alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Patient {
    /// DICOM Patient's Sex (0010,0040): F, M or O.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    /// Age in years on the day of the examination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<f64>,
    /// Fields that this version does not know (among them `name`, `id` and `birth_date` where a study gave them).
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Patient {
    /// `Some(true)` for female, `Some(false)` for male, `None` where unknown or other.
    pub fn is_female(&self) -> Option<bool> {
        match self.sex.as_deref()?.trim().to_ascii_uppercase().as_str() {
            "F" | "FEMALE" => Some(true),
            "M" | "MALE" => Some(false),
            _ => None,
        }
    }
}

/// An earlier examination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// Day of the earlier examination, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// DICOM Modality of the earlier examination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One finding: something seen, excluded, suspected or measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Identifier, unique within the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is, in the words of the lexicon ("pulmonary nodule").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// Whether it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
    /// Where it is ("right lower lobe").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Its side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// One to three diameters in mm, longest first by custom.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub size_mm: Option<Vec<f64>>,
    /// The diameters on the prior examination in mm.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub prior_size_mm: Option<Vec<f64>>,
    /// Volume in mL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_ml: Option<f64>,
    /// Area in mm².
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_mm2: Option<f64>,
    /// Mean density in HU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_hu: Option<f64>,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Change against the prior.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What a guideline or a sentence asks for beyond this (composition, margin, risk, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Map<String, Value>>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Whether a reader has accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Finding {
    /// The state, with the rule for files that do not say: what a model found is only proposed,
    /// anything else was entered by a person and counts as confirmed.
    pub fn effective_state(&self) -> State {
        self.state.unwrap_or(if self.is_from_model() { State::Proposed } else { State::Confirmed })
    }

    /// Whether a model found it.
    pub fn is_from_model(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.kind == Some(SourceKind::Model))
    }

    /// The assertion; a finding that does not say is present.
    pub fn effective_assertion(&self) -> Assertion {
        self.assertion.unwrap_or(Assertion::Present)
    }

    /// An attribute as text, lower case, `None` where absent or no text.
    pub fn attribute(&self, name: &str) -> Option<String> {
        match self.attributes.as_ref()?.get(name)? {
            Value::String(text) => Some(text.trim().to_lowercase()),
            _ => None,
        }
    }

    /// An attribute as a number, `None` where absent or no number.
    pub fn attribute_number(&self, name: &str) -> Option<f64> {
        self.attributes.as_ref()?.get(name)?.as_f64()
    }

    /// The longest diameter in mm, `None` where no positive size is stored.
    pub fn longest_mm(&self) -> Option<f64> {
        longest(self.size_mm.as_deref())
    }

    /// The longest diameter of the prior in mm.
    pub fn prior_longest_mm(&self) -> Option<f64> {
        longest(self.prior_size_mm.as_deref())
    }
}

fn longest(sizes: Option<&[f64]>) -> Option<f64> {
    sizes?.iter().copied().filter(|size| size.is_finite() && *size > 0.0).reduce(f64::max)
}

/// Whether a finding is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assertion {
    /// It is there.
    #[serde(alias = "Present", alias = "PRESENT")]
    Present,
    /// It is not there.
    #[serde(alias = "Absent", alias = "ABSENT")]
    Absent,
    /// It may be there.
    #[serde(alias = "Possible", alias = "POSSIBLE")]
    Possible,
    /// It was not looked at, or could not be.
    #[serde(alias = "NotEvaluated", alias = "NOT_EVALUATED")]
    NotEvaluated,
}

/// Side of the body, the patient's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The patient's left.
    #[serde(alias = "Left", alias = "LEFT", alias = "L", alias = "l")]
    Left,
    /// The patient's right.
    #[serde(alias = "Right", alias = "RIGHT", alias = "R", alias = "r")]
    Right,
    /// Both sides.
    #[serde(alias = "Bilateral", alias = "BILATERAL", alias = "B", alias = "b", alias = "both")]
    Bilateral,
    /// In the middle.
    #[serde(alias = "Midline", alias = "MIDLINE", alias = "M", alias = "m")]
    Midline,
}

impl Side {
    /// The word that a sentence uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Bilateral => "bilateral",
            Self::Midline => "midline",
        }
    }

    /// Whether the two exclude each other: left against right. Bilateral and midline exclude none,
    /// because a bilateral disease may be described side by side.
    pub fn contradicts(self, other: Self) -> bool {
        matches!((self, other), (Self::Left, Self::Right) | (Self::Right, Self::Left))
    }
}

/// Change against the prior examination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Not there before.
    #[serde(alias = "New", alias = "NEW")]
    New,
    /// Larger, more, worse.
    #[serde(alias = "Increased", alias = "INCREASED")]
    Increased,
    /// Smaller, less, better.
    #[serde(alias = "Decreased", alias = "DECREASED")]
    Decreased,
    /// As before.
    #[serde(alias = "Unchanged", alias = "UNCHANGED", alias = "stable")]
    Unchanged,
    /// No longer there.
    #[serde(alias = "Resolved", alias = "RESOLVED")]
    Resolved,
}

/// Whether a reader has accepted a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has looked at it yet.
    #[serde(alias = "Proposed", alias = "PROPOSED", alias = "unconfirmed")]
    Proposed,
    /// A reader accepted it.
    #[serde(alias = "Confirmed", alias = "CONFIRMED", alias = "accepted")]
    Confirmed,
    /// A reader refused it.
    #[serde(alias = "Rejected", alias = "REJECTED")]
    Rejected,
}

/// Where a finding comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Reader, measurement, model or text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<SourceKind>,
    /// The model's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// sha256 of the model's weights, lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The model's score, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What kind of source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// The reader said so.
    Reader,
    /// A measurement on the image.
    Measurement,
    /// A model's output.
    Model,
    /// The text of a report.
    Text,
    /// A kind that this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// Accepts `8.4` beside `[8.4, 6.1]`: a single diameter is written both ways.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<f64>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a size is a number of mm or a list of numbers")]
    enum OneOrMany {
        One(f64),
        Many(Vec<f64>),
    }
    Ok(match Option::<OneOrMany>::deserialize(deserializer)? {
        None => None,
        Some(OneOrMany::One(size)) => Some(vec![size]),
        Some(OneOrMany::Many(sizes)) => Some(sizes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: &str = r#"{"exam": {"modality": "CT", "body_part": "CHEST", "laterality": null, "contrast": true, "date": "2026-11-18", "series": 4, "images": 268},
 "patient": {"sex": "F", "age": 64, "shoe_size": 41},
 "priors": [{"date": "2025-10-30", "modality": "CT"}],
 "findings": [{"id": "f1", "term": "pulmonary nodule", "assertion": "present", "site": "right lower lobe", "side": "right",
   "size_mm": [8.4, 6.1], "prior_size_mm": [6.0, 5.0], "volume_ml": null, "mean_hu": null, "count": 1, "change": "increased",
   "attributes": {"composition": "solid"}, "source": {"kind": "model", "model": "ct-lung-nodule", "score": 0.91}, "state": "confirmed"}],
 "made_by": {"name": "other program"}}"#;

    #[test]
    fn the_contract_file_is_read_and_unknown_fields_are_kept() {
        let file = FindingsFile::from_json(CONTRACT).unwrap();
        let finding = &file.known_findings()[0];
        assert_eq!(finding.side, Some(Side::Right));
        assert_eq!(finding.longest_mm(), Some(8.4));
        assert_eq!(finding.attribute("composition").as_deref(), Some("solid"));
        let written = serde_json::to_value(&file).unwrap();
        assert_eq!(written["patient"]["shoe_size"], 41);
        assert_eq!(written["made_by"]["name"], "other program");
        assert_eq!(serde_json::from_value::<FindingsFile>(written).unwrap(), file);
    }

    #[test]
    fn empty_and_absent_lists_stay_apart() {
        let none_known = FindingsFile::from_json("{}").unwrap();
        let known_none = FindingsFile::from_json(r#"{"priors": [], "findings": null}"#).unwrap();
        assert_eq!(none_known.priors, None);
        assert_eq!(known_none.priors, Some(vec![]));
        assert_eq!(known_none.findings, None);
    }

    #[test]
    fn a_model_finding_without_state_is_only_proposed() {
        let finding: Finding = serde_json::from_str(r#"{"source": {"kind": "model"}, "size_mm": 12}"#).unwrap();
        assert_eq!(finding.effective_state(), State::Proposed);
        assert_eq!(finding.size_mm, Some(vec![12.0]));
        let finding: Finding = serde_json::from_str(r#"{"source": {"kind": "mask"}}"#).unwrap();
        assert_eq!(finding.effective_state(), State::Confirmed);
    }

    #[test]
    fn a_wrong_type_is_one_sentence() {
        let error = FindingsFile::from_json(r#"{"findings": [{"side": "upwards"}]}"#).unwrap_err().to_string();
        assert!(error.starts_with("the findings file cannot be read: unknown variant `upwards`"), "{error}");
        assert!(!error.contains('\n'));
    }
}
