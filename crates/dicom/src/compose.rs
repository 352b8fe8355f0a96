//! Building data sets to be written: elements by type, unique identifiers, and files that appear whole or not at all.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Length, Tag, VR};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use lightbox_core::label::Code;

/// Explicit VR Little Endian.
pub(crate) const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// Identifies this implementation in group 0002; a 2.25 UID made once.
pub(crate) const IMPLEMENTATION_CLASS_UID: &str = "2.25.171923884503927184416023915508713324501";
pub(crate) const IMPLEMENTATION_VERSION: &str = concat!("LIGHTBOX_", env!("CARGO_PKG_VERSION"));

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteFault {
    /// The operating system refused.
    #[error("{doing} failed ({})", plain(source))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The data set cannot be written as DICOM.
    #[error("the data set cannot be written as DICOM ({0})")]
    Encode(String),
}

/// An operating system's reason without its number.
fn plain(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return "the disk is full".into();
    }
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

impl WriteFault {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

/// Puts elements into a data set by what they hold.
pub(crate) trait Compose {
    fn put_value(&mut self, tag: Tag, vr: VR, value: PrimitiveValue);
    fn put_items(&mut self, tag: Tag, items: Vec<InMemDicomObject>);

    /// Text of any VR; several values are joined by a backslash. An empty text makes an empty element (type 2).
    fn put_text(&mut self, tag: Tag, vr: VR, value: &str) {
        let value = if value.is_empty() { PrimitiveValue::Empty } else { PrimitiveValue::from(value) };
        self.put_value(tag, vr, value);
    }

    fn put_u16(&mut self, tag: Tag, value: u16) {
        self.put_value(tag, VR::US, PrimitiveValue::from(value));
    }

    fn put_u16s(&mut self, tag: Tag, values: &[u16]) {
        self.put_value(tag, VR::US, PrimitiveValue::U16(values.into()));
    }

    fn put_u32s(&mut self, tag: Tag, values: &[u32]) {
        self.put_value(tag, VR::UL, PrimitiveValue::U32(values.into()));
    }

    fn put_tag(&mut self, tag: Tag, value: Tag) {
        self.put_value(tag, VR::AT, PrimitiveValue::Tags([value].into_iter().collect()));
    }

    /// Decimal strings of at most 16 characters each (PS3.5 table 6.2-1).
    fn put_decimals(&mut self, tag: Tag, values: &[f64]) {
        let text: Vec<String> = values.iter().map(|v| decimal(*v)).collect();
        self.put_text(tag, VR::DS, &text.join("\\"));
    }

    fn put_code(&mut self, tag: Tag, code: &Code) {
        self.put_items(tag, vec![code_item(code)]);
    }
}

impl Compose for InMemDicomObject {
    fn put_value(&mut self, tag: Tag, vr: VR, value: PrimitiveValue) {
        self.put(DataElement::new(tag, vr, value));
    }

    fn put_items(&mut self, tag: Tag, items: Vec<InMemDicomObject>) {
        self.put(DataElement::new(tag, VR::SQ, DataSetSequence::new(items, Length::UNDEFINED)));
    }
}

/// One item of a code sequence (PS3.3 table 8.8-1).
pub(crate) fn code_item(code: &Code) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    // A value of more than 16 characters has its own element.
    let long = code.value.chars().count() > 16;
    item.put_text(
        if long { Tag(0x0008, 0x0119) } else { Tag(0x0008, 0x0100) },
        if long { VR::UC } else { VR::SH },
        &code.value,
    );
    item.put_text(Tag(0x0008, 0x0102), VR::SH, &code.scheme);
    item.put_text(Tag(0x0008, 0x0104), VR::LO, &clipped(&code.meaning, 64));
    item
}

/// At most `n` characters, without the backslash that separates values and without control characters.
pub(crate) fn clipped(text: &str, n: usize) -> String {
    text.chars()
        .map(|c| if c == '\\' || c.is_control() { ' ' } else { c })
        .take(n)
        .collect::<String>()
        .trim()
        .to_string()
}

