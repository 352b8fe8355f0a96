//! Series of any size for benchmarks: a CT whose slices are noise on a ramp, cheap to make and as hard to store as real ones.

use std::path::Path;

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_object::InMemDicomObject;

use crate::compose::{Compose, WriteFault, named_uid, write_file};

/// Writes `slices` CT images of `side` × `side` pixels, 16 bit, uncompressed, 1 mm apart, as `0000.dcm`, … into `dir`.
///
/// # Errors
/// When a file cannot be written.
pub fn write_ct_series(dir: &Path, slices: usize, side: u16) -> Result<(), WriteFault> {
    std::fs::create_dir_all(dir).map_err(WriteFault::io("creating the folder"))?;
    let name = format!("{slices} of {side}");
    let uid = |what: &str, k: usize| named_uid(&["lightbox benchmark", &name, what, &k.to_string()]);
    let mut noise = 0x2545_F491_4F6C_DD1D_u64;
    for k in 0..slices {
        let mut o = InMemDicomObject::new_empty();
        o.put_text(Tag(0x0008, 0x0016), VR::UI, "1.2.840.10008.5.1.4.1.1.2");
        o.put_text(Tag(0x0008, 0x0018), VR::UI, &uid("instance", k));
        o.put_text(Tag(0x0008, 0x0020), VR::DA, "20261118");
        o.put_text(Tag(0x0008, 0x0060), VR::CS, "CT");
        o.put_text(Tag(0x0010, 0x0010), VR::PN, "PHANTOM^Benchmark");
        o.put_text(Tag(0x0010, 0x0020), VR::LO, "PH-0000");
        o.put_text(Tag(0x0020, 0x000D), VR::UI, &uid("study", 0));
        o.put_text(Tag(0x0020, 0x000E), VR::UI, &uid("series", 0));
        o.put_text(Tag(0x0020, 0x0013), VR::IS, &(k + 1).to_string());
        o.put_decimals(Tag(0x0020, 0x0032), &[0.0, 0.0, k as f64]);
        o.put_decimals(Tag(0x0020, 0x0037), &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        o.put_text(Tag(0x0020, 0x0052), VR::UI, &uid("frame", 0));
        o.put_u16(Tag(0x0028, 0x0002), 1);
        o.put_text(Tag(0x0028, 0x0004), VR::CS, "MONOCHROME2");
        o.put_u16(Tag(0x0028, 0x0010), side);
        o.put_u16(Tag(0x0028, 0x0011), side);
        o.put_decimals(Tag(0x0028, 0x0030), &[0.7, 0.7]);
        o.put_u16(Tag(0x0028, 0x0100), 16);
        o.put_u16(Tag(0x0028, 0x0101), 16);
        o.put_u16(Tag(0x0028, 0x0102), 15);
        o.put_u16(Tag(0x0028, 0x0103), 1);
        o.put_decimals(Tag(0x0028, 0x1052), &[-1024.0]);
        o.put_decimals(Tag(0x0028, 0x1053), &[1.0]);
        o.put_text(Tag(0x0028, 0x1054), VR::LO, "HU");
        let side = usize::from(side);
        let words: Vec<u16> = (0..side * side)
            .map(|i| {
                // xorshift64: any cheap noise will do.
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                ((i % side * 2 + k) % 2000) as u16 + (noise & 63) as u16
            })
            .collect();
        o.put_value(Tag(0x7FE0, 0x0010), VR::OW, PrimitiveValue::U16(words.into()));
        write_file(&dir.join(format!("{k:04}.dcm")), o)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::ControlFlow;

    #[test]
    fn the_series_is_one_even_volume() {
        let dir = tempfile::tempdir().unwrap();
        write_ct_series(dir.path(), 5, 16).unwrap();
        let index = crate::scan(&[dir.path().to_owned()], &mut |_| ControlFlow::Continue(()));
        let series = &index.studies[0].series[0];
        assert!(series.stacks[0].is_volume && series.warnings.is_empty());
        assert_eq!(series.stacks[0].frames.len(), 5);
    }
}
