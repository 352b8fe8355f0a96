//! One viewport: the image, what lies on it, and the bar that says what it is worth.

use egui::{Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2};
use lightbox_core::label::MaskOrigin;
use lightbox_core::measure::Calibration;
use lightbox_core::plane::PlaneStack;
use lightbox_session::annotation::read_on;
use lightbox_session::workspace::{LayerShow, TextLevel};
use lightbox_session::{LoadState, OpenStack, WarningKind};

use super::marks::{Spot, boxes_of, head, pick};
use super::place::Placement;
use super::{Hand, ViewsState, interact};
use crate::cx::{Cx, DialogRequest, Out};
use crate::overlay::{annotations, boxes, crosshair, heat, masks, scale_bar, text};
use crate::panels::amount::reading;
use crate::panels::parts::count;
use crate::textures::{ViewTextures, heat_of, layer_of, residual_reach};
use crate::theme::size;
use crate::widgets::{Button, Card, Progress, Tone, TrustBar, TrustItem, TrustMark, empty_state};

/// A statement of the trust bar, with its words.
struct Statement {
    mark: TrustMark,
    text: String,
    short: &'static str,
}

impl Statement {
    fn new(mark: TrustMark, text: &str) -> Self {
        Self { mark, text: text.to_owned(), short: "" }
    }

    /// With words for a narrow viewport.
    fn short(self, short: &'static str) -> Self {
        Self { short, ..self }
    }

    fn item(&self) -> TrustItem<'_> {
        TrustItem { mark: self.mark, text: &self.text, short: self.short }
    }
}

/// Draws the viewport of `slot` into the room of `ui`.
pub(super) fn show(
    ui: &mut Ui,
    cx: &Cx<'_>,
    textures: &ViewTextures,
    state: &mut ViewsState,
    slot: usize,
    out: &mut Out,
) {
    let mut whole = ui.max_rect();
    // In a comparison each viewport says above its image what it is, so that the images stay equal in size.
    if cx.session.workspace.views[..cx.session.workspace.layout.slots()].iter().any(|v| v.layer.is_some()) {
        let bar = whole.with_max_y(whole.top() + size::TRUST_BAR);
        let (words, synthetic) = head(cx, slot);
        ui.scope_builder(UiBuilder::new().max_rect(bar), |ui| crate::widgets::head_bar(ui, words, synthetic));
        whole.min.y = bar.bottom();
    }
    let image = Rect::from_min_max(whole.min, pos2(whole.right(), whole.bottom() - size::TRUST_BAR));
    let bar = Rect::from_min_max(pos2(whole.left(), image.bottom()), whole.max);
    ui.painter().rect_filled(image, 0, cx.tokens.void);
    let view = &cx.session.workspace.views[slot];
    let open = view.stack.and_then(|id| cx.session.library.stack(id));
    let (response, described) = match (open, textures.grid) {
        (Some(open), Some(grid)) => {
            let place = Placement::new(image, grid, view);
            let (response, words) = picture(ui, cx, textures, state, slot, open, &place, out);
            (response, Some(words))
        }
        _ => (nothing(ui, image, slot, out), None),
    };
    let (items, end) = match open {
        Some(open) => trust(cx, slot, open, &open.plane_stack(view.plane), view.index),
        None => (Vec::new(), String::new()),
    };
    let items: Vec<TrustItem<'_>> = items.iter().map(Statement::item).collect();
    ui.scope_builder(UiBuilder::new().max_rect(bar), |ui| ui.add(TrustBar { items: &items, end: &end }));
    if cx.session.workspace.active == slot && open.is_some() {
        let line = Stroke::new(1.0, cx.tokens.acc);
        ui.painter().rect_stroke(whole, 0, line, StrokeKind::Inside);
    }
    // A viewport is an image whose description is its corner text and its trust bar.
    let description = match described {
        Some(words) => {
            let trust: Vec<&str> = items.iter().map(|i| i.text).collect();
            format!("Viewport {}: {words}. {}. {end}", slot + 1, trust.join(", "))
        }
        None => format!("Viewport {}, empty", slot + 1),
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, description.clone()));
}

