//! What the pointer does on an image: exactly at the pixels under it, whether its events come one a frame or all at once.

use egui::{Event, Key, Modifiers, PointerButton, Pos2, Role};
use egui_kittest::kittest::Queryable as _;
use lightbox_core::brush::{self, BrushShape};
use lightbox_core::{Mask, PatientPos, Plane, VoxelPos, Window};
use lightbox_session::annotation::{Reading, read};
use lightbox_session::workspace::{BrushSettings, Layout, PanelTab, Tool};
use lightbox_session::{Command, OpenStack};

use crate::desk::{Desk, drag_events};

const LEFT: PointerButton = PointerButton::Primary;
const MIDDLE: PointerButton = PointerButton::Middle;
const RIGHT: PointerButton = PointerButton::Secondary;

/// The demo's CT alone in the window, in its axial slices.
fn ct() -> Desk {
    let mut desk = Desk::demo();
    desk.alone("CT");
    desk
}

/// Where a pixel of a viewport's image lies on the screen, by the rule alone: the image is fitted into the viewport,
/// magnified about its middle and shifted by mm. Pixel centres are whole numbers.
fn at(desk: &Desk, slot: usize, [x, y]: [f64; 2]) -> Pos2 {
    let (rect, view, open) = (desk.image(slot), desk.view(slot), desk.open(slot));
    let ([between_rows, between_columns], columns, rows) =
        (open.info.pixel_spacing_mm.unwrap(), open.info.columns as f64, open.info.rows as f64);
    let (width_mm, height_mm) = (columns * between_columns, rows * between_rows);
    let fit = (f64::from(rect.width()) / width_mm).min(f64::from(rect.height()) / height_mm);
    let pt_per_mm = fit * view.zoom;
    let across = ((x + 0.5) * between_columns - width_mm / 2.0 + view.pan_mm[0]) * pt_per_mm;
    let down = ((y + 0.5) * between_rows - height_mm / 2.0 + view.pan_mm[1]) * pt_per_mm;
    Pos2::new((f64::from(rect.center().x) + across) as f32, (f64::from(rect.center().y) + down) as f32)
}

/// The pixel of the first viewport that lies at a place of the screen: [`at`] turned round.
fn pixel(desk: &Desk, p: Pos2) -> [f64; 2] {
    let (o, one) = (at(desk, 0, [0.0, 0.0]), at(desk, 0, [100.0, 100.0]));
    [f64::from((p.x - o.x) / (one.x - o.x)) * 100.0, f64::from((p.y - o.y) / (one.y - o.y)) * 100.0]
}

/// The stored slice that a viewport shows.
fn slice(desk: &Desk, slot: usize) -> usize {
    let view = desk.view(slot);
    desk.open(slot).plane_stack(view.plane).stored_slice(view.index).unwrap()
}

fn patient(open: &OpenStack, [x, y]: [f64; 2], slice: usize) -> PatientPos {
    open.geometry().to_patient(VoxelPos::new(x, y, slice as f64))
}

/// The mask of the only segment.
fn mask(desk: &Desk) -> &Mask {
    let document = desk.session().active_document().expect("something is drawn");
    assert_eq!(document.segments.len(), 1);
    &document.segments[0].mask
}

/// What the brush of the core makes of the same way; `erase` clears it from `mask`.
fn swept(desk: &Desk, mut mask: Mask, way: &[[f64; 2]], erase: bool) -> Mask {
    let open = desk.open(0);
    let (k, geometry) = (slice(desk, 0), open.geometry());
    let shape = BrushShape::Disc { normal: geometry.direction(2) };
    let radius_mm = desk.session().workspace.brush.radius_mm;
    let mut last = patient(open, way[0], k);
    for p in way {
        let to = patient(open, *p, k);
        brush::paint(&mut mask, geometry, last, to, shape, radius_mm, erase);
        last = to;
    }
    mask.compact();
    mask
}

/// A way over the middle of the image, in pixels.
const WAY: [[f64; 2]; 4] = [[90.37, 100.21], [131.6, 104.83], [150.12, 141.9], [118.77, 150.4]];

fn on_screen(desk: &Desk, way: &[[f64; 2]]) -> Vec<Pos2> {
    way.iter().map(|p| at(desk, 0, *p)).collect()
}

