//! Corner text and the letters at the edges.

use egui::{Align2, Rect, Ui, pos2, vec2};
use lightbox_core::Plane;
use lightbox_session::workspace::TextLevel;
use lightbox_session::{OpenStack, Session};

use crate::fonts::{Weight, font};
use crate::theme::Tokens;
use crate::views::place::Placement;
use crate::widgets::outlined_text;

/// A minus sign as wide as the figures.
#[must_use]
pub fn signed(v: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", v.abs());
    if v < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { format!("−{text}") } else { text }
}

/// The four corners: top left (patient), top right (study), bottom left (window), bottom right (place), two lines each.
#[must_use]
pub fn corners(s: &Session, slot: usize, open: &OpenStack, place: &Placement, ppp: f32) -> [[String; 2]; 4] {
    let view = &s.workspace.views[slot];
    let mut out: [[String; 2]; 4] = Default::default();
    if let Some(study) = s.library.study_of(open.id) {
        let p = &study.patient;
        let mut who = p.id.clone();
        if !p.sex.is_empty() {
            who.push_str(&format!("  {}", p.sex));
        }
        if let Some(age) = p.age_years {
            who.push_str(&format!("  {age:.0} y"));
        }
        out[0] = [p.name.clone(), who];
        let title = if study.description.is_empty() { open.title() } else { study.description.clone() };
        out[1] = [title, format!("{} {}", study.date, study.time).trim().to_owned()];
    }
    let w = s.window_of(slot);
    let decimals = if w.width < 10.0 { 2 } else { 0 };
    out[2][0] = if open.frame(0).is_some_and(|f| f.is_colour()) {
        "Colour".to_owned()
    } else {
        format!("W {}  L {}", signed(w.width, decimals), signed(w.center, decimals))
    };
    let magnification = place.pt_per_px() * f64::from(ppp);
    out[2][1] = if magnification < 0.95 { format!("×{magnification:.2}") } else { format!("×{magnification:.1}") };
    let planes = open.plane_stack(view.plane);
    let native = !planes.is_interpolated();
    let number = open.series.number.map_or(String::new(), |n| format!("Series {n}"));
    let title = open.title();
    out[3][0] = if native {
        // A series without a description is called by its number, which need not be said twice.
        let named = !open.series.description.is_empty() && !number.is_empty();
        if named { format!("{number}, {title}") } else { title }
    } else {
        let of = if number.is_empty() { title } else { number.to_lowercase() };
        format!("{}, MPR of {of}", view.plane.name())
    };
    out[3][1] = position(open, view.plane, place);
    out
}

/// Thickness and place along the scrolled axis: `2.5 mm  H 142.5`; the view of a projection.
fn position(open: &OpenStack, plane: Plane, place: &Placement) -> String {
    if !open.in_patient {
        let view = [open.series.modality.as_str(), open.series.view.as_str()];
        return view.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", ");
    }
    let planes = open.plane_stack(plane);
    let thickness = if planes.is_interpolated() {
        planes.step_mm().length()
    } else {
        open.info.thickness_mm.unwrap_or_else(|| planes.step_mm().length())
    };
    let o = place.grid.to_patient(lightbox_core::PlanePos::new(
        (place.grid.width as f64 - 1.0) / 2.0,
        (place.grid.height as f64 - 1.0) / 2.0,
    ));
    let n = place.grid.normal();
    let axis = (0..3).max_by(|a, b| n.to_array()[*a].abs().total_cmp(&n.to_array()[*b].abs())).unwrap_or(2);
    let v = o.0.to_array()[axis];
    let letter = [['R', 'L'], ['A', 'P'], ['F', 'H']][axis][usize::from(v >= 0.0)];
    let mm = format!("{thickness:.2}");
    format!("{} mm  {letter} {:.1}", mm.trim_end_matches('0').trim_end_matches('.'), v.abs())
}

/// Draws letters, and corners as far as the reader wants them.
pub fn paint(ui: &Ui, t: &Tokens, rect: Rect, corners: &[[String; 2]; 4], letters: &[String; 4], level: TextLevel) {
    let r = rect.shrink(8.0);
    let letter = font(13.0, Weight::SemiBold);
    let places = [
        (pos2(r.left(), r.center().y), Align2::LEFT_CENTER),
        (pos2(r.right() - 8.0, r.center().y), Align2::RIGHT_CENTER),
        (pos2(r.center().x, r.top()), Align2::CENTER_TOP),
        (pos2(r.center().x, r.bottom()), Align2::CENTER_BOTTOM),
    ];
    for ((at, align), text) in places.into_iter().zip(letters) {
        if !text.is_empty() {
            outlined_text(ui, at, align, text, letter.clone(), t.ov);
        }
    }
    if level == TextLevel::None {
        return;
    }
    let line = 16.0;
    let body = font(12.0, Weight::Regular);
    let most = (r.width() / 2.0 - 24.0).max(40.0);
    for (corner, [first, second]) in corners.iter().enumerate() {
        if corner == 0 && level == TextLevel::Some {
            continue;
        }
        let right = corner % 2 == 1;
        let bottom = corner >= 2;
        let x = if right { r.right() - 8.0 } else { r.left() };
        let top = if bottom { r.bottom() - 2.0 * line } else { r.top() };
        for (n, text) in [first, second].into_iter().enumerate() {
            if text.is_empty() {
                continue;
            }
            let at = pos2(x, top + n as f32 * line) + vec2(0.0, 0.0);
            let align = if right { Align2::RIGHT_TOP } else { Align2::LEFT_TOP };
            let ink = if n == 0 { t.ov } else { t.ov2 };
            outlined_text(ui, at, align, &fitting(ui, text, &body, most), body.clone(), ink);
        }
    }
}

/// Width of the wider line of a corner, as it is drawn.
#[must_use]
pub fn corner_width(ui: &Ui, rect: Rect, corner: &[String; 2]) -> f32 {
    let body = font(12.0, Weight::Regular);
    let most = (rect.width() / 2.0 - 40.0).max(40.0);
    let width = |t: &String| {
        ui.painter().layout_no_wrap(t.clone(), body.clone(), egui::Color32::PLACEHOLDER).size().x.min(most)
    };
    corner.iter().map(width).fold(0.0, f32::max)
}

/// The text, shortened with an ellipsis to `most_pt`.
fn fitting(ui: &Ui, text: &str, font: &egui::FontId, most_pt: f32) -> String {
    let width = |t: &str| ui.painter().layout_no_wrap(t.to_owned(), font.clone(), egui::Color32::PLACEHOLDER).size().x;
    if width(text) <= most_pt {
        return text.to_owned();
    }
    let mut out: String = text.to_owned();
    while out.pop().is_some() && !out.is_empty() {
        let short = format!("{}…", out.trim_end());
        if width(&short) <= most_pt {
            return short;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rounded_zero_has_no_sign() {
        assert_eq!((signed(-0.2, 0), signed(-600.0, 0), signed(0.25, 2)), ("0".into(), "−600".into(), "0.25".into()));
    }
}
