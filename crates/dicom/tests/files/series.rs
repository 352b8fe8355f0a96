//! Phantom series with known geometry. Every stored value occurs once in a volume and a mark is asymmetric, so that any
//! flip, swap or shuffle shows.

use std::path::Path;

use glam::DVec3;
use lightbox_dicom::{Series, Stack, WarningKind, scan, volume};

use crate::writer::{DataSet, EXPLICIT, decimal};

pub(crate) const COLUMNS: usize = 16;
pub(crate) const ROWS: usize = 12;
pub(crate) const SLICES: usize = 10;
pub(crate) const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
pub(crate) const MR: &str = "1.2.840.10008.5.1.4.1.1.4";

/// Stored values of one slice.
pub(crate) fn plane(slice: usize, extra: i16) -> Vec<i16> {
    let mut v = Vec::with_capacity(ROWS * COLUMNS);
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let mark = (4..6).contains(&column) && (2..10).contains(&row) || slice < 3 && column > 12 && row < 4;
            v.push((slice * ROWS * COLUMNS + row * COLUMNS + column) as i16 + if mark { 8000 } else { 0 } + extra);
        }
    }
    v
}

/// A plane lattice in the patient, as the decimal strings of its header read back.
#[derive(Debug, Clone)]
pub(crate) struct Lattice {
    pub(crate) row: DVec3,
    pub(crate) column: DVec3,
    pub(crate) origin: DVec3,
    /// `[between rows, between columns]` in mm.
    pub(crate) spacing: [f64; 2],
    pub(crate) step: DVec3,
}

fn read_back(v: DVec3) -> DVec3 {
    DVec3::from(v.to_array().map(|x| decimal(x).parse().expect("a number")))
}

impl Lattice {
    pub(crate) fn new(row: DVec3, column: DVec3) -> Self {
        let (row, column) = (read_back(row), read_back(column));
        Self {
            row,
            column,
            origin: DVec3::new(-20.5, 13.25, -47.75),
            spacing: [1.25, 0.8],
            step: row.cross(column).normalize() * 2.5,
        }
    }

    pub(crate) fn axial() -> Self {
        Self::new(DVec3::X, DVec3::Y)
    }

    pub(crate) fn position(&self, k: f64) -> DVec3 {
        read_back(self.origin + self.step * k)
    }

    /// Rows of the affine of slices at multiples `ks` of the step.
    pub(crate) fn affine(&self, ks: &[f64]) -> [[f64; 4]; 4] {
        let (first, last) = (self.position(ks[0]), self.position(ks[ks.len() - 1]));
        let step = if ks.len() > 1 { (last - first) / (ks.len() - 1) as f64 } else { self.step };
        let (r, c) = (self.row * self.spacing[1], self.column * self.spacing[0]);
        [[r.x, c.x, step.x, first.x], [r.y, c.y, step.y, first.y], [r.z, c.z, step.z, first.z], [0.0, 0.0, 0.0, 1.0]]
    }
}

/// A slice with all that a classic image needs.
pub(crate) fn slice(lattice: &Lattice, k: f64, pixels: &[i16], instance: usize) -> DataSet {
    common(pixels.len() / COLUMNS, COLUMNS, instance)
        .decimals(0x0020_0032, &lattice.position(k).to_array())
        .decimals(0x0020_0037, &[lattice.row.to_array(), lattice.column.to_array()].concat())
        .decimals(0x0028_0030, &lattice.spacing)
        .decimals(0x0018_0050, &[lattice.step.length()])
        .decimals(0x0028_1052, &[-1024.0])
        .decimals(0x0028_1053, &[1.0])
        .words(0x7FE0_0010, pixels)
}

/// Patient, study, series and image pixel attributes without a place.
pub(crate) fn common(rows: usize, columns: usize, instance: usize) -> DataSet {
    DataSet::new()
        .text(0x0008_0005, "CS", "ISO_IR 192")
        .text(0x0008_0016, "UI", CT)
        .text(0x0008_0018, "UI", &format!("2.25.9.{instance}"))
        .text(0x0008_0020, "DA", "20200102")
        .text(0x0008_0060, "CS", "CT")
        .text(0x0010_0010, "PN", "PHANTOM^SERIES")
        .text(0x0010_0020, "LO", "PHANTOM")
        .text(0x0020_000D, "UI", "2.25.7")
        .text(0x0020_000E, "UI", "2.25.8")
        .text(0x0020_0013, "IS", &instance.to_string())
        .text(0x0020_0052, "UI", "2.25.10")
        .u16(0x0028_0002, 1)
        .text(0x0028_0004, "CS", "MONOCHROME2")
        .u16(0x0028_0010, rows as u16)
        .u16(0x0028_0011, columns as u16)
        .u16(0x0028_0100, 16)
        .u16(0x0028_0101, 16)
        .u16(0x0028_0102, 15)
        .u16(0x0028_0103, 1)
}

/// Ten slices at whole steps, instance numbers as given.
pub(crate) fn whole(lattice: &Lattice, instances: [usize; SLICES]) -> Vec<DataSet> {
    (0..SLICES).map(|k| slice(lattice, k as f64, &plane(k, 0), instances[k])).collect()
}

pub(crate) const IN_ORDER: [usize; SLICES] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/// Writes the files under names whose order means nothing.
pub(crate) fn write(folder: &Path, files: &[DataSet]) {
    for (n, file) in files.iter().enumerate() {
        let name = format!("{:03}-{n}", (n * 37 + 11) % 101);
        std::fs::write(folder.join(name), file.file(EXPLICIT)).expect("written");
    }
}

/// Writes, scans and gives the only series.
pub(crate) fn scanned(files: &[DataSet]) -> (tempfile::TempDir, Series) {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), files);
    let index = scan(&[folder.path().to_path_buf()], &mut |_| std::ops::ControlFlow::Continue(()));
    let [study] = index.studies.as_slice() else { panic!("one study, not {:?}", index) };
    let [series] = study.series.as_slice() else { panic!("one series, not {}", study.series.len()) };
    (folder, series.clone())
}

pub(crate) fn kinds(series: &Series) -> Vec<WarningKind> {
    series.warnings.iter().map(|w| w.kind).collect()
}

/// Compares a stack with what was put in: affine within 1e-4 mm, every value after rescale.
pub(crate) fn assert_volume(stack: &Stack, affine: [[f64; 4]; 4], planes: &[Vec<f32>]) {
    let (v, warnings) = volume::load(stack, &|_, _| {}, &|| false).expect("a volume");
    assert_eq!(warnings, []);
    assert_eq!(v.geometry().dims(), [COLUMNS, planes[0].len() / COLUMNS, planes.len()]);
    let found = v.geometry().affine_lps();
    for (a, b) in found.iter().flatten().zip(affine.iter().flatten()) {
        assert!((a - b).abs() < 1e-4, "{found:?} is not {affine:?}");
    }
    for (k, plane) in planes.iter().enumerate() {
        assert_eq!(v.slice(k).expect("loaded").values(), *plane, "slice {k}");
    }
}

/// Values after a rescale by 1 and -1024.
pub(crate) fn hounsfield(stored: &[i16]) -> Vec<f32> {
    stored.iter().map(|&v| f32::from(v) - 1024.0).collect()
}

pub(crate) fn planes(extra: i16) -> Vec<Vec<f32>> {
    (0..SLICES).map(|k| hounsfield(&plane(k, extra))).collect()
}
