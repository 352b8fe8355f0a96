//! Phantoms: images made from numbers, for the demo, for tests and for pictures. None comes from a patient.
//!
//! | maker | what |
//! |---|---|
//! | [`ct_thorax`] | a CT of the chest with contrast, with masks of lungs, heart and a nodule |
//! | [`chest_xray`] | a frontal X-ray of the same chest, with the masks of the lungs' shadows |
//! | [`mr_head`] | a T1-weighted MR of a head without a face, with the mask of the brain |
//! | [`ramp`], [`sphere`], [`cylinder`] | volumes with answers in closed form |

mod ct;
mod head;
mod noise;
mod shape;
mod simple;
mod skeleton;
mod thorax;
mod vessels;
mod xray;

use crate::frame::FrameSizeError;
use crate::geometry::GeometryError;
use crate::volume::VolumeError;

pub use ct::{CT_PADDING, CtGrid, PhantomCt, ct_thorax};
pub use head::{PhantomMr, mr_head};
pub use simple::{cylinder, ramp, sphere};
pub use xray::{PhantomXray, XRAY_PIXEL_MM, XRAY_PIXELS, chest_xray};

/// A phantom could not be put into an image.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PhantomError {
    /// The grid spans no space.
    #[error("the phantom's grid is not usable: {0}")]
    Geometry(#[from] GeometryError),
    /// A slice has the wrong number of samples.
    #[error("the phantom's slice is not usable: {0}")]
    Frame(#[from] FrameSizeError),
    /// A slice does not fit the volume.
    #[error("the phantom's slice does not fit: {0}")]
    Volume(#[from] VolumeError),
}