/// The shortest decimal string of at most 16 characters that comes nearest to `v`.
pub(crate) fn decimal(v: f64) -> String {
    let v = if v == 0.0 { 0.0 } else { v };
    let plain = format!("{v}");
    if plain.len() <= 16 {
        return plain;
    }
    (0..=14)
        .rev()
        .flat_map(|digits| [format!("{v:.digits$}"), format!("{v:.digits$e}")])
        .filter(|s| s.len() <= 16)
        .min_by(|a, b| {
            let error = |s: &String| s.parse::<f64>().map_or(f64::INFINITY, |x| (x - v).abs());
            error(a).total_cmp(&error(b)).then(a.len().cmp(&b.len()))
        })
        .unwrap_or_else(|| "0".into())
}

/// FNV-1a over 128 bits.
pub(crate) fn digest(parts: &[&[u8]]) -> u128 {
    let mut h: u128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D;
    for part in parts {
        for &b in part.iter().chain(&[0xFF]) {
            h = (h ^ u128::from(b)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B);
        }
    }
    h
}

/// A UID under 2.25 (PS3.5 B.2): always the same for the same names.
pub(crate) fn named_uid(parts: &[&str]) -> String {
    let bytes: Vec<&[u8]> = parts.iter().map(|p| p.as_bytes()).collect();
    uid_from(digest(&bytes))
}

/// A UID that nobody had before.
pub(crate) fn fresh_uid() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let word = |n: u64| {
        // RandomState has keys from the operating system's random numbers.
        let mut h = RandomState::new().build_hasher();
        h.write_u64(n);
        h.finish().to_le_bytes()
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos()).to_le_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    uid_from(digest(&[
        &word(count),
        &word(count ^ u64::MAX),
        &now,
        &std::process::id().to_le_bytes(),
        &count.to_le_bytes(),
    ]))
}

pub(crate) fn uid_from(bits: u128) -> String {
    // The bits of a UUID of version 8 (RFC 9562): "custom".
    let uuid = bits & !(0xF << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
    format!("2.25.{uuid}")
}

/// Date (DA) and time (TM) of now in UTC.
pub(crate) fn now_utc() -> (String, String) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_date(days);
    let time = format!("{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60);
    (format!("{year:04}{month:02}{day:02}"), time)
}

/// Year, month and day of the given number of days after 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
pub(crate) fn civil_date(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * day_of_year + 2) / 153;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day_of_year - (153 * m + 2) / 5 + 1)
}

/// Writes a data set as a file, Explicit VR Little Endian, and puts it on the disk before it returns.
pub(crate) fn write_file(path: &Path, object: InMemDicomObject) -> Result<(), WriteFault> {
    let encode = |e: &dyn std::fmt::Display| WriteFault::Encode(e.to_string());
    let file = object
        .with_meta(
            FileMetaTableBuilder::new()
                .transfer_syntax(EXPLICIT_LITTLE_ENDIAN)
                .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
                .implementation_version_name(IMPLEMENTATION_VERSION),
        )
        .map_err(|e| encode(&e))?;
    let mut out = BufWriter::with_capacity(1 << 16, File::create(path).map_err(WriteFault::io("creating the file"))?);
    // Encoding into memory first tells a full disk from a data set that cannot be encoded.
    let mut bytes = Vec::new();
    file.write_all(&mut bytes).map_err(|e| encode(&e))?;
    out.write_all(&bytes).map_err(WriteFault::io("writing the file"))?;
    let handle = out.into_inner().map_err(|e| WriteFault::Io { doing: "writing the file", source: e.into_error() })?;
    handle.sync_all().map_err(WriteFault::io("writing the file to the disk"))
}

/// Writes a file whole or not at all: what was there stays until the new one is on the disk. A target that is no regular
/// file (a pipe, a device) is written to as it is.
pub(crate) fn write_whole(
    target: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), WriteFault> {
    let fill = |path: &Path, sync: bool| -> Result<(), WriteFault> {
        let file = File::create(path).map_err(WriteFault::io("creating the file"))?;
        let mut out = BufWriter::with_capacity(1 << 16, file);
        write(&mut out).map_err(WriteFault::io("writing the file"))?;
        let file =
            out.into_inner().map_err(|e| WriteFault::Io { doing: "writing the file", source: e.into_error() })?;
        if sync { file.sync_all().map_err(WriteFault::io("writing the file to the disk")) } else { Ok(()) }
    };
    if target.metadata().is_ok_and(|m| !m.is_file()) {
        return fill(target, false);
    }
    let part = Beside::new(target);
    fill(part.path(), true)?;
    part.replace(target)
}