#[test]
fn a_stroke_of_the_brush_takes_the_pixels_under_its_way() {
    for slow in [true, false] {
        let mut desk = ct();
        desk.press(Modifiers::SHIFT, Key::B);
        let wanted = swept(&desk, Mask::new(desk.open(0).geometry().dims()), &WAY, false);
        let way = on_screen(&desk, &WAY);
        if slow {
            desk.drag(LEFT, &way);
        } else {
            desk.at_once(&drag_events(LEFT, &way, Modifiers::NONE));
        }
        assert!(wanted.count() > 500);
        assert!(*mask(&desk) == wanted, "slow: {slow}; {} voxels, not {}", mask(&desk).count(), wanted.count());
        // Undo takes the stroke back, then the segment that it made; redo brings both.
        desk.press(crate::desk::CTRL, Key::Z);
        assert_eq!(mask(&desk).count(), 0);
        desk.press(crate::desk::CTRL, Key::Z);
        assert!(desk.session().active_document().unwrap().segments.is_empty());
        desk.press(crate::desk::CTRL, Key::Y);
        desk.press(crate::desk::CTRL, Key::Y);
        assert!(*mask(&desk) == wanted);
    }
}

#[test]
fn a_click_of_the_brush_is_a_disc_under_the_pointer() {
    let mut desk = ct();
    desk.send(Command::SetTool(Tool::Brush));
    let dot = &WAY[..1];
    let wanted = swept(&desk, Mask::new(desk.open(0).geometry().dims()), dot, false);
    let way = on_screen(&desk, dot);
    desk.at_once(&drag_events(LEFT, &way, Modifiers::NONE));
    assert!(*mask(&desk) == wanted);
}

#[test]
fn a_stroke_in_a_magnified_and_shifted_view_takes_the_same_pixels() {
    let mut desk = ct();
    desk.send(Command::SetTool(Tool::Brush));
    desk.send(Command::SetZoom { slot: None, zoom: 1.7, pan_mm: [12.0, -9.0] });
    let wanted = swept(&desk, Mask::new(desk.open(0).geometry().dims()), &WAY, false);
    let way = on_screen(&desk, &WAY);
    desk.drag(LEFT, &way);
    assert!(*mask(&desk) == wanted, "{} voxels, not {}", mask(&desk).count(), wanted.count());
}

#[test]
fn the_eraser_clears_the_pixels_under_its_way_and_alt_turns_both_round() {
    let across = [[120.3, 80.4], [122.9, 170.2]];
    for (tool, held) in [(Tool::Eraser, Modifiers::NONE), (Tool::Brush, Modifiers::ALT)] {
        let mut desk = ct();
        desk.send(Command::SetTool(Tool::Brush));
        let way = on_screen(&desk, &WAY);
        desk.drag(LEFT, &way);
        let painted = mask(&desk).clone();
        desk.send(Command::SetTool(tool));
        desk.hold(held);
        let way = on_screen(&desk, &across);
        desk.drag(LEFT, &way);
        let wanted = swept(&desk, painted.clone(), &across, true);
        assert!(wanted.count() < painted.count() && wanted.count() > 0);
        assert!(*mask(&desk) == wanted, "{tool:?} with {held:?}");
        desk.hold(Modifiers::NONE);
        desk.press(crate::desk::CTRL, Key::Z);
        assert!(*mask(&desk) == painted);
        // Turned round once more, the eraser paints.
        if tool == Tool::Eraser {
            desk.hold(Modifiers::ALT);
            let way = on_screen(&desk, &across);
            desk.drag(LEFT, &way);
            assert!(*mask(&desk) == swept(&desk, painted, &across, false));
        }
    }
}

#[test]
fn escape_takes_the_stroke_back_that_is_being_drawn() {
    let mut desk = ct();
    desk.send(Command::SetTool(Tool::Brush));
    let way = on_screen(&desk, &WAY);
    let events = drag_events(LEFT, &way, Modifiers::NONE);
    desk.events(events[..events.len() - 1].to_vec());
    assert!(mask(&desk).count() > 0);
    desk.press(Modifiers::NONE, Key::Escape);
    assert_eq!(mask(&desk).count(), 0);
    desk.events(events[events.len() - 1..].to_vec());
    assert_eq!(mask(&desk).count(), 0, "the release ends nothing");
}

