//! Order, affine and warnings of stacks (PS3.3 C.7.6.2).

use glam::{DMat3, DVec3};
use lightbox_dicom::WarningKind::{
    DuplicateInstance, DuplicateSlice, GantryTilt, MissingFrames, MixedOrientation, MixedSize, NoPosition, SliceGap,
    VaryingSpacing,
};

use crate::series::{
    COLUMNS, IN_ORDER, Lattice, ROWS, SLICES, assert_volume, common, hounsfield, kinds, plane, planes, scanned, slice,
    whole,
};
use crate::writer::DataSet;

const ALL: [f64; SLICES] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];

#[test]
fn every_orientation_keeps_its_place_and_its_values() {
    let (x, y, z) = (DVec3::X, DVec3::Y, DVec3::Z);
    let turn = DMat3::from_rotation_z(0.3) * DMat3::from_rotation_x(0.4) * DMat3::from_rotation_y(-0.2);
    for (row, column) in [(x, y), (y, -z), (x, -z), (x, -y), (-x, y), (-x, -y), (turn * x, turn * y)] {
        let lattice = Lattice::new(row, column);
        let (_folder, series) = scanned(&whole(&lattice, IN_ORDER));
        assert_eq!(series.warnings, []);
        assert_volume(&series.stacks[0], lattice.affine(&ALL), &planes(0));
    }
}

#[test]
fn the_instance_number_does_not_order_slices() {
    let lattice = Lattice::axial();
    for numbers in [[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], [7, 2, 9, 4, 1, 10, 3, 8, 5, 6]] {
        let (_folder, series) = scanned(&whole(&lattice, numbers));
        assert_eq!(series.warnings, []);
        assert_volume(&series.stacks[0], lattice.affine(&ALL), &planes(0));
    }
}

#[test]
fn positions_rule_over_what_the_header_says_of_steps() {
    let lattice = Lattice { spacing: [0.5, 2.0], ..Lattice::axial() };
    let files: Vec<DataSet> = whole(&lattice, IN_ORDER)
        .into_iter()
        .map(|f| f.text(0x0018_0088, "DS", "7").text(0x0018_0050, "DS", "5"))
        .collect();
    let (_folder, series) = scanned(&files);
    assert_eq!(series.warnings, []);
    assert_volume(&series.stacks[0], lattice.affine(&ALL), &planes(0));
}

#[test]
fn a_lean_is_kept_and_named() {
    let column = DVec3::new(0.0, 15_f64.to_radians().cos(), 15_f64.to_radians().sin());
    let lattice = Lattice { step: DVec3::new(0.0, 0.0, 2.5), ..Lattice::new(DVec3::X, column) };
    let (_folder, series) = scanned(&whole(&lattice, IN_ORDER));
    assert_eq!(kinds(&series), [GantryTilt]);
    assert!(series.warnings[0].text.contains("15.0°"), "{}", series.warnings[0].text);
    assert_volume(&series.stacks[0], lattice.affine(&ALL), &planes(0));
}

#[test]
fn a_missing_slice_and_changing_steps_are_told_apart() {
    let lattice = Lattice::axial();
    let mut files = whole(&lattice, IN_ORDER);
    files.remove(4);
    let (_folder, series) = scanned(&files);
    assert_eq!(kinds(&series), [SliceGap]);
    assert!(series.warnings[0].text.contains("after slice 4 the step is 5.00 mm"), "{}", series.warnings[0].text);
    let there = [0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    let mut expected = planes(0);
    expected.remove(4);
    assert_volume(&series.stacks[0], lattice.affine(&there), &expected);

    let at = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0];
    let files: Vec<DataSet> = (0..SLICES).map(|k| slice(&lattice, at[k], &plane(k, 0), k + 1)).collect();
    let (_folder, series) = scanned(&files);
    assert_eq!(kinds(&series), [VaryingSpacing]);
    assert_volume(&series.stacks[0], lattice.affine(&at), &planes(0));
    // The affine has the mean step; each slice still lies where its header says.
    let geometry = series.stacks[0].geometry.as_ref().expect("placed");
    for (k, multiple) in at.into_iter().enumerate() {
        let found = geometry.to_patient(lightbox_core::VoxelPos::new(0.0, 0.0, k as f64)).0;
        assert!(found.distance(lattice.position(multiple)) < 1e-9, "slice {k}");
    }
}

