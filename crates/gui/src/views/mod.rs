//! The viewports.

pub mod interact;
mod marks;
mod measure;
pub mod place;
mod slice;

use egui::{Pos2, Rect, Ui, UiBuilder, pos2, vec2};
use lightbox_core::PatientPos;
use lightbox_session::annotation::AnnotationKind;
use lightbox_session::{AnnotationId, StackId};

use crate::cx::{Cx, Hover, Out};
use crate::textures::Textures;
use crate::theme::size;

/// What the hand is doing in a viewport, between press and release.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Hand {
    /// Nothing.
    #[default]
    Free,
    /// A measurement that lacks points.
    Measuring {
        /// Viewport.
        slot: usize,
        /// Kind.
        kind: AnnotationKind,
        /// Points so far; the last one follows the pointer.
        points: Vec<PatientPos>,
        /// The button went down and has not come up: the point is set on release.
        dragging: bool,
    },
    /// A point of a measurement that is being moved.
    Moving {
        /// Viewport.
        slot: usize,
        /// Stack.
        stack: StackId,
        /// Measurement.
        id: AnnotationId,
        /// Which of its points; all of them while `None`.
        point: Option<usize>,
        /// Where the pointer was.
        last: PatientPos,
        /// The points now.
        points: Vec<PatientPos>,
    },
    /// A stroke of the brush.
    Painting {
        /// Viewport.
        slot: usize,
    },
}

/// State of the viewports that is nobody's work.
#[derive(Debug, Default)]
pub struct ViewsState {
    /// What the hand is doing.
    pub hand: Hand,
    /// What lies under the pointer, from the frame just drawn.
    pub hover: Option<Hover>,
    /// Wheel movement that was not yet a whole plane.
    wheel: f32,
    /// Drag of the scroll tool that was not yet a whole plane.
    drag: f32,
    /// How much finer than the screen each viewport's image is.
    pub shrink: [usize; 4],
}

/// Draws the grid of viewports into the room of `ui`.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, textures: &Textures, state: &mut ViewsState, out: &mut Out) {
    let room = ui.max_rect();
    ui.painter().rect_filled(room, 0, cx.tokens.bg0);
    state.hover = None;
    let (columns, rows) = cx.session.workspace.layout.grid();
    for (slot, rect) in cells(room, columns, rows, ui.pixels_per_point()).into_iter().enumerate() {
        let builder = UiBuilder::new().max_rect(rect).id_salt(("viewport", slot));
        ui.scope_builder(builder, |ui| {
            ui.set_clip_rect(rect.intersect(ui.clip_rect()));
            slice::show(ui, cx, &textures.views[slot], state, slot, out);
        });
    }
}

/// The rectangles of the viewports, row by row, on whole pixels.
fn cells(room: Rect, columns: usize, rows: usize, ppp: f32) -> Vec<Rect> {
    let gap = size::VIEWPORT_GAP;
    let snap = |p: Pos2| pos2((p.x * ppp).round() / ppp, (p.y * ppp).round() / ppp);
    let width = (room.width() - gap * (columns as f32 - 1.0)) / columns as f32;
    let height = (room.height() - gap * (rows as f32 - 1.0)) / rows as f32;
    let mut out = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            let min = room.min + vec2((width + gap) * column as f32, (height + gap) * row as f32);
            out.push(Rect::from_min_max(snap(min), snap(min + vec2(width, height))));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewports_of_a_grid_are_equal_and_a_gap_apart() {
        let room = Rect::from_min_size(pos2(0.0, 40.0), vec2(1004.0, 804.0));
        let c = cells(room, 2, 2, 1.0);
        assert_eq!(c.len(), 4);
        assert!(c.iter().all(|r| r.size() == vec2(500.0, 400.0)));
        assert_eq!(c[3].min - c[0].max, vec2(4.0, 4.0));
    }
}