#[test]
fn shift_and_the_wheel_change_the_brush_and_nothing_else() {
    let mut desk = ct();
    desk.send(Command::SetTool(Tool::Brush));
    let (middle, index) = (desk.image(0).center(), desk.view(0).index);
    desk.hold(Modifiers::SHIFT);
    desk.wheel(middle, 2.0);
    assert!((desk.session().workspace.brush.radius_mm - 4.0 * 1.25 * 1.25).abs() < 1e-9);
    desk.wheel(middle, -100.0);
    assert_eq!(desk.session().workspace.brush.radius_mm, 0.5);
    desk.hold(Modifiers::NONE);
    desk.wheel(middle, -1.0);
    assert_eq!((desk.view(0).index, desk.session().workspace.brush.radius_mm), (index + 1, 0.5));
}

#[test]
fn a_locked_segment_is_not_changed_and_that_is_said() {
    let mut desk = ct();
    desk.send(Command::SetBrush(BrushSettings { radius_mm: 6.0, ball: false }));
    desk.send(Command::SetTool(Tool::Brush));
    let way = on_screen(&desk, &WAY);
    desk.drag(LEFT, &way);
    let painted = mask(&desk).clone();
    desk.send(Command::SetPanel(Some(PanelTab::Masks)));
    desk.click("Lock Segment 1");
    let way = on_screen(&desk, &[[60.0, 60.0], [80.0, 60.0]]);
    desk.drag(LEFT, &way);
    assert!(*mask(&desk) == painted);
    assert_eq!(desk.count("The segment is locked. Unlock Segment 1 to change it, or choose another segment."), 1);
}

/// The only measurement and its numbers.
fn reading(desk: &Desk) -> Reading {
    let annotations = &desk.session().active_document().expect("something is measured").annotations;
    assert_eq!(annotations.len(), 1);
    read(&annotations[0], desk.open(0)).unwrap()
}

/// Distance of two pixels in mm, by the header's spacing.
fn mm(desk: &Desk, a: [f64; 2], b: [f64; 2]) -> f64 {
    let [between_rows, between_columns] = desk.open(0).info.pixel_spacing_mm.unwrap();
    ((a[0] - b[0]) * between_columns).hypot((a[1] - b[1]) * between_rows)
}

#[test]
fn a_length_is_what_the_pixels_between_its_ends_measure() {
    let (a, b) = ([70.0, 90.0], [170.0, 150.0]);
    for slow in [true, false] {
        let mut desk = ct();
        desk.press(Modifiers::NONE, Key::D);
        let way = on_screen(&desk, &[a, [100.0, 60.0], b]);
        let events = drag_events(LEFT, &way, Modifiers::NONE);
        if slow {
            desk.events(events);
        } else {
            desk.at_once(&events);
        }
        let Reading::Length { length, .. } = reading(&desk) else { panic!("no length") };
        let wanted = mm(&desk, a, b);
        assert!((length - wanted).abs() < 0.01, "{length} mm, not {wanted}, slow: {slow}");
        // The list tells it, and takes it away.
        desk.send(Command::SetPanel(Some(PanelTab::Measure)));
        assert!(desk.says(&format!("{wanted:.1} mm, Axial")));
        desk.click(&format!("Delete {wanted:.1} mm"));
        assert_eq!(desk.count("Nothing is measured in this study."), 1);
    }
}

#[test]
fn an_angle_of_three_clicks_is_the_one_at_the_middle_one() {
    let mut desk = ct();
    desk.press(Modifiers::NONE, Key::A);
    // 3, 4, 5: at the vertex lies the angle between the legs of 4 and 5.
    let points = [[160.0, 100.0], [80.0, 100.0], [160.0, 160.0]];
    for p in on_screen(&desk, &points) {
        desk.click_at(LEFT, p);
        // Clicks of a hand that measures are no double clicks.
        desk.wait();
    }
    let Reading::Angle { degrees } = reading(&desk) else { panic!("no angle") };
    assert!((degrees - 0.75f64.atan().to_degrees()).abs() < 0.01, "{degrees}");
}

