//! Uneven and leaning stacks made regular. The values are a linear function of the place, which trilinear interpolation
//! gives back exactly wherever it is.

use glam::DVec3;
use lightbox_core::VoxelPos;
use lightbox_dicom::{WarningKind, volume};

use crate::series::{COLUMNS, IN_ORDER, Lattice, ROWS, SLICES, scanned, slice, whole};
use crate::writer::DataSet;

/// A slope in each direction, in stored units per mm; large enough that rounding to whole numbers is small against it.
fn field(p: DVec3) -> f64 {
    3000.0 + 40.0 * p.x - 30.0 * p.y + 50.0 * p.z
}

fn sampled(lattice: &Lattice, k: f64) -> Vec<i16> {
    (0..ROWS * COLUMNS)
        .map(|i| {
            let (column, row) = ((i % COLUMNS) as f64, (i / COLUMNS) as f64);
            let p = lattice.position(k)
                + lattice.row * lattice.spacing[1] * column
                + lattice.column * lattice.spacing[0] * row;
            field(p).round() as i16
        })
        .collect()
}

/// Resamples slices at multiples of the step and checks every voxel; returns the new dimensions and how many voxels lie
/// inside the slices.
fn check(lattice: &Lattice, at: &[f64], step_mm: f64) -> ([usize; 3], usize) {
    let files: Vec<DataSet> =
        at.iter().enumerate().map(|(i, &k)| slice(lattice, k, &sampled(lattice, k), i + 1)).collect();
    let (_folder, series) = scanned(&files);
    let stack = series.volumes()[0];
    let (loaded, _) = volume::load(stack, &|_, _| {}, &|| false).expect("a volume");
    let (regular, warnings) = volume::resample(&loaded, stack).expect("resampled");
    assert_eq!(warnings.iter().map(|w| w.kind).collect::<Vec<_>>(), [WarningKind::Resampled]);
    let g = regular.geometry();
    assert!(g.is_orthogonal(1e-6));
    assert!((g.spacing_mm()[2] - step_mm).abs() < 1e-6, "{:?}", g.spacing_mm());
    let least = loaded.slices().iter().flatten().filter_map(|f| f.range()).map(|r| r.0).fold(f32::MAX, f32::min);
    let [columns, rows, slices] = g.dims();
    let mut inside = 0;
    for k in 0..slices {
        for row in 0..rows {
            for column in 0..columns {
                let value = regular.value([column, row, k]).expect("loaded");
                let p = g.to_patient(VoxelPos::new(column as f64, row as f64, k as f64)).0;
                // Where the straight line between slices runs outside their edges, nothing is known.
                let expected = (field(p) - 1024.0) as f32;
                if (value - expected).abs() <= 1.0 {
                    inside += 1;
                } else {
                    let edge = row < 1 || column < 1 || row + 1 >= rows || column + 1 >= columns || rows > ROWS;
                    assert!(value == least || edge, "{column} {row} {k}: {value} is not {expected}");
                }
            }
        }
    }
    (g.dims(), inside)
}

#[test]
fn changing_steps_become_even() {
    let at = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0];
    let (dims, inside) = check(&Lattice::axial(), &at, 2.5);
    assert_eq!(dims, [COLUMNS, ROWS, 15]);
    assert_eq!(inside, COLUMNS * ROWS * 15);
}

#[test]
fn a_gap_is_bridged() {
    let (dims, inside) = check(&Lattice::axial(), &[0.0, 1.0, 2.0, 3.0, 5.0, 6.0], 2.5);
    assert_eq!((dims, inside), ([COLUMNS, ROWS, 7], COLUMNS * ROWS * 7));
}

#[test]
fn a_leaning_stack_stands_upright_on_a_wider_grid() {
    let (sin, cos) = 15_f64.to_radians().sin_cos();
    let lattice = Lattice { step: DVec3::new(0.0, 0.0, 2.5), ..Lattice::new(DVec3::X, DVec3::new(0.0, cos, sin)) };
    let at: Vec<f64> = (0..SLICES).map(|k| k as f64).collect();
    let (dims, inside) = check(&lattice, &at, 2.5 * cos);
    // Ten slices shift by 9 x 2.5 mm x sin 15° = 5.8 mm, 4.7 rows of 1.25 mm.
    assert_eq!(dims, [COLUMNS, ROWS + 5, SLICES]);
    assert!(inside >= COLUMNS * (ROWS - 1) * SLICES, "{inside}");
}

#[test]
fn what_is_regular_stays_as_it_is() {
    let (_folder, series) = scanned(&whole(&Lattice::axial(), IN_ORDER));
    let stack = series.volumes()[0];
    let (loaded, _) = volume::load(stack, &|_, _| {}, &|| false).expect("a volume");
    let (same, warnings) = volume::resample(&loaded, stack).expect("regular");
    assert_eq!(warnings, []);
    assert!(same.geometry().matches(loaded.geometry(), 0.0));
    assert_eq!(same.slice(4), loaded.slice(4));
}

#[test]
fn a_single_slice_cannot_be_resampled() {
    let lattice = Lattice::axial();
    let (_folder, series) = scanned(&[slice(&lattice, 0.0, &sampled(&lattice, 0.0), 1)]);
    let stack = series.volumes()[0];
    let (loaded, _) = volume::load(stack, &|_, _| {}, &|| false).expect("one slice");
    let error = volume::resample(&loaded, stack).expect_err("one slice").to_string();
    assert_eq!(error, "this series is not a volume: it has a single slice");
}
