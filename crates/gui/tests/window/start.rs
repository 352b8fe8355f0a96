//! Opening: the start screen, the demo, earlier work, and paths that hold nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use lightbox_core::PlanePos;
use lightbox_session::journal::{Recovery, StackWork};
use lightbox_session::workspace::{Layout, Tool};
use lightbox_session::{Command, LoadState, Session, Source};

use crate::desk::{Desk, demo};

fn started() -> Desk {
    Desk::started(tempfile::tempdir().unwrap())
}

#[test]
fn the_start_screen_offers_to_open_and_lists_the_models() {
    let desk = started();
    for button in ["Open folder", "Open files", "Open", "Keys", "Menu", "Settings", "Theme: dark"] {
        assert_eq!(desk.query_all_by_role_and_label(Role::Button, button).count(), 1, "{button}");
    }
    let model = &desk.session().models[0];
    assert_eq!(desk.count(&model.card.name), 1);
    assert!(desk.says(&format!("{} · {}", model.id, model.headline())));
    assert_eq!(desk.count("Lightbox closed with unsaved work."), 0);
    assert!(desk.says("Not for diagnostic use"));
}

#[test]
fn the_demo_opens_in_four_views_with_the_lungs_found() {
    let mut desk = started();
    desk.click("Open");
    let s = desk.session();
    assert_eq!((s.library.studies.len(), s.workspace.layout), (3, Layout::TwoByTwo));
    assert!(s.library.stacks().all(|open| open.load == LoadState::Loaded && open.thumbnail.is_some()));
    for (slot, series) in ["Axial lung", "Coronal, MPR of series 3", "T1 axial", "Chest PA"].into_iter().enumerate() {
        let begins = format!("Viewport {}", slot + 1);
        let node = desk.get_by_label_contains(&begins);
        let words = node.accesskit_node().label().unwrap();
        assert!(words.contains(series), "{words}");
    }
    assert!(desk.says("AI on the image: masks"));
    // What can be tried stands beside the images.
    assert!(desk.says("In the other views") && desk.says("classes, heat map"));
    desk.send(Command::SetPanel(None));
    // The study list names each series with its count; the one in the active viewport is marked.
    let rows = ["Axial lung, 120 · 2.5 mm", "Chest PA, 1 image", "T1 axial, 176 · 1 mm"];
    for (n, row) in rows.into_iter().enumerate() {
        let node = desk.get_by_role_and_label(Role::ListItem, row).accesskit_node().toggled();
        assert_eq!(node, Some(if n == 0 { egui::accesskit::Toggled::True } else { egui::accesskit::Toggled::False }));
    }
    // A click shows a series in the active viewport.
    desk.click(rows[2]);
    assert_eq!(desk.open(0).series.modality, "MR");
    // In the strip the same series are thumbnails.
    desk.click("Collapse, F3");
    desk.click(rows[1]);
    assert_eq!(desk.open(0).series.modality, "DX");
    desk.click("Expand");
    assert_eq!(desk.count("Studies"), 1);
}

#[test]
fn studies_are_tabs_that_show_and_close_them() {
    let mut desk = Desk::new(demo());
    desk.click_role(Role::Tab, "MR head");
    assert_eq!(desk.open(0).series.modality, "MR");
    desk.click("Close X-ray chest");
    assert_eq!(desk.session().library.studies.len(), 2);
    assert!(!desk.says(", empty"), "what is open takes the place of what was closed");
    assert_eq!(desk.count("Chest PA, 1 image"), 0);
    desk.click_role(Role::Button, "Close MR head, PH-0001");
    desk.click_role(Role::Button, "Close CT thorax, contrast, PH-0001");
    assert_eq!(desk.count("Drop a study here. A folder, a ZIP, or DICOM files"), 1, "the start screen is back");
}

#[test]
fn the_filter_leaves_what_it_names() {
    let mut desk = Desk::new(demo());
    desk.click("Filter");
    desk.text("t1");
    assert_eq!((desk.count("T1 axial, 176 · 1 mm"), desk.count("Chest PA, 1 image")), (1, 0));
    // The keys go back to the image with a click on it, and the filter stays.
    let at = desk.image(1).center();
    desk.click_at(egui::PointerButton::Primary, at);
    desk.press(Modifiers::NONE, Key::D);
    assert_eq!(desk.session().workspace.tool, Tool::Length);
    assert_eq!(desk.count("Chest PA, 1 image"), 0);
    desk.click_role(Role::TextInput, "Title, patient, date");
    desk.press(Modifiers::NONE, Key::Escape);
    assert_eq!(desk.count("Chest PA, 1 image"), 1);
}

/// The folder of the demo's CT.
fn ct_folder(s: &Session) -> PathBuf {
    let ct = s.library.stacks().find(|open| open.series.modality == "CT").unwrap();
    let Source::File(path) = &ct.info.frames[0].source else { panic!("the demo lies in files") };
    path.parent().unwrap().to_owned()
}

