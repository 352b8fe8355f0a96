//! Viewports: what they show and how.

use std::sync::Arc;

use lightbox_core::plane::PlanePixels;
use lightbox_core::windowing::CT_PRESETS;
use lightbox_core::{PatientPos, Plane, Window};

use crate::event::{Effect, JobSpec};
use crate::ids::StackId;
use crate::library::{LoadState, OpenStack};
use crate::session::{JobKind, Session};
use crate::workspace::{Layout, ViewState};

/// The slot that is meant, if there is one.
pub(super) fn slot_of(s: &Session, slot: Option<usize>) -> Option<usize> {
    let slot = slot.unwrap_or(s.workspace.active);
    (slot < s.workspace.layout.slots()).then_some(slot)
}

/// The viewport and its stack.
pub(super) fn view_of(s: &Session, slot: Option<usize>) -> Option<(usize, &ViewState, &OpenStack)> {
    let slot = slot_of(s, slot)?;
    let view = &s.workspace.views[slot];
    Some((slot, view, s.library.stack(view.stack?)?))
}

/// Keeps what should come back at the next start.
pub(super) fn settings(s: &Session) -> Vec<Effect> {
    vec![Effect::SaveSettings(crate::settings::to_text(&s.workspace))]
}

/// Shows a stack in a slot, in its acquired planes unless others are wanted, from the middle; starts loading it.
pub(super) fn show(s: &mut Session, slot: Option<usize>, stack: StackId, plane: Option<Plane>) -> Vec<Effect> {
    let Some(slot) = slot_of(s, slot) else { return Vec::new() };
    let Some(open) = s.library.stack(stack) else { return Vec::new() };
    let plane = plane.filter(|p| open.planes().contains(p)).unwrap_or_else(|| open.acquired_plane());
    let index = open.plane_stack(plane).count() / 2;
    // A stack that is on the screen already keeps its window in the new viewport.
    let known = s.workspace.views.iter().find(|v| v.stack == Some(stack));
    let (window, inverted) = known.map_or((None, false), |v| (v.window, v.inverted));
    s.workspace.views[slot] =
        ViewState { stack: Some(stack), plane, index, window, inverted, zoom: 1.0, pan_mm: [0.0, 0.0], layer: None };
    s.workspace.active = slot;
    load(s, slot)
}

/// Asks for the frames of a slot's stack, those shown first.
pub(super) fn load(s: &mut Session, slot: usize) -> Vec<Effect> {
    let Some((_, view, open)) = view_of(s, Some(slot)) else { return Vec::new() };
    let planes = open.plane_stack(view.plane);
    let focus = planes.stored_slice(view.index).unwrap_or(open.frames() / 2);
    let (id, info) = (open.id, Arc::clone(&open.info));
    match open.load {
        LoadState::Waiting => {
            if let Some(open) = s.library.stack_mut(id) {
                open.load = LoadState::Loading(0);
            }
            vec![s.start_job(JobKind::Load(id), "Loading", JobSpec::Load { stack: id, info, focus })]
        }
        LoadState::Loading(_) => vec![Effect::Focus(id, focus)],
        LoadState::Loaded | LoadState::Failed(_) => Vec::new(),
    }
}

/// Arranges the viewports. New ones show what a reader would want next: the other planes of the active stack when it is a
/// volume, then the stacks that are not on the screen.
pub(super) fn set_layout(s: &mut Session, layout: Layout) -> Vec<Effect> {
    let w = &mut s.workspace;
    w.layout = layout;
    // Back in a layout that has its place, an image that was brought forward returns to it.
    if let Some(place) = w.came_from.take_if(|place| *place < layout.slots()) {
        w.views.swap(0, place);
        w.active = match w.active {
            0 => place,
            active if active == place => 0,
            active => active,
        };
    }
    if w.active >= layout.slots() {
        // The active image stays on the screen. One that was brought forward before goes to the last one's place, which
        // loses nothing but the order.
        let active = w.active;
        w.views.swap(0, active);
        w.came_from = Some(active);
        w.active = 0;
    }
    let mut effects = settings(s);
    let active = s.active_stack();
    let mut wanted: Vec<(StackId, Plane)> = Vec::new();
    if let Some(open) = active.and_then(|id| s.library.stack(id)) {
        wanted.extend(open.planes().into_iter().map(|p| (open.id, p)));
    }
    let study = active.and_then(|id| s.library.study_of(id)).map(|st| st.stacks.clone()).unwrap_or_default();
    for id in study.into_iter().chain(s.library.stacks().map(|e| e.id).collect::<Vec<_>>()) {
        if let Some(open) = s.library.stack(id) {
            let item = (id, open.acquired_plane());
            if !wanted.contains(&item) {
                wanted.push(item);
            }
        }
    }
    let slots = layout.slots();
    let keep = s.workspace.active;
    for slot in 0..slots {
        let view = &s.workspace.views[slot];
        if view.stack.is_some_and(|id| s.library.stack(id).is_some()) {
            continue;
        }
        let shown: Vec<_> = s.workspace.views[..slots].iter().filter_map(|v| Some((v.stack?, v.plane))).collect();
        if let Some((stack, plane)) = wanted.iter().find(|w| !shown.contains(w)).copied() {
            effects.extend(show(s, Some(slot), stack, Some(plane)));
        }
    }
    s.workspace.active = keep;
    effects
}

