//! What writes along: completion while typing, proposals, phrases learnt from what was signed, reasons that outlive a kill.

use std::fs;
use std::path::Path;

use lightbox_session::check::Rule;
use lightbox_session::checks::Anchor;
use lightbox_session::proposals::{Fate, OfferKind};
use lightbox_session::report::{ChipKind, SentenceState};
use lightbox_session::{Command, Session};
use lightbox_tests::{Desk, root};

/// The built-in chest X-ray, with these sentences written by the reader under Findings.
fn written(dir: &Path, sentences: &[&str]) -> Desk {
    let mut desk = Desk::new(dir);
    desk.send(Command::OpenDemo);
    desk.send(Command::Activate(0));
    desk.show("DX");
    for text in sentences {
        write(&mut desk, 1, text);
    }
    desk
}

fn write(desk: &mut Desk, section: usize, text: &str) {
    desk.send(Command::InsertSentence { section, sentence: 99, text: text.into(), study: None });
}

/// What is proposed behind these words, typed in a new line under Findings.
fn behind(desk: &mut Desk, words: &str) -> String {
    let at = Anchor::NewLine(1);
    desk.send(Command::Complete { words: Some((at, words.to_owned())), study: None });
    shown(&desk.session, words)
}

fn shown(s: &Session, words: &str) -> String {
    let study = s.report_study().expect("a study");
    s.completing.of(study, Anchor::NewLine(1), words).unwrap_or_default().to_owned()
}

fn sign(desk: &mut Desk) {
    desk.send(Command::SetReader("Ada Roe".into()));
    desk.send(Command::SignReport { reason: None });
    assert!(desk.session.report().signed.current().is_some(), "{:?}", desk.messages());
}

#[test]
fn only_what_is_known_is_proposed_while_typing_and_nothing_comes_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = written(dir.path(), &[]);
    assert_eq!(behind(&mut desk, "There is a pleural effu"), "", "no effusion is known");
    write(&mut desk, 1, "Small pleural effusion on the left.");
    assert!(behind(&mut desk, "There is a pleural effu").starts_with("sion"));
    assert!(!behind(&mut desk, "A pleural effusion on the r").starts_with("ight"), "it is on the left");
    assert!(behind(&mut desk, "A pleural effusion on the l").starts_with("eft"));
    // Other words stand there now: what was found for these is not theirs.
    assert_eq!(shown(&desk.session, "A pleural effusion on the la"), "");
    let before = desk.session.report().document.clone();
    desk.send(Command::Complete { words: None, study: None });
    assert_eq!(shown(&desk.session, "A pleural effusion on the l"), "");
    assert_eq!(desk.session.report().document, before);
    desk.send(Command::SetCompletes(false));
    assert_eq!(behind(&mut desk, "A pleural effusion on the l"), "");
}

#[test]
fn phrases_are_learnt_from_what_is_signed_only_and_can_be_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let phrase = "Quokkas wander freely over wombats.";
    let mut desk = written(dir.path(), &[phrase, phrase]);
    assert_eq!(behind(&mut desk, "Quokkas wan"), "", "nobody signed it yet");
    let kept = dir.path().join("kept/phrases.jsonl");
    assert!(!kept.exists());
    sign(&mut desk);
    assert!(fs::read_to_string(&kept).unwrap().contains("Quokkas wander"));
    desk.send(Command::Amend(true));
    assert!(behind(&mut desk, "Quokkas wan").starts_with("der freely"), "{}", behind(&mut desk, "Quokkas wan"));
    // It is there at the next start, and gone once it is forgotten; the signed report is not.
    let mut next = Desk::new(dir.path());
    next.send(Command::OpenDemo);
    next.send(Command::Activate(0));
    next.show("DX");
    next.send(Command::Amend(true));
    assert!(behind(&mut next, "Quokkas wan").starts_with("der"));
    next.send(Command::ForgetPhrases);
    assert_eq!(behind(&mut next, "Quokkas wan"), "");
    assert!(!kept.exists() && next.session.report().signed.current().is_some());
}

