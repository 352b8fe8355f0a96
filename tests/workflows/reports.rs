//! A report belongs to one study, and says what its images show now.

use std::fs;
use std::path::{Path, PathBuf};

use lightbox_session::command::SaveTo;
use lightbox_session::report::{Sentence, SentenceState};
use lightbox_session::{Command, ReportState};
use lightbox_tests::Desk;

fn demo(dir: &Path) -> Desk {
    let mut desk = Desk::new(dir);
    desk.send(Command::OpenDemo);
    desk
}

fn on(desk: &mut Desk, modality: &str) -> String {
    desk.send(Command::Activate(0));
    desk.show(modality);
    desk.session.report_study().expect("a study").to_owned()
}

fn write(desk: &mut Desk, text: &str) {
    desk.send(Command::InsertSentence { section: 1, sentence: 99, text: text.into(), study: None });
}

fn texts(report: &ReportState) -> Vec<&str> {
    report.document.sentences().filter(|s| s.is_confirmed()).map(|s| s.text.as_str()).collect()
}

fn about<'a>(report: &'a ReportState, word: &str) -> Vec<&'a Sentence> {
    report.document.sentences().filter(|s| s.text.contains(word)).collect()
}

#[test]
fn each_study_has_its_own_report() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(dir.path());
    let xray = on(&mut desk, "DX");
    desk.send(Command::DraftReport);
    write(&mut desk, "Of the X-ray.");
    let first = desk.session.report().clone();
    let ct = on(&mut desk, "CT");
    assert_eq!(desk.session.report(), &ReportState::default());
    desk.send(Command::DraftReport);
    write(&mut desk, "Of the CT.");
    assert_eq!(desk.session.reports[&xray], first);
    // A decision meets its own sentence, whatever is on the screen when it is carried out.
    let before = desk.session.reports[&ct].clone();
    let proposed = about(&first, "thorax")[0].id;
    desk.send(Command::AcceptSentence(proposed));
    assert_eq!(desk.session.reports[&ct], before);
    let accepted = desk.session.reports[&xray].document.sentence(proposed).expect("there");
    assert_eq!(accepted.state, SentenceState::Accepted);
    desk.send(Command::InsertSentence {
        section: 1,
        sentence: 99,
        text: "Of the X-ray, again.".into(),
        study: Some(xray.clone()),
    });
    assert_eq!(desk.session.reports[&ct], before);
    // Closed and opened again, it is there.
    desk.send(Command::CloseStudy(xray.clone()));
    assert!(desk.session.has_unsaved_work());
    desk.send(Command::OpenDemo);
    on(&mut desk, "DX");
    let now = texts(desk.session.report());
    assert!(now.contains(&"Of the X-ray.") && now.contains(&"Of the X-ray, again."), "{now:?}");
}

#[test]
fn reports_come_back_on_their_studies() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(dir.path());
    let xray = on(&mut desk, "DX");
    desk.send(Command::DraftReport);
    write(&mut desk, "Of the X-ray.");
    let proposed = about(desk.session.report(), "thorax")[0].id;
    desk.send(Command::AcceptSentence(proposed));
    let said = texts(desk.session.report()).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let ct = on(&mut desk, "CT");
    write(&mut desk, "Of the CT.");
    drop(desk);

    // Before the restore, the reader begins on another study, and on one of these.
    let mut next = demo(dir.path());
    let mr = on(&mut next, "MR");
    write(&mut next, "Of the MR.");
    on(&mut next, "CT");
    write(&mut next, "Of the CT, later.");
    next.send(Command::Restore);
    let of = |desk: &Desk, uid: &str| {
        let mut all: Vec<String> = texts(&desk.session.reports[uid]).into_iter().map(str::to_owned).collect();
        all.sort();
        all
    };
    assert_eq!(of(&next, &mr), ["Of the MR."]);
    assert_eq!(of(&next, &ct), ["Of the CT, later.", "Of the CT."]);
    let mut expected = said.clone();
    expected.sort();
    assert_eq!(of(&next, &xray), expected);
    // The next draft joins it; it does not take its place.
    on(&mut next, "DX");
    next.send(Command::DraftReport);
    for text in &said {
        assert!(texts(next.session.report()).contains(&text.as_str()), "{text}: {:?}", next.session.report());
    }
    drop(next);
    let mut third = Desk::new(dir.path());
    third.send(Command::Restore);
    assert_eq!(of(&third, &mr), ["Of the MR."]);
    assert_eq!(of(&third, &xray), expected);
}

