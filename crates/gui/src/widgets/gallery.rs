//! All parts with their states on one page, for the eye and for the test that compares the two painters.

use egui::{Align, Align2, Color32, Frame, Layout, Mesh, Pos2, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

use super::{
    Button, Card, Chip, DropDown, Hint, IconButton, Look, Number, Plot, Progress, RailItem, Row, ScoreBar, SearchField,
    SegmentRow, SegmentState, Segmented, Slider, Tab, Tabs, ThumbRow, ThumbTile, Tone, TrustBar, TrustItem, TrustMark,
    caption, dashed_rect, hair, head_bar, key_cap, line_text, outlined_text, paint_text, section, status_item, toggle,
};
use crate::{
    fonts::{Weight, font},
    icons,
    theme::{self, Theme, Tokens, size},
};

/// Show every part in every state, in the theme of `ui`. It wants 720 points of width and 1480 of height.
pub fn gallery(ui: &mut Ui) {
    let t = theme::tokens(ui);
    Frame::new().fill(t.bg1).inner_margin(egui::Margin { left: 28, right: 28, top: 12, bottom: 20 }).show(ui, |ui| {
        ui.set_min_size(ui.available_size());
        ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
        let title = if Theme::of(ui) == Theme::Dark { "Parts, dark" } else { "Parts, light" };
        words(ui, title, 15.0, Weight::SemiBold, t.t1, 24.0);
        group(ui, "LEVELS", |ui| levels(ui, t));
        group(ui, "TEXT", |ui| text(ui, t));
        group(ui, "CONTROLS: REST, HOVER, PRESSED, FOCUS, DISABLED, BUSY", controls);
        group(ui, "MASKS, LEFT AND RIGHT", |ui| masks(ui, t));
        group(ui, "LINES ON PIXELS: THE SAME IN BOTH THEMES", |ui| lines(ui, t));
        group(ui, "MESSAGES", messages);
        group(ui, "TOOLTIP AND COMMAND PALETTE", |ui| palette(ui, t));
        group(ui, "FIELDS", fields);
        ui.columns(2, |columns| {
            group(&mut columns[0], "PANEL", panel);
            group(&mut columns[1], "LISTS", lists);
        });
        group(ui, "AROUND AN IMAGE", |ui| around(ui, t));
    });
}

fn group(ui: &mut Ui, name: &str, contents: impl FnOnce(&mut Ui)) {
    ui.add_space(16.0);
    caption(ui, name);
    ui.add_space(8.0);
    contents(ui);
}

fn words(ui: &mut Ui, text: &str, size_pt: f32, weight: Weight, colour: Color32, line_pt: f32) -> Rect {
    let galley = line_text(ui, text, font(size_pt, weight), colour, f32::INFINITY);
    let (rect, _) = ui.allocate_exact_size(vec2(galley.size().x, line_pt), Sense::hover());
    paint_text(ui.painter(), galley, rect, Align2::LEFT_CENTER);
    rect
}

fn levels(ui: &mut Ui, t: &Tokens) {
    let all = [
        ("bg0 window", t.bg0),
        ("bg1 panel", t.bg1),
        ("bg2 control", t.bg2),
        ("bg3 hover", t.bg3),
        ("bg4 pressed", t.bg4),
        ("selected", t.accbg),
        ("accent", t.acc),
    ];
    ui.columns(all.len(), |columns| {
        for (ui, (name, colour)) in columns.iter_mut().zip(all) {
            let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 32.0), Sense::hover());
            ui.painter().rect(rect, size::RADIUS, colour, Stroke::new(1.0, t.line), egui::StrokeKind::Inside);
            ui.add_space(2.0);
            words(ui, name, 11.0, Weight::Regular, t.t3, 16.0);
        }
    });
}