/// The image with everything on it; gives back what the hand does with it, and its description.
fn picture(
    ui: &mut Ui,
    cx: &Cx<'_>,
    textures: &ViewTextures,
    state: &mut ViewsState,
    slot: usize,
    open: &OpenStack,
    place: &Placement,
    out: &mut Out,
) -> (Response, String) {
    let s = cx.session;
    let t = cx.tokens;
    let view = &s.workspace.views[slot];
    state.shrink[slot] = shrink(place.pt_per_px() * f64::from(ui.pixels_per_point()));
    let response = interact::hand(ui, cx, textures, state, slot, open, place, out);
    let on_image = place.image_rect();
    let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    let white = egui::Color32::WHITE;
    let painter = ui.painter_at(place.rect);
    if let Some(texture) = &textures.image {
        painter.image(texture.id(), on_image, uv, white);
    }
    let bare = cx.ui.bare;
    for texture in [&textures.heat, &textures.mask].into_iter().flatten().filter(|_| !bare) {
        painter.image(texture.id(), on_image, uv, white);
    }
    let document = s.document(open.id);
    let spot = Spot::of(cx, open);
    pick(cx, place, open, view, &response, out);
    let words = ui.scope_builder(UiBuilder::new().max_rect(place.rect), |ui| {
        ui.set_clip_rect(place.rect);
        if !bare {
            let active = document.and_then(|d| d.active).filter(|_| interact::paints(s.workspace.tool));
            let painter = ui.painter().clone();
            if s.workspace.masks.outline {
                masks::paint(&painter, t, place, &textures.shapes, active, &spot.segments);
            }
            if let Some(at) = s.crosshair_on(open.id).filter(|_| {
                s.workspace.layout.slots() > 1 || s.workspace.tool == lightbox_session::workspace::Tool::Crosshair
            }) {
                crosshair::paint(&painter, t, place, at);
            }
            measurements(ui, cx, textures, state, slot, open, place, &spot);
            boxes_of(ui, cx, open, view, place, &response, &spot);
            interact::brush_ring(ui, cx, place, &response);
        }
        let corners = text::corners(s, slot, open, place, ui.pixels_per_point());
        if !bare {
            let shown = text::Shown::new(ui, &corners, place, !open.in_patient, s.workspace.text);
            let bar = (open.calibration() != Calibration::None)
                .then(|| scale_bar::extent(place, shown.place_width(ui)))
                .flatten();
            if let Some((ends, mm)) = bar {
                scale_bar::paint(ui, ui.painter(), t, place, ends, mm);
            }
            let bar_right = bar.map(|(ends, _)| ends[1]);
            match (layer_of(s, slot), heat_of(s, slot)) {
                (Some((layer, restored)), _) if layer.show == LayerShow::Residual => {
                    heat::difference_legend(ui, t, place.rect, residual_reach(restored));
                }
                (_, Some(heat)) => heat::legend(ui, t, place.rect, heat),
                _ => {}
            }
            let letters = open.edge_letters(view.plane);
            text::paint(ui, t, place.rect, &shown, &letters, bar_right, response.hover_pos());
        }
        loading(ui, cx, textures, open, place.rect);
        scroll_bar(ui, cx, slot, open, place.rect);
        // Where the reader hides the patient, the name is not spoken either.
        let spoken = if s.workspace.text == TextLevel::All { &corners[..] } else { &corners[1..] };
        spoken.iter().flatten().filter(|c| !c.is_empty()).cloned().collect::<Vec<_>>().join(", ")
    });
    (response, words.inner)
}

/// How many image pixels fall on one screen pixel: the texture is made that much smaller, so that nothing flickers.
fn shrink(screen_px_per_px: f64) -> usize {
    if screen_px_per_px >= 0.66 { 1 } else { (1.0 / screen_px_per_px).floor().clamp(1.0, 16.0) as usize }
}