/// Work that a session on the demo's CT left: one segment with one stroke.
fn left_work(journal: &Path) -> Recovery {
    let mut s = demo();
    let view = &s.workspace.views[0];
    let open = s.library.stack(view.stack.unwrap()).unwrap();
    let (id, key) = (open.id, open.key.clone());
    let at = open.plane_stack(view.plane).grid(view.index).to_patient(PlanePos::new(90.0, 120.0));
    s.apply(Command::StrokeBegin { slot: Some(0), at, erase: false });
    s.apply(Command::StrokeEnd);
    let segments = s.document(id).unwrap().segments.iter().map(|x| (x.clone(), false)).collect();
    Recovery {
        about: vec!["CT thorax, CT, 2026-11-18".to_owned()],
        when: "2026-11-18 10:31".to_owned(),
        paths: vec![ct_folder(&s)],
        stacks: BTreeMap::from([(key, StackWork { segments, unsaved_masks: 2, ..StackWork::default() })]),
        reports: BTreeMap::new(),
        misfits: BTreeMap::new(),
        gestures: 2,
        journal: journal.to_owned(),
    }
}

#[test]
fn earlier_work_is_offered_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let left = left_work(&dir.path().join("work-1-4294967.jsonl"));
    let wanted = left.stacks.values().next().unwrap().segments[0].0.mask.clone();
    assert!(wanted.count() > 0);
    let mut s = Session::default();
    s.recovery = Some(left);
    let mut desk = Desk::new(s);
    let offer = "CT thorax, CT, 2026-11-18: 2 gestures are safe, the last of 2026-11-18 10:31.";
    assert!(desk.says(&format!("Lightbox closed with unsaved work. {offer}")));
    desk.click("Restore");
    let ct = desk.open(0);
    assert_eq!(ct.series.modality, "CT");
    assert_eq!(desk.session().document(ct.id).unwrap().segments[0].mask, wanted);
    assert!(!desk.says("Lightbox closed with unsaved work."));
}

#[test]
fn earlier_work_that_is_refused_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("work-1-4294967.jsonl");
    std::fs::write(&journal, "").unwrap();
    let mut s = Session::default();
    s.recovery = Some(left_work(&journal));
    let mut desk = Desk::new(s);
    desk.click("Discard");
    assert!(desk.session().recovery.is_some(), "it asks once more");
    desk.click("Delete");
    assert!(desk.session().recovery.is_none() && !journal.exists());
    assert!(!desk.says("Lightbox closed with unsaved work."));
    assert!(desk.session().library.studies.is_empty());
}

#[test]
fn with_studies_open_earlier_work_is_offered_beside_them() {
    let mut s = demo();
    s.recovery = Some(Recovery { gestures: 1, ..Recovery::default() });
    let mut desk = Desk::new(s);
    assert!(desk.says("Lightbox closed with unsaved work. 1 gesture is safe."));
    desk.click("Collapse, F3");
    assert!(desk.says("Lightbox closed with unsaved work. 1 gesture is safe."), "in a bar above the images");
    assert_eq!((desk.count("Restore"), desk.count("Discard")), (1, 1));
}

/// The only message: one sentence or two, no word of a program's.
fn the_message(desk: &Desk) -> String {
    let messages = desk.messages();
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert!(!message.contains('\n') && !message.contains("Error") && !message.contains("Err("), "{message}");
    message.clone()
}

#[test]
fn a_path_that_holds_nothing_is_said_where_it_was_asked_for() {
    let mut desk = started();
    let nowhere = desk.dir.path().join("nowhere");
    desk.click("Open files");
    // The field comes with a folder to begin from, all of which is written over.
    desk.press(crate::desk::CTRL, Key::A);
    desk.text(&nowhere.display().to_string());
    desk.press(Modifiers::NONE, Key::Enter);
    let message = the_message(&desk);
    assert!(message.ends_with(&nowhere.display().to_string()), "{message}");
    let alerts: Vec<_> = desk.query_all_by_role(Role::Alert).filter_map(|n| n.accesskit_node().label()).collect();
    assert_eq!(alerts, [message], "it is told once");
    desk.click("Dismiss");
    assert!(desk.messages().is_empty() && desk.query_all_by_role(Role::Alert).count() == 0);
}

#[test]
fn a_text_that_is_called_dcm_is_dropped_and_refused() {
    let mut desk = Desk::demo();
    let text = desk.dir.path().join("text.dcm");
    std::fs::write(&text, "this is a text").unwrap();
    desk.drop_file(&text);
    let message = the_message(&desk);
    assert!(message.starts_with("No image found."), "{message}");
    assert_eq!(desk.count(&message), 1, "beside the list, and not again in the status bar");
    assert_eq!(desk.session().library.studies.len(), 3, "what is open stays");
    // Where the list is hidden, a bar above the images tells it.
    desk.press(Modifiers::NONE, Key::F3);
    desk.press(Modifiers::NONE, Key::F3);
    assert_eq!(desk.count(&message), 1);
    desk.click("Dismiss");
    assert_eq!(desk.count(&message), 0);
}

