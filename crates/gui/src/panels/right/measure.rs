//! The Measure tab: the measurements on the series of the active study, with their numbers.

use egui::Ui;
use lightbox_session::annotation::{Annotation, AnnotationKind};
use lightbox_session::ground::{self, Thing};
use lightbox_session::workspace::Tool;
use lightbox_session::{Command, OpenStack};

use super::{body, part};
use crate::cx::{Cx, Out, Request};
use crate::fonts::Weight;
use crate::icons::{self, Icon};
use crate::panels::amount::reading;
use crate::panels::parts::{NOTE, TABLE, paragraph, words};
use crate::widgets::{Button, IconButton, Row, empty_state, section};

/// Fills its room.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let study = cx.session.active_stack().and_then(|id| cx.session.library.study_of(id));
    let stacks: Vec<&OpenStack> =
        study.iter().flat_map(|s| &s.stacks).filter_map(|id| cx.session.library.stack(*id)).collect();
    let all: Vec<(&OpenStack, &[Annotation])> = stacks
        .into_iter()
        .filter_map(|open| Some((open, cx.session.document(open.id)?.annotations.as_slice())))
        .filter(|(_, list)| !list.is_empty())
        .collect();
    let total: usize = all.iter().map(|(_, list)| list.len()).sum();
    if total == 0 {
        ui.add_space(48.0);
        part(ui, |ui| {
            let button = Button::new("Measure a length").icon(icons::RULER).key("D");
            if empty_state(ui, icons::RULER, "Nothing is measured in this study.", button).clicked() {
                out.command(Command::SetTool(Tool::Length));
            }
        });
        return;
    }
    body(ui, |ui| {
        part(ui, |ui| {
            section(ui, "Measurements", |ui| {
                words(ui, &format!("{total} in this study"), NOTE, Weight::Regular, cx.tokens.t3);
            });
            for (open, list) in all {
                for annotation in list {
                    ui.push_id((open.id, annotation.id), |ui| row(ui, cx, out, open, annotation));
                }
            }
            ui.add_space(8.0);
            paragraph(ui, "They stay with the image; the report takes lengths from here.", TABLE, cx.tokens.t3);
        });
    });
}

fn icon(kind: AnnotationKind) -> Icon {
    match kind {
        AnnotationKind::Length => icons::RULER,
        AnnotationKind::Angle => icons::ANGLE,
        AnnotationKind::Ellipse => icons::CIRCLE,
    }
}

fn row(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, annotation: &Annotation) {
    let reading = reading(ui, annotation, open);
    let (number, detail) = match &reading {
        Some(reading) => (reading.short(), reading.detail()),
        None => (annotation.kind.name().to_owned(), "points are missing".to_owned()),
    };
    let count = open.plane_stack(annotation.plane).count();
    let place = if count > 1 {
        format!("{} {} / {count}", annotation.plane.name(), annotation.index + 1)
    } else {
        open.title()
    };
    // The series is the last to be said: the plane and the numbers must not be cut off for it.
    let title = if count > 1 && detail.is_empty() { open.title() } else { String::new() };
    let second: Vec<String> = [place, detail, title].into_iter().filter(|text| !text.is_empty()).collect();
    let second = second.join(" · ");
    let chosen = cx.ui.selected == Some((open.id, annotation.id));
    let thing = Thing::Annotation(annotation.id);
    let said = ground::sentence_of(cx.session, open.id, thing).is_some();
    let row = Row::new(&number).subtitle(&second).icon(icon(annotation.kind)).selected(chosen).show_with(ui, |ui| {
        let name = format!("Delete {number}");
        if ui.add(IconButton::new(icons::TRASH, &name).compact()).clicked() {
            out.command(Command::DeleteAnnotation { stack: open.id, id: annotation.id });
        }
        if said
            && ui
                .add(IconButton::new(icons::FILE_TEXT, &format!("Show the sentence about {number}")).compact())
                .clicked()
        {
            out.command(Command::ShowSentenceOf { stack: open.id, thing });
        }
    });
    if row.clicked() {
        out.command(Command::GoToAnnotation { stack: open.id, id: annotation.id });
        out.request(Request::Select(Some((open.id, annotation.id))));
    }
}
