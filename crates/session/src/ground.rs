//! Where on the images a sentence of the report is, and which sentence a thing on the images has.

use lightbox_core::{Plane, SegmentId};
use lightbox_report::document::{Sentence, SentenceState};
use serde::{Deserialize, Serialize};

use crate::findings::on_stack;
use crate::ids::{AnnotationId, StackId};
use crate::library::OpenStack;
use crate::session::Session;

/// A thing on an image that can be picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// A mask.
    Segment(SegmentId),
    /// A measurement.
    Annotation(AnnotationId),
    /// A box.
    Box(u32),
}

/// The pixels behind a sentence, on one plane.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    /// The stack.
    pub stack: StackId,
    /// The planes.
    pub plane: Plane,
    /// Which of them.
    pub index: usize,
    /// What lies there.
    pub things: Vec<Thing>,
}

/// The pixels of a sentence; empty where it is about none, or its series are closed.
#[must_use]
pub fn of_sentence(s: &Session, id: u64) -> Vec<Ground> {
    let holder = s.reports.iter().find_map(|(study, r)| Some((study, r.document.sentence(id)?)));
    holder.map(|(study, sentence)| of_findings(s, study, &sentence.finding_ids)).unwrap_or_default()
}

/// The pixels of findings by their ids.
#[must_use]
pub fn of_findings(s: &Session, study: &str, ids: &[String]) -> Vec<Ground> {
    let mut out: Vec<Ground> = Vec::new();
    for id in ids {
        let of_id = |open: &&OpenStack| open.study_uid == study && id.ends_with(&on_stack("", open));
        let Some(open) = s.library.stacks().find(of_id) else { continue };
        let Some(ground) = on(s, open, id.split(' ').next().unwrap_or_default()) else { continue };
        match out.iter_mut().find(|g| (g.stack, g.plane, g.index) == (ground.stack, ground.plane, ground.index)) {
            Some(known) => known.things.extend(ground.things),
            None => out.push(ground),
        }
    }
    out
}

/// The pixels of a finding on its stack, by the first word of its id.
fn on(s: &Session, open: &OpenStack, name: &str) -> Option<Ground> {
    let document = s.documents.get(&open.id)?;
    let (kind, number) = name.rsplit_once('-').unwrap_or((name, ""));
    let number = number.parse::<u32>().ok();
    let here = |plane: Plane, index: usize, things: Vec<Thing>| Ground { stack: open.id, plane, index, things };
    match (kind, number) {
        ("length", Some(n)) => {
            let annotation = document.annotations.iter().find(|a| a.id == AnnotationId(n))?;
            Some(here(annotation.plane, annotation.index, vec![Thing::Annotation(annotation.id)]))
        }
        ("box", Some(n)) => {
            let found = document.boxes.iter().find(|b| b.id == n)?;
            let plane = open.acquired_plane();
            Some(here(plane, open.plane_stack(plane).plane_of_slice(found.frame)?, vec![Thing::Box(n)]))
        }
        ("segment", Some(n)) => masks(open, document.segments.iter().filter(|x| x.id == SegmentId(n))),
        _ => masks(open, lungs(document)),
    }
}

/// The lungs that the geometry of a chest X-ray is measured on: the newest of each side.
fn lungs(document: &crate::document::Document) -> impl Iterator<Item = &lightbox_core::Segment> {
    ["right", "left"].into_iter().filter_map(|side| document.newest_lung(side))
}

fn masks<'a>(open: &OpenStack, segments: impl Iterator<Item = &'a lightbox_core::Segment>) -> Option<Ground> {
    let segments: Vec<_> = segments.collect();
    let slices: Vec<usize> = segments.first()?.mask.occupied().collect();
    let plane = open.acquired_plane();
    let index = open.plane_stack(plane).plane_of_slice(*slices.get(slices.len() / 2)?)?;
    let things = segments.iter().map(|x| Thing::Segment(x.id)).collect();
    Some(Ground { stack: open.id, plane, index, things })
}

/// The sentence about a thing on a stack: the first that was not refused.
#[must_use]
pub fn sentence_of(s: &Session, stack: StackId, thing: Thing) -> Option<&Sentence> {
    let study = &s.library.stack(stack)?.study_uid;
    let report = s.reports.get(study)?;
    report.document.sentences().filter(|x| x.state != SentenceState::Rejected).find(|x| {
        let grounds = of_findings(s, study, &x.finding_ids);
        grounds.iter().any(|g| g.stack == stack && g.things.contains(&thing))
    })
}
