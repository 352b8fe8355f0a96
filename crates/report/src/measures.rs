//! Geometry of the lungs on a chest X-ray, turned into findings with the numbers that a sentence may use.
//!
//! The session computes the numbers from the masks; here they are rounded once, so that the finding,
//! the chip and the sentence all hold the same figure.
//!
//! Limits: a lung mask gives the inner border of the lungs, not the silhouette of the heart. The
//! "heart width" is the widest gap between the two lungs, which also holds mediastinal fat, vessels
//! and whatever opacity the model left out. The ratio is therefore an estimate, and its sentence says so.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::findings::{Assertion, Finding, Side, Source, SourceKind, State};

/// Term of the finding that holds the share of each lung.
pub const LUNG_AREA_TERM: &str = "lung area";
/// Term of the finding that holds the cardiothoracic ratio.
pub const CTR_TERM: &str = "cardiothoracic ratio";
/// Term of the finding that holds the inner width of the thorax, where the outlines say nothing of the heart.
pub const THORAX_TERM: &str = "thoracic width";

/// Term of a length that a person drew. What was measured is for that person to say: a name given here, a lesion say,
/// would be a finding that nobody made.
pub const LENGTH_TERM: &str = "measured length";

/// What a millimetre means on this image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// In the patient: a cross-sectional image, or a projection with known magnification.
    Patient,
    /// At the detector: larger than in the patient by the magnification of the projection.
    Detector,
    /// By an object of known size that the reader marked.
    User,
    /// No spacing is known: only shares and ratios mean something.
    #[default]
    None,
}

impl Calibration {
    /// The words that follow a length, `None` where a length means nothing.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::Patient => Some("in the patient"),
            Self::Detector => Some("at the detector"),
            Self::User => Some("by the reader's calibration"),
            Self::None => None,
        }
    }
}

/// Lung areas and widths of one frontal chest X-ray.
///
/// Fields that could not be measured are `None`. With [`Calibration::None`] the areas and widths are
/// not used, whatever they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LungGeometry {
    /// Area of the patient's right lung in mm².
    pub right_area_mm2: Option<f64>,
    /// Area of the patient's left lung in mm².
    pub left_area_mm2: Option<f64>,
    /// Share of the right lung of both, 0 to 1.
    pub right_share: Option<f64>,
    /// Share of the left lung of both, 0 to 1.
    pub left_share: Option<f64>,
    /// Widest inner thorax in mm: outer border of the right lung to outer border of the left lung.
    pub thoracic_width_mm: Option<f64>,
    /// Widest gap between the lungs in mm, at or above the diaphragm.
    pub heart_width_mm: Option<f64>,
    /// Heart width divided by thoracic width; also known without spacing.
    pub ratio: Option<f64>,
    /// What a millimetre means.
    pub calibration: Calibration,
}

/// The findings that the geometry allows, proposed by the model that made the masks.
///
/// Values that are not finite, not positive or not below one where a share or ratio is meant are left
/// out rather than written down. `model` is the id of the model, `sha256` that of its weights.
pub fn sentences(geometry: &LungGeometry, model: &str, sha256: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(lung_area(geometry, model, sha256));
    match cardiothoracic(geometry, model, sha256) {
        Some(ratio) => findings.push(ratio),
        None => findings.extend(thorax(geometry, model, sha256)),
    }
    findings
}

/// The width alone, where the masks do not end at the heart and so allow no ratio.
fn thorax(geometry: &LungGeometry, model: &str, sha256: &str) -> Option<Finding> {
    let thorax_mm = positive(geometry.thoracic_width_mm).filter(|_| geometry.calibration != Calibration::None)?;
    let mut attributes = Map::new();
    attributes.insert("thoracic_width_mm".into(), whole(thorax_mm.round()));
    attributes.insert("calibration".into(), json!(geometry.calibration));
    attributes.insert("method".into(), json!("outer borders of the lung outlines"));
    let mut finding = proposed("thoracic-width", THORAX_TERM, attributes, model, sha256);
    finding.site = Some("thorax".into());
    Some(finding)
}

fn lung_area(geometry: &LungGeometry, model: &str, sha256: &str) -> Option<Finding> {
    let right_share = fraction(geometry.right_share)?;
    fraction(geometry.left_share)?;
    // The left share is the remainder, so that the two rounded figures add up to 100.
    let right_percent = (right_share * 100.0).round();
    let mut attributes = Map::new();
    attributes.insert("right_percent".into(), whole(right_percent));
    attributes.insert("left_percent".into(), whole(100.0 - right_percent));
    if geometry.calibration != Calibration::None
        && let (Some(right_mm2), Some(left_mm2)) = (positive(geometry.right_area_mm2), positive(geometry.left_area_mm2))
    {
        attributes.insert("right_area_cm2".into(), whole((right_mm2 / 100.0).round()));
        attributes.insert("left_area_cm2".into(), whole((left_mm2 / 100.0).round()));
    }
    attributes.insert("calibration".into(), json!(geometry.calibration));
    let mut finding = proposed("lung-area", LUNG_AREA_TERM, attributes, model, sha256);
    finding.site = Some("lungs".into());
    finding.side = Some(Side::Bilateral);
    Some(finding)
}