fn measurements(
    ui: &Ui,
    cx: &Cx<'_>,
    textures: &ViewTextures,
    state: &ViewsState,
    slot: usize,
    open: &OpenStack,
    place: &Placement,
    spot: &Spot,
) {
    let s = cx.session;
    let view = &s.workspace.views[slot];
    let step = open.plane_stack(view.plane).gap_mm(view.index).max(1e-6);
    if let Some(document) = s.document(open.id) {
        for annotation in &document.annotations {
            let moved = match &state.hand {
                Hand::Moving { stack, id, points, .. } if *stack == open.id && *id == annotation.id => Some(points),
                _ => None,
            };
            let shown = moved.map_or_else(
                || annotation.clone(),
                |points| {
                    let mut a = annotation.clone();
                    a.points.clone_from(points);
                    a
                },
            );
            if let Some(at) = annotations::on_plane(place, &shown.points, step) {
                let selected =
                    cx.ui.selected == Some((open.id, annotation.id)) || spot.annotations.contains(&annotation.id);
                // Kept while nothing changes; while it is moved, from the pixels on the screen: nothing is cut anew.
                let here = (shown.plane, shown.index) == (view.plane, view.index);
                let reading = match (moved.is_some(), here) {
                    (true, true) => read_on(&shown, open, textures.pixels.as_ref()),
                    (true, false) => read_on(&shown, open, None),
                    (false, _) => reading(ui, &shown, open),
                };
                annotations::paint(ui, cx.tokens, place, &shown, reading.as_ref(), &at, selected);
            }
        }
    }
    if let Hand::Measuring { slot: at, kind, points, .. } = &state.hand
        && *at == slot
    {
        let pixels = textures.pixels.as_ref();
        annotations::preview(ui, cx.tokens, place, *kind, points, open, (view.plane, view.index), pixels);
    }
}

/// Progress while the shown plane is not there, and why when it never will be.
fn loading(ui: &mut Ui, cx: &Cx<'_>, textures: &ViewTextures, open: &OpenStack, rect: Rect) {
    let width = 280.0_f32.min(rect.width() - 32.0);
    let centre = Rect::from_center_size(rect.center(), vec2(width, 60.0));
    match &open.load {
        LoadState::Failed(why) if textures.image.is_none() => {
            ui.scope_builder(UiBuilder::new().max_rect(centre), |ui| {
                Card::new(Tone::Error, "Not shown.", why).show(ui);
            });
        }
        LoadState::Loading(n) if textures.image.is_none() => {
            let total = open.frames().max(1);
            let words = format!("{n} of {total}");
            ui.scope_builder(UiBuilder::new().max_rect(centre), |ui| {
                ui.add(Progress::new("Loading", *n as f32 / total as f32).text(&words));
            });
        }
        LoadState::Loaded if textures.image.is_none() => {
            ui.scope_builder(UiBuilder::new().max_rect(centre), |ui| {
                Card::new(Tone::Error, "Not shown.", "This image of the series could not be read.").show(ui);
            });
        }
        _ => {}
    }
    _ = cx;
}

/// A bar at the right edge that says where in the stack the plane is.
fn scroll_bar(ui: &Ui, cx: &Cx<'_>, slot: usize, open: &OpenStack, rect: Rect) {
    let view = &cx.session.workspace.views[slot];
    let count = open.plane_stack(view.plane).count();
    if count < 2 {
        return;
    }
    let track =
        Rect::from_min_max(pos2(rect.right() - 5.0, rect.top() + 40.0), pos2(rect.right() - 1.0, rect.bottom() - 40.0));
    if track.height() < 40.0 {
        return;
    }
    let painter = ui.painter();
    painter.rect_filled(track, 2, cx.tokens.ovtrack);
    let thumb = (track.height() / count as f32).max(16.0);
    let y = track.top() + (track.height() - thumb) * view.index as f32 / (count - 1) as f32;
    painter.rect_filled(Rect::from_min_size(pos2(track.left(), y), vec2(4.0, thumb)), 2, cx.tokens.ovthumb);
}

fn nothing(ui: &mut Ui, rect: Rect, slot: usize, out: &mut Out) -> Response {
    let response = ui.interact(rect, ui.scope_id().with("empty"), Sense::click());
    if response.clicked() {
        out.command(lightbox_session::Command::Activate(slot));
    }
    let centre = Rect::from_center_size(rect.center(), vec2(240.0_f32.min(rect.width() - 16.0), 120.0));
    ui.scope_builder(UiBuilder::new().max_rect(centre), |ui| {
        let button = Button::new("Open folder").key("Ctrl O");
        if empty_state(ui, crate::icons::FOLDER_OPEN, "Choose a series from the list, or open a study.", button)
            .clicked()
        {
            out.dialog(DialogRequest::OpenFolder);
        }
    });
    response
}

