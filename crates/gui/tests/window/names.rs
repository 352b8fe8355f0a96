//! Whatever can be used has a name: on every screen, for every widget.

use egui::accessibility::is_input;
use egui::accesskit::Action;
use egui::{Key, Modifiers, PointerButton, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use lightbox_session::journal::Recovery;
use lightbox_session::workspace::{Layout, PanelTab, ReportPage, Sheet, StudyListMode, ThemeChoice, Tool};
use lightbox_session::{Command, Session};

use crate::desk::{CTRL, Desk, demo};
use crate::made_up;

/// The widgets that can be used and have no name, and how many can be used.
fn unnamed(desk: &Desk) -> (Vec<String>, usize) {
    let nodes: Vec<_> = desk.root().children_recursive().collect();
    let usable = nodes.iter().map(|n| n.accesskit_node()).filter(|n| {
        let acts = [Action::Click, Action::Focus].iter().any(|a| n.data().supports_action(*a));
        // A scroll bar belongs to what it scrolls.
        let plain = n.is_hidden() || n.data().is_read_only() || n.role() == Role::ScrollBar;
        !plain && (is_input(n.role()) || acts)
    });
    let mut count = 0;
    let without = usable.inspect(|_| count += 1).filter(|n| {
        let words = [n.label(), n.data().placeholder().map(str::to_owned)];
        !words.into_iter().flatten().any(|w| !w.trim().is_empty())
    });
    let without = without.map(|n| format!("{:?} at {:?}", n.role(), n.bounding_box())).collect();
    (without, count)
}

#[track_caller]
fn check(desk: &Desk, screen: &str) {
    let (without, count) = unnamed(desk);
    assert!(without.is_empty(), "{screen}: {without:#?}");
    assert!(count > 4, "{screen}: only {count} widgets can be used");
}

/// The X-ray with its lungs, a measurement and a draft of the report, beside a tab of the right panel.
fn with_panel(tab: PanelTab) -> Session {
    let (mut s, stacks) = made_up::with_report();
    let points = vec![lightbox_core::PatientPos::new(10.0, 10.0, 0.0), lightbox_core::PatientPos::new(40.0, 50.0, 0.0)];
    s.apply(Command::AddAnnotation { slot: None, kind: lightbox_session::annotation::AnnotationKind::Length, points });
    assert_eq!(s.active_stack(), Some(stacks.xray));
    s.workspace.panel = Some(tab);
    s
}

#[test]
fn on_the_start_screen() {
    check(&Desk::started(tempfile::tempdir().unwrap()), "start");
    let mut s = Session::default();
    s.recovery = Some(Recovery { gestures: 3, ..Recovery::default() });
    s.apply(Command::Open(vec!["/nowhere".into()]));
    let mut desk = Desk::held(s);
    check(&desk, "start with earlier work, while looking for images");
    for (key, screen) in [(Key::O, "a path is asked for"), (Key::K, "palette")] {
        desk.press(CTRL, key);
        check(&desk, screen);
        desk.press(Modifiers::NONE, Key::Escape);
    }
    desk.press(Modifiers::NONE, Key::F1);
    check(&desk, "keys");
}

#[test]
fn in_the_right_panel() {
    for tab in PanelTab::ALL {
        check(&Desk::held(with_panel(tab)), tab.name());
        let mut empty = with_panel(tab);
        empty.workspace.views[0].stack = None;
        check(&Desk::held(empty), &format!("{} without an image", tab.name()));
    }
    for page in ReportPage::ALL {
        let mut s = with_panel(PanelTab::Report);
        s.workspace.report_page = page;
        check(&Desk::held(s), page.name());
    }
    for sheet in [Sheet::Sign, Sheet::Differences, Sheet::Versions] {
        let mut s = with_panel(PanelTab::Report);
        s.workspace.sheet = Some(sheet);
        check(&Desk::held(s), &format!("{sheet:?}"));
    }
    let mut desk = Desk::held(with_panel(PanelTab::Masks));
    desk.get_all_by_label("More").last().unwrap().click();
    desk.settle();
    check(&desk, "menu of the masks");
    desk.click_role(Role::ListItem, "Rename");
    check(&desk, "a segment is named");
    desk.press(Modifiers::NONE, Key::Escape);
    desk.click("Colour of Right lung");
    check(&desk, "colours");
    let mut desk = Desk::held(with_panel(PanelTab::Ai));
    desk.click("Whole card");
    check(&desk, "card of a model");
    let (mut s, stacks) = made_up::session();
    made_up::run_lungs(&mut s, stacks);
    s.workspace.panel = Some(PanelTab::Ai);
    check(&Desk::held(s), "a model runs");
}

#[test]
fn in_the_menus() {
    let mut desk = Desk::demo();
    for (role, name) in [
        (Role::Button, "Menu"),
        (Role::Button, "Settings"),
        (Role::ComboBox, "Layout"),
        (Role::ComboBox, "Window preset"),
        (Role::ComboBox, "Plane"),
    ] {
        let before = unnamed(&desk).1;
        desk.click_role(role, name);
        check(&desk, name);
        assert!(unnamed(&desk).1 > before, "{name} opens");
        desk.press(Modifiers::NONE, Key::Escape);
    }
    let at = desk.image(0).center();
    desk.click_at(PointerButton::Secondary, at);
    check(&desk, "menu of an image");
    desk.press(Modifiers::NONE, Key::Escape);
    desk.click("Filter");
    check(&desk, "filter");
}

#[test]
fn with_every_tool_layout_list_theme_and_width() {
    for tool in Tool::ALL {
        let mut s = demo();
        s.workspace.tool = tool;
        s.workspace.active = 3;
        check(&Desk::new(s), tool.name());
    }
    for layout in Layout::ALL {
        for list in [StudyListMode::Full, StudyListMode::Strip, StudyListMode::Hidden] {
            let mut s = demo();
            (s.workspace.layout, s.workspace.study_list) = (layout, list);
            s.workspace.views[0].stack = None;
            s.workspace.theme = ThemeChoice::Light;
            check(&Desk::new(s), &format!("{} and {list:?}", layout.name()));
        }
    }
    // The least window: tools behind "more", the find field an icon.
    let mut desk = Desk::sized(demo(), [800, 420]);
    check(&desk, "a small window");
    desk.click("More");
    check(&desk, "the tools that found no room");
    assert_eq!(desk.query_all_by_role_and_label(Role::ListItem, "Eraser").count(), 1);
}
