//! The top bar: menu, studies as tabs, options of the active tool; at the right what concerns the whole window.

use egui::{Align, Align2, Layout, Popup, Rect, Response, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use lightbox_session::workspace::{Layout as Grid, TextLevel, ThemeChoice};
use lightbox_session::{Command, OpenStudy, Session};

use super::parts::{inside, mark, menu_item, menu_line, separator};
use super::tool_options;
use crate::cx::{Cx, DialogRequest, Out, Request};
use crate::fonts::{Weight, font};
use crate::icons;
use crate::theme::size;
use crate::widgets::{
    Button, DropDown, IconButton, Row, focus_ring, key_cap, line_text, paint_icon, paint_text, toggle,
};

/// Width of the menu's place.
const MENU_PT: f32 = 44.0;
/// Narrowest menu; it is as wide as its words.
const MENU_LEAST_PT: f32 = 216.0;
/// Width of the settings: label and two buttons with their keys.
const SETTINGS_PT: f32 = 268.0;
/// The options of a tool get at least this; the tabs give way.
const OPTIONS_PT: f32 = 240.0;
/// Widest and narrowest tab of a study.
const TAB_PT: [f32; 2] = [96.0, 300.0];

/// Fills its room.
pub fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let room = ui.max_rect();
    let open = !cx.session.library.studies.is_empty();

    let place = Rect::from_min_size(room.min, vec2(MENU_PT, room.height()));
    menu(ui, place, cx, out);

    let mut right = inside(ui, room, Layout::right_to_left(Align::Center));
    right.add_space(8.0);
    right.spacing_mut().item_spacing.x = 0.0;
    settings(&mut right, cx, out);
    theme(&mut right, cx, out);
    text_level(&mut right, cx, out);
    right.add_space(8.0);
    find(&mut right, cx, out);
    if open {
        right.add_space(8.0);
        layout(&mut right, cx, out);
        right.add_space(4.0);
        link(&mut right, cx, out);
    }
    let limit = right.min_rect().left() - 8.0;

    let from = place.right();
    let tabs = Rect::from_min_max(pos2(from, room.top()), pos2((limit - OPTIONS_PT).max(from + 160.0), room.bottom()));
    let mut left = inside(ui, tabs, Layout::left_to_right(Align::Center));
    left.spacing_mut().item_spacing.x = 0.0;
    if open {
        studies(&mut left, cx, out);
        let add =
            IconButton::new(icons::PLUS, "Open folder").compact().key("Ctrl+O").line("Adds its studies to the list.");
        if left.add(add).clicked() {
            out.dialog(DialogRequest::OpenFolder);
        }
    }
    separator(&mut left, cx.tokens);
    let from = left.min_rect().right();
    if open {
        let options = Rect::from_min_max(pos2(from, room.top()), pos2(limit, room.bottom()));
        let mut middle = inside(ui, options, Layout::left_to_right(Align::Center));
        middle.spacing_mut().item_spacing.x = 4.0;
        tool_options::show(&mut middle, cx, out);
    }
}

/// The menu behind the mark of the program.
fn menu(ui: &mut Ui, place: Rect, cx: &Cx<'_>, out: &mut Out) {
    let id = ui.scope_id().with("menu");
    let response = ui.interact(place, id, Sense::click());
    let hit = place.shrink2(vec2(8.0, 6.0));
    let t = cx.tokens;
    if response.is_pointer_button_down_on() {
        ui.painter().rect_filled(hit, size::RADIUS, t.bg4);
    } else if response.hovered() {
        ui.painter().rect_filled(hit, size::RADIUS, t.bg3);
    }
    mark(ui, place.center(), size::ICON[0], if response.hovered() { t.t1 } else { t.t2 });
    if response.has_focus() {
        focus_ring(ui, hit, size::RADIUS);
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Menu"));
    Popup::menu(&response).gap(4.0).show(|ui| {
        ui.set_min_width(MENU_LEAST_PT);
        ui.spacing_mut().item_spacing.y = 0.0;
        if menu_item(ui, Row::new("Open folder").key("Ctrl+O").icon(icons::FOLDER_OPEN)) {
            out.dialog(DialogRequest::OpenFolder);
        }
        if menu_item(ui, Row::new("Open files").key("Ctrl+Shift+O").icon(icons::FILES)) {
            out.dialog(DialogRequest::OpenFiles);
        }
        if menu_item(ui, Row::new("Open the demo").icon(icons::PLAY)) {
            out.command(Command::OpenDemo);
        }
        menu_line(ui);
        let none = if active_study(cx).is_none() { "nothing open" } else { "" };
        if menu_item(ui, Row::new("Save SEG").key("Ctrl+S").icon(icons::FLOPPY_DISK).disabled(none))
            && let Some(stack) = cx.session.active_stack()
        {
            out.dialog(DialogRequest::SaveSeg(stack));
        }
        if menu_item(ui, Row::new("Load SEG").icon(icons::DOWNLOAD_SIMPLE).disabled(none)) {
            out.dialog(DialogRequest::LoadSeg);
        }
        if menu_item(ui, Row::new("Save report").icon(icons::FILE_TEXT).disabled(none))
            && let Some(study) = cx.session.report_study()
        {
            out.dialog(DialogRequest::SaveReport(study.to_owned()));
        }
        if menu_item(ui, Row::new("Close study").icon(icons::X).disabled(none))
            && let Some(study) = active_study(cx)
        {
            close_study(cx, out, study);
        }
        menu_line(ui);
        if menu_item(ui, Row::new("Find anything").key("Ctrl+K").icon(icons::MAGNIFYING_GLASS)) {
            out.request(Request::Palette);
        }
        if menu_item(ui, Row::new("Keys").key("F1").icon(icons::KEYBOARD)) {
            out.request(Request::Keys);
        }
        menu_line(ui);
        if menu_item(ui, Row::new("Quit").key("Ctrl+Q").icon(icons::ARROW_SQUARE_OUT)) {
            out.command(Command::Quit);
        }
    });
}

fn active_study<'a>(cx: &Cx<'a>) -> Option<&'a OpenStudy> {
    cx.session.library.study_of(cx.session.active_stack()?)
}

