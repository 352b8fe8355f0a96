//! One sentence of the report: a field, and under it what the sentence rests on. A field holds no widgets, so the chips
//! stand in a row below.

use egui::{Align, Id, Key, Layout, Rect, Response, Sense, Ui, vec2};
use lightbox_core::Segment;
use lightbox_core::label::MaskOrigin;
use lightbox_session::checks::Anchor;
use lightbox_session::models::Fit;
use lightbox_session::report::{ChipKind, Sentence, SentenceState};
use lightbox_session::{Command, ReportState, StackId};

use super::field::{Decided, Shown};
use super::{field, objection, words};
use crate::cx::{Cx, Out};
use crate::fonts::{Weight, font};
use crate::icons::{self, Icon};
use crate::panels::parts::{NOTE, inside, paragraph};
use crate::theme::size;
use crate::widgets::{Button, Chip, IconButton, Tone, line_text};

/// Room that ✓ ✎ × take at the right end of the chips.
const ACTIONS_PT: f32 = 3.0 * 24.0 + 2.0 * 4.0;

/// A sentence of the report; `picked` while the thing that it is about is picked on an image.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState, sentence: &Sentence, picked: bool) {
    let t = cx.tokens;
    let rejected = sentence.state == SentenceState::Rejected;
    let ground = ui.painter().add(egui::Shape::Noop);
    let top = ui.cursor().top();
    ui.add_space(4.0);
    let id = field_id(sentence.id);
    let key = id.with("draft");
    let mut text = ui.data(|data| data.get_temp::<String>(key)).unwrap_or_else(|| sentence.text.clone());
    let ink = if rejected { t.t3 } else { t.t1 };
    let anchor = Anchor::Sentence(sentence.id);
    let marks = field::marks(report, anchor, &text);
    let name = format!("Sentence: {}", sentence.text);
    let study = cx.session.report_study().map(str::to_owned);
    let proposal = study.as_ref().and_then(|study| cx.session.completing.of(study, anchor, &text)).map(str::to_owned);
    let shown = field::show(ui, id, &mut text, ink, "", &name, &marks, proposal.as_deref());
    let field = shown.response.clone();
    if field.has_focus() && !field.lost_focus() {
        pause(ui, out, report, anchor, &shown, &text, study.as_deref());
    }
    let held = words::show(ui, cx, out, id, &shown, &mut text);
    if field.has_focus()
        && let Some(kind) = report.checks.kinds.get(&anchor).map(|kind| kind.name()).filter(|name| !name.is_empty())
    {
        paragraph(ui, &format!("Read as: {kind}"), NOTE, t.t3);
    }
    if held {
        ui.data_mut(|data| data.insert_temp(key, text));
    } else {
        commit(ui, out, sentence, &field, key, text);
    }
    ui.add_space(2.0);
    if let Some(before) = &sentence.replaces {
        let was = format!("The image has changed. You had confirmed: {before}");
        paragraph(ui, &was, NOTE, t.warn);
        ui.add_space(2.0);
    }
    if let Some(outside) = outside(cx, sentence) {
        paragraph(ui, &outside, NOTE, t.warn);
        ui.add_space(2.0);
    }
    chips(ui, cx, out, sentence, id);
    let mut objections = objection::at(report, anchor).peekable();
    if objections.peek().is_some() {
        ui.add_space(4.0);
    }
    for objection in objections {
        objection::show(ui, cx, out, report, objection);
    }
    ui.add_space(4.0);
    let over = Rect::from_min_max(
        egui::pos2(ui.max_rect().left() - 8.0, top),
        egui::pos2(ui.max_rect().right() + 8.0, ui.cursor().top()),
    );
    let pointed = cx.session.spotlight == Some(sentence.id) || picked;
    if pointed {
        ui.painter().set(ground, egui::Shape::rect_filled(over, size::RADIUS, t.accbg));
        come_into_sight(ui, sentence.id, over);
    } else if field.has_focus() {
        ui.painter().set(ground, egui::Shape::rect_filled(over, size::RADIUS, t.bg2));
    }
    point(ui, cx, out, sentence, over);
}

