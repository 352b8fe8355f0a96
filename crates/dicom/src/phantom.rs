//! The demo study: the phantoms of [`lightbox_core::phantom`] as real DICOM files in a folder.
//!
//! One patient who does not exist, three studies: a CT of the thorax, a chest X-ray, and an MR of the head. The UIDs are
//! always the same, so that a second run finds the first one's files.

use std::fs;
use std::path::{Path, PathBuf};

use dicom_core::value::PrimitiveValue;
use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;
use lightbox_core::frame::{Frame, Samples};
use lightbox_core::label::Code;
use lightbox_core::phantom::{self, CT_PADDING, CtGrid, PhantomError};
use lightbox_core::{VolumeGeometry, VoxelPos};

pub use crate::compose::WriteFault;
use crate::compose::{Compose, named_uid, write_file};

/// Raised whenever the files change, so that a folder of an older program is not taken for the present one.
const CONTENT_VERSION: u32 = 3;
const COMPLETE: &str = "complete";

/// A demo file could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The images cannot be made.
    #[error(transparent)]
    Phantom(#[from] PhantomError),
    /// A file cannot be written.
    #[error("the demo study cannot be written: {fault}: {}", path.display())]
    Write {
        /// Why not.
        fault: WriteFault,
        /// Which file or folder.
        path: PathBuf,
    },
}

/// One series of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoSeries {
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
    /// Its files, one instance each, in the order of the slices from the feet up.
    pub files: Vec<PathBuf>,
}

/// The demo as it lies on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoStudy {
    /// The folder that holds all of it.
    pub folder: PathBuf,
    /// CT of the thorax with contrast.
    pub ct: DemoSeries,
    /// Chest X-ray, PA.
    pub xray: DemoSeries,
    /// MR of the head, T1.
    pub mr: DemoSeries,
}

struct Plan {
    name: &'static str,
    modality: &'static str,
    study: &'static str,
    study_description: &'static str,
    series_description: &'static str,
    accession: &'static str,
    date: &'static str,
    time: &'static str,
    number: u16,
    body_part: &'static str,
    protocol: &'static str,
    files: usize,
}

const CT: Plan = Plan {
    name: "ct",
    modality: "CT",
    study: "ct-thorax",
    study_description: "CT thorax, contrast",
    series_description: "Axial lung",
    accession: "A0001",
    date: "20261118",
    time: "094100",
    number: 3,
    body_part: "CHEST",
    protocol: "Thorax with contrast",
    files: 120,
};
const XRAY: Plan = Plan {
    name: "xray",
    modality: "DX",
    study: "xray-chest",
    study_description: "X-ray chest",
    series_description: "Chest PA",
    accession: "A0002",
    date: "20261118",
    time: "091200",
    number: 1,
    body_part: "CHEST",
    protocol: "Chest PA upright",
    files: 1,
};
const MR: Plan = Plan {
    name: "mr",
    modality: "MR",
    study: "mr-head",
    study_description: "MR head",
    series_description: "T1 axial",
    accession: "A0003",
    date: "20261112",
    time: "142000",
    number: 2,
    body_part: "HEAD",
    protocol: "T1 3D",
    files: 176,
};

impl Plan {
    fn series(&self, root: &Path) -> DemoSeries {
        DemoSeries {
            study_uid: self.uid(&["study", self.study]),
            series_uid: self.uid(&["series", self.name]),
            files: (0..self.files).map(|i| self.file(root, i)).collect(),
        }
    }

    fn file(&self, root: &Path, index: usize) -> PathBuf {
        root.join(self.name).join(format!("{:04}.dcm", index + 1))
    }

    fn uid(&self, what: &[&str]) -> String {
        let version = CONTENT_VERSION.to_string();
        named_uid(&[&["lightbox demo", version.as_str()], what].concat())
    }
}

