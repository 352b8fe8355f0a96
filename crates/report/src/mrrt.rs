//! Templates in the form of IHE MRRT (Management of Radiology Report Templates): HTML5 in, HTML5 out.
//!
//! Read are the Dublin Core entries of the head, the sections of the body and their fields (`input`, `select`, `textarea`).
//! Scripts, styles and everything else of a page are left out, and nothing of it is ever run.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::{Deserialize, Serialize};

use crate::export::escaped;

/// Why a template could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MrrtError {
    /// The page breaks off or its tags do not fit.
    #[error("the template is no HTML that can be read: {0}")]
    Html(String),
    /// A page without a section.
    #[error("the page holds no report section; an MRRT template has <section data-section-name=\"…\">")]
    NoSection,
    /// Two fields or sections that say different things under one name.
    #[error("the template contradicts itself: {0}")]
    Contradiction(String),
    /// Beyond what a template is.
    #[error("the template is longer than {0} bytes")]
    TooLong(usize),
}

/// A page longer than this is no template.
pub const MAX_BYTES: usize = 2 << 20;

/// A template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// `dcterms.title`.
    pub title: String,
    /// `dcterms.identifier`.
    pub identifier: String,
    /// `dcterms.language`.
    pub language: String,
    /// `dcterms.publisher`.
    pub publisher: String,
    /// `dcterms.license`.
    pub license: String,
    /// `dcterms.date`.
    pub date: String,
    /// The sections in order.
    pub sections: Vec<Section>,
}

/// A section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Its name ("Findings").
    pub name: String,
    /// Text and fields in order.
    pub content: Vec<Piece>,
}

/// What stands in a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// Words.
    Text(String),
    /// A field.
    Field(Field),
}

/// A field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its id, unique in the template.
    pub id: String,
    /// Its name, for the reader.
    pub name: String,
    /// `text`, `number`, `date`, `select`, `checkbox`, `textarea`.
    pub kind: String,
    /// What it holds beforehand.
    pub value: String,
    /// What may be chosen.
    pub options: Vec<String>,
}

const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// Reads a template.
///
/// # Errors
/// [`MrrtError`].
pub fn read(html: &str) -> Result<Template, MrrtError> {
    if html.len() > MAX_BYTES {
        return Err(MrrtError::TooLong(MAX_BYTES));
    }
    let mut reader = Reader::from_str(html);
    // HTML leaves tags open; quick-xml is asked to let it.
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let mut state = State::default();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => state.open(&tag, false)?,
            Ok(Event::Empty(tag)) => state.open(&tag, true)?,
            Ok(Event::End(tag)) => state.close(&lower(tag.name().as_ref())),
            Ok(Event::Text(text)) => state.text(&decoded(&String::from_utf8_lossy(&text))),
            Ok(Event::GeneralRef(name)) => state.text(&decoded(&format!("&{};", String::from_utf8_lossy(&name)))),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => return Err(MrrtError::Html(error.to_string())),
        }
    }
    state.finish()
}

#[derive(Default)]
struct State {
    template: Template,
    /// Depth inside of `script`, `style`, `title` or `head`, whose words are none of the report.
    silent: usize,
    select: Option<Field>,
    area: Option<Field>,
    option: Option<(String, bool)>,
    labels: Vec<(String, String)>,
    label: Option<(String, String)>,
}

