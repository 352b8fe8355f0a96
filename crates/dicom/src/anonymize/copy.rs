//! One file: read, changed, written.

use std::io::Write;

use dicom_core::{Tag, VR};
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::apply::{Work, holds};
use super::identity::Identity;
use super::report::Tally;
use super::secret::Secret;
use super::tables::ObjectTypes;
use super::tree::{self, Element, Set, Value, text_of};
use super::{ProfileOption, Settings, pixels, write};
use crate::bytes::{Bytes, Cursor};
use crate::compose::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION};
use crate::error::Fault;
use crate::parse::{self, Encoding};
use crate::{meta, syntax};

const SOP_CLASS: Tag = Tag(0x0008, 0x0016);
const SOP_INSTANCE: Tag = Tag(0x0008, 0x0018);

/// A file that was read and understood, not yet changed.
pub(super) struct Original {
    bytes: Bytes,
    set: Set,
    /// As the data set is written.
    encoding: Encoding,
    syntax: String,
    sop_class_uid: String,
    sop_instance_uid: String,
}

/// A changed data set, ready to be written.
pub(super) struct Copy {
    bytes: Bytes,
    set: Set,
    encoding: Encoding,
    syntax: String,
    sop_class_uid: String,
    sop_instance_uid: String,
    pub(super) warnings: Vec<&'static str>,
    pub(super) tally: Tally,
    /// New name of the patient.
    pub(super) patient: String,
    pub(super) study: String,
    pub(super) series: String,
}

impl Original {
    pub(super) fn read(bytes: Bytes) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(&bytes);
        let meta = meta::read(&mut cursor)?;
        let (bytes, start) = if meta.transfer_syntax == syntax::DEFLATED {
            (inflated(&bytes, meta.start)?, 0)
        } else {
            (bytes, meta.start)
        };
        let seen = parse::sniff(&mut Cursor::new(&bytes), start)?;
        let told = syntax::encoding(&meta.transfer_syntax);
        let known = meta.start > 4;
        let encoding = match (seen, told) {
            (Some(seen), _) => seen,
            (None, Some(told)) if known => told,
            (None, None) if known => return Err(Fault::Header("it does not say how it is written".into())),
            _ => return Err(Fault::UnknownFormat),
        };
        let set = tree::read(&bytes, start, encoding).map_err(|f| if known { f } else { Fault::UnknownFormat })?;
        let or = |tag, other: &str| text_of(&set, tag, &bytes).map(|t| if t.is_empty() { other.to_owned() } else { t });
        let sop_class_uid = or(SOP_CLASS, &meta.sop_class_uid)?;
        let sop_instance_uid = or(SOP_INSTANCE, &meta.sop_instance_uid)?;
        let series = text_of(&set, Tag(0x0020, 0x000E), &bytes)?;
        if !known
            && sop_class_uid.is_empty()
            && series.is_empty()
            && text_of(&set, Tag(0x0008, 0x0060), &bytes)?.is_empty()
        {
            return Err(Fault::UnknownFormat);
        }
        let encapsulated = set.get(&Tag(0x7FE0, 0x0010)).is_some_and(|e| matches!(e.value, Value::Fragments { .. }));
        let syntax = match (told == Some(encoding), encapsulated) {
            (true, _) => meta.transfer_syntax,
            // The codec is told, only the data set is written otherwise than it says: it is put right.
            (false, true) if told.is_some_and(|t| t.explicit && !t.big_endian) && !encoding.big_endian => {
                meta.transfer_syntax
            }
            (false, true) => {
                return Err(Fault::Header("its pixels are compressed and it does not say how".into()));
            }
            (false, false) => syntax::guess(encoding, false).to_owned(),
        };
        Ok(Self { bytes, set, encoding, syntax, sop_class_uid, sop_instance_uid })
    }

    pub(super) fn sop_class_uid(&self) -> &str {
        &self.sop_class_uid
    }

    /// Applies the profile.
    pub(super) fn anonymized(self, settings: &Settings, secret: &Secret) -> Result<Copy, Fault> {
        let Self { bytes, mut set, encoding, syntax, sop_class_uid, sop_instance_uid } = self;
        if set.contains_key(&Tag(0x0042, 0x0011)) {
            return Err(Fault::Header(
                "it holds a whole document (a PDF, for instance), which may name the patient and cannot be cleaned"
                    .into(),
            ));
        }
        let text = |tag| text_of(&set, tag, &bytes);
        let mut patient = format!("{}\n{}", text(Tag(0x0010, 0x0020))?, text(Tag(0x0010, 0x0021))?);
        if patient.trim().is_empty() {
            patient = format!("{}\n{}", text(Tag(0x0010, 0x0010))?, text(Tag(0x0010, 0x0030))?);
        }
        let (study, series) = (text(Tag(0x0020, 0x000D))?, text(Tag(0x0020, 0x000E))?);
        if patient.trim().is_empty() {
            patient.clone_from(&study);
        }
        let masked = settings.options.contains(&ProfileOption::CleanPixelData);
        let mut warnings = pixels::warnings(&set, &bytes, &sop_class_uid, masked)?;
        if sop_class_uid.starts_with("1.2.840.10008.5.1.4.1.1.88.")
            && settings.options.contains(&ProfileOption::CleanStructuredContent)
        {
            warnings.push("the text of a structured report was cleaned word by word; look at what is left");
        }
        let identity = Identity::collect(&set, &bytes, settings)?;
        for tag in tree::PIXEL_TAGS {
            if let Some(element) = set.get(&tag)
                && holds(element, &bytes, &identity)?
            {
                return Err(Fault::Header(
                    "its pixel data holds text that names the patient or the place, which cannot be taken out".into(),
                ));
            }
        }
        if masked && set.contains_key(&Tag(0x7FE0, 0x0010)) {
            pixels::mask(&mut set, &bytes, encoding, &syntax, &settings.masks)?;
        }
        let earlier = earlier_methods(&set, &bytes)?;
        let mut work = Work {
            file: &bytes,
            settings,
            secret,
            types: ObjectTypes::of(&sop_class_uid),
            patient,
            identity,
            tally: Tally::default(),
        };
        let mut set = work.root(set)?;
        let Work { tally, patient, .. } = work;
        let patient = secret.pseudonym(&patient);
        sign(&mut set, settings, earlier);
        let sop_instance_uid = match text_of(&set, SOP_INSTANCE, &bytes)? {
            uid if !uid.is_empty() => uid,
            _ if sop_instance_uid.is_empty() || settings.options.contains(&ProfileOption::RetainUids) => {
                sop_instance_uid
            }
            _ => secret.uid(&sop_instance_uid),
        };
        let encoding = syntax::encoding(&syntax).unwrap_or(encoding);
        Ok(Copy {
            bytes,
            set,
            encoding,
            syntax,
            sop_class_uid,
            sop_instance_uid,
            warnings,
            tally,
            patient,
            study,
            series,
        })
    }
}