#[test]
fn a_confirmed_sentence_does_not_keep_numbers_of_a_mask_that_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(dir.path());
    on(&mut desk, "DX");
    let id = desk.session.active_stack().expect("shown");
    let lungs: Vec<_> = desk.session.document(id).expect("drawn").segments.iter().map(|s| s.id).collect();
    lungs.iter().for_each(|lung| desk.send(Command::AcceptSegment(*lung)));
    desk.send(Command::DraftReport);
    let share = about(desk.session.report(), "of the lung area")[0].clone();
    assert_eq!(share.state, SentenceState::Proposed, "an accepted mask is no accepted sentence");
    desk.send(Command::AcceptSentence(share.id));
    // A few percent of one lung more.
    desk.send(Command::SelectSegment(lungs[0]));
    desk.send(Command::SetBrush(lightbox_session::workspace::BrushSettings {
        radius_mm: 40.0,
        ..desk.session.workspace.brush
    }));
    let at = desk.at(20.0, 20.0);
    desk.send(Command::StrokeBegin { slot: None, at, erase: false });
    desk.send(Command::StrokeEnd);
    // Nobody asked for a new draft: the change alone puts the sentence back.
    let path = dir.path().join("report.txt");
    desk.send(Command::SaveReport(path.clone().into()));
    let saved = fs::read_to_string(&path).expect("the technique is confirmed");
    assert!(!saved.contains(&share.text), "{saved}");
    let now = desk.session.report().document.sentence(share.id).expect("there").clone();
    assert_eq!((now.state, now.replaces.as_ref()), (SentenceState::Proposed, Some(&share.text)));
    assert_ne!(now.text, share.text);
    // Taken back, the sentence is what the reader had confirmed; done again, it waits again.
    desk.send(Command::Undo);
    let taken_back = desk.session.report().document.sentence(share.id).expect("there").clone();
    assert_eq!((taken_back.state, &taken_back.text), (SentenceState::Accepted, &share.text));
    desk.send(Command::Redo);
    desk.send(Command::AcceptSentence(share.id));
    desk.send(Command::SaveReport(path.clone().into()));
    assert!(fs::read_to_string(&path).expect("saved").contains(&now.text));
    // Without the mask there is nothing that it says.
    desk.send(Command::DeleteSegment(lungs[0]));
    let lost = desk.session.report().document.sentence(share.id).expect("there").clone();
    assert_eq!((lost.state, lost.replaces), (SentenceState::Proposed, Some(now.text)));
    desk.send(Command::SaveReport(path.clone().into()));
    assert!(!fs::read_to_string(&path).expect("saved").contains("of the lung area"));
}

#[test]
fn saves_name_what_was_on_the_screen_when_the_dialog_opened() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(dir.path());
    let study = on(&mut desk, "CT");
    let ct = desk.session.active_stack().expect("shown");
    for modality in ["CT", "MR"] {
        on(&mut desk, modality);
        let at = desk.at(20.0, 30.0);
        desk.send(Command::StrokeBegin { slot: None, at, erase: false });
        desk.send(Command::StrokeEnd);
        write(&mut desk, &format!("Of the {modality}."));
    }
    // The MR is on the screen when the dialogs that were opened on the CT answer.
    let (seg, text) = (dir.path().join("ct.dcm"), dir.path().join("ct.txt"));
    desk.send(Command::SaveSeg(SaveTo { path: seg.clone(), of: Some(ct) }));
    desk.send(Command::SaveReport(SaveTo { path: text.clone(), of: Some(study.clone()) }));
    let mr = desk.session.active_stack().expect("shown");
    assert!(desk.session.document(ct).expect("drawn").saved.is_some());
    assert!(desk.session.document(mr).expect("drawn").has_unsaved_work());
    let written = fs::read_to_string(&text).unwrap();
    assert!(written.contains("Of the CT.") && !written.contains("Of the MR."), "{written}");
    assert_eq!((desk.session.reports[&study].unsaved, desk.session.report().unsaved), (0, 1));
    // A series that was closed meanwhile: nothing is written under its name, and its work stays.
    desk.send(Command::CloseStudy(study));
    let other: PathBuf = dir.path().join("other.dcm");
    desk.send(Command::SaveSeg(SaveTo { path: other.clone(), of: Some(ct) }));
    assert!(!other.exists());
    assert!(
        desk.messages().iter().any(|m| m.starts_with("Not saved. Its series was closed.")),
        "{:?}",
        desk.messages()
    );
}

