//! The objects: header of the study, frame of the report, content.

use std::path::Path;

use dicom_core::value::PrimitiveValue;
use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;
use lightbox_core::label::Code;

use super::content::{code, container, dcm, number, own, person, text, uid};
use super::{BASIC_TEXT_SR, COMPREHENSIVE_3D_SR, ENCAPSULATED_PDF, SrError, SrFinding, SrFrame, SrPart};
use crate::compose::{Beside, Compose, clipped, code_item, fresh_uid, named_uid, now_utc, write_file};
use crate::seg::SegReference;

/// Writes the text as Basic Text SR (TID 2000), one section for each heading.
///
/// # Errors
/// [`SrError`]; an older file of the name is whole then.
pub fn write_text(path: &Path, study: &SegReference, frame: &SrFrame, parts: &[SrPart]) -> Result<(), SrError> {
    if parts.iter().all(|part| part.paragraphs.is_empty()) {
        return Err(SrError::Nothing);
    }
    let mut children = context(frame);
    for part in parts.iter().filter(|part| !part.paragraphs.is_empty()) {
        let (section, line) = headings(&part.heading);
        let lines = part.paragraphs.iter().map(|words| text("CONTAINS", &line, words)).collect();
        children.push(container(&section, lines));
    }
    let name = Code::new("18748-4", "LN", "Diagnostic imaging report");
    let object = document(study, frame, BASIC_TEXT_SR, &name, "2000", children);
    save(path, object)
}

/// Writes findings with their measurements as Comprehensive 3D SR (TID 1500): one group for each finding.
///
/// # Errors
/// [`SrError::Nothing`] without findings; see [`write_text`].
pub fn write_measurements(
    path: &Path,
    study: &SegReference,
    frame: &SrFrame,
    findings: &[SrFinding],
) -> Result<(), SrError> {
    if findings.is_empty() {
        return Err(SrError::Nothing);
    }
    let groups = findings.iter().enumerate().map(|(index, finding)| group(study, index, finding)).collect();
    let mut children = context(frame);
    children.push(code("HAS CONCEPT MOD", &dcm("121058", "Procedure reported"), &own(shown_title(frame))));
    children.push(container(&dcm("111028", "Image Library"), Vec::new()));
    children.push(container(&dcm("126010", "Imaging Measurements"), groups));
    let name = dcm("126000", "Imaging Measurement Report");
    let object = document(study, frame, COMPREHENSIVE_3D_SR, &name, "1500", children);
    save(path, object)
}

/// Writes a PDF as Encapsulated PDF.
///
/// # Errors
/// [`SrError::NoPdf`] for bytes that do not begin like one; see [`write_text`].
pub fn write_pdf(path: &Path, study: &SegReference, frame: &SrFrame, pdf: &[u8]) -> Result<(), SrError> {
    let Some(length) = u32::try_from(pdf.len()).ok().filter(|n| *n < u32::MAX - 1 && pdf.starts_with(b"%PDF-")) else {
        return Err(SrError::NoPdf);
    };
    let mut o = header(study, ENCAPSULATED_PDF, "DOC");
    let (date, time) = now_utc();
    o.put_text(Tag(0x0008, 0x0023), VR::DA, &date);
    o.put_text(Tag(0x0008, 0x0033), VR::TM, &time);
    o.put_text(Tag(0x0008, 0x002A), VR::DT, "");
    o.put_text(Tag(0x0008, 0x0064), VR::CS, "WSD");
    o.put_text(Tag(0x0028, 0x0301), VR::CS, "YES");
    o.put_text(Tag(0x0042, 0x0010), VR::ST, &clipped(shown_title(frame), 1024));
    o.put_code(Tag(0x0040, 0xA043), &Code::new("18748-4", "LN", "Diagnostic imaging report"));
    o.put_text(Tag(0x0042, 0x0012), VR::LO, "application/pdf");
    let mut bytes = pdf.to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    o.put_value(Tag(0x0042, 0x0011), VR::OB, PrimitiveValue::U8(bytes.into()));
    o.put_u32s(Tag(0x0042, 0x0015), &[length]);
    save(path, o)
}

fn shown_title(frame: &SrFrame) -> &str {
    if frame.title.trim().is_empty() { "Imaging report" } else { frame.title.trim() }
}

/// Language and observer (TID 1204, 1002).
fn context(frame: &SrFrame) -> Vec<InMemDicomObject> {
    let language = Code::new("en", "RFC5646", "English");
    let mut items =
        vec![code("HAS CONCEPT MOD", &dcm("121049", "Language of Content Item and Descendants"), &language)];
    let observer = dcm("121005", "Observer Type");
    if frame.reader.trim().is_empty() {
        items.push(code("HAS OBS CONTEXT", &observer, &dcm("121007", "Device")));
        items.push(uid(
            "HAS OBS CONTEXT",
            &dcm("121012", "Device Observer UID"),
            &named_uid(&["lightbox", "observer"]),
        ));
        items.push(text("HAS OBS CONTEXT", &dcm("121013", "Device Observer Name"), "Lightbox"));
    } else {
        items.push(code("HAS OBS CONTEXT", &observer, &dcm("121006", "Person")));
        items.push(person("HAS OBS CONTEXT", &dcm("121008", "Person Observer Name"), &clipped(&frame.reader, 64)));
    }
    items
}

