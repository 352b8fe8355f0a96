//! Boxes, comparisons, and what the report points at, in a viewport.

use egui::{Response, Ui};
use lightbox_core::SegmentId;
use lightbox_session::ground::{self, Thing};
use lightbox_session::workspace::{LayerShow, PanelTab, Tool, ViewState};
use lightbox_session::{AnnotationId, Command, OpenStack};

use super::interact;
use super::place::Placement;
use crate::cx::{Cx, Out, Request};
use crate::overlay::boxes;
use crate::textures::layer_of;

/// What a viewport shows in a comparison, and whether its pixels are computed.
pub(super) fn head(cx: &Cx<'_>, slot: usize) -> (&'static str, bool) {
    match layer_of(cx.session, slot).map(|(layer, _)| layer.show) {
        Some(LayerShow::Blend(part)) if part > 0.0 => ("SYNTHETIC: computed, not acquired", true),
        Some(LayerShow::Residual) => ("DIFFERENCE: original − restored, grey is zero", false),
        _ => ("ACQUIRED", false),
    }
}

/// What on a stack the sentence is about that is pointed at.
#[derive(Default)]
pub(super) struct Spot {
    pub(super) segments: Vec<SegmentId>,
    pub(super) annotations: Vec<AnnotationId>,
    pub(super) boxes: Vec<u32>,
}

impl Spot {
    pub(super) fn of(cx: &Cx<'_>, open: &OpenStack) -> Self {
        let mut out = Self::default();
        let Some(sentence) = cx.session.spotlight else { return out };
        for ground in ground::of_sentence(cx.session, sentence).into_iter().filter(|g| g.stack == open.id) {
            for thing in ground.things {
                match thing {
                    Thing::Segment(id) => out.segments.push(id),
                    Thing::Annotation(id) => out.annotations.push(id),
                    Thing::Box(id) => out.boxes.push(id),
                }
            }
        }
        out
    }
}

/// A click on a box picks it; beside the report, a click on a box or a mask goes to its sentence.
pub(super) fn pick(
    cx: &Cx<'_>,
    place: &Placement,
    open: &OpenStack,
    view: &ViewState,
    response: &Response,
    out: &mut Out,
) {
    let s = cx.session;
    let busy =
        interact::paints(s.workspace.tool) || matches!(s.workspace.tool, Tool::Length | Tool::Angle | Tool::Ellipse);
    let Some(p) = response.interact_pointer_pos().filter(|_| response.clicked() && !busy) else { return };
    let Some(document) = s.document(open.id) else { return };
    let frame = open.plane_stack(view.plane).stored_slice(view.index);
    let found = frame.and_then(|frame| boxes::under(boxes::shown(s, document, frame), place, p));
    if found.is_some() || cx.ui.chosen_box.is_some() {
        out.request(Request::ChooseBox(found.map(|b| (open.id, b.id))));
    }
    if s.workspace.panel != Some(PanelTab::Report) {
        return;
    }
    let voxel = open.geometry().to_voxel(place.patient_from_screen(p)).index(open.geometry().dims());
    let mask = voxel.and_then(|v| document.segments.iter().rev().find(|x| x.visible && x.mask.get(v)));
    let thing = found.map(|b| Thing::Box(b.id)).or(mask.map(|x| Thing::Segment(x.id)));
    if let Some(thing) = thing.filter(|thing| ground::sentence_of(s, open.id, *thing).is_some()) {
        out.command(Command::ShowSentenceOf { stack: open.id, thing });
    }
}

/// The boxes on the frame that is shown.
pub(super) fn boxes_of(
    ui: &Ui,
    cx: &Cx<'_>,
    open: &OpenStack,
    view: &ViewState,
    place: &Placement,
    response: &Response,
    spot: &Spot,
) {
    let s = cx.session;
    let frame = open.plane_stack(view.plane).stored_slice(view.index);
    let Some((document, frame)) = s.document(open.id).zip(frame).filter(|_| !s.workspace.masks.hidden) else { return };
    let hovered = response.hover_pos().and_then(|p| boxes::under(boxes::shown(s, document, frame), place, p));
    let hovered = hovered.map(|b| b.id);
    for mark in boxes::shown(s, document, frame) {
        let pointed = cx.ui.chosen_box == Some((open.id, mark.id));
        let pointed = pointed || hovered == Some(mark.id) || spot.boxes.contains(&mark.id);
        boxes::paint(ui, cx.tokens, place, mark, pointed);
    }
}