/// A sentence that was just picked elsewhere is scrolled to, once.
fn come_into_sight(ui: &Ui, sentence: u64, rect: Rect) {
    let id = Id::unique("sentence last scrolled to");
    let last = ui.data(|data| data.get_temp::<u64>(id));
    if last != Some(sentence) {
        ui.data_mut(|data| data.insert_temp(id, sentence));
        if !ui.clip_rect().contains_rect(rect) {
            ui.scroll_to_rect(rect, None);
        }
    }
}

/// How long the pointer rests on a sentence before the viewports follow, in seconds: not while it only passes.
const DWELL_S: f32 = 0.12;

/// The pointer on a sentence marks its pixels and brings the viewports there.
fn point(ui: &Ui, cx: &Cx<'_>, out: &mut Out, sentence: &Sentence, over: Rect) {
    if sentence.finding_ids.is_empty() || cx.session.spotlight == Some(sentence.id) {
        return;
    }
    let (at, down, still) =
        ui.input(|i| (i.pointer.hover_pos(), i.pointer.any_down(), i.pointer.time_since_last_movement()));
    if down || !at.is_some_and(|p| over.contains(p) && ui.clip_rect().contains(p)) {
        return;
    }
    if still < DWELL_S {
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f32(DWELL_S));
        return;
    }
    ui.data_mut(|data| data.insert_temp(by_pointer(), true));
    out.command(Command::Spotlight(Some(sentence.id)));
}

/// Where it is kept that the pointer, not a key or a click, chose the sentence.
fn by_pointer() -> Id {
    Id::unique("spotlight by the pointer")
}

/// Off the report, the pointer points at nothing.
pub(super) fn leave(ui: &Ui, cx: &Cx<'_>, out: &mut Out, over: bool) {
    if over || cx.session.spotlight.is_none() {
        return;
    }
    if ui.data_mut(|data| data.remove_temp::<bool>(by_pointer())).unwrap_or(false) {
        out.command(Command::Spotlight(None));
    }
}

pub(super) fn field_id(sentence: u64) -> Id {
    Id::unique(("sentence", sentence))
}

/// Leaves out what is being typed into a sentence: other words have come in its place.
pub(super) fn forget(ui: &Ui, sentence: u64) {
    ui.data_mut(|data| data.remove_temp::<String>(field_id(sentence).with("draft")));
}

/// How long the hand rests before the checks read what it has typed, in seconds.
const PAUSE_S: f64 = 0.3;

/// After a pause in typing the words as they stand are checked; they are not taken yet.
fn pause(ui: &Ui, out: &mut Out, report: &ReportState, at: Anchor, shown: &Shown, text: &str, study: Option<&str>) {
    let field = &shown.response;
    let key = field.id.with("typed at");
    let now = ui.input(|i| i.time);
    let study = study.map(str::to_owned);
    if shown.proposal == Some(Decided::Left) {
        out.command(Command::Complete { words: None, study: study.clone() });
    }
    // Words that were taken are as good as typed.
    if field.changed() || shown.proposal == Some(Decided::Taken) {
        ui.data_mut(|data| data.insert_temp(key, now));
    }
    let Some(typed) = ui.data(|data| data.get_temp::<f64>(key)) else { return };
    let rest = PAUSE_S - (now - typed);
    if rest > 0.0 {
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(rest));
        return;
    }
    ui.data_mut(|data| data.remove_temp::<f64>(key));
    if report.typing.as_ref().is_none_or(|t| t.at != at || t.text != text) {
        out.command(Command::Type { words: Some((at, text.to_owned())), study: study.clone() });
    }
    if shown.at_end {
        out.command(Command::Complete { words: Some((at, text.to_owned())), study });
    }
}

