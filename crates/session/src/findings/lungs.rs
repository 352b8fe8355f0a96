//! The lungs of a chest X-ray, as findings: areas, and the widths of thorax and heart.

use lightbox_core::{Mask, Segment};
use lightbox_report::findings::{Finding, Source, SourceKind};
use lightbox_report::measures::{self, LungGeometry};

use super::{calibration_of, on_stack};
use crate::library::OpenStack;
use crate::session::Session;

/// Lung areas and cardiothoracic geometry of the newest lung masks on a projection.
pub(super) fn lungs(s: &Session, open: &OpenStack) -> Vec<Finding> {
    let Some(document) = s.documents.get(&open.id) else { return Vec::new() };
    if open.info.is_volume && open.in_patient {
        return Vec::new();
    }
    let (Some(right), Some(left)) = (document.newest_lung("right"), document.newest_lung("left")) else {
        return Vec::new();
    };
    let Some(frame) = right.mask.occupied().find(|k| left.mask.plane(*k).is_some()) else { return Vec::new() };
    let mut geometry = lung_geometry(open, &right.mask, &left.mask, frame);
    // A model may outline the lung behind the heart too; the shipped one does, as its card says. Then the gap between the
    // outlines is no heart, and a ratio from it would be wrong by half. Only outlines that a person drew have one.
    if [right, left].iter().any(|x| origin(x).is_some()) {
        geometry.heart_width_mm = None;
        geometry.ratio = None;
    }
    let (model, sha256) = origin(right).or_else(|| origin(left)).unwrap_or_default();
    // All of them are proposals: to accept a mask is no decision on a sentence.
    let mut findings = measures::sentences(&geometry, &model, &sha256);
    for finding in &mut findings {
        finding.id = finding.id.take().map(|id| on_stack(&id, open));
        if model.is_empty() {
            // Drawn by hand: the reader's own measurement.
            finding.source = Some(Source { kind: Some(SourceKind::Measurement), ..Source::default() });
        }
    }
    findings
}

fn origin(segment: &Segment) -> Option<(String, String)> {
    match &segment.origin {
        lightbox_core::label::MaskOrigin::Model { model, sha256, .. } => Some((model.clone(), sha256.clone())),
        lightbox_core::label::MaskOrigin::Reader => None,
    }
}

/// Areas and widths of two lung masks on one frame. Widths are measured along rows: the thorax from the outer edge of one
/// lung to the outer edge of the other at the widest row; the heart from its furthest border on one side to that on the
/// other, in the lower half of the lungs' height (above it lie the vessels of the mediastinum) and above the diaphragm.
/// A heart outside of a quarter to three quarters of the thorax is no heart, and is left out.
#[must_use]
pub fn lung_geometry(open: &OpenStack, right: &Mask, left: &Mask, frame: usize) -> LungGeometry {
    let [columns, rows, _] = open.geometry().dims();
    let [row_mm, column_mm, _] = open.geometry().spacing_mm();
    let calibration = calibration_of(open.calibration());
    let span = |mask: &Mask, row: usize| -> Option<(usize, usize)> {
        let plane = mask.plane(frame)?;
        let mut set = (0..columns).filter(|c| plane.get(row * columns + c));
        let first = set.next()?;
        Some((first, set.next_back().unwrap_or(first)))
    };
    let both: Vec<(usize, (usize, usize), (usize, usize))> = (0..rows)
        .filter_map(|r| {
            let (a, b) = (span(right, r)?, span(left, r)?);
            // The one further left in the image first, whichever side it is.
            Some(if a.0 <= b.0 { (r, a, b) } else { (r, b, a) })
        })
        .collect();
    let thorax_px = both.iter().map(|(_, a, b)| b.1 + 1 - a.0).max();
    let middle = both.first().zip(both.last()).map(|(f, l)| (f.0 + l.0) / 2);
    let heart_px = middle.and_then(|m| {
        let lower = || both.iter().filter(move |(r, ..)| *r >= m);
        // Columns counted away from the middle on both sides, so that one walk serves both lungs.
        let at_left = furthest(lower().map(|(_, a, _)| -(a.1 as i64)))?;
        let at_right = furthest(lower().map(|(_, _, b)| b.0 as i64))?;
        let gap = usize::try_from(at_right + at_left - 1).ok()?;
        let thorax = thorax_px? as f64;
        Some(gap).filter(|gap| (0.25..0.75).contains(&(*gap as f64 / thorax)))
    });
    let area_px = |mask: &Mask| mask.plane(frame).map_or(0, |p| p.count()) as f64;
    let (n_right, n_left) = (area_px(right), area_px(left));
    let known = calibration != measures::Calibration::None;
    let mm = |px: usize| px as f64 * column_mm;
    LungGeometry {
        right_area_mm2: known.then_some(n_right * row_mm * column_mm),
        left_area_mm2: known.then_some(n_left * row_mm * column_mm),
        right_share: (n_right + n_left > 0.0).then(|| n_right / (n_right + n_left)),
        left_share: (n_right + n_left > 0.0).then(|| n_left / (n_right + n_left)),
        thoracic_width_mm: thorax_px.filter(|_| known).map(mm),
        heart_width_mm: heart_px.filter(|_| known).map(mm),
        ratio: heart_px.zip(thorax_px).map(|(h, t)| h as f64 / t as f64),
        calibration,
    }
}

