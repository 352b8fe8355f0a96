//! How much a mask holds, in the unit that its stack allows; and how that is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::Ui;
use lightbox_core::SegmentId;
use lightbox_core::measure::Calibration;
use lightbox_session::annotation::{Annotation, Reading, read};
use lightbox_session::{AnnotationId, Document, OpenStack, Session, StackId};

/// What the masks of a stack are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A volume in the patient: mL.
    Millilitre,
    /// An image with a known size of its pixels: cm², or mm² for what is small.
    Area(Calibration),
    /// An image without: pixels².
    Pixels,
}

impl Unit {
    /// The unit of a stack.
    pub(super) fn of(open: &OpenStack) -> Self {
        match open.calibration() {
            _ if open.info.is_volume && open.in_patient => Self::Millilitre,
            Calibration::None => Self::Pixels,
            known => Self::Area(known),
        }
    }

    /// What stands over a column of numbers.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Millilitre => "mL",
            Self::Area(_) => "cm²",
            Self::Pixels => "px²",
        }
    }

    /// What the numbers mean, where it has to be said: `at the detector`.
    pub(super) fn note(self) -> &'static str {
        match self {
            Self::Area(calibration) => calibration.note(),
            Self::Millilitre => "",
            Self::Pixels => "not calibrated",
        }
    }

    /// A number in the unit of [`Unit::heading`], from one in that of [`lightbox_session::amount`].
    pub(super) fn number(self, value: f64) -> String {
        let value = if matches!(self, Self::Area(_)) { value / 100.0 } else { value };
        let decimals = match (self, value.abs()) {
            (Self::Pixels, _) => 0,
            (_, size) if size >= 100.0 => 1,
            (_, size) if size >= 10.0 => 2,
            _ => 3,
        };
        minus(format!("{value:.decimals$}"))
    }

    /// Number and unit: `142.3 cm²`.
    pub(super) fn text(self, value: f64) -> String {
        format!("{} {}", self.number(value), self.heading())
    }

    /// A change, with its sign: `+0.012 mL`.
    pub(super) fn change(self, value: f64) -> String {
        let sign = if value > 0.0 { "+" } else { "" };
        format!("{sign}{}", self.text(value))
    }
}

/// The minus sign of figures instead of a hyphen.
pub(super) fn minus(text: String) -> String {
    text.replace('-', "−")
}

/// How much each segment of a stack holds, in the unit of [`lightbox_session::amount`]. Counting bits of large masks takes time, so it
/// is done once for each revision of the document.
pub(super) fn amounts(
    ui: &Ui,
    session: &Session,
    stack: StackId,
    document: &Document,
) -> Arc<BTreeMap<SegmentId, f64>> {
    type Kept = (StackId, u64, Arc<BTreeMap<SegmentId, f64>>);
    let key = egui::Id::unique(("amounts", stack));
    let kept = ui.data(|data| data.get_temp::<Kept>(key));
    if let Some((_, revision, amounts)) = kept
        && revision == document.revision
        && amounts.len() == document.segments.len()
    {
        return amounts;
    }
    let open = session.library.stack(stack);
    let held = |mask| open.map_or(0.0, |open| lightbox_session::amount(open, mask));
    let amounts: BTreeMap<_, _> = document.segments.iter().map(|segment| (segment.id, held(&segment.mask))).collect();
    let amounts = Arc::new(amounts);
    ui.data_mut(|data| data.insert_temp::<Kept>(key, (stack, document.revision, Arc::clone(&amounts))));
    amounts
}

/// The numbers of a measurement. The statistics of an ellipse read a plane, so they are taken once for each state of the
/// measurement and of the pixels.
pub(crate) fn reading(ui: &Ui, annotation: &Annotation, open: &OpenStack) -> Option<Reading> {
    type Kept = (Annotation, u64, Option<Reading>);
    let key = egui::Id::unique(("reading", open.id, AnnotationId(annotation.id.0)));
    let kept = ui.data(|data| data.get_temp::<Kept>(key));
    if let Some((of, revision, reading)) = kept
        && of == *annotation
        && revision == open.revision
    {
        return reading;
    }
    let reading = read(annotation, open);
    ui.data_mut(|data| data.insert_temp::<Kept>(key, (annotation.clone(), open.revision, reading.clone())));
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_decimals_that_their_size_allows() {
        assert_eq!(Unit::Millilitre.text(1.8424), "1.842 mL");
        assert_eq!(Unit::Millilitre.text(2841.26), "2841.3 mL");
        assert_eq!(Unit::Area(Calibration::Detector).text(14_230.0), "142.3 cm²");
        assert_eq!(Unit::Pixels.text(512.0), "512 px²");
    }

    #[test]
    fn changes_have_a_sign_that_is_no_hyphen() {
        assert_eq!(Unit::Millilitre.change(0.012), "+0.012 mL");
        assert_eq!(Unit::Millilitre.change(-0.024), "−0.024 mL");
        assert_eq!(Unit::Pixels.change(0.0), "0 px²");
    }
}