/// Makes a viewport the active one.
pub(super) fn activate(s: &mut Session, slot: usize) -> Vec<Effect> {
    if slot < s.workspace.layout.slots() {
        s.workspace.active = slot;
    }
    Vec::new()
}

/// Changes a viewport.
pub(super) fn change(s: &mut Session, slot: Option<usize>, change: impl FnOnce(&mut ViewState)) -> Vec<Effect> {
    if let Some(slot) = slot_of(s, slot) {
        change(&mut s.workspace.views[slot]);
    }
    Vec::new()
}

/// Sets magnification and shift within sense.
pub(super) fn set_zoom(s: &mut Session, slot: Option<usize>, zoom: f64, pan_mm: [f64; 2]) -> Vec<Effect> {
    if !(zoom.is_finite() && pan_mm.iter().all(|p| p.is_finite())) {
        return Vec::new();
    }
    change(s, slot, |v| {
        v.zoom = zoom.clamp(0.05, 200.0);
        v.pan_mm = pan_mm;
    })
}

/// Chooses the planes; the place in the patient is kept.
pub(super) fn set_plane(s: &mut Session, slot: Option<usize>, plane: Plane) -> Vec<Effect> {
    let Some((slot, view, open)) = view_of(s, slot) else { return Vec::new() };
    if !open.planes().contains(&plane) || view.plane == plane {
        return Vec::new();
    }
    let old = open.plane_stack(view.plane).grid(view.index);
    let middle =
        old.to_patient(lightbox_core::PlanePos::new((old.width as f64 - 1.0) / 2.0, (old.height as f64 - 1.0) / 2.0));
    let at = match &s.workspace.crosshair {
        Some((frame, p)) if *frame == open.frame_of_reference() => *p,
        _ => middle,
    };
    let index = open.plane_stack(plane).nearest(at);
    let view = &mut s.workspace.views[slot];
    view.plane = plane;
    view.index = index;
    view.zoom = 1.0;
    view.pan_mm = [0.0, 0.0];
    load(s, slot)
}

/// Scrolls by planes; linked views of the same orientation follow.
pub(super) fn scroll_by(s: &mut Session, slot: Option<usize>, planes: i64) -> Vec<Effect> {
    let Some((slot, view, open)) = view_of(s, slot) else { return Vec::new() };
    let last = open.plane_stack(view.plane).count() as i64 - 1;
    let index = (view.index as i64).saturating_add(planes).clamp(0, last);
    scroll_to(s, Some(slot), index as usize)
}

/// Scrolls to a plane; linked views of the same frame of reference and a parallel plane follow.
pub(super) fn scroll_to(s: &mut Session, slot: Option<usize>, index: usize) -> Vec<Effect> {
    let Some((slot, view, open)) = view_of(s, slot) else { return Vec::new() };
    let planes = open.plane_stack(view.plane);
    let index = index.min(planes.count() - 1);
    let grid = planes.grid(index);
    let id = open.id;
    let frame = open.frame_of_reference();
    let linked = s.workspace.linked && open.in_patient;
    s.workspace.views[slot].index = index;
    let mut effects = focus(s, slot);
    if linked {
        for other in 0..s.workspace.layout.slots() {
            if other == slot {
                continue;
            }
            let Some((_, v, o)) = view_of(s, Some(other)) else { continue };
            let theirs = o.plane_stack(v.plane);
            let parallel = theirs.grid(0).normal().dot(grid.normal()).abs() > 0.999;
            if o.in_patient && o.id != id && parallel && o.frame_of_reference() == frame {
                let index = theirs.nearest(grid.origin);
                s.workspace.views[other].index = index;
                effects.extend(focus(s, other));
            }
        }
    }
    effects
}