#[test]
fn every_stack_of_a_series_has_a_name_of_its_own() {
    let keys = |files: &[DataSet]| {
        let (_folder, series) = scanned(files);
        series.stacks.iter().map(|s| s.key.clone()).collect::<Vec<_>>()
    };
    let lattice = Lattice::axial();
    // Three scouts, and a fourth that is a second sagittal one of another size.
    let (coronal, sagittal) = (Lattice::new(DVec3::X, -DVec3::Z), Lattice::new(DVec3::Y, -DVec3::Z));
    let files = [
        slice(&lattice, 0.0, &plane(0, 0), 1),
        slice(&coronal, 0.0, &plane(0, 0), 2),
        slice(&sagittal, 0.0, &plane(0, 0), 3),
        slice(&sagittal, 0.0, &plane(0, 0)[..COLUMNS * 6], 4),
    ];
    assert_eq!(keys(&files), ["", "coronal", "sagittal", "16 x 6"]);
    // X-rays without a place, of two sizes and two pixel sizes.
    let flat = |rows: usize, n: usize, mm: f64| {
        common(rows, COLUMNS, n)
            .text(0x0008_0060, "CS", "DX")
            .decimals(0x0018_1164, &[mm, mm])
            .words(0x7FE0_0010, &plane(0, 0)[..COLUMNS * rows])
    };
    assert_eq!(keys(&[flat(ROWS, 1, 0.2), flat(6, 2, 0.2), flat(ROWS, 3, 0.3)]), ["", "16 x 6", "part 2"]);
    // Two phases in two directions.
    let timed = |l: &Lattice, time: &str, n: usize| slice(l, n as f64, &plane(n, 0), n).text(0x0020_0100, "IS", time);
    let mut files = Vec::new();
    for (n, l) in [&lattice, &coronal].into_iter().enumerate() {
        for time in ["1", "2"] {
            files.extend((0..3).map(|k| slice(l, k as f64, &plane(k, 0), 100 * n + k).text(0x0020_0100, "IS", time)));
        }
    }
    let files: Vec<DataSet> =
        files.into_iter().enumerate().map(|(n, f)| f.text(0x0008_0018, "UI", &format!("2.25.9.{n}"))).collect();
    assert_eq!(keys(&files), ["time 1", "time 2", "time 1, coronal", "time 2, coronal"]);
    assert_eq!(keys(&[timed(&lattice, "1", 1)]), [""]);
}

#[test]
fn a_place_does_not_bring_a_projection_into_the_patient() {
    use lightbox_core::measure::Calibration;
    for (modality, calibration) in [("DX", Calibration::Detector), ("CT", Calibration::Patient)] {
        let (_folder, series) =
            scanned(&[slice(&Lattice::axial(), 0.0, &plane(0, 0), 1).text(0x0008_0060, "CS", modality)]);
        assert_eq!(series.stacks[0].calibration, calibration, "{modality}");
        assert!(series.stacks[0].geometry.is_some());
    }
}

#[test]
fn stacks_keep_their_own_frame_of_reference() {
    let lattice = Lattice::axial();
    let mut files = whole(&lattice, IN_ORDER);
    files.push(slice(&lattice, 3.0, &plane(3, 0), 11).text(0x0020_0052, "UI", "2.25.11"));
    let (_folder, series) = scanned(&files);
    let frames: Vec<_> = series.stacks.iter().map(|s| s.frame_of_reference.as_str()).collect();
    assert_eq!(frames, ["2.25.10", "2.25.11"]);
}