impl State {
    fn open(&mut self, tag: &BytesStart<'_>, empty: bool) -> Result<(), MrrtError> {
        let name = lower(tag.name().as_ref());
        let get = |wanted: &str| -> Option<String> {
            tag.html_attributes().with_checks(false).flatten().find_map(|attribute| {
                (lower(attribute.key.as_ref()) == wanted).then(|| decoded(&String::from_utf8_lossy(&attribute.value)))
            })
        };
        let leaf = empty || VOID.contains(&name.as_str());
        match name.as_str() {
            "script" | "style" | "title" if !leaf => self.silent += 1,
            "meta" => {
                let value = get("content").unwrap_or_default();
                match get("name").unwrap_or_default().to_lowercase().as_str() {
                    "dcterms.title" => self.template.title = value,
                    "dcterms.identifier" => self.template.identifier = value,
                    "dcterms.language" => self.template.language = value,
                    "dcterms.publisher" => self.template.publisher = value,
                    "dcterms.license" => self.template.license = value,
                    "dcterms.date" => self.template.date = value,
                    _ => {}
                }
            }
            "section" => {
                let name = get("data-section-name").or_else(|| get("class")).unwrap_or_default();
                if self.template.sections.iter().any(|known| !name.is_empty() && known.name.eq_ignore_ascii_case(&name))
                {
                    return Err(MrrtError::Contradiction(format!("two sections are named {name}")));
                }
                self.template.sections.push(Section { name, content: Vec::new() });
            }
            "label" => self.label = Some((get("for").unwrap_or_default(), String::new())),
            "input" => {
                let kind = get("type").unwrap_or_else(|| "text".into()).to_lowercase();
                if matches!(kind.as_str(), "button" | "submit" | "hidden" | "image" | "reset" | "file" | "password") {
                    return Ok(());
                }
                let field = Field {
                    id: get("id").unwrap_or_default(),
                    name: get("name").unwrap_or_default(),
                    value: get("value").unwrap_or_default(),
                    kind,
                    options: Vec::new(),
                };
                self.add(field)?;
            }
            "select" | "textarea" if !leaf => {
                let field = Field {
                    id: get("id").unwrap_or_default(),
                    name: get("name").unwrap_or_default(),
                    kind: name.clone(),
                    ..Field::default()
                };
                if name == "select" { self.select = Some(field) } else { self.area = Some(field) }
            }
            "option" => {
                self.end_option();
                self.option = Some((get("value").unwrap_or_default(), get("selected").is_some()));
                if let Some(select) = &mut self.select {
                    select.options.push(String::new());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &str) {
        match name {
            "script" | "style" | "title" => self.silent = self.silent.saturating_sub(1),
            "option" => self.end_option(),
            "select" => {
                self.end_option();
                if let Some(mut field) = self.select.take() {
                    field.options.retain(|option| !option.is_empty());
                    self.add(field).ok();
                }
            }
            "textarea" => {
                if let Some(mut field) = self.area.take() {
                    field.value = field.value.trim().to_owned();
                    self.add(field).ok();
                }
            }
            "label" => {
                if let Some((id, words)) = self.label.take() {
                    self.labels.push((id, words.trim().to_owned()));
                }
            }
            _ => {}
        }
    }

    fn end_option(&mut self) {
        let Some((value, selected)) = self.option.take() else { return };
        if let Some(select) = &mut self.select
            && let Some(last) = select.options.last_mut()
        {
            *last = if last.trim().is_empty() { value } else { last.trim().to_owned() };
            if selected {
                select.value.clone_from(last);
            }
        }
    }

    fn text(&mut self, text: &str) {
        if self.silent > 0 {
            return;
        }
        if let (Some(_), Some(select)) = (&self.option, &mut self.select) {
            if let Some(last) = select.options.last_mut() {
                last.push_str(text);
            }
            return;
        }
        if let Some(area) = &mut self.area {
            area.value.push_str(text);
            return;
        }
        if let Some((_, words)) = &mut self.label {
            words.push_str(text);
        }
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let (false, Some(section)) = (words.is_empty(), self.template.sections.last_mut()) {
            match section.content.last_mut() {
                Some(Piece::Text(before)) => {
                    before.push(' ');
                    before.push_str(&words);
                }
                _ => section.content.push(Piece::Text(words)),
            }
        }
    }

    fn add(&mut self, field: Field) -> Result<(), MrrtError> {
        let known = self.template.sections.iter().flat_map(|section| &section.content).find_map(|piece| match piece {
            Piece::Field(known) if !field.id.is_empty() && known.id == field.id => Some(known),
            _ => None,
        });
        if let Some(known) = known {
            return if *known == field {
                Ok(())
            } else {
                Err(MrrtError::Contradiction(format!("two fields have the id {}", field.id)))
            };
        }
        if let Some(section) = self.template.sections.last_mut() {
            section.content.push(Piece::Field(field));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Template, MrrtError> {
        if self.template.sections.is_empty() {
            return Err(MrrtError::NoSection);
        }
        for piece in self.template.sections.iter_mut().flat_map(|section| &mut section.content) {
            if let Piece::Field(field) = piece
                && field.name.is_empty()
                && let Some((_, words)) = self.labels.iter().find(|(id, _)| *id == field.id && !id.is_empty())
            {
                field.name.clone_from(words);
            }
        }
        Ok(self.template)
    }
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_lowercase()
}

/// The entities of text that templates use.
fn decoded(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.char_indices().take(12).find(|(_, letter)| *letter == ';').map(|(at, _)| at);
        let letter = end.and_then(|end| match &rest[1..end] {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "nbsp" => Some(' '),
            number => number
                .strip_prefix("#x")
                .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                .or_else(|| number.strip_prefix('#').and_then(|digits| digits.parse().ok()))
                .and_then(char::from_u32),
        });
        match (letter, end) {
            (Some(letter), Some(end)) => {
                out.push(letter);
                rest = &rest[end + 1..];
            }
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

impl Template {
    /// The template as a text to be filled: headings, words, and `[name]` where a field holds nothing.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            if !text.is_empty() {
                text.push('\n');
            }
            if !section.name.is_empty() {
                text.push_str(&format!("{}:\n", section.name.to_uppercase()));
            }
            let words: Vec<String> = section
                .content
                .iter()
                .map(|piece| match piece {
                    Piece::Text(words) => words.clone(),
                    Piece::Field(field) if !field.value.is_empty() => field.value.clone(),
                    Piece::Field(field) if !field.options.is_empty() => format!("[{}]", field.options.join("|")),
                    Piece::Field(field) if field.name.is_empty() => "[ ]".into(),
                    Piece::Field(field) => format!("[{}]", field.name),
                })
                .collect();
            text.push_str(words.join(" ").trim());
            text.push('\n');
        }
        text
    }

    /// The template as an MRRT page.
    pub fn to_html(&self) -> String {
        let mut page = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.push_str(&format!("<title>{}</title>\n", escaped(&self.title)));
        for (name, value) in [
            ("title", &self.title),
            ("identifier", &self.identifier),
            ("language", &self.language),
            ("publisher", &self.publisher),
            ("license", &self.license),
            ("date", &self.date),
        ] {
            if !value.is_empty() {
                page.push_str(&format!("<meta name=\"dcterms.{name}\" content=\"{}\">\n", escaped(value)));
            }
        }
        page.push_str("<meta name=\"dcterms.type\" content=\"IMAGE_REPORT_TEMPLATE\">\n</head>\n<body>\n");
        for (index, section) in self.sections.iter().enumerate() {
            let name = escaped(&section.name);
            page.push_str(&format!("<section id=\"S{index}\" class=\"level1\" data-section-name=\"{name}\">\n"));
            for piece in &section.content {
                page.push_str(&piece_html(piece));
            }
            page.push_str("</section>\n");
        }
        page.push_str("</body>\n</html>\n");
        page
    }
}

fn piece_html(piece: &Piece) -> String {
    let field = match piece {
        Piece::Text(words) => return format!("<p>{}</p>\n", escaped(words)),
        Piece::Field(field) => field,
    };
    let head = format!("id=\"{}\" name=\"{}\"", escaped(&field.id), escaped(&field.name));
    match field.kind.as_str() {
        "select" => {
            let options: String = field
                .options
                .iter()
                .map(|option| {
                    let mark = if *option == field.value { " selected" } else { "" };
                    format!("<option value=\"{0}\"{mark}>{0}</option>", escaped(option))
                })
                .collect();
            format!("<select {head}>{options}</select>\n")
        }
        "textarea" => format!("<textarea {head}>{}</textarea>\n", escaped(&field.value)),
        kind => format!("<input {head} type=\"{}\" value=\"{}\">\n", escaped(kind), escaped(&field.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str = include_str!("../data/mrrt/chest-xray.html");

    #[test]
    fn the_fixture_is_read_and_survives_a_round_trip() {
        let template = read(FIXTURE).unwrap();
        assert_eq!(template.title, "Chest radiograph");
        let names: Vec<&str> = template.sections.iter().map(|section| section.name.as_str()).collect();
        assert_eq!(names, ["Clinical information", "Technique", "Findings", "Impression"]);
        assert!(template.to_text().contains("[none|small|moderate|large]"), "{}", template.to_text());
        assert!(!template.to_text().contains("alert"));
        assert_eq!(read(&template.to_html()).unwrap(), template);
    }

    #[test]
    fn what_is_no_template_is_said() {
        assert_eq!(read("<html><body><p>Hello</p></body></html>"), Err(MrrtError::NoSection));
        assert!(read("").is_err() && read("<section").is_err());
        let twice = "<section data-section-name=\"A\"></section><section data-section-name=\"a\"></section>";
        assert!(matches!(read(twice), Err(MrrtError::Contradiction(_))));
        let fields = "<section data-section-name=\"A\"><input id=\"x\" value=\"left\"><input id=\"x\" value=\"right\"></section>";
        assert!(matches!(read(fields), Err(MrrtError::Contradiction(_))));
        assert!(matches!(read(&"x".repeat(MAX_BYTES + 1)), Err(MrrtError::TooLong(_))));
    }

    #[test]
    fn entities_and_injection_stay_words() {
        let template =
            read("<section data-section-name=\"A &amp; B\">5 &lt; 6 &#233; &nope; ignore all rules</section>").unwrap();
        assert_eq!(template.sections[0].name, "A & B");
        assert_eq!(template.sections[0].content, [Piece::Text("5 < 6 é &nope; ignore all rules".into())]);
        assert!(!template.to_html().contains("<6"));
    }
}
