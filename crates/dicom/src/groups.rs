//! Attributes of one frame: functional groups of enhanced objects (PS3.3 C.7.6.16), else the data set itself.

use dicom_core::Tag;
use dicom_object::InMemDicomObject;

use crate::attr::Attributes;

const SHARED: Tag = Tag(0x5200, 0x9229);
const PER_FRAME: Tag = Tag(0x5200, 0x9230);

pub(crate) const PIXEL_MEASURES: Tag = Tag(0x0028, 0x9110);
pub(crate) const PLANE_POSITION: Tag = Tag(0x0020, 0x9113);
pub(crate) const PLANE_ORIENTATION: Tag = Tag(0x0020, 0x9116);
pub(crate) const PIXEL_VALUE_TRANSFORMATION: Tag = Tag(0x0028, 0x9145);
pub(crate) const FRAME_VOI_LUT: Tag = Tag(0x0028, 0x9132);
pub(crate) const FRAME_CONTENT: Tag = Tag(0x0020, 0x9111);
pub(crate) const MR_ECHO: Tag = Tag(0x0018, 0x9114);
pub(crate) const MR_DIFFUSION: Tag = Tag(0x0018, 0x9117);
pub(crate) const CARDIAC: Tag = Tag(0x0018, 0x9118);
pub(crate) const MR_IMAGE_FRAME_TYPE: Tag = Tag(0x0018, 0x9226);
pub(crate) const CT_IMAGE_FRAME_TYPE: Tag = Tag(0x0018, 0x9329);

/// One frame of an object.
#[derive(Clone, Copy)]
pub(crate) struct FrameView<'a> {
    pub(crate) object: &'a InMemDicomObject,
    pub(crate) frame: usize,
}

impl<'a> FrameView<'a> {
    /// The item of a macro: a macro stands in the per-frame item or in the shared one.
    pub(crate) fn group(&self, macro_tag: Tag) -> Option<&'a InMemDicomObject> {
        self.object
            .items(PER_FRAME)
            .get(self.frame)
            .and_then(|item| item.first(macro_tag))
            .or_else(|| self.object.first(SHARED).and_then(|item| item.first(macro_tag)))
    }

    /// A macro's item where the object has it, else the data set.
    pub(crate) fn within(&self, macro_tag: Tag) -> &'a InMemDicomObject {
        self.group(macro_tag).unwrap_or(self.object)
    }

    pub(crate) fn position(&self) -> Option<[f64; 3]> {
        self.within(PLANE_POSITION).array(Tag(0x0020, 0x0032))
    }

    /// Row and column cosines, made unit vectors; `None` when they span no plane.
    pub(crate) fn orientation(&self) -> Option<[f64; 6]> {
        let o: [f64; 6] = self.within(PLANE_ORIENTATION).array(Tag(0x0020, 0x0037))?;
        let r = glam::DVec3::new(o[0], o[1], o[2]);
        let c = glam::DVec3::new(o[3], o[4], o[5]);
        let (rl, cl) = (r.length(), c.length());
        // Cosines of a right-angled frame, within what rounding to a few digits makes of them.
        if (rl - 1.0).abs() > 0.02 || (cl - 1.0).abs() > 0.02 || (r.dot(c) / (rl * cl)).abs() > 0.02 {
            return None;
        }
        Some(o)
    }

    /// `[between rows, between columns]` in mm as Pixel Spacing says; `None` when it is no size.
    pub(crate) fn pixel_spacing(&self) -> Option<[f64; 2]> {
        self.within(PIXEL_MEASURES).array(Tag(0x0028, 0x0030)).filter(plausible)
    }

    pub(crate) fn thickness(&self) -> Option<f64> {
        self.within(PIXEL_MEASURES).number(Tag(0x0018, 0x0050)).filter(|t| *t > 0.0 && *t < 1e4)
    }
}

/// A pixel is between a tenth of a micrometre (slide microscopy) and a metre.
pub(crate) fn plausible(spacing: &[f64; 2]) -> bool {
    spacing.iter().all(|s| *s > 1e-4 && *s < 1e3)
}
