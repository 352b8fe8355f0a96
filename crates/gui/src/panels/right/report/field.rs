//! The field that a sentence stands in: words with what the rules object to underlined, and why under the pointer.

use std::ops::Range;
use std::sync::Arc;

use egui::text::{CCursor, CCursorRange, LayoutJob, TextFormat, TextWrapping};
use egui::text_edit::TextEditState;
use egui::{
    Align, Align2, Color32, EventFilter, Frame, Galley, Id, Key, Modifiers, Pos2, Rect, Response, TextBuffer, TextEdit,
    Ui, pos2, vec2,
};
use lightbox_session::ReportState;
use lightbox_session::check::Severity;
use lightbox_session::checks::Anchor;

use crate::fonts::{Weight, font};
use crate::panels::parts::{TABLE, rich};
use crate::theme::{Tokens, size};
use crate::widgets::{line_text, paint_key_cap, paint_text};

/// Words that a rule objects to.
pub(super) struct Mark {
    /// Bytes of the field's text.
    span: [usize; 2],
    severity: Severity,
    /// The reader keeps it.
    kept: bool,
    /// It stands at the first of the words that were compared.
    first: bool,
    lead: String,
    why: String,
}

/// The marks of a field. While it is typed in, those of the last pause stand where their bytes still make words.
pub(super) fn marks(report: &ReportState, anchor: Anchor, text: &str) -> Vec<Mark> {
    let mut out = Vec::new();
    for objection in &report.checks.objections {
        for (n, (_, span)) in objection.places.iter().enumerate().filter(|(_, (at, _))| *at == anchor) {
            if text.get(span[0]..span[1]).is_some() {
                out.push(Mark {
                    span: *span,
                    severity: objection.issue.severity,
                    kept: report.reason(objection).is_some(),
                    first: n == 0,
                    lead: format!("{}. ", objection.issue.rule.about()),
                    why: objection.issue.message.clone(),
                });
            }
        }
    }
    out
}

impl Mark {
    fn ink(&self, t: &Tokens) -> Color32 {
        match self.severity {
            _ if self.kept => t.t3,
            Severity::Error => t.err,
            Severity::Warning => t.warn,
            Severity::Hint => t.t3,
        }
    }
}

/// A field, and what became of it in this frame.
pub(super) struct Shown {
    /// The field.
    pub response: Response,
    /// The cursor stands behind the last word, and nothing is selected.
    pub at_end: bool,
    /// Bytes of the words that are selected.
    pub selected: Option<Range<usize>>,
    /// What became of the words that were proposed behind the cursor.
    pub proposal: Option<Decided>,
}

/// What the hand did with words that were proposed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decided {
    /// They stand in the text.
    Taken,
    /// They are not wanted.
    Left,
}

