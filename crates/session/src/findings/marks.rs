//! What models marked on an image, as findings; and the side of the patient that a place of an image lies on.

use lightbox_core::measure::Calibration;
use lightbox_core::{BitPlane, PatientPos, Segment, VoxelPos};
use lightbox_report::findings::{Assertion, Finding, Side, Source, SourceKind, State};
use serde_json::{Map, json};

use super::{calibration_of, on_stack};
use crate::boxes::{BoxMark, MarkState};
use crate::document::Document;
use crate::library::OpenStack;
use crate::session::Session;

/// More boxes of a stack than this are not proposed to the report at once.
const MOST_PROPOSED: usize = 10;

/// The side of the patient that points lie on, as far as the masks tell: inside of one that has a side, else, on a
/// frontal X-ray with both lungs outlined, the side of the middle between them. Without masks it is unknown: the middle of
/// an image is not that of a patient.
pub(super) fn side_of(open: &OpenStack, document: &Document, points: &[PatientPos]) -> Option<Side> {
    let n = points.len().max(1) as f64;
    let middle = points.iter().fold(PatientPos::default().0, |sum, p| sum + p.0) / n;
    let voxel = open.geometry().to_voxel(PatientPos(middle)).0;
    let [columns, rows, slices] = open.geometry().dims();
    let at = |v: f64, n: usize| (v.round() >= 0.0 && v.round() < n as f64).then(|| v.round() as usize);
    let (x, y, z) = (at(voxel.x, columns)?, at(voxel.y, rows)?, at(voxel.z, slices)?);
    let told = |x: &Segment| match x.side.as_ref().map(|side| side.value.as_str()) {
        Some("24028007") => Some(Side::Right),
        Some("7771000") => Some(Side::Left),
        _ => None,
    };
    let covers = |s: &&Segment| s.mask.get([x, y, z]);
    let sides: Vec<Side> = document.segments.iter().filter(covers).filter_map(told).collect();
    if let Some(first) = sides.first() {
        return sides.iter().all(|side| side == first).then_some(*first);
    }
    if open.info.is_volume && open.in_patient {
        return None;
    }
    let (right, left) = (document.newest_lung("right")?, document.newest_lung("left")?);
    let column = |segment: &Segment| mean_column(segment.mask.plane(z)?, columns);
    let (right, left) = (column(right)?, column(left)?);
    let (midline, apart) = ((right + left) / 2.0, (left - right).abs());
    // Near the middle it may be either: a heart, a vessel, a vertebra.
    if (voxel.x - midline).abs() < apart / 8.0 {
        return None;
    }
    Some(if (voxel.x < midline) == (right < left) { Side::Right } else { Side::Left })
}

fn mean_column(plane: &BitPlane, columns: usize) -> Option<f64> {
    let (mut sum, mut n) = (0.0, 0usize);
    for i in plane.iter_set() {
        sum += (i % columns) as f64;
        n += 1;
    }
    (n > 0).then(|| sum / n as f64)
}

/// Boxes of a model on the images: proposals until the reader decides, as the box itself is.
pub(super) fn boxes(s: &Session, open: &OpenStack) -> Vec<Finding> {
    let Some(document) = s.documents.get(&open.id) else { return Vec::new() };
    let [row_mm, column_mm, _] = open.geometry().spacing_mm();
    let known = open.calibration() != Calibration::None;
    let of_box = |mark: &BoxMark| {
        let [x0, y0, x1, y1] = mark.rect_px.map(f64::from);
        let centre =
            open.geometry().to_patient(VoxelPos::new((x0 + x1 - 1.0) / 2.0, (y0 + y1 - 1.0) / 2.0, mark.frame as f64));
        let mut size = vec![((x1 - x0) * column_mm).round(), ((y1 - y0) * row_mm).round()];
        size.sort_by(|a, b| b.total_cmp(a));
        let mut attributes = Map::new();
        attributes.insert("calibration".into(), json!(calibration_of(open.calibration())));
        Finding {
            id: Some(on_stack(&format!("box-{}", mark.id), open)),
            term: Some(mark.label.to_lowercase()),
            assertion: Some(Assertion::Present),
            side: side_of(open, document, &[centre]),
            size_mm: known.then_some(size),
            attributes: Some(attributes),
            source: Some(Source {
                kind: Some(SourceKind::Model),
                model: Some(mark.model.clone()),
                sha256: Some(mark.sha256.clone()),
                score: Some(f64::from(mark.score)),
                ..Source::default()
            }),
            state: Some(if mark.state == MarkState::Rejected { State::Rejected } else { State::Proposed }),
            ..Finding::default()
        }
    };
    // Those that the reader sees. Of a model that marks everything, the best are enough to decide on.
    let shown = |b: &&BoxMark| b.score >= s.workspace.score_from.get(&b.model).copied().unwrap_or(0.0);
    let of = |state: MarkState| document.boxes.iter().filter(move |b| b.state == state);
    let mut proposed: Vec<&BoxMark> = of(MarkState::Proposed).filter(shown).collect();
    proposed.sort_by(|a, b| b.score.total_cmp(&a.score));
    of(MarkState::Accepted).chain(proposed.into_iter().take(MOST_PROPOSED)).map(of_box).collect()
}

/// Classes that a model found above its threshold.
pub(super) fn classes(s: &Session, open: &OpenStack) -> Vec<Finding> {
    let mut out = Vec::new();
    for result in s.results.iter().filter(|r| r.stack == open.id) {
        let Some((frame, scores)) = result.classes.first() else { continue };
        for score in scores.iter().filter(|c| c.probability >= c.threshold && !says_nothing(&c.label)) {
            let name = format!("class-{}-{}-{frame}", result.model, score.label.replace(' ', "_"));
            let mut attributes = Map::new();
            attributes.insert("probability".into(), json!((f64::from(score.probability) * 100.0).round() / 100.0));
            out.push(Finding {
                id: Some(on_stack(&name, open)),
                term: Some(score.label.to_lowercase()),
                assertion: Some(Assertion::Possible),
                attributes: Some(attributes),
                source: Some(Source {
                    kind: Some(SourceKind::Model),
                    model: Some(result.model.clone()),
                    sha256: Some(result.sha256.clone()),
                    score: Some(f64::from(score.probability)),
                    ..Source::default()
                }),
                state: Some(State::Proposed),
                ..Finding::default()
            });
        }
    }
    out
}

/// A class that says that there is nothing to say.
fn says_nothing(label: &str) -> bool {
    let label = label.to_lowercase();
    ["normal", "no finding", "background", "healthy", "negative", "none"].contains(&label.trim())
}
