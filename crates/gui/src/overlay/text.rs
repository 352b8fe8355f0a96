//! Corner text and the letters at the edges.

use egui::{Align2, FontId, Pos2, Rect, Ui, pos2};
use lightbox_core::Plane;
use lightbox_core::plane::PlaneStack;
use lightbox_session::workspace::{LayerShow, TextLevel};
use lightbox_session::{FrameRef, OpenStack, Session};

use crate::fonts::{Weight, font};
use crate::textures::{layer_of, residual_reach};
use crate::theme::Tokens;
use crate::views::place::Placement;
use crate::widgets::{faint_text, outlined_text};

/// A viewport narrower or lower than this has one line a corner, and a smaller letter: text gives way before pixels.
const SMALL_PT: [f32; 2] = [480.0, 280.0];
/// Below this the corners of a projection have one line, where two would lie on the image.
const TIGHT_PT: [f32; 2] = [640.0, 480.0];
/// Words this near to the pointer fade, so that what lies under them can be looked at.
const FADE_PT: f32 = 24.0;
/// Free room between the scale bar and the text at its right.
const BESIDE_BAR_PT: f32 = 12.0;

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
    // A difference has a window of its own, about zero.
    let difference = layer_of(s, slot).filter(|(layer, _)| layer.show == LayerShow::Residual);
    if let Some((_, restored)) = difference {
        out[2][0] = format!("±{:.0} {}", residual_reach(restored), open.unit());
    } else if view.inverted {
        out[2][0].push_str("  inverted");
    }
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
    let place = position(open, view.plane, place);
    out[3][1] = [instance(open, &planes, view.index), place]
        .into_iter()
        .filter(|t| !t.is_empty())
        .collect::<Vec<_>>()
        .join("  ");
    out
}

/// The number of the image as others know it: `Im 60`, the Instance Number; in a file of many frames `Fr 60`. Planes
/// between the images have none.
fn instance(open: &OpenStack, planes: &PlaneStack, index: usize) -> String {
    let frames = &open.info.frames;
    let Some(frame) = planes.stored_slice(index).and_then(|k| frames.get(k)) else { return String::new() };
    let shares_file = |other: &FrameRef| other.frame != frame.frame && other.source == frame.source;
    match frame.instance_number {
        _ if frames.iter().any(shares_file) => format!("Fr {}", frame.frame + 1),
        Some(n) => format!("Im {n}"),
        None => String::new(),
    }
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

/// The corners as a viewport of this size shows them.
pub struct Shown<'a> {
    lines: [Vec<(&'a str, bool)>; 4],
    font: FontId,
    line_pt: f32,
}

impl<'a> Shown<'a> {
    /// What of the corners is shown. Where one line has to do, it is the name, the date, the window and the place: in small
    /// viewports, and in middling ones where two would lie on a projection, in whose corners the marks of the side are
    /// burnt in.
    #[must_use]
    pub fn new(ui: &Ui, corners: &'a [[String; 2]; 4], place: &Placement, projection: bool, level: TextLevel) -> Self {
        let rect = place.rect;
        let small = rect.width() < SMALL_PT[0] || rect.height() < SMALL_PT[1];
        let tight = rect.width() < TIGHT_PT[0] || rect.height() < TIGHT_PT[1];
        let (size_pt, line_pt) = if small { (11.0, 14.0) } else { (12.0, 16.0) };
        let font = font(size_pt, Weight::Regular);
        let on_image = |corner: usize| {
            let wide = corners[corner].iter().map(|text| width(ui, text, &font)).fold(0.0, f32::max);
            let align = [Align2::LEFT_TOP, Align2::RIGHT_TOP, Align2::LEFT_BOTTOM, Align2::RIGHT_BOTTOM][corner];
            let room = align.align_size_within_rect(egui::vec2(wide + 16.0, 2.0 * line_pt + 8.0), rect);
            room.intersects(place.shown())
        };
        let lines = std::array::from_fn(|corner| {
            if level == TextLevel::None || corner == 0 && level == TextLevel::Some {
                return Vec::new();
            }
            let lines = corners[corner].iter().enumerate().map(|(n, text)| (text.as_str(), n == 0));
            let mut lines: Vec<_> = lines.filter(|(text, _)| !text.is_empty()).collect();
            if lines.len() > 1 && (small || tight && projection && on_image(corner)) {
                lines.remove(if corner % 2 == 1 { 0 } else { 1 });
            }
            lines
        });
        Self { lines, font, line_pt }
    }

    /// Width of the text at the bottom right, beside which the scale bar lies.
    #[must_use]
    pub fn place_width(&self, ui: &Ui) -> f32 {
        self.lines[3].iter().map(|(text, _)| width(ui, text, &self.font)).fold(0.0, f32::max)
    }
}

/// Draws letters, and the corners; the one at the bottom right keeps clear of the scale bar, whose right end is given.
/// Words near the pointer fade.
pub fn paint(
    ui: &Ui,
    t: &Tokens,
    rect: Rect,
    shown: &Shown<'_>,
    letters: &[String; 4],
    bar_right: Option<f32>,
    pointer: Option<Pos2>,
) {
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
    for (corner, lines) in shown.lines.iter().enumerate() {
        let right = corner % 2 == 1;
        let bottom = corner >= 2;
        let x = if right { r.right() - 8.0 } else { r.left() };
        let mut most = (r.width() / 2.0 - 24.0).max(40.0);
        if let (3, Some(bar)) = (corner, bar_right) {
            most = most.min(x - bar - BESIDE_BAR_PT);
        }
        let top = if bottom { r.bottom() - lines.len() as f32 * shown.line_pt } else { r.top() };
        for (n, (text, first)) in lines.iter().enumerate() {
            let text = fitting(ui, text, &shown.font, most);
            let at = pos2(x, top + n as f32 * shown.line_pt);
            let align = if right { Align2::RIGHT_TOP } else { Align2::LEFT_TOP };
            let ink = if *first { t.ov } else { t.ov2 };
            let room = align.anchor_size(at, egui::vec2(width(ui, &text, &shown.font), shown.line_pt));
            if pointer.is_some_and(|p| room.distance_to_pos(p) < FADE_PT) {
                faint_text(ui, at, align, &text, shown.font.clone(), ink);
            } else {
                outlined_text(ui, at, align, &text, shown.font.clone(), ink);
            }
        }
    }
}

fn width(ui: &Ui, text: &str, font: &FontId) -> f32 {
    ui.painter().layout_no_wrap(text.to_owned(), font.clone(), egui::Color32::PLACEHOLDER).size().x
}

/// The text, shortened with an ellipsis to `most_pt`.
fn fitting(ui: &Ui, text: &str, font: &FontId, most_pt: f32) -> String {
    if width(ui, text, font) <= most_pt {
        return text.to_owned();
    }
    let mut out: String = text.to_owned();
    while out.pop().is_some() && !out.is_empty() {
        let short = format!("{}…", out.trim_end());
        if width(ui, &short, font) <= most_pt {
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
