//! A curve of a run: a loss that falls, and a figure between 0 and 1 that is looked at now and then.

use egui::{Align2, Color32, Pos2, Rect, Response, Role, Sense, Shape, Stroke, Ui, Widget, WidgetInfo, pos2, vec2};

use super::{line_text, paint_text};
use crate::{
    fonts::{Weight, font},
    theme::{self, size},
};

/// Room for the numbers at the sides, the height of the curves, and of the words below.
const SIDE_PT: f32 = 32.0;
const CURVES_PT: f32 = 88.0;

/// A loss and a figure over the updates of a run.
#[must_use = "add it to a Ui"]
pub struct Plot<'a> {
    name: &'a str,
    updates: usize,
    loss: &'a [(usize, f64)],
    figure: &'a [(usize, f64)],
    figure_name: &'a str,
}

impl<'a> Plot<'a> {
    /// A run of so many updates, with the loss after some of them.
    pub fn new(name: &'a str, updates: usize, loss: &'a [(usize, f64)]) -> Self {
        Self { name, updates, loss, figure: &[], figure_name: "" }
    }

    /// With a figure that is larger when better, drawn as dots on a scale of its own.
    pub fn figure(mut self, name: &'a str, figure: &'a [(usize, f64)]) -> Self {
        (self.figure_name, self.figure) = (name, figure);
        self
    }
}

/// The scale of a figure: from its smallest to its largest value, at least a twentieth apart, within 0 and 1.
fn scale(figure: &[(usize, f64)]) -> [f64; 2] {
    let (low, high) = figure.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), (_, v)| (l.min(*v), h.max(*v)));
    if low > high {
        return [0.0, 1.0];
    }
    let middle = (low + high) / 2.0;
    let half = ((high - low) / 2.0).max(0.025);
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

impl Widget for Plot<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let note = || font(size::TEXT[0], Weight::Regular);
        let height = CURVES_PT + 8.0 + size::LINE[0];
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
        let right_pt = if self.figure.is_empty() { 0.0 } else { SIDE_PT };
        let field = Rect::from_min_max(
            rect.min + vec2(SIDE_PT, 6.0),
            pos2(rect.right() - right_pt, rect.top() + CURVES_PT - 6.0),
        );
        for part in [0.0, 0.5, 1.0] {
            let y = (field.top() + part * field.height()).round();
            ui.painter().rect_filled(
                Rect::from_min_max(pos2(field.left(), y), pos2(field.right(), y + 1.0)),
                0,
                t.line,
            );
        }
        let text = |words: &str, ink: Color32, at: Rect, align: Align2| {
            paint_text(ui.painter(), line_text(ui, words, note(), ink, f32::INFINITY), at, align);
        };
        let label = |y: f32| Rect::from_min_max(pos2(rect.left(), y - 8.0), pos2(rect.right(), y + 8.0));
        let highest = self.loss.iter().map(|(_, v)| *v).fold(0.0, f64::max).max(1e-6);
        let [low, high] = scale(self.figure);
        text(&format!("{highest:.2}"), t.t3, label(field.top()), Align2::LEFT_CENTER);
        text("0", t.t3, label(field.bottom()), Align2::LEFT_CENTER);
        if !self.figure.is_empty() {
            text(&format!("{high:.2}"), t.t3, label(field.top()), Align2::RIGHT_CENTER);
            text(&format!("{low:.2}"), t.t3, label(field.bottom()), Align2::RIGHT_CENTER);
        }
        let place = |step: usize, part: f64| -> Pos2 {
            let x = step as f32 / self.updates.max(1) as f32;
            pos2(
                field.left() + x.min(1.0) * field.width(),
                field.bottom() - part.clamp(0.0, 1.0) as f32 * field.height(),
            )
        };
        let loss: Vec<Pos2> = self.loss.iter().map(|(step, v)| place(*step, v / highest)).collect();
        ui.painter().add(Shape::line(loss, Stroke::new(1.5, t.acc)));
        let dots: Vec<Pos2> =
            self.figure.iter().map(|(step, v)| place(*step, (v - low) / (high - low).max(1e-9))).collect();
        ui.painter().add(Shape::line(dots.clone(), Stroke::new(1.0, t.t2)));
        for dot in dots {
            ui.painter().rect_filled(Rect::from_center_size(dot, vec2(5.0, 5.0)), 0, t.t1);
        }
        // Below: what is drawn how, and how far it is.
        let foot = Rect::from_min_max(pos2(rect.left(), rect.bottom() - size::LINE[0]), rect.max);
        let mut x = foot.left();
        ui.painter().rect_filled(Rect::from_center_size(pos2(x + 6.0, foot.center().y), vec2(12.0, 2.0)), 0, t.acc);
        x += 16.0;
        let said = self.loss.last().map_or_else(|| "Loss".to_owned(), |(_, v)| format!("Loss {v:.3}"));
        text(&said, t.t2, foot.with_min_x(x), Align2::LEFT_CENTER);
        let mut spoken = format!("{}: {said}", self.name);
        if let Some((_, v)) = self.figure.last() {
            x += line_text(ui, said.as_str(), note(), t.t2, f32::INFINITY).size().x + 16.0;
            ui.painter().rect_filled(Rect::from_center_size(pos2(x + 3.0, foot.center().y), vec2(5.0, 5.0)), 0, t.t1);
            let figure = format!("{} {v:.3}", self.figure_name);
            text(&figure, t.t2, foot.with_min_x(x + 10.0), Align2::LEFT_CENTER);
            spoken = format!("{spoken}, {figure}");
        }
        let step = self.loss.last().map_or(0, |(step, _)| *step);
        let far = format!("{step} of {}", self.updates);
        text(&far, t.t3, foot, Align2::RIGHT_CENTER);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{spoken}, {far} updates")));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::scale;

    #[test]
    fn a_scale_holds_its_figures_and_does_not_make_noise_look_large() {
        assert_eq!(scale(&[]), [0.0, 1.0]);
        let [low, high] = scale(&[(0, 0.913), (8, 0.915)]);
        assert!(low < 0.9 && high > 0.93 && high - low < 0.06, "{low} {high}");
        let [low, high] = scale(&[(0, 0.2), (8, 0.9)]);
        assert!((low - 0.2).abs() < 1e-9 && (high - 0.9).abs() < 1e-9, "{low} {high}");
        assert!(scale(&[(0, 0.999)])[1] <= 1.0);
    }
}