#[test]
fn an_impression_is_proposed_with_its_findings_and_taken_by_the_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = written(dir.path(), &["Small pleural effusion on the left.", "Simple renal cyst."]);
    desk.send(Command::Propose(OfferKind::Impression));
    let offer = desk.session.report().offers[&OfferKind::Impression].clone();
    assert!(offer.model.is_none());
    let at = offer.sentences.iter().position(|x| x.judged.text.contains("effusion")).expect("the effusion matters");
    assert_eq!(desk.session.report().document.sections[2].sentences.len(), 0, "it is only proposed");
    let decide = |fate| Command::DecideOffer { kind: OfferKind::Impression, sentence: at, fate };
    desk.send(decide(Fate::Refused));
    assert_eq!(desk.session.report().document.sections[2].sentences.len(), 0);
    desk.send(decide(Fate::Taken));
    desk.send(decide(Fate::Taken));
    let taken = &desk.session.report().document.sections[2].sentences;
    assert_eq!((taken.len(), taken[0].state), (1, SentenceState::Written));
    assert!(taken[0].text.contains("effusion") && !taken[0].sources.is_empty());
    sign(&mut desk);
    assert!(desk.session.report().signed.current().unwrap().text.contains("IMPRESSION:\nSmall pleural effusion"));
}

#[test]
fn a_letter_is_no_part_of_the_report_and_is_saved_of_what_was_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = written(dir.path(), &["Small pleural effusion on the left.", "No pneumothorax."]);
    let before = desk.session.report().document.clone();
    desk.send(Command::Propose(OfferKind::Letter));
    let offer = desk.session.report().offers[&OfferKind::Letter].clone();
    let all: Vec<&str> = offer.sentences.iter().map(|x| x.judged.text.as_str()).collect();
    assert!(all.iter().any(|t| t.contains("on your left side")), "{all:?}");
    let path = dir.path().join("letter.txt");
    desk.send(Command::SaveLetter(path.clone().into()));
    assert!(!path.exists(), "nothing was taken yet");
    for (sentence, x) in offer.sentences.iter().enumerate() {
        let fate = if x.judged.text.contains("left side") { Fate::Taken } else { Fate::Refused };
        desk.send(Command::DecideOffer { kind: OfferKind::Letter, sentence, fate });
    }
    desk.send(Command::SaveLetter(path.clone().into()));
    let letter = fs::read_to_string(path).unwrap();
    assert!(letter.contains("left side") && !letter.contains("no sign"), "{letter}");
    assert_eq!(desk.session.report().document, before);
}

#[test]
fn what_a_language_model_cannot_say_truly_the_rules_say_and_why_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = written(dir.path(), &["Small pleural effusion on the left."]);
    // A model of 260 words with made-up weights: it loads, and writes rubbish.
    let model = root().join("crates/model/tests/language/gguf_llama/model.gguf");
    assert!(model.is_file());
    desk.send(Command::SetChatModel(Some(model)));
    desk.send(Command::Propose(OfferKind::Impression));
    let offer = desk.session.report().offers[&OfferKind::Impression].clone();
    assert!(offer.model.is_none() && offer.note.is_some(), "{offer:?}");
    assert!(offer.sentences.iter().any(|x| x.judged.text.contains("effusion")));
    // And one that is no model.
    let none = dir.path().join("none.gguf");
    fs::write(&none, "no model").unwrap();
    desk.send(Command::SetChatModel(Some(none)));
    desk.send(Command::Propose(OfferKind::Impression));
    let offer = &desk.session.report().offers[&OfferKind::Impression];
    let note = offer.note.as_deref().expect("told");
    assert!(note.contains("cannot be used") && !offer.sentences.is_empty(), "{note}");
}

