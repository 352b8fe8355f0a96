//! Frames at the same positions told apart, and enhanced multi-frame objects (PS3.3 C.7.6.16).

use lightbox_dicom::WarningKind::DuplicateSlice;

use crate::series::{
    COLUMNS, Lattice, MR, ROWS, SLICES, assert_volume, common, hounsfield, kinds, plane, planes, scanned, slice,
};
use crate::writer::DataSet;

const ENHANCED_MR: &str = "1.2.840.10008.5.1.4.1.1.4.1";
const ALL: [f64; SLICES] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];

/// An enhanced image with shared orientation, spacing and rescale.
pub(crate) fn enhanced(lattice: &Lattice, per_frame: Vec<DataSet>, pixels: &[i16]) -> DataSet {
    let measures = DataSet::new().decimals(0x0028_0030, &lattice.spacing).decimals(0x0018_0050, &[2.5]);
    let cosines = [lattice.row.to_array(), lattice.column.to_array()].concat();
    let shared = DataSet::new()
        .items(0x0028_9110, &[measures])
        .items(0x0020_9116, &[DataSet::new().decimals(0x0020_0037, &cosines)])
        .items(0x0028_9145, &[DataSet::new().decimals(0x0028_1052, &[-1024.0]).decimals(0x0028_1053, &[1.0])]);
    common(ROWS, COLUMNS, 1)
        .text(0x0008_0016, "UI", ENHANCED_MR)
        .text(0x0008_0060, "CS", "MR")
        .text(0x0028_0008, "IS", &per_frame.len().to_string())
        .items(0x5200_9229, &[shared])
        .items(0x5200_9230, &per_frame)
        .words(0x7FE0_0010, pixels)
}

/// Functional groups of a frame: its place, and what else is in its frame content.
fn frame(lattice: &Lattice, k: usize, content: DataSet) -> DataSet {
    let position = DataSet::new().decimals(0x0020_0032, &lattice.position(k as f64).to_array());
    DataSet::new().items(0x0020_9113, &[position]).items(0x0020_9111, &[content])
}

#[test]
fn classic_series_split_by_the_key_that_differs() {
    let lattice = Lattice::axial();
    let keys: [(u32, &str, [&str; 2], [&str; 2]); 6] = [
        (0x0020_0100, "IS", ["1", "2"], ["time 1", "time 2"]),
        (0x0018_0086, "IS", ["1", "2"], ["echo 1", "echo 2"]),
        (0x0018_0081, "DS", ["10", "20"], ["TE 10 ms", "TE 20 ms"]),
        (0x0018_9087, "DS", ["0", "1000"], ["b 0", "b 1000"]),
        (0x0020_0012, "IS", ["1", "2"], ["acquisition 1", "acquisition 2"]),
        (0x0018_1060, "DS", ["0", "410.5"], ["trigger 0 ms", "trigger 410.5 ms"]),
    ];
    for (tag, vr, values, labels) in keys {
        let mut files = Vec::new();
        for (g, value) in values.iter().enumerate() {
            for k in 0..SLICES {
                // Interleaved instance numbers: they do not tell the volumes apart.
                let file = slice(&lattice, k as f64, &plane(k, 100 * g as i16), 2 * k + g + 1);
                files.push(file.text(0x0008_0016, "UI", MR).text(0x0008_0060, "CS", "MR").text(tag, vr, value));
            }
        }
        let (_folder, series) = scanned(&files);
        assert_eq!(series.warnings, [], "{labels:?}");
        assert_eq!(series.volumes().iter().map(|s| s.key.as_str()).collect::<Vec<_>>(), labels);
        for (g, stack) in series.volumes().into_iter().enumerate() {
            assert_volume(stack, lattice.affine(&ALL), &planes(100 * g as i16));
        }
    }
}

#[test]
fn rounds_without_a_key_are_split_by_number_with_a_warning() {
    let lattice = Lattice::axial();
    let files: Vec<DataSet> = (0..2)
        .flat_map(|g| (0..SLICES).map(move |k| (g, k)))
        .map(|(g, k)| slice(&lattice, k as f64, &plane(k, 100 * g as i16), g * SLICES + k + 1))
        .collect();
    let (_folder, series) = scanned(&files);
    assert_eq!(kinds(&series), [DuplicateSlice]);
    assert_eq!(series.volumes().len(), 2);
    for (g, stack) in series.volumes().into_iter().enumerate() {
        assert_volume(stack, lattice.affine(&ALL), &planes(100 * g as i16));
    }
}

