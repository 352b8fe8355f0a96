//! Maps over an image: their colours, their texture, the bar that says what the colours mean.

use egui::epaint::{Mesh, Vertex};
use egui::{Align2, Color32, ColorImage, Painter, Rect, Ui, pos2, vec2};
use lightbox_session::heat::{CLEAR_BELOW, Heat};

use super::halo;
use crate::fonts::{Weight, font};
use crate::theme::{Theme, Tokens};
use crate::widgets::outlined_text;

/// A map is drawn with no more pixels a side than this: it is smooth, and the network never saw more.
const MOST_PX: usize = 768;
/// The colours reach their full strength at this part of the way, so that the edge of a map is soft.
const SOFT: f32 = 0.5;
/// Height of the bar beside the image, and the least room that it is drawn in.
const BAR_PT: f32 = 112.0;
const ROOM_PT: [f32; 2] = [240.0, 320.0];

/// The colour of a place between the weakest that is drawn (0) and the strongest (1).
fn colour(tokens: &Tokens, part: f32) -> Color32 {
    let all = &tokens.heat;
    let at = part.clamp(0.0, 1.0) * (all.len() - 1) as f32;
    let n = (at as usize).min(all.len() - 2);
    all[n].lerp_to_gamma(all[n + 1], at - n as f32)
}

/// The texture of a map.
pub(crate) fn image(heat: &Heat) -> ColorImage {
    // On pixels both themes have the same colours.
    let tokens = Theme::Dark.tokens();
    let k = heat.columns.max(heat.rows).div_ceil(MOST_PX).max(1);
    let [w, h] = [heat.columns.div_ceil(k), heat.rows.div_ceil(k)];
    let mut pixels = Vec::with_capacity(w * h);
    for y in 0..h {
        for x in 0..w {
            // The strongest of the pixels that become one: a small place is not lost.
            let mut part = 0f32;
            for row in y * k..(y * k + k).min(heat.rows) {
                let line = row * heat.columns;
                let values = heat.values.get(line + x * k..line + (x * k + k).min(heat.columns)).unwrap_or(&[]);
                part = values.iter().map(|v| heat.part(*v)).fold(part, f32::max);
            }
            let strength = heat.opacity * (part / SOFT).min(1.0);
            pixels.push(colour(tokens, part).gamma_multiply(strength));
        }
    }
    ColorImage::new([w, h], pixels)
}

/// The colours from the weakest to the strongest, from left to right, or from below upwards where it is higher than wide.
pub(crate) fn bar(painter: &Painter, tokens: &Tokens, rect: Rect) {
    const STEPS: u32 = 12;
    let upright = rect.height() > rect.width();
    let mut mesh = Mesh::default();
    for n in 0..=STEPS {
        let part = n as f32 / STEPS as f32;
        let ends = if upright {
            let y = rect.bottom() - part * rect.height();
            [pos2(rect.left(), y), pos2(rect.right(), y)]
        } else {
            let x = rect.left() + part * rect.width();
            [pos2(x, rect.top()), pos2(x, rect.bottom())]
        };
        for pos in ends {
            mesh.vertices.push(Vertex { pos, uv: egui::epaint::WHITE_UV, color: colour(tokens, part) });
        }
        if n > 0 {
            let i = 2 * n;
            mesh.add_triangle(i - 2, i - 1, i);
            mesh.add_triangle(i - 1, i, i + 1);
        }
    }
    painter.add(mesh);
}

/// A value of a map: as many decimals as it needs.
#[must_use]
pub fn number(value: f32) -> String {
    match value.abs() {
        v if v >= 0.1 => format!("{value:.2}"),
        v if v >= 0.01 => format!("{value:.3}"),
        v if v >= 0.000_1 => format!("{value:.5}"),
        _ => "0".to_owned(),
    }
}

/// The place of a bar at the left of an image, above the corner text; `None` where there is no room.
fn place(room: Rect) -> Option<Rect> {
    let bottom = room.bottom() - 64.0;
    let rect = Rect::from_min_max(pos2(room.left() + 8.0, bottom - BAR_PT), pos2(room.left() + 16.0, bottom));
    (room.width() >= ROOM_PT[0] && room.height() >= ROOM_PT[1]).then_some(rect)
}