/// Writes the demo into a folder of its own under `dir` and returns what is there; what is complete already is kept.
/// Takes a few seconds the first time.
///
/// # Errors
/// [`DemoError`] when a file cannot be written. Nothing half-written stays under the final name.
pub fn write_demo_study(dir: &Path) -> Result<DemoStudy, DemoError> {
    let folder = dir.join(format!("phantom-{CONTENT_VERSION}"));
    let study = DemoStudy {
        ct: CT.series(&folder),
        xray: XRAY.series(&folder),
        mr: MR.series(&folder),
        folder: folder.clone(),
    };
    if is_complete(&study) {
        return Ok(study);
    }
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |fault: WriteFault| DemoError::Write { fault, path }
    };
    let part = dir.join(format!(".phantom-{CONTENT_VERSION}-{}.part", std::process::id()));
    // Left over from a process that bore the same number and was killed.
    let _ = fs::remove_dir_all(&part);
    let result = (|| {
        for plan in [&CT, &XRAY, &MR] {
            let path = part.join(plan.name);
            fs::create_dir_all(&path).map_err(WriteFault::io("creating the folder")).map_err(at(&path))?;
        }
        write_ct(&part)?;
        write_xray(&part)?;
        write_mr(&part)?;
        let mark = part.join(COMPLETE);
        fs::write(&mark, b"").map_err(WriteFault::io("writing the file")).map_err(at(&mark))?;
        // An incomplete folder of the same name can only be one that somebody took files from.
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .map_err(WriteFault::io("removing the incomplete folder"))
                .map_err(at(&folder))?;
        }
        match fs::rename(&part, &folder) {
            Ok(()) => Ok(()),
            // Another process was faster: its files are the same.
            Err(_) if is_complete(&study) => Ok(()),
            Err(e) => Err(at(&folder)(WriteFault::io("putting the folder in its place")(e))),
        }
    })();
    let _ = fs::remove_dir_all(&part);
    result.map(|()| study)
}

fn is_complete(study: &DemoStudy) -> bool {
    study.folder.join(COMPLETE).is_file()
        && [&study.ct, &study.xray, &study.mr].iter().all(|s| s.files.iter().all(|f| f.is_file()))
}

fn save(plan: &Plan, root: &Path, index: usize, object: InMemDicomObject) -> Result<(), DemoError> {
    let path = plan.file(root, index);
    write_file(&path, object).map_err(|fault| DemoError::Write { fault, path })
}

/// Patient, study, series, equipment and SOP common.
fn header(plan: &Plan, sop_class: &str, index: usize, instance_number: usize) -> InMemDicomObject {
    let mut o = InMemDicomObject::new_empty();
    let number = index.to_string();
    o.put_text(Tag(0x0008, 0x0005), VR::CS, "ISO_IR 100");
    o.put_text(Tag(0x0008, 0x0016), VR::UI, sop_class);
    o.put_text(Tag(0x0008, 0x0018), VR::UI, &plan.uid(&["instance", plan.name, &number]));
    for tag in [Tag(0x0008, 0x0020), Tag(0x0008, 0x0021), Tag(0x0008, 0x0022), Tag(0x0008, 0x0023)] {
        o.put_text(tag, VR::DA, plan.date);
    }
    for tag in [Tag(0x0008, 0x0030), Tag(0x0008, 0x0031), Tag(0x0008, 0x0032), Tag(0x0008, 0x0033)] {
        o.put_text(tag, VR::TM, plan.time);
    }
    o.put_text(Tag(0x0008, 0x0050), VR::SH, plan.accession);
    o.put_text(Tag(0x0008, 0x0060), VR::CS, plan.modality);
    o.put_text(Tag(0x0008, 0x0070), VR::LO, "Lightbox");
    o.put_text(Tag(0x0008, 0x0080), VR::LO, "Phantom laboratory");
    o.put_text(Tag(0x0008, 0x0090), VR::PN, "");
    o.put_text(Tag(0x0008, 0x1030), VR::LO, plan.study_description);
    o.put_text(Tag(0x0008, 0x103E), VR::LO, plan.series_description);
    o.put_text(Tag(0x0008, 0x1090), VR::LO, "Phantom");
    o.put_text(Tag(0x0010, 0x0010), VR::PN, "PHANTOM^Thorax");
    o.put_text(Tag(0x0010, 0x0020), VR::LO, "PH-0001");
    o.put_text(Tag(0x0010, 0x0030), VR::DA, "19620309");
    o.put_text(Tag(0x0010, 0x0040), VR::CS, "F");
    o.put_text(Tag(0x0010, 0x1010), VR::AS, "064Y");
    o.put_text(Tag(0x0018, 0x0015), VR::CS, plan.body_part);
    o.put_text(Tag(0x0018, 0x1000), VR::LO, "0");
    o.put_text(Tag(0x0018, 0x1020), VR::LO, env!("CARGO_PKG_VERSION"));
    o.put_text(Tag(0x0018, 0x1030), VR::LO, plan.protocol);
    o.put_text(Tag(0x0020, 0x000D), VR::UI, &plan.uid(&["study", plan.study]));
    o.put_text(Tag(0x0020, 0x000E), VR::UI, &plan.uid(&["series", plan.name]));
    o.put_text(Tag(0x0020, 0x0010), VR::SH, plan.accession);
    o.put_text(Tag(0x0020, 0x0011), VR::IS, &plan.number.to_string());
    o.put_text(Tag(0x0020, 0x0012), VR::IS, "1");
    o.put_text(Tag(0x0020, 0x0013), VR::IS, &instance_number.to_string());
    o
}