/// What a study is called on its tab; the one in the active viewport with the patient's number.
pub(super) fn study_title(s: &Session, study: &OpenStudy, with_id: bool) -> String {
    let modality = study.stacks.first().and_then(|id| s.library.stack(*id)).map_or("", |o| o.series.modality.as_str());
    let title = title(study, modality);
    if with_id && !study.patient.id.is_empty() { format!("{title}, {}", study.patient.id) } else { title }
}

/// The description; where there is none, the modality and the date: `CT 2026-11-18`.
fn title(study: &OpenStudy, modality: &str) -> String {
    if !study.description.is_empty() {
        return study.description.clone();
    }
    let parts = [modality, study.date.as_str()].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>();
    if parts.is_empty() { "Study without a name".to_owned() } else { parts.join(" ") }
}

/// The open studies as tabs; those that find no room stand in a list.
fn studies(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let all = &cx.session.library.studies;
    let active = active_study(cx).map(|study| study.uid.as_str());
    // Room for the button that opens more, the line after it, and the list of the rest.
    let room = ui.available_width() - 24.0 - 17.0;
    let widest = (room / all.len() as f32).max(room.min(TAB_PT[1]) / 2.0).clamp(TAB_PT[0], TAB_PT[1]);
    let mut widths: Vec<f32> = all
        .iter()
        .map(|study| tab_width(ui, &study_title(cx.session, study, active == Some(&study.uid))).min(widest))
        .collect();
    let mut shown: Vec<usize> = (0..all.len()).collect();
    while shown.len() > 1
        && shown.iter().map(|i| widths[*i]).sum::<f32>() > room - if shown.len() < all.len() { 88.0 } else { 0.0 }
    {
        // The active one stays.
        let last = shown.iter().rposition(|i| active != Some(all[*i].uid.as_str())).unwrap_or(shown.len() - 1);
        shown.remove(last);
    }
    if let [only] = shown.as_slice() {
        widths[*only] = widths[*only].min((room - 88.0).max(TAB_PT[0]));
    }
    for index in &shown {
        let study = &all[*index];
        tab(ui, cx, out, study, active == Some(&study.uid), widths[*index]);
    }
    let rest: Vec<&OpenStudy> = all.iter().enumerate().filter(|(i, _)| !shown.contains(i)).map(|(_, s)| s).collect();
    if !rest.is_empty() {
        let value = format!("{} more", rest.len());
        DropDown::new("More studies", &value).show(ui, |ui| {
            for study in rest {
                let title = study_title(cx.session, study, true);
                if menu_item(ui, Row::new(&title).end(&study.date)) {
                    show_study(cx, out, study);
                }
            }
        });
    }
}

fn tab_width(ui: &Ui, title: &str) -> f32 {
    let words = line_text(ui, title, font(size::TEXT[2], Weight::Regular), egui::Color32::PLACEHOLDER, f32::INFINITY);
    (words.size().x + 8.0 + 8.0 + size::ICON[2] + 8.0).ceil()
}

