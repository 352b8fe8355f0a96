//! Compressed frames: right ones exactly, broken ones without harm.

use std::io::Write;

use crate::outcome::{opens, refused, warns};
use crate::series::common;
use crate::writer::{DataSet, encapsulated};

const RLE: &str = "1.2.840.10008.1.2.5";
const JPEG: &str = "1.2.840.10008.1.2.4.50";
const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";
const DEFLATED_FRAMES: &str = "1.2.840.10008.1.2.8.1";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
const PIXEL_DATA: u32 = 0x7FE0_0010;

fn values() -> Vec<u16> {
    (0..256).map(|i| (i % 16 * 97 + i / 16 * 31) % 4096).collect()
}

fn bytes() -> Vec<u8> {
    values().iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn twelve_bits() -> DataSet {
    common(16, 16, 1).text(0x0008_0060, "CS", "OT").u16(0x0028_0101, 12).u16(0x0028_0102, 11).u16(0x0028_0103, 0).text(
        0x0008_0060,
        "CS",
        "DX",
    )
}

fn eight_bits() -> DataSet {
    twelve_bits().u16(0x0028_0100, 8).u16(0x0028_0101, 8).u16(0x0028_0102, 7)
}

fn file(module: DataSet, syntax: &str, table: &[u8], fragments: &[&[u8]]) -> Vec<u8> {
    module.raw(PIXEL_DATA, encapsulated(table, fragments)).file(syntax)
}

/// Literal runs of at most 128 bytes (PS3.5 G.3.1).
fn literal(data: &[u8]) -> Vec<u8> {
    data.chunks(128).flat_map(|c| [vec![c.len() as u8 - 1], c.to_vec()].concat()).collect()
}

fn rle_with(count: u32, offsets: &[u32], segments: &[&[u8]]) -> Vec<u8> {
    let mut head = vec![count];
    head.extend_from_slice(offsets);
    head.resize(16, 0);
    let mut out: Vec<u8> = head.iter().flat_map(|v| v.to_le_bytes()).collect();
    segments.iter().for_each(|s| out.extend_from_slice(s));
    out
}

fn rle() -> Vec<u8> {
    let b = bytes();
    let (high, low): (Vec<u8>, Vec<u8>) = b.chunks(2).map(|c| (c[1], c[0])).unzip();
    let (high, low) = (literal(&high), literal(&low));
    rle_with(2, &[64, 64 + high.len() as u32], &[&high, &low])
}

#[test]
fn rle_is_exact_or_refused() {
    let good = rle();
    assert_eq!(opens("good", &file(twelve_bits(), RLE, &[], &[&good])).bytes, bytes());
    assert_eq!(
        opens("odd length", &file(twelve_bits(), RLE, &[], &[&[good.clone(), vec![0]].concat()])).bytes,
        bytes()
    );
    let body = &good[64..];
    let bad =
        |name: &str, fragment: &[u8], part: &str| refused(name, &file(twelve_bits(), RLE, &[], &[fragment]), part);
    bad("no segments", &rle_with(0, &[64], &[body]), "0 segments");
    bad("4 G segments", &rle_with(u32::MAX, &[64], &[body]), "4294967295 segments");
    bad("one segment", &rle_with(1, &[64], &[body]), "1 segments where 2 are due");
    bad("an offset beyond", &rle_with(2, &[64, 100_000], &[body]), "begins at byte 100000");
    bad("descending offsets", &rle_with(2, &[300, 64], &[body]), "begins at byte 64");
    bad("an offset in the header", &rle_with(2, &[2, 8], &[body]), "begins at byte 2");
    bad("nothing", &[], "0 of 64 bytes");
    bad("two bytes", &[2, 0], "2 of 64 bytes");
    refused("no fragment", &file(twelve_bits(), RLE, &[], &[]), "no piece");
    let short = rle_with(2, &[64, 64 + 258], &[&body[..258], &[0x7F, 1, 2]]);
    let p = warns("a literal beyond the end", &file(twelve_bits(), RLE, &[], &[&short]), "missing from the RLE data");
    assert_eq!((p.bytes[1], p.bytes[0], p.bytes[2]), (bytes()[1], 1, 2));
}

#[test]
fn offset_tables_are_used_only_where_they_are_right() {
    let good = rle();
    let two = |table: &[u8]| file(twelve_bits().text(0x0028_0008, "IS", "2"), RLE, table, &[&good, &good]);
    let words = |v: &[u32]| v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let both = [bytes(), bytes()].concat();
    assert_eq!(opens("right", &two(&words(&[0, good.len() as u32 + 8]))).bytes, both);
    assert_eq!(opens("none", &two(&[])).bytes, both);
    assert_eq!(warns("descending", &two(&words(&[700, 0])), "offset table").bytes, both);
    assert_eq!(warns("beyond", &two(&words(&[0, 0x7FFF_FFFF])), "offset table").bytes, both);
    assert_eq!(warns("six bytes", &two(&[0; 6]), "offset table").bytes, both);
    let one = file(twelve_bits().text(0x0028_0008, "IS", "2"), RLE, &[], &[&good]);
    assert_eq!(warns("one of two frames", &one, "1 are there").bytes, bytes());
}

fn jpeg() -> Vec<u8> {
    let grey = image::GrayImage::from_fn(16, 16, |x, y| image::Luma([(x * 9 + y * 5) as u8]));
    let mut out = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, 95).encode_image(&grey).expect("encoded");
    out
}