/// A field without an edge whose lines are 20 high, as those of the text around it. Enter does not break the line: a
/// sentence is one. `proposal` stands grey behind the cursor while that is at the end: Tab or → takes it, Escape leaves it.
pub(super) fn show(
    ui: &mut Ui,
    id: Id,
    text: &mut String,
    ink: Color32,
    hint: &str,
    name: &str,
    marks: &[Mark],
    proposal: Option<&str>,
) -> Shown {
    let t: &Tokens = crate::theme::tokens(ui);
    let mut proposal = proposal.filter(|_| ui.memory(|m| m.has_focus(id)) && cursor_is_at_end(ui, id, text));
    let mut decided = None;
    if let Some(words) = proposal {
        let (take, leave) = ui.input_mut(|i| {
            let take = i.consume_key(Modifiers::NONE, Key::Tab) || i.consume_key(Modifiers::NONE, Key::ArrowRight);
            (take, i.consume_key(Modifiers::NONE, Key::Escape))
        });
        if take {
            text.push_str(words);
            put_cursor(ui, id, text.chars().count());
            decided = Some(Decided::Taken);
        } else if leave {
            decided = Some(Decided::Left);
        }
        proposal = proposal.filter(|_| decided.is_none());
    }
    // While something is proposed, these keys belong to the field.
    let keys = EventFilter {
        tab: proposal.is_some(),
        escape: proposal.is_some(),
        horizontal_arrows: true,
        vertical_arrows: true,
    };
    let mut layouter = |ui: &Ui, buffer: &dyn TextBuffer, wrap_pt: f32| -> Arc<Galley> {
        ui.painter().layout_job(job(t, buffer.as_str(), ink, marks, wrap_pt))
    };
    let blank = text.is_empty();
    // A field is as high as its lines here, not as a control; the words of the report stand as in a text.
    let control = std::mem::replace(&mut ui.spacing_mut().interact_size.y, size::LINE[2]);
    let output = TextEdit::multiline(text)
        .id(id)
        .frame(Frame::new())
        .desired_rows(1)
        .desired_width(f32::INFINITY)
        .min_size(vec2(0.0, size::LINE[2]))
        .return_key(None)
        .event_filter(keys)
        .layouter(&mut layouter)
        .show(ui);
    ui.spacing_mut().interact_size.y = control;
    let response = output.response.response;
    underline(ui, &output.galley, output.galley_pos, text, marks);
    if blank && !hint.is_empty() {
        let words = line_text(ui, hint, font(size::TEXT[2], Weight::Regular), t.t3, response.rect.width());
        paint_text(ui.painter(), words, response.rect, Align2::LEFT_CENTER);
    }
    ui.ctx().accesskit_node_builder(id, |node| node.set_label(name));
    let range = output.cursor_range.filter(|_| response.has_focus()).map(|r| r.as_sorted_char_range());
    let byte_of = |letter: usize| text.char_indices().nth(letter).map_or(text.len(), |(at, _)| at);
    let at_end = range.as_ref().is_some_and(|r| r.start.0 == r.end.0 && byte_of(r.end.0) == text.len());
    let selected = range.map(|r| byte_of(r.start.0)..byte_of(r.end.0)).filter(|r| !r.is_empty());
    // A letter typed since leaves the proposal behind.
    if let Some(words) = proposal.filter(|_| at_end && !response.changed()) {
        grey(ui, &output.galley, output.galley_pos, words);
    }
    let response = why(response, &output.galley, output.galley_pos, text, marks);
    Shown { response, at_end, selected, proposal: decided }
}

/// Puts the cursor of a field behind a letter, and gives the field the keys.
pub(super) fn put_cursor(ui: &Ui, id: Id, letter: usize) {
    let mut state = TextEditState::load(ui.ctx(), id).unwrap_or_default();
    state.cursor.set_char_range(Some(CCursorRange::one(CCursor::new(letter))));
    state.store(ui.ctx(), id);
    ui.memory_mut(|memory| memory.request_focus(id));
}

fn cursor_is_at_end(ui: &Ui, id: Id, text: &str) -> bool {
    let range = TextEditState::load(ui.ctx(), id).and_then(|state| state.cursor.char_range());
    range.is_some_and(|r| r.is_empty() && r.primary.index.0 == text.chars().count())
}

/// Words that are proposed, behind the last letter; those that do not fit go onto further lines. The key that takes them
/// stands at their end.
fn grey(ui: &mut Ui, galley: &Galley, at: Pos2, words: &str) {
    let t = crate::theme::tokens(ui);
    let end = galley.pos_from_cursor(galley.end()).translate(at.to_vec2());
    let width = ui.max_rect().right() - at.x;
    let format = TextFormat {
        line_height: Some(size::LINE[2]),
        valign: Align::Center,
        ..TextFormat::simple(font(size::TEXT[2], Weight::Regular), t.t3)
    };
    let mut job = LayoutJob { wrap: TextWrapping::wrap_at_width(width), ..LayoutJob::default() };
    job.append(words, end.left() - at.x, format);
    let ahead = ui.painter().layout_job(job);
    let top = pos2(at.x, end.top());
    let last = ahead.pos_from_cursor(ahead.end()).translate(top.to_vec2());
    let rows = ahead.rows.len();
    ui.painter().galley(top, ahead, t.t3);
    let key = Rect::from_min_size(pos2(last.right() + 6.0, last.center().y - 8.0), vec2(26.0, 16.0));
    if key.right() <= ui.max_rect().right() {
        paint_key_cap(ui, "Tab", key);
    }
    if rows > 1 {
        ui.add_space((rows - 1) as f32 * size::LINE[2]);
    }
    let id = Id::unique("words proposed");
    let response = ui.interact(Rect::from_min_max(end.min, last.max), id, egui::Sense::hover());
    let name = format!("Proposed: {}", words.trim());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
}

