//! Rows of lists and menus, headers of sections.

use egui::{Align, Align2, Color32, Layout, Rect, Response, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use super::{
    Look, allocate, chip::paint_key_cap, describe, line_text, paint::focus_ring_inside, paint_icon, paint_text,
};
use crate::{
    fonts::{Weight, font},
    icons::Icon,
    theme::{self, size},
};

#[derive(Clone, Copy)]
enum Lead<'a> {
    None,
    Icon(Icon),
    Number(&'a str),
    Swatch(Color32),
}

/// A row of a list, a menu or the palette: 24, 28, or 40 with two lines. On a panel its ground reaches 8 points over
/// the words on both sides, so that the words keep the panel's edge.
#[must_use = "show it in a Ui"]
pub struct Row<'a> {
    title: &'a str,
    matched: usize,
    note: &'a str,
    subtitle: &'a str,
    end: &'a str,
    end2: &'a str,
    key: &'a str,
    lead: Lead<'a>,
    height_pt: f32,
    strong: bool,
    selected: bool,
    muted: bool,
    inset: bool,
    open: bool,
    reason: &'a str,
}

impl<'a> Row<'a> {
    /// A row of 28 with a title.
    pub fn new(title: &'a str) -> Self {
        Self {
            title,
            matched: 0,
            note: "",
            subtitle: "",
            end: "",
            end2: "",
            key: "",
            lead: Lead::None,
            height_pt: size::ROW[1],
            strong: false,
            selected: false,
            muted: false,
            inset: false,
            open: false,
            reason: "",
        }
    }

    /// A dense row of 24.
    pub fn dense(mut self) -> Self {
        self.height_pt = size::ROW[0];
        self
    }

    /// With a second line, 40 high.
    pub fn subtitle(mut self, subtitle: &'a str) -> Self {
        self.subtitle = subtitle;
        self.height_pt = size::ROW[2];
        self.strong = true;
        self
    }

    /// With a short note after the title, such as a score.
    pub fn note(mut self, note: &'a str) -> Self {
        self.note = note;
        self
    }

    /// With words at the right end.
    pub fn end(mut self, end: &'a str) -> Self {
        self.end = end;
        self
    }

    /// With a second column at the right end, in the colour of a note.
    pub fn end2(mut self, end2: &'a str) -> Self {
        self.end2 = end2;
        self
    }

    /// With the key that does the same.
    pub fn key(mut self, key: &'a str) -> Self {
        self.key = key;
        self
    }

    /// With an icon before the title.
    pub fn icon(mut self, icon: Icon) -> Self {
        self.lead = Lead::Icon(icon);
        self
    }

    /// With a number before the title: the number that stands on the image.
    pub fn number(mut self, number: &'a str) -> Self {
        self.lead = Lead::Number(number);
        self
    }

    /// With a colour before the title.
    pub fn swatch(mut self, colour: Color32) -> Self {
        self.lead = Lead::Swatch(colour);
        self
    }

    /// The first bytes of the title are what was searched for.
    pub fn matched(mut self, bytes: usize) -> Self {
        self.matched = bytes;
        self
    }

    /// With a title of medium weight.
    pub fn strong(mut self) -> Self {
        self.strong = true;
        self
    }

    /// It is the chosen one.
    pub fn selected(mut self, selected: bool) -> Self {
        self.selected = selected;
        self
    }

    /// It is open: its ground is that of a control.
    pub fn open(mut self, open: bool) -> Self {
        self.open = open;
        self
    }

    /// It is past: rejected, undone.
    pub fn muted(mut self, muted: bool) -> Self {
        self.muted = muted;
        self
    }

    /// Keep the ground inside the room there is, and set the words 8 in: for menus.
    pub fn inset(mut self) -> Self {
        self.inset = true;
        self
    }

    /// Not usable, with the reason where the action would be; an empty one is none.
    pub fn disabled(mut self, reason: &'a str) -> Self {
        self.reason = reason;
        self
    }

    /// Show it.
    pub fn show(self, ui: &mut Ui) -> Response {
        self.show_with(ui, |_| {})
    }

