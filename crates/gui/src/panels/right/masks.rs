//! The Masks tab: the segments of the active series, how they are drawn, what was done to them, and their file.

use egui::{Align, Align2, Frame, Id, Layout, Panel, Popup, Rect, Sense, TextEdit, Ui, vec2};
use lightbox_core::label::{MASK_COLOURS, MaskOrigin};
use lightbox_core::{Segment, SegmentId};
use lightbox_session::problem::ProblemPlace;
use lightbox_session::workspace::MaskStyle;
use lightbox_session::{Command, Document, JobKind, OpenStack, Source, StackId};

use super::{between, body, part};
use crate::cx::{Cx, DialogRequest, Out};
use crate::fonts::{Weight, font};
use crate::icons;
use crate::panels::amount::{Unit, amounts};
use crate::panels::parts::{
    NOTE, TABLE, colour, count, inside, line_with_end, menu_item, menu_line, paragraph, problems, words,
};
use crate::theme::size;
use crate::widgets::{
    Button, IconButton, Row, SegmentRow, SegmentState, Slider, empty_state, focus_ring, hair, section, toggle,
};

/// Height of the foot with the button that saves.
const FOOT_PT: f32 = 57.0;

/// Fills its room.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let Some(open) = cx.session.active_stack().and_then(|id| cx.session.library.stack(id)) else {
        ui.add_space(48.0);
        part(ui, |ui| {
            let button = Button::new("Open folder").key("Ctrl O");
            if empty_state(ui, icons::SELECTION_BACKGROUND, "Open an image to draw segments on it.", button).clicked() {
                out.dialog(DialogRequest::OpenFolder);
            }
        });
        return;
    };
    let document = cx.session.document(open.id).filter(|d| !d.segments.is_empty() || d.history.can_redo());
    let Some(document) = document else {
        part(ui, |ui| {
            ui.add_space(12.0);
            problems(ui, cx, out, ProblemPlace::Masks);
            ui.add_space(36.0);
            let add = Button::new("Add a segment").icon(icons::PLUS);
            if empty_state(ui, icons::SELECTION_BACKGROUND, "No segment is drawn on this series.", add).clicked() {
                out.command(Command::AddSegment { name: None });
            }
            ui.add_space(8.0);
            ui.vertical_centered(|ui| {
                if ui
                    .add(Button::new("Load SEG").ghost().compact().line("A DICOM SEG that refers to this series."))
                    .clicked()
                {
                    out.dialog(DialogRequest::LoadSeg);
                }
            });
            ui.add_space(24.0);
            found(ui, cx, out, open);
        });
        return;
    };
    foot(ui, cx, out, open.id, document);
    body(ui, |ui| {
        part(ui, |ui| {
            segments(ui, cx, out, open, document);
            style(ui, cx, out, open);
            origin(ui, cx, document);
        });
        if cx.session.problems.iter().any(|p| p.place == ProblemPlace::Masks) {
            part(ui, |ui| {
                problems(ui, cx, out, ProblemPlace::Masks);
            });
        }
        part(ui, |ui| found(ui, cx, out, open));
        between(ui);
        part(ui, |ui| history(ui, cx, out, open, document));
    });
}

/// The segmentations that lie among the files of the study. They are loaded when the reader says so.
fn found(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack) {
    let masks = cx.session.library.study_of(open.id).map(|study| study.masks.as_slice()).unwrap_or_default();
    if masks.is_empty() {
        return;
    }
    section(ui, "In the study's files", |ui| {
        words(ui, &count(masks.len(), "SEG file"), NOTE, Weight::Regular, cx.tokens.t3);
    });
    for (description, source) in masks {
        let path = source.to_string();
        let file = path.rsplit(['/', '\\']).next().unwrap_or_default();
        let title = if description.is_empty() { file.to_owned() } else { format!("{file}, {description}") };
        line_with_end(
            ui,
            size::CONTROL_COMPACT,
            |ui| match source {
                Source::File(path) => {
                    let again = cx.session.loaded_masks.contains(path.as_ref());
                    let label = if again { "Load again" } else { "Load" };
                    if ui.push_id(path.as_ref(), |ui| ui.add(Button::new(label).in_row())).inner.clicked() {
                        out.command(Command::LoadSeg(path.to_path_buf()));
                    }
                }
                Source::Zip { .. } => {
                    ui.add(Button::new("Load").in_row().disabled("It lies in a ZIP: unpack it to load it."));
                }
            },
            |ui| {
                words(ui, &title, TABLE, Weight::Regular, cx.tokens.t1);
            },
        );
    }
    ui.add_space(8.0);
}