/// The size in the frame header replaced.
fn resized(mut jpeg: Vec<u8>, rows: u16, columns: u16) -> Vec<u8> {
    let at = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).expect("a frame header");
    jpeg[at + 5..at + 7].copy_from_slice(&rows.to_be_bytes());
    jpeg[at + 7..at + 9].copy_from_slice(&columns.to_be_bytes());
    jpeg
}

#[test]
fn jpeg_streams_must_suit_the_header() {
    let good = jpeg();
    let p = opens("good", &file(eight_bits(), JPEG, &[], &[&good]));
    for (i, v) in p.bytes.iter().enumerate() {
        assert!(v.abs_diff((i % 16 * 9 + i / 16 * 5) as u8) <= 4, "pixel {i} is {v}");
    }
    let pieces: Vec<&[u8]> = good.chunks(70).collect();
    assert_eq!(opens("in pieces", &file(eight_bits(), JPEG, &[], &pieces)).bytes, p.bytes);
    assert_eq!(opens("no end", &file(eight_bits(), JPEG, &[], &[&good[..good.len() - 2]])).bytes, p.bytes);
    let other = warns("under another syntax", &file(eight_bits(), JPEG_2000, &[], &[&good]), "another way");
    assert_eq!(other.bytes, p.bytes);
    warns("in 12 bits", &file(twelve_bits(), JPEG, &[], &[&good]), "at most 8 bits");
    let bad = |name: &str, j: &[u8], part: &str| refused(name, &file(eight_bits(), JPEG, &[], &[j]), part);
    bad("65535 x 65535", &resized(good.clone(), 65_535, 65_535), "65535 x 65535 pixels, the header says 16 x 16");
    bad("32 x 32", &resized(good.clone(), 32, 32), "32 x 32");
    bad("0 x 0", &resized(good.clone(), 0, 0), "0 x 0");
    bad("garbage", &(0..=255).collect::<Vec<u8>>(), "no frame header");
    let rgb = eight_bits().u16(0x0028_0002, 3).text(0x0028_0004, "CS", "RGB").u16(0x0028_0006, 0);
    refused("one component in three samples", &file(rgb, JPEG, &[], &[&good]), "1 samples per pixel");
    for n in (0..good.len()).step_by(7) {
        let _ = crate::outcome::of(&file(eight_bits(), JPEG, &[], &[&good[..n]]));
    }
}

/// A JPEG 2000 stream of nothing but headers (ISO 15444-1 annex A).
fn empty_j2k(size: u32, tile: u32, components: u16) -> Vec<u8> {
    let mut out = vec![0xFF, 0x4F, 0xFF, 0x51];
    out.extend((38 + 3 * components).to_be_bytes());
    out.extend([0, 0]);
    for v in [size, size, 0, 0, tile, tile, 0, 0] {
        out.extend(v.to_be_bytes());
    }
    out.extend(components.to_be_bytes());
    (0..components).for_each(|_| out.extend([15, 1, 1]));
    out.extend([0xFF, 0x52, 0, 12, 0, 0, 0, 1, 0, 5, 4, 4, 0, 1, 0xFF, 0x5C, 0, 19, 0x40]);
    out.extend([0x88; 16]);
    out.extend([0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0x93]);
    out.extend([0; 40]);
    out.extend([0xFF, 0xD9]);
    out
}

