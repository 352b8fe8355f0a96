//! A study made up in code, for tests.

use std::path::PathBuf;
use std::sync::Arc;

use lightbox_core::measure::Calibration;
use lightbox_core::{PatientPos, VolumeGeometry};
use lightbox_dicom::{FrameRef, Patient, Series, Source, Stack, Study};

/// A stack of `count` frames of 32 by 32 pixels of 1 mm, in the patient when it is a volume.
pub(crate) fn stack(count: usize, is_volume: bool) -> Stack {
    let axis = |x, y, z| PatientPos::new(x, y, z).0;
    let geometry = VolumeGeometry::from_dicom(
        [32, 32, count],
        PatientPos::default(),
        axis(1.0, 0.0, 0.0),
        axis(0.0, 1.0, 0.0),
        [1.0, 1.0],
        axis(0.0, 0.0, 1.0),
    );
    let file = Arc::new(PathBuf::from("made-up.dcm"));
    let frame = |i: usize| FrameRef {
        source: Source::File(Arc::clone(&file)),
        frame: i,
        sop_class_uid: String::new(),
        sop_instance_uid: format!("1.2.3.{i}"),
        instance_number: Some(i as i64 + 1),
        position: is_volume.then_some([0.0, 0.0, i as f64]),
    };
    Stack {
        frame_of_reference: String::new(),
        key: String::new(),
        columns: 32,
        rows: 32,
        frames: (0..count).map(frame).collect(),
        geometry: geometry.ok().filter(|_| is_volume),
        is_volume,
        thickness_mm: None,
        pixel_spacing_mm: Some([1.0, 1.0]),
        calibration: Calibration::Detector,
        patient_orientation: None,
        windows: Vec::new(),
        inverted: false,
        unit: String::new(),
        lossy: false,
    }
}

/// A study of one series with one stack.
pub(crate) fn study(uid: &str, stack: Stack) -> Study {
    let series = Series {
        uid: format!("{uid}.1"),
        modality: "CT".into(),
        frames: stack.frames.len(),
        stacks: vec![stack],
        ..Series::default()
    };
    Study { uid: uid.into(), patient: Patient::default(), series: vec![series], ..Study::default() }
}