fn inflated(bytes: &Bytes, start: u64) -> Result<Bytes, Fault> {
    let packed = bytes.vec(start, bytes.len().saturating_sub(start))?;
    let most = (64_u64 << 20).saturating_add(64 * packed.len() as u64).min(4 << 30);
    match crate::file::inflate(&packed, most)? {
        (out, true) => Ok(Bytes::memory(out)),
        _ => Err(Fault::CutOff("its deflated data set is not whole".into())),
    }
}

const METHOD_CODES: Tag = Tag(0x0012, 0x0064);

/// The codes of earlier de-identifications, which stay (PS3.3 C.7.1.1).
fn earlier_methods(set: &Set, file: &Bytes) -> Result<Vec<String>, Fault> {
    let mut out = Vec::new();
    if let Some(Value::Items(items)) = set.get(&METHOD_CODES).map(|e| &e.value) {
        for item in items {
            if text_of(item, Tag(0x0008, 0x0102), file)? == "DCM" {
                out.push(text_of(item, Tag(0x0008, 0x0100), file)?);
            }
        }
    }
    Ok(out)
}

/// Says that and how it was de-identified (PS3.15 E.1.1, PS3.3 C.7.1.1 and C.7.3.1).
fn sign(set: &mut Set, settings: &Settings, earlier: Vec<String>) {
    let has = |o| settings.options.contains(&o);
    set.insert(Tag(0x0012, 0x0062), Element::text(VR::CS, "YES"));
    let method = concat!("Lightbox ", env!("CARGO_PKG_VERSION"), "\\PS3.15 Annex E");
    set.insert(Tag(0x0012, 0x0063), Element::text(VR::LO, method));
    let own = settings.options.iter().copied().map(ProfileOption::words);
    let mut codes = vec![("113100", "Basic Application Confidentiality Profile")];
    codes.extend(own.map(|(_, code, meaning)| (code, meaning)));
    for option in ProfileOption::ALL.map(ProfileOption::words) {
        if earlier.iter().any(|e| e == option.1) && !codes.iter().any(|c| c.0 == option.1) {
            codes.push((option.1, option.2));
        }
    }
    let items = codes.into_iter().map(|(code, meaning)| {
        Set::from([
            (Tag(0x0008, 0x0100), Element::text(VR::SH, code)),
            (Tag(0x0008, 0x0102), Element::text(VR::SH, "DCM")),
            // Code Meaning has at most 64 characters.
            (Tag(0x0008, 0x0104), Element::text(VR::LO, meaning.get(..64).unwrap_or(meaning))),
        ])
    });
    set.insert(METHOD_CODES, Element { vr: VR::SQ, value: Value::Items(items.collect()) });
    let times = if has(ProfileOption::RetainFullDates) {
        "UNMODIFIED"
    } else if has(ProfileOption::RetainModifiedDates) {
        "MODIFIED"
    } else {
        "REMOVED"
    };
    set.insert(Tag(0x0028, 0x0303), Element::text(VR::CS, times));
}

impl Copy {
    pub(super) fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let uid = |text: &str| text.as_bytes().to_vec();
        let mut group = vec![
            (0x0001, VR::OB, vec![0, 1]),
            (0x0002, VR::UI, uid(&self.sop_class_uid)),
            (0x0003, VR::UI, uid(&self.sop_instance_uid)),
            (0x0010, VR::UI, uid(&self.syntax)),
            (0x0012, VR::UI, uid(IMPLEMENTATION_CLASS_UID)),
            (0x0013, VR::SH, uid(IMPLEMENTATION_VERSION)),
        ];
        // A file that does not say what it is stays one.
        group.retain(|(_, _, value)| !value.is_empty());
        write::meta(out, &group)?;
        if self.syntax != syntax::DEFLATED {
            return write::data_set(out, &self.set, self.encoding, &self.bytes);
        }
        let mut packed = Counted { out, written: 0 };
        let mut deflate = DeflateEncoder::new(&mut packed, Compression::default());
        write::data_set(&mut deflate, &self.set, self.encoding, &self.bytes)?;
        deflate.finish()?;
        // PS3.5 A.5: padded to an even length.
        if packed.written % 2 == 1 { packed.write_all(&[0]) } else { Ok(()) }
    }
}

struct Counted<'a> {
    out: &'a mut dyn Write,
    written: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let n = self.out.write(buf)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
