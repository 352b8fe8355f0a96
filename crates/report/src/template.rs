//! Report templates: which headings, and in which order organs are described.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::findings::{Exam, Finding};

/// One template.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Template {
    /// The name that the command line and a saved report use.
    pub id: String,
    /// The name that a reader sees.
    pub label: String,
    /// DICOM modalities that it is for; empty means any.
    pub modalities: Vec<String>,
    /// DICOM body parts that it is for; empty means any.
    pub body_parts: Vec<String>,
    /// Lists of words in the order of description.
    pub organs: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct TemplateFile {
    template: Vec<Template>,
}

/// A failure here is a broken build, seen by the test below: the file is part of the program.
static BUILT_IN: LazyLock<Vec<Template>> = LazyLock::new(|| {
    toml::from_str::<TemplateFile>(include_str!("../data/templates.toml")).map(|file| file.template).unwrap_or_default()
});

/// All built-in templates.
pub fn built_in() -> &'static [Template] {
    &BUILT_IN
}

/// The template with this id or label, in any case.
pub fn by_name(name: &str) -> Option<&'static Template> {
    let name = name.trim();
    built_in()
        .iter()
        .find(|template| template.id.eq_ignore_ascii_case(name) || template.label.eq_ignore_ascii_case(name))
}

/// The first template that fits the examination, the general one where none does.
pub fn for_exam(exam: Option<&Exam>) -> Option<&'static Template> {
    let modality = exam.and_then(|exam| exam.modality.as_deref()).unwrap_or_default().trim();
    let body_part: String = exam
        .and_then(|exam| exam.body_part.as_deref())
        .unwrap_or_default()
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric())
        .collect();
    let fits = |names: &[String], value: &str| names.iter().any(|name| name.eq_ignore_ascii_case(value));
    built_in()
        .iter()
        .find(|template| fits(&template.modalities, modality) && fits(&template.body_parts, &body_part))
        .or_else(|| by_name("general"))
}

impl Template {
    /// Where a finding stands in the order of description; unknown organs come last.
    pub fn rank(&self, finding: &Finding) -> usize {
        let words =
            format!("{} {}", finding.site.as_deref().unwrap_or_default(), finding.term.as_deref().unwrap_or_default())
                .to_lowercase();
        self.organs
            .iter()
            .position(|organ| organ.iter().any(|word| words.contains(word.as_str())))
            .unwrap_or(self.organs.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_file_is_read_and_ids_are_unique() {
        let mut ids: Vec<_> = built_in().iter().map(|template| template.id.as_str()).collect();
        assert!(ids.len() >= 10);
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }

    #[test]
    fn the_examination_chooses_its_template() {
        let exam = |modality: &str, part: &str| Exam {
            modality: Some(modality.into()),
            body_part: Some(part.into()),
            ..Exam::default()
        };
        assert_eq!(for_exam(Some(&exam("DX", "Chest"))).unwrap().id, "chest-xray");
        assert_eq!(for_exam(Some(&exam("CT", "ABDOMEN PELVIS"))).unwrap().id, "abdomen-ct");
        assert_eq!(for_exam(Some(&exam("PT", "FOOT"))).unwrap().id, "general");
        assert_eq!(for_exam(None).unwrap().id, "general");
    }
}