/// What a rule objects to, under the pointer.
fn why(response: Response, galley: &Galley, at: Pos2, text: &str, marks: &[Mark]) -> Response {
    let Some(pointer) = response.hover_pos().filter(|_| !marks.is_empty()) else { return response };
    let cursor = galley.cursor_from_pos(pointer - at);
    let byte = text.char_indices().nth(cursor.index.0).map_or(text.len(), |(at, _)| at);
    let Some(mark) = marks.iter().find(|m| (m.span[0]..=m.span[1]).contains(&byte)) else { return response };
    response.on_hover_ui_at_pointer(|ui| {
        let t = crate::theme::tokens(ui);
        ui.set_width(240.0);
        let parts = [(mark.lead.as_str(), Weight::SemiBold, mark.ink(t)), (mark.why.as_str(), Weight::Regular, t.t1)];
        rich(ui, &parts, TABLE);
    })
}

/// A line of 2 under each mark, in the colour of its severity; over several rows where the words are.
fn underline(ui: &Ui, galley: &Galley, at: Pos2, text: &str, marks: &[Mark]) {
    let t = crate::theme::tokens(ui);
    let letter = |byte: usize| text.get(..byte).map_or(0, |before| before.chars().count());
    for mark in marks {
        let (from, to) = (letter(mark.span[0]), letter(mark.span[1]));
        let mut row: Option<Rect> = None;
        let end = |row: &mut Option<Rect>| {
            if let Some(rect) = row.take().filter(|rect| rect.width() > 0.0) {
                let line = Rect::from_min_max(pos2(rect.left(), rect.bottom() - 2.0), rect.max).translate(at.to_vec2());
                ui.painter().rect_filled(line, 0, mark.ink(t));
            }
        };
        for n in from..=to {
            let cursor = galley.pos_from_cursor(CCursor::new(n));
            match &mut row {
                Some(rect) if rect.top() == cursor.top() => rect.max.x = cursor.left(),
                _ => {
                    end(&mut row);
                    row = Some(Rect::from_min_max(cursor.min, pos2(cursor.left(), cursor.bottom())));
                }
            }
        }
        end(&mut row);
    }
}

/// The words in pieces: those of an error on its ground.
fn job(t: &Tokens, text: &str, ink: Color32, marks: &[Mark], wrap_pt: f32) -> LayoutJob {
    let plain = TextFormat {
        line_height: Some(size::LINE[2]),
        valign: Align::Center,
        ..TextFormat::simple(font(size::TEXT[2], Weight::Regular), ink)
    };
    let mut job = LayoutJob { wrap: TextWrapping::wrap_at_width(wrap_pt), ..LayoutJob::default() };
    let mut cuts: Vec<usize> = marks.iter().flat_map(|m| m.span).filter(|at| text.is_char_boundary(*at)).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    for piece in cuts.windows(2) {
        let over = marks.iter().filter(|m| m.span[0] <= piece[0] && piece[1] <= m.span[1]).max_by_key(|m| m.severity);
        let mut format = plain.clone();
        if over.is_some_and(|mark| mark.severity == Severity::Error && mark.first && !mark.kept) {
            format.background = t.errbg;
        }
        job.append(&text[piece[0]..piece[1]], 0.0, format);
    }
    job
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theme::Theme;

    #[test]
    fn words_are_cut_where_marks_begin_and_end() {
        let mark = |span, severity, first| Mark {
            span,
            severity,
            first,
            kept: false,
            lead: String::new(),
            why: String::new(),
        };
        let marks = [mark([4, 8], Severity::Error, true), mark([2, 20], Severity::Hint, true)];
        let t = Theme::Dark.tokens();
        let job = job(t, "the left lower zone", t.t1, &marks, 100.0);
        assert_eq!((job.text.as_str(), job.sections.len()), ("the left lower zone", 3));
        let grounds: Vec<bool> = job.sections.iter().map(|s| s.format.background == t.errbg).collect();
        assert_eq!(grounds, [false, true, false]);
    }
}