    /// Width in which nothing is cut off, but for a long reason or end.
    fn natural_width(&self, ui: &Ui) -> f32 {
        let width = |words: &str, pt: usize| match words {
            "" => 0.0,
            _ => {
                let galley = line_text(ui, words, font(size::TEXT[pt], Weight::Medium), Color32::PLACEHOLDER, 240.0);
                galley.size().x + 12.0
            }
        };
        let lead = if matches!(self.lead, Lead::None) { 0.0 } else { size::ICON[1] + 8.0 };
        let title = width(self.title, if self.subtitle.is_empty() { 1 } else { 2 });
        let ends = width(self.end, 1) + width(self.end2, 1) + width(self.key, 0).max(width(self.reason, 0));
        let whole = lead + title.max(width(self.subtitle, 0)) + width(self.note, 1) + ends;
        // The words at the end get at most this part of the row.
        let for_end = width(self.end, 1) / 0.6;
        (whole.max(for_end) + 16.0).ceil()
    }

    /// Show it with parts at its right end; `end` draws them from right to left.
    pub fn show_with(self, ui: &mut Ui, end: impl FnOnce(&mut Ui)) -> Response {
        let t = theme::tokens(ui);
        let usable = self.reason.is_empty();
        // A menu asks first how wide its widest row is.
        let width = if ui.is_sizing_pass() { self.natural_width(ui) } else { ui.available_width() };
        let (rect, response) = allocate(ui, vec2(width, self.height_pt), Sense::click(), usable);
        let ground_rect = if self.inset { rect } else { rect.expand2(vec2(8.0, 0.0)) };
        let inner = if self.inset { rect.shrink2(vec2(8.0, 0.0)) } else { rect };
        let look = Look::of(&response, None);
        let rest = if self.open { t.bg2 } else { Color32::TRANSPARENT };
        let ground = if self.selected { t.accbg } else { look.ground(t, rest) };
        ui.painter().rect_filled(ground_rect, size::RADIUS, ground);

        let builder = UiBuilder::new().max_rect(inner).layout(Layout::right_to_left(Align::Center));
        let mut child = ui.new_child(builder);
        child.spacing_mut().item_spacing.x = 4.0;
        end(&mut child);
        let mut right = if child.min_rect().width() > 0.0 { child.min_rect().left() - 8.0 } else { inner.right() };

        let regular = |size_pt| font(size_pt, Weight::Regular);
        if !usable {
            let (ink, note) = (t.t3, font(size::TEXT[0], Weight::Regular));
            let words = line_text(ui, self.reason, note, ink, (right - inner.left()) / 2.0);
            right = paint_right(ui, words, inner, right);
        } else if !self.key.is_empty() {
            let cap = line_text(ui, self.key, font(size::TEXT[0], Weight::Medium), t.t3, f32::INFINITY);
            let wide = (cap.size().x + 8.0).ceil();
            let min = pos2(right - wide, inner.center().y - 8.0);
            paint_key_cap(ui, self.key, Rect::from_min_size(min, vec2(wide, 16.0)));
            right -= wide + 8.0;
        }
        for (words, ink) in [(self.end2, t.t3), (self.end, if self.end2.is_empty() { t.t3 } else { t.t2 })] {
            if !words.is_empty() {
                let words = line_text(ui, words, regular(size::TEXT[1]), ink, (right - inner.left()) * 0.6);
                right = paint_right(ui, words, inner, right);
            }
        }

        let mut x = inner.left();
        let dim = if usable { None } else { Some(t.tdis) };
        match self.lead {
            Lead::None => {}
            Lead::Icon(icon) => {
                let ink = dim.unwrap_or(if self.selected { t.acc2 } else { look.ink(t, t.t2) });
                paint_icon(ui.painter(), icon, pos2(x + size::ICON[1] / 2.0, inner.center().y), size::ICON[1], ink);
                x += size::ICON[1] + 8.0;
            }
            Lead::Number(number) => {
                let words = line_text(ui, number, regular(size::TEXT[1]), dim.unwrap_or(t.t2), f32::INFINITY);
                let wide = words.size().x.max(12.0).ceil();
                paint_text(ui.painter(), words, inner.with_min_x(x), Align2::LEFT_CENTER);
                x += wide + 8.0;
            }
            Lead::Swatch(colour) => {
                paint_swatch(ui, colour, pos2(x + 6.0, inner.center().y), 12.0);
                x += 12.0 + 8.0;
            }
        }

        let title_ink = dim.unwrap_or(if self.muted { t.t3 } else { t.t1 });
        let two = !self.subtitle.is_empty();
        let title_pt = if two { size::TEXT[2] } else { size::TEXT[1] };
        let line = if two {
            Rect::from_min_size(pos2(x, inner.center().y - 18.0), vec2(right - x, 20.0))
        } else {
            inner.with_min_x(x).with_max_x(right)
        };
        let note = (!self.note.is_empty())
            .then(|| line_text(ui, self.note, regular(size::TEXT[1]), dim.unwrap_or(t.t2), f32::INFINITY));
        let most = line.width() - note.as_ref().map_or(0.0, |note| note.size().x + 8.0);
        let weight = if self.strong { Weight::Medium } else { Weight::Regular };
        let mut left = line.left();
        let (found, rest) = self.title.split_at_checked(self.matched).unwrap_or(("", self.title));
        for (words, weight) in [(found, Weight::SemiBold), (rest, weight)] {
            if !words.is_empty() {
                let words = line_text(ui, words, font(title_pt, weight), title_ink, line.left() + most - left);
                let wide = words.size().x;
                paint_text(ui.painter(), words, line.with_min_x(left), Align2::LEFT_CENTER);
                left += wide;
            }
        }
        if let Some(note) = note {
            paint_text(ui.painter(), note, line.with_min_x(left + 8.0), Align2::LEFT_CENTER);
        }
        if two {
            let words = line_text(ui, self.subtitle, regular(size::TEXT[0]), dim.unwrap_or(t.t3), right - x);
            let line = Rect::from_min_size(pos2(x, inner.center().y + 2.0), vec2(right - x, 16.0));
            paint_text(ui.painter(), words, line, Align2::LEFT_CENTER);
        }
        if response.has_focus() {
            focus_ring_inside(ui, ground_rect, size::RADIUS);
        }

        let name = [self.title, self.note, self.subtitle].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>();
        response.widget_info(|| WidgetInfo::selected(Role::ListItem, usable, self.selected, name.join(", ")));
        describe(ui, &response, if usable { self.end } else { self.reason });
        response
    }
}

