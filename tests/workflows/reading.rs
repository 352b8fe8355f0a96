//! Open, look, run the model, correct, save, load, measure, report.

use std::path::PathBuf;

use lightbox_core::measure::dice;
use lightbox_core::{Plane, phantom};
use lightbox_session::annotation::{AnnotationKind, Reading, read};
use lightbox_session::workspace::Layout;
use lightbox_session::{Command, LoadState};
use lightbox_tests::Desk;

fn demo(dir: &std::path::Path) -> Desk {
    let mut desk = Desk::new(dir);
    desk.send(Command::OpenDemo);
    assert_eq!(desk.messages(), Vec::<String>::new());
    desk
}

#[test]
fn the_demo_opens_in_four_views_with_the_lungs_found() {
    let dir = tempfile::tempdir().unwrap();
    let desk = demo(dir.path());
    let w = &desk.session.workspace;
    assert_eq!(w.layout, Layout::TwoByTwo);
    assert!(w.views.iter().all(|v| v.stack.is_some()));
    assert!(desk.session.library.stacks().all(|s| s.load == LoadState::Loaded));
    let xray = desk.stack("DX");
    let document = desk.session.document(xray.id).expect("the model drew");
    let names: Vec<&str> = document.segments.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["Right lung", "Left lung"]);
    // Nobody accepted them, and nobody's work is at stake.
    assert_eq!(document.proposed.len(), 2);
    assert!(!desk.session.has_unsaved_work());
    // The phantom's own lungs, which the model never saw.
    let truth = phantom::chest_xray().expect("made");
    for (segment, truth) in document.segments.iter().zip([&truth.right_lung, &truth.left_lung]) {
        let pixels = xray.info.columns * xray.info.rows;
        let bools = |m: &lightbox_core::Mask| -> Vec<bool> {
            (0..pixels).map(|i| m.plane(0).is_some_and(|p| p.get(i))).collect()
        };
        let overlap = dice(&bools(&segment.mask), &bools(truth)).expect("same size");
        assert!(overlap >= 0.7, "{}: Dice {overlap:.3}", segment.name);
    }
}

#[test]
fn planes_stay_linked_and_windows_stay_with_their_stack() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(dir.path());
    desk.send(Command::Activate(0));
    let at = desk.stack("CT").geometry().centre();
    desk.send(Command::PointAt { slot: Some(0), at });
    let ct = desk.stack("CT");
    let coronal = ct.plane_stack(Plane::Coronal);
    assert_eq!(desk.session.workspace.views[1].index, coronal.nearest(at));
    desk.send(Command::Preset { slot: Some(0), n: 3 });
    let bone = desk.session.workspace.views[0].window.expect("set");
    assert_eq!((bone.width, bone.center), (2000.0, 400.0));
    assert_eq!(desk.session.workspace.views[1].window, Some(bone));
    assert_eq!(desk.session.workspace.views[3].window, None);
    // The ends of the stack hold.
    desk.send(Command::ScrollBy { slot: Some(0), planes: -100_000 });
    assert_eq!(desk.session.workspace.views[0].index, 0);
    desk.send(Command::ScrollTo { slot: Some(0), index: usize::MAX });
    assert_eq!(desk.session.workspace.views[0].index, 119);
}

#[test]
fn a_mask_is_corrected_saved_and_loaded_onto_the_same_voxels() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(dir.path());
    for modality in ["DX", "CT"] {
        desk.send(Command::Activate(0));
        let id = desk.show(modality);
        if modality == "CT" {
            desk.send(Command::AddSegment { name: Some("Nodule".into()) });
        } else {
            let right = desk.session.document(id).expect("drawn").segments[0].id;
            desk.send(Command::SelectSegment(right));
        }
        let before = desk.session.document(id).expect("drawn").clone();
        let active = before.active.expect("one is active");
        let count =
            |desk: &Desk| desk.session.document(id).expect("drawn").segment(active).expect("there").mask.count();
        let start = count(&desk);
        let (a, b) = (desk.at(10.0, 12.0), desk.at(60.0, 31.5));
        desk.send(Command::StrokeBegin { slot: None, at: a, erase: false });
        desk.send(Command::StrokeTo { at: b });
        desk.send(Command::StrokeEnd);
        let painted = count(&desk);
        assert!(painted > start);
        desk.send(Command::Undo);
        assert_eq!(count(&desk), start);
        assert_eq!(desk.session.document(id).expect("drawn").segments, before.segments);
        desk.send(Command::Redo);
        assert_eq!(count(&desk), painted);
        assert!(desk.session.has_unsaved_work());
        let kind = if modality == "CT" { "MANUAL" } else { "SEMIAUTOMATIC" };
        let drawn = desk.session.document(id).expect("drawn").segment(active).expect("there").clone();
        assert_eq!(drawn.algorithm_type(), kind);
        let path = dir.path().join(format!("{modality}.dcm"));
        desk.send(Command::SaveSeg(path.clone().into()));
        let document = desk.session.document(id).expect("drawn");
        assert_eq!(document.unsaved(), 0, "{:?}", desk.messages());
        assert!(document.saved.as_deref().is_some_and(|s| s.contains("segments equal")));
        let saved = document.segments.clone();
        desk.send(Command::LoadSeg(path));
        let document = desk.session.document(id).expect("drawn");
        let loaded = &document.segments[saved.len()..];
        assert_eq!(loaded.len(), saved.iter().filter(|s| s.mask.count() > 0).count());
        for (a, b) in saved.iter().filter(|s| s.mask.count() > 0).zip(loaded) {
            assert_eq!((&a.name, &a.mask, a.colour), (&b.name, &b.mask, b.colour));
            assert_eq!(a.algorithm_type(), b.algorithm_type());
        }
    }
}

