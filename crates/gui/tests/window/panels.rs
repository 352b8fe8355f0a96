//! The furniture: what its parts say, and what they do to the state.

use egui::accesskit::Toggled;
use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use lightbox_core::windowing::CT_PRESETS;
use lightbox_core::{Plane, Window};
use lightbox_gui::theme::Theme;
use lightbox_session::Session;
use lightbox_session::annotation::AnnotationKind;
use lightbox_session::problem::{ProblemPlace, Severity};
use lightbox_session::workspace::{Layout, PanelTab, TextLevel, ThemeChoice, Tool};

use crate::desk::{CTRL, Desk, demo};
use crate::made_up;

/// Opens a choice and takes one of its rows.
fn choose(desk: &mut Desk, name: &str, row: &str) {
    desk.click_role(Role::ComboBox, name);
    desk.click_role(Role::ListItem, row);
}

/// What a choice shows.
fn shown(desk: &Desk, name: &str) -> String {
    desk.get_by_role_and_label(Role::ComboBox, name).value().unwrap()
}

#[test]
fn the_tool_strip_takes_each_tool_into_the_hand() {
    let mut desk = Desk::demo();
    for tool in Tool::ALL.into_iter().rev() {
        let key = lightbox_gui::panels::tool_options::key(tool);
        let name = if key.is_empty() { tool.name().to_owned() } else { format!("{}, {key}", tool.name()) };
        desk.click(&name);
        assert_eq!(desk.session().workspace.tool, tool);
        assert_eq!(desk.get_by_label(&name).accesskit_node().toggled(), Some(Toggled::True));
    }
}

#[test]
fn the_layout_is_chosen_and_new_viewports_are_filled() {
    let mut desk = Desk::demo();
    for layout in Layout::ALL {
        choose(&mut desk, "Layout", layout.name());
        assert_eq!((desk.session().workspace.layout, shown(&desk, "Layout")), (layout, layout.name().to_owned()));
        assert_eq!(desk.query_all_by_label_contains("Viewport ").count(), layout.slots());
        assert!(!desk.says(", empty"));
    }
}

#[test]
fn windows_are_chosen_typed_and_told() {
    let mut desk = Desk::demo();
    desk.alone("CT");
    for preset in CT_PRESETS {
        choose(&mut desk, "Window preset", preset.name);
        assert_eq!((desk.view(0).window, shown(&desk, "Window preset")), (Some(preset.window), preset.name.to_owned()));
    }
    for (name, figure) in [("Window width", "640"), ("Window level", "−45")] {
        desk.click_role(Role::SpinButton, name);
        desk.write_over(figure);
    }
    assert_eq!(desk.view(0).window, Some(Window { width: 640.0, center: -45.0, ..CT_PRESETS[0].window }));
    assert_eq!(shown(&desk, "Window preset"), "Own");
    assert!(desk.says("W 640  L −45"), "the corner of the image tells the same");
    desk.click("Reset view, R");
    assert_ne!(shown(&desk, "Window preset"), "Own");
}

#[test]
fn planes_are_chosen_and_said_to_be_interpolated() {
    let mut desk = Desk::demo();
    desk.alone("CT");
    assert!(desk.says("Full fidelity, 120 slices, even, mm: patient"));
    desk.click_role(Role::ComboBox, "Plane");
    desk.click_role(Role::ListItem, "Coronal");
    assert_eq!(desk.view(0).plane, Plane::Coronal);
    assert!(desk.says("Interpolated between slices, mm: patient"));
    // An X-ray has no other planes to choose.
    desk.alone("DX");
    assert_eq!(desk.query_all_by_role_and_label(Role::ComboBox, "Plane").count(), 0);
    assert!(desk.says("mm: detector, not the patient"));
}

#[test]
fn the_theme_changes_the_furniture_and_not_the_image() {
    let mut desk = Desk::demo();
    // The ground at the edge of the tool strip, and the middle of an image.
    let image = desk.image(0).center();
    let pixels = |desk: &mut Desk| {
        let picture = desk.picture();
        (picture.get_pixel(2, 600).0, picture.get_pixel(image.x as u32, image.y as u32).0)
    };
    let dark = pixels(&mut desk);
    assert_eq!(dark.0, Theme::Dark.tokens().bg1.to_array());
    desk.click("Theme: dark");
    assert_eq!(desk.session().workspace.theme, ThemeChoice::Light);
    assert_eq!(pixels(&mut desk), (Theme::Light.tokens().bg1.to_array(), dark.1));
    desk.click("Theme: light");
    assert_eq!(pixels(&mut desk), dark);
}

#[test]
fn the_settings_menu_sets_words_theme_and_outlines() {
    let mut desk = Desk::demo();
    desk.click("Settings");
    desk.click_role(Role::ListItem, "Corner text: none");
    assert_eq!(desk.session().workspace.text, TextLevel::None);
    desk.click_role(Role::ListItem, "Light theme");
    assert_eq!(desk.session().workspace.theme, ThemeChoice::Light);
    desk.click_role(Role::Switch, "Outline of masks");
    assert!(!desk.session().workspace.masks.outline);
    desk.press(Modifiers::NONE, Key::Escape);
    desk.click("Linked, L");
    assert!(!desk.session().workspace.linked && desk.count("Not linked, L") == 1);
}