fn text(ui: &mut Ui, t: &Tokens) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 24.0;
        words(ui, "Title 20", 20.0, Weight::SemiBold, t.t1, 28.0);
        words(ui, "Heading 15", 15.0, Weight::SemiBold, t.t1, 28.0);
        words(ui, "Body 13", 13.0, Weight::Regular, t.t1, 28.0);
        words(ui, "Table 12", 12.0, Weight::Regular, t.t2, 28.0);
        words(ui, "Note 11", 11.0, Weight::Regular, t.t3, 28.0);
        words(ui, "Disabled", 13.0, Weight::Regular, t.tdis, 28.0);
        words(ui, "Link", 13.0, Weight::Regular, t.acc, 28.0);
        words(ui, "−712 HU +111 H", 12.0, Weight::Regular, t.t2, 28.0);
    });
}

fn controls(ui: &mut Ui) {
    ui.horizontal(|ui| {
        ui.add(Button::new("Show box"));
        for look in [Look::Hover, Look::Pressed, Look::Focus] {
            ui.add(Button::new("Show box").look(look));
        }
        ui.add(Button::new("Show box").disabled("needs MR T1"));
        ui.add(Button::new("Saving").icon(icons::ARROWS_CLOCKWISE));
        ui.add_space(8.0);
        ui.add(Button::new("Accept").primary());
    });
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        ui.add(IconButton::new(icons::PAINT_BRUSH, "Brush"));
        ui.add(IconButton::new(icons::PAINT_BRUSH, "Brush").look(Look::Hover));
        ui.add(IconButton::new(icons::PAINT_BRUSH, "Brush").on(true));
        separator(ui);
        toggle(ui, &mut false, "");
        toggle(ui, &mut true, "");
        separator(ui);
        ui.add(Chip::new("You").icon(icons::USER));
        ui.add(Chip::new("unconfirmed").icon(icons::CPU).dashed());
        ui.add(Chip::new("Accepted").icon(icons::CHECK).tone(Tone::Ok));
        ui.add(Chip::new("Outside its card").icon(icons::WARNING).tone(Tone::Warn));
        ui.add(Chip::new("Side").icon(icons::WARNING).tone(Tone::Error));
    });
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        for (icon, name, on) in [
            (icons::CIRCLE_HALF, "Window", true),
            (icons::ARROWS_OUT_CARDINAL, "Pan", false),
            (icons::MAGNIFYING_GLASS_PLUS, "Zoom", false),
            (icons::ROWS, "Scroll", false),
        ] {
            ui.add(IconButton::tool(icon, name, on));
        }
        ui.add(IconButton::tool(icons::RULER, "Length", false).variants());
        ui.add(IconButton::tool(icons::BOUNDING_BOX, "Box", false).variants().look(Look::Focus));
        ui.add(IconButton::tool(icons::ERASER, "Eraser", false).disabled("no segment is open"));
        separator(ui);
        ui.add(Button::new("Take model").compact());
        ui.add(Button::new("Later").compact().ghost());
        ui.add(Button::new("Run").icon(icons::PLAY).in_row());
        ui.add(Button::new("Cancel").key("Esc").ghost().in_row());
        ui.add(Button::new("Open folder").key("Ctrl O").primary());
    });
}

fn separator(ui: &mut Ui) {
    let colour = theme::tokens(ui).line;
    let (rect, _) = ui.allocate_exact_size(vec2(1.0, 20.0), Sense::hover());
    ui.painter().rect_filled(rect, 0, colour);
}

fn masks(ui: &mut Ui, t: &Tokens) {
    ui.columns(t.masks.len(), |columns| {
        for (index, ui) in columns.iter_mut().enumerate() {
            let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 32.0), Sense::hover());
            gradient(ui, rect, t.void, t.ov2);
            for (place, colour) in [(0.28, t.mask(index)), (0.72, t.mask_right(index))] {
                let centre = pos2(rect.left() + rect.width() * place, rect.center().y);
                let pill = Rect::from_center_size(centre, vec2(18.0, 22.0));
                ui.painter().rect_filled(pill, 7, colour.gamma_multiply(0.26));
                let halo = Stroke::new(3.5, t.halo.gamma_multiply(0.6));
                ui.painter().rect_stroke(pill, 7, halo, egui::StrokeKind::Middle);
                ui.painter().rect_stroke(pill, 7, Stroke::new(1.5, colour), egui::StrokeKind::Middle);
            }
        }
    });
}

