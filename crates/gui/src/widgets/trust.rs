//! How far an image can be believed: the trust bar below it, the head bar above it; and the items of the status bar.

use egui::{
    Align2, Color32, CornerRadius, Pos2, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind, Ui, Widget,
    WidgetInfo, pos2, vec2,
};

use super::{line_text, paint_icon, paint_text};
use crate::{
    fonts::{Weight, font},
    icons::{self, Icon},
    theme::{self, size},
};

/// The shape of a statement about an image. Hue is never alone: each has its shape, and words beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustMark {
    /// ● full fidelity.
    Full,
    /// ◐ interpolated, or still improving.
    Partial,
    /// ▲ a gap, a tilt, loss, synthetic pixels.
    Trouble,
    /// ■ calibrated at the patient.
    AtPatient,
    /// △ calibrated at the detector.
    AtDetector,
    /// ○ calibrated by the user.
    ByUser,
    /// A model's work lies on the image.
    Model,
}

impl TrustMark {
    /// In which order statements stand, and go where there is no room: trouble first, then a model's work, which a reader
    /// must not take for the image, then the rest.
    fn rank(self) -> u8 {
        match self {
            Self::Trouble => 0,
            Self::Model => 1,
            _ => 2,
        }
    }
}

/// One statement: its shape and its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustItem<'a> {
    /// The shape.
    pub mark: TrustMark,
    /// The words.
    pub text: &'a str,
    /// The words where there is little room; empty for the same.
    pub short: &'a str,
}

/// What an item takes beside its words: the mark before them, the gap after them.
const BESIDE_PT: [f32; 2] = [16.0, 12.0];

/// The bar below an image, 20 high and as wide as the room: what it is worth, and where in the stack it is.
#[derive(Clone, Copy, Debug)]
#[must_use = "add it to a Ui"]
pub struct TrustBar<'a> {
    /// The statements, most important first; what has no room is left out from the end, trouble and models never.
    pub items: &'a [TrustItem<'a>],
    /// Words at the right end: "87 / 268".
    pub end: &'a str,
}

impl Widget for TrustBar<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let note = || font(size::TEXT[0], Weight::Regular);
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::TRUST_BAR), Sense::hover());
        ui.painter().rect_filled(rect, 0, t.bg1);
        let inner = rect.shrink2(vec2(8.0, 0.0));
        let words = line_text(ui, self.end, note(), t.t2, inner.width());
        let right = inner.right() - words.size().x - if self.end.is_empty() { 0.0 } else { 12.0 };
        paint_text(ui.painter(), words, inner, Align2::RIGHT_CENTER);
        let mut x = inner.left();
        for (item, text, room) in
            fitting(self.items, right - x, |text| line_text(ui, text, note(), t.t2, f32::INFINITY).size().x)
        {
            let ink = if item.mark == TrustMark::Trouble { t.warn } else { t.t2 };
            let colour = if item.mark == TrustMark::Full { t.ok } else { ink };
            paint_mark(ui, item.mark, pos2(x + 6.0, rect.center().y), colour);
            let words = line_text(ui, text, note(), ink, room);
            let wide = words.size().x;
            paint_text(ui.painter(), words, inner.with_min_x(x + BESIDE_PT[0]), Align2::LEFT_CENTER);
            x += BESIDE_PT[0] + wide + BESIDE_PT[1];
        }
        let spoken: Vec<&str> = self.items.iter().map(|item| item.text).chain([self.end]).collect();
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, spoken.join(", ")));
        response
    }
}

