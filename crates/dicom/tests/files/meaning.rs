//! What values and words mean: uptake, real-world values, names in many alphabets, objects beside images.

use lightbox_dicom::{FrameSelection, Opener, RealWorldMapping, Source, header};

use crate::outcome::scanned;
use crate::series::{Lattice, plane, slice};
use crate::writer::{DataSet, EXPLICIT, element};

/// What a scan and the decoding of a file's first frame give.
fn read(file: &[u8]) -> (lightbox_dicom::Series, lightbox_dicom::Decoded) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.dcm");
    std::fs::write(&path, file).expect("written");
    let series = scanned(&path).studies.remove(0).series.remove(0);
    let decoded = Opener::default().decode(&series.stacks[0].frames[0]).expect("an image");
    (series, decoded)
}

fn image() -> DataSet {
    slice(&Lattice::axial(), 0.0, &plane(0, 0), 1)
}

/// A PET slice: 70 kg, 370 MBq of F-18 an hour before the scan.
fn pet() -> DataSet {
    let drug = DataSet::new().text(0x0018_1072, "TM", "130000.00").text(0x0018_1074, "DS", "370000000").text(
        0x0018_1075,
        "DS",
        "6586.2",
    );
    image()
        .text(0x0008_0060, "CS", "PT")
        .text(0x0008_0021, "DA", "20261118")
        .text(0x0008_0031, "TM", "140000")
        .text(0x0008_0022, "DA", "20261118")
        .text(0x0008_0032, "TM", "140000")
        .text(0x0010_1030, "DS", "70")
        .text(0x0028_0051, "CS", "NORM\\ATTN\\DECY\\SCAT")
        .items(0x0054_0016, &[drug])
        .text(0x0054_1001, "CS", "BQML")
        .text(0x0054_1102, "CS", "START")
}

fn suv(d: &DataSet) -> Result<(f64, String), String> {
    read(&d.file(EXPLICIT)).0.suv.expect("PET").map(|s| (s.factor, s.note))
}

#[test]
fn uptake_is_per_weight_and_decayed_dose() {
    let at_scan_bq = 370e6 * 0.5_f64.powf(3600.0 / 6586.2);
    let (factor, note) = suv(&pet()).expect("all is told");
    assert!((factor / (70_000.0 / at_scan_bq) - 1.0).abs() < 1e-12 && note.is_empty(), "{factor} {note}");
    // Corrected to the injection: nothing decays.
    let (factor, _) = suv(&pet().text(0x0054_1102, "CS", "ADMIN")).expect("all is told");
    assert!((factor - 70_000.0 / 370e6).abs() < 1e-18);
    // A series that was derived later counts from its acquisition.
    let (late, note) = suv(&pet().text(0x0008_0031, "TM", "180000")).expect("all is told");
    assert!((late / (70_000.0 / at_scan_bq) - 1.0).abs() < 1e-12 && note.contains("acquisition"));
    // Over midnight: injected at 23:30, scanned at 00:30 of the next day, the dates told or not.
    let night = pet().text(0x0008_0031, "TM", "003000").text(0x0008_0032, "TM", "003000");
    let drug = |d: DataSet| d.text(0x0018_1074, "DS", "370000000").text(0x0018_1075, "DS", "6586.2");
    for told in [
        drug(DataSet::new().text(0x0018_1072, "TM", "233000")),
        drug(DataSet::new().text(0x0018_1078, "DT", "20261117233000.00")),
    ] {
        let (factor, _) = suv(&night.clone().items(0x0054_0016, &[told])).expect("all is told");
        assert!((factor / (70_000.0 / at_scan_bq) - 1.0).abs() < 1e-12);
    }
    let ready = pet().text(0x0054_1001, "CS", "GML").text(0x0054_1006, "CS", "BW");
    assert_eq!(suv(&ready).expect("SUV already").0, 1.0);
}

#[test]
fn uptake_that_cannot_be_known_is_refused_with_the_reason() {
    for (d, part) in [
        (pet().without(0x0010_1030), "weight"),
        (pet().text(0x0010_1030, "DS", "0"), "weight"),
        (pet().without(0x0054_0016), "radiopharmaceutical"),
        (pet().text(0x0054_1001, "CS", "CNTS"), "CNTS"),
        (pet().text(0x0028_0051, "CS", "ATTN"), "decay"),
        (pet().text(0x0028_0051, "CS", "DECY"), "attenuation"),
        (pet().text(0x0054_1102, "CS", "NONE"), "decay"),
        (pet().without(0x0008_0031).without(0x0008_0032), "time"),
        (pet().items(0x0054_0016, &[DataSet::new().text(0x0018_1074, "DS", "1")]), "half-life"),
        (pet().text(0x0054_1001, "CS", "GML").text(0x0054_1006, "CS", "LBM"), "LBM"),
    ] {
        let reason = suv(&d).expect_err(part);
        assert!(reason.contains(part), "{reason} does not say “{part}”");
    }
    assert_eq!(read(&image().file(EXPLICIT)).0.suv, None);
}

