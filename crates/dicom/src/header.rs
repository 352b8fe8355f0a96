//! The attributes of a file, as text for people and as JSON (PS3.18 F.2) for programs.

use std::fmt::Write as _;

use dicom_core::Tag;
use dicom_core::header::Header;
use dicom_core::value::PrimitiveValue;
use dicom_object::InMemDicomObject;

use crate::element;
use crate::error::{Error, Fault};
use crate::file::DicomFile;
use crate::index::Source;
use crate::objects;
use crate::parse::Limits;
use crate::store::Opener;
use crate::text::{safe, shortened};

fn open(source: &Source) -> Result<DicomFile, Error> {
    let read = || {
        let bytes = Opener::new(0).bytes(source)?;
        if bytes.len() == 0 {
            return Err(Fault::Empty);
        }
        DicomFile::read(bytes, Limits::ALL)
    };
    read().map_err(|f| f.at(source))
}

/// The attributes as lines `(gggg,eeee) VR Keyword value`, items of sequences indented. Pixel data is named, not shown.
/// Behind them, marked with `#`, what a report, a structure set or another object beside images says.
///
/// # Errors
/// [`Error::File`] when the file is not readable as DICOM.
pub fn to_text(source: &Source) -> Result<String, Error> {
    let file = open(source)?;
    let mut out = String::new();
    for note in &file.notes {
        let _ = writeln!(out, "# {note}");
    }
    for (element, vr, value) in &file.meta.elements {
        let tag = Tag(0x0002, *element);
        let vr = String::from_utf8_lossy(vr).into_owned();
        let shown = match vr.as_str() {
            "OB" | "UN" | "OW" => format!("[{} bytes]", value.len()),
            _ => safe(&String::from_utf8_lossy(value)),
        };
        let _ = writeln!(out, "(0002,{element:04X}) {vr} {} {shown}", element::name(tag));
    }
    lines(file.object(), 0, &mut out);
    if let Some(p) = file.data.pixels {
        let length = p.length.map_or("compressed".to_string(), |n| format!("{n} bytes"));
        let _ = writeln!(out, "({:04X},{:04X}) {} {} [{length}]", p.tag.0, p.tag.1, p.vr, element::name(p.tag));
    }
    let content = objects::lines(file.object());
    if !content.is_empty() {
        let _ = writeln!(out, "# {}", objects::summary(file.object(), &file.sop_class_uid()));
    }
    for line in content {
        let _ = writeln!(out, "#   {line}");
    }
    Ok(out)
}

fn lines(object: &InMemDicomObject, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    for element in object {
        let tag = element.tag();
        let value = match element.value().primitive() {
            Some(v) => show(v),
            None => String::new(),
        };
        let _ = writeln!(
            out,
            "{indent}({:04X},{:04X}) {} {} {value}",
            tag.0,
            tag.1,
            element.vr(),
            if tag.0 % 2 == 1 { "Private".to_string() } else { element::name(tag) }
        );
        // Nesting is bounded where the file is read.
        for (i, item) in element.value().items().unwrap_or(&[]).iter().enumerate() {
            let _ = writeln!(out, "{indent}  item {}", i + 1);
            lines(item, depth + 2, out);
        }
    }
}

fn show(value: &PrimitiveValue) -> String {
    match value {
        PrimitiveValue::Empty => String::new(),
        PrimitiveValue::U8(v) => format!("[{} bytes]", v.len()),
        PrimitiveValue::U16(v) if v.len() > 16 => format!("[{} values]", v.len()),
        other => shortened(&safe(&other.to_str().replace(['\r', '\n'], " ")), 512),
    }
}

/// The attributes in the DICOM JSON model (PS3.18 F.2), without pixel data.
///
/// # Errors
/// As [`to_text`].
pub fn to_json(source: &Source) -> Result<serde_json::Value, Error> {
    let file = open(source)?;
    dicom_json::to_value(file.object()).map_err(|e| Fault::Header(e.to_string()).at(source))
}