/// The statements that have room, in their order, with the words of each and the width that these may take.
fn fitting<'a>(
    items: &[TrustItem<'a>],
    room_pt: f32,
    width: impl Fn(&str) -> f32,
) -> Vec<(TrustItem<'a>, &'a str, f32)> {
    let mut kept: Vec<TrustItem<'a>> = items.to_vec();
    kept.sort_by_key(|item| item.mark.rank());
    let whole =
        |words: &[&str]| words.iter().map(|text| width(text) + BESIDE_PT[0] + BESIDE_PT[1]).sum::<f32>() - BESIDE_PT[1];
    let words = |kept: &[TrustItem<'a>], short: bool| -> Vec<&'a str> {
        kept.iter().map(|item| if short && !item.short.is_empty() { item.short } else { item.text }).collect()
    };
    // All in full, or all that there is room for in short.
    let short = whole(&words(&kept, false)) > room_pt;
    let mut texts = words(&kept, short);
    while whole(&texts) > room_pt && kept.last().is_some_and(|item| item.mark.rank() > 1) {
        kept.pop();
        texts.pop();
    }
    // What is left must be shown; the longest words give way.
    let mut widths: Vec<f32> = texts.iter().map(|text| width(text)).collect();
    let beside = kept.len() as f32 * (BESIDE_PT[0] + BESIDE_PT[1]) - BESIDE_PT[1];
    let mut over = widths.iter().sum::<f32>() + beside - room_pt;
    while over > 0.0 {
        let longest = (0..widths.len()).max_by(|a, b| widths[*a].total_cmp(&widths[*b]));
        let Some(longest) = longest.filter(|n| widths[*n] > 1.0) else { break };
        let less = over.min(widths[longest] * 0.2).max(1.0);
        widths[longest] -= less;
        over -= less;
    }
    kept.into_iter().zip(texts).zip(widths).map(|((item, text), pt)| (item, text, pt.ceil())).collect()
}

/// Paint the shape of a statement around a centre.
pub(super) fn paint_mark(ui: &Ui, mark: TrustMark, centre: Pos2, colour: Color32) {
    let painter = ui.painter();
    let thin = Stroke::new(1.0, colour);
    let triangle =
        |half: f32| vec![centre + vec2(0.0, -half), centre + vec2(half, half * 0.8), centre + vec2(-half, half * 0.8)];
    match mark {
        TrustMark::Full => {
            painter.circle_filled(centre, 3.0, colour);
        }
        TrustMark::Partial => {
            let radius = 3.5;
            let mut half = vec![centre + vec2(0.0, -radius)];
            half.extend((0..=12).map(|step| {
                let angle = std::f32::consts::PI * (0.5 + step as f32 / 12.0);
                centre + radius * vec2(angle.cos(), angle.sin())
            }));
            painter.add(Shape::convex_polygon(half, colour, Stroke::NONE));
            painter.circle_stroke(centre, radius, thin);
        }
        TrustMark::Trouble => {
            painter.add(Shape::convex_polygon(triangle(5.0), colour, Stroke::NONE));
        }
        TrustMark::AtPatient => {
            painter.rect_filled(Rect::from_center_size(centre, vec2(6.0, 6.0)), 1, colour);
        }
        TrustMark::AtDetector => {
            painter.add(Shape::closed_line(triangle(4.5), thin));
        }
        TrustMark::ByUser => {
            painter.circle_stroke(centre, 3.5, thin);
        }
        TrustMark::Model => paint_icon(painter, icons::CPU, centre, size::ICON[2], colour),
    }
}

/// The bar above an image in a comparison, 20 high: what it is. Synthetic pixels get the amber edge.
pub fn head_bar(ui: &mut Ui, words: &str, synthetic: bool) -> Response {
    let t = theme::tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::TRUST_BAR), Sense::hover());
    let (ground, ink) = if synthetic { (t.void, t.synthetic) } else { (t.bg1, t.t2) };
    ui.painter().rect_filled(rect, 0, ground);
    if synthetic {
        ui.painter().rect_stroke(rect, CornerRadius::ZERO, Stroke::new(1.0, ink), StrokeKind::Inside);
    }
    let galley = line_text(ui, words, font(size::TEXT[0], Weight::SemiBold), ink, rect.width() - 16.0);
    paint_text(ui.painter(), galley, rect, Align2::CENTER_CENTER);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    response
}

/// An item of the status bar: words of 12, with an icon before them; `quiet` for a note.
pub fn status_item(ui: &mut Ui, icon: Option<Icon>, words: &str, quiet: bool) -> Response {
    let t = theme::tokens(ui);
    let ink = if quiet { t.t3 } else { t.t2 };
    let galley = line_text(ui, words, font(size::TEXT[1], Weight::Regular), ink, f32::INFINITY);
    let icon_pt = icon.map_or(0.0, |_| size::ICON[2] + 6.0);
    let (rect, response) =
        ui.allocate_exact_size(vec2((galley.size().x + icon_pt).ceil(), size::LINE[1]), Sense::hover());
    if let Some(icon) = icon {
        paint_icon(ui.painter(), icon, pos2(rect.left() + 6.0, rect.center().y), size::ICON[2], ink);
    }
    paint_text(ui.painter(), galley, rect.with_min_x(rect.left() + icon_pt), Align2::LEFT_CENTER);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(room_pt: f32) -> Vec<&'static str> {
        let item = |mark, text, short| TrustItem { mark, text, short };
        let items = [
            item(TrustMark::Full, "Full fidelity", ""),
            item(TrustMark::AtDetector, "mm: detector, not the patient", "mm: detector"),
            item(TrustMark::Model, "AI on the image: masks", "AI masks"),
            item(TrustMark::Trouble, "Lossy compression", "Lossy"),
        ];
        // A letter is ten wide.
        fitting(&items, room_pt, |text| text.len() as f32 * 10.0).into_iter().map(|(_, text, _)| text).collect()
    }

    #[test]
    fn a_models_work_is_the_last_to_go() {
        assert_eq!(
            shown(2000.0),
            ["Lossy compression", "AI on the image: masks", "Full fidelity", "mm: detector, not the patient"]
        );
        assert_eq!(shown(500.0), ["Lossy", "AI masks", "Full fidelity", "mm: detector"]);
        assert_eq!(shown(340.0), ["Lossy", "AI masks", "Full fidelity"]);
        assert_eq!(shown(100.0), ["Lossy", "AI masks"]);
    }
}
