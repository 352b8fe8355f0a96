//! De-identified copies: nothing of the person in them, everything of the image.

mod hostile;
mod leave;
mod options;
mod person;
#[path = "../files/writer.rs"]
#[allow(dead_code, reason = "shared with the tests of files, which use more of it")]
mod writer;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use lightbox_dicom::anonymize::{Anonymized, ProfileOption, Settings, anonymize};

const KEY: &str = "the key of the tests";

fn settings(options: &[ProfileOption]) -> Settings {
    Settings { options: BTreeSet::from_iter(options.iter().copied()), key: Some(KEY.into()), masks: Vec::new() }
}

/// A folder with these files, and the copies of them.
struct Run {
    dir: tempfile::TempDir,
    done: Anonymized,
}

impl Run {
    fn of(files: &[(&str, Vec<u8>)], settings: &Settings) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let from = dir.path().join("in");
        for (name, bytes) in files {
            let path = from.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
        let done =
            anonymize(&[from], &dir.path().join("out"), settings, &mut |_| ControlFlow::Continue(())).expect("a run");
        Self { dir, done }
    }

    /// The copies in the order of their names.
    fn copies(&self) -> Vec<PathBuf> {
        leave::copies_in(&self.dir.path().join("out"))
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        self.copies().iter().map(|p| std::fs::read(p).expect("a copy")).collect()
    }

    fn only(&self) -> Vec<u8> {
        assert_eq!((self.done.refused.len(), self.done.report.copies), (0, 1), "{:?}", self.done.refused);
        self.bytes().remove(0)
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    let low = bytes.to_ascii_lowercase();
    low.windows(text.len()).any(|w| w == text.to_ascii_lowercase().as_bytes())
}

/// The values of an attribute wherever it stands in a file, by its bytes in explicit VR little endian.
fn values(bytes: &[u8], tag: u32) -> Vec<String> {
    let mut mark = [(tag >> 16) as u16, tag as u16].iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    mark.truncate(4);
    (0..bytes.len().saturating_sub(8))
        .filter(|&i| bytes[i..i + 4] == mark[..] && bytes[i + 4].is_ascii_uppercase())
        .map(|i| {
            let long = matches!(&bytes[i + 4..i + 6], b"UT" | b"UC" | b"UN" | b"OB" | b"OW" | b"SQ" | b"UR");
            let (start, n) = if long {
                (i + 12, u32::from_le_bytes([bytes[i + 8], bytes[i + 9], bytes[i + 10], bytes[i + 11]]) as usize)
            } else {
                (i + 8, usize::from(u16::from_le_bytes([bytes[i + 6], bytes[i + 7]])))
            };
            String::from_utf8_lossy(&bytes[start..(start + n).min(bytes.len())]).trim_matches([' ', '\0']).to_string()
        })
        .collect()
}

fn value(bytes: &[u8], tag: u32) -> Option<String> {
    let mut all = values(bytes, tag);
    assert!(all.len() <= 1, "{tag:08X} stands {} times", all.len());
    all.pop()
}

fn read(path: &Path) -> lightbox_dicom::StudyIndex {
    lightbox_dicom::scan(&[path.to_path_buf()], &mut |_| ControlFlow::Continue(()))
}
