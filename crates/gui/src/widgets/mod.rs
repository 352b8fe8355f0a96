//! The parts of the window, each built once: buttons, chips, rows, tabs, sliders, messages, marks.
//!
//! A part is a small struct that is added to a `Ui` (or a function, where there is nothing to choose). Each brings its
//! name and role for AccessKit, the ring of the keyboard's focus, its tooltip, and the reason where it is disabled.
//! `gallery` shows them all with their states.

mod button;
mod chip;
mod field;
mod gallery;
mod hint;
mod message;
mod paint;
mod plot;
mod row;
mod segment;
mod segmented;
mod slider;
mod tabs;
mod thumb;
mod trust;

pub use button::{Button, IconButton};
pub(crate) use chip::paint_key_cap;
pub use chip::{Chip, badge, key_cap};
pub use field::{DropDown, Number, SearchField, toggle};
pub use gallery::gallery;
pub use hint::Hint;
pub use message::{Card, Progress, ScoreBar, empty_state};
pub use paint::{dashed_rect, faint_text, focus_ring, line_text, outlined_text, paint_icon, paint_text, wrapped_text};
pub use plot::Plot;
pub use row::{Row, caption, hair, section};
pub use segment::{SegmentRow, SegmentRowResponse, SegmentState};
pub use segmented::Segmented;
pub use slider::Slider;
pub use tabs::{RailItem, Tab, Tabs};
pub use thumb::{ThumbRow, ThumbTile};
pub use trust::{TrustBar, TrustItem, TrustMark, head_bar, status_item};

use egui::{Color32, Rect, Response, Sense, Ui, Vec2};

use crate::theme::Tokens;

/// How a part looks. It follows from the pointer and the keyboard; the gallery asks for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// Nothing happens.
    #[default]
    Rest,
    /// The pointer is over it.
    Hover,
    /// The button is down on it.
    Pressed,
    /// The keyboard is on it.
    Focus,
    /// It cannot be used now.
    Disabled,
}

impl Look {
    fn of(response: &Response, asked: Option<Self>) -> Self {
        if let Some(look) = asked {
            look
        } else if !response.enabled() {
            Self::Disabled
        } else if response.is_pointer_button_down_on() {
            Self::Pressed
        } else if response.hovered() {
            Self::Hover
        } else if response.has_focus() {
            Self::Focus
        } else {
            Self::Rest
        }
    }

    /// The ground of a part whose ground at rest is `rest`.
    fn ground(self, t: &Tokens, rest: Color32) -> Color32 {
        match self {
            Self::Hover => t.bg3,
            Self::Pressed => t.bg4,
            Self::Rest | Self::Focus | Self::Disabled => rest,
        }
    }

    /// The colour of its words, `rest` at rest.
    fn ink(self, t: &Tokens, rest: Color32) -> Color32 {
        match self {
            Self::Hover | Self::Pressed => t.t1,
            Self::Rest | Self::Focus => rest,
            Self::Disabled => t.tdis,
        }
    }
}

/// What a chip or a card is about; the colour says it a second time, after the icon and the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// A plain statement.
    #[default]
    Plain,
    /// Done, accepted.
    Ok,
    /// A limit, a doubt, something synthetic.
    Warn,
    /// A conflict, a failure.
    Error,
}

impl Tone {
    /// Colour of the mark and of the ground.
    fn colours(self, t: &Tokens) -> (Color32, Color32) {
        match self {
            Self::Plain => (t.t2, t.bg3),
            Self::Ok => (t.ok, t.okbg),
            Self::Warn => (t.warn, t.warnbg),
            Self::Error => (t.err, t.errbg),
        }
    }
}

/// Take room for a part; a part with a reason against it takes no clicks and no focus.
fn allocate(ui: &mut Ui, size: Vec2, sense: Sense, usable: bool) -> (Rect, Response) {
    if usable {
        ui.allocate_exact_size(size, sense)
    } else {
        ui.scope(|ui| {
            ui.disable();
            ui.allocate_exact_size(size, sense)
        })
        .inner
    }
}

/// Tell AccessKit what a name and a role do not say.
fn describe(ui: &Ui, response: &Response, description: &str) {
    if !description.is_empty() {
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_description(description));
    }
}
