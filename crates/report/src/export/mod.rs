//! A signed report in the forms of other programs: HTML, FHIR DiagnosticReport, PDF. DICOM is `lightbox-dicom`'s.
//!
//! Every form carries the line "Not for diagnostic use" of a research viewer. Names and numbers of the patient come only
//! from what the caller passes in.

mod fhir;
mod html;
mod pdf;

pub use fhir::fhir_json;
pub(crate) use html::escaped;
pub use html::html;
pub use pdf::pdf;

/// What stands around the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The name of the examination ("CT of the chest").
    pub title: String,
    /// The patient's name as it is to be shown, may be empty.
    pub patient: String,
    /// The patient's number, may be empty.
    pub patient_id: String,
    /// Day of the examination, `YYYY-MM-DD`, may be empty.
    pub exam_date: String,
    /// Who signed, empty for a draft.
    pub reader: String,
    /// When, UTC, as `2026-11-25T10:41:00Z`, may be empty.
    pub signed_at: String,
    /// Study Instance UID, may be empty.
    pub study_uid: String,
}

/// The line that every form carries.
pub const NOTICE: &str = "Made with Lightbox, a research and education viewer. Not for diagnostic use.";

impl Frame {
    /// "Signed by …" or "Draft, not signed".
    pub(crate) fn status(&self) -> String {
        match (self.reader.is_empty(), self.signed_at.is_empty()) {
            (true, _) => "Draft, not signed".into(),
            (false, true) => format!("Signed by {}", self.reader),
            (false, false) => format!("Signed by {}, {}", self.reader, self.signed_at),
        }
    }

    /// Name, number and day, those that are known.
    pub(crate) fn about(&self) -> Vec<String> {
        [&self.patient, &self.patient_id, &self.exam_date]
            .into_iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect()
    }
}

/// Headings and lines of a report text: `FINDINGS:` alone on its line begins a part.
pub(crate) fn parts(text: &str) -> Vec<(String, Vec<String>)> {
    let mut parts: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let heading = line
            .strip_suffix(':')
            .filter(|name| !name.is_empty() && name.len() < 40 && !name.chars().any(char::is_lowercase));
        match (heading, parts.last_mut()) {
            (Some(name), _) => parts.push((name.to_owned(), Vec::new())),
            (None, Some(part)) => part.1.push(line.to_owned()),
            (None, None) if line.is_empty() => {}
            (None, None) => parts.push((String::new(), vec![line.to_owned()])),
        }
    }
    for part in &mut parts {
        while part.1.last().is_some_and(String::is_empty) {
            part.1.pop();
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "TECHNIQUE:\nCT of the chest.\n\nFINDINGS:\nNodule <8 mm> & \"scar\", é, 影像 (x).\n\nIMPRESSION:\nNodule.\n";

    fn frame() -> Frame {
        Frame {
            title: "CT of the chest".into(),
            patient: "Roe, Jane".into(),
            reader: "Dr. Ada Lee".into(),
            signed_at: "2026-11-25T10:41:00Z".into(),
            exam_date: "2026-11-24".into(),
            ..Frame::default()
        }
    }

    #[test]
    fn headings_are_told_from_lines() {
        let parts = parts(TEXT);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[2], ("IMPRESSION".to_owned(), vec!["Nodule.".to_owned()]));
    }

    #[test]
    fn html_escapes_what_is_typed() {
        let html = html(TEXT, &frame());
        assert!(html.contains("Nodule &lt;8 mm&gt; &amp; &quot;scar&quot;, é, 影像"), "{html}");
        assert!(html.contains(NOTICE) && html.contains("Signed by Dr. Ada Lee"));
        assert!(!super::html("<script>alert(1)</script>", &Frame::default()).contains("<script>"));
    }

    #[test]
    fn fhir_has_the_fields_of_a_diagnostic_report() {
        let json: serde_json::Value = serde_json::from_str(&fhir_json(TEXT, &frame(), Some(b"%PDF"))).unwrap();
        assert_eq!(json["resourceType"], "DiagnosticReport");
        assert_eq!(json["status"], "final");
        assert_eq!(json["conclusion"], "Nodule.");
        assert_eq!(json["effectiveDateTime"], "2026-11-24");
        assert_eq!(json["presentedForm"][0]["contentType"], "text/plain");
        assert_eq!(json["presentedForm"][1]["data"], "JVBERg==");
        let draft: serde_json::Value = serde_json::from_str(&fhir_json(TEXT, &Frame::default(), None)).unwrap();
        assert_eq!(draft["status"], "preliminary");
    }

    #[test]
    fn the_pdf_is_one_and_breaks_pages() {
        let short = pdf(TEXT, &frame());
        assert!(short.starts_with(b"%PDF-") && short.trim_ascii_end().ends_with(b"%%EOF"));
        let count = |bytes: &[u8]| bytes.windows(11).filter(|window| window == b"/Type /Page").count();
        let long = pdf(&"A line of the report that goes on and on.\n".repeat(200), &frame());
        assert!(count(&long) > count(&short), "{} {}", count(&long), count(&short));
        assert!(pdf(&"x".repeat(5000), &Frame::default()).starts_with(b"%PDF-"));
    }
}