/// Where the segment lies that is being named, with the name so far.
fn naming_id() -> Id {
    Id::unique("segment being named")
}

fn segments(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, document: &Document) {
    let style = cx.session.workspace.masks;
    section(ui, "Segments", |ui| {
        more(ui, out, document);
        let hidden = style.hidden || cx.ui.masks_hidden;
        let (icon, name) = if hidden { (icons::EYE_SLASH, "Show all") } else { (icons::EYE, "Hide all") };
        if ui.add(IconButton::new(icon, name).compact().key("G")).clicked() {
            out.command(Command::SetMaskStyle(MaskStyle { hidden: !style.hidden, ..style }));
        }
        if ui.add(IconButton::new(icons::PLUS, "Add a segment").compact()).clicked() {
            out.command(Command::AddSegment { name: None });
        }
    });
    let unit = Unit::of(open);
    let amounts = amounts(ui, cx.session, open.id, document);
    heading(ui, cx, unit);
    for segment in &document.segments {
        let amount = amounts.get(&segment.id).copied().unwrap_or(0.0);
        ui.push_id(segment.id.0, |ui| segment_row(ui, cx, out, document, segment, &unit.number(amount), amount > 0.0));
    }
    ui.add_space(8.0);
}

fn heading(ui: &mut Ui, cx: &Cx<'_>, unit: Unit) {
    let [_, state_pt, lock_pt, eye_pt] = SegmentRow::COLUMNS;
    line_with_end(
        ui,
        size::ROW[0],
        |ui| {
            ui.add_space(state_pt + lock_pt + eye_pt);
            words(ui, unit.heading(), TABLE, Weight::Medium, cx.tokens.t3);
        },
        |ui| {
            words(ui, "Name", TABLE, Weight::Medium, cx.tokens.t3);
        },
    );
}

