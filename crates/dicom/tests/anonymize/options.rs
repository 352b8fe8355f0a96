//! Options of the profile.

use lightbox_dicom::anonymize::{ProfileOption as O, Rectangle, Settings};

use crate::person::{SECRETS, file, slice};
use crate::writer::{DataSet, EXPLICIT, encapsulated};
use crate::{Run, contains, settings, value, values};

fn with(options: &[O]) -> Vec<u8> {
    Run::of(&[("a.dcm", file(&slice(1, 0.0), EXPLICIT))], &settings(options)).only()
}

#[test]
fn each_option_keeps_what_it_says_and_nothing_more() {
    let kept: [(O, u32, &str, &[&str]); 5] = [
        (O::RetainFullDates, 0x0008_0020, "20240314", &["20240314", "20240312"]),
        (O::RetainPatientCharacteristics, 0x0010_1010, "065Y", &[]),
        (O::RetainDeviceIdentity, 0x0018_1000, "SN-8080-77", &["SN-8080-77", "CTBH-ROOM7"]),
        (
            O::RetainInstitutionIdentity,
            0x0008_0080,
            "Klinikum Beispielhausen",
            &["Klinikum Beispielhausen", "Beispielallee 12", "Kaltwasser"],
        ),
        (O::RetainUids, 0x0020_000D, "1.3.6.1.4.1.99999.1.100", &["1.3.6.1.4.1.99999.1."]),
    ];
    for (option, tag, text, free) in kept {
        let copy = with(&[option]);
        assert!(values(&copy, tag).contains(&text.to_owned()), "{option:?}");
        for secret in SECRETS.iter().filter(|s| !free.contains(s)) {
            assert!(!contains(&copy, secret), "{option:?}: {secret} is still there");
        }
        let plain = with(&[]);
        assert!(!values(&plain, tag).contains(&text.to_owned()), "{option:?} makes a difference");
        assert_eq!(values(&copy, 0x0012_0064).len(), 1);
        assert!(values(&copy, 0x0008_0100).len() >= 2, "{option:?} is told by its code");
    }
}

#[test]
fn modified_dates_keep_their_distance() {
    let copy = with(&[O::RetainModifiedDates]);
    let study = value(&copy, 0x0008_0020).expect("a date");
    let acquisition = value(&copy, 0x0018_9074).expect("a date and time");
    assert_ne!(study, "20240314");
    assert!(acquisition.ends_with("101112.5"), "the time stays");
    let day = |d: &str| {
        let n: i64 = d[..8].parse().expect("digits");
        let (y, m, d) = (n / 10000, n / 100 % 100, n % 100);
        // Days of a year that begins in March, as calendars are counted.
        let (y, m) = if m <= 2 { (y - 1, m + 9) } else { (y, m - 3) };
        y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d
    };
    assert_eq!(day(&study) - day(&acquisition), 2);
    assert!((1..=3650).contains(&(day("20240314") - day(&study))));
    assert_eq!(value(&copy, 0x0008_0030).as_deref(), Some("120000"));
    assert_eq!(value(&copy, 0x0028_0303).as_deref(), Some("MODIFIED"));
    SECRETS.iter().for_each(|s| assert!(!contains(&copy, s), "{s}"));
}

#[test]
fn cleaned_descriptions_hold_known_words_only() {
    let copy = with(&[O::CleanDescriptors]);
    assert_eq!(value(&copy, 0x0008_103E).as_deref(), Some("Thorax 5mm"));
    assert_eq!(values(&copy, 0x0018_1030), ["Thorax"]);
    SECRETS.iter().for_each(|s| assert!(!contains(&copy, s), "{s}"));
}

#[test]
fn safe_private_attributes_stay_with_their_creator() {
    let set = slice(1, 0.0).text(0x0019_0010, "LO", "GEMS_ACQU_01").text(0x0019_1023, "DS", "12.5").text(
        0x0019_1099,
        "DS",
        "99.5",
    );
    let run = |options: &[O]| Run::of(&[("a.dcm", file(&set, EXPLICIT))], &settings(options)).only();
    let copy = run(&[O::RetainSafePrivate]);
    assert_eq!(value(&copy, 0x0019_0010).as_deref(), Some("GEMS_ACQU_01"));
    assert_eq!(value(&copy, 0x0019_1023).as_deref(), Some("12.5"));
    assert_eq!(value(&copy, 0x0019_1099), None);
    assert_eq!(value(&copy, 0x0009_0010), None);
    assert_eq!(value(&run(&[]), 0x0019_1023), None);
}

