//! A row of the list of segments: colour, name, volume, state, lock, eye.

use egui::{Align2, Color32, Pos2, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::{
    Hint, Look, line_text,
    paint::focus_ring_inside,
    paint_icon, paint_text,
    row::paint_swatch,
    trust::{TrustMark, paint_mark},
};
use crate::{
    fonts::{Weight, font},
    icons::{self, Icon},
    theme::{self, size},
};

/// How far a segment has come. Each state has a shape and a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// Nothing is drawn yet.
    Empty,
    /// Begun, or proposed by a model.
    InProgress,
    /// A person has accepted it.
    Accepted,
    /// A person has put a flag on it.
    Flagged,
}

impl SegmentState {
    /// The state in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::InProgress => "in progress",
            Self::Accepted => "accepted",
            Self::Flagged => "flagged",
        }
    }
}

/// A row of the list of segments, 28 high.
#[derive(Clone, Debug)]
#[must_use = "show it in a Ui"]
pub struct SegmentRow<'a> {
    /// Colour of the mask.
    pub colour: Color32,
    /// Name of the segment.
    pub name: &'a str,
    /// Its volume or area in words, without the unit that stands over the column.
    pub value: &'a str,
    /// How far it has come.
    pub state: SegmentState,
    /// No stroke changes it.
    pub locked: bool,
    /// It is drawn on the image.
    pub visible: bool,
    /// It is the one that is drawn on.
    pub selected: bool,
}

/// What was done to a [`SegmentRow`].
pub struct SegmentRowResponse {
    /// The row itself: a click selects it.
    pub row: Response,
    /// The lock was clicked.
    pub lock_clicked: bool,
    /// The eye was clicked.
    pub eye_clicked: bool,
}

impl SegmentRow<'_> {
    /// Width of the columns after the name: value, state, lock, eye.
    pub const COLUMNS: [f32; 4] = [48.0, 28.0, 24.0, 20.0];

    /// Show it.
    pub fn show(self, ui: &mut Ui) -> SegmentRowResponse {
        let t = theme::tokens(ui);
        let (rect, row) = ui.allocate_exact_size(vec2(ui.available_width(), size::ROW[1]), Sense::click());
        let ground_rect = rect.expand2(vec2(8.0, 0.0));
        let look = Look::of(&row, None);
        let ground = if self.selected { t.accbg } else { look.ground(t, Color32::TRANSPARENT) };
        ui.painter().rect_filled(ground_rect, size::RADIUS, ground);

        let y = rect.center().y;
        paint_swatch(ui, self.colour, pos2(rect.left() + 6.0, y), 12.0);
        let [value_pt, state_pt, lock_pt, eye_pt] = Self::COLUMNS;
        let columns = value_pt + state_pt + lock_pt + eye_pt;
        let names = rect.with_min_x(rect.left() + 20.0).with_max_x(rect.right() - columns - 8.0);
        let weight = if self.selected { Weight::Medium } else { Weight::Regular };
        let words = line_text(ui, self.name, font(size::TEXT[1], weight), t.t1, names.width());
        paint_text(ui.painter(), words, names, Align2::LEFT_CENTER);
        let mut x = rect.right() - columns;
        let words = line_text(ui, self.value, font(size::TEXT[1], Weight::Regular), t.t1, value_pt + 8.0);
        paint_text(ui.painter(), words, rect.with_max_x(x + value_pt), Align2::RIGHT_CENTER);
        x += value_pt;
        paint_state(ui, self.state, pos2(x + state_pt / 2.0, y));
        x += state_pt;

        let mut part = |name: &str, key: &str, icon: Icon, strong: bool, width: f32, salt: &str| {
            let cell = Rect::from_min_size(pos2(x, rect.top()), vec2(width, rect.height()));
            x += width;
            let hit = cell.expand2(vec2((size::CONTROL_COMPACT - width).max(0.0) / 2.0, 0.0));
            let response = ui.interact(hit, row.id.with(salt), Sense::click());
            let ink = Look::of(&response, None).ink(t, if strong { t.t2 } else { t.tdis });
            paint_icon(ui.painter(), icon, cell.center(), size::ICON[1], ink);
            if response.has_focus() {
                focus_ring_inside(ui, hit.shrink2(vec2(0.0, 2.0)), size::RADIUS);
            }
            let spoken = format!("{name} {}", self.name);
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, strong, &spoken));
            Hint { name, key, ..Hint::default() }.attach(response).clicked()
        };
        let (lock, lock_name) =
            if self.locked { (icons::LOCK_SIMPLE, "Unlock") } else { (icons::LOCK_SIMPLE_OPEN, "Lock") };
        let lock_clicked = part(lock_name, "", lock, self.locked, lock_pt, "lock");
        let (eye, eye_name) = if self.visible { (icons::EYE, "Hide") } else { (icons::EYE_SLASH, "Show") };
        let eye_clicked = part(eye_name, "", eye, self.visible, eye_pt, "eye");

        if row.has_focus() {
            focus_ring_inside(ui, ground_rect, size::RADIUS);
        }
        let spoken = format!("{}, {}, {}", self.name, self.value, self.state.word());
        row.widget_info(|| WidgetInfo::selected(Role::ListItem, true, self.selected, &spoken));
        SegmentRowResponse { row, lock_clicked, eye_clicked }
    }
}

fn paint_state(ui: &Ui, state: SegmentState, centre: Pos2) {
    let t = theme::tokens(ui);
    match state {
        SegmentState::Empty => {
            ui.painter().circle_stroke(centre, 3.5, Stroke::new(1.2, t.t3));
        }
        SegmentState::InProgress => paint_mark(ui, TrustMark::Partial, centre, t.acc),
        SegmentState::Accepted => paint_mark(ui, TrustMark::Full, centre, t.ok),
        SegmentState::Flagged => paint_icon(ui.painter(), icons::FLAG, centre, size::ICON[2], t.warn),
    }
}
