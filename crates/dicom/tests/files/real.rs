//! Files of many makers, where the data folder is at hand (`LIGHTBOX_DATA`, else `../shared/data`): all compressions of
//! one image give the same values, and whole series lie where their headers say.

use std::path::{Path, PathBuf};

use glam::DVec3;
use lightbox_dicom::{FrameSelection, Source, StoredPixels, WarningKind, decode, volume};

use crate::outcome::scanned;

/// The data folder; `None` (said aloud) where there is none, unless `CI=true` demands it.
fn data(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("LIGHTBOX_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let path = root.join(part);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", path.display());
    #[allow(clippy::print_stderr, reason = "a skipped test says so")]
    {
        eprintln!("skipped: there is no {}", path.display());
    }
    None
}

fn stored(path: &Path) -> StoredPixels {
    decode::stored(&Source::file(path), FrameSelection::All).expect("an image")
}

fn numbers(p: &StoredPixels) -> Vec<i32> {
    match p.dtype {
        "u8" => p.bytes.iter().map(|&b| i32::from(b)).collect(),
        "u16" => p.bytes.chunks_exact(2).map(|c| i32::from(u16::from_le_bytes([c[0], c[1]]))).collect(),
        "i16" => p.bytes.chunks_exact(2).map(|c| i32::from(i16::from_le_bytes([c[0], c[1]]))).collect(),
        other => panic!("{other}"),
    }
}

fn largest_difference(a: &StoredPixels, b: &StoredPixels) -> i32 {
    assert_eq!((a.rows, a.columns, a.frames, a.samples), (b.rows, b.columns, b.frames, b.samples));
    numbers(a).iter().zip(numbers(b)).map(|(x, y)| (x - y).abs()).max().expect("pixels")
}

#[test]
fn one_slice_in_many_transfer_syntaxes_is_one_image() {
    let Some(folder) = data("dicom/transfer-syntaxes") else { return };
    let plain = stored(&folder.join("CTImage.dcm"));
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(syntax) = name.strip_prefix("CTImage.dcm_").and_then(|n| n.strip_suffix(".dcm")) else { continue };
        let syntax = syntax.rsplit('_').next().expect("a UID");
        // Bounds of the lossy ones: JPEG 2000 as it was made, near-lossless as its stream says; JPEG of 8 and 12 bits has
        // another rescale and is compared elsewhere.
        let bound = match syntax.strip_prefix("1.2.840.10008.1.2.4.") {
            Some("91") => 5,
            Some("81") => 1,
            Some("50" | "51" | "53" | "55") => continue,
            _ => 0,
        };
        let difference = largest_difference(&plain, &stored(&path));
        assert!(difference <= bound, "{name} differs by {difference}");
        seen += 1;
    }
    assert!(seen >= 11, "only {seen} versions");
}

#[test]
fn progressive_jpeg_equals_sequential_jpeg() {
    let Some(folder) = data("dicom/transfer-syntaxes") else { return };
    let of = |part: &str| stored(&folder.join(format!("CTImage.dcm_{part}.dcm")));
    let sequential = of("JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51");
    for name in
        ["JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53", "JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55"]
    {
        assert_eq!(largest_difference(&sequential, &of(name)), 0, "{name}");
    }
}

#[test]
fn lossless_codecs_agree_with_each_other() {
    let Some(folder) = data("dicom/wg04") else { return };
    for image in ["CT1", "MR4", "NM1"] {
        let rle = stored(&folder.join(format!("RLE/{image}_RLE")));
        for codec in ["JPLL", "JLSL", "J2KR"] {
            let other = stored(&folder.join(format!("{codec}/{image}_{codec}")));
            assert_eq!(largest_difference(&rle, &other), 0, "{image} as {codec}");
        }
        // Made with an error of at most 4.
        let near = stored(&folder.join(format!("JLSN/{image}_JLSN")));
        assert!((1..=4).contains(&largest_difference(&rle, &near)), "{image} near-lossless");
    }
}