/// The words of the reader go into the report when the field is left; Escape leaves them as they were.
fn commit(ui: &mut Ui, out: &mut Out, sentence: &Sentence, field: &Response, key: Id, text: String) {
    let escaped = ui.input(|i| i.key_pressed(Key::Escape));
    if field.has_focus() && !field.lost_focus() {
        if ui.input(|i| i.key_pressed(Key::Enter)) {
            field.surrender_focus();
        }
        if text != sentence.text || ui.data(|data| data.get_temp::<String>(key)).is_some() {
            ui.data_mut(|data| data.insert_temp(key, text));
        }
        return;
    }
    if field.lost_focus() {
        out.command(Command::Type { words: None, study: None });
        out.command(Command::Complete { words: None, study: None });
    }
    if ui.data_mut(|data| data.remove_temp::<String>(key)).is_none() && text == sentence.text {
        return;
    }
    let text = text.trim();
    if escaped || text == sentence.text {
        return;
    }
    if !text.is_empty() {
        out.command(Command::EditSentence(sentence.id, text.to_owned()));
    } else if sentence.state == SentenceState::Written {
        out.command(Command::RemoveSentence(sentence.id));
    } else {
        // A proposal that was emptied is refused, not forgotten: it would come back with the next draft.
        out.command(Command::RejectSentence(sentence.id));
    }
}

/// The empty line at the end of a section.
pub(super) fn new_line(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, section: usize, at: usize, title: &str) {
    ui.add_space(4.0);
    // What is typed belongs to the study that it was begun on, also when another comes on the screen before it is done.
    let study = cx.session.report_study().map(str::to_owned);
    let id = Id::unique(("new sentence", &study, section));
    let mut text = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_default();
    let (report, anchor) = (cx.session.report(), Anchor::NewLine(section));
    let marks = field::marks(report, anchor, &text);
    let name = format!("New sentence, {title}");
    let proposal = study.as_ref().and_then(|study| cx.session.completing.of(study, anchor, &text)).map(str::to_owned);
    let shown = field::show(ui, id, &mut text, cx.tokens.t1, "Write a sentence", &name, &marks, proposal.as_deref());
    let field = shown.response.clone();
    if field.has_focus() && !field.lost_focus() {
        pause(ui, out, report, anchor, &shown, &text, study.as_deref());
    }
    if words::show(ui, cx, out, id, &shown, &mut text) {
        ui.data_mut(|data| data.insert_temp(id, text));
        ui.add_space(4.0);
        return;
    }
    let entered = field.has_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    let left = field.lost_focus() && !ui.input(|i| i.key_pressed(Key::Escape));
    if (entered || left) && !text.trim().is_empty() {
        out.command(Command::Complete { words: None, study: study.clone() });
        out.command(Command::InsertSentence { section, sentence: at, text: text.trim().to_owned(), study });
        text.clear();
    } else if field.lost_focus() && report.typing.as_ref().is_some_and(|t| t.at == anchor) {
        out.command(Command::Complete { words: None, study: study.clone() });
        out.command(Command::Type { words: None, study });
    }
    for objection in objection::at(report, anchor) {
        objection::show(ui, cx, out, report, objection);
    }
    ui.data_mut(|data| data.insert_temp(id, text));
    ui.add_space(4.0);
}