#[test]
fn jpeg_2000_and_jpeg_ls_sizes_are_compared_first() {
    let bad = |name: &str, syntax: &str, s: &[u8], part: &str| {
        refused(name, &file(twelve_bits(), syntax, &[], &[s]), part);
    };
    bad("2 G x 2 G", JPEG_2000, &empty_j2k(0x7FFF_FFFF, 0x7FFF_FFFF, 1), "2147483647");
    bad("4 G tiles", JPEG_2000, &empty_j2k(65_535, 1, 1), "65535");
    bad("16384 components", JPEG_2000, &empty_j2k(16, 16, 16_384), "16384 samples");
    bad("a header only", JPEG_2000, &empty_j2k(16, 16, 1)[..60], "cannot be unpacked");
    let ls = |size: u16, n: u8| {
        let mut out = vec![0xFF, 0xD8, 0xFF, 0xF7];
        out.extend((8 + 3 * u16::from(n)).to_be_bytes());
        out.push(16);
        out.extend([size.to_be_bytes(), size.to_be_bytes()].concat());
        out.push(n);
        (0..n).for_each(|i| out.extend([i + 1, 0x11, 0]));
        out.extend([0xFF, 0xDA]);
        out.extend((6 + 2 * u16::from(n)).to_be_bytes());
        out.push(n);
        (0..n).for_each(|i| out.extend([i + 1, 0]));
        out.extend([0, 0, 0]);
        out.extend([0x55; 60]);
        out.extend([0xFF, 0xD9]);
        out
    };
    bad("65535 x 65535", JPEG_LS, &ls(65_535, 1), "65535");
    bad("255 components", JPEG_LS, &ls(16, 255), "255 samples");
    warns("garbage of the right size", &file(twelve_bits(), JPEG_LS, &[], &[&ls(16, 1)]), "cut off");
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(data).expect("in memory");
    out.finish().expect("in memory")
}

#[test]
fn inflation_has_a_bound() {
    let good = file(twelve_bits(), DEFLATED_FRAMES, &[], &[&deflated(&bytes())]);
    assert_eq!(opens("a deflated frame", &good).bytes, bytes());
    let bomb = deflated(&vec![0; 256 << 20]);
    refused("a frame of 256 MiB", &file(twelve_bits(), DEFLATED_FRAMES, &[], &[&bomb]), "unpacks to more than");

    let set = |extra: Vec<u8>| {
        let plain =
            twelve_bits().raw(0x0009_0010, extra).raw(PIXEL_DATA, crate::writer::element(PIXEL_DATA, "OW", &bytes()));
        [crate::writer::meta(DEFLATED), deflated(&plain.bytes())].concat()
    };
    let small = crate::writer::element(0x0009_0010, "LO", b"LIGHTBOX");
    assert_eq!(opens("a deflated data set", &set(small)).bytes, bytes());
    let large = crate::writer::element_with_length(0x0009_1001, "OB", &vec![0; 256 << 20], 256 << 20);
    refused("a data set of 256 MiB", &set(large), "unpacks to more than");
}

#[test]
fn twelve_bit_colour_is_read_as_the_header_says() {
    // Two flat halves, so that nothing but the colour transform changes the values.
    let rgb: Vec<i16> = (0..256).flat_map(|i| if i < 128 { [4000, 1000, 300] } else { [100, 2000, 3500] }).collect();
    let colour = |kind: &str| twelve_bits().u16(0x0028_0002, 3).u16(0x0028_0006, 0).text(0x0028_0004, "CS", kind);
    let stream = libjpeg_turbo_rs::precision::compress_12bit(&rgb, 16, 16, 3, 100, libjpeg_turbo_rs::Subsampling::S444)
        .expect("an image");
    let p = opens("12-bit YBR", &file(colour("YBR_FULL"), "1.2.840.10008.1.2.4.51", &[], &[&stream]));
    assert_eq!((p.samples, p.dtype, p.photometric), (3, "u16", "RGB"));
    let found: Vec<i16> = p.bytes.chunks(2).map(|c| i16::from_le_bytes([c[0], c[1]])).collect();
    for (i, (a, b)) in found.iter().zip(&rgb).enumerate() {
        assert!((a - b).abs() <= 8, "sample {i}: {a} is not {b}");
    }
    // Where the header says RGB and no marker contradicts, the components are the colours.
    let p = opens("12-bit RGB", &file(colour("RGB"), "1.2.840.10008.1.2.4.51", &[], &[&stream]));
    let first = i16::from_le_bytes([p.bytes[0], p.bytes[1]]);
    let luma = 0.299 * 4000.0 + 0.587 * 1000.0 + 0.114 * 300.0;
    assert!((f64::from(first) - luma).abs() < 8.0, "{first} is not {luma}");
}