#[test]
fn whole_series_lie_where_their_headers_say() {
    let Some(folder) = data("dicom/volumes") else { return };
    // (archive, stacks, slices, spacing in mm, warnings)
    let expected: [(&str, usize, usize, [f64; 3], &[WarningKind]); 3] = [
        (
            "ct-ge-head-tilt-28.zip",
            1,
            28,
            [0.4883, 0.4883, 5.6274],
            &[WarningKind::VaryingSpacing, WarningKind::GantryTilt],
        ),
        ("ct-philips-head-phantom-5mm.zip", 1, 28, [0.4512, 0.4512, 5.0], &[]),
        ("mr-brain-tumour-pgbm003-4series.zip", 4, 22, [0.6875, 0.6875, 6.5], &[]),
    ];
    for (name, count, slices, spacing, kinds) in expected {
        let index = scanned(&folder.join(name));
        assert_eq!(index.skipped, []);
        let all: Vec<_> = index.studies.iter().flat_map(|s| &s.series).collect();
        assert_eq!(all.len(), count, "{name}");
        for series in all {
            assert_eq!(series.warnings.iter().map(|w| w.kind).collect::<Vec<_>>(), kinds, "{name}");
            let [stack] = series.stacks.as_slice() else { panic!("{name}: {} stacks", series.stacks.len()) };
            let g = stack.geometry.as_ref().expect("a place");
            assert_eq!(g.dims()[2], slices);
            assert!(g.spacing_mm().iter().zip(spacing).all(|(a, b)| (a - b).abs() < 5e-4), "{:?}", g.spacing_mm());
            let at = |k: usize| DVec3::from(stack.frames[k].position.expect("told"));
            assert!(g.patient_from_voxel().translation.distance(at(0)) < 1e-9);
            let mean = (at(slices - 1) - at(0)) / (slices - 1) as f64;
            assert!(g.step_mm(2).distance(mean) < 1e-9);
            assert!(stack.frames.windows(2).all(|w| {
                let step = DVec3::from(w[1].position.expect("told")) - DVec3::from(w[0].position.expect("told"));
                step.dot(g.normal()) > 0.0
            }));
        }
    }
}

#[test]
fn the_tilted_head_becomes_regular() {
    let Some(folder) = data("dicom/volumes") else { return };
    let index = scanned(&folder.join("ct-ge-head-tilt-28.zip"));
    let series = &index.studies[0].series[0];
    assert!(series.warnings[0].text.contains("4.002 mm (13 times), 1.081 mm (once), 6.999 mm (13 times)"));
    assert!(series.warnings[1].text.contains("18.5°"));
    let stack = series.volumes()[0];
    let (loaded, _) = volume::load(stack, &|_, _| {}, &|| false).expect("a volume");
    let (regular, _) = volume::resample(&loaded, stack).expect("resampled");
    let g = regular.geometry();
    assert!(g.is_orthogonal(1e-6) && (g.spacing_mm()[2] - 4.002).abs() < 0.001, "{:?}", g.spacing_mm());
    // The first slices stand on the new lattice: what was in them is found again at the same place of the patient.
    for k in [0, 5] {
        let origin = DVec3::from(stack.frames[k].position.expect("told"));
        let slice = loaded.slice(k).expect("loaded");
        for (column, row) in [(256, 256), (200, 300), (320, 180)] {
            let p = origin + g.step_mm(0) * f64::from(column) + g.step_mm(1) * f64::from(row);
            let value = slice.value(column as usize, row as usize).expect("inside");
            let around: Vec<f32> = (-1..=1)
                .flat_map(|d| [0, 1].map(|e| (column + e, row + d)))
                .filter_map(|(c, r)| slice.value(c as usize, r as usize))
                .collect();
            let found = regular.trilinear(g.to_voxel(lightbox_core::PatientPos(p)));
            let (low, high) = around.iter().fold((value, value), |(l, h), v| (l.min(*v), h.max(*v)));
            assert!((low - 1.0..=high + 1.0).contains(&found), "{found} is not about {value} at {column}, {row}, {k}");
        }
    }
}