#[test]
fn an_angle_may_begin_with_a_drag() {
    let mut desk = ct();
    desk.press(Modifiers::NONE, Key::A);
    let points = on_screen(&desk, &[[160.0, 100.0], [80.0, 100.0], [80.0, 160.0]]);
    desk.drag(LEFT, &points[..2]);
    desk.wait();
    desk.click_at(LEFT, points[2]);
    let Reading::Angle { degrees } = reading(&desk) else { panic!("no angle") };
    assert!((degrees - 90.0).abs() < 0.01, "{degrees}");
    // The same when the drag begins and ends within one slow frame.
    desk.press(crate::desk::CTRL, Key::Z);
    desk.at_once(&drag_events(LEFT, &points[..2], Modifiers::NONE));
    desk.wait();
    desk.click_at(LEFT, points[2]);
    let Reading::Angle { degrees } = reading(&desk) else { panic!("no angle") };
    assert!((degrees - 90.0).abs() < 0.01, "{degrees}");
}

#[test]
fn an_ellipse_has_the_area_and_the_mean_of_its_box() {
    let mut desk = ct();
    desk.press(Modifiers::NONE, Key::E);
    let (a, b) = ([100.2, 110.3], [140.7, 131.4]);
    let way = on_screen(&desk, &[a, b]);
    desk.drag(LEFT, &way);
    let Reading::Ellipse { area, stats, .. } = reading(&desk) else { panic!("no ellipse") };
    let [between_rows, between_columns] = desk.open(0).info.pixel_spacing_mm.unwrap();
    let wanted = std::f64::consts::PI / 4.0 * (b[0] - a[0]) * between_columns * (b[1] - a[1]) * between_rows;
    assert!((area - wanted).abs() < 0.1, "{area} mm², not {wanted}");
    let frame = desk.open(0).frame(slice(&desk, 0)).unwrap();
    let inside = |x: usize, y: usize| {
        let (u, v) =
            ((x as f64 - (a[0] + b[0]) / 2.0) / (b[0] - a[0]), (y as f64 - (a[1] + b[1]) / 2.0) / (b[1] - a[1]));
        u * u + v * v <= 0.25
    };
    let all = (100..142).flat_map(|x| (110..133).map(move |y| (x, y))).filter(|(x, y)| inside(*x, *y));
    let values: Vec<f64> = all.map(|(x, y)| f64::from(frame.value(x, y).unwrap())).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let stats = stats.unwrap();
    assert_eq!(stats.pixels, values.len());
    assert!((stats.mean - mean).abs() < 1e-3, "{} HU, not {mean}", stats.mean);
}

#[test]
fn a_measurement_is_taken_by_an_end_moved_and_deleted() {
    let mut desk = ct();
    let (a, b, c) = ([70.0, 90.0], [170.0, 90.0], [150.0, 140.0]);
    desk.press(Modifiers::NONE, Key::D);
    let way = on_screen(&desk, &[a, b]);
    desk.drag(LEFT, &way);
    // With the tool for windows in the hand its end is still taken, and the window stays.
    desk.press(Modifiers::NONE, Key::W);
    let window = desk.session().window_of(0);
    let way = on_screen(&desk, &[b, c]);
    desk.drag(LEFT, &way);
    let Reading::Length { length, .. } = reading(&desk) else { panic!("no length") };
    let wanted = mm(&desk, a, c);
    assert!((length - wanted).abs() < 0.01, "{length} mm, not {wanted}");
    assert_eq!(desk.session().window_of(0), window);
    // It is the chosen one now.
    desk.press(Modifiers::NONE, Key::Delete);
    assert!(desk.session().active_document().unwrap().annotations.is_empty());
    desk.press(crate::desk::CTRL, Key::Z);
    assert!(
        (mm(&desk, a, c) - length).abs() < 0.01 && desk.session().active_document().unwrap().annotations.len() == 1
    );
}

#[test]
fn a_left_drag_widens_to_the_right_and_raises_the_level_downwards() {
    let mut desk = ct();
    desk.send(Command::SetWindow { slot: None, window: Window::new(1500.0, -600.0) });
    let from = desk.image(0).center();
    // A point is a 256th of the width.
    desk.drag(LEFT, &[from, from + egui::vec2(64.0, 32.0)]);
    assert_eq!(desk.view(0).window, Some(Window::new(1875.0, -412.5)));
    desk.send(Command::SetWindow { slot: None, window: Window::new(400.0, 40.0) });
    desk.drag(LEFT, &[from, from + egui::vec2(-128.0, -64.0)]);
    assert_eq!(desk.view(0).window, Some(Window::new(200.0, -60.0)));
    // A click is no drag.
    desk.wait();
    desk.click_at(LEFT, from);
    assert_eq!(desk.view(0).window, Some(Window::new(200.0, -60.0)));
}

