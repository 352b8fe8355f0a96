//! Where a dialog begins: beside the study, under a name that tells what the file holds. No patient stands in a name.

use std::path::{Path, PathBuf};

use lightbox_session::{OpenStack, Session, Source};

use crate::cx::DialogRequest;

/// Folders to begin in, the best first, and the name of a file to write.
pub(super) struct Suggestion {
    folders: Vec<PathBuf>,
    /// Empty for what is opened.
    name: String,
}

impl Suggestion {
    pub(super) fn new(request: &DialogRequest, s: &Session) -> Self {
        let (stack, name) = match request {
            DialogRequest::OpenFolder | DialogRequest::OpenFiles | DialogRequest::LoadSeg => {
                (s.active_stack(), String::new())
            }
            DialogRequest::ImportTemplate
            | DialogRequest::ImportRecalls
            | DialogRequest::ImportDrugRules
            | DialogRequest::KnowledgeFolder
            | DialogRequest::ChatModel => (None, String::new()),
            DialogRequest::SaveLetter(_) => (None, "letter.txt".to_owned()),
            DialogRequest::ExportTemplate(_) => (None, "template.html".to_owned()),
            DialogRequest::SaveSeg(stack) => {
                let date = s.library.study_of(*stack).map_or("", |study| study.date.as_str());
                let open = s.library.stack(*stack);
                let modality = open.map_or("", |open| open.series.modality.as_str());
                let number = open.and_then(|open| open.series.number).map(|n| format!("series{n}")).unwrap_or_default();
                (Some(*stack), joined(&["seg", date, modality, &number], "dcm"))
            }
            DialogRequest::SaveReport(uid) | DialogRequest::ExportReport(uid, _) => {
                let ending = match request {
                    DialogRequest::ExportReport(_, form) => form.ending(),
                    _ => "txt",
                };
                let study = s.library.studies.iter().find(|study| study.uid == *uid);
                let stack = study.and_then(|study| study.stacks.first().copied());
                let modality = stack.and_then(|id| s.library.stack(id)).map_or("", |open| &open.series.modality);
                (stack, joined(&["report", study.map_or("", |study| study.date.as_str()), modality], ending))
            }
        };
        let beside = stack.and_then(|id| s.library.stack(id)).and_then(study_folder);
        // The built-in study lies in the cache, which is no place to keep work.
        let beside = beside.filter(|folder| !folder.starts_with(lightbox_session::folders::cache()));
        let recent = s.workspace.recent.first().cloned().filter(|_| name.is_empty());
        let home = lightbox_session::folders::home();
        let here = std::env::current_dir().ok();
        Self { folders: [beside, recent, home, here].into_iter().flatten().collect(), name }
    }

    /// The path to begin with. Looks at the disk: to be called on a thread of its own.
    pub(super) fn path(&self) -> PathBuf {
        let saving = !self.name.is_empty();
        // Whether a folder can be written is known by trying; the file has no name and leaves nothing.
        let suits = |folder: &&PathBuf| folder.is_dir() && (!saving || tempfile::tempfile_in(folder).is_ok());
        let folder = self.folders.iter().find(suits).cloned().unwrap_or_default();
        folder.join(&self.name)
    }
}

/// `seg-2026-11-18-CT-series3.dcm`, of the parts that are known.
fn joined(parts: &[&str], ending: &str) -> String {
    let plain = |text: &&str| text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect::<String>();
    let parts: Vec<String> = parts.iter().map(plain).filter(|text| !text.is_empty()).collect();
    format!("{}.{ending}", parts.join("-"))
}

/// The folder that a stack was read from.
fn study_folder(open: &OpenStack) -> Option<PathBuf> {
    let path: &Path = match &open.info.frames.first()?.source {
        Source::File(path) => path,
        Source::Zip { archive, .. } => archive,
    };
    path.parent().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_parts_that_are_known_and_nothing_that_ends_a_path() {
        assert_eq!(joined(&["seg", "2026-11-18", "CT", "series3"], "dcm"), "seg-2026-11-18-CT-series3.dcm");
        assert_eq!(joined(&["report", "", "../MR"], "txt"), "report-MR.txt");
    }
}
