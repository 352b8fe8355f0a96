//! The scale bar: a round length near a fifth of the viewport.

use egui::{Align2, Painter, Rect, Ui, pos2};

use crate::fonts::{Weight, font};
use crate::theme::Tokens;
use crate::views::place::Placement;
use crate::widgets::outlined_text;

/// Round lengths in mm, ascending.
const LENGTHS_MM: [f64; 14] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];

/// The longest round length that takes at most `most_pt` points.
#[must_use]
pub fn round_length_mm(pt_per_mm: f64, most_pt: f64) -> f64 {
    LENGTHS_MM.into_iter().rev().find(|l| l * pt_per_mm <= most_pt).unwrap_or(LENGTHS_MM[0])
}

/// Under this long it is not made shorter for the text.
const LEAST_PT: f64 = 40.0;
/// Free room between the letter in the middle of the lower edge and the bar.
const FROM_MIDDLE_PT: f32 = 16.0;

/// Where it lies: its ends and its length in mm. Right of the middle, and so far left of the corner text, which is
/// `corner_pt` wide, as there is room: where there is none, the text gives way, not the bar. `None` without a length that
/// can be seen.
#[must_use]
pub fn extent(place: &Placement, corner_pt: f32) -> Option<([f32; 2], f64)> {
    let right = place.rect.right() - 16.0 - corner_pt - 16.0;
    let room = f64::from(right - place.rect.center().x - FROM_MIDDLE_PT);
    let most = (f64::from(place.rect.width()) * 0.18).min(120.0).min(room.max(LEAST_PT));
    let mm = round_length_mm(place.pt_per_mm, most);
    let length = (mm * place.pt_per_mm) as f32;
    if length < 8.0 || place.rect.width() < 120.0 {
        return None;
    }
    // The number over it may be the wider of the two.
    let half = length.max(36.0) / 2.0;
    let least = place.rect.center().x + FROM_MIDDLE_PT + half;
    let middle = (place.rect.center().x + place.rect.width() * 0.19).min(right - half).max(least);
    Some(([middle - length / 2.0, middle + length / 2.0], mm))
}

/// Draws it.
pub fn paint(ui: &Ui, painter: &Painter, tokens: &Tokens, place: &Placement, ends: [f32; 2], mm: f64) {
    let ppp = painter.pixels_per_point();
    let snap = |v: f32| (v * ppp).round() / ppp;
    let y = snap(place.rect.bottom() - 16.0);
    let (x0, x1) = (snap(ends[0]), snap(ends[1]));
    // Whole pixels, not lines: a stroke of one pixel between two pixels would be grey over both.
    let one = 1.0 / ppp;
    let mut bars = vec![Rect::from_min_max(pos2(x0, y), pos2(x1 + one, y + one))];
    for i in 0..=5 {
        let x = snap(x0 + (x1 - x0) * i as f32 / 5.0);
        let height = if i == 0 || i == 5 { 6.0 } else { 3.0 };
        bars.push(Rect::from_min_max(pos2(x, y - height), pos2(x + one, y)));
    }
    let halo = super::halo(tokens);
    painter.rect_filled(bars[0].expand(one), 0, halo);
    for tick in &bars[1..] {
        // Down to where the halo of the bar begins, so that nowhere two halos lie on each other.
        painter.rect_filled(tick.expand(one).with_max_y(y - one), 0, halo);
    }
    for bar in bars {
        painter.rect_filled(bar, 0, tokens.ov);
    }
    let text = if mm < 1.0 { format!("{mm:.1} mm") } else { format!("{mm:.0} mm") };
    let at = pos2((x0 + x1) / 2.0, y - 7.0);
    outlined_text(ui, at, Align2::CENTER_BOTTOM, &text, font(11.0, Weight::Medium), tokens.ov);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_round_and_fit() {
        assert_eq!(round_length_mm(1.0, 120.0), 100.0);
        assert_eq!(round_length_mm(3.0, 120.0), 20.0);
        assert_eq!(round_length_mm(0.01, 120.0), 2000.0);
        assert_eq!(round_length_mm(1e9, 120.0), 0.1);
    }
}