#[test]
fn frames_of_an_enhanced_object_are_sorted_by_place() {
    let lattice = Lattice::axial();
    let order = [4, 0, 9, 2, 7, 1, 8, 3, 6, 5];
    let per_frame = order.iter().map(|&k| frame(&lattice, k, DataSet::new())).collect();
    let pixels: Vec<i16> = order.iter().flat_map(|&k| plane(k, 0)).collect();
    let (_folder, series) = scanned(&[enhanced(&lattice, per_frame, &pixels)]);
    assert_eq!(series.warnings, []);
    assert_volume(&series.stacks[0], lattice.affine(&ALL), &planes(0));
}

#[test]
fn times_of_an_enhanced_object_are_volumes() {
    let lattice = Lattice::axial();
    let order: Vec<(usize, usize)> = (0..SLICES).flat_map(|k| (0..2).map(move |g| (g, k))).collect();
    let content = |g: usize| {
        let index = crate::writer::element(0x0020_9128, "UL", &(g as u32 + 1).to_le_bytes());
        DataSet::new().raw(0x0020_9128, index)
    };
    let per_frame = order.iter().map(|&(g, k)| frame(&lattice, k, content(g))).collect();
    let pixels: Vec<i16> = order.iter().flat_map(|&(g, k)| plane(k, 100 * g as i16)).collect();
    let (_folder, series) = scanned(&[enhanced(&lattice, per_frame, &pixels)]);
    assert_eq!(series.warnings, []);
    assert_eq!(series.volumes().len(), 2);
    for (g, stack) in series.volumes().into_iter().enumerate() {
        assert_volume(stack, lattice.affine(&ALL), &planes(100 * g as i16));
    }
}

#[test]
fn a_concatenation_is_one_stack() {
    let lattice = Lattice::axial();
    let part = |range: std::ops::Range<usize>, number: usize| {
        let per_frame = range.clone().map(|k| frame(&lattice, k, DataSet::new())).collect();
        let pixels: Vec<i16> = range.clone().flat_map(|k| plane(k, 0)).collect();
        enhanced(&lattice, per_frame, &pixels)
            .text(0x0008_0018, "UI", &format!("2.25.9.{number}"))
            .text(0x0020_0013, "IS", &number.to_string())
            .text(0x0020_9161, "UI", "2.25.11")
            .raw(0x0020_9228, crate::writer::element(0x0020_9228, "UL", &(range.start as u32).to_le_bytes()))
    };
    let (_folder, series) = scanned(&[part(6..10, 2), part(0..6, 1)]);
    assert_eq!(series.warnings, []);
    assert_volume(&series.stacks[0], lattice.affine(&ALL), &planes(0));
}

#[test]
fn slopes_that_differ_from_slice_to_slice_are_each_applied() {
    let lattice = Lattice::axial();
    let slope = |k: usize| 1.0 + 0.125 * k as f64;
    let files: Vec<DataSet> = (0..SLICES)
        .map(|k| slice(&lattice, k as f64, &plane(k, 0), k + 1).decimals(0x0028_1053, &[slope(k)]))
        .collect();
    let (_folder, series) = scanned(&files);
    let expected: Vec<Vec<f32>> =
        (0..SLICES).map(|k| plane(k, 0).iter().map(|&v| (f64::from(v) * slope(k) - 1024.0) as f32).collect()).collect();
    assert_volume(&series.stacks[0], lattice.affine(&ALL), &expected);

    // In an enhanced object the slope may stand in each frame's own group, nothing being shared.
    let per_frame: Vec<DataSet> = (0..SLICES)
        .map(|k| {
            let values = DataSet::new().decimals(0x0028_1052, &[-1024.0]).decimals(0x0028_1053, &[slope(k)]);
            frame(&lattice, k, DataSet::new()).items(0x0028_9145, &[values])
        })
        .collect();
    let pixels: Vec<i16> = (0..SLICES).flat_map(|k| plane(k, 0)).collect();
    let (_folder, series) = scanned(&[enhanced(&lattice, per_frame, &pixels)]);
    assert_volume(&series.stacks[0], lattice.affine(&ALL), &expected);
    assert_ne!(expected[3], hounsfield(&plane(3, 0)));
}
