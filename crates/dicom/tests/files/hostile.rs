//! Files that lie about lengths, sizes, structure or themselves. Each was once a crash, a hang or a silent wrong image in
//! some reader.

use crate::outcome::{opens, refused, warns};
use crate::series::{Lattice, common, slice};
use crate::writer::{
    DataSet, EXPLICIT, IMPLICIT, ITEM_END, SEQUENCE_END, UNDEFINED, element, element_with_length, encapsulated,
    implicit, item, item_with_length, meta,
};

const PIXEL_DATA: u32 = 0x7FE0_0010;
const REFERENCES: u32 = 0x0008_1140;

fn pixels() -> Vec<i16> {
    (0..256).map(|i| (i * 97 % 4096) as i16).collect()
}

fn bytes_of(pixels: &[i16]) -> Vec<u8> {
    pixels.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A plain image of 16 by 16 with a place in the patient.
fn image() -> DataSet {
    slice(&Lattice::axial(), 0.0, &pixels(), 1)
}

fn stored_equals_put_in(found: &[u8]) {
    assert_eq!(found, bytes_of(&pixels()));
}

#[test]
fn a_plain_file_is_exact() {
    let p = opens("plain", &image().file(EXPLICIT));
    assert_eq!((p.rows, p.columns, p.frames, p.samples, p.dtype), (16, 16, 1, 1, "i16"));
    stored_equals_put_in(&p.bytes);
}

#[test]
fn lengths_that_lie_take_no_memory() {
    let all = bytes_of(&pixels());
    let with = |tag: u32, e: Vec<u8>| image().raw(tag, e).file(EXPLICIT);
    let four_gb = element_with_length(PIXEL_DATA, "OW", &all, 0xFFFF_FFFE);
    stored_equals_put_in(&warns("pixels of 4 GB", &with(PIXEL_DATA, four_gb), "claims more bytes").bytes);
    let text = element_with_length(0x0020_4000, "UT", b"x", 0xFFFF_FFF0);
    refused("a text of 4 GB", &with(0x0020_4000, text), "cut off");
    let sequence = element_with_length(REFERENCES, "SQ", &item(&[]), 0xFFFF_FFF0);
    refused("a sequence of 4 GB", &with(REFERENCES, sequence), "no image");
    let long_item = element(REFERENCES, "SQ", &item_with_length(&element(0x0008_1150, "UI", b"1.2"), 4000));
    warns("an item longer than its sequence", &with(REFERENCES, long_item), "longer than its sequence");
    let long = element(PIXEL_DATA, "OW", &[all.clone(), vec![1; 1000]].concat());
    stored_equals_put_in(&opens("a thousand bytes too many", &with(PIXEL_DATA, long)).bytes);
}

#[test]
fn what_is_cut_off_shows_what_is_there() {
    let whole = image().file(EXPLICIT);
    let p = warns("half", &whole[..whole.len() - 256], "cut off");
    assert_eq!(p.bytes[..256], bytes_of(&pixels())[..256]);
    // What is missing gets the least value that is there.
    let least = pixels()[..128].iter().min().expect("some").to_le_bytes();
    assert_eq!(p.bytes[256..258], least);
    let padded = image().raw(0x0028_0120, element(0x0028_0120, "SS", &(-7_i16).to_le_bytes())).file(EXPLICIT);
    let p = warns("one byte short, with padding", &padded[..padded.len() - 1], "cut off");
    assert_eq!(p.bytes[510..], (-7_i16).to_le_bytes());
    for n in [0, 1, 100, 132, 170, whole.len() - 530, whole.len() - 600] {
        refused(&format!("{n} bytes"), &whole[..n], "");
    }
}

#[test]
fn every_cut_ends_without_a_panic() {
    let per_frame = vec![DataSet::new().items(0x0020_9113, &[DataSet::new().decimals(0x0020_0032, &[1.0, 2.0, 3.0])])];
    let pixels: Vec<i16> = (0..192).collect();
    let whole = crate::splitting::enhanced(&Lattice::axial(), per_frame, &pixels).file(EXPLICIT);
    for n in 0..whole.len() {
        let _ = crate::outcome::of(&whole[..n]);
    }
}

#[test]
fn impossible_images_are_refused_before_memory_is_taken() {
    let with = |tag: u32, v: u16| image().u16(tag, v).file(EXPLICIT);
    refused("no rows", &with(0x0028_0010, 0), "0 rows");
    refused("no columns", &with(0x0028_0011, 0), "0 columns");
    refused("no samples", &with(0x0028_0002, 0), "0 samples");
    refused("two samples", &with(0x0028_0002, 2), "2 samples");
    refused("seven bits", &with(0x0028_0100, 7), "7 bits allocated");
    let large = image().u16(0x0028_0010, 65_535).u16(0x0028_0011, 65_535);
    refused("65535 x 65535", &large.file(EXPLICIT), "needs 8589672450 bytes, 512 are there");
    let rle = large.raw(PIXEL_DATA, encapsulated(&[], &[&[0; 600]]));
    refused("65535 x 65535 as RLE", &rle.file("1.2.840.10008.1.2.5"), "cannot be in");
    let frames = image().text(0x0028_0008, "IS", "2147483647");
    stored_equals_put_in(&warns("two thousand million frames", &frames.file(EXPLICIT), "1 are there").bytes);
    for wrong in ["-1", "0", "many"] {
        let file = image().text(0x0028_0008, "IS", wrong).file(EXPLICIT);
        stored_equals_put_in(&warns(wrong, &file, "number of frames").bytes);
    }
}

#[test]
fn odd_descriptions_are_mended_and_told() {
    let ok = |name: &str, d: DataSet, part: &str| stored_equals_put_in(&warns(name, &d.file(EXPLICIT), part).bytes);
    ok("more bits stored than allocated", image().u16(0x0028_0101, 20).u16(0x0028_0102, 19), "20 bits stored");
    ok("no bits stored", image().u16(0x0028_0101, 0), "0 bits stored");
    ok("a wrong high bit", image().u16(0x0028_0102, 3), "high bit 3");
    ok("no high bit", image().without(0x0028_0102), "high bit is missing");
    ok("a colour that does not exist", image().text(0x0028_0004, "CS", "PURPLE"), "photometric");
    ok("rows as text", image().text(0x0028_0010, "DS", "16"), "Rows is written as text");
    ok(
        "rows twice",
        image()
            .raw(0x0028_0010, [element(0x0028_0010, "US", &[16, 0]), element(0x0028_0010, "US", &[255, 255])].concat()),
        "twice",
    );
    ok("slope 0", image().text(0x0028_1053, "DS", "0"), "slope");
    ok("slope without end", image().text(0x0028_1053, "DS", "1e999"), "slope");
    ok("a window without width", image().text(0x0028_1050, "DS", "40").text(0x0028_1051, "DS", "0"), "window");
    ok("windows that do not match", image().text(0x0028_1050, "DS", "40\\50").text(0x0028_1051, "DS", "400"), "window");
    ok("spacing 0", image().text(0x0028_0030, "DS", "0\\0"), "spacing");
    ok("spacing that is no number", image().text(0x0028_0030, "DS", "nan\\nan"), "spacing");
    ok("spacing with commas", image().text(0x0028_0030, "DS", "0,5\\0,5"), "comma");
    ok("no orientation", image().text(0x0020_0037, "DS", "0\\0\\0\\0\\0\\0"), "orientation");
    ok("parallel axes", image().text(0x0020_0037, "DS", "1\\0\\0\\1\\0\\0"), "orientation");
    ok("half a position", image().text(0x0020_0032, "DS", "0\\0"), "position");
    ok("an instance number beyond all", image().text(0x0020_0013, "IS", "99999999999999999999"), "instance number");
    ok("an unknown character set", image().text(0x0008_0005, "CS", "KLINGON"), "character set");
    ok("a UID that is a path", image().text(0x0020_000E, "UI", "../../evil"), "series UID");
}

#[test]
fn tables_that_are_too_short_are_left_out() {
    let table = |descriptor: [u16; 3], entries: usize| {
        let d: Vec<u8> = descriptor.iter().flat_map(|v| v.to_le_bytes()).collect();
        let content = [element(0x0028_3002, "US", &d), element(0x0028_3006, "OW", &vec![1; entries * 2])].concat();
        item(&content)
    };
    let with = |tag: u32, items: Vec<u8>| image().raw(tag, element(tag, "SQ", &items)).file(EXPLICIT);
    warns("a modality LUT", &with(0x0028_3000, table([4096, 0, 16], 4)), "4 of 4096 entries");
    warns("a VOI LUT", &with(0x0028_3010, table([4, 0, 0], 4)), "0 bits");
    let eight = common(16, 16, 1)
        .u16(0x0028_0100, 8)
        .u16(0x0028_0101, 8)
        .u16(0x0028_0102, 7)
        .u16(0x0028_0103, 0)
        .text(0x0028_0004, "CS", "PALETTE COLOR")
        .raw(PIXEL_DATA, element(PIXEL_DATA, "OB", &(0..=255).collect::<Vec<u8>>()));
    warns("a palette that is missing", &eight.file(EXPLICIT), "palette is missing");
    let mut short = eight;
    for c in 0..3_u32 {
        let d: Vec<u8> = [256_u16, 0, 16].iter().flat_map(|v| v.to_le_bytes()).collect();
        short = short.raw(0x0028_1101 + c, element(0x0028_1101 + c, "US", &d));
        short = short.raw(0x0028_1201 + c, element(0x0028_1201 + c, "OW", &[16, 0].repeat(10)));
    }
    warns("a palette of ten entries", &short.file(EXPLICIT), "10 of 256 entries");
    let size = [255_u8, 255];
    let overlay = image()
        .raw(0x6000_0010, element(0x6000_0010, "US", &size))
        .raw(0x6000_0011, element(0x6000_0011, "US", &size))
        .raw(0x6000_3000, element(0x6000_3000, "OW", &[0, 0]));
    stored_equals_put_in(&warns("an overlay of two bytes", &overlay.file(EXPLICIT), "overlay 1").bytes);
}

#[test]
fn nesting_has_an_end() {
    let mut deep = Vec::new();
    for _ in 0..10_000 {
        deep = element(REFERENCES, "SQ", &item(&deep));
    }
    let file = image().raw(REFERENCES, deep).file(EXPLICIT);
    stored_equals_put_in(&warns("told lengths", &file, "nested more than 64 deep").bytes);
    let open = [element_with_length(REFERENCES, "SQ", &[], UNDEFINED), item_with_length(&[], UNDEFINED)].concat();
    let close = [ITEM_END, SEQUENCE_END].concat();
    let deep = [open.repeat(10_000), close.repeat(10_000)].concat();
    refused("open lengths", &image().raw(REFERENCES, deep).file(EXPLICIT), "nested more than 64 deep");
    let endless = [element_with_length(REFERENCES, "SQ", &[], UNDEFINED), item_with_length(&[], UNDEFINED)].concat();
    refused("a sequence without end", &image().raw(REFERENCES, endless).file(EXPLICIT), "no image");
    let many = element(REFERENCES, "SQ", &item(&[]).repeat(200_000));
    stored_equals_put_in(&opens("200,000 items", &image().raw(REFERENCES, many).file(EXPLICIT)).bytes);
}

#[test]
fn structure_that_strays_is_followed() {
    let ok = |name: &str, bytes: Vec<u8>| stored_equals_put_in(&opens(name, &bytes).bytes);
    let told = |name: &str, bytes: Vec<u8>, part: &str| stored_equals_put_in(&warns(name, &bytes, part).bytes);
    ok("padding behind", [image().file(EXPLICIT), element(0xFFFC_FFFC, "OB", &[0; 64])].concat());
    ok("zeros behind", [image().file(EXPLICIT), vec![0; 1000]].concat());
    // PS3.5 6.2.2: a sequence passed on as UN has implicit VR inside.
    let inner = item(&implicit(0x0008_1150, b"1.2.840"));
    let un = element_with_length(REFERENCES, "UN", &[inner, SEQUENCE_END.to_vec()].concat(), UNDEFINED);
    ok("a sequence as UN", image().raw(REFERENCES, un).file(EXPLICIT));
    told("VR ZZ", image().raw(0x0008_1010, element(0x0008_1010, "ZZ", b"abcd")).file(EXPLICIT), "StationName");
    let icon = image()
        .without(PIXEL_DATA)
        .raw(0x0088_0200, element(0x0088_0200, "SQ", &item(&element(PIXEL_DATA, "OW", &[0; 512]))));
    refused("pixels in the icon only", &icon.file(EXPLICIT), "no image");
    let group_0 = [meta(EXPLICIT), element(0, "UL", &10_u32.to_le_bytes()), image().bytes()].concat();
    told("a command element", group_0, "network message");
}

#[test]
fn the_meta_group_may_be_missing_or_wrong() {
    let told = |name: &str, bytes: &[u8], part: &str| stored_equals_put_in(&warns(name, bytes, part).bytes);
    let whole = image().file(EXPLICIT);
    told("no preamble", &whole[128..], "preamble is missing");
    told("no mark", &whole[132..], "mark are missing");
    told("a bare data set", &image().bytes(), "transfer syntax is not told");
    told("a syntax that lies", &image().file(IMPLICIT), "another way");
    let mut long = whole.clone();
    long[140..144].copy_from_slice(&4_000_000_000_u32.to_le_bytes());
    told("a meta group of 4 GB", &long, "another length");
    refused("a syntax of nobody", &image().file("1.2.3.4"), "1.2.3.4");
    let video = image().raw(PIXEL_DATA, encapsulated(&[], &[b"\0\0\0\x18ftypmp42"]));
    refused("video", &video.file("1.2.840.10008.1.2.4.102"), "MPEG-4");
}

#[test]
fn what_is_no_image_is_said_to_be_none() {
    refused("a letter", &b"Dear colleague, this is not an image.\n".repeat(20), "not an image file that we know");
    refused(
        "a letter with a mark",
        &[b"x".repeat(128), b"DICM is an acronym and nothing more.".repeat(9)].concat(),
        "header is broken",
    );
    let noise: Vec<u8> = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    refused("noise", &noise, "");
    refused("a picture that is none", &[b"\x89PNG\r\n\x1a\n".to_vec(), noise].concat(), "picture");
}

#[test]
fn names_cannot_steer_a_terminal() {
    let name = "\u{1b}[31mRED\u{7}\u{202e}gnp.exe";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    std::fs::write(&path, image().text(0x0010_0010, "PN", name).file(EXPLICIT)).expect("written");
    let index = crate::outcome::scanned(&path);
    assert_eq!(index.studies[0].patient.name, "[31mREDgnp.exe");
    let text = lightbox_dicom::header::to_text(&lightbox_dicom::Source::file(&path)).expect("readable");
    assert!(text.contains("[31mREDgnp.exe") && !text.contains(['\u{1b}', '\u{202e}']));
}

/// A NIfTI-2 header that tells these dimensions, of f64, and `extra` bytes after it.
fn nifti2(dims: [i64; 3], kind: i16, bits: i16, extra: usize) -> Vec<u8> {
    let mut h = vec![0; 544 + extra];
    h[..4].copy_from_slice(&540_i32.to_le_bytes());
    h[4..12].copy_from_slice(b"n+2\0\r\n\x1a\n");
    h[12..14].copy_from_slice(&kind.to_le_bytes());
    h[14..16].copy_from_slice(&bits.to_le_bytes());
    for (i, n) in [3, dims[0], dims[1], dims[2], 1, 1, 1, 1].into_iter().enumerate() {
        h[16 + 8 * i..24 + 8 * i].copy_from_slice(&n.to_le_bytes());
    }
    h[168..176].copy_from_slice(&544_i64.to_le_bytes());
    h
}

#[test]
fn one_impossible_file_leaves_the_others_in_the_scan() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("good"), image().file(EXPLICIT)).expect("written");
    std::fs::write(folder.path().join("huge.nii"), nifti2([1 << 61, 1, 1], 64, 64, 64)).expect("written");
    std::fs::write(folder.path().join("many.nii"), nifti2([1, 1, 20_000_000], 2, 8, 20_000_000)).expect("written");
    let index = crate::outcome::scanned(folder.path());
    assert_eq!(index.studies.iter().flat_map(|s| &s.series).map(|s| s.frames).sum::<usize>(), 1);
    let mut reasons: Vec<_> = index.skipped.iter().map(|s| s.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons.iter().any(|r| r.contains("20000000 slices")), "{reasons:?}");
}
