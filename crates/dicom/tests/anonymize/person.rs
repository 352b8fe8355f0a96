//! A made-up person in every place of a file, and the search for what is left.

use lightbox_dicom::anonymize::{ProfileOption, anonymize};
use lightbox_dicom::{FrameSelection, Source, decode};

use crate::writer::{DataSet, EXPLICIT, IMPLICIT, SEQUENCE_END, UNDEFINED, element, element_with_length, item};
use crate::{Run, contains, read, settings, value, values};

/// What must not be found.
pub(crate) const SECRETS: [&str; 24] = [
    "Quarkson",
    "Zelda",
    "QZ-471100",
    "19581107",
    "ACC-99012",
    "Klinikum Beispielhausen",
    "Beispielallee 12",
    "Wiesengrund",
    "Obermann",
    "CTBH-ROOM7",
    "SN-8080-77",
    "+49 555 0199",
    "1.3.6.1.4.1.99999.1.",
    "secret private words",
    "STUDY-5566",
    "20240314",
    "Kowalczyk",
    "0xCAFE-UNKNOWN",
    "CURVE-LABEL",
    "AETITLE77",
    "Kaltwasser",
    "Housing 4711",
    "20240312",
    "preamble-name",
];

pub(crate) const STUDY: &str = "1.3.6.1.4.1.99999.1.100";
pub(crate) const SERIES: &str = "1.3.6.1.4.1.99999.1.200";