#[test]
fn scatter_of_rounding_says_nothing() {
    let lattice = Lattice::axial();
    let files: Vec<DataSet> = (0..SLICES)
        .map(|k| slice(&lattice, k as f64 + if k % 2 == 0 { 2e-4 } else { -2e-4 }, &plane(k, 0), k))
        .collect();
    let (_folder, series) = scanned(&files);
    assert_eq!(series.warnings, []);
}

#[test]
fn duplicates_are_shown_once_and_named() {
    let lattice = Lattice::axial();
    let mut files = whole(&lattice, IN_ORDER);
    files.push(slice(&lattice, 3.0, &plane(3, 0), 40));
    let (_folder, series) = scanned(&files);
    assert_eq!(kinds(&series), [DuplicateSlice]);
    assert_volume(&series.stacks[0], lattice.affine(&ALL), &planes(0));

    let mut files = whole(&lattice, IN_ORDER);
    files.push(files[3].clone());
    let (_folder, series) = scanned(&files);
    assert_eq!(kinds(&series), [DuplicateInstance]);
    assert_volume(&series.stacks[0], lattice.affine(&ALL), &planes(0));
}

#[test]
fn a_scout_and_a_stray_size_are_stacks_of_their_own() {
    let lattice = Lattice::axial();
    let scout = Lattice { origin: DVec3::new(-20.0, 20.0, -10.0), ..Lattice::new(DVec3::X, -DVec3::Z) };
    let mut files = whole(&lattice, IN_ORDER);
    files.push(slice(&scout, 0.0, &plane(0, 100), 11));
    let (_folder, series) = scanned(&files);
    assert_eq!(kinds(&series), [MixedOrientation]);
    assert_eq!(series.volumes().len(), 2);
    assert_volume(series.volumes()[0], lattice.affine(&ALL), &planes(0));
    assert_volume(series.volumes()[1], scout.affine(&[0.0]), &[hounsfield(&plane(0, 100))]);

    let mut files = whole(&lattice, IN_ORDER);
    files.push(slice(&lattice, 12.0, &plane(0, 0)[..COLUMNS * 6], 11));
    let (_folder, series) = scanned(&files);
    assert_eq!(kinds(&series), [MixedSize]);
    assert_eq!((series.stacks.len(), series.volumes().len()), (2, 1));
    assert_volume(series.volumes()[0], lattice.affine(&ALL), &planes(0));
}

#[test]
fn an_image_without_a_place_is_no_volume() {
    let (_folder, series) =
        scanned(&[common(ROWS, COLUMNS, 1).text(0x0008_0060, "CS", "OT").words(0x7FE0_0010, &plane(0, 0))]);
    assert_eq!(kinds(&series), [NoPosition]);
    assert_eq!(series.volumes().len(), 0);
    let stack = &series.stacks[0];
    assert_eq!((stack.is_volume, stack.pixel_spacing_mm), (false, None));
    let error = lightbox_dicom::volume::load(stack, &|_, _| {}, &|| false).expect_err("no volume").to_string();
    assert_eq!(error, "this series is not a volume: its images have no position in the patient");
}

#[test]
fn frames_that_the_pixel_data_lacks_are_missing() {
    let lattice = Lattice::axial();
    let pixels: Vec<i16> = (0..9).flat_map(|k| plane(k, 0)).collect();
    let per_frame: Vec<DataSet> = (0..SLICES)
        .map(|k| {
            let position = DataSet::new().decimals(0x0020_0032, &lattice.position(k as f64).to_array());
            DataSet::new().items(0x0020_9113, &[position])
        })
        .collect();
    let file = crate::splitting::enhanced(&lattice, per_frame, &pixels);
    let (_folder, series) = scanned(&[file]);
    assert_eq!(kinds(&series), [MissingFrames]);
    assert_volume(&series.stacks[0], lattice.affine(&ALL[..9]), &planes(0)[..9]);
}
