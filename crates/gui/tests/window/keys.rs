//! Every action of the table, by its key and by the palette, and the buttons that name a key.

use std::sync::OnceLock;

use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use lightbox_core::windowing::CT_PRESETS;
use lightbox_core::{Plane, PlanePos, Window};
use lightbox_gui::shortcuts::{Action, Entry, TABLE, text_of};
use lightbox_session::workspace::{Layout, PanelTab, Sheet, StudyListMode, TextLevel, ThemeChoice, Tool};
use lightbox_session::{Command, Session};

use crate::desk::{CTRL, Desk, demo};

/// Size of the window: a smaller one is drawn sooner, and many are.
const SMALL: [u32; 2] = [1000, 700];

/// The demo's CT alone, with two strokes on it, one of them taken back, and nothing in its view as it was opened.
fn in_use() -> Session {
    static IN_USE: OnceLock<Session> = OnceLock::new();
    let make = || {
        let mut s = demo();
        let at = {
            let view = &s.workspace.views[0];
            let open = s.library.stack(view.stack.unwrap()).unwrap();
            open.plane_stack(view.plane).grid(view.index).to_patient(PlanePos::new(100.0, 100.0))
        };
        for _ in 0..2 {
            s.apply(Command::StrokeBegin { slot: Some(0), at, erase: false });
            s.apply(Command::StrokeTo { at: lightbox_core::PatientPos::new(at.0.x + 30.0, at.0.y, at.0.z) });
            s.apply(Command::StrokeEnd);
            s.apply(Command::AddSegment { name: None });
        }
        s.apply(Command::Undo);
        s.apply(Command::SetWindow { slot: Some(0), window: Window::new(777.0, 77.0) });
        s.apply(Command::SetZoom { slot: Some(0), zoom: 2.0, pan_mm: [5.0, -3.0] });
        s.apply(Command::Invert { slot: Some(0) });
        s.workspace.layout = Layout::One;
        s
    };
    IN_USE.get_or_init(make).clone()
}

/// The state in which an action has something to do.
fn before(action: Action) -> Session {
    let mut s = in_use();
    match action {
        Action::Tool(Tool::Window) => s.workspace.tool = Tool::Pan,
        Action::NextView | Action::Layout(Layout::One) => s.workspace.layout = Layout::OneByTwo,
        // With work that is not saved it asks first.
        Action::Quit => {
            s.documents.clear();
            s.reports.clear();
        }
        Action::NextOpen | Action::Sign | Action::Differences | Action::Export(_) | Action::SaveReport => {
            s.apply(Command::InsertSentence { section: 1, sentence: 0, text: "Normal.".into(), study: None });
        }
        Action::Plane(Plane::Axial) => _ = s.apply(Command::SetPlane { slot: Some(0), plane: Plane::Coronal }),
        _ => {}
    }
    // What the commands asked for was not started: nothing runs.
    s.jobs.clear();
    s
}