#[test]
fn what_a_language_model_wrote_is_marked_and_struck_where_it_is_not_so() {
    use lightbox_session::assist::{Author, Known, Proposal, judge};
    use lightbox_session::event::EventKind;
    use lightbox_session::proposals::{Offer, Wrote};
    use lightbox_session::{JobEvent, JobId, JobInfo, JobKind};
    let dir = tempfile::tempdir().unwrap();
    let mut desk = written(dir.path(), &["Small pleural effusion on the left."]);
    let text = desk.session.report().document.to_text();
    let sentences = judge("Pleural effusion on the left. Pleural effusion on the right.", &Known::of(None, &text));
    let wrote = Wrote { name: "tiny".into(), sha256: "ab".into(), prompt_sha256: "cd".into() };
    let proposal = Proposal { author: Author::Model, sentences };
    let offer = Offer::of(proposal, &Default::default(), Some(wrote), None);
    let (job, study) = (JobId(1 << 40), desk.session.report_study().unwrap().to_owned());
    desk.session.jobs.push(JobInfo {
        id: job,
        kind: JobKind::Propose,
        title: String::new(),
        fraction: None,
        detail: String::new(),
        cancelling: false,
    });
    let kind = OfferKind::Impression;
    for event in [EventKind::Proposed { study, kind, offer: Box::new(offer) }, EventKind::Done] {
        desk.session.on_event(JobEvent { job, kind: event });
    }
    for sentence in [1, 0] {
        desk.send(Command::DecideOffer { kind, sentence, fate: Fate::Taken });
    }
    let taken = &desk.session.report().document.sections[2].sentences;
    assert_eq!(taken.iter().map(|x| x.text.as_str()).collect::<Vec<_>>(), ["Pleural effusion on the left."]);
    assert!(taken[0].sources.iter().any(|c| c.kind == ChipKind::Model && c.label.starts_with("tiny")));
    let log = fs::read_to_string(dir.path().join("kept/audit.jsonl")).unwrap();
    assert!(log.contains("\"model_sha256\":\"ab\"") && !log.contains("effusion"), "{log}");
}

#[test]
fn other_words_come_from_the_lexicon_and_the_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = written(dir.path(), &[]);
    desk.send(Command::OtherWords("cardiomegaly".into()));
    let words = desk.session.other_words.clone().expect("found");
    assert_eq!(words.term, "cardiomegaly");
    assert!(words.found.iter().any(|o| o.same) && words.found.len() > 1, "{words:?}");
    desk.send(Command::OtherWords("x".repeat(400)));
    assert!(desk.session.other_words.is_none());
}

#[test]
fn the_reason_to_keep_an_objection_outlives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    // The phantom is a woman.
    let mut desk = written(dir.path(), &["The prostate is enlarged."]);
    write(&mut desk, 2, "Enlarged prostate.");
    let keys: Vec<(Rule, String)> =
        desk.session.report().open_objections().filter(|o| o.blocks()).map(|o| o.key()).collect();
    assert!(keys.iter().any(|(rule, _)| *rule == Rule::R08), "{keys:?}");
    for (rule, message) in &keys {
        let (rule, message) = (format!("{rule:?}"), message.clone());
        desk.send(Command::Keep { rule, message, reason: "Trans woman.".into() });
    }
    drop(desk);
    let own = fs::read_dir(dir.path().join("journal")).unwrap().next().expect("a journal").unwrap().path();
    fs::rename(&own, dir.path().join("journal/work-1-4294967.jsonl")).unwrap();

    let mut next = Desk::new(dir.path());
    next.send(Command::Restore);
    next.send(Command::Activate(0));
    next.show("DX");
    let report = next.session.report();
    assert!(report.checks.objections.iter().any(|o| o.issue.rule == Rule::R08), "the objection stands");
    assert_eq!(report.open_objections().filter(|o| o.blocks()).count(), 0, "with its reason");
    sign(&mut next);
    let version = next.session.report().signed.current().unwrap();
    assert!(version.overrides.iter().all(|o| o.reason == "Trans woman.") && !version.overrides.is_empty());
}