/// Tells the loader which frame is on the screen.
fn focus(s: &Session, slot: usize) -> Vec<Effect> {
    let Some((_, view, open)) = view_of(s, Some(slot)) else { return Vec::new() };
    match open.load {
        LoadState::Loading(_) => {
            let slice = open.plane_stack(view.plane).stored_slice(view.index);
            slice.map(|k| Effect::Focus(open.id, k)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Sets the window, on all views of the same stack.
pub(super) fn set_window(s: &mut Session, slot: Option<usize>, window: Window) -> Vec<Effect> {
    if !(window.center.is_finite() && window.width.is_finite() && window.width > 0.0) {
        return Vec::new();
    }
    let Some((_, view, _)) = view_of(s, slot) else { return Vec::new() };
    let stack = view.stack;
    for v in &mut s.workspace.views {
        if v.stack == stack {
            v.window = Some(window);
        }
    }
    Vec::new()
}

/// Takes preset `n`: the file's windows for anything but CT, the table for CT.
pub(super) fn preset(s: &mut Session, slot: Option<usize>, n: usize) -> Vec<Effect> {
    let Some((_, _, open)) = view_of(s, slot) else { return Vec::new() };
    match presets(open).get(n) {
        Some((_, window)) => set_window(s, slot, *window),
        None => Vec::new(),
    }
}

/// The windows on the keys 1 to 9: the table for CT; elsewhere those of the file.
#[must_use]
pub fn presets(open: &OpenStack) -> Vec<(String, Window)> {
    if open.series.modality == "CT" && open.info.unit == "HU" {
        return CT_PRESETS.iter().map(|p| (p.name.to_owned(), p.window)).collect();
    }
    let named = |(i, (name, w)): (usize, &(String, Window))| {
        (if name.is_empty() { format!("File window {}", i + 1) } else { name.clone() }, *w)
    };
    open.info.windows.iter().enumerate().map(named).take(9).collect()
}

/// Window from the pixels shown.
pub(super) fn auto_window(s: &mut Session, slot: Option<usize>) -> Vec<Effect> {
    let Some((_, view, open)) = view_of(s, slot) else { return Vec::new() };
    let window = match open.plane_stack(view.plane).pixels(&open.volume, view.index) {
        Some(PlanePixels::Stored(frame)) => frame_window(&frame),
        Some(PlanePixels::Values(mut values)) => {
            values.retain(|v| v.is_finite());
            values.sort_by(f32::total_cmp);
            let at = |f: f64| values.get((f * (values.len().max(1) - 1) as f64) as usize).copied();
            at(0.001).zip(at(0.999)).map(|(a, b)| Window::from_range(f64::from(a), f64::from(b)))
        }
        None => None,
    };
    match window {
        Some(window) => set_window(s, slot, window),
        None => Vec::new(),
    }
}

/// The 0.1 to 99.9 % window of a frame.
pub(super) fn frame_window(frame: &lightbox_core::Frame) -> Option<Window> {
    let p = frame.percentiles(&[0.001, 0.999])?;
    Some(Window::from_range(f64::from(p[0]), f64::from(p[1])))
}

/// Puts the crosshair on a point. Linked views of the same frame of reference scroll to it.
pub(super) fn point_at(s: &mut Session, slot: Option<usize>, at: PatientPos) -> Vec<Effect> {
    let Some((slot, _, open)) = view_of(s, slot) else { return Vec::new() };
    if !at.0.is_finite() {
        return Vec::new();
    }
    let frame = open.frame_of_reference();
    s.workspace.crosshair = Some((frame.clone(), at));
    let mut effects = Vec::new();
    for other in 0..s.workspace.layout.slots() {
        if other != slot && !s.workspace.linked {
            continue;
        }
        let Some((_, v, o)) = view_of(s, Some(other)) else { continue };
        if o.frame_of_reference() == frame {
            let index = o.plane_stack(v.plane).nearest(at);
            s.workspace.views[other].index = index;
            effects.extend(focus(s, other));
        }
    }
    effects
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which viewport each image began in, told apart by their magnification.
    fn order(s: &Session) -> Vec<f64> {
        s.workspace.views.iter().map(|v| v.zoom).collect()
    }

    #[test]
    fn an_image_that_was_brought_forward_goes_back_to_its_place() {
        let mut s = Session::default();
        set_layout(&mut s, Layout::TwoByTwo);
        for (i, view) in s.workspace.views.iter_mut().enumerate() {
            view.zoom = i as f64 + 1.0;
        }
        activate(&mut s, 3);
        set_layout(&mut s, Layout::One);
        assert_eq!((order(&s)[0], s.workspace.active), (4.0, 0));
        set_layout(&mut s, Layout::OneByTwo);
        assert_eq!((order(&s)[0], s.workspace.active), (4.0, 0));
        set_layout(&mut s, Layout::TwoByTwo);
        assert_eq!((order(&s), s.workspace.active), (vec![1.0, 2.0, 3.0, 4.0], 3));
    }
}
