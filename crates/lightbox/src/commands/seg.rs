//! seg convert.

use std::path::Path;
use std::sync::Arc;

use lightbox_core::{Frame, Rescale, Samples, Segment, Volume};
use lightbox_dicom::Stack;
use lightbox_dicom::seg::{self, SegReference};

use super::images::{self, VolumeFormat};
use super::{masks, one_stack};
use crate::args::{MaskFormat, Seg};
use crate::output;

pub(super) fn run(action: Seg) -> Result<(), String> {
    let Seg::Convert { input, reference, to, out } = action;
    if to == MaskFormat::Rtstruct {
        return Err("`--to rtstruct` is not built yet".into());
    }
    if to != MaskFormat::Seg {
        let wanted = if to == MaskFormat::Nifti { VolumeFormat::Nifti } else { VolumeFormat::Nrrd };
        if images::check_volume_name(&out)? != wanted {
            return Err(format!("the name and `--to` say different formats: {}", out.display()));
        }
    }
    let stack = one_stack(&reference, None, 0)?.stack;
    let segments = masks::read(&input, &stack)?;
    match to {
        MaskFormat::Seg => {
            let reference = SegReference::from_stack(&stack).map_err(|e| e.to_string())?;
            let saved = seg::write(&out, &reference, &segments).map_err(|e| e.to_string())?;
            output::note(&format!("Read back: {} of {} segments equal.", saved.equal, saved.segments));
        }
        _ => labels(&out, &stack, &segments)?,
    }
    output::line(&out.display().to_string());
    Ok(())
}

/// One number a voxel: the place of the segment in the list, from 1. Overlap is refused, not flattened.
fn labels(out: &Path, stack: &Stack, segments: &[Segment]) -> Result<(), String> {
    let geometry = stack.geometry.clone().ok_or("the reference has no position in the patient")?;
    let [columns, rows, slices] = geometry.dims();
    let mut volume = Volume::empty(geometry);
    for k in 0..slices {
        let mut values = vec![0u16; columns * rows];
        for (n, segment) in segments.iter().enumerate() {
            let Some(plane) = segment.mask.plane(k) else { continue };
            for i in plane.iter_set() {
                if values[i] != 0 {
                    return Err(
                        "segments overlap, which this format cannot hold; convert them one by one or to seg".into()
                    );
                }
                values[i] = n as u16 + 1;
            }
        }
        let frame = Frame::new(columns, rows, Samples::U16(values), Rescale::default()).map_err(|e| e.to_string())?;
        volume.set_slice(k, Arc::new(frame)).map_err(|e| e.to_string())?;
    }
    images::write_volume(out, &volume)
}
