//! File dialogs. They run on a thread of their own and answer as an event; where the system has no dialog, a sheet in the
//! window takes the path, with the folders and files to choose from.
//!
//! Nothing here reads the disk while drawing: threads list folders, look whether a file is there, and tell.

mod browse;
mod suggest;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use egui::{Align2, Context, Key, Order, Ui, vec2};
use lightbox_session::command::SaveTo;
use lightbox_session::{Command, Session};

use crate::cx::DialogRequest;
use crate::fonts::{Weight, font};
use crate::panels::parts::{TABLE, paragraph};
use crate::theme::{self, size};
use crate::widgets::Button;
use browse::{Browser, Listing, Outcome};
use suggest::Suggestion;

/// A system without a dialog says no at once; a person takes longer to cancel one.
const NO_DIALOG: Duration = Duration::from_millis(400);
/// Width of the sheet.
const SHEET_PT: f32 = 560.0;

/// What a thread tells.
enum Told {
    /// The system's dialog was answered: nothing chosen when it was left, or is not there.
    Answer { request: DialogRequest, paths: Vec<PathBuf>, after: Duration, suggested: PathBuf },
    /// What a folder holds.
    Listed(Listing),
    /// Whether there is a file at a path that was typed for saving.
    Exists { request: DialogRequest, path: PathBuf, exists: bool },
}

/// Open dialogs.
pub struct Dialogs {
    send: Sender<Told>,
    told: Receiver<Told>,
    waiting: bool,
    sheet: Option<Browser>,
    /// A file that would be overwritten, until the reader says so.
    overwrite: Option<(DialogRequest, PathBuf)>,
    /// Files that this session has written, or was told to overwrite: for these it does not ask again.
    own: BTreeSet<PathBuf>,
    /// Never ask the system (off-screen).
    pub headless: bool,
}

impl Default for Dialogs {
    fn default() -> Self {
        let (send, told) = unbounded();
        let (sheet, overwrite, own) = (None, None, BTreeSet::new());
        Self { send, told, waiting: false, sheet, overwrite, own, headless: false }
    }
}

impl Dialogs {
    /// Asks. One dialog at a time; a second wish is ignored while one is open.
    pub fn ask(&mut self, request: DialogRequest, session: &Session, ctx: &Context) {
        if self.waiting || self.is_open() {
            return;
        }
        let suggestion = Suggestion::new(&request, session);
        let recent = if opens_images(&request) { session.workspace.recent.clone() } else { Vec::new() };
        if self.headless {
            self.sheet = Some(Browser::new(request, &suggestion.path(), recent));
            return;
        }
        let (send, wake) = (self.send.clone(), ctx.clone());
        let wish = request.clone();
        let thread = std::thread::Builder::new().name("lightbox-dialog".to_owned()).spawn(move || {
            let (request, suggested) = (wish, suggestion.path());
            let start = Instant::now();
            let paths = pollster::block_on(choose(&request, &suggested));
            send.send(Told::Answer { request, paths, after: start.elapsed(), suggested }).ok();
            wake.request_repaint();
        });
        match thread {
            Ok(_) => self.waiting = true,
            Err(_) => self.sheet = Some(Browser::new(request, Path::new(""), recent)),
        }
    }

    /// What was chosen since the last frame.
    pub fn answers(&mut self, session: &Session) -> Vec<Command> {
        let mut out = Vec::new();
        while let Ok(told) = self.told.try_recv() {
            match told {
                Told::Answer { request, paths, after, suggested } => {
                    self.waiting = false;
                    if !paths.is_empty() {
                        // The system's dialog asks itself before a file is overwritten.
                        out.extend(self.command(request, paths));
                    } else if after < NO_DIALOG {
                        let recent = if opens_images(&request) { session.workspace.recent.clone() } else { Vec::new() };
                        self.sheet = Some(Browser::new(request, &suggested, recent));
                    }
                }
                Told::Listed(listing) => {
                    if let Some(sheet) = &mut self.sheet {
                        sheet.take(listing);
                    }
                }
                Told::Exists { request, path, exists } => {
                    self.waiting = false;
                    if exists && !self.own.contains(&path) {
                        self.overwrite = Some((request, path));
                    } else {
                        out.extend(self.command(request, vec![path]));
                    }
                }
            }
        }
        out
    }

