//! ZIP archives and DICOMDIR (PS3.10 8.6): nothing outside is touched, nothing unpacks without bound.

use std::io::{Cursor, Write};
use std::path::Path;

use lightbox_dicom::{FrameSelection, Opener, StudyIndex};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::outcome::scanned;
use crate::series::{Lattice, plane, slice};
use crate::writer::{EXPLICIT, element, item, meta};

fn good(instance: usize) -> Vec<u8> {
    slice(&Lattice::axial(), instance as f64, &plane(instance, 0), instance).file(EXPLICIT)
}

fn zip(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, data) in entries {
        out.start_file(*name, options).expect("a name");
        out.write_all(data).expect("in memory");
    }
    out.finish().expect("in memory").into_inner()
}

fn scan_bytes(folder: &Path, bytes: &[u8]) -> StudyIndex {
    let path = folder.join("x.zip");
    std::fs::write(&path, bytes).expect("written");
    scanned(&path)
}

fn frames(index: &StudyIndex) -> usize {
    index.studies.iter().flat_map(|s| &s.series).map(|s| s.frames).sum()
}

#[test]
fn members_are_read_in_memory_whatever_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["../../evil.dcm", "/evil.dcm", "a/../../evil2.dcm", "ok.dcm"];
    let entries: Vec<(&str, Vec<u8>)> = names.iter().enumerate().map(|(i, n)| (*n, good(i + 1))).collect();
    let index = scan_bytes(folder.path(), &zip(&entries));
    assert_eq!(frames(&index), 4);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "only the archive is there");
    // What was scanned can be opened again, each member its own.
    let opener = Opener::default();
    for frame in &index.studies[0].series[0].stacks[0].frames {
        let stored = opener.stored(&frame.source, FrameSelection::All).expect("a slice");
        let k = frame.instance_number.expect("told") as usize;
        let expected: Vec<u8> = plane(k, 0).iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(stored.bytes, expected);
    }
}

#[test]
fn archives_in_archives_cut_ones_and_bombs_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut nested = good(1);
    for _ in 0..12 {
        nested = zip(&[("n.zip", nested)]);
    }
    let index = scan_bytes(folder.path(), &nested);
    assert!(index.skipped[0].reason.contains("an archive inside an archive"), "{:?}", index.skipped);
    let whole = zip(&[("a.dcm", good(1))]);
    let index = scan_bytes(folder.path(), &whole[..whole.len() - 80]);
    assert!(index.skipped[0].reason.contains("the archive cannot be read"), "{:?}", index.skipped);
    let index = scan_bytes(folder.path(), &zip(&[("bomb.dcm", [good(1), vec![0; 256 << 20]].concat())]));
    assert_eq!(frames(&index) + index.skipped.len(), 1);
    // A member that inflates to more than it says.
    let mut liar = zip(&[("liar.dcm", [good(1), vec![0; 1 << 20]].concat())]);
    let told = (good(1).len() as u32 + (1 << 20)).to_le_bytes();
    for at in (0..liar.len() - 4).rev() {
        if liar[at..at + 4] == told {
            liar[at..at + 4].copy_from_slice(&600_u32.to_le_bytes());
        }
    }
    let index = scan_bytes(folder.path(), &liar);
    assert_eq!((frames(&index), index.skipped.len()), (0, 1), "{:?}", index.skipped);
}

/// A directory of one patient, study, series and image, whose offsets are as given.
fn directory(parts: &str, next: u32, lower: u32) -> Vec<u8> {
    let record = |kind: &str, next: u32, lower: u32, body: Vec<u8>| {
        let fixed = [
            element(0x0004_1400, "UL", &next.to_le_bytes()),
            element(0x0004_1410, "US", &[0xFF, 0xFF]),
            element(0x0004_1420, "UL", &lower.to_le_bytes()),
            element(0x0004_1430, "CS", kind.as_bytes()),
        ];
        item(&[fixed.concat(), body].concat())
    };
    let records = [
        record("PATIENT", next, lower, element(0x0010_0010, "PN", b"PHANTOM")),
        record("IMAGE", 0, 0, element(0x0004_1500, "CS", parts.as_bytes())),
    ]
    .concat();
    let mut file = meta(EXPLICIT);
    // Media Storage Directory Storage in place of CT, of the same length with its padding.
    let class = element(0x0002_0002, "UI", b"1.2.840.10008.1.3.10");
    let ct = element(0x0002_0002, "UI", b"1.2.840.10008.5.1.4.1.1.2");
    let at = file.windows(ct.len()).position(|w| w == ct).expect("the class");
    file.splice(at..at + ct.len(), class);
    file.extend(element(0x0004_1200, "UL", &next.to_le_bytes()));
    file.extend(element(0x0004_1220, "SQ", &records));
    file
}

