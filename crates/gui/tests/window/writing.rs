//! What writes along in the report tab: words behind the cursor, proposals of whole sentences, other words.

use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use lightbox_session::Command;
use lightbox_session::proposals::OfferKind;
use lightbox_session::workspace::PanelTab;

use crate::desk::{CTRL, Desk};

const LINE: &str = "New sentence, Findings";

/// The X-ray's report with an effusion on the left, written by the reader, and the cursor in a new line under Findings.
fn desk() -> Desk {
    let mut desk = Desk::beside("DX", PanelTab::Report);
    desk.click_role(Role::MultilineTextInput, LINE);
    desk.write_over("Small pleural effusion on the left.");
    desk.click_role(Role::MultilineTextInput, LINE);
    desk
}

/// What stands in the new line.
fn line(desk: &Desk) -> String {
    let node = desk.get_by_role_and_label(Role::MultilineTextInput, LINE);
    node.accesskit_node().value().unwrap_or_default()
}

fn type_and_rest(desk: &mut Desk, text: &str) {
    desk.text(text);
    desk.wait();
    desk.wait();
}

#[test]
fn words_behind_the_cursor_come_by_tab_and_only_by_it() {
    let mut desk = desk();
    desk.text("There is a pleural effu");
    assert!(!desk.says("Proposed: "), "not before the hand rests");
    desk.wait();
    desk.wait();
    assert!(desk.says("Proposed: sion"));
    assert_eq!(line(&desk), "There is a pleural effu", "nothing comes by itself");
    // Typing on leaves it behind.
    desk.text("s");
    assert!(!desk.says("Proposed: "));
    type_and_rest(&mut desk, "i");
    assert!(desk.says("Proposed: on"));
    desk.press(Modifiers::NONE, Key::Tab);
    assert!(line(&desk).starts_with("There is a pleural effusion"), "{}", line(&desk));
    // The field keeps the keys, and the cursor is at the end.
    let taken = line(&desk);
    desk.text("!");
    assert_eq!(line(&desk), format!("{taken}!"));
}

#[test]
fn escape_leaves_the_words_out_and_the_arrow_takes_them() {
    let mut desk = desk();
    type_and_rest(&mut desk, "There is a pleural effu");
    desk.press(Modifiers::NONE, Key::Escape);
    assert!(!desk.says("Proposed: "));
    assert_eq!(line(&desk), "There is a pleural effu", "Escape left the words out, not the sentence");
    desk.wait();
    desk.wait();
    assert!(!desk.says("Proposed: "), "they do not come back by themselves");
    type_and_rest(&mut desk, "s");
    desk.press(Modifiers::NONE, Key::ArrowRight);
    assert!(line(&desk).starts_with("There is a pleural effusion"), "{}", line(&desk));
    // Not at the end, the arrow is an arrow.
    let before = line(&desk);
    desk.press(Modifiers::NONE, Key::Home);
    desk.wait();
    desk.press(Modifiers::NONE, Key::ArrowRight);
    assert_eq!(line(&desk), before);
}

#[test]
fn a_finding_that_nobody_knows_is_not_proposed_and_frames_stay_short() {
    let mut desk = desk();
    type_and_rest(&mut desk, "There is a pneumoth");
    assert!(!desk.says("Proposed: "));
    desk.press(CTRL, Key::A);
    type_and_rest(&mut desk, "A pleural effusion on the r");
    assert!(!desk.says("Proposed: ight"), "it is on the left");
}

#[test]
fn an_impression_is_taken_and_refused_by_the_sentence() {
    let mut desk = desk();
    desk.click_role(Role::Button, "Impression");
    assert!(desk.says("by rules") && desk.says("Report text"));
    let proposed = desk.session().report().offers[&OfferKind::Impression].sentences.clone();
    assert_eq!(proposed.len(), 1, "{proposed:?}");
    desk.click_role(Role::Button, "Refuse the proposal");
    assert!(desk.says("Struck: Small pleural effusion"));
    desk.click_role(Role::Button, "Take back");
    desk.click_role(Role::Button, "Take the proposal");
    assert!(desk.says("In the report"));
    let document = &desk.session().report().document;
    assert_eq!(document.sections[2].sentences[0].text, "Small pleural effusion on the left.");
}

#[test]
fn a_letter_is_taken_together_and_saved() {
    let mut desk = desk();
    desk.click_role(Role::Button, "Patient letter");
    desk.click_role(Role::Button, "Take the rest");
    let path = desk.dir.path().join("letter.txt");
    desk.click_role(Role::Button, "Save letter…");
    desk.write_over(&path.display().to_string());
    let letter = std::fs::read_to_string(path).unwrap();
    assert!(letter.contains("on your left side"), "{letter}");
    assert_eq!(desk.session().report().document.sentences().count(), 1, "it is no part of the report");
}

#[test]
fn a_word_that_is_selected_has_others_and_a_click_puts_one_in() {
    let mut desk = Desk::beside("DX", PanelTab::Report);
    desk.click_role(Role::MultilineTextInput, LINE);
    desk.text("Cardiomegaly");
    desk.press(CTRL, Key::A);
    desk.wait();
    assert!(desk.says("Other words"));
    let words = desk.session().other_words.clone().expect("found");
    let same = words.found.iter().find(|o| o.same).expect("the lexicon knows it").word.clone();
    desk.click_role(Role::Button, &same);
    assert!(line(&desk).eq_ignore_ascii_case(&same), "{}", line(&desk));
    assert_eq!(desk.session().report().document.sentences().count(), 0, "the field is still being typed in");
}

#[test]
fn completion_can_be_turned_off_in_its_menu() {
    let mut desk = desk();
    desk.click_role(Role::Button, "How proposals are written");
    desk.click_role(Role::ListItem, "Words while typing");
    assert!(!desk.session().workspace.completes);
    desk.click_role(Role::MultilineTextInput, LINE);
    type_and_rest(&mut desk, "There is a pleural effu");
    assert!(!desk.says("Proposed: "));
    desk.send(Command::SetCompletes(true));
}
