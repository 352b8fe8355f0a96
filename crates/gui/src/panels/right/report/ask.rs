//! The page of the knowledge base: a question, and passages, each with its source and date. No answer without a source.

use egui::{Align, Id, Key, Layout, Sense, Ui, vec2};
use lightbox_session::ask::{Answer, Audience};
use lightbox_session::problem::ProblemPlace;
use lightbox_session::{Command, JobKind};

use super::{SIDE_PT, scrolled};
use crate::cx::{Cx, DialogRequest, Out};
use crate::fonts::Weight;
use crate::icons;
use crate::panels::parts::{BODY, NOTE, TABLE, inside, line_with_end, paragraph, problems, rich, words};
use crate::theme::size;
use crate::widgets::{Button, Chip, IconButton, Progress, SearchField, Segmented, hair};

/// For whom, in the order of the choice.
const FOR: [(&str, Option<Audience>); 3] =
    [("Clinician", Some(Audience::Clinician)), ("Patient", Some(Audience::Patient)), ("Both", None)];

/// Fills its room.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let ask = &cx.session.ask;
    let id = Id::unique("question to the knowledge base");
    let mut question = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_else(|| ask.question.clone());
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 72.0), Sense::hover());
    let mut head = inside(ui, rect.shrink2(vec2(SIDE_PT, 0.0)), Layout::top_down(Align::Min));
    head.spacing_mut().item_spacing = vec2(8.0, 8.0);
    let width = head.available_width();
    let field = head.add(SearchField::new("Ask the knowledge base", &mut question).width(width));
    let mut chosen = FOR.iter().position(|(_, a)| *a == ask.audience).unwrap_or(2);
    let names = FOR.map(|(name, _)| name);
    let entered = field.lost_focus() && head.input(|i| i.key_pressed(Key::Enter));
    let (asked, turned) = line_with_end(
        &mut head,
        size::CONTROL,
        |ui| {
            let reason = if question.trim().is_empty() { "type a question first" } else { "" };
            ui.add(Button::new("Ask").disabled(reason)).clicked()
        },
        |ui| Segmented::new("For whom", &names).show(ui, &mut chosen).changed(),
    );
    if (entered || asked) && !question.trim().is_empty() || turned {
        out.command(Command::Ask { question: question.trim().to_owned(), audience: FOR[chosen].1 });
    }
    ui.data_mut(|data| data.insert_temp(id, question));
    hair(ui, 0.0);
    scrolled(ui, |ui| {
        if problems(ui, cx, out, ProblemPlace::Report) > 0 {
            ui.add_space(8.0);
        }
        answers(ui, cx);
        ui.add_space(16.0);
        folder(ui, cx, out);
    });
}

fn answers(ui: &mut Ui, cx: &Cx<'_>) {
    let t = cx.tokens;
    if let Some(job) = cx.session.jobs.iter().find(|job| job.kind == JobKind::Ask) {
        let detail = if job.detail.is_empty() { "looking" } else { &job.detail };
        ui.add(Progress::new(&job.title, job.fraction.unwrap_or(0.0)).text(detail));
        return;
    }
    let Some(found) = &cx.session.ask.found else {
        let text = "Answers come from passages at hand, word for word, each with its source and date. Nothing is fetched, and \
                    without a source there is no answer.";
        paragraph(ui, text, TABLE, t.t3);
        return;
    };
    rich(ui, &[(found.question.as_str(), Weight::SemiBold, t.t1)], BODY);
    ui.add_space(4.0);
    if found.answers.is_empty() {
        let text = format!(
            "None of the {} passages at hand answers that; without a source there is no answer.",
            found.passages
        );
        paragraph(ui, &text, TABLE, t.t2);
    }
    for (n, answer) in found.answers.iter().enumerate() {
        if n > 0 {
            ui.add_space(8.0);
            hair(ui, 0.0);
        }
        ui.add_space(8.0);
        ui.push_id(n, |ui| one(ui, cx, answer));
    }
    for note in &found.notes {
        ui.add_space(8.0);
        paragraph(ui, note, NOTE, t.warn);
    }
}

fn one(ui: &mut Ui, cx: &Cx<'_>, answer: &Answer) {
    let t = cx.tokens;
    rich(ui, &[(answer.title.as_str(), Weight::SemiBold, t.t1)], TABLE);
    ui.add_space(2.0);
    for text in lines(&answer.text) {
        paragraph(ui, &text, TABLE, t.t2);
        ui.add_space(2.0);
    }
    ui.add_space(4.0);
    // A row is as high as its chips, not as a control.
    ui.spacing_mut().interact_size.y = 20.0;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        ui.add(Chip::new(&answer.source).icon(icons::BOOK_OPEN));
        let date = if answer.date.is_empty() { "date unknown" } else { &answer.date };
        ui.add(Chip::new(date).icon(icons::CALENDAR_BLANK));
        match answer.audience {
            Some(Audience::Patient) => {
                ui.add(Chip::new("For patients").icon(icons::USER));
            }
            Some(Audience::Clinician) => {
                ui.add(Chip::new("For clinicians").icon(icons::USERS));
            }
            None => {}
        }
    });
    let rest: Vec<&str> =
        [answer.url.as_str(), answer.licence.as_str()].into_iter().filter(|p| !p.is_empty()).collect();
    if !rest.is_empty() {
        ui.add_space(2.0);
        paragraph(ui, &rest.join(" · "), NOTE, t.t3);
    }
}

/// The lines of a passage, word for word: items that stand in a row behind dashes get a line each, and the word that some
/// pages begin with is left out.
fn lines(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line = line.strip_prefix("Summary :").map_or(line, str::trim_start);
        // A dash between words may be one dash; two and more are a list.
        if line.matches(" - ").count() < 2 {
            out.push(line.to_owned());
            continue;
        }
        let mut items = line.split(" - ").map(str::trim).filter(|item| !item.is_empty());
        out.extend(items.next().map(str::to_owned));
        out.extend(items.map(|item| format!("– {item}")));
    }
    out
}

/// The folder of the user's own.
fn folder(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let t = cx.tokens;
    let chosen = cx.session.workspace.knowledge.as_ref();
    hair(ui, 0.0);
    ui.add_space(8.0);
    line_with_end(
        ui,
        size::CONTROL,
        |ui| {
            if chosen.is_some() && ui.add(IconButton::new(icons::X, "Leave the folder out").compact()).clicked() {
                out.command(Command::SetKnowledgeFolder(None));
            }
            let label = if chosen.is_some() { "Another…" } else { "Add a folder…" };
            let line = "Markdown, text and JSON lines; read here, never sent.";
            if ui.add(Button::new(label).compact().line(line)).clicked() {
                out.dialog(DialogRequest::KnowledgeFolder);
            }
        },
        |ui| {
            let name = chosen.and_then(|p| p.file_name()).map(|n| n.to_string_lossy().into_owned());
            let text = name.map_or_else(|| "No folder of your own".to_owned(), |n| format!("Your folder: {n}"));
            words(ui, &text, NOTE, Weight::Regular, t.t3);
        },
    );
    if let Some(found) = &cx.session.ask.found {
        let text = format!("{} passages at hand", found.passages);
        words(ui, &text, NOTE, Weight::Regular, t.t3);
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_list_in_a_row_is_a_list() {
        let text =
            "Summary : Doctors use CT to look for - Broken bones - Cancers - Blood clots\n\nIt is painless - mostly.";
        let wanted =
            ["Doctors use CT to look for", "– Broken bones", "– Cancers", "– Blood clots", "It is painless - mostly."];
        assert_eq!(lines(text), wanted);
    }
}
