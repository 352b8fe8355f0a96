//! Boxes of models on the image: dashed while proposed, solid once accepted, not drawn when rejected. The words stand
//! outside, and only at the one that is pointed at; the others have their number.

use egui::{Align2, Pos2, Rect, Ui, pos2};
use lightbox_session::boxes::{BoxMark, MarkState};
use lightbox_session::{Document, Session};

use super::{haloed, haloed_dashes};
use crate::fonts::{Weight, font};
use crate::theme::Tokens;
use crate::views::place::Placement;
use crate::widgets::outlined_text;

/// From where on boxes of a model are shown: the reader's choice, else all that the model gave.
#[must_use]
pub fn score_from(s: &Session, model: &str) -> f32 {
    s.workspace.score_from.get(model).copied().unwrap_or(0.0)
}

/// The boxes of a frame that are drawn. What a reader accepted is drawn whatever its score.
pub fn shown<'a>(s: &'a Session, document: &'a Document, frame: usize) -> impl Iterator<Item = &'a BoxMark> {
    document.boxes.iter().filter(move |b| {
        let counts = b.state == MarkState::Accepted || b.score >= score_from(s, &b.model);
        b.frame == frame && b.state != MarkState::Rejected && counts
    })
}

/// Where a box lies on the screen.
#[must_use]
pub fn on_screen(place: &Placement, mark: &BoxMark) -> Rect {
    let [x0, y0, x1, y1] = mark.rect_px;
    Rect::from_min_max(place.screen_from_corner([x0, y0]), place.screen_from_corner([x1, y1]))
}

/// The smallest box under a point.
#[must_use]
pub fn under<'a>(boxes: impl Iterator<Item = &'a BoxMark>, place: &Placement, p: Pos2) -> Option<&'a BoxMark> {
    let area = |b: &BoxMark| {
        let rect = on_screen(place, b);
        rect.width() * rect.height()
    };
    boxes.filter(|b| on_screen(place, b).contains(p)).min_by(|a, b| area(a).total_cmp(&area(b)))
}

/// Draws one; `pointed` while it is picked, hovered, or its sentence is pointed at.
pub fn paint(ui: &Ui, t: &Tokens, place: &Placement, mark: &BoxMark, pointed: bool) {
    let rect = on_screen(place, mark);
    if !rect.intersects(place.rect) {
        return;
    }
    let painter = ui.painter();
    let width = if pointed { 2.0 } else { 1.5 };
    let corners = [rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom()];
    if mark.state == MarkState::Accepted {
        haloed(painter, t, corners.to_vec(), true, width, t.ovacc);
    } else {
        let around = [corners[0], corners[1], corners[2], corners[3], corners[0]];
        haloed_dashes(painter, t, &around, width, t.ovacc);
    }
    let words = if pointed { format!("{} {} {:.2}", mark.id, mark.label, mark.score) } else { mark.id.to_string() };
    // Above its left corner, below where there is no room.
    let above = rect.top() - 4.0 > place.rect.top() + 16.0;
    let (at, align) = if above {
        (pos2(rect.left().max(place.rect.left() + 4.0), rect.top() - 3.0), Align2::LEFT_BOTTOM)
    } else {
        (pos2(rect.left().max(place.rect.left() + 4.0), rect.bottom() + 3.0), Align2::LEFT_TOP)
    };
    outlined_text(ui, at, align, &words, font(12.0, Weight::SemiBold), t.ov);
}