#[test]
fn a_directory_leads_to_its_own_files_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("disc");
    std::fs::create_dir(&inner).expect("made");
    std::fs::write(folder.path().join("OUTSIDE"), good(1)).expect("written");
    // On disk in lower case, as many copies of discs are.
    std::fs::create_dir(inner.join("img")).expect("made");
    std::fs::write(inner.join("img").join("good"), good(2)).expect("written");
    let path = inner.join("DICOMDIR");
    for (parts, found, said) in [
        ("IMG\\GOOD", 1, ""),
        ("..\\OUTSIDE", 0, "outside its folder"),
        ("/etc/passwd", 0, "outside its folder"),
        ("NO\\SUCH\\FILE", 0, "not there"),
    ] {
        // Offsets that form a circle, and ones beyond the file.
        for (next, lower) in [(0, 400), (400, 400), (0x7FFF_FFF0, 0x7FFF_FFF1)] {
            std::fs::write(&path, directory(parts, next, lower)).expect("written");
            let index = scanned(&path);
            assert_eq!(frames(&index), found, "{parts}: {:?}", index.skipped);
            assert_eq!(index.skipped.iter().any(|s| s.reason.contains(said)), found == 0, "{:?}", index.skipped);
        }
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path().join("OUTSIDE"), inner.join("LINK")).expect("linked");
        std::fs::write(&path, directory("LINK", 0, 400)).expect("written");
        let index = scanned(&path);
        assert_eq!(frames(&index), 0);
        assert!(index.skipped[0].reason.contains("outside its folder"), "{:?}", index.skipped);
    }
}

#[cfg(unix)]
#[test]
fn loops_of_links_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).expect("made");
    std::fs::write(inner.join("a"), good(1)).expect("written");
    std::os::unix::fs::symlink("..", inner.join("up")).expect("linked");
    std::os::unix::fs::symlink("self", inner.join("self")).expect("linked");
    std::os::unix::fs::symlink(&inner, inner.join("again")).expect("linked");
    let index = scanned(&inner.join("up"));
    assert_eq!(frames(&index), 1);
    assert!(index.skipped.iter().any(|s| s.path.ends_with("self")), "{:?}", index.skipped);
}

/// A tar archive with a folder, a link and the given members.
fn tar(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    out.append_link(&mut link, "link.dcm", "/etc/passwd").expect("in memory");
    for (name, data) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, name, data.as_slice()).expect("in memory");
    }
    out.into_inner().expect("in memory")
}

#[test]
fn tar_archives_are_read_packed_or_not_and_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = format!("{}/b.dcm", "a".repeat(180));
    let names = ["study/a.dcm", long.as_str(), "c"];
    let entries: Vec<(&str, Vec<u8>)> = names.iter().enumerate().map(|(i, n)| (*n, good(i + 1))).collect();
    let whole = tar(&entries);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&whole).expect("in memory");
    for bytes in [whole.clone(), packed.finish().expect("in memory")] {
        let index = scan_bytes(folder.path(), &bytes);
        assert_eq!(frames(&index), 3);
        assert_eq!(index.skipped.len(), 1, "{:?}", index.skipped);
        assert!(index.skipped[0].reason.contains("link"));
        let opener = Opener::default();
        for frame in &index.studies[0].series[0].stacks[0].frames {
            let stored = opener.stored(&frame.source, FrameSelection::All).expect("a slice");
            let k = frame.instance_number.expect("told") as usize;
            assert_eq!(stored.bytes, plane(k, 0).iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
        }
    }
    // Cut off within the last member: what is there is shown.
    let cut = scan_bytes(folder.path(), &whole[..whole.len() - 1536]);
    assert!(frames(&cut) >= 2, "{:?}", cut.skipped);
    for n in (0..whole.len()).step_by(97) {
        let _ = scan_bytes(folder.path(), &whole[..n]);
    }
}