    /// Whether it takes the keys.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.sheet.is_some() || self.overwrite.is_some()
    }

    /// Whether a thread has not answered yet.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Draws the sheet or the question, if there is one.
    pub fn show(&mut self, ui: &mut Ui) -> Vec<Command> {
        if let Some(sheet) = &mut self.sheet {
            let folder = sheet.wants_listing();
            let outcome = sheet.show(ui);
            if let Some(folder) = folder {
                self.list(folder, ui.ctx());
            }
            match outcome {
                Outcome::Open => {}
                Outcome::Left => self.sheet = None,
                Outcome::Chosen(path) => {
                    let request = self.sheet.take().map(|sheet| sheet.request);
                    return request.map(|request| self.chosen(request, path, ui.ctx())).unwrap_or_default();
                }
            }
        }
        if self.overwrite.is_some() { self.ask_to_overwrite(ui) } else { Vec::new() }
    }

    /// What was typed or clicked. A file to write is looked for first.
    fn chosen(&mut self, request: DialogRequest, path: PathBuf, ctx: &Context) -> Vec<Command> {
        if !is_saving(&request) || self.own.contains(&path) {
            return self.command(request, vec![path]);
        }
        let (send, wake) = (self.send.clone(), ctx.clone());
        let (wish, at) = (request.clone(), path.clone());
        let look = move || {
            // A path that may not be looked at may not be written either: the job says so.
            let exists = at.try_exists().unwrap_or(false);
            send.send(Told::Exists { request: wish, path: at, exists }).ok();
            wake.request_repaint();
        };
        self.waiting = true;
        if std::thread::Builder::new().name("lightbox-look".to_owned()).spawn(look).is_err() {
            self.waiting = false;
            self.overwrite = Some((request, path));
        }
        Vec::new()
    }

    fn list(&mut self, folder: PathBuf, ctx: &Context) {
        let (send, wake) = (self.send.clone(), ctx.clone());
        let read = move || {
            send.send(Told::Listed(Listing::read(folder))).ok();
            wake.request_repaint();
        };
        // Without a thread there is no list; the path can be typed.
        std::thread::Builder::new().name("lightbox-list".to_owned()).spawn(read).ok();
    }

    fn ask_to_overwrite(&mut self, ui: &mut Ui) -> Vec<Command> {
        let Some((request, path)) = self.overwrite.clone() else { return Vec::new() };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let title = format!("{name} is there already");
        let text = "It is replaced only after the new file was written whole.";
        let mut wish = None;
        sheet_area(ui, "overwrite", &title, |ui| {
            paragraph(ui, text, TABLE, theme::tokens(ui).t2);
            ui.add_space(4.0);
            paragraph(ui, &path.display().to_string(), TABLE, theme::tokens(ui).t3);
            ui.add_space(12.0);
            ui.horizontal(|ui| {
                if ui.add(Button::new("Another name").primary()).clicked() {
                    wish = Some(Some(false));
                }
                if ui.add(Button::new("Replace")).clicked() {
                    wish = Some(Some(true));
                }
                if ui.add(Button::new("Cancel").key("Esc")).clicked() || ui.input(|i| i.key_pressed(Key::Escape)) {
                    wish = Some(None);
                }
            });
        });
        match wish {
            None => return Vec::new(),
            Some(Some(true)) => {
                self.overwrite = None;
                return self.command(request, vec![path]);
            }
            Some(Some(false)) => self.sheet = Some(Browser::new(request, &path, Vec::new())),
            Some(None) => {}
        }
        self.overwrite = None;
        Vec::new()
    }

    fn command(&mut self, request: DialogRequest, paths: Vec<PathBuf>) -> Vec<Command> {
        if matches!(request, DialogRequest::OpenFiles) {
            return vec![Command::Open(paths)];
        }
        let Some(path) = paths.into_iter().next() else { return Vec::new() };
        if is_saving(&request) {
            self.own.insert(path.clone());
        }
        vec![match request {
            DialogRequest::LoadSeg => Command::LoadSeg(path),
            DialogRequest::SaveSeg(stack) => Command::SaveSeg(SaveTo { path, of: Some(stack) }),
            DialogRequest::SaveReport(study) => Command::SaveReport(SaveTo { path, of: Some(study) }),
            DialogRequest::ExportReport(study, form) => {
                Command::ExportReport { form, to: SaveTo { path, of: Some(study) } }
            }
            DialogRequest::ImportTemplate => Command::ImportTemplate(path),
            DialogRequest::ExportTemplate(study) => Command::ExportTemplate(SaveTo { path, of: Some(study) }),
            DialogRequest::ImportRecalls => Command::ImportRecalls(path),
            DialogRequest::ImportDrugRules => Command::ImportDrugRules(path),
            DialogRequest::KnowledgeFolder => Command::SetKnowledgeFolder(Some(path)),
            DialogRequest::ChatModel => Command::SetChatModel(Some(path)),
            DialogRequest::SaveLetter(study) => Command::SaveLetter(SaveTo { path, of: Some(study) }),
            DialogRequest::OpenFolder | DialogRequest::OpenFiles => Command::Open(vec![path]),
        }]
    }
}

