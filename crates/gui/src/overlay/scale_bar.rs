//! The scale bar: a round length near a fifth of the viewport.

use egui::{Align2, Painter, Pos2, Ui, pos2};

use super::haloed;
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

/// Draws it right of the middle at the bottom, left of the corner text, which is `corner_pt` wide.
pub fn paint(ui: &Ui, painter: &Painter, tokens: &Tokens, place: &Placement, corner_pt: f32) {
    let most = (f64::from(place.rect.width()) * 0.18).min(120.0);
    let mm = round_length_mm(place.pt_per_mm, most);
    let length = (mm * place.pt_per_mm) as f32;
    if length < 8.0 || place.rect.width() < 200.0 {
        return;
    }
    let right = place.rect.right() - 16.0 - corner_pt - 16.0 - length / 2.0;
    let middle = (place.rect.center().x + place.rect.width() * 0.19).min(right);
    if middle - length / 2.0 < place.rect.center().x + 16.0 {
        return;
    }
    let y = place.rect.bottom() - 16.0;
    let (x0, x1) = ((middle - length / 2.0).round(), (middle + length / 2.0).round());
    let up = |x: f32, h: f32| -> Pos2 { pos2(x, y - h) };
    let mut comb = vec![up(x0, 6.0), up(x0, 0.0)];
    for i in 1..5 {
        let x = (x0 + (x1 - x0) * i as f32 / 5.0).round();
        comb.extend([up(x, 0.0), up(x, 3.0), up(x, 0.0)]);
    }
    comb.extend([up(x1, 0.0), up(x1, 6.0)]);
    haloed(painter, tokens, comb, false, 1.0, tokens.ov);
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