fn more(ui: &mut Ui, out: &mut Out, document: &Document) {
    let button = ui.add(IconButton::new(icons::DOTS_THREE, "More").compact());
    let active = document.active.and_then(|id| document.segment(id));
    Popup::menu(&button).gap(4.0).align(egui::RectAlign::BOTTOM_END).show(|ui| {
        ui.set_min_width(208.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        let none = if active.is_none() { "none chosen" } else { "" };
        if menu_item(ui, Row::new("Rename").key("F2").icon(icons::PENCIL_SIMPLE).disabled(none))
            && let Some(segment) = active
        {
            ui.data_mut(|data| data.insert_temp(naming_id(), (segment.id, segment.name.clone())));
        }
        let locked = match active {
            Some(segment) if segment.locked => "locked",
            Some(_) => "",
            None => "none chosen",
        };
        if menu_item(ui, Row::new("Delete").icon(icons::TRASH).disabled(locked))
            && let Some(segment) = active
        {
            out.command(Command::DeleteSegment(segment.id));
        }
        menu_line(ui);
        let all: Vec<SegmentId> = document.waiting().map(|s| s.id).collect();
        let none = if all.is_empty() { "none waits" } else { "" };
        if menu_item(ui, Row::new("Accept all proposed").icon(icons::CHECK).disabled(none)) {
            all.iter().for_each(|id| out.command(Command::AcceptSegment(*id)));
        }
        if menu_item(ui, Row::new("Load SEG").icon(icons::DOWNLOAD_SIMPLE)) {
            out.dialog(DialogRequest::LoadSeg);
        }
    });
}

fn segment_row(
    ui: &mut Ui,
    cx: &Cx<'_>,
    out: &mut Out,
    document: &Document,
    segment: &Segment,
    value: &str,
    any: bool,
) {
    let proposed = document.proposed.contains(&segment.id);
    let state = match (any, proposed) {
        (false, _) => SegmentState::Empty,
        (true, true) => SegmentState::InProgress,
        (true, false) => SegmentState::Accepted,
    };
    let row = SegmentRow {
        colour: colour(segment.colour),
        name: &segment.name,
        value,
        state,
        locked: segment.locked,
        visible: segment.visible,
        selected: document.active == Some(segment.id),
    };
    let done = row.show(ui);
    if done.lock_clicked {
        out.command(Command::SetSegmentLocked(segment.id, !segment.locked));
    }
    if done.eye_clicked {
        out.command(Command::SetSegmentVisible(segment.id, !segment.visible));
    }
    if done.row.clicked() {
        out.command(Command::SelectSegment(segment.id));
    }
    let rect = done.row.rect;
    swatch(ui, out, segment, Rect::from_min_size(rect.min - vec2(6.0, 0.0), vec2(24.0, rect.height())));
    let keyed = done.row.has_focus() && ui.input(|i| i.key_pressed(egui::Key::F2));
    if done.row.double_clicked() || keyed {
        ui.data_mut(|data| data.insert_temp(naming_id(), (segment.id, segment.name.clone())));
    }
    name_field(ui, cx, out, segment, rect);
}

/// The field that lies over a segment's name while it is being named.
fn name_field(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, segment: &Segment, row: Rect) {
    let naming = ui.data(|data| data.get_temp::<(SegmentId, String)>(naming_id()));
    let Some((_, mut name)) = naming.filter(|(id, _)| *id == segment.id) else { return };
    let columns: f32 = SegmentRow::COLUMNS.iter().sum();
    let place = Rect::from_min_max(row.min + vec2(18.0, 2.0), row.max - vec2(columns, 2.0));
    ui.painter().rect_filled(place, size::RADIUS, cx.tokens.bg3);
    let id = Id::unique(("name", segment.id.0));
    let field = ui.place(
        place.shrink2(vec2(4.0, 0.0)),
        TextEdit::singleline(&mut name)
            .id(id)
            .frame(Frame::new())
            .font(font(size::TEXT[TABLE], Weight::Regular))
            .align(Align2::LEFT_CENTER)
            .desired_width(place.width() - 8.0),
    );
    ui.ctx().accesskit_node_builder(id, |node| node.set_label("Name of the segment"));
    let key = Id::unique(("naming begun", segment.id.0));
    let begun = ui.data(|data| data.get_temp::<bool>(key)).unwrap_or(false);
    let cancelled = ui.input(|i| i.key_pressed(egui::Key::Escape));
    if !begun {
        field.request_focus();
        ui.data_mut(|data| data.insert_temp(key, true));
    }
    focus_ring(ui, place.shrink(1.0), size::RADIUS);
    let ends = begun && (field.lost_focus() || cancelled);
    if ends {
        if !cancelled && !name.trim().is_empty() && name.trim() != segment.name {
            out.command(Command::RenameSegment(segment.id, name.trim().to_owned()));
        }
        ui.data_mut(|data| {
            data.remove::<(SegmentId, String)>(naming_id());
            data.remove::<bool>(key);
        });
    } else {
        ui.data_mut(|data| data.insert_temp(naming_id(), (segment.id, name)));
    }
}

/// The colour of a segment opens the twelve.
fn swatch(ui: &mut Ui, out: &mut Out, segment: &Segment, place: Rect) {
    let response = ui.interact(place, ui.scope_id().with("colour"), Sense::click());
    let name = format!("Colour of {}", segment.name);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    if response.has_focus() {
        focus_ring(ui, Rect::from_center_size(place.center(), vec2(12.0, 12.0)), size::RADIUS_THUMB);
    }
    Popup::menu(&response).gap(4.0).show(|ui| {
        ui.set_width(4.0 * 28.0);
        for (n, four) in MASK_COLOURS.chunks(4).enumerate() {
            let (rect, _) = ui.allocate_exact_size(vec2(4.0 * 28.0, 28.0), Sense::hover());
            let mut row = inside(ui, rect, Layout::left_to_right(Align::Center));
            row.spacing_mut().item_spacing.x = 0.0;
            for (m, rgb) in four.iter().enumerate() {
                let (cell, part) = row.allocate_exact_size(vec2(28.0, 28.0), Sense::click());
                let square = Rect::from_center_size(cell.center(), vec2(20.0, 20.0));
                row.painter().rect_filled(square, size::RADIUS_THUMB, colour(*rgb));
                if *rgb == segment.colour || part.hovered() || part.has_focus() {
                    focus_ring(&row, square, size::RADIUS_THUMB);
                }
                let name = format!("Colour {}", n * 4 + m + 1);
                part.widget_info(|| {
                    egui::WidgetInfo::selected(egui::Role::RadioButton, true, *rgb == segment.colour, &name)
                });
                if part.clicked() {
                    out.command(Command::SetSegmentColour(segment.id, *rgb));
                    row.close();
                }
            }
        }
    });
}

fn style(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack) {
    let style = cx.session.workspace.masks;
    let mut fill = f64::from(crate::textures::fill_of(cx.session, open));
    let text = format!("{:.0} %", fill * 100.0);
    let slider = Slider::new("Fill of masks", &mut fill, 0.0, 1.0).step(0.01).label("Fill", 48.0).text(&text, 32.0);
    if ui.add(slider.line("0 leaves the outline alone.")).changed() {
        out.command(Command::SetMaskStyle(MaskStyle { fill: Some(fill as f32), ..style }));
    }
    let mut outline = style.outline;
    if toggle(ui, &mut outline, "Outline").changed() {
        out.command(Command::SetMaskStyle(MaskStyle { outline, ..style }));
    }
}

/// Who made the active segment: `From cxr-lungs, then 3 strokes`.
fn origin(ui: &mut Ui, cx: &Cx<'_>, document: &Document) {
    let Some(segment) = document.active.and_then(|id| document.segment(id)) else { return };
    let strokes = document.history.done().filter(|gesture| gesture.edit.draws_on(segment.id)).count();
    let from = match &segment.origin {
        MaskOrigin::Model { model, .. } => format!("From {model}"),
        MaskOrigin::Reader => "Drawn by hand".to_owned(),
    };
    let then = match (strokes, segment.edited) {
        (0, false) => String::new(),
        (0, true) => ", edited before".to_owned(),
        (n, _) => format!(", then {}", count(n, "stroke")),
    };
    let then = if segment.origin == MaskOrigin::Reader { then.replace("then ", "") } else { then };
    let waits = if document.proposed.contains(&segment.id) { ", not accepted yet" } else { "" };
    ui.add_space(4.0);
    paragraph(ui, &format!("{from}{then}{waits}."), NOTE, cx.tokens.t3);
}

fn history(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, open: &OpenStack, document: &Document) {
    section(ui, "History", |ui| {
        let reason = |can: bool, what: &'static str| if can { "" } else { what };
        let redo = IconButton::new(icons::ARROW_U_UP_RIGHT, "Redo").compact().key("Ctrl+Y");
        if ui.add(redo.disabled(reason(document.history.can_redo(), "Nothing to redo on this series."))).clicked() {
            out.command(Command::Redo);
        }
        let undo = IconButton::new(icons::ARROW_U_UP_LEFT, "Undo").compact().key("Ctrl+Z");
        if ui.add(undo.disabled(reason(document.history.can_undo(), "Nothing to undo on this series."))).clicked() {
            out.command(Command::Undo);
        }
    });
    let unit = Unit::of(open);
    let undone: Vec<_> = document.history.undone().collect();
    // The next to redo is the last; it stands next to what is done.
    for (n, gesture) in undone.iter().enumerate() {
        let row = Row::new(&gesture.title).dense().muted(true).end("undone");
        if ui.push_id(("undone", n), |ui| row.show(ui)).inner.clicked() {
            (n..undone.len()).for_each(|_| out.command(Command::Redo));
        }
    }
    for (n, gesture) in document.history.done().rev().enumerate() {
        let end = if gesture.edit.is_stroke() { unit.change(gesture.amount) } else { String::new() };
        let row = Row::new(&gesture.title).dense().selected(n == 0).end(&end).end2(&gesture.time);
        if ui.push_id(("done", n), |ui| row.show(ui)).inner.clicked() {
            (0..n).for_each(|_| out.command(Command::Undo));
        }
    }
    if document.restored > 0 {
        let text = format!("Restored: {}; undo starts here.", count(document.restored, "gesture"));
        paragraph(ui, &text, TABLE, cx.tokens.t3);
    } else if document.history.can_undo() || document.history.can_redo() {
        ui.add_space(4.0);
    } else {
        paragraph(ui, "Nothing was changed yet.", TABLE, cx.tokens.t3);
    }
    if document.has_unsaved_work() {
        let text = match document.unsaved() {
            1 => "1 gesture since the last save, in the journal".to_owned(),
            n => format!("{n} gestures since the last save, in the journal"),
        };
        journal(ui, cx, &text);
    }
}

fn journal(ui: &mut Ui, cx: &Cx<'_>, text: &str) {
    crate::panels::parts::line(ui, size::ROW[0], |ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(12.0, 12.0), Sense::hover());
        ui.painter().circle_filled(rect.center(), 3.0, cx.tokens.ok);
        words(ui, text, NOTE, Weight::Regular, cx.tokens.t3);
    });
}