/// What the image is worth, and where in the stack it is.
fn trust(cx: &Cx<'_>, slot: usize, open: &OpenStack, planes: &PlaneStack, index: usize) -> (Vec<Statement>, String) {
    let mut items = pixels_of(open, planes, index);
    match layer_of(cx.session, slot).map(|(layer, _)| layer.show) {
        Some(LayerShow::Blend(part)) if part > 0.0 => {
            let text = format!("Synthetic pixels, {:.0} %", part * 100.0);
            items.push(Statement::new(TrustMark::Trouble, &text).short("Synthetic"));
        }
        Some(LayerShow::Residual) => items.push(Statement::new(TrustMark::Partial, "Difference layer")),
        _ => {}
    }
    if let Some(heat) = heat_of(cx.session, slot) {
        let text = format!("{}: no finding", heat.by.name());
        items.push(Statement::new(TrustMark::Model, &text).short("Map, no finding"));
    }
    let mut uneven = false;
    for warning in open.warnings() {
        let words = match warning.kind {
            WarningKind::SliceGap => "Gap: slices missing",
            WarningKind::VaryingSpacing => "Uneven slices",
            WarningKind::GantryTilt => "Tilted gantry",
            WarningKind::MissingFrames => "Images missing",
            WarningKind::DuplicateSlice => "Doubled slices",
            WarningKind::NoPosition => "No position",
            _ => continue,
        };
        uneven = true;
        items.push(Statement::new(TrustMark::Trouble, words));
    }
    if planes.is_interpolated() {
        items.push(Statement::new(TrustMark::Partial, "Interpolated between slices").short("Interpolated"));
    } else if items.iter().all(|i| i.mark == TrustMark::Model) {
        // Beside a warning it would be read as "nothing is wrong".
        items.push(Statement::new(TrustMark::Full, "Full fidelity"));
    }
    if open.info.is_volume && open.in_patient && !uneven && !planes.is_interpolated() {
        items.push(Statement::new(TrustMark::AtPatient, &format!("{} slices, even", open.frames())));
    }
    items.push(match open.calibration() {
        Calibration::Patient => Statement::new(TrustMark::AtPatient, "mm: patient"),
        Calibration::Detector => {
            Statement::new(TrustMark::AtDetector, "mm: detector, not the patient").short("mm: detector")
        }
        Calibration::User => Statement::new(TrustMark::ByUser, "mm: by the user"),
        Calibration::None => Statement::new(TrustMark::Trouble, "Not calibrated: lengths in px").short("px, no mm"),
    });
    let document = cx.session.document(open.id);
    let masks = document.is_some_and(|d| {
        let drawn = |x: &lightbox_core::Segment| x.visible && matches!(x.origin, MaskOrigin::Model { .. });
        !cx.session.workspace.masks.hidden && d.segments.iter().any(drawn)
    });
    let boxed = document.zip(planes.stored_slice(index));
    let boxed = boxed.is_some_and(|(d, frame)| boxes::shown(cx.session, d, frame).next().is_some());
    items.extend(match (masks, boxed) {
        (true, true) => Some(Statement::new(TrustMark::Model, "AI on the image: masks, boxes").short("AI marks")),
        (true, false) => Some(Statement::new(TrustMark::Model, "AI on the image: masks").short("AI masks")),
        (false, true) => Some(Statement::new(TrustMark::Model, "AI on the image: boxes").short("AI boxes")),
        (false, false) => None,
    });
    (items, format!("{} / {}", index.min(planes.count() - 1) + 1, planes.count()))
}

/// What is wrong with the pixels themselves: of the image shown, or of those that the plane is cut from.
fn pixels_of(open: &OpenStack, planes: &PlaneStack, index: usize) -> Vec<Statement> {
    let mut items = Vec::new();
    let shown = planes.stored_slice(index);
    let notes =
        || open.pixel_notes.iter().filter(|(frame, _)| shown.is_none_or(|k| k == **frame)).map(|(_, note)| note);
    let (cut, mended) = (notes().filter(|n| n.cut_off).count(), notes().filter(|n| !n.cut_off).count());
    for (n, words) in [(cut, "Pixels cut off"), (mended, "Pixels mended")] {
        let text = if shown.is_some() { words.to_owned() } else { format!("{words} in {}", count(n, "image")) };
        if n > 0 {
            items.push(Statement::new(TrustMark::Trouble, &text).short(words));
        }
    }
    if open.info.lossy {
        items.push(Statement::new(TrustMark::Trouble, "Lossy compression").short("Lossy"));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::shrink;

    #[test]
    fn images_finer_than_the_screen_are_averaged() {
        assert_eq!((shrink(2.0), shrink(0.7), shrink(0.5), shrink(0.24), shrink(0.001)), (1, 1, 2, 4, 16));
    }
}