/// Section and line concept of a heading (CID 7001, 7002).
fn headings(heading: &str) -> (Code, Code) {
    let lower = heading.trim().to_lowercase();
    let pair = |section: (&str, &str), line: (&str, &str)| (dcm(section.0, section.1), dcm(line.0, line.1));
    match lower.as_str() {
        "history" | "indication" | "clinical history" | "clinical information" => {
            pair(("121060", "History"), ("121060", "History"))
        }
        "technique" | "procedure" => {
            pair(("121064", "Current Procedure Descriptions"), ("121065", "Procedure Description"))
        }
        "comparison" => pair(("121066", "Prior Procedure Descriptions"), ("121065", "Procedure Description")),
        "impression" => pair(("121072", "Impressions"), ("121073", "Impression")),
        "conclusion" | "summary" | "opinion" => pair(("121076", "Conclusions"), ("121077", "Conclusion")),
        "recommendation" | "recommendations" => pair(("121074", "Recommendations"), ("121075", "Recommendation")),
        "addendum" => pair(("121078", "Addendum"), ("121078", "Addendum")),
        _ => pair(("121070", "Findings"), ("121071", "Finding")),
    }
}

/// A measurement group (TID 1501).
fn group(study: &SegReference, index: usize, finding: &SrFinding) -> InMemDicomObject {
    let name =
        if finding.tracking_id.is_empty() { format!("finding {}", index + 1) } else { finding.tracking_id.clone() };
    let tracking = named_uid(&[study.series_uid(), &name]);
    let mut items = vec![
        text("HAS OBS CONTEXT", &dcm("112039", "Tracking Identifier"), &clipped(&name, 64)),
        uid("HAS OBS CONTEXT", &dcm("112040", "Tracking Unique Identifier"), &tracking),
        code("CONTAINS", &dcm("121071", "Finding"), &own(&clipped(&finding.term, 64))),
    ];
    if let Some((model, version)) = &finding.model {
        items.push(text("HAS CONCEPT MOD", &dcm("111001", "Algorithm Name"), &clipped(model, 64)));
        items.push(text("HAS CONCEPT MOD", &dcm("111003", "Algorithm Version"), &clipped(version, 64)));
    }
    if !finding.site.trim().is_empty() {
        let mut site =
            code("HAS CONCEPT MOD", &Code::new("363698007", "SCT", "Finding Site"), &own(&clipped(&finding.site, 64)));
        let side = match finding.side.as_str() {
            "left" => Some(Code::new("7771000", "SCT", "Left")),
            "right" => Some(Code::new("24028007", "SCT", "Right")),
            "bilateral" => Some(Code::new("51440002", "SCT", "Right and left")),
            _ => None,
        };
        if let Some(side) = side {
            let laterality = Code::new("272741003", "SCT", "Laterality");
            site.put_items(Tag(0x0040, 0xA730), vec![code("HAS CONCEPT MOD", &laterality, &side)]);
        }
        items.push(site);
    }
    let mm = Code::new("mm", "UCUM", "millimeter");
    let axes = [
        Code::new("103339001", "SCT", "Long Axis"),
        Code::new("103340004", "SCT", "Short Axis"),
        Code::new("121211", "DCM", "Path length"),
    ];
    let finite = |value: &f64| value.is_finite() && *value > 0.0;
    for (axis, size) in axes.iter().zip(finding.size_mm.iter().copied().filter(finite)) {
        items.push(number(axis, size, &mm));
    }
    if let Some(volume) = finding.volume_ml.filter(finite) {
        items.push(number(&Code::new("118565006", "SCT", "Volume"), volume, &Code::new("mL", "UCUM", "milliliter")));
    }
    if let Some(hu) = finding.mean_hu.filter(|hu| hu.is_finite()) {
        let density = Code::new("112031", "DCM", "Attenuation Coefficient");
        items.push(number(&density, hu, &Code::new("[hnsf'U]", "UCUM", "Hounsfield unit")));
    }
    container(&dcm("125007", "Measurement Group"), items)
}