fn gradient(ui: &Ui, rect: Rect, from: Color32, to: Color32) {
    let mut mesh = Mesh::default();
    for (corner, colour) in
        [(rect.left_top(), from), (rect.right_top(), to), (rect.right_bottom(), to), (rect.left_bottom(), from)]
    {
        mesh.colored_vertex(corner, colour);
    }
    mesh.add_triangle(0, 1, 2);
    mesh.add_triangle(0, 2, 3);
    ui.painter().add(Shape::mesh(mesh));
}

fn lines(ui: &mut Ui, t: &Tokens) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 96.0), Sense::hover());
    gradient(ui, rect, t.void, t.ov);
    let at = |x: f32, y: f32| -> Pos2 { rect.min + vec2(x, y) };
    let halo = |wide: f32| Stroke::new(wide + 2.0, t.halo.gamma_multiply(0.6));
    let solid = [at(16.0, 24.0), at(300.0, 24.0)];
    for stroke in [halo(1.5), Stroke::new(1.5, t.ov)] {
        ui.painter().line_segment(solid, stroke);
        for end in solid {
            ui.painter().line_segment([end - vec2(0.0, 6.0), end + vec2(0.0, 6.0)], stroke);
        }
    }
    for (y, wide, gap) in [(48.0, 1.5, 4.0), (72.0, 1.0, 6.0)] {
        let line = [at(16.0, y), at(300.0, y)];
        ui.painter().line_segment(line, halo(wide));
        ui.painter().extend(Shape::dashed_line(&line, Stroke::new(wide, t.ovacc), 6.0, gap));
    }
    for (y, text) in [
        (24.0, "length, 1.5 px with 1 px halo each side"),
        (48.0, "box proposed by a model, dashed; solid when accepted"),
        (72.0, "reference line, 1 px, open around the point"),
    ] {
        outlined_text(ui, at(320.0, y), Align2::LEFT_CENTER, text, font(12.0, Weight::SemiBold), t.ov);
    }
}

fn messages(ui: &mut Ui) {
    ui.columns(2, |columns| {
        let ui = &mut columns[0];
        Card::new(
            Tone::Error,
            "Not saved: the disk is full.",
            "The old file is whole; your 37 gestures are in the journal.",
        )
        .show_with(ui, |ui| {
            ui.add(Button::new("Save elsewhere").compact().raised());
        });
        ui.add_space(8.0);
        Card::new(Tone::Plain, "", "Lengths are measured on the original. Hold Alt to measure restored pixels.")
            .icon(icons::RULER)
            .show(ui);
        let ui = &mut columns[1];
        Card::new(
            Tone::Warn,
            "Slices 61 to 63 are missing.",
            "The stack opens; lengths across the gap and MPR are marked.",
        )
        .show_with(ui, |ui| {
            ui.add(Button::new("Show the gap").compact().raised());
        });
        ui.add_space(8.0);
        Card::new(Tone::Warn, "Outside its card.", "Trained on ages 1 to 5; this patient is 64.").inline().show(ui);
    });
}

fn palette(ui: &mut Ui, t: &Tokens) {
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 16.0;
        let hint =
            Hint { name: "Brush", key: "1", line: "Hold Alt to erase. Shift+wheel changes the size.", reason: "" };
        ui.vertical(|ui| hint.framed(ui));
        Frame::new()
            .fill(t.bg2)
            .stroke(Stroke::new(1.0, t.line2))
            .corner_radius(size::RADIUS_CARD)
            .inner_margin(4)
            .shadow(ui.visuals().window_shadow)
            .show(ui, |ui| {
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    Row::new("Margin, grow or shrink a segment")
                        .matched(3)
                        .end("Masks")
                        .selected(true)
                        .inset()
                        .show(ui);
                    Row::new("Mark as key image").matched(3).key("K").inset().show(ui);
                    Row::new("Mark vertebra level").disabled("needs a spine series").inset().show(ui);
                });
            });
    });
}

