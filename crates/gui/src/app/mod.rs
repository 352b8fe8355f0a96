//! The application: the session, its jobs, and the window's own state.

mod logic;
mod palette;
mod quit;
mod sheets;
mod ui;

use std::path::PathBuf;

use egui::Context;
use lightbox_session::{Command, Jobs, Places, Session};

use crate::cx::UiState;
use crate::dialogs::Dialogs;
use crate::textures::Textures;
use crate::views::ViewsState;

/// The application.
pub struct App {
    session: Session,
    jobs: Jobs,
    ui: UiState,
    views: ViewsState,
    textures: Textures,
    dialogs: Dialogs,
    palette: Option<palette::Palette>,
    keys_shown: bool,
    quit: quit::Quit,
    queue: Vec<Command>,
    /// Commands of a script, one by one when nothing runs any more.
    script: std::collections::VecDeque<Command>,
    device: String,
    clock: String,
    memory_bytes: [u64; 2],
    memory_asked_s: f64,
    theme: Option<lightbox_session::workspace::ThemeChoice>,
    logic_ms: Vec<f32>,
}

impl App {
    /// An application on threads of its own that repaints `ctx` when a job tells something.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(ctx: &Context, places: Places) -> std::io::Result<Self> {
        let wake = ctx.clone();
        let jobs = Jobs::threads(places.clone(), move || wake.request_repaint())?;
        let mut app = Self::with_jobs(jobs);
        if let Ok(text) = std::fs::read_to_string(&places.settings) {
            lightbox_session::settings::restore(&mut app.session.workspace, &text);
        }
        Ok(app)
    }

    /// An application with jobs that the caller chose, with default settings.
    #[must_use]
    pub fn with_jobs(mut jobs: Jobs) -> Self {
        let mut session = Session::default();
        for effect in session.start() {
            jobs.run(effect);
        }
        Self::with_session(jobs, session)
    }

    /// An application over a state that the caller made: for pictures and tests of a state that takes long to reach.
    #[must_use]
    pub fn with_session(jobs: Jobs, session: Session) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            session,
            jobs,
            ui: UiState::default(),
            views: ViewsState::default(),
            textures: Textures::default(),
            dialogs: Dialogs::default(),
            palette: None,
            keys_shown: false,
            quit: quit::Quit::default(),
            queue: Vec::new(),
            script: std::collections::VecDeque::new(),
            device: if cores == 1 { "CPU, 1 core".to_owned() } else { format!("CPU, {cores} cores") },
            clock: String::new(),
            memory_bytes: [0, 0],
            memory_asked_s: f64::NEG_INFINITY,
            theme: None,
            logic_ms: Vec::new(),
        }
    }

    /// Opens paths, or the built-in study, before the first frame.
    pub fn open(&mut self, paths: Vec<PathBuf>, demo: bool) {
        if demo {
            self.queue.push(Command::OpenDemo);
        } else if !paths.is_empty() {
            self.queue.push(Command::Open(paths));
        }
    }

    /// Sends a command, as a button does.
    pub fn send(&mut self, command: Command) {
        self.queue.push(command);
    }

    /// Sends commands one after another, each when nothing that the last one started still runs.
    pub fn script(&mut self, commands: impl IntoIterator<Item = Command>) {
        self.script.extend(commands);
    }

    /// Ends without a question, as a script does.
    pub fn quit(&mut self) {
        self.quit = quit::Quit::Yes;
        self.queue.push(Command::Quit);
    }

    /// The state, to look at.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether a job runs, a dialog is to be answered, a command waits, or a script goes on.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.session.is_busy() || self.dialogs.is_waiting() || !self.queue.is_empty() || !self.script.is_empty()
    }

    /// Time that `logic` and `ui` took, in ms, of each frame since the last call.
    pub fn take_frame_times_ms(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.logic_ms)
    }

    /// No system dialogs, as off-screen.
    pub fn set_headless(&mut self) {
        self.dialogs.headless = true;
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.run_logic(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        // Closing the window is the wish to quit; work that is not saved stays in the journal.
        if !self.jobs.has_quit() {
            self.jobs.apply(&mut self.session, Command::Quit);
        }
    }
}

impl crate::offscreen::Scene for App {
    fn logic(&mut self, ctx: &Context) {
        self.run_logic(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui) {
        self.draw(ui);
    }
}
