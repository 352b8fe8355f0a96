//! The tabs of the right panel, and the rail that stands for them when it is closed.

use egui::{Align, Align2, Layout, Rect, Response, Role, Sense, Ui, UiBuilder, Widget, WidgetInfo, pos2, vec2};

use super::{
    Hint, Look,
    chip::{badge_size, paint_badge},
    line_text,
    paint::focus_ring_inside,
    paint_icon, paint_text,
};
use crate::{
    fonts::{Weight, font},
    icons::Icon,
    theme::{self, size},
};

/// One tab: its word and how much waits behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tab<'a> {
    /// The word.
    pub label: &'a str,
    /// How much waits; none shows no badge.
    pub count: usize,
    /// The count is of trouble, and amber.
    pub trouble: bool,
}

impl<'a> Tab<'a> {
    /// A tab without a count.
    pub fn new(label: &'a str) -> Self {
        Self { label, ..Self::default() }
    }

    /// With a count of what waits.
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// With a count of trouble.
    pub fn trouble(mut self, count: usize) -> Self {
        (self.count, self.trouble) = (count, true);
        self
    }

    fn spoken(&self) -> String {
        if self.count == 0 { self.label.to_owned() } else { format!("{}, {} waiting", self.label, self.count) }
    }
}

/// A line of tabs, 36 high and as wide as the panel.
#[must_use = "show it in a Ui"]
pub struct Tabs<'a> {
    tabs: &'a [Tab<'a>],
}

impl<'a> Tabs<'a> {
    /// The tabs in their order.
    pub fn new(tabs: &'a [Tab<'a>]) -> Self {
        Self { tabs }
    }

    /// Show them with `chosen` on; `end` draws at the right end (the button that closes the panel). True if moved.
    pub fn show(self, ui: &mut Ui, chosen: &mut usize, end: impl FnOnce(&mut Ui)) -> bool {
        let t = theme::tokens(ui);
        let (rect, strip) = ui.allocate_exact_size(vec2(ui.available_width(), size::TABS), Sense::hover());
        let edge = Rect::from_min_max(pos2(rect.left(), rect.bottom() - 1.0), rect.max);
        ui.painter().rect_filled(edge, 0, t.line);
        let mut moved = false;
        let mut x = rect.left() + 4.0;
        for (index, tab) in self.tabs.iter().enumerate() {
            let words = line_text(
                ui,
                tab.label,
                font(size::TEXT[1], Weight::Medium),
                egui::Color32::PLACEHOLDER,
                f32::INFINITY,
            );
            let badge = (tab.count > 0).then(|| badge_size(ui, tab.count));
            let width = (words.size().x + badge.map_or(0.0, |badge| badge.x + 6.0) + 16.0).ceil();
            let cell = Rect::from_min_size(pos2(x, rect.top()), vec2(width, size::TABS));
            x += width;
            let response = ui.interact(cell, strip.id.with(index), Sense::click());
            if response.clicked() && *chosen != index {
                *chosen = index;
                moved = true;
            }
            let on = *chosen == index;
            let ink = if on { t.t1 } else { Look::of(&response, None).ink(t, t.t2) };
            let place = Align2::LEFT_CENTER.align_size_within_rect(words.size(), cell.shrink2(vec2(8.0, 0.0)));
            let words_right = place.right();
            ui.painter().galley_with_override_text_color(place.min, words, ink);
            if let Some(badge) = badge {
                let min = pos2((words_right + 6.0).round(), cell.center().y - badge.y / 2.0);
                paint_badge(ui, tab.count, tab.trouble, Rect::from_min_size(min, badge));
            }
            if on {
                let line = Rect::from_min_max(
                    pos2(cell.left() + 8.0, cell.bottom() - 2.0),
                    pos2(cell.right() - 8.0, cell.bottom()),
                );
                ui.painter().rect_filled(line, 0, t.acc);
            }
            if response.has_focus() {
                focus_ring_inside(ui, cell.shrink2(vec2(2.0, 4.0)), size::RADIUS);
            }
            response.widget_info(|| WidgetInfo::selected(Role::Tab, true, on, tab.spoken()));
        }
        ui.ctx().accesskit_node_builder(strip.id, |node| node.set_role(Role::TabList));
        let rest = Rect::from_min_max(pos2(x, rect.top()), pos2(rect.right() - 8.0, rect.bottom()));
        let mut child = ui.new_child(UiBuilder::new().max_rect(rest).layout(Layout::right_to_left(Align::Center)));
        end(&mut child);
        moved
    }
}

/// One item of the closed panel's rail: icon, word, count.
#[must_use = "add it to a Ui"]
pub struct RailItem<'a> {
    icon: Icon,
    tab: Tab<'a>,
    hint: Hint<'a>,
}

impl<'a> RailItem<'a> {
    /// The item that opens the panel at `tab`.
    pub fn new(icon: Icon, tab: Tab<'a>) -> Self {
        Self { icon, tab, hint: Hint { name: tab.label, ..Hint::default() } }
    }

    /// With its key in the tooltip.
    pub fn key(mut self, key: &'a str) -> Self {
        self.hint.key = key;
        self
    }
}

impl Widget for RailItem<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = theme::tokens(ui);
        let (rect, response) = ui.allocate_exact_size(vec2(44.0, 44.0), Sense::click());
        let look = Look::of(&response, None);
        ui.painter().rect_filled(rect, size::RADIUS, look.ground(t, egui::Color32::TRANSPARENT));
        let ink = look.ink(t, t.t2);
        // Icon 20, gap 2, line 12: 34 in the middle of 44.
        let top = rect.center().y - 17.0;
        paint_icon(ui.painter(), self.icon, pos2(rect.center().x, top + 10.0), size::ICON[0], ink);
        let words = line_text(ui, self.tab.label, font(size::TEXT[0], Weight::Regular), ink, rect.width() + 4.0);
        let line = Rect::from_center_size(pos2(rect.center().x, top + 28.0), vec2(rect.width() + 4.0, 12.0));
        paint_text(ui.painter(), words, line, Align2::CENTER_CENTER);
        if self.tab.count > 0 {
            let badge = badge_size(ui, self.tab.count);
            let min = pos2(rect.right() - 3.0 - badge.x, rect.top() + 2.0);
            paint_badge(ui, self.tab.count, self.tab.trouble, Rect::from_min_size(min, badge));
        }
        if response.has_focus() {
            focus_ring_inside(ui, rect, size::RADIUS);
        }
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, self.tab.spoken()));
        self.hint.attach(response)
    }
}
