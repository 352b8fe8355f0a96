//! Measurements: points that stay with the image, and the numbers that follow from them.

use glam::DVec3;
use lightbox_core::measure::{Calibration, RegionStats, angle_deg, ellipse_area, ellipse_pixels, stats};
use lightbox_core::plane::PlanePixels;
use lightbox_core::{PatientPos, Plane};
use serde::{Deserialize, Serialize};

use crate::ids::{AnnotationId, StackId};
use crate::library::OpenStack;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnnotationKind {
    /// Two ends.
    Length,
    /// An end, the vertex, the other end.
    Angle,
    /// Two opposite corners of the box.
    Ellipse,
}

impl AnnotationKind {
    /// Points that it needs.
    #[must_use]
    pub fn points(self) -> usize {
        if self == Self::Angle { 3 } else { 2 }
    }

    /// Name as shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Length => "Length",
            Self::Angle => "Angle",
            Self::Ellipse => "Ellipse",
        }
    }
}

/// A measurement on a plane of a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// Its number.
    pub id: AnnotationId,
    /// The stack.
    pub stack: StackId,
    /// The kind of plane it was drawn on.
    pub plane: Plane,
    /// That plane's number.
    pub index: usize,
    /// What it measures.
    pub kind: AnnotationKind,
    /// Its points, in the space of the stack's geometry.
    pub points: Vec<PatientPos>,
}

/// The numbers of a measurement.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A length.
    Length {
        /// In mm, or pixels without a calibration.
        length: f64,
        /// What the millimetres mean.
        calibration: Calibration,
    },
    /// An angle.
    Angle {
        /// In degrees.
        degrees: f64,
    },
    /// An ellipse.
    Ellipse {
        /// In mm², or pixels² without a calibration.
        area: f64,
        /// What the millimetres mean.
        calibration: Calibration,
        /// Of the pixels whose centre lies inside; `None` while they are not loaded, or when there is none.
        stats: Option<RegionStats>,
        /// Unit of mean and SD.
        unit: String,
    },
}

impl Reading {
    /// The number that stands on the image: `8.4 mm`, `41.2°`, `312 mm²`.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::Length { length, calibration } => format!("{length:.1} {}", calibration.unit()),
            Self::Angle { degrees } => format!("{degrees:.1}°"),
            Self::Ellipse { area, calibration, .. } => format!("{area:.1} {}²", calibration.unit()),
        }
    }

    /// The rest, for the list and the second line on the image; empty when there is none.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Length { calibration, .. } => calibration.note().to_owned(),
            Self::Angle { .. } => String::new(),
            Self::Ellipse { calibration, stats, unit, .. } => {
                let mut out = match stats {
                    Some(s) => {
                        // A minus as wide as the figures, as in every other number of the window.
                        let mean = format!("{:.1}", s.mean).replace('-', "−");
                        format!("mean {mean} SD {:.1} {unit}", s.sd)
                    }
                    None => String::new(),
                };
                if !calibration.note().is_empty() {
                    if !out.is_empty() {
                        out.push_str(", ");
                    }
                    out.push_str(calibration.note());
                }
                out
            }
        }
    }
}

/// The numbers of a measurement on its stack; `None` when points are missing.
#[must_use]
pub fn read(annotation: &Annotation, stack: &OpenStack) -> Option<Reading> {
    let pixels = || stack.plane_stack(annotation.plane).pixels(&stack.volume, annotation.index);
    let pixels = (annotation.kind == AnnotationKind::Ellipse).then(pixels).flatten();
    read_on(annotation, stack, pixels.as_ref())
}

/// The same where the pixels of its plane are at hand, so that none are cut anew; without them an ellipse has no
/// statistics.
#[must_use]
pub fn read_on(annotation: &Annotation, stack: &OpenStack, pixels: Option<&PlanePixels>) -> Option<Reading> {
    let p: Vec<DVec3> = annotation.points.iter().map(|p| p.0).collect();
    let calibration = stack.calibration();
    match annotation.kind {
        AnnotationKind::Length => {
            let [a, b] = p.as_slice() else { return None };
            Some(Reading::Length { length: a.distance(*b), calibration })
        }
        AnnotationKind::Angle => {
            let [a, v, b] = p.as_slice() else { return None };
            Some(Reading::Angle { degrees: angle_deg(*a, *v, *b)? })
        }
        AnnotationKind::Ellipse => {
            let [a, b] = annotation.points.as_slice() else { return None };
            let planes = stack.plane_stack(annotation.plane);
            let grid = planes.grid(annotation.index);
            let (a, b) = (grid.to_plane(*a).0, grid.to_plane(*b).0);
            let (a, b) = ([a.x, a.y], [b.x, b.y]);
            let stats = pixels.and_then(|pixels| {
                let inside = ellipse_pixels(a, b, grid.width, grid.height);
                // Padding and what lies outside are no tissue; colour has no value.
                stats(inside.into_iter().map(|(x, y)| match pixels {
                    PlanePixels::Stored(frame) if frame.is_colour() => f32::NAN,
                    PlanePixels::Stored(frame) if (frame.columns(), frame.rows()) != (grid.width, grid.height) => {
                        f32::NAN
                    }
                    PlanePixels::Stored(frame) if frame.is_padding(frame.stored_at(y * grid.width + x)) => f32::NAN,
                    PlanePixels::Stored(frame) => frame.value(x, y).unwrap_or(f32::NAN),
                    PlanePixels::Values(values) => values.get(y * grid.width + x).copied().unwrap_or(f32::NAN),
                }))
            });
            Some(Reading::Ellipse {
                area: ellipse_area(a, b, grid.pixel_mm()),
                calibration,
                stats,
                unit: stack.unit().to_owned(),
            })
        }
    }
}