fn cardiothoracic(geometry: &LungGeometry, model: &str, sha256: &str) -> Option<Finding> {
    let ratio = fraction(geometry.ratio)?;
    let mut attributes = Map::new();
    attributes.insert("ratio".into(), json!((ratio * 100.0).round() / 100.0));
    if geometry.calibration != Calibration::None
        && let (Some(heart_mm), Some(thorax_mm)) =
            (positive(geometry.heart_width_mm), positive(geometry.thoracic_width_mm))
    {
        attributes.insert("heart_width_mm".into(), whole(heart_mm.round()));
        attributes.insert("thoracic_width_mm".into(), whole(thorax_mm.round()));
    }
    attributes.insert("calibration".into(), json!(geometry.calibration));
    attributes.insert("method".into(), json!("widest gap between the lung outlines"));
    let mut finding = proposed("cardiothoracic-ratio", CTR_TERM, attributes, model, sha256);
    finding.site = Some("heart".into());
    Some(finding)
}

fn proposed(id: &str, term: &str, attributes: Map<String, Value>, model: &str, sha256: &str) -> Finding {
    Finding {
        id: Some(id.into()),
        term: Some(term.into()),
        assertion: Some(Assertion::Present),
        attributes: Some(attributes),
        source: Some(Source {
            kind: Some(SourceKind::Model),
            model: Some(model.into()),
            sha256: Some(sha256.into()),
            ..Source::default()
        }),
        state: Some(State::Proposed),
        ..Finding::default()
    }
}

fn fraction(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && *value > 0.0 && *value < 1.0)
}

fn positive(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && *value > 0.0)
}

/// A whole number as JSON integer, so that it prints as `54` and not as `54.0`.
fn whole(value: f64) -> Value {
    json!(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(calibration: Calibration) -> LungGeometry {
        LungGeometry {
            right_area_mm2: Some(21_640.0),
            left_area_mm2: Some(18_410.0),
            right_share: Some(0.5403),
            left_share: Some(0.4597),
            thoracic_width_mm: Some(306.6),
            heart_width_mm: Some(125.8),
            ratio: Some(0.4103),
            calibration,
        }
    }

    #[test]
    fn both_findings_are_proposals_with_rounded_figures() {
        let findings = sentences(&measured(Calibration::Detector), "cxr-lungs", "ab12");
        assert_eq!(findings.len(), 2);
        assert!(findings.iter().all(|finding| finding.effective_state() == State::Proposed));
        assert_eq!(findings[0].attribute_number("right_percent"), Some(54.0));
        assert_eq!(findings[0].attribute_number("left_percent"), Some(46.0));
        assert_eq!(findings[1].attribute_number("ratio"), Some(0.41));
        assert_eq!(findings[1].attribute_number("thoracic_width_mm"), Some(307.0));
    }

    #[test]
    fn without_spacing_no_length_is_stored() {
        let findings = sentences(&measured(Calibration::None), "cxr-lungs", "ab12");
        assert_eq!(findings[0].attribute_number("right_area_cm2"), None);
        assert_eq!(findings[1].attribute_number("heart_width_mm"), None);
        assert_eq!(findings[1].attribute_number("ratio"), Some(0.41));
    }

    #[test]
    fn impossible_numbers_make_no_finding() {
        let broken = LungGeometry {
            right_share: Some(f64::NAN),
            ratio: Some(1.4),
            thoracic_width_mm: Some(-1.0),
            ..measured(Calibration::Detector)
        };
        assert!(sentences(&broken, "cxr-lungs", "ab12").is_empty());
    }

    #[test]
    fn without_a_heart_the_width_of_the_thorax_is_all_that_is_said() {
        let no_heart = LungGeometry { heart_width_mm: None, ratio: None, ..measured(Calibration::Detector) };
        let findings = sentences(&no_heart, "cxr-lungs", "ab12");
        assert_eq!(findings[1].term.as_deref(), Some(THORAX_TERM));
        assert_eq!(findings[1].attribute_number("thoracic_width_mm"), Some(307.0));
        assert_eq!(findings[1].attribute_number("ratio"), None);
        let in_px = LungGeometry { calibration: Calibration::None, ..no_heart };
        assert_eq!(sentences(&in_px, "cxr-lungs", "ab12").len(), 1, "no width without a millimetre");
    }
}