#[test]
fn the_wheel_goes_by_planes_with_any_tool() {
    for tool in [Tool::Window, Tool::Brush, Tool::Length] {
        let mut desk = ct();
        desk.send(Command::SetTool(tool));
        let (middle, index) = (desk.image(0).center(), desk.view(0).index);
        desk.wheel(middle, -1.0);
        assert_eq!(desk.view(0).index, index + 1, "towards the hand is on");
        desk.wheel(middle, 3.0);
        assert_eq!(desk.view(0).index, index - 2);
        // A touch pad's small steps add up to one plane.
        for _ in 0..4 {
            desk.wheel(middle, -0.25);
        }
        assert_eq!(desk.view(0).index, index - 1);
        desk.wheel(middle, 1000.0);
        assert_eq!(desk.view(0).index, 0);
    }
}

#[test]
fn the_scroll_tool_goes_one_plane_for_three_points() {
    let mut desk = ct();
    desk.send(Command::SetTool(Tool::Scroll));
    let (from, index) = (desk.image(0).center(), desk.view(0).index);
    desk.drag(LEFT, &[from, from + egui::vec2(0.0, 30.0)]);
    assert_eq!(desk.view(0).index, index + 10);
}

#[test]
fn a_right_drag_zooms_about_the_pressed_point_and_opens_no_menu() {
    let mut desk = ct();
    let from = at(&desk, 0, [60.0, 180.0]);
    // 0.008 a point in the logarithm: 87 points nearly double.
    let way: Vec<Pos2> = (0..=29).map(|n| from - egui::vec2(0.0, 3.0 * n as f32)).collect();
    desk.drag(RIGHT, &way);
    let zoom = desk.view(0).zoom;
    assert!(zoom > 1.8 && zoom <= (0.008f64 * 87.0).exp() + 1e-4, "{zoom}");
    let [x, y] = pixel(&desk, from);
    assert!((x - 60.0).abs() < 0.01 && (y - 180.0).abs() < 0.01, "{x}, {y}");
    assert_eq!(desk.count("Fit"), 0, "no menu");
    // Down, the same way back.
    desk.send(Command::Fit { slot: None });
    desk.drag(RIGHT, &[from, from + egui::vec2(0.0, 50.0)]);
    assert!((desk.view(0).zoom - (-0.4f64).exp()).abs() < 1e-4);
    let [x, y] = pixel(&desk, from);
    assert!((x - 60.0).abs() < 0.01 && (y - 180.0).abs() < 0.01, "{x}, {y}");
}

#[test]
fn ctrl_and_the_wheel_zoom_about_the_pointer() {
    let mut desk = ct();
    let (p, index) = (at(&desk, 0, [200.0, 77.0]), desk.view(0).index);
    desk.hold(crate::desk::CTRL);
    desk.wheel(p, 4.0);
    desk.hold(Modifiers::NONE);
    assert!(desk.view(0).zoom > 1.2, "{}", desk.view(0).zoom);
    let [x, y] = pixel(&desk, p);
    assert!((x - 200.0).abs() < 0.01 && (y - 77.0).abs() < 0.01, "{x}, {y}");
    assert_eq!(desk.view(0).index, index);
}

#[test]
fn a_middle_drag_takes_the_image_along_with_any_tool() {
    for tool in [Tool::Window, Tool::Brush] {
        let mut desk = ct();
        desk.send(Command::SetTool(tool));
        desk.send(Command::SetZoom { slot: None, zoom: 2.5, pan_mm: [0.0, 0.0] });
        let from = at(&desk, 0, [128.0, 128.0]);
        let to = from + egui::vec2(73.0, -41.0);
        desk.drag(MIDDLE, &[from, to]);
        let [x, y] = pixel(&desk, to);
        assert!((x - 128.0).abs() < 0.01 && (y - 128.0).abs() < 0.01, "{x}, {y}");
        assert_eq!((desk.view(0).zoom, desk.view(0).window), (2.5, None));
        assert!(desk.session().active_document().is_none(), "nothing is drawn");
    }
}