fn tab(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, study: &OpenStudy, on: bool, width_pt: f32) {
    let t = cx.tokens;
    let title = study_title(cx.session, study, on);
    let (rect, response) = ui.allocate_exact_size(vec2(width_pt, size::CONTROL), Sense::click());
    let cross = Rect::from_min_max(pos2(rect.right() - 26.0, rect.top()), rect.max);
    let close: Response = ui.interact(cross, response.id.with("close"), Sense::click());
    let hovered = response.hovered() || close.hovered();
    let ground = match (on, hovered) {
        (true, _) => Some(t.bg2),
        (false, true) => Some(t.bg3),
        (false, false) => None,
    };
    if let Some(ground) = ground {
        ui.painter().rect_filled(rect, size::RADIUS, ground);
    }
    let ink = if on || hovered { t.t1 } else { t.t2 };
    let room = rect.with_min_x(rect.left() + 8.0).with_max_x(cross.left());
    let words = line_text(ui, title.as_str(), font(size::TEXT[2], Weight::Regular), ink, room.width());
    paint_text(ui.painter(), words, room, Align2::LEFT_CENTER);
    if close.hovered() {
        ui.painter().rect_filled(Rect::from_center_size(cross.center(), vec2(20.0, 20.0)), size::RADIUS, t.bg4);
    }
    paint_icon(ui.painter(), icons::X, cross.center(), size::ICON[2], if close.hovered() { t.t1 } else { t.t2 });
    for (part, place) in [(&response, rect), (&close, cross.shrink2(vec2(2.0, 4.0)))] {
        if part.has_focus() {
            focus_ring(ui, place.shrink(1.0), size::RADIUS);
        }
    }
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, on, &title));
    close.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Close {title}")));
    if close.clicked() || response.middle_clicked() {
        close_study(cx, out, study);
    } else if response.clicked() {
        show_study(cx, out, study);
    }
    let mut whole = study_title(cx.session, study, true);
    for part in [&study.patient.name, &study.date] {
        if !part.is_empty() {
            whole = format!("{whole}\n{part}");
        }
    }
    response.on_hover_text(whole);
}

/// Closes a study; where it was on the screen the next one comes forward, in the active viewport and those it left empty.
fn close_study(cx: &Cx<'_>, out: &mut Out, study: &OpenStudy) {
    out.command(Command::CloseStudy(study.uid.clone()));
    let workspace = &cx.session.workspace;
    let ours = |slot: &usize| workspace.views[*slot].stack.is_some_and(|id| study.stacks.contains(&id));
    if !(0..workspace.layout.slots()).any(|slot| ours(&slot)) {
        return;
    }
    let all = &cx.session.library.studies;
    let at = all.iter().position(|s| s.uid == study.uid).unwrap_or(0);
    let next = all.get(at + 1).or_else(|| all.get(at.checked_sub(1)?));
    if let Some(stack) = next.and_then(|study| study.stacks.first()) {
        if ours(&workspace.active) {
            out.command(Command::Show { slot: None, stack: *stack });
        }
        // Fills what is empty, as a change of the layout does.
        out.command(Command::SetLayout(workspace.layout));
    }
}

/// Shows a study in the active viewport, unless it is there.
fn show_study(cx: &Cx<'_>, out: &mut Out, study: &OpenStudy) {
    let there = cx.session.active_stack().is_some_and(|id| study.stacks.contains(&id));
    if let (false, Some(stack)) = (there, study.stacks.first()) {
        out.command(Command::Show { slot: None, stack: *stack });
    }
}

fn link(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let on = cx.session.workspace.linked;
    let (icon, name) = if on { (icons::LINK, "Linked") } else { (icons::LINK_BREAK, "Not linked") };
    let line = "Scrolling and pointing carry over to views of the same space.";
    if ui.add(IconButton::new(icon, name).on(on).key("L").line(line)).clicked() {
        out.command(Command::SetLinked(!on));
    }
}

fn layout(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let now = cx.session.workspace.layout;
    let icon = |grid| match grid {
        Grid::One => icons::SQUARE,
        Grid::OneByTwo => icons::SQUARE_SPLIT_HORIZONTAL,
        Grid::OneByThree => icons::COLUMNS,
        Grid::TwoByTwo => icons::GRID_FOUR,
    };
    DropDown::new("Layout", now.name()).icon(icon(now)).show(ui, |ui| {
        for grid in Grid::ALL {
            if menu_item(ui, Row::new(grid.name()).icon(icon(grid)).selected(grid == now)) {
                out.command(Command::SetLayout(grid));
            }
        }
    });
}

