//! Geometry, images, windowing, raster, label maps and measurement: what every other crate speaks.
//!
//! Nothing here reads a file, starts a thread or knows DICOM, candle or egui.
//!
//! | space | unit | axes | type |
//! |---|---|---|---|
//! | patient | mm, LPS (x to the left, y to the back, z to the head) | x, y, z | [`PatientPos`] |
//! | voxel | index, voxel centres at whole numbers | column, row, slice | [`VoxelPos`] |
//! | plane | pixel of a displayed plane, pixel centres at whole numbers | right, down | [`PlanePos`] |
//!
//! Transforms are named `target_from_source`. Arrays are row-major, `[slice][row][column]`.

pub mod brush;
pub mod frame;
pub mod geometry;
pub mod history;
pub mod label;
pub mod measure;
pub mod phantom;
pub mod plane;
pub mod raster;
pub mod space;
mod uneven;
pub mod volume;
pub mod windowing;

pub use frame::{Frame, Rescale, Samples};
pub use geometry::VolumeGeometry;
/// A direction or offset in the patient, mm.
pub use glam::DVec3 as Vec3;
pub use label::{BitPlane, Mask, Rgb, Segment, SegmentId};
pub use plane::{Plane, PlaneGrid, PlaneStack};
pub use space::{PatientPos, PlanePos, VoxelPos};
pub use volume::Volume;
pub use windowing::{VoiFunction, Window};