#[test]
fn a_model_never_overwrites_what_a_person_drew() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(dir.path());
    desk.send(Command::Activate(3));
    let id = desk.show("DX");
    let right = desk.session.document(id).expect("drawn").segments[0].id;
    desk.send(Command::SelectSegment(right));
    let at = desk.at(5.0, 5.0);
    desk.send(Command::StrokeBegin { slot: None, at, erase: false });
    desk.send(Command::StrokeEnd);
    let mine = desk.session.document(id).expect("drawn").segment(right).expect("there").clone();
    desk.send(Command::RunModel { slot: None, model: "cxr-lungs".into(), series: false });
    let document = desk.session.document(id).expect("drawn");
    assert_eq!(document.segment(right), Some(&mine));
    // The untouched proposal was replaced; the corrected one has a new one beside it.
    let names: Vec<&str> = document.segments.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["Right lung", "Right lung", "Left lung"]);
    desk.send(Command::Undo);
    assert_eq!(desk.session.document(id).expect("drawn").segments.len(), 2);
}

#[test]
fn measurements_have_the_numbers_of_the_phantom() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(dir.path());
    desk.send(Command::Activate(0));
    let id = desk.show("CT");
    let points = vec![desk.at(0.0, 0.0), desk.at(30.0, 40.0)];
    let expected = points[0].distance_mm(points[1]);
    desk.send(Command::AddAnnotation { slot: None, kind: AnnotationKind::Length, points });
    let points = vec![desk.at(10.0, 0.0), desk.at(0.0, 0.0), desk.at(0.0, 10.0)];
    desk.send(Command::AddAnnotation { slot: None, kind: AnnotationKind::Angle, points });
    for corner in [[1.0, 1.0], [124.0, 20.0]] {
        let points = vec![desk.at(corner[0], corner[1]), desk.at(corner[0] + 8.0, corner[1] + 8.0)];
        desk.send(Command::AddAnnotation { slot: None, kind: AnnotationKind::Ellipse, points });
    }
    let open = desk.session.library.stack(id).expect("open");
    let document = desk.session.document(id).expect("measured");
    let readings: Vec<Reading> = document.annotations.iter().map(|a| read(a, open).expect("whole")).collect();
    let Reading::Length { length, .. } = readings[0] else { panic!("no length") };
    assert!((length - expected).abs() < 1e-9);
    let spacing = open.geometry().spacing_mm();
    assert!((expected - ((30.0 * spacing[1]).powi(2) + (40.0 * spacing[0]).powi(2)).sqrt()).abs() < 1e-6);
    let Reading::Angle { degrees } = readings[1] else { panic!("no angle") };
    assert!((degrees - 90.0).abs() < 1e-6);
    let Reading::Ellipse { area, stats, ref unit, .. } = readings[2] else { panic!("no ellipse") };
    assert!((area - std::f64::consts::PI * 16.0 * spacing[0] * spacing[1]).abs() < 1e-6);
    // A corner of the CT is padding, which is no tissue; before the chest is air.
    assert_eq!((unit.as_str(), stats), ("HU", None));
    let Reading::Ellipse { stats, .. } = readings[3] else { panic!("no ellipse") };
    let air = stats.expect("pixels");
    assert!(air.pixels > 40 && air.mean < -900.0 && air.mean > -1100.0, "{air:?}");
    let first = document.annotations[0].id;
    desk.send(Command::DeleteAnnotation { stack: id, id: first });
    assert_eq!(desk.session.document(id).expect("measured").annotations.len(), 3);
    desk.send(Command::Undo);
    assert_eq!(desk.session.document(id).expect("measured").annotations.len(), 4);
}

#[test]
fn the_report_holds_a_model_s_sentence_only_once_it_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = demo(dir.path());
    desk.send(Command::Activate(3));
    desk.show("DX");
    desk.send(Command::DraftReport);
    let document = &desk.session.report().document;
    let proposed: Vec<_> = document.sentences().filter(|s| !s.is_confirmed()).cloned().collect();
    assert!(proposed.iter().any(|s| s.text.contains("lung") && s.text.contains('%')), "{document:?}");
    assert!(proposed.iter().any(|s| s.text.contains("thorax") && s.text.contains("mm")), "{document:?}");
    // The model's outlines hold the lung behind the heart: a cardiothoracic ratio from them would be wrong.
    assert!(!document.sentences().any(|s| s.text.to_lowercase().contains("ratio")), "{document:?}");
    let path: PathBuf = dir.path().join("report.txt");
    for sentence in &proposed {
        assert!(!document.to_text().contains(&sentence.text));
    }
    desk.send(Command::AcceptSentence(proposed[0].id));
    desk.send(Command::InsertSentence { section: 1, sentence: 99, text: "No pleural effusion.".into(), study: None });
    desk.send(Command::SaveReport(path.clone().into()));
    let text = std::fs::read_to_string(&path).expect("written");
    assert!(text.contains(&proposed[0].text) && text.contains("No pleural effusion."));
    assert!(!text.contains(&proposed[1].text));
    assert_eq!(desk.session.report().unsaved, 0);
}
