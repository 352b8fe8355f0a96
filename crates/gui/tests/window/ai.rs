//! The AI tab: maps over an image, what runs beside it in the demo, a copy that learns.

use egui::{Key, Modifiers, PointerButton, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use image::RgbaImage;
use lightbox_session::heat::ExplainBy;
use lightbox_session::improving::{Learning, Learnt};
use lightbox_session::workspace::{Layer, LayerShow, Layout, PanelTab, StudyListMode};
use lightbox_session::{Command, JobId, JobInfo, JobKind};

use crate::desk::{Desk, demo};
use crate::made_up;

const CLASSES: &str = "cxr-pneumonia-resnet";

/// The pixels of a viewport's image.
fn pixels(desk: &mut Desk, slot: usize) -> RgbaImage {
    let rect = desk.image(slot);
    let picture = desk.picture();
    let [x, y] = [rect.left() as u32, rect.top() as u32];
    image::imageops::crop_imm(&picture, x, y, rect.width() as u32, rect.height() as u32).to_image()
}

/// How many pixels have a colour.
fn coloured(picture: &RgbaImage) -> usize {
    tinted(picture, 24)
}

/// How many pixels are further from grey than this.
fn tinted(picture: &RgbaImage, from: u8) -> usize {
    let colour = |p: &&image::Rgba<u8>| {
        let [r, g, b, _] = p.0;
        r.max(g).max(b) - r.min(g).min(b) > from
    };
    picture.pixels().filter(colour).count()
}

/// The X-ray alone with the answer of the classifier beside it.
fn answered() -> Desk {
    let mut desk = Desk::beside("DX", PanelTab::Ai);
    desk.send(Command::ChooseModel(CLASSES.into()));
    desk.send(Command::RunModel { slot: None, model: CLASSES.into(), series: false });
    desk
}

#[test]
fn a_heat_map_is_a_layer_that_can_be_hidden_and_taken_away() {
    let mut desk = answered();
    let bare = pixels(&mut desk, 0);
    assert!(!desk.says("No finding."));
    desk.click("Grad-CAM");
    let heat = desk.session().heats.first().expect("a map").clone();
    assert!(desk.says(&format!("Grad-CAM · {}", heat.label)), "method and class are named");
    assert!(desk.says("No finding.") && desk.says("Grad-CAM: no finding"), "beside it and below the image");
    assert!(desk.says("Full fidelity"), "the pixels under it are as they were");
    let mapped = pixels(&mut desk, 0);
    assert!(coloured(&mapped) > coloured(&bare) + 2000, "{} and {}", coloured(&mapped), coloured(&bare));
    desk.click("Hide map");
    assert_eq!(coloured(&pixels(&mut desk, 0)), coloured(&bare));
    assert!(!desk.says("Grad-CAM: no finding"));
    desk.click("Show map");
    assert!(coloured(&pixels(&mut desk, 0)) > coloured(&bare) + 2000);
    // Held down, H shows the bare image.
    let key = |pressed| egui::Event::Key {
        key: Key::H,
        physical_key: None,
        pressed,
        repeat: false,
        modifiers: Modifiers::NONE,
    };
    desk.events([key(true)]);
    assert!(coloured(&pixels(&mut desk, 0)) <= coloured(&bare));
    desk.events([key(false)]);
    desk.click("Remove map");
    assert!(desk.session().heats.is_empty());
    assert_eq!(coloured(&pixels(&mut desk, 0)), coloured(&bare));
}

#[test]
fn a_map_fades_with_its_opacity() {
    let mut desk = answered();
    desk.click("Grad-CAM");
    let strong = coloured(&pixels(&mut desk, 0));
    let slider = desk.get_by_role_and_label(Role::Slider, "Opacity of the map").rect();
    desk.click_at(PointerButton::Primary, egui::pos2(slider.left() + 8.0, slider.center().y));
    assert!(desk.session().heats[0].opacity < 0.05);
    assert!(coloured(&pixels(&mut desk, 0)) < strong / 2);
}

#[test]
fn the_class_that_is_explained_can_be_chosen() {
    let mut desk = answered();
    desk.click_role(Role::ComboBox, "Class that is explained");
    desk.click_role(Role::ListItem, "Normal");
    desk.click("Grad-CAM");
    assert_eq!(desk.session().heats[0].label, "Normal");
}

#[test]
fn bars_say_how_far_they_move_when_that_is_asked() {
    let mut desk = answered();
    let meters = |desk: &Desk| -> Vec<String> {
        desk.query_all_by_role(Role::Meter).filter_map(|n| n.accesskit_node().label()).collect()
    };
    assert!(meters(&desk).iter().all(|m| !m.contains('±')));
    desk.click("± SD");
    assert!(meters(&desk).len() == 3 && meters(&desk).iter().all(|m| m.contains('±')), "{:?}", meters(&desk));
    assert!(desk.says("SD over 7 variations of the image"));
    assert!(desk.session().heats.is_empty());
}

#[test]
fn a_calibrated_model_is_said_to_be_calibrated() {
    let desk = answered();
    assert!(desk.says("Calibrated on its own kind: T 1.26, ECE 0.027") && !desk.says("Not calibrated"));
}

#[test]
fn the_model_that_is_run_shows_what_it_found() {
    let mut desk = answered();
    desk.send(Command::RunModel { slot: None, model: "xray-anomaly".into(), series: false });
    assert!(desk.says("RESTORED IMAGE"), "not that of the model that was looked at before");
    assert!(desk.says("THE PLAIN METHOD WINS: auc 0.796 against 0.827"), "what does better stands beside the result");
}

#[test]
fn a_difference_is_not_tinted_by_masks() {
    let mut session = demo();
    session.workspace.active = 3;
    let mut desk = Desk::new(session);
    desk.send(Command::SetLayout(Layout::One));
    desk.send(Command::SetStudyList(StudyListMode::Hidden));
    // The fills of the lungs colour the image; the contours alone are few pixels.
    let filled = tinted(&pixels(&mut desk, 0), 8);
    desk.send(Command::RunModel { slot: None, model: "xray-anomaly".into(), series: false });
    let result = desk.session().results.last().expect("a result").id;
    desk.send(Command::SetLayer { slot: None, layer: Some(Layer { result, show: LayerShow::Residual }) });
    let outlined = tinted(&pixels(&mut desk, 0), 8);
    assert!(outlined * 4 < filled && outlined > 0, "{outlined} of {filled}");
}

#[test]
fn where_an_outline_is_unsure_is_a_map_too() {
    let mut desk = Desk::beside("DX", PanelTab::Ai);
    desk.send(Command::ChooseModel("cxr-lungs".into()));
    desk.send(Command::RunModel { slot: None, model: "cxr-lungs".into(), series: false });
    desk.click("Show where it is unsure");
    assert_eq!(desk.session().heats.first().map(|h| h.by), Some(ExplainBy::Variation));
    assert!(desk.says("Uncertainty · Lungs") && desk.says("the area moves by ±"));
}

#[test]
fn the_demo_lists_what_runs_in_the_other_views_one_click_away() {
    let mut session = demo();
    session.workspace.panel = Some(PanelTab::Ai);
    session.workspace.active = 0;
    let mut desk = Desk::new(session);
    assert!(desk.says("In the other views") && desk.says("CHEST PA"));
    let row = desk.get_by_role_and_label(Role::ListItem, "Pneumonia in a child (ResNet), classes, heat map").rect();
    let button = desk.get_all_by_label("Run").map(|n| n.rect()).find(|r| row.contains(r.center())).expect("a button");
    desk.click_at(PointerButton::Primary, button.center());
    assert_eq!(desk.session().workspace.active, 3, "its view");
    assert!(desk.session().heat_on(desk.open(3).id, 0).is_some(), "and its map");
    assert!(desk.says("Grad-CAM ·"));
}

#[test]
fn what_nobody_approved_cannot_be_used_for_improving() {
    let mut desk = Desk::new(demo());
    desk.send(Command::Activate(3));
    desk.send(Command::SetPanel(Some(PanelTab::Ai)));
    desk.send(Command::ChooseModel("cxr-lungs".into()));
    assert!(desk.says("Improve this model") && desk.says("No approved mask is kept for it."));
    assert!(desk.says("Accept, correct or reject its proposals on this image first."));
    assert!(desk.says("Approved masks of 4 more persons are needed."));
    for id in desk.session().active_document().unwrap().segments.iter().map(|s| s.id).collect::<Vec<_>>() {
        desk.send(Command::AcceptSegment(id));
    }
    desk.send(Command::UseForImproving { slot: None, model: "cxr-lungs".into() });
    assert!(desk.says("1 approved mask of 1 person kept for it on this machine."), "{:?}", desk.messages());
    assert!(desk.says("Approved masks of 3 more persons are needed."));
    assert!(desk.says("Delete 1 kept mask"));
}

#[test]
fn a_run_shows_its_curve_and_can_be_ended_with_the_best_state() {
    let (mut s, stacks) = made_up::with_lungs();
    s.workspace.panel = Some(PanelTab::Ai);
    let job = JobId(1 << 30);
    s.jobs.push(JobInfo {
        id: job,
        kind: JobKind::Improve,
        title: "Improving Lung masks".into(),
        fraction: Some(0.3),
        detail: "update 24 of 64".into(),
        cancelling: false,
    });
    let point = |step: usize| Learnt {
        step,
        loss: (step > 0).then(|| 0.9 / (step as f64).sqrt()),
        validation: step.is_multiple_of(8).then(|| 0.8 + step as f64 / 400.0),
    };
    let points = (0..=24).map(point).collect();
    s.improving.run = Some(Learning { model: "cxr-lungs".into(), job, updates: 64, points, ending: false });
    made_up::show(&mut s, stacks.xray);
    let mut desk = Desk::held(s);
    assert!(desk.says("Learning: Loss 0.184, Dice, validation 0.860, 24 of 64 updates"));
    assert_eq!(desk.count("Improve"), 0, "one run at a time");
    desk.send(Command::FinishImproving);
    assert!(desk.session().improving.run.as_ref().is_some_and(|r| r.ending));
    desk.send(Command::CancelJob(job));
    assert!(desk.session().job(job).is_some_and(|j| j.cancelling));
}