/// Whether the action did what its words say: `b` is the state before it.
fn did(action: Action, b: &Session, d: &Desk) -> bool {
    let s = d.session();
    let (then, now) = (b.workspace.active_view(), &s.workspace.views[b.workspace.active]);
    let (old, new) = (&b.workspace, &s.workspace);
    let open = s.library.stack(then.stack.unwrap()).unwrap();
    let history = |s: &Session| {
        let h = &s.document(then.stack.unwrap()).unwrap().history;
        (h.done().count(), h.undone().count())
    };
    let last = open.plane_stack(now.plane).count() - 1;
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    match action {
        Action::OpenFolder => typed_into(d, "Open the folder at this path"),
        Action::OpenFiles => typed_into(d, "Open the file at this path"),
        Action::SaveSeg => typed_into(d, "Save SEG at this path"),
        Action::LoadSeg => typed_into(d, "Load the SEG at this path"),
        Action::SaveReport => typed_into(d, "Save the report at this path"),
        Action::Palette => typed_into(d, "Find anything"),
        Action::Keys => d.says("Mouse: left the tool, middle pans"),
        Action::Demo | Action::Layout(Layout::TwoByTwo) => {
            old.layout == Layout::One && new.layout == Layout::TwoByTwo && (0..4).all(|i| new.views[i].stack.is_some())
        }
        Action::Layout(layout) => old.layout != layout && new.layout == layout,
        Action::Tool(tool) => old.tool != tool && new.tool == tool,
        Action::Preset(n) => now.window == Some(CT_PRESETS[n].window) && then.window != now.window,
        Action::AutoWindow => {
            let slice = open.plane_stack(now.plane).stored_slice(now.index).unwrap();
            let mut values = open.frame(slice).unwrap().values();
            // Outside its circle the phantom is padded with what no tissue has.
            values.retain(|hu| *hu >= -1024.0);
            values.sort_by(f32::total_cmp);
            let at = |part: f64| f64::from(values[(part * (values.len() - 1) as f64).round() as usize]);
            let wanted = Window::from_range(at(0.001), at(0.999));
            now.window.is_some_and(|w| (w.center - wanted.center).abs() < 2.0 && (w.width - wanted.width).abs() < 4.0)
        }
        Action::Invert => then.inverted != now.inverted,
        Action::Fit => near(now.zoom, 1.0) && now.pan_mm == [0.0, 0.0] && now.window == then.window,
        Action::ZoomIn => near(now.zoom, then.zoom * 1.25) && now.pan_mm == then.pan_mm,
        Action::ZoomOut => near(now.zoom, then.zoom * 0.8) && now.pan_mm == then.pan_mm,
        Action::Reset => (now.zoom, now.pan_mm, now.window, now.inverted) == (1.0, [0.0, 0.0], None, false),
        Action::Scroll(planes) => now.index as i64 == then.index as i64 + planes,
        Action::First => then.index > 0 && now.index == 0,
        Action::Last => then.index < last && now.index == last,
        Action::NextView => new.active == old.active + 1,
        Action::Plane(plane) => then.plane != plane && now.plane == plane,
        Action::Link => new.linked != old.linked,
        Action::BrushUp => near(new.brush.radius_mm, old.brush.radius_mm * 1.25),
        Action::BrushDown => near(new.brush.radius_mm, old.brush.radius_mm * 0.8),
        Action::Undo => history(s) == (history(b).0 - 1, history(b).1 + 1),
        Action::Redo => history(s) == (history(b).0 + 1, history(b).1 - 1),
        Action::Masks => new.masks.hidden != old.masks.hidden,
        Action::Text => (old.text, new.text) == (TextLevel::All, TextLevel::Some),
        Action::Theme => (old.theme, new.theme) == (ThemeChoice::Dark, ThemeChoice::Light),
        Action::Studies => (old.study_list, new.study_list) == (StudyListMode::Full, StudyListMode::Strip),
        Action::Panel => (old.panel, new.panel) == (None, Some(PanelTab::Ai)),
        Action::Tab(tab) => old.panel.is_none() && new.panel == Some(tab),
        Action::Draft => b.report().document.sentences().count() == 0 && s.report().document.sentences().count() > 0,
        Action::NextOpen => old.panel.is_none() && new.panel == Some(PanelTab::Report),
        Action::Sign => (old.sheet, new.sheet) == (None, Some(Sheet::Sign)),
        Action::Differences => (old.sheet, new.sheet) == (None, Some(Sheet::Differences)),
        Action::Propose(kind) => {
            // Without a finding there is nothing to conclude from, which is said.
            let told = |s: &Session| s.problems.iter().any(|p| p.title == "Nothing to propose.");
            !b.report().offers.contains_key(&kind) && (s.report().offers.contains_key(&kind) || told(s))
        }
        Action::Page(page) => old.panel.is_none() && new.panel == Some(PanelTab::Report) && new.report_page == page,
        Action::Export(_) => typed_into(d, "Export the report to this path"),
        Action::Quit => d.closed,
    }
}

