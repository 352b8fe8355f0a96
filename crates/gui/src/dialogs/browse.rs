//! The sheet for systems without a dialog: a path, and what its folder holds.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use egui::{Key, Layout, ScrollArea, TextEdit, Ui, vec2};

use super::{is_saving, sheet_area, words};
use crate::cx::DialogRequest;
use crate::icons;
use crate::panels::parts::{TABLE, inside, paragraph};
use crate::theme::{self, size};
use crate::widgets::{Button, IconButton, Row, caption, hair};

/// Names that are listed at most, folders and files each; more are found by typing.
const NAMES: usize = 2000;
/// Height of the list.
const LIST_PT: f32 = 10.0 * size::ROW[0];

/// What a folder holds.
pub(super) struct Listing {
    folder: PathBuf,
    /// Names of folders and of files, sorted; or why it cannot be read.
    names: Result<[Vec<String>; 2], &'static str>,
}

impl Listing {
    /// Reads it. Takes as long as the disk does.
    pub(super) fn read(folder: PathBuf) -> Self {
        let names = read(&folder).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => "There is no such folder.",
            std::io::ErrorKind::PermissionDenied => "This folder may not be read.",
            std::io::ErrorKind::NotADirectory => "This is no folder.",
            _ => "This folder cannot be read.",
        });
        Self { folder, names }
    }
}

