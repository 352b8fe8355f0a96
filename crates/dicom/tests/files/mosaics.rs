//! Siemens mosaics: tiles of one image as the slices of a volume.

use std::path::Path;

use glam::DVec3;
use lightbox_dicom::{FrameSelection, Opener, volume};

use crate::outcome::scanned;
use crate::series::{COLUMNS, Lattice, ROWS, plane, slice};
use crate::writer::{DataSet, EXPLICIT, element};

/// A CSA header of the second form with these elements.
fn csa(elements: &[(&str, &[&str])]) -> Vec<u8> {
    let mut out = b"SV10\x04\x03\x02\x01".to_vec();
    out.extend_from_slice(&(elements.len() as u32).to_le_bytes());
    out.extend_from_slice(&77_u32.to_le_bytes());
    for (name, items) in elements {
        let mut field = name.as_bytes().to_vec();
        field.resize(64, 0);
        out.extend(field);
        for v in [items.len() as u32, 0x0053_4644, 6, items.len() as u32, 77] {
            out.extend_from_slice(&v.to_le_bytes());
        }
        for item in *items {
            for v in [item.len() as u32, item.len() as u32, 77, item.len() as u32] {
                out.extend_from_slice(&v.to_le_bytes());
            }
            let mut value = item.as_bytes().to_vec();
            value.resize(value.len().next_multiple_of(4), 0);
            out.extend(value);
        }
    }
    out
}

/// Three slices of the phantom in two by two tiles, `extra` added to the values.
fn mosaic(lattice: &Lattice, extra: i16, instance: usize, normal: Option<DVec3>) -> DataSet {
    let (columns, rows) = (2 * COLUMNS, 2 * ROWS);
    let mut pixels = vec![0_i16; columns * rows];
    for k in 0..3 {
        for (i, v) in plane(k, extra).into_iter().enumerate() {
            pixels[(k / 2 * ROWS + i / COLUMNS) * columns + k % 2 * COLUMNS + i % COLUMNS] = v;
        }
    }
    // The corner of the whole lies half of what the tile is smaller before the corner of the first slice.
    let corner = lattice.position(0.0)
        - lattice.row * lattice.spacing[1] * (COLUMNS as f64 / 2.0)
        - lattice.column * lattice.spacing[0] * (ROWS as f64 / 2.0);
    let csa = match normal {
        Some(n) => csa(&[
            ("NumberOfImagesInMosaic", &["3"]),
            ("SliceNormalVector", &[&format!("{:.8}", n.x), &format!("{:.8}", n.y), &format!("{:.8}", n.z)]),
        ]),
        None => csa(&[("NumberOfImagesInMosaic", &["3"])]),
    };
    slice(lattice, 0.0, &pixels, instance)
        .u16(0x0028_0010, rows as u16)
        .u16(0x0028_0011, columns as u16)
        .text(0x0008_0008, "CS", "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC")
        .text(0x0008_0060, "CS", "MR")
        .decimals(0x0020_0032, &corner.to_array())
        .decimals(0x0018_0088, &[lattice.step.length()])
        .text(0x0020_0012, "IS", &instance.to_string())
        .text(0x0019_0010, "LO", "SIEMENS MR HEADER")
        .raw(0x0019_100A, element(0x0019_100A, "US", &3_u16.to_le_bytes()))
        .text(0x0029_0010, "LO", "SIEMENS CSA HEADER")
        .raw(0x0029_1010, element(0x0029_1010, "OB", &csa))
}

fn write(folder: &Path, name: &str, d: &DataSet) {
    std::fs::write(folder.join(name), d.file(EXPLICIT)).expect("written");
}

#[test]
fn tiles_are_slices_and_files_are_times() {
    let (row, column) = (DVec3::new(1.0, 0.0, 0.0), DVec3::new(0.0, 0.96, -0.28));
    let lattice = Lattice::new(row, column);
    for flipped in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let normal = row.cross(column) * if flipped { -1.0 } else { 1.0 };
        for n in 1..=2 {
            write(folder.path(), &n.to_string(), &mosaic(&lattice, 100 * n as i16, n, Some(normal)));
        }
        let index = scanned(folder.path());
        let series = &index.studies[0].series[0];
        assert_eq!(series.warnings, Vec::new());
        assert_eq!(series.volumes().len(), 2, "{:?}", series.stacks.iter().map(|s| &s.key).collect::<Vec<_>>());
        for (v, stack) in series.volumes().into_iter().enumerate() {
            let (volume, _) = volume::load(stack, &|_, _| {}, &|| false).expect("a volume");
            assert_eq!(volume.geometry().dims(), [COLUMNS, ROWS, 3]);
            let origin = lattice.position(0.0) - if flipped { lattice.step * 2.0 } else { DVec3::ZERO };
            let affine = volume.geometry().affine_lps();
            let found = DVec3::new(affine[0][3], affine[1][3], affine[2][3]);
            assert!(found.distance(origin) < 1e-4, "{found} is not {origin}");
            for k in 0..3 {
                let of = if flipped { 2 - k } else { k };
                let expected: Vec<f32> =
                    plane(of, 100 * (v as i16 + 1)).into_iter().map(|x| f32::from(x) - 1024.0).collect();
                assert_eq!(volume.slices()[k].as_ref().expect("a slice").values(), expected, "slice {k}");
            }
        }
        // The stored pixels of the file stay what they are.
        let frame = &series.stacks[0].frames[0];
        let stored = Opener::default().stored(&frame.source, FrameSelection::All).expect("an image");
        assert_eq!((stored.rows, stored.columns, stored.frames), (2 * ROWS, 2 * COLUMNS, 1));
    }
}

#[test]
fn a_mosaic_that_tells_too_little_says_so_or_stays_one_image() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "a", &mosaic(&Lattice::axial(), 0, 1, None));
    let series = scanned(folder.path()).studies.remove(0).series.remove(0);
    assert_eq!(series.volumes().len(), 1);
    assert!(series.warnings.iter().any(|w| w.text.contains("direction of the slices")), "{:?}", series.warnings);
    // Without its private elements nobody knows how many tiles there are.
    let bare = mosaic(&Lattice::axial(), 0, 1, None).without(0x0019_100A).without(0x0029_1010);
    write(folder.path(), "a", &bare);
    let series = scanned(folder.path()).studies.remove(0).series.remove(0);
    assert_eq!((series.stacks[0].columns, series.stacks[0].frames.len()), (2 * COLUMNS, 1));
    // A number of tiles that does not divide the image, and headers cut anywhere, do no harm.
    for n in [0_u16, 1, 50, 5000] {
        let d = mosaic(&Lattice::axial(), 0, 1, Some(DVec3::Z))
            .raw(0x0019_100A, element(0x0019_100A, "US", &n.to_le_bytes()));
        let _ = crate::outcome::of(&d.file(EXPLICIT));
    }
    let header = csa(&[("SliceNormalVector", &["0", "0", "1"])]);
    for n in 0..header.len() {
        let d = mosaic(&Lattice::axial(), 0, 1, None).raw(0x0029_1010, element(0x0029_1010, "OB", &header[..n]));
        let _ = crate::outcome::of(&d.file(EXPLICIT));
    }
}
