//! Synthetic series of every orientation, written as real files and found by the scan.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use glam::DVec3;
use lightbox_dicom::{Stack, scan};

/// How a series lies in the patient.
#[derive(Debug, Clone)]
pub(crate) struct Lattice {
    pub(crate) name: &'static str,
    /// Columns, rows, slices.
    pub(crate) dims: [usize; 3],
    /// `[between rows, between columns]` in mm.
    pub(crate) spacing_mm: [f64; 2],
    pub(crate) origin: DVec3,
    pub(crate) row: DVec3,
    pub(crate) column: DVec3,
    /// From slice to slice, mm.
    pub(crate) step: DVec3,
}

impl Lattice {
    pub(crate) fn position(&self, slice: usize) -> DVec3 {
        self.origin + self.step * slice as f64
    }
}

fn turned(v: DVec3) -> DVec3 {
    // Two turns, so that no cosine is 0 or 1.
    let (a, b) = (0.31_f64, -0.47_f64);
    let v = DVec3::new(v.x * a.cos() - v.y * a.sin(), v.x * a.sin() + v.y * a.cos(), v.z);
    DVec3::new(v.x, v.y * b.cos() - v.z * b.sin(), v.y * b.sin() + v.z * b.cos())
}

/// The cases of viewer.md, complaints 6 to 10: each was wrong in some viewer.
pub(crate) fn lattices() -> Vec<Lattice> {
    let base = Lattice {
        name: "axial",
        dims: [24, 16, 7],
        spacing_mm: [0.8, 0.8],
        origin: DVec3::new(-12.3, 45.6, -78.9),
        row: DVec3::X,
        column: DVec3::Y,
        step: DVec3::Z * 2.5,
    };
    let of = |name| Lattice { name, ..base.clone() };
    let tilt = 18.5_f64.to_radians();
    vec![
        base.clone(),
        Lattice { row: DVec3::Y, column: -DVec3::Z, step: DVec3::X * 3.0, ..of("sagittal") },
        Lattice { row: DVec3::X, column: -DVec3::Z, step: DVec3::Y * 2.0, ..of("coronal") },
        Lattice { row: turned(DVec3::X), column: turned(DVec3::Y), step: turned(DVec3::Z) * 1.7, ..of("oblique") },
        Lattice { row: -DVec3::X, column: -DVec3::Y, step: DVec3::Z * -2.5, ..of("reversed") },
        Lattice { spacing_mm: [1.3, 0.7], step: DVec3::Z * 5.5, ..of("anisotropic") },
        Lattice { step: DVec3::new(0.0, tilt.sin(), tilt.cos()) * 4.0, ..of("tilted") },
        Lattice { dims: [1, 1, 3], ..of("one-pixel") },
        Lattice { dims: [13, 7, 5], ..of("odd-columns") },
        Lattice { dims: [9, 11, 1], ..of("one-slice") },
    ]
}

pub(crate) fn put(o: &mut InMemDicomObject, tag: (u16, u16), vr: VR, value: &str) {
    let value = if value.is_empty() { PrimitiveValue::Empty } else { PrimitiveValue::from(value) };
    o.put(DataElement::new(Tag(tag.0, tag.1), vr, value));
}

fn put_u16(o: &mut InMemDicomObject, tag: (u16, u16), value: u16) {
    o.put(DataElement::new(Tag(tag.0, tag.1), VR::US, PrimitiveValue::from(value)));
}

fn numbers(values: &[f64]) -> String {
    // Sixteen characters are all that a decimal string has.
    let text = |v: &f64| {
        let mut s = format!("{v:.13}");
        s.truncate(16);
        s
    };
    values.iter().map(text).collect::<Vec<_>>().join("\\")
}

/// UIDs under a root for examples.
pub(crate) fn uid(case: &str, rest: &str) -> String {
    let number = case.bytes().fold(7_u64, |h, b| h.wrapping_mul(131).wrapping_add(u64::from(b)) % 1_000_000_007);
    format!("1.2.826.0.1.3680043.8.498.{number}.{rest}")
}

fn common(case: &str, class: &str, modality: &str, instance: usize) -> InMemDicomObject {
    let mut o = InMemDicomObject::new_empty();
    put(&mut o, (0x0008, 0x0005), VR::CS, "ISO_IR 100");
    put(&mut o, (0x0008, 0x0016), VR::UI, class);
    put(&mut o, (0x0008, 0x0018), VR::UI, &uid(case, &format!("3.{instance}")));
    for tag in [(0x0008, 0x0020), (0x0008, 0x0021), (0x0008, 0x0023)] {
        put(&mut o, tag, VR::DA, "20261118");
    }
    for tag in [(0x0008, 0x0030), (0x0008, 0x0031), (0x0008, 0x0033)] {
        put(&mut o, tag, VR::TM, "101500");
    }
    put(&mut o, (0x0008, 0x0050), VR::SH, "A1");
    put(&mut o, (0x0008, 0x0060), VR::CS, modality);
    put(&mut o, (0x0008, 0x0070), VR::LO, "Test");
    put(&mut o, (0x0008, 0x0090), VR::PN, "");
    put(&mut o, (0x0008, 0x103E), VR::LO, case);
    put(&mut o, (0x0010, 0x0010), VR::PN, "Mustermann^J\u{f6}rg");
    put(&mut o, (0x0010, 0x0020), VR::LO, "T-1");
    put(&mut o, (0x0010, 0x0030), VR::DA, "");
    put(&mut o, (0x0010, 0x0040), VR::CS, "M");
    put(&mut o, (0x0020, 0x000D), VR::UI, &uid(case, "1"));
    put(&mut o, (0x0020, 0x000E), VR::UI, &uid(case, "2"));
    put(&mut o, (0x0020, 0x0010), VR::SH, "1");
    put(&mut o, (0x0020, 0x0011), VR::IS, "1");
    put(&mut o, (0x0020, 0x0012), VR::IS, "1");
    put(&mut o, (0x0020, 0x0013), VR::IS, &(instance + 1).to_string());
    o
}