/// Patient, study, series, equipment and SOP common.
fn header(study: &SegReference, class: &str, modality: &str) -> InMemDicomObject {
    let mut o = study.study_header().clone();
    // Of the image, not of a document.
    for tag in [
        (0x0018, 0x0015),
        (0x0020, 0x0020),
        (0x0020, 0x0052),
        (0x0020, 0x1040),
        (0x0028, 0x2110),
        (0x0028, 0x2112),
        (0x0028, 0x2114),
    ] {
        o.remove_element(Tag(tag.0, tag.1));
    }
    let (date, time) = now_utc();
    o.put_text(Tag(0x0008, 0x0005), VR::CS, "ISO_IR 192");
    o.put_text(Tag(0x0008, 0x0016), VR::UI, class);
    o.put_text(Tag(0x0008, 0x0018), VR::UI, &fresh_uid());
    o.put_text(Tag(0x0008, 0x0021), VR::DA, &date);
    o.put_text(Tag(0x0008, 0x0031), VR::TM, &time);
    o.put_text(Tag(0x0008, 0x0060), VR::CS, modality);
    o.put_text(Tag(0x0008, 0x0070), VR::LO, "Lightbox");
    o.put_text(Tag(0x0008, 0x103E), VR::LO, "Report");
    o.put_text(Tag(0x0008, 0x1090), VR::LO, "Lightbox");
    o.put_text(Tag(0x0018, 0x1000), VR::LO, "0");
    o.put_text(Tag(0x0018, 0x1020), VR::LO, env!("CARGO_PKG_VERSION"));
    o.put_text(Tag(0x0020, 0x000E), VR::UI, &fresh_uid());
    o.put_text(Tag(0x0020, 0x0011), VR::IS, "901");
    o.put_text(Tag(0x0020, 0x0013), VR::IS, "1");
    o
}

fn document(
    study: &SegReference,
    frame: &SrFrame,
    class: &str,
    name: &Code,
    template: &str,
    children: Vec<InMemDicomObject>,
) -> InMemDicomObject {
    let mut o = header(study, class, "SR");
    let (date, time) = now_utc();
    o.put_text(Tag(0x0008, 0x0023), VR::DA, &date);
    o.put_text(Tag(0x0008, 0x0033), VR::TM, &time);
    o.put_items(Tag(0x0008, 0x1111), Vec::new());
    o.put_items(Tag(0x0040, 0xA372), Vec::new());
    let verified = frame.signed && !frame.reader.trim().is_empty();
    o.put_text(Tag(0x0040, 0xA491), VR::CS, if verified { "COMPLETE" } else { "PARTIAL" });
    o.put_text(Tag(0x0040, 0xA493), VR::CS, if verified { "VERIFIED" } else { "UNVERIFIED" });
    if verified {
        let mut by = InMemDicomObject::new_empty();
        let organization = clipped(&frame.organization, 64);
        by.put_text(Tag(0x0040, 0xA027), VR::LO, if organization.is_empty() { "Unknown" } else { &organization });
        let at = if frame.signed_at.is_empty() { format!("{date}{time}") } else { frame.signed_at.clone() };
        by.put_text(Tag(0x0040, 0xA030), VR::DT, &format!("{at}+0000"));
        by.put_text(Tag(0x0040, 0xA075), VR::PN, &clipped(&frame.reader, 64));
        by.put_items(Tag(0x0040, 0xA088), Vec::new());
        o.put_items(Tag(0x0040, 0xA073), vec![by]);
    }
    o.put_items(Tag(0x0040, 0xA375), vec![evidence(study)]);
    o.put_text(Tag(0x0040, 0xA040), VR::CS, "CONTAINER");
    o.put_items(Tag(0x0040, 0xA043), vec![code_item(name)]);
    o.put_text(Tag(0x0040, 0xA050), VR::CS, "SEPARATE");
    let mut mapping = InMemDicomObject::new_empty();
    mapping.put_text(Tag(0x0008, 0x0105), VR::CS, "DCMR");
    mapping.put_text(Tag(0x0040, 0xDB00), VR::CS, template);
    o.put_items(Tag(0x0040, 0xA504), vec![mapping]);
    o.put_items(Tag(0x0040, 0xA730), children);
    o
}

/// The images that were read (C.17.2.3), of the series at hand.
fn evidence(study: &SegReference) -> InMemDicomObject {
    let instances = study
        .instances()
        .map(|(class, instance)| {
            let mut item = InMemDicomObject::new_empty();
            item.put_text(Tag(0x0008, 0x1150), VR::UI, class);
            item.put_text(Tag(0x0008, 0x1155), VR::UI, instance);
            item
        })
        .collect();
    let mut series = InMemDicomObject::new_empty();
    series.put_items(Tag(0x0008, 0x1199), instances);
    series.put_text(Tag(0x0020, 0x000E), VR::UI, study.series_uid());
    let mut item = InMemDicomObject::new_empty();
    item.put_items(Tag(0x0008, 0x1115), vec![series]);
    let uid = study.study_header().get(Tag(0x0020, 0x000D)).and_then(|e| e.to_str().ok().map(|text| text.into_owned()));
    item.put_text(Tag(0x0020, 0x000D), VR::UI, uid.as_deref().unwrap_or_default());
    item
}

fn save(path: &Path, object: InMemDicomObject) -> Result<(), SrError> {
    let shown = path.display().to_string();
    let part = Beside::new(path);
    write_file(part.path(), object).map_err(|fault| SrError::Write { fault, path: shown.clone() })?;
    part.replace(path).map_err(|fault| SrError::Write { fault, path: shown })
}