/// The find field is a button: what is typed goes into the palette that it opens.
fn find(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let line = "Studies, tools, settings.";
    if cx.room.find_is_icon {
        let button = IconButton::new(icons::MAGNIFYING_GLASS, "Find anything").raised().key("Ctrl+K").line(line);
        if ui.add(button).clicked() {
            out.request(Request::Palette);
        }
        return;
    }
    let t = cx.tokens;
    let (rect, response) = ui.allocate_exact_size(vec2(208.0, size::CONTROL), Sense::click());
    let ground = if response.is_pointer_button_down_on() {
        t.bg4
    } else if response.hovered() {
        t.bg3
    } else {
        t.bg2
    };
    ui.painter().rect_filled(rect, size::RADIUS, ground);
    paint_icon(ui.painter(), icons::MAGNIFYING_GLASS, pos2(rect.left() + 16.0, rect.center().y), size::ICON[1], t.t3);
    let words = line_text(ui, "Find anything", font(size::TEXT[1], Weight::Regular), t.t3, rect.width());
    paint_text(ui.painter(), words, rect.with_min_x(rect.left() + 32.0), Align2::LEFT_CENTER);
    let mut end = inside(ui, rect.shrink2(vec2(8.0, 0.0)), Layout::right_to_left(Align::Center));
    key_cap(&mut end, "Ctrl K");
    if response.has_focus() {
        focus_ring(ui, rect, size::RADIUS);
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Find anything, Ctrl+K"));
    if response.clicked() {
        out.request(Request::Palette);
    }
}

fn text_level(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let (now, next) = match cx.session.workspace.text {
        TextLevel::All => ("Corner text: all", TextLevel::Some),
        TextLevel::Some => ("Corner text: without the patient", TextLevel::None),
        TextLevel::None => ("Corner text: none", TextLevel::All),
    };
    if ui.add(IconButton::new(icons::TEXT_T, now).key("I").line("All, without the patient, none.")).clicked() {
        out.command(Command::SetText(next));
    }
}

fn theme(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let (icon, name, next) = match cx.session.workspace.theme {
        ThemeChoice::Dark => (icons::MOON, "Theme: dark", ThemeChoice::Light),
        ThemeChoice::Light => (icons::SUN, "Theme: light", ThemeChoice::Dark),
    };
    if ui.add(IconButton::new(icon, name).line("Images stay on black in both.")).clicked() {
        out.command(Command::SetTheme(next));
    }
}

fn settings(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let response = ui.add(IconButton::new(icons::GEAR_SIX, "Settings"));
    Popup::menu(&response).gap(4.0).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
        ui.set_min_width(MENU_LEAST_PT);
        ui.spacing_mut().item_spacing.y = 0.0;
        for (level, name) in [
            (TextLevel::All, "Corner text: all"),
            (TextLevel::Some, "Corner text: without the patient"),
            (TextLevel::None, "Corner text: none"),
        ] {
            let row = Row::new(name).selected(cx.session.workspace.text == level).inset();
            if row.show(ui).clicked() {
                out.command(Command::SetText(level));
            }
        }
        menu_line(ui);
        for (choice, name) in [(ThemeChoice::Dark, "Dark theme"), (ThemeChoice::Light, "Light theme")] {
            let row = Row::new(name).selected(cx.session.workspace.theme == choice).inset();
            if row.show(ui).clicked() {
                out.command(Command::SetTheme(choice));
            }
        }
        menu_line(ui);
        let mut outline = cx.session.workspace.masks.outline;
        let row = inside_menu(ui, |ui| toggle(ui, &mut outline, "Outline of masks"));
        if row.changed() {
            out.command(Command::SetMaskStyle(lightbox_session::workspace::MaskStyle {
                outline,
                ..cx.session.workspace.masks
            }));
        }
        menu_line(ui);
        let ctx = ui.ctx().clone();
        inside_menu(ui, |ui| {
            super::parts::words(ui, "Size", 1, Weight::Regular, cx.tokens.t3);
            if ui.add(Button::new("Smaller").compact().key("Ctrl −")).clicked() {
                egui::gui_zoom::zoom_out(&ctx);
            }
            if ui.add(Button::new("Larger").compact().key("Ctrl +")).clicked() {
                egui::gui_zoom::zoom_in(&ctx);
            }
        });
    });
}

/// A line of a menu with other parts than a row.
fn inside_menu<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let wide = if ui.is_sizing_pass() { SETTINGS_PT } else { ui.available_width() };
    let (rect, _) = ui.allocate_exact_size(vec2(wide, size::ROW[1]), Sense::hover());
    add(&mut inside(ui, rect.shrink2(vec2(8.0, 0.0)), Layout::left_to_right(Align::Center)))
}