fn fields(ui: &mut Ui) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        DropDown::new("Window preset", "Lung").icon(icons::CIRCLE_HALF).show(ui, |_| {});
        ui.add(Number::new("Window width", "W", &mut 1500.0, 1.0, 4000.0));
        ui.add(Number::new("Window level", "L", &mut -600.0, -2000.0, 4000.0));
        DropDown::new("Overwrite", "Unlocked").label("Overwrite").show(ui, |_| {});
        ui.add(SearchField::new("Find anything", &mut String::new()).key("Ctrl K"));
    });
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        Segmented::new("Shape", &["Disc", "Sphere"]).show(ui, &mut 0);
        ui.add(Slider::new("Size", &mut 28.0, 0.0, 100.0).label("Size", 28.0).track(96.0).text("4.0 mm", 44.0));
        toggle(ui, &mut true, "Only 180 to 420");
    });
}

fn panel(ui: &mut Ui) {
    let tabs = [
        Tab::new("AI").count(2),
        Tab::new("Masks"),
        Tab::new("Measure"),
        Tab::new("Report").trouble(1),
        Tab::new("Info"),
    ];
    Tabs::new(&tabs).show(ui, &mut 0, |ui| {
        ui.add(IconButton::new(icons::CARET_DOUBLE_RIGHT, "Close panel").compact());
    });
    section(ui, "Segments", |ui| {
        ui.add(IconButton::new(icons::DOTS_THREE, "More").compact());
        ui.add(IconButton::new(icons::EYE, "Show or hide all").compact());
        ui.add(IconButton::new(icons::PLUS, "Add").compact());
    });
    let t = theme::tokens(ui);
    for (index, name, value, state, locked, visible) in [
        (0, "Hippocampus L, anterior", "1.842", SegmentState::InProgress, false, true),
        (1, "Hippocampus L, posterior", "1.507", SegmentState::Accepted, true, true),
        (4, "Hippocampus R, posterior", "1.466", SegmentState::Flagged, false, true),
        (2, "Amygdala L", "0.000", SegmentState::Empty, false, false),
    ] {
        SegmentRow { colour: t.mask(index), name, value, state, locked, visible, selected: index == 0 }.show(ui);
    }
    ui.add(Slider::new("Fill", &mut 26.0, 0.0, 100.0).label("Fill", 48.0).text("26 %", 32.0));
    hair(ui, 8.0);
    section(ui, "Pneumonia pattern", |_| {});
    ui.add(ScoreBar::new("Normal", 0.12).threshold(0.5));
    ui.add(ScoreBar::new("Bacterial", 0.71).threshold(0.55));
    ui.add(ScoreBar::new("Viral", 0.17).threshold(0.6).spread(Some([0.2, 0.05])));
    let mut least = 0.35;
    let score = Slider::new("Score from", &mut least, 0.0, 1.0).label("Score from", 68.0).text("0.35", 32.0);
    ui.add(score.ticks(&[0.22, 0.48, 0.74]).counts_above());
    ui.add(Progress::new("Opacity boxes", 0.62).text("tile 38 of 61, 4 s left"));
    let loss: Vec<(usize, f64)> = (1..=40).map(|n| (n, 0.9 / (n as f64).sqrt())).collect();
    let dice = [(0, 0.842), (8, 0.851), (16, 0.866), (24, 0.871), (32, 0.874), (40, 0.872)];
    ui.add(Plot::new("Learning", 64, &loss).figure("Dice", &dice));
    ui.add_space(8.0);
    let mut mode = 0;
    Segmented::new("Compare", &["Side by side", "Blend", "Flicker"]).fill().show(ui, &mut mode);
}