/// What the sentence rests on, what the reader did with it, and what can be done.
fn chips(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, sentence: &Sentence, field: Id) {
    let actions = match sentence.state {
        SentenceState::Proposed => ACTIONS_PT + 8.0,
        SentenceState::Rejected => 72.0,
        _ => 0.0,
    };
    let labels = labels(sentence);
    let width = ui.available_width();
    // Chips that do not fit go onto further lines; the buttons stay on the first.
    let (mut rows, mut x) = (vec![Vec::new()], 0.0);
    for (icon, text, proposed) in &labels {
        let wide = chip_width(ui, text, *proposed);
        let room = if rows.len() == 1 { width - actions } else { width };
        if x > 0.0 && x + wide > room {
            rows.push(Vec::new());
            x = 0.0;
        }
        x += wide + 4.0;
        if let Some(row) = rows.last_mut() {
            row.push((*icon, text, *proposed));
        }
    }
    for (n, row) in rows.iter().enumerate() {
        let height = if n == 0 && actions > 0.0 { size::CONTROL_COMPACT } else { 20.0 };
        let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
        if n == 0 && actions > 0.0 {
            let mut end = inside(ui, rect, Layout::right_to_left(Align::Center));
            end.spacing_mut().item_spacing.x = 4.0;
            decide(&mut end, cx, out, sentence, field);
        }
        let limit = if n == 0 { rect.right() - actions } else { rect.right() };
        let mut line = inside(ui, rect.with_max_x(limit), Layout::left_to_right(Align::Center));
        line.spacing_mut().item_spacing.x = 4.0;
        for (icon, text, proposed) in row {
            let mut chip = Chip::new(text).icon(*icon);
            if *proposed {
                chip = chip.dashed();
            } else if sentence.state == SentenceState::Rejected {
                chip = chip.tone(Tone::Plain);
            }
            // What has pixels is shown by a click.
            let grounded = !sentence.finding_ids.is_empty() && *icon != icons::USER && *icon != icons::X;
            if grounded {
                chip = chip.clickable().line("Shows it on the image.");
            }
            if line.add(chip).clicked() {
                out.command(Command::GoToSentence(sentence.id));
            }
        }
        if n + 1 < rows.len() {
            ui.add_space(4.0);
        }
    }
}

fn chip_width(ui: &Ui, text: &str, dashed: bool) -> f32 {
    let words = line_text(ui, text, font(size::TEXT[0], Weight::Regular), egui::Color32::PLACEHOLDER, f32::INFINITY);
    (words.size().x + size::ICON[2] + 4.0 + if dashed { 14.0 } else { 12.0 }).ceil()
}

/// The warning of the AI panel, beside what a model's sentence says: the image is outside what its card covers.
fn outside(cx: &Cx<'_>, sentence: &Sentence) -> Option<String> {
    if !matches!(sentence.state, SentenceState::Proposed | SentenceState::Accepted | SentenceState::Edited) {
        return None;
    }
    let s = cx.session;
    let study = s.library.studies.iter().find(|study| Some(study.uid.as_str()) == s.report_study())?;
    sentence.sources.iter().filter(|source| source.kind == ChipKind::Model).find_map(|source| {
        let id = source.label.split(',').next()?.trim();
        let model = s.models.iter().find(|m| m.id == id)?;
        let made = |stack: &&StackId| {
            let of_model = |x: &Segment| matches!(&x.origin, MaskOrigin::Model { model, .. } if model == id);
            s.document(**stack).is_some_and(|d| d.segments.iter().any(of_model))
        };
        let open = s.library.stack(*study.stacks.iter().find(made)?)?;
        match model.fit(open, Some(study)) {
            Fit::Outside(objections) => Some(format!("{id} is outside its card. {}", objections.join(" "))),
            Fit::Fits | Fit::Unfit(_) => None,
        }
    })
}