fn read(folder: &Path) -> std::io::Result<[Vec<String>; 2]> {
    let mut names = [Vec::new(), Vec::new()];
    for entry in std::fs::read_dir(folder)?.flatten() {
        // Through links: a link to a folder is a folder here.
        let is_folder = entry.path().is_dir();
        let of_kind = &mut names[usize::from(!is_folder)];
        if of_kind.len() < NAMES {
            of_kind.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    for of_kind in &mut names {
        of_kind.sort_by_key(|name| name.to_lowercase());
    }
    Ok(names)
}

/// What came of the sheet in this frame.
pub(super) enum Outcome {
    /// It stays.
    Open,
    /// It was left.
    Left,
    /// This was chosen.
    Chosen(PathBuf),
}

/// The sheet.
pub(super) struct Browser {
    pub(super) request: DialogRequest,
    text: String,
    fresh: bool,
    recent: Vec<PathBuf>,
    listing: Option<Listing>,
    /// The folder whose content was asked for last.
    asked: Option<PathBuf>,
}

impl Browser {
    pub(super) fn new(request: DialogRequest, at: &Path, recent: Vec<PathBuf>) -> Self {
        let text = if is_saving(&request) { at.display().to_string() } else { folder_text(at) };
        Self { request, text, fresh: true, recent, listing: None, asked: None }
    }

    /// Takes what a thread has read, unless the reader has gone on.
    pub(super) fn take(&mut self, listing: Listing) {
        if self.asked.as_ref() == Some(&listing.folder) {
            self.listing = Some(listing);
        }
    }

    /// The folder to read, where it is another than the last one.
    pub(super) fn wants_listing(&mut self) -> Option<PathBuf> {
        let (folder, _) = split(&self.text);
        if self.asked.as_ref() == Some(&folder) {
            return None;
        }
        self.asked = Some(folder.clone());
        Some(folder)
    }

    pub(super) fn show(&mut self, ui: &Ui) -> Outcome {
        let (title, verb) = words(&self.request);
        let mut outcome = Outcome::Open;
        sheet_area(ui, "path sheet", title, |ui| {
            let enter = self.path_line(ui, title);
            ui.add_space(8.0);
            if let Some(path) = self.recents(ui) {
                outcome = Outcome::Chosen(path);
            }
            self.list(ui);
            ui.add_space(8.0);
            ui.horizontal(|ui| {
                let text = from_root(&self.text).trim();
                if (ui.add(Button::new(verb).primary()).clicked() || enter) && !text.is_empty() {
                    outcome = Outcome::Chosen(PathBuf::from(text));
                }
                if ui.add(Button::new("Cancel").key("Esc")).clicked() || ui.input(|i| i.key_pressed(Key::Escape)) {
                    outcome = Outcome::Left;
                }
            });
        });
        outcome
    }

    /// The path, and the button that goes up. Whether Enter was pressed in it.
    fn path_line(&mut self, ui: &mut Ui, title: &str) -> bool {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), size::CONTROL), egui::Sense::hover());
        let mut line = inside(ui, rect, Layout::right_to_left(egui::Align::Center));
        line.spacing_mut().item_spacing.x = 4.0;
        let (folder, name) = split(&self.text);
        if line.add(IconButton::new(icons::ARROW_UP, "Up to the folder above")).clicked()
            && let Some(above) = folder.parent()
        {
            self.text = folder_text(above);
            if is_saving(&self.request) {
                self.text.push_str(&name);
            }
        }
        let edit = line
            .add(TextEdit::singleline(&mut self.text).desired_width(f32::INFINITY).align(egui::Align2::LEFT_CENTER));
        line.ctx().accesskit_node_builder(edit.id, |node| node.set_label(title));
        if self.fresh {
            edit.request_focus();
            self.fresh = false;
            // What is typed next goes behind the folder.
            if let Some(mut state) = TextEdit::load_state(line.ctx(), edit.id) {
                let end = egui::text::CCursor::new(self.text.chars().count());
                state.cursor.set_char_range(Some(egui::text::CCursorRange::one(end)));
                state.store(line.ctx(), edit.id);
            }
        }
        edit.lost_focus() && line.input(|i| i.key_pressed(Key::Enter))
    }

    /// What was opened before; a click opens it.
    fn recents(&self, ui: &mut Ui) -> Option<PathBuf> {
        if self.recent.is_empty() || matches!(self.request, DialogRequest::LoadSeg) {
            return None;
        }
        let mut chosen = None;
        caption(ui, "RECENT");
        for path in self.recent.iter().take(4) {
            let name =
                path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
            let place = path.parent().map(|p| p.display().to_string()).unwrap_or_default();
            let row = Row::new(&name).dense().inset().icon(icons::CLOCK_COUNTER_CLOCKWISE).end(&place);
            if ui.push_id(path, |ui| row.show(ui)).inner.clicked() {
                chosen = Some(path.clone());
            }
        }
        ui.add_space(8.0);
        chosen
    }

    /// Folders, then files. A folder is gone into, a file chosen for the path.
    fn list(&mut self, ui: &mut Ui) {
        let t = theme::tokens(ui);
        hair(ui, 0.0);
        let (folder, part) = split(&self.text);
        let saving = is_saving(&self.request);
        let mut go = None;
        ui.push_id(&folder, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let area = ScrollArea::vertical().max_height(LIST_PT).min_scrolled_height(LIST_PT).auto_shrink(false);
            area.show(ui, |ui| {
                let names = match self.listing.as_ref().filter(|l| l.folder == folder).map(|l| &l.names) {
                    None => {
                        paragraph(ui, "Reading the folder", TABLE, t.t3);
                        return;
                    }
                    Some(Err(why)) => {
                        paragraph(ui, why, TABLE, t.warn);
                        return;
                    }
                    Some(Ok(names)) => names,
                };
                let wanted = part.to_lowercase();
                let shown = |name: &&String| {
                    let hidden = name.starts_with('.') && !wanted.starts_with('.');
                    !hidden && (saving || wanted.is_empty() || name.to_lowercase().contains(&wanted))
                };
                let fits = |name: &&String| self.fits(name);
                let folders: Vec<_> = names[0].iter().filter(shown).map(|name| (name, true)).collect();
                let files = names[1].iter().filter(shown).filter(fits).map(|name| (name, false));
                let rows: Vec<(&String, bool)> = folders.into_iter().chain(files).collect();
                if rows.is_empty() {
                    let text = if wanted.is_empty() || saving {
                        "Nothing to choose is in this folder."
                    } else {
                        "Nothing here is called so."
                    };
                    paragraph(ui, text, TABLE, t.t3);
                }
                for (name, is_folder) in rows {
                    let icon = if is_folder { icons::FOLDER_SIMPLE } else { icons::FILE_TEXT };
                    let mut row = Row::new(name).dense().inset().icon(icon);
                    let gives = !is_folder
                        && matches!(self.request, DialogRequest::OpenFolder | DialogRequest::KnowledgeFolder);
                    if gives {
                        row = row.muted(true);
                    }
                    if ui.push_id(name, |ui| row.show(ui)).inner.clicked() && !gives {
                        go = Some((name.clone(), is_folder));
                    }
                }
            });
        });
        hair(ui, 0.0);
        if let Some((name, is_folder)) = go {
            let path = folder.join(name);
            self.text = match (is_folder, saving) {
                (true, true) => folder_text(&path) + &part,
                (true, false) => folder_text(&path),
                (false, _) => path.display().to_string(),
            };
        }
    }

    /// Whether a file is of the kind that is looked for. DICOM files have any ending, or none.
    fn fits(&self, name: &str) -> bool {
        let ends = |ending: &str| name.to_lowercase().ends_with(ending);
        match &self.request {
            DialogRequest::SaveSeg(_) => ends(".dcm"),
            DialogRequest::SaveReport(_) => ends(".txt"),
            DialogRequest::ExportReport(_, form) => ends(&format!(".{}", form.ending())),
            DialogRequest::ImportTemplate | DialogRequest::ExportTemplate(_) => ends(".html") || ends(".htm"),
            DialogRequest::ImportRecalls => ends(".json"),
            DialogRequest::ImportDrugRules => ends(".toml"),
            _ => true,
        }
    }
}