/// How far the inner edge of a lung goes outwards from row to row, before the diaphragm: there it goes on nearly level,
/// or jumps to what is left of the lung in the outer corner.
fn furthest(edge: impl Iterator<Item = i64>) -> Option<i64> {
    /// Rows over which the slope is looked at, so that one ragged row is no diaphragm.
    const ROWS: usize = 4;
    /// Columns outwards for a row down that no border of a heart has.
    const STEEPEST: i64 = 2;
    let edge: Vec<i64> = edge.collect();
    let level = |i: &usize| edge.get(i + ROWS).is_some_and(|later| later - edge[*i] > STEEPEST * ROWS as i64);
    let end = (0..edge.len()).find(level).unwrap_or(edge.len().saturating_sub(1));
    edge[..=end.min(edge.len().checked_sub(1)?)].iter().max().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up;

    #[test]
    fn areas_are_those_of_the_frame_that_the_widths_are_of() {
        let mut s = Session::default();
        let id = s.library.add(made_up::study("1.2", made_up::stack(2, false)))[0];
        let open = s.library.stack(id).expect("open");
        let (mut right, mut left) = (Mask::new([32, 32, 2]), Mask::new([32, 32, 2]));
        for row in 4..12 {
            right.set([3, row, 0], true);
            left.set([20, row, 0], true);
            // Another moment of the same chest.
            (0..10).for_each(|c| right.set([c, row, 1], true));
        }
        let geometry = lung_geometry(open, &right, &left, 0);
        assert_eq!((geometry.right_area_mm2, geometry.left_area_mm2), (Some(8.0), Some(8.0)));
        assert_eq!(geometry.right_share, Some(0.5));
    }

    #[test]
    fn the_border_of_the_heart_ends_where_the_diaphragm_begins() {
        // Ten rows of a border that goes out a column a row, then the outer corner of the lung far away.
        let jump = (0..10).chain([60, 61, 62, 63, 64]);
        assert!(furthest(jump).is_some_and(|x| x < 10));
        // The same border, then a diaphragm that goes outwards by five columns a row.
        let slope = (0..10).chain((1..20).map(|i| 9 + 5 * i));
        assert!(furthest(slope).is_some_and(|x| x <= 10));
        // A border that bulges and goes back has its widest place in the middle.
        assert_eq!(furthest([3, 5, 7, 8, 8, 7, 6, 5].into_iter()), Some(8));
        assert_eq!(furthest(std::iter::empty()), None);
    }
}
