//! The report tab: a draft, the reader's decisions and words, and the text on the disk.

use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use lightbox_session::workspace::PanelTab;

use crate::desk::{CTRL, Desk};

/// Saves the report by its panel and reads what lies on the disk.
fn saved(desk: &mut Desk) -> String {
    let path = desk.dir.path().join("report.txt");
    desk.click("Export");
    desk.click_role(Role::ListItem, "Text");
    desk.write_over(&path.display().to_string());
    std::fs::read_to_string(path).unwrap()
}

/// The sentences that are seen, from top to bottom, each with the height at which it begins.
fn sentences(desk: &Desk) -> Vec<(f32, String)> {
    let mut all: Vec<(f32, String)> = desk
        .query_all_by_role(Role::MultilineTextInput)
        .filter_map(|n| Some((n.rect().top(), n.accesskit_node().label()?.strip_prefix("Sentence: ")?.to_owned())))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

/// The sentence that a button at this height belongs to.
fn over(desk: &Desk, y: f32) -> String {
    sentences(desk).into_iter().rev().find(|(top, _)| *top < y).expect("a sentence above the button").1
}

/// The heights of the buttons of this name.
fn heights(desk: &Desk, button: &str) -> Vec<f32> {
    let mut all: Vec<f32> =
        desk.query_all_by_role_and_label(Role::Button, button).map(|n| n.rect().center().y).collect();
    all.sort_by(f32::total_cmp);
    all
}

/// Clicks the button of this name at this height.
fn click_at_height(desk: &mut Desk, button: &str, y: f32) {
    let found = desk.get_all_by_role_and_label(Role::Button, button).find(|n| n.rect().center().y == y);
    found.expect("it is still there").click();
    desk.settle();
}

#[test]
fn a_draft_is_decided_on_written_to_and_saved() {
    let mut desk = Desk::beside("DX", PanelTab::Report);
    assert!(desk.get_by_label("Export").accesskit_node().is_disabled());
    desk.get_all_by_label("Draft from image").next().unwrap().click();
    desk.settle();
    let drafted = sentences(&desk);
    let waiting = heights(&desk, "Refuse");
    assert!(waiting.len() >= 2 && desk.says(&format!("{} sentences to confirm", waiting.len())), "{drafted:#?}");
    let (refused, taken) = (over(&desk, waiting[0]), over(&desk, waiting[1]));
    click_at_height(&mut desk, "Refuse", waiting[0]);
    assert_eq!(sentences(&desk).len(), drafted.len() - 1, "a refused sentence goes out of sight");
    let y = heights(&desk, "Accept")[0];
    assert_eq!(over(&desk, y), taken);
    click_at_height(&mut desk, "Accept", y);
    // And one of the reader's own.
    desk.click_role(Role::MultilineTextInput, "New sentence, Findings");
    desk.write_over("No pneumothorax.");
    assert!(desk.count("Sentence: No pneumothorax.") == 1);
    let text = saved(&mut desk);
    assert!(text.contains(&taken) && text.contains("No pneumothorax.") && !text.contains(&refused), "{text}");
    for open in heights(&desk, "Refuse").into_iter().map(|y| over(&desk, y)) {
        assert!(!text.contains(&open), "not decided on, so not in the text: {open}");
    }
    // What was refused can be seen, and taken after all.
    desk.click("Show rejected");
    assert_eq!((sentences(&desk).len(), desk.count("Rejected")), (drafted.len() + 1, 1));
    let y = desk.rect("Rejected").center().y;
    let accept = heights(&desk, "Accept").into_iter().min_by(|a, b| (a - y).abs().total_cmp(&(b - y).abs())).unwrap();
    click_at_height(&mut desk, "Accept", accept);
    assert!(saved(&mut desk).contains(&refused));
}

#[test]
fn a_sentence_is_edited_in_place_and_escape_leaves_it() {
    let mut desk = Desk::beside("DX", PanelTab::Report);
    desk.click_role(Role::MultilineTextInput, "New sentence, Findings");
    desk.write_over("Heart is larg.");
    desk.click_role(Role::MultilineTextInput, "Sentence: Heart is larg.");
    desk.press(CTRL, Key::A);
    desk.text("Nothing.");
    desk.press(Modifiers::NONE, Key::Escape);
    assert_eq!(desk.count("Sentence: Heart is larg."), 1);
    desk.click_role(Role::MultilineTextInput, "Sentence: Heart is larg.");
    desk.write_over("The heart is large.");
    assert_eq!(desk.count("Sentence: The heart is large."), 1);
    assert!(saved(&mut desk).contains("The heart is large."));
}

#[test]
fn a_report_that_cannot_be_saved_is_said_in_its_panel_and_stays() {
    let mut desk = Desk::beside("DX", PanelTab::Report);
    desk.click_role(Role::MultilineTextInput, "New sentence, Impression");
    desk.write_over("Normal.");
    // A folder that cannot be made, since a file has its name.
    let path = desk.dir.path().join("file/report.txt");
    std::fs::write(desk.dir.path().join("file"), "").unwrap();
    desk.click("Export");
    desk.click_role(Role::ListItem, "Text");
    desk.write_over(&path.display().to_string());
    let alerts: Vec<_> = desk.query_all_by_role(Role::Alert).filter_map(|n| n.accesskit_node().label()).collect();
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert!(alert.starts_with("Not saved. ") && !alert.contains("Err"), "{alert}");
    assert_eq!(desk.count("Sentence: Normal."), 1);
}

#[test]
fn a_word_that_a_rule_objects_to_is_marked_while_it_is_typed_and_put_right_by_a_click() {
    let mut desk = Desk::beside("DX", PanelTab::Report);
    desk.click_role(Role::MultilineTextInput, "New sentence, Findings");
    desk.text("The prostate is enlarged.");
    assert!(!desk.says("Sex. "), "not before the hand rests");
    desk.wait();
    desk.wait();
    assert!(desk.says("Sex. "), "{:?}", desk.session().report().checks);
    assert_eq!(desk.session().report().document.sentences().count(), 0, "it is not taken yet");
    desk.click("Show header");
    assert_eq!(desk.session().workspace.panel, Some(PanelTab::Info));
}

#[test]
fn a_report_is_signed_by_its_sheet_and_read_only_then() {
    let mut desk = Desk::beside("DX", PanelTab::Report);
    for (section, text) in [("Findings", "The heart is in the left chest."), ("Impression", "No acute abnormality.")] {
        desk.click_role(Role::MultilineTextInput, &format!("New sentence, {section}"));
        desk.write_over(text);
    }
    desk.click_role(Role::Button, "Sign");
    assert!(desk.says("A signature needs a name."));
    desk.click_role(Role::TextInput, "Reader's name");
    desk.text("Ada Roe");
    let sheet = desk.get_all_by_role_and_label(Role::Button, "Sign").last().expect("on the sheet").rect().center();
    desk.click_at(egui::PointerButton::Primary, sheet);
    let version = desk.session().report().signed.current().expect("signed").clone();
    assert_eq!((version.reader.as_str(), version.number), ("Ada Roe", 1));
    assert!(desk.says("Version 1, signed.") && desk.query_all_by_role(Role::MultilineTextInput).count() == 0);
    desk.click("Correct");
    assert!(desk.query_all_by_role(Role::MultilineTextInput).count() > 0);
}

#[test]
fn the_pages_of_the_tab_ask_and_compute() {
    let mut desk = Desk::beside("DX", PanelTab::Report);
    desk.click_role(Role::RadioButton, "Ask");
    desk.click_role(Role::TextInput, "Ask the knowledge base");
    desk.write_over("How long should metformin be stopped after contrast?");
    let found = desk.session().ask.found.as_ref().expect("asked");
    let source = found.answers.first().expect("the own cards answer").source.clone();
    assert!(desk.says(&source), "no answer without its source on the screen");
    desk.click_role(Role::RadioButton, "Drugs");
    desk.click_role(Role::TextInput, "Creatinine");
    desk.text("1.0");
    // The phantom is a woman of 64: age and sex are known from the header.
    assert!(desk.says("CKD-EPI 2021") && desk.says(" mL/min/1.73 m²"));
    desk.click_role(Role::TextInput, "Find a drug or contrast agent");
    desk.text("iohexol");
    desk.click_role(Role::ListItem, "iohexol");
    assert_eq!(desk.session().drugs.chosen.as_deref().map(str::to_lowercase).as_deref(), Some("iohexol"));
}