/// A folder as the path field has it: with the mark of a folder at its end.
fn folder_text(folder: &Path) -> String {
    let text = folder.display().to_string();
    if text.is_empty() || text.ends_with(MAIN_SEPARATOR) { text } else { text + std::path::MAIN_SEPARATOR_STR }
}

/// A path that is typed or pasted behind the folder that the field came with begins anew: `/here//data` is `/data`.
fn from_root(text: &str) -> &str {
    let text = text.trim_start();
    text.rfind("//").map_or(text, |at| &text[at + 1..])
}

/// The folder of a path that is being typed, and what is typed after it.
fn split(text: &str) -> (PathBuf, String) {
    let text = from_root(text);
    match text.rfind(['/', MAIN_SEPARATOR]) {
        Some(at) => (PathBuf::from(&text[..=at]), text[at + 1..].trim_end().to_owned()),
        None => (PathBuf::from("."), text.trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_folder_and_what_is_typed_after_it() {
        assert_eq!(split("/data/ct/th"), (PathBuf::from("/data/ct/"), "th".to_owned()));
        assert_eq!(split("/data/"), (PathBuf::from("/data/"), String::new()));
        assert_eq!(split("/home//data/ct"), (PathBuf::from("/data/"), "ct".to_owned()));
        assert_eq!(split("here"), (PathBuf::from("."), "here".to_owned()));
        assert_eq!((folder_text(Path::new("/data")), folder_text(Path::new("/"))), ("/data/".into(), "/".into()));
    }

    #[test]
    fn a_folder_is_listed_folders_first_and_one_that_is_not_there_says_so() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("b.dcm"), "").expect("written");
        std::fs::create_dir(dir.path().join("A")).expect("made");
        let listing = Listing::read(dir.path().to_owned());
        assert_eq!(listing.names, Ok([vec!["A".to_owned()], vec!["b.dcm".to_owned()]]));
        assert_eq!(Listing::read(dir.path().join("none")).names, Err("There is no such folder."));
    }
}