/// Whether the field of this name is there and has the keys.
fn typed_into(d: &Desk, name: &str) -> bool {
    d.query_by_role_and_label(Role::TextInput, name).is_some_and(|field| field.is_focused())
}

/// The modifiers of an entry as the system tells them.
fn modifiers(entry: &Entry) -> Modifiers {
    let m = entry.key.unwrap().modifiers;
    Modifiers { ctrl: m.command, ..m }
}

#[test]
fn every_key_does_what_the_table_says() {
    for entry in TABLE {
        let Some(key) = entry.key else { continue };
        let state = before(entry.action);
        let mut desk = Desk::sized(state.clone(), SMALL);
        assert!(!did(entry.action, &state, &desk), "{}: nothing is proven by a state that is there before", entry.text);
        desk.press(modifiers(entry), key.logical_key);
        assert!(did(entry.action, &state, &desk), "{} by {}", entry.text, entry.key_text);
    }
}

#[test]
fn the_palette_finds_and_does_every_action() {
    for entry in TABLE {
        let state = before(entry.action);
        let mut desk = Desk::sized(state.clone(), SMALL);
        desk.press(CTRL, Key::K);
        let text = text_of(entry, &state).unwrap();
        desk.text(&text);
        desk.get_all_by_role_and_label(Role::ListItem, &text).next().unwrap().click();
        desk.settle();
        assert!(did(entry.action, &state, &desk), "{} by the palette", entry.text);
        assert_eq!(typed_into(&desk, "Find anything"), entry.action == Action::Palette, "it closes");
    }
}

#[test]
fn the_palette_goes_by_arrows_and_says_why_something_cannot_be_done() {
    let mut desk = Desk::new(Session::default());
    desk.press(CTRL, Key::K);
    desk.text("invert");
    let row = desk.get_by_role_and_label(Role::ListItem, "Invert");
    assert!(row.accesskit_node().is_disabled());
    assert_eq!(row.accesskit_node().description().as_deref(), Some("needs an open image"));
    desk.press(Modifiers::NONE, Key::Enter);
    assert_eq!(desk.count("Invert"), 1, "it stays open");
    desk.press(Modifiers::NONE, Key::Escape);
    assert_eq!(desk.count("Invert"), 0);

    let mut desk = Desk::demo();
    desk.press(CTRL, Key::K);
    desk.text("show t1");
    desk.press(Modifiers::NONE, Key::Enter);
    assert_eq!(desk.open(0).series.modality, "MR");
    desk.press(CTRL, Key::K);
    desk.text("panel");
    let rows: Vec<String> = desk
        .get_all_by_role(Role::ListItem)
        .filter_map(|n| n.accesskit_node().label())
        .filter(|l| l.contains("anel"))
        .collect();
    desk.press(Modifiers::NONE, Key::ArrowDown);
    desk.press(Modifiers::NONE, Key::ArrowDown);
    desk.press(Modifiers::NONE, Key::ArrowUp);
    desk.press(Modifiers::NONE, Key::Enter);
    assert_eq!(rows[1], "Masks panel");
    assert_eq!(desk.session().workspace.panel, Some(PanelTab::Masks));
}

#[test]
fn a_tab_s_key_closes_it_again_and_text_goes_round_in_three() {
    let mut desk = Desk::demo();
    for wanted in [Some(PanelTab::Report), None] {
        desk.press(Modifiers::ALT, Key::Num4);
        assert_eq!(desk.session().workspace.panel, wanted);
    }
    for wanted in [TextLevel::Some, TextLevel::None, TextLevel::All] {
        desk.press(Modifiers::NONE, Key::I);
        assert_eq!(desk.session().workspace.text, wanted);
        let name = desk.says("PHANTOM, Thorax");
        assert_eq!(name, wanted == TextLevel::All, "who hides the patient hides the name from screen readers too");
    }
    for wanted in [StudyListMode::Strip, StudyListMode::Hidden, StudyListMode::Full] {
        desk.press(Modifiers::NONE, Key::F3);
        assert_eq!(desk.session().workspace.study_list, wanted);
    }
}

