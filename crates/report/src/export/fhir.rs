//! FHIR R4 DiagnosticReport (<https://hl7.org/fhir/R4/diagnosticreport.html>).

use serde_json::{Value, json};

use super::{Frame, NOTICE, html, parts};

/// The report as one DiagnosticReport: LOINC 18748-4 (diagnostic imaging study), text, conclusion, and the report as
/// plain text and, where given, as PDF.
pub fn fhir_json(text: &str, frame: &Frame, pdf: Option<&[u8]>) -> String {
    let parts = parts(text);
    let conclusion = parts
        .iter()
        .find(|(heading, _)| matches!(heading.as_str(), "IMPRESSION" | "CONCLUSION" | "SUMMARY" | "OPINION"))
        .map(|(_, lines)| lines.join("\n"));
    let mut forms = vec![json!({"contentType": "text/plain; charset=utf-8", "data": base64(text.as_bytes())})];
    forms[0]["contentType"] = json!("text/plain");
    if let Some(pdf) = pdf {
        forms.push(json!({"contentType": "application/pdf", "data": base64(pdf)}));
    }
    let body: String = parts
        .iter()
        .map(|(heading, lines)| {
            format!("<p><b>{}</b></p><p>{}</p>", html::escaped(heading), html::escaped(&lines.join(" ")))
        })
        .collect();
    let mut report = json!({
        "resourceType": "DiagnosticReport",
        "status": if frame.reader.is_empty() { "preliminary" } else { "final" },
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD", "display": "Radiology"}]}],
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging study"}],
            "text": frame.title,
        },
        "text": {
            "status": "generated",
            "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{body}<p>{NOTICE}</p></div>"),
        },
        "presentedForm": forms,
    });
    let mut set = |key: &str, value: Value| {
        report[key] = value;
    };
    if let Some(conclusion) = conclusion.filter(|conclusion| !conclusion.is_empty()) {
        set("conclusion", json!(conclusion));
    }
    if !frame.exam_date.is_empty() {
        set("effectiveDateTime", json!(frame.exam_date));
    }
    if !frame.signed_at.is_empty() {
        set("issued", json!(frame.signed_at));
    }
    if !frame.reader.is_empty() {
        set("resultsInterpreter", json!([{"display": frame.reader}]));
    }
    if !frame.patient.is_empty() || !frame.patient_id.is_empty() {
        let mut subject = json!({});
        if !frame.patient.is_empty() {
            subject["display"] = json!(frame.patient);
        }
        if !frame.patient_id.is_empty() {
            subject["identifier"] = json!({"value": frame.patient_id});
        }
        set("subject", subject);
    }
    if !frame.study_uid.is_empty() {
        let uid = format!("urn:oid:{}", frame.study_uid);
        set("imagingStudy", json!([{"identifier": {"system": "urn:dicom:uid", "value": uid}}]));
    }
    serde_json::to_string_pretty(&report).unwrap_or_default()
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let value = group.iter().fold(0u32, |value, byte| value << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = LETTERS[(value >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