fn report(options: &[O]) -> Vec<u8> {
    let concept = |value: &str, meaning: &str| {
        DataSet::new().text(0x0008_0100, "SH", value).text(0x0008_0102, "SH", "DCM").text(0x0008_0104, "LO", meaning)
    };
    let item = |kind: &str, code: &str| {
        DataSet::new()
            .text(0x0040_A010, "CS", "CONTAINS")
            .text(0x0040_A040, "CS", kind)
            .items(0x0040_A043, &[concept(code, "A concept")])
    };
    let content = [
        item("TEXT", "121071").text(0x0040_A160, "UT", "Nodule in the right lung of Zelda Quarkson"),
        item("PNAME", "121008").text(0x0040_A123, "PN", "Wiesengrund^Otto"),
        item("DATE", "121031").text(0x0040_A121, "DA", "19581107"),
        item("UIDREF", "112040").text(0x0040_A124, "UI", "1.3.6.1.4.1.99999.1.77"),
        item("NUM", "121207").items(0x0040_A300, &[DataSet::new().text(0x0040_A30A, "DS", "12.5")]),
    ];
    let set = DataSet::new()
        .text(0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.88.33")
        .text(0x0008_0018, "UI", "1.3.6.1.4.1.99999.1.10")
        .text(0x0010_0010, "PN", "Quarkson^Zelda")
        .text(0x0010_0030, "DA", "19581107")
        .text(0x0020_000D, "UI", "1.3.6.1.4.1.99999.1.11")
        .text(0x0040_A040, "CS", "CONTAINER")
        .items(0x0040_A043, &[concept("126000", "Imaging Measurement Report")])
        .items(0x0040_A730, &content);
    Run::of(&[("sr.dcm", set.file(EXPLICIT))], &settings(options)).only()
}

#[test]
fn a_structured_report_is_emptied_or_cleaned() {
    let plain = report(&[]);
    assert_eq!(value(&plain, 0x0040_A160).as_deref(), Some("REMOVED"));
    assert_eq!(value(&plain, 0x0040_A30A).as_deref(), Some("0"));
    assert_eq!(values(&plain, 0x0040_A040).len(), 5, "its structure stays, the birth date's item goes");
    let clean = report(&[O::CleanStructuredContent]);
    assert_eq!(value(&clean, 0x0040_A160).as_deref(), Some("Nodule in the right lung of"));
    assert_eq!(value(&clean, 0x0040_A30A).as_deref(), Some("12.5"));
    for copy in [plain, clean] {
        for secret in ["Quarkson", "Zelda", "Wiesengrund", "19581107", "99999"] {
            assert!(!contains(&copy, secret), "{secret}");
        }
        assert!(values(&copy, 0x0040_A124)[0].starts_with("2.25."));
    }
}

#[test]
fn rectangles_are_blanked_in_plain_pixels_and_refused_in_compressed_ones() {
    let mut masked = settings(&[O::CleanPixelData]);
    masked.masks =
        vec![Rectangle { x: 2, y: 1, width: 3, height: 2 }, Rectangle { x: 7, y: 7, width: 100, height: 100 }];
    let copy = Run::of(&[("a.dcm", file(&slice(1, 0.0), EXPLICIT))], &masked).only();
    let at = copy.len() - 128;
    for i in 0..64_usize {
        let (x, y) = (i % 8, i / 8);
        let inside = (2..5).contains(&x) && (1..3).contains(&y) || (x, y) == (7, 7);
        let expected = if inside { 0 } else { i as i16 * 7 + 1 };
        assert_eq!(i16::from_le_bytes([copy[at + 2 * i], copy[at + 2 * i + 1]]), expected, "pixel {x}, {y}");
    }
    assert_eq!(value(&copy, 0x0028_0301).as_deref(), Some("NO"));
    let packed = slice(1, 0.0).raw(0x7FE0_0010, encapsulated(&[], &[&[0xFF, 0xD8, 0xFF, 0xD9]]));
    let packed = packed.without(0xFFFC_FFFC).file("1.2.840.10008.1.2.4.70");
    let run = Run::of(&[("a.dcm", packed.clone())], &masked);
    assert_eq!(run.done.report.copies, 0);
    assert!(run.done.refused[0].reason.contains("compressed"), "{:?}", run.done.refused);
    // Otherwise compressed pixels are copied as they stand.
    let copy = Run::of(&[("a.dcm", packed)], &settings(&[])).only();
    assert!(copy.ends_with(&[0xFF, 0xD8, 0xFF, 0xD9, 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let objection = |options: &[O]| settings(options).objection();
    assert!(objection(&[O::RetainFullDates, O::RetainModifiedDates]).is_some());
    assert!(objection(&[O::CleanPixelData]).is_some());
    assert!(Settings { key: Some("short".into()), ..Settings::default() }.objection().is_some());
    assert!(objection(&[]).is_none());
    for option in O::ALL {
        assert_eq!(O::by_name(option.name()), Some(option));
    }
}

#[test]
fn images_that_often_hold_text_are_warned_about() {
    let warned = |set: &DataSet| {
        let run = Run::of(&[("a.dcm", set.file(EXPLICIT))], &settings(&[]));
        assert_eq!(run.done.report.copies, 1);
        run.done.report.warnings.iter().map(|w| w.text.clone()).collect::<Vec<_>>()
    };
    let plain = slice(1, 0.0);
    assert_eq!(warned(&plain), Vec::<String>::new());
    assert!(warned(&plain.clone().text(0x0028_0301, "CS", "YES"))[0].contains("burned"));
    assert!(warned(&plain.clone().text(0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.7"))[0].contains("burned in"));
    assert!(warned(&plain.clone().text(0x0008_0060, "CS", "US"))[0].contains("burned in"));
    assert!(warned(&plain.clone().text(0x0018_0015, "CS", "HEAD"))[0].contains("face"));
    // Letters: rows of short strokes at the highest value on a dark ground.
    let mut pixels = vec![10_u8; 64 * 64];
    for y in 20..27 {
        (4..60).step_by(4).for_each(|x| pixels[y * 64 + x..y * 64 + x + 2].fill(250));
    }
    let drawn = plain
        .u16(0x0028_0010, 64)
        .u16(0x0028_0011, 64)
        .u16(0x0028_0100, 8)
        .u16(0x0028_0101, 8)
        .u16(0x0028_0102, 7)
        .u16(0x0028_0103, 0)
        .raw(0x7FE0_0010, crate::writer::element(0x7FE0_0010, "OB", &pixels));
    assert!(warned(&drawn)[0].contains("looks like burned-in text"));
}