#[test]
fn a_folder_that_is_dropped_opens_and_bad_files_in_it_are_listed() {
    let mut desk = started();
    let folder = desk.dir.path().join("study");
    std::fs::create_dir(&folder).unwrap();
    for n in 1..=3 {
        std::fs::copy(ct_folder(&demo()).join(format!("000{n}.dcm")), folder.join(format!("{n}.dcm"))).unwrap();
    }
    for n in 1..=2 {
        std::fs::write(folder.join(format!("bad{n}.dcm")), "this is a text").unwrap();
    }
    desk.drop_file(&folder);
    assert_eq!(desk.open(0).frames(), 3);
    assert_eq!(desk.count("2 files left out"), 1);
    desk.click("Show");
    assert_eq!((desk.count("bad1.dcm"), desk.count("bad2.dcm")), (1, 1));
    desk.click("Hide");
    assert_eq!(desk.count("bad1.dcm"), 0);
}

#[test]
fn a_path_sheet_is_left_by_escape_and_by_its_button() {
    let mut desk = started();
    desk.click("Open folder");
    assert!(desk.get_by_role_and_label(Role::TextInput, "Open the folder at this path").is_focused());
    desk.press(Modifiers::NONE, Key::Escape);
    assert!(!desk.says("at this path"));
    desk.click("Open folder");
    desk.click("Cancel");
    assert!(!desk.says("at this path"));
    assert!(desk.messages().is_empty());
}

#[test]
fn the_start_screen_s_menu_ends_the_program() {
    let mut desk = started();
    desk.click("Menu");
    let save = desk.get_by_role_and_label(Role::ListItem, "Save SEG");
    assert!(save.accesskit_node().is_disabled());
    assert_eq!(save.accesskit_node().description().as_deref(), Some("nothing open"));
    desk.click_role(Role::ListItem, "Quit");
    assert!(desk.closed);
}

/// Steps frames until the window says something that a thread has to find out first.
fn wait_for(desk: &mut Desk, words: &str) {
    for _ in 0..500 {
        desk.settle();
        if desk.says(words) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the window never said: {words}");
}

#[test]
fn a_file_that_is_there_is_replaced_only_when_the_reader_says_so() {
    let mut desk = Desk::demo();
    desk.alone("DX");
    let path = desk.dir.path().join("mine.txt");
    std::fs::write(&path, "old").unwrap();
    desk.press(crate::desk::CTRL, Key::S);
    desk.press(crate::desk::CTRL, Key::A);
    desk.text(&path.display().to_string());
    desk.press(Modifiers::NONE, Key::Enter);
    wait_for(&mut desk, "mine.txt is there already");
    desk.click("Cancel");
    assert!(!desk.says("is there already"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    desk.press(crate::desk::CTRL, Key::S);
    desk.press(crate::desk::CTRL, Key::A);
    desk.text(&path.display().to_string());
    desk.press(Modifiers::NONE, Key::Enter);
    wait_for(&mut desk, "mine.txt is there already");
    desk.click("Replace");
    desk.settle();
    assert_ne!(std::fs::read(&path).unwrap(), b"old");
}

#[test]
fn folders_can_be_gone_through_and_files_chosen() {
    let mut desk = started();
    let folder = desk.dir.path().join("studies");
    std::fs::create_dir_all(folder.join("one")).unwrap();
    desk.click("Open folder");
    desk.press(crate::desk::CTRL, Key::A);
    desk.text(&format!("{}/", folder.display()));
    wait_for(&mut desk, "one");
    desk.click_role(Role::ListItem, "one");
    let field = |desk: &Desk| {
        let node = desk.get_by_role_and_label(Role::TextInput, "Open the folder at this path");
        node.accesskit_node().value().unwrap_or_default()
    };
    assert_eq!(field(&desk), format!("{}/one/", folder.display()));
    desk.click("Up to the folder above");
    assert_eq!(field(&desk), format!("{}/", folder.display()));
}

#[test]
fn quitting_over_unsaved_work_asks() {
    let mut s = demo();
    let xray = s.library.stacks().find(|e| e.series.modality == "DX").unwrap().id;
    s.apply(Command::Show { slot: None, stack: xray });
    s.apply(Command::AddSegment { name: None });
    let mut desk = Desk::new(s);
    desk.press(crate::desk::CTRL, Key::Q);
    assert!(!desk.closed && desk.says("Work is not saved"));
    desk.press(Modifiers::NONE, Key::Escape);
    assert!(!desk.closed && !desk.says("Work is not saved"));
    desk.press(crate::desk::CTRL, Key::Q);
    desk.click("Quit, keep for the next start");
    assert!(desk.closed);
}