fn lists(ui: &mut Ui) {
    let t = theme::tokens(ui);
    Row::new("Opacity").subtitle("Right lower zone · 31 × 32 mm").note("0.86").number("1").show_with(ui, |ui| {
        ui.add(Chip::new("Accepted").icon(icons::CHECK).tone(Tone::Ok));
    });
    let chosen = Row::new("Opacity").subtitle("Right lower zone · 44 × 44 mm").note("0.71").number("2");
    chosen.selected(true).show_with(ui, |ui| {
        ui.add(IconButton::new(icons::X, "Reject").key("Delete").compact().raised());
        ui.add(IconButton::new(icons::CHECK, "Accept").key("Enter").compact().raised().ink(t.ok));
    });
    let past = Row::new("Opacity").subtitle("Left lower zone · rib crossing").note("0.38").number("4").muted(true);
    past.show_with(ui, |ui| {
        ui.add(Chip::new("Rejected").icon(icons::X));
    });
    Row::new("Tumour boxes").disabled("needs MR T1").show(ui);
    Row::new("Brush, L anterior").end("undone").dense().muted(true).show(ui);
    Row::new("Brush, L anterior").end("+0.012 mL").end2("14:32:08").dense().selected(true).show(ui);
    Row::new("Took model at place 2").end("−0.024 mL").end2("14:31:40").dense().show(ui);
    hair(ui, 8.0);
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.set_width(208.0);
            ui.add(ThumbRow::new("Axial lung", "268 · 1.25 mm").selected(true));
            ui.add(ThumbRow::new("T1 axial", "1.0 mm").trouble("173 of 176").progress(Some(0.62)));
        });
        ui.add(ThumbTile::new("CT", "CT thorax, axial").selected(true));
        ui.vertical(|ui| {
            ui.add(RailItem::new(icons::CPU, Tab::new("AI").count(2)));
            ui.add(RailItem::new(icons::FILE_TEXT, Tab::new("Report").trouble(1)));
        });
    });
}

fn around(ui: &mut Ui, t: &Tokens) {
    let acquired = [
        TrustItem { mark: TrustMark::Full, text: "Full fidelity", short: "" },
        TrustItem { mark: TrustMark::AtPatient, text: "mm: patient", short: "" },
        TrustItem { mark: TrustMark::Model, text: "AI: lung outline", short: "" },
    ];
    let restored = [
        TrustItem { mark: TrustMark::Trouble, text: "Synthetic pixels", short: "" },
        TrustItem { mark: TrustMark::AtDetector, text: "mm: detector", short: "" },
        TrustItem { mark: TrustMark::ByUser, text: "mm: set by AB", short: "" },
    ];
    ui.columns(2, |columns| {
        let bars =
            [("ACQUIRED", false, acquired, "87 / 268"), ("SYNTHETIC: computed, not acquired", true, restored, "1 / 1")];
        for (ui, (head, synthetic, items, end)) in columns.iter_mut().zip(bars) {
            head_bar(ui, head, synthetic);
            let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 40.0), Sense::hover());
            ui.painter().rect_filled(rect, 0, t.void);
            ui.add(TrustBar { items: &items, end });
        }
    });
    ui.add_space(8.0);
    let bar = vec2(ui.available_width(), size::STATUS_BAR);
    ui.allocate_ui_with_layout(bar, Layout::left_to_right(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 16.0;
        status_item(ui, None, "−712 HU  L −84.2  P 31.0  H −142.5 mm", false);
        status_item(ui, None, "voxel 141, 262, 87", true);
        status_item(ui, Some(icons::WIFI_SLASH), "Offline", false);
        status_item(ui, None, "Not for diagnostic use", true);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            key_cap(ui, "F1");
            let (rect, _) = ui.allocate_exact_size(vec2(72.0, 20.0), Sense::hover());
            dashed_rect(ui.painter(), rect, 8.0, Stroke::new(1.0, t.line2), 3.0, 2.0);
        });
    });
}