#[test]
fn what_was_written_during_a_save_is_not_saved() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(dir.path());
    let study = on(&mut desk, "CT");
    write(&mut desk, "First.");
    // Inline, the file is written at once; that it was is told later.
    desk.jobs.apply(&mut desk.session, Command::SaveReport(dir.path().join("a.txt").into()));
    let later = Command::InsertSentence { section: 1, sentence: 99, text: "Second.".into(), study: None };
    desk.jobs.apply(&mut desk.session, later);
    desk.jobs.settle(&mut desk.session);
    assert_eq!(desk.session.report().unsaved, 1);
    desk.send(Command::Quit);
    drop(desk);
    let mut next = Desk::new(dir.path());
    assert_eq!(next.session.recovery.as_ref().expect("offered").gestures, 1);
    next.send(Command::Restore);
    assert_eq!(texts(&next.session.reports[&study]), ["First.", "Second."]);
}

#[test]
fn two_x_rays_of_a_study_have_sentences_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(&dir.path().join("first"));
    on(&mut desk, "DX");
    let open = desk.stack("DX");
    let bytes = fs::read(open.info.frames[0].source.to_string()).unwrap();
    let twin = crate::kept::renamed(&bytes, &open.series.uid);
    let twin = crate::kept::renamed(&twin, &open.info.frames[0].sop_instance_uid);
    fs::write(dir.path().join("a.dcm"), &bytes).unwrap();
    fs::write(dir.path().join("b.dcm"), twin).unwrap();
    let mut desk = Desk::new(&dir.path().join("second"));
    desk.send(Command::Open(vec![dir.path().join("a.dcm"), dir.path().join("b.dcm")]));
    let stacks: Vec<_> = desk.session.library.stacks().map(|s| s.id).collect();
    assert_eq!(stacks.len(), 2);
    for stack in &stacks {
        desk.send(Command::Show { slot: Some(0), stack: *stack });
        desk.send(Command::RunModel { slot: None, model: "cxr-lungs".into(), series: false });
    }
    desk.send(Command::DraftReport);
    let first: Vec<(u64, String)> =
        about(desk.session.report(), "of the lung area").iter().map(|s| (s.id, s.text.clone())).collect();
    assert_eq!(first.len(), 2, "{:?}", desk.session.report().document);
    first.iter().for_each(|(id, _)| desk.send(Command::AcceptSentence(*id)));
    // One of the two changes.
    let lung = desk.session.document(stacks[1]).expect("drawn").segments[0].id;
    desk.send(Command::DeleteSegment(lung));
    desk.send(Command::AddSegment { name: Some("Right lung".into()) });
    let at = desk.at(20.0, 20.0);
    desk.send(Command::StrokeBegin { slot: None, at, erase: false });
    desk.send(Command::StrokeEnd);
    desk.send(Command::DraftReport);
    let states: Vec<_> = first
        .iter()
        .map(|(id, text)| {
            let now = desk.session.report().document.sentence(*id).expect("there");
            (now.state, now.text == *text)
        })
        .collect();
    assert_eq!(states.iter().filter(|s| **s == (SentenceState::Accepted, true)).count(), 1, "{states:?}");
    assert_eq!(states.iter().filter(|s| **s == (SentenceState::Proposed, false)).count(), 1, "{states:?}");
}