/// A sheet under the top bar with a title.
pub(crate) fn sheet_area(ui: &Ui, id: &str, title: &str, add: impl FnOnce(&mut Ui)) {
    let area = egui::Area::new(egui::Id::unique(id)).order(Order::Foreground);
    area.anchor(Align2::CENTER_TOP, vec2(0.0, size::TOP_BAR + 8.0)).show(ui.ctx(), |ui| {
        egui::Frame::popup(ui.style()).inner_margin(12.0).show(ui, |ui| {
            ui.set_width(SHEET_PT.min(ui.ctx().content_rect().width() - 48.0));
            let t = theme::tokens(ui);
            ui.label(egui::RichText::new(title).font(font(13.0, Weight::SemiBold)).color(t.t1));
            ui.add_space(8.0);
            add(ui);
        });
    });
}

fn is_saving(request: &DialogRequest) -> bool {
    matches!(
        request,
        DialogRequest::SaveSeg(_)
            | DialogRequest::SaveReport(_)
            | DialogRequest::ExportReport(..)
            | DialogRequest::ExportTemplate(_)
            | DialogRequest::SaveLetter(_)
    )
}

/// Whether what was opened before is worth a list.
fn opens_images(request: &DialogRequest) -> bool {
    matches!(request, DialogRequest::OpenFolder | DialogRequest::OpenFiles | DialogRequest::LoadSeg)
}

fn words(request: &DialogRequest) -> (&'static str, &'static str) {
    match request {
        DialogRequest::OpenFolder => ("Open the folder at this path", "Open"),
        DialogRequest::OpenFiles => ("Open the file at this path", "Open"),
        DialogRequest::SaveSeg(_) => ("Save SEG at this path", "Save"),
        DialogRequest::LoadSeg => ("Load the SEG at this path", "Load"),
        DialogRequest::SaveReport(_) => ("Save the report at this path", "Save"),
        DialogRequest::ExportReport(..) => ("Export the report to this path", "Export"),
        DialogRequest::ImportTemplate => ("Import the template at this path", "Import"),
        DialogRequest::ExportTemplate(_) => ("Export the template to this path", "Export"),
        DialogRequest::ImportRecalls => ("Import the recall notices at this path", "Import"),
        DialogRequest::ImportDrugRules => ("Import the drug rules at this path", "Import"),
        DialogRequest::KnowledgeFolder => ("Read the folder at this path", "Read"),
        DialogRequest::ChatModel => ("Use the GGUF file at this path", "Use"),
        DialogRequest::SaveLetter(_) => ("Save the letter at this path", "Save"),
    }
}

async fn choose(request: &DialogRequest, suggested: &Path) -> Vec<PathBuf> {
    let name = suggested.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = if is_saving(request) { suggested.parent().unwrap_or(suggested) } else { suggested };
    let dialog = rfd::AsyncFileDialog::new().set_title(words(request).0).set_directory(folder);
    let one = |f: Option<rfd::FileHandle>| f.into_iter().map(|f| f.path().to_owned()).collect::<Vec<_>>();
    match request {
        DialogRequest::OpenFolder | DialogRequest::KnowledgeFolder => one(dialog.pick_folder().await),
        DialogRequest::OpenFiles => {
            let files = dialog.pick_files().await.unwrap_or_default();
            files.into_iter().map(|f| f.path().to_owned()).collect()
        }
        DialogRequest::LoadSeg
        | DialogRequest::ImportTemplate
        | DialogRequest::ImportRecalls
        | DialogRequest::ImportDrugRules
        | DialogRequest::ChatModel => one(dialog.pick_file().await),
        DialogRequest::SaveSeg(_)
        | DialogRequest::SaveReport(_)
        | DialogRequest::ExportReport(..)
        | DialogRequest::ExportTemplate(_)
        | DialogRequest::SaveLetter(_) => one(dialog.set_file_name(name).save_file().await),
    }
}

#[cfg(test)]
mod tests {
    use lightbox_session::StackId;

    use super::*;

    #[test]
    fn an_answer_names_what_was_on_the_screen_when_the_dialog_opened() {
        let path = PathBuf::from("a");
        let paths = || vec![path.clone()];
        let mut dialogs = Dialogs::default();
        let seg = SaveTo { path: path.clone(), of: Some(StackId(3)) };
        assert_eq!(dialogs.command(DialogRequest::SaveSeg(StackId(3)), paths()), [Command::SaveSeg(seg)]);
        let text = SaveTo { path: path.clone(), of: Some("1.2".to_owned()) };
        assert_eq!(dialogs.command(DialogRequest::SaveReport("1.2".to_owned()), paths()), [Command::SaveReport(text)]);
        assert_eq!(dialogs.command(DialogRequest::OpenFiles, paths()), [Command::Open(paths())]);
        assert_eq!(dialogs.command(DialogRequest::SaveSeg(StackId(3)), Vec::new()), []);
    }
}