/// Image plane and frame of reference of slice `k`.
fn place(o: &mut InMemDicomObject, plan: &Plan, geometry: &VolumeGeometry, k: usize, thickness_mm: f64) {
    let position = geometry.to_patient(VoxelPos::new(0.0, 0.0, k as f64)).0;
    let (row, column) = (geometry.direction(0), geometry.direction(1));
    let [between_rows, between_columns, _] = geometry.spacing_mm();
    o.put_text(Tag(0x0018, 0x5100), VR::CS, "HFS");
    o.put_decimals(Tag(0x0018, 0x0050), &[thickness_mm]);
    o.put_decimals(Tag(0x0020, 0x0032), &position.to_array());
    o.put_decimals(Tag(0x0020, 0x0037), &[row.to_array(), column.to_array()].concat());
    o.put_text(Tag(0x0020, 0x0052), VR::UI, &plan.uid(&["frame of reference", plan.study]));
    o.put_text(Tag(0x0020, 0x1040), VR::LO, "");
    o.put_decimals(Tag(0x0020, 0x1041), &[position.z]);
    o.put_decimals(Tag(0x0028, 0x0030), &[between_rows, between_columns]);
}

fn pixels(o: &mut InMemDicomObject, frame: &Frame, bits_stored: u16) {
    let (signed, words): (bool, Vec<u16>) = match frame.samples() {
        Samples::I16(v) => (true, v.iter().map(|&x| x as u16).collect()),
        Samples::U16(v) => (false, v.clone()),
        // The phantoms are made of 16-bit samples; other kinds would be brought into them.
        other => (false, (0..other.pixels()).map(|i| frame.stored_at(i).clamp(0.0, 65_535.0) as u16).collect()),
    };
    o.put_u16(Tag(0x0028, 0x0002), 1);
    o.put_text(Tag(0x0028, 0x0004), VR::CS, "MONOCHROME2");
    o.put_u16(Tag(0x0028, 0x0010), frame.rows() as u16);
    o.put_u16(Tag(0x0028, 0x0011), frame.columns() as u16);
    o.put_u16(Tag(0x0028, 0x0100), 16);
    o.put_u16(Tag(0x0028, 0x0101), bits_stored);
    o.put_u16(Tag(0x0028, 0x0102), bits_stored - 1);
    o.put_u16(Tag(0x0028, 0x0103), u16::from(signed));
    o.put_value(Tag(0x7FE0, 0x0010), VR::OW, PrimitiveValue::U16(words.into()));
}