#[test]
fn the_rail_says_what_waits_and_opens_the_tabs() {
    let mut s = demo();
    s.workspace.active = 3;
    let mut desk = Desk::new(s);
    desk.click("AI, 2 waiting");
    assert_eq!(desk.session().workspace.panel, Some(PanelTab::Ai));
    for tab in [PanelTab::Masks, PanelTab::Measure, PanelTab::Report, PanelTab::Info] {
        desk.click_role(Role::Tab, tab.name());
        assert_eq!(desk.session().workspace.panel, Some(tab));
    }
    desk.click("Close panel, F4");
    assert_eq!(desk.session().workspace.panel, None);
}

#[test]
fn rows_of_the_study_list_have_the_picture_of_their_series() {
    let mut desk = Desk::demo();
    let picture = desk.picture();
    let mut seen = Vec::new();
    for row in ["Axial lung, 120 · 2.5 mm", "Chest PA, 1 image", "T1 axial, 176 · 1 mm"] {
        let rect = desk.rect(row);
        // The thumbnail is 56 wide and begins 12 beside the edge of the list.
        let (left, top) = (rect.left() as u32 + 16, rect.center().y as u32 - 24);
        let thumb: Vec<[u8; 4]> = (0..48)
            .flat_map(|y| (0..48).map(move |x| (x, y)))
            .map(|(x, y)| picture.get_pixel(left + x, top + y).0)
            .collect();
        assert!(thumb.iter().all(|p| p[0] == p[1] && p[1] == p[2]), "{row} is grey");
        let (least, most) = (thumb.iter().min().unwrap()[0], thumb.iter().max().unwrap()[0]);
        assert!(most - least > 100, "{row} goes from {least} to {most}");
        assert!(!seen.contains(&thumb));
        seen.push(thumb);
    }
}

#[test]
fn a_measurement_in_the_list_leads_to_its_plane() {
    let mut desk = Desk::beside("CT", PanelTab::Measure);
    assert_eq!(desk.count("Nothing is measured in this study."), 1);
    desk.click("Measure a length");
    assert_eq!(desk.session().workspace.tool, Tool::Length);
    let index = desk.view(0).index;
    let grid = desk.open(0).plane_stack(Plane::Axial).grid(index);
    let ends = [[40.0, 50.0], [70.0, 90.0]].map(|[x, y]| grid.to_patient(lightbox_core::PlanePos::new(x, y)));
    let length =
        lightbox_session::Command::AddAnnotation { slot: None, kind: AnnotationKind::Length, points: ends.to_vec() };
    desk.send(length);
    desk.send(lightbox_session::Command::ScrollTo { slot: None, index: 3 });
    let mm = ends[0].distance_mm(ends[1]);
    desk.click_role(Role::ListItem, &format!("{mm:.1} mm, Axial {} / 120 · Axial lung", index + 1));
    assert_eq!(desk.view(0).index, index);
    desk.press(Modifiers::NONE, Key::Delete);
    assert_eq!(desk.count("Nothing is measured in this study."), 1, "the row had chosen it");
    desk.press(CTRL, Key::Z);
    assert!(desk.says(&format!("{mm:.1} mm")));
}

#[test]
fn the_info_tab_tells_the_header_and_the_warnings() {
    let desk = Desk::beside("CT", PanelTab::Info);
    for line in ["Modality: CT", "Size: 256 × 256 pixels", "Slice step: 2.5 mm", "Patient ID: PH-0001", "Lossy: no"] {
        assert_eq!(desk.count(line), 1, "{line}");
    }
    let (mut s, stacks) = made_up::session();
    made_up::show(&mut s, stacks.mr);
    s.workspace.panel = Some(PanelTab::Info);
    let desk = Desk::held(s);
    assert_eq!(desk.query_all_by_role_and_label(Role::Alert, "Slices 61 to 63 are missing.").count(), 1);
    assert!(desk.says("Gap: slices missing"), "the trust bar tells it");
}

#[test]
fn a_series_with_a_gap_says_so_in_the_list_and_one_that_loads_how_far_it_is() {
    let (s, _) = made_up::session();
    let desk = Desk::held(s);
    assert!(desk.says("T1 axial, 173 of 176"));
    let progress = desk.get_by_role(Role::ProgressIndicator).accesskit_node();
    assert_eq!((progress.label().as_deref(), progress.value().as_deref()), (Some("Loading"), Some("0 of 268")));
}

#[test]
fn a_message_of_no_panel_stands_in_the_status_bar() {
    let mut s = Session::default();
    s.tell(Severity::Error, ProblemPlace::General, "The journal cannot be written.", "Save soon.");
    let mut desk = Desk::new(s);
    let alert = desk.get_by_role_and_label(Role::Alert, "The journal cannot be written. Save soon.");
    assert!(alert.rect().top() > 870.0);
    desk.click("Dismiss");
    assert!(desk.messages().is_empty());
}