#[test]
fn real_world_values_are_read_per_range() {
    let unit = DataSet::new().text(0x0008_0100, "SH", "mm2/s");
    let double = |v: f64| v.to_le_bytes().to_vec();
    let linear = DataSet::new()
        .text(0x0040_9210, "SH", "ADC")
        .items(0x0040_08EA, std::slice::from_ref(&unit))
        .raw(0x0040_9211, element(0x0040_9211, "SS", &100_i16.to_le_bytes()))
        .raw(0x0040_9216, element(0x0040_9216, "SS", &(-5_i16).to_le_bytes()))
        .raw(0x0040_9224, element(0x0040_9224, "FD", &double(0.5)))
        .raw(0x0040_9225, element(0x0040_9225, "FD", &double(0.25)));
    let table = DataSet::new()
        .u16(0x0040_9211, 202)
        .u16(0x0040_9216, 200)
        .raw(0x0040_9212, element(0x0040_9212, "FD", &[1.5, 2.5, 4.0].map(f64::to_le_bytes).concat()));
    let broken = DataSet::new().u16(0x0040_9211, 7);
    let (series, decoded) = read(&image().items(0x0040_9096, &[linear, table, broken]).file(EXPLICIT));
    assert_eq!(series.real_world, decoded.real_world);
    let [a, b] = decoded.real_world.as_slice() else { panic!("{:?}", decoded.real_world) };
    assert_eq!((a.label.as_str(), a.unit.as_str(), a.range), ("ADC", "mm2/s", [-5.0, 100.0]));
    assert_eq!([-6.0, -5.0, 100.0, 101.0].map(|v| a.apply(v)), [None, Some(-0.75), Some(25.5), None]);
    assert_eq!(b.mapping, RealWorldMapping::Table(vec![1.5, 2.5, 4.0]));
    assert_eq!([199.0, 200.0, 202.0, 203.0].map(|v| b.apply(v)), [None, Some(1.5), Some(4.0), None]);
}

