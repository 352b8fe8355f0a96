//! Models and masks: what the AI and Masks tabs say, and what they do to the document.

use egui::{Key, Modifiers, PointerButton, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use lightbox_core::Segment;
use lightbox_core::label::{MASK_COLOURS, MaskOrigin};
use lightbox_session::Command;
use lightbox_session::workspace::{Overwrite, PanelTab, Tool};

use crate::desk::{CTRL, Desk};
use crate::made_up;

fn segments(desk: &Desk) -> &[Segment] {
    &desk.session().active_document().unwrap().segments
}

/// Segments that the model made on the shown image, and those of them that nobody accepted.
fn found(desk: &Desk) -> (usize, usize) {
    let proposed = &desk.session().active_document().unwrap().proposed;
    let of_model: Vec<_> =
        segments(desk).iter().filter(|s| matches!(s.origin, MaskOrigin::Model { .. })).map(|s| s.id).collect();
    (of_model.len(), of_model.iter().filter(|id| proposed.contains(id)).count())
}

/// The card of the model that outlines lungs.
fn lungs(desk: &Desk) -> lightbox_session::card::Card {
    let model = desk.session().models.iter().find(|m| m.id == "cxr-lungs").expect("it is shipped");
    model.card.clone()
}

/// What the tab of the models says: its word and how many results wait.
fn tab(desk: &Desk) -> String {
    let mut tabs = desk.query_all_by_role(Role::Tab).filter_map(|n| n.accesskit_node().label());
    tabs.find(|label| label.starts_with("AI")).expect("the tab of the models")
}

/// Has the models listed that do not fit the image; they are many.
fn list_all(desk: &mut Desk) {
    desk.get_by_label_contains("that do not fit").click();
    desk.settle();
}

#[test]
fn a_model_s_result_is_listed_taken_refused_and_made_again() {
    let mut desk = Desk::beside("DX", PanelTab::Ai);
    list_all(&mut desk);
    for model in &desk.session().models {
        assert!(desk.query_all_by_label_contains(&model.card.name).count() > 0, "{}", model.id);
    }
    desk.click("Hide those that do not fit");
    assert_eq!(found(&desk), (2, 2));
    assert_eq!(desk.query_all_by_label_contains(" · at the detector").count(), 2, "two areas, with what they mean");
    desk.get_all_by_label("Accept").next().unwrap().click();
    desk.settle();
    assert_eq!((found(&desk), desk.count("Accepted"), tab(&desk)), ((2, 1), 1, "AI, 1 waiting".to_owned()));
    desk.click("Reject");
    assert_eq!((found(&desk), tab(&desk)), ((1, 0), "AI".to_owned()));
    let left = segments(&desk)[0].id;
    desk.send(Command::DeleteSegment(left));
    assert_eq!(desk.count("Nothing of its result is left on this image."), 1);
    desk.click("Run again");
    assert_eq!((found(&desk), desk.session().results.len()), ((2, 2), 2));
    // The new answer was brought into view; its row in the list stands further up.
    desk.wheel(egui::pos2(1300.0, 400.0), 40.0);
    desk.settle();
    desk.click("Hide layer");
    assert!(segments(&desk).iter().all(|s| !s.visible));
    desk.click("Show layer");
    assert!(segments(&desk).iter().all(|s| s.visible));
    desk.click("Reject all");
    assert_eq!(found(&desk).0, 0);
    desk.press(CTRL, Key::Z);
    assert_eq!(found(&desk).0, 1, "a refusal is taken back");
}

#[test]
fn a_result_beside_what_a_person_drew_takes_none_of_it() {
    let mut desk = Desk::beside("DX", PanelTab::Ai);
    desk.send(Command::AddSegment { name: Some("Mine".into()) });
    desk.send(Command::SetTool(Tool::Brush));
    // Otherwise the stroke takes from the lungs, which then were touched.
    desk.send(Command::SetOverwrite(Overwrite::Nothing));
    let at = desk.image(0).center();
    desk.drag(PointerButton::Primary, &[at, at + egui::vec2(60.0, 0.0)]);
    let mine = |desk: &Desk| segments(desk).iter().find(|s| s.name == "Mine").unwrap().clone();
    let drawn = mine(&desk);
    assert!(drawn.mask.count() > 0);
    let model = lungs(&desk).id;
    desk.send(Command::RunModel { slot: None, model, series: false });
    assert!(mine(&desk) == drawn);
    assert_eq!(found(&desk), (2, 2), "an older result that nobody touched is replaced");
}

#[test]
fn a_model_shows_its_card_and_what_it_is_outside_of() {
    let mut desk = Desk::beside("DX", PanelTab::Ai);
    let card = lungs(&desk);
    // The phantom is 64 years old; the model learnt from children.
    assert!(desk.says("Outside its card."));
    assert_eq!(desk.count("LIMITS"), 0);
    desk.click("Whole card");
    assert_eq!(desk.count("LIMITS"), 1);
    assert!(!card.limits.is_empty() && card.limits.iter().all(|limit| desk.count(limit) == 1));
    // It does not fit an MR of the head, and does not run on it.
    let mut desk = Desk::beside("MR", PanelTab::Ai);
    assert_eq!(desk.count(&card.name), 0, "out of sight until it is asked for");
    list_all(&mut desk);
    let row = desk.get_by_role_and_label(Role::ListItem, &card.name).accesskit_node();
    assert!(row.is_disabled() && row.description().is_some_and(|why| why.starts_with("needs ")));
    desk.send(Command::RunModel { slot: None, model: card.id, series: false });
    assert_eq!(desk.session().results.len(), 1);
}

#[test]
fn a_running_model_says_how_far_it_is_and_can_be_stopped() {
    let (mut s, stacks) = made_up::session();
    made_up::run_lungs(&mut s, stacks);
    s.workspace.panel = Some(PanelTab::Ai);
    let mut desk = Desk::held(s);
    let running: Vec<_> = desk.query_all_by_role(Role::ProgressIndicator).map(|n| n.accesskit_node()).collect();
    let progress = running.iter().find(|n| n.value().as_deref() == Some("layer 38 of 61")).expect("its progress");
    assert!((progress.numeric_value().unwrap() - 62.0).abs() < 1e-3);
    assert!(desk.says(" 62 %"), "the status bar tells it too");
    assert_eq!(desk.count("Its result comes as a layer of its own."), 1);
    desk.click("Cancel");
    assert!(desk.session().jobs[0].cancelling);
    let cancel = desk.get_by_label("Cancel").accesskit_node();
    assert!(cancel.is_disabled());
    assert_eq!(cancel.description().as_deref(), Some("stopping"));
    assert!(desk.says("Stopping: "));
}

#[test]
fn escape_stops_the_model() {
    let (mut s, stacks) = made_up::session();
    made_up::run_lungs(&mut s, stacks);
    let mut desk = Desk::held(s);
    desk.press(Modifiers::NONE, Key::Escape);
    assert!(desk.session().jobs[0].cancelling);
}

/// The whole name of the row of a segment: with its amount and its state.
fn row_of(desk: &Desk, segment: &str) -> String {
    let begins = format!("{segment}, ");
    let mut rows = desk.query_all_by_role(Role::ListItem).filter_map(|n| n.accesskit_node().label());
    rows.find(|label| label.starts_with(&begins)).expect("a row")
}

#[test]
fn a_segment_is_named_coloured_locked_hidden_and_deleted() {
    let mut desk = Desk::beside("DX", PanelTab::Masks);
    let row = row_of(&desk, &segments(&desk)[0].name);
    desk.click_role(Role::ListItem, &row);
    desk.click("More");
    desk.click_role(Role::ListItem, "Rename");
    assert!(desk.get_by_label("Name of the segment").is_focused());
    desk.write_over("Upper lobe");
    assert_eq!(segments(&desk)[0].name, "Upper lobe");
    desk.click("Colour of Upper lobe");
    desk.click("Colour 5");
    assert_eq!(segments(&desk)[0].colour, MASK_COLOURS[4]);
    desk.click("Lock Upper lobe");
    assert!(segments(&desk)[0].locked);
    desk.click("More");
    assert!(desk.get_by_role_and_label(Role::ListItem, "Delete").accesskit_node().is_disabled());
    desk.press(Modifiers::NONE, Key::Escape);
    desk.click("Unlock Upper lobe");
    desk.click("Hide Upper lobe");
    assert!(!segments(&desk)[0].visible);
    desk.click("Show Upper lobe");
    desk.click("More");
    desk.click_role(Role::ListItem, "Delete");
    assert_eq!(segments(&desk).len(), 1);
    assert_eq!(desk.query_all_by_role_and_label(Role::ListItem, "Deleted Upper lobe").count(), 1, "the history has it");
    desk.click("Add a segment");
    assert_eq!(segments(&desk).len(), 2);
}

#[test]
fn the_fill_is_set_by_its_slider_and_lies_on_the_image() {
    let mut desk = Desk::beside("DX", PanelTab::Masks);
    let slider = desk.get_by_role_and_label(Role::Slider, "Fill of masks").accesskit_node();
    assert!((slider.numeric_value().unwrap() - 0.13).abs() < 1e-6);
    desk.click_role(Role::Slider, "Fill of masks");
    assert_eq!(desk.session().workspace.masks.fill, Some(0.5));
    let half = desk.picture();
    desk.get_by_role_and_label(Role::Slider, "Fill of masks").focus();
    desk.settle();
    for _ in 0..50 {
        desk.press(Modifiers::NONE, Key::ArrowLeft);
    }
    assert_eq!(desk.session().workspace.masks.fill, Some(0.0));
    let bare = desk.picture();
    let image = desk.image(0);
    let differ = bare
        .enumerate_pixels()
        .filter(|(x, y, p)| image.contains(egui::pos2(*x as f32, *y as f32)) && half.get_pixel(*x, *y) != *p);
    assert!(differ.count() > 20_000);
    desk.click_role(Role::Switch, "Outline");
    assert!(!desk.session().workspace.masks.outline);
}

#[test]
fn the_history_goes_back_to_the_row_that_is_clicked() {
    let mut desk = Desk::beside("CT", PanelTab::Masks);
    for name in ["A", "B", "C"] {
        desk.send(Command::AddSegment { name: Some(name.into()) });
    }
    desk.click_role(Role::ListItem, "Added A");
    assert_eq!(segments(&desk).len(), 1);
    desk.click_role(Role::ListItem, "Added C");
    assert_eq!(segments(&desk).len(), 3);
    // The strip of tools has the same button.
    desk.get_all_by_label("Undo, Ctrl+Z").last().unwrap().click();
    desk.settle();
    assert_eq!(segments(&desk).len(), 2);
}

#[test]
fn masks_are_saved_where_the_reader_says_and_read_back() {
    let mut desk = Desk::beside("DX", PanelTab::Masks);
    let path = desk.dir.path().join("lungs.dcm");
    desk.click("Save SEG");
    desk.write_over(&path.display().to_string());
    assert!(path.is_file());
    assert!(desk.says("lungs.dcm: 2 of 2 segments equal, read back"));
    // Loaded again they lie there as segments of their own.
    desk.click("More");
    desk.click_role(Role::ListItem, "Load SEG");
    desk.write_over(&path.display().to_string());
    let all = segments(&desk);
    assert_eq!(all.len(), 4);
    assert!(all[2].mask == all[0].mask && all[3].mask == all[1].mask);
}

#[test]
fn a_mask_that_cannot_be_saved_is_said_in_its_panel() {
    let mut desk = Desk::beside("DX", PanelTab::Masks);
    let path = desk.dir.path().join("no such folder/lungs.dcm");
    desk.click("Save SEG");
    desk.write_over(&path.display().to_string());
    let alerts: Vec<_> = desk.query_all_by_role(Role::Alert).filter_map(|n| n.accesskit_node().label()).collect();
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert!(alert.starts_with("Not saved. ") && !alert.contains("Err"), "{alert}");
    assert_eq!(segments(&desk).len(), 2);
    desk.click("Dismiss");
    assert!(desk.messages().is_empty());
}