#[test]
fn a_right_click_opens_the_menu_of_the_image_under_it() {
    let mut desk = Desk::demo();
    let at = desk.image(1).center();
    desk.click_at(RIGHT, at);
    assert_eq!(desk.session().workspace.active, 1);
    for item in ["Axial", "Coronal", "Sagittal", "1  Lung", "Window from the image", "Fit", "Unlink the views"] {
        assert_eq!(desk.query_all_by_role_and_label(Role::Button, item).count(), 1, "{item}");
    }
    desk.click("Sagittal");
    assert_eq!((desk.view(0).plane, desk.view(1).plane), (Plane::Axial, Plane::Sagittal));
    assert_eq!(desk.count("Unlink the views"), 0, "it closes");
}

#[test]
fn a_click_chooses_a_viewport_and_a_double_click_shows_it_alone() {
    let mut desk = Desk::demo();
    let at = desk.image(2).center();
    desk.click_at(LEFT, at);
    assert_eq!(desk.session().workspace.active, 2);
    desk.wait();
    for _ in 0..2 {
        desk.click_at(LEFT, at);
    }
    assert_eq!((desk.session().workspace.layout, desk.open(0).series.modality.as_str()), (Layout::One, "MR"));
    desk.wait();
    let at = desk.image(0).center();
    for _ in 0..2 {
        desk.click_at(LEFT, at);
    }
    assert_eq!((desk.session().workspace.layout, desk.open(2).series.modality.as_str()), (Layout::TwoByTwo, "MR"));
}

#[test]
fn the_crosshair_takes_linked_views_to_the_point() {
    let mut desk = Desk::demo();
    desk.press(Modifiers::NONE, Key::X);
    let row = 77.0;
    let p = at(&desk, 0, [100.0, row]);
    desk.click_at(LEFT, p);
    let open = desk.open(0);
    let point = patient(open, [100.0, row], slice(&desk, 0));
    let (_, crosshair) = desk.session().workspace.crosshair.clone().unwrap();
    assert!(crosshair.distance_mm(point) < 0.01);
    // The coronal planes of the second viewport are the rows of the first.
    let (_, off_mm) = open.plane_stack(Plane::Coronal).grid(desk.view(1).index).to_plane(point);
    assert!(off_mm.abs() < 0.76, "{off_mm} mm from the nearest coronal plane, which are 1.5 mm apart");
    // With Shift the pointer does it alone, without a button.
    let p = at(&desk, 0, [140.0, 60.0]);
    desk.hold(Modifiers::SHIFT);
    desk.events([Event::PointerMoved(p - egui::vec2(5.0, 0.0)), Event::PointerMoved(p)]);
    let (_, crosshair) = desk.session().workspace.crosshair.clone().unwrap();
    assert!(crosshair.distance_mm(patient(desk.open(0), [140.0, 60.0], slice(&desk, 0))) < 0.01);
}

#[test]
fn the_status_bar_reads_the_pixel_under_the_pointer() {
    let mut desk = ct();
    let k = slice(&desk, 0);
    for (x, y) in [(100, 90), (180, 141), (128, 128)] {
        let p = at(&desk, 0, [x as f64, y as f64]);
        desk.events([Event::PointerMoved(p)]);
        let hu = desk.open(0).frame(k).unwrap().value(x, y).unwrap();
        let sign = if hu < 0.0 { "−" } else { "" };
        assert_eq!(desk.count(&format!("{sign}{:.0} HU", hu.abs())), 1, "at {x}, {y}: {hu}");
        assert_eq!(desk.count(&format!("voxel {x}, {y}, {k}")), 1);
        let mm = patient(desk.open(0), [x as f64, y as f64], k).letters();
        assert_eq!(desk.count(&format!("{mm} mm")), 1, "{mm}");
    }
    // Beyond the image there is no value.
    let p = at(&desk, 0, [-3.0, 100.0]);
    desk.events([Event::PointerMoved(p)]);
    assert!(!desk.says(" HU") && !desk.says("voxel "));
}