/// A CT slice at `z` mm with identifiers in all places that there are.
pub(crate) fn slice(n: i16, z: f64) -> DataSet {
    let instance = |k: i16| format!("1.3.6.1.4.1.99999.1.300.{k}");
    let reference = |k: i16| {
        DataSet::new().text(0x0008_1150, "UI", "1.2.840.10008.5.1.4.1.1.2").text(0x0008_1155, "UI", &instance(k))
    };
    let person_code = DataSet::new().text(0x0008_0100, "SH", "Wiesengrund").text(0x0008_0102, "SH", "99LOCAL").text(
        0x0008_0104,
        "LO",
        "Dr Wiesengrund",
    );
    let person = DataSet::new()
        .items(0x0040_1101, &[person_code])
        .text(0x0008_0080, "LO", "Klinikum Beispielhausen")
        .text(0x0040_1102, "ST", "Beispielallee 12");
    let request = DataSet::new()
        .text(0x0008_0050, "SH", "ACC-99012")
        .text(0x0032_1060, "LO", "CT for Zelda Quarkson")
        .text(0x0040_1001, "SH", "STUDY-5566")
        .items(0x0008_1110, &[reference(9)]);
    let window = DataSet::new().text(0x0028_1050, "DS", "40").text(0x0028_1051, "DS", "400").text(
        0x0028_1055,
        "LO",
        "as Quarkson likes it",
    );
    // A sequence that hides as UN, which is implicit inside.
    let hidden = [
        crate::writer::implicit(0x0010_0010, b"Quarkson^Zelda"),
        crate::writer::implicit(0x0008_0018, instance(5).as_bytes()),
    ]
    .concat();
    let mut un = element_with_length(0x0008_1140, "UN", &item(&hidden), UNDEFINED);
    un.extend(SEQUENCE_END);
    let pixels: Vec<i16> = (0..64).map(|i| i * 7 + n).collect();
    DataSet::new()
        .text(0x0008_0005, "CS", "ISO_IR 100")
        .text(0x0008_0008, "CS", "ORIGINAL\\PRIMARY\\AXIAL")
        .text(0x0008_0012, "DA", "20240314")
        .text(0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.2")
        .text(0x0008_0018, "UI", &instance(n))
        .text(0x0008_0020, "DA", "20240314")
        .text(0x0008_0022, "DA", "20240314")
        .text(0x0008_002A, "DT", "20240314120000")
        .text(0x0008_0030, "TM", "120000")
        .text(0x0008_0050, "SH", "ACC-99012")
        .text(0x0008_0060, "CS", "CT")
        .text(0x0008_0070, "LO", "Obermann & Sons")
        .text(0x0008_0080, "LO", "Klinikum Beispielhausen")
        .text(0x0008_0081, "ST", "Beispielallee 12")
        .text(0x0008_0090, "PN", "Wiesengrund^Otto")
        .text(0x0008_1010, "SH", "CTBH-ROOM7")
        .text(0x0008_1030, "LO", "Thorax of Zelda Quarkson")
        .text(0x0008_103E, "LO", "Thorax 5mm Quarkson")
        .text(0x0008_1070, "PN", "Obermann^Eva")
        .items(0x0008_1110, &[reference(7)])
        .raw(0x0008_1140, un)
        .text(0x0008_1090, "LO", "Scanner of Kaltwasser")
        .text(0x0009_0010, "LO", "MAKER OF THINGS")
        .text(0x0009_1001, "LO", "secret private words")
        .raw(0x0009_1002, element(0x0009_1002, "UN", b"Quarkson"))
        .text(0x0010_0010, "PN", "Quarkson^Zelda")
        .text(0x0010_0020, "LO", "QZ-471100")
        .text(0x0010_0030, "DA", "19581107")
        .text(0x0010_0040, "CS", "F")
        .text(0x0010_1010, "AS", "065Y")
        .text(0x0010_2154, "SH", "+49 555 0199")
        .text(0x0010_4000, "LT", "Mrs Quarkson asked for a copy")
        .text(0x0018_0060, "DS", "120")
        .text(0x0018_0050, "DS", "5")
        .text(0x0018_1000, "LO", "SN-8080-77")
        .text(0x0018_1020, "LO", "v1 set up by Kaltwasser^Heinz")
        .text(0x0018_1030, "LO", "Thorax Kowalczyk")
        .text(0x0018_9074, "DT", "20240312101112.5")
        .items(0x0018_A001, &[DataSet::new().text(0x0008_0080, "LO", "Kaltwasser"), DataSet::new()])
        .text(0x0020_000D, "UI", STUDY)
        .text(0x0020_000E, "UI", SERIES)
        .text(0x0020_0010, "SH", "STUDY-5566")
        .text(0x0020_0013, "IS", &n.to_string())
        .decimals(0x0020_0032, &[-10.0, -20.0, z])
        .decimals(0x0020_0037, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
        .text(0x0020_0052, "UI", "1.3.6.1.4.1.99999.1.400")
        .u16(0x0028_0002, 1)
        .text(0x0028_0004, "CS", "MONOCHROME2")
        .u16(0x0028_0010, 8)
        .u16(0x0028_0011, 8)
        .decimals(0x0028_0030, &[0.5, 0.75])
        .u16(0x0028_0100, 16)
        .u16(0x0028_0101, 16)
        .u16(0x0028_0102, 15)
        .u16(0x0028_0103, 1)
        .items(0x0028_9132, &[window])
        .text(0x0029_0010, "LO", "SIEMENS MEDCOM HEADER")
        .text(0x0029_1010, "LO", "Housing 4711")
        .text(0x0032_1033, "LO", "Ward of Kowalczyk")
        .items(0x0040_0275, &[request])
        .items(0x0040_A073, &[DataSet::new().text(0x0040_A075, "PN", "Kowalczyk^Jan").items(0x0040_A088, &[person])])
        // No attribute that the standard has.
        .text(0x0040_F0F0, "LO", "0xCAFE-UNKNOWN")
        .text(0x5000_2500, "LO", "CURVE-LABEL")
        .text(0x6000_4000, "LT", "Quarkson in the overlay")
        .raw(0x7FE0_0010, element(0x7FE0_0010, "OW", &pixels.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()))
        .raw(0xFFFC_FFFC, element(0xFFFC_FFFC, "OB", b"Quarkson in the padding "))
}

/// With a name in the preamble and an AE title in the meta group, as some archives write.
pub(crate) fn file(set: &DataSet, syntax: &str) -> Vec<u8> {
    let mut out = set.file(syntax);
    out[..13].copy_from_slice(b"preamble-name");
    let at = out.len() - set.bytes().len();
    let source = element(0x0002_0016, "AE", b"AETITLE77");
    let length = u32::from_le_bytes([out[140], out[141], out[142], out[143]]) + source.len() as u32;
    out[140..144].copy_from_slice(&length.to_le_bytes());
    out.splice(at..at, source);
    out
}

#[test]
fn nothing_of_the_person_is_left_in_the_bytes() {
    let original = file(&slice(1, 0.0), EXPLICIT);
    for secret in SECRETS {
        assert!(contains(&original, secret), "the test's own file lacks {secret}");
    }
    let run = Run::of(&[("Quarkson_Zelda/QZ-471100.dcm", original)], &settings(&[]));
    let copy = run.only();
    for secret in SECRETS {
        assert!(!contains(&copy, secret), "{secret} is still there");
    }
    let report = serde_json::to_string(&run.done.report).expect("JSON");
    for secret in SECRETS {
        assert!(!contains(report.as_bytes(), secret), "{secret} is in the report");
        let names: Vec<_> = run.copies().iter().map(|p| p.display().to_string()).collect();
        let names: Vec<_> = names.iter().map(|p| p.rsplit("/out/").next().unwrap_or(p)).collect();
        assert!(!contains(names.concat().as_bytes(), secret), "{secret} is in the names");
    }
    // What says nothing about anybody stays.
    assert_eq!(value(&copy, 0x0018_0060).as_deref(), Some("120"));
    assert_eq!(value(&copy, 0x0010_0040).as_deref(), Some(""), "the sex is a characteristic: Z");
    assert_eq!(value(&copy, 0x0012_0062).as_deref(), Some("YES"));
    assert_eq!(value(&copy, 0x0028_0303).as_deref(), Some("REMOVED"));
    assert!(value(&copy, 0x0010_0020).expect("an ID").starts_with("ANON-"));
    assert!(values(&copy, 0x0008_0100).contains(&"113100".to_owned()));
}

#[test]
fn image_and_geometry_stay() {
    let files: Vec<(String, Vec<u8>)> =
        (0..4).map(|n| (format!("{n}.dcm"), file(&slice(n, f64::from(n) * 2.5), EXPLICIT))).collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    let run = Run::of(&files, &settings(&[]));
    let (before, after) = (read(&run.dir.path().join("in")), read(&run.dir.path().join("out")));
    let stack = |i: &lightbox_dicom::StudyIndex| i.studies[0].series[0].stacks[0].clone();
    let (a, b) = (stack(&before), stack(&after));
    assert!(b.is_volume && after.studies.len() == 1 && after.studies[0].series.len() == 1);
    assert_eq!(a.geometry, b.geometry);
    for (a, b) in a.frames.iter().zip(&b.frames) {
        let stored = |s: &Source| decode::stored(s, FrameSelection::All).expect("pixels").bytes;
        assert_eq!(stored(&a.source), stored(&b.source));
    }
}

#[test]
fn references_lead_to_the_same_instances_across_files_and_runs() {
    let files = [("b.dcm", file(&slice(7, 0.0), EXPLICIT)), ("a.dcm", file(&slice(1, 2.0), EXPLICIT))];
    let run = Run::of(&files, &settings(&[]));
    let copies = run.bytes();
    let own: Vec<String> = copies.iter().map(|c| values(c, 0x0008_0018).remove(0)).collect();
    assert_ne!(own[0], own[1]);
    let uid_of_7 = &own[1];
    for (copy, own) in copies.iter().zip(&own) {
        assert_eq!(value(copy, 0x0002_0003).as_ref(), Some(own), "the meta group names it");
        // Study and series in common; both refer to number 7 where the reference stays.
        assert_eq!(value(copy, 0x0020_000D), value(&copies[0], 0x0020_000D));
        assert_eq!(value(copy, 0x0020_0052), value(&copies[0], 0x0020_0052));
        assert!(own.starts_with("2.25."));
    }
    let (first, again) = (&run.bytes(), Run::of(&files, &settings(&[])).bytes());
    assert_eq!(first, &again, "the same key gives the same copies");
    let mut other = settings(&[]);
    other.key = None;
    assert!(!values(&Run::of(&files, &other).bytes()[1], 0x0008_0018).contains(uid_of_7));
    // References that are kept lead on: an instance that the hidden sequence names.
    let referring = DataSet::new()
        .text(0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.11.1")
        .text(0x0008_0018, "UI", "1.3.6.1.4.1.99999.1.555")
        .items(
            0x0008_1115,
            &[DataSet::new().text(0x0020_000E, "UI", SERIES).items(
                0x0008_1140,
                &[DataSet::new().text(0x0008_1150, "UI", "1.2.840.10008.5.1.4.1.1.2").text(
                    0x0008_1155,
                    "UI",
                    "1.3.6.1.4.1.99999.1.300.7",
                )],
            )],
        );
    let copy = Run::of(&[("gsps.dcm", referring.file(EXPLICIT))], &settings(&[])).only();
    assert_eq!(value(&copy, 0x0008_1155).as_ref(), Some(uid_of_7));
    assert_eq!(value(&copy, 0x0020_000E), value(&copies[0], 0x0020_000E));
    assert_eq!(value(&copy, 0x0008_1150).as_deref(), Some("1.2.840.10008.5.1.4.1.1.2"), "a class is no instance");
}

#[test]
fn a_second_pass_changes_names_only() {
    let once = Run::of(&[("a.dcm", file(&slice(1, 0.0), EXPLICIT))], &settings(&[]));
    let all_uids = settings(&[ProfileOption::RetainUids]);
    let out = once.dir.path().join("again");
    anonymize(&[once.dir.path().join("out")], &out, &all_uids, &mut |_| std::ops::ControlFlow::Continue(()))
        .expect("a run");
    let twice = std::fs::read(&crate::leave::copies_in(&out)[0]).expect("a copy");
    let once = once.only();
    // Only the patient's new name, and the option that was used.
    let neutral = |copy: &[u8]| {
        let mut text = copy.to_vec();
        let name = value(copy, 0x0010_0020).expect("an ID");
        for at in (0..text.len() - name.len()).rev() {
            if text[at..].starts_with(name.as_bytes()) {
                text[at..at + name.len()].fill(b'#');
            }
        }
        let end = text.windows(4).position(|w| w == [0x12, 0, 0x64, 0]).expect("the codes of the method");
        let after = text.windows(4).position(|w| w == [0x18, 0, 0x50, 0]).expect("what follows");
        text.drain(end..after);
        text
    };
    assert_eq!(neutral(&once), neutral(&twice));
}

#[test]
fn every_encoding_is_written_as_it_was() {
    // Implicit: the same attributes without their representations.
    let body = [
        crate::writer::implicit(0x0008_0016, b"1.2.840.10008.5.1.4.1.1.2\0"),
        crate::writer::implicit(0x0008_0018, b"1.3.6.1.4.1.99999.1.9\0"),
        crate::writer::implicit(0x0010_0010, b"Quarkson^Zelda"),
        crate::writer::implicit(0x0011_0010, b"SOME MAKER"),
        crate::writer::implicit(0x0011_1010, b"Quarkson"),
        crate::writer::implicit(0x0020_000D, b"1.3.6.1.4.1.99999.1.8\0"),
        crate::writer::implicit(0x0028_0010, &8_u16.to_le_bytes()),
    ]
    .concat();
    let mut implicit = crate::writer::meta(IMPLICIT);
    implicit.extend(&body);
    let copy = Run::of(&[("a", implicit)], &settings(&[])).only();
    assert!(!contains(&copy, "Quarkson") && !contains(&copy, "SOME MAKER") && !contains(&copy, "99999"));
    assert!(copy.windows(10).any(|w| w == [0x28, 0, 0x10, 0, 2, 0, 0, 0, 8, 0]), "implicit stays implicit");
    // Without preamble and meta group: the copy has both.
    let copy = Run::of(&[("a", body)], &settings(&[])).only();
    assert_eq!(value(&copy, 0x0002_0010).as_deref(), Some(IMPLICIT));
    // Deflated: unpacked, changed, packed.
    let mut deflated = crate::writer::meta("1.2.840.10008.1.2.1.99");
    let mut packer = flate2::write::DeflateEncoder::new(&mut deflated, flate2::Compression::default());
    std::io::Write::write_all(&mut packer, &slice(1, 0.0).bytes()).expect("packed");
    packer.finish().expect("packed");
    let run = Run::of(&[("a", deflated)], &settings(&[]));
    let copy = run.only();
    let packed = copy.windows(3).position(|w| w == b"LIG").expect("the version's name");
    let start = packed + usize::from(u16::from_le_bytes([copy[packed - 2], copy[packed - 1]]));
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::DeflateDecoder::new(&copy[start..]), &mut unpacked)
        .expect("unpacked");
    assert_eq!(value(&unpacked, 0x0018_0060).as_deref(), Some("120"));
    SECRETS.iter().for_each(|s| assert!(!contains(&unpacked, s), "{s}"));
}