#[test]
fn letters_typed_into_a_field_are_no_keys() {
    let mut desk = Desk::new(in_use());
    desk.click("Filter");
    let state = desk.session().clone();
    for key in [Key::R, Key::D, Key::X, Key::Num1, Key::L] {
        desk.press(Modifiers::NONE, key);
    }
    desk.text("rdx1l");
    assert_eq!(desk.session().workspace, state.workspace);
    assert_eq!(desk.get_by_role_and_label(Role::TextInput, "Title, patient, date").value().as_deref(), Some("rdx1l"));
    assert_eq!(desk.count("Nothing here is called “rdx1l”."), 1);
}

#[test]
fn h_hides_everything_on_the_image_while_it_is_held() {
    let mut desk = Desk::demo();
    let with = desk.picture();
    let image = desk.image(3);
    let down = |pressed| egui::Event::Key {
        key: Key::H,
        physical_key: None,
        pressed,
        repeat: false,
        modifiers: Modifiers::NONE,
    };
    desk.events([down(true)]);
    let bare = desk.picture();
    // The lungs are found: their fill lies on most of the middle of the left lung, with H on no pixel of the image.
    let differ = with
        .enumerate_pixels()
        .filter(|(x, y, p)| image.contains(egui::pos2(*x as f32, *y as f32)) && bare.get_pixel(*x, *y) != *p);
    assert!(differ.count() > 5000);
    let grey = bare.enumerate_pixels().filter(|(x, y, _)| image.shrink(2.0).contains(egui::pos2(*x as f32, *y as f32)));
    assert!(grey.into_iter().all(|(_, _, p)| p.0[0] == p.0[1] && p.0[1] == p.0[2]), "only greys are left");
    desk.events([down(false)]);
    assert!(desk.picture() == with);
}

/// What a window does that can be seen from outside: the state without what grows by itself.
fn outcome(desk: &Desk) -> impl PartialEq + std::fmt::Debug + use<> {
    let s = desk.session();
    let documents: Vec<_> = s.documents.values().map(|d| (d.segments.len(), d.history.done().count())).collect();
    let asked = desk.says("at this path");
    (s.workspace.clone(), documents, desk.closed, asked, desk.count("Find anything"), desk.says("Mouse: left the tool"))
}

#[test]
fn a_button_that_names_a_key_does_what_the_key_does() {
    let strip = |s: &mut Session| s.workspace.study_list = StudyListMode::Strip;
    let panel = |s: &mut Session| s.workspace.panel = Some(PanelTab::Masks);
    let full = |_: &mut Session| {};
    let mut seen = Vec::new();
    for arrange in [&full as &dyn Fn(&mut Session), &strip, &panel] {
        let mut state = in_use();
        arrange(&mut state);
        let desk = Desk::sized(state.clone(), SMALL);
        let named: Vec<String> = desk
            .query_all_by_role(Role::Button)
            .filter_map(|n| n.accesskit_node().label())
            .filter(|label| label.contains(", "))
            .collect();
        for label in named {
            let (_, key_text) = label.rsplit_once(", ").unwrap();
            let Some(entry) = TABLE.iter().find(|e| e.key_text == key_text) else {
                let no_key = label.starts_with("Close ") || label.ends_with(" waiting");
                assert!(no_key, "{label} names a key that does nothing");
                continue;
            };
            if seen.contains(&label) {
                continue;
            }
            let mut by_key = Desk::sized(state.clone(), SMALL);
            by_key.press(modifiers(entry), entry.key.unwrap().logical_key);
            let mut by_button = Desk::sized(state.clone(), SMALL);
            by_button.get_all_by_label(&label).next().unwrap().click();
            by_button.settle();
            assert_eq!(outcome(&by_key), outcome(&by_button), "{label}");
            seen.push(label);
        }
    }
    assert!(seen.len() >= 18, "{seen:?}");
}