/// Paint words that end at `right`, and say where the next ones to their left end.
fn paint_right(ui: &Ui, words: std::sync::Arc<egui::Galley>, inner: Rect, right: f32) -> f32 {
    let wide = words.size().x;
    paint_text(ui.painter(), words, inner.with_max_x(right), Align2::RIGHT_CENTER);
    right - wide - 8.0
}

/// Paint a mask's colour; in the light theme it has an edge.
pub(super) fn paint_swatch(ui: &Ui, colour: Color32, centre: egui::Pos2, side_pt: f32) {
    let rect = Rect::from_center_size(centre, vec2(side_pt, side_pt));
    ui.painter().rect_filled(rect, size::RADIUS_THUMB, colour);
    if theme::Theme::of(ui) == theme::Theme::Light {
        let edge = egui::Stroke::new(1.0, theme::tokens(ui).line2);
        ui.painter().rect_stroke(rect, size::RADIUS_THUMB, edge, egui::StrokeKind::Inside);
    }
}

/// The header of a section, 32 high; `end` draws at its right end, from right to left.
pub fn section(ui: &mut Ui, title: &str, end: impl FnOnce(&mut Ui)) -> Response {
    let t = theme::tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::SECTION), Sense::hover());
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::right_to_left(Align::Center)));
    child.spacing_mut().item_spacing.x = 0.0;
    end(&mut child);
    let used = if child.min_rect().width() > 0.0 { child.min_rect().left() - 8.0 } else { rect.right() };
    let words = line_text(ui, title, font(size::TEXT[1], Weight::SemiBold), t.t2, used - rect.left());
    paint_text(ui.painter(), words, rect, Align2::LEFT_CENTER);
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, title));
    response
}

/// A caption over a group, in capitals by the caller's hand: FINDINGS.
pub fn caption(ui: &mut Ui, text: &str) -> Response {
    let t = theme::tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::LINE[0]), Sense::hover());
    let words = line_text(ui, text, font(size::TEXT[0], Weight::SemiBold), t.t3, rect.width());
    paint_text(ui.painter(), words, rect, Align2::LEFT_CENTER);
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, text));
    response
}

/// A line of one point across the room there is and `reach_pt` further on both sides.
pub fn hair(ui: &mut Ui, reach_pt: f32) {
    let t = theme::tokens(ui);
    let width = if ui.is_sizing_pass() { 0.0 } else { ui.available_width() };
    let (rect, _) = ui.allocate_exact_size(vec2(width, 1.0), Sense::hover());
    ui.painter().rect_filled(rect.expand2(vec2(reach_pt, 0.0)), 0, t.line);
}