/// A file beside its target that is deleted unless it is put in the target's place.
pub(crate) struct Beside {
    path: PathBuf,
    done: bool,
}

impl Beside {
    /// A new name in the folder of `target`.
    pub(crate) fn new(target: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!(".{name}.{}-{}.part", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { path: target.with_file_name(name), done: false }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, unless something already has it.
    pub(crate) fn place(self, target: &Path) -> Result<(), WriteFault> {
        // A second name fails where one is; where there are no second names (FAT), an empty file holds the place.
        match std::fs::hard_link(&self.path, target) {
            // Dropped, the first name goes.
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(WriteFault::Io { doing: "naming the file", source: e })
            }
            Err(_) => {
                File::create_new(target).map_err(WriteFault::io("naming the file"))?;
                self.replace(target)
            }
        }
    }

    /// Replaces the target in one step.
    pub(crate) fn replace(mut self, target: &Path) -> Result<(), WriteFault> {
        std::fs::rename(&self.path, target).map_err(WriteFault::io("putting the file in its place"))?;
        self.done = true;
        // The new name itself has to reach the disk. Not every file system lets a folder be synced; the file is whole.
        if let Some(folder) = target.parent().filter(|p| !p.as_os_str().is_empty())
            && let Ok(folder) = File::open(folder)
        {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.done {
            // Nothing to do about a failure: the file bears a name of its own and is ignored by readers.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_fit_and_come_nearest() {
        assert_eq!(decimal(-0.0), "0");
        assert_eq!(decimal(0.703125), "0.703125");
        for v in [std::f64::consts::PI * 100.0, -1.0 / 3.0, 1e-17, -123_456.789_012_345, 0.1 + 0.2, 1.234e300] {
            let s = decimal(v);
            assert!(s.len() <= 16, "{s}");
            let error = (s.parse::<f64>().expect("a number") - v).abs();
            assert!(error <= 1e-9 * v.abs().max(1.0), "{s} for {v}");
        }
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("v.nii");
        write_whole(&path, |out| out.write_all(b"old")).expect("written");
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let fault = write_whole(&path, |out| out.write_all(b"ne").and(Err(full()))).expect_err("no room");
        assert_eq!(fault.to_string(), "writing the file failed (the disk is full)");
        assert_eq!(std::fs::read(&path).expect("read"), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn days_are_dates() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(11_016), (2000, 2, 29));
        assert_eq!(civil_date(20_775), (2026, 11, 18));
    }

    #[test]
    fn uids_are_valid_named_ones_repeat_and_fresh_ones_do_not() {
        let a = named_uid(&["demo", "ct"]);
        assert_eq!(a, named_uid(&["demo", "ct"]));
        assert_ne!(a, named_uid(&["democ", "t"]));
        let mut seen = std::collections::BTreeSet::from([a]);
        for _ in 0..100 {
            assert!(seen.insert(fresh_uid()));
        }
        for uid in seen {
            assert!(uid.len() <= 64 && uid.starts_with("2.25.") && !uid[5..].starts_with('0'), "{uid}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_named() {
        let mut o = InMemDicomObject::new_empty();
        o.put_text(Tag(0x0008, 0x0016), VR::UI, "1.2.840.10008.5.1.4.1.1.66.4");
        o.put_text(Tag(0x0008, 0x0018), VR::UI, "1.2.3");
        let error = write_file(Path::new("/dev/full"), o).expect_err("no room").to_string();
        assert_eq!(error, "writing the file failed (the disk is full)");
    }

    #[test]
    fn a_part_file_that_is_not_used_goes_away() {
        let dir = tempfile::tempdir().expect("a folder");
        let target = dir.path().join("a.dcm");
        std::fs::write(&target, b"old").expect("written");
        let part = Beside::new(&target);
        std::fs::write(part.path(), b"half").expect("written");
        drop(part);
        assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 1);
        assert_eq!(std::fs::read(&target).expect("there"), b"old");
    }
}
