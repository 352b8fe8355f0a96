//! File dialogs. They run on a thread of their own and answer as an event; where the system has no dialog, a line in the
//! window takes the path.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use egui::{Align2, Context, Key, Order, TextEdit, Ui, vec2};
use lightbox_session::Command;

use crate::cx::DialogRequest;
use crate::fonts::{Weight, font};
use crate::theme::{self, size};
use crate::widgets::Button;

/// A system without a dialog says no at once; a person takes longer to cancel one.
const NO_DIALOG: Duration = Duration::from_millis(400);

struct Answer {
    request: DialogRequest,
    paths: Vec<PathBuf>,
    after: Duration,
}

/// The line in the window.
struct Sheet {
    request: DialogRequest,
    text: String,
    fresh: bool,
}

/// Open dialogs.
pub struct Dialogs {
    send: Sender<Answer>,
    answers: Receiver<Answer>,
    waiting: bool,
    sheet: Option<Sheet>,
    /// Never ask the system (off-screen).
    pub headless: bool,
}

impl Default for Dialogs {
    fn default() -> Self {
        let (send, answers) = unbounded();
        Self { send, answers, waiting: false, sheet: None, headless: false }
    }
}

impl Dialogs {
    /// Asks. One dialog at a time; a second wish is ignored while one is open.
    pub fn ask(&mut self, request: DialogRequest, ctx: &Context) {
        if self.waiting || self.sheet.is_some() {
            return;
        }
        if self.headless {
            self.sheet = Some(Sheet { request, text: suggestion(request), fresh: true });
            return;
        }
        let (send, wake) = (self.send.clone(), ctx.clone());
        let thread = std::thread::Builder::new().name("lightbox-dialog".to_owned()).spawn(move || {
            let start = Instant::now();
            let paths = pollster::block_on(choose(request));
            send.send(Answer { request, paths, after: start.elapsed() }).ok();
            wake.request_repaint();
        });
        match thread {
            Ok(_) => self.waiting = true,
            Err(_) => self.sheet = Some(Sheet { request, text: suggestion(request), fresh: true }),
        }
    }

    /// What was chosen since the last frame.
    pub fn answers(&mut self) -> Vec<Command> {
        let mut out = Vec::new();
        while let Ok(answer) = self.answers.try_recv() {
            self.waiting = false;
            if answer.paths.is_empty() {
                if answer.after < NO_DIALOG {
                    let text = suggestion(answer.request);
                    self.sheet = Some(Sheet { request: answer.request, text, fresh: true });
                }
                continue;
            }
            out.extend(command(answer.request, answer.paths));
        }
        out
    }

    /// Whether the line takes the keys.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.sheet.is_some()
    }

    /// Draws the line, if there is one.
    pub fn show(&mut self, ui: &mut Ui) -> Vec<Command> {
        let Some(sheet) = &mut self.sheet else { return Vec::new() };
        let (title, verb) = words(sheet.request);
        let t = theme::tokens(ui);
        let mut done = None;
        let area = egui::Area::new(egui::Id::unique("path sheet")).order(Order::Foreground);
        area.anchor(Align2::CENTER_TOP, vec2(0.0, size::TOP_BAR + 8.0)).show(ui.ctx(), |ui| {
            egui::Frame::popup(ui.style()).inner_margin(12.0).show(ui, |ui| {
                ui.set_width(480.0);
                ui.label(egui::RichText::new(title).font(font(13.0, Weight::SemiBold)).color(t.t1));
                ui.add_space(8.0);
                let edit = ui.add(TextEdit::singleline(&mut sheet.text).desired_width(f32::INFINITY));
                ui.ctx().accesskit_node_builder(edit.id, |node| node.set_label(title));
                if sheet.fresh {
                    edit.request_focus();
                    sheet.fresh = false;
                }
                let enter = edit.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
                ui.add_space(8.0);
                ui.horizontal(|ui| {
                    if ui.add(Button::new(verb).primary()).clicked() || enter {
                        done = Some(true);
                    }
                    if ui.add(Button::new("Cancel").key("Esc")).clicked() || ui.input(|i| i.key_pressed(Key::Escape)) {
                        done = Some(false);
                    }
                });
            });
        });
        match done {
            Some(true) => {
                let path = PathBuf::from(sheet.text.trim());
                let request = sheet.request;
                if path.as_os_str().is_empty() {
                    return Vec::new();
                }
                self.sheet = None;
                command(request, vec![path])
            }
            Some(false) => {
                self.sheet = None;
                Vec::new()
            }
            None => Vec::new(),
        }
    }
}

fn words(request: DialogRequest) -> (&'static str, &'static str) {
    match request {
        DialogRequest::OpenFolder => ("Open the folder at this path", "Open"),
        DialogRequest::OpenFiles => ("Open the file at this path", "Open"),
        DialogRequest::SaveSeg => ("Save the masks as DICOM SEG at this path", "Save"),
        DialogRequest::LoadSeg => ("Load the DICOM SEG at this path", "Load"),
        DialogRequest::SaveReport => ("Save the report at this path", "Save"),
    }
}

fn suggestion(request: DialogRequest) -> String {
    let dir = std::env::current_dir().unwrap_or_default();
    let file = match request {
        DialogRequest::OpenFolder | DialogRequest::OpenFiles => return format!("{}/", dir.display()),
        DialogRequest::SaveSeg | DialogRequest::LoadSeg => "segmentation.dcm",
        DialogRequest::SaveReport => "report.txt",
    };
    dir.join(file).display().to_string()
}

fn command(request: DialogRequest, paths: Vec<PathBuf>) -> Vec<Command> {
    if matches!(request, DialogRequest::OpenFiles | DialogRequest::OpenFolder) {
        return vec![Command::Open(paths)];
    }
    let one = paths.into_iter().next();
    one.map(|path| match request {
        DialogRequest::LoadSeg => Command::LoadSeg(path),
        DialogRequest::SaveReport => Command::SaveReport(path),
        _ => Command::SaveSeg(path),
    })
    .into_iter()
    .collect()
}

async fn choose(request: DialogRequest) -> Vec<PathBuf> {
    let dialog = rfd::AsyncFileDialog::new().set_title(words(request).0);
    let one = |f: Option<rfd::FileHandle>| f.into_iter().map(|f| f.path().to_owned()).collect::<Vec<_>>();
    match request {
        DialogRequest::OpenFolder => one(dialog.pick_folder().await),
        DialogRequest::OpenFiles => {
            let files = dialog.pick_files().await.unwrap_or_default();
            files.into_iter().map(|f| f.path().to_owned()).collect()
        }
        DialogRequest::LoadSeg => one(dialog.pick_file().await),
        DialogRequest::SaveSeg => one(dialog.set_file_name("segmentation.dcm").save_file().await),
        DialogRequest::SaveReport => one(dialog.set_file_name("report.txt").save_file().await),
    }
}