/// The chips: icon, words, and whether they are dashed. A proposal always has a dashed one; what the reader did with it
/// is said where the chip still has the words of the proposal.
fn labels(sentence: &Sentence) -> Vec<(Icon, String, bool)> {
    let waits = sentence.state == SentenceState::Proposed;
    let mut labels: Vec<(Icon, String, bool)> = sentence
        .sources
        .iter()
        .map(|source| {
            let of_model = source.kind == ChipKind::Model;
            let plain = source.label.trim_end_matches(", unconfirmed").trim_end_matches(", accepted");
            let text = match sentence.state {
                SentenceState::Proposed if of_model => format!("{plain}, unconfirmed"),
                SentenceState::Accepted if of_model => format!("{plain}, accepted by you"),
                SentenceState::Edited if of_model => format!("{plain}, edited by you"),
                _ => plain.to_owned(),
            };
            (icon(source.kind), text, waits && of_model)
        })
        .collect();
    let from_header = !sentence.sources.is_empty() && sentence.sources.iter().all(|s| s.kind == ChipKind::Header);
    let from_model = sentence.sources.iter().any(|s| s.kind == ChipKind::Model);
    match sentence.state {
        SentenceState::Proposed if !from_model => labels.push((icons::QUESTION, "Proposed, unconfirmed".into(), true)),
        SentenceState::Edited if !from_model => labels.push((icons::USER, "Edited by you".into(), false)),
        // What the header says stands without a person's decision; to call it accepted would name one who was not there.
        SentenceState::Accepted if !from_model && !from_header => {
            labels.push((icons::USER, "Accepted by you".into(), false));
        }
        SentenceState::Rejected => labels.insert(0, (icons::X, "Rejected".into(), false)),
        SentenceState::Written if labels.is_empty() => labels.push((icons::USER, "You".into(), false)),
        _ => {}
    }
    labels
}

fn icon(kind: ChipKind) -> Icon {
    match kind {
        ChipKind::Header => icons::TAG,
        ChipKind::Prior => icons::CLOCK,
        ChipKind::Measurement => icons::RULER,
        ChipKind::Model => icons::CPU,
        ChipKind::Reader => icons::USER,
        ChipKind::Guideline => icons::BOOK_OPEN,
    }
}

/// From right to left: refuse, edit, accept; or take back a refusal.
fn decide(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, sentence: &Sentence, field: Id) {
    if sentence.state == SentenceState::Rejected {
        if ui.add(Button::new("Accept").compact().line("Takes the refusal back.")).clicked() {
            out.command(Command::AcceptSentence(sentence.id));
        }
        return;
    }
    if ui.add(IconButton::new(icons::X, "Refuse").compact().raised().line("It is kept as rejected.")).clicked() {
        out.command(Command::RejectSentence(sentence.id));
    }
    if ui
        .add(
            IconButton::new(icons::PENCIL_SIMPLE, "Edit")
                .compact()
                .raised()
                .line("A click into the words does it too."),
        )
        .clicked()
    {
        ui.memory_mut(|memory| memory.request_focus(field));
    }
    if ui.add(IconButton::new(icons::CHECK, "Accept").compact().raised().ink(cx.tokens.ok)).clicked() {
        out.command(Command::AcceptSentence(sentence.id));
    }
}

#[cfg(test)]
mod tests {
    use lightbox_session::report::SourceChip;

    use super::*;

    fn sentence(state: SentenceState, kind: ChipKind, label: &str) -> Sentence {
        Sentence {
            id: 1,
            text: "Right lung 54 %.".into(),
            sources: vec![SourceChip { kind, label: label.into() }],
            finding_ids: Vec::new(),
            state,
            proposed_text: None,
            replaces: None,
        }
    }

    #[test]
    fn an_accepted_sentence_of_a_model_no_longer_says_unconfirmed() {
        let labels = labels(&sentence(SentenceState::Accepted, ChipKind::Model, "cxr-lungs, unconfirmed"));
        assert_eq!(labels[0].1, "cxr-lungs, accepted by you");
        assert!(!labels[0].2);
    }

    #[test]
    fn nobody_is_said_to_have_accepted_what_the_header_says() {
        let labels = labels(&sentence(SentenceState::Accepted, ChipKind::Header, "Header"));
        assert_eq!(labels.iter().map(|(_, text, _)| text.as_str()).collect::<Vec<_>>(), ["Header"]);
    }

    #[test]
    fn every_proposal_has_a_dashed_chip() {
        for kind in [ChipKind::Model, ChipKind::Header, ChipKind::Measurement] {
            let labels = labels(&sentence(SentenceState::Proposed, kind, "126 / 307 mm"));
            assert!(labels.iter().any(|(_, text, dashed)| *dashed && text.ends_with("unconfirmed")), "{labels:?}");
        }
    }
}