fn foot(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, stack: StackId, document: &Document) {
    Panel::bottom("foot of the masks").frame(Frame::new()).show_separator_line(false).exact_size(FOOT_PT).show(
        ui,
        |ui| {
            ui.spacing_mut().item_spacing = vec2(12.0, 0.0);
            hair(ui, 0.0);
            let rect = Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), FOOT_PT - 1.0));
            let mut row =
                inside(ui, rect.shrink2(vec2(size::PANEL_PADDING, 0.0)), Layout::left_to_right(Align::Center));
            row.spacing_mut().item_spacing.x = 12.0;
            let saving = cx.session.jobs.iter().any(|job| job.kind == JobKind::SaveSeg);
            let any = document.segments.iter().any(|s| s.mask.occupied().next().is_some());
            if saving {
                row.add(
                    Button::new("Saving").icon(icons::ARROWS_CLOCKWISE).disabled("It is being written and read back."),
                );
            } else {
                let reason = if any { "" } else { "No segment holds a voxel." };
                let button = Button::new("Save SEG").icon(icons::FLOPPY_DISK).primary().disabled(reason);
                if row.add(button).clicked() {
                    out.dialog(DialogRequest::SaveSeg(stack));
                }
            }
            let told = match (saving, &document.saved, document.unsaved_masks) {
                (true, ..) => "Writing, then reading back".to_owned(),
                (false, Some(saved), 0) => saved.clone(),
                (false, Some(saved), n) => format!("{saved} {} since.", count(n, "change")),
                (false, None, _) if any => "Not saved yet. It is read back before it counts as saved.".to_owned(),
                (false, None, _) => "Nothing is drawn yet.".to_owned(),
            };
            let most = row.available_width();
            let parts = [(told.as_str(), font(size::TEXT[NOTE], Weight::Regular), cx.tokens.t3)];
            let galley = crate::widgets::wrapped_text(&row, &parts, size::LINE[NOTE], most);
            let (rect, response) = row.allocate_exact_size(galley.size(), Sense::hover());
            row.painter().galley(rect.min, galley, cx.tokens.t3);
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &told));
        },
    );
}
