//! How far an image can be believed: the trust bar below it, the head bar above it; and the items of the status bar.

use egui::{
    Align2, Color32, CornerRadius, Pos2, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind, Ui, Widget,
    WidgetInfo, pos2, vec2,
};

use super::{line_text, paint_icon, paint_text};
use crate::{
    fonts::{Weight, font},
    icons::Icon,
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
}

/// One statement: its shape and its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustItem<'a> {
    /// The shape.
    pub mark: TrustMark,
    /// The words.
    pub text: &'a str,
}

/// The bar below an image, 20 high and as wide as the room: what it is worth, and where in the stack it is.
#[derive(Clone, Copy, Debug)]
#[must_use = "add it to a Ui"]
pub struct TrustBar<'a> {
    /// The statements, most important first; what has no room is left out from the end, trouble never.
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
        let mut trouble: Vec<_> = self.items.iter().filter(|item| item.mark == TrustMark::Trouble).collect();
        trouble.extend(self.items.iter().filter(|item| item.mark != TrustMark::Trouble));
        for item in trouble {
            let ink = if item.mark == TrustMark::Trouble { t.warn } else { t.t2 };
            let whole = line_text(ui, item.text, note(), ink, f32::INFINITY).size().x;
            let room = right - x - 16.0;
            if whole > room && item.mark != TrustMark::Trouble {
                break;
            }
            let colour = if item.mark == TrustMark::Full { t.ok } else { ink };
            paint_mark(ui, item.mark, pos2(x + 6.0, rect.center().y), colour);
            let words = line_text(ui, item.text, note(), ink, room);
            paint_text(ui.painter(), words, inner.with_min_x(x + 16.0), Align2::LEFT_CENTER);
            x += 16.0 + whole + 12.0;
        }
        let spoken: Vec<&str> = self.items.iter().map(|item| item.text).chain([self.end]).collect();
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, spoken.join(", ")));
        response
    }
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