/// The bar of a difference: black and white are so far from the grey of zero.
pub(crate) fn difference_legend(ui: &Ui, tokens: &Tokens, room: Rect, reach: f32) {
    let Some(rect) = place(room) else { return };
    ui.painter().rect_filled(rect.expand(1.0), 0, halo(tokens));
    let mut mesh = Mesh::default();
    for (y, ink) in [(rect.top(), Color32::WHITE), (rect.bottom(), Color32::BLACK)] {
        for x in [rect.left(), rect.right()] {
            mesh.vertices.push(Vertex { pos: pos2(x, y), uv: egui::epaint::WHITE_UV, color: ink });
        }
    }
    mesh.add_triangle(0, 1, 2);
    mesh.add_triangle(1, 2, 3);
    ui.painter().add(mesh);
    for (y, align, text) in [
        (rect.top(), Align2::LEFT_TOP, format!("+{reach:.0}")),
        (rect.center().y, Align2::LEFT_CENTER, "0".to_owned()),
        (rect.bottom(), Align2::LEFT_BOTTOM, format!("−{reach:.0}")),
    ] {
        outlined_text(ui, pos2(rect.right() + 6.0, y), align, &text, font(11.0, Weight::Medium), tokens.ov);
    }
}

/// The bar of a map with its two ends.
pub(crate) fn legend(ui: &Ui, tokens: &Tokens, room: Rect, heat: &Heat) {
    let Some(rect) = place(room).filter(|_| heat.top > 0.0) else { return };
    ui.painter().rect_filled(rect.expand(1.0), 0, halo(tokens));
    bar(ui.painter(), tokens, rect);
    let more = if heat.saturates { "≥ " } else { "" };
    let ends = [
        (rect.right_top() + vec2(6.0, 0.0), Align2::LEFT_TOP, format!("{more}{}", number(heat.top))),
        (rect.right_bottom() + vec2(6.0, 0.0), Align2::LEFT_BOTTOM, number(CLEAR_BELOW * heat.top)),
    ];
    for (at, align, text) in ends {
        outlined_text(ui, at, align, &text, font(11.0, Weight::Medium), tokens.ov);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lightbox_session::StackId;
    use lightbox_session::heat::{ExplainBy, HeatId, MOST_OPACITY};
    use lightbox_session::results::ResultId;
    use std::sync::Arc;

    fn heat(columns: usize, rows: usize, values: Vec<f32>) -> Heat {
        Heat {
            id: HeatId(1),
            result: ResultId(1),
            stack: StackId(0),
            frame: 0,
            model: "m".into(),
            by: ExplainBy::GradCam,
            label: "a".into(),
            columns,
            rows,
            values: Arc::new(values),
            top: 1.0,
            saturates: false,
            completeness_residual: None,
            area_deviation: None,
            seconds: 0.0,
            visible: true,
            opacity: MOST_OPACITY,
        }
    }

    #[test]
    fn nothing_is_drawn_below_the_threshold_and_nothing_hides_the_image() {
        let picture = image(&heat(3, 1, vec![0.1, 0.6, 1.0]));
        let alpha: Vec<u8> = picture.pixels.iter().map(|p| p.a()).collect();
        assert_eq!(alpha[0], 0);
        assert!(alpha.iter().all(|a| *a <= 102) && alpha[2] >= 101, "{alpha:?}");
    }

    #[test]
    fn a_small_place_stays_on_a_large_image() {
        let (w, h) = (2000, 1600);
        let mut values = vec![0.0; w * h];
        values[800 * w + 1001] = 1.0;
        let picture = image(&heat(w, h, values));
        assert_eq!(picture.size, [667, 534]);
        assert_eq!(picture.pixels.iter().filter(|p| p.a() > 100).count(), 1);
    }

    #[test]
    fn colours_grow_lighter_and_are_those_of_both_themes() {
        let tokens = Theme::Dark.tokens();
        assert_eq!(tokens.heat, Theme::Light.tokens().heat);
        let light = |c: Color32| 0.2126 * f32::from(c.r()) + 0.7152 * f32::from(c.g()) + 0.0722 * f32::from(c.b());
        let all: Vec<f32> = (0..=20).map(|n| light(colour(tokens, n as f32 / 20.0))).collect();
        assert!(all.windows(2).all(|w| w[1] > w[0]), "{all:?}");
    }

    #[test]
    fn numbers_have_the_decimals_that_they_need() {
        assert_eq!([1.0, 0.42, 0.031, 0.0012, 0.0].map(number), ["1.00", "0.42", "0.031", "0.00120", "0"]);
    }
}