fn pixels(o: &mut InMemDicomObject, [columns, rows, frames]: [usize; 3]) {
    put_u16(o, (0x0028, 0x0002), 1);
    put(o, (0x0028, 0x0004), VR::CS, "MONOCHROME2");
    put_u16(o, (0x0028, 0x0010), rows as u16);
    put_u16(o, (0x0028, 0x0011), columns as u16);
    put_u16(o, (0x0028, 0x0100), 16);
    put_u16(o, (0x0028, 0x0101), 16);
    put_u16(o, (0x0028, 0x0102), 15);
    put_u16(o, (0x0028, 0x0103), 0);
    let words: Vec<u16> = (0..columns * rows * frames).map(|i| (i % 4096) as u16).collect();
    o.put(DataElement::new(Tag(0x7FE0, 0x0010), VR::OW, PrimitiveValue::U16(words.into())));
}

fn save(path: &Path, o: InMemDicomObject) {
    o.with_meta(FileMetaTableBuilder::new().transfer_syntax("1.2.840.10008.1.2.1"))
        .expect("a class and an instance")
        .write_to_file(path)
        .expect("written");
}

/// Writes a CT series; `frame_of_reference` tells the coordinate systems of two series apart.
pub(crate) fn write_ct(dir: &Path, case: &str, lattice: &Lattice, frame_of_reference: &str) -> Vec<PathBuf> {
    std::fs::create_dir_all(dir).expect("a folder");
    (0..lattice.dims[2])
        .map(|k| {
            let mut o = common(case, "1.2.840.10008.5.1.4.1.1.2", "CT", k);
            put(&mut o, (0x0008, 0x0008), VR::CS, "ORIGINAL\\PRIMARY\\AXIAL");
            put(&mut o, (0x0018, 0x0050), VR::DS, "2.5");
            put(&mut o, (0x0018, 0x0060), VR::DS, "120");
            put(&mut o, (0x0018, 0x5100), VR::CS, "HFS");
            put(&mut o, (0x0020, 0x0032), VR::DS, &numbers(&lattice.position(k).to_array()));
            let cosines = [lattice.row.to_array(), lattice.column.to_array()].concat();
            put(&mut o, (0x0020, 0x0037), VR::DS, &numbers(&cosines));
            put(&mut o, (0x0020, 0x0052), VR::UI, frame_of_reference);
            put(&mut o, (0x0020, 0x1040), VR::LO, "");
            put(&mut o, (0x0028, 0x0030), VR::DS, &numbers(&lattice.spacing_mm));
            put(&mut o, (0x0028, 0x1052), VR::DS, "-1024");
            put(&mut o, (0x0028, 0x1053), VR::DS, "1");
            put(&mut o, (0x0028, 0x1054), VR::LO, "HU");
            pixels(&mut o, [lattice.dims[0], lattice.dims[1], 1]);
            // Names in an order of their own: the scan must sort by position.
            let path = dir.join(format!("{:03}.dcm", (k * 5 + 3) % 8 * 10 + k));
            save(&path, o);
            path
        })
        .collect()
}

/// Writes one multi-frame file without a place in the patient.
pub(crate) fn write_multi_frame(dir: &Path, case: &str, dims: [usize; 3]) -> PathBuf {
    std::fs::create_dir_all(dir).expect("a folder");
    let mut o = common(case, "1.2.840.10008.5.1.4.1.1.7.3", "OT", 0);
    put(&mut o, (0x0008, 0x0008), VR::CS, "DERIVED\\SECONDARY");
    put(&mut o, (0x0008, 0x0064), VR::CS, "SYN");
    put(&mut o, (0x0018, 0x2002), VR::SL, "");
    o.remove_element(Tag(0x0018, 0x2002));
    put(&mut o, (0x0020, 0x0020), VR::CS, "");
    put(&mut o, (0x0028, 0x0008), VR::IS, &dims[2].to_string());
    put(&mut o, (0x0028, 0x0301), VR::CS, "NO");
    put(&mut o, (0x0028, 0x1052), VR::DS, "0");
    put(&mut o, (0x0028, 0x1053), VR::DS, "1");
    put(&mut o, (0x0028, 0x1054), VR::LO, "US");
    put(&mut o, (0x2050, 0x0020), VR::CS, "IDENTITY");
    o.put(DataElement::new(
        Tag(0x0028, 0x0009),
        VR::AT,
        PrimitiveValue::Tags([Tag(0x0018, 0x2002)].into_iter().collect()),
    ));
    let labels: String = (0..dims[2]).map(|k| format!("{k}")).collect::<Vec<_>>().join("\\");
    put(&mut o, (0x0018, 0x2002), VR::SH, &labels);
    pixels(&mut o, dims);
    let path = dir.join("frames.dcm");
    save(&path, o);
    path
}

/// The only stack under a folder.
pub(crate) fn stack(dir: &Path) -> Stack {
    let index = scan(&[dir.to_path_buf()], &mut |_| ControlFlow::Continue(()));
    assert!(index.skipped.is_empty(), "{:?}", index.skipped);
    let mut stacks: Vec<Stack> = index.studies.into_iter().flat_map(|s| s.series).flat_map(|s| s.stacks).collect();
    assert_eq!(stacks.len(), 1);
    stacks.remove(0)
}
