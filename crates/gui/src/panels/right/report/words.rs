//! Other words for the word that is selected in a field: those that mean the same, and those that are only used alike.

use std::ops::Range;

use egui::{Id, Rect, Ui, vec2};
use lightbox_session::Command;

use super::field::{Shown, put_cursor};
use crate::cx::{Cx, Out};
use crate::fonts::Weight;
use crate::panels::parts::{NOTE, words};
use crate::widgets::Chip;

/// What was asked for.
#[derive(Clone, PartialEq)]
struct Asked {
    field: Id,
    span: Range<usize>,
    term: String,
    /// Where the words were drawn last.
    rect: Rect,
}

/// Letters of a word that is worth asking for.
const LETTERS: std::ops::RangeInclusive<usize> = 3..=40;

fn asked_id() -> Id {
    Id::unique("other words asked for")
}

/// Under a field. True while the pointer is on the words: the field then keeps what is typed, though it lost the keys.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, field: Id, shown: &Shown, text: &mut String) -> bool {
    ask(ui, out, field, shown, text);
    let Some(mut asked) = ui.data(|data| data.get_temp::<Asked>(asked_id())).filter(|a| a.field == field) else {
        return false;
    };
    let over = ui.input(|i| i.pointer.interact_pos()).is_some_and(|p| asked.rect.contains(p));
    if !shown.response.has_focus() && !over {
        ui.data_mut(|data| data.remove::<Asked>(asked_id()));
        return false;
    }
    let Some(found) = cx.session.other_words.as_ref().filter(|w| w.term == asked.term && !w.found.is_empty()) else {
        return false;
    };
    let mut chosen = None;
    // A row is as high as its chips, not as a control.
    ui.spacing_mut().interact_size.y = 20.0;
    let row = ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        words(ui, "Other words", NOTE, Weight::Regular, cx.tokens.t3);
        for other in &found.found {
            let chip = Chip::new(&other.word).clickable();
            let chip = match other.same {
                true => chip.line("Means the same, by the lexicon."),
                false => chip.dashed().line("Used alike in texts; it may not mean the same."),
            };
            if ui.add(chip).clicked() {
                chosen = Some(other.word.clone());
            }
        }
    });
    asked.rect = row.response.rect;
    ui.data_mut(|data| data.insert_temp(asked_id(), asked.clone()));
    let Some(word) = chosen.filter(|_| text.get(asked.span.clone()) == Some(asked.term.as_str())) else { return over };
    let capital = asked.term.chars().next().is_some_and(char::is_uppercase);
    let word = if capital { capitalised(&word) } else { word };
    text.replace_range(asked.span.clone(), &word);
    let behind = asked.span.start + word.len();
    put_cursor(ui, field, text.get(..behind).map_or(0, |before| before.chars().count()));
    ui.data_mut(|data| data.remove::<Asked>(asked_id()));
    true
}

/// A word that was selected with the keys or the pointer is asked for once.
fn ask(ui: &Ui, out: &mut Out, field: Id, shown: &Shown, text: &str) {
    if !shown.response.has_focus() || ui.input(|i| i.pointer.any_down()) {
        return;
    }
    let asked = ui.data(|data| data.get_temp::<Asked>(asked_id()));
    let of_field = asked.as_ref().filter(|a| a.field == field);
    let selected = shown.selected.clone().and_then(|span| {
        let words = text.get(span.clone())?;
        let start = span.start + (words.len() - words.trim_start().len());
        let term = words.trim();
        LETTERS.contains(&term.chars().count()).then(|| (start..start + term.len(), term.to_owned()))
    });
    match selected {
        None if of_field.is_some() => {
            ui.data_mut(|data| data.remove::<Asked>(asked_id()));
        }
        Some((span, term)) if of_field.is_none_or(|a| a.span != span || a.term != term) => {
            out.command(Command::OtherWords(term.clone()));
            let new = Asked { field, span, term, rect: Rect::NOTHING };
            ui.data_mut(|data| data.insert_temp(asked_id(), new));
        }
        _ => {}
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