#[test]
fn names_in_many_alphabets() {
    for (sets, bytes, expected) in [
        ("ISO_IR 100", &b"Buc^J\xe9r\xf4me"[..], "Buc, Jérôme"),
        ("ISO_IR 101", b"W\xb3\xf3d^Ewa", "Włód, Ewa"),
        ("ISO_IR 144", b"\xbb\xee\xda\xe1^\xef", "Люкс, я"),
        ("ISO_IR 192", "Müller^Øre".as_bytes(), "Müller, Øre"),
        ("ISO_IR 148", b"\xc7avu\xfeo\xf0lu^\xddnan", "Çavuşoğlu, İnan"),
        ("ISO_IR 203", b"C\xbdur\xa4", "Cœur€"),
        ("GB18030", b"\xcd\xf5^\xd0\xa1\xb6\xab", "王, 小东"),
        // A character of four bytes.
        ("GB18030", b"\x95\x32\x82\x36", "𠀀"),
        ("GBK", b"\xcd\xf5^\xd0\xa1\xb6\xab", "王, 小东"),
        ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada, Tarou"),
        ("\\ISO 2022 IR 87", b"=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "山田, 太郎"),
        // JIS X 0212, which few decoders have: the supplementary kanji 丂 and 丄.
        ("\\ISO 2022 IR 159", b"=\x1b$(D\x30\x21\x1b(B^\x1b$(D\x30\x22\x1b(B", "丂, 丄"),
        ("\\ISO 2022 IR 149", b"=\x1b$)C\xd1\xce^\x1b$)C\xd4\xd7", "吉, 洞"),
        ("\\ISO 2022 IR 58", b"=\x1b$)A\xcd\xf5^\x1b$)A\xd0\xa1", "王, 小"),
        ("ISO 2022 IR 6\\ISO 2022 IR 127\\ISO 2022 IR 126", b"\x1b-F\xc4\xe9\xef\x1b-G\xe2\xc7", "Διοقا"),
        // No set is told, yet UTF-8 proves itself.
        ("", "Łódź".as_bytes(), "Łódź"),
        ("ISO-IR 100", b"\xc5ke", "Åke"),
    ] {
        let d = image().raw(0x0010_0010, element(0x0010_0010, "PN", bytes));
        let d = if sets.is_empty() { d.without(0x0008_0005) } else { d.text(0x0008_0005, "CS", sets) };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.dcm");
        std::fs::write(&path, d.file(EXPLICIT)).expect("written");
        assert_eq!(scanned(&path).studies[0].patient.name, expected, "{sets}");
    }
}

fn concept(meaning: &str) -> Vec<DataSet> {
    vec![DataSet::new().text(0x0008_0100, "SH", "1").text(0x0008_0104, "LO", meaning)]
}

#[test]
fn a_report_reads_as_a_tree_and_fails_no_study() {
    let number = DataSet::new()
        .text(0x0040_A010, "CS", "CONTAINS")
        .text(0x0040_A040, "CS", "NUM")
        .items(0x0040_A043, &concept("Diameter"))
        .items(
            0x0040_A300,
            &[DataSet::new().items(0x0040_08EA, &[DataSet::new().text(0x0008_0100, "SH", "mm")]).text(
                0x0040_A30A,
                "DS",
                "8.4",
            )],
        );
    let finding = DataSet::new()
        .text(0x0040_A010, "CS", "CONTAINS")
        .text(0x0040_A040, "CS", "CODE")
        .items(0x0040_A043, &concept("Finding"))
        .items(0x0040_A168, &concept("Nodule"))
        .items(0x0040_A730, &[number]);
    let report = DataSet::new()
        .text(0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.88.33")
        .text(0x0008_0018, "UI", "2.25.77")
        .text(0x0008_0060, "CS", "SR")
        .text(0x0020_000D, "UI", "2.25.3")
        .text(0x0020_000E, "UI", "2.25.78")
        .text(0x0040_A040, "CS", "CONTAINER")
        .items(0x0040_A043, &concept("Imaging Report"))
        .items(0x0040_A730, &[finding]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.dcm");
    std::fs::write(&path, report.file(EXPLICIT)).expect("written");
    std::fs::write(folder.path().join("image.dcm"), image().file(EXPLICIT)).expect("written");
    let text = header::to_text(&Source::file(&path)).expect("readable");
    let tree = "#   Imaging Report\n#     contains: Finding = Nodule\n#       contains: Diameter = 8.4 mm\n";
    assert!(text.ends_with(tree), "{text}");
    let index = scanned(folder.path());
    assert!(index.skipped.is_empty(), "{:?}", index.skipped);
    let series: Vec<_> = index.studies.iter().flat_map(|s| &s.series).collect();
    assert_eq!(series.iter().map(|s| s.frames).sum::<usize>(), 1);
    let objects: Vec<_> = series.iter().flat_map(|s| &s.objects).map(|o| o.summary.as_str()).collect();
    assert_eq!(objects, ["Comprehensive SR: Imaging Report, 1 entry"]);
    // An object has no pixels to decode, and says so.
    let reason = Opener::default().stored(&Source::file(&path), FrameSelection::All).expect_err("no image").reason();
    assert!(reason.contains("no image (Comprehensive SR)"), "{reason}");
}

#[test]
fn regions_are_joined_by_number() {
    let contour = DataSet::new().text(0x3006_0042, "CS", "CLOSED_PLANAR");
    let structures = DataSet::new()
        .text(0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.481.3")
        .text(0x0008_0018, "UI", "2.25.79")
        .text(0x0008_0060, "CS", "RTSTRUCT")
        .text(0x3006_0002, "SH", "PLAN1")
        .items(
            0x3006_0020,
            &[
                DataSet::new().text(0x3006_0022, "IS", "7").text(0x3006_0026, "LO", "Heart"),
                DataSet::new().text(0x3006_0022, "IS", "2").text(0x3006_0026, "LO", "Body"),
            ],
        )
        .items(
            0x3006_0039,
            &[
                DataSet::new().items(0x3006_0040, &[contour.clone(), contour.clone()]).text(0x3006_0084, "IS", "2"),
                DataSet::new().items(0x3006_0040, &[contour]).text(0x3006_0084, "IS", "7"),
            ],
        )
        .items(0x3006_0080, &[DataSet::new().text(0x3006_0084, "IS", "2").text(0x3006_00A4, "CS", "EXTERNAL")]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.dcm");
    std::fs::write(&path, structures.file(EXPLICIT)).expect("written");
    let text = header::to_text(&Source::file(&path)).expect("readable");
    let tail = "# RT Structure Set: PLAN1, 2 regions\n#   region 7 Heart: 1 contour\n#   region 2 Body (external): 2 contours\n";
    assert!(text.ends_with(tail), "{text}");
}