fn write_ct(root: &Path) -> Result<(), DemoError> {
    let grid = CtGrid { slices: CT.files, ..CtGrid::default() };
    let ct = phantom::ct_thorax(grid)?;
    let geometry = ct.volume.geometry();
    for (k, frame) in ct.volume.slices().iter().enumerate() {
        let Some(frame) = frame else { continue };
        // Scanners number from the head down.
        let mut o = header(&CT, "1.2.840.10008.5.1.4.1.1.2", k, CT.files - k);
        o.put_text(Tag(0x0008, 0x0008), VR::CS, "ORIGINAL\\PRIMARY\\AXIAL");
        o.put_text(Tag(0x0018, 0x0010), VR::LO, "Iodine (phantom)");
        o.put_text(Tag(0x0018, 0x0060), VR::DS, "120");
        place(&mut o, &CT, geometry, k, grid.step_mm);
        o.put_decimals(Tag(0x0018, 0x1100), &[grid.field_mm]);
        o.put_value(Tag(0x0028, 0x0120), VR::SS, PrimitiveValue::from(CT_PADDING));
        o.put_decimals(Tag(0x0028, 0x1050), &[-600.0, 50.0]);
        o.put_decimals(Tag(0x0028, 0x1051), &[1500.0, 400.0]);
        o.put_text(Tag(0x0028, 0x1055), VR::LO, "Lung\\Soft tissue");
        o.put_decimals(Tag(0x0028, 0x1052), &[frame.rescale.intercept]);
        o.put_decimals(Tag(0x0028, 0x1053), &[frame.rescale.slope]);
        o.put_text(Tag(0x0028, 0x1054), VR::LO, "HU");
        pixels(&mut o, frame, 16);
        save(&CT, root, k, o)?;
    }
    Ok(())
}

fn write_xray(root: &Path) -> Result<(), DemoError> {
    let x = phantom::chest_xray()?;
    let mut o = header(&XRAY, "1.2.840.10008.5.1.4.1.1.1.1", 0, 1);
    o.put_text(Tag(0x0008, 0x0008), VR::CS, "ORIGINAL\\PRIMARY\\");
    o.put_text(Tag(0x0008, 0x0068), VR::CS, "FOR PRESENTATION");
    o.put_code(Tag(0x0008, 0x2218), &Code::new("51185008", "SCT", "Chest"));
    o.put_text(Tag(0x0018, 0x0060), VR::DS, "125");
    o.put_text(Tag(0x0018, 0x1164), VR::DS, &spacing_text(x.pixel_spacing_mm));
    o.put_text(Tag(0x0018, 0x1508), VR::CS, "COLUMN");
    o.put_text(Tag(0x0018, 0x5101), VR::CS, "PA");
    o.put_text(Tag(0x0018, 0x7004), VR::CS, "DIRECT");
    o.put_text(Tag(0x0018, 0x7005), VR::CS, "");
    o.put_text(Tag(0x0018, 0x700A), VR::SH, "");
    o.put_text(Tag(0x0020, 0x0020), VR::CS, "L\\F");
    o.put_text(Tag(0x0020, 0x0062), VR::CS, "U");
    o.put_text(Tag(0x0028, 0x0301), VR::CS, "NO");
    // More attenuation, less beam: higher values are brighter (C.8.11.3.1.2).
    o.put_text(Tag(0x0028, 0x1040), VR::CS, "LOG");
    o.put_value(Tag(0x0028, 0x1041), VR::SS, PrimitiveValue::from(-1_i16));
    o.put_decimals(Tag(0x0028, 0x1050), &[x.window.center]);
    o.put_decimals(Tag(0x0028, 0x1051), &[x.window.width]);
    o.put_decimals(Tag(0x0028, 0x1052), &[0.0]);
    o.put_decimals(Tag(0x0028, 0x1053), &[1.0]);
    o.put_text(Tag(0x0028, 0x1054), VR::LO, "US");
    o.put_text(Tag(0x0028, 0x2110), VR::CS, "00");
    o.put_items(Tag(0x0040, 0x0555), Vec::new());
    o.put_text(Tag(0x2050, 0x0020), VR::CS, "IDENTITY");
    let mut view = crate::compose::code_item(&Code::new("399348003", "SCT", "postero-anterior"));
    view.put_items(Tag(0x0054, 0x0222), Vec::new());
    o.put_items(Tag(0x0054, 0x0220), vec![view]);
    pixels(&mut o, &x.frame, 12);
    save(&XRAY, root, 0, o)
}

fn spacing_text([between_rows, between_columns]: [f64; 2]) -> String {
    format!("{between_rows:.3}\\{between_columns:.3}")
}

fn write_mr(root: &Path) -> Result<(), DemoError> {
    let mr = phantom::mr_head()?;
    let geometry = mr.volume.geometry();
    for (k, frame) in mr.volume.slices().iter().enumerate() {
        let Some(frame) = frame else { continue };
        let mut o = header(&MR, "1.2.840.10008.5.1.4.1.1.4", k, k + 1);
        o.put_text(Tag(0x0008, 0x0008), VR::CS, "ORIGINAL\\PRIMARY\\OTHER");
        o.put_text(Tag(0x0018, 0x0020), VR::CS, "GR\\IR");
        o.put_text(Tag(0x0018, 0x0021), VR::CS, "SP\\MP");
        o.put_text(Tag(0x0018, 0x0022), VR::CS, "");
        o.put_text(Tag(0x0018, 0x0023), VR::CS, "3D");
        o.put_text(Tag(0x0018, 0x0080), VR::DS, "2300");
        o.put_text(Tag(0x0018, 0x0081), VR::DS, "2.9");
        o.put_text(Tag(0x0018, 0x0082), VR::DS, "900");
        o.put_text(Tag(0x0018, 0x0087), VR::DS, "3");
        o.put_text(Tag(0x0018, 0x0091), VR::IS, "1");
        o.put_text(Tag(0x0018, 0x1314), VR::DS, "9");
        place(&mut o, &MR, geometry, k, 1.0);
        o.put_decimals(Tag(0x0028, 0x1050), &[mr.window.center]);
        o.put_decimals(Tag(0x0028, 0x1051), &[mr.window.width]);
        pixels(&mut o, frame, 12);
        save(&MR, root, k, o)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dicom_object::open_file;

    use super::*;

    #[test]
    fn the_demo_is_real_dicom_and_is_written_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let study = write_demo_study(dir.path()).expect("written");
        assert_eq!((study.ct.files.len(), study.xray.files.len(), study.mr.files.len()), (120, 1, 176));
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1, "nothing half-done is left");
        let mut uids = std::collections::BTreeSet::new();
        for series in [&study.ct, &study.xray, &study.mr] {
            for path in &series.files {
                let o = open_file(path).expect("opens");
                let text = |tag| o.element(tag).expect("present").to_str().expect("text").into_owned();
                assert_eq!(text(Tag(0x0020, 0x000D)), series.study_uid);
                assert_eq!(text(Tag(0x0020, 0x000E)), series.series_uid);
                assert_eq!(text(Tag(0x0010, 0x0010)), "PHANTOM^Thorax");
                assert!(uids.insert(text(Tag(0x0008, 0x0018))), "each instance has its own UID");
            }
        }
        let before = fs::metadata(&study.ct.files[7]).expect("there").modified().expect("a time");
        assert_eq!(write_demo_study(dir.path()).expect("kept"), study);
        assert_eq!(fs::metadata(&study.ct.files[7]).expect("there").modified().expect("a time"), before);

        // A file that somebody took away comes back.
        fs::remove_file(&study.mr.files[3]).expect("removed");
        assert_eq!(write_demo_study(dir.path()).expect("written again"), study);
        assert!(study.mr.files[3].is_file());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_one_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("a file");
        fs::write(&file, b"x").expect("written");
        let error = write_demo_study(&file).expect_err("no folder").to_string();
        assert!(error.starts_with("the demo study cannot be written: creating the folder failed (not a directory): "));
    }
}
